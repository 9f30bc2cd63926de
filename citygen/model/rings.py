"""Ragged polygons: many polygons with holes as three flat arrays, the way they pass between stages and kernels."""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Float64, Int64, Objects


@dataclass(frozen=True, slots=True)
class Rings:
    """
    Polygons in GeoArrow layout.

    Rings are open (the first vertex is not repeated), the first ring of a polygon is its outline (counter-clockwise),
    the others are holes (clockwise), so the inside lies to the left of every edge.

    Attributes
    ----------
    coords : (n, 2) float64
        Vertices, metres, in the frame that the producer says.
    ring_offsets : (r + 1,) int64
        Vertices of ring ``k`` are ``coords[ring_offsets[k]:ring_offsets[k + 1]]``.
    polygon_offsets : (p + 1,) int64
        Rings of polygon ``j`` are ``polygon_offsets[j]`` to ``polygon_offsets[j + 1]``.
    """

    coords: Float64
    ring_offsets: Int64
    polygon_offsets: Int64

    def __len__(self) -> int:
        return len(self.polygon_offsets) - 1

    @property
    def vertex_offsets(self) -> Int64:
        """Vertices of polygon ``j`` are ``vertex_offsets[j]`` to ``vertex_offsets[j + 1]``; (p + 1,) int64."""
        return self.ring_offsets[self.polygon_offsets]

    def bounds(self) -> Float64:
        """Return (p, 4) float64: min x, min y, max x, max y of each polygon; NaN for one without vertices."""
        out = np.full((len(self), 4), np.nan)
        starts = self.vertex_offsets
        filled = np.flatnonzero(np.diff(starts) > 0)
        if len(filled):
            at = starts[filled]
            out[filled, :2] = np.minimum.reduceat(self.coords[: starts[-1]], at, axis=0)
            out[filled, 2:] = np.maximum.reduceat(self.coords[: starts[-1]], at, axis=0)
        return out


def from_polygons(polygons: Objects) -> Rings:
    """
    Turn Shapely polygons into rings, outlines counter-clockwise, holes clockwise, the closing vertex dropped.

    Parameters
    ----------
    polygons : (p,) object
        ``shapely.Polygon``, none empty or None.

    Returns
    -------
    Rings
        In the same order and frame.

    Examples
    --------
    >>> from_polygons(np.array([shapely.box(0, 0, 2, 1)])).coords.shape
    (4, 2)
    """
    if len(polygons) == 0:
        return Rings(np.empty((0, 2)), np.zeros(1, np.int64), np.zeros(1, np.int64))
    oriented = shapely.orient_polygons(shapely.force_2d(polygons), exterior_cw=False)
    _, coords, (ring_offsets, polygon_offsets) = shapely.to_ragged_array(oriented)
    ring_offsets = ring_offsets.astype(np.int64)
    keep = np.ones(len(coords), dtype=bool)
    keep[ring_offsets[1:] - 1] = False
    opened = ring_offsets - np.arange(len(ring_offsets), dtype=np.int64)
    return Rings(np.ascontiguousarray(coords[keep]), opened, polygon_offsets.astype(np.int64))


def to_polygons(rings: Rings) -> Objects:
    """
    Turn rings back into Shapely polygons.

    Parameters
    ----------
    rings : Rings
        Each ring with at least three vertices.

    Returns
    -------
    (p,) object of shapely.Polygon
        In the same order and frame.
    """
    n_rings = len(rings.ring_offsets) - 1
    closed_offsets = rings.ring_offsets + np.arange(n_rings + 1, dtype=np.int64)
    coords = np.empty((int(closed_offsets[-1]), 2))
    last = np.zeros(len(coords), dtype=bool)
    last[closed_offsets[1:] - 1] = True
    coords[~last] = rings.coords
    coords[last] = rings.coords[rings.ring_offsets[:-1]]
    polygons: Objects = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, coords, (closed_offsets, rings.polygon_offsets)
    )
    return polygons


def ranges(starts: Int64, counts: Int64) -> Int64:
    """
    Concatenate ``arange(start, start + count)`` of many.

    Examples
    --------
    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    total = int(counts.sum())
    shifted: Int64 = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(total, dtype=np.int64)
    return shifted


def offsets(counts: Int64) -> Int64:
    """Return (n + 1,) int64: where each of ``counts`` runs starts, and where the last one ends."""
    out: Int64 = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=out[1:])
    return out


def join(first: Rings, second: Rings) -> Rings:
    """Return the polygons of one and then of the other."""
    return Rings(
        np.concatenate([first.coords, second.coords]),
        np.concatenate([first.ring_offsets, second.ring_offsets[1:] + first.ring_offsets[-1]]),
        np.concatenate([first.polygon_offsets, second.polygon_offsets[1:] + first.polygon_offsets[-1]]),
    )


def take(rings: Rings, index: Int64) -> Rings:
    """
    Return chosen polygons, in the order of ``index`` ((k,) int64).

    Examples
    --------
    >>> both = from_polygons(np.array([shapely.box(0, 0, 1, 1), shapely.box(5, 5, 6, 6)]))
    >>> take(both, np.array([1])).coords.min()
    np.float64(5.0)
    """
    n_rings = np.diff(rings.polygon_offsets)[index]
    ring = ranges(rings.polygon_offsets[index], n_rings)
    sizes = np.diff(rings.ring_offsets)[ring]
    return Rings(rings.coords[ranges(rings.ring_offsets[ring], sizes)], offsets(sizes), offsets(n_rings))
