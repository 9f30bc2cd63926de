"""The same bytes from two runs, two orders of tiles, one and two processes; the same building in another area or grid."""

import json
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
import shapely

from builds import SAMPLE, assert_same, build, content, rows, same_rows, sample, triangles
from citygen.engine import local
from citygen.pipeline.guarded import Job
from citygen.pipeline.tile import TileResult


@pytest.fixture(scope="module")
def parts_of_a_run(sample_out: Path) -> Path:
    """The sample has what makes runs differ: several tiles, parts, broken rows."""
    report = json.loads((sample_out / "report.json").read_text())
    assert report["tiles"] >= 4
    assert {"replaced_by_parts", "geometry_empty"} <= set(report["reasons"])
    return sample_out


def test_two_runs(parts_of_a_run: Path, tmp_path: Path) -> None:
    sample(tmp_path / "again")
    assert_same(parts_of_a_run, tmp_path / "again")


def test_two_orders_of_tiles(parts_of_a_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, turned = local.run, []

    def backwards(jobs: Iterable[Job]) -> Generator[TileResult, None, None]:
        listed = list(jobs)[::-1]
        turned.append(len(listed))
        return real(listed)

    monkeypatch.setattr(local, "run", backwards)
    sample(tmp_path / "out")
    assert turned[0] > 3
    assert_same(parts_of_a_run, tmp_path / "out")


def test_two_processes(parts_of_a_run: Path, tmp_path: Path) -> None:
    sample(tmp_path / "out", workers=2)
    assert_same(parts_of_a_run, tmp_path / "out")


def test_the_report_names_nothing_of_how_it_was_run(parts_of_a_run: Path) -> None:
    text = (parts_of_a_run / "report.json").read_text()
    options = json.loads(text)["options"]
    assert {"out", "workers", "resume", "overwrite", "allow_rejected", "preview"}.isdisjoint(options)
    assert str(parts_of_a_run) not in text


def test_another_area_gives_the_same_buildings(parts_of_a_run: Path, tmp_path: Path) -> None:
    """Where no height is estimated: estimates rest on what is read (docs/decisions/0008)."""
    given = {"default_height": 7.5, "crs": _crs(parts_of_a_run)}
    sample(tmp_path / "whole", **given)
    whole, all_rows = triangles(tmp_path / "whole"), rows(tmp_path / "whole")
    west, south, east, north = shapely.from_geojson((SAMPLE / "aoi.geojson").read_text()).bounds
    middle = (west + east) / 2
    compared, cut = 0, 0
    for name, box in {"west": (west, south, middle, north), "east": (middle, south, east, north)}.items():
        out = tmp_path / name
        sample(out, aoi=",".join(map(repr, box)), **given)
        drawn, found = triangles(out), rows(out)
        assert 50 < len(drawn) < len(whole)
        assert [i for i in drawn if drawn[i] != whole[i]] == []
        same_rows(found, all_rows, drawn)
        compared += len(drawn)
        cut += sum(row["part_of"] is not None for row in found.values())
    assert compared >= len(whole)
    assert cut > 0


def _crs(out: Path) -> str:
    return json.loads((out / "report.json").read_text())["crs"]


@pytest.mark.parametrize(
    "grid", [pytest.param("metric:37", marks=pytest.mark.slow), "metric:130", "metric:5000", "WebMercatorQuad:17"]
)
def test_another_grid_gives_the_same_records(parts_of_a_run: Path, tmp_path: Path, grid: str) -> None:
    sample(tmp_path / "out", grid=grid)
    one, other = rows(parts_of_a_run), rows(tmp_path / "out")
    assert set(one) == set(other)
    same_rows(one, other, one, aside=("tile",))


def test_a_part_in_another_tile_joins_its_outline(tmp_path: Path) -> None:
    """A part is dealt with its outline, also where its own middle lies in another tile of the grid."""
    import geopandas as gpd

    x, y = 500_004.0, 5_150_004.0
    outline = shapely.box(x, y, x + 60, y + 10)
    parts = [shapely.box(x + 20 * k, y, x + 20 * k + 20, y + 10) for k in range(3)]
    ring = shapely.box(x, y + 40, x + 40, y + 80) - shapely.box(x + 10, y + 50, x + 30, y + 70)
    frame = gpd.GeoDataFrame(
        {
            "id": ["hall", "p0", "p1", "p2", "yard", "wing"],
            "building": ["yes", None, None, None, "yes", None],
            "building:part": [None, "yes", "yes", "yes", None, "yes"],
            "height": [30.0, 10.0, 20.0, 30.0, 9.0, 9.0],
        },
        geometry=[outline, *parts, ring, ring],
        crs="EPSG:32631",
    )
    frame.to_parquet(tmp_path / "parts.parquet")
    results = {}
    for grid in ("metric:10", "metric:50", "metric:10000"):
        out = tmp_path / grid.replace(":", "_")
        build(out, buildings=[str(tmp_path / "parts.parquet")], ground_z=5, grid=grid, id_column="id")
        results[grid] = rows(out)
    for found in results.values():
        assert "replaced_by_parts" in found["hall"]["reasons"]
        assert "replaced_by_parts" in found["yard"]["reasons"], "a part around a courtyard has its middle in no outline"
        assert [found[f"p{k}"]["part_of"] for k in range(3)] == ["hall"] * 3
        assert found["wing"]["part_of"] == "yard"
        assert len({found[f"p{k}"]["tile"] for k in range(3)}) == 1
        assert [found[f"p{k}"]["ridge_z"] for k in range(3)] == [15, 25, 35]
        same_rows(found, results["metric:10000"], found, aside=("tile",))


def test_a_building_on_the_edge_of_the_area_keeps_its_parts(tmp_path: Path) -> None:
    import geopandas as gpd

    x, y = 500_000.0, 5_150_000.0
    frame = gpd.GeoDataFrame(
        {
            "id": ["hall", "in", "out", "far"],
            "building": ["yes", None, None, None],
            "building:part": [None, "yes", "yes", "yes"],
            "height": [30.0, 10.0, 20.0, 9.0],
        },
        geometry=[
            shapely.box(x, y, x + 60, y + 10),
            shapely.box(x, y, x + 30, y + 10),
            shapely.box(x + 30, y, x + 60, y + 10),
            shapely.box(x + 90, y, x + 99, y + 10),
        ],
        crs="EPSG:32631",
    )
    frame.to_parquet(tmp_path / "parts.parquet")
    area = gpd.GeoSeries([shapely.box(x - 20, y - 20, x + 10, y + 30)], crs="EPSG:32631")
    area.to_file(tmp_path / "area.gpkg")
    options = {"buildings": [str(tmp_path / "parts.parquet")], "ground_z": 5, "id_column": "id"}
    outcome = build(tmp_path / "cut", aoi=tmp_path / "area.gpkg", **options)
    build(tmp_path / "all", **options)
    found, whole = rows(tmp_path / "cut"), rows(tmp_path / "all")
    assert set(found) == {"hall", "in", "out"}
    same_rows(found, whole, found)
    assert outcome.report["rows_outside_aoi"] == 1


def test_files_of_a_result(sample_out: Path) -> None:
    names = set(content(sample_out))
    tiles = {name for name in names if name.startswith("tiles/0/") and name.endswith(".glb")}
    assert names - tiles == {"tileset.json", "buildings.parquet", "report.json"}
    assert len(tiles) == json.loads((sample_out / "report.json").read_text())["tiles"]
