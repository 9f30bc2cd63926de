"""
OpenStreetMap PBF to columns of elements: blob by blob, several at once, only what concerns buildings.

Format: https://wiki.openstreetmap.org/wiki/PBF_Format (fileformat.proto). Passes: relations, from the end of the file on,
where they stand when it is sorted; then tagged ways, ways that those relations name, and apexes; then, in files that are not
sorted, ways that relations named too late; then places of the nodes that all those ways name. Nothing but what matters is
kept, so memory grows with the buildings of the file and not with the file. A blob that is unpacked beyond what the format
allows is refused before it is.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from citygen.arraytypes import Int32, Int64
from citygen.errors import InputError
from citygen.sources.base import Bounds
from citygen.sources.openstreetmap.elements import NOWHERE, Block, Relation, Scan, block_of, last_of_each
from citygen.sources.openstreetmap.matching import match
from citygen.sources.openstreetmap.packing import MOST_BLOB, UNREADABLE, Unpacked, sound
from citygen.sources.openstreetmap.pbf_blobs import NODES, locate, read_blob
from citygen.sources.openstreetmap.protobuf import fields
from citygen.sources.openstreetmap.turns import in_turn

R = TypeVar("R")

MOST_HEADER = 64 << 10
"""Bytes of a blob's header that the format allows."""

_FEATURES = {b"OsmSchema-V0.6", b"DenseNodes"}
_HISTORY = b"HistoricalInformation"


@dataclass(frozen=True, slots=True)
class _Blob:
    """Where the content of a blob lies in the file."""

    offset: int
    size: int


@dataclass(slots=True)
class PbfReader:
    """A PBF file; see ``citygen.sources.openstreetmap.elements.Reader``."""

    path: Path
    node_blobs: list[_Blob] = field(default_factory=list)
    on_ways: list[tuple[Int64, Int32]] = field(default_factory=list)

    def scan(self) -> Scan:
        """Read ways, relations and apexes."""
        bounds, blobs = _index(self.path)
        members = _ways_of(self._last_relations(blobs))
        parts = list(self._each(blobs, lambda data: read_blob(data, members, only_members=False)))
        relations = {r.id: r for part in parts for r in part.relations}
        self.node_blobs = [blob for blob, part in zip(blobs, parts, strict=True) if part.kinds.intersection(NODES)]
        ways = [block for part in parts for block in part.ways]
        late = np.setdiff1d(_ways_of(relations.values()), np.concatenate([members, *(b.ids for b in ways)]))
        again = [blob for blob, part in zip(blobs, parts, strict=True) if _may_hold(part.way_ids, late)]
        more = list(self._each(again, lambda data: read_blob(data, late, only_members=True)))
        ways += [block for part in more for block in part.ways]
        self.on_ways = [pair for part in (*parts, *more) for pair in part.on_ways]
        apexes, lonlat = _joined([pair for part in parts for pair in part.apexes])
        return Scan(tuple(last_of_each(ways)), tuple(relations.values()), apexes, lonlat, bounds)

    def _last_relations(self, blobs: Sequence[_Blob]) -> Iterator[Relation]:
        """Read the relations at the end of the file, where they stand when it is sorted: they name ways to look for."""
        nothing = np.zeros(0, dtype=np.int64)
        for blob in reversed(blobs):
            (part,) = self._each([blob], lambda data: read_blob(data, nothing, only_members=False))
            if part.kinds != {"relations"}:
                return
            yield from part.relations

    def locations(self, ids: Int64) -> Int32:
        """Return the places of nodes."""
        out = np.full((len(ids), 2), NOWHERE, dtype=np.int32)
        for found, lonlat in self.on_ways:
            at, known = match(ids, found)
            out[at] = lonlat[known]
        if len(ids):
            for pairs in self._each(self.node_blobs, lambda data: locate(data, ids)):
                for at, lonlat in pairs:
                    out[at] = lonlat
        return out

    def _each(self, blobs: Sequence[_Blob], work: Callable[[bytes], R]) -> Iterator[R]:
        """Do some work on the contents of blobs, in order."""

        def guarded(pair: tuple[_Blob, bytes]) -> R:
            try:
                return work(pair[1])
            except UNREADABLE as error:
                raise InputError(
                    f"{self.path}: damaged in the blob at byte {pair[0].offset} ({error}); fetch or export it again"
                ) from error

        try:
            with self.path.open("rb") as file:
                yield from in_turn(guarded, _contents(file, blobs))
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from error


