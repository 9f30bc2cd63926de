"""Two planes that fall to a valley in the middle."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return two strips to a valley at half width."""
    return np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0])


ROOFS.register(
    "butterfly",
    RoofShape(
        name="butterfly",
        family="profile",
        text="Two planes that fall inwards to a valley.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 10.0, 1.0, 60.0, "Slope of the roof from the level."),
        section=section,
        run=0.5,
    ),
    aliases=(
        "inverted_gable",
        "v_roof",
    ),
)
