"""
A lattice of heights, points and constraint edges to a triangulated surface within a tolerance of the lattice (Numba kernels).

Greedy insertion (M. Garland and P. S. Heckbert, "Fast polygonal approximation of terrains and height fields", 1995) in a
constrained Delaunay triangulation: in rounds, each triangle whose worst node is among the worse half takes that node in.
The difference between a bilinear lattice and a plane has its extremes at nodes and on triangle edges, so edges are checked
as well, every half cell, and take in the place where they are worst. Positions in the lattice ("pixels") follow from plan
coordinates by an affine map.
"""

import numpy as np
from numba import njit

from citygen.geom.cdt import after, insert, start
from citygen.geom.constraints import constrain
from citygen.geom.sampled import bilinear

_MARGIN_PX = 0.02
"""Cells. Nodes this near a constraint are left out: they would only make needles."""
_SHARE = 0.5
_ROUNDS = 4096
_GRID = 2.0**32


@njit(cache=True, nogil=True)
def build(points, edges, box, room):
    """
    Triangulate points with constraints.

    Parameters
    ----------
    points : (n, 2) float64
        On the grid of ``PLAN_GRID_M``; twins are allowed.
    edges : (m, 2) int64
        Numbers of points.
    box : (4,) float64
        Around everything.
    room : int
        Further points that there shall be room for.

    Returns
    -------
    mesh : tuple
        As ``geom.cdt`` has it; vertices 0 to 3 are the frame's.
    number : (n,) int64
        Vertex of each point.
    bad : int
        First constraint that crosses another one, -1 when all are in.
    """
    n = len(points) + room + 8
    xy = np.zeros((n, 2))
    most = 2 * n + 8
    org, twin, fixed, at, count = start(xy, box, most)
    changed = np.ones(most, np.bool_)
    mesh = (xy, org, changed, twin, fixed, at, count)
    stack = np.empty(1 << 14, np.int64)
    none = np.zeros(most, np.bool_)
    number = np.empty(len(points), np.int64)
    first = 0
    for k in range(len(points)):
        number[k] = insert(mesh, none, points[k, 0], points[k, 1], first, stack)
        if number[k] >= 0:
            first = at[number[k]] // 3
    bad = -1
    for k in range(len(edges)):
        a, b = number[edges[k, 0]], number[edges[k, 1]]
        if a < 0 or b < 0 or (a != b and not constrain(mesh, a, b, stack)):
            bad = k
            break
    return mesh, number, bad


