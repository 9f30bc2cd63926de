"""
Closed solids and pieces of their walls to the same solids without those pieces: open there, unchanged seen from outside.

The pieces are cut in the plane of each wall, on a grid of ``_SAME_M``: what is thinner has no area, and does not stay behind
as a strip that runs along an edge and back. Where a cut ends on an edge that the wall shares with a face that stays, the
point is put into that face too, so that no crack opens along the edge.
"""

from dataclasses import dataclass, replace

import numpy as np
import shapely

from citygen.arraytypes import Float64, Int64, Objects
from citygen.model.meshes import Meshes
from citygen.model.rings import offsets, ranges
from citygen.solids.party import MIN_SHARED_M2

_SAME_M = 1e-4
"""m. Points of one solid this near are one; what lies this near an edge lies on it. Coarser than float32 in a tile."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """
    What to leave out of wall faces; each face once, ascending.

    Attributes
    ----------
    face, solid : (k,) int64
        Faces, and whose they are.
    piece : (k,) object of shapely geometry
        In (s, z) of the face: s runs along it from ``start``.
    start, along : (k, 2) float64
        Plan point and unit vector, frame of the solid.
    """

    face: Int64
    solid: Int64
    piece: Objects
    start: Float64
    along: Float64


@dataclass(frozen=True, slots=True)
class _Rings:
    """Rings of faces: corners, offsets of rings, the face of each ring, its place among the rings of that face's pieces."""

    corners: Int64
    ring_offsets: Int64
    face: Int64
    piece: Int64


def open_walls(meshes: Meshes, hidden: Hidden) -> Meshes:
    """
    Cut pieces out of walls.

    Parameters
    ----------
    meshes : Meshes
        Closed solids.
    hidden : Hidden
        What to leave out.

    Returns
    -------
    Meshes
        The same solids in the same order; a face may have become several, or none. Vertices that were there keep their
        places in each solid. A wall of which thin strips would stay, that run along an edge and back, stays whole.
    """
    while len(hidden.face):
        out, cut = _cut(meshes, hidden)
        folded = _folded(cut)
        if not len(folded):
            return out
        keep = ~np.isin(hidden.face, folded)
        hidden = Hidden(
            hidden.face[keep], hidden.solid[keep], hidden.piece[keep], hidden.start[keep], hidden.along[keep]
        )
    return meshes


def _cut(meshes: Meshes, hidden: Hidden) -> tuple[Meshes, _Rings]:
    """Cut pieces out of walls; return the solids, and the rings of their faces with the face that each was part of."""
    rest = shapely.difference(_walls(meshes, hidden), hidden.piece, grid_size=_SAME_M)
    pieces, of_cut = shapely.get_parts(rest, return_index=True)
    real = (shapely.get_type_id(pieces) == shapely.GeometryType.POLYGON) & (shapely.area(pieces) > MIN_SHARED_M2)
    pieces, of_cut = shapely.orient_polygons(pieces[real], exterior_cw=False), of_cut[real]
    cut, points = _cut_rings(meshes, hidden, pieces, of_cut)
    meshes, cut = _with_points(meshes, hidden, cut, points)
    return _rebuilt(meshes, hidden, cut), cut


def _folded(rings: _Rings) -> Int64:
    """Return the cut faces that run along an edge twice, or that have one without length."""
    after = np.arange(1, len(rings.corners) + 1, dtype=np.int64)
    after[rings.ring_offsets[1:] - 1] = rings.ring_offsets[:-1]
    own = np.repeat(rings.piece >= 0, np.diff(rings.ring_offsets))
    face = np.repeat(rings.face, np.diff(rings.ring_offsets))[own]
    ends = np.sort(np.stack([rings.corners, rings.corners[after]], axis=1)[own], axis=1)
    edges, times = np.unique(np.concatenate([face[:, None], ends], axis=1), axis=0, return_counts=True)
    out: Int64 = np.unique(edges[(times > 1) | (edges[:, 1] == edges[:, 2]), 0])
    return out


