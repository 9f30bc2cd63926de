"""
The faces of a straight skeleton to their faults, and two skeletons to how far apart they are: Shapely, no product kernel.

A face belongs to the outline's edge that it starts from; over it the roof is as high as the point is far from that edge's line.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LinearRing, Polygon

HEIGHT_M = 1e-3
"""m. How far a node may lie off the plane of a face it belongs to, and two skeletons apart."""
AREA_REL = 1e-9


@dataclass(frozen=True)
class Skeleton:
    """Faces over an outline: nodes (m, 3) in metres, height the inset; ``loops[k]`` the node numbers around face ``k``."""

    nodes: np.ndarray
    loops: list[np.ndarray]

    def plan(self) -> np.ndarray:
        """Return the faces as polygons in the plane."""
        return np.array([Polygon(self.nodes[loop, :2]) for loop in self.loops], dtype=object)


def edges_of(outline: Polygon) -> np.ndarray:
    """Return (n, 2, 2): tail and head of each edge, the inside on the left."""
    turned = shapely.orient_polygons(outline, exterior_cw=False)
    loops = [np.asarray(ring.coords) for ring in (turned.exterior, *turned.interiors)]
    return np.concatenate([np.stack([xy[:-1], xy[1:]], axis=1) for xy in loops])


def insets(edges: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return (e, n): how far inside each edge's line each point lies, metres."""
    along = edges[:, 1] - edges[:, 0]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1)[:, None]
    return np.einsum("ej,enj->en", normal, xy[None, :, :] - edges[:, None, 0])


def owners(outline: Polygon, skeleton: Skeleton) -> list[list[int]]:
    """Return the edges that each face starts from: those with both ends, one after the other, among its corners."""
    edge = {(tuple(tail), tuple(head)): k for k, (tail, head) in enumerate(edges_of(outline).tolist())}
    found = []
    for loop in skeleton.loops:
        xy = [tuple(corner) for corner in skeleton.nodes[loop, :2].tolist()]
        found.append([edge[pair] for pair in pairwise([*xy, xy[0]]) if pair in edge])
    return found


def faults(outline: Polygon, skeleton: Skeleton, *, tolerance_m: float = HEIGHT_M, rounded: bool = False) -> set[str]:
    """
    Judge a skeleton by what a straight skeleton is.

    Parameters
    ----------
    outline : shapely.Polygon
        In metres.
    skeleton : Skeleton
        Faces counter-clockwise, corners of the outline exactly those of the outline.
    tolerance_m : float
        How far a node may lie off the plane of its face.
    rounded : bool
        Judge an exact skeleton that was rounded to floats: its slivers and spikes may cross themselves, and edges on one
        line may share a face, as CGAL lets them.

    Returns
    -------
    set of str
        Empty when each edge has one face, the faces are simple, tile the outline without gap or overlap, follow their edge,
        and every node is as high as it is far from the lines of all its faces' edges.
    """
    found = set() if rounded else _plane_faults(outline, skeleton)
    if abs(shapely.area(skeleton.plan()).sum() - outline.area) > (1e-6 if rounded else AREA_REL) * outline.area:
        found.add("faces do not add up to the outline")
    edge, edges = owners(outline, skeleton), edges_of(outline)
    if sorted(k for mine in edge for k in mine) != list(range(len(edges))) or not all(edge):
        return found | {"an edge without a face, or a face without an edge"}
    if not rounded and len(edge) != len(edges):
        return found | {"edges that share a face"}
    for loop, mine in zip(skeleton.loops, edge, strict=True):
        node = skeleton.nodes[loop]
        if np.abs(insets(edges[mine], node[:, :2]) - node[:, 2]).max() > tolerance_m:
            found.add("a node is not as high as it is far from its edge")
        if not rounded and not _follows(edges[mine[0]], node[:, :2], tolerance_m):
            found.add("a face does not follow its edge")
    if skeleton.nodes[np.concatenate(skeleton.loops), 2].min() < 0.0:
        found.add("a node lies below the outline")
    return found


