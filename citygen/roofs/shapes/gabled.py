"""Two planes from a ridge in the middle, or along each wing."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape, Section


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return two strips from a ridge at half width."""
    return np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope from the walls; the gable ends stay upright."""
    return Inset((0.0, 1.0), (0.0, 1.0), ends=(0.0,))


ROOFS.register(
    "gabled",
    RoofShape(
        name="gabled",
        family="profile",
        text="Two planes that meet in a ridge; the end walls rise to it. Ridges follow the wings of an outline.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the roof from the level."),
        section=section,
        inset=inset,
        run=0.5,
        simpler="hipped",
    ),
    aliases=(
        "gabeled",
        "gable",
        "gable_roof",
        "gabled_roof",
        "gambled",
        "pitched",
        "pitched_roof",
        "saddle",
        "satteldach",
        "1030",
        "3100",
    ),
)
