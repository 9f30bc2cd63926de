"""Planes from every wall to one apex."""

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape


def inset(variant: int) -> Inset:  # noqa: ARG001  this shape has one variant
    """Return one even slope to the middle."""
    return Inset((0.0, 1.0), (0.0, 1.0))


ROOFS.register(
    "pyramidal",
    RoofShape(
        name="pyramidal",
        family="revolved",
        text="A plane from every wall to one apex over the middle; over wings, along their middle.",
        pitch=Param("roof_angle_deg", 40.0, 3.0, 80.0, "Slope of the roof from the level."),
        inset=inset,
        apex="middle",
    ),
    aliases=(
        "broach",
        "pavilion",
        "piramidal",
        "pyramid",
        "pyramide",
        "tent",
        "tented",
        "zeltdach",
        "1070",
        "1120",
        "3500",
    ),
)
