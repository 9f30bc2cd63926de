"""
Bounding volumes and tile transforms to issues: their numbers, and whether one volume holds another.

3D Tiles 1.1, sections "Bounding volumes", "Transforms" and "Bounding volume spatial coherence".
"""

import math

import numpy as np

from citygen.arraytypes import Bool, Float64
from citygen.validation.issues import IssueLog, Json, join
from citygen.validation.shape import Array, Number, Record, check_shape

LENGTH_TOLERANCE_M = 1e-3
"""Metres that a volume may stand out of the one that holds it: rounding of written coordinates."""
RELATIVE_TOLERANCE = 1e-6
"""Share of a volume's size that it may stand out: float32 producers."""
ANGLE_TOLERANCE_RAD = 1e-9
"""Radians that a region may stand out (6 mm on the ground)."""

VOLUME = Record(
    {
        "box": Array(Number(), 12, 12),
        "region": Array(Number(), 6, 6),
        "sphere": Array(Number(), 4, 4),
    }
)
TRANSFORM = Array(Number(), 16, 16)
IDENTITY: Float64 = np.eye(4)


def check_volume(volume: Json, pointer: str, issues: IssueLog) -> bool:
    """
    Check a ``boundingVolume`` object.

    Returns
    -------
    bool
        True when it can be compared with others.
    """
    if not check_shape(volume, VOLUME, pointer, issues):
        return False
    before = len(issues.found)
    if not volume.keys() & {"box", "region", "sphere", "extensions"}:
        issues.error("ANY_OF_ERROR", pointer, "needs one of 'box', 'region' and 'sphere'")
    if "region" in volume:
        _check_region(volume["region"], join(pointer, "region"), issues)
    if "box" in volume:
        axes = np.array(volume["box"][3:], dtype=np.float64).reshape(3, 3)
        products = np.abs(axes @ axes.T)
        if np.any(np.triu(products, 1) > RELATIVE_TOLERANCE * max(1.0, float(products.max()))):
            issues.warning("BOUNDING_VOLUME_INVALID", join(pointer, "box"), "the half-axes are not at right angles")
    if "sphere" in volume and volume["sphere"][3] < 0:
        issues.error("BOUNDING_VOLUME_INVALID", join(pointer, "sphere"), "the radius is negative")
    return len(issues.found) == before


def _check_region(region: list[float], pointer: str, issues: IssueLog) -> None:
    west, south, east, north, low, high = region
    for name, value, bound in (
        ("west", west, math.pi),
        ("south", south, math.pi / 2),
        ("east", east, math.pi),
        ("north", north, math.pi / 2),
    ):
        if abs(value) > bound:
            issues.error("BOUNDING_VOLUME_INVALID", pointer, f"{name} is {value}, beyond {bound:.6f} radians")
    if south > north:
        issues.error("BOUNDING_VOLUME_INVALID", pointer, f"south {south} lies north of north {north}")
    if low > high:
        issues.error("BOUNDING_VOLUME_INVALID", pointer, f"the minimum height {low} exceeds the maximum {high}")


def check_transform(transform: Json, pointer: str, issues: IssueLog) -> Float64 | None:
    """
    Check a tile's ``transform`` and return it as a matrix.

    Returns
    -------
    (4, 4) float64 or None
        Acts on column vectors; None when it cannot be used.
    """
    if not check_shape(transform, TRANSFORM, pointer, issues):
        return None
    matrix: Float64 = np.array(transform, dtype=np.float64).reshape(4, 4).T
    if not np.array_equal(matrix[3], [0, 0, 0, 1]):
        issues.error("TRANSFORM_INVALID", pointer, f"the last row must be 0 0 0 1, is {matrix[3].tolist()}")
        return None
    if np.linalg.matrix_rank(matrix[:3, :3]) < 3:
        issues.warning("TRANSFORM_INVALID", pointer, "the matrix is not invertible: the tile has no volume")
    return matrix


