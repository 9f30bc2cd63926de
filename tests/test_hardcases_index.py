"""Each row of hardcases/synthetic/index.csv through the command line, held to what it expects and what must not be."""

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from builds import accounted, rows, triangles
from citygen.cli import main

BERLIN = "13.35,52.48,13.45,52.56"


@dataclass
class Result:
    """What a call left behind."""

    code: int
    err: str
    out: Path
    name: str
    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def reasons(self) -> Counter:
        return Counter(code for row in self.found.values() for code in row["reasons"])


Check = Callable[[Result], None]


@dataclass(frozen=True)
class Case:
    """Options beside the file itself, and what must come of them."""

    checks: tuple[Check, ...]
    options: tuple[str, ...] = ("--ground-z", "0")


def built(n: int, code: int = 0) -> Check:
    """All rows but the rejected have a solid; ``code`` 3 says that some are rejected."""

    def check(result: Result) -> None:
        assert result.code == code, result.err
        assert len(result.found) == n
        assert any(row["outcome"] == "rejected" for row in result.found.values()) == (code == 3)
        assert len(triangles(result.out)) == n - sum(r["outcome"] == "rejected" for r in result.found.values())

    return check


def refused(*words: str) -> Check:
    """One line that names the file and the cure; no output."""

    def check(result: Result) -> None:
        assert result.code == 2, result.err
        lines = [line for line in result.err.strip().splitlines() if not line.startswith("WARNING")]
        lines = [line for line in lines if not line.startswith(("reading", "planning", "opening"))] or lines
        assert lines[-1].startswith("error: "), result.err
        assert result.name in lines[-1]
        for word in words:
            assert re.search(word, lines[-1]), (word, lines[-1])
        assert not result.out.exists()

    return check


def says(code: str, count: int) -> Check:
    """So many rows have a reason."""

    def check(result: Result) -> None:
        assert result.reasons[code] == count, result.reasons

    return check


def warns(pattern: str) -> Check:
    """A warning on stderr says so."""

    def check(result: Result) -> None:
        assert re.search(pattern, result.err), result.err

    return check


def grounds(low: float, high: float) -> Check:
    """Every building stands between two heights, and no corner of a tile is not a number."""

    def check(result: Result) -> None:
        for name, row in result.found.items():
            assert low <= row["ground_z"] <= high, (name, row["ground_z"])
            assert row["base_z"] <= row["ground_z"] + 1e-9
        for _, data in triangles(result.out).values():
            assert np.isfinite(np.frombuffer(data, "f4")).all()

    return check


def torture(result: Result) -> None:
    """The controls are as by themselves; every other feature has one row, with a verdict and a reason as its 'expect' says."""
    folder = Path(result.name)
    assert result.code == 0, result.err  # with --allow-rejected
    features = json.loads(folder.read_text())["features"]
    assert len(result.found) == len(features)
    alone = result.out.with_name("alone")
    code, err = _call(
        ["--buildings", str(folder.with_name("controls-only.geojson")), "--ground-z", "0", "-o", str(alone)]
    )
    assert code == 0, err
    drawn, wanted = triangles(result.out), triangles(alone)
    assert len(wanted) == 10
    assert {name: drawn[name] for name in wanted} == wanted
    for feature in features:
        name, expect = feature["properties"]["id"], feature["properties"]["expect"]
        row = result.found[name]
        word = re.split("[:, ]", expect)[0]
        if word == "skipped" and "or " not in expect and "AOI" not in expect:
            assert row["outcome"] == "rejected", (name, row)
            assert row["reasons"]
        if word == "repaired" and "or skipped" not in expect:
            assert row["outcome"] == "degraded", (name, row)
            assert {"footprint_repaired", "ring_closed"} & set(row["reasons"]), (name, row["reasons"])
        if expect == "built":
            assert row["outcome"] != "rejected", (name, row)
    unit = (
        result.found["control-0"]["footprint_area_m2"] / 96
    )  # the file is in degrees: its metre is this many square metres
    for name, area in {"spike-out": 96, "spike-in": 96, "hole-outside-shell": 96, "bowtie": 48}.items():
        assert result.found[name]["footprint_area_m2"] == pytest.approx(area * unit, rel=5e-3), name
        assert abs(result.found[name]["area_change"]) < 2e-3
    for name, row in result.found.items():
        if row["outcome"] != "rejected":
            west, south, east, north = shapely.from_wkb(row["geometry"]).bounds
            assert max(east - west, north - south) < 5000, f"{name}: as wide as the Earth"


