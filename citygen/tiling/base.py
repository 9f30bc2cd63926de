"""What a tile grid is: a rule that gives every place one tile. Grids register here, one file a kind."""

from collections.abc import Callable
from typing import Protocol

from citygen.arraytypes import Float64, Int64
from citygen.registry import Registry


class Grid(Protocol):
    """
    A grid of map tiles at one level.

    Attributes
    ----------
    level : int
        The level's number, part of a tile's file name.
    crs : str
        The CRS that the grid lies in.
    name : str
        How the user wrote it.
    """

    @property
    def level(self) -> int:
        """The level's number."""

    @property
    def crs(self) -> str:
        """The grid's CRS."""

    @property
    def name(self) -> str:
        """The text that makes it."""

    def keys(self, x: Float64, y: Float64) -> tuple[Int64, Int64]:
        """Return column and row of the tile of each place (grid CRS)."""

    def bounds(self, col: int, row: int) -> tuple[float, float, float, float]:
        """Return a tile's extent in the grid CRS: min x, min y, max x, max y."""


GRIDS: Registry[Callable[[str, str], Grid | None]] = Registry("grid", room="citygen.tiling", group="citygen.grids")
"""Name to a maker ``make(spec, working_crs)`` that returns a grid, or None when the text is not of its kind."""
