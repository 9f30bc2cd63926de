"""What a roof shape is: data that a family draws. Shapes register here, one file each, in ``roofs/shapes``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.model.rings import Rings
from citygen.model.rooflines import RoofLines
from citygen.model.surfaces import RoofSurfaces
from citygen.params import Param
from citygen.registry import Registry

if TYPE_CHECKING:  # what draws needs kernels; the catalogue of shapes does not
    from citygen.geom.lifted import Lifted


Section = tuple[Float64, Float64, Float64]
"""``breaks`` (k + 1,) from 0 to 1 across the roof, down-slope last; ``left``, ``right`` (k,) heights 0..1 at each strip's ends."""


@dataclass(frozen=True, slots=True)
class Inset:
    """
    A roof that rises inwards from its walls, as data.

    Attributes
    ----------
    breaks : tuple of float
        Shares of the inset, from 0 at the wall; k + 1 for k strips. 1 is the inset of all walls but the gable ends; the last
        may lie beyond where some walls start late.
    heights : tuple of float
        Heights at the breaks, 0 to 1.
    ends : tuple of float
        How fast the gable ends move inwards in each strip, against 1 of the other walls: 0 is upright. Empty: there are none,
        all walls are alike.
    backs : tuple of float
        The same for the walls on the up-slope side; empty: like the others.
    one_end : tuple of float
        The same for one of the gable ends, the one to the left when looking down-slope; empty: like the others.
    is_capped : bool
        What the last strip encloses is one level face.
    run : float
        Share of the inset over which the roof rises, and its pitch is measured.
    """

    breaks: tuple[float, ...]
    heights: tuple[float, ...]
    ends: tuple[float, ...] = ()
    backs: tuple[float, ...] = ()
    one_end: tuple[float, ...] = ()
    is_capped: bool = False
    run: float = 1.0


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

    draw: "Callable[[Float64, Int64, Float64, RoofLines | None, float], Lifted | None]"
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
    section : callable, optional
        ``section(variant)`` gives the section across the roof (``profile`` family).
    inset : callable, optional
        ``inset(variant)`` gives the section from the walls inwards. A shape of the ``profile`` family that has one is drawn by
        it, along its wings, over outlines that are not compact (L, T, U, H, courtyards).
    run : float
        Share of a section's span over which the pitch is measured (of one tooth, for variants above 1).
    variant : callable, optional
        ``variant(span_m)`` gives a whole number a polygon, which ``section`` takes: a sawtooth's teeth.
    segments : Param, optional
        For curved shapes: planes that a quarter turn is made of; the ``variant`` of section and inset.
    apex : str
        'middle' or 'back': where a shape of the ``revolved`` family has its top; '' for the rest.
    params : tuple of Param
        Its further numbers, for the catalogue.
    is_curved : bool
        True when its planes stand for a curved surface.
    is_flat : bool
        True when the roof has no rise whatever is asked.
    slopes_one_way : bool
        True when the two long sides differ, so the direction's sign matters.
    simpler : str
        The shape that stands in where this one cannot be drawn, before a flat one does.
    planes : Planes, optional
        What the ``planes`` family calls.
    takes_dormers : bool
        False for a shape that has no dormers and chimneys.
    overhangs : bool
        False for a shape that cannot go on beyond the walls: too steep at the eave, or with upright steps at the verge.
    """

    name: str
    family: str
    text: str
    pitch: Param
    section: Callable[[int], Section] | None = None
    inset: Callable[[int], Inset] | None = None
    run: float = 1.0
    variant: Callable[[Float64], Float64] | None = None
    segments: Param | None = None
    apex: str = ""
    params: tuple[Param, ...] = ()
    is_curved: bool = False
    is_flat: bool = False
    slopes_one_way: bool = False
    simpler: str = "flat"
    planes: Planes | None = None
    takes_dormers: bool = True
    overhangs: bool = True


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
    compact : (p,) bool
        Which polygons take one ridge (``geom.walls.compact``).
    grown : (p,) float64
        Metres by which ``rings`` are footprints grown outwards (``geom.grow``); 0 where they are the footprints.
    footprints : Rings
        The footprints of the polygons that are grown; ``rings`` itself where none is.
    lines : (p,) object of RoofLines or None, or None
        Ridges and edges that the source draws on each polygon; None where there are none at all.

    Where ``grown`` is above 0, axes, variant and rise are those of the footprint, and so is the eave from which z counts:
    over the footprint the roof is the one that it has without overhang, beyond it the outermost planes go on (below 0
    where they fall). Footprints whose roof rises around an apex are grown about it.
    """

    rings: Rings
    shapes: tuple[RoofShape, ...]
    shape: Int64
    variant: Int64
    axes: Float64
    rise: Float64
    shift: Float64
    compact: Bool
    grown: Float64
    footprints: Rings
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
        ``reach(task)`` gives the horizontal way over which each polygon's roof rises, metres: the span across for profiles,
        the way from the wall to the innermost place for the others; rise and shift are not read.
    grows : bool
        True when ``draw`` takes grown outlines.
    """

    draw: Callable[[FamilyTask], RoofSurfaces]
    reach: Callable[[FamilyTask], Float64]
    grows: bool = False


ROOFS: Registry[RoofShape] = Registry("roof shape", room="citygen.roofs.shapes", group="citygen.roofs")
FAMILIES: Registry[Family] = Registry("roof family", room="citygen.roofs.families", group="citygen.roof_families")
FLAT = "flat"
"""The shape of last resort: any simple polygon takes it."""
MAPPED = "mapped"
"""The shape of roofs whose ridges the source draws, whatever other shape it names."""
