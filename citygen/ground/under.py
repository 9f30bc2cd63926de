"""
Footprints and a DEM to the ground under each: lowest, highest and mean height of the surface inside the outline.

A number depends on its own footprint and on the DEM alone, not on the footprints around it: positions are counted in
the cells of the raster, windows only say what is read together (DESIGN, promise 5).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.errors import ConfigError
from citygen.geom.raster import (
    COLUMNS,
    FLUX_X,
    FLUX_Y,
    HIGH,
    LINE_M,
    LINE_SUM,
    LOW,
    NODE_SUM,
    NODES,
    PATCHED,
    SAMPLES,
    VOID,
    drape,
    paint,
)
from citygen.geom.resample import FINER, refine
from citygen.geom.rings import polygon_areas
from citygen.ground.dem import Dem
from citygen.ground.layers import Layer, from_pixels, layers_of, to_pixels
from citygen.ground.points import sample, window
from citygen.ground.rim import REACH_M, nearest_ground
from citygen.ground.windows import Box, batches, strips
from citygen.model.rings import Rings
from citygen.outcome import Finding, reason

Mode = Literal["lowest", "mean", "highest"]

PARTIAL = reason(
    "ground_partial", "ok", "The DEM is void under a part of the footprint; the rest of it gave the ground."
)
FROM_NEAREST = reason(
    "ground_from_nearest", "degraded", "The DEM is void here; the nearest cell with a value was used."
)
FILLED = reason(
    "ground_filled",
    "degraded",
    "The DEM is void under the footprint or a part of it; it was filled from around the void.",
)
DEFAULT = reason("ground_default", "degraded", "The DEM has no value near; the given default height was used.")
MISSING = reason("ground_missing", "rejected", "The DEM has no value near, and no default height was given.")
STEEP = reason("ground_steep", "ok", "The ground under the footprint falls by more than 50 m; look at the DEM there.")

STEEP_M, STEEP_AREA_M2 = 50.0, 10_000.0
"""m, m2. More fall than this under a footprint of less area is a cliff or an error of the DEM: worth a note."""

MAX_FOOTPRINT_CELLS = 1 << 28
"""Cells. A larger footprint (1.6 km square at 10 cm) is not draped: its time would have no bound."""

ENOUGH_NODES = 4
"""Cell centres inside a footprint from which their mean is that of the surface; below, its outline's is taken."""


@dataclass(frozen=True, slots=True)
class GroundHeights:
    """
    The ground under footprints, m, in the DEM's vertical datum; NaN where there is none.

    Attributes
    ----------
    low, high : (p,) float64
        Extremes of the interpolated surface over the footprint (its holes are not part of it).
    mean : (p,) float64
        Mean over the cell centres inside, or along the outline of a footprint with less than four.
    ground_z : (p,) float64
        The one of the three that was asked for.
    gradient : (p, 2) float64
        Mean slope of the surface over the footprint: rise to the east and to the north, m a metre. NaN where the DEM is void
        under a part of its outline.
    """

    low: Float64
    high: Float64
    mean: Float64
    ground_z: Float64
    gradient: Float64


def ground_under(
    dem: Dem, rings: Rings, crs: str, *, mode: Mode = "lowest", default_z: float | None = None
) -> tuple[GroundHeights, list[Finding]]:
    """
    Find the ground under each footprint.

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it.
    rings : Rings
        Footprints in ``crs``; holes are left out. One without vertices or with NaN has no ground.
    crs : str
        Working CRS, metres, x (east) first.
    mode : {'lowest', 'mean', 'highest'}
        Which height becomes ``ground_z``. A spike of the DEM does not matter to 'lowest'.
    default_z : float, optional
        m, in the DEM's datum, for footprints without any ground; without it they are rejected.

    Returns
    -------
    heights : GroundHeights
        One a footprint.
    findings : list of Finding
        ``ground_partial``, ``ground_filled``, ``ground_from_nearest``, ``ground_default``, ``ground_missing``, ``ground_steep``.

    Raises
    ------
    ConfigError
        For an unknown mode.
    InputError
        When a file is damaged or gone.
    """
    if mode not in get_args(Mode):
        raise ConfigError(f"unknown ground mode {mode!r}; known: {', '.join(get_args(Mode))}")
    layers = layers_of(dem)
    stats, filled = _drape_layers(layers, rings, crs)
    low, high, mean = _summary(stats)
    gradient = _gradient(rings, stats)
    findings = _partial(stats)
    if len(filled):
        findings.append(Finding(filled, FILLED, [f"within {dem.reading.fill_m:g} m"] * len(filled)))
    void = np.flatnonzero(np.isnan(low))
    if len(void):
        findings += _fill(layers, rings, crs, default_z, (low, high, mean))
    findings += _steep(rings, low, high)
    chosen = {"lowest": low, "mean": mean, "highest": high}[mode]
    return GroundHeights(low, high, mean, chosen, gradient), findings


