"""
A block and a style to the buildings along its streets: closed perimeters, terraces with gaps, rows with party walls.

A block's ring is walked once; cuts across it part the plots, and both neighbours of a cut use the same points, so
party walls are shared exactly.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64
from citygen.sample.footprint import Footprint


@dataclass(frozen=True, slots=True)
class Style:
    """
    How a street's houses look from above; lengths in metres.

    Attributes
    ----------
    kind : str
        The kind of each house.
    setback_m : float
        From the street's edge to the front walls.
    front_m, depth_m : pair of float
        Least and most width and depth of a house; depths come in half metres.
    wings : float
        Share of houses with a wing into the yard.
    gaps : float
        Share of plots that stay open.
    run : int
        Houses between two gaps; 0 for a closed perimeter.
    corners : bool
        Whether houses stand around the corners of the block.
    """

    kind: str
    setback_m: float
    front_m: tuple[float, float]
    depth_m: tuple[float, float]
    wings: float = 0.0
    gaps: float = 0.0
    run: int = 0
    corners: bool = True


def inset(ring: Float64, distances: Float64 | float) -> Float64:
    """
    Move each edge of a ring inwards and join the edges again.

    Parameters
    ----------
    ring : (m, 2) float64
        Counter-clockwise, open, without straight angles that matter; metres.
    distances : (m,) float64 or float
        How far edge k, from vertex k to the next, moves.

    Returns
    -------
    (m, 2) float64
        The moved corners. Not checked: a ring thinner than twice the distance turns inside out.

    Examples
    --------
    >>> inset(np.array([[0, 0], [9, 0], [9, 6], [0, 6.0]]), 1.0).tolist()
    [[1.0, 1.0], [8.0, 1.0], [8.0, 5.0], [1.0, 5.0]]
    """
    out_normal = _normals(ring)
    in_normal = np.roll(out_normal, 1, axis=0)
    there = np.broadcast_to(np.asarray(distances, dtype=np.float64), (len(ring),))
    here = np.roll(there, 1)
    cross = in_normal[:, 0] * out_normal[:, 1] - in_normal[:, 1] * out_normal[:, 0]
    straight = np.abs(cross) < 1e-3
    safe = np.where(straight, 1.0, cross)
    dx = (here * out_normal[:, 1] - there * in_normal[:, 1]) / safe
    dy = (there * in_normal[:, 0] - here * out_normal[:, 0]) / safe
    bent = np.column_stack([dx, dy])
    return ring + np.where(straight[:, None], out_normal * there[:, None], bent)


def houses(ring: Float64, corner: Bool, style: Style, rng: np.random.Generator) -> list[Footprint]:
    """
    Line the inside of a block with houses.

    Parameters
    ----------
    ring : (m, 2) float64
        The block's edge along its streets, counter-clockwise; metres.
    corner : (m,) bool
        Which vertices are street corners; the others are bends.
    style : Style
        What to build.
    rng : numpy.random.Generator
        Advanced by the call.

    Returns
    -------
    list of Footprint
        In order along the block.
    """
    front = inset(ring, style.setback_m)
    cuts = _cuts(front, corner, style, rng)
    step = np.round(rng.uniform(*style.depth_m, len(cuts)) * 2) / 2
    if style.run:
        step[:] = step[0]
    out = []
    for k, (cut, depth) in enumerate(zip(cuts, step, strict=True)):
        following = cuts[(k + 1) % len(cuts)]
        turned = [i % len(front) for i in range(cut[0] + 1, _after(cut, following, len(front)) + 1)]
        around = any(corner[i] for i in turned)
        wing = (not turned) and rng.uniform() < style.wings and depth < style.depth_m[1]
        gap = rng.uniform() < style.gaps or (style.run > 0 and k % (style.run + 1) == style.run)
        if (around and not style.corners) or (gap and not around):
            continue
        out.append(Footprint(style.kind, _house(front, (cut, following, turned), (depth, wing), rng)))
    return out


def _normals(ring: Float64) -> Float64:
    along = np.roll(ring, -1, axis=0) - ring
    along /= np.sqrt((along**2).sum(axis=1))[:, None]
    return np.column_stack([-along[:, 1], along[:, 0]])


Cut = tuple[int, float]
"""Edge number and metres along it."""


def _cuts(front: Float64, corner: Bool, style: Style, rng: np.random.Generator) -> list[Cut]:
    """Choose where plots end, leaving room for the houses around corners."""
    edges = np.roll(front, -1, axis=0) - front
    lengths = np.sqrt((edges**2).sum(axis=1))
    before = -np.roll(edges, 1, axis=0)
    cosine = (edges * before).sum(axis=1) / (lengths * np.roll(lengths, 1))
    mitre = style.depth_m[1] * np.sqrt((1 + cosine) / np.clip(1 - cosine, 1e-9, None))  # depth / tan(angle / 2)
    cuts: list[Cut] = []
    for edge, length in enumerate(lengths):
        rooms = []
        for vertex in (edge, (edge + 1) % len(front)):
            extra = rng.uniform(0.8, 4.0)
            rooms.append(mitre[vertex] + extra if corner[vertex] else 0.4 * mitre[vertex] + 1.5 + extra)
        free = length - sum(rooms)
        if free < 0:
            continue
        plots = round(free / rng.uniform(*style.front_m))
        if plots == 0:
            cuts.append((edge, rooms[0] + free / 2))
            continue
        spread = 0.0 if style.run else 0.22
        marks = (np.arange(plots + 1) + rng.uniform(-spread, spread, plots + 1)) / plots
        marks[0], marks[-1] = 0.0, 1.0
        cuts += [(edge, float(rooms[0] + free * mark)) for mark in marks]
    return cuts


def _after(cut: Cut, following: Cut, n_edges: int) -> int:
    """Return the number of the following cut's edge, counted on past the end of the ring."""
    return following[0] + (n_edges if following <= cut else 0)


def _house(
    front: Float64, span: tuple[Cut, Cut, list[int]], size: tuple[float, bool], rng: np.random.Generator
) -> Float64:
    """Draw one house between two cuts: its front along the street, its back parallel, perhaps with a wing."""
    (cut, following, turned), (depth, wing) = span, size
    normals = _normals(front)
    start, end = _at(front, cut), _at(front, following)
    inner = inset(front, depth)
    if not wing:
        back = [end + normals[following[0]] * depth, *(inner[k] for k in reversed(turned))]
        return np.array([start, *(front[k] for k in turned), end, *back, start + normals[cut[0]] * depth])
    normal, along = normals[cut[0]], (end - start) / np.sqrt(((end - start) ** 2).sum())
    width = float(np.sqrt(((end - start) ** 2).sum()))
    wing_width, reach = width * rng.uniform(0.35, 0.55), depth + float(rng.integers(5, 11)) / 2
    if rng.uniform() < 0.5:
        bend = start + along * wing_width
        back = [end + normal * depth, bend + normal * depth, bend + normal * reach, start + normal * reach]
    else:
        bend = end - along * wing_width
        back = [end + normal * reach, bend + normal * reach, bend + normal * depth, start + normal * depth]
    return np.array([start, end, *back])


def _at(ring: Float64, cut: Cut) -> Float64:
    start, end = ring[cut[0]], ring[(cut[0] + 1) % len(ring)]
    point: Float64 = start + (end - start) * (cut[1] / np.sqrt(((end - start) ** 2).sum()))
    return point
