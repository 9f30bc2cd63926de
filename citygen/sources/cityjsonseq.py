"""
CityJSONSeq (1.1, 2.0; a CityJSON object, then one CityJSONFeature a line) to batches, feature by feature.

CityJSON 2.0 specification, section 9 (CityJSONSeq); the first object holds the transform and the reference system of all.
What is a row, and what its footprint is: ``city_rows`` and ``city_footprints``. Nothing is held but one feature.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from citygen.errors import InputError
from citygen.sources.base import SOURCES, Source, SourceFormat, SourceOptions
from citygen.sources.city_json import Transform, read_vertices
from citygen.sources.city_rows import CityObject, FileSays, open_city_model
from citygen.sources.cityjson import Family, Known, check_header, know, reference_system
from citygen.sources.json_head import is_city_sequence
from citygen.sources.json_stream import JsonStream


def open_cityjsonseq(path: Path, options: SourceOptions) -> Source:
    """
    Open a CityJSONSeq file: read it through once.

    Raises
    ------
    InputError
        When it is no JSON, cut off, or no CityJSONSeq: its first line has to be a CityJSON object with a transform.
    MissingCRSError
        When its first line has no ``referenceSystem`` and the user gives none.
    """
    return open_city_model(path, options, "cityjsonseq", read_cityjsonseq, traditional=True)


def read_cityjsonseq(path: Path, says: FileSays) -> Iterator[CityObject]:
    """Yield the rows to be of a CityJSONSeq file."""
    with JsonStream(path) as stream:
        header = stream.value()
        if not isinstance(header, dict) or header.get("type") == "CityJSONFeature":
            raise InputError(
                f"{path}: CityJSONSeq without its first line, a CityJSON object with the transform of all features; "
                "export it again"
            )
        transform = check_header(header, path)
        says.crs = reference_system(header)
        yield from _feature(header, transform)  # a few tools write objects into the first line too
        while stream.peek():
            thing = stream.value()
            if not isinstance(thing, dict) or thing.get("type") != "CityJSONFeature":
                kind = thing.get("type") if isinstance(thing, dict) else type(thing).__name__
                raise stream.error(f'a CityJSONFeature expected, something of "type" {str(kind)[:40]!r} found')
            yield from _feature(thing, transform)


def _feature(thing: dict[str, Any], transform: Transform) -> Iterator[CityObject]:
    """Yield the rows to be of one feature."""
    objects = thing.get("CityObjects")
    listed = thing.get("vertices")
    if not isinstance(objects, dict) or not objects:
        return
    known: dict[str, Known] = {}
    for name, each in objects.items():
        know(name, each, known)
    family = Family(known)
    vertices = read_vertices(listed if isinstance(listed, list) else [], transform)
    for name, each in objects.items():
        made = family.row(name, each, vertices)
        if made is not None:
            yield made


SOURCES.register("cityjsonseq", SourceFormat("CityJSONSeq (.city.jsonl)", is_city_sequence, open_cityjsonseq))
