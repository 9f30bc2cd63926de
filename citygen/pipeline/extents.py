"""Sources and an area to where they lie: extents, also over 180 degrees, and the error for an area that no source meets."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from citygen.errors import CoverageError
from citygen.geom.antimeridian import cut_at_180, smallest_arc
from citygen.geom.geodesy import transformer
from citygen.geom.parse import parse_wkb
from citygen.log import get_logger
from citygen.pipeline.plausible import DEGREES, limits, swapped_hint, unbelievable
from citygen.sources.base import Source
from citygen.sources.crs import is_geographic

log = get_logger(__name__)
Bounds = tuple[float, float, float, float]
REACH_M = 300.0
"""m. How far beyond the area rows are read: a building at the edge keeps all parts and roof lines, its neighbours count."""

_WIDE_DEG = 12.0
"""Degrees. Over two UTM zones lengths are off by up to 1 in 200 at the far end; beyond, rows are counted."""


def check_overlap(aoi: Any, crs: str, sources: Sequence[Source], name: str | None) -> None:
    """Refuse an area that no source's extent meets, before anything is read."""
    for each in sources:
        bounds = _stated_here(each)
        if bounds is None:
            return  # it may lie anywhere
        box = in_crs(shapely.box(*bounds), each.info.crs, crs)
        if not np.all(np.isfinite(box.bounds)) or shapely.intersects(
            shapely.box(*box.bounds), shapely.box(*aoi.bounds)
        ):
            return
    raise no_footprint(aoi, crs, sources, name)


def no_footprint(aoi: Any, crs: str, sources: Sequence[Source], name: str | None) -> CoverageError:
    """Return the error for an area without footprints, with both extents in degrees."""
    area = lonlat_box(aoi, crs)
    lines: list[str] = []
    found: list[Bounds] = []
    for each in sources:
        wrong = unbelievable(each)
        if wrong is not None:
            lines.append(str(wrong))
            continue
        box = _lonlat(each)
        if box is not None:
            found.append(box)
            lines.append(f"{each.info.path} spans {_text(box)}")
    where = "" if name is None else f" {name}"
    there = "; ".join(lines) or ", ".join(each.info.path for each in sources)
    cure = swapped_hint(area, found)
    return CoverageError(
        f"no footprint lies in the area of interest{where}: it spans {_text(area)} (W,S,E,N degrees), while {there}; "
        + (cure or "check the AOI, the CRS of both, and the order of the axes (longitude comes first)")
    )


def extent(sources: Sequence[Source], crs: str) -> Bounds | None:
    """
    Return the extent of all sources in a CRS, or None when none of them has a place.

    In degrees, east may lie beyond 180 (and west is never below -180): the sources lie on both sides of it.
    """
    found = [(each, box) for each in sources if (box := _lonlat(each)) is not None]
    if not found:
        return None
    if crs == DEGREES:
        boxes = np.array([box for _, box in found])
        if not np.isfinite(boxes).all():
            return (np.nan, np.nan, np.nan, np.nan)
        west, east = smallest_arc(boxes[:, [0, 2]])
        return (west, float(boxes[:, 1].min()), east, float(boxes[:, 3].max()))
    shapes = [
        in_crs(shapely.box(*box), DEGREES, crs) if (own := _stated_here(each)) is None
        else in_crs(shapely.box(*own), each.info.crs, crs)
        for each, box in found
    ]  # fmt: skip
    bounds: Bounds = tuple(shapely.total_bounds(shapes).tolist())
    return bounds


def centre(sources: Sequence[Source]) -> tuple[float, float] | None:
    """
    Return the longitude and latitude around which to work, or None when no source has a place.

    The middle of the extent; where that is wider than two UTM zones, the middle of the degree square with most rows, so
    that some rows astray do not take a town into a far zone, which would measure it wrong.
    """
    box = extent(sources, DEGREES)
    if box is None or not np.all(np.isfinite(box)) or box[2] - box[0] <= _WIDE_DEG:
        return None if box is None else ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    crowd = np.zeros((360, 180), dtype=np.int64)
    for each in sources:
        change = transformer(each.info.crs, DEGREES)
        for batch in each.batches(None):
            shapes = parse_wkb(batch["geometry"].to_numpy(zero_copy_only=False))
            bounds = shapely.bounds(shapes)
            bounds = bounds[np.all(np.abs(bounds) <= np.tile(limits(each.info.crs), 2), axis=1)]
            lon, lat = change.transform(bounds[:, 0], bounds[:, 1])[:2]
            here = np.isfinite(lon) & np.isfinite(lat)
            np.add.at(crowd, (((lon[here] + 180) % 360).astype(int), np.minimum(lat[here] + 90, 179).astype(int)), 1)
    col, row = np.unravel_index(int(np.argmax(crowd)), crowd.shape)
    log.warning(
        "the footprints span %.0f degrees of longitude; they are measured where most of them lie (around %d, %d), and with"
        " some distortion elsewhere: give --aoi, or --crs",
        box[2] - box[0], col - 180, row - 90,
    )  # fmt: skip
    return float(col) - 179.5, float(row) - 89.5


def stated(source: Source) -> Bounds | None:
    """Return the extent that a source states, unless it is unbelievable: one bad row makes it so."""
    bounds = source.info.bounds
    if bounds is None or not np.all(np.abs(np.array(bounds).reshape(2, 2)) <= limits(source.info.crs)):
        return None
    return bounds


def _stated_here(source: Source) -> Bounds | None:
    """Return the stated extent unless it goes around half of the Earth: it may as well lie on both sides of 180 degrees."""
    bounds = stated(source)
    wide = bounds is not None and is_geographic(source.info.crs) and bounds[2] - bounds[0] > 180.0
    return None if wide else bounds


