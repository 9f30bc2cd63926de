"""
Clean outlines of a tile and of what lies beside it, to what is built of each row: parts for outlines, one for duplicates.

What an earlier source has in a row's place was found by the plan (``pipeline.covering``); the rest is judged here, row by
row and pair by pair, so that neighbours from other tiles (guests) get the same verdict as in their own.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Int64, Objects
from citygen.buildings import duplicates as twice
from citygen.buildings.parts import NO_OUTLINE, REPLACED, resolve_parts
from citygen.buildings.repair import Footprints, repair
from citygen.model.attributes import Attributes
from citygen.model.rings import join, take
from citygen.outcome import Finding
from citygen.pipeline.covering import COVERED_BY, FILE
from citygen.pipeline.guests import chosen, groups
from citygen.pipeline.placing import SOURCE_STRIDE
from citygen.pipeline.rooflines import KEPT
from citygen.pipeline.rows import DUPLICATE, OTHER_SOURCE, TileTask

_ALWAYS = frozenset({REPLACED, COVERED_BY, twice.DUPLICATE, DUPLICATE, OTHER_SOURCE, *KEPT})
"""What is said of rows that are not built too."""
_ALIKE = 0.5
"""Share of the union of two outlines from which they are one building, whose sources say different things of it."""
_LEVEL_M = 0.05
"""m. Parts on one outline whose undersides and tops differ by less would flicker through each other."""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What is built of each row.

    Attributes
    ----------
    footprints : Footprints
        Of the n rows; none of those that are not built.
    gone : (n,) bool
        Rows in whose place others stand.
    group : (n,) int64
        uid of the first row of each building: an outline and its parts have one.
    double : (k, 2) int64
        Rows that stand, and rows that are not built because they are the same building.
    """

    footprints: Footprints
    gone: Bool
    group: Int64
    double: Int64


