"""Ground under real footprints, and every nasty DEM file with the behaviour that its index asks for."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import Transformer

from citygen.errors import CoverageError, InputError, MissingCRSError
from citygen.ground.cover import covers, require_cover
from citygen.ground.dem import open_dem
from citygen.ground.under import GroundHeights, ground_under
from citygen.model.rings import Rings, from_polygons

NASTY = "hardcases/synthetic/dem"
UTM33 = "EPSG:25833"


def footprints(path: Path, scratch: Path, columns: list[str], **options) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    copy = scratch / path.name
    shutil.copy(path, copy)
    _, _, wkb, fields = pyogrio.raw.read(copy, columns=columns, **options)
    return shapely.from_wkb(wkb), dict(zip(columns, fields, strict=True))


def single(geometries: np.ndarray) -> Rings:
    """Rings of the valid single polygons of a layer."""
    parts = shapely.get_parts(shapely.force_2d(geometries))
    return from_polygons(parts[shapely.is_valid(parts)])


def codes(findings) -> dict[str, int]:
    return {f.code: len(f.rows) for f in findings}


def test_larochelle_stands_on_its_surveyed_ground(testdata, tmp_path):
    folder = testdata / "realdata/01_larochelle_bdtopo_dem"
    geometries, fields = footprints(folder / "buildings_bdtopo.gpkg", tmp_path, ["altitude_minimale_sol"])
    assert len(geometries) == 361
    dem = open_dem([folder / "dem_rgealti_1m.tif"])
    rings = single(geometries)
    assert len(rings) == 361
    heights, findings = ground_under(dem, rings, "EPSG:2154")
    assert not np.isnan([heights.low, heights.high, heights.mean]).any()
    assert codes(findings) == {"ground_partial": 4}
    off = heights.mean - fields["altitude_minimale_sol"]
    assert np.median(off) == pytest.approx(-0.01, abs=0.02)
    assert np.percentile(off, [5, 95]) == pytest.approx([-1.76, 0.83], abs=0.1)
    assert np.median(heights.low - fields["altitude_minimale_sol"]) == pytest.approx(-0.15, abs=0.05)
    assert covers(dem, tuple(shapely.total_bounds(geometries)), "EPSG:2154") == "all"


def test_den_haag_low_is_the_ground_of_the_model(testdata, tmp_path):
    """The model's buildings stand on the lowest point of the same surface: our low meets it to millimetres."""
    folder = testdata / "realdata/08_denhaag_lod2_west"
    geometries, fields = footprints(folder / "footprints_west.gpkg", tmp_path, ["ground_z_model"])
    heights, findings = ground_under(open_dem([folder / "dem_tin_1m_west.tif"]), single(geometries), "EPSG:28992")
    assert len(heights.low) == 632
    assert findings == []
    off = heights.low - fields["ground_z_model"]
    assert abs(np.median(off)) < 0.002
    assert np.percentile(off, 95) < 0.02


@pytest.mark.parametrize(
    ("name", "hgt", "utm", "least", "low", "high"),
    [
        ("02_monaco_osm_srtm/monaco-latest.osm.pbf", "N43E007.hgt", "EPSG:32632", 1200, -0.4, 171.6),
        ("03_andorra_osm_srtm/andorra.osm.pbf", "N42E001.hgt", "EPSG:32631", 290, 871.3, 2609.0),
    ],
)
def test_osm_on_srtm(testdata, tmp_path, name, hgt, utm, least, low, high):
    path = testdata / "realdata" / name
    geometries, _ = footprints(path, tmp_path, [], layer="multipolygons", where="building IS NOT NULL")
    geometries = shapely.transform(
        geometries, lambda xy: np.column_stack(Transformer.from_crs(4326, utm, always_xy=True).transform(*xy.T))
    )
    rings = single(geometries)
    assert len(rings) >= least
    heights, findings = ground_under(open_dem([path.parent / hgt]), rings, utm)
    assert findings == []
    assert heights.low.min() == pytest.approx(low, abs=0.1)
    assert heights.high.max() == pytest.approx(high, abs=0.1)


@pytest.fixture
def fifteen(testdata, tmp_path) -> Rings:
    geometries, _ = footprints(testdata / "hardcases/synthetic/files/ok.gpkg", tmp_path, [])
    return single(geometries)


@pytest.fixture
def nasty(testdata, tmp_path, fifteen):
    def run(name: str) -> tuple[GroundHeights, dict[str, int]]:
        shutil.copy(testdata / NASTY / name, tmp_path / name)
        dem = open_dem([tmp_path / name])
        require_cover(dem, tuple(shapely.total_bounds(shapely.multipoints(fifteen.coords))), UTM33)
        heights, findings = ground_under(dem, fifteen, UTM33)
        return heights, codes(findings)

    return run


