"""
A polygon cut along parallel lines to faces: what a roof section that breaks along its ridge leaves of an outline.

The lines that a section breaks along are parallel to its ridge, so the cut is a stack of strips. Ring edges are split
where they cross lines; along each line the stretches inside the polygon are found by parity, just above and just below;
half-edges that keep the inside to their left are then walked into faces, strip by strip. Only vertices within
``ON_LINE_M`` of a line need care, and parity gives it: no face test depends on a rounded intersection.
"""

import numpy as np
from numba import njit

from citygen.geom.rings import ring_area
from citygen.geom.tolerances import ON_LINE_M, STEP_SHIFT_M, TILING_AREA_REL

STEP_M = 1e-6
"""m. A jump of the section less than this is none."""


@njit(cache=True, nogil=True)
def _place_lines(t, breaks, left, right, rise, shift):
    """
    Put a section's inner break lines into a polygon's cross coordinate.

    Where the section jumps, the line is moved by millimetres until no vertex lies on it; fails when it cannot.
    """
    low, span = t.min(), t.max() - t.min()
    lines = np.empty(len(breaks) - 2)
    for k in range(len(lines)):
        lines[k] = low + breaks[k + 1] * span + shift
        if abs(left[k + 1] - right[k]) * rise <= STEP_M:
            continue
        clear = False
        for attempt in range(17):
            offset = (attempt + 1) // 2 * (STEP_SHIFT_M / 8) * (1 - 2 * (attempt % 2))
            clear = True
            for i in range(len(t)):
                if abs(t[i] - lines[k] - offset) <= 2 * ON_LINE_M:
                    clear = False
                    break
            if clear:
                lines[k] += offset
                break
        if not clear:
            return lines, False
    return lines, True


@njit(cache=True, nogil=True)
def _positions(t, lines):
    """Return where each cross coordinate lies: 2 s in strip s, 2 k + 1 on line k (between strips k and k + 1)."""
    out = np.empty(len(t), dtype=np.int64)
    for i in range(len(t)):
        strip = 0
        while strip < len(lines) and t[i] > lines[strip]:
            strip += 1
        out[i] = 2 * strip
        if strip < len(lines) and lines[strip] - t[i] <= ON_LINE_M:
            out[i] = 2 * strip + 1
        elif strip > 0 and t[i] - lines[strip - 1] <= ON_LINE_M:
            out[i] = 2 * strip - 1
    return out


