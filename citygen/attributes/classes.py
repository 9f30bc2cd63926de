"""
Building types -> default eave height and storey height: one table.

The words are values of OSM's Key:building. Heights are eave heights of an ordinary example, most to half a metre;
the reason stands beside each. They are guesses, and every row that uses one says so.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64, Int64, Objects

_TABLE: tuple[tuple[str, float, float, str], ...] = (
    # words, eave height in metres, storey height as a multiple of a dwelling's, why
    ("house detached semidetached_house terrace bungalow farm villa", 6.0, 1.0, "two storeys of 3 m"),
    ("cabin static_caravan houseboat hut", 3.0, 1.0, "one storey"),
    ("residential", 9.0, 1.0, "three storeys: streets of small blocks and houses are both called so"),
    ("apartments dormitory", 15.0, 1.0, "five storeys, what is built without a lift or with one"),
    ("hotel hospital", 15.0, 7 / 6, "four to five storeys of 3.5 m"),
    ("office government", 14.0, 7 / 6, "four storeys of 3.5 m: 2.7 m rooms and raised floors"),
    ("commercial civic public university college school kindergarten", 10.5, 7 / 6, "three storeys of 3.5 m"),
    ("retail supermarket", 5.0, 4 / 3, "one hall: 4 m clear, a roof above it"),
    ("train_station museum", 9.0, 4 / 3, "two storeys of 4.5 m"),
    ("industrial warehouse hangar factory manufacture", 7.0, 5 / 3, "one hall: 6 m clear, a roof above it"),
    ("sports_hall sports_centre riding_hall", 8.0, 7 / 3, "7 m clear for ball games, a roof above it"),
    ("stadium grandstand", 12.0, 4 / 3, "a stand of some 25 rows"),
    ("barn farm_auxiliary cowshed stable sty", 5.0, 4 / 3, "doors for a loaded cart: 4 m"),
    ("silo storage_tank water_tower", 15.0, 1.0, "a tank of three to five diameters"),
    ("greenhouse", 3.0, 1.0, "gutters of glass houses stand at 3 to 4 m"),
    ("church cathedral", 14.0, 5 / 3, "the eave of a nave, not the spire"),
    ("chapel mosque temple synagogue shrine religious", 8.0, 5 / 3, "one high room"),
    ("garage garages carport", 2.7, 0.9, "a door of 2.1 m, a lintel and a roof"),
    ("parking", 11.0, 0.9, "four decks of 2.75 m"),
    ("shed kiosk container toilets bicycle_shed", 2.5, 0.9, "a door of 2 m and a roof"),
    ("roof canopy", 4.0, 1.0, "a lorry may pass below: 4 m"),
    ("service transformer_tower utility", 3.0, 1.0, "one storey"),
    ("tower", 20.0, 1.0, "taller than what stands around it"),
)

_AREAS: tuple[tuple[float, float, str], ...] = (
    # below this floor area in square metres, eave height in metres, why
    (20.0, 2.7, "a shed or a garage"),
    (40.0, 3.0, "a double garage or a cabin"),
    (400.0, 6.0, "a house of two storeys"),
    (np.inf, 8.0, "between a block of flats and a hall"),
)


@dataclass(frozen=True, slots=True)
class ClassDefaults:
    """Default eave height in metres, storey height as a multiple of a dwelling's, and why."""

    eave_m: float
    storey_factor: float
    text: str


CLASSES: dict[str, ClassDefaults] = {
    word: ClassDefaults(eave, factor, text) for words, eave, factor, text in _TABLE for word in words.split()
}
"""Defaults by building type; a type that is not here counts as unknown."""


def storey_factors(class_name: Objects) -> Float64:
    """
    Return the storey height of each row's building type, as a multiple of a dwelling's.

    Parameters
    ----------
    class_name : (n,) object of str
        Lower case; unknown types and '' count as dwellings.

    Returns
    -------
    (n,) float64

    Examples
    --------
    >>> storey_factors(np.array(["house", "farm", ""], dtype=object)).tolist()
    [1.0, 1.0, 1.0]
    """
    words, codes = _distinct(class_name)
    factors = np.array([CLASSES[word].storey_factor if word in CLASSES else 1.0 for word in words])
    out: Float64 = factors[codes] if len(words) else np.zeros(0)
    return out


def default_eaves(class_name: Objects, area_m2: Float64) -> tuple[Float64, Objects]:
    """
    Guess eave heights by building type, and by floor area where the type is unknown.

    Parameters
    ----------
    class_name : (n,) object of str
        Lower case, '' where none.
    area_m2 : (n,) float64
        Floor area; NaN counts as large.

    Returns
    -------
    eave_m : (n,) float64
        Never NaN.
    details : (n,) object of str
        What the guess rests on.

    Examples
    --------
    >>> default_eaves(np.array(["garage", ""], dtype=object), np.array([30.0, 120.0]))[0].tolist()
    [2.7, 6.0]
    """
    words, codes = _distinct(class_name)
    limits = np.array([limit for limit, _, _ in _AREAS[:-1]])
    bucket = np.searchsorted(limits, area_m2, side="right")  # NaN sorts last
    eave = np.array([height for _, height, _ in _AREAS])[bucket]
    by_area: Objects = np.array([f"eave {height:g} m by floor area: {why}" for _, height, why in _AREAS], dtype=object)
    details: Objects = by_area[bucket]
    if len(words):
        known = np.array([word in CLASSES for word in words])[codes]
        eave_of = np.array([CLASSES[word].eave_m if word in CLASSES else np.nan for word in words])
        text_of = np.array([_class_text(word) for word in words], dtype=object)
        eave = np.where(known, eave_of[codes], eave)
        details = np.where(known, text_of[codes], details)
    return eave, details


def _class_text(word: str) -> str:
    """Say what a default rests on."""
    found = CLASSES.get(word)
    return f"eave {found.eave_m:g} m by type {word!r}: {found.text}" if found else ""


def _distinct(words: Objects) -> tuple[list[str], Int64]:
    """Return distinct words and each row's index into them."""
    index = {word: k for k, word in enumerate(dict.fromkeys(words.tolist()))}
    return list(index), np.array([index[word] for word in words.tolist()], dtype=np.int64)