def attributes(result: Result) -> None:
    """Each value that cannot be parsed is one row of the report, and none is lost."""
    built(84)(result)
    lines = list(csv.DictReader((Path(result.name).parent / "attributes_expected.csv").open(newline="")))
    assert len(lines) >= 84
    for row in result.found.values():
        for code, detail in zip(row["reasons"], row["details"], strict=True):
            assert code != "attribute_unread" or detail, row


def hostile_ids(result: Result) -> None:
    """Ids are data: as they were, in no path."""
    built(37)(result)
    wanted = Counter(str(f["properties"]["id"]) for f in json.loads(Path(result.name).read_text())["features"])
    got = Counter(name for name in result.found)
    assert not {name for name in wanted if name and "\x00" not in name and name not in got}
    _only_grid_names(result.out)


def hostile_keys(result: Result) -> None:
    """Names of keys reach no class name of a property table."""
    assert result.code == 0, result.err
    assert len(result.found) == 1
    for path in result.out.rglob("*.glb"):
        data = path.read_bytes()
        head = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
        schema = head["extensions"]["EXT_structural_metadata"]["schema"]
        for name, one in schema["classes"].items():
            assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name)
            assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", key) for key in one["properties"])
    _only_grid_names(result.out)


def _only_grid_names(out: Path) -> None:
    """Files of an output are named by the grid and the program alone."""
    for path in out.rglob("*"):
        name = path.relative_to(out).as_posix()
        assert re.fullmatch(
            r"tiles(/[A-Za-z0-9_-]+(/-?\d+_-?\d+\.glb)?)?|tileset\.json|buildings\.parquet|report\.json|preview\.png|\.citygen(/.*)?",
            name,
        ), name


def last_of_a_key(result: Result) -> None:
    """Of a key that stands twice the last value counts."""
    built(15)(result)
    pairs = json.loads(Path(result.name).read_text(), object_pairs_hook=list)
    features = next(value for key, value in pairs if key == "features")
    for feature in features:
        properties = next(value for key, value in feature if key == "properties")
        last = dict(properties)
        assert result.found[last["id"]]["height_m"] == pytest.approx(last["height"])
    assert any(sum(key == "height" for key, _ in dict(f)["properties"]) > 1 for f in features)


def city_model(result: Result) -> None:
    """Until the format is read, an error that says what it is; then a row and a reason for each object."""
    if result.code == 2:
        refused("CityJSON")(result)
        return
    assert result.code in {0, 3}
    for row in result.found.values():
        assert row["outcome"] == "ok" or row["reasons"], row


def projected_feet(result: Result) -> None:
    """12 m by 8 m on the ground; heights as they are."""
    built(15)(result)
    for row in result.found.values():
        assert row["footprint_area_m2"] == pytest.approx(96, rel=2e-3)
        assert 3 <= row["height_m"] <= 25


