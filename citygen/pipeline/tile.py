"""
One tile's rows to its files: the stages in their order, a pure function of (plan, tile key, options).

Nothing here depends on other tiles, on the order of tiles, on the clock or on how many workers there are: that is what
gives the same bytes in every run (DESIGN, section 2).
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.attributes.kinship import Kin
from citygen.attributes.read import read_attributes
from citygen.buildings.parts import close_stacks
from citygen.buildings.repair import Footprints, repair
from citygen.catalogue.records import Built, Facts, to_table
from citygen.facade.colours import colours
from citygen.formats.base import FORMATS, write_whole
from citygen.geom.geodesy import north_on_grid
from citygen.model.attributes import Attributes
from citygen.model.meshes import Meshes, take
from citygen.model.scene import TileEntry
from citygen.outcome import Finding, verdicts
from citygen.pipeline.describe import describe
from citygen.pipeline.estimates import estimates_of
from citygen.pipeline.features import add_features
from citygen.pipeline.folder import writing
from citygen.pipeline.footing import Footing, above_ground, dug, footing
from citygen.pipeline.guests import beside, renumbered, without
from citygen.pipeline.options import TileOptions
from citygen.pipeline.overhangs import Overhang, overhanging_solids
from citygen.pipeline.partywalls import shared_walls
from citygen.pipeline.rooflines import tile_lines
from citygen.pipeline.rows import TileTask, identity, load_rows, owners_of
from citygen.pipeline.scene import make_scene
from citygen.pipeline.shaping import Shaped, shape_solids
from citygen.pipeline.standing import Standing, lost_parts, only, outline_rows, twin_parts, what_stands
from citygen.roofs.plan import RoofPlan, plan_roofs


@dataclass(frozen=True, slots=True)
class TileResult:
    """
    What a tile job gives back: everything but the files it wrote.

    Attributes
    ----------
    col, row : int
        The tile.
    records : pyarrow.Table
        One row a footprint.
    entry : TileEntry or None
        For the tileset; None for a tile without buildings.
    triangles : int
        Of what was written.
    files : dict of str to int
        Path below the output folder and size in bytes of each file written.
    seconds : dict of str to float
        Time by stage.
    extent : tuple of 4 float or None
        Of the outlines of what was built, working CRS.
    """

    col: int
    row: int
    records: pa.Table
    entry: TileEntry | None
    triangles: int
    files: dict[str, int]
    seconds: dict[str, float]
    extent: tuple[float, float, float, float] | None = None


class _Clock:
    """Time by stage, for the report; never part of a result."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def build_tile(task: TileTask, options: TileOptions) -> TileResult:
    """
    Build one tile and write its files.

    Parameters
    ----------
    task : TileTask
        The tile.
    options : TileOptions
        The run's.

    Returns
    -------
    TileResult
        With a row for every footprint of the tile.
    """
    clock = _Clock()
    rows = load_rows(task, guests=True)
    ids, named = identity(rows)
    raw = shapely.from_wkb(rows["@geometry"].to_numpy(zero_copy_only=False))
    clock.lap("read")
    footprints, repaired = repair(raw)
    weight = beside(rows, footprints, rows["@guest"].to_numpy())
    if not weight.all():
        rows, footprints, ids, raw = without(weight, (rows, footprints, ids, raw))
        repaired, named = ([renumbered(f, weight > 0) for f in found] for found in (repaired, named))
        weight = weight[weight > 0]
    failed = np.zeros(len(ids), dtype=bool)
    tile = _Tile(task, options, rows, ids, footprints, weight)
    made = _make(tile, failed, clock)
    again = lost_parts(rows, made.standing, np.bincount(made.shaped.meshes.solid_row, minlength=len(ids)) > 0, failed)
    if again.any():  # what parts cannot cover, their outline has to
        made = _make(tile, again, clock)
    return _result(tile, raw, made, named + repaired, clock)


