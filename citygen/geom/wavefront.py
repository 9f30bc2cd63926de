"""
Edges and corners of a shrinking outline to its next events: where edges lie, how corners move, when they collapse or split.

The kernels share flat state arrays: ``front`` (left edge, right edge, next, previous, node of each wavefront vertex),
``motion`` (birth x, y, time, velocity), ``at`` (place now), ``when`` (its next collapse and split). An edge's line at time
``t`` lies at ``offset[e] + speed[e] * t`` along its inward normal.
"""

import numpy as np
from numba import njit

LEFT, RIGHT, NEXT, PREV, NODE = 0, 1, 2, 3, 4
"""Columns of ``front``."""
NEW, UNSURE = -2, -3
"""Targets of reflex vertices that have not looked yet, and of those whose edge is not what it was."""
PARALLEL = 1e-9
"""Sine of the angle below which two edges count as parallel."""
_SURE, _NEAR_M = 1e-5, 1e-3
"""Sine from which the crossing of two lines is sure to well below a micrometre; and how far from a meeting it may lie, m."""


@njit(cache=True, nogil=True, error_model="numpy")
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
            length = np.sqrt(dx * dx + dy * dy)
            direction[i, 0], direction[i, 1] = dx / length, dy / length
            offset[i] = -direction[i, 1] * xy[i, 0] + direction[i, 0] * xy[i, 1]
    return after, direction, offset


@njit(cache=True, nogil=True, error_model="numpy")
def velocity(direction, speed, a, b):
    """Return the velocity of the vertex between edges ``a`` and ``b``, and 0 crossing, 1 parallel, 2 opposite."""
    ax, ay, bx, by = direction[a, 0], direction[a, 1], direction[b, 0], direction[b, 1]
    turn = ax * by - ay * bx
    if abs(turn) > PARALLEL:
        # inward normals (-dy, dx): solve n_a . v = speed_a, n_b . v = speed_b
        return (speed[a] * bx - speed[b] * ax) / turn, (speed[a] * by - speed[b] * ay) / turn, 0
    if ax * bx + ay * by > 0.0:
        s = 0.5 * (speed[a] + speed[b])
        return -ay * s, ax * s, 1
    return 0.0, 0.0, 2


@njit(cache=True, nogil=True, error_model="numpy")
def meeting_place(lines, a, b, t, x, y):
    """
    Return where the lines of two edges cross at time ``t``, when that is sure and near a place; else the place.

    What meets lies within a tolerance, not at one point. A vertex born off its lines would run beside them, far beside them
    where they are all but parallel.
    """
    direction, offset, speed, _ = lines
    ax, ay, bx, by = direction[a, 0], direction[a, 1], direction[b, 0], direction[b, 1]
    turn = ax * by - ay * bx
    if abs(turn) < _SURE:
        return x, y
    p, q = offset[a] + speed[a] * t, offset[b] + speed[b] * t
    cx, cy = (p * bx - q * ax) / turn, (p * by - q * ay) / turn
    if abs(cx - x) > _NEAR_M or abs(cy - y) > _NEAR_M:
        return x, y
    return cx, cy


@njit(cache=True, nogil=True, error_model="numpy")
def is_opposite(direction, a, b):
    """Say whether two edges run against each other, within a hundredth of a radian."""
    ax, ay, bx, by = direction[a, 0], direction[a, 1], direction[b, 0], direction[b, 1]
    return ax * bx + ay * by < 0.0 and abs(ax * by - ay * bx) < 0.01


@njit(cache=True, nogil=True, error_model="numpy")
def closeness(direction, a, b):
    """Return the sine of the angle between two edges: what their distance grows by, a metre along them."""
    return abs(direction[a, 0] * direction[b, 1] - direction[a, 1] * direction[b, 0])


@njit(cache=True, nogil=True, error_model="numpy")
def is_reflex(front, direction, v):
    """Say whether the outline turns right at a vertex."""
    a, b = front[v, LEFT], front[v, RIGHT]
    return direction[a, 0] * direction[b, 1] - direction[a, 1] * direction[b, 0] < -PARALLEL


@njit(cache=True, nogil=True, error_model="numpy")
def place(motion, active, t, at):
    """Write the position of every active vertex at time ``t``."""
    for v in active:
        s = t - motion[v, 2]
        at[v, 0] = motion[v, 0] + motion[v, 3] * s
        at[v, 1] = motion[v, 1] + motion[v, 4] * s


@njit(cache=True, nogil=True, error_model="numpy")
def collapse(front, motion, direction, at, v, t):
    """Return when the wavefront edge that starts at ``v`` shrinks to nothing; infinite when it does not."""
    u, e = front[v, NEXT], front[v, RIGHT]
    dx, dy = direction[e, 0], direction[e, 1]
    rate = dx * (motion[u, 3] - motion[v, 3]) + dy * (motion[u, 4] - motion[v, 4])
    if rate >= 0.0:
        return np.inf
    length = dx * (at[u, 0] - at[v, 0]) + dy * (at[u, 1] - at[v, 1])
    return t + max(0.0, length) / -rate


