"""
Planned roofs to certified solids whose roofs reach beyond the walls, where that is asked for and where there is room.

What does not come out at the width that was asked is tried at half and a quarter of it, and is left without overhang then:
the row says so. Each polygon is judged by itself, so neighbours, who may overlap, never change a result.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.buildings.repair import Footprints
from citygen.geom.grow import grow
from citygen.geom.revolve import apexes
from citygen.geom.rings import polygon_areas
from citygen.geom.tolerances import MIN_WALL_M, PERTURB_M, SOFFIT_GRIDS_M, TIE_REL
from citygen.geom.walls import compact
from citygen.model.meshes import Meshes, concatenate, no_meshes, take
from citygen.model.rings import Rings
from citygen.model.rings import take as take_rings
from citygen.outcome import Finding, reason
from citygen.pipeline.shaping import PERTURBED
from citygen.roofs.base import FAMILIES
from citygen.roofs.draw import RoofTask, draw
from citygen.roofs.plan import RoofPlan
from citygen.solids.certify import certify
from citygen.solids.overhang import Below, overhang, underside
from citygen.solids.soffit import steepest_edge, steps_beyond

NOT_FOR_SHAPE = reason(
    "overhang_not_for_shape",
    "ok",
    "A roof of this shape, or over this outline, does not overhang; it ends at the walls.",
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
UNEVEN = 3.0
"""Around an apex the overhang widens with the distance from it: an edge further than this many times the nearest is too far."""

_NO_ROOM, _LOW, _OPEN = "its edges or courtyards would meet", "too near the ground", "no closed solid"
_SHAPE, _STEEP, _STEPS, _FAR = (
    "shape",
    "too steep at the edge",
    "upright steps at the edge",
    "walls too far from the apex",
)


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
    work = _Work(footprints, plan, asked, np.full(len(footprints.row), "", dtype=object))
    peaks, takes = work.suited(wanted)
    left, unfit = wanted[takes], [wanted[~takes]]
    done: list[tuple[Int64, Meshes]] = []
    reduced = np.zeros(len(footprints.row))
    perturbed: list[Int64] = []
    for share in _SHARES:
        reach = share * asked.reach_m[footprints.row[left]]
        grown, ok = grow(take_rings(footprints.rings, left), reach, peaks[left])
        work.why[left[~ok]] = _NO_ROOM
        open_still = np.flatnonzero(ok)
        for shift, grid_m in _TRIES:
            if len(open_still) == 0:
                break
            drawn = work.attempt(left[open_still], take_rings(grown, open_still), (share, shift, grid_m))
            for index, meshes, never in drawn:
                done.append((index, meshes))
                unfit.append(never)
                reduced[index] = share if share < 1 else 0.0
                perturbed.append(index if shift else index[:0])
            finished = np.concatenate([np.concatenate([index, never]) for index, _, never in drawn])
            hopeless = work.why[left[open_still]] == _LOW
            open_still = open_still[~np.isin(left[open_still], finished) & ~hopeless]
        made = np.concatenate([*(index for index, _ in done), *unfit])
        left = left[~np.isin(left, made)]
        if len(left) == 0:
            break
    return _gathered(done), _findings(work, (np.concatenate(unfit), reduced, left), perturbed)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all attempts share, and why each polygon's last one failed."""

    footprints: Footprints
    plan: RoofPlan
    asked: Overhang
    why: Objects

    def suited(self, index: Int64) -> tuple[Float64, Bool]:
        """Return the apex (and its distance from the nearest edge) of every polygon, and which of ``index`` may overhang."""
        plan, rings = self.plan, self.footprints.rings
        may = np.array([s.overhangs and FAMILIES[s.family].grows and s.apex != "back" for s in plan.shapes])
        has = np.array([s.apex == "middle" for s in plan.shapes])
        chosen = plan.shape[self.footprints.row[index]]
        peaked = index[has[chosen]]
        out = np.full((len(rings), 4), np.nan)
        mine = take_rings(rings, peaked)
        arrays = (mine.coords, mine.ring_offsets, mine.polygon_offsets)
        out[peaked] = apexes(*arrays, compact(*arrays))
        near, far = out[index, 2], out[index, 3]
        uneven = far > UNEVEN * near * (1.0 + TIE_REL)
        self.why[index] = np.where(may[chosen], np.where(uneven, _FAR, ""), _SHAPE)
        return out[:, :3], may[chosen] & ~uneven

    def attempt(self, index: Int64, grown: Rings, how: tuple[float, float, float]) -> list[tuple[Int64, Meshes, Int64]]:
        """Draw, close and certify chosen polygons; return for each family the good, their solids, and those never to be."""
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
            steps = ~steep & steps_beyond(roof, mine)
            low = ~steep & ~steps & (underside(roof, below) < MIN_WALL_M)
            meshes = overhang((mine, edge), roof, below, (rows, self.footprints.origins[rows]), grid_m)
            areas = (polygon_areas(r.coords, r.ring_offsets, r.polygon_offsets) for r in (mine, edge))
            passed = np.logical_and.reduce(list(certify(meshes, *areas).values()))
            good = np.flatnonzero(passed & ~steep & ~steps & ~low)
            self.why[index[chosen]] = np.select([steep, steps, low], [_STEEP, _STEPS, _LOW], _OPEN)
            out.append((index[chosen[good]], take(meshes, good), index[chosen[steep | steps]]))
        return out


def _gathered(done: list[tuple[Int64, Meshes]]) -> tuple[Int64, Meshes]:
    """Join the solids of all attempts."""
    if not done:
        return np.empty(0, np.int64), no_meshes()
    return np.concatenate([index for index, _ in done]), concatenate([meshes for _, meshes in done])


def _findings(work: _Work, sorts: tuple[Int64, Float64, Int64], perturbed: list[Int64]) -> list[Finding]:
    """Say what became of what was asked: rows that suit none, rows with less, rows without, rows that were perturbed."""
    unfit, reduced, left = sorts
    row, reach = work.footprints.row, work.asked.reach_m
    unfit_rows, first = np.unique(row[unfit], return_index=True)
    short = np.flatnonzero(reduced > 0)
    texts = [f"{reduced[p] * reach[row[p]]:.3g} of {reach[row[p]]:.3g} m" for p in short.tolist()]
    findings = [
        Finding(unfit_rows, NOT_FOR_SHAPE, work.why[unfit[first]].tolist()),
        Finding(row[short], REDUCED, texts),
        Finding(row[left], LEFT_OUT, work.why[left].tolist()),
    ]
    if perturbed:
        findings.append(Finding(np.unique(row[np.concatenate(perturbed)]), PERTURBED))
    return findings
