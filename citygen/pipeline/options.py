"""What every tile job of a run is told beside its rows."""

from dataclasses import dataclass
from typing import Literal

from citygen.attributes.options import AttributeOptions
from citygen.ground.dem import Dem
from citygen.ground.vertical import Vertical
from citygen.tiling.base import Grid


@dataclass(frozen=True, slots=True)
class TileOptions:
    """
    What a tile job needs beside its rows; small and picklable.

    Attributes
    ----------
    crs : str
        Working CRS.
    grid : Grid
        Of the tiles.
    dem : Dem or None
        None: level ground.
    ground_z : float or None
        Ground where no DEM has one.
    vertical : Vertical
        How heights become ellipsoidal.
    attributes : AttributeOptions
        Column map, storey height, default height.
    formats : tuple of str
        To write.
    dormers, chimneys : int, 'auto' or None
        For pitched roofs whose data give no number.
    roof_segments : int or None
        Planes that a quarter turn of a curved roof is made of; None: each shape's own.
    overhang_m, roof_thickness_m : float
        How far roofs reach beyond the walls where a row does not say it (0: not at all), and how thick they are there.
    party_walls : 'keep' or 'drop'
        Whether walls that two solids hide from each other are written.
    datum : 'lowest', 'mean', 'highest' or 'entrance'
        Which ground a building's heights count from.
    foundation_m : float
        How far below the lowest ground walls start, where a DEM gives it.
    platform_slope : float or None
        Rise over run of the embankments around platforms; None: the terrain is left as it is.
    """

    crs: str
    grid: Grid
    dem: Dem | None
    ground_z: float | None
    vertical: Vertical
    attributes: AttributeOptions
    formats: tuple[str, ...]
    dormers: int | Literal["auto"] | None = None
    chimneys: int | Literal["auto"] | None = None
    roof_segments: int | None = None
    overhang_m: float = 0.0
    roof_thickness_m: float = 0.2
    party_walls: Literal["keep", "drop"] = "keep"
    datum: Literal["lowest", "mean", "highest", "entrance"] = "lowest"
    foundation_m: float = 0.0
    platform_slope: float | None = None
