"""
A connection string to one table with a geometry, and to the SQL that reads it; the source itself is ``postgis.py``.

Names come from the user and from the database's own catalogues: they are looked up as parameters and quoted wherever they
stand in SQL, so that a table called ``a"; drop table b`` is only a table with an odd name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from citygen.errors import InputError
from citygen.log import redacted

Rows: TypeAlias = list[dict[str, Any]]
Ask: TypeAlias = Callable[..., Rows]
"""``ask(sql, *parameters)`` -> rows as dictionaries."""

_OURS = ("table", "geometry")
_NAME = re.compile(r'\s*(?:("(?:[^"]|"")+"|[^."]+)\.)?("(?:[^"]|"")+"|[^."]+)\s*')
_AS_IS = frozenset({"int2", "int4", "int8", "float4", "float8", "bool", "text", "varchar", "bytea"})
_SHAPES = ("geometry", "geography")
_EVERYWHERE = 1e30
"""No coordinate lies beyond: what does not meet a box this large is empty or NaN."""


@dataclass(frozen=True, slots=True)
class Spec:
    """
    What a user wrote.

    Attributes
    ----------
    uri : str
        For libpq; holds a password where the user gave one.
    table, geometry : str
        '' where not given.
    shown : str
        The same without secrets: for messages, reports and the log.
    """

    uri: str
    table: str
    geometry: str
    shown: str


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table that was found.

    Attributes
    ----------
    oid : int
        In the server's catalogues.
    schema, name, kind : str
        Its names, and ``relkind`` (r, p table; v, m view; f foreign).
    columns : dict of str to str
        Attribute columns in their order, with the SQL that makes them numbers, booleans, text or bytes.
    shape : str
        The geometry column.
    is_geography : bool
        Whether it is one on the globe.
    key : tuple of str
        Primary key, () for none.
    integer_key : bool
        Whether the key is one integer column.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: dict[str, str]
    shape: str
    is_geography: bool
    key: tuple[str, ...]
    integer_key: bool

    @property
    def sql(self) -> str:
        """The quoted name."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def plane(self) -> str:
        """SQL for the geometry in the plane."""
        return quoted(self.shape) + ("::geometry" if self.is_geography else "")


def quoted(name: str) -> str:
    """
    Write a name as an SQL identifier.

    Examples
    --------
    >>> print(quoted('odd"name'))
    "odd""name"
    """
    return '"' + name.replace('"', '""') + '"'


def parse_spec(text: str) -> Spec:
    """
    Part the table and the geometry column from what libpq understands.

    Parameters
    ----------
    text : str
        ``postgresql://user@host/db?table=schema.table``, with any other parameter of libpq (``service``, ``sslmode``).

    Returns
    -------
    Spec

    Raises
    ------
    InputError
        When it cannot be one.

    Examples
    --------
    >>> spec = parse_spec("postgresql://anna:secret@db.example/city?table=cadastre.buildings&sslmode=require")
    >>> spec.table, spec.shown
    ('cadastre.buildings', 'postgresql://anna@db.example/city?table=cadastre.buildings&sslmode=require')
    """
    if "\x00" in text or "://" not in text:
        raise InputError(f"{redacted(text)}: write it as postgresql://user@host/database?table=schema.table")
    start, _, query = text.partition("?")
    given: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        word, _, value = part.partition("=")
        given[unquote(word)] = unquote(value)
    own = {word: given.pop(word, "") for word in _OURS}
    given.setdefault("connect_timeout", "10")
    given.setdefault("application_name", "citygen")
    rest = "&".join(f"{quote(word)}={quote(value)}" for word, value in given.items())
    return Spec(f"{start}?{rest}", own["table"], own["geometry"], redacted(text))


