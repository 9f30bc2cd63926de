"""Every rule on a tileset that no fixture covers: each mutation of a valid one gives its issue."""

import copy
import json
import math
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citygen.validation import check_tileset
from citygen.validation.bounding import holds
from tiny_tile import tiny_tileset, write_output


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return write_output(tmp_path_factory.mktemp("tileset") / "out")


def check(folder, body) -> set[str]:
    path = folder / "changed.json"
    path.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return {issue.code for issue in check_tileset(path)}


def test_valid_tileset_has_no_issue(output):
    assert check_tileset(output / "tileset.json") == []


def _child(body: dict) -> dict:
    return body["root"]["children"][0]


MUTATIONS = {
    "no asset": (lambda b: b.pop("asset"), "PROPERTY_MISSING"),
    "no root": (lambda b: b.pop("root"), "PROPERTY_MISSING"),
    "no geometric error": (lambda b: b.pop("geometricError"), "PROPERTY_MISSING"),
    "root above the tileset": (lambda b: b.update(geometricError=10), "TILE_GEOMETRIC_ERRORS_INCONSISTENT"),
    "no volume": (lambda b: _child(b).pop("boundingVolume"), "PROPERTY_MISSING"),
    "empty volume": (lambda b: _child(b).update(boundingVolume={}), "ANY_OF_ERROR"),
    "skew box": (lambda b: _child(b)["boundingVolume"]["box"].__setitem__(4, 9.0), "BOUNDING_VOLUME_INVALID"),
    "child outside": (lambda b: _child(b)["transform"].__setitem__(13, 500), "BOUNDING_VOLUMES_INCONSISTENT"),
    "refine in small letters": (lambda b: b["root"].update(refine="add"), "TILE_REFINE_WRONG_CASE"),
    "unknown refine": (lambda b: b["root"].update(refine="MERGE"), "VALUE_NOT_IN_LIST"),
    "short transform": (lambda b: _child(b).update(transform=[1.0]), "ARRAY_LENGTH_MISMATCH"),
    "flat transform": (lambda b: _child(b)["transform"].__setitem__(10, 0), "TRANSFORM_INVALID"),
    "content and contents": (lambda b: _child(b).update(contents=[_child(b)["content"]]), "ONE_OF_ERROR"),
    "no uri": (lambda b: _child(b).update(content={}), "PROPERTY_MISSING"),
    "missing file": (lambda b: _child(b)["content"].update(uri="tiles/none.glb"), "IO_ERROR"),
    "out of the folder": (lambda b: _child(b)["content"].update(uri="../x.glb"), "URI_NOT_LOCAL"),
    "encoded way out": (lambda b: _child(b)["content"].update(uri="%2e%2e/x.glb"), "URI_NOT_LOCAL"),
    "absolute path": (lambda b: _child(b)["content"].update(uri="/etc/hostname"), "URI_NOT_LOCAL"),
    "remote": (lambda b: _child(b)["content"].update(uri="https://example.com/x.glb"), "URI_NOT_LOCAL"),
    "itself": (lambda b: _child(b)["content"].update(uri="changed.json"), "EXTERNAL_TILESET_VALIDATION_ERROR"),
    "properties": (
        lambda b: b.update(properties={"h": {"minimum": 2, "maximum": 1}}),
        "PROPERTIES_MINIMUM_LARGER_THAN_MAXIMUM",
    ),
    "required, not used": (lambda b: b.update(extensionsRequired=["A"]), "EXTENSION_REQUIRED_BUT_NOT_USED"),
    "glTF in 1.0": (lambda b: b["asset"].update(version="1.0"), "EXTENSION_FOUND_BUT_NOT_USED"),
    "children": (lambda b: b["root"].update(children={}), "TYPE_MISMATCH"),
    "implicit with children": (lambda b: b["root"].update(implicitTiling=_implicit()), "TILE_IMPLICIT_ROOT_INVALID"),
    "levels": (lambda b: _child(b).update(implicitTiling=_implicit() | {"subtreeLevels": 0}), "VALUE_NOT_IN_RANGE"),
}


def _implicit() -> dict:
    return {
        "subdivisionScheme": "QUADTREE",
        "subtreeLevels": 2,
        "availableLevels": 2,
        "subtrees": {"uri": "s/{level}/{x}/{y}.json"},
    }


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_gives_its_issue(output, name):
    change, expected = MUTATIONS[name]
    body = tiny_tileset()
    change(body)
    assert expected in check(output, body)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"asset": NaN}', "\ufeff{}", "[" * 100_000])
def test_broken_json_is_an_issue(output, text):
    assert check(output, text) <= {"JSON_PARSE_ERROR", "TYPE_MISMATCH"}
    assert check(output, text)


def test_a_cycle_of_external_tilesets_ends(output):
    for name, other in (("a.json", "b.json"), ("b.json", "a.json")):
        body = tiny_tileset()
        _child(body)["content"]["uri"] = other
        (output / name).write_text(json.dumps(body), encoding="utf-8")
    issues = check_tileset(output / "a.json")
    assert [i.path for i in issues if "refers to itself" in i.message] == ["b.json#/root/children/0/content/uri"]
    assert {i.code for i in issues} == {"EXTERNAL_TILESET_VALIDATION_ERROR"}


