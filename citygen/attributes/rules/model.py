"""
A model learned from the run's own buildings -> a height, where it was found to be better than the simple rules.

The plan of a run learns it and hands on estimates only for rows of a kind (with or without storeys) for which it won
(``pipeline.learning``). That is why it stands before the storeys, and stands back where it says nothing.
"""

from citygen.arraytypes import Bool
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule, estimated
from citygen.outcome import reason

HEIGHT_MODEL = reason(
    "height_model",
    "ok",
    "The source gives no usable height; that of a model learned from the run's own buildings was used.",
)


def decide(evidence: Evidence, still_open: Bool) -> Decision:
    """Take the model's height."""
    return estimated(evidence, still_open, "model", lambda n, _reach: f"learned from {n} buildings")


HEIGHT_RULES.register(
    "model",
    HeightRule(
        "model",
        order=250,
        text="A model learned from the run's own buildings, where it beats the rules below on them.",
        sigma="Its error in cross-validation, a share of the height.",
        decide=decide,
        note=HEIGHT_MODEL,
    ),
)
