"""
Roof words and numbers of a tile to one plan a building: shape, direction, eave, top.

Rules, in order (OSM "Simple 3D buildings" where it speaks):

1. Shape: lines that the source draws (``roof:ridge``, ...) stand above its word, which ``roofs.words`` reads.
2. Direction: ``roof_direction`` (down-slope; square to the ridge) beats ``roof_orientation`` beats "ridge along the long
   side". Compass words are snapped to the outline's axes when within 22.5 degrees (they were never meant exactly).
   Roofs that fall one way and say nothing fall to the southern of their two sides.
3. Rise: ``roof_height``, else ``roof_angle`` over the run, else ``roof_levels`` storeys, else the shape's own pitch, kept
   below 45 % of the body and 8 m. A total height bounds the rise; a wall of ``MIN_WALL_M`` always stays.
4. Heights: with a total height the eave is what the rise leaves; with an eave height the top is what the rise adds.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.geom.rings import main_axes
from citygen.geom.tolerances import MIN_WALL_M
from citygen.model.attributes import Attributes
from citygen.model.rings import Rings
from citygen.outcome import Finding, reason
from citygen.roofs.base import MAPPED, RoofShape
from citygen.roofs.draw import measure
from citygen.roofs.words import resolve_words

HEIGHT_CLAMPED = reason(
    "roof_height_clamped", "degraded", "The roof was higher than the building allows; it was lowered."
)
HEIGHT_IGNORED = reason(
    "roof_height_ignored",
    "degraded",
    "A height, an angle or storeys are given for a roof that was built flat.",
)
ANGLE_IGNORED = reason("roof_angle_ignored", "degraded", "Roof height and angle disagree; the height was used.")
ANGLE_CLAMPED = reason(
    "roof_angle_clamped", "degraded", "The roof angle is outside the shape's bounds; it was clamped."
)
EAVE_RAISED = reason("eave_raised", "degraded", "The eave was below the building's base; it was raised to it.")
LINES_MISSING = reason(
    "roof_lines_missing", "degraded", "A mapped roof was asked for, but no lines; a gable was built."
)
EAVE_IGNORED = reason(
    "eave_ignored",
    "degraded",
    "Height, eave height and the roof's rise disagree; the eave is the height less the rise.",
)
LEVELS_UNUSED = reason("roof_levels_unused", "ok", "The roof's height or angle was used, not its storeys.")
ZERO_IGNORED = reason(
    "roof_height_zero", "degraded", "A roof that rises was asked for with a roof height of 0; its usual slope was used."
)
SLOPE_UNUSUAL = reason(
    "roof_slope_unusual", "ok", "The roof's height makes a slope beyond the usual ones of its shape; it was built so."
)
APEX_SPREAD = reason(
    "roof_apex_spread", "ok", "The outline has wings or courtyards: the roof rises along their middle, not to one apex."
)
DIRECTION_UNUSED = reason(
    "roof_direction_unused", "ok", "The ridges follow the outline; the direction or orientation was not needed."
)
ORIENTATION_IGNORED = reason(
    "roof_orientation_ignored", "degraded", "Roof direction and orientation disagree; the direction was used."
)

_ROOF_STOREY_M = 2.7
_EAVE_SLACK_M = 0.25
_DEFAULT_RISE_SHARE, _DEFAULT_RISE_M = 0.45, 8.0
_SNAP_COS = np.cos(np.radians(22.5))


@dataclass(frozen=True, slots=True)
class RoofPlan:
    """
    What to build, a row or a polygon each.

    Attributes
    ----------
    shapes : tuple of RoofShape
        The distinct shapes of the tile; the flat one is first.
    shape : (n,) int64
        Each row's shape.
    roof_from : (n,) object of str
        'tag' or 'default'.
    base_z, eave_z, top_z, rise_m : (n,) float64
        Heights in the DEM's vertical datum, and top less eave, metres.
    axes : (p, 2) float64
        Each polygon's unit cross direction, down-slope.
    variant : (p,) int64
        Each polygon's variant of its shape.
    lines : (p,) object of RoofLines or None, or None
        What the source draws on each polygon.
    segments : int or None
        What was asked for curved roofs.
    """

    shapes: tuple[RoofShape, ...]
    shape: Int64
    roof_from: Objects
    base_z: Float64
    eave_z: Float64
    top_z: Float64
    rise_m: Float64
    axes: Float64
    variant: Int64
    lines: Objects | None = None
    segments: int | None = None


def plan_roofs(
    attributes: Attributes,
    rings: Rings,
    polygon_row: Int64,
    ground: tuple[Float64, Float64],
    north_deg: Float64,
    *,
    lines: Objects | None = None,
    segments: int | None = None,
) -> tuple[RoofPlan, list[Finding]]:
    """
    Settle shape, direction and heights of every building of a tile.

    Parameters
    ----------
    attributes : Attributes
        n rows.
    rings : Rings
        p polygons in local plan coordinates; a row may have several or none.
    polygon_row : (p,) int64
        Row of each polygon.
    ground : ((n,), (n,)) float64
        Datum of each building (what its heights are measured from) and the lowest ground at its walls, metres.
    north_deg : (n,) float64
        Bearing of true north on the grid at each building, degrees clockwise from grid north.
    lines : (p,) object of RoofLines or None, or None
        Usable roof lines of each polygon; a row that has any takes the shape ``MAPPED``.
    segments : int, optional
        Planes that a quarter turn of a curved roof is made of, within each shape's bounds. Default: the shape's own.

    Returns
    -------
    RoofPlan, list of Finding
    """
    drawn = np.zeros(len(attributes), dtype=bool)
    if lines is not None:
        drawn[polygon_row[np.array([each is not None for each in lines], dtype=bool)]] = True
    asked = attributes.roof_shape == MAPPED
    words: Objects = np.where(drawn, MAPPED, np.where(asked, "gabled", attributes.roof_shape))
    shapes, shape, roof_from, findings = resolve_words(words)
    findings.append(Finding(np.flatnonzero(asked & ~drawn), LINES_MISSING))
    one_way = np.array([s.slopes_one_way for s in shapes])[shape]
    axes = _cross_directions(attributes, rings, polygon_row, north_deg, one_way)
    _compare_orientation(attributes, rings, polygon_row, axes, findings)
    run, variant, winged, spread = measure(rings, shapes, shape[polygon_row], axes, lines=lines, segments=segments)
    _note_unused(attributes, polygon_row, winged & ~one_way[polygon_row], findings)
    if spread.any():
        findings.append(Finding(np.unique(polygon_row[spread]), APEX_SPREAD))
    widest = np.zeros(len(shape))
    np.maximum.at(widest, polygon_row, run)
    base, eave, top = _levels(attributes, ground, (shapes, shape), widest, findings)
    return RoofPlan(shapes, shape, roof_from, base, eave, top, top - eave, axes, variant, lines, segments), findings


def _cross_directions(
    attributes: Attributes, rings: Rings, polygon_row: Int64, north_deg: Float64, one_way: Bool
) -> Float64:
    """Return each polygon's unit cross direction (square to the ridge), pointing down-slope; rule 2."""
    main = main_axes(rings.coords, rings.ring_offsets, rings.polygon_offsets)[:, :2]
    across = attributes.roof_orientation[polygon_row] == "across"
    cross = np.where(across[:, None], main, np.stack([-main[:, 1], main[:, 0]], axis=1))
    south = np.where((cross[:, 1] > 1e-9) | ((np.abs(cross[:, 1]) <= 1e-9) & (cross[:, 0] < 0)), -1.0, 1.0)
    cross = cross * south[:, None]
    given_deg = np.where(np.isfinite(attributes.roof_direction_deg), attributes.roof_direction_deg, np.nan)
    bearing = np.radians((given_deg + north_deg)[polygon_row])
    tagged = np.stack([np.sin(bearing), np.cos(bearing)], axis=1)
    given = np.isfinite(bearing)
    tagged[~given] = 0.0
    for axis in (main, np.stack([-main[:, 1], main[:, 0]], axis=1)):
        along = np.einsum("ij,ij->i", tagged, axis)
        snap = attributes.roof_direction_is_named[polygon_row] & (np.abs(along) >= _SNAP_COS)
        tagged[snap] = axis[snap] * np.sign(along[snap])[:, None]
    # a roof that is the same both ways is built one way, whatever sign its tag has
    even = (
        given & ~one_way[polygon_row] & ((tagged[:, 1] > 1e-9) | ((np.abs(tagged[:, 1]) <= 1e-9) & (tagged[:, 0] < 0)))
    )
    tagged[even] *= -1.0
    out: Float64 = np.where(given[:, None], tagged, cross)
    return out


