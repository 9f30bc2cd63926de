"""Outlines and their parts: nothing is built twice, nothing that no part covers is lost."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.buildings.parts import NO_OUTLINE, REMAINDER, REPLACED, resolve_parts

OUTLINE = shapely.box(0, 0, 20, 10)


def resolve(outline, parts, *, uid: int = 100):
    """Resolve one outline (row 0) with parts (the rows after it); returns what is left of each, replaced, reasons by row."""
    geometry = np.array([outline, *parts], dtype=object)
    n = len(geometry)
    part_of = np.full(n, uid)
    part_of[0] = -1
    uids = uid + np.arange(n)
    left, replaced, findings = resolve_parts(geometry, uids, part_of, np.arange(n) > 0)
    reasons = {int(row): f.code for f in findings for row in f.rows}
    return left, replaced, reasons


def test_an_outline_without_parts_stays():
    left, replaced, reasons = resolve(OUTLINE, [])
    assert left[0] is OUTLINE
    assert not replaced.any()
    assert reasons == {}


@pytest.mark.parametrize(
    "parts",
    [
        [OUTLINE],
        [shapely.box(0, 0, 9, 10), shapely.box(9, 0, 20, 10)],
        [shapely.box(0, 0, 9, 10), shapely.box(9.1, 0, 20, 10)],
        [shapely.box(-1, -1, 21, 11)],
        [shapely.box(0, 0, 20, 10), shapely.box(4, 4, 8, 8)],
    ],
)
def test_parts_that_cover_an_outline_replace_it(parts):
    left, replaced, reasons = resolve(OUTLINE, parts)
    assert left[0] is None
    assert replaced.tolist() == [True] + [False] * len(parts)
    assert reasons[0] == REPLACED
    assert all(a is b for a, b in zip(left[1:], parts, strict=True))


def test_what_no_part_covers_is_built():
    left, replaced, reasons = resolve(OUTLINE, [shapely.box(0, 0, 8, 10)])
    assert not replaced[0]
    assert reasons[0] == REMAINDER
    assert left[0].symmetric_difference(shapely.box(8, 0, 20, 10)).area < 1e-3


@pytest.mark.parametrize(("width", "covered"), [(19.5, True), (19.0, False)])
def test_an_outline_counts_as_covered_from_97_in_a_hundred(width, covered):
    _, replaced, _ = resolve(OUTLINE, [shapely.box(0, 0, width, 10)])
    assert bool(replaced[0]) is covered


def test_a_tower_in_the_middle_leaves_a_ring():
    left, _, _ = resolve(OUTLINE, [shapely.box(8, 4, 12, 6)])
    assert left[0].area == pytest.approx(192, abs=0.01)
    assert len(shapely.get_rings(shapely.get_parts(left[0]))) == 2


def test_slivers_beside_parts_are_not_built():
    """Two digitisations of one wall, decimetres apart."""
    left, _, _ = resolve(OUTLINE, [shapely.box(0, 0, 10, 9.8), shapely.box(10, 0.2, 14, 10)])
    assert left[0].symmetric_difference(shapely.box(14, 0, 20, 10)).area < 0.2


def test_a_broken_part_counts_for_nothing():
    left, replaced, _ = resolve(OUTLINE, [None, shapely.box(0, 0, 8, 10)])
    assert not replaced[0]
    assert left[0].area == pytest.approx(120, abs=0.01)
    left, replaced, _ = resolve(OUTLINE, [None])
    assert left[0] is OUTLINE
    left, replaced, _ = resolve(None, [shapely.box(0, 0, 8, 10)])
    assert left[0] is None
    assert not replaced[0]


def test_a_part_without_outline_is_noted_and_built():
    geometry = np.array([OUTLINE], dtype=object)
    left, replaced, findings = resolve_parts(geometry, np.array([7]), np.array([-1]), np.array([True]))
    assert left[0] is OUTLINE
    assert not replaced[0]
    assert [f.code for f in findings if len(f.rows)] == [NO_OUTLINE]


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 18), st.integers(0, 8), st.integers(1, 12), st.integers(1, 8)), max_size=5))
def test_remainder_and_parts_cover_the_outline_once(boxes):
    parts = [shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes]
    left, replaced, _ = resolve(OUTLINE, parts)
    covered = shapely.union_all(parts)
    rest = OUTLINE.difference(covered)
    if replaced[0]:
        assert rest.area <= 0.031 * OUTLINE.area
    else:
        assert left[0].intersection(covered).area < 1e-3
        assert left[0].symmetric_difference(rest).area < 0.01 * OUTLINE.area


def test_buildings_are_resolved_apart_and_in_any_order():
    rng = np.random.default_rng(4)
    geometry, part_of = [], []
    for k in range(6):
        x = 50.0 * k
        geometry += [shapely.box(x, 0, x + 20, 10), shapely.box(x, 0, x + 3 * k, 10)]
        part_of += [-1, 2 * k]
    column, owner = np.array(geometry, dtype=object), np.array(part_of)
    uid, part = np.arange(12), np.arange(12) % 2 == 1
    left, replaced, _ = resolve_parts(column, uid, owner, part)
    order = rng.permutation(12)
    left_2, replaced_2, _ = resolve_parts(column[order], uid[order], owner[order], part[order])
    assert replaced[order].tolist() == replaced_2.tolist()
    assert [g and g.wkb for g in left[order]] == [g and g.wkb for g in left_2]


def test_inputs_are_left_alone():
    geometry = np.array([OUTLINE, OUTLINE], dtype=object)
    resolve_parts(geometry, np.array([1, 2]), np.array([-1, 1]), np.array([False, True]))
    assert geometry.tolist() == [OUTLINE, OUTLINE]
