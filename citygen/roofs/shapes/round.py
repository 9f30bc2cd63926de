"""A barrel roof."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return the strips of a half ellipse, narrow where it is steep."""
    turn = np.linspace(0.0, np.pi, 13)
    breaks, height = (1.0 - np.cos(turn)) / 2.0, np.sin(turn)
    breaks[[0, 6, 12]], height[[0, 6, 12]] = (0.0, 0.5, 1.0), (0.0, 1.0, 0.0)
    return breaks, height[:-1], height[1:]


ROOFS.register(
    "round",
    RoofShape(
        name="round",
        family="profile",
        text="A half-elliptic barrel along the ridge, in twelve planes.",
        pitch=Param("roof_angle_deg", 30.0, 3.0, 75.0, "Slope of the roof from the level."),
        section=section,
        run=0.5,
        overhangs=False,
    ),
    aliases=(
        "barrel",
        "arch",
        "1110",
        "3900",
    ),
)
