"""
Blocks of a district to the outlines on them, all blocks of one use at once: closed, rows, villas, yards, slabs, towers.

Each builder takes the blocks' lower left corners, (n, 2) float64, their common size and a generator, and returns lots
in the town's frame before its warp; metres.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64
from citygen.sample.shapes import l_shape, put, rectangle, round_shape, t_shape, u_shape, yard


@dataclass(frozen=True, slots=True)
class Lot:
    """
    Buildings of one template.

    Attributes
    ----------
    kind : str
        A name of ``kinds.KINDS``.
    rings : (n, m, 2) float64
        Outlines, counter-clockwise; metres, the town's frame before its warp.
    holes : (n, k, 2) float64 or None
        One yard a building, clockwise.
    rigid : bool
        Whether the warp keeps right angles (detached buildings) or bends each corner (rows).
    part : tuple of str
        (min_height, height) when these are ``building:part``; empty otherwise.
    """

    kind: str
    rings: Float64
    holes: Float64 | None = None
    rigid: bool = True
    part: tuple[str, ...] = ()


STACK = (("", "6"), ("6", "39"), ("39", "44"))
"""(min_height, height) of the parts of a tower."""


def _cuts(n: int, plots: int, span: tuple[float, float], spread: float, rng: np.random.Generator) -> Float64:
    """Part a street front into plots; (n, plots + 1) float64, the ends fixed."""
    marks = np.arange(plots + 1) + rng.uniform(-spread, spread, (n, plots + 1))
    marks[:, 0], marks[:, -1] = 0.0, plots
    return span[0] + (span[1] - span[0]) * marks / plots


def _row(low: Float64, high: Float64, near: float, far: float | Float64, *, wings: Float64 | None = None) -> Float64:
    """Return rows of houses from ``low`` to ``high`` along x, both (n, k); with wings, Ls; (n * k, m, 2) float64."""
    left, right = low.ravel(), high.ravel()
    at = np.column_stack([left, np.full(len(left), near)])
    deep = np.broadcast_to(far, low.shape).ravel() - near
    if wings is None:
        return put(rectangle(right - left, deep), at, 0.0)
    return put(l_shape(right - left, deep + wings.ravel(), 0.45 * (right - left), deep), at, 0.0)


def _shifted(rings: Float64, corner: Float64, each: int) -> Float64:
    """Move rings, ``each`` of them a block and those of one block adjacent, to their blocks' corners."""
    return rings + np.repeat(corner, each, axis=0)[:, None, :]


def _mirror(rings: Float64, height: float) -> Float64:
    """Mirror rings of a block at its middle line, still counter-clockwise."""
    return np.stack([rings[:, ::-1, 0], height - rings[:, ::-1, 1]], axis=-1)


def _closed(corner: Float64, size: Float64, rng: np.random.Generator) -> list[Lot]:
    """Close a block: a row along each long side, shorter ones along the short sides between them."""
    n, deep, side = len(corner), 10.0, 9.0
    plots = 8
    out = []
    for flip in (False, True):
        marks = np.column_stack([np.zeros(n), _cuts(n, plots, (side, size[0] - side), 0.2, rng), np.full(n, size[0])])
        depth = np.full((n, plots + 2), deep)
        depth[:, 1:-1] += 0.5 * rng.integers(-3, 4, (n, plots))
        plain = _row(marks[:, :-1], marks[:, 1:], 0.0, depth)
        winged = rng.uniform(size=(n, plots + 2)) < 0.35
        winged[:, :3], winged[:, -3:] = False, False
        chosen = winged.ravel()
        ells = _row(marks[:, :-1], marks[:, 1:], 0.0, depth, wings=rng.uniform(2.0, 5.0, (n, plots + 2)))
        for rings, rows in ((plain, ~chosen), (ells, chosen)):
            rings = _mirror(rings, size[1]) if flip else rings  # noqa: PLW2901
            out.append(Lot("old_town", _shifted(rings, corner, plots + 2)[rows], rigid=False))
    plots = 3
    for flip in (False, True):
        marks = _cuts(n, plots, (deep, size[1] - deep), 0.15, rng)
        x = size[0] - side if flip else 0.0
        low, high = marks[:, :-1].ravel(), marks[:, 1:].ravel()
        rings = put(rectangle(side, high - low), np.column_stack([np.full(len(low), x), low]), 0.0)
        keep = rng.uniform(size=len(rings)) < 0.94
        out.append(Lot("old_town", _shifted(rings, corner, plots)[keep], rigid=False))
    return out