def _walls(meshes: Meshes, hidden: Hidden) -> Objects:
    """Return the cut faces as polygons in their own (s, z)."""
    n_rings = np.diff(meshes.face_offsets)[hidden.face]
    ring = ranges(meshes.face_offsets[hidden.face], n_rings)
    size = np.diff(meshes.ring_offsets)[ring]
    closed = offsets(size + 1)
    corner = np.empty(int(closed[-1]), dtype=np.int64)
    last = np.zeros(len(corner), dtype=bool)
    last[closed[1:] - 1] = True
    corner[~last] = meshes.corners[ranges(meshes.ring_offsets[ring], size)]
    corner[last] = meshes.corners[meshes.ring_offsets[ring]]
    owner = np.repeat(np.repeat(np.arange(len(hidden.face)), n_rings), size + 1)
    out: Objects = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, _flat(meshes.vertices[corner], hidden, owner), (closed, offsets(n_rings))
    )
    bad = np.flatnonzero(~shapely.is_valid(out))
    out[bad] = shapely.make_valid(out[bad], method="structure", keep_collapsed=False)
    return out


def _flat(points: Float64, hidden: Hidden, owner: Int64) -> Float64:
    """Return (s, z) of points on cut faces."""
    s = np.einsum("ij,ij->i", points[:, :2] - hidden.start[owner], hidden.along[owner])
    return np.stack([s, points[:, 2]], axis=1)


def _cut_rings(meshes: Meshes, hidden: Hidden, pieces: Objects, of_cut: Int64) -> tuple[_Rings, tuple[Float64, Int64]]:
    """Return the rings of what is left, corners below 0 for new points (-1 the first), and those: place and solid."""
    rings, of_piece = shapely.get_rings(pieces, return_index=True)
    coords, of_ring = shapely.get_coordinates(rings, return_index=True)
    closing = np.r_[of_ring[1:] != of_ring[:-1], True][: len(of_ring)]
    coords, of_ring = coords[~closing], of_ring[~closing]
    cut_of = of_cut[of_piece[of_ring]]
    # a corner that was there: the nearest of the face's own, within _SAME_M
    ring_first, n_rings = meshes.face_offsets[hidden.face], np.diff(meshes.face_offsets)[hidden.face]
    first = meshes.ring_offsets[ring_first]
    count = meshes.ring_offsets[ring_first + n_rings] - first
    pair = np.repeat(np.arange(len(coords)), count[cut_of])
    old = meshes.corners[ranges(first[cut_of], count[cut_of])]
    there = _flat(meshes.vertices[old], hidden, cut_of[pair])
    coords = _aligned(coords, there, pair)
    gap = np.abs(there - coords[pair]).max(axis=1)
    order = np.lexsort((old, gap, pair))
    seen, best = np.unique(pair[order], return_index=True)
    corner = np.full(len(coords), np.iinfo(np.int64).min, dtype=np.int64)
    near = gap[order][best] <= _SAME_M
    corner[seen[near]] = old[order][best][near]
    new = np.flatnonzero(corner == np.iinfo(np.int64).min)
    owner = cut_of[new]
    place = np.concatenate([hidden.start[owner] + coords[new, :1] * hidden.along[owner], coords[new, 1:]], axis=1)
    solid = hidden.solid[owner]
    # one point where two cuts meet
    key = np.concatenate([solid[:, None], np.rint(place / _SAME_M).astype(np.int64)], axis=1)
    _, one, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    corner[new] = -1 - inverse.reshape(-1)
    sizes = np.bincount(of_ring, minlength=len(rings))
    return _Rings(corner, offsets(sizes), hidden.face[of_cut[of_piece]], of_piece), (place[one], solid[one])


def _aligned(coords: Float64, there: Float64, pair: Int64) -> Float64:
    """Put points off the grid, back to the side, floor or top of their wall that they lie on; ``there``: its corners."""
    out = coords.copy()
    for axis in (0, 1):
        gap = np.abs(there[:, axis] - coords[pair, axis])
        order = np.lexsort((gap, pair))
        point, best = np.unique(pair[order], return_index=True)
        near = gap[order][best] <= _SAME_M
        out[point[near], axis] = there[order][best][near, axis]
    return out


def _with_points(meshes: Meshes, hidden: Hidden, cut: _Rings, points: tuple[Float64, Int64]) -> tuple[Meshes, _Rings]:
    """Give solids their new vertices, after those that they have; put them into every edge that they lie on."""
    place, solid = points
    order = np.argsort(solid, kind="stable")
    each = np.bincount(solid, minlength=len(meshes))
    starts = meshes.solid_vertices + offsets(each)
    vertices = np.empty((int(starts[-1]), 3))
    shift = np.repeat(offsets(each)[:-1], np.diff(meshes.solid_vertices))
    vertices[np.arange(len(meshes.vertices)) + shift] = meshes.vertices
    number = np.empty(len(place), dtype=np.int64)
    rank = np.arange(len(place)) - offsets(each)[solid[order]]
    number[order] = starts[:-1][solid[order]] + np.diff(meshes.solid_vertices)[solid[order]] + rank
    vertices[number] = place
    old = np.maximum(cut.corners, 0)
    known = old + shift[old] if len(shift) else old
    corners = np.where(cut.corners >= 0, known, number[np.maximum(-1 - cut.corners, 0)]) if len(number) else known
    meshes = replace(meshes, vertices=vertices, corners=meshes.corners + shift[meshes.corners], solid_vertices=starts)
    cut = replace(cut, corners=corners)
    if not len(place):
        return meshes, cut
    kept = _uncut(meshes, hidden)
    both = _joined(kept, cut)
    face_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    return meshes, _split(meshes, both, face_solid, (number, solid))


