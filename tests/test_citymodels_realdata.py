"""
Real city models, built: every object with a surface has its row, codes become the right shapes, heights are the model's.

The references are the models' own numbers, read here by other code than citygen's: plain JSON, and the GeoPackages that
stand beside the models. Heights are compared above each building's ground, on level ground at zero.
"""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

import citygen
from builds import build

OGC = {"1000": "flat", "1010": "skillion", "1030": "gabled", "1040": "hipped", "1070": "pyramidal", "1120": "pyramidal"}
ADV = {"1000": "flat", "2100": "skillion", "3100": "gabled", "3200": "hipped"}
VAGUE = {"1130": "combination (1130)", "5000": "mixed (5000)", "9999": "other (9999)"}

HAAG = "08_denhaag_lod2_west"
NRW = "09_nrw_lod2_citygml"
LOD2 = "10_lod2_3dbag_denhoorn_zurich"
DELFT = "07_delft_bgt_ahn3"

FILES = {
    "haag-json": (f"{HAAG}/denhaag_west_lod2.city.json", HAAG),
    "haag-gpkg": (f"{HAAG}/footprints_west.gpkg", HAAG),
    "nrw-gml": (f"{NRW}/LoD2_32_280_5657_1_NW.gml", NRW),
    "nrw-gpkg": (f"{NRW}/footprints_5657.gpkg", NRW),
}


