"""Cells of a height raster to a smoother, filled or feathered surface (Numba kernels); conventions as in ``geom.raster``."""

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.raster import _blend

FINER = 4
"""Steps into which ``refine`` cuts a cell. The straight line between two nodes leaves the cubic by at most 1/128 of its second
difference over a cell: 8 cm where the slope changes by 10 m in a 30 m cell."""


@njit(cache=True, nogil=True, error_model="numpy")
def _keys(a: float, b: float, c: float, d: float, f: float) -> float:
    """Return the cubic convolution of four values, none of them void."""
    return b + 0.5 * f * (c - a + f * (2.0 * a - 5.0 * b + 4.0 * c - d + f * (3.0 * (b - c) + d - a)))


@njit(cache=True, nogil=True, error_model="numpy")
def _cubic_line(a: float, b: float, c: float, d: float, f: float) -> float:
    """
    Return the cubic convolution (Keys 1981, a = -1/2) between ``b`` and ``c`` at the fraction ``f``.

    A void ``a`` or ``d`` is continued as a straight line, so that a border is as smooth as a slope is.
    """
    if np.isnan(a):
        a = 2.0 * b - c
    if np.isnan(d):
        d = 2.0 * c - b
    z: float = _keys(a, b, c, d, f)
    return z


@njit(cache=True, nogil=True, error_model="numpy")
def _at(cells: Float64, y: int, x: int) -> float:
    nrows, ncols = cells.shape
    z: float = cells[y, x] if 0 <= y < nrows and 0 <= x < ncols else np.nan
    return z


@njit(cache=True, nogil=True, error_model="numpy")
def _row(cells: Float64, y: int, x: int, fx: float) -> float:
    """Return the height on row ``y`` between columns ``x`` and ``x + 1``, void where one of the two is."""
    b, c = _at(cells, y, x), _at(cells, y, x + 1)
    if np.isnan(b) or np.isnan(c):
        return np.nan
    z: float = _cubic_line(_at(cells, y, x - 1), b, c, _at(cells, y, x + 2), fx)
    return z


@njit(cache=True, nogil=True, error_model="numpy")
def _cubic(cells: Float64, y: int, x: int, fx: float, fy: float) -> float:
    """
    Return the height in the patch whose first corner is (y, x); bilinear beside a void.

    The short way, with all sixteen cells at hand, does the same sums: no bit hangs on which way was taken.
    """
    if 1 <= y < cells.shape[0] - 2 and 1 <= x < cells.shape[1] - 2:
        p = _keys(cells[y - 1, x - 1], cells[y - 1, x], cells[y - 1, x + 1], cells[y - 1, x + 2], fx)
        q = _keys(cells[y, x - 1], cells[y, x], cells[y, x + 1], cells[y, x + 2], fx)
        r = _keys(cells[y + 1, x - 1], cells[y + 1, x], cells[y + 1, x + 1], cells[y + 1, x + 2], fx)
        s = _keys(cells[y + 2, x - 1], cells[y + 2, x], cells[y + 2, x + 1], cells[y + 2, x + 2], fx)
        short: float = _keys(p, q, r, s, fy)
        if not np.isnan(short):
            return short
    z00, z01, z10, z11 = _at(cells, y, x), _at(cells, y, x + 1), _at(cells, y + 1, x), _at(cells, y + 1, x + 1)
    if np.isnan(z00) or np.isnan(z01) or np.isnan(z10) or np.isnan(z11):
        z: float = _blend(z00, z01, z10, z11, fx, fy)
    else:
        b, c = _row(cells, y, x, fx), _row(cells, y + 1, x, fx)
        z = _cubic_line(_row(cells, y - 1, x, fx), b, c, _row(cells, y + 2, x, fx), fy)
    return z