@dataclass(frozen=True, slots=True)
class _Tile:
    """What a tile job starts from: rows of the tile (weight 2) and of what lies beside it, cleaned."""

    task: TileTask
    options: TileOptions
    rows: pa.Table
    ids: Objects
    footprints: Footprints
    weight: Int64

    @property
    def own(self) -> Bool:
        """Say which rows are the tile's own."""
        out: Bool = ~self.rows["@guest"].to_numpy()
        return out


@dataclass(frozen=True, slots=True)
class _Made:
    """What the stages came to, for all rows."""

    standing: Standing
    attributes: Attributes
    ground: Footing
    plan: RoofPlan
    shaped: Shaped
    findings: list[Finding]


def _make(tile: _Tile, failed: Bool, clock: _Clock) -> _Made:
    """Run the stages from clean outlines to solids."""
    rows, options = tile.rows, tile.options
    uid = rows["@uid"].to_numpy()
    standing, findings = what_stands(rows, tile.footprints, (tile.task, tile.ids), failed, tile.weight == 1)
    footprints = standing.footprints
    drawn, found = tile_lines(rows, footprints)
    findings += found
    standing = replace(standing, gone=standing.gone | drawn.is_line)
    clock.lap("repair")
    estimates = estimates_of(Path(tile.task.plan_folder), uid)
    kin = Kin(outline_rows(rows), standing.double, tile.ids)
    attributes, found = read_attributes(rows, footprints.area_m2, options.attributes, estimates, kin)
    findings += found
    twins, found = twin_parts(rows, standing, attributes, tile.ids)
    findings += found
    standing = replace(standing, gone=standing.gone | twins)
    clock.lap("attributes")
    ground, found = footing(rows, footprints, standing.group, options)
    findings += found
    clock.lap("ground")
    build = np.isfinite(ground.datum) & (np.bincount(footprints.row, minlength=len(uid)) > 0) & ~twins
    north = _north(attributes, footprints, options.crs)
    plan, found = plan_roofs(
        attributes,
        footprints.rings,
        footprints.row,
        (ground.datum, ground.foot),
        north,
        lines=drawn.lines,
        segments=options.roof_segments,
    )
    findings += found
    plan, found = above_ground(plan, attributes, ground, build, platforms=options.platform_slope is not None)
    findings += found
    is_part = rows["@is_part"].to_numpy()
    if is_part.any():
        plan = replace(plan, base_z=close_stacks(plan.base_z, plan.top_z, standing.group, is_part & build))
    clock.lap("roofs")
    shaped, found = _shape(footprints, plan, build, attributes, options)
    findings += found
    clock.lap("solids")
    return _Made(standing, attributes, ground, plan, shaped, findings)


def _result(tile: _Tile, raw: Objects, made: _Made, findings: list[Finding], clock: _Clock) -> TileResult:
    """Finish the tile's own rows: party walls, features, records, files."""
    options, task, rows, ids = tile.options, tile.task, tile.rows, tile.ids
    footprints, attributes = made.standing.footprints, made.attributes
    walls = shared_walls(made.shaped.meshes, tile.own, made.standing.group)
    shaped = replace(
        made.shaped, meshes=take(made.shaped.meshes, np.flatnonzero(tile.own[made.shaped.meshes.solid_row]))
    )
    clock.lap("party_walls")
    shaped, features, found = add_features(shaped, made.plan, (ids, attributes, footprints.area_m2), options)
    clock.lap("features")
    findings = [only(f, ~made.standing.gone) for f in findings + made.findings + found]
    outcome, reasons, details = verdicts(len(ids), findings)
    built = describe(footprints, attributes, made.plan, (shaped, features), made.ground)
    built.numbers["shared_wall_area_m2"] = walls.shared_m2
    stands = built.present & tile.own & (made.plan.base_z <= made.ground.low)
    built.numbers["cut_m3"], built.numbers["fill_m3"] = dug(
        footprints, made.ground, made.standing.group, stands, options
    )
    outlines = np.where(shapely.is_missing(footprints.geometry), raw, footprints.geometry)
    owners = owners_of(rows["@uid"].to_numpy(), rows["@part_of"].to_numpy(), ids)
    verdict = (outcome, reasons, details)
    facts = Facts(ids, rows["@source"].to_pylist(), owners, verdict, outlines, f"{task.col}_{task.row}")
    records = to_table(facts, built)
    if not tile.own.all():
        records = records.filter(pa.array(tile.own))
    if options.party_walls == "drop":
        shaped = replace(shaped, meshes=walls.opened(shaped.meshes))
    clock.lap("catalogue")
    entry, triangles, files = _write(task, options, (ids, outcome, attributes), (built, shaped), clock)
    return TileResult(
        task.col, task.row, records, entry, triangles, files, clock.seconds, _extent(footprints.geometry[built.present])
    )


