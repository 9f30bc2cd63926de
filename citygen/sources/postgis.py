"""
A table or view of a PostGIS database to batches, through libpq (ADBC, Arrow batches from COPY): ``postgresql://...?table=``.

One connection for the life of the source, in one transaction that is read only and repeatable read: whatever other people
write meanwhile, every pass sees the same rows. Rows come in the order of the primary key, so that the same table gives the
same bytes. The area of interest is asked of the spatial index. Passwords come from the connection string, ``PGPASSWORD``,
``~/.pgpass`` or a service file, as libpq has it; none is shown, logged or written. Sources: the PostgreSQL manual (Connection
URIs, SET TRANSACTION, COPY), the PostGIS manual (geometry_columns, spatial_ref_sys).
"""

import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from citygen import extras
from citygen.errors import InputError
from citygen.log import get_logger, without_secrets
from citygen.sources.base import BATCH_ROWS, REMOTES, Bounds, Remote, Source, SourceInfo, SourceOptions, boxes_of
from citygen.sources.batch import ID_SAMPLE, Rows, Shape, id_candidates, make_batch, shape_of
from citygen.sources.crs import boxes_in, file_crs
from citygen.sources.postgis_table import (
    Spec,
    Table,
    envelope,
    extent_sql,
    find_table,
    parse_spec,
    rows_sql,
    srid_sql,
)

log = get_logger(__name__)

_SESSION = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL DateStyle = 'ISO'",
    "SET LOCAL extra_float_digits = 1",
)


