"""Opening rasters as a DEM: what is taken, what is refused and in which words, units, CRS, and how much is covered."""

import contextlib
import pickle
import socket
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj.transformer import TransformerGroup
from rasterio.crs import CRS
from rasterio.transform import Affine, from_origin

from citygen.errors import ConfigError, CoverageError, InputError, MissingCRSError
from citygen.ground.cover import covers, require_cover
from citygen.ground.dem import open_dem
from citygen.ground.layers import from_pixels, layers_of, to_pixels
from citygen.ground.points import heights_at

UTM = "EPSG:25833"
X0, Y0 = 400_000.0, 5_800_000.0


def write_dem(path: Path, z: np.ndarray, *, crs: str | None = UTM, transform: Affine | None = None, **options) -> Path:
    band = {key: options.pop(key) for key in ("units", "tags", "scales", "offsets", "mask") if key in options}
    transform = from_origin(X0, Y0, 1.0, 1.0) if transform is None else transform
    profile = {"driver": "GTiff", "width": z.shape[1], "height": z.shape[0], "count": 1, "dtype": z.dtype.name}
    with rasterio.open(path, "w", **{**profile, "crs": crs, "transform": transform, **options}) as file:
        for k in range(file.count):
            file.write(z + k, k + 1)
        if "tags" in band:
            file.update_tags(**band["tags"])
        for key in ("units", "scales", "offsets"):
            if key in band:
                setattr(file, key, band[key])
        if "mask" in band:
            file.write_mask(band["mask"])
    return path


def hilly(rows: int = 20, columns: int = 30) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns]
    return (10.0 + 0.1 * x + 0.2 * y).astype(np.float32)


def centre(x: float, y: float) -> np.ndarray:
    return np.array([[X0 + x, Y0 - y]])


def test_description_is_small_frozen_and_picklable(tmp_path):
    path = write_dem(tmp_path / "a.tif", hilly(), nodata=-9999.0)
    dem = open_dem([path])
    raster = dem.rasters[0]
    assert raster.bounds == (X0, Y0 - 20, X0 + 30, Y0)
    assert raster.resolution == (1.0, 1.0)
    assert (raster.nodata, raster.unit, raster.scale, raster.offset) == (-9999.0, "m", 1.0, 0.0)
    assert (raster.width, raster.height, raster.driver) == (30, 20, "GTiff")
    assert pickle.loads(pickle.dumps(dem)) == dem
    with pytest.raises(AttributeError):
        raster.path = "other"
    assert heights_at(pickle.loads(pickle.dumps(dem)), centre(3.5, 2.5), UTM)[0] == pytest.approx(10.7, abs=1e-6)


def test_nothing_is_written_beside_the_inputs(tmp_path):
    paths = [write_dem(tmp_path / "a.tif", hilly(), nodata=-1.0), tmp_path / "b.asc"]
    paths[1].write_text("ncols 3\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\nNODATA_value -9999\n1 2 3\n4 5 6\n")
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    dem = open_dem(paths, crs=UTM)
    heights_at(dem, np.array([[1.0, 1.0]]), UTM)
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == before


VRT = (
    '<VRTDataset rasterXSize="2" rasterYSize="2"><SRS>EPSG:25833</SRS>'
    "<GeoTransform>0,1,0,0,0,-1</GeoTransform><VRTRasterBand dataType='Float32' band='1'><SimpleSource>"
    '<SourceFilename relativeToVRT="0">/vsicurl/http://127.0.0.1:{port}/dem.tif</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
)


@pytest.mark.parametrize("name", ["a.tif", "a.vrt", "N43E007.hgt", "a.asc"])
def test_vrt_is_refused_under_any_name_and_nothing_is_fetched(tmp_path, name):
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)

        def listen() -> None:
            with contextlib.suppress(TimeoutError):
                calls.append(server.accept())

        listener = threading.Thread(target=listen)
        listener.start()
        path = tmp_path / name
        path.write_text("<!-- x -->\n" + VRT.format(port=server.getsockname()[1]))
        with pytest.raises(InputError, match=r"VRT") as error:
            open_dem([path])
        listener.join()
    assert str(path) in str(error.value)
    assert calls == []


@pytest.mark.parametrize(
    "path",
    [
        "https://example.org/dem.tif",
        "s3://bucket/dem.tif",
        "/vsicurl/https://example.org/dem.tif",
        "/vsizip/a.zip/d.tif",
    ],
)
def test_links_and_virtual_paths_are_refused(path):
    with pytest.raises(InputError, match="local file") as error:
        open_dem([path])
    assert path in str(error.value)


