"""
Raw footprints (working CRS) to clean rings around local origins, or to a rejection with its reason.

What is done, in order, each with a reason on the row: coordinates that are no place are rejected; lines and points of a
collection are left out; an invalid outline is made valid (``validity`` says what it is taken to mean); vertices that
carry no shape go, without a word; antennae and cuts thinner than any wall go; pieces that meet are united; outlines that
touch themselves are opened by a millimetre; slivers and specks go. A repair that changes the area by more than
``MOST_AREA_CHANGE`` is a rejection. Everything is judged per building, so a neighbour never changes a result, and nothing
depends on where a ring starts or which way it runs.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.buildings.validity import BEYOND_REPAIR, EMPTY, NO_AREA, NOT_AREAL, valid_areas
from citygen.geom.rings import clean_vertices, pinched, polygon_areas, ring_lengths
from citygen.geom.spikes import without_spikes
from citygen.geom.tolerances import MAX_AREA_M2, MIN_AREA_M2, MIN_WIDTH_M, MOST_AREA_CHANGE, OPEN_M, PINCH_M
from citygen.model.rings import Rings, from_polygons, join, offsets, ranges, take, to_polygons
from citygen.outcome import Finding, reason

UNREADABLE = reason("geometry_unreadable", "rejected", "The geometry could not be read.")
OUT_OF_RANGE = reason("coordinates_out_of_range", "rejected", "The coordinates lie outside what their CRS allows.")
TOO_LARGE = reason("footprint_too_large", "rejected", "The footprint is larger than any building.")
AREA_CHANGED = reason(
    "footprint_area_changed", "rejected", "Repair would change the area by more than half; what was meant is unknown."
)
SPIKES = reason(
    "footprint_spikes_removed", "degraded", "Antennae or cuts thinner than 2 cm were taken off the outline."
)
UNITED = reason("footprint_pieces_united", "degraded", "Pieces of the footprint that meet were made one.")
OPENED = reason("footprint_opened", "degraded", "The outline touched itself; it was opened by a millimetre.")
PIECES_LEFT_OUT = reason("footprint_pieces_left_out", "degraded", "Pieces of the footprint were too small to build.")
HOLES_FILLED = reason("footprint_holes_filled", "degraded", "Courtyards too small to build were filled.")

_BEYOND_M = 1e8
_SAME_REL = 1e-9
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Footprints:
    """
    Clean footprints of a tile's table.

    Attributes
    ----------
    rings : Rings
        p simple polygons, plan coordinates relative to their row's origin, metres.
    row : (p,) int64
        Table row of each polygon, ascending; rejected rows have none.
    origins : (n, 2) float64
        Each row's local origin in the working CRS, whole metres; NaN for rejected rows.
    area_m2 : (n,) float64
        Area of all of a row's polygons; 0 for rejected rows.
    geometry : (n,) object
        The cleaned outlines as Shapely polygons in the working CRS, None for rejected rows.
    area_change : (n,) float64
        Share of the outline's own area (even-odd, see ``validity``) that repair added, negative where it took some; 0 for
        an outline that was left alone, NaN for rejected rows.
    """

    rings: Rings
    row: Int64
    origins: Float64
    area_m2: Float64
    geometry: Objects
    area_change: Float64


def repair(geometry: Objects) -> tuple[Footprints, list[Finding]]:
    """
    Clean a tile's outlines.

    Parameters
    ----------
    geometry : (n,) object
        Shapely geometries in the working CRS (metres), any type; None where the source's could not be read.

    Returns
    -------
    Footprints, list of Finding
    """
    findings: list[Finding] = []
    shapes, before = valid_areas(_finite(shapely.force_2d(geometry), findings), findings)
    alive = np.flatnonzero(~shapely.is_missing(shapes))
    origins = np.full((len(shapes), 2), np.nan)
    bounds = shapely.bounds(shapes[alive])
    origins[alive] = np.floor(bounds[:, :2])
    polygons, row = shapes[alive], alive
    if (shapely.get_type_id(polygons) != 3).any():
        polygons, owner = shapely.get_parts(polygons, return_index=True)
        row = alive[owner]
    rings = _local(from_polygons(polygons), origins[row])
    before = np.where(np.isnan(before), _row_areas(rings, row, len(shapes)), before)
    rings, row = _clean(rings, row, findings)
    rings, row = _trim(rings, row, findings)
    rings, row = _unite(rings, row, findings)
    rings, row = _open(rings, row, findings)
    rings, row = _drop_small(rings, row, len(shapes), findings)
    rings, row, change = _bound(rings, row, before, findings)
    return _finish(rings, row, (origins, change), findings), findings


def _finite(geometry: Objects, findings: list[Finding]) -> Objects:
    """Reject geometries with a coordinate that is no place in any metric CRS: NaN, infinite, beyond 100,000 km."""
    coords, index = shapely.get_coordinates(geometry, return_index=True)
    wild = ~(np.abs(coords) < _BEYOND_M).all(axis=1)
    if not wild.any():
        return geometry
    rows = np.unique(index[wild])
    findings.append(Finding(rows, OUT_OF_RANGE))
    out = geometry.copy()
    out[rows] = None
    return out


def _local(rings: Rings, origins: Float64) -> Rings:
    """Move each polygon to its origin."""
    polygon = np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))
    return Rings(rings.coords - origins[polygon], rings.ring_offsets, rings.polygon_offsets)


def _clean(rings: Rings, row: Int64, findings: list[Finding]) -> tuple[Rings, Int64]:
    """Drop vertices without shape, rings that collapse, and polygons whose outline does."""
    keep = clean_vertices(rings.coords, rings.ring_offsets)
    return (rings, row) if keep.all() else _kept(rings, row, keep, findings)


def _kept(rings: Rings, row: Int64, keep: Bool, findings: list[Finding]) -> tuple[Rings, Int64]:
    """Keep some vertices, the rings that have any left, and the polygons whose outline has."""
    n_rings = len(rings.ring_offsets) - 1
    sizes = np.bincount(np.repeat(np.arange(n_rings), np.diff(rings.ring_offsets))[keep], minlength=n_rings)
    ring_polygon = np.repeat(np.arange(len(rings)), np.diff(rings.polygon_offsets))
    outline_gone = np.zeros(len(rings), dtype=bool)
    outline_gone[:] = sizes[rings.polygon_offsets[:-1]] == 0
    ring_kept = (sizes > 0) & ~outline_gone[ring_polygon]
    lost_hole = (sizes == 0) & ~outline_gone[ring_polygon]
    if lost_hole.any():
        findings.append(Finding(np.unique(row[ring_polygon[lost_hole]]), HOLES_FILLED))
    ring_of_vertex = np.repeat(np.arange(n_rings), np.diff(rings.ring_offsets))
    coords = rings.coords[keep & ring_kept[ring_of_vertex]]
    counts = np.bincount(ring_polygon[ring_kept], minlength=len(rings))[~outline_gone]
    return Rings(coords, offsets(sizes[ring_kept]), offsets(counts)), row[~outline_gone]


def _trim(rings: Rings, row: Int64, findings: list[Finding], rounds: int = _ROUNDS) -> tuple[Rings, Int64]:
    """Take off antennae and cuts; what is left of a ring is cleaned, and looked at again."""
    keep = without_spikes(rings.coords, rings.ring_offsets)
    if keep.all() or rounds == 0:
        return rings, row
    lost = np.bincount(np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))[~keep], minlength=len(rings))
    hit = np.flatnonzero(lost)
    if rounds == _ROUNDS:
        rows, corners = np.unique(row[hit], return_inverse=True)
        count = np.bincount(corners, weights=lost[hit])
        findings.append(Finding(rows, SPIKES, [f"{n:.0f} corner{'s' * (n > 1)} taken off" for n in count.tolist()]))
    part = take(rings, hit)
    kept = keep[ranges(rings.vertex_offsets[hit], np.diff(rings.vertex_offsets)[hit])]
    trimmed = _trim(*_clean(*_kept(part, row[hit], kept, findings), findings), findings, rounds - 1)
    rest = np.flatnonzero(lost == 0)
    return _merged((take(rings, rest), row[rest]), trimmed)


def _unite(rings: Rings, row: Int64, findings: list[Finding]) -> tuple[Rings, Int64]:
    """Make one of the pieces of a row that meet along a wall, or nearly (halves of a building cut at a map's edge)."""
    counts = np.bincount(row, minlength=1)
    if counts.max() < 2:
        return rings, row
    several = np.flatnonzero(counts[row] > 1)
    part, part_row = take(rings, several), row[several]
    shapes = to_polygons(part)
    near = _touching(part, part_row) & shapely.is_valid(shapes)
    changed: list[tuple[int, Objects]] = []
    for each in np.unique(part_row[near]).tolist():
        pieces = shapes[part_row == each]
        whole = pieces[0]
        for piece in pieces[1:].tolist():
            whole = shapely.union(whole, shapely.snap(piece, whole, PINCH_M))
        united = shapely.get_parts(whole)
        sound = shapely.is_valid(united) & (shapely.get_type_id(united) == 3)
        if len(united) < len(pieces) and sound.all():
            changed.append((each, united))
    if not changed:
        return rings, row
    rows = np.array([each for each, _ in changed], dtype=np.int64)
    findings.append(Finding(rows, UNITED))
    one = _clean(
        from_polygons(np.concatenate([shapes for _, shapes in changed])),
        np.repeat(rows, [len(shapes) for _, shapes in changed]),
        findings,
    )
    rest = np.flatnonzero(~np.isin(row, rows))
    return _merged((take(rings, rest), row[rest]), one)


def _merged(first: tuple[Rings, Int64], second: tuple[Rings, Int64]) -> tuple[Rings, Int64]:
    """Return the polygons of both, in the order of their rows."""
    row = np.concatenate([first[1], second[1]])
    order = np.argsort(row, kind="stable")
    return take(join(first[0], second[0]), order), row[order]


def _open(rings: Rings, row: Int64, findings: list[Finding]) -> tuple[Rings, Int64]:
    """Draw in outlines that touch themselves, or that cleaning left crossing, by a millimetre."""
    shapes = to_polygons(rings)
    touching = _touching(rings, row) | ~shapely.is_valid(shapes)
    if not touching.any():
        return rings, row
    index = np.flatnonzero(touching)
    drawn = shapely.buffer(shapely.make_valid(shapes[index], method="structure"), -OPEN_M, join_style="mitre")
    findings.append(Finding(np.unique(row[index]), OPENED))
    parts, owner = shapely.get_parts(drawn, return_index=True)
    areal = shapely.get_type_id(parts) == 3
    opened = from_polygons(parts[areal & ~shapely.is_empty(parts)])
    opened_row = row[index][owner[areal & ~shapely.is_empty(parts)]]
    opened, opened_row = _clean(opened, opened_row, findings)
    still = _touching(opened, opened_row) | ~shapely.is_valid(to_polygons(opened))
    findings.append(Finding(np.unique(opened_row[still]), BEYOND_REPAIR))
    rest = (take(rings, np.flatnonzero(~touching)), row[~touching])
    return _merged(rest, (take(opened, np.flatnonzero(~still)), opened_row[~still]))


def _touching(rings: Rings, row: Int64) -> Bool:
    """Say which polygons touch themselves or another polygon of their row."""
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]]) if len(row) else np.empty(0, np.int64)
    counts = np.diff(np.r_[starts, len(row)])
    of_row = np.r_[rings.polygon_offsets[starts], rings.polygon_offsets[-1]]
    touching: Bool = np.repeat(pinched(rings.coords, rings.ring_offsets, of_row), counts)
    return touching


