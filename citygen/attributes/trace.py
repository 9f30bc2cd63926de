"""
Raw rows to what was understood of each canonical key, and from which column: what ``inspect`` counts and ``explain`` tells.

The reading itself is that of ``parsed``: nothing is read here in another way than a build reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Bool, Float64, Objects
from citygen.attributes.columns import words_of
from citygen.attributes.dialect import DIALECTS
from citygen.attributes.keys import KEYS, Key, check_column_map
from citygen.attributes.parsed import _Reader

_WORDS = ("word", "text", "flag")


@dataclass(frozen=True, slots=True)
class KeyRead:
    """
    What n rows say of one key.

    Attributes
    ----------
    key : Key
        The key.
    columns : tuple of tuple of str
        The table's columns that were asked, in their order; of two where a value is one less the other.
    numbers : (n,) float64 or None
        Metres, degrees, counts or colours, NaN where not given; None for a key of words.
    words : (n,) object of str or None
        In our vocabulary, '' where not given; None for a key of numbers.
    given : (n,) bool
        Rows with a usable value.
    zero : (n,) bool
        Rows whose only value is a zero that stands for 'not known'.
    unread : (n,) object of str
        The raw values that could not be used, '' where all could.
    """

    key: Key
    columns: tuple[tuple[str, ...], ...]
    numbers: Float64 | None
    words: Objects | None
    given: Bool
    zero: Bool
    unread: Objects


@dataclass(frozen=True, slots=True)
class Said:
    """
    What one row says of one key.

    Attributes
    ----------
    key, column : str
        The column that decided, or the first that held something; '' where none did.
    raw : str
        Its value as in the source.
    value : float, str or None
        As read; None where it counts as not given.
    why : str
        Why not: 'unreadable', 'zero', 'not given'; '' where a value was read.
    """

    key: str
    column: str
    raw: str
    value: float | str | None
    why: str


def read_keys(table: pa.Table, dialect: str, column_map: Mapping[str, str]) -> dict[str, KeyRead]:
    """
    Read every key that a table has a column for.

    Parameters
    ----------
    table : pyarrow.Table
        n rows of one source, raw columns.
    dialect : str
        The source's.
    column_map : mapping of str to str
        The user's own column names.

    Returns
    -------
    dict of str to KeyRead
        In the order of ``KEYS``, those with a column only.

    Examples
    --------
    >>> found = read_keys(pa.table({"height": ["12 m", "tall", None]}), "osm", {})["height"]
    >>> found.given.tolist(), found.unread.tolist()
    ([True, False, False], ['', "height='tall'", ''])
    """
    reader = _Reader(table, DIALECTS[dialect], check_column_map(column_map))
    out: dict[str, KeyRead] = {}
    for name, key in KEYS.items():
        columns = tuple(column.names for column in reader.columns(name))
        if columns:
            reader.unread = np.full(table.num_rows, "", dtype=object)
            out[name] = _read(reader, key, columns)
    return out


def _read(reader: _Reader, key: Key, columns: tuple[tuple[str, ...], ...]) -> KeyRead:
    """Read one key of a reader that has noted nothing yet."""
    if key.kind in _WORDS:
        words = reader.words(key.name, lower=key.kind != "text")
        nothing = np.zeros(len(words), dtype=np.bool_)
        return KeyRead(key, columns, None, words, np.asarray(words != "", dtype=np.bool_), nothing, reader.unread)
    numbers = reader.numbers(key.name)
    return KeyRead(key, columns, numbers.values, None, ~np.isnan(numbers.values), numbers.is_zero, reader.unread)


def trace_row(table: pa.Table, dialect: str, column_map: Mapping[str, str]) -> list[Said]:
    """
    Say of one row which column gave each key, and what of it was not understood.

    Parameters
    ----------
    table : pyarrow.Table
        One row, raw columns.
    dialect : str
        Its source's.
    column_map : mapping of str to str
        The user's own column names.

    Returns
    -------
    list of Said
        One for each key that the row has something in a column for, in the order of ``KEYS``.

    Examples
    --------
    >>> row = pa.table({"height": ["tall"], "building:height": ["12"], "roof:shape": ["hip"]})
    >>> [(said.key, said.column, said.value) for said in trace_row(row, "osm", {})]
    [('height', 'building:height', 12.0), ('roof_shape', 'roof:shape', 'hip')]
    """
    out: list[Said] = []
    for name, found in read_keys(table, dialect, column_map).items():
        said: Said | None = None
        for columns in found.columns:
            raw = [words_of(table.column(column)) for column in columns]
            if raw[0].codes[0] < 0:
                continue
            alone = read_keys(table.select(list(columns)), dialect, column_map).get(name)
            text = " less ".join(words.words[words.codes[0]] if words.codes[0] >= 0 else "nothing" for words in raw)
            one = _said(name, " less ".join(columns), text, alone)
            if one.value is not None or said is None:
                said = one
            if one.value is not None:
                break
        if said is not None:
            out.append(said)
    return out


def _said(name: str, column: str, raw: str, found: KeyRead | None) -> Said:
    """Put in one value what a column says of a key."""
    if found is None or not found.given[0]:
        why = (
            "not given"
            if found is None
            else "zero"
            if found.zero[0]
            else "unreadable"
            if found.unread[0]
            else "not given"
        )
        return Said(name, column, raw, None, why)
    value = str(found.words[0]) if found.numbers is None and found.words is not None else float(found.numbers[0])  # type: ignore[index]
    return Said(name, column, raw, value, "")
