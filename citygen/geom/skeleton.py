"""
Polygons with holes to straight skeletons: the wavefront that shrinks from the outline, event by event, as arcs between faces.

O. Aichholzer and F. Aurenhammer, "Straight skeletons for general polygonal figures in the plane" (1996). Regular outlines
make many events at one place and time, so events are not told apart: at each event time all wavefront vertices that meet are
gathered, and the edges that arrive there are joined to those that leave by turning around the place, the inside on the left.
That one rule covers collapsing edges, splits, vertices that meet, and any mix. Where two opposite edges meet along their
length they are zipped into a ridge. Work is bounded by a count of events.

The kernels share flat state arrays: ``front`` (left edge, right edge, next, previous, node of each wavefront vertex), ``motion``
(birth x, y, time, velocity), ``at`` (place now), ``when`` (its next collapse and split).
"""

import numpy as np
from numba import njit

# ruff: noqa: PLR0917  the wavefront is a set of flat arrays; a kernel takes those it reads
_L, _R, _NEXT, _PREV, _NODE = 0, 1, 2, 3, 4
_PARALLEL = 1e-9
"""Sine of the angle below which two edges count as parallel."""


@njit(cache=True, nogil=True)
def edge_lines(xy, ring_offsets):
    """Return next vertex, unit direction (n, 2) and offset along the inward normal (n,) of each ring edge."""
    n = len(xy)
    after = np.empty(n, np.int64)
    direction = np.empty((n, 2))
    offset = np.empty(n)
    for r in range(len(ring_offsets) - 1):
        for i in range(ring_offsets[r], ring_offsets[r + 1]):
            j = i + 1 if i + 1 < ring_offsets[r + 1] else ring_offsets[r]
            after[i] = j
            dx, dy = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
            length = np.hypot(dx, dy)
            direction[i, 0], direction[i, 1] = dx / length, dy / length
            offset[i] = -direction[i, 1] * xy[i, 0] + direction[i, 0] * xy[i, 1]
    return after, direction, offset


@njit(cache=True, nogil=True)
def _velocity(direction, speed, a, b):
    """Return the velocity of the vertex between edges ``a`` and ``b``, and 0 crossing, 1 parallel, 2 opposite."""
    ax, ay, bx, by = direction[a, 0], direction[a, 1], direction[b, 0], direction[b, 1]
    turn = ax * by - ay * bx
    if abs(turn) > _PARALLEL:
        # inward normals (-dy, dx): solve n_a . v = speed_a, n_b . v = speed_b
        return (speed[a] * bx - speed[b] * ax) / turn, (speed[a] * by - speed[b] * ay) / turn, 0
    if ax * bx + ay * by > 0.0:
        s = 0.5 * (speed[a] + speed[b])
        return -ay * s, ax * s, 1
    return 0.0, 0.0, 2


@njit(cache=True, nogil=True)
def _place(motion, active, t, at):
    """Write the position of every active vertex at time ``t``."""
    for v in active:
        s = t - motion[v, 2]
        at[v, 0] = motion[v, 0] + motion[v, 3] * s
        at[v, 1] = motion[v, 1] + motion[v, 4] * s


@njit(cache=True, nogil=True)
def _collapse(front, motion, direction, at, v, t):
    """Return when the wavefront edge that starts at ``v`` shrinks to nothing; infinite when it does not."""
    u, e = front[v, _NEXT], front[v, _R]
    dx, dy = direction[e, 0], direction[e, 1]
    length = dx * (at[u, 0] - at[v, 0]) + dy * (at[u, 1] - at[v, 1])
    rate = dx * (motion[u, 3] - motion[v, 3]) + dy * (motion[u, 4] - motion[v, 4])
    if rate >= 0.0:
        return np.inf
    return t + max(0.0, length) / -rate


@njit(cache=True, nogil=True)
def _split(front, motion, lines, at, v, a, t, eps):
    """Return when reflex vertex ``v`` reaches the wavefront edge that starts at ``a``; infinite when it misses it."""
    direction, offset, speed = lines
    e, b = front[a, _R], front[a, _NEXT]
    if e in (front[v, _L], front[v, _R]) or v in (a, b):
        return np.inf
    if front[v, _NODE] in (front[a, _NODE], front[b, _NODE]):  # they parted at one place and never meet again
        return np.inf
    dx, dy = direction[e, 0], direction[e, 1]
    gap = -dy * at[v, 0] + dx * at[v, 1] - offset[e] - speed[e] * t
    rate = -dy * motion[v, 3] + dx * motion[v, 4] - speed[e]
    if gap < -eps or rate >= -1e-12:
        return np.inf
    s = max(0.0, gap) / -rate
    x, y = at[v, 0] + s * motion[v, 3], at[v, 1] + s * motion[v, 4]
    from_a = dx * (x - at[a, 0] - s * motion[a, 3]) + dy * (y - at[a, 1] - s * motion[a, 4])
    to_b = dx * (at[b, 0] + s * motion[b, 3] - x) + dy * (at[b, 1] + s * motion[b, 4] - y)
    if from_a < -eps or to_b < -eps:
        return np.inf
    return t + s


