"""Sections swept along a ridge: flat, skillion, gabled, round, gambrel, saltbox, sawtooth, butterfly."""

import numpy as np

from citygen.arraytypes import Float64
from citygen.geom.profile import pack, sweep
from citygen.model.surfaces import RoofSurfaces
from citygen.roofs.base import FAMILIES, Family, FamilyTask, RoofShape, Section


def draw(task: FamilyTask) -> RoofSurfaces:
    """
    Sweep each polygon's section across it.

    Parameters
    ----------
    task : FamilyTask
        Shapes of this family only.

    Returns
    -------
    RoofSurfaces
        In the task's order.
    """
    pairs, section = np.unique(np.stack([task.shape, task.variant], axis=1), axis=0, return_inverse=True)
    sections = pack([_section(task.shapes[s], int(v)) for s, v in pairs.tolist()])
    return sweep(task.rings, task.axes, section.reshape(-1).astype(np.int64), sections, task.rise, task.shift)


def _section(shape: RoofShape, variant: int) -> Section:
    if shape.section is None:
        raise ValueError(f"roof shape {shape.name!r} has no section, which the profile family sweeps")
    return shape.section(variant)


def reach(task: FamilyTask) -> Float64:
    """Return each polygon's extent across its ridge, metres."""
    starts = task.rings.vertex_offsets
    if len(task.rings) == 0:
        return np.empty(0)
    polygon = np.repeat(np.arange(len(task.rings)), np.diff(starts))
    t = np.einsum("ij,ij->i", task.rings.coords, task.axes[polygon])
    span: Float64 = np.maximum.reduceat(t, starts[:-1]) - np.minimum.reduceat(t, starts[:-1])
    return span


FAMILIES.register("profile", Family(draw, reach))