@njit(cache=True, nogil=True)
def carve(mesh, holes):
    """
    Say which triangles are no ground: those around the outer constraints, and those left of the edges given.

    Parameters
    ----------
    mesh : tuple
    holes : (k, 2) int64
        Vertices of edges that have a hole to their left.

    Returns
    -------
    (most,) bool
    """
    _, org, _, twin, fixed, at, count = mesh
    dead = np.zeros(len(org) // 3, np.bool_)
    stack = np.empty(count[1] + len(holes) + 8, np.int64)
    n = 0
    for v in range(4):
        t = at[v] // 3
        if not dead[t]:
            dead[t] = True
            stack[n] = t
            n += 1
    for k in range(len(holes)):
        a, b = holes[k, 0], holes[k, 1]
        while a != b:  # a chain where other vertices lie on the edge
            e = _along(mesh, a, b)
            if e < 0:
                break
            t = e // 3
            if not dead[t]:
                dead[t] = True
                stack[n] = t
                n += 1
            a = org[after(e)]
    while n > 0:
        n -= 1
        t = stack[n]
        for e in range(3 * t, 3 * t + 3):
            f = twin[e]
            if f >= 0 and not fixed[e] and not dead[f // 3]:
                dead[f // 3] = True
                stack[n] = f // 3
                n += 1
    return dead


@njit(cache=True, nogil=True)
def _along(mesh, a, b):
    """Return the constraint from a that points straight at b."""
    xy, org, _, twin, fixed, at, _ = mesh
    best, found = -1.0, -1
    dx, dy = xy[b, 0] - xy[a, 0], xy[b, 1] - xy[a, 1]
    e = at[a]
    for _ in range(1 << 20):
        p = org[after(e)]
        if p == b:
            return e
        if fixed[e]:
            px, py = xy[p, 0] - xy[a, 0], xy[p, 1] - xy[a, 1]
            aim = (px * dx + py * dy) / np.sqrt((px * px + py * py) * (dx * dx + dy * dy))
            if aim > best:
                best, found = aim, e
        e = twin[after(after(e))]
        if e < 0 or e == at[a]:
            break
    return found


@njit(cache=True, nogil=True)
def _beside_constraint(mesh, t, px, c, r):
    """Say whether a place of the lattice lies in the margin of a constraint of its triangle."""
    _, org, _, _, fixed, _, _ = mesh
    for e in range(3 * t, 3 * t + 3):
        if fixed[e]:
            a, b = org[e], org[after(e)]
            dx, dy = px[b, 0] - px[a, 0], px[b, 1] - px[a, 1]
            away = dx * (r - px[a, 1]) - dy * (c - px[a, 0])
            if away * away <= _MARGIN_PX * _MARGIN_PX * (dx * dx + dy * dy):
                return True
    return False


@njit(cache=True, nogil=True)
def _scan(mesh, t, px, z, cells, used):
    """Return the worst error over the nodes in a triangle, and that node's column and row."""
    _, org, _, _, _, _, _ = mesh
    a, b, c = org[3 * t], org[3 * t + 1], org[3 * t + 2]
    ax, ay, az = px[a, 0], px[a, 1], z[a]
    bx, by, cx, cy = px[b, 0], px[b, 1], px[c, 0], px[c, 1]
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area == 0.0:
        return 0.0, -1, -1
    gx = ((z[b] - az) * (cy - ay) - (z[c] - az) * (by - ay)) / area
    gy = ((bx - ax) * (z[c] - az) - (cx - ax) * (z[b] - az)) / area
    rows, cols = cells.shape
    worst, at_c, at_r = 0.0, -1, -1
    xs, ys = (ax, bx, cx), (ay, by, cy)
    for r in range(max(0, int(np.ceil(min(ay, by, cy)))), min(rows - 1, int(np.floor(max(ay, by, cy)))) + 1):
        low, high = np.inf, -np.inf
        for k in range(3):
            m = 0 if k == 2 else k + 1
            y0, y1 = ys[k], ys[m]
            if (y0 <= r) == (y1 <= r) and y0 != r and y1 != r:
                continue
            if y0 == y1:
                low, high = min(low, xs[k], xs[m]), max(high, xs[k], xs[m])
            else:
                x = xs[k] + (r - y0) / (y1 - y0) * (xs[m] - xs[k])
                low, high = min(low, x), max(high, x)
        if not low <= high:
            continue
        first, last = max(0, int(np.ceil(low))), min(cols - 1, int(np.floor(high)))
        base = az + gy * (r - ay) - gx * ax
        for col in range(first, last + 1):
            error = abs(cells[r, col] - (base + gx * col))
            if error > worst and not used[r, col] and not _beside_constraint(mesh, t, px, col, r):
                worst, at_c, at_r = error, col, r
    return worst, at_c, at_r


@njit(cache=True, nogil=True)
def _put(mesh, dead, lattice, place, t, stack):
    """Put in a place of the lattice; return its vertex, -1 where there is one already or no room."""
    _, _, changed, _, _, _, count = mesh
    px, z, cells, back = lattice
    c, r = place
    before = count[0]
    x = np.rint((back[0, 0] * c + back[0, 1] * r + back[0, 2]) * _GRID) / _GRID
    y = np.rint((back[1, 0] * c + back[1, 1] * r + back[1, 2]) * _GRID) / _GRID
    v = insert(mesh, dead, x, y, t, stack)
    changed[t] = True
    if v < before:
        return -1
    px[v, 0], px[v, 1] = c, r
    z[v] = bilinear(cells, c, r)
    return v


@njit(cache=True, nogil=True)
def refine(mesh, dead, lattice, used, tolerance):
    """
    Take in nodes until none is further from the surface than the tolerance.

    Parameters
    ----------
    mesh : tuple
    dead : (most,) bool
    lattice : tuple
        px : (n, 2) float64, column and row of each vertex; z : (n,) float64, heights of vertices; both are written;
        cells : (rows, cols) float64, NaN where void; back : (2, 3) float64, from column and row to plan coordinates.
    used : (rows, cols) bool
        Nodes that are not to be taken; written.
    tolerance : float
        m.

    Returns
    -------
    float
        Worst error left at a node that could be taken, m.
    """
    xy, _, changed, _, _, _, count = mesh
    px, z, cells, _ = lattice
    stack = np.empty(1 << 14, np.int64)
    most = len(dead)
    error, col, row = np.zeros(most), np.zeros(most, np.int64), np.zeros(most, np.int64)
    worst = 0.0
    for _ in range(_ROUNDS):
        worst = 0.0
        n = count[1]
        for t in range(n):
            if changed[t]:
                changed[t] = False
                error[t] = 0.0
                if not dead[t]:
                    error[t], col[t], row[t] = _scan(mesh, t, px, z, cells, used)
            worst = max(worst, error[t])
        if worst <= tolerance:
            break
        least = max(tolerance, _SHARE * worst)
        full = count[0] + 4 >= len(xy)
        for t in range(n):
            if error[t] > least and not changed[t] and not full:
                used[row[t], col[t]] = True
                _put(mesh, dead, lattice, (float(col[t]), float(row[t])), t, stack)
                full = count[0] + 4 >= len(xy)
        if full:
            break
    return worst


@njit(cache=True, nogil=True)
def refine_edges(mesh, dead, lattice, tolerance):
    """Take in the worst place of each free edge that strays further than the tolerance; return how many there were."""
    _, org, _, twin, fixed, _, count = mesh
    px, z, cells, _ = lattice
    stack = np.empty(1 << 14, np.int64)
    taken = 0
    for e in range(3 * count[1]):
        f = twin[e]
        if f < e or fixed[e] or dead[e // 3] or count[0] + 4 >= len(px):
            continue
        a, b = org[e], org[f]
        dx, dy = px[b, 0] - px[a, 0], px[b, 1] - px[a, 1]
        n = int(np.ceil(2.0 * np.sqrt(dx * dx + dy * dy)))
        worst, best = tolerance, 0.0
        for k in range(1, n):
            s = k / n
            error = abs(bilinear(cells, px[a, 0] + s * dx, px[a, 1] + s * dy) - (z[a] + s * (z[b] - z[a])))
            if error > worst:
                worst, best = error, s
        c, r = px[a, 0] + best * dx, px[a, 1] + best * dy
        if best > 0.0 and not (
            _beside_constraint(mesh, e // 3, px, c, r) or _beside_constraint(mesh, f // 3, px, c, r)
        ):
            taken += 1
            _put(mesh, dead, lattice, (c, r), e // 3, stack)
    return taken
