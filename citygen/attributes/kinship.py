"""
Parsed values of rows that belong together to values for those that lack them: parts from outlines, buildings from doubles.

A part takes from its outline what describes the building as a whole and what it does not say itself: class, colours,
materials, country (OSM wiki, Simple_3D_Buildings: tags of the outline hold for its parts). Roofs and heights are those of
the outline, not of each part; only a part that says nothing of its own height (no height, no eave, no storeys) takes the
outline's as a guess, where that reaches above the part's underside, and is told so.

A building takes from one that is not built because it stands in the same place (another source's, or a duplicate) what it
says nothing of: heights and storeys together, the roof together, the rest one by one.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from citygen.arraytypes import AnyArray, Bool, Int64, Objects
from citygen.attributes.keys import MIN_BODY_M
from citygen.attributes.parsed import Parsed
from citygen.model.attributes import NO_COLOUR
from citygen.outcome import Finding, reason

OF_OUTLINE = reason(
    "height_of_outline", "ok", "The part says nothing of its height; its outline's height was taken for it."
)
FROM_OTHER = reason(
    "attributes_from",
    "ok",
    "What the row does not say was taken from one that is not built because this one stands there.",
)

_WHOLE = ("class_name", "wall_colour", "roof_colour", "wall_material", "roof_material", "country")
_HEIGHT = ("height_m", "eave_height_m", "levels")
_ROOF = (
    "roof_shape",
    "roof_height_m",
    "roof_angle_deg",
    "roof_direction_deg",
    "roof_direction_is_named",
    "roof_orientation",
    "roof_levels",
    "roof_overhang_m",
)
_ALONE = (*_WHOLE, "dormers", "chimneys")
_STOREY_M = 3.0
"""m. For comparing storeys of an outline with the underside of a part, and for nothing else."""


@dataclass(frozen=True, slots=True)
class Kin:
    """
    Which rows of a table belong together.

    Attributes
    ----------
    part_of : (n,) int64
        Row of each part's outline, -1 for none.
    double : (k, 2) int64
        Rows that are built, and rows that are not because those stand in their place.
    ids : (n,) object of str
        To name them.
    """

    part_of: Int64
    double: Int64
    ids: Objects


def borrowed(parsed: Parsed, kin: Kin) -> tuple[Parsed, list[Finding]]:
    """
    Fill what rows do not say from their kin.

    Parameters
    ----------
    parsed : Parsed
        n rows.
    kin : Kin
        Of the same rows.

    Returns
    -------
    Parsed
        The same, and what was taken.
    list of Finding
        ``height_of_outline`` and ``attributes_from``, with what was taken.
    """
    columns: dict[str, AnyArray] = {f.name: getattr(parsed, f.name) for f in fields(parsed)}
    findings: list[Finding] = []
    if len(kin.double):
        columns, found = _from_doubles(columns, kin)
        findings += found
    part = np.flatnonzero(kin.part_of >= 0)
    if len(part):
        columns, found = _from_outlines(columns, part, kin.part_of[part])
        findings += found
    changed: dict[str, Any] = columns
    return (replace(parsed, **changed) if findings or len(part) else parsed), findings


def _from_outlines(
    columns: dict[str, AnyArray], part: Int64, outline: Int64
) -> tuple[dict[str, AnyArray], list[Finding]]:
    """Give parts what their outlines say."""
    for name in _WHOLE:
        if name in columns:
            columns = _take(columns, name, part, outline, ~_given(columns, name)[part])
    silent = ~np.logical_or.reduce([_given(columns, name)[part] for name in _HEIGHT])
    floor = np.where(np.isnan(columns["min_level"]), 0.0, columns["min_level"]) * _STOREY_M
    underside = np.where(np.isnan(columns["min_height_m"]), floor, columns["min_height_m"])[part]
    tops = [columns["height_m"], columns["eave_height_m"], columns["levels"] * _STOREY_M]
    top = np.full(len(part), np.nan)
    for value in tops:
        top = np.where(np.isnan(top), value[outline], top)
    guessed = silent & (top >= underside + MIN_BODY_M)
    for name in _HEIGHT:
        columns = _take(columns, name, part, outline, guessed)
    texts = [_shown(columns, _HEIGHT, row) for row in part[guessed].tolist()]
    return columns, [Finding(part[guessed], OF_OUTLINE, texts)] if guessed.any() else []


def _from_doubles(columns: dict[str, AnyArray], kin: Kin) -> tuple[dict[str, AnyArray], list[Finding]]:
    """Give buildings what their doubles say; the first of several that can give something gives it."""
    taken: dict[int, str] = {}
    left = kin.double
    while len(left):
        _, first = np.unique(left[:, 0], return_index=True)
        row, donor = left[first].T
        left = np.delete(left, first, axis=0)
        said: list[tuple[Bool, str]] = []
        for names, label in ((_HEIGHT, "height"), (_ROOF, "roof"), *(((name,), name) for name in _ALONE)):
            known = [name for name in names if name in columns]
            if not known:
                continue
            lacks = ~np.logical_or.reduce([_given(columns, name)[row] for name in known])
            lacks &= np.logical_or.reduce([_given(columns, name)[donor] for name in known])
            for name in known:
                columns = _take(columns, name, row, donor, lacks)
            said.append((lacks, label))
        for k in np.flatnonzero(np.logical_or.reduce([which for which, _ in said])).tolist():
            text = f"{kin.ids[donor[k]]}: {', '.join(label for which, label in said if which[k])}"
            taken[int(row[k])] = f"{taken[int(row[k])]}; {text}" if int(row[k]) in taken else text
    rows = np.array(sorted(taken), dtype=np.int64)
    return columns, [Finding(rows, FROM_OTHER, [taken[row] for row in rows.tolist()])] if taken else []


def _given(columns: dict[str, AnyArray], name: str) -> Bool:
    """Say which rows have a value."""
    values = columns[name]
    if values.dtype == np.float64:
        given: Bool = ~np.isnan(values)
    elif values.dtype == np.bool_:
        given = values
    elif values.dtype == np.int64:
        given = values != NO_COLOUR
    else:
        given = values != ""
    return given


def _take(columns: dict[str, AnyArray], name: str, row: Int64, donor: Int64, which: Bool) -> dict[str, AnyArray]:
    """Return the columns with some values of one taken from other rows."""
    if not which.any():
        return columns
    values = columns[name].copy()
    values[row[which]] = columns[name][donor[which]]
    return {**columns, name: values}


def _shown(columns: dict[str, AnyArray], names: tuple[str, ...], row: int) -> str:
    """Write the values of a row that are given."""
    return ", ".join(
        f"{name.removesuffix('_m')}={columns[name][row]:.10g}" for name in names if not np.isnan(columns[name][row])
    )