@njit(cache=True, nogil=True)
def _is_reflex(front, direction, v):
    a, b = front[v, _L], front[v, _R]
    return direction[a, 0] * direction[b, 1] - direction[a, 1] * direction[b, 0] < -_PARALLEL


@njit(cache=True, nogil=True)
def _forecast(front, motion, lines, alive, reflex, at, when, target, active, changed, t, eps):
    """
    Bring each vertex's own events up to date after a change.

    ``when[v, 0]`` is when the edge that starts at ``v`` collapses, ``when[v, 1]`` when reflex ``v`` splits the edge that
    starts at ``target[v]``. Only what the changed vertices touch is computed again.
    """
    for v in active:
        if changed[v] or changed[front[v, _NEXT]]:
            when[v, 0] = _collapse(front, motion, lines[0], at, v, t)
    for v in active:
        if not reflex[v]:
            continue
        a = target[v]
        whole = changed[v] or (a >= 0 and (not alive[a] or changed[a] or changed[front[a, _NEXT]]))
        if whole:
            when[v, 1], target[v] = np.inf, -1
        for a in active:
            if whole or changed[a] or changed[front[a, _NEXT]]:
                split = _split(front, motion, lines, at, v, a, t, eps)
                if split < when[v, 1]:
                    when[v, 1], target[v] = split, a


@njit(cache=True, nogil=True)
def _insert(front, motion, alive, at, counts, a, x, y):
    """Put a vertex into the wavefront edge that starts at ``a``; return its number."""
    s, b = counts[0], front[a, _NEXT]
    counts[0] += 1
    front[s, _L] = front[s, _R] = front[a, _R]
    front[s, _NEXT], front[s, _PREV], front[s, _NODE] = b, a, -1
    front[a, _NEXT] = front[b, _PREV] = s
    alive[s] = True
    at[s, 0], at[s, 1] = x, y
    motion[s, 0], motion[s, 1], motion[s, 2] = x, y, 0.0
    motion[s, 3], motion[s, 4] = 0.0, 0.0
    return s


@njit(cache=True, nogil=True)
def _touches(front, lines, at, v, a, t, eps):
    """Say whether ``v`` lies on the wavefront edge that starts at ``a``, away from the edge's ends."""
    direction, offset, speed = lines
    e, b = front[a, _R], front[a, _NEXT]
    if v in (a, b) or e in (front[v, _L], front[v, _R]) or front[v, _NODE] in (front[a, _NODE], front[b, _NODE]):
        return False
    dx, dy = direction[e, 0], direction[e, 1]
    if abs(-dy * at[v, 0] + dx * at[v, 1] - offset[e] - speed[e] * t) > eps:
        return False
    from_a = dx * (at[v, 0] - at[a, 0]) + dy * (at[v, 1] - at[a, 1])
    to_b = dx * (at[b, 0] - at[v, 0]) + dy * (at[b, 1] - at[v, 1])
    return from_a > eps and to_b > eps


@njit(cache=True, nogil=True)
def _near(at, a, b, eps):
    return abs(at[a, 0] - at[b, 0]) <= eps and abs(at[a, 1] - at[b, 1]) <= eps


@njit(cache=True, nogil=True)
def _arc(arcs, counts, a, b, left, right):
    """Add an arc from node ``a`` to ``b`` with the faces on its two sides."""
    if a >= 0 and a != b and left != right:
        k = counts[2]
        arcs[k, 0], arcs[k, 1], arcs[k, 2], arcs[k, 3] = a, b, left, right
        counts[2] += 1


@njit(cache=True, nogil=True)
def _among(members, v):
    return (members == v).any()


