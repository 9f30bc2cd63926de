"""A raster of heights to what a person should know before it is given as ``--dem``: place, cells, heights, what kind of model."""

from pathlib import Path
from typing import Any

import numpy as np
import pyproj

from citygen.arraytypes import Float64
from citygen.ground.dem import Dem, DemRaster, open_dem
from citygen.ground.layers import layers_of
from citygen.ground.windows import read_window
from citygen.pipeline.survey.tallies import Spread, share
from citygen.pipeline.survey.where import describe_crs, lonlat_extent, place_oddities

STRIP_CELLS = 1 << 22
"""Cells that are read at a time."""
MOST_CELLS = 1 << 28
"""Cells beyond which only every second, third ... strip is read."""
_WALL = 2.0
"""Rise over run between neighbouring cells that terrain hardly has and walls do."""
_WALLS_SHARE = 0.01
_FINE_M = 5.0


def describe_raster(path: Path, *, crs: str | None) -> dict[str, Any]:
    """
    Describe a raster of heights.

    Parameters
    ----------
    path : pathlib.Path
        A local file.
    crs : str or None
        CRS where the file does not say its own.

    Returns
    -------
    dict
        As JSON can hold it; heights in metres.

    Raises
    ------
    InputError
        When it cannot be read; ``MissingCRSError`` among them.
    """
    dem = open_dem([path], crs=crs)
    raster = dem.rasters[0]
    step_m = _step_m(raster)
    spread, cells, void, steep, pairs, whole, read = _heights(dem, step_m)
    surface = share(steep, pairs) > _WALLS_SHARE and min(step_m) <= _FINE_M
    return {
        "path": str(path),
        "kind": "raster",
        "format": raster.driver,
        "crs": {**describe_crs(raster.crs, given=crs is not None), "vertical": raster.vertical_crs},
        "extent": {
            "crs": [round(v, 3) for v in raster.bounds],
            "degrees": lonlat_extent(raster.bounds, raster.crs),
        },
        "size": [raster.width, raster.height],
        "resolution": [round(v, 9) for v in raster.resolution],
        "resolution_m": [round(v, 2) for v in step_m],
        "nodata": None if raster.nodata is None else float(raster.nodata),
        "void_share": share(void, cells),
        "unit": raster.unit,
        "height_m": spread.summary(),
        "whole_metres": bool(whole and spread.count),
        "steep_share": share(steep, pairs),
        "looks_like": "surface" if surface else "terrain",
        "sample": None if read == raster.height else {"rows": read, "of": raster.height},
        "oddities": [*place_oddities(raster.bounds, raster.crs), *_oddities(raster, dem, spread, surface=surface)],
    }


def _step_m(raster: DemRaster) -> tuple[float, float]:
    """Return the size of a cell on the ground, metres."""
    crs = pyproj.CRS.from_user_input(raster.crs)
    if not crs.is_geographic:
        factor = crs.axis_info[0].unit_conversion_factor
        return raster.resolution[0] * factor, raster.resolution[1] * factor
    lat = np.radians((raster.bounds[1] + raster.bounds[3]) / 2)
    return raster.resolution[0] * 111_320.0 * float(np.cos(lat)), raster.resolution[1] * 110_574.0


def _heights(dem: Dem, step_m: tuple[float, float]) -> tuple[Spread, int, int, int, int, bool, int]:
    """Read the raster in strips: heights, cells, voids, steep pairs of neighbours, all pairs, whole numbers, rows read."""
    layer, raster = layers_of(dem)[0], dem.rasters[0]
    rows = max(1, STRIP_CELLS // raster.width)
    every = max(1, -(-raster.width * raster.height // MOST_CELLS))
    spread, cells, void, steep, pairs, whole, read = Spread(), 0, 0, 0, 0, True, 0
    for first in range(0, raster.height, rows * every):
        last = min(first + rows, raster.height)
        z = read_window(layer, (0, first, raster.width, last))
        read += last - first
        cells += z.size
        void += int(np.isnan(z).sum())
        spread.add(z.ravel())
        found, among = _walls(z, step_m)
        steep, pairs = steep + found, pairs + among
        good = z[np.isfinite(z)]
        whole = whole and bool((good == np.round(good)).all())
    return spread, cells, void, steep, pairs, whole, read


def _walls(z: Float64, step_m: tuple[float, float]) -> tuple[int, int]:
    """Count pairs of neighbouring cells as steep as a wall and higher than a storey, and all pairs."""
    steep = pairs = 0
    for axis, step in ((1, step_m[0]), (0, step_m[1])):
        rise = np.abs(np.diff(z, axis=axis))
        good = np.isfinite(rise)
        pairs += int(good.sum())
        steep += int((rise[good] > max(_WALL * step, 2.0)).sum())
    return steep, pairs


def _oddities(raster: DemRaster, dem: Dem, spread: Spread, *, surface: bool) -> list[dict[str, Any]]:
    """Say what is odd about the heights."""
    out = [{"code": "note", "text": note} for note in dem.notes]
    if surface:
        text = "neighbouring cells differ like walls do: it looks like a surface model with roofs and trees, not like the ground"
        out.append({"code": "surface_model", "text": text})
    if not spread.count:
        out.append({"code": "no_heights", "text": "no cell has a height"})
    elif spread.low < -500 or spread.high > 9000:
        text = f"heights from {spread.low:g} to {spread.high:g} m are not of this Earth: a nodata value that is not declared?"
        out.append({"code": "heights_wild", "text": text})
    crs = pyproj.CRS.from_user_input(raster.crs)
    if not crs.is_geographic and "foot" in crs.axis_info[0].unit_name.lower() and raster.unit in {"", "m", "metre"}:
        text = "its CRS is in feet and it does not say the unit of its heights, which are taken as metres"
        out.append({"code": "feet", "text": text})
    return [{**item, "count": None, "examples": []} for item in out]
