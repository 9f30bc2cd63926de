"""
Planned roofs to certified solids whose roofs reach beyond the walls, where that is asked for and where there is room.

What does not come out at the width that was asked is tried at half and a quarter of it, and is left without overhang then:
the row says so. Each polygon is judged by itself, so neighbours, who may overlap, never change a result.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64, Int64, Objects
from citygen.buildings.repair import Footprints
from citygen.geom.grow import grow
from citygen.geom.rings import polygon_areas
from citygen.geom.tolerances import MIN_WALL_M, PERTURB_M, SOFFIT_GRIDS_M
from citygen.model.meshes import Meshes, concatenate, take
from citygen.model.rings import Rings
from citygen.model.rings import take as take_rings
from citygen.outcome import Finding, reason
from citygen.pipeline.shaping import PERTURBED
from citygen.roofs.base import FAMILIES
from citygen.roofs.draw import RoofTask, draw
from citygen.roofs.plan import RoofPlan
from citygen.solids.certify import certify
from citygen.solids.overhang import Below, overhang, underside
from citygen.solids.soffit import steepest_edge

NOT_FOR_SHAPE = reason(
    "overhang_not_for_shape",
    "ok",
    "Roofs of this shape, or as steep at the edge, do not overhang; this one ends at the walls.",
)
REDUCED = reason(
    "overhang_reduced", "ok", "There was no room for the whole overhang; a half or a quarter of it was built."
)
LEFT_OUT = reason("overhang_left_out", "degraded", "There was no room for an overhang; the roof ends at the walls.")

STEEP_DEG = 65.0
"""Roofs steeper than this at the edge do not overhang: they would hang far down the walls."""

_SHARES = (1.0, 0.5, 0.25)
_TRIES = (
    *((0.0, grid) for grid in SOFFIT_GRIDS_M),
    *((shift, SOFFIT_GRIDS_M[0]) for shift in (PERTURB_M, -PERTURB_M, 2 * PERTURB_M, -4 * PERTURB_M)),
)
_NO_ROOM, _LOW, _OPEN = "its edges or courtyards would meet", "too near the ground", "no closed solid"


@dataclass(frozen=True, slots=True)
class Overhang:
    """
    How roofs overhang.

    Attributes
    ----------
    reach_m : (n,) float64
        Of each row, level, from the wall to the roof's edge, metres; 0 for none.
    thickness_m : float
        From the roof's surface down to the underside, metres.
    """

    reach_m: Float64
    thickness_m: float


def overhanging_solids(
    footprints: Footprints, plan: RoofPlan, rows: Int64, asked: Overhang
) -> tuple[tuple[Int64, Meshes], list[Finding]]:
    """
    Make the solids whose roofs overhang.

    Parameters
    ----------
    footprints : Footprints
        p polygons of n rows.
    plan : RoofPlan
        Of the same polygons and rows.
    rows : (k,) int64
        Rows to build.
    asked : Overhang
        Of the n rows.

    Returns
    -------
    ready : ((q,) int64, Meshes)
        The polygons that came out, and their certified solids in the same order.
    findings : list of Finding
    """
    wanted = np.flatnonzero(np.isin(footprints.row, rows) & (asked.reach_m[footprints.row] > 0))
    takes = np.array([s.overhangs and FAMILIES[s.family].grows for s in plan.shapes])[
        plan.shape[footprints.row[wanted]]
    ]
    work = _Work(footprints, plan, asked, np.full(len(footprints.row), "", dtype=object))
    left, steep = wanted[takes], [wanted[~takes]]
    done: list[tuple[Int64, Meshes]] = []
    reduced = np.zeros(len(footprints.row))
    perturbed: list[Int64] = []
    for share in _SHARES:
        grown, ok = grow(take_rings(footprints.rings, left), share * asked.reach_m[footprints.row[left]])
        work.why[left[~ok]] = _NO_ROOM
        open_still = np.flatnonzero(ok)
        for shift, grid_m in _TRIES:
            if len(open_still) == 0:
                break
            drawn = work.attempt(left[open_still], take_rings(grown, open_still), (share, shift, grid_m))
            for index, meshes, too_steep in drawn:
                done.append((index, meshes))
                steep.append(too_steep)
                reduced[index] = share if share < 1 else 0.0
                perturbed.append(index if shift else index[:0])
            finished = np.concatenate([np.concatenate([index, too_steep]) for index, _, too_steep in drawn])
            hopeless = work.why[left[open_still]] == _LOW
            open_still = open_still[~np.isin(left[open_still], finished) & ~hopeless]
        made = np.concatenate([*(index for index, _ in done), *steep])
        left = left[~np.isin(left, made)]
        if len(left) == 0:
            break
    return _gathered(done), _findings(work, (np.concatenate(steep), reduced, left), perturbed)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all attempts share, and why each polygon's last one failed."""

    footprints: Footprints
    plan: RoofPlan
    asked: Overhang
    why: Objects

    def attempt(self, index: Int64, grown: Rings, how: tuple[float, float, float]) -> list[tuple[Int64, Meshes, Int64]]:
        """Draw, close and certify chosen polygons; return for each family the good ones, their solids, the steep ones."""
        share, shift, grid_m = how
        plan, row = self.plan, self.footprints.row[index]
        rings = take_rings(self.footprints.rings, index)
        reach = share * self.asked.reach_m[row]
        shifts = np.full(len(index), shift)
        task = RoofTask(
            grown,
            plan.shapes,
            plan.shape[row],
            plan.variant[index],
            plan.axes[index],
            plan.rise_m[row],
            shifts,
            reach,
            rings,
        )
        out = []
        for chosen, roof in draw(task):
            mine, edge = take_rings(rings, chosen), take_rings(grown, chosen)
            rows = row[chosen]
            below = Below(plan.base_z[rows], plan.eave_z[rows], self.asked.thickness_m)
            steep = steepest_edge(roof) > STEEP_DEG
            low = ~steep & (underside(roof, below) < MIN_WALL_M)
            meshes = overhang((mine, edge), roof, below, (rows, self.footprints.origins[rows]), grid_m)
            areas = (polygon_areas(r.coords, r.ring_offsets, r.polygon_offsets) for r in (mine, edge))
            passed = np.logical_and.reduce(list(certify(meshes, *areas).values()))
            good = np.flatnonzero(passed & ~steep & ~low)
            self.why[index[chosen]] = np.where(low, _LOW, _OPEN)
            out.append((index[chosen[good]], take(meshes, good), index[chosen[steep]]))
        return out


