"""
A tile's outlines and the DEM to what each building stands on: its datum, where its walls start, and the ground at its walls.

A building's outline and its parts have one datum (``--datum``): the lowest, mean or highest ground under all of them
together, or the ground at its entrance. Heights count from there. Walls start ``foundation_m`` below the lowest ground under
any of them, whatever the datum, so no wall hangs; the underside of a part with a minimum height is where its data put it.

A building is dug in where its eave lies below the highest ground under it. Where its data give its height, that is what they
say: it stays, and its row says so (``buried``). Where its height is a guess, the guess was wrong: it is raised until the eave
clears the ground by ``CLEAR_M``, and its row says that (``raised_above_ground``).
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Float64, Int64
from citygen.buildings.repair import Footprints
from citygen.geom.rings import polygon_areas
from citygen.ground.platforms import Platforms, earthworks
from citygen.ground.points import heights_at
from citygen.ground.under import STEEP_M, GroundHeights, ground_under
from citygen.model.attributes import Attributes
from citygen.model.rings import Rings, from_polygons, take
from citygen.outcome import Finding, reason
from citygen.pipeline.guests import chosen
from citygen.pipeline.options import TileOptions
from citygen.roofs.plan import RoofPlan

BURIED = reason(
    "buried", "ok", "The eave lies below the highest ground under the building, as its data give it; it was built so."
)
RAISED = reason(
    "raised_above_ground",
    "degraded",
    "The height was estimated, and the eave would lie below the highest ground under the building; it was raised.",
)
NO_ENTRANCE = reason(
    "entrance_unknown", "ok", "No usable entrance is given for the building; it stands at the mean ground under it."
)

GUESSES = ("model", "neighbours", "class_area", "default")
"""Height rules whose answer the ground may overrule; the others take what the data say."""

CLEAR_M = 2.0
"""m. An estimated eave stands this much above the highest ground at least: a door opens there."""

ENTRANCE_REACH_M = 20.0
"""m. An entrance farther from its building is another's, or a mistake."""


@dataclass(frozen=True, slots=True)
class Footing:
    """
    The ground of rows, metres in the DEM's vertical datum; NaN where there is none.

    Attributes
    ----------
    datum : (n,) float64
        What heights count from; a building's rows have the same.
    foot : (n,) float64
        Where walls start that reach the ground; a building's rows have the same.
    low, high : (n,) float64
        Extremes of the ground under the row's own outline; the building's where the DEM has none under it.
    slope_deg : (n,) float64
        Mean slope of the ground under the row's own outline; NaN where the DEM is void under a part of it.
    """

    datum: Float64
    foot: Float64
    low: Float64
    high: Float64
    slope_deg: Float64


def footing(
    rows: pa.Table, footprints: Footprints, group: Int64, options: TileOptions
) -> tuple[Footing, list[Finding]]:
    """
    Find what each row stands on.

    Parameters
    ----------
    rows : pyarrow.Table
        Of ``load_rows``; n rows.
    footprints : Footprints
        What is built of the same rows.
    group : (n,) int64
        The building that each row belongs to.
    options : TileOptions
        DEM, datum, foundation.

    Returns
    -------
    Footing, list of Finding
    """
    n = len(group)
    if options.dem is None:
        level = np.full(n, options.ground_z, dtype=float)
        return Footing(level, level, level, level, np.zeros(n)), []
    world = _world(footprints)
    heights, found = ground_under(options.dem, world, options.crs, default_z=options.ground_z)
    findings = [Finding(footprints.row[f.rows], f.code, f.details) for f in found]
    low = _extreme(np.minimum, np.inf, heights.low, footprints.row, n)
    high = _extreme(np.maximum, -np.inf, heights.high, footprints.row, n)
    building, member = np.unique(group, return_inverse=True)
    lowest = _extreme(np.minimum, np.inf, low, member, len(building))
    highest = _extreme(np.maximum, -np.inf, high, member, len(building))
    datum = lowest
    if options.datum == "highest":
        datum = highest
    elif options.datum in ("mean", "entrance"):
        datum = _means(footprints, heights, member, options)
    if options.datum == "entrance":
        datum, found = _at_entrances(rows, footprints, (member, datum), options)
        findings += found
    shared = np.isfinite(lowest[member]) & ~np.isfinite(low)
    findings = [chosen(f, ~shared) if f.code == "ground_missing" else f for f in findings]
    low, high = (np.where(np.isfinite(v), v, w[member]) for v, w in ((low, lowest), (high, highest)))
    foot = np.minimum(lowest, datum)[member] - options.foundation_m
    return Footing(datum[member], foot, low, high, _slopes(footprints, heights, world, n)), findings


