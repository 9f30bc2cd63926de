"""Planned polygons to roof surfaces, each by the family of its shape."""

from collections.abc import Iterator

import numpy as np

from citygen.arraytypes import Float64, Int64, Objects
from citygen.model.rings import Rings, take
from citygen.model.surfaces import RoofSurfaces
from citygen.roofs.base import FAMILIES, Family, FamilyTask, RoofShape


def draw(
    rings: Rings,
    shapes: tuple[RoofShape, ...],
    shape: Int64,
    numbers: tuple[Int64, Float64, Float64, Float64],
    lines: Objects | None = None,
) -> list[tuple[Int64, RoofSurfaces]]:
    """
    Draw the roofs of polygons.

    Parameters
    ----------
    rings : Rings
        p polygons, local plan coordinates.
    shapes : tuple of RoofShape
        The distinct shapes.
    shape : (p,) int64
        Which of them each polygon takes.
    numbers : ((p,) int64, (p, 2), (p,), (p,) float64)
        Variant, cross direction, rise and perturbation (m) of each polygon.
    lines : (p,) object of RoofLines or None, or None
        What the source draws on each polygon.

    Returns
    -------
    list of ((k,) int64, RoofSurfaces)
        For each family: its polygons, and their surfaces in that order.
    """
    return [(index, family.draw(task)) for index, family, task in _by_family(rings, shapes, shape, numbers, lines)]


def measure(
    rings: Rings, shapes: tuple[RoofShape, ...], shape: Int64, axes: Float64, lines: Objects | None = None
) -> Float64:
    """
    Measure the horizontal way over which each polygon's roof rises.

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

    Returns
    -------
    (p,) float64
        Metres; its family says from where to where.
    """
    out = np.zeros(len(rings))
    still = np.zeros(len(rings))
    numbers = (np.ones(len(rings), dtype=np.int64), axes, still, still)
    for index, family, task in _by_family(rings, shapes, shape, numbers, lines):
        out[index] = family.reach(task)
    return out


def _by_family(
    rings: Rings,
    shapes: tuple[RoofShape, ...],
    shape: Int64,
    numbers: tuple[Int64, Float64, Float64, Float64],
    lines: Objects | None,
) -> Iterator[tuple[Int64, Family, FamilyTask]]:
    """Yield each family that polygons ask for, with those polygons and the task that they make."""
    variant, axes, rise, shift = numbers
    for family in sorted({s.family for s in shapes}):
        index = np.flatnonzero(np.array([s.family == family for s in shapes])[shape])
        if len(index):
            mine = rings if len(index) == len(rings) else take(rings, index)
            drawn = None if lines is None else lines[index]
            task = FamilyTask(mine, shapes, shape[index], variant[index], axes[index], rise[index], shift[index], drawn)
            yield index, FAMILIES[family], task
