"""
Points to a constrained Delaunay triangulation that takes further points (Numba kernels).

Half-edges as flat arrays: triangle ``t`` has half-edges ``3t, 3t + 1, 3t + 2``; ``org`` is where each starts, ``twin`` its
other side (-1 on the frame around everything), ``fixed`` whether it is (part of) a constraint. Points go in one by one with
Lawson's flips (C. L. Lawson, "Software for C1 surface interpolation", 1977); constraints come from ``geom.constraints``.

Which side of a line a point lies on is decided exactly, provided that differences of coordinates are exact: the caller
puts them on a grid (``tolerances.PLAN_GRID_M``). The circle test is not exact; it only chooses between sound triangulations.
"""

import numpy as np
from numba import njit

FRAME = 4
"""Vertices 0 to 3 are those of a square around everything."""
INSIDE, ON_EDGE, ON_VERTEX = 0, 1, 2
_SPLIT = 134217729.0
_ROUND = 1e-13


@njit(cache=True, nogil=True)
def _product_error(a, b, p):
    """Return a * b - p exactly, where p is the rounded product (T. J. Dekker, 1971)."""
    c = _SPLIT * a
    ah = c - (c - a)
    al = a - ah
    c = _SPLIT * b
    bh = c - (c - b)
    bl = b - bh
    return al * bl - (((p - ah * bh) - al * bh) - ah * bl)


@njit(cache=True, nogil=True)
def turn(xy, a, b, x, y):
    """Return 1, 0 or -1: the place (x, y) lies left of, on or right of the line from vertex a to b; exact."""
    l1, l2 = xy[a, 0] - x, xy[b, 1] - y
    r1, r2 = xy[a, 1] - y, xy[b, 0] - x
    p, q = l1 * l2, r1 * r2
    if p != q:  # rounding never swaps two products
        return 1 if p > q else -1
    e, f = _product_error(l1, l2, p), _product_error(r1, r2, q)
    return 1 if e > f else (-1 if e < f else 0)


@njit(cache=True, nogil=True)
def _in_circle(xy, a, b, c, d):
    """Say whether d lies clearly inside the circle through a, b, c (counter-clockwise)."""
    ax, ay = xy[a, 0] - xy[d, 0], xy[a, 1] - xy[d, 1]
    bx, by = xy[b, 0] - xy[d, 0], xy[b, 1] - xy[d, 1]
    cx, cy = xy[c, 0] - xy[d, 0], xy[c, 1] - xy[d, 1]
    aa, bb, cc = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    det = aa * (bx * cy - by * cx) + bb * (cx * ay - cy * ax) + cc * (ax * by - ay * bx)
    size = aa * (abs(bx * cy) + abs(by * cx)) + bb * (abs(cx * ay) + abs(cy * ax)) + cc * (abs(ax * by) + abs(ay * bx))
    return det > _ROUND * size


@njit(cache=True, nogil=True)
def after(e):
    """Return the next half-edge around a triangle."""
    return e - 2 if e % 3 == 2 else e + 1


@njit(cache=True, nogil=True)
def start(xy, box, most):
    """
    Make a triangulation of a square around a box.

    Parameters
    ----------
    xy : (n, 2) float64
        Room for all vertices; the first four are written.
    box : (4,) float64
        min x, min y, max x, max y of everything that will go in.
    most : int
        Triangles there is room for.

    Returns
    -------
    org, twin : (3 * most,) int64
    fixed : (3 * most,) bool
    at : (n,) int64
        A half-edge from each vertex, -1 for those not in yet.
    count : (2,) int64
        Vertices and triangles so far.
    """
    org, twin = np.full(3 * most, -1, np.int64), np.full(3 * most, -1, np.int64)
    fixed = np.zeros(3 * most, np.bool_)
    at = np.full(len(xy), -1, np.int64)
    reach = np.ceil(max(box[2] - box[0], box[3] - box[1])) + 1.0
    w, s, e, n = np.floor(box[0]) - reach, np.floor(box[1]) - reach, np.ceil(box[2]) + reach, np.ceil(box[3]) + reach
    xy[0, 0], xy[0, 1] = w, s
    xy[1, 0], xy[1, 1] = e, s
    xy[2, 0], xy[2, 1] = e, n
    xy[3, 0], xy[3, 1] = w, n
    org[0], org[1], org[2] = 0, 1, 2
    org[3], org[4], org[5] = 2, 3, 0
    twin[2], twin[5] = 5, 2
    at[0], at[1], at[2], at[3] = 0, 1, 3, 4
    return org, twin, fixed, at, np.array([4, 2])


