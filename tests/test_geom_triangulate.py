"""Triangulation of planar faces: exact areas, every vertex used, neighbours meet vertex to vertex, holes kept open."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon, box

from build_solids import raise_town
from citygen.buildings.repair import repair
from citygen.geom.triangulate import face_vectors, triangulate
from citygen.model.rings import Rings, from_polygons, to_polygons
from citygen.roofs.base import ROOFS
from shapes import plans, skeleton_plans
from strategies import holed_polygons, star_polygons

PLANS = plans()
LAWS = settings(max_examples=80, derandomize=True, deadline=None)


def rotation(seed: int) -> np.ndarray:
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, ::-1]


def flat_faces(rings: Rings, basis: np.ndarray | None = None):
    """Return faces for ``triangulate``: each polygon a face in one plane."""
    vertices = np.c_[rings.coords, np.zeros(len(rings.coords))]
    if basis is not None:
        vertices = vertices @ basis.T
    return vertices, np.arange(len(vertices)), rings.ring_offsets, rings.polygon_offsets


def check(polygons: list[Polygon], basis: np.ndarray | None = None) -> None:
    """Triangles tile each polygon: right count, no overlap, area, all vertices, all ring edges, same turn as the face."""
    rings = from_polygons(np.array(polygons, dtype=object))
    vertices, corners, ring_offsets, face_offsets = flat_faces(rings, basis)
    triangles, offsets, vectors = triangulate(vertices, corners, ring_offsets, face_offsets)
    plane = rings.coords
    assert len(offsets) == len(polygons) + 1
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([p.area for p in polygons], rel=1e-9)
    for k, polygon in enumerate(polygons):
        mine = triangles[offsets[k] : offsets[k + 1]]
        first, last = rings.ring_offsets[rings.polygon_offsets[[k, k + 1]]]
        assert len(mine) == (last - first) - 2 + 2 * len(polygon.interiors)
        assert set(mine.reshape(-1).tolist()) == set(range(first, last)), "every vertex, none of another face"
        a, b, c = plane[mine[:, 0]], plane[mine[:, 1]], plane[mine[:, 2]]
        areas = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
        assert areas.min() >= -1e-9, "turns as its face does"
        assert areas.sum() == pytest.approx(polygon.area, rel=1e-9)
        edges = Counter((int(t[i]), int(t[(i + 1) % 3])) for t in mine for i in range(3))
        border = {e for e in edges if (e[1], e[0]) not in edges}
        want = set()
        for r in range(*rings.polygon_offsets[k : k + 2]):
            ring = list(range(*rings.ring_offsets[r : r + 2]))
            want |= set(zip(ring, ring[1:] + ring[:1], strict=True))
        assert max(edges.values()) == 1
        assert border == want, "the border is the face's own: no T-junction, holes open"


@LAWS
@given(st.lists(holed_polygons(), min_size=1, max_size=5), st.one_of(st.none(), st.integers(0, 50)))
def test_any_polygon_in_any_plane(polygons, seed):
    check(polygons, None if seed is None else rotation(seed))


@LAWS
@given(st.lists(star_polygons(collinear=True), min_size=1, max_size=5), st.one_of(st.none(), st.integers(0, 50)))
def test_vertices_on_straight_edges_are_corners_of_triangles(polygons, seed):
    check(polygons, None if seed is None else rotation(seed))


@pytest.mark.parametrize("name", PLANS)
def test_drawn_plans(name):
    check([PLANS[name]])
    check([PLANS[name]], rotation(4))


def test_exactly_collinear_rows_on_both_sides():
    """A strip with many vertices on its two long sides has only slivers' worth of choice at its ends."""
    top = [(float(x), 1.0) for x in range(20, -1, -1)]
    check([Polygon([*[(float(x), 0.0) for x in range(21)], *top])])


def test_outlines_that_broke_other_codes(testdata):
    """As they come out of repair: simple, not touching themselves."""
    corpus = np.array(list(skeleton_plans(testdata).values()), dtype=object)
    footprints, _ = repair(corpus)
    polygons = to_polygons(footprints.rings)
    assert len(polygons) >= len(corpus) > 150
    check(polygons.tolist())


