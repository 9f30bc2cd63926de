"""Points to the height of the ground at each: bilinear between cell centres, the first layer with a value wins."""

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.geom.raster import heights
from citygen.ground.dem import Dem
from citygen.ground.layers import Layer, layers_of, to_pixels
from citygen.ground.windows import batches, read_window


def heights_at(dem: Dem, xy: Float64, crs: str) -> Float64:
    """
    Interpolate the ground at points.

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it.
    xy : (n, 2) float64
        Points, x (east) first.
    crs : str
        Their CRS.

    Returns
    -------
    (n,) float64
        m, in the DEM's vertical datum; NaN where no raster has a value within one cell. Each number depends on its own
        point alone.

    Raises
    ------
    InputError
        When a file is damaged or gone.
    """
    return sample(layers_of(dem), xy, crs)


def sample(layers: tuple[Layer, ...], xy: Float64, crs: str) -> Float64:
    """Do what ``heights_at`` does, on layers."""
    out = np.full(len(xy), np.nan)
    left = np.arange(len(xy))
    for layer in layers:
        if len(left) == 0:
            break
        positions = to_pixels(layer, xy[left], crs)
        extent = layer.extent()
        near = np.all((positions > np.subtract(extent[:2], 1)) & (positions < extent[2:]), axis=1)
        rows = np.flatnonzero(near)
        for members, box in batches(_cells_around(positions[rows])):
            some = rows[members]
            corner = np.array([box[1], box[0]], dtype=np.int64)
            out[left[some]] = heights(read_window(layer, box), corner, positions[some])
        left = np.flatnonzero(np.isnan(out))
    return out


def _cells_around(positions: Float64) -> Int64:
    """Return the boxes of the four cells around each position; (n, 4) int64."""
    low = np.floor(positions).astype(np.int64)
    return np.column_stack([low, low + 2])
