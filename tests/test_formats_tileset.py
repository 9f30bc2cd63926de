"""tileset.json: every tile once, errors that fall to zero, children inside parents, transforms in the right place."""

import json
import math

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.formats.base import FORMATS
from citygen.formats.tileset import encode
from citygen.geom.geodesy import LocalFrame, from_ecef
from citygen.model.scene import TileEntry
from citygen.validation import check_tileset

STEP = 0.005
"""Degrees from tile to tile in these made-up grids."""


def entry(col: int, row: int, *, lon0: float = 2.0, lat0: float = 48.0, top: float = 30.0) -> TileEntry:
    """Return a tile of a grid that starts at a place; longitudes wrap at 180."""

    def wrap(lon: float) -> float:
        return (lon + 180) % 360 - 180

    lon, lat = lon0 + col * STEP, lat0 + row * STEP
    half = 0.4 * STEP
    return TileEntry(
        uri=f"tiles/0/{col}_{row}.glb",
        col=col,
        row=row,
        lon=wrap(lon),
        lat=lat,
        low=(-100.0, -120.0, 3.0),
        high=(110.0, 90.0, top),
        region=(wrap(lon - half), lat - half, wrap(lon + half), lat + half, 3.0, top),
    )


def tree(tiles, size_m: float = 500.0) -> dict:
    return json.loads(encode(tiles, size_m))


def walk(tile: dict, parent: dict | None = None):
    yield tile, parent
    for child in tile.get("children", []):
        yield from walk(child, tile)


def assert_sound(tiles, size_m: float = 500.0) -> None:
    """Every law that a tileset over these tiles must keep."""
    document = tree(tiles, size_m)
    assert document["asset"]["version"] == "1.1"
    nodes = list(walk(document["root"]))
    leaves = [t for t, _ in nodes if "content" in t]
    assert sorted(t["content"]["uri"] for t in leaves) == sorted(t.uri for t in tiles)
    assert all("children" not in t for t in leaves)
    assert all(t.get("children") for t, _ in nodes if "content" not in t)
    assert document["geometricError"] > document["root"]["geometricError"]
    for tile, parent in nodes:
        assert math.isfinite(tile["geometricError"])
        if parent is not None:
            assert tile["geometricError"] < parent["geometricError"]
    assert all(t["geometricError"] == 0 for t in leaves)
    of = {t.uri: t for t in tiles}
    for tile, _ in nodes:
        if "children" not in tile:
            continue
        for leaf, _ in walk(tile):
            if "content" in leaf:
                assert_inside(of[leaf["content"]["uri"]].region, tile["boundingVolume"]["region"])
        for child in tile["children"]:
            if "region" in child["boundingVolume"]:
                assert_inside_radians(child["boundingVolume"]["region"], tile["boundingVolume"]["region"])
    for leaf in leaves:
        assert_placed(leaf, of[leaf["content"]["uri"]])
    assert encode(tiles[::-1], size_m) == encode(tiles, size_m)


def assert_inside(degrees, region) -> None:
    assert_inside_radians([*np.radians(degrees[:4]).tolist(), *degrees[4:]], region)


def assert_inside_radians(inner, outer) -> None:
    hair = 1e-12
    assert -math.pi <= outer[0] <= math.pi
    assert -math.pi <= outer[2] <= math.pi
    width = (outer[2] - outer[0]) % (2 * math.pi)
    west = (inner[0] - outer[0] + hair) % (2 * math.pi)
    east = (inner[2] - outer[0] + hair) % (2 * math.pi)
    assert west <= east <= width + 2 * hair, (inner, outer)
    assert outer[1] - hair <= inner[1] <= inner[3] <= outer[3] + hair
    assert outer[4] <= inner[4] <= inner[5] <= outer[5]


