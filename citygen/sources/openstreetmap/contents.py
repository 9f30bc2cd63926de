"""A scanned file of OpenStreetMap elements to rows of the contract, piece by piece: tags to columns, nodes to WKB."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from citygen.arraytypes import Bool, Float64, Int32, Int64, Objects
from citygen.sources.base import Bounds
from citygen.sources.batch import Rows as BatchRows
from citygen.sources.batch import text_array, wkb_bounds
from citygen.sources.openstreetmap.areas import (
    Member,
    assemble_all,
    degrees,
    lines_wkb,
    located,
    polygons_wkb,
    repeats,
    untangled,
)
from citygen.sources.openstreetmap.elements import AREA_KEYS, Block, Reader, Scan, is_given
from citygen.sources.openstreetmap.rows import Area, Rows, rows_of

T = TypeVar("T")
_AREAS = 1024
"""Relations of a piece."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Contents:
    """
    A scanned file.

    Attributes
    ----------
    reader : Reader
        Gives the places of nodes.
    scan : Scan
    rows : Rows
    columns : tuple of str
        Keys of all rows, sorted.
    """

    reader: Reader
    scan: Scan
    rows: Rows
    columns: tuple[str, ...]

    @property
    def count(self) -> int:
        """Return the number of rows."""
        return sum(map(len, self.rows.ways)) + len(self.rows.areas) + len(self.scan.apexes)

    def pieces(self, columns: Sequence[str], bbox: Bounds | None) -> Iterator[Callable[[], BatchRows]]:
        """
        Yield the rows that meet a box or have no place, in the order of the file: ways, relations, nodes.

        Parameters
        ----------
        columns : sequence of str
            Keys to hand on.
        bbox : Bounds or None
            Degrees.

        Yields
        ------
        callable
            Gives ``citygen.sources.batch.Rows``, at most as many as a block of the file has elements; may run in any thread.
        """
        places = self._places()
        changes, problems = _by_block(self.rows.changes), _by_block(self.rows.problems)
        first = 0
        for k, (block, rows) in enumerate(zip(self.scan.ways, self.rows.ways, strict=True)):
            if len(rows):
                more, told = _of_block(changes.get(k, {}), rows), _of_block(problems.get(k, {}), rows)
                yield partial(_ways, _Piece(block, rows, first, more, told), places, columns, bbox)
            first += len(rows)
        for start in range(0, len(self.rows.areas), _AREAS):
            areas = self.rows.areas[start : start + _AREAS]
            yield partial(_areas, self.scan, areas, first + start, places, columns, bbox)
        first += len(self.rows.areas)
        if len(self.scan.apexes):
            yield partial(_apexes, self.scan, first, columns, bbox)

    def _places(self) -> "_Places":
        """Read the places of all nodes that rows need."""
        wanted = [rows.tolist() for rows in self.rows.ways]
        for area in self.rows.areas:
            for _, block, row in area.ways:
                wanted[block].append(row)
        refs = [
            block.take(np.array(rows, dtype=np.int64)).refs for block, rows in zip(self.scan.ways, wanted, strict=True)
        ]
        ids = np.sort(np.concatenate(refs)) if refs else np.zeros(0, dtype=np.int64)
        ids = ids[np.append(ids[1:] != ids[:-1], np.ones(min(1, len(ids)), dtype=np.bool_))]
        return _Places(ids, self.reader.locations(ids))


@dataclass(frozen=True, slots=True)
class _Places:
    """Nodes, ids sorted, and where they lie."""

    ids: Int64
    lonlat: Int32

    def of(self, refs: Int64) -> Int32:
        """Return the places of nodes, all of them among the ids."""
        return self.lonlat[np.searchsorted(self.ids, refs)]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of a block: the number of the first, tags that relations add, and problems, by place among them."""

    block: Block
    rows: Int64
    first: int
    changes: Mapping[int, Mapping[str, str]]
    problems: Mapping[int, str]


def _by_block(found: Mapping[tuple[int, int], T]) -> dict[int, dict[int, T]]:
    """Return what is known of rows, block by block."""
    out: dict[int, dict[int, T]] = {}
    for (block, row), value in found.items():
        out.setdefault(block, {})[row] = value
    return out


def _of_block(here: Mapping[int, T], rows: Int64) -> dict[int, T]:
    """Return what is known of a block's rows, by their place among them (ascending)."""
    at = np.minimum(np.searchsorted(rows, np.array(list(here), dtype=np.int64)), max(len(rows) - 1, 0))
    return {k: value for k, (row, value) in zip(at.tolist(), here.items(), strict=True) if rows[k] == row}


