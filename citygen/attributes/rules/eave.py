"""
An eave height in the source -> the height of the walls; the roof adds its own.

Cadastral sources measure up to the gutter: BD TOPO's ``hauteur`` is that height.
"""

from citygen.arraytypes import Bool
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule, unknown_heights


def decide(evidence: Evidence, _still_open: Bool) -> Decision:
    """Take the eave height."""
    return Decision(unknown_heights(len(evidence.parsed)), evidence.parsed.eave_height_m)


HEIGHT_RULES.register(
    "eave_height", HeightRule("eave_height", order=200, text="The source gives the height of the eave.", decide=decide)
)
