"""A half ellipse turned about the middle."""

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
    "dome",
    RoofShape(
        name="dome",
        family="revolved",
        text="A half ellipse turned about the middle; over wings, along their middle.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 45.0, 5.0, 80.0, "Slope of the roof from the level."),
        inset=inset,
        segments=SEGMENTS,
        overhangs=False,
        is_curved=True,
        apex="middle",
    ),
    aliases=(
        "copula",
        "cupola",
        "domed",
        "kuppel",
        "spherical",
        "1090",
        "3700",
    ),
)
