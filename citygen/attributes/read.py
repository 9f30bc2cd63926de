"""
Raw tile table -> canonical attributes with provenance, and findings for what was unreadable, contradictory or guessed.

Heights come from the rules of ``rules/`` in their order: a total height, an eave height, storeys, a marked default.
Contradictions are settled so that a body of positive height always remains, each with a finding that shows the values:

1. Total or eave height 0: not given (``height_zero``, a note). With storeys and no other height beside it the two
   contradict each other and the storeys count (``height_contradiction``).
2. Eave above the top: the top counts, the eave is dropped. Within ``MIN_BODY_M`` the eave is the top, without a
   finding: sources round the two apart.
3. Underside (``min_height``, else ``min_level`` x storey height) at or above the known height, or ``min_level`` not below
   ``levels``: the height counts, the building starts at the ground. A guessed height is instead lifted above the
   underside, without a contradiction.
4. Eave below the underside, with a top above it: the eave is dropped.
5. More than one storey, each lower than ``MIN_STOREY_M`` under the given height (less the roof's, where that is given):
   the height counts; nobody can stand in such a storey, so one of the two is wrong.
6. More than one storey, the roof's counted too, each higher than ``MAX_STOREYS`` usual ones of its type: the height counts;
   feet taken for metres look like that.
7. Underground by its own ``location``, or with storeys below the ground alone: built as if it stood on the ground
   (``underground``).

Roof shape, height, angle and levels are handed on as given: what they mean together, and beside the total height, is for
``roofs.plan`` to judge (its rule 3).
"""

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.attributes.columns import shown
from citygen.attributes.estimates import Estimates
from citygen.attributes.keys import MIN_BODY_M
from citygen.attributes.kinship import OF_OUTLINE, Kin, borrowed
from citygen.attributes.materials import ROOF_MATERIALS, WALL_MATERIALS
from citygen.attributes.options import AttributeOptions
from citygen.attributes.parsed import Parsed, parse_table
from citygen.attributes.rule import NO_ESTIMATES, Evidence, rules_in_order, unknown_heights
from citygen.attributes.storeys import is_country, storey_heights
from citygen.model.attributes import Attributes
from citygen.outcome import Finding, reason

FROM_OUTLINE = "outline"
"""What ``height_from`` says where a part has its outline's height: no rule decided."""

MIN_STOREY_M = 1.5
"""Nobody can stand in a lower storey: height and storeys of such a building contradict each other."""

MAX_STOREYS = 2.5
"""Usual storeys that one may be as high as: 7.5 m in a house, 17 m in a sports hall; a foot is a third of a metre."""

ATTRIBUTE_UNREAD = reason(
    "attribute_unread", "degraded", "A value could not be read or is not plausible; it counts as not given."
)
HEIGHT_ZERO = reason("height_zero", "ok", "The source gives a height of zero, which stands for 'not known'.")
HEIGHT_CONTRADICTION = reason(
    "height_contradiction", "degraded", "Heights or storeys contradict each other; the written order of trust decided."
)
COUNTRY_UNKNOWN = reason(
    "country_unknown", "ok", "The country is no code of two letters; storeys are taken to be as high as elsewhere."
)
MATERIAL_UNKNOWN = reason(
    "material_unknown", "ok", "The material of walls or roof is none that is known; the usual colours were used."
)
UNDERGROUND = reason(
    "underground", "degraded", "The source says that it lies underground; it was built as if it stood on the ground."
)


