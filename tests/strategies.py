"""Hypothesis strategies: simple polygons with holes and collinear vertices, and points."""

import numpy as np
import shapely
from hypothesis import strategies as st
from shapely.geometry import Polygon


@st.composite
def star_polygons(draw, *, most: int = 14, collinear: bool = False) -> Polygon:
    """Return a polygon that sees its centre: 3 to ``most`` corners, 2 to 40 m, optionally with vertices on its edges."""
    n = draw(st.integers(3, most))
    steps = np.array(draw(st.lists(st.integers(1, 12), min_size=n, max_size=n)), float)
    steps[:] = np.minimum(steps, steps.sum() * 0.45)  # no gap of half a turn, so the ring goes round its centre
    radius = np.array(draw(st.lists(st.integers(20, 200), min_size=n, max_size=n))) / 10
    angle = np.cumsum(steps) / steps.sum() * 2 * np.pi + draw(st.integers(0, 359)) / 57.3
    xy = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if collinear:
        share = draw(st.sampled_from([0.5, 0.25, 0.125]))
        xy = np.stack([xy, xy + share * (np.roll(xy, -1, axis=0) - xy)], axis=1).reshape(-1, 2)
    polygon = Polygon(xy)
    return polygon if polygon.is_valid else polygon.convex_hull


@st.composite
def holed_polygons(draw, *, most: int = 10) -> Polygon:
    """Return a star polygon with no to three holes well inside it."""
    polygon = draw(star_polygons(most=most))
    inside = polygon
    for _ in range(draw(st.integers(0, 3))):
        spots = shapely.buffer(inside, -0.5)
        if spots.is_empty:
            break
        west, south, east, north = spots.bounds
        x = west + (east - west) * draw(st.integers(0, 100)) / 100
        y = south + (north - south) * draw(st.integers(0, 100)) / 100
        spot = shapely.Point(x, y)
        gap = inside.boundary.distance(spot)
        if not spots.contains(spot) or gap < 0.5:
            continue
        hole = draw(star_polygons(most=6))
        factor = 0.8 * gap / shapely.hausdorff_distance(hole, shapely.Point(0, 0))
        hole = shapely.affinity.translate(shapely.affinity.scale(hole, factor, factor, origin=(0, 0)), x, y)
        inside = Polygon(inside.exterior, [*inside.interiors, hole.exterior])
    return inside
