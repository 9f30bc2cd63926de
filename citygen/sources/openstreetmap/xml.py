"""
OpenStreetMap XML to columns of elements, read once from start to end by expat.

Format: https://wiki.openstreetmap.org/wiki/OSM_XML; also as JOSM writes it (negative ids, ``action='delete'``) and with several
versions of an object, of which the last counts. A document type is refused at its first word: OSM files have none, and
entities, their bombs and their links to other files stand nowhere else.
"""

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Int32, Int64
from citygen.errors import InputError
from citygen.sources.base import Bounds
from citygen.sources.openstreetmap.elements import (
    APEX_KEY,
    BLOCK_WAYS,
    NOWHERE,
    RELATION_TYPES,
    WAY_KEYS,
    Block,
    Relation,
    Scan,
    block_of,
    is_given,
    last_of_each,
    matters,
)

_OBJECTS = ("node", "way", "relation")
_TYPES = {"node": "n", "way": "w", "relation": "r"}


class _WrongError(Exception):
    """What a file says that OSM XML does not allow."""


@dataclass(slots=True)
class _Elements:
    """What the parser has met: columns that grow, and the object whose children it reads."""

    node_ids: array = field(default_factory=lambda: array("q"))
    node_lonlat: array = field(default_factory=lambda: array("i"))
    way_ids: array = field(default_factory=lambda: array("q"))
    ref_ends: array = field(default_factory=lambda: array("q", [0]))
    refs: array = field(default_factory=lambda: array("q"))
    tag_ends: array = field(default_factory=lambda: array("q", [0]))
    keys: array = field(default_factory=lambda: array("i"))
    vals: array = field(default_factory=lambda: array("i"))
    strings: dict[str, int] = field(default_factory=dict)
    relations: dict[int, Relation] = field(default_factory=dict)
    apexes: dict[int, tuple[dict[str, str], tuple[int, int]]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    bounds: Bounds | None = None
    bounded: bool = False
    depth: int = 0
    kind: str = ""
    id: int = 0
    deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    members: list[tuple[str, int, str]] = field(default_factory=list)

    def start(self, name: str, given: dict[str, str]) -> None:
        """Take in a tag that opens."""
        self.depth += 1
        if self.depth == 2:
            if name in _OBJECTS:
                self._open(name, given)
            elif name == "bounds":
                self.bounds = _around(self.bounds, _bounds(given), first=not self.bounded)
                self.bounded = True
        elif self.depth == 3 and self.kind:
            if name == "nd" and self.kind == "way":
                self.refs.append(_whole(given, "ref", name))
            elif name == "tag":
                self.tags[_text(given, "k", name)] = _text(given, "v", name)
            elif name == "member" and self.kind == "relation":
                kind = _TYPES.get(_text(given, "type", name))
                if kind is None:
                    raise _WrongError(f"a member of type {given['type']!r}")
                self.members.append((kind, _whole(given, "ref", name), given.get("role", "")))
            elif name in _OBJECTS:
                raise _WrongError(f"a {name} within a {self.kind}")
        elif self.depth == 1:
            version = given.get("version", "0.6")
            if name != "osm" or version != "0.6":
                raise _WrongError(f"<{name} version={version!r}>, and <osm version='0.6'> is read")

    def end(self, name: str) -> None:
        """Take in a tag that closes."""
        if self.depth == 2 and name == self.kind:
            self._close()
            self.kind = ""
        self.depth -= 1

    def _open(self, name: str, given: dict[str, str]) -> None:
        self.kind, self.id = name, _whole(given, "id", name)
        self.deleted = given.get("visible") == "false" or given.get("action") == "delete"
        if self.tags:
            self.tags = {}
        self.members = []
        if name == "node":
            self.node_ids.append(self.id)
            self.node_lonlat.extend((NOWHERE, NOWHERE) if self.deleted else _place(given))

    def _close(self) -> None:
        if self.kind == "node":
            self.apexes.pop(self.id, None)
            if self.tags and not self.deleted and is_given(self.tags, APEX_KEY):
                self.apexes[self.id] = (self.tags, (self.node_lonlat[-2], self.node_lonlat[-1]))
        elif self.kind == "way":
            (self.gone.add if self.deleted else self.gone.discard)(self.id)
            self.way_ids.append(self.id)
            self.ref_ends.append(len(self.refs))
            for key, value in self.tags.items():
                self.keys.append(self.strings.setdefault(key, len(self.strings)))
                self.vals.append(self.strings.setdefault(value, len(self.strings)))
            self.tag_ends.append(len(self.keys))
        else:
            self.relations.pop(self.id, None)
            found = Relation(self.id, self.tags, tuple(self.members))
            if not self.deleted and self.tags.get("type") in RELATION_TYPES and matters(found):
                self.relations[self.id] = found


@dataclass(slots=True)
class XmlReader:
    """An XML file; see ``citygen.sources.openstreetmap.elements.Reader``."""

    path: Path
    node_ids: Int64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    node_lonlat: Int32 = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int32))

    def scan(self) -> Scan:
        """Read the file; places of nodes are kept."""
        found = _parse(self.path)
        ids = np.array(found.node_ids, dtype=np.int64)
        order = np.argsort(ids, kind="stable")
        last = np.append(ids[order][1:] != ids[order][:-1], np.ones(min(len(ids), 1), dtype=np.bool_))
        self.node_ids = ids[order[last]]
        self.node_lonlat = np.array(found.node_lonlat, dtype=np.int32).reshape(-1, 2)[order[last]]
        lonlat = np.array([place for _, place in found.apexes.values()], dtype=np.int32).reshape(-1, 2)
        apexes = block_of(list(found.apexes), [()] * len(found.apexes), [tags for tags, _ in found.apexes.values()])
        return Scan(_ways(found), tuple(found.relations.values()), apexes, lonlat, found.bounds)

    def locations(self, ids: Int64) -> Int32:
        """Return the places of nodes."""
        out = np.full((len(ids), 2), NOWHERE, dtype=np.int32)
        if len(self.node_ids):
            at = np.minimum(np.searchsorted(self.node_ids, ids), len(self.node_ids) - 1)
            known = self.node_ids[at] == ids
            out[known] = self.node_lonlat[at[known]]
        return out