class Database:
    """
    A connection with one read-only snapshot.

    Parameters
    ----------
    spec : Spec
        Where.

    Raises
    ------
    InputError
        When the server cannot be reached or refuses.
    MissingExtraError
        Without ``citygen[postgis]``.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        dbapi: Any = extras.need("adbc_driver_postgresql.dbapi", "postgis")
        self.error: Any = dbapi.Error
        with self._errors("cannot be opened"):
            self.connection = dbapi.connect(spec.uri)
            weakref.finalize(self, _close, self.connection, self.error)
            for command in _SESSION:
                with self.connection.cursor() as cursor:
                    cursor.execute(command)

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn the driver's errors into one line that names the database."""
        try:
            yield
        except self.error as error:
            lines = [line.strip() for line in str(error).partition("\n\nQuery was")[0].splitlines() if line.strip()]
            text = without_secrets(" ".join(lines).partition(". SQLSTATE")[0], self.spec.uri)
            raise InputError(f"{self.spec.shown}: {what}: {text[:400]}") from error

    def ask(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a small query."""
        with self._errors("a query failed"), self.connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            rows: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
            return rows

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Yield the record batches of a large one."""
        with self._errors("the table cannot be read on"), closing(self.connection.cursor()) as cursor:
            cursor.execute(sql)
            yield from cursor.fetch_record_batch()


def _close(connection: Any, error: type[Exception]) -> None:
    with suppress(error, RuntimeError):
        connection.close()


@dataclass(frozen=True, slots=True)
class PostgisSource:
    """
    An open table; see ``citygen.sources.base.Source``.

    Attributes
    ----------
    database : Database
        Its connection; closed when the source is no longer used.
    table : Table
        What is read.
    srid : int
        Of its geometries.
    window : Bounds or None
        Around the area of interest, in the table's CRS: nothing beyond is read.
    """

    info: SourceInfo
    database: Database
    table: Table
    shape: Shape
    srid: int
    window: Bounds | None

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        needed = [c for c in self.table.columns if c in self.shape.names or c == self.shape.id_column]
        box = bbox or self.window
        sql = rows_sql(self.table, needed, None if box is None else envelope(box, self.srid))
        for batch in self.database.stream(sql):
            for first in range(0, batch.num_rows, batch_rows):
                part = batch.slice(first, batch_rows)
                table = make_batch(_rows(part, needed, self.table, self.shape), self.shape, box)
                if table is not None:
                    yield table


def _rows(batch: pa.RecordBatch, needed: list[str], table: Table, shape: Shape) -> Rows:
    """
    Turn a record batch of ``rows_sql`` into rows.

    They are copied: the driver leaves the bits behind the last row unset, and a digest of the buffers would see them.
    """
    batch = batch.take(pa.array(np.arange(batch.num_rows)))
    own_ids = table.key and shape.id_column is None
    return Rows(
        row=batch.column(0).to_numpy(zero_copy_only=False).astype(np.int64),
        geometry=batch.column(2),
        attributes={name: batch.column(k + 3) for k, name in enumerate(needed)},
        feature_id=batch.column(1) if own_ids else None,
    )


def open_postgis(text: str, options: SourceOptions, area: Bounds | None) -> Source:
    """
    Open a table or view.

    Parameters
    ----------
    text : str
        ``postgresql://user@host/database?table=schema.table[&geometry=column]`` and any parameter of libpq.
    options : SourceOptions
        ``layer`` may name the table too; the primary key is the id unless a column is named.
    area : Bounds or None
        West, south, east, north in degrees: only rows that meet it are read.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        No server, no such table (those with a geometry are listed), no or several geometry columns, mixed SRIDs.
    MissingCRSError
        When the geometries have SRID 0 and no CRS is given.
    """
    spec = parse_spec(text)
    database = Database(spec)
    table = find_table(spec, spec.table or options.layer or "", database.ask)
    where = f"{spec.shown} ({table.schema}.{table.name})"
    srid = _srid(database, table, where)
    crs = file_crs(_crs_of(database, srid), where=where, given=options.crs)
    window = None if area is None else _window(area, crs)
    extent = database.ask(extent_sql(table, None if window is None else envelope(window, srid)))[0]
    columns = tuple(table.columns)
    single = table.key[0] if len(table.key) == 1 else None
    chosen = options.id_column or (single if single in table.columns else None)
    sample = {} if chosen or table.key else _sample(database, table, columns)
    shape = shape_of(columns, sample, where=where, id_column=chosen, wanted=options.columns)
    sides = (extent["w"], extent["s"], extent["e"], extent["n"])
    info = SourceInfo(
        name=table.name,
        path=spec.shown,
        crs=crs,
        columns=tuple(shape.names.values()),
        feature_count=int(extent["rows"]),
        bounds=None if any(side is None for side in sides) else sides,
        format="postgis",
    )
    return PostgisSource(info, database, table, shape, srid, window)


def _srid(database: Database, table: Table, where: str) -> int:
    """Return the one SRID of a table's geometries; of an empty table the one that its column declares."""
    found = [int(row["srid"]) for row in database.ask(srid_sql(table))]
    if len(found) > 1:
        raise InputError(
            f"{where}: its geometries have several SRIDs ({', '.join(map(str, sorted(found)))});"
            " make a view with one of them (ST_Transform) and give that"
        )
    if found:
        return found[0]
    declared = database.ask(
        "SELECT srid::int8 AS srid FROM geometry_columns WHERE f_table_schema = $1 AND f_table_name = $2"
        " AND f_geometry_column = $3 UNION SELECT srid::int8 FROM geography_columns WHERE f_table_schema = $1"
        " AND f_table_name = $2 AND f_geography_column = $3",
        table.schema,
        table.name,
        table.shape,
    )
    return int(declared[0]["srid"]) if declared else 0


def _crs_of(database: Database, srid: int) -> str | None:
    """Return what spatial_ref_sys says of an SRID: code, or WKT; None for 0 and unknown ones."""
    rows = database.ask(
        "SELECT auth_name::text AS name, auth_srid::int8 AS code, srtext::text AS wkt FROM spatial_ref_sys WHERE srid = $1",
        srid,
    )
    if srid == 0 or not rows:
        return None
    row = rows[0]
    if row["name"] and row["code"] and row["name"].upper() in {"EPSG", "ESRI", "OGC", "IGNF"}:
        return f"{row['name'].upper()}:{row['code']}"
    wkt: str | None = row["wkt"]
    return wkt


def _window(area: Bounds, crs: str) -> Bounds | None:
    """Return the box around an area in a CRS; None (everything) where it cannot be told."""
    boxes = boxes_in(boxes_of(area), crs)
    if boxes is None:
        return None
    sides = np.array(boxes)
    low, high = sides[:, :2].min(axis=0).tolist(), sides[:, 2:].max(axis=0).tolist()
    return (low[0], low[1], high[0], high[1])


def _sample(database: Database, table: Table, columns: tuple[str, ...]) -> dict[str, pa.Array]:
    """Read the first rows of the columns that look like ids."""
    names = id_candidates(columns)
    if not names:
        return {}
    sql = rows_sql(table, names, None) + f" LIMIT {ID_SAMPLE}"
    batches = list(database.stream(sql))
    if not batches:
        return {}
    whole = pa.Table.from_batches(batches).combine_chunks()
    return {name: whole.column(k + 3).combine_chunks() for k, name in enumerate(names)}


_TEXT = "postgresql://user@host/database?table=schema.table"
REMOTES.register("postgresql", Remote(_TEXT, open_postgis), aliases=("postgres",))
