"""All geometries of a city object to the surfaces that count: those of its highest LoD, and its outline of LoD 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from citygen.sources.city_footprints import FOOTPRINT, GROUND, ROOF, ROOF_EDGE

Boundary = TypeVar("Boundary")


@dataclass(frozen=True, slots=True)
class Geometry(Generic[Boundary]):
    """
    One geometry of an object.

    Attributes
    ----------
    lod : float
        Level of detail.
    kinds : sequence of int
        What each surface is.
    boundaries : sequence
        Its surfaces, in whatever form the format has them.
    """

    lod: float
    kinds: Sequence[int]
    boundaries: Sequence[Boundary]


def surfaces_that_count(
    geometries: Sequence[Geometry[Boundary]],
) -> tuple[list[int], list[Boundary], float]:
    """
    Choose surfaces.

    All surfaces of the highest LoD count; ground surfaces of the next lower LoD that has some, where the highest has none;
    and one geometry of LoD 0 (0.0 to 0.3), the first that is no roof, else the first.

    Parameters
    ----------
    geometries : sequence of Geometry
        In file order.

    Returns
    -------
    kinds : list of int
        What each chosen surface is.
    boundaries : list
        The chosen surfaces.
    lod : float
        The highest LoD; NaN without geometries.

    Examples
    --------
    >>> surfaces_that_count([Geometry(0, [ROOF], ["edge"]), Geometry(1, [GROUND], ["floor"]), Geometry(2, [ROOF], ["roof"])])
    ([4, 1, 0], ['edge', 'roof', 'floor'], 2)
    """
    solid = [each for each in geometries if each.lod >= 1 and len(each.kinds)]
    plan = [each for each in geometries if each.lod < 1 and len(each.kinds)]
    kinds: list[int] = []
    boundaries: list[Boundary] = []
    if plan:
        edge = all(ROOF in each.kinds or ROOF_EDGE in each.kinds for each in plan)
        best = next((e for e in plan if not (ROOF in e.kinds or ROOF_EDGE in e.kinds)), plan[0])
        kinds += [ROOF_EDGE if edge else FOOTPRINT] * len(best.kinds)
        boundaries += best.boundaries
    if not solid:
        return kinds, boundaries, float("nan") if not plan else max(each.lod for each in plan)
    lods = sorted({each.lod for each in solid}, reverse=True)
    for each in solid:
        if each.lod == lods[0]:
            kinds += each.kinds
            boundaries += each.boundaries
    for lod in lods[1:]:
        if GROUND in kinds:
            break
        for each in solid:
            if each.lod == lod:
                floor = [b for kind, b in zip(each.kinds, each.boundaries, strict=True) if kind == GROUND]
                kinds += [GROUND] * len(floor)
                boundaries += floor
    return kinds, boundaries, lods[0]
