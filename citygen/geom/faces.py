"""
Straight skeletons to faces: arcs merged and walked into loops, and a check on the spot that they are what they must be.

Faces of one polygon must tile it to ``TILING_AREA_REL`` of its area, each a simple loop, counter-clockwise in the plane of
its edge (along the edge, up in time), one at least for every edge.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.extend import grown, grown_rows
from citygen.geom.rings import ring_area
from citygen.geom.skeleton import skeleton
from citygen.geom.strips import walk
from citygen.geom.tolerances import MEET_M, TILING_AREA_REL
from citygen.geom.wavefront import edge_lines

MANY_EDGES = 400
"""Edges from which an outline gets only the first two of ``MEET_M``: the wavefront's work grows with their square."""


@njit(cache=True, nogil=True, error_model="numpy")
def _same_place(nodes, a, b, eps):
    """Say whether two nodes are one, in place and time: between two upright faces an arc only rises."""
    return (
        abs(nodes[a, 0] - nodes[b, 0]) <= eps
        and abs(nodes[a, 1] - nodes[b, 1]) <= eps
        and abs(nodes[a, 2] - nodes[b, 2]) <= eps
    )


@njit(cache=True, nogil=True, error_model="numpy")
def merged(nodes, arcs, n, eps):
    """
    Make nodes that an arc of no length joins one (events told apart by rounding alone).

    Returns nodes, arcs, and whether the first ``n`` nodes, the outline's, are still the first.
    """
    some = False
    for q in range(len(arcs)):
        if _same_place(nodes, arcs[q, 0], arcs[q, 1], eps):
            some = True
            break
    if not some:
        return nodes, arcs, True
    same = np.arange(len(nodes))
    for q in range(len(arcs)):
        a, b = arcs[q, 0], arcs[q, 1]
        if _same_place(nodes, a, b, eps):
            while same[a] != a:
                a = same[a]
            while same[b] != b:
                b = same[b]
            same[max(a, b)] = min(a, b)
    for k in range(len(same)):  # roots have the smaller number, so theirs is final
        same[k] = same[same[k]]
    whole_outline = True
    for k in range(n):
        whole_outline = whole_outline and same[k] == k
    number, kept = np.empty(len(same), np.int64), 0
    out_nodes = np.empty_like(nodes)
    for k in range(len(same)):
        if same[k] == k:
            number[k] = kept
            out_nodes[kept] = nodes[k]
            kept += 1
    out = np.empty_like(arcs)
    count = 0
    for q in range(len(arcs)):
        a, b = number[same[arcs[q, 0]]], number[same[arcs[q, 1]]]
        if a != b:
            out[count, 0], out[count, 1], out[count, 2], out[count, 3] = a, b, arcs[q, 2], arcs[q, 3]
            count += 1
    return out_nodes[:kept], out[:count], whole_outline


@njit(cache=True, nogil=True, error_model="numpy")
def half_edges_of(after, arcs):
    """Return tail, head and face of the half-edges: the outline's own, and both sides of each arc."""
    n, k = len(after), len(arcs)
    tail, head, face = np.empty(n + 2 * k, np.int64), np.empty(n + 2 * k, np.int64), np.empty(n + 2 * k, np.int64)
    for i in range(n):
        tail[i], head[i], face[i] = i, after[i], i
    for q in range(k):
        a, b, left, right = arcs[q]
        tail[n + 2 * q], head[n + 2 * q], face[n + 2 * q] = a, b, left
        tail[n + 2 * q + 1], head[n + 2 * q + 1], face[n + 2 * q + 1] = b, a, right
    return tail, head, face


@njit(cache=True, nogil=True, error_model="numpy")
def _crosses(p, a, b, c, d):
    """Say whether segments ab and cd of points ``p`` cross within both."""
    s1 = (p[b, 0] - p[a, 0]) * (p[c, 1] - p[a, 1]) - (p[b, 1] - p[a, 1]) * (p[c, 0] - p[a, 0])
    s2 = (p[b, 0] - p[a, 0]) * (p[d, 1] - p[a, 1]) - (p[b, 1] - p[a, 1]) * (p[d, 0] - p[a, 0])
    if s1 * s2 >= 0.0 or min(abs(s1), abs(s2)) <= 1e-12:
        return False
    s3 = (p[d, 0] - p[c, 0]) * (p[a, 1] - p[c, 1]) - (p[d, 1] - p[c, 1]) * (p[a, 0] - p[c, 0])
    s4 = (p[d, 0] - p[c, 0]) * (p[b, 1] - p[c, 1]) - (p[d, 1] - p[c, 1]) * (p[b, 0] - p[c, 0])
    return s3 * s4 < 0.0 and min(abs(s3), abs(s4)) > 1e-12