def _drape_layers(layers: tuple[Layer, ...], rings: Rings, crs: str) -> tuple[Float64, Int64]:
    """
    Drape each footprint over the first layer with a value under it; (p, COLUMNS), see ``geom.raster.drape``.

    Where that layer is void under a part of a footprint, the later layers give the heights at its void cells. What is void
    then is filled, where the DEM is to be: which footprints that helped is the second answer.
    """
    stats = np.zeros((len(rings), COLUMNS))
    stats[:, LOW], stats[:, HIGH] = np.inf, -np.inf
    edges = _edges(rings)
    left = _drapable(rings)
    owner = np.full(len(rings), -1)
    for k, layer in enumerate(layers):
        if len(left) == 0:
            break
        positions = to_pixels(layer, rings.coords, crs)
        boxes, near = _boxes(layer, Rings(positions, rings.ring_offsets, rings.polygon_offsets))
        rows = left[near[left]]
        rest = layers[k + 1 :]
        stats[rows] = _drape(layer, rings, positions, (rows, boxes[rows], edges), ())
        patchy = rows[_valid(stats[rows]) & (stats[rows, VOID] + stats[rows, PATCHED] > 0)]
        if rest and len(patchy):
            stats[patchy] = _drape(layer, rings, positions, (patchy, boxes[patchy], edges), rest)
        owner[rows[_valid(stats[rows])]] = k
        left = left[~_valid(stats[left])]
    if not layers or layers[0].reading.fill_m <= 0.0:
        return stats, np.empty(0, dtype=np.int64)
    return stats, _drape_filled(layers, rings, crs, (stats, owner, edges))


def _drape_filled(layers: tuple[Layer, ...], rings: Rings, crs: str, known: tuple[Float64, Int64, Float64]) -> Int64:
    """Drape what lies over or beside a void again, over the filled layers; ``known`` is changed in place, at the rows returned."""
    stats, owner, edges = known
    drapable = _drapable(rings)
    holes = drapable[~_valid(stats[drapable]) | (stats[drapable, VOID] + stats[drapable, PATCHED] > 0)]
    changed = []
    for k, layer in enumerate(layers):
        positions = to_pixels(layer, rings.coords, crs)
        boxes, near = _boxes(layer, Rings(positions, rings.ring_offsets, rings.polygon_offsets), layer.reading.fill_m)
        rows = holes[near[holes] & ((owner[holes] == k) | (owner[holes] < 0))]
        if len(rows) == 0:
            continue
        made = _drape(layer, rings, positions, (rows, boxes[rows], edges), layer.later, filled=True)
        better = _valid(made) & (made[:, VOID] + made[:, PATCHED] < stats[rows, VOID] + stats[rows, PATCHED])
        better |= _valid(made) & ~_valid(stats[rows])
        stats[rows[better]] = made[better]
        owner[rows[better]] = k
        changed.append(rows[better])
    return np.sort(np.concatenate(changed)) if changed else np.empty(0, dtype=np.int64)


def _drape(
    layer: Layer,
    rings: Rings,
    positions: Float64,
    what: tuple[Int64, Int64, Float64],
    rest: tuple[Layer, ...],
    *,
    filled: bool = False,
) -> Float64:
    """Drape the chosen footprints over one layer, its voids filled from ``rest``, window by window."""
    rows, boxes, edges = what
    out = np.zeros((len(rows), COLUMNS))
    out[:, LOW], out[:, HIGH] = np.inf, -np.inf
    finer = FINER if layer.reading.sampling == "cubic" else 1
    around = 0 if finer == 1 else 1
    places = positions if finer == 1 else positions * finer
    for members, box in batches(boxes):
        chosen = rows[members]
        for strip, row_from, row_to in strips(box, finer=finer):
            wide = (strip[0] - around, strip[1] - around, strip[2] + around, strip[3] + around)
            cells = window(layer, wide, filled=filled)
            if rest and not filled:
                _fill_cells(cells, wide, boxes[members], layer, rest)
            if around:
                cells = refine(cells)
            span = finer * np.array([strip[1], strip[0], row_from, row_to], dtype=np.int64)
            part = drape(cells, span, places, rings.ring_offsets, rings.polygon_offsets, chosen, edges)
            out[members, LOW] = np.minimum(out[members, LOW], part[:, LOW])
            out[members, HIGH] = np.maximum(out[members, HIGH], part[:, HIGH])
            out[members, NODE_SUM:] += part[:, NODE_SUM:]
    return out


def _fill_cells(cells: Float64, box: Box, boxes: Int64, layer: Layer, rest: tuple[Layer, ...]) -> None:
    """Give the void cells of a fresh window that the boxes need the heights of later layers, in place."""
    needed = np.zeros(cells.shape, dtype=np.bool_)
    paint(needed, np.array([box[1], box[0]], dtype=np.int64), boxes)
    at = np.argwhere(needed & np.isnan(cells))
    if len(at):
        centres = np.column_stack([at[:, 1] + box[0], at[:, 0] + box[1]]).astype(np.float64)
        cells[at[:, 0], at[:, 1]] = sample(rest, from_pixels(layer, centres, layer.crs), layer.crs)


