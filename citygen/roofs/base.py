"""What a roof shape is: data that a family draws. Shapes register here, one file each, in ``roofs/shapes``."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float64, Int64, Objects
from citygen.geom.lifted import Lifted
from citygen.model.rings import Rings
from citygen.model.rooflines import RoofLines
from citygen.model.surfaces import RoofSurfaces
from citygen.params import Param
from citygen.registry import Registry

Section = tuple[Float64, Float64, Float64]
"""``breaks`` (k + 1,) from 0 to 1 across the roof, down-slope last; ``left``, ``right`` (k,) heights 0..1 at each strip's ends."""


def _one(span_m: Float64) -> Float64:
    return np.ones_like(span_m)


@dataclass(frozen=True, slots=True)
class Planes:
    """
    How a shape of the ``planes`` family is drawn, one polygon at a time.

    Both take its vertices (m), ring offsets (from 0), unit cross direction, and the lines drawn on it.

    Attributes
    ----------
    draw : callable
        ``draw(xy, ring_offsets, axis, lines, shift)`` gives faces with heights 0..1, or None.
    reach : callable
        ``reach(xy, ring_offsets, axis, lines)`` gives the horizontal way over which it rises, metres.
    """

    draw: Callable[[Float64, Int64, Float64, RoofLines | None, float], Lifted | None]
    reach: Callable[[Float64, Int64, Float64, RoofLines | None], float]


@dataclass(frozen=True, slots=True)
class RoofShape:
    """
    A roof shape as data.

    Attributes
    ----------
    name : str
        The canonical word (OSM's where it has one).
    family : str
        The family that draws it.
    text : str
        One sentence for the catalogue.
    pitch : Param
        Slope in degrees where nothing is given, and its bounds.
    section : callable
        ``section(variant)`` gives the section across the roof (``profile`` family).
    run : float
        Share of the family's reach over which the pitch is measured: of the span across (of one tooth, for variants above
        1) for profiles, of the way from the wall to the innermost place for the others.
    variant : callable
        ``variant(span_m)`` gives a whole number a polygon (a sawtooth's teeth); 1 for most.
    is_flat : bool
        True when the roof has no rise whatever is asked.
    slopes_one_way : bool
        True when the two long sides differ, so the direction's sign matters.
    planes : Planes or None
        What the ``planes`` family calls; None for shapes of other families.
    """

    name: str
    family: str
    text: str
    pitch: Param
    section: Callable[[int], Section]
    run: float
    variant: Callable[[Float64], Float64] = _one
    is_flat: bool = False
    slopes_one_way: bool = False
    planes: Planes | None = None


@dataclass(frozen=True, slots=True)
class FamilyTask:
    """
    Polygons for one family to roof.

    Attributes
    ----------
    rings : Rings
        Local plan coordinates, metres.
    shapes : tuple of RoofShape
        The distinct shapes.
    shape : (p,) int64
        Which of ``shapes`` each polygon takes.
    variant : (p,) int64
        Each polygon's variant of its shape.
    axes : (p, 2) float64
        Unit cross direction, pointing down-slope.
    rise : (p,) float64
        Metres from eave to top.
    shift : (p,) float64
        Perturbation in metres: 0 at first, then more with each try.
    lines : (p,) object of RoofLines or None, or None
        Ridges and edges that the source draws on each polygon; None where there are none at all.
    """

    rings: Rings
    shapes: tuple[RoofShape, ...]
    shape: Int64
    variant: Int64
    axes: Float64
    rise: Float64
    shift: Float64
    lines: Objects | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """
    One construction of roofs.

    Attributes
    ----------
    draw : callable
        ``draw(task)`` gives the surfaces of all polygons, in the task's order.
    reach : callable
        ``reach(task)`` gives the horizontal way over which each polygon's roof rises, metres; rise and shift are not read.
    """

    draw: Callable[[FamilyTask], RoofSurfaces]
    reach: Callable[[FamilyTask], Float64]


ROOFS: Registry[RoofShape] = Registry("roof shape", room="citygen.roofs.shapes", group="citygen.roofs")
FAMILIES: Registry[Family] = Registry("roof family", room="citygen.roofs.families", group="citygen.roof_families")
FLAT = "flat"
"""The shape of last resort: any simple polygon takes it."""
MAPPED = "mapped"
"""The shape of roofs whose ridges the source draws, whatever other shape it names."""
