"""
OpenStreetMap PBF to columns of elements: blob by blob, several at once, only what concerns buildings.

Format: https://wiki.openstreetmap.org/wiki/PBF_Format (fileformat.proto, osmformat.proto). Three passes, each over fewer
blobs: tagged ways, relations and apexes of all blobs; then member ways that carry no tag, from the blobs whose ids may hold
them; then places of the nodes that those ways name. Nothing but what matters is kept, so memory grows with the buildings of
the file and not with the file. A blob that is unpacked beyond what the format allows is refused before it is.
"""

import lzma
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import Bool, Int32, Int64, UInt8
from citygen.errors import InputError
from citygen.sources.base import Bounds
from citygen.sources.openstreetmap.elements import (
    APEX_KEY,
    NO,
    NOWHERE,
    RELATION_TYPES,
    WAY_KEYS,
    Block,
    Relation,
    Scan,
    block_of,
    last_of_each,
    matters,
)
from citygen.sources.openstreetmap.protobuf import EIGHT, ID, KEYS, NINE, TEN, VALS, elements, fields, gather
from citygen.sources.openstreetmap.protobuf import tagged as tagged_with
from citygen.sources.openstreetmap.protobuf import unpack

T = TypeVar("T")
R = TypeVar("R")

MOST_HEADER, MOST_BLOB = 64 << 10, 32 << 20
"""Bytes of a blob's header and of its unpacked content that the format allows."""

_PEEK = 16 << 10
_FEATURES = {b"OsmSchema-V0.6", b"DenseNodes"}
_HISTORY = b"HistoricalInformation"
_NODES, _WAYS, _RELATIONS = ("nodes", "dense"), "ways", "relations"
_KINDS = {1: "nodes", 2: "dense", 3: "ways", 4: "relations"}


class _Broken(Exception):
    """A message that is not what the format says."""


@dataclass(frozen=True, slots=True)
class _Blob:
    """Where the content of a blob lies in the file."""

    offset: int
    size: int


@dataclass(slots=True)
class _Part:
    """What one blob gave: which kinds it holds, the ids of its ways, and what of it matters."""

    kinds: set[str] = field(default_factory=set)
    way_ids: tuple[int, int] | None = None
    ways: list[Block] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    apexes: list[tuple[Block, Int32]] = field(default_factory=list)
    on_ways: list[tuple[Int64, Int32]] = field(default_factory=list)


