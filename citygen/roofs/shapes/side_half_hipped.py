"""A gabled roof with a small hip over one of its gables."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape

GABLE = Param("gable_share", 0.5, 0.1, 0.9, "Share of the roof's height up to which the half-hipped end wall rises.")


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope; all ends stand upright, one of them up to a small hip."""
    share = GABLE.default
    return Inset((0.0, share, 1.0), (0.0, share, 1.0), ends=(0.0, 0.0), one_end=(0.0, 1.0))


ROOFS.register(
    "side_half-hipped",
    RoofShape(
        name="side_half-hipped",
        family="skeleton",
        text="A gable at one end and a half-hipped gable at the other, to the left when looking down roof:direction.",
        pitch=Param("roof_angle_deg", 40.0, 3.0, 75.0, "Slope of the roof from the level."),
        inset=inset,
        params=(GABLE,),
        slopes_one_way=True,
        simpler="hipped",
    ),
    aliases=("side_half_hip",),
)
