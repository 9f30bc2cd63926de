"""A hipped roof with a small gable over each hip."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape

HIP = Param("hip_share", 0.55, 0.1, 0.9, "Share of the roof's height at which the small gables stand.")


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope; the ends move with the rest up to the small gable, which stands upright."""
    share = HIP.default
    return Inset((0.0, share, 1.0), (0.0, share, 1.0), ends=(1.0, 0.0))


ROOFS.register(
    "hipped-and-gabled",
    RoofShape(
        name="hipped-and-gabled",
        family="skeleton",
        text="A hipped roof whose hips end below a small upright gable; on any outline.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the roof from the level."),
        inset=inset,
        params=(HIP,),
        simpler="hipped",
    ),
    aliases=(
        "dutch_gable",
        "dutch_gabled",
        "gablet",
        "hip_and_gable",
        "hip_and_gabled",
        "hipped_with_gable",
        "irimoya",
    ),
)
