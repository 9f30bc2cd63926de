"""
The bundled town to files: footprints and area of interest as GeoJSON, the ground as GeoTIFF, a configuration, a readme.

The same bytes on every run and machine: coordinates to 7 decimals of a degree, heights to 0.01 m, no clock.
Formats: RFC 7946 (GeoJSON), OGC GeoTIFF 1.1.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.errors import InputError, OutputError
from citygen.log import get_logger
from citygen.sample.broken import oddities
from citygen.sample.footprint import Footprint
from citygen.sample.frame import DEM_EPSG, dem_to_local, dem_window, to_lonlat
from citygen.sample.geotiff import geotiff_bytes
from citygen.sample.kinds import CODES
from citygen.sample.tags import COLUMNS, attributes
from citygen.sample.terrain import hill_height
from citygen.sample.town import AOI_M, SEED, town

log = get_logger(__name__)

MARGIN_M = 100.0
CELL_M = 5.0
_CONFIG = """\
# citygen reads this file when it is run in this folder; every key is also an option of `citygen build`.
[build]
aoi = "aoi.geojson"                 # what to build: a polygon in any CRS
buildings = ["{buildings}"]{pad}# footprints with attributes in OpenStreetMap's words
dem = ["{dem}"]{dem_pad}# ground heights, EPSG:3035, metres above the sea
"""
_README = """\
# Sample: a small town on a hill

A made-up town near 3.05 E, 46.55 N, made by `citygen sample` (a fixed seed, no survey data, the same bytes each time).

- `buildings.geojson`: footprints, longitude/latitude, attributes in OpenStreetMap's words and as patchy as in life.
  `way/900001` to `way/900008` are broken on purpose; their `note` says how.
- `dem.tif`: the ground, 5 m cells, EPSG:3035, float32 metres, nodata -9999; deflate in stored blocks with predictor 3,
  so that its bytes do not depend on a compressor.
- `aoi.geojson`: a polygon around the town. `citygen.toml`: the configuration that builds it.

