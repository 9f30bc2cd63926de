"""A level roof at the top of the walls."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return one level strip."""
    return np.array([0.0, 1.0]), np.zeros(1), np.zeros(1)


ROOFS.register(
    "flat",
    RoofShape(
        name="flat",
        family="profile",
        text="A level roof; the walls end at its height.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 0.0, 0.0, 0.0, "Slope of the roof from the level."),
        section=section,
        is_flat=True,
    ),
    aliases=(
        "flach",
        "flachdach",
        "flat_roof",
        "terrace",
        "1000",
    ),
)
