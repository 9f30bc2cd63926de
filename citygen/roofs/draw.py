"""Planned polygons to roof surfaces, each by the family of its shape."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.geom.revolve import apexes
from citygen.geom.walls import compact
from citygen.model.rings import Rings, take
from citygen.model.surfaces import RoofSurfaces
from citygen.roofs.base import FAMILIES, Family, FamilyTask, RoofShape

_WINGED = "skeleton"
"""Draws ridged shapes over outlines that are not compact: along the wings."""
_ONE_RIDGE = ("planes", "profile")
"""Families that would span all wings of an outline with one ridge, or one cross of ridges."""


@dataclass(frozen=True, slots=True)
class RoofTask:
    """
    Polygons to roof.

    Attributes
    ----------
    rings : Rings
        p polygons, local plan coordinates.
    shapes : tuple of RoofShape
        The distinct shapes.
    shape : (p,) int64
        Which of them each polygon takes.
    variant : (p,) int64
        Its variant of it.
    axes : (p, 2) float64
        Cross directions.
    rise, shift, grown : (p,) float64
        Rise, perturbation, and how far ``rings`` reach beyond the walls, metres.
    footprints : Rings
        The polygons between the walls: ``rings`` itself where nothing reaches beyond.
    lines : (p,) object of RoofLines or None, or None
        What the source draws on each polygon; None where there is nothing at all.
    """

    rings: Rings
    shapes: tuple[RoofShape, ...]
    shape: Int64
    variant: Int64
    axes: Float64
    rise: Float64
    shift: Float64
    grown: Float64
    footprints: Rings
    lines: Objects | None = None


def draw(task: RoofTask) -> list[tuple[Int64, RoofSurfaces]]:
    """
    Draw the roofs of polygons.

    Parameters
    ----------
    task : RoofTask
        What to draw.

    Returns
    -------
    list of ((k,) int64, RoofSurfaces)
        For each family: its polygons, and their surfaces in that order.
    """
    return [(index, family.draw(part)) for index, _, family, part in _by_family(task)]


def measure(
    rings: Rings,
    shapes: tuple[RoofShape, ...],
    shape: Int64,
    axes: Float64,
    *,
    lines: Objects | None = None,
    segments: int | None = None,
) -> tuple[Float64, Int64, Bool, Bool]:
    """
    Measure the horizontal way over which each polygon's roof rises, and choose variants.

    Parameters
    ----------
    rings : Rings
        p polygons, local plan coordinates.
    shapes : tuple of RoofShape
        The distinct shapes.
    shape : (p,) int64
        Which of them each polygon takes.
    axes : (p, 2) float64
        Cross directions.
    lines : (p,) object of RoofLines or None, or None
        What the source draws on each polygon.
    segments : int, optional
        For curved shapes, within their bounds; default: their own.

    Returns
    -------
    run : (p,) float64
        Metres: the rise is this times the slope.
    variant : (p,) int64
        Of the shape.
    winged : (p,) bool
        Which roofs follow the outline's walls or wings, so that no direction is asked for.
    spread : (p,) bool
        Which roofs with an apex over the middle rise along the outline's wings instead.
    """
    run, variant = np.zeros(len(rings)), default_variants(shapes, segments)[shape]
    winged, spread = np.zeros(len(rings), dtype=bool), np.zeros(len(rings), dtype=bool)
    still = np.zeros(len(rings))
    task = RoofTask(rings, shapes, shape, variant, axes, still, still, still, rings, lines)
    for index, name, family, part in _by_family(task):
        run[index] = family.reach(part)
        spread[index] = _spread(part)
        if name == _WINGED:
            winged[index] = ~part.compact | np.array([not _has_ends(s) for s in shapes])[part.shape]
            continue
        for k, each in enumerate(shapes):
            mine = index[shape[index] == k]
            if each.variant is not None:
                variant[mine] = each.variant(run[mine]).astype(np.int64)
                run[mine] /= variant[mine]
            run[mine] *= each.run
    return run, variant, winged, spread


def _spread(part: FamilyTask) -> Bool:
    """Say which polygons' shapes have an apex over the middle that does not suit the outline."""
    asks: Bool = np.array([s.apex == "middle" for s in part.shapes])[part.shape]
    if not asks.any():
        return asks
    rings = part.rings
    found = apexes(rings.coords, rings.ring_offsets, rings.polygon_offsets, part.compact)
    spread: Bool = asks & np.isnan(found[:, 0])
    return spread


def _has_ends(shape: RoofShape) -> bool:
    """Say whether walls of a shape differ, so that a direction says which."""
    return shape.inset is not None and bool(shape.inset(2).ends)


def default_variants(shapes: tuple[RoofShape, ...], segments: int | None = None) -> Int64:
    """Return the variant (s,) int64 of each shape where the outline does not choose one: a curved one's segments."""
    asked = np.array([np.nan if segments is None else float(segments)])
    return np.array([1 if s.segments is None else int(s.segments.clamp(asked)[0][0]) for s in shapes], dtype=np.int64)


def _by_family(task: RoofTask) -> Iterator[tuple[Int64, str, Family, FamilyTask]]:
    """Yield each family that polygons ask for, with those polygons and the task that they make."""
    names = sorted({s.family for s in task.shapes} | {_WINGED})
    own = np.array([names.index(s.family) for s in task.shapes])[task.shape]
    may_wing = np.array([s.family in _ONE_RIDGE and s.inset is not None for s in task.shapes])[task.shape]
    is_compact: Bool = np.ones(len(task.rings), dtype=bool)
    asks = np.array([s.family != "profile" and (bool(s.apex) or _has_ends(s)) for s in task.shapes])[task.shape]
    looked = np.flatnonzero(may_wing | asks)
    if len(looked):
        mine = task.footprints if len(looked) == len(task.rings) else take(task.footprints, looked)
        is_compact[looked] = compact(mine.coords, mine.ring_offsets, mine.polygon_offsets)
    own[may_wing & ~is_compact] = names.index(_WINGED)
    for f, name in enumerate(names):
        index = np.flatnonzero(own == f)
        if len(index):
            mine = task.rings if len(index) == len(task.rings) else take(task.rings, index)
            part = FamilyTask(
                mine,
                task.shapes,
                task.shape[index],
                task.variant[index],
                task.axes[index],
                task.rise[index],
                task.shift[index],
                is_compact[index],
                task.grown[index],
                mine if task.footprints is task.rings else take(task.footprints, index),
                None if task.lines is None else task.lines[index],
            )
            yield index, name, FAMILIES[name], part
