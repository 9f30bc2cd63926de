"""Finished tiles of buildings to terrain tiles: which there are, which buildings stand in each, level by level."""

import contextlib
import math
from collections.abc import Callable, Generator, Iterable
from typing import Any

import numpy as np
import shapely

from citygen.config import BuildConfig
from citygen.engine import pool
from citygen.geom.geodesy import transformer
from citygen.ground.platforms import REACH_M
from citygen.ground.terrain_plan import block, plan_frame
from citygen.log import get_logger
from citygen.pipeline.extents import in_crs
from citygen.pipeline.finish import tile_size_m
from citygen.pipeline.inputs import Inputs
from citygen.pipeline.plan import Plan
from citygen.pipeline.state import State
from citygen.pipeline.terrain import (
    TerrainJob,
    TerrainOptions,
    TerrainResult,
    TerrainTask,
    failed_terrain,
    levels_of,
    run_terrain_job,
)

log = get_logger(__name__)
Key = tuple[int, int]


def make_terrain(
    config: BuildConfig, inputs: Inputs, state: State, plan: Plan, progress: Callable[[str, int, int], None]
) -> None:
    """
    Make the terrain tiles that are not there yet, and remember each.

    Parameters
    ----------
    config : BuildConfig
        Options; nothing happens when the terrain is not asked for.
    inputs : Inputs
        For the DEM, the grid and the area of interest.
    state : State
        Knows the finished tiles of buildings.
    plan : Plan
        Names them.
    progress : callable
        ``progress(stage, done, total)``.
    """
    if not config.terrain or inputs.dem is None:
        return
    options = TerrainOptions(
        crs=inputs.crs,
        grid=inputs.grid,
        dem=inputs.dem,
        tolerance_m=config.terrain_error,
        size_m=tile_size_m(inputs.grid),
        vertical=inputs.vertical,
        drape=inputs.drape,
        platform_slope=math.tan(math.radians(config.platform_slope)) if config.platforms else None,
    )
    tasks = _tasks(inputs, state, plan, platforms=config.platforms)
    todo = [task for task in tasks if not state.terrain_done(task.level, task.col, task.row)]
    done = len(tasks) - len(todo)
    progress("terrain", done, len(tasks))
    with contextlib.closing(_results([TerrainJob(task, options) for task in todo], config.workers)) as results:
        for result in results:
            state.save_terrain(result)
            done += 1
            progress("terrain", done, len(tasks))


def _results(jobs: list[TerrainJob], workers: int) -> Generator[TerrainResult, None, None]:
    """Run jobs here, or in processes."""
    if min(workers, len(jobs)) <= 1:
        for job in jobs:
            yield run_terrain_job(job)
        return
    yield from pool.run_any(jobs, min(workers, len(jobs)), (run_terrain_job, _lost))


def _lost(job: TerrainJob) -> TerrainResult:
    return failed_terrain(job, "its process died twice")


def terrain_keys(inputs: Inputs, plan: Plan) -> list[tuple[int, int, int]]:
    """Return level, column and row of all terrain tiles of a run, leaves first."""
    levels = levels_of(_leaves(inputs, plan.tiles))
    return [(number, *key) for number, level in enumerate(levels) for key in sorted(level, key=lambda k: (k[1], k[0]))]


def _tasks(inputs: Inputs, state: State, plan: Plan, *, platforms: bool) -> list[TerrainTask]:
    levels = levels_of(_leaves(inputs, plan.tiles))
    records = _reaching(inputs, state, list(levels[0]), plan, REACH_M if platforms else 0.0)
    tasks = []
    for level, tiles in enumerate(levels):
        for key in sorted(tiles, key=lambda k: (k[1], k[0])):
            names = records.get(key, ()) if level == 0 else ()
            tasks.append(TerrainTask(level, *key, names, tuple(tiles[key]) if level else (), str(state.out)))
    return tasks


def _leaves(inputs: Inputs, tiles: Iterable[Key]) -> list[Key]:
    """Return the grid tiles that touch the area of interest; without one, those with buildings and the eight around each."""
    if inputs.aoi is None:
        around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        return sorted({(col + i, row + j) for col, row in tiles for i, j in around})
    area = in_crs(inputs.aoi, inputs.crs, inputs.grid.crs) if inputs.grid.crs != inputs.crs else inputs.aoi
    west, south, east, north = area.bounds
    cols, rows = inputs.grid.keys(np.array([west, east]), np.array([south, north]))
    col, row = (v.ravel() for v in np.meshgrid(_span(cols), _span(rows)))
    boxes = np.array([inputs.grid.bounds(int(c), int(r)) for c, r in zip(col, row, strict=True)])
    touched = shapely.intersects(area, shapely.box(*boxes.T))
    inner = touched & (shapely.area(shapely.intersection(area, shapely.box(*boxes.T))) > 0)
    return [(int(c), int(r)) for c, r in zip(col[inner], row[inner], strict=True)]


def _span(ends: Any) -> Any:
    return np.arange(min(ends), max(ends) + 1)


def _reaching(inputs: Inputs, state: State, leaves: list[Key], plan: Plan, reach: float) -> dict[Key, tuple[str, ...]]:
    """Return for each leaf the records of the tiles whose buildings may reach into it, or within ``reach`` metres of it."""
    extents = state.extents(plan.tiles)
    if not extents or not leaves:
        return {}
    owners = sorted(extents, key=lambda k: (k[1], k[0]))
    tree = shapely.STRtree(shapely.box(*np.array([extents[key] for key in owners]).T))
    frame = plan_frame(inputs.grid.crs)
    boxes = []
    for key in leaves:
        tile = block(inputs.grid, frame, (0, *key))
        low, high = frame.to_crs(tile.box[None, :2])[0], frame.to_crs(tile.box[None, 2:])[0]
        box = (*low.tolist(), *high.tolist())
        if inputs.grid.crs != inputs.crs:
            box = transformer(inputs.grid.crs, inputs.crs).transform_bounds(*box, densify_pts=9)
        pad = 1e-3 * (box[2] - box[0]) + 1.0 + reach
        boxes.append((box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad))
    found: dict[Key, tuple[str, ...]] = {}
    for leaf, owner in tree.query(shapely.box(*np.array(boxes).T)).T.tolist():
        found[leaves[leaf]] = (*found.get(leaves[leaf], ()), str(state.record_path(*owners[owner])))
    return {key: tuple(sorted(names)) for key, names in found.items()}
