"""Ground under footprints on analytic DEMs, over several rasters, and its independence of the footprints around."""

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine, from_origin

from citygen.errors import ConfigError
from citygen.ground.dem import open_dem
from citygen.ground.layers import project
from citygen.ground.under import ground_under
from citygen.model.rings import Rings, from_polygons

UTM = "EPSG:25833"
X0, Y0 = 400_000.0, 5_800_000.0
SLOPE = (0.3, -0.2, 50.0)


def write_dem(path: Path, z: np.ndarray, transform: Affine | None = None, **options) -> Path:
    transform = from_origin(X0, Y0, 1.0, 1.0) if transform is None else transform
    profile = {"driver": "GTiff", "width": z.shape[1], "height": z.shape[0], "count": 1, "dtype": z.dtype.name}
    with rasterio.open(path, "w", **{**profile, "crs": UTM, "transform": transform, **options}) as file:
        file.write(z, 1)
    return path


def plane(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return SLOPE[0] * (x - X0) + SLOPE[1] * (y - Y0) + SLOPE[2]


def plane_dem(path: Path, transform: Affine, shape: tuple[int, int] = (80, 90), **options) -> Path:
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    x = transform.a * columns + transform.b * rows + transform.c
    y = transform.d * columns + transform.e * rows + transform.f
    return write_dem(path, plane(x, y), transform, **options)


def polygons(*polygons: shapely.Polygon) -> Rings:
    return from_polygons(np.array(polygons, dtype=object))


def box(x: float, y: float, w: float, h: float) -> shapely.Polygon:
    """A box in cells: x to the east, y to the south of the origin."""
    return shapely.box(X0 + x, Y0 - y - h, X0 + x + w, Y0 - y)


def codes(findings) -> dict[str, list[int]]:
    return {f.code: f.rows.tolist() for f in findings}


TURN = math.radians(17.0)
AFFINES = {
    "north up": from_origin(X0 - 10, Y0 + 10, 1.0, 1.0),
    "south up": Affine(1.0, 0.0, X0 - 10, 0.0, 1.0, Y0 - 70),
    "east to west": Affine(-1.0, 0.0, X0 + 75, 0.0, -1.0, Y0 + 10),
    "oblong": from_origin(X0 - 10, Y0 + 10, 1.7, 2.3),
    "turned": Affine(math.cos(TURN), math.sin(TURN), X0 - 20, math.sin(TURN), -math.cos(TURN), Y0 + 2),
    "columns south": Affine(0.0, 1.0, X0 - 10, -1.0, 0.0, Y0 + 10),
}


@pytest.mark.parametrize("name", AFFINES)
def test_plane_is_exact_under_every_affine(tmp_path, name):
    dem = open_dem([plane_dem(tmp_path / "a.tif", AFFINES[name])])
    turned = shapely.affinity.rotate(box(14, 9, 21.3, 8.7), 33)
    courtyard = box(12.2, 3.1, 22, 22).difference(box(16.3, 8.2, 11, 9))
    small = box(20.3, 20.4, 0.2, 0.1)
    shapes = [turned, courtyard, small]
    heights, findings = ground_under(dem, polygons(*shapes), UTM)
    for k, shape in enumerate(shapes):
        z = plane(*shapely.get_coordinates(shape).T)
        assert heights.low[k] == pytest.approx(z.min(), abs=1e-9)
        assert heights.high[k] == pytest.approx(z.max(), abs=1e-9)
    middle = shapely.centroid(shapes[0])
    assert heights.mean[0] == pytest.approx(plane(middle.x, middle.y), abs=0.1)  # cells up to 2.3 m
    assert np.all((heights.low <= heights.mean) & (heights.mean <= heights.high))
    assert findings == []
    assert heights.ground_z is heights.low


def test_other_crs_gives_the_plane_to_a_millimetre(tmp_path):
    """A plane over longitude and latitude: the outline's vertices go through the projection, not the raster."""
    transform = from_origin(13.5, 52.4, 1e-5, 1e-5)
    rows, columns = np.mgrid[0:300, 0:300]
    dem = open_dem([write_dem(tmp_path / "a.tif", 20.0 + 0.05 * columns + 0.03 * rows, transform, crs="EPSG:4326")])
    corner = project(np.array([[13.5010, 52.3980]]), "EPSG:4326", UTM)[0]
    shape = shapely.box(*corner, corner[0] + 30, corner[1] + 20)
    heights, findings = ground_under(dem, polygons(shape), UTM)
    degrees = project(shapely.get_coordinates(shape), UTM, "EPSG:4326")
    z = 20.0 + 0.05 * ((degrees[:, 0] - 13.5) / 1e-5 - 0.5) + 0.03 * ((52.4 - degrees[:, 1]) / 1e-5 - 0.5)
    assert (heights.low[0], heights.high[0]) == pytest.approx((z.min(), z.max()), abs=1e-6)
    assert findings == []


def test_a_peak_and_a_pit_that_no_vertex_sees(tmp_path):
    z = np.full((40, 40), 10.0)
    z[20, 20], z[25, 15] = 17.0, 6.0
    dem = open_dem([write_dem(tmp_path / "a.tif", z)])
    heights, _ = ground_under(dem, polygons(box(10.2, 10.2, 20, 20)), UTM)
    assert (heights.low[0], heights.high[0]) == (6.0, 17.0)
    n = 20 * 20
    assert heights.mean[0] == pytest.approx((10.0 * (n - 2) + 17.0 + 6.0) / n)


def test_what_lies_in_a_hole_does_not_count(tmp_path):
    z = np.full((40, 40), 10.0)
    z[20, 20], z[21, 20] = 90.0, 1.0
    dem = open_dem([write_dem(tmp_path / "a.tif", z)])
    ring = box(10.2, 10.2, 20, 20).difference(box(17.2, 17.2, 7, 7))
    heights, findings = ground_under(dem, polygons(ring), UTM)
    assert (heights.low[0], heights.high[0], heights.mean[0]) == (10.0, 10.0, 10.0)
    assert findings == []


def test_extreme_inside_an_edge_of_one_patch(tmp_path):
    """On the diagonal of a saddle patch the surface is 4 t (1 - t): its high lies at no vertex and no cell line."""
    z = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0]])
    dem = open_dem([write_dem(tmp_path / "a.tif", z)])
    sliver = shapely.Polygon([(X0 + 1.7, Y0 - 1.7), (X0 + 2.5, Y0 - 2.5), (X0 + 2.5, Y0 - 2.5 + 1e-9)])
    heights, _ = ground_under(dem, polygons(sliver), UTM)
    assert heights.high[0] == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize(
    ("dtype", "value", "nodata"),
    [
        ("int16", -32768, None),
        ("int16", -32768, -32768),
        ("float32", -9999.0, None),
        ("float32", -9999.9, -9999.9),
        ("float32", np.nan, None),
        ("float32", 3.4028235e38, None),
        ("float64", -1e30, None),
        ("float32", 7.0, 7.0),
        ("uint8", 255, 255),
    ],
)
def test_voids_of_every_kind(tmp_path, dtype, value, nodata):
    z = np.full((60, 60), 42, dtype=dtype)
    z[10:30, 10:30] = value
    dem = open_dem([write_dem(tmp_path / "a.tif", z, nodata=nodata)])
    rings = polygons(box(40, 40, 8, 8), box(25, 25, 10, 10), box(15, 15, 8, 8))
    heights, findings = ground_under(dem, rings, UTM)
    assert heights.low.tolist() == [42.0] * 3
    assert heights.high.tolist() == [42.0] * 3
    assert codes(findings) == {"ground_partial": [1], "ground_from_nearest": [2]}
    assert findings[1].details == [f"{np.hypot(9.5, 0.5):.1f} m away"]


