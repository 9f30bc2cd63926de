"""Repair: each outline, however broken, gets a verdict; what comes out is simple; neighbours change nothing."""

import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely import affinity
from shapely.geometry import Polygon

from build_solids import raise_town
from citygen.buildings.repair import Footprints, repair
from citygen.geom.rings import pinched
from citygen.geom.tolerances import MIN_AREA_M2, SPIKE_WIDTH_M
from citygen.model.rings import to_polygons
from citygen.outcome import verdicts
from shapes import invalid_rows, plans, scaled_to
from strategies import holed_polygons, star_polygons


def run(geometry) -> tuple[Footprints, list[str], list[list[str]]]:
    """Repair; return footprints, and outcome and reasons of each row."""
    column = np.array(geometry, dtype=object)
    footprints, findings = repair(column)
    outcome, reasons, _ = verdicts(len(column), findings)
    assert_sound(footprints, outcome)
    return footprints, outcome.tolist(), reasons.tolist()


def assert_sound(footprints: Footprints, outcome) -> None:
    """What every result of repair must be."""
    rings = footprints.rings
    polygons = to_polygons(rings)
    assert shapely.is_valid(polygons).all()
    assert not pinched(rings.coords, rings.ring_offsets, rings.polygon_offsets).any()
    assert (np.diff(footprints.row) >= 0).all()
    built = np.bincount(footprints.row, minlength=len(outcome)) > 0
    assert built.tolist() == [o != "rejected" for o in outcome], "rejected rows, and only they, have no polygon"
    assert np.isfinite(rings.coords).all()
    assert (np.isfinite(footprints.origins[:, 0]) == built).all()
    assert (footprints.origins[built] == np.floor(footprints.origins[built])).all()
    assert [g is not None for g in footprints.geometry] == built.tolist()
    areas = np.bincount(footprints.row, weights=shapely.area(polygons), minlength=len(outcome))
    assert footprints.area_m2 == pytest.approx(areas, rel=1e-9, abs=1e-9)
    world = np.array([0.0 if g is None else g.area for g in footprints.geometry])
    assert world == pytest.approx(areas, rel=1e-6, abs=1e-6)


def bytes_of(footprints: Footprints, row: int) -> tuple:
    mine = np.flatnonzero(footprints.row == row)
    polygons = shapely.to_wkb(to_polygons(footprints.rings)[mine]).tolist()
    return (
        polygons,
        footprints.origins[row].tobytes(),
        footprints.area_m2[row],
        shapely.to_wkb(footprints.geometry[row]),
    )


@pytest.fixture(scope="module")
def invalid(testdata):
    return invalid_rows(testdata)


def test_every_invalid_outline_gets_its_verdict(invalid):
    for scale in (None, 40.0):
        geometry = [row["geometry"] if scale is None else scaled(row["geometry"], scale) for row in invalid]
        _, outcome, reasons = run(geometry)
        for row, source in enumerate(invalid):
            if geometry[row] is None or not geometry[row].is_valid:
                assert outcome[row] != "ok", source["id"]
                assert reasons[row], source["id"]
        assert outcome.count("rejected") <= 0.15 * len(outcome)


def scaled(geometry, size_m: float):
    if geometry is None or geometry.is_empty:
        return geometry
    west, south, east, north = geometry.bounds
    return scaled_to(geometry, size_m) if max(east - west, north - south) > 0 else geometry


def test_areas_lie_between_another_code_s_even_odd_area_and_what_the_rings_enclose(invalid):
    """What overlaps itself is counted once, so the area is at least the even-odd one; nothing is added."""
    rows = [r for r in invalid if r.get("expected_area", 0) > 0 and r["fill_rule"] != "NEGATIVE"]
    assert len(rows) >= 20
    footprints, _, _ = run([r["geometry"] for r in rows])
    for k, row in enumerate(rows):
        cells = shapely.get_parts(shapely.polygonize([shapely.union_all(shapely.get_parts(row["geometry"].boundary))]))
        filled = shapely.union_all(cells).area
        assert 0.99 * row["expected_area"] <= footprints.area_m2[k] <= 1.0001 * filled, row["id"]


def test_repaired_outlines_stay_within_what_their_rings_enclose(invalid):
    geometry = [row["geometry"] for row in invalid]
    footprints, outcome, _ = run(geometry)
    for row, source in enumerate(invalid):
        if outcome[row] != "rejected":
            lines = shapely.union_all(shapely.node(shapely.boundary(geometry[row])))
            cells = shapely.polygonize([lines])
            # a cut as thin as a spike is filled, so as far as its width something is added
            margin = SPIKE_WIDTH_M + 0.001
            reach = shapely.buffer(shapely.union_all([geometry[row].convex_hull if cells.is_empty else cells]), margin)
            assert (
                reach.covers(footprints.geometry[row])
                or shapely.difference(footprints.geometry[row], reach).area < 1e-3
            ), source["id"]


