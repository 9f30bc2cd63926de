"""
Polygons to roof surfaces that rise inwards from their walls: over a straight skeleton, or around an apex.

A section over the inset gives the height (0 at the wall, 1 at the top). Where a wall is a gable end or stands on the high
side, the section's strips say how fast it moves: 1 with the others, 0 upright. A strip in which speeds change is a phase of
the skeleton. Upright faces over a wall become part of that wall; others are risers.
"""

import numpy as np
from numba import njit

from citygen.geom.extend import grown, grown_rows
from citygen.geom.faces import faces_of
from citygen.geom.revolve import stack, takes_apex
from citygen.geom.strips import loop_areas, owners
from citygen.geom.walls import END, HIGH, LOOKS_ALIKE, back_wall, carried, leftmost_end, roles
from citygen.geom.wavefront import edge_lines

MAX_EDGES = 4000
"""Edges of an outline whose skeleton is taken: the wavefront's work grows with their square. Larger ones stay flat."""
MIDDLE, BACK = 1, 2
"""Where a shape has its apex: over the middle of the outline, or of the wall at its back; 0: it has none."""
_ALIKE, _BACK_ONLY = 0, 2
"""How walls differ: not at all, or the one at the back stands upright; 1: gable ends do."""
_ONE = 3
"""The part of the one gable end that differs from the others; further ones as ``walls`` has them."""
_EVEN = 0.01
"""Speeds this near to 1 are 1, perturbed."""


@njit(cache=True, nogil=True, error_model="numpy")
def height_at(t, breaks, heights):
    """Return the section's height at a share of the inset; beyond its ends the outer strips run on."""
    k = 0
    while k < len(breaks) - 2 and t > breaks[k + 1]:
        k += 1
    return heights[k] + (heights[k + 1] - heights[k]) * (t - breaks[k]) / (breaks[k + 1] - breaks[k])


@njit(cache=True, nogil=True, error_model="numpy")
def _kinds(xy, own, form, axis, is_compact):
    """Return the part that each wall plays, (n,) int8; ``_ONE`` for the one end that differs from the others."""
    part = np.zeros(len(xy), np.int8)
    if form[1] != _ALIKE:
        after, direction, _ = edge_lines(xy, own)
        if form[1] == _BACK_ONLY:
            back = back_wall(xy, (after, direction), axis, own[1])
            for i in range(len(xy)):  # and all that looks its way: walls side by side move alike
                if direction[i, 0] * direction[back, 0] + direction[i, 1] * direction[back, 1] > LOOKS_ALIKE:
                    part[i] = END
        else:
            part = roles(xy, (after, direction), axis, is_compact)
            one = leftmost_end(part, (after, direction), axis) if form[2] else -1
            if one >= 0:
                part[one] = _ONE
    return part


@njit(cache=True, nogil=True, error_model="numpy")
def _speeds(xy, kinds, strips, shift):
    """Return how fast each edge moves in each strip, (strips, n)."""
    ends, backs, ones = strips
    n, k = len(kinds), len(ends)
    speeds = np.ones((k, n))
    for i in range(n):
        for s in range(k):
            if kinds[i] == _ONE:
                speeds[s, i] = ones[s]
            elif kinds[i] == END:
                speeds[s, i] = ends[s]
            elif kinds[i] == HIGH:
                speeds[s, i] = backs[s]
    if shift != 0.0:  # as a share of the way that walls can go at most: no place moves by more than the shift
        width = min(np.ptp(xy[:, 0]), np.ptp(xy[:, 1]))
        for i in range(n):
            speeds[:, i] *= 1.0 + 2.0 * shift / width * ((i * 7919) % 101 - 50.0) / 50.0
    return speeds


@njit(cache=True, nogil=True, error_model="numpy")
def _phase_ends(section, speeds, growth, reach):
    """
    Return the times at which the strips but the last end, and whether they can.

    Beyond its wall an upright face stands further out: one that tips inwards later does so earlier by as much, and passes
    over its wall when it must. That is for sections that do not bend there, and walls that all but start at speed 1.
    """
    breaks, heights = section
    times, ok = growth + breaks[1:-1] * reach, True
    if growth > 0.0:
        slopes = (heights[1:] - heights[:-1]) / (breaks[1:] - breaks[:-1])
        for k in range(1, len(speeds)):
            late, other = False, abs(slopes[k] - slopes[k - 1]) > 1e-9
            for i in range(speeds.shape[1]):
                if speeds[k - 1, i] != speeds[k, i]:
                    starts = speeds[:k, i].max() == 0.0 and abs(speeds[k, i] - 1.0) < _EVEN
                    late, other = late or starts, other or not starts
            if late:
                times[k - 1] -= growth
                ok = ok and not other
            ok = ok and (k == 1 or times[k - 1] > times[k - 2])
    return times, ok


