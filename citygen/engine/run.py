"""A checked config to a finished output folder: plan, tiles, finish, with resume; the one way that every caller takes."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from citygen.attributes.options import AttributeOptions
from citygen.config import BuildConfig
from citygen.engine import local, pool
from citygen.log import get_logger
from citygen.pipeline.finish import Tally, finish
from citygen.pipeline.guarded import Job
from citygen.pipeline.inputs import Inputs, no_footprint, open_inputs
from citygen.pipeline.picture import write_preview
from citygen.pipeline.plan import Plan, make_plan
from citygen.pipeline.state import State, prepare_out, stamp_of
from citygen.pipeline.tile import TileOptions, TileResult, TileTask
from citygen.sources.base import Source

log = get_logger(__name__)
Progress = Callable[[str, int, int], None]
"""``progress(stage, done, total)``; total is 0 while it is not known."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a run came to.

    Attributes
    ----------
    out : pathlib.Path
        The output folder.
    tally : Tally
        Counts over all rows.
    report : dict
        What ``report.json`` holds.
    """

    out: Path
    tally: Tally
    report: dict[str, Any]


def _silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def run(
    config: BuildConfig,
    *,
    frames: tuple[Source, ...] = (),
    aoi_geometry: Any = None,  # noqa: ANN401
    progress: Progress = _silent,
) -> Outcome:
    """
    Build a city.

    Parameters
    ----------
    config : BuildConfig
        Options.
    frames : tuple of Source
        Sources in memory.
    aoi_geometry : shapely geometry, optional
        Area in lon/lat that stands above ``config.aoi``.
    progress : callable
        Told of each step.

    Returns
    -------
    Outcome

    Raises
    ------
    CitygenError
        As its class says; nothing half-written is left of a run that failed before its first tile.
    """
    began = time.perf_counter()
    inputs = open_inputs(config, frames=frames, aoi_geometry=aoi_geometry)
    stamp = _stamp(config, inputs, frames)
    out = Path(config.out)
    fresh = not out.exists()
    state = prepare_out(out, stamp, resume=config.resume, overwrite=config.overwrite)
    seconds = {"open": time.perf_counter() - began}
    plan = state.load_plan()
    if plan is None:
        plan = _plan(config, inputs, state, fresh, progress)
    seconds["plan"] = time.perf_counter() - began - seconds["open"]
    _tiles(config, inputs, state, plan, (progress, seconds))
    at = time.perf_counter()
    counts = {"read": plan.read, "outside": plan.outside, "seconds": seconds}
    if config.preview:
        progress("preview", 0, 0)
        write_preview(state, inputs, out / "preview.png")
    seconds["preview"] = time.perf_counter() - at
    seconds["total"] = time.perf_counter() - began
    progress("finish", 0, 0)
    tally, report = finish(config, inputs, state, plan.unplaced, counts)
    return Outcome(out, tally, report)


def _stamp(config: BuildConfig, inputs: Inputs, frames: tuple[Source, ...]) -> str:
    """Digest everything that the result depends on."""
    area = None if inputs.aoi is None else shapely.to_wkb(inputs.aoi, hex=True)
    extra = {"crs": inputs.crs, "aoi": area, "frames": [getattr(f, "digest", f.info.name) for f in frames]}
    return stamp_of(config.result_options(), inputs.digests, extra)


def _plan(config: BuildConfig, inputs: Inputs, state: State, fresh: bool, progress: Progress) -> Plan:
    """Deal the sources to tiles; leave no folder behind when that fails."""
    progress("plan", 0, 0)
    done = False
    try:
        state.start()
        plan = make_plan(inputs, state.plan_folder, config.map)
        if not plan.tiles and not plan.unplaced and inputs.aoi is not None:
            raise no_footprint(inputs.aoi, inputs.crs, inputs.sources, str(config.aoi))
        state.save_plan(plan)
        done = True
    finally:
        if not done:
            _undo(state, fresh)
    return plan


def _undo(state: State, fresh: bool) -> None:
    """Remove the state of a plan that failed, and the output folder when this run made it."""
    import shutil

    shutil.rmtree(state.folder, ignore_errors=True)
    if fresh:
        with contextlib.suppress(OSError):
            state.out.rmdir()


def _tiles(
    config: BuildConfig, inputs: Inputs, state: State, plan: Plan, watch: tuple[Progress, dict[str, float]]
) -> None:
    """Run the jobs of all tiles that are not done, and store each result as it comes."""
    progress, seconds = watch
    options = TileOptions(
        crs=inputs.crs,
        grid=inputs.grid,
        dem=inputs.dem,
        ground_z=config.ground_z,
        geoid_offset_m=config.geoid_offset,
        attributes=AttributeOptions(config.map, config.storey_height, config.default_height),
        formats=inputs.formats,
    )
    total = sum(plan.counts.values())
    todo = [key for key in sorted(plan.tiles, key=lambda k: (k[1], k[0])) if not state.done(*key)]
    done = total - sum(plan.counts[key] for key in todo)
    if done:
        log.info("resuming: %d of %d footprints are done", done, total)
    progress("tiles", done, total)
    jobs = (Job(_task(state, plan, key), options) for key in todo)
    results: Iterator[TileResult]
    results = local.run(jobs) if config.workers == 1 else pool.run(jobs, config.workers)
    for result in results:
        numbers = {"triangles": result.triangles, "bytes": result.tile_bytes}
        state.save((result.col, result.row), result.records, result.entry, numbers)
        for name, spent in result.seconds.items():
            seconds[f"tile.{name}"] = seconds.get(f"tile.{name}", 0.0) + spent
        done += plan.counts[result.col, result.row]
        progress("tiles", done, total)


def _task(state: State, plan: Plan, key: tuple[int, int]) -> TileTask:
    """Describe one tile for a worker."""
    slices = tuple((name, batch) for name, batch in plan.tiles[key])
    return TileTask(key[0], key[1], slices, str(state.plan_folder), str(state.out), plan.renamed)
