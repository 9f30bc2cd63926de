"""Solids to their sloped roof faces, and numbers asked for to places on those faces: level rows, clear of every edge."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.apportion import apportion
from citygen.geom.spans import clear_spans
from citygen.geom.tolerances import MIN_FACE_M2, TOUCH_M
from citygen.geom.triangulate import face_vectors
from citygen.model.meshes import ROOF, Meshes
from citygen.model.rings import offsets

_NEARLY = 0.9
"""A row this near to the longest one is long enough."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """
    Sloped planar roof faces; plan coordinates on one are ``along`` it, level, to the right, and ``across``, up the slope.

    Attributes
    ----------
    face, solid : (k,) int64
        The faces, ascending, and their solids.
    up : (k, 2) float64
        Unit plan direction up the slope.
    rise : (k,) float64
        Metres up a metre of plan: the tangent of the pitch.
    anchor : (k, 3) float64
        A point of the face's plane.
    low, high : (k,) float64
        Least and greatest ``across`` of the face, metres.
    """

    face: Int64
    solid: Int64
    up: Float64
    rise: Float64
    anchor: Float64
    low: Float64
    high: Float64

    def __len__(self) -> int:
        return len(self.face)

    def height(self, across: Float64) -> Float64:
        """Return z of each plane at a place on it."""
        start = np.einsum("ij,ij->i", self.anchor[:, :2], self.up)
        out: Float64 = self.anchor[:, 2] + self.rise * (across - start)
        return out

    def take(self, index: Int64 | Bool) -> "Slopes":
        """Return chosen faces."""
        plane = (self.up[index], self.rise[index], self.anchor[index])
        return Slopes(self.face[index], self.solid[index], *plane, self.low[index], self.high[index])

    def plan(self, along: Float64, across: Float64) -> Float64:
        """Return (k, 2) plan coordinates in the solid's frame."""
        right = np.stack([self.up[:, 1], -self.up[:, 0]], axis=1)
        out: Float64 = along[:, None] * right + across[:, None] * self.up
        return out


