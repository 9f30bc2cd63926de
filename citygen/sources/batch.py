"""
Rows as a format gives them, turned into the batches of the contract: ids, WKB, problems, plain columns, cut by a box.

The contract stands in ``citygen.sources.base.Source``.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import Bool, Float64, Int64
from citygen.errors import InputError
from citygen.geom.parse import parse_wkb
from citygen.geom.wkb import bounds, read_plain
from citygen.log import get_logger
from citygen.model.binary import binary_buffers
from citygen.sources.base import Bounds

log = get_logger(__name__)

RESERVED = ("id", "geometry", "problem", "row")
"""Columns of every batch; a raw column of that name gets a trailing ``_``."""

BATCH_SCHEMA = pa.schema(
    [("id", pa.string()), ("geometry", pa.binary()), ("problem", pa.string()), ("row", pa.int64())]
)
"""Their types."""

ID_WORDS = ("id", "@id", "osm_id", "gml_id", "fid", "ogc_fid", "objectid", "gid")
"""Columns that are taken as ids when the user names none, best first, in any letter case."""

ID_SAMPLE = 1000
"""First rows of which half must be given and none repeated for a column to be taken unasked: some hold zeros only."""


@dataclass(frozen=True, slots=True)
class Rows:
    """
    A batch as a format read it.

    Attributes
    ----------
    row : (n,) int64
        Row numbers in the file.
    geometry : pyarrow.Array of binary
        WKB or null.
    attributes : mapping of str to pyarrow.Array
        By raw name, any Arrow type, in file order.
    problem : pyarrow.Array of string or None
        Why a geometry could not be read.
    feature_id : pyarrow.Array of string or None
        Ids that lie outside the attributes (GeoJSON ``id``, an index).
    """

    row: Int64
    geometry: pa.Array
    attributes: Mapping[str, pa.Array]
    problem: pa.Array | None = None
    feature_id: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """
    How a source's rows become batches: decided once, when it is opened.

    Attributes
    ----------
    names : mapping of str to str
        Raw column to the name in the batches, in order, only those that are handed on.
    id_column : str or None
        Raw column of the ids.
    """

    names: Mapping[str, str]
    id_column: str | None


def shape_of(
    columns: Sequence[str],
    sample: Mapping[str, pa.Array],
    *,
    where: str,
    id_column: str | None,
    wanted: tuple[str, ...] | None,
) -> Shape:
    """
    Choose the id column and the names of the columns of a source.

    Parameters
    ----------
    columns : sequence of str
        Raw attribute columns.
    sample : mapping of str to pyarrow.Array
        First rows (up to ``ID_SAMPLE``) of the columns in ``id_candidates(columns)``.
    where : str
        The file, for messages.
    id_column : str or None
        What the user says.
    wanted : tuple of str or None
        Columns to hand on.

    Raises
    ------
    InputError
        When the user's id column does not exist.
    """
    if id_column is not None and id_column not in columns:
        raise InputError(
            f"{where}: there is no column {id_column!r} for the ids; its columns are {', '.join(columns) or '(none)'}"
        )
    if id_column is None:
        id_column = next((name for name in id_candidates(columns) if _is_key(sample.get(name), name, where)), None)
    names: dict[str, str] = {}
    taken = {*RESERVED, *(c for c in columns if c not in RESERVED)}
    for name in columns:
        new = name
        while new in RESERVED or (new != name and new in taken):
            new += "_"
        taken.add(new)
        if wanted is None or name in wanted:
            names[name] = new
    return Shape(names, id_column)


def id_candidates(columns: Iterable[str]) -> list[str]:
    """Return the columns that look like ids, best first."""
    by_word: dict[str, str] = {}
    for name in columns:
        by_word.setdefault(name.lower(), name)
    return [by_word[word] for word in ID_WORDS if word in by_word]


def raw_name(name: str) -> str:
    """
    Return a column's name in the file for the one it has in the batches.

    Examples
    --------
    >>> raw_name("id_"), raw_name("id"), raw_name("usage_")
    ('id', 'id', 'usage_')
    """
    bare = name.rstrip("_")
    return bare if bare in RESERVED else name


def make_batch(rows: Rows, shape: Shape, bbox: Bounds | None) -> pa.Table | None:
    """
    Turn rows into a batch of the contract, or None where none meets the box.

    Parameters
    ----------
    rows : Rows
        As read.
    shape : Shape
        Of the source.
    bbox : Bounds or None
        Rows wholly outside are left out; rows that cannot be located stay.

    Returns
    -------
    pyarrow.Table or None
        Columns of ``citygen.sources.base.Source``.
    """
    n = len(rows.row)
    problem = rows.problem if rows.problem is not None else pa.nulls(n, pa.string())
    table = pa.table(
        [
            _ids(rows, shape),
            rows.geometry,
            problem,
            pa.array(rows.row),
            *(plain(rows.attributes[name]) for name in shape.names),
        ],
        names=[*RESERVED, *shape.names.values()],
    )
    if bbox is not None and n:
        keep = meets(rows.geometry, bbox)
        if not keep.all():
            table = table.filter(pa.array(keep))
    return table if table.num_rows else None


def meets(geometry: pa.Array, bbox: Bounds) -> Bool:
    """
    Say which geometries touch a box or cannot be located.

    Parameters
    ----------
    geometry : pyarrow.Array of binary
        (n,) WKB.
    bbox : Bounds
        Same CRS.

    Returns
    -------
    (n,) bool
        True also for null, empty, NaN and unparsable geometries.
    """
    boxes = wkb_bounds(geometry)
    west, south, east, north = bbox
    outside = (boxes[:, 0] > east) | (boxes[:, 2] < west) | (boxes[:, 1] > north) | (boxes[:, 3] < south)
    return np.asarray(~outside, dtype=np.bool_)


def wkb_bounds(geometry: pa.Array) -> Float64:
    """
    Return the bounds of WKB geometries.

    Returns
    -------
    (n, 4) float64
        xmin, ymin, xmax, ymax; NaN for null, empty and unparsable ones.
    """
    import shapely

    if isinstance(geometry, pa.ChunkedArray):
        geometry = geometry.combine_chunks()
    quick = read_plain(*binary_buffers(geometry))
    boxes = bounds(quick)
    rest = np.flatnonzero(~quick.rows)
    if len(rest):
        # "fix" closes an unclosed ring, which still says where it lies; what it cannot mend becomes None
        raw = geometry.take(pa.array(rest)).to_numpy(zero_copy_only=False)
        boxes[rest] = np.asarray(shapely.bounds(parse_wkb(raw, close=True))).reshape(-1, 4)
    return boxes


def plain(column: pa.Array) -> pa.Array:
    """
    Make a column plain: numbers, booleans, strings or bytes; dates as ISO text, nested values as JSON text.

    Examples
    --------
    >>> plain(pa.array([{"a": 1}, None])).to_pylist()
    ['{"a": 1}', None]
    """
    kind = column.type
    if isinstance(column, pa.ExtensionArray) or pa.types.is_dictionary(kind):
        return plain(column.dictionary_decode() if pa.types.is_dictionary(kind) else column.storage)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _sound_text(column)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_binary(kind):
        return column
    if pa.types.is_decimal(kind):
        return pc.cast(column, pa.float64(), safe=False)
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else json_text(v) for v in column.to_pylist()], pa.string())
    if pa.types.is_duration(kind):
        column = pc.cast(column, pa.int64())
    bytes_like = pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return pc.cast(column, pa.binary() if bytes_like else pa.string())


def json_text(value: object) -> str:
    """Write a value as JSON text; what JSON lacks (dates, bytes) as its text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def text_array(values: Sequence[str | None]) -> pa.Array:
    r"""
    Make a string array; lone surrogates, which UTF-8 cannot hold, become ``?``.

    Examples
    --------
    >>> text_array(["a\ud800", None]).to_pylist()
    ['a?', None]
    """
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [None if v is None else v.encode("utf-8", "replace").decode("utf-8") for v in values], pa.string()
        )


