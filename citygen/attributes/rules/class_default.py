"""
Building type and floor area -> an eave height, where nothing is known; the row is marked as guessed.

It stands at least one storey above the underside, where the source gives that.
"""

import numpy as np

from citygen.arraytypes import Bool, Objects
from citygen.attributes.classes import default_eaves
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule, unknown_heights
from citygen.outcome import reason

HEIGHT_DEFAULT = reason(
    "height_default",
    "ok",
    "The source gives no usable height; a default was used (by building type and floor area, or the user's own).",
)

SIGMA_SHARE, LEAST_SIGMA_M = 0.4, 1.5
"""A house has one to three storeys where the table says two, a block of flats three to eight where it says five."""


def decide(evidence: Evidence, still_open: Bool) -> Decision:
    """Take the user's default, or the one of the building's type, or the one of its floor area."""
    n = len(evidence.parsed)
    asked = evidence.options.default_height_m
    details: Objects = np.full(n, "", dtype=object)
    eave = unknown_heights(n)
    rows = np.flatnonzero(still_open)
    if asked is None:
        eave[rows], details[rows] = default_eaves(evidence.parsed.class_name[rows], evidence.area_m2[rows])
    else:
        eave[rows], details[rows] = asked, f"eave {asked:g} m, the default that was asked for"
    lifted = evidence.underside_m + evidence.storey_m
    low = still_open & (evidence.underside_m > 0) & (eave < lifted)
    eave[low] = lifted[low]
    details[low] = "one storey above the underside"
    return Decision(unknown_heights(n), eave, np.maximum(SIGMA_SHARE * eave, LEAST_SIGMA_M), details)


HEIGHT_RULES.register(
    "default",
    HeightRule(
        "default",
        order=900,
        text="A guess by building type and floor area, or the user's own (`--default-height`).",
        sigma="40 % of the height, at least 1.5 m: a house has one to three storeys, a block three to eight.",
        decide=decide,
        note=HEIGHT_DEFAULT,
    ),
)
