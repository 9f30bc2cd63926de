"""The roof that a mapper drew: ridges, edges and apexes; a gable where nothing is drawn."""

from typing import TYPE_CHECKING

from citygen.arraytypes import Float64, Int64
from citygen.model.rooflines import RoofLines
from citygen.params import Param
from citygen.roofs.base import MAPPED, ROOFS, Planes, RoofShape

if TYPE_CHECKING:
    from citygen.geom.lifted import Lifted


def _draw(xy: Float64, ring_offsets: Int64, axis: Float64, lines: RoofLines | None, shift: float) -> "Lifted | None":
    from citygen.geom.breaklines import mapped_roof
    from citygen.geom.crossing import one_gable

    if lines is None:
        return one_gable(xy, ring_offsets, axis, shift)
    return mapped_roof(xy, ring_offsets, lines, shift)


def _reach(xy: Float64, ring_offsets: Int64, axis: Float64, lines: RoofLines | None) -> float:
    from citygen.geom.breaklines import reach
    from citygen.geom.crossing import box_of

    if lines is None:
        return float(box_of(xy, axis)[2][0])
    return reach(xy, ring_offsets, lines)


ROOFS.register(
    MAPPED,
    RoofShape(
        name=MAPPED,
        family="planes",
        text="As drawn: planes between the outline and the lines of roof:ridge, roof:edge and roof:apex.",
        pitch=Param("roof_angle_deg", 35.0, 3.0, 80.0, "Slope of the roof from the level."),
        planes=Planes(_draw, _reach),
        simpler="hipped",
    ),
)
