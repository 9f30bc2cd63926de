"""A notebook's way: frames in, a city out; its table, meshes, picture and folder, and errors that say what to do."""

import gc
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import citygen
from builds import SAMPLE, content, plots, rows
from citygen.errors import ConfigError, InputError, MissingCRSError, OutputError


@pytest.fixture(scope="module")
def city() -> citygen.City:
    frame = plots(12)
    frame.loc[5, "geometry"] = None
    frame.loc[6, "geometry"] = shapely.Polygon(
        [(500300, 5150000), (500320, 5150010), (500320, 5150000), (500300, 5150010)]
    )
    return citygen.build(frame, ground_z=100)


def test_a_frame_gives_a_city_and_stays_as_it_was() -> None:
    frame = plots(5)
    before = frame.copy(deep=True)
    made = citygen.build(frame, ground_z=10)
    pd.testing.assert_frame_equal(frame, before)
    assert frame.crs == before.crs
    assert made.buildings.index.tolist() == frame["id"].tolist()
    assert made.buildings["ridge_z"].tolist() == [10 + height for height in frame["height"]]
    assert made.buildings.crs.is_projected


def test_meshes_are_closed_and_in_place(city: citygen.City) -> None:
    row = city.buildings.loc["house-3"]
    mesh = city.mesh("house-3")
    assert mesh.is_volume
    assert mesh.volume == pytest.approx(row["volume_m3"], rel=1e-4)
    (x0, y0, z0), (x1, y1, z1) = mesh.bounds
    assert np.allclose([x0, y0, x1, y1], row.geometry.bounds, atol=2e-3)
    assert (z0, z1) == (pytest.approx(row["base_z"], abs=1e-3), pytest.approx(row["ridge_z"], abs=1e-3))
    degraded = city.buildings.loc["house-6"]
    assert degraded["outcome"] == "degraded"
    assert city.mesh("house-6").is_volume


def test_what_was_not_built_has_no_mesh_and_says_why(city: citygen.City) -> None:
    with pytest.raises(ValueError, match=r"'house-5' was not built: rejected \(geometry_empty\)"):
        city.mesh("house-5")
    with pytest.raises(KeyError):
        city.mesh("nobody")


def test_an_outline_behind_its_parts_has_no_mesh_but_they_have(sample_out: Path) -> None:
    made = citygen.open_city(sample_out)
    outline = next(i for i, row in rows(sample_out).items() if "replaced_by_parts" in row["reasons"])
    parts = made.buildings[made.buildings["part_of"] == outline]
    assert len(parts) > 1
    with pytest.raises(ValueError, match="replaced_by_parts"):
        made.mesh(outline)
    assert all(made.mesh(i).is_volume for i in parts.index if parts.loc[i, "tile"] is not None)
    assert parts["ground_z"].dropna().nunique() == 1


def test_save_copies_and_never_removes_what_is_not_its_own(city: citygen.City, tmp_path: Path) -> None:
    saved = city.save(tmp_path / "new" / "city")
    assert content(saved) == content(city.out)
    assert not (saved / ".citygen").exists()
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="overwrite=True"):
        city.save(saved)
    city.save(saved, overwrite=True)
    assert (saved / "notes.txt").read_text() == "mine"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "report.json").write_text("{}")
    with pytest.raises(OutputError):
        city.save(foreign, overwrite=True)
    again = citygen.open_city(saved)
    assert again.save(saved, overwrite=True) == saved
    assert again.mesh("house-1").is_volume


def test_a_temporary_city_goes_with_its_object_and_a_failed_one_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = citygen.build(plots(2), ground_z=0)
    folder = made.out
    assert folder.is_relative_to(tmp_path)
    assert made.report["footprints"] == 2
    del made
    gc.collect()
    assert not folder.exists()
    with pytest.raises(InputError):
        citygen.build(plots(2), ground_z=0, aoi="10,50,10.1,50.1")
    assert list(tmp_path.iterdir()) == []


def test_changed_data_in_memory_is_another_run(tmp_path: Path) -> None:
    citygen.build(plots(4), ground_z=0, out=tmp_path / "out")
    other = plots(4)
    other["height"] += 1
    with pytest.raises(OutputError, match="other inputs"):
        citygen.build(other, ground_z=0, out=tmp_path / "out")
    made = citygen.build(other, ground_z=0, out=tmp_path / "out", overwrite=True)
    assert made.buildings["height_m"].tolist() == other["height"].tolist()
    assert citygen.build(other, ground_z=0, out=tmp_path / "out").report["footprints"] == 4


def test_areas_as_geometry_mapping_box_and_file(tmp_path: Path) -> None:
    frame = plots(40)
    half = shapely.box(499_990, 5_149_990, 500_390, 5_150_200)
    degrees = gpd.GeoSeries([half], crs=frame.crs).to_crs(4326)
    degrees.to_file(tmp_path / "area.geojson")
    shape = degrees.iloc[0]
    areas = [shape, shapely.geometry.mapping(shape), tmp_path / "area.geojson", ",".join(map(repr, shape.bounds))]
    found = [citygen.build(frame, ground_z=0, aoi=area, crs="EPSG:32631").buildings.index.tolist() for area in areas]
    assert found[0] == found[1] == found[2] == found[3]
    assert 0 < len(found[0]) < 40


def test_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gird: there is no such option; did you mean grid"):
        citygen.build(plots(1), ground_z=0, gird="metric:100")
    with pytest.raises(ConfigError, match="--dem"):
        citygen.build(plots(1))
    with pytest.raises(MissingCRSError, match=r"source.crs"):
        citygen.build(plots(1).set_crs(None, allow_override=True), ground_z=0)
    with pytest.raises(InputError, match="geometry"):
        citygen.build(pd.DataFrame({"a": [1]}), ground_z=0)
    with pytest.raises(InputError, match=r"report\.json"):
        citygen.open_city(tmp_path)


def test_frames_and_files_together_with_a_dem(tmp_path: Path) -> None:
    frame = gpd.read_file(SAMPLE / "buildings.geojson").head(50)
    frame.iloc[:25].to_parquet(tmp_path / "half.parquet")
    made = citygen.build([tmp_path / "half.parquet", frame.iloc[25:]], dem=SAMPLE / "dem.tif", id_column="id")
    assert len(made.buildings) == 50
    assert set(made.buildings["source"]) == {"half", "footprints"}
    picture = made.plot(size=(320, 200))
    assert picture.size == (320, 200)
    assert np.asarray(picture).std() > 5, "an empty picture"
    assert made._repr_png_().startswith(b"\x89PNG")
    assert repr(made).startswith("City(50 footprints: ")