@njit(cache=True, nogil=True, error_model="numpy")
def split(front, motion, lines, at, v, a, t, before, eps):
    """Return when reflex vertex ``v`` reaches the wavefront edge that starts at ``a``; infinite when not ``before`` a time."""
    direction, offset, speed, _ = lines
    e, b = front[a, RIGHT], front[a, NEXT]
    dx, dy = direction[e, 0], direction[e, 1]
    rate = speed[e] + dy * motion[v, 3] - dx * motion[v, 4]
    if rate <= 1e-12:
        return np.inf
    gap = -dy * at[v, 0] + dx * at[v, 1] - offset[e] - speed[e] * t
    if gap < -eps or gap >= (before - t) * rate:
        return np.inf
    if e == front[v, LEFT] or e == front[v, RIGHT] or v == a or v == b:  # plain compares: this is hot
        return np.inf
    if front[v, NODE] == front[a, NODE] or front[v, NODE] == front[b, NODE]:
        return np.inf  # they parted at one place and never meet again
    s = max(0.0, gap) / rate
    x, y = at[v, 0] + s * motion[v, 3], at[v, 1] + s * motion[v, 4]
    from_a = dx * (x - at[a, 0] - s * motion[a, 3]) + dy * (y - at[a, 1] - s * motion[a, 4])
    to_b = dx * (at[b, 0] + s * motion[b, 3] - x) + dy * (at[b, 1] + s * motion[b, 4] - y)
    if from_a < -eps or to_b < -eps:
        return np.inf
    return t + s


@njit(cache=True, nogil=True, error_model="numpy")
def forecast(front, motion, lines, alive, at, when, target, active, spikes, fresh, stale, t, eps):
    """
    Bring each vertex's own events up to date after a change.

    ``when[v, 0]`` is when the edge that starts at ``v`` collapses, ``when[v, 1]`` when reflex ``v`` splits the edge that
    starts at ``target[v]``. ``spikes`` lists the reflex vertices, ``fresh`` those whose edge (the one they start) changed;
    ``stale[v]`` marks them. Where the target itself changed, the time stays, as one before which nothing happens: most such
    vertices meet something else first (``UNSURE``; ``search`` finds the next one).
    """
    for v in fresh:
        when[v, 0] = collapse(front, motion, lines[0], at, v, t)
    for v in spikes:
        a = target[v]
        if a == NEW:
            search(front, motion, lines, at, when, target, active, v, t, eps)
            continue
        if a >= 0 and (not alive[a] or stale[a]):
            target[v] = UNSURE
        for a in fresh:
            found = split(front, motion, lines, at, v, a, t, when[v, 1], eps)
            if found < when[v, 1]:
                when[v, 1], target[v] = found, a


@njit(cache=True, nogil=True, error_model="numpy")
def search(front, motion, lines, at, when, target, edges, v, t, eps):
    """Find which of the wavefront's edges reflex ``v`` reaches first."""
    when[v, 1], target[v] = np.inf, -1
    for a in edges:
        found = split(front, motion, lines, at, v, a, t, when[v, 1], eps)
        if found < when[v, 1]:
            when[v, 1], target[v] = found, a


@njit(cache=True, nogil=True, error_model="numpy")
def touches(front, lines, at, v, a, t, eps):
    """Say whether ``v`` lies on the wavefront edge that starts at ``a``, away from the edge's ends."""
    direction, offset, speed, _ = lines
    e, b = front[a, RIGHT], front[a, NEXT]
    if v == a or v == b or e == front[v, LEFT] or e == front[v, RIGHT]:
        return False
    dx, dy = direction[e, 0], direction[e, 1]
    if abs(-dy * at[v, 0] + dx * at[v, 1] - offset[e] - speed[e] * t) > eps:
        return False
    if front[v, NODE] == front[a, NODE] or front[v, NODE] == front[b, NODE]:
        return False
    from_a = dx * (at[v, 0] - at[a, 0]) + dy * (at[v, 1] - at[a, 1])
    to_b = dx * (at[b, 0] - at[v, 0]) + dy * (at[b, 1] - at[v, 1])
    return from_a > eps and to_b > eps


@njit(cache=True, nogil=True, error_model="numpy")
def near(at, a, b, eps):
    """Say whether two vertices are at one place."""
    return abs(at[a, 0] - at[b, 0]) <= eps and abs(at[a, 1] - at[b, 1]) <= eps


@njit(cache=True, nogil=True, error_model="numpy")
def next_event(front, motion, lines, at, when, target, active, spikes, looks, t, eps):
    """
    Return the time of the next event after ``t``, infinite without one; vertices that may be first look again.

    ``looks`` (1,) is how many edges they may still look at; when they are used up there is no next event.
    """
    while True:
        soonest, who = np.inf, -1
        for v in active:
            soonest = min(soonest, when[v, 0])
        for v in spikes:
            if when[v, 1] < soonest:
                soonest, who = when[v, 1], v
        if who < 0 or target[who] != UNSURE:
            return soonest
        looks[0] -= len(active)
        if looks[0] < 0:
            return np.inf
        search(front, motion, lines, at, when, target, active, who, t, eps)
