"""
A path to a source: the contract of every vector format, and the choice of the format by what the file holds.

A format is one file of this room: it registers a ``SourceFormat`` in ``SOURCES`` at import and turns a path into a
``Source``. What a file is called does not matter; its first bytes do. A source that is not a file (a URL, a bucket, a
database, a data set by name) registers a ``Remote`` in ``REMOTES`` under what its specs start with: the only way to a
network connection, and only when the user wrote such a spec. Nothing else here opens one, nor a virtual file system or an
archive (DESIGN, promise 9), and nothing is ever written beside the input.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

import pyarrow as pa

from citygen.errors import InputError
from citygen.registry import Registry
from citygen.remote.access import Access, OpenData

Bounds: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north (x and y, minimum before maximum) in the source's CRS."""

BATCH_ROWS = 65_536
"""Rows of a batch unless the caller asks for another number: some ten megabytes of footprints."""

HEAD_BYTES = 4096
"""What a format sees of a file to recognise it."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """
    What a user may say about a source.

    Attributes
    ----------
    layer : str or None
        The layer of a file that holds several; ignored by formats that hold one.
    crs : str or None
        Where the coordinates lie (``EPSG:2154``, WKT); stands above what the file says.
    id_column : str or None
        The column that holds the feature ids.
    columns : tuple of str or None
        Raw columns to hand on (names that a source lacks are passed over); None hands on all.
    access : Access
        How remote sources are reached.
    """

    layer: str | None = None
    crs: str | None = None
    id_column: str | None = None
    columns: tuple[str, ...] | None = None
    access: Access = field(default_factory=Access)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """
    What is known of a source before its rows are read.

    Attributes
    ----------
    name : str
        Short label (the file's stem); the caller makes labels unique.
    path : str
        Where it lies; '' for tables in memory.
    crs : str
        Authority code or WKT, never empty. Coordinates are always x, y (east or longitude first).
    columns : tuple of str
        Raw attribute columns, as the batches name them.
    feature_count : int or None
        Rows, where the file says so.
    bounds : Bounds or None
        Extent as the file says, in ``crs``; None where it would have to be computed.
    format : str
        Registered name of the format.
    origin : OpenData or None
        What must be said of data that were fetched.
    files : tuple of str
        The files that it consists of, where that is not the one at ``path``.
    """

    name: str
    path: str
    crs: str
    columns: tuple[str, ...]
    feature_count: int | None
    bounds: Bounds | None
    format: str
    origin: OpenData | None = None
    files: tuple[str, ...] = ()


class Source(Protocol):
    """
    An open source: its description, and its rows in Arrow batches.

    A batch is a ``pyarrow.Table`` with the columns ``id`` (string, never null), ``geometry`` (binary: WKB of any type,
    null where the row has none; it may be unparsable, so parse row by row), ``problem`` (string: why the geometry of
    this row could not be read, else null), ``row`` (int64: number of the row in the file, from 0, or its fid), and
    then the raw attribute columns: numbers as numbers, text as text, dates as ISO text, anything nested as JSON text.
    A raw column whose name is one of those four gets a trailing ``_``. All batches of a source have the same schema.
    """

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        ...

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """
        Yield the rows that meet a box, and those that cannot be located, in file order, each once.

        Parameters
        ----------
        bbox : Bounds or None
            In the source's CRS; None yields every row.
        batch_rows : int
            Upper limit of rows a batch.

        Yields
        ------
        pyarrow.Table
            See the class. No batch is empty; a source without rows yields none.

        Raises
        ------
        InputError
            When the file turns out to be broken or cut, also in a later batch.
        """
        ...


@dataclass(frozen=True, slots=True)
class SourceFormat:
    """
    A format: how to recognise it and how to open it.

    Attributes
    ----------
    text : str
        What a person calls it, with its usual suffix.
    sniff : callable
        First ``HEAD_BYTES`` bytes -> is it this format? The formats' answers exclude each other.
    open : callable
        Path, options -> source.
    """

    text: str
    sniff: Callable[[bytes], bool]
    open: Callable[[Path, SourceOptions], Source]


SOURCES: Registry[SourceFormat] = Registry("source", room="citygen.sources", group="citygen.sources")
"""Every format, by name."""


@dataclass(frozen=True, slots=True)
class Remote:
    """
    A kind of source that is not a file of this machine.

    Attributes
    ----------
    text : str
        What a person may write, for messages and the documentation.
    open : callable
        The whole spec as given, options, and the area of interest as west, south, east, north in degrees (None: there is
        none; west greater than east: it crosses the antimeridian, see ``boxes_of``) -> source. It is called twice for a
        build, the second time with ``columns``, and the rows may reach beyond the area.
    """

    text: str
    open: Callable[[str, SourceOptions, Bounds | None], Source]


REMOTES: Registry[Remote] = Registry("remote source", room="citygen.sources", group="citygen.remotes")
"""Every kind of remote source, by what stands before the first colon of its specs (``postgresql``, ``https``)."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)(?::|$)", re.IGNORECASE)
_REMOTE = re.compile(r"^([a-z][a-z0-9+.-]*://|/vsi[a-z0-9_]+/)", re.IGNORECASE)
_NOT_READ = (
    (b"PK\x03\x04", "a ZIP archive: unpack it and give the file in it"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"<OGRVRT", "a GDAL virtual dataset, which may point anywhere and is not read: give the file that it names"),
    (b"BZh", "compressed with bzip2: unpack it first"),
    (b"<", "XML or HTML of a kind that no source reads (KML, a web page): convert it to GeoPackage"),
    (b"II*\x00", "a TIFF raster: give it as --dem"),
    (b"MM\x00*", "a TIFF raster: give it as --dem"),
)


