"""Surveys of sources to what one build of all of them would do: working CRS, tiles, heights by rule, roofs, rejections."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyproj
import shapely

from citygen.arraytypes import Bool, Int64, Objects
from citygen.buildings.repair import repair
from citygen.config import BuildConfig
from citygen.outcome import known_reasons
from citygen.pipeline.extents import in_crs
from citygen.pipeline.placing import Placed
from citygen.pipeline.survey.tallies import share


@dataclass(slots=True)
class Forecast:
    """
    What a build would do with the rows of one source.

    Attributes
    ----------
    crs, grid : str
        Working CRS (WKT) and the grid's name.
    footprints, parts : int
        Rows in the area or without a place, and those of them that are building parts.
    rejected, repaired : Counter of str
        Rows by reason code.
    heights : Counter of str
        Rows by the rule that gives their height.
    roofs, strange_roofs : dict of str to int
        Rows by shape asked, and by word that is no shape's.
    tiles : Counter of (int, int)
        Rows by tile.
    box : (4,) float64
        Extent of the rows that have a place, working CRS.
    """

    crs: str
    grid: str
    footprints: int = 0
    parts: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    heights: Counter[str] = field(default_factory=Counter)
    roofs: dict[str, int] = field(default_factory=dict)
    strange_roofs: dict[str, int] = field(default_factory=dict)
    tiles: Counter[tuple[int, int]] = field(default_factory=Counter)
    low: Any = field(default_factory=lambda: np.full(2, np.inf))
    high: Any = field(default_factory=lambda: np.full(2, -np.inf))

    def add(self, placed: Placed, world: Objects, suspect: Bool, skip: Bool) -> Bool:
        """
        Count a batch.

        Parameters
        ----------
        placed : Placed
            n rows, all of them in the area or without a place.
        world : (n,) object
            Their geometries in the working CRS.
        suspect : (n,) bool
            Rows that the repair has to look at.
        skip : (n,) bool
            Rows that are no buildings (roof lines).

        Returns
        -------
        (n,) bool
            Rows of which something would be built.
        """
        build: Bool = np.asarray((placed.reasons[:, 0] == "") & ~skip, dtype=np.bool_)
        self.footprints += len(build)
        _count(self.rejected, placed.reasons[placed.reasons[:, 0] != "", 0])
        look = np.flatnonzero(suspect & build)
        if len(look):
            lost = self._repair(world[look])
            build[look[lost]] = False
        col, row = placed.col[build], placed.row[build]
        keys, counts = np.unique(np.stack([col, row], axis=1), axis=0, return_counts=True)
        self.tiles.update({(int(c), int(r)): int(n) for (c, r), n in zip(keys.tolist(), counts.tolist(), strict=True)})
        middle = placed.middle[build]
        if len(middle):
            self.low, self.high = np.minimum(self.low, middle.min(axis=0)), np.maximum(self.high, middle.max(axis=0))
        return build

    def _repair(self, geometry: Objects) -> Int64:
        """Repair odd outlines; count what comes of them and return those that are lost."""
        outcomes = {reason.code: reason.outcome for reason in known_reasons()}
        lost: list[int] = []
        for finding in repair(geometry)[1]:
            rejected = outcomes[finding.code] == "rejected"
            new = [row for row in finding.rows.tolist() if row not in lost] if rejected else finding.rows.tolist()
            if rejected:
                lost += new
            if new and outcomes[finding.code] != "ok":
                (self.rejected if rejected else self.repaired)[finding.code] += len(new)
        return np.array(sorted(lost), dtype=np.int64)

    def summary(self) -> dict[str, Any]:
        """Return the counts as JSON can hold them."""
        return {
            "footprints": self.footprints,
            "parts": self.parts,
            "tiles": len(self.tiles),
            "rejected": _reasons(self.rejected),
            "repaired": _reasons(self.repaired),
            "heights_from": _shares(self.heights),
            "roofs_asked": self.roofs,
            "roofs_unknown": self.strange_roofs,
        }


def combined(
    config: BuildConfig, found: list[tuple[dict[str, Any], Forecast]], rasters: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """
    Put together what one build of all sources would do.

    Parameters
    ----------
    config : BuildConfig
        For the grid.
    found : list of (dict, Forecast)
        Of each vector source.
    rasters : list of dict
        Of each raster.

    Returns
    -------
    dict or None
        None without vector sources. What parts do to their outlines, what the ground is like and roofs that cannot be made on
        their outline show in a build alone.
    """
    if not found:
        return None
    whole = Forecast(found[0][1].crs, found[0][1].grid)
    for _, each in found:
        whole.footprints += each.footprints
        whole.parts += each.parts
        for name in ("rejected", "repaired", "heights", "tiles"):
            getattr(whole, name).update(getattr(each, name))
        whole.roofs = dict(Counter(whole.roofs) + Counter(each.roofs))
        whole.strange_roofs = dict(Counter(whole.strange_roofs) + Counter(each.strange_roofs))
        whole.low, whole.high = np.minimum(whole.low, each.low), np.maximum(whole.high, each.high)
    crs = pyproj.CRS.from_user_input(whole.crs)
    code = crs.to_authority(min_confidence=70)
    return {
        "crs": {
            "code": None if code is None else ":".join(code),
            "name": crs.name,
            "chosen": "given" if config.crs else "UTM zone",
        },
        "grid": whole.grid,
        **whole.summary(),
        "most_in_a_tile": max(whole.tiles.values(), default=0),
        "sampled": any(about["sample"] for about, _ in found),
        "dem": _ground(whole, rasters),
    }


def _ground(whole: Forecast, rasters: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Say whether the rasters reach over the footprints; None without rasters."""
    if not rasters:
        return None
    if not np.isfinite(whole.low).all():
        return {"reaches": False, "share": 0.0}
    boxes = [
        in_crs(shapely.box(*r["extent"]["degrees"]), "OGC:CRS84", whole.crs) for r in rasters if r["extent"]["degrees"]
    ]
    low, high = whole.low - 1.0, whole.high + 1.0
    place = shapely.box(low[0], low[1], high[0], high[1])
    covered = (
        shapely.area(shapely.intersection(place, shapely.union_all(boxes))) / shapely.area(place) if boxes else 0.0
    )
    return {"reaches": bool(covered > 0.999), "share": round(float(covered), 4)}


def _count(counter: Counter[str], codes: Objects) -> None:
    names, counts = np.unique(codes.astype(str), return_counts=True)
    counter.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))


def _reasons(counter: Counter[str]) -> dict[str, dict[str, Any]]:
    sentences = {reason.code: reason.sentence for reason in known_reasons()}
    return {code: {"count": n, "meaning": sentences[code]} for code, n in sorted(counter.items())}


def _shares(counter: Counter[str]) -> dict[str, dict[str, Any]]:
    total = sum(counter.values())
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return {name: {"count": n, "share": share(n, total)} for name, n in ordered}
