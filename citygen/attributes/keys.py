"""
The canonical attribute keys: what each holds, its plausible bounds, and the words a user may call it by.

Bounds are inclusive and absolute. A value outside them counts as not given, with a finding. Meanings follow the OSM
wiki pages Key:height, Key:building:levels and Simple_3D_Buildings.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from citygen.errors import ConfigError

Kind = Literal["length", "count", "angle", "bearing", "word", "colour", "flag", "text"]

MIN_BODY_M = 0.01
"""A solid thinner than 1 cm is no building; lower heights, and gaps between underside and top, are contradictions."""


@dataclass(frozen=True, slots=True)
class Key:
    """
    One canonical attribute.

    Attributes
    ----------
    name : str
        As in a column map and in the 'plain' dialect.
    kind : str
        How its values are read: a length in metres, a count, an angle or bearing in degrees, a word, ...
    text : str
        One sentence.
    low, high : float
        Inclusive plausible bounds of a number.
    zero_is_unknown : bool
        Sources write 0 for 'not known'.
    choices : tuple of str
        The only words allowed; empty when any is.
    aliases : tuple of str
        Other spellings that a column map may use.
    """

    name: str
    kind: Kind
    text: str
    low: float = 0.0
    high: float = 1000.0
    zero_is_unknown: bool = False
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


_ALL = (
    Key("height", "length", "Ground to roof top.", MIN_BODY_M, zero_is_unknown=True, aliases=("building:height",)),
    Key("eave_height", "length", "Ground to eave.", MIN_BODY_M, zero_is_unknown=True),
    Key("min_height", "length", "Ground to underside.", aliases=("building:min_height",)),
    Key("levels", "count", "Storeys, without those in the roof.", high=200, aliases=("building:levels",)),
    Key("min_level", "count", "Storeys left open below.", high=200, aliases=("building:min_level",)),
    Key(
        "levels_underground",
        "count",
        "Storeys below the ground.",
        high=100,
        aliases=("building:levels:underground",),
    ),
    Key("roof_shape", "word", "Name of the roof's shape.", aliases=("roof:shape",)),
    Key("roof_height", "length", "Eave to roof top.", aliases=("roof:height",)),
    Key("roof_levels", "count", "Storeys within the roof.", high=50, aliases=("roof:levels",)),
    Key("roof_angle", "angle", "Slope against the horizontal.", high=89.99, aliases=("roof:angle",)),
    Key("roof_overhang", "length", "How far the roof reaches beyond the walls.", high=3),
    Key("roof_direction", "bearing", "Down-slope bearing.", low=-360, high=720, aliases=("roof:direction",)),
    Key(
        "roof_orientation",
        "word",
        "Ridge along or across the longer side.",
        choices=("along", "across"),
        aliases=("roof:orientation",),
    ),
    Key("dormers", "count", "Dormers on the roof.", high=200, aliases=("roof:dormers",)),
    Key("chimneys", "count", "Chimneys on the roof.", high=200, aliases=("roof:chimneys",)),
    Key("roof_ridge", "text", "Ridge lines, as WKT in the source's CRS; yes on a line.", aliases=("roof:ridge",)),
    Key("roof_edge", "text", "Hips, valleys and other edges of the roof, likewise.", aliases=("roof:edge",)),
    Key("roof_apex", "text", "Points at the roof's top, likewise; yes on a point.", aliases=("roof:apex",)),
    Key("class", "word", "Building type.", aliases=("building",)),
    Key(
        "wall_colour",
        "colour",
        "Colour of the walls.",
        high=0xFFFFFF,
        aliases=("wall_color", "building:colour", "building:color"),
    ),
    Key(
        "roof_colour",
        "colour",
        "Colour of the roof.",
        high=0xFFFFFF,
        aliases=("roof_color", "roof:colour", "roof:color"),
    ),
    Key("wall_material", "word", "What the walls show.", aliases=("building:material",)),
    Key("roof_material", "word", "What the roof is covered with.", aliases=("roof:material",)),
    Key("country", "word", "ISO 3166-1 code of the country, two letters.", aliases=("addr:country",)),
    Key("part", "flag", "Is a part of another outline.", aliases=("building:part",)),
    Key("part_of", "text", "Id of the outline that a part belongs to."),
    Key("entrance", "text", "Main entrance, a point as WKT in the source's CRS; for `--datum entrance`."),
    Key("location", "word", "Where it lies; 'underground' matters."),
)
KEYS: Mapping[str, Key] = {key.name: key for key in _ALL}
_NAMES: Mapping[str, str] = {word: key.name for key in _ALL for word in (key.name, *key.aliases)}


def canonical_key(word: str) -> str | None:
    """
    Return the canonical name of a key or of one of its other spellings, or None.

    Examples
    --------
    >>> canonical_key("roof:shape")
    'roof_shape'
    """
    return _NAMES.get(word)


def check_column_map(column_map: Mapping[str, str], available: Iterable[str] | None = None) -> dict[str, str]:
    """
    Check a user's column map and write its keys canonically.

    Parameters
    ----------
    column_map : mapping of str to str
        Canonical key (or an OSM spelling of it) to a source's column.
    available : iterable of str, optional
        All columns of all sources; when given, each mapped column must be one of them.

    Returns
    -------
    dict of str to str
        Canonical key to column, in the order given.

    Raises
    ------
    ConfigError
        For an unknown key (the message lists the valid ones), a key given twice or an empty or missing column.

    Examples
    --------
    >>> check_column_map({"roof:shape": "DACHFORM"})
    {'roof_shape': 'DACHFORM'}
    """
    checked: dict[str, str] = {}
    for word, column in column_map.items():
        name = canonical_key(word)
        if name is None:
            raise ConfigError(f"--map {word}={column}: unknown attribute {word!r}; known: {', '.join(KEYS)}")
        if name in checked:
            raise ConfigError(f"--map {word}={column}: {name} is mapped twice (also to {checked[name]!r})")
        if not column:
            raise ConfigError(f"--map {word}=: give the name of a source's column")
        checked[name] = column
    if available is not None:
        _check_available(checked, sorted(set(available)))
    return checked


def _check_available(column_map: Mapping[str, str], available: list[str]) -> None:
    """Raise for a mapped column that no source has, naming those that look like it."""
    for name, column in column_map.items():
        if column not in available:
            folded = {have.casefold(): have for have in available}
            close = difflib.get_close_matches(column.casefold(), list(folded), n=3, cutoff=0.6)
            hint = f"did you mean {', '.join(folded[word] for word in close)}?" if close else f"it has {available[:20]}"
            raise ConfigError(f"--map {name}={column}: no source has a column {column!r}; {hint}")
