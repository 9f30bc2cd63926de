"""GLB files: what is written is read back, valid for the Khronos validator and our own checks, and in the right place."""

import json
import struct
from dataclasses import replace

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from build_solids import raise_town
from citygen.attributes.options import AttributeOptions
from citygen.formats.glb import decode, encode, y_up
from citygen.geom.geodesy import LocalFrame
from citygen.ground.vertical import Vertical
from citygen.model.scene import Scene
from citygen.pipeline.options import TileOptions
from citygen.pipeline.scene import make_scene
from citygen.roofs.base import ROOFS
from citygen.tiling.metric import MetricGrid
from citygen.validation import check_glb
from shapes import plans

PLANS = plans()
PLACES = {
    "EPSG:32631": (448000.0, 5411000.0),
    "EPSG:28992": (121000.0, 487000.0),
    "EPSG:2154": (379500.0, 6574200.0),
    "EPSG:2056": (2683000.0, 1247000.0),
    "EPSG:32733": (262000.0, 6243000.0),
    "EPSG:2193": (1749000.0, 5428000.0),
    "EPSG:32601": (180000.0, 8140000.0),
}
"""Working CRSs and a place in each; the last lies beside the antimeridian."""


def options_for(crs: str, *, size_m: float = 500.0, geoid: float = 0.0) -> TileOptions:
    return TileOptions(
        crs=crs,
        grid=MetricGrid(size_m, crs),
        dem=None,
        ground_z=0.0,
        vertical=Vertical(offset_m=geoid),
        attributes=AttributeOptions(),
        formats=("glb",),
    )


def make(crs: str = "EPSG:32631", names=tuple(PLANS), *, geoid: float = 0.0, shape: str = "gabled"):
    """Return a scene of outlines around a place, its tile's options, and the town that it shows."""
    x, y = PLACES[crs]
    geometry = [
        affinity.translate(PLANS[name], x + 37.123 * k % 311, y + 53.7 * k % 290) for k, name in enumerate(names)
    ]
    town = raise_town(np.array(geometry, dtype=object), roof_shape=shape, ground=(47.25, 46.0))
    rows = np.unique(town.footprints.row)
    options = options_for(crs, geoid=geoid)
    key = tuple(int(k[0]) for k in options.grid.keys(np.array([x + 150]), np.array([y + 150])))
    rng = np.random.default_rng(1)
    paint = tuple(rng.integers(0, 256, (len(names), 3)).astype(np.uint8) for _ in range(2))
    table = {
        "id": np.array([f"way/{r} ü" for r in rows], dtype=object),
        "height_m": np.full(len(rows), 9.1),
        "height_from": np.full(len(rows), "height", dtype=object),
        "roof_shape": np.full(len(rows), shape, dtype=object),
        "outcome": np.full(len(rows), "ok", dtype=object),
    }
    scene, region = make_scene(town.shaped.meshes, paint, table, rows, key, options)
    return scene, region, town


@pytest.fixture(scope="module")
def scene() -> Scene:
    return make()[0]


def chunks(data: bytes) -> tuple[dict, bytes, int]:
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[28 + size :], 28 + size


def test_what_is_written_is_read_back(scene):
    again = decode(encode(scene))
    assert np.array_equal(again.triangles, scene.triangles)
    assert np.array_equal(again.features, scene.features)
    assert np.array_equal(again.positions.astype("f4"), scene.positions.astype("f4"))
    assert np.abs(again.normals - scene.normals).max() < 1e-6
    assert list(again.table) == list(scene.table)
    for name, column in scene.table.items():
        assert (
            again.table[name].tolist() == pytest.approx(column.tolist(), rel=1e-6)
            if column.dtype.kind == "f"
            else (again.table[name].tolist() == column.tolist())
        )


def test_writing_what_was_read_gives_the_same_bytes(scene):
    data = encode(scene)
    assert encode(scene) == data
    first = decode(data)
    second = decode(encode(first))
    assert np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.colours, second.colours)


def test_colours_are_linear_in_the_file(scene):
    document, binary, _ = chunks(encode(scene))
    view = document["bufferViews"][document["accessors"][2]["bufferView"]]
    stored = np.frombuffer(binary, np.uint8, view["byteLength"], view["byteOffset"]).reshape(-1, 4)
    srgb = scene.colours.astype(float) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    assert np.abs(stored[:, :3] / 255 - linear).max() <= 0.5 / 255 + 1e-12
    assert (stored[:, 3] == 255).all()


