"""Benchmarks that run: small sizes give whole figures, budgets are budgets, and what a start loads stays small."""

import json
import math
import subprocess
import sys
from pathlib import Path

import bench_build
import bench_ground
import bench_import
import bench_roofs
import bench_sources
import marked
import pytest
import real_data

ROOT = Path(__file__).resolve().parent.parent


def loaded(code: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter has after some code."""
    script = f"{code}\nimport sys; print('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", ["import citygen", "citygen --help"])
def test_a_start_loads_nothing_heavy(name: str) -> None:
    (start,) = [start for start in bench_import.STARTS if start.name == name]
    heavy = {"numpy", "pandas", "geopandas", "numba", "shapely", "pyarrow", "pyproj", "rasterio", "pydantic", "rich"}
    assert not heavy & loaded(start.code)


def test_the_list_of_roofs_needs_no_kernels_and_no_frames() -> None:
    modules = loaded("from citygen.roofs.describe import describe_all; assert describe_all()")
    assert not {"numba", "pandas", "geopandas", "pyarrow", "pyproj", "rasterio", "pydantic", "rich"} & modules


@pytest.mark.slow
@pytest.mark.parametrize("name", ["import citygen", "citygen --help"])
def test_a_start_is_quick(name: str) -> None:
    (start,) = [start for start in bench_import.STARTS if start.name == name]
    best = min(bench_import.measure(start, 1)["seconds"] for _ in range(5))
    assert best < start.seconds


def test_a_worker_does_not_load_the_frames() -> None:
    modules = loaded("import citygen.pipeline.guarded")
    assert "citygen.pipeline.tile" in modules
    assert not {"pandas", "geopandas", "trimesh", "rich", "click"} & modules


def test_over_budget_is_said() -> None:
    found = {
        start.name: {"seconds": 0.1, "multiple": 0.4, "modules": 1, "numpy": False} for start in bench_import.STARTS
    }
    assert bench_import.over_budget(found) == []
    found["import citygen"]["multiple"] = 1.3
    found["citygen --help"]["seconds"] = 0.5
    assert [line.partition(":")[0] for line in bench_import.over_budget(found)] == ["import citygen", "citygen --help"]


def test_growth_is_the_slope() -> None:
    rows = [{"buildings": n, "run": 2.0 + 3e-4 * n**1.25, "seconds": {"open": 2.0}} for n in (1_000, 10_000, 100_000)]
    assert bench_build.exponents(rows) == pytest.approx([1.25, 1.25])


def test_a_block_is_replaced_between_its_marks_alone() -> None:
    text = "a\n<!-- x:start -->\nold\n<!-- x:end -->\nb\n"
    once = marked.replaced_block(text, "x", "new \\1\n", "page")
    assert once == "a\n<!-- x:start -->\nnew \\1\n<!-- x:end -->\nb\n"
    assert marked.replaced_block(once, "x", "new \\1", "page") == once
    for broken in ("nothing", text + text):
        with pytest.raises(ValueError, match=r"page: [02] blocks"):
            marked.replaced_block(broken, "x", "new", "page")


@pytest.mark.slow
def test_the_build_benchmark_gives_whole_figures(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/bench_build.py", "--sizes", "200,800", "--cache", str(tmp_path), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert [row["buildings"] for row in result["sizes"]] == [200, 800]
    for row in result["sizes"]:
        assert sum(row["outcomes"].values()) == row["footprints"] == row["buildings"]
        assert 10 < row["triangles_per_building"] < 100
        assert 300 < row["bytes_per_building"] < 5_000
        assert 50 < row["peak_mb"] < 2_000
        assert row["seconds"]["tile.solids"] > 0
    assert math.isfinite(result["growth"][0])
    table = bench_build.markdown(result["sizes"], 1)
    assert "| 200 |" in table
    assert "solids" in table


def test_the_roof_benchmark_has_every_shape_and_no_failed_roof(monkeypatch: pytest.MonkeyPatch) -> None:
    from citygen.roofs.base import ROOFS

    monkeypatch.setattr(bench_roofs, "MANY", 40)
    found = bench_roofs.shapes()
    assert [row["shape"] for row in found] == list(ROOFS.names())
    assert all(row["rectangles"] > 100 and row["twenty"] > 100 and row["failed"] == 0 for row in found)


@pytest.mark.parametrize("peer", [True, False])
def test_the_roof_benchmark_stands_beside_its_peer_or_says_that_there_is_none(
    peer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = bench_roofs.PEER_CALLS if peer else ()
    monkeypatch.setattr(bench_roofs, "MANY", 40)
    monkeypatch.setattr(bench_roofs, "SIZES", (4, 12))
    monkeypatch.setattr(bench_roofs, "peer_calls", lambda: list(calls))
    monkeypatch.setattr(bench_roofs, "peer_ms", lambda *_: 1.0)
    rows = bench_roofs.skeletons(5)
    assert len(rows) == len(bench_roofs.FAMILIES) * 2
    assert all(row["ours_us"] > 0 and list(row["peer_ms"]) == list(calls) for row in rows)
    roofs = [{"shape": "flat", "family": "profile", "rectangles": 1e5, "twenty": 1e4, "failed": 0}]
    start = [{"shape": "flat", "cold": 30.0, "warm": 2.0}]
    text = bench_roofs.markdown({"skeletons": rows, "shapes": roofs, "starts": start})
    assert ("times |" in text) == peer
    assert ("pysfcgal is not installed" in text) != peer
    widths = [{line.count("|") for line in block.splitlines()} for block in text.split("\n\n")[:3]]
    assert all(len(width) == 1 for width in widths), "a row has as many cells as its head"


@pytest.mark.slow
@pytest.mark.parametrize("town", real_data.TOWNS, ids=lambda town: town.name)
def test_real_towns_stand_where_their_surveys_say(town: real_data.Town, testdata: Path) -> None:
    limits = {
        "La Rochelle": (361, {"ground_z": 0.5, "eave_z": 0.5}),
        "Den Haag": (632, {"ground_z": 0.01, "ridge_z": 0.01}),
    }
    count, most = limits[town.name]
    result = real_data.measure(town, testdata / "realdata")
    assert result["footprints"] == count
    assert result["outcomes"]["rejected"] == 0
    for column, metres in most.items():
        assert result[column]["median_abs"] < metres, column
    if town.name == "Den Haag":
        assert result["eave_z_as_asked"]["median_abs"] < 0.01
        assert result["ridge_z"]["n"] == count
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = real_data.markdown([result]).splitlines()
    for title in ("footprints", "outcomes", "roofs built"):
        (fresh,) = [line.split("|")[2].strip() for line in lines if line.startswith(f"| {title} |")]
        (line,) = [line for line in shown.splitlines() if line.startswith(f"| {title} |")]
        assert fresh in [cell.strip() for cell in line.split("|")], f"README is out of date: {title}"


def test_the_readme_has_its_figures() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("real-data", "speed", "roof-speed"):
        body = shown.split(f"<!-- {name}:start -->")[1].split(f"<!-- {name}:end -->")[0]
        assert "| --- |" in body, name
        assert "cores of" in body, f"{name}: figures name their machine"


def test_every_reader_of_the_openstreetmap_benchmark_finds_the_buildings(tmp_path: Path) -> None:
    path = tmp_path / "made.osm.pbf"
    bench_sources.synthesise(path, 900)
    found = {name: bench_sources.run_one(name, path) for name in bench_sources.READERS}
    rows = {name: each["rows"] for name, each in found.items()}
    assert rows["osmium, one bare pass"] == 0
    assert rows["citygen, all tags"] == rows["citygen, as a build reads"]
    assert 890 <= rows["citygen, all tags"] <= 910
    assert all(each["seconds"] > 0 < each["peak_mib"] for each in found.values())
    assert bench_sources.markdown(found, path.stat().st_size).count("\n") == len(found) + 1


def test_samples_agree_with_their_peers_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ground, "SIDE", 1500)
    rows = bench_ground.measure(20_000)
    assert len(rows) == 7
    assert all(float(row[2]) > 0 for row in rows)
