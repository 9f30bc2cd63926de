"""Two slopes up to a level top."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape, Section

SIDE = Param("side_share", 0.3, 0.05, 0.45, "Share of the width that each slope takes.")


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return a slope, a level top, a slope."""
    side = SIDE.default
    return np.array([0.0, side, 1.0 - side, 1.0]), np.array([0.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope to a level top; the gable ends stay upright."""
    share = 2.0 * SIDE.default
    return Inset((0.0, share, 1.0), (0.0, 1.0, 1.0), ends=(0.0, 0.0), is_capped=True, run=share)


ROOFS.register(
    "double_saltbox",
    RoofShape(
        name="double_saltbox",
        family="profile",
        text="A slope on each long side and a level top between them; end walls rise to it. Follows the wings of an outline.",
        pitch=Param("roof_angle_deg", 40.0, 5.0, 75.0, "Slope of the roof from the level."),
        section=section,
        inset=inset,
        run=0.3,
        params=(SIDE,),
        simpler="quadruple_saltbox",
    ),
    aliases=("saltbox_double",),
)