def _note_unused(attributes: Attributes, polygon_row: Int64, winged: Bool, findings: list[Finding]) -> None:
    """Add a note for the rows whose ridges follow the outline although a direction or an orientation is given."""
    asks = np.isfinite(attributes.roof_direction_deg) | (attributes.roof_orientation != "")
    rows = np.unique(polygon_row[winged & asks[polygon_row]])
    if len(rows):
        findings.append(Finding(rows, DIRECTION_UNUSED))


def _compare_orientation(
    attributes: Attributes, rings: Rings, polygon_row: Int64, axes: Float64, findings: list[Finding]
) -> None:
    """Add a finding for the rows whose direction, which is used, lies across what their orientation says."""
    both = np.isfinite(attributes.roof_direction_deg) & (attributes.roof_orientation != "")
    chosen = np.flatnonzero(both[polygon_row])
    if len(chosen) == 0:
        return
    main = main_axes(rings.coords, rings.ring_offsets, rings.polygon_offsets)[chosen, :2]
    lengthwise = np.abs(np.einsum("ij,ij->i", axes[chosen], main)) > np.sqrt(
        0.5
    )  # the slope runs along: a ridge across
    differs = lengthwise != (attributes.roof_orientation[polygon_row[chosen]] == "across")
    rows = np.unique(polygon_row[chosen[differs]])
    findings.append(Finding(rows, ORIENTATION_IGNORED, attributes.roof_orientation[rows].tolist()))