def utf8_array(values: pa.Array) -> tuple[pa.Array, int]:
    """
    Turn bytes into strings; bytes that are no UTF-8 become U+FFFD.

    Returns
    -------
    strings : pyarrow.Array of string
    damaged : int
        Values that held such bytes.
    """
    try:
        return pc.cast(values, pa.string()), 0
    except pa.ArrowInvalid:
        decoded = [None if v is None else v.decode("utf-8", "replace") for v in values.to_pylist()]
        return pa.array(decoded, pa.string()), sum("�" in v for v in decoded if v is not None)


def _sound_text(column: pa.Array) -> pa.Array:
    """Return strings that hold only UTF-8; files are not always what they say."""
    try:
        column.validate(full=True)
        return column if pa.types.is_string(column.type) else pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        binary = pa.binary() if pa.types.is_string(column.type) else pa.large_binary()
        return utf8_array(column.view(binary).cast(pa.binary()))[0]


def _is_key(values: pa.Array | None, name: str, where: str) -> bool:
    """Say whether the first rows of a column can serve as ids."""
    if values is None:
        return False
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_nested(values.type) or pa.types.is_boolean(values.type):
        return False
    given = len(values) - values.null_count
    good = 2 * given >= len(values) and pc.count_distinct(values, mode="only_valid").as_py() == given
    if not good:
        log.info(
            "%s: column %r is not taken as id: values are repeated or missing in the first %d rows",
            where,
            name,
            len(values),
        )
    return bool(good)


def _ids(rows: Rows, shape: Shape) -> pa.Array:
    """Return the ids: the id column, else the feature's own id, else the row number."""
    fallback = pc.cast(pa.array(rows.row), pa.string())
    parts = []
    if shape.id_column is not None:
        column = pc.cast(plain(rows.attributes[shape.id_column]), pa.string())
        parts.append(pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column))
    if rows.feature_id is not None:
        parts.append(rows.feature_id)
    ids = pc.coalesce(*parts, fallback)
    return ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
