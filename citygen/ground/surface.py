"""
Footprints and a DEM to whether the DEM is a surface model: whether its heights stand on the roofs instead of on the ground.

Around each footprint a plane is laid through the heights just outside; over bare ground, level or steep, the heights inside lie on
it, and over a surface model they lie a building above it.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Objects
from citygen.ground.dem import Dem
from citygen.ground.layers import layers_of
from citygen.ground.points import heights_at

STEP_M = 2.0
"""m. More than any terrace or error of a terrain model at most buildings of a town, less than any building's height."""

ENOUGH = 20
"""Footprints that must be measured before anything is said."""

_AREA_M2 = 30.0  # smaller ones are garages and sheds
_OUTSIDE, _INSIDE = 16, 8  # points along the outline of each


@dataclass(frozen=True, slots=True)
class SurfaceCheck:
    """
    What the heights at footprints say of a DEM.

    Attributes
    ----------
    footprints : int
        How many were large enough for the DEM's cells, and could be measured.
    step_m : float
        Median of how far the heights inside stand above those just outside, m; NaN when too few were measured.
    """

    footprints: int
    step_m: float

    @property
    def is_surface(self) -> bool:
        """Whether it is a surface model."""
        return self.footprints >= ENOUGH and self.step_m > STEP_M


def check_surface(dem: Dem, footprints: Objects, crs: str) -> SurfaceCheck:
    """
    Measure how far the DEM stands up inside footprints.

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it.
    footprints : (n,) array of shapely geometries
        In ``crs``; neighbours among them are known as such. What is missing, invalid or no polygon is passed over.
    crs : str
        Working CRS, metres.

    Returns
    -------
    SurfaceCheck

    Raises
    ------
    InputError
        When a file is damaged or gone.
    """
    steps = steps_at(dem, footprints, crs)
    steps = steps[np.isfinite(steps)]
    return SurfaceCheck(len(steps), float(np.median(steps)) if len(steps) >= ENOUGH else float("nan"))


def steps_at(dem: Dem, footprints: Objects, crs: str) -> Float64:
    """Return how far the heights inside each footprint stand above those just outside; (n,) float64, m, NaN: not measured."""
    out = np.full(len(footprints), np.nan)
    plain = np.array([shape is not None and shape.geom_type == "Polygon" for shape in footprints], dtype=bool)
    plain[plain] = shapely.is_valid(footprints[plain]) & (shapely.area(footprints[plain]) >= _AREA_M2)
    rows = np.flatnonzero(plain)
    if len(rows) == 0:
        return out
    cell = max(float(layer.step_m().max()) for layer in layers_of(dem)[:1])
    inner = shapely.buffer(footprints[rows], -max(1.0, 0.75 * cell))
    outer = shapely.buffer(footprints[rows], max(2.0, 1.5 * cell), quad_segs=2)
    fits = np.array([shape.geom_type == "Polygon" and not shape.is_empty for shape in inner], dtype=bool)
    rows, inner, outer = rows[fits], inner[fits], outer[fits]
    if len(rows) == 0:
        return out
    inside, outside = _along(inner, _INSIDE), _along(outer, _OUTSIDE)
    low = heights_at(dem, outside.reshape(-1, 2), crs).reshape(len(rows), _OUTSIDE)
    low[_built(outside, footprints[plain])] = np.nan
    high = heights_at(dem, inside.reshape(-1, 2), crs).reshape(len(rows), _INSIDE)
    out[rows] = _above_plane(outside, low, inside, high)
    return out


def _along(shapes: Objects, count: int) -> Float64:
    """Return points at equal steps along the outer ring of each polygon; (n, count, 2) float64."""
    rings = shapely.get_exterior_ring(shapes)
    shares = (np.arange(count) + 0.5) / count
    points = shapely.line_interpolate_point(rings[:, None], shares[None, :], normalized=True)
    coordinates: Float64 = shapely.get_coordinates(points.reshape(-1)).reshape(len(shapes), count, 2)
    return coordinates


def _built(places: Float64, footprints: Objects) -> Bool:
    """Return which places lie in a footprint, (n, count) bool: a neighbour's roof is not the ground."""
    flat = places.reshape(-1, 2)
    points = shapely.points(flat)
    hit = np.zeros(len(flat), dtype=np.bool_)
    hit[shapely.STRtree(footprints).query(points, predicate="within")[0]] = True
    return hit.reshape(places.shape[0], places.shape[1])


def _above_plane(outside: Float64, low: Float64, inside: Float64, high: Float64) -> Float64:
    """Return the median height inside above the plane of those outside; NaN with fewer than five of those, or half of the inner."""
    known = np.isfinite(low)
    middle = np.mean(outside, axis=1, keepdims=True)
    weight = known.astype(np.float64)
    matrix = np.concatenate([outside - middle, np.ones((*outside.shape[:2], 1))], axis=2)
    squares = np.einsum("nki,nk,nkj->nij", matrix, weight, matrix) + 1e-9 * np.eye(3)
    sums = np.einsum("nki,nk->ni", matrix, np.where(known, low, 0.0))
    plane = np.linalg.solve(squares, sums[:, :, None])
    flat = np.concatenate([inside - middle, np.ones((*inside.shape[:2], 1))], axis=2) @ plane
    above = high - flat[:, :, 0]
    good = (known.sum(axis=1) >= 5) & (np.isfinite(high).mean(axis=1) >= 0.5)
    out = np.full(len(low), np.nan)
    if good.any():
        out[good] = np.nanmedian(above[good], axis=1)
    return out
