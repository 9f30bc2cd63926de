"""Arrays that kernels write into, made longer when they are full."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def grown(array, need):
    """Return an array of at least ``need`` entries that starts with those of a flat one: itself when it is long enough."""
    if need <= len(array):
        return array
    out = np.empty(max(need, 2 * len(array)), array.dtype)
    out[: len(array)] = array
    return out


@njit(cache=True, nogil=True)
def grown_rows(array, need):
    """Return what ``grown`` does for an array of rows."""
    if need <= len(array):
        return array
    out = np.empty((max(need, 2 * len(array)), array.shape[1]), array.dtype)
    out[: len(array)] = array
    return out