@njit(cache=True, nogil=True)
def _split_edges(xy, ring_offsets, t, position, lines):
    """
    Split ring edges where they cross lines.

    Returns node coordinates (ring vertices first), node positions, and the nodes along each edge:
    edge ``i`` runs over ``along[starts[i]:starts[i + 1]]``, its own first vertex first, its second vertex last.
    """
    n = len(xy)
    total = 0
    for r in range(len(ring_offsets) - 1):
        for i in range(ring_offsets[r], ring_offsets[r + 1]):
            j = i + 1 if i + 1 < ring_offsets[r + 1] else ring_offsets[r]
            total += max(0, abs(position[i] // 2 - position[j] // 2) + 1)
    nodes = np.empty((n + total, 2))
    where = np.empty(n + total, dtype=np.int64)
    nodes[:n], where[:n] = xy, position
    along = np.empty(2 * n + total, dtype=np.int64)
    starts = np.empty(n + 1, dtype=np.int64)
    count, used = n, 0
    for r in range(len(ring_offsets) - 1):
        for i in range(ring_offsets[r], ring_offsets[r + 1]):
            j = i + 1 if i + 1 < ring_offsets[r + 1] else ring_offsets[r]
            starts[i] = used
            along[used] = i
            used += 1
            up = position[j] > position[i]
            a, b = (i, j) if up else (j, i)  # from low to high, so both neighbours of a party wall get the same point
            first, last = (position[a] + 1) // 2, (position[b] - 2) // 2
            for step in range(last - first + 1):
                k = first + step if up else last - step
                s = (lines[k] - t[a]) / (t[b] - t[a])
                nodes[count, 0] = xy[a, 0] + s * (xy[b, 0] - xy[a, 0])
                nodes[count, 1] = xy[a, 1] + s * (xy[b, 1] - xy[a, 1])
                where[count] = 2 * k + 1
                along[used] = count
                count += 1
                used += 1
            along[used] = j
            used += 1
    starts[n] = used
    return nodes[:count], where[:count], along[:used], starts


@njit(cache=True, nogil=True)
def half_edges(nodes, where, along, starts, axis, n_lines):
    """
    Make the half-edges whose left side is inside: along the rings, and both ways along each line's inner stretches.

    Returns from-node, to-node, strip of each, how many belong to rings, and whether the parities closed.
    """
    n_sub = len(along) - (len(starts) - 1)
    size = n_sub + 2 * len(nodes)
    tail, head, strip = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    ux, uy = axis[1], -axis[0]  # along the lines; the cross direction is to its left
    above, below = np.zeros(len(nodes), np.int64), np.zeros(len(nodes), np.int64)
    m = 0
    for i in range(len(starts) - 1):
        for q in range(starts[i], starts[i + 1] - 1):
            a, b = along[q], along[q + 1]
            pa, pb = where[a], where[b]
            tail[m], head[m] = a, b
            if pa % 2 == 1 and pa == pb:
                forward = (nodes[b, 0] - nodes[a, 0]) * ux + (nodes[b, 1] - nodes[a, 1]) * uy > 0.0
                strip[m] = pa // 2 + (1 if forward else 0)
            elif pa % 2 == 0:
                strip[m] = pa // 2
            elif pb % 2 == 0:
                strip[m] = pb // 2
            else:
                strip[m] = max(pa, pb) // 2
            for node, other in ((a, pb), (b, pa)):
                if where[node] % 2 == 1:
                    above[node] += other > where[node]
                    below[node] += other < where[node]
            m += 1
    rings = m
    for k in range(n_lines):
        on = np.flatnonzero(where == 2 * k + 1)
        on = on[np.argsort(nodes[on, 0] * ux + nodes[on, 1] * uy, kind="mergesort")]
        inside_above, inside_below = 0, 0
        for q in range(len(on)):
            inside_above ^= above[on[q]] & 1
            inside_below ^= below[on[q]] & 1
            if inside_above and inside_below:
                if q + 1 == len(on):
                    return tail, head, strip, rings, m, False
                a, b = on[q], on[q + 1]
                tail[m], head[m], strip[m] = a, b, k + 1
                tail[m + 1], head[m + 1], strip[m + 1] = b, a, k
                m += 2
        if inside_above or inside_below:
            return tail, head, strip, rings, m, False
    return tail, head, strip, rings, m, True


@njit(cache=True, nogil=True)
def _leftmost(nodes, half, outgoing, used, e):
    """Return the half-edge after ``e`` around its face: the first one clockwise from the way back, in the same strip."""
    (tail, head, strip), (first_out, next_out) = half, outgoing
    b = head[e]
    bx, by = nodes[tail[e], 0] - nodes[b, 0], nodes[tail[e], 1] - nodes[b, 1]
    best, best_angle = -1, np.inf
    out = first_out[b]
    while out >= 0:
        if strip[out] == strip[e] and not used[out] and head[out] != tail[e]:
            dx, dy = nodes[head[out], 0] - nodes[b, 0], nodes[head[out], 1] - nodes[b, 1]
            angle = -np.arctan2(bx * dy - by * dx, bx * dx + by * dy)  # clockwise from the way back
            if angle <= 0.0:
                angle += 2.0 * np.pi
            if angle < best_angle:
                best, best_angle = out, angle
        out = next_out[out]
    return best


@njit(cache=True, nogil=True)
def walk(nodes, tail, head, strip, m):
    """Walk half-edges into loops. Returns loop corners (half-edge numbers), loop offsets, and whether all closed."""
    first_out = np.full(len(nodes), -1, np.int64)
    next_out = np.empty(m, np.int64)
    for e in range(m - 1, -1, -1):
        next_out[e] = first_out[tail[e]]
        first_out[tail[e]] = e
    used = np.zeros(m, np.bool_)
    order = np.empty(m, np.int64)
    offsets = np.zeros(m + 1, np.int64)
    loops, count = 0, 0
    for start in range(m):
        if used[start]:
            continue
        e = start
        while True:
            used[e] = True
            order[count] = e
            count += 1
            if head[e] == tail[start]:
                used[start] = False  # may the walk close here, or does another branch turn sharper?
                nxt = _leftmost(nodes, (tail, head, strip), (first_out, next_out), used, e)
                used[start] = True
                if nxt == start:
                    break
            else:
                nxt = _leftmost(nodes, (tail, head, strip), (first_out, next_out), used, e)
            if nxt < 0 or count >= m:
                return order, offsets[: loops + 1], False
            e = nxt
        loops += 1
        offsets[loops] = count
    return order, offsets[: loops + 1], True


@njit(cache=True, nogil=True)
def _simple(order, offsets, tail, n_nodes):
    """Take loops that pass a node twice apart there: a hole that touches its outline becomes a ring of its own."""
    place = np.full(n_nodes, -1, np.int64)
    stack = np.empty(len(order), np.int64)
    out, out_offsets = np.empty(len(order), np.int64), np.zeros(len(order) + 1, np.int64)
    written, loops = 0, 0
    for q in range(len(offsets) - 1):
        depth = 0
        for e in order[offsets[q] : offsets[q + 1]]:
            node = tail[e]
            start = place[node]
            if start >= 0:
                for k in range(start, depth):
                    out[written] = stack[k]
                    place[tail[stack[k]]] = -1
                    written += 1
                depth = start
                loops += 1
                out_offsets[loops] = written
            place[node] = depth
            stack[depth] = e
            depth += 1
        for k in range(depth):
            out[written] = stack[k]
            place[tail[stack[k]]] = -1
            written += 1
        loops += 1
        out_offsets[loops] = written
    return out[:written], out_offsets[: loops + 1]


@njit(cache=True, nogil=True)
def _contains(nodes, tail, order, start, stop, x, y):
    inside = False
    j = tail[order[stop - 1]]
    for q in range(start, stop):
        i = tail[order[q]]
        if (nodes[i, 1] > y) != (nodes[j, 1] > y):
            cross = nodes[j, 0] + (y - nodes[j, 1]) / (nodes[i, 1] - nodes[j, 1]) * (nodes[i, 0] - nodes[j, 0])
            if x < cross:
                inside = not inside
        j = i
    return inside


@njit(cache=True, nogil=True)
def loop_areas(nodes, tail, order, offsets):
    """Return the signed area of each loop of half-edges, m2."""
    out = np.empty(len(offsets) - 1)
    for q in range(len(out)):
        ring = np.empty((offsets[q + 1] - offsets[q], 2))
        for k in range(len(ring)):
            ring[k] = nodes[tail[order[offsets[q] + k]]]
        out[q] = ring_area(ring, 0, len(ring))
    return out


@njit(cache=True, nogil=True)
def owners(nodes, tail, strip, order, offsets, areas):
    """Return the outline loop that each loop belongs to: itself, or the smallest outline of its strip around a hole; -1."""
    owner = np.empty(len(areas), np.int64)
    for q in range(len(areas)):
        owner[q] = q if areas[q] > 0.0 else -1
        if areas[q] > 0.0:
            continue
        # a corner may touch the outline, the middle of an edge does not
        a, b = tail[order[offsets[q]]], tail[order[offsets[q] + 1]]
        x, y = 0.5 * (nodes[a, 0] + nodes[b, 0]), 0.5 * (nodes[a, 1] + nodes[b, 1])
        best = np.inf
        for o in range(len(areas)):
            if (
                0.0 < areas[o] < best
                and strip[order[offsets[o]]] == strip[order[offsets[q]]]
                and _contains(nodes, tail, order, offsets[o], offsets[o + 1], x, y)
            ):
                owner[q], best = o, areas[o]
    return owner


@njit(cache=True, nogil=True)
def _heights(t_nodes, where, lines, left, right, rise):
    """Return z of each node seen from the strip below and above it in cross direction (equal but where the section jumps)."""
    low, span = t_nodes.min(), t_nodes.max() - t_nodes.min()
    z = np.empty((len(t_nodes), 2))
    for i in range(len(t_nodes)):
        if where[i] % 2 == 1:
            k = where[i] // 2
            z[i, 0], z[i, 1] = right[k] * rise, left[k + 1] * rise
        else:
            s = where[i] // 2
            a = lines[s - 1] if s > 0 else low
            b = lines[s] if s < len(lines) else low + span
            f = (t_nodes[i] - a) / (b - a) if b > a else 0.0
            z[i, :] = (left[s] + min(1.0, max(0.0, f)) * (right[s] - left[s])) * rise
    return z


@njit(cache=True, nogil=True)
def cut(xy, ring_offsets, axis, section, rise, shift):
    """
    Cut one polygon; everything the caller needs to write its surfaces.

    Returns nodes, where, z, along, starts, tail, head, strip, n ring half-edges, n half-edges, order, offsets, owner, ok.
    """
    breaks, left, right = section
    t = xy[:, 0] * axis[0] + xy[:, 1] * axis[1]
    lines, ok = _place_lines(t, breaks, left, right, rise, shift)
    where0 = _positions(t, lines)
    nodes, where, along, starts = _split_edges(xy, ring_offsets, t, where0, lines)
    tail, head, strip, n_ring, m, closed = half_edges(nodes, where, along, starts, axis, len(lines))
    order, offsets = np.empty(0, np.int64), np.zeros(1, np.int64)
    areas, owner = np.empty(0), np.empty(0, np.int64)
    if ok and closed:
        order, offsets, ok = walk(nodes, tail, head, strip, m)
        if ok:
            order, offsets = _simple(order, offsets, tail, len(nodes))
        areas = loop_areas(nodes, tail, order, offsets)
        owner = owners(nodes, tail, strip, order, offsets, areas)
        whole = 0.0
        for r in range(len(ring_offsets) - 1):
            whole += ring_area(xy, ring_offsets[r], ring_offsets[r + 1])
        tiled = abs(areas.sum() - whole) <= TILING_AREA_REL * whole + 1e-12
        ok = ok and tiled and (len(owner) == 0 or owner.min() >= 0)
    else:
        ok = False
    t_nodes = nodes[:, 0] * axis[0] + nodes[:, 1] * axis[1]
    z = _heights(t_nodes, where, lines, left, right, rise)
    return nodes, where, z, along, starts, tail, head, strip, n_ring, m, order, offsets, owner, ok
