"""
Ridges, edges and apexes drawn on an outline to its roof: hips for free ridge ends, then heights at every node.

The rules follow the tag pages Key:roof:ridge, Key:roof:edge and Key:roof:apex: ridges and apexes are at the top, the outline
is at the eave, edges run between the two. Beyond them, in this order:

1. Vertices within ``LINE_SNAP_M`` of the outline, of another line or of a vertex are moved onto it; stubs that short go.
2. A ridge amid one wall is the lower line of a half hip: an edge.
3. An edge that ends in the open is prolonged to what it meets within ``LINE_REACH_M``, or left out.
4. A free ridge end is prolonged to the ridge that it meets, or gets hips to the corners on either side of what it meets.
5. An apex by itself is joined to every corner that it sees, or else to the ends of lines around it.
6. An edge that ends amid a wall ends on the plane of the roof beside it (half hips), where there is one.
"""

from itertools import pairwise

import numpy as np
import shapely

from citygen.arraytypes import Float64, Int64
from citygen.geom.cells import Loops, cells, walk
from citygen.geom.lifted import Lifted, lift
from citygen.geom.planargraph import PlanarGraph
from citygen.geom.tolerances import LINE_REACH_M, LINE_SNAP_M, ON_LINE_M
from citygen.model.rooflines import RoofLines

HIP, EDGE, RIDGE = 0, 1, 2
_MOST_VERTICES, _MOST_STEPS, _MOST_BRIDGES = 300, 2_000, 400
"""What a scribble may cost at most: vertices drawn, cuts of lines, and edges added to join what hangs loose."""
_OFF_PLANE = 0.1
"""Share of the rise by which the nodes of a roof face may be off its plane before rule 6 gives way."""

Path = tuple[list[int], int]
"""Nodes of a line, and its kind."""


def snap_distance(xy: Float64) -> float:
    """Return how far drawn vertices are moved at most over an outline: ``LINE_SNAP_M``, less on very small ones; metres."""
    return min(LINE_SNAP_M, 0.05 * float(np.ptp(xy, axis=0).max()))


def mapped_roof(xy: Float64, ring_offsets: Int64, lines: RoofLines, shift: float) -> Lifted | None:
    """
    Roof one polygon as its lines say.

    Parameters
    ----------
    xy : (n, 2) float64
        Vertices of its rings, metres.
    ring_offsets : (r + 1,) int64
        Ring boundaries, from 0.
    lines : RoofLines
        In the same frame; what lies outside the polygon is left out.
    shift : float
        Metres by which they are moved (0; a perturbation on a second try).

    Returns
    -------
    Lifted or None
        Heights from 0 to 1; None when the lines give no roof that has both, or are more than any roof has.
    """
    if sum(map(len, (*lines.ridges, *lines.edges, lines.apexes))) > _MOST_VERTICES:
        return None
    graph = PlanarGraph(xy, ring_offsets, ON_LINE_M, most_steps=_MOST_STEPS)
    snap = snap_distance(xy)
    paths, apexes = _placed(graph, lines, snap, shift)
    drawn = [(a, b, kind) for nodes, kind in paths for a, b in pairwise(nodes)]
    if not graph.add_lines(drawn):
        return None
    apexes = [node for node in apexes if _within(graph, node)]
    high = _high(graph) | set(apexes)
    graph.keep_inner()
    _drop_stubs(graph, snap)
    if not (_finish_edges(graph) and _finish_ridges(graph, high) and _finish_apexes(graph, apexes) and _bridge(graph)):
        return None
    found = cells(graph)
    if found is None:
        return None
    z = _heights(graph, high, found)
    used = np.unique([node for cell in found for ring in cell for node in ring])
    if z[used].min() != 0.0 or z[used].max() != 1.0:
        return None
    return lift(graph, found, z)