NO_CRS = (refused("--source-crs EPSG:n"),)
DEM = ("--dem",)
CASES: dict[str, Case] = {
    "geometry/torture.geojson": Case((torture,), ("--ground-z", "0", "--allow-rejected")),
    "geometry/controls-only.geojson": Case((built(10),)),
    "geometry/nan-literal.geojson": Case((built(3, 3), says("geometry_unreadable", 1))),
    "geometry/infinity-literal.geojson": Case((built(3, 3), says("geometry_unreadable", 1))),
    "geometry/nan-inf.gpkg": Case((built(3, 3), says("coordinates_out_of_range", 2))),
    "attributes/attributes.geojson": Case((attributes,)),
    "crs/shp-no-prj": Case(NO_CRS),
    "crs/shp-no-prj-degrees": Case((*NO_CRS, refused("look like degrees"))),
    "crs/shp-no-shx": Case((built(15), warns(r"no \.shx"))),
    "crs/shp-no-dbf": Case((built(15), says("height_default", 15), warns(r"no \.dbf"))),
    "crs/degrees-labelled-3857.gpkg": Case((refused("look like degrees", "--source-crs EPSG:4326"),)),
    "crs/metres-labelled-4326.gpkg": Case((refused("metres as degrees", "--source-crs"),)),
    "crs/axis-swapped.geojson": Case((refused("latitude first", "--swap-axes"),), ("--ground-z", "0", "--aoi", BERLIN)),
    "crs/us-survey-feet.gpkg": Case((projected_feet,)),
    "crs/geojson-crs-member.geojson": Case((built(15),), ("--ground-z", "0", "--aoi", BERLIN)),
    "crs/geojson-crs-link.geojson": Case((refused("link", "never opened", "--source-crs"),)),
    "crs/utm-zone-border-12E.geojson": Case((built(20),)),
    "crs/antimeridian-fiji.geojson": Case((built(10),)),
    "crs/svalbard-85N.geojson": Case((built(1),)),
    "crs/undefined-srs.gpkg": Case(NO_CRS),
    "dem/ok.tif": Case((built(15), grounds(33, 38)), DEM),
    "dem/nodata-hole.tif": Case(
        (built(15), grounds(33, 38), says("ground_from_nearest", 1), says("ground_partial", 4)), DEM
    ),
    "dem/nodata-untagged--9999.tif": Case((built(15), grounds(33, 38), says("ground_from_nearest", 1)), DEM),
    "dem/int16--32768.tif": Case((built(15), grounds(33, 38.5), says("ground_from_nearest", 1)), DEM),
    "dem/nan-untagged.tif": Case((built(15), grounds(33, 38), says("ground_from_nearest", 1)), DEM),
    "dem/all-void.tif": Case((built(15, 3), says("ground_missing", 15)), DEM),
    "dem/half-cover.tif": Case((built(15), grounds(33, 38), says("ground_from_nearest", 6), warns("only a part")), DEM),
    "dem/elsewhere.tif": Case((refused("does not cover", r"391440\.0.*441380\.0"),), DEM),
    "dem/no-crs.tif": Case((refused("--dem-crs"),), DEM),
    "dem/rotated.tif": Case((built(15), grounds(33, 38)), DEM),
    "dem/south-up.tif": Case((built(15), grounds(33, 38)), DEM),
    "dem/feet.tif": Case((built(15), grounds(33, 38)), DEM),
    "dem/spike-8e3.tif": Case((built(15), grounds(33, 38), says("ground_steep", 1)), DEM),
    "dem/multiband.tif": Case((built(15), grounds(33, 38), warns("3 bands")), DEM),
    "dem/uint8.tif": Case((built(15), grounds(32, 38)), DEM),
    "dem/one-pixel.tif": Case((built(15), grounds(34, 34), says("ground_partial", 15)), DEM),
    "dem/huge-sparse-200000x200000.tif": Case((built(15), grounds(0, 0)), DEM),
    "dem/truncated.tif": Case((refused("cut short"),), DEM),
    "dem/text.tif": Case((refused("not a raster"),), DEM),
    "files/ok.gpkg": Case((built(15),)),
    "files/truncated-2.gpkg": Case((refused("cut off"),)),
    "files/truncated-50.gpkg": Case((refused("cut off"),)),
    "files/truncated-95.gpkg": Case((refused("cut off"),)),
    "files/bitflips.gpkg": Case((refused("damaged"),)),
    "files/gpkg-named.shp": Case((built(15),)),
    "files/zero-bytes.geojson": Case((refused("empty"),)),
    "files/empty-collection.geojson": Case((refused("no footprints"),)),
    "files/bom-crlf.geojson": Case((built(15),)),
    "files/latin1.geojson": Case((built(15), warns(r"not UTF-8 from byte 130 on"))),
    "files/cut-mid-feature.geojson": Case((refused("line 1, column", "cut off"),)),
    "files/deep-nesting.geojson": Case((refused("nested too deeply"),)),
    "files/duplicate-keys.geojson": Case((last_of_a_key,)),
    "files/mixed-geometry.geojson": Case((built(16, 3), says("geometry_not_areal", 1))),
    "files/two-layers.gpkg": Case((refused("--layer", "buildings", "roads"),)),
    "files/geoparquet-bad-geo-metadata.parquet": Case((refused("primary_column"),)),
    "files/ok.parquet": Case((built(15),)),
    "files/truncated.parquet": Case((refused("cut off"),)),
    "attributes/hostile-ids.geojson": Case((hostile_ids,)),
    "attributes/hostile-keys.geojson": Case((hostile_keys,)),
    "attributes/cityjson-bad-index-cycle.city.json": Case((city_model,)),
}


