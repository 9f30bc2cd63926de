"""Polygons to roof faces over their straight skeleton: one face an edge, cut where the section over the inset breaks."""

import numpy as np
from numba import njit

from citygen.geom.revolve import stack
from citygen.geom.rings import ring_area
from citygen.geom.skeleton import edge_lines, skeleton
from citygen.geom.strips import half_edges, loop_areas, walk
from citygen.geom.tolerances import TILING_AREA_REL

MEET_M = (1e-6, 1e-4, 1e-8, 1e-5, 1e-3)
"""m. Within which wavefront vertices meet; the first that gives faces that tile the outline is taken."""


MAX_EDGES = 1500
"""Edges of an outline whose skeleton is taken: the wavefront's work grows with their square. Larger ones stay flat."""


@njit(cache=True, nogil=True)
def _levels(nodes, arcs, levels, eps):
    """
    Split arcs where they cross levels of time.

    Returns nodes, where each lies (2 s between levels, 2 k + 1 on level k), and the split arcs.
    """
    m, k = len(nodes), len(arcs)
    where = np.empty(m + k * len(levels), np.int64)
    out_nodes = np.empty((m + k * len(levels), 3))
    out_nodes[:m] = nodes
    for i in range(m):
        s = 0
        while s < len(levels) and nodes[i, 2] > levels[s] + eps:
            s += 1
        where[i] = 2 * s + 1 if s < len(levels) and nodes[i, 2] >= levels[s] - eps else 2 * s
    out_arcs = np.empty((k * (len(levels) + 1), 4), np.int64)
    n_nodes, n_arcs = m, 0
    for q in range(k):
        a, b = arcs[q, 0], arcs[q, 1]
        left, right = arcs[q, 2], arcs[q, 3]
        if nodes[a, 2] > nodes[b, 2]:
            a, b, left, right = b, a, right, left
        last = a
        for s in range((where[a] + 1) // 2, (where[b] - 2) // 2 + 1):
            f = (levels[s] - nodes[a, 2]) / (nodes[b, 2] - nodes[a, 2])
            out_nodes[n_nodes, 0] = nodes[a, 0] + f * (nodes[b, 0] - nodes[a, 0])
            out_nodes[n_nodes, 1] = nodes[a, 1] + f * (nodes[b, 1] - nodes[a, 1])
            out_nodes[n_nodes, 2] = levels[s]
            where[n_nodes] = 2 * s + 1
            out_arcs[n_arcs] = np.array([last, n_nodes, left, right])
            n_arcs += 1
            last = n_nodes
            n_nodes += 1
        out_arcs[n_arcs] = np.array([last, b, left, right])
        n_arcs += 1
    return out_nodes[:n_nodes], where[:n_nodes], out_arcs[:n_arcs]


@njit(cache=True, nogil=True)
def _rise_at(t, levels, top, heights):
    """Return the section's height (0..1) at time ``t``; ``heights`` has one entry more than levels plus the eave's."""
    low, z0 = 0.0, heights[0]
    for k in range(len(levels)):
        if t <= levels[k]:
            return z0 + (heights[k + 1] - z0) * (t - low) / (levels[k] - low)
        low, z0 = levels[k], heights[k + 1]
    return z0 + (heights[-1] - z0) * min(1.0, (t - low) / (top - low))


@njit(cache=True, nogil=True)
def _both_sides(after, arcs):
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


@njit(cache=True, nogil=True)
def faces_over(xy, ring_offsets, section, shift):
    """
    Return the roof faces of one polygon over its skeleton, cut at the section's breaks.

    Returns nodes (m, 3) (x, y, height 0..1), the next vertex of each, face corners (node numbers), face offsets, the largest
    inset, and whether the faces tile the polygon, one loop an edge before the cut.
    """
    n = len(xy)
    after, direction, _ = edge_lines(xy, ring_offsets)
    speed = np.ones(n)
    for i in range(n):
        speed[i] += shift * ((i * 7919) % 101 - 50.0) / 50.0
    if n > MAX_EDGES:
        return np.empty((0, 3)), after, np.empty(0, np.int64), np.zeros(1, np.int64), 0.0, False
    got = _over_skeleton(xy, ring_offsets, (after, direction, speed), section, MEET_M[0])
    for k in range(1, len(MEET_M)):
        if got[-1] or n > MAX_EDGES // 4:
            break
        got = _over_skeleton(xy, ring_offsets, (after, direction, speed), section, MEET_M[k])
    return got


@njit(cache=True, nogil=True)
def _merged(nodes, arcs, eps):
    """Make nodes that an arc of no length joins one (events told apart by rounding alone); return nodes and arcs."""
    same = np.arange(len(nodes))
    for q in range(len(arcs)):
        a, b = arcs[q, 0], arcs[q, 1]
        if abs(nodes[a, 0] - nodes[b, 0]) <= eps and abs(nodes[a, 1] - nodes[b, 1]) <= eps:
            while same[a] != a:
                a = same[a]
            while same[b] != b:
                b = same[b]
            same[max(a, b)] = min(a, b)
    for k in range(len(same)):  # roots have the smaller number, so theirs is final
        same[k] = same[same[k]]
    number, kept = np.empty(len(same), np.int64), 0
    for k in range(len(same)):
        if same[k] == k:
            number[k] = kept
            nodes[kept] = nodes[k]
            kept += 1
    out = np.empty_like(arcs)
    count = 0
    for q in range(len(arcs)):
        a, b = number[same[arcs[q, 0]]], number[same[arcs[q, 1]]]
        if a != b:
            out[count, 0], out[count, 1], out[count, 2], out[count, 3] = a, b, arcs[q, 2], arcs[q, 3]
            count += 1
    return nodes[:kept], out[:count]


@njit(cache=True, nogil=True)
def _over_skeleton(xy, ring_offsets, edges, section, eps):
    """Return what ``faces_over`` does, for one distance within which wavefront vertices meet."""
    breaks, heights = section
    after, direction, speed = edges
    none = np.empty(0, np.int64)
    nodes, arcs, ok = skeleton(xy, ring_offsets, speed, eps)
    top = nodes[:, 2].max()
    if not ok or top <= 0.0:
        return nodes, after, none, np.zeros(1, np.int64), top, False
    nodes, arcs = _merged(nodes, arcs, min(eps, 1e-6))
    levels = breaks[1:-1] * top
    where = np.zeros(len(nodes), np.int64)
    if len(levels):
        nodes, where, arcs = _levels(nodes, arcs, levels, eps)
    tail, head, face = _both_sides(after, arcs)
    order, offsets, ok = walk(nodes[:, :2], tail, head, face, len(tail))
    if ok:
        ok = _whole(nodes, tail, face, order, offsets, xy, ring_offsets)
    if not ok:
        return nodes, after, none, np.zeros(1, np.int64), top, False
    if len(levels):
        corners, face_offsets, ok = _cut_faces(nodes, where, (tail, face), (order, offsets), direction, len(levels))
    else:
        corners, face_offsets = tail[order], offsets
    for i in range(len(nodes)):
        nodes[i, 2] = _rise_at(nodes[i, 2], levels, top, heights)
    return nodes, after, corners, face_offsets, top, ok


@njit(cache=True, nogil=True)
def _whole(nodes, tail, face, order, offsets, xy, ring_offsets):
    """Say whether the loops are one a face, all counter-clockwise, and tile the polygon."""
    if len(offsets) - 1 != len(xy):
        return False
    areas = loop_areas(nodes[:, :2], tail, order, offsets)
    seen = np.zeros(len(xy), np.bool_)
    for q in range(len(areas)):
        if areas[q] <= 0.0 or seen[face[order[offsets[q]]]]:
            return False
        seen[face[order[offsets[q]]]] = True
    whole = 0.0
    for r in range(len(ring_offsets) - 1):
        whole += ring_area(xy, ring_offsets[r], ring_offsets[r + 1])
    return abs(areas.sum() - whole) <= TILING_AREA_REL * whole + 1e-12


@njit(cache=True, nogil=True)
def _cut_faces(nodes, where, sides, loops, direction, n_levels):
    """Cut every face along the levels; returns corners, face offsets, and whether all closed."""
    (tail, face), (order, offsets) = sides, loops
    size = 3 * len(order) + 8
    corners = np.empty(size, np.int64)
    face_offsets = np.zeros(size, np.int64)
    count, used = 0, 0
    for q in range(len(offsets) - 1):
        loop = order[offsets[q] : offsets[q + 1]]
        e = face[loop[0]]
        m = len(loop)
        along, starts = np.empty(2 * m, np.int64), 2 * np.arange(m + 1)
        local, low = np.empty((m, 2)), np.empty(m, np.int64)
        for k in range(m):
            local[k] = nodes[tail[loop[k]], :2]
            low[k] = where[tail[loop[k]]]
            along[2 * k], along[2 * k + 1] = k, (k + 1) % m
        axis = np.array([-direction[e, 1], direction[e, 0]])
        t2, h2, s2, _, m2, closed = half_edges(local, low, along, starts, axis, n_levels)
        if not closed:
            return corners[:0], face_offsets[:1], False
        order2, offsets2, good = walk(local, t2, h2, s2, m2)
        if not good:
            return corners[:0], face_offsets[:1], False
        areas = loop_areas(local, t2, order2, offsets2)
        for p in range(len(offsets2) - 1):
            if areas[p] <= 0.0 or count + 1 >= size or used + offsets2[p + 1] - offsets2[p] >= size:
                return corners[:0], face_offsets[:1], False
            for k in order2[offsets2[p] : offsets2[p + 1]]:
                corners[used] = tail[loop[t2[k]]]
                used += 1
            count += 1
            face_offsets[count] = used
    return corners[:used], face_offsets[: count + 1], True


@njit(cache=True, nogil=True)
def _grown(array, need):
    if need <= len(array):
        return array
    out = np.empty(max(need, 2 * len(array)), array.dtype)
    out[: len(array)] = array
    return out


@njit(cache=True, nogil=True)
def inset_faces(outlines, section, sections, apex, shift):
    """
    Roof many polygons over their skeletons.

    ``outlines`` are coordinates, ring offsets and polygon offsets; ``sections`` breaks (0 at the outline, 1 where the inset
    ends), heights (0..1) and offsets of the distinct sections, ``section[p]`` the one of each polygon; where ``apex[p]``, a
    polygon whose middle sees all of it gets copies stacked towards an apex instead; ``shift[p]`` makes edges run unevenly
    by that share, to part events that cannot be told apart. Returns points (x, y, height 0..1), corners, face offsets,
    faces a polygon, chains, chain offsets, whether each polygon came out whole, and its largest inset.
    """
    coords, ring_offsets, polygon_offsets = outlines
    breaks, heights, section_offsets = sections
    n_poly, n = len(polygon_offsets) - 1, len(coords)
    points = np.empty((3 * n + 16, 3))
    corners = np.empty(6 * n + 16, np.int64)
    faces = np.zeros(2 * n + 16, np.int64)
    polygon_faces, reach, ok = np.zeros(n_poly + 1, np.int64), np.zeros(n_poly), np.zeros(n_poly, np.bool_)
    chain, chain_offsets = np.empty(2 * n, np.int64), np.zeros(n + 1, np.int64)
    n_points, n_corners, n_faces, n_chain = 0, 0, 0, 0
    for p in range(n_poly):
        r0, r1 = polygon_offsets[p], polygon_offsets[p + 1]
        v0, v1 = ring_offsets[r0], ring_offsets[r1]
        s0, s1 = section_offsets[section[p]], section_offsets[section[p] + 1]
        part = (breaks[s0:s1], heights[s0:s1])
        stacked = apex[p] and r1 - r0 == 1
        if stacked:
            nodes, after, found, offsets, reach[p], ok[p] = stack(coords[v0:v1], part)
        if not (stacked and ok[p]):
            got = faces_over(coords[v0:v1], ring_offsets[r0 : r1 + 1] - v0, part, shift[p])
            nodes, after, found, offsets, reach[p], ok[p] = got
        if ok[p]:
            if n_points + len(nodes) > len(points):
                larger = np.empty((2 * (n_points + len(nodes)), 3))
                larger[:n_points] = points[:n_points]
                points = larger
            corners = _grown(corners, n_corners + len(found))
            faces = _grown(faces, n_faces + len(offsets) + 1)
            points[n_points : n_points + len(nodes)] = nodes
            for k in range(len(found)):
                corners[n_corners + k] = found[k] + n_points
            for k in range(1, len(offsets)):
                faces[n_faces + k] = offsets[k] + n_corners
            for i in range(v1 - v0):
                chain[n_chain], chain[n_chain + 1] = n_points + i, n_points + after[i]
                n_chain += 2
                chain_offsets[v0 + i + 1] = n_chain
            n_points += len(nodes)
            n_corners += len(found)
            n_faces += len(offsets) - 1
        else:
            chain_offsets[v0 + 1 : v1 + 1] = n_chain
        polygon_faces[p + 1] = n_faces
    return (
        points[:n_points].copy(),
        corners[:n_corners].copy(),
        faces[: n_faces + 1].copy(),
        polygon_faces,
        chain[:n_chain].copy(),
        chain_offsets,
        ok,
        reach,
    )
