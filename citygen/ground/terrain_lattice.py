"""
A DEM and a terrain tile to the lattice of heights that its surface is held against.

The lattice is that of the DEM's finest layer, so kinks between its cells are kinks of the lattice. Where cells are warped
by more than the tolerance allows they are divided; coarse levels, and DEMs with more cells than a tile can use, take every
n-th node. A cell of the DEM with a void corner is a void of the terrain.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Objects
from citygen.ground.dem import Dem
from citygen.ground.layers import Layer, from_pixels, layers_of, to_pixels
from citygen.ground.points import sample
from citygen.ground.terrain_plan import DEGREE_M, Block, PlanFrame, snap
from citygen.ground.windows import MAX_CELLS, read_window

LEAF_NODES, COARSE_NODES = 1 << 20, 1 << 14
"""Nodes of a lattice at most: of a leaf's (a 10 cm DEM under a tile of 500 m is read every 50 cm), and of a coarser tile's."""
MOST_PARTS = 8
"""Parts of a cell's side at most: of a 90 m cell, 11 m."""
_MARGIN = 2


@dataclass(frozen=True, slots=True)
class Lattice:
    """
    Heights around a tile.

    Attributes
    ----------
    cells : (rows, cols) float64
        m in the DEM's datum, NaN where void.
    ahead, back : (2, 3) float64
        Affine maps from plan coordinates relative to the block's origin to column and row, and the other way.
    void : Objects
        Polygons, relative to the block's origin, that the DEM has no heights for; mostly none.
    stride : int
        DEM cells between nodes.
    """

    cells: Float64
    ahead: Float64
    back: Float64
    void: Objects
    stride: int


def finest(dem: Dem) -> Layer:
    """Return the layer whose cells are smallest; the first of several."""
    import pyproj

    def size(layer: Layer) -> float:
        unit = DEGREE_M if pyproj.CRS.from_user_input(layer.crs).is_geographic else 1.0
        return min(layer.rasters[0].resolution) * unit

    return min(layers_of(dem), key=size)


def heights(dem: Dem, frame: PlanFrame, xy: Float64) -> Float64:
    """Return the DEM's surface at plan coordinates; (n,) float64, NaN where void."""
    return sample(layers_of(dem), frame.to_crs(xy), frame.crs)


def lattice(dem: Dem, frame: PlanFrame, tile: Block, tolerance: float) -> Lattice | None:
    """
    Read the lattice of a tile.

    Parameters
    ----------
    dem : Dem
    frame : PlanFrame
    tile : Block
    tolerance : float
        m. Of the surface that will be made.

    Returns
    -------
    Lattice or None
        None where the DEM has nothing, or the projection to it no answer.
    """
    layer = finest(dem)
    corners = tile.box[[[0, 1], [2, 1], [2, 3], [0, 3]]]
    px = to_pixels(layer, frame.to_crs(corners), frame.crs)
    if not np.all(np.isfinite(px)):
        return None
    span = px.max(axis=0) - px.min(axis=0)
    most = LEAF_NODES if tile.level == 0 else COARSE_NODES
    stride = 1
    while (span[0] / stride + 2 * _MARGIN) * (span[1] / stride + 2 * _MARGIN) > most and min(span) > 2 * stride:
        stride *= 2
    low = np.floor(px.min(axis=0) / stride).astype(np.int64) - _MARGIN
    high = np.ceil(px.max(axis=0) / stride).astype(np.int64) + _MARGIN + 1
    cells = _cells(dem, layer, (low, high), stride)
    gone = np.isnan(cells)
    if gone.all():
        return None
    void = _void(gone, layer, (low, stride), frame) if gone.any() else np.empty(0, dtype=object)
    parts = 1 if stride > 1 else _parts(cells, tolerance)
    ahead = _ahead(layer, frame, tile, (low, stride / parts))
    local = shapely.transform(void, lambda xy: xy - tile.origin)
    return Lattice(_divided(cells, parts), ahead, _inverse(ahead), local, stride)


