"""Planned roofs to certified solids: draw, close, check; what fails is perturbed by tenths of a millimetre, then simplified."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.buildings.repair import Footprints
from citygen.geom.rings import polygon_areas
from citygen.geom.tolerances import PERTURB_M
from citygen.model.meshes import Meshes, concatenate, no_meshes, take
from citygen.model.rings import take as take_rings
from citygen.outcome import Finding, reason
from citygen.roofs.base import FLAT, ROOFS, RoofShape
from citygen.roofs.draw import RoofTask, default_variants, draw
from citygen.roofs.plan import RoofPlan
from citygen.solids.certify import certify
from citygen.solids.extrude import extrude

SIMPLIFIED = reason(
    "roof_simplified", "degraded", "The roof could not be made on this outline; a simpler one was built."
)
PERTURBED = reason(
    "roof_perturbed", "ok", "Break lines of the roof were moved by less than 2.5 millimetres to cut the outline."
)
NOT_CLOSED = reason("solid_not_closed", "rejected", "No closed solid could be made on this outline.")

_TRIES = (0.0, PERTURB_M, -PERTURB_M, 2 * PERTURB_M, -4 * PERTURB_M, 8 * PERTURB_M)
_SIMPLER_TRIES = (0.0, PERTURB_M, -2 * PERTURB_M)


@dataclass(frozen=True, slots=True)
class Shaped:
    """
    Solids of a tile.

    Attributes
    ----------
    meshes : Meshes
        Certified solids, in the order of the polygons; rejected ones are left out.
    flattened : (n,) bool
        Rows of which every polygon's roof became a flat one.
    shape_name : (n,) object of str
        The shape that each row was built with: its plan's, or the simplest that one of its polygons had to take.
    """

    meshes: Meshes
    flattened: Bool
    shape_name: Objects


def shape_solids(
    footprints: Footprints, plan: RoofPlan, build: Bool, ready: tuple[Int64, Meshes] | None = None
) -> tuple[Shaped, list[Finding]]:
    """
    Make and certify the solids of a tile.

    What cannot be made is tried again with perturbations, then as the simpler shape that its own names, down to a flat roof.

    Parameters
    ----------
    footprints : Footprints
        p polygons of n rows.
    plan : RoofPlan
        Of the same polygons and rows.
    build : (n,) bool
        Rows to build.
    ready : ((k,) int64, Meshes), optional
        Polygons that have a certified solid already, and those solids in order.

    Returns
    -------
    Shaped, list of Finding
    """
    row = footprints.row
    area = polygon_areas(footprints.rings.coords, footprints.rings.ring_offsets, footprints.rings.polygon_offsets)
    names = np.array([s.name for s in plan.shapes], dtype=object)
    name = names[plan.shape]
    left = np.flatnonzero(build[row])
    done: list[tuple[Int64, Meshes]] = []
    if ready is not None and len(ready[0]):
        left = np.setdiff1d(left, ready[0])
        done.append(ready)
    perturbed, rank = np.zeros(len(build), dtype=bool), np.zeros(len(build), dtype=np.int64)
    sloped = np.ones(len(row), dtype=bool)
    for tries, shift in enumerate(_TRIES):
        if len(left):
            index, meshes, bad = _attempt(footprints, plan, left, (plan.shapes, plan.shape[row[left]], shift), area)
            done.append((index, meshes))
            perturbed[row[index]] |= tries > 0
            left = bad
    shapes, simpler = _with_simpler(plan.shapes)
    now, step = plan.shape[row], 0
    while len(left) and step <= len(shapes):
        step += 1
        last = step > len(shapes)  # names that lead round in a circle end here
        now = np.where(np.isin(np.arange(len(now)), left), _flat_of(shapes) if last else simpler[now], now)
        for shift in _SIMPLER_TRIES:
            if len(left):
                index, meshes, bad = _attempt(footprints, plan, left, (shapes, now[left], shift), area)
                done.append((index, meshes))
                sloped[index] = ~np.array([shapes[k].is_flat for k in now[index].tolist()], dtype=bool)
                simplest = np.zeros(len(build), dtype=np.int64)
                simplest[row[index]] = step
                for k in index[simplest[row[index]] >= rank[row[index]]].tolist():
                    name[row[k]] = shapes[now[k]].name
                rank = np.maximum(rank, simplest)
                left = bad
        if len(left) and all(shapes[k].is_flat for k in now[left].tolist()):
            break
    failed = np.unique(row[left])
    simplified = np.flatnonzero(rank > 0)
    flattened = (rank > 0) & (np.bincount(row[sloped], minlength=len(build)) == 0)
    findings = [
        Finding(np.flatnonzero(perturbed & (rank == 0)), PERTURBED),
        Finding(
            simplified, SIMPLIFIED, [f"{plan.shapes[plan.shape[k]].name} to {name[k]}" for k in simplified.tolist()]
        ),
        Finding(failed, NOT_CLOSED),
    ]
    return Shaped(_gather(done, failed), flattened, name), findings


def _flat_of(shapes: tuple[RoofShape, ...]) -> int:
    """Return the number of the flat shape, which stands at the end of every chain."""
    return next(k for k, shape in enumerate(shapes) if shape.name == FLAT)


def _with_simpler(shapes: tuple[RoofShape, ...]) -> tuple[tuple[RoofShape, ...], Int64]:
    """Return the shapes and all that may stand in for them, and the number of the one that stands in for each."""
    every = [*shapes, ROOFS[FLAT]]
    for shape in every:  # grows while it is walked
        if ROOFS[shape.simpler].name not in {s.name for s in every}:
            every.append(ROOFS[shape.simpler])
    numbers = {s.name: k for k, s in reversed(list(enumerate(every)))}
    return tuple(every), np.array([numbers[ROOFS[s.simpler].name] for s in every], dtype=np.int64)


def _attempt(
    footprints: Footprints,
    plan: RoofPlan,
    index: Int64,
    how: tuple[tuple[RoofShape, ...], Int64, float],
    area: Float64,
) -> tuple[Int64, Meshes, Int64]:
    """Build chosen polygons as some shapes with a perturbation; return the good ones, their solids, and the bad ones."""
    shapes, shape, shift = how
    row = footprints.row[index]
    rings = take_rings(footprints.rings, index)
    flat = np.array([s.is_flat for s in shapes])[shape]
    rise, eave = np.where(flat, 0.0, plan.rise_m[row]), np.where(flat, plan.top_z[row], plan.eave_z[row])
    variant = plan.variant[index]
    if shapes is not plan.shapes:
        variant = np.where(shape == plan.shape[row], variant, default_variants(shapes, plan.segments)[shape])
    still = np.zeros(len(index))
    lines = None if plan.lines is None else plan.lines[index]
    shifts = np.full(len(index), shift)
    task = RoofTask(rings, shapes, shape, variant, plan.axes[index], rise, shifts, still, rings, lines)
    good_index: list[Int64] = []
    parts: list[Meshes] = []
    good = np.zeros(len(index), dtype=bool)
    for chosen, surfaces in draw(task):
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
        return no_meshes()
    meshes = done[0][1] if len(done) == 1 else concatenate([m for _, m in done])
    index = np.concatenate([i for i, _ in done])
    order = np.argsort(index, kind="stable")
    keep = order[~np.isin(meshes.solid_row[order], failed)]
    if len(keep) == len(meshes) and np.array_equal(keep, np.arange(len(keep))):
        return meshes
    return take(meshes, keep)
