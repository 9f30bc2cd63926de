"""
Sources to tiles on disk: every row is read once, placed in the working CRS, and dealt to the tile of its own middle.

What is dealt lies in ``OUT/.citygen/plan`` as Arrow IPC files, one a source batch, one record batch a tile in it: a tile
job maps its own batches and nothing else (docs/decisions/0001). Rows that cannot be placed are kept apart with their
reason. Memory is one batch, plus the ids of all rows, plus the building parts (they wait for their outlines).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from citygen.arraytypes import AnyArray, Bool, Float64, Int64, Objects
from citygen.attributes.parts import part_rows
from citygen.geom.geodesy import transformer
from citygen.outcome import reason
from citygen.pipeline.inputs import Inputs, PlannedSource

UNREADABLE = reason("geometry_unreadable", "rejected", "The geometry could not be read.")
EMPTY = reason("geometry_empty", "rejected", "The geometry is missing or empty.")
OUT_OF_RANGE = reason("coordinates_out_of_range", "rejected", "The coordinates lie outside what their CRS allows.")

_SOURCE_STRIDE = 1 << 40


@dataclass(slots=True)
class Plan:
    """
    Where everything lies.

    Attributes
    ----------
    tiles : dict of (col, row) to list of (file, batch)
        The Arrow record batches of each tile, in the order of their rows.
    counts : dict of (col, row) to int
        Rows of each tile.
    unplaced : list of pyarrow.Table
        Rows without a place: uid, id, source, reason, detail.
    renamed : dict of int to str
        uid to the id of rows whose id an earlier row has.
    read, outside : int
        Rows read, and rows outside the area of interest.
    """

    tiles: dict[tuple[int, int], list[tuple[str, int]]] = field(default_factory=dict)
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    unplaced: list[pa.Table] = field(default_factory=list)
    renamed: dict[int, str] = field(default_factory=dict)
    read: int = 0
    outside: int = 0

    def to_json(self) -> str:
        """Return the plan, without the unplaced rows (they have a file of their own), as JSON."""
        tiles = [[col, row, self.counts[col, row], self.tiles[col, row]] for col, row in sorted(self.tiles)]
        renamed = {str(uid): name for uid, name in sorted(self.renamed.items())}
        return json.dumps({"tiles": tiles, "renamed": renamed, "read": self.read, "outside": self.outside})

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read what ``to_json`` wrote."""
        data = json.loads(text)
        plan = cls(read=data["read"], outside=data["outside"])
        for col, row, count, slices in data["tiles"]:
            plan.tiles[col, row] = [(name, batch) for name, batch in slices]
            plan.counts[col, row] = count
        plan.renamed = {int(uid): name for uid, name in data["renamed"].items()}
        return plan


