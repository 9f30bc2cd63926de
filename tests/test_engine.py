"""Tile jobs in processes: one that dies costs a retry or its own tile, an error ends the run, none is lost or left running."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from builds import accounted, assert_same, build, plots, sample_options, triangles
from citygen.engine import pool
from citygen.errors import BuildError, InputError
from citygen.pipeline.guarded import Job, run_job
from citygen.pipeline.tile import TileResult


def _dies_always(job: Job) -> TileResult:
    if _is_poisoned(job):
        os._exit(3)
    return run_job(job)


def _dies_once(job: Job) -> TileResult:
    mark = Path(job.task.out) / ".citygen" / "died"
    if _is_poisoned(job) and not mark.exists():
        mark.touch()
        os._exit(3)
    return run_job(job)


def _raises(job: Job) -> TileResult:
    if _is_poisoned(job):
        raise InputError("the DEM is gone")
    return run_job(job)


def _is_poisoned(job: Job) -> bool:
    return (job.task.col - 2, job.task.row) == (5000, 51500 + 1)


def _build(tmp_path: Path, out: str, work: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    source = tmp_path / "town.parquet"
    if not source.exists():
        plots(200).to_parquet(source)
    real = pool.run
    with monkeypatch.context() as patch:
        patch.setattr(pool, "run", lambda jobs, workers: real(jobs, workers, work=work))
        build(tmp_path / out, buildings=[str(source)], ground_z=3, grid="metric:100", workers=2)
    return tmp_path / out


def test_a_poison_tile_is_quarantined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _build(tmp_path, "whole", run_job, monkeypatch)
    out = _build(tmp_path, "out", _dies_always, monkeypatch)
    found = accounted(out)
    lost = {name for name, row in found.items() if row["reasons"] == ["tile_crashed"]}
    drawn = triangles(whole)
    assert 0 < len(lost) < 20
    assert triangles(out) == {name: value for name, value in drawn.items() if name not in lost}
    assert {drawn[name][0] for name in lost} == {"5002_51501"}


@pytest.mark.slow
def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = _build(tmp_path, "out", _dies_once, monkeypatch)
    whole = _build(tmp_path, "whole", run_job, monkeypatch)
    assert (out / ".citygen" / "died").exists()
    assert_same(out, whole)


def test_an_error_in_a_worker_ends_the_run_and_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="the DEM is gone"):
        _build(tmp_path, "out", _raises, monkeypatch)
    end = time.monotonic() + 10
    while multiprocessing.active_children() and time.monotonic() < end:
        time.sleep(0.05)
    assert multiprocessing.active_children() == [], "workers outlive the run"
    assert not (tmp_path / "out" / "report.json").exists()
    out = _build(tmp_path, "out", run_job, monkeypatch)
    assert_same(out, _build(tmp_path, "whole", run_job, monkeypatch))


def test_reasons_have_their_meaning_when_other_processes_built_the_tiles(sample_out: Path, tmp_path: Path) -> None:
    options = sample_options()
    argv = ["--aoi", str(options["aoi"]), "--buildings", options["buildings"][0], "--dem", options["dem"][0]]
    command = [sys.executable, "-m", "citygen", "build", *argv, "-o", str(tmp_path / "out"), "--allow-rejected", "-q"]
    for workers in ("2", "1"):  # the second finds every tile done
        done = subprocess.run([*command, "--workers", workers], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    assert_same(sample_out, tmp_path / "out")


@pytest.mark.slow
def test_a_script_without_a_guard_gets_an_error_it_can_act_on(tmp_path: Path) -> None:
    plots(50).to_parquet(tmp_path / "town.parquet")
    script = tmp_path / "script.py"
    script.write_text(
        "import citygen\n"
        f"source, out = {str(tmp_path / 'town.parquet')!r}, {str(tmp_path / 'out')!r}\n"
        "citygen.build(source, ground_z=0, workers=2, grid='metric:100', out=out)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "__main__" in done.stderr.strip().splitlines()[-1]
    assert BuildError.__name__ in done.stderr
    build(tmp_path / "out", buildings=[str(tmp_path / "town.parquet")], ground_z=0, grid="metric:100")
