"""
Planar faces with holes, anywhere in space, to triangles: ear clipping over flat arrays.

Every vertex of a face is a corner of its triangles (also those on straight edges), so neighbouring faces meet vertex to
vertex. Faces without holes are clipped ear by ear (G. H. Meisters, "Polygons have ears", 1975) in a kernel: an ear is cut
off when no other vertex lies in or on it. A result is accepted only when its triangles' area is the face's; what fails, and
faces with holes, go to Shapely's constrained Delaunay triangulation, all in one call.
"""

import numpy as np
import shapely
from numba import njit

from citygen.arraytypes import Float64, Int64, Objects
from citygen.model.rings import ranges

_SLIVER = 1e-7
"""Ears whose doubled area is below this share of their longest edge squared wait until no better one is left."""


@njit(cache=True, nogil=True)
def face_vectors(vertices, corners, ring_offsets, face_offsets):
    """Return (f, 3) float64: the area vector of each face (unit normal times area, holes taken off), m2; Newell's sum."""
    out = np.zeros((len(face_offsets) - 1, 3))
    for f in range(len(out)):
        vx, vy, vz = 0.0, 0.0, 0.0
        for r in range(face_offsets[f], face_offsets[f + 1]):
            start, stop = ring_offsets[r], ring_offsets[r + 1]
            o = corners[start]
            ox, oy, oz = vertices[o, 0], vertices[o, 1], vertices[o, 2]
            ax, ay, az = 0.0, 0.0, 0.0
            for i in range(start + 1, stop):
                c = corners[i]
                bx, by, bz = vertices[c, 0] - ox, vertices[c, 1] - oy, vertices[c, 2] - oz
                vx += ay * bz - az * by
                vy += az * bx - ax * bz
                vz += ax * by - ay * bx
                ax, ay, az = bx, by, bz
        out[f, 0], out[f, 1], out[f, 2] = 0.5 * vx, 0.5 * vy, 0.5 * vz
    return out


@njit(cache=True, nogil=True)
def _project(vertices, corners, vector):
    """Drop the coordinate along which a face is seen largest, keeping it counter-clockwise."""
    axis = np.argmax(np.abs(vector))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    if vector[axis] < 0.0:
        i, j = j, i
    out = np.empty((len(corners), 2))
    for k in range(len(corners)):
        out[k, 0], out[k, 1] = vertices[corners[k], i], vertices[corners[k], j]
    return out


@njit(cache=True, nogil=True)
def _cross(p, a, b, c):
    return (p[b, 0] - p[a, 0]) * (p[c, 1] - p[a, 1]) - (p[b, 1] - p[a, 1]) * (p[c, 0] - p[a, 0])


@njit(cache=True, nogil=True)
def _same(p, a, b):
    return p[a, 0] == p[b, 0] and p[a, 1] == p[b, 1]


@njit(cache=True, nogil=True)
def _blocked(p, before, after, b, reflex):
    """Say whether a reflex vertex of what is left lies in or on the ear at ``b``."""
    a, c = before[b], after[b]
    q = after[c]
    while q != a:
        if (
            reflex[q]
            and not (_same(p, q, a) or _same(p, q, b) or _same(p, q, c))
            and _cross(p, a, b, q) >= 0.0
            and _cross(p, b, c, q) >= 0.0
            and _cross(p, c, a, q) >= 0.0
        ):
            return True
        q = after[q]
    return False


