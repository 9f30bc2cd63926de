"""A town's vertices in, a smooth field out that tells how far outside the town a point of the ground lies."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64

CELLS = 64  # along a side; the field is smooth, so it may be coarse
REACH = 0.5  # the field ends this share of the town's diagonal outside its box


@dataclass(frozen=True, slots=True)
class Vignette:
    """
    Distance to the nearest part of the town on a lattice, as a share of the town's diagonal.

    Attributes
    ----------
    low : (2,) float64
        Corner of the lattice, metres.
    cell : float
        Its spacing, metres.
    away : (CELLS, CELLS) float64
        Rows go north.
    """

    low: Float64
    cell: float
    away: Float64

    def at(self, xy: Float64) -> Float64:
        """Return (n,) float64: the field at (n, 2) points, bilinear; outside the lattice that of its border."""
        place = np.clip((xy - self.low) / self.cell, 0.0, CELLS - 1.000001)
        first = place.astype(np.int64)
        (x, y), (i, j) = (place - first).T, first.T
        lower = self.away[j, i] * (1.0 - x) + self.away[j, i + 1] * x
        upper = self.away[j + 1, i] * (1.0 - x) + self.away[j + 1, i + 1] * x
        mixed: Float64 = lower * (1.0 - y) + upper * y
        return mixed


def vignette(town: Float64, box: Float64) -> Vignette:
    """
    Measure the surroundings of a town.

    Parameters
    ----------
    town : (n, 3) float64
        Its vertices; may be empty.
    box : (4,) float64
        Its min x, min y, max x, max y.

    Returns
    -------
    Vignette
        Zero inside the town (gaps up to a few cells count as inside).
    """
    centre, diagonal = 0.5 * (box[:2] + box[2:]), max(float(np.hypot(*(box[2:] - box[:2]))), 20.0)
    half = 0.5 * float((box[2:] - box[:2]).max()) + REACH * diagonal
    low, cell = centre - half, 2.0 * half / (CELLS - 1)
    taken = np.unique(np.round((town[:, :2] - low) / cell).astype(np.int64), axis=0)
    if not len(taken):
        taken = np.array([[CELLS // 2, CELLS // 2]])
    row, column = np.divmod(np.arange(CELLS * CELLS), CELLS)
    squared = np.full(CELLS * CELLS, np.inf)
    for start in range(0, len(taken), 256):
        some = taken[start : start + 256]
        reached = (column[:, None] - some[:, 0]) ** 2 + (row[:, None] - some[:, 1]) ** 2
        squared = np.minimum(squared, reached.min(axis=1))
    away = np.sqrt(squared).reshape(CELLS, CELLS)
    for _ in range(3):
        padded = np.pad(away, 1, mode="edge")
        away = (
            sum(padded[1 + dy : CELLS + 1 + dy, 1 + dx : CELLS + 1 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1))
            / 9.0
        )
    return Vignette(low, cell, np.maximum(away - 1.0, 0.0) * cell / diagonal)
