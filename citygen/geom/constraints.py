"""
Two vertices of a triangulation to an edge between them that stays (Numba kernels).

Edges in the way are flipped until none is (S. W. Sloan, "A fast algorithm for generating constrained Delaunay
triangulations", 1993); a vertex that lies on the line makes two edges of it.
"""

import numpy as np
from numba import njit

from citygen.geom.cdt import after, flip, legalise, turn


@njit(cache=True, nogil=True)
def _towards(mesh, a, b):
    """Find the half-edge from ``a`` that ``a-b`` runs along (kind 1), or whose opposite edge it crosses (kind 0)."""
    xy, org, _, twin, _, at, _ = mesh
    x, y = xy[b, 0], xy[b, 1]
    e = at[a]
    for _ in range(1 << 20):
        p, q = org[after(e)], org[after(after(e))]
        sp, sq = turn(xy, a, p, x, y), turn(xy, a, q, x, y)
        ahead = (xy[p, 0] - xy[a, 0]) * (x - xy[a, 0]) + (xy[p, 1] - xy[a, 1]) * (y - xy[a, 1])
        if sp == 0 and ahead > 0.0:
            return e, 1
        if sp > 0 and sq < 0:
            return e, 0
        e = twin[after(after(e))]
        if e < 0 or e == at[a]:
            break
    return -1, 0


@njit(cache=True, nogil=True)
def constrain(mesh, a, b, stack):
    """
    Make ``a-b`` an edge, or a chain of edges over the vertices that lie on it, that stays.

    Returns
    -------
    bool
        False when it crosses another constraint.
    """
    xy, org, _, twin, fixed, _, _ = mesh
    crossed = np.empty(len(stack), np.int64)
    while a != b:
        e, along = _towards(mesh, a, b)
        if e < 0:
            return False
        if along == 1:
            fixed[e] = fixed[twin[e]] = True
            a = org[after(e)]
            continue
        n, end = 0, -1
        f = after(e)  # the edge that a-b crosses first
        while end < 0:
            if fixed[f] or n + 1 >= len(crossed):
                return False
            crossed[n] = f
            n += 1
            g = twin[f]
            tip = org[after(after(g))]
            side = turn(xy, a, b, xy[tip, 0], xy[tip, 1])
            if side == 0:
                end = tip
            else:
                f = after(g) if side > 0 else after(after(g))
        if not _clear(mesh, a, end, crossed, n, stack):
            return False
        e, along = _towards(mesh, a, end)
        if along != 1 or org[after(e)] != end:
            return False
        fixed[e] = fixed[twin[e]] = True
        a = end
    return True


@njit(cache=True, nogil=True)
def _clear(mesh, a, b, crossed, n, stack):
    """Flip the edges that a-b crosses until none does; what was flipped is made Delaunay again by the caller's points."""
    xy, org, _, twin, fixed, _, _ = mesh
    pairs = np.empty((n, 2), np.int64)  # by their ends: flips move half-edges about
    for k in range(n):
        pairs[k, 0], pairs[k, 1] = org[crossed[k]], org[twin[crossed[k]]]
    head, size, tries, made = 0, n, 0, 0
    limit = 64 * n * n + 64
    done = np.empty((8 * n + 8, 2), np.int64)
    while size > 0:
        tries += 1
        if tries > limit:
            return False
        p, q = pairs[head % n, 0], pairs[head % n, 1]
        head += 1
        size -= 1
        e = edge_between(mesh, p, q)
        f = twin[e]
        c, d = org[after(after(e))], org[after(after(f))]
        convex = turn(xy, c, d, xy[p, 0], xy[p, 1]) * turn(xy, c, d, xy[q, 0], xy[q, 1]) < 0
        if not convex:
            pairs[(head + size) % n, 0], pairs[(head + size) % n, 1] = p, q
            size += 1
            continue
        flip(mesh, e)
        sc, sd = turn(xy, a, b, xy[c, 0], xy[c, 1]), turn(xy, a, b, xy[d, 0], xy[d, 1])
        if sc * sd < 0 and c != a and c != b and d != a and d != b:
            pairs[(head + size) % n, 0], pairs[(head + size) % n, 1] = c, d
            size += 1
        elif made < len(done) and not ((c == a and d == b) or (c == b and d == a)):
            done[made, 0], done[made, 1] = c, d
            made += 1
    e = edge_between(mesh, a, b)
    if e < 0:
        return False
    fixed[e] = fixed[twin[e]] = True
    for k in range(made):
        e = edge_between(mesh, done[k, 0], done[k, 1])
        if e >= 0:
            stack[0] = e
            legalise(mesh, stack, 1)
    return True


@njit(cache=True, nogil=True)
def edge_between(mesh, p, q):
    """Return the half-edge from p to q, -1 where there is none."""
    _, org, _, twin, _, at, _ = mesh
    e = at[p]
    for _ in range(1 << 20):
        if org[after(e)] == q:
            return e
        e = twin[after(after(e))]
        if e < 0 or e == at[p]:
            break
    if e < 0:  # a vertex of the frame has triangles on one side only: look the other way round too
        e = twin[at[p]]
        while e >= 0:
            e = after(e)
            if org[after(e)] == q:
                return e
            e = twin[e]
    return -1