@njit(cache=True, nogil=True)
def locate(mesh, x, y, first):
    """
    Find a place, walking from triangle ``first``.

    Returns
    -------
    half-edge, how : int
        ``INSIDE``: one of the triangle's. ``ON_EDGE``: the one that it lies on. ``ON_VERTEX``: one from that vertex.
    """
    xy, org, _, twin, _, _, count = mesh
    t = first
    seed = 1
    for _ in range(4 * count[1] + 16):
        seed = (seed * 1103515245 + 12345) % 2147483648
        k = (seed >> 16) % 3  # a walk that always tries the same edge first can go round for ever
        moved = False
        for _ in range(3):
            e = 3 * t + k
            k = 0 if k == 2 else k + 1
            if turn(xy, org[e], org[after(e)], x, y) < 0:
                if twin[e] < 0:
                    return -1, INSIDE
                t = twin[e] // 3
                moved = True
                break
        if moved:
            continue
        on, edge = 0, 3 * t
        for j in range(3):
            e = 3 * t + j
            if xy[org[e], 0] == x and xy[org[e], 1] == y:
                return e, ON_VERTEX
            if turn(xy, org[e], org[after(e)], x, y) == 0:
                on, edge = 1, e
        return edge, ON_EDGE if on else INSIDE
    return -1, INSIDE


@njit(cache=True, nogil=True)
def _tie(twin, a, b):
    twin[a] = b
    if b >= 0:
        twin[b] = a