def test_a_neighbour_changes_nothing_among_the_invalid(invalid):
    good = [affinity.translate(p, 300, 40) for p in plans().values()]
    geometry = [row["geometry"] for row in invalid] + good
    every, outcome, reasons = run(geometry)
    order = np.random.default_rng(11).permutation(len(geometry))
    shuffled, outcome_2, reasons_2 = run([geometry[k] for k in order])
    for at, row in enumerate(order.tolist()):
        assert bytes_of(every, row) == bytes_of(shuffled, at)
        assert (outcome[row], reasons[row]) == (outcome_2[at], reasons_2[at])
    alone, *_ = run(good)
    for k in range(len(good)):
        assert bytes_of(alone, k) == bytes_of(every, len(invalid) + k)


# torture.geojson: what must become of each, in the words of its own 'expect'


@pytest.fixture(scope="module")
def torture(testdata) -> dict[str, tuple[str, object]]:
    """Return id to (expect, geometry in UTM 33N or None); features that GEOS cannot hold are left to the sources' tests."""
    text = (testdata / "hardcases/synthetic/geometry/torture.geojson").read_text(encoding="utf-8")
    to_utm = Transformer.from_crs("OGC:CRS84", "EPSG:32633", always_xy=True)
    found = {}
    for feature in json.loads(text)["features"]:
        name, raw = feature["properties"]["id"], feature["geometry"]
        if name in found:
            name += "-2"
        try:
            shape = None if raw is None else shapely.from_geojson(json.dumps(raw), on_invalid="raise")
            shape = shape and shapely.transform(shape, to_utm.transform, interleaved=False)
        except (shapely.errors.GEOSException, ValueError, TypeError):
            continue
        found[name] = (feature["properties"]["expect"], shape)
    return found


def test_torture_verdicts(torture):
    assert len(torture) >= 55
    names = list(torture)
    footprints, outcome, reasons = run([shape for _, shape in torture.values()])
    verdict = dict(zip(names, outcome, strict=True))
    for name, (expect, _) in torture.items():
        word = expect.split(":")[0].split(",")[0]
        if word == "skipped" and "outside AOI" not in expect:
            assert verdict[name] == "rejected", (name, expect, reasons[names.index(name)])
        elif word in {"built", "built or repaired"} and name != "antimeridian":
            assert verdict[name] != "rejected", (name, expect, reasons[names.index(name)])
        elif word == "repaired" and "or skipped" not in expect:
            assert verdict[name] == "degraded", (name, expect, reasons[names.index(name)])
    controls = [k for k, name in enumerate(names) if name.startswith("control-")]
    assert [outcome[k] for k in controls] == ["ok"] * 10
    area = dict(zip(names, footprints.area_m2, strict=True))
    assert area["spike-out"] == pytest.approx(96, rel=0.01)
    assert area["spike-in"] == pytest.approx(96, rel=0.01)
    polygons = np.bincount(footprints.row, minlength=len(names))
    assert polygons[names.index("multipolygon-2-disjoint")] == 2
    assert polygons[names.index("bowtie")] == 2
    corners = np.diff(footprints.rings.vertex_offsets)
    assert corners[footprints.row == names.index("collinear-100")].tolist() == [4]
    assert corners[footprints.row == names.index("duplicate-points")].tolist() == [4]
    assert corners[footprints.row == names.index("near-duplicate-1e-6m")].tolist() == [4]
    assert corners[footprints.row == names.index("circle-5000")].max() < 1000


def test_torture_controls_do_not_notice_the_rest(torture):
    names = list(torture)
    every, *_ = run([shape for _, shape in torture.values()])
    controls = [k for k, name in enumerate(names) if name.startswith("control-")]
    alone, *_ = run([torture[names[k]][1] for k in controls])
    for at, k in enumerate(controls):
        assert bytes_of(alone, at) == bytes_of(every, k)


def test_every_roof_stands_on_what_repair_makes(torture, invalid):
    """What repair lets through can be built: closed solids for all of it, flat and gabled."""
    geometry = [shape for _, shape in torture.values()] + [scaled(r["geometry"], 30.0) for r in invalid]
    for shape in ("flat", "gabled", "sawtooth"):
        town = raise_town(np.array(geometry, dtype=object), roof_shape=shape)
        assert len(town.shaped.meshes) == len(town.footprints.rings)
        wrong = town.faults(np.arange(0, len(town.shaped.meshes), 5))
        assert {row: f for row, f in wrong.items() if f - {"ring repeats a vertex"}} == {}


# single rules

