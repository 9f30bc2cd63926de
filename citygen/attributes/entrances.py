"""
Raw rows to their entrances: a point as WKT in the source's CRS, in a column of a building or of one of its parts.

The text is untrusted: only a point is parsed, of bounded length.
"""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Objects
from citygen.attributes.columns import shown
from citygen.attributes.dialect import DIALECTS
from citygen.attributes.keys import check_column_map
from citygen.attributes.parsed import _Reader

_MOST_TEXT = 200
_POINT = re.compile(r"\s*(srid=\d{1,6};\s*)?point\s*(z|m|zm)?\s*\(", re.IGNORECASE)


def given_entrances(table: pa.Table, dialect: str, column_map: Mapping[str, str]) -> tuple[Objects, Objects] | None:
    """
    Read the entrances of a batch of one source.

    Parameters
    ----------
    table : pyarrow.Table
        n rows, raw columns.
    dialect : str
        The source's.
    column_map : mapping of str to str
        The user's own column names.

    Returns
    -------
    points : (n,) object
        Shapely points in the source's CRS; None where a row gives none.
    problem : (n,) object of str
        What could not be read, '' mostly.

    Examples
    --------
    >>> points, problem = given_entrances(pa.table({"entrance": ["POINT (3 4)", "main", None]}), "plain", {})
    >>> points[0].wkt, points[1:].tolist(), problem.tolist()
    ('POINT (3 4)', [None, None], ['', "entrance='main'", ''])
    """
    reader = _Reader(table, DIALECTS[dialect], check_column_map(column_map))
    if not reader.columns("entrance"):
        return None
    texts = reader.words("entrance", lower=False)
    points: Objects = np.full(table.num_rows, None, dtype=object)
    problem: Objects = np.full(table.num_rows, "", dtype=object)
    for row in np.flatnonzero(texts != "").tolist():
        points[row] = _point(texts[row])
        if points[row] is None:
            problem[row] = shown("entrance", texts[row])
    return points, problem


def _point(text: str) -> shapely.Point | None:
    """Return the point of a text; None when it is none."""
    if len(text) > _MOST_TEXT or not _POINT.match(text):
        return None
    with np.errstate(all="ignore"):  # a NaN in the text is looked for below
        point = shapely.from_wkt(text.split(";", 1)[-1], on_invalid="ignore")
    if point is None or point.is_empty or not np.isfinite(shapely.get_coordinates(point)).all():
        return None
    x, y = shapely.get_coordinates(point)[0].tolist()
    return shapely.Point(x, y)
