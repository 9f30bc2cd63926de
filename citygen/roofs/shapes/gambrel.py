"""Two slopes a side: steep below, shallow above."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return four strips, broken at a fifth of the width and two thirds of the rise."""
    return np.array([0.0, 0.2, 0.5, 0.8, 1.0]), np.array([0.0, 0.66, 1.0, 0.66]), np.array([0.66, 1.0, 0.66, 0.0])


ROOFS.register(
    "gambrel",
    RoofShape(
        name="gambrel",
        family="profile",
        text="A ridge with two slopes a side, the lower one steeper; gable ends.",
        pitch=Param("roof_angle_deg", 40.0, 5.0, 75.0, "Slope of the roof from the level."),
        section=section,
        run=0.5,
    ),
    aliases=(),
)
