"""
Raw tile table -> one value a row and canonical key, in metres and degrees, before any rule.

A value that cannot be read, or that is not plausible (``keys``), counts as not given and its row gets one
``attribute_unread`` finding with the raw values. Null and blank are not given, without a finding. A height of zero
counts as not given too (sources write it for 'not known'); who must know of it reads ``height_is_zero``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from citygen.arraytypes import AnyArray, Bool, Float64, Int64, Objects
from citygen.attributes.columns import Words, is_numeric, numbers_of, shown, words_of
from citygen.attributes.dialect import DIALECTS, PLAIN, Column, Dialect, recognise_dialect, source_columns
from citygen.attributes.keys import KEYS, Key
from citygen.attributes.materials import ROOF_MATERIALS, WALL_MATERIALS, canonical_materials
from citygen.attributes.options import AttributeOptions
from citygen.attributes.units import METRES, PARSERS, compass_word
from citygen.model.attributes import NO_COLOUR

DIALECT_COLUMN = "dialect"
"""The table's own column that names each row's dialect."""

_YES = ("yes", "true", "1", "y", "t")


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    Values as given, one a row; (n,) arrays, NaN or '' or ``NO_COLOUR`` where not given. Names as in ``Attributes``.

    Attributes
    ----------
    unread : (n,) object of str
        The raw values of a row that could not be used, '' where all could.
    height_is_zero : (n,) bool
        The source gives a total or an eave height of zero, and no other value for it.
    """

    height_m: Float64
    eave_height_m: Float64
    min_height_m: Float64
    levels: Float64
    min_level: Float64
    levels_underground: Float64
    roof_levels: Float64
    roof_height_m: Float64
    roof_angle_deg: Float64
    roof_overhang_m: Float64
    roof_direction_deg: Float64
    roof_direction_is_named: Bool
    roof_shape: Objects
    roof_orientation: Objects
    dormers: Float64
    chimneys: Float64
    class_name: Objects
    location: Objects
    part_hint: Objects
    is_part: Bool
    wall_colour: Int64
    roof_colour: Int64
    wall_material: Objects
    roof_material: Objects
    country: Objects
    height_is_zero: Bool
    unread: Objects

    def __len__(self) -> int:
        return len(self.unread)


def parse_table(table: pa.Table, options: AttributeOptions) -> Parsed:
    """
    Read every canonical key of a tile's rows, each row in its own dialect.

    Parameters
    ----------
    table : pyarrow.Table
        Raw columns of one or several sources; a string column 'dialect' names each row's (without one, or where it is
        null, the dialect is recognised from the columns).
    options : AttributeOptions
        For its column map.

    Returns
    -------
    Parsed
        One value a row and key.

    Raises
    ------
    ConfigError
        When a row names an unknown dialect.
    """
    groups = _dialect_rows(table)
    if len(groups) == 1:
        return _parse_dialect(table, groups[0][0], options.column_map)
    parts = [
        (rows, _parse_dialect(_sub_table(table, dialect, options.column_map, rows), dialect, options.column_map))
        for dialect, rows in groups
    ]
    merged: dict[str, AnyArray] = {}
    for name in (f.name for f in fields(Parsed)):
        merged[name] = np.zeros(table.num_rows, dtype=getattr(parts[0][1], name).dtype)
        for rows, parsed in parts:
            merged[name][rows] = getattr(parsed, name)
    return Parsed(**merged)


def _dialect_rows(table: pa.Table) -> list[tuple[Dialect, Int64]]:
    """Return each dialect of a table with its row numbers; at least one pair."""
    every = np.arange(table.num_rows, dtype=np.int64)
    named = words_of(table.column(DIALECT_COLUMN)) if DIALECT_COLUMN in table.column_names else Words(every * 0 - 1, ())
    by_name: dict[str, Int64] = {}
    for code in np.unique(named.codes).tolist():
        name = recognise_dialect(table.column_names) if code < 0 else DIALECTS[named.words[code].strip()].name
        rows = np.flatnonzero(named.codes == code)
        by_name[name] = np.sort(np.concatenate([by_name[name], rows])) if name in by_name else rows
    return [(DIALECTS[name], rows) for name, rows in by_name.items()] or [(DIALECTS[PLAIN], every)]