@pytest.mark.parametrize("shape", ROOFS.names())
def test_triangles_of_neighbouring_faces_meet(shape):
    """Over whole solids: the triangles of all faces together use every edge once each way."""
    diamond = Polygon([(5, 1), (6, 2.5), (5, 4), (4, 2.5)])  # its upper corner lies on the ridge of a gable
    outlines = np.array([*PLANS.values(), box(0, 0, 10, 8).difference(diamond)], dtype=object)
    directions = np.full(len(outlines), 30.0)
    directions[-1] = 0.0
    meshes = raise_town(outlines, roof_shape=shape, roof_direction_deg=directions).shaped.meshes
    triangles, offsets, vectors = triangulate(meshes.vertices, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    corner = meshes.corners[triangles]
    edges = Counter(zip(corner.reshape(-1).tolist(), np.roll(corner, -1, axis=1).reshape(-1).tolist(), strict=True))
    assert max(edges.values()) == 1
    assert all((b, a) in edges for a, b in edges)
    a, b, c = (meshes.vertices[corner[:, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    summed = np.bincount(np.repeat(np.arange(len(vectors)), np.diff(offsets)), weights=area, minlength=len(vectors))
    assert summed == pytest.approx(np.linalg.norm(vectors, axis=1), rel=1e-9, abs=1e-9)
    normals = vectors[np.repeat(np.arange(len(vectors)), np.diff(offsets))]
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), normals) >= -1e-9).all()


def test_face_vectors_take_holes_off():
    polygon = PLANS["three holes"]
    vector = face_vectors(*flat_faces(from_polygons(np.array([polygon], dtype=object))))
    assert vector[0] == pytest.approx([0, 0, polygon.area])


def test_no_faces_give_no_triangles():
    none = np.empty(0, np.int64)
    triangles, offsets, vectors = triangulate(np.empty((0, 3)), none, np.zeros(1, np.int64), np.zeros(1, np.int64))
    assert (triangles.shape, offsets.tolist(), vectors.shape) == ((0, 3), [0], (0, 3))


def test_faces_are_triangulated_apart_and_inputs_left_alone():
    rings = from_polygons(np.array(list(PLANS.values()), dtype=object))
    arrays = flat_faces(rings)
    before = [a.tobytes() for a in arrays]
    triangles, offsets, _ = triangulate(*arrays)
    assert before == [a.tobytes() for a in arrays]
    for k, plan in enumerate(PLANS.values()):
        alone, _, _ = triangulate(*flat_faces(from_polygons(np.array([plan], dtype=object))))
        start = rings.ring_offsets[rings.polygon_offsets[k]]
        assert np.array_equal(triangles[offsets[k] : offsets[k + 1]] - start, alone)


def test_faces_that_cross_themselves_cost_no_other_face_its_triangles():
    bow = [(0, 4), (5, 5), (6, 1), (3, 5), (2, 1), (3, 0)]  # GEOS gives up on it
    spike = [(0, 0), (4, 0), (0, 0), (4, 0), (2, 0)]  # no area at all
    square = [(0, 0), (2, 0), (2, 2), (0, 2)]
    around = [(-1, -1), (6, -1), (6, 6), (-1, 6)]
    loops = [square, bow, around, square[::-1], spike, square]
    vertices = np.array([(x, y, 0.0) for loop in loops for x, y in loop])
    ring_offsets = np.cumsum([0, *map(len, loops)])
    face_offsets = np.array(
        [0, 1, 2, 4, 5, 6]
    )  # the third has a hole, so it goes to Shapely too, together with the bow
    triangles, offsets, vectors = triangulate(vertices, np.arange(len(vertices)), ring_offsets, face_offsets)
    assert np.diff(offsets)[[0, 2, 4]].tolist() == [2, 8, 2]
    a, b, c = (vertices[triangles[:, k], :2] for k in range(3))
    areas = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    for face in (0, 2, 4):
        assert areas[offsets[face] : offsets[face + 1]].sum() == pytest.approx(vectors[face, 2])
    assert np.diff(offsets)[1] == 0
    assert vectors[3].tolist() == [0.0, 0.0, 0.0]
