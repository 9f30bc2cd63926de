"""Two slopes a side: steep below, shallow above."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape, Section

BREAK, HEIGHT = 0.4, 0.66
"""Where a side breaks: share of the way from wall to ridge, and of the roof's height."""


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return four strips, broken at a fifth of the width and two thirds of the rise."""
    breaks = np.array([0.0, BREAK / 2, 0.5, 1.0 - BREAK / 2, 1.0])
    return breaks, np.array([0.0, HEIGHT, 1.0, HEIGHT]), np.array([HEIGHT, 1.0, HEIGHT, 0.0])


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return a steep and a shallow strip from the walls; the gable ends stay upright."""
    return Inset((0.0, BREAK, 1.0), (0.0, HEIGHT, 1.0), ends=(0.0, 0.0))


ROOFS.register(
    "gambrel",
    RoofShape(
        name="gambrel",
        family="profile",
        text="A ridge with two slopes a side, the lower one steeper; gable ends. Ridges follow the wings of an outline.",
        pitch=Param("roof_angle_deg", 40.0, 5.0, 75.0, "Slope of the roof from the level."),
        section=section,
        inset=inset,
        run=0.5,
        simpler="mansard",
    ),
    aliases=(
        "barn",
        "dutch_barn",
        "gambrel_roof",
    ),
)
