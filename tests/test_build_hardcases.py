"""Nasty outlines, files, CRSs and rasters through the whole build: a row each or an error that says what is wrong."""

# ruff: noqa: PT017  a case may build or be refused, and each way has its own demands

import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from builds import accounted, build, rows, triangles
from citygen.errors import CitygenError

_DEM_MUST_FAIL = {"elsewhere.tif", "no-crs.tif", "truncated.tif", "text.tif"}


def _copy(path: Path, to: Path) -> Path:
    """Copy a case to a scratch folder (GDAL writes beside its inputs); return its main file."""
    if path.is_dir():
        shutil.copytree(path, to / path.name)
        return next((to / path.name).glob("*.shp"))
    shutil.copy(path, to)
    return to / path.name


def test_every_raster_of_the_index_builds_or_says_why(testdata: Path, tmp_path: Path) -> None:
    folder = testdata / "hardcases" / "synthetic"
    good = tmp_path / "ok"
    build(good, buildings=[str(_copy(folder / "files/ok.gpkg", tmp_path))], dem=[str(folder / "dem/ok.tif")])
    reference = rows(good)
    low, high = (f([row["ground_z"] for row in reference.values()]) for f in (min, max))
    for path in sorted((folder / "dem").glob("*.tif")):
        out = tmp_path / path.stem
        try:
            build(out, buildings=[str(tmp_path / "ok.gpkg")], dem=[str(_copy(path, tmp_path))])
        except CitygenError as error:
            assert path.name in _DEM_MUST_FAIL | {"all-void.tif"}, f"{path.name}: {error}"
            assert not out.exists(), path.name
            continue
        assert path.name not in _DEM_MUST_FAIL
        found = accounted(out)
        assert len(found) == 15
        for name, row in found.items():
            if row["tile"] is None:
                assert any("ground" in code for code in row["reasons"]), (path.name, name, row["reasons"])
                continue
            corners = np.frombuffer(triangles(out)[name][1], "f4")
            assert np.isfinite(corners[: len(corners) // 2]).all()
            if path.name in {"south-up.tif", "feet.tif", "multiband.tif"}:
                assert row["ground_z"] == pytest.approx(reference[name]["ground_z"], abs=0.05), path.name
            elif path.name not in {"one-pixel.tif", "uint8.tif", "rotated.tif", "huge-sparse-200000x200000.tif"}:
                assert low - 1 <= row["ground_z"] <= high + 1, (path.name, name, row["ground_z"])


def test_torture_geometry_leaves_its_neighbours_alone(testdata: Path, tmp_path: Path) -> None:
    folder = testdata / "hardcases" / "synthetic" / "geometry"
    features = json.loads((folder / "torture.geojson").read_text())["features"]
    ids = [feature["properties"]["id"] for feature in features]
    aoi = "13.35,52.48,13.45,52.56"
    for name in ("torture", "controls-only"):
        build(tmp_path / name, buildings=[str(folder / f"{name}.geojson")], ground_z=30, aoi=aoi)
    report = json.loads((tmp_path / "torture" / "report.json").read_text())
    assert report["rows_read"] == len(features)
    drawn, wanted = triangles(tmp_path / "torture"), triangles(tmp_path / "controls-only")
    assert len(wanted) == 10
    assert {name: drawn[name] for name in wanted} == wanted
    everywhere = tmp_path / "everywhere"
    build(everywhere, buildings=[str(folder / "torture.geojson")], ground_z=30)
    found = accounted(everywhere)
    assert len(found) == len(features)
    assert {name.partition("#")[0] for name in found} >= {i for i in ids if i}


def test_one_outlier_does_not_hide_where_a_town_lies(tmp_path: Path) -> None:
    """The working CRS comes from the believable rows; the outlier has its own row."""
    good = gpd.GeoDataFrame(
        {"id": [f"g{k}" for k in range(500)]},
        geometry=shapely.box(
            *(np.array([2.35, 48.85, 2.3501, 48.8501])[:, None] + 0.0003 * np.arange(500)[None] % 0.01)
        ),
        crs=4326,
    )
    bad = gpd.GeoDataFrame({"id": ["wild"]}, geometry=[shapely.box(1e7, 1e7, 1e7 + 1, 1e7 + 1)], crs=4326)
    gpd.GeoDataFrame(
        np.vstack([good.to_numpy(), bad.to_numpy()]), columns=good.columns, geometry="geometry", crs=4326
    ).to_file(tmp_path / "town.gpkg")
    outcome = build(tmp_path / "out", buildings=[str(tmp_path / "town.gpkg")], ground_z=0, id_column="id")
    found = accounted(tmp_path / "out")
    assert len(found) == 501
    assert found["wild"]["reasons"] == ["coordinates_out_of_range"]
    assert "zone 31N" in outcome.report["crs"]


def test_an_area_that_the_working_crs_cannot_hold_is_refused(tmp_path: Path) -> None:
    good = gpd.GeoDataFrame({"id": ["a"]}, geometry=[shapely.box(174.7, -36.9, 174.7001, -36.8999)], crs=4326)
    good.to_file(tmp_path / "a.gpkg")
    for crs in ("EPSG:32631", "EPSG:2154", "EPSG:7415", "EPSG:5041"):
        try:
            build(tmp_path / crs[5:], buildings=[str(tmp_path / "a.gpkg")], ground_z=0, aoi="174,-37,175,-36", crs=crs)
        except CitygenError as error:
            assert len(str(error)) > 20
            assert not (tmp_path / crs[5:]).exists()
            continue
        assert len(accounted(tmp_path / crs[5:])) == 1


def test_a_matrix_set_from_a_file_is_part_of_what_a_run_is(tmp_path: Path) -> None:
    import morecantile

    from citygen.errors import OutputError

    grid = tmp_path / "set.json"
    shutil.copy(Path(morecantile.__file__).parent / "data" / "WebMercatorQuad.json", grid)
    source = gpd.GeoDataFrame({"id": ["a"]}, geometry=[shapely.box(2.35, 48.85, 2.3502, 48.8502)], crs=4326)
    source.to_file(tmp_path / "a.gpkg")
    options = {"buildings": [str(tmp_path / "a.gpkg")], "ground_z": 0, "grid": f"{grid}:16"}
    build(tmp_path / "out", **options)
    assert next((tmp_path / "out" / "tiles").rglob("*.glb")).parent.name == "16"
    build(tmp_path / "out", **options)
    grid.write_text(grid.read_text().replace('"title"', '"Title"', 1) + "\n")
    with pytest.raises(OutputError, match="other inputs"):
        build(tmp_path / "out", **options)
