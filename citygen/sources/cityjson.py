"""
CityJSON (1.0, 1.1, 2.0; one object a file) to batches: the footprints and attributes of the buildings of a city model.

CityJSON specifications 1.0.3, 1.1.3 and 2.0.1. What is a row, and what its footprint is: ``city_rows`` and
``city_footprints``. The members of the file may stand in any order, and it is read object by object: what is held is the
array of vertices and the names of the objects. Coordinates are x, y, whatever order the reference system defines.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.errors import InputError
from citygen.sources.base import SOURCES, Source, SourceFormat, SourceOptions
from citygen.sources.city_json import Transform, has_surfaces, read_transform, read_vertices, surfaces_of
from citygen.sources.city_rows import ROW_TYPES, CityObject, FileSays, inherited, open_city_model
from citygen.sources.json_head import is_city_model, is_city_sequence
from citygen.sources.json_stream import JsonStream

VERSIONS = ("1.0", "1.1", "2.0")
_VERTICES_AT_ONCE = 65_536
_DEEPEST = 64
"""Parents above each other that are followed: the standard knows two, and a chain of thousands costs its square."""


def is_cityjson(head: bytes) -> bool:
    """Say whether a file is CityJSON, and as far as can be seen no CityJSONSeq."""
    return is_city_model(head) and not is_city_sequence(head)


def open_cityjson(path: Path, options: SourceOptions) -> Source:
    """
    Open a CityJSON file: read it through once.

    Raises
    ------
    InputError
        When it is no JSON, cut off, or no CityJSON of a known version.
    MissingCRSError
        When it has no ``referenceSystem`` and the user gives none.
    """
    return open_city_model(path, options, "cityjson", read_cityjson, traditional=True)


def read_cityjson(path: Path, says: FileSays) -> Iterator[CityObject]:
    """Yield the rows to be of a CityJSON file; a CityJSONSeq file whose first line is long is read as such."""
    from citygen.sources.cityjsonseq import read_cityjsonseq

    scan = _scanned(path)
    if scan.is_sequence:
        yield from read_cityjsonseq(path, says)
        return
    says.crs = reference_system(scan.members)
    family = Family(scan.known)
    with JsonStream(path) as stream:
        for key in stream.members():
            if key != "CityObjects":
                stream.value()
                continue
            for name in stream.members():
                made = family.row(name, stream.value(), scan.vertices)
                if made is not None:
                    yield made
            return


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of every building and part until all are read."""

    has_surfaces: bool
    parents: tuple[str, ...]
    children: tuple[str, ...]
    attributes: Mapping[str, Any]


class Family:
    """
    Which objects of a file are rows, whose parts they are, and what they inherit.

    Parameters
    ----------
    known : mapping of str to Known
        All buildings and parts by id. Relations may be one-sided, dangling or circular.
    """

    def __init__(self, known: Mapping[str, Known]) -> None:
        self.known = known
        self.parent: dict[str, str] = {}
        for name, each in known.items():
            for child in each.children:
                if child in known and child != name:
                    self.parent.setdefault(child, name)
        for name, each in known.items():
            own = next((p for p in each.parents if p in known and p != name), None)
            if own is not None:
                self.parent[name] = own
        shown = [name for name, each in known.items() if each.has_surfaces]
        self.covered = {above for name in shown for above in self.above(name)}
        self.siblings = Counter(self.parent[name] for name in shown if name in self.parent)

    def above(self, name: str) -> list[str]:
        """List the parent, its parent and so on; a circle ends where it closes."""
        out: dict[str, None] = {}  # in order, and quick to look into
        at = self.parent.get(name)
        while at is not None and at != name and at not in out and len(out) < _DEEPEST:
            out[at] = None
            at = self.parent.get(at)
        return list(out)

    def row(self, name: str, thing: Any, vertices: Float64) -> CityObject | None:
        """Return an object as a row to be, or None where it is none."""
        own = self.known.get(name)
        if own is None or not isinstance(thing, dict) or thing.get("type") not in ROW_TYPES:
            return None
        if not own.has_surfaces and name in self.covered:
            return None
        above = self.above(name)
        attributes: Mapping[str, Any] = {}
        only_part = own.has_surfaces and all(self.siblings[each] <= 1 for each in above)
        for each in reversed(above):
            attributes = inherited(self.known[each].attributes, attributes, only_part=only_part)
        return CityObject(
            name,
            str(thing["type"]),
            inherited(attributes_of(thing), attributes, only_part=only_part),
            surfaces_of(thing, vertices),
            above[0] if above else None,
            any(self.known[each].has_surfaces for each in above),
        )


