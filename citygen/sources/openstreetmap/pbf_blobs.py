"""
One blob of an OpenStreetMap PBF file to what of it concerns buildings: split and decoded by the protobuf kernels.

Format: https://wiki.openstreetmap.org/wiki/PBF_Format (osmformat.proto).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import Bool, Int32, Int64, UInt8
from citygen.sources.openstreetmap.elements import (
    APEX_KEY,
    NO,
    NOWHERE,
    RELATION_TYPES,
    WAY_KEYS,
    Block,
    Relation,
    matters,
)
from citygen.sources.openstreetmap.matching import match
from citygen.sources.openstreetmap.packing import BrokenError, Unpacked, only_nodes, sound
from citygen.sources.openstreetmap.protobuf import EIGHT, ID, KEYS, NINE, TEN, VALS, elements, fields, gather, unpack
from citygen.sources.openstreetmap.protobuf import tagged as tagged_with

NODES = ("nodes", "dense")

_KINDS = {1: "nodes", 2: "dense", 3: "ways", 4: "relations"}


@dataclass(slots=True)
class Part:
    """What one blob gave: which kinds it holds, the ids of its ways, and what of it matters."""

    kinds: set[str] = field(default_factory=set)
    way_ids: tuple[int, int] | None = None
    ways: list[Block] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    apexes: list[tuple[Block, Int32]] = field(default_factory=list)
    on_ways: list[tuple[Int64, Int32]] = field(default_factory=list)


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
        if (self.granularity, self.lat_offset, self.lon_offset) == (100, 0, 0):
            out = np.stack([lon, lat], axis=1)
            out[(lon > 1.8e9) | (lon < -1.8e9) | (lat > 9e8) | (lat < -9e8)] = NOWHERE
            return out.astype(np.int32)
        with np.errstate(over="ignore"):
            nano = np.stack(
                [self.lon_offset + self.granularity * lon, self.lat_offset + self.granularity * lat], axis=1
            )
        scaled = np.rint(nano / 100.0)
        scaled[(np.abs(scaled) > (1.8e9, 9e8)).any(axis=1)] = NOWHERE
        return scaled.astype(np.int32)


def _primitive(data: bytes) -> _Primitive:
    """Split a block of elements into its pieces."""
    buf = np.frombuffer(data, dtype=np.uint8)
    strings, groups = np.zeros((0, 2), dtype=np.int64), []
    scale = {17: 100, 19: 0, 20: 0}
    for number, wire, a, b in sound(fields(buf, 0, len(buf))).tolist():
        if (number, wire) == (1, 2):
            strings = np.ascontiguousarray(_spans(buf, a, b, 1))
        elif (number, wire) == (2, 2):
            found = sound(fields(buf, a, b))
            for kind in np.unique(found[:, 0]).tolist():
                spans = found[(found[:, 0] == kind) & (found[:, 1] == 2)][:, 2:]
                groups.append((_KINDS.get(kind, ""), np.ascontiguousarray(spans)))
        elif number in scale and wire == 0:
            scale[number] = a
    if not 0 < scale[17] <= 1_000_000_000 or max(abs(scale[19]), abs(scale[20])) > 1 << 60:
        raise BrokenError("coordinates in no known scale")
    return _Primitive(buf, strings, groups, scale[17], scale[19], scale[20])


def _spans(buf: UInt8, start: int, end: int, number: int) -> Int64:
    """Return where the fields of a number lie within a message, (n, 2)."""
    found = sound(fields(buf, start, end))
    spans: Int64 = found[(found[:, 0] == number) & (found[:, 1] == 2)][:, 2:]
    return spans


def read_blob(data: bytes, members: Int64, *, only_members: bool) -> Part:
    """
    Read of a blob what matters.

    Parameters
    ----------
    data : bytes
        A blob as it lies in the file.
    members : (m,) int64
        Sorted ids of ways that are wanted whatever their tags.
    only_members : bool
        Nothing but those; else also tagged ways, relations and apexes.
    """
    blob, part = Unpacked(data), Part()
    if not only_members and only_nodes(blob):
        part.kinds.add("dense")
        return part
    block = _primitive(blob.all())
    part.kinds.update(kind for kind, _ in block.groups)
    strings = block.table()
    for kind, spans in block.groups:
        if kind == "ways" and len(spans):
            found = sound(elements(block.buf, spans))
            ids = np.ascontiguousarray(found[:, ID])
            low, high = part.way_ids or (ids[0], ids[0])
            part.way_ids = (min(low, int(ids.min())), max(high, int(ids.max())))
            wanted = np.zeros(len(ids), dtype=np.bool_) if only_members else _tagged(block, found, strings, WAY_KEYS)
            wanted[match(members, ids)[1]] = True
            if wanted.any():
                part.ways.append(_ways(block, found[wanted], strings, part))
        elif kind == "relations" and not only_members:
            part.relations.extend(_relations(block, spans, strings))
        elif kind in NODES and not only_members:
            part.apexes.extend(_apexes(block, kind, spans, strings))
    return part


def _tagged(block: _Primitive, found: Int64, strings: pa.Array, keys: tuple[str, ...]) -> Bool:
    """Say which elements carry one of some keys with a value other than 'no'."""
    is_key = np.asarray(pc.is_in(strings, pa.array(keys)))
    if not is_key.any():
        return np.zeros(len(found), dtype=np.bool_)
    return sound(tagged_with(block.buf, found, is_key, np.asarray(pc.equal(strings, NO))))


def _tags(block: _Primitive, found: Int64, strings: pa.Array) -> tuple[Int64, Int32, Int32, pa.Array]:
    """Return offsets, keys, values of elements, and the strings that they use."""
    keys, offsets = sound(unpack(block.buf, found[:, KEYS], found[:, KEYS + 1]))
    vals, same = sound(unpack(block.buf, found[:, VALS], found[:, VALS + 1]))
    if not np.array_equal(offsets, same):
        raise BrokenError("a key without a value")
    both = np.concatenate([keys, vals])
    if len(both) and not 0 <= both.min() <= both.max() < len(strings):
        raise BrokenError("a string beyond its table")
    is_used = np.zeros(len(strings), dtype=np.bool_)
    is_used[both] = True
    new = (np.cumsum(is_used, dtype=np.int32) - 1)[both]
    return offsets, new[: len(keys)], new[len(keys) :], strings.take(pa.array(np.flatnonzero(is_used)))


def _ways(block: _Primitive, found: Int64, strings: pa.Array, part: Part) -> Block:
    """Read ways; places of nodes that stand on the ways themselves go to the part."""
    found = np.ascontiguousarray(found)
    refs, ref_offsets = sound(unpack(block.buf, found[:, EIGHT], found[:, EIGHT + 1], "delta"))
    if found[:, NINE + 1].any():
        lat, lat_offsets = sound(unpack(block.buf, found[:, NINE], found[:, NINE + 1], "delta"))
        lon, _ = sound(unpack(block.buf, found[:, TEN], found[:, TEN + 1], "delta"))
        if not (np.array_equal(lat_offsets, ref_offsets) and len(lon) == len(lat)):
            raise BrokenError("places on ways that do not fit their nodes")
        part.on_ways.append((refs, block.lonlat(lon, lat)))
    offsets, keys, vals, used = _tags(block, found, strings)
    return Block(found[:, ID].copy(), ref_offsets, refs, offsets, keys, vals, used)


def _relations(block: _Primitive, spans: Int64, strings: pa.Array) -> Iterator[Relation]:
    """Read the relations that matter: few, so one by one."""
    found = sound(elements(block.buf, spans))
    is_type, is_kind = np.asarray(pc.equal(strings, "type")), np.asarray(pc.is_in(strings, pa.array(RELATION_TYPES)))
    if not is_type.any():
        return
    found = np.ascontiguousarray(found[sound(tagged_with(block.buf, found, is_type, ~is_kind))])
    offsets, keys, vals, used = _tags(block, found, strings)
    empty = np.zeros(len(found) + 1, dtype=np.int64)
    tags = Block(found[:, ID], empty, empty[:0], offsets, keys, vals, used)
    roles, at = sound(unpack(block.buf, found[:, EIGHT], found[:, EIGHT + 1]))
    ids, same = sound(unpack(block.buf, found[:, NINE], found[:, NINE + 1], "delta"))
    kinds, too = sound(unpack(block.buf, found[:, TEN], found[:, TEN + 1]))
    if not (np.array_equal(at, same) and np.array_equal(at, too)):
        raise BrokenError("a member without a role or a type")
    if len(roles) and not (0 <= roles.min() <= roles.max() < len(strings) and 0 <= kinds.min() <= kinds.max() < 3):
        raise BrokenError("a member of no known type or role")
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
        found = sound(elements(block.buf, spans))
        found = np.ascontiguousarray(found[_tagged(block, found, strings, (APEX_KEY,))])
        zigzag = found[:, [ID, EIGHT, NINE]].view(np.uint64)
        ids, lat, lon = ((zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)).T
        offsets, keys, vals, used = _tags(block, found, strings)
        yield _nodes(ids, offsets, keys, vals, used), block.lonlat(lon, lat)
        return
    for start, end in spans.tolist():
        ids, lonlat = _dense(block, start, end)
        packed = _spans(block.buf, start, end, 10)
        if len(packed) and len(ids):
            flat, _ = sound(unpack(block.buf, packed[:1, 0], packed[:1, 1]))
            yield _dense_tags(flat, numbers, strings, ids, lonlat)


def _dense_tags(flat: Int64, numbers: Int64, strings: pa.Array, ids: Int64, lonlat: Int32) -> tuple[Block, Int32]:
    """Read the tags of dense nodes (key, value, ..., 0 after each node) and keep those with an apex."""
    ends = np.flatnonzero(flat == 0)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    fitting = len(ends) == len(ids) > 0 and flat[-1] == 0 and not ((ends - starts) % 2).any()
    if not fitting or flat.max() >= len(strings) or flat.min() < 0:
        raise BrokenError("tags of nodes that do not fit them")
    owner = np.cumsum(flat == 0)
    is_key = (np.arange(len(flat)) - starts[np.minimum(owner, len(starts) - 1)]) % 2 == 0
    hit = np.unique(owner[(flat != 0) & np.isin(flat, numbers) & is_key])
    pairs = [flat[starts[k] : ends[k]].reshape(-1, 2) for k in hit.tolist()]
    offsets = np.cumsum([0, *map(len, pairs)])
    both = np.concatenate([*pairs, np.zeros((0, 2), dtype=np.int64)])
    used, inverse = np.unique(both, return_inverse=True)
    new = inverse.reshape(-1, 2).astype(np.int32)
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
        columns.append(sound(unpack(block.buf, packed[:1, 0], packed[:1, 1], "delta"))[0])
    ids, lat, lon = columns
    if not len(ids) == len(lat) == len(lon):
        raise BrokenError("nodes without a place")
    return ids, block.lonlat(lon, lat)


def locate(data: bytes, wanted: Int64) -> list[tuple[Int64, Int32]]:
    """Find wanted nodes in a blob: their rows in the sorted ids, and their places."""
    block, out = _primitive(Unpacked(data).all()), []
    for kind, spans in block.groups:
        if kind == "dense":
            for start, end in spans.tolist():
                ids, lonlat = _dense(block, start, end)
                at, known = match(wanted, ids)
                out.append((at, lonlat[known]))
        elif kind == "nodes":
            found = sound(elements(block.buf, spans))
            zigzag = found[:, [ID, EIGHT, NINE]].view(np.uint64)
            ids, lat, lon = ((zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)).T
            at, known = match(wanted, np.ascontiguousarray(ids))
            out.append((at, block.lonlat(lon, lat)[known]))
    return out
