"""Cells of a planar graph and heights at its nodes to roof faces: a plane each where the nodes lie in one, else triangles."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely

from citygen.arraytypes import Float64
from citygen.geom.cells import Loops
from citygen.geom.planargraph import PlanarGraph
from citygen.geom.tolerances import MIN_FACE_M2, PLANAR_M
from citygen.geom.triangulate import face_vectors, triangulate
from citygen.model.rings import offsets
from citygen.model.surfaces import RoofSurfaces


@dataclass(frozen=True, slots=True)
class Lifted:
    """
    The roof of one polygon.

    Attributes
    ----------
    points : (m, 3) float64
        Every node that a face uses; z from 0 to 1 where the caller has not scaled it.
    faces : list of list of list of int
        Rings of point numbers of each face, counter-clockwise seen from above.
    chains : list of list of int
        Points along each ring edge.
    """

    points: Float64
    faces: list[Loops]
    chains: list[list[int]]


def lift(graph: PlanarGraph, found: list[Loops], z: Float64) -> Lifted | None:
    """
    Raise cells to faces.

    Parameters
    ----------
    graph : PlanarGraph
        Of the polygon.
    found : list of list of list of int
        Its cells.
    z : (n,) float64
        Height of each node, metres; those of unused ones are not read.

    Returns
    -------
    Lifted or None
        None where a cell could not be cut into triangles.
    """
    points = np.column_stack([graph.points(), z])
    faces: list[Loops] = []
    for cell in found:
        if _is_plane(points, cell):
            faces.append(cell)
            continue
        cut = triangles(points, cell)
        if cut is None:
            return None
        faces.extend([t] for t in cut)
    used = sorted({node for face in faces for ring in face for node in ring})
    number = {node: k for k, node in enumerate(used)}
    chains = graph.chains()
    if any(node not in number for chain in chains for node in chain):
        return None
    return Lifted(
        points[used],
        [[[number[node] for node in ring] for ring in face] for face in faces],
        [[number[node] for node in chain] for chain in chains],
    )


def _is_plane(points: Float64, cell: Loops) -> bool:
    """
    Say whether a cell's nodes lie in one plane, well within what a face may be off, at whatever height it is scaled to.

    Scaled by h, nodes that are off by d upwards on a slope of g are off by h d / sqrt(1 + h2 g2) from the plane: below d / g.
    """
    nodes = np.array([node for ring in cell for node in ring])
    vector = _vector(points, cell)
    size = float(np.linalg.norm(vector))
    if len(nodes) == 3 or size <= MIN_FACE_M2:
        return len(nodes) == 3
    height = (points[nodes] - points[nodes[0]]) @ (vector / size)
    slope = float(np.hypot(vector[0], vector[1])) / size
    return bool(np.ptp(height) <= max(0.5 * PLANAR_M * slope, 1e-9))


def _vector(points: Float64, cell: Loops) -> Float64:
    corners = np.array([node for ring in cell for node in ring], dtype=np.int64)
    rings = offsets(np.array([len(ring) for ring in cell], dtype=np.int64))
    vector: Float64 = face_vectors(points, corners, rings, np.array([0, len(cell)]))[0]
    return vector


def triangles(points: Float64, cell: Loops) -> list[list[int]] | None:
    """
    Cut a cell into triangles in plan, every node of it a corner; the shortest diagonals that Delaunay's rule gives.

    Parameters
    ----------
    points : (n, 3) float64
        Nodes; their heights do not matter.
    cell : list of list of int
        Rings of nodes.

    Returns
    -------
    list of list of int, or None
        Counter-clockwise triangles; None where there are none that pair up.
    """
    where = {(x, y): node for ring in cell for node in ring for x, y in [tuple(points[node, :2].tolist())]}
    shape = shapely.Polygon(points[cell[0], :2], [points[ring, :2] for ring in cell[1:]])
    try:
        parts = shapely.get_parts(shapely.constrained_delaunay_triangles(shape))
    except shapely.errors.GEOSException:  # holes that touch at corners, rarely
        parts = np.empty(0, dtype=object)
    cut = []
    for xy in shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3].tolist():
        a, b, c = (where.get((x, y), -1) for x, y in xy)
        if min(a, b, c) < 0:
            return None
        cut.append([a, b, c] if _turn(points, a, b, c) > 0 else [a, c, b])
    if _pairs(points, cell, cut):
        return cut
    if len(cell) > 1:
        return None
    flat = points * np.array([1.0, 1.0, 0.0])
    corners = np.array([node for ring in cell for node in ring], dtype=np.int64)
    rings = offsets(np.array([len(ring) for ring in cell], dtype=np.int64))
    found, _, _ = triangulate(flat, corners, rings, np.array([0, len(cell)]))
    cut = corners[found].tolist()
    return cut if _pairs(points, cell, cut) else None


def _turn(points: Float64, a: int, b: int, c: int) -> float:
    (ax, ay), (bx, by), (cx, cy) = points[[a, b, c], :2].tolist()
    return float((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))


def _pairs(points: Float64, cell: Loops, cut: list[list[int]]) -> bool:
    """Say whether triangles have area and pair up along their edges, the cell's own steps left over."""
    left = {(a, b) for ring in cell for a, b in pairwise([*ring, ring[0]])}
    inner: set[tuple[int, int]] = set()
    for a, b, c in cut:
        if _turn(points, a, b, c) <= 2.0 * MIN_FACE_M2:
            return False
        for step in ((a, b), (b, c), (c, a)):
            if step in left:
                left.discard(step)
            elif step in inner:
                return False
            else:
                inner.add(step)
    return not left and all((b, a) in inner for a, b in inner)


def gather(roofs: list[Lifted | None], n_edges: list[int]) -> RoofSurfaces:
    """
    Pack the roofs of many polygons.

    Parameters
    ----------
    roofs : list of Lifted or None
        In the order of the polygons; None where there is none.
    n_edges : list of int
        Ring edges of each polygon.

    Returns
    -------
    RoofSurfaces
    """
    points, corners, chain = [np.empty((0, 3))], [], []
    rings, faces, chains, counts = [], [], [], []
    first = 0
    for roof, n in zip(roofs, n_edges, strict=True):
        counts.append(0 if roof is None else len(roof.faces))
        if roof is None:
            chains += [0] * n
            continue
        for face in roof.faces:
            faces.append(len(face))
            rings += [len(ring) for ring in face]
            corners += [first + node for ring in face for node in ring]
        chains += [len(nodes) for nodes in roof.chains]
        chain += [first + node for nodes in roof.chains for node in nodes]
        points.append(roof.points)
        first += len(roof.points)
    sizes = [offsets(np.array(values, dtype=np.int64)) for values in (rings, faces, counts, chains)]
    return RoofSurfaces(
        points=np.concatenate(points),
        corners=np.array(corners, dtype=np.int64),
        ring_offsets=sizes[0],
        face_offsets=sizes[1],
        polygon_faces=sizes[2],
        riser=np.zeros(len(faces), dtype=np.uint8),
        chain=np.array(chain, dtype=np.int64),
        chain_offsets=sizes[3],
        ok=np.array([roof is not None for roof in roofs], dtype=bool),
    )