@njit(cache=True, nogil=True, error_model="numpy")
def simple_loop(p):
    """Say whether a loop of points (m, 2) passes no place twice and no two of its edges cross."""
    m = len(p)
    for i in range(m):  # no place twice
        for j in range(i + 1, m):
            if p[i, 0] == p[j, 0] and p[i, 1] == p[j, 1]:
                return False
    for i in range(m - 2):
        for j in range(i + 2, m - (1 if i == 0 else 0)):
            if _crosses(p, i, i + 1, j, (j + 1) % m):
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def whole(nodes, half, loops, direction, cap_face, area):
    """
    Say whether loops are faces that tile a polygon.

    ``half`` are tail and face of the half-edges, ``loops`` their order and offsets, ``cap_face`` the number from which on
    faces belong to the cap (and may be holes in it), ``area`` the polygon's.
    """
    (tail, face), (order, offsets) = half, loops
    n, total = len(direction), 0.0
    seen = np.zeros(n, np.bool_)
    local = np.empty((8, 2))
    for q in range(len(offsets) - 1):
        start, m = offsets[q], offsets[q + 1] - offsets[q]
        e = face[order[start]]
        x0, y0 = nodes[tail[order[start]], 0], nodes[tail[order[start]], 1]
        if m > len(local):
            local = np.empty((2 * m, 2))
        plan = 0.0
        for k in range(m):
            i, j = tail[order[start + k]], tail[order[start + (k + 1) % m]]
            plan += 0.5 * ((nodes[i, 0] - x0) * (nodes[j, 1] - y0) - (nodes[i, 1] - y0) * (nodes[j, 0] - x0))
        total += plan
        if e >= cap_face:
            continue
        dx, dy = direction[e % n, 0], direction[e % n, 1]
        up = 0.0
        for k in range(m):
            i = tail[order[start + k]]
            local[k, 0] = dx * (nodes[i, 0] - x0) + dy * (nodes[i, 1] - y0)
            local[k, 1] = nodes[i, 2]
            if k > 0:
                up += local[k - 1, 0] * local[k, 1] - local[k, 0] * local[k - 1, 1]
        up += local[m - 1, 0] * local[0, 1] - local[0, 0] * local[m - 1, 1]
        if up <= 0.0 or plan < -1e-7:  # an upright face has none, but for rounding
            return False
        if m > 3:
            if plan > 0.01 * up:  # sloped: in plan, where rounding shows
                for k in range(m):
                    local[k, 0], local[k, 1] = nodes[tail[order[start + k]], 0], nodes[tail[order[start + k]], 1]
            if not simple_loop(local[:m]):
                return False
        seen[e % n] = True
    if cap_face >= n and not seen.all():
        return False
    return abs(total - area) <= TILING_AREA_REL * area + 1e-12


@njit(cache=True, nogil=True, error_model="numpy")
def _faces_at(xy, ring_offsets, edges, phases, eps):
    """Return what ``faces_of`` does, for one distance within which vertices meet."""
    (after, direction, area), (speeds, times, capped) = edges, phases
    none, zero = np.empty(0, np.int64), np.zeros(1, np.int64)
    nodes, arcs, ok = skeleton(xy, ring_offsets, speeds, times, capped, eps)
    top = 0.0
    for k in range(len(nodes)):
        top = max(top, nodes[k, 2])
    if not ok or top <= 0.0:
        return nodes, none, none, zero, none, top, False
    n = len(xy)
    nodes, arcs, ok = merged(nodes, arcs, n, min(eps, 1e-6))
    if not ok:
        return nodes, none, none, zero, none, top, False
    cap_face = n * (len(speeds) - 1) if capped else n * len(speeds)
    if capped:
        for q in range(len(arcs)):
            for side in (2, 3):
                arcs[q, side] = min(arcs[q, side], cap_face)
    tail, head, face = half_edges_of(after, arcs)
    order, offsets, ok = walk(nodes, tail, head, face, len(tail))
    ok = ok and whole(nodes, (tail, face), (order, offsets), direction, cap_face, area)
    return nodes, tail, face, offsets, order, top, ok


