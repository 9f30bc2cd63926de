"""A lattice of heights along lines to the few places that a polyline needs to stay within a tolerance (Numba kernels)."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def bilinear(cells, c, r):
    """Return the height at column ``c`` and row ``r`` of a lattice; NaN outside and where a corner is void."""
    rows, cols = cells.shape
    j, i = min(int(np.floor(c)), cols - 2), min(int(np.floor(r)), rows - 2)
    if c < 0.0 or r < 0.0 or c > cols - 1 or r > rows - 1:
        return np.nan
    fx, fy = c - j, r - i
    top = cells[i, j] + fx * (cells[i, j + 1] - cells[i, j])
    bottom = cells[i + 1, j] + fx * (cells[i + 1, j + 1] - cells[i + 1, j])
    return top + fy * (bottom - top)


@njit(cache=True, nogil=True)
def simplify(s, z, keep, tolerance):
    """
    Choose the samples of a profile that a polyline needs (U. Ramer 1972; D. H. Douglas and T. K. Peucker 1973).

    Parameters
    ----------
    s : (n,) float64
        Ascending positions.
    z : (n,) float64
        Heights, NaN where void: never chosen.
    keep : (n,) bool
        Samples that are chosen already, the first and last among them.
    tolerance : float

    Returns
    -------
    (n,) bool
        What is chosen at a larger tolerance is among what is chosen at a smaller one.
    """
    out = keep.copy()
    stack = np.empty((len(s) + 2, 2), np.int64)
    n, last = 0, -1
    for k in range(len(s)):
        if out[k]:
            if last >= 0 and not np.isnan(z[last]) and not np.isnan(z[k]):
                stack[n, 0], stack[n, 1] = last, k
                n += 1
            last = k
    while n > 0:
        n -= 1
        a, b = stack[n]
        worst, best = tolerance, -1
        for k in range(a + 1, b):
            if s[k] > s[a] and s[k] < s[b]:
                error = abs(z[k] - (z[a] + (s[k] - s[a]) / (s[b] - s[a]) * (z[b] - z[a])))
                if error > worst:
                    worst, best = error, k
        if best >= 0:
            out[best] = True
            stack[n, 0], stack[n, 1] = a, best
            stack[n + 1, 0], stack[n + 1, 1] = best, b
            n += 2
    return out


@njit(cache=True, nogil=True)
def split_edges(ends, heights, cells, tolerance):
    """
    Say where edges over a lattice need further vertices.

    Parameters
    ----------
    ends : (n, 4) float64
        Column and row of both ends.
    heights : (n, 2) float64
        At both ends.
    cells : (rows, cols) float64
    tolerance : float

    Returns
    -------
    edge : (k,) int64
        Ascending.
    place : (k,) float64
        Between 0 and 1, ascending for each edge.
    """
    total = 0
    for k in range(len(ends)):
        total += int(np.ceil(4.0 * np.hypot(ends[k, 2] - ends[k, 0], ends[k, 3] - ends[k, 1]))) + 2
    edge, place = np.empty(total, np.int64), np.empty(total)
    found = 0
    for k in range(len(ends)):
        dx, dy = ends[k, 2] - ends[k, 0], ends[k, 3] - ends[k, 1]
        n = int(np.ceil(4.0 * np.hypot(dx, dy))) + 1
        s, z, keep = np.empty(n), np.empty(n), np.zeros(n, np.bool_)
        for j in range(n):
            s[j] = j / (n - 1)
            z[j] = bilinear(cells, ends[k, 0] + s[j] * dx, ends[k, 1] + s[j] * dy)
        z[0], z[n - 1], keep[0], keep[n - 1] = heights[k, 0], heights[k, 1], True, True
        chosen = simplify(s, z, keep, tolerance)
        for j in range(1, n - 1):
            if chosen[j]:
                edge[found], place[found] = k, s[j]
                found += 1
    return edge[:found], place[:found]
