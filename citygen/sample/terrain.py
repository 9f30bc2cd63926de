"""
Points of the local frame to ground heights: the hill of the bundled town, and endless country for the large sample.

Smooth sums of analytic bumps, a river that cuts its valley, gentle undulation; metres above the sea, to 0.01 m where
written. Everything is a function of x and y alone, so any window of it can be made alone.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64

VALLEY_FLOOR_M = 206.0


def river_y(x: Float64) -> Float64:
    """Return the y of the bundled town's river for each x; metres, local frame."""
    return -352.0 + 34.0 * np.sin(x / 185.0 + 0.9) - 0.0002 * (x - 150.0) ** 2


def hill_height(x: Float64, y: Float64) -> Float64:
    """
    Return the ground height of the bundled town.

    Parameters
    ----------
    x, y : (...) float64
        Metres, local frame; the hill top is near (0, 0).

    Returns
    -------
    (...) float64
        Metres above the sea, about 200 to 292.

    Examples
    --------
    >>> bool(hill_height(np.array(0.0), np.array(0.0)) - hill_height(np.array(0.0), np.array(-350.0)) > 60)
    True
    """
    hill = 84.0 * _bump(x, y, (0.0, 10.0), (400.0, 300.0))
    hill += 30.0 * _bump(x, y, (-430.0, 380.0), (330.0, 260.0)) + 16.0 * _bump(x, y, (330.0, 470.0), (240.0, 200.0))
    hill += 20.0 * _bump(x, y, (120.0, -640.0), (420.0, 150.0))
    hill += 1.3 * np.sin(x / 43.0 + 0.3) * np.sin(y / 57.0 + 1.1) + 0.5 * np.sin((x + y) / 23.0)
    away = (y - river_y(x)) ** 2
    valley = away / (away + 75.0**2)
    bed = 4.5 / (1.0 + away / 11.0**2) ** 2
    height: Float64 = VALLEY_FLOOR_M - 0.004 * x + hill * valley - bed
    return height


def _bump(x: Float64, y: Float64, centre: tuple[float, float], radius: tuple[float, float]) -> Float64:
    """Return a smooth bump of height one."""
    flat: Float64 = 1.0 / (1.0 + ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2) ** 1.6
    return flat


@dataclass(frozen=True, slots=True)
class Country:
    """
    Rolling country without an end: one bump of its own in every square of a lattice, each with compact support.

    Attributes
    ----------
    seed : int
        Changes the country.
    pitch_m : float
        Lattice squares; a bump reaches one square far.
    columns, rows : int
        Squares from the lattice's origin that have a bump; outside, the ground is a plain.
    origin : tuple of float
        Lower left corner of the lattice; metres, local frame.
    """

    seed: int
    pitch_m: float
    columns: int
    rows: int
    origin: tuple[float, float] = (0.0, 0.0)

    def height(self, x: Float64, y: Float64) -> Float64:
        """Return heights, metres above the sea, of points (...) float64 in the local frame."""
        bumps = np.random.default_rng([self.seed, 7]).uniform(size=(self.rows, self.columns, 3))
        u, v = (x - self.origin[0]) / self.pitch_m, (y - self.origin[1]) / self.pitch_m
        i, j = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
        height = 120.0 + 6.0 * np.sin(x / 1900.0) * np.sin(y / 2300.0) + 0.8 * np.sin(x / 61.0) * np.sin(y / 73.0)
        for di in (-1, 0, 1):
            for dj in (-1, 0, 1):
                ii, jj = i + di, j + dj
                inside = (ii >= 0) & (jj >= 0) & (ii < self.columns) & (jj < self.rows)
                bump = bumps[np.clip(jj, 0, self.rows - 1), np.clip(ii, 0, self.columns - 1)]
                q = (u - ii - 0.25 - 0.5 * bump[..., 0]) ** 2 + (v - jj - 0.25 - 0.5 * bump[..., 1]) ** 2
                reach = np.clip(1.0 - q / 0.95, 0.0, None) ** 3
                height = height + np.where(inside, (15.0 + 65.0 * bump[..., 2]) * reach, 0.0)
        out: Float64 = height
        return out
