"""Sources and an area to where they lie: extents in any CRS, and the error for an area that no source meets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from citygen.arraytypes import Float64
from citygen.errors import CoverageError, InputError
from citygen.geom.geodesy import transformer
from citygen.sources.base import Source

Bounds = tuple[float, float, float, float]
REACH_M = 300.0
"""m. How far beyond the area rows are read: a building at the edge keeps all parts and roof lines, its neighbours count."""


def check_overlap(aoi: Any, crs: str, sources: Sequence[Source], name: str | None) -> None:
    """Refuse an area that no source's extent meets, before anything is read."""
    extents = [(s, _stated(s)) for s in sources]
    if any(bounds is None for _, bounds in extents):
        return
    for each, bounds in extents:
        box = in_crs(shapely.box(*bounds), each.info.crs, crs)  # type: ignore[misc]
        if not np.all(np.isfinite(box.bounds)) or shapely.intersects(
            shapely.box(*box.bounds), shapely.box(*aoi.bounds)
        ):
            return
    raise no_footprint(aoi, crs, sources, name)


def no_footprint(aoi: Any, crs: str, sources: Sequence[Source], name: str | None) -> CoverageError:
    """Return the error for an area without footprints, with both extents in degrees."""
    area = in_crs(aoi, crs, "OGC:CRS84").bounds
    lines = []
    for each in sources:
        bounds = _stated(each)
        if bounds is not None:
            box = in_crs(shapely.box(*bounds), each.info.crs, "OGC:CRS84").bounds
            lines.append(f"{each.info.path} spans {_text(box)}")
    where = "" if name is None else f" {name}"
    found = "; ".join(lines) or ", ".join(each.info.path for each in sources)
    return CoverageError(
        f"no footprint lies in the area of interest{where}: it spans {_text(area)} (W,S,E,N degrees), while {found}; "
        "check the AOI, the CRS of both, and the order of the axes (longitude comes first)"
    )


def extent(sources: Sequence[Source], crs: str) -> Bounds | None:
    """Return the extent of all sources in a CRS, or None when one does not know its own."""
    boxes = []
    for each in sources:
        bounds = _stated(each) or _scan_bounds(each)
        if bounds is not None:
            boxes.append(in_crs(shapely.box(*bounds), each.info.crs, crs).bounds)
    if not boxes:
        return None
    array = np.array(boxes)
    return (*array[:, :2].min(axis=0).tolist(), *array[:, 2:].max(axis=0).tolist())


def _stated(source: Source) -> Bounds | None:
    """Return the extent that a source states, unless it is unbelievable: one bad row makes it so."""
    bounds = source.info.bounds
    if bounds is None or not np.all(np.abs(np.array(bounds).reshape(2, 2)) <= _limits(source)):
        return None
    return bounds


def _scan_bounds(source: Source) -> Bounds | None:
    """Read a source once for the extent of its believable rows: only when nothing else tells where it lies."""
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    limits = np.tile(_limits(source), 2)
    for batch in source.batches(None):
        shapes = shapely.from_wkb(batch["geometry"].to_numpy(zero_copy_only=False), on_invalid="ignore")
        box = shapely.bounds(shapes)
        box = box[np.all(np.abs(box) <= limits, axis=1)]
        if len(box):
            low, high = np.minimum(low, box[:, :2].min(axis=0)), np.maximum(high, box[:, 2:].max(axis=0))
    if np.all(np.isfinite(low)):
        return (*low.tolist(), *high.tolist())
    if source.info.bounds is not None:
        raise InputError(
            f"{source.info.path}: it spans {_text(source.info.bounds)}, which its CRS cannot hold: "
            "is that the right CRS (metres as degrees)? Give the right one with --source-crs"
        )
    return None


def _limits(source: Source) -> Float64:
    """Return the largest x and y, up to sign, that make sense in a source's CRS."""
    import pyproj

    geographic = pyproj.CRS.from_user_input(source.info.crs).is_geographic
    return np.array([360.0, 90.0] if geographic else [1e8, 1e8])


def in_crs(geometry: Any, source: str, target: str) -> Any:
    """Transform a geometry, its long edges bent with the projection."""
    size = max(geometry.bounds[2] - geometry.bounds[0], geometry.bounds[3] - geometry.bounds[1], 1e-9)
    dense = shapely.segmentize(geometry, size / 50)
    change = transformer(source, target)
    out = shapely.transform(dense, lambda xy: np.stack(change.transform(xy[:, 0], xy[:, 1]), axis=1))
    return out if shapely.is_valid(out) else shapely.make_valid(out)


def lonlat_box(geometry: Any, crs: str) -> Bounds:
    """
    Return the box around an area in degrees, the smaller way round the Earth: what a remote source is asked for.

    Parameters
    ----------
    geometry : shapely geometry
        Not empty; in two halves where it crosses the antimeridian, as ``read_aoi`` makes it of a box.
    crs : str
        Its CRS.

    Returns
    -------
    Bounds
        West, south, east, north; west is greater than east where the widest gap between its parts does not lie at the
        antimeridian.

    Examples
    --------
    >>> lonlat_box(shapely.MultiPolygon([shapely.box(179, -17, 180, -16), shapely.box(-180, -17, -179, -16)]), "EPSG:4326")
    (179.0, -17.0, -179.0, -16.0)
    """
    degrees = in_crs(geometry, crs, "OGC:CRS84")
    _, south, _, north = shapely.bounds(degrees).tolist()
    spans = sorted(shapely.bounds(shapely.get_parts(degrees))[:, [0, 2]].tolist())
    west, reach = spans[0]
    east, widest = reach, west + 360.0 - max(span[1] for span in spans)
    start = west
    for left, right in spans:
        if left - reach > widest:
            start, east, widest = left, reach, left - reach
        reach = max(reach, right)
    return (start, south, reach if start == west else east, north)


def widened(box: Bounds, reach_m: float) -> Bounds:
    """
    Return a box in degrees grown by metres on all sides.

    Examples
    --------
    >>> [round(v, 3) for v in widened((10.0, 60.0, 11.0, 61.0), 1113.2)]
    [9.979, 59.99, 11.021, 61.01]
    """
    west, south, east, north = box
    up = reach_m / 111_320.0
    side = up / max(float(np.cos(np.radians(max(abs(south), abs(north))))), 0.01)
    if (east - west) % 360.0 + 2 * side >= 360.0:
        return (-180.0, max(south - up, -90.0), 180.0, min(north + up, 90.0))
    return (_around(west - side), max(south - up, -90.0), _around(east + side), min(north + up, 90.0))


def _around(lon: float) -> float:
    """Bring a longitude between -180 and 180; these two stay what they are."""
    return lon if -180.0 <= lon <= 180.0 else (lon + 180.0) % 360.0 - 180.0


def _text(bounds: Bounds) -> str:
    return ",".join(f"{value:.5f}" for value in bounds)