def one_line_naming(error: pytest.ExceptionInfo, path: Path) -> bool:
    return str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.tif", b"this is not a tiff", "not a raster"),
        ("empty.tif", b"", "not a raster"),
        ("png.tif", b"\x89PNG\r\n\x1a\n" + bytes(64), "not a raster"),
        ("header-only.tif", b"II*\x00\x08\x00\x00\x00", "damaged"),
        ("N43E007.hgt", bytes(1000), "is it whole"),
        ("short.asc", b"ncols 3\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3\n4", "damaged|cut short"),
        ("odd.asc", b"ncols three\nnrows 2\n", "damaged"),
    ],
)
def test_what_is_no_whole_raster_is_refused_in_one_line(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        open_dem([path], crs=UTM)
    assert one_line_naming(error, path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file") as error:
        open_dem([tmp_path / "none.tif"])
    assert one_line_naming(error, tmp_path / "none.tif")
    with pytest.raises(InputError, match="holds no rasters"):
        open_dem([tmp_path])
    with pytest.raises(ConfigError):
        open_dem([])


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("share", [0.35, 0.67, 0.99])
def test_cut_tiff_is_refused_at_once(tmp_path, tiled, share):
    noise = np.random.default_rng(1).random((256, 256)).astype(np.float32)
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64} if tiled else {}
    whole = write_dem(tmp_path / "whole.tif", noise, compress="deflate", **tiles).read_bytes()
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole[: int(len(whole) * share)])
    open_dem([tmp_path / "whole.tif"])
    with pytest.raises(InputError, match=r"cut short|damaged") as error:
        open_dem([cut])
    assert one_line_naming(error, cut)


def test_damage_inside_is_an_input_error_when_it_is_read(tmp_path):
    noise = np.random.default_rng(1).random((256, 256)).astype(np.float32)
    path = write_dem(tmp_path / "a.tif", noise, compress="deflate")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(content)
    dem = open_dem([path])
    xy = np.column_stack([np.full(256, X0 + 100), Y0 - np.arange(256.0)])
    with pytest.raises(InputError, match="damaged") as error:
        heights_at(dem, xy, UTM)
    assert one_line_naming(error, path)


def test_missing_crs_names_the_option(tmp_path):
    path = write_dem(tmp_path / "a.tif", hilly(), crs=None)
    with pytest.raises(MissingCRSError, match="--dem-crs") as error:
        open_dem([path])
    assert one_line_naming(error, path)
    dem = open_dem([path], crs=UTM)
    assert heights_at(dem, centre(3.5, 2.5), UTM)[0] == pytest.approx(10.7, abs=1e-6)
    with pytest.raises(ConfigError, match="EPSG:0"):
        open_dem([path], crs="EPSG:0")


def test_given_crs_replaces_the_files_with_a_warning(tmp_path, caplog):
    path = write_dem(tmp_path / "a.tif", hilly(), crs="EPSG:25832")
    dem = open_dem([path], crs=UTM)
    assert "UTM zone 33N" in dem.rasters[0].crs
    assert "--dem-crs" in caplog.text


def test_local_crs_is_no_crs_and_missing_geotransform_is_told(tmp_path):
    local = CRS.from_wkt('LOCAL_CS["unnamed",UNIT["metre",1]]')
    with pytest.raises(MissingCRSError):
        open_dem([write_dem(tmp_path / "local.tif", hilly(), crs=local)])
    path = write_dem(tmp_path / "bare.tif", hilly(), transform=Affine.identity())
    with pytest.raises(InputError, match="no geotransform"):
        open_dem([path])
    (tmp_path / "bare.tfw").write_text(f"1.0\n0.0\n0.0\n-1.0\n{X0 + 0.5}\n{Y0 - 0.5}\n")
    assert heights_at(open_dem([path]), centre(3.5, 2.5), UTM)[0] == pytest.approx(10.7, abs=1e-6)
    (tmp_path / "bare.tfw").write_text("1.0\n")
    with pytest.raises(InputError, match=r"bare\.tfw"):
        open_dem([path])


def test_ascii_grid_takes_the_crs_of_its_prj(tmp_path):
    path = tmp_path / "a.asc"
    path.write_text("NCOLS 3\nNROWS 2\nXLLCENTER 10\nYLLCENTER 20\nCELLSIZE 2\nNODATA_value -9999\n1 2 3\n4 5 -9999\n")
    with pytest.raises(MissingCRSError):
        open_dem([path])
    (tmp_path / "a.prj").write_text(CRS.from_string(UTM).to_wkt(version="WKT1_ESRI"))
    dem = open_dem([path])
    assert dem.rasters[0].driver == "AAIGrid"
    at = np.array([[10.0, 22.0], [11.0, 21.0], [14.0, 20.0]])
    assert heights_at(dem, at, UTM) == pytest.approx([1.0, 3.0, np.nan], nan_ok=True)


