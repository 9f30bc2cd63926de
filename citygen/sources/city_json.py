"""
The geometry objects of a CityJSON city object (parsed JSON) and the file's vertices to the surfaces that count.

CityJSON 2.0 specification, sections 3 (geometry objects) and 3.3 (semantics); 1.0 and 1.1 differ in nothing that matters
here. Indices that are negative, too large or no whole numbers, and vertices that are no finite numbers, make their points
NaN, with a text that says why; nothing raises.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.sources.city_footprints import GROUND, OTHER, ROOF, Surfaces
from citygen.sources.city_lods import Geometry, surfaces_that_count

_NESTED = {"MultiSurface": 0, "CompositeSurface": 0, "Solid": 1, "MultiSolid": 2, "CompositeSolid": 2}
"""Lists around the surfaces of a geometry, by its type."""

_KINDS: Mapping[str, int] = {"GroundSurface": GROUND, "RoofSurface": ROOF}


@dataclass(frozen=True, slots=True)
class Transform:
    """Scale and translation of a file's whole-number vertices."""

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    translate: tuple[float, float, float] = (0.0, 0.0, 0.0)


def read_transform(thing: Any) -> Transform | None:
    """Return a file's transform, None where it is no such thing."""
    try:
        numbers = [tuple(float(v) for v in thing[name]) for name in ("scale", "translate")]
    except (TypeError, KeyError, ValueError, OverflowError):
        return None
    if any(len(each) != 3 for each in numbers):
        return None
    scale, translate = ((a, b, c) for a, b, c in numbers)
    return Transform(scale, translate)


