"""A cone over a round outline."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope to the middle."""
    return Inset((0.0, 1.0), (0.0, 1.0))


ROOFS.register(
    "cone",
    RoofShape(
        name="cone",
        family="revolved",
        text="A cone: planes from the edges of a round outline to its apex; over wings, along their middle.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 45.0, 3.0, 85.0, "Slope of the roof from the level."),
        inset=inset,
        apex="middle",
        is_curved=True,
    ),
    aliases=(
        "conical",
        "kegeldach",
        "1080",
        "3600",
    ),
)
