"""
Storeys -> heights.

OSM Key:building:levels counts storeys above the ground without those in the roof: levels x storey height is the eave.
Zero levels with roof levels is a roof that stands on the ground: roof levels x storey height is the top.
"""

import numpy as np

from citygen.arraytypes import Bool
from citygen.attributes.keys import MIN_BODY_M
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule


def decide(evidence: Evidence, _still_open: Bool) -> Decision:
    """Multiply storeys by their height; a product below ``MIN_BODY_M`` decides nothing."""
    parsed = evidence.parsed
    eave = parsed.levels * evidence.storey_m
    top = np.where(parsed.levels == 0, parsed.roof_levels * evidence.storey_m, np.nan)
    return Decision(np.where(top >= MIN_BODY_M, top, np.nan), np.where(eave >= MIN_BODY_M, eave, np.nan))


HEIGHT_RULES.register(
    "levels", HeightRule("levels", order=300, text="The source gives the number of storeys.", decide=decide)
)