def _world(footprints: Footprints) -> Rings:
    """Return the outlines in the working CRS."""
    rings = footprints.rings
    polygon = np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))
    return Rings(rings.coords + footprints.origins[footprints.row][polygon], rings.ring_offsets, rings.polygon_offsets)


def _extreme(pick: np.ufunc, least: float, values: Float64, owner: Int64, n: int) -> Float64:
    """Return the smallest or largest known value of each of ``n`` owners, NaN where none has one."""
    out = np.full(n, least)
    known = np.isfinite(values)
    pick.at(out, owner[known], values[known])
    out[~np.isfinite(out)] = np.nan
    return out


def _means(footprints: Footprints, heights: GroundHeights, member: Int64, options: TileOptions) -> Float64:
    """Return the mean ground under each building: what parts on one another cover counts once."""
    n = int(member.max()) + 1 if len(member) else 0
    owner = member[footprints.row]
    known = np.isfinite(heights.mean)
    pieces = np.bincount(owner, minlength=n)
    out = np.full(n, np.nan)
    single = known & (pieces[owner] == 1)
    out[owner[single]] = heights.mean[single]
    several = np.flatnonzero(pieces > 1)
    if len(several) == 0 or options.dem is None:
        return out
    built = np.flatnonzero(pieces[member] > 0)
    built = built[np.isin(member[built], several) & ~shapely.is_missing(footprints.geometry[built])]
    built = built[np.argsort(member[built], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(member[built]) > 0])
    joined = [shapely.union_all(footprints.geometry[each]) for each in np.split(built, starts[1:])]
    parts, index = shapely.get_parts(np.array(joined, dtype=object), return_index=True)
    areal = shapely.get_type_id(parts) == 3
    parts, index = parts[areal], index[areal]
    under, _ = ground_under(options.dem, from_polygons(parts), options.crs, default_z=options.ground_z)
    area = np.where(np.isfinite(under.mean), shapely.area(parts), 0.0)
    total = np.bincount(index, weights=area * np.nan_to_num(under.mean), minlength=len(joined))
    whole = np.bincount(index, weights=area, minlength=len(joined))
    with np.errstate(invalid="ignore"):
        out[member[built[starts]]] = total / whole
    return out


def _at_entrances(
    rows: pa.Table, footprints: Footprints, buildings: tuple[Int64, Float64], options: TileOptions
) -> tuple[Float64, list[Finding]]:
    """Return the ground at each building's first usable entrance, the given heights where it has none; and say so."""
    member, otherwise = buildings
    out, why = otherwise.copy(), np.full(len(member), "no entrance is given", dtype=object)
    if "@entrance" in rows.column_names and options.dem is not None:
        points = shapely.from_wkb(rows["@entrance"].to_numpy(zero_copy_only=False))
        problem = np.array([text or "" for text in rows["@entrance_problem"].to_pylist()], dtype=object)
        why = np.where(problem != "", problem, why)
        order = np.argsort(member, kind="stable")  # rows lie in the order of the source
        given = order[~shapely.is_missing(points[order])]
        z = heights_at(options.dem, shapely.get_coordinates(points[given]), options.crs)
        done = np.zeros(len(out), dtype=bool)
        for row, height in zip(given.tolist(), z.tolist(), strict=True):
            if done[member[row]]:
                continue
            mine = footprints.geometry[member == member[row]]
            away = float(np.nanmin(shapely.distance(mine, points[row]), initial=np.inf))
            if away <= ENTRANCE_REACH_M and np.isfinite(height):
                out[member[row]], done[member[row]] = height, True
            else:
                far = f"{away:.0f} m from the outline" if np.isfinite(height) else "the DEM is void there"
                why[member == member[row]] = f"entrance: {far}"
        lost = np.flatnonzero(~done[member])
    else:
        lost = np.arange(len(member))
    lost = lost[np.isfinite(otherwise[member[lost]])]
    return out, [Finding(lost, NO_ENTRANCE, why[lost].tolist())]


