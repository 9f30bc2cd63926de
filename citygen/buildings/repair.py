"""
Raw footprints (WKB, working CRS) to clean rings around local origins, or to a rejection with its reason.

What is done, in order, each with a reason on the row: an unclosed ring is closed; an invalid outline is made valid
(structure method: what rings enclose, holes cut); lines and points of a collection are left out; overlapping shells are
united; vertices that carry no shape go; outlines that touch themselves are opened by a millimetre; slivers and specks go.
Everything is judged per building, so a neighbour never changes a result.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.geom.rings import clean_vertices, pinched, polygon_areas, ring_lengths
from citygen.geom.tolerances import MAX_AREA_M2, MIN_AREA_M2, MIN_WIDTH_M, OPEN_M
from citygen.model.rings import Rings, from_polygons, join, offsets, take, to_polygons
from citygen.outcome import Finding, reason

UNREADABLE = reason("geometry_unreadable", "rejected", "The geometry could not be read.")
EMPTY = reason("geometry_empty", "rejected", "The geometry is missing or empty.")
OUT_OF_RANGE = reason("coordinates_out_of_range", "rejected", "The coordinates lie outside what their CRS allows.")
NOT_AREAL = reason("geometry_not_areal", "rejected", "The geometry is not a polygon.")
NO_AREA = reason("footprint_no_area", "rejected", "The footprint encloses no area, or less than can be built.")
TOO_LARGE = reason("footprint_too_large", "rejected", "The footprint is larger than any building.")
BEYOND_REPAIR = reason("footprint_beyond_repair", "rejected", "The outline crosses itself and could not be made valid.")
REPAIRED = reason("footprint_repaired", "degraded", "The outline was invalid; it was made valid, its area may differ.")
PARTLY_AREAL = reason("geometry_partly_areal", "degraded", "Lines or points beside the polygon were left out.")
OPENED = reason("footprint_opened", "degraded", "The outline touched itself; it was opened by a millimetre.")
PIECES_LEFT_OUT = reason("footprint_pieces_left_out", "degraded", "Pieces of the footprint were too small to build.")
HOLES_FILLED = reason("footprint_holes_filled", "degraded", "Courtyards too small to build were filled.")

_BEYOND_M = 1e8
_KINDS = ("Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")


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
    """

    rings: Rings
    row: Int64
    origins: Float64
    area_m2: Float64
    geometry: Objects


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
    shapes = _areal(_finite(shapely.force_2d(geometry), findings), findings)
    alive = np.flatnonzero(~shapely.is_missing(shapes))
    origins = np.full((len(shapes), 2), np.nan)
    bounds = shapely.bounds(shapes[alive])
    origins[alive] = np.floor(bounds[:, :2])
    polygons, row = shapes[alive], alive
    if (shapely.get_type_id(polygons) != 3).any():
        polygons, owner = shapely.get_parts(polygons, return_index=True)
        row = alive[owner]
    rings, row = _clean(_local(from_polygons(polygons), origins[row]), row, findings)
    rings, row = _open(rings, row, findings)
    rings, row = _drop_small(rings, row, len(shapes), findings)
    return _finish(rings, row, origins, findings), findings


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


def _areal(geometry: Objects, findings: list[Finding]) -> Objects:
    """Keep the polygons of each geometry, valid; None where nothing can be built."""
    out = geometry.copy()
    kind = shapely.get_type_id(out)
    missing = shapely.is_missing(out) | shapely.is_empty(out)
    told = np.isin(np.arange(len(out)), [row for f in findings for row in f.rows.tolist()])
    findings.append(Finding(np.flatnonzero(missing & ~told), EMPTY))
    flat = ~missing & (kind >= 0) & np.isin(kind, (0, 1, 2, 4, 5))
    findings.append(Finding(np.flatnonzero(flat), NOT_AREAL, [_KINDS[k] for k in kind[flat].tolist()]))
    out[missing | flat] = None
    mixed = np.flatnonzero(~missing & (kind == 7))
    for row in mixed.tolist():  # collections: rare
        parts = shapely.get_parts(shapely.get_parts(out[row]))
        areal = parts[np.isin(shapely.get_type_id(parts), (3, 6))]
        out[row] = shapely.union_all(shapely.make_valid(areal, method="structure")) if len(areal) else None
        code = NOT_AREAL if len(areal) == 0 else PARTLY_AREAL
        findings.append(Finding(np.array([row]), code, ["GeometryCollection"]))
    wrong = np.flatnonzero(~shapely.is_missing(out) & ~shapely.is_valid(out))
    if len(wrong):
        out[wrong] = _make_valid(out[wrong], wrong, findings)
    return out


def _make_valid(bad: Objects, rows: Int64, findings: list[Finding]) -> Objects:
    """Make invalid outlines valid, keep their polygons, and say why and by how much the area changed."""
    why = shapely.is_valid_reason(bad)
    fixed = shapely.make_valid(bad, method="structure", keep_collapsed=False)
    out = np.full(len(bad), None, dtype=object)
    for k, each in enumerate(fixed.tolist()):
        parts = shapely.get_parts(shapely.get_parts(each))
        areal = parts[np.isin(shapely.get_type_id(parts), (3, 6))]
        if len(areal):
            out[k] = shapely.union_all(areal) if len(areal) > 1 else areal[0]
    gone = np.array([g is None or g.is_empty for g in out], dtype=bool)
    out[gone] = None
    findings.append(Finding(rows[gone], NO_AREA, [str(w)[:120] for w in why[gone]]))
    texts = [f"{w!s:.80}; area {g.area:.6g} m2" for w, g in zip(why[~gone].tolist(), out[~gone].tolist(), strict=True)]
    findings.append(Finding(rows[~gone], REPAIRED, texts))
    return out


def _local(rings: Rings, origins: Float64) -> Rings:
    """Move each polygon to its origin."""
    polygon = np.repeat(np.arange(len(rings)), np.diff(rings.vertex_offsets))
    return Rings(rings.coords - origins[polygon], rings.ring_offsets, rings.polygon_offsets)


def _clean(rings: Rings, row: Int64, findings: list[Finding]) -> tuple[Rings, Int64]:
    """Drop vertices without shape, rings that collapse, and polygons whose outline does."""
    keep = clean_vertices(rings.coords, rings.ring_offsets)
    if keep.all():
        return rings, row
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
    merged_row = np.concatenate([row[~touching], opened_row[~still]])
    order = np.argsort(merged_row, kind="stable")
    merged = join(take(rings, np.flatnonzero(~touching)), take(opened, np.flatnonzero(~still)))
    return take(merged, order), merged_row[order]


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
    return take(rings, np.flatnonzero(kept)), row[kept]


def _finish(rings: Rings, row: Int64, origins: Float64, findings: list[Finding]) -> Footprints:
    """Total up, and reject the rows that nothing is left of and no stage has rejected yet."""
    n_rows = len(origins)
    each_area = polygon_areas(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    area = np.bincount(row, weights=each_area, minlength=n_rows).astype(np.float64)
    built: Bool = np.bincount(row, minlength=n_rows) > 0
    told = np.zeros(n_rows, dtype=bool)
    for finding in findings:
        if finding.code in {EMPTY, OUT_OF_RANGE, NOT_AREAL, NO_AREA, TOO_LARGE, BEYOND_REPAIR}:
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
    return Footprints(rings, row, places, area, geometry)
