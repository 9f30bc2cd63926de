"""One outline to roof faces around an apex: copies of it, shrunk towards its middle, stacked along a section."""

import numpy as np
from numba import njit

MIN_REACH_M = 0.05
"""m. A middle nearer than this to the line of an edge would make that edge's plane too steep for a roof."""


@njit(cache=True, nogil=True)
def middle(ring):
    """Return the centroid of an open counter-clockwise ring, and the least distance from it to the line of an edge."""
    area, cx, cy = 0.0, 0.0, 0.0
    x0, y0 = ring[0, 0], ring[0, 1]
    for i in range(1, len(ring) - 1):
        ax, ay = ring[i, 0] - x0, ring[i, 1] - y0
        bx, by = ring[i + 1, 0] - x0, ring[i + 1, 1] - y0
        cross = ax * by - ay * bx
        area += cross
        cx += cross * (ax + bx)
        cy += cross * (ay + by)
    cx, cy = x0 + cx / (3.0 * area), y0 + cy / (3.0 * area)
    least = np.inf
    j = len(ring) - 1
    for i in range(len(ring)):
        dx, dy = ring[i, 0] - ring[j, 0], ring[i, 1] - ring[j, 1]
        least = min(least, (dx * (cy - ring[j, 1]) - dy * (cx - ring[j, 0])) / np.hypot(dx, dy))
        j = i
    return cx, cy, least


@njit(cache=True, nogil=True)
def stack(xy, section):
    """
    Stack shrunken copies of one outline that its middle sees all of.

    ``xy`` (n, 2) is an open counter-clockwise ring, ``section`` its breaks from 0 (outline) to 1 (middle) and heights
    0..1 at them. Returns nodes (m, 3), the next vertex of each of the outline's, face corners, face offsets, the least
    distance from the middle to an edge, and whether the middle sees every edge.
    """
    breaks, heights = section
    n, levels = len(xy), len(breaks) - 1
    cx, cy, reach = middle(xy)
    nodes, corners = np.empty((n * levels + 1, 3)), np.empty(n * (4 * levels - 1), np.int64)
    faces, after = np.zeros(n * levels + 1, np.int64), np.empty(n, np.int64)
    for k in range(levels):
        for i in range(n):
            nodes[k * n + i, 0] = xy[i, 0] + breaks[k] * (cx - xy[i, 0])
            nodes[k * n + i, 1] = xy[i, 1] + breaks[k] * (cy - xy[i, 1])
            nodes[k * n + i, 2] = heights[k]
    nodes[n * levels, 0], nodes[n * levels, 1], nodes[n * levels, 2] = cx, cy, heights[levels]
    c, f = 0, 0
    for i in range(n):
        after[i] = (i + 1) % n
        for k in range(levels):
            corners[c], corners[c + 1] = k * n + i, k * n + after[i]
            if k + 1 < levels:
                corners[c + 2], corners[c + 3] = (k + 1) * n + after[i], (k + 1) * n + i
                c += 4
            else:
                corners[c + 2] = n * levels
                c += 3
            f += 1
            faces[f] = c
    return nodes, after, corners, faces, reach, reach > MIN_REACH_M
