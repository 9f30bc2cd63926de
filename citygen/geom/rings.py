"""Rings to cleaner rings and to their measures: duplicate and collinear vertices, pinches, areas, main axes (Numba kernels)."""

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.tolerances import COLLINEAR_M, MIN_EDGE_M, PINCH_M


@njit(cache=True, nogil=True)
def ring_area(coords, start, stop):
    """Return the signed area of one open ring, m2; positive when counter-clockwise."""
    area = 0.0
    x0, y0 = coords[start, 0], coords[start, 1]
    for i in range(start + 1, stop - 1):
        ax, ay = coords[i, 0] - x0, coords[i, 1] - y0
        bx, by = coords[i + 1, 0] - x0, coords[i + 1, 1] - y0
        area += ax * by - ay * bx
    return 0.5 * area


@njit(cache=True, nogil=True)
def _segment_distance(px, py, ax, ay, bx, by):
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    s = 0.0
    if length2 > 0.0:
        s = min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / length2))
    return np.hypot(px - ax - s * dx, py - ay - s * dy)


@njit(cache=True, nogil=True)
def _clean_ring(ring, keep, min_edge, collinear):
    """Mark in ``keep`` the vertices of one open ring that stay; return how many."""
    n = len(ring)
    last = -1
    for i in range(n):  # vertices on top of the one before
        keep[i] = last < 0 or np.hypot(ring[i, 0] - ring[last, 0], ring[i, 1] - ring[last, 1]) > min_edge
        if keep[i]:
            last = i
    first = 0
    while last > first and np.hypot(ring[first, 0] - ring[last, 0], ring[first, 1] - ring[last, 1]) <= min_edge:
        keep[last] = False
        while last > first and not keep[last]:
            last -= 1
    # A vertex on the chord of its kept neighbours goes, as long as every vertex dropped since stays near the new chord.
    kept = np.flatnonzero(keep[:n])
    m = len(kept)
    if m < 4:
        return m
    corner, best = 0, -1.0  # start at the sharpest corner, which surely stays
    for k in range(m):
        p, q, r = ring[kept[k - 1]], ring[kept[k]], ring[kept[(k + 1) % m]]
        turn = abs((q[0] - p[0]) * (r[1] - q[1]) - (q[1] - p[1]) * (r[0] - q[0]))
        turn /= np.hypot(q[0] - p[0], q[1] - p[1]) * np.hypot(r[0] - q[0], r[1] - q[1])
        if turn > best + 1e-12:
            corner, best = k, turn
    anchor = corner
    k = corner + 1
    while k < corner + m:
        a, b = ring[kept[anchor % m]], ring[kept[(k + 1) % m]]
        flat = True
        for j in range(anchor + 1, k + 1):
            p = ring[kept[j % m]]
            if _segment_distance(p[0], p[1], a[0], a[1], b[0], b[1]) > collinear:
                flat = False
                break
        if flat:
            keep[kept[k % m]] = False
        else:
            anchor = k
        k += 1
    count = 0
    for i in range(n):
        if keep[i]:
            count += 1
    return count


@njit(cache=True, nogil=True)
def _clean(coords, ring_offsets, min_edge, collinear):
    keep = np.ones(len(coords), dtype=np.bool_)
    for r in range(len(ring_offsets) - 1):
        start, stop = ring_offsets[r], ring_offsets[r + 1]
        if _clean_ring(coords[start:stop], keep[start:stop], min_edge, collinear) < 3:
            keep[start:stop] = False
    return keep


def clean_vertices(coords: Float64, ring_offsets: Int64) -> Bool:
    """
    Say which vertices of open rings carry shape.

    Parameters
    ----------
    coords : (n, 2) float64
        Metres, near the origin (subtract a local origin first).
    ring_offsets : (r + 1,) int64
        Ring boundaries.

    Returns
    -------
    (n,) bool
        False for vertices within ``MIN_EDGE_M`` of the one before and for those within ``COLLINEAR_M`` of the chord that
        replaces them; all False for a ring that collapses.

    Examples
    --------
    >>> square = np.array([[0.0, 0], [1, 0], [2, 0], [2, 2], [0, 2]])
    >>> clean_vertices(square, np.array([0, 5])).tolist()
    [True, False, True, True, True]
    """
    keep: Bool = _clean(coords, ring_offsets, MIN_EDGE_M, COLLINEAR_M)
    return keep


@njit(cache=True, nogil=True)
def _pinched(coords, ring_offsets, polygon_offsets, tolerance):
    out = np.zeros(len(polygon_offsets) - 1, dtype=np.bool_)
    for p in range(len(out)):
        first, last = polygon_offsets[p], polygon_offsets[p + 1]
        for ra in range(first, last):
            for rb in range(first, last):
                for i in range(ring_offsets[ra], ring_offsets[ra + 1]):
                    if out[p]:
                        break
                    px, py = coords[i, 0], coords[i, 1]
                    start, stop = ring_offsets[rb], ring_offsets[rb + 1]
                    ax, ay = coords[stop - 1, 0], coords[stop - 1, 1]
                    a = stop - 1
                    for b in range(start, stop):
                        bx, by = coords[b, 0], coords[b, 1]
                        if (
                            i not in (a, b)
                            and px >= min(ax, bx) - tolerance
                            and px <= max(ax, bx) + tolerance
                            and py >= min(ay, by) - tolerance
                            and py <= max(ay, by) + tolerance
                            and _segment_distance(px, py, ax, ay, bx, by) <= tolerance
                        ):
                            out[p] = True
                            break
                        ax, ay, a = bx, by, b
    return out


