"""Heights to the ellipsoid: what decides, grids that PROJ has and lacks, and control points read back out of written tiles."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from rasterio.transform import Affine, from_origin

from citygen.config import make_config
from citygen.engine.run import run
from citygen.errors import ConfigError, CoverageError, InputError
from citygen.ground.dem import open_dem
from citygen.ground.vertical import Asked, Vertical, open_vertical, to_ellipsoid, undulation, vertical_crs

STEP = 0.25


def write_grid(path: Path, lon: float, lat: float, *, half: float = 1.5, driver: str = "GTiff") -> Path:
    """Write undulations around a place that are a bilinear function of the place, so that every interpolation must give it."""
    west, north = np.floor(lon) - half, np.ceil(lat) + half
    count = round((2 * half + 1) / STEP) + 1
    lons, lats = west + STEP * np.arange(count), north - STEP * np.arange(count)
    n = truth(*np.meshgrid(lons, lats)).astype(np.float32)
    corner = from_origin(west - STEP / 2, north + STEP / 2, STEP, STEP)
    crs = {} if driver == "GTX" else {"crs": "EPSG:4326"}
    form = {"driver": driver, "width": count, "height": count, "count": 1, "dtype": "float32", "transform": corner}
    with rasterio.open(path, "w", **form, **crs) as file:
        file.write(n, 1)
    return path


def truth(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    return 20.0 + 0.1 * np.asarray(lon) - 0.2 * np.asarray(lat)


def write_dem(path: Path, crs: str, x: float, y: float, z: float, cell: float = 1.0) -> Path:
    """Write level ground around a place."""
    form = {"driver": "GTiff", "width": 400, "height": 400, "count": 1, "dtype": "float32", "crs": crs}
    with rasterio.open(path, "w", transform=Affine(cell, 0, x - 200 * cell, 0, -cell, y + 200 * cell), **form) as file:
        file.write(np.full((400, 400), z, dtype=np.float32), 1)
    return path


# --- what decides --------------------------------------------------------------------------------------------------------

HERE = np.array([[4.0, 52.0], [4.1, 52.1]])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EPSG:5709", "NAP height"),
        ("EPSG:7415", "NAP height"),
        ("urn:ogc:def:crs:EPSG::7415", "NAP height"),
        ("urn:ogc:def:crs,crs:EPSG::28992,crs:EPSG::5709", "NAP height"),
        ("EPSG:28992+5709", "NAP height"),
        ("urn:ogc:def:crs,crs:EPSG:6.12:28992,crs:EPSG:6.12:5709", "NAP height"),
        (
            "http://www.opengis.net/def/crs-compound?1=http://www.opengis.net/def/crs/EPSG/0/28992"
            "&2=http://www.opengis.net/def/crs/EPSG/0/5709",
            "NAP height",
        ),
        (pyproj.CRS("EPSG:7415").to_wkt(), "NAP height"),
        ("EPSG:4979", "WGS 84"),
        ("EPSG:6360", "NAVD88 height (ftUS)"),
    ],
)
def test_vertical_part_of_every_spelling(text, name):
    assert vertical_crs(text).name == name


@pytest.mark.parametrize(
    ("text", "words"),
    [("EPSG:28992", "no heights"), ("EPSG:5715", "depths"), ("nonsense", "not a CRS"), ("EPSG:4978", "no heights")],
)
def test_what_measures_no_heights_is_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        vertical_crs(text)


def test_nothing_known_is_said_and_assumed_ellipsoidal():
    found = open_vertical(Asked(), None, HERE)
    assert (found.datum, found.is_known, found.offset_m) == ("level ground", False, 0.0)
    assert "taken as ellipsoidal" in found.how
    assert to_ellipsoid(found, HERE, np.array([1.0, np.nan])).tolist()[0] == 1.0
    assert np.isnan(to_ellipsoid(found, HERE, np.array([1.0, np.nan]))[1])


def test_offset_alone_is_known_even_when_it_is_nothing():
    assert open_vertical(Asked(offset_m=0.0), None, HERE).is_known
    found = open_vertical(Asked(offset_m=43.2), None, HERE)
    assert found.span_m == (43.2, 43.2)
    assert undulation(found, HERE).tolist() == [43.2, 43.2]


def test_ellipsoidal_heights_need_nothing():
    found = open_vertical(Asked(crs="EPSG:4979"), None, HERE)
    assert (found.is_known, found.operation, found.span_m) == (True, "", (0.0, 0.0))
    assert found.how == "heights are ellipsoidal already"


@pytest.mark.parametrize("driver", ["GTiff", "GTX"])
def test_grid_is_proj_s_own_answer_and_the_truth(tmp_path, driver):
    folder = tmp_path / "a b"
    folder.mkdir()
    path = write_grid(folder / ("g.gtx" if driver == "GTX" else "g.tif"), 4.2, 52.1, driver=driver)
    found = open_vertical(Asked(geoid=str(path), offset_m=0.5), None, HERE)
    places = np.random.default_rng(1).uniform([3.0, 51.0], [5.0, 53.0], (500, 2))
    heights = np.random.default_rng(2).uniform(-5, 3000, 500)
    steps = "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +inv +proj=vgridshift "
    proj = pyproj.Transformer.from_pipeline(f'{steps} +grids="{path}" +step +proj=unitconvert +xy_in=rad +xy_out=deg')
    theirs = proj.transform(places[:, 0], places[:, 1], heights)[2]
    ours = to_ellipsoid(found, places, heights)
    assert np.abs(ours - 0.5 - theirs).max() < 1e-9
    assert np.abs(ours - 0.5 - heights - truth(places[:, 0], places[:, 1])).max() < 1e-5
    assert found.is_known
    assert "g." in found.how


def test_grid_that_does_not_cover_the_area_is_refused_with_both_extents(tmp_path):
    path = write_grid(tmp_path / "g.tif", 4.2, 52.1)
    with pytest.raises(CoverageError, match=r"does not cover.*20\.0000, 52\.0000") as error:
        open_vertical(Asked(geoid=str(path)), None, np.array([[20.0, 52.0], [20.1, 52.1]]))
    assert "2.3750" in str(error.value)
    found = open_vertical(Asked(geoid=str(path)), None, np.empty((0, 2)))
    with pytest.raises(CoverageError, match="no value at"):
        undulation(found, np.array([[20.0, 52.0]]))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.tif", None, "no such file"),
        ("text.tif", b"no grid", "not a PROJ grid"),
        ("text.gtx", b"no grid", "not a PROJ grid"),
    ],
)
def test_what_is_no_grid_is_refused(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        open_vertical(Asked(geoid=str(tmp_path / name)), None, HERE)


def test_grid_in_metres_is_refused(tmp_path):
    path = write_dem(tmp_path / "g.tif", "EPSG:28992", 80_000, 450_000, 44.0)
    with pytest.raises(InputError, match="degrees"):
        open_vertical(Asked(geoid=str(path)), None, HERE)


def test_missing_grid_is_named_and_only_a_wish_is_an_error(tmp_path, caplog):
    with pytest.raises(ConfigError, match=r"nl_nsgi_nlgeo2018\.tif.*--geoid-offset"):
        open_vertical(Asked(crs="EPSG:5709"), None, HERE)
    dem = open_dem([write_dem(tmp_path / "a.tif", "EPSG:7415", 80_000, 450_000, 1.0)])
    assert dem.rasters[0].vertical_crs == "NAP height"
    found = open_vertical(Asked(), dem, HERE)
    assert (found.datum, found.is_known) == ("NAP height", False)
    assert found.missing == ("nl_nsgi_nlgeo2018.tif",)
    assert caplog.text.count("nl_nsgi_nlgeo2018.tif is not installed") == 1
    assert open_vertical(Asked(crs="EPSG:5709", offset_m=43.0), None, HERE).is_known


def test_vertical_part_of_an_old_geotiff_is_read(tmp_path):
    form = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "float32", "crs": "EPSG:7415"}
    with rasterio.open(
        tmp_path / "a.tif", "w", transform=from_origin(8e4, 4.5e5, 1, 1), geotiff_version="1.0", **form
    ) as file:
        file.write(np.ones((1, 4, 4), dtype=np.float32))
    assert open_dem([tmp_path / "a.tif"]).rasters[0].vertical_crs == "NAP height"


def test_different_zeros_are_said(tmp_path, caplog):
    paths = [
        write_dem(tmp_path / "a.tif", "EPSG:7415", 80_000, 450_000, 1.0),
        write_dem(tmp_path / "b.tif", "EPSG:28992", 80_000, 450_000, 1.0),
    ]
    open_vertical(Asked(offset_m=43.0), open_dem(paths), HERE)
    assert "different zeros (NAP height, not said)" in caplog.text


PROGRAM = """
import sys, numpy as np, pyproj
pyproj.datadir.append_data_dir(sys.argv[1])
from citygen.ground.vertical import Asked, open_vertical, undulation
here = np.array([[4.0, 52.0], [4.1, 52.1]])
found = open_vertical(Asked(crs="EPSG:5773"), None, here)
assert found.is_known and not found.missing, found
assert "EGM96" in found.how, found.how
there = pyproj.Transformer.from_crs("EPSG:4326+5773", "EPSG:4979", always_xy=True)
theirs = there.transform(here[:, 0], here[:, 1], np.zeros(2))[2]
assert np.abs(undulation(found, here) - theirs).max() < 1e-9
print(*undulation(found, here).tolist())
"""


def test_installed_grid_is_used(tmp_path):
    write_grid(tmp_path / "us_nga_egm96_15.tif", 4.2, 52.1)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [float(word) for word in done.stdout.split()] == pytest.approx(truth(*HERE.T).tolist(), abs=1e-5)


# --- control points out of written tiles ---------------------------------------------------------------------------------

CONTROL = {
    "UTM 32N": ("EPSG:32632", 11.35, 48.05),
    "RD New": ("EPSG:28992", 4.9, 52.37),
    "RD New + NAP": ("EPSG:7415", 4.35, 52.01),
    "Lambert-93": ("EPSG:2154", -1.15, 46.16),
    "LV95": ("EPSG:2056", 8.54, 47.37),
    "NAD83 New York, US survey feet": ("EPSG:2263", -73.98, 40.75),
    "lon/lat": ("EPSG:4326", 24.94, 60.17),
    "UTM 33S, Cape Town": ("EPSG:32733", 18.42, -33.92),
    "NZTM, Wellington": ("EPSG:2193", 174.78, -41.29),
    "lon/lat, Quito": ("OGC:CRS84", -78.51, -0.22),
}


def triangles_of(out: Path) -> np.ndarray:
    """Read every vertex of every tile back, by a reader of the test's own, into ECEF; (n, 3) float64."""
    tileset = json.loads((out / "tileset.json").read_text())
    found = []

    def walk(tile: dict, above: np.ndarray) -> None:
        here = above @ np.array(tile.get("transform", np.eye(4).reshape(-1, order="F").tolist())).reshape(
            4, 4, order="F"
        )
        if "content" in tile:
            found.append(positions(out / tile["content"]["uri"]) @ here[:3, :3].T + here[:3, 3])
        for child in tile.get("children", ()):
            walk(child, here)

    walk(tileset["root"], np.eye(4))
    return np.concatenate(found)


