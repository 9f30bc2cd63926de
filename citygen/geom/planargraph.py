"""
An outline and lines within it to a planar graph whose edges meet in nodes only, those on the outline included.

Plain Python over small arrays, for rare roofs. Outline vertices keep their coordinates to the last bit, a node on an outline
edge lies on it as exactly as floats allow, and lines bend by at most the tolerance to pass through nodes that are near them:
what is left between nodes and lines is farther apart than the tolerance, so no test below depends on a rounded crossing.
"""

from itertools import pairwise

import numpy as np
import shapely

from citygen.arraytypes import Float64, Int64


class PlanarGraph:
    """
    A graph that grows over one polygon.

    Parameters
    ----------
    xy : (n, 2) float64
        Vertices of the polygon's open rings, metres: the outline counter-clockwise, holes clockwise.
    ring_offsets : (r + 1,) int64
        Ring boundaries, from 0.
    tolerance : float
        Metres; nodes nearer than this to each other or to a line are joined.
    most_steps : int
        Lines and pieces of lines that one call of ``add_lines`` looks at, at most.

    Attributes
    ----------
    nodes : list of (float, float)
        The ring vertices first.
    edges : dict of (int, int) to int
        Inner edges as sorted pairs of nodes, and the kind that the caller gave their line.
    """

    def __init__(self, xy: Float64, ring_offsets: Int64, tolerance: float, *, most_steps: int = 50_000) -> None:
        self.nodes: list[tuple[float, float]] = [(float(x), float(y)) for x, y in xy]
        self.edges: dict[tuple[int, int], int] = {}
        self.tolerance = tolerance
        self.most_steps = most_steps
        self.n_ring = len(xy)
        follow = np.arange(1, len(xy) + 1)
        follow[ring_offsets[1:] - 1] = ring_offsets[:-1]
        self._follow = follow
        self._a, self._b = np.asarray(xy, dtype=np.float64), np.asarray(xy, dtype=np.float64)[follow]
        self._on: list[dict[int, float]] = [{i: 0.0, int(j): 1.0} for i, j in enumerate(follow.tolist())]
        self._amid: dict[int, int] = {}
        bounds = ring_offsets.tolist()
        self.polygon = shapely.Polygon(xy[: bounds[1]], [xy[a:b] for a, b in pairwise(bounds[1:])])
        shapely.prepare(self.polygon)
        self._array, self._known = np.array(xy, dtype=np.float64), len(xy)

    def points(self) -> Float64:
        """Return the nodes, (n, 2) float64."""
        n = len(self.nodes)
        if n > len(self._array):
            self._array = np.concatenate([self._array, np.empty((n, 2))])
        if n > self._known:
            self._array[self._known : n] = self.nodes[self._known :]
            self._known = n
        return self._array[:n]

    def chains(self) -> list[list[int]]:
        """Return the nodes along each ring edge, from its first vertex to its second."""
        return [sorted(on, key=on.__getitem__) for on in self._on]

    def edge_of(self, node: int) -> int:
        """Return the ring edge that a node lies amid, -1 for vertices and inner nodes."""
        return self._amid.get(node, -1)

    def on_ring(self, node: int) -> bool:
        """Say whether a node is a ring vertex or lies on a ring edge."""
        return node < self.n_ring or node in self._amid

    def degrees(self) -> dict[int, int]:
        """Return how many inner edges meet at each node that has any."""
        found: dict[int, int] = {}
        for key in self.edges:
            for node in key:
                found[node] = found.get(node, 0) + 1
        return found

    def add_node(self, xy: Float64, snap: float) -> int:
        """Return the node at a place: a known one within ``snap`` metres, ring vertices first; one on a ring edge; a new one."""
        away = np.hypot(*(self.points() - xy).T)
        for part in (away[: self.n_ring], away):
            if len(part) and part.min() <= snap:
                return int(np.argmin(part))
        share, distance = _project(xy, self._a, self._b)
        edge = int(np.argmin(distance))
        if distance[edge] <= snap:
            return self._put_on(edge, float(share[edge]))
        return self._new(*xy.tolist())

    def _new(self, x: float, y: float) -> int:
        self.nodes.append((x, y))
        return len(self.nodes) - 1

    def _put_on(self, edge: int, share: float) -> int:
        """Return the node at a share of a ring edge: one of its own within the tolerance, or a new one on it."""
        a, b = self._a[edge], self._b[edge]
        length = float(np.hypot(*(b - a)))
        for node, at in self._on[edge].items():
            if abs(at - share) * length <= self.tolerance:
                return node
        # from the lesser end, so that both neighbours of a party wall get the same point
        if (a[0], a[1]) <= (b[0], b[1]):
            x, y = a + share * (b - a)
        else:
            x, y = b + (1.0 - share) * (a - b)
        node = self._new(float(x), float(y))
        self._on[edge][node] = share
        self._amid[node] = edge
        return node

    def add_lines(self, lines: list[tuple[int, int, int]]) -> bool:
        """
        Add straight lines between nodes, cut where they meet each other, rings and nodes.

        Parameters
        ----------
        lines : list of (int, int, int)
            Nodes from and to, and a kind; of two on top of each other the larger kind stays.

        Returns
        -------
        bool
            False when the work has no end; the graph is then of no use.
        """
        work = list(reversed(lines))
        for node in sorted({end for a, b, _ in lines for end in (a, b)}):
            self._reopen(node, work)
        for _ in range(self.most_steps):
            if not work:
                return True
            a, b, kind = work.pop()
            if a == b:
                continue
            known = len(self.nodes)
            stops = self._near(a, b) or self._ring_crossings(a, b)
            if not stops:
                stops = self._line_crossing(a, b, work)
            if stops:
                path = [a, *stops, b]
                work.extend((p, q, kind) for p, q in reversed(list(pairwise(path))))
            else:
                key = (min(a, b), max(a, b))
                self.edges[key] = max(kind, self.edges.get(key, kind))
            for node in range(known, len(self.nodes)):
                self._reopen(node, work)
        return False

    def _near(self, a: int, b: int) -> list[int]:
        """Return the nodes within the tolerance of the inner part of a line, in its order."""
        points = self.points()
        along = points[b] - points[a]
        square = float(along @ along)
        if square == 0.0:
            return []
        share = (points - points[a]) @ along / square
        off = np.abs((points[:, 0] - points[a, 0]) * along[1] - (points[:, 1] - points[a, 1]) * along[0])
        near = (share > 0.0) & (share < 1.0) & (off <= self.tolerance * np.sqrt(square))
        near[[a, b]] = False
        found = np.flatnonzero(near)
        return [int(k) for k in found[np.argsort(share[found], kind="stable")]]

    def _ring_crossings(self, a: int, b: int) -> list[int]:
        """Return nodes, new ones too, where a line crosses ring edges that neither end lies on."""
        points = self.points()
        p, q = points[a], points[b]
        hit, share, along = _crossings(p, q, self._a, self._b)
        found = [e for e in np.flatnonzero(hit).tolist() if a not in self._on[e] and b not in self._on[e]]
        found.sort(key=lambda e: float(along[e]))
        stops = [self._put_on(e, float(share[e])) for e in found]
        return [node for node in dict.fromkeys(stops) if node not in (a, b)]

    def _line_crossing(self, a: int, b: int, work: list[tuple[int, int, int]]) -> list[int]:
        """Return the node where a line first crosses an inner edge, which is taken out to be cut there."""
        others = [key for key in self.edges if a not in key and b not in key]
        if not others:
            return []
        points = self.points()
        ends = np.array(others)
        hit, _, along = _crossings(points[a], points[b], points[ends[:, 0]], points[ends[:, 1]])
        if not hit.any():
            return []
        first = int(np.flatnonzero(hit)[np.argmin(along[hit])])
        c, d = others[first]
        node = self.add_node(points[a] + along[first] * (points[b] - points[a]), self.tolerance)
        kind = self.edges.pop((c, d))
        work.extend([(c, node, kind), (node, d, kind)])
        return [node]  # an end of the line itself, too: the rest of it is looked at again

    def _reopen(self, node: int, work: list[tuple[int, int, int]]) -> None:
        """Take out the inner edges that a node lies amid, to be cut there."""
        others = [key for key in self.edges if node not in key]
        if not others:
            return
        points = self.points()
        ends = np.array(others)
        share, distance = _project(points[node], points[ends[:, 0]], points[ends[:, 1]])
        cut = np.flatnonzero((distance <= self.tolerance) & (share > 0) & (share < 1)).tolist()
        work.extend((*others[k], self.edges.pop(others[k])) for k in cut)

    def ring_pairs(self) -> set[tuple[int, int]]:
        """Return the directed steps along the rings."""
        return {(a, b) for chain in self.chains() for a, b in pairwise(chain)}

    def keep_inner(self) -> None:
        """Drop the inner edges that lie outside the polygon or on its rings."""
        ring = self.ring_pairs()
        keys = [k for k in self.edges if k not in ring and (k[1], k[0]) not in ring]
        points = self.points()
        middle = np.array([(points[a] + points[b]) / 2 for a, b in keys]).reshape(-1, 2)
        inside = shapely.contains_xy(self.polygon, middle) if keys else np.empty(0, dtype=bool)
        self.edges = {key: self.edges[key] for key, within in zip(keys, inside, strict=True) if within}

    def sees(self, node: int, others: list[int]) -> list[int]:
        """Return those of some nodes to which a straight line runs inside the polygon and across no edge and no node."""
        points = self.points()
        steps = np.array([*self.ring_pairs(), *self.edges])
        joined = {node, *steps[(steps == node).any(axis=1)].ravel().tolist()}
        seen = []
        for other in others:
            if other in joined or self._near(node, other):
                continue
            apart = steps[~np.isin(steps, (node, other)).any(axis=1)]
            hit, _, _ = _crossings(points[node], points[other], points[apart[:, 0]], points[apart[:, 1]])
            middle = (points[node] + points[other]) / 2
            if not hit.any() and shapely.contains_xy(self.polygon, *middle):
                seen.append(other)
        return seen

    def first_hit(self, node: int, direction: Float64) -> tuple[float, tuple[int, int]] | None:
        """
        Return how far a ray from a node runs, metres, and the step of a ring or inner edge that it meets first.

        Where it meets a node, the step is that node twice.
        """
        points = self.points()
        size = 2.0 * float(np.ptp(points, axis=0).sum())
        steps = [k for k in (*sorted(self.ring_pairs()), *self.edges) if node not in k]
        ends = np.array(steps)
        target = points[node] + direction / np.hypot(*direction) * size
        used = np.unique(ends)
        away = points[used] - points[node]
        unit = direction / np.hypot(*direction)
        ahead = away @ unit
        on_ray = (ahead > 0) & (np.abs(away[:, 0] * unit[1] - away[:, 1] * unit[0]) <= self.tolerance)
        hit, _, along = _crossings(points[node], target, points[ends[:, 0]], points[ends[:, 1]])
        found = [(float(along[k]) * size, steps[k]) for k in np.flatnonzero(hit).tolist()]
        found += [(float(ahead[k]), (int(used[k]), int(used[k]))) for k in np.flatnonzero(on_ray).tolist()]
        # of a node and an edge at it, the node
        return min(
            found,
            key=lambda each: (each[0] - (self.tolerance if each[1][0] == each[1][1] else 0.0), each[1]),
            default=None,
        )


def _project(xy: Float64, a: Float64, b: Float64) -> tuple[Float64, Float64]:
    """Return the share of each segment that is nearest to a place, within 0..1, and its distance."""
    along = b - a
    square = np.maximum(np.einsum("ij,ij->i", along, along), 1e-300)
    share = np.clip(np.einsum("ij,ij->i", xy - a, along) / square, 0.0, 1.0)
    gap = a + share[:, None] * along - xy
    return share, np.hypot(gap[:, 0], gap[:, 1])


def _crossings(p: Float64, q: Float64, a: Float64, b: Float64) -> tuple[np.ndarray, Float64, Float64]:
    """Say which segments ``a b`` cross the line ``p q`` amid both; shares along the segments, and along the line."""
    u, v, w = q - p, b - a, a - p
    det = u[0] * v[:, 1] - u[1] * v[:, 0]
    safe = np.where(det == 0.0, 1.0, det)
    along = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / safe
    share = (w[:, 0] * u[1] - w[:, 1] * u[0]) / safe
    hit = (det != 0.0) & (along > 0) & (along < 1) & (share > 0) & (share < 1)
    return hit, share, along
