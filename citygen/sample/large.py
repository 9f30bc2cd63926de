"""
A count to a country of towns: footprints streamed as GeoParquet 1.1, its ground, its area of interest.

Towns are made one by one and written in row groups, so memory does not grow with the count.
Format: https://geoparquet.org/releases/v1.1.0/ (WKB, OGC:CRS84, covering bbox column).
"""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from citygen.arraytypes import Float64
from citygen.errors import ConfigError, OutputError
from citygen.log import get_logger
from citygen.sample.districts import SQUARE_M, Town, join, take, town
from citygen.sample.frame import DEM_EPSG, dem_to_local, dem_window, to_lonlat
from citygen.sample.lots import STACK
from citygen.sample.tags import COLUMNS, DRAWN, vocabularies
from citygen.sample.terrain import Country
from citygen.sample.write import SamplePaths, aoi_geojson, config_toml, paths_in, write_bytes

if TYPE_CHECKING:
    import pyarrow as pa

log = get_logger(__name__)

SEED = 20_260
PER_SQUARE_KM = 2_000
CELL_M = 10.0
MARGIN_M = 200.0
_BLOCK = 256
_FIRST_ID = 10_000_000


def write_large(path: Path, n_buildings: int, *, dem_path: Path | None = None, batch: int = 50_000) -> SamplePaths:
    """
    Write a country of towns.

    Parameters
    ----------
    path : pathlib.Path
        The GeoParquet file; ``aoi.geojson`` and ``citygen.toml`` are written beside it.
    n_buildings : int
        Rows: outlines and parts; at least one. About 2,000 a square kilometre.
    dem_path : pathlib.Path, optional
        The GeoTIFF; ``dem.tif`` beside the GeoParquet by default.
    batch : int
        Rows of a row group. The bytes depend on it, the buildings do not.

    Returns
    -------
    SamplePaths
        What was written.

    Raises
    ------
    ConfigError
        When ``n_buildings`` or ``batch`` is not positive.
    OutputError
        When a file cannot be written.
    """
    if n_buildings < 1 or batch < 1:
        raise ConfigError(f"the number of buildings and the batch must be positive, not {n_buildings} and {batch}")
    folder = path.parent
    beside = paths_in(folder, path.name)
    paths = SamplePaths(folder, path, dem_path or beside.dem, beside.aoi, beside.config)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        bounds = _write_buildings(path, n_buildings, batch)
        _write_dem(paths.dem, bounds)
    except OSError as error:
        raise OutputError(f"cannot write the sample to {folder}: {error}") from error
    low, high = np.array(bounds[:2]) - 20.0, np.array(bounds[2:]) + 20.0
    ring = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    write_bytes(paths.aoi, aoi_geojson(ring).encode())
    dem = os.path.relpath(paths.dem, folder).replace(os.sep, "/")
    write_bytes(paths.config, config_toml(path.name, dem=dem).encode())
    return paths


Bounds = tuple[float, float, float, float]


def _write_buildings(path: Path, n_buildings: int, batch: int) -> Bounds:
    """Stream the buildings; return their bounds, metres, local frame."""
    import pyarrow.parquet as pq

    part = path.with_name(path.name + ".part")
    local, degrees = _Extent(), _Extent()
    try:
        with pq.ParquetWriter(part, _schema(), compression="zstd") as writer:
            for first, group in _groups(n_buildings, batch):
                local.add(shapely.total_bounds(group.polygons))
                table, bounds = _table(group, first)
                degrees.add(bounds)
                writer.write_table(table, row_group_size=batch)
                log.info("%d of %d buildings", first + len(group.kinds), n_buildings)
            writer.add_key_value_metadata({"geo": json.dumps(_geo(degrees.bounds()), separators=(",", ":"))})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return local.bounds()


