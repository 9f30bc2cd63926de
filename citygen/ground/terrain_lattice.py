"""
A DEM and a terrain tile to the lattice of heights that its surface is held against.

The lattice is that of the DEM's finest layer, so kinks between its cells are kinks of the lattice. Where cells are warped
by more than the tolerance allows they are divided; coarse levels, and DEMs with more cells than a tile can use, take every
n-th node. A cell of the DEM with a void corner is a void of the terrain.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.ground.layers import Layer, from_pixels, to_pixels
from citygen.ground.nodes import read_nodes
from citygen.ground.points import sample
from citygen.ground.terrain_plan import Block, PlanFrame, snap
from citygen.ground.terrain_surface import Surface

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


def lattice(surface: Surface, tile: Block, tolerance: float) -> Lattice | None:
    """
    Read the lattice of a tile.

    Parameters
    ----------
    surface : Surface
        Of the DEM, around the tile.
    tile : Block
    tolerance : float
        m. Of the surface that will be made.

    Returns
    -------
    Lattice or None
        None where the DEM has nothing, or the projection to it no answer.
    """
    frame, layer = surface.frame, surface.layers[surface.finest]
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
    cells = _cells(surface, (low, high), stride)
    gone = np.isnan(cells)
    if gone.all():
        return None
    bad = gone[:-1, :-1] | gone[:-1, 1:] | gone[1:, :-1] | gone[1:, 1:]
    bad[[0, -1]] = bad[:, [0, -1]] = False  # beyond the tile, whatever its shape in the lattice
    void = _void(bad, layer, (low, stride), frame) if bad.any() else np.empty(0, dtype=object)
    graded = tile.level == 0 and surface.platforms is not None
    parts = (
        1 if stride > 1 else _parts(cells, tolerance, span.max() / (tile.box[2:] - tile.box[:2]).max() if graded else 0)
    )
    ahead = _ahead(layer, frame, tile, (low, stride / parts))
    cells, back = _divided(cells, parts), _inverse(ahead)
    if graded:
        cells = _graded(cells, back, surface, tile)
    local = shapely.transform(void, lambda xy: xy - tile.origin)
    return Lattice(cells, ahead, back, local, stride)


def _cells(surface: Surface, window: tuple[Int64, Int64], stride: int) -> Float64:
    """Return the heights at every ``stride``-th node of a window."""
    low, high = window
    layer, kept = surface.layers[surface.finest], surface.windows[surface.finest]
    if len(surface.layers) == 1 and kept is not None:
        (c0, r0, c1, r1), cells = kept
        first, last = low * stride - [c0, r0], (high - 1) * stride - [c0, r0]
        if (first >= 0).all() and last[0] < c1 - c0 and last[1] < r1 - r0:
            picked = cells[first[1] : last[1] + 1 : stride, first[0] : last[0] + 1 : stride]
            return np.ascontiguousarray(picked)
    if len(surface.layers) == 1:
        first, end = (low * stride).tolist(), ((high - 1) * stride + 1).tolist()
        return read_nodes(layer, (first[0], first[1], end[0], end[1]), stride)
    col, row = (np.arange(int(low[k]), int(high[k])) * stride for k in (0, 1))
    nodes = np.stack(np.meshgrid(col, row), axis=-1).reshape(-1, 2).astype(np.float64)
    return sample(surface.layers, from_pixels(layer, nodes, layer.crs), layer.crs).reshape(len(row), len(col))


def _void(bad: Bool, layer: Layer, where: tuple[Int64, int], frame: PlanFrame) -> Objects:
    """Return the cells with a void corner, joined; in plan coordinates, every node on their outlines kept."""
    low, stride = where
    rows, cols = bad.shape[0] + 1, bad.shape[1] + 1
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


def _graded(cells: Float64, back: Float64, surface: Surface, tile: Block) -> Float64:
    """Return the cells with platforms in them."""
    (a, b, c), (d, e, f) = back
    row, col = np.mgrid[0 : cells.shape[0], 0 : cells.shape[1]].reshape(2, -1).astype(np.float64)
    xy = np.column_stack([a * col + b * row + c, d * col + e * row + f]) + tile.origin
    return surface.graded(xy, cells.reshape(-1)).reshape(cells.shape)


def _parts(cells: Float64, tolerance: float, cells_a_metre: float) -> int:
    """
    Return into how many parts the sides of cells are cut.

    So that none is warped by more than a quarter of the tolerance; where ``cells_a_metre`` is not 0 there are platforms, and
    none is longer than a metre.
    """
    fine = 1
    while cells_a_metre * fine > 0 and cells_a_metre * fine < 1.0 and cells.size * (2 * fine) ** 2 <= LEAF_NODES:
        fine *= 2
    twist = np.abs(cells[:-1, :-1] - cells[:-1, 1:] - cells[1:, :-1] + cells[1:, 1:]) / 4
    worst = float(np.nanmax(twist, initial=0.0))
    parts = 1
    while parts < MOST_PARTS and worst > 0.25 * tolerance * parts**2 and cells.size * (2 * parts) ** 2 <= LEAF_NODES:
        parts *= 2
    return max(parts, fine)


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


def _ahead(layer: Layer, frame: PlanFrame, tile: Block, where: tuple[Int64, float]) -> Float64:
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
