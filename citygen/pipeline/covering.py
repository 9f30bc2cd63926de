"""
Dealt outlines of several sources to those that do not stand, because earlier sources have a building there.

Sources come in the user's order. Of a later one, an outline of which more than ``COVERED`` lies on the standing buildings
of the sources before it is not built. Source by source, so that a row that does not stand covers nothing. It is told from
what lies in a tile and beside it; memory is that, and the rows that do not stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Float64, Int64, Objects
from citygen.buildings.belonging import sound
from citygen.buildings.duplicates import COVERED
from citygen.outcome import reason
from citygen.pipeline.dealing import Dealer
from citygen.pipeline.folder import writing
from citygen.pipeline.placing import SOURCE_STRIDE
from citygen.pipeline.slots import LINES, Filed, Key

COVERED_BY = reason(
    "covered_by_other_source", "ok", "A source that comes before has a building there; that one was built in its place."
)
FILE = "covered.arrow"
"""File of the plan: uid of each row that does not stand, the row that does, and what is said of it; in the order of uid."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Outlines: uid, extent in centimetres and sound geometry."""

    uid: Int64
    geometry: Objects


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of one source that lie in one record batch."""

    filed: Filed
    batch: int
    first: int
    size: int
    source: int


def write_covered(dealer: Dealer, names: dict[int, str]) -> tuple[Int64, Int64]:
    """
    Find the rows that do not stand and write them beside the plan; nothing is written where none is.

    Parameters
    ----------
    dealer : Dealer
        All rows dealt.
    names : dict of int to str
        New ids of rows whose id an earlier row has.

    Returns
    -------
    uid, by : (k,) int64
        The rows that do not stand, ascending, and the one that covers most of each.
    """
    none = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    pieces = _pieces(dealer)
    sources = sorted({piece.source for listed in pieces.values() for piece in listed})
    if len(sources) < 2:
        return none
    keys = sorted(pieces)
    extents = np.array([_extent(pieces[key]) for key in keys])
    beside = shapely.STRtree(shapely.box(*extents.T))
    gone: list[tuple[Int64, Int64, Float64]] = []
    out = np.empty(0, dtype=np.int64)
    for source in sources[1:]:
        found = []
        for key in keys:
            later = [piece for piece in pieces[key] if piece.source == source]
            if later:
                near = beside.query(shapely.box(*_extent(later).tolist()))
                earlier = [p for k in sorted(near.tolist()) for p in pieces[keys[k]] if p.source < source]
                found.append(_covered(dealer, later, earlier, out))
        gone += found
        out = np.sort(np.concatenate([out, *(uid for uid, _, _ in found)]))
    uid, by, share = (np.concatenate(column) for column in zip(*gone, strict=True))
    if len(uid) == 0:
        return none
    order = np.argsort(uid)
    uid, by, share = uid[order], by[order], share[order]
    ids = _ids(dealer, by) | {u: names[u] for u in by.tolist() if u in names}
    said = [f"{ids[u]}, {part:.2f} of it" for u, part in zip(by.tolist(), share.tolist(), strict=True)]
    table = pa.table({"uid": uid, "by": by, "detail": pa.array(said, pa.string())})
    path = dealer.folder / FILE
    with writing(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)
    return uid, by


def _pieces(dealer: Dealer) -> dict[Key, list[_Piece]]:
    """List what lies in each tile."""
    out: dict[Key, list[_Piece]] = {}
    for filed in dealer.filed:
        if filed.kind == LINES:
            continue
        source, first = int(filed.uid[0]) // SOURCE_STRIDE, 0
        for batch, (key, size) in enumerate(zip(map(tuple, filed.keys.tolist()), filed.sizes.tolist(), strict=True)):
            out.setdefault(key, []).append(_Piece(filed, batch, first, size, source))
            first += size
    return out


def _extent(pieces: list[_Piece]) -> Float64:
    """Return the extent of some rows, centimetres."""
    boxes = [piece.filed.box[piece.first : piece.first + piece.size] for piece in pieces]
    low = np.min([box[:, :2].min(axis=0) for box in boxes], axis=0)
    high = np.max([box[:, 2:].max(axis=0) for box in boxes], axis=0)
    return np.concatenate([low, high]).astype(np.float64)


def _covered(dealer: Dealer, later: list[_Piece], earlier: list[_Piece], out: Int64) -> tuple[Int64, Int64, Float64]:
    """Return the uid of the later rows that are covered, the earlier row that covers most of each, and the share in all."""
    none = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    window = _extent(later)
    new, old = _load(dealer, later, window), _load(dealer, earlier, window)
    standing = ~np.isin(old.uid, out)
    old = _Rows(old.uid[standing], old.geometry[standing])
    if not len(new.uid) or not len(old.uid):
        return none
    a, b = shapely.STRtree(old.geometry).query(new.geometry, predicate="intersects")
    shared = shapely.intersection(new.geometry[a], old.geometry[b])
    area = shapely.area(shared)
    a, b, shared, area = (column[area > 0] for column in (a, b, shared, area))
    if not len(a):
        return none
    order = np.lexsort((old.uid[b], -area, a))
    a, b, shared = a[order], b[order], shared[order]
    rows, first = np.unique(a, return_index=True)
    joined = shapely.geometrycollections(shared, indices=np.searchsorted(rows, a))
    share = shapely.area(shapely.union_all(joined[:, None], axis=1)) / shapely.area(new.geometry[rows])
    most = share > COVERED
    return new.uid[rows[most]], old.uid[b[first[most]]], share[most]


def _load(dealer: Dealer, pieces: list[_Piece], window: Float64) -> _Rows:
    """Load the buildings of some batches that lie within an extent; parts of an outline are left to it."""
    uid: list[Int64] = [np.empty(0, dtype=np.int64)]
    shapes: list[Objects] = [np.empty(0, dtype=object)]
    for piece in pieces:
        box = piece.filed.box[piece.first : piece.first + piece.size]
        near = (box[:, 0] <= window[2]) & (box[:, 2] >= window[0]) & (box[:, 1] <= window[3]) & (box[:, 3] >= window[1])
        if not near.any():
            continue
        with pa.memory_map(str(dealer.folder / piece.filed.name)) as file:
            batch = pa.ipc.open_file(file).get_batch(piece.batch)
            rows = np.flatnonzero(near & (batch["@part_of"].to_numpy() < 0))
            geometry = sound(shapely.from_wkb(batch["@geometry"].take(pa.array(rows)).to_numpy(zero_copy_only=False)))
        whole = shapely.area(geometry) > 0
        uid.append(piece.filed.uid[piece.first + rows[whole]])
        shapes.append(geometry[whole])
    return _Rows(np.concatenate(uid), np.concatenate(shapes))


def _ids(dealer: Dealer, wanted: Int64) -> dict[int, str]:
    """Return the ids of some rows by uid."""
    return dict(_named(dealer, wanted))


def _named(dealer: Dealer, wanted: Int64) -> Iterator[tuple[int, str]]:
    for filed in dealer.filed:
        rows = np.flatnonzero(np.isin(filed.uid, wanted))
        if len(rows):
            with pa.memory_map(str(dealer.folder / filed.name)) as file:
                names = pa.ipc.open_file(file).read_all()["@id"].take(pa.array(rows)).to_pylist()
            yield from zip(filed.uid[rows].tolist(), names, strict=True)
