"""One building of the bundled town, and corners shared between neighbours that touch."""

from dataclasses import dataclass, field, replace

import numpy as np
import shapely

from citygen.arraytypes import Float64

_TOUCH_M = 1e-4
"""Drawn walls that coincide agree to a millionth of this; those that do not are decimetres apart."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """
    One polygon of the town.

    Attributes
    ----------
    kind : str
        A name of ``kinds.KINDS``.
    ring : (m, 2) float64
        Outline, open, counter-clockwise; metres, local frame.
    holes : tuple of (k, 2) float64
        Yards, open, clockwise.
    tags : dict of str to str
        Attributes that the layout gives; they win over drawn ones.
    """

    kind: str
    ring: Float64
    holes: tuple[Float64, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def is_part(self) -> bool:
        """Whether it is a ``building:part`` inside another outline."""
        return "building:part" in self.tags

    def polygon(self) -> shapely.Polygon:
        """Return it as a Shapely polygon."""
        return shapely.Polygon(self.ring, self.holes)

    def bearing_deg(self) -> float:
        """Return the compass bearing of its longest side."""
        sides = np.roll(self.ring, -1, axis=0) - self.ring
        east, north = sides[np.argmax(np.round((sides**2).sum(axis=1), 3))]
        return float(np.degrees(np.arctan2(east, north)) % 360)


def weld(footprints: list[Footprint]) -> list[Footprint]:
    """
    Give touching buildings the same corners along their common walls.

    Parameters
    ----------
    footprints : list of Footprint
        Walls that coincide may be cut at different places.

    Returns
    -------
    list of Footprint
        In the same order; each ring has a vertex wherever a neighbour's corner lies on it, with the very same
        coordinates, so that rounding them moves both alike.

    Examples
    --------
    >>> left = Footprint("villa", np.array([[0, 0], [4, 0], [4, 8], [0, 8.0]]))
    >>> right = Footprint("garage", np.array([[4, 1], [7, 1], [7, 5], [4, 5.0]]))
    >>> weld([left, right])[0].ring.tolist()
    [[0.0, 0.0], [4.0, 0.0], [4.0, 1.0], [4.0, 5.0], [4.0, 8.0], [0.0, 8.0]]
    """
    polygons = np.array([footprint.polygon() for footprint in footprints], dtype=object)
    tree = shapely.STRtree(polygons)
    pairs = tree.query(polygons, predicate="dwithin", distance=0.01)
    near: list[list[int]] = [[] for _ in footprints]
    for one, other in sorted(zip(*pairs.tolist(), strict=True)):
        if one != other:
            near[one].append(other)
    known: dict[tuple[int, int], Float64] = {}
    snapped = [
        replace(f, ring=_known(f.ring, known), holes=tuple(_known(h, known) for h in f.holes)) for f in footprints
    ]
    welded = []
    for footprint, others in zip(snapped, near, strict=True):
        if others:
            corners = np.concatenate([ring for o in others for ring in (snapped[o].ring, *snapped[o].holes)])
            rings = [_with_corners(ring, corners) for ring in (footprint.ring, *footprint.holes)]
            footprint = replace(footprint, ring=rings[0], holes=tuple(rings[1:]))  # noqa: PLW2901
        welded.append(footprint)
    return welded


def _known(ring: Float64, known: dict[tuple[int, int], Float64]) -> Float64:
    """Replace corners that agree to within the touch distance by the first of them."""
    out = ring.copy()
    for k, corner in enumerate(ring):
        cell = np.floor(corner / (4 * _TOUCH_M) + 0.5).astype(np.int64).tolist()
        nearby = [(cell[0] + i, cell[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        found = [known[key] for key in nearby if key in known and abs(known[key] - corner).max() < _TOUCH_M]
        if found:
            out[k] = found[0]
        else:
            known[(cell[0], cell[1])] = corner
    return out


def _with_corners(ring: Float64, corners: Float64) -> Float64:
    """Insert the corners that lie on an edge of a ring, in order along it."""
    parts = []
    for start, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        along = end - start
        length = float(np.sqrt((along**2).sum()))
        t = (corners - start) @ along / length
        off = np.abs((corners - start) @ np.array([-along[1], along[0]]) / length)
        on = (off < _TOUCH_M) & (t > 10 * _TOUCH_M) & (t < length - 10 * _TOUCH_M)
        order = np.argsort(t[on], kind="stable")
        inner = corners[on][order]
        first = np.ones(len(inner), dtype=bool)
        first[1:] = np.diff(t[on][order]) > 10 * _TOUCH_M
        parts += [start[None], inner[first]]
    return np.concatenate(parts)