def pinched(coords: Float64, ring_offsets: Int64, polygon_offsets: Int64) -> Bool:
    """
    Say which polygons touch themselves: a vertex within ``PINCH_M`` of an edge that it does not belong to.

    Returns
    -------
    (p,) bool

    Examples
    --------
    >>> eight = np.array([[0.0, 0], [1, 1], [2, 0], [2, 2], [1, 1], [0, 2]])
    >>> pinched(eight, np.array([0, 6]), np.array([0, 1])).tolist()
    [True]
    """
    out: Bool = _pinched(coords, ring_offsets, polygon_offsets, PINCH_M)
    return out


@njit(cache=True, nogil=True)
def polygon_areas(coords, ring_offsets, polygon_offsets):
    """Return (p,) float64: outline area less hole areas, m2."""
    out = np.zeros(len(polygon_offsets) - 1)
    for p in range(len(out)):
        for r in range(polygon_offsets[p], polygon_offsets[p + 1]):
            out[p] += ring_area(coords, ring_offsets[r], ring_offsets[r + 1])
    return out


@njit(cache=True, nogil=True)
def ring_lengths(coords, ring_offsets, polygon_offsets):
    """Return (p,) float64: length of all rings of each polygon, metres."""
    out = np.zeros(len(polygon_offsets) - 1)
    for p in range(len(out)):
        for r in range(polygon_offsets[p], polygon_offsets[p + 1]):
            j = ring_offsets[r + 1] - 1
            for i in range(ring_offsets[r], ring_offsets[r + 1]):
                out[p] += np.hypot(coords[i, 0] - coords[j, 0], coords[i, 1] - coords[j, 1])
                j = i
    return out


@njit(cache=True, nogil=True)
def main_axes(coords, ring_offsets, polygon_offsets):
    """
    Return the long axis of each outline's smallest rectangle among those along one of its edges.

    The rectangle of least area wins; within one part in a thousand, the direction along which (or square to which) more
    wall runs; within a hair of that too (squares), the direction nearest to x, so that it matters not where the ring starts.
    Returns (p, 4) float64: unit axis x, y (first component positive, or +y), length, width in metres.
    """
    out = np.empty((len(polygon_offsets) - 1, 4))
    for p in range(len(out)):
        start, stop = ring_offsets[polygon_offsets[p]], ring_offsets[polygon_offsets[p] + 1]
        best_area, best_run = np.inf, -1.0
        step = max(1, (stop - start) // 400)  # bounded work on very dense outlines
        j = stop - 1
        for i in range(start, stop):
            ux, uy = coords[i, 0] - coords[j, 0], coords[i, 1] - coords[j, 1]
            j = i
            length = np.hypot(ux, uy)
            if length == 0.0 or (i - start) % step != 0:
                continue
            ux, uy = ux / length, uy / length
            low_u, high_u, low_v, high_v, run = np.inf, -np.inf, np.inf, -np.inf, 0.0
            b = stop - 1
            for a in range(start, stop):
                u = coords[a, 0] * ux + coords[a, 1] * uy
                v = coords[a, 1] * ux - coords[a, 0] * uy
                low_u, high_u = min(low_u, u), max(high_u, u)
                low_v, high_v = min(low_v, v), max(high_v, v)
                du = (coords[a, 0] - coords[b, 0]) * ux + (coords[a, 1] - coords[b, 1]) * uy
                dv = (coords[a, 1] - coords[b, 1]) * ux - (coords[a, 0] - coords[b, 0]) * uy
                run += max(abs(du), abs(dv)) - min(abs(du), abs(dv))
                b = a
            area = (high_u - low_u) * (high_v - low_v)
            if high_v - low_v > (high_u - low_u) * 1.0001:
                ux, uy = -uy, ux
            if ux < -1e-12 or (abs(ux) <= 1e-12 and uy < 0.0):
                ux, uy = -ux, -uy
            tie = area < best_area * 1.001
            level = tie and abs(run - best_run) <= 1e-6 and area <= best_area * 1.000001
            nearer = ux > out[p, 0] + 1e-9 or (ux > out[p, 0] - 1e-9 and uy > out[p, 1] + 1e-9)
            if area < best_area * 0.999 or (tie and run > best_run + 1e-6) or (level and nearer):
                best_area, best_run = min(area, best_area), run
                out[p, 0], out[p, 1] = ux, uy
                out[p, 2] = max(high_u - low_u, high_v - low_v)
                out[p, 3] = min(high_u - low_u, high_v - low_v)
    return out
