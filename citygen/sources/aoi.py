"""What a user gives as area of interest (file, box, geometry) to one valid polygon with its CRS."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from citygen.errors import InputError
from citygen.geom.antimeridian import cut_at_180
from citygen.geom.parse import parse_wkb
from citygen.log import get_logger
from citygen.sources.base import SourceOptions, open_file
from citygen.sources.crs import OGC_CRS84, is_geographic, user_crs
from citygen.sources.geojson_geometry import geometry_wkb

log = get_logger(__name__)

AoiSpec: TypeAlias = str | Path | BaseGeometry | Mapping[str, Any]

_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_BOX = re.compile(",".join([_NUMBER] * 4))
_NUMBERS = re.compile(f"{_NUMBER}(?:[,;]?{_NUMBER})+")


@dataclass(frozen=True, slots=True)
class Aoi:
    """
    An area of interest.

    Attributes
    ----------
    geometry : shapely.Polygon or shapely.MultiPolygon
        Valid, not empty, 2-D, in ``crs`` (x, y).
    crs : str
        Authority code or WKT.
    """

    geometry: BaseGeometry
    crs: str


def read_aoi(spec: AoiSpec, options: SourceOptions | None = None) -> Aoi:
    """
    Read an area of interest.

    Parameters
    ----------
    spec : str, pathlib.Path, shapely geometry or mapping
        A vector file in any CRS (the union of all its polygons), ``"W,S,E,N"`` in degrees of longitude and latitude
        (W greater than E crosses the antimeridian), a Shapely geometry, or a GeoJSON object. The latter three are in
        longitude and latitude unless ``options.crs`` says otherwise.
    options : SourceOptions or None
        Layer and CRS.

    Returns
    -------
    Aoi
        Invalid polygons are made valid; their lines and points fall away. In longitude and latitude it comes in pieces
        where it crosses 180 degrees: a box with W greater than E, or a polygon with an edge of more than half a turn,
        which is taken the short way round. A ring once around the Earth encloses the nearer pole.

    Raises
    ------
    InputError
        When there is no polygon in it, a polygon cannot be read, or degrees lie beyond the poles.
    MissingCRSError
        When a file does not say its CRS.

    Examples
    --------
    >>> read_aoi("13.40,52.51,13.42,52.53").geometry.bounds
    (13.4, 52.51, 13.42, 52.53)
    """
    options = options or SourceOptions()
    crs = OGC_CRS84 if options.crs is None else user_crs(options.crs)
    if isinstance(spec, BaseGeometry):
        return _finished([spec], crs, "the area of interest")
    if isinstance(spec, Mapping):
        return _finished(_of_json(_plain(spec)), crs, "the area of interest")
    box = _BOX.fullmatch(str(spec))
    if box is not None:
        return _finished(_of_box([float(number) for number in box.groups()], str(spec)), crs, f"the box {spec}")
    if str(spec).lstrip().startswith("{"):
        return _finished(_of_json(_plain(str(spec))), crs, "the area of interest")
    if _NUMBERS.fullmatch(str(spec)) is not None and not Path(spec).exists():
        raise InputError(f"{spec}: a box is four numbers, west,south,east,north in degrees, with commas between them")
    source = open_file(spec, SourceOptions(layer=options.layer, crs=options.crs, columns=()))
    parts: list[BaseGeometry] = []
    for batch in source.batches(None):
        bad = batch.filter(batch["problem"].is_valid())
        if bad.num_rows:
            raise InputError(
                f"{spec}: feature {bad['id'][0].as_py()} cannot be read: "
                f"{bad['problem'][0].as_py()}; mend the area of interest"
            )
        parts += _parsed(batch["geometry"].to_pylist(), str(spec))
    return _finished(parts, source.info.crs, str(spec))


def _of_box(numbers: list[float], text: str) -> list[BaseGeometry]:
    """Make a box, or two where it crosses the antimeridian."""
    west, south, east, north = numbers
    if not south < north or west == east or not all(map(math.isfinite, numbers)):
        raise InputError(f"the box {text} is empty; it is given as west,south,east,north")
    if west < east:
        return [shapely.box(west, south, east, north)]
    return [shapely.box(west, south, 180.0, north), shapely.box(-180.0, south, east, north)]


def _plain(thing: Mapping[str, Any] | str) -> dict[str, Any]:
    """Return GeoJSON as parsed JSON: mappings may hold tuples where JSON has lists."""
    try:
        plain = json.loads(thing if isinstance(thing, str) else json.dumps(dict(thing)))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"the area of interest is no usable JSON: {error}") from error
    return plain if isinstance(plain, dict) else {}


def _of_json(thing: Mapping[str, Any]) -> list[BaseGeometry]:
    """Return the geometries of a GeoJSON object."""
    if thing.get("crs") is not None:
        raise InputError("a GeoJSON object with a crs member: write it to a file, or give longitude and latitude")
    kind = thing.get("type")
    features = thing.get("features") if kind == "FeatureCollection" else [thing]
    if not isinstance(features, list):
        raise InputError("the area of interest is a FeatureCollection without features")
    blobs = []
    for feature in features:
        inner = (
            feature.get("geometry") if isinstance(feature, Mapping) and feature.get("type") == "Feature" else feature
        )
        wkb, problem = geometry_wkb(dict(inner) if isinstance(inner, Mapping) else inner)
        if problem is not None:
            raise InputError(f"the area of interest cannot be read: {problem}")
        blobs.append(wkb)
    return _parsed(blobs, "the area of interest")


def _parsed(blobs: list[bytes | None], where: str) -> list[BaseGeometry]:
    """Parse WKB; unclosed rings are closed."""
    geometries = parse_wkb(np.array(blobs, dtype=object), close=True)
    for blob, geometry in zip(blobs, geometries, strict=True):
        if blob is not None and geometry is None:
            raise InputError(f"{where}: a geometry cannot be read; mend the area of interest")
    return [geometry for geometry in geometries if geometry is not None]


def _finished(parts: list[BaseGeometry], crs: str, where: str) -> Aoi:
    """Unite the polygons, make them valid and check that something is left."""
    flat = shapely.get_parts(shapely.force_2d(np.array(parts, dtype=object)))
    while (shapely.get_type_id(flat) >= 6).any():  # collections in collections
        flat = shapely.get_parts(flat)
    polygons = flat[np.isin(shapely.get_type_id(flat), (3,))]
    if not np.isfinite(shapely.get_coordinates(polygons)).all():
        raise InputError(f"{where}: a coordinate is NaN or infinite; mend the area of interest")
    if is_geographic(crs) and len(polygons):
        cut = cut_at_180(polygons)
        if cut is not polygons:
            log.warning("%s: it crosses 180 degrees of longitude; it is taken the short way round", where)
        polygons = cut
    if not shapely.is_valid(polygons).all():
        log.warning("%s: the area of interest has invalid polygons; they are made valid", where)
    # "linework" honours even-odd rings: what a bow tie or a ring that touches itself encloses stays in
    merged = shapely.union_all(shapely.make_valid(polygons))
    parts_left = shapely.get_parts(merged)
    areas = parts_left[shapely.get_type_id(parts_left) == 3]
    if not len(areas) or not shapely.area(areas).sum() > 0:
        found = sorted({str(geometry.geom_type) for geometry in flat}) or ["nothing"]
        raise InputError(
            f"{where}: there is no polygon in it (found: {', '.join(found)}); "
            "an area of interest is a Polygon or MultiPolygon"
        )
    geometry = areas[0] if len(areas) == 1 else shapely.multipolygons(areas)
    _check_degrees(geometry, crs, where)
    return Aoi(shapely.normalize(geometry) if len(areas) > 1 else geometry, crs)


def _check_degrees(geometry: BaseGeometry, crs: str, where: str) -> None:
    """Refuse latitudes beyond the poles: metres that are called degrees, or a wrong axis order."""
    if not is_geographic(crs):
        return
    west, south, east, north = geometry.bounds
    if south < -90 or north > 90 or west < -360 or east > 360:
        raise InputError(
            f"{where}: x {west:g} to {east:g}, y {south:g} to {north:g} are no longitudes and latitudes;"
            " check the axis order, or give the CRS of the area of interest"
        )