def _plane_faults(outline: Polygon, skeleton: Skeleton) -> set[str]:
    """Judge the faces as polygons of the plane."""
    found: set[str] = set()
    faces = skeleton.plan()
    if not shapely.is_valid(faces).all():
        found.add("a face is not simple")
    if any(len(set(loop.tolist())) != len(loop) for loop in skeleton.loops):
        found.add("a face meets itself")
    if not all(LinearRing(face.exterior).is_ccw for face in faces):
        found.add("a face is turned over")
    if found:
        return found
    if not shapely.coverage_is_valid(faces):
        return {"faces overlap or leave gaps"}
    whole = shapely.coverage_union_all(faces)
    if shapely.symmetric_difference(whole, outline).area > AREA_REL * outline.area:
        return {"faces do not tile the outline"}
    return found


def _follows(edge: np.ndarray, xy: np.ndarray, tolerance_m: float) -> bool:
    """Say whether a face is monotone along its edge: out along the edge, back over the top, never to and fro."""
    along = edge[1] - edge[0]
    t = xy @ (along / np.linalg.norm(along))
    t = np.roll(t, -int(np.argmin(t)))
    top = int(np.argmax(t))
    out, back = t[: top + 1], np.append(t[top:], t[0])
    fall = (np.maximum.accumulate(out) - out).max()
    rise = (back - np.minimum.accumulate(back)).max()
    return bool(max(fall, rise) <= tolerance_m)


def heights(outline: Polygon, skeleton: Skeleton, xy: np.ndarray) -> list[np.ndarray]:
    """Return, for each point, the heights of the faces that hold it or pass within a millimetre of it."""
    edges, edge = edges_of(outline), [mine[0] for mine in owners(outline, skeleton)]
    tree = shapely.STRtree(skeleton.plan())
    point, face = tree.query(shapely.points(xy), predicate="dwithin", distance=HEIGHT_M)
    mine = edges[np.array(edge)[face]]
    along = mine[:, 1] - mine[:, 0]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1)[:, None]
    z = np.einsum("ij,ij->i", normal, xy[point] - mine[:, 0])
    return [z[point == k] for k in range(len(xy))]


def apart(outline: Polygon, one: Skeleton, other: Skeleton) -> float:
    """
    Measure how far two skeletons of an outline are apart.

    Parameters
    ----------
    outline : shapely.Polygon
        In metres.
    one, other : Skeleton
        Both without faults.

    Returns
    -------
    float
        Metres: the largest difference in height over the nodes of both, the middles of all their arcs and a place inside
        each of their faces. Arcs between planes that are nearly one may lie elsewhere: the surface is what counts.
    """
    most = abs(one.nodes[:, 2].max() - other.nodes[:, 2].max())
    for own, its in ((one, other), (other, one)):
        xyz = _probes(outline, own)
        for z, near in zip(xyz[:, 2], heights(outline, its, xyz[:, :2]), strict=True):
            most = max(most, float(np.abs(near - z).min(initial=np.inf)))
    return float(most)


def _probes(outline: Polygon, skeleton: Skeleton) -> np.ndarray:
    """Return (n, 3): nodes, middles of arcs, and a place on each face."""
    used = np.unique(np.concatenate(skeleton.loops))
    pairs = {(min(a, b), max(a, b)) for loop in skeleton.loops for a, b in pairwise([*loop.tolist(), int(loop[0])])}
    arcs = skeleton.nodes[np.array(sorted(pairs))].mean(axis=1)
    faces = skeleton.plan()
    whole = np.flatnonzero(shapely.is_valid(faces))
    inside = shapely.get_coordinates(shapely.point_on_surface(faces[whole]))
    edges, edge = edges_of(outline), owners(outline, skeleton)
    z = [insets(edges[edge[k][:1]], xy[None])[0, 0] for k, xy in zip(whole, inside, strict=True)]
    return np.concatenate([skeleton.nodes[used], arcs, np.column_stack([inside, z])])
