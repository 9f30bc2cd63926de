"""Ids of nodes to their places among sorted ids (a Numba kernel): files are sorted, so both lists are walked side by side."""

import numpy as np
from numba import njit

from citygen.arraytypes import Int64


@njit(cache=True, nogil=True)
def _match(wanted, ids, at, known):
    n, k = 0, np.searchsorted(wanted, ids[0])
    last = ids[0]
    for i in range(len(ids)):
        each = ids[i]
        if each < last:  # not sorted here
            k = np.searchsorted(wanted, each)
        last = each
        while k < len(wanted) and wanted[k] < each:
            k += 1
        if k < len(wanted) and wanted[k] == each:
            at[n], known[n] = k, i
            n += 1
    return n


def match(wanted: Int64, ids: Int64) -> tuple[Int64, Int64]:
    """
    Find ids among wanted ones.

    Parameters
    ----------
    wanted : (n,) int64
        Sorted, each once.
    ids : (k,) int64
        Any order; fast when sorted.

    Returns
    -------
    at, known : (m,) int64
        ``wanted[at] == ids[known]``; every one of the ids that is wanted, in their order.

    Examples
    --------
    >>> match(np.array([2, 5, 9]), np.array([9, 1, 5]))
    (array([2, 1]), array([0, 2]))
    """
    at, known = np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=np.int64)
    n = _match(wanted, ids, at, known) if len(ids) else 0
    return at[:n], known[:n]
