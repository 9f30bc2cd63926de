"""Footprints over a hole of the DEM to the nearest cell with a value, and how far it is."""

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.geom.nearest import nearest
from citygen.ground.layers import Layer, from_pixels, to_pixels
from citygen.ground.windows import BATCH_PX, batches, read_window, strips

REACH_M = 500.0
"""m. A value from farther away says nothing about the ground here."""

_REACHES_M = (50.0, REACH_M)
"""m. A small hole is settled with a small window."""


def nearest_ground(layers: tuple[Layer, ...], bounds: Float64, crs: str) -> tuple[Float64, Float64]:
    """
    Find the nearest valid cell of any layer, within 500 m of the middle of each footprint's bounds.

    Parameters
    ----------
    layers : tuple of Layer
        In order of precedence: the earlier wins at equal distance.
    bounds : (k, 4) float64
        min x, min y, max x, max y in ``crs``; a row with NaN finds nothing.
    crs : str
        Working CRS, metres.

    Returns
    -------
    distance : (k,) float64
        m, measured in ``crs``; inf where there is none.
    height : (k,) float64
        m; NaN where there is none.
    """
    distance = np.full(len(bounds), np.inf)
    height = np.full(len(bounds), np.nan)
    middles = 0.5 * (bounds[:, :2] + bounds[:, 2:])
    for reach in _REACHES_M:
        left = np.flatnonzero(np.isinf(distance) & np.all(np.isfinite(middles), axis=1))
        for layer in layers if len(left) else ():
            d, z = _nearest_in(layer, middles[left], crs, reach)
            closer = d < distance[left]
            distance[left[closer]], height[left[closer]] = d[closer], z[closer]
    return distance, height


def _nearest_in(layer: Layer, middles: Float64, crs: str, reach: float) -> tuple[Float64, Float64]:
    """Search one layer."""
    distance = np.full(len(middles), np.inf)
    height = np.full(len(middles), np.nan)
    positions = to_pixels(layer, middles, crs)
    metrics = _metrics(layer, positions, crs)
    boxes, rows = _boxes(layer, positions, reach / np.maximum(metrics[:, 4], 1e-9))
    span = int(np.max(boxes[:, 2:] - boxes[:, :2], initial=BATCH_PX))
    for members, box in batches(boxes, reach=span):
        some = rows[members]
        for strip, _, _ in strips(box):
            corner = np.array([strip[1], strip[0]], dtype=np.int64)
            d, z = nearest(read_window(layer, strip), corner, positions[some], metrics[some], reach)
            closer = d < distance[some]
            distance[some[closer]], height[some[closer]] = d[closer], z[closer]
    return distance, height


def _metrics(layer: Layer, positions: Float64, crs: str) -> Float64:
    """Return metres a pixel at each position, as ``geom.nearest.nearest`` takes them; (k, 6) float64."""
    finite = np.all(np.isfinite(positions), axis=1)
    safe = np.where(finite[:, None], positions, 0.0)
    here = from_pixels(layer, safe, crs)
    with np.errstate(invalid="ignore"):  # inf where the projection has no answer
        column = from_pixels(layer, safe + np.array([1.0, 0.0]), crs) - here
        row = from_pixels(layer, safe + np.array([0.0, 1.0]), crs) - here
        a, b, c, d = column[:, 0], row[:, 0], column[:, 1], row[:, 1]
        half_sum, half_difference = 0.5 * np.hypot(a + d, c - b), 0.5 * np.hypot(a - d, b + c)
        most, least = half_sum + half_difference, np.abs(half_sum - half_difference)
    out = np.column_stack([a, b, c, d, least, most])
    out[~np.all(np.isfinite(out), axis=1) | ~finite] = np.nan
    return out


def _boxes(layer: Layer, positions: Float64, reach_px: Float64) -> tuple[Int64, Int64]:
    """Return the cells of the layer within reach of each position, and of which positions they are."""
    extent = np.array(layer.extent(), dtype=np.float64)
    low = np.maximum(np.floor(positions - reach_px[:, None]), extent[:2])
    high = np.minimum(np.ceil(positions + reach_px[:, None]) + 1.0, extent[2:])
    rows = np.flatnonzero(np.all(low < high, axis=1))
    return np.column_stack([low[rows], high[rows]]).astype(np.int64), rows
