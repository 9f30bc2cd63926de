"""A run that ends early goes on to the same bytes; nothing mixes, nothing of others is removed, nothing half is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from builds import assert_same, build, content, plots, rows, sample, sample_options
from citygen.errors import CoverageError, InputError, OutputError
from citygen.pipeline.folder import locked


class _StopError(Exception):
    """What a caller's progress may raise."""


def _stop_after(tiles: int) -> object:
    seen = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "tiles" and 0 < done < total:
            seen.append(done)
            if len(seen) == tiles:
                raise _StopError

    return progress


def _times(out: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (out / "tiles").rglob("*.glb")}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stopped_run_goes_on(sample_out: Path, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "out"
    with pytest.raises(_StopError):
        sample(out, progress=_stop_after(3), workers=workers)
    assert not (out / "report.json").exists()
    assert not (out / "tileset.json").exists()
    kept = {p.stem for p in (out / ".citygen" / "tiles").glob("*.parquet")}
    assert len(kept) == 3
    before = _times(out)
    sample(out)
    after = _times(out)
    assert all(before[f"{name}.glb"] == after[f"{name}.glb"] for name in kept), "a finished tile was built again"
    assert_same(sample_out, out)
    assert list(out.rglob("*.part")) == []


def test_a_lost_or_cut_tile_is_built_again(sample_out: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sample(out)
    tiles = sorted((out / "tiles").rglob("*.glb"))
    tiles[0].unlink()
    tiles[1].write_bytes(tiles[1].read_bytes()[:100])
    sample(out)
    assert_same(sample_out, out)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_killed_process_leaves_a_run_that_goes_on_and_no_orphan(
    sample_out: Path, tmp_path: Path, workers: int
) -> None:
    psutil = pytest.importorskip("psutil")
    out = tmp_path / "out"
    process = _start(out, workers)
    children = _wait_for_tile(process, out, psutil)
    process.kill()
    process.wait(30)
    assert len(children) >= (workers if workers > 1 else 0)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    assert not (out / "report.json").exists()
    sample(out)
    assert_same(sample_out, out)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT")
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_an_interrupt_ends_with_130_and_one_line(sample_out: Path, tmp_path: Path, workers: int) -> None:
    psutil = pytest.importorskip("psutil")
    out = tmp_path / "out"
    process = _start(out, workers, stderr=subprocess.PIPE, start_new_session=True)
    children = _wait_for_tile(process, out, psutil)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1] == "interrupted; run the same command again to go on"
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    sample(out)
    assert_same(sample_out, out)


def _start(out: Path, workers: int, **how: object) -> subprocess.Popen:
    """Start the sample on many small tiles, slowly enough to be caught."""
    options = sample_options()
    argv = ["build", "--aoi", str(options["aoi"]), "--buildings", options["buildings"][0], "--dem", options["dem"][0]]
    argv += ["-o", str(out), "--workers", str(workers)]
    code = (
        "import sys, time\n"
        "import citygen.pipeline.state as state\n"
        "save = state.State.save\n"
        "def slow(self, *given):\n"
        "    save(self, *given)\n"
        "    time.sleep(1.5)\n"
        "state.State.save = slow\n"
        "from citygen.cli import main\n"
        "if __name__ == '__main__':\n"
        "    sys.argv = ['citygen', *sys.argv[1:]]\n"
        "    main()\n"
    )
    script = out.parent / "slow.py"
    script.write_text(code)
    # A test run in the background of a shell inherits SIGINT as ignored, and so would the build: as on a terminal, then.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen([sys.executable, str(script), *argv], text=True, **how)
    finally:
        signal.signal(signal.SIGINT, heard)


def _wait_for_tile(process: subprocess.Popen, out: Path, psutil: object) -> list:
    end = time.monotonic() + 120
    while time.monotonic() < end and not list(out.glob(".citygen/tiles/*.parquet")):
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.05)
    return psutil.Process(process.pid).children(recursive=True)


@pytest.fixture
def town(tmp_path: Path) -> Path:
    plots(60).to_parquet(tmp_path / "town.parquet")
    return tmp_path / "town.parquet"


