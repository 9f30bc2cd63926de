"""
Elements of OpenStreetMap as columns: ids, nodes of ways, tags over a table of strings; what every reader of a file gives.

Tag pages: Key:building, Key:building:part, Key:roof:ridge, Key:roof:edge, Key:roof:apex, Relation:multipolygon,
Relation:building.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import Bool, Int32, Int64
from citygen.sources.base import Bounds

AREA_KEYS = ("building", "building:part")
LINE_KEYS = ("roof:ridge", "roof:edge")
APEX_KEY = "roof:apex"
WAY_KEYS = (*AREA_KEYS, *LINE_KEYS)
NO = "no"
"""The value that takes a tag back."""

RELATION_TYPES = ("multipolygon", "boundary", "building")
NOWHERE = np.iinfo(np.int32).min
"""Longitude and latitude of a node that is not in the file."""

BLOCK_WAYS = 8192
"""Ways of a block: as many as a block of a PBF file holds."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    Some ways or nodes.

    Attributes
    ----------
    ids : (n,) int64
    ref_offsets : (n + 1,) int64
        Nodes of way i: ``refs[ref_offsets[i]:ref_offsets[i + 1]]``.
    refs : (r,) int64
    tag_offsets : (n + 1,) int64
        Tags of element i: ``keys`` and ``vals`` between its offsets.
    keys, vals : (t,) int32
        Numbers of ``strings``.
    strings : pyarrow.Array of string
        May hold bytes that are no UTF-8.
    """

    ids: Int64
    ref_offsets: Int64
    refs: Int64
    tag_offsets: Int64
    keys: Int32
    vals: Int32
    strings: pa.Array

    def __len__(self) -> int:
        """Return the number of elements."""
        return len(self.ids)

    def take(self, rows: Int64) -> "Block":
        """Return some elements, in the order asked for."""
        ref_offsets, refs = _take(self.ref_offsets, rows)
        tag_offsets, tags = _take(self.tag_offsets, rows)
        return Block(
            self.ids[rows], ref_offsets, self.refs[refs], tag_offsets, self.keys[tags], self.vals[tags], self.strings
        )

    def owners(self) -> Int64:
        """Return the element of each tag, (t,) int64."""
        return np.repeat(np.arange(len(self)), np.diff(self.tag_offsets))

    def number(self, text: str) -> Int32:
        """Return the numbers of a string (a table may hold it twice)."""
        return np.flatnonzero(np.asarray(pc.equal(self.strings, text))).astype(np.int32)

    def has(self, names: Iterable[str]) -> Bool:
        """Say which elements carry one of some keys with a value other than 'no', (n,) bool."""
        wanted = np.zeros(len(self.strings), dtype=np.bool_)
        wanted[np.concatenate([self.number(name) for name in names])] = True
        counts = np.ones(len(self.strings), dtype=np.bool_)
        counts[self.number(NO)] = False
        out = np.zeros(len(self), dtype=np.bool_)
        out[self.owners()[wanted[self.keys] & counts[self.vals]]] = True
        return out

    def key_names(self) -> dict[int, str]:
        """Return the keys that occur: number to text."""
        occurs = np.zeros(len(self.strings), dtype=np.bool_)
        occurs[self.keys] = True
        return {k: text_of(self.strings, k) for k in np.flatnonzero(occurs).tolist()}

    def tags(self, i: int) -> dict[str, str]:
        """Return the tags of one element."""
        span = slice(int(self.tag_offsets[i]), int(self.tag_offsets[i + 1]))
        pairs = zip(self.keys[span].tolist(), self.vals[span].tolist(), strict=True)
        return {text_of(self.strings, k): text_of(self.strings, v) for k, v in pairs}

    def nodes(self, i: int) -> Int64:
        """Return the nodes of one way, (k,) int64."""
        return self.refs[self.ref_offsets[i] : self.ref_offsets[i + 1]]

    def columns(self, names: Sequence[str]) -> dict[str, pa.Array]:
        """Return the values of keys, (n,) string each, null where an element lacks one."""
        numbers: dict[str, list[int]] = {}
        for number, name in self.key_names().items():
            numbers.setdefault(name, []).append(number)
        owners, nothing = self.owners(), pa.nulls(len(self), pa.string())
        out = {}
        for name in names:
            at = np.full(len(self), -1, dtype=np.int32)
            for number in numbers.get(name, ()):
                tags = np.flatnonzero(self.keys == number)
                at[owners[tags]] = self.vals[tags]
            out[name] = self.strings.take(pa.array(at, mask=at < 0)) if name in numbers else nothing
        return out


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation: id, tags, and members as (type: n, w or r; id; role), in order."""

    id: int
    tags: Mapping[str, str]
    members: Sequence[tuple[str, int, str]]


