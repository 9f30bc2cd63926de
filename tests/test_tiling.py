"""Grids: each place has one tile, whose bounds hold it; the same tiles as morecantile's."""

import morecantile
import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.errors import ConfigError, InputError
from citygen.tiling.base import GRIDS
from citygen.tiling.metric import MetricGrid
from citygen.tiling.tms import MatrixGrid


def make(spec: str, crs: str = "EPSG:32631"):
    """Make a grid as the pipeline does: the first maker that knows the text."""
    return next((grid for grid in (maker(spec, crs) for maker in GRIDS) if grid is not None), None)


SETS = [
    (name, zoom)
    for name in ("WebMercatorQuad", "WorldCRS84Quad", "EuropeanETRS89_LAEAQuad", "UTM31WGS84Quad", "NZTM2000Quad")
    for zoom in (0, 1, 3, 8, 12)
    if morecantile.tms.get(name).minzoom <= zoom <= morecantile.tms.get(name).maxzoom
]


@pytest.mark.parametrize(("name", "zoom"), SETS)
def test_matrix_tiles_are_morecantile_s(name, zoom):
    tms = morecantile.tms.get(name)
    grid = make(f"{name}:{zoom}")
    assert isinstance(grid, MatrixGrid)
    matrix = tms.matrix(zoom)
    west, south, east, north = (
        *tms.xy_bounds(0, matrix.matrixHeight - 1, zoom)[:2],
        *tms.xy_bounds(matrix.matrixWidth - 1, 0, zoom)[2:],
    )
    xy = np.random.default_rng(zoom).uniform([west, south], [east, north], (200, 2))
    col, row = grid.keys(xy[:, 0], xy[:, 1])
    theirs = [tms._tile(x, y, zoom) for x, y in xy.tolist()]
    assert col.tolist() == [t.x for t in theirs]
    assert row.tolist() == [t.y for t in theirs]
    hair = 1e-12 * max(map(abs, (west, south, east, north)))
    for k in range(0, 200, 10):
        want = tms.xy_bounds(int(col[k]), int(row[k]), zoom)
        assert grid.bounds(int(col[k]), int(row[k])) == pytest.approx(
            (want.left, want.bottom, want.right, want.top), abs=hair
        )
    assert pyproj.CRS(grid.crs).equals(pyproj.CRS(tms.crs.to_wkt()), ignore_axis_order=True)


@pytest.mark.parametrize("zoom", [0, 5, 14, 16, 20])
def test_places_on_earth_have_morecantile_s_tiles(zoom):
    tms = morecantile.tms.get("WebMercatorQuad")
    grid = make(f"WebMercatorQuad:{zoom}")
    lonlat = np.random.default_rng(zoom).uniform([-180, -85], [180, 85], (200, 2))
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", grid.crs, always_xy=True).transform(*lonlat.T)
    col, row = grid.keys(x, y)
    theirs = [tms.tile(lon, lat, zoom) for lon, lat in lonlat.tolist()]
    assert (col.tolist(), row.tolist()) == ([t.x for t in theirs], [t.y for t in theirs])


GRIDS_TRIED = ["metric:500", "metric:10", "metric:100000", "metric:333.3", "WebMercatorQuad:16", "WorldCRS84Quad:10"]


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.sampled_from(GRIDS_TRIED), st.floats(-170, 170), st.floats(-80, 80))
def test_a_tile_holds_its_places_and_its_neighbours_do_not(spec, u, v):
    grid = make(spec)
    x, y = (u, v) if "84" in spec else (u * 1e5, v * 1e5)
    col, row = (int(k[0]) for k in grid.keys(np.array([x]), np.array([y])))
    west, south, east, north = grid.bounds(col, row)
    slack = 1e-9 * max(abs(x), abs(y), 1.0)
    assert west - slack <= x <= east + slack
    assert south - slack <= y <= north + slack
    middle = grid.keys(np.array([(west + east) / 2]), np.array([(south + north) / 2]))
    assert (int(middle[0][0]), int(middle[1][0])) == (col, row)
    right = grid.bounds(col + 1, row)
    assert right[0] == pytest.approx(east, rel=1e-12)


def test_metric_edges_belong_to_the_tile_above_and_to_the_right():
    grid = make("metric:500")
    xy = np.array([(0.0, 0.0), (-1e-9, -1e-9), (500.0, 499.999999), (-500.0, -500.000001)])
    col, row = grid.keys(xy[:, 0], xy[:, 1])
    assert col.tolist() == [0, -1, 1, -1]
    assert row.tolist() == [0, -1, 0, -2]
    assert grid.bounds(-1, -2) == (-500.0, -1000.0, 0.0, -500.0)


def test_every_place_beyond_a_matrix_takes_an_edge_tile():
    grid = make("WebMercatorQuad:3")
    col, row = grid.keys(np.array([-1e9, 1e9]), np.array([1e9, -1e9]))
    assert (col.tolist(), row.tolist()) == ([0, 7], [0, 7])


def test_metric_name_makes_the_same_grid():
    for size in (10.0, 250.0, 333.25, 100000.0):
        grid = MetricGrid(size, "EPSG:2154")
        assert make(grid.name, "EPSG:2154") == grid


@pytest.mark.parametrize(
    "spec", ["metric:0", "metric:-5", "metric:9", "metric:1e6", "metric:abc", "metric:nan", "metric:inf"]
)
def test_sizes_beyond_reason_are_refused(spec):
    with pytest.raises(ConfigError, match="10 to 100000"):
        make(spec)


def test_unknown_sets_and_zooms_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="WebMercatorQuad"):
        make("WebMercatorQud:3")
    with pytest.raises(ConfigError, match="zooms 0 to"):
        make("WebMercatorQuad:77")
    with pytest.raises(InputError, match=r"none\.json"):
        make(f"{tmp_path}/none.json:3")
    (tmp_path / "bad.json").write_text('{"id": 1}')
    with pytest.raises(InputError, match=r"bad\.json"):
        make(f"{tmp_path}/bad.json:3")
    assert make("500") is None
    assert make("metric500") is None


def test_a_set_from_a_file_is_the_set_of_that_name(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(morecantile.tms.get("WebMercatorQuad").model_dump_json(exclude_none=True))
    ours, theirs = make(f"{path}:12"), make("WebMercatorQuad:12")
    xy = np.random.default_rng(1).uniform(-2e7, 2e7, (50, 2))
    assert [k.tolist() for k in ours.keys(*xy.T)] == [k.tolist() for k in theirs.keys(*xy.T)]


def test_keys_do_not_touch_their_arguments():
    xy = np.array([1.0, 2.0])
    make("metric:500").keys(xy, xy)
    make("WebMercatorQuad:3").keys(xy, xy)
    assert xy.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", sorted(morecantile.tms.list()))
def test_every_known_set_works_or_says_why_not(name):
    zoom = max(0, morecantile.tms.get(name).minzoom)
    try:
        grid = make(f"{name}:{zoom}")
    except ConfigError as error:
        assert "not supported" in str(error) or "variable" in str(error)  # noqa: PT017
        return
    west, south, east, north = grid.bounds(0, 0)
    assert west < east
    assert south < north
    col, row = grid.keys(np.array([(west + east) / 2]), np.array([(south + north) / 2]))
    assert (int(col[0]), int(row[0])) == (0, 0)
