"""A plane from every wall, meeting in ridges, hips and valleys."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return one even slope inwards."""
    return np.array([0.0, 1.0]), np.zeros(1), np.ones(1)


ROOFS.register(
    "hipped",
    RoofShape(
        name="hipped",
        family="skeleton",
        text="A plane of one slope from every wall, on any outline: hips, valleys and ridges of its straight skeleton.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the roof from the level."),
        section=section,
        run=1.0,
    ),
    aliases=(
        "hip",
        "walm",
        "equal_hipped",
        "1040",
        "3200",
    ),
)