def what_stands(
    rows: pa.Table, footprints: Footprints, names: tuple[TileTask, Objects], failed: Bool, looked_at: Bool
) -> tuple[Standing, list[Finding]]:
    """
    Say what is built of each row.

    Parameters
    ----------
    rows : pyarrow.Table
        Of ``load_rows``; n rows.
    footprints : Footprints
        Of the same rows.
    names : TileTask, (n,) object of str
        The tile, and the rows' ids.
    failed : (n,) bool
        Parts of which no solid could be made: they cover nothing.
    looked_at : (n,) bool
        Guests that are only there to be compared with.

    Returns
    -------
    Standing, list of Finding
    """
    task, ids = names
    n = len(ids)
    uid, part_of = rows["@uid"].to_numpy(), rows["@part_of"].to_numpy()
    is_part = rows["@is_part"].to_numpy()
    covered, donor, findings = _covered(rows, task)
    units = np.flatnonzero(~covered & ~is_part & ~shapely.is_missing(footprints.geometry))
    overlaps = twice.find_overlaps(footprints.geometry, units)
    gone = covered
    if len(overlaps.one):
        rank = (_richness(rows) + 1000 * np.isin(uid, part_of), uid)
        lost, by = twice.duplicates(overlaps, footprints.geometry, uid // SOURCE_STRIDE, rank)
        gone = gone.copy()
        gone[lost] = True
        findings.append(Finding(lost, twice.DUPLICATE, [str(ids[k]) for k in by.tolist()]))
        donor = np.concatenate([donor, np.stack([by, lost], axis=1)])
        findings += twice.overlap_notes(overlaps, footprints.geometry, ~gone & ~looked_at, ids)
    orphaned = (part_of >= 0) & np.isin(part_of, uid[gone]) & ~gone
    if orphaned.any():
        rows_of = {int(u): k for k, u in enumerate(uid.tolist())}
        said = _said(findings)
        some = np.flatnonzero(orphaned)
        for code in (COVERED_BY, twice.DUPLICATE):
            mine = [k for k in some.tolist() if (code, rows_of[int(part_of[k])]) in said]
            texts = [said[code, rows_of[int(part_of[k])]] for k in mine]
            findings.append(Finding(np.array(mine, dtype=np.int64), code, texts))
        gone = gone | orphaned
    geometry = outlines = footprints.geometry
    if gone.any() or failed.any() or looked_at.any():
        geometry = geometry.copy()
        geometry[gone | looked_at] = None
    replaced = np.zeros(n, dtype=bool)
    if is_part.any():
        counted = is_part & ~failed
        geometry, replaced, found = resolve_parts(geometry, uid, np.where(counted, part_of, -1), counted)
        lone = np.flatnonzero(is_part & (part_of < 0) & ~gone)
        findings += [f for f in found if f.code != NO_OUTLINE] + [Finding(lone, NO_OUTLINE)]
    changed = np.array([a is not b for a, b in zip(geometry, footprints.geometry, strict=True)], dtype=bool)
    if changed.any():
        # Only what changed is repaired again: a neighbour's parts must not touch an outline that has none.
        anew = geometry.copy()
        anew[~changed] = None
        again, found = repair(anew)
        footprints = _merged(footprints, again, changed)
        kept = changed & ~replaced & ~gone & ~looked_at
        findings += [only(f, kept) for f in found]
    return Standing(footprints, gone | replaced, groups(rows), _doubles(donor, outlines)), findings


def _doubles(pairs: Int64, outlines: Objects) -> Int64:
    """Keep the pairs of which one outline is the other's, more or less: a shed in a hall is not the hall; most alike first."""
    one, other = outlines[pairs[:, 0]], outlines[pairs[:, 1]]
    shared = shapely.area(shapely.intersection(one, other))
    alike = shared / np.maximum(shapely.area(one) + shapely.area(other) - shared, 1e-12)
    order = np.lexsort((pairs[:, 1], -np.nan_to_num(alike), pairs[:, 0]))
    return pairs[order[alike[order] >= _ALIKE]]


def outline_rows(rows: pa.Table) -> Int64:
    """Return the row of each part's outline, -1 for none; rows lie in the order of uid."""
    uid, part_of = rows["@uid"].to_numpy(), rows["@part_of"].to_numpy()
    at = np.minimum(np.searchsorted(uid, part_of), max(len(uid) - 1, 0))
    out: Int64 = np.where((part_of >= 0) & (uid[at] == part_of), at, -1)
    return out


def _covered(rows: pa.Table, task: TileTask) -> tuple[Bool, Int64, list[Finding]]:
    """Return the rows that an earlier source has in their place, by the plan, and who stands there where that one is at hand."""
    uid = rows["@uid"].to_numpy()
    path = Path(task.plan_folder) / FILE
    none = np.empty((0, 2), dtype=np.int64)
    if not path.exists():
        return np.zeros(len(uid), dtype=bool), none, []
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
        known = table["uid"].to_numpy()
        at = np.minimum(np.searchsorted(known, uid), len(known) - 1)
        covered = known[at] == uid
        lost = np.flatnonzero(covered)
        details = table["detail"].take(pa.array(at[lost])).to_pylist()
        by = table["by"].to_numpy()[at[lost]]
    place = np.minimum(np.searchsorted(uid, by), len(uid) - 1)  # rows lie in the order of uid
    here = uid[place] == by
    donor = np.stack([place[here], lost[here]], axis=1) if here.any() else none
    return covered, donor, [Finding(lost, COVERED_BY, details)]


def _said(findings: list[Finding]) -> dict[tuple[str, int], str]:
    """Return what findings say of rows, by code and row."""
    return {
        (f.code, int(row)): "" if f.details is None else f.details[k]
        for f in findings
        for k, row in enumerate(f.rows.tolist())
    }


def _richness(rows: pa.Table) -> Int64:
    """Count the attributes of each row that are given."""
    count = np.zeros(len(rows), dtype=np.int64)
    for name in rows.column_names:
        if not name.startswith("@") and name != "dialect":
            count += rows[name].is_valid().to_numpy()
    return count


def twin_parts(rows: pa.Table, standing: Standing, attributes: Attributes, ids: Objects) -> tuple[Bool, list[Finding]]:
    """
    Find the parts that another part of their building repeats: on the same ground, from the same underside to the same top.

    Returns which rows are not built for it ((n,) bool), and a finding that names the other.
    """
    uid = rows["@uid"].to_numpy()
    is_part = rows["@is_part"].to_numpy()
    out = np.zeros(len(uid), dtype=bool)
    shapes = standing.footprints.geometry
    parts = np.flatnonzero(is_part & ~shapely.is_missing(shapes))
    if len(parts) < 2:
        return out, []
    overlaps = twice.find_overlaps(shapes, parts, least_m2=0.0)
    top = np.where(np.isnan(attributes.height_m), attributes.eave_height_m, attributes.height_m)
    level = np.abs(attributes.min_height_m[overlaps.one] - attributes.min_height_m[overlaps.other]) < _LEVEL_M
    level &= np.abs(top[overlaps.one] - top[overlaps.other]) < _LEVEL_M
    level &= standing.group[overlaps.one] == standing.group[overlaps.other]
    same = twice.Overlaps(overlaps.one[level], overlaps.other[level], overlaps.shared_m2[level])
    if not len(same.one):
        return out, []
    lost, by = twice.duplicates(same, shapes, np.zeros(len(uid), dtype=np.int64), (_richness(rows), uid))
    out[lost] = True
    return out, [Finding(lost, twice.DUPLICATE, [str(ids[k]) for k in by.tolist()])]


def _merged(first: Footprints, second: Footprints, chosen: Bool) -> Footprints:
    """Return the chosen rows of the second and the other rows of the first."""
    kept, new = np.flatnonzero(~chosen[first.row]), np.flatnonzero(chosen[second.row])
    both = join(take(first.rings, kept), take(second.rings, new))
    row = np.concatenate([first.row[kept], second.row[new]])
    order = np.argsort(row, kind="stable")
    return Footprints(
        take(both, order),
        row[order],
        np.where(chosen[:, None], second.origins, first.origins),
        np.where(chosen, second.area_m2, first.area_m2),
        np.where(chosen, second.geometry, first.geometry),
        np.where(chosen, second.area_change, first.area_change),
    )


def only(finding: Finding, rows: Bool) -> Finding:
    """Keep a finding for some rows; notes about what stands, roof lines and ids always stay."""
    return finding if finding.code in _ALWAYS else chosen(finding, rows)


def lost_parts(rows: pa.Table, standing: Standing, built: Bool, failed: Bool) -> Bool:
    """Say which parts took ground from an outline and could not be made."""
    part_of = rows["@part_of"].to_numpy()
    out: Bool = (part_of >= 0) & ~built & ~standing.gone & ~failed & ~shapely.is_missing(standing.footprints.geometry)
    return out