def _groups(n_buildings: int, batch: int) -> Iterator[tuple[int, Town]]:
    """Yield the number of the first building and the buildings of each row group."""
    columns = _columns(n_buildings)
    waiting: list[Town] = []
    held = given = square = 0
    while given < n_buildings:
        while held < min(batch, n_buildings - given):
            waiting.append(town(SEED, square % columns, square // columns))
            held += len(waiting[-1].kinds)
            square += 1
        everything = join(waiting)
        count = min(batch, n_buildings - given)
        yield given, take(everything, slice(0, count))
        waiting = [take(everything, slice(count, None))]
        given, held = given + count, held - count


def _columns(n_buildings: int) -> int:
    """Return how many towns lie side by side, so that the country is about square."""
    return max(1, math.ceil(math.sqrt(n_buildings / PER_SQUARE_KM / (SQUARE_M / 1000) ** 2)))


class _Extent:
    """A rectangle that grows."""

    def __init__(self) -> None:
        self._low, self._high = np.full(2, np.inf), np.full(2, -np.inf)

    def add(self, bounds: Float64) -> None:
        self._low, self._high = np.minimum(self._low, bounds[:2]), np.maximum(self._high, bounds[2:])

    def bounds(self) -> Bounds:
        low, high = self._low.tolist(), self._high.tolist()
        return low[0], low[1], high[0], high[1]


def _schema() -> "pa.Schema":
    import pyarrow as pa

    box = pa.struct([(name, pa.float64()) for name in ("xmin", "ymin", "xmax", "ymax")])
    words = [(name, pa.string()) for name in ("id", *COLUMNS)]
    return pa.schema([*words, ("geometry", pa.binary()), ("bbox", box)])


def _table(group: Town, first: int) -> tuple["pa.Table", Float64]:
    """Return one row group and its bounds in degrees."""
    import pyarrow as pa
    import pyarrow.compute as pc

    lonlat = shapely.transform(group.polygons, to_lonlat)
    boxes = shapely.bounds(lonlat)
    numbers = pa.array(np.arange(_FIRST_ID + first, _FIRST_ID + first + len(lonlat)))
    ids = pc.binary_join_element_wise("way", numbers.cast(pa.string()), "/")
    box = pa.StructArray.from_arrays([pa.array(boxes[:, k]) for k in range(4)], ["xmin", "ymin", "xmax", "ymax"])
    geometry = pa.array(shapely.to_wkb(lonlat, byte_order=1), pa.binary())
    table = pa.table([ids, *_words(group), geometry, box], schema=_schema())
    return table, shapely.total_bounds(lonlat)


def _words(group: Town) -> "list[pa.Array]":
    """Return the attribute columns: what was drawn, or the tags of a part."""
    import pyarrow as pa

    is_part = group.part >= 0
    vocabulary = vocabularies()
    codes = {name: np.where(is_part, -1, group.tags[:, k]) for k, name in enumerate(DRAWN)}
    vocabulary["building:part"], codes["building:part"] = ("yes",), np.where(is_part, 0, -1)
    for k, name in enumerate(("min_height", "height")):
        of_part = tuple(stack[k] for stack in STACK)
        size = len(vocabulary.get(name, ()))
        vocabulary[name] = (*vocabulary.get(name, ()), *of_part)
        codes[name] = np.where(is_part, size + group.part, codes.get(name, -1))
    codes["min_height"] = np.where(group.part == 0, -1, codes["min_height"])  # the podium stands on the ground
    columns = []
    for name in COLUMNS:
        if name in codes:
            indices = pa.array(codes[name], pa.int64(), mask=codes[name] < 0)
            columns.append(pa.array(vocabulary[name], pa.string()).take(indices))
        else:
            columns.append(pa.nulls(len(group.part), pa.string()))
    return columns


def _geo(bounds: Bounds) -> dict[str, Any]:
    """Return the ``geo`` metadata of GeoParquet 1.1; ``bounds`` in degrees."""
    from pyproj import CRS

    covering = {"bbox": {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}}
    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "crs": CRS("OGC:CRS84").to_json_dict(),
        "orientation": "counterclockwise",
        "bbox": list(bounds),
        "covering": covering,
    }
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def _write_dem(path: Path, bounds: Bounds) -> None:
    """Write the ground under the buildings and a margin around them, a row of tiles at a time."""
    import rasterio
    from rasterio.transform import from_origin
    from rasterio.windows import Window

    low, high = np.array(bounds[:2]) - MARGIN_M, np.array(bounds[2:]) + MARGIN_M
    left, top, columns, rows = dem_window((low[0], low[1], high[0], high[1]), CELL_M)
    squares = np.ceil(high / SQUARE_M).astype(int) + 1
    country = Country(SEED, SQUARE_M, int(squares[0]), int(squares[1]))
    profile = {
        "driver": "GTiff", "width": columns, "height": rows, "count": 1, "dtype": "float32", "nodata": -9999,
        "crs": f"EPSG:{DEM_EPSG}", "transform": from_origin(left, top, CELL_M, CELL_M), "tiled": True,
        "blockxsize": _BLOCK, "blockysize": _BLOCK, "compress": "deflate", "predictor": 3, "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with rasterio.open(part, "w", **profile) as raster:
            x = left + (np.arange(columns) + 0.5) * CELL_M
            for row in range(0, rows, _BLOCK):
                y = top - (np.arange(row, min(row + _BLOCK, rows)) + 0.5) * CELL_M
                grid = np.stack(np.meshgrid(x, y), axis=-1)
                xy = dem_to_local(grid.reshape(-1, 2))
                heights = np.round(country.height(xy[:, 0], xy[:, 1]), 2).astype(np.float32)
                raster.write(heights.reshape(grid.shape[:2]), 1, window=Window(0, row, columns, len(y)))
        part.replace(path)
    except rasterio.errors.RasterioError as error:
        raise OutputError(f"cannot write {path}: {error}") from error
    finally:
        part.unlink(missing_ok=True)
