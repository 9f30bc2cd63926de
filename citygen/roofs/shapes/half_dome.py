"""Half a dome, as over an apse: its top lies over the wall at its back."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape

SEGMENTS = Param("segments", 8.0, 2.0, 64.0, "Planes that a quarter turn is made of.")


def inset(variant: int) -> Inset:
    """Return a quarter ellipse from the wall to the middle."""
    turn = np.linspace(0.0, np.pi / 2.0, variant + 1)
    breaks, height = 1.0 - np.cos(turn), np.sin(turn)
    breaks[-1] = height[-1] = 1.0
    return Inset(tuple(breaks), tuple(height))


ROOFS.register(
    "half-dome",
    RoofShape(
        name="half-dome",
        family="revolved",
        text="Half a dome against the wall opposite roof:direction (else the longest), as over an apse.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 45.0, 5.0, 80.0, "Slope of the roof from the level."),
        inset=inset,
        segments=SEGMENTS,
        overhangs=False,
        is_curved=True,
        apex="back",
        slopes_one_way=True,
        simpler="dome",
    ),
    aliases=(
        "apse",
        "halfdome",
        "semi_dome",
        "semidome",
    ),
)
