"""Outlines and their building parts in one tile: which outlines give way to their parts, wholly or but for a remainder."""

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.outcome import Finding, reason

REPLACED = reason("replaced_by_parts", "ok", "Building parts cover this outline; they were built in its place.")
REMAINDER = reason("remainder_beside_parts", "ok", "The outline was built where no building part covers it.")
NO_OUTLINE = reason("part_without_outline", "ok", "A building part that lies in no outline was built by itself.")

_COVERED = 0.97
"""Share of an outline from which its parts stand for all of it."""
_BESIDE_M = 1e-6
"""m. By how much a remainder keeps off its parts: nothing that a tile can show, enough that they never overlap."""
_STACK_M = 0.05
"""m. Undersides that float no higher than this over a top were rounded apart: they stand on it."""
_OPEN_M = 0.15
"""m. Remainders thinner than twice this are slivers between two digitisations of one wall."""


def resolve_parts(geometry: Objects, uid: Int64, part_of: Int64, is_part: Bool) -> tuple[Objects, Bool, list[Finding]]:
    """
    Take from each outline what its parts cover.

    Parameters
    ----------
    geometry : (n,) object
        Valid Shapely geometries in the working CRS, or None.
    uid : (n,) int64
        Row identities.
    part_of : (n,) int64
        uid of each part's outline (in the same tile), -1 for none.
    is_part : (n,) bool
        Which rows are parts.

    Returns
    -------
    geometry : (n,) object
        Outlines with parts are None (covered) or their remainder; the rest as given.
    replaced : (n,) bool
        Outlines that are not built.
    findings : list of Finding
    """
    out = geometry.copy()
    replaced = np.zeros(len(out), dtype=bool)
    alone = np.flatnonzero(is_part & (part_of < 0))
    remains: list[int] = []
    owners, owner_index = np.unique(part_of[part_of >= 0], return_inverse=True)
    where = {u: k for k, u in enumerate(uid.tolist())}
    members = np.flatnonzero(part_of >= 0)
    for k, owner in enumerate(owners.tolist()):  # outlines with parts: a few in a hundred
        row = where[owner]
        parts = geometry[members[owner_index == k]]
        parts = parts[~shapely.is_missing(parts)]
        if out[row] is None or len(parts) == 0:
            continue
        free = shapely.difference(out[row], shapely.buffer(shapely.union_all(parts), _BESIDE_M, join_style="mitre"))
        rest = shapely.buffer(free, -_OPEN_M, join_style="mitre")
        rest = shapely.intersection(shapely.buffer(rest, _OPEN_M, join_style="mitre"), free)
        if shapely.area(rest) <= (1 - _COVERED) * shapely.area(out[row]):
            out[row], replaced[row] = None, True
        else:
            areal = shapely.get_parts(rest)
            out[row] = shapely.MultiPolygon([g for g in areal if g.geom_type == "Polygon"])
            remains.append(row)
    findings = [
        Finding(np.flatnonzero(replaced), REPLACED),
        Finding(np.array(remains, dtype=np.int64), REMAINDER),
        Finding(alone, NO_OUTLINE),
    ]
    return out, replaced, findings


def close_stacks(base_z: Float64, top_z: Float64, group: Int64, is_part: Bool) -> Float64:
    """
    Let parts that were rounded apart stand on one another.

    Parameters
    ----------
    base_z, top_z : (n,) float64
        Underside and top of each row, metres; NaN where it is not built.
    group : (n,) int64
        The building that each row belongs to.
    is_part : (n,) bool
        Which rows are parts.

    Returns
    -------
    (n,) float64
        Undersides; lower by at most 5 cm where the top of a part of the same building lies so little below.

    Examples
    --------
    >>> close_stacks(np.array([0.0, 12.02]), np.array([12.0, 20.0]), np.zeros(2, np.int64), np.ones(2, dtype=bool)).tolist()
    [0.0, 12.0]
    """
    out = base_z.copy()
    part = np.flatnonzero(is_part & np.isfinite(base_z) & np.isfinite(top_z))
    if len(part) < 2:
        return out
    n = len(part)
    # tops and undersides in one line, by building and height, a top before an underside on it
    is_base = np.repeat([False, True], n)
    level = np.concatenate([top_z[part], base_z[part]])
    order = np.lexsort((is_base, level, np.tile(group[part], 2)))
    last = np.maximum.accumulate(np.where(is_base[order], -1, np.arange(2 * n)))
    base = np.flatnonzero(is_base[order] & (last >= 0))
    upper, lower = part[order[base] - n], part[order[last[base]]]
    gap = base_z[upper] - top_z[lower]
    close = (group[upper] == group[lower]) & (gap > 0) & (gap <= _STACK_M)
    out[upper[close]] = top_z[lower[close]]
    return out
