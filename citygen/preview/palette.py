"""Building triangles in, a calm colour for each out: plaster and tinted roofs, alike in a street."""

import numpy as np

from citygen.arraytypes import AnyArray, Bool, Float64, Int64, UInt8
from citygen.preview.style import to_linear, to_srgb

WALLS = np.array([[238, 233, 224], [231, 222, 205], [224, 210, 187], [230, 214, 192], [235, 226, 214]], np.uint8)
PITCHED = np.array(
    [[172, 102, 78], [162, 90, 66], [150, 84, 66], [140, 92, 78], [122, 98, 88], [108, 106, 108]], np.uint8
)
FLAT = np.array([[186, 181, 172], [176, 174, 168], [168, 164, 158]], np.uint8)
QUARTER_M = 90.0  # over about this distance the mood of the colours changes
OWN_SHARE = 0.22  # of a colour is the building's own, the rest the quarter's


def building_colours(vertices: Float64, triangles: Int64, building: Int64, *, roof: Bool, flat: Bool) -> UInt8:
    """
    Give each triangle the colour of its building's wall or roof.

    Parameters
    ----------
    vertices : (n, 3) float64
        Metres.
    triangles : (m, 3) int64
        Into `vertices`.
    building : (m,) int64
        Number of the building that each triangle belongs to, not negative.
    roof : (m,) bool
        The triangle is roof, not wall or floor.
    flat : (m,) bool
        The building's roof is flat.

    Returns
    -------
    (m, 3) uint8
        sRGB, depending only on the building's number and place; empty for empty.

    Raises
    ------
    ValueError
        When the arrays are not of one length.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.array([[0.0, 0, 0], [9, 0, 0], [9, 9, 0], [0, 9, 0]]), np.array([[0, 1, 2], [0, 2, 3]])
    >>> yes, no = np.ones(2, bool), np.zeros(2, bool)
    >>> colours = building_colours(*square, np.array([7, 7]), roof=yes, flat=no)
    >>> bool((colours[0] == colours[1]).all())
    True
    """
    if not len(triangles) == len(building) == len(roof) == len(flat):
        lengths = [len(array) for array in (triangles, building, roof, flat)]
        raise ValueError(f"triangles, building, roof and flat differ in length: {lengths}")
    if not len(triangles):
        return np.zeros((0, 3), np.uint8)
    number, of = np.unique(building, return_inverse=True)
    share = np.bincount(of)
    place = np.stack([np.bincount(of, vertices[triangles, k].mean(axis=1)) / share for k in range(2)], axis=1)
    seed = number.astype(np.uint64)
    # no two neighbours quite alike: up to 7 % lighter or darker
    shade = 1.0 + 0.14 * (_noise(seed, 4) - 0.5)[:, None]
    wall, pitched, level = (
        _ramp(palette, place, seed, salt) * shade for salt, palette in enumerate((WALLS, PITCHED, FLAT), start=1)
    )
    colours = np.where((roof & ~flat)[:, None], pitched[of], np.where((roof & flat)[:, None], level[of], wall[of]))
    return to_srgb(colours)


def _ramp(palette: UInt8, place: Float64, seed: AnyArray, salt: int) -> Float64:
    """Return (b, 3) float64 linear colours: a point on the palette's ramp for each building."""
    mood = np.clip(0.5 + 1.6 * (_quarters(place, salt) - 0.5), 0.0, 1.0)
    along = ((1.0 - OWN_SHARE) * mood + OWN_SHARE * _noise(seed, salt)) * (len(palette) - 1)
    first = np.minimum(along.astype(np.int64), len(palette) - 2)
    linear = to_linear(palette)
    mixed: Float64 = linear[first] + (along - first)[:, None] * (linear[first + 1] - linear[first])
    return mixed


def _quarters(place: Float64, salt: int) -> Float64:
    """Return (b,) float64 in 0..1: smooth value noise over the town."""
    cell = np.floor(place / QUARTER_M)
    x, y = (place / QUARTER_M - cell).T
    x, y = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y)
    i, j = cell.astype(np.int64).T

    def corner(di: int, dj: int) -> Float64:
        key = (i + di).astype(np.uint64) * np.uint64(0x8DA6B343) + (j + dj).astype(np.uint64) * np.uint64(0xD8163841)
        return _noise(key, salt + 10)

    lower, upper = corner(0, 0) * (1.0 - x) + corner(1, 0) * x, corner(0, 1) * (1.0 - x) + corner(1, 1) * x
    smooth: Float64 = lower * (1.0 - y) + upper * y
    return smooth


def _noise(seed: AnyArray, salt: int) -> Float64:
    """Return float64 in 0..1 from 64-bit seeds (the finaliser of SplitMix64)."""
    z = seed + np.uint64((salt * 0x9E3779B97F4A7C15) % (1 << 64))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    noise: Float64 = (z ^ (z >> np.uint64(31))) / float(1 << 64)
    return noise
