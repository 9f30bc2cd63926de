"""
GML surfaces (elements of a tree) to rings of points: GML 3.1.1 as CityGML uses it, and GML 2's ``coordinates``.

Read are Polygon, Triangle, Rectangle and PolygonPatch, in whatever aggregates, solids, surfaces and orientable surfaces
they stand, directly or by a reference (``xlink:href="#id"``) into the same building. Other references are never followed.
Points that cannot be read are NaN, with a text that says why; nothing raises.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from citygen.arraytypes import Float64
from citygen.sources.city_footprints import Surfaces

_FACES = frozenset({"Polygon", "Triangle", "Rectangle", "PolygonPatch"})
_RING_PARENTS = ("exterior", "interior", "outerBoundaryIs", "innerBoundaryIs")


@dataclass(slots=True)
class Trees:
    """
    What the geometries of one building share.

    Attributes
    ----------
    by_id : dict of str to Element
        Elements with a ``gml:id``.
    dimension : int
        Of points that do not say it themselves.
    crs : str or None
        First reference system that a geometry names.
    dangling : str
        First reference that leads out of the building, '' for none.
    steps : int
        Elements that may still be looked at; below 0 not all was seen.
    """

    by_id: dict[str, Element]
    dimension: int = 3
    crs: str | None = None
    dangling: str = ""
    steps: int = 1_000_000


@dataclass(slots=True)
class Face:
    """A polygon's element and the dimension of its points."""

    element: Element
    dimension: int


def index_ids(root: Element) -> dict[str, Element]:
    """Return the elements of a tree that have an id, by it; of a repeated id the first."""
    out: dict[str, Element] = {}
    for each in root.iter():
        name = each.get("id")
        if name is not None:
            out.setdefault(name, each)
    return out


def faces(root: Element, trees: Trees) -> list[Face]:
    """
    List the polygons below an element, references resolved, in document order.

    Parameters
    ----------
    root : Element
        A geometry or a property that holds one.
    trees : Trees
        Of the building; ``crs`` and ``dangling`` are filled.

    Returns
    -------
    list of Face
        What is referred to twice stands once.
    """
    out: list[Face] = []
    followed: set[str] = set()
    stack = [(root, trees.dimension)]
    while stack:
        element, dimension = stack.pop()
        trees.steps -= 1
        if trees.steps < 0:
            return out
        said = element.get("srsDimension")
        if said is not None:
            dimension = 2 if said.strip() == "2" else 3
        crs = element.get("srsName")
        if crs is not None and trees.crs is None:
            trees.crs = crs
        href = element.get("href")
        if element.tag in _FACES:
            out.append(Face(element, dimension))
        elif href is None:
            stack += [(child, dimension) for child in reversed(element)]
        elif href not in followed:
            followed.add(href)  # each once, so that circles end and small files stay small
            target = trees.by_id.get(href[1:]) if href.startswith("#") else None
            if target is None:
                trees.dangling = trees.dangling or href
            else:
                stack.append((target, dimension))
    return out


def gather(kinds: list[int], polygons: list[Face], lod: float) -> Surfaces:
    """
    Read the points of polygons.

    Parameters
    ----------
    kinds : list of int
        What each is.
    polygons : list of Face
        As ``faces`` gives them.
    lod : float
        Of the object.

    Returns
    -------
    Surfaces
    """
    fault = ""
    ring_sizes: list[int] = []
    surface_rings: list[int] = []
    parts: list[Float64] = []
    for face in polygons:
        rings = [ring for name in _RING_PARENTS for holder in face.element.findall(name) for ring in holder]
        surface_rings.append(len(rings))
        for ring in rings:
            points, why = _ring(ring, face.dimension)
            fault = fault or why
            parts.append(points)
            ring_sizes.append(len(points))
    points = np.concatenate([np.zeros((0, 3)), *parts])
    return Surfaces(points, ring_sizes, surface_rings, kinds, lod, fault)


def _ring(ring: Element, dimension: int) -> tuple[Float64, str]:
    """Return a ring's points without the repeated one, and what is wrong with it ('' for nothing)."""
    words, dimension, why = _words(ring, dimension)
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError:
        return np.full((3, 3), np.nan), "a coordinate is not a number"
    if why or len(numbers) % dimension:
        return np.full((3, 3), np.nan), why or f"{len(numbers)} numbers are no points of {dimension}"
    points = numbers.reshape(-1, dimension)
    if dimension == 2:
        points = np.column_stack([points, np.full(len(points), np.nan)])
    closed = len(points) > 1 and bool((points[0, :2] == points[-1, :2]).all()) and _same_z(points[0, 2], points[-1, 2])
    return points[: len(points) - closed], ""


def _same_z(one: float, other: float) -> bool:
    return one == other or (np.isnan(one) and np.isnan(other))


def _words(ring: Element, dimension: int) -> tuple[list[str], int, str]:
    """Return a ring's numbers as text, how many make a point, and why they cannot be read."""
    listed = ring.find("posList")
    if listed is not None:
        said = listed.get("srsDimension")
        return (listed.text or "").split(), dimension if said is None else (2 if said.strip() == "2" else 3), ""
    places = [(each.text or "").split() for each in ring.iter("pos")]
    if places:
        sizes = {len(each) for each in places}
        size = sizes.pop() if len(sizes) == 1 else 0
        return (
            [word for each in places for word in each],
            max(size, 2),
            "" if size in (2, 3) else "positions differ in length",
        )
    old = ring.find("coordinates")
    if old is None:
        return [], dimension, f"a ring without points ({ring.tag}) is not read"
    tuples = (old.text or "").split(None if old.get("ts", " ") == " " else old.get("ts"))
    size = max((len(each.split(old.get("cs", ","))) for each in tuples), default=dimension)
    return [word for each in tuples for word in each.split(old.get("cs", ","))], size, ""
