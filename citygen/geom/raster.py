"""Cells of a height raster to heights at points and under polygons (Numba kernels).

Conventions of every kernel here. ``cells`` is a window (nrows, ncols) float64 of a raster, NaN where it is void, whose
first cell is ``corner`` (row, column) of the raster. Positions are (column, row) in *absolute pixel coordinates*, cell
centres at the integers, so that no result depends on the window that was read. Between the centres of four cells
(a patch) the surface is bilinear; where some of the four are void the others' weights are scaled up to one.
"""

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64

Two = tuple[float, float]
Side = tuple[float, float, float]
Four = tuple[float, float, float, float]

MIN_WEIGHT = 1e-6
"""Relative. Void neighbours may take all but this share of the weights; beyond it the place itself is void."""

LOW, HIGH, NODE_SUM, NODES, LINE_SUM, LINE_M, SAMPLES, VOID, PATCHED, FLUX_X, FLUX_Y = range(11)
"""Columns of what ``drape`` returns; see there."""

COLUMNS = 11
"""How many there are."""


@njit(cache=True, nogil=True, error_model="numpy")
def _blend(z00: float, z01: float, z10: float, z11: float, fx: float, fy: float) -> float:
    """Return the height at the fractions (fx, fy) of a patch, NaN where too little weight is valid."""
    total = 0.0
    weight = 0.0
    if not np.isnan(z00):
        w = (1.0 - fx) * (1.0 - fy)
        total += w * z00
        weight += w
    if not np.isnan(z01):
        w = fx * (1.0 - fy)
        total += w * z01
        weight += w
    if not np.isnan(z10):
        w = (1.0 - fx) * fy
        total += w * z10
        weight += w
    if not np.isnan(z11):
        w = fx * fy
        total += w * z11
        weight += w
    return total / weight if weight > MIN_WEIGHT else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _bilinear(z00: float, z01: float, z10: float, z11: float, fx: float, fy: float) -> float:
    """Return the height at the fractions (fx, fy) of a patch without a void."""
    top = z00 + fx * (z01 - z00)
    bottom = z10 + fx * (z11 - z10)
    return top + fy * (bottom - top)


