"""Planes from every wall to one apex."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return one even slope to the middle."""
    return np.array([0.0, 1.0]), np.zeros(1), np.ones(1)


ROOFS.register(
    "pyramidal",
    RoofShape(
        name="pyramidal",
        family="revolved",
        text="A plane from every wall to one apex over the middle.",
        pitch=Param("roof_angle_deg", 40.0, 3.0, 80.0, "Slope of the roof from the level."),
        section=section,
        run=1.0,
    ),
    aliases=(
        "pyramid",
        "tented",
        "pavilion",
        "1070",
        "3500",
    ),
)
