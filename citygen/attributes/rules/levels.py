"""
Storeys -> heights.

OSM Key:building:levels counts storeys above the ground without those in the roof: levels x storey height is the eave.
Zero levels with roof levels is a roof that stands on the ground: roof levels x storey height is the top.
"""

import numpy as np

from citygen.arraytypes import Bool
from citygen.attributes.keys import MIN_BODY_M
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule

GROUND_SIGMA_M, STOREY_SIGMA_M = 1.4, 0.3
"""Plinths, half storeys and knee walls: of 1,443 BD TOPO houses of one and two storeys the gutter spreads 1.1 to 1.5 m about
storeys x 3 m; those of three and four by 0.3 m a storey more, which is also how far the laws of the countries differ."""


def decide(evidence: Evidence, _still_open: Bool) -> Decision:
    """Multiply storeys by their height; a product below ``MIN_BODY_M`` decides nothing."""
    parsed = evidence.parsed
    eave = parsed.levels * evidence.storey_m
    top = np.where(parsed.levels == 0, parsed.roof_levels * evidence.storey_m, np.nan)
    storeys = np.where(parsed.levels == 0, parsed.roof_levels, parsed.levels)
    sigma = np.hypot(GROUND_SIGMA_M, STOREY_SIGMA_M * storeys)
    return Decision(np.where(top >= MIN_BODY_M, top, np.nan), np.where(eave >= MIN_BODY_M, eave, np.nan), sigma)


HEIGHT_RULES.register(
    "levels",
    HeightRule(
        "levels",
        order=300,
        text="The number of storeys, times the height of one by building type and country.",
        sigma="1.4 m, measured on two towns, and 0.3 m for each storey.",
        decide=decide,
    ),
)