def read_contents(path: Path, *, pbf: bool) -> Contents:
    """
    Scan a file.

    Parameters
    ----------
    path : pathlib.Path
    pbf : bool
        PBF, else XML.

    Raises
    ------
    InputError
        When it is broken.
    """
    reader: Reader
    if pbf:
        from citygen.sources.openstreetmap.pbf import PbfReader

        reader = PbfReader(path)
    else:
        from citygen.sources.openstreetmap.xml import XmlReader

        reader = XmlReader(path)
    scan = reader.scan()
    rows = rows_of(scan)
    return Contents(reader, scan, rows, rows.columns(scan))


def _ways(piece: _Piece, places: _Places, columns: Sequence[str], bbox: Bounds | None) -> BatchRows:
    """Return the rows of ways."""
    block = piece.block.take(piece.rows)
    n, lonlat = len(block), places.of(block.refs)
    owner = np.repeat(np.arange(n), np.diff(block.ref_offsets))
    missing = np.bincount(owner[~located(lonlat)], minlength=n)
    counts = np.diff(block.ref_offsets)
    ends = lonlat[np.minimum(block.ref_offsets[:-1], len(lonlat) - 1)] if len(lonlat) else np.zeros((n, 2), np.int32)
    lasts = lonlat[block.ref_offsets[1:] - 1] if len(lonlat) else ends
    closed = (counts > 1) & (ends == lasts).all(axis=1)
    is_area = block.has(AREA_KEYS)
    for i, more in piece.changes.items():
        is_area[i] |= any(is_given(more, key) for key in AREA_KEYS)
    told = np.full(n, None, dtype=object)
    for i in np.flatnonzero((missing > 0) | (counts < 2) | (is_area & (~closed | (counts < 4)))).tolist():
        told[i] = _complaint(int(counts[i]), int(missing[i]), closed=bool(closed[i]))
    for i, text in piece.problems.items():
        told[i] = text
    good = np.array([text is None for text in told.tolist()], dtype=np.bool_)
    geometry = _way_geometry(block, lonlat, np.flatnonzero(good & is_area), np.flatnonzero(good & ~is_area))
    keep = np.flatnonzero(_meets(_boxes(lonlat, block.ref_offsets, good), bbox))
    kept = block.take(keep)
    attributes = kept.columns(columns)
    back = {int(i): k for k, i in enumerate(keep.tolist())} if piece.changes else {}
    changes = {back[i]: more for i, more in piece.changes.items() if i in back}
    for name in columns:
        if any(name in more for more in changes.values()):
            values = attributes[name].to_pylist()
            for k, more in changes.items():
                values[k] = more.get(name, values[k])
            attributes[name] = text_array(values)
    problem = text_array(told[keep].tolist())
    return BatchRows(piece.first + keep, geometry.take(pa.array(keep)), attributes, problem, _ids("way/", kept.ids))


def _complaint(count: int, missing: int, *, closed: bool) -> str:
    """Say why a way gives no geometry."""
    if missing:
        return f"{missing} of the {count} nodes of this way are not in the file or have no place"
    if count < 2:
        return f"this way has {count} nodes"
    return "this way has fewer than three corners" if closed else "this way is not closed"


