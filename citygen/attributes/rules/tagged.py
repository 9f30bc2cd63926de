"""
A total height in the source -> the height of the building.

OSM Key:height: from the ground to the top of the roof. An eave height beside it is kept.
"""

import numpy as np

from citygen.arraytypes import Bool
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule

SIGMA_M = 1.0
"""Rounding to whole metres is 0.3 m; heights read off plans or judged by eye are half a storey off now and then."""


def decide(evidence: Evidence, _still_open: Bool) -> Decision:
    """Take the total height, and the eave height where both are given."""
    total = evidence.parsed.height_m
    eave = np.where(np.isnan(total), np.nan, evidence.parsed.eave_height_m)
    return Decision(total, eave, np.full(len(total), SIGMA_M))


HEIGHT_RULES.register(
    "height",
    HeightRule(
        "height",
        order=100,
        text="The source gives the height of the roof top.",
        sigma="1 m: rounding to whole metres alone is 0.3 m, and many are read off plans or judged by eye.",
        decide=decide,
    ),
)
