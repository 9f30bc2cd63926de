"""
A DEM and the outlines of buildings to the ground of one tile: triangles within a tolerance, with holes where buildings stand.

The border comes first (``terrain_border``), then the holes (``terrain_holes``); both are constraints of a triangulation that
takes in nodes of the DEM's lattice until the surface is within the tolerance (``geom.tin``). Heights of all vertices are
those of the DEM's surface at their own place.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.errors import BuildError
from citygen.geom.sampled import split_edges
from citygen.geom.tin import build, carve, refine, refine_edges
from citygen.ground.terrain_border import border
from citygen.ground.terrain_holes import holes, segments
from citygen.ground.terrain_lattice import Lattice, lattice
from citygen.ground.terrain_plan import Block, snap
from citygen.ground.terrain_surface import Surface
from citygen.model.rings import Rings

_LINES, _NODES, _EDGES = 0.42, 0.8, 0.9
"""Shares of the tolerance that constraints, nodes and free edges may stray: what is checked only in places stays within it.
A free edge close along a constraint may stray twice as far as that, and must not ask for vertices nearer and nearer to it."""
_ROUNDS = 12
_ROOM = 0.3
"""Share of a lattice's nodes that there is room for at first."""
_EARTH_M = 6_371_000.0


@dataclass(frozen=True, slots=True)
class TerrainMesh:
    """
    The ground of a tile.

    Attributes
    ----------
    xy : (n, 2) float64
        Plan coordinates (``PlanFrame``).
    z : (n,) float64
        m in the DEM's vertical datum.
    slope : (n, 2) float64
        Change of height along x and y of the plan, m a plan unit.
    triangles : (m, 3) int64
        Counter-clockwise seen from above.
    rim : (k, 2) int64
        Edges on the tile's border, the ground to their left.
    void : float
        Share of the tile that the DEM has no heights for.
    stride : int
        DEM cells between the nodes that the surface was held against; 1: all of them.
    """

    xy: Float64
    z: Float64
    slope: Float64
    triangles: Int64
    rim: Int64
    void: float
    stride: int


def terrain(surface: Surface, tile: Block, outlines: Objects, tolerance: float) -> TerrainMesh | None:
    """
    Make the ground of a tile.

    Parameters
    ----------
    surface : Surface
        The DEM's, around the tile.
    tile : Block
        Which part of the grid.
    outlines : (n,) object
        Shapely polygons or multipolygons in plan coordinates: where buildings stand. All that touch the tile, in any order.
    tolerance : float
        m. Largest vertical distance from the DEM's surface, but for what ``TerrainMesh.stride`` says.

    Returns
    -------
    TerrainMesh or None
        None where no ground is left: void of the DEM, or built over.

    Raises
    ------
    BuildError
        When outlines cross each other in a way that joining them does not mend.
    """
    grid = lattice(surface, tile, tolerance)
    if grid is None:
        return None
    outlines = outlines[np.lexsort(shapely.bounds(outlines).T)] if len(outlines) else outlines
    void = shapely.transform(grid.void, lambda xy: xy + tile.origin)
    solid = np.concatenate([outlines, void])
    edge_xy, edge_z = border(surface, tile, segments(solid), _LINES * tolerance)
    for coarser in (False, True):
        rings = holes(solid, tile, coarser=coarser) if len(solid) else None
        made = _mesh(surface, tile, (grid, edge_xy, edge_z, rings), tolerance)
        if made is not None:
            break
    else:
        raise BuildError(f"terrain tile {tile.level}/{tile.col}_{tile.row}: outlines of buildings cross each other")
    xy, z, triangles = made
    if len(triangles) == 0:
        return None
    world = xy + tile.origin
    gone = shapely.intersection(grid.void, shapely.box(*(tile.box - np.tile(tile.origin, 2))))
    area = (tile.x[-1] - tile.x[0]) * (tile.y[-1] - tile.y[0])
    return TerrainMesh(
        world,
        z,
        _slopes(surface, world, z, _step(grid)) if tile.level == 0 else _lattice_slopes(grid, xy),
        triangles,
        _rim(world, triangles, tile.box),
        float(shapely.area(gone).sum() / area),
        grid.stride,
    )


Made = tuple[Float64, Float64, Int64]


