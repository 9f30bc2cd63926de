"""
Polygons with holes to straight skeletons: the wavefront that shrinks from the outline, event by event, as arcs between faces.

O. Aichholzer and F. Aurenhammer, "Straight skeletons for general polygonal figures in the plane" (1996); with a speed for each
edge (D. Eppstein and J. Erickson, "Raising roofs, crashing cycles, and playing pool", 1999, section 2), zero included, and
with phases: times at which the speeds change. Regular outlines make many events at one place and time, so events are not
told apart: at each event time all wavefront vertices that meet are gathered, and the edges that arrive there are joined to
those that leave by turning around the place, the inside on the left. That one rule covers collapsing edges, splits, vertices
that meet, and any mix. Where two opposite edges meet along their length they are zipped into a ridge. Work is bounded by a
count of events.
"""

import numpy as np
from numba import njit

from citygen.geom.wavefront import (
    LEFT,
    NEW,
    NEXT,
    NODE,
    PREV,
    RIGHT,
    closeness,
    edge_lines,
    forecast,
    is_opposite,
    is_reflex,
    meeting_place,
    near,
    next_event,
    place,
    touches,
    velocity,
)

_VERTICES, _NODES, _ARCS = 0, 1, 2
"""Entries of ``counts``: vertices, nodes and arcs so far."""
_LOOKS = 100_000_000
"""Wavefront edges that reflex vertices may look at again, in all: a bound of about a second."""
_STUCK = 32
"""Events in a row at one time that leave no fewer vertices, after which there is no hope."""


@njit(cache=True, nogil=True, error_model="numpy")
def _insert(front, motion, alive, at, counts, a, x, y):
    """Put a vertex into the wavefront edge that starts at ``a``; return its number."""
    s, b = counts[_VERTICES], front[a, NEXT]
    counts[_VERTICES] += 1
    front[s, LEFT] = front[s, RIGHT] = front[a, RIGHT]
    front[s, NEXT], front[s, PREV], front[s, NODE] = b, a, -1
    front[a, NEXT] = front[b, PREV] = s
    alive[s] = True
    at[s, 0], at[s, 1] = x, y
    motion[s, 0], motion[s, 1], motion[s, 2] = x, y, 0.0
    motion[s, 3], motion[s, 4] = 0.0, 0.0
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def _arc(arcs, counts, number, a, b, left, right):
    """Add an arc from node ``a`` to ``b`` with the faces of two edges on its sides."""
    if a >= 0 and a != b and left != right:
        k = counts[_ARCS]
        arcs[k, 0], arcs[k, 1] = a, b
        arcs[k, 2], arcs[k, 3] = number[left], number[right]
        counts[_ARCS] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _among(members, v):
    for u in members:
        if u == v:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _join(front, motion, lines, alive, at, nodes, arcs, counts, members, t):
    """
    Let wavefront vertices meet: end their arcs at one node, and join the edges that arrive there to those that leave.

    Returns whether the edges paired up.
    """
    direction, _, speed, number = lines
    x, y = at[members[0], 0], at[members[0], 1]
    node = counts[_NODES]
    nodes[node, 0], nodes[node, 1], nodes[node, 2] = x, y, t
    counts[_NODES] += 1
    n_in, n_out = 0, 0
    arriving, leaving = np.empty(len(members), np.int64), np.empty(len(members), np.int64)
    for v in members:
        _arc(arcs, counts, number, front[v, NODE], node, front[v, LEFT], front[v, RIGHT])
        alive[v] = False
        if not _among(members, front[v, PREV]):
            arriving[n_in] = v
            n_in += 1
        if not _among(members, front[v, NEXT]):
            leaving[n_out] = v
            n_out += 1
    if n_in != n_out:
        return False
    for i in range(n_in):
        e = front[arriving[i], LEFT]
        bx, by = -direction[e, 0], -direction[e, 1]
        best, best_angle = -1, np.inf
        for o in range(n_out):
            if leaving[o] < 0:
                continue
            if n_out == 1:
                best = o
                break
            f = front[leaving[o], RIGHT]
            dx, dy = direction[f, 0], direction[f, 1]
            angle = -np.arctan2(bx * dy - by * dx, bx * dx + by * dy)  # clockwise from the way back
            # opposite edges close on each other (no angle): what has been swept is never as thin as a full turn asks
            if angle < -1e-6:
                angle += 2.0 * np.pi
            if angle < best_angle:
                best, best_angle = o, angle
        if best < 0:  # no angle is a number
            return False
        u, w = front[arriving[i], PREV], front[leaving[best], NEXT]
        f = front[leaving[best], RIGHT]
        leaving[best] = -1
        s = counts[_VERTICES]
        counts[_VERTICES] += 1
        front[s, LEFT], front[s, RIGHT], front[s, NODE] = e, f, node
        front[s, PREV], front[s, NEXT] = u, w
        front[u, NEXT] = front[w, PREV] = s
        vx, vy, _ = velocity(direction, speed, e, f)
        cx, cy = meeting_place(lines, e, f, t, x, y)
        motion[s, 0], motion[s, 1], motion[s, 2], motion[s, 3], motion[s, 4] = cx, cy, t, vx, vy
        at[s, 0], at[s, 1] = cx, cy
        alive[s] = True
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(alive, at, active, first, count, v, eps, members, size):
    """Add to ``members`` every living vertex at the place of ``v``; return the new size."""
    for k in range(len(active) + count - first):
        u = active[k] if k < len(active) else first + k - len(active)
        if alive[u] and near(at, u, v, eps) and not _among(members[:size], u):
            members[size] = u
            size += 1
    return size


