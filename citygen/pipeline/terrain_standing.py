"""
Records of finished building tiles to what stands on the ground of a terrain tile: holes in it, and platforms around them.

Both are a matter of each outline alone, and come in the order of their places, so that neighbours agree bit by bit.
"""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import shapely

from citygen.arraytypes import Bool, Float64, Objects
from citygen.geom.geodesy import transformer
from citygen.ground.platforms import REACH_M, Platforms
from citygen.ground.terrain_plan import Block, PlanFrame
from citygen.ground.terrain_surface import Surface
from citygen.model.rings import from_polygons

STANDS_M = 0.01
"""m. A wall that starts no higher than this above the lowest ground at its foot stands on it."""


def standing_on(
    records: tuple[str, ...], how: tuple[str, float | None], surface: Surface, tile: Block
) -> tuple[Objects, Surface]:
    """
    Read what stands on a tile's ground.

    Parameters
    ----------
    records : tuple of str
        Record files of the buildings' tiles that may reach into it, or near it where there are platforms.
    how : str, float or None
        Working CRS of the records; rise over run of the ground around platforms, None without any.
    surface : Surface
        The natural ground.
    tile : Block

    Returns
    -------
    outlines : (n,) object
        Polygons that touch the tile, plan coordinates.
    surface : Surface
        With the platforms in it.
    """
    crs, slope = how
    found = [(np.empty(0, dtype=object), np.empty(0, dtype=object), np.empty(0))]
    for name in records:
        with pq.ParquetFile(name) as file:
            table = file.read(columns=["tile", "base_z", "ground_z", "geometry"])
        here = np.flatnonzero(table["tile"].is_valid().to_numpy())
        shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False)[here])
        plan = shapely.transform(shapes, lambda xy: _to_plan(xy, crs, surface.frame))
        near = np.flatnonzero(_touches(plan, tile, 0.0 if slope is None else _reach(crs, surface.frame, tile)))
        base, datum = (table[key].to_numpy(zero_copy_only=False)[here][near] for key in ("base_z", "ground_z"))
        near = near[stands := _stand(plan[near], base, surface)]
        found.append((shapes[near], plan[near], datum[stands]))
    shapes, plan, datum = (np.concatenate(column) for column in zip(*found, strict=True))
    if slope is not None and len(shapes):
        order = np.lexsort(shapely.bounds(shapes).T)
        parts, owner = shapely.get_parts(shapes[order], return_index=True)
        platforms = Platforms(from_polygons(parts), datum[order][owner], slope)
        surface = replace(surface, platforms=platforms, working=crs)
    return plan[_touches(plan, tile, 0.0)], surface


def _to_plan(xy: Float64, crs: str, frame: PlanFrame) -> Float64:
    if crs == frame.crs:
        return frame.to_plan(xy)
    return frame.to_plan(np.stack(transformer(crs, frame.crs).transform(xy[:, 0], xy[:, 1])[:2], axis=1))


def _reach(crs: str, frame: PlanFrame, tile: Block) -> float:
    """Return the reach of a platform in the plan, and some more: a grid's own CRS stretches metres."""
    if crs == frame.crs:
        return 1.01 * REACH_M * frame.scale
    middle = transformer(frame.crs, crs).transform(*frame.to_crs(tile.box[None, :2])[0])[:2]
    around = np.array(middle) + REACH_M * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    plan = _to_plan(around, crs, frame)
    return float(1.5 * np.abs(plan[1:] - plan[0]).sum(axis=1).max())


def _touches(shapes: Objects, tile: Block, margin: float) -> Bool:
    """Say which outlines touch a tile that is larger by a margin."""
    bounds, box = shapely.bounds(shapes), tile.box + np.array([-margin, -margin, margin, margin])
    out: Bool = (
        (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0]) & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
    )
    return out


def _stand(shapes: Objects, base: Float64, surface: Surface) -> Bool:
    """Say which outlines have walls that start at or below the ground: a matter of each outline alone."""
    coords, owner = shapely.get_coordinates(shapes, return_index=True)
    ground = surface.heights(coords)
    low = np.full(len(shapes), np.inf)
    np.minimum.at(low, owner, np.where(np.isnan(ground), np.inf, ground))
    stands: Bool = base <= low + STANDS_M
    return stands
