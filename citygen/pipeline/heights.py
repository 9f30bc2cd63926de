"""Options to the ground: the DEM, fetched where it is remote, and how its heights become ellipsoidal; what is reported of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.config import BuildConfig
from citygen.ground.dem import Dem, Reading, open_dem
from citygen.ground.remote import fetch_dems
from citygen.ground.vertical import Asked, Vertical, open_vertical, vertical_crs
from citygen.remote.access import Access, OpenData
from citygen.sources.base import Bounds, boxes_of

_AROUND_DEG = 0.02
"""Degrees around the area in which heights must be convertible too: footprints reach over its edge."""


def open_ground(
    config: BuildConfig, box: Bounds | None, access: Access
) -> tuple[Dem | None, list[str], list[OpenData]]:
    """
    Open the DEM, fetched for an area where it is remote.

    Parameters
    ----------
    config : BuildConfig
        For its rasters, their CRS and unit, and how they are read.
    box : Bounds or None
        Where heights are wanted, degrees; see ``Remote`` for the antimeridian.
    access : Access
        How to reach them.

    Returns
    -------
    dem : Dem or None
        None builds on level ground. Its notes hold what must be known of fetched ones.
    paths : list of str
        Its files.
    origins : list of OpenData
        What must be said of fetched ones.
    """
    if not config.dem:
        return None, [], []
    paths, origins = fetch_dems(config.dem, () if box is None else boxes_of(box), access)
    axis = None
    if config.vertical_crs is not None:
        parts = vertical_crs(config.vertical_crs).axis_info
        axis = parts[-1].unit_name
    reading = Reading(config.dem_sampling, config.dem_fill, config.dem_feather, config.dem_resolution)
    dem = open_dem(paths, crs=config.dem_crs, unit=config.dem_unit, axis=axis, reading=reading)
    files = [raster.path for raster in dem.rasters]
    return replace(dem, notes=(*dem.notes, *(note for o in origins for note in o.notes))), files, origins


def settle_heights(
    config: BuildConfig, dem: Dem | None, box: Bounds | None, origins: Sequence[OpenData] = ()
) -> Vertical:
    """
    Settle how heights become ellipsoidal over an area.

    Parameters
    ----------
    config : BuildConfig
        For what the user says of heights.
    dem : Dem or None
        For what it says itself.
    box : Bounds or None
        The area, degrees; None where it is not known.
    origins : sequence of OpenData
        What is known of fetched DEMs.

    Returns
    -------
    Vertical
    """
    datums = {each.datum for each in origins}
    fetched = next(iter(datums)) if len(datums) == 1 and len(config.dem) == 1 else ""
    asked = Asked(config.vertical_crs, config.geoid, config.geoid_offset)
    return open_vertical(asked, dem, places_of(box), fetched=fetched)


def places_of(box: Bounds | None) -> Float64:
    """Return places all over an area and a little around it; (n, 2) float64, degrees, none without an area."""
    if box is not None and not np.all(np.isfinite(box)):
        box = None
    grids = []
    for west, south, east, north in () if box is None else boxes_of(box):
        xs = np.linspace(max(west - _AROUND_DEG, -180.0), min(east + _AROUND_DEG, 180.0), 9)
        ys = np.linspace(max(south - _AROUND_DEG, -90.0), min(north + _AROUND_DEG, 90.0), 9)
        grids.append(np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2))
    places: Float64 = np.concatenate(grids) if grids else np.empty((0, 2))
    return places


def vertical_report(vertical: Vertical) -> dict[str, Any]:
    """Return what ``report.json`` says of heights: their zero, what was added, and what was assumed."""
    return {
        "datum": vertical.datum,
        "known": vertical.is_known,
        "assumed": vertical.how,
        "missing_grids": list(vertical.missing),
        "geoid_offset_m": vertical.offset_m,
        "added_m": [round(value, 3) for value in vertical.span_m],
    }
