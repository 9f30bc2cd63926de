"""
Elements to the rows that a source hands on: which way or relation is a building, and what relations add to its tags.

Relation:multipolygon, also in its old style (tags on the outer ways): one row, the relation's; an outer way that says the
same gives its tags to it and is no row of its own. Relation:building: its tags go to its outline where that lacks them, and its
parts are told their outline in the column ``osm:outline``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Int64
from citygen.sources.openstreetmap.elements import (
    AREA_KEYS,
    WAY_KEYS,
    Relation,
    Scan,
    core_tags,
    is_bare,
    is_given,
)

OUTLINE = "osm:outline"
"""Raw column: id of the outline that a part belongs to, as a ``type=building`` relation says."""

_NO_RING = frozenset({"part", "outline", "label", "entrance", "admin_centre", "subarea", "ridge", "edge"})
_MEASURES = frozenset(
    {"height", "min_height", "max_height", "min_level", "levels", "layer", "name", "colour", "material"}
)
"""Keys that, like ``building:*`` and ``roof:*``, leave open what a member of a building relation is."""


@dataclass(frozen=True, slots=True)
class Area:
    """A relation that is a row: its tags, and its ways as (role, block, row in the block); ``problem`` says why it has none."""

    id: int
    tags: dict[str, str]
    ways: tuple[tuple[str, int, int], ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Rows:
    """
    What is handed on.

    Attributes
    ----------
    ways : tuple of (n,) int64
        For each block of the scan, the rows of it that are rows of the source.
    changes : dict of (block, row) to dict of str to str
        Tags that relations add to ways.
    problems : dict of (block, row) to str
        Ways that are told what they are not.
    areas : tuple of Area
        In the order of the file.
    """

    ways: tuple[Int64, ...]
    changes: dict[tuple[int, int], dict[str, str]]
    problems: dict[tuple[int, int], str]
    areas: tuple[Area, ...]

    def columns(self, scan: Scan) -> tuple[str, ...]:
        """Return the keys that occur on rows, sorted."""
        names = {key for each in self.changes.values() for key in each} | {k for a in self.areas for k in a.tags}
        for block, rows in zip(scan.ways, self.ways, strict=True):
            names.update(block.take(rows).key_names().values())
        return tuple(sorted(names.union(scan.apexes.key_names().values())))


@dataclass(slots=True)
class _Found:
    """The rows as they are worked out."""

    scan: Scan
    ids: Int64
    place: Int64
    ends: Int64
    changes: dict[tuple[int, int], dict[str, str]]
    problems: dict[tuple[int, int], str]
    areas: dict[int, Area]
    taken: dict[tuple[int, int], int]
    asked: set[tuple[int, int]]

    def way(self, number: int) -> tuple[int, int] | None:
        """Return block and row of a way, None when the file has none of that id."""
        at = int(np.searchsorted(self.ids, number))
        if at == len(self.ids) or self.ids[at] != number:
            return None
        flat = int(self.place[at])
        block = int(np.searchsorted(self.ends, flat, side="right"))
        return block, flat - (int(self.ends[block - 1]) if block else 0)

    def tags(self, at: tuple[int, int]) -> dict[str, str]:
        """Return the tags of a way, with what was added."""
        return {**self.scan.ways[at[0]].tags(at[1]), **self.changes.get(at, {})}

    def closed(self, at: tuple[int, int]) -> bool:
        """Say whether a way ends where it starts."""
        refs = self.scan.ways[at[0]].nodes(at[1])
        return len(refs) > 2 and bool(refs[0] == refs[-1])


def rows_of(scan: Scan) -> Rows:
    """
    Work out the rows of a file.

    Parameters
    ----------
    scan : Scan
        Of any reader.

    Returns
    -------
    Rows
        Ways in the order of the file, then relations.
    """
    ids = np.concatenate([b.ids for b in scan.ways]) if scan.ways else np.zeros(0, dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    ends = np.cumsum([len(b) for b in scan.ways], dtype=np.int64)
    found = _Found(scan, ids[order], order, ends, {}, {}, {}, {}, set())
    for relation in scan.relations:
        if relation.tags.get("type") != "building":
            _multipolygon(found, relation)
    for relation in scan.relations:
        if relation.tags.get("type") == "building":
            _building(found, relation)
    ways = []
    asked, taken = _by_block(found.asked), _by_block(found.taken)
    for k, block in enumerate(scan.ways):
        is_row = block.has(WAY_KEYS) if len(block) else np.zeros(0, dtype=np.bool_)
        is_row[asked.get(k, [])] = True
        is_row[taken.get(k, [])] = False
        ways.append(np.flatnonzero(is_row))
    return Rows(tuple(ways), found.changes, found.problems, tuple(found.areas.values()))


def _by_block(places: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    """Return the rows of each block that has some."""
    out: dict[int, list[int]] = {}
    for block, row in places:
        out.setdefault(block, []).append(row)
    return out


def _multipolygon(found: _Found, relation: Relation) -> None:
    """Make an area of a relation, and take its outer ways in where they say the same."""
    own = any(is_given(relation.tags, key) for key in AREA_KEYS)
    members = dict.fromkeys((role, i) for kind, i, role in relation.members if kind == "w" and role not in _NO_RING)
    places = {i: found.way(i) for _, i in members}
    ways = tuple((role, *at) for role, i in members if (at := places[i]) is not None)
    unique = tuple({(block, row): (role, block, row) for role, block, row in ways}.values())
    outers = [(block, row) for role, block, row in unique if role != "inner"]
    missing = sum(at is None for at in places.values())
    tags = dict(relation.tags) if own else _old_style(found, relation, outers)
    if tags is None or (missing and not own):
        return
    problem = ""
    if not unique:
        problem = "no way of this relation is in the file" if places else "the relation has no ways"
    elif missing:
        problem = f"{missing} of the {len(places)} ways of this relation are not in the file"
    if not problem:
        tags = _take_in(found, relation.id, tags, outers)
        for role, block, row in unique:
            if role == "inner" and core_tags(found.tags((block, row))) == core_tags(tags):
                found.problems[block, row] = (
                    f"it has the tags of relation/{relation.id}, of which it is an inner ring: the courtyard"
                )
    found.areas[relation.id] = Area(relation.id, tags, unique, problem)


def _old_style(found: _Found, relation: Relation, outers: Sequence[tuple[int, int]]) -> dict[str, str] | None:
    """Return the tags that the outer ways of a relation without own ones agree on; None where it is no building."""
    if not is_bare(relation):
        return None
    tags: dict[str, str] = {}
    for at in outers:
        for key, value in core_tags(found.tags(at)).items():
            if tags.setdefault(key, value) != value:
                return None
    return {**relation.tags, **tags} if any(is_given(tags, key) for key in AREA_KEYS) else None


def _take_in(found: _Found, relation: int, tags: dict[str, str], outers: Iterable[tuple[int, int]]) -> dict[str, str]:
    """Give a relation the tags of its outer ways that are the same building (or part), and make them no rows."""
    tags = dict(tags)
    key = next(key for key in AREA_KEYS if is_given(tags, key))
    for at in outers:
        mine = found.tags(at)
        if is_given(mine, key) and (key == "building" or not is_given(mine, "building")):
            found.taken[at] = relation
            for name, value in mine.items():
                tags.setdefault(name, value)
    return tags


def _building(found: _Found, relation: Relation) -> None:
    """Give a building relation's tags to its outline, and its outline's id to its parts."""
    outline = next((_name(found, kind, i) for kind, i, role in relation.members if role == "outline"), None)
    if outline is not None:
        own = {key: value for key, value in relation.tags.items() if key not in ("type", "building:part")}
        outline = outline if _add(found, outline, own, needed="building") else None
    for kind, i, role in relation.members:
        part = _name(found, kind, i) if role == "part" else None
        if part is not None and part != outline:
            _add(found, part, {} if outline is None else {OUTLINE: outline}, needed="building:part")


def _name(found: _Found, kind: str, number: int) -> str | None:
    """Return the id of the row that a way or relation is, or was taken into; None where the file has none."""
    if kind == "r":
        return f"relation/{number}" if number in found.areas else None
    at = found.way(number) if kind == "w" else None
    if at is None:
        return None
    return f"relation/{found.taken[at]}" if at in found.taken else f"way/{number}"


def _add(found: _Found, name: str, more: dict[str, str], *, needed: str) -> bool:
    """Add tags to a row where it lacks them; False for one that is something else: a part for an outline, a fence."""
    kind, _, number = name.partition("/")
    at = found.way(int(number)) if kind == "way" else None
    tags = found.areas[int(number)].tags if at is None else found.tags(at)
    new = {key: value for key, value in more.items() if key not in tags}
    if not any(is_given(tags, key) for key in AREA_KEYS):
        if not all(key in _MEASURES or key.startswith(("building:", "roof:")) for key in core_tags(tags)):
            return False
        new.setdefault(needed, "yes")
    elif needed == "building" and not is_given(tags, "building"):
        return False
    if at is None:
        found.areas[int(number)].tags.update(new)
    else:
        found.asked.add(at)
        found.changes.setdefault(at, {}).update(new)
    return True
