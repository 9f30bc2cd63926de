"""
Geometries of any type to valid polygons, each with the area that its rings enclose before any repair.

What an invalid outline is taken to mean, ring by ring: a ring encloses what it winds around (non-zero rule), so a loop
over itself counts once and both lobes of a bow tie count; holes are cut out of the shell of their own polygon, and one
beside it falls away; the polygons of a multipolygon are united, so what overlaps or lies within another counts once.
A ring that is run through several times is one ring.

Its area "before", which the repaired one is held against, goes by the even-odd rule instead, as most programs fill a
ring: a place that a ring encloses an even number of times is not in it. Holes are cut and polygons united alike. For a
valid outline both rules give its area. Where they differ, the outline is ambiguous, and the difference says how much.
"""

import numpy as np
import shapely
from shapely import LinearRing
from shapely.geometry.base import BaseGeometry

from citygen.arraytypes import Float64, Int64, Objects
from citygen.outcome import Finding, reason

EMPTY = reason("geometry_empty", "rejected", "The geometry is missing or empty.")
NOT_AREAL = reason("geometry_not_areal", "rejected", "The geometry is not a polygon.")
NO_AREA = reason("footprint_no_area", "rejected", "The footprint encloses no area, or less than can be built.")
REPAIRED = reason("footprint_repaired", "degraded", "The outline was invalid; it was made valid, its area may differ.")
BEYOND_REPAIR = reason("footprint_beyond_repair", "rejected", "The outline crosses itself and could not be made valid.")
PARTLY_AREAL = reason("geometry_partly_areal", "degraded", "Lines or points beside the polygon were left out.")

_KINDS = ("Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon")
_POLYGON, _MULTIPOLYGON, _COLLECTION = 3, 6, 7


def valid_areas(geometry: Objects, findings: list[Finding]) -> tuple[Objects, Float64]:
    """
    Keep the polygons of each geometry, valid.

    Parameters
    ----------
    geometry : (n,) object
        Shapely geometries of any type, 2-D, finite; None for rows that were rejected before.
    findings : list of Finding
        Receives what was left out, mended or rejected.

    Returns
    -------
    shapes : (n,) object
        Valid polygons or multipolygons; None where nothing can be built.
    before_m2 : (n,) float64
        Area by the even-odd rule of the outlines that had to be made valid; NaN for all others.
    """
    out = geometry.copy()
    kind = shapely.get_type_id(out)
    missing = shapely.is_missing(out) | shapely.is_empty(out)
    told = np.isin(np.arange(len(out)), [row for f in findings for row in f.rows.tolist()])
    findings.append(Finding(np.flatnonzero(missing & ~told), EMPTY))
    flat = ~missing & np.isin(kind, (0, 1, 2, 4, 5))
    findings.append(Finding(np.flatnonzero(flat), NOT_AREAL, [_KINDS[k] for k in kind[flat].tolist()]))
    out[missing | flat] = None
    for row in np.flatnonzero(~missing & (kind == _COLLECTION)).tolist():  # rare
        areal = _areal(out[row])
        out[row] = shapely.multipolygons(areal) if len(areal) else None
        code = NOT_AREAL if len(areal) == 0 else PARTLY_AREAL
        findings.append(Finding(np.array([row]), code, ["GeometryCollection"]))
    before = np.full(len(out), np.nan)
    wrong = np.flatnonzero(~shapely.is_missing(out) & ~shapely.is_valid(out))
    if len(wrong):
        out[wrong], before[wrong] = _made_valid(out[wrong], wrong, findings)
    return out, before


def _areal(geometry: BaseGeometry) -> Objects:
    """Return the polygons of a geometry that are not empty; collections may hold collections."""
    parts = shapely.get_parts(np.array([geometry], dtype=object))
    while (shapely.get_type_id(parts) > _POLYGON).any():
        parts = shapely.get_parts(parts)
    found: Objects = parts[(shapely.get_type_id(parts) == _POLYGON) & ~shapely.is_empty(parts)]
    return found


