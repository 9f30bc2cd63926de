"""Roofs of planes that meet along lines of any direction: crossing gables, mapped ridges. One polygon at a time: they are rare."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.geom.lifted import Lifted, gather
from citygen.model.rooflines import RoofLines
from citygen.model.surfaces import RoofSurfaces
from citygen.roofs.base import FAMILIES, Family, FamilyTask, Planes


def draw(task: FamilyTask) -> RoofSurfaces:
    """
    Roof each polygon as its shape draws it.

    Parameters
    ----------
    task : FamilyTask
        Shapes of this family only.

    Returns
    -------
    RoofSurfaces
        In the task's order; ``ok`` is False where the shape could not be drawn.
    """
    roofs: list[Lifted | None] = []
    sizes: list[int] = []
    for p, (planes, xy, rings, axis, lines) in enumerate(_each(task)):
        sizes.append(len(xy))
        roof = planes.draw(xy, rings, axis, lines, float(task.shift[p]))
        if roof is not None:
            roof = replace(roof, points=roof.points * np.array([1.0, 1.0, task.rise[p]]))
        roofs.append(roof)
    return gather(roofs, sizes)


def reach(task: FamilyTask) -> Float64:
    """Return the way over which each polygon's shape rises, metres."""
    ways = [planes.reach(xy, rings, axis, lines) for planes, xy, rings, axis, lines in _each(task)]
    return np.array(ways, dtype=np.float64)


def _each(task: FamilyTask) -> Iterator[tuple[Planes, Float64, Int64, Float64, RoofLines | None]]:
    """Yield what each polygon's shape is called with."""
    rings = task.rings
    for p in range(len(rings)):
        offsets = rings.ring_offsets[rings.polygon_offsets[p] : rings.polygon_offsets[p + 1] + 1]
        planes = task.shapes[task.shape[p]].planes
        if planes is None:
            raise TypeError(f"roof shape {task.shapes[task.shape[p]].name!r} of the planes family has no planes")
        xy = rings.coords[offsets[0] : offsets[-1]]
        yield planes, xy, offsets - offsets[0], task.axes[p], None if task.lines is None else task.lines[p]


FAMILIES.register("planes", Family(draw, reach))
