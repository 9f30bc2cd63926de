"""A height raster with voids to the nearest cell that has a value, exactly and in metres (Numba kernels)."""

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64

Two = tuple[float, float]

BLOCK = 16
"""Cells. Side of the blocks that the search skips as a whole."""


@njit(cache=True, nogil=True, error_model="numpy")
def _occupied(cells: Float64) -> Bool:
    """Say for each block of a window whether any of its cells has a value."""
    nrows, ncols = cells.shape
    out = np.zeros(((nrows + BLOCK - 1) // BLOCK, (ncols + BLOCK - 1) // BLOCK), dtype=np.bool_)
    for y in range(nrows):
        for x in range(ncols):
            if not np.isnan(cells[y, x]):
                out[y // BLOCK, x // BLOCK] = True
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _gaps(position: Two, corner: Int64, shape: tuple[int, int], by: int, bx: int) -> Two:
    """Return the squared least and largest distance, in cells, of a position from the centres of a block."""
    c, r = position
    c_low, r_low = float(corner[1] + bx * BLOCK), float(corner[0] + by * BLOCK)
    c_high = float(corner[1] + min(bx * BLOCK + BLOCK, shape[1]) - 1)
    r_high = float(corner[0] + min(by * BLOCK + BLOCK, shape[0]) - 1)
    near_c, near_r = max(c_low - c, c - c_high, 0.0), max(r_low - r, r - r_high, 0.0)
    far_c, far_r = max(abs(c - c_low), abs(c - c_high)), max(abs(r - r_low), abs(r - r_high))
    return near_c * near_c + near_r * near_r, far_c * far_c + far_r * far_r


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest(cells: Float64, corner: Int64, occupied: Bool, position: Two, metric: Float64) -> tuple[float, int, int]:
    """
    Return squared distance, row and column (in the window; -1 for none) of the valid cell nearest to a position.

    Two passes: the nearest farthest corner of an occupied block bounds the distance, then only the blocks that can
    hold something nearer are looked into. Equal distances go to the smaller row, then to the smaller column.
    """
    shape = cells.shape
    least, most = metric[4] * metric[4] * (1.0 - 1e-9), metric[5] * metric[5] * (1.0 + 1e-9)
    bound = np.inf
    for by in range(occupied.shape[0]):
        for bx in range(occupied.shape[1]):
            if occupied[by, bx]:
                bound = min(bound, most * _gaps(position, corner, shape, by, bx)[1])
    found, row, col = np.inf, -1, -1
    for by in range(occupied.shape[0]):
        for bx in range(occupied.shape[1]):
            if not occupied[by, bx] or least * _gaps(position, corner, shape, by, bx)[0] > min(bound, found):
                continue
            for y in range(by * BLOCK, min(by * BLOCK + BLOCK, shape[0])):
                dr = float(y + corner[0]) - position[1]
                for x in range(bx * BLOCK, min(bx * BLOCK + BLOCK, shape[1])):
                    if np.isnan(cells[y, x]):
                        continue
                    dc = float(x + corner[1]) - position[0]
                    ex, ey = metric[0] * dc + metric[1] * dr, metric[2] * dc + metric[3] * dr
                    d = ex * ex + ey * ey
                    if d < found or (d == found and (y < row or (y == row and x < col))):
                        found, row, col = d, y, x
    return found, row, col


@njit(cache=True, nogil=True, error_model="numpy")
def nearest(
    cells: Float64, corner: Int64, positions: Float64, metrics: Float64, reach: float
) -> tuple[Float64, Float64]:
    """
    Find the nearest cell with a value.

    Parameters
    ----------
    cells : (nrows, ncols) float64
        A window of the raster, NaN where void.
    corner : (2,) int64
        Row and column of its first cell.
    positions : (k, 2) float64
        Column and row, absolute pixel coordinates.
    metrics : (k, 6) float64
        Metres a pixel at each position: the 2x2 matrix of (column, row) steps to (x, y), row by row, then its smallest
        and its largest singular value.
    reach : float
        m. Farther cells are not taken.

    Returns
    -------
    distance : (k,) float64
        m; inf where there is none within reach.
    height : (k,) float64
        NaN where there is none.
    """
    distance = np.full(len(positions), np.inf)
    height = np.full(len(positions), np.nan)
    occupied = _occupied(cells)
    for k in range(len(positions)):
        position = (positions[k, 0], positions[k, 1])
        d, row, col = _nearest(cells, corner, occupied, position, metrics[k])
        if row >= 0 and d <= reach * reach:
            distance[k] = np.sqrt(d)
            height[k] = cells[row, col]
    return distance, height
