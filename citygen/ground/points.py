"""Points to the height of the ground at each: the first layer with a value wins; and windows of the surface between cells."""

import math

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.raster import heights
from citygen.geom.resample import depth, feather, fill_voids, heights_cubic, to_cells
from citygen.ground.dem import Dem
from citygen.ground.layers import Layer, from_pixels, layers_of, project
from citygen.ground.windows import MAX_CELLS, Box, batches, read_cells, read_window


def heights_at(dem: Dem, xy: Float64, crs: str) -> Float64:
    """
    Interpolate the ground at points.

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it; its ``reading`` says how.
    xy : (n, 2) float64
        Points, x (east) first.
    crs : str
        Their CRS.

    Returns
    -------
    (n,) float64
        m, in the DEM's vertical datum; NaN where no raster has a value within one cell, or within ``fill_m`` where voids
        are filled. Each number depends on its own point alone.

    Raises
    ------
    InputError
        When a file is damaged or gone.
    """
    return sample(layers_of(dem), xy, crs)


def sample(layers: tuple[Layer, ...], xy: Float64, crs: str, *, filled: bool = True) -> Float64:
    """Do what ``heights_at`` does, on layers; voids are filled only where no layer has a value, and only if ``filled``."""
    out = np.full(len(xy), np.nan)
    left: Int64 | None = None  # all of them
    fills = (False, True) if filled and layers and layers[0].reading.fill_m > 0.0 else (False,)
    for fill in fills:
        for layer in layers:
            if left is None:
                out = _in_layer(layer, xy, crs, fill)
                left = np.flatnonzero(np.isnan(out))
                continue
            if len(left) == 0:
                return out
            out[left] = _in_layer(layer, xy[left], crs, fill)
            left = left[np.isnan(out[left])]
    return out


def _in_layer(layer: Layer, xy: Float64, crs: str, fill: bool) -> Float64:
    """Interpolate in one layer; NaN where it has no value."""
    more = cells_beyond(layer)
    affine, turn = layer.affine()
    reach = max(_reach(layer, layer.reading.fill_m)) if fill else 0
    extent = np.array(layer.extent(), dtype=np.int64) + np.array([-1 - reach, -1 - reach, reach, reach])
    places = np.ascontiguousarray(project(xy, crs, layer.crs))
    positions, box = to_cells(places, affine, extent, turn)
    first, end, near = box[:2] - more, box[2:4] + more, int(box[4])
    if near == 0:
        return np.full(len(xy), np.nan)
    if int(np.prod(end - first)) <= min(MAX_CELLS, 64 * near * (2 + 2 * more) ** 2):
        return _sampled(layer, (first[0], first[1], end[0], end[1]), positions, fill)
    out = np.full(len(xy), np.nan)
    rows = np.flatnonzero(np.isfinite(positions[:, 0]))
    for members, around in batches(_cells_around(positions[rows], more)):
        out[rows[members]] = _sampled(layer, around, positions[rows[members]], fill)
    return out


def _sampled(layer: Layer, box: Box, positions: Float64, fill: bool) -> Float64:
    """Read a box of cells and interpolate in it."""
    return between(layer, window(layer, box, filled=fill), box, positions)


def between(layer: Layer, cells: Float64, box: Box, positions: Float64) -> Float64:
    """
    Interpolate in the cells of a box, in the way in which the layer is to be sampled.

    Parameters
    ----------
    layer : Layer
        Its ``reading`` says how.
    cells : (rows, columns) float64
        As ``window`` gives them; ``cells_beyond`` more on each side than the four around each place.
    box : tuple of 4 int
        Their box.
    positions : (n, 2) float64
        Pixel coordinates of the layer.

    Returns
    -------
    (n,) float64
        m; NaN where void or outside.
    """
    corner = np.array([box[1], box[0]], dtype=np.int64)
    z: Float64 = (heights_cubic if cells_beyond(layer) else heights)(cells, corner, positions)
    return z


def cells_beyond(layer: Layer) -> int:
    """Return how many cells beyond the four around a place interpolation looks at."""
    return 1 if layer.reading.sampling == "cubic" else 0