def _parse(path: Path) -> _Elements:
    """Run the parser over a file; every complaint names the line."""
    found = _Elements()
    parser = expat.ParserCreate()
    parser.StartElementHandler = found.start
    parser.EndElementHandler = found.end
    parser.StartDoctypeDeclHandler = _refuse
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise InputError(f"{path}: the XML is damaged or cut off ({error}); fetch or export it again") from error
    except (_WrongError, ValueError, OverflowError, UnicodeError) as error:
        raise InputError(f"{path}: line {parser.CurrentLineNumber}: {error}; not OSM XML as it should be") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return found


def _refuse(name: str, *_: object) -> NoReturn:
    """Refuse a document type, before any entity of it is declared."""
    raise _WrongError(f"a document type {name!r}, which may hold entities and is not read")


def _ways(found: _Elements) -> tuple[Block, ...]:
    """Return the ways that are tagged or are members of relations, in blocks."""
    table = pa.array([text.encode("utf-8", "replace") for text in found.strings], pa.binary()).cast(pa.string())
    everything = Block(
        np.array(found.way_ids, dtype=np.int64),
        np.array(found.ref_ends, dtype=np.int64),
        np.array(found.refs, dtype=np.int64),
        np.array(found.tag_ends, dtype=np.int64),
        np.array(found.keys, dtype=np.int32),
        np.array(found.vals, dtype=np.int32),
        table,
    )
    (latest,) = last_of_each([everything])
    members = [i for each in found.relations.values() for kind, i, _ in each.members if kind == "w"]
    wanted = latest.has(WAY_KEYS) | np.isin(latest.ids, np.array(members, dtype=np.int64))
    rows = np.flatnonzero(wanted & ~np.isin(latest.ids, np.array(sorted(found.gone), dtype=np.int64)))
    return tuple(latest.take(rows[k : k + BLOCK_WAYS]) for k in range(0, len(rows), BLOCK_WAYS))


def _text(given: dict[str, str], name: str, where: str) -> str:
    """Return an attribute that must be there."""
    if name not in given:
        raise _WrongError(f"a {where} without {name}")
    return given[name]


def _whole(given: dict[str, str], name: str, where: str) -> int:
    """Return an attribute that must be a whole number of 64 bits."""
    text = _text(given, name, where)
    try:
        value = int(text)
    except ValueError as error:
        raise _WrongError(f"a {where} with {name}={text[:40]!r}, no number") from error
    if not -(2**63) <= value < 2**63:
        raise _WrongError(f"a {where} with {name}={text[:40]!r}, beyond 64 bits")
    return value


def _place(given: dict[str, str]) -> tuple[int, int]:
    """Return longitude and latitude in 1e-7 degrees; nowhere when a node has none on the globe."""
    try:
        lon, lat = float(given["lon"]), float(given["lat"])
    except (KeyError, ValueError):
        return NOWHERE, NOWHERE
    if not (abs(lon) <= 180 and abs(lat) <= 90):
        return NOWHERE, NOWHERE
    return round(lon * 1e7), round(lat * 1e7)


def _bounds(given: dict[str, str]) -> Bounds | None:
    """Return the bounds that a file states, None where it does so badly."""
    try:
        west, south, east, north = (float(given[name]) for name in ("minlon", "minlat", "maxlon", "maxlat"))
    except (KeyError, ValueError):
        return None
    return (west, south, east, north) if west <= east and south <= north else None


def _around(known: Bounds | None, more: Bounds | None, *, first: bool) -> Bounds | None:
    """Return the bounds of several downloads (JOSM states each); None where one of them is stated badly."""
    if first or known is None or more is None:
        return more if first else None
    return (min(known[0], more[0]), min(known[1], more[1]), max(known[2], more[2]), max(known[3], more[3]))
