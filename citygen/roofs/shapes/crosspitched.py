"""Two gables that cross, with one ridge height."""

from typing import TYPE_CHECKING

from citygen.arraytypes import Float64, Int64
from citygen.model.rooflines import RoofLines
from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, Planes, RoofShape

if TYPE_CHECKING:
    from citygen.geom.lifted import Lifted


def _draw(
    xy: Float64,
    ring_offsets: Int64,
    axis: Float64,
    lines: RoofLines | None,  # noqa: ARG001  drawn ridges make another shape of it
    shift: float,
) -> "Lifted | None":
    from citygen.geom.crossing import crossing_gables

    return crossing_gables(xy, ring_offsets, axis, shift)


def _reach(
    xy: Float64,
    ring_offsets: Int64,
    axis: Float64,
    lines: RoofLines | None,  # noqa: ARG001  as above
) -> float:
    """Return the way over which the steeper gable rises: half of the box's narrower side, or what the outline takes of it."""
    from citygen.geom.crossing import box_of, spread

    box = box_of(xy, axis)
    return float(box[2].min()) * spread(xy, ring_offsets, box)


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return what stands on wings: one even slope from the walls, the gable ends upright; their ridges cross by themselves."""
    return Inset((0.0, 1.0), (0.0, 1.0), ends=(0.0,))


ROOFS.register(
    "crosspitched",
    RoofShape(
        name="crosspitched",
        family="planes",
        text="Two gables that cross over the middle, with one ridge height: a gable on every side. Over wings their ridges meet.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the steeper gable from the level."),
        planes=Planes(_draw, _reach),
        inset=inset,
        simpler="hipped",
    ),
    aliases=(
        "cross_pitched",
        "cross-pitched",
        "crosspitch",
        "cross_pitch",
        "crosspiched",
        "crosspitced",
        "crossgabled",
        "crossgable",
        "cross_gabled",
        "cross_gable",
        "cross-gabled",
        "cross-gable",
    ),
)