def make_plan(inputs: Inputs, folder: Path, options: dict[str, str]) -> Plan:
    """
    Deal all sources to tiles.

    Parameters
    ----------
    inputs : Inputs
        Opened.
    folder : pathlib.Path
        Empty; receives the Arrow files.
    options : dict
        The user's column map.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        When a source turns out to be damaged on the way.
    """
    plan, ids, parts = Plan(), [], []
    writer = _Writer(plan, folder)
    for number, planned in enumerate(inputs.sources):
        for table, placed in _placed_batches(inputs, planned, number, plan):
            ids.append(table.select(["@uid", "@id"]))
            is_part = part_rows(table, planned.dialect, options)
            table = table.append_column("@is_part", pa.array(is_part))
            if is_part.any():
                chosen = np.flatnonzero(is_part & placed.inside)
                parts.append((table.take(pa.array(chosen)), placed.take(chosen)))
            writer.write(table, placed, np.flatnonzero(placed.inside & ~is_part))
    if parts:
        _deal_parts(inputs, writer, parts)
    plan.renamed = _duplicates(ids)
    return plan


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where the rows of one batch lie: geometry and middle in the working CRS, tile, and whether they are in the area."""

    geometry: Objects
    middle: Float64
    col: Int64
    row: Int64
    inside: Bool

    def take(self, index: Int64) -> "_Placed":
        return _Placed(self.geometry[index], self.middle[index], self.col[index], self.row[index], self.inside[index])


def _placed_batches(
    inputs: Inputs, planned: PlannedSource, number: int, plan: Plan
) -> Iterator[tuple[pa.Table, _Placed]]:
    """Read a source, place its rows, set aside those that have no place."""
    info = planned.source.info
    bbox = None if inputs.aoi is None else _window(inputs, info.crs)
    prepared = inputs.aoi
    if prepared is not None:
        shapely.prepare(prepared)
    count = 0
    for batch in planned.source.batches(bbox):
        uid = number * _SOURCE_STRIDE + count + np.arange(len(batch), dtype=np.int64)
        count += len(batch)
        plan.read += len(batch)
        table = _staged(batch, uid, planned)
        geometry, problem = _geometries(table)
        world, reasons = _to_working(geometry, problem, info.crs, inputs.crs)
        lost = np.flatnonzero(reasons[:, 0] != "")
        if len(lost):
            plan.unplaced.append(_aside(table, lost, reasons[lost]))
        box = shapely.bounds(world)
        middle = (box[:, :2] + box[:, 2:]) / 2
        inside = reasons[:, 0] == ""
        if prepared is not None:
            inside = inside & _in_area(world, box, prepared)
            plan.outside += int(((reasons[:, 0] == "") & ~inside).sum())
        col, row = _keys(inputs, middle)
        yield table.drop_columns(["@geometry", "@problem"]), _Placed(world, middle, col, row, inside)


def _window(inputs: Inputs, crs: str) -> tuple[float, float, float, float] | None:
    """Return the area's extent in a source's CRS, a little larger; None when it cannot be told there."""
    west, south, east, north = inputs.aoi.bounds
    pad = max(east - west, north - south) * 1e-3 + 1.0
    change = transformer(inputs.crs, crs)
    box = change.transform_bounds(west - pad, south - pad, east + pad, north + pad, densify_pts=21)
    return box if np.all(np.isfinite(box)) and box[0] < box[2] else None


def _staged(batch: pa.Table, uid: Int64, planned: PlannedSource) -> pa.Table:
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


def _geometries(table: pa.Table) -> tuple[Objects, Objects]:
    """Parse WKB row by row; the problem text of each row ('' for none)."""
    raw = table["@geometry"].to_numpy(zero_copy_only=False)
    problem = np.array([p or "" for p in table["@problem"].to_pylist()], dtype=object)
    geometry = shapely.from_wkb(raw, on_invalid="fix")
    unread = shapely.is_missing(geometry) & table["@geometry"].is_valid().to_numpy(zero_copy_only=False)
    problem[unread & (problem == "")] = "not readable as WKB"
    return geometry, problem


def _to_working(geometry: Objects, problem: Objects, source: str, target: str) -> tuple[Objects, Objects]:
    """Transform to the working CRS. Returns geometries (None where there is none) and (n, 2) reason code and detail."""
    out = shapely.force_2d(geometry)
    reasons = np.full((len(out), 2), "", dtype=object)
    empty = shapely.is_missing(out) | shapely.is_empty(out)
    coords, index = shapely.get_coordinates(out, return_index=True)
    change = transformer(source, target)
    finite = np.isfinite(coords).all(axis=1)
    geographic = change.source_crs is not None and change.source_crs.is_geographic
    if geographic:
        finite &= (np.abs(coords[:, 1]) <= 90) & (np.abs(coords[:, 0]) <= 360)
    x, y = change.transform(np.where(finite, coords[:, 0], np.nan), np.where(finite, coords[:, 1], np.nan))[:2]
    moved = np.stack([np.asarray(x), np.asarray(y)], axis=1)
    good = finite & np.isfinite(moved).all(axis=1) & (np.abs(moved) < 1e8).all(axis=1)
    bad = np.bincount(index[~good], minlength=len(out)) > 0
    moved[~good] = 0.0
    out = shapely.set_coordinates(out.copy(), moved)
    out[bad | empty] = None
    wild = np.zeros(len(out), dtype=object)
    first = np.unique(index[~good], return_index=True)
    for row, at in zip(first[0].tolist(), np.flatnonzero(~good)[first[1]].tolist(), strict=True):
        wild[row] = f"{coords[at, 0]:.9g}, {coords[at, 1]:.9g}"
    reasons[bad] = np.stack([np.full(int(bad.sum()), OUT_OF_RANGE, dtype=object), wild[bad]], axis=1)
    told = problem != ""
    reasons[empty & ~told, 0] = EMPTY
    reasons[told, 0], reasons[told, 1] = UNREADABLE, problem[told]
    out[told] = None
    return out, reasons


def _aside(table: pa.Table, rows: Int64, reasons: Objects) -> pa.Table:
    """Return the rows that have no place, with why."""
    named = table.select(["@uid", "@id", "@source"]).take(pa.array(rows))
    named = named.append_column("reason", pa.array(reasons[:, 0].tolist(), pa.string()))
    return named.append_column("detail", pa.array(reasons[:, 1].tolist(), pa.string()))


def _in_area(geometry: Objects, box: Float64, area: Any) -> Bool:  # noqa: ANN401
    """Say which geometries touch the area; an invalid one that the test cannot judge counts by its extent."""
    west, south, east, north = area.bounds
    near = (box[:, 0] <= east) & (box[:, 2] >= west) & (box[:, 1] <= north) & (box[:, 3] >= south)
    index = np.flatnonzero(near)
    valid = shapely.is_valid(geometry[index])
    near[index[valid]] = shapely.intersects(area, geometry[index[valid]])
    rest = index[~valid]
    near[rest] = shapely.intersects(area, shapely.box(*box[rest].T))
    return near


def _keys(inputs: Inputs, middle: Float64) -> tuple[Int64, Int64]:
    """Return each row's tile; rows without a place get any."""
    safe = np.where(np.isfinite(middle), middle, 0.0)
    if inputs.grid.crs != inputs.crs:
        x, y = transformer(inputs.crs, inputs.grid.crs).transform(safe[:, 0], safe[:, 1])[:2]
        safe = np.stack([x, y], axis=1)
        safe = np.where(np.isfinite(safe), safe, 0.0)
    return inputs.grid.keys(safe[:, 0], safe[:, 1])


