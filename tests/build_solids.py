"""Outlines and roof words to solids by the pipeline's own path (repair, plan, shape), without files, ground or tiles."""

from dataclasses import dataclass, field, replace

import numpy as np

from citygen.buildings.repair import Footprints, repair
from citygen.model.attributes import NO_COLOUR, Attributes
from citygen.model.rings import to_polygons
from citygen.outcome import Finding
from citygen.pipeline.shaping import Shaped, shape_solids
from citygen.roofs.plan import RoofPlan, plan_roofs
from oracle import faults, solid_of


def attributes(n: int, **columns) -> Attributes:
    """Return ``n`` buildings of 9 m with nothing else known; any column can be given as an array or one value."""
    numbers = (
        "eave_height_m",
        "levels",
        "roof_levels",
        "roof_height_m",
        "roof_angle_deg",
        "roof_overhang_m",
        "roof_direction_deg",
        "levels_underground",
        "dormers",
        "chimneys",
    )
    values = {name: np.full(n, np.nan) for name in numbers}
    words = ("roof_shape", "roof_orientation", "class_name", "part_hint", "wall_material", "roof_material", "country")
    values |= {name: np.full(n, "", dtype=object) for name in words}
    values |= {name: np.zeros(n, dtype=bool) for name in ("roof_direction_is_named", "is_part")}
    values |= {name: np.full(n, NO_COLOUR, dtype=np.int64) for name in ("wall_colour", "roof_colour")}
    values |= {
        "height_m": np.full(n, 9.0),
        "min_height_m": np.zeros(n),
        "height_sigma_m": np.ones(n),
        "height_from": np.full(n, "height", dtype=object),
    }
    out = Attributes(**values)
    given = {
        name: np.broadcast_to(np.asarray(value, dtype=getattr(out, name).dtype), (n,)).copy()
        for name, value in columns.items()
    }
    return replace(out, **given)


@dataclass
class Town:
    """What the path made of some outlines."""

    footprints: Footprints
    plan: RoofPlan
    shaped: Shaped
    findings: list[Finding] = field(default_factory=list)

    def rows_with(self, code: str) -> list[int]:
        """Return the rows that have a reason."""
        return sorted({int(r) for f in self.findings if f.code == code for r in f.rows})

    @property
    def polygon_of_solid(self) -> np.ndarray:
        """Return the polygon that each solid stands on; every polygon of a built row has one, in order."""
        built = np.isin(self.footprints.row, self.shaped.meshes.solid_row)
        return np.flatnonzero(built)

    def heights(self, row: int) -> tuple[float, float, float]:
        """Return base, eave and top of a row; eave is top for one that fell back to a flat roof."""
        eave = self.plan.top_z[row] if self.shaped.flattened[row] else self.plan.eave_z[row]
        return float(self.plan.base_z[row]), float(eave), float(self.plan.top_z[row])

    def faults(self, chosen: np.ndarray | None = None) -> dict[int, set[str]]:
        """Judge solids (all, or those chosen) by the slow oracle; returns those with faults, by row."""
        outlines = to_polygons(self.footprints.rings)
        found: dict[int, set[str]] = {}
        of = self.polygon_of_solid
        assert len(of) == len(self.shaped.meshes)
        for s in range(len(of)) if chosen is None else chosen.tolist():
            row = int(self.shaped.meshes.solid_row[s])
            wrong = faults(solid_of(self.shaped.meshes, s), outlines[of[s]], self.heights(row))
            if wrong:
                found.setdefault(row, set()).update(wrong)
        return found


def raise_town(geometry: np.ndarray, *, ground: tuple[float, float] = (12.3, 11.8), **columns) -> Town:
    """Repair, plan and shape; ``columns`` are attributes, ``ground`` the datum and the lowest ground of all rows."""
    n = len(geometry)
    footprints, findings = repair(geometry)
    table = attributes(n, **columns)
    level = (np.full(n, ground[0]), np.full(n, ground[1]))
    plan, found = plan_roofs(table, footprints.rings, footprints.row, level, np.zeros(n))
    findings += found
    build = np.bincount(footprints.row, minlength=n) > 0
    shaped, found = shape_solids(footprints, plan, build)
    return Town(footprints, plan, shaped, findings + found)
