"""Two slopes from every wall: steep below, shallow above."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return a steep slope to a third of the inset, a shallow one from there."""
    return Inset((0.0, 0.3, 1.0), (0.0, 0.7, 1.0))


ROOFS.register(
    "mansard",
    RoofShape(
        name="mansard",
        family="skeleton",
        text="Two slopes from every wall, the lower one steep; on any outline.",
        pitch=Param("roof_angle_deg", 45.0, 5.0, 75.0, "Slope of the roof from the level."),
        inset=inset,
        simpler="hipped",
    ),
    aliases=(
        "mansarde",
        "mansart",
        "mansarddach",
        "french",
        "1060",
        "3400",
    ),
)
