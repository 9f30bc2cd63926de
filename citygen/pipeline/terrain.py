"""
A terrain tile's task to its file: the outlines of what was built around it, the ground between them, its picture.

A pure function of (records of the buildings' tiles, tile key, options), as the buildings' own tiles are of theirs. It runs
after them: where a building was rejected, or hovers (a part with a minimum height), the ground goes on.
"""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from citygen.arraytypes import Float64, Objects
from citygen.errors import BuildError, CitygenError
from citygen.formats.base import write_whole
from citygen.formats.terrain import encode_terrain, terrain_path
from citygen.geom.geodesy import LocalFrame, from_ecef, to_ecef, to_lonlat
from citygen.ground.dem import Dem
from citygen.ground.drape import picture
from citygen.ground.terrain import TerrainMesh, terrain
from citygen.ground.terrain_plan import Block, PlanFrame, block, plan_frame
from citygen.ground.terrain_surface import Surface, surface_around
from citygen.ground.tint import ground_colours
from citygen.ground.vertical import Vertical, to_ellipsoid
from citygen.log import get_logger
from citygen.model.scene import GroundScene, TileEntry
from citygen.pipeline.folder import writing
from citygen.pipeline.terrain_standing import standing_on
from citygen.tiling.base import Grid

log = get_logger(__name__)
COARSE_SHARE = 1 / 512
"""Of a tile's width: what a coarser level may stray; from where it is shown, a quarter of a pixel."""
SKIRT = 3.0
"""Skirts are this many times as deep as the next coarser level may stray."""


@dataclass(frozen=True, slots=True)
class TerrainOptions:
    """
    What every terrain tile of a run is told.

    Attributes
    ----------
    crs : str
        Working CRS.
    grid : Grid
        Of the leaves.
    dem : Dem
    tolerance_m : float
        How far the leaves may stray from the DEM, vertically.
    size_m : float
        Width of a leaf on the ground.
    vertical : Vertical
        How heights become ellipsoidal.
    drape : str or None
        As ``ground.drape.check_drape`` gives it.
    platform_slope : float or None
        Rise over run of the ground around platforms under buildings (leaves only); None: the ground is left as it is.
    """

    crs: str
    grid: Grid
    dem: Dem
    tolerance_m: float
    size_m: float
    vertical: Vertical
    drape: str | None
    platform_slope: float | None = None

    def tolerance_of(self, level: int) -> float:
        """Return how far a level may stray, metres; it doubles from level to level."""
        if level == 0:
            return self.tolerance_m
        return float(max(self.tolerance_m, self.size_m * COARSE_SHARE) * 2**level)


@dataclass(frozen=True, slots=True)
class TerrainTask:
    """
    One terrain tile to make.

    Attributes
    ----------
    level, col, row : int
        Its place.
    records : tuple of str
        Record files of the buildings' tiles that may reach into it (leaves only).
    leaves : tuple of (int, int)
        Of a coarser tile: which grid tiles under it have ground.
    out : str
        Output folder.
    """

    level: int
    col: int
    row: int
    records: tuple[str, ...]
    leaves: tuple[tuple[int, int], ...]
    out: str


@dataclass(frozen=True, slots=True)
class TerrainJob:
    """A task and the run's options: what travels to a worker."""

    task: TerrainTask
    options: TerrainOptions


@dataclass(frozen=True, slots=True)
class TerrainResult:
    """
    What a terrain job gives back.

    Attributes
    ----------
    level, col, row : int
        The tile.
    entry : TileEntry or None
        For the tileset; None where there is no ground.
    triangles : int
    files : dict of str to int
        Path below the output folder and size in bytes.
    void : float
        Share of the tile without heights.
    stride : int
        DEM cells between the nodes that the surface was held against.
    problem : str
        Why there is no ground although there should be; '' mostly.
    seconds : float
    """

    level: int
    col: int
    row: int
    entry: TileEntry | None
    triangles: int
    files: dict[str, int]
    void: float
    stride: int
    problem: str
    seconds: float