@njit(cache=True, nogil=True, error_model="numpy")
def heights_cubic(cells: Float64, corner: Int64, positions: Float64) -> Float64:
    """
    Interpolate at points by bicubic convolution.

    Parameters
    ----------
    cells, corner, positions
        As in ``geom.raster.heights``; the window should reach one cell farther on each side.

    Returns
    -------
    (n,) float64
        The values of the cells at their centres. Beside a void bilinear, NaN where ``geom.raster.heights`` is.
    """
    nrows, ncols = cells.shape
    out = np.full(len(positions), np.nan)
    for k in range(len(positions)):
        c, r = positions[k, 0], positions[k, 1]
        if not (np.isfinite(c) and np.isfinite(r)):
            continue
        j, i = np.floor(c), np.floor(r)
        x, y = int(j) - corner[1], int(i) - corner[0]
        if x < 0 or y < 0 or x >= ncols - 1 or y >= nrows - 1:
            continue
        out[k] = _cubic(cells, y, x, c - j, r - i)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def to_cells(xy: Float64, affine: Float64, extent: Int64, wrap: float) -> tuple[Float64, Int64]:
    """
    Turn points into pixel coordinates, and find the cells around all of them.

    Parameters
    ----------
    xy : (n, 2) float64
        In the raster's CRS.
    affine : (7,) float64
        Of the geotransform (a, b, c, d, e, f): e, b, c, d, a, f, those of cells divided by its determinant; then the x to
        which degrees are brought near.
    extent : (4,) int64
        First column, first row, end column, end row that a point may lie in; points beyond get NaN.
    wrap : float
        Degrees of a full turn, 0 for none.

    Returns
    -------
    positions : (n, 2) float64
        Column and row, cell centres at the integers; NaN where not near.
    box : (5,) int64
        First column, first row, end column, end row around the points, and how many are near.
    """
    out = np.full((len(xy), 2), np.nan)
    box = np.array([extent[2], extent[3], extent[0], extent[1], 0])
    for k in range(len(xy)):
        x, y = xy[k, 0], xy[k, 1]
        if not (np.isfinite(x) and np.isfinite(y)):
            continue
        if wrap > 0.0:
            x -= wrap * np.round((x - affine[6]) / wrap)
        dx, dy = x - affine[2], y - affine[5]
        c = dx * affine[0] - dy * affine[1] - 0.5
        r = dy * affine[4] - dx * affine[3] - 0.5
        if not (extent[0] < c < extent[2] and extent[1] < r < extent[3]):
            continue
        out[k, 0], out[k, 1] = c, r
        j, i = int(np.floor(c)), int(np.floor(r))
        box[0], box[1] = min(box[0], j), min(box[1], i)
        box[2], box[3] = max(box[2], j + 2), max(box[3], i + 2)
        box[4] += 1
    return out, box


