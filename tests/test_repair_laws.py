"""Laws of repair: what is taken off, what the area is held against, and that place, start and direction change nothing."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import MultiPolygon, Polygon

from citygen.buildings.repair import Footprints, repair
from citygen.geom.spikes import without_spikes
from citygen.outcome import verdicts
from strategies import holed_polygons, star_polygons

HOUSE = shapely.box(0, 0, 12, 8)
LAW = settings(max_examples=60, derandomize=True, deadline=None)


def run(*geometry) -> tuple[Footprints, list[str], list[list[str]], list[list[str]]]:
    column = np.array([*geometry, None], dtype=object)[:-1]
    footprints, findings = repair(column)
    outcome, reasons, details = verdicts(len(column), findings)
    return footprints, outcome.tolist(), reasons.tolist(), details.tolist()


def even_odd(ring: np.ndarray, step: float) -> float:
    """Area by the even-odd rule, counted on a grid of points that lie on no edge: slow, obvious, from the ring alone."""
    low, high = ring.min(axis=0), ring.max(axis=0)
    x = np.arange(low[0] + step * 0.5037, high[0], step)
    y = np.arange(low[1] + step * 0.4971, high[1], step)
    px, py = (part.ravel() for part in np.meshgrid(x, y))
    odd = np.zeros(len(px), dtype=bool)
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if ay != by:
            odd ^= ((ay > py) != (by > py)) & (px < ax + (py - ay) / (by - ay) * (bx - ax))
    return float(odd.sum() * step * step)


def ring(text: str) -> Polygon:
    """Make a polygon of "x y, x y, ..."."""
    return Polygon([tuple(map(float, pair.split())) for pair in text.split(", ")])


# What one fault becomes: geometry, outcome, area, area change, a reason

FAULTS = {
    "untouched": (HOUSE, "ok", 96.0, 0.0, None),
    "bow tie": (ring("0 0, 10 10, 10 0, 0 10"), "degraded", 50.0, 0.0, "footprint_repaired"),
    "uneven bow tie": (ring("0 0, 12 8, 12 0, 0 4"), "degraded", 4 * 4 / 2 + 8 * 8 / 2, 0.0, "footprint_repaired"),
    "spike out": (ring("0 0, 12 0, 12 8, 6.01 8, 6.005 20, 6 8, 0 8"), "degraded", 96.0, None, "footprint_spikes_removed"),
    "spike of no width": (ring("0 0, 12 0, 12 8, 6 8, 6 20, 6 8, 0 8"), "degraded", 96.0, 0.0, "footprint_repaired"),
    "blunt spike": (
        ring("0 0, 12 0, 12 8, 6.01 8, 6.01 20, 6 20, 6 8, 0 8"),
        "degraded", 96.0, None, "footprint_spikes_removed",
    ),
    "spike with corners": (
        ring("0 0, 12 0, 12 8, 6 8, 6 12, 6.2 16, 6.3 20, 6.21 16, 6.01 12, 6.01 8, 0 8"),
        "degraded", 96.0, None, "footprint_spikes_removed",
    ),
    "cut": (ring("0 0, 12 0, 12 8, 6.01 8, 6.005 2, 6 8, 0 8"), "degraded", 96.0, None, "footprint_spikes_removed"),
    "a wing of 5 cm is no spike": (shapely.union(HOUSE, shapely.box(6, 7, 6.05, 20)), "ok", 96.6, 0.0, None),
    "a corner of 1 cm is no spike": (ring("0 0, 12 0, 12 8, 0.01 8, 0 7.99"), "ok", 96.0, 0.0, None),
    "needle": (ring("0 0, 25 0, 25 0.02"), "ok", 0.25, 0.0, None),
    "run through twice": (
        Polygon([*list(HOUSE.exterior.coords)[:-1], *list(HOUSE.exterior.coords)]),
        "degraded", 96.0, 0.0, "footprint_repaired",
    ),
    "loop over itself": (
        ring("0 0, 10 0, 10 6, 4 6, 4 4, 6 4, 6 10, 0 10"), "degraded", 84.0, 84 / 80 - 1, "footprint_repaired",
    ),
    "same polygon twice": (MultiPolygon([HOUSE, HOUSE]), "degraded", 96.0, 0.0, "footprint_repaired"),
    "polygon in polygon": (MultiPolygon([HOUSE, shapely.box(2, 2, 5, 5)]), "degraded", 96.0, 0.0, "footprint_repaired"),
    "polygon in a hole": (
        MultiPolygon([HOUSE.difference(shapely.box(2, 2, 8, 6)), shapely.box(3, 3, 5, 5)]), "ok", 96 - 24 + 4.0, 0.0, None,
    ),
    "overlapping members": (
        MultiPolygon([HOUSE, affinity.translate(HOUSE, 6, 0)]),
        "degraded", 144.0, 0.0, "footprint_repaired",
    ),
    "members at one wall": (
        MultiPolygon([HOUSE, affinity.translate(HOUSE, 12, 0)]),
        "degraded", 192.0, 0.0, "footprint_repaired",
    ),
    "members nearly at one wall": (
        MultiPolygon([HOUSE, affinity.translate(HOUSE, 12 + 2e-5, 0)]), "degraded", 192.0, None, "footprint_pieces_united",
    ),
    "hole outside": (
        Polygon(HOUSE.exterior, [shapely.box(20, 0, 25, 5).exterior]),
        "degraded", 96.0, 0.0, "footprint_repaired",
    ),
    "hole across the wall": (
        Polygon(HOUSE.exterior, [shapely.box(10, 2, 14, 6).exterior]),
        "degraded", 88.0, 0.0, "footprint_repaired",
    ),
    "hole in a hole": (
        Polygon(HOUSE.exterior, [shapely.box(2, 2, 8, 6).exterior, shapely.box(3, 3, 5, 5).exterior]),
        "degraded", 72.0, 0.0, "footprint_repaired",
    ),
    "same hole twice": (
        Polygon(HOUSE.exterior, [shapely.box(2, 2, 8, 6).exterior, shapely.box(2, 2, 8, 6).exterior]),
        "degraded", 72.0, 0.0, "footprint_repaired",
    ),
    "hole as large as the shell": (Polygon(HOUSE.exterior, [HOUSE.exterior]), "rejected", 0.0, None, "footprint_no_area"),
    "holes that touch": (
        HOUSE.difference(shapely.union_all([ring("2 4, 5 2, 5 6"), ring("8 2, 8 6, 5 4")])),
        "degraded", 96 - 12.0, None, "footprint_opened",
    ),
    "z": (shapely.force_3d(HOUSE, 50.0), "ok", 96.0, 0.0, None),
    "three rounds of a spiral": (
        ring("25 0, 0 0, 0 40, 40 40, 40 5, 5 5, 5 35, 35 35, 35 10, 10 10, 10 30, 30 30, 30 15, 15 15, 15 25, 25 25"),
        "rejected", 0.0, None, "footprint_area_changed",
    ),
    "mostly specks": (
        MultiPolygon([shapely.box(0, 0, 0.2, 0.2), *(shapely.box(k, 5, k + 0.09, 5.09) for k in range(1, 9))]),
        "rejected", 0.0, None, "footprint_area_changed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("place", [(0.0, 0.0), (412_345.678, 5_678_901.234)])
def test_what_a_fault_becomes(name, place):
    geometry, want, area, change, code = FAULTS[name]
    footprints, outcome, reasons, details = run(affinity.translate(geometry, *place))
    assert outcome == [want], (reasons, details)
    assert (code in reasons[0]) if code else reasons == [[]]
    assert footprints.area_m2[0] == pytest.approx(area, abs=0.08)
    if want == "rejected":
        assert np.isnan(footprints.area_change[0])
    elif change is not None:
        assert footprints.area_change[0] == pytest.approx(change, abs=1e-3)
    else:
        assert footprints.area_change[0] != 0
        assert abs(footprints.area_change[0]) < 0.01
    if code in {"footprint_repaired", "footprint_area_changed"}:
        assert "m2 before" in details[0][reasons[0].index(code)]


def test_an_area_change_is_what_was_added_or_taken():
    overlap = Polygon([(0, 0), (10, 0), (10, 6), (4, 6), (4, 4), (6, 4), (6, 10), (0, 10)])
    antenna = Polygon([(0, 0), (4, 0), (4, 4), (2.019, 4), (2.01, 600), (2.0, 4), (0, 4)])
    footprints, *_ = run(overlap, antenna, HOUSE)
    assert footprints.area_change[0] == pytest.approx(4 / 80, rel=1e-6)
    thin = 0.5 * 0.019 * 596
    assert footprints.area_change[1] == pytest.approx(-thin / (16 + thin), rel=0.01)
    assert footprints.area_change[2] == 0


def test_spikes_are_cut_down_to_their_base_and_no_further():
    ring = np.array(
        [[0.0, 0], [12, 0], [12, 8], [6.01, 8], [6.01, 14], [6.3, 20], [6.29, 20], [6.0, 14], [6.0, 8], [0, 8]]
    )
    keep = without_spikes(ring, np.array([0, len(ring)]))
    left = ring[keep]
    assert Polygon(left).area == pytest.approx(96, abs=0.05)
    assert left[:, 1].max() <= 8
    assert set(map(tuple, left.tolist())) >= {(0, 0), (12, 0), (12, 8), (0, 8)}


@LAW
@given(holed_polygons())
def test_sound_outlines_have_no_spikes(polygon):
    ring = np.asarray(polygon.exterior.coords)[:-1]
    assert without_spikes(ring, np.array([0, len(ring)])).all()


@st.composite
def bow_ties(draw):
    """Two lobes that meet at a crossing: a quadrilateral whose two opposite sides cross, from 2 m to 40 m."""
    top, bottom = draw(st.integers(20, 400)) / 10, draw(st.integers(20, 400)) / 10
    left, right = draw(st.integers(20, 200)) / 10, draw(st.integers(20, 200)) / 10
    return np.array([[0.0, 0.0], [right, top], [right, 0.0], [-left / 4, bottom]])


@LAW
@given(bow_ties(), st.integers(0, 359))
def test_a_bow_tie_keeps_its_even_odd_area(ring, turn):
    shape = affinity.rotate(Polygon(ring), turn, origin=(0, 0))
    footprints, outcome, reasons, _ = run(shape)
    if shape.is_valid:
        assert outcome == ["ok"]
        return
    assert reasons[0][0] == "footprint_repaired"
    xy = np.asarray(shape.exterior.coords)[:-1]
    step = 0.05
    assert footprints.area_m2[0] == pytest.approx(even_odd(xy, step), abs=step * 1.5 * shape.length + 0.1)
    assert abs(footprints.area_change[0]) < 0.01


@LAW
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=4, max_size=12))
def test_the_area_before_is_that_of_the_even_odd_rule(points):
    """For any ring; and what is rejected for its area is what changes it by more than half."""
    ring = np.array(points, float)
    footprints, outcome, reasons, details = run(Polygon(ring))
    for code, text in zip(reasons[0], details[0], strict=True):
        if code in {"footprint_repaired", "footprint_area_changed"}:
            before, after = (float(part.split()[0]) for part in text.split("; ")[-1].split(", "))
            assert before == pytest.approx(even_odd(ring, 0.02), abs=1.0)
            if code == "footprint_area_changed":
                assert abs(after - before) > 0.499 * before
    if outcome == ["degraded"]:
        assert abs(footprints.area_change[0]) <= 0.5


def outlines() -> st.SearchStrategy:
    wild = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=4, max_size=10)
    pairs = st.tuples(star_polygons(), star_polygons(), st.integers(-10, 10))
    return st.one_of(
        holed_polygons(),
        wild.map(lambda points: Polygon(np.array(points, float) * 1.3)),
        pairs.map(lambda pair: MultiPolygon([pair[0], affinity.translate(pair[1], pair[2], 0)])),
    )


@LAW
@given(outlines())
def test_repair_is_idempotent(shape):
    first, outcome, *_ = run(shape)
    if outcome == ["rejected"]:
        return
    second, again, reasons, _ = run(first.geometry[0])
    assert again == ["ok"], reasons
    assert shapely.symmetric_difference(first.geometry[0], second.geometry[0]).area < 1e-6 * max(1, shape.length)


@LAW
@given(outlines(), st.sampled_from([(1000.0, -2000.0), (412_345.678, 5_678_901.234), (0.25, 0.125)]))
def test_a_place_changes_nothing(shape, by):
    here, outcome, reasons, _ = run(shape)
    there, outcome_2, reasons_2, _ = run(affinity.translate(shape, *by))
    assert (outcome, reasons) == (outcome_2, reasons_2)
    if outcome != ["rejected"]:
        moved = affinity.translate(there.geometry[0], -by[0], -by[1])
        assert there.area_m2[0] == pytest.approx(here.area_m2[0], abs=1e-6)
        assert shapely.hausdorff_distance(moved, here.geometry[0]) < 1e-6


def restarted(polygon: Polygon, start: int, *, back: bool) -> Polygon:
    def turn(ring: shapely.LinearRing) -> np.ndarray:
        xy = np.roll(np.asarray(ring.coords)[:-1], start, axis=0)
        return xy[::-1] if back else xy

    return Polygon(turn(polygon.exterior), [turn(hole) for hole in polygon.interiors])


@LAW
@given(outlines(), st.integers(0, 9), st.booleans())
def test_where_a_ring_starts_and_which_way_it_runs_changes_nothing(shape, start, back):
    parts = [restarted(part, start, back=back) for part in shapely.get_parts(shape)]
    one, outcome, reasons, _ = run(shape)
    other, outcome_2, reasons_2, _ = run(parts[0] if len(parts) == 1 else MultiPolygon(parts))
    assert (outcome, sorted(reasons[0])) == (outcome_2, sorted(reasons_2[0]))
    if outcome != ["rejected"]:
        assert other.area_m2[0] == pytest.approx(one.area_m2[0], abs=1e-6)
        assert shapely.symmetric_difference(one.geometry[0], other.geometry[0]).area < 1e-6 * max(1.0, shape.length)
