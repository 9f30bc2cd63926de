"""Placed rows to Arrow files by tile: parts go with their outline, rows without a place are set aside, ids made unique."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from citygen.arraytypes import AnyArray, Int64, Objects
from citygen.geom.tolerances import LINE_SNAP_M
from citygen.pipeline.folder import writing
from citygen.pipeline.placing import Placed

BOX = ("@xmin", "@ymin", "@xmax", "@ymax")
"""Columns of a dealt row's extent in the working CRS."""
_MOST_PAIRS = 1_000_000
"""Extents times points that are compared one by one; an index does it for more."""
RENAMED = "renamed.arrow"
"""File of the plan: uid and new id of each row whose id an earlier row has, in the order of uid."""


class Dealer:
    """
    Writes Arrow files, one a batch of rows, one record batch a tile.

    Parameters
    ----------
    folder : pathlib.Path
        Empty.

    Attributes
    ----------
    tiles : dict of (col, row) to list of (file, batch)
        Where each tile's rows lie.
    counts : dict of (col, row) to int
        How many they are.
    unplaced : list of pyarrow.Table
        Rows set aside: @uid, @id, @source, reason, detail.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tiles: dict[tuple[int, int], list[tuple[str, int]]] = {}
        self.counts: dict[tuple[int, int], int] = {}
        self.unplaced: list[pa.Table] = []
        self.files: list[Path] = []
        self.ids: list[pa.Table] = []

    def set_aside(self, table: pa.Table, placed: Placed) -> None:
        """Keep the rows that have no place, with why."""
        rows = np.flatnonzero(placed.reasons[:, 0] != "")
        if len(rows) == 0:
            return
        named = table.select(["@uid", "@id", "@source"]).take(pa.array(rows))
        for at, name in enumerate(("reason", "detail")):
            named = named.append_column(name, pa.array(placed.reasons[rows, at].tolist(), pa.string()))
        self.unplaced.append(named)
        self.ids.append(named.select(["@uid", "@id"]))

    def write(self, table: pa.Table, placed: Placed, rows: Int64, part_of: AnyArray | None = None) -> None:
        """Write chosen rows, sorted by tile, rows of a tile in their order."""
        if len(rows) == 0:
            return
        rows = rows[np.lexsort((rows, placed.col[rows], placed.row[rows]))]
        index = pa.array(rows)
        owner = pa.array(np.full(len(rows), -1) if part_of is None else part_of[rows], pa.int64())
        out = table.take(index).append_column("@geometry", placed.wkb.take(index)).append_column("@part_of", owner)
        for name, side in zip(BOX, placed.box[rows].T, strict=True):
            out = out.append_column(name, pa.array(side))
        self.ids.append(out.select(["@uid", "@id"]))
        path = self.folder / f"{len(self.files):06d}.arrow"
        self.files.append(path)
        keys = np.stack([placed.col[rows], placed.row[rows]], axis=1)
        starts = np.flatnonzero(np.r_[True, np.any(keys[1:] != keys[:-1], axis=1)])
        with writing(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, out.schema) as file:
            for batch, (a, b) in enumerate(zip(starts, [*starts[1:], len(rows)], strict=True)):
                part = out.slice(a, b - a).combine_chunks().to_batches()
                file.write_batch(part[0])
                key = (int(keys[a, 0]), int(keys[a, 1]))
                self.tiles.setdefault(key, []).append((path.name, batch))
                self.counts[key] = self.counts.get(key, 0) + int(b - a)

    def write_renamed(self) -> None:
        """Give new ids to rows whose id an earlier row has: rows aside at once, the others when their tile is read."""
        new = _duplicates(self.ids)
        if not new:
            return
        for k, aside in enumerate(self.unplaced):
            known = zip(aside["@uid"].to_pylist(), aside["@id"].to_pylist(), strict=True)
            named = [new.get(uid, name) for uid, name in known]
            self.unplaced[k] = aside.set_column(1, "@id", pa.array(named, pa.string()))
        uid = sorted(new)
        table = pa.table({"uid": pa.array(uid, pa.int64()), "id": pa.array([new[u] for u in uid], pa.string())})
        path = self.folder / RENAMED
        with writing(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
            file.write_table(table)


def deal_lines(dealer: Dealer, lines: list[tuple[pa.Table, Placed]]) -> None:
    """
    Give each row that is a roof line to the smallest outline or part around its middle, and to that one's tile.

    Parameters
    ----------
    dealer : Dealer
        Holds the outlines and parts of all sources.
    lines : list of (pyarrow.Table, Placed)
        Lines in and around the area; those on no building stay when they touch the area.
    """
    for table, placed in lines:
        owner, col, row = _owners(dealer, _middles(placed), LINE_SNAP_M)
        found = owner >= 0
        col_row = np.where(found, col, placed.col), np.where(found, row, placed.row)
        dealt = Placed(placed.wkb, placed.box, *col_row, placed.inside | found, placed.reasons)
        dealer.write(table.append_column("@line_of", pa.array(owner)), dealt, np.flatnonzero(dealt.inside))


def _middles(placed: Placed) -> Objects:
    """Return the middle of the longest line of each row, or its point."""
    out = np.asarray(shapely.points(placed.middle), dtype=object)
    for k, each in enumerate(placed.geometry.tolist()):
        parts = shapely.get_parts(each)
        longest = parts[np.argmax(shapely.length(parts))]
        out[k] = (
            shapely.line_interpolate_point(longest, 0.5, normalized=True)
            if longest.length > 0
            else shapely.Point(longest.coords[0])
        )
    return out


def deal_parts(dealer: Dealer, parts: list[tuple[pa.Table, Placed]]) -> None:
    """
    Give each building part to the smallest outline around a point of it, and to that outline's tile.

    Parameters
    ----------
    dealer : Dealer
        Holds the outlines of all sources.
    parts : list of (pyarrow.Table, Placed)
        Parts in and around the area; those without an outline stay when they touch the area.
    """
    owner, col, row = _owners(dealer, np.concatenate([_points(placed) for _, placed in parts]), 0.0)
    at = 0
    for table, placed in parts:
        span = slice(at, at + len(table))
        at += len(table)
        found = owner[span] >= 0
        own_col, own_row = np.where(found, col[span], placed.col), np.where(found, row[span], placed.row)
        dealt = Placed(placed.wkb, placed.box, own_col, own_row, placed.inside | found, placed.reasons)
        dealer.write(table, dealt, np.flatnonzero(dealt.inside), owner[span])


def _owners(dealer: Dealer, points: Objects, reach_m: float) -> tuple[Int64, Int64, Int64]:
    """
    Return the uid of the smallest dealt polygon at each point, -1 for none, and its tile.

    Parts, which stand for their outline, come before outlines, and what is at the point before what is within reach of it.
    """
    owner = np.full(len(points), -1, dtype=np.int64)
    best: list[tuple[bool, bool, float, int]] = [(True, True, np.inf, -1)] * len(points)
    col, row = np.zeros(len(points), np.int64), np.zeros(len(points), np.int64)
    tree = shapely.STRtree(points)
    for key, slices in sorted(dealer.tiles.items()):
        for name, batch in slices:
            with pa.memory_map(str(dealer.folder / name)) as source:
                table = pa.ipc.open_file(source).get_batch(batch)
                near = _near(table, tree, reach_m)
                shapes = shapely.from_wkb(table["@geometry"].take(pa.array(near)).to_numpy(zero_copy_only=False))
                uid = table["@uid"].to_numpy()[near]
                whole = ~table["@is_part"].to_numpy(zero_copy_only=False)[near]
            how = {"predicate": "dwithin", "distance": reach_m} if reach_m else {"predicate": "intersects"}
            outline, part = tree.query(shapes, **how)
            area = shapely.area(shapes)
            beside = shapely.distance(shapes[outline], points[part]) > 0 if reach_m else np.zeros(len(part), dtype=bool)
            for o, p, out in zip(outline.tolist(), part.tolist(), beside.tolist(), strict=True):
                rank = (out, bool(whole[o]), float(area[o]), int(uid[o]))
                if area[o] > 0 and rank < best[p]:
                    best[p], owner[p] = rank, uid[o]
                    col[p], row[p] = key
    return owner, col, row


def _near(table: pa.RecordBatch, tree: Any, reach_m: float) -> Int64:
    """Return the rows whose extent holds a point, or has one within reach."""
    west, south, east, north = (table[name].to_numpy() for name in BOX)
    west, south, east, north = west - reach_m, south - reach_m, east + reach_m, north + reach_m
    found = tree.query(shapely.box(west.min(), south.min(), east.max(), north.max()))
    if len(found) * len(west) > _MOST_PAIRS:
        return np.unique(tree.query(shapely.box(west, south, east, north))[0])
    x, y = shapely.get_coordinates(tree.geometries[found]).T[:, None, :]
    near = (west[:, None] <= x) & (x <= east[:, None]) & (south[:, None] <= y) & (y <= north[:, None])
    return np.flatnonzero(near.any(axis=1))


def _points(placed: Placed) -> Objects:
    """Return a point in each part (its middle may lie in a courtyard); the middle of those that are not sound."""
    points = np.asarray(shapely.points(placed.middle), dtype=object)
    geometry = placed.geometry
    sound = np.flatnonzero(shapely.is_valid(geometry) & (shapely.get_dimensions(geometry) == 2))
    points[sound] = shapely.point_on_surface(geometry[sound])
    return points


def _duplicates(ids: list[pa.Table]) -> dict[int, str]:
    """Return new ids of rows whose id an earlier row has: ``id#2``, ``id#3``, in the order of reading, none of them taken."""
    if not ids:
        return {}
    table = pa.concat_tables(ids)
    counts = pc.value_counts(table["@id"])
    many = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(many) == 0:
        return {}
    again = table.filter(pc.is_in(table["@id"], value_set=many))
    hashed = pc.match_substring(table["@id"], "#")
    taken = set(table["@id"].filter(hashed).to_pylist())
    seen: dict[str, int] = {}
    renamed: dict[int, str] = {}
    for uid, name in sorted(zip(again["@uid"].to_pylist(), again["@id"].to_pylist(), strict=True)):
        number = seen.get(name, 0) + 1
        while number > 1 and f"{name}#{number}" in taken:
            number += 1
        seen[name] = number
        if number > 1:
            renamed[uid] = f"{name}#{number}"
            taken.add(renamed[uid])
    return renamed
