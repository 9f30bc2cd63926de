"""Extents to whether anything may lie near them: a raster of marked cells and its prefix sums, the same time for any number."""

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.tolerances import LINE_SNAP_M

_SIDE = 2048
"""Cells along each side of the extent of what is marked."""


class Nearby:
    """
    Where something lies, coarsely.

    Parameters
    ----------
    boxes : (k, 4) float64
        Extents of what lies there; k >= 1, rows with NaN lie nowhere.
    """

    def __init__(self, boxes: Float64) -> None:
        boxes = boxes[np.isfinite(boxes).all(axis=1)]
        self.empty = len(boxes) == 0
        if self.empty:
            return
        self.low = boxes[:, :2].min(axis=0) - LINE_SNAP_M
        self.step = np.maximum((boxes[:, 2:].max(axis=0) + LINE_SNAP_M - self.low) / _SIDE, 1e-6)
        first, last = self._cells(boxes[:, :2]), self._cells(boxes[:, 2:])
        marks = np.zeros((_SIDE + 1, _SIDE + 1), dtype=np.int32)
        for i, j, sign in ((0, 0, 1), (0, 1, -1), (1, 0, -1), (1, 1, 1)):
            at = np.where(i, last[:, 0] + 1, first[:, 0]), np.where(j, last[:, 1] + 1, first[:, 1])
            np.add.at(marks, at, sign)
        marked = marks.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)[:-1, :-1] > 0
        self.sums = np.zeros((_SIDE + 1, _SIDE + 1), dtype=np.int32)
        self.sums[1:, 1:] = marked.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)

    def maybe(self, box: Float64) -> Bool:
        """
        Say which extents something may meet.

        Parameters
        ----------
        box : (n, 4) float64
            xmin, ymin, xmax, ymax; finite.

        Returns
        -------
        (n,) bool
            False only where nothing does.

        Examples
        --------
        >>> near = Nearby(np.array([[0.0, 0.0, 1.0, 1.0], [900.0, 900.0, 901.0, 901.0]]))
        >>> near.maybe(np.array([[0.5, 0.5, 2.0, 2.0], [400.0, 400.0, 500.0, 500.0]])).tolist()
        [True, False]
        """
        if self.empty:
            return np.zeros(len(box), dtype=bool)
        high = self.low + self.step * _SIDE
        meets = ((box[:, :2] <= high) & (box[:, 2:] >= self.low)).all(axis=1)
        first, last = self._cells(box[:, :2]), self._cells(box[:, 2:]) + 1
        s = self.sums
        count = (
            s[last[:, 0], last[:, 1]]
            - s[first[:, 0], last[:, 1]]
            - s[last[:, 0], first[:, 1]]
            + s[first[:, 0], first[:, 1]]
        )
        return np.asarray(meets & (count > 0), dtype=bool)

    def _cells(self, xy: Float64) -> Int64:
        """Return the cells of places, those beyond moved to the edge."""
        cells: Int64 = np.clip((xy - self.low) / self.step, 0, _SIDE - 1).astype(np.int64)
        return cells
