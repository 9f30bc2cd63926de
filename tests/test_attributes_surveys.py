"""The dialects of two surveys, BD TOPO and New York City: recognised in every spelling of their columns, codes to words, units."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pytest

import citygen
from builds import plots
from citygen.attributes.dialect import recognise_dialect
from citygen.attributes.options import AttributeOptions
from citygen.attributes.read import read_attributes
from citygen.model.attributes import Attributes
from citygen.outcome import verdicts


def read(table: pa.Table, dialect: str) -> tuple[Attributes, list[list[str]]]:
    told = table.append_column("dialect", [[dialect] * table.num_rows])
    attributes, findings = read_attributes(told, np.full(table.num_rows, 100.0), AttributeOptions())
    return attributes, verdicts(table.num_rows, findings)[1].tolist()


@pytest.mark.parametrize(
    ("columns", "dialect"),
    [
        (["id", "prec_plani", "prec_alti", "origin_bat", "hauteur", "z_min", "z_max"], "bdtopo"),
        (["ID", "NATURE", "USAGE1", "HAUTEUR", "NB_ETAGES", "MAT_MURS", "Z_MIN_SOL"], "bdtopo"),
        (["cleabs", "nature", "usage_1", "hauteur", "nombre_d_etages", "materiaux_des_murs"], "bdtopo"),
        (["id", "nature", "usage_1", "constructi", "hauteur", "nombre_d_e", "altitude_m"], "bdtopo"),
        (["ID", "HAUTEUR"], "plain"),
        (["building", "roof:shape", "hauteur"], "osm"),
        (["BIN", "CNSTRCT_YR", "HEIGHTROOF", "FEAT_CODE", "GROUNDELEV", "DOITT_ID"], "nyc"),
        (["bin", "construction_year", "height_roof", "feature_code", "ground_elevation"], "nyc"),
        (["height_roof", "bin"], "plain"),
    ],
)
def test_columns_name_the_survey(columns: list[str], dialect: str) -> None:
    assert recognise_dialect(columns) == dialect


def test_bd_topo_words() -> None:
    table = pa.table(
        {
            "HAUTEUR": [6.5, 0.0, None, 4.0, 5.0],
            "NB_ETAGES": [2.0, 2.0, None, None, 1.0],
            "NATURE": ["Indifférenciée", "Église", "Serre", "Indiff\u00c3\u00a9renci\u00c3\u00a9e", "Pagode"],
            "USAGE1": ["Résidentiel", None, None, "Annexe", None],
            "LEGER": ["Non", "Non", "Oui", "Oui", None],
            "MAT_MURS": ["10", "50", "00", "05", "73"],
            "MAT_TOITS": ["20", "01", "90", None, "10"],
        }
    )
    attributes, codes = read(table, "bdtopo")
    assert attributes.eave_height_m[[0, 3, 4]].tolist() == [6.5, 4.0, 5.0]
    assert attributes.height_from.tolist() == ["eave_height", "levels", "default", "eave_height", "eave_height"]
    assert attributes.class_name.tolist() == ["residential", "church", "greenhouse", "shed", "pagode"]
    assert attributes.wall_material.tolist() == ["stone", "cement_block", "", "cement_block", "73"]
    assert attributes.roof_material.tolist() == ["slate", "roof_tiles", "", "", "roof_tiles"]
    assert codes == [[], ["height_contradiction"], ["height_default"], [], ["material_unknown"]]


def test_new_york_is_in_feet() -> None:
    table = pa.table(
        {
            "HEIGHT_ROOF": [100.0, 0.0, 12.5],
            "FEATURE_CODE": [2100, 5110, 5110],
            "GROUND_ELEVATION": [40, 41, 42],
            "BIN": [1000001, 1000002, 1000003],
        }
    )
    attributes, codes = read(table, "nyc")
    assert attributes.height_m.tolist() == pytest.approx([30.48, np.nan, 3.81], nan_ok=True)
    assert attributes.class_name.tolist() == ["", "garage", "garage"]
    assert attributes.eave_height_m[1] == 2.7
    assert codes == [[], ["height_zero", "height_default"], []]


def test_a_column_that_the_user_maps_elsewhere_is_not_read_as_the_dialect_would() -> None:
    table = pa.table({"HAUTEUR": [6.0], "NB_ETAGES": [2.0], "dialect": ["bdtopo"]})
    options = AttributeOptions(column_map={"height": "HAUTEUR"})
    attributes, _ = read_attributes(table, np.zeros(1), options)
    assert (attributes.height_m[0], np.isnan(attributes.eave_height_m[0])) == (6.0, True)


def test_the_report_names_the_dialect_of_each_source() -> None:
    frame = plots(3).rename(columns={"height": "HEIGHT_ROOF"}).drop(columns="roof:shape")
    frame["FEATURE_CODE"], frame["BIN"] = 2100, 1
    city = citygen.build(frame, ground_z=0)
    assert [source["dialect"] for source in city.report["sources"]] == ["nyc"]
    assert city.buildings["height_m"].to_list() == pytest.approx([6 * 0.3048, 7 * 0.3048, 8 * 0.3048])


def test_la_rochelle_and_olemps_are_recognised_and_understood(testdata: Path, tmp_path: Path) -> None:
    """Real files in three spellings of the columns: every height is the eave, few words are left over."""
    for name, known in (
        ("01_larochelle_bdtopo_dem/buildings_bdtopo.gpkg", 361),
        ("01_larochelle_bdtopo_dem/raw_shapefile_no_prj/batiments_urock.shp", 361),
        ("11_olemps_bdtopo/v3/BATIMENT.shp", 1989),
        ("11_olemps_bdtopo/v2/BATI_REMARQUABLE.shp", 64),
    ):
        source = testdata / "realdata" / name
        for part in source.parent.glob(f"{source.stem}.*"):
            shutil.copyfile(part, tmp_path / part.name)
        _, table = pyogrio.read_arrow(tmp_path / source.name)
        assert recognise_dialect(table.column_names) == "bdtopo", name
        attributes, _ = read(table, "bdtopo")
        assert int((attributes.height_from == "eave_height").sum()) == known, name
        words = set(attributes.class_name.tolist())
        assert words <= {"", "3", "6", "residential", "shed", "commercial", "industrial", "barn", "greenhouse", "church",
                         "chapel", "grandstand", "religious", "tower", "civic", "sports_hall",
                         "silo", "government", "train_station"}, name  # fmt: skip
