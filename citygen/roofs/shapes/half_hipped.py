"""A gabled roof whose gables are cut off by a small hip."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape

GABLE = Param("gable_share", 0.5, 0.1, 0.9, "Share of the roof's height up to which the end walls rise.")


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope; the ends stand upright up to the small hip, which is as steep as the rest."""
    share = GABLE.default
    return Inset((0.0, share, 1.0), (0.0, share, 1.0), ends=(0.0, 1.0))


ROOFS.register(
    "half-hipped",
    RoofShape(
        name="half-hipped",
        family="skeleton",
        text="A gabled roof with a small hip over each gable; on any outline.",
        pitch=Param("roof_angle_deg", 40.0, 3.0, 75.0, "Slope of the roof from the level."),
        inset=inset,
        params=(GABLE,),
        simpler="hipped",
    ),
    aliases=(
        "clipped_gable",
        "half_hip",
        "half_hipped_roof",
        "hipped_gable",
        "jerkinhead",
        "krueppelwalm",
        "1050",
        "3300",
    ),
)
