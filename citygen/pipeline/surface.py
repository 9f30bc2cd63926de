"""A plan's first footprints and its DEM to a warning, when the DEM turns out to be a surface model."""

from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from citygen.ground.surface import ENOUGH, SurfaceCheck, check_surface
from citygen.log import get_logger
from citygen.pipeline.inputs import Inputs
from citygen.pipeline.plan import Plan
from citygen.pipeline.rows import TileTask, load_rows
from citygen.pipeline.state import State

log = get_logger(__name__)

MOST = 3000
"""Footprints that are looked at, from the fullest tiles: neighbours, so that their roofs are known."""

_TILES = 4


def with_surface_check(inputs: Inputs, state: State, plan: Plan) -> Inputs:
    """
    Look whether the DEM is a surface model; warn once, and note it for the report.

    Parameters
    ----------
    inputs : Inputs
        For the DEM and the working CRS.
    state : State
        Where the plan lies.
    plan : Plan
        Whose footprints are looked at.

    Returns
    -------
    Inputs
        With ``surface``, and a note on the DEM where it is one.
    """
    if inputs.dem is None:
        return inputs
    fullest = sorted(plan.tiles, key=lambda key: (-plan.counts[key], key))[:_TILES]
    shapes: list[Any] = []
    for key in fullest:
        slices = tuple((name, batch) for name, batch in plan.tiles[key])
        rows = load_rows(TileTask(key[0], key[1], slices, str(state.plan_folder), str(state.out)))
        shapes += shapely.from_wkb(rows["@geometry"].to_numpy(zero_copy_only=False)).tolist()
        if len(shapes) >= MOST:
            break
    footprints = np.empty(min(len(shapes), MOST), dtype=object)
    footprints[:] = [_single(shape) for shape in shapes[:MOST]]
    check = check_surface(inputs.dem, footprints, inputs.crs)
    if not check.is_surface:
        return replace(inputs, surface=check)
    note = (
        f"The DEM looks like a surface model: at {check.footprints} footprints its heights stand a median {check.step_m:.1f} m "
        "above the ground around them; buildings will stand on their own roofs. Give a terrain model (DTM)."
    )
    log.warning("%s", note)
    return replace(inputs, surface=check, dem=replace(inputs.dem, notes=(*inputs.dem.notes, note)))


def _single(shape: Any) -> Any:
    """Return the only polygon of a multipolygon."""
    return (
        shape.geoms[0] if shape is not None and shape.geom_type == "MultiPolygon" and len(shape.geoms) == 1 else shape
    )


def surface_report(check: SurfaceCheck | None) -> dict[str, Any] | None:
    """Return what ``report.json`` says of the check; None on level ground."""
    if check is None:
        return None
    verdict = "surface model" if check.is_surface else "terrain model"
    if check.footprints < ENOUGH:
        verdict = "not told: too few footprints that are large enough for the cells of the DEM"
    step = None if np.isnan(check.step_m) else round(check.step_m, 2)
    return {"looks_like": verdict, "footprints": check.footprints, "median_step_m": step}
