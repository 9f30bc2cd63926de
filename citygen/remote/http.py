"""
URL to bytes over HTTP or HTTPS: whole, in ranges (RFC 9110, section 14), or onto disk; tried again, whole or not at all.

The standard library alone: it knows proxies and certificates of the environment, and a range costs one request whatever
client sends it. Other schemes (``file:``, ``ftp:``, ``data:``) have no handler here, also after a redirect.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar

from citygen.errors import InputError
from citygen.log import get_logger, redacted
from citygen.remote.access import Access
from citygen.remote.cache import beside
from citygen.version import __version__

log = get_logger(__name__)
T = TypeVar("T")
Span = tuple[int, int]
"""First byte and the one after the last."""

CHUNK = 1 << 20
"""Bytes that are read from a connection at once, and the unit of a download's progress."""

_GAP = 1 << 18  # bytes between two ranges that are fetched along rather than asked for apart
_CONNECTIONS = 8
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class RemoteError(InputError):
    """A remote source cannot be reached or does not answer as it should; the message says what else can be done."""


class NotThereError(RemoteError):
    """The server says that there is nothing under a URL (404)."""


class NoRangesError(RemoteError):
    """The server sends the whole of a resource where a part is asked for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: the bytes, the size of the whole resource (None: it does not say), and its version tag."""

    data: bytes
    size: int | None
    etag: str


def get(url: str, access: Access, span: Span | None = None) -> Reply:
    """
    Fetch a URL, or some of its bytes.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``.
    access : Access
        Tries, timeout.
    span : (int, int) or None
        First byte and the one after the last; a negative first with 0 asks for the last bytes: (-64, 0).

    Returns
    -------
    Reply
        Exactly the bytes asked for (the last bytes may be fewer, where the resource is smaller).

    Raises
    ------
    NotThereError
        For 404.
    RemoteError
        When it cannot be had, also after all tries.
    """

    def once(response: HTTPResponse) -> Reply:
        return _reply(response, url, span)

    headers = (
        {} if span is None else {"Range": f"bytes={span[0]}" if span[1] == 0 else f"bytes={span[0]}-{span[1] - 1}"}
    )
    return _tried(url, access, headers, once)


def head(url: str, access: Access) -> Reply:
    """Ask for a resource's size and tag (else its date) without its bytes; see ``get``."""

    def once(response: HTTPResponse) -> Reply:
        tag = response.headers.get("ETag", "") or response.headers.get("Last-Modified", "")
        return Reply(b"", _length(response.headers), tag)

    return _tried(url, access, {}, once, method="HEAD")


def get_spans(url: str, spans: Iterable[Span], access: Access) -> list[tuple[int, bytes]]:
    """
    Fetch several ranges, near ones together, in parallel.

    Returns
    -------
    list of (int, bytes)
        First byte and content of each piece that was fetched, sorted; together they hold all spans.
    """
    joined = join_spans(spans)
    with ThreadPoolExecutor(min(_CONNECTIONS, max(1, len(joined)))) as pool:
        replies = list(pool.map(lambda span: get(url, access, span), joined))
    return [(span[0], reply.data) for span, reply in zip(joined, replies, strict=True)]


def join_spans(spans: Iterable[Span]) -> list[Span]:
    """
    Join ranges that touch or nearly do.

    Examples
    --------
    >>> join_spans([(0, 10), (10, 20), (5_000_000, 5_000_001)])
    [(0, 20), (5000000, 5000001)]
    """
    joined: list[Span] = []
    for first, end in sorted(spans):
        if joined and first - joined[-1][1] <= _GAP:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return joined


def many(work: Callable[[T], None], things: Sequence[T]) -> None:
    """Do something for several things, a few at a time; the first error ends it."""
    with ThreadPoolExecutor(min(_CONNECTIONS, max(1, len(things)))) as pool:
        for _ in pool.map(work, things):
            pass


def download(url: str, path: Path, access: Access) -> None:
    """
    Fetch a resource into a file, which is whole or absent; the progress counts megabytes.

    Raises
    ------
    NotThereError, RemoteError
        As ``get``.
    """

    def once(response: HTTPResponse) -> None:
        size = _length(response.headers)
        total = 0 if size is None else -(-size // CHUNK)
        done = 0
        with beside(path) as part, part.open("wb") as file:
            while block := response.read(CHUNK):
                file.write(block)
                done += len(block)
                access.progress("fetch", min(done // CHUNK, total) if total else done // CHUNK, total)
            if size is not None and done != size:
                raise _CutError(f"{done} of {size} bytes came")
        access.progress("fetch", total, total)

    _tried(url, access, {}, once)


class _CutError(Exception):
    """A response ended early."""


def _tried(
    url: str, access: Access, headers: Mapping[str, str], once: Callable[[HTTPResponse], T], method: str = "GET"
) -> T:
    """Send a request until it succeeds, is refused for good, or the tries are used up."""
    request = urllib.request.Request(url, headers={"User-Agent": f"citygen/{__version__}", **headers}, method=method)  # noqa: S310  the opener knows http and https alone
    for attempt in range(access.tries):
        if attempt:
            time.sleep(access.wait_s * 2 ** (attempt - 1))
        try:
            with _opener().open(request, timeout=access.timeout_s) as response:
                return once(response)
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"the server answers {error.code} {error.reason}"
            if error.code == 404:
                raise NotThereError(f"{redacted(url)}: {reason}; check the URL") from error
            if error.code not in _AGAIN:
                raise RemoteError(f"{redacted(url)}: {reason}{_REMEDY}") from error
        except (OSError, HTTPException, _CutError) as error:  # URLError is an OSError; timeouts and resets are too
            cause = getattr(error, "reason", None) or error
            reason = str(getattr(cause, "strerror", None) or cause or type(cause).__name__)
        log.info("%s: %s (try %d of %d)", redacted(url), reason, attempt + 1, access.tries)
    raise RemoteError(f"{redacted(url)}: {reason}, {access.tries} tries{_REMEDY}")


_REMEDY = (
    "; check the connection (or proxy), name a mirror (--overture-url, --copernicus-url), or give files of your own "
    "(--buildings FILE --dem FILE)"
)


def _opener() -> urllib.request.OpenerDirector:
    """Return a client for http and https, with the environment's proxies."""
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        director.add_handler(handler)
    return director


def _reply(response: HTTPResponse, url: str, span: Span | None) -> Reply:
    """Read a response and see that it is what was asked for."""
    size = _length(response.headers)
    if span is not None and response.status != 206:
        raise NoRangesError(
            f"{redacted(url)}: the server does not serve ranges; download the file and give it with --buildings FILE"
        )
    data = response.read()
    if size is not None and len(data) != size:
        raise _CutError(f"{len(data)} of {size} bytes came")
    etag = response.headers.get("ETag", "")
    if span is None:
        return Reply(data, len(data), etag)
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    total = int(whole) if whole.isdigit() else None
    if span[1] and len(data) != span[1] - span[0]:
        raise _CutError(f"{len(data)} of {span[1] - span[0]} bytes came")
    return Reply(data, total, etag)


def _length(headers: Message) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None
