"""The command line: one clear line and the right exit code for every wrong call, and nothing half-written."""

import json
from pathlib import Path

import pytest

from builds import SAMPLE, plots, sample_options
from citygen.cli import main

BUILDINGS = str(SAMPLE / "buildings.geojson")
DEM = str(SAMPLE / "dem.tif")
AOI = str(SAMPLE / "aoi.geojson")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> object:
    """Return a caller: arguments -> exit code, stdout, stderr; in an empty folder, into ``out`` there."""
    monkeypatch.chdir(tmp_path)
    for name in [
        name for name in __import__("os").environ if name.startswith("CITYGEN_") and name != "CITYGEN_TESTDATA"
    ]:
        monkeypatch.delenv(name)

    def run(*argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["citygen", *argv])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        return stop.value.code or 0, out, err

    return run


def _refused(result: tuple[int, str, str], *words: str) -> None:
    code, out, err = result
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    line = err.strip().splitlines()[-1]
    assert line.startswith("error: "), err
    for word in words:
        assert word.lower() in line.lower(), line
    assert not Path("out").exists(), "a refused call left an output folder"


GOOD = {"--buildings": BUILDINGS, "--dem": DEM, "--aoi": AOI}

WRONG = {
    "missing footprints": ({"--buildings": "none.gpkg"}, ["none.gpkg", "no such file"]),
    "missing dem": ({"--dem": "none.tif"}, ["none.tif"]),
    "missing aoi": ({"--aoi": "none.geojson"}, ["none.geojson"]),
    "aoi elsewhere": ({"--aoi": "10,50,10.1,50.1"}, ["no footprint", "10.00000", "axes"]),
    "aoi empty": ({"--aoi": "10,50,10,50"}, ["empty", "west,south,east,north"]),
    "aoi with degrees as if swapped": ({"--aoi": "48,200,49,201"}, ["200"]),
    "no ground": ({"--dem": None}, ["--dem", "--ground-z"]),
    "no footprints": ({"--buildings": None, "--aoi": "10,50,10.1,50.1"}, ["--buildings"]),
    "format": ({"--format": "obk"}, ["obk", "known", "glb"]),
    "grid": ({"--grid": "hexes:3"}, ["hexes:3", "metric"]),
    "grid size": ({"--grid": "metric:1"}, ["metric:1", "10 to 100000"]),
    "grid zoom": ({"--grid": "WebMercatorQuad:99"}, ["WebMercatorQuad:99"]),
    "dialect": ({"--dialect": "klingon"}, ["klingon", "osm"]),
    "map key": ({"--map": "hight=x"}, ["hight", "height"]),
    "map form": ({"--map": "height"}, ["height", "height=COLUMN"]),
    "map column": ({"--map": "height=HAUTEUR"}, ["HAUTEUR", "there are", "building:levels", "roof:shape"]),
    "map own column": ({"--map": "height=dialect"}, ["dialect"]),
    "crs": ({"--crs": "EPSG:1"}, ["EPSG:1"]),
    "geographic crs": ({"--crs": "EPSG:4326"}, ["EPSG:4326", "projected", "metres"]),
    "crs in feet": ({"--crs": "EPSG:2263"}, ["EPSG:2263", "metres"]),
    "source crs": ({"--source-crs": "no"}, ["no"]),
    "dem crs": ({"--dem-crs": "no"}, ["--dem-crs"]),
    "id column": ({"--id-column": "nummer"}, ["nummer"]),
    "workers": ({"--workers": "0"}, ["workers"]),
    "storey": ({"--storey-height": "0"}, ["storey_height"]),
    "preview of nothing": ({"--format": "3dtiles", "--preview": True, "--dem": "none.tif"}, ["none.tif"]),
    "config missing": ({"--config": "none.toml"}, ["none.toml"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_options_and_files(call: object, case: str) -> None:
    change, words = WRONG[case]
    given = {**GOOD, **change}
    argv = [
        part for key, value in given.items() if value is not None for part in ([key] if value is True else [key, value])
    ]
    _refused(call("build", *argv, "-o", "out"), *words)


def test_files_that_are_no_area_or_no_crs(call: object) -> None:
    point = {"type": "Point", "coordinates": [9, 47]}
    Path("point.geojson").write_text(json.dumps(point))
    _refused(call("build", "--buildings", BUILDINGS, "--dem", DEM, "--aoi", "point.geojson", "-o", "out"), "polygon")
    plots(3).set_crs(None, allow_override=True).to_file("bare.shp")
    _refused(call("build", "--buildings", "bare.shp", "--ground-z", "0", "-o", "out"), "bare", "--source-crs EPSG:n")
    plots(3).to_file("two.gpkg", layer="a")
    plots(3).to_file("two.gpkg", layer="b")
    _refused(call("build", "--buildings", "two.gpkg", "--ground-z", "0", "-o", "out"), "--layer", "a", "b")
    assert call("build", "--buildings", "two.gpkg", "--layer", "b", "--ground-z", "0", "-o", "out")[0] == 0


def test_a_config_file_with_wrong_keys_or_words(call: object) -> None:
    for text, words in {
        "[build]\nhight = 3\nworkerz = 2": ["hight", "workerz", "did you mean workers"],
        "[bild]\nworkers = 2": ["[bild]", "[build]"],
        "[build\n": ["not valid TOML"],
        "[build]\nworkers = 'many'": ["workers", "many"],
    }.items():
        Path("citygen.toml").write_text(text)
        _refused(call("build", "--buildings", BUILDINGS, "--dem", DEM, "-o", "out"), "", *words)


def test_default_then_file_then_environment_then_command_line(call: object, monkeypatch: pytest.MonkeyPatch) -> None:
    plots(4).to_parquet("town.parquet")

    def ground(*argv: str) -> float:
        code, out, err = call("build", "--json", "-q", "--overwrite", "-o", "out", *argv)
        assert code == 0, err
        return json.loads(out)["options"]["ground_z"]

    Path("citygen.toml").write_text('[build]\nbuildings = "town.parquet"\nground_z = 1\ngrid = "metric:100"\n')
    assert ground() == 1
    monkeypatch.setenv("CITYGEN_GROUND_Z", "2")
    monkeypatch.setenv("CITYGEN_GRID", "")
    assert ground() == 2
    assert ground("--ground-z", "3") == 3
    assert json.loads(Path("out/report.json").read_text())["grid"] == "metric:100"
    Path("other.toml").write_text('[build]\nbuildings = "town.parquet"\nground_z = 5\n')
    monkeypatch.delenv("CITYGEN_GROUND_Z")
    assert ground("--config", "other.toml") == 5
    assert json.loads(Path("out/report.json").read_text())["grid"] == "metric:500"


def test_exit_codes_of_a_finished_run(call: object) -> None:
    frame = plots(4)
    frame.to_parquet("good.parquet")
    frame.loc[2, "geometry"] = None
    frame.to_parquet("bad.parquet")
    code, out, err = call("build", "--buildings", "good.parquet", "--ground-z", "0", "-o", "good")
    assert (code, "4 footprints: 4 ok, 0 degraded, 0 rejected" in out) == (0, True), err
    assert "citygen explain" not in out
    code, out, _ = call("build", "--buildings", "bad.parquet", "--ground-z", "0", "-o", "out")
    assert code == 3
    assert "geometry_empty" in out
    assert "why: citygen explain out ID" in out
    assert call("build", "--buildings", "bad.parquet", "--ground-z", "0", "-o", "out", "--allow-rejected")[0] == 0
    code, out, err = call("build", "--buildings", "bad.parquet", "--ground-z", "0", "-o", "out", "--json", "-q")
    assert (code, err) == (3, "")
    assert json.loads(out) == json.loads(Path("out/report.json").read_text())


def test_the_area_alone_takes_the_bundled_sample(call: object) -> None:
    code, out, err = call("build", "--aoi", AOI, "-o", "out", "-q", "--allow-rejected")
    assert code == 0, err
    assert "865 footprints" in out or " footprints: " in out


def test_the_sample_s_own_config_works_from_any_folder(call: object) -> None:
    config = str(SAMPLE / "citygen.toml")
    assert call("build", "--config", config, "-o", "out", "-q", "--allow-rejected")[0] == 0
    assert json.loads(Path("out/report.json").read_text())["options"]["aoi"] == str(Path(sample_options()["aoi"]))


def test_hardcase_inputs_that_must_be_refused(call: object, testdata: Path) -> None:
    hard = testdata / "hardcases" / "synthetic"
    real = testdata / "realdata"
    ok, dem = str(hard / "files" / "ok.gpkg"), str(hard / "dem" / "ok.tif")
    refused = [
        (str(real / "01_larochelle_bdtopo_dem/raw_shapefile_no_prj/batiments_urock.shp"), dem, ["--source-crs"]),
        (ok, str(hard / "dem" / "elsewhere.tif"), ["does not cover", "elsewhere.tif"]),
        (ok, str(hard / "dem" / "no-crs.tif"), ["no-crs.tif", "--dem-crs"]),
        (ok, str(hard / "dem" / "truncated.tif"), ["truncated.tif"]),
        (ok, str(hard / "dem" / "text.tif"), ["text.tif"]),
        *((str(hard / "files" / f"truncated-{k}.gpkg"), dem, [f"truncated-{k}.gpkg"]) for k in (2, 50, 95)),
        (str(hard / "files" / "two-layers.gpkg"), dem, ["--layer"]),
    ]
    for buildings, raster, words in refused:
        _refused(call("build", "--buildings", buildings, "--dem", raster, "-o", "out"), *words)


def test_roofs_lists_every_registered_shape_with_its_words_and_numbers(call: object) -> None:
    from citygen.roofs.base import ROOFS

    code, out, err = call("roofs")
    assert (code, err) == (0, "")
    blocks: dict[str, list[str]] = {}
    for line in out.splitlines():
        name = line.split(" ")[0]
        blocks.setdefault(name or list(blocks)[-1], []).append(line.removeprefix(name).strip())
    assert list(blocks) == list(ROOFS.names())
    for shape in ROOFS:
        said, pitch = " ".join(blocks[shape.name]), shape.pitch
        assert said.startswith(f"{shape.text} {shape.family}; ")
        assert f"roof_angle_deg {pitch.default:g} deg" in said
        assert pitch.low == pitch.high or f"({pitch.low:g} to {pitch.high:g})" in said
        assert said.endswith(f"also: {', '.join(ROOFS.aliases(shape.name)) or 'none'}")


def test_roofs_for_machines_and_one_by_one(call: object) -> None:
    from citygen.roofs.base import ROOFS

    every = json.loads(call("roofs", "--json")[1])
    assert [shape["name"] for shape in every] == list(ROOFS.names())
    for word in ("pyramidal", "Pyramid", "1070"):
        assert json.loads(call("roofs", word, "--json")[1]) == next(s for s in every if s["name"] == "pyramidal")
    code, out, _ = call("roofs", "walm")
    assert code == 0
    assert out.splitlines()[0] == f"hipped: {ROOFS['hipped'].text}"
    for told in ("equal_hipped", "skeleton", "roof_angle_deg", "35 deg (3 to 75): Slope of the roof from the level."):
        assert told in out
    assert call("roofs", "half hipped")[1].startswith("half-hipped:")
    _refused(call("roofs", "gabledd"), "gabledd", "did you mean gabled")
    _refused(call("roofs", "xyzzy", "--json"), "xyzzy", "known: bellcast_gable", "skillion")


def test_a_new_shape_and_its_numbers_appear_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from click.testing import CliRunner

    from citygen.cli.roofs import command
    from citygen.params import Param
    from citygen.roofs.base import ROOFS, RoofShape

    share = Param("hip_share", 0.5, 0.1, 0.9, "Share of the end that is hipped.")
    width = Param("rib_width_m", 2.0, 1.0, 3.0, "Width of a rib.")
    fields = [
        ("extra", tuple, dataclasses.field(default=(share, width))),
        ("more", dict, dataclasses.field(default=None)),
    ]
    kind = dataclasses.make_dataclass("Later", fields, bases=(RoofShape,), frozen=True)
    old = {field.name: getattr(ROOFS["gabled"], field.name) for field in dataclasses.fields(RoofShape)}
    ROOFS.load()
    monkeypatch.setattr(
        ROOFS, "_things", {**ROOFS._things, "ribbed": kind(**{**old, "name": "ribbed"}, more={"a": share})}
    )
    monkeypatch.setattr(ROOFS, "_aliases", {**ROOFS._aliases, "ribs": "ribbed"})
    shown = CliRunner().invoke(command, ["ribs"]).output
    assert "hip_share       0.5 (0.1 to 0.9): Share of the end that is hipped." in shown
    assert "rib_width_m     2 m (1 to 3): Width of a rib." in shown
    assert shown.count("hip_share") == 1
    assert "ribbed" in CliRunner().invoke(command, []).output
