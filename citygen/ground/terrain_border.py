"""
The line between two terrain tiles to its vertices: a matter of that line, the DEM and the outlines that meet it, no tile.

Both neighbours, and coarser tiles, go through the same samples of the same line in the same order, so their vertices there
are the same numbers, and those of a coarser level are among those of a finer one (but where outlines or voids meet it).
"""

from itertools import pairwise

import numpy as np

from citygen.arraytypes import Float64
from citygen.geom.sampled import simplify
from citygen.ground.layers import to_pixels
from citygen.ground.terrain_plan import Block, snap
from citygen.ground.terrain_surface import Surface

_BETWEEN = 4
"""Samples a piece of the line between two cells of the DEM: the surface is a parabola there."""
_MOST_STEPS = 1 << 14
_GRADED_M = 4.0
"""m. Between breaks of a line where there are platforms: with the samples between, one every metre."""


def crossings(segments: Float64, axis: int, value: float) -> Float64:
    """
    Return where segments meet a line between tiles.

    Parameters
    ----------
    segments : (n, 4) float64
        x, y of both ends, plan coordinates.
    axis : {0, 1}
        0: the line ``x = value``; 1: the line ``y = value``.
    value : float

    Returns
    -------
    (k, 2) float64
        Places on the line, ascending, each once; a segment gives the same place whichever way it runs.
    """
    ends = segments.reshape(-1, 2, 2)
    touching = ends[ends[:, :, axis] == value]
    side = np.sign(ends[:, :, axis] - value)
    crossing = ends[side[:, 0] * side[:, 1] < 0]
    return np.unique(np.concatenate([touching, meet(crossing, axis, value)]), axis=0)


def meet(ends: Float64, axis: int, value: float) -> Float64:
    """Return (n, 2) float64: where segments (n, 2, 2) that cross a line do so."""
    swap = (ends[:, 0, 0] > ends[:, 1, 0]) | ((ends[:, 0, 0] == ends[:, 1, 0]) & (ends[:, 0, 1] > ends[:, 1, 1]))
    p, q = np.where(swap[:, None], ends[:, 1], ends[:, 0]), np.where(swap[:, None], ends[:, 0], ends[:, 1])
    other = 1 - axis
    share = (value - p[:, axis]) / (q[:, axis] - p[:, axis])
    along = snap(p[:, other] + share * (q[:, other] - p[:, other]))
    along = np.clip(along, np.minimum(p[:, other], q[:, other]), np.maximum(p[:, other], q[:, other]))
    out = np.empty((len(p), 2))
    out[:, axis], out[:, other] = value, along
    return out


def border(surface: Surface, tile: Block, segments: Float64, tolerance: float) -> tuple[Float64, Float64]:
    """
    Return the outline of a tile.

    Parameters
    ----------
    surface : Surface
        Of the DEM.
    tile : Block
    segments : (n, 4) float64
        Edges of everything that may meet the border, plan coordinates.
    tolerance : float
        m.

    Returns
    -------
    xy : (n, 2) float64
        Plan coordinates, counter-clockwise from the south-west corner; corners of the block's grid tiles are among them.
    z : (n,) float64
        m; NaN at corners in a void.
    """
    x, y = tile.x, tile.y
    sides = []
    for axis, value, lines, ahead in ((1, y[0], x, 1), (0, x[-1], y, 1), (1, y[-1], x, -1), (0, x[0], y, -1)):
        fixed = crossings(segments, axis, value)[:, 1 - axis]
        line = [(axis, value, a, b) for a, b in pairwise(lines.tolist())]
        along = [_samples(surface, one) for one in line]
        z = surface.heights(_places(axis, value, np.concatenate(along)))
        sampled = zip(along, np.split(z, np.cumsum([len(at) for at in along])[:-1]), strict=True)
        parts = [_line(surface, one, of, fixed, tolerance) for one, of in zip(line, sampled, strict=True)]
        last = parts[-1][-1:]
        side = np.concatenate([part[:-1] for part in parts] + [last])
        sides.append(side[::ahead][:-1])
    every = np.concatenate(sides)
    return every[:, :2], every[:, 2]


def _line(
    surface: Surface,
    line: tuple[int, float, float, float],
    sampled: tuple[Float64, Float64],
    fixed: Float64,
    tolerance: float,
) -> Float64:
    """Return the vertices of one grid tile's side, ascending: x, y, height."""
    axis, value, low, high = line
    along, z = sampled
    ends = np.zeros(len(along), dtype=bool)
    ends[[0, -1]] = True
    chosen = along[simplify(along, z, ends, tolerance)]
    fixed = fixed[(fixed > low) & (fixed < high)]
    every = np.union1d(along, fixed)
    if len(fixed):
        z = surface.heights(_places(axis, value, every))
    keep = np.isin(every, chosen) | np.isin(every, fixed)
    keep = simplify(every, z, keep, tolerance)
    keep &= ~np.isnan(z) | np.isin(every, [low, high])
    return np.column_stack([_places(axis, value, every[keep]), z[keep]])


def _places(axis: int, value: float, along: Float64) -> Float64:
    out = np.empty((len(along), 2))
    out[:, axis], out[:, 1 - axis] = value, along
    return out


def _samples(surface: Surface, line: tuple[int, float, float, float]) -> Float64:
    """Return where a line passes from cell to cell of the DEM's lattice, and places between; ascending, its ends included."""
    axis, value, low, high = line
    frame, layer = surface.frame, surface.layers[surface.finest]
    ends = to_pixels(layer, frame.to_crs(_places(axis, value, np.array([low, high]))), frame.crs)
    steps = int(min(2 * np.ceil(np.abs(ends[1] - ends[0]).max()) + 8, _MOST_STEPS)) if np.isfinite(ends).all() else 8
    share = np.arange(steps + 1) / steps
    even = low + share * (high - low)
    px = to_pixels(layer, frame.to_crs(_places(axis, value, even)), frame.crs)
    breaks = np.concatenate([[low, high], _passes(even, px[:, 0]), _passes(even, px[:, 1])])
    if surface.platforms is not None:
        breaks = np.concatenate([breaks, np.linspace(low, high, max(int(np.ceil((high - low) / _GRADED_M)), 1) + 1)])
    at = np.unique(snap(np.clip(breaks, low, high)))
    inner = at[:-1, None] + np.arange(_BETWEEN) / _BETWEEN * np.diff(at)[:, None]
    return np.unique(np.r_[snap(inner).reshape(-1), high])


def _passes(along: Float64, px: Float64) -> Float64:
    """Return where a coordinate that runs nearly evenly passes whole numbers (at most one between two samples)."""
    whole = np.floor(px)
    with np.errstate(invalid="ignore"):
        k = np.flatnonzero(whole[1:] != whole[:-1])
        target = np.maximum(whole[1:], whole[:-1])[k]
        share = (target - px[:-1][k]) / (px[1:] - px[:-1])[k]
    found: Float64 = along[k] + np.clip(share, 0, 1) * (along[k + 1] - along[k])
    return found[np.isfinite(found)]