def know(name: str, thing: Any, known: dict[str, Known]) -> None:
    """Note a building or part; its attributes only where others may inherit them."""
    if not isinstance(thing, dict) or thing.get("type") not in ROW_TYPES:
        return
    children, shown = _names(thing.get("children")), has_surfaces(thing)
    attributes = attributes_of(thing) if children or not shown else {}
    known[name] = Known(shown, _names(thing.get("parents")), children, attributes)


def attributes_of(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object's attributes; none where they are no object."""
    attributes = thing.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


def reference_system(members: Mapping[str, Any]) -> str | None:
    """Return the reference system of a file's metadata (1.0: ``crs.epsg`` too), None where there is none."""
    metadata = members.get("metadata")
    if not isinstance(metadata, dict):
        return None
    said = metadata.get("referenceSystem")
    old = metadata.get("crs")
    if said is None and isinstance(old, dict) and type(old.get("epsg")) is int:
        said = f"EPSG:{old['epsg']}"
    return said if isinstance(said, str) and said.strip() else None


def check_header(members: Mapping[str, Any], path: Path) -> Transform:
    """
    Check version and transform of a file.

    Raises
    ------
    InputError
        When it is no CityJSON of a known version, or lacks the transform that its version asks for.
    """
    kind, version = members.get("type"), str(members.get("version"))[:20]
    if kind != "CityJSON":
        raise InputError(f'{path}: its "type" is {str(kind)[:40]!r}, where "CityJSON" is expected; export it again')
    if not version.startswith(VERSIONS):
        known = ", ".join(VERSIONS)
        raise InputError(
            f"{path}: CityJSON version {version!r} is not read (known: {known}); upgrade it, say with cjio"
        )
    if "transform" not in members and version.startswith("1.0"):
        return Transform()
    transform = read_transform(members.get("transform"))
    if transform is None:
        raise InputError(
            f'{path}: it has no usable "transform" (scale and translate), without which nobody knows where its '
            "vertices lie; export it again"
        )
    return transform


@dataclass(slots=True)
class _Scan:
    """What a first pass over a file keeps."""

    members: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    vertices: Float64 = field(default_factory=lambda: np.zeros((0, 3)))
    is_sequence: bool = False


def _scanned(path: Path) -> _Scan:
    """Read vertices, relations and metadata of a file."""
    scan = _Scan()
    raw: list[Float64] = []
    seen = False
    with JsonStream(path) as stream:
        for key in stream.members():
            if key == "CityObjects" and stream.peek() == "{":
                seen = True
                for name in stream.members():
                    know(name, stream.value(), scan.known)
            elif key == "vertices" and stream.peek() == "[":
                things = stream.elements()
                raw = []
                while some := list(islice(things, _VERTICES_AT_ONCE)):
                    raw.append(read_vertices(some, Transform()))
            elif key in ("appearance", "geometry-templates", "extensions"):
                stream.value()
            else:
                scan.members[key] = stream.value()
        scan.is_sequence = bool(stream.peek())
    if scan.is_sequence:
        return scan
    transform = check_header(scan.members, path)
    if not seen:
        raise InputError(f'{path}: CityJSON without an object of "CityObjects"; export it again')
    with np.errstate(over="ignore", invalid="ignore"):
        scan.vertices = np.concatenate([np.zeros((0, 3)), *raw]) * transform.scale + transform.translate
    return scan


def _names(thing: Any) -> tuple[str, ...]:
    """Return the ids of a list of them."""
    return tuple(each for each in thing if isinstance(each, str)) if isinstance(thing, list) else ()


SOURCES.register("cityjson", SourceFormat("CityJSON 1.0 to 2.0 (.city.json)", is_cityjson, open_cityjson))