@njit(cache=True, nogil=True)
def _ear_size(p, a, b, c):
    """Return the doubled area of an ear over its longest edge squared; 0 where all three corners are one place."""
    ab = (p[b, 0] - p[a, 0]) ** 2 + (p[b, 1] - p[a, 1]) ** 2
    bc = (p[c, 0] - p[b, 0]) ** 2 + (p[c, 1] - p[b, 1]) ** 2
    ca = (p[a, 0] - p[c, 0]) ** 2 + (p[a, 1] - p[c, 1]) ** 2
    longest = max(ab, bc, ca)
    return _cross(p, a, b, c) / longest if longest > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _clip(p, out):
    """Clip one counter-clockwise ring into ``out`` (n - 2, 3) ring positions; return its triangles' doubled area or -1."""
    n = len(p)
    before, after = np.empty(n, np.int64), np.empty(n, np.int64)
    reflex = np.empty(n, np.bool_)
    for k in range(n):
        before[k], after[k] = (k - 1) % n, (k + 1) % n
        reflex[k] = _cross(p, (k - 1) % n, k, (k + 1) % n) <= 0.0
    left, b, idle, count, area = n, 0, 0, 0, 0.0
    limit = _SLIVER
    while left > 3:
        a, c = before[b], after[b]
        size = _ear_size(p, a, b, c)
        if size > limit and not _blocked(p, before, after, b, reflex):
            out[count, 0], out[count, 1], out[count, 2] = a, b, c
            area += _cross(p, a, b, c)
            count += 1
            left -= 1
            after[a], before[c] = c, a
            if reflex[a]:
                reflex[a] = _cross(p, before[a], a, c) <= 0.0
            if reflex[c]:
                reflex[c] = _cross(p, a, c, after[c]) <= 0.0
            b, idle = after[c], 0  # skip one vertex: fans of slivers look and sort badly
        else:
            b = c
            idle += 1
            if idle > left:
                if limit < 0.0:
                    return -1.0
                limit, idle = (0.0 if limit > 0.0 else -1e-12), 0
    a, c = before[b], after[b]
    out[count, 0], out[count, 1], out[count, 2] = a, b, c
    return area + _cross(p, a, b, c)


@njit(cache=True, nogil=True)
def _clip_faces(vertices, corners, ring_offsets, face_offsets, vectors):
    n_faces = len(face_offsets) - 1
    triangle_offsets = np.zeros(n_faces + 1, np.int64)
    for f in range(n_faces):
        n_holes = face_offsets[f + 1] - face_offsets[f] - 1
        size = ring_offsets[face_offsets[f + 1]] - ring_offsets[face_offsets[f]]
        triangle_offsets[f + 1] = triangle_offsets[f] + size - 2 + 2 * n_holes
    triangles = np.empty((triangle_offsets[n_faces], 3), np.int64)
    ok = np.zeros(n_faces, np.bool_)
    for f in range(n_faces):
        if face_offsets[f + 1] - face_offsets[f] != 1:
            continue
        start, stop = ring_offsets[face_offsets[f]], ring_offsets[face_offsets[f + 1]]
        p = _project(vertices, corners[start:stop], vectors[f])
        out = triangles[triangle_offsets[f] : triangle_offsets[f + 1]]
        area = _clip(p, out)
        want = 2.0 * np.abs(vectors[f]).max()
        ok[f] = abs(area - want) <= 1e-9 * want + 1e-12
        for k in range(len(out)):
            for i in range(3):
                out[k, i] = start + out[k, i] if ok[f] else -1
    return triangles, triangle_offsets, ok


def triangulate(
    vertices: Float64, corners: Int64, ring_offsets: Int64, face_offsets: Int64
) -> tuple[Int64, Int64, Float64]:
    """
    Triangulate planar faces.

    Parameters
    ----------
    vertices : (n, 3) float64
        Metres, near the origin.
    corners, ring_offsets, face_offsets
        Ragged faces as in ``model.meshes.Meshes``.

    Returns
    -------
    triangles : (m, 3) int64
        Corner numbers (positions in ``corners``), turning as their face does. A face that could not be triangulated has
        fewer than its vertices ask for.
    triangle_offsets : (f + 1,) int64
        Triangles of each face.
    vectors : (f, 3) float64
        Area vector of each face: unit normal times area, m2.

    Examples
    --------
    >>> v = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> triangulate(v, np.arange(4), np.array([0, 4]), np.array([0, 1]))[0].shape
    (2, 3)
    """
    vectors = face_vectors(vertices, corners, ring_offsets, face_offsets)
    triangles, offsets, ok = _clip_faces(vertices, corners, ring_offsets, face_offsets, vectors)
    rest = np.flatnonzero(~ok)
    if len(rest) == 0:
        return triangles, offsets, vectors
    found, owner = _delaunay(vertices, corners, ring_offsets, face_offsets, (rest, vectors))
    counts = np.diff(offsets)
    counts[rest] = np.bincount(owner, minlength=len(ok))[rest]
    face = np.repeat(np.arange(len(ok)), np.diff(offsets))
    kept = ok[face]
    merged = np.concatenate([triangles[kept], found])
    order = np.argsort(np.concatenate([face[kept], owner]), kind="stable")
    return merged[order], np.concatenate([[0], np.cumsum(counts)]), vectors