To the extent possible under law, the authors waive all rights to this data: CC0 1.0
(https://creativecommons.org/publicdomain/zero/1.0/). Any likeness to a real town is chance.
"""


@dataclass(frozen=True, slots=True)
class SamplePaths:
    """
    Where the files of a sample lie.

    Attributes
    ----------
    folder, buildings, dem, aoi, config : pathlib.Path
        The folder and the files in it.
    """

    folder: Path
    buildings: Path
    dem: Path
    aoi: Path
    config: Path


def write_sample(folder: Path) -> SamplePaths:
    """
    Write the bundled town.

    Parameters
    ----------
    folder : pathlib.Path
        Made when missing; files of the sample in it are replaced, others left alone.

    Returns
    -------
    SamplePaths
        What was written.

    Raises
    ------
    OutputError
        When the folder cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as scratch:
    ...     write_sample(Path(scratch) / "town").dem.name
    'dem.tif'
    """
    paths = paths_in(folder, "buildings.geojson")
    footprints = town()
    write_bytes(paths.buildings, _buildings_geojson(footprints).encode())
    write_bytes(paths.aoi, aoi_geojson(np.array(AOI_M, dtype=np.float64)).encode())
    write_bytes(paths.dem, _dem())
    write_bytes(paths.config, config_toml(paths.buildings.name).encode())
    write_bytes(folder / "README.md", _README.encode())
    log.info("sample of %d footprints in %s", len(footprints), folder)
    return paths


def bundled_sample() -> SamplePaths:
    """
    Find the sample that comes with citygen, in an installed package or a source checkout.

    Returns
    -------
    SamplePaths
        Files that exist.

    Raises
    ------
    InputError
        When this installation has none.
    """
    package = Path(str(files("citygen.sample"))).parent
    for folder in (package / "data" / "sample", package.parent / "data" / "sample"):
        paths = paths_in(folder, "buildings.geojson")
        if all(path.is_file() for path in (paths.buildings, paths.dem, paths.aoi, paths.config)):
            return paths
    raise InputError(f"the bundled sample is missing beside {package}; write one with: citygen sample DIR")


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """
    Refuse a folder that holds something, unless it may be overwritten.

    Raises
    ------
    OutputError
        When ``folder`` is a file, or is not empty and ``overwrite`` is false.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder; give another folder")
    if folder.is_dir() and not overwrite and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty; give another folder or --overwrite")


def paths_in(folder: Path, buildings: str) -> SamplePaths:
    """Return where a sample's files lie in a folder."""
    return SamplePaths(folder, folder / buildings, folder / "dem.tif", folder / "aoi.geojson", folder / "citygen.toml")


def write_bytes(path: Path, data: bytes) -> None:
    """
    Write a whole file or none: beside, then renamed.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        if beside.is_file():
            beside.unlink()
        raise OutputError(f"cannot write {path}: {error.strerror}; give another folder or free some space") from error


def config_toml(buildings: str, dem: str = "dem.tif") -> str:
    """Return the configuration that builds a sample; paths are relative to its folder."""
    pad, dem_pad = (" " * max(2, width - len(name)) for width, name in ((20, buildings), (26, dem)))
    return _CONFIG.format(buildings=buildings, pad=pad, dem=dem, dem_pad=dem_pad)


def aoi_geojson(ring: Float64) -> str:
    """Return a feature collection of one polygon; ``ring`` is (m, 2) float64, open, metres, local frame."""
    geometry = f'{{"type":"Polygon","coordinates":[{_positions(ring)}]}}'
    feature = f'{{"type":"Feature","properties":{{"name":"area of interest"}},"geometry":{geometry}}}'
    return f'{{"type":"FeatureCollection","features":[\n{feature}\n]}}\n'


def _buildings_geojson(footprints: list[Footprint]) -> str:
    """Return the footprints, then the oddities, one feature a line."""
    lines = []
    for k, (footprint, tags) in enumerate(zip(footprints, _tags(footprints), strict=True)):
        prefix = "relation" if footprint.holes else "way"
        shells = ((footprint.ring, *footprint.holes),)
        lines.append(_feature(f"{prefix}/{1_000_003 + 7 * k}", shells, tags))
    lines += [_feature(odd.fid, odd.shells, odd.tags) for odd in oddities()]
    body = ",\n".join(lines)
    return f'{{"type":"FeatureCollection","features":[\n{body}\n]}}\n'


def _tags(footprints: list[Footprint]) -> list[dict[str, str]]:
    """Draw each footprint's attributes and let those of the layout win."""
    kinds = np.array([CODES[footprint.kind] for footprint in footprints])
    bearings = np.array([footprint.bearing_deg() for footprint in footprints])
    drawn = attributes(kinds, bearings, np.random.default_rng([SEED, 1]))
    texts = {name: column.texts() for name, column in drawn.items()}
    out = []
    for k, footprint in enumerate(footprints):
        given = footprint.tags
        tags = {name: value for name, column in texts.items() if (value := column[k]) is not None}
        if footprint.kind == "set":
            tags = {}
        if "roof:shape" in given:
            tags = {name: value for name, value in tags.items() if not name.startswith("roof:")}
        out.append(tags | given)
    return out


def _feature(fid: str, shells: tuple[tuple[Float64, ...], ...], tags: dict[str, str]) -> str:
    """Return one feature as a line of GeoJSON."""
    properties: dict[str, Any] = {"id": fid, **{name: tags[name] for name in COLUMNS if name in tags}}
    words = json.dumps(properties, ensure_ascii=False, separators=(",", ":"))
    polygons = ["[" + ",".join(_positions(ring) for ring in shell) + "]" for shell in shells]
    if not polygons:
        geometry = "null"
    elif len(polygons) == 1:
        geometry = f'{{"type":"Polygon","coordinates":{polygons[0]}}}'
    else:
        geometry = f'{{"type":"MultiPolygon","coordinates":[{",".join(polygons)}]}}'
    return f'{{"type":"Feature","properties":{words},"geometry":{geometry}}}'


def _positions(ring: Float64) -> str:
    """Return a closed ring as GeoJSON positions."""
    lonlat = to_lonlat(ring)
    return "[" + ",".join(f"[{lon:.7f},{lat:.7f}]" for lon, lat in [*lonlat.tolist(), lonlat[0].tolist()]) + "]"


def _dem() -> bytes:
    """Sample the ground at cell centres, to 0.01 m."""
    corners = np.array(AOI_M)
    low, high = corners.min(axis=0) - MARGIN_M, corners.max(axis=0) + MARGIN_M
    left, top, columns, rows = dem_window((low[0], low[1], high[0], high[1]), CELL_M)
    x, y = np.meshgrid(left + (np.arange(columns) + 0.5) * CELL_M, top - (np.arange(rows) + 0.5) * CELL_M)
    xy = dem_to_local(np.column_stack([x.ravel(), y.ravel()]))
    heights = np.round(hill_height(xy[:, 0], xy[:, 1]), 2).reshape(rows, columns)
    return geotiff_bytes(heights, left=left, top=top, cell_m=CELL_M, epsg=DEM_EPSG)
