"""
``https://`` and ``s3://`` to raster files in the cache, under URL, size and version tag.

Of a GeoTIFF the blocks that an area needs are fetched in ranges, a COG's or any other's; what has no ranges, no area, or is no
GeoTIFF is fetched whole.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from citygen.ground.cog import fetch_blocks
from citygen.ground.remote import REMOTE_DEMS, Box, Fetched, RemoteDem
from citygen.log import get_logger, redacted
from citygen.remote.access import Access, OpenData, safe_name
from citygen.remote.bucket import s3_root
from citygen.remote.cache import key_of, read_note, write_note
from citygen.remote.http import NoRangesError, NotThereError, RemoteError, download, head

log = get_logger(__name__)


def fetch_url(spec: str, boxes: Sequence[Box], access: Access) -> Fetched:
    """Fetch a raster, or what an area needs of it; what the cache holds is used, with a warning, when the server is silent."""
    url = "/".join(s3_root(spec, access)) if spec.lower().startswith("s3://") else spec
    note = access.folder / "url" / f"{key_of(url, list(boxes), access.finest_m)}.json"
    origin = OpenData(name=redacted(spec), release="", url=redacted(spec), licence="", attribution="")
    try:
        reply = head(url, access)
    except NotThereError:
        raise
    except RemoteError as error:
        kept = [Path(each) for each in (read_note(note) or {}).get("paths", ())]
        if not kept or not all(each.is_file() for each in kept):
            raise
        log.warning("%s; the copy in the cache is used: %s", error, ", ".join(map(str, kept)))
        return Fetched(tuple(kept), origin)
    paths = _blocks(url, (reply.size or 0, reply.etag), boxes, access)
    if paths is None:
        paths = (_whole(url, (reply.size, reply.etag), access),)
    write_note(note, {"paths": [str(each) for each in paths], "url": redacted(url)})
    return Fetched(paths, origin)


def _blocks(url: str, what: tuple[int, str], boxes: Sequence[Box], access: Access) -> tuple[Path, ...] | None:
    """Fetch what the area needs; None where only the whole can be had."""
    if not boxes or not what[0]:
        return None
    try:
        return fetch_blocks(url, what, boxes, access, access.folder / "url")
    except NoRangesError:
        log.info("%s: the server serves no ranges; the whole file is fetched", redacted(url))
        return None


def _whole(url: str, what: tuple[int | None, str], access: Access) -> Path:
    """Fetch a file, once."""
    name = safe_name(PurePosixPath(unquote(urlsplit(url).path)).name) or "dem.tif"
    path = access.folder / "url" / f"{key_of(url, *what)}-{name}"
    if not path.is_file() or not what[1]:  # without a tag nobody knows whether it has changed
        download(url, path, access)
    return path


for scheme, aliases in (("https", ("http",)), ("s3", ())):
    REMOTE_DEMS.register(
        scheme,
        RemoteDem(
            f"{scheme}://...: a raster file; of a GeoTIFF only what the area needs", needs_area=False, fetch=fetch_url
        ),
        aliases=aliases,
    )
