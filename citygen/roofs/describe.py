"""Registered roof shapes to what a person or a program may want to know of them: the catalogue, read from the registry alone."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from citygen.errors import ConfigError
from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape
from citygen.roofs.words import plain, shape_of


def parameters(shape: RoofShape) -> tuple[Param, ...]:
    """
    Gather every parameter that a shape declares, whatever the field that holds it.

    Parameters
    ----------
    shape : RoofShape
        Any; a field may hold a ``Param``, or several in a tuple, a list or a mapping.

    Returns
    -------
    tuple of Param
        In the order of the fields, each once.

    Examples
    --------
    >>> [param.name for param in parameters(ROOFS["gabled"])][0]
    'roof_angle_deg'
    """
    found: list[Param] = []
    for field in dataclasses.fields(shape):
        value = getattr(shape, field.name)
        for one in _several(value):
            if isinstance(one, Param) and one not in found:
                found.append(one)
    return tuple(found)


def describe(shape: RoofShape) -> dict[str, Any]:
    """
    Put all that the registry knows of a shape in plain values.

    Parameters
    ----------
    shape : RoofShape
        A registered one.

    Returns
    -------
    dict
        ``name``, ``text``, ``other_words``, ``family``, ``parameters`` (each ``name``, ``unit``, ``default``, ``low``,
        ``high``, ``text``) and every yes-or-no field of the shape, without its ``is_``.

    Examples
    --------
    >>> describe(ROOFS["hipped"])["other_words"][:2]
    ['1040', '3200']
    """
    switches = {
        field.name.removeprefix("is_"): getattr(shape, field.name)
        for field in dataclasses.fields(shape)
        if isinstance(getattr(shape, field.name), bool)
    }
    numbers = [
        {"name": p.name, "unit": p.unit, "default": p.default, "low": p.low, "high": p.high, "text": p.text}
        for p in parameters(shape)
    ]
    return {
        "name": shape.name,
        "text": shape.text,
        "other_words": list(ROOFS.aliases(shape.name)),
        "family": shape.family,
        "parameters": numbers,
        **switches,
    }


def describe_all() -> list[dict[str, Any]]:
    """Return ``describe`` of every registered shape, sorted by name."""
    return [describe(shape) for shape in ROOFS]


def describe_word(word: str) -> dict[str, Any]:
    """
    Describe the shape of a name or of another word for it.

    Parameters
    ----------
    word : str
        As a source would write it; case and spaces around it do not count.

    Returns
    -------
    dict
        See `describe`.

    Raises
    ------
    ConfigError
        When no shape has that word; the message names the nearest ones.

    Examples
    --------
    >>> describe_word("Pyramid")["name"]
    'pyramidal'
    """
    name, _ = shape_of(word)
    if name is None:
        near = ROOFS.nearest(plain(word))
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(ROOFS.names())}"
        raise ConfigError(f"unknown roof shape {word!r}; {hint}")
    return describe(ROOFS[name])


def amount(number: Mapping[str, Any]) -> str:
    """
    Put a parameter's default and bounds, with the unit, in a few words.

    Examples
    --------
    >>> amount({"unit": "deg", "default": 35.0, "low": 3.0, "high": 75.0})
    '35 deg (3 to 75)'
    """
    unit = f" {number['unit']}" if number["unit"] else ""
    bounds = "" if number["low"] == number["high"] else f" ({number['low']:g} to {number['high']:g})"
    return f"{number['default']:g}{unit}{bounds}"


def _several(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (tuple, list)) else (value,)
