"""
Buildings to level platforms in the terrain: the ground at each outline is the building's datum, graded back around it.

A height depends on its own place, on the DEM there, and on the platforms within ``REACH_M`` of it alone: no raster, no tile,
no order of platforms. So whoever asks for it (terrain tiles, volumes) gets the same number.

At a place whose distance from the outline of platform i is d_i, let e_i be d_i as far as half the reach, and from there on
growing without bound towards the reach. Then, with the slope s:

1. The ground is held between the largest of (datum_i - s e_i) and the smallest of (datum_i + s e_i): embankments and
   cuttings of slope s, down or up to the natural ground. One that has not met it at half the reach gets steeper and does so
   before the reach.
2. Where those bounds contradict each other, because neighbours' datums differ by more than s allows over the gap between
   them, s is raised there to the least slope that reaches both; on the line between two such neighbours this is the straight
   ramp from one to the other.
3. Inside an outline the ground is its datum. Where outlines touch or overlap, it is the highest of theirs: no wall hangs.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.geom.platforms import flatten, grade
from citygen.geom.rings import polygon_areas
from citygen.ground.dem import Dem
from citygen.ground.layers import layers_of
from citygen.ground.points import heights_at
from citygen.model.rings import Rings, ranges

REACH_M = 25.0
"""m. No embankment reaches farther from its outline; up to half of this its slope is the one that was asked for."""

FINEST_M, COARSEST_M = 0.25, 0.5
"""m. Sides of the squares over which volumes are summed: those of the DEM's cells, within these bounds."""

_PER_CELL, _MOST_BETWEEN = 4.0, 16
"""The natural ground is looked up four times a side of a cell of the DEM at least, and every 8 m."""

_MOST_SQUARES = 1 << 20
"""Squares at most over which one building's volumes are summed; a larger building has larger ones."""


@dataclass(frozen=True, slots=True)
class Platforms:
    """
    Where the ground is made level.

    Attributes
    ----------
    rings : Rings
        Outlines that stand on the ground, metres; the holes are courtyards, graded like the rest.
    datum : (p,) float64
        m, in the DEM's vertical datum; that of each outline's building.
    slope : float
        Rise over run of embankments and cuttings, above 0.
    """

    rings: Rings
    datum: Float64
    slope: float


def platform_heights(platforms: Platforms, xy: Float64, z: Float64) -> Float64:
    """
    Change natural heights to those of the ground with platforms.

    Parameters
    ----------
    platforms : Platforms
        All within ``REACH_M`` of the points, in any order; farther ones change nothing.
    xy : (n, 2) float64
        Points in the frame of the rings.
    z : (n,) float64
        Natural heights there, m; NaN stays NaN.

    Returns
    -------
    (n,) float64

    Examples
    --------
    >>> import shapely
    >>> from citygen.model.rings import from_polygons
    >>> house = Platforms(from_polygons(np.array([shapely.box(0, 0, 10, 10)])), np.array([5.0]), 0.5)
    >>> platform_heights(house, np.array([[5.0, 5], [14, 5], [80, 5]]), np.full(3, 9.0)).tolist()
    [5.0, 7.0, 9.0]
    """
    rings, datum = platforms.rings, platforms.datum
    box = rings.bounds()
    kept = np.flatnonzero(np.isfinite(datum) & np.all(np.isfinite(box), axis=1))
    if len(kept) == 0 or len(xy) == 0:
        return z.copy()
    starts, members, corner, shape = _bins(box[kept])
    lists = (starts, kept[members], corner, shape)
    where = (rings.coords, rings.ring_offsets, rings.polygon_offsets)
    out: Float64 = flatten(xy, z, where, (box, datum), lists, (platforms.slope, REACH_M))
    return out


def _bins(box: Float64) -> tuple[Int64, Int64, Float64, Int64]:
    """Sort platforms into squares of the reach: starts and members of each square's list, the first corner, columns and rows."""
    low = np.floor((box[:, :2] - REACH_M) / REACH_M).astype(np.int64)
    high = np.floor((box[:, 2:] + REACH_M) / REACH_M).astype(np.int64) + 1
    corner = low.min(axis=0)
    shape = high.max(axis=0) - corner
    if shape[0] * shape[1] > 1 << 24:  # platforms far apart: one list
        return np.array([0, len(box)]), np.arange(len(box)), np.zeros(2), np.zeros(2, np.int64)
    wide, tall = (high - low).T
    count = wide * tall
    number = np.repeat(np.arange(len(box)), count)
    place = ranges(np.zeros(len(box), np.int64), count)
    col = low[number, 0] - corner[0] + place % wide[number]
    row = low[number, 1] - corner[1] + place // wide[number]
    cell = row * shape[0] + col
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(shape[0] * shape[1] + 1))
    return starts.astype(np.int64), number[order], corner * REACH_M, shape


