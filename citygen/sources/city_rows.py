"""
City objects to batches of footprint rows: what CityJSON, CityJSONSeq and CityGML have in common.

A ``Building`` or ``BuildingPart`` with surfaces of its own is a row, and so is one that neither has any nor has parts that
do: it has no footprint, and its row says so. A building whose parts hold its surfaces has no row: each part hands its id
on as ``parent`` and inherits its attributes. Where a building and its parts both have surfaces, the parts are marked
(``part`` = yes). Units, storeys, rooms and installations lie within or upon a building and are no rows.
OGC 12-019 (CityGML 2.0), OGC 20-072r5 and the CityJSON 2.0 specification.

A file is read twice: once, when it is opened, for its columns and its extent (kept for the next opening of the same,
unchanged file), and again for the rows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Float64
from citygen.errors import InputError
from citygen.log import get_logger
from citygen.sources.base import BATCH_ROWS, Bounds, SourceInfo, SourceOptions
from citygen.sources.batch import Rows, Shape, make_batch, shape_of, text_array
from citygen.sources.city_crs import horizontal_code, settle_crs
from citygen.sources.city_footprints import Plans, Surfaces, plans
from citygen.sources.geojson import value_kind, values_array

log = get_logger(__name__)

ROW_TYPES = ("Building", "BuildingPart")
"""Types of city objects that become rows."""

DERIVED = ("object_type", "parent", "part", "model_lod", "model_ground_z", "model_eave_z", "model_ridge_z")
"""Columns of every row beside its attributes; an attribute of that name gets a trailing ``_``."""

OF_THE_WHOLE = ("measuredHeight", "b3_h_", "h_dak_", "RelativeRidge", "RelativeEaves", "AbsoluteRidge", "AbsoluteEaves")
"""Starts of attributes that measure a whole building: one part of several, which has a height itself, does not inherit them."""

_MOST_COLUMNS = 4096
_CHUNK = 8192
"""Objects at a time while a file is surveyed."""


@dataclass(frozen=True, slots=True)
class CityObject:
    """
    A row before it is one.

    Attributes
    ----------
    id : str or None
        As in the file.
    object_type : str
        ``Building`` or ``BuildingPart``.
    attributes : mapping of str to object
        Its own and those that it inherits.
    surfaces : Surfaces
        Of its own; those of its parts are theirs.
    parent : str or None
        Id of the building that it is a part of.
    is_part : bool
        Whether that building has surfaces too.
    crs : str or None
        The reference system that its own geometry names.
    """

    id: str | None
    object_type: str
    attributes: Mapping[str, Any]
    surfaces: Surfaces
    parent: str | None = None
    is_part: bool = False
    crs: str | None = None


@dataclass(slots=True)
class FileSays:
    """What a reader learns of a file on its way: the reference system, and what it passed over."""

    crs: str | None = None
    passed_over: dict[str, int] = field(default_factory=lambda: defaultdict(int))


ReadObjects: TypeAlias = Callable[[Path, FileSays], Iterator[CityObject]]
"""A format: path -> its rows to be, in file order; raises InputError for a broken file, also late."""


def inherited(own: Mapping[str, Any], parent: Mapping[str, Any], *, only_part: bool) -> dict[str, Any]:
    """
    Return a part's attributes with those of its building that it lacks.

    Parameters
    ----------
    own, parent : mapping of str to object
        Attributes of the part, and of the building with what that inherits itself.
    only_part : bool
        Whether it is the building's one part: then the building's heights are its own.

    Examples
    --------
    >>> inherited({"roofType": "1000"}, {"function": "1010", "measuredHeight": 9.1}, only_part=False)
    {'function': '1010', 'roofType': '1000'}
    """
    handed = {name: value for name, value in parent.items() if only_part or not name.startswith(OF_THE_WHOLE)}
    return handed | {name: value for name, value in own.items() if value is not None}


def open_city_model(
    path: Path, options: SourceOptions, name: str, read: ReadObjects, *, traditional: bool
) -> "CityModel":
    """
    Open a city model: read it through once.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    options : SourceOptions
        Of the user.
    name : str
        Registered name of the format.
    read : ReadObjects
        The format.
    traditional : bool
        Whether the format writes east, north whatever its reference system says.

    Raises
    ------
    InputError
        When it is broken.
    MissingCRSError
        When neither the file nor the user says where it lies.
    """
    stat = path.stat()
    survey = _surveyed(str(path), read, (stat.st_size, stat.st_mtime_ns, stat.st_ino))
    crs, swapped = settle_crs(survey.crs, survey.bounds, where=path, given=options.crs, traditional=traditional)
    columns = tuple(survey.kinds)
    shape = shape_of(columns, {}, where=str(path), id_column=options.id_column, wanted=options.columns)
    bounds = survey.bounds
    if bounds is not None and swapped:
        bounds = (bounds[1], bounds[0], bounds[3], bounds[2])
    info = SourceInfo(
        name=path.name.split(".")[0] or path.stem,
        path=str(path),
        crs=crs,
        columns=tuple(shape.names.values()),
        feature_count=survey.count,
        bounds=bounds,
        format=name,
    )
    return CityModel(info, path, shape, survey.kinds, read, swapped, None if options.crs else survey.crs)


@dataclass(frozen=True, slots=True)
class CityModel:
    """An open city model; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    path: Path
    shape: Shape
    kinds: Mapping[str, int]
    read: ReadObjects
    swapped: bool
    crs_said: str | None

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        first = 0
        for objects in _chunks(self.read(self.path, FileSays()), min(batch_rows, _CHUNK)):
            rows = object_rows(objects, self.kinds, first, swapped=self.swapped, crs=self.crs_said)
            first += len(objects)
            table = make_batch(rows, self.shape, bbox)
            if table is not None:
                yield table