def test_a_tileset_that_doubles_at_every_step_is_read_once_a_file(output):
    for k in range(40):
        body = tiny_tileset()
        for child in body["root"]["children"]:
            child["content"]["uri"] = f"step{k + 1}.json" if k < 39 else "tiles/0/0_0.glb"
        (output / f"step{k}.json").write_text(json.dumps(body), encoding="utf-8")
    assert check_tileset(output / "step0.json") == []


def test_deep_tilesets_are_walked(output):
    body = tiny_tileset()
    tile = copy.deepcopy(_child(body))
    del tile["content"]
    for _ in range(150):
        tile = copy.deepcopy(_child(body)) | {"children": [tile], "transform": list(np.eye(4).ravel())}
        del tile["content"]
    body["root"]["children"] = [tile]
    assert check(output, body) <= {"BOUNDING_VOLUMES_INCONSISTENT"}


def test_links_out_of_the_folder_are_not_followed(output, tmp_path):
    secret = tmp_path / "secret.glb"
    shutil.copy(output / "tiles/0/0_0.glb", secret)
    link = output / "link.glb"
    link.symlink_to(secret)
    body = tiny_tileset()
    _child(body)["content"]["uri"] = "link.glb"
    assert "IO_ERROR" in check(output, body)


def test_archives_are_opened_and_their_bombs_are_not(output):
    body = tiny_tileset() | {"extensionsUsed": ["MAXAR_content_3tz"], "extensionsRequired": ["MAXAR_content_3tz"]}
    _child(body)["content"]["uri"] = "packed.3tz"
    with zipfile.ZipFile(output / "packed.3tz", "w") as packed:
        packed.writestr("tileset.json", (output / "tileset.json").read_text())
        for k in range(2):
            packed.write(output / f"tiles/0/{k}_0.glb", f"tiles/0/{k}_0.glb")
    assert check(output, body) == set()
    with zipfile.ZipFile(output / "packed.3tz", "w") as packed:
        packed.writestr("tileset.json", "{}")
    assert "CONTENT_VALIDATION_ERROR" in check(output, body)


def test_schema_metadata_groups_and_statistics(output):
    body = tiny_tileset() | {
        "schema": {
            "id": "s",
            "classes": {"c": {"properties": {"n": {"type": "SCALAR", "componentType": "UINT8", "max": 9}}}},
        },
        "groups": [{"class": "c", "properties": {"n": 1}}],
        "metadata": {"class": "c", "properties": {"n": 9}},
        "statistics": {"classes": {"c": {"count": 3, "properties": {"n": {"min": 0, "max": 9}}}}},
    }
    _child(body)["content"]["group"] = 0
    _child(body)["metadata"] = {"class": "c"}
    assert check(output, body) == set()
    for path, value, expected in (
        (("metadata", "properties", "n"), 10, "METADATA_VALUE_NOT_IN_RANGE"),
        (("metadata", "properties", "n"), 256, "VALUE_NOT_IN_RANGE"),
        (("metadata", "properties", "n"), [1], "TYPE_MISMATCH"),
        (("metadata", "properties", "m"), 1, "IDENTIFIER_NOT_FOUND"),
        (("groups",), [{"class": "d"}], "IDENTIFIER_NOT_FOUND"),
        (("statistics", "classes", "c", "properties", "m"), {}, "IDENTIFIER_NOT_FOUND"),
        (("schema", "classes", "c", "properties", "n", "type"), "VEC9", "VALUE_NOT_IN_LIST"),
    ):
        changed = copy.deepcopy(body)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        assert check(output, changed) == {expected}, path


REGION = [-0.1, 0.5, 0.1, 0.6, 0, 50]


@pytest.mark.parametrize(
    ("inner", "inside"),
    [
        ([-0.05, 0.52, 0.05, 0.58, 10, 20], True),
        (REGION, True),
        ([-0.11, 0.52, 0.05, 0.58, 10, 20], False),
        ([0.05, 0.52, -0.05, 0.58, 10, 20], False),
        ([-0.05, 0.52, 0.05, 0.58, 10, 60], False),
    ],
)
def test_regions_hold_regions(inner, inside):
    assert holds({"region": REGION}, {"region": inner}, np.eye(4)) is inside


def test_regions_across_the_antimeridian():
    pacific = {"region": [3.0, 0, -3.0, 1, 0, 1]}
    assert holds(pacific, {"region": [3.1, 0, -3.1, 1, 0, 1]}, np.eye(4)) is True
    assert holds(pacific, {"region": [-3.1, 0, -3.05, 1, 0, 1]}, np.eye(4)) is True
    assert holds(pacific, {"region": [-2.9, 0, -2.8, 1, 0, 1]}, np.eye(4)) is False
    world = {"region": [-math.pi, -math.pi / 2, math.pi, math.pi / 2, 0, 1]}
    assert holds(world, pacific, np.eye(4)) is True
    assert holds(pacific, world, np.eye(4)) is False


@given(
    st.lists(st.floats(-100, 100), min_size=3, max_size=3),
    st.lists(st.floats(0.1, 10), min_size=3, max_size=3),
    st.floats(0, math.tau),
)
def test_a_box_holds_itself_however_it_is_moved(centre, half, angle):
    turn = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    plain = {"box": [0, 0, 0, half[0], 0, 0, 0, half[1], 0, 0, 0, half[2]]}
    moved = {"box": [*centre, *(turn @ np.diag(half)).T.ravel()]}
    relative = np.eye(4)
    relative[:3, :3], relative[:3, 3] = turn, centre
    assert holds(moved, plain, relative) is True
    relative[0, 3] += 2.5 * max(half)
    assert holds(moved, plain, relative) is False
