"""
Where each dealt row lies, to the rows of other tiles that each tile has to know: those that touch its own.

A row touches rows of other tiles only where the extents of two tiles overlap, so most rows are never looked at closely.
What a tile is told is a little too much (extents, not outlines); the tile job sorts it out. Memory is 32 bytes a row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int32, Int64, Objects
from citygen.geom.boxes import meets_any
from citygen.model.rings import offsets, ranges

Kind = Literal["outlines", "parts", "lines"]
OUTLINES: Kind = "outlines"
PARTS: Kind = "parts"
LINES: Kind = "lines"
Key = tuple[int, int]
Guests = dict[Key, list[tuple[str, int, list[int]]]]
"""For each tile: file, record batch, and rows of it."""

REACH_CM = 60
"""cm. Rows whose extents are no farther apart may share a wall, or an outline with a duplicate of their neighbour."""
_LARGEST_CM = 1_000_000
"""cm. What is wider than 10 km is no building: it is rejected, and is nobody's neighbour."""
_MOST_CM = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Filed:
    """
    The rows of one file of the plan.

    Attributes
    ----------
    name : str
        Of the file.
    kind : str
        ``OUTLINES`` (and lone buildings), ``PARTS`` or ``LINES``.
    own : bool
        Whether the rows are in the result.
    keys : (b, 2) int64
        Tile of each record batch.
    sizes : (b,) int64
        Rows of each.
    box : (n, 4) int32
        Extents, centimetres, rounded outwards.
    uid : (n,) int64
        Row identities.
    group : (n,) int64 or None
        First row of those that each row stands together with (its outline); None where each row stands alone.
    """

    name: str
    kind: Kind
    own: bool
    keys: Int64
    sizes: Int64
    box: Int32
    uid: Int64
    group: Int64 | None

    def slot(self, row: Int64) -> tuple[Int64, Int64]:
        """Return the record batch of rows, and their place in it."""
        starts = offsets(self.sizes)
        batch = np.searchsorted(starts, row, side="right") - 1
        return batch, row - starts[batch]


def boxes_in_cm(box: Float64) -> Int32:
    """Return extents in whole centimetres, rounded outwards; (n, 4) int32."""
    low, high = np.floor(box[:, :2] * 100), np.ceil(box[:, 2:] * 100)
    whole: Int32 = np.clip(np.nan_to_num(np.concatenate([low, high], axis=1)), -_MOST_CM, _MOST_CM).astype(np.int32)
    return whole


def guests(filed: list[Filed], doubles: tuple[Int64, Int64]) -> Guests:
    """
    Find the rows that each tile has to know beside its own.

    Parameters
    ----------
    filed : list of Filed
        All files.
    doubles : ((k,) int64, (k,) int64)
        uid of rows that do not stand, ascending, and of those that stand in their place: they come along with these.

    Returns
    -------
    dict
        For each tile with own rows: those of other tiles, or beyond the area, whose extents come within ``REACH_CM`` of
        its own rows', with all rows that stand together with them. Rows in the order of files.
    """
    tiles: dict[Key, int] = {}
    for each in filed:
        for key in map(tuple, each.keys.tolist()):
            tiles.setdefault(key, len(tiles))
    if len(tiles) < 2 and all(each.own for each in filed):
        return {}
    numbers = [np.array([tiles[key] for key in map(tuple, each.keys.tolist())], dtype=np.int64) for each in filed]
    near = _near_rows(filed, numbers, len(tiles))
    if near is None:
        return {}
    box, tile, own, file, row = near
    wide = _shapes(box.astype(np.float64) + np.array([0, 0, REACH_CM, REACH_CM]))
    host, guest = shapely.STRtree(wide).query(wide)
    told = own[host] & ((tile[host] != tile[guest]) | ~own[guest])
    host, guest = host[told], guest[told]
    told_tile, told_file, told_row = _with_groups(filed, (tile[host], file[guest], row[guest]), doubles)
    keys = list(tiles)
    return dict(_by_tile(filed, keys, numbers, (told_tile, told_file, told_row)))


def _near_rows(
    filed: list[Filed], numbers: list[Int64], n_tiles: int
) -> tuple[Int32, Int64, Bool, Int64, Int64] | None:
    """Return extent, tile, ownership, file and row of all rows that reach into the extent of rows of another tile."""
    low = np.full((n_tiles + 1, 2), np.iinfo(np.int32).max, dtype=np.int64)
    high = np.full((n_tiles + 1, 2), np.iinfo(np.int32).min, dtype=np.int64)
    for each, number in zip(filed, numbers, strict=True):
        sane = _sane(each.box)
        tile = np.repeat(number, each.sizes)
        starts = offsets(each.sizes)[:-1]
        lows = np.where(sane[:, None], each.box[:, :2], np.iinfo(np.int32).max)
        highs = np.where(sane[:, None], each.box[:, 2:], np.iinfo(np.int32).min)
        np.minimum.at(low, number, np.minimum.reduceat(lows, starts))
        np.maximum.at(high, number, np.maximum.reduceat(highs, starts))
    extent = np.concatenate([low - REACH_CM, high + REACH_CM], axis=1)[:-1]
    filled = np.flatnonzero(extent[:, 0] <= extent[:, 2])
    shapes = _shapes(extent[filled].astype(np.float64))
    one, other = (filled[side] for side in shapely.STRtree(shapes).query(shapes))
    beyond = np.zeros(n_tiles, dtype=bool)  # tiles with rows beyond the area are their own neighbours too
    for each, number in zip(filed, numbers, strict=True):
        beyond[number] |= not each.own
    paired = (one != other) | beyond[one]
    one, other = one[paired], other[paired]
    order = np.lexsort((other, one))
    other, first = other[order], offsets(np.bincount(one, minlength=n_tiles))
    found = [
        (each.box[rows], tile[rows], np.full(len(rows), each.own), np.full(len(rows), k), rows)
        for k, (each, number) in enumerate(zip(filed, numbers, strict=True))
        for tile, rows in [_reaching(each, number, (first, other), extent)]
        if len(rows)
    ]
    if not found:
        return None
    box, tile, own, file, row = (np.concatenate(column) for column in zip(*found, strict=True))
    return box, tile, own, file, row


