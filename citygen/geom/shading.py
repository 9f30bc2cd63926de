"""Face normals to corner normals that blend over gentle edges: curved roofs of flat pieces look curved (Numba kernel)."""

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64

CREASE_COS = np.cos(np.radians(50.0))
"""Edges sharper than 50 degrees stay sharp."""


@njit(cache=True, nogil=True)
def _blend(corners, corner_face, normals, chosen, n_vertices, least_cos):
    first, following = np.full(n_vertices, -1, np.int64), np.empty(len(corners), np.int64)
    out = np.empty((len(corners), 3))
    for c in range(len(corners)):
        out[c] = normals[corner_face[c]]
        if chosen[corner_face[c]]:
            following[c] = first[corners[c]]
            first[corners[c]] = c
    for c in range(len(corners)):
        if not chosen[corner_face[c]]:
            continue
        own = normals[corner_face[c]]
        x, y, z = 0.0, 0.0, 0.0
        other = first[corners[c]]
        while other >= 0:
            n = normals[corner_face[other]]
            if own[0] * n[0] + own[1] * n[1] + own[2] * n[2] >= least_cos:
                x, y, z = x + n[0], y + n[1], z + n[2]
            other = following[other]
        length = np.sqrt(x * x + y * y + z * z)
        out[c, 0], out[c, 1], out[c, 2] = x / length, y / length, z / length
    return out


def corner_normals(corners: Int64, corner_face: Int64, normals: Float64, chosen: Bool, n_vertices: int) -> Float64:
    """
    Return a unit normal for every face corner.

    Parameters
    ----------
    corners : (c,) int64
        Vertex numbers.
    corner_face : (c,) int64
        The face of each corner.
    normals : (f, 3) float64
        Unit normals of the faces.
    chosen : (f,) bool
        Faces of curved surfaces: at each corner the mean of those of them that meet there at less than the crease angle.
    n_vertices : int
        How many vertices there are.

    Returns
    -------
    (c, 3) float64
        That of the face where it is not chosen.

    Examples
    --------
    >>> flat = np.array([[0.0, 0.6, 0.8], [0.0, -0.6, 0.8]])
    >>> shared = corner_normals(np.array([0, 0]), np.array([0, 1]), flat, np.array([True, True]), 1)
    >>> shared.tolist()  # 74 degrees apart: a crease
    [[0.0, 0.6, 0.8], [0.0, -0.6, 0.8]]
    """
    if not chosen.any():
        return normals[corner_face]
    blended: Float64 = _blend(corners, corner_face, normals, chosen, n_vertices, CREASE_COS)
    return blended