@njit(cache=True, nogil=True, error_model="numpy")
def faces_of(xy, ring_offsets, speeds, times, capped):
    """
    Return the faces of one polygon's straight skeleton.

    Parameters as in ``skeleton.skeleton``. Returns nodes (m, 3) (x, y, time), tail and face of the half-edges, loop offsets,
    the half-edges of the loops, the latest time, and whether the faces are what they must be. Several distances within which
    vertices meet are tried, in a fixed order.
    """
    after, direction, _ = edge_lines(xy, ring_offsets)
    area = 0.0
    for r in range(len(ring_offsets) - 1):
        area += ring_area(xy, ring_offsets[r], ring_offsets[r + 1])
    edges, phases = (after, direction, area), (speeds, times, capped)
    got = _faces_at(xy, ring_offsets, edges, phases, MEET_M[0])
    for k in range(1, len(MEET_M)):
        if got[-1] or (k > 1 and len(xy) > MANY_EDGES):
            break
        got = _faces_at(xy, ring_offsets, edges, phases, MEET_M[k])
    return got


@njit(cache=True, nogil=True, error_model="numpy")
def _skeletons(coords, ring_offsets, polygon_offsets, speed):
    n_poly = len(polygon_offsets) - 1
    nodes, corners = np.empty((4 * len(coords) + 16, 3)), np.empty(8 * len(coords) + 16, np.int64)
    faces, face_edge = np.zeros(2 * len(coords) + 16, np.int64), np.empty(2 * len(coords) + 16, np.int64)
    polygon_faces, ok = np.zeros(n_poly + 1, np.int64), np.zeros(n_poly, np.bool_)
    n_nodes, n_corners, n_faces = 0, 0, 0
    for p in range(n_poly):
        r0, r1 = polygon_offsets[p], polygon_offsets[p + 1]
        v0, v1 = ring_offsets[r0], ring_offsets[r1]
        speeds = np.ascontiguousarray(speed[v0:v1]).reshape(1, v1 - v0)
        got = faces_of(coords[v0:v1], ring_offsets[r0 : r1 + 1] - v0, speeds, np.empty(0), False)
        found, tail, face, offsets, order, _, ok[p] = got
        if ok[p]:
            nodes, corners = grown_rows(nodes, n_nodes + len(found)), grown(corners, n_corners + len(order))
            faces, face_edge = grown(faces, n_faces + len(offsets) + 1), grown(face_edge, n_faces + len(offsets))
            nodes[n_nodes : n_nodes + len(found)] = found
            for q in range(len(offsets) - 1):
                for e in order[offsets[q] : offsets[q + 1]]:
                    corners[n_corners] = n_nodes + tail[e]
                    n_corners += 1
                face_edge[n_faces] = v0 + face[order[offsets[q]]]
                n_faces += 1
                faces[n_faces] = n_corners
            n_nodes += len(found)
        polygon_faces[p + 1] = n_faces
    return nodes[:n_nodes], corners[:n_corners], faces[: n_faces + 1], face_edge[:n_faces], polygon_faces, ok


@dataclass(frozen=True, slots=True)
class Skeletons:
    """
    The straight skeletons of many polygons, as faces.

    Attributes
    ----------
    nodes : (m, 3) float64
        x, y, and the time (metres of inset for speed 1) at which the wavefront passes.
    corners : (c,) int64
        Node numbers of all faces, counter-clockwise.
    face_offsets : (f + 1,) int64
        Corners of each face.
    face_edge : (f,) int64
        The vertex at which the edge of each face starts.
    polygon_faces : (p + 1,) int64
        Faces of each polygon.
    ok : (p,) bool
        False where no skeleton was found: the polygon has no faces.
    """

    nodes: Float64
    corners: Int64
    face_offsets: Int64
    face_edge: Int64
    polygon_faces: Int64
    ok: Bool


def straight_skeletons(
    coords: Float64, ring_offsets: Int64, polygon_offsets: Int64, *, speed: Float64 | None = None
) -> Skeletons:
    """
    Return the (weighted) straight skeletons of polygons.

    Parameters
    ----------
    coords, ring_offsets, polygon_offsets
        As in ``model.rings.Rings``: simple polygons, the inside to the left, near the origin, metres.
    speed : (n,) float64, optional
        How fast the edge that starts at each vertex moves inwards; 0 for a vertical face. Default: 1.

    Returns
    -------
    Skeletons

    Examples
    --------
    >>> box = np.array([[0.0, 0], [4, 0], [4, 2], [0, 2]])
    >>> found = straight_skeletons(box, np.array([0, 4]), np.array([0, 1]))
    >>> len(found.face_edge), float(found.nodes[:, 2].max())
    (4, 1.0)
    """
    speeds = np.ones(len(coords)) if speed is None else np.ascontiguousarray(speed, dtype=np.float64)
    return Skeletons(*_skeletons(coords, ring_offsets, polygon_offsets, speeds))
