"""Planned roofs to certified solids: draw, close, check; what fails is perturbed by tenths of a millimetre, then simplified."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.buildings.repair import Footprints
from citygen.geom.rings import polygon_areas
from citygen.geom.tolerances import PERTURB_M
from citygen.model.meshes import Meshes, concatenate, take
from citygen.model.rings import take as take_rings
from citygen.outcome import Finding, reason
from citygen.roofs.draw import draw
from citygen.roofs.plan import RoofPlan
from citygen.solids.certify import certify
from citygen.solids.extrude import extrude

SIMPLIFIED = reason("roof_simplified", "degraded", "The roof could not be made on this outline; a flat one was built.")
PERTURBED = reason(
    "roof_perturbed", "ok", "Break lines of the roof were moved by less than 2.5 millimetres to cut the outline."
)
NOT_CLOSED = reason("solid_not_closed", "rejected", "No closed solid could be made on this outline.")

_TRIES = (0.0, PERTURB_M, -PERTURB_M, 2 * PERTURB_M, -4 * PERTURB_M, 8 * PERTURB_M)


@dataclass(frozen=True, slots=True)
class Shaped:
    """
    Solids of a tile.

    Attributes
    ----------
    meshes : Meshes
        Certified solids, in the order of the polygons; rejected ones are left out.
    flattened : (n,) bool
        Rows whose roof became a flat one.
    """

    meshes: Meshes
    flattened: Bool


def shape_solids(footprints: Footprints, plan: RoofPlan, build: Bool) -> tuple[Shaped, list[Finding]]:
    """
    Make and certify the solids of a tile.

    Parameters
    ----------
    footprints : Footprints
        p polygons of n rows.
    plan : RoofPlan
        Of the same polygons and rows.
    build : (n,) bool
        Rows to build.

    Returns
    -------
    Shaped, list of Finding
    """
    n_rows = len(build)
    area = polygon_areas(footprints.rings.coords, footprints.rings.ring_offsets, footprints.rings.polygon_offsets)
    left = np.flatnonzero(build[footprints.row])
    done: list[tuple[Int64, Meshes]] = []
    perturbed, flattened = np.zeros(n_rows, dtype=bool), np.zeros(n_rows, dtype=bool)
    for shift in _TRIES:
        if len(left) == 0:
            break
        index, meshes, bad = _attempt(footprints, plan, left, (shift, False), area)
        done.append((index, meshes))
        if shift:
            perturbed[footprints.row[index]] = True
        left = bad
    if len(left):
        index, meshes, bad = _attempt(footprints, plan, left, (0.0, True), area)
        done.append((index, meshes))
        flattened[footprints.row[index]] = True
        left = bad
    failed = np.unique(footprints.row[left])
    findings = [
        Finding(np.flatnonzero(perturbed & ~flattened), PERTURBED),
        Finding(np.flatnonzero(flattened), SIMPLIFIED, [plan.shapes[k].name for k in plan.shape[flattened].tolist()]),
        Finding(failed, NOT_CLOSED),
    ]
    return Shaped(_gather(done, failed), flattened), findings


def _attempt(
    footprints: Footprints, plan: RoofPlan, index: Int64, how: tuple[float, bool], area: Float64
) -> tuple[Int64, Meshes, Int64]:
    """Build chosen polygons with a perturbation, or flat; return the good ones, their solids, and the bad ones."""
    shift, flat = how
    row = footprints.row[index]
    rings = take_rings(footprints.rings, index)
    shape = np.zeros(len(index), dtype=np.int64) if flat else plan.shape[row]
    rise = np.zeros(len(index)) if flat else plan.rise_m[row]
    eave = plan.top_z[row] if flat else plan.eave_z[row]
    shifts = np.full(len(index), shift)
    variant = np.ones(len(index), dtype=np.int64) if flat else plan.variant[index]
    good_index: list[Int64] = []
    parts: list[Meshes] = []
    good = np.zeros(len(index), dtype=bool)
    lines = None if plan.lines is None else plan.lines[index]
    for chosen, surfaces in draw(rings, plan.shapes, shape, (variant, plan.axes[index], rise, shifts), lines):
        sub = rings if len(chosen) == len(index) else take_rings(rings, chosen)
        origins = footprints.origins[row[chosen]]
        meshes = extrude(sub, surfaces, plan.base_z[row[chosen]], eave[chosen], (row[chosen], origins))
        passed = np.logical_and.reduce(list(certify(meshes, area[index[chosen]]).values()))
        good[chosen[passed]] = True
        kept = np.flatnonzero(passed)
        good_index.append(index[chosen[kept]])
        parts.append(meshes if len(kept) == len(chosen) else take(meshes, kept))
    return np.concatenate(good_index), concatenate(parts), index[~good]


def _gather(done: list[tuple[Int64, Meshes]], failed: Int64) -> Meshes:
    """Put solids of all attempts in the order of their polygons; rows with a failed polygon are left out whole."""
    if not done:
        return _nothing()
    meshes = done[0][1] if len(done) == 1 else concatenate([m for _, m in done])
    index = np.concatenate([i for i, _ in done])
    order = np.argsort(index, kind="stable")
    keep = order[~np.isin(meshes.solid_row[order], failed)]
    if len(keep) == len(meshes) and np.array_equal(keep, np.arange(len(keep))):
        return meshes
    return take(meshes, keep)


def _nothing() -> Meshes:
    """Return no solids."""
    zero = np.zeros(1, dtype=np.int64)
    none = np.empty(0, dtype=np.int64)
    return Meshes(np.empty((0, 3)), none, zero, zero, np.empty(0, np.uint8), zero, zero, none, np.empty((0, 2)))
