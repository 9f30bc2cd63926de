"""A square grid in the working CRS: ``metric:500`` is tiles of 500 m, counted from the CRS's own origin."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.errors import ConfigError
from citygen.tiling.base import GRIDS, Grid


@dataclass(frozen=True, slots=True)
class MetricGrid:
    """
    Square tiles of one size.

    Attributes
    ----------
    size_m : float
        Edge of a tile, metres of the working CRS.
    crs : str
        The working CRS.
    level : int
        Always 0.
    """

    size_m: float
    crs: str
    level: int = 0

    @property
    def name(self) -> str:
        """The text that makes this grid."""
        return f"metric:{self.size_m:g}"

    def keys(self, x: Float64, y: Float64) -> tuple[Int64, Int64]:
        """
        Return column and row of each place; row numbers grow to the north.

        Examples
        --------
        >>> MetricGrid(500, "EPSG:32631").keys(np.array([499.0, 500.0]), np.array([-1.0, 0.0]))
        (array([0, 1]), array([-1,  0]))
        """
        return np.floor(x / self.size_m).astype(np.int64), np.floor(y / self.size_m).astype(np.int64)

    def bounds(self, col: int, row: int) -> tuple[float, float, float, float]:
        """Return a tile's extent in the working CRS."""
        return col * self.size_m, row * self.size_m, (col + 1) * self.size_m, (row + 1) * self.size_m


def make(spec: str, crs: str) -> Grid | None:
    """
    Make a metric grid of ``metric:SIZE``.

    Raises
    ------
    ConfigError
        When SIZE is not a number of metres from 10 to 100,000.
    """
    word, _, size = spec.partition(":")
    if word != "metric":
        return None
    try:
        size_m = float(size or "500")
    except ValueError:
        size_m = float("nan")
    if not 10 <= size_m <= 100_000:
        raise ConfigError(f"--grid {spec}: the size must be 10 to 100000 metres, for example metric:500")
    return MetricGrid(size_m, crs)


GRIDS.register("metric", make)