def earthworks(dem: Dem, platforms: Platforms, building: Int64, crs: str) -> tuple[Float64, Float64]:
    """
    Measure what is dug off and heaped up for each building's platform, as if it stood alone.

    Parameters
    ----------
    dem : Dem
        The untouched ground.
    platforms : Platforms
        p outlines in ``crs``.
    building : (p,) int64
        Number of each one's building, 0 to n - 1, ascending; its outlines have one datum.
    crs : str
        Working CRS, metres.

    Returns
    -------
    cut, fill : (n,) float64
        m3 over the platform and its embankment; NaN for a building without heights under it. Summed over squares of 0.25 or
        0.5 m, not larger than the DEM's cells, at their middles; places that the DEM has no height for count nothing.

    Raises
    ------
    InputError
        When a file is damaged or gone.
    """
    n = int(building[-1]) + 1 if len(building) else 0
    volumes = np.full((n, 2), np.nan)
    rings = platforms.rings
    areas = polygon_areas(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    bounds = rings.bounds()
    usable = np.isfinite(platforms.datum) & np.all(np.isfinite(bounds), axis=1) & (areas > 0)
    first = np.searchsorted(building, np.arange(n + 1))
    steps = _steps(dem)
    batch: list[_Site] = []
    for k in range(n):
        mine = np.arange(first[k], first[k + 1])
        mine = mine[usable[mine]]
        if len(mine):
            batch.append(_site(k, mine, bounds[mine], steps))
        if batch and (k == n - 1 or sum(len(each.nodes) for each in batch) >= _MOST_SQUARES):
            z = heights_at(dem, np.concatenate([each.nodes for each in batch]), crs)
            for each, part in zip(batch, np.split(z, np.cumsum([len(each.nodes) for each in batch])[:-1]), strict=True):
                volumes[each.number] = _volumes(platforms, each, part)
            batch = []
    return volumes[:, 0], volumes[:, 1]


@dataclass(frozen=True, slots=True)
class _Site:
    """
    One building, its outlines, the squares around it, and the places between which the natural ground is bilinear.

    Squares are counted from the CRS's origin; a node is the middle of every ``ratio``-th one.
    """

    number: int
    mine: Int64
    box: Int64  # first column and row of the squares, end column and row
    step: float
    ratio: int
    nodes: Float64
    columns: int


def _site(number: int, mine: Int64, bounds: Float64, steps: tuple[float, int]) -> _Site:
    """Lay squares over a building's surroundings."""
    step, ratio = steps
    low, high = bounds[:, :2].min(axis=0) - REACH_M, bounds[:, 2:].max(axis=0) + REACH_M
    while np.prod((high - low) / step) > _MOST_SQUARES:
        step, ratio = 2.0 * step, max(ratio // 2, 1)
    box = np.concatenate([np.floor(low / step), np.ceil(high / step)]).astype(np.int64)
    col, row = (np.arange(box[k] // ratio, (box[k + 2] - 1) // ratio + 2) * ratio for k in (0, 1))
    x, y = np.meshgrid((col + 0.5) * step, (row + 0.5) * step)
    return _Site(number, mine, box, step, ratio, np.column_stack([x.ravel(), y.ravel()]), len(col))


def _volumes(platforms: Platforms, site: _Site, z: Float64) -> tuple[float, float]:
    """Sum one building's volumes over its squares."""
    rings = platforms.rings
    outline = (rings.coords, rings.ring_offsets, rings.polygon_offsets)
    how = (float(platforms.datum[site.mine[0]]), platforms.slope, REACH_M)
    cut, fill, known = grade(z.reshape(-1, site.columns), (site.box, site.step, site.ratio), outline, site.mine, how)
    square = site.step * site.step
    return (cut * square, fill * square) if known else (np.nan, np.nan)


def _steps(dem: Dem) -> tuple[float, int]:
    """Return the side of the squares, a power of two of a metre, and how many of them lie between places of known height."""
    cell = min(_cell_m(layer.rasters[0].resolution, layer.crs) for layer in layers_of(dem))
    side = float(np.clip(2.0 ** np.floor(np.log2(cell)), FINEST_M, COARSEST_M))
    return side, int(np.clip(2.0 ** np.floor(np.log2(cell / _PER_CELL / side)), 1.0, _MOST_BETWEEN))


def _cell_m(resolution: tuple[float, float], crs: str) -> float:
    from pyproj import CRS

    unit = CRS.from_user_input(crs).axis_info[0].unit_conversion_factor
    is_degrees = CRS.from_user_input(crs).is_geographic
    return min(resolution) * (111_320.0 if is_degrees else unit)
