"""One plane that falls in its direction."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return one strip that falls."""
    return np.array([0.0, 1.0]), np.ones(1), np.zeros(1)


ROOFS.register(
    "skillion",
    RoofShape(
        name="skillion",
        family="profile",
        text="One plane, high at the back, low where roof:direction points.",
        pitch=Param("roof_angle_deg", 8.0, 1.0, 60.0, "Slope of the roof from the level."),
        section=section,
        slopes_one_way=True,
    ),
    aliases=(
        "lean_to",
        "monopitch",
        "mono_pitch",
        "monopitched",
        "pent",
        "pultdach",
        "shed",
        "shed_roof",
        "skilion",
        "skillon",
        "1010",
        "2100",
    ),
)
