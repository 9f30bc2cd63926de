"""
Outlines of one tile and its neighbourhood, to what stands twice and what overlaps.

Rules, each absolute and of the two rows alone, so that no tile or order matters:

1. *Duplicate*: two outlines of one source whose extents differ by at most ``SAME_M`` on each side and that share at least
   ``SAME`` of their union. The one with more attributes stands, then the earlier one.
2. *Covered*: an outline of which more than ``COVERED`` lies on buildings of sources that come before its own
   (``pipeline.covering``).
3. *Overlap*: what is left, and shares more than ``OVERLAP_M2`` and ``OVERLAP`` of the smaller one, is built and noted.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.outcome import Finding, reason

DUPLICATE = reason(
    "duplicate_footprint", "ok", "The same outline stands twice in its source; the one with more attributes was built."
)
OVERLAPS = reason("overlaps_building", "ok", "The outline overlaps that of another building; both were built.")

SAME_M = 0.5
"""m. Sides of two extents that are no farther apart may be of one building; less than half of ``REACH_CM`` in a plan."""
SAME = 0.9
"""Share of the union of two outlines that they have in common when they are one building."""
COVERED = 0.5
"""Share of an outline above which buildings of earlier sources stand for it."""
OVERLAP_M2 = 0.5
"""m2. Less is how differently two walls were drawn."""
OVERLAP = 0.02
"""Share of the smaller outline, likewise: a hand's breadth along one wall of a house."""


@dataclass(frozen=True, slots=True)
class Overlaps:
    """
    Pairs of rows whose outlines share ground; each pair once.

    Attributes
    ----------
    one, other : (k,) int64
        Rows, the first below the second.
    shared_m2 : (k,) float64
        Their common area.
    """

    one: Int64
    other: Int64
    shared_m2: Float64


def find_overlaps(geometry: Objects, rows: Int64, *, least_m2: float = OVERLAP_M2) -> Overlaps:
    """
    Find the pairs of outlines that share ground.

    Parameters
    ----------
    geometry : (n,) object
        Valid polygons, or None.
    rows : (m,) int64
        Which to compare, ascending.
    least_m2 : float
        Less common area is none.

    Returns
    -------
    Overlaps
        Of those rows; contact along a wall is none.
    """
    rows = rows[~shapely.is_missing(geometry[rows])]
    shapes = geometry[rows]
    one, other = shapely.STRtree(shapes).query(shapes)
    later = one < other
    one, other = one[later], other[later]
    box = shapely.bounds(shapes)
    width = np.minimum(box[one, 2:], box[other, 2:]) - np.maximum(box[one, :2], box[other, :2])
    some = np.flatnonzero(width.prod(axis=1) > least_m2)
    one, other = one[some], other[some]
    shared = shapely.area(shapes)[one]
    label = _labels(shapes) if len(one) > len(rows) else np.arange(len(rows))
    unlike = np.flatnonzero(label[one] != label[other])
    crossing = shapely.relate_pattern(shapes[one[unlike]], shapes[other[unlike]], "T********")
    apart, meets = unlike[~crossing], unlike[crossing]
    shared[apart] = 0.0
    shared[meets] = shapely.area(shapely.intersection(shapes[one[meets]], shapes[other[meets]]))
    keep = np.setdiff1d(np.arange(len(one)), apart, assume_unique=True)
    return Overlaps(rows[one[keep]], rows[other[keep]], shared[keep])


def _labels(shapes: Objects) -> Int64:
    """Return a number for each outline, the same for the same bytes: a heap of copies needs no overlay."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(wkb, len(numbers)) for wkb in shapely.to_wkb(shapes).tolist()], dtype=np.int64)


def duplicates(overlaps: Overlaps, geometry: Objects, source: Int64, rank: tuple[Int64, Int64]) -> tuple[Int64, Int64]:
    """
    Say which rows stand twice.

    Parameters
    ----------
    overlaps : Overlaps
        Of outlines.
    geometry : (n,) object
        Of all rows.
    source : (n,) int64
        Number of each row's source.
    rank : ((n,) int64, (n,) int64)
        How many attributes each row has, and its uid.

    Returns
    -------
    rows : (k,) int64
        Not to be built, ascending.
    by : (k,) int64
        The best of the rows that each is a duplicate of.
    """
    one, other = overlaps.one, overlaps.other
    area = shapely.area(geometry)
    box = shapely.bounds(geometry)
    alike = (source[one] == source[other]) & (np.abs(box[one] - box[other]).max(axis=1, initial=0.0) <= SAME_M)
    alike &= overlaps.shared_m2 >= SAME * (area[one] + area[other] - overlaps.shared_m2)
    one, other = one[alike], other[alike]
    count, uid = rank
    better = (count[one] > count[other]) | ((count[one] == count[other]) & (uid[one] < uid[other]))
    lost, kept = np.where(better, other, one), np.where(better, one, other)
    order = np.lexsort((uid[kept], -count[kept], lost))
    rows, first = np.unique(lost[order], return_index=True)
    return rows, kept[order][first]


def overlap_notes(overlaps: Overlaps, geometry: Objects, stands: Bool, ids: Objects) -> list[Finding]:
    """
    Note the buildings that overlap, both of each pair.

    Parameters
    ----------
    overlaps : Overlaps
        Of outlines.
    geometry : (n,) object
        Of all rows.
    stands : (n,) bool
        Which are built.
    ids : (n,) object of str
        Of all rows.

    Returns
    -------
    list of Finding
        With the other building of the largest share and the shared area.
    """
    area = shapely.area(geometry)
    smaller = np.minimum(area[overlaps.one], area[overlaps.other])
    told = stands[overlaps.one] & stands[overlaps.other]
    told &= (overlaps.shared_m2 > OVERLAP_M2) & (overlaps.shared_m2 > OVERLAP * smaller)
    row = np.concatenate([overlaps.one[told], overlaps.other[told]])
    by = np.concatenate([overlaps.other[told], overlaps.one[told]])
    shared = np.tile(overlaps.shared_m2[told], 2)
    order = np.lexsort((by, -shared, row))
    rows, first = np.unique(row[order], return_index=True)
    chosen = order[first]
    texts = [f"{ids[k]}, {m2:.2f} m2" for k, m2 in zip(by[chosen].tolist(), shared[chosen].tolist(), strict=True)]
    return [Finding(rows, OVERLAPS, texts)] if len(rows) else []
