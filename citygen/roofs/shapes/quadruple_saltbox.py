"""A slope from every wall up to a level top."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape

SIDE = Param("side_share", 0.5, 0.1, 0.9, "Share of the inset that the slopes take.")


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope that ends in a level top."""
    return Inset((0.0, SIDE.default, 1.0), (0.0, 1.0, 1.0), is_capped=True, run=SIDE.default)


ROOFS.register(
    "quadruple_saltbox",
    RoofShape(
        name="quadruple_saltbox",
        family="skeleton",
        text="A slope from every wall up to a level top; on any outline.",
        pitch=Param("roof_angle_deg", 45.0, 5.0, 75.0, "Slope of the roof from the level."),
        inset=inset,
        params=(SIDE,),
        simpler="hipped",
    ),
    aliases=(
        "truncated_hip",
        "hipped_flat",
        "saltbox_quadruple",
    ),
)
