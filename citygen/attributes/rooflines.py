"""
Raw rows to the roof lines that they draw, in the source's CRS: WKT in a column of a building, or rows that are lines.

Tag pages: Key:roof:ridge, Key:roof:edge, Key:roof:apex. A way or node that is tagged 'yes' is a line or an apex of the roof
that it lies on; a building may carry its lines as WKT in the same columns (a table has no ways). The text is untrusted: only
flat geometry types are parsed, of bounded length, so that no nesting and no size can hurt.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Objects
from citygen.attributes.columns import shown
from citygen.attributes.dialect import DIALECTS
from citygen.attributes.keys import check_column_map
from citygen.attributes.parsed import _YES, _Reader

LINE_KEYS = ("roof_ridge", "roof_edge", "roof_apex")
"""In the order in which their geometries stand in a row's collection."""

_MOST_TEXT, _MOST_VERTICES = 50_000, 500
_FLAT_WKT = re.compile(r"\s*(multi)?(linestring|point)\b", re.IGNORECASE)
_NO = ("no", "false", "0", "n", "f")


@dataclass(frozen=True, slots=True)
class DrawnLines:
    """
    The roof lines of a table's rows.

    Attributes
    ----------
    geometry : (n,) object
        A collection of ridges (MultiLineString), edges (MultiLineString) and apexes (MultiPoint) in the source's CRS;
        None where a row draws nothing.
    alone : (n,) bool
        Rows that are such a line themselves, not a building with lines.
    problem : (n,) object of str
        What could not be read, '' where all could.
    """

    geometry: Objects
    alone: Bool
    problem: Objects


def drawn_lines(table: pa.Table, dialect: str, column_map: Mapping[str, str], geometry: Objects) -> DrawnLines | None:
    """
    Read the roof lines of a batch of one source.

    Parameters
    ----------
    table : pyarrow.Table
        n rows, raw columns.
    dialect : str
        The source's.
    column_map : mapping of str to str
        The user's own column names.
    geometry : (n,) object
        The rows' own geometries, None where there is none.

    Returns
    -------
    DrawnLines or None
        None where the source has no such column.

    Examples
    --------
    >>> table = pa.table({"roof:ridge": ["LINESTRING (2 2, 8 2)"]})
    >>> drawn_lines(table, "osm", {}, np.array([shapely.box(0, 0, 10, 4)])).geometry[0].geoms[0].length
    6.0
    """
    reader = _Reader(table, DIALECTS[dialect], check_column_map(column_map))
    if not any(reader.columns(key) for key in LINE_KEYS):
        return None
    n = table.num_rows
    found: dict[int, list[list[Any]]] = {}
    alone, problem = np.zeros(n, dtype=np.bool_), np.full(n, "", dtype=object)
    flat = shapely.get_dimensions(geometry) < 2
    own = flat & ~shapely.is_missing(geometry) & ~shapely.is_empty(geometry)
    for k, key in enumerate(LINE_KEYS):
        texts = reader.words(key, lower=False)
        for row in np.flatnonzero(texts != "").tolist():
            text = texts[row]
            if text.lower() in _NO:
                continue
            marked = text.lower() in _YES
            parts = shapely.get_parts(shapely.force_2d(geometry[row])) if marked and own[row] else _parse(text)
            parts = None if parts is None else _fitting(parts, apex=key == "roof_apex")
            if parts is None:
                said = shown(key, text)
                problem[row] = f"{problem[row]}; {said}" if problem[row] else said
            elif len(parts):
                found.setdefault(row, [[], [], []])[k].extend(parts)
                alone[row] |= marked
    out: Objects = np.full(n, None, dtype=object)
    for row, (ridges, edges, apexes) in found.items():
        lines = [shapely.MultiLineString(ridges), shapely.MultiLineString(edges), shapely.MultiPoint(apexes)]
        out[row] = shapely.GeometryCollection(lines)
    return DrawnLines(out, alone, problem)


def _parse(text: str) -> Objects | None:
    """Return the parts of a WKT geometry of a flat type; None when it is none, too long or broken."""
    if len(text) > _MOST_TEXT or not _FLAT_WKT.match(text):
        return None
    with np.errstate(all="ignore"):  # a NaN in the text: the caller looks for it
        geometry = shapely.from_wkt(text, on_invalid="ignore")
    return None if geometry is None else shapely.get_parts(shapely.force_2d(geometry))


def _fitting(parts: Objects, *, apex: bool) -> Objects | None:
    """Return parts that have length (or are points, for apexes); None for a wrong type, a wild number, too many vertices."""
    kinds = shapely.get_dimensions(parts)
    coords = shapely.get_coordinates(parts)
    if len(coords) > _MOST_VERTICES or not np.isfinite(coords).all() or (kinds != (0 if apex else 1)).any():
        return None
    kept: Objects = parts[~shapely.is_empty(parts) & (apex | (shapely.length(parts) > 0))]
    return kept