def _lonlat(source: Source) -> Bounds | None:
    """Return where a source lies in degrees, east of 180 where it crosses it; None when no row has a place."""
    bounds = _stated_here(source)
    return _scanned(source) if bounds is None else _unrolled(lonlat_box(shapely.box(*bounds), source.info.crs))


def _scanned(source: Source) -> Bounds | None:
    """Read a source once for the extent of its believable rows: only when nothing else tells where it lies."""
    largest = np.tile(limits(source.info.crs), 2)
    geographic = is_geographic(source.info.crs)
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    west, east = np.full(360, np.inf), np.full(360, -np.inf)  # of the rows whose west lies in each degree
    for batch in source.batches(None):
        shapes = parse_wkb(batch["geometry"].to_numpy(zero_copy_only=False))
        box = shapely.bounds(shapes)
        box = box[np.all(np.abs(box) <= largest, axis=1)]
        if len(box) == 0:
            continue
        low, high = np.minimum(low, box[:, :2].min(axis=0)), np.maximum(high, box[:, 2:].max(axis=0))
        if geographic:
            over = box[:, 2] - box[:, 0] > 180.0  # over 180 degrees, not around the Earth
            left = (np.where(over, box[:, 2], box[:, 0]) + 180.0) % 360.0 - 180.0
            right = left + np.where(over, box[:, 0] + 360.0 - box[:, 2], box[:, 2] - box[:, 0])
            at = np.minimum((left + 180.0).astype(np.int64), 359)
            np.minimum.at(west, at, left)
            np.maximum.at(east, at, right)
    if not np.all(np.isfinite(low)):
        wrong = unbelievable(source)
        if wrong is not None:
            raise wrong
        return None
    if not geographic:
        return _unrolled(lonlat_box(shapely.box(*low, *high), source.info.crs))
    some = np.isfinite(west)
    arc = smallest_arc(np.stack([west[some], east[some]], axis=1))
    return (arc[0], float(low[1]), arc[1], float(high[1]))


def in_crs(geometry: Any, source: str, target: str) -> Any:
    """
    Transform an area, its long edges bent with the projection; lines and points that are left of it fall away.

    In a geographic CRS it comes in pieces where it crosses 180 degrees.
    """
    size = max(geometry.bounds[2] - geometry.bounds[0], geometry.bounds[3] - geometry.bounds[1])
    dense = shapely.segmentize(geometry, size / 50) if size > 1e-9 else geometry  # of a point there is nothing to bend
    change = transformer(source, target)
    out = shapely.transform(dense, lambda xy: np.stack(change.transform(xy[:, 0], xy[:, 1]), axis=1))
    if not np.isfinite(shapely.get_coordinates(out)).all():
        return out
    if is_geographic(target) and not is_geographic(source):
        pieces = cut_at_180(shapely.get_parts(out))
        out = pieces[0] if len(pieces) == 1 else shapely.multipolygons(pieces)
    if shapely.is_valid(out):
        return out
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(out)))
    areal = parts[shapely.get_type_id(parts) == 3]
    return shapely.union_all(areal) if len(areal) else out


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
        West, south, east, north; west is greater than east where it goes over the antimeridian.

    Examples
    --------
    >>> lonlat_box(shapely.MultiPolygon([shapely.box(179, -17, 180, -16), shapely.box(-180, -17, -179, -16)]), "EPSG:4326")
    (179.0, -17.0, -179.0, -16.0)
    """
    degrees = in_crs(geometry, crs, DEGREES)
    _, south, _, north = shapely.bounds(degrees).tolist()
    spans = shapely.bounds(shapely.get_parts(degrees))[:, [0, 2]]
    if not np.isfinite(spans).all():
        return (np.nan, south, np.nan, north)
    west, east = smallest_arc(spans)
    return (west, south, east if east <= 180.0 else east - 360.0, north)


def _unrolled(box: Bounds) -> Bounds:
    """Return a box whose east is not below its west."""
    west, south, east, north = box
    return (west, south, east + 360.0 if east < west else east, north)


def windows_of(area: Bounds, crs: tuple[str, str], source: Source) -> list[Bounds] | None:
    """
    Return the boxes of a source's CRS that hold an area: one, or two where it crosses 180 degrees.

    Parameters
    ----------
    area : Bounds
        In the working CRS.
    crs : tuple of str
        The working CRS and the source's.
    source : Source
        Where it states an extent beyond 180 degrees, its longitudes run from 0 to 360.

    Returns
    -------
    list of Bounds or None
        None when it cannot be told: every row is to be read.
    """
    west, south, east, north = transformer(*crs).transform_bounds(*area, densify_pts=21)
    if not np.all(np.isfinite([west, south, east, north])):
        return None
    if not is_geographic(crs[1]):
        return [(west, south, east, north)] if west < east else None
    own = stated(source)
    low, high = (-180.0, 180.0) if own is None or own[2] <= 180.0 else (own[0], own[2])
    if east <= west:
        east += 360.0
    turned = [(max(west + turn, low), min(east + turn, high)) for turn in (-720.0, -360.0, 0.0, 360.0, 720.0)]
    return [(left, south, right, north) for left, right in turned if left < right] or [(west, south, east, north)]


def read_windows(source: Source, windows: list[Bounds] | None) -> Iterator[pa.Table]:
    """Yield the batches of one or several windows, each row once."""
    if windows is None or len(windows) == 1:
        yield from source.batches(None if windows is None else windows[0])
        return
    seen = np.empty(0, dtype=np.int64)
    for window in windows:
        for batch in source.batches(window):
            row = batch["row"].to_numpy()
            fresh = ~np.isin(row, seen)
            seen = np.concatenate([seen, row[fresh]])
            if fresh.any():
                yield batch.filter(pa.array(fresh))


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
