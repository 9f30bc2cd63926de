"""The part that every view of a remote file shares: its address, its size, and a position in it."""

import io

from citygen.remote.access import Access


class RemoteFile(io.RawIOBase):
    """
    A read-only file object over a remote file; a subclass says how it reads.

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
        super().__init__()
        self.url = url
        self.size = size
        self.access = access
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read anywhere."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at