def object_rows(
    objects: Sequence[CityObject], kinds: Mapping[str, int], first_row: int, *, swapped: bool, crs: str | None
) -> Rows:
    """
    Turn city objects into rows.

    Parameters
    ----------
    objects : sequence of CityObject
        n.
    kinds : mapping of str to int
        Kinds of values that a column holds, over the whole file; ``DERIVED`` among them.
    first_row : int
        Number of the first one.
    swapped : bool
        Whether the file writes y, x.
    crs : str or None
        The file's reference system; an object that names another one is a problem. None lets every one pass.

    Returns
    -------
    Rows
    """
    made = plans([each.surfaces for each in objects])
    geometry = made.geometry
    if swapped:
        geometry = shapely.transform(geometry, lambda xy: xy[:, ::-1])
    problem = [why or _elsewhere(each, crs) for why, each in zip(made.problem, objects, strict=True)]
    derived = _derived(objects, made)
    taken = [{_own_name(name): value for name, value in each.attributes.items()} for each in objects]
    return Rows(
        row=np.arange(first_row, first_row + len(objects), dtype=np.int64),
        geometry=pa.array(shapely.to_wkb(geometry), pa.binary()),
        attributes={
            name: derived[name] if name in derived else values_array([own.get(name) for own in taken], kind)
            for name, kind in kinds.items()
        },
        problem=text_array(problem),
        feature_id=text_array([each.id for each in objects]),
    )


def _derived(objects: Sequence[CityObject], made: Plans) -> dict[str, pa.Array]:
    """Return the columns that come from the model's structure and geometry."""
    return {
        "object_type": text_array([each.object_type for each in objects]),
        "parent": text_array([each.parent for each in objects]),
        "part": text_array(["yes" if each.is_part else None for each in objects]),
        "model_lod": _numbers(np.array([each.surfaces.lod for each in objects])),
        "model_ground_z": _numbers(made.ground_z),
        "model_eave_z": _numbers(made.eave_z),
        "model_ridge_z": _numbers(made.ridge_z),
    }


def _numbers(values: Float64) -> pa.Array:
    """Return numbers to 0.1 mm, null for NaN: what is left of a quantised file's steps is noise."""
    return pa.array(np.round(values, 4), pa.float64(), from_pandas=True)


def _own_name(name: str) -> str:
    """Return the column of an attribute."""
    while name in DERIVED:
        name += "_"
    return name


def _elsewhere(each: CityObject, crs: str | None) -> str | None:
    """Say that an object lies in another reference system than its file, None where it does not."""
    if crs is None or each.crs is None or horizontal_code(each.crs) == horizontal_code(crs):
        return None
    return f"its coordinates are in {each.crs[:80]}, those of the file in {crs[:80]}"


@dataclass(frozen=True, slots=True)
class _Survey:
    """What a first reading tells of a file; the extent in the file's order of axes."""

    crs: str | None
    kinds: Mapping[str, int]
    count: int
    bounds: Bounds | None


@lru_cache(maxsize=16)
def _surveyed(path: str, read: ReadObjects, _unchanged: tuple[int, int, int]) -> _Survey:
    """Read a file through once; a file that is opened again unchanged is not read again."""
    says = FileSays()
    kinds: dict[str, int] = defaultdict(int)
    count, low, high = 0, np.full(2, np.inf), np.full(2, -np.inf)
    for objects in _chunks(read(Path(path), says), _CHUNK):
        for each in objects:
            for name, value in each.attributes.items():
                kinds[_own_name(name)] |= value_kind(value)
        if len(kinds) > _MOST_COLUMNS:
            raise InputError(
                f"{path}: more than {_MOST_COLUMNS} different attribute names; its objects share no columns"
            )
        count += len(objects)
        box = shapely.bounds(plans([each.surfaces for each in objects]).geometry)
        box = box[np.isfinite(box).all(axis=1)]
        if len(box):
            low, high = np.minimum(low, box[:, :2].min(axis=0)), np.maximum(high, box[:, 2:].max(axis=0))
    for what, times in sorted(says.passed_over.items()):
        log.warning("%s: %d x %s", path, times, what)
    bounds: Bounds | None = (*low.tolist(), *high.tolist()) if count and np.isfinite(low).all() else None
    return _Survey(says.crs, {**kinds, **dict.fromkeys(DERIVED, 0)}, count, bounds)


def _chunks(things: Iterable[CityObject], size: int) -> Iterator[list[CityObject]]:
    """Yield lists of up to ``size`` things."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch
