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
from citygen.attributes.options import AttributeOptions
from citygen.attributes.read import read_attributes
from citygen.buildings.parts import resolve_parts
from citygen.buildings.repair import Footprints, repair
from citygen.catalogue.records import Built, Facts, to_table
from citygen.facade.colours import colours
from citygen.formats.base import FORMATS, write_whole
from citygen.model.scene import TileEntry
from citygen.geom.geodesy import north_on_grid
from citygen.ground.dem import Dem
from citygen.ground.under import ground_under
from citygen.model.attributes import Attributes
from citygen.model.meshes import Meshes
from citygen.model.rings import Rings
from citygen.outcome import Finding, reason, verdicts
from citygen.pipeline.describe import describe
from citygen.pipeline.scene import make_scene
from citygen.pipeline.shaping import Shaped, shape_solids
from citygen.roofs.plan import plan_roofs
from citygen.tiling.base import Grid

DUPLICATE = reason("duplicate_id", "degraded", "An earlier footprint has the same id; this one got a new one.")


@dataclass(frozen=True, slots=True)
class TileOptions:
    """
    What a tile job needs beside its rows; small and picklable.

    Attributes
    ----------
    crs : str
        Working CRS.
    grid : Grid
        Of the tiles.
    dem : Dem or None
        None: level ground.
    ground_z : float or None
        Ground where no DEM has one.
    geoid_offset_m : float
        Added to heights in the ellipsoidal frame.
    attributes : AttributeOptions
        Column map, storey height, default height.
    formats : tuple of str
        To write.
    """

    crs: str
    grid: Grid
    dem: Dem | None
    ground_z: float | None
    geoid_offset_m: float
    attributes: AttributeOptions
    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TileTask:
    """
    One tile to build.

    Attributes
    ----------
    col, row : int
        Its place in the grid.
    slices : tuple of (str, int)
        Arrow files and record batches that hold its rows.
    plan_folder, out : str
        Where those files lie, and the output folder.
    renamed : dict of int to str
        uid to new id, for rows of this run whose id is taken.
    """

    col: int
    row: int
    slices: tuple[tuple[str, int], ...]
    plan_folder: str
    out: str
    renamed: dict[int, str]


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
    triangles, tile_bytes : int
        Of what was written.
    seconds : dict of str to float
        Time by stage.
    """

    col: int
    row: int
    records: pa.Table
    entry: TileEntry | None
    triangles: int
    tile_bytes: int
    seconds: dict[str, float]


class _Clock:
    """Time by stage, for the report; never part of a result."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now


def load_rows(task: TileTask) -> pa.Table:
    """
    Map a tile's rows from the plan, in the order in which they were read.

    Parameters
    ----------
    task : TileTask
        Which batches.

    Returns
    -------
    pyarrow.Table
        Own columns start with ``@``; columns that differ in type between sources become text.
    """
    tables = []
    for name, batch in task.slices:
        with pa.memory_map(str(Path(task.plan_folder) / name)) as source:
            tables.append(pa.Table.from_batches([pa.ipc.open_file(source).get_batch(batch)]))
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    mixed = {name for name, found in types.items() if len(found - {pa.null()}) > 1}
    if mixed:
        tables = [_as_text(table, mixed) for table in tables]
    return pa.concat_tables(tables, promote_options="default").sort_by("@uid")


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for name in sorted(names & set(table.column_names)):
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.string()))
    return table


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
    ids, findings = _ids(rows, uid, task.renamed)
    raw = shapely.from_wkb(rows["@geometry"].to_numpy(zero_copy_only=False))
    clock.lap("read")
    footprints, found = repair(raw)
    findings += found
    part_of = rows["@part_of"].to_numpy()
    footprints, replaced, found = _with_parts(footprints, rows, uid)
    findings += found
    clock.lap("repair")
    attributes, found = read_attributes(rows, footprints.area_m2, options.attributes)
    findings += found
    clock.lap("attributes")
    datum, lowest, found = _ground(footprints, uid, part_of, options)
    findings += found
    clock.lap("ground")
    build = np.isfinite(datum) & (np.bincount(footprints.row, minlength=len(uid)) > 0)
    north = _north(attributes, footprints, options.crs)
    plan, found = plan_roofs(attributes, footprints.rings, footprints.row, (datum, lowest), north)
    findings += found
    clock.lap("roofs")
    shaped, found = shape_solids(footprints, plan, build)
    findings += found
    clock.lap("solids")
    findings = [_only(f, ~replaced) for f in findings]
    outcome, reasons, details = verdicts(len(uid), findings)
    built = describe(footprints, attributes, plan, shaped, datum)
    outlines = np.where(shapely.is_missing(footprints.geometry), raw, footprints.geometry)
    owners = _owners(uid, part_of, ids)
    verdict = (outcome, reasons, details)
    facts = Facts(ids, rows["@source"].to_pylist(), owners, verdict, outlines, f"{task.col}_{task.row}")
    records = to_table(facts, built)
    clock.lap("catalogue")
    entry, triangles, size = _write(task, options, (ids, outcome, attributes), built, shaped, clock)
    return TileResult(task.col, task.row, records, entry, triangles, size, clock.seconds)


def _ids(rows: pa.Table, uid: Int64, renamed: dict[int, str]) -> tuple[Objects, list[Finding]]:
    """Return each row's id, new ones where an earlier row has it."""
    ids = np.array(rows["@id"].to_pylist(), dtype=object)
    if not renamed:
        return ids, []
    again = np.array([u in renamed for u in uid.tolist()], dtype=bool)
    index = np.flatnonzero(again)
    finding = Finding(index, DUPLICATE, [str(i) for i in ids[index].tolist()])
    ids[index] = [renamed[u] for u in uid[index].tolist()]
    return ids, [finding]


def _with_parts(footprints: Footprints, rows: pa.Table, uid: Int64) -> tuple[Footprints, Bool, list[Finding]]:
    """Let parts stand for their outlines; nothing happens in a tile without parts."""
    part_of = rows["@part_of"].to_numpy()
    is_part = rows["@is_part"].to_numpy(zero_copy_only=False)
    if not is_part.any():
        return footprints, np.zeros(len(uid), dtype=bool), []
    geometry, replaced, findings = resolve_parts(footprints.geometry, uid, part_of, is_part)
    before = np.bincount(footprints.row, minlength=len(uid)) > 0
    footprints, found = repair(geometry)
    return footprints, replaced, findings + [_only(f, before & ~replaced) for f in found]


def _only(finding: Finding, rows: Bool) -> Finding:
    """Keep a finding for some rows; notes about parts and ids always stay."""
    if finding.code in {"replaced_by_parts", DUPLICATE}:
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


def _owners(uid: Int64, part_of: Int64, ids: Objects) -> Objects:
    """Return the id of each part's outline, None for the rest."""
    where = {u: k for k, u in enumerate(uid.tolist())}
    return np.array([None if p < 0 else ids[where[p]] for p in part_of.tolist()], dtype=object)


def _write(
    task: TileTask,
    options: TileOptions,
    names: tuple[Objects, Objects, Attributes],
    built: Built,
    shaped: Shaped,
    clock: _Clock,
) -> tuple[TileEntry | None, int, int]:
    """Write the tile in every format; return its entry, triangles and bytes."""
    meshes: Meshes = shaped.meshes
    if len(meshes) == 0:
        return None, 0, 0
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
    size, uri = 0, ""
    for name in options.formats:
        kind = FORMATS[name]
        if kind.encode is not None:
            path = kind.path(options.grid.level, task.col, task.row)
            data = kind.encode(scene)
            write_whole(Path(task.out) / path, data)
            size += len(data)
            uri = path if name == "glb" else uri
    clock.lap("write")
    low, high = (tuple(edge.tolist()) for edge in (scene.positions.min(axis=0), scene.positions.max(axis=0)))
    entry = TileEntry(uri, task.col, task.row, scene.lon, scene.lat, low, high, region)
    return entry, len(scene.triangles), size
