"""Batches of a source to where their rows lie: geometry in the working CRS, tile, inside the area or not, or why nowhere."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.attributes.dialect import DIALECTS, source_columns
from citygen.attributes.entrances import given_entrances
from citygen.attributes.keys import check_column_map
from citygen.attributes.rooflines import LINE_KEYS, drawn_lines
from citygen.geom.geodesy import transformer
from citygen.geom.parse import parse_wkb, unread_because
from citygen.geom.wkb import Plain, bounds, read_plain, write_plain
from citygen.model.binary import binary_buffers
from citygen.outcome import reason
from citygen.pipeline.area import Area
from citygen.pipeline.extents import REACH_M, Bounds, read_windows, windows_of

if TYPE_CHECKING:  # a worker reads rows and never opens inputs
    from citygen.pipeline.inputs import Inputs, PlannedSource

UNREADABLE = reason("geometry_unreadable", "rejected", "The geometry could not be read.")
EMPTY = reason("geometry_empty", "rejected", "The geometry is missing or empty.")
OUT_OF_RANGE = reason("coordinates_out_of_range", "rejected", "The coordinates lie outside what their CRS allows.")

SOURCE_STRIDE = 1 << 40
"""Rows that a source may hold: uid // SOURCE_STRIDE is the number of a row's source."""
_BEYOND_M = 1e8
"""m. No working CRS has coordinates beyond 100,000 km."""


@dataclass(frozen=True, slots=True)
class Placed:
    """
    Where the rows of one batch lie.

    Attributes
    ----------
    wkb : pyarrow.Array of binary
        (n,) in the working CRS, 2-D; null where a row has no place, or a far one.
    box : (n, 4) float64
        Its extent: xmin, ymin, xmax, ymax; NaN where there is none.
    col, row : (n,) int64
        Tile of the middle of the extent.
    inside : (n,) bool
        Whether it touches the area.
    near : (n,) bool
        Whether it lies in the area or so near that a building within may touch it.
    reasons : (n, 2) object of str
        Reason code ('' for none) and detail of a row that has no place.
    """

    wkb: pa.Array
    box: Float64
    col: Int64
    row: Int64
    inside: Bool
    near: Bool
    reasons: Objects

    @property
    def here(self) -> Bool:
        """Say which rows have a place."""
        here: Bool = self.wkb.is_valid().to_numpy(zero_copy_only=False)
        return here

    @property
    def middle(self) -> Float64:
        """Return (n, 2) float64, the middles of the extents."""
        return (self.box[:, :2] + self.box[:, 2:]) / 2

    @property
    def geometry(self) -> Objects:
        """Return (n,) Shapely geometries, None where there is none; they are parsed each time that this is asked for."""
        return np.asarray(shapely.from_wkb(self.wkb.to_numpy(zero_copy_only=False)), dtype=object)

    def take(self, index: Int64) -> "Placed":
        """Return chosen rows."""
        chosen = (getattr(self, name)[index] for name in ("box", "col", "row", "inside", "near", "reasons"))
        return Placed(self.wkb.take(pa.array(index)), *chosen)


def placed_batches(
    inputs: "Inputs", planned: "PlannedSource", number: int, column_map: Mapping[str, str]
) -> Generator[tuple[pa.Table, Placed], None, None]:
    """
    Read a source and place its rows.

    Parameters
    ----------
    inputs : Inputs
        For the area, the working CRS and the grid.
    planned : PlannedSource
        To read.
    number : int
        Of the source: makes uids unique.
    column_map : mapping of str to str
        The user's own column names.

    Yields
    ------
    pyarrow.Table, Placed
        A batch, own columns marked with ``@``, and where its rows lie.
    """
    info = planned.source.info
    windows = None if inputs.aoi is None else _windows(inputs, planned)
    area = None if inputs.aoi is None else Area(inputs.aoi)
    crs = (info.crs, inputs.crs)
    count = 0
    for batch in read_windows(planned.source, windows):
        uid = number * SOURCE_STRIDE + count + np.arange(len(batch), dtype=np.int64)
        count += len(batch)
        table = _staged(batch, uid, planned)
        (wkb, box, reasons), closed = _place(table, crs, bounded=area is not None)
        table = table.append_column("@closed", pa.array(closed)) if closed.any() else table
        inside = np.isfinite(box[:, 0]) if area is None else area.touched(wkb, box)
        near = inside if area is None else inside | area.near(box, REACH_M)
        col, row = _keys(inputs, (box[:, :2] + box[:, 2:]) / 2)
        table = _with_entrances(_with_lines(table, planned, column_map, crs), planned, column_map, crs)
        yield table, Placed(wkb, box, col, row, inside, near, reasons)