def run_terrain_job(job: TerrainJob) -> TerrainResult:
    """
    Make a terrain tile; an unforeseen error costs that tile, and the report says so.

    Raises
    ------
    BuildError
        When a file is gone or cannot be read.
    CitygenError
        What a stage raised on purpose.
    """
    task = job.task
    name = f"terrain tile {task.level}/{task.col}_{task.row}"
    try:
        return _make(task, job.options)
    except BuildError as error:
        log.error("%s", error)  # noqa: TRY400  said in one line
        return failed_terrain(job, str(error))
    except CitygenError:
        raise
    except OSError as error:
        raise BuildError(f"{name}: {error}; run again to go on when that is mended") from error
    except Exception as error:  # noqa: BLE001  the border of a tile: one tile must not stop a run (STYLE, rule 16)
        log.error("%s failed:\n%s", name, traceback.format_exc())  # noqa: TRY400
        return failed_terrain(job, f"{type(error).__name__}: {error}"[:200])


def failed_terrain(job: TerrainJob, problem: str) -> TerrainResult:
    """Return a tile without ground, and why."""
    return TerrainResult(job.task.level, job.task.col, job.task.row, None, 0, {}, 0.0, 1, problem, 0.0)


def _make(task: TerrainTask, options: TerrainOptions) -> TerrainResult:
    began = time.perf_counter()
    frame = plan_frame(options.grid.crs)
    tile = block(options.grid, frame, (task.level, task.col, task.row))
    surface = surface_around(options.dem, frame, tile)
    if task.level == 0:
        solid, surface = standing_on(task.records, (options.crs, options.platform_slope), surface, tile)
    else:
        solid = _missing(task, options, frame, tile)
    mesh = terrain(surface, tile, solid, options.tolerance_of(task.level))
    if mesh is None:
        return TerrainResult(task.level, task.col, task.row, None, 0, {}, 1.0, 1, "", time.perf_counter() - began)
    scene, region = _placed(mesh, tile, surface, options)
    uri = terrain_path(options.grid.level - task.level, task.col, task.row)
    data = encode_terrain(scene)
    path = Path(task.out) / uri
    with writing(path):
        write_whole(path, data)
    low, high = scene.positions.min(axis=0), scene.positions.max(axis=0)
    low[2] -= scene.skirt_m
    corners = (tuple(low.tolist()), tuple(high.tolist()))
    entry = TileEntry(uri, task.col, task.row, scene.lon, scene.lat, *corners, region, "terrain", task.level)
    seconds = time.perf_counter() - began
    count = len(scene.triangles) + 2 * len(scene.rim)
    return TerrainResult(
        task.level, task.col, task.row, entry, count, {uri: len(data)}, mesh.void, mesh.stride, "", seconds
    )


def _missing(task: TerrainTask, options: TerrainOptions, frame: PlanFrame, tile: Block) -> Objects:
    """Return what of a coarser tile has no finer ones: its ground must not show where theirs will not."""
    n = 1 << task.level
    if len(task.leaves) == n * n:
        return np.empty(0, dtype=object)
    boxes = np.array([block(options.grid, frame, (0, col, row)).box for col, row in task.leaves])
    there = shapely.union_all(shapely.box(*boxes.T))
    rest: Objects = shapely.get_parts(shapely.difference(shapely.box(*tile.box), there))
    areal: Objects = rest[shapely.get_type_id(rest) == 3]
    return areal


Region = tuple[float, float, float, float, float, float]


