"""
The part that each wall plays under a ridged roof: eave, gable end, or the high side; and how compact an outline is.

A gable end is a wall between two corners that turn the same way, about square, whose inset would shrink to nothing before
those of its neighbours and before it meets another wall: the end of a wing. On a compact outline the ends are those that the
ridge's direction points at.
"""

import numpy as np
from numba import njit

from citygen.geom.rings import ring_area
from citygen.geom.wavefront import edge_lines, velocity

EAVE, END, HIGH = 0, 1, 2
"""Parts: a wall under an eave, one under a gable, one on the up-slope side of a roof that is lower on the other."""
COMPACT = 0.88
"""Share of its convex hull's area from which an outline takes one ridge; below, ridges follow its wings."""
_LEAST_TURN, _MOST_TURN = np.radians(40.0), np.radians(140.0)
_LEAST_BACK, _MOST_BACK = np.radians(140.0), np.radians(220.0)
_FACING = np.cos(np.radians(45.0)) - 1e-6
_HIGH_FACING = 0.3
_SAME_WAY = np.cos(np.radians(10.0))
"""A sharp corner is cut off at 70 degrees or more to both walls."""
_NEAR_TIE = 1.02
LOOKS_ALIKE = np.cos(np.radians(40.0))
"""Cosine of the angle up to which two walls look the same way."""


@njit(cache=True, nogil=True, error_model="numpy")
def _hull_area(xy):
    """Return the area of the convex hull of points (n, 2), m2 (A. M. Andrew's monotone chain, 1979)."""
    n = len(xy)
    order = np.argsort(xy[:, 0], kind="mergesort")
    for i in range(1, n):  # equal x: by y
        k = i
        while k > 0 and xy[order[k - 1], 0] == xy[order[k], 0] and xy[order[k - 1], 1] > xy[order[k], 1]:
            order[k - 1], order[k] = order[k], order[k - 1]
            k -= 1
    area = 0.0
    chain = np.empty(n, np.int64)
    for side in range(2):
        size = 0
        for q in range(n):
            i = order[q] if side == 0 else order[n - 1 - q]
            while size >= 2:
                a, b = chain[size - 2], chain[size - 1]
                turn = (xy[b, 0] - xy[a, 0]) * (xy[i, 1] - xy[a, 1]) - (xy[b, 1] - xy[a, 1]) * (xy[i, 0] - xy[a, 0])
                if turn > 0.0:
                    break
                size -= 1
            chain[size] = i
            size += 1
        x0, y0 = xy[order[0], 0], xy[order[0], 1]
        for k in range(size - 1):
            a, b = chain[k], chain[k + 1]
            area += 0.5 * ((xy[a, 0] - x0) * (xy[b, 1] - y0) - (xy[a, 1] - y0) * (xy[b, 0] - x0))
    return area


@njit(cache=True, nogil=True, error_model="numpy")
def compact(coords, ring_offsets, polygon_offsets):
    """Return (p,) bool: which polygons fill their convex hull enough to take one ridge."""
    out = np.ones(len(polygon_offsets) - 1, np.bool_)
    for p in range(len(out)):
        first, last = polygon_offsets[p], polygon_offsets[p + 1]
        start, stop = ring_offsets[first], ring_offsets[first + 1]
        if stop - start == 4 and last - first == 1:
            x, y = coords[start:stop, 0], coords[start:stop, 1]
            d1x, d1y, d2x, d2y = x[2] - x[0], y[2] - y[0], x[3] - x[1], y[3] - y[1]
            if abs(x[0] + x[2] - x[1] - x[3]) + abs(y[0] + y[2] - y[1] - y[3]) < 0.1 * (
                np.hypot(d1x, d1y) + np.hypot(d2x, d2y)
            ):
                continue  # all but a parallelogram
        area = 0.0
        for r in range(first, last):
            area += ring_area(coords, ring_offsets[r], ring_offsets[r + 1])
        out[p] = area >= COMPACT * _hull_area(coords[start:stop])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _turns(after, direction):
    """Return the angle (n,) by which the outline turns at the start of each edge, radians, left positive."""
    out = np.empty(len(after))
    for i in range(len(after)):
        j = after[i]
        sine = direction[i, 0] * direction[j, 1] - direction[i, 1] * direction[j, 0]
        cosine = direction[i, 0] * direction[j, 0] + direction[i, 1] * direction[j, 1]
        out[j] = np.arctan2(sine, cosine)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _candidates(xy, after, turn):
    """Return which edges may be gable ends, and the inset (n,) at which each would shrink to nothing between its neighbours."""
    n = len(after)
    may, vanish = np.zeros(n, np.bool_), np.empty(n)
    for i in range(n):
        a, b = turn[i], turn[after[i]]
        rate = np.tan(0.5 * a) + np.tan(0.5 * b)
        j = after[i]
        vanish[i] = np.hypot(xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]) / rate if rate > 1e-12 else np.inf
        may[i] = min(a, b) >= _LEAST_TURN and max(a, b) <= _MOST_TURN and _LEAST_BACK <= a + b <= _MOST_BACK
    return may, vanish


