"""The dealt rows of a plan to one table of what heights can be learned from: place, type, floor area, shape, height, storeys."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import AnyArray, Bool, Float64, Int64, Objects
from citygen.attributes.options import AttributeOptions
from citygen.attributes.sizes import Sizes, has_height, read_sizes, size_columns


@dataclass(frozen=True, slots=True)
class Town:
    """
    Rows of a run that are no parts, in the order of their uid; arrays of length n, NaN where not known.

    Attributes
    ----------
    uid : (n,) int64
        Of the plan.
    xy : (n, 2) float64
        Middle of the extent, working CRS.
    group : (n,) int64
        Building type, as an index into ``classes``.
    classes : tuple of str
        Distinct types, '' for none.
    area_m2 : (n,) float64
        Floor area.
    shape : (n, 3) float64
        Compactness (1 for a circle), length to width, corners.
    measured_m : (n,) float64
        Height that the source gives: of the top or of the eave, as ``of_top`` says.
    storeys_m : (n,) float64
        The same from storeys x storey height.
    levels : (n,) float64
        Storeys.
    open : (n,) bool
        Rows whose source gives neither height.
    of_top : bool
        Heights are those of roof tops; else of eaves.
    """

    uid: Int64
    xy: Float64
    group: Int64
    classes: tuple[str, ...]
    area_m2: Float64
    shape: Float64
    measured_m: Float64
    storeys_m: Float64
    levels: Float64
    open: Bool
    of_top: bool

    def __len__(self) -> int:
        return len(self.uid)


def count_open(folder: Path, own: Collection[str], options: AttributeOptions) -> tuple[int, int]:
    """
    Count the rows of a plan without a height, and those with one; parts and roof lines are neither.

    Parameters
    ----------
    folder : pathlib.Path
        The plan's.
    own : collection of str
        Names of the files whose rows are in the result.
    options : AttributeOptions
        For its column map.

    Returns
    -------
    int, int
    """
    without = given = 0
    for table, dialect in _tables(folder, options, ("height", "eave_height"), geometry=False, own=own):
        known = has_height(table, dialect, options.column_map)
        given += int(np.count_nonzero(known))
        without += len(known) - int(np.count_nonzero(known))
    return without, given


def gather_town(folder: Path, options: AttributeOptions, *, shapes: bool) -> Town:
    """
    Read the rows of a plan.

    Parameters
    ----------
    folder : pathlib.Path
        The plan's.
    options : AttributeOptions
        Column map, storey height, country.
    shapes : bool
        Whether to measure the outlines' shapes, which costs as much as all the rest; NaN without.

    Returns
    -------
    Town
        About 120 bytes a row; geometry is held for one file of the plan at a time.
    """
    codes: dict[str, int] = {}
    parts: list[tuple[Int64, Float64, Int64, Sizes]] = []
    for table, dialect in _tables(folder, options, None, geometry=True, own=None):
        sizes = read_sizes(table, dialect, options)
        geometry = shapely.from_wkb(table["@geometry"].to_numpy(zero_copy_only=False))
        group = np.array([codes.setdefault(word, len(codes)) for word in sizes.class_name.tolist()], dtype=np.int64)
        parts.append((table["@uid"].to_numpy(), _measures(geometry, shapes=shapes), group, sizes))
    uid: Int64 = _joined([part[0] for part in parts], np.int64)
    order = np.argsort(uid, kind="stable")
    measures = np.concatenate([part[1] for part in parts])[order] if parts else np.zeros((0, 6))
    groups: Int64 = _joined([part[2] for part in parts], np.int64)[order]

    def column(name: str) -> Float64:
        joined: Float64 = _joined([getattr(part[3], name) for part in parts], np.float64)[order]
        return joined

    tops, eaves = (column(name) > 0 for name in ("tops_given", "eaves_given"))
    of_top = bool(np.count_nonzero(tops) >= np.count_nonzero(eaves))
    measured = np.where(tops | eaves, column("top_m" if of_top else "eave_m"), np.nan)
    unusable = (column("lifted") > 0) | ~(measures[:, 2] > 0) | ~(measured > 0)
    classes = tuple(codes)
    names = np.array(sorted(range(len(classes)), key=lambda code: classes[code]), dtype=np.int64)
    rank = np.zeros(len(classes), dtype=np.int64)
    rank[names] = np.arange(len(classes))
    return Town(
        uid=uid[order],
        xy=np.ascontiguousarray(measures[:, :2]),
        group=rank[groups] if classes else groups,
        classes=tuple(sorted(classes)),
        area_m2=measures[:, 2],
        shape=measures[:, 3:],
        measured_m=np.where(unusable, np.nan, measured),
        storeys_m=column("storeys_top_m" if of_top else "storeys_eave_m"),
        levels=column("levels"),
        open=~(tops | eaves),
        of_top=of_top,
    )


def _tables(
    folder: Path,
    options: AttributeOptions,
    keys: tuple[str, ...] | None,
    *,
    geometry: bool,
    own: Collection[str] | None,
) -> Iterator[tuple[pa.Table, str]]:
    """Yield the rows of each file of a plan that are no parts and no roof lines, with the columns in need, and their dialect."""
    for path in sorted(folder.glob("[0-9]*.arrow")):
        if own is not None and path.name not in own:
            continue
        with pa.memory_map(str(path)) as source:
            file = pa.ipc.open_file(source)
            names = file.schema.names
            if file.num_record_batches == 0 or "@line_of" in names:
                continue
            dialect = file.get_batch(0)["dialect"][0].as_py()
            wanted = (
                size_columns(dialect, options.column_map, *(() if keys is None else (keys,)))
                | {"@uid", "@is_part"}
                | ({"@geometry"} if geometry else set())
            )
            table = file.read_all().select([name for name in names if name in wanted])
            yield table.filter(pa.compute.invert(table["@is_part"])), dialect


def _measures(geometry: Objects, *, shapes: bool) -> Float64:
    """Return middle x and y, floor area, compactness, length to width and corners of each outline."""
    box = shapely.bounds(geometry)
    area = shapely.area(geometry)
    out = np.full((len(geometry), 6), np.nan)
    out[:, :2], out[:, 2] = (box[:, :2] + box[:, 2:]) / 2, area
    if shapes and len(geometry):
        around = shapely.length(geometry)
        rectangle = shapely.oriented_envelope(geometry)
        half, inside = shapely.length(rectangle) / 2, shapely.area(rectangle)
        gap = np.sqrt(np.maximum((half / 2) ** 2 - inside, 0.0))  # half of the difference of its sides
        with np.errstate(divide="ignore", invalid="ignore"):
            out[:, 3] = 4 * np.pi * area / around**2
            out[:, 4] = (half / 2 + gap) / np.maximum(half / 2 - gap, 0.1)
        out[:, 5] = shapely.get_num_coordinates(geometry)
    return out


def _joined(parts: list[AnyArray], kind: type) -> AnyArray:
    """Return arrays as one of a kind; empty where there are none."""
    return np.concatenate([np.asarray(part, dtype=kind) for part in parts]) if parts else np.zeros(0, dtype=kind)