def _windows(inputs: "Inputs", planned: "PlannedSource") -> list[Bounds] | None:
    """Return the area's extent in a source's CRS, a little larger; None when it cannot be told there."""
    west, south, east, north = inputs.aoi.bounds
    pad = max(east - west, north - south) * 1e-3 + 1.0 + REACH_M
    area = (west - pad, south - pad, east + pad, north + pad)
    return windows_of(area, (inputs.crs, planned.source.info.crs), planned.source)


def _staged(batch: pa.Table, uid: Int64, planned: "PlannedSource") -> pa.Table:
    """Keep what the tile job reads: identity and geometry (own columns start with @), and the raw columns in need."""
    n = len(batch)
    columns = {
        "@uid": pa.array(uid),
        "@id": batch["id"],
        "@source": pa.array([planned.label] * n, pa.string()),
        "dialect": pa.array([planned.dialect] * n, pa.string()),
        "@problem": batch["problem"],
        "@geometry": batch["geometry"],
    }
    columns.update(
        {name: batch[name] for name in planned.columns if name in batch.column_names and name not in columns}
    )
    return pa.table(columns)


def _with_lines(
    table: pa.Table, planned: "PlannedSource", column_map: Mapping[str, str], crs: tuple[str, str]
) -> pa.Table:
    """Add the roof lines that rows draw, in the working CRS (WKB), and what could not be read; nothing where none can be."""
    dialect, checked = DIALECTS[planned.dialect], check_column_map(column_map)
    names = {column.name for key in LINE_KEYS for column in source_columns(dialect, key, checked)}
    if all(table[name].null_count == len(table) for name in names.intersection(table.column_names)):
        return table
    drawn = drawn_lines(table, planned.dialect, column_map, _geometries(table)[0])
    if drawn is None:
        return table
    world, why = _to_working(drawn.geometry, np.full(len(table), "", dtype=object), crs, bounded=False)
    problem = np.where(why[:, 0] == OUT_OF_RANGE, why[:, 1], drawn.problem)
    table = table.append_column("@roof_lines", pa.array(shapely.to_wkb(world), pa.binary()))
    table = table.append_column("@roof_lines_problem", pa.array(problem.tolist(), pa.string()))
    return table.append_column("@line_alone", pa.array(drawn.alone & ~shapely.is_missing(world)))


def _with_entrances(
    table: pa.Table, planned: "PlannedSource", column_map: Mapping[str, str], crs: tuple[str, str]
) -> pa.Table:
    """Add the entrances that rows give, in the working CRS (WKB), and what could not be read; nothing where none can be."""
    found = given_entrances(table, planned.dialect, column_map)
    if found is None or not (~shapely.is_missing(found[0]) | (found[1] != "")).any():
        return table
    world, why = _to_working(found[0], np.full(len(table), "", dtype=object), crs, bounded=False)
    problem = np.where(why[:, 0] == OUT_OF_RANGE, why[:, 1], found[1])
    table = table.append_column("@entrance", pa.array(shapely.to_wkb(world), pa.binary()))
    return table.append_column("@entrance_problem", pa.array(problem.tolist(), pa.string()))


def _place(table: pa.Table, crs: tuple[str, str], *, bounded: bool) -> tuple[tuple[pa.Array, Float64, Objects], Bool]:
    """
    Return where rows lie (WKB in the working CRS, extents, reason and detail where nowhere) and whose rings were closed.

    Plain polygons, nearly all, never become objects: their coordinates are moved in place. The rest goes the slow way,
    and so does each row with a coordinate that the quick way cannot vouch for.
    """
    column = table["@geometry"].combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    data, starts, stops = binary_buffers(column)
    if table["@problem"].null_count != len(table):
        stops = np.where(table["@problem"].is_valid().to_numpy(), starts, stops)
    plain = _moved(read_plain(data, starts, stops), crs)
    out, places = write_plain(data, starts, stops, plain)
    mask = pa.py_buffer(np.packbits(plain.rows, bitorder="little"))
    wkb = pa.Array.from_buffers(
        pa.binary(), len(table), [mask, pa.py_buffer(places.astype(np.int32)), pa.py_buffer(out)]
    )
    box, reasons = bounds(plain), np.full((len(table), 2), "", dtype=object)
    closed = np.zeros(len(table), dtype=bool)
    rest = np.flatnonzero(~plain.rows)
    if len(rest):
        slow = table.select(["@geometry", "@problem"]).take(pa.array(rest))
        geometry, problem, closed[rest] = _geometries(slow)
        world, reasons[rest] = _to_working(geometry, problem, crs, bounded=bounded)
        box[rest] = shapely.bounds(world)
        every = np.full(len(table), None, dtype=object)
        every[rest] = shapely.to_wkb(world)
        wkb = pc.if_else(pa.array(plain.rows), wkb, pa.array(every, pa.binary()))
    return (wkb, box, reasons), closed


