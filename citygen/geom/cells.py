"""
A planar graph over a polygon to its cells: rings of nodes, outline first, that together tile the polygon.

Half-edges that keep the inside to their left are walked into loops (M. de Berg et al., Computational Geometry, chapter 2);
a loop that passes a node again is cut there, so that no ring touches itself.
"""

import numpy as np
import shapely

from citygen.arraytypes import Float64
from citygen.geom.planargraph import PlanarGraph
from citygen.geom.rings import ring_area

Loops = list[list[int]]
"""Rings of node numbers of one cell: its outline counter-clockwise, then its holes clockwise."""


def walk(graph: PlanarGraph) -> list[list[int]]:
    """Return the loops of half-edges that keep the inside to their left, as nodes; each cell has one or more."""
    points = graph.points()
    halves = [*sorted(graph.ring_pairs()), *((a, b) for k in sorted(graph.edges) for a, b in (k, (k[1], k[0])))]
    around: dict[int, list[tuple[float, int]]] = {}
    for a, b in halves:
        dx, dy = points[b] - points[a]
        around.setdefault(a, []).append((float(np.arctan2(dy, dx)), b))
    for out in around.values():
        out.sort()
    left = dict.fromkeys(halves)
    loops: list[list[int]] = []
    while left:
        start = next(iter(left))
        at, loop = start, []
        while at in left:
            del left[at]
            loop.append(at[0])
            at = (at[1], _next(at, around, points))
        loops.append(loop)
    return loops


def _next(half: tuple[int, int], around: dict[int, list[tuple[float, int]]], points: Float64) -> int:
    """Return where a loop turns to at the end of a half-edge: the sharpest turn to the left."""
    a, b = half
    dx, dy = points[a] - points[b]
    back = float(np.arctan2(dy, dx))
    out = around[b]
    before = [other for angle, other in out if angle < back]
    return before[-1] if before else out[-1][1]


def cells(graph: PlanarGraph) -> list[Loops] | None:
    """
    Turn a graph's loops into cells.

    Parameters
    ----------
    graph : PlanarGraph
        Inner edges only (``keep_inner``), none of which has the same cell on both sides.

    Returns
    -------
    list of list of list of int, or None
        Rings of each cell, none of which repeats a node; None when they do not tile the polygon.
    """
    points = graph.points()
    outer: Loops = []
    inner: Loops = []
    for loop in walk(graph):
        for ring in _simple(loop):
            (outer if _area(points, ring) > 0 else inner).append(ring)
    if any(len(ring) < 3 for ring in (*outer, *inner)):
        return None
    found: list[Loops] = [[ring] for ring in outer]
    shapes = [shapely.Polygon(points[ring]) for ring in outer]
    for hole in inner:
        within = _owner(points, hole, outer, shapes)
        if within is None:
            return None
        found[within].append(hole)
    total = sum(_area(points, ring) for cell in found for ring in cell)
    whole = graph.polygon.area
    return found if abs(total - whole) <= 1e-9 * whole + 1e-10 else None


def _area(points: Float64, ring: list[int]) -> float:
    return float(ring_area(points[ring], 0, len(ring)))


def _simple(loop: list[int]) -> list[list[int]]:
    """Cut a loop where it passes a node again."""
    rings: Loops = []
    path: list[int] = []
    at: dict[int, int] = {}
    for node in loop:
        if node in at:
            k = at[node]
            rings.append(path[k:])
            for gone in path[k:]:
                del at[gone]
            del path[k:]
        at[node] = len(path)
        path.append(node)
    rings.append(path)
    return rings


def _owner(points: Float64, hole: list[int], outer: Loops, shapes: list[shapely.Polygon]) -> int | None:
    """Return the smallest cell around a hole."""
    inside = shapely.Polygon(points[hole])
    steps = {(b, a) for a, b in zip(hole, [*hole[1:], hole[0]], strict=True)}
    best, size = None, np.inf
    for k, (ring, shape) in enumerate(zip(outer, shapes, strict=True)):
        if shape.area < size and shape.covers(inside):
            own = set(zip(ring, [*ring[1:], ring[0]], strict=True))
            if not own & steps:  # what fills the hole shares its edges, the other way round
                best, size = k, shape.area
    return best