def _gathered(done: list[tuple[Int64, Meshes]]) -> tuple[Int64, Meshes]:
    """Join the solids of all attempts."""
    if not done:
        none = np.empty(0, np.int64)
        zero = np.zeros(1, np.int64)
        nothing = Meshes(np.empty((0, 3)), none, zero, zero, np.empty(0, np.uint8), zero, zero, none, np.empty((0, 2)))
        return none, nothing
    return np.concatenate([index for index, _ in done]), concatenate([meshes for _, meshes in done])


def _findings(work: _Work, sorts: tuple[Int64, Float64, Int64], perturbed: list[Int64]) -> list[Finding]:
    """Say what became of what was asked: rows that take none, rows with less, rows without, rows that were perturbed."""
    steep, reduced, left = sorts
    row, reach = work.footprints.row, work.asked.reach_m
    short = np.flatnonzero(reduced > 0)
    texts = [f"{reduced[p] * reach[row[p]]:.3g} of {reach[row[p]]:.3g} m" for p in short.tolist()]
    findings = [
        Finding(np.unique(row[steep]), NOT_FOR_SHAPE),
        Finding(row[short], REDUCED, texts),
        Finding(row[left], LEFT_OUT, work.why[left].tolist()),
    ]
    if perturbed:
        findings.append(Finding(np.unique(row[np.concatenate(perturbed)]), PERTURBED))
    return findings
