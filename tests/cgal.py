"""CGAL's exact straight skeleton, through pysfcgal (GPL: a judge of the tests, never a part of citygen)."""

import os
import platform
import sys

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon

from skeleton_faces import Skeleton

SAME_M = 1e-6
HAS_WHEEL = sys.platform == "linux" and platform.machine() == "x86_64"


def need_oracle() -> None:
    """Skip where pysfcgal is not installed; fail where it has a wheel and this is CI."""
    try:
        import pysfcgal.geometry  # noqa: F401
    except ImportError as error:
        reason = f"pysfcgal, the exact straight skeleton to compare with, is not there: {error}"
        if os.environ.get("CI") and HAS_WHEEL:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def exact_skeleton(outline: Polygon) -> Skeleton | str:
    """
    Take the straight skeleton of an outline with exact arithmetic.

    Parameters
    ----------
    outline : shapely.Polygon
        In metres.

    Returns
    -------
    Skeleton or str
        Nodes that are the same place are one node; or what pysfcgal said instead of giving a skeleton.
    """
    from pysfcgal.geometry import Geometry

    west, south, east, north = outline.bounds
    try:
        solid = Geometry.from_wkb(shapely.to_wkb(outline)).extrude_straight_skeleton(
            10.0 * (east - west + north - south)
        )
        loops = [np.array(face[0][:-1]) for face in solid.to_coordinates()]
    except Exception as error:  # noqa: BLE001  whatever it throws: its failure is a result of the comparison
        return f"{type(error).__name__}: {error}".splitlines()[0][:100]
    sloped = [loop for loop in loops if len(loop) and loop[:, 2].max() > 0.0]
    return _joined(sloped) if sloped else "no face"


def _joined(loops: list[np.ndarray]) -> Skeleton:
    """Give places that differ by rounding alone one node, the outline's where it is one of them."""
    xyz = np.unique(np.concatenate(loops)[:, ::-1], axis=0)[:, ::-1]  # the lowest first: the outline's corners
    points = shapely.points(xyz[:, :2])
    one, other = shapely.STRtree(points).query(points, predicate="dwithin", distance=SAME_M)
    first = np.arange(len(xyz))
    np.minimum.at(first, one, other)
    number = {tuple(place): int(k) for place, k in zip(xyz.tolist(), first, strict=True)}
    found = []
    for loop in loops:
        node = np.array([number[tuple(place)] for place in loop.tolist()])
        node = node[node != np.roll(node, -1)]
        if len(node) > 2:
            found.append(node)
    return Skeleton(xyz, found)
