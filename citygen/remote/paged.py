"""A remote file as a file object, in pages: each is fetched once, those that are announced together and in parallel."""

from collections.abc import Iterable

from citygen.remote.access import Access
from citygen.remote.http import Span, get_spans
from citygen.remote.seeking import RemoteFile

PAGE = 1 << 15
"""Bytes. A request costs as much as some tens of kilobytes; the header of a tiled raster fits into one or two."""


class PagedFile(RemoteFile):
    """
    A read-only view of a remote file.

    Parameters
    ----------
    url : str
        Where it lies.
    size : int
        Its bytes.
    access : Access
        How to fetch.
    """

    def __init__(self, url: str, size: int, access: Access) -> None:
        super().__init__(url, size, access)
        self._pages: dict[int, bytes] = {}

    def another(self) -> "PagedFile":
        """Return a second view of the same pages, with a position of its own."""
        view = PagedFile(self.url, self.size, self.access)
        view._pages = self._pages
        return view

    def want(self, spans: Iterable[Span]) -> None:
        """Fetch the pages of some ranges that are not here."""
        pages = {
            page
            for first, end in spans
            for page in range(max(first, 0) // PAGE, -(-min(end, self.size) // PAGE))
            if page not in self._pages
        }
        if not pages:
            return
        ranges = [(page * PAGE, min((page + 1) * PAGE, self.size)) for page in sorted(pages)]
        for first, data in get_spans(self.url, ranges, self.access):
            for start in range(0, len(data), PAGE):
                self._pages[(first + start) // PAGE] = data[start : start + PAGE]

    def forget(self, before: int) -> None:
        """Let go of all pages but the first ``before``, which hold what says where the rest lies."""
        for page in [page for page in self._pages if page >= before]:
            del self._pages[page]

    def read(self, size: int | None = -1) -> bytes:
        """Read from the position."""
        first = min(self._at, self.size)
        end = self.size if size is None or size < 0 else min(first + size, self.size)
        self._at = max(end, self._at)
        if end <= first:
            return b""
        self.want([(first, end)])
        whole = b"".join(self._pages[page] for page in range(first // PAGE, -(-end // PAGE)))
        start = first - first // PAGE * PAGE
        return whole[start : start + end - first]

    def readall(self) -> bytes:
        """Read to the end."""
        return self.read(-1)
