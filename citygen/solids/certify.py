"""
Solids to verdicts: each one is closed, oriented outwards, planar, free of empty faces and true to its plan, or it fails.

Other code than the kernels that made the solids (DESIGN, promise 10): edges are paired by sorting, planes come from area
vectors, the plan area is compared with the footprint's. Codes follow ISO 19107 as val3dity names them where one fits.
"""

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.prism import count_fans, plan_turning
from citygen.geom.tolerances import MIN_FACE_M2, PLANAR_M
from citygen.geom.triangulate import face_vectors, triangulate
from citygen.model.meshes import FLOOR, ROOF, SOFFIT, WALL, Meshes, take


def certify(meshes: Meshes, plan_area: Float64, roof_area: Float64 | None = None) -> dict[str, Bool]:
    """
    Judge every solid.

    Parameters
    ----------
    meshes : Meshes
        Solids; one without faces fails every check.
    plan_area : (s,) float64
        Footprint area of each, m2.
    roof_area : (s,) float64, optional
        Plan area of each roof where it overhangs its walls; default: the footprint's.

    Returns
    -------
    dict of str to (s,) bool
        True where a solid passes: 'closed' (every edge used once each way, every vertex amid one fan of faces), 'planar'
        (within ``PLANAR_M``), 'faces' (no face without area), 'simple' (no roof face crosses itself in plan), 'oriented'
        (floor and soffits down, roof up, walls upright, volume positive), 'plan' (the floor projects onto the footprint, the
        roof onto its own plan, soffits onto the difference, to 1e-9 of the area).
    """
    vectors = face_vectors(meshes.vertices, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    face_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    filled = np.diff(meshes.solid_faces) > 0
    area = np.linalg.norm(vectors, axis=1)
    return {
        "closed": _closed(meshes, face_solid) & filled,
        "planar": _none(_off_plane(meshes, vectors, area) > PLANAR_M, face_solid, len(meshes)) & filled,
        "faces": _none(area <= MIN_FACE_M2, face_solid, len(meshes)) & filled,
        "simple": _none(_crossing(meshes), face_solid, len(meshes)) & filled,
        "oriented": _oriented(meshes, vectors, area, face_solid) & filled,
        "plan": _plan(meshes, vectors, face_solid, (plan_area, plan_area if roof_area is None else roof_area)) & filled,
    }


def _crossing(meshes: Meshes) -> Bool:
    """Return which faces (f,) are roofs of which a ring does not turn once: the outline left, holes right."""
    turns = plan_turning(meshes.vertices, meshes.corners, meshes.ring_offsets)
    wanted = np.full(len(turns), -1.0)
    wanted[meshes.face_offsets[:-1]] = 1.0
    ring_face = np.repeat(np.arange(len(meshes.face_class)), np.diff(meshes.face_offsets))
    bad = np.bincount(ring_face[np.abs(turns - wanted) > 0.1], minlength=len(meshes.face_class)) > 0
    crossing: Bool = bad & (meshes.face_class == ROOF)
    return crossing


def _none(bad: Bool, face_solid: Int64, n: int) -> Bool:
    """Return True for solids without a bad face."""
    good: Bool = np.bincount(face_solid[bad], minlength=n) == 0
    return good


def edges(meshes: Meshes) -> tuple[Int64, Int64]:
    """Return the from- and to-vertex of every directed face edge, (c,) int64 each, in the order of the corners."""
    after = np.arange(1, len(meshes.corners) + 1, dtype=np.int64)
    after[meshes.ring_offsets[1:] - 1] = meshes.ring_offsets[:-1]
    return meshes.corners, meshes.corners[after]


def _closed(meshes: Meshes, face_solid: Int64) -> Bool:
    """Every directed edge occurs once, and so does its reverse; no edge runs from a vertex to itself."""
    tail, head = edges(meshes)
    n = len(meshes.vertices)
    forward, backward = np.sort(tail * n + head), np.sort(head * n + tail)
    good = np.ones(len(meshes), dtype=bool)
    if np.array_equal(forward, backward) and np.all(np.diff(forward) > 0) and not np.any(tail == head):
        good[_pinched_solids(meshes, tail, head)] = False
        return good
    face = np.repeat(np.arange(len(face_solid)), np.diff(meshes.ring_offsets[meshes.face_offsets]))
    solid = face_solid[face]
    key, back = tail * n + head, head * n + tail
    unique, counts = np.unique(key, return_counts=True)
    at = np.searchsorted(unique, back)
    found = (at < len(unique)) & (unique[np.minimum(at, len(unique) - 1)] == back)
    single = counts[np.searchsorted(unique, key)] == 1
    good[solid[~(found & single) | (tail == head)]] = False
    return good


def _pinched_solids(meshes: Meshes, tail: Int64, head: Int64) -> Int64:
    """Return the solids with a vertex amid several fans of faces (ISO 19107, val3dity 303); every edge is paired."""
    after = np.arange(1, len(tail) + 1, dtype=np.int64)
    after[meshes.ring_offsets[1:] - 1] = meshes.ring_offsets[:-1]
    suspects = _solids_of(meshes, _fans(tail, head, after, len(meshes.vertices)) > 1)
    if len(suspects) == 0:
        return suspects
    # Where two rings of one face touch, rings do not tell its sectors apart, triangles do.
    part = take(meshes, suspects)
    corner, _, _ = triangulate(part.vertices, part.corners, part.ring_offsets, part.face_offsets)
    triangle = part.corners[corner]
    tail, head = triangle.reshape(-1), np.roll(triangle, -1, axis=1).reshape(-1)
    turned = np.arange(len(tail)).reshape(-1, 3)[:, [1, 2, 0]].reshape(-1)
    n = len(part.vertices)
    forward = np.sort(tail * n + head)
    if not np.array_equal(forward, np.sort(head * n + tail)) or np.any(np.diff(forward) == 0):
        return suspects
    return suspects[_solids_of(part, _fans(tail, head, turned, n) > 1)]


def _fans(tail: Int64, head: Int64, after: Int64, n: int) -> Int64:
    """Count the fans around each vertex; ``after`` is the next corner of each corner's ring."""
    order, twins = np.argsort(tail * n + head), np.argsort(head * n + tail)
    twin = np.empty_like(order)
    twin[order] = twins  # the corner whose edge runs the other way
    fans: Int64 = count_fans(tail, after[twin], n)
    return fans


def _solids_of(meshes: Meshes, vertex: Bool) -> Int64:
    """Return the solids that own some vertices, each once."""
    return np.unique(np.searchsorted(meshes.solid_vertices, np.flatnonzero(vertex), side="right") - 1)


def _off_plane(meshes: Meshes, vectors: Float64, area: Float64) -> Float64:
    """Return (f,) float64: the largest distance of a face's vertices from its mean plane, metres."""
    if len(area) == 0:
        return np.empty(0)
    starts = meshes.ring_offsets[meshes.face_offsets]
    face = np.repeat(np.arange(len(area)), np.diff(starts))
    normal = vectors / np.maximum(area, MIN_FACE_M2)[:, None]
    first = meshes.vertices[meshes.corners[starts[:-1]]]
    height = np.einsum("ij,ij->i", meshes.vertices[meshes.corners] - first[face], normal[face])
    out: Float64 = np.maximum.reduceat(height, starts[:-1]) - np.minimum.reduceat(height, starts[:-1])
    return out


def _oriented(meshes: Meshes, vectors: Float64, area: Float64, face_solid: Int64) -> Bool:
    """Floors and soffits look down, roofs up, walls level, and the volume (divergence theorem) is positive."""
    up = vectors[:, 2] / np.maximum(area, MIN_FACE_M2)
    kind = meshes.face_class
    bad = ((kind == FLOOR) & (up > -0.999)) | ((kind == ROOF) & (up <= 1e-6)) | ((kind == WALL) & (np.abs(up) > 1e-6))
    bad |= (kind == SOFFIT) & (up >= -1e-6)
    return _none(bad, face_solid, len(meshes)) & (volumes(meshes) > 0)


def volumes(meshes: Meshes) -> Float64:
    """
    Return the signed volume of each solid, m3, (s,) float64; 0 for one without faces.

    The divergence theorem over planar faces: a third of (a point of the face) dot (its area vector), summed.
    """
    vectors = face_vectors(meshes.vertices, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    face_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    if len(face_solid) == 0:
        return np.zeros(len(meshes))
    first = meshes.vertices[meshes.corners[meshes.ring_offsets[meshes.face_offsets[:-1]]]]
    base = meshes.vertices[np.minimum(meshes.solid_vertices[:-1], len(meshes.vertices) - 1)]
    share = np.einsum("ij,ij->i", first - base[face_solid], vectors) / 3
    return _per_solid(face_solid, share, len(meshes))


def _per_solid(face_solid: Int64, weights: Float64, n: int) -> Float64:
    """Sum a number of each face over its solid."""
    total: Float64 = np.bincount(face_solid, weights=weights, minlength=n).astype(np.float64)
    return total


def _plan(meshes: Meshes, vectors: Float64, face_solid: Int64, areas: tuple[Float64, Float64]) -> Bool:
    """Floor faces, projected, have the footprint's area, roof faces the roof's, soffits the difference."""
    plan, roof = areas
    slack = 1e-9 * roof + 1e-9
    good: Bool = np.ones(len(meshes), dtype=bool)
    for kind, sign, wanted in ((FLOOR, -1.0, plan), (ROOF, 1.0, roof), (SOFFIT, -1.0, roof - plan)):
        found = _per_solid(face_solid, np.where(meshes.face_class == kind, sign * vectors[:, 2], 0.0), len(meshes))
        good &= np.abs(found - wanted) <= slack
    return good


def plan_areas(meshes: Meshes) -> Float64:
    """Return the plan area of each solid's roof faces, m2, (s,) float64: larger than the floor's where they overhang."""
    vectors = face_vectors(meshes.vertices, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    face_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    return _per_solid(face_solid, np.where(meshes.face_class == ROOF, vectors[:, 2], 0.0), len(meshes))


def surface_areas(meshes: Meshes) -> dict[int, Float64]:
    """Return the area of each solid's faces by class (``FLOOR``, ``WALL``, ``ROOF``, ``SOFFIT``), m2, (s,) float64 each."""
    vectors = face_vectors(meshes.vertices, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    area = np.linalg.norm(vectors, axis=1)
    face_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    return {
        kind: _per_solid(face_solid, np.where(meshes.face_class == kind, area, 0.0), len(meshes))
        for kind in (FLOOR, WALL, ROOF, SOFFIT)
    }
