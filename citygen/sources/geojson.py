"""
GeoJSON (RFC 7946, and the ``crs`` member of the 2008 form) and line- or RS-delimited GeoJSON (RFC 8142) to batches.

GDAL's driver drops a geometry that it cannot read without saying so, and opens the URL of a ``crs`` link; this reader
gives every feature its row, says why a geometry is unusable, and opens nothing. The file is read twice: once, when it is
opened, to check that it is whole and to settle the columns' types, and again for the rows. Of a key that stands twice
the last value counts.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from citygen.errors import InputError, MissingCRSError
from citygen.log import get_logger
from citygen.sources.base import BATCH_ROWS, SOURCES, Bounds, Source, SourceFormat, SourceInfo, SourceOptions
from citygen.sources.batch import (
    ID_SAMPLE,
    Rows,
    Shape,
    id_candidates,
    json_text,
    make_batch,
    shape_of,
    text_array,
    wkb_bounds,
)
from citygen.sources.crs import OGC_CRS84, authority_code, file_crs, missing_crs
from citygen.sources.geojson_geometry import geometry_wkb
from citygen.sources.json_head import is_city_model
from citygen.sources.json_stream import JsonStream

log = get_logger(__name__)

_GEOMETRIES = ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection")
_MOST_COLUMNS = 4096
_BOOL, _INT, _FLOAT, _TEXT, _NEST, _NULL = 1, 2, 4, 8, 16, 0
_KINDS = {bool: _BOOL, int: _INT, float: _FLOAT, str: _TEXT, list: _NEST, dict: _NEST, type(None): _NULL}
_INT64 = 1 << 63
Feature: TypeAlias = tuple[bytes | None, str | None, str | None, dict[str, Any]]
"""WKB, problem, the feature's own id, properties."""
_START = re.compile(rb"^(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\x00\x1e]*[{\[]")


def is_geojson(head: bytes) -> bool:
    """Say whether a file starts like JSON, after a BOM, blanks or a record separator, and is no city model."""
    return _START.match(head) is not None and not is_city_model(head)


def open_geojson(path: Path, options: SourceOptions) -> Source:
    """
    Open a GeoJSON or GeoJSONSeq file: read it through once.

    Raises
    ------
    InputError
        When it is no JSON, cut off, no GeoJSON, or its CRS is a link.
    MissingCRSError
        When its ``crs`` is null and the user gives none.
    """
    survey = _Survey()
    with JsonStream(path) as stream:
        for batch in _chunks(map(read_feature, features(stream, survey.members)), 8192):
            survey.take(batch, path)
        if stream.bad_byte is not None:
            log.warning("%s: not UTF-8 from byte %d on; unreadable bytes are shown as U+FFFD", path, stream.bad_byte)
    columns = tuple(survey.kinds)
    shape = shape_of(columns, survey.id_sample(), where=str(path), id_column=options.id_column, wanted=options.columns)
    info = SourceInfo(
        name=path.stem,
        path=str(path),
        crs=_crs(survey.members, path, options.crs),
        columns=tuple(shape.names.values()),
        feature_count=survey.count,
        bounds=survey.bounds(),
        format="geojson",
    )
    return GeoJson(info, path, shape, dict(survey.kinds))


@dataclass(frozen=True, slots=True)
class GeoJson:
    """An open GeoJSON file; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    path: Path
    shape: Shape
    kinds: Mapping[str, int]

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        row = 0
        with JsonStream(self.path) as stream:
            for batch in _chunks(map(read_feature, features(stream, {})), batch_rows):
                rows = feature_rows(batch, self.kinds, row)
                row += len(batch)
                table = make_batch(rows, self.shape, bbox)
                if table is not None:
                    yield table


def features(stream: JsonStream, members: dict[str, Any]) -> Iterator[Any]:
    """
    Yield the features of a GeoJSON text, as parsed; what stands in their place in broken files too.

    Parameters
    ----------
    stream : JsonStream
        At its start.
    members : dict
        Filled with the other members of the first object (``type``, ``crs``, ...), complete at the end.

    Raises
    ------
    InputError
        When the text is no GeoJSON.
    """
    count = 0
    while stream.peek():
        own: dict[str, Any] = {}
        streamed = False
        for key in stream.members():
            if (
                key == "features"
                and stream.peek() == "["
                and count == 0
                and own.get("type", "FeatureCollection") == "FeatureCollection"
            ):
                streamed = True
                yield from stream.elements()
            else:
                own[key] = stream.value()
        count += 1
        if count == 1:
            members |= own
        kind = own.get("type")
        if streamed or kind == "FeatureCollection":
            if kind != "FeatureCollection" or not streamed:
                raise InputError(f"{stream.path}: not GeoJSON: {_why_no_collection(own, streamed)}")
            if stream.peek():
                raise stream.error("more text after the end of the FeatureCollection")
        elif kind == "Feature" or "geometry" in own:
            yield own
        elif kind in _GEOMETRIES:
            yield {"type": "Feature", "geometry": own, "properties": None}
        else:
            raise InputError(
                f'{stream.path}: JSON, but not GeoJSON (its "type" is '
                f"{str(kind)[:40]!r}): a FeatureCollection is expected"
            )
    if not count:
        raise stream.error("the file holds no JSON value")


def feature_rows(batch: Sequence[Feature], kinds: Mapping[str, int], first_row: int) -> Rows:
    """
    Turn features into rows.

    Parameters
    ----------
    batch : sequence of Feature
        As ``read_feature`` gives them.
    kinds : mapping of str to int
        Kinds of values a column holds, over the whole file.
    first_row : int
        Number of the first one.

    Returns
    -------
    Rows
        One a feature.
    """
    geometry, problems, ids, properties = zip(*batch, strict=True)
    return Rows(
        row=np.arange(first_row, first_row + len(batch), dtype=np.int64),
        geometry=pa.array(geometry, pa.binary()),
        attributes={name: values_array([own.get(name) for own in properties], kind) for name, kind in kinds.items()},
        problem=text_array(problems),
        feature_id=text_array(ids),
    )


def read_feature(thing: Any) -> Feature:
    """Return WKB, problem, id and properties of what stands in a feature's place."""
    if not isinstance(thing, dict):
        return None, "not a GeoJSON feature", None, {}
    if "geometry" not in thing and thing.get("type") in _GEOMETRIES:
        return *geometry_wkb(thing), None, {}
    own = thing.get("properties")
    feature_id = thing.get("id")
    if isinstance(feature_id, bool) or not isinstance(feature_id, str | int | float) or feature_id == "":
        feature_id = None
    wkb, problem = geometry_wkb(thing["geometry"]) if "geometry" in thing else (None, "the feature has no geometry")
    return wkb, problem, None if feature_id is None else str(feature_id), own if isinstance(own, dict) else {}


