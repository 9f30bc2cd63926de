"""The straight skeleton: plain, with a speed for each edge, and in phases; what its faces must be, on outlines that are hard."""

import csv
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from citygen.buildings.repair import repair
from citygen.geom.faces import faces_of, simple_loop, straight_skeletons
from citygen.geom.inset import MAX_EDGES
from citygen.geom.wavefront import edge_lines
from citygen.model.rings import Rings, take, to_polygons
from shapes import plans, star
from skeleton_faces import Skeleton, faults

BIG = shapely.box(0, 0, 20, 20)
OUTLINES = {
    "square": shapely.box(0, 0, 6, 6),
    "rectangle": shapely.box(0, 0, 10, 6),
    "L": BIG.difference(shapely.box(8, 8, 21, 21)),
    "T of equal arms": shapely.box(0, 0, 20, 4).union(shapely.box(8, 3, 12, 10)),
    "plus": shapely.box(5, 0, 10, 15).union(shapely.box(0, 5, 15, 10)),
    "U": BIG.difference(shapely.box(5, 5, 15, 21)),
    "H": BIG.difference(shapely.box(5, -1, 15, 8)).difference(shapely.box(5, 12, 15, 21)),
    "courtyard": BIG.difference(shapely.box(6, 6, 14, 14)),
    "courtyard off the middle": BIG.difference(shapely.box(2, 2, 4, 4)),
    "circle": shapely.Point(0, 0).buffer(10),
    # two reflex corners meet head on in the middle
    "bow": shapely.Polygon(
        [(5, 0), (25, 0), (20, 10), (30, 5), (30, 30), (0, 30), (10, 20), (0, 20), (0, 5), (10, 10)]
    ),
}
ALL = {**OUTLINES, **plans()}


def rings_of(polygon: shapely.Polygon) -> Rings:
    found, _ = repair(np.array([polygon], dtype=object))
    assert len(found.rings) == 1
    return found.rings


def skeleton_of(rings: Rings, speed: np.ndarray | None = None) -> tuple[Skeleton, np.ndarray]:
    found = straight_skeletons(rings.coords, rings.ring_offsets, rings.polygon_offsets, speed=speed)
    assert found.ok.all()
    return Skeleton(found.nodes, [found.corners[a:b] for a, b in pairwise(found.face_offsets)]), found.face_edge


@pytest.mark.parametrize("turn", [0.0, 17.0, 45.0, 90.0, 123.4])
@pytest.mark.parametrize("name", ALL)
def test_drawn_outlines(name, turn):
    rings = rings_of(affinity.rotate(ALL[name], turn, origin=(0, 0)))
    assert not faults(to_polygons(rings)[0], skeleton_of(rings)[0])


def test_the_ridge_of_a_rectangle_lies_where_it_must():
    found, edge = skeleton_of(rings_of(shapely.box(0, 0, 10, 6)))
    assert sorted(found.nodes[4:].round(9).tolist()) == [[3.0, 3.0, 3.0], [7.0, 3.0, 3.0]]
    assert sorted(edge.tolist()) == [0, 1, 2, 3]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.floats(0.2, 1.0), st.floats(3.0, 12.0)), min_size=3, max_size=40))
def test_random_stars(spokes):
    angle = np.cumsum([a for a, _ in spokes])
    angle = angle / angle[-1] * 2 * np.pi * (1 - 0.4 / len(spokes))
    radius = np.array([r for _, r in spokes])
    found, _ = repair(np.array([shapely.Polygon(np.c_[radius * np.cos(angle), radius * np.sin(angle)])], dtype=object))
    for k in range(len(found.rings)):
        one = take(found.rings, np.array([k]))
        assert not faults(to_polygons(one)[0], skeleton_of(one)[0])


def hard_outlines(testdata) -> tuple[list[str], Rings, np.ndarray]:
    """Return ids, rings, and which id each polygon is of."""
    folder = testdata / "hardcases/skeleton"
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].endswith(".wkt")]
    polygons = []
    for row in rows:
        shape = shapely.from_wkt((folder / row["file"]).read_text(encoding="utf-8"))
        west, south, east, north = shape.bounds
        scale = 40.0 / max(east - west, north - south)
        moved = affinity.translate(shape, -west, -south)
        polygons.append(affinity.scale(moved, scale, scale, origin=(0, 0)))
    found, _ = repair(np.array(polygons, dtype=object))
    return [row["id"] for row in rows], found.rings, found.row


def test_outlines_that_broke_other_kernels(testdata):
    """Every one of them that is small enough to be tried has its skeleton, and all of it is right."""
    ids, rings, row = hard_outlines(testdata)
    assert len(set(row.tolist())) == len(ids) >= 220
    outlines = to_polygons(rings)
    tried = np.flatnonzero(np.diff(rings.vertex_offsets) <= MAX_EDGES)
    assert len(tried) >= len(rings) - 3
    wrong = {}
    for k in tried.tolist():
        one = take(rings, np.array([k]))
        found = straight_skeletons(one.coords, one.ring_offsets, one.polygon_offsets)
        loops = [found.corners[a:b] for a, b in pairwise(found.face_offsets)]
        bad = faults(outlines[k], Skeleton(found.nodes, loops)) if found.ok[0] else {"none"}
        if bad:
            wrong[ids[row[k]]] = bad
    assert not wrong


