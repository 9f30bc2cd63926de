"""Outlines and their parts: nothing is built twice, nothing that no part covers is lost."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from builds import accounted, build, rows, same_rows
from citygen.buildings.belonging import owners, stacks
from citygen.buildings.parts import NO_OUTLINE, REMAINDER, REPLACED, close_stacks, resolve_parts
from citygen.validation.output import check_output

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


def test_a_remainder_that_narrows_ends_before_its_parts():
    """Opening with sharp corners must not grow a wedge past its blunt end."""
    wedge = shapely.Polygon([(0, 3), (6, 4.9), (6, 5.1), (0, 7)])
    part = OUTLINE - wedge
    left, _, _ = resolve(OUTLINE, [part])
    assert left[0].intersection(part).area == 0
    assert left[0].symmetric_difference(wedge).area < 0.25


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


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(0, 0.95, 900.0, 1), (0, 1.0, 100.0, 2)], 2),  # within both: the smaller outline
        ([(0, 0.4, 100.0, 1), (0, 0.6, 900.0, 2)], 2),  # across two: the one that holds more
        ([(0, 0.2, 100.0, 1)], None),  # drawn into a neighbour
        ([(0, 0.95, 100.0, 1), (0, 0.95, 100.0, 2)], 1),  # alike: the earlier one
    ],
)
def test_the_outline_that_a_part_belongs_to(pairs, expected):
    part, share, area, uid = (np.array(column) for column in zip(*pairs, strict=True))
    has, pair = owners(part, share.astype(float), (area.astype(float), uid), np.ones(len(part), dtype=bool))
    assert uid[pair].tolist() == ([] if expected is None else [expected])
    assert has.tolist() == ([] if expected is None else [0])


def test_an_outline_of_the_same_source_goes_first():
    uid = np.array([1, 2])
    _, pair = owners(np.zeros(2, int), np.array([1.0, 0.5]), (np.array([10.0, 99.0]), uid), np.array([False, True]))
    assert uid[pair].tolist() == [2]


def test_parts_without_outline_stand_in_stacks():
    shapes = np.array(
        [shapely.box(0, 0, 4, 4), shapely.box(4, 0, 8, 4), shapely.box(1, 1, 2, 2), shapely.box(9, 0, 9.5, 1)]
    )
    hints = np.array(["", "x", "", "x"], dtype=object)
    assert stacks(shapes, hints).tolist() == [0, 1, 0, 1]


def test_stacks_close_what_was_rounded_apart():
    base = np.array([0.0, 12.03, 20.0, 30.06, 0.0, 12.04, 5.0])
    top = np.array([12.0, 20.0, 30.0, 40.0, 12.0, 15.0, np.nan])
    group = np.array([1, 1, 1, 1, 2, 3, 1])
    part = np.array([True, True, True, True, True, True, True])
    assert close_stacks(base, top, group, part).tolist() == [0.0, 12.0, 20.0, 30.06, 0.0, 12.04, 5.0]
    part[0] = False
    assert close_stacks(base, top, group, part).tolist()[1] == 12.03


X, Y = 500_000.0, 5_150_000.0


def at(x, y, w, h):
    return shapely.box(X + x, Y + y, X + x + w, Y + y + h)


def raised(folder, features, **options):
    """Build features (id to geometry and tags) in tiles of three sizes; the rows must be the same."""
    keys = sorted({key for _, tags in features.values() for key in tags})
    table = {"id": list(features), **{key: [tags.get(key) for _, tags in features.values()] for key in keys}}
    gpd.GeoDataFrame(table, geometry=[g for g, _ in features.values()], crs="EPSG:32631").to_parquet(
        folder / "f.parquet"
    )
    found = {}
    for grid in ("metric:1000", "metric:11"):
        out = folder / grid.replace(":", "_")
        build(out, buildings=[str(folder / "f.parquet")], ground_z=5, grid=grid, id_column="id", **options)
        rows_here = accounted(out)
        found = found or rows_here
        same_rows(found, rows_here, found, aside=("tile",))
    return found


def built(found):
    return {name for name, row in found.items() if row["tile"] is not None}


PART = {"building:part": "yes"}


def test_what_the_source_names_goes_before_where_a_part_lies(tmp_path):
    """A part that lies in the neighbour, a part of a part, a circle of parts, a name that nothing has."""
    found = raised(
        tmp_path,
        {
            "hall": (at(0, 0, 20, 10), {"building": "yes", "height": 9.0}),
            "next": (at(20, 0, 20, 10), {"building": "yes", "height": 9.0}),
            "tower": (at(21, 0, 5, 5), {**PART, "height": 20.0, "owner": "hall"}),
            "spire": (at(22, 1, 2, 2), {**PART, "min_height": 20.0, "height": 30.0, "owner": "tower"}),
            "ring1": (at(100, 0, 5, 5), {**PART, "height": 5.0, "owner": "ring2"}),
            "ring2": (at(105, 0, 5, 5), {**PART, "height": 5.0, "owner": "ring1"}),
            "lost1": (at(140, 0, 5, 5), {**PART, "height": 5.0, "owner": "relation/1"}),
            "lost2": (at(160, 0, 5, 5), {**PART, "height": 5.0, "owner": "relation/1"}),
        },
        map={"part_of": "owner"},
    )
    owners_found = {name: row["part_of"] for name, row in found.items() if row["part_of"]}
    assert owners_found == {"tower": "hall", "spire": "hall"}
    assert built(found) == set(found), "no part stands on what is left of the hall, and the next house is whole"
    assert "part_without_outline" in found["lost1"]["reasons"]


def test_a_part_that_is_a_building_too(tmp_path):
    found = raised(
        tmp_path,
        {
            "whole": (at(0, 0, 20, 10), {"building": "yes", "height": 9.0}),
            "half": (at(0, 0, 10, 10), {"building": "yes", **PART, "height": 6.0}),
            "other": (at(10, 0, 10, 10), {**PART, "height": 12.0}),
            "alone": (at(40, 0, 10, 10), {"building": "yes", **PART, "height": 7.0}),
            "dome": (at(42, 2, 6, 6), {**PART, "min_height": 7.0, "height": 12.0}),
        },
    )
    assert built(found) == {"half", "other", "alone", "dome"}
    assert (found["half"]["part_of"], found["other"]["part_of"], found["dome"]["part_of"]) == (
        "whole",
        "whole",
        "alone",
    )
    assert "remainder_beside_parts" in found["alone"]["reasons"]


def test_parts_that_could_not_be_made_cover_nothing(tmp_path, monkeypatch):
    """An outline whose parts all fail is built itself; where one fails, what it should have covered is built."""
    from citygen.pipeline import shaping

    real = shaping.certify

    def fails(meshes, *areas):
        verdict = real(meshes, *areas)
        solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_vertices))
        tall = np.bincount(solid, meshes.vertices[:, 2] > 250, minlength=len(meshes)) > 0
        return {**verdict, "closed": verdict["closed"] & ~tall}

    monkeypatch.setattr(shaping, "certify", fails)
    bad = {**PART, "height": 300.0}
    found = raised(
        tmp_path,
        {
            "one": (at(0, 0, 20, 10), {"building": "yes", "height": 9.0}),
            "one1": (at(0, 0, 10, 10), bad),
            "one2": (at(10, 0, 10, 10), bad),
            "two": (at(40, 0, 20, 10), {"building": "yes", "height": 9.0}),
            "two1": (at(40, 0, 10, 10), bad),
            "two2": (at(50, 0, 10, 10), {**PART, "height": 12.0}),
        },
    )
    assert built(found) == {"one", "two", "two2"}
    assert all("solid_not_closed" in found[name]["reasons"] for name in ("one1", "one2", "two1"))
    assert found["one"]["volume_m3"] == pytest.approx(200 * 9)
    assert found["two"]["volume_m3"] == pytest.approx(100 * 9, rel=1e-4)


def test_the_same_part_twice(tmp_path):
    """Parts on the same ground are a stack; parts that also have the same underside and top are one."""
    found = raised(
        tmp_path,
        {
            "whole": (at(0, 0, 10, 10), {"building": "yes"}),
            "low": (at(0, 0, 10, 10), {**PART, "height": 5.0}),
            "again": (at(0, 0, 10, 10), {**PART, "height": 5.0, "building:colour": "red"}),
            "high": (at(0, 0, 10, 10), {**PART, "min_height": 5.0, "height": 9.0}),
        },
    )
    assert built(found) == {"again", "high"}
    assert found["low"]["reasons"][0] == "duplicate_footprint"
    assert found["high"]["base_z"] == found["again"]["ridge_z"]


def test_what_parts_inherit(tmp_path):
    """Class and colours; a height only where a part says nothing of its own, and never the roof."""
    found = raised(
        tmp_path,
        {
            "whole": (
                at(0, 0, 30, 10),
                {"building": "church", "height": 21.0, "roof:shape": "hipped", "building:colour": "#123456"},
            ),
            "silent": (at(0, 0, 10, 10), PART),
            "tall": (at(10, 0, 10, 10), {**PART, "building:levels": "2"}),
            "above": (at(20, 0, 10, 10), {**PART, "min_height": 25.0}),
        },
    )
    assert found["silent"]["height_m"] == 21
    assert found["silent"]["height_from"] == "outline"
    assert found["silent"]["details"][found["silent"]["reasons"].index("height_of_outline")] == "height=21"
    assert found["silent"]["roof_asked"] is None
    assert found["tall"]["height_from"] == "levels"
    assert found["above"]["height_from"] == "default"
    assert found["above"]["base_z"] == 5 + 25


def ways(path):
    """Read the closed ways of an OSM XML file as a frame; ids as in the OSM source."""
    from xml.etree import ElementTree as ET

    tree = ET.parse(path).getroot()
    nodes = {n.get("id"): (float(n.get("lon")), float(n.get("lat"))) for n in tree.iter("node")}
    found = []
    for way in tree.iter("way"):
        tags = {t.get("k"): t.get("v") for t in way.iter("tag")}
        refs = [n.get("ref") for n in way.iter("nd")]
        if {"building", "building:part"} & set(tags) and refs[0] == refs[-1] and len(refs) > 3:
            found.append((f"way/{way.get('id')}", shapely.Polygon([nodes[r] for r in refs]), tags))
    keys = sorted({key for _, _, tags in found for key in tags} - {"id", "geometry"})
    table = {"id": [i for i, _, _ in found], **{key: [tags.get(key) for _, _, tags in found] for key in keys}}
    return gpd.GeoDataFrame(table, geometry=[g for _, g, _ in found], crs="OGC:CRS84")


def test_every_part_of_the_siegessaeule_is_a_solid(testdata, tmp_path):
    frame = ways(testdata / "realdata" / "05_berlin_siegessaeule_osm_parts" / "berlin-siegessaeule.osm")
    parts = set(frame["id"][frame["building:part"].notna()])
    assert len(parts) == 118
    frame.to_parquet(tmp_path / "b.parquet")
    for grid in ("metric:500", "metric:20"):
        out = tmp_path / grid.replace(":", "_")
        build(out, buildings=[str(tmp_path / "b.parquet")], ground_z=34, grid=grid, id_column="id")
        found = accounted(out)
        assert parts <= built(found)
        assert sum(row["part_of"] is not None for row in found.values()) == 117
        assert [i.code for i in check_output(out).issues] == []
    same_rows(found, rows(tmp_path / "metric_500"), found, aside=("tile",))


def test_stacked_parts_of_osm2world_issue_203(testdata, tmp_path):
    frame = ways(testdata / "realdata" / "14_nasty" / "osm2world" / "issue-203.osm")
    frame.to_parquet(tmp_path / "b.parquet")
    build(tmp_path / "out", buildings=[str(tmp_path / "b.parquet")], ground_z=0, id_column="id")
    found = accounted(tmp_path / "out")
    parts = set(frame["id"][frame["building:part"].notna()])
    assert len(parts) == 4
    assert parts <= built(found)