def positions(path: Path) -> np.ndarray:
    """Return the vertices of a GLB in its tile's frame (y up made z up, as 3D Tiles has it), float64."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    document = json.loads(data[20 : 20 + length])
    body = data[20 + length + 8 :]
    found = []

    def walk(node: dict, above: np.ndarray) -> None:
        local = np.eye(4)
        if "matrix" in node:
            local = np.array(node["matrix"]).reshape(4, 4, order="F")
        assert "rotation" not in node
        assert "scale" not in node
        local = local.copy()
        local[:3, 3] += node.get("translation", (0, 0, 0))
        here = above @ local
        if "mesh" in node:
            for primitive in document["meshes"][node["mesh"]]["primitives"]:
                accessor = document["accessors"][primitive["attributes"]["POSITION"]]
                assert (accessor["componentType"], accessor["type"]) == (5126, "VEC3")
                view = document["bufferViews"][accessor["bufferView"]]
                start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
                step = view.get("byteStride", 12)
                raw = np.ndarray((accessor["count"], 3), "<f4", body, start, (step, 4)).astype(np.float64)
                found.append(raw @ here[:3, :3].T + here[:3, 3])
        for child in node.get("children", ()):
            walk(document["nodes"][child], here)

    for root in document["scenes"][document.get("scene", 0)]["nodes"]:
        walk(document["nodes"][root], np.eye(4))
    xyz = np.concatenate(found)
    return np.stack([xyz[:, 0], -xyz[:, 2], xyz[:, 1]], axis=1)


def control(tmp_path: Path, crs: str, lon: float, lat: float, z: float, **options):
    """Build a square on level ground whose corner is the control point; return ECEF vertices and the source's corners."""
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)
    degrees = pyproj.CRS(crs).is_geographic
    side = 1e-4 if degrees else 10.0 / pyproj.CRS(crs).axis_info[0].unit_conversion_factor
    square = shapely.box(x, y, x + side, y + side)
    frame = gpd.GeoDataFrame({"id": ["p"], "height": [8.0]}, geometry=[square], crs=crs)
    frame.to_file(tmp_path / "p.gpkg")
    zone = f"EPSG:{32600 + (100 if lat < 0 else 0) + int((lon + 180) // 6) + 1}"
    east, north = pyproj.Transformer.from_crs("OGC:CRS84", zone, always_xy=True).transform(lon, lat)
    dem = write_dem(tmp_path / "dem.tif", zone, east, north, z)
    given = {"buildings": [str(tmp_path / "p.gpkg")], "dem": [str(dem)], "out": str(tmp_path / "out"), **options}
    outcome = run(make_config(given))
    assert outcome.report["outcomes"]["ok"] == 1, outcome.report["reasons"]
    corners = shapely.get_coordinates(square)[:4]
    return triangles_of(tmp_path / "out"), corners, outcome.report


