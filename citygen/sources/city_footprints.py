"""
The surfaces of city objects, in 3D, to one footprint each, and to the heights of ground, eave and ridge.

Whole batches at a time: all rings of all objects lie in one array. The footprint is, of what an object has, the first of:
its LoD 0 footprint, the union of its ground surfaces, its LoD 0 roof edge, the plan of every surface of its highest LoD.
A roof edge comes after the ground surfaces because it reaches over the walls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely

from citygen.arraytypes import Bool, Float64, Int64, Objects

GROUND, ROOF, OTHER, FOOTPRINT, ROOF_EDGE = range(5)
"""What a surface is; the last two are of LoD 0."""

_RANK = np.array([1, 3, 3, 0, 2])
_ALL = 3
"""A surface's rank by what it is: the footprint is made of the lowest that an object has; the last takes all of LoD 1 up."""

_THIN = 5e-4
"""Width in plan of a wall, as a share of its object's extent: half a centimetre of ten metres."""


@dataclass(frozen=True, slots=True)
class Surfaces:
    """
    The surfaces of one object that count: those of its highest LoD and of LoD 0.

    Attributes
    ----------
    points : (k, 3) float64
        Of all rings, one after the other, each without its first point repeated; x, y, z as in the file. NaN where a
        point could not be read; z is NaN where there is none.
    ring_sizes : list of int
        Points of each ring; k in all.
    surface_rings : list of int
        Rings of each surface: its outer one, then its holes.
    kinds : list of int
        What each surface is: ``GROUND``, ``ROOF``, ...
    lod : float
        The highest; NaN without surfaces.
    fault : str
        Why points are NaN, '' where none is.
    """

    points: Float64 = field(default_factory=lambda: np.zeros((0, 3)))
    ring_sizes: list[int] = field(default_factory=list)
    surface_rings: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    lod: float = np.nan
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Plans:
    """
    What a batch of n objects looks like from above, and how high it stands.

    Attributes
    ----------
    geometry : (n,) object of shapely geometry or None
        2D, x and y as in the file. A single surface is as it was given, also where it is no valid polygon.
    problem : list of str or None
        Why there is no footprint, though there are surfaces.
    ground_z, eave_z, ridge_z : (n,) float64
        Lowest point of the ground surfaces (else of the LoD 0 footprint, else of all); lowest point of the roof surfaces;
        highest point. In the model's vertical datum, NaN where unknown. An outline of LoD 0 that lies at zero all over
        tells no height.
    """

    geometry: Objects
    problem: list[str | None]
    ground_z: Float64
    eave_z: Float64
    ridge_z: Float64


@dataclass(frozen=True, slots=True)
class _Batch:
    """All surfaces of all objects: points, rings that can enclose something, surfaces, and whose they are."""

    points: Float64
    point_surface: Int64
    point_ring: Int64
    ring_surface: Int64
    surface_object: Int64
    surface_kind: Int64
    n: int


def plans(objects: Sequence[Surfaces]) -> Plans:
    """
    Find the footprints and heights of a batch of objects.

    Parameters
    ----------
    objects : sequence of Surfaces
        n; those without a surface get neither a footprint nor a problem.

    Returns
    -------
    Plans

    Examples
    --------
    >>> square = np.array([[0, 0, 2], [4, 0, 2], [4, 3, 2], [0, 3, 2]], dtype=float)
    >>> made = plans([Surfaces(square, [4], [1], [GROUND], 2.0)])
    >>> made.geometry[0].area, made.ground_z.tolist(), made.problem
    (12.0, [2.0], [None])
    """
    batch = _joined(objects)
    sound, usable = _judged(batch)
    rank = _RANK[batch.surface_kind]
    best = np.full(batch.n, _ALL + 1)
    np.minimum.at(best, batch.surface_object[usable | ~sound], rank[usable | ~sound])
    chosen = (rank == best[batch.surface_object]) | ((best[batch.surface_object] == _ALL) & (rank == 1))
    broken = np.zeros(batch.n, dtype=bool)
    broken[batch.surface_object[chosen & ~sound]] = True
    chosen &= usable & ~broken[batch.surface_object]
    geometry = _united(batch, chosen)
    problem: list[str | None] = [None] * batch.n
    for k in np.flatnonzero(broken).tolist():
        problem[k] = objects[k].fault or "a coordinate is NaN or infinite"
    lost = np.bincount(batch.surface_object, minlength=batch.n).astype(bool) & ~broken & shapely.is_missing(geometry)
    for k in np.flatnonzero(lost).tolist():
        problem[k] = f"none of its {len(objects[k].kinds)} surfaces has an area in plan"
    for k, each in enumerate(objects):
        if each.fault and not each.kinds:
            problem[k] = each.fault
    return Plans(geometry, problem, *_heights(batch))