@njit(cache=True, nogil=True, error_model="numpy")
def roof_faces(xy, own, form, section, speeds, bare):
    """
    Return the roof faces of one polygon over its skeleton.

    ``form`` is a row of ``inset_surfaces``' forms, ``section`` breaks and heights, ``speeds`` (strips, n). ``bare`` says how
    far the polygon reaches beyond its walls, and there the reach and the section's height at the top of the roof that ends at
    the walls. Returns nodes (m, 3) (x, y, height over the walls, 1 at that roof's top), the faces as in ``faces.faces_of``
    (tail, face, offsets, order), reach and height at the top, and whether all is well.
    """
    breaks, heights = section
    growth, reach, final = bare
    n, ok = len(xy), True
    if growth == 0.0:
        first = speeds[:1].copy()  # walls that stand still at first, and move at last, count as moving for the reach
        for i in range(n):
            if first[0, i] == 0.0:
                first[0, i] = speeds[-1, i]
        nodes, tail, face, offsets, order, top, ok = faces_of(xy, own, first, np.empty(0), False)
        reach = top
    if growth > 0.0 or (ok and len(breaks) > 2):
        times, fits = _phase_ends(section, speeds, growth, reach)
        nodes, tail, face, offsets, order, top, ok = faces_of(xy, own, speeds, times, form[0] > 0)
        ok = ok and fits
    if ok:
        if growth == 0.0:
            final = height_at(top / reach, breaks, heights)
        for i in range(len(nodes)):
            nodes[i, 2] = height_at((nodes[i, 2] - growth) / reach, breaks, heights) / final
    return nodes, tail, face, offsets, order, reach, final, ok


@njit(cache=True, nogil=True, error_model="numpy")
def _upright(nodes, tail, loop, i, xy, j):
    """Return the top edge of wall ``i`` to ``j`` from its upright face; empty when the face reaches beyond the wall."""
    m = len(loop)
    chain = np.empty(m, np.int64)
    dx, dy = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
    length2 = dx * dx + dy * dy
    start = -1
    for k in range(m):
        if tail[loop[k]] == j and tail[loop[k - 1]] == i:
            start = k
        s = (nodes[tail[loop[k]], 0] - xy[i, 0]) * dx + (nodes[tail[loop[k]], 1] - xy[i, 1]) * dy
        if s < -1e-9 * length2 or s > (1.0 + 1e-9) * length2:
            return chain[:0]
    if start < 0:
        return chain[:0]
    for k in range(m):  # the loop runs from j back to i over the top; the wall's edge from i to j
        chain[m - 1 - k] = tail[loop[(start + k) % m]]
    return chain


@njit(cache=True, nogil=True, error_model="numpy")
def _around_apex(xy, walls, section, back, growth):
    """Return what ``revolve.stack`` does for ``walls``, its section run on over ``xy``: the same enlarged about the apex."""
    nodes, corners, faces, wall, reach, ok = stack(walls, section, back)
    if not ok or growth == 0.0:
        return nodes, corners, faces, wall, reach, ok
    breaks, heights = section
    share = growth / (reach + growth)
    wider, lower = share + breaks * (1.0 - share), heights.copy()
    wider[0], lower[0] = 0.0, height_at(-growth / reach, breaks, heights)
    nodes, corners, faces, wall, _, ok = stack(xy, (wider, lower), back)
    return nodes, corners, faces, wall, reach, ok


