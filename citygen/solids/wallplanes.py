"""Wall faces of solids to frames in which each is a polygon: s along the wall, z up; and from one wall's frame to another's."""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Float64, Int64, Objects
from citygen.geom.triangulate import face_vectors
from citygen.model.meshes import WALL, Meshes
from citygen.model.rings import offsets, ranges


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


def wall_planes(meshes: Meshes, solids: Int64) -> tuple[WallPlanes, Float64]:
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


def shift_between(meshes: Meshes, planes: WallPlanes, here: Int64, there: Int64) -> Float64:
    """Return where the origin of one wall's solid lies, seen from that of another's."""
    out: Float64 = meshes.origins[planes.solid[here]] - meshes.origins[planes.solid[there]]
    return out


def seen_from(coords: Float64, index: Int64, planes: WallPlanes, walls: tuple[Int64, Int64], shift: Float64) -> Float64:
    """Turn (s, z) of one wall each into that of another, whose solid's origin lies ``shift`` before the first one's."""
    here, there = walls
    plan = planes.start[here] + shift - planes.start[there]
    zero = np.einsum("ij,ij->i", plan, planes.along[there])
    scale = np.einsum("ij,ij->i", planes.along[here], planes.along[there])
    return np.stack([zero[index] + coords[:, 0] * scale[index], coords[:, 1]], axis=1)


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
    opened, closed = offsets(size), offsets(size + 1)
    points, _ = wall_corners(meshes, planes, wall)
    coords = np.empty((int(closed[-1]), 2))
    last = np.zeros(len(coords), dtype=bool)
    last[closed[1:] - 1] = True
    coords[~last], coords[last] = points, points[opened[:-1]]
    out: Objects = shapely.from_ragged_array(shapely.GeometryType.POLYGON, coords, (closed, offsets(n_rings)))
    bad = np.flatnonzero(~shapely.is_valid(out))
    out[bad] = shapely.make_valid(out[bad], method="structure", keep_collapsed=False)
    return out


def wall_corners(meshes: Meshes, planes: WallPlanes, wall: Int64) -> tuple[Float64, Int64]:
    """Return the corners of walls, all rings of each in turn, as (s, z), and how many each has."""
    first = meshes.ring_offsets[meshes.face_offsets[planes.face[wall]]]
    sizes = meshes.ring_offsets[meshes.face_offsets[planes.face[wall] + 1]] - first
    point = meshes.vertices[meshes.corners[ranges(first, sizes)]]
    owner = np.repeat(wall, sizes)
    s = np.einsum("ij,ij->i", point[:, :2] - planes.start[owner], planes.along[owner])
    return np.stack([s, point[:, 2]], axis=1), sizes