def _uncut(meshes: Meshes, hidden: Hidden) -> _Rings:
    """Return the rings of the faces that stay as they are."""
    ring_face = np.repeat(np.arange(len(meshes.face_class)), np.diff(meshes.face_offsets))
    stays = np.ones(len(meshes.face_class), dtype=bool)
    stays[hidden.face] = False
    ring = np.flatnonzero(stays[ring_face])
    size = np.diff(meshes.ring_offsets)[ring]
    face = ring_face[ring]
    return _Rings(
        meshes.corners[ranges(meshes.ring_offsets[ring], size)], offsets(size), face, np.zeros(len(ring), np.int64) - 1
    )


def _joined(one: _Rings, other: _Rings) -> _Rings:
    """Return the rings of both."""
    return _Rings(
        np.concatenate([one.corners, other.corners]),
        np.concatenate([one.ring_offsets, other.ring_offsets[1:] + one.ring_offsets[-1]]),
        np.concatenate([one.face, other.face]),
        np.concatenate([one.piece, other.piece]),
    )


def _split(meshes: Meshes, rings: _Rings, face_solid: Int64, points: tuple[Int64, Int64]) -> _Rings:
    """Put new vertices into the edges of their solid that they lie on."""
    number, solid = points
    after = np.arange(1, len(rings.corners) + 1, dtype=np.int64)
    after[rings.ring_offsets[1:] - 1] = rings.ring_offsets[:-1]
    edge_solid = np.repeat(face_solid[rings.face], np.diff(rings.ring_offsets))
    count = np.bincount(solid, minlength=len(meshes))
    by_solid = np.argsort(solid, kind="stable")
    edge = np.repeat(np.arange(len(rings.corners)), count[edge_solid])
    point = number[by_solid][ranges(offsets(count)[:-1][edge_solid], count[edge_solid])]
    a, b = meshes.vertices[rings.corners[edge]], meshes.vertices[rings.corners[after[edge]]]
    p = meshes.vertices[point] - a
    way = b - a
    length = np.linalg.norm(way, axis=1)
    t = np.einsum("ij,ij->i", p, way) / np.maximum(length, 1e-30)
    off = np.linalg.norm(p - (t / np.maximum(length, 1e-30))[:, None] * way, axis=1)
    on = (t > _SAME_M) & (t < length - _SAME_M) & (off < _SAME_M)
    edge, point, t = edge[on], point[on], t[on]
    order = np.lexsort((t, edge))
    edge, point = edge[order], point[order]
    corners = np.insert(rings.corners, edge + 1, point)
    more = np.bincount(np.searchsorted(rings.ring_offsets, edge, side="right") - 1, minlength=len(rings.face))
    return replace(rings, corners=corners, ring_offsets=offsets(np.diff(rings.ring_offsets) + more))


def _rebuilt(meshes: Meshes, hidden: Hidden, rings: _Rings) -> Meshes:
    """Put the faces together again, pieces of a cut face in its place."""
    if not np.any(rings.piece < 0) and len(hidden.face) < len(meshes.face_class):
        rings = _joined(_uncut(meshes, hidden), rings)
    order = np.lexsort((np.arange(len(rings.face)), rings.piece, rings.face))
    face, piece = rings.face[order], rings.piece[order]
    sizes = np.diff(rings.ring_offsets)[order]
    starts = np.flatnonzero(np.r_[len(face) > 0, (face[1:] != face[:-1]) | (piece[1:] != piece[:-1])])
    old = face[starts]
    face_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    return replace(
        meshes,
        corners=rings.corners[ranges(rings.ring_offsets[:-1][order], sizes)],
        ring_offsets=offsets(sizes),
        face_offsets=np.r_[starts, len(face)].astype(np.int64),
        face_class=meshes.face_class[old],
        solid_faces=offsets(np.bincount(face_solid[old], minlength=len(meshes))),
    )
