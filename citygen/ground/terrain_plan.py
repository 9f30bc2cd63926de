"""
A map grid to the plan of its terrain tiles: one frame for all of them, lines between tiles, and tiles over tiles.

Plan coordinates are those of the grid's own CRS, so tiles are upright rectangles in it; degrees are drawn out to about
metres. Every coordinate lies on a grid of a quarter of a nanometre: differences are exact, whichever tile takes them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from citygen.arraytypes import Float64
from citygen.geom.tolerances import PLAN_GRID_M

DEGREE_M = 111_320.0


class PlanGrid(Protocol):
    """What is needed of a tile grid."""

    @property
    def crs(self) -> str:
        """Its CRS."""

    def bounds(self, col: int, row: int) -> tuple[float, float, float, float]:
        """Return a tile's extent."""


@dataclass(frozen=True, slots=True)
class PlanFrame:
    """
    Where plan coordinates lie.

    Attributes
    ----------
    crs : str
        The grid's CRS.
    scale : float
        Plan units a unit of the CRS: 1 for metres.
    """

    crs: str
    scale: float

    def to_crs(self, xy: Float64) -> Float64:
        """Return plan coordinates in the CRS."""
        return xy / self.scale

    def to_plan(self, xy: Float64) -> Float64:
        """Return coordinates of the CRS in the plan, on its grid."""
        return snap(xy * self.scale)


@lru_cache(maxsize=32)
def plan_frame(crs: str) -> PlanFrame:
    """Return the plan of a grid's CRS."""
    import pyproj

    return PlanFrame(crs, DEGREE_M if pyproj.CRS.from_user_input(crs).is_geographic else 1.0)


def snap(xy: Float64) -> Float64:
    """Return coordinates on the plan's grid."""
    out: Float64 = np.rint(xy / PLAN_GRID_M) * PLAN_GRID_M
    return out


@dataclass(frozen=True, slots=True)
class Block:
    """
    A terrain tile: a block of grid tiles.

    Attributes
    ----------
    level : int
        0 for one grid tile; n for 2**n by 2**n of them.
    col, row : int
        Its place among the blocks of its level.
    x, y : (2**level + 1,) float64
        Plan coordinates of the lines between its grid tiles, ascending.
    """

    level: int
    col: int
    row: int
    x: Float64
    y: Float64

    @property
    def box(self) -> Float64:
        """Return (4,) float64: min x, min y, max x, max y."""
        return np.array([self.x[0], self.y[0], self.x[-1], self.y[-1]])

    @property
    def origin(self) -> Float64:
        """Return (2,) float64: whole numbers near the middle; differences to it are exact."""
        return np.floor(np.array([self.x[0] + self.x[-1], self.y[0] + self.y[-1]]) / 2)


def block(grid: PlanGrid, frame: PlanFrame, key: tuple[int, int, int]) -> Block:
    """
    Return a terrain tile.

    Parameters
    ----------
    grid : Grid
        Of the leaves.
    frame : PlanFrame
        Of its CRS.
    key : (int, int, int)
        Level, column, row.

    Returns
    -------
    Block
        Each line is that of the same tile number for every block, so neighbours have the same numbers.
    """
    level, col, row = key
    n = 1 << level
    cols, rows = range(col * n, (col + 1) * n + 1), range(row * n, (row + 1) * n + 1)
    north = grid.bounds(0, 1)[1] > grid.bounds(0, 0)[1]
    x = np.array([grid.bounds(c, row * n)[0] for c in cols])
    y = np.array([grid.bounds(col * n, r)[1 if north else 3] for r in rows])
    return Block(level, col, row, frame.to_plan(x), frame.to_plan(y if north else y[::-1]))
