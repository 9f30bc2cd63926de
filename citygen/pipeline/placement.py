"""
Places to how far the program puts them from where PROJ has them: a check of every run, and of an installation.

The program's way leads over the working CRS, degrees, the ellipsoid, ECEF, and a tile's frame in single precision; PROJ's own way
goes from the source's CRS to degrees and on to EPSG:4978.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64
from citygen.geom.geodesy import LocalFrame, to_ecef, to_lonlat, transformer
from citygen.ground.layers import project
from citygen.ground.vertical import Vertical, to_ellipsoid, undulation
from citygen.log import get_logger
from citygen.tiling.base import GRIDS, Grid

log = get_logger(__name__)

GOOD_M = 0.01
"""m. A known point lands this near (DESIGN, promise 4)."""

_WIDEST_DEG = 60.0  # beyond, no zone's projection is meant

CONTROL = (
    ("UTM 32N", "EPSG:32632", 11.35, 48.05),
    ("RD New, Netherlands", "EPSG:28992", 4.9, 52.37),
    ("Lambert-93, France", "EPSG:2154", -1.15, 46.16),
    ("LV95, Switzerland", "EPSG:2056", 8.54, 47.37),
    ("ETRS89 / UTM 33N", "EPSG:25833", 13.4, 52.52),
    ("NAD83 / New York Long Island, US survey feet", "EPSG:2263", -73.98, 40.75),
    ("longitude, latitude", "OGC:CRS84", 24.94, 60.17),
    ("UTM 33S, South Africa", "EPSG:32733", 18.42, -33.92),
    ("NZTM, New Zealand", "EPSG:2193", 174.78, -41.29),
    ("UTM 60S, at the antimeridian", "EPSG:32760", 179.99, -16.8),
)
"""Where ``citygen selftest`` looks: name, CRS of the source, and a place in it, degrees."""

GUIDANCE = ((2.129550, 53.80939444, 73.0), (3771793.968, 140253.342, 5124304.349))
"""The worked example of EPSG Guidance Note 7-2, section 4.1.1: longitude, latitude, height, and its geocentric coordinates."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How many places were looked at, and the largest distance from where PROJ has them, m."""

    places: int
    error_m: float


def placement(sources: Sequence[str], crs: str, grid: Grid, vertical: Vertical, lonlat: Float64) -> Placement:
    """
    Measure how far places over an area land from where they belong.

    Parameters
    ----------
    sources : sequence of str
        CRSs of the footprints.
    crs : str
        Working CRS.
    grid : Grid
        Of the tiles.
    vertical : Vertical
        How heights become ellipsoidal.
    lonlat : (n, 2) float64
        Places over the area, degrees.

    Returns
    -------
    Placement
        Of no places, where no projection has an answer, or the area is no town (one broken footprint spans the Earth).
    """
    worst, count = 0.0, 0
    if len(lonlat) and np.ptp(lonlat, axis=0).max() > _WIDEST_DEG:
        return Placement(0, 0.0)
    for source in sorted(set(sources)):
        given = project(lonlat, "OGC:CRS84", source)
        given = given[np.all(np.isfinite(given), axis=1)]
        height = np.linspace(0.0, 500.0, len(given))
        ours, wanted = placed(given, source, (crs, grid, vertical), height), by_proj(given, source, vertical, height)
        both = np.all(np.isfinite(ours) & np.isfinite(wanted), axis=1)
        if both.any():
            worst = max(worst, float(np.linalg.norm(ours[both] - wanted[both], axis=1).max()))
            count += int(both.sum())
    if worst > GOOD_M:
        log.warning(
            "places land up to %.2f m from where PROJ puts them without the working CRS: between it and the footprints' lies "
            "another transformation; give --crs with the footprints' own CRS",
            worst,
        )
    return Placement(count, worst)


def placed(xy: Float64, source: str, where: tuple[str, Grid, Vertical], height: Float64) -> Float64:
    """Put places where a build puts a vertex, and read them back out of single precision; (n, 3) float64, ECEF."""
    crs, grid, vertical = where
    working = project(xy, source, crs)
    lonlat = to_lonlat(crs, working)
    on_grid = project(working, crs, grid.crs)
    out = np.full((len(xy), 3), np.nan)
    known = np.flatnonzero(np.all(np.isfinite(lonlat) & np.isfinite(on_grid), axis=1))
    world = np.full((len(xy), 3), np.nan)
    world[known] = to_ecef(lonlat[known], to_ellipsoid(vertical, lonlat[known], height[known]))
    cols, rows = grid.keys(on_grid[known, 0], on_grid[known, 1])
    keys, tile = np.unique(np.stack([cols, rows], axis=1), axis=0, return_inverse=True)
    for k, (col, row) in enumerate(keys.tolist()):
        frame = frame_of((col, row), grid)
        here = known[tile.reshape(-1) == k]
        local = frame.from_ecef(world[here]).astype(np.float32).astype(np.float64)
        out[here] = frame.to_ecef(local)
    return out


def frame_of(key: tuple[int, int], grid: Grid) -> LocalFrame:
    """Return the frame at a tile's centre: from the grid alone, so it is the same whatever lies in the tile."""
    west, south, east, north = grid.bounds(*key)
    lonlat = to_lonlat(grid.crs, np.array([[(west + east) / 2, (south + north) / 2]]))
    return LocalFrame(float(lonlat[0, 0]), float(lonlat[0, 1]))


def by_proj(xy: Float64, source: str, vertical: Vertical, height: Float64) -> Float64:
    """Return where PROJ has places, (n, 3) float64, ECEF: from the source's CRS to degrees, and its own way to EPSG:4978."""
    lonlat = project(xy, source, "OGC:CRS84")
    known = np.all(np.isfinite(lonlat), axis=1)
    out = np.full((len(xy), 3), np.nan)
    up = height[known] + undulation(vertical, lonlat[known])
    way = transformer("EPSG:4979", "EPSG:4978")
    out[known] = np.stack(way.transform(lonlat[known, 0], lonlat[known, 1], up), axis=1)
    return out


def self_test() -> list[tuple[str, str, float]]:
    """
    Land known control points in ten CRSs, each by its zone's UTM on the default grid.

    Returns
    -------
    list of (str, str, float)
        Name, CRS, and distance from where it belongs, m.

    Examples
    --------
    >>> max(error for _, _, error in self_test()) < 0.01
    True
    """
    (lon, lat, height), wanted = GUIDANCE
    found = to_ecef(np.array([[lon, lat]]), np.array([height]))[0]
    out = [("EPSG Guidance Note 7-2, example", "EPSG:4979", float(np.linalg.norm(found - np.array(wanted))))]
    steps = np.linspace(-0.005, 0.005, 5)
    for name, source, lon, lat in CONTROL:
        crs = f"EPSG:{(32600 if lat >= 0 else 32700) + min(60, int((lon + 180) // 6) + 1)}"
        grid = next(grid for make in GRIDS if (grid := make("metric:500", crs)) is not None)
        places = np.stack(np.meshgrid(lon + steps, lat + steps), axis=-1).reshape(-1, 2)
        out.append((name, source, placement([source], crs, grid, Vertical(offset_m=45.0), places).error_m))
    return out
