"""Coordinates that cannot be what their CRS says: degrees as metres, metres as degrees, exchanged axes; each with its cure."""

from collections.abc import Sequence

import numpy as np
import shapely

from citygen.arraytypes import Float64
from citygen.errors import InputError
from citygen.geom.parse import parse_wkb
from citygen.sources.base import Source
from citygen.sources.crs import is_geographic

Bounds = tuple[float, float, float, float]
DEGREES = "OGC:CRS84"

_PROBE_ROWS = 1000
_LEAST_M2 = 0.01
"""m2. Footprints of which half are smaller than 10 cm by 10 cm are no footprints in metres: half a house is 50 m2."""


def limits(crs: str) -> Float64:
    """Return the largest x and y, up to sign, that make sense in a CRS."""
    return np.array([360.0, 90.0] if is_geographic(crs) else [1e8, 1e8])


def unbelievable(source: Source) -> InputError | None:
    """Return the error for a stated extent that the source's CRS cannot hold; None for one that it can."""
    bounds = source.info.bounds
    if bounds is None or np.all(np.abs(np.array(bounds).reshape(2, 2)) <= limits(source.info.crs)):
        return None
    west, south, east, north = bounds
    if is_geographic(source.info.crs) and max(abs(west), abs(east)) <= 90 and max(abs(south), abs(north)) <= 360:
        cure = "x and y look exchanged (latitude first): give --swap-axes"
    else:
        cure = "is that the right CRS (metres as degrees)? Give the right one with --source-crs EPSG:n"
    return InputError(f"{source.info.path}: it spans {_text(bounds)}, which its CRS cannot hold: {cure}")


def require_metres(source: Source) -> None:
    """
    Refuse a source whose CRS is in metres or feet and whose coordinates are degrees.

    Parameters
    ----------
    source : Source
        Opened. Its first rows are read only where its extent (or, unstated, anything) could be one in degrees.

    Raises
    ------
    InputError
        When all coordinates would do as longitude and latitude and half of the first footprints measure less than
        10 cm by 10 cm.
    """
    if is_geographic(source.info.crs) or not _like_degrees(source.info.bounds):
        return
    batch = next(iter(source.batches(None, batch_rows=_PROBE_ROWS)), None)
    if batch is None:
        return
    shapes = parse_wkb(batch["geometry"].to_numpy(zero_copy_only=False))
    with np.errstate(invalid="ignore"):
        box, area = shapely.bounds(shapes), shapely.area(shapes)
    known = np.isfinite(box).all(axis=1) & (area > 0)
    if not known.any() or np.median(area[known]) > _LEAST_M2 or not (np.abs(box[known]) <= [180, 90, 180, 90]).all():
        return
    west, south = box[known, :2].min(axis=0).tolist()
    east, north = box[known, 2:].max(axis=0).tolist()
    size = float(np.sqrt(np.median(area[known])))
    raise InputError(
        f"{source.info.path}: its CRS ({_name(source.info.crs)}) is in metres or feet, but its coordinates look like degrees "
        f"({_text((west, south, east, north))}; half of the footprints are smaller than {size:.1g} by {size:.1g}): "
        "give --source-crs EPSG:4326 if they are longitude and latitude"
    )


def _like_degrees(bounds: Bounds | None) -> bool:
    """Say whether an extent could be one of longitudes and latitudes; an unknown one could."""
    return bounds is None or bool(np.all(np.abs(np.array(bounds).reshape(2, 2)) <= [180.0, 90.0]))


def swapped_hint(area: Bounds, found: Sequence[Bounds]) -> str:
    """Return what to do when an area (W, S, E, N in degrees) meets a source's extent only with x and y exchanged; else ''."""
    west, south, east, north = area
    for left, low, right, high in found:
        if west <= high and east >= low and south <= right and north >= left:
            return (
                "they meet when x and y of one are exchanged (latitude first): give --swap-axes where those are the "
                "footprints, write the area as W,S,E,N (longitude first) where it is the area"
            )
    return ""


def _name(crs: str) -> str:
    import pyproj

    known = pyproj.CRS.from_user_input(crs)
    return ":".join(known.to_authority() or (known.name,))


def _text(bounds: Bounds) -> str:
    return ",".join(f"{value:.5f}" for value in bounds)
