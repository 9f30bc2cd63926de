"""Raw rows to building parts: which rows of a batch are parts of an outline, and of which, before anything else is read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Bool, Objects
from citygen.attributes.dialect import DIALECTS
from citygen.attributes.keys import check_column_map
from citygen.attributes.parsed import _Reader


@dataclass(frozen=True, slots=True)
class PartMarks:
    """
    What rows say of being parts; (n,) arrays.

    Attributes
    ----------
    is_part : (n,) bool
        A part, and no outline: as ``Attributes.is_part`` will say.
    is_both : (n,) bool
        Marked as a part and as a building of its own.
    hint : (n,) object of str
        The id of the outline where the source says it, else ''; never the row's own.
    """

    is_part: Bool
    is_both: Bool
    hint: Objects

    @property
    def held(self) -> Bool:
        """Say which rows have to wait until all outlines are known."""
        out: Bool = self.is_part | self.is_both | (self.hint != "")
        return out


def part_marks(table: pa.Table, dialect: str, column_map: Mapping[str, str]) -> PartMarks:
    """
    Say which rows are building parts, and of what.

    Parameters
    ----------
    table : pyarrow.Table
        Raw columns of one source, and ``@id``.
    dialect : str
        Its dialect.
    column_map : mapping of str to str
        The user's own column names.

    Returns
    -------
    PartMarks
    """
    reader = _Reader(table, DIALECTS[dialect], check_column_map(column_map))
    n = len(table)
    if reader.columns("part"):
        is_part = reader.parts()
        is_both = reader.marked() & ~is_part
    else:
        is_part, is_both = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    hint: Objects = np.full(n, "", dtype=object)
    if reader.columns("part_of"):
        hint = reader.words("part_of", lower=False)
        named = np.flatnonzero(hint != "")
        own = table["@id"].take(pa.array(named)).to_pylist()
        hint[named[hint[named] == np.array(own, dtype=object)]] = ""
    return PartMarks(is_part, is_both, hint)
