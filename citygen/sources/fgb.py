"""
FlatGeobuf to batches: the container is walked here, the features are decoded by GDAL from memory, a piece at a time.

Layout (flatgeobuf.org, header.fbs): 8 magic bytes, a size-prefixed header (flatbuffer), a packed R-tree of 40-byte
nodes with the leaves last, then size-prefixed features. Walking it ourselves shows a cut file before the first row,
finds rows through the leaves without losing those that the index cannot place, and keeps a broken feature from taking
its neighbours along.
"""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Int64
from citygen.errors import InputError
from citygen.log import get_logger
from citygen.sources.base import BATCH_ROWS, SOURCES, Bounds, Source, SourceFormat, SourceInfo, SourceOptions
from citygen.sources.batch import ID_SAMPLE, Rows, Shape, id_candidates, make_batch, shape_of
from citygen.sources.crs import file_crs, missing_crs
from citygen.sources.ogr import CrsUnreadable, decode, describe

log = get_logger(__name__)

_MAGIC = b"fgb\x03fgb"
_NODE = np.dtype([("box", "<f8", 4), ("offset", "<u8")])
_PIECE_BYTES = 64 << 20
"""Bytes of features that are handed to GDAL at once, at most (one feature may be larger)."""
_FEATURE_COUNT, _NODE_SIZE = 8, 9
"""Fields of the header's table."""
_EMPTY_FEATURE = struct.pack("<IIHHi", 12, 8, 4, 4, 4)
"""A feature without geometry and properties: a flatbuffer of an empty table, size-prefixed."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things lie in the file: the header's bytes, and byte offsets."""

    header: bytes
    count_at: int | None
    count: int
    node_size: int
    index_start: int
    features_start: int


@dataclass(frozen=True, slots=True)
class FlatGeobuf:
    """An open FlatGeobuf file; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    path: Path
    shape: Shape
    layout: _Layout

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        with _mapped(self.path) as data:
            starts = _starts(data, self.layout, self.path)
            rows = _chosen(data, self.layout, bbox)
            for piece in _pieces(rows, starts, batch_rows):
                table = make_batch(_rows(data, self.layout, starts, piece, self.path), self.shape, bbox)
                if table is not None:
                    yield table


def open_fgb(path: Path, options: SourceOptions) -> Source:
    """
    Open a FlatGeobuf file.

    Raises
    ------
    InputError
        When it is cut off or its header is broken.
    MissingCRSError
        When it has no CRS and the user gives none.
    """
    with _mapped(path) as data:
        layout = _layout(data, path)
        starts = _starts(data, layout, path)
        try:
            meta = describe(_small_file(layout, _EMPTY_FEATURE, 1), str(path))
        except CrsUnreadable as error:
            raise missing_crs(path, f"its CRS cannot be read ({error})") from error
        n = len(starts) - 1
        head = _rows(data, layout, starts, np.arange(min(n, ID_SAMPLE), dtype=np.int64), path) if n else None
    columns = tuple(str(name) for name in meta["fields"])
    sample = {name: head.attributes[name] for name in id_candidates(columns)} if head is not None else {}
    shape = shape_of(columns, sample, where=str(path), id_column=options.id_column, wanted=options.columns)
    info = SourceInfo(
        name=path.stem,
        path=str(path),
        crs=file_crs(meta["crs"], where=path, given=options.crs),
        columns=tuple(shape.names.values()),
        feature_count=n,
        bounds=_extent(layout, path),
        format="fgb",
    )
    return FlatGeobuf(info, path, shape, layout)


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    """Map a file into memory, read-only."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
        ):
            yield view
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _layout(data: memoryview, path: Path) -> _Layout:
    """Read the header's table as far as it is needed to walk the file."""
    cut = InputError(f"{path}: the FlatGeobuf is damaged or cut off in its header; fetch or export it again")
    if len(data) < 20:
        raise cut
    size = struct.unpack_from("<I", data, 8)[0]
    if not 8 <= size < min(len(data) - 11, 1 << 24):
        raise cut
    header = bytes(data[12 : 12 + size])
    try:
        count_at, node_at = _field(header, _FEATURE_COUNT), _field(header, _NODE_SIZE)
        count = 0 if count_at is None else struct.unpack_from("<Q", header, count_at)[0]
        node_size = 16 if node_at is None else struct.unpack_from("<H", header, node_at)[0]
    except struct.error:
        raise cut from None
    if count == 0:
        node_size = 0  # without a count there is no index
    nodes = _node_count(count, node_size)
    index_start = 12 + size
    if index_start + nodes * _NODE.itemsize > len(data) or count * 4 > len(data):
        raise InputError(f"{path}: the file is cut off (it announces {count} features); fetch or export it again")
    return _Layout(header, count_at, count, node_size, index_start, index_start + nodes * _NODE.itemsize)


def _field(header: bytes, number: int) -> int | None:
    """Return where a field of the flatbuffer's root table lies, None where it has its default."""
    table = struct.unpack_from("<I", header, 0)[0]
    vtable = table - struct.unpack_from("<i", header, table)[0]
    if vtable < 0:
        raise struct.error
    size = struct.unpack_from("<H", header, vtable)[0]
    slot = 4 + 2 * number
    inside = struct.unpack_from("<H", header, vtable + slot)[0] if slot + 2 <= size else 0
    return table + inside if inside else None


