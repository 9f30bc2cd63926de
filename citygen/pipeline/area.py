"""An area of interest to the rows that touch it: most are told by a coarse mask of cells that lie wholly inside."""

from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Float64

_CELLS = 128
"""Cells along each side of the area's extent."""


class Area:
    """
    An area of interest in the working CRS.

    Parameters
    ----------
    geometry : shapely geometry
        Polygonal.
    """

    def __init__(self, geometry: Any) -> None:
        shapely.prepare(geometry)
        self.geometry = geometry
        west, south, east, north = geometry.bounds
        self.low = np.array([west, south])
        self.step = np.maximum(np.array([east - west, north - south]) / _CELLS, 1e-9)
        x, y = west + self.step[0] * np.arange(_CELLS), south + self.step[1] * np.arange(_CELLS)
        cells = shapely.box(x[:, None], y[None, :], x[:, None] + self.step[0], y[None, :] + self.step[1])
        self.full: Bool = shapely.contains_properly(geometry, cells)

    def touched(self, wkb: pa.Array, box: Float64) -> Bool:
        """
        Say which rows touch the area; an invalid one that the test cannot judge counts by its extent.

        Parameters
        ----------
        wkb : pyarrow.Array of binary
            (n,) geometries.
        box : (n, 4) float64
            Their extents, NaN where there is none.

        Returns
        -------
        (n,) bool
        """
        west, south, east, north = self.geometry.bounds
        near = (box[:, 0] <= east) & (box[:, 2] >= west) & (box[:, 1] <= north) & (box[:, 3] >= south)
        index = np.flatnonzero(near & ~self._surely(box))
        if len(index):
            geometry = shapely.from_wkb(wkb.take(pa.array(index)).to_numpy(zero_copy_only=False))
            valid = shapely.is_valid(geometry)
            near[index[valid]] = shapely.intersects(self.geometry, geometry[valid])
            rest = index[~valid]
            near[rest] = shapely.intersects(self.geometry, shapely.box(*box[rest].T))
        return np.asarray(near, dtype=bool)

    def near(self, box: Float64, reach_m: float) -> Bool:
        """
        Say which extents come within reach of the area.

        Parameters
        ----------
        box : (n, 4) float64
            NaN where there is none.
        reach_m : float
            Metres.

        Returns
        -------
        (n,) bool
        """
        west, south, east, north = self.geometry.bounds
        near = (box[:, 0] <= east + reach_m) & (box[:, 2] >= west - reach_m)
        near &= (box[:, 1] <= north + reach_m) & (box[:, 3] >= south - reach_m)
        index = np.flatnonzero(near & ~self._surely(box))
        near[index] = shapely.dwithin(self.geometry, shapely.box(*box[index].T), reach_m)
        return np.asarray(near, dtype=bool)

    def _surely(self, box: Float64) -> Bool:
        """Say which extents lie on cells inside the area: those over at most two cells each way, whose corners tell all."""
        with np.errstate(invalid="ignore"):
            first = np.floor((box[:, :2] - self.low) / self.step)
            last = np.floor((box[:, 2:] - self.low) / self.step)
            small = ((first >= 0) & (last < _CELLS) & (last - first <= 1)).all(axis=1)
        i0, j0 = np.where(small[:, None], first, 0).astype(np.int64).T
        i1, j1 = np.where(small[:, None], last, 0).astype(np.int64).T
        full = self.full
        return np.asarray(small & full[i0, j0] & full[i1, j0] & full[i0, j1] & full[i1, j1], dtype=bool)