def test_srtm_by_content_and_name(tmp_path):
    z = np.full((1201, 1201), 77, dtype=">i2")
    z[0, 0], z[600, 600] = 500, -32768
    (tmp_path / "N43E007.hgt").write_bytes(z.tobytes())
    dem = open_dem([tmp_path / "N43E007.hgt"])
    assert dem.rasters[0].driver == "SRTMHGT"
    assert dem.rasters[0].bounds == pytest.approx((7 - 1 / 2400, 43 - 1 / 2400, 8 + 1 / 2400, 44 + 1 / 2400))
    corners = np.array([[7.0, 44.0], [7.9, 43.1], [7.5, 43.5]])
    assert heights_at(dem, corners, "EPSG:4326") == pytest.approx([500.0, 77.0, np.nan], nan_ok=True)


FOOT, SURVEY = 0.3048, 1200 / 3937


@pytest.mark.parametrize(
    ("options", "metres"),
    [
        ({"units": ("ft",)}, FOOT),
        ({"units": ("US survey foot",)}, SURVEY),
        ({"units": ("metre",)}, 1.0),
        ({"tags": {"UNITS": "ft"}}, FOOT),
        ({"tags": {"UNITTYPE": "us-ft"}}, SURVEY),
        ({"tags": {"UNITS": "degrees"}}, 1.0),
        ({"crs": "EPSG:25833+6360"}, SURVEY),
        ({"crs": "EPSG:25833+5703"}, 1.0),
        ({"units": ("cm",)}, 0.01),
    ],
)
def test_unit_is_honoured_and_noted(tmp_path, options, metres):
    dem = open_dem([write_dem(tmp_path / "a.tif", hilly(), **options)])
    assert heights_at(dem, centre(3.5, 2.5), UTM)[0] == pytest.approx(10.7 * metres, rel=1e-6)
    assert bool(dem.notes) == (metres != 1.0)
    if metres != 1.0:
        assert dem.notes[0].startswith("a.tif: heights in ")


def test_given_unit_wins_and_unknown_ones_are_refused(tmp_path):
    path = write_dem(tmp_path / "a.tif", hilly(), units=("ft",))
    assert heights_at(open_dem([path], unit="m"), centre(3.5, 2.5), UTM)[0] == pytest.approx(10.7, rel=1e-6)
    with pytest.raises(ConfigError, match="furlong"):
        open_dem([path], unit="furlong")
    with pytest.raises(InputError, match="kelvin"):
        open_dem([write_dem(tmp_path / "b.tif", hilly(), units=("kelvin",))])


def test_scale_offset_and_raw_void_of_a_scaled_band(tmp_path):
    raw = np.full((4, 4), 1200, dtype=np.int16)
    raw[3, 3] = -9999  # -99.99 m after scaling: still void
    dem = open_dem([write_dem(tmp_path / "a.tif", raw, scales=(0.01,), offsets=(100.0,))])
    at = np.vstack([centre(0.5, 0.5), centre(3.5, 3.5)])
    assert heights_at(dem, at, UTM) == pytest.approx([112.0, np.nan], nan_ok=True)


def test_mask_of_the_file_is_void(tmp_path):
    mask = np.full((4, 4), 255, dtype=np.uint8)
    mask[0, 0] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write_dem(tmp_path / "a.tif", np.full((4, 4), 5, dtype=np.uint8), mask=mask)
    at = np.vstack([centre(0.5, 0.5), centre(2.5, 2.5)])
    assert heights_at(open_dem([path]), at, UTM) == pytest.approx([np.nan, 5.0], nan_ok=True)


def test_first_of_many_bands_with_a_warning(tmp_path, caplog):
    dem = open_dem([write_dem(tmp_path / "a.tif", hilly(), count=3)])
    assert "3 bands" in caplog.text
    assert "3 bands" in dem.notes[0]
    assert heights_at(dem, centre(3.5, 2.5), UTM)[0] == pytest.approx(10.7, abs=1e-6)


def test_complex_cells_are_refused(tmp_path):
    with pytest.raises(InputError, match="complex"):
        open_dem([write_dem(tmp_path / "a.tif", np.zeros((4, 4), np.complex64))])


