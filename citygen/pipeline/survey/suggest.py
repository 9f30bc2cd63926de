"""
Columns that no dialect reads to the ``--map`` that would read them: by their name in a dozen languages and by what they hold.

Nothing is mapped by itself: a suggestion is a line for a person, with the evidence for it.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.attributes.colours import parse_colour
from citygen.attributes.keys import KEYS
from citygen.pipeline.survey.columns import DBF_NAME, Column
from citygen.roofs.words import shape_of

_NAMES = {
    "height": "height hauteur hoehe hohe hoogte altura altezza wysokosc vyska korkeus hojd hojde hoyde heightroof bldgheight"
    " buildingheight measuredheight gebaeudehoehe gebhoehe hgt ridge ridgeheight firsthoehe nokhoogte totalheight maxheight",
    "eave_height": "eave eaves eaveheight eavesheight traufe traufhoehe gutterheight goothoogte gronda hauteurgouttiere",
    "levels": "levels floors floor storeys stories storey numfloors nfloors nbetages etages nombredetages geschosse"
    " geschosszahl anzahlgeschosse vollgeschosse stockwerke piani numpiani plantas numplantas pisos verdiepingen bouwlagen"
    " aantalbouwlagen kondygnacje podlazi kerrosluku vaningar etasjer etager storeysaboveground floorcount numberoffloors",
    "min_height": "minheight baseheight heightbase hauteurmin",
    "roof_height": "roofheight dachhoehe dakhoogte hauteurtoit heightofroof",
    "roof_angle": "roofangle roofpitch dachneigung neigung pitch slope pente",
    "roof_direction": "roofdirection roofaspect aspect dachausrichtung exposition",
    "roof_shape": "roofshape rooftype roofform dachform dachtyp dachart daktype formetoit typetoit tipotetto taktyp"
    " kattotyyppi cubierta dach",
    "class": "usage usage1 buildinguse use class function funktion gebaeudefunktion gebruiksdoel gebouwtype nutzung buildinguse"
    " buildingtype bldgtype landuse verksamhet destinazione uso type nature building",
    "roof_colour": "roofcolor roofcolour dachfarbe couleurtoit",
    "wall_colour": "wallcolor wallcolour facadecolor facadecolour fassadenfarbe buildingcolour",
    "wall_material": "wallmaterial facadematerial materiauxdesmurs matmurs wandmaterial",
    "roof_material": "roofmaterial materiauxdelatoiture mattoits dachmaterial",
}
"""Canonical key to names of columns, lower case, letters and digits alone."""
_ABSOLUTE = frozenset(
    {"abs", "absolute", "z", "alt", "altitude", "elev", "elevation", "nap", "nn", "nhn", "ngf", "msl", "zmin", "zmax"}
)
_NO_CLASS = frozenset(
    {"id", "ids", "guid", "uuid", "nr", "no", "name", "ref", "date", "source", "roof", "wall", "part", "object"}
)
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")
_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class _Test:
    """What numbers of a key look like: bounds of the middle one, and of the largest."""

    low: float
    high: float
    most: float
    whole: bool = False


_NUMBERS = {
    "height": _Test(1.5, 250, 1000),
    "eave_height": _Test(1.5, 250, 1000),
    "levels": _Test(0.5, 60, 200, whole=True),
    "min_height": _Test(0, 200, 1000),
    "roof_height": _Test(0.1, 40, 200),
    "roof_angle": _Test(1, 80, 90),
    "roof_direction": _Test(0, 360, 360),
}


def suggest(columns: list[Column], used: Iterable[str], covered: dict[str, float]) -> list[dict[str, Any]]:
    """
    Find columns that would give a key which the source's rows hardly have.

    Parameters
    ----------
    columns : list of Column
        Of one source.
    used : iterable of str
        Columns that are read already.
    covered : dict of str to float
        Canonical key to the share of rows that give it.

    Returns
    -------
    list of dict
        ``key``, ``column``, ``option`` (``--map key=column``), ``why``, ``others`` (columns that would do less well), best first;
        and columns of heights above the sea, with an empty option.
    """
    taken = set(used)
    free = [c for c in columns if c.name not in taken and c.given]
    free.sort(key=lambda c: -c.given / max(1, c.rows))
    out: list[dict[str, Any]] = []
    for key, words in _NAMES.items():
        have = max(covered.get(key, 0.0), covered.get("eave_height", 0.0) if key == "height" else 0.0)
        if key not in KEYS or have >= _ENOUGH:
            continue
        names = words.split()
        found = []
        for column in free:
            if column.name in {item["column"] for item in out}:
                continue
            score = (
                0.0
                if _is_absolute(column.name) or (key == "class" and _tokens(column.name) & _NO_CLASS)
                else likeness(column.name, names)
            )
            why = _evidence(key, column, named=score > 0)
            if why and (score or key == "roof_shape"):
                found.append((score * (1 + _filled(column)), _place(column.name, names), column, why))
        found.sort(key=lambda item: (-round(item[0], 2), item[1], columns.index(item[2])))
        if found:
            best = found[0][2]
            others = [column.name for *_, column, _ in found[1:4]]
            out.append(
                {
                    "key": key,
                    "column": best.name,
                    "option": f"--map {key}={best.name}",
                    "why": found[0][3],
                    "others": others,
                }
            )
    return out + _absolute(free)


def likeness(name: str, words: list[str]) -> float:
    """
    Say how much a column's name is like one of some words, 0 to 1; 0 below what is worth a look.

    Examples
    --------
    >>> likeness("nombre_d_e", ["nombredetages"]), likeness("Höhe", ["hoehe", "hohe"]), likeness("name", ["hohe"])
    (0.95, 1.0, 0.0)
    """
    plain = _plain(name)
    if plain in words or plain.removesuffix("m") in words:
        return 1.0
    if len(name) == DBF_NAME and len(plain) >= 6 and any(word.startswith(plain) for word in words):
        return 0.95
    if _tokens(name) & {word for word in words if len(word) >= 4}:
        return 0.9
    if any(len(word) >= 6 and word in plain for word in words):
        return 0.85
    best = max(
        (difflib.SequenceMatcher(None, plain, word).ratio() for word in words if abs(len(word) - len(plain)) < 4),
        default=0.0,
    )
    return best if best >= 0.85 and len(plain) >= 5 else 0.0


def _plain(name: str) -> str:
    """Return letters and digits, lower case, without accents."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", bare.lower())


