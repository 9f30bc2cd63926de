"""
Footprints with roofs that reach beyond them to closed solids: floor, walls, soffits, the roof's edge, the roof.

The roof is drawn over the grown outline; its underside lies a thickness below it, from the walls to the roof's edge. Over
the footprint the solid is filled, as it is without overhang.
"""

from dataclasses import dataclass, replace

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.geom.eaves import hang, trace
from citygen.geom.triangulate import face_vectors
from citygen.model.meshes import Meshes
from citygen.model.rings import Rings, from_polygons, offsets
from citygen.model.surfaces import RoofSurfaces
from citygen.solids.soffit import Cells, heights_below, soffit_cells


@dataclass(frozen=True, slots=True)
class Below:
    """
    What is under the roofs of p polygons.

    Attributes
    ----------
    base_z, eave_z : (p,) float64
        Floor and eave, metres in the DEM's vertical datum.
    thickness_m : float
        From the roof's surface down to the underside of the overhang.
    """

    base_z: Float64
    eave_z: Float64
    thickness_m: float


def overhang(
    outlines: tuple[Rings, Rings],
    roof: RoofSurfaces,
    below: Below,
    rows_origins: tuple[Int64, Float64],
    grid_m: float,
) -> Meshes:
    """
    Close solids under roofs that overhang.

    Parameters
    ----------
    outlines : (Rings, Rings)
        Footprints, and the same grown (``geom.grow``), local plan coordinates.
    roof : RoofSurfaces
        Over the grown outlines; a polygon whose roof is not ``ok`` becomes a solid without faces.
    below : Below
        Heights; the underside must lie above the floor.
    rows_origins : ((p,) int64, (p, 2) float64)
        The table row and the local origin of each polygon.
    grid_m : float
        On which the underside's lines meet, metres.

    Returns
    -------
    Meshes
        One solid a polygon, in order; without faces where the underside could not be made.
    """
    rings, grown = outlines
    roof = _edged(roof)
    low, level = heights_below(roof)
    cells = soffit_cells(rings, grown, roof, level, grid_m)
    flat = from_polygons(cells.shapes)
    corner_polygon = np.repeat(cells.polygon, np.diff(flat.vertex_offsets))
    node, (vertex_node, point_node), places, node_polygon = _nodes(
        (flat.coords, corner_polygon), rings, (grown, roof), grid_m
    )
    links, counts = _rim(node, flat.ring_offsets, corner_polygon, (len(places), len(rings)))
    edges = (rings.ring_offsets, rings.polygon_offsets, grown.vertex_offsets)
    walls, wall_offsets, ok = trace(
        edges, (roof.chain, roof.chain_offsets), (vertex_node, point_node), links, counts, roof.ok
    )
    places = _straightened(places, rings, (walls, wall_offsets))
    z = _heights(places, (node, np.diff(flat.vertex_offsets)), cells, roof, low) - below.thickness_m
    return _closed(
        outlines,
        roof,
        (node, flat.ring_offsets, flat.polygon_offsets, _starts(cells.polygon, len(rings))),
        (walls, wall_offsets),
        (np.column_stack([places, z]), _starts(node_polygon, len(rings)), point_node),
        (below.base_z, below.eave_z, ok, *rows_origins),
    )


def _edged(roof: RoofSurfaces) -> RoofSurfaces:
    """Leave out of the roof's edge what no face has: where two upright walls meet, their corner below the roof."""
    has_face = np.zeros(len(roof.points), dtype=bool)
    has_face[roof.corners] = True
    kept = has_face[roof.chain]
    return replace(roof, chain=roof.chain[kept], chain_offsets=offsets(kept)[roof.chain_offsets])


def _starts(owner: Int64, n: int) -> Int64:
    """Return where the things of each of n owners start, and where the last one's end; owners ascend."""
    return np.searchsorted(owner, np.arange(n + 1)).astype(np.int64)


def _closed(
    outlines: tuple[Rings, Rings],
    roof: RoofSurfaces,
    cells: tuple[Int64, Int64, Int64, Int64],
    walls: tuple[Int64, Int64],
    nodes: tuple[Float64, Int64, Int64],
    about: tuple[Float64, Float64, Bool, Int64, Float64],
) -> Meshes:
    """Write the faces of all solids; see ``hang``. The last are base, eave, which to close, rows and origins."""
    rings, grown = outlines
    base_z, eave_z, ok, rows, origins = about
    arrays = (
        roof.points,
        roof.corners,
        roof.ring_offsets,
        roof.face_offsets,
        roof.polygon_faces,
        roof.riser,
        roof.chain,
        roof.chain_offsets,
    )
    plans = (rings.coords, rings.ring_offsets, rings.polygon_offsets, grown.vertex_offsets)
    parts = hang(plans, arrays, cells, walls, nodes, (base_z, eave_z), ok)
    vertices, corners, ring_offsets, face_offsets, face_class, solid_faces, solid_vertices = parts
    return Meshes(
        vertices,
        corners,
        ring_offsets,
        face_offsets,
        face_class,
        solid_faces,
        solid_vertices,
        solid_row=rows,
        origins=origins,
    )


