"""
Rows that belong to others, parts and roof lines, to the tile of the building that they belong to.

A part belongs to the outline that its source names (``part_of``, by way of other parts where it names one), else to the
one that it lies in (``buildings.belonging``). A row that is both a building and a part is a part where a larger outline of
its own source holds it, else an outline. Parts without an outline that stand on one another stay together, on one datum.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.attributes.parts import PartMarks
from citygen.buildings.belonging import WITHIN, owners, sound, stacks
from citygen.geom.tolerances import LINE_SNAP_M
from citygen.pipeline.dealing import Dealer
from citygen.pipeline.marked import Nearby
from citygen.pipeline.placing import SOURCE_STRIDE, Placed
from citygen.pipeline.slots import LINES, OUTLINES, PARTS, Filed, Kind

_LARGER = 1.05
"""An outline that is not larger than this many times a building in it is the same building."""


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of one batch that wait for the outlines: their table, where they lie, and what they say of being parts."""

    table: pa.Table
    placed: Placed
    marks: PartMarks


@dataclass(frozen=True, slots=True)
class _Home:
    """Where rows belong: uid of the owner (-1 for none), its tile, and whether it is in the result."""

    uid: Int64
    col: Int64
    row: Int64
    own: Bool

    def put(self, rows: Int64, other: "_Home", index: Int64) -> None:
        """Take homes from another, for some rows."""
        for name in ("uid", "col", "row", "own"):
            getattr(self, name)[rows] = getattr(other, name)[index]


def hold(table: pa.Table, placed: Placed, marks: PartMarks) -> Held | None:
    """Return the rows of a batch that have to wait for the outlines; None where none has."""
    rows = np.flatnonzero(marks.held & placed.here)
    if len(rows) == 0:
        return None
    some = PartMarks(marks.is_part[rows], marks.is_both[rows], marks.hint[rows])
    return Held(table.take(pa.array(rows)), placed.take(rows), some)


def deal_parts(dealer: Dealer, held: list[Held]) -> None:
    """
    Give each part to its outline, and to that outline's tile.

    Parameters
    ----------
    dealer : Dealer
        Holds the outlines of all sources; gets the rest.
    held : list of Held
        Rows in and around the area; those that belong to no outline within it stay when they touch the area.
    """
    uid = np.concatenate([each.table["@uid"].to_numpy() for each in held])
    hint, is_part, is_both = (
        np.concatenate([getattr(each.marks, name) for each in held]) for name in ("hint", "is_part", "is_both")
    )
    geometry = sound(np.concatenate([each.placed.geometry for each in held]))
    home, mate = _named(dealer, held, uid, hint)
    # rows that are both: parts of a larger outline of their own source, or outlines themselves
    root = _roots(home, mate)
    free = np.flatnonzero((root.uid < 0) & is_both & (mate < 0))
    found = _containing(dealer, geometry, uid, free, (WITHIN, _LARGER))
    root.put(free, found, np.arange(len(free)))
    whole = ~is_part & (root.uid < 0) & (mate < 0)
    _deal_whole(dealer, held, whole)
    at = _homes_of(dealer, uid[whole])
    home.put(np.flatnonzero(whole), at, np.arange(len(at.uid)))
    home.put(free, root, free)
    home.uid[np.flatnonzero(whole)] = uid[whole]
    home = _roots(home, mate)
    free = np.flatnonzero((home.uid < 0) & ~whole & (mate < 0))
    home.put(free, _containing(dealer, geometry, uid, free, (0.0, 0.0)), np.arange(len(free)))
    home = _roots(home, mate)
    _deal_members(dealer, held, (home, whole, geometry, hint, uid))


