"""A gabled roof with a hip at one of its ends."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope; all ends but one stay upright."""
    return Inset((0.0, 1.0), (0.0, 1.0), ends=(0.0,), one_end=(1.0,))


ROOFS.register(
    "side_hipped",
    RoofShape(
        name="side_hipped",
        family="skeleton",
        text="A gable at one end and a hip at the other, to the left when looking down roof:direction, as on semi-detached houses.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the roof from the level."),
        inset=inset,
        slopes_one_way=True,
        simpler="hipped",
    ),
    aliases=(
        "one_sided_hip",
        "side_hip",
    ),
)
