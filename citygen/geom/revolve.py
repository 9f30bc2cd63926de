"""One outline to roof faces around an apex: copies of it, shrunk towards a place, stacked along a section."""

import numpy as np
from numba import njit

from citygen.geom.rings import ring_area

MIN_REACH_M = 0.05
"""m. A place nearer than this to the line of an edge would make that edge's plane too steep for a roof."""
_LEAST_REACH = 0.35
"""Distance from the middle to the nearest edge, as a share of the radius of a circle as large, from which an outline that is
not compact takes one apex: over an L it would be all but flat."""


@njit(cache=True, nogil=True, error_model="numpy")
def middle(ring):
    """Return the centroid of an open counter-clockwise ring."""
    area, cx, cy = 0.0, 0.0, 0.0
    x0, y0 = ring[0, 0], ring[0, 1]
    for i in range(1, len(ring) - 1):
        ax, ay = ring[i, 0] - x0, ring[i, 1] - y0
        bx, by = ring[i + 1, 0] - x0, ring[i + 1, 1] - y0
        cross = ax * by - ay * bx
        area += cross
        cx += cross * (ax + bx)
        cy += cross * (ay + by)
    return x0 + cx / (3.0 * area), y0 + cy / (3.0 * area)


@njit(cache=True, nogil=True, error_model="numpy")
def _reaches(ring, cx, cy, back):
    """Return least and largest distance from a place to the line of an edge, not the ``back`` one; negative: out of sight."""
    least, most = np.inf, -np.inf
    j = len(ring) - 1
    for i in range(len(ring)):
        dx, dy = ring[i, 0] - ring[j, 0], ring[i, 1] - ring[j, 1]
        if j != back:
            reach = (dx * (cy - ring[j, 1]) - dy * (cx - ring[j, 0])) / np.hypot(dx, dy)
            least, most = min(least, reach), max(most, reach)
        j = i
    return least, most


@njit(cache=True, nogil=True, error_model="numpy")
def takes_apex(ring, reach, is_compact):
    """Say whether an outline whose nearest edge is ``reach`` from its apex takes a roof around it."""
    return is_compact or reach >= _LEAST_REACH * np.sqrt(ring_area(ring, 0, len(ring)) / np.pi)


@njit(cache=True, nogil=True, error_model="numpy")
def apexes(coords, ring_offsets, polygon_offsets, is_compact):
    """
    Return where roofs around an apex have it.

    Takes polygons as ``model.rings.Rings`` holds them, and which are compact (``walls.compact``); returns, (p, 4), the apex' x
    and y and the least and the largest distance from it to the line of an edge; NaN for a polygon with holes, and for one
    whose middle does not see every edge or lies near one: its roof rises over the skeleton.
    """
    out = np.full((len(polygon_offsets) - 1, 4), np.nan)
    for p in range(len(out)):
        r = polygon_offsets[p]
        if polygon_offsets[p + 1] == r + 1:
            ring = coords[ring_offsets[r] : ring_offsets[r + 1]]
            cx, cy = middle(ring)
            least, most = _reaches(ring, cx, cy, -1)
            if least > MIN_REACH_M and takes_apex(ring, least, is_compact[p]):
                out[p, 0], out[p, 1], out[p, 2], out[p, 3] = cx, cy, least, most
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def stack(xy, section, back):
    """
    Stack shrunken copies of one outline towards its middle, or towards the middle of its edge ``back`` (-1: none).

    ``xy`` (n, 2) is an open counter-clockwise ring, ``section`` its breaks from 0 (outline) to 1 (apex) and heights at them.
    Returns nodes (m, 3), face corners, face offsets, the top edge of the back wall (nodes from its first vertex to its
    second; empty without one), the least distance from the apex to an edge, and whether the apex sees every edge.
    """
    breaks, heights = section
    n, levels = len(xy), len(breaks) - 1
    if back < 0:
        cx, cy = middle(xy)
    else:
        other = (back + 1) % n
        cx, cy = 0.5 * (xy[back, 0] + xy[other, 0]), 0.5 * (xy[back, 1] + xy[other, 1])
    reach, _ = _reaches(xy, cx, cy, back)
    nodes, corners = np.empty((n * levels + 1, 3)), np.empty(n * (4 * levels - 1), np.int64)
    faces = np.zeros(n * levels + 1, np.int64)
    for k in range(levels):
        for i in range(n):
            nodes[k * n + i, 0] = xy[i, 0] + breaks[k] * (cx - xy[i, 0])
            nodes[k * n + i, 1] = xy[i, 1] + breaks[k] * (cy - xy[i, 1])
            nodes[k * n + i, 2] = heights[k]
    nodes[n * levels, 0], nodes[n * levels, 1], nodes[n * levels, 2] = cx, cy, heights[levels]
    c, f = 0, 0
    for i in range(n):
        after = (i + 1) % n
        if i == back:
            continue
        for k in range(levels):
            corners[c], corners[c + 1] = k * n + i, k * n + after
            if k + 1 < levels:
                corners[c + 2], corners[c + 3] = (k + 1) * n + after, (k + 1) * n + i
                c += 4
            else:
                corners[c + 2] = n * levels
                c += 3
            f += 1
            faces[f] = c
    wall = np.empty(0 if back < 0 else 2 * levels + 1, np.int64)
    for k in range(len(wall)):
        wall[k] = k * n + back if k < levels else (2 * levels - k) * n + (back + 1) % n
    if back >= 0:
        wall[levels] = n * levels
    return nodes, corners[:c], faces[: f + 1], wall, reach, reach > MIN_REACH_M
