"""Points of several groups to the nearest points of each one's own group, within a reach (Numba kernel over a grid)."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import njit

from citygen.arraytypes import AnyArray, Float64, Int64

_CELLS = 64
"""Cells that a reach is long: dense towns have a point or two in one, and the search doubles its ring from there."""
_QUERIES_A_THREAD = 2048
"""Fewer are not worth a thread."""
MOST_LOOKED_AT = 4096
"""Points that one search looks at in one ring; a heap of thousands within some metres says no more than its first ones."""


@njit(cache=True, nogil=True, error_model="numpy")
def _first(keys: Int64, wanted: int) -> int:
    """Return the first place of a sorted array whose key is not below a wanted one."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def _search(sorted_xy, order, keys, grid, query, own, ring, reach, found_index, found_d2):
    """Fill the nearest points of one query from the cells within a ring; return how many there are."""
    count, looked, k = 0, 0, len(found_index)
    cell, west, south, ncols, nrows = grid
    col, row = int((query[0] - west) // cell), int((query[1] - south) // cell)
    base = int(query[2]) * ncols * nrows
    for r in range(max(0, row - ring), min(nrows - 1, row + ring) + 1):
        first_col, last_col = max(0, col - ring), min(ncols - 1, col + ring)
        at = _first(keys, base + r * ncols + first_col)
        while first_col <= last_col and at < len(keys) and keys[at] <= base + r * ncols + last_col:
            dx, dy = sorted_xy[at, 0] - query[0], sorted_xy[at, 1] - query[1]
            d2, index = dx * dx + dy * dy, order[at]
            at += 1
            looked += 1
            if looked > MOST_LOOKED_AT:
                return count
            if index == own or d2 > reach * reach:
                continue
            place = count
            while place > 0 and (
                d2 < found_d2[place - 1] or (d2 == found_d2[place - 1] and index < found_index[place - 1])
            ):
                place -= 1
            if place < k:
                count = min(count + 1, k)
                for j in range(count - 1, place, -1):
                    found_d2[j], found_index[j] = found_d2[j - 1], found_index[j - 1]
                found_d2[place], found_index[place] = d2, index
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _all(sorted_xy, order, keys, grid, queries, own, k, reach):
    """Search for each query, in rings that double until they hold its ``k`` nearest or reach the reach."""
    out = np.full((len(queries), k), -1, dtype=np.int64)
    distance = np.full((len(queries), k), np.inf)
    for q in range(len(queries)):
        ring = 1
        while True:
            count = _search(sorted_xy, order, keys, grid, queries[q], own[q], ring, reach, out[q], distance[q])
            safe = ring * grid[0]  # everything nearer than this lies in the ring's cells
            if safe >= reach or (count == k and distance[q, k - 1] <= safe * safe):
                break
            ring *= 2
        for j in range(count, k):
            out[q, j], distance[q, j] = -1, np.inf
        for j in range(count):
            distance[q, j] = np.sqrt(distance[q, j])
    return out, distance


def k_nearest(
    points: tuple[Float64, Int64], queries: tuple[Float64, Int64], own: Int64, *, k: int, reach: float
) -> tuple[Int64, Float64]:
    """
    Find the nearest points of each query's own group.

    Parameters
    ----------
    points : ((n, 2) float64, (n,) int64)
        Coordinates in metres, finite, and group of each point, from 0.
    queries : ((m, 2) float64, (m,) int64)
        Coordinates, finite, and group of each query.
    own : (m,) int64
        The point that is the query itself and is left out; -1 for none.
    k : int
        How many, at least 1.
    reach : float
        Metres; points farther away do not count.

    Returns
    -------
    index : (m, k) int64
        Numbers of points, the nearest first, equal distances in their own order; -1 where there are fewer.
    distance : (m, k) float64
        Metres; inf where there are fewer.

    Examples
    --------
    >>> xy, group = np.array([[0.0, 0], [3, 0], [5, 0], [900, 0]]), np.zeros(4, dtype=np.int64)
    >>> k_nearest((xy, group), (xy, group), np.arange(4), k=2, reach=100.0)[0].tolist()
    [[1, 2], [2, 0], [1, 0], [-1, -1]]
    """
    xy, group = points
    wanted = np.ascontiguousarray(np.column_stack([queries[0], queries[1].astype(np.float64)]))
    if len(xy) == 0 or len(wanted) == 0:
        return np.full((len(wanted), k), -1, dtype=np.int64), np.full((len(wanted), k), np.inf)
    cell = reach / _CELLS
    west, south = np.minimum(xy.min(axis=0), wanted[:, :2].min(axis=0)).tolist()
    col, row = ((xy - (west, south)) // cell).astype(np.int64).T
    ncols, nrows = int(col.max()) + 1, int(row.max()) + 1
    key = (group * nrows + row) * ncols + col
    order: AnyArray = np.argsort(key, kind="stable")
    sorted_xy, sorted_keys, grid = np.ascontiguousarray(xy[order]), key[order], (cell, west, south, ncols, nrows)

    def search(part: slice) -> tuple[Int64, Float64]:
        found: tuple[Int64, Float64] = _all(sorted_xy, order, sorted_keys, grid, wanted[part], own[part], k, reach)
        return found

    count = min(os.cpu_count() or 1, len(wanted) // _QUERIES_A_THREAD)
    if count < 2:
        return search(slice(None))
    edges = np.linspace(0, len(wanted), count + 1).astype(int).tolist()
    with ThreadPoolExecutor(count) as threads:  # each query is answered by itself: the same in any number of threads
        parts = list(threads.map(search, (slice(a, b) for a, b in pairwise(edges))))
    return np.concatenate([index for index, _ in parts]), np.concatenate([distance for _, distance in parts])