@njit(cache=True, nogil=True, error_model="numpy")
def _drawn(outline, footprint, form, section, strips, axis, is_compact, growth, shift):
    """
    Draw one polygon.

    ``outline`` and ``footprint`` are coordinates and ring offsets; the outline, which is roofed, may be the footprint grown.
    Returns nodes, tails, loop offsets and order; for each loop the one it belongs to (itself, or the outline around a hole; a
    loop of -2 has gone into a wall) and whether it is upright; the top edges of upright walls, where each starts, and the
    wall of each; the reach; and whether all is well.
    """
    (xy, own), (feet, feet_own) = outline, footprint
    after, direction, _ = edge_lines(xy, own)
    n = len(xy)
    no_walls = (np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0, np.int64))
    if form[3] > 0 and len(own) == 2:
        back = back_wall(xy, (after, direction), axis, n) if form[3] == BACK else -1
        nodes, corners, offsets, wall, reach, ok = _around_apex(xy, feet, section, back, growth)
        if ok and takes_apex(feet, reach, is_compact and back < 0):
            walls = (wall, np.array([0, len(wall)]), np.array([back])) if back >= 0 else no_walls
            none = np.zeros(len(offsets) - 1, np.uint8)
            return nodes, corners, offsets, np.arange(len(corners)), np.arange(len(none)), none, walls, reach, True
    if n > MAX_EDGES:
        zero, none = np.zeros(1, np.int64), np.empty(0, np.int64)
        return np.empty((0, 3)), none, zero, none, none, np.empty(0, np.uint8), no_walls, 0.0, False
    kinds = _kinds(feet, feet_own, form, axis, is_compact)
    speeds = _speeds(xy, kinds, strips, shift)
    nodes, tail, face, offsets, order, reach, final, ok = roof_faces(
        feet, feet_own, form, section, speeds, (0.0, 0.0, 0.0)
    )
    if ok and growth > 0.0:
        speeds = _speeds(xy, carried(kinds, footprint, outline), strips, shift)
        bare = (growth, reach, final)
        nodes, tail, face, offsets, order, reach, final, ok = roof_faces(xy, own, form, section, speeds, bare)
    upright = np.zeros(len(offsets) - 1, np.uint8)
    owner = np.arange(len(offsets) - 1)
    if not ok:
        return nodes, tail, offsets, order, owner, upright, no_walls, reach, False
    cap_face = n * (len(speeds) - form[0])
    if len(face) and face.max() >= cap_face:
        owner = owners(nodes[:, :2], tail, face, order, offsets, loop_areas(nodes[:, :2], tail, order, offsets))
    tops, top_offsets, top_wall = np.empty(len(order), np.int64), np.zeros(n + 1, np.int64), np.empty(n, np.int64)
    used, count = 0, 0
    for o in range(len(owner)):
        e = face[order[offsets[o]]]
        if e >= cap_face or speeds[e // n, e % n] != 0.0:
            continue
        upright[o] = 1
        if e < n:
            top = _upright(nodes, tail, order[offsets[o] : offsets[o + 1]], e, xy, after[e])
            if len(top):
                tops[used : used + len(top)] = top
                used += len(top)
                top_wall[count] = e
                count += 1
                top_offsets[count] = used
                owner[o] = -2
    walls = (tops[:used], top_offsets[: count + 1], top_wall[:count])
    return nodes, tail, offsets, order, owner, upright, walls, reach, len(owner) > 0 and (owner != -1).all()


@njit(cache=True, nogil=True, error_model="numpy")
def _write_faces(drawn, n_points, out, counts):
    """Write one polygon's faces, each outline before its holes; return the new counts of corners, rings, faces."""
    tail, offsets, order, owner, upright = drawn
    corners, rings, faces, riser = out
    n_corners, n_rings, n_faces = counts
    holes = False
    for o in range(len(owner)):
        holes = holes or (owner[o] >= 0 and owner[o] != o)
    for o in range(len(owner)):
        if owner[o] != o:
            continue
        for q in range(len(owner) if holes else 1):
            k = (o + q) % len(owner)
            if owner[k] != o:
                continue
            for h in order[offsets[k] : offsets[k + 1]]:
                corners[n_corners] = n_points + tail[h]
                n_corners += 1
            n_rings += 1
            rings[n_rings] = n_corners
        riser[n_faces] = upright[o]
        n_faces += 1
        faces[n_faces] = n_rings
    return n_corners, n_rings, n_faces


@njit(cache=True, nogil=True, error_model="numpy")
def _write_chains(after, walls, n_points, chain, chain_offsets, n_chain):
    """Write the top edge of every wall; ``chain_offsets`` is the polygon's own part. Returns the new count."""
    tops, top_offsets, top_wall = walls
    which = np.full(len(after), -1, np.int64)
    for k in range(len(top_wall)):
        which[top_wall[k]] = k
    for i in range(len(after)):
        k = which[i]
        if k >= 0:
            for q in range(top_offsets[k], top_offsets[k + 1]):
                chain[n_chain] = n_points + tops[q]
                n_chain += 1
        else:
            chain[n_chain], chain[n_chain + 1] = n_points + i, n_points + after[i]
            n_chain += 2
        chain_offsets[i + 1] = n_chain
    return n_chain


@njit(cache=True, nogil=True, error_model="numpy")
def inset_surfaces(outlines, forms, sections, task):
    """
    Roof many polygons.

    ``outlines`` are coordinates, ring offsets and polygon offsets, and the same three of the footprints, which they may reach
    beyond. ``forms`` (s, 4) says of each distinct form: stops at a level top; walls alike, with gable ends, or with an upright
    back (0, 1, 2); one of the ends differs; apex. ``sections`` are breaks, heights, section offsets, and the speeds of ends,
    high walls and the one end in each strip (those of section s start at its offset less s). ``task`` is, a polygon each:
    form, cross direction, whether it is compact, growth, shift.
    Returns the arrays of ``RoofSurfaces`` in their order, with heights 0..1, and the reach of each polygon.
    """
    (coords, ring_offsets, polygon_offsets), (feet, feet_offsets, _) = outlines
    breaks, heights, section_offsets, ends, backs, ones = sections
    form, axes, is_compact, growth, shift = task
    n_poly, n = len(polygon_offsets) - 1, len(coords)
    points = np.empty((3 * n + 16, 3))
    corners, chain = np.empty(6 * n + 16, np.int64), np.empty(3 * n + 16, np.int64)
    rings, faces = np.zeros(2 * n + 16, np.int64), np.zeros(2 * n + 16, np.int64)
    riser = np.zeros(2 * n + 16, np.uint8)
    polygon_faces, reach, ok = np.zeros(n_poly + 1, np.int64), np.zeros(n_poly), np.zeros(n_poly, np.bool_)
    chain_offsets = np.zeros(n + 1, np.int64)
    n_points, n_chain, counts = 0, 0, (0, 0, 0)
    for p in range(n_poly):
        r0, r1 = polygon_offsets[p], polygon_offsets[p + 1]
        v0, v1 = ring_offsets[r0], ring_offsets[r1]
        xy, own, f = coords[v0:v1], ring_offsets[r0 : r1 + 1] - v0, form[p]
        footprint = (feet[feet_offsets[r0] : feet_offsets[r1]], feet_offsets[r0 : r1 + 1] - feet_offsets[r0])
        s0, s1 = section_offsets[f], section_offsets[f + 1]
        section, k0, k1 = (breaks[s0:s1], heights[s0:s1]), s0 - f, s1 - f - 1
        strips = (ends[k0:k1], backs[k0:k1], ones[k0:k1])
        got = _drawn((xy, own), footprint, forms[f], section, strips, axes[p], is_compact[p], growth[p], shift[p])
        nodes, tail, offsets, order, owner, upright, tops, reach[p], ok[p] = got
        if ok[p]:
            points = grown_rows(points, n_points + len(nodes))
            corners = grown(corners, counts[0] + len(order))
            rings, faces = grown(rings, counts[1] + len(owner) + 2), grown(faces, counts[2] + len(owner) + 2)
            riser = grown(riser, counts[2] + len(owner) + 2)
            chain = grown(chain, n_chain + 2 * len(xy) + len(tops[0]))
            points[n_points : n_points + len(nodes)] = nodes
            counts = _write_faces(
                (tail, offsets, order, owner, upright), n_points, (corners, rings, faces, riser), counts
            )
            after, _, _ = edge_lines(xy, own)
            n_chain = _write_chains(after, tops, n_points, chain, chain_offsets[v0 : v1 + 1], n_chain)
            n_points += len(nodes)
        else:
            chain_offsets[v0 + 1 : v1 + 1] = n_chain
        polygon_faces[p + 1] = counts[2]
    return (
        points[:n_points].copy(),
        corners[: counts[0]].copy(),
        rings[: counts[1] + 1].copy(),
        faces[: counts[2] + 1].copy(),
        polygon_faces,
        riser[: counts[2]].copy(),
        chain[:n_chain].copy(),
        chain_offsets,
        ok,
        reach,
    )
