"""
OpenStreetMap files (PBF, XML) to batches: every building, building part and roof line, with all its tags.

Rows are closed ways and multipolygon relations with ``building`` or ``building:part`` (other than ``no``), ways with
``roof:ridge`` or ``roof:edge``, and nodes with ``roof:apex``; ids read ``way/12``, ``relation/3``, ``node/4``. A way that
is open, short or lacks nodes in the file is a row with a problem; a ring that crosses itself is handed on as drawn.
``citygen.sources.openstreetmap.rows`` says what relations do. A node that is tagged as a building has no outline and is no row.
"""

import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from citygen.log import get_logger
from citygen.sources.base import BATCH_ROWS, SOURCES, Bounds, Source, SourceFormat, SourceInfo, SourceOptions, read_head
from citygen.sources.batch import Shape, make_batch, shape_of
from citygen.sources.crs import file_crs

if TYPE_CHECKING:
    from citygen.sources.openstreetmap.contents import Contents

log = get_logger(__name__)

_PBF = re.compile(rb"\x00\x00..\n\tOSM(Header|Data)", re.DOTALL)
_ELEMENT = re.compile(rb"<([A-Za-z_][\w:.-]*)")
_MOST_CELLS = 8_000_000
"""Rows times columns of a batch: files have thousands of keys, and a batch holds a column for each that is asked for."""

_OPEN: "weakref.WeakValueDictionary[tuple[str, int, int, int], Contents]" = weakref.WeakValueDictionary()
"""Contents of files that a source is open on: a plan opens twice, and the file is scanned once."""


@dataclass(frozen=True, slots=True)
class Osm:
    """An open OpenStreetMap file; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    contents: "Contents"
    shape: Shape

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """
        Yield the batches: tagged ways, ways that only relations make buildings, relations, nodes, each in file order.

        See ``citygen.sources.base.Source``.
        """
        most = max(1, min(batch_rows, _MOST_CELLS // max(1, len(self.shape.names))))
        waiting: list[pa.Table] = []
        from citygen.sources.openstreetmap.turns import in_turn

        own = [] if self.shape.id_column is None else [self.shape.id_column]
        pieces = self.contents.pieces(tuple(dict.fromkeys([*self.shape.names, *own])), bbox)
        for table in in_turn(lambda piece: make_batch(piece(), self.shape, None), pieces):
            if table is not None:
                waiting.append(table)
            while sum(map(len, waiting)) >= most:
                whole = pa.concat_tables(waiting)
                yield whole.slice(0, most)
                waiting = [whole.slice(most)] if len(whole) > most else []
        if waiting:
            yield pa.concat_tables(waiting)


def open_osm(path: Path, options: SourceOptions) -> Source:
    """
    Open an OpenStreetMap file: it is scanned for buildings, not yet for places.

    Raises
    ------
    InputError
        When it is damaged, cut off, of another version, or holds a history.
    """
    contents = _contents(path)
    columns = contents.columns
    shape = shape_of(columns, {}, where=str(path), id_column=options.id_column, wanted=options.columns)
    stem = path.name[: -len("".join(path.suffixes[-2:]))] if path.name.endswith(".osm.pbf") else path.stem
    info = SourceInfo(
        name=stem or path.stem,
        path=str(path),
        crs=file_crs("OGC:CRS84", where=path, given=options.crs),
        columns=tuple(shape.names.values()),
        feature_count=contents.count,
        bounds=contents.scan.bounds,
        format="osm",
    )
    return Osm(info, contents, shape)


def _contents(path: Path) -> "Contents":
    """Scan a file, or return what a source that is still open has found in the same file."""
    from citygen.sources.openstreetmap.contents import read_contents

    state = path.stat()
    key = (str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ino)
    found = _OPEN.get(key)
    if found is None:
        found = _OPEN[key] = read_contents(path, pbf=_is_pbf(read_head(path)))
    return found


def _is_pbf(head: bytes) -> bool:
    return _PBF.match(head) is not None


def _is_osm(head: bytes) -> bool:
    """Say whether a file is PBF, or XML whose first element is ``osm``."""
    if _is_pbf(head):
        return True
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    element = _ELEMENT.search(start) if start.startswith(b"<") else None
    return element is not None and element[1] == b"osm"


SOURCES.register("osm", SourceFormat("OpenStreetMap PBF, XML (.osm.pbf, .osm)", _is_osm, open_osm))
