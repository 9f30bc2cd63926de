"""Constrained triangulation, refinement and profiles against plain Shapely and plain Python."""

from itertools import pairwise

import numpy as np
import pytest
import shapely

from citygen.geom import cdt
from citygen.geom.sampled import bilinear, simplify, split_edges
from citygen.geom.tin import build, carve, refine, refine_edges

GRID = 2.0**32


def triangles_of(mesh):
    return mesh[1][: 3 * mesh[-1][1]].reshape(-1, 3)


def sound(mesh) -> None:
    """Every half-edge has its twin, every triangle turns left (exactly), every vertex knows an edge from it."""
    xy, org, _, twin, fixed, at, count = mesh
    n = 3 * count[1]
    e = np.arange(n)
    after = np.where(e % 3 == 2, e - 2, e + 1)
    inner = twin[:n] >= 0
    assert np.array_equal(twin[twin[e[inner]]], e[inner])
    assert np.array_equal(org[twin[e[inner]]], org[after[inner]])
    assert np.array_equal(fixed[:n][inner], fixed[twin[e[inner]]])
    assert np.array_equal(org[at[: count[0]]], np.arange(count[0]))
    assert all(cdt.turn(xy, a, b, *xy[c]) == 1 for a, b, c in triangles_of(mesh))


def snapped(xy):
    return np.rint(np.asarray(xy, float) * GRID) / GRID


def box_of(points):
    return np.r_[points.min(axis=0), points.max(axis=0)]


def test_turn_is_exact():
    # a point a quarter of a nanometre off a line of two kilometres: the naive product says "on it"
    xy = snapped([[0.0, 0.0], [1999.9371, 1733.4179]])
    third = snapped([[1999.9371 / 2, 1733.4179 / 2]])[0]
    from fractions import Fraction

    for shift in (-1, 0, 1):
        x, y = third[0], third[1] + shift / GRID
        (ax, ay), (bx, by) = ([Fraction(v) for v in p] for p in xy)
        exact = (ax - Fraction(x)) * (by - Fraction(y)) - (ay - Fraction(y)) * (bx - Fraction(x))
        assert cdt.turn(xy, 0, 1, x, y) == (exact > 0) - (exact < 0)


def test_points_alone_are_delaunay():
    rng = np.random.default_rng(1)
    points = snapped(rng.random((400, 2)) * 100)
    mesh, number, bad = build(points, np.empty((0, 2), np.int64), box_of(points), 0)
    assert bad == -1
    sound(mesh)
    ours = {tuple(sorted(t)) for t in triangles_of(mesh).tolist() if min(t) >= cdt.FRAME}
    back = {tuple(p): number[k] for k, p in enumerate(points.tolist())}
    theirs = shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(points)))
    listed = {tuple(sorted(back[tuple(c)] for c in shapely.get_coordinates(t)[:3].tolist())) for t in theirs}
    # the frame is not infinitely far: along the hull some of theirs are missing
    assert ours <= listed
    assert len(ours) > 0.95 * len(listed)


@pytest.mark.parametrize("seed", range(4))
def test_constraints_are_edges_and_holes_are_carved(seed):
    rng = np.random.default_rng(seed)
    centres = rng.random((60, 2)) * 100
    made = shapely.union_all(
        shapely.box(
            centres[:, 0], centres[:, 1], centres[:, 0] + rng.random(60) * 12, centres[:, 1] + rng.random(60) * 12
        )
    )
    frame = shapely.box(-5, -5, 120, 120)
    rings, edges, sides, points = [frame.exterior], [], [], []
    for part in shapely.get_parts(shapely.orient_polygons(made)):
        rings += [part.exterior, *part.interiors]
    for k, ring in enumerate(rings):
        xy = snapped(shapely.get_coordinates(ring)[:-1])
        at = np.arange(len(xy)) + sum(map(len, points))
        pairs = np.column_stack([at, np.roll(at, -1)])
        edges.append(pairs)
        points.append(xy)
        if k:
            sides.append(pairs)
    points, edges, sides = np.concatenate(points), np.concatenate(edges), np.concatenate(sides)
    mesh, number, bad = build(points, edges, box_of(points), 0)
    assert bad == -1
    sound(mesh)
    assert all(cdt.turn(mesh[0], 0, 1, *p) == 1 for p in points)
    dead = carve(mesh, number[sides])[: mesh[-1][1]]
    live = triangles_of(mesh)[~dead]
    corners = mesh[0][live]
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    assert area.sum() == pytest.approx(frame.area - made.area, abs=1e-6)  # corners were put on the grid
    inside = shapely.contains_properly(made, shapely.points(corners.mean(axis=1)))
    assert not inside[area > 1e-9].any()


