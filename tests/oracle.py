"""
A solid to its faults, slowly and plainly: dictionaries, one face at a time, Shapely and trimesh, none of the product's kernels.

The twin that ``solids.certify`` and the roof families must agree with.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import shapely
import trimesh
from shapely.geometry import Polygon

from citygen.model.meshes import FLOOR, ROOF, WALL, Meshes

PLANAR_M = 1e-3
EMPTY_M2 = 1e-9


@dataclass(frozen=True)
class Solid:
    """One solid as Python lists: ``faces[k]`` is a list of rings of vertex numbers, outline first."""

    vertices: np.ndarray
    faces: list[list[list[int]]]
    kinds: list[int]


def solid_of(meshes: Meshes, s: int) -> Solid:
    """Return a solid with its own vertex numbers."""
    v0, v1 = meshes.solid_vertices[s : s + 2].tolist()
    faces, kinds = [], []
    for f in range(*meshes.solid_faces[s : s + 2].tolist()):
        rings = []
        for r in range(*meshes.face_offsets[f : f + 2].tolist()):
            a, b = meshes.ring_offsets[r : r + 2].tolist()
            rings.append([int(c) - v0 for c in meshes.corners[a:b]])
        faces.append(rings)
        kinds.append(int(meshes.face_class[f]))
    return Solid(meshes.vertices[v0:v1], faces, kinds)


def topology_faults(solid: Solid) -> set[str]:
    """Return what is wrong with edges and vertices: every edge once each way, every vertex one fan of faces, none unused."""
    found: set[str] = set()
    edges: Counter = Counter()
    after: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for rings in solid.faces:
        into, out = defaultdict(list), defaultdict(list)
        for ring in rings:
            if len(set(ring)) != len(ring) or len(ring) < 3:
                found.add("ring repeats a vertex")
            for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
                edges[a, b] += 1
                out[a].append(b)
                into[b].append(a)
        for b in out:
            for c, a in _sectors(solid, rings, b, (out[b], into[b])):
                after[b][c].append(a)
    for (a, b), n in edges.items():
        if n != 1 or edges.get((b, a), 0) != 1:
            found.add("edge")
    if set(after) != set(range(len(solid.vertices))):
        found.add("vertex unused")
    if len(_shells(solid)) != 1:
        found.add("more than one shell")
    if "edge" not in found:
        for around in after.values():
            start = next(iter(around))
            at, n = around[start][0], 1
            while at != start:
                at, n = around[at][0], n + 1
            if n != len(around):
                found.add("vertex with two fans")
    return found


def _sectors(solid: Solid, rings: list[list[int]], b: int, ends: tuple[list[int], list[int]]) -> list[tuple[int, int]]:
    """
    Pair the edges of one face at a vertex: from each outgoing one counter-clockwise to the next incoming one.

    A face has one sector at most of its vertices, and several where its rings touch.
    """
    out, into = ends
    if len(out) == 1:
        return [(out[0], into[0])]
    normal = area_vector(solid, rings)
    x = np.cross(normal, [1.0, 0, 0] if abs(normal[0]) < 0.9 * np.linalg.norm(normal) else [0, 1.0, 0])
    y = np.cross(normal / np.linalg.norm(normal), x)

    def angle(v: int) -> float:
        way = solid.vertices[v] - solid.vertices[b]
        return float(np.arctan2(way @ y, way @ x))

    return [(c, min(into, key=lambda a: (angle(a) - angle(c) - 1e-12) % (2 * np.pi))) for c in out]


def _shells(solid: Solid) -> list[set[int]]:
    """Group vertices that faces connect."""
    shells: list[set[int]] = []
    for rings in solid.faces:
        here = {v for ring in rings for v in ring}
        joined = [shell for shell in shells if shell & here]
        shells = [shell for shell in shells if not shell & here] + [here.union(*joined)]
    return shells


def corners(solid: Solid, ring: list[int]) -> np.ndarray:
    """Return (n, 3) float64: the places of a ring."""
    return solid.vertices[ring]


def area_vector(solid: Solid, rings: list[list[int]]) -> np.ndarray:
    """Return a face's area vector, by summed cross products around its own centre."""
    out = np.zeros(3)
    for ring in rings:
        p = corners(solid, ring) - solid.vertices[rings[0]].mean(axis=0)
        out += 0.5 * np.cross(p, np.roll(p, -1, axis=0)).sum(axis=0)
    return out


def surface_faults(solid: Solid) -> set[str]:
    """Return what is wrong with faces: planarity, area, which way they look."""
    found = set()
    for rings, kind in zip(solid.faces, solid.kinds, strict=True):
        vector = area_vector(solid, rings)
        area = np.linalg.norm(vector)
        if area <= EMPTY_M2:
            found.add("face without area")
            continue
        points = np.concatenate([corners(solid, ring) for ring in rings])
        height = (points - points.mean(axis=0)) @ (vector / area)
        if np.ptp(height) > PLANAR_M:
            found.add("face not planar")
        up = vector[2] / area
        if kind == FLOOR and up > -0.999:
            found.add("floor does not look down")
        if kind == ROOF and up <= 0:
            found.add("roof does not look up")
        if kind == WALL and abs(up) > 1e-6:
            found.add("wall not upright")
    return found


