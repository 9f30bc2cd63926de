"""An output folder as a whole: solids closed, rows and tiles agree, vertices in place; and the command."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from citygen.cli.validate import command
from citygen.errors import InputError
from citygen.validation import check_output
from citygen.validation.solids import solid_faults
from citygen.validation.soup import Soup
from tiny_tile import SIZE, tiny_rows, tiny_tile, tiny_tileset, write_output


def codes(folder) -> set[str]:
    return {issue.code for issue in check_output(folder).issues}


def test_valid_output_has_no_issue_and_is_counted(tmp_path):
    report = check_output(write_output(tmp_path / "out"))
    assert report.issues == ()
    assert (report.tiles, report.features, report.triangles, report.buildings) == (2, 6, 72, 7)
    assert report.outcomes == {"ok": 6, "rejected": 1}
    assert (report.errors, report.warnings) == (0, 0)


def test_a_folder_without_tileset_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"tileset\.json"):
        check_output(tmp_path)


def _spoil_tile(folder, change) -> None:
    tile = tiny_tile()
    change(tile)
    (folder / "tiles/0/0_0.glb").write_bytes(tile.glb())


def _faces(tile, faces) -> None:
    tile.put(4, faces.reshape(-1, 1).astype("<u4"))


def _flip(tile) -> None:
    faces = tile.array(4).reshape(-1, 3)
    faces[:12] = faces[:12, ::-1]
    _faces(tile, faces)


def _move_vertex(tile, row, by) -> None:
    position = tile.array(0)
    position[row] += np.float32(by)
    tile.put(0, position)


def _squash(tile) -> None:
    position = tile.array(0)
    position[:24, 2] = 0
    tile.put(0, position)


SPOILED = {
    "hole": (lambda t: _faces(t, t.array(4).reshape(-1, 3)[1:]), "SOLID_OPEN_EDGE"),
    "crack of a hair": (lambda t: _move_vertex(t, 0, 1e-6), "SOLID_OPEN_EDGE"),
    "one face turned": (lambda t: _faces(t, _turn_first(t)), "SOLID_NON_MANIFOLD_EDGE"),
    "face twice": (
        lambda t: _faces(t, np.r_[t.array(4).reshape(-1, 3), t.array(4).reshape(-1, 3)[:1]]),
        "SOLID_NON_MANIFOLD_EDGE",
    ),
    "inside out": (_flip, "SOLID_INSIDE_OUT"),
    "squashed flat": (_squash, "SOLID_NON_MANIFOLD_EDGE"),
    "needle": (lambda t: _faces(t, np.r_[t.array(4).reshape(-1, 3), [[0, 0, 1]]]), "SOLID_DEGENERATE_TRIANGLE"),
    "mixed triangle": (
        lambda t: _faces(t, np.r_[t.array(4).reshape(-1, 3), [[0, 1, 30]]]),
        "FEATURE_ID_MIXED_TRIANGLE",
    ),
    "row without solid": (lambda t: _faces(t, t.array(4).reshape(-1, 3)[12:]), "BUILDING_WITHOUT_SOLID"),
    "no table": (lambda t: t.json.pop("extensions"), "BUILDING_IDS_MISSING"),
    "beyond the volume": (lambda t: _move_all(t, 0.5), "CONTENT_OUTSIDE_BOUNDING_VOLUME"),
    "z for y": (lambda t: t.json["nodes"][0].pop("matrix"), "CONTENT_OUTSIDE_BOUNDING_VOLUME"),
}


def _turn_first(tile):
    faces = tile.array(4).reshape(-1, 3)
    faces[0] = faces[0, ::-1]
    return faces


def _move_all(tile, by) -> None:
    position = tile.array(0)
    position[:, 0] += np.float32(by)
    tile.put(0, position)


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_tile_is_found(tmp_path, name):
    folder = write_output(tmp_path / "out")
    change, expected = SPOILED[name]
    _spoil_tile(folder, change)
    assert expected in codes(folder)


def _rows(**changes) -> dict[str, list]:
    rows = tiny_rows()
    for name, (row, value) in changes.items():
        rows[name][row] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (_rows(id=(1, "bâtiment-0")), "BUILDING_ID_NOT_UNIQUE"),
        (_rows(id=(1, "other")), "BUILDING_NOT_IN_TILE"),
        (_rows(id=(1, "other")), "BUILDING_WITHOUT_ROW"),
        (_rows(tile=(1, "1_0")), "BUILDING_NOT_IN_TILE"),
        (_rows(tile=(1, None)), "BUILDING_WITHOUT_TILE"),
        (_rows(tile=(6, "1_0")), "BUILDING_REJECTED_WITH_TILE"),
        (_rows(outcome=(1, "fine")), "VALUE_NOT_IN_LIST"),
        (_rows(outcome=(1, "rejected")), "BUILDING_WITHOUT_ROW"),
        (_rows(id=(1, None)), "REQUIRED_VALUE_NOT_FOUND"),
        ({"id": ["a"]}, "PROPERTY_MISSING"),
    ],
)
def test_rows_and_tiles_must_agree(tmp_path, rows, expected):
    assert expected in codes(write_output(tmp_path / "out", rows))


def test_a_whole_may_leave_its_tile_to_its_parts(tmp_path):
    rows = tiny_rows()
    rows["id"].append("whole")
    rows["outcome"].append("ok")
    rows["tile"].append(None)
    rows["part_of"] = ["whole", "whole", *[None] * 6]
    assert codes(write_output(tmp_path / "parts", rows)) == set()
    rows["part_of"] = [None] * 8
    assert codes(write_output(tmp_path / "lost", rows)) == {"BUILDING_WITHOUT_TILE"}


def test_tile_names_with_their_level(tmp_path):
    rows = tiny_rows()
    rows["tile"] = [tile and f"0/{tile}" for tile in rows["tile"]]
    assert codes(write_output(tmp_path / "good", rows)) == set()
    rows["tile"][0] = "1/0_0"
    assert codes(write_output(tmp_path / "bad", rows)) == {"BUILDING_NOT_IN_TILE", "BUILDING_WITHOUT_ROW"}


def test_strays_and_lost_files(tmp_path):
    folder = write_output(tmp_path / "out")
    (folder / "tiles/0/9_9.glb").write_bytes(tiny_tile().glb())
    assert codes(folder) == {"TILE_NOT_IN_TILESET"}
    (folder / "tiles/0/9_9.glb").unlink()
    (folder / "buildings.parquet").write_bytes(b"PAR1")
    assert codes(folder) == {"IO_ERROR"}
    (folder / "buildings.parquet").unlink()
    assert codes(folder) == {"IO_ERROR"}


def test_vertices_in_a_region(tmp_path):
    """A tile on the equator at longitude 0, its frame east-north-up, in a region of its own size."""
    radius, width = 6378137.0, 60.0
    tileset = tiny_tileset()
    angle = width / radius
    tileset["root"] = {
        "boundingVolume": {"region": [0, 0, angle, SIZE / 6335439.0 * 1.001, -0.001, SIZE + 0.001]},
        "geometricError": 1,
        "refine": "ADD",
        "transform": [0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, radius, 0, 0, 1],
        "contents": [{"uri": "tiles/0/0_0.glb"}, {"uri": "tiles/0/1_0.glb"}],
    }
    assert codes(write_output(tmp_path / "good", tileset=tileset)) == set()
    tileset["root"]["boundingVolume"]["region"][5] = SIZE - 0.02
    assert "CONTENT_OUTSIDE_BOUNDING_VOLUME" in codes(write_output(tmp_path / "low", tileset=tileset))
    tileset["root"]["boundingVolume"]["region"][5] = SIZE
    tileset["root"]["boundingVolume"]["region"][2] = angle - 0.05 / radius
    assert "CONTENT_OUTSIDE_BOUNDING_VOLUME" in codes(write_output(tmp_path / "narrow", tileset=tileset))


def test_vertices_in_the_region_of_the_tile_above(tmp_path):
    radius, width = 6378137.0, 60.0
    tileset = tiny_tileset()
    box = tileset["root"]["children"][0]["boundingVolume"]
    child = {"geometricError": 0, "boundingVolume": box, "content": {"uri": "tiles/0/0_0.glb"}}
    region = [0, 0, width / radius, SIZE / 6335439.0 * 1.001, -0.001, SIZE + 0.001]
    tileset["root"] = {
        "boundingVolume": {"region": region},
        "geometricError": 1,
        "refine": "ADD",
        "children": [
            child | {"transform": [0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, radius, 0, 0, 1], "content": {"uri": uri}}
            for uri in ("tiles/0/0_0.glb", "tiles/0/1_0.glb")
        ],
    }
    assert codes(write_output(tmp_path / "good", tileset=tileset)) == set()
    region[4] = 0.05
    assert "CONTENT_OUTSIDE_BOUNDING_VOLUME" in codes(write_output(tmp_path / "high", tileset=tileset))


def _cube(at, *, size: float = 1.0, inward: bool = False) -> np.ndarray:
    from tiny_tile import CORNERS, QUADS

    corners = CORNERS * np.float32(size) + np.asarray(at, dtype=np.float32)
    faces = QUADS[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    return corners[faces[:, ::-1] if inward else faces]


@pytest.mark.parametrize(
    ("solids", "expected"),
    [
        ([_cube((0, 0, 0))], set()),
        ([_cube((0, 0, 0)), _cube((5, 0, 0))], set()),
        ([_cube((0, 0, 0)), _cube((1, 1, 0))], {"SOLID_NON_MANIFOLD_EDGE"}),
        ([_cube((0, 0, 0)), _cube((1, 1, 1))], {"SOLID_PINCHED_VERTEX"}),
        ([_cube((0, 0, 0), size=9), _cube((3, 3, 3), inward=True)], {"SOLID_INSIDE_OUT"}),
        ([_cube((0, 0, 0), inward=True)], {"SOLID_INSIDE_OUT"}),
        ([_cube((0, 0, 0))[:-1]], {"SOLID_OPEN_EDGE"}),
        ([np.zeros((2, 3, 3), np.float32)], {"SOLID_DEGENERATE_TRIANGLE", "SOLID_INSIDE_OUT"}),
    ],
)
def test_faults_of_one_feature(solids, expected):
    """Judged alone, and beside good neighbours with touching and equal geometry under other ids."""
    corners = np.concatenate(solids)
    alone = Soup(corners, np.zeros(len(corners), dtype=np.int64))
    assert {code for code, bad in solid_faults(alone).items() if len(bad)} == expected
    good = _cube((0, 0, 0))
    beside = Soup(
        np.concatenate([good, corners, good]),
        np.repeat([3, 7, 1 << 24], [len(good), len(corners), len(good)]).astype(np.int64),
    )
    assert {code: bad.tolist() for code, bad in solid_faults(beside).items() if len(bad)} == {c: [7] for c in expected}


def test_negative_zero_is_zero():
    corners = _cube((0, 0, 0))
    corners[::2][corners[::2] == 0] = -0.0
    faults = solid_faults(Soup(corners, np.zeros(len(corners), dtype=np.int64)))
    assert all(len(bad) == 0 for bad in faults.values())


def test_command_prints_json_and_exits_with_the_verdict(tmp_path):
    folder = write_output(tmp_path / "out")
    done = CliRunner().invoke(command, [str(folder), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["errors"]) == (0, 0)
    assert json.loads(done.stdout)["buildings"] == 7
    _spoil_tile(folder, _flip)
    done = CliRunner().invoke(command, [str(folder), "--json"])
    body = json.loads(done.stdout)
    assert done.exit_code == 1
    assert {issue["code"] for issue in body["issues"]} == {"CONTENT_VALIDATION_ERROR", "SOLID_INSIDE_OUT"}
    table = CliRunner().invoke(command, [str(folder / "tileset.json")])
    assert (table.exit_code, "0 errors" in table.stdout) == (0, True)
    table = CliRunner().invoke(command, [str(folder)])
    assert "SOLID_INSIDE_OUT" in table.stdout
    assert "1 tiles" not in table.stdout
    assert CliRunner().invoke(command, [str(folder / "tiles/0/1_0.glb")]).exit_code == 0
    assert CliRunner().invoke(command, [str(folder / "none")]).exit_code == 2
