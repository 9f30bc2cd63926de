"""A cone over a round outline."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return one even slope to the middle."""
    return np.array([0.0, 1.0]), np.zeros(1), np.ones(1)


ROOFS.register(
    "cone",
    RoofShape(
        name="cone",
        family="revolved",
        text="A cone: planes from the edges of a round outline to its apex.",
        pitch=Param("roof_angle_deg", 45.0, 3.0, 85.0, "Slope of the roof from the level."),
        section=section,
        run=1.0,
    ),
    aliases=(
        "conical",
        "1080",
        "3600",
    ),
)