def _tokens(name: str) -> set[str]:
    return {_plain(token) for token in _SPLIT.split(name)}


def _is_absolute(name: str) -> bool:
    return bool(_tokens(name) & _ABSOLUTE)


def _filled(column: Column) -> float:
    """Return the share of rows with a value that is not zero."""
    numbers = column.spread.values()
    return column.given / max(1, column.rows) * (float(np.mean(numbers != 0)) if len(numbers) else 1.0)


def _place(name: str, words: list[str]) -> int:
    """Return where a name stands among the words of a key; the better ones stand first."""
    plain = _plain(name)
    return words.index(plain) if plain in words else len(words)


def _evidence(key: str, column: Column, *, named: bool) -> str:
    """Say why a column's values fit a key; '' when they do not."""
    if key in _NUMBERS:
        return _numbers_fit(column.numbers(), column, _NUMBERS[key]) if named else ""
    if key == "roof_shape":
        return _roofs_fit(column, named=named)
    if key.endswith("colour"):
        return _share_fits(column, lambda word: not np.isnan(parse_colour(word)), "colours") if named else ""
    kinds = len(column.words.counts)
    few = 1 < kinds <= max(20, min(300, column.given // 4)) and not column.words.others and column.kind == "text"
    return f"{kinds} words: {', '.join(column.words.top(3))}" if named and few else ""


def _numbers_fit(numbers: Float64, column: Column, test: _Test) -> str:
    good = numbers[np.isfinite(numbers)]
    if len(good) < max(1, 0.5 * len(numbers)):
        return ""
    positive = good[good > 0]
    if not len(positive) or good.max() > test.most or good.min() < -1:
        return ""
    if test.whole and np.mean(good * 2 == np.round(good * 2)) < 0.95:
        return ""
    middle = float(np.median(positive))
    if not test.low <= middle <= test.high:
        return ""
    above = "" if len(positive) == len(good) else " of those above 0"
    return f"{column.given} numbers from {good.min():g} to {good.max():g}, the middle one{above} {middle:g}"


def _roofs_fit(column: Column, *, named: bool) -> str:
    """Say which roof shapes the words of a column mean."""
    words = column.words
    if not words.counts or len(words.counts) > 60 or words.others:
        return ""
    shapes: dict[str, int] = {}
    for word, count in words.counts.items():
        name = shape_of(word.lower())[0]
        if name is not None:
            shapes[name] = shapes.get(name, 0) + count
    known = sum(shapes.values()) / words.total
    if known < (0.5 if named else 0.95) or (not named and len(shapes) < 3):
        return ""
    listed = ", ".join(f"{name} {n}" for name, n in sorted(shapes.items(), key=lambda item: -item[1])[:4])
    return f"{round(known * 100)} % are roof shapes: {listed}"


def _share_fits(column: Column, fits: Callable[[str], bool], what: str) -> str:
    words = column.words
    good = sum(count for word, count in words.counts.items() if fits(word))
    return f"{round(good / words.total * 100)} % are {what}" if words.total and good >= 0.5 * words.total else ""


def _absolute(columns: list[Column]) -> list[dict[str, Any]]:
    """Name numbers that look like heights above the sea: they are no heights of buildings."""
    found = [c for c in columns if c.kind == "number" and _is_absolute(c.name) and len(_plain(c.name)) > 1]
    found = [c for c in found if c.spread.count and -500 < c.spread.low <= c.spread.high < 9000]
    if not found:
        return []
    names = [c.name for c in found]
    why = "heights above a vertical datum by their name, not above the ground: not to be mapped as height"
    return [{"key": "", "column": names[0], "option": "", "why": why, "others": names[1:]}]
