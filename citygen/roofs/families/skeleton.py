"""
Roofs that rise inwards from every edge: over the straight skeleton (hipped, mansard), or around an apex (pyramidal, dome).

Both take any outline with holes: a shape with an apex whose middle does not see all of the outline rises over its skeleton.
"""

import numpy as np

from citygen.arraytypes import AnyArray, Bool, Float64, Int64
from citygen.geom.inset import inset_faces
from citygen.model.surfaces import RoofSurfaces
from citygen.roofs.base import FAMILIES, Family, FamilyTask


def _packed(task: FamilyTask) -> tuple[Int64, tuple[Float64, Float64, Int64]]:
    """
    Pack the sections of a task's shapes, which do not jump.

    Parameters
    ----------
    task : FamilyTask
        Any.

    Returns
    -------
    section : (p,) int64
        Each polygon's section.
    sections : tuple
        Breaks, heights at them, and where each section starts.
    """
    found = [shape.section(1) for shape in task.shapes]
    sizes = [len(breaks) for breaks, _, _ in found]
    breaks = np.concatenate([breaks for breaks, _, _ in found])
    heights = np.concatenate([np.append(left[:1], right) for _, left, right in found])
    return task.shape, (breaks, heights, np.cumsum([0, *sizes], dtype=np.int64))


def _faces(task: FamilyTask) -> tuple[AnyArray, ...]:
    section, sections = _packed(task)
    outlines = (task.rings.coords, task.rings.ring_offsets, task.rings.polygon_offsets)
    apex = np.array([shape.family == "revolved" for shape in task.shapes])[task.shape]
    found: tuple[AnyArray, ...] = inset_faces(outlines, section, sections, apex, task.shift)
    return found


def draw(task: FamilyTask) -> RoofSurfaces:
    """
    Roof each polygon over its skeleton.

    Parameters
    ----------
    task : FamilyTask
        Shapes whose sections do not jump.

    Returns
    -------
    RoofSurfaces
        In the task's order.
    """
    points, corners, faces, polygon_faces, chain, chain_offsets, ok, _ = _faces(task)
    return _lifted(task, (points, corners, faces, polygon_faces, chain, chain_offsets), ok)


def _lifted(task: FamilyTask, arrays: tuple[AnyArray, ...], ok: Bool) -> RoofSurfaces:
    """
    Scale unit heights to each polygon's rise and wrap the arrays.

    Parameters
    ----------
    task : FamilyTask
        For the rises.
    arrays : tuple
        Points with heights 0..1, corners, face offsets, faces a polygon, chains, chain offsets; no face has holes.
    ok : (p,) bool
        Which polygons came out.

    Returns
    -------
    RoofSurfaces
    """
    points, corners, faces, polygon_faces, chain, chain_offsets = arrays
    owner = np.zeros(len(points), dtype=np.int64)
    face_polygon = np.repeat(np.arange(len(ok)), np.diff(polygon_faces))
    owner[corners] = np.repeat(face_polygon, np.diff(faces))
    raised = points.copy()
    raised[:, 2] *= task.rise[owner]
    n_faces = len(faces) - 1
    each = np.arange(n_faces + 1, dtype=np.int64)
    return RoofSurfaces(
        raised, corners, faces, each, polygon_faces, np.zeros(n_faces, dtype=np.uint8), chain, chain_offsets, ok
    )


def reach(task: FamilyTask) -> Float64:
    """Return the largest inset of each polygon, metres; where the skeleton fails, half of its narrower extent."""
    *_, ok, inset = _faces(task)
    box = task.rings.bounds()
    half = np.minimum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]) / 2
    out: Float64 = np.where(ok, inset, half)
    return out


for _name in ("skeleton", "revolved"):
    FAMILIES.register(_name, Family(draw, reach))