def _slopes(footprints: Footprints, heights: GroundHeights, world: Rings, n: int) -> Float64:
    """Return the mean slope under each row, degrees."""
    area = polygon_areas(world.coords, world.ring_offsets, world.polygon_offsets)
    total = np.bincount(footprints.row, weights=area, minlength=n)
    rise = [np.bincount(footprints.row, weights=area * heights.gradient[:, k], minlength=n) for k in (0, 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Float64 = np.degrees(np.arctan(np.hypot(rise[0], rise[1]) / total))
    return out


def above_ground(
    plan: RoofPlan, attributes: Attributes, ground: Footing, build: Bool, *, platforms: bool
) -> tuple[RoofPlan, list[Finding]]:
    """
    Raise estimated buildings out of the ground, and tell which others lie in it.

    Parameters
    ----------
    plan : RoofPlan
        n rows.
    attributes : Attributes
        Say where heights are from.
    ground : Footing
        Of the same rows.
    build : (n,) bool
        Rows to build.
    platforms : bool
        The ground is made level at the datum: no wall is dug in.

    Returns
    -------
    RoofPlan, list of Finding
        A raised row keeps the rise of its roof.
    """
    highest = ground.datum if platforms else ground.high
    guessed = np.isin(attributes.height_from.astype(str), GUESSES) & (attributes.min_height_m == 0)
    guessed &= ground.high - ground.low <= STEEP_M  # beyond it, the DEM is more doubtful than the guess
    lift = np.where(build & guessed, np.maximum(highest + CLEAR_M - plan.eave_z, 0.0), 0.0)
    lift = np.where(plan.eave_z < highest, lift, 0.0)
    raised = np.flatnonzero(lift > 0)
    if len(raised):
        plan = replace(plan, eave_z=plan.eave_z + lift, top_z=plan.top_z + lift)
    under = np.flatnonzero(build & (plan.eave_z < highest))
    depth = (highest - plan.eave_z)[under]
    return plan, [
        Finding(raised, RAISED, [f"by {m:.2f} m" for m in lift[raised].tolist()]),
        Finding(under, BURIED, [f"eave {m:.2f} m below the highest ground" for m in depth.tolist()]),
    ]


def dug(
    footprints: Footprints, ground: Footing, group: Int64, stands: Bool, options: TileOptions
) -> tuple[Float64, Float64]:
    """
    Measure the earthworks of each building's platform.

    Parameters
    ----------
    footprints : Footprints
        n rows.
    ground : Footing
        Of the same rows.
    group : (n,) int64
        The building that each row belongs to.
    stands : (n,) bool
        Rows that are built, and whose walls reach the ground.
    options : TileOptions
        Whether there are platforms, and their slope.

    Returns
    -------
    cut, fill : (n,) float64
        m3, on the first such row of each building; NaN on the others and where there are no platforms.
    """
    volumes = np.full((2, len(group)), np.nan)
    polygon = np.flatnonzero(stands[footprints.row])
    if options.platform_slope is None or options.dem is None or len(polygon) == 0:
        return volumes[0], volumes[1]
    polygon = polygon[np.lexsort((polygon, group[footprints.row[polygon]]))]
    row = footprints.row[polygon]
    _, first, building = np.unique(group[row], return_index=True, return_inverse=True)
    platforms = Platforms(take(_world(footprints), polygon), ground.datum[row], options.platform_slope)
    volumes[:, row[first]] = earthworks(options.dem, platforms, building.astype(np.int64), options.crs)
    return volumes[0], volumes[1]
