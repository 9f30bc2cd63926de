"""Roofs that reach beyond their walls to closed solids: the kernels behind ``solids.overhang``."""

import numpy as np
from numba import njit

from citygen.model.meshes import FLOOR, ROOF, SOFFIT, WALL


@njit(cache=True, nogil=True)
def trace(outlines, roof_edge, at, links, counts, ok):
    """
    Follow the rim of the underside along the walls and along the roof's edge.

    Takes footprint ring and polygon offsets and the grown outlines' vertex offsets a polygon; chains and their offsets of
    the roof's edge; the node of each footprint vertex and of each roof point (-1: none); before and after each node on the
    rim (-1: none); the rim's length in edges of each polygon; and which polygons have a roof. Returns the nodes along each
    footprint edge and their offsets, and which polygons' rims are just these two.
    """
    ring_offsets, polygon_offsets, grown_vertices = outlines
    chain, chain_offsets = roof_edge
    vertex_node, point_node = at
    before, after = links
    good = np.zeros(len(ok), np.bool_)
    walls = np.empty(2 * len(vertex_node) + len(after), np.int64)
    wall_offsets = np.zeros(len(vertex_node) + 1, np.int64)
    n = 0
    for p in range(len(ok)):
        start, used, fine = n, 0, ok[p]
        for r in range(polygon_offsets[p], polygon_offsets[p + 1]):
            for i in range(ring_offsets[r], ring_offsets[r + 1]):
                j = i + 1 if i + 1 < ring_offsets[r + 1] else ring_offsets[r]
                node, last = vertex_node[i], vertex_node[j]
                fine = fine and node >= 0 and last >= 0
                if fine:
                    walls[n] = node
                    n += 1
                    while fine and node != last:
                        node = before[node]
                        used += 1
                        fine = node >= 0 and used <= counts[p]
                        if fine:
                            walls[n] = node
                            n += 1
                wall_offsets[i + 1] = n
        for e in range(grown_vertices[p], grown_vertices[p + 1]):
            for q in range(chain_offsets[e], chain_offsets[e + 1] - 1):
                a, b = point_node[chain[q]], point_node[chain[q + 1]]
                fine = fine and a >= 0 and b >= 0
                if fine and a != b:
                    fine = after[a] == b
                    used += 1
        good[p] = fine and used == counts[p]
        if not good[p]:
            n = start
            for i in range(ring_offsets[polygon_offsets[p]], ring_offsets[polygon_offsets[p + 1]]):
                wall_offsets[i + 1] = n
    return walls[:n].copy(), wall_offsets, good