def _mesh(
    surface: Surface, tile: Block, given: tuple[Lattice, Float64, Float64, Rings | None], tolerance: float
) -> Made | None:
    """Triangulate; return local plan coordinates, heights and triangles, None when constraints cross."""
    grid, edge_xy, edge_z, rings = given
    n = len(edge_xy)
    points, z = edge_xy - tile.origin, np.nan_to_num(edge_z)
    edges = np.column_stack([np.arange(n), np.roll(np.arange(n), -1)])
    sides = np.empty((0, 2), np.int64)
    if rings is not None and len(rings):
        box = tile.box - np.tile(tile.origin, 2)
        xy, chain, sides = _walls(surface, tile, rings, (grid, box, _LINES * tolerance))
        z = np.concatenate([z, np.nan_to_num(surface.heights(xy + tile.origin))])
        points, edges, sides = np.concatenate([points, xy]), np.concatenate([edges, chain + n]), sides + n
    inner, inner_z = _spread(tile, grid, tolerance)
    points, z = np.concatenate([points, inner]), np.concatenate([z, inner_z])
    room = int(_ROOM * grid.cells.size) + 4096
    box = np.r_[points.min(axis=0), points.max(axis=0)]
    while True:
        mesh, number, bad = build(points, edges, box, room)
        if bad >= 0:
            return None
        dead = carve(mesh, number[sides] if len(sides) else sides)
        done, full = _refined(mesh, dead, grid, (number, z), tolerance)
        if not full or room >= 2 * grid.cells.size:
            break
        room *= 3
    return _compact(mesh, dead, done, (surface, tile), (number[:n], edge_z))


def _walls(
    surface: Surface, tile: Block, rings: Rings, how: tuple[Lattice, Float64, float]
) -> tuple[Float64, Int64, Int64]:
    """Return vertices of holes, their edges but for those along the tile's border, and every side, the hole to its left."""
    grid, box, tolerance = how
    after = np.arange(len(rings.coords)) + 1
    after[rings.ring_offsets[1:] - 1] = rings.ring_offsets[:-1]
    a, b = rings.coords, rings.coords[after]
    sides = np.column_stack([np.arange(len(a)), after])
    on = np.zeros(len(a), dtype=bool)
    for axis, value in ((0, box[0]), (0, box[2]), (1, box[1]), (1, box[3])):
        on |= (a[:, axis] == value) & (b[:, axis] == value)
    inside = np.flatnonzero(~on)
    zs = surface.heights(rings.coords + tile.origin)
    ends = np.concatenate([_pixels(grid, a[inside]), _pixels(grid, b[inside])], axis=1)
    edge, place = split_edges(ends, np.column_stack([zs[inside], zs[after][inside]]), grid.cells, tolerance)
    owner = inside[edge]
    more = snap(a[owner] + place[:, None] * (b[owner] - a[owner]))
    # chains: each edge's start, the vertices on it, then its end
    number = len(a) + np.arange(len(more))
    starts = np.concatenate([inside, owner])
    order = np.lexsort((np.concatenate([np.full(len(inside), -1.0), place]), starts))
    vertex = np.concatenate([inside, number])[order]
    last = np.r_[starts[order][1:] != starts[order][:-1], True]
    following = np.where(last, after[starts[order]], np.roll(vertex, -1))
    return np.concatenate([a, more]), np.column_stack([vertex, following]), sides


def _pixels(grid: Lattice, xy: Float64) -> Float64:
    return _affine(grid.ahead, xy)


def _affine(matrix: Float64, xy: Float64) -> Float64:
    """Apply a (2, 3) affine map, element by element: its rounding does not depend on how many points there are."""
    x, y = xy[:, 0], xy[:, 1]
    return np.column_stack([m[0] * x + m[1] * y + m[2] for m in matrix])


