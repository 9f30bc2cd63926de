"""Sections swept along a ridge: flat, skillion, gabled, round, gambrel, saltbox, sawtooth, butterfly."""

import numpy as np

from citygen.arraytypes import Float64
from citygen.geom.profile import pack, sweep
from citygen.model.rings import Rings
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
    if task.grown.any():
        each = np.arange(len(task.rings), dtype=np.int64)
        return sweep(task.rings, task.axes, each, pack(_extended(task)), task.rise, task.shift)
    pairs, section = np.unique(np.stack([task.shape, task.variant], axis=1), axis=0, return_inverse=True)
    sections = pack([_section(task.shapes[s], int(v)) for s, v in pairs.tolist()])
    return sweep(task.rings, task.axes, section.reshape(-1).astype(np.int64), sections, task.rise, task.shift)


def _section(shape: RoofShape, variant: int) -> Section:
    if shape.section is None:
        raise ValueError(f"roof shape {shape.name!r} has no section, which the profile family sweeps")
    return shape.section(variant)


def _extended(task: FamilyTask) -> list[Section]:
    """Return each polygon's own section: the footprint's, its outermost strips drawn out to the grown outline."""
    low, high = _extent(task.rings, task.axes)
    inner_low, inner_high = _extent(task.footprints, task.axes)
    known: dict[tuple[int, int], Section] = {}
    out: list[Section] = []
    for p, pair in enumerate(zip(task.shape.tolist(), task.variant.tolist(), strict=True)):
        if pair not in known:
            known[pair] = _section(task.shapes[pair[0]], pair[1])
        breaks, left, right = known[pair]
        at = inner_low[p] + breaks * (inner_high[p] - inner_low[p])
        first, last = (right[0] - left[0]) / (at[1] - at[0]), (right[-1] - left[-1]) / (at[-1] - at[-2])
        left, right = left.copy(), right.copy()
        left[0] -= first * (at[0] - low[p])
        right[-1] += last * (high[p] - at[-1])
        at[0], at[-1] = low[p], high[p]
        out.append(((at - low[p]) / (high[p] - low[p]), left, right))
    return out


def _extent(rings: Rings, axes: Float64) -> tuple[Float64, Float64]:
    """Return the least and the largest cross coordinate of each polygon, metres."""
    starts = rings.vertex_offsets
    polygon = np.repeat(np.arange(len(rings)), np.diff(starts))
    t = np.einsum("ij,ij->i", rings.coords, axes[polygon])
    return np.minimum.reduceat(t, starts[:-1]), np.maximum.reduceat(t, starts[:-1])


def reach(task: FamilyTask) -> Float64:
    """Return each polygon's extent across its ridge, metres."""
    if len(task.rings) == 0:
        return np.empty(0)
    low, high = _extent(task.rings, task.axes)
    span: Float64 = high - low
    return span


FAMILIES.register("profile", Family(draw, reach, grows=True))