def test_beside_a_void_the_valid_neighbours_carry_the_weight(tmp_path):
    z = np.array([[10.0, 20.0], [30.0, np.nan]])
    dem = open_dem([write_dem(tmp_path / "a.tif", z)])
    tiny = shapely.box(X0 + 0.75, Y0 - 1.0, X0 + 0.75 + 1e-9, Y0 - 1.0 + 1e-9)
    heights, findings = ground_under(dem, polygons(tiny), UTM)
    w = np.array([0.75 * 0.5, 0.25 * 0.5, 0.75 * 0.5])
    assert heights.low[0] == pytest.approx(w @ [10.0, 20.0, 30.0] / w.sum(), abs=1e-6)
    assert codes(findings) == {"ground_partial": [0]}


def test_no_ground_is_rejected_or_given_the_default(tmp_path):
    z = np.full((700, 700), np.nan, dtype=np.float32)
    z[0, 0] = 5.0
    dem = open_dem([write_dem(tmp_path / "a.tif", z)])
    rings = polygons(box(100, 100, 10, 10), box(600, 600, 10, 10), box(9000, 0, 10, 10), box(4e6, 4e6, 5, 5))
    heights, findings = ground_under(dem, rings, UTM)
    assert heights.low.tolist()[:1] == [5.0]
    assert np.isnan([heights.low[1:], heights.high[1:], heights.mean[1:], heights.ground_z[1:]]).all()
    assert codes(findings) == {"ground_from_nearest": [0], "ground_missing": [1, 2, 3]}
    assert findings[0].details == [f"{np.hypot(104.5, 104.5):.1f} m away"]
    heights, findings = ground_under(dem, rings, UTM, default_z=3.5)
    assert heights.low.tolist() == [5.0, 3.5, 3.5, 3.5]
    assert codes(findings) == {"ground_from_nearest": [0], "ground_default": [1, 2, 3]}