def _nodes(
    cells: tuple[Float64, Int64], rings: Rings, over: tuple[Rings, RoofSurfaces], grid_m: float
) -> tuple[Int64, tuple[Int64, Int64], Float64, Int64]:
    """
    Give one number to the cell corners, footprint vertices and roof points of a polygon that fall on one grid point.

    Returns the node of each cell corner; of each footprint vertex and roof point (-1: no such); places, exactly the
    vertex or the roof's point where there is one; and the polygon of each node, ascending.
    """
    grown, roof = over
    edge, at = np.unique(roof.chain, return_index=True)
    edge_polygon = np.searchsorted(roof.chain_offsets[grown.vertex_offsets], at, side="right") - 1
    vertex_polygon = np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))
    xy = np.concatenate([cells[0], roof.points[edge, :2], rings.coords])
    polygon = np.concatenate([cells[1], edge_polygon, vertex_polygon])
    x, y = np.floor(xy / grid_m + 0.5).T  # as GEOS rounds
    order = np.lexsort((y, x, polygon))
    fresh = np.ones(len(order), dtype=bool)
    a, b = order[1:], order[:-1]
    fresh[1:] = (polygon[a] != polygon[b]) | (x[a] != x[b]) | (y[a] != y[b])
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(fresh) - 1
    places = np.empty((int(fresh.sum()), 2))
    places[number] = xy  # a later one counts: corners, then the roof's edge, then the footprint
    n_cells, n_edge = len(cells[0]), len(edge)
    point_node = np.full(len(roof.points), -1, dtype=np.int64)
    point_node[edge] = number[n_cells : n_cells + n_edge]
    return number[:n_cells], (number[n_cells + n_edge :], point_node), places, polygon[order[fresh]]


def _rim(
    node: Int64, ring_offsets: Int64, corner_polygon: Int64, sizes: tuple[int, int]
) -> tuple[tuple[Int64, Int64], Int64]:
    """Return before and after each node along edges that one cell alone has, and the number of those edges a polygon."""
    n_nodes, n_polygons = sizes
    following = np.arange(1, len(node) + 1, dtype=np.int64)
    following[ring_offsets[1:] - 1] = ring_offsets[:-1]
    tail, head = node, node[following]
    alone = np.flatnonzero(~np.isin(tail * n_nodes + head, head * n_nodes + tail))
    before, after = np.full(n_nodes, -1, dtype=np.int64), np.full(n_nodes, -1, dtype=np.int64)
    after[tail[alone]], before[head[alone]] = head[alone], tail[alone]
    counts: Int64 = np.bincount(corner_polygon[alone], minlength=n_polygons)
    return (before, after), counts.astype(np.int64)


def _straightened(places: Float64, rings: Rings, walls: tuple[Int64, Int64]) -> Float64:
    """Put the nodes between the ends of each footprint edge exactly onto it, so that its wall is a plane."""
    nodes, starts = walls
    edge = np.repeat(np.arange(len(rings.coords)), np.diff(starts))
    inner = np.ones(len(nodes), dtype=bool)
    filled = np.flatnonzero(np.diff(starts) > 0)
    inner[starts[filled]], inner[starts[filled + 1] - 1] = False, False
    edge, inner_nodes = edge[inner], nodes[inner]
    ahead = np.arange(1, len(rings.coords) + 1, dtype=np.int64)
    ahead[rings.ring_offsets[1:] - 1] = rings.ring_offsets[:-1]
    a, along = rings.coords[edge], rings.coords[ahead[edge]] - rings.coords[edge]
    share = np.einsum("ij,ij->i", places[inner_nodes] - a, along) / np.einsum("ij,ij->i", along, along)
    out = places.copy()
    out[inner_nodes] = a + np.clip(share, 0.0, 1.0)[:, None] * along
    return out


def _heights(places: Float64, corners: tuple[Int64, Int64], cells: Cells, roof: RoofSurfaces, low: Float64) -> Float64:
    """Return the roof's height over each node: the mean of the planes that meet there, or the roof's least height."""
    node, sizes = corners
    vectors = face_vectors(roof.points, roof.corners, roof.ring_offsets, roof.face_offsets)
    starts = roof.ring_offsets[roof.face_offsets]
    counts = np.maximum(np.diff(starts), 1)[:, None]
    middle = np.add.reduceat(roof.points[roof.corners], starts[:-1], axis=0) / counts if len(vectors) else vectors
    sloped = np.repeat(cells.face >= 0, sizes)
    face = np.repeat(cells.face, sizes)[sloped]
    polygon = np.repeat(cells.polygon, sizes)
    away = places[node[sloped]] - middle[face, :2]
    z = low[polygon]
    z[sloped] = middle[face, 2] - np.einsum("ij,ij->i", away, vectors[face, :2]) / vectors[face, 2]
    total = np.bincount(node, weights=z, minlength=len(places))
    out: Float64 = total / np.maximum(np.bincount(node, minlength=len(places)), 1)
    return out


def underside(roof: RoofSurfaces, below: Below) -> Float64:
    """Return how far the underside's lowest place lies above the floor, metres, (p,) float64; NaN without a roof."""
    low, _ = heights_below(roof)
    out: Float64 = low + below.eave_z - below.thickness_m - below.base_z
    return out
