"""
``https://``, ``http://`` and ``s3://`` to a source: Parquet in ranges, cut to the area; other formats whole, into the cache.

A bucket's prefix (``s3://bucket/release/2026-01-21.0/``) is read like a folder of GeoParquet files. What was fetched stays in
the cache under the URL, its size and its version tag; when the server cannot be asked, what the cache holds is used, with
a warning.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from citygen.errors import InputError
from citygen.log import get_logger, redacted
from citygen.remote.access import Access, OpenData, safe_name
from citygen.remote.bucket import RemoteObject, list_bucket, s3_root
from citygen.remote.cache import key_of, read_note, write_note
from citygen.remote.http import NotThereError, RemoteError, download, head
from citygen.sources.base import (
    BATCH_ROWS,
    REMOTES,
    Bounds,
    Remote,
    Source,
    SourceInfo,
    SourceOptions,
    boxes_of,
    open_file,
)
from citygen.sources.extract import extract
from citygen.sources.folder import of_buildings

log = get_logger(__name__)


def open_url(spec: str, options: SourceOptions, area: Bounds | None) -> Source:
    """
    Open a file or a bucket's prefix by its URL.

    Raises
    ------
    InputError
        When nothing of use lies there.
    RemoteError
        When it cannot be reached and the cache does not hold it.
    """
    access = options.access
    note = access.folder / "url" / f"{key_of(spec, area, options.crs)}.json"
    try:
        objects = _objects(spec, access)
    except NotThereError:
        raise
    except RemoteError as error:
        kept = (read_note(note) or {}).get("path", "")
        if not kept or not Path(kept).is_file():
            raise
        log.warning("%s; the copy in the cache is used: %s", error, kept)
        return _opened(Path(kept), spec, options)
    parquet = all(item.key.lower().endswith(".parquet") for item in objects)
    boxes = None if area is None else boxes_of(area)
    version = [(item.url, item.size, item.etag) for item in objects]
    name = safe_name(PurePosixPath(objects[0].key).name) if len(objects) == 1 else "extract.parquet"
    cut = parquet and (boxes is not None or len(objects) > 1)
    what = (version, area, options.crs) if cut else (version, None)
    path = access.folder / "url" / f"{key_of(*what)}-{name}"
    if not path.is_file() or not all(item.etag for item in objects):
        if cut:
            extract(objects, boxes, path, access, crs=options.crs)
        else:
            download(objects[0].url, path, access)
        write_note(note, {"path": str(path), "url": redacted(spec)})
    return _opened(path, spec, options)


def _objects(spec: str, access: Access) -> Sequence[RemoteObject]:
    """Find what a URL stands for; at least one object."""
    if spec.lower().startswith("s3://"):
        base, key = s3_root(spec, access)
        listed, _ = list_bucket(base, key, access, deep=True)
        exact = [item for item in listed if item.key == key]
        below = [item for item in listed if item.key.startswith(key.rstrip("/") + "/")]
        paths = of_buildings([PurePosixPath(item.key) for item in below if item.key.lower().endswith(".parquet")])
        chosen = exact or [item for item in below if PurePosixPath(item.key) in set(paths)]
        if not chosen:
            raise InputError(f"{redacted(spec)}: there is no such object, and no .parquet below it")
        return chosen
    reply = head(spec, access)
    return [RemoteObject(spec, unquote(urlsplit(spec).path), reply.size or 0, reply.etag.strip('"'))]


def _opened(path: Path, spec: str, options: SourceOptions) -> Source:
    """Open what lies in the cache, under the name of where it came from."""
    source = open_file(path, options)
    shown = redacted(spec)
    origin = OpenData(name=shown, release="", url=shown, licence="", attribution="")
    stem = PurePosixPath(unquote(urlsplit(spec).path)).stem or "url"
    return named(source, stem, origin)


@dataclass(frozen=True, slots=True)
class Named:
    """A source under another label, with what must be said of it; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    source: Source

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        return self.source.batches(bbox, batch_rows=batch_rows)


def named(source: Source, name: str, origin: OpenData) -> Source:
    """Return a source with another label, and with what must be said of it."""
    return Named(replace(source.info, name=name, origin=origin), source)


REMOTES.register(
    "https",
    Remote("https://HOST/FILE: GeoParquet is read in ranges, other formats are fetched whole", open_url),
    aliases=("http",),
)
REMOTES.register(
    "s3", Remote("s3://BUCKET/KEY or s3://BUCKET/PREFIX/: public objects, GeoParquet files below a prefix", open_url)
)