def find_slopes(meshes: Meshes, chosen: Bool, pitch_deg: tuple[float, float]) -> Slopes:
    """
    Find roof faces of a pitch.

    Parameters
    ----------
    meshes : Meshes
        Certified.
    chosen : (f,) bool
        Faces to look at.
    pitch_deg : (float, float)
        Inclusive bounds.

    Returns
    -------
    Slopes
        In the order of the faces.
    """
    vectors = face_vectors(meshes.vertices, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    area = np.linalg.norm(vectors, axis=1)
    steepness = np.hypot(vectors[:, 0], vectors[:, 1]) / np.maximum(vectors[:, 2], MIN_FACE_M2)
    low, high = (np.tan(np.radians(angle)) for angle in pitch_deg)
    sloped = (meshes.face_class == ROOF) & chosen & (area > MIN_FACE_M2) & (steepness >= low) & (steepness <= high)
    face = np.flatnonzero(sloped)
    up = -vectors[face, :2] / np.hypot(vectors[face, 0], vectors[face, 1])[:, None]
    start, stop = meshes.ring_offsets[meshes.face_offsets[face]], meshes.ring_offsets[meshes.face_offsets[face] + 1]
    sizes = stop - start
    corner = np.repeat(start - offsets(sizes)[:-1], sizes) + np.arange(sizes.sum())
    of = np.repeat(np.arange(len(face)), sizes)
    points = meshes.vertices[meshes.corners[corner]]
    across = np.einsum("ij,ij->i", points[:, :2], up[of])
    at = offsets(sizes)[:-1]
    return Slopes(
        face=face,
        solid=np.searchsorted(meshes.solid_faces, face, side="right") - 1,
        up=up,
        rise=steepness[face],
        anchor=np.stack([np.bincount(of, points[:, k], len(face)) for k in range(3)], axis=1) / sizes[:, None],
        low=np.minimum.reduceat(across, at) if len(face) else np.empty(0),
        high=np.maximum.reduceat(across, at) if len(face) else np.empty(0),
    )


@dataclass(frozen=True, slots=True)
class Room:
    """
    What a thing needs on each of k slopes, in plan, metres.

    Attributes
    ----------
    width, depth : (k,) float64
        Along and across.
    side, end : (k,) float64
        Left free along and across, to every edge of the face.
    gap : float
        Left free between two things of a row.
    weight : (k,) float64
        How much a metre of each slope is preferred.
    shares : tuple of float
        Where a row may lie, preferred first: 0 at the foot of the slope, 1 at its head.
    inset : (k,) float64
        How far the places of a row keep from its ends, at least half the width when they are not spread evenly.
    enough : (k,) float64
        A row of this length is taken before a longer one that is less preferred.
    """

    width: Float64
    depth: Float64
    side: Float64
    end: Float64
    gap: float
    weight: Float64
    shares: tuple[float, ...]
    inset: Float64
    enough: Float64

    def take(self, index: Int64 | Bool) -> "Room":
        """Return the room on some slopes."""
        size = (self.width[index], self.depth[index], self.side[index], self.end[index])
        return Room(*size, self.gap, self.weight[index], self.shares, self.inset[index], self.enough[index])


def find_places(
    meshes: Meshes, slopes: Slopes, room: Room, wanted: tuple[Int64, Float64]
) -> tuple[Int64, Float64, Float64]:
    """
    Choose places for things: one row a slope, numbers by the rows' lengths.

    Parameters
    ----------
    meshes : Meshes
        Certified; holes of faces are kept clear of.
    slopes : Slopes
        k of its faces.
    room : Room
        For each of them.
    wanted : ((n,) int64, (n,) float64)
        By table row: how many on all its solids together, and where in its share of a row each stands (0.5 in the middle).

    Returns
    -------
    slope : (m,) int64
        Of each place.
    along, across : (m,) float64
        Middle of its lower edge.
    """
    job, start, span = _best_rows(meshes, slopes, room)
    row = meshes.solid_row[slopes.solid[job]]
    order = np.argsort(row, kind="stable")
    job, start, span, row = job[order], start[order], span[order], row[order]
    length = span[:, 1] - span[:, 0] - 2 * room.inset[job]
    fits = np.maximum(np.floor(length / (room.width[job] + room.gap) + 1e-9), 1.0).astype(np.int64)
    group = np.searchsorted(row, np.arange(len(wanted[0]) + 1))
    weight = room.weight[job] * (span[:, 1] - span[:, 0])
    share = apportion(group, weight, fits, wanted[0])
    of = np.repeat(np.arange(len(job)), share)
    turn = np.arange(len(of)) - offsets(share)[of]
    step = length[of] / share[of]
    along = span[of, 0] + room.inset[job[of]] + (turn + wanted[1][row[of]]) * step
    return job[of], along, start[of]


def _best_rows(meshes: Meshes, slopes: Slopes, room: Room) -> tuple[Int64, Float64, Float64]:
    """Return the spans of each slope's best row: slope, where across the row starts, and from where to where along."""
    slack = slopes.high - slopes.low - room.depth - 2 * room.end
    able = np.flatnonzero(slack >= -TOUCH_M)
    n = len(room.shares)
    slope = np.repeat(able, n)
    start = (slopes.low + room.end)[slope] + np.maximum(slack, 0.0)[slope] * np.tile(room.shares, len(able))
    clear = room.end[slope] - TOUCH_M
    band = np.stack([start - clear, start + room.depth[slope] + clear, room.side[slope]], axis=1)
    xy = meshes.vertices[meshes.corners, :2]
    least = room.width[slope]
    job, span = clear_spans(
        xy, meshes.ring_offsets, meshes.face_offsets, slopes.face[slope], slopes.up[slope], band, least
    )
    total = np.bincount(job, span[:, 1] - span[:, 0], len(slope)).reshape(len(able), n)
    good = (total > 0) & (total >= np.minimum(room.enough[able], _NEARLY * total.max(axis=1))[:, None])
    best = np.arange(len(able)) * n + good.argmax(axis=1)
    kept = np.isin(job, best)
    return slope[job[kept]], start[job[kept]], span[kept]


def stand(slopes: Slopes, places: tuple[tuple[Float64, Float64, Float64], ...]) -> Float64:
    """
    Return places on slopes in the frames of their solids.

    Parameters
    ----------
    slopes : Slopes
        k slopes.
    places : tuple of ((k,), (k,), (k,) float64)
        Along and across each slope, and z.

    Returns
    -------
    (k, len(places), 3) float64
    """
    points = [np.concatenate([slopes.plan(along, across), z[:, None]], axis=1) for along, across, z in places]
    out: Float64 = np.stack(points, axis=1)
    return out
