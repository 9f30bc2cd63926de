"""An Arrow column of bytes to plain arrays: all bytes, and where those of each row lie."""

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Int64, UInt8


def binary_buffers(column: pa.Array) -> tuple[UInt8, Int64, Int64]:
    """
    Return the bytes of an Arrow column of WKB, and where those of each row lie.

    Parameters
    ----------
    column : pyarrow.Array of binary
        (n,) not large_binary.

    Returns
    -------
    data : (b,) uint8
        A view of the column's buffer.
    starts, stops : (n,) int64
        Equal where the row is null.

    Examples
    --------
    >>> binary_buffers(pa.array([b"ab", None, b"c"]))[1:]
    (array([0, 2, 2]), array([2, 2, 3]))
    """
    if len(column) == 0:
        return np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64)
    _, ends, data = column.buffers()
    at = np.frombuffer(ends, np.int32, count=len(column) + 1, offset=4 * column.offset).astype(np.int64)
    starts, stops = at[:-1], at[1:]
    if column.null_count:
        stops = np.where(column.is_valid().to_numpy(zero_copy_only=False), stops, starts)
    return np.frombuffer(data or b"", np.uint8), starts, stops