def _reaching(each: Filed, number: Int64, beside: tuple[Int64, Int64], extent: Int64) -> tuple[Int64, Int64]:
    """Return the tile of each row of a file, and which rows reach into the extent of a tile beside theirs."""
    first, other = beside
    tile = np.repeat(number, each.sizes)
    if each.kind == LINES:
        return tile, np.empty(0, dtype=np.int64)
    return tile, np.flatnonzero(meets_any(each.box, tile, first, other, extent, _LARGEST_CM, _MOST_CM))


def _shapes(box: Float64) -> Objects:
    """Return extents as polygons."""
    return np.asarray(shapely.box(*box.T), dtype=object)


def _sane(box: Int32) -> Bool:
    """Say which extents may be those of a building."""
    wide = box.astype(np.int64)
    size = wide[:, 2:] - wide[:, :2]
    sane: Bool = (size[:, 0] <= _LARGEST_CM) & (size[:, 1] <= _LARGEST_CM)
    for side in (wide[:, 0], wide[:, 1], -wide[:, 2], -wide[:, 3]):
        sane = sane & (side > -_MOST_CM)
    return sane


def _with_groups(
    filed: list[Filed], told: tuple[Int64, Int64, Int64], doubles: tuple[Int64, Int64]
) -> tuple[Int64, Int64, Int64]:
    """Add, to what tiles are told, the rows that stand together with those: an outline, its parts, their roof lines."""
    tile, file, row = told
    if all(each.group is None for each in filed) and not len(doubles[0]):
        return told
    members = [doubles[1], *(each.group for each in filed if each.group is not None)]
    group_ids = np.unique(np.concatenate(members))
    group_ids = group_ids[group_ids >= 0]
    of_group: list[tuple[Int64, Int64, Int64]] = []
    told_group = np.full(len(row), -1, dtype=np.int64)
    for k, each in enumerate(filed):
        group = each.uid if each.group is None else each.group
        if len(doubles[0]):
            at = np.minimum(np.searchsorted(doubles[0], each.uid), len(doubles[0]) - 1)
            group = np.where(doubles[0][at] == each.uid, doubles[1][at], group)
        rows = np.flatnonzero(np.isin(group, group_ids))
        of_group.append((group[rows], np.full(len(rows), k), rows))
        mine = np.flatnonzero(file == k)
        told_group[mine] = group[row[mine]]
    gid, gfile, grow = (np.concatenate(column) for column in zip(*of_group, strict=True))
    order = np.argsort(gid, kind="stable")
    gid, gfile, grow = gid[order], gfile[order], grow[order]
    grouped = np.flatnonzero(np.isin(told_group, group_ids))
    at = np.searchsorted(gid, told_group[grouped])
    counts = np.searchsorted(gid, told_group[grouped], side="right") - at
    more = ranges(at, counts)
    return (
        np.concatenate([tile, np.repeat(tile[grouped], counts)]),
        np.concatenate([file, gfile[more]]),
        np.concatenate([row, grow[more]]),
    )


def _by_tile(
    filed: list[Filed], keys: list[Key], numbers: list[Int64], told: tuple[Int64, Int64, Int64]
) -> Iterator[tuple[Key, list[tuple[str, int, list[int]]]]]:
    """Yield what each tile is told, each row once, none of its own."""
    if len(told[0]) == 0:
        return
    tile, file, row = np.unique(np.stack(told, axis=1), axis=0).T
    batch, index, foreign = np.zeros(len(row), np.int64), np.zeros(len(row), np.int64), np.ones(len(row), dtype=bool)
    for k, each in enumerate(filed):
        mine = np.flatnonzero(file == k)
        batch[mine], index[mine] = each.slot(row[mine])
        foreign[mine] = (numbers[k][batch[mine]] != tile[mine]) | (not each.own)
    tile, file, batch, index = (column[foreign] for column in (tile, file, batch, index))
    changes = (np.diff(tile) != 0) | (np.diff(file) != 0) | (np.diff(batch) != 0)
    starts = np.flatnonzero(np.r_[len(tile) > 0, changes])
    out: Guests = {}
    for a, b in zip(starts.tolist(), [*starts[1:].tolist(), len(tile)], strict=True):
        name = filed[int(file[a])].name
        out.setdefault(keys[int(tile[a])], []).append((name, int(batch[a]), index[a:b].tolist()))
    yield from out.items()