def reach(xy: Float64, ring_offsets: Int64, lines: RoofLines) -> float:
    """
    Return how far inwards a mapped roof rises: the largest distance of a ridge or apex from the outline, metres.

    Where they all lie on the outline (a lean-to), the largest distance of the outline from them.
    """
    graph = PlanarGraph(xy, ring_offsets, ON_LINE_M)
    polygon = graph.polygon
    paths, apexes = _placed(graph, lines, snap_distance(xy), 0.0)
    points = graph.points()
    tops: list[shapely.Geometry] = [shapely.Point(points[node]) for node in apexes]
    tops += [shapely.LineString(points[nodes]) for nodes, kind in paths if kind == RIDGE and len(nodes) > 1]
    if not tops:
        tops = [shapely.LineString(points[nodes]) for nodes, _ in paths if len(nodes) > 1]
    top = shapely.intersection(shapely.union_all(tops), shapely.buffer(polygon, ON_LINE_M))
    parts = shapely.get_parts(top)
    shares = np.linspace(0.0, 1.0, 33)
    spots = [parts[shapely.get_dimensions(parts) == 0]]
    spots += [shapely.line_interpolate_point(part, shares, normalized=True) for part in parts if part.length > 0]
    places = np.concatenate(spots)
    if len(places) == 0:
        return 0.0
    inwards = float(shapely.distance(polygon.boundary, places).max())
    return inwards if inwards > 2 * ON_LINE_M else float(shapely.distance(top, shapely.points(xy)).max())


def _placed(graph: PlanarGraph, lines: RoofLines, snap: float, shift: float) -> tuple[list[Path], list[int]]:
    """Give every drawn vertex its node; rule 1. Lines are taken in the order of their coordinates, whatever the source's."""
    move = shift * np.array([0.8, 0.6])
    paths: list[Path] = []
    for kind, group in ((RIDGE, lines.ridges), (EDGE, lines.edges)):
        for line in sorted(((line + move).tolist() for line in group), key=lambda xy: (min(xy, xy[::-1]), xy)):
            nodes = [graph.add_node(np.array(xy), snap) for xy in line]
            nodes = [node for k, node in enumerate(nodes) if k == 0 or node != nodes[k - 1]]
            paths.append((nodes, kind))
    spots = [graph.add_node(np.array(xy), snap) for xy in sorted((lines.apexes + move).tolist())]
    paths += [([node], RIDGE) for node in spots]
    amid = {node for nodes, _ in paths for node in nodes[1:-1]}
    for end in sorted({node for nodes, _ in paths for node in (nodes[0], nodes[-1])} - amid):
        if not graph.on_ring(end):
            joined = _onto_line(
                graph, end, [step for nodes, _ in paths for step in pairwise(nodes) if end not in step], snap
            )
            paths = [([joined if node == end else node for node in nodes], kind) for nodes, kind in paths]
    n_lines = len(paths) - len(spots)
    return paths[:n_lines], sorted({nodes[0] for nodes, _ in paths[n_lines:]})


def _onto_line(graph: PlanarGraph, node: int, steps: list[tuple[int, int]], snap: float) -> int:
    """Return the node itself, or one on the nearest of other lines where that is within reach."""
    if not steps:
        return node
    points = graph.points()
    spot = shapely.Point(points[node])
    segments = shapely.linestrings(points[np.array(steps)])
    away = shapely.distance(segments, spot)
    near = int(np.argmin(away))
    if away[near] > snap:
        return node
    place = shapely.line_interpolate_point(segments[near], shapely.line_locate_point(segments[near], spot))
    return graph.add_node(shapely.get_coordinates(place)[0], graph.tolerance)


def _within(graph: PlanarGraph, node: int) -> bool:
    return graph.on_ring(node) or bool(shapely.contains_xy(graph.polygon, *graph.points()[node]))


def _high(graph: PlanarGraph) -> set[int]:
    """Return the nodes on ridges; rule 2 makes edges of ridges amid a wall."""
    high: set[int] = set()
    points = graph.points()
    ring = graph.ring_pairs()
    for key, kind in list(graph.edges.items()):
        if kind != RIDGE:
            continue
        if key in ring or key[::-1] in ring:
            if graph.edge_of(key[0]) >= 0 and graph.edge_of(key[0]) == graph.edge_of(key[1]):
                graph.edges[key] = EDGE
            else:
                high.update(key)
        elif shapely.contains_xy(graph.polygon, *(points[key[0]] + points[key[1]]) / 2):
            high.update(key)
    return high


