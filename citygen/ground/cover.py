"""A DEM and an area to whether the one covers the other, and the error that shows both extents where it does not."""

import warnings
from typing import Literal

import numpy as np
import shapely
from pyproj import CRS
from pyproj.transformer import TransformerGroup
from shapely.geometry.base import BaseGeometry

from citygen.arraytypes import Float64
from citygen.errors import CoverageError
from citygen.ground.dem import Dem
from citygen.ground.layers import Layer, from_pixels, layers_of, project, to_pixels
from citygen.log import get_logger

log = get_logger(__name__)

Cover = Literal["all", "part", "none"]
Bounds = tuple[float, float, float, float]

_EDGE_POINTS = 33  # on each side of an area, so that it keeps its shape in another projection
_WHOLE = 1.0 - 1e-6  # share of the area from which several layers cover it whole: chords of two projections


def covers(dem: Dem, bounds: Bounds, crs: str) -> Cover:
    """
    Say how much of an area the rasters of a DEM cover (voids inside a raster are not looked at).

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it.
    bounds : tuple of 4 float
        min x, min y, max x, max y.
    crs : str
        CRS of the bounds.

    Returns
    -------
    {'all', 'part', 'none'}
        'none' also where the projection to the DEM's CRS has no answer.
    """
    area = shapely.box(*bounds)
    if area.area == 0.0:
        area = area.buffer(1e-6)
    edge = shapely.segmentize(area, max(bounds[2] - bounds[0], bounds[3] - bounds[1], 1e-6) / (_EDGE_POINTS - 1))
    covered = shapely.union_all([_covered(layer, edge, crs) for layer in layers_of(dem)])
    share = shapely.intersection(covered, area).area / area.area
    if share == 0.0:
        return "none"
    return "all" if share >= _WHOLE else "part"


def require_cover(dem: Dem, bounds: Bounds, crs: str) -> Cover:
    """
    See that a DEM covers at least a part of an area, and that the way between their CRSs is as exact as it can be.

    Parameters
    ----------
    dem, bounds, crs
        As in ``covers``.

    Returns
    -------
    {'all', 'part'}
        How much it covers; 'part' is also logged.

    Raises
    ------
    CoverageError
        When it covers nothing; the message shows both extents.
    """
    for text in sorted({raster.crs for raster in dem.rasters}):
        _check_grids(crs, text)
    found = covers(dem, bounds, crs)
    if found == "none":
        rasters = "; ".join(f"{raster.path}: {_box_text(raster.bounds, raster.crs)}" for raster in dem.rasters[:3])
        more = f" and {len(dem.rasters) - 3} more" if len(dem.rasters) > 3 else ""
        raise CoverageError(
            f"the DEM does not cover the area: area {_box_text(bounds, crs)}; DEM {rasters}{more}. "
            "Check the area, the CRS of both (--dem-crs) and the order of axes"
        )
    if found == "part":
        log.warning(
            "the DEM covers only a part of the area %s; a footprint beyond it, if there is one, is marked in its row (ground_...)",
            _box_text(bounds, crs),
        )
    return found


def _covered(layer: Layer, edge: shapely.Polygon, crs: str) -> BaseGeometry:
    """Return the part of an area, in its CRS, that lies on the rasters of a layer."""
    positions = to_pixels(layer, shapely.get_coordinates(edge), crs)
    if not np.all(np.isfinite(positions)):
        return shapely.Polygon()
    sheets = [
        shapely.box(col - 0.5, row - 0.5, col + raster.width - 0.5, row + raster.height - 0.5)
        for (col, row), raster in zip(layer.origins, layer.rasters, strict=True)
    ]
    here = shapely.make_valid(shapely.Polygon(positions))
    ground = shapely.union_all(sheets)
    if ground.covers(here):
        return edge
    inside = shapely.intersection(ground, here)
    if inside.is_empty:
        return inside
    span = max(here.bounds[2] - here.bounds[0], here.bounds[3] - here.bounds[1])
    inside = shapely.segmentize(inside, span / (_EDGE_POINTS - 1))
    back = shapely.transform(inside, lambda xy: from_pixels(layer, xy, crs))
    return shapely.make_valid(back)


def _box_text(bounds: Bounds, crs: str) -> str:
    """Write an extent in its own CRS and in degrees, so that two of them can be compared."""
    parsed = CRS.from_user_input(crs)
    label = ":".join(parsed.to_authority() or (parsed.name,))
    own = ", ".join(f"{v:.6g}" if parsed.is_geographic else f"{v:.1f}" for v in bounds)
    xs, ys = np.linspace(bounds[0], bounds[2], 5), np.linspace(bounds[1], bounds[3], 5)
    grid: Float64 = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    degrees = project(grid, crs, "EPSG:4326")
    degrees = degrees[np.all(np.isfinite(degrees), axis=1)]
    if parsed.is_geographic or len(degrees) == 0:
        return f"{own} ({label})"
    low, high = degrees.min(axis=0), degrees.max(axis=0)
    return f"{own} ({label}; lon/lat {low[0]:.4f}, {low[1]:.4f}, {high[0]:.4f}, {high[1]:.4f})"


def _check_grids(source: str, target: str) -> None:
    """Log where a better transformation exists but its grid is not installed (pyproj is silent about it)."""
    if CRS.from_user_input(source).equals(CRS.from_user_input(target), ignore_axis_order=True):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyproj says it once a process; it is logged below
        group = TransformerGroup(source, target, always_xy=True)
    if not group.best_available and group.unavailable_operations:
        missing = [grid.short_name for grid in group.unavailable_operations[0].grids if not grid.available]
        accuracy = group.transformers[0].accuracy if group.transformers else -1.0
        said = f"good to {accuracy:g} m" if accuracy >= 0 else "of unknown accuracy"
        log.warning("DEM and working CRS: a transformation %s is used; a better one needs %s", said, ", ".join(missing))