def _sub_table(table: pa.Table, dialect: Dialect, column_map: Mapping[str, str], rows: Int64) -> pa.Table:
    """Return the rows and the columns that one dialect needs."""
    wanted = {name for key in KEYS for column in source_columns(dialect, key, column_map) for name in column.names}
    wanted.add(dialect.outline_column)
    return table.select([name for name in dict.fromkeys(table.column_names) if name in wanted]).take(pa.array(rows))


def _parse_dialect(table: pa.Table, dialect: Dialect, column_map: Mapping[str, str]) -> Parsed:
    """Read every key of a table whose rows all speak one dialect."""
    reader = _Reader(table, dialect, column_map)
    height, eave = reader.numbers("height"), reader.numbers("eave_height")
    direction = reader.numbers("roof_direction")
    wrapped = np.mod(direction.values, 360.0)
    return Parsed(
        height_m=height.values,
        eave_height_m=eave.values,
        min_height_m=reader.numbers("min_height").values,
        levels=reader.numbers("levels").values,
        min_level=reader.numbers("min_level").values,
        levels_underground=reader.numbers("levels_underground").values,
        roof_levels=reader.numbers("roof_levels").values,
        roof_height_m=reader.numbers("roof_height").values,
        roof_angle_deg=reader.numbers("roof_angle").values,
        roof_overhang_m=reader.numbers("roof_overhang").values,
        roof_direction_deg=np.where(wrapped >= 360.0, 0.0, wrapped),  # mod of a tiny negative rounds up to 360
        roof_direction_is_named=direction.is_named,
        roof_shape=reader.words("roof_shape"),
        roof_orientation=reader.words("roof_orientation"),
        dormers=reader.numbers("dormers").values,
        chimneys=reader.numbers("chimneys").values,
        class_name=reader.words("class"),
        location=reader.words("location"),
        part_hint=reader.words("part_of", lower=False),
        is_part=reader.parts(),
        wall_colour=reader.colours("wall_colour"),
        roof_colour=reader.colours("roof_colour"),
        wall_material=canonical_materials(reader.words("wall_material"), WALL_MATERIALS),
        roof_material=canonical_materials(reader.words("roof_material"), ROOF_MATERIALS),
        country=reader.words("country"),
        height_is_zero=height.is_zero | eave.is_zero,
        unread=reader.unread,
    )


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A key's values, NaN where not given; where only a meaningless zero was; where a compass word gave the value."""

    values: Float64
    is_zero: Bool
    is_named: Bool