@pytest.mark.parametrize(
    "ids", [["a"], ["", ""], ["é", "日本", "🏠"], ["x" * k for k in range(9)], ["\ud800bad", "\0", '"<b>']]
)
def test_chunks_and_views_are_aligned_whatever_the_texts(scene, ids):
    n = len(ids)
    kept = scene.features < n
    corner = np.flatnonzero(kept)
    faces = scene.triangles[kept[scene.triangles].all(axis=1)]
    table = {name: column[:n] for name, column in scene.table.items()} | {"id": np.array(ids, dtype=object)}
    small = replace(
        scene,
        positions=scene.positions[corner],
        normals=scene.normals[corner],
        colours=scene.colours[corner],
        features=scene.features[corner],
        triangles=np.searchsorted(corner, faces),
        table=table,
    )
    data = encode(small)
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    document, binary, start = chunks(data)
    assert start % 8 == 0
    assert len(data) % 4 == 0
    assert document["buffers"][0]["byteLength"] == len(binary)
    end = 0
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 8 == 0
        assert view["byteOffset"] >= end
        assert view["byteLength"] > 0
        end = view["byteOffset"] + view["byteLength"]
    assert end <= len(binary)
    assert [i for i in check_glb(data) if i.severity == "error"] == []
    want = [text.encode("utf-8", "replace").decode() for text in ids]
    assert decode(data).table["id"].tolist() == want


def test_indices_widen_with_the_number_of_vertices(scene):
    small, _, _ = chunks(encode(scene))
    assert small["accessors"][4]["componentType"] == 5123
    assert len(scene.positions) <= 65535
    times = 65535 // len(scene.positions) + 1
    n = len(scene.positions)
    wide = replace(
        scene,
        positions=np.tile(scene.positions, (times, 1)),
        normals=np.tile(scene.normals, (times, 1)),
        colours=np.tile(scene.colours, (times, 1)),
        features=np.tile(scene.features, times),
        triangles=np.concatenate([scene.triangles + n * k for k in range(times)]),
    )
    data = encode(wide)
    assert chunks(data)[0]["accessors"][4]["componentType"] == 5125
    assert np.array_equal(decode(data).triangles, wide.triangles)
    assert [i for i in check_glb(data) if i.severity == "error"] == []


def test_bounds_in_the_file_are_those_of_the_stored_vertices(scene):
    document, binary, _ = chunks(encode(scene))
    accessor = document["accessors"][0]
    view = document["bufferViews"][accessor["bufferView"]]
    stored = np.frombuffer(binary, "<f4", view["byteLength"] // 4, view["byteOffset"]).reshape(-1, 3)
    assert accessor["min"] == stored.min(axis=0).tolist()
    assert accessor["max"] == stored.max(axis=0).tolist()
    assert accessor["count"] == len(stored)


def test_axes_are_gltf_s():
    assert y_up(np.array([[1.0, 2.0, 3.0]])).tolist() == [[1.0, 3.0, -2.0]]


def test_normals_are_unit_and_look_out(scene):
    again = decode(encode(scene))
    assert np.abs(np.linalg.norm(again.normals, axis=1) - 1).max() < 1e-6
    a, b, c = (again.positions[scene.triangles[:, k]] for k in range(3))
    turn = np.cross(b - a, c - a)
    big = np.linalg.norm(turn, axis=1) > 0.1
    turn = turn[big] / np.linalg.norm(turn[big], axis=1)[:, None]
    assert np.einsum("ij,ij->i", turn, again.normals[scene.triangles[big, 0]]).min() > 0.999


@pytest.mark.parametrize("shape", ROOFS.names())
def test_our_checks_find_nothing(shape):
    scene, *_ = make(shape=shape)
    assert check_glb(encode(scene)) == []


def test_khronos_finds_nothing(tmp_path):
    """0 errors and 0 warnings; what it does not know (EXT_mesh_features, EXT_structural_metadata) it says as information."""
    from khronos import validate

    paths = []
    for shape in ROOFS.names():
        scene, *_ = make(shape=shape)
        paths.append(tmp_path / f"{shape}.glb")
        paths[-1].write_bytes(encode(scene))
    for verdict in validate(paths):
        assert verdict.errors == []
        assert [w for w in verdict.warnings if w[0] != "UNSUPPORTED_EXTENSION"] == []
        assert verdict.codes() <= {"UNSUPPORTED_EXTENSION", "UNUSED_OBJECT"}, verdict


@pytest.mark.parametrize("data", [b"", b"glT", b"PK\3\4 not a glb at all", b"glTF"])
def test_other_files_are_refused(data):
    with pytest.raises(ValueError, match=r".+"):
        decode(data)


@pytest.mark.parametrize("crs", PLACES)
@pytest.mark.parametrize("geoid", [0.0, 43.7])
def test_control_points_land_where_proj_puts_them(crs, geoid):
    """Vertices of the file, put through the tile's transform, lie within a centimetre of PROJ's ECEF."""
    scene, region, town = make(crs, geoid=geoid)
    read = decode(encode(scene))
    world = LocalFrame(scene.lon, scene.lat).to_ecef(read.positions)
    meshes = town.shaped.meshes
    solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_vertices))
    xy = (meshes.vertices[:, :2] + meshes.origins[solid])[meshes.corners]
    height = meshes.vertices[meshes.corners, 2] + geoid
    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4979", always_xy=True).transform(*xy.T)
    want = np.stack(
        pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True).transform(lon, lat, height), axis=1
    )
    assert np.linalg.norm(world - want, axis=1).max() < 0.01
    west, south, east, north, low, high = region
    assert (low, high) == (height.min(), height.max())
    assert west <= lon.min()
    assert lon.max() <= east
    assert (south, north) == (lat.min(), lat.max())