@njit(cache=True, nogil=True, error_model="numpy")
def _is_clear(xy, lines, before, i, vanish):
    """Say whether no wall lies nearer to where wall ``i`` would shrink to nothing than the wall itself does."""
    after, direction = lines
    vx, vy, _ = velocity(direction, np.ones(len(after)), before, i)
    x, y = xy[i, 0] + vx * vanish, xy[i, 1] + vy * vanish
    for k in range(len(after)):
        j = after[k]
        dx, dy = xy[j, 0] - xy[k, 0], xy[j, 1] - xy[k, 1]
        s = min(1.0, max(0.0, ((x - xy[k, 0]) * dx + (y - xy[k, 1]) * dy) / (dx * dx + dy * dy)))
        if np.hypot(x - xy[k, 0] - s * dx, y - xy[k, 1] - s * dy) < vanish / _NEAR_TIE:
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def roles(xy, lines, axis, is_compact):
    """
    Say which part each wall of one polygon plays.

    ``lines`` are next vertex and direction of each edge; ``axis`` the unit cross direction of the roof, down-slope. Returns
    (n,) int8 of ``EAVE``, ``END`` and ``HIGH``; ends never stand side by side.
    """
    after, direction = lines
    n = len(after)
    part, facing = np.zeros(n, np.int8), np.empty(n)
    may, vanish = _candidates(xy, after, _turns(after, direction))
    before = np.empty(n, np.int64)
    longest = np.zeros(2)
    for i in range(n):
        before[after[i]] = i
        # outward normal (dy, -dx) along the ridge, which is square to the axis
        facing[i] = direction[i, 1] * axis[1] + direction[i, 0] * axis[0]
        if -direction[i, 1] * axis[0] + direction[i, 0] * axis[1] > _HIGH_FACING:
            part[i] = HIGH
        side = 1 if facing[i] > 0.0 else 0
        length = np.hypot(xy[after[i], 0] - xy[i, 0], xy[after[i], 1] - xy[i, 1])
        if may[i] and abs(facing[i]) >= _FACING:
            longest[side] = max(longest[side], length)
    for i in range(n):
        if not may[i]:
            continue
        length = np.hypot(xy[after[i], 0] - xy[i, 0], xy[after[i], 1] - xy[i, 1])
        if is_compact:
            side = 1 if facing[i] > 0.0 else 0
            may[i] = abs(facing[i]) >= _FACING and length >= 0.5 * longest[side]
        else:
            may[i] = vanish[i] <= _NEAR_TIE * min(vanish[before[i]], vanish[after[i]])
            may[i] = may[i] and _is_clear(xy, lines, before[i], i, vanish[i])
    for _ in range(
        n
    ):  # those that face along the ridge first, then the narrower; ends that meet at a corner cannot both be
        best = -1
        for i in range(n):
            if may[i] and (
                best < 0
                or abs(facing[i]) > abs(facing[best]) + 1e-6
                or (abs(facing[i]) > abs(facing[best]) - 1e-6 and vanish[i] < vanish[best] - 1e-6)
            ):
                best = i
        if best < 0:
            break
        part[best] = END
        may[best] = may[before[best]] = may[after[best]] = False
    return part


@njit(cache=True, nogil=True, error_model="numpy")
def leftmost_end(part, lines, axis):
    """Return the gable end most to the left when looking down-slope; -1 without one."""
    _, direction = lines
    best, most = -1, -np.inf
    for i in range(len(part)):
        # left of the axis: (-ay, ax); outward normal (dy, -dx)
        along = -(direction[i, 1] * axis[1] + direction[i, 0] * axis[0])
        if part[i] == END and along > most + 1e-9:
            best, most = i, along
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def carried(part, walls, outline):
    """
    Carry the parts of walls over to the edges above them of a grown outline (``geom.grow``); cut-off corners are eaves.

    ``walls`` and ``outline`` are coordinates and ring offsets. An edge belongs to the next wall when it runs its way.
    """
    _, way, _ = edge_lines(*walls)
    _, along, _ = edge_lines(*outline)
    out = np.zeros(len(along), part.dtype)
    for r in range(len(walls[1]) - 1):
        i = walls[1][r]
        for k in range(outline[1][r], outline[1][r + 1]):
            if i < walls[1][r + 1] and along[k, 0] * way[i, 0] + along[k, 1] * way[i, 1] > _SAME_WAY:
                out[k] = part[i]
                i += 1
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def back_wall(xy, lines, axis, stop):
    """Return the wall of the outline's first ``stop`` that looks up-slope most, by its length; the longest without any."""
    after, direction = lines
    best, most, longest, length_most = -1, 0.0, 0, -1.0
    for i in range(stop):
        length = np.hypot(xy[after[i], 0] - xy[i, 0], xy[after[i], 1] - xy[i, 1])
        back = -direction[i, 1] * axis[0] + direction[i, 0] * axis[1]
        if back > _FACING and back * length > most + 1e-9:
            best, most = i, back * length
        if length > length_most + 1e-9:
            longest, length_most = i, length
    return best if best >= 0 else longest
