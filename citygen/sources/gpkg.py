"""
GeoPackage (OGC 12-128r19) to batches, through SQLite, read-only and immutable.

Python's own SQLite is used and not GDAL: GDAL reads ``12 m`` in a number column as 12, its spatial filter loses rows
without geometry, and its SQL functions may open files and connections (it refuses some of them in views). Here nothing
but built-in functions exists, only reading is authorised, and nothing is written beside the file.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from citygen.errors import InputError
from citygen.log import get_logger
from citygen.sources.base import BATCH_ROWS, SOURCES, Bounds, Source, SourceFormat, SourceInfo, SourceOptions
from citygen.sources.batch import ID_SAMPLE, Rows, Shape, id_candidates, make_batch, shape_of
from citygen.sources.crs import authority_code, file_crs
from citygen.sources.gpkg_values import declared_column, wkb_of

log = get_logger(__name__)

_MAGIC = b"SQLite format 3\x00"
_POLYGONAL = ("POLYGON", "MULTIPOLYGON", "CURVEPOLYGON", "MULTISURFACE", "SURFACE")
_READS = frozenset((sqlite3.SQLITE_READ, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION))
_PREPARED = frozenset((sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE))
_PRAGMAS = ("table_info", "data_version")
_TYPES = {
    "BOOLEAN": pa.bool_(),
    **dict.fromkeys(("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT"), pa.int64()),
    **dict.fromkeys(("FLOAT", "DOUBLE", "REAL", "NUMERIC"), pa.float64()),
    **dict.fromkeys(("BLOB",), pa.binary()),
}


@dataclass(frozen=True, slots=True)
class _Layer:
    """A features table: its name, geometry column and type, CRS as the file says, and extent."""

    table: str
    geometry: str
    kind: str
    crs: str | None
    bounds: Bounds | None


@dataclass(frozen=True, slots=True)
class _Index:
    """A spatial index, and whether it is known to hold every row."""

    table: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Gpkg:
    """An open layer of a GeoPackage; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    path: Path
    shape: Shape
    table: str
    geometry: str
    key: str
    types: dict[str, pa.DataType]
    index: _Index | None

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches in the order of the fid; see ``citygen.sources.base.Source``."""
        columns = [_name(self.key), _name(self.geometry), *map(_name, self.types)]
        where, values = (
            ("", ()) if bbox is None or self.index is None else _by_index(self.index, self.table, self.key, bbox)
        )
        query = f"SELECT {', '.join(columns)} FROM {_name(self.table)}{where} ORDER BY {_name(self.key)}"  # noqa: S608  names are quoted
        with _reading(self.path) as base:
            cursor = base.execute(query, values)
            last = None
            while records := cursor.fetchmany(batch_rows):
                rows = self._rows(records)
                keys = rows.row if last is None else np.append(last, rows.row)
                if (np.diff(keys) <= 0).any():
                    raise InputError(
                        f"{self.path}: the ids in {self.key!r} of layer {self.table!r} are not unique:"
                        " the file is damaged, or the layer is a view that repeats rows; export it again"
                    )
                last = keys[-1]
                table = make_batch(rows, self.shape, bbox)
                if table is not None:
                    yield table

    def _rows(self, records: Sequence[tuple[Any, ...]]) -> Rows:
        """Turn SQLite's records into rows."""
        keys, blobs, *columns = zip(*records, strict=True)
        geometry, problems = wkb_of(blobs)
        return Rows(
            row=np.array([key if isinstance(key, int) else -1 for key in keys], dtype=np.int64),
            geometry=geometry,
            attributes={
                name: declared_column(values, kind, f"{self.path}: column {name!r}")
                for (name, kind), values in zip(self.types.items(), columns, strict=True)
            },
            problem=problems,
        )


def open_gpkg(path: Path, options: SourceOptions) -> Source:
    """
    Open a layer of a GeoPackage.

    Raises
    ------
    InputError
        When it is no GeoPackage, broken, or holds several layers and none is named.
    MissingCRSError
        When the layer's CRS is undefined (srs_id 0 or -1) and the user gives none.
    """
    _check_size(path)
    with _reading(path) as base:
        layer = _choose(_layers(base, path), options.layer, path)
        key, types = _columns(base, layer, path)
        named = {key: pa.int64(), **types} if key != "rowid" else types
        candidates = id_candidates(named)
        sample = _sample(base, layer.table, candidates)
        shape = shape_of(
            list(named),
            {name: declared_column(values, named[name], "") for name, values in zip(candidates, sample, strict=True)},
            where=str(path),
            id_column=options.id_column,
            wanted=options.columns,
        )
        used = {name: kind for name, kind in named.items() if name in shape.names or name == shape.id_column}
        count = _count(base, layer.table)
        index = _index(base, layer, count)
        info = SourceInfo(
            name=path.stem,
            path=str(path),
            crs=file_crs(layer.crs, where=f"{path} (layer {layer.table!r})", given=options.crs),
            columns=tuple(shape.names.values()),
            feature_count=count,
            bounds=layer.bounds,
            format="gpkg",
        )
    return Gpkg(info, path, shape, layer.table, layer.geometry, key, used, index)