REFUSED = {
    "no-crs.tif": (MissingCRSError, "--dem-crs"),
    "elsewhere.tif": (CoverageError, "441380.0"),
    "truncated.tif": (InputError, "cut short"),
    "text.tif": (InputError, "not a raster"),
}
FINDINGS = {
    "ok.tif": {},
    "nodata-hole.tif": {"ground_partial": 4, "ground_from_nearest": 1},
    "nodata-untagged--9999.tif": {"ground_partial": 4, "ground_from_nearest": 1},
    "int16--32768.tif": {"ground_partial": 4, "ground_from_nearest": 1},
    "nan-untagged.tif": {"ground_partial": 4, "ground_from_nearest": 1},
    "all-void.tif": {"ground_missing": 15},
    "half-cover.tif": {"ground_partial": 3, "ground_from_nearest": 6},
    "rotated.tif": {},
    "south-up.tif": {},
    "feet.tif": {},
    "spike-8e3.tif": {"ground_steep": 1},
    "multiband.tif": {},
    "uint8.tif": {},
    "one-pixel.tif": {"ground_partial": 15},
    "huge-sparse-200000x200000.tif": {},
}


def test_every_nasty_dem_is_listed(testdata):
    with (testdata / "hardcases/synthetic/index.csv").open(encoding="utf-8") as file:
        names = {row["file"].removeprefix("dem/") for row in csv.DictReader(file) if row["file"].startswith("dem/")}
    assert names == REFUSED.keys() | FINDINGS.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_nasty_dem_is_refused_with_its_remedy(nasty, name):
    kind, words = REFUSED[name]
    with pytest.raises(kind, match=words) as error:
        nasty(name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", FINDINGS)
def test_nasty_dem_gives_its_findings_and_no_wild_height(nasty, name):
    heights, found = nasty(name)
    assert found == FINDINGS[name]
    if name == "all-void.tif":
        assert np.isnan(heights.low).all()
        return
    low, high = (0.0, 0.0) if name.startswith("huge") else (33.0, 39.0)
    assert np.all((heights.low >= low) & (heights.low <= high))
    if name != "spike-8e3.tif":
        assert np.all((heights.high >= heights.low) & (heights.high <= high))


@pytest.mark.parametrize(("name", "within"), [("south-up.tif", 1e-9), ("feet.tif", 1e-5), ("multiband.tif", 1e-9)])
def test_the_same_ground_in_another_dress(nasty, name, within):
    want, _ = nasty("ok.tif")
    got, _ = nasty(name)
    for column in ("low", "high", "mean"):
        assert getattr(got, column) == pytest.approx(getattr(want, column), abs=within)


def test_void_under_one_building_leaves_the_others_as_they_were(nasty):
    want, _ = nasty("ok.tif")
    for name in ("nodata-hole.tif", "nodata-untagged--9999.tif", "nan-untagged.tif"):
        got, _ = nasty(name)
        assert (got.low == want.low).sum() >= 10
        assert got.low == pytest.approx(want.low, abs=2.5)


SPIKE_FREE = """
import resource, sys
import numpy as np, shapely
from citygen.ground.cover import require_cover
from citygen.ground.dem import open_dem
from citygen.ground.under import ground_under
from citygen.model.rings import from_polygons
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
small, huge = sys.argv[1:]
x, y = 390380.03 + 200.0 * np.arange(40), 5821208.08 - 200.0 * np.arange(40)
town = from_polygons(np.array([shapely.box(a + 3, b - 30, a + 30, b - 3) for a in x for b in y], dtype=object))
far = from_polygons(np.array([shapely.box(a, b, a + 9, b + 9) for a, b in ((4e5, 5.82e6), (9e5, 5.2e6))], dtype=object))
ground_under(open_dem([small]), far, "EPSG:25833")
before = peak()
dem = open_dem([huge])
assert require_cover(dem, (4e5, 5.2e6, 9e5, 5.82e6), "EPSG:25833") == "all"
for rings in (town, far):
    heights, findings = ground_under(dem, rings, "EPSG:25833")
    assert not np.isnan(heights.low).any() and not findings
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read with the resource module")
def test_a_raster_of_160_gb_is_read_in_windows(testdata, tmp_path):
    for name in ("ok.tif", "huge-sparse-200000x200000.tif"):
        shutil.copy(testdata / NASTY / name, tmp_path / name)
    run = subprocess.run(
        [sys.executable, "-c", SPIKE_FREE, tmp_path / "ok.tif", tmp_path / "huge-sparse-200000x200000.tif"],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert int(run.stdout) < 200  # MB
