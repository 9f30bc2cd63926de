"""Half a dome, as over an apse: its top lies over the wall at its back."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, RoofShape
from citygen.roofs.shapes.dome import SEGMENTS, inset

ROOFS.register(
    "half-dome",
    RoofShape(
        name="half-dome",
        family="revolved",
        text="Half a dome against the wall opposite roof:direction (else the longest), as over an apse.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 45.0, 5.0, 80.0, "Slope of the roof from the level."),
        inset=inset,
        segments=SEGMENTS,
        overhangs=False,
        is_curved=True,
        apex="back",
        slopes_one_way=True,
        simpler="dome",
    ),
    aliases=(
        "apse",
        "halfdome",
        "semi_dome",
        "semidome",
    ),
)