@pytest.fixture(scope="module")
def built(testdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that builds a file on level ground at zero, once: its table by id, and its folder."""
    made: dict[str, tuple[pd.DataFrame, Path]] = {}

    def of(name: str) -> tuple[pd.DataFrame, Path]:
        if name not in made:
            out = tmp_path_factory.mktemp("city") / "out"
            build(out, buildings=[str(testdata / "realdata" / name)], ground_z=0.0, workers=1)
            made[name] = pd.read_parquet(out / "buildings.parquet").set_index("id"), out
        return made[name]

    return of


def reference(testdata: Path, folder: str) -> pd.DataFrame:
    """Return the source's code, top and lowest roof point above ground, and area by id, of the GeoPackage beside a model."""
    if folder == HAAG:
        table = gpd.read_file(testdata / "realdata" / HAAG / "footprints_west.gpkg").set_index("id")
        return pd.DataFrame(
            {"code": table.roofType, "top": table.ridge_rel, "eave": table.eaves_rel, "area": table.area}
        )
    table = gpd.read_file(testdata / "realdata" / NRW / "footprints_5657.gpkg").set_index("id")
    eave = table.roof_zmin_model - table.ground_z_model
    return pd.DataFrame({"code": table.roofType, "top": table.measuredHeight, "eave": eave, "area": table.area})


@pytest.mark.parametrize("name", FILES)
def test_every_id_codes_to_shapes_and_ridges(built: Any, testdata: Path, name: str) -> None:
    path, folder = FILES[name]
    got, _ = built(path)
    truth = reference(testdata, folder)
    assert got.index.is_unique
    assert set(got.index) == set(truth.index)
    got = got.loc[truth.index]
    assert (got.outcome != "rejected").all()
    words = truth.code.map({**(OGC if folder == HAAG else ADV), **VAGUE})
    assert got.roof_asked.tolist() == words.tolist()
    built_as = words.where(~truth.code.isin(VAGUE), "flat")
    assert got.roof_shape.tolist() == built_as.tolist()
    vague = pd.Series(["roof_vague" in codes for codes in got.reasons], truth.index)
    assert (vague == truth.code.isin(VAGUE)).all()
    assert (got.height_from == "height").all()
    assert np.abs(got.height_m - truth.top).max() < 1e-9
    kept = pd.Series(["footprint_spikes_removed" not in codes for codes in got.reasons], truth.index)
    assert (~kept).sum() <= 2
    assert (np.abs(got.footprint_area_m2 / truth.area - 1)[kept] < 1e-3).all()  # two map projections


@pytest.mark.parametrize("name", ["haag-json", "nrw-gml"])
def test_solids_are_as_high_as_the_models(built: Any, testdata: Path, name: str) -> None:
    """Measured on the meshes, not on the table: their tops over all, and the lowest points of pitched roofs."""
    path, folder = FILES[name]
    got, out = built(path)
    truth = reference(testdata, folder)
    city = citygen.open_city(out)
    pitched = truth[truth.code.isin(["1030", "1040", "3100", "3200", "2100", "1070", "1120"])]
    worst = 0.0
    for each in sorted(pitched.index)[::4]:
        mesh = city.mesh(each)
        low, high = mesh.bounds[:, 2]
        worst = max(worst, abs(high - low - (pitched.top[each])))
        assert abs(got.eave_z[each] - pitched.eave[each]) < 0.1
    assert len(pitched) > 50
    assert worst < 0.1


def test_den_haag_on_its_own_terrain(testdata: Path, tmp_path: Path) -> None:
    folder = testdata / "realdata" / HAAG
    build(
        tmp_path / "out",
        buildings=[str(folder / "denhaag_west_lod2.city.json")],
        dem=[str(folder / "dem_tin_1m_west.tif")],
        workers=1,
    )
    got = pd.read_parquet(tmp_path / "out" / "buildings.parquet").set_index("id")
    truth = gpd.read_file(folder / "footprints_west.gpkg").set_index("id")
    got = got.loc[truth.index]
    assert np.abs(got.height_m - truth.ridge_rel).max() < 0.1
    # absolute ridges differ where the terrain and the models' own ground do, as under parts that stand on other parts
    lift = got.ridge_z - truth.ridge_abs
    assert np.allclose(lift, got.ground_z - (truth.ridge_abs - truth.ridge_rel), atol=1e-6)
    assert (lift.abs() < 0.1).sum() >= 617
    assert abs(lift.median()) < 0.01


def surfaces_by_id(path: Path) -> set[str]:
    """Return the ids of buildings and parts with geometry, by nothing but a JSON parser."""
    text = path.read_text(encoding="utf-8")
    models = [json.loads(text)] if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    return {
        name
        for model in models
        for name, thing in model["CityObjects"].items()
        if thing["type"] in ("Building", "BuildingPart") and thing.get("geometry")
    }


@pytest.mark.parametrize(
    ("name", "count"),
    [
        (f"{LOD2}/3dbag_tile901_denhoorn.city.jsonl", 104),
        (f"{LOD2}/zurich_subset_lod2.city.json", 161),
        (f"{DELFT}/lod22_3dbag_west.city.jsonl", 8),
    ],
)
def test_every_object_with_a_surface_is_accounted_for(built: Any, testdata: Path, name: str, count: int) -> None:
    got, _ = built(name)
    assert got.index.is_unique
    assert set(got.index) == surfaces_by_id(testdata / "realdata" / name)
    assert len(got) == count
    assert (got.outcome != "rejected").all()
    assert (got[got.footprint_area_m2 > 0].height_from == "height").all()


def test_nrw_file_has_no_other_buildings(testdata: Path) -> None:
    root = ET.parse(testdata / "realdata" / FILES["nrw-gml"][0]).getroot()
    space = "{http://www.opengis.net/citygml/building/1.0}"
    own = [
        e
        for e in root.iter()
        if e.tag in (f"{space}Building", f"{space}BuildingPart") and e.find(f"{space}boundedBy") is not None
    ]
    assert len(own) == 113
    assert {e.get("{http://www.opengis.net/gml}id") for e in own} == set(reference(testdata, NRW).index)


def test_3dbag_parts_take_their_buildings_place_and_height(built: Any, testdata: Path) -> None:
    path = testdata / "realdata" / LOD2 / "3dbag_tile901_denhoorn.city.jsonl"
    got, _ = built(f"{LOD2}/3dbag_tile901_denhoorn.city.jsonl")
    objects: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        objects |= json.loads(line)["CityObjects"]
    checked = 0
    for name, thing in objects.items():
        if thing["type"] == "BuildingPart":
            said = objects[thing["parents"][0]]["attributes"]
            assert got.height_m[name] == pytest.approx(said["h_dak_max"] - said["h_maaiveld"], abs=1e-5)
            slanted = said["dak_type"] == "slanted"
            assert ("roof_vague" in got.reasons[name]) == slanted
            assert got.roof_asked[name] == ("slanted" if slanted else "flat")
            assert got.part_of[name] == thing["parents"][0]
            checked += 1
    assert checked == 52