def _cells(dem: Dem, layer: Layer, window: tuple[Float64, Float64], stride: int) -> Float64:
    """Return the heights at every ``stride``-th node of a window."""
    low, high = window
    layers = layers_of(dem)
    size = (high - low) * stride
    if len(layers) == 1 and size[0] * size[1] <= MAX_CELLS:
        c0, r0 = (int(v) * stride for v in low)
        box = (c0, r0, int(high[0] - 1) * stride + 1, int(high[1] - 1) * stride + 1)
        return np.ascontiguousarray(read_window(layer, box)[::stride, ::stride])
    col, row = (np.arange(int(low[k]), int(high[k])) * stride for k in (0, 1))
    nodes = np.stack(np.meshgrid(col, row), axis=-1).reshape(-1, 2).astype(np.float64)
    return sample(layers, from_pixels(layer, nodes, layer.crs), layer.crs).reshape(len(row), len(col))


def _void(gone: Bool, layer: Layer, where: tuple[Float64, int], frame: PlanFrame) -> Objects:
    """Return the cells with a void corner, joined; in plan coordinates, every node on their outlines kept."""
    low, stride = where
    bad = gone[:-1, :-1] | gone[:-1, 1:] | gone[1:, :-1] | gone[1:, 1:]
    rows, cols = gone.shape
    col, row = (np.arange(n) + int(low[k]) for k, n in ((0, cols), (1, rows)))
    nodes = np.stack(np.meshgrid(col, row), axis=-1).reshape(-1, 2).astype(np.float64) * stride
    xy = frame.to_plan(from_pixels(layer, nodes, frame.crs)).reshape(rows, cols, 2)
    runs = []
    for r in np.flatnonzero(bad.any(axis=1)).tolist():
        edges = np.flatnonzero(np.diff(np.r_[False, bad[r], False]))
        runs += [
            shapely.Polygon(np.concatenate([xy[r, a : b + 1], xy[r + 1, a : b + 1][::-1]]))
            for a, b in edges.reshape(-1, 2).tolist()
        ]
    return shapely.get_parts(shapely.coverage_union_all(np.array(runs, dtype=object)))


def _parts(cells: Float64, tolerance: float) -> int:
    """Return into how many parts the sides of cells are cut, so that none is warped by more than a quarter of the tolerance."""
    twist = np.abs(cells[:-1, :-1] - cells[:-1, 1:] - cells[1:, :-1] + cells[1:, 1:]) / 4
    worst = float(np.nanmax(twist, initial=0.0))
    parts = 1
    while parts < MOST_PARTS and worst > 0.25 * tolerance * parts**2 and cells.size * (2 * parts) ** 2 <= LEAF_NODES:
        parts *= 2
    return parts


def _divided(cells: Float64, parts: int) -> Float64:
    """Divide cells: bilinear in between."""
    if parts == 1:
        return cells
    for axis in (0, 1):
        n = cells.shape[axis]
        at = np.arange((n - 1) * parts + 1)
        k = np.minimum(at // parts, n - 2)
        share = (at / parts - k).reshape((-1, 1) if axis == 0 else (1, -1))
        low, high = np.take(cells, k, axis=axis), np.take(cells, k + 1, axis=axis)
        cells = np.where(share == 0, low, np.where(share == 1, high, low + share * (high - low)))
    return np.ascontiguousarray(cells)


def _ahead(layer: Layer, frame: PlanFrame, tile: Block, where: tuple[Float64, float]) -> Float64:
    """Return the affine map from plan coordinates around the block's origin to columns and rows of the lattice."""
    low, step = where
    reach = (tile.box[2:] - tile.box[:2]) / 2
    places = tile.origin + np.array([[0.0, 0.0], [reach[0], 0], [-reach[0], 0], [0, reach[1]], [0, -reach[1]]])
    px = to_pixels(layer, frame.to_crs(snap(places)), frame.crs) / step
    along_x, along_y = (px[1] - px[2]) / (2 * reach[0]), (px[3] - px[4]) / (2 * reach[1])
    middle = px.mean(axis=0) - low * (1.0 if step >= 1 else 1 / step)
    return np.column_stack([along_x, along_y, middle])


def _inverse(ahead: Float64) -> Float64:
    (a, b, c), (d, e, f) = ahead
    det = a * e - b * d
    out: Float64 = np.array([[e, -b, b * f - c * e], [-d, a, c * d - a * f]]) / det
    return out