def _moved(plain: Plain, crs: tuple[str, str]) -> Plain:
    """Transform plain rows; those with a coordinate that is not sound before or after are plain no more."""
    x, y = plain.coords[:, 0], plain.coords[:, 1]
    change = transformer(*crs)
    moved = np.stack(change.transform(x, y)[:2], axis=1)
    good = (np.abs(moved) < _BEYOND_M).all(axis=1)
    if change.source_crs is not None and change.source_crs.is_geographic:
        good &= (np.abs(y) <= 90) & (np.abs(x) <= 360)
    if good.all():
        return Plain(plain.rows, moved, plain.offsets)
    counts = np.diff(plain.offsets)
    owner = np.repeat(np.arange(len(counts)), counts)
    rows = plain.rows & (np.bincount(owner[~good], minlength=len(counts)) == 0)
    kept = np.where(rows, counts, 0)
    return Plain(rows, moved[rows[owner]], np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)]))


def _geometries(table: pa.Table) -> tuple[Objects, Objects, Bool]:
    """Parse WKB row by row; return also the problem text of each row ('' for none), and whose rings had to be closed."""
    raw = table["@geometry"].to_numpy(zero_copy_only=False)
    problem = np.array([p or "" for p in table["@problem"].to_pylist()], dtype=object)
    geometry = parse_wkb(raw)
    closed = shapely.is_missing(geometry) & table["@geometry"].is_valid().to_numpy(zero_copy_only=False)
    geometry[closed] = parse_wkb(raw[closed], close=True)
    unread = closed & shapely.is_missing(geometry)
    for row in np.flatnonzero(unread & (problem == "")).tolist():
        problem[row] = unread_because(raw[row])
    return geometry, problem, closed & ~unread


def _to_working(geometry: Objects, problem: Objects, crs: tuple[str, str], *, bounded: bool) -> tuple[Objects, Objects]:
    """
    Transform to the working CRS.

    Returns geometries (None where there is none) and (n, 2) reason code and detail. Where there is an area of interest
    (``bounded``), a sound place on Earth that the working CRS cannot show is far from it, and no fault of the row.
    """
    out = shapely.force_2d(geometry)
    reasons = np.full((len(out), 2), "", dtype=object)
    empty = shapely.is_missing(out) | shapely.is_empty(out)
    coords, index = shapely.get_coordinates(out, return_index=True)
    change = transformer(*crs)
    sound = np.isfinite(coords).all(axis=1)
    geographic = change.source_crs is not None and change.source_crs.is_geographic
    if geographic:
        sound &= (np.abs(coords[:, 1]) <= 90) & (np.abs(coords[:, 0]) <= 360)
    x, y = change.transform(np.where(sound, coords[:, 0], np.nan), np.where(sound, coords[:, 1], np.nan))[:2]
    moved = np.stack([np.asarray(x), np.asarray(y)], axis=1)
    good = sound & np.isfinite(moved).all(axis=1) & (np.abs(moved) < _BEYOND_M).all(axis=1)
    lost = np.bincount(index[~good], minlength=len(out)) > 0
    bad = np.bincount(index[~sound], minlength=len(out)) > 0 if geographic and bounded else lost
    moved[~good] = 0.0
    out = shapely.set_coordinates(out.copy(), moved)
    out[lost | empty] = None
    rows, at = np.unique(index[~good], return_index=True)
    wild = np.full(len(out), "", dtype=object)
    wild[rows] = [f"{px:.9g}, {py:.9g}" for px, py in coords[~good][at].tolist()]
    reasons[bad, 0], reasons[bad, 1] = OUT_OF_RANGE, wild[bad]
    told = problem != ""
    reasons[empty & ~told, 0] = EMPTY
    reasons[told, 0], reasons[told, 1] = UNREADABLE, problem[told]
    out[told] = None
    return out, reasons


def _keys(inputs: "Inputs", middle: Float64) -> tuple[Int64, Int64]:
    """Return each row's tile; rows without a place get any."""
    safe = np.where(np.isfinite(middle), middle, 0.0)
    if inputs.grid.crs != inputs.crs:
        x, y = transformer(inputs.crs, inputs.grid.crs).transform(safe[:, 0], safe[:, 1])[:2]
        safe = np.stack([x, y], axis=1)
        safe = np.where(np.isfinite(safe), safe, 0.0)
    return inputs.grid.keys(safe[:, 0], safe[:, 1])
