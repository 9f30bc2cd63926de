"""Two gables that cross over an outline's box: where their planes meet, and how high the roof is at a place."""

from collections.abc import Callable

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.geom.cells import cells
from citygen.geom.lifted import Lifted, lift
from citygen.geom.planargraph import PlanarGraph
from citygen.geom.tolerances import ON_LINE_M

Box = tuple[Float64, Float64, Float64]
"""Middle (2,), unit cross direction (2,), half extents along it and square to it (2,); metres."""


def box_of(xy: Float64, axis: Float64) -> Box:
    """
    Return the box of some vertices along a direction.

    Examples
    --------
    >>> middle, _, half = box_of(np.array([[0.0, 0], [8, 0], [8, 4], [0, 4]]), np.array([1.0, 0.0]))
    >>> middle.tolist(), half.tolist()
    ([4.0, 2.0], [4.0, 2.0])
    """
    frame = np.stack([axis, np.array([-axis[1], axis[0]])], axis=1)
    own = xy @ frame
    low, high = own.min(axis=0), own.max(axis=0)
    return frame @ ((low + high) / 2), axis, (high - low) / 2


def heights(xy: Float64, box: Box) -> Float64:
    """Return (n,) float64: the higher of two gables from 0 at a box's corners to 1 along its two middle lines."""
    middle, axis, half = box
    u = np.abs((xy - middle) @ axis) / half[0]
    v = np.abs((xy - middle) @ np.array([-axis[1], axis[0]])) / half[1]
    return np.asarray(1.0 - np.minimum(u, v), dtype=np.float64)


def spread(xy: Float64, ring_offsets: Int64, box: Box) -> float:
    """
    Return how much of 0..1 the crossing gables take over one polygon.

    The highest place is on a middle line of the box, which every connected outline meets; the lowest is on a ring, at a
    vertex or where an edge crosses a diagonal of the box.
    """
    middle, axis, half = box
    own = np.stack([(xy - middle) @ axis, (xy - middle) @ np.array([-axis[1], axis[0]])], axis=1) / half
    follow = np.arange(1, len(xy) + 1)
    follow[ring_offsets[1:] - 1] = ring_offsets[:-1]
    places = [own]
    for sign in (1.0, -1.0):
        side = own[:, 0] - sign * own[:, 1]
        turn = side - side[follow]
        share = side / np.where(turn == 0.0, 1.0, turn)
        cut = (turn != 0.0) & (share > 0) & (share < 1)
        places.append((own + share[:, None] * (own[follow] - own))[cut])
    return float(np.minimum(*np.abs(np.concatenate(places)).T).max())


def crossing_gables(xy: Float64, ring_offsets: Int64, axis: Float64, shift: float) -> Lifted | None:
    """
    Roof one polygon with two crossing gables.

    Parameters
    ----------
    xy : (n, 2) float64
        Vertices of its rings, metres.
    ring_offsets : (r + 1,) int64
        Ring boundaries, from 0.
    axis : (2,) float64
        Unit direction along one side of the box.
    shift : float
        Metres by which the middle of the box is moved (0; a perturbation on a second try).

    Returns
    -------
    Lifted or None
        Heights from exactly 0 to exactly 1 over the polygon.
    """
    rays = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
    return _folded(xy, ring_offsets, _moved(xy, axis, shift), rays, heights)


def one_gable(xy: Float64, ring_offsets: Int64, axis: Float64, shift: float) -> Lifted | None:
    """Roof one polygon with one gable that falls along ``axis`` and against it; parameters as in ``crossing_gables``."""
    return _folded(xy, ring_offsets, _moved(xy, axis, shift), ((0, 1), (0, -1)), _gable)


def _gable(xy: Float64, box: Box) -> Float64:
    middle, axis, half = box
    return np.asarray(1.0 - np.abs((xy - middle) @ axis) / half[0], dtype=np.float64)


def _moved(xy: Float64, axis: Float64, shift: float) -> Box:
    middle, _, half = box_of(xy, axis)
    return middle + shift * np.array([0.8, 0.6]), axis, half


def _folded(
    xy: Float64,
    ring_offsets: Int64,
    box: Box,
    rays: tuple[tuple[int, int], ...],
    height: Callable[[Float64, Box], Float64],
) -> Lifted | None:
    """Fold a roof along rays from a box's middle, given in half extents; its heights are stretched to 0..1."""
    middle, axis, half = box
    graph = PlanarGraph(xy, ring_offsets, ON_LINE_M)
    centre = graph.add_node(middle, ON_LINE_M)
    side = np.array([-axis[1], axis[0]])
    lines = []
    for p, q in rays:
        far = middle + 1.5 * p * half[0] * axis + 1.5 * q * half[1] * side
        lines.append((centre, graph.add_node(far, 0.0), 0))
    if not graph.add_lines(lines):
        return None
    graph.keep_inner()
    found = cells(graph)
    if found is None:
        return None
    z = height(graph.points(), box)
    used = np.unique([node for cell in found for ring in cell for node in ring])
    low, high = z[used].min(), z[used].max()
    if high - low <= ON_LINE_M:
        return None
    return lift(graph, found, np.clip((z - low) / (high - low), 0.0, 1.0))
