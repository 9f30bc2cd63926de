"""
Words for lengths, counts, angles and bearings -> numbers in metres and degrees, or NaN where they say no such thing.

A number is ASCII digits with at most one point or comma as the decimal mark, an optional sign and exponent. Units of
length are those of OSM's Map_features/Units that heights are given in: metres (also Cyrillic), feet, feet and inches.
Ranges, lists, estimates ('~12') and other scripts' digits are not guessed at.
"""

import math
import re
from collections.abc import Callable, Mapping

from citygen.attributes.colours import parse_colour
from citygen.attributes.keys import Kind

METRES: Mapping[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254}
"""Metres in one of a unit that a dialect may say a column is in (international foot, ISO 80000-3)."""

_NUMBER = r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:e[+-]?[0-9]{1,3})?"
_PLAIN = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
"""What most sources write; read without further ado."""
_LENGTH = re.compile(rf"({_NUMBER}) ?(m|met(?:er|re)s?|м|ft|feet|foot|'|\")?")
_FEET_INCHES = re.compile(r"([0-9]+) ?(?:'|ft|feet|foot) ?([0-9]+(?:[.,][0-9]*)?) ?(?:\"|in|inch|inches)")
_COUNT = re.compile(_NUMBER)
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75}
_FRACTION = re.compile("([0-9]{1,4}) ?([½¼¾])")
_ANGLE = re.compile(rf"({_NUMBER}) ?(?:°|º|deg|degrees?)?")
_QUOTES = str.maketrans({"′": "'", "’": "'", "‘": "'", "`": "'", "″": '"', "”": '"', "“": '"'})
_LONGEST = 64
"""A longer word is no number that a person wrote."""

_WINDS = ("n", "nne", "ne", "ene", "e", "ese", "se", "sse", "s", "ssw", "sw", "wsw", "w", "wnw", "nw", "nnw")
_POINTS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
COMPASS: Mapping[str, float] = {
    **{name: 22.5 * k for k, name in enumerate(_WINDS)},
    **{name: 45.0 * k for k, name in enumerate(_POINTS)},
}
"""Bearings of the compass words, lower case."""


def _fold(word: str) -> str:
    """Bring a word to lower case, straight quotes and single spaces."""
    folded = " ".join(word.lower().translate(_QUOTES).split())
    return folded.replace("''", '"')


def _number(digits: str) -> float:
    return float(digits.replace(",", "."))


def parse_length(word: str, bare_unit: str = "m") -> float:
    """
    Read one length.

    Parameters
    ----------
    word : str
        Without blanks around it.
    bare_unit : str
        Unit of a number that states none; a key of ``METRES``.

    Returns
    -------
    float
        Metres, NaN when unreadable; not checked for plausibility.

    Examples
    --------
    >>> [parse_length(w) for w in ("12,5", "12 m", "40'", "~12")]
    [12.5, 12.0, 12.192, nan]
    """
    if _PLAIN.fullmatch(word):
        return float(word) * METRES[bare_unit]
    if len(word) > _LONGEST:
        return math.nan
    folded = _fold(word)
    plain = _LENGTH.fullmatch(folded)
    if plain:
        unit = plain[2]
        if unit is None:
            return _number(plain[1]) * METRES[bare_unit]
        return _number(plain[1]) * METRES[{"f": "ft", "'": "ft", '"': "in"}.get(unit[0], "m")]
    pair = _FEET_INCHES.fullmatch(folded)
    if pair and _number(pair[2]) < 12:
        return _number(pair[1]) * METRES["ft"] + _number(pair[2]) * METRES["in"]
    return math.nan


def parse_count(word: str, _bare_unit: str = "") -> float:
    """
    Read one count, which may be fractional; NaN when unreadable.

    Examples
    --------
    >>> [parse_count(w) for w in ("3.5", "2½", "3;4", "III")]
    [3.5, 2.5, nan, nan]
    """
    folded = word.strip().lower()
    half = _FRACTION.fullmatch(folded)
    if half:
        return float(half[1]) + _FRACTIONS[half[2]]
    return _number(folded) if len(folded) <= _LONGEST and _COUNT.fullmatch(folded) else math.nan


def parse_angle(word: str, _bare_unit: str = "") -> float:
    """
    Read one angle in degrees, with or without the sign for it; NaN when unreadable.

    Examples
    --------
    >>> [parse_angle(w) for w in ("30", "30°", "50%")]
    [30.0, 30.0, nan]
    """
    found = _ANGLE.fullmatch(_fold(word)) if len(word) <= _LONGEST else None
    return _number(found[1]) if found else math.nan


def parse_bearing(word: str, _bare_unit: str = "") -> float:
    """
    Read one bearing: degrees or a compass word; NaN when unreadable. Not brought into [0, 360).

    Examples
    --------
    >>> [parse_bearing(w) for w in ("NNW", "south-east", "-45", "left")]
    [337.5, 135.0, -45.0, nan]
    """
    named = compass_word(word)
    return parse_angle(word) if math.isnan(named) else named


def compass_word(word: str) -> float:
    """
    Return the bearing of a compass word in degrees, NaN for anything else.

    Examples
    --------
    >>> compass_word("ne"), compass_word("45")
    (45.0, nan)
    """
    return COMPASS.get(re.sub("[ _-]", "", word.lower()), math.nan) if len(word) <= _LONGEST else math.nan


PARSERS: Mapping[Kind, Callable[[str, str], float]] = {
    "length": parse_length,
    "count": parse_count,
    "angle": parse_angle,
    "bearing": parse_bearing,
    "colour": lambda word, _bare_unit: parse_colour(word.strip()),
}
"""How a kind of number is read from one word; ``bare_unit`` matters to lengths alone."""
