"""A checked config to a finished output folder: plan, tiles, finish, with resume; the one way that every caller takes."""

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from citygen.attributes.options import AttributeOptions
from citygen.config import BuildConfig
from citygen.engine import local, pool
from citygen.engine.ground import make_terrain, terrain_keys
from citygen.log import get_logger
from citygen.pipeline.evidence import estimate_heights, learner
from citygen.pipeline.extents import no_footprint
from citygen.pipeline.finish import Tally, finish
from citygen.pipeline.folder import locked, remove_outputs, remove_state
from citygen.pipeline.guarded import Job
from citygen.pipeline.inputs import Inputs, open_inputs
from citygen.pipeline.options import TileOptions
from citygen.pipeline.picture import write_preview
from citygen.pipeline.plan import Plan, make_plan
from citygen.pipeline.rows import TileTask
from citygen.pipeline.state import State, prepare_out, stamp_of
from citygen.pipeline.surface import with_surface_check
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
    aoi_geometry: Any = None,
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
        As its class says. Nothing is left of a run that failed before its first tile; a later one can be gone on with.
    """
    began = time.perf_counter()
    inputs = open_inputs(config, frames=frames, aoi_geometry=aoi_geometry, progress=progress)
    out = Path(config.out)
    model = learner() if config.height_model == "auto" else ""
    stamp = stamp_of({"options": config.result_options(), "height_model": model, **inputs.identity})
    state, replace = prepare_out(out, stamp, resume=config.resume, overwrite=config.overwrite)
    seconds = {"open": time.perf_counter() - began}
    fresh = not out.exists()
    with locked(out):
        plan = None if replace else state.load_plan()
        if plan is None:
            plan = _plan(config, inputs, state, fresh, progress)
        seconds["plan"] = time.perf_counter() - began - seconds["open"]
        inputs = with_surface_check(inputs, state, plan)
        _tiles(config, inputs, state, plan, (progress, seconds))
        at = time.perf_counter()
        make_terrain(config, inputs, state, plan, progress)
        ground = terrain_keys(inputs, plan) if config.terrain else []
        seconds["terrain"] = time.perf_counter() - at
        at = time.perf_counter()
        if config.preview:
            progress("preview", 0, 0)
            write_preview(state, inputs, plan, ground)
        seconds["preview"] = time.perf_counter() - at
        seconds["total"] = time.perf_counter() - began
        progress("finish", 0, 0)
        tally, report = finish(config, inputs, state, (plan, ground), seconds)
    return Outcome(out, tally, report)


def _plan(config: BuildConfig, inputs: Inputs, state: State, fresh: bool, progress: Progress) -> Plan:
    """Deal the sources to tiles; a plan that fails leaves no folder behind, and an earlier run's result as it was."""
    progress("plan", 0, 0)
    done = False
    try:
        state.start()
        plan = make_plan(inputs, state.plan_folder, config.map)
        progress("heights", 0, 0)
        own = {name for slices in plan.tiles.values() for name, _ in slices}
        learns = config.height_model == "auto"
        plan.heights = estimate_heights(state.plan_folder, own, _attributes(config), model=learns)
        if not plan.tiles and inputs.aoi is not None and (plan.outside or not plan.unplaced):
            raise no_footprint(inputs.aoi, inputs.crs, [s.source for s in inputs.sources], config.aoi)
        remove_outputs(state.out)
        state.save_plan(plan)
        done = True
    finally:
        if not done:
            remove_state(state.out, fresh=fresh)
    return plan


def _attributes(config: BuildConfig) -> AttributeOptions:
    """Return what the options say of attributes."""
    return AttributeOptions(config.map, config.storey_height, config.default_height, config.country or "")


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
        vertical=inputs.vertical,
        attributes=_attributes(config),
        formats=inputs.formats,
        dormers=config.dormers,
        chimneys=config.chimneys,
        roof_segments=config.roof_segments,
        overhang_m=config.overhang,
        roof_thickness_m=config.roof_thickness,
        party_walls=config.party_walls,
        datum=config.datum,
        foundation_m=max(config.foundation, 0.5 * config.terrain_error if config.terrain else 0.0),
        platform_slope=math.tan(math.radians(config.platform_slope)) if config.platforms else None,
    )
    total = sum(plan.counts.values())
    todo = [key for key in sorted(plan.tiles, key=lambda k: (k[1], k[0])) if not state.done(*key)]
    done = total - sum(plan.counts[key] for key in todo)
    if done:
        log.info("resuming: %d of %d footprints are done", done, total)
    progress("tiles", done, total)
    jobs = (Job(_task(state, plan, key), options) for key in todo)
    workers = min(config.workers, len(todo))
    with contextlib.closing(local.run(jobs) if workers <= 1 else pool.run(jobs, workers)) as results:
        for result in results:
            about = {"triangles": result.triangles, "files": result.files, "extent": result.extent}
            state.save((result.col, result.row), result.records, result.entry, about)
            for name, spent in result.seconds.items():
                seconds[f"tile.{name}"] = seconds.get(f"tile.{name}", 0.0) + spent
            done += plan.counts[result.col, result.row]
            progress("tiles", done, total)


def _task(state: State, plan: Plan, key: tuple[int, int]) -> TileTask:
    """Describe one tile for a worker."""
    slices = tuple((name, batch) for name, batch in plan.tiles[key])
    beside = tuple(plan.guests.get(key, ()))
    return TileTask(key[0], key[1], slices, str(state.plan_folder), str(state.out), beside)
