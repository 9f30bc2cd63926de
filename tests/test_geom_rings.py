"""Ring cleaning, pinches, areas and main axes against slow twins and Shapely."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import Polygon

from citygen.geom.rings import clean_vertices, main_axes, pinched, polygon_areas, ring_area, ring_lengths
from citygen.geom.tolerances import COLLINEAR_M, MIN_EDGE_M, PINCH_M
from citygen.model.rings import Rings, from_polygons
from shapes import plans, turned
from strategies import holed_polygons, star_polygons

LAWS = settings(max_examples=60, derandomize=True, deadline=None)
PLANS = plans()


def packed(*polygons: Polygon) -> Rings:
    return from_polygons(np.array(polygons, dtype=object))


def parts(rings: Rings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rings.coords, rings.ring_offsets, rings.polygon_offsets


def cleaned(xy: np.ndarray) -> np.ndarray:
    return clean_vertices(xy, np.array([0, len(xy)]))


@LAWS
@given(
    star_polygons(), st.lists(st.tuples(st.integers(0, 40), st.floats(0.01, 0.99), st.floats(-4e-4, 4e-4)), max_size=12)
)
def test_vertices_added_near_the_edges_go_and_the_shape_stays(polygon, extra):
    """A polygon with vertices added within half the tolerance of its edges keeps its area, its corners and its validity."""
    corners = np.array(shapely.get_coordinates(polygon)[:-1])
    added = {}
    for edge, at, aside in extra:
        added.setdefault(edge % len(corners), []).append((at, aside))
    xy = []
    for k, corner in enumerate(corners):
        xy.append(corner)
        along = corners[(k + 1) % len(corners)] - corner
        normal = np.array([-along[1], along[0]]) / np.hypot(*along)
        xy += [corner + at * along + aside * normal for at, aside in sorted(added.get(k, []))]
    xy = np.array(xy)
    before = xy.copy()
    keep = cleaned(xy)
    assert np.array_equal(xy, before)
    left = Polygon(xy[keep])
    assert left.hausdorff_distance(polygon) <= COLLINEAR_M + 4e-4 + MIN_EDGE_M
    assert keep.sum() <= len(corners) + len(extra)
    lost = shapely.points(xy[~keep])
    assert (shapely.distance(lost, left.exterior) <= COLLINEAR_M + MIN_EDGE_M + 1e-9).all()
    edges = np.hypot(*np.diff(np.r_[xy[keep], xy[keep][:1]], axis=0).T)
    assert (edges > MIN_EDGE_M).all()


@LAWS
@given(star_polygons(collinear=True), st.integers(0, 30))
def test_exactly_collinear_vertices_go_whatever_vertex_comes_first(polygon, start):
    corners = shapely.get_coordinates(polygon)[:-1]
    xy = np.roll(corners, start, axis=0)
    left = Polygon(xy[cleaned(xy)])
    assert left.symmetric_difference(polygon).area <= 2 * COLLINEAR_M * polygon.length
    assert len(left.exterior.coords) - 1 <= len(shapely.get_coordinates(polygon.simplify(0)))


@pytest.mark.parametrize(
    ("aside", "stays"), [(0.0, False), (0.0009, False), (-0.0009, False), (0.0011, True), (-0.005, True)]
)
def test_a_vertex_a_millimetre_off_the_chord_carries_shape(aside, stays):
    house = np.array([(0.0, 0), (6, aside), (12, 0), (12, 8), (0, 8)])
    assert cleaned(house).tolist() == [True, stays, True, True, True]


@pytest.mark.parametrize(("gap", "corners"), [(0.0, 4), (0.0009, 4), (0.0016, 5)])
def test_vertices_within_a_millimetre_are_one(gap, corners):
    house = np.array([(0.0, 0), (12, 0), (12, gap), (4, 8), (0, 8)])
    assert cleaned(house).sum() == corners


@pytest.mark.parametrize("start", range(5))
def test_a_hundred_vertices_on_an_edge_go(start):
    square = np.array([(0.0, 0), (10, 0), (10, 10), (0, 10)])
    xy = np.concatenate(
        [[a + s * (b - a) for s in np.arange(25) / 25] for a, b in zip(square, np.roll(square, -1, 0), strict=True)]
    )
    xy = np.roll(xy, 7 * start, axis=0)
    assert cleaned(xy).sum() == 4


def test_a_circle_of_many_vertices_keeps_its_shape():
    """Vertices are dropped against the chord that replaces them, so errors never add up."""
    angle = np.linspace(0, 2 * np.pi, 20000, endpoint=False)
    xy = 30 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    left = xy[cleaned(xy)]
    assert len(left) < 1000
    assert Polygon(left).hausdorff_distance(Polygon(xy)) <= COLLINEAR_M * 1.001


@pytest.mark.parametrize(
    "ring",
    [
        [(0, 0), (0, 0), (0, 0)],
        [(0, 0), (5, 0), (5, 0.0001)],
        [(0, 0), (5, 0), (10, 0), (5, 0)],
        [(0, 0), (0.0005, 0), (0.0005, 0.0005), (0, 0.0005)],
    ],
)
def test_rings_that_collapse_are_dropped_whole(ring):
    assert not cleaned(np.array(ring, float)).any()


def test_rings_are_cleaned_apart():
    """The verdict on a ring does not depend on the others."""
    rings = packed(*PLANS.values())
    every = clean_vertices(rings.coords, rings.ring_offsets)
    for a, b in zip(rings.ring_offsets[:-1], rings.ring_offsets[1:], strict=True):
        assert np.array_equal(every[a:b], cleaned(rings.coords[a:b]))


def slow_pinched(polygon: Polygon) -> bool:
    """Say whether a vertex lies within the tolerance of an edge that it does not belong to."""
    rings = [np.array(r.coords)[:-1] for r in (polygon.exterior, *polygon.interiors)]
    edges = [
        (k, i, shapely.LineString([r[i], r[(i + 1) % len(r)]])) for k, r in enumerate(rings) for i in range(len(r))
    ]
    for k, ring in enumerate(rings):
        for i, xy in enumerate(ring):
            for other, j, line in edges:
                mine = other == k and i in (j, (j + 1) % len(ring))
                if not mine and line.distance(shapely.Point(xy)) <= PINCH_M:
                    return True
    return False


TOUCHING = {
    "hole on the wall": shapely.box(0, 0, 10, 10).difference(Polygon([(0, 5), (3, 4), (3, 6)]).buffer(0)),
    "two holes at a corner": Polygon(
        shapely.box(0, 0, 10, 10).exterior,
        [[(2, 2), (2, 5), (5, 5), (5, 2)], [(5, 5), (5, 8), (8, 8), (8, 5)]],
    ),
    "hole 0.05 mm from the wall": Polygon(
        shapely.box(0, 0, 10, 10).exterior, [[(0.00005, 2), (0.00005, 5), (5, 5), (5, 2)]]
    ),
    "hole 0.2 mm from the wall": Polygon(
        shapely.box(0, 0, 10, 10).exterior, [[(0.0002, 2), (0.0002, 5), (5, 5), (5, 2)]]
    ),
    "slit": Polygon([(0, 0), (10, 0), (10, 10), (5.00003, 10), (5.00003, 5), (5, 5), (5, 10), (0, 10)]),
    "back to back": Polygon(
        [(0, 0), (4, 0), (5, 5), (6, 0), (10, 0), (10, 10), (6, 10), (5, 5.00005), (4, 10), (0, 10)]
    ),
}


@pytest.mark.parametrize("name", [*TOUCHING, *PLANS])
def test_pinches_are_those_that_a_slow_search_finds(name):
    polygon = TOUCHING.get(name, PLANS.get(name))
    if len(shapely.get_coordinates(polygon)) > 100:
        polygon = polygon.simplify(0.05)
    assert pinched(*parts(packed(polygon))).tolist() == [slow_pinched(polygon)]


def test_the_corpus_of_pinches_has_both_answers():
    answers = {name: slow_pinched(p) for name, p in TOUCHING.items()}
    assert answers["two holes at a corner"]
    assert answers["hole 0.05 mm from the wall"]
    assert not answers["hole 0.2 mm from the wall"]
    assert answers["slit"]
    assert answers["back to back"]


@LAWS
@given(st.lists(holed_polygons(), min_size=1, max_size=5))
def test_areas_and_lengths_are_shapely_s(polygons):
    rings = packed(*polygons)
    assert polygon_areas(*parts(rings)) == pytest.approx([p.area for p in polygons], rel=1e-12)
    assert ring_lengths(*parts(rings)) == pytest.approx([p.length for p in polygons], rel=1e-12)


def test_area_has_a_sign_and_survives_large_coordinates():
    square = np.array([(0.0, 0), (3, 0), (3, 2), (0, 2)]) + 1e6
    assert ring_area(square, 0, 4) == 6.0
    assert ring_area(square[::-1].copy(), 0, 4) == -6.0


def slow_axis(polygon: Polygon) -> tuple[float, float]:
    """Return length and width of the smallest rectangle around an outline, by trying every edge."""
    xy = np.array(polygon.exterior.coords)
    best = (np.inf, 0.0, 0.0)
    for a, b in pairwise(xy):
        u = (b - a) / np.hypot(*(b - a))
        size = [np.ptp(xy @ u), np.ptp(xy @ np.array([-u[1], u[0]]))]
        best = min(best, (size[0] * size[1], max(size), min(size)))
    return best[1], best[2]


@LAWS
@given(star_polygons(), st.integers(0, 359))
def test_main_axis_spans_the_smallest_rectangle_along_an_edge(polygon, turn):
    polygon = turned(polygon, turn)
    x, y, length, width = main_axes(*parts(packed(polygon)))[0]
    assert np.hypot(x, y) == pytest.approx(1.0)
    xy = shapely.get_coordinates(polygon.exterior)
    assert length == pytest.approx(np.ptp(xy @ np.array([x, y])), rel=1e-9)
    assert width == pytest.approx(np.ptp(xy @ np.array([-y, x])), rel=1e-9)
    assert length >= width * 0.9998
    slow = slow_axis(polygon)
    assert length * width <= 1.0011 * slow[0] * slow[1]


@pytest.mark.parametrize("name", [n for n in PLANS if n not in {"sliver", "needle"}])
def test_main_axis_is_that_of_the_minimum_rotated_rectangle(name):
    """The smallest rectangle always lies along an edge of the convex hull; ours along an edge of the outline."""
    plan = PLANS[name]
    hull = plan.convex_hull
    _, _, length, width = main_axes(*parts(packed(hull)))[0]
    box = shapely.minimum_rotated_rectangle(plan)
    assert length * width == pytest.approx(box.area, rel=2e-3)
    _, _, length, width = main_axes(*parts(packed(plan)))[0]
    assert length * width >= box.area * (1 - 1e-9)


@pytest.mark.parametrize("turn", [0, 17, 45, 89.9, 90, 135, 180, 271.5])
def test_main_axis_turns_with_the_outline_and_points_east(turn):
    x, y, length, width = main_axes(*parts(packed(turned(shapely.box(0, 0, 14, 8), turn))))[0]
    want = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
    assert abs(want @ [x, y]) == pytest.approx(1.0, abs=1e-9)
    assert (length, width) == pytest.approx((14, 8))
    assert x > -1e-9


def test_main_axis_of_polygons_is_judged_apart():
    rings = packed(*PLANS.values())
    every = main_axes(*parts(rings))
    alone = np.concatenate([main_axes(*parts(packed(p))) for p in PLANS.values()])
    assert every.tobytes() == alone.tobytes()


def test_main_axis_ignores_a_wrinkle_of_millimetres():
    """A few short crooked edges do not turn the axis of a long house."""
    plan = Polygon([(0, 0), (10, 0), (20, 0), (20, 7.995), (19.99, 8), (0, 8)])
    x, y, *_ = main_axes(*parts(packed(affinity.rotate(plan, 12, origin=(0, 0)))))[0]
    assert np.degrees(np.arctan2(y, x)) == pytest.approx(12, abs=0.05)