def _extent(geometry: Objects) -> tuple[float, float, float, float] | None:
    """Return the extent of geometries, None where there are none."""
    if len(geometry) == 0:
        return None
    west, south, east, north = shapely.total_bounds(geometry).tolist()
    return west, south, east, north


def _north(attributes: Attributes, footprints: Footprints, crs: str) -> Float64:
    """Return the bearing of true north on the grid for the rows that have a direction; 0 for the rest."""
    out = np.zeros(len(attributes))
    index = np.flatnonzero(np.isfinite(attributes.roof_direction_deg) & np.isfinite(footprints.origins[:, 0]))
    if len(index):
        out[index] = north_on_grid(crs, footprints.origins[index])
    return out


def _shape(
    footprints: Footprints, plan: RoofPlan, build: Bool, attributes: Attributes, options: TileOptions
) -> tuple[Shaped, list[Finding]]:
    """Make the solids: first those whose roofs overhang, where any does, then the rest."""
    given = attributes.roof_overhang_m
    reach = np.where(np.isfinite(given), given, options.overhang_m)
    if not (reach > 0).any():
        return shape_solids(footprints, plan, build)
    overhang = Overhang(reach, options.roof_thickness_m)
    ready, findings = overhanging_solids(footprints, plan, np.flatnonzero(build), overhang)
    shaped, found = shape_solids(footprints, plan, build, ready)
    return shaped, findings + found


def _write(
    task: TileTask,
    options: TileOptions,
    names: tuple[Objects, Objects, Attributes],
    made: tuple[Built, Shaped],
    clock: _Clock,
) -> tuple[TileEntry | None, int, dict[str, int]]:
    """Write the tile in every format; return its entry, triangles, and files with their sizes."""
    built, shaped = made
    meshes: Meshes = shaped.meshes
    files: dict[str, int] = {}
    if len(meshes) == 0:
        return None, 0, files
    ids, outcome, attributes = names
    flat = built.numbers["eave_z"] == built.numbers["ridge_z"]
    paint = colours(
        ids,
        attributes.class_name,
        flat,
        (attributes.wall_colour, attributes.roof_colour),
        (attributes.wall_material, attributes.roof_material),
    )
    rows = np.flatnonzero(built.present)
    table = {
        "id": ids[rows],
        "height_m": built.numbers["height_m"][rows],
        "height_from": built.words["height_from"][rows],
        "height_sigma_m": built.numbers["height_sigma_m"][rows],
        "roof_shape": built.words["roof_shape"][rows],
        "outcome": outcome[rows],
        "ground_min": built.numbers["ground_min"][rows],
        "ground_max": built.numbers["ground_max"][rows],
    }
    scene, region = make_scene(meshes, paint, table, rows, (task.col, task.row), options)
    scene = replace(scene, is_open=options.party_walls == "drop")
    clock.lap("scene")
    uri = ""
    for name in options.formats:
        kind = FORMATS[name]
        if kind.encode is not None:
            path = kind.path(options.grid.level, task.col, task.row)
            data = kind.encode(scene)
            with writing(Path(task.out) / path):
                write_whole(Path(task.out) / path, data)
            files[path] = len(data)
            uri = path if name == "glb" else uri
    clock.lap("write")
    low, high = (tuple(edge.tolist()) for edge in (scene.positions.min(axis=0), scene.positions.max(axis=0)))
    entry = TileEntry(uri, task.col, task.row, scene.lon, scene.lat, low, high, region)
    return entry, len(scene.triangles), files
