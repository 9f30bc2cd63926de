"""
Parquet files in a bucket and an area to one local GeoParquet file: only the footers and row groups in need are fetched.

A file is passed over by the box of its ``geo`` metadata, a row group by the statistics of its bounding box columns, a row
by its box. Nested columns (names, sources, addresses) are left out: no attribute is read from them. Where Overture's
``sources`` column says which data set a feature comes from, that is counted, for the attribution.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from citygen.arraytypes import Bool, Float64
from citygen.errors import InputError
from citygen.log import get_logger
from citygen.remote.access import Access
from citygen.remote.bucket import RemoteObject
from citygen.remote.cache import beside
from citygen.remote.http import RemoteError, get, get_spans
from citygen.remote.sparse import SparseFile
from citygen.sources.base import Bounds
from citygen.sources.batch import wkb_bounds
from citygen.sources.crs import boxes_in, is_geographic
from citygen.sources.folder import fitted
from citygen.sources.geoparquet import column_crs, covering_paths, geo_metadata, group_misses, rows_meet

log = get_logger(__name__)

_TAIL = 1 << 16
"""Bytes that are asked for first; a footer that is longer takes a second request."""
_AHEAD = 8
_BOX = ("xmin", "ymin", "xmax", "ymax")
_NOWHERE: Float64 = np.array([[np.inf, np.inf], [-np.inf, -np.inf]])
_PAD_DEG = 1e-5  # Overture's boxes are float32: a metre at most
_PAD = 1.0


@dataclass(frozen=True, slots=True)
class Footer:
    """A remote Parquet file of which the footer was read; ``leaves`` are the columns to fetch, as paths in the schema."""

    object: RemoteObject
    meta: pq.FileMetaData
    schema: pa.Schema
    geo: dict[str, Any]
    covering: tuple[tuple[str, ...], ...]
    leaves: tuple[str, ...]
    dataset: str


def extract(
    objects: Sequence[RemoteObject],
    boxes: Sequence[Bounds] | None,
    target: Path,
    access: Access,
    *,
    crs: str | None = None,
) -> dict[str, int]:
    """
    Write the rows that meet an area to one GeoParquet file.

    Parameters
    ----------
    objects : sequence of RemoteObject
        Parquet files, all in the same CRS.
    boxes : sequence of Bounds or None
        Area in degrees; a row that meets one of them, or lies nowhere, is kept. None keeps every row.
    target : pathlib.Path
        Whole or absent.
    access : Access
        How to reach them; the progress counts row groups.
    crs : str or None
        Where the coordinates lie, above what the files say.

    Returns
    -------
    dict of str to int
        Rows by the data set that they come from, the largest first; empty where the files do not say.

    Raises
    ------
    InputError
        When a file is no GeoParquet, or damaged; when they differ in their CRS.
    MissingCRSError
        When a file's CRS is null and none is given.
    RemoteError
        When it cannot be fetched.
    """
    access.progress("fetch", 0, 0)
    with ThreadPoolExecutor(_AHEAD) as pool:
        footers = list(pool.map(lambda item: read_footer(item, access), objects))
    boxes = _there(boxes, _common_crs(footers, crs))
    pieces = [(footer, group) for footer in footers for group in _groups(footer, boxes)]
    schema = _joined([footer.schema for footer in footers], objects)
    counts: Counter[str] = Counter()
    low, high = _NOWHERE
    with beside(target) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for done, (table, datasets) in enumerate(_tables(pieces, boxes, access), 1):
            counts.update(datasets)
            access.progress("fetch", done, len(pieces))
            if table.num_rows:
                spans = _spans(footers[0], table)
                low, high = np.minimum(low, spans[0]), np.maximum(high, spans[1])
                writer.write_table(fitted(table, schema, objects[0].shown))
        writer.add_key_value_metadata({"geo": json.dumps(_geo(footers[0], low, high))})
    return dict(counts.most_common())


def _common_crs(footers: Sequence[Footer], given: str | None) -> str:
    """Return the one CRS of files."""
    found = [
        column_crs(footer.geo["columns"][footer.geo["primary_column"]], footer.object.shown, given)
        for footer in footers
    ]
    for footer, crs in zip(footers, found, strict=True):
        if crs != found[0]:
            raise InputError(
                f"{footer.object.shown}: its CRS is not that of {footers[0].object.shown}; give one CRS with --source-crs"
            )
    return found[0]


def _there(boxes: Sequence[Bounds] | None, crs: str) -> list[Bounds] | None:
    """Return an area in a CRS, a little larger; None (everything) where it cannot be told."""
    found = None if boxes is None else boxes_in(boxes, crs)
    if found is None:
        return None
    pad = _PAD_DEG if is_geographic(crs) else _PAD
    return [(w - pad, s - pad, e + pad, n + pad) for w, s, e, n in found]


def read_footer(item: RemoteObject, access: Access) -> Footer:
    """Fetch the end of a Parquet file and see what is in it."""
    known = item.size > 0  # a catalogue does not say, and not every server counts from the end
    reply = get(item.url, access, (max(0, item.size - _TAIL), item.size) if known else (-_TAIL, 0))
    size = reply.size or item.size
    tail = reply.data
    if tail[-4:] != b"PAR1":
        raise InputError(
            f"{item.shown}: no Parquet file (it ends with {tail[-4:]!r}); give the URL of a GeoParquet file"
        )
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > size:
        raise InputError(f"{item.shown}: the Parquet file is damaged (its footer is longer than the file)")
    if length > len(tail):
        tail = get(item.url, access, (size - length, size)).data
    try:
        meta = pq.read_metadata(pa.BufferReader(b"PAR1" + tail[-length:]))
        schema = meta.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{item.shown}: the footer of the Parquet file cannot be read ({str(error)[:100]})") from error
    geo = geo_metadata(meta.metadata, schema.names, item.shown)
    column = geo["columns"][geo["primary_column"]]
    covering = covering_paths(column, schema) or _plain_box(schema)
    flat = [f.name for f in schema if not pa.types.is_nested(f.type)]
    keep = {geo["primary_column"], *flat, *(path[0] for path in covering)}
    paths = [meta.schema.column(k).path for k in range(meta.num_columns)]
    leaves = tuple(path for path in paths if path.partition(".")[0] in keep)
    dataset = next((p for p in paths if p.startswith("sources.") and p.endswith(".dataset")), "")
    sized = RemoteObject(item.url, item.key, size, item.etag or reply.etag)
    kept = pa.schema([f for f in schema if f.name in keep])
    return Footer(sized, meta, kept, geo, covering, leaves, dataset)


def _plain_box(schema: pa.Schema) -> tuple[tuple[str, ...], ...]:
    """Return the paths of a struct column ``bbox`` that the metadata do not name: Overture's first releases."""
    column = {"covering": {"bbox": {side: ["bbox", side] for side in _BOX}}}
    return covering_paths(column, schema)