def by_proj(crs: str, xy: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return what pyproj makes of places and ellipsoidal heights, in ECEF; none of the program's own code."""
    horizontal = pyproj.CRS(crs)
    horizontal = horizontal.sub_crs_list[0] if horizontal.is_compound else horizontal
    lon, lat = pyproj.Transformer.from_crs(horizontal, "OGC:CRS84", always_xy=True).transform(xy[:, 0], xy[:, 1])
    to = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    return np.stack(to.transform(lon, lat, height), axis=1)


@pytest.mark.parametrize("name", sorted(CONTROL))
@pytest.mark.parametrize("how", ["ellipsoidal", "grid", "offset"])
def test_control_points_land_within_a_centimetre(tmp_path, name, how):
    crs, lon, lat = CONTROL[name]
    z = 123.45
    options: dict = {"vertical_crs": "EPSG:4979"}
    if how == "grid":
        options = {"geoid": str(write_grid(tmp_path / "g.tif", lon, lat))}
    elif how == "offset":
        options = {"geoid_offset": 44.25}
    vertices, corners, report = control(tmp_path, crs, lon, lat, z, **options)
    horizontal = pyproj.CRS(crs)
    horizontal = horizontal.sub_crs_list[0] if horizontal.is_compound else horizontal
    degrees = np.stack(
        pyproj.Transformer.from_crs(horizontal, "OGC:CRS84", always_xy=True).transform(*corners.T), axis=1
    )
    added = {"ellipsoidal": np.zeros(4), "grid": truth(*degrees.T), "offset": np.full(4, 44.25)}[how]
    for height in (z - 0.25, z + 8.0):  # foot of the foundation and eave of the flat roof
        wanted = by_proj(crs, corners, height + added)
        apart = np.linalg.norm(vertices[None] - wanted[:, None], axis=2).min(axis=1)
        assert apart.max() < 0.01, (name, height, apart)
    assert report["vertical"]["known"]
    assert report["vertical"]["added_m"][0] <= added.min() + 1e-3
    assert report["vertical"]["added_m"][1] >= added.max() - 1e-3


@pytest.mark.parametrize(
    "name",
    [
        "urn:ogc:def:crs,crs:EPSG::28992,crs:EPSG::5709",
        "http://www.opengis.net/def/crs-compound?1=http://www.opengis.net/def/crs/EPSG/0/28992"
        "&2=http://www.opengis.net/def/crs/EPSG/0/5709",
    ],
)
def test_footprints_in_a_compound_crs_by_its_urn_or_url(tmp_path, name):
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:28992", always_xy=True).transform(4.9, 52.37)
    shape = shapely.geometry.mapping(shapely.box(x, y, x + 10, y + 10))
    feature = {"type": "Feature", "id": "a", "properties": {"height": 8}, "geometry": shape}
    crs = {"type": "name", "properties": {"name": name}}
    document = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    (tmp_path / "a.geojson").write_text(json.dumps(document))
    dem = write_dem(tmp_path / "dem.tif", "EPSG:28992", x, y, 3.0)
    given = {"buildings": [str(tmp_path / "a.geojson")], "dem": [str(dem)], "out": str(tmp_path / "out")}
    run(make_config({**given, "geoid_offset": 43.0}))
    wanted = by_proj("EPSG:28992", shapely.get_coordinates(shapely.geometry.shape(shape))[:4], np.full(4, 54.0))
    apart = np.linalg.norm(triangles_of(tmp_path / "out")[None] - wanted[:, None], axis=2).min(axis=1)
    assert apart.max() < 0.01


def test_nothing_known_is_in_the_report(tmp_path):
    _, _, report = control(tmp_path, "EPSG:32632", 11.35, 48.05, 500.0)
    assert report["vertical"] == {
        "datum": "that of the DEM, which does not say it",
        "known": False,
        "assumed": "nobody says what the DEM's zero is; heights are taken as ellipsoidal (WGS 84): "
        "give --vertical-crs, --geoid or --geoid-offset",
        "missing_grids": [],
        "geoid_offset_m": 0.0,
        "added_m": [0.0, 0.0],
    }


def test_tile_size_moves_no_point(tmp_path):
    """A place has one undulation, whatever tile it is in."""
    found = []
    for size in (100, 3000):
        folder = tmp_path / str(size)
        folder.mkdir()
        grid = write_grid(folder / "g.tif", 11.35, 48.05)
        vertices, _, _ = control(folder, "EPSG:32632", 11.35, 48.05, 500.0, geoid=str(grid), grid=f"metric:{size}")
        found.append(vertices[np.lexsort(np.round(vertices.T, 2))])
    assert np.abs(found[0] - found[1]).max() < 2e-3  # float32 around origins that are 3 km apart


def test_stamp_hangs_on_the_grid_s_content(tmp_path):
    from citygen.pipeline.inputs import open_inputs

    control(tmp_path, "EPSG:32632", 11.35, 48.05, 500.0)
    stamps = []
    for change in (0.0, 0.0, 1.0):
        grid = write_grid(tmp_path / f"g{len(stamps)}.tif", 11.35, 48.05)
        if change:
            with rasterio.open(grid, "r+") as file:
                file.write(file.read(1) + np.float32(change), 1)
        given = {"buildings": [str(tmp_path / "p.gpkg")], "dem": [str(tmp_path / "dem.tif")], "geoid": str(grid)}
        config = make_config(given)
        stamps.append(json.dumps({"options": config.result_options(), **open_inputs(config).identity}, sort_keys=True))
    assert stamps[0] == stamps[1] != stamps[2]


def test_vertical_is_small_and_picklable():
    import pickle

    assert pickle.loads(pickle.dumps(Vertical(offset_m=1.0))) == Vertical(offset_m=1.0)


def test_terrain_takes_the_same_undulation_as_the_walls(tmp_path):
    lon, lat = 11.35, 48.05
    grid = write_grid(tmp_path / "g.tif", lon, lat)
    vertices, _, _ = control(tmp_path, "EPSG:32632", lon, lat, 500.0, geoid=str(grid), terrain=True)
    ground = [path for path in (tmp_path / "out").rglob("*.glb") if "terrain" in path.parts]
    assert ground
    to = pyproj.Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
    lons, lats, heights = to.transform(*vertices.T)
    up = heights - truth(np.asarray(lons), np.asarray(lats))
    on_it = np.abs(up - 500.0) < 0.01
    assert on_it.sum() > 20  # feet of walls, and the level ground around them
    assert set(np.round(up[up > 500.5]).tolist()) == {508.0}