def _length(graph: PlanarGraph, key: tuple[int, int]) -> float:
    points = graph.points()
    return float(np.hypot(*(points[key[0]] - points[key[1]])))


def _ends(graph: PlanarGraph, kind: int) -> list[tuple[int, int]]:
    """Return the free ends of a kind of edge, each with the node at the other end of its edge."""
    degree = graph.degrees()
    found = []
    for key in sorted(k for k, own in graph.edges.items() if own == kind):
        for end, other in (key, key[::-1]):
            if degree[end] == 1 and not graph.on_ring(end):
                found.append((end, other))
    return found


def _drop_stubs(graph: PlanarGraph, snap: float) -> None:
    """Drop what lines run on beyond the line that they were drawn to."""
    for kind in (EDGE, RIDGE):
        for end, other in _ends(graph, kind):
            key = (min(end, other), max(end, other))
            joined = graph.on_ring(other) or graph.degrees().get(other, 0) > 2
            if joined and _length(graph, key) <= snap:
                del graph.edges[key]


def _extend(graph: PlanarGraph, end: int, along: float, direction: Float64, kind: int) -> bool:
    """Prolong a line from its end, to a node where one is near; the rest of the graph is cut where it arrives."""
    place = graph.points()[end] + direction / np.hypot(*direction) * along
    node = graph.add_node(place, min(snap_distance(graph.points()[: graph.n_ring]), 0.5 * along))
    return graph.add_lines([(end, node, kind)])


def _finish_edges(graph: PlanarGraph) -> bool:
    """Prolong or drop edges that end in the open; rule 3."""
    for _ in range(_MOST_BRIDGES):
        open_ends = _ends(graph, EDGE)
        if not open_ends:
            return True
        end, other = open_ends[0]
        points = graph.points()
        direction = points[end] - points[other]
        hit = graph.first_hit(end, direction)
        if hit is None or hit[0] > LINE_REACH_M:
            del graph.edges[min(end, other), max(end, other)]
        elif not _extend(graph, end, hit[0], direction, EDGE):
            return False
    return False


def _finish_ridges(graph: PlanarGraph, high: set[int]) -> bool:
    """Prolong free ridges to the ridges that they meet, or give them hips; rule 4."""
    for end, other in _ends(graph, RIDGE):
        points = graph.points()
        direction = points[end] - points[other]
        hit = graph.first_hit(end, direction)
        if hit is None or graph.degrees()[end] != 1:
            continue
        step = (min(hit[1]), max(hit[1]))
        if graph.edges.get(step) == RIDGE or (step[0] == step[1] and step[0] in high):
            if not _extend(graph, end, hit[0], direction, RIDGE):
                return False
            high.update(node for key, kind in graph.edges.items() if kind == RIDGE for node in key)
            continue
        corners = list(step) if step in graph.edges or not graph.on_ring(step[0]) else list(range(graph.n_ring))
        feet = _either_side(graph, end, direction, graph.sees(end, corners))
        if not graph.add_lines([(end, foot, HIP) for foot in feet]):
            return False
    return True


def _either_side(graph: PlanarGraph, end: int, direction: Float64, seen: list[int]) -> list[int]:
    """Return the first of some nodes to the left and to the right of a direction, at most 120 degrees off."""
    if not seen:
        return []
    away = graph.points()[seen] - graph.points()[end]
    ahead = away @ direction
    aside = direction[0] * away[:, 1] - direction[1] * away[:, 0]
    turn = np.arctan2(aside, ahead)
    feet = []
    for side in (turn, -turn):
        ok = np.flatnonzero((side >= 0.0) & (side <= 2.1))
        if len(ok):
            feet.append(seen[int(ok[np.argmin(side[ok])])])
    return list(dict.fromkeys(feet))