@njit(cache=True, nogil=True)
def _join(front, motion, lines, alive, at, nodes, arcs, counts, members, t):
    """
    Let wavefront vertices meet: end their arcs at one node, and join the edges that arrive there to those that leave.

    Returns whether the edges paired up.
    """
    direction, _, speed = lines
    x, y = at[members[0], 0], at[members[0], 1]
    node = counts[1]
    nodes[node, 0], nodes[node, 1], nodes[node, 2] = x, y, t
    counts[1] += 1
    n_in, n_out = 0, 0
    arriving, leaving = np.empty(len(members), np.int64), np.empty(len(members), np.int64)
    for v in members:
        _arc(arcs, counts, front[v, _NODE], node, front[v, _L], front[v, _R])
        alive[v] = False
        if not _among(members, front[v, _PREV]):
            arriving[n_in] = v
            n_in += 1
        if not _among(members, front[v, _NEXT]):
            leaving[n_out] = v
            n_out += 1
    if n_in != n_out:
        return False
    taken = np.zeros(n_out, np.bool_)
    for i in range(n_in):
        e = front[arriving[i], _L]
        bx, by = -direction[e, 0], -direction[e, 1]
        best, best_angle = -1, np.inf
        for o in range(n_out):
            f = front[leaving[o], _R]
            dx, dy = direction[f, 0], direction[f, 1]
            angle = -np.arctan2(bx * dy - by * dx, bx * dx + by * dy)  # clockwise from the way back
            if angle < -1e-9:
                angle += 2.0 * np.pi
            # opposite edges: zipped (no angle) when they close on each other; a full turn when they part
            if not taken[o] and angle < best_angle:
                best, best_angle = o, angle
        taken[best] = True
        u, w = front[arriving[i], _PREV], front[leaving[best], _NEXT]
        f = front[leaving[best], _R]
        s = counts[0]
        counts[0] += 1
        front[s, _L], front[s, _R], front[s, _NODE] = e, f, node
        front[s, _PREV], front[s, _NEXT] = u, w
        front[u, _NEXT] = front[w, _PREV] = s
        vx, vy, _ = _velocity(direction, speed, e, f)
        motion[s, 0], motion[s, 1], motion[s, 2], motion[s, 3], motion[s, 4] = x, y, t, vx, vy
        at[s, 0], at[s, 1] = x, y
        alive[s] = True
    return True


@njit(cache=True, nogil=True)
def _gather(alive, at, active, first, count, v, eps, members, size):
    """Add to ``members`` every living vertex at the place of ``v``; return the new size."""
    for k in range(len(active) + count - first):
        u = active[k] if k < len(active) else first + k - len(active)
        if alive[u] and _near(at, u, v, eps):
            known = False
            for q in range(size):
                if members[q] == u:
                    known = True
                    break
            if not known:
                members[size] = u
                size += 1
    return size


@njit(cache=True, nogil=True)
def _settle(front, motion, lines, alive, at, nodes, arcs, counts, active, first, t, eps):
    """Clear what joins left degenerate: loops of one or two vertices, vertices within one edge, opposite edges to zip."""
    direction, _, speed = lines
    members = np.empty(len(front), np.int64)
    v = first
    while v < counts[0]:
        if not alive[v]:
            v += 1
            continue
        u, w = front[v, _PREV], front[v, _NEXT]
        if u == v:
            alive[v] = False
        elif u == w:
            _arc(arcs, counts, front[v, _NODE], front[u, _NODE], front[v, _L], front[v, _R])
            alive[v] = alive[u] = False
        elif front[v, _L] == front[v, _R]:
            front[u, _NEXT], front[w, _PREV] = w, u
            alive[v] = False
        elif _velocity(direction, speed, front[v, _L], front[v, _R])[2] == 2:
            du = np.hypot(at[u, 0] - at[v, 0], at[u, 1] - at[v, 1])
            dw = np.hypot(at[w, 0] - at[v, 0], at[w, 1] - at[v, 1])
            if counts[0] + 8 >= len(front):
                return False
            if du < dw - eps:
                far, place = _insert(front, motion, alive, at, counts, v, at[u, 0], at[u, 1]), u
            elif dw < du - eps:
                far, place = _insert(front, motion, alive, at, counts, u, at[w, 0], at[w, 1]), w
            else:
                far, place = w, u
                at[w, 0], at[w, 1] = at[u, 0], at[u, 1]
            members[0], members[1], members[2] = place, v, far
            size = _gather(alive, at, active, first, counts[0], place, eps, members, 3)
            if counts[0] + size >= len(front) or counts[1] + 1 >= len(nodes) or counts[2] + size + 1 >= len(arcs):
                return False
            if not _join(front, motion, lines, alive, at, nodes, arcs, counts, members[:size], t):
                return False
        v += 1
    return True