@njit(cache=True, nogil=True, error_model="numpy")
def refine(cells: Float64) -> Float64:
    """
    Put nodes of the cubic surface between the cells of a window.

    Parameters
    ----------
    cells : (nrows, ncols) float64
        With one cell on each side that only lends its value; at least 3 x 3.

    Returns
    -------
    (4 (nrows - 3) + 1, 4 (ncols - 3) + 1) float64
        From the centre of cell (1, 1) to that of the last but one.
    """
    nrows, ncols = cells.shape
    out = np.empty((FINER * (nrows - 3) + 1, FINER * (ncols - 3) + 1))
    for p in range(out.shape[0]):
        y = p // FINER  # always the patch that begins here: a node must not hang on where the window ends
        fy = p / FINER - y
        for q in range(out.shape[1]):
            x = q // FINER
            out[p, q] = _cubic(cells, y + 1, x + 1, q / FINER - x, fy)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def depth(valid: Bool, step: Float64, most: float) -> Float64:
    """
    Measure how far inside the valid cells each cell lies.

    Parameters
    ----------
    valid : (nrows, ncols) bool
        What is beyond the window counts as valid.
    step : (2,) float64
        Metres from one column, and one row, to the next.
    most : float
        m. Distances are not followed farther.

    Returns
    -------
    (nrows, ncols) float64
        m, 0 at the outermost valid cells and outside, at most ``most``.
    """
    nrows, ncols = valid.shape
    cell = min(step[0], step[1])
    far = most + 2.0 * max(step[0], step[1])
    down = np.full((nrows, ncols), far)  # to the nearest void cell of the same column
    for x in range(ncols):
        run = far
        for y in range(nrows):
            run = 0.0 if not valid[y, x] else min(run + step[1], far)
            down[y, x] = run
        run = far
        for y in range(nrows - 1, -1, -1):
            run = 0.0 if not valid[y, x] else min(run + step[1], far)
            down[y, x] = min(down[y, x], run)
    out = np.empty((nrows, ncols))
    reach = int(np.ceil((most + cell) / step[0]))
    for y in range(nrows):
        for x in range(ncols):
            best = down[y, x] * down[y, x]
            for k in range(1, reach + 1):
                across = k * step[0] * k * step[0]
                if across >= best:
                    break
                if x - k >= 0:
                    best = min(best, across + down[y, x - k] * down[y, x - k])
                if x + k < ncols:
                    best = min(best, across + down[y, x + k] * down[y, x + k])
            out[y, x] = min(max(np.sqrt(best) - cell, 0.0), most)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def feather(upper: Float64, lower: Float64, inside: tuple[Float64, Float64], width: float) -> Float64:
    """
    Lay one surface over another, from which it parts over a width.

    Parameters
    ----------
    upper, lower : (nrows, ncols) float64
        Heights, NaN where void.
    inside : ((nrows, ncols) float64, (nrows, ncols) float64)
        Depth of each cell within the valid cells of the upper, and of the lower, as ``depth`` gives it.
    width : float
        m, over which the one goes over into the other; less where they share less.

    Returns
    -------
    (nrows, ncols) float64
        The lower at the border of the upper, the upper at the border of the lower and ``width`` inside its own; the one
        that is not void elsewhere.
    """
    out = upper.copy()
    for y in range(upper.shape[0]):
        for x in range(upper.shape[1]):
            if np.isnan(upper[y, x]):
                out[y, x] = lower[y, x]
            elif not np.isnan(lower[y, x]):
                a, b = inside[0][y, x], inside[1][y, x]
                span = min(width, a + b)
                share = min(a / span, 1.0) if span > 0.0 else 1.0
                if share < 1.0:
                    out[y, x] = lower[y, x] + share * (upper[y, x] - lower[y, x])
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def fill_voids(cells: Float64, step: Float64, most: float) -> Float64:
    """
    Fill void cells from the values around them.

    From each void cell one looks along eight directions for the first value, no farther than ``most``; the nearer a
    value, the more it weighs (inverse distance).

    Parameters
    ----------
    cells : (nrows, ncols) float64
        NaN where void.
    step : (2,) float64
        Metres from one column, and one row, to the next.
    most : float
        m.

    Returns
    -------
    (nrows, ncols) float64
        Cells of which no direction meets a value are still NaN.
    """
    nrows, ncols = cells.shape
    out = cells.copy()
    for y in range(nrows):
        for x in range(ncols):
            if not np.isnan(cells[y, x]):
                continue
            total, weight = 0.0, 0.0
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    if dx == 0 and dy == 0:
                        continue
                    length = np.sqrt((dx * step[0]) ** 2 + (dy * step[1]) ** 2)
                    r, c, far = y + dy, x + dx, length
                    while far <= most and 0 <= r < nrows and 0 <= c < ncols:
                        if not np.isnan(cells[r, c]):
                            total += cells[r, c] / far
                            weight += 1.0 / far
                            break
                        r, c, far = r + dy, c + dx, far + length
            if weight > 0.0:
                out[y, x] = total / weight
    return out
