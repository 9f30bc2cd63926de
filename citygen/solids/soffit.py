"""
Roof surfaces beyond their walls to the cells of the underside: what of each roof face lies outside the footprint.

The underside follows the roof, a thickness lower. The roof's edges and the footprint's are noded on a grid (GEOS, all
polygons at once), and each cell outside the footprint takes the plane of the face over it. Under a level roof there is one
cell between each grown ring and its own. Upright steps of the roof may stand within the footprint only.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.geom.tolerances import STEP_SHIFT_M
from citygen.geom.triangulate import face_vectors
from citygen.model.rings import Rings, offsets, ranges, take, to_polygons
from citygen.model.surfaces import RoofSurfaces

LEVEL_M = 1e-9
"""m. A roof whose heights differ by no more is level."""


@dataclass(frozen=True, slots=True)
class Cells:
    """
    Pieces of the underside of many roofs, in plan.

    Attributes
    ----------
    shapes : (k,) object of shapely.Polygon
        The cells, by polygon.
    polygon : (k,) int64
        Whose each is, ascending.
    face : (k,) int64
        The roof face over it; -1 where the underside is level.
    """

    shapes: Objects
    polygon: Int64
    face: Int64


def heights_below(roof: RoofSurfaces) -> tuple[Float64, Bool]:
    """
    Return the least height of each roof, and where the underside is level.

    Parameters
    ----------
    roof : RoofSurfaces
        Of p polygons.

    Returns
    -------
    low : (p,) float64
        Metres above the eave; NaN for a polygon without faces.
    level : (p,) bool
        True where all heights are one.
    """
    n = len(roof.ok)
    polygon = _polygon_of_points(roof)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    used = polygon >= 0
    np.minimum.at(low, polygon[used], roof.points[used, 2])
    np.maximum.at(high, polygon[used], roof.points[used, 2])
    return np.where(np.isfinite(low), low, np.nan), high - low <= LEVEL_M


def steepest_edge(roof: RoofSurfaces) -> Float64:
    """Return the slope, in degrees, of the steepest face at each roof's outer edge; (p,) float64, 0 without faces."""
    vectors = face_vectors(roof.points, roof.corners, roof.ring_offsets, roof.face_offsets)
    outer = np.zeros(len(roof.points), dtype=bool)
    outer[roof.chain] = True
    face = np.repeat(np.arange(len(roof.riser)), np.diff(roof.ring_offsets[roof.face_offsets]))
    at_edge = (np.bincount(face, weights=outer[roof.corners], minlength=len(roof.riser)) >= 2) & (roof.riser == 0)
    slope = np.degrees(np.arctan2(np.hypot(vectors[:, 0], vectors[:, 1]), vectors[:, 2]))
    out = np.zeros(len(roof.ok))
    np.maximum.at(out, np.repeat(np.arange(len(out)), np.diff(roof.polygon_faces))[at_edge], slope[at_edge])
    return out


def steps_beyond(roof: RoofSurfaces, rings: Rings) -> Bool:
    """
    Say which roofs have upright steps beyond the walls, where the underside would have to step with them.

    Parameters
    ----------
    roof : RoofSurfaces
        Of p polygons.
    rings : Rings
        Their p footprints.

    Returns
    -------
    (p,) bool
    """
    out = np.zeros(len(rings), dtype=bool)
    face = np.flatnonzero(roof.riser)
    if len(face) == 0:
        return out
    n_rings = np.diff(roof.face_offsets)[face]
    ring = ranges(roof.face_offsets[face], n_rings)
    sizes = np.diff(roof.ring_offsets)[ring]
    corner = ranges(roof.ring_offsets[ring], sizes)
    polygon = np.repeat(np.repeat(np.searchsorted(roof.polygon_faces, face, side="right") - 1, n_rings), sizes)
    tail, head = (roof.points[roof.corners[c], :2] for c in (corner, _after(corner, sizes)))
    lines = np.asarray(shapely.linestrings(np.stack([tail, head], axis=1)), dtype=object)
    mine, which = np.unique(polygon, return_inverse=True)
    within = shapely.buffer(to_polygons(take(rings, mine)), STEP_SHIFT_M, join_style="mitre")
    out[polygon[~shapely.covers(within[which.reshape(-1)], lines)]] = True
    return out


