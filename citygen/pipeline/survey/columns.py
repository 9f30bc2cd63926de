"""Raw columns of a source to what they hold, the names that a file format has cut, and text that was decoded wrongly."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import Float64
from citygen.attributes.columns import is_numeric, numbers_of
from citygen.attributes.units import parse_length
from citygen.pipeline.survey.tallies import Spread, Words, examples

DBF_NAME = 10
"""Characters that a field name of a shapefile can have."""
_MOJIBAKE = re.compile(
    "[\u00c2-\u00c5\u00c3\u00d0\u00d1][\u0080-\u00bf\u2018-\u2122\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192]|\ufffd"
)


class Column:
    """
    What one raw column holds.

    Attributes
    ----------
    name, kind : str
        Its name; number, text, yes/no, bytes or nothing.
    rows, given : int
        Rows read, and those of them with a value.
    spread : Spread
        Of numbers.
    words : Words
        Of text, booleans and whole numbers.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind = "nothing"
        self.rows = self.given = 0
        self.spread, self.words = Spread(), Words()

    def add(self, column: pa.ChunkedArray) -> None:
        """Take the column of a batch."""
        self.rows += len(column)
        if pa.types.is_null(column.type):
            return
        if is_numeric(column):
            numbers = numbers_of(column)
            self.kind = "number"
            self.given += int((~np.isnan(numbers)).sum())
            self.spread.add(numbers)
            if pa.types.is_integer(column.type):
                self.words.add(column.cast(pa.string()))
            return
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            self.kind, self.given = "bytes", self.given + len(column) - column.null_count
            return
        self.kind = "yes/no" if pa.types.is_boolean(column.type) else "text"
        text = column.cast(pa.string())
        self.given += len(text) - text.null_count - (pc.sum(pc.equal(text, "")).as_py() or 0)
        self.words.add(text)

    def numbers(self) -> Float64:
        """Return the numbers of a column, also those that stand in text, as lengths in metres."""
        if self.kind == "number":
            return self.spread.values()
        if self.kind != "text":
            return np.empty(0)
        found = [(parse_length(word), count) for word, count in self.words.counts.items()]
        return np.repeat([value for value, _ in found], [min(count, 1000) for _, count in found]).astype(np.float64)

    def summary(self) -> dict[str, Any]:
        """Return what it holds as JSON can hold it."""
        return {
            "column": self.name,
            "type": self.kind,
            "given": self.given,
            "range": self.spread.summary() if self.kind == "number" else None,
            "examples": examples(self.words.top(3)) if self.kind in {"text", "yes/no"} else [],
        }

    @property
    def garbled(self) -> list[str]:
        """Words that were decoded with the wrong character set, as far as that shows."""
        return [word for word in self.words.counts if _MOJIBAKE.search(word)] if self.kind == "text" else []


def column_oddities(columns: list[Column], file_format: str) -> list[dict[str, Any]]:
    """
    Say what is odd about names and text.

    Parameters
    ----------
    columns : list of Column
        Of one source.
    file_format : str
        Registered name.

    Returns
    -------
    list of dict
        ``code``, ``text``, ``count``, ``examples``: text_garbled, names_garbled, names_cut, columns_empty.
    """
    out: list[dict[str, Any]] = []
    words = [(c.name, word) for c in columns for word in c.garbled]
    if words:
        where = sorted({name for name, _ in words})
        text = f"text that looks decoded with the wrong character set, in {', '.join(where[:4])}"
        out.append(_odd("text_garbled", text, len(words), [word for _, word in words]))
    names = [c.name for c in columns if _MOJIBAKE.search(c.name)]
    if names:
        out.append(_odd("names_garbled", "column names decoded with the wrong character set", len(names), names))
    cut = [c.name for c in columns if len(c.name.encode()) == DBF_NAME]
    if cut and (file_format == "shapefile" or (all(len(c.name) <= DBF_NAME for c in columns) and len(cut) > 1)):
        out.append(
            _odd("names_cut", "column names of exactly 10 characters: cut off by the shapefile format", len(cut), cut)
        )
    empty = [c.name for c in columns if c.rows and not c.given]
    if empty:
        out.append(_odd("columns_empty", "columns without any value", len(empty), empty))
    return out


def _odd(code: str, text: str, count: int, words: list[str]) -> dict[str, Any]:
    return {"code": code, "text": text, "count": count, "examples": examples(words)}
