"""
Nodes of ways and members of relations to WKB: rings as they are drawn, and multipolygons put together from pieces.

Relation:multipolygon: a place is inside when it lies within an odd number of rings, whatever the roles say. Segments that
two ways share cancel out (touching inner rings). Where rings cross, are open or cancel out, the roles decide and the
rings are handed on as drawn, for ``buildings.repair`` to mend; where that is not possible the problem says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int32, Int64, Objects, UInt8
from citygen.sources.openstreetmap.elements import NOWHERE

_SAME_LENGTH = 1e-9
"""Relative: boundary of an assembled area against its segments."""


@dataclass(frozen=True, slots=True)
class Member:
    """A way of a relation: role, places of its nodes (n, 2) int32, and whether all of them are known."""

    role: str
    lonlat: Int32


def polygons_wkb(lonlat: Int32, offsets: Int64) -> tuple[UInt8, Int64]:
    """
    Write rings as WKB polygons, lines likewise with ``lines_wkb``.

    Parameters
    ----------
    lonlat : (k, 2) int32
        Closed rings one after the other, 1e-7 degrees.
    offsets : (n + 1,) int64
        Of the rings.

    Returns
    -------
    data : (b,) uint8
    offsets : (n + 1,) int64

    Examples
    --------
    >>> data, at = polygons_wkb(10**7 * np.array([[0, 0], [9, 0], [9, 9], [0, 0]], np.int32), np.array([0, 4]))
    >>> shapely.from_wkb(bytes(data)).area
    40.5
    """
    return _wkb(lonlat, offsets, np.array([1, 3, 0, 0, 0, 1, 0, 0, 0], dtype=np.uint8))


def lines_wkb(lonlat: Int32, offsets: Int64) -> tuple[UInt8, Int64]:
    """Write lines as WKB; see ``polygons_wkb``."""
    return _wkb(lonlat, offsets, np.array([1, 2, 0, 0, 0], dtype=np.uint8))


def degrees(lonlat: Int32) -> Float64:
    """Return places in degrees, the doubles nearest to the seven decimals."""
    return np.asarray(lonlat, dtype=np.float64) / 1e7


def _wkb(lonlat: Int32, offsets: Int64, start: UInt8) -> tuple[UInt8, Int64]:
    counts = np.diff(offsets)
    head = len(start) + 4
    ends = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(head + 16 * counts, out=ends[1:])
    heads = np.empty((len(counts), head), dtype=np.uint8)
    heads[:, : len(start)] = start
    heads[:, len(start) :] = counts.astype("<u4").view(np.uint8).reshape(-1, 4)
    out = np.empty(ends[-1], dtype=np.uint8)
    is_head = np.zeros(ends[-1], dtype=np.bool_)
    at = (ends[:-1, None] + np.arange(head)).ravel()
    is_head[at] = True
    out[at] = heads.ravel()
    out[~is_head] = degrees(lonlat).astype("<f8").view(np.uint8).ravel()
    return out, ends


def repeats(refs: Int64, offsets: Int64) -> Bool:
    """Say which closed ways pass a node more than once, beside their end, (n,) bool."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    inner = np.ones(len(refs), dtype=np.bool_)
    inner[offsets[1:] - 1] = False
    follows = np.zeros(len(refs), dtype=np.bool_)  # a node twice in a row is no return to it
    follows[1:] = (refs[1:] == refs[:-1]) & (owner[1:] == owner[:-1])
    which = np.flatnonzero(inner & ~follows)
    order = which[np.lexsort((refs[which], owner[which]))]
    again = (refs[order][1:] == refs[order][:-1]) & (owner[order][1:] == owner[order][:-1])
    out = np.zeros(len(offsets) - 1, dtype=np.bool_)
    out[owner[order[1:][again]]] = True
    return out


def assemble_all(areas: Sequence[Sequence[Member]]) -> list[tuple[Any, str]]:
    """
    Put areas together from ways: plain ones all at once, the rest one by one with ``assemble``.

    An area is plain when its ways join into one outer ring and inner ones that GEOS calls a valid polygon: inside by the roles
    and inside an odd number of rings are then the same.

    Parameters
    ----------
    areas : sequence of sequences of Member
        Each with all nodes known.

    Returns
    -------
    list of (shapely geometry or None, str)
        As ``assemble`` gives them.
    """
    plain: dict[int, list[Int32]] = {}
    for k, members in enumerate(areas):
        outer = _joined([m.lonlat for m in members if m.role != "inner"])
        inner = _joined([m.lonlat for m in members if m.role == "inner"])
        if outer is not None and inner is not None and len(outer) == 1 and min(map(len, outer + inner)) > 3:
            plain[k] = outer + inner
    rings = [ring for each in plain.values() for ring in each]
    found: dict[int, Any] = {}
    if rings:
        ring_ends = np.cumsum([0, *map(len, rings)])
        ends = np.cumsum([0, *map(len, plain.values())])
        shapes = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, degrees(np.concatenate(rings)), (ring_ends, ends)
        )
        good = shapely.is_valid(shapes)
        found = {k: shape for k, shape, valid in zip(plain, shapes, good, strict=True) if valid}
    return [(found[k], "") if k in found else assemble(members) for k, members in enumerate(areas)]