def assert_placed(leaf: dict, tile: TileEntry) -> None:
    """The transform puts the local origin on the ellipsoid at the tile's place, axes east, north, up; the box is the content's."""
    matrix = np.array(leaf["transform"]).reshape(4, 4).T
    assert matrix[3].tolist() == [0, 0, 0, 1]
    want = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True).transform(tile.lon, tile.lat, 0.0)
    assert np.abs(matrix[:3, 3] - want).max() < 1e-6
    point = np.array([[12.0, -7.0, 55.0]])
    world = (matrix @ np.r_[point[0], 1.0])[:3]
    assert np.abs(world - LocalFrame(tile.lon, tile.lat).to_ecef(point)[0]).max() < 1e-6
    _, up = from_ecef(world[None])
    assert up[0] == pytest.approx(55.0, abs=1e-3)
    box = np.array(leaf["boundingVolume"]["box"])
    half = box[3:].reshape(3, 3)
    assert np.array_equal(half, np.diag(np.diag(half)))
    assert box[:3] - np.diag(half) == pytest.approx(tile.low)
    assert box[:3] + np.diag(half) == pytest.approx(tile.high)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.sets(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=25),
    st.sampled_from([10.0, 500.0, 611.5]),
)
def test_any_set_of_tiles(keys, size_m):
    assert_sound([entry(c, r) for c, r in sorted(keys)], size_m)


def test_one_tile():
    assert_sound([entry(7, -3)])


def test_tiles_on_either_side_of_zero():
    assert_sound([entry(c, r) for c in (-1, 0) for r in (-1, 0)])


def test_tiles_far_apart():
    assert_sound([entry(0, 0), entry(1000, 700), entry(-500, 3)])


def test_a_full_square_is_a_quadtree():
    document = tree([entry(c, r) for c in range(8) for r in range(8)])
    depth = {1: 0, 4: 0, 16: 0, 64: 0}
    level = [document["root"]]
    while level:
        depth[len(level)] += 1
        level = [child for tile in level for child in tile.get("children", [])]
    assert depth == {1: 1, 4: 1, 16: 1, 64: 1}


@pytest.mark.parametrize("columns", [(0, 1), (-1, 0), (-2, -1), (-1,), (0,), (-1, 0, 1, 2), (-3, -2, -1, 0)])
def test_tiles_beside_and_across_the_antimeridian(columns):
    """Column 0's own extent lies across 180 degrees; no parent goes round the Earth or leaves a child out."""
    tiles = [entry(c, 0, lon0=180.0, lat0=-16.8) for c in columns]
    assert_sound(tiles)
    root = tree(tiles)["root"]["boundingVolume"]["region"]
    assert (root[2] - root[0]) % (2 * math.pi) < math.radians(STEP * (len(columns) + 1))


def test_heights_of_parents_hold_their_children():
    tiles = [entry(0, 0, top=12.0), entry(1, 0, top=98.5)]
    assert tree(tiles)["root"]["boundingVolume"]["region"][4:] == [3.0, 98.5]


def test_no_tiles_make_an_empty_tileset(tmp_path):
    document = tree([])
    assert "content" not in document["root"]
    assert document["root"]["geometricError"] == 0


def test_our_checks_find_nothing(tmp_path):
    """All but the content, which is not there."""
    path = tmp_path / "tileset.json"
    for keys in ([(0, 0)], [(0, 0), (5, 5), (-3, 2)], [(c, r) for c in range(5) for r in range(4)]):
        path.write_bytes(encode([entry(c, r) for c, r in keys], 500.0))
        found = {issue.code for issue in check_tileset(path) if issue.severity == "error"}
        assert not {code for code in found if "CONTENT" not in code and "IO" not in code}, found


def test_the_same_bytes_in_any_order():
    tiles = [entry(c, r) for c in range(-2, 3) for r in range(4)]
    data = encode(tiles, 500.0)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(tiles))
        assert encode([tiles[k] for k in order], 500.0) == data


def test_the_format_needs_the_glb_and_writes_one_file():
    kind = FORMATS["3dtiles"]
    assert kind.needs == ("glb",)
    files = kind.finish([entry(0, 0)], 500.0)
    assert list(files) == ["tileset.json"]


def test_paths_of_tiles_come_from_the_grid_alone():
    assert FORMATS["glb"].path(16, -3, 7) == "tiles/16/-3_7.glb"
