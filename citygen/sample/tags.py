"""
Kinds of buildings to attributes in OSM words: strings, patchy and mixed in style as people type them.

An attribute is a vocabulary and one code a building, so a million buildings cost a few arrays of integers.
Reference: https://wiki.openstreetmap.org/wiki/Simple_3D_Buildings (tags and their values).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.sample.kinds import FLAT, KINDS

COLUMNS = (
    "building",
    "building:part",
    "name",
    "height",
    "min_height",
    "building:levels",
    "building:min_level",
    "roof:shape",
    "roof:height",
    "roof:angle",
    "roof:direction",
    "roof:orientation",
    "roof:levels",
    "building:colour",
    "roof:colour",
    "note",
)
"""Every attribute besides ``id``, in the order in which files hold them."""
DRAWN = tuple(
    name for name in COLUMNS if name not in ("building:part", "name", "min_height", "building:min_level", "note")
)
"""The attributes that ``attributes`` draws."""

_WALLS = ("#e8dcc0", "#d9c3a0", "white", "#f2e6d0", "beige", "#c9b08c", "#b5654a", "lightgrey", "#DDD5C7", "yellow")
_ROOFS = ("#a0522d", "#8b3a2b", "red", "maroon", "#6b6b6b", "#4f5358", "brown", "#B5523B")
_WINDS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
_MOST_DM = 1200


@dataclass(frozen=True, slots=True)
class Column:
    """
    One attribute of many buildings.

    Attributes
    ----------
    vocabulary : tuple of str
        The values that occur.
    codes : (n,) int64
        Index into ``vocabulary``; -1 where the building does not carry the attribute.
    """

    vocabulary: tuple[str, ...]
    codes: Int64

    def texts(self) -> list[str | None]:
        """Return one value a building, None where it has none."""
        words = (*self.vocabulary, None)
        return [words[code] for code in self.codes.tolist()]


def attributes(kinds: Int64, bearing_deg: Float64, rng: np.random.Generator) -> dict[str, Column]:
    """
    Draw the attributes of buildings.

    Parameters
    ----------
    kinds : (n,) int64
        Codes of ``kinds.KINDS``.
    bearing_deg : (n,) float64
        Compass bearing of one side of each building.
    rng : numpy.random.Generator
        Advanced by the call.

    Returns
    -------
    dict of str to Column
        The columns of ``DRAWN``; their vocabularies do not depend on the buildings.

    Examples
    --------
    >>> drawn = attributes(np.zeros(3, np.int64), np.zeros(3), np.random.default_rng([1]))
    >>> all(word is not None for word in drawn["building"].texts())
    True
    """
    n = len(kinds)
    spread = np.array([kind.levels for kind in KINDS])[kinds]
    levels = rng.integers(spread[:, 0], spread[:, 1] + 1)
    storey = np.array([kind.storey_m for kind in KINDS])[kinds] * rng.uniform(0.92, 1.1, n)
    share = np.array([(kind.share_height, kind.share_levels, kind.share_roof) for kind in KINDS])[kinds]
    has_height, has_levels, has_roof = (rng.uniform(size=(n, 3)) < share).T
    shape = _pick_by_kind(kinds, rng, "roofs")
    shape_words = np.array(shape.vocabulary, dtype=object)[shape.codes]
    pitched = ~np.isin(shape_words, FLAT)
    rise_m = np.where(pitched, rng.uniform(1.8, 4.5, n), 0.6)
    columns = {
        "building": _pick_by_kind(kinds, rng, "words"),
        "height": _lengths(np.where(has_height, levels * storey + rise_m, np.nan), rng),
        "building:levels": _maybe(_numbers(levels), has_levels),
        "roof:shape": _maybe(shape, has_roof),
    }
    columns |= _roof_details(shape_words, has_roof & pitched, rise_m, rng)
    columns |= _directions(shape_words, has_roof, bearing_deg, rng)
    for name, words, often in (("building:colour", _WALLS, 0.08), ("roof:colour", _ROOFS, 0.1)):
        columns[name] = _maybe(Column(words, rng.integers(0, len(words), n)), rng.uniform(size=n) < often)
    return columns


def vocabularies() -> dict[str, tuple[str, ...]]:
    """Return the vocabulary of each column that ``attributes`` draws."""
    drawn = attributes(np.empty(0, np.int64), np.empty(0), np.random.default_rng([0]))
    return {name: drawn[name].vocabulary for name in DRAWN}


def _roof_details(words: np.ndarray, pitched: Bool, rise_m: Float64, rng: np.random.Generator) -> dict[str, Column]:
    """Draw roof height, angle, levels and orientation for some of the pitched roofs."""
    n = len(words)
    chance = rng.uniform(size=(n, 4))
    ridged = np.isin(words, ("gabled", "gambrel", "half-hipped", "hipped", "saltbox", "round"))
    angles = tuple(str(angle) for angle in range(15, 60, 5))
    return {
        "roof:height": _lengths(np.where(pitched & (chance[:, 0] < 0.16), rise_m, np.nan), rng),
        "roof:angle": _maybe(Column(angles, rng.integers(0, len(angles), n)), pitched & (chance[:, 1] < 0.12)),
        "roof:levels": _maybe(Column(("1", "2", "0"), rng.integers(0, 3, n)), pitched & (chance[:, 2] < 0.2)),
        "roof:orientation": _maybe(
            Column(("along", "across"), (rng.uniform(size=n) < 0.35).astype(np.int64)),
            pitched & ridged & (chance[:, 3] < 0.35),
        ),
    }


def _directions(words: np.ndarray, has_roof: Bool, bearing_deg: Float64, rng: np.random.Generator) -> dict[str, Column]:
    """Draw the down-slope direction along one of the building's sides: degrees, or a compass word."""
    n = len(words)
    turned = np.round(bearing_deg + 90.0 * rng.integers(0, 4, n)).astype(np.int64) % 360
    as_word = rng.uniform(size=n) < 0.45
    wind = np.floor_divide(turned * 4 + 45, 90) % 16
    wanted = np.where(np.isin(words, ("skillion", "sawtooth", "saltbox")), 0.55, 0.06)
    vocabulary = (*_WINDS, *(str(degree) for degree in range(360)))
    column = Column(vocabulary, np.where(as_word, wind, 16 + turned))
    return {"roof:direction": _maybe(column, has_roof & (rng.uniform(size=n) < wanted))}


