"""Some ranges of a remote file as a file object: what was fetched is served, what was not is fetched when it is asked for."""

from bisect import bisect_right

from citygen.remote.access import Access
from citygen.remote.http import get
from citygen.remote.seeking import RemoteFile


class SparseFile(RemoteFile):
    """
    A read-only view of a remote file.

    Parameters
    ----------
    url : str
        Where it lies.
    size : int
        Its bytes.
    pieces : list of (int, bytes)
        First byte and content of what is known, sorted.
    access : Access
        For what is not.
    """

    def __init__(self, url: str, size: int, pieces: list[tuple[int, bytes]], access: Access) -> None:
        super().__init__(url, size, access)
        self._starts = [first for first, _ in pieces]
        self._pieces = pieces

    def read(self, size: int | None = -1) -> bytes:
        """Read from the position."""
        end = self.size if size is None or size < 0 else min(self._at + size, self.size)
        first, self._at = self._at, max(end, self._at)
        if end <= first:
            return b""
        k = bisect_right(self._starts, first) - 1
        if k >= 0:
            start, data = self._pieces[k]
            if end <= start + len(data):
                return data[first - start : end - start]
        return get(self.url, self.access, (first, end)).data

    def readall(self) -> bytes:
        """Read to the end."""
        return self.read(-1)