def _cells_around(positions: Float64, more: int) -> Int64:
    """Return the boxes of the four cells around each position, and ``more`` cells around those; (n, 4) int64."""
    low = np.floor(positions).astype(np.int64)
    return np.column_stack([low - more, low + 2 + more])


def window(layer: Layer, box: Box, *, filled: bool = False) -> Float64:
    """
    Read the cells of a box as the surface has them: feathered into what lies below, and filled where asked for.

    Parameters
    ----------
    layer : Layer
        Its ``reading`` says over what distances.
    box : tuple of 4 int
        First column, first row, end column, end row (exclusive); it may reach beyond the layer.
    filled : bool
        Whether void cells take the heights of later layers, and then those of the cells around, within ``fill_m``.

    Returns
    -------
    (rows, columns) float64
        m; NaN where void or outside. A cell's value does not depend on the box.

    Raises
    ------
    InputError
        When a file is damaged or gone.
    """
    reading = layer.reading
    fill_m = reading.fill_m if filled else 0.0
    if fill_m <= 0.0 and reading.feather_m <= 0.0:
        return read_window(layer, box)
    (a, b), (c, d) = _reach(layer, fill_m), _reach(layer, reading.feather_m)
    wide = (box[0] - a - c, box[1] - b - d, box[2] + a + c, box[3] + b + d)
    cells = _feathered(layer, wide) if reading.feather_m > 0.0 else read_window(layer, wide)
    cells = cells[d : cells.shape[0] - d, c : cells.shape[1] - c]
    if fill_m > 0.0:
        void = np.isnan(cells)
        if void.any():
            if layer.later:
                cells[void] = _below(layer, (box[0] - a, box[1] - b), void)
            cells = fill_voids(cells, layer.step_m(), fill_m)
    return np.ascontiguousarray(cells[b : cells.shape[0] - b, a : cells.shape[1] - a])


def _reach(layer: Layer, distance_m: float) -> tuple[int, int]:
    """Return how many columns and rows a distance spans, rounded up."""
    if distance_m <= 0.0:
        return 0, 0
    across, down = layer.step_m().tolist()
    return math.ceil(distance_m / across) + 1, math.ceil(distance_m / down) + 1


def _feathered(layer: Layer, box: Box) -> Float64:
    """Read a box, each raster going over into those after it; right but for the reach of the feather along its edges."""
    width, step = layer.reading.feather_m, layer.step_m()
    cells = np.full((box[3] - box[1], box[2] - box[0]), np.nan)
    for raster, (col, row) in reversed(list(zip(layer.rasters, layer.origins, strict=True))):
        c0, r0 = max(box[0], col), max(box[1], row)
        c1, r1 = min(box[2], col + raster.width), min(box[3], row + raster.height)
        if c0 >= c1 or r0 >= r1:
            continue
        upper = np.full(cells.shape, np.nan)
        upper[r0 - box[1] : r1 - box[1], c0 - box[0] : c1 - box[0]] = read_cells(
            raster, (c0 - col, r0 - row, c1 - col, r1 - row)
        )
        cells = _laid(upper, cells, step, width)
    if layer.later and not np.isnan(cells).all():
        inside = depth(~np.isnan(cells), step, width)
        if (inside < width).any():
            below = _below(layer, box[:2], np.ones(cells.shape, dtype=np.bool_)).reshape(cells.shape)
            void = np.isnan(cells)
            cells = _laid(cells, below, step, width)
            cells[void] = np.nan  # what lies below is asked for by those who want it
    return cells


def _laid(upper: Float64, lower: Float64, step: Float64, width: float) -> Float64:
    """Lay one surface over another; where they do not meet, nothing is measured."""
    above, below = ~np.isnan(upper), ~np.isnan(lower)
    if not (above & below).any():
        either: Float64 = np.where(above, upper, lower)
        return either
    laid: Float64 = feather(upper, lower, (depth(above, step, width), depth(below, step, width)), width)
    return laid


def _below(layer: Layer, first: tuple[int, int], wanted: Bool) -> Float64:
    """Return the heights of the later layers at the centres of some cells of a window that begins at column, row."""
    at = np.argwhere(wanted)
    centres = np.column_stack([at[:, 1] + first[0], at[:, 0] + first[1]]).astype(np.float64)
    return sample(layer.later, from_pixels(layer, centres, layer.crs), layer.crs, filled=False)
