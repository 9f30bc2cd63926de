"""
An eave height in the source -> the height of the walls; the roof adds its own.

Cadastral sources measure up to the gutter: BD TOPO's ``hauteur`` is that height.
"""

import numpy as np

from citygen.arraytypes import Bool
from citygen.attributes.rule import HEIGHT_RULES, Decision, Evidence, HeightRule, unknown_heights

SIGMA_M = 1.5
"""BD TOPO states 1.5 m (``PREC_ALTI``) of heights measured in stereo images, 2.5 m of interpolated ones."""


def decide(evidence: Evidence, _still_open: Bool) -> Decision:
    """Take the eave height."""
    n = len(evidence.parsed)
    return Decision(unknown_heights(n), evidence.parsed.eave_height_m, np.full(n, SIGMA_M))


HEIGHT_RULES.register(
    "eave_height",
    HeightRule(
        "eave_height",
        order=200,
        text="The source gives the height of the eave; the roof's own height comes on top.",
        sigma="1.5 m: what BD TOPO states of heights from stereo images.",
        decide=decide,
    ),
)