def _contents(file: BinaryIO, blobs: Iterable[_Blob]) -> Iterator[tuple[_Blob, bytes]]:
    """Read the contents of blobs."""
    for blob in blobs:
        file.seek(blob.offset)
        yield blob, file.read(blob.size)


def _index(path: Path) -> tuple[Bounds | None, list[_Blob]]:
    """List the blobs of data of a file; the bounds that its header states."""
    size, at, bounds, blobs = path.stat().st_size, 0, None, []
    cut = InputError(f"{path}: the PBF file is cut off or damaged; fetch or export it again")
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            start = file.read(4)
            length = struct.unpack(">I", start)[0] if len(start) == 4 else MOST_HEADER + 1
            head = np.frombuffer(file.read(min(length, MOST_HEADER)), dtype=np.uint8)
            found = fields(head, 0, len(head))
            if len(head) != length or found is None:
                raise cut
            kinds = [bytes(head[a:b]) for number, wire, a, b in found.tolist() if (number, wire) == (1, 2)]
            sizes = [a for number, wire, a, _ in found.tolist() if (number, wire) == (3, 0)]
            at += 4 + length
            if len(kinds) != 1 or len(sizes) != 1 or not 0 <= sizes[0] <= min(MOST_BLOB, size - at):
                raise cut
            if kinds[0] == b"OSMData":
                blobs.append(_Blob(at, sizes[0]))
            elif kinds[0] == b"OSMHeader":
                try:
                    bounds = _header(file.read(sizes[0]), path)
                except UNREADABLE as error:
                    raise cut from error
            at += sizes[0]
    return bounds, blobs


def _header(data: bytes, path: Path) -> Bounds | None:
    """Refuse what the file needs of a reader and this one lacks; return the bounds it states."""
    buf = np.frombuffer(Unpacked(data).all(), dtype=np.uint8)
    found = sound(fields(buf, 0, len(buf)))
    needs = {bytes(buf[a:b]) for number, wire, a, b in found.tolist() if (number, wire) == (4, 2)}
    if _HISTORY in needs:
        raise InputError(
            f"{path}: a history file with every version of each object; make a file of one time first "
            "(osmium time-filter)"
        )
    if needs - _FEATURES:
        names = ", ".join(sorted(need.decode("utf-8", "replace") for need in needs - _FEATURES))
        raise InputError(f"{path}: the PBF file needs a reader that knows {names}; convert it (osmium cat)")
    for number, wire, a, b in found.tolist():
        if (number, wire) == (1, 2):
            box = sound(fields(buf, a, b))
            sides = {n: ((v >> 1) & (2**63 - 1)) ^ -(v & 1) for n, w, v, _ in box.tolist() if w == 0}
            if set(sides) >= {1, 2, 3, 4} and sides[1] <= sides[2] and sides[4] <= sides[3]:
                return (sides[1] / 1e9, sides[4] / 1e9, sides[2] / 1e9, sides[3] / 1e9)
    return None


def _ways_of(relations: Iterable[Relation]) -> Int64:
    """Return the ids of the ways that relations name, sorted, each once."""
    return np.array(sorted({i for each in relations for kind, i, _ in each.members if kind == "w"}), dtype=np.int64)


def _may_hold(way_ids: tuple[int, int] | None, members: Int64) -> bool:
    """Say whether a blob's ways may be among some sorted ids."""
    if way_ids is None:
        return False
    return bool(np.searchsorted(members, way_ids[0]) < np.searchsorted(members, way_ids[1], side="right"))


def _joined(found: list[tuple[Block, Int32]]) -> tuple[Block, Int32]:
    """Join blocks of nodes, each id once, as its last occurrence gives it."""
    tags: dict[int, tuple[dict[str, str], Int32]] = {}
    for block, lonlat in found:
        for i, node in enumerate(block.ids.tolist()):
            tags[node] = (block.tags(i), lonlat[i])
    block = block_of(list(tags), [()] * len(tags), [pair[0] for pair in tags.values()])
    return block, np.array([pair[1] for pair in tags.values()], dtype=np.int32).reshape(-1, 2)