def _groups(footer: Footer, boxes: Sequence[Bounds] | None) -> list[int]:
    """Return the row groups of a file that may hold rows of an area."""
    groups = range(footer.meta.num_row_groups)
    if boxes is None:
        return list(groups)
    if _apart(footer, boxes):
        return []
    if not footer.covering:
        log.warning("%s has no bounding box column: all of it is fetched", footer.object.shown)
        return list(groups)
    return [k for k in groups if not all(group_misses(footer.meta.row_group(k), footer.covering, b) for b in boxes)]


def _apart(footer: Footer, boxes: Sequence[Bounds]) -> bool:
    """Say whether the extent in a file's metadata misses an area."""
    box = footer.geo["columns"][footer.geo["primary_column"]].get("bbox")
    if not isinstance(box, list) or len(box) not in (4, 6) or not all(isinstance(v, int | float) for v in box):
        return False
    half = len(box) // 2
    west, south, east, north = box[0], box[1], box[half], box[half + 1]
    return west <= east and all(west > b[2] or east < b[0] or south > b[3] or north < b[1] for b in boxes)


def _tables(
    pieces: Sequence[tuple[Footer, int]], boxes: Sequence[Bounds] | None, access: Access
) -> Iterator[tuple[pa.Table, Counter[str]]]:
    """Fetch row groups, several ahead, in their order."""
    with ThreadPoolExecutor(_AHEAD) as pool:
        waiting = []
        try:
            for footer, group in pieces:
                waiting.append(pool.submit(_table, footer, group, boxes, access))
                if len(waiting) == _AHEAD:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for job in waiting:
                job.cancel()


