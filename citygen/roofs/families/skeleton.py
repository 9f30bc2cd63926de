"""
Roofs that rise inwards from every wall: over the straight skeleton (hipped, mansard), or around an apex (pyramidal, dome).

Both take any outline with holes: a shape with an apex that does not see all of the outline rises over its skeleton. Ridged
shapes (gabled, gambrel) come here for outlines with wings: their gable ends stand still while the other walls move.
"""

from dataclasses import replace

import numpy as np

from citygen.arraytypes import AnyArray, Float64, Int64
from citygen.geom.inset import BACK, MIDDLE, inset_surfaces
from citygen.geom.tolerances import PERTURB_M
from citygen.model.surfaces import RoofSurfaces
from citygen.roofs.base import FAMILIES, Family, FamilyTask, Inset, RoofShape

_APEX = {"": 0, "middle": MIDDLE, "back": BACK}


def _packed(task: FamilyTask) -> tuple[Int64, Int64, tuple[AnyArray, ...]]:
    """
    Pack the insets of a task's shapes and variants.

    Parameters
    ----------
    task : FamilyTask
        Any of this family.

    Returns
    -------
    form : (p,) int64
        Each polygon's form and section.
    forms : (s, 4) int64
        As ``inset_surfaces`` takes them.
    sections : tuple
        Breaks, heights at them, where each section starts, speeds of ends, of high walls and of the one end.
    """
    pairs, form = np.unique(np.stack([task.shape, task.variant], axis=1), axis=0, return_inverse=True)
    shapes = [task.shapes[s] for s, _ in pairs.tolist()]
    insets = [_inset(shape, int(v)) for shape, (_, v) in zip(shapes, pairs.tolist(), strict=True)]
    walls = [2 if shape.apex == "back" else int(bool(i.ends)) for shape, i in zip(shapes, insets, strict=True)]
    forms = np.array(
        [
            (i.is_capped, wall, bool(i.one_end), _APEX[shape.apex])
            for shape, wall, i in zip(shapes, walls, insets, strict=True)
        ],
        dtype=np.int64,
    )
    even = [(1.0,) * (len(i.breaks) - 1) for i in insets]
    still = [tuple(0.0 for _ in each) for each in even]
    ends = [i.ends or (still[k] if walls[k] == 2 else even[k]) for k, i in enumerate(insets)]
    backs = [i.backs or even[k] for k, i in enumerate(insets)]
    ones = [i.one_end or even[k] for k, i in enumerate(insets)]
    offsets = np.cumsum([0, *(len(i.breaks) for i in insets)], dtype=np.int64)
    columns = (
        [i.breaks for i in insets],
        [i.heights for i in insets],
        ends,
        backs,
        ones,
    )
    breaks, heights, *speeds = (np.concatenate(c).astype(np.float64) for c in columns)
    return form.reshape(-1).astype(np.int64), forms, (breaks, heights, offsets, *speeds)


def _inset(shape: RoofShape, variant: int) -> Inset:
    if shape.inset is None:
        raise ValueError(f"roof shape {shape.name!r} has no inset, which the skeleton family draws")
    inset = shape.inset(variant)
    strips = len(inset.breaks) - 1
    sizes = {len(each) for each in (inset.ends, inset.backs, inset.one_end) if each}
    if len(inset.heights) != strips + 1 or sizes - {strips} or (inset.is_capped and strips < 2):
        raise ValueError(f"roof shape {shape.name!r}: heights one more than strips, speeds as many, a cap over a strip")
    return inset


def _surfaces(task: FamilyTask) -> tuple[AnyArray, ...]:
    form, forms, sections = _packed(task)
    outlines = tuple((r.coords, r.ring_offsets, r.polygon_offsets) for r in (task.rings, task.footprints))
    how = (form, np.ascontiguousarray(task.axes), task.compact, task.grown, task.shift)
    found: tuple[AnyArray, ...] = inset_surfaces(outlines, forms, sections, how)
    return found


def draw(task: FamilyTask) -> RoofSurfaces:
    """
    Roof each polygon over its skeleton.

    Parameters
    ----------
    task : FamilyTask
        Shapes with an inset.

    Returns
    -------
    RoofSurfaces
        In the task's order.
    """
    *arrays, _ = _surfaces(task)
    surfaces = RoofSurfaces(*arrays)
    owner = np.zeros(len(surfaces.points), dtype=np.int64)
    face = np.repeat(np.arange(len(task.rings)), np.diff(surfaces.polygon_faces))
    owner[surfaces.corners] = np.repeat(face, np.diff(surfaces.ring_offsets[surfaces.face_offsets]))
    edge = np.repeat(np.arange(len(task.rings)), np.diff(task.rings.vertex_offsets))
    owner[surfaces.chain] = np.repeat(edge, np.diff(surfaces.chain_offsets))
    surfaces.points[:, 2] *= task.rise[owner]  # made here, and nobody else's yet
    return surfaces


def reach(task: FamilyTask) -> Float64:
    """Return the largest inset of each polygon, metres; where no skeleton is found, half of its narrower extent."""
    *_, ok, inset = _surfaces(task)
    if not ok.all():
        *_, moved, again = _surfaces(replace(task, shift=np.full(len(ok), PERTURB_M)))
        inset, ok = np.where(ok, inset, again), ok | moved
    box = task.rings.bounds()
    half = np.minimum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]) / 2
    share = np.array([1.0 if s.inset is None else s.inset(2).run for s in task.shapes])[task.shape]
    out: Float64 = np.where(ok, inset, half) * share
    return out


for _name in ("skeleton", "revolved"):
    FAMILIES.register(_name, Family(draw, reach, grows=True))