def find_table(spec: Spec, name: str, ask: Ask) -> Table:
    """
    Look a table up in the server's catalogues.

    Parameters
    ----------
    spec : Spec
        For messages and the geometry column.
    name : str
        ``table``, ``schema.table``, parts in double quotes or not; '' takes the only one there is.
    ask : callable
        Runs a query.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        When the database has no PostGIS, or there is no such table, no geometry column, or several.
    """
    if not ask("SELECT 1 FROM pg_type WHERE typname = 'geometry'"):
        raise InputError(f"{spec.shown}: this database has no PostGIS (CREATE EXTENSION postgis makes it so)")
    if not name:
        name = _only_table(spec, ask)
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(f"{spec.shown}: {name!r} is no name of a table; write table=schema.table")
    schema, relation = (_bare(part) for part in found.groups(default=""))
    rows = ask(
        "SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND (n.nspname = $2 OR ($2 = '' AND pg_table_is_visible(c.oid)))",
        relation,
        schema,
    )
    if not rows:
        raise InputError(f"{spec.shown}: there is no table {name!r}; {_with_geometry(ask)}")
    return _described(spec, rows[0], ask)


def _described(spec: Spec, row: dict[str, Any], ask: Ask) -> Table:
    """Read the columns and the key of a table."""
    oid = int(row["oid"])
    where = f"{row['schema']}.{row['name']}"
    columns = ask(
        "SELECT a.attname::text AS name, coalesce(b.typname, t.typname)::text AS type, t.typcategory::text AS category"  # noqa: S608  a number
        " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0)"
        f" WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    shapes = {c["name"]: c["type"] for c in columns if c["type"] in _SHAPES}
    if not shapes:
        raise InputError(f"{spec.shown}: table {where} has no geometry column; {_with_geometry(ask)}")
    wanted = spec.geometry or next(iter(shapes))
    if wanted not in shapes:
        raise InputError(f"{spec.shown}: table {where} has no geometry column {wanted!r}; it has {', '.join(shapes)}")
    if not spec.geometry and len(shapes) > 1:
        raise InputError(
            f"{spec.shown}: table {where} has several geometry columns ({', '.join(shapes)});"
            f" say which: &geometry={wanted}"
        )
    keys = ask(
        "SELECT a.attname::text AS name, t.typname::text AS type FROM pg_index i"  # noqa: S608  a number
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) JOIN pg_type t ON t.oid = a.atttypid"
        f" WHERE i.indrelid = {oid} AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)"
    )
    return Table(
        oid=oid,
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        columns={c["name"]: _plain_sql(c) for c in columns if c["type"] not in _SHAPES},
        shape=wanted,
        is_geography=shapes[wanted] == "geography",
        key=tuple(k["name"] for k in keys),
        integer_key=len(keys) == 1 and keys[0]["type"] in {"int2", "int4", "int8"},
    )


def _plain_sql(column: dict[str, Any]) -> str:
    """Return SQL that makes a column a number, a boolean, text or bytes."""
    name, kind = quoted(column["name"]), column["type"]
    if column["category"] in {"A", "C"} or kind == "hstore":
        return f"to_json({name})::text"
    if kind in _AS_IS:
        return name
    return f"{name}::float8" if kind == "numeric" else f"{name}::text"


def _bare(part: str) -> str:
    """Return a part of a name without the quotes around it."""
    return part[1:-1].replace('""', '"') if part.startswith('"') else part.strip()


def _tables(ask: Ask) -> list[str]:
    """List the tables and views with a geometry that this user may read."""
    rows = ask(
        "SELECT DISTINCT f_table_schema || '.' || f_table_name AS name FROM"
        " (SELECT f_table_schema, f_table_name FROM geometry_columns"
        " UNION SELECT f_table_schema, f_table_name FROM geography_columns) t ORDER BY 1 LIMIT 21"
    )
    return [row["name"] for row in rows]


def _with_geometry(ask: Ask) -> str:
    """Say which tables have a geometry."""
    names = _tables(ask)
    more = ", ..." if len(names) > 20 else ""
    return f"with a geometry there are: {', '.join(names[:20])}{more}" if names else "no table here has a geometry"


def _only_table(spec: Spec, ask: Ask) -> str:
    """Return the only table with a geometry, quoted."""
    names = _tables(ask)
    if len(names) != 1:
        raise InputError(f"{spec.shown}: say which table: ?table=schema.table; {_with_geometry(ask)}")
    schema, _, name = names[0].partition(".")
    return f"{quoted(schema)}.{quoted(name)}"


