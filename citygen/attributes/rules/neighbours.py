"""
Heights of the nearest buildings of the same type -> a height, where the source gives neither one nor storeys.

The plan of a run finds them (``pipeline.evidence``): the median of the nearest ones, and their spread as the uncertainty.
"""

from citygen.arraytypes import Bool
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule, estimated
from citygen.outcome import reason

HEIGHT_NEIGHBOURS = reason(
    "height_neighbours",
    "ok",
    "The source gives no usable height; the median of the nearest buildings of its type was used.",
)


def decide(evidence: Evidence, still_open: Bool) -> Decision:
    """Take the median of the neighbours."""
    return estimated(evidence, still_open, "neighbours", lambda n, reach: f"the median of {n} within {reach:.0f} m")


HEIGHT_RULES.register(
    "neighbours",
    HeightRule(
        "neighbours",
        order=400,
        text="The median of the 8 nearest buildings of its type, within 500 m, that have a height.",
        sigma="Spread of those heights, at least 1 m.",
        decide=decide,
        note=HEIGHT_NEIGHBOURS,
    ),
)
