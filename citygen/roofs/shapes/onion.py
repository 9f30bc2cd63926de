"""A dome that ends in a point, as on church towers."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return a belly near the wall and a slender tip over the middle."""
    breaks = np.array([0.0, 0.02, 0.08, 0.18, 0.35, 0.58, 0.78, 0.92, 1.0])
    height = np.array([0.0, 0.12, 0.24, 0.36, 0.5, 0.62, 0.73, 0.86, 1.0])
    return breaks, height[:-1], height[1:]


ROOFS.register(
    "onion",
    RoofShape(
        name="onion",
        family="revolved",
        text="A bellied dome that draws in to a slender tip; it keeps within its outline.",
        pitch=Param("roof_angle_deg", 60.0, 10.0, 85.0, "Slope of the roof from the level."),
        section=section,
        run=1.0,
        overhangs=False,
    ),
    aliases=(),
)