def holds(outer: Json, inner: Json, relative: Float64) -> bool | None:
    """
    Say whether one bounding volume holds another.

    Parameters
    ----------
    outer, inner : checked ``boundingVolume`` objects
        ``outer`` in its own frame.
    relative : (4, 4) float64
        From the frame of ``inner`` to that of ``outer``; regions ignore it.

    Returns
    -------
    bool or None
        None when the kinds cannot be compared.

    Examples
    --------
    >>> holds({"sphere": [0, 0, 0, 2]}, {"box": [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]}, np.eye(4))
    True
    """
    if "region" in outer and "region" in inner:
        return _region_holds(outer["region"], inner["region"])
    extent = _extent(inner, relative)
    if extent is None or not outer.keys() & {"box", "sphere"}:
        return None
    points, radius = extent
    return bool(np.all(holds_points(outer, points, radius)))


def holds_points(outer: Json, points: Float64, radius: float = 0.0) -> Bool:
    """
    Say which points (or balls around them) lie in a box or sphere.

    Parameters
    ----------
    outer : ``boundingVolume`` object with a box or a sphere
        In the frame of the points.
    points : (n, 3) float64
        Metres.
    radius : float
        Of the balls, metres.

    Returns
    -------
    (n,) bool
        True inside, with the tolerances of this module.
    """
    if "box" in outer:
        box = np.array(outer["box"], dtype=np.float64)
        axes = box[3:].reshape(3, 3)
        lengths = np.linalg.norm(axes, axis=1)
        slack = LENGTH_TOLERANCE_M + RELATIVE_TOLERANCE * float(lengths.max())
        offsets = points - box[:3]
        units = axes[lengths > 0] / lengths[lengths > 0, None]
        along = offsets @ units.T
        inside: Bool = np.all(np.abs(along) + radius <= lengths[lengths > 0] + slack, axis=1)
        if len(units) < 3:
            rest = np.linalg.norm(offsets - along @ units, axis=1)
            inside &= rest + radius <= slack
        return inside
    sphere = np.array(outer["sphere"], dtype=np.float64)
    slack = LENGTH_TOLERANCE_M + RELATIVE_TOLERANCE * float(sphere[3])
    distance = np.linalg.norm(points - sphere[:3], axis=1)
    reached: Bool = distance + radius <= sphere[3] + slack
    return reached


def _extent(volume: Json, relative: Float64) -> tuple[Float64, float] | None:
    """Return points and a radius that span a box or sphere in the outer frame; None for other kinds."""
    if "box" in volume:
        box = np.array(volume["box"], dtype=np.float64)
        signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
        corners = box[:3] + signs @ box[3:].reshape(3, 3)
        return corners @ relative[:3, :3].T + relative[:3, 3], 0.0
    if "sphere" in volume:
        sphere = np.array(volume["sphere"], dtype=np.float64)
        scale = float(np.linalg.norm(relative[:3, :3], ord=2))
        return (relative[:3, :3] @ sphere[:3] + relative[:3, 3])[None], scale * float(sphere[3])
    return None


def _region_holds(outer: list[float], inner: list[float]) -> bool:
    start = (inner[0] - outer[0] + ANGLE_TOLERANCE_RAD) % (2 * math.pi) - ANGLE_TOLERANCE_RAD
    around = _width(outer) >= 2 * math.pi - ANGLE_TOLERANCE_RAD
    return (
        (around or start + _width(inner) <= _width(outer) + ANGLE_TOLERANCE_RAD)
        and outer[1] <= inner[1] + ANGLE_TOLERANCE_RAD
        and inner[3] <= outer[3] + ANGLE_TOLERANCE_RAD
        and outer[4] <= inner[4] + LENGTH_TOLERANCE_M
        and inner[5] <= outer[5] + LENGTH_TOLERANCE_M
    )


def _width(region: list[float]) -> float:
    """Return the radians from west to east; a region may cross the antimeridian."""
    width = region[2] - region[0]
    return width + 2 * math.pi if width < 0 else width