def _call(argv: list[str]) -> tuple[int, str]:
    """Run ``citygen build`` in this process; exit code and what it wrote to stderr (set by the fixture)."""
    raise NotImplementedError(argv)


@pytest.fixture(autouse=True)
def _commands(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, tmp_path: Path) -> None:
    """Let ``_call`` run the command line in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def call(argv: list[str]) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["citygen", "build", *argv])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), capfd.readouterr().err

    monkeypatch.setitem(globals(), "_call", call)


def test_no_row_of_the_index_is_left_out(testdata: Path) -> None:
    listed = [row["file"] for row in csv.DictReader((testdata / "hardcases/synthetic/index.csv").open(newline=""))]
    assert sorted(listed) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_row_of_the_index(name: str, testdata: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = testdata / "hardcases" / "synthetic"
    scratch, case = tmp_path / "in", CASES[name]
    shutil.copytree(
        folder / Path(name).parent, scratch, ignore=shutil.ignore_patterns("huge*") if "huge" not in name else None
    )
    source = scratch / Path(name).name
    source = next(source.glob("*.shp")) if source.is_dir() else source
    before = _state(scratch)
    options = ["--dem", str(source)] if case.options == DEM else ["--buildings", str(source), *case.options]
    if case.options == DEM:
        options += ["--buildings", str(folder / "files/ok.gpkg")]
    code, err = _call([*options, "-o", str(tmp_path / "out")])
    assert "Traceback" not in err
    assert _state(scratch) == before, "something was written beside the input"
    result = Result(code, err + caplog.text, tmp_path / "out", source.name)
    if code in {0, 3}:
        result.found = accounted(tmp_path / "out")
    result.name = str(source) if code in {0, 3} else source.name
    for check in case.checks:
        check(result)
    assert not list(tmp_path.rglob("*CANARY*"))


def _state(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_rejected_rows_are_an_exit_code_of_their_own(testdata: Path, tmp_path: Path) -> None:
    source = str(testdata / "hardcases/synthetic/geometry/torture.geojson")
    code, _ = _call(["--buildings", source, "--ground-z", "0", "-o", str(tmp_path / "out"), "--aoi", BERLIN])
    assert code == 3
    assert any(row["outcome"] == "rejected" for row in rows(tmp_path / "out").values())


def test_the_layer_that_was_asked_for(testdata: Path, tmp_path: Path) -> None:
    source = str(testdata / "hardcases/synthetic/files/two-layers.gpkg")
    code, err = _call(["--buildings", source, "--ground-z", "0", "-o", str(tmp_path / "out"), "--layer", "buildings"])
    assert code == 0, err
    assert len(accounted(tmp_path / "out")) == 15


@pytest.mark.slow
def test_a_huge_raster_is_read_by_windows(testdata: Path, tmp_path: Path) -> None:
    """In a process of its own: the peak of the memory grows by less than 200 MB over that with a small raster."""
    import subprocess
    import sys

    peaks = []
    for name in ("ok.tif", "huge-sparse-200000x200000.tif"):
        folder = testdata / "hardcases/synthetic"
        code = (
            "import resource, sys; from citygen.config import make_config; from citygen.engine.run import run;"
            "run(make_config({'buildings': [sys.argv[1]], 'dem': [sys.argv[2]], 'out': sys.argv[3]}));"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        argv = [
            sys.executable,
            "-c",
            code,
            str(folder / "files/ok.gpkg"),
            str(folder / "dem" / name),
            str(tmp_path / name),
        ]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
        peaks.append(int(done.stdout.splitlines()[-1]))
    assert peaks[1] - peaks[0] < 200_000
