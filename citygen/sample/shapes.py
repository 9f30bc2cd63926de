"""
Sizes to outlines: the plan shapes of houses, farms, schools, halls and silos, many at a time.

Every template takes numbers or (n,) arrays in metres and returns (n, m, 2) float64: counter-clockwise, open rings in a
frame of their own, x along the street from 0 to ``width``, y away from it from 0 to ``depth``.
"""

import numpy as np
import numpy.typing as npt

from citygen.arraytypes import Float64

Size = npt.ArrayLike


def rectangle(width: Size, depth: Size) -> Float64:
    """
    Return rectangles.

    Examples
    --------
    >>> rectangle(4, 3)[0].tolist()
    [[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [0.0, 3.0]]
    """
    return _rings([(0, 0), (width, 0), (width, depth), (0, depth)])


def l_shape(width: Size, depth: Size, arm: Size, bar: Size) -> Float64:
    """Return Ls: a bar of depth ``bar`` along the street, an arm of width ``arm`` behind its left end."""
    return _rings([(0, 0), (width, 0), (width, bar), (arm, bar), (arm, depth), (0, depth)])


def t_shape(width: Size, depth: Size, stem: Size, bar: Size) -> Float64:
    """Return Ts: a bar along the street, a stem of width ``stem`` behind its middle."""
    left, right = _middle(width, stem)
    return _rings(
        [(0, 0), (width, 0), (width, bar), (right, bar), (right, depth), (left, depth), (left, bar), (0, bar)]
    )


def u_shape(width: Size, depth: Size, arm: Size, bar: Size) -> Float64:
    """Return Us: a bar along the street, an arm of width ``arm`` behind each end."""
    right = np.asarray(width) - np.asarray(arm)
    return _rings(
        [(0, 0), (width, 0), (width, depth), (right, depth), (right, bar), (arm, bar), (arm, depth), (0, depth)]
    )


def h_shape(width: Size, depth: Size, arm: Size, bar: Size) -> Float64:
    """Return Hs: two arms of width ``arm`` joined by a bar of depth ``bar`` half way."""
    right = np.asarray(width) - np.asarray(arm)
    low, high = _middle(depth, bar)
    points: list[tuple[Size, Size]] = [
        (0, 0),
        (arm, 0),
        (arm, low),
        (right, low),
        (right, 0),
        (width, 0),
        (width, depth),
        (right, depth),
    ]
    return _rings([*points, (right, high), (arm, high), (arm, depth), (0, depth)])


def yard(width: Size, depth: Size, wing: Size) -> Float64:
    """Return the hole of a building around a yard, clockwise: the rectangle less wings of depth ``wing``."""
    right, top = np.asarray(width) - np.asarray(wing), np.asarray(depth) - np.asarray(wing)
    return _rings([(wing, wing), (wing, top), (right, top), (right, wing)])


def round_shape(diameter: Size, corners: int) -> Float64:
    """Return regular polygons of ``corners`` corners within circles that touch both axes."""
    angle = (np.arange(corners) + 0.5) * (2 * np.pi / corners)
    unit = 0.5 + 0.5 * np.column_stack([np.cos(angle), np.sin(angle)])
    scaled: Float64 = np.atleast_1d(np.asarray(diameter, dtype=np.float64))[:, None, None] * unit
    return scaled


def put(rings: Float64, at: Float64, angle_deg: Size) -> Float64:
    """
    Turn rings about their frame's origin and move them.

    Parameters
    ----------
    rings : (n, m, 2) float64
        Metres.
    at : (n, 2) or (2,) float64
        Where the origin goes.
    angle_deg : (n,) float64 or float
        Counter-clockwise from east.

    Returns
    -------
    (n, m, 2) float64
        Metres, the frame of ``at``.
    """
    angle = np.radians(np.atleast_1d(np.asarray(angle_deg, dtype=np.float64)))[:, None]
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = rings[..., 0], rings[..., 1]
    return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1) + np.atleast_2d(at)[:, None, :]


def _middle(whole: Size, part: Size) -> tuple[Float64, Float64]:
    whole, part = np.asarray(whole, dtype=np.float64), np.asarray(part, dtype=np.float64)
    return (whole - part) / 2, (whole + part) / 2


def _rings(corners: list[tuple[Size, Size]]) -> Float64:
    columns = np.broadcast_arrays(*[np.atleast_1d(np.asarray(v, np.float64)) for corner in corners for v in corner])
    return np.stack(columns, axis=-1).reshape(len(columns[0]), len(corners), 2)