def _spread(tile: Block, grid: Lattice, tolerance: float) -> tuple[Float64, Float64]:
    """Return a few places inside large tiles, so that no triangle is long enough for the Earth's curvature to matter."""
    longest = np.sqrt(0.8 * _EARTH_M * tolerance)
    n = np.ceil((tile.box[2:] - tile.box[:2]) / longest).astype(np.int64)
    if (n <= 1).all():
        return np.empty((0, 2)), np.empty(0)
    x, y = (np.linspace(lines[0], lines[-1], k + 1)[1:-1] for lines, k in ((tile.x, n[0]), (tile.y, n[1])))
    xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2) - tile.origin
    px = np.rint(_pixels(grid, xy))
    z = grid.cells[px[:, 1].astype(np.int64), px[:, 0].astype(np.int64)]
    known = ~np.isnan(z)
    return snap(_affine(grid.back, px[known])), z[known]


def _refined(
    mesh: tuple, dead: Bool, grid: Lattice, known: tuple[Int64, Float64], tolerance: float
) -> tuple[Float64, bool]:
    """Refine; return the vertices' heights on the lattice, and whether the room was too small."""
    number, z = known
    xy, count = mesh[0], mesh[-1]
    px = _pixels(grid, xy)
    height = np.zeros(len(xy))
    height[number] = z
    used = np.isnan(grid.cells)
    surface = (px, height, grid.cells, grid.back)
    refine(mesh, dead, surface, used, _NODES * tolerance)
    for _ in range(_ROUNDS):
        if refine_edges(mesh, dead, surface, _EDGES * tolerance) == 0:
            break
        refine(mesh, dead, surface, used, _NODES * tolerance)
    return height, bool(count[0] + 8 >= len(xy))


def _compact(
    mesh: tuple, dead: Bool, place: Float64, where: tuple[Surface, Block], known: tuple[Int64, Float64]
) -> Made:
    """Return the vertices and triangles of the ground alone, with the DEM's own heights; coarser tiles have the lattice's."""
    surface, tile = where
    xy, org, count = mesh[0], mesh[1], mesh[-1]
    triangles = org[: 3 * count[1]].reshape(-1, 3)[~dead[: count[1]]]
    used, triangles = np.unique(triangles, return_inverse=True)
    if tile.level == 0:
        height = surface.heights(xy[used] + tile.origin)
        lost = np.isnan(height)
        height[lost] = place[used][lost]
    else:
        every = place.copy()
        every[known[0]] = known[1]
        height = every[used]
    return xy[used].copy(), height, triangles.reshape(-1, 3).astype(np.int64)


def _step(grid: Lattice) -> float:
    """Return the length of a cell of the lattice in the plan."""
    return float(np.sqrt(abs(np.linalg.det(grid.back[:, :2]))))


def _lattice_slopes(grid: Lattice, xy: Float64) -> Float64:
    """Return the slope of the lattice's nodes next to each vertex."""
    rows, cols = (np.gradient(grid.cells, axis=k) for k in (0, 1))
    px = np.rint(_affine(grid.ahead, xy)).astype(np.int64).clip(0, np.array(grid.cells.shape[::-1]) - 1)
    at = px[:, 1], px[:, 0]
    per_px = np.nan_to_num(np.column_stack([cols[at], rows[at]]))
    return np.column_stack([per_px[:, 0] * grid.ahead[0, k] + per_px[:, 1] * grid.ahead[1, k] for k in (0, 1)])


def _slopes(surface: Surface, xy: Float64, z: Float64, step: float) -> Float64:
    """Return the DEM's slope at vertices, over a cell to each side; from the side that has heights at the edge of a void."""
    out = np.zeros((len(xy), 2))
    for axis in (0, 1):
        shift = np.zeros(2)
        shift[axis] = step
        low, high = surface.heights(xy - shift), surface.heights(xy + shift)
        low_known, high_known = ~np.isnan(low), ~np.isnan(high)
        rise = np.where(high_known, high, z) - np.where(low_known, low, z)
        out[:, axis] = rise / (step * np.maximum(low_known.astype(float) + high_known, 1.0))
    return out


def _rim(xy: Float64, triangles: Int64, box: Float64) -> Int64:
    """Return the edges on the tile's border."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    a, b = xy[edges[:, 0]], xy[edges[:, 1]]
    on = np.zeros(len(edges), dtype=bool)
    for axis, value in ((0, box[0]), (0, box[2]), (1, box[1]), (1, box[3])):
        on |= (a[:, axis] == value) & (b[:, axis] == value)
    rim = edges[on]
    return rim[np.lexsort((rim[:, 1], rim[:, 0]))]