def _edges(rings: Rings) -> Float64:
    """Return length and outward normal times length of the edge that starts at each vertex; (n, 3) float64, m."""
    after = np.arange(1, len(rings.coords) + 1)
    starts, ends = rings.ring_offsets[:-1], rings.ring_offsets[1:]
    some = ends > starts
    after[ends[some] - 1] = starts[some]
    steps = rings.coords[after] - rings.coords
    lengths = np.sqrt(steps[:, 0] * steps[:, 0] + steps[:, 1] * steps[:, 1])
    return np.column_stack([lengths, steps[:, 1], -steps[:, 0]])


def _drapable(rings: Rings) -> Int64:
    """Return the footprints that have vertices, all of them numbers."""
    bounds = rings.bounds()
    return np.flatnonzero(np.all(np.isfinite(bounds), axis=1))


def _boxes(layer: Layer, rings: Rings, around_m: float = 0.0) -> tuple[Int64, Bool]:
    """Return the cells around each footprint (p, 4) int64, and whether it can be draped and meets the layer, or nearly."""
    bounds = rings.bounds()
    extent = np.array(layer.extent(), dtype=np.float64)
    if around_m > 0.0:
        reach = np.ceil(around_m / layer.step_m())
        extent += np.concatenate([-reach, reach])
    sane = np.all(np.isfinite(bounds) & (np.abs(bounds) < 2.0**53), axis=1)
    low = np.floor(np.where(sane[:, None], bounds[:, :2], 0.0))
    high = np.floor(np.where(sane[:, None], bounds[:, 2:], 0.0)) + 2.0
    cells = (high[:, 0] - low[:, 0]) * (high[:, 1] - low[:, 1])
    meets = np.all((high > extent[:2]) & (low < extent[2:]), axis=1)
    near = sane & meets & (cells <= MAX_FOOTPRINT_CELLS)
    return np.column_stack([low, high]).astype(np.int64), near


def _valid(stats: Float64) -> Bool:
    return stats[:, LOW] <= stats[:, HIGH]


def _summary(stats: Float64) -> tuple[Float64, Float64, Float64]:
    """Turn sums into low, high and mean, NaN without a valid sample."""
    valid = _valid(stats)
    low, high = np.where(valid, stats[:, LOW], np.nan), np.where(valid, stats[:, HIGH], np.nan)
    mean = 0.5 * (low + high)  # of a point, or of pieces that are each void at one end
    for total, count, least in ((LINE_SUM, LINE_M, 1e-9), (NODE_SUM, NODES, ENOUGH_NODES)):
        enough = stats[:, count] >= least
        mean[enough] = stats[enough, total] / stats[enough, count]
    return low, high, np.clip(mean, low, high)


def _gradient(rings: Rings, stats: Float64) -> Float64:
    """Return the mean slope over each footprint, NaN where a part of the outline has no heights."""
    area = polygon_areas(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    out = np.full((len(rings), 2), np.nan)
    whole = _valid(stats) & (area > 0.0) & (stats[:, VOID] == 0.0)
    out[whole] = stats[whole][:, [FLUX_X, FLUX_Y]] / area[whole, None]
    return out


def _partial(stats: Float64) -> list[Finding]:
    rows = np.flatnonzero(_valid(stats) & (stats[:, VOID] + stats[:, PATCHED] > 0))
    if len(rows) == 0:
        return []
    counts = stats[rows][:, (SAMPLES, VOID, PATCHED)].astype(np.int64).tolist()
    details = [f"{void} of {samples} samples void, {patched} beside a void" for samples, void, patched in counts]
    return [Finding(rows, PARTIAL, details)]


def _fill(
    layers: tuple[Layer, ...],
    rings: Rings,
    crs: str,
    default_z: float | None,
    heights: tuple[Float64, Float64, Float64],
) -> list[Finding]:
    """Give footprints without ground the nearest value or the default; ``heights`` are our own and filled in place."""
    findings = []
    void = np.flatnonzero(np.isnan(heights[0]))
    distance, z = nearest_ground(layers, rings.bounds()[void], crs)
    found = np.isfinite(distance)
    if found.any():
        for column in heights:
            column[void[found]] = z[found]
        findings.append(Finding(void[found], FROM_NEAREST, [f"{d:.1f} m away" for d in distance[found].tolist()]))
    lost = void[~found]
    if len(lost) and default_z is not None:
        for column in heights:
            column[lost] = default_z
        findings.append(Finding(lost, DEFAULT, [f"{default_z:g} m"] * len(lost)))
    elif len(lost):
        findings.append(Finding(lost, MISSING, [f"no DEM value within {REACH_M:g} m"] * len(lost)))
    return findings


def _steep(rings: Rings, low: Float64, high: Float64) -> list[Finding]:
    rows = np.flatnonzero(high - low > STEEP_M)
    if len(rows) == 0:
        return []
    areas = polygon_areas(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    rows = rows[areas[rows] < STEEP_AREA_M2]
    return [Finding(rows, STEEP, [f"{fall:.1f} m" for fall in (high - low)[rows].tolist()])] if len(rows) else []
