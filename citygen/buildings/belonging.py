"""
Parts and the outlines that they share ground with, to the outline that each belongs to; lone parts to stacks.

The rule, where the source does not say it: of the outlines that hold at least ``WITHIN`` of a part the smallest, else the
one that holds most of it, if that is at least ``LEAST``. An outline of the part's own source goes before any other.
"""

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects

WITHIN = 0.9
"""Share of a part from which it lies within an outline: the rest is how differently two walls were drawn."""
LEAST = 0.3
"""Share of a part below which an outline is a neighbour that it was drawn into."""
_STACKED_M2 = 0.01


def sound(geometry: Objects) -> Objects:
    """Return geometries on which areas can be taken: invalid ones made valid, what is no area left as it is."""
    out = geometry.copy()
    bad = np.flatnonzero(~shapely.is_missing(out) & ~shapely.is_valid(out))
    out[bad] = shapely.make_valid(out[bad], method="structure", keep_collapsed=False)
    return out


def owners(part: Int64, share: Float64, outline: tuple[Float64, Int64], same_source: Bool) -> tuple[Int64, Int64]:
    """
    Choose an outline for each part.

    Parameters
    ----------
    part : (k,) int64
        Part of each pair of a part and an outline.
    share : (k,) float64
        Of the part, within the outline.
    outline : ((k,) float64, (k,) int64)
        Area of the outline, m2, and its uid.
    same_source : (k,) bool
        Whether both are of one source.

    Returns
    -------
    parts : (m,) int64
        Those that have an outline, ascending.
    pair : (m,) int64
        The pair that was chosen for each.

    Examples
    --------
    >>> owners(np.array([0, 0]), np.array([0.4, 0.6]), (np.array([9.0, 50.0]), np.array([7, 8])), np.ones(2, dtype=bool))
    (array([0]), array([1]))
    """
    area, uid = outline
    within = share >= WITHIN
    kept = np.flatnonzero(share >= LEAST)
    measure = np.where(within, area, -share)
    order = kept[np.lexsort((uid[kept], measure[kept], ~within[kept], ~same_source[kept], part[kept]))]
    parts, first = np.unique(part[order], return_index=True)
    return parts, order[first]


def stacks(geometry: Objects, hint: Objects) -> Int64:
    """
    Put lone parts together that stand on one another, or that name the same outline.

    Parameters
    ----------
    geometry : (n,) object
        Sound geometries.
    hint : (n,) object of str
        What names their outline, '' where nothing does.

    Returns
    -------
    (n,) int64
        The first part of each one's stack; its own number where it stands alone.
    """
    n = len(geometry)
    head = np.arange(n)
    one, other = shapely.STRtree(geometry).query(geometry, predicate="intersects")
    later = one > other
    one, other = one[later], other[later]
    shared = shapely.area(shapely.intersection(geometry[one], geometry[other])) > _STACKED_M2
    named = np.flatnonzero(hint != "")
    _, first, inverse = np.unique(hint[named].astype(str), return_index=True, return_inverse=True)
    one = np.concatenate([one[shared], named])
    other = np.concatenate([other[shared], named[first][inverse]])
    while True:
        least = head.copy()
        np.minimum.at(least, one, head[other])
        np.minimum.at(least, other, head[one])
        least = least[least]
        if np.array_equal(least, head):
            return head
        head = least
