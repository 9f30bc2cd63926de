"""A gabled roof that flares out at its eaves."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape, Section
from citygen.roofs.sections import broken_gable, broken_wings

BREAK, HEIGHT = 0.3, 0.14
"""Where a side breaks: share of the way from wall to ridge, and of the roof's height."""


def section(variant: int) -> Section:  # noqa: ARG001  this shape has one variant
    """Return a shallow and a steep strip a side."""
    return broken_gable(BREAK, HEIGHT)


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return a shallow and a steep strip from the walls; the gable ends stay upright."""
    return broken_wings(BREAK, HEIGHT)


ROOFS.register(
    "bellcast_gable",
    RoofShape(
        name="bellcast_gable",
        family="profile",
        text="A gable whose slopes flare out to a shallower one at the eaves. Ridges follow the wings of an outline.",
        pitch=Param("roof_angle_deg", 40.0, 5.0, 75.0, "Slope of the roof from the level."),
        section=section,
        inset=inset,
        run=0.5,
        simpler="hipped",
    ),
    aliases=(
        "bell_cast_gable",
        "bellcast",
        "bellcast_gabled",
        "flared_gable",
    ),
)