def _delaunay(
    vertices: Float64, corners: Int64, ring_offsets: Int64, face_offsets: Int64, todo: tuple[Int64, Float64]
) -> tuple[Int64, Int64]:
    """Triangulate chosen faces with Shapely; returns triangles (corner numbers) and the face of each."""
    rest, vectors = todo
    axis = np.argmax(np.abs(vectors[rest]), axis=1)
    flip = np.take_along_axis(vectors[rest], axis[:, None], axis=1)[:, 0] < 0
    first, second = (axis + 1) % 3, (axis + 2) % 3
    first, second = np.where(flip, second, first), np.where(flip, first, second)
    n_rings = np.diff(face_offsets)[rest]
    ring = ranges(face_offsets[rest], n_rings)
    sizes = np.diff(ring_offsets)[ring]
    at = ranges(ring_offsets[ring], sizes)
    corner = corners[at]
    of_face = np.repeat(np.repeat(np.arange(len(rest)), n_rings), sizes)
    xy = np.stack([vertices[corner, first[of_face]], vertices[corner, second[of_face]]], axis=1)
    closed = np.arange(len(at) + len(ring)) - np.repeat(np.arange(len(ring)), sizes + 1)
    last = np.cumsum(sizes + 1) - 1
    closed[last] = np.cumsum(sizes) - sizes
    ring_ends, polygon_ends = np.concatenate([[0], last + 1]), np.concatenate([[0], np.cumsum(n_rings)])
    polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, xy[closed], (ring_ends, polygon_ends))
    parts, owner = shapely.get_parts(_triangles_of(polygons), return_index=True)
    if len(parts) == 0:
        return np.empty((0, 3), np.int64), np.empty(0, np.int64)
    points = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3]
    turn = (points[:, 1, 0] - points[:, 0, 0]) * (points[:, 2, 1] - points[:, 0, 1])
    turn -= (points[:, 1, 1] - points[:, 0, 1]) * (points[:, 2, 0] - points[:, 0, 0])
    points = np.where((turn < 0)[:, None, None], points[:, ::-1], points)
    sought = points.reshape(-1, 2)
    found = at[_same_places((of_face, xy), (np.repeat(owner, 3), sought))]
    return found.reshape(-1, 3), rest[owner]


def _same_places(known: tuple[Int64, Float64], sought: tuple[Int64, Float64]) -> Int64:
    """Return which known place each sought one is, the last of several; a place is a face and a point of its plane."""
    face = np.concatenate([known[0], sought[0]])
    xy = np.concatenate([known[1], sought[1]])
    order = np.lexsort((xy[:, 1], xy[:, 0], face))  # stable: known places come before sought ones that equal them
    is_known = order < len(known[0])
    before = np.maximum.accumulate(np.where(is_known, np.arange(len(order)), -1))
    out = np.empty(len(order), dtype=np.int64)
    out[order] = order[before]
    return out[len(known[0]) :]


def _triangles_of(polygons: Objects) -> Objects:
    """Return each polygon's triangles as a collection; nothing (None) for one that crosses itself so that GEOS gives up."""
    try:
        whole: Objects = shapely.constrained_delaunay_triangles(polygons)
    except shapely.errors.GEOSException:  # one polygon's, but the call says not whose
        if len(polygons) == 1:
            return np.array([None], dtype=object)
        half = len(polygons) // 2
        whole = np.concatenate([_triangles_of(polygons[:half]), _triangles_of(polygons[half:])])
    return whole