def _rows(corner: Float64, size: Float64, rng: np.random.Generator) -> list[Lot]:
    """Build two terraces back to back, broken by gaps, with sheds in the gardens between."""
    n = len(corner)
    out = []
    plots = int((size[0] - 8.0) // 6.6)
    for flip in (False, True):
        marks = _cuts(n, plots, (4.0, size[0] - 4.0), 0.04, rng)
        rings = _row(marks[:, :-1], marks[:, 1:], 3.0, 12.5)
        rings = _mirror(rings, size[1]) if flip else rings
        gap = (np.arange(plots)[None, :] + rng.integers(0, 7, (n, 1))) % 7 == 0
        out.append(Lot("terrace", _shifted(rings, corner, plots)[~gap.ravel()], rigid=False))
    at = np.column_stack([rng.uniform(6, size[0] - 10, 3 * n), rng.uniform(20.0, size[1] - 24.0, 3 * n)])
    sheds = put(rectangle(rng.uniform(2, 4, 3 * n), rng.uniform(2, 3.5, 3 * n)), at, 0.0)
    keep = (np.arange(3 * n) % 3 == 0) & (rng.uniform(size=3 * n) < 0.8)
    return [*out, Lot("shed", _shifted(sheds, corner, 3)[keep])]


def _villas(corner: Float64, size: Float64, rng: np.random.Generator) -> list[Lot]:
    """Place detached houses of four shapes in gardens, some with a garage beside them."""
    n, plots = len(corner), max(1, int(size[0] // 19.5))
    pitch = size[0] / plots
    out = []
    for flip in (False, True):
        k = n * plots
        slot = np.tile(np.arange(plots) * pitch, n)
        wide, deep = rng.uniform(9.0, 12.0, k), rng.uniform(8.0, 11.0, k)
        arm, bar = wide * rng.uniform(0.4, 0.55, k), deep * rng.uniform(0.6, 0.75, k)
        at = np.column_stack([slot + rng.uniform(1.0, 3.0, k), rng.uniform(4.0, 8.0, k)])
        shape, kept = rng.uniform(size=k), rng.uniform(size=k) < 0.94
        turn = rng.uniform(-3.0, 3.0, k)
        choices = (
            (rectangle(wide, deep), (0.0, 0.5)),
            (l_shape(wide, deep + 2.0, arm, bar), (0.5, 0.78)),
            (t_shape(wide, deep + 2.5, arm, bar), (0.78, 0.92)),
            (u_shape(wide + 1.5, deep + 2.0, wide * 0.32, bar), (0.92, 1.0)),
        )
        for rings, (low, high) in choices:
            rings = put(rings, at, turn)  # noqa: PLW2901
            rings = _mirror(rings, size[1]) if flip else rings  # noqa: PLW2901
            out.append(Lot("villa", _shifted(rings, corner, plots)[kept & (shape >= low) & (shape < high)]))
        beside = np.column_stack([slot + pitch - 4.2, rng.uniform(2.0, 9.0, k)])
        rings = put(rectangle(3.0, 5.8), beside, 0.0)
        rings = _mirror(np.broadcast_to(rings, (k, 4, 2)), size[1]) if flip else rings
        out.append(Lot("garage", _shifted(rings, corner, plots)[rng.uniform(size=k) < 0.45]))
    return out


def _yards(corner: Float64, size: Float64, rng: np.random.Generator) -> list[Lot]:
    """Build two large buildings around a yard each."""
    n = len(corner)
    wing, half = rng.uniform(9.0, 12.0, n), size[0] / 2 - 6.0
    out = []
    for x in (3.0, size[0] / 2 + 3.0):
        at = corner + np.array([x, 4.0])
        out.append(
            Lot(
                "civic",
                put(rectangle(half, np.full(n, size[1] - 8.0)), at, 0.0),
                put(yard(half, size[1] - 8.0, wing), at, 0.0),
            )
        )
    return out


def _slabs(corner: Float64, size: Float64, rng: np.random.Generator) -> list[Lot]:
    """Build three slabs across a block and a row of garages."""
    n, out = len(corner), []
    for k in range(3):
        at = corner + np.column_stack([6.0 + 26.0 * k + rng.uniform(0, 6, n), rng.uniform(3, 7, n)])
        out.append(Lot("apartments", put(rectangle(12.0, rng.uniform(32, size[1] - 10, n)), at, 0.0)))
    marks = np.tile(4.0 + 3.0 * np.arange(9), (n, 1))
    return [*out, Lot("garage", _shifted(_row(marks[:, :-1], marks[:, 1:], -3.0, 2.5), corner, 8), rigid=False)]


def _towers(corner: Float64, size: Float64, rng: np.random.Generator) -> list[Lot]:
    """Build two towers of podium, shaft and crown: an outline, then its parts."""
    out = []
    for x in (0.27, 0.73):
        middle = corner + np.array([x, 0.5]) * size + rng.uniform(-3, 3, corner.shape)
        boxes = [
            put(np.broadcast_to(rectangle(w, d), (len(middle), 4, 2)), middle - np.array([w, d]) / 2, 0.0)
            for w, d in ((34, 24), (20, 16), (12, 10))
        ]
        out.append(Lot("apartments", boxes[0]))
        out += [Lot("set", box, part=stack) for box, stack in zip(boxes, STACK, strict=True)]
    return out


def _halls(corner: Float64, size: Float64, rng: np.random.Generator) -> list[Lot]:
    """Build two large halls and a row of silos."""
    n, out = len(corner), []
    for x in (3.0, size[0] / 2 + 2.0):
        wide, deep = rng.uniform(28.0, size[0] / 2 - 6.0, n), rng.uniform(24.0, size[1] - 16.0, n)
        out.append(Lot("hall", put(rectangle(wide, deep), corner + np.array([x, 2.0]), 0.0)))
    for k in range(3):
        at = corner + np.array([6.0 + 9.0 * k, size[1] - 9.0])
        rings = put(round_shape(rng.uniform(5.0, 7.5, n), 20), at, 0.0)
        out.append(Lot("silo", rings[rng.uniform(size=n) < 0.4]))
    return out


BUILD: dict[str, Callable[[Float64, Float64, np.random.Generator], list[Lot]]] = {
    "closed": _closed,
    "rows": _rows,
    "villas": _villas,
    "yards": _yards,
    "slabs": _slabs,
    "towers": _towers,
    "halls": _halls,
}
"""Use of a block to its builder; a use that is not here is a park."""
