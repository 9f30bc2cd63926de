"""Roof words and numbers to shape, direction and heights: the rules, one by one, and their bounds."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from build_solids import attributes, raise_town
from citygen.geom.tolerances import MIN_WALL_M
from citygen.model.rings import from_polygons
from citygen.outcome import verdicts
from citygen.roofs import plan as rules
from citygen.roofs import words
from citygen.roofs.base import ROOFS
from citygen.roofs.plan import plan_roofs

HOUSE = shapely.box(0, 0, 12, 8)


def plan(outlines=(HOUSE,), *, ground=(100.0, 99.0), north=0.0, **columns):
    """Plan roofs, one outline a row; returns the plan and the reasons of each row."""
    n = len(outlines)
    rings = from_polygons(np.array(outlines, dtype=object))
    level = (np.full(n, ground[0]), np.full(n, ground[1]))
    out, findings = plan_roofs(attributes(n, **columns), rings, np.arange(n), level, np.full(n, north))
    return out, verdicts(n, findings)[1].tolist()


def shape_of(out, row: int = 0) -> str:
    return out.shapes[out.shape[row]].name


@pytest.mark.parametrize("name", ROOFS.names())
def test_a_known_word_gives_its_shape(name):
    out, reasons = plan(roof_shape=name)
    assert (shape_of(out), out.roof_from[0], reasons[0]) == (
        "gabled" if name == "mapped" else name,
        "tag",
        ["roof_lines_missing"] * (name == "mapped"),
    )
    assert out.shapes[0].name == "flat"


@pytest.mark.parametrize(
    ("alias", "name"), [("gable", "gabled"), ("lean_to", "skillion"), ("barrel", "round"), ("1030", "gabled")]
)
def test_aliases(alias, name):
    assert shape_of(plan(roof_shape=alias)[0]) == name


def test_an_unknown_word_is_flat_and_says_so():
    out, reasons = plan(roof_shape="gabeld")
    assert (shape_of(out), out.roof_from[0], reasons[0]) == ("flat", "default", [words.UNKNOWN])


def test_no_word_is_flat_and_only_noted():
    out, reasons = plan()
    assert (shape_of(out), reasons[0]) == ("flat", [words.SHAPE_DEFAULT])


@pytest.mark.parametrize(
    ("columns", "rise"),
    [
        ({"roof_height_m": 2.2}, 2.2),
        ({"roof_angle_deg": 30.0}, 4 * np.tan(np.radians(30))),
        ({"roof_levels": 1.0}, 2.7),
        ({"roof_height_m": 2.2, "roof_levels": 2.0}, 2.2),
        ({}, 4 * np.tan(np.radians(35))),
        ({"height_m": 4.0}, 0.45 * 4.0),
        ({"height_m": 90.0, "roof_height_m": np.nan}, 4 * np.tan(np.radians(35))),
        ({"eave_height_m": 6.5}, 2.5),
    ],
)
def test_rise_of_a_gable(columns, rise):
    out, _ = plan(roof_shape="gabled", **columns)
    assert out.rise_m[0] == pytest.approx(rise)
    height = columns.get("height_m", 9.0)
    assert (out.base_z[0], out.eave_z[0], out.top_z[0]) == pytest.approx((99.0, 100 + height - rise, 100 + height))


def test_a_roof_higher_than_its_building_is_lowered():
    out, reasons = plan(roof_shape="gabled", height_m=3.0, roof_height_m=5.0)
    assert rules.HEIGHT_CLAMPED in reasons[0]
    assert out.eave_z[0] == pytest.approx(100 + MIN_WALL_M)
    assert out.top_z[0] == 103.0


def test_an_angle_out_of_bounds_is_clamped():
    out, reasons = plan(roof_shape="gabled", height_m=200.0, roof_angle_deg=89.0)
    assert reasons[0] == [rules.ANGLE_CLAMPED]
    assert out.rise_m[0] == pytest.approx(4 * np.tan(np.radians(75)))


def test_height_beats_a_disagreeing_angle():
    out, reasons = plan(roof_shape="gabled", roof_height_m=1.0, roof_angle_deg=45.0)
    assert reasons[0] == [rules.ANGLE_IGNORED]
    assert out.rise_m[0] == 1.0
    agree = 4 * np.tan(np.radians(45.0))
    assert plan(roof_shape="gabled", roof_height_m=agree, roof_angle_deg=45.0)[1][0] == []


def test_a_flat_roof_with_a_height_stays_flat():
    out, reasons = plan(roof_shape="flat", roof_height_m=2.0)
    assert reasons[0] == [rules.HEIGHT_IGNORED]
    assert (out.rise_m[0], out.eave_z[0], out.top_z[0]) == (0.0, 109.0, 109.0)


def test_an_eave_below_the_underside_is_raised():
    out, reasons = plan(roof_shape="gabled", height_m=np.nan, eave_height_m=2.0, min_height_m=3.0, roof_height_m=1.5)
    assert reasons[0] == [rules.EAVE_RAISED]
    assert out.base_z[0] == 103.0
    assert out.eave_z[0] == pytest.approx(103 + MIN_WALL_M)
    assert out.top_z[0] == pytest.approx(103 + MIN_WALL_M + 1.5)


def test_raised_parts_start_at_their_underside_others_at_the_lowest_ground():
    out, _ = plan((HOUSE, HOUSE), min_height_m=np.array([0.0, 4.0]))
    assert out.base_z.tolist() == [99.0, 104.0]
    higher, _ = plan(ground=(100.0, 101.0))
    assert higher.base_z[0] == 100.0


@pytest.mark.parametrize("turn", [0.0, 20.0, 45.0, 110.0])
def test_the_ridge_runs_along_the_long_side_unless_told(turn):
    house = affinity.rotate(HOUSE, turn, origin=(0, 0))
    along = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
    out, _ = plan(
        (house, house, house), roof_shape="gabled", roof_orientation=np.array(["", "along", "across"], dtype=object)
    )
    assert np.abs(out.axes @ along) == pytest.approx([0, 0, 1], abs=1e-9)


@pytest.mark.parametrize("direction", [0.0, 90.0, 123.4, 359.9])
def test_a_direction_is_down_slope_clockwise_from_north(direction):
    out, _ = plan(roof_shape="skillion", roof_direction_deg=direction)
    want = [np.sin(np.radians(direction)), np.cos(np.radians(direction))]
    assert out.axes[0] == pytest.approx(want)
    turned, _ = plan(roof_shape="skillion", roof_direction_deg=direction, north=7.0)
    assert turned.axes[0] == pytest.approx([np.sin(np.radians(direction + 7)), np.cos(np.radians(direction + 7))])


def test_compass_words_snap_to_the_walls_and_degrees_do_not():
    house = affinity.rotate(HOUSE, 15, origin=(0, 0))
    wall = np.array([np.sin(np.radians(15)), -np.cos(np.radians(15))])  # square to the long side, towards the south
    snapped, _ = plan((house,), roof_shape="skillion", roof_direction_deg=180.0, roof_direction_is_named=True)
    assert snapped.axes[0] == pytest.approx(wall)
    exact, _ = plan((house,), roof_shape="skillion", roof_direction_deg=180.0)
    assert exact.axes[0] == pytest.approx([0, -1], abs=1e-12)
    between, _ = plan(
        (affinity.rotate(HOUSE, 45, origin=(0, 0)),),
        roof_shape="skillion",
        roof_direction_deg=180.0,
        roof_direction_is_named=True,
    )
    assert between.axes[0] == pytest.approx([0, -1], abs=1e-9)


def test_symmetric_roofs_do_not_depend_on_the_sign_of_the_direction():
    north, _ = plan(roof_shape="gabled", roof_direction_deg=10.0)
    south, _ = plan(roof_shape="gabled", roof_direction_deg=190.0)
    assert north.axes.round(12).tolist() == south.axes.round(12).tolist()


def test_one_way_roofs_without_direction_fall_to_the_south():
    for turn in (0, 30, 60, 120, 170, 200, 300):
        out, _ = plan((affinity.rotate(HOUSE, turn, origin=(0, 0)),), roof_shape="skillion")
        assert out.axes[0, 1] <= 1e-9


def test_one_roof_over_the_polygons_of_a_row():
    """The widest polygon settles the rise of all, so that their eaves are level."""
    rings = from_polygons(np.array([HOUSE, shapely.box(20, 0, 44, 16)], dtype=object))
    out, _ = plan_roofs(
        attributes(1, roof_shape="gabled", height_m=40.0),
        rings,
        np.zeros(2, np.int64),
        (np.zeros(1), np.zeros(1)),
        np.zeros(1),
    )
    assert out.rise_m.tolist() == pytest.approx([8 * np.tan(np.radians(35))])


def test_rows_without_polygons_and_no_rows_at_all():
    none = from_polygons(np.empty(0, dtype=object))
    out, _ = plan_roofs(
        attributes(2, roof_shape="gabled"), none, np.zeros(0, np.int64), (np.zeros(2), np.zeros(2)), np.zeros(2)
    )
    assert (len(out.shape), len(out.axes)) == (2, 0)
    out, _ = plan_roofs(attributes(0), none, np.zeros(0, np.int64), (np.zeros(0), np.zeros(0)), np.zeros(0))
    assert len(out.shape) == 0


maybe = st.one_of(st.just(np.nan), st.floats(0.05, 120))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.sampled_from([*ROOFS.names(), "", "nonsense"]),
    st.tuples(maybe, maybe, st.floats(0, 30), maybe, maybe, maybe),
    st.floats(-5, 5),
)
def test_heights_are_ordered_whatever_the_numbers(shape, numbers, lowest):
    total, eave, low, rise, angle, levels = numbers
    if np.isnan(total) and np.isnan(eave):
        total = 5.0 + low
    if np.isfinite(total):  # what read_attributes promises
        total = max(total, low + 0.5)
        eave = min(eave, total)
    elif np.isfinite(eave):
        eave = max(eave, low + 0.5)
    out, _ = plan(
        ground=(10.0, 10.0 + lowest),
        roof_shape=shape,
        height_m=total,
        eave_height_m=eave,
        min_height_m=low,
        roof_height_m=rise,
        roof_angle_deg=angle,
        roof_levels=levels,
    )
    assert out.base_z[0] + MIN_WALL_M <= out.eave_z[0] + 1e-9
    assert out.eave_z[0] <= out.top_z[0]
    assert out.rise_m[0] == out.top_z[0] - out.eave_z[0]
    if np.isfinite(total):
        assert out.top_z[0] == pytest.approx(10.0 + total), "a total height is kept"
    assert np.hypot(*out.axes[0]) == pytest.approx(1.0)


def test_inputs_are_left_alone():
    table = attributes(1, roof_shape="gabled", roof_direction_deg=30.0)
    before = {name: getattr(table, name).tolist() for name in table.__slots__}
    rings = from_polygons(np.array([HOUSE], dtype=object))
    plan_roofs(table, rings, np.zeros(1, np.int64), (np.zeros(1), np.zeros(1)), np.zeros(1))
    after = {name: getattr(table, name).tolist() for name in table.__slots__}
    assert str(before) == str(after)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"roof_shape": "flat", "roof_angle_deg": 30.0}, rules.HEIGHT_IGNORED),
        ({"roof_shape": "flat", "roof_levels": 2.0}, rules.HEIGHT_IGNORED),
        ({"roof_shape": "gabled", "roof_height_m": 2.0, "roof_levels": 2.0}, rules.LEVELS_UNUSED),
        ({"roof_shape": "gabled", "roof_height_m": 0.0}, rules.ZERO_IGNORED),
        ({"roof_shape": "gabled", "height_m": 10.0, "eave_height_m": 7.0, "roof_height_m": 5.0}, rules.EAVE_IGNORED),
        ({"roof_shape": "gabled", "height_m": 10.0, "eave_height_m": 10.0}, rules.EAVE_IGNORED),
        ({"roof_shape": "flat", "height_m": 10.0, "eave_height_m": 7.0}, rules.EAVE_IGNORED),
        ({"roof_shape": "gabled", "roof_direction_deg": 0.0, "roof_orientation": "across"}, None),
        ({"roof_shape": "gabled", "roof_direction_deg": 0.0, "roof_orientation": "along"}, None),
        ({"roof_shape": "hipped", "roof_direction_deg": 10.0}, rules.DIRECTION_UNUSED),
        ({"roof_shape": "skillion;hipped"}, words.SEVERAL),
    ],
)
def test_what_contradicts_itself_is_recorded(columns, code):
    geometry = np.array([shapely.box(0, 0, 14, 8)], dtype=object)
    town = raise_town(geometry, **columns)
    codes = {f.code for f in town.findings if len(f.rows)}
    if code is None:  # one of the two orientations disagrees with a slope to the north
        assert (rules.ORIENTATION_IGNORED in codes) == (columns["roof_orientation"] == "across")
    else:
        assert code in codes
