"""
Seeds to outlines that straight skeletons are tried and timed on; the same seed gives the same outline everywhere.

Outlines of real buildings are mostly right-angled, turned, and digitised: edges that are nearly but not quite parallel, and
events that are nearly but not quite at one time. The families below make both, exactly and nearly.
"""

from collections.abc import Callable

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import Polygon

Random = np.random.Generator


def right_angled(rng: Random, n: int) -> Polygon:
    """Return a turned outline of ``n`` right-angled corners (even, 4 or more): columns of different heights on a base."""
    columns = (n - 2) // 2
    x = np.append(0.0, np.cumsum(rng.uniform(1.5, 6.0, columns)))
    step = np.where(np.arange(columns) % 2, 1, -1) * rng.uniform(0.5, 3.0, columns)
    top = 8.0 + np.cumsum(step) - 0.5 * step
    top = np.maximum(top, 2.0 + 0.1 * np.arange(columns))
    xy = np.column_stack([np.repeat(x, 2)[1:-1], np.repeat(top, 2)])
    return _turned(rng, Polygon([(0, 0), *xy.tolist(), (x[-1], 0)]))


def digitised(rng: Random, n: int) -> Polygon:
    """Return a turned L with ``n`` vertices (4: a rectangle) that lie about two centimetres off where they ought to."""
    a, b = rng.uniform(9.0, 22.0, 2)
    corners = [(0, 0), (a, 0), (a, b), (0, b)]
    if n >= 6:
        c, d = a * rng.uniform(0.35, 0.7), b * rng.uniform(0.35, 0.7)
        corners = [(0, 0), (a, 0), (a, d), (c, d), (c, b), (0, b)]
    ring = shapely.LinearRing(corners)
    more = rng.permutation(np.linspace(0, 1, 2 * n, endpoint=False))[: n - len(corners)]
    at = np.unique(np.append(more, [ring.project(shapely.Point(c), normalized=True) for c in corners]))
    xy = shapely.get_coordinates(shapely.line_interpolate_point(ring, at, normalized=True))
    return _turned(rng, Polygon(xy + rng.normal(0.0, 0.02, xy.shape)))


def star(rng: Random, n: int) -> Polygon:
    """Return an outline of ``n`` corners at any distance around a place that sees them all."""
    angle = np.cumsum(rng.uniform(0.4, 1.0, n))
    angle *= 2 * np.pi / (angle[-1] + 0.7)
    radius = rng.uniform(4.0, 14.0, n)
    return Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))


def letter(rng: Random, n: int) -> Polygon:  # noqa: ARG001  a letter has the corners that it has
    """Return a turned L, T, U, H, F, plus or Z of random widths; often two arms are equally wide."""
    w = rng.choice([2.0, 3.0, 4.0, 5.0], 4) if rng.random() < 0.6 else rng.uniform(2.0, 6.0, 4)
    long = rng.uniform(10.0, 20.0)
    box = shapely.box
    stem = box(0, 0, w[0], long)
    arms = {
        "L": [box(0, 0, long * 0.7, w[1])],
        "T": [box(-w[2] - 3, long - w[1], w[0] + w[3] + 3, long)],
        "U": [box(0, 0, 12, w[1]), box(12, 0, 12 + w[2], long * 0.8)],
        "H": [box(0, 4, 12, 4 + w[1]), box(12, 0, 12 + w[2], long)],
        "F": [box(0, long - w[1], 9, long), box(0, 4, 7, 4 + w[2] * 0.5)],
        "plus": [box(-5, 4, 5 + w[0], 4 + w[1])],
        "Z": [box(-6, 0, w[0], w[1]), box(0, long - w[2], 8, long)],
    }
    kind = sorted(arms)[int(rng.integers(len(arms)))]
    return _turned(rng, shapely.union_all([stem, *arms[kind]]))


def cells(rng: Random, n: int) -> Polygon:
    """Return a turned outline over about ``n`` unit cells of a grid, courtyards and all: events at one time everywhere."""
    filled = {(0, 0)}
    while len(filled) < n:
        x, y = sorted(filled)[int(rng.integers(len(filled)))]
        dx, dy = ((1, 0), (-1, 0), (0, 1), (0, -1))[int(rng.integers(4))]
        filled.add((x + dx, y + dy))
    whole = shapely.union_all([shapely.box(3 * x, 3 * y, 3 * x + 3, 3 * y + 3) for x, y in sorted(filled)])
    return _turned(rng, whole.normalize().simplify(0.0))


def courtyards(rng: Random, n: int) -> Polygon:
    """Return a turned outline with one to four courtyards, some square to its walls and some not."""
    a, b = rng.uniform(16.0, 40.0, 2)
    whole = shapely.box(0, 0, a, b)
    for k in range(int(rng.integers(1, 5))):
        x, y = rng.uniform(1.0, a - 6.0), rng.uniform(1.0, b - 6.0)
        hole = shapely.box(x, y, x + rng.uniform(1.5, 0.4 * a), y + rng.uniform(1.5, 0.4 * b))
        if k % 2:
            hole = affinity.rotate(hole, rng.uniform(0, 90))
        room = shapely.box(0, 0, a, b).buffer(-0.5).difference(shapely.box(0, 0, a, b).difference(whole).buffer(0.5))
        if room.contains(hole):
            whole = whole.difference(hole)
    if n > 8:
        whole = whole.intersection(affinity.translate(star(rng, n), a / 2, b / 2).buffer(6.0, join_style="mitre"))
    return _turned(rng, whole if isinstance(whole, Polygon) else max(whole.geoms, key=lambda part: part.area))


def nearly(rng: Random, n: int) -> Polygon:
    """Return a letter or cells with every vertex moved by centimetres to nanometres: events that are nearly at one time."""
    exact = (letter if rng.random() < 0.5 else cells)(rng, n)
    size = 10.0 ** rng.uniform(-9.0, -1.5)
    moved = [_jittered(rng, ring, size) for ring in (exact.exterior, *exact.interiors)]
    return Polygon(moved[0], moved[1:])


def _jittered(rng: Random, ring: shapely.LinearRing, size: float) -> np.ndarray:
    xy = shapely.get_coordinates(ring)[:-1]
    return xy + rng.normal(0.0, size, xy.shape)


def _turned(rng: Random, outline: Polygon) -> Polygon:
    return affinity.rotate(outline, float(rng.uniform(0, 360)), origin=(0, 0))


FAMILIES: dict[str, Callable[[Random, int], Polygon]] = {
    "right-angled": right_angled,
    "digitised": digitised,
    "star": star,
    "letter": letter,
    "cells": cells,
    "courtyards": courtyards,
    "nearly": nearly,
}


def outline(family: str, n: int, k: int) -> Polygon:
    """
    Make one outline.

    Parameters
    ----------
    family : str
        A name of ``FAMILIES``.
    n : int
        Vertices asked for (cells: grid cells).
    k : int
        Which outline of that kind.

    Returns
    -------
    shapely.Polygon
        Valid, in metres around the origin.
    """
    for attempt in range(100):
        rng = np.random.default_rng([20261123, n, k, list(FAMILIES).index(family), attempt])
        made = FAMILIES[family](rng, n)
        if isinstance(made, Polygon) and made.is_valid and not made.is_empty:
            return made
    raise ValueError(f"no valid outline of {family} with {n} vertices")