def read_attributes(
    table: pa.Table,
    area_m2: Float64,
    options: AttributeOptions,
    estimates: Estimates = NO_ESTIMATES,
    kin: Kin | None = None,
) -> tuple[Attributes, list[Finding]]:
    """
    Turn the raw columns of a tile into canonical attributes.

    Parameters
    ----------
    table : pyarrow.Table
        n rows; raw columns of one or several sources (null where a source has no such column), and a string column
        'dialect' that names each row's dialect. Not modified.
    area_m2 : (n,) float64
        Floor area of each outline, for default heights.
    options : AttributeOptions
        The user's.
    estimates : Estimates
        Of the same rows, as the plan of the run found them.
    kin : Kin, optional
        Rows that belong together: what one does not say is taken from another (``attributes.kinship``).

    Returns
    -------
    attributes : Attributes
        One entry a row; a height in every row.
    findings : list of Finding
        At most one a code and row: 'attribute_unread', 'height_zero', 'height_default', 'height_contradiction',
        'underground', 'material_unknown',
        'country_unknown', and the notes of the rules. Details are untrusted text.

    Raises
    ------
    ConfigError
        When a row names an unknown dialect.
    ValueError
        When ``area_m2`` has another length than the table.

    Examples
    --------
    >>> table = pa.table({"height": ["40'", None], "building:levels": [None, "3"], "dialect": ["osm", "osm"]})
    >>> attributes, _ = read_attributes(table, np.array([80.0, 80.0]), AttributeOptions())
    >>> attributes.height_m.round(3).tolist(), attributes.eave_height_m.tolist(), attributes.height_from.tolist()
    ([12.192, nan], [nan, 9.0], ['height', 'levels'])
    """
    if len(area_m2) != table.num_rows:
        raise ValueError(f"{len(area_m2)} areas for {table.num_rows} rows")
    parsed, taken = parse_table(table, options), list[Finding]()
    if kin is not None:
        parsed, taken = borrowed(parsed, kin)
    storey = storey_heights(parsed.class_name, parsed.country, options)
    floors = np.where(np.isnan(parsed.min_level), 0.0, parsed.min_level) * storey
    underside = np.where(np.isnan(parsed.min_height_m), floors, parsed.min_height_m)
    evidence = Evidence(parsed, np.asarray(area_m2, dtype=np.float64), storey, underside, options, estimates)
    height, eave, sigma, height_from, notes = _apply_rules(evidence)
    for finding in taken:
        if finding.code == OF_OUTLINE:
            height_from[finding.rows] = FROM_OUTLINE
    eave, underside, clashes = _settle(evidence, height, eave)
    attributes = Attributes(
        height_m=height,
        eave_height_m=eave,
        min_height_m=underside,
        height_from=height_from,
        height_sigma_m=sigma,
        levels=parsed.levels,
        levels_underground=parsed.levels_underground,
        roof_levels=parsed.roof_levels,
        roof_shape=parsed.roof_shape,
        roof_height_m=parsed.roof_height_m,
        roof_angle_deg=parsed.roof_angle_deg,
        roof_overhang_m=parsed.roof_overhang_m,
        roof_direction_deg=parsed.roof_direction_deg,
        roof_direction_is_named=parsed.roof_direction_is_named,
        roof_orientation=parsed.roof_orientation,
        dormers=np.rint(parsed.dormers),
        chimneys=np.rint(parsed.chimneys),
        class_name=parsed.class_name,
        is_part=parsed.is_part,
        part_hint=parsed.part_hint,
        wall_colour=parsed.wall_colour,
        roof_colour=parsed.roof_colour,
        wall_material=parsed.wall_material,
        roof_material=parsed.roof_material,
        country=parsed.country,
    )
    zero = parsed.height_is_zero & ~_zero_with_storeys(parsed)
    findings = [
        _of_texts(parsed.unread, ATTRIBUTE_UNREAD),
        *taken,
        Finding(np.flatnonzero(zero), HEIGHT_ZERO),
        *notes,
        _of_texts(clashes, HEIGHT_CONTRADICTION),
        Finding(np.flatnonzero(_underground(parsed)), UNDERGROUND),
        _of_texts(_strange_materials(parsed), MATERIAL_UNKNOWN),
        _of_texts(_strange_countries(parsed), COUNTRY_UNKNOWN),
    ]
    return attributes, [finding for finding in findings if len(finding.rows)]


def _apply_rules(evidence: Evidence) -> tuple[Float64, Float64, Float64, Objects, list[Finding]]:
    """Run the rules in order: height, eave, uncertainty, which rule decided, and the rules' notes."""
    n = len(evidence.parsed)
    height, eave, sigma = unknown_heights(n), unknown_heights(n), unknown_heights(n)
    height_from: Objects = np.full(n, "", dtype=object)
    still_open = np.ones(n, dtype=np.bool_)
    notes: list[Finding] = []
    for rule in rules_in_order():
        decision = rule.decide(evidence, still_open.copy())
        decided = still_open & ~(np.isnan(decision.height_m) & np.isnan(decision.eave_height_m))
        height[decided] = decision.height_m[decided]
        eave[decided] = decision.eave_height_m[decided]
        sigma[decided] = decision.sigma_m[decided]
        height_from[decided] = rule.name
        still_open &= ~decided
        if rule.note:
            rows = np.flatnonzero(decided)
            notes.append(
                Finding(rows, rule.note, None if decision.details is None else decision.details[rows].tolist())
            )
        if not still_open.any():
            break
    return height, eave, sigma, height_from, notes


