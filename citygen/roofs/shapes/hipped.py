"""A plane from every wall, meeting in ridges, hips and valleys."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope inwards."""
    return Inset((0.0, 1.0), (0.0, 1.0))


ROOFS.register(
    "hipped",
    RoofShape(
        name="hipped",
        family="skeleton",
        text="A plane of one slope from every wall, on any outline: hips, valleys and ridges of its straight skeleton.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the roof from the level."),
        inset=inset,
    ),
    aliases=(
        "equal_hipped",
        "hip",
        "hip_roof",
        "hipped_roof",
        "hiped",
        "hyped",
        "walm",
        "walmdach",
        "1040",
        "3200",
    ),
)
