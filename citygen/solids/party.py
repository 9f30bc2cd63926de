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
from citygen.geom.triangulate import face_vectors
from citygen.model.meshes import WALL, Meshes
from citygen.model.rings import offsets, ranges

TURN_DEG = 5.0
"""Degrees. Walls that turn away from each other by more only touch in a corner."""
MIN_LENGTH_M = 0.02
"""m. Shorter contacts are corners that touch."""
MIN_SHARED_M2 = 1e-3
"""m2. Less is no wall."""
SNAP_M = 1e-3
"""m. Corners of two walls this near are one corner: no strip is left that nobody can see."""


@dataclass(frozen=True, slots=True)
class WallPlanes:
    """
    The frames of wall faces: s along the wall (outside to the right), z up.

    Attributes
    ----------
    face : (w,) int64
        Wall faces of the solids, ascending.
    solid : (w,) int64
        Whose they are.
    start : (w, 2) float64
        Plan point where s is 0, in the frame of the face's solid.
    along, outward : (w, 2) float64
        Unit vectors in plan.
    length : (w,) float64
        Of the wall, metres.
    """

    face: Int64
    solid: Int64
    start: Float64
    along: Float64
    outward: Float64
    length: Float64


@dataclass(frozen=True, slots=True)
class PartyWalls:
    """
    Hidden pieces of walls.

    Attributes
    ----------
    planes : WallPlanes
        Of all walls.
    wall : (k,) int64
        Which of them each piece lies on, ascending.
    piece : (k,) object of shapely geometry
        The piece, as (s, z) of its wall.
    partner : (k,) int64
        The solid that stands before it.
    """

    planes: WallPlanes
    wall: Int64
    piece: Objects
    partner: Int64

    def areas(self, pairs: Bool, n_solids: int) -> Float64:
        """
        Return the area that chosen pieces hide of each solid, what two partners hide once; (n_solids,) float64, m2.

        Parameters
        ----------
        pairs : (k,) bool
            Which pieces count.
        n_solids : int
            Solids in all.
        """
        wall, united = joined(self.wall[pairs], self.piece[pairs])
        return np.bincount(self.planes.solid[wall], weights=shapely.area(united), minlength=n_solids).astype(float)


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
        return PartyWalls(_planes(meshes, np.empty(0, np.int64))[0], *_nothing())
    planes, extent = _planes(meshes, np.flatnonzero(np.bincount(np.concatenate([one, other]), minlength=len(meshes))))
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
    some = np.flatnonzero(high - low > MIN_LENGTH_M)
    some = some[np.lexsort((b[some], a[some]))]
    return _pieces(meshes, planes, (a[some], b[some]), (low[some], high[some]))


def _nothing() -> tuple[Int64, Objects, Int64]:
    none = np.empty(0, dtype=np.int64)
    return none, np.empty(0, dtype=object), none


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


def _planes(meshes: Meshes, solids: Int64) -> tuple[WallPlanes, Float64]:
    """Return the frames of the walls of some solids, and their plan extents in the working CRS."""
    faces = ranges(meshes.solid_faces[:-1][solids], np.diff(meshes.solid_faces)[solids])
    solid = np.repeat(solids, np.diff(meshes.solid_faces)[solids])
    is_wall = meshes.face_class[faces] == WALL
    face, solid = faces[is_wall], solid[is_wall]
    if len(face) == 0:
        two = np.empty((0, 2))
        return WallPlanes(face, solid, two, two, two, np.empty(0)), np.empty((0, 4))
    first = meshes.ring_offsets[meshes.face_offsets[face]]
    size = meshes.ring_offsets[meshes.face_offsets[face + 1]] - first
    corners = meshes.corners[ranges(first, size)]
    flat = _normals(meshes, face)
    outward = flat / np.maximum(np.hypot(flat[:, 0], flat[:, 1]), 1e-30)[:, None]
    along = np.stack([-outward[:, 1], outward[:, 0]], axis=1)
    plan = meshes.vertices[corners, :2]
    wall = np.repeat(np.arange(len(face)), size)
    base = plan[offsets(size)[:-1]]
    s = np.einsum("ij,ij->i", plan - base[wall], along[wall])
    at = offsets(size)[:-1]
    low, high = np.minimum.reduceat(s, at), np.maximum.reduceat(s, at)
    start = base + low[:, None] * along
    end = base + high[:, None] * along
    world = meshes.origins[solid]
    extent = np.concatenate([np.minimum(start, end) + world, np.maximum(start, end) + world], axis=1)
    return WallPlanes(face, solid, start, along, outward, high - low), extent


