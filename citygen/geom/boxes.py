"""Many extents against few each: which of them meet any of those that they are compared with."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def meets_any(box, of, first, other, extent, largest, most):
    """
    Return (n,) bool: which extents meet one of those that are listed for them.

    ``box`` (n, 4) int32 and ``extent`` (t, 4) int64: min x, min y, max x, max y. Row ``i`` is compared with the extents
    ``other[first[of[i]]:first[of[i] + 1]]``; one that is wider or higher than ``largest``, or reaches ``most``, meets none.
    """
    out = np.zeros(len(box), dtype=np.bool_)
    for i in range(len(box)):
        x0, y0, x1, y1 = np.int64(box[i, 0]), np.int64(box[i, 1]), np.int64(box[i, 2]), np.int64(box[i, 3])
        if x1 - x0 > largest or y1 - y0 > largest or min(x0, y0) <= -most or max(x1, y1) >= most:
            continue
        for k in range(first[of[i]], first[of[i] + 1]):
            e = other[k]
            if x0 <= extent[e, 2] and x1 >= extent[e, 0] and y0 <= extent[e, 3] and y1 >= extent[e, 1]:
                out[i] = True
                break
    return out