def _made_valid(bad: Objects, rows: Int64, findings: list[Finding]) -> tuple[Objects, Float64]:
    """Make invalid outlines valid; say why, and by how much the area changed."""
    why = [str(text)[:80] for text in shapely.is_valid_reason(bad)]
    out, before = np.full(len(bad), None, dtype=object), np.zeros(len(bad))
    corner = np.floor(shapely.bounds(bad)[:, :2])
    local = _moved(bad, -corner)
    stuck = np.zeros(len(bad), dtype=bool)
    for k, each in enumerate(local.tolist()):
        try:
            shape, before[k] = _mended(each)
        except shapely.errors.GEOSException as error:  # an overlay that does not come out even with exact predicates
            stuck[k] = True
            findings.append(Finding(rows[k : k + 1], BEYOND_REPAIR, [f"{why[k]}; {error!s:.80}"]))
            continue
        out[k] = None if shape.is_empty else shape
    after = shapely.area(out)
    gone = shapely.is_missing(out) & ~stuck
    findings.append(Finding(rows[gone], NO_AREA, [why[k] for k in np.flatnonzero(gone)]))
    texts = [f"{why[k]}; {before[k]:.6g} m2 before, {after[k]:.6g} m2 after" for k in np.flatnonzero(~gone & ~stuck)]
    findings.append(Finding(rows[~gone & ~stuck], REPAIRED, texts))
    return _moved(out, corner), before


def _moved(geometry: Objects, by: Float64) -> Objects:
    """Shift each geometry by its own (n, 2) metres."""
    coords, index = shapely.get_coordinates(geometry, return_index=True)
    moved: Objects = shapely.set_coordinates(geometry.copy(), coords + by[index])
    return moved


def _mended(outline: BaseGeometry) -> tuple[BaseGeometry, float]:
    """Return one invalid outline made valid, and its area by the even-odd rule."""
    filled, counted = [], []
    same = True
    for polygon in _areal(outline).tolist():
        rings = [_once(ring) for ring in shapely.get_rings(polygon)]
        wound = [_wound(ring) for ring in rings]
        striped = [shape if ring.is_simple else _striped(ring) for ring, shape in zip(rings, wound, strict=True)]
        same = same and all(a is b for a, b in zip(wound, striped, strict=True))
        filled.append(_cut(wound))
        counted.append(filled[-1] if same else _cut(striped))
    mended = _united(filled)
    return mended, float(mended.area if same else _united(counted).area)


def _once(ring: LinearRing) -> LinearRing:
    """Return a ring that is run through several times as one round."""
    xy = shapely.get_coordinates(ring)[:-1]
    xy = xy[(xy != np.roll(xy, 1, axis=0)).any(axis=1)]
    n = len(xy)
    for rounds in range(2, n // 3 + 1):
        lap = n // rounds
        if n % rounds == 0 and np.array_equal(xy[lap:], xy[:-lap]):
            return LinearRing(xy[:lap])
    return ring


def _wound(ring: LinearRing) -> BaseGeometry:
    """Return what a ring winds around."""
    shape = shapely.Polygon(ring)
    if shape.is_valid:
        return shape
    return _united(_areal(shapely.make_valid(shape, method="structure", keep_collapsed=False)).tolist())


def _striped(ring: LinearRing) -> BaseGeometry:
    """Return what a ring encloses an odd number of times."""
    cells = shapely.get_parts(shapely.polygonize([shapely.node(ring)]))
    if len(cells) == 0:
        return shapely.Polygon()
    inside = shapely.get_coordinates(shapely.point_on_surface(cells))
    xy = shapely.get_coordinates(ring)
    (x0, y0), (x1, y1) = xy[:-1].T, xy[1:].T
    odd = np.zeros(len(cells), dtype=bool)
    for k, (px, py) in enumerate(inside.tolist()):
        over = np.flatnonzero((y0 > py) != (y1 > py))
        odd[k] = np.count_nonzero(px < x0[over] + (py - y0[over]) / (y1[over] - y0[over]) * (x1[over] - x0[over])) % 2
    return shapely.union_all(cells[odd])


def _cut(shapes: list[BaseGeometry]) -> BaseGeometry:
    """Return the first shape less the others."""
    return shapes[0] if len(shapes) == 1 else _areal_only(shapely.difference(shapes[0], shapely.union_all(shapes[1:])))


def _united(shapes: list[BaseGeometry]) -> BaseGeometry:
    """Return the union; an empty polygon of none."""
    if len(shapes) == 1:
        return shapes[0]
    return _areal_only(shapely.union_all(shapes)) if shapes else shapely.Polygon()


def _areal_only(geometry: BaseGeometry) -> BaseGeometry:
    """Drop the lines and points that an overlay may leave."""
    if geometry.geom_type != "GeometryCollection":
        return geometry if geometry.geom_type in {"Polygon", "MultiPolygon"} else shapely.Polygon()
    return _united(_areal(geometry).tolist())
