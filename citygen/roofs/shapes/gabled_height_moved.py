"""Two slopes whose tops are apart: a strip of wall stands between them."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section

STEP = Param("step_share", 0.35, 0.05, 0.9, "Height of the upright strip, as a share of the roof's.")


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return a lower slope at the back, an upright strip, and the main slope."""
    return np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0]), np.array([1.0 - STEP.default, 0.0])


ROOFS.register(
    "gabled_height_moved",
    RoofShape(
        name="gabled_height_moved",
        family="profile",
        text="Two slopes of different height with an upright strip at the ridge; the higher one falls where roof:direction points.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the roof from the level."),
        section=section,
        run=0.5,
        params=(STEP,),
        slopes_one_way=True,
        overhangs=False,
        simpler="gabled",
    ),
    aliases=(
        "dual_pent",
        "dual_pitch",
        "gabled_irregular",
        "height_moved",
        "split_level",
        "versetztes_pultdach",
        "1020",
        "2200",
    ),
)