def test_other_options_or_content_need_overwrite(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, buildings=[str(town)], ground_z=1, grid="metric:250")
    first = content(out)
    with pytest.raises(OutputError, match="other inputs or options; give --overwrite"):
        build(out, buildings=[str(town)], ground_z=2, grid="metric:250")
    with pytest.raises(OutputError, match="--no-resume"):
        build(out, buildings=[str(town)], ground_z=1, grid="metric:250", resume=False)
    changed = plots(60)
    changed["height"] += 1
    changed.to_parquet(town)
    with pytest.raises(OutputError, match="other inputs or options; give --overwrite"):
        build(out, buildings=[str(town)], ground_z=1, grid="metric:250")
    assert content(out) == first
    build(out, buildings=[str(town)], ground_z=1, grid="metric:250", overwrite=True)
    assert content(out) != first
    plots(60).to_parquet(town)
    build(out, buildings=[str(town)], ground_z=1, grid="metric:250", overwrite=True, resume=False)
    assert content(out) == first


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_every_part_of_a_shapefile_counts(case: Callable[[str], str], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for height in (5.0, 9.0):
        town = gpd.GeoDataFrame({"height": [height]}, geometry=[shapely.box(5e5, 5e6, 500010, 5000010)], crs=32632)
        town.to_file(folder / "town.shp")
        for path in folder.glob("town.*"):
            path.rename(folder / case(path.name))
        options = {"buildings": [str(folder / case("town.shp"))], "ground_z": 0.0}
        if height == 5.0:
            build(tmp_path / "out", **options)
            continue
        with pytest.raises(OutputError, match="other inputs"):
            build(tmp_path / "out", **options)


def test_the_order_of_sources_counts(town: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    plots(5).to_parquet(other)
    build(tmp_path / "out", buildings=[str(town), str(other)], ground_z=1)
    with pytest.raises(OutputError, match="other inputs"):
        build(tmp_path / "out", buildings=[str(other), str(town)], ground_z=1)


def test_no_tile_of_an_earlier_run_stays(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, buildings=[str(town)], ground_z=1, grid="metric:50")
    build(out, buildings=[str(town)], ground_z=1, grid="metric:250", overwrite=True)
    build(tmp_path / "new", buildings=[str(town)], ground_z=1, grid="metric:250")
    assert_same(out, tmp_path / "new")
    shutil.rmtree(out / ".citygen")
    with pytest.raises(OutputError, match=r"without its \.citygen"):
        build(out, buildings=[str(town)], ground_z=1, grid="metric:500")
    build(out, buildings=[str(town)], ground_z=1, grid="metric:500", overwrite=True)
    assert {p.name for p in (out / "tiles").rglob("*.glb")} == {f"{r['tile']}.glb" for r in rows(out).values()}


def test_overwrite_removes_only_what_is_ours(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, buildings=[str(town)], ground_z=1)
    mine = [
        "notes.txt",
        "tiles/readme.md",
        "tiles/0/my.glb",
        "tiles/0/1_2.glb.bak",
        "tiles/mine/3_4.glb",
        "cityjson/a.json",
    ]
    for name in mine:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "0").mkdir(parents=True)
    (elsewhere / "0" / "1_1.glb").write_text("mine")
    (out / "tiles" / "7").symlink_to(elsewhere / "0")
    with pytest.raises(OutputError, match=r"tiles/7: is a link"):
        build(out, buildings=[str(town)], ground_z=2, overwrite=True)
    (out / "tiles" / "7").unlink()
    build(out, buildings=[str(town)], ground_z=2, overwrite=True)
    assert [name for name in mine if not (out / name).is_file()] == []
    assert (elsewhere / "0" / "1_1.glb").read_text() == "mine"
    assert {row["ground_z"] for row in rows(out).values()} == {2.0}


def test_foreign_folders_and_files_are_refused(town: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "report.json").write_text('{"of": "another program"}')
    file = tmp_path / "file"
    file.write_text("x")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="no run of citygen"):
            build(foreign, buildings=[str(town)], ground_z=1, overwrite=overwrite)
        with pytest.raises(OutputError, match="is a file"):
            build(file, buildings=[str(town)], ground_z=1, overwrite=overwrite)
        with pytest.raises(OutputError, match=r"Not a directory|below one"):
            build(file / "sub", buildings=[str(town)], ground_z=1, overwrite=overwrite)
    assert [p.name for p in foreign.iterdir()] == ["report.json"]
    assert file.read_text() == "x"


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that even root cannot write")
def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(town: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        build(Path("/proc/citygen/out"), buildings=[str(town)], ground_z=1)


def test_a_failed_plan_leaves_nothing_behind(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import citygen.engine.run as engine

    def broken(*_: object) -> None:
        raise InputError("cut off")

    empty, done = tmp_path / "empty", tmp_path / "done"
    empty.mkdir()
    build(done, buildings=[str(town)], ground_z=1)
    before = content(done)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "make_plan", broken)
        for out in (tmp_path / "new", empty):
            with pytest.raises(InputError, match="cut off"):
                build(out, buildings=[str(town)], ground_z=1)
        with pytest.raises(InputError, match="cut off"):
            build(done, buildings=[str(town)], ground_z=2, overwrite=True)
    assert not (tmp_path / "new").exists()
    assert list(empty.iterdir()) == []
    assert content(done) == before, "an earlier result was lost to a plan that failed"
    with pytest.raises(CoverageError):
        build(tmp_path / "new", buildings=[str(town)], ground_z=1, aoi="10,50,10.1,50.1")
    assert not (tmp_path / "new").exists()
    build(done, buildings=[str(town)], ground_z=2, overwrite=True)


def test_a_run_killed_while_planning_does_not_block_the_folder(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".citygen").mkdir(parents=True)
    (out / ".citygen" / "lock").touch()
    build(out, buildings=[str(town)], ground_z=1)
    assert len(rows(out)) == 60


@pytest.mark.skipif(os.name == "nt", reason="locks of one process do not meet there")
def test_two_runs_in_one_folder_do_not_mix(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, buildings=[str(town)], ground_z=1)
    before = content(out)
    with locked(out), pytest.raises(OutputError, match="another run"):
        build(out, buildings=[str(town)], ground_z=1)
    assert content(out) == before


def test_a_full_disk_ends_the_run_and_it_goes_on(town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import citygen.pipeline.tile as stage

    real, calls = stage.write_whole, []

    def full(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(path, data)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(stage, "write_whole", full)
        with pytest.raises(OutputError, match="No space left on device"):
            build(out, buildings=[str(town)], ground_z=1, grid="metric:100")
    assert len(list(out.rglob("*.glb"))) == 2
    build(out, buildings=[str(town)], ground_z=1, grid="metric:100")
    build(tmp_path / "whole", buildings=[str(town)], ground_z=1, grid="metric:100")
    assert_same(out, tmp_path / "whole")


def test_a_damaged_state_says_what_to_do(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out, buildings=[str(town)], ground_z=1)
    plan = out / ".citygen" / "plan.json"
    plan.write_text(plan.read_text()[:20])
    from citygen.errors import BuildError

    with pytest.raises(BuildError, match="--overwrite"):
        build(out, buildings=[str(town)], ground_z=1)
    assert json.loads((out / "report.json").read_text())["footprints"] == 60