@njit(cache=True, nogil=True)
def flip(mesh, e0):
    """Turn the edge of two triangles: a-b with c left and d right becomes d-c."""
    _, org, changed, twin, fixed, at, _ = mesh
    f0 = twin[e0]
    e1 = after(e0)
    e2 = after(e1)
    f1 = after(f0)
    f2 = after(f1)
    b, c, d = org[f0], org[e2], org[f2]
    te, tf = twin[e1], twin[f1]
    fe, ff = fixed[e1], fixed[f1]
    _tie(twin, e0, tf)
    fixed[e0] = ff
    org[e1] = d
    fixed[e1] = False
    org[f0] = b
    _tie(twin, f0, te)
    fixed[f0] = fe
    org[f1] = c
    fixed[f1] = False
    _tie(twin, e1, f1)
    at[org[e0]], at[d], at[c], at[b] = e0, e1, e2, f0
    changed[e0 // 3] = True
    changed[f0 // 3] = True


@njit(cache=True, nogil=True)
def legalise(mesh, stack, n):
    """Flip what is not Delaunay, from the ``n`` half-edges on the stack outwards; constraints stay."""
    xy, org, _, twin, fixed, _, _ = mesh
    while n > 0:
        n -= 1
        e = stack[n]
        f = twin[e]
        if f < 0 or fixed[e]:
            continue
        e1, f1 = after(e), after(f)
        a, b, c, d = org[e], org[f], org[after(e1)], org[after(f1)]
        if not _in_circle(xy, a, b, c, d):
            continue
        if turn(xy, a, d, xy[c, 0], xy[c, 1]) <= 0 or turn(xy, d, b, xy[c, 0], xy[c, 1]) <= 0:
            continue
        flip(mesh, e)
        if n + 2 > len(stack):
            continue  # what is left out is sound, only not Delaunay
        stack[n], stack[n + 1] = e, after(after(f))
        n += 2


@njit(cache=True, nogil=True)
def _split_triangle(mesh, dead, t, v, stack):
    _, org, changed, twin, fixed, at, count = mesh
    u, w = count[1], count[1] + 1
    count[1] += 2
    e0, e1, e2 = 3 * t, 3 * t + 1, 3 * t + 2
    n0, n1, n2, m0, m1, m2 = 3 * u, 3 * u + 1, 3 * u + 2, 3 * w, 3 * w + 1, 3 * w + 2
    a, b, c = org[e0], org[e1], org[e2]
    org[n0], org[n1], org[n2] = b, c, v
    org[m0], org[m1], org[m2] = c, a, v
    org[e2] = v
    fixed[n0], fixed[m0] = fixed[e1], fixed[e2]
    _tie(twin, n0, twin[e1])
    _tie(twin, m0, twin[e2])
    fixed[e1] = fixed[e2] = False
    _tie(twin, e1, n2)
    _tie(twin, n1, m2)
    _tie(twin, m1, e2)
    at[v], at[a], at[b], at[c] = e2, e0, n0, m0
    dead[u] = dead[w] = dead[t]
    changed[t] = changed[u] = changed[w] = True
    stack[0], stack[1], stack[2] = e0, n0, m0
    return 3


@njit(cache=True, nogil=True)
def _split_edge(mesh, dead, e0, v, stack):
    _, org, changed, twin, fixed, at, count = mesh
    f0 = twin[e0]
    e1 = after(e0)
    e2 = after(e1)
    f1 = after(f0)
    f2 = after(f1)
    a, b, c, d = org[e0], org[f0], org[e2], org[f2]
    u, w = count[1], count[1] + 1
    count[1] += 2
    n0, n1, n2, m0, m1, m2 = 3 * u, 3 * u + 1, 3 * u + 2, 3 * w, 3 * w + 1, 3 * w + 2
    is_fixed = fixed[e0]
    org[n0], org[n1], org[n2] = v, b, c
    org[m0], org[m1], org[m2] = v, a, d
    fixed[n1], fixed[m1] = fixed[e1], fixed[f1]
    _tie(twin, n1, twin[e1])
    _tie(twin, m1, twin[f1])
    org[e1], org[f1] = v, v
    fixed[e1] = fixed[f1] = fixed[n2] = fixed[m2] = False
    _tie(twin, e1, n2)
    _tie(twin, f1, m2)
    _tie(twin, e0, m0)
    _tie(twin, n0, f0)
    fixed[e0] = fixed[m0] = fixed[n0] = fixed[f0] = is_fixed
    at[v], at[a], at[b], at[c], at[d] = n0, e0, f0, e2, f2
    dead[u], dead[w] = dead[e0 // 3], dead[f0 // 3]
    changed[e0 // 3] = changed[f0 // 3] = changed[u] = changed[w] = True
    stack[0], stack[1], stack[2], stack[3] = e2, n1, f2, m1
    return 4


@njit(cache=True, nogil=True)
def insert(mesh, dead, x, y, first, stack):
    """
    Put in a point.

    Parameters
    ----------
    mesh : tuple
        xy, org, changed, twin, fixed, at, count.
    dead : (most,) bool
        Handed on to the triangles that a triangle is split into.
    x, y : float
    first : int
        Triangle to walk from.
    stack : (k,) int64
        Scratch.

    Returns
    -------
    int
        Its number; that of the vertex that is there already; -1 where it cannot be put in.
    """
    xy, org, _, twin, _, _, count = mesh
    e, how = locate(mesh, x, y, first)
    if e < 0:
        return -1
    if how == ON_VERTEX:
        return org[e]
    v = count[0]
    if v >= len(xy) or 3 * count[1] + 6 > len(org) or (how == ON_EDGE and twin[e] < 0):
        return -1
    count[0] += 1
    xy[v, 0], xy[v, 1] = x, y
    n = _split_edge(mesh, dead, e, v, stack) if how == ON_EDGE else _split_triangle(mesh, dead, e // 3, v, stack)
    legalise(mesh, stack, n)
    return v
