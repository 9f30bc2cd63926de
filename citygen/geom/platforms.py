"""
Points and level outlines to the height of graded ground (Numba kernels); the rules are those of ``ground.platforms``.

``outline`` is (coords (n, 2) float64, ring_offsets, polygon_offsets (int64)), as in ``Rings``.
"""

import numpy as np
from numba import njit

from citygen.arraytypes import Float64, Int64

Outline = tuple[Float64, Int64, Int64]

_MOST_STEPS = 64
"""Steps in which the slope between contradicting platforms is found; each drops a pair of them, two or three suffice."""
_ON_M = 1e-4
"""m. A place this near an outline lies on it: vertices of walls that two outlines share are never quite equal."""
_SAME_M = 1e-9
"""m. Bounds nearer than this do not contradict each other."""


@njit(cache=True, nogil=True, error_model="numpy")
def _distance(x: float, y: float, outline: Outline, polygon: int) -> float:
    """Return the distance of a point from a polygon (even-odd, holes are outside), 0 inside."""
    coords, ring_offsets, polygon_offsets = outline
    nearest, inside = np.inf, False
    for ring in range(polygon_offsets[polygon], polygon_offsets[polygon + 1]):
        start, stop = ring_offsets[ring], ring_offsets[ring + 1]
        for v in range(start, stop):
            w = v + 1 if v + 1 < stop else start
            ax, ay, bx, by = coords[v, 0] - x, coords[v, 1] - y, coords[w, 0] - x, coords[w, 1] - y
            dx, dy = bx - ax, by - ay
            square = dx * dx + dy * dy
            t = -(ax * dx + ay * dy) / square if square > 0.0 else 0.0
            t = min(1.0, max(0.0, t))
            px, py = ax + t * dx, ay + t * dy
            nearest = min(nearest, px * px + py * py)
            if (ay > 0.0) != (by > 0.0) and ax - ay * dx / dy > 0.0:
                inside = not inside
    return 0.0 if inside else np.sqrt(nearest)


@njit(cache=True, nogil=True, error_model="numpy")
def _effective(distance: float, reach: float) -> float:
    """Return the distance that counts: itself as far as half the reach, then growing without bound towards the reach."""
    if distance >= reach:
        return np.inf
    beyond = distance - 0.5 * reach
    return distance if beyond <= 0.0 else distance + beyond * beyond / (reach - distance)


