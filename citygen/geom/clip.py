"""Pairs of convex polygons to the area that each pair has in common: one polygon clipped by each edge of the other."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _clipped(points, n, ax, ay, bx, by, out):
    """Clip a polygon to the left of the line a to b; return how many points are left."""
    count = 0
    for i in range(n):
        px, py = points[i, 0], points[i, 1]
        qx, qy = points[(i + 1) % n, 0], points[(i + 1) % n, 1]
        p = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
        q = (bx - ax) * (qy - ay) - (by - ay) * (qx - ax)
        if p >= 0:
            out[count, 0], out[count, 1] = px, py
            count += 1
        if (p > 0 and q < 0) or (p < 0 and q > 0):
            t = p / (p - q)
            out[count, 0], out[count, 1] = px + t * (qx - px), py + t * (qy - py)
            count += 1
    return count


@njit(cache=True, nogil=True)
def common_areas(first, first_offsets, second, second_offsets):
    """
    Return (k,) float64: the area common to the polygons of each pair.

    ``first`` and ``second`` are (n, 2) float64, convex rings without their closing point, counter-clockwise (points in a line
    are allowed), pair ``k`` from ``offsets[k]`` to ``offsets[k + 1]``.
    """
    k = len(first_offsets) - 1
    areas = np.zeros(k)
    for j in range(k):
        a, b = first_offsets[j], first_offsets[j + 1]
        c, d = second_offsets[j], second_offsets[j + 1]
        size = 2 * (b - a) + (d - c) + 2
        now, new = np.empty((size, 2)), np.empty((size, 2))
        n = b - a
        for i in range(n):
            now[i, 0], now[i, 1] = first[a + i, 0], first[a + i, 1]
        for i in range(c, d):
            e = i + 1 if i + 1 < d else c
            n = _clipped(now, n, second[i, 0], second[i, 1], second[e, 0], second[e, 1], new)
            now, new = new, now
            if n == 0:
                break
        for i in range(1, n - 1):
            ux, uy = now[i, 0] - now[0, 0], now[i, 1] - now[0, 1]
            vx, vy = now[i + 1, 0] - now[0, 0], now[i + 1, 1] - now[0, 1]
            areas[j] += 0.5 * (ux * vy - uy * vx)
    return areas


@njit(cache=True, nogil=True)
def convex(points, offsets, slack):
    """Return (k,) bool: which rings turn left, or within ``slack`` (m2, doubled area) straight on, at every point."""
    out = np.ones(len(offsets) - 1, dtype=np.bool_)
    for j in range(len(out)):
        a, b = offsets[j], offsets[j + 1]
        n = b - a
        for i in range(n):
            px, py = points[a + i, 0], points[a + i, 1]
            qx, qy = points[a + (i + 1) % n, 0], points[a + (i + 1) % n, 1]
            rx, ry = points[a + (i + 2) % n, 0], points[a + (i + 2) % n, 1]
            if (qx - px) * (ry - qy) - (qy - py) * (rx - qx) < -slack:
                out[j] = False
                break
    return out
