"""Every row of the area gets one row in the catalogue, whatever is wrong with it, and no other row changes for it."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from builds import accounted, build, plots, rows, triangles, write_parquet
from citygen.errors import CoverageError, InputError


def _broken() -> list[tuple[str, bytes | None, str]]:
    """Id, WKB, and the reason that its row has to give."""
    x, y = 500_400.0, 5_150_400.0
    ring = [(x, y), (x + 10, y), (x + 10, y + 10), (x, y + 10)]
    nan = shapely.Polygon([(x, y), (x + 10, y), (np.nan, y + 10)])
    cut = shapely.to_wkb(shapely.Polygon(ring))[:-9]
    return [
        ("null", None, "geometry_empty"),
        ("empty", shapely.to_wkb(shapely.Polygon()), "geometry_empty"),
        ("bytes", b"\x01\x03\x00", "geometry_unreadable"),
        ("cut", cut, "geometry_unreadable"),
        ("nan", shapely.to_wkb(nan), "coordinates_out_of_range"),
        ("infinite", shapely.to_wkb(shapely.Polygon([(x, y), (x + 1, y), (np.inf, y)])), "coordinates_out_of_range"),
        ("huge", shapely.to_wkb(shapely.box(1e30, 1e30, 2e30, 2e30)), "coordinates_out_of_range"),
        ("point", shapely.to_wkb(shapely.Point(x, y)), "geometry_not_areal"),
        ("line", shapely.to_wkb(shapely.LineString(ring)), "geometry_not_areal"),
        ("flat", shapely.to_wkb(shapely.Polygon([(x, y), (x + 5, y), (x + 10, y)])), "footprint_no_area"),
        ("speck", shapely.to_wkb(shapely.box(x, y, x + 0.01, y + 0.01)), "footprint_no_area"),
        ("country", shapely.to_wkb(shapely.box(x - 5e4, y - 5e4, x + 5e4, y + 5e4)), "footprint_too_large"),
    ]


def _source(path: Path, n: int, broken: list[tuple[str, bytes | None, str]]) -> Path:
    good = plots(n)
    ids = [*good["id"], *(name for name, _, _ in broken)]
    wkb = [*shapely.to_wkb(good.geometry.to_numpy()), *(data for _, data, _ in broken)]
    heights = pa.array([*good["height"], *(7.0 for _ in broken)])
    shapes = pa.array([*good["roof:shape"], *("gabled" for _ in broken)])
    columns = {"id": pa.array(ids), "height": heights, "roof:shape": shapes}
    return write_parquet(path, columns, wkb, "EPSG:32631")


def test_broken_rows_have_their_row_and_change_no_other(tmp_path: Path) -> None:
    broken = _broken()
    mixed = _source(tmp_path / "mixed.parquet", 500, broken)
    alone = _source(tmp_path / "alone.parquet", 500, [])
    build(tmp_path / "a", buildings=[str(mixed)], ground_z=100)
    build(tmp_path / "b", buildings=[str(alone)], ground_z=100)
    found = accounted(tmp_path / "a")
    assert len(found) == 500 + len(broken)
    for name, _, reason in broken:
        assert (found[name]["outcome"], found[name]["reasons"][-1]) == ("rejected", reason), name
    geo = json.loads(pq.read_schema(tmp_path / "a" / "buildings.parquet").metadata[b"geo"])["columns"]["geometry"]
    present = set(gpd.read_parquet(tmp_path / "a" / "buildings.parquet").geom_type.dropna())
    assert {"Point", "LineString"} <= present
    assert not geo["geometry_types"] or present <= set(geo["geometry_types"])
    good, wanted = triangles(tmp_path / "a"), triangles(tmp_path / "b")
    assert good == wanted
    assert len(wanted) == 500


def test_a_source_of_nothing_but_broken_rows_is_accounted_for(tmp_path: Path) -> None:
    source = _source(tmp_path / "bad.parquet", 0, _broken()[:5])
    outcome = build(tmp_path / "out", buildings=[str(source)], ground_z=0)
    assert outcome.report["outcomes"] == {"ok": 0, "degraded": 0, "rejected": 5}
    assert len(accounted(tmp_path / "out")) == 5
    assert outcome.report["tiles"] == 0
    assert "children" not in json.loads((tmp_path / "out" / "tileset.json").read_text())["root"]


def test_a_source_without_rows_is_said_to_be_empty(tmp_path: Path) -> None:
    source = _source(tmp_path / "none.parquet", 0, [])
    with pytest.raises(InputError, match=r"none\.parquet.*no rows"):
        build(tmp_path / "out", buildings=[str(source)], ground_z=0)
    with pytest.raises(CoverageError, match="no footprint"):
        build(tmp_path / "out", buildings=[str(source)], ground_z=0, aoi="3,46,3.1,46.6")
    assert not (tmp_path / "out").exists()


def test_an_id_that_another_source_has_is_no_fault_of_the_row(tmp_path: Path) -> None:
    for k, name in enumerate(("first", "second")):
        frame = plots(3)
        frame["id"] = ["a", "b", "b"] if k else ["a", "b", "c"]
        frame.geometry = frame.translate(xoff=500 * k)
        frame.to_parquet(tmp_path / f"{name}.parquet")
    sources = [str(tmp_path / f"{name}.parquet") for name in ("first", "second")]
    build(tmp_path / "out", buildings=sources, ground_z=0, id_column="id", default_height=6)
    found = accounted(tmp_path / "out")
    told = {name: (row["outcome"], [code for code in row["reasons"] if "id" in code]) for name, row in found.items()}
    assert told == {
        **dict.fromkeys("abc", ("ok", [])),
        "a#2": ("ok", ["id_of_other_source"]),
        "b#2": ("ok", ["id_of_other_source"]),
        "b#3": ("degraded", ["duplicate_id"]),
    }


def test_ids_are_made_unique_and_never_taken_from_another_row(tmp_path: Path) -> None:
    frame = plots(9)
    frame["id"] = ["a", "a", "a#2", "b", "b", "b", "b#2", "c", "a"]
    frame.loc[8, "geometry"] = None
    frame.to_parquet(tmp_path / "twice.parquet")
    build(tmp_path / "out", buildings=[str(tmp_path / "twice.parquet")], ground_z=0, id_column="id")
    found = accounted(tmp_path / "out")
    assert set(found) == {"a", "a#2", "a#3", "a#4", "b", "b#2", "b#3", "b#4", "c"}
    renamed = {name for name, row in found.items() if "duplicate_id" in row["reasons"]}
    assert renamed >= {"a#3", "b#3", "b#4"}
    assert {"a", "a#2", "b", "b#2", "c"}.isdisjoint(renamed)
    assert "geometry_empty" in found["a#4"]["reasons"]
    assert found["a#3"]["details"][found["a#3"]["reasons"].index("duplicate_id")] == "a"
    places = {name: shapely.from_wkb(row["geometry"]).centroid.x for name, row in found.items() if row["tile"]}
    assert places["a"] < places["a#3"] < places["a#2"]


def test_two_sources_of_one_name_with_null_ids_and_columns_of_two_types(tmp_path: Path) -> None:
    one, two = plots(3), plots(3)
    one["id"] = ["x", None, "y"]
    two["id"] = [None, None, "x"]
    two["geometry"] = two.translate(0, 40)
    two["height"] = ["6 m", "7", "tall"]
    one["tile"] = two["outcome"] = ["mine", "mine", "mine"]
    one["height"] = np.array([6.25, np.nan, 7.1], dtype="float32")
    for folder, frame in (("p", one), ("q", two)):
        (tmp_path / folder).mkdir()
        frame.to_parquet(tmp_path / folder / "town.parquet")
    sources = [str(tmp_path / folder / "town.parquet") for folder in "pq"]
    build(tmp_path / "out", buildings=sources, ground_z=0, id_column="id", default_height=5)
    found = accounted(tmp_path / "out")
    assert len(found) == 6
    assert sorted(row["source"] for row in found.values()) == ["town"] * 3 + ["town#2"] * 3
    assert found["x"]["source"] == "town"
    assert found["x#2"]["source"] == "town#2"
    assert {row["tile"] for row in found.values()}.isdisjoint({"mine", None})
    one_alone = tmp_path / "alone"
    build(one_alone, buildings=sources[:1], ground_z=0, id_column="id", default_height=5)
    for name, row in rows(one_alone).items():
        assert row["height_m"] == found[name]["height_m"], "another source's column type changed a value"
        assert row["height_from"] == found[name]["height_from"]


def test_rows_outside_the_area_are_only_counted(tmp_path: Path) -> None:
    frame = plots(400)
    frame.to_file(tmp_path / "town.gpkg")
    hole = shapely.box(500_200, 5_150_200, 500_290, 5_150_290)
    area = shapely.box(500_050, 5_150_050, 500_500, 5_150_500) - hole
    gpd.GeoSeries([area], crs="EPSG:32631").to_file(tmp_path / "area.gpkg")
    outcome = build(tmp_path / "out", buildings=[str(tmp_path / "town.gpkg")], ground_z=0, aoi=tmp_path / "area.gpkg")
    found = accounted(tmp_path / "out")
    wanted = set(frame["id"][frame.intersects(area)])
    assert set(found) == wanted
    assert outcome.report["rows_read"] == 400
    assert outcome.report["rows_outside_aoi"] == 400 - len(wanted)


def test_a_far_row_is_outside_not_broken(tmp_path: Path) -> None:
    frame = plots(4).to_crs(4326)
    frame.loc[3, "geometry"] = shapely.box(-175, -41, -174.99, -40.99)
    outcome = None
    for name in ("far.parquet", "far.geojson"):
        path = tmp_path / name
        frame.to_parquet(path) if name.endswith("parquet") else frame.to_file(path)
        outcome = build(tmp_path / f"{name}.out", buildings=[str(path)], ground_z=0, aoi="3,46.4,3.1,46.6")
        assert outcome.report["rows_outside_aoi"] == 1
        assert outcome.report["outcomes"]["rejected"] == 0
        assert outcome.report["footprints"] == 3


def test_a_tile_whose_job_fails_keeps_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import citygen.pipeline.tile as stage

    real, calls = stage.repair, []

    def poisoned(geometry: object) -> object:
        calls.append(len(geometry))
        if len(calls) == 2:
            raise ZeroDivisionError("a bug")
        return real(geometry)

    monkeypatch.setattr(stage, "repair", poisoned)
    frame = plots(400)
    frame.loc[:, "id"] = [f"h{k // 2}" for k in range(400)]
    frame.to_parquet(tmp_path / "town.parquet")
    options = {"buildings": [str(tmp_path / "town.parquet")], "ground_z": 0, "grid": "metric:250", "id_column": "id"}
    build(tmp_path / "out", **options)
    found = accounted(tmp_path / "out")
    monkeypatch.undo()
    build(tmp_path / "whole", **options)
    whole = accounted(tmp_path / "whole")
    assert set(found) == set(whole)
    failed = {name for name, row in found.items() if "tile_failed" in row["reasons"]}
    assert len(failed) == calls[1]
    assert len(failed) < 400
    assert all("ZeroDivisionError: a bug" in found[name]["details"][-1] for name in failed)
    assert all("duplicate_id" in found[name]["reasons"] for name in failed if "#2" in name)
    drawn = triangles(tmp_path / "whole")
    assert triangles(tmp_path / "out") == {name: drawn[name] for name in drawn if name not in failed}


def test_the_sample_is_accounted_for(sample_out: Path) -> None:
    found = accounted(sample_out)
    features = json.loads((Path(__file__).parent.parent / "data/sample/buildings.geojson").read_text())["features"]
    assert len(found) == len(features)


def test_geometry_of_the_catalogue_is_readable_by_geopandas(sample_out: Path) -> None:
    frame = gpd.read_parquet(sample_out / "buildings.parquet")
    assert frame.crs.is_projected
    built = frame[frame["tile"].notna()]
    assert built.geometry.is_valid.all()
    geo = json.loads(pq.read_schema(sample_out / "buildings.parquet").metadata[b"geo"])
    stated = geo["columns"]["geometry"]["geometry_types"]
    present = set(frame.geometry.geom_type.dropna())
    assert not stated or present <= set(stated)