@njit(cache=True, nogil=True)
def _meet(front, motion, lines, alive, reflex, at, when, counts, active, hot, t, eps):
    """Mark the vertices that meet another or an edge at time ``t``; edges that are hit get a vertex. False without any."""
    some = False
    for v in active:
        if _near(at, v, front[v, _NEXT], eps):
            hot[v] = hot[front[v, _NEXT]] = some = True
    for v in active:
        if not reflex[v] or when[v, 1] > t + 4 * eps:
            continue
        for k in range(len(active)):
            a = active[k]
            while True:  # an edge may already have been hit elsewhere: look at each piece
                if _touches(front, lines, at, v, a, t, eps):
                    if counts[0] + 8 >= len(front):
                        return False
                    hot[_insert(front, motion, alive, at, counts, a, at[v, 0], at[v, 1])] = True
                    hot[v] = some = True
                elif (
                    a not in (v, front[v, _NEXT], front[v, _PREV])
                    and front[a, _NODE] != front[v, _NODE]
                    and _near(at, v, a, eps)
                ):
                    hot[v] = hot[a] = some = True
                a = front[a, _NEXT]
                if a < active[0] or front[a, _NODE] != -1 or a == active[k]:
                    break
    return some


@njit(cache=True, nogil=True)
def skeleton(xy, ring_offsets, speed, eps):
    """
    Shrink a polygon's outline and trace its corners.

    Parameters are vertices (n, 2) of open rings with the inside to the left, ring offsets, the speed of each edge (metres
    inwards a unit of time; the edge that starts at vertex i), and the distance within which vertices meet. Returns nodes
    (m, 3) (x, y, time; the outline's vertices first), arcs (k, 4) (from, to, face on the left, face on the right; faces are
    edge numbers) and whether the wavefront vanished.
    """
    n = len(xy)
    after, direction, offset = edge_lines(xy, ring_offsets)
    lines = (direction, offset, speed)
    cap = 12 * n + 64
    front = np.empty((cap, 5), np.int64)
    motion, at, alive = np.empty((cap, 5)), np.empty((cap, 2)), np.zeros(cap, np.bool_)
    nodes, arcs = np.empty((cap, 3)), np.empty((cap, 4), np.int64)
    counts = np.array([n, n, 0])
    for v in range(n):
        front[after[v], _PREV], front[after[v], _L] = v, v
        front[v, _NEXT], front[v, _R], front[v, _NODE] = after[v], v, v
        alive[v] = True
        nodes[v, 0], nodes[v, 1], nodes[v, 2] = xy[v, 0], xy[v, 1], 0.0
    for v in range(n):
        motion[v, 0], motion[v, 1], motion[v, 2] = xy[v, 0], xy[v, 1], 0.0
        motion[v, 3], motion[v, 4], _ = _velocity(direction, speed, front[v, _L], front[v, _R])
    reflex, changed, hot = np.zeros(cap, np.bool_), np.zeros(cap, np.bool_), np.zeros(cap, np.bool_)
    when, target = np.full((cap, 2), np.inf), np.full(cap, -1, np.int64)
    members, active, size = np.empty(cap, np.int64), np.arange(cap), n
    for v in range(n):
        reflex[v] = _is_reflex(front, direction, v)
        changed[v] = True
    t = 0.0
    for _ in range(4 * n + 16):
        now = active[:size]
        _place(motion, now, t, at)
        _forecast(front, motion, lines, alive, reflex, at, when, target, now, changed, t, eps)
        t = np.inf
        for v in now:
            changed[v] = False
            t = min(t, when[v, 0], when[v, 1])
        if not np.isfinite(t):
            break
        _place(motion, now, t, at)
        first = counts[0]
        if not _meet(front, motion, lines, alive, reflex, at, when, counts, now, hot, t, eps):
            break
        good = True
        for k in range(size + counts[0] - first):
            v = now[k] if k < size else first + k - size
            if not (hot[v] and alive[v]):
                hot[v] = False
                continue
            hot[v] = False
            members[0] = v
            many = _gather(alive, at, now, first, counts[0], v, eps, members, 1)
            if counts[0] + many >= cap or counts[1] + 1 >= cap or counts[2] + many + 1 >= cap:
                good = False
                break
            good = _join(front, motion, lines, alive, at, nodes, arcs, counts, members[:many], t)
            if not good:
                break
        if not good or not _settle(front, motion, lines, alive, at, nodes, arcs, counts, now, first, t, eps):
            break
        kept = 0
        for k in range(size + counts[0] - first):
            v = now[k] if k < size else first + k - size
            if alive[v]:
                active[kept] = v
                kept += 1
                if v >= first:
                    reflex[v] = _is_reflex(front, direction, v)
                    changed[v] = True
        size = kept
        if size == 0:
            return nodes[: counts[1]].copy(), arcs[: counts[2]].copy(), True
    return nodes[: counts[1]].copy(), arcs[: counts[2]].copy(), False