class _Reader:
    """Reads the keys of rows of one dialect and gathers, row by row, what could not be read."""

    def __init__(self, table: pa.Table, dialect: Dialect, column_map: Mapping[str, str]) -> None:
        self.table = table
        self.dialect = dialect
        self.column_map = column_map
        self.names = frozenset(table.column_names)
        self.unread = _blank(table.num_rows)
        self._coded: dict[str, Words] = {}

    def columns(self, key: str) -> list[Column]:
        """Return the columns of a key that the table has, in the order to ask."""
        asked = source_columns(self.dialect, key, self.column_map)
        return [column for column in asked if self.names.issuperset(column.names)]

    def coded(self, column: str) -> Words:
        """Return a column as coded words; each is coded once."""
        if column not in self._coded:
            self._coded[column] = words_of(self.table.column(column))
        return self._coded[column]

    def numbers(self, name: str) -> _Numbers:
        """Read a number; the first column with a plausible value wins."""
        key = KEYS[name]
        values = np.full(self.table.num_rows, np.nan)
        is_zero, is_named = (np.zeros(len(values), dtype=np.bool_) for _ in range(2))
        for column in self.columns(name):
            raw = self.table.column(column.name)
            words = None if is_numeric(raw) and key.kind != "colour" else self.coded(column.name)
            found, given = _numbers_in(raw if words is None else words, key, column)
            if column.minus:
                found = np.round(found - self.lengths(column.minus, key, column), 6)  # a micrometre: no float noise
            given &= np.isnan(values)
            if key.zero_is_unknown:
                is_zero |= given & (found == 0)
                given &= found != 0
            plausible = (found >= key.low) & (found <= key.high)
            self.reject(given & ~plausible, column)
            taken = given & plausible
            values[taken] = found[taken]
            if key.kind == "bearing" and words is not None:
                is_named |= taken & ~np.isnan(words.numbers(compass_word))
        return _Numbers(values, is_zero & np.isnan(values), is_named)

    def lengths(self, name: str, key: Key, like: Column) -> Float64:
        """Read a column in the unit of another, NaN where it is not given or unreadable."""
        raw = self.table.column(name)
        return _numbers_in(raw if is_numeric(raw) else self.coded(name), key, like)[0]

    def words(self, name: str, *, lower: bool = True) -> Objects:
        """Read a word in our vocabulary, '' where not given; the first column with one wins."""
        key, table = KEYS[name], self.dialect.words.get(name, {})
        out = _blank(self.table.num_rows)
        for column in self.columns(name):
            words = self.coded(column.name)
            ours = words.texts(lambda word: _translate(word, table) if lower else word.strip())
            taken = (out == "") & (ours != "")
            if key.choices:
                allowed = np.logical_or.reduce([ours == choice for choice in key.choices])
                self.reject(taken & ~allowed, column)
                taken &= allowed
            out[taken] = ours[taken]
        return out

    def colours(self, name: str) -> Int64:
        """Read a colour, ``NO_COLOUR`` where not given."""
        values = self.numbers(name).values
        return np.where(np.isnan(values), NO_COLOUR, values).astype(np.int64)

    def parts(self) -> Bool:
        """Say which rows are marked as parts; one that is an outline too is none, unless the user mapped the mark."""
        marked = self.marked()
        outline = self.dialect.outline_column
        if outline in self.names and "part" not in self.column_map:
            other = self.coded(outline).texts(lambda word: "" if word.strip().lower() == "no" else word)
            marked = marked & (other == "")
        return marked

    def marked(self) -> Bool:
        """Say which rows carry the mark of a part, whatever else they are."""
        said = self.words("part")
        marked: Bool = np.logical_or.reduce([said == word for word in _YES])
        return marked

    def reject(self, bad: Bool, column: Column) -> None:
        """Note the raw values of some rows as unusable."""
        if not bad.any():
            return
        texts = self.coded(column.name).of(bad).texts(lambda word: shown(column.name, word))
        before = self.unread[bad]
        self.unread[bad] = np.where(before == "", texts, before + "; " + texts)


def _numbers_in(raw: Words | pa.ChunkedArray, key: Key, column: Column) -> tuple[Float64, Bool]:
    """Return a column's numbers in our units (NaN where unreadable) and where something is given."""
    if isinstance(raw, Words):
        parse = PARSERS[key.kind]
        found = raw.numbers(lambda word: parse(word.strip(), column.bare_unit))
        given = raw.codes >= 0
    else:
        found = numbers_of(raw)
        given = ~np.isnan(found)
        if key.kind == "length":
            found = found * METRES[column.bare_unit]
    return found + column.turn_deg if key.kind == "bearing" else found, given


def _translate(word: str, table: Mapping[str, str]) -> str:
    """Return a source's word in our vocabulary."""
    folded = word.strip().lower()
    return table.get(folded, table.get("*", folded))


def _blank(n: int) -> Objects:
    out: Objects = np.full(n, "", dtype=object)
    return out
