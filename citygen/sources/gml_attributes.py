"""
The attributes of a CityGML building (an element) to a plain record: numbers where the standard has numbers, else text.

Generic attributes (``gen:stringAttribute``, ...; sets of them too) come under their own names; where such a name is taken,
as ``gen:NAME``. A length in another unit than metres keeps it (``33 ft``). Of a repeated ``function`` or ``usage`` the
first counts, the others stand beside it (``function_other``). OGC 12-019, sections 10.3.4, 10.12.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element

_INTEGERS = frozenset({"storeysAboveGround", "storeysBelowGround"})
_MEASURES = frozenset({"measuredHeight"})
_METRES = ("m", "metre", "meter", "metres", "meters")
_NUMBERS = frozenset({"doubleAttribute", "measureAttribute"})
_TEXTS = frozenset({"stringAttribute", "dateAttribute", "uriAttribute"})
_GENERIC = _NUMBERS | _TEXTS | {"intAttribute", "genericAttributeSet"}


def attributes_of(element: Element) -> dict[str, Any]:
    """
    Return what an object says of itself.

    Parameters
    ----------
    element : Element
        ``Building`` or ``BuildingPart``, names without namespaces.

    Returns
    -------
    dict of str to object
        In document order; empty elements are left out.

    Examples
    --------
    >>> from xml.etree.ElementTree import fromstring
    >>> attributes_of(fromstring('<B><roofType>1030</roofType><measuredHeight uom="#m">9.5</measuredHeight></B>'))
    {'roofType': '1030', 'measuredHeight': 9.5}
    """
    out: dict[str, Any] = {}
    generic: dict[str, Any] = {}
    for child in element:
        if child.tag in _GENERIC:
            _generic(child, generic, 0)
            continue
        text = (child.text or "").strip()
        if len(child) or not text:
            continue
        name, value = child.tag, _value(child, text)
        if name in out:
            name = f"{name}_other"
            value = f"{out[name]};{value}" if name in out else value
        out[name] = value
    for name, value in generic.items():
        out[name if name not in out else f"gen:{name}"] = value
    return out


def _value(element: Element, text: str) -> Any:
    """Return a simple property's value."""
    if element.tag in _INTEGERS:
        return _integer(text)
    if element.tag in _MEASURES:
        return _measure(text, element.get("uom", "m"))
    return text


def _measure(text: str, unit: str) -> Any:
    """Return metres as a number, other lengths as text with their unit."""
    word = unit.strip().lower().replace("#", ":").rsplit(":", 1)[-1].rsplit("/", 1)[-1]
    if word not in _METRES and word:
        return f"{text} {word}"
    return _number(text)


def _integer(text: str) -> Any:
    """Return a whole number, or the text that is none."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else text


def _number(text: str) -> Any:
    """Return a number, or the text that is none."""
    try:
        return float(text)
    except ValueError:
        return text


def _generic(element: Element, out: dict[str, Any], depth: int) -> None:
    """Add a generic attribute, or those of a set."""
    if element.tag == "genericAttributeSet":
        for child in element:
            if depth < 16:
                _generic(child, out, depth + 1)
        return
    value = element.find("value")
    name = element.get("name")
    text = "" if value is None else (value.text or "").strip()
    if name and text and element.tag in _GENERIC:
        read = _integer if element.tag == "intAttribute" else _number if element.tag in _NUMBERS else str
        out.setdefault(name, read(text))