def _polygon_of_points(roof: RoofSurfaces) -> Int64:
    """Return the polygon of each roof point; -1 for one that no face uses."""
    face_polygon = np.repeat(np.arange(len(roof.ok)), np.diff(roof.polygon_faces))
    out = np.full(len(roof.points), -1, dtype=np.int64)
    out[roof.corners] = np.repeat(face_polygon, np.diff(roof.ring_offsets[roof.face_offsets]))
    return out


def soffit_cells(rings: Rings, grown: Rings, roof: RoofSurfaces, level: Bool, grid_m: float) -> Cells:
    """
    Divide the ring between footprints and grown outlines.

    Parameters
    ----------
    rings, grown : Rings
        p footprints, and the same grown (``geom.grow``: ring by ring).
    roof : RoofSurfaces
        Over the grown outlines.
    level : (p,) bool
        Where the underside is level.
    grid_m : float
        On which lines meet, metres.

    Returns
    -------
    Cells
        A polygon that GEOS fails on has none.
    """
    flat, sloped = np.flatnonzero(roof.ok & level), np.flatnonzero(roof.ok & ~level)
    parts = [_level_cells(rings, grown, roof, flat), _sloped_cells(rings, roof, sloped, grid_m)]
    shapes, polygon, face = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(polygon, kind="stable")
    return Cells(shapes[order], polygon[order], face[order])


def _level_cells(rings: Rings, grown: Rings, roof: RoofSurfaces, index: Int64) -> tuple[Objects, Int64, Int64]:
    """Return one cell a ring: between the roof's edge and the wall below it."""
    n_rings = np.diff(rings.polygon_offsets)[index]
    ring = ranges(rings.polygon_offsets[index], n_rings)
    if len(ring) == 0:
        return np.empty(0, dtype=object), np.empty(0, np.int64), np.empty(0, np.int64)
    inner = _linear_rings(rings.coords, rings.ring_offsets, ring)
    counts = np.maximum(np.diff(roof.chain_offsets) - 1, 0)  # a chain's last point is the next one's first
    edge = roof.points[roof.chain[ranges(roof.chain_offsets[:-1], counts)], :2]
    outer = _linear_rings(edge, offsets(counts)[grown.ring_offsets], ring)
    is_outline = np.zeros(len(rings.ring_offsets) - 1, dtype=bool)
    is_outline[rings.polygon_offsets[:-1]] = True
    first = is_outline[ring]
    shells, holes = np.where(first, outer, inner), np.where(first, inner, outer)
    polygon = np.repeat(index, n_rings)
    cells = np.asarray(shapely.polygons(shells, holes=holes[:, None]), dtype=object)
    return cells, polygon, np.full(len(ring), -1, dtype=np.int64)


def _linear_rings(coords: Float64, ring_offsets: Int64, ring: Int64) -> Objects:
    """Return chosen rings as GEOS has them."""
    sizes = np.diff(ring_offsets)[ring]
    own = np.repeat(np.arange(len(ring)), sizes)
    return np.asarray(shapely.linearrings(coords[ranges(ring_offsets[ring], sizes)], indices=own), dtype=object)


def _sloped_cells(rings: Rings, roof: RoofSurfaces, index: Int64, grid_m: float) -> tuple[Objects, Int64, Int64]:
    """Node the edges of roofs with those of footprints, and keep the cells outside the footprints that a face covers."""
    none = np.empty(0, dtype=object), np.empty(0, np.int64), np.empty(0, np.int64)
    if len(index) == 0:
        return none
    n_faces = np.diff(roof.polygon_faces)[index]
    face, owner = ranges(roof.polygon_faces[index], n_faces), np.repeat(np.arange(len(index)), n_faces)
    sloped = roof.riser[face] == 0
    face, owner = face[sloped], owner[sloped]
    n_faces = np.bincount(owner, minlength=len(index))
    mine = take(rings, index)
    footprints = to_polygons(mine)
    lines = _linework(mine, roof, (face, owner))
    collected = _polygonized(lines, grid_m)
    cells, owner = shapely.get_parts(collected, return_index=True)
    if len(cells) == 0:
        return none
    spot = shapely.get_coordinates(shapely.point_on_surface(cells))
    outside = ~shapely.contains_xy(footprints[owner], spot[:, 0], spot[:, 1])
    cells, owner, spot = cells[outside], owner[outside], spot[outside]
    found = _face_over(roof, (face, offsets(n_faces)), owner, spot)
    covered = found >= 0  # what no face covers lies in a courtyard
    return cells[covered], index[owner[covered]], found[covered]


