"""Small OpenStreetMap files for tests: elements as plain tuples to PBF or XML, and the rows that a source makes of them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import osmium
import shapely
from osmium.osm import mutable

from citygen.sources.base import SourceOptions, open_source

Tags = Mapping[str, str]


def write(path: Path, *elements: Any) -> Path:
    """Write elements, made by ``node``, ``way`` and ``relation``, in the order given; the name's end says the format."""
    add = {mutable.Node: "add_node", mutable.Way: "add_way", mutable.Relation: "add_relation"}
    with osmium.SimpleWriter(str(path), overwrite=True) as writer:
        for each in elements:
            getattr(writer, add[type(each)])(each)
    return path


def node(number: int, lon: float, lat: float, tags: Tags | None = None) -> Any:
    return mutable.Node(id=number, version=1, location=(lon, lat), tags=dict(tags or {}))


def way(number: int, refs: Iterable[int], tags: Tags | None = None) -> Any:
    return mutable.Way(id=number, version=1, nodes=list(refs), tags=dict(tags or {}))


def relation(number: int, members: Iterable[tuple[str, int, str]], tags: Tags) -> Any:
    return mutable.Relation(id=number, version=1, members=list(members), tags=dict(tags))


def square(first: int, lon: float, lat: float, size: float = 1e-3) -> tuple[list[Any], list[int]]:
    """Four nodes and the closed ring over them."""
    corners = ((0, 0), (size, 0), (size, size), (0, size))
    nodes = [node(first + k, lon + x, lat + y) for k, (x, y) in enumerate(corners)]
    return nodes, [first, first + 1, first + 2, first + 3, first]


def rows(path: Path, bbox: Any = None, **options: Any) -> dict[str, dict[str, Any]]:
    """Return the rows by id: tags, ``problem``, ``row`` and ``geometry`` as a shape; what is null is left out."""
    found: dict[str, dict[str, Any]] = {}
    source = open_source(path, SourceOptions(**options))
    schema = None
    for batch in source.batches(bbox):
        batch.validate(full=True)
        assert len(batch)
        assert schema in (None, batch.schema)
        schema = batch.schema
        assert tuple(batch.column_names[4:]) == source.info.columns
        for each in batch.to_pylist():
            assert each["id"] not in found
            found[each["id"]] = {key: value for key, value in each.items() if value is not None}
            if each["geometry"] is not None:
                found[each["id"]]["geometry"] = shapely.from_wkb(each["geometry"])
    if bbox is None:
        assert source.info.feature_count == len(found)
        assert sorted(each["row"] for each in found.values()) == list(range(len(found)))
    return found