def _placed(mesh: TerrainMesh, tile: Block, surface: Surface, options: TerrainOptions) -> tuple[GroundScene, Region]:
    """Place a tile's ground on Earth, in the frame at its middle."""
    frame, middle = surface.frame, (tile.box[:2] + tile.box[2:]) / 2
    lonlat = to_lonlat(frame.crs, frame.to_crs(np.concatenate([middle[None], mesh.xy])))
    local = LocalFrame(float(lonlat[0, 0]), float(lonlat[0, 1]))
    lonlat = lonlat[1:]
    height = to_ellipsoid(options.vertical, lonlat, mesh.z)
    normals, run = _normals(mesh, middle, frame, local)
    depth = SKIRT * options.tolerance_of(int(tile.level) + 1)
    scene = GroundScene(
        positions=local.from_ecef(to_ecef(lonlat, height)),
        normals=normals,
        uv=_uv(mesh.xy, tile),
        colours=ground_colours(mesh.z, mesh.slope / run),
        triangles=mesh.triangles,
        rim=mesh.rim,
        skirt_m=depth,
        picture=None if options.drape is None else picture(options.drape, surface, tile),
        lon=local.lon,
        lat=local.lat,
    )
    return scene, _region(scene, local)


def _region(scene: GroundScene, local: LocalFrame) -> Region:
    """Return the region around a tile's ground and its skirt."""
    hem = scene.positions[np.unique(scene.rim)] - [0.0, 0.0, scene.skirt_m]
    lonlat, height = from_ecef(local.to_ecef(np.concatenate([scene.positions, hem])))
    west, south = lonlat.min(axis=0).tolist()
    east, north = lonlat.max(axis=0).tolist()
    if east - west > 180:  # a tile across the antimeridian
        wrapped = np.where(lonlat[:, 0] < 0, lonlat[:, 0] + 360, lonlat[:, 0])
        west, east = float(wrapped.min()), float(wrapped.max()) - 360
    return west, south, east, north, float(height.min()), float(height.max())


def _uv(xy: Float64, tile: Block) -> Float64:
    """Return texture coordinates, 0 to 1 over the tile, v from north to south."""
    share = (xy - tile.box[:2]) / (tile.box[2:] - tile.box[:2])
    return np.column_stack([share[:, 0], 1.0 - share[:, 1]]).clip(0.0, 1.0)


def _normals(mesh: TerrainMesh, middle: Float64, frame: PlanFrame, local: LocalFrame) -> tuple[Float64, float]:
    """Return the ground's normals in the tile's frame, and how long a plan unit is there in metres."""
    step = 10.0
    places = middle + np.array([[0.0, 0.0], [step, 0.0], [0.0, step]])
    lonlat = to_lonlat(frame.crs, frame.to_crs(places))
    flat = local.from_ecef(to_ecef(lonlat, np.zeros(3)))[:, :2]
    along_x, along_y = (flat[1] - flat[0]) / step, (flat[2] - flat[0]) / step
    n = len(mesh.z)
    x = np.column_stack([np.tile(along_x, (n, 1)), mesh.slope[:, 0]])
    y = np.column_stack([np.tile(along_y, (n, 1)), mesh.slope[:, 1]])
    normal = np.cross(x, y)
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    return normal, float(np.sqrt(abs(along_x[0] * along_y[1] - along_x[1] * along_y[0])))


def levels_of(leaves: list[tuple[int, int]]) -> list[dict[tuple[int, int], list[tuple[int, int]]]]:
    """
    Put coarser tiles over leaves.

    Parameters
    ----------
    leaves : list of (int, int)
        Columns and rows.

    Returns
    -------
    list of dict
        For each level from 0 on: the tiles of the level, and the leaves under each; until one tile is left, or tiles
        do not merge any more (those around the grid's origin never do).

    Examples
    --------
    >>> [sorted(level) for level in levels_of([(2, 2), (3, 2)])]
    [[(2, 2), (3, 2)], [(1, 1)]]
    """
    levels = [{key: [key] for key in sorted(leaves)}]
    while len(levels[-1]) > 1:
        merged: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for (col, row), under in levels[-1].items():
            merged.setdefault((col >> 1, row >> 1), []).extend(under)
        if len(merged) == len(levels[-1]) and len(merged) <= 4:
            break
        levels.append(merged)
    return levels