@njit(cache=True, nogil=True, error_model="numpy")
def _settle(front, motion, lines, alive, at, nodes, arcs, counts, active, first, members, t, eps):
    """Clear what joins left degenerate: loops of one or two vertices, vertices within one edge, opposite edges to zip."""
    direction, _, _, number = lines
    v = first
    while v < counts[_VERTICES]:
        if not alive[v]:
            v += 1
            continue
        u, w = front[v, PREV], front[v, NEXT]
        if u == v:
            alive[v] = False
        elif u == w:
            _arc(arcs, counts, number, front[v, NODE], front[u, NODE], front[v, LEFT], front[v, RIGHT])
            alive[v] = alive[u] = False
        elif front[v, LEFT] == front[v, RIGHT]:
            front[u, NEXT], front[w, PREV] = w, u
            alive[v] = False
        elif is_opposite(direction, front[v, LEFT], front[v, RIGHT]):
            du = np.hypot(at[u, 0] - at[v, 0], at[u, 1] - at[v, 1])
            dw = np.hypot(at[w, 0] - at[v, 0], at[w, 1] - at[v, 1])
            if closeness(direction, front[v, LEFT], front[v, RIGHT]) * min(du, dw) > eps:
                v += 1
                continue
            if counts[_VERTICES] + 8 >= len(front):
                return False
            if du < dw - eps:
                far, where = _insert(front, motion, alive, at, counts, v, at[u, 0], at[u, 1]), u
            elif dw < du - eps:
                far, where = _insert(front, motion, alive, at, counts, u, at[w, 0], at[w, 1]), w
            else:
                far, where = w, u
                at[w, 0], at[w, 1] = at[u, 0], at[u, 1]
            members[0], members[1], members[2] = where, v, far
            size = _gather(alive, at, active, first, counts[_VERTICES], where, eps, members, 3)
            if not _room(front, nodes, arcs, counts, size):
                return False
            if not _join(front, motion, lines, alive, at, nodes, arcs, counts, members[:size], t):
                return False
        v += 1
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _room(front, nodes, arcs, counts, size):
    """Say whether the arrays can take a join of ``size`` vertices."""
    return (
        counts[_VERTICES] + size < len(front)
        and counts[_NODES] + 1 < len(nodes)
        and counts[_ARCS] + size + 1 < len(arcs)
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _meet(front, motion, lines, alive, at, when, counts, active, spikes, hot, t, eps):
    """Mark the vertices that meet another or an edge at time ``t``; edges that are hit get a vertex. False without any."""
    some = False
    for v in active:
        if near(at, v, front[v, NEXT], eps):
            hot[v] = hot[front[v, NEXT]] = some = True
    for v in spikes:
        if when[v, 1] > t + 4 * eps:
            continue
        for k in range(len(active)):
            a = active[k]
            while True:  # an edge may already have been hit elsewhere: look at each piece
                if touches(front, lines, at, v, a, t, eps):
                    if counts[_VERTICES] + 8 >= len(front):
                        return False
                    hot[_insert(front, motion, alive, at, counts, a, at[v, 0], at[v, 1])] = True
                    hot[v] = some = True
                elif (
                    a not in (v, front[v, NEXT], front[v, PREV])
                    and front[a, NODE] != front[v, NODE]
                    and near(at, v, a, eps)
                ):
                    hot[v] = hot[a] = some = True
                a = front[a, NEXT]
                if a < active[0] or front[a, NODE] != -1 or a == active[k]:
                    break
    return some


@njit(cache=True, nogil=True, error_model="numpy")
def _change(front, motion, lines, at, nodes, arcs, counts, active, phase, first, is_cap, t):
    """
    Go over to the next phase: every wavefront vertex ends at a node, and edges between nodes part their faces.

    ``phase`` are the speeds from now on, ``first`` the number of the first edge's face, ``is_cap`` whether all is one face now.
    """
    direction, offset, speed, number = lines
    n = len(offset)
    for v in active:
        node = counts[_NODES]
        counts[_NODES] += 1
        nodes[node, 0], nodes[node, 1], nodes[node, 2] = at[v, 0], at[v, 1], t
        _arc(arcs, counts, number, front[v, NODE], node, front[v, LEFT], front[v, RIGHT])
        front[v, NODE] = node
    for v in active:  # every edge once, or once a piece
        e = front[v, RIGHT]
        if is_cap or speed[e] != 0.0 or phase[e] != 0.0:  # an upright face goes on as it is
            k = counts[_ARCS]
            arcs[k, 0], arcs[k, 1] = front[v, NODE], front[front[v, NEXT], NODE]
            arcs[k, 2], arcs[k, 3] = first + e, number[e]
            counts[_ARCS] += 1
    for e in range(n):
        if is_cap or speed[e] != 0.0 or phase[e] != 0.0:
            number[e] = first + e
        offset[e] += (speed[e] - phase[e]) * t
        speed[e] = phase[e]
    for v in active:
        vx, vy, _ = velocity(direction, speed, front[v, LEFT], front[v, RIGHT])
        motion[v, 0], motion[v, 1], motion[v, 2], motion[v, 3], motion[v, 4] = at[v, 0], at[v, 1], t, vx, vy


@njit(cache=True, nogil=True, error_model="numpy")
def _event(front, motion, lines, alive, at, nodes, arcs, when, counts, active, spikes, hot, members, t, eps):
    """Let happen what happens at time ``t``; returns whether all of it could be resolved."""
    first = counts[_VERTICES]
    if not _meet(front, motion, lines, alive, at, when, counts, active, spikes, hot, t, eps):
        return False
    size = len(active)
    for k in range(size + counts[_VERTICES] - first):
        v = active[k] if k < size else first + k - size
        if not (hot[v] and alive[v]):
            hot[v] = False
            continue
        hot[v] = False
        members[0] = v
        many = _gather(alive, at, active, first, counts[_VERTICES], v, eps, members, 1)
        if not _room(front, nodes, arcs, counts, many):
            return False
        if not _join(front, motion, lines, alive, at, nodes, arcs, counts, members[:many], t):
            return False
    return _settle(front, motion, lines, alive, at, nodes, arcs, counts, active, first, members, t, eps)


@njit(cache=True, nogil=True, error_model="numpy")
def skeleton(xy, ring_offsets, speeds, times, capped, eps):
    """
    Shrink a polygon's outline and trace its corners.

    Parameters are vertices (n, 2) of open rings with the inside to the left; ring offsets; the speed of each edge (the one that
    starts at vertex i) in each phase, (phases, n), metres inwards a unit of time, none negative; the times (phases - 1,)
    at which a phase ends; whether to stop at the last of them and leave what is inside as one face; and the distance within
    which vertices meet. Returns nodes (m, 3) (x, y, time; the outline's vertices first), arcs (k, 4) (from, to, face on the
    left, face on the right) and whether the wavefront came to its end. The face of edge e in phase k has the number
    ``k * n + e``; an upright one keeps the number of the phase in which it began. With a cap, all of the last phase's are its
    face.
    """
    n = len(xy)
    after, direction, offset = edge_lines(xy, ring_offsets)
    speed = speeds[0].copy()
    lines = (direction, offset, speed, np.arange(n))
    cap, more = 12 * n + 64, (len(times)) * (2 * n + 16)
    front = np.empty((cap, 5), np.int64)
    motion, at, alive = np.empty((cap, 5)), np.empty((cap, 2)), np.zeros(cap, np.bool_)
    nodes, arcs = np.empty((cap + more, 3)), np.empty((cap + 2 * more, 4), np.int64)
    counts = np.array([n, n, 0])
    for v in range(n):
        front[after[v], PREV], front[after[v], LEFT] = v, v
        front[v, NEXT], front[v, RIGHT], front[v, NODE] = after[v], v, v
        alive[v] = True
        nodes[v, 0], nodes[v, 1], nodes[v, 2] = xy[v, 0], xy[v, 1], 0.0
        at[v, 0], at[v, 1] = xy[v, 0], xy[v, 1]
    stale, hot = np.zeros(cap, np.bool_), np.zeros(cap, np.bool_)
    when, target = np.full((cap, 2), np.inf), np.full(cap, NEW, np.int64)
    members, active, size = np.empty(cap, np.int64), np.arange(cap), n
    fresh, n_fresh, spikes, n_spikes = np.arange(cap), n, np.empty(cap, np.int64), 0
    for v in range(n):
        if is_reflex(front, direction, v):
            spikes[n_spikes] = v
            n_spikes += 1
        vx, vy, _ = velocity(direction, speed, front[v, LEFT], front[v, RIGHT])
        motion[v, 0], motion[v, 1], motion[v, 2], motion[v, 3], motion[v, 4] = xy[v, 0], xy[v, 1], 0.0, vx, vy
    t, phase, stuck = 0.0, 0, 0
    looks = np.array([_LOOKS + 64 * n])
    for _ in range(4 * n + 16 + len(times)):
        now, sharp = active[:size], spikes[:n_spikes]
        forecast(front, motion, lines, alive, at, when, target, now, sharp, fresh[:n_fresh], stale, t, eps)
        for v in fresh[:n_fresh]:
            stale[v] = False
        n_fresh = 0
        last = t
        t = next_event(front, motion, lines, at, when, target, now, sharp, looks, t, eps)
        if phase < len(times) and times[phase] < t - 4.0 * eps:
            t = max(last, times[phase])
            place(motion, now, t, at)
            if not _room(front, nodes[: len(nodes) - size], arcs[: len(arcs) - 2 * size], counts, 0):
                break
            phase += 1
            is_cap = capped and phase == len(times)
            _change(front, motion, lines, at, nodes, arcs, counts, now, speeds[phase], phase * n, is_cap, t)
            if is_cap:
                return nodes[: counts[_NODES]].copy(), arcs[: counts[_ARCS]].copy(), True
            for v in now:
                fresh[n_fresh] = v
                n_fresh += 1
                stale[v], target[v] = True, NEW
            continue
        if not np.isfinite(t):
            break
        place(motion, now, t, at)
        first = counts[_VERTICES]
        if not _event(front, motion, lines, alive, at, nodes, arcs, when, counts, now, sharp, hot, members, t, eps):
            break
        kept, n_spikes = 0, 0
        for v in sharp:
            if alive[v]:
                spikes[n_spikes] = v
                n_spikes += 1
        for k in range(size + counts[_VERTICES] - first):
            v = now[k] if k < size else first + k - size
            if alive[v]:
                active[kept] = v
                kept += 1
            if v >= first:  # also one that came and went: the edge before it has another end now
                if alive[v] and is_reflex(front, direction, v):
                    spikes[n_spikes] = v
                    n_spikes += 1
                for u in (v, front[v, PREV]):
                    if alive[u] and not stale[u]:
                        stale[u] = True
                        fresh[n_fresh] = u
                        n_fresh += 1
        stuck = stuck + 1 if t == last and kept >= size else 0
        size = kept
        if stuck > _STUCK:
            break
        if size == 0:
            return nodes[: counts[_NODES]].copy(), arcs[: counts[_ARCS]].copy(), True
    return nodes[: counts[_NODES]].copy(), arcs[: counts[_ARCS]].copy(), False
