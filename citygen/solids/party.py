"""
Solids that stand side by side to the wall faces that they hide from each other, and how much of each.

Two walls are one party wall where they look at each other (within ``TURN_DEG``), stand no farther apart than a reach, and
overlap along their length and in height: what is shared is cut from the walls as they are, gables, steps and bases
included. Each pair of faces is found once and told to both sides, each in the plane of its own wall.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.geom.clip import common_areas, convex
from citygen.model.meshes import Meshes
from citygen.model.rings import offsets, ranges
from citygen.solids.wallplanes import WallPlanes, outlines, seen_from, shift_between, wall_corners, wall_planes

TURN_DEG = 5.0
"""Degrees. Walls that turn away from each other by more only touch in a corner."""
MIN_LENGTH_M = 0.02
"""m. Shorter contacts are corners that touch."""
MIN_SHARED_M2 = 1e-3
"""m2. Less is no wall."""
_STRAIGHT_M2 = 1e-6
"""m2. Doubled area of three corners in a line."""
SNAP_M = 1e-3
"""m. Corners of two walls this near are one corner: no strip is left that nobody can see."""


@dataclass(frozen=True, slots=True)
class PartyWalls:
    """
    Walls that stand against others: contacts, each told to both sides.

    Attributes
    ----------
    meshes : Meshes
        The solids.
    planes : WallPlanes
        Of walls.
    wall, other : (k,) int64
        Which of them stands against which; ascending.
    low, high : (k,) float64
        From where to where along the first, metres.
    """

    meshes: Meshes
    planes: WallPlanes
    wall: Int64
    other: Int64
    low: Float64
    high: Float64

    @property
    def solids(self) -> tuple[Int64, Int64]:
        """The solids of both walls of each contact."""
        return self.planes.solid[self.wall], self.planes.solid[self.other]

    def areas(self, pairs: Bool) -> Float64:
        """
        Return the area that chosen contacts hide of each solid, what two of them hide once; (s,) float64, m2.

        Parameters
        ----------
        pairs : (k,) bool
            Which contacts count.

        Notes
        -----
        Convex walls, nearly all, are clipped by a kernel; the rest, and walls along which contacts overlap, by Shapely.
        """
        chosen = np.flatnonzero(pairs)
        quick, area = _quick_areas(self, chosen)
        again = _overlapping(self, chosen)
        slow = chosen[~quick | again]
        fast = quick & ~again & (area > MIN_SHARED_M2)
        total = np.bincount(self.planes.solid[self.wall[chosen[fast]]], weights=area[fast], minlength=len(self.meshes))
        if len(slow):
            wall, united = joined(*pieces(self, slow))
            total = total + np.bincount(self.planes.solid[wall], shapely.area(united), minlength=len(self.meshes))
        out: Float64 = total.astype(np.float64)
        return out


def _overlapping(walls: PartyWalls, chosen: Int64) -> Bool:
    """Say which contacts lie on a wall on which any two of them reach over each other."""
    wall, low, high = walls.wall[chosen], walls.low[chosen], walls.high[chosen]
    order = np.lexsort((low, wall))
    wall, low, high = wall[order], low[order], high[order]
    over = np.zeros(len(wall), dtype=bool)
    over[1:] = (wall[1:] == wall[:-1]) & (low[1:] < high[:-1] - SNAP_M)
    return np.isin(walls.wall[chosen], wall[over])


def _quick_areas(walls: PartyWalls, chosen: Int64) -> tuple[Bool, Float64]:
    """Return for which contacts the kernel can tell the area, and those areas."""
    planes, meshes = walls.planes, walls.meshes
    a, b = walls.wall[chosen], walls.other[chosen]
    mine, my_sizes = wall_corners(meshes, planes, a)
    theirs, their_sizes = wall_corners(meshes, planes, b)
    theirs = seen_from(
        theirs, np.repeat(np.arange(len(a)), their_sizes), planes, (b, a), shift_between(meshes, planes, b, a)
    )
    theirs = theirs[_backwards(their_sizes)]  # seen from the other side its corners turn right
    first, second = offsets(my_sizes), offsets(their_sizes)
    single = np.diff(meshes.face_offsets)[planes.face]
    quick = (single[a] == 1) & (single[b] == 1)
    quick &= convex(mine, first, _STRAIGHT_M2) & convex(theirs, second, _STRAIGHT_M2)
    area = common_areas(mine, first, theirs, second)
    if len(a):
        start, end = np.minimum.reduceat(theirs[:, 0], second[:-1]), np.maximum.reduceat(theirs[:, 0], second[:-1])
        length = planes.length[a]
        quick &= (np.maximum(start, 0) >= walls.low[chosen] - SNAP_M) & (
            np.minimum(end, length) <= walls.high[chosen] + SNAP_M
        )
    return quick, area


def _backwards(sizes: Int64) -> Int64:
    """Return the order that turns each of several runs round."""
    starts = offsets(sizes)
    run = np.repeat(np.arange(len(sizes)), sizes)
    return starts[run] + starts[run + 1] - 1 - np.arange(len(run))


def pieces(walls: PartyWalls, chosen: Int64) -> tuple[Int64, Objects]:
    """
    Cut what the two walls of contacts have in common.

    Parameters
    ----------
    walls : PartyWalls
        All contacts.
    chosen : (m,) int64
        Which.

    Returns
    -------
    wall : (j,) int64
        The first wall of each that has something in common, ascending.
    piece : (j,) object of shapely geometry
        What it has, as (s, z) of that wall.
    """
    meshes, planes = walls.meshes, walls.planes
    a, b = walls.wall[chosen], walls.other[chosen]
    low, high = walls.low[chosen], walls.high[chosen]
    mine = outlines(meshes, planes, a)
    theirs = outlines(meshes, planes, b)
    coords, index = shapely.get_coordinates(theirs, return_index=True)
    moved = seen_from(coords, index, planes, (b, a), shift_between(meshes, planes, b, a))
    theirs = _snapped(shapely.set_coordinates(theirs, moved), mine)
    common = shapely.intersection(mine, theirs)
    box = shapely.bounds(common)
    beyond = np.flatnonzero((box[:, 0] < low - SNAP_M) | (box[:, 2] > high + SNAP_M))
    if len(beyond):
        window = shapely.box(low[beyond], box[beyond, 1] - 1, high[beyond], box[beyond, 3] + 1)
        common[beyond] = shapely.intersection(common[beyond], window)
    common = _areal(common)
    real = np.flatnonzero(shapely.area(common) > MIN_SHARED_M2)
    return a[real], common[real]


def joined(wall: Int64, piece: Objects) -> tuple[Int64, Objects]:
    """Return each wall once, ascending, with the union of its pieces."""
    walls, first, counts = np.unique(wall, return_index=True, return_counts=True)
    united = piece[first].copy()
    many = np.flatnonzero(counts > 1)
    if len(many):
        each = ranges(first[many], counts[many])
        sets = np.asarray(
            shapely.geometrycollections(piece[each], indices=np.repeat(np.arange(len(many)), counts[many])),
            dtype=object,
        )
        united[many] = shapely.union_all(sets[:, None], axis=1)
    return walls, united


def party_walls(meshes: Meshes, own: Bool, reach_m: float) -> PartyWalls:
    """
    Find the walls that solids hide from each other.

    Parameters
    ----------
    meshes : Meshes
        Closed solids; s of them.
    own : (s,) bool
        Pairs of which neither is among these are left out.
    reach_m : float
        How far apart the two walls of a pair may stand, gap or overlap.

    Returns
    -------
    PartyWalls
        Both sides of each pair.

    Notes
    -----
    A pair's numbers depend on its two solids alone, in their order.
    """
    box = _boxes(meshes)
    one, other = _near_pairs(box, own, reach_m)
    if not len(one):
        return PartyWalls(meshes, wall_planes(meshes, one)[0], one, one, np.empty(0), np.empty(0))
    planes, extent = wall_planes(
        meshes, np.flatnonzero(np.bincount(np.concatenate([one, other]), minlength=len(meshes)))
    )
    first = np.searchsorted(planes.solid, np.arange(len(meshes) + 1))
    near = np.unique(
        np.concatenate(
            [_walls_near(first, extent, one, box[other], reach_m), _walls_near(first, extent, other, box[one], reach_m)]
        )
    )
    wide = extent[near] + np.array([0, 0, reach_m, reach_m])
    shapes = shapely.box(*wide.T)
    a, b = shapely.STRtree(shapes).query(shapes)
    a, b = near[a], near[b]
    told = (planes.solid[a] < planes.solid[b]) & (own[planes.solid[a]] | own[planes.solid[b]])
    a, b = a[told], b[told]
    facing = np.einsum("ij,ij->i", planes.outward[a], planes.outward[b]) < -np.cos(np.radians(TURN_DEG))
    a, b = a[facing], b[facing]
    low, high = _common(meshes, planes, (a, b), reach_m)
    some = high - low > MIN_LENGTH_M
    wall, other = np.concatenate([a[some], b[some]]), np.concatenate([b[some], a[some]])
    order = np.lexsort((other, wall))
    wall, other = wall[order], other[order]
    return PartyWalls(meshes, planes, wall, other, *_common(meshes, planes, (wall, other), reach_m))


def _boxes(meshes: Meshes) -> Float64:
    """Return the plan extent of each solid; (s, 4) float64, working CRS."""
    starts = meshes.solid_vertices[:-1]
    out = np.full((len(meshes), 4), np.nan)
    filled = np.flatnonzero(np.diff(meshes.solid_vertices) > 0)
    if len(filled):
        out[filled, :2] = np.minimum.reduceat(meshes.vertices[:, :2], starts[filled]) + meshes.origins[filled]
        out[filled, 2:] = np.maximum.reduceat(meshes.vertices[:, :2], starts[filled]) + meshes.origins[filled]
    return out


def _near_pairs(box: Float64, own: Bool, reach_m: float) -> tuple[Int64, Int64]:
    """Return pairs of solids whose extents come within reach, each once, at least one of them own."""
    filled = np.flatnonzero(np.isfinite(box[:, 0]))
    shapes = shapely.box(*(box[filled] + np.array([0, 0, reach_m, reach_m])).T)
    one, other = (filled[side] for side in shapely.STRtree(shapes).query(shapes))
    told = (one < other) & (own[one] | own[other])
    return one[told], other[told]


def _walls_near(first: Int64, extent: Float64, solid: Int64, box: Float64, reach_m: float) -> Int64:
    """Return the walls of solids that come within reach of an extent each."""
    counts = first[solid + 1] - first[solid]
    wall = ranges(first[solid], counts)
    near = np.repeat(box, counts, axis=0)
    each = extent[wall]
    meets = (each[:, :2] <= near[:, 2:] + reach_m).all(axis=1) & (each[:, 2:] >= near[:, :2] - reach_m).all(axis=1)
    return wall[meets]


def _common(meshes: Meshes, planes: WallPlanes, pair: tuple[Int64, Int64], reach_m: float) -> tuple[Float64, Float64]:
    """Return from where to where, along the first wall of each pair, the second stands before it and within reach."""
    a, b = pair
    shift = meshes.origins[planes.solid[b]] - meshes.origins[planes.solid[a]]
    start = planes.start[b] + shift - planes.start[a]
    end = start + planes.along[b] * planes.length[b][:, None]
    s = np.stack([np.einsum("ij,ij->i", point, planes.along[a]) for point in (start, end)])
    gap = np.stack([np.einsum("ij,ij->i", point, planes.outward[a]) for point in (start, end)])
    low, high = np.maximum(s.min(axis=0), 0.0), np.minimum(s.max(axis=0), planes.length[a])
    slope = (gap[1] - gap[0]) / np.where(np.abs(s[1] - s[0]) > 1e-12, s[1] - s[0], 1.0)
    # where the second wall's line leaves the reach
    level = np.abs(slope) < 1e-9
    safe = np.where(level, 1.0, slope)
    ends = np.stack([(side - gap[0]) / safe + s[0] for side in (-reach_m, reach_m)])
    low = np.maximum(low, np.where(level, -np.inf, ends.min(axis=0)))
    high = np.minimum(high, np.where(level, np.inf, ends.max(axis=0)))
    high = np.where(level & (np.abs(gap[0]) > reach_m), -np.inf, high)
    return low, high


def _snapped(shapes: Objects, to: Objects) -> Objects:
    """Move corners onto those of other shapes where they are near; a shape that breaks by it stays as it was."""
    out: Objects = shapely.snap(shapes, to, SNAP_M)
    bad = ~shapely.is_valid(out)
    out[bad] = shapes[bad]
    return out


def _areal(shapes: Objects) -> Objects:
    """Keep the polygons of geometries that may have lines and points beside them."""
    odd = np.flatnonzero(shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION)
    if len(odd):
        shapes = shapes.copy()
        for k in odd.tolist():  # walls that also touch along a line: few
            parts = shapely.get_parts(shapes[k])
            shapes[k] = shapely.MultiPolygon([p for p in parts.tolist() if p.geom_type == "Polygon"])
    return shapes
