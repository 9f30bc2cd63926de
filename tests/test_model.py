"""The values: ragged rings and meshes keep their laws under take, pack and unpack."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.model.rings import Rings, from_polygons, offsets, ranges, take, to_polygons
from citygen.outcome import OUTCOMES, Finding, known_reasons, reason, verdicts
from shapes import plans
from strategies import holed_polygons

LAWS = settings(max_examples=60, derandomize=True, deadline=None)
PLANS = np.array(list(plans().values()), dtype=object)


def same(a: Rings, b: Rings) -> bool:
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in a.__slots__)


@LAWS
@given(st.lists(holed_polygons(), max_size=6))
def test_rings_and_back(polygons):
    rings = from_polygons(np.array(polygons, dtype=object))
    assert len(rings) == len(polygons)
    assert rings.ring_offsets.dtype == rings.polygon_offsets.dtype == np.int64
    if not polygons:
        return
    again = to_polygons(rings)
    assert all(a.normalize().equals_exact(b.normalize(), 0) for a, b in zip(again, polygons, strict=True))
    assert same(from_polygons(again), rings)
    assert rings.bounds() == pytest.approx(shapely.bounds(np.array(polygons, dtype=object)))


@pytest.mark.parametrize("turn", [False, True])
def test_outlines_are_counter_clockwise_and_holes_clockwise(turn):
    given_ = shapely.reverse(PLANS) if turn else PLANS
    rings = from_polygons(given_)
    first = np.zeros(len(rings.ring_offsets) - 1, dtype=bool)
    first[rings.polygon_offsets[:-1]] = True
    for r, (a, b) in enumerate(zip(rings.ring_offsets[:-1], rings.ring_offsets[1:], strict=True)):
        ring = shapely.LinearRing(rings.coords[a:b])
        assert ring.is_ccw == first[r]
        assert not np.array_equal(rings.coords[a], rings.coords[b - 1])


@LAWS
@given(st.lists(st.integers(0, len(PLANS) - 1), max_size=12))
def test_take_is_packing_the_chosen(index):
    rings = from_polygons(PLANS)
    chosen = np.array(index, dtype=np.int64)
    assert same(take(rings, chosen), from_polygons(PLANS[chosen]))


def test_z_and_m_are_left_out():
    rings = from_polygons(np.array([shapely.from_wkt("POLYGON Z ((0 0 7, 1 0 7, 1 1 nan, 0 0 7))")], dtype=object))
    assert rings.coords.tolist() == [[0, 0], [1, 0], [1, 1]]


def test_bounds_of_a_polygon_without_vertices_is_nan():
    rings = Rings(np.array([[0.0, 0], [1, 0], [1, 1]]), np.array([0, 3, 3]), np.array([0, 1, 2]))
    assert rings.bounds()[0].tolist() == [0, 0, 1, 1]
    assert np.isnan(rings.bounds()[1]).all()


@LAWS
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), max_size=20))
def test_ranges_and_offsets(pairs):
    starts = np.array([a for a, _ in pairs], dtype=np.int64)
    counts = np.array([b for _, b in pairs], dtype=np.int64)
    assert ranges(starts, counts).tolist() == [k for a, b in pairs for k in range(a, a + b)]
    assert offsets(counts).tolist() == [sum(b for _, b in pairs[:k]) for k in range(len(pairs) + 1)]


def test_every_reason_has_a_sentence_and_an_outcome():
    import citygen.pipeline.tile  # noqa: F401  declares the stages' reasons

    reasons = known_reasons()
    assert len(reasons) > 20
    for each in reasons:
        assert each.outcome in OUTCOMES
        assert each.sentence.endswith(".")
        assert each.code == each.code.lower().replace(" ", "_")


def test_a_code_has_one_meaning():
    reason("test_only", "ok", "A test.")
    assert reason("test_only", "ok", "A test.") == "test_only"
    with pytest.raises(ValueError, match="already declared"):
        reason("test_only", "rejected", "Another test.")


@LAWS
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=6), st.sampled_from(["t_ok", "t_degraded", "t_rejected"])))
)
def test_the_worst_reason_decides(found):
    for word in OUTCOMES:
        reason(f"t_{word}", word, "A test.")
    findings = [Finding(np.array(rows, dtype=np.int64), code, [f"d{r}" for r in rows]) for rows, code in found]
    outcome, reasons, details = verdicts(5, findings)
    for row in range(5):
        mine = [code for rows, code in found if row in rows]
        worst = max((OUTCOMES.index(code[2:]) for code in mine), default=0)
        assert outcome[row] == OUTCOMES[worst]
        assert reasons[row] == list(dict.fromkeys(mine))
        assert details[row] == [f"d{row}"] * len(reasons[row])