def _linework(rings: Rings, roof: RoofSurfaces, chosen: tuple[Int64, Int64]) -> Objects:
    """Return all edges of each polygon's footprint and roof faces, each once, as one multi-line."""
    face, face_owner = chosen
    n_rings = np.diff(roof.face_offsets)[face]
    ring = ranges(roof.face_offsets[face], n_rings)
    sizes = np.diff(roof.ring_offsets)[ring]
    corner = ranges(roof.ring_offsets[ring], sizes)
    after = _after(corner, sizes)
    tail, head = roof.points[roof.corners[corner], :2], roof.points[roof.corners[after], :2]
    owner = np.repeat(np.repeat(face_owner, n_rings), sizes)
    every = np.arange(len(rings.coords))
    own_after = _after(every, np.diff(rings.ring_offsets))
    own = np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))
    ends = np.stack([np.concatenate([tail, rings.coords]), np.concatenate([head, rings.coords[own_after]])], axis=1)
    owner = np.concatenate([owner, own])
    swap = (ends[:, 0, 0] > ends[:, 1, 0]) | ((ends[:, 0, 0] == ends[:, 1, 0]) & (ends[:, 0, 1] > ends[:, 1, 1]))
    ends[swap] = ends[swap][:, ::-1]
    flat = ends.reshape(-1, 4)
    order = np.lexsort((*flat.T[::-1], owner))
    flat, owner = flat[order], owner[order]
    fresh = np.ones(len(flat), dtype=bool)
    fresh[1:] = (flat[1:] != flat[:-1]).any(axis=1) | (owner[1:] != owner[:-1])
    lines = np.asarray(shapely.linestrings(flat[fresh].reshape(-1, 2, 2)), dtype=object)
    return np.asarray(shapely.multilinestrings(lines, indices=owner[fresh]), dtype=object)


def _after(corner: Int64, sizes: Int64) -> Int64:
    """Return the next corner of each corner in its ring; ``corner`` is several whole rings of the given sizes."""
    after = np.empty_like(corner)
    after[:-1] = corner[1:]
    last = np.cumsum(sizes) - 1
    after[last] = corner[last - sizes + 1]
    return after


def _polygonized(lines: Objects, grid_m: float) -> Objects:
    """Node and polygonize; where GEOS fails on one of them, all are done one by one and that one has no cells."""
    try:
        noded = np.asarray(shapely.union_all(lines[:, None], axis=1, grid_size=grid_m), dtype=object)
        return np.asarray(shapely.polygonize(noded[:, None]), dtype=object)
    except shapely.errors.GEOSException:
        if len(lines) == 1:
            return np.array([shapely.GeometryCollection()], dtype=object)
        return np.concatenate([_polygonized(lines[k : k + 1], grid_m) for k in range(len(lines))])


def _face_over(roof: RoofSurfaces, chosen: tuple[Int64, Int64], owner: Int64, spot: Float64) -> Int64:
    """Return the roof face of its polygon that covers each spot; -1 where none does."""
    face, starts = chosen
    mine, theirs = _pairs(starts, owner)
    polygons, boxes = _face_polygons(roof, face)
    x, y = spot[mine].T
    box = boxes[theirs]
    near = (x >= box[:, 0]) & (x <= box[:, 2]) & (y >= box[:, 1]) & (y <= box[:, 3])
    mine, theirs = mine[near], theirs[near]
    inside = shapely.contains_xy(polygons[theirs], x[near], y[near])
    out = np.full(len(owner), -1, dtype=np.int64)
    out[mine[inside]] = face[theirs[inside]]
    return out


def _pairs(starts: Int64, owner: Int64) -> tuple[Int64, Int64]:
    """Return every pair of a cell and a face of its polygon."""
    counts = np.diff(starts)[owner]
    return np.repeat(np.arange(len(owner)), counts), ranges(starts[owner], counts)


def _face_polygons(roof: RoofSurfaces, face: Int64) -> tuple[Objects, Float64]:
    """Return faces in plan, and their boxes."""
    n_rings = np.diff(roof.face_offsets)[face]
    ring = ranges(roof.face_offsets[face], n_rings)
    sizes = np.diff(roof.ring_offsets)[ring]
    coords = roof.points[roof.corners[ranges(roof.ring_offsets[ring], sizes)], :2]
    flat = Rings(np.ascontiguousarray(coords), offsets(sizes), offsets(n_rings))
    return to_polygons(flat), flat.bounds()
