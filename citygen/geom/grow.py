"""
Polygons to the same polygons grown by a distance: every edge moved outwards, corners mitred, courtyards smaller.

Not a general buffer: every edge of the outline has its parallel in the result, in the same order, or the polygon is
refused. So a roof over the grown outline can go on, in the same planes, from the roof over the outline. Under a roof around
an apex the outline is enlarged about it instead: its planes, of several slopes, go on to one level eave.
"""

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.rings import pinched
from citygen.geom.tolerances import MIN_EDGE_M
from citygen.model.rings import Rings, offsets, take, to_polygons

MITRE_LIMIT = 3.0
"""A corner sharper than 39 degrees is cut off square, at this many times the distance from it."""


def grow(rings: Rings, by_m: Float64, apexes: Float64 | None = None) -> tuple[Rings, Bool]:
    """
    Move the edges of polygons outwards.

    Parameters
    ----------
    rings : Rings
        p simple polygons, metres; outlines counter-clockwise, holes clockwise.
    by_m : (p,) float64
        How far, above 0; under an apex the edge nearest to it, the others by more.
    apexes : (p, 3) float64, optional
        Place of each polygon's apex and its distance to the nearest edge; NaN where a polygon has none. Default: none has.

    Returns
    -------
    Rings
        Rings in the same order; a sharp corner has become two vertices, but not under an apex. No use where not ok.
    ok : (p,) bool
        False where an edge, a courtyard or a gap would vanish, or rings would meet.

    Examples
    --------
    >>> square = Rings(np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]]), np.array([0, 4]), np.array([0, 1]))
    >>> grow(square, np.array([0.5]))[0].coords.tolist()
    [[-0.5, -0.5], [2.5, -0.5], [2.5, 2.5], [-0.5, 2.5]]
    """
    if len(rings) == 0:
        return rings, np.zeros(0, dtype=bool)
    polygon = np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))
    ahead, behind = _neighbours(rings.ring_offsets)
    first, last, bevel, along = _corners(rings.coords, (ahead, behind), by_m[polygon])
    if apexes is not None:
        about = np.flatnonzero(np.isfinite(apexes[polygon, 2]))
        middle, reach = apexes[polygon[about], :2], apexes[polygon[about], 2]
        larger = 1.0 + by_m[polygon[about]] / reach
        first[about] = last[about] = middle + (rings.coords[about] - middle) * larger[:, None]
        bevel[about] = False
    kept = np.einsum("ij,ij->i", first[ahead] - last, along) > MIN_EDGE_M
    kept &= ~bevel | (np.linalg.norm(last - first, axis=1) > MIN_EDGE_M)
    counts = 1 + bevel.astype(np.int64)
    starts = offsets(counts)
    coords = np.repeat(last, counts, axis=0)
    coords[starts[:-1]] = first
    grown = Rings(coords, starts[rings.ring_offsets], rings.polygon_offsets)
    ok: Bool = np.bincount(polygon[~kept], minlength=len(rings)) == 0
    ok &= np.isfinite(np.add.reduceat(coords.sum(axis=1), starts[rings.vertex_offsets[:-1]]))
    ok[ok] = _around(take(rings, np.flatnonzero(ok)), take(grown, np.flatnonzero(ok)))
    return grown, ok


def _neighbours(ring_offsets: Int64) -> tuple[Int64, Int64]:
    """Return the next and the previous vertex of each vertex in its ring."""
    ahead = np.arange(1, ring_offsets[-1] + 1, dtype=np.int64)
    ahead[ring_offsets[1:] - 1] = ring_offsets[:-1]
    behind = np.empty_like(ahead)
    behind[ahead] = np.arange(len(ahead))
    return ahead, behind


def _corners(xy: Float64, around: tuple[Int64, Int64], by_m: Float64) -> tuple[Float64, Float64, Bool, Float64]:
    """Return the first and last moved point of each corner (one and the same, but for a bevel), bevels, edge directions."""
    ahead, behind = around
    along = xy[ahead] - xy
    along /= np.linalg.norm(along, axis=1)[:, None]
    before = along[behind]
    out, out_before = (np.stack([way[:, 1], -way[:, 0]], axis=1) for way in (along, before))
    share = 1.0 + np.einsum("ij,ij->i", out, out_before)
    convex = before[:, 0] * along[:, 1] - before[:, 1] * along[:, 0] > 0
    bevel: Bool = convex & (share < 2.0 / MITRE_LIMIT**2)
    safe = np.where(bevel | (share <= 1e-12), np.inf, share)
    mitre = xy + (out + out_before) * (by_m / safe)[:, None]
    mitre[(share <= 1e-12) & ~bevel] = np.nan  # a slit: no point is as far from both of its sides
    first, last = mitre, mitre.copy()
    tip = before[bevel] - along[bevel]
    tip /= np.linalg.norm(tip, axis=1)[:, None]
    by = by_m[bevel][:, None]
    for points, normal, way in ((first, out_before, before), (last, out, -along)):
        across = np.einsum("ij,ij->i", normal[bevel], tip)
        reach = (MITRE_LIMIT - across) / np.einsum("ij,ij->i", way[bevel], tip)
        points[bevel] = xy[bevel] + by * (normal[bevel] + way[bevel] * reach[:, None])
    return first, last, bevel, along


def _around(rings: Rings, grown: Rings) -> Bool:
    """Say which grown polygons are simple, without pinches, and hold theirs well inside."""
    shapes = to_polygons(grown)
    good: Bool = shapely.is_valid(shapes) & ~pinched(grown.coords, grown.ring_offsets, grown.polygon_offsets)
    good[good] = shapely.contains_properly(shapes[good], to_polygons(rings)[good])
    return good
