"""``https://`` and ``s3://`` to one raster file in the cache, under its URL, size and version tag."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from citygen.ground.remote import REMOTE_DEMS, Box, Fetched, RemoteDem
from citygen.log import get_logger
from citygen.remote.access import Access, OpenData, safe_name
from citygen.remote.bucket import s3_root
from citygen.remote.cache import key_of, read_note, write_note
from citygen.remote.http import NotThereError, RemoteError, download, head

log = get_logger(__name__)


def fetch_url(spec: str, _: Sequence[Box], access: Access) -> Fetched:
    """Fetch a raster, whole; what the cache holds is used, with a warning, when the server does not answer."""
    url = "/".join(s3_root(spec, access)) if spec.lower().startswith("s3://") else spec
    note = access.folder / "url" / f"{key_of(url)}.json"
    origin = OpenData(name=spec, release="", url=spec, licence="", attribution="")
    try:
        reply = head(url, access)
    except NotThereError:
        raise
    except RemoteError as error:
        kept = (read_note(note) or {}).get("path", "")
        if not kept or not Path(kept).is_file():
            raise
        log.warning("%s; the copy in the cache is used: %s", error, kept)
        return Fetched((Path(kept),), origin)
    name = safe_name(PurePosixPath(unquote(urlsplit(url).path)).name) or "dem.tif"
    path = access.folder / "url" / f"{key_of(url, reply.size, reply.etag)}-{name}"
    if not path.is_file():
        download(url, path, access)
        write_note(note, {"path": str(path), "url": url})
    return Fetched((path,), origin)


for scheme, aliases in (("https", ("http",)), ("s3", ())):
    REMOTE_DEMS.register(
        scheme,
        RemoteDem(f"{scheme}://...: a raster file, fetched whole", needs_area=False, fetch=fetch_url),
        aliases=aliases,
    )
