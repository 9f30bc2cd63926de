"""Real sources through a column map: BD TOPO's ``hauteur`` and the two heights of the Den Haag footprints."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pytest

from citygen.attributes.dialect import recognise_dialect
from citygen.attributes.options import AttributeOptions
from citygen.attributes.read import read_attributes
from citygen.outcome import verdicts


def load(source: Path, scratch: Path) -> pa.Table:
    path = scratch / source.name
    shutil.copyfile(source, path)
    return pyogrio.read_arrow(path)[1]


@pytest.mark.parametrize("key", ["height", "eave_height"])
def test_la_rochelle_hauteur(testdata: Path, tmp_path: Path, key: str) -> None:
    table = load(testdata / "realdata" / "01_larochelle_bdtopo_dem" / "buildings_bdtopo.gpkg", tmp_path)
    options = AttributeOptions(column_map={key: "hauteur", "levels": "nombre_d_etages", "class": "usage_1"})
    table = table.append_column("dialect", [["plain"] * table.num_rows])
    attributes, findings = read_attributes(table, np.full(table.num_rows, 100.0), options)
    read, other = attributes.height_m, attributes.eave_height_m
    if key == "eave_height":
        read, other = other, read
    assert np.array_equal(read, table["hauteur"].to_numpy())
    assert np.isnan(other).all()
    assert (attributes.height_from == key).all()
    assert np.count_nonzero(~np.isnan(attributes.levels)) == 226
    # 22 of the source's own rows give less than 1.5 m a storey, as 3 m with three storeys
    thin = np.flatnonzero((attributes.levels * 1.5 > read) & (attributes.levels > 1))
    assert len(thin) == 22
    assert [(f.code, f.rows.tolist()) for f in findings] == [("height_contradiction", thin.tolist())]


def test_la_rochelle_hauteur_is_the_eave(testdata: Path, tmp_path: Path) -> None:
    """BD TOPO measures up to the gutter: its own altitudes say so, hence ``--map eave_height=hauteur``."""
    table = load(testdata / "realdata" / "01_larochelle_bdtopo_dem" / "buildings_bdtopo.gpkg", tmp_path)
    above = {
        name: np.nanmedian(
            table[name].to_numpy() - table["altitude_minimale_sol"].to_numpy() - table["hauteur"].to_numpy()
        )
        for name in ("altitude_minimale_toit", "altitude_maximale_toit")
    }
    assert above["altitude_minimale_toit"] == pytest.approx(0.0, abs=0.05)
    assert above["altitude_maximale_toit"] > 0.5


def test_den_haag_both_heights(testdata: Path, tmp_path: Path) -> None:
    table = load(testdata / "realdata" / "08_denhaag_lod2_west" / "footprints_west.gpkg", tmp_path)
    assert recognise_dialect(table.column_names) == "citygml"
    options = AttributeOptions(column_map={"part_of": "building_id"})
    attributes, findings = read_attributes(table, np.full(table.num_rows, 100.0), options)
    assert len(attributes) == 632
    assert np.array_equal(attributes.height_m, table["ridge_rel"].to_numpy())
    assert np.array_equal(attributes.eave_height_m, table["eaves_rel"].to_numpy())
    assert (attributes.height_from == "height").all()
    assert np.count_nonzero(attributes.roof_shape == "gabled") == 169
    assert attributes.part_hint.tolist() == [name or "" for name in table["building_id"].to_pylist()]
    assert findings == []


def test_olemps_heights_of_zero_are_noted_and_storeys_stand_in(testdata: Path, tmp_path: Path) -> None:
    folder = testdata / "realdata" / "11_olemps_bdtopo" / "v3"
    for part in folder.glob("BATIMENT.*"):
        shutil.copyfile(part, tmp_path / part.name)
    _, table = pyogrio.read_arrow(tmp_path / "BATIMENT.shp")
    options = AttributeOptions(column_map={"eave_height": "HAUTEUR", "levels": "NB_ETAGES"})
    attributes, findings = read_attributes(table, np.full(table.num_rows, 100.0), options)
    given = np.nan_to_num(table["HAUTEUR"].to_numpy())
    assert (np.count_nonzero(given == 0), table.num_rows) == (269 + 15, 2273)
    assert np.array_equal(attributes.eave_height_m[given > 0], given[given > 0])
    assert ((attributes.height_from == "eave_height") == (given > 0)).all()
    _, codes, _ = verdicts(len(attributes), findings)
    zero = table["HAUTEUR"].to_numpy() == 0
    assert all({"height_zero", "height_contradiction"} & set(row) for row in codes[zero])
    assert all(
        ("height_default" in row) == (how == "default") for row, how in zip(codes, attributes.height_from, strict=True)
    )