def flat(solid: Solid, rings: list[list[int]]) -> Polygon:
    """Project a face to the plan."""
    return Polygon(corners(solid, rings[0])[:, :2], [corners(solid, ring)[:, :2] for ring in rings[1:]])


def _stepped(solid: Solid) -> bool:
    """Say whether an upright face stands within the roof: the faces above and below it part its line each in their way."""
    floor = solid.vertices[:, 2].min() + 1e-9
    walls = [rings[0] for rings, kind in zip(solid.faces, solid.kinds, strict=True) if kind == WALL]
    return any(corners(solid, ring)[:, 2].min() > floor for ring in walls)


def plan_faults(solid: Solid, outline: Polygon) -> set[str]:
    """Return what is wrong in plan: floor and roof must each tile the outline, walls must stand on it."""
    found = set()
    slack = 1e-9 * outline.area + 1e-9
    hair = 1e-6 * outline.length + 1e-9
    for kind, name in ((FLOOR, "floor"), (ROOF, "roof")):
        parts = [flat(solid, rings) for rings, k in zip(solid.faces, solid.kinds, strict=True) if k == kind]
        if abs(sum(p.area for p in parts) - outline.area) > slack:
            found.add(f"{name} area differs")
        if not shapely.is_valid(parts).all():
            found.add(f"{name} face not simple")
        elif shapely.union_all(parts).symmetric_difference(outline).area > hair:
            found.add(f"{name} does not cover the outline")
        elif not _stepped(solid) and not shapely.coverage_is_valid(parts):
            found.add(f"{name} faces overlap or do not meet")
    walls = [rings[0] for rings, kind in zip(solid.faces, solid.kinds, strict=True) if kind == WALL]
    lines = np.array([shapely.LineString(corners(solid, ring)[:, :2]) for ring in walls])
    low = np.array([corners(solid, ring)[:, 2].min() for ring in walls])
    outer = low <= solid.vertices[:, 2].min() + 1e-9
    ends = shapely.get_coordinates(lines[outer]).reshape(-1, 2)
    if (shapely.distance(outline.boundary, shapely.points(ends)) > 1e-6).any():
        found.add("outer wall off the outline")
    if abs(sum(shapely.length(lines[outer])) / 2 - outline.length) > 1e-6 * outline.length:
        found.add("outer walls do not go round the outline once")
    if not all(outline.buffer(1e-6).covers(line) for line in lines[~outer]):
        found.add("riser outside the outline")
    return found


def height_faults(solid: Solid, base: float, eave: float, top: float) -> set[str]:
    """Return what is wrong in height: all within [base, top]; floor at base; roof within [eave, top] and reaching both."""
    found = set()
    z = solid.vertices[:, 2]
    if z.min() < base - 1e-9 or z.max() > top + 1e-9:
        found.add("vertex beyond base or top")
    floor = np.concatenate([_z(solid, f) for f, k in zip(solid.faces, solid.kinds, strict=True) if k == FLOOR])
    roof = np.concatenate([_z(solid, f) for f, k in zip(solid.faces, solid.kinds, strict=True) if k == ROOF])
    if np.abs(floor - base).max() > 1e-9:
        found.add("floor not at base")
    if roof.min() < eave - 1e-9 or roof.max() > top + 1e-9:
        found.add("roof beyond eave or top")
    if abs(roof.max() - top) > 1e-6:
        found.add("top not reached")
    if abs(roof.min() - eave) > 1e-6:
        found.add("eave not reached")
    return found


def _z(solid: Solid, rings: list[list[int]]) -> np.ndarray:
    return np.concatenate([corners(solid, ring)[:, 2] for ring in rings])


def volume(solid: Solid) -> float:
    """Return the volume: under each planar roof face, plan area times height at the plan's centroid; less the floor's."""
    total = 0.0
    for rings, kind in zip(solid.faces, solid.kinds, strict=True):
        if kind == WALL:
            continue
        vector = area_vector(solid, rings)
        points = np.concatenate([corners(solid, ring) for ring in rings])
        anchor = points.mean(axis=0)
        shape = flat(solid, rings)
        x, y = shape.centroid.coords[0]
        z = anchor[2] - (vector[0] * (x - anchor[0]) + vector[1] * (y - anchor[1])) / vector[2]
        total += shape.area * z * (1 if kind == ROOF else -1)
    return total


def faults(solid: Solid, outline: Polygon, heights: tuple[float, float, float]) -> set[str]:
    """Return everything that is wrong with a building: topology, faces, plan, heights (base, eave, top), volume."""
    base, eave, top = heights
    found = topology_faults(solid) | surface_faults(solid) | plan_faults(solid, outline)
    found |= height_faults(solid, base, eave, top)
    size = volume(solid)
    slack = 1e-6 * outline.area
    if not outline.area * (eave - base) - slack <= size <= outline.area * (top - base) + slack:
        found.add("volume beyond its bounds")
    return found


def to_trimesh(meshes: Meshes, s: int) -> trimesh.Trimesh:
    """Triangulate a solid (by the product) and weld it by place alone."""
    from citygen.geom.triangulate import triangulate
    from citygen.model.meshes import take

    one = take(meshes, np.array([s]))
    triangles, _, _ = triangulate(one.vertices, one.corners, one.ring_offsets, one.face_offsets)
    mesh = trimesh.Trimesh(one.vertices, one.corners[triangles], process=False)
    mesh.merge_vertices(digits_vertex=12)
    return mesh