def _finish_apexes(graph: PlanarGraph, apexes: list[int]) -> bool:
    """Join apexes that no line meets to the corners that they see; rule 5."""
    for node in apexes:
        if graph.on_ring(node) or node in graph.degrees():
            continue
        seen = graph.sees(node, list(range(graph.n_ring))) or graph.sees(node, sorted(graph.degrees()))
        if not graph.add_lines([(node, corner, HIP) for corner in seen]):
            return False
    return True


def _bridge(graph: PlanarGraph) -> bool:
    """Add edges until no edge has the same cell on both sides, the shortest at hand from a free end."""
    graph.keep_inner()
    for _ in range(_MOST_BRIDGES):
        both = []
        for loop in walk(graph):
            steps = set(pairwise([*loop, loop[0]]))
            both += [node for a, b in sorted(steps) if (b, a) in steps for node in (a, b)]
        if not both:
            return True
        degree = graph.degrees()
        inner = sorted(degree)
        points = graph.points()
        for node in sorted(dict.fromkeys(both), key=lambda n: (degree[n], n)):
            others = sorted({*range(graph.n_ring), *inner} - {node})
            others.sort(key=lambda n: float(np.hypot(*(points[n] - points[node]))))
            seen = next((n for n in others if graph.sees(node, [n])), -1)
            if seen >= 0:
                if not graph.add_lines([(node, seen, HIP)]):
                    return False
                break
        else:
            return False
    return False


def _heights(graph: PlanarGraph, high: set[int], found: list[Loops]) -> Float64:
    """Return (n,) float64: 1 on ridges and apexes, 0 on the outline, between them on edges; rule 6."""
    z = np.zeros(len(graph.nodes))
    z[sorted(high)] = 1.0
    feet = {n for k, kind in graph.edges.items() if kind == EDGE for n in k if graph.edge_of(n) >= 0} - high
    inner = {n for k, kind in graph.edges.items() if kind == EDGE for n in k if not graph.on_ring(n)} - high
    for foot in sorted(feet):
        z[foot] = _on_plane(graph, foot, z, (found, feet | inner))
    _between(graph, sorted(inner), z)
    return z


def _on_plane(graph: PlanarGraph, foot: int, z: Float64, about: tuple[list[Loops], set[int]]) -> float:
    """Return the height of an edge's end amid a wall: on the best plane of a cell beside it that rises, else 0."""
    found, open_nodes = about
    points = graph.points()
    best, off = 0.0, _OFF_PLANE
    for cell in found:
        nodes = [node for ring in cell for node in ring]
        known = [node for node in nodes if node not in open_nodes]
        if foot not in nodes or len(known) < 3 or np.ptp(z[known]) < 1.0:
            continue
        rows = np.column_stack([points[known] - points[foot], np.ones(len(known))])
        plane, _, rank, _ = np.linalg.lstsq(rows, z[known], rcond=1e-6)
        wrong = float(np.abs(rows @ plane - z[known]).max())
        if rank == 3 and wrong < off:
            best, off = float(np.clip(plane[2], 0.0, 1.0)), wrong
    return best if best > 1e-6 else 0.0


def _between(graph: PlanarGraph, inner: list[int], z: Float64) -> None:
    """Set the heights of nodes on edges: linear along the way between known ones; 1 where an edge meets nothing known."""
    if not inner:
        return
    at = {node: k for k, node in enumerate(inner)}
    flow, given = np.zeros((len(inner), len(inner))), np.zeros(len(inner))
    for key, kind in graph.edges.items():
        if kind != EDGE:
            continue
        weight = 1.0 / _length(graph, key)
        for a, b in (key, key[::-1]):
            if a in at:
                flow[at[a], at[a]] += weight
                if b in at:
                    flow[at[a], at[b]] -= weight
                else:
                    given[at[a]] += weight * z[b]
    loose = 1e-9 * np.abs(flow).max()  # an island of edges has no height of its own: this pull sets it to the top
    found = np.linalg.solve(flow + loose * np.eye(len(inner)), given + loose)
    z[inner] = np.where(found > 1.0 - 1e-6, 1.0, np.where(found < 1e-6, 0.0, found))