def test_a_constraint_runs_through_the_vertices_on_it():
    points = snapped([[0, 0], [10, 0], [10, 10], [0, 10], [2, 5], [5, 5], [8, 5]])
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [4, 6]])
    mesh, number, bad = build(points, edges, box_of(points), 0)
    assert bad == -1
    _, org, _, twin, fixed, _, count = mesh
    ends = {(org[e], org[twin[e]]) for e in range(3 * count[1]) if fixed[e] and twin[e] >= 0}
    assert (number[4], number[5]) in ends
    assert (number[5], number[6]) in ends


def test_crossing_constraints_are_told():
    points = snapped([[0, 0], [10, 10], [0, 10], [10, 0]])
    _, _, bad = build(points, np.array([[0, 1], [2, 3]]), box_of(points), 0)
    assert bad == 1


def test_refined_within_the_tolerance_at_nodes_and_on_edges():
    y, x = np.mgrid[0:65, 0:65].astype(float)
    cells = 8 * np.sin(x / 7) * np.cos(y / 9) + 0.02 * x
    cells[20:24, 30:40] = np.nan
    n, tolerance = 64.0, 0.3
    corners = np.concatenate([np.column_stack(p) for p in (
        (np.arange(64.0), np.zeros(64)), (np.full(64, n), np.arange(64.0)),
        (n - np.arange(64.0), np.full(64, n)), (np.zeros(64), n - np.arange(64.0)),
    )])  # fmt: skip
    edges = np.column_stack([np.arange(256), np.roll(np.arange(256), -1)])
    mesh, number, _ = build(corners, edges, box_of(corners), cells.size)
    dead = carve(mesh, np.empty((0, 2), np.int64))
    z = np.zeros(len(mesh[0]))
    z[number] = cells[corners[:, 1].astype(int), corners[:, 0].astype(int)]
    px, used = mesh[0].copy(), np.isnan(cells)
    lattice = (px, z, cells, np.eye(2, 3))
    assert refine(mesh, dead, lattice, used, 0.8 * tolerance) <= 0.8 * tolerance
    while refine_edges(mesh, dead, lattice, 0.9 * tolerance):
        refine(mesh, dead, lattice, used, 0.8 * tolerance)
    sound(mesh)
    live = triangles_of(mesh)[~dead[: mesh[-1][1]]]
    assert len(live) < 0.5 * 2 * 64 * 64
    rng = np.random.default_rng(0)
    chosen, weight = rng.integers(0, len(live), 20_000), rng.dirichlet([1, 1, 1], 20_000)
    place = (mesh[0][live[chosen]] * weight[:, :, None]).sum(axis=1)
    height = (z[live[chosen]] * weight).sum(axis=1)
    want = np.array([bilinear(cells, c, r) for c, r in place])
    assert np.nanmax(np.abs(height - want)) <= tolerance


def test_profiles_are_within_the_tolerance_and_nested():
    s = np.arange(200.0)
    z = np.cumsum(np.random.default_rng(3).standard_normal(200))
    ends = np.zeros(200, bool)
    ends[[0, -1]] = True
    chosen = [simplify(s, z, ends, tolerance) for tolerance in (4.0, 2.0, 1.0, 0.5)]
    for coarse, fine in pairwise(chosen):
        assert not (coarse & ~fine).any()
    for keep, tolerance in zip(chosen, (4.0, 2.0, 1.0, 0.5), strict=True):
        assert np.abs(np.interp(s, s[keep], z[keep]) - z).max() <= tolerance
    z[50:60] = np.nan
    assert not simplify(s, z, ends, 0.5)[50:60].any()


def test_edges_get_vertices_where_the_lattice_bends():
    cells = np.abs(np.arange(9.0) - 4)[None, :].repeat(9, axis=0)
    edge, place = split_edges(np.array([[0.0, 3, 8, 3], [0.0, 1, 3, 1]]), np.array([[4.0, 4], [4, 1]]), cells, 0.1)
    assert edge.tolist() == [0]
    assert place == pytest.approx([0.5])
