"""
One tile's rows to its files: the stages in their order, a pure function of (plan, tile key, options).

Nothing here depends on other tiles, on the order of tiles, on the clock or on how many workers there are: that is what
gives the same bytes in every run (DESIGN, section 2).
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.attributes.read import read_attributes
from citygen.buildings.parts import resolve_parts
from citygen.buildings.repair import Footprints, repair
from citygen.catalogue.records import Built, Facts, to_table
from citygen.facade.colours import colours
from citygen.formats.base import FORMATS, write_whole
from citygen.geom.geodesy import north_on_grid
from citygen.ground.under import ground_under
from citygen.model.attributes import Attributes
from citygen.model.meshes import Meshes
from citygen.model.rings import Rings, join, take
from citygen.model.scene import TileEntry
from citygen.outcome import Finding, verdicts
from citygen.pipeline.describe import describe
from citygen.pipeline.features import add_features
from citygen.pipeline.folder import writing
from citygen.pipeline.options import TileOptions
from citygen.pipeline.overhangs import Overhang, overhanging_solids
from citygen.pipeline.rooflines import KEPT, tile_lines
from citygen.pipeline.rows import DUPLICATE, TileTask, identity, load_rows, owners_of
from citygen.pipeline.scene import make_scene
from citygen.pipeline.shaping import Shaped, shape_solids
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
    rows = load_rows(task)
    uid = rows["@uid"].to_numpy()
    ids, findings = identity(rows)
    raw = shapely.from_wkb(rows["@geometry"].to_numpy(zero_copy_only=False))
    clock.lap("read")
    footprints, found = repair(raw)
    findings += found
    part_of = rows["@part_of"].to_numpy()
    footprints, replaced, found = _with_parts(footprints, rows, uid)
    findings += found
    drawn, found = tile_lines(rows, footprints)
    findings += found
    replaced |= drawn.is_line
    clock.lap("repair")
    attributes, found = read_attributes(rows, footprints.area_m2, options.attributes)
    findings += found
    clock.lap("attributes")
    datum, lowest, found = _ground(footprints, uid, part_of, options)
    findings += found
    clock.lap("ground")
    build = np.isfinite(datum) & (np.bincount(footprints.row, minlength=len(uid)) > 0)
    north = _north(attributes, footprints, options.crs)
    plan, found = plan_roofs(
        attributes,
        footprints.rings,
        footprints.row,
        (datum, lowest),
        north,
        lines=drawn.lines,
        segments=options.roof_segments,
    )
    findings += found
    clock.lap("roofs")
    shaped, found = _shape(footprints, plan, build, attributes, options)
    findings += found
    clock.lap("solids")
    shaped, features, found = add_features(shaped, plan, (ids, attributes, footprints.area_m2), options)
    findings += found
    clock.lap("features")
    findings = [_only(f, ~replaced) for f in findings]
    outcome, reasons, details = verdicts(len(uid), findings)
    built = describe(footprints, attributes, plan, (shaped, features), datum)
    outlines = np.where(shapely.is_missing(footprints.geometry), raw, footprints.geometry)
    owners = owners_of(uid, part_of, ids)
    verdict = (outcome, reasons, details)
    facts = Facts(ids, rows["@source"].to_pylist(), owners, verdict, outlines, f"{task.col}_{task.row}")
    records = to_table(facts, built)
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


def _with_parts(footprints: Footprints, rows: pa.Table, uid: Int64) -> tuple[Footprints, Bool, list[Finding]]:
    """Let parts stand for their outlines; nothing happens in a tile without parts."""
    part_of = rows["@part_of"].to_numpy()
    is_part = rows["@is_part"].to_numpy(zero_copy_only=False)
    if not is_part.any():
        return footprints, np.zeros(len(uid), dtype=bool), []
    geometry, replaced, findings = resolve_parts(footprints.geometry, uid, part_of, is_part)
    changed = np.array([a is not b for a, b in zip(geometry, footprints.geometry, strict=True)], dtype=bool)
    # Only what changed is repaired again: a neighbour's parts must not touch an outline that has none.
    anew = geometry.copy()
    anew[~changed] = None
    again, found = repair(anew)
    return _merged(footprints, again, changed), replaced, findings + [_only(f, changed & ~replaced) for f in found]


def _merged(first: Footprints, second: Footprints, chosen: Bool) -> Footprints:
    """Return the chosen rows of the second and the other rows of the first."""
    kept, new = np.flatnonzero(~chosen[first.row]), np.flatnonzero(chosen[second.row])
    both = join(take(first.rings, kept), take(second.rings, new))
    row = np.concatenate([first.row[kept], second.row[new]])
    order = np.argsort(row, kind="stable")
    return Footprints(
        take(both, order),
        row[order],
        np.where(chosen[:, None], second.origins, first.origins),
        np.where(chosen, second.area_m2, first.area_m2),
        np.where(chosen, second.geometry, first.geometry),
        np.where(chosen, second.area_change, first.area_change),
    )


def _only(finding: Finding, rows: Bool) -> Finding:
    """Keep a finding for some rows; notes about parts, roof lines and ids always stay."""
    if finding.code in {"replaced_by_parts", DUPLICATE} | KEPT:
        return finding
    kept = rows[finding.rows]
    if kept.all():
        return finding
    details = finding.details
    return Finding(
        finding.rows[kept],
        finding.code,
        None if details is None else [d for d, k in zip(details, kept, strict=True) if k],
    )


def _ground(
    footprints: Footprints, uid: Int64, part_of: Int64, options: TileOptions
) -> tuple[Float64, Float64, list[Finding]]:
    """Return each row's datum, shared by an outline and its parts, and the lowest ground under it."""
    n = len(uid)
    if options.dem is None:
        level = np.full(n, options.ground_z, dtype=float)
        return level, level, []
    polygon = np.repeat(np.arange(len(footprints.rings)), np.diff(footprints.rings.vertex_offsets))
    rings = footprints.rings
    world = Rings(rings.coords + footprints.origins[footprints.row][polygon], rings.ring_offsets, rings.polygon_offsets)
    heights, found = ground_under(options.dem, world, options.crs, default_z=options.ground_z)
    findings = [_by_row(f, footprints.row) for f in found]
    low = np.full(n, np.inf)
    np.minimum.at(low, footprints.row, np.where(np.isfinite(heights.low), heights.low, np.inf))
    group = np.where(part_of >= 0, part_of, uid)
    owners, member = np.unique(group, return_inverse=True)
    datum = np.full(len(owners), np.inf)
    np.minimum.at(datum, member, low)
    datum = datum[member]
    shared = np.isfinite(datum) & ~np.isfinite(low)
    findings = [_only(f, ~shared) if f.code == "ground_missing" else f for f in findings]
    datum[~np.isfinite(datum)] = np.nan
    return datum, np.where(np.isfinite(low), low, datum), findings


def _by_row(finding: Finding, row: Int64) -> Finding:
    """Turn a finding about polygons into one about rows."""
    return Finding(row[finding.rows], finding.code, finding.details)


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
    paint = colours(ids, attributes.class_name, flat, (attributes.wall_colour, attributes.roof_colour))
    rows = np.flatnonzero(built.present)
    table = {
        "id": ids[rows],
        "height_m": built.numbers["height_m"][rows],
        "height_from": built.words["height_from"][rows],
        "roof_shape": built.words["roof_shape"][rows],
        "outcome": outcome[rows],
    }
    scene, region = make_scene(meshes, paint, table, rows, (task.col, task.row), options)
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
