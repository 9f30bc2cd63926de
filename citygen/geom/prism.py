"""Rings and the surfaces over them to closed prisms: the kernel behind ``solids.extrude``."""

import numpy as np
from numba import njit

from citygen.model.meshes import FLOOR, ROOF, WALL


@njit(cache=True, nogil=True)
def assemble(coords, ring_offsets, polygon_offsets, roof, base_z, eave_z):
    """
    Close polygons between a level base and their roof surfaces.

    Takes rings, the arrays of ``RoofSurfaces`` in their order, and base and eave heights a polygon; returns vertices,
    corners, ring offsets, face offsets, face classes, and face and vertex offsets a solid, as in ``Meshes``. A polygon
    without a roof gets no faces.
    """
    points, roof_corners, roof_rings, roof_faces, polygon_faces, riser, chain, chain_offsets, ok = roof
    n_vertices, n_poly = len(coords), len(polygon_offsets) - 1
    n_corners = len(roof_corners) + n_vertices + 2 * n_vertices + len(chain)
    n_rings = len(roof_rings) - 1 + len(ring_offsets) - 1 + n_vertices
    n_faces = len(riser) + n_poly + n_vertices
    vertices = np.empty((n_vertices + len(points), 3))
    corners = np.empty(n_corners, np.int64)
    rings, faces = np.zeros(n_rings + 1, np.int64), np.zeros(n_faces + 1, np.int64)
    face_class = np.empty(n_faces, np.uint8)
    solid_faces, solid_vertices = np.zeros(n_poly + 1, np.int64), np.zeros(n_poly + 1, np.int64)
    c, r, f, v, point = 0, 0, 0, 0, 0
    for p in range(n_poly):
        if ok[p]:
            first_ring, last_ring = polygon_offsets[p], polygon_offsets[p + 1]
            start, stop = ring_offsets[first_ring], ring_offsets[last_ring]
            bottom, top = v - start, v + (stop - start) - point
            for i in range(start, stop):
                vertices[v, 0], vertices[v, 1], vertices[v, 2] = coords[i, 0], coords[i, 1], base_z[p]
                v += 1
            last_point = point
            for q in range(roof_rings[roof_faces[polygon_faces[p]]], roof_rings[roof_faces[polygon_faces[p + 1]]]):
                last_point = max(last_point, roof_corners[q] + 1)
            for q in range(point, last_point):
                vertices[v, 0], vertices[v, 1], vertices[v, 2] = points[q, 0], points[q, 1], points[q, 2] + eave_z[p]
                v += 1
            point = last_point
            for k in range(first_ring, last_ring):  # the floor looks down: rings backwards
                for i in range(ring_offsets[k + 1] - 1, ring_offsets[k] - 1, -1):
                    corners[c] = bottom + i
                    c += 1
                r += 1
                rings[r] = c
            face_class[f] = FLOOR
            f += 1
            faces[f] = r
            for k in range(first_ring, last_ring):
                for i in range(ring_offsets[k], ring_offsets[k + 1]):
                    j = i + 1 if i + 1 < ring_offsets[k + 1] else ring_offsets[k]
                    corners[c], corners[c + 1] = bottom + i, bottom + j
                    c += 2
                    for q in range(chain_offsets[i + 1] - 1, chain_offsets[i] - 1, -1):
                        corners[c] = top + chain[q]
                        c += 1
                    r += 1
                    rings[r] = c
                    face_class[f] = WALL
                    f += 1
                    faces[f] = r
            for g in range(polygon_faces[p], polygon_faces[p + 1]):
                for k in range(roof_faces[g], roof_faces[g + 1]):
                    for q in range(roof_rings[k], roof_rings[k + 1]):
                        corners[c] = top + roof_corners[q]
                        c += 1
                    r += 1
                    rings[r] = c
                face_class[f] = WALL if riser[g] else ROOF
                f += 1
                faces[f] = r
        solid_faces[p + 1], solid_vertices[p + 1] = f, v
    return vertices[:v], corners[:c], rings[: r + 1], faces[: f + 1], face_class[:f], solid_faces, solid_vertices


@njit(cache=True, nogil=True)
def count_fans(tail, following, n_vertices):
    """
    Count the fans of faces around each vertex.

    ``tail[c]`` is the vertex of face corner ``c``, ``following[c]`` the corner of the same vertex in the face next to it
    around the vertex. Returns (n_vertices,) int64.
    """
    fans = np.zeros(n_vertices, np.int64)
    seen = np.zeros(len(tail), np.bool_)
    for start in range(len(tail)):
        if seen[start]:
            continue
        fans[tail[start]] += 1
        c = start
        while not seen[c]:
            seen[c] = True
            c = following[c]
    return fans


@njit(cache=True, nogil=True)
def plan_turning(vertices, corners, ring_offsets):
    """
    Return by how much each ring turns in plan on its way round, in whole turns, left positive.

    A ring that crosses itself once, however little, makes one turn more or less than the one that a simple ring makes.
    """
    out = np.zeros(len(ring_offsets) - 1)
    for r in range(len(out)):
        start, stop = ring_offsets[r], ring_offsets[r + 1]
        a, b = corners[stop - 2], corners[stop - 1]
        ux, uy = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
        for k in range(start, stop):
            c = corners[k]
            vx, vy = vertices[c, 0] - vertices[b, 0], vertices[c, 1] - vertices[b, 1]
            out[r] += np.arctan2(ux * vy - uy * vx, ux * vx + uy * vy)
            b, ux, uy = c, vx, vy
    return out / (2.0 * np.pi)
