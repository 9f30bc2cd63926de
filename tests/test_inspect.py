"""``citygen inspect``: what it says of every real set and of files made here, against what is known of them otherwise."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import jsonschema
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from click.testing import CliRunner

import citygen
from builds import SAMPLE, build
from citygen.cli import app
from citygen.cli.inspect_page import page_of
from citygen.errors import ConfigError, InputError
from citygen.pipeline.survey.tallies import KEPT, Spread, Words

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "inspect.schema.json").read_text(encoding="utf-8"))
VECTORS = {".gpkg", ".shp", ".fgb", ".parquet", ".geojson", ".pbf", ".osm", ".json", ".jsonl", ".gml"}
RASTERS = {".tif", ".asc", ".hgt"}


def look(*sources: Any, **options: Any) -> dict[str, Any]:
    """Inspect, and hold what comes to the schema; its page must fit, too."""
    found = citygen.inspect(*sources, **options)
    jsonschema.validate(found, SCHEMA)
    page = page_of(found)
    page.width = 80
    for line in page.text().splitlines():
        assert len(line) <= 100 or " " not in line.strip(), line
    return found


def only(found: dict[str, Any]) -> dict[str, Any]:
    assert found["errors"] == []
    assert len(found["sources"]) == 1
    return found["sources"][0]


def keys(source: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["key"]: item for item in source["attributes"]}


def odd(thing: dict[str, Any]) -> dict[str, int | None]:
    return {item["code"]: item["count"] for item in thing["oddities"]}


def options_of(source: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: item["column"] for item in source["suggestions"] if item["option"]}


def gives(source: dict[str, Any], column: str) -> bool:
    """Say whether a column is read, or suggested to be."""
    read = any(
        column in name.split(" less ") and item["given"] for item in source["attributes"] for name in item["columns"]
    )
    return read or column in options_of(source).values()


@pytest.fixture
def town() -> gpd.GeoDataFrame:
    boxes = [shapely.box(500000 + 20 * k, 5150000, 500012 + 20 * k, 5150008) for k in range(6)]
    words = ["gabled", "gabled", "hipped", "witch hat", None, "flat"]
    height = ["12 m", "40'", "tall", "0", None, "3,5"]
    return gpd.GeoDataFrame(
        {"id": list("abcdef"), "height": height, "roof:shape": words, "building": ["house"] * 4 + ["shed"] * 2},
        geometry=boxes, crs="EPSG:32631",
    )  # fmt: skip


def test_coverage_counts_what_is_given_and_what_is_not(town: gpd.GeoDataFrame) -> None:
    source = only(look(town))
    height = keys(source)["height"]
    assert (height["given"], height["zero"], height["unreadable"]) == (3, 1, 1)
    assert height["share"] == 0.5
    assert height["examples"] == ["height='tall'"]
    assert height["range"] == {"min": 3.5, "median": 12.0, "max": 12.192}
    assert source["roof_shapes"] == {"known": {"gabled": 2, "flat": 1, "hipped": 1}, "unknown": {"witch hat": 1}}
    assert source["classes"] == {"house": 4, "shed": 2}
    assert source["dialect"]["name"] == "osm"
    assert source["dialect"]["share"] == 0.75
    assert source["ids"]["column"] == "id"
    assert odd(source) == {"zero_height": 1, "attribute_unread": 1, "roof_unknown": 1}


def test_the_forecast_is_what_the_build_does(town: gpd.GeoDataFrame, tmp_path: Path) -> None:
    assert len(town) == 6
    town.loc[6] = ["g", "5", None, "house", shapely.Point(500000, 5150000)]
    town.loc[7] = ["h", "5", None, "house", None]
    bow = shapely.Polygon([(500200, 5150000), (500210, 5150010), (500210, 5150000), (500200, 5150010)])
    town.loc[8] = ["i", None, None, "house", bow]
    path = tmp_path / "town.gpkg"
    town.set_geometry("geometry", crs="EPSG:32631").to_file(path)
    found = look(path)["build"]
    report = build(tmp_path / "out", buildings=[str(path)], ground_z=0, allow_rejected=True).report
    assert found["footprints"] == report["footprints"] == 9
    rejected = {"geometry_empty": 1, "geometry_not_areal": 1}
    assert {code: item["count"] for code, item in found["rejected"].items()} == rejected
    assert {code: report["reasons"][code]["count"] for code in rejected} == rejected
    heights = {name: item["count"] for name, item in found["heights_from"].items()}
    guessed = heights.pop("not given")
    assert {name: report["heights_from"][name] for name in heights} == heights
    assert sum(report["heights_from"].values()) == guessed + sum(heights.values())
    assert found["tiles"] == report["tiles"]
    assert "footprint_repaired" in found["repaired"]


def test_the_sample_is_foreseen(sample_out: Path) -> None:
    found = look(SAMPLE / "buildings.geojson", SAMPLE / "dem.tif", aoi=SAMPLE / "aoi.geojson")
    report = json.loads((sample_out / "report.json").read_text())
    foreseen = found["build"]
    assert foreseen["footprints"] == report["footprints"]
    assert sum(item["count"] for item in foreseen["rejected"].values()) == report["outcomes"]["rejected"]
    assert foreseen["dem"]["reaches"]
    assert found["rasters"][0]["looks_like"] == "terrain"
    assert foreseen["parts"] > 0
    counts = {name: item["count"] for name, item in foreseen["heights_from"].items()}
    assert counts["height"] >= report["heights_from"]["height"]
    assert sum(counts.values()) >= sum(
        report["heights_from"].values()
    )  # outlines that their parts replace have heights too


def test_geometries_are_described() -> None:
    shapes = [
        shapely.box(0, 0, 10, 10).difference(shapely.box(4, 4, 6, 6)),
        shapely.MultiPolygon([shapely.box(20, 0, 30, 10), shapely.box(40, 0, 50, 10)]),
        shapely.Polygon([(60, 0), (70, 10), (70, 0), (60, 10)]),
        shapely.Polygon([(80, 0, 5), (90, 0, 5), (90, 10, 5)]),
        shapely.box(100, 0, 100.5, 0.5),
        shapely.LineString([(0, 0), (1, 1)]),
        shapely.Polygon(),
        None,
    ]
    moved = [
        None
        if s is None
        else shapely.transform(s, lambda x: x + [5e5, 5.15e6, 0][: x.shape[1]], include_z=shapely.has_z(s))
        for s in shapes
    ]
    frame = gpd.GeoDataFrame({"id": [1, 1, 2, 3, 4, 5, 6, 1]}, geometry=moved, crs="EPSG:32631")
    source = only(look(frame, id_column="id"))
    geometry = source["geometry"]
    assert geometry["types"] == {"Polygon": 4, "LineString": 1, "MultiPolygon": 1, "Polygon Z": 1}
    assert (geometry["missing"], geometry["empty"], geometry["unreadable"]) == (1, 1, 0)
    assert (geometry["with_heights"], geometry["with_holes"], geometry["holes"], geometry["several_parts"]) == (
        1,
        1,
        1,
        1,
    )
    assert geometry["invalid"] == {"Self-intersection": {"count": 1, "examples": ["2"]}}
    assert geometry["area_m2"]["min"] == 0.0
    assert geometry["area_m2"]["max"] == 200.0
    assert source["ids"]["duplicates"] == 2
    assert source["ids"]["examples"] == ["1"]
    assert {"duplicate_ids", "geometry_missing", "geometry_invalid", "geometry_not_areal", "tiny"} <= set(odd(source))


def test_a_place_that_does_not_fit_its_crs_is_said() -> None:
    boxes = [shapely.box(2.35, 48.85, 2.351, 48.851)]
    assert "degrees_as_metres" in odd(only(look(gpd.GeoDataFrame({"id": ["a"]}, geometry=boxes, crs="EPSG:32631"))))
    swapped = [shapely.box(6573876, 379219, 6574500, 379777)]
    assert "outside_area_of_use" in odd(only(look(gpd.GeoDataFrame({"id": ["a"]}, geometry=swapped, crs="EPSG:2154"))))


def test_broken_text_and_cut_names_are_said(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"nature": ["IndiffÃ©renciÃ©e", "Gare"], "nombre_d_etages": [2, 3], "materiaux_des_murs": ["x", "y"]},
        geometry=[shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)], crs="EPSG:4326",
    )  # fmt: skip
    path = tmp_path / "cut.shp"
    with pytest.warns(UserWarning, match="Column names longer"):
        frame.to_file(path)
    source = only(look(path))
    assert odd(source)["names_cut"] == 2
    assert odd(source)["text_garbled"] == 1
    assert gives(source, "nombre_d_e")


def test_suggestions_fit_the_numbers() -> None:
    n = 50
    boxes = [shapely.box(500000 + 20 * k, 5150000, 500012 + 20 * k, 5150008) for k in range(n)]
    table = {
        "Gebaeudehoehe": np.linspace(3, 20, n), "HOEHE_NHN": np.linspace(103, 120, n), "geschosse": np.arange(n) % 5 + 1,
        "dachform": np.where(np.arange(n) % 2, "1000", "3100"), "hoehe_cm": np.linspace(3e4, 2e5, n),
        "dachfarbe": "rot", "name": [f"Haus {k}" for k in range(n)], "dachneigung": 35.0,
    }  # fmt: skip
    source = only(look(gpd.GeoDataFrame(table, geometry=boxes, crs="EPSG:32632")))
    found = options_of(source)
    for key, column in (
        ("height", "Gebaeudehoehe"),
        ("levels", "geschosse"),
        ("roof_shape", "dachform"),
        ("roof_angle", "dachneigung"),
    ):
        assert found.get(key) == column or column in keys(source)[key]["columns"], key
    assert "name" not in found.values()
    noted = [item for item in source["suggestions"] if not item["option"]]
    assert [item["column"] for item in noted] == ["HOEHE_NHN"]
    eaves = only(look(gpd.GeoDataFrame(table, geometry=boxes, crs="EPSG:32632"), map={"eave_height": "Gebaeudehoehe"}))
    assert "height" not in options_of(eaves)
    again = only(look(gpd.GeoDataFrame(table, geometry=boxes, crs="EPSG:32632"), map={"height": "Gebaeudehoehe"}))
    assert "Gebaeudehoehe" not in options_of(again).values()
    assert keys(again)["height"]["share"] == 1.0


def test_a_sample_reads_no_more_and_says_so(tmp_path: Path) -> None:
    boxes = [shapely.box(500000 + 20 * k, 5150000, 500012 + 20 * k, 5150008) for k in range(300)]
    path = tmp_path / "many.fgb"
    gpd.GeoDataFrame({"id": range(300)}, geometry=boxes, crs="EPSG:32631").to_file(path)
    found = look(path, sample=100)
    source = only(found)
    assert source["sample"] == {"rows": 100, "of": 300}
    assert source["rows_read"] == 100
    assert found["build"]["sampled"]
    assert sum(source["geometry"]["types"].values()) == 100
    assert "A SAMPLE" in page_of(found).text()
    assert only(look(path, sample=1000))["sample"] is None


def test_the_same_whatever_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = look(SAMPLE / "buildings.geojson")
    import citygen.sources.geojson as module

    classes = [thing for thing in vars(module).values() if isinstance(thing, type) and hasattr(thing, "batches")]
    classes = [thing for thing in classes if thing.__module__ == module.__name__]
    assert classes
    for thing in classes:
        before = thing.batches
        monkeypatch.setattr(
            thing, "batches", lambda self, bbox, *, batch_rows=65536, before=before: before(self, bbox, batch_rows=37)
        )
    assert look(SAMPLE / "buildings.geojson") == whole


def test_tallies_are_bounded_and_do_not_depend_on_batches() -> None:
    values = np.random.default_rng(4).normal(size=3 * KEPT + 11)
    summaries = []
    for step in (997, 65_536, len(values)):
        spread = Spread()
        for first in range(0, len(values), step):
            spread.add(values[first : first + step])
        assert len(spread.values()) <= KEPT
        summaries.append(spread.summary(12))
    assert summaries[0] == summaries[1] == summaries[2]
    assert summaries[0]["median"] == pytest.approx(np.median(values), abs=0.02)
    words = Words()
    words.add(np.array([f"w{k % 7000}" for k in range(14_000)], dtype=object))
    assert words.total == 14_000
    assert len(words.counts) == 5000


def test_a_raster_is_described(tmp_path: Path) -> None:
    path = tmp_path / "feet.tif"
    rng = np.random.default_rng(1)
    flat = rng.uniform(100, 101, (60, 80)).astype("float32")
    flat[10:25, 10:25] += 40.0
    flat[30:50, 20:40] += 40.0
    flat[10:30, 50:70] += 40.0
    flat[0, :8] = -9999
    profile = {
        "driver": "GTiff",
        "width": 80,
        "height": 60,
        "count": 1,
        "dtype": "float32",
        "nodata": -9999,
        "crs": "EPSG:2229",
    }
    with rasterio.open(path, "w", transform=rasterio.transform.from_origin(6.4e6, 1.9e6, 3.0, 3.0), **profile) as file:
        file.write(flat, 1)
    raster = look(path)["rasters"][0]
    assert raster["size"] == [80, 60]
    assert raster["resolution_m"] == [0.91, 0.91]
    assert raster["void_share"] == round(8 / 4800, 4)
    assert raster["looks_like"] == "surface"
    assert {"surface_model", "feet"} <= set(odd(raster))
    assert raster["height_m"]["max"] > 135


def test_errors_are_one_line_and_the_rest_is_shown(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gpkg"
    bad.write_bytes(b"SQLite format 3\x00" + b"\x00" * 200)
    done = CliRunner(catch_exceptions=False).invoke(
        app, ["inspect", str(bad), str(SAMPLE / "buildings.geojson"), str(tmp_path / "none.shp"), str(tmp_path / "none.tif")],
        standalone_mode=False,
    )  # fmt: skip
    assert done.return_value == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == len(done.stderr.splitlines()) == 3
    assert [name in line for name, line in zip(["bad.gpkg", "none.shp", "none.tif"], lines, strict=True)] == [True] * 3
    assert "buildings.geojson" in done.stdout
    assert "A build of this" in done.stdout
    with pytest.raises(ConfigError, match="no sources"):
        citygen.inspect()
    with pytest.raises(ConfigError, match="unknown attribute"):
        citygen.inspect(SAMPLE / "buildings.geojson", map={"hight": "x"})
    with pytest.raises(InputError, match="no such file"):
        citygen.inspect(SAMPLE / "buildings.geojson", aoi="nowhere.geojson")


def test_hostile_values_do_not_reach_the_terminal() -> None:
    frame = gpd.GeoDataFrame(
        {"id": ["\x1b[2Jx", "b"], "height": ["\x1b]0;owned\x07", "5"], "roof:shape": ["a\nb\x9bx", None]},
        geometry=[shapely.box(0, 0, 0.001, 0.001)] * 2, crs="EPSG:4326",
    )  # fmt: skip
    text = page_of(look(frame)).text()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text.replace("\n", ""))


def test_json_and_config_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("citygen.toml").write_text(
        f'[build]\nbuildings = "{SAMPLE / "buildings.geojson"}"\ndem = "{SAMPLE / "dem.tif"}"\naoi = "{SAMPLE / "aoi.geojson"}"\n'
    )
    before = sorted(Path().iterdir())
    done = CliRunner(catch_exceptions=False).invoke(app, ["inspect", "--json"], standalone_mode=False)
    assert done.return_value == 0
    found = json.loads(done.stdout)
    jsonschema.validate(found, SCHEMA)
    assert [len(found[name]) for name in ("sources", "rasters", "errors")] == [1, 1, 0]
    assert sorted(Path().iterdir()) == before


def _real(testdata: Path) -> list[Path]:
    found = [p for p in sorted((testdata / "realdata").rglob("*")) if p.suffix.lower() in VECTORS | RASTERS]
    assert len(found) > 30
    return found


@pytest.mark.slow
def test_every_real_set_is_inspected(testdata: Path) -> None:
    """Every file: read in full with the row count that GDAL finds, or one clear line; never another exception."""
    seen: Counter[str] = Counter()
    for path in _real(testdata):
        found = look(path)
        assert len(found["sources"]) + len(found["rasters"]) + len(found["errors"]) == 1, path
        for item in found["errors"]:
            seen["error"] += 1
            assert "\n" not in item["error"], path
        for source in found["sources"]:
            seen["source"] += 1
            if path.suffix in {".gpkg", ".shp", ".fgb", ".geojson"}:
                assert source["rows_read"] == pyogrio.read_info(path)["features"], path
        for raster in found["rasters"]:
            seen["raster"] += 1
            assert (raster["looks_like"] == "surface") == ("DSM" in path.name), path
    assert seen["source"] >= 16
    assert seen["raster"] == 7  # the eighth, an ASCII grid, does not say its CRS


def test_what_real_sets_hold_is_found(testdata: Path) -> None:
    real = testdata / "realdata"
    rochelle = real / "01_larochelle_bdtopo_dem"
    found = look(rochelle / "buildings_bdtopo.gpkg", rochelle / "dem_rgealti_1m.tif")
    source = only(found)
    assert source["rows"] == 361
    assert source["crs"]["code"] == "EPSG:2154"
    assert gives(source, "hauteur")
    assert gives(source, "nombre_d_etages")
    assert source["ids"]["duplicates"] == 0
    assert "altitude_minimale_toit" not in options_of(source).values()
    assert "height" not in options_of(source)  # the eave's is known of all; noHauteur is a flag
    assert found["build"]["dem"]["reaches"]
    raster = found["rasters"][0]
    assert raster["size"] == [565, 642]
    assert raster["height_m"]["min"] == pytest.approx(16.70, abs=0.01)
    assert raster["height_m"]["max"] == pytest.approx(27.70, abs=0.01)
    assert raster["void_share"] == pytest.approx(34_984 / (565 * 642), abs=1e-4)
    raw = look(rochelle / "raw_shapefile_no_prj" / "batiments_urock.shp")
    assert "--source-crs" in raw["errors"][0]["error"]
    given = only(look(rochelle / "raw_shapefile_no_prj" / "batiments_urock.shp", source_crs="EPSG:3857"))
    assert odd(given)["names_cut"] == 20
    assert np.allclose(given["extent"]["degrees"], source["extent"]["degrees"], atol=0.01)

    haag = only(look(real / "08_denhaag_lod2_west" / "footprints_west.gpkg"))
    assert gives(haag, "roofType")
    assert gives(haag, "ridge_rel")
    assert gives(haag, "eaves_rel")
    mapped = only(look(real / "08_denhaag_lod2_west" / "footprints_west.gpkg", map={"roof_shape": "roofType"}))
    assert mapped["roof_shapes"]["known"]["gabled"] == 169
    assert mapped["roof_shapes"]["known"]["flat"] == 403
    nrw = only(look(real / "09_nrw_lod2_citygml" / "footprints_5657.gpkg"))
    assert gives(nrw, "roofType")
    assert gives(nrw, "measuredHeight")
    overture = only(look(real / "13_formats_overture_fgb_heights" / "overture_buildings.parquet"))
    assert keys(overture)["height"]["given"] == 39
    olemps = only(look(real / "11_olemps_bdtopo" / "v2" / "BATI_INDIFFERENCIE.shp", map={"eave_height": "hauteur"}))
    assert keys(olemps)["eave_height"]["zero"] == 992
    assert olemps["geometry"]["with_holes"] == 29 or olemps["rows"] == 10_481
    suzhou = only(look(real / "13_formats_overture_fgb_heights" / "suzhou_bd_demo_2.geojson"))
    assert keys(suzhou)["height"]["range"] == {"min": 3.0, "median": 9.0, "max": 84.0}
    assert options_of(suzhou)["levels"] == "Floor"