@njit(cache=True, nogil=True, error_model="numpy")
def heights(cells: Float64, corner: Int64, positions: Float64) -> Float64:
    """
    Interpolate at points.

    Parameters
    ----------
    cells : (nrows, ncols) float64
        A window of the raster, NaN where void.
    corner : (2,) int64
        Row and column of its first cell.
    positions : (n, 2) float64
        Column and row, absolute pixel coordinates.

    Returns
    -------
    (n,) float64
        NaN where none of the four neighbours has a value or the point lies outside the window.
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
        z00, z01, z10, z11 = cells[y, x], cells[y, x + 1], cells[y + 1, x], cells[y + 1, x + 1]
        if np.isnan(z00) or np.isnan(z01) or np.isnan(z10) or np.isnan(z11):
            out[k] = _blend(z00, z01, z10, z11, c - j, r - i)
        else:
            out[k] = _bilinear(z00, z01, z10, z11, c - j, r - i)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _note(z: float, acc: Float64) -> bool:
    """Add one sample to the statistics of a polygon; say whether it has a value."""
    acc[SAMPLES] += 1.0
    if np.isnan(z):
        acc[VOID] += 1.0
        return False
    acc[LOW] = min(acc[LOW], z)
    acc[HIGH] = max(acc[HIGH], z)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _drape_piece(patch: Four, start: Two, middle: Two, end: Two, side: Side, acc: Float64) -> None:
    """
    Take in the part of an edge that crosses one patch.

    ``start``, ``middle``, ``end`` are (fx, fy) in the patch. The surface along a straight line is a quadratic there, so
    its ends and its vertex give its exact extremes and Simpson's rule gives its exact integral. ``side`` is the piece's
    length and its outward normal times that, m.
    """
    z00, z01, z10, z11 = patch
    if np.isnan(z00) or np.isnan(z01) or np.isnan(z10) or np.isnan(z11):
        za = _blend(z00, z01, z10, z11, start[0], start[1])
        zm = _blend(z00, z01, z10, z11, middle[0], middle[1])
        zb = _blend(z00, z01, z10, z11, end[0], end[1])
        valid = _note(za, acc)
        valid &= _note(zm, acc)
        valid &= _note(zb, acc)
        acc[PATCHED] += 3.0
    else:
        za = _bilinear(z00, z01, z10, z11, start[0], start[1])
        zm = _bilinear(z00, z01, z10, z11, middle[0], middle[1])
        zb = _bilinear(z00, z01, z10, z11, end[0], end[1])
        acc[SAMPLES] += 3.0
        acc[LOW] = min(acc[LOW], za, zm, zb)
        acc[HIGH] = max(acc[HIGH], za, zm, zb)
        bend = 2.0 * (za + zb - 2.0 * zm)
        if bend != 0.0:
            s = -(zb - za - bend) / (2.0 * bend)
            if 0.0 < s < 1.0:
                fx = start[0] + s * (end[0] - start[0])
                fy = start[1] + s * (end[1] - start[1])
                z = _bilinear(z00, z01, z10, z11, fx, fy)
                acc[LOW] = min(acc[LOW], z)
                acc[HIGH] = max(acc[HIGH], z)
        valid = True
    if valid:
        mean = (za + 4.0 * zm + zb) / 6.0
        acc[LINE_SUM] += mean * side[0]
        acc[LINE_M] += side[0]
        acc[FLUX_X] += mean * side[1]
        acc[FLUX_Y] += mean * side[2]


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(position: float, first: float) -> float:
    return min(1.0, max(0.0, position - first))


@njit(cache=True, nogil=True, error_model="numpy")
def _drape_edge(cells: Float64, window: Int64, a: Two, b: Two, edge: Float64, acc: Float64) -> None:
    """Walk an edge from ``a`` to ``b``, cut at every line of cell centres; take in the pieces in the strip."""
    nrows, ncols = cells.shape
    c0, r0 = a
    dc, dr = b[0] - c0, b[1] - r0
    step_c = 1.0 if dc > 0.0 else -1.0
    step_r = 1.0 if dr > 0.0 else -1.0
    line_c = np.floor(c0) + 1.0 if dc > 0.0 else np.ceil(c0) - 1.0
    line_r = np.floor(r0) + 1.0 if dr > 0.0 else np.ceil(r0) - 1.0
    t0 = 0.0
    while t0 < 1.0:
        tc = (line_c - c0) / dc if dc != 0.0 else 2.0
        tr = (line_r - r0) / dr if dr != 0.0 else 2.0
        t1 = min(tc, tr, 1.0)
        if tc <= t1:
            line_c += step_c
        if tr <= t1:
            line_r += step_r
        if t1 <= t0:
            continue
        ta, tm, t0 = t0, 0.5 * (t0 + t1), t1
        j, i = np.floor(c0 + tm * dc), np.floor(r0 + tm * dr)
        if i < window[2] or i >= window[3]:
            continue
        y, x = int(i) - window[0], int(j) - window[1]
        if x < 0 or y < 0 or x >= ncols - 1 or y >= nrows - 1:
            acc[SAMPLES] += 3.0
            acc[VOID] += 3.0
            continue
        patch = (cells[y, x], cells[y, x + 1], cells[y + 1, x], cells[y + 1, x + 1])
        start = (_inside(c0 + ta * dc, j), _inside(r0 + ta * dr, i))
        middle = (_inside(c0 + tm * dc, j), _inside(r0 + tm * dr, i))
        end = (_inside(c0 + t1 * dc, j), _inside(r0 + t1 * dr, i))
        side = ((t1 - ta) * edge[0], (t1 - ta) * edge[1], (t1 - ta) * edge[2])
        _drape_piece(patch, start, middle, end, side, acc)


@njit(cache=True, nogil=True, error_model="numpy")
def _crossings(positions: Float64, ring_offsets: Int64, first: int, last: int, row: float, out: Float64) -> int:
    """Write the columns at which rings ``first`` to ``last`` cross a row, ascending; return how many."""
    n = 0
    for ring in range(first, last):
        start, stop = ring_offsets[ring], ring_offsets[ring + 1]
        for v in range(start, stop):
            w = v + 1 if v + 1 < stop else start
            ra, rb = positions[v, 1], positions[w, 1]
            if (ra <= row) != (rb <= row):
                out[n] = positions[v, 0] + (row - ra) * (positions[w, 0] - positions[v, 0]) / (rb - ra)
                n += 1
    if n > 32:
        out[:n] = np.sort(out[:n])
        return n
    for k in range(1, n):  # a few: insertion is quicker
        value = out[k]
        m = k - 1
        while m >= 0 and out[m] > value:
            out[m + 1] = out[m]
            m -= 1
        out[m + 1] = value
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _drape_nodes(
    cells: Float64, window: Int64, positions: Float64, ring_offsets: Int64, first: int, last: int, acc: Float64
) -> None:
    """Take in the cell centres inside a polygon (even-odd, so not those in holes), row by row."""
    nrows, ncols = cells.shape
    begin, end = ring_offsets[first], ring_offsets[last]
    lowest, highest = positions[begin, 1], positions[begin, 1]
    for v in range(begin + 1, end):
        lowest = min(lowest, positions[v, 1])
        highest = max(highest, positions[v, 1])
    r_from = max(int(np.ceil(lowest)), window[0], window[2])
    r_to = min(int(np.floor(highest)) + 1, window[0] + nrows, window[3])
    if r_from >= r_to:
        return
    columns = np.empty(end - begin)
    for r in range(r_from, r_to):
        y = r - window[0]
        n = _crossings(positions, ring_offsets, first, last, float(r), columns)
        for k in range(0, n - 1, 2):
            x_from = int(max(np.ceil(columns[k]) - window[1], 0.0))
            x_to = int(min(np.floor(columns[k + 1]) + 1.0 - window[1], float(ncols)))
            for x in range(x_from, x_to):
                if _note(cells[y, x], acc):
                    acc[NODE_SUM] += cells[y, x]
                    acc[NODES] += 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def drape(
    cells: Float64,
    window: Int64,
    positions: Float64,
    ring_offsets: Int64,
    polygon_offsets: Int64,
    chosen: Int64,
    edges: Float64,
) -> Float64:
    """
    Gather the surface under polygons: along every edge, and at every cell centre inside.

    The low and the high are the extremes of the interpolated surface over the polygon: a bilinear patch has none in its
    interior, so they lie at a cell centre, or on an edge, where each patch is a quadratic.

    Parameters
    ----------
    cells : (nrows, ncols) float64
        A window of the raster, NaN where void.
    window : (4,) int64
        Row and column of its first cell; then the rows from (inclusive) and to (exclusive) that this call answers for.
    positions : (n, 2) float64
        Vertices, column and row, absolute pixel coordinates, finite for the chosen polygons.
    ring_offsets, polygon_offsets : (r + 1,), (p + 1,) int64
        As in ``Rings``.
    chosen : (k,) int64
        The polygons to do.
    edges : (n, 3) float64
        Of the edge that starts at each vertex: its length, and its outward normal times that, m (weights only).

    Returns
    -------
    (k, 11) float64
        LOW, HIGH (inf and -inf without a valid sample), NODE_SUM and NODES over valid centres inside, LINE_SUM (m2) and
        LINE_M over valid edge pieces, counts: SAMPLES, VOID (without a value), PATCHED (on edges, beside a void), and
        FLUX_X, FLUX_Y (m2): the surface times the outward normal, over valid edge pieces. Where all are valid, these are
        the integral of the surface's slope over the polygon (Green's theorem).
    """
    out = np.zeros((len(chosen), COLUMNS))
    for k in range(len(chosen)):
        acc = out[k]
        acc[LOW], acc[HIGH] = np.inf, -np.inf
        first, last = polygon_offsets[chosen[k]], polygon_offsets[chosen[k] + 1]
        if ring_offsets[first] == ring_offsets[last]:
            continue
        for ring in range(first, last):
            start, stop = ring_offsets[ring], ring_offsets[ring + 1]
            for v in range(start, stop):
                w = v + 1 if v + 1 < stop else start
                ra, rb = positions[v, 1], positions[w, 1]
                if max(ra, rb) < window[2] or min(ra, rb) > window[3]:
                    continue
                a, b = (positions[v, 0], ra), (positions[w, 0], rb)
                _drape_edge(cells, window, a, b, edges[v], acc)
        _drape_nodes(cells, window, positions, ring_offsets, first, last, acc)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def paint(mask: Bool, corner: Int64, boxes: Int64) -> None:
    """Set ``mask`` true in boxes (k, 4) int64 of col_from, row_from, col_to, row_to (exclusive), clipped to it."""
    nrows, ncols = mask.shape
    for k in range(len(boxes)):
        x_from, x_to = max(boxes[k, 0] - corner[1], 0), min(boxes[k, 2] - corner[1], ncols)
        y_from, y_to = max(boxes[k, 1] - corner[0], 0), min(boxes[k, 3] - corner[0], nrows)
        for y in range(y_from, y_to):
            for x in range(x_from, x_to):
                mask[y, x] = True
