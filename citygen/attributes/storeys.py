"""
Country and building type -> height of a storey, floor to floor: one table.

Countries are ISO 3166-1 alpha-2 codes. A dwelling's storey is the least clear height that its building law asks of new
living rooms and 0.3 m of floor, or the floor-to-floor height where the law gives that; countries whose law asks much less
than is built (France 2.2 m, Japan 2.1 m, the United States 7 ft) have no entry and take ``STOREY_M``. Other building types
scale with it (``classes``).
"""

import re

import numpy as np

from citygen.arraytypes import Float64, Objects
from citygen.attributes.classes import storey_factors
from citygen.attributes.options import AttributeOptions

STOREY_M = 3.0
"""Of a dwelling where the country is not known: 2.7 m of room and 0.3 m of floor, rounded to what is most often assumed."""

COUNTRIES: dict[str, tuple[float, str]] = {
    "at": (2.8, "OIB-Richtlinie 3, point 11: 2.50 m clear"),
    "cn": (2.8, "GB 50096-2011, 5.5.1: 2.80 m floor to floor"),
    "cz": (2.9, "CSN 73 4301: 2.60 m clear in flats"),
    "de": (2.7, "Musterbauordnung § 47: 2.40 m clear"),
    "dk": (2.8, "BR18: 2.50 m clear in flats"),
    "fi": (3.0, "decree 1008/2017: 2.50 m clear; blocks of flats are usually built with 3.0 m floor to floor"),
    "gb": (2.6, "nationally described space standard: 2.3 m clear"),
    "in": (3.05, "National Building Code: 2.75 m clear"),
    "it": (3.0, "D.M. 5 July 1975: 2.70 m clear"),
    "nl": (2.9, "Bouwbesluit 2012: 2.60 m clear"),
    "no": (2.7, "TEK17 § 12-7: 2.40 m clear"),
    "ph": (3.0, "National Building Code, section 805: 2.70 m clear with natural ventilation"),
    "pl": (2.8, "Warunki techniczne § 72: 2.50 m clear"),
    "pt": (2.7, "RGEU art. 65: 2.70 m floor to floor"),
    "ru": (2.8, "SP 54.13330: 2.50 m clear, 2.70 m in the coldest regions"),
    "se": (2.7, "BBR 3:31: 2.40 m clear"),
}
"""Country to a dwelling's storey height in metres, and where that comes from."""

_CODE = re.compile("[a-z]{2}")


def is_country(word: str) -> bool:
    """
    Say whether a word is a country's code as this module reads it: two Latin letters, lower case.

    Examples
    --------
    >>> is_country("de"), is_country("germany")
    (True, False)
    """
    return _CODE.fullmatch(word) is not None


def storey_heights(class_name: Objects, country: Objects, options: AttributeOptions) -> Float64:
    """
    Return the storey height of each row: by building type, and by country unless the user gave a height.

    Parameters
    ----------
    class_name : (n,) object of str
        Lower case; unknown types and '' count as dwellings.
    country : (n,) object of str
        Lower case; '' and what is no code take the options' country.
    options : AttributeOptions
        The user's own storey height of a dwelling stands above the table.

    Returns
    -------
    (n,) float64
        Metres.

    Examples
    --------
    >>> types, lands = (np.array(words, dtype=object) for words in (["house", "office", "house"], ["", "", "de"]))
    >>> storey_heights(types, lands, AttributeOptions()).tolist()
    [3.0, 3.5, 2.7]
    """
    factors = storey_factors(class_name)
    if options.storey_height_m is not None:
        return factors * options.storey_height_m
    dwelling: Float64 = np.full(len(country), COUNTRIES.get(options.country, (STOREY_M, ""))[0])
    for word in dict.fromkeys(country.tolist()):
        if is_country(word):
            dwelling[country == word] = COUNTRIES.get(word, (STOREY_M, ""))[0]
    return factors * dwelling
