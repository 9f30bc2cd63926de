"""Two slopes a side: steep below, shallow above."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape, Section
from citygen.roofs.sections import broken_gable, broken_wings

BREAK, HEIGHT = 0.4, 0.66
"""Where a side breaks: share of the way from wall to ridge, and of the roof's height."""


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return a steep and a shallow strip a side."""
    return broken_gable(BREAK, HEIGHT)


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return a steep and a shallow strip from the walls; the gable ends stay upright."""
    return broken_wings(BREAK, HEIGHT)


ROOFS.register(
    "gambrel",
    RoofShape(
        name="gambrel",
        family="profile",
        text="A ridge with two slopes a side, the lower one steeper; gable ends. Ridges follow the wings of an outline.",
        pitch=Param("roof_angle_deg", 40.0, 5.0, 75.0, "Slope of the roof from the level."),
        section=section,
        inset=inset,
        run=0.5,
        simpler="mansard",
    ),
    aliases=(
        "barn",
        "dutch_barn",
        "gambrel_roof",
    ),
)
