"""A dome that ends in a point, as on church towers."""

import numpy as np

from citygen.params import Param
from citygen.roofs.base import ROOFS, Inset, RoofShape

SEGMENTS = Param("segments", 8.0, 2.0, 64.0, "Rings of planes from the wall to the tip.")


_BREAKS = np.array([0.0, 0.02, 0.08, 0.18, 0.35, 0.58, 0.78, 0.92, 1.0])
_HEIGHTS = np.array([0.0, 0.12, 0.24, 0.36, 0.5, 0.62, 0.73, 0.86, 1.0])


def inset(variant: int) -> Inset:
    """Return a belly near the wall and a slender tip over the middle."""
    at = np.linspace(0.0, 1.0, variant + 1)
    grid = np.linspace(0.0, 1.0, len(_BREAKS))
    return Inset(tuple(np.interp(at, grid, _BREAKS)), tuple(np.interp(at, grid, _HEIGHTS)))


ROOFS.register(
    "onion",
    RoofShape(
        name="onion",
        family="revolved",
        text="A bellied dome that draws in to a slender tip; it keeps within its outline; over wings, along their middle.",
        takes_dormers=False,
        pitch=Param("roof_angle_deg", 60.0, 10.0, 85.0, "Slope of the roof from the level."),
        inset=inset,
        segments=SEGMENTS,
        overhangs=False,
        is_curved=True,
        apex="middle",
        simpler="dome",
    ),
    aliases=(
        "onion_dome",
        "bulbous",
        "zwiebel",
    ),
)
