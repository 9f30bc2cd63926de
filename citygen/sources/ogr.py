"""
Bytes or files of a known format to Arrow columns, through GDAL (pyogrio): the one place of this room that calls GDAL.

GDAL guesses the driver from name and content, so it only ever sees what was recognised before, under a name of ours:
bytes in memory, or links in a scratch folder of our own. No file of the user is opened under a name that could mean
something to GDAL, and nothing is written beside it.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from citygen.errors import InputError
from citygen.log import get_logger

log = get_logger(__name__)

FID = "OGC_FID"
_BASE_STREAM = "OGR_FLATGEOBUF_STREAM_BASE_IMPL"


class CrsUnreadable(Exception):  # noqa: N818  it says what is the matter, and never leaves the room
    """GDAL opened a file, but cannot read what it says of its CRS."""


def describe(thing: bytes | str, where: str) -> Mapping[str, Any]:
    """
    Return what GDAL says of a layer: ``crs`` (code, WKT or None), ``fields``, ``features``, ``driver``.

    Parameters
    ----------
    thing : bytes or str
        A whole file, or the path of a link of ours.
    where : str
        What to name in messages.

    Raises
    ------
    CrsUnreadable
        When its CRS is broken.
    InputError
        When GDAL cannot open it.
    """
    import pyogrio

    try:
        with _quiet():
            meta: Mapping[str, Any] = pyogrio.read_info(thing)
    except pyogrio.errors.CRSError as error:
        raise CrsUnreadable(_inner(error)) from error
    except _failures() as error:
        raise InputError(f"{where}: the file is damaged (GDAL: {_inner(error)}); fetch or export it again") from error
    return meta


def stream(thing: bytes | str, where: str, *, batch_rows: int) -> Iterator[tuple[pa.Array, dict[str, pa.Array]]]:
    """
    Yield a layer in record batches.

    Yields
    ------
    geometry : pyarrow.Array of binary
        WKB.
    attributes : dict of str to pyarrow.Array
        Dates as text.

    Raises
    ------
    InputError
        When GDAL cannot read on.
    """
    from pyogrio.raw import open_arrow

    try:
        with (
            _quiet(),
            open_arrow(thing, use_pyarrow=True, batch_size=batch_rows, datetime_as_string=True) as (meta, reader),
        ):
            for batch in reader:
                yield _columns(batch, meta["geometry_name"] or "wkb_geometry")
    except _failures() as error:
        raise InputError(
            f"{where}: the file is damaged or cut off (GDAL: {_inner(error)}); fetch or export it again"
        ) from error


def decode(thing: bytes, count: int) -> tuple[pa.Array, dict[str, pa.Array]] | None:
    """
    Decode a whole small file in memory.

    Parameters
    ----------
    thing : bytes
        The file.
    count : int
        Rows that it holds.

    Returns
    -------
    tuple of geometry and attributes, or None
        None when GDAL refuses it or gives another number of rows.
    """
    from pyogrio.raw import read_arrow

    try:
        with _quiet(), _sound_stream():
            meta, table = read_arrow(thing, datetime_as_string=True)
    except _failures() as error:
        log.debug("GDAL refuses a piece of %d rows: %s", count, error)
        return None
    if table.num_rows != count:
        return None
    return _columns(table.combine_chunks(), meta["geometry_name"] or "wkb_geometry")


def _failures() -> tuple[type[Exception], ...]:
    """Return what pyogrio raises on broken files: its own errors, those of Arrow, and IndexError for a file of no layer."""
    from pyogrio import errors

    own = (errors.DataSourceError, errors.DataLayerError, errors.CRSError, errors.FeatureError, errors.FieldError)
    return (*own, errors.GeometryError, pa.ArrowException, OSError, ValueError, IndexError, RuntimeError)


def _columns(batch: pa.RecordBatch | pa.Table, geometry: str) -> tuple[pa.Array, dict[str, pa.Array]]:
    """Part the geometry from the attributes."""
    batch.validate(full=False)
    columns: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        flat = column
        if isinstance(flat, pa.ChunkedArray):
            flat = flat.combine_chunks() if flat.num_chunks != 1 else flat.chunk(0)
        columns[name] = flat.storage if isinstance(flat, pa.ExtensionArray) else flat
    wkb = columns.pop(geometry)
    columns.pop(FID, None)
    return (wkb if wkb.type == pa.binary() else wkb.cast(pa.binary())), columns


@contextmanager
def _sound_stream() -> Iterator[None]:
    """
    Switch off GDAL's own Arrow writer for FlatGeobuf while a piece is decoded.

    It leaves the offsets of null geometries unset (GDAL 3.12), and a consumer of those reads beyond its buffers.
    """
    import pyogrio

    before = pyogrio.get_gdal_config_option(_BASE_STREAM)
    pyogrio.set_gdal_config_options({_BASE_STREAM: True})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({_BASE_STREAM: before})


@contextmanager
def _quiet() -> Iterator[None]:
    """Send GDAL's warnings to the log instead of the terminal."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for warning in caught:
                log.info("GDAL: %s", warning.message)


def _inner(error: BaseException) -> str:
    """Return the first line of GDAL's message."""
    return (str(error).splitlines() or ["no reason given"])[0][:200]
