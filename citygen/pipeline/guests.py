"""A tile's rows and those beside them to the few that matter: guests, built like own rows, neither written nor recorded."""

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Int64, Objects
from citygen.buildings.repair import Footprints
from citygen.model.rings import take
from citygen.outcome import Finding

PARTY_M = 0.1
"""m. Walls of two buildings that stand no farther apart are one party wall: adjoining outlines are digitised so."""


def groups(rows: pa.Table) -> Int64:
    """Return the building of each row: the uid of its outline, of the first of a stack of parts, or its own."""
    uid, part_of = rows["@uid"].to_numpy(), rows["@part_of"].to_numpy()
    out: Int64 = np.where(part_of >= 0, part_of, uid)
    if "@group" in rows.column_names:
        given = rows["@group"].fill_null(-1).to_numpy()
        out = np.where(given >= 0, given, out)
    return out


def beside(rows: pa.Table, footprints: Footprints, guest: Bool) -> Int64:
    """
    Say which guests matter: those that touch the tile's own rows, with all of their building, and what may be twice of them.

    Returns (n,) int64: 2 for own rows and guests to build, 1 for guests that are only looked at, 0 for the rest.
    """
    kept = np.where(guest, 0, 2)
    if not guest.any():
        return kept
    shapes, group = footprints.geometry, groups(rows)
    own, others = (np.flatnonzero(side & ~shapely.is_missing(shapes)) for side in (~guest, guest))
    touching, _ = shapely.STRtree(shapes[own]).query(shapes[others], predicate="dwithin", distance=1.5 * PARTY_M)
    kept[guest & np.isin(group, group[others[touching]])] = 2
    near = np.flatnonzero((kept == 2) & guest & ~shapely.is_missing(shapes))
    rest = others[kept[others] == 0]
    meeting, _ = shapely.STRtree(shapes[near]).query(shapes[rest], predicate="intersects")
    kept[rest[meeting]] = 1
    return kept


def without(
    weight: Int64, tables: tuple[pa.Table, Footprints, Objects, Objects]
) -> tuple[pa.Table, Footprints, Objects, Objects]:
    """Leave out the rows that do not matter."""
    rows, footprints, ids, raw = tables
    kept = np.flatnonzero(weight > 0)
    number = np.cumsum(weight > 0) - 1
    polygon = np.flatnonzero(weight[footprints.row] > 0)
    clean = Footprints(
        take(footprints.rings, polygon),
        number[footprints.row[polygon]],
        footprints.origins[kept],
        footprints.area_m2[kept],
        footprints.geometry[kept],
        footprints.area_change[kept],
    )
    return rows.take(pa.array(kept)), clean, ids[kept], raw[kept]


def renumbered(finding: Finding, kept: Bool) -> Finding:
    """Turn a finding about all rows into one about those that are kept."""
    mine = chosen(finding, kept)
    return Finding((np.cumsum(kept) - 1)[mine.rows], mine.code, mine.details)


def chosen(finding: Finding, rows: Bool) -> Finding:
    """Keep a finding for some rows."""
    kept = rows[finding.rows]
    if kept.all():
        return finding
    details = finding.details
    return Finding(
        finding.rows[kept],
        finding.code,
        None if details is None else [d for d, k in zip(details, kept, strict=True) if k],
    )
