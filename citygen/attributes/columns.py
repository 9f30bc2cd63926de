"""
Raw Arrow columns -> numbers and coded words.

Nothing here loops over rows: a column is dictionary encoded, each distinct word is read once, and rows take the result
by code. Lists, structs, dates and other types that are no attribute are read as their text, so that they turn up in
the finding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from citygen.arraytypes import AnyArray, Bool, Float64, Int64, Objects

_SHOWN = 80
"""Characters of a raw value that a finding shows."""


@dataclass(frozen=True, slots=True)
class Words:
    """
    A column as codes into its distinct words.

    Attributes
    ----------
    codes : (n,) int64
        Index into ``words``; -1 where null or blank.
    words : tuple of str
        Distinct, as in the source.
    """

    codes: Int64
    words: tuple[str, ...]

    def numbers(self, read: Callable[[str], float]) -> Float64:
        """Read each distinct word and return (n,) float64, NaN where it is unreadable or not given."""
        return self.take(np.array([read(word) for word in self.words], dtype=np.float64), np.nan)

    def texts(self, write: Callable[[str], str]) -> Objects:
        """Rewrite each distinct word and return (n,) object of str, '' where not given."""
        table: Objects = np.array([write(word) for word in self.words], dtype=object)
        return self.take(table, "")

    def of(self, rows: Bool) -> "Words":
        """Return some rows, all of them given, with the words that occur in them alone."""
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Words(codes, tuple(self.words[k] for k in used.tolist()))

    def take(self, table: AnyArray, missing: object) -> AnyArray:
        """Spread one value a word over the rows; ``missing`` where not given."""
        if not len(table):
            return np.full(len(self.codes), missing, dtype=table.dtype)
        taken = table[self.codes]
        taken[self.codes < 0] = missing
        return taken


def is_numeric(column: pa.ChunkedArray) -> bool:
    """Say whether a column holds numbers; booleans are none."""
    kind = _plain_type(column.type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def numbers_of(column: pa.ChunkedArray) -> Float64:
    """
    Return a column of numbers as they are.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        For which ``is_numeric``.

    Returns
    -------
    (n,) float64
        NaN where null.
    """
    plain = _plain(column)
    if plain.type != pa.float64():
        plain = plain.cast(pa.float64(), safe=False)
    values: Float64 = plain.to_numpy(zero_copy_only=False)
    return values.copy() if not values.flags.writeable else values


def words_of(column: pa.ChunkedArray) -> Words:
    """
    Return any column as coded words; numbers are written without a trailing '.0', booleans as 'true' and 'false'.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Of any type, also dictionary encoded, nested or an extension of another.

    Returns
    -------
    Words
        One code a row.
    """
    plain = _plain(column)
    kind = plain.type
    if plain.null_count == len(plain):
        return Words(np.full(len(plain), -1, dtype=np.int64), ())
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        plain = plain.cast(pa.string())
    elif is_numeric(column):
        plain = pa.array(_number_words(numbers_of(column)), type=pa.string())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        pass
    else:
        plain = pa.array([None if value is None else str(value) for value in plain.to_pylist()], type=pa.string())
    encoded = plain.dictionary_encode(null_encoding="encode")
    codes: Int64 = encoded.indices.to_numpy().astype(np.int64)
    words = tuple(encoded.dictionary.to_pylist())
    blank = [k for k, word in enumerate(words) if word is None or not word.strip()]
    if blank:
        code_of = np.arange(len(words))
        code_of[blank] = -1
        codes = code_of[codes]
        words = tuple("" if word is None else word for word in words)
    return Words(codes, words)


def shown(column: str, raw: str) -> str:
    """
    Write a raw value for a finding: its column, and the value quoted, escaped and cut.

    Examples
    --------
    >>> shown("height", "12-15")
    "height='12-15'"
    """
    return f"{column}={raw if len(raw) <= _SHOWN else raw[:_SHOWN] + '…'!r}"


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type below extensions and dictionaries."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array without extension or dictionary."""
    merged = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(merged, pa.ChunkedArray):  # no chunk at all, or too long for one
        merged = pa.concat_arrays(merged.chunks) if merged.num_chunks else pa.array([], type=column.type)
    if isinstance(merged, pa.ExtensionArray):
        merged = merged.storage
    if pa.types.is_dictionary(merged.type):
        merged = merged.cast(merged.type.value_type)
    return merged


def _number_words(values: Float64) -> Objects:
    """Write floats, None where NaN; whole ones without a decimal point."""
    unique, codes = np.unique(values, return_inverse=True)
    table = [
        None if np.isnan(v) else str(int(v)) if np.isfinite(v) and v == int(v) else str(v) for v in unique.tolist()
    ]
    words: Objects = np.array(table, dtype=object)[codes] if len(unique) else np.empty(0, dtype=object)
    return words