def test_big_tiff_magic(tmp_path):
    path = write_dem(tmp_path / "a.tif", hilly(), BIGTIFF="YES")
    assert struct.unpack("<2sH", path.read_bytes()[:4]) == (b"II", 43)
    assert open_dem([path]).rasters[0].driver == "GTiff"


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326", "EPSG:3857"])
@pytest.mark.parametrize("angle", [0.0, 17.0, 180.0])
def test_pixels_and_back(tmp_path, crs, angle):
    dem = open_dem(
        [write_dem(tmp_path / "a.tif", hilly(), transform=from_origin(X0, Y0, 2, 3) @ Affine.rotation(angle))]
    )
    layer = layers_of(dem)[0]
    positions = np.random.default_rng(0).uniform(-5, 40, (50, 2))
    assert to_pixels(layer, from_pixels(layer, positions, crs), crs) == pytest.approx(positions, abs=1e-5)


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_covers(tmp_path, crs):
    west = write_dem(tmp_path / "w.tif", hilly())
    east = write_dem(tmp_path / "e.tif", hilly(), transform=from_origin(X0 + 30, Y0, 1, 1))
    boxes = {
        "inside": (X0 + 2, Y0 - 18, X0 + 28, Y0 - 2),
        "over": (X0 + 2, Y0 - 18, X0 + 50, Y0 - 2),
        "away": (X0 + 100, Y0 - 18, X0 + 120, Y0 - 2),
        "far": (X0 + 9e6, Y0 - 18, X0 + 9e6 + 10, Y0 - 2),
        "touching": (X0 + 60, Y0 - 18, X0 + 70, Y0 - 2),
    }

    def found(dem, name):
        bounds = boxes[name]
        if crs != UTM and name != "far":
            from rasterio.warp import transform_bounds

            bounds = transform_bounds(UTM, crs, *bounds)
        return covers(dem, bounds, crs)

    one, two = open_dem([west]), open_dem([west, east])
    assert [found(one, name) for name in ("inside", "over", "away", "far")] == ["all", "part", "none", "none"]
    assert [found(two, name) for name in ("inside", "over", "away")] == ["all", "all", "none"]
    if crs == UTM:
        assert found(two, "touching") == "none"


def test_covers_over_two_lattices(tmp_path):
    west = write_dem(tmp_path / "w.tif", hilly())
    east = write_dem(tmp_path / "e.tif", hilly(), transform=from_origin(X0 + 29.3, Y0, 1, 1))
    dem = open_dem([west, east])
    assert len(layers_of(dem)) == 2
    assert covers(dem, (X0 + 2, Y0 - 18, X0 + 50, Y0 - 2), UTM) == "all"
    assert covers(dem, (X0 + 2, Y0 - 18, X0 + 60, Y0 - 2), UTM) == "part"


def test_no_cover_shows_both_extents(tmp_path, caplog):
    dem = open_dem([write_dem(tmp_path / "a.tif", hilly())])
    with pytest.raises(CoverageError) as error:
        require_cover(dem, (13.0, 52.0, 13.1, 52.1), "EPSG:4326")
    text = str(error.value)
    assert "13, 52, 13.1, 52.1" in text
    assert "400000.0, 5799980.0, 400030.0, 5800000.0" in text
    assert "EPSG:25833" in text
    assert "a.tif" in text
    assert require_cover(dem, (X0 + 2, Y0 - 18, X0 + 50, Y0 - 2), UTM) == "part"
    assert "part of the area" in caplog.text


def test_a_missing_shift_grid_is_logged(tmp_path, caplog):
    corner = from_origin(500_000, 4_500_000, 1, 1)
    dem = open_dem([write_dem(tmp_path / "a.tif", hilly(), crs="EPSG:26717", transform=corner)])
    found = TransformerGroup("EPSG:26717", "EPSG:26917", always_xy=True)
    require_cover(dem, (499_000, 4_499_000, 501_000, 4_501_000), "EPSG:26917")
    assert ("a better one needs" in caplog.text) == (not found.best_available)


def test_layers_join_only_coinciding_cells(tmp_path):
    first = write_dem(tmp_path / "a.tif", hilly())
    joined = write_dem(tmp_path / "b.tif", hilly(), transform=from_origin(X0 - 30, Y0 + 20, 1, 1))
    shifted = write_dem(tmp_path / "c.tif", hilly(), transform=from_origin(X0 + 30.5, Y0, 1, 1))
    coarse = write_dem(tmp_path / "d.tif", hilly(), transform=from_origin(X0, Y0, 2, 2))
    layers = layers_of(open_dem([first, joined, shifted, coarse]))
    assert [len(layer.rasters) for layer in layers] == [2, 1, 1]
    assert layers[0].origins == ((0, 0), (-30, -20))
    assert layers[0].extent() == (-30, -20, 30, 20)
