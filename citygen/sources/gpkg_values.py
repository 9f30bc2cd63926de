"""Values as SQLite holds them in a GeoPackage to Arrow columns: geometries without header, attributes as declared."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from citygen.log import get_logger
from citygen.sources.batch import text_array, utf8_array

log = get_logger(__name__)

_ENVELOPE = (0, 32, 48, 48, 64)
"""Bytes of the envelope in a geometry's header, by its indicator."""


def wkb_of(blobs: Sequence[Any]) -> tuple[pa.Array, pa.Array]:
    """
    Strip the headers of GeoPackage geometries.

    Parameters
    ----------
    blobs : sequence of bytes or None
        (n,) values of the geometry column.

    Returns
    -------
    wkb : (n,) pyarrow.Array of binary
        Null for null and for what is no GeoPackage geometry.
    problem : (n,) pyarrow.Array of string
        Why, for the latter.
    """
    kinds = {blob if blob is None else blob[:2] + blob[3:4] if isinstance(blob, bytes) else b"" for blob in blobs}
    starts = {kind: _start(kind) for kind in kinds if kind is not None}
    if all(isinstance(start, int) for start in starts.values()) and len(starts) <= 1:
        start = next(iter(starts.values()), 0)
        good = [blob if blob is None else blob[start:] for blob in blobs]
        return pa.array(good, pa.binary()), pa.nulls(len(good), pa.string())
    out: list[bytes | None] = []
    problems: list[str | None] = []
    for blob in blobs:
        found = None if blob is None else starts[blob[:2] + blob[3:4] if isinstance(blob, bytes) else b""]
        out.append(blob[found:] if isinstance(found, int) else None)
        problems.append(found if isinstance(found, str) else None)
    return pa.array(out, pa.binary()), text_array(problems)


def _start(kind: bytes) -> int | str:
    """Return where the WKB starts, by the magic and the flags of a header; or why there is none."""
    if len(kind) != 3 or kind[:2] != b"GP" or kind[2] >> 1 & 7 > 4:
        return "the value is no GeoPackage geometry"
    if kind[2] & 32:
        return "an extended GeoPackage geometry, which is not read"
    return 8 + _ENVELOPE[kind[2] >> 1 & 7]


def declared_column(values: Sequence[Any], kind: pa.DataType, where: str) -> pa.Array:
    """
    Make a column of its declared type.

    SQLite lets any value stand anywhere: a number in a text column becomes text, text in a number column becomes null,
    with a warning in the log.

    Parameters
    ----------
    values : sequence
        As SQLite gives them, text as bytes.
    kind : pyarrow.DataType
        Of the declared type.
    where : str
        File and column, for the log.

    Returns
    -------
    pyarrow.Array
        Of that type.

    Examples
    --------
    >>> declared_column([1, b"x", None], pa.string(), "").to_pylist()
    ['1', 'x', None]
    """
    try:
        if pa.types.is_string(kind):
            strings, damaged = utf8_array(pa.array(values, pa.binary()))
            if damaged:
                log.warning("%s: %d values are not UTF-8; unreadable bytes are shown as U+FFFD", where, damaged)
            return strings
        if pa.types.is_boolean(kind):
            return pc.not_equal(pa.array(values, pa.int64()), 0)
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _mixed_column(values, kind, where)


def _mixed_column(values: Sequence[Any], kind: pa.DataType, where: str) -> pa.Array:
    """Make a column of values that are not all of its type."""
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        texts = [v if v is None or isinstance(v, bytes) else str(v).encode() for v in values]
        column = pa.array(texts, pa.binary())
        return utf8_array(column)[0] if pa.types.is_string(kind) else column
    whole = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    fits = [isinstance(v, int) or (isinstance(v, float) and (not whole or v.is_integer())) for v in values]
    lost = sum(v is not None and not ok for v, ok in zip(values, fits, strict=True))
    if lost:
        log.warning(
            "%s is declared as a number, but %d of %d values are not; they count as missing", where, lost, len(values)
        )
    numbers = [(int(v) if whole else float(v)) if ok else None for v, ok in zip(values, fits, strict=True)]
    column = pa.array(
        [None if whole and v is not None and not -(1 << 63) <= v < 1 << 63 else v for v in numbers],
        pa.int64() if whole else kind,
    )
    return pc.not_equal(column, 0) if pa.types.is_boolean(kind) else column
