"""Faces and level bands across them to the stretches of each band that lie within its face, clear of every edge."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def clear_spans(xy, ring_offsets, face_offsets, jobs, up, band, least):
    """
    Find where a band crosses a face without coming near its edges.

    An edge that reaches into the band blocks the stretch over which it does so, and ``band``'s side margin beyond. What is
    left between two blocked stretches is within the face or without it as a whole; a ray along the band says which.

    Parameters
    ----------
    xy : (c, 2) float64
        Plan place of every corner, metres.
    ring_offsets : (r + 1,) int64
        Corners of each ring.
    face_offsets : (f + 1,) int64
        Rings of each face.
    jobs : (j,) int64
        Face of each band.
    up : (j, 2) float64
        Unit vector across each band; along it is the vector a quarter turn clockwise from that.
    band : (j, 3) float64
        Lower and upper bound across, and the margin along, metres.
    least : (j,) float64
        Shorter spans are left out, metres.

    Returns
    -------
    job : (s,) int64
        Band of each span, ascending.
    span : (s, 2) float64
        From where to where along the band, ascending within it.
    """
    job, span = [np.int64(0) for _ in range(0)], [0.0 for _ in range(0)]
    for j in np.arange(len(jobs)):
        first, last = face_offsets[jobs[j]], face_offsets[jobs[j] + 1]
        size = ring_offsets[last] - ring_offsets[first]
        blocked = np.empty((size, 2))
        n = _blocked(xy, ring_offsets[first : last + 1], up[j], band[j], blocked)
        order = np.argsort(blocked[:n, 0], kind="mergesort")
        middle, end = 0.5 * (band[j, 0] + band[j, 1]), np.inf
        for k in order:
            start = blocked[k, 0]
            if start - end >= least[j] and _inside(
                xy, ring_offsets[first : last + 1], up[j], 0.5 * (start + end), middle
            ):
                job.append(j)
                span.append(end)
                span.append(start)
            end = blocked[k, 1] if end == np.inf else max(end, blocked[k, 1])
    return np.array(job, dtype=np.int64), np.array(span, dtype=np.float64).reshape(-1, 2)


@njit(cache=True, nogil=True)
def _blocked(xy, rings, up, band, out):
    """Fill ``out`` with the stretch that each edge blocks; return how many do."""
    low, high, margin = band[0], band[1], band[2]
    n = 0
    for r in range(len(rings) - 1):
        for c in range(rings[r], rings[r + 1]):
            d = c + 1 if c + 1 < rings[r + 1] else rings[r]
            u1, v1 = xy[c, 0] * up[1] - xy[c, 1] * up[0], xy[c, 0] * up[0] + xy[c, 1] * up[1]
            u2, v2 = xy[d, 0] * up[1] - xy[d, 1] * up[0], xy[d, 0] * up[0] + xy[d, 1] * up[1]
            if v1 > v2:
                u1, v1, u2, v2 = u2, v2, u1, v1
            if v2 < low or v1 > high:
                continue
            if v2 > v1:
                slope = (u2 - u1) / (v2 - v1)
                a = u1 + slope * (low - v1) if v1 < low else u1
                b = u2 - slope * (v2 - high) if v2 > high else u2
            else:
                a, b = u1, u2
            out[n, 0], out[n, 1] = min(a, b) - margin, max(a, b) + margin
            n += 1
    return n


@njit(cache=True, nogil=True)
def _inside(xy, rings, up, u, v):
    """Say whether a place lies within a face: a ray along the band crosses its rings an odd number of times."""
    odd = False
    for r in range(len(rings) - 1):
        for c in range(rings[r], rings[r + 1]):
            d = c + 1 if c + 1 < rings[r + 1] else rings[r]
            u1, v1 = xy[c, 0] * up[1] - xy[c, 1] * up[0], xy[c, 0] * up[0] + xy[c, 1] * up[1]
            u2, v2 = xy[d, 0] * up[1] - xy[d, 1] * up[0], xy[d, 0] * up[0] + xy[d, 1] * up[1]
            if (v1 > v) != (v2 > v) and u1 + (v - v1) * (u2 - u1) / (v2 - v1) > u:
                odd = not odd
    return odd