def _normals(meshes: Meshes, face: Int64) -> Float64:
    """Return the plan part of the area vectors of some faces; (k, 2) float64."""
    n_rings = np.diff(meshes.face_offsets)[face]
    ring = ranges(meshes.face_offsets[face], n_rings)
    size = np.diff(meshes.ring_offsets)[ring]
    corners = meshes.corners[ranges(meshes.ring_offsets[ring], size)]
    out: Float64 = face_vectors(meshes.vertices, corners, offsets(size), offsets(n_rings))[:, :2]
    return out


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


def _pieces(meshes: Meshes, planes: WallPlanes, pair: tuple[Int64, Int64], span: tuple[Float64, Float64]) -> PartyWalls:
    """Cut what the walls of each pair have in common, and say it to both."""
    a, b = pair
    if not len(a):
        return PartyWalls(planes, *_nothing())
    mine = outlines(meshes, planes, a)
    shift = meshes.origins[planes.solid[b]] - meshes.origins[planes.solid[a]]
    theirs = _seen_from(outlines(meshes, planes, b), planes, (b, a), shift)
    theirs = _snapped(theirs, mine)
    low = np.minimum.reduce([shapely.bounds(mine)[:, 1], shapely.bounds(theirs)[:, 1]]) - 1
    high = np.maximum.reduce([shapely.bounds(mine)[:, 3], shapely.bounds(theirs)[:, 3]]) + 1
    common = shapely.intersection(mine, theirs)
    box = shapely.bounds(common)
    beyond = np.flatnonzero((box[:, 0] < span[0] - SNAP_M) | (box[:, 2] > span[1] + SNAP_M))
    if len(beyond):
        window = shapely.box(span[0][beyond], low[beyond], span[1][beyond], high[beyond])
        common[beyond] = shapely.intersection(common[beyond], window)
    common = _areal(common)
    real = np.flatnonzero(shapely.area(common) > MIN_SHARED_M2)
    a, b, common, shift = a[real], b[real], common[real], shift[real]
    back = _seen_from(common, planes, (a, b), -shift)
    back = _snapped(back, outlines(meshes, planes, b))
    wall = np.concatenate([a, b])
    partner = np.concatenate([planes.solid[b], planes.solid[a]])
    order = np.lexsort((partner, wall))
    return PartyWalls(planes, wall[order], np.concatenate([common, back])[order], partner[order])


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


def outlines(meshes: Meshes, planes: WallPlanes, wall: Int64) -> Objects:
    """
    Return walls as polygons in their own frame.

    Parameters
    ----------
    meshes : Meshes
        Whose they are.
    planes : WallPlanes
        Of its walls.
    wall : (k,) int64
        Which.

    Returns
    -------
    (k,) object of shapely.Polygon
        In (s, z), counter-clockwise seen from outside.
    """
    face = planes.face[wall]
    n_rings = np.diff(meshes.face_offsets)[face]
    ring = ranges(meshes.face_offsets[face], n_rings)
    size = np.diff(meshes.ring_offsets)[ring]
    closed = offsets(size + 1)
    corner = np.empty(int(closed[-1]), dtype=np.int64)
    last = np.zeros(len(corner), dtype=bool)
    last[closed[1:] - 1] = True
    corner[~last] = meshes.corners[ranges(meshes.ring_offsets[ring], size)]
    corner[last] = meshes.corners[meshes.ring_offsets[ring]]
    owner = np.repeat(np.repeat(wall, n_rings), size + 1)
    point = meshes.vertices[corner]
    s = np.einsum("ij,ij->i", point[:, :2] - planes.start[owner], planes.along[owner])
    out: Objects = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, np.stack([s, point[:, 2]], axis=1), (closed, offsets(n_rings))
    )
    bad = np.flatnonzero(~shapely.is_valid(out))
    out[bad] = shapely.make_valid(out[bad], method="structure", keep_collapsed=False)
    return out


def _seen_from(shapes: Objects, planes: WallPlanes, walls: tuple[Int64, Int64], shift: Float64) -> Objects:
    """Turn (s, z) of one wall each into that of another, whose solid's origin lies ``shift`` before the first one's."""
    here, there = walls
    coords, index = shapely.get_coordinates(shapes, return_index=True)
    plan = planes.start[here] + shift - planes.start[there]
    zero = np.einsum("ij,ij->i", plan, planes.along[there])
    scale = np.einsum("ij,ij->i", planes.along[here], planes.along[there])
    moved = np.stack([zero[index] + coords[:, 0] * scale[index], coords[:, 1]], axis=1)
    out: Objects = shapely.set_coordinates(shapes.copy(), moved)
    return out