def _drop_small(rings: Rings, row: Int64, n_rows: int, findings: list[Finding]) -> tuple[Rings, Int64]:
    """Leave out polygons too small or too narrow to build, and rows with one too large."""
    area = polygon_areas(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    length = ring_lengths(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    small = (area < MIN_AREA_M2) | (2 * area < MIN_WIDTH_M * length)
    large = np.bincount(row[area > MAX_AREA_M2], minlength=n_rows) > 0
    findings.append(Finding(np.flatnonzero(large), TOO_LARGE, [f"over {MAX_AREA_M2:.3g} m2"] * int(large.sum())))
    kept = ~small & ~large[row]
    built = np.bincount(row[kept], minlength=n_rows) > 0
    lost = np.bincount(row[small], minlength=n_rows) > 0
    findings.append(Finding(np.flatnonzero(lost & built), PIECES_LEFT_OUT))
    gone = np.flatnonzero(lost & ~built & ~large)
    total, width = np.bincount(row, weights=area, minlength=n_rows), np.zeros(n_rows)
    np.maximum.at(width, row, 2 * area / np.maximum(length, 1e-300))
    texts = [f"{total[k]:.3g} m2, {width[k] * 1000:.3g} mm wide on average" for k in gone.tolist()]
    findings.append(Finding(gone, NO_AREA, texts))
    return take(rings, np.flatnonzero(kept)), row[kept]


def _row_areas(rings: Rings, row: Int64, n_rows: int) -> Float64:
    """Return the area of each row's polygons, m2."""
    each = polygon_areas(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    return np.bincount(row, weights=each, minlength=n_rows).astype(np.float64)


def _bound(rings: Rings, row: Int64, before: Float64, findings: list[Finding]) -> tuple[Rings, Int64, Float64]:
    """Reject rows whose area a repair has changed too much; return the change of each row as a share."""
    after = _row_areas(rings, row, len(before))
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(after > 0, after / before - 1, np.nan)
    change[np.abs(change) < _SAME_REL] = 0.0
    wild = np.abs(change) > MOST_AREA_CHANGE
    if wild.any():
        pairs = zip(before[wild].tolist(), after[wild].tolist(), strict=True)
        findings.append(
            Finding(np.flatnonzero(wild), AREA_CHANGED, [f"{a:.6g} m2 before, {b:.6g} m2 after" for a, b in pairs])
        )
        change[wild] = np.nan
        kept = np.flatnonzero(~wild[row])
        rings, row = take(rings, kept), row[kept]
    return rings, row, change


def _finish(rings: Rings, row: Int64, known: tuple[Float64, Float64], findings: list[Finding]) -> Footprints:
    """Total up, and reject the rows that nothing is left of and no stage has rejected yet."""
    origins, change = known
    n_rows = len(origins)
    area = _row_areas(rings, row, n_rows)
    built: Bool = np.bincount(row, minlength=n_rows) > 0
    told = np.zeros(n_rows, dtype=bool)
    for finding in findings:
        if finding.code in {EMPTY, OUT_OF_RANGE, NOT_AREAL, NO_AREA, TOO_LARGE, BEYOND_REPAIR, AREA_CHANGED}:
            told[finding.rows] = True
    findings.append(Finding(np.flatnonzero(~built & ~told), NO_AREA))
    places = np.where(built[:, None], origins, np.nan)
    polygon = np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))
    world = Rings(rings.coords + origins[row][polygon], rings.ring_offsets, rings.polygon_offsets)
    shapes = to_polygons(world)
    geometry = np.full(n_rows, None, dtype=object)
    counts = np.bincount(row, minlength=n_rows)
    single = counts[row] == 1
    geometry[row[single]] = shapes[single]
    for each in np.flatnonzero(counts > 1).tolist():
        geometry[each] = shapely.MultiPolygon(shapes[row == each].tolist())
    return Footprints(rings, row, places, area, geometry, change)
