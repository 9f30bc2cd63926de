"""A gable whose ridge lies off the middle, with one long low slope."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return two strips of one pitch: the long one falls twice as far, towards the roof's direction."""
    return np.array([0.0, 1.0 / 3.0, 1.0]), np.array([0.5, 1.0]), np.array([1.0, 0.0])


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope; walls on the up-slope side stand upright up to half of it, gable ends stay upright."""
    return Inset((0.0, 2.0 / 3.0, 4.0 / 3.0), (0.0, 0.5, 1.0), ends=(0.0, 0.0), backs=(0.0, 1.0), run=4.0 / 3.0)


ROOFS.register(
    "saltbox",
    RoofShape(
        name="saltbox",
        family="profile",
        text="Two planes of one pitch; the long one falls lower, where roof:direction points. Ridges follow an outline's wings.",
        pitch=Param("roof_angle_deg", 30.0, 3.0, 70.0, "Slope of the roof from the level."),
        section=section,
        inset=inset,
        run=2.0 / 3.0,
        slopes_one_way=True,
        simpler="gabled",
    ),
    aliases=(
        "catslide",
        "salt_box",
    ),
)
