"""Outlines and their building parts in one tile: which outlines give way to their parts, wholly or but for a remainder."""

import numpy as np
import shapely

from citygen.arraytypes import Bool, Int64, Objects
from citygen.outcome import Finding, reason

REPLACED = reason("replaced_by_parts", "ok", "Building parts cover this outline; they were built in its place.")
REMAINDER = reason("remainder_beside_parts", "ok", "The outline was built where no building part covers it.")
NO_OUTLINE = reason("part_without_outline", "ok", "A building part that lies in no outline was built by itself.")

_COVERED = 0.97
"""Share of an outline from which its parts stand for all of it."""
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
        rest = shapely.difference(out[row], shapely.union_all(shapely.buffer(parts, 1e-6)))
        rest = shapely.buffer(rest, -_OPEN_M, join_style="mitre")
        rest = shapely.buffer(rest, _OPEN_M, join_style="mitre")
        rest = shapely.intersection(rest, out[row])
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
