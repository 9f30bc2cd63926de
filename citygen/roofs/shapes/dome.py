"""A half ellipse turned about the middle."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return a quarter ellipse from the wall to the middle, in eight steps."""
    turn = np.linspace(0.0, np.pi / 2.0, 9)
    height = np.sin(turn)
    breaks = 1.0 - np.cos(turn)
    breaks[-1], height[-1] = 1.0, 1.0
    return breaks, height[:-1], height[1:]


ROOFS.register(
    "dome",
    RoofShape(
        name="dome",
        family="revolved",
        text="A half ellipse turned about the middle, in eight steps.",
        pitch=Param("roof_angle_deg", 45.0, 5.0, 80.0, "Slope of the roof from the level."),
        section=section,
        run=1.0,
        overhangs=False,
    ),
    aliases=(
        "spherical",
        "1090",
        "3700",
    ),
)
