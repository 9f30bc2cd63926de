"""Remote GeoTIFFs read in ranges: which bytes are asked for, that cells stay what they are, and what is fetched whole."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from bucket import Bucket, serving
from citygen.errors import CoverageError, InputError
from citygen.ground.dem import open_dem
from citygen.ground.points import heights_at
from citygen.ground.remote import fetch_dems
from citygen.remote.access import Access
from citygen.remote.http import RemoteError

UTM = "EPSG:32632"
X0, Y0, N = 500_000.0, 5_300_000.0, 3000
"""A DEM of 3 km square in 1 m cells."""


def write_cog(path: Path, *, driver: str = "COG", overviews: bool = True, **options) -> np.ndarray:
    y, x = np.mgrid[0:N, 0:N]
    noise = np.random.default_rng(0).random((N, N), dtype=np.float32)  # so that it does not compress
    z = (500.0 + 0.1 * x - 0.05 * y + noise).astype(np.float32)
    form = {"width": N, "height": N, "count": 1, "dtype": "float32", "crs": UTM, "transform": from_origin(X0, Y0, 1, 1)}
    kind = (
        {"driver": "COG", "blocksize": 256, "compress": "deflate", "overviews": "AUTO"}
        if driver == "COG"
        else {
            "driver": "GTiff",
            **options,
        }
    )
    with rasterio.open(path, "w", **form, **kind, nodata=-9999.0) as file:
        file.write(z, 1)
        file.update_tags(1, note="kept")
    if driver != "COG" and overviews:
        with rasterio.open(path, "r+") as file:
            file.build_overviews([2, 4], Resampling.average)
    return z


def box(x: float, y: float, size: float) -> tuple[float, float, float, float]:
    to = pyproj.Transformer.from_crs(UTM, "OGC:CRS84", always_xy=True)
    return to.transform_bounds(X0 + x, Y0 - y - size, X0 + x + size, Y0 - y)


def nothing_else_was_asked(bucket: Bucket, *names: str) -> bool:
    return {path for _, path in bucket.requests} <= {f"/{name}" for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("cog")
    write_cog(made / "dem.tif")
    write_cog(made / "striped.tif", driver="GTiff", overviews=False)
    (made / "dem.asc").write_text("ncols 3\nnrows 2\nxllcorner 500000\nyllcorner 5299000\ncellsize 400\n1 2 3\n4 5 6\n")
    return made


@pytest.fixture
def bucket(folder):
    with serving(folder) as found:
        yield found


@pytest.fixture
def access(tmp_path) -> Access:
    return Access(cache=tmp_path / "cache", wait_s=0.01)


@pytest.mark.parametrize("name", ["dem.tif", "striped.tif"])
def test_only_the_window_comes_and_its_cells_are_those_of_the_file(bucket, access, folder, name):
    size = (folder / name).stat().st_size
    paths, origins = fetch_dems([f"{bucket.url}/{name}"], [box(1500, 1200, 150)], access)
    share = 0.08 if name == "dem.tif" else 0.25  # strips run across the whole raster
    assert 0 < bucket.served < share * size, bucket.served / size
    assert len(bucket.requests) <= 12
    assert nothing_else_was_asked(bucket, name)
    assert origins[0].url.endswith(name)
    dem = open_dem(paths)
    xy = np.random.default_rng(1).uniform([X0 + 1500, Y0 - 1350], [X0 + 1650, Y0 - 1200], (500, 2))
    whole = open_dem([folder / name])
    assert np.array_equal(heights_at(dem, xy, UTM), heights_at(whole, xy, UTM))
    assert dem.rasters[0].nodata == -9999.0
    with rasterio.open(paths[0]) as file:
        assert file.tags(1)["note"] == "kept"


def test_what_is_here_is_not_asked_for_again(bucket, access):
    url = f"{bucket.url}/dem.tif"
    first, _ = fetch_dems([url], [box(1500, 1200, 150)], access)
    before = Path(first[0]).read_bytes()
    bucket.reset()
    again, _ = fetch_dems([url], [box(1500, 1200, 150)], access)
    assert again == first
    assert bucket.served < 200_000  # its header, to see which cells are meant
    Path(first[0]).unlink()
    fetch_dems([url], [box(1500, 1200, 150)], access)
    assert Path(first[0]).read_bytes() == before


def test_a_silent_server_leaves_the_copy_in_the_cache(folder, access, caplog):
    with serving(folder) as bucket:
        url = f"{bucket.url}/dem.tif"
        first, _ = fetch_dems([url], [box(1500, 1200, 150)], access)
    assert fetch_dems([url], [box(1500, 1200, 150)], access)[0] == first
    assert "copy in the cache" in caplog.text
    with pytest.raises(RemoteError):
        fetch_dems([url], [box(100, 100, 150)], access)


def test_the_right_overview_is_read(bucket, folder, tmp_path):
    access = Access(cache=tmp_path / "cache", wait_s=0.01, finest_m=4.5)
    paths, _ = fetch_dems([f"{bucket.url}/dem.tif"], [box(200, 200, 2500)], access)
    served = bucket.served
    assert served < 0.12 * (folder / "dem.tif").stat().st_size
    dem = open_dem(paths)
    assert dem.rasters[0].resolution == pytest.approx((4.0, 4.0), rel=1e-3)
    xy = np.random.default_rng(1).uniform([X0 + 300, Y0 - 2600], [X0 + 2600, Y0 - 300], (500, 2))
    plane = 500.5 + 0.1 * (xy[:, 0] - X0 - 0.5) - 0.05 * (Y0 - xy[:, 1] - 0.5)
    assert np.abs(heights_at(dem, xy, UTM) - plane).max() < 1.2
    bucket.reset()
    full, _ = fetch_dems([f"{bucket.url}/dem.tif"], [box(200, 200, 2500)], Access(cache=tmp_path / "cache"))
    assert bucket.served > 8 * served
    assert open_dem(full).rasters[0].resolution == (1.0, 1.0)


def test_busy_server_is_asked_again(bucket, access):
    bucket.fail_first = 2
    paths, _ = fetch_dems([f"{bucket.url}/dem.tif"], [box(1500, 1200, 150)], access)
    assert open_dem(paths).rasters[0].resolution == (1.0, 1.0)


def test_server_without_ranges_and_other_formats_are_fetched_whole(bucket, access, folder):
    bucket.ranges = False
    paths, _ = fetch_dems([f"{bucket.url}/dem.tif"], [box(1500, 1200, 150)], access)
    assert Path(paths[0]).read_bytes() == (folder / "dem.tif").read_bytes()
    bucket.ranges = True
    paths, _ = fetch_dems([f"{bucket.url}/dem.asc"], [box(500, 500, 150)], access)
    assert Path(paths[0]).read_bytes() == (folder / "dem.asc").read_bytes()
    paths, _ = fetch_dems([f"{bucket.url}/striped.tif"], [], access)  # nobody knows the area
    assert Path(paths[0]).read_bytes() == (folder / "striped.tif").read_bytes()


def test_area_elsewhere_shows_both_extents(bucket, access):
    with pytest.raises(CoverageError, match=r"2\.0000, 48\.0000.*EPSG:32632"):
        fetch_dems([f"{bucket.url}/dem.tif"], [(2.0, 48.0, 2.1, 48.1)], access)
    assert not list(access.folder.rglob("*.tif"))


def test_cut_answers_leave_nothing_behind(bucket, access):
    bucket.cut = "dem.tif"
    with pytest.raises(InputError):
        fetch_dems([f"{bucket.url}/dem.tif"], [box(1500, 1200, 150)], access)
    assert not list(access.folder.rglob("*.tif"))


def test_voids_scale_unit_and_mask_travel_along(tmp_path, access):
    made = tmp_path / "odd"
    made.mkdir()
    z = np.full((600, 600), 1000, dtype=np.int16)
    z[100:200] = -32768
    mask = np.full(z.shape, 255, dtype=np.uint8)
    mask[300:310] = 0
    form = {"driver": "GTiff", "width": 600, "height": 600, "count": 1, "dtype": "int16", "crs": UTM}
    form |= {"tiled": True, "blockxsize": 128, "blockysize": 128, "transform": from_origin(X0, Y0, 1, 1)}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(made / "odd.tif", "w", **form) as file:
        file.write(z, 1)
        file.scales, file.offsets, file.units = (0.1,), (5.0,), ("ft",)
        file.write_mask(mask)
    xy = np.column_stack([np.full(600, X0 + 250.5), Y0 - 0.5 - np.arange(600)])
    with serving(made) as bucket:
        paths, _ = fetch_dems([f"{bucket.url}/odd.tif"], [box(200, 20, 500)], access)
    ours, theirs = (heights_at(open_dem(p), xy, UTM) for p in (paths, [made / "odd.tif"]))
    assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.isnan(ours[150])
    assert np.isnan(ours[305])
    assert ours[50] == pytest.approx(105 * 0.3048)


def test_of_a_copernicus_tile_only_blocks_come(tmp_path, access):
    name = "Copernicus_DSM_COG_10_N48_00_E011_00_DEM"
    (tmp_path / "tiles" / name).mkdir(parents=True)
    z = np.random.default_rng(0).random((2400, 2400), dtype=np.float32)
    half = 0.5 / 2400
    form = {"width": 2400, "height": 2400, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    place = {"transform": from_origin(11 - half, 49 + half, 1 / 2400, 1 / 2400)}
    path = tmp_path / "tiles" / name / f"{name}.tif"
    with rasterio.open(path, "w", driver="COG", blocksize=512, compress="deflate", **form, **place) as file:
        file.write(z, 1)
    with serving(tmp_path / "tiles") as bucket:
        access = Access(cache=tmp_path / "cache", copernicus_url=bucket.url, wait_s=0.01)
        area = [(11.5, 48.5, 11.51, 48.51)]
        paths, _ = fetch_dems(["copernicus-glo30"], area, access)
        assert bucket.served < 0.15 * path.stat().st_size
        bucket.reset()
        assert fetch_dems(["copernicus-glo30"], area, access)[0] == paths
        assert bucket.requests == []
    places = np.random.default_rng(1).uniform([11.5, 48.5], [11.51, 48.51], (300, 2))
    ours, whole = (heights_at(open_dem(p), places, "EPSG:4326") for p in (paths, [path]))
    assert np.abs(ours - whole).max() < 1e-6  # degrees are counted from another corner