@dataclass(frozen=True, slots=True)
class Scan:
    """
    What of a file may concern buildings, without the places of nodes.

    Attributes
    ----------
    ways : tuple of Block
        Tagged ways, and members of relations that matter; each id once.
    relations : tuple of Relation
        Of ``RELATION_TYPES``, those that matter; each id once.
    apexes : Block
        Nodes with roof:apex, no refs.
    apex_lonlat : (n, 2) int32
        Their places, 1e-7 degrees.
    bounds : Bounds or None
        As the file's header says.
    """

    ways: tuple[Block, ...]
    relations: tuple[Relation, ...]
    apexes: Block
    apex_lonlat: Int32
    bounds: Bounds | None


class Reader(Protocol):
    """A file of elements: a scan, and the places of the nodes that the scan found to matter."""

    def scan(self) -> Scan:
        """Read ways, relations and apexes; ``InputError`` when the file is broken."""
        ...

    def locations(self, ids: Int64) -> Int32:
        """Return longitude and latitude of nodes (sorted ids, each once), (n, 2) int32, 1e-7 degrees, or ``NOWHERE``."""
        ...


def block_of(ids: Sequence[int], nodes: Sequence[Sequence[int]], tags: Sequence[Mapping[str, str]]) -> Block:
    """
    Make a block of elements that are given one by one.

    Examples
    --------
    >>> block_of([7], [[1, 2, 1]], [{"building": "yes"}]).tags(0)
    {'building': 'yes'}
    """
    table: dict[str, int] = {}
    keys = [table.setdefault(key, len(table)) for each in tags for key in each]
    vals = [table.setdefault(value, len(table)) for each in tags for value in each.values()]
    return Block(
        ids=np.array(ids, dtype=np.int64),
        ref_offsets=np.cumsum([0, *map(len, nodes)], dtype=np.int64),
        refs=np.array([ref for each in nodes for ref in each], dtype=np.int64),
        tag_offsets=np.cumsum([0, *map(len, tags)], dtype=np.int64),
        keys=np.array(keys, dtype=np.int32),
        vals=np.array(vals, dtype=np.int32),
        strings=pa.array(list(table), pa.string()),
    )


def text_of(strings: pa.Array, k: int) -> str:
    """Return a string of a table; bytes that are no UTF-8 become U+FFFD."""
    return bytes(strings[k].as_buffer()).decode("utf-8", "replace")


def is_given(tags: Mapping[str, str], key: str) -> bool:
    """Say whether tags hold a key with a value other than 'no'."""
    return tags.get(key, NO) != NO


def matters(relation: Relation) -> bool:
    """Say whether a relation may give buildings: it is one, it groups one, or its ways may say what it is (old style)."""
    if relation.tags.get("type") == "building" or any(is_given(relation.tags, key) for key in AREA_KEYS):
        return True
    return is_bare(relation)


def is_bare(relation: Relation) -> bool:
    """Say whether a relation has no tags of its own that say what it is."""
    return not core_tags(relation.tags)


def core_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that say what a thing is: without its type, and notes of mappers."""
    notes = ("type", "source", "created_by", "note", "fixme", "FIXME", "comment", "test:id", "test:section")
    return {key: value for key, value in tags.items() if key not in notes and not key.startswith("source:")}


def last_of_each(blocks: Sequence[Block]) -> list[Block]:
    """Return blocks in which every id stands once, as its last occurrence gives it."""
    ids = np.concatenate([b.ids for b in blocks]) if blocks else np.zeros(0, dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    again = order[:-1][ids[order][1:] == ids[order][:-1]]
    if not len(again):
        return list(blocks)
    keep = np.ones(len(ids), dtype=np.bool_)
    keep[again] = False
    ends = np.cumsum([len(b) for b in blocks])
    return [b.take(np.flatnonzero(keep[end - len(b) : end])) for b, end in zip(blocks, ends.tolist(), strict=True)]


def _take(offsets: Int64, rows: Int64) -> tuple[Int64, Int64]:
    """Return new offsets, and the old places, of the lists of some rows."""
    starts, counts = offsets[:-1][rows], np.diff(offsets)[rows]
    new = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(counts, out=new[1:])
    return new, np.arange(new[-1]) + np.repeat(starts - new[:-1], counts)
