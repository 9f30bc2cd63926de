"""
Closed solids and things that stand on their faces to closed solids of one shell each.

A thing shares a ring of vertices with the face that it stands on: the ring becomes a hole of that face, and the thing's own
faces close it. Every edge of the ring then has one face on each side, as before, so a closed solid stays closed.
"""

from dataclasses import dataclass, replace

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.model.meshes import ROOF, WALL, Meshes
from citygen.model.rings import offsets, ranges


@dataclass(frozen=True, slots=True)
class Template:
    """
    How the vertices of one kind of thing are joined.

    Attributes
    ----------
    n_vertices : int
        Of one thing, those of the ring first.
    n_ring : int
        Vertices of the ring, counter-clockwise seen from outside.
    faces : tuple of tuple of int
        Its faces, counter-clockwise seen from outside; no holes.
    classes : tuple of int
        ``WALL`` or ``ROOF``, one a face.
    """

    n_vertices: int
    n_ring: int
    faces: tuple[tuple[int, ...], ...]
    classes: tuple[int, ...]


PRISM = Template(8, 4, ((0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (4, 5, 6, 7)), (WALL,) * 4 + (ROOF,))
"""Four walls up to a level top: vertices 4 to 7 stand over 0 to 3."""

SHED = Template(6, 4, ((0, 1, 5, 4), (1, 2, 5), (3, 0, 4), (4, 5, 2, 3)), (WALL, WALL, WALL, ROOF))
"""A front on 0 and 1 up to 4 and 5, two cheeks, one plane from there to the back edge 2 to 3."""

GABLE = Template(
    8, 5, ((0, 1, 6, 7, 5), (1, 2, 6), (4, 0, 5), (6, 2, 3, 7), (5, 7, 3, 4)), (WALL, WALL, WALL, ROOF, ROOF)
)
"""A front on 0 and 1 up to 5 and 6 with the gable's top 7, two cheeks, two planes whose ridge runs from 7 to 3."""


@dataclass(frozen=True, slots=True)
class Things:
    """
    Things of one kind.

    Attributes
    ----------
    template : Template
        Their kind.
    face : (k,) int64
        The face on which each stands.
    vertices : (k, template.n_vertices, 3) float64
        In the frame of that face's solid; the ring lies on the face, within its outline and clear of its holes.
    """

    template: Template
    face: Int64
    vertices: Float64

    def __len__(self) -> int:
        return len(self.face)


def insert(meshes: Meshes, things: Things) -> Meshes:
    """
    Put things on faces.

    Parameters
    ----------
    meshes : Meshes
        Closed solids.
    things : Things
        What to put where.

    Returns
    -------
    Meshes
        The same solids in the same order. Vertices and faces that were there come first in each solid, in their order,
        then those of its things; the holes of a face come after those that it had.
    """
    kind, n = things.template, len(things)
    if n == 0:
        return meshes
    solid = np.searchsorted(meshes.solid_faces, things.face, side="right") - 1
    order = np.argsort(solid, kind="stable")
    solid, face = solid[order], things.face[order]
    each = np.bincount(solid, minlength=len(meshes))
    before = np.arange(n) - offsets(each)[solid]  # things of the same solid that come before
    solid_vertices = meshes.solid_vertices + kind.n_vertices * offsets(each)
    solid_faces = meshes.solid_faces + len(kind.faces) * offsets(each)
    first_vertex = solid_vertices[solid] + np.diff(meshes.solid_vertices)[solid] + kind.n_vertices * before
    first_face = solid_faces[solid] + np.diff(meshes.solid_faces)[solid] + len(kind.faces) * before

    old_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    old_face = np.arange(len(old_solid)) + (solid_faces - meshes.solid_faces)[old_solid]
    old_ring_face = np.repeat(old_face, np.diff(meshes.face_offsets))
    sizes = np.diff(meshes.ring_offsets)
    shift = (solid_vertices - meshes.solid_vertices)[np.repeat(old_solid, np.diff(meshes.face_offsets))]
    hole = first_vertex[:, None] + np.arange(kind.n_ring)[::-1]
    walls = first_vertex[:, None] + np.concatenate([np.array(ring) for ring in kind.faces])
    corners = np.concatenate([meshes.corners + np.repeat(shift, sizes), hole.reshape(-1), walls.reshape(-1)])
    sizes = np.concatenate([sizes, np.full(n, kind.n_ring), np.tile([len(ring) for ring in kind.faces], n)])
    new_face = first_face[:, None] + np.arange(len(kind.faces))
    ring_face = np.concatenate([old_ring_face, old_face[face], new_face.reshape(-1)])
    by_face = np.argsort(ring_face, kind="stable")
    classes = np.empty(solid_faces[-1], dtype=np.uint8)
    classes[old_face], classes[new_face] = meshes.face_class, np.array(kind.classes, dtype=np.uint8)
    vertices = np.empty((solid_vertices[-1], 3))
    old_vertex = ranges(solid_vertices[:-1], np.diff(meshes.solid_vertices))
    vertices[old_vertex] = meshes.vertices
    vertices[first_vertex[:, None] + np.arange(kind.n_vertices)] = things.vertices[order]
    return replace(
        meshes,
        vertices=vertices,
        corners=corners[ranges(offsets(sizes)[by_face], sizes[by_face])],
        ring_offsets=offsets(sizes[by_face]),
        face_offsets=offsets(np.bincount(ring_face, minlength=len(classes))),
        face_class=classes,
        solid_faces=solid_faces,
        solid_vertices=solid_vertices,
    )