def test_a_building_of_a_scene_closes_by_its_feature_id(scene):
    corner = np.round(scene.positions, 6)
    _, place = np.unique(corner, axis=0, return_inverse=True)
    place = place.reshape(-1)
    for feature in np.unique(scene.features).tolist():
        mine = scene.triangles[scene.features[scene.triangles[:, 0]] == feature]
        assert (scene.features[mine] == feature).all()
        edges = place[np.stack([mine, np.roll(mine, -1, axis=1)], axis=-1).reshape(-1, 2)]
        forward = {tuple(e) for e in edges.tolist()}
        assert len(forward) == len(edges)
        assert all((b, a) in forward for a, b in forward)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.floats(-1e4, 1e4, width=32)), min_size=1, max_size=6))
def test_any_table_is_read_back(rows):
    n = len(rows)
    triangles = np.arange(3 * n).reshape(-1, 3)
    points = np.tile([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], (n, 1))
    table = {
        "id": np.array([text for text, _ in rows], dtype=object),
        "height_m": np.array([number for _, number in rows]),
    }
    scene = Scene(
        points,
        np.tile([0.0, 0, 1], (3 * n, 1)),
        np.zeros((3 * n, 3), np.uint8),
        np.repeat(np.arange(n), 3),
        triangles,
        table,
        0.0,
        0.0,
    )
    again = decode(encode(scene))
    assert again.table["id"].tolist() == [t.encode("utf-8", "replace").decode() for t, _ in rows]
    assert again.table["height_m"].tolist() == [f for _, f in rows]


def test_the_scene_is_left_alone(scene):
    before = [getattr(scene, name).tobytes() for name in ("positions", "normals", "colours", "features", "triangles")]
    encode(scene)
    assert before == [
        getattr(scene, name).tobytes() for name in ("positions", "normals", "colours", "features", "triangles")
    ]


def test_ids_beyond_ascii_are_stored_as_utf_8(scene):
    assert "ü".encode() in encode(scene)


def test_curved_roofs_are_shaded_smooth_and_others_are_not():
    """Corners of a cone that meet share a normal, but for its creases; those of a gable never do."""
    for shape, shares in (("cone", True), ("gabled", False)):
        scene, *_ = make(names=("circle 32",), shape=shape)
        roof = scene.normals[:, 2] > 0.05
        assert np.abs(np.linalg.norm(scene.normals, axis=1) - 1).max() < 1e-9
        places, inverse = np.unique(scene.positions[roof].round(6), axis=0, return_inverse=True)
        spread = 0.0
        for k in range(len(places)):
            here = scene.normals[roof][inverse.reshape(-1) == k]
            if len(here) == 2:
                spread = max(spread, float(np.abs(here[0] - here[1]).max()))
        assert (spread < 1e-9) == shares
