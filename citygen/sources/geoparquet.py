"""
GeoParquet 1.0 and 1.1 (OGC 24-013) to batches, row group by row group; a bounding box column is pushed down.

Overture's files are read here too; its nested columns come as JSON text, which costs time: name the columns that are
needed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from citygen.arraytypes import Bool
from citygen.errors import InputError
from citygen.log import get_logger
from citygen.sources.base import BATCH_ROWS, SOURCES, Bounds, SourceFormat, SourceInfo, SourceOptions
from citygen.sources.batch import ID_SAMPLE, Rows, Shape, id_candidates, make_batch, shape_of, text_array
from citygen.sources.crs import OGC_CRS84, file_crs, missing_crs
from citygen.sources.geojson_geometry import geometry_wkb

log = get_logger(__name__)

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_NATIVE = {
    "point": "Point",
    "linestring": "LineString",
    "polygon": "Polygon",
    "multipoint": "MultiPoint",
    "multilinestring": "MultiLineString",
    "multipolygon": "MultiPolygon",
}


@dataclass(frozen=True, slots=True)
class GeoParquet:
    """
    An open GeoParquet file; see ``citygen.sources.base.Source``.

    Attributes
    ----------
    covering : tuple of tuple of str
        Paths of the columns of xmin, ymin, xmax, ymax; empty without a covering.
    """

    info: SourceInfo
    path: Path
    shape: Shape
    geometry: str
    encoding: str
    covering: tuple[tuple[str, ...], ...]

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        key = self.shape.id_column
        wanted = [*self.shape.names, *([] if key is None or key in self.shape.names else [key])]
        boxes = self.covering if bbox is not None else ()
        columns = [self.geometry, *wanted, *dict.fromkeys(path[0] for path in boxes)]
        with _opened(self.path) as file:
            row = 0
            for group in range(file.num_row_groups):
                if (
                    bbox is not None
                    and self.covering
                    and group_misses(file.metadata.row_group(group), self.covering, bbox)
                ):
                    row += file.metadata.row_group(group).num_rows
                    continue
                for batch in file.iter_batches(batch_rows, row_groups=[group], columns=columns, use_threads=True):
                    table = self._table(batch, row, wanted, bbox)
                    row += batch.num_rows
                    if table is not None:
                        yield table

    def _table(self, batch: pa.RecordBatch, first: int, wanted: list[str], bbox: Bounds | None) -> pa.Table | None:
        """Turn a record batch into a batch of the contract."""
        row = np.arange(first, first + batch.num_rows, dtype=np.int64)
        if bbox is not None and self.covering:
            keep = rows_meet(batch, self.covering, bbox)
            if not keep.all():
                batch, row = batch.filter(pa.array(keep)), row[keep]
        geometry, problem = _wkb(batch.column(self.geometry), self.encoding)
        rows = Rows(
            row=row, geometry=geometry, attributes={name: batch.column(name) for name in wanted}, problem=problem
        )
        return make_batch(rows, self.shape, bbox)


def open_geoparquet(path: Path, options: SourceOptions) -> GeoParquet:
    """
    Open a GeoParquet file.

    Raises
    ------
    InputError
        When it is no Parquet, cut off, or its ``geo`` metadata is wrong.
    MissingCRSError
        When its CRS is null and the user gives none.
    """
    with _opened(path) as file:
        geo = geo_metadata(file.metadata.metadata, file.schema_arrow.names, path)
        geometry = geo["primary_column"]
        column = geo["columns"][geometry]
        encoding = str(column.get("encoding", ""))
        if encoding != "WKB" and encoding not in _NATIVE:
            raise InputError(
                f"{path}: unknown geometry encoding {encoding[:40]!r} in the GeoParquet metadata; write it as WKB"
            )
        covering = covering_paths(column, file.schema_arrow)
        skipped = {geometry, *(covered[0] for covered in covering)}
        names = [name for name in file.schema_arrow.names if name not in skipped]
        doubled = sorted({name for name in file.schema_arrow.names if file.schema_arrow.names.count(name) > 1})
        if doubled:
            raise InputError(f"{path}: columns that stand twice: {', '.join(doubled)}; rename them")
        shape = shape_of(
            names,
            _sample(file, id_candidates(names)),
            where=str(path),
            id_column=options.id_column,
            wanted=options.columns,
        )
        count = file.metadata.num_rows
    info = SourceInfo(
        name=path.stem,
        path=str(path),
        crs=column_crs(column, path, options.crs),
        columns=tuple(shape.names.values()),
        feature_count=count,
        bounds=_extent(column),
        format="geoparquet",
    )
    return GeoParquet(info, path, shape, geometry, encoding, covering)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file and turn Arrow's errors, also late ones, into ours."""
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError, EOFError) as error:
        text = (str(error).splitlines() or ["no reason given"])[0][:200]
        raise InputError(
            f"{path}: the Parquet file is damaged or cut off ({text}); fetch or export it again"
        ) from error


def geo_metadata(metadata: Mapping[bytes, bytes] | None, names: Sequence[str], path: Path | str) -> dict[str, Any]:
    """Return the checked ``geo`` metadata of a file with these columns."""
    raw = (metadata or {}).get(b"geo")
    if raw is None:
        raise InputError(
            f"{path}: Parquet, but not GeoParquet: it has no 'geo' metadata; write it with geopandas.to_parquet or GDAL"
        )
    try:
        geo = json.loads(raw)
        column = geo["columns"][geo["primary_column"]]
        column.get("encoding"), geo["primary_column"].casefold()
    except (ValueError, RecursionError):
        raise InputError(f"{path}: the 'geo' metadata of the GeoParquet file is no JSON; write it again") from None
    except (KeyError, TypeError, IndexError, AttributeError):
        raise InputError(
            f"{path}: the 'geo' metadata of the GeoParquet file lacks "
            "primary_column or its entry in columns; write it again"
        ) from None
    if geo["primary_column"] not in names:
        raise InputError(
            f"{path}: the geometry column {geo['primary_column']!r} that "
            "the 'geo' metadata names does not exist; write it again"
        )
    return dict(geo)