def _settle(evidence: Evidence, height: Float64, eave: Float64) -> tuple[Float64, Float64, Objects]:
    """Settle the contradictions of the module's list: eave, underside, and a text a row ('' where none)."""
    parsed, underside = evidence.parsed, evidence.underside_m
    clashes: Objects = np.full(len(height), "", dtype=object)
    top = np.where(np.isnan(height), eave, height)
    _note(clashes, _zero_with_storeys(parsed), "height=0 with levels={}", parsed.levels)
    rounded = (eave > height) & (eave <= height + MIN_BODY_M)
    eave = np.where(rounded, height, eave)
    too_high = eave > height
    _note(clashes, too_high, "eave_height={} above height={}", eave, height)
    eave = np.where(too_high, np.nan, eave)
    buried = underside > top - MIN_BODY_M
    _note(clashes, buried, "underside={} not below height={}", underside, top)
    hollow = ~buried & np.isnan(parsed.min_height_m) & (parsed.min_level > 0) & (parsed.min_level >= parsed.levels)
    _note(clashes, hollow, "min_level={} not below levels={}", parsed.min_level, parsed.levels)
    underside = np.where(buried | hollow, 0.0, underside)
    hanging = (eave < underside) & ~np.isnan(height)
    _note(clashes, hanging, "eave_height={} below underside={}", eave, underside)
    eave = np.where(hanging, np.nan, eave)
    given = np.where(np.isnan(parsed.eave_height_m), parsed.height_m, parsed.eave_height_m)
    thin = (parsed.levels > 1) & (given < parsed.levels * MIN_STOREY_M)
    _note(clashes, thin, "height={} with levels={}", given, parsed.levels)
    body = parsed.height_m - parsed.roof_height_m
    squeezed = ~thin & (parsed.levels > 1) & (body > 0) & (body < parsed.levels * MIN_STOREY_M)
    _note(
        clashes,
        squeezed,
        "height={} less roof_height={} with levels={}",
        parsed.height_m,
        parsed.roof_height_m,
        parsed.levels,
    )
    storeys = parsed.levels + np.where(parsed.roof_levels > 0, parsed.roof_levels, 0.0)
    tall = (storeys > 1) & (given > storeys * evidence.storey_m * MAX_STOREYS)
    _note(clashes, tall, "height={} with levels={}", given, storeys)
    return eave, underside, clashes


def _underground(parsed: Parsed) -> Bool:
    """Say which rows lie below the ground by what their source says."""
    nothing = np.isnan(parsed.height_m) & np.isnan(parsed.eave_height_m) & ~(parsed.roof_levels > 0)
    below: Bool = (parsed.levels == 0) & (parsed.levels_underground > 0) & nothing
    below |= parsed.location == "underground"
    return below


def _strange_materials(parsed: Parsed) -> Objects:
    """Write the materials that are not known, '' where all are."""
    texts: Objects = np.full(len(parsed), "", dtype=object)
    for key, table in (("wall_material", WALL_MATERIALS), ("roof_material", ROOF_MATERIALS)):
        words = getattr(parsed, key)
        for word in dict.fromkeys(words.tolist()):
            if word and word not in table.values():
                rows, said = words == word, shown(key, word)
                texts[rows] = np.where(texts[rows] == "", said, texts[rows] + "; " + said)
    return texts


def _strange_countries(parsed: Parsed) -> Objects:
    """Write the countries that are no code, '' where all are."""
    texts = parsed.country.copy()
    for word in dict.fromkeys(parsed.country.tolist()):
        if is_country(word):
            texts[parsed.country == word] = ""
    return texts


def _zero_with_storeys(parsed: Parsed) -> Bool:
    """Say where the only height given is zero, but storeys are given too."""
    nothing = np.isnan(parsed.height_m) & np.isnan(parsed.eave_height_m)
    return parsed.height_is_zero & nothing & (parsed.levels > 0)


def _note(texts: Objects, rows: Bool, template: str, *values: Float64) -> None:
    """Add a text with some values to some rows of a column that the caller made."""
    for row in np.flatnonzero(rows).tolist():
        text = template.format(*(f"{column[row]:.10g}" for column in values))
        texts[row] = f"{texts[row]}; {text}" if texts[row] else text


def _of_texts(texts: Objects, code: str) -> Finding:
    """Make a finding of the rows that have a text."""
    rows: Int64 = np.flatnonzero(texts != "")
    return Finding(rows, code, texts[rows].tolist())
