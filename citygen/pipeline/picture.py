"""Written tiles and the DEM to ``preview.png``: the middle of the city, as much of it as a picture can show."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from citygen.arraytypes import Float64, Int64, UInt8
from citygen.formats.glb import decode
from citygen.formats.terrain import decode_terrain
from citygen.geom.geodesy import LocalFrame, from_ecef, transformer
from citygen.ground.dem import Dem
from citygen.ground.relief import relief_mesh
from citygen.log import get_logger
from citygen.model.scene import TileEntry
from citygen.pipeline.folder import writing
from citygen.pipeline.inputs import Inputs
from citygen.pipeline.plan import Plan
from citygen.pipeline.state import State
from citygen.preview.parts import PictureScene
from citygen.preview.scene import render, write_png

log = get_logger(__name__)
MAX_TRIANGLES = 1_500_000
_GROUND_STEPS = 300


def write_preview(
    state: State,
    inputs: Inputs,
    plan: Plan,
    ground: Sequence[tuple[int, int, int]] = (),
    *,
    size: tuple[int, int] = (1600, 1000),
) -> None:
    """
    Draw the city that lies in an output folder to its ``preview.png``.

    Parameters
    ----------
    state : State
        Knows the finished tiles.
    inputs : Inputs
        For the working CRS and the DEM.
    plan : Plan
        Names its tiles.
    ground : sequence of (int, int, int)
        Level, column and row of the terrain's tiles, when there are any.
    size : (width, height)
        Pixels.
    """
    entries = [entry for _, entry, _ in state.records(plan.tiles) if entry is not None]
    found = (state.terrain_of(*key) for key in ground if key[0] == 0)
    leaves = [about["entry"] for about in found if about is not None and about["entry"] is not None]
    picture = render(city_scene(state.out, entries, inputs.crs, inputs.dem, leaves), size=size)
    path = state.out / "preview.png"
    with writing(path):
        write_png(picture, path)


def city_scene(
    out: Path, entries: list[TileEntry], crs: str, dem: Dem | None, terrain: Sequence[TileEntry] = ()
) -> PictureScene:
    """
    Gather tiles and ground for a picture, in the working CRS around their middle.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    entries : list of TileEntry
        Its tiles; the ones farthest from the middle are left out when there are too many triangles.
    crs : str
        Working CRS.
    dem : Dem or None
        The ground where there is no terrain; None draws a plane.
    terrain : sequence of TileEntry
        The finest terrain tiles, when there are any.

    Returns
    -------
    PictureScene
    """
    vertices, triangles, colours = [np.empty((0, 3))], [np.empty((0, 3), np.int64)], [np.empty((0, 3), np.uint8)]
    count = shown = 0
    for entry in _from_the_middle(entries):
        part = tile_triangles(out / entry.uri, entry, crs)
        if shown and shown + len(part[1]) > MAX_TRIANGLES:
            log.info("the preview shows %d triangles from the middle of the city", shown)
            break
        vertices.append(part[0])
        triangles.append(part[1] + count)
        colours.append(part[2])
        count += len(part[0])
        shown += len(part[1])
    points = np.concatenate(vertices)
    origin = np.round(points.mean(axis=0)) * [1, 1, 0] if len(points) else np.zeros(3)
    ground = terrain_mesh(out, terrain, crs, points) if terrain else _ground(points, dem, crs)
    ground = (ground[0] - origin, ground[1])
    return PictureScene(points - origin, np.concatenate(triangles), np.concatenate(colours), *ground)


def tile_triangles(path: Path, entry: TileEntry, crs: str) -> tuple[Float64, Int64, UInt8]:
    """
    Read a tile back into the working CRS.

    Parameters
    ----------
    path : pathlib.Path
        A GLB.
    entry : TileEntry
        Its frame.
    crs : str
        Working CRS.

    Returns
    -------
    vertices : (n, 3) float64
        x, y in the working CRS, ellipsoidal height.
    triangles : (m, 3) int64
    colours : (m, 3) uint8
        sRGB, one a triangle.
    """
    scene = decode(path.read_bytes())
    return to_crs(scene.positions, entry, crs), scene.triangles, scene.colours[scene.triangles[:, 0]]


def to_crs(positions: Float64, entry: TileEntry, crs: str) -> Float64:
    """Return (n, 3) float64: places of a tile's frame in the working CRS, with ellipsoidal heights."""
    lonlat, height = from_ecef(LocalFrame(entry.lon, entry.lat).to_ecef(positions))
    x, y = transformer("EPSG:4979", crs).transform(lonlat[:, 0], lonlat[:, 1])[:2]
    return np.stack([np.asarray(x), np.asarray(y), height], axis=1)


def _from_the_middle(entries: list[TileEntry]) -> list[TileEntry]:
    """Sort tiles by their distance from the middle one."""
    if not entries:
        return []
    col, row = (float(np.median([getattr(e, name) for e in entries])) for name in ("col", "row"))
    return sorted(entries, key=lambda e: ((e.col - col) ** 2 + (e.row - row) ** 2, e.row, e.col))


def terrain_mesh(
    out: Path, terrain: Sequence[TileEntry], crs: str, around: Float64 | None = None
) -> tuple[Float64, Int64]:
    """
    Read terrain tiles back into the working CRS, joined where they meet.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    terrain : sequence of TileEntry
        Tiles of one level.
    crs : str
        Working CRS.
    around : (n, 3) float64, optional
        Tiles further than half their width from the extent of these places are left out.

    Returns
    -------
    vertices : (v, 3) float64
        x, y in the working CRS, ellipsoidal height.
    triangles : (t, 3) int64
    """
    low, high = np.full(2, -np.inf), np.full(2, np.inf)
    if around is not None and len(around):
        low, high = around[:, :2].min(axis=0), around[:, :2].max(axis=0)
    vertices, triangles, count = [np.empty((0, 3))], [np.empty((0, 3), np.int64)], 0
    for entry in terrain:
        surface = decode_terrain((out / entry.uri).read_bytes())
        places = to_crs(surface.positions, entry, crs)
        first, last = places[:, :2].min(axis=0), places[:, :2].max(axis=0)
        pad = 0.5 * float(np.max(last - first))
        if np.all(last >= low - pad) and np.all(first <= high + pad):
            vertices.append(places)
            triangles.append(surface.triangles + count)
            count += len(places)
    return _welded(np.concatenate(vertices), np.concatenate(triangles))


def _welded(vertices: Float64, triangles: Int64) -> tuple[Float64, Int64]:
    """Join vertices of neighbouring tiles that single precision has set apart: rays would pass between."""
    _, first, number = np.unique(np.round(vertices, 2), axis=0, return_index=True, return_inverse=True)
    return vertices[first], number.reshape(-1)[triangles]


def _ground(points: Float64, dem: Dem | None, crs: str) -> tuple[Float64, Int64]:
    """Return the ground around the buildings as a mesh; nothing without a DEM or buildings."""
    if dem is None or len(points) == 0:
        return np.empty((0, 3)), np.empty((0, 3), np.int64)
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    reach = float(max(high - low))
    pad = 0.25 * reach + 20.0
    bounds = (low[0] - pad, low[1] - pad, high[0] + pad, high[1] + pad)
    return relief_mesh(dem, bounds, crs, step_m=max(1.0, round((reach + 2 * pad) / _GROUND_STEPS)))
