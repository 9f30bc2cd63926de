"""A layer of a DEM and the boxes of cells that somebody needs to windows of heights in metres, each read once."""

from collections.abc import Iterator

import numpy as np

from citygen.arraytypes import AnyArray, Bool, Float64, Int64
from citygen.ground.dem import DemRaster
from citygen.ground.layers import Layer
from citygen.ground.rasterfile import opened

Box = tuple[int, int, int, int]
"""First column, first row, end column, end row (exclusive)."""

LOWEST_M, HIGHEST_M = -500.0, 9000.0
"""m. No land lies outside (Dead Sea shore -430, Everest 8849): such a value is a void without a tag."""

SENTINELS = (-9999.0, -32768.0, -32767.0, 32767.0, 65535.0, -99999.0)
"""Raw values that mean void whatever the scale and unit make of them."""

MAX_CELLS = 1 << 22
"""Cells read at once: 32 MB as float64."""

BATCH_PX = 1000
"""Cells. Places this near each other are read in one window; twice this squared must stay below ``MAX_CELLS``."""

NO_ROW = (-(1 << 60), 1 << 60)
"""Rows before the first and after the last of any raster."""


def read_window(layer: Layer, box: Box) -> Float64:
    """
    Read the cells of a box from every raster that has some.

    Parameters
    ----------
    layer : Layer
        What to read.
    box : tuple of 4 int
        First column, first row, end column, end row (exclusive); it may reach beyond the layer.

    Returns
    -------
    (rows, columns) float64
        m; NaN where void or outside. An earlier raster wins where it has data.

    Raises
    ------
    InputError
        When a file is damaged or gone.
    """
    cells = np.full((box[3] - box[1], box[2] - box[0]), np.nan)
    for raster, (col, row) in zip(layer.rasters, layer.origins, strict=True):
        c0, r0 = max(box[0], col), max(box[1], row)
        c1, r1 = min(box[2], col + raster.width), min(box[3], row + raster.height)
        if c0 >= c1 or r0 >= r1:
            continue
        target = cells[r0 - box[1] : r1 - box[1], c0 - box[0] : c1 - box[0]]
        if not np.isnan(target).any():
            continue
        heights = read_cells(raster, (c0 - col, r0 - row, c1 - col, r1 - row))
        np.copyto(target, heights, where=np.isnan(target))
    return cells


def read_cells(raster: DemRaster, box: Box) -> Float64:
    """Return the heights of a box of one raster's own cells, all of them in it, in metres, NaN where void."""
    from rasterio.windows import Window

    window = Window(box[0], box[1], box[2] - box[0], box[3] - box[1])
    mask = None
    with opened(raster.path, raster.driver, raster.overview) as dataset:
        raw = dataset.read(1, window=window)
        if raster.masked:
            mask = dataset.read_masks(1, window=window) == 0
    return _metres(raster, raw, mask)


def _metres(raster: DemRaster, raw: AnyArray, mask: Bool | None) -> Float64:
    """Turn raw values into metres, voids of every kind into NaN."""
    heights: Float64 = raw.astype(np.float64)
    void = np.zeros(raw.shape, dtype=bool) if mask is None else mask
    if raster.nodata is not None and not np.isnan(raster.nodata):
        with np.errstate(over="ignore"):
            nodata = np.float64(np.float32(raster.nodata)) if raw.dtype == np.float32 else raster.nodata
        void |= heights == nodata
    if raster.scale != 1.0 or raster.offset != 0.0:
        for value in SENTINELS:
            void |= heights == value
        heights *= raster.scale
        heights += raster.offset
    void |= ~((heights >= LOWEST_M) & (heights <= HIGHEST_M))
    heights[void] = np.nan
    return heights


def batches(boxes: Int64, *, reach: int = BATCH_PX) -> Iterator[tuple[Int64, Box]]:
    """
    Gather boxes into windows worth reading.

    Parameters
    ----------
    boxes : (k, 4) int64
        First column, first row, end column, end row (exclusive).
    reach : int
        Cells. Boxes whose centres lie in one square of this side share a window; larger boxes have their own.

    Yields
    ------
    members : (m,) int64
        Which boxes; each occurs once in all.
    window : tuple of 4 int
        Their common box. Of at most ``MAX_CELLS``, or of one large box.
    """
    if len(boxes) == 0:
        return
    whole = _union(boxes)
    needed = int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum())
    if (whole[2] - whole[0]) * (whole[3] - whole[1]) <= min(MAX_CELLS, 64 * needed):
        yield np.arange(len(boxes), dtype=np.int64), whole
        return
    large = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) > reach
    for k in np.flatnonzero(large).tolist():
        yield np.array([k], dtype=np.int64), _union(boxes[k : k + 1])
    small = np.flatnonzero(~large)
    squares = (boxes[small, :2] + boxes[small, 2:]) // (2 * reach)
    order = np.lexsort((squares[:, 0], squares[:, 1]))
    squares = squares[order]
    starts = np.flatnonzero(np.r_[True, np.any(squares[1:] != squares[:-1], axis=1)]) if len(order) else order
    for members in np.split(small[order], starts[1:]) if len(order) else ():
        yield members.astype(np.int64), _union(boxes[members])


def strips(box: Box, *, finer: int = 1) -> Iterator[tuple[Box, int, int]]:
    """
    Cut a box into strips of rows of at most ``MAX_CELLS`` cells; most boxes are one.

    Parameters
    ----------
    box : tuple of 4 int
        First column, first row, end column, end row (exclusive).
    finer : int
        Steps into which each cell will be cut: strips are smaller for it.

    Yields
    ------
    strip : tuple of 4 int
        Shares its last row with the next.
    row_from, row_to : int
        Patches and rows that it answers for (``geom.raster.drape``); without end at the first and the last strip.
    """
    rows, columns = box[3] - box[1], box[2] - box[0]
    most = MAX_CELLS // (finer * finer)
    step = rows if rows * columns <= most else max(1, most // columns - 1)
    for row in range(box[1], box[3], step):
        end = min(row + step, box[3])
        strip = (box[0], row, box[2], min(end + 1, box[3]))
        yield strip, NO_ROW[0] if row == box[1] else row, NO_ROW[1] if end == box[3] else end


def _union(boxes: Int64) -> Box:
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