def _joined(objects: Sequence[Surfaces]) -> _Batch:
    """Join the objects' arrays; rings of fewer than three points, which enclose nothing, drop out with their points."""
    n = len(objects)
    points = np.concatenate([np.zeros((0, 3)), *(each.points for each in objects)])
    ring_sizes = np.array([size for each in objects for size in each.ring_sizes], dtype=np.int64)
    surface_rings = np.array([count for each in objects for count in each.surface_rings], dtype=np.int64)
    kind = np.array([kind for each in objects for kind in each.kinds], dtype=np.int64)
    owner = np.repeat(np.arange(n), [len(each.kinds) for each in objects])
    ring_surface = np.repeat(np.arange(len(kind)), surface_rings)
    first = np.zeros(len(ring_sizes), dtype=bool)
    starts = np.cumsum(surface_rings) - surface_rings
    first[starts[surface_rings > 0]] = True
    whole = ring_sizes >= 3
    shell = np.zeros(len(kind), dtype=bool)
    shell[ring_surface[first & whole]] = True
    keep = whole & shell[ring_surface]
    point_ring = np.repeat(np.arange(len(ring_sizes)), ring_sizes)
    kept = keep[point_ring]
    number = np.cumsum(keep) - 1
    return _Batch(
        points[kept],
        ring_surface[point_ring[kept]],
        number[point_ring[kept]],
        ring_surface[keep],
        owner,
        kind,
        n,
    )


def _judged(batch: _Batch) -> tuple[Bool, Bool]:
    """Say of each surface whether its points are sound, and whether it has an area in plan."""
    n_surfaces = len(batch.surface_kind)
    xy = batch.points[:, :2]
    unsound = ~np.asarray(np.isfinite(xy)).all(axis=1).reshape(-1)
    sound = np.bincount(batch.point_surface[unsound], minlength=n_surfaces) == 0
    if not len(xy):
        return sound, np.zeros(n_surfaces, dtype=bool)
    xy = np.where(unsound[:, None], 0.0, xy)
    starts = np.flatnonzero(np.diff(batch.point_ring, prepend=-1))
    following = np.arange(1, len(xy) + 1)
    following[np.append(starts[1:], len(xy)) - 1] = starts
    corner = xy[starts][batch.point_ring]  # from a point nearby, so that no digits are lost
    here, there = xy - corner, xy[following] - corner
    with np.errstate(over="ignore", invalid="ignore"):  # wild coordinates; they are judged where they are placed
        area = 0.5 * np.abs(np.add.reduceat(here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0], starts))
        length = np.add.reduceat(np.hypot(*(there - here).T), starts)
        low, high = np.full((batch.n, 2), np.inf), np.full((batch.n, 2), -np.inf)
        owner = batch.surface_object[batch.point_surface]
        np.minimum.at(low, owner, xy)
        np.maximum.at(high, owner, xy)
        extent = np.hypot(*np.where(high >= low, high - low, 0.0).T)
        outer = np.diff(batch.ring_surface, prepend=-1) != 0
        surface = batch.ring_surface[outer]
        wide = 2.0 * area[outer] > _THIN * extent[batch.surface_object[surface]] * length[outer]
        wild = ~np.isfinite(area[outer])
    usable = np.zeros(n_surfaces, dtype=bool)
    usable[surface] = wide | wild
    return sound, usable & sound


def _united(batch: _Batch, chosen: Bool) -> Objects:
    """Make polygons of the chosen surfaces and unite them object by object; None for an object without."""
    out: Objects = np.full(batch.n, None, dtype=object)
    ring = chosen[batch.ring_surface]
    point = ring[batch.point_ring]
    if not ring.any():
        return out
    number = np.cumsum(ring) - 1
    rings = shapely.linearrings(batch.points[point, :2], indices=number[batch.point_ring[point]])
    surfaces, index = np.unique(batch.ring_surface[ring], return_inverse=True)
    polygons: Objects = np.atleast_1d(np.asarray(shapely.polygons(np.atleast_1d(np.asarray(rings)), indices=index)))
    owners, starts, counts = np.unique(batch.surface_object[surfaces], return_index=True, return_counts=True)
    out[owners[counts == 1]] = polygons[starts[counts == 1]]
    several = np.repeat(counts > 1, counts)
    bent = np.flatnonzero(several & ~shapely.is_valid(polygons))
    polygons[bent] = shapely.make_valid(polygons[bent], method="structure", keep_collapsed=False)
    for count in np.unique(counts[counts > 1]).tolist():
        mine = counts == count
        out[owners[mine]] = shapely.union_all(polygons[starts[mine][:, None] + np.arange(count)], axis=1)
    return out


def _heights(batch: _Batch) -> tuple[Float64, Float64, Float64]:
    """Return the lowest ground, the lowest roof and the highest point of each object."""
    kind, owner = batch.surface_kind[batch.point_surface], batch.surface_object[batch.point_surface]
    z = batch.points[:, 2]
    level = np.ones(len(batch.surface_kind), dtype=bool)
    level[batch.point_surface[z != 0.0]] = False
    known = np.isfinite(z) & ~(level & (batch.surface_kind >= FOOTPRINT))[batch.point_surface]

    def lowest(of: Bool) -> Float64:
        out = np.full(batch.n, np.inf)
        np.minimum.at(out, owner[of & known], z[of & known])
        return np.where(np.isfinite(out), out, np.nan)

    ground = lowest(kind == GROUND)
    for other in (kind == FOOTPRINT, kind != ROOF_EDGE):
        ground = np.where(np.isnan(ground), lowest(other), ground)
    top = np.full(batch.n, -np.inf)
    above = known & (kind != FOOTPRINT)
    np.maximum.at(top, owner[above], z[above])
    return ground, lowest(kind == ROOF), np.where(np.isfinite(top), top, np.nan)