def _levels(
    attributes: Attributes,
    ground: tuple[Float64, Float64],
    chosen: tuple[tuple[RoofShape, ...], Int64],
    run: Float64,
    findings: list[Finding],
) -> tuple[Float64, Float64, Float64]:
    """Return base, eave and top of each row, metres in the DEM's datum; rules 3 and 4."""
    shapes, shape = chosen
    datum, lowest = ground
    flat = np.array([s.is_flat for s in shapes])[shape]
    total, eave_given = attributes.height_m, attributes.eave_height_m
    has_total = np.isfinite(total)
    body = np.where(has_total, total, eave_given) - attributes.min_height_m
    rise, asked = _rise(attributes, chosen, run, body, findings)
    rise = np.where(flat, 0.0, rise)
    limit = np.maximum(body - MIN_WALL_M, 0.0)
    too_high = has_total & (rise > limit)
    _note(findings, too_high & asked, HEIGHT_CLAMPED, rise)
    rise = np.where(too_high, limit, rise)
    for numbers, unit in (
        (attributes.roof_height_m, " m"),
        (attributes.roof_angle_deg, "°"),
        (attributes.roof_levels, ""),
    ):
        _note(findings, flat & (numbers > 0), HEIGHT_IGNORED, numbers, unit)
    _note(findings, ~flat & (attributes.roof_height_m == 0), ZERO_IGNORED, attributes.roof_height_m)
    both = has_total & np.isfinite(eave_given) & ~flat & (total - eave_given > 0.05)
    rise = np.where(both & ~asked, np.minimum(total - eave_given, limit), rise)
    eave = np.where(has_total, total - rise, eave_given)
    _note(findings, has_total & (np.abs(eave - eave_given) > _EAVE_SLACK_M), EAVE_IGNORED, eave_given)
    low = eave < attributes.min_height_m + MIN_WALL_M
    _note(findings, low & ~has_total, EAVE_RAISED, eave)
    eave = np.where(low, attributes.min_height_m + MIN_WALL_M, eave)
    base = np.where(attributes.min_height_m > 0, datum + attributes.min_height_m, np.minimum(datum, lowest))
    return base, datum + eave, datum + eave + rise


def _rise(
    attributes: Attributes,
    chosen: tuple[tuple[RoofShape, ...], Int64],
    run: Float64,
    body: Float64,
    findings: list[Finding],
) -> tuple[Float64, Bool]:
    """Return the rise of each row before the total height bounds it, and whether the source asked for it."""
    shapes, shape = chosen
    pitch = np.full(len(shape), np.nan)
    clamped = np.zeros(len(shape), dtype=bool)
    for k, each in enumerate(shapes):
        mine = shape == k
        pitch[mine], clamped[mine] = each.pitch.clamp(attributes.roof_angle_deg[mine])
    flat = np.array([s.is_flat for s in shapes])[shape]
    _note(findings, clamped & ~flat & ~(attributes.roof_height_m > 0), ANGLE_CLAMPED, attributes.roof_angle_deg, "°")
    by_angle = np.tan(np.radians(pitch)) * run
    by_levels = attributes.roof_levels * _ROOF_STOREY_M
    default = np.minimum(by_angle, np.minimum(np.maximum(body, 0.0) * _DEFAULT_RISE_SHARE, _DEFAULT_RISE_M))
    has_height = np.isfinite(attributes.roof_height_m) & (attributes.roof_height_m > 0)
    has_angle, has_levels = np.isfinite(attributes.roof_angle_deg), np.isfinite(by_levels) & (by_levels > 0)
    rise = np.where(
        has_height, attributes.roof_height_m, np.where(has_angle, by_angle, np.where(has_levels, by_levels, default))
    )
    _note(findings, ~flat & has_levels & (has_height | has_angle), LEVELS_UNUSED, attributes.roof_levels, "")
    low, high = (np.array([getattr(s.pitch, bound) for s in shapes])[shape] for bound in ("low", "high"))
    built = np.degrees(np.arctan2(rise, np.maximum(run, 1e-9)))
    odd = (has_height | has_levels) & ~flat & (run > 0) & ((built < low - 0.5) | (built > high + 0.5))
    _note(findings, odd, SLOPE_UNUSUAL, built, "°")
    differ = (
        has_height & has_angle & ~flat & (np.abs(np.degrees(np.arctan2(rise, run)) - attributes.roof_angle_deg) > 5.0)
    )
    _note(findings, differ, ANGLE_IGNORED, attributes.roof_angle_deg, "°")
    return rise, has_height | has_angle | has_levels


def _note(findings: list[Finding], where: Bool, code: str, values: Float64, unit: str = " m") -> None:
    """Add a finding for the rows of a mask, with the offending value."""
    rows = np.flatnonzero(where)
    if len(rows):
        findings.append(Finding(rows, code, [f"{v:.6g}{unit}" for v in values[rows].tolist()]))
