"""
Outlines of buildings around a terrain tile to the holes in its ground: joined, cut along the tile's border.

Where an outline's edge meets the border it gets a vertex, the same for both neighbours (``terrain_border.meet``); all other
vertices of a hole are those of outlines, or the places where two outlines cross.
"""

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Objects
from citygen.geom.tolerances import SLIT_M
from citygen.ground.terrain_border import meet
from citygen.ground.terrain_plan import Block
from citygen.model.rings import Rings, from_polygons

_COARSER = 2.0**-20
"""m. Grid on which outlines are joined where joining them as they are fails."""


def segments(polygons: Objects) -> Float64:
    """
    Return the edges of polygons.

    Parameters
    ----------
    polygons : (n,) object
        Shapely polygons or multipolygons.

    Returns
    -------
    (m, 4) float64
        x, y of both ends.
    """
    rings = shapely.get_rings(shapely.get_parts(polygons))
    coords, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    out: Float64 = np.concatenate([coords[:-1], coords[1:]], axis=1)[same]
    return out


def holes(polygons: Objects, tile: Block, *, coarser: bool = False) -> Rings:
    """
    Join polygons within a tile.

    Parameters
    ----------
    polygons : (n,) object
        Shapely polygons or multipolygons, plan coordinates.
    tile : Block
    coarser : bool
        Join on a grid of a micrometre: for outlines that cannot be joined as they are.

    Returns
    -------
    Rings
        Relative to the block's origin; what is no ground lies to the left of every edge.
    """
    box = tile.box - np.tile(tile.origin, 2)
    near = polygons[_touching(shapely.bounds(polygons), tile.box)]
    across = ~_within(shapely.bounds(near), tile.box)
    pieces = np.concatenate([near[~across], np.array([_with_meets(p, tile.box) for p in near[across]], dtype=object)])
    pieces = shapely.transform(pieces, lambda xy: xy - tile.origin)
    bad = ~shapely.is_valid(pieces)
    pieces[bad] = shapely.make_valid(pieces[bad], method="structure")
    if coarser:
        pieces = shapely.set_precision(pieces, _COARSER)
    cut = shapely.intersection(pieces, shapely.box(*box))
    joined = shapely.union_all(cut[shapely.area(cut) > 0])
    parts = shapely.get_parts(shapely.get_parts(np.array([joined], dtype=object)))
    parts = parts[(shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts)]
    parts = np.array([_without_slits(p) for p in parts], dtype=object)
    return from_polygons(parts)


def _touching(bounds: Float64, box: Float64) -> Bool:
    found: Bool = (
        (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0]) & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
    )
    return found


def _within(bounds: Float64, box: Float64) -> Bool:
    found: Bool = (bounds[:, 0] > box[0]) & (bounds[:, 2] < box[2]) & (bounds[:, 1] > box[1]) & (bounds[:, 3] < box[3])
    return found


def _with_meets(polygon: shapely.Geometry, box: Float64) -> shapely.Geometry:
    """Give a polygon vertices where its edges cross the lines through a box's sides."""

    def ring(xy: Float64) -> Float64:
        ends = np.stack([xy[:-1], xy[1:]], axis=1)
        number, places = [np.arange(len(xy) - 1)], [xy[:-1]]
        for axis, value in ((0, box[0]), (0, box[2]), (1, box[1]), (1, box[3])):
            side = np.sign(ends[:, :, axis] - value)
            k = np.flatnonzero(side[:, 0] * side[:, 1] < 0)
            number.append(k)
            places.append(meet(ends[k], axis, value))
        edge, xy_all = np.concatenate(number), np.concatenate(places)
        away = np.abs(xy_all - xy[edge]).sum(axis=1)
        out = xy_all[np.lexsort((away, edge))]
        return np.concatenate([out, out[:1]])

    parts = [
        shapely.Polygon(ring(np.array(p.exterior.coords)), [ring(np.array(r.coords)) for r in p.interiors])
        for p in shapely.get_parts(polygon)
    ]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _without_slits(polygon: shapely.Polygon) -> shapely.Polygon:
    """Fill the courtyards that are only rounding between parts of a building."""
    kept = [r for r in polygon.interiors if 2 * shapely.Polygon(r).area > SLIT_M * r.length]
    return polygon if len(kept) == len(polygon.interiors) else shapely.Polygon(polygon.exterior, kept)