def _way_geometry(block: Block, lonlat: Int32, rings: Int64, lines: Int64) -> pa.Array:
    """Return the WKB of ways that are rings and of ways that are lines, null for the rest."""
    at = np.full(len(block), len(rings) + len(lines), dtype=np.int64)
    at[rings], at[lines] = np.arange(len(rings)), len(rings) + np.arange(len(lines))
    parts = []
    for rows, write in ((rings, polygons_wkb), (lines, lines_wkb)):
        counts = np.diff(block.ref_offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        nodes = np.arange(offsets[-1]) + np.repeat(block.ref_offsets[rows] - offsets[:-1], counts)
        found = _binary(*write(lonlat[nodes], offsets))
        if write is polygons_wkb and len(rows):
            tangled = np.flatnonzero(repeats(block.refs[nodes], offsets)).tolist()
            areas = {k: untangled(lonlat[nodes[offsets[k] : offsets[k + 1]]]) for k in tangled}
            if any(area is not None for area in areas.values()):
                values = found.to_pylist()
                for k, area in areas.items():
                    values[k] = values[k] if area is None else shapely.to_wkb(area)
                found = pa.array(values, pa.binary())
        parts.append(found)
    return pa.concat_arrays([*parts, pa.nulls(1, pa.binary())]).take(pa.array(at))


def _areas(
    scan: Scan, areas: Sequence[Area], first: int, places: _Places, columns: Sequence[str], bbox: Bounds | None
) -> BatchRows:
    """Return the rows of relations."""
    found = [area.problem or _members(scan, area, places) for area in areas]
    whole = assemble_all([each for each in found if not isinstance(each, str)])
    shapes = iter(whole)
    pairs = [(None, each) if isinstance(each, str) else next(shapes) for each in found]
    geometry = pa.array(shapely.to_wkb(np.array([shape for shape, _ in pairs], dtype=object)), pa.binary())
    problems = [problem or None for _, problem in pairs]
    keep = np.flatnonzero(_meets(wkb_bounds(geometry), bbox))
    kept = [areas[k] for k in keep.tolist()]
    attributes = {name: text_array([area.tags.get(name) for area in kept]) for name in columns}
    ids = _ids("relation/", np.array([area.id for area in kept], dtype=np.int64))
    problem = text_array([problems[k] for k in keep.tolist()])
    return BatchRows(first + keep, geometry.take(pa.array(keep)), attributes, problem, ids)


def _members(scan: Scan, area: Area, places: _Places) -> list[Member] | str:
    """Return the ways of a relation, or what is missing."""
    members = []
    for role, block, row in area.ways:
        lonlat = places.of(scan.ways[block].nodes(row))
        missing = int((~located(lonlat)).sum())
        if missing:
            number = int(scan.ways[block].ids[row])
            return f"{missing} of the {len(lonlat)} nodes of its way/{number} are not in the file or have no place"
        members.append(Member(role, lonlat))
    return members


def _apexes(scan: Scan, first: int, columns: Sequence[str], bbox: Bounds | None) -> BatchRows:
    """Return the rows of nodes."""
    known = located(scan.apex_lonlat)
    lonlat = degrees(scan.apex_lonlat)
    points: Objects = np.full(len(lonlat), None, dtype=object)
    points[known] = shapely.points(lonlat[known])
    boxes = np.where(known[:, None], np.tile(lonlat, 2), np.nan)
    keep = np.flatnonzero(_meets(boxes, bbox))
    kept = scan.apexes.take(keep)
    problem = text_array([None if good else "this node has no place" for good in known[keep].tolist()])
    geometry = pa.array(shapely.to_wkb(points[keep]), pa.binary())
    return BatchRows(first + keep, geometry, kept.columns(columns), problem, _ids("node/", kept.ids))


def _ids(kind: str, numbers: Int64) -> pa.Array:
    return pc.binary_join_element_wise(pa.scalar(kind), pc.cast(pa.array(numbers), pa.string()), "")


def _binary(data: np.ndarray, offsets: Int64) -> pa.Array:
    """Make an array of bytes of its pieces."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _boxes(lonlat: Int32, offsets: Int64, good: Bool) -> Float64:
    """Return west, south, east, north of ways, (n, 4) degrees; NaN for those without a geometry."""
    out = np.full((len(good), 4), np.nan)
    some = good & (np.diff(offsets) > 0)
    if some.any():
        starts = offsets[:-1][np.diff(offsets) > 0]  # empty ways between them have no nodes: reduceat needs none
        low, high = np.minimum.reduceat(lonlat, starts), np.maximum.reduceat(lonlat, starts)
        boxes = degrees(np.concatenate([low, high], axis=1))
        out[np.diff(offsets) > 0] = boxes
        out[~good] = np.nan
    return out


def _meets(boxes: Float64, bbox: Bounds | None) -> Bool:
    """Say which boxes touch another one or are unknown."""
    if bbox is None:
        return np.ones(len(boxes), dtype=np.bool_)
    west, south, east, north = bbox
    outside = (boxes[:, 0] > east) | (boxes[:, 2] < west) | (boxes[:, 1] > north) | (boxes[:, 3] < south)
    return np.asarray(~outside, dtype=np.bool_)
