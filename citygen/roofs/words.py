"""
The roof words of a tile's rows to shapes.

A word is a shape's name or one of its aliases; dashes, spaces, colons and underscores are the same ("quadruple:saltbox",
"half_hipped"). Of several words ("skillion;hipped") the first known one counts, and the row says so. A word that is not
known gives a flat roof, with the nearest names; so does one that names no one shape ("many", "mixed (5000)"), with the
word; none gives a flat roof, as a default.
"""

import re

import numpy as np

from citygen.arraytypes import Int64, Objects
from citygen.outcome import Finding, reason
from citygen.roofs.base import FLAT, ROOFS, RoofShape

UNKNOWN = reason("roof_unknown", "degraded", "The roof shape's name is not known; a flat roof was built.")
VAGUE = reason(
    "roof_vague",
    "degraded",
    "The source says that the roof has several shapes, a sloped or another one, but not which; a flat roof was built.",
)
SEVERAL = reason("roof_several", "degraded", "Several roof shapes are named; the first known one was built.")
SHAPE_DEFAULT = reason("roof_default", "ok", "No roof shape is known; a flat roof was assumed.")
VAGUE_WORDS = frozenset({"many", "mixed", "combination", "other", "slanted", "sloped", "multiple", "complex"})
"""Words of sources for a roof that has no one shape."""
_APART = re.compile(r"[;,/|]+")
_JOINTS = re.compile(r"[\s_:\-]+")
_CODE = re.compile(r"(\d+)\.0+")


def plain(word: str) -> str:
    """
    Return a word without what spellings differ in.

    Examples
    --------
    >>> plain(" Half-Hipped")
    'half_hipped'
    """
    bare = _JOINTS.sub("_", word.strip().lower()).strip("_")
    code = _CODE.fullmatch(bare)  # a code that passed through a column of floats
    return code[1] if code else bare


def shape_of(word: str) -> tuple[str | None, bool]:
    """
    Return the name of the shape that a word means, None when it is not known, and whether other words were passed over.

    Examples
    --------
    >>> shape_of("skillion;hipped")
    ('skillion', True)
    >>> shape_of("half hipped")
    ('half-hipped', False)
    """
    known = _plain_names()
    pieces = [plain(piece) for piece in _APART.split(word) if piece.strip()]
    found = [known[piece] for piece in pieces if piece in known]
    return (found[0] if found else None), len(set(found)) > 1 or (bool(found) and len(pieces) > len(found))


def _is_vague(word: str) -> bool:
    """Say whether a word, or what stands before a code in brackets, is one for no one shape."""
    return plain(word.partition("(")[0]) in VAGUE_WORDS


def _near(word: str) -> str:
    """Return the known names nearest to a word; codes have none that would mean anything."""
    return "none near" if word.isdigit() else ", ".join(ROOFS.nearest(word)) or "none near"


def _plain_names() -> dict[str, str]:
    """Return the plain form of every name and alias, with the shape's name."""
    return {plain(word): name for name in ROOFS.names() for word in (*ROOFS.aliases(name), name)}


def resolve_words(words: Objects) -> tuple[tuple[RoofShape, ...], Int64, Objects, list[Finding]]:
    """
    Turn roof words into shapes.

    Parameters
    ----------
    words : (n,) object of str
        '' where none is given.

    Returns
    -------
    shapes : tuple of RoofShape
        The distinct ones; the flat one comes first.
    shape : (n,) int64
        Each row's.
    roof_from : (n,) object of str
        'tag' or 'default'.
    findings : list of Finding
        What was not known, ambiguous or absent.

    Examples
    --------
    >>> shapes, shape, _, _ = resolve_words(np.array(["hip", "", "gabeled"], dtype=object))
    >>> [shapes[k].name for k in shape]
    ['hipped', 'flat', 'gabled']
    """
    unique, inverse = np.unique(words.astype(str), return_inverse=True)
    inverse = inverse.reshape(-1)
    found = [shape_of(word) if word else (None, False) for word in unique.tolist()]
    names = [name for name, _ in found]
    distinct = [FLAT, *sorted({n for n in names if n is not None} - {FLAT})]
    shape = np.array([distinct.index(n or FLAT) for n in names], dtype=np.int64)[inverse]
    known = np.array([n is not None for n in names], dtype=bool)[inverse]
    several = np.flatnonzero(np.array([more for _, more in found], dtype=bool)[inverse])
    given = words != ""
    findings = [Finding(np.flatnonzero(~given), SHAPE_DEFAULT)]
    no_one = [n is None and _is_vague(word) for word, n in zip(unique.tolist(), names, strict=True)]
    is_vague = np.array(no_one, dtype=bool)[inverse]
    vague = np.flatnonzero(is_vague)
    if len(vague):
        findings.append(Finding(vague, VAGUE, [f"{word!s:.60}" for word in words[vague].tolist()]))
    strange = np.flatnonzero(given & ~known & ~is_vague)
    if len(strange):
        hints = {w: _near(plain(w)) for w in set(words[strange].tolist())}
        details = [f"{words[row]!s:.60} (nearest: {hints[words[row]]})" for row in strange.tolist()]
        findings.append(Finding(strange, UNKNOWN, details))
    if len(several):
        findings.append(Finding(several, SEVERAL, [f"{word!s:.60}" for word in words[several].tolist()]))
    return tuple(ROOFS[n] for n in distinct), shape, np.where(known, "tag", "default").astype(object), findings