@njit(cache=True, nogil=True)
def hang(outlines, roof, cells, walls, nodes, heights, ok):
    """
    Close solids: floor, walls up to the underside, the underside, the roof's edge, the roof.

    Takes footprint coordinates, ring and polygon offsets and the grown outlines' vertex offsets; the arrays of
    ``RoofSurfaces`` but its last; cells (corner nodes, ring offsets, face offsets, faces a polygon); walls (nodes, offsets
    an edge); nodes (places with z above the eave, offsets a polygon, the node of each roof point); base and eave; and which
    polygons to close. Returns the arrays of ``Meshes`` up to the solids' vertices.
    """
    coords, ring_offsets, polygon_offsets, grown_vertices = outlines
    points, roof_corners, roof_rings, roof_faces, polygon_faces, riser, chain, chain_offsets = roof
    cell_corners, cell_rings, cell_faces, polygon_cells = cells
    wall_nodes, wall_offsets = walls
    places, node_offsets, point_node = nodes
    base_z, eave_z = heights
    n_corners = 3 * len(coords) + len(wall_nodes) + len(cell_corners) + 2 * len(chain) + len(roof_corners)
    n_faces = len(ok) + len(coords) + len(cell_faces) + len(chain_offsets) + len(riser)
    n_rings = len(ring_offsets) + len(coords) + len(cell_rings) + len(chain_offsets) + len(roof_rings)
    vertices = np.empty((len(coords) + len(points) + len(places), 3))
    corners = np.empty(n_corners, np.int64)
    rings, faces = np.zeros(n_rings + 1, np.int64), np.zeros(n_faces + 1, np.int64)
    face_class = np.empty(n_faces, np.uint8)
    solid_faces, solid_vertices = np.zeros(len(ok) + 1, np.int64), np.zeros(len(ok) + 1, np.int64)
    renamed = np.full(len(points), -1, np.int64)
    c, r, f, v = 0, 0, 0, 0
    for p in range(len(ok)):
        if ok[p]:
            first, last = polygon_offsets[p], polygon_offsets[p + 1]
            start, stop = ring_offsets[first], ring_offsets[last]
            bottom = v - start
            for i in range(start, stop):
                vertices[v, 0], vertices[v, 1], vertices[v, 2] = coords[i, 0], coords[i, 1], base_z[p]
                v += 1
            under = v - node_offsets[p]
            for k in range(node_offsets[p], node_offsets[p + 1]):
                vertices[v, 0], vertices[v, 1], vertices[v, 2] = places[k, 0], places[k, 1], places[k, 2] + eave_z[p]
                v += 1
            for q in range(roof_rings[roof_faces[polygon_faces[p]]], roof_rings[roof_faces[polygon_faces[p + 1]]]):
                k = roof_corners[q]
                if renamed[k] < 0:
                    vertices[v, 0], vertices[v, 1], vertices[v, 2] = (
                        points[k, 0],
                        points[k, 1],
                        points[k, 2] + eave_z[p],
                    )
                    renamed[k] = v
                    v += 1
            for k in range(first, last):  # the floor looks down: rings backwards
                for i in range(ring_offsets[k + 1] - 1, ring_offsets[k] - 1, -1):
                    corners[c] = bottom + i
                    c += 1
                r += 1
                rings[r] = c
            face_class[f] = FLOOR
            f += 1
            faces[f] = r
            for k in range(first, last):
                for i in range(ring_offsets[k], ring_offsets[k + 1]):
                    j = i + 1 if i + 1 < ring_offsets[k + 1] else ring_offsets[k]
                    corners[c], corners[c + 1] = bottom + i, bottom + j
                    c += 2
                    for q in range(wall_offsets[i + 1] - 1, wall_offsets[i] - 1, -1):
                        corners[c] = under + wall_nodes[q]
                        c += 1
                    r += 1
                    rings[r] = c
                    face_class[f] = WALL
                    f += 1
                    faces[f] = r
            for g in range(polygon_cells[p], polygon_cells[p + 1]):
                for k in range(cell_faces[g], cell_faces[g + 1]):
                    for q in range(cell_rings[k + 1] - 1, cell_rings[k] - 1, -1):
                        corners[c] = under + cell_corners[q]
                        c += 1
                    r += 1
                    rings[r] = c
                face_class[f] = SOFFIT
                f += 1
                faces[f] = r
            for e in range(grown_vertices[p], grown_vertices[p + 1]):
                for q in range(chain_offsets[e], chain_offsets[e + 1]):
                    corners[c] = under + point_node[chain[q]]
                    c += 1
                for q in range(chain_offsets[e + 1] - 1, chain_offsets[e] - 1, -1):
                    corners[c] = renamed[chain[q]]
                    c += 1
                r += 1
                rings[r] = c
                face_class[f] = WALL
                f += 1
                faces[f] = r
            for g in range(polygon_faces[p], polygon_faces[p + 1]):
                for k in range(roof_faces[g], roof_faces[g + 1]):
                    for q in range(roof_rings[k], roof_rings[k + 1]):
                        corners[c] = renamed[roof_corners[q]]
                        c += 1
                    r += 1
                    rings[r] = c
                face_class[f] = WALL if riser[g] else ROOF
                f += 1
                faces[f] = r
        solid_faces[p + 1], solid_vertices[p + 1] = f, v
    return vertices[:v], corners[:c], rings[: r + 1], faces[: f + 1], face_class[:f], solid_faces, solid_vertices
