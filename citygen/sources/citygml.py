"""
CityGML (1.0, 2.0) to batches: the footprints and attributes of the buildings of a city model, building by building.

OGC 12-019 (CityGML 2.0), sections 10.3 and 8; OGC 08-007r1 (1.0). What is a row, and what its footprint is: ``city_rows``
and ``city_footprints``. One building with its parts is held at a time. GDAL's GML driver is not used: it writes files
beside the input. The order of axes is that of the reference system's spelling (``city_crs``).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from citygen.errors import InputError
from citygen.sources.base import SOURCES, Source, SourceFormat, SourceOptions
from citygen.sources.city_footprints import FOOTPRINT, GROUND, OTHER, ROOF, ROOF_EDGE, Surfaces
from citygen.sources.city_lods import Geometry, surfaces_that_count
from citygen.sources.city_rows import CityObject, FileSays, inherited, open_city_model
from citygen.sources.gml_attributes import attributes_of
from citygen.sources.gml_surfaces import Face, Trees, faces, gather, index_ids
from citygen.sources.xml_stream import XmlStream

_SPACE = b"opengis.net/citygml"
_OWN_GEOMETRY = tuple(
    (f"lod{lod}{what}", lod) for lod in (1, 2, 3, 4) for what in ("Solid", "MultiSurface", "Geometry")
)
_FLAT_GEOMETRY = (("lod0FootPrint", FOOTPRINT), ("lod0RoofEdge", ROOF_EDGE))
_FEWEST_STEPS, _STEPS = 10_000, 20
"""Elements that are looked at for a building, and more for each that it has: references can multiply a small file."""
_PART_HOLDERS = ("consistsOfBuildingPart",)


def is_citygml(head: bytes) -> bool:
    """Say whether a file is XML in CityGML's namespaces."""
    text = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return text.startswith(b"<") and _SPACE in text and b"CityModel" in text


def open_citygml(path: Path, options: SourceOptions) -> Source:
    """
    Open a CityGML file: read it through once.

    Raises
    ------
    InputError
        When it is no XML, cut off, has a document type declaration, or is CityGML 3.0.
    MissingCRSError
        When no ``srsName`` says where it lies and the user gives none.
    """
    return open_city_model(path, options, "citygml", read_citygml, traditional=False)


def read_citygml(path: Path, says: FileSays) -> Iterator[CityObject]:
    """Yield the rows to be of a CityGML file."""
    dimension = 3

    def outside(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal dimension
        if "citygml/3" in name:
            raise InputError(f"{path}: CityGML 3.0 is not read; convert it to CityGML 2.0 or CityJSON 2.0")
        crs = attributes.get("srsName")
        if crs is not None and says.crs is None:
            says.crs = crs
        if name == "Envelope":
            dimension = 2 if attributes.get("srsDimension", "").strip() == "2" else 3

    for building in XmlStream(path, frozenset({"Building"}), outside).elements():
        steps = _FEWEST_STEPS + _STEPS * sum(1 for _ in building.iter())
        for each in _rows(building, Trees(index_ids(building), dimension, steps=steps)):
            says.crs = says.crs or each.crs
            yield each


def _rows(building: Element, trees: Trees) -> list[CityObject]:
    """Return a building and its parts as rows to be."""
    family = list(_family(building, None, 0))
    surfaces = []
    for element, _ in family:
        trees.crs, trees.dangling = _envelope_crs(element), ""
        geometries = _geometries(element, trees)
        if trees.steps < 0:
            geometries = []
        made = gather(*surfaces_that_count(geometries))
        if not made.kinds and not made.fault:
            made = _without_surfaces(element, trees)
        surfaces.append((made, trees.crs))
    shown = [bool(each.kinds) or bool(each.fault) for each, _ in surfaces]
    covered = {above for k, is_shown in enumerate(shown) if is_shown for above in _above(family, k)}
    siblings = Counter(above for (_, above), is_shown in zip(family, shown, strict=True) if is_shown)
    attributes: list[Mapping[str, Any]] = []
    out = []
    for k, (element, above) in enumerate(family):
        own = attributes_of(element)
        if above is not None:
            own = inherited(own, attributes[above], only_part=shown[k] and siblings[above] <= 1)
        attributes.append(own)
        if shown[k] or k not in covered:
            parent = None if above is None else family[above][0].get("id")
            is_part = any(shown[j] for j in _above(family, k))
            out.append(CityObject(element.get("id"), element.tag, own, surfaces[k][0], parent, is_part, surfaces[k][1]))
    return out


def _family(element: Element, above: int | None, first: int) -> Iterator[tuple[Element, int | None]]:
    """Yield a building and its parts, each after what it is a part of, with the number of that."""
    yield element, above
    at = first
    count = 1
    for name in _PART_HOLDERS:
        for holder in element.findall(name):
            for part in holder.findall("BuildingPart"):
                below = list(_family(part, at, first + count))
                yield from below
                count += len(below)


def _above(family: list[tuple[Element, int | None]], k: int) -> Iterator[int]:
    """Yield the numbers of what an object is a part of, upwards."""
    at = family[k][1]
    while at is not None:
        yield at
        at = family[at][1]


def _geometries(element: Element, trees: Trees) -> list[Geometry[Face]]:
    """Return the geometries of an object: its outlines, its thematic surfaces by LoD, its own where those do not show it."""
    out: list[Geometry[Face]] = []
    for name, kind in _FLAT_GEOMETRY:
        flat = [face for holder in element.findall(name) for face in faces(holder, trees)]
        out.append(Geometry(0.0, [kind] * len(flat), flat))
    thematic: dict[int, tuple[list[int], list[Face]]] = {}
    for holder in element.findall("boundedBy"):
        for surface in holder:
            kind = {"GroundSurface": GROUND, "RoofSurface": ROOF}.get(surface.tag, OTHER)
            for lod in (2, 3, 4):
                for own in surface.findall(f"lod{lod}MultiSurface"):
                    found = faces(own, trees)
                    kinds, seen = thematic.setdefault(lod, ([], []))
                    kinds += [kind] * len(found)
                    seen += found
    out += [Geometry(float(lod), kinds, seen) for lod, (kinds, seen) in thematic.items()]
    for name, lod in _OWN_GEOMETRY:
        if lod not in thematic:
            found = [face for holder in element.findall(name) for face in faces(holder, trees)]
            out.append(Geometry(float(lod), [OTHER] * len(found), found))
    return out


def _without_surfaces(element: Element, trees: Trees) -> Surfaces:
    """Return no surfaces, and why where a reference that is not followed leads to some, or a template stands for them."""
    if trees.steps < 0:
        return Surfaces(fault="its references (xlink:href) lead to the same surfaces over and over: it is not read")
    if trees.dangling:
        return Surfaces(
            fault=f"its surfaces are elsewhere ({trees.dangling[:80]}): references out of it are not followed"
        )
    if any(each.tag.endswith("ImplicitRepresentation") for each in element):
        return Surfaces(fault="its geometry is a template (ImplicitGeometry), which is not read")
    return Surfaces()


def _envelope_crs(element: Element) -> str | None:
    """Return the reference system of an object's own envelope."""
    envelope = element.find("boundedBy/Envelope")
    return None if envelope is None else envelope.get("srsName")


SOURCES.register("citygml", SourceFormat("CityGML 1.0 and 2.0 (.gml, .xml)", is_citygml, open_citygml))