def srid_sql(table: Table) -> str:
    """Return SQL for the SRIDs that occur in a table, up to three."""
    return f"SELECT DISTINCT ST_SRID({table.plane}) AS srid FROM {table.sql} WHERE {quoted(table.shape)} IS NOT NULL LIMIT 3"  # noqa: S608  quoted


def extent_sql(table: Table, window: str | None) -> str:
    """Return SQL for the number of rows and their extent: ``rows``, ``w``, ``s``, ``e``, ``n``."""
    box = "ST_Extent(g)"
    sides = f"ST_XMin({box}) AS w, ST_YMin({box}) AS s, ST_XMax({box}) AS e, ST_YMax({box}) AS n"
    within = "" if window is None else f" WHERE {_meets(table.plane, window)}"
    return f"SELECT count(*) AS rows, {sides} FROM (SELECT {table.plane} AS g FROM {table.sql}{within}) t"  # noqa: S608  quoted


def rows_sql(table: Table, columns: list[str], window: str | None) -> str:
    """
    Return SQL for the rows of a table in a stable order.

    Parameters
    ----------
    table : Table
        Where.
    columns : list of str
        Attribute columns to read.
    window : str or None
        SQL of an envelope; the index is asked first, then come the rows that lie nowhere.

    Returns
    -------
    str
        Columns: row number, key as text (null without one), geometry as WKB (curves stroked), then the attributes by place.
    """
    order = _order(table)
    if table.integer_key:
        inner, number = f"SELECT * FROM {table.sql}", f"{quoted(table.key[0])}::bigint"  # noqa: S608  quoted
    else:  # numbered over the whole table: a row keeps its number whatever the window is
        inner = f'SELECT *, row_number() OVER (ORDER BY {order}) - 1 AS "@row" FROM {table.sql}'  # noqa: S608  quoted
        number, order = '"@row"', '"@row"'
    source = f"({inner}) t"
    if window is not None:
        near = f"{inner} WHERE {table.plane} && {window}"
        if not table.integer_key:
            near = f"SELECT * FROM ({inner}) n WHERE {table.plane} && {window}"  # noqa: S608  quoted
        nowhere = f"SELECT * FROM ({inner}) n WHERE {_nowhere(table.plane)}"  # noqa: S608  quoted
        source = f"({near} UNION ALL {nowhere}) t"
    key = " || '/' || ".join(f"{quoted(name)}::text" for name in table.key) or "NULL::text"
    plane = table.plane
    wkb = f"ST_AsBinary(CASE WHEN ST_HasArc({plane}) THEN ST_CurveToLine({plane}) ELSE {plane} END)"
    chosen = "".join(f', {table.columns[name]} AS "c{k}"' for k, name in enumerate(columns))
    head = f'{number} AS "row", {key} AS "key", {wkb} AS "shape"{chosen}'
    return f"SELECT {head} FROM {source} ORDER BY {order}"  # noqa: S608  quoted


def _order(table: Table) -> str:
    """Return what rows are sorted by: the key, else where they lie in the table, else (views) their content."""
    if table.key:
        return ", ".join(quoted(name) for name in table.key)
    if table.kind in {"r", "m"}:
        return "ctid"
    return ", ".join([*(f"{sql}" for sql in table.columns.values()), f"({table.plane})::bytea"])


def envelope(window: tuple[float, float, float, float], srid: int) -> str:
    """Return SQL of a box."""
    west, south, east, north = (repr(float(value)) for value in window)
    return f"ST_MakeEnvelope({west}, {south}, {east}, {north}, {int(srid)})"


def _nowhere(plane: str) -> str:
    """Return SQL that is true for rows without a place: null, empty, NaN."""
    world = f"ST_MakeEnvelope(-{_EVERYWHERE}, -{_EVERYWHERE}, {_EVERYWHERE}, {_EVERYWHERE}, ST_SRID({plane}))"
    return f"({plane} IS NULL OR NOT ({plane} && {world}))"


def _meets(plane: str, window: str) -> str:
    return f"({plane} && {window} OR {_nowhere(plane)})"