def values_array(values: Sequence[Any], kind: int) -> pa.Array:
    """
    Make a column of JSON values: one type where all agree, else text (numbers and nested values as JSON).

    Examples
    --------
    >>> values_array([1, "12 m", None], _INT | _TEXT).to_pylist()
    ['1', '12 m', None]
    """
    if kind == _BOOL:
        return pa.array(values, pa.bool_())
    if kind == _INT:
        return pa.array(values, pa.int64())
    if kind and not kind & ~(_INT | _FLOAT):
        return pa.array([None if v is None or v != v else float(v) for v in values], pa.float64())  # noqa: PLR0124  NaN is null
    return text_array([v if v is None or isinstance(v, str) else json_text(v) for v in values])


def value_kind(value: Any) -> int:
    """Return the kind of a JSON value; integers beyond 64 bits count as text, so that no digit is lost."""
    kind = _KINDS.get(type(value), _TEXT)
    return _TEXT if kind == _INT and not -_INT64 <= value < _INT64 else kind


@dataclass(slots=True)
class _Survey:
    """What a first reading tells of a file."""

    members: dict[str, Any] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    count: int = 0
    head: list[dict[str, Any]] = field(default_factory=list)
    box: np.ndarray = field(default_factory=lambda: np.array([np.inf, np.inf, -np.inf, -np.inf]))

    def take(self, batch: Sequence[Feature], path: Path) -> None:
        """Look at some more features."""
        for _, _, _, own in batch:
            for name, value in own.items():
                self.kinds[name] |= value_kind(value)
            if len(self.head) < ID_SAMPLE:
                self.head.append(own)
        if len(self.kinds) > _MOST_COLUMNS:
            raise InputError(
                f"{path}: more than {_MOST_COLUMNS} different property names; its features do not share columns"
            )
        self.count += len(batch)
        boxes = wkb_bounds(pa.array([wkb for wkb, *_ in batch], pa.binary()))
        good = boxes[np.isfinite(boxes).all(axis=1)]
        if len(good):
            self.box = np.concatenate(
                [np.minimum(self.box[:2], good[:, :2].min(axis=0)), np.maximum(self.box[2:], good[:, 2:].max(axis=0))]
            )

    def id_sample(self) -> dict[str, pa.Array]:
        """Return the first rows of the columns that look like ids."""
        return {
            name: values_array([own.get(name) for own in self.head], self.kinds[name])
            for name in id_candidates(self.kinds)
        }

    def bounds(self) -> Bounds | None:
        """Return the extent, or None without any geometry."""
        west, south, east, north = self.box.tolist()
        return (west, south, east, north) if west <= east else None


def _chunks(things: Iterator[Feature], size: int) -> Iterator[list[Feature]]:
    """Yield lists of up to ``size`` things."""
    while batch := list(islice(things, size)):
        yield batch


def _why_no_collection(own: Mapping[str, Any], streamed: bool) -> str:
    """Say what a broken collection lacks."""
    if streamed:
        return f'it has features, but its "type" is {str(own.get("type"))[:40]!r}, not "FeatureCollection"'
    return 'the FeatureCollection has no array of "features"'


def _crs(members: Mapping[str, Any], path: Path, given: str | None) -> str:
    """Return the CRS: the user's, that of an old-style name, or longitude and latitude (RFC 7946, section 4)."""
    if given is not None or "crs" not in members:
        return file_crs(None if given else OGC_CRS84, where=path, given=given)
    crs = members["crs"]
    if crs is None:
        raise missing_crs(path, 'its "crs" is null, which means that nobody knows it')
    kind = crs.get("type") if isinstance(crs, dict) else None
    if kind == "link":
        raise MissingCRSError(
            f'{path}: its "crs" is a link, which is never opened; give the CRS with --source-crs EPSG:n'
        )
    properties = crs.get("properties") if kind == "name" else None
    name = properties.get("name") if isinstance(properties, dict) else None
    code = authority_code(name) if isinstance(name, str) else None
    if code is None:
        raise InputError(
            f'{path}: its "crs" member names no authority code (EPSG:n); give the CRS with --source-crs EPSG:n'
        )
    return file_crs(code, where=path, given=None)


SOURCES.register("geojson", SourceFormat("GeoJSON, GeoJSONSeq (.geojson, .geojsonl)", is_geojson, open_geojson))