def column_crs(column: Mapping[str, Any], path: Path | str, given: str | None) -> str:
    """Return the CRS: absent means longitude and latitude, null means unknown."""
    if given is None and "crs" in column and not column["crs"]:
        raise missing_crs(path, "its CRS is null, which means that nobody knows it")
    crs = column.get("crs") or OGC_CRS84
    if not isinstance(crs, dict | str):
        raise InputError(
            f"{path}: the crs of the GeoParquet metadata is neither "
            "PROJJSON nor a code; give it with --source-crs EPSG:n"
        )
    return file_crs(crs, where=path, given=given)


def covering_paths(column: Mapping[str, Any], schema: pa.Schema) -> tuple[tuple[str, ...], ...]:
    """Return the paths of the box columns, empty where there are none or they do not exist."""
    covering = column.get("covering")
    box = covering.get("bbox") if isinstance(covering, dict) else None
    if not isinstance(box, dict):
        return ()
    paths = []
    for side in _SIDES:
        path = box.get(side)
        if (
            not isinstance(path, list)
            or not path
            or not all(isinstance(part, str) for part in path)
            or path[0] not in schema.names
        ):
            return ()
        kind = schema.field(path[0]).type
        for part in path[1:]:
            if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
                return ()
            kind = kind.field(part).type
        if not pa.types.is_floating(kind):
            return ()
        paths.append(tuple(path))
    return tuple(paths)


def _sample(file: pq.ParquetFile, names: list[str]) -> dict[str, pa.Array]:
    """Return the first values of some columns."""
    if not names:
        return {}
    first = next(file.iter_batches(ID_SAMPLE, columns=names), None)
    return {} if first is None else {name: first.column(name) for name in names}


def group_misses(group: Any, covering: tuple[tuple[str, ...], ...], bbox: Bounds) -> bool:
    """Say whether a row group surely has no row that meets the box or cannot be placed."""
    paths = [".".join(path) for path in covering]
    found = {}
    for k in range(group.num_columns):
        chunk = group.column(k)
        if chunk.path_in_schema in paths:
            found[chunk.path_in_schema] = chunk.statistics
    stats = [found[path] for path in paths if found.get(path) is not None]
    if len(stats) != 4 or any(not s.has_min_max or not s.has_null_count or s.null_count for s in stats):
        return False
    west, south, east, north = bbox
    xmin, ymin, xmax, ymax = stats
    if xmax.min < xmin.min:  # a box that crosses the antimeridian lies among them
        return False
    return bool(xmin.min > east or xmax.max < west or ymin.min > north or ymax.max < south)


def rows_meet(batch: pa.RecordBatch, covering: tuple[tuple[str, ...], ...], bbox: Bounds) -> Bool:
    """Say which rows' boxes meet a box; true also for missing boxes and for those that cross the antimeridian."""
    sides = []
    for path in covering:
        column = batch.column(path[0])
        if len(path) > 1:
            column = pc.struct_field(column, list(path[1:]))
        sides.append(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False))
    xmin, ymin, xmax, ymax = sides
    west, south, east, north = bbox
    outside = (xmin <= xmax) & ((xmin > east) | (xmax < west) | (ymin > north) | (ymax < south))
    return np.asarray(~outside, dtype=np.bool_)


def _wkb(column: pa.Array, encoding: str) -> tuple[pa.Array, pa.Array | None]:
    """Return WKB and problems of a geometry column in any encoding."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if encoding == "WKB":
        if pa.types.is_binary(column.type):
            return column, None
        if pa.types.is_large_binary(column.type):
            return pc.cast(column, pa.binary()), None
        raise InputError(
            f"a geometry column of type {column.type} is called WKB in the GeoParquet metadata; write the file again"
        )
    kind = _NATIVE[encoding]
    pairs = [
        geometry_wkb(None if value is None else {"type": kind, "coordinates": _nested(value)})
        for value in column.to_pylist()
    ]
    return pa.array([wkb for wkb, _ in pairs], pa.binary()), text_array([problem for _, problem in pairs])


def _nested(value: Any) -> Any:
    """Turn GeoArrow's positions into GeoJSON's (x, y and z; m is left out)."""
    if isinstance(value, dict):
        return [value.get(axis) for axis in ("x", "y", "z") if axis in value]
    return [_nested(part) for part in value] if isinstance(value, list) else value


def _extent(column: Mapping[str, Any]) -> Bounds | None:
    """Return the extent of the metadata (4 or 6 numbers)."""
    box = column.get("bbox")
    if not isinstance(box, list) or len(box) not in (4, 6) or not all(type(v) in (int, float) for v in box):
        return None
    half = len(box) // 2
    west, south, east, north = map(float, (box[0], box[1], box[half], box[half + 1]))
    return (west, south, east, north) if np.isfinite((west, south, east, north)).all() and west <= east else None


SOURCES.register(
    "geoparquet",
    SourceFormat("GeoParquet (.parquet)", lambda head: head.startswith((b"PAR1", b"PARE")), open_geoparquet),
)
