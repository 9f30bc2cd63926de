"""Rings to rings without antennae and cuts: what is thinner than any wall is residue, not shape (Numba kernel)."""

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.rings import ring_area
from citygen.geom.tolerances import SPIKE_SLOPE, SPIKE_WIDTH_M


@njit(cache=True, nogil=True)
def _gap2(px, py, ax, ay, bx, by):
    """Return the squared distance of a point from a segment."""
    dx, dy = bx - ax, by - ay
    length2 = dx * dx + dy * dy
    s = 0.0
    if length2 > 0.0:
        s = min(1.0, max(0.0, ((px - ax) * dx + (py - ay) * dy) / length2))
    ex, ey = px - ax - s * dx, py - ay - s * dy
    return ex * ex + ey * ey


@njit(cache=True, nogil=True)
def _doubles_back(ring, a, b, c, d, width):
    """Say whether the way a to b and c to d (b and c are its turn, or one vertex) goes out and back within ``width``."""
    ux, uy = ring[a, 0] - ring[b, 0], ring[a, 1] - ring[b, 1]
    vx, vy = ring[d, 0] - ring[c, 0], ring[d, 1] - ring[c, 1]
    if ux * vx + uy * vy <= 0.0:
        return False
    u2, v2 = ux * ux + uy * uy, vx * vx + vy * vy
    if u2 <= v2:
        gap2 = _gap2(ring[a, 0], ring[a, 1], ring[c, 0], ring[c, 1], ring[d, 0], ring[d, 1])
    else:
        gap2 = _gap2(ring[d, 0], ring[d, 1], ring[a, 0], ring[a, 1], ring[b, 0], ring[b, 1])
    return gap2 <= width * width and gap2 <= SPIKE_SLOPE * SPIKE_SLOPE * min(u2, v2)


@njit(cache=True, nogil=True)
def _blunt(ring, before, after, b, c, width):
    """Say whether the short edge b to c is the tip of an antenna or the end of a cut."""
    dx, dy = ring[c, 0] - ring[b, 0], ring[c, 1] - ring[b, 1]
    return dx * dx + dy * dy <= width * width and _doubles_back(ring, before[b], b, c, after[c], width)


@njit(cache=True, nogil=True)
def _trim_ring(ring, keep, width):
    """Unmark in ``keep`` the tips of antennae and cuts of one open ring, from the tip down to the base."""
    n = len(ring)
    before, after = np.arange(-1, n - 1), np.arange(1, n + 1)
    before[0], after[n - 1] = n - 1, 0
    count, at, quiet = n, 0, 0
    while quiet < count and count > 3:
        a, c = before[at], after[at]
        if _doubles_back(ring, a, at, at, c, width):
            keep[at] = False
            count -= 1
            after[a], before[c] = c, a
            at, quiet = a, 0
        elif count > 4 and _blunt(ring, before, after, at, c, width):
            keep[at] = keep[c] = False
            count -= 2
            after[a], before[after[c]] = after[c], a
            at, quiet = a, 0
        else:
            at = c
            quiet += 1
    return n - count


@njit(cache=True, nogil=True)
def _trim(coords, ring_offsets, width):
    keep = np.ones(len(coords), dtype=np.bool_)
    for r in range(len(ring_offsets) - 1):
        start, stop = ring_offsets[r], ring_offsets[r + 1]
        if stop - start < 4 or _trim_ring(coords[start:stop], keep[start:stop], width) == 0:
            continue
        rest = coords[start:stop][keep[start:stop]]
        if abs(ring_area(rest, 0, len(rest))) < 0.5 * abs(ring_area(coords, start, stop)):
            keep[start:stop] = True  # it is thin as a whole: no antenna on something else
    return keep


def without_spikes(coords: Float64, ring_offsets: Int64) -> Bool:
    """
    Say which vertices of open rings are no tips of antennae or of cuts.

    An antenna is a way out and back whose sides lie within ``SPIKE_WIDTH_M`` of each other along the shorter one, and
    that is longer than wide (``SPIKE_SLOPE``); a cut is the same inwards. Its tip, pointed or blunt, goes, again and
    again down to its base. A ring that would lose more than half of its area is thin as a whole and stays as it is.

    Parameters
    ----------
    coords : (n, 2) float64
        Metres, near the origin.
    ring_offsets : (r + 1,) int64
        Ring boundaries.

    Returns
    -------
    (n,) bool
        False for tips; a ring keeps at least three vertices.

    Examples
    --------
    >>> house = np.array([[0.0, 0], [8, 0], [8, 6], [4.001, 6], [4, 20], [4, 6], [0, 6]])
    >>> without_spikes(house, np.array([0, 7])).tolist()
    [True, True, True, True, False, True, True]
    """
    keep: Bool = _trim(coords, ring_offsets, SPIKE_WIDTH_M)
    return keep