def _joined(lines: Sequence[Int32]) -> list[Int32] | None:
    """Join lines at their ends into rings; None where an end is not shared by just two."""
    rings, meeting = [], dict[tuple[int, int], list[int]]()
    for k, line in enumerate(lines):
        first, last = (tuple(line[at].tolist()) if len(line) else (0, 0) for at in (0, -1))
        if len(line) < 2:
            return None
        if first == last:
            rings.append(line)
        else:
            meeting.setdefault(first, []).append(k)
            meeting.setdefault(last, []).append(k)
    if any(len(each) != 2 for each in meeting.values()):
        return None
    used: set[int] = set()
    for k in sorted({k for each in meeting.values() for k in each}):
        if k in used:
            continue
        ring, at = [lines[k]], k
        while True:
            used.add(at)
            end = tuple(ring[-1][-1].tolist())
            after = [other for other in meeting[end] if other not in used]
            if not after:
                break
            at = after[0]
            line = lines[at]
            ring.append(line[1:] if tuple(line[0].tolist()) == end else line[::-1][1:])
        rings.append(np.concatenate(ring))
    return rings


def assemble(members: Sequence[Member]) -> tuple[Any, str]:
    """
    Put an area together from ways.

    Parameters
    ----------
    members : sequence of Member
        Each with all nodes known.

    Returns
    -------
    shapely geometry or None
        Polygon or MultiPolygon, degrees; invalid where the rings are.
    str
        Why there is none, else ''.

    Examples
    --------
    >>> ring = np.array([[0, 0], [10**7, 0], [10**7, 10**7], [0, 0]], np.int32)
    >>> assemble([Member("outer", ring[:3]), Member("outer", ring[2:])])[0].area
    0.5
    """
    segments, odd = _segments([m.lonlat for m in members])
    if not len(segments):
        return None, "its ways have no length"
    for chosen in ([odd] if odd.all() else [odd, np.ones_like(odd)]) if odd.any() else [np.ones_like(odd)]:
        area = _even_odd(segments[chosen])
        if area is not None:
            return area, ""
    return _as_drawn(members)


def untangled(ring: Int32) -> Any:
    """
    Return the area of a ring that passes a node twice; None where it is no area of several rings that touch there.

    Parameters
    ----------
    ring : (n, 2) int32
        Closed.
    """
    segments, odd = _segments([ring])
    return _even_odd(segments[odd]) if odd.any() else None


def _segments(lines: Sequence[Int32]) -> tuple[Int32, Bool]:
    """Return the segments of lines, each once (n, 2, 2), and which occur an odd number of times."""
    pairs = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines]).astype(np.int64)
    code = pairs[:, :, 0] * (1 << 32) + pairs[:, :, 1]
    code.sort(axis=1)
    code = code[code[:, 0] != code[:, 1]]
    code = code[np.lexsort(code.T)]
    first = np.flatnonzero(np.append(True, (code[1:] != code[:-1]).any(axis=1))[: len(code)])
    unique, counts = code[first], np.diff(np.append(first, len(code)))
    lat = ((unique + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
    return np.stack([(unique - lat) >> 32, lat], axis=2).astype(np.int32), counts % 2 == 1


def _even_odd(segments: Int32) -> Any:
    """Return the area within segments, or None where they are open or cross."""
    places = segments.reshape(-1, 2).astype(np.int64)
    _, degree = np.unique_counts(places[:, 0] * (1 << 32) + places[:, 1])
    if (degree % 2).any():
        return None
    ends = degrees(segments.reshape(-1, 2)).reshape(-1, 2, 2)
    lines: Objects = np.asarray(shapely.linestrings(ends))
    faces = np.array([face for face in shapely.get_parts(shapely.polygonize(lines)) if _is_inside(face, ends)])
    area = shapely.union_all(faces) if len(faces) > 1 else next(iter(faces), None)
    if area is None or not shapely.is_valid(area):
        return None
    whole = float(shapely.length(lines).sum())
    return area if abs(float(shapely.length(area)) - whole) <= _SAME_LENGTH * whole else None


def _is_inside(face: Any, ends: Float64) -> bool:
    """Say whether a way out of a face crosses an odd number of segments (n, 2, 2)."""
    x, y = shapely.get_coordinates(shapely.point_on_surface(face))[0]
    (ax, ay), (bx, by) = ends[:, 0].T, ends[:, 1].T
    spans = (ay > y) != (by > y)
    right = ax[spans] + (y - ay[spans]) / (by[spans] - ay[spans]) * (bx[spans] - ax[spans]) > x
    return bool(right.sum() % 2)


def _as_drawn(members: Sequence[Member]) -> tuple[Any, str]:
    """Return the rings of the outer ways with those of the inner ones in them, unchecked, or why there is none."""
    found: dict[bool, list[Any]] = {}
    for inner in (False, True):
        lines = [
            shapely.LineString(degrees(m.lonlat)) for m in members if (m.role == "inner") == inner and len(m.lonlat) > 1
        ]
        if lines:
            merged = shapely.get_parts(shapely.line_merge(shapely.MultiLineString(lines)))
            open_ends = [part for part in merged if not shapely.is_closed(part)]
            if open_ends:
                lon, lat = shapely.get_coordinates(open_ends[0])[0].tolist()
                return None, f"a ring is open or splits at {lon:.7f}, {lat:.7f}"
            found[inner] = [shapely.LinearRing(part.coords) for part in merged if shapely.get_num_coordinates(part) > 3]
    outers, inners = found.get(False, []), found.get(True, [])
    if not outers:
        return None, "it has no outer ring" if not members else "its rings enclose no area"
    holes: list[list[Any]] = [[] for _ in outers]
    whole = shapely.STRtree(shapely.buffer(shapely.polygons(outers), 0))
    for ring in inners:
        holding = whole.query(shapely.points(ring.coords[0]), predicate="intersects")
        holes[int(holding.min()) if len(holding) else 0].append(ring)
    polygons = [shapely.Polygon(outer, mine) for outer, mine in zip(outers, holes, strict=True)]
    return (polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)), ""


def located(lonlat: Int32) -> Bool:
    """Say which nodes have a place, (n,) bool."""
    return np.asarray(lonlat[:, 0] != NOWHERE)
