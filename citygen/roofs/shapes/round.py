"""A barrel roof."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape, Section

SEGMENTS = Param("segments", 6.0, 2.0, 64.0, "Planes that a quarter turn is made of.")


def section(variant: int) -> Section:
    """Return the strips of a half ellipse, narrow where it is steep."""
    turn = np.linspace(0.0, np.pi, 2 * variant + 1)
    breaks, height = (1.0 - np.cos(turn)) / 2.0, np.sin(turn)
    breaks[[0, variant, -1]], height[[0, variant, -1]] = (0.0, 0.5, 1.0), (0.0, 1.0, 0.0)
    return breaks, height[:-1], height[1:]


def inset(variant: int) -> Inset:
    """Return the strips of a quarter ellipse from the walls; the gable ends stay upright."""
    breaks, height, last = section(variant)
    return Inset(tuple(2.0 * breaks[: variant + 1]), (*height[:variant], last[variant - 1]), ends=(0.0,) * variant)


ROOFS.register(
    "round",
    RoofShape(
        name="round",
        family="profile",
        text="A half-elliptic barrel along the ridge, and along the wings of an outline.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 30.0, 3.0, 75.0, "Slope of the roof from the level."),
        section=section,
        inset=inset,
        run=0.5,
        segments=SEGMENTS,
        overhangs=False,
        is_curved=True,
        simpler="hipped",
    ),
    aliases=(
        "arch",
        "arched",
        "barrel",
        "barrel_vault",
        "rainbow",
        "round_gabled",
        "rounded",
        "tonnendach",
        "vault",
        "1110",
        "3900",
    ),
)
