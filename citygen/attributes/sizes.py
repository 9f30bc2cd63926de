"""Raw columns of one source -> what its rows say of heights and types, and nothing else: cheap enough for a whole run."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Bool, Float64, Objects
from citygen.attributes.dialect import DIALECTS, source_columns
from citygen.attributes.keys import check_column_map
from citygen.attributes.options import AttributeOptions
from citygen.attributes.parsed import _Reader
from citygen.attributes.storeys import storey_heights

ROOF_STOREY_M = 2.7
"""A storey within a roof, as in ``roofs.plan``."""
_KEYS = (
    "height",
    "eave_height",
    "min_height",
    "levels",
    "roof_levels",
    "roof_height",
    "roof_shape",
    "class",
    "country",
)
_FLAT = ("", "flat", "1000")


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    What rows say of their heights; arrays of length n, NaN where not given.

    Attributes
    ----------
    top_m, eave_m : (n,) float64
        Measured heights of roof top and eave; one of them from the other where the roof between them is known.
    tops_given, eaves_given : (n,) bool
        Which of the two the source gives.
    storeys_top_m, storeys_eave_m : (n,) float64
        The same from storeys.
    levels : (n,) float64
        Storeys.
    class_name : (n,) object of str
        Building type, '' where none.
    lifted : (n,) bool
        It starts above the ground, so that its height says little of others.
    """

    top_m: Float64
    eave_m: Float64
    tops_given: Bool
    eaves_given: Bool
    storeys_top_m: Float64
    storeys_eave_m: Float64
    levels: Float64
    class_name: Objects
    lifted: Bool


def size_columns(dialect: str, column_map: Mapping[str, str], keys: tuple[str, ...] = _KEYS) -> frozenset[str]:
    """
    Name the raw columns that heights and types are read from.

    Parameters
    ----------
    dialect : str
        A source's.
    column_map : mapping of str to str
        The user's own column names.
    keys : tuple of str
        Canonical keys to read.

    Returns
    -------
    frozenset of str
    """
    checked = check_column_map(column_map)
    found = (source_columns(DIALECTS[dialect], key, checked) for key in keys)
    return frozenset(name for columns in found for column in columns for name in column.names)


def has_height(table: pa.Table, dialect: str, column_map: Mapping[str, str]) -> Bool:
    """
    Say which rows give the height of their top or their eave.

    Parameters
    ----------
    table : pyarrow.Table
        n rows of one source.
    dialect : str
        Its dialect.
    column_map : mapping of str to str
        The user's own column names.

    Returns
    -------
    (n,) bool

    Examples
    --------
    >>> has_height(pa.table({"height": ["7 m", "0", "?", None]}), "osm", {}).tolist()
    [True, False, False, False]
    """
    reader = _Reader(table, DIALECTS[dialect], check_column_map(column_map))
    given: Bool = ~np.isnan(reader.numbers("height").values) | ~np.isnan(reader.numbers("eave_height").values)
    return given


def read_sizes(table: pa.Table, dialect: str, options: AttributeOptions) -> Sizes:
    """
    Read heights, storeys and types of the rows of one source.

    Parameters
    ----------
    table : pyarrow.Table
        n rows; at least the columns of ``size_columns`` that the source has.
    dialect : str
        Its dialect.
    options : AttributeOptions
        Column map, storey height, country.

    Returns
    -------
    Sizes
    """
    reader = _Reader(table, DIALECTS[dialect], options.column_map)
    top, eave = reader.numbers("height").values, reader.numbers("eave_height").values
    roof, roof_levels = reader.numbers("roof_height").values, reader.numbers("roof_levels").values
    shape, class_name = reader.words("roof_shape"), reader.words("class")
    flat: Bool = np.logical_or.reduce([shape == word for word in _FLAT])
    rise = np.where(flat, 0.0, np.where(np.isnan(roof), roof_levels * ROOF_STOREY_M, roof))
    tops, eaves = ~np.isnan(top), ~np.isnan(eave)
    levels = reader.numbers("levels").values
    storeys = levels * storey_heights(class_name, reader.words("country"), options)
    storeys = np.where(levels > 0, storeys, np.nan)
    return Sizes(
        top_m=np.where(tops, top, eave + rise),
        eave_m=np.where(eaves, eave, np.where(top - rise > 0, top - rise, np.nan)),
        tops_given=tops,
        eaves_given=eaves,
        storeys_top_m=storeys + rise,
        storeys_eave_m=storeys,
        levels=levels,
        class_name=class_name,
        lifted=reader.numbers("min_height").values > 0,
    )
