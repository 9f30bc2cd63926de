"""
Heights of the run's buildings of the same type and size -> a height, where nothing stands near enough.

The plan of a run takes the medians (``pipeline.evidence``): of the type and a band of floor areas where enough have a height.
"""

from citygen.arraytypes import Bool
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule, estimated
from citygen.outcome import reason

HEIGHT_CLASS = reason(
    "height_class",
    "ok",
    "The source gives no usable height; the median of the run's buildings of its type and size was used.",
)


def decide(evidence: Evidence, still_open: Bool) -> Decision:
    """Take the median of the type and size."""
    return estimated(evidence, still_open, "class_area", lambda n, _reach: f"the median of {n} of its type and size")


HEIGHT_RULES.register(
    "class_area",
    HeightRule(
        "class_area",
        order=500,
        text="The median of the run's buildings of its type and floor area, where 20 or more have a height.",
        sigma="Spread of those heights, at least 1 m.",
        decide=decide,
        note=HEIGHT_CLASS,
    ),
)
