"""A tile's drawn roof lines to the polygons that they lie on, around local origins; each line row and bad line has a reason."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.buildings.repair import Footprints
from citygen.geom.breaklines import mapped_roof
from citygen.geom.tolerances import LINE_SNAP_M
from citygen.model.rings import take, to_polygons
from citygen.model.rooflines import RoofLines
from citygen.outcome import Finding, reason

UNREAD = reason("roof_lines_unread", "degraded", "Roof lines could not be read; they count as not given.")
OUTSIDE = reason("roof_lines_outside", "degraded", "Roof lines lie outside the outline; they were left out.")
CLIPPED = reason("roof_lines_clipped", "ok", "Roof lines reach beyond the outline; what is within it was used.")
UNUSABLE = reason(
    "roof_lines_unusable", "degraded", "Roof lines give no roof on this outline; the roof's shape was built."
)
LINE_USED = reason("roof_line_used", "ok", "It is a line of a roof; the building that it lies on was built with it.")
LINE_UNUSED = reason(
    "roof_line_unused", "degraded", "It is a line of a roof, but the building that it lies on could not use it."
)
KEPT = frozenset({LINE_USED, LINE_UNUSED})
"""What a row that is a line says, beside its identity."""


@dataclass(frozen=True, slots=True)
class TileLines:
    """
    The roof lines of a tile.

    Attributes
    ----------
    lines : (p,) object of RoofLines or None, or None
        Usable lines of each polygon; None where the tile has none.
    is_line : (n,) bool
        Rows that are lines of a building.
    """

    lines: Objects | None
    is_line: Bool


def tile_lines(rows: pa.Table, footprints: Footprints) -> tuple[TileLines, list[Finding]]:
    """
    Give a tile's lines to its polygons.

    Parameters
    ----------
    rows : pyarrow.Table
        Of ``load_rows``; n rows.
    footprints : Footprints
        Of the same rows.

    Returns
    -------
    TileLines, list of Finding
    """
    n = len(rows)
    if "@roof_lines" not in rows.column_names:
        return TileLines(None, np.zeros(n, dtype=bool)), []
    drawn = shapely.from_wkb(rows["@roof_lines"].to_numpy(zero_copy_only=False))
    problem = np.array([text or "" for text in rows["@roof_lines_problem"].to_pylist()], dtype=object)
    line_of = _owners(rows)
    findings = [_told(problem != "", UNREAD, problem)]
    given: dict[int, list[int]] = {}
    for row in np.flatnonzero(~shapely.is_missing(drawn) & ((line_of >= 0) | ~_alone(rows))).tolist():
        given.setdefault(int(line_of[row]) if line_of[row] >= 0 else row, []).append(row)
    out: Objects = np.full(len(footprints.rings), None, dtype=object)
    notes: Objects = np.full((3, n), "", dtype=object)
    for row, members in sorted(given.items()):
        mine = np.flatnonzero(footprints.row == row)
        if len(mine):
            found, notes[:, row] = _on_row(footprints, mine, drawn[members])
            for p, each in zip(mine.tolist(), found, strict=True):
                out[p] = each
    findings += [_told(notes[k] != "", code, notes[k]) for k, code in enumerate((OUTSIDE, CLIPPED, UNUSABLE))]
    is_line = line_of >= 0
    served = np.zeros(n, dtype=bool)
    served[footprints.row[np.array([each is not None for each in out], dtype=bool)]] = True
    used = is_line & served[np.maximum(line_of, 0)]
    findings += [Finding(np.flatnonzero(used), LINE_USED), Finding(np.flatnonzero(is_line & ~used), LINE_UNUSED)]
    return TileLines(out if served.any() else None, is_line), findings


def _told(where: Bool, code: str, texts: Objects) -> Finding:
    rows = np.flatnonzero(where)
    return Finding(rows, code, texts[rows].tolist())


def _alone(rows: pa.Table) -> Bool:
    """Say which rows are lines themselves."""
    return np.array([bool(each) for each in rows["@line_alone"].to_pylist()], dtype=bool)


def _owners(rows: pa.Table) -> Int64:
    """Return the row of the building that each line row lies on, -1 for the rest."""
    if "@line_of" not in rows.column_names:
        return np.full(len(rows), -1, dtype=np.int64)
    at = {uid: k for k, uid in enumerate(rows["@uid"].to_pylist())}
    return np.array([-1 if uid is None else at.get(uid, -1) for uid in rows["@line_of"].to_pylist()], dtype=np.int64)


def _on_row(footprints: Footprints, mine: Int64, drawn: Objects) -> tuple[list[RoofLines | None], list[str]]:
    """Return the usable lines of a row's polygons, and what there is to say: outside, clipped, unusable ('' for nothing)."""
    rings = take(footprints.rings, mine)
    polygons = to_polygons(rings)
    origin = footprints.origins[footprints.row[mine[0]]]
    groups = [
        _local([part for each in drawn.tolist() for part in shapely.get_parts(each.geoms[k]).tolist()], origin)
        for k in range(3)
    ]
    whole = shapely.union_all([part for group in groups for part in group])
    inside = shapely.intersection(whole, shapely.buffer(shapely.union_all(polygons), LINE_SNAP_M))
    if shapely.is_empty(inside):
        return [None] * len(mine), ["all of them", "", ""]
    over = whole.length - inside.length
    clipped = f"{over:.3g} m of {whole.length:.4g} m" if over > LINE_SNAP_M else ""
    found = [
        _usable(footprints, p, polygon, groups) for p, polygon in zip(mine.tolist(), polygons.tolist(), strict=True)
    ]
    none = all(each is None for each in found)
    return found, ["", clipped, "no top or no eave is left, or too much is drawn" if none else ""]


def _local(parts: list[shapely.Geometry], origin: Float64) -> list[shapely.Geometry]:
    """Move lines to a row's origin."""
    return [shapely.set_coordinates(part, shapely.get_coordinates(part) - origin) for part in parts]


def _usable(
    footprints: Footprints, p: int, polygon: shapely.Polygon, groups: list[list[shapely.Geometry]]
) -> RoofLines | None:
    """Return the lines on one polygon where they give it a roof."""
    ridges, edges, apexes = (_near(polygon, group) for group in groups)
    points = np.array([apex[0] for apex in apexes]).reshape(-1, 2)
    lines = RoofLines(tuple(ridges), tuple(edges), points)
    if len(lines) == 0:
        return None
    rings = take(footprints.rings, np.array([p]))
    return lines if mapped_roof(rings.coords, rings.ring_offsets, lines, 0.0) is not None else None


def _near(polygon: shapely.Polygon, group: Iterable[shapely.Geometry]) -> list[Float64]:
    """Return the coordinates of the lines that touch a polygon or its close surroundings."""
    return [shapely.get_coordinates(part) for part in group if shapely.dwithin(polygon, part, LINE_SNAP_M)]