def _named(dealer: Dealer, held: list[Held], uid: Int64, hint: Objects) -> tuple[_Home, Int64]:
    """Return the outline that each row names among those dealt, and else the held row that it names (-1 for none)."""
    n = len(uid)
    home = _nowhere(n)
    mate = np.full(n, -1, dtype=np.int64)
    named = np.flatnonzero(hint != "")
    if len(named) == 0:
        return home, mate
    words = pa.array(sorted(set(hint[named].tolist())), pa.string())
    ids, uids = [], []
    for _, table in _columns(dealer, ["@uid", "@id"], OUTLINES):
        hit = np.flatnonzero(pc.is_in(table["@id"], value_set=words).to_numpy(zero_copy_only=False))
        ids += table["@id"].take(pa.array(hit)).to_pylist()
        uids += table["@uid"].to_numpy()[hit].tolist()
    best: dict[tuple[str, int], list[tuple[bool, int, int]]] = {}  # of a name in a source, and (-1) in all
    own_ids = [name for each in held for name in each.table["@id"].to_pylist()]
    dealt = [(name, (False, number, -1)) for name, number in zip(ids, uids, strict=True)]
    for name, entry in dealt + [(name, (True, int(uid[k]), k)) for k, name in enumerate(own_ids)]:
        for source in (entry[1] // SOURCE_STRIDE, -1):
            listed = best.setdefault((name, source), [])
            listed.append(entry)
            listed.sort()
            del listed[2:]  # one of them may be the row that asks
    owner = np.full(n, -1, dtype=np.int64)
    for k in named.tolist():  # rows that name their outline: parts
        known = best.get((hint[k], int(uid[k]) // SOURCE_STRIDE), []) + best.get((hint[k], -1), [])
        entry = next((entry for entry in known if entry[2] != k), None)
        if entry is not None:
            owner[k], mate[k] = (-1, entry[2]) if entry[0] else (entry[1], -1)
    told = np.flatnonzero(owner >= 0)
    home.put(told, _homes_of(dealer, owner[told]), np.arange(len(told)))
    return home, mate


def _roots(home: _Home, mate: Int64) -> _Home:
    """Follow rows that name other held rows to the outline at the end; a circle ends nowhere."""
    out = _Home(*(getattr(home, name).copy() for name in ("uid", "col", "row", "own")))
    end = np.where(mate >= 0, mate, np.arange(len(mate)))
    for _ in range(16):
        end = np.where(mate[end] >= 0, mate[end], end)
    chained = np.flatnonzero((mate >= 0) & (home.uid < 0))
    out.put(chained, home, end[chained])
    return out


def _containing(dealer: Dealer, geometry: Objects, uid: Int64, rows: Int64, least: tuple[float, float]) -> _Home:
    """Return the outline in which each of some rows lies; of a least share, and this many times larger where that is asked."""
    home = _nowhere(len(rows))
    if len(rows) == 0:
        return home
    shapes = geometry[rows]
    area = shapely.area(shapes)
    tree, nearby = shapely.STRtree(shapes), Nearby(shapely.bounds(shapes))
    found: list[tuple[Int64, Float64, Float64, Int64]] = []
    for filed, table in _columns(dealer, ["@geometry"], OUTLINES):
        near = _near(filed, tree, nearby, 0.0)
        outlines = sound(shapely.from_wkb(table["@geometry"].take(pa.array(near)).to_numpy(zero_copy_only=False)))
        outline, part = tree.query(outlines, predicate="intersects")
        met = shapely.intersection(shapes[part], outlines[outline])
        share = shapely.area(met) / np.maximum(area[part], 1e-12)
        size, number = shapely.area(outlines)[outline], filed.uid[near[outline]]
        kept = (share >= least[0]) & (size >= least[1] * area[part]) & (number != uid[rows[part]])
        if least[1]:
            kept &= number // SOURCE_STRIDE == uid[rows[part]] // SOURCE_STRIDE
        found.append((part[kept], share[kept], size[kept], number[kept]))
    if not found:
        return home
    part, share, size, number = (np.concatenate(column) for column in zip(*found, strict=True))
    same = number // SOURCE_STRIDE == uid[rows[part]] // SOURCE_STRIDE
    has, pair = owners(part, share, (size, number), same)
    home.put(has, _homes_of(dealer, number[pair]), np.arange(len(has)))
    return home


def _deal_whole(dealer: Dealer, held: list[Held], whole: Bool) -> None:
    """Deal the held rows that are outlines after all."""
    at = 0
    for each in held:
        mine = whole[at : at + len(each.table)]
        at += len(each.table)
        table = _marked(each.table, np.zeros(len(mine), dtype=bool))
        dealer.write(table, each.placed, np.flatnonzero(mine & each.placed.inside))
        dealer.write(table, each.placed, np.flatnonzero(mine & ~each.placed.inside & each.placed.near), own=False)


def _deal_members(dealer: Dealer, held: list[Held], about: tuple[_Home, Bool, Objects, Objects, Int64]) -> None:
    """Deal the parts: to the tile of their outline, or of the first of the parts that they stand together with."""
    home, whole, geometry, hint, uid = about
    inside, near, col, row = (
        np.concatenate([getattr(each.placed, name) for each in held]) for name in ("inside", "near", "col", "row")
    )
    strayed = (home.uid >= 0) & ~home.own & inside  # its outline lies beyond the area, it does not
    owner = np.where(strayed, -1, home.uid)
    group, has = owner.copy(), owner >= 0
    lone = np.flatnonzero(~has & ~whole)
    sources = np.array(
        [
            f"{number} {text}" if text else ""
            for number, text in zip((uid[lone] // SOURCE_STRIDE).tolist(), hint[lone].tolist(), strict=True)
        ],
        dtype=object,
    )
    head = lone[stacks(geometry[lone], sources)] if len(lone) else lone
    group[lone] = uid[head]
    tile_col, tile_row = np.where(has, home.col, col), np.where(has, home.row, row)
    tile_col[lone], tile_row[lone] = col[head], row[head]
    own = np.where(has, home.own, inside)
    any_inside = np.zeros(len(uid), dtype=bool)
    np.logical_or.at(any_inside, head, inside[lone])
    own[lone] = any_inside[head]
    at = 0
    for each in held:
        span = slice(at, at + len(each.table))
        at += len(each.table)
        dealt = replace(each.placed, col=tile_col[span], row=tile_row[span])
        table = _marked(each.table, np.ones(len(each.table), dtype=bool))
        member = ~whole[span]
        belongs = (owner[span], group[span])
        dealer.write(table, dealt, np.flatnonzero(member & own[span]), belongs, kind=PARTS)
        rest = member & ~own[span] & (near[span] | has[span])
        dealer.write(table, dealt, np.flatnonzero(rest), belongs, kind=PARTS, own=False)


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
        home, group = _under(dealer, _middles(placed))
        found = home.uid >= 0
        dealt = replace(placed, col=np.where(found, home.col, placed.col), row=np.where(found, home.row, placed.row))
        own = np.where(found, home.own, placed.inside)
        line = table.append_column("@line_of", pa.array(home.uid))
        alone = np.full(len(line), -1, dtype=np.int64)
        group = np.where(found, group, line["@uid"].to_numpy())
        dealer.write(line, dealt, np.flatnonzero(own), (alone, group), kind=LINES)
        dealer.write(line, dealt, np.flatnonzero(~own & found), (alone, group), kind=LINES, own=False)


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


def _under(dealer: Dealer, points: Objects) -> tuple[_Home, Int64]:
    """
    Return the smallest dealt polygon at each point, and the first row of those that it stands together with.

    Parts, which stand for their outline, come before outlines, and what is at the point before what is within reach of it.
    """
    home, group = _nowhere(len(points)), np.full(len(points), -1, dtype=np.int64)
    best: list[tuple[bool, bool, float, int]] = [(True, True, np.inf, -1)] * len(points)
    tree, nearby = shapely.STRtree(points), Nearby(shapely.bounds(points))
    for kind in (OUTLINES, PARTS):
        for filed, table in _columns(dealer, ["@geometry", "@is_part"], kind):
            near = _near(filed, tree, nearby, LINE_SNAP_M)
            shapes = shapely.from_wkb(table["@geometry"].take(pa.array(near)).to_numpy(zero_copy_only=False))
            whole = ~table["@is_part"].to_numpy()[near]
            outline, line = tree.query(shapes, predicate="dwithin", distance=LINE_SNAP_M)
            area = shapely.area(shapes)
            beside = shapely.distance(shapes[outline], points[line]) > 0
            for o, p, out in zip(outline.tolist(), line.tolist(), beside.tolist(), strict=True):
                k = int(near[o])
                rank = (out, bool(whole[o]), float(area[o]), int(filed.uid[k]))
                if area[o] > 0 and rank < best[p]:
                    best[p] = rank
                    home.uid[p], home.own[p] = filed.uid[k], filed.own
                    group[p] = filed.uid[k] if filed.group is None else filed.group[k]
                    home.col[p], home.row[p] = filed.keys[filed.slot(np.array([k]))[0][0]]
    return home, group


def _marked(table: pa.Table, is_part: Bool) -> pa.Table:
    """Set the mark that says which rows are parts."""
    return table.set_column(table.column_names.index("@is_part"), "@is_part", pa.array(is_part))


def _nowhere(n: int) -> _Home:
    return _Home(np.full(n, -1, dtype=np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, dtype=bool))


def _homes_of(dealer: Dealer, wanted: Int64) -> _Home:
    """Return the tiles in which outlines were dealt, by their uid."""
    home = _nowhere(len(wanted))
    order = np.argsort(wanted, kind="stable")
    for filed in dealer.filed:
        if filed.kind != OUTLINES:
            continue
        rows = np.flatnonzero(np.isin(filed.uid, wanted))
        a, b = (np.searchsorted(wanted[order], filed.uid[rows], side=side) for side in ("left", "right"))
        batch, _ = filed.slot(rows)
        for k, (lo, hi) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
            mine = order[lo:hi]
            home.uid[mine], home.own[mine] = filed.uid[rows[k]], filed.own
            home.col[mine], home.row[mine] = filed.keys[batch[k]]
    return home


def _near(filed: Filed, tree: Any, nearby: Nearby, reach_m: float) -> Int64:
    """Return the rows of a file whose extent meets that of something in a tree."""
    box = filed.box / 100.0 + np.array([-reach_m, -reach_m, reach_m, reach_m])
    index = np.flatnonzero(nearby.maybe(box))
    found: Int64 = index[np.unique(tree.query(shapely.box(*box[index].T))[0])]
    return found


def _columns(dealer: Dealer, names: list[str], kind: Kind) -> Iterator[tuple[Filed, pa.Table]]:
    """Yield the files of one kind with some of their columns, mapped."""
    for filed in list(dealer.filed):
        if filed.kind == kind:
            with pa.memory_map(str(dealer.folder / filed.name)) as source:
                yield filed, pa.ipc.open_file(source).read_all().select(names)