def _table(footer: Footer, group: int, boxes: Sequence[Bounds] | None, access: Access) -> tuple[pa.Table, Counter[str]]:
    """Fetch one row group, cut to the area, and count its data sets."""
    meta = footer.meta.row_group(group)
    wanted = {*footer.leaves, footer.dataset}
    spans = []
    for k in range(meta.num_columns):
        chunk = meta.column(k)
        if chunk.path_in_schema in wanted:
            first = min((p for p in (chunk.dictionary_page_offset, chunk.data_page_offset) if p), default=0)
            spans.append((first, first + chunk.total_compressed_size))
    item = footer.object
    pieces = get_spans(item.url, spans, access)
    try:
        file = pq.ParquetFile(SparseFile(item.url, item.size, pieces, access), metadata=footer.meta, pre_buffer=False)
        table = file.read_row_group(group, columns=[name for name in wanted if name], use_threads=False)
    except RemoteError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{item.shown}: row group {group} cannot be read ({str(error)[:100]}); is it a mirror?"
        ) from error
    if boxes is not None and footer.covering:
        keep: Bool = np.zeros(table.num_rows, dtype=np.bool_)
        batch = table.combine_chunks()
        for box in boxes:
            keep |= rows_meet(batch, footer.covering, box)
        table = table.filter(pa.array(keep))
    datasets = Counter[str]()
    if footer.dataset:
        named = pc.struct_field(pc.list_element(_not_empty(table["sources"]), 0), "dataset")
        datasets.update({v["values"]: v["counts"] for v in pc.value_counts(named.drop_null()).to_pylist()})
    return table.select(footer.schema.names), datasets


def _not_empty(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the lists that have a first element."""
    return lists.filter(pc.fill_null(pc.greater(pc.list_value_length(lists), 0), fill_value=False))


def _joined(schemas: Sequence[pa.Schema], objects: Sequence[RemoteObject]) -> pa.Schema:
    """Join the columns of files that have different ones, as buildings and their parts do."""
    try:
        joined = pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(
            f"{objects[0].shown}: it and its neighbours have columns that do not fit together: {error}"
        ) from error
    return joined


def _spans(footer: Footer, table: pa.Table) -> Float64:
    """Return the least x and y and the greatest of a table's geometries; infinite where they cannot be told."""
    column = table[footer.geo["primary_column"]].combine_chunks()
    if not pa.types.is_binary(column.type):
        return _NOWHERE
    boxes = np.vstack([wkb_bounds(column), _NOWHERE.reshape(1, 4)])
    return np.stack([np.fmin.reduce(boxes[:, :2]), np.fmax.reduce(boxes[:, 2:])])


def _geo(footer: Footer, low: Float64, high: Float64) -> dict[str, Any]:
    """Return the ``geo`` metadata of an extract: those of its first file, with its own extent."""
    name = footer.geo["primary_column"]
    column = dict(footer.geo["columns"][name])
    column.pop("bbox", None)
    if np.all(np.isfinite(low)):
        column["bbox"] = [float(v) for v in (*low, *high)]
    if footer.covering:
        column["covering"] = {"bbox": dict(zip(_BOX, map(list, footer.covering), strict=True))}
    return {"version": "1.1.0", "primary_column": name, "columns": {name: column}}