def _node_count(count: int, node_size: int) -> int:
    """Return the nodes of a packed R-tree with that many leaves."""
    if node_size < 2 or count == 0:
        return 0
    total = level = count
    while level > 1:
        level = -(-level // node_size)
        total += level
    return total + (1 if count == 1 else 0)


def _starts(data: memoryview, layout: _Layout, path: Path) -> Int64:
    """
    Walk the features.

    Returns
    -------
    (n + 1,) int64
        Byte offset of each feature's size prefix, and the end of the last.
    """
    at, end = layout.features_start, len(data)
    if layout.node_size:  # the leaves say the same without touching every page of the file
        leaves = layout.features_start + np.sort(_leaves(data, layout)["offset"]).astype(np.int64)
        last = int(leaves[-1])
        if leaves[0] == at and (np.diff(leaves) >= 4).all() and last + 4 <= end:
            last += 4 + struct.unpack_from("<I", data, last)[0]
            if last == end:
                return np.append(leaves, last)
    starts = [at]
    read = struct.Struct("<I").unpack_from
    while at + 4 <= end and (not layout.count or len(starts) <= layout.count):
        at += 4 + read(data, at)[0]
        starts.append(at)
    n = len(starts) - 1
    if at > end or (layout.count and n < layout.count) or (not layout.count and at != end):
        announced = f" of {layout.count}" if layout.count else ""
        raise InputError(
            f"{path}: the FlatGeobuf is damaged or cut off after "
            f"{max(n - 1, 0)}{announced} features; fetch or export it again"
        )
    return np.array(starts, dtype=np.int64)


def _leaves(data: memoryview, layout: _Layout) -> np.ndarray:
    """Return a copy of the index's leaves (a view of the map must not outlive it)."""
    start = layout.features_start - layout.count * _NODE.itemsize
    return np.frombuffer(data[start : layout.features_start], dtype=_NODE).copy()


def _chosen(data: memoryview, layout: _Layout, bbox: Bounds | None) -> Int64 | None:
    """Return the rows whose box in the index meets a box or is none; None for all rows."""
    if bbox is None or not layout.node_size:
        return None
    leaves = _leaves(data, layout)
    box = leaves["box"][np.argsort(leaves["offset"], kind="stable")]
    placed = np.isfinite(box).all(axis=1) & (box[:, 0] <= box[:, 2]) & (box[:, 1] <= box[:, 3])
    west, south, east, north = bbox
    meets = (box[:, 0] <= east) & (box[:, 2] >= west) & (box[:, 1] <= north) & (box[:, 3] >= south)
    return np.flatnonzero(meets | ~placed).astype(np.int64)


def _pieces(rows: Int64 | None, starts: Int64, batch_rows: int) -> Iterator[Int64]:
    """Yield row numbers in pieces of bounded count and size."""
    numbers = np.arange(len(starts) - 1, dtype=np.int64) if rows is None else rows
    done = 0
    while done < len(numbers):
        some = numbers[done : done + batch_rows]
        sizes = np.cumsum(starts[some + 1] - starts[some])
        some = some[: max(1, int(np.searchsorted(sizes, _PIECE_BYTES)))]
        done += len(some)
        yield some


def _rows(data: memoryview, layout: _Layout, starts: Int64, piece: Int64, path: Path) -> Rows:
    """Decode some features; where GDAL refuses them together, halve until the broken one stands alone."""
    breaks = np.flatnonzero(np.diff(piece) != 1) + 1
    runs = [(int(starts[run[0]]), int(starts[run[-1] + 1])) for run in np.split(piece, breaks)]
    body = b"".join(data[a:b] for a, b in runs)
    table = decode(_small_file(layout, body, len(piece)), len(piece))
    if table is not None:
        geometry, attributes = table
        return Rows(row=piece, geometry=geometry, attributes=attributes)
    if len(piece) == 1:
        empty = decode(_small_file(layout, _EMPTY_FEATURE, 1), 1)
        if empty is None:
            raise InputError(f"{path}: the FlatGeobuf's header is damaged; fetch or export it again")
        return Rows(
            row=piece, geometry=empty[0], attributes=empty[1], problem=pa.array(["the feature is damaged"], pa.string())
        )
    middle = len(piece) // 2
    return _joined(*(_rows(data, layout, starts, part, path) for part in (piece[:middle], piece[middle:])))


def _joined(first: Rows, second: Rows) -> Rows:
    """Put two halves together."""

    def problems(rows: Rows) -> pa.Array:
        return pa.nulls(len(rows.row), pa.string()) if rows.problem is None else rows.problem

    return Rows(
        row=np.concatenate([first.row, second.row]),
        geometry=pa.concat_arrays([first.geometry, second.geometry]),
        attributes={
            name: pa.concat_arrays([column, second.attributes[name]]) for name, column in first.attributes.items()
        },
        problem=pa.concat_arrays([problems(first), problems(second)]),
    )


def _small_file(layout: _Layout, body: bytes, count: int) -> bytes:
    """Make a FlatGeobuf of some features: the header with another count, and an index that is never asked."""
    header = bytearray(layout.header)
    nodes = 0
    if layout.count_at is not None:
        struct.pack_into("<Q", header, layout.count_at, count)
        nodes = _node_count(count, layout.node_size)
    return b"".join((_MAGIC + b"\x01", struct.pack("<I", len(header)), header, bytes(nodes * _NODE.itemsize), body))


def _extent(layout: _Layout, path: Path) -> Bounds | None:
    """Return the extent: the root of the index, which the header's envelope repeats."""
    if not layout.node_size:
        return None
    with _mapped(path) as data:
        box = struct.unpack_from("<4d", data, layout.index_start)
    return box if np.isfinite(box).all() and box[0] <= box[2] and box[1] <= box[3] else None


def _is_fgb(head: bytes) -> bool:
    """Say whether a file starts like a FlatGeobuf with a header of sane size."""
    return head.startswith(_MAGIC) and len(head) > 12 and head[11] == 0


SOURCES.register("fgb", SourceFormat("FlatGeobuf (.fgb)", _is_fgb, open_fgb))