def _maybe(column: Column, keep: Bool) -> Column:
    return Column(column.vocabulary, np.where(keep, column.codes, -1))


def _numbers(values: Int64) -> Column:
    return Column(tuple(str(k) for k in range(100)), values.astype(np.int64))


def _pick_by_kind(kinds: Int64, rng: np.random.Generator, what: str) -> Column:
    """Draw a word for each building from its kind's weights."""
    vocabulary = tuple(dict.fromkeys(word for kind in KINDS for word, _ in getattr(kind, what)))
    chance = rng.uniform(size=len(kinds))
    codes = np.zeros(len(kinds), dtype=np.int64)
    for code, kind in enumerate(KINDS):
        rows = np.flatnonzero(kinds == code)
        if len(rows):
            weights = np.cumsum([weight for _, weight in getattr(kind, what)])
            places = np.array([vocabulary.index(word) for word, _ in getattr(kind, what)])
            codes[rows] = places[np.searchsorted(weights / weights[-1], chance[rows], side="right")]
    return Column(vocabulary, codes)


def _lengths(metres: Float64, rng: np.random.Generator) -> Column:
    """Write lengths to 0.1 m in one of five styles; NaN is missing."""
    style = np.searchsorted(np.array([0.58, 0.76, 0.83, 0.90]), rng.uniform(size=len(metres)))
    tenths = np.clip(np.round(np.nan_to_num(metres) * 10), 0, _MOST_DM).astype(np.int64)
    return Column(_length_words(), np.where(np.isnan(metres), -1, style * (_MOST_DM + 1) + tenths))


@cache
def _length_words() -> tuple[str, ...]:
    """List each length from 0 to 120 m by 0.1 m as '12.5', '12.5 m', '41'', '41'1"' and '12,5'."""
    plain = [f"{k // 10}.{k % 10}" if k % 10 else str(k // 10) for k in range(_MOST_DM + 1)]
    inches = [(k * 10_000 + 1_270) // 2_540 for k in range(_MOST_DM + 1)]
    feet = [f"{(i + 6) // 12}'" for i in inches]
    both = [f"{i // 12}'{i % 12}\"" for i in inches]
    comma = [f"{k // 10},{k % 10}" for k in range(_MOST_DM + 1)]
    return (*plain, *(f"{word} m" for word in plain), *feet, *both, *comma)
