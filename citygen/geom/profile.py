"""A roof section swept over polygons to roof surfaces: strips cut by ``strips.cut``, lifted, with risers where it jumps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from citygen.arraytypes import Float64, Int64
from citygen.geom.extend import grown, grown_rows
from citygen.geom.strips import STEP_M, cut
from citygen.model.rings import Rings
from citygen.model.surfaces import RoofSurfaces


@njit(cache=True, nogil=True)
def _side(where, node, strip):
    """Return which of a node's two heights a face or wall in a strip takes: 1 when it lies above the node's line."""
    return 1 if where[node] % 2 == 1 and strip > where[node] // 2 else 0


@njit(cache=True, nogil=True)
def _write_points(nodes, z, points, n_points):
    """Write one point a node, a second one where the section jumps; return (nodes, 2) point numbers and the count."""
    pid = np.empty((len(nodes), 2), np.int64)
    for i in range(len(nodes)):
        for side in range(2):
            if side == 1 and abs(z[i, 1] - z[i, 0]) <= STEP_M:
                pid[i, 1] = pid[i, 0]
                continue
            points[n_points, 0], points[n_points, 1], points[n_points, 2] = nodes[i, 0], nodes[i, 1], z[i, side]
            pid[i, side] = n_points
            n_points += 1
    return pid, n_points


@njit(cache=True, nogil=True)
def _write_faces(loops, edges, where, pid, out, counts):
    """Write the walked loops as faces, each outline before its holes; return the new counts of corners, rings, faces."""
    order, offsets, owner = loops
    tail, strip = edges
    corners, rings, faces = out
    n_corners, n_rings, n_faces = counts
    for o in range(len(owner)):
        if owner[o] != o:
            continue
        for q in range(o, o + len(owner)):  # the outline first, then its holes in order
            loop = q % len(owner)
            if owner[loop] != o:
                continue
            for e in order[offsets[loop] : offsets[loop + 1]]:
                corners[n_corners] = pid[tail[e], _side(where, tail[e], strip[e])]
                n_corners += 1
            n_rings += 1
            rings[n_rings] = n_corners
        n_faces += 1
        faces[n_faces] = n_rings
    return n_corners, n_rings, n_faces


@njit(cache=True, nogil=True)
def _write_risers(inner, pid, z, out, counts):
    """Write upright faces on the inner stretches of lines where the section jumps; return the new counts."""
    tail, head = inner
    corners, rings, faces = out
    n_corners, n_rings, n_faces = counts
    for e in range(0, len(tail), 2):
        a, c = tail[e], head[e]
        if pid[a, 0] == pid[a, 1]:
            continue
        falls = z[a, 0] > z[a, 1]
        below, above = (1, 0) if falls else (0, 1)
        first, second = (c, a) if falls else (a, c)
        quad = (pid[first, below], pid[second, below], pid[second, above], pid[first, above])
        for k in range(4):
            corners[n_corners + k] = quad[k]
        n_corners += 4
        n_rings += 1
        rings[n_rings] = n_corners
        n_faces += 1
        faces[n_faces] = n_rings
    return n_corners, n_rings, n_faces


@njit(cache=True, nogil=True)
def _write_chains(split, strip, where, pid, chain, chain_offsets, n_chain):
    """Write the top edge of each wall; ``chain_offsets`` is the polygon's own part. Returns the new count."""
    along, starts = split
    e = 0
    for i in range(len(starts) - 1):
        for q in range(starts[i], starts[i + 1] - 1):
            for node in (along[q], along[q + 1]):
                point = pid[node, _side(where, node, strip[e])]
                if n_chain == chain_offsets[i] or chain[n_chain - 1] != point:
                    chain[n_chain] = point
                    n_chain += 1
            e += 1
        chain_offsets[i + 1] = n_chain
    return n_chain


