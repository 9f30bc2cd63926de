"""
A DEM and a terrain tile to the DEM's surface there: cells around the tile are read once and kept for as long as it is made.

A height is the same number whether it comes from the cells that are kept or from others (``points.between``).
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64
from citygen.ground.dem import Dem
from citygen.ground.layers import Layer, layers_of, project, to_pixels
from citygen.ground.platforms import Platforms, platform_heights
from citygen.ground.points import between, cells_beyond, sample, window
from citygen.ground.terrain_plan import Block, PlanFrame, plan_frame
from citygen.ground.windows import Box

MOST_KEPT = 1 << 23
"""Cells of a layer that are kept at most: 64 MB."""
_MARGIN_PX, _MARGIN_SHARE = 6, 3 / 128
"""Cells around the tile that are kept too: for slopes at its border, and for nodes of a coarser lattice beyond it."""


@dataclass(frozen=True, slots=True)
class Surface:
    """
    The DEM's surface: between cells, over voids and at seams as its ``reading`` says.

    Attributes
    ----------
    frame : PlanFrame
        Of the plan coordinates that it is asked at.
    layers : tuple of Layer
        In order of precedence.
    windows : tuple of (box, (rows, cols) float64) or None
        Cells of each layer that are kept.
    platforms : Platforms or None
        Where the ground is made level, all that matter around the tile.
    working : str
        CRS of the platforms, metres.
    """

    frame: PlanFrame
    layers: tuple[Layer, ...]
    windows: tuple[tuple[Box, Float64] | None, ...]
    platforms: Platforms | None = None
    working: str = ""

    @property
    def finest(self) -> int:
        """Number of the layer whose cells are smallest; the first of several."""
        return min(range(len(self.layers)), key=lambda k: _cell_m(self.layers[k]))

    def heights(self, xy: Float64) -> Float64:
        """Return the height at plan coordinates; (n,) float64, metres in the DEM's datum, NaN where void."""
        there = self.frame.to_crs(xy)
        out = np.full(len(xy), np.nan)
        left = np.arange(len(xy))
        for layer, kept in zip(self.layers, self.windows, strict=True):
            if len(left) == 0:
                break
            out[left] = _in_layer(layer, kept, there[left], self.frame.crs)
            left = left[np.isnan(out[left])]
        if len(left) and self.layers[0].reading.fill_m > 0.0:
            out[left] = sample(self.layers, there[left], self.frame.crs)
        return self.graded(xy, out)

    def graded(self, xy: Float64, z: Float64) -> Float64:
        """Return the ground at plan coordinates whose natural heights are given: level where buildings stand, if it is to be."""
        if self.platforms is None:
            return z
        return platform_heights(self.platforms, project(self.frame.to_crs(xy), self.frame.crs, self.working), z)


def surface_around(dem: Dem, frame: PlanFrame, tile: Block) -> Surface:
    """
    Read the cells around a tile; of a tile with too many of them none are kept.

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it.
    frame : PlanFrame
    tile : Block

    Returns
    -------
    Surface
    """
    layers = layers_of(dem)
    return Surface(frame, layers, tuple(_window(layer, frame, tile) for layer in layers))


def _window(layer: Layer, frame: PlanFrame, tile: Block) -> tuple[Box, Float64] | None:
    x, y = (np.linspace(lines[0], lines[-1], 5) for lines in (tile.x, tile.y))
    px = to_pixels(layer, frame.to_crs(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)), frame.crs)
    if not np.all(np.isfinite(px)):
        return None
    margin = _MARGIN_PX + (0 if tile.level == 0 else np.ceil(_MARGIN_SHARE * (px.max(axis=0) - px.min(axis=0)).max()))
    low, high = np.floor(px.min(axis=0)) - margin, np.ceil(px.max(axis=0)) + margin
    if np.prod(high - low) > MOST_KEPT:
        return None
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    return box, window(layer, box)


def _in_layer(layer: Layer, kept: tuple[Box, Float64] | None, there: Float64, crs: str) -> Float64:
    """Return the heights that a layer has, from the cells that are kept where they suffice."""
    if kept is None:
        return sample((layer,), there, crs, filled=False)
    box, cells = kept
    px = to_pixels(layer, there, crs)
    out = between(layer, cells, box, px)
    more = cells_beyond(layer)
    inside = (px >= [box[0] + more, box[1] + more]) & (px < [box[2] - 1 - more, box[3] - 1 - more])
    beyond = np.flatnonzero(~np.all(inside, axis=1))
    if len(beyond):
        out[beyond] = sample((layer,), there[beyond], crs, filled=False)
    return out


def _cell_m(layer: Layer) -> float:
    """Return the shorter side of a layer's cells, about metres."""
    return min(layer.rasters[0].resolution) * plan_frame(layer.crs).scale
