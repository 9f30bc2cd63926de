"""A CRS and an extent to what a person should know of them: name, units, axes, heights, and whether the two fit each other."""

from typing import Any

import numpy as np
import pyproj
import shapely

from citygen.geom.geodesy import transformer
from citygen.pipeline.extents import Bounds, in_crs

LONLAT = "OGC:CRS84"
_NEAR_DEG = 1.5
"""Degrees beyond its area of use that a CRS is used all the same: countries have one zone for both sides of its edge."""


def describe_crs(text: str, *, given: bool) -> dict[str, Any]:
    """
    Say what a CRS is.

    Parameters
    ----------
    text : str
        Code or WKT.
    given : bool
        Whether the user said it, not the file.

    Returns
    -------
    dict
        code (None where it has none), name, kind (geographic, projected), unit, metres_per_unit (None for degrees), axes,
        axis_note ('' or what differs from x before y), vertical (name, None), given.
    """
    crs = pyproj.CRS.from_user_input(text)
    code = crs.to_authority(min_confidence=70)
    plane = crs.sub_crs_list[0] if crs.is_compound and crs.sub_crs_list else crs
    axes = [f"{axis.name} ({axis.direction})" for axis in plane.axis_info[:2]]
    unit = plane.axis_info[0].unit_name if plane.axis_info else ""
    factor = plane.axis_info[0].unit_conversion_factor if plane.axis_info else 1.0
    first = plane.axis_info[0].direction.lower() if plane.axis_info else "east"
    vertical = None
    if crs.is_compound and len(crs.sub_crs_list) > 1:
        vertical = crs.sub_crs_list[1].name
    elif len(crs.axis_info) == 3:
        vertical = crs.axis_info[2].name
    return {
        "code": None if code is None else ":".join(code),
        "name": crs.name,
        "kind": "geographic" if crs.is_geographic else "projected",
        "unit": unit,
        "metres_per_unit": None if crs.is_geographic else factor,
        "axes": axes,
        "axis_note": ""
        if first in {"east", "west"}
        else "its definition puts north first; citygen reads x (east) first",
        "vertical": vertical,
        "given": given,
    }


def lonlat_extent(bounds: Bounds | None, crs: str) -> list[float] | None:
    """Return an extent in degrees, rounded; None where it cannot be told."""
    if bounds is None:
        return None
    west, south, east, north = bounds
    shape = shapely.box(west, south, east, north) if west < east and south < north else shapely.Point(west, south)
    if isinstance(shape, shapely.Point):
        lon, lat = transformer(crs, LONLAT).transform(west, south)
        box = np.array([lon, lat, lon, lat])
    else:
        box = np.array(in_crs(shape, crs, LONLAT).bounds)
    return [round(float(v), 6) for v in box] if np.isfinite(box).all() else None


def place_oddities(bounds: Bounds | None, crs: str) -> list[dict[str, Any]]:
    """
    Say where an extent does not look like one of its CRS.

    Parameters
    ----------
    bounds : Bounds or None
        Extent in the CRS.
    crs : str
        Code or WKT.

    Returns
    -------
    list of dict
        ``code`` and ``text``: degrees_as_metres, metres_as_degrees, outside_area_of_use, whole_world.
    """
    if bounds is None:
        return []
    known = pyproj.CRS.from_user_input(crs)
    west, south, east, north = bounds
    small = abs(west) <= 360 and abs(east) <= 360 and abs(south) <= 90 and abs(north) <= 90
    if known.is_projected and small:
        unit = known.axis_info[0].unit_name
        span = f"coordinates from {west:g},{south:g} to {east:g},{north:g}"
        return [
            _odd("degrees_as_metres", f"{span} look like degrees, but the unit of {known.name} is {unit}: wrong CRS?")
        ]
    if known.is_geographic and not small:
        text = f"coordinates from {west:g},{south:g} to {east:g},{north:g} are no degrees: give their CRS with --source-crs"
        return [_odd("metres_as_degrees", text)]
    area = known.area_of_use
    box = lonlat_extent(bounds, crs)
    if area is None or box is None:
        return (
            [] if box else [_odd("outside_area_of_use", f"the extent has no place in {known.name}: wrong CRS or axes?")]
        )
    lon, lat = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    west, east = area.west - _NEAR_DEG, area.east + _NEAR_DEG
    across = west <= lon <= east if area.west <= area.east else lon >= west or lon <= east
    if across and area.south - _NEAR_DEG <= lat <= area.north + _NEAR_DEG:
        return []
    text = (
        f"its middle ({lon:.3f}, {lat:.3f}) lies outside the area of use of {known.name}"
        f" ({area.west:g},{area.south:g} to {area.east:g},{area.north:g}): wrong CRS, or axes exchanged?"
    )
    return [_odd("outside_area_of_use", text)]


def _odd(code: str, text: str) -> dict[str, Any]:
    return {"code": code, "text": text, "count": None, "examples": []}