@pytest.mark.parametrize(
    "name", ["rectangle", "L", "T of equal arms", "plus", "U", "H", "courtyard", "star 5", "comb 6"]
)
def test_with_a_speed_for_each_edge_nodes_lie_on_the_planes_of_their_edges(name):
    rings = rings_of(affinity.rotate(ALL[name], 11.0, origin=(0, 0)))
    speed = 1.0 + 0.4 * np.sin(np.arange(len(rings.coords)) * 2.3)
    found, edge = skeleton_of(rings, speed)
    _, direction, offset = edge_lines(rings.coords, rings.ring_offsets)
    inset = -direction[:, None, 1] * found.nodes[None, :, 0] + direction[:, None, 0] * found.nodes[None, :, 1]
    inset -= offset[:, None]
    for loop, e in zip(found.loops, edge.tolist(), strict=True):
        assert np.abs(inset[e, loop] - speed[e] * found.nodes[loop, 2]).max() < 1e-6
    faces = found.plan()
    assert shapely.is_valid(faces).all()
    assert shapely.area(faces).sum() == pytest.approx(to_polygons(rings)[0].area, rel=1e-9)
    assert set(edge.tolist()) == set(range(len(rings.coords)))


def test_an_edge_that_stands_still_leaves_an_upright_face():
    """The two ends of a rectangle stand still: the ridge runs from wall to wall, over upright faces without plan area."""
    rings = rings_of(shapely.box(0, 0, 10, 6))
    upright = np.isclose(np.diff(rings.coords[[0, 1, 2, 3, 0], 0]), 0.0)
    found, edge = skeleton_of(rings, np.where(upright, 0.0, 1.0))
    area = dict(zip(edge.tolist(), shapely.area(found.plan()).tolist(), strict=True))
    assert sorted(round(a, 9) for a in area.values()) == [0.0, 0.0, 30.0, 30.0]
    assert found.nodes[:, 2].max() == pytest.approx(3.0)
    assert sorted(found.nodes[4:, :2].round(9).tolist()) == sorted(
        [[float(x), float(rings.coords[:, 1].mean())] for x in {*rings.coords[:, 0]}]
    )


def test_phases_part_faces_and_a_cap_stays_level():
    """A hip up to a third, a gable above it; and the same outline cut off level."""
    rings = rings_of(shapely.box(0, 0, 10, 6))
    start = int(np.argmin(rings.coords.sum(axis=1)))
    gable = np.ones((2, 4))
    gable[1, [(start + 1) % 4, (start + 3) % 4]] = 0.0
    nodes, tail, face, offsets, order, top, ok = faces_of(
        rings.coords, rings.ring_offsets, gable, np.array([1.0]), False
    )
    assert ok
    assert top == pytest.approx(3.0)
    loops = [tail[order[a:b]] for a, b in pairwise(offsets)]
    numbers = sorted(int(face[order[a]]) for a in offsets[:-1])
    assert numbers == list(range(8)), "each edge has a face in each phase"
    assert sum(shapely.Polygon(nodes[loop, :2]).area for loop in loops) == pytest.approx(60.0, rel=1e-12)
    nodes, tail, face, offsets, order, top, ok = faces_of(
        rings.coords, rings.ring_offsets, np.ones((2, 4)), np.array([1.0]), True
    )
    assert ok
    assert top == pytest.approx(1.0)
    cap = [tail[order[a:b]] for a, b in pairwise(offsets) if face[order[a]] == 4]
    assert [shapely.Polygon(nodes[loop, :2]).area for loop in cap] == [pytest.approx(8.0 * 4.0)]


@pytest.mark.parametrize("points", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_thousands_of_vertices_of_which_half_are_reflex_end(points):
    """The work is bounded by a count of events; the result is right."""
    rings = rings_of(star(points, points / 5.0, points / 6.0))
    assert len(rings.coords) == 2 * points
    found, _ = skeleton_of(rings)
    assert not faults(to_polygons(rings)[0], found)


def test_what_is_no_outline_has_no_skeleton():
    twice = np.array([[0.0, 0], [4, 0], [4, 0], [4, 4], [0, 4]])
    nan = np.array([[0.0, 0], [4, 0], [4, np.nan], [0, 4]])
    backwards = np.array([[0.0, 0], [0, 4], [4, 4], [4, 0]])
    for coords in (twice, nan, backwards):
        found = straight_skeletons(coords, np.array([0, len(coords)]), np.array([0, 1]))
        assert not found.ok.any()
        assert len(found.face_edge) == 0


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=9))
def test_simple_loops_agree_with_the_slow_twin(points):
    xy = np.array(points, dtype=float)
    ours = bool(simple_loop(xy))
    if len(set(points)) < len(points):
        assert not ours
        return
    lines = [shapely.LineString([a, b]) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    crosses = any(a.crosses(b) and _inside(a, b) for k, a in enumerate(lines) for b in lines[:k])
    assert ours == (not crosses)


def _inside(a: shapely.LineString, b: shapely.LineString) -> bool:
    """Whether two segments cross within both."""
    point = a.intersection(b)
    ends = shapely.MultiPoint([*a.coords, *b.coords])
    return point.geom_type == "Point" and point.distance(ends) > 1e-9


def test_what_is_no_outline_never_leaves_the_arrays():
    """Rings that touch and cross themselves, with and without a NaN: an answer or none, never memory that is not ours."""
    rng = np.random.default_rng(5)
    for k in range(3000):
        xy = rng.integers(0, 5, (int(rng.integers(3, 9)), 2)).astype(float)
        if k % 2:
            xy[rng.integers(len(xy)), rng.integers(2)] = np.nan
        found = straight_skeletons(xy, np.array([0, len(xy)]), np.array([0, 1]))
        assert np.isfinite(found.nodes).all()
        assert (found.corners < len(found.nodes)).all()
    pinched = np.array([[2.0, 2], [4, 3], [2, 2], [4, 0]])
    assert not straight_skeletons(pinched, np.array([0, 4]), np.array([0, 1])).ok.any()