def read_vertices(things: Sequence[Any], transform: Transform) -> Float64:
    """
    Return vertices in the file's CRS.

    Parameters
    ----------
    things : sequence
        Parsed ``vertices``.
    transform : Transform
        Of the file.

    Returns
    -------
    (n, 3) float64
        NaN where a vertex is not three numbers.

    Examples
    --------
    >>> read_vertices([[1, 2, 3], ["x"]], Transform((0.5, 0.5, 0.5), (10, 0, 0))).tolist()
    [[10.5, 1.0, 1.5], [nan, nan, nan]]
    """
    try:
        out = np.array(things, dtype=np.float64)
        plain = out.shape == (len(things), 3) and not any(isinstance(v, str) for v in chain.from_iterable(things))
    except (TypeError, ValueError, OverflowError):
        plain = False
    if not plain:
        out = np.array([_vertex(each) for each in things], dtype=np.float64).reshape(-1, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        return out * transform.scale + transform.translate


def _vertex(thing: Any) -> tuple[float, float, float]:
    """Return one vertex, NaN where it is not three numbers."""
    if isinstance(thing, list) and len(thing) == 3 and all(type(v) in (int, float) for v in thing):
        try:
            return float(thing[0]), float(thing[1]), float(thing[2])
        except OverflowError:
            pass
    return np.nan, np.nan, np.nan


def has_surfaces(thing: Any) -> bool:
    """Say whether a city object has geometry that could be a footprint, read or not."""
    geometries = thing.get("geometry") if isinstance(thing, dict) else None
    return isinstance(geometries, list) and any(
        isinstance(g, dict)
        and (g.get("type") == "GeometryInstance" or (g.get("type") in _NESTED and g.get("boundaries")))
        for g in geometries
    )


def surfaces_of(thing: Mapping[str, Any], vertices: Float64) -> Surfaces:
    """
    Gather the surfaces of a city object.

    Parameters
    ----------
    thing : mapping
        Parsed city object.
    vertices : (n, 3) float64
        Of the file, or of the feature.

    Returns
    -------
    Surfaces
    """
    geometries = []
    fault = ""
    listed = thing.get("geometry")
    for each in listed if isinstance(listed, list) else ():
        kind = each.get("type") if isinstance(each, dict) else None
        if kind == "GeometryInstance":
            fault = fault or "its geometry is a template (GeometryInstance), which is not read"
        if kind not in _NESTED:
            continue
        boundaries, well_nested = _flat(each.get("boundaries"), _NESTED[kind])
        if not well_nested:
            fault = fault or "its boundaries are not nested as their type asks"
        geometries.append(Geometry(_lod(each.get("lod")), _kinds(each, len(boundaries), _NESTED[kind]), boundaries))
    kinds, boundaries, lod = surfaces_that_count(geometries)
    return _gathered(kinds, boundaries, lod, vertices, fault)


def _gathered(kinds: list[int], boundaries: list[Any], lod: float, vertices: Float64, fault: str) -> Surfaces:
    """Look the chosen surfaces' points up."""
    index: list[Any] = []
    ring_sizes: list[int] = []
    surface_rings: list[int] = []
    for boundary in boundaries:
        rings = boundary if isinstance(boundary, list) else []
        surface_rings.append(len(rings))
        for ring in rings:
            named = ring if isinstance(ring, list) else []
            ring_sizes.append(len(named))
            index += named
    at, why = _checked(index, len(vertices))
    points = np.full((len(at), 3), np.nan)
    good = at >= 0
    points[good] = vertices[at[good]]
    return Surfaces(points, ring_sizes, surface_rings, kinds, lod, why or fault)


def _checked(index: list[Any], count: int) -> tuple[np.ndarray, str]:
    """Return indices, -1 for those that are none, and what the first of those is."""
    if not set(map(type, index)) - {int}:
        try:
            at = np.array(index, dtype=np.int64)
        except OverflowError:
            at = np.array([i if 0 <= i < count else -1 for i in index], dtype=np.int64)
    else:
        at = np.array([i if type(i) is int and 0 <= i < count else -1 for i in index], dtype=np.int64)
    bad = (at < 0) | (at >= count)
    if not bad.any():
        return at, ""
    at[bad] = -1
    return at, f"vertex {str(index[int(np.argmax(bad))])[:40]} does not exist (there are {count})"


def _flat(thing: Any, depth: int) -> tuple[list[Any], bool]:
    """Take lists from around surfaces; what is no list has none, and the second value says so."""
    level, sound = (thing, True) if isinstance(thing, list) else ([], False)
    for _ in range(depth):
        sound &= all(isinstance(each, list) for each in level)
        level = list(chain.from_iterable(each for each in level if isinstance(each, list)))
    return level, sound


def _kinds(geometry: Mapping[str, Any], count: int, depth: int) -> list[int]:
    """Return what each surface is, by the semantics; ``OTHER`` where nothing usable is said."""
    semantics = geometry.get("semantics")
    if not isinstance(semantics, dict) or not isinstance(semantics.get("surfaces"), list):
        return [OTHER] * count
    named = [_KINDS.get(str(s.get("type")), OTHER) if isinstance(s, dict) else OTHER for s in semantics["surfaces"]]
    values = _values(semantics.get("values"), geometry.get("boundaries"), depth)
    kinds = [named[v] if type(v) is int and 0 <= v < len(named) else OTHER for v in values[:count]]
    return kinds + [OTHER] * (count - len(kinds))


def _values(values: Any, boundaries: Any, depth: int) -> list[Any]:
    """Flatten semantic values; null for a whole shell or solid stands for null for each of its surfaces."""
    if depth == 0:
        return values if isinstance(values, list) else []
    shells: Iterable[Any] = boundaries if isinstance(boundaries, list) else ()
    listed = values if isinstance(values, list) else []
    out: list[Any] = []
    for k, shell in enumerate(shells):
        own = listed[k] if k < len(listed) else None
        size = len(_flat(shell, depth - 1)[0])
        flat = _values(own, shell, depth - 1)[:size]
        out += flat + [None] * (size - len(flat))
    return out


def _lod(thing: Any) -> float:
    """Return a level of detail; 1 where it cannot be read."""
    try:
        lod = float(thing)
    except (TypeError, ValueError):
        return 1.0
    return lod if 0.0 <= lod < 10.0 else 1.0