SQUARE = shapely.box(100, 200, 110, 208)
CASES = {
    "square": (SQUARE, "ok", 80.0, 1),
    "wrong way round": (SQUARE.reverse(), "ok", 80.0, 1),
    "bowtie": (Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]), "degraded", 50.0, 2),
    "line": (shapely.LineString([(0, 0), (5, 5)]), "rejected", 0.0, 0),
    "point": (shapely.Point(1, 2), "rejected", 0.0, 0),
    "none": (None, "rejected", 0.0, 0),
    "empty": (Polygon(), "rejected", 0.0, 0),
    "collapsed": (Polygon([(0, 0), (5, 5), (9, 9), (5, 5)]), "rejected", 0.0, 0),
    "speck": (shapely.box(0, 0, 0.09, 0.09), "rejected", 0.0, 0),
    "thread": (shapely.box(0, 0, 50, 0.003), "rejected", 0.0, 0),
    "country": (shapely.box(0, 0, 9000, 9000), "rejected", 0.0, 0),
    "speck beside a house": (shapely.MultiPolygon([SQUARE, shapely.box(0, 0, 0.05, 0.05)]), "degraded", 80.0, 1),
    "two houses": (shapely.MultiPolygon([SQUARE, shapely.box(0, 0, 10, 2)]), "ok", 100.0, 2),
    "overlapping shells": (shapely.MultiPolygon([shapely.box(0, 0, 10, 10), shapely.box(5, 0, 15, 10)]), "degraded", 150.0, 1),
    "courtyard of a millimetre": (
        shapely.box(0, 0, 10, 10).difference(shapely.box(5, 5, 5.0004, 5.0004)), "degraded", 100.0, 1,
    ),
    "courtyard at the wall": (
        shapely.box(0, 0, 10, 10).difference(Polygon([(0, 5), (3, 4), (3, 6)])), "degraded", 97.0, 1,
    ),
    "collection": (
        shapely.GeometryCollection([SQUARE, shapely.LineString([(0, 0), (9, 9)])]), "degraded", 80.0, 1,
    ),
    "collection of lines": (shapely.GeometryCollection([shapely.LineString([(0, 0), (9, 9)])]), "rejected", 0.0, 0),
    "curve-like z": (shapely.force_3d(SQUARE, 7.0), "ok", 80.0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_single_rules(name):
    geometry, want, area, polygons = CASES[name]
    footprints, outcome, reasons = run([geometry])
    assert outcome == [want], reasons
    assert footprints.area_m2[0] == pytest.approx(area, abs=0.08)
    assert len(footprints.rings) == polygons


def test_not_a_number_is_rejected_and_loses_nothing_else():
    house = "(0 0, 9 0, 9 9, 0 9, 0 0)"
    nowhere = "(inf inf, inf 0, 0 inf, inf inf)"
    for text, want in (
        ("POLYGON ((0 0, nan 5, 5 5, 0 0))", {"rejected"}),
        ("POLYGON ((0 0, inf 5, 5 5, 0 0))", {"rejected"}),
        ("POLYGON ((1e308 1e308, -1e308 1e308, 0 -1e308, 1e308 1e308))", {"rejected"}),
        (f"POLYGON ({house.replace('9 9', '9 nan, 9 9')})", {"rejected", "degraded"}),
        (f"POLYGON ({nowhere})", {"rejected"}),
        (f"POLYGON ({house}, {nowhere})", {"rejected", "degraded"}),
        (f"MULTIPOLYGON (({house}), ({nowhere}))", {"rejected", "degraded"}),
        (f"GEOMETRYCOLLECTION (POLYGON ({nowhere}))", {"rejected"}),
    ):
        with np.errstate(invalid="ignore"):
            footprints, outcome, _ = run([SQUARE, shapely.from_wkt(text), SQUARE])
        assert outcome[1] in want, text
        assert outcome[::2] == ["ok", "ok"]
        assert footprints.area_m2[[0, 2]].tolist() == [80.0, 80.0], text


def test_nothing_in_nothing_out():
    footprints, outcome, _ = run([])
    assert (len(footprints.rings), outcome) == (0, [])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(holed_polygons(), min_size=1, max_size=6))
def test_good_outlines_are_left_as_they_are(polygons):
    geometry = [affinity.translate(p, 500000, 5e6) for p in polygons]
    footprints, outcome, _ = run(geometry)
    for k, polygon in enumerate(geometry):
        if polygon.area < MIN_AREA_M2:
            continue
        assert outcome[k] in {"ok", "degraded"}
        assert footprints.geometry[k].symmetric_difference(polygon).area <= 2e-3 * polygon.length


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=14))
def test_any_ring_of_grid_points_gets_a_sound_verdict(points):
    """Rings that cross, repeat and double back at random."""
    run([Polygon(np.array(points, float) * 0.7)])


@settings(max_examples=30, derandomize=True, deadline=None)
@given(star_polygons(), star_polygons(), st.integers(-10, 10))
def test_repairing_twice_changes_nothing_more(a, b, shift):
    pair = shapely.MultiPolygon([a, affinity.translate(b, shift, 0)])
    first, outcome, _ = run([pair])
    if outcome == ["rejected"]:
        return
    second, outcome, _ = run([first.geometry[0]])
    assert outcome == ["ok"]
    assert shapely.symmetric_difference(first.geometry[0], second.geometry[0]).area < 1e-3


def test_inputs_are_left_alone():
    geometry = np.array([g for g, *_ in CASES.values()], dtype=object)
    before = shapely.to_wkb(geometry).tolist()
    repair(geometry)
    assert shapely.to_wkb(geometry).tolist() == before
