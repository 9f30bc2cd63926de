"""A row of equal slopes with upright faces between them, as over factory halls."""

import numpy as np

from citygen.arraytypes import Float64
from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape, Section

TOOTH = Param("tooth_width_m", 6.0, 2.0, 20.0, "Width of one tooth where the roof is wide enough.")


def section(variant: int) -> Section:
    """Return ``variant`` strips, each from high to low, towards the roof's direction."""
    breaks = np.arange(variant + 1) / variant
    return breaks, np.ones(variant), np.zeros(variant)


def teeth(span_m: Float64) -> Float64:
    """Return how many teeth fit a span: whole, two to forty."""
    return np.clip(np.floor(span_m / TOOTH.default + 0.5), 2, 40)


ROOFS.register(
    "sawtooth",
    RoofShape(
        name="sawtooth",
        family="profile",
        text="A row of slopes that fall towards roof:direction, with upright faces between them.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 25.0, 3.0, 70.0, "Slope of each tooth from the level."),
        section=section,
        run=1.0,
        variant=teeth,
        params=(TOOTH,),
        slopes_one_way=True,
        overhangs=False,
    ),
    aliases=("saw_tooth", "sawthooth", "sheddach", "1100", "3800"),
)