@dataclass(slots=True)
class PbfReader:
    """A PBF file; see ``citygen.sources.openstreetmap.elements.Reader``."""

    path: Path
    node_blobs: list[_Blob] = field(default_factory=list)
    on_ways: list[tuple[Int64, Int32]] = field(default_factory=list)

    def scan(self) -> Scan:
        """Read ways, relations and apexes."""
        bounds, blobs = _index(self.path)
        parts = list(self._each(blobs, lambda data: _read(data, None)))
        relations = {r.id: r for part in parts for r in part.relations}
        self.node_blobs = [blob for blob, part in zip(blobs, parts, strict=True) if part.kinds.intersection(_NODES)]
        ways = [block for part in parts for block in part.ways]
        members = np.array([i for r in relations.values() for kind, i, _ in r.members if kind == "w"], dtype=np.int64)
        members = np.setdiff1d(members, np.concatenate([b.ids for b in ways]) if ways else members[:0])
        again = [blob for blob, part in zip(blobs, parts, strict=True) if _may_hold(part.way_ids, members)]
        more = list(self._each(again, lambda data: _read(data, members)))
        ways += [block for part in more for block in part.ways]
        self.on_ways = [pair for part in (*parts, *more) for pair in part.on_ways]
        apexes, lonlat = _joined([pair for part in parts for pair in part.apexes])
        return Scan(tuple(last_of_each(ways)), tuple(relations.values()), apexes, lonlat, bounds)

    def locations(self, ids: Int64) -> Int32:
        """Return the places of nodes."""
        out = np.full((len(ids), 2), NOWHERE, dtype=np.int32)
        for found, lonlat in self.on_ways:
            at, known = _places(ids, found)
            out[at] = lonlat[known]
        if len(ids):
            for pairs in self._each(self.node_blobs, lambda data: _locate(data, ids)):
                for at, lonlat in pairs:
                    out[at] = lonlat
        return out

    def _each(self, blobs: Iterable[_Blob], work: Callable[[bytes], R]) -> Iterator[R]:
        """Do some work on blobs, in order, a few at once (zlib and the kernels let other threads run)."""
        try:
            handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        threads = min(4, os.cpu_count() or 1)
        waiting: deque[tuple[_Blob, Future[R]]] = deque()
        with os.fdopen(handle, "rb") as file, ThreadPoolExecutor(threads) as pool:

            def result() -> R:
                blob, future = waiting.popleft()
                try:
                    return future.result()
                except (_Broken, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
                    raise InputError(
                        f"{self.path}: damaged in the blob at byte {blob.offset} ({error}); fetch or export it again"
                    ) from error

            for blob in blobs:
                file.seek(blob.offset)
                waiting.append((blob, pool.submit(work, file.read(blob.size))))
                if len(waiting) > 2 * threads:
                    yield result()
            while waiting:
                yield result()


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
                except (_Broken, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
                    raise cut from error
            at += sizes[0]
    return bounds, blobs


def _header(data: bytes, path: Path) -> Bounds | None:
    """Refuse what the file needs of a reader and this one lacks; return the bounds it states."""
    buf = np.frombuffer(_Unpacked(data).all(), dtype=np.uint8)
    found = _sound(fields(buf, 0, len(buf)))
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
            box = _sound(fields(buf, a, b))
            sides = {n: ((v >> 1) & (2**63 - 1)) ^ -(v & 1) for n, w, v, _ in box.tolist() if w == 0}
            if set(sides) >= {1, 2, 3, 4}:
                return (sides[1] / 1e9, sides[4] / 1e9, sides[2] / 1e9, sides[3] / 1e9)
    return None


class _Unpacked:
    """The content of a blob: a first piece of it for who only wants to look, or all."""

    def __init__(self, data: bytes) -> None:
        buf = np.frombuffer(data, dtype=np.uint8)
        self.codec, self.size, start, end = 0, -1, 0, 0
        for number, wire, a, b in _sound(fields(buf, 0, len(buf))).tolist():
            if wire == 2:
                self.codec, start, end = number, a, b
            elif number == 2:
                self.size = a
        self.data = memoryview(data)[start:end]
        if self.codec not in (1, 3, 4, 6, 7):
            raise _Broken("content that is packed in no known way")
        if self.codec == 1:
            self.size = len(self.data)
        if not 0 <= self.size <= MOST_BLOB:
            raise _Broken(f"a blob of {self.size} bytes when unpacked, and {MOST_BLOB} are allowed")
        self.stream = zlib.decompressobj()
        self.head = b""

    def peek(self) -> bytes:
        """Return the first bytes."""
        if self.codec != 3:
            return self.all()
        if not self.head:
            self.head = self.stream.decompress(self.data, _PEEK)
        return self.head

    def all(self) -> bytes:
        """Return everything."""
        if self.codec == 1:
            return bytes(self.data)
        if self.codec == 3:
            rest = self.stream.unconsumed_tail if self.head else self.data
            whole = self.head + self.stream.decompress(rest, max(1, self.size - len(self.head) + 1))
        elif self.codec == 4:
            whole = lzma.LZMADecompressor().decompress(self.data, self.size + 1)
        else:
            codec = pa.Codec("lz4_raw" if self.codec == 6 else "zstd")
            whole = codec.decompress(self.data, self.size, asbytes=True)
        if len(whole) != self.size:
            raise _Broken("its content is not as long as it says")
        return whole


@dataclass(frozen=True, slots=True)
class _Primitive:
    """A block of elements: bytes, strings' spans, groups by kind, and how its coordinates are scaled."""

    buf: UInt8
    strings: Int64
    groups: list[tuple[str, Int64]]
    granularity: int
    lat_offset: int
    lon_offset: int

    def table(self) -> pa.Array:
        """Return all strings (unchecked)."""
        data, offsets = gather(self.buf, self.strings[:, 0], self.strings[:, 1])
        buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.string(), len(self.strings), buffers)

    def lonlat(self, lon: Int64, lat: Int64) -> Int32:
        """Scale coordinates, (n, 2) int32 of 1e-7 degrees; what lies beyond the globe is nowhere."""
        with np.errstate(over="ignore"):
            nano = np.stack([self.lon_offset + self.granularity * lon, self.lat_offset + self.granularity * lat], axis=1)
        out = np.rint(nano / 100.0)
        out[(np.abs(out) > (1.8e9, 9e8)).any(axis=1)] = NOWHERE
        return out.astype(np.int32)


def _sound(value: T | None) -> T:
    """Return a value, or say that the message which should have given it is broken."""
    if value is None:
        raise _Broken("a message that is cut or broken")
    return value


def _primitive(data: bytes) -> _Primitive:
    """Split a block of elements into its pieces."""
    buf = np.frombuffer(data, dtype=np.uint8)
    strings, groups = np.zeros((0, 2), dtype=np.int64), []
    scale = {17: 100, 19: 0, 20: 0}
    for number, wire, a, b in _sound(fields(buf, 0, len(buf))).tolist():
        if (number, wire) == (1, 2):
            strings = np.ascontiguousarray(_spans(buf, a, b, 1))
        elif (number, wire) == (2, 2):
            found = _sound(fields(buf, a, b))
            for kind in np.unique(found[:, 0]).tolist():
                spans = found[(found[:, 0] == kind) & (found[:, 1] == 2)][:, 2:]
                groups.append((_KINDS.get(kind, ""), np.ascontiguousarray(spans)))
        elif number in scale and wire == 0:
            scale[number] = a
    if not 0 < scale[17] <= 1_000_000_000 or max(abs(scale[19]), abs(scale[20])) > 1 << 60:
        raise _Broken("coordinates in no known scale")
    return _Primitive(buf, strings, groups, scale[17], scale[19], scale[20])


def _spans(buf: UInt8, start: int, end: int, number: int) -> Int64:
    """Return where the fields of a number lie within a message, (n, 2)."""
    found = _sound(fields(buf, start, end))
    return found[(found[:, 0] == number) & (found[:, 1] == 2)][:, 2:]


def _only_nodes(blob: _Unpacked) -> bool:
    """Say from a blob's first bytes whether it holds dense nodes and nothing else, and no string that names an apex."""
    head, at, ends = blob.peek(), 0, []
    for tag in (0x0A, 0x12, 0x12):  # the strings; a group; its dense nodes
        if at >= len(head) or head[at] != tag:
            return False
        length, shift, at = 0, 0, at + 1
        while at < len(head) and head[at] >= 0x80 and shift < 28:
            length |= (head[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
        if at >= len(head):
            return False
        length |= head[at] << shift
        at += 1
        ends.append(at + length)
        if tag == 0x0A and length + at <= len(head):
            if APEX_KEY.encode() in head[at : at + length]:
                return False
            at += length
    return ends[1] == ends[2] == blob.size


def _read(data: bytes, members: Int64 | None) -> _Part:
    """Read of a blob the tagged ways, relations and apexes, or (``members`` given) the ways of those ids."""
    blob, part = _Unpacked(data), _Part()
    if members is None and _only_nodes(blob):
        part.kinds.add("dense")
        return part
    block = _primitive(blob.all())
    part.kinds.update(kind for kind, _ in block.groups)
    strings = block.table()
    for kind, spans in block.groups:
        if kind == _WAYS and len(spans):
            found = _sound(elements(block.buf, spans))
            ids = found[:, ID]
            low, high = part.way_ids or (ids[0], ids[0])
            part.way_ids = (min(low, int(ids.min())), max(high, int(ids.max())))
            wanted = _tagged(block, found, strings, WAY_KEYS) if members is None else np.isin(ids, members)
            if wanted.any():
                part.ways.append(_ways(block, found[wanted], strings, part))
        elif kind == _RELATIONS and members is None:
            part.relations.extend(_relations(block, spans, strings))
        elif kind in _NODES and members is None:
            part.apexes.extend(_apexes(block, kind, spans, strings))
    return part


def _tagged(block: _Primitive, found: Int64, strings: pa.Array, keys: tuple[str, ...]) -> Bool:
    """Say which elements carry one of some keys with a value other than 'no'."""
    is_key = np.asarray(pc.is_in(strings, pa.array(keys)))
    if not is_key.any():
        return np.zeros(len(found), dtype=np.bool_)
    return _sound(tagged_with(block.buf, found, is_key, np.asarray(pc.equal(strings, NO))))


def _tags(block: _Primitive, found: Int64, strings: pa.Array) -> tuple[Int64, Int32, Int32, pa.Array]:
    """Return offsets, keys, values of elements, and the strings that they use."""
    keys, offsets = _sound(unpack(block.buf, found[:, KEYS], found[:, KEYS + 1]))
    vals, same = _sound(unpack(block.buf, found[:, VALS], found[:, VALS + 1]))
    if not np.array_equal(offsets, same):
        raise _Broken("a key without a value")
    both = np.concatenate([keys, vals])
    if len(both) and not 0 <= both.min() <= both.max() < len(strings):
        raise _Broken("a string beyond its table")
    used, new = np.unique(both, return_inverse=True)
    new = new.astype(np.int32)
    return offsets, new[: len(keys)], new[len(keys) :], strings.take(pa.array(used))


def _ways(block: _Primitive, found: Int64, strings: pa.Array, part: _Part) -> Block:
    """Read ways; places of nodes that stand on the ways themselves go to the part."""
    found = np.ascontiguousarray(found)
    refs, ref_offsets = _sound(unpack(block.buf, found[:, EIGHT], found[:, EIGHT + 1], "delta"))
    if found[:, NINE + 1].any():
        lat, lat_offsets = _sound(unpack(block.buf, found[:, NINE], found[:, NINE + 1], "delta"))
        lon, _ = _sound(unpack(block.buf, found[:, TEN], found[:, TEN + 1], "delta"))
        if not (np.array_equal(lat_offsets, ref_offsets) and len(lon) == len(lat)):
            raise _Broken("places on ways that do not fit their nodes")
        part.on_ways.append((refs, block.lonlat(lon, lat)))
    offsets, keys, vals, used = _tags(block, found, strings)
    return Block(found[:, ID].copy(), ref_offsets, refs, offsets, keys, vals, used)


def _relations(block: _Primitive, spans: Int64, strings: pa.Array) -> Iterator[Relation]:
    """Read the relations that matter: few, so one by one."""
    found = _sound(elements(block.buf, spans))
    is_type, is_kind = np.asarray(pc.equal(strings, "type")), np.asarray(pc.is_in(strings, pa.array(RELATION_TYPES)))
    if not is_type.any():
        return
    found = np.ascontiguousarray(found[_sound(tagged_with(block.buf, found, is_type, ~is_kind))])
    offsets, keys, vals, used = _tags(block, found, strings)
    empty = np.zeros(len(found) + 1, dtype=np.int64)
    tags = Block(found[:, ID], empty, empty[:0], offsets, keys, vals, used)
    roles, at = _sound(unpack(block.buf, found[:, EIGHT], found[:, EIGHT + 1]))
    ids, same = _sound(unpack(block.buf, found[:, NINE], found[:, NINE + 1], "delta"))
    kinds, too = _sound(unpack(block.buf, found[:, TEN], found[:, TEN + 1]))
    if not (np.array_equal(at, same) and np.array_equal(at, too)):
        raise _Broken("a member without a role or a type")
    if len(roles) and not (0 <= roles.min() <= roles.max() < len(strings) and 0 <= kinds.min() <= kinds.max() < 3):
        raise _Broken("a member of no known type or role")
    for i in range(len(found)):
        bare = Relation(int(found[i, ID]), tags.tags(i), ())
        if matters(bare):
            span = slice(int(at[i]), int(at[i + 1]))
            words = strings.take(pa.array(roles[span])).view(pa.binary()).to_pylist()
            names = [word.decode("utf-8", "replace") for word in words]
            letters = ["nwr"[kind] for kind in kinds[span].tolist()]
            members = tuple(zip(letters, ids[span].tolist(), names, strict=True))
            yield Relation(bare.id, bare.tags, members)


def _apexes(block: _Primitive, kind: str, spans: Int64, strings: pa.Array) -> Iterator[tuple[Block, Int32]]:
    """Read the nodes that are apexes of roofs."""
    numbers = np.flatnonzero(np.asarray(pc.equal(strings, APEX_KEY)))
    if not len(numbers):
        return
    if kind == "nodes":
        found = _sound(elements(block.buf, spans))
        found = np.ascontiguousarray(found[_tagged(block, found, strings, (APEX_KEY,))])
        zigzag = found[:, [ID, EIGHT, NINE]].view(np.uint64)
        ids, lat, lon = ((zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)).T
        offsets, keys, vals, used = _tags(block, found, strings)
        yield _nodes(ids, offsets, keys, vals, used), block.lonlat(lon, lat)
        return
    for start, end in spans.tolist():
        found = _sound(elements(block.buf, np.array([[start, end]], dtype=np.int64)))
        ids, lonlat = _dense(block, start, end)
        packed = _spans(block.buf, start, end, 10)
        if len(packed):
            flat, _ = _sound(unpack(block.buf, packed[:1, 0], packed[:1, 1]))
            yield _dense_tags(flat, numbers, strings, ids, lonlat)


def _dense_tags(flat: Int64, numbers: Int64, strings: pa.Array, ids: Int64, lonlat: Int32) -> tuple[Block, Int32]:
    """Read the tags of dense nodes (key, value, ..., 0 after each node) and keep those with an apex."""
    ends = np.flatnonzero(flat == 0)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    if len(ends) != len(ids) or ((ends - starts) % 2).any() or flat.max(initial=0) >= len(strings) or flat.min() < 0:
        raise _Broken("tags of nodes that do not fit them")
    owner = np.cumsum(flat == 0)
    is_key = (np.arange(len(flat)) - starts[np.minimum(owner, len(starts) - 1)]) % 2 == 0
    hit = np.unique(owner[np.isin(flat, numbers) & is_key])
    pairs = [flat[starts[k] : ends[k]].reshape(-1, 2) for k in hit.tolist()]
    offsets = np.cumsum([0, *map(len, pairs)])
    both = np.concatenate([*pairs, np.zeros((0, 2), dtype=np.int64)])
    used, new = np.unique(both, return_inverse=True)
    new = new.reshape(-1, 2).astype(np.int32)
    block = _nodes(ids[hit], offsets, new[:, 0], new[:, 1], strings.take(pa.array(used)))
    wanted = np.flatnonzero(block.has((APEX_KEY,)))
    return block.take(wanted), lonlat[hit][wanted]


def _nodes(ids: Int64, offsets: Int64, keys: Int32, vals: Int32, strings: pa.Array) -> Block:
    """Make a block of elements that have no nodes."""
    none = np.zeros(len(ids) + 1, dtype=np.int64)
    return Block(np.ascontiguousarray(ids), none, none[:0], offsets, keys, vals, strings)


def _dense(block: _Primitive, start: int, end: int) -> tuple[Int64, Int32]:
    """Return ids and places of dense nodes."""
    columns = []
    for number in (1, 8, 9):
        packed = _spans(block.buf, start, end, number)
        columns.append(_sound(unpack(block.buf, packed[:1, 0], packed[:1, 1], "delta"))[0])
    ids, lat, lon = columns
    if not len(ids) == len(lat) == len(lon):
        raise _Broken("nodes without a place")
    return ids, block.lonlat(lon, lat)


def _locate(data: bytes, wanted: Int64) -> list[tuple[Int64, Int32]]:
    """Find wanted nodes in a blob: their rows in the sorted ids, and their places."""
    block, out = _primitive(_Unpacked(data).all()), []
    for kind, spans in block.groups:
        if kind == "dense":
            for start, end in spans.tolist():
                ids, lonlat = _dense(block, start, end)
                at, known = _places(wanted, ids)
                out.append((at, lonlat[known]))
        elif kind == "nodes":
            found = _sound(elements(block.buf, spans))
            zigzag = found[:, [ID, EIGHT, NINE]].view(np.uint64)
            ids, lat, lon = ((zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)).T
            at, known = _places(wanted, np.ascontiguousarray(ids))
            out.append((at, block.lonlat(lon, lat)[known]))
    return out


def _places(wanted: Int64, ids: Int64) -> tuple[Int64, Int64]:
    """Return, of ids that are wanted, their rows in the sorted ids and where they stand."""
    at = np.minimum(np.searchsorted(wanted, ids), len(wanted) - 1)
    known = np.flatnonzero(wanted[at] == ids)
    return at[known], known


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