class _Writer:
    """Writes Arrow files, one a batch of rows, one record batch a tile, and keeps the plan's index."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.files: list[Path] = []

    def write(self, table: pa.Table, placed: _Placed, rows: Int64, part_of: AnyArray | None = None) -> None:
        """Write chosen rows, sorted by tile, rows of a tile in their order."""
        if len(rows) == 0:
            return
        rows = rows[np.lexsort((rows, placed.col[rows], placed.row[rows]))]
        wkb = pa.array(shapely.to_wkb(placed.geometry[rows]), pa.binary())
        owner = pa.array(np.full(len(rows), -1) if part_of is None else part_of[rows], pa.int64())
        out = table.take(pa.array(rows)).append_column("@geometry", wkb).append_column("@part_of", owner)
        path = self.folder / f"{len(self.files):06d}.arrow"
        self.files.append(path)
        keys = np.stack([placed.col[rows], placed.row[rows]], axis=1)
        starts = np.flatnonzero(np.r_[True, np.any(keys[1:] != keys[:-1], axis=1)])
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, out.schema) as file:
            for batch, (a, b) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
                part = out.slice(a, b - a).combine_chunks().to_batches()
                file.write_batch(part[0])
                key = (int(keys[a, 0]), int(keys[a, 1]))
                self.plan.tiles.setdefault(key, []).append((path.name, batch))
                self.plan.counts[key] = self.plan.counts.get(key, 0) + int(b - a)


def _deal_parts(inputs: Inputs, writer: _Writer, parts: list[tuple[pa.Table, _Placed]]) -> None:
    """Give each building part to the smallest outline around its middle, and to that outline's tile."""
    middles = np.concatenate([placed.middle for _, placed in parts])
    owner, size = np.full(len(middles), -1, dtype=np.int64), np.full(len(middles), np.inf)
    col, row = np.zeros(len(middles), np.int64), np.zeros(len(middles), np.int64)
    tree = shapely.STRtree(shapely.points(middles))
    for key, slices in sorted(writer.plan.tiles.items()):
        for name, batch in slices:
            with pa.memory_map(str(writer.folder / name)) as source:
                table = pa.ipc.open_file(source).get_batch(batch)
                shapes = shapely.from_wkb(table["@geometry"].to_numpy(zero_copy_only=False))
                uid = table["@uid"].to_numpy()
            outline, part = tree.query(shapes, predicate="intersects")
            area = shapely.area(shapes)
            for o, p in zip(outline.tolist(), part.tolist(), strict=True):
                if (area[o], uid[o]) < (size[p], owner[p]):
                    size[p], owner[p] = area[o], uid[o]
                    col[p], row[p] = key
    at = 0
    for table, placed in parts:
        span = slice(at, at + len(table))
        at += len(table)
        found = owner[span] >= 0
        dealt = _Placed(
            placed.geometry,
            placed.middle,
            np.where(found, col[span], placed.col),
            np.where(found, row[span], placed.row),
            placed.inside,
        )
        writer.write(table, dealt, np.arange(len(table)), owner[span])


def _duplicates(ids: list[pa.Table]) -> dict[int, str]:
    """Return new ids for rows whose id an earlier row has: ``id#2``, ``id#3``, in the order of reading."""
    if not ids:
        return {}
    table = pa.concat_tables(ids)
    counts = pc.value_counts(table["@id"])
    many = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(many) == 0:
        return {}
    again = table.filter(pc.is_in(table["@id"], value_set=many))
    seen: dict[str, int] = {}
    taken = set(many.to_pylist())
    renamed: dict[int, str] = {}
    for uid, name in sorted(zip(again["@uid"].to_pylist(), again["@id"].to_pylist(), strict=True)):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            fresh = f"{name}#{seen[name]}"
            while fresh in taken:
                fresh += "'"
            taken.add(fresh)
            renamed[uid] = fresh
    return renamed
