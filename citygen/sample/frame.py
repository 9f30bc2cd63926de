"""
The town's metric frame to and from longitude/latitude and the DEM's grid.

The local frame is UTM zone 31N shifted to the hill top: x east, y north, metres. Plain ``pyproj.Proj`` projections
are used, never a CRS to CRS search, so the result does not depend on which datum grids a machine has.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from citygen.arraytypes import Float64

if TYPE_CHECKING:
    from pyproj import Proj

ORIGIN_EASTING_M, ORIGIN_NORTHING_M = 503_830.0, 5_155_160.0
"""The hill top in EPSG:32631; near lon 3.05, lat 46.55."""
DEM_EPSG = 3035
DEGREE_DECIMALS = 7


@cache
def _utm() -> "Proj":
    from pyproj import Proj

    return Proj("+proj=utm +zone=31 +ellps=WGS84")


@cache
def _laea() -> "Proj":
    from pyproj import Proj

    return Proj("+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80")


def to_lonlat(xy: Float64) -> Float64:
    """
    Turn local metres into degrees, rounded to 7 decimals (about 1 cm).

    Parameters
    ----------
    xy : (n, 2) float64
        Metres, local frame.

    Returns
    -------
    (n, 2) float64
        Longitude and latitude, degrees, WGS 84.

    Examples
    --------
    >>> to_lonlat(np.zeros((1, 2))).round(3).tolist()
    [[3.05, 46.55]]
    """
    lon, lat = _utm()(xy[:, 0] + ORIGIN_EASTING_M, xy[:, 1] + ORIGIN_NORTHING_M, inverse=True)
    return np.round(np.column_stack([lon, lat]), DEGREE_DECIMALS)


def to_local(lonlat: Float64) -> Float64:
    """
    Turn degrees into local metres.

    Parameters
    ----------
    lonlat : (n, 2) float64
        Longitude and latitude, degrees, WGS 84.

    Returns
    -------
    (n, 2) float64
        Metres, local frame.
    """
    east, north = _utm()(lonlat[:, 0], lonlat[:, 1])
    return np.column_stack([east - ORIGIN_EASTING_M, north - ORIGIN_NORTHING_M])


def local_to_dem(xy: Float64) -> Float64:
    """Turn (n, 2) local metres into (n, 2) metres of EPSG:3035."""
    lon, lat = _utm()(xy[:, 0] + ORIGIN_EASTING_M, xy[:, 1] + ORIGIN_NORTHING_M, inverse=True)
    return np.column_stack(_laea()(lon, lat))


def dem_to_local(xy: Float64) -> Float64:
    """Turn (n, 2) metres of EPSG:3035 into (n, 2) local metres."""
    lon, lat = _laea()(xy[:, 0], xy[:, 1], inverse=True)
    return to_local(np.column_stack([lon, lat]))


def dem_window(bounds: tuple[float, float, float, float], cell_m: float) -> tuple[float, float, int, int]:
    """
    Find the EPSG:3035 raster that covers a local rectangle.

    Parameters
    ----------
    bounds : tuple of float
        min x, min y, max x, max y; metres, local frame.
    cell_m : float
        Cell size; the raster's corner is a multiple of it.

    Returns
    -------
    left, top : float
        Upper left corner, metres, EPSG:3035.
    columns, rows : int
        Size in cells.
    """
    along = np.linspace(0, 1, 33)
    x, y = bounds[0] + along * (bounds[2] - bounds[0]), bounds[1] + along * (bounds[3] - bounds[1])
    sides = [(x, np.full(33, bounds[1])), (x, np.full(33, bounds[3])), (np.full(33, bounds[0]), y)]
    sides.append((np.full(33, bounds[2]), y))
    edge = local_to_dem(np.concatenate([np.column_stack(side) for side in sides]))
    low = np.floor(edge.min(axis=0) / cell_m - 1) * cell_m
    high = np.ceil(edge.max(axis=0) / cell_m + 1) * cell_m
    return float(low[0]), float(high[1]), round((high[0] - low[0]) / cell_m), round((high[1] - low[1]) / cell_m)
