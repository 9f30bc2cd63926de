"""Terrain: the ground of tiles made in memory, and of whole builds read back from their files by an independent checker."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

import khronos
import terrain_checks as checks
from builds import SAMPLE, assert_same, build, plots, sample
from citygen.errors import ConfigError, InputError
from citygen.formats.terrain import decode_terrain
from citygen.ground.dem import open_dem
from citygen.ground.terrain import terrain
from citygen.ground.terrain_plan import block, plan_frame
from citygen.ground.terrain_surface import surface_around
from citygen.pipeline.terrain import levels_of
from citygen.tiling.metric import MetricGrid
from citygen.validation import check_output

CRS = "EPSG:32631"
WEST, SOUTH = 500_000.0, 5_150_000.0


def write_dem(
    path: Path, cells: np.ndarray, *, step: float = 2.0, west: float = WEST - 100.3, north: float = 0.0
) -> Path:
    """Write a DEM whose cells do not lie on the lines between tiles."""
    north = north or SOUTH + 500.7
    profile = {"driver": "GTiff", "count": 1, "dtype": "float64", "crs": CRS, "nodata": -9999.0}
    shape = {"height": cells.shape[0], "width": cells.shape[1], "transform": Affine(step, 0, west, 0, -step, north)}
    with rasterio.open(path, "w", **profile, **shape) as dataset:
        dataset.write(np.where(np.isnan(cells), -9999.0, cells), 1)
    return path


def hills(rows: int = 350, columns: int = 350) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    rough = np.random.default_rng(2).standard_normal((rows, columns)) * 0.15
    return 120 + 14 * np.sin(x / 23) * np.cos(y / 31) + 3 * np.sin(x / 5 + y / 7) + rough


@pytest.fixture(scope="module")
def dem(tmp_path_factory):
    return open_dem([write_dem(tmp_path_factory.mktemp("dem") / "dem.tif", hills())])


def towers(seed: int = 0, count: int = 120) -> np.ndarray:
    """Rotated boxes over four tiles of 200 m, some with courtyards, many touching, overlapping and across borders."""
    rng = np.random.default_rng(seed)
    x, y = WEST + rng.random(count) * 400, SOUTH + rng.random(count) * 400
    size = 3 + rng.random((count, 2)) * 25
    boxes = shapely.box(x, y, x + size[:, 0], y + size[:, 1])
    turned = [shapely.affinity.rotate(b, a) for b, a in zip(boxes, rng.random(count) * 90, strict=True)]
    yards = [shapely.difference(b, shapely.buffer(b, -4)) if k % 3 == 0 else b for k, b in enumerate(turned)]
    on_line = [
        shapely.box(WEST + 200, SOUTH + 20, WEST + 215, SOUTH + 40),
        shapely.box(WEST + 180, SOUTH + 60, WEST + 200, SOUTH + 75),
    ]
    return np.array([*yards, *on_line], dtype=object)


def made(dem, outlines, key, tolerance=0.3, size=200.0):
    grid, frame = MetricGrid(size, CRS), plan_frame(CRS)
    tile = block(grid, frame, key)
    bounds = shapely.bounds(outlines).reshape(-1, 4)
    box = tile.box
    near = (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0]) & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
    planned = np.array([shapely.transform(o, frame.to_plan) for o in outlines[near]], dtype=object)
    return terrain(surface_around(dem, frame, tile), tile, planned, tolerance), tile


LEAVES = [(0, c, r) for c in (2500, 2501) for r in (25750, 25751)]


def area(mesh) -> float:
    a, b, c = (mesh.xy[mesh.triangles[:, k]] for k in range(3))
    return float(0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum())


@pytest.mark.parametrize("seed", range(3))
def test_ground_and_outlines_tile_the_plan_exactly(dem, seed):
    outlines = towers(seed)
    solid = shapely.union_all(outlines)
    for key in LEAVES:
        mesh, tile = made(dem, outlines, key)
        box = shapely.box(*tile.box)
        assert area(mesh) == pytest.approx(box.area - shapely.intersection(solid, box).area, abs=1e-6)
        middles = shapely.points(mesh.xy[mesh.triangles].mean(axis=1))
        assert not shapely.contains_properly(shapely.buffer(solid, -1e-6), middles).any()
        corners = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(solid)))
        corners = corners[((corners > tile.box[:2]) & (corners < tile.box[2:])).all(axis=1)]
        _, away = shapely.STRtree(shapely.points(mesh.xy)).query_nearest(shapely.points(corners), return_distance=True)
        drawn = np.isin(_complex(corners), _complex(shapely.get_coordinates(outlines)))
        assert away[drawn].max(initial=0) < 4e-10  # the plan's own grid
        assert away.max(initial=0) < 1e-8  # where outlines cross each other: rounding of two different origins


def _complex(xy):
    return xy[:, 0] + 1j * xy[:, 1]


def test_neighbours_have_the_same_border_bit_by_bit(dem):
    outlines = towers()
    found = {key: made(dem, outlines, key)[0] for key in LEAVES}
    for axis, line, one, two in (
        (0, WEST + 200, LEAVES[0], LEAVES[2]),
        (0, WEST + 200, LEAVES[1], LEAVES[3]),
        (1, SOUTH + 200, LEAVES[0], LEAVES[1]),
        (1, SOUTH + 200, LEAVES[2], LEAVES[3]),
    ):
        first, second = (_rim(found[key], axis, line) for key in (one, two))
        common = first & second
        assert len(common) > 20
        # a house that stands against the line has ground on the other side only
        alone = [np.mean([a[1 - axis], b[1 - axis]]) for a, b in first ^ second]
        assert all(20 < v - SOUTH < 75 and axis == 0 for v in alone)
        # where an outline meets the border there is one vertex, not two that rounding set apart
        assert min(np.ptp([a[1 - axis], b[1 - axis]]) for a, b in first | second) > 1e-6


def _rim(mesh, axis, line):
    ends = np.column_stack([mesh.xy, mesh.z])[mesh.rim]
    ends = ends[(ends[:, :, axis] == line).all(axis=1)]
    return {tuple(sorted(map(tuple, pair.tolist()))) for pair in ends}


def test_a_coarser_border_is_part_of_the_finer(dem):
    none = np.empty(0, dtype=object)
    fine = [made(dem, none, key)[0] for key in LEAVES]
    coarse = made(dem, none, (1, 1250, 12875), tolerance=1.2)[0]
    every = {tuple(v) for m in fine for v in np.column_stack([m.xy, m.z])[np.unique(m.rim)].tolist()}
    outer = np.unique(coarse.rim)
    assert {tuple(v) for v in np.column_stack([coarse.xy, coarse.z])[outer].tolist()} <= every
    assert 8 <= len(outer) < sum(len(np.unique(m.rim)) for m in fine) / 2


def test_within_the_tolerance_and_smaller_for_larger_ones(dem):
    outlines, rng, sizes = towers(), np.random.default_rng(0), []
    for tolerance in (0.15, 0.5, 2.0):
        mesh, _ = made(dem, outlines, LEAVES[0], tolerance)
        chosen, weight = rng.integers(0, len(mesh.triangles), 30_000), rng.dirichlet([1, 1, 1], 30_000)
        place = (mesh.xy[mesh.triangles[chosen]] * weight[:, :, None]).sum(axis=1)
        height = (mesh.z[mesh.triangles[chosen]] * weight).sum(axis=1)
        path = [Path(dem.rasters[0].path)]
        assert np.abs(height - checks.surface(path, CRS, place)).max() <= tolerance
        sizes.append(len(mesh.triangles))
    assert sizes[0] > 2 * sizes[2]


@pytest.mark.parametrize("seed", range(3))
def test_cells_warped_by_many_times_the_tolerance(tmp_path, seed):
    """A coarse and steep DEM: between its nodes the surface bends, and edges of triangles stray further than nodes."""
    rough = np.random.default_rng(seed).random((30, 30)) * 12
    coarse = open_dem([write_dem(tmp_path / "coarse.tif", rough, step=30.0)])
    mesh, _ = made(coarse, towers(1, 20), LEAVES[0], 0.5)
    rng = np.random.default_rng(0)
    corners = mesh.xy[mesh.triangles]
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    plan = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    chosen, weight = rng.choice(len(plan), 100_000, p=plan / plan.sum()), rng.dirichlet([1, 1, 1], 100_000)
    place = (corners[chosen] * weight[:, :, None]).sum(axis=1)
    height = (mesh.z[mesh.triangles[chosen]] * weight).sum(axis=1)
    assert np.abs(height - checks.surface([Path(coarse.rasters[0].path)], CRS, place)).max() <= 0.5
    # along every edge, ends left out
    edges = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]])
    for share in (0.25, 0.5, 0.75):
        place = mesh.xy[edges[:, 0]] * (1 - share) + mesh.xy[edges[:, 1]] * share
        height = mesh.z[edges[:, 0]] * (1 - share) + mesh.z[edges[:, 1]] * share
        assert np.abs(height - checks.surface([Path(coarse.rasters[0].path)], CRS, place)).max() <= 0.5


def test_a_void_is_a_hole_and_is_told(tmp_path):
    cells = hills()
    cells[150:190, 120:170] = np.nan
    holed = open_dem([write_dem(tmp_path / "holed.tif", cells)])
    total = 0.0
    for key in LEAVES:
        mesh, tile = made(holed, np.empty(0, dtype=object), key)
        assert np.abs(mesh.z - 120).max() < 25  # no spike
        box = tile.box
        missing = 1 - area(mesh) / ((box[2] - box[0]) * (box[3] - box[1]))
        assert missing == pytest.approx(mesh.void, abs=1e-9)
        total += mesh.void * 200 * 200
    assert total == pytest.approx(4 * 41 * 51)  # the cells with a void corner, 2 m wide
    assert made(holed, np.empty(0, dtype=object), (0, 2600, 25750))[0] is None


def test_levels_end_where_tiles_no_longer_merge():
    around = levels_of([(-1, -1), (0, 0), (5, 5)])
    assert [len(level) for level in around] == [3]
    whole = levels_of([(c, r) for c in range(-2, 6) for r in range(4)])
    assert [len(level) for level in whole] == [32, 8, 3, 2]
    assert sorted(whole[2]) == [(-1, 0), (0, 0), (1, 0)]
    assert [len(under) for _, under in sorted(whole[2].items())] == [8, 16, 8]


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    out = tmp_path_factory.mktemp("town") / "out"
    sample(out, terrain=True, drape="hypsometric")
    return out


def test_sample_has_no_gap_no_overlap_no_crack(town):
    raster = SAMPLE / "dem.tif"
    output = checks.standing(checks.read_output(town), [raster])
    bounds = checks.metric_bounds(output, 500.0)
    assert len(bounds) == 11
    for gap, overlap, noise in checks.gaps(output, bounds, checks.with_heights(raster, output.outlines.crs)).values():
        assert gap <= noise
        assert overlap <= noise
    assert checks.cracks(output, bounds)[0] == 0
    assert checks.cracks(output, bounds)[1] > 100
    away, above = checks.wall_vertices(output, bounds, [raster])
    assert away < checks.MATCH_M
    assert above < checks.MATCH_M
    assert np.nanmax(checks.errors(output, [raster])) <= 0.5


def test_sample_files_are_valid(town):
    report = check_output(town)
    assert report.errors == report.warnings == 0
    verdicts = khronos.validate(sorted((town / "terrain").rglob("*.glb")))
    assert len(verdicts) == json.loads((town / "report.json").read_text())["terrain"]["tiles"] == 17
    assert not set().union(*(v.codes("error", "warning") for v in verdicts))


def test_surfaces_face_up_and_carry_their_picture(town):
    for path in (town / "terrain").rglob("*.glb"):
        surface = decode_terrain(path.read_bytes())
        assert surface.normals[:, 2].min() > 0.1
        assert np.allclose(np.linalg.norm(surface.normals, axis=1), 1, atol=1e-5)
        a, b, c = (surface.positions[surface.triangles[:, k]] for k in range(3))
        assert (np.cross(b - a, c - a)[:, 2] > 0).all()
        # v runs from north to south
        assert np.corrcoef(surface.uv[:, 0], surface.positions[:, 0])[0, 1] > 0.99
        assert np.corrcoef(surface.uv[:, 1], surface.positions[:, 1])[0, 1] < -0.99
        assert surface.picture.startswith(b"\x89PNG")


def test_skirts_hang_below_the_border(town):
    for tile in checks.read_output(town).tiles:
        n = len(tile.skirt) // 2
        assert n > 3
        depth = tile.skirt[:n, 2] - tile.skirt[n:, 2]
        coarser = max(0.5, 500 / 512) * 2.0 ** (1 - tile.level)
        assert depth == pytest.approx(np.full(n, 3 * coarser), rel=1e-2)


def test_tileset_replaces_coarse_ground_by_fine_and_adds_buildings(town):
    root = json.loads((town / "tileset.json").read_text())["root"]
    assert root["refine"] == "ADD"
    ground = root["children"][1]
    assert ground["refine"] == "REPLACE"

    def depth(node):
        below = [depth(child) for child in node.get("children", [])]
        assert all(child["geometricError"] < node["geometricError"] for child in node.get("children", []))
        return 1 + max(below, default=0)

    assert depth(ground) == 4


@pytest.mark.slow
def test_same_bytes_with_two_workers(tmp_path):
    for workers in (1, 2):
        build(tmp_path / str(workers), **_houses(tmp_path), terrain=True, drape="hillshade", workers=workers)
    assert_same(tmp_path / "1", tmp_path / "2")


def test_a_finished_terrain_is_not_made_again_and_a_lost_tile_is(tmp_path):
    out = tmp_path / "out"
    build(out, **_houses(tmp_path), terrain=True)

    def state():
        return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (out / "terrain").rglob("*.glb")}

    before = state()
    lost = min(before)
    lost.unlink()
    build(out, **_houses(tmp_path), terrain=True)
    after = state()
    assert [p for p in before if before[p] != after[p]] == [lost]
    assert after[lost][1] == before[lost][1]


def _houses(folder: Path):
    path = folder / "houses.gpkg"
    if not path.exists():
        houses = plots(60)
        houses.geometry = houses.geometry.translate(20, 20)
        houses.to_file(path)
        write_dem(folder / "hills.tif", hills())
    return {"buildings": [str(path)], "dem": [str(folder / "hills.tif")], "crs": CRS, "grid": "metric:200"}


def test_parts_that_hover_leave_the_ground_whole(tmp_path):
    house = plots(2, min_height=[0.0, 4.0], height=[9.0, 9.0])
    house.geometry = house.geometry.translate(20, 20)
    house.to_file(tmp_path / "h.gpkg")
    write_dem(tmp_path / "d.tif", hills())
    build(
        tmp_path / "o",
        buildings=[str(tmp_path / "h.gpkg")],
        dem=[str(tmp_path / "d.tif")],
        crs=CRS,
        grid="metric:200",
        terrain=True,
    )
    output = checks.read_output(tmp_path / "o")
    ground = shapely.union_all([checks.covered(t) for t in output.leaves()])
    stands, hovers = (output.outlines.loc[output.outlines["id"] == f"house-{k}"].geometry.iloc[0] for k in (0, 1))
    assert ground.intersection(stands).area < 1e-2
    assert ground.intersection(hovers).area == pytest.approx(hovers.area, abs=1e-2)


def test_orthophoto_lies_where_it_belongs(tmp_path):
    from io import BytesIO

    from PIL import Image

    photo = tmp_path / "photo.tif"
    bands = np.zeros((3, 400, 400), np.uint8)
    bands[0, :200], bands[1, 200:] = 220, 220  # red north of the line, green south of it
    place = Affine(1, 0, WEST, 0, -1, SOUTH + 400)
    with rasterio.open(
        photo, "w", driver="GTiff", width=400, height=400, count=3, dtype="uint8", crs=CRS, transform=place
    ) as f:
        f.write(bands)
    build(tmp_path / "o", **_houses(tmp_path), terrain=True, drape=str(photo))
    north = decode_terrain((tmp_path / "o/terrain/0/2500_25751.glb").read_bytes()).picture
    south = decode_terrain((tmp_path / "o/terrain/0/2500_25750.glb").read_bytes()).picture
    for picture, band in ((north, 0), (south, 1)):
        pixels = np.asarray(Image.open(BytesIO(picture)))
        assert pixels.shape == (256, 256, 3)
        assert pixels[:, :, band].min() > 180
        assert pixels[8:-8, 8:-8, 1 - band].max() < 40
    both = np.asarray(
        Image.open(BytesIO(decode_terrain((tmp_path / "o/terrain/-1/1250_12875.glb").read_bytes()).picture))
    )
    half = len(both) // 2
    assert both[: half - 8, 8:-8, 0].min() > 180
    assert both[half + 8 :, 8:-8, 1].min() > 180


def test_options_that_contradict_are_refused(tmp_path):
    houses = _houses(tmp_path)
    with pytest.raises(ConfigError, match="--terrain"):
        build(tmp_path / "a", **houses, drape="hillshade")
    with pytest.raises(ConfigError, match="needs a DEM"):
        build(tmp_path / "b", buildings=houses["buildings"], ground_z=5.0, terrain=True)
    with pytest.raises(InputError, match="give 8-bit"):
        build(tmp_path / "c", **houses, terrain=True, drape=str(tmp_path / "hills.tif"))
    with pytest.raises(InputError, match="no such file"):
        build(tmp_path / "d", **houses, terrain=True, drape="nothing.tif")


def test_over_a_seam_of_two_hgt_files(tmp_path, testdata):
    raw = (testdata / "realdata/02_monaco_osm_srtm/N43E007.hgt").read_bytes()
    east = np.frombuffer(raw, ">i2").reshape(1201, 1201)
    west = east[:, ::-1]  # its mirror: the last column is the other's first
    assert np.array_equal(west[:, -1], east[:, 0])
    (tmp_path / "N43E007.hgt").write_bytes(raw)
    (tmp_path / "N43E006.hgt").write_bytes(np.ascontiguousarray(west).tobytes())
    rng = np.random.default_rng(5)
    lon, lat = 7.0 + (rng.random(80) - 0.5) * 0.02, 43.64 + rng.random(80) * 0.012
    houses = gpd.GeoDataFrame(
        {"id": [f"h{k}" for k in range(80)], "height": 8.0},
        geometry=shapely.box(lon, lat, lon + 0.0002, lat + 0.00012),
        crs="EPSG:4326",
    )
    houses.to_file(tmp_path / "houses.gpkg")
    rasters = [tmp_path / "N43E006.hgt", tmp_path / "N43E007.hgt"]
    build(
        tmp_path / "o",
        buildings=[str(tmp_path / "houses.gpkg")],
        dem=[str(p) for p in rasters],
        aoi="6.99,43.638,7.01,43.655",
        terrain=True,
        terrain_error=1.0,
        crs="EPSG:32631",
    )
    output = checks.standing(checks.read_output(tmp_path / "o"), rasters)
    bounds = checks.metric_bounds(output, 500.0)
    known = shapely.union_all([shapely.box(*b) for b in bounds.values()])
    for gap, overlap, noise in checks.gaps(output, bounds, known).values():
        assert max(gap, overlap) <= noise
    wrong, total = checks.cracks(output, bounds)
    assert wrong == 0
    assert total > 50
    found = checks.errors(output, rasters)
    assert np.isfinite(found).mean() > 0.95  # the cells at the seam lie between two files: this checker leaves them out
    assert np.nanmax(found) <= 1.0
    away, above = checks.wall_vertices(output, bounds, rasters)
    assert max(away, above) < checks.MATCH_M


@pytest.mark.parametrize(
    ("folder", "files", "options"),
    [
        (
            "01_larochelle_bdtopo_dem",
            ("buildings_bdtopo.gpkg", "dem_rgealti_1m.tif"),
            {"crs": "EPSG:2154", "map": {"height": "hauteur"}, "terrain_error": 0.25},
        ),
        (
            "08_denhaag_lod2_west",
            ("footprints_west.gpkg", "dem_tin_1m_west.tif"),
            {"crs": "EPSG:28992", "map": {"height": "ridge_rel"}, "terrain_error": 0.25},
        ),
    ],
)
def test_real_towns(tmp_path, testdata, folder, files, options):
    buildings, raster = (testdata / "realdata" / folder / name for name in files)
    build(tmp_path / "o", buildings=[str(buildings)], dem=[str(raster)], grid="metric:250", terrain=True, **options)
    output = checks.standing(checks.read_output(tmp_path / "o"), [raster])
    bounds = checks.metric_bounds(output, 250.0)
    known = checks.with_heights(raster, output.outlines.crs)
    for gap, overlap, noise in checks.gaps(output, bounds, known).values():
        assert max(gap, overlap) <= noise
    wrong, total = checks.cracks(output, bounds)
    assert wrong == 0
    assert total > 30
    assert np.nanmax(checks.errors(output, [raster], 40_000)) <= 0.25
    away, above = checks.wall_vertices(output, bounds, [raster])
    assert max(away, above) < checks.MATCH_M
    assert check_output(tmp_path / "o").errors == 0


def test_every_nth_cell_is_that_of_the_whole_window(tmp_path):
    from citygen.ground.layers import layers_of
    from citygen.ground.nodes import read_nodes
    from citygen.ground.windows import read_window

    cells = hills()
    cells[40:60, 100:180] = np.nan
    east = write_dem(tmp_path / "east.tif", cells, west=WEST + 2 * 300 - 100.3)
    both = open_dem([write_dem(tmp_path / "west.tif", cells), east])
    (layer,) = layers_of(both)
    for box, stride in (
        ((-7, -5, 700, 360), 3),
        ((0, 0, 650, 350), 7),
        ((310, 20, 311, 21), 4),
        ((900, 0, 990, 50), 2),
    ):
        assert np.array_equal(
            read_nodes(layer, box, stride), read_window(layer, box)[::stride, ::stride], equal_nan=True
        )