@pytest.mark.parametrize(("hole", "z_near"), [(70, 1.0), (300, 1.0)])
def test_nearest_is_nearest_in_metres_not_in_cells(tmp_path, hole, z_near):
    """Cells of 2 m by 0.5 m: the value 30 columns east is farther than the one 80 rows north."""
    z = np.full((2 * hole + 1, 2 * hole + 1), np.nan)
    z[hole - hole // 2, hole] = z_near  # hole / 4 m
    z[hole, hole + hole // 4] = 2.0  # hole / 2 m
    dem = open_dem([write_dem(tmp_path / "a.tif", z, from_origin(X0, Y0, 2.0, 0.5))])
    x, y = X0 + 2 * (hole + 0.5), Y0 - 0.5 * (hole + 0.5)
    heights, findings = ground_under(dem, polygons(shapely.box(x - 1.5, y - 1.5, x + 1.5, y + 1.5)), UTM)
    assert heights.low[0] == z_near
    assert findings[0].details == [f"{0.5 * (hole // 2):.1f} m away"]


def test_equally_near_values_go_to_the_first_row(tmp_path):
    z = np.full((41, 41), np.nan)
    z[20, 5], z[5, 20], z[35, 20], z[20, 35] = 1.0, 2.0, 3.0, 4.0
    dem = open_dem([write_dem(tmp_path / "a.tif", z)])
    heights, _ = ground_under(dem, polygons(box(19.5, 19.5, 2, 2)), UTM)
    assert heights.low[0] == 2.0


def test_steep_is_noted_for_small_footprints_only(tmp_path):
    z = np.full((300, 300), 10.0, dtype=np.float32)
    z[20, 20] = 8000.0
    z[200, 200] = -60.0
    dem = open_dem([write_dem(tmp_path / "a.tif", z)])
    rings = polygons(box(10, 10, 20, 20), box(5, 5, 110, 110), box(190, 190, 20, 20), box(40, 40, 10, 10))
    heights, findings = ground_under(dem, rings, UTM)
    assert heights.low.tolist() == [10.0, 10.0, -60.0, 10.0]
    assert codes(findings) == {"ground_steep": [0, 2]}
    assert findings[0].details == ["7990.0 m", "70.0 m"]


def test_modes(tmp_path):
    dem = open_dem([plane_dem(tmp_path / "a.tif", AFFINES["north up"])])
    rings = polygons(box(14, 9, 21.3, 8.7))
    for mode, column in (("lowest", "low"), ("mean", "mean"), ("highest", "high")):
        heights, _ = ground_under(dem, rings, UTM, mode=mode)
        assert heights.ground_z[0] == getattr(heights, column)[0]
    with pytest.raises(ConfigError, match="median"):
        ground_under(dem, rings, UTM, mode="median")


def test_empty_table_empty_polygon_and_broken_numbers(tmp_path):
    dem = open_dem([plane_dem(tmp_path / "a.tif", AFFINES["north up"])])
    heights, findings = ground_under(dem, polygons(), UTM)
    assert len(heights.low) == 0
    assert findings == []
    good = box(14, 9, 5, 5)
    rings = polygons(good, good, good)
    coords = rings.coords.copy()
    coords[5, 0] = np.nan
    offsets = np.array([0, 4, 8, 12], dtype=np.int64)
    broken = Rings(coords, offsets, np.array([0, 1, 2, 2, 3], dtype=np.int64))  # footprint 2 has no ring
    before = coords.copy()
    heights, findings = ground_under(dem, broken, UTM)
    assert codes(findings) == {"ground_missing": [1, 2]}
    assert heights.low[[0, 3]].tolist() == [ground_under(dem, polygons(good), UTM)[0].low[0]] * 2
    assert np.array_equal(coords, before, equal_nan=True)


# several rasters


def test_surface_runs_over_the_seam_of_two_sheets(tmp_path):
    west = plane_dem(tmp_path / "w.tif", from_origin(X0, Y0, 1, 1), (40, 40))
    east = plane_dem(tmp_path / "e.tif", from_origin(X0 + 40, Y0, 1, 1), (40, 40))
    rings = polygons(box(30, 10, 20.2, 10))
    for order in ([west, east], [east, west]):
        heights, findings = ground_under(open_dem(order), rings, UTM)
        z = plane(*shapely.get_coordinates(box(30, 10, 20.2, 10)).T)
        assert (heights.low[0], heights.high[0]) == pytest.approx((z.min(), z.max()), abs=1e-9)
        assert findings == []


def test_earlier_raster_wins_and_later_ones_fill(tmp_path):
    z = np.full((60, 60), 10.0)
    z[:, 30:] = np.nan
    first = write_dem(tmp_path / "a.tif", z, nodata=np.nan)
    same = write_dem(tmp_path / "b.tif", np.full((60, 60), 20.0))
    coarse = write_dem(tmp_path / "c.tif", np.full((40, 40), 20.0), from_origin(X0 - 51, Y0 + 53, 5, 5))
    degrees = from_origin(*(project(np.array([[X0 - 500, Y0 + 500]]), UTM, "EPSG:4326")[0]), 1e-4, 1e-4)
    lonlat = write_dem(tmp_path / "d.tif", np.full((200, 200), 20.0), degrees, crs="EPSG:4326")
    rings = polygons(box(5, 5, 10, 10), box(25, 25, 10, 10), box(45, 45, 10, 10))
    for second in (same, coarse, lonlat):
        heights, findings = ground_under(open_dem([first, second]), rings, UTM)
        assert heights.low.tolist() == [10.0, 10.0, 20.0]
        assert heights.high.tolist() == [10.0, 20.0, 20.0]
        assert findings == []
        heights, _ = ground_under(open_dem([second, first]), rings, UTM)
        assert heights.low.tolist() == [20.0] * 3


def test_a_fine_raster_behind_a_coarse_one_keeps_its_detail(tmp_path):
    coarse = write_dem(tmp_path / "a.tif", np.full((10, 10), 10.0), from_origin(X0, Y0, 5, 5))
    z = np.full((50, 50), 20.0)
    z[25, 25] = 3.0
    fine = write_dem(tmp_path / "b.tif", z, from_origin(X0 + 100.3, Y0, 1, 1))
    heights, _ = ground_under(open_dem([coarse, fine]), polygons(box(115, 15, 20, 20)), UTM)
    assert heights.low[0] == 3.0


# independence of the other footprints, and windows


@pytest.fixture(scope="module")
def rough(tmp_path_factory) -> Path:
    """A rough DEM of 2,600 cells square with voids, and a coarse one behind it in another CRS."""
    folder = tmp_path_factory.mktemp("rough")
    rng = np.random.default_rng(5)
    z = rng.normal(100.0, 3.0, (2600, 2600)).astype(np.float32)
    for row, column, size in rng.integers(0, (2500, 2500, 90), (120, 3)):
        z[row : row + size, column : column + size] = np.nan
    options = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    turned = Affine.translation(X0, Y0) @ Affine.rotation(-11.0) @ Affine.scale(0.5, -0.5)
    write_dem(folder / "a.tif", z, turned, **options)
    corner = project(np.array([[X0 - 200, Y0 + 400]]), UTM, "EPSG:4326")[0]
    z = rng.normal(100.0, 3.0, (200, 300)).astype(np.float32)
    z[40:120, 100:] = np.nan
    write_dem(folder / "b.tif", z, from_origin(*corner, 1e-4, 1e-4), crs="EPSG:4326")
    return folder


def town(n: int, seed: int) -> list[shapely.Polygon]:
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        width, height = rng.uniform(2, 40, 2)
        shape = box(*rng.uniform(20, 1200, 2), width, height)
        if rng.random() < 0.3:
            shape = shape.difference(shape.buffer(-0.3 * min(width, height)))
        out.append(shapely.affinity.rotate(shape, rng.uniform(0, 90)))
    return [*out, box(30, 10, 1100, 9), box(200, 100, 520, 340)]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(2, 9))
def test_splitting_the_footprints_changes_no_bit(rough, seed, parts):
    dem = open_dem([rough / "a.tif", rough / "b.tif"])
    shapes = np.array(town(120, 3), dtype=object)
    whole, findings = ground_under(dem, from_polygons(shapes), UTM)
    verdict = {(f.code, int(row), f.details[k]) for f in findings for k, row in enumerate(f.rows)}
    assert {f.code for f in findings} >= {"ground_partial", "ground_from_nearest"}
    part_of = np.random.default_rng(seed).integers(0, parts, len(shapes))
    part_verdict = set()
    for part in range(parts):
        rows = np.flatnonzero(part_of == part)
        if len(rows) == 0:
            continue
        heights, findings = ground_under(dem, from_polygons(shapes[rows]), UTM)
        for name in ("low", "high", "mean"):
            assert getattr(heights, name).tobytes() == getattr(whole, name)[rows].tobytes()
        part_verdict |= {(f.code, int(rows[row]), f.details[k]) for f in findings for k, row in enumerate(f.rows)}
    assert part_verdict == verdict


def test_windows_and_strips_change_no_bit(rough, monkeypatch):
    dem = open_dem([rough / "a.tif", rough / "b.tif"])
    rings = from_polygons(np.array(town(40, 4), dtype=object))
    whole, findings = ground_under(dem, rings, UTM)
    import citygen.ground.windows as windows

    monkeypatch.setattr(windows, "MAX_CELLS", 30_000)
    cut, cut_findings = ground_under(dem, rings, UTM)
    assert whole.low.tobytes() == cut.low.tobytes()
    assert whole.high.tobytes() == cut.high.tobytes()
    assert whole.mean == pytest.approx(cut.mean, abs=1e-9)  # sums of strips that are narrower than any real ones
    assert codes(findings) == codes(cut_findings)
