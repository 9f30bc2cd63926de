"""A catalogue row back to its row in the source: read again where the file is still the one that was built from."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from citygen.errors import CitygenError
from citygen.geom.geodesy import transformer
from citygen.geom.parse import parse_wkb
from citygen.pipeline.extents import Bounds, in_crs
from citygen.sources.base import Source, SourceOptions, open_source, remote_of
from citygen.sources.batch import RESERVED, raw_name
from citygen.sources.swapped import SwappedSource

_REACH_M = 20.0
"""m around the built outline in which the source's own is looked for: repairs move outlines by millimetres."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """
    A row of a source.

    Attributes
    ----------
    table : pyarrow.Table
        One row, raw columns.
    number : int
        Its number in the file.
    geometry : shapely geometry or None
        In the source's CRS.
    problem : str
        Why the geometry could not be read, '' where it could.
    crs : str
        The source's.
    """

    table: pa.Table
    number: int
    geometry: Any
    problem: str
    crs: str

    def tags(self) -> dict[str, Any]:
        """Return what the row holds, columns without a value left out; bytes as text."""
        row = self.table.to_pylist()[0]
        shown = {raw_name(k): v.decode("utf-8", "replace") if isinstance(v, bytes) else v for k, v in row.items()}
        return {k: v for k, v in shown.items() if v is not None and v != "" and v == v}  # noqa: PLR0124  NaN


def reread(
    report: dict[str, Any], source: dict[str, Any], source_id: str, place: tuple[Any, int]
) -> tuple[RawRow | None, str]:
    """
    Read a row again.

    Parameters
    ----------
    report : dict
        ``report.json``.
    source : dict
        Its entry in the report's ``sources``.
    source_id : str
        The id in the source.
    place : (shapely geometry or None, int)
        Where it was built (working CRS), and how many rows of the same id came before it.

    Returns
    -------
    RawRow or None
        None where it cannot be had.
    str
        Why not, in a sentence; '' where it was read.
    """
    why = _changed(report, source)
    if why:
        return None, why
    options = report["options"]
    try:
        opened = open_source(
            source["path"],
            SourceOptions(layer=options["layer"], crs=options["source_crs"], id_column=options["id_column"]),
        )
        opened = SwappedSource(opened) if options.get("swap_axes") else opened
        found = list(_matching(opened, source_id, _window(place[0], report["crs"], opened)))
        if not found and place[0] is not None:
            found = list(_matching(opened, source_id, None))
    except CitygenError as error:
        return None, f"The source cannot be read again: {error}"
    if not found:
        return None, f"The source holds no row {source_id!r} any more, though its hash is the same."
    return _nearest(found, place, report["crs"]), ""


def _changed(report: dict[str, Any], source: dict[str, Any]) -> str:
    """Say why a source cannot be trusted to be what was built from; '' where it can."""
    path = source["path"]
    if not path:
        return "The source was a table in memory; its raw values are not kept."
    if remote_of(path) is not None:
        return f"The source is no file ({path}); it may have changed since, and is not asked again."
    if not Path(path).exists():
        where = (
            "" if Path(path).is_absolute() else "; it was named from the folder that the build ran in: explain it there"
        )
        return f"The source {path} is not there any more{where}."
    hashed = {name: digest for name, digest in report["inputs"].items() if _belongs(Path(name), Path(path))}
    if not hashed:
        return f"The report has no hash of {path}."
    for name, digest in sorted(hashed.items()):
        if not Path(name).is_file() or _digest(Path(name)) != digest:
            return f"The source {name} has changed since the build; its values of today are not shown."
    return ""


def _belongs(file: Path, source: Path) -> bool:
    """Say whether a hashed file is one of a source's: itself, beside it under the same name (shapefiles), or in its folder."""
    return file == source or source in file.parents or file.with_suffix("") == source.with_suffix("")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _window(outline: Any, crs: str, source: Source) -> Bounds | None:
    """Return the box around an outline in a source's CRS; None for everything."""
    if outline is None:
        return None
    box = np.array(in_crs(shapely.box(*outline.buffer(_REACH_M).bounds), crs, source.info.crs).bounds)
    return (float(box[0]), float(box[1]), float(box[2]), float(box[3])) if np.isfinite(box).all() else None


def _matching(source: Source, source_id: str, window: Bounds | None) -> Iterator[RawRow]:
    """Yield the rows of an id, in the order of the file."""
    for batch in source.batches(window):
        hits = batch.filter(pc.equal(batch["id"], source_id))
        for k in range(len(hits)):
            one = hits.slice(k, 1)
            wkb, problem = one["geometry"][0].as_py(), one["problem"][0].as_py() or ""
            geometry = None if wkb is None else parse_wkb(np.array([wkb], dtype=object), close=True)[0]
            plain = one.select([name for name in one.column_names if name not in RESERVED])
            yield RawRow(plain, int(one["row"][0].as_py()), geometry, problem, source.info.crs)


def _nearest(found: list[RawRow], place: tuple[Any, int], crs: str) -> RawRow:
    """Return the row that was built here: the one of the place, in the order of the file where several are."""
    outline, before = place
    if len(found) == 1 or outline is None:
        return found[min(before, len(found) - 1)]
    gaps = np.array([_gap(raw, outline, crs) for raw in found])
    near = np.flatnonzero(gaps <= gaps.min() + 0.5)
    return found[int(near[min(before, len(near) - 1)])]


def _gap(raw: RawRow, outline: Any, crs: str) -> float:
    """Return how far the middles of two extents lie apart, metres."""
    if raw.geometry is None or shapely.is_empty(raw.geometry):
        return float("inf")
    box = shapely.bounds(raw.geometry)
    x, y = transformer(raw.crs, crs).transform((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    other = shapely.bounds(outline)
    return float(np.hypot(x - (other[0] + other[2]) / 2, y - (other[1] + other[3]) / 2))
