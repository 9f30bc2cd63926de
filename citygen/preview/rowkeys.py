"""Rows of integers in, one 64-bit number a row out: equal rows get equal numbers, sorted ten times faster than rows."""

import numpy as np

from citygen.arraytypes import AnyArray, Int64


def row_keys(rows: Int64) -> AnyArray:
    """
    Mix each row into one number.

    Parameters
    ----------
    rows : (n, k) int64
        Any integers.

    Returns
    -------
    (n,) uint64
        Equal for equal rows; unequal rows share one with a chance of n / 2**64, which a picture can bear.

    Examples
    --------
    >>> import numpy as np
    >>> keys = row_keys(np.array([[1, 2], [2, 1], [1, 2]]))
    >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
    (True, False)
    """
    mixed = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed
