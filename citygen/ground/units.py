"""What a raster says of its heights to metres: the unit of its band, its tags, or its vertical axis."""

import re
from collections.abc import Mapping
from typing import Any

from citygen.errors import ConfigError, InputError

METRES = {
    "m": 1.0,
    "metre": 1.0,
    "meter": 1.0,
    "metres": 1.0,
    "meters": 1.0,
    "dm": 0.1,
    "decimetre": 0.1,
    "decimeter": 0.1,
    "decimetres": 0.1,
    "decimeters": 0.1,
    "cm": 0.01,
    "centimetre": 0.01,
    "centimeter": 0.01,
    "centimetres": 0.01,
    "centimeters": 0.01,
    "mm": 0.001,
    "millimetre": 0.001,
    "millimeter": 0.001,
    "millimetres": 0.001,
    "millimeters": 0.001,
    "ft": 0.3048,
    "foot": 0.3048,
    "feet": 0.3048,
    "international foot": 0.3048,
    "us ft": 1200.0 / 3937.0,
    "ftus": 1200.0 / 3937.0,
    "ft us": 1200.0 / 3937.0,
    "us foot": 1200.0 / 3937.0,
    "us feet": 1200.0 / 3937.0,
    "foot us": 1200.0 / 3937.0,
    "us survey foot": 1200.0 / 3937.0,
    "us survey feet": 1200.0 / 3937.0,
    "survey foot": 1200.0 / 3937.0,
}
"""Metres a unit, by its words in lower case with spaces."""

_TAGS = ("unittype", "units", "unit", "vertical_units", "verticalunits", "z_units", "zunits")


def metres_per_unit(word: str) -> float | None:
    """
    Return the metres of a unit, or None for an unknown word.

    Parameters
    ----------
    word : str
        As a file or a person writes it; words after a known unit ('m above sea level') are passed over.

    Returns
    -------
    float or None
        Metres.

    Examples
    --------
    >>> metres_per_unit("US-survey_foot"), metres_per_unit("m NAP"), metres_per_unit("kelvin")
    (0.3048006096012192, 1.0, None)
    """
    words = re.sub(r"[^a-z]+", " ", word.lower()).split()
    for n in range(len(words), 0, -1):
        factor = METRES.get(" ".join(words[:n]))
        if factor is not None:
            return factor
    return None


def height_unit(dataset: Any, axis: str | None, unit: str | None, path: object) -> tuple[str, float]:
    """
    Find the unit of the heights in band 1.

    Parameters
    ----------
    dataset : rasterio.io.DatasetReader
        Open.
    axis : str or None
        Unit of the vertical axis of its CRS.
    unit : str or None
        What the user said; it wins.
    path : object
        The file, for messages.

    Returns
    -------
    word : str
        The unit as it was given, 'm' where nothing is said.
    metres : float
        Metres a unit.

    Raises
    ------
    ConfigError
        When the user's word is unknown.
    InputError
        When the band has a unit that is not a length known here.
    """
    if unit is not None:
        factor = metres_per_unit(unit)
        if factor is None:
            raise ConfigError(f"unknown unit {unit!r} of DEM heights; known: m, dm, cm, mm, ft, us-ft")
        return unit, factor
    said = dataset.units[0]
    if said:
        factor = metres_per_unit(said)
        if factor is None:
            raise InputError(f"DEM {path}: its heights are in {said!r}, which is no known unit of length")
        return said, factor
    for tags in (dataset.tags(1), dataset.tags()):
        word = _tagged(tags)
        if word is not None:
            return word
    if axis is not None and (factor := metres_per_unit(axis)) is not None:
        return axis, factor
    return "m", 1.0


def _tagged(tags: Mapping[str, str]) -> tuple[str, float] | None:
    """Return the first tag that names a known unit; other words ('degrees') speak of something else."""
    lower = {key.lower(): value for key, value in tags.items()}
    for key in _TAGS:
        factor = metres_per_unit(lower.get(key, ""))
        if factor is not None:
            return lower[key], factor
    return None
