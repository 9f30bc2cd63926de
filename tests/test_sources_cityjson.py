"""CityJSON and CityJSONSeq: which objects are rows, their footprints, attributes, heights, and broken files."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely

from city_models import Vertices, box_surfaces, city_json, city_json_seq, geometry, level, square
from citygen.errors import InputError, MissingCRSError
from citygen.sources.base import SOURCES, Source, SourceOptions, open_source
from citygen.sources.city_footprints import FOOTPRINT, GROUND, OTHER, ROOF, ROOF_EDGE, Surfaces, plans
from citygen.sources.json_head import is_city_model, is_city_sequence

CRS = "EPSG:25832"
X, Y = 500_100.0, 5_700_100.0


def write(path: Path, model: Any) -> Path:
    path.write_text(model if isinstance(model, str) else json.dumps(model), encoding="utf-8")
    return path


def read(source: Source | Path, **options: Any) -> pa.Table:
    source = open_source(source, SourceOptions(**options)) if isinstance(source, Path) else source
    tables = list(source.batches(None))
    return pa.concat_tables(tables) if tables else pa.table({"id": pa.array([], pa.string())})


def rows(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in table.to_pylist()}


def footprint(row: dict[str, Any]) -> Any:
    return shapely.from_wkb(row["geometry"])


def box_building(vertices: Vertices, outline: Any, high: float = 9.0, **more: Any) -> dict[str, Any]:
    return {"type": "Building", "geometry": [geometry(vertices, box_surfaces(outline, 2.0, high))], **more}


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0", "2.0.1"])
def test_a_box(tmp_path: Path, version: str) -> None:
    model = city_json(
        lambda v: {"a": box_building(v, square(X, Y), attributes={"roofType": "1000", "n": 3, "list": [1, 2]})},
        crs="EPSG:7415",
        version=version,
    )
    source = open_source(write(tmp_path / "a.json", model))
    assert (source.info.format, source.info.crs, source.info.feature_count) == ("cityjson", "EPSG:28992", 1)
    assert source.info.bounds == (X, Y, X + 10, Y + 10)
    row = rows(read(source))["a"]
    assert shapely.equals(footprint(row), shapely.box(X, Y, X + 10, Y + 10))
    assert not footprint(row).has_z
    del row["geometry"]
    assert row == {
        "id": "a", "problem": None, "row": 0, "roofType": "1000", "n": 3, "list": "[1, 2]", "object_type": "Building",
        "parent": None, "part": None, "model_lod": 2.0, "model_ground_z": 2.0, "model_eave_z": 9.0, "model_ridge_z": 9.0,
    }  # fmt: skip


def test_ground_surfaces_are_united_and_keep_courtyards(tmp_path: Path) -> None:
    west = [[X, Y], [X + 4, Y], [X + 4, Y + 10], [X, Y + 10]]
    east = [[X + 4, Y], [X + 10, Y], [X + 10, Y + 10], [X + 4, Y + 10]]
    yard = [[X + 6, Y + 3], [X + 6, Y + 6], [X + 9, Y + 6], [X + 9, Y + 3]]
    surfaces = [
        ("GroundSurface", [level(west, 1.0)]),
        ("GroundSurface", [level(east, 2.0), level(yard, 2.0)]),
        ("RoofSurface", [level(square(X - 1, Y - 1, 12), 8.0)]),  # overhangs
    ]
    model = city_json(lambda v: {"a": {"type": "Building", "geometry": [geometry(v, surfaces)]}}, crs=CRS)
    row = rows(read(write(tmp_path / "a.json", model)))["a"]
    truth = shapely.difference(shapely.box(X, Y, X + 10, Y + 10), shapely.Polygon(yard))
    assert shapely.equals(footprint(row), truth)
    assert (row["model_ground_z"], row["model_eave_z"], row["model_ridge_z"]) == (1.0, 8.0, 8.0)


def test_without_semantics_the_plan_of_all_faces_is_the_footprint(tmp_path: Path) -> None:
    outline = [[X, Y], [X + 20, Y], [X + 20, Y + 5], [X + 5, Y + 5], [X + 5, Y + 20], [X, Y + 20]]
    surfaces = [("", rings) for _, rings in box_surfaces(outline, 0.0, 5.0)]
    model = city_json(lambda v: {"a": {"type": "Building", "geometry": [geometry(v, surfaces, "1")]}}, crs=CRS)
    row = rows(read(write(tmp_path / "a.json", model)))["a"]
    assert shapely.equals(footprint(row), shapely.Polygon(outline))
    assert (row["model_lod"], row["model_ground_z"], row["model_eave_z"], row["model_ridge_z"]) == (1.0, 0.0, None, 5.0)


@pytest.mark.parametrize("order", [0, 1])
def test_of_several_levels_the_outline_and_the_highest_count(tmp_path: Path, order: int) -> None:
    def make(v: Vertices) -> dict[str, Any]:
        geometries = [
            geometry(v, box_surfaces(square(X, Y, 8.0), 1.0, 7.0), "1.2"),
            geometry(v, box_surfaces(square(X, Y, 9.0), 1.5, 8.0), "2.2"),
            geometry(v, [("", [level(square(X, Y), 0.5)])], "0", "MultiSurface"),
        ]
        return {"a": {"type": "Building", "geometry": geometries[:: -1 if order else 1]}}

    row = rows(read(write(tmp_path / "a.json", city_json(make, crs=CRS))))["a"]
    assert footprint(row).area == 100.0
    assert (row["model_lod"], row["model_ground_z"], row["model_ridge_z"]) == (2.2, 1.5, 8.0)


def test_a_roof_edge_comes_after_the_ground(tmp_path: Path) -> None:
    edge = [("RoofSurface", [level(square(X - 1, Y - 1, 12.0), 6.0)])]

    def make(v: Vertices) -> dict[str, Any]:
        roof_edge = geometry(v, edge, "0", "MultiSurface")
        solid = geometry(v, box_surfaces(square(X, Y), 1.0, 7.0))
        return {
            "both": {"type": "Building", "geometry": [roof_edge, solid]},
            "edge": {"type": "Building", "geometry": [roof_edge]},
        }

    got = rows(read(write(tmp_path / "a.json", city_json(make, crs=CRS))))
    assert [footprint(got[name]).area for name in ("both", "edge")] == [100.0, 144.0]


def family(v: Vertices) -> dict[str, Any]:
    """A building of two parts; one of one part; one whose outline is its own; one without anything; things that are none."""
    return {
        "two": {"type": "Building", "children": ["two-1", "two-2"],
                "attributes": {"function": "1010", "measuredHeight": 9.0, "roofType": "1030"}},
        "two-1": {"type": "BuildingPart", "parents": ["two"],
                  "geometry": box_building(v, square(X, Y))["geometry"], "attributes": {"roofType": "1000"}},
        "two-2": {"type": "BuildingPart", "geometry": box_building(v, square(X + 10, Y), 5.0)["geometry"]},
        "one": {"type": "Building", "children": ["one-1"], "attributes": {"measuredHeight": 7.0}, "geometry": []},
        "one-1": {"type": "BuildingPart", "parents": ["one"], "geometry": box_building(v, square(X, Y + 20))["geometry"]},
        "own": {"type": "Building", "children": ["own-1"], "attributes": {"function": "1020"},
                "geometry": [geometry(v, [("", [level(square(X + 30, Y), 0.0)])], "0", "MultiSurface")]},
        "own-1": {"type": "BuildingPart", "parents": ["own"], "geometry": box_building(v, square(X + 30, Y, 5))["geometry"]},
        "empty": {"type": "Building", "attributes": {"function": "x"}},
        "tin": {"type": "TINRelief", "geometry": box_building(v, square(X, Y, 99))["geometry"]},
        "unit": {"type": "BuildingUnit", "parents": ["own"], "geometry": box_building(v, square(X, Y))["geometry"]},
    }  # fmt: skip


@pytest.mark.parametrize("reverse", [False, True])
def test_who_is_a_row_and_what_parts_inherit(tmp_path: Path, reverse: bool) -> None:
    model = city_json(family, crs=CRS)
    if reverse:
        model["CityObjects"] = dict(reversed(model["CityObjects"].items()))
        model = dict(reversed(model.items()))
    table = read(write(tmp_path / "a.json", model))
    names = ["two-1", "two-2", "one-1", "own", "own-1", "empty"]
    assert table["id"].to_pylist() == (names[::-1] if reverse else names)
    got = rows(table)
    facts = {
        name: tuple(row[key] for key in ("parent", "part", "function", "roofType", "measuredHeight"))
        for name, row in got.items()
    }
    assert facts == {
        "two-1": ("two", None, "1010", "1000", None),
        "two-2": ("two", None, "1010", "1030", None),
        "one-1": ("one", None, None, None, 7.0),
        "own": (None, None, "1020", None, None),
        "own-1": ("own", "yes", "1020", None, None),
        "empty": (None, None, "x", None, None),
    }
    assert got["empty"]["geometry"] is None
    assert got["empty"]["problem"] is None
    assert got["own"]["model_ground_z"] is None  # an outline that lies at zero tells no height


def test_a_long_chain_of_parents_ends_soon(tmp_path: Path) -> None:
    def make(v: Vertices) -> dict[str, Any]:
        solid = box_building(v, square(X, Y))["geometry"]
        parents = [[f"b{k - 1}"] if k else [] for k in range(1000)]
        return {f"b{k}": {"type": "BuildingPart", "parents": parents[k], "geometry": solid} for k in range(1000)}

    path = write(tmp_path / "a.city.json", city_json(make, crs=CRS))
    began = time.process_time()
    found = rows(read(path))
    assert time.process_time() - began < 4.0
    assert len(found) == 1000
    assert found["b999"]["parent"] == "b998"


def test_circles_and_dangling_relations_end(tmp_path: Path) -> None:
    def make(v: Vertices) -> dict[str, Any]:
        solid = box_building(v, square(X, Y))["geometry"]
        return {
            "a": {"type": "BuildingPart", "parents": ["b"], "children": ["b"], "geometry": solid},
            "b": {"type": "BuildingPart", "parents": ["a"], "children": ["a"]},
            "self": {"type": "BuildingPart", "parents": ["self"], "children": ["self"]},
            "orphan": {"type": "BuildingPart", "parents": ["nobody", 7], "children": "x", "geometry": solid},
        }

    got = rows(read(write(tmp_path / "a.json", city_json(make, crs=CRS))))
    assert {name: row["parent"] for name, row in got.items()} == {"a": "b", "self": None, "orphan": None}


BROKEN: dict[str, tuple[Any, str]] = {
    "too large": ([[[0, 1, 2, 99]]], "vertex 99 does not exist (there are 4)"),
    "negative": ([[[0, 1, 2, -1]]], "vertex -1 does not exist (there are 4)"),
    "no number": ([[[0, 1, 2, "3"]]], "vertex 3 does not exist (there are 4)"),
    "fraction": ([[[0, 1, 2, 2.5]]], "vertex 2.5 does not exist (there are 4)"),
    "truth": ([[[0, 1, 2, True]]], "vertex True does not exist (there are 4)"),
    "huge": ([[[0, 1, 2, 10**30]]], "does not exist (there are 4)"),
    "nested": ([[[[0, 1, 2, 3]]]], "none of its 1 surfaces has an area in plan"),
    "two points": ([[[0, 1]]], "none of its 1 surfaces has an area in plan"),
    "one line": ([[[0, 1, 0, 1]]], "none of its 1 surfaces has an area in plan"),
    "no ring": ([[]], "none of its 1 surfaces has an area in plan"),
    "a number": ([7], "none of its 1 surfaces has an area in plan"),
    "words": ("abc", "its boundaries are not nested as their type asks"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_surface_is_its_objects_problem_alone(tmp_path: Path, name: str) -> None:
    boundaries, why = BROKEN[name]
    model = city_json(lambda v: {"good": box_building(v, square(X, Y))}, crs=CRS)
    model["CityObjects"]["bad"] = {
        "type": "Building", "geometry": [{"type": "MultiSurface", "lod": "0", "boundaries": boundaries}],
        "attributes": {"h": 1},
    }  # fmt: skip
    why = why.replace("there are 4", f"there are {len(model['vertices'])}")
    got = rows(read(write(tmp_path / "a.json", model)))
    assert got["bad"]["geometry"] is None
    assert why in got["bad"]["problem"]
    assert got["bad"]["h"] == 1
    assert footprint(got["good"]).area == 100.0
    assert got["good"]["problem"] is None


@pytest.mark.parametrize(
    "vertex", [["a", 0, 0], [None, 0, 0], [0, 0], [], "xyz", 7, [1e400, 0, 0], [True, 0, 0], [10**400, 0, 0]]
)
def test_a_broken_vertex_is_the_problem_of_who_uses_it(tmp_path: Path, vertex: Any) -> None:
    def make(v: Vertices) -> dict[str, Any]:
        return {"good": box_building(v, square(X, Y)), "bad": box_building(v, square(X + 50, Y))}

    model = city_json(make, crs=CRS)
    model["vertices"][-1] = vertex
    text = json.dumps(model).replace("Infinity", "1e999")
    got = rows(read(write(tmp_path / "a.json", text)))
    whole = {name: footprint(row) for name, row in got.items() if row["geometry"] is not None}
    assert whole["good"].area == 100.0
    if "bad" in whole:  # it is a vertex of the roof or a wall
        assert whole["bad"].area == 100.0
        assert got["bad"]["model_ground_z"] == 2.0
    else:
        assert "NaN" in got["bad"]["problem"]


def test_the_hard_case(testdata: Path) -> None:
    path = testdata / "hardcases" / "synthetic" / "attributes" / "cityjson-bad-index-cycle.city.json"
    got = rows(read(path))
    assert {name: (row["geometry"], row["problem"]) for name, row in got.items()} == {
        "../../CANARY": (None, "vertex 999999 does not exist (there are 4)"),
        "b2": (None, None),
    }


def test_val3dity_files_end_in_rows_or_a_line(testdata: Path) -> None:
    seen = 0
    for path in sorted((testdata / "hardcases" / "solids" / "val3dity").glob("*.json*")):
        try:
            table = read(path, crs=CRS)
        except InputError as error:
            assert path.name in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        else:
            seen += table.num_rows
    assert seen == 11


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"version": "0.9"}, "version '0.9' is not read"),
        ({"version": "3.0"}, "version '3.0' is not read"),
        ({"type": "CityJson"}, "type"),
        ({"transform": None}, 'no usable "transform"'),
        ({"transform": {"scale": [1, 1], "translate": [0, 0, 0]}}, 'no usable "transform"'),
        ({"CityObjects": []}, 'without an object of "CityObjects"'),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    model = city_json(lambda v: {"a": box_building(v, square(X, Y))}, crs=CRS) | change
    with pytest.raises(InputError, match=match) as caught:
        read(write(tmp_path / "a.json", model))
    assert "\n" not in str(caught.value)


def test_cut_files_say_where(tmp_path: Path) -> None:
    text = json.dumps(city_json(lambda v: {"a": box_building(v, square(X, Y))}, crs=CRS))
    for share in (0.3, 0.6, 0.99):
        with pytest.raises(InputError, match="line 1, column"):
            read(write(tmp_path / "a.json", text[: int(len(text) * share)]))
    deep = text.replace('"type": "Building"', '"type": "Building", "x": ' + "[" * 100_000, 1)
    with pytest.raises(InputError, match="nested too deeply"):
        read(write(tmp_path / "b.json", deep))


def test_where_it_lies_has_to_be_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", city_json(lambda v: {"a": box_building(v, square(X, Y))}, crs=None))
    with pytest.raises(MissingCRSError, match="--source-crs"):
        open_source(path)
    assert open_source(path, SourceOptions(crs=CRS)).info.crs == CRS


def test_version_1_0_needs_no_transform(tmp_path: Path) -> None:
    model = city_json(lambda v: {"a": box_building(v, square(X, Y))}, crs=CRS, version="1.0")
    del model["transform"]
    model["vertices"] = [[v[0] * 0.001 + 500_000, v[1] * 0.001 + 5_700_000, v[2] * 0.001] for v in model["vertices"]]
    row = rows(read(write(tmp_path / "a.json", model)))["a"]
    assert footprint(row).bounds == pytest.approx((X, Y, X + 10, Y + 10), abs=1e-6)


def test_a_sequence_gives_the_rows_of_its_features(tmp_path: Path) -> None:
    def make(v: Vertices) -> dict[str, Any]:
        return {name: box_building(v, square(X + 20 * k, Y), attributes={"k": k}) for k, name in enumerate("abc")}

    whole = read(write(tmp_path / "a.json", city_json(make, crs=CRS)))
    lines = city_json_seq(make, crs=CRS)
    source = open_source(write(tmp_path / "b.jsonl", lines))
    assert source.info.format == "cityjsonseq"
    assert read(source).equals(whole)
    head, _, rest = lines.partition("\n")
    long_head = json.dumps({**json.loads(head), "metadata": {**json.loads(head)["metadata"], "title": "x" * 9000}})
    assert read(write(tmp_path / "c.jsonl", f"{long_head}\n{rest}")).equals(whole)
    with pytest.raises(InputError, match="without its first line"):
        read(write(tmp_path / "d.jsonl", rest))
    with pytest.raises(InputError, match=r"line 3.*CityJSONFeature expected"):
        read(write(tmp_path / "e.jsonl", "\n".join([head, rest.splitlines()[0], '{"type": "Feature"}'])))
    with pytest.raises(InputError, match="transform"):
        read(write(tmp_path / "f.jsonl", lines.replace('"transform"', '"transfrom"', 1)))


def test_ids_are_the_objects_names_whatever_the_attributes_hold(tmp_path: Path) -> None:
    attributes = {"id": 5, "gid": 6, "parent": "x", "model_lod": "y", "geometry": "z"}
    model = city_json(lambda v: {"a": box_building(v, square(X, Y), attributes=attributes)}, crs=CRS)
    row = read(write(tmp_path / "a.json", model)).to_pylist()[0]
    assert (row["id"], row["id_"], row["gid"], row["geometry_"]) == ("a", 5, 6, "z")
    assert (row["parent"], row["parent_"], row["model_lod"], row["model_lod_"]) == (None, "x", 2.0, "y")


ORDERS = ["type", "version", "metadata", "transform", "CityObjects", "vertices", "extensions"]


@pytest.mark.parametrize("first", ORDERS)
def test_it_is_recognised_whatever_member_comes_first(tmp_path: Path, first: str) -> None:
    model = city_json(lambda v: {"a": box_building(v, square(X, Y))}, crs=CRS)
    model["extensions"] = {"E": {"url": "http://127.0.0.1:9/x.json", "version": "1"}}
    model["metadata"]["title"] = "t" * 9000 if first == "metadata" else "t"
    model["CityObjects"]["a"]["attributes"] = {"type": "FeatureCollection", "long": "}{" * 5000}
    text = json.dumps({first: model.pop(first), **model})
    path = write(tmp_path / "a.json", "\ufeff" + text)
    head = path.read_bytes()[:4096]
    assert [name for name in SOURCES.names() if SOURCES[name].sniff(head)] == ["cityjson"]
    assert read(path).num_rows == 1


@pytest.mark.parametrize(
    ("text", "city", "sequence"),
    [
        ('{"type": "FeatureCollection", "metadata": {}, "features": [{"type": "CityJSON"}]}', False, False),
        ('{"features": [', False, False),
        ('{"metadata": {"a": 1}, "features": [', False, False),
        ('{"type": "Feature", "properties": {"vertices": 1, "CityObjects": 2}', False, False),
        ('{"a": "\\"CityObjects\\": {}", "type": "Feature"}', False, False),
        ("[1, 2]", False, False),
        ("{}", False, False),
        ('{"version": "1"}', False, False),
        ('{"type":"CityJSON","version":"2.0"}\n', True, False),
        ('{"type":"CityJSON","version":"2.0"}\n{"type":"CityJSONF', True, True),
        ('{"type":"CityJSONFeature","id"', True, True),
    ],
)
def test_what_the_first_bytes_tell(text: str, city: bool, sequence: bool) -> None:
    head = text.encode()
    assert (is_city_model(head), is_city_sequence(head)) == (city, sequence)
    assert is_city_model(b"\xff\xfe" + text.encode("utf-16-le")) == city
    assert sum(SOURCES[name].sniff(head) for name in SOURCES.names()) == 1


def surfaces(*things: tuple[int, list[list[list[float]]]]) -> Surfaces:
    rings = [ring for _, listed in things for ring in listed]
    points = np.array([p for ring in rings for p in ring], dtype=float).reshape(-1, 3)
    return Surfaces(points, [len(r) for r in rings], [len(listed) for _, listed in things], [k for k, _ in things], 2.0)


def test_the_first_kind_that_encloses_something_makes_the_footprint() -> None:
    def flat(size: float) -> list[list[list[float]]]:
        return [level(square(0, 0, size), 1.0)]

    line = [[[0.0, 0.0, 1.0], [5.0, 0.0, 1.0], [9.0, 0.0, 1.0]]]
    everything = [(FOOTPRINT, flat(1)), (GROUND, flat(2)), (ROOF_EDGE, flat(3)), (OTHER, flat(4)), (ROOF, flat(5))]
    objects = [surfaces(*everything[k:]) for k in range(5)] + [
        surfaces((FOOTPRINT, line), (GROUND, flat(2))),
        Surfaces(),
    ]
    made = plans(objects)
    assert [None if g is None else g.area for g in made.geometry] == [1.0, 4.0, 9.0, 25.0, 25.0, 4.0, None]
    assert made.problem == [None] * 7
    alone = [plans([each]).geometry[0] for each in objects]
    assert alone == made.geometry.tolist()  # an object does not depend on those beside it


def test_a_single_surface_is_as_it_was_given_and_several_are_mended() -> None:
    bow = [[0.0, 0.0, 0.0], [4.0, 3.0, 0.0], [4.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    made = plans([surfaces((GROUND, [bow])), surfaces((GROUND, [bow]), (GROUND, [level(square(10, 0, 2), 0.0)]))])
    assert not made.geometry[0].is_valid
    assert made.geometry[1].is_valid
    assert made.geometry[1].area > 4.0
    assert made.problem == [None, None]


def test_leaning_walls_in_degrees_are_no_footprint() -> None:
    d = 1e-4  # some ten metres
    outline = [[8.0, 50.0], [8.0 + d, 50.0], [8.0 + d, 50.0 + d], [8.0, 50.0 + d]]
    wall = [[8.0, 50.0, 0.0], [8.0 + d, 50.0, 0.0], [8.0 + d, 50.0 - 1e-9, 9.0], [8.0, 50.0 - 1e-9, 9.0]]
    made = plans([surfaces((OTHER, [level(outline, 9.0)]), (OTHER, [wall]))])
    assert shapely.equals(made.geometry[0], shapely.Polygon(outline))