@njit(cache=True, nogil=True)
def _sweep(outlines, axes, section, sections, rise, shift):
    """Cut and lift every polygon; returns the arrays of ``RoofSurfaces`` in their order."""
    coords, ring_offsets, polygon_offsets = outlines
    breaks, left, right, section_offsets = sections
    n_poly = len(polygon_offsets) - 1
    points = np.empty((2 * len(coords) + 16, 3))
    corners, chain = np.empty(4 * len(coords) + 16, np.int64), np.empty(4 * len(coords) + 16, np.int64)
    rings, faces = np.zeros(2 * n_poly + 16, np.int64), np.zeros(2 * n_poly + 16, np.int64)
    riser = np.zeros(2 * n_poly + 16, np.uint8)
    polygon_faces, chain_offsets = np.zeros(n_poly + 1, np.int64), np.zeros(len(coords) + 1, np.int64)
    ok = np.zeros(n_poly, np.bool_)
    n_points, n_chain, counts = 0, 0, (0, 0, 0)
    for p in range(n_poly):
        r0, r1 = polygon_offsets[p], polygon_offsets[p + 1]
        v0, v1 = ring_offsets[r0], ring_offsets[r1]
        s0, s1 = section_offsets[section[p]], section_offsets[section[p] + 1]
        # breaks has one entry more than strips in every section, so section k's start at s0 + k
        shape = (breaks[s0 + section[p] : s1 + section[p] + 1], left[s0:s1], right[s0:s1])
        got = cut(coords[v0:v1], ring_offsets[r0 : r1 + 1] - v0, axes[p], shape, rise[p], shift[p])
        nodes, where, z, along, starts, tail, head, strip, n_ring, m, order, offsets, owner, ok[p] = got
        if ok[p]:
            inner = m - n_ring
            points = grown_rows(points, n_points + 2 * len(nodes))
            corners = grown(corners, counts[0] + m + 2 * inner)
            rings = grown(rings, counts[1] + len(owner) + inner + 2)
            faces = grown(faces, counts[2] + len(owner) + inner + 2)
            riser = grown(riser, counts[2] + len(owner) + inner + 2)
            chain = grown(chain, n_chain + 2 * len(along) + 2)
            pid, n_points = _write_points(nodes, z, points, n_points)
            out, first = (corners, rings, faces), counts[2]
            counts = _write_faces((order, offsets, owner), (tail, strip), where, pid, out, counts)
            roofs = counts[2]
            counts = _write_risers((tail[n_ring:m], head[n_ring:m]), pid, z, out, counts)
            riser[first:roofs], riser[roofs : counts[2]] = 0, 1
            part = chain_offsets[v0 : v1 + 1]
            n_chain = _write_chains((along, starts), strip, where, pid, chain, part, n_chain)
        else:
            chain_offsets[v0 + 1 : v1 + 1] = n_chain
        polygon_faces[p + 1] = counts[2]
    return (
        points[:n_points].copy(),
        corners[: counts[0]].copy(),
        rings[: counts[1] + 1].copy(),
        faces[: counts[2] + 1].copy(),
        polygon_faces,
        riser[: counts[2]].copy(),
        chain[:n_chain].copy(),
        chain_offsets,
        ok,
    )


@dataclass(frozen=True, slots=True)
class Sections:
    """
    Distinct roof sections, packed for the kernel; ``pack`` makes them.

    Attributes
    ----------
    breaks : (k + s,) float64
        Places from 0 to 1 across the roof, down-slope last; one more than strips in each of s sections.
    left, right : (k,) float64
        Heights 0..1 at the two ends of each strip.
    offsets : (s + 1,) int64
        Strips of each section.
    """

    breaks: Float64
    left: Float64
    right: Float64
    offsets: Int64


def pack(sections: Sequence[tuple[Float64, Float64, Float64]]) -> Sections:
    """
    Pack sections.

    Parameters
    ----------
    sections : sequence of (breaks, left, right)
        At least one; (k + 1,), (k,) and (k,) float64 each.

    Returns
    -------
    Sections

    Examples
    --------
    >>> pack([(np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0]))]).offsets.tolist()
    [0, 2]
    """
    breaks, left, right = (np.concatenate(column) for column in zip(*sections, strict=True))
    return Sections(breaks, left, right, np.cumsum([0, *(len(s[1]) for s in sections)], dtype=np.int64))


def sweep(
    rings: Rings, axes: Float64, section: Int64, sections: Sections, rise: Float64, shift: Float64
) -> RoofSurfaces:
    """
    Sweep a section over each polygon.

    Parameters
    ----------
    rings : Rings
        Local plan coordinates, metres; simple polygons without pinches.
    axes : (p, 2) float64
        Unit cross direction of each polygon: the section runs along it, the ridge is square to it.
    section : (p,) int64
        Which of ``sections`` each polygon takes.
    sections : Sections
        The distinct sections.
    rise : (p,) float64
        Metres from a section's 0 to its 1.
    shift : (p,) float64
        Metres by which break lines are moved (0; a perturbation on a second try).

    Returns
    -------
    RoofSurfaces
        ``ok`` is False where the cut did not tile the polygon.
    """
    outlines = (rings.coords, rings.ring_offsets, rings.polygon_offsets)
    packed = (sections.breaks, sections.left, sections.right, sections.offsets)
    return RoofSurfaces(*_sweep(outlines, np.ascontiguousarray(axes), section, packed, rise, shift))
