"""Closed solids of many buildings as ragged arrays: vertices, planar faces with holes, what each face is, whose it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import AnyArray, Float64, Int64, UInt8
from citygen.model.rings import offsets, ranges

FLOOR, WALL, ROOF, SOFFIT = 0, 1, 2, 3
SURFACE_NAMES: tuple[str, ...] = ("GroundSurface", "WallSurface", "RoofSurface", "OuterCeilingSurface")
"""CityGML's names; the index is the code in ``Meshes.face_class``."""


@dataclass(frozen=True, slots=True)
class Meshes:
    """
    Solids, one a footprint polygon (a building of two polygons has two).

    Attributes
    ----------
    vertices : (n, 3) float64
        Metres: plan coordinates relative to the solid's origin, z in the DEM's vertical datum.
    corners : (c,) int64
        Vertex numbers of all face rings; outlines counter-clockwise seen from outside, holes clockwise.
    ring_offsets : (r + 1,) int64
        Corners of each ring.
    face_offsets : (f + 1,) int64
        Rings of each face, the outline first.
    face_class : (f,) uint8
        ``FLOOR``, ``WALL``, ``ROOF`` or ``SOFFIT`` (the underside of an overhang).
    solid_faces, solid_vertices : (s + 1,) int64
        Faces and vertices of each solid.
    solid_row : (s,) int64
        Row of the building in the tile's table.
    origins : (s, 2) float64
        Working CRS coordinates of each solid's local origin (whole metres).
    """

    vertices: Float64
    corners: Int64
    ring_offsets: Int64
    face_offsets: Int64
    face_class: UInt8
    solid_faces: Int64
    solid_vertices: Int64
    solid_row: Int64
    origins: Float64

    def __len__(self) -> int:
        return len(self.solid_row)


def no_meshes() -> Meshes:
    """Return no solids at all."""
    zero = np.zeros(1, dtype=np.int64)
    none = np.empty(0, dtype=np.int64)
    return Meshes(np.empty((0, 3)), none, zero, zero, np.empty(0, np.uint8), zero, zero, none, np.empty((0, 2)))


def concatenate(parts: Sequence[Meshes]) -> Meshes:
    """Return all solids of several, in order; at least one part must be given."""
    vertex = np.cumsum([0, *(len(m.vertices) for m in parts)])
    corner = np.cumsum([0, *(len(m.corners) for m in parts)])
    ring = np.cumsum([0, *(len(m.ring_offsets) - 1 for m in parts)])
    face = np.cumsum([0, *(len(m.face_class) for m in parts)])

    def joined(arrays: Sequence[Int64], shifts: AnyArray) -> Int64:
        tails = [a[1:] + s for a, s in zip(arrays, shifts, strict=False)]
        return np.concatenate([np.zeros(1, np.int64), *tails])

    return Meshes(
        vertices=np.concatenate([m.vertices for m in parts]),
        corners=np.concatenate([m.corners + s for m, s in zip(parts, vertex, strict=False)]),
        ring_offsets=joined([m.ring_offsets for m in parts], corner),
        face_offsets=joined([m.face_offsets for m in parts], ring),
        face_class=np.concatenate([m.face_class for m in parts]),
        solid_faces=joined([m.solid_faces for m in parts], face),
        solid_vertices=joined([m.solid_vertices for m in parts], vertex),
        solid_row=np.concatenate([m.solid_row for m in parts]),
        origins=np.concatenate([m.origins for m in parts]),
    )


def take(meshes: Meshes, index: Int64) -> Meshes:
    """Return chosen solids, in the order of ``index`` ((k,) int64)."""
    n_vertices = np.diff(meshes.solid_vertices)[index]
    n_faces = np.diff(meshes.solid_faces)[index]
    face = ranges(meshes.solid_faces[index], n_faces)
    n_rings = np.diff(meshes.face_offsets)[face]
    ring = ranges(meshes.face_offsets[face], n_rings)
    sizes = np.diff(meshes.ring_offsets)[ring]
    solid_vertices = offsets(n_vertices)
    of_face = np.repeat(np.arange(len(index)), n_faces)
    of_ring = np.repeat(of_face, n_rings)
    shift = (solid_vertices[:-1] - meshes.solid_vertices[index])[np.repeat(of_ring, sizes)]
    return Meshes(
        vertices=meshes.vertices[ranges(meshes.solid_vertices[index], n_vertices)],
        corners=meshes.corners[ranges(meshes.ring_offsets[ring], sizes)] + shift,
        ring_offsets=offsets(sizes),
        face_offsets=offsets(n_rings),
        face_class=meshes.face_class[face],
        solid_faces=offsets(n_faces),
        solid_vertices=solid_vertices,
        solid_row=meshes.solid_row[index],
        origins=meshes.origins[index],
    )
