"""Raw rows to building parts: which rows of a batch are parts of an outline, before anything else is read of them."""

from collections.abc import Mapping

import pyarrow as pa

from citygen.arraytypes import Bool
from citygen.attributes.dialect import DIALECTS
from citygen.attributes.keys import check_column_map
from citygen.attributes.parsed import _Reader


def part_rows(table: pa.Table, dialect: str, column_map: Mapping[str, str]) -> Bool:
    """
    Say which rows are building parts.

    Parameters
    ----------
    table : pyarrow.Table
        Raw columns of one source.
    dialect : str
        Its dialect.
    column_map : mapping of str to str
        The user's own column names.

    Returns
    -------
    (n,) bool
        As ``Attributes.is_part`` will say.
    """
    return _Reader(table, DIALECTS[dialect], check_column_map(column_map)).parts()
