"""Planned polygons to roof surfaces, each by the family of its shape."""

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.model.rings import Rings, take
from citygen.model.surfaces import RoofSurfaces
from citygen.roofs.base import FAMILIES, FamilyTask, RoofShape


def draw(
    rings: Rings, shapes: tuple[RoofShape, ...], shape: Int64, numbers: tuple[Int64, Float64, Float64, Float64]
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

    Returns
    -------
    list of ((k,) int64, RoofSurfaces)
        For each family: its polygons, and their surfaces in that order.
    """
    variant, axes, rise, shift = numbers
    out = []
    for family in sorted({s.family for s in shapes}):
        wanted = np.array([s.family == family for s in shapes])
        index = np.flatnonzero(wanted[shape])
        if len(index) == 0:
            continue
        mine = rings if len(index) == len(rings) else take(rings, index)
        task = FamilyTask(mine, shapes, shape[index], variant[index], axes[index], rise[index], shift[index])
        out.append((index, FAMILIES[family].draw(task)))
    return out


def measure(rings: Rings, shapes: tuple[RoofShape, ...], shape: Int64, axes: Float64) -> Float64:
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

    Returns
    -------
    (p,) float64
        Metres; its family says from where to where.
    """
    out = np.zeros(len(rings))
    for family in sorted({s.family for s in shapes}):
        index = np.flatnonzero(np.array([s.family == family for s in shapes])[shape])
        if len(index):
            mine = rings if len(index) == len(rings) else take(rings, index)
            still = np.zeros(len(index))
            ones = np.ones(len(index), dtype=np.int64)
            out[index] = FAMILIES[family].reach(FamilyTask(mine, shapes, shape[index], ones, axes[index], still, still))
    return out
