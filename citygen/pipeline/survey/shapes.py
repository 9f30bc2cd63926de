"""Geometries of a source to what they are: types, courtyards, heights of their own, what is invalid and why, odd sizes."""

import re
from collections import Counter
from typing import Any

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Objects
from citygen.pipeline.survey.tallies import Spread, examples

TINY_M2 = 1.0
"""Smaller than a telephone box: a sliver, or metres that are none."""
HUGE_M2 = 250_000.0
"""Larger than all but a handful of buildings."""
_AT = re.compile(r"\s*\[.*")


class Shapes:
    """
    Counts over the geometries of a source.

    Attributes
    ----------
    types : Counter of str
        By type name.
    missing, empty, unreadable, with_z, with_holes, holes, several, tiny, huge, not_finite : int
        Rows without a geometry, empty, not readable, with heights in the coordinates, with courtyards, courtyards, of
        several polygons, below ``TINY_M2``, above ``HUGE_M2``, with NaN or infinite coordinates.
    invalid : dict of str to (int, list of str)
        GEOS' reason without its place: rows, and the first ids.
    area : Spread
        Square metres.
    """

    def __init__(self) -> None:
        self.types: Counter[str] = Counter()
        self.missing = self.empty = self.unreadable = self.with_z = self.with_holes = self.holes = 0
        self.several = self.tiny = self.huge = self.not_finite = 0
        self.invalid: dict[str, tuple[int, list[str]]] = {}
        self.area = Spread()
        self.odd: dict[str, list[str]] = {}
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)

    def add(self, geometry: Objects, problem: Bool, area_m2: Float64, ids: list[str]) -> Bool:
        """
        Count a batch.

        Parameters
        ----------
        geometry : (n,) object
            In the source's CRS, None where there is none or it could not be parsed.
        problem : (n,) bool
            Rows whose geometry could not be read.
        area_m2 : (n,) float64
            On the ground, NaN or 0 where there is none.
        ids : list of str
            For examples.

        Returns
        -------
        (n,) bool
            Rows of which the repair may make something else or nothing: not a valid polygon of ordinary size.
        """
        there = ~shapely.is_missing(geometry)
        self.unreadable += int(problem.sum())
        self.missing += int((~there & ~problem).sum())
        kind = shapely.get_type_id(geometry)
        for code, raised in np.unique(np.stack([kind, shapely.has_z(geometry)], axis=1)[there], axis=0).tolist():
            rows = np.flatnonzero(there & (kind == code) & (shapely.has_z(geometry) == raised))
            self.types[f"{geometry[rows[0]].geom_type}{' Z' if raised else ''}"] += len(rows)
        empty = there & shapely.is_empty(geometry)
        self.empty += int(empty.sum())
        self.with_z += int(shapely.has_z(geometry[there]).sum())
        self._parts(geometry, kind)
        wrong = there & ~empty & ~shapely.is_valid(geometry)
        self._invalid(geometry, wrong, ids)
        self._bounds(geometry[there & ~empty])
        polygonal = there & np.isin(kind, (3, 6)) & ~empty
        area = np.where(polygonal, area_m2, np.nan)
        self.area.add(area)
        small, large = polygonal & (area_m2 < TINY_M2), polygonal & (area_m2 > HUGE_M2)
        self.tiny += int(small.sum())
        self.huge += int(large.sum())
        self._remember("tiny", small, ids)
        self._remember("huge", large, ids)
        suspect: Bool = ~polygonal | wrong | small | large
        return suspect

    def _parts(self, geometry: Objects, kind: Any) -> None:
        """Count rows of several polygons, and courtyards."""
        areal = geometry[np.isin(kind, (3, 6))]
        polygons, owner = shapely.get_parts(areal, return_index=True)
        holes = np.bincount(owner, weights=shapely.get_num_interior_rings(polygons), minlength=len(areal))
        self.several += int((np.bincount(owner, minlength=len(areal)) > 1).sum())
        self.with_holes += int((holes > 0).sum())
        self.holes += int(holes.sum())

    def _invalid(self, geometry: Objects, wrong: Bool, ids: list[str]) -> None:
        """Count invalid rows by reason."""
        rows = np.flatnonzero(wrong)
        for row, text in zip(rows.tolist(), shapely.is_valid_reason(geometry[rows]).tolist(), strict=True):
            why = _AT.sub("", text)
            count, first = self.invalid.get(why, (0, []))
            self.invalid[why] = (count + 1, first if len(first) >= 3 else [*first, ids[row]])

    def _bounds(self, geometry: Objects) -> None:
        """Widen the extent by the rows that lie somewhere."""
        box = shapely.bounds(geometry)
        finite = np.isfinite(box).all(axis=1)
        coords, index = shapely.get_coordinates(geometry, return_index=True)
        self.not_finite += len(np.unique(index[~np.isfinite(coords).all(axis=1)]))
        box = box[finite]
        if len(box):
            self.low = np.minimum(self.low, box[:, :2].min(axis=0))
            self.high = np.maximum(self.high, box[:, 2:].max(axis=0))

    def _remember(self, name: str, rows: Bool, ids: list[str]) -> None:
        """Keep the first ids of something odd."""
        kept = self.odd.setdefault(name, [])
        for row in np.flatnonzero(rows)[: max(0, 3 - len(kept))].tolist():
            kept.append(ids[row])

    @property
    def extent(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north of the rows that were read; None where none lies anywhere."""
        if not np.isfinite(self.low).all():
            return None
        return (float(self.low[0]), float(self.low[1]), float(self.high[0]), float(self.high[1]))

    def summary(self) -> dict[str, Any]:
        """Return the counts as JSON can hold them."""
        return {
            "types": dict(sorted(self.types.items(), key=lambda item: (-item[1], item[0]))),
            "missing": self.missing,
            "empty": self.empty,
            "unreadable": self.unreadable,
            "with_heights": self.with_z,
            "with_holes": self.with_holes,
            "holes": self.holes,
            "several_parts": self.several,
            "not_finite": self.not_finite,
            "invalid": {
                why: {"count": count, "examples": examples(ids)} for why, (count, ids) in sorted(self.invalid.items())
            },
            "area_m2": self.area.summary(),
        }
