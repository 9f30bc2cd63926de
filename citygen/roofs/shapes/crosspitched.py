"""Two gables that cross, with one ridge height."""

from citygen.arraytypes import Float64, Int64
from citygen.geom.crossing import box_of, crossing_gables, spread
from citygen.geom.lifted import Lifted
from citygen.model.rooflines import RoofLines
from citygen.params import Param
from citygen.roofs.base import ROOFS, Planes, RoofShape


def _draw(
    xy: Float64,
    ring_offsets: Int64,
    axis: Float64,
    lines: RoofLines | None,  # noqa: ARG001  drawn ridges make another shape of it
    shift: float,
) -> Lifted | None:
    return crossing_gables(xy, ring_offsets, axis, shift)


def _reach(
    xy: Float64,
    ring_offsets: Int64,
    axis: Float64,
    lines: RoofLines | None,  # noqa: ARG001  as above
) -> float:
    """Return the way over which the steeper gable rises: half of the box's narrower side, or what the outline takes of it."""
    box = box_of(xy, axis)
    return float(box[2].min()) * spread(xy, ring_offsets, box)


ROOFS.register(
    "crosspitched",
    RoofShape(
        name="crosspitched",
        family="planes",
        text="Two gables that cross over the middle of the outline, with one ridge height; every side of a box has a gable.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 75.0, "Slope of the steeper gable from the level."),
        planes=Planes(_draw, _reach),
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
