"""A layer of a DEM and a box to every n-th of its cells: read in strips, thinned out before anything else is done to them."""

import numpy as np

from citygen.arraytypes import AnyArray, Bool, Float64
from citygen.ground.dem import DemRaster
from citygen.ground.layers import Layer
from citygen.ground.rasterfile import opened
from citygen.ground.windows import MAX_CELLS, Box, _metres


def read_nodes(layer: Layer, box: Box, stride: int) -> Float64:
    """
    Read every ``stride``-th cell of a box, from its first one on; memory is that of a strip.

    Parameters
    ----------
    layer : Layer
        What to read.
    box : tuple of 4 int
        First column, first row, end column, end row (exclusive); it may reach beyond the layer.
    stride : int
        Cells between those that are read.

    Returns
    -------
    (rows, columns) float64
        m; NaN where void or outside. An earlier raster wins where it has data.

    Raises
    ------
    InputError
        When a file is damaged or gone.
    """
    rows, cols = np.arange(box[1], box[3], stride), np.arange(box[0], box[2], stride)
    cells = np.full((len(rows), len(cols)), np.nan)
    for raster, (col, row) in zip(layer.rasters, layer.origins, strict=True):
        r0, r1 = np.searchsorted(rows, [row, row + raster.height])
        c0, c1 = np.searchsorted(cols, [col, col + raster.width])
        if r0 >= r1 or c0 >= c1 or not np.isnan(cells[r0:r1, c0:c1]).any():
            continue
        heights = _thinned(raster, rows[r0:r1] - row, cols[c0:c1] - col)
        target = cells[r0:r1, c0:c1]
        np.copyto(target, heights, where=np.isnan(target))
    return cells


def _thinned(raster: DemRaster, rows: AnyArray, cols: AnyArray) -> Float64:
    """Read evenly spaced rows and columns of one raster."""
    from rasterio.windows import Window

    stride = int(rows[1] - rows[0]) if len(rows) > 1 else 1
    across = int(cols[1] - cols[0]) if len(cols) > 1 else 1
    width = int(cols[-1] - cols[0]) + 1
    step = max(1, MAX_CELLS // (width * stride))
    raw: list[AnyArray] = []
    void: list[Bool] = []
    with opened(raster.path, raster.driver) as dataset:
        for k in range(0, len(rows), step):
            some = rows[k : k + step]
            window = Window(int(cols[0]), int(some[0]), width, int(some[-1] - some[0]) + 1)
            raw.append(dataset.read(1, window=window)[::stride, ::across])
            if raster.masked:
                void.append(dataset.read_masks(1, window=window)[::stride, ::across] == 0)
    return _metres(raster, np.concatenate(raw), np.concatenate(void) if void else None)
