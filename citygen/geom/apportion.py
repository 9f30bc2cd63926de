"""A number a group to whole shares of its members, by their weights and within their capacities."""

import numpy as np
from numba import njit

from citygen.geom.tolerances import TIE_REL


@njit(cache=True, nogil=True)
def apportion(group_offsets, weight, capacity, number):
    """
    Share out each group's number among its members: one after the other to who has most weight a share (D'Hondt).

    Parameters
    ----------
    group_offsets : (g + 1,) int64
        Members of each group.
    weight : (m,) float64
        Above 0. Of members whose weights are equal but for rounding, the first comes first.
    capacity : (m,) int64
        The most that a member takes.
    number : (g,) int64
        To share out; what exceeds the capacities is left.

    Returns
    -------
    (m,) int64
        Each member's share.

    Examples
    --------
    >>> apportion(np.array([0, 3]), np.array([8.0, 4.0, 1.0]), np.array([9, 9, 9]), np.array([3])).tolist()
    [2, 1, 0]
    """
    share = np.zeros(len(weight), np.int64)
    for g in range(len(number)):
        for _ in range(number[g]):
            best, most = -1, 0.0
            for m in range(group_offsets[g], group_offsets[g + 1]):
                claim = weight[m] / (share[m] + 1)
                if share[m] < capacity[m] and claim > most * (1.0 + TIE_REL):
                    best, most = m, claim
            if best < 0:
                break
            share[best] += 1
    return share
