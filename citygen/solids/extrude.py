"""Footprint rings with roof surfaces to closed solids: a floor, one wall an edge up to the roof's edge, the roof on top."""

import numpy as np
from numba import njit

from citygen.arraytypes import Float64, Int64
from citygen.model.meshes import FLOOR, ROOF, WALL, Meshes
from citygen.model.rings import Rings
from citygen.model.surfaces import RoofSurfaces


@njit(cache=True, nogil=True)
def _assemble(coords, ring_offsets, polygon_offsets, roof, base_z, eave_z):
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


def extrude(
    rings: Rings, roof: RoofSurfaces, base_z: Float64, eave_z: Float64, rows_origins: tuple[Int64, Float64]
) -> Meshes:
    """
    Close solids between a floor and a roof.

    Parameters
    ----------
    rings : Rings
        Footprint polygons in local plan coordinates.
    roof : RoofSurfaces
        Their roofs; a polygon whose roof is not ``ok`` becomes a solid without faces.
    base_z, eave_z : (p,) float64
        Floor and eave, metres in the DEM's vertical datum; the eave at least ``MIN_WALL_M`` above the floor.
    rows_origins : ((p,) int64, (p, 2) float64)
        The table row and the local origin of each polygon.

    Returns
    -------
    Meshes
        One solid a polygon, in order.
    """
    arrays = (
        roof.points,
        roof.corners,
        roof.ring_offsets,
        roof.face_offsets,
        roof.polygon_faces,
        roof.riser,
        roof.chain,
        roof.chain_offsets,
        roof.ok,
    )
    parts = _assemble(rings.coords, rings.ring_offsets, rings.polygon_offsets, arrays, base_z, eave_z)
    return Meshes(*parts, rows_origins[0], rows_origins[1])