def _check_size(path: Path) -> None:
    """Compare the file's length with what its header says, and look for changes that lie outside it."""
    with path.open("rb") as file:
        head = file.read(100)
    size = int.from_bytes(head[16:18], "big")
    expected = (65536 if size == 1 else size) * int.from_bytes(head[28:32], "big")
    actual = path.stat().st_size
    same_counter = head[24:28] == head[92:96]
    if len(head) < 100 or (same_counter and actual < expected):
        raise InputError(f"{path}: the file is cut off ({actual} of {expected} bytes); fetch or export it again")
    journal = path.with_name(path.name + "-wal")
    if journal.is_file() and journal.stat().st_size:
        raise InputError(
            f"{path}: {journal.name} beside it holds changes that another program has yet to save; close the file there"
        )


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database so that it can only be read, and turn SQLite's errors into ours."""

    def allow(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_PRAGMA:
            good = first in _PRAGMAS
        elif action in _PREPARED:  # what the R-tree module prepares when it starts; it cannot run on a read-only file
            good = first is not None and first.startswith(("rtree_", "sqlite_master"))
        else:
            good = action in _READS and second != "load_extension"
        return sqlite3.SQLITE_OK if good else sqlite3.SQLITE_DENY

    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as base:
            base.text_factory = bytes
            for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
                base.execute(f"PRAGMA {pragma}")
            base.set_authorizer(allow)
            yield base
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        text = str(error)
        if "not authorized" in text or "prohibited" in text or "unsafe" in text:
            raise InputError(
                f"{path}: a view or table of this GeoPackage does more than read ({text}); export it to a table"
            ) from error
        raise InputError(
            f"{path}: the GeoPackage is damaged or cut off (SQLite: {text}); fetch or export it again"
        ) from error


def _layers(base: sqlite3.Connection, path: Path) -> list[_Layer]:
    """Return the features tables with their CRS and extent."""
    tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
    if not {b"gpkg_contents", b"gpkg_geometry_columns", b"gpkg_spatial_ref_sys"} <= tables:
        raise InputError(
            f"{path}: an SQLite database, but no GeoPackage with features (nor are SpatiaLite and MBTiles read)"
        )
    rows = base.execute(
        "SELECT g.table_name, g.column_name, g.geometry_type_name, g.srs_id,"
        " s.organization, s.organization_coordsys_id, s.definition, c.min_x, c.min_y, c.max_x, c.max_y"
        " FROM gpkg_contents c JOIN gpkg_geometry_columns g ON g.table_name = c.table_name"
        " LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id WHERE c.data_type = 'features' ORDER BY g.table_name"
    ).fetchall()
    layers = []
    for table, geometry, kind, srs, organization, code, definition, *box in rows:
        good = all(isinstance(v, int | float) for v in box) and box[0] <= box[2] and box[1] <= box[3]
        layers.append(
            _Layer(
                table=_text(table),
                geometry=_text(geometry),
                kind=_text(kind).upper(),
                crs=None if srs in (0, -1) else _srs(_text(organization), code, _text(definition)),
                bounds=(float(box[0]), float(box[1]), float(box[2]), float(box[3])) if good else None,
            )
        )
    return layers


def _srs(organization: str, code: object, definition: str) -> str | None:
    """Return the CRS of a row of gpkg_spatial_ref_sys: its authority code where PROJ knows it, else its WKT."""
    import pyproj
    from pyproj.exceptions import CRSError

    if organization.upper() != "NONE" and isinstance(code, int):
        name = authority_code(f"{organization}:{code}")
        try:
            if name is not None:
                pyproj.CRS.from_user_input(name)
                return name
        except CRSError:
            log.info("the CRS %s is not known; its definition is used", name)
    return definition if definition and not definition.lower().startswith("undefined") else None


def _choose(layers: list[_Layer], wanted: str | None, path: Path) -> _Layer:
    """Return the layer that the user names, the only one, or the only polygonal one."""
    listing = ", ".join(f"{layer.table} ({layer.kind.lower()})" for layer in layers)
    if not layers:
        raise InputError(f"{path}: the GeoPackage holds no layer of features")
    if wanted is not None:
        found = [layer for layer in layers if layer.table == wanted]
        if not found:
            raise InputError(f"{path}: there is no layer {wanted!r}; its layers are {listing}")
        return found[0]
    if len(layers) == 1:
        return layers[0]
    polygonal = [layer for layer in layers if layer.kind in _POLYGONAL]
    if len(polygonal) == 1 and not any(layer.kind in ("GEOMETRY", "GEOMETRYCOLLECTION") for layer in layers):
        log.warning("%s: layer %r is read, the only one of polygons among: %s", path, polygonal[0].table, listing)
        return polygonal[0]
    raise InputError(f"{path}: several layers; choose one with --layer: {listing}")


def _columns(base: sqlite3.Connection, layer: _Layer, path: Path) -> tuple[str, dict[str, pa.DataType]]:
    """Return the integer key and the Arrow types of the attribute columns of a table or view."""
    key, types = None, {}
    rows = base.execute(f"PRAGMA table_info({_name(layer.table)})").fetchall()
    if layer.geometry.lower() not in [_text(row[1]).lower() for row in rows]:
        raise InputError(f"{path}: layer {layer.table!r} has no column {layer.geometry!r}; the GeoPackage is damaged")
    for _, raw, declared, _, _, primary in rows:
        name, word = _text(raw), _text(declared).upper().split("(")[0].strip()
        if primary == 1 and word == "INTEGER" and sum(bool(row[5]) for row in rows) == 1:
            key = name
        elif name.lower() != layer.geometry.lower():
            types[name] = _TYPES.get(word, pa.string())
    if key is not None:
        return key, types
    is_view = base.execute("SELECT 1 FROM sqlite_master WHERE type = 'view' AND name = ?", (layer.table,)).fetchone()
    if not is_view:
        return "rowid", types
    numbers = [name for name, kind in types.items() if kind == pa.int64()]
    first = next(iter(types), "")
    if first not in numbers:
        raise InputError(
            f"{path}: layer {layer.table!r} is a view without an integer id as its first column; export it to a table"
        )
    return first, {name: kind for name, kind in types.items() if name != first}


def _sample(base: sqlite3.Connection, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the first values of some columns."""
    if not columns:
        return []
    query = f"SELECT {', '.join(map(_name, columns))} FROM {_name(table)} LIMIT {ID_SAMPLE}"  # noqa: S608  names are quoted
    return list(zip(*base.execute(query).fetchall(), strict=True)) or [() for _ in columns]


def _count(base: sqlite3.Connection, table: str) -> int | None:
    """Return the number of rows that the file keeps, where it keeps it (counting would read the whole table)."""
    if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'gpkg_ogr_contents'").fetchone():
        return None
    found = base.execute("SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = ?", (table,)).fetchone()
    return found[0] if found and isinstance(found[0], int) else None


def _index(base: sqlite3.Connection, layer: _Layer, count: int | None) -> _Index | None:
    """Return the spatial index of a layer, where it has one; it lacks rows without geometry."""
    name = f"rtree_{layer.table}_{layer.geometry}"
    if not base.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone():
        return None
    known = base.execute(f"SELECT count(*) FROM {_name(name + '_rowid')}").fetchone()[0]  # noqa: S608  names are quoted
    return _Index(name, complete=known == count)


def _by_index(index: _Index, table: str, key: str, bbox: Bounds) -> tuple[str, tuple[float, ...]]:
    """
    Write the condition that the spatial index answers, with all rows that it does not know.

    A NaN ordinate stands as 0 in the index: boxes of no width at exactly 0 count as unknown.
    """
    ids = f"SELECT id FROM {_name(index.table)}"  # noqa: S608  names are quoted
    chosen = f"{ids} WHERE minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?"
    chosen += f" UNION {ids} WHERE minx = 0 AND maxx = 0 UNION {ids} WHERE miny = 0 AND maxy = 0"
    if not index.complete:
        chosen += f" UNION SELECT * FROM (SELECT {_name(key)} FROM {_name(table)} EXCEPT {ids})"  # noqa: S608
    west, south, east, north = bbox
    return f" WHERE {_name(key)} IN ({chosen})", (east, west, north, south)


def _name(identifier: str) -> str:
    """Quote an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: object) -> str:
    """Return text that came as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


SOURCES.register("gpkg", SourceFormat("GeoPackage (.gpkg)", lambda head: head.startswith(_MAGIC), open_gpkg))
