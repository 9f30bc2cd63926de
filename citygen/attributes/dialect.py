"""How a source words its attributes, as data: its columns for each canonical key, and its words in ours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from citygen.attributes.keys import KEYS, check_column_map
from citygen.registry import Registry

PLAIN = "plain"
"""The dialect of a source whose columns carry the canonical names, or none that are known."""

_NEVER_FOREIGN = frozenset({"class", "part", "part_of", "location"})
"""Canonical names too common to be read from a source whose dialect does not list them."""


@dataclass(frozen=True, slots=True)
class Column:
    """
    One source column.

    Attributes
    ----------
    name : str
        As in the source.
    bare_unit : str
        Unit of a length that states none; a key of ``units.METRES``.
    turn_deg : float
        Added to a bearing: 90 where the source gives the ridge instead of the down-slope direction.
    minus : str
        A column of the same unit that is subtracted from a length, '' for none: altitudes of roof and ground make a
        height. Where it is not given, the value counts as unreadable.
    """

    name: str
    bare_unit: str = "m"
    turn_deg: float = 0.0
    minus: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The source's columns that it reads."""
        return (self.name, self.minus) if self.minus else (self.name,)


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One vocabulary.

    Attributes
    ----------
    name : str
        As in ``--dialect``.
    text : str
        One sentence.
    columns : mapping of str to tuple of Column
        Canonical key to source columns, the first readable one wins, row by row.
    words : mapping of str to mapping of str to str
        Canonical key to a table from the source's words (lower case) to ours; '' means not given, '*' stands for any
        other word.
    signature : frozenset of str
        Columns by which the dialect is recognised.
    marks : frozenset of str
        Further such columns, which are not read.
    fewest : int
        How many of both a source must have.
    outline_column : str
        A row with a value other than 'no' here is an outline, even if it is marked as a part too; '' for none.
    """

    name: str
    text: str
    columns: Mapping[str, tuple[Column, ...]]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    signature: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    fewest: int = 1
    outline_column: str = ""

    def __post_init__(self) -> None:
        unknown = (set(self.columns) | set(self.words)) - set(KEYS)
        if unknown:
            raise ValueError(f"dialect {self.name!r} names unknown keys {sorted(unknown)}")

    def recognise(self, columns: Iterable[str]) -> int:
        """Return how many of a source's columns belong to this dialect alone; 0 when there are too few."""
        found = len((self.signature | self.marks).intersection(columns))
        return found if found >= self.fewest else 0


DIALECTS: Registry[Dialect] = Registry("dialect", room="citygen.attributes.dialects", group="citygen.dialects")


def recognise_dialect(columns: Iterable[str]) -> str:
    """
    Name the dialect that most of a source's columns speak.

    Parameters
    ----------
    columns : iterable of str
        A source's column names.

    Returns
    -------
    str
        The best scoring dialect, the first by name of equals; 'plain' when none scores.

    Examples
    --------
    >>> recognise_dialect(["id", "building:levels", "height"]), recognise_dialect(["id", "HAUTEUR"])
    ('osm', 'plain')
    """
    names = list(columns)
    best, score = PLAIN, 0
    for dialect in DIALECTS:
        points = dialect.recognise(names)
        if points > score:
            best, score = dialect.name, points
    return best


def source_columns(dialect: Dialect, key: str, column_map: Mapping[str, str]) -> tuple[Column, ...]:
    """
    List the columns to ask for a canonical key: the user's, then the dialect's, then the canonical name itself.

    Parameters
    ----------
    dialect : Dialect
        Of the source.
    key : str
        Canonical.
    column_map : mapping of str to str
        Checked (``check_column_map``).

    Returns
    -------
    tuple of Column
        Each column once, in the order to ask. What the user maps to another key is not read for this one, unless by its
        canonical name.
    """
    mapped = {name for other, name in column_map.items() if other != key}
    own = tuple(column for column in dialect.columns.get(key, ()) if column.name not in mapped)
    asked = list(own) if key in _NEVER_FOREIGN else [*own, Column(key)]
    if key in column_map:
        name = column_map[key]
        asked.insert(0, next((column for column in own if column.name == name), Column(name)))
    unique: dict[str, Column] = {}
    for column in asked:
        unique.setdefault(column.name, column)
    return tuple(unique.values())


def columns_needed(available: Iterable[str], dialect: str, column_map: Mapping[str, str]) -> list[str]:
    """
    Choose the raw columns that attributes are read from, so that a plan stages those alone.

    Parameters
    ----------
    available : iterable of str
        A source's columns.
    dialect : str
        Its dialect's name.
    column_map : mapping of str to str
        Checked or not; keys may be OSM spellings.

    Returns
    -------
    list of str
        In the source's order, each once.

    Raises
    ------
    ConfigError
        For an unknown dialect or key.

    Examples
    --------
    >>> columns_needed(["name", "HAUTEUR", "building", "addr:street"], "osm", {"height": "HAUTEUR"})
    ['HAUTEUR', 'building']
    """
    words, checked = DIALECTS[dialect], check_column_map(column_map)
    read = {name for key in KEYS for column in source_columns(words, key, checked) for name in column.names}
    wanted = read | {words.outline_column}
    return [name for name in dict.fromkeys(available) if name in wanted]