def open_source(spec: str | Path, options: SourceOptions | None = None, *, area: Bounds | None = None) -> Source:
    """
    Open a vector file, whose content decides the format, or a remote source, which its spec names.

    Parameters
    ----------
    spec : str or pathlib.Path
        A file on this machine, or what a ``Remote`` is registered for. A path object is always a file.
    options : SourceOptions or None
        Layer, CRS, id column.
    area : Bounds or None
        Area of interest in degrees, for remote sources; see ``Remote``. Files do not need it.

    Returns
    -------
    Source
        Its rows are read when ``batches`` is called.

    Raises
    ------
    InputError
        When there is no such file, when it is of no known format, or broken in a way that shows at once; when a remote
        source cannot be reached.
    MissingCRSError
        When neither the file nor the options say where the coordinates lie.

    Examples
    --------
    >>> open_source("gopher://example.org/a.gpkg")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    InputError: gopher://example.org/a.gpkg: neither a file on this machine nor ...
    """
    options = options or SourceOptions()
    remote = remote_of(spec)
    return open_file(spec, options) if remote is None else remote.open(str(spec), options, area)


def remote_of(spec: str | Path) -> Remote | None:
    """
    Return the kind of remote source that a spec names; None for a file.

    Examples
    --------
    >>> remote_of("city.gpkg") is None, remote_of("C:/city.gpkg") is None
    (True, True)
    """
    found = _SCHEME.match(spec) if isinstance(spec, str) else None
    name = None if found is None else REMOTES.resolve(found.group(1).lower())
    return None if name is None else REMOTES[name]


def boxes_of(area: Bounds) -> tuple[Bounds, ...]:
    """
    Split a box in degrees that crosses the antimeridian (west greater than east) into two.

    Examples
    --------
    >>> boxes_of((179.0, -17.0, -179.0, -16.0))
    ((179.0, -17.0, 180.0, -16.0), (-180.0, -17.0, -179.0, -16.0))
    """
    west, south, east, north = area
    return (area,) if west <= east else ((west, south, 180.0, north), (-180.0, south, east, north))


def open_file(spec: str | Path, options: SourceOptions | None = None) -> Source:
    """Open a vector file of this machine, or a folder of Parquet files, never anything else; see ``open_source``."""
    path = local_file(spec)
    if path.is_dir():
        from citygen.sources.folder import open_folder

        return open_folder(path, options or SourceOptions())
    head = read_head(path)
    for name in SOURCES.names():
        thing = SOURCES[name]
        if thing.sniff(head):
            return thing.open(path, options or SourceOptions())
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, text in _NOT_READ:
        if start.startswith(magic):
            raise InputError(f"{path}: this is {text}")
    known = ", ".join(SOURCES[name].text for name in SOURCES.names())
    raise InputError(f"{path}: the content is of no known vector format (starts with {start[:12]!r}); known: {known}")


def local_file(spec: str | Path) -> Path:
    """
    Return the path of an existing, regular, non-empty file on this machine, or of a folder that holds Parquet files.

    Raises
    ------
    InputError
        For URLs, GDAL's virtual file systems and connection strings, other folders, and files that are missing or empty.
    """
    text = str(spec)
    if remote_of(text) is not None:
        raise InputError(f"{text}: only a file on this machine is read here; download it and give the file")
    if _REMOTE.match(text) or "\x00" in text:
        known = "; ".join(remote.text for remote in REMOTES) or "none"
        raise InputError(
            f"{text}: neither a file on this machine nor a remote source that is known ({known}); download the file first"
        )
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            if next(path.rglob("*.parquet"), None) is None:
                raise InputError(f"{path}: this is a folder; give a file in it{_listing(path)}")
            return path
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            raise InputError(f"{path}: not a regular file")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty (0 bytes); fetch or export it again")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return path


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, or say why it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _listing(folder: Path) -> str:
    """Name up to five files of a folder that may be what was meant."""
    known = {".gpkg", ".fgb", ".shp", ".geojson", ".json", ".geojsonl", ".parquet", ".pbf", ".osm"}
    found = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in known)[:5]
    return f", for example {', '.join(found)}" if found else ""
