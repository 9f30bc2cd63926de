"""What a DEM may be made of: zipped tiles, folders, VRTs; and the surface between cells: cubic, filled, feathered, coarser."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from citygen.errors import InputError
from citygen.geom.resample import depth, feather, fill_voids, heights_cubic, refine
from citygen.ground.dem import Reading, open_dem
from citygen.ground.layers import layers_of
from citygen.ground.points import heights_at, window
from citygen.ground.surface import check_surface
from citygen.ground.under import ground_under
from citygen.model.rings import from_polygons

UTM = "EPSG:25833"
X0, Y0 = 400_000.0, 5_800_000.0


def write(
    path: Path, z: np.ndarray, x: float = 0.0, y: float = 0.0, cell: float = 1.0, crs: str | None = UTM, **options
) -> Path:
    """Write a raster whose first corner lies x to the east and y to the south of the origin."""
    form = {"driver": "GTiff", "width": z.shape[1], "height": z.shape[0], "count": 1, "dtype": z.dtype.name, "crs": crs}
    with rasterio.open(path, "w", **{**form, "transform": from_origin(X0 + x, Y0 - y, cell, cell), **options}) as file:
        file.write(z, 1)
    return path


def at(x, y) -> np.ndarray:
    return np.column_stack([X0 + np.asarray(x, float), Y0 - np.asarray(y, float)])


def hills(rows: int, columns: int, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    j, i = np.meshgrid(np.arange(columns) + x + 0.5, np.arange(rows) + y + 0.5)
    return (100 + 5 * np.sin(j / 9) + 4 * np.cos(i / 7)).astype(np.float32)


# --- SRTM ----------------------------------------------------------------------------------------------------------------


def hgt(west: int, south: int) -> bytes:
    """Return a tile of SRTM-3 whose heights are a function of the place, so that neighbours agree on their border."""
    lon, lat = np.meshgrid(west + np.arange(1201) / 1200, south + 1 - np.arange(1201) / 1200)
    z = np.round(500 + 300 * np.sin(3 * lon) + 200 * np.cos(5 * lat))
    z[100:103, 100:103] = -32768
    return z.astype(">i2").tobytes()


def test_zipped_tile_is_the_tile(tmp_path):
    (tmp_path / "N43E007.hgt").write_bytes(hgt(7, 43))
    with zipfile.ZipFile(tmp_path / "N43E007.SRTMGL3.hgt.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "N43E007.hgt", "N43E007.hgt")
    plain, zipped = open_dem([tmp_path / "N43E007.hgt"]), open_dem([tmp_path / "N43E007.SRTMGL3.hgt.zip"])
    assert zipped.rasters[0].transform == plain.rasters[0].transform
    places = np.random.default_rng(0).uniform([7, 43], [8, 44], (2000, 2))
    found = heights_at(zipped, places, "EPSG:4326")
    assert np.array_equal(found, heights_at(plain, places, "EPSG:4326"), equal_nan=True)
    assert np.isfinite(found).sum() > 1990
    assert {path.name for path in tmp_path.iterdir()} == {"N43E007.hgt", "N43E007.SRTMGL3.hgt.zip"}


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


TILE = bytes(2 * 1201 * 1201)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"readme.txt": b"x"}, "0 SRTM"),
        ({"N43E007.hgt": TILE, "N43E008.hgt": TILE}, "2 SRTM"),
        ({"N43E007.hgt": bytes(1000)}, "1000 bytes"),
        ({"N43E007.hgt": bytes(200 << 20)}, "209715200 bytes"),
    ],
)
def test_archives_that_hold_anything_else_are_refused(tmp_path, members, words):
    with pytest.raises(InputError, match=words):
        open_dem([archive(tmp_path / "N43E007.hgt.zip", members)])


def test_member_s_name_is_no_path(tmp_path):
    dem = open_dem([archive(tmp_path / "a.zip", {"../../N43E007.hgt": TILE, "readme.txt": b"x"})])
    assert heights_at(dem, np.array([[7.5, 43.5]]), "EPSG:4326")[0] == 0.0
    assert [path.name for path in tmp_path.parent.iterdir() if path.suffix == ".hgt"] == []


def test_archive_that_lies_about_its_size_is_refused(tmp_path):
    path = archive(tmp_path / "N43E007.hgt.zip", {"N43E007.hgt": TILE + bytes(4000)})
    data = bytearray(path.read_bytes())
    true, told = (len(TILE) + 4000).to_bytes(4, "little"), len(TILE).to_bytes(4, "little")
    path.write_bytes(bytes(data).replace(true, told))
    with pytest.raises(InputError, match="zip archive"):
        heights_at(open_dem([path]), np.array([[7.5, 43.5]]), "EPSG:4326")


@pytest.mark.parametrize("cut", [200, 2000])
def test_cut_archive_is_refused(tmp_path, cut):
    path = archive(tmp_path / "N43E007.hgt.zip", {"N43E007.hgt": np.random.default_rng(0).bytes(len(TILE))})
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InputError, match="zip archive"):
        open_dem([path])


@pytest.mark.parametrize("sampling", ["bilinear", "cubic"])
def test_two_tiles_that_share_a_border_row_have_no_seam(tmp_path, sampling):
    for west in (7, 8):
        (tmp_path / f"N43E00{west}.hgt").write_bytes(hgt(west, 43))
    dem = open_dem([tmp_path], reading=Reading(sampling=sampling))
    assert [len(layer.rasters) for layer in layers_of(dem)] == [2]
    step = 1 / 12000
    lon = 8.0 + step * np.arange(-20, 21)
    z = heights_at(dem, np.column_stack([lon, np.full(41, 43.4321)]), "EPSG:4326")
    assert np.isfinite(z).all()
    assert np.abs(np.diff(z)).max() < 0.2  # 93 m cells, whole metres: a tenth of a cell
    one = heights_at(open_dem([tmp_path / "N43E007.hgt"]), np.array([[7.9, 43.4]]), "EPSG:4326")
    assert heights_at(open_dem([tmp_path]), np.array([[7.9, 43.4]]), "EPSG:4326") == one


# --- folders and VRTs ----------------------------------------------------------------------------------------------------


def test_folder_is_its_rasters_in_the_order_of_their_names(tmp_path):
    write(tmp_path / "b.tif", np.full((20, 20), 2.0, np.float32))
    write(tmp_path / "a.tif", np.full((20, 10), 1.0, np.float32))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "deeper").mkdir()
    write(tmp_path / "deeper" / "0.tif", np.full((20, 20), 9.0, np.float32))
    dem = open_dem([tmp_path])
    assert [Path(raster.path).name for raster in dem.rasters] == ["a.tif", "b.tif"]
    assert heights_at(dem, at([5, 15], [5, 5]), UTM).tolist() == [1.0, 2.0]
    again = open_dem([tmp_path / "b.tif", tmp_path, tmp_path / "a.tif"])
    assert [Path(raster.path).name for raster in again.rasters] == ["b.tif", "a.tif"]


def test_broken_raster_in_a_folder_is_named(tmp_path):
    write(tmp_path / "a.tif", np.ones((4, 4), np.float32))
    (tmp_path / "b.tif").write_text("no raster")
    with pytest.raises(InputError, match=r"b\.tif: not a raster"):
        open_dem([tmp_path])


def vrt(
    path: Path, sources: str, *, head: str = "", band: str = 'dataType="Float32" band="1"', inside: str = ""
) -> Path:
    path.write_text(
        f'{head}<VRTDataset rasterXSize="30" rasterYSize="20"><SRS>EPSG:25833</SRS>'
        f"<GeoTransform>{X0}, 1.0, 0.0, {Y0}, 0.0, -1.0</GeoTransform>"
        f"<VRTRasterBand {band}>{inside}{sources}</VRTRasterBand></VRTDataset>"
    )
    return path


def source(
    name: str, *, kind: str = "SimpleSource", relative: int = 1, src=(0, 0, 20, 20), dst=(0, 0, 20, 20), more: str = ""
) -> str:
    words = ("xOff", "yOff", "xSize", "ySize")
    cut, target = (" ".join(f'{k}="{v}"' for k, v in zip(words, box, strict=True)) for box in (src, dst))
    return (
        f'<{kind}><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>1</SourceBand>'
        f"<SrcRect {cut}/><DstRect {target}/>{more}</{kind}>"
    )


@pytest.fixture
def pair(tmp_path) -> Path:
    """Two rasters that overlap by ten columns, one of them in a folder below."""
    (tmp_path / "tiles").mkdir()
    write(tmp_path / "a.tif", np.full((20, 20), 1.0, np.float32))
    write(tmp_path / "tiles" / "b.tif", np.full((20, 20), 2.0, np.float32), x=10)
    return tmp_path


def test_vrt_is_its_rasters_and_the_later_lies_above(pair):
    path = vrt(pair / "m.vrt", source("a.tif") + source("tiles/b.tif", dst=(10, 0, 20, 20)))
    dem = open_dem([path])
    assert [Path(raster.path).name for raster in dem.rasters] == ["b.tif", "a.tif"]
    ours = heights_at(dem, at([5.5, 15.5, 25.5], [5.5, 5.5, 5.5]), UTM)
    with rasterio.open(path) as gdal:  # the test may
        theirs = [value[0] for value in gdal.sample(at([5.5, 15.5, 25.5], [5.5, 5.5, 5.5]))]
    assert ours.tolist() == theirs == [1.0, 2.0, 2.0]


def test_vrt_that_gdal_makes_is_taken(pair):
    from rasterio.shutil import copy

    with rasterio.open(pair / "a.tif") as one:
        copy(one, pair / "c.vrt", driver="VRT")
    dem = open_dem([pair / "c.vrt"])
    assert [Path(raster.path).name for raster in dem.rasters] == ["a.tif"]


def test_vrt_gives_what_its_rasters_do_not_say(tmp_path):
    z = np.full((20, 20), 1.0, np.float32)
    z[:, 10:] = 77.0
    write(tmp_path / "a.tif", z, crs=None)
    sources = source("a.tif", kind="ComplexSource", more="<NODATA>77</NODATA>")
    dem = open_dem([vrt(tmp_path / "m.vrt", sources)])
    assert (dem.rasters[0].nodata, "25833" in dem.rasters[0].crs) == (77.0, True)
    assert np.isnan(heights_at(dem, at([15], [5]), UTM)[0])


@pytest.mark.parametrize(
    ("sources", "options", "words"),
    [
        (source("/vsicurl/http://127.0.0.1:9/a.tif", relative=0), {}, "no local file"),
        (source("http://127.0.0.1:9/a.tif", relative=0), {}, "no local file"),
        (source("/vsizip/a.zip/a.tif", relative=0), {}, "no local file"),
        (source("\\vsicurl\\x", relative=0), {}, "no local file"),
        (source("NETCDF:a.nc:z", relative=0), {}, "no local file"),
        (source("&lt;VRTDataset/&gt;", relative=0), {}, "no local file"),
        (source("/etc/passwd", relative=0), {}, "neither beside nor below"),
        (source("../a.tif"), {}, "neither beside nor below"),
        (source("tiles/../../a.tif"), {}, "neither beside nor below"),
        (source("none.tif"), {}, "is not there"),
        (source("nested.vrt"), {}, "nests another"),
        (source("a.tif", src=(5, 0, 10, 20)), {}, "only a part"),
        (source("a.tif", src=(0, 0, 30, 20)), {}, "x 20 cells"),
        (source("a.tif", dst=(7, 0, 20, 20)), {}, "moves it"),
        (source("a.tif", kind="ComplexSource", more="<ScaleRatio>2</ScaleRatio>"), {}, "ScaleRatio"),
        (source("a.tif", kind="ComplexSource", more="<LUT>0:1</LUT>"), {}, "LUT"),
        (source("a.tif", kind="KernelFilteredSource"), {}, "KernelFilteredSource"),
        (source("a.tif"), {"band": 'dataType="Float32" band="1" subClass="VRTDerivedRasterBand"'}, "computes its cells"),
        (source("a.tif"), {"inside": "<PixelFunctionType>sum</PixelFunctionType>"}, "pixel function"),
        (source("a.tif"), {"inside": "<Scale>0.3048</Scale>"}, "Scale"),
        (source("a.tif"), {"band": 'dataType="Float32" band="2"'}, "no band 1"),
        ("", {}, "no sources"),
        (source("&e;"), {"head": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'}, "entities"),
        (source("a.tif") + "<broken", {}, "no XML"),
    ],
)  # fmt: skip
def test_vrt_that_does_more_is_refused_with_its_reason(pair, sources, options, words):
    vrt(pair / "nested.vrt", source("a.tif"))
    with pytest.raises(InputError, match=words) as error:
        open_dem([vrt(pair / "m.vrt", sources, **options)])
    assert "\n" not in str(error.value)


def test_link_out_of_the_folder_is_refused(pair, tmp_path_factory):
    other = write(tmp_path_factory.mktemp("other") / "secret.tif", np.ones((20, 20), np.float32))
    (pair / "link.tif").symlink_to(other)
    with pytest.raises(InputError, match="neither beside nor below"):
        open_dem([vrt(pair / "m.vrt", source("link.tif"))])


def test_warped_and_utf16_are_refused(pair):
    path = vrt(pair / "m.vrt", source("a.tif"))
    text = path.read_text()
    path.write_text(text.replace("<VRTDataset ", '<VRTDataset subClass="VRTWarpedDataset" '))
    with pytest.raises(InputError, match="VRTWarpedDataset"):
        open_dem([path])
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(InputError):
        open_dem([path])


# --- cubic ---------------------------------------------------------------------------------------------------------------


def keys(a: float, b: float, c: float, d: float, f: float) -> float:
    """The cubic convolution kernel with a = -1/2, written out as weights."""

    def weight(t: float) -> float:
        t = abs(t)
        if t <= 1:
            return 1.5 * t**3 - 2.5 * t**2 + 1
        return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t < 2 else 0.0

    return a * weight(1 + f) + b * weight(f) + c * weight(1 - f) + d * weight(2 - f)


def test_cubic_is_the_kernel_by_its_weights():
    cells = np.random.default_rng(3).uniform(0, 100, (12, 13))
    places = np.random.default_rng(4).uniform([1, 1], [11, 10], (300, 2))
    ours = heights_cubic(cells, np.zeros(2, dtype=np.int64), places)
    for (c, r), z in zip(places, ours, strict=True):
        j, i = int(c), int(r)
        rows = [keys(*cells[k, j - 1 : j + 3], c - j) for k in range(i - 1, i + 3)]
        assert z == pytest.approx(keys(*rows, r - i), abs=1e-9)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.3))
def test_cubic_passes_through_the_cells_and_is_linear_on_planes(seed, share):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:9, 0:8].astype(float)
    plane = 3.0 + 0.7 * x - 0.4 * y
    cells = np.where(rng.random(plane.shape) < share, np.nan, plane)
    corner = np.zeros(2, dtype=np.int64)
    nodes = np.column_stack([x[:-1, :-1].ravel(), y[:-1, :-1].ravel()])
    found = heights_cubic(cells, corner, nodes)
    assert np.array_equal(found, cells[:-1, :-1].ravel(), equal_nan=True)
    places = rng.uniform(0, 7, (200, 2))
    j, i = places.astype(int).T
    four = np.stack([cells[i, j], cells[i, j + 1], cells[i + 1, j], cells[i + 1, j + 1]])
    z, whole = heights_cubic(cells, corner, places), np.isfinite(four).all(axis=0)
    assert z[whole] == pytest.approx((3.0 + 0.7 * places[:, 0] - 0.4 * places[:, 1])[whole], abs=1e-9)


def test_refined_nodes_lie_on_the_cubic():
    cells = np.random.default_rng(5).uniform(0, 10, (9, 11))
    fine = refine(cells)
    assert fine.shape == (4 * 6 + 1, 4 * 8 + 1)
    q, p = np.meshgrid(np.arange(fine.shape[1] - 1), np.arange(fine.shape[0] - 1))
    places = np.column_stack([1 + q.ravel() / 4, 1 + p.ravel() / 4])
    assert heights_cubic(cells, np.zeros(2, dtype=np.int64), places) == pytest.approx(fine[:-1, :-1].ravel(), abs=1e-12)
    assert fine[::4, ::4] == pytest.approx(cells[1:-1, 1:-1], abs=1e-12)


@pytest.mark.parametrize("cell", [5.0, 30.0])
def test_cubic_follows_a_hill_better(tmp_path, cell):
    n = 60
    y, x = np.mgrid[0:n, 0:n] * cell + cell / 2

    def hill(x, y):
        return 200 + 40 * np.sin(x / (9 * cell)) * np.cos(y / (7 * cell))

    path = write(tmp_path / "a.tif", hill(x, y), cell=cell)
    xy = np.random.default_rng(0).uniform(5 * cell, (n - 5) * cell, (3000, 2))
    wrong = {
        kind: np.abs(heights_at(open_dem([path], reading=Reading(sampling=kind)), at(*xy.T), UTM) - hill(*xy.T)).max()
        for kind in ("bilinear", "cubic")
    }
    assert wrong["cubic"] < 0.15 * wrong["bilinear"]


def test_cubic_ground_of_a_footprint_is_the_extreme_of_its_surface(tmp_path):
    i, j = np.mgrid[0:40, 0:40]
    z = 10 * np.sin(1.1 * i + 0.4) * np.cos(0.9 * j)
    dem = open_dem([write(tmp_path / "a.tif", z, cell=10.0)], reading=Reading(sampling="cubic"))
    shape = shapely.affinity.rotate(shapely.box(X0 + 120, Y0 - 260, X0 + 190, Y0 - 200), 20)
    ground, findings = ground_under(dem, from_polygons(np.array([shape], dtype=object)), UTM)
    assert findings == []
    x0, y0, x1, y1 = shape.bounds
    xs, ys = np.meshgrid(np.arange(x0, x1, 0.25), np.arange(y0, y1, 0.25))
    inside = shapely.contains_xy(shape, xs.ravel(), ys.ravel())
    true = heights_at(dem, np.column_stack([xs.ravel(), ys.ravel()])[inside], UTM)
    # the hills bend by 12 m a cell at most: the straight pieces leave them by a 128th of that
    assert ground.low[0] == pytest.approx(true.min(), abs=12 / 128)
    assert ground.high[0] == pytest.approx(true.max(), abs=12 / 128)
    assert ground.mean[0] == pytest.approx(true.mean(), abs=0.06)


def test_cubic_ground_sees_a_crest_between_cells(tmp_path):
    z = np.tile(np.array([0, 0, 0, 10, 10, 0, 0, 0], dtype=np.float32), (8, 1))
    path = write(tmp_path / "a.tif", z)
    rings = from_polygons(np.array([shapely.box(X0 + 3.2, Y0 - 5, X0 + 4.8, Y0 - 3)], dtype=object))
    high = {
        kind: ground_under(open_dem([path], reading=Reading(kind)), rings, UTM)[0].high[0]
        for kind in ("bilinear", "cubic")
    }
    assert high == pytest.approx({"bilinear": 10.0, "cubic": 11.25})


@pytest.mark.parametrize("sampling", ["bilinear", "cubic"])
def test_no_bit_hangs_on_the_footprints_around(tmp_path, sampling, monkeypatch):
    from citygen.ground import windows

    rng = np.random.default_rng(7)
    z = rng.uniform(0, 4, (80, 80))
    z[rng.random(z.shape) < 0.03] = np.nan
    path = write(tmp_path / "a.tif", z, cell=5.0)
    dem = open_dem([path], reading=Reading(sampling, fill_m=12.0, feather_m=15.0))
    corners = rng.uniform(0, 360, (60, 2))
    shapes = [shapely.box(X0 + x, Y0 - y - 21, X0 + x + 23, Y0 - y) for x, y in corners]
    together, _ = ground_under(dem, from_polygons(np.array(shapes, dtype=object)), UTM)
    alone = [ground_under(dem, from_polygons(np.array([shape], dtype=object)), UTM)[0] for shape in shapes]
    monkeypatch.setattr(windows, "MAX_CELLS", 2000)
    stripped, _ = ground_under(dem, from_polygons(np.array(shapes, dtype=object)), UTM)
    for name in ("low", "high", "mean"):
        values = getattr(together, name)
        assert np.array_equal(values, np.concatenate([getattr(each, name) for each in alone]), equal_nan=True)
        close = {"rtol": 0, "atol": 1e-9 if name == "mean" else 0}
        assert np.allclose(values, getattr(stripped, name), equal_nan=True, **close)


# --- voids ---------------------------------------------------------------------------------------------------------------


def holed(tmp_path: Path, hole: int) -> Path:
    z = hills(80, 90)
    z[40 - hole // 2 : 40 + hole // 2, 45 - hole // 2 : 45 + hole // 2] = np.nan
    return write(tmp_path / f"hole{hole}.tif", z)


def test_voids_are_filled_within_the_distance_and_said(tmp_path):
    shape = shapely.box(X0 + 41, Y0 - 44, X0 + 49, Y0 - 36)
    rings = from_polygons(np.array([shape, shapely.box(X0 + 5, Y0 - 9, X0 + 9, Y0 - 5)], dtype=object))
    path = holed(tmp_path, 20)
    _, findings = ground_under(open_dem([path]), rings, UTM)
    assert {f.code: f.rows.tolist() for f in findings} == {"ground_from_nearest": [0]}
    ground, findings = ground_under(open_dem([path], reading=Reading(fill_m=15.0)), rings, UTM)
    assert {f.code: f.rows.tolist() for f in findings} == {"ground_filled": [0]}
    truth = hills(80, 90)[36:44, 41:49]
    assert truth.min() - 2 < ground.low[0] <= ground.high[0] < truth.max() + 2
    _, findings = ground_under(open_dem([path], reading=Reading(fill_m=3.0)), rings, UTM)
    assert {f.code: f.rows.tolist() for f in findings} == {"ground_from_nearest": [0]}
    middle = at([45.0], [40.0])
    assert np.isnan(heights_at(open_dem([path]), middle, UTM)[0])
    assert np.isfinite(heights_at(open_dem([path], reading=Reading(fill_m=15.0)), middle, UTM)[0])


def test_later_rasters_come_before_filling(tmp_path):
    below = write(tmp_path / "low.tif", np.full((80, 90), 7.0, np.float32), x=0.3)
    dem = open_dem([holed(tmp_path, 20), below], reading=Reading(fill_m=50.0))
    assert heights_at(dem, at([45.0], [40.0]), UTM)[0] == 7.0


def test_fill_is_the_weighted_mean_of_eight_directions():
    cells = np.full((7, 7), np.nan)
    cells[3, 0], cells[0, 3], cells[0, 0], cells[1, 2] = 10.0, 20.0, 40.0, 999.0  # the last lies in no direction
    found = fill_voids(cells, np.array([1.0, 2.0]), 9.0)[3, 3]
    far = np.array([3.0, 6.0, np.hypot(3, 6)])
    assert found == pytest.approx((np.array([10.0, 20.0, 40.0]) / far).sum() / (1 / far).sum())
    assert np.isnan(fill_voids(cells, np.array([1.0, 2.0]), 2.9)[3, 3])


@pytest.mark.parametrize(
    "reading", [Reading(fill_m=12.0), Reading(feather_m=12.0), Reading(fill_m=9.0, feather_m=14.0)]
)
def test_a_cell_does_not_depend_on_the_window(tmp_path, reading):
    a = hills(60, 60)
    a[20:26, 20:41] = np.nan
    paths = [
        write(tmp_path / "a.tif", a),
        write(tmp_path / "b.tif", hills(60, 60, 40) + 3, x=40),
        write(tmp_path / "c.tif", hills(70, 70, 10.4, 30) + 5, x=10.4, y=30),
    ]
    layer = layers_of(open_dem(paths, reading=reading))[0]
    whole = window(layer, (-5, -5, 110, 70), filled=True)
    rng = np.random.default_rng(0)
    for _ in range(40):
        c, r = rng.integers(-5, 90), rng.integers(-5, 50)
        part = window(layer, (c, r, c + 17, r + 11), filled=True)
        assert np.array_equal(part, whole[r + 5 : r + 16, c + 5 : c + 22], equal_nan=True)


# --- seams ---------------------------------------------------------------------------------------------------------------


def test_depth_agrees_with_looking_at_every_cell():
    rng = np.random.default_rng(2)
    valid = rng.random((25, 31)) > 0.03
    step, most = np.array([1.0, 1.7]), 6.0
    ys, xs = np.nonzero(~valid)
    y, x = np.mgrid[0:25, 0:31]
    far = np.sqrt(((x[..., None] - xs) * step[0]) ** 2 + ((y[..., None] - ys) * step[1]) ** 2).min(axis=2)
    assert depth(valid, step, most) == pytest.approx(np.clip(far - 1.0, 0, most))


def test_feather_gives_each_its_border():
    upper, lower = np.full((1, 12), np.nan), np.full((1, 12), np.nan)
    upper[0, :8], lower[0, 3:] = 10.0, 20.0
    step = np.array([1.0, 1.0])
    inside = tuple(depth(np.isfinite(z), step, 4.0) for z in (upper, lower))
    z = feather(upper, lower, inside, 4.0)[0]
    assert z[:4].tolist() == [10.0] * 4
    assert z[7:].tolist() == [20.0] * 5
    assert np.all(np.diff(z) >= 0)
    assert np.diff(z).max() < 4.0


@pytest.mark.parametrize("shift", [0.0, 0.37], ids=["one lattice", "two lattices"])
@pytest.mark.parametrize("overlap", [60, 16])
@pytest.mark.parametrize("sampling", ["bilinear", "cubic"])
def test_no_step_shows_at_the_seam_of_two_surveys(tmp_path, shift, overlap, sampling):
    """The later survey lies two metres higher; without a feather that is a step, with one it is a ramp."""
    a = write(tmp_path / "a.tif", hills(60, 100))
    b = write(tmp_path / "b.tif", hills(60, 100, 100 - overlap + shift) + 2, x=100 - overlap + shift)
    xs = np.arange(30, 198 - overlap, 0.1)
    xy = at(xs, np.full(len(xs), 30.2))
    slope = 5 / 9 * 0.1 + 0.02  # of the hills, over a step of 0.1 m
    step = {
        feather: np.abs(np.diff(heights_at(open_dem([a, b], reading=Reading(sampling, 0.0, feather)), xy, UTM))).max()
        for feather in (0.0, 20.0)
    }
    assert step[0.0] > (1.5 if shift else 0.19)
    assert step[20.0] < slope + 2 / min(20, overlap) * 0.1 + 0.02, step
    z = heights_at(open_dem([a, b], reading=Reading(sampling, 0.0, 20.0)), xy, UTM)
    truth = 100 + 5 * np.sin(xs / 9) + 4 * np.cos(30.2 / 7)
    assert z[xs < 100 - max(overlap, 20) - 2] == pytest.approx(truth[xs < 100 - max(overlap, 20) - 2], abs=0.05)
    assert z[xs > 102] == pytest.approx(truth[xs > 102] + 2, abs=0.05)


def test_footprints_over_a_seam_stand_on_the_feathered_surface(tmp_path):
    a = write(tmp_path / "a.tif", np.full((60, 60), 10.0, np.float32))
    b = write(tmp_path / "b.tif", np.full((60, 60), 12.0, np.float32), x=30.37)
    dem = open_dem([a, b], reading=Reading(feather_m=20.0))
    shapes = [shapely.box(X0 + x, Y0 - 34, X0 + x + 4, Y0 - 30) for x in (33, 45, 54, 62)]
    ground, findings = ground_under(dem, from_polygons(np.array(shapes, dtype=object)), UTM)
    assert findings == []
    assert ground.high[0] < 10.01
    assert 10 < ground.low[1] < ground.high[1] < 12
    assert ground.low[2] < 12.001
    assert ground.low[3] == pytest.approx(12.0)
    for k, shape in enumerate(shapes):
        x0, y0, x1, y1 = shape.bounds
        xs, ys = np.meshgrid(np.linspace(x0, x1, 41), np.linspace(y0, y1, 41))
        z = heights_at(dem, np.column_stack([xs.ravel(), ys.ravel()]), UTM)
        assert (ground.low[k], ground.high[k]) == pytest.approx((z.min(), z.max()), abs=0.02)


# --- overviews and surface models ----------------------------------------------------------------------------------------


def test_the_right_overview_is_read(tmp_path):
    path = write(tmp_path / "a.tif", hills(400, 400), tiled=True, blockxsize=128, blockysize=128)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8], Resampling.average)
    for finest, cell in ((0.0, 1.0), (1.5, 1.0), (2.0, 2.0), (5.0, 4.0), (100.0, 8.0)):
        dem = open_dem([path], reading=Reading(finest_m=finest))
        assert dem.rasters[0].resolution == pytest.approx((cell, cell))
        assert dem.rasters[0].bounds == (X0, Y0 - 400, X0 + 400, Y0)
        z = heights_at(dem, at([200.3], [150.7]), UTM)[0]
        assert z == pytest.approx(100 + 5 * np.sin(200.3 / 9) + 4 * np.cos(150.7 / 7), abs=0.02 * cell**2 + 0.02)
        assert (len(dem.notes) == 1) == (cell > 1)


def town(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array(
        [
            shapely.box(X0 + x, Y0 - y - 10, X0 + x + rng.uniform(8, 14), Y0 - y)
            for x in range(20, 380, 25)
            for y in range(20, 380, 25)
        ],
        dtype=object,
    )


@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("height", [0.0, 3.0, 9.0])
def test_surface_model_is_told_from_terrain_also_on_a_slope(tmp_path, slope, height):
    y, x = np.mgrid[0:400, 0:400] + 0.5
    shapes = town()
    roofs = shapely.contains_xy(shapely.union_all(shapes), X0 + x.ravel(), Y0 - y.ravel()).reshape(x.shape)
    z = (50 + slope * x + 0.1 * slope * y + height * roofs).astype(np.float32)
    found = check_surface(open_dem([write(tmp_path / "a.tif", z)]), shapes, UTM)
    assert found.footprints > 150
    assert found.step_m == pytest.approx(height, abs=0.1)
    assert found.is_surface == (height > 2)


def test_little_is_not_told(tmp_path):
    z = hills(400, 400)
    few = town()[:10]
    assert not check_surface(open_dem([write(tmp_path / "a.tif", z)]), few, UTM).is_surface
    coarse = open_dem([write(tmp_path / "b.tif", z[:40, :40], cell=30.0)])
    assert check_surface(coarse, town(), UTM).footprints == 0
    odd = np.array([None, shapely.Point(X0, Y0), shapely.Polygon(), shapely.box(0, 0, 1e9, 1e9)], dtype=object)
    assert check_surface(coarse, odd, UTM).footprints == 0


@pytest.mark.parametrize(("name", "is_surface"), [("DEM_KRbig.tif", False), ("DSM_KRbig.tif", True)])
def test_goteborg_s_surface_model_is_told_from_its_terrain(testdata, tmp_path, name, is_surface, caplog):
    from citygen.config import make_config
    from citygen.engine.run import run

    folder = testdata / "realdata" / "06_goteborg_dem_dsm"
    given = {"buildings": [str(folder / "buildings.shp")], "dem": [str(folder / name)], "out": str(tmp_path / "out")}
    report = run(make_config(given)).report
    assert report["dem_check"]["looks_like"] == ("surface model" if is_surface else "terrain model")
    assert sum("surface model" in note for note in report["dem_notes"]) == is_surface
    assert caplog.text.count("looks like a surface model") == is_surface