@njit(cache=True, nogil=True, error_model="numpy")
def _settled(z: float, datum: Float64, away: Float64, n: int, slope: float) -> float:
    """Return the height at a place with ``n`` platforms near: their datums, and effective distances."""
    top = -np.inf
    for k in range(n):
        if away[k] <= _ON_M:
            top = max(top, datum[k])
    if top > -np.inf:
        return top
    for _ in range(_MOST_STEPS):
        low, high, one, other = -np.inf, np.inf, 0, 0
        for k in range(n):
            if datum[k] - slope * away[k] > low:
                low, one = datum[k] - slope * away[k], k
            if datum[k] + slope * away[k] < high:
                high, other = datum[k] + slope * away[k], k
        if low <= high + _SAME_M:
            break
        slope = (datum[one] - datum[other]) / (away[one] + away[other])
    return min(max(z, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def flatten(
    xy: Float64,
    z: Float64,
    outline: Outline,
    platforms: tuple[Float64, Float64],
    lists: tuple[Int64, Int64, Float64, Int64],
    how: tuple[float, float],
) -> Float64:
    """
    Change natural heights to those of the ground with platforms.

    Parameters
    ----------
    xy, z : (n, 2), (n,) float64
        Points and their natural heights; NaN stays.
    outline : tuple
        p polygons.
    platforms : (p, 4), (p,) float64
        Bounds and datum of each.
    lists : (m + 1,) int64, (k,) int64, (2,) float64, (2,) int64
        Polygons near each square: starts of the lists, members, the first square's corner, columns and rows; squares have
        the reach for a side. No columns: one list, for all points.
    how : float, float
        Slope, reach.

    Returns
    -------
    (n,) float64
    """
    box, datum = platforms
    starts, members, corner, shape = lists
    slope, reach = how
    longest = 0
    for b in range(len(starts) - 1):
        longest = max(longest, starts[b + 1] - starts[b])
    level, away = np.zeros(longest), np.zeros(longest)
    out = z.copy()
    for k in range(len(xy)):
        x, y = xy[k, 0], xy[k, 1]
        if np.isnan(z[k]) or not (np.isfinite(x) and np.isfinite(y)):
            continue
        square = 0
        if shape[0] > 0:
            col, row = np.floor((x - corner[0]) / reach), np.floor((y - corner[1]) / reach)
            if col < 0 or row < 0 or col >= shape[0] or row >= shape[1]:
                continue
            square = int(row) * shape[0] + int(col)
        n = 0
        for m in range(starts[square], starts[square + 1]):
            p = members[m]
            dx, dy = max(box[p, 0] - x, x - box[p, 2], 0.0), max(box[p, 1] - y, y - box[p, 3], 0.0)
            if dx * dx + dy * dy >= reach * reach:
                continue
            counted = _effective(_distance(x, y, outline, p), reach)
            if counted < np.inf:
                level[n], away[n] = datum[p], counted
                n += 1
        if n:
            out[k] = _settled(z[k], level, away, n, slope)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _between(nodes: Float64, col: int, row: int, ratio: int) -> float:
    """Return the height in the middle of a square, counted from the first node: bilinear between the nodes around it."""
    j, i = col // ratio, row // ratio
    u, v = (col - j * ratio) / ratio, (row - i * ratio) / ratio
    lower: float = nodes[i, j] if u == 0.0 else nodes[i, j] * (1.0 - u) + nodes[i, j + 1] * u
    if v == 0.0:
        return lower
    upper: float = nodes[i + 1, j] if u == 0.0 else nodes[i + 1, j] * (1.0 - u) + nodes[i + 1, j + 1] * u
    return lower * (1.0 - v) + upper * v


@njit(cache=True, nogil=True, error_model="numpy")
def _bounds(outline: Outline, mine: Int64) -> Float64:
    box = np.zeros((len(mine), 4))
    for m in range(len(mine)):
        first, last = outline[1][outline[2][mine[m]]], outline[1][outline[2][mine[m] + 1]]
        for axis in range(2):
            box[m, axis], box[m, axis + 2] = outline[0][first:last, axis].min(), outline[0][first:last, axis].max()
    return box


@njit(cache=True, nogil=True, error_model="numpy")
def grade(
    nodes: Float64,
    squares: tuple[Int64, float, int],
    outline: Outline,
    mine: Int64,
    how: tuple[float, float, float],
) -> tuple[float, float, int]:
    """
    Sum what one building's platform takes off and adds in the middles of squares.

    Parameters
    ----------
    nodes : (rows, cols) float64
        Natural heights in the middles of every ``ratio``-th square, from the one at or before the first; NaN counts nothing.
    squares : (4,) int64, float, int
        First column and row, end column and row (counted from the origin); side, m; ratio.
    outline : tuple
        Polygons.
    mine : (k,) int64
        Those of the building.
    how : float, float, float
        Datum, slope, reach.

    Returns
    -------
    cut, fill : float
        Sums of heights taken off and added, m.
    valid : int
        Squares with a height inside the outlines and within the reach.
    """
    extent, step, ratio = squares
    datum, slope, reach = how
    box = _bounds(outline, mine)
    first_col, first_row = extent[0] // ratio * ratio, extent[1] // ratio * ratio
    cut, fill, valid = 0.0, 0.0, 0
    for row in range(extent[1], extent[3]):
        for col in range(extent[0], extent[2]):
            x, y = (col + 0.5) * step, (row + 0.5) * step
            distance = reach
            for m in range(len(mine)):
                dx, dy = max(box[m, 0] - x, x - box[m, 2], 0.0), max(box[m, 1] - y, y - box[m, 3], 0.0)
                if dx * dx + dy * dy < distance * distance:
                    distance = min(distance, _distance(x, y, outline, mine[m]))
            if distance >= reach:
                continue
            z = _between(nodes, col - first_col, row - first_row, ratio)
            if np.isnan(z):
                continue
            valid += 1
            room = slope * _effective(distance, reach)
            change = min(max(z, datum - room), datum + room) - z
            if change < 0.0:
                cut -= change
            else:
                fill += change
    return cut, fill, valid
