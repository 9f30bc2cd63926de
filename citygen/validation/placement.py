"""The vertices of a tile to issues: do they lie in the bounding volume that the tileset gives for them."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from citygen.arraytypes import AnyArray, Float64
from citygen.validation.asset import Asset
from citygen.validation.bounding import holds_points
from citygen.validation.issues import IssueLog, Json
from citygen.validation.soup import placed_positions

if TYPE_CHECKING:
    from pyproj import Transformer

Y_UP_TO_Z_UP: Float64 = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
"""3D Tiles 1.1, "glTF transforms": glTF has y up, tiles have z up."""
GROUND_TOLERANCE_M = 0.01
"""Metres that a vertex may lie outside of a region: the promise on positions."""
METRES_PER_RADIAN = 6_371_000.0


def check_placement(asset: Asset, volumes: list[Json], frame: Float64, issues: IssueLog) -> None:
    """
    Check that all vertices lie in the bounding volumes around a content.

    Parameters
    ----------
    asset : Asset
        The content.
    volumes : list of ``boundingVolume`` objects or None
        Checked; boxes and spheres are in the frame of the tile. None and kinds that are not known are left alone.
    frame : (4, 4) float64
        From the frame of the tile to that of the tileset (ECEF for regions).
    issues : IssueLog
        Takes CONTENT_OUTSIDE_BOUNDING_VOLUME with the number of vertices, once a volume.
    """
    local = placed_positions(asset) @ Y_UP_TO_Z_UP[:3, :3].T
    for volume in volumes if len(local) else []:
        if volume is None:
            continue
        outside = 0
        kind = next((name for name in ("box", "sphere", "region") if name in volume), None)
        if kind == "region":
            outside = _outside_region(volume["region"], local @ frame[:3, :3].T + frame[:3, 3])
        elif kind is not None:
            outside = int(np.count_nonzero(~holds_points(volume, local)))
        if outside:
            message = f"{outside} of {len(local)} vertices lie outside of the {kind} of the tile or of the one above"
            issues.error("CONTENT_OUTSIDE_BOUNDING_VOLUME", "/meshes", message)


def _outside_region(region: list[float], ecef: Float64) -> int:
    """Count the points outside of a region; the ellipsoid is WGS 84."""
    lon, lat, height = _to_geographic().transform(ecef[:, 0], ecef[:, 1], ecef[:, 2])
    west, south, east, north, low, high = region
    slack = GROUND_TOLERANCE_M / METRES_PER_RADIAN
    turn = 2 * np.pi
    width = east - west + (turn if east < west else 0.0)
    along: AnyArray = (np.radians(lon) - west + slack) % turn
    inside = along <= width + 2 * slack
    inside &= (np.radians(lat) >= south - slack) & (np.radians(lat) <= north + slack)
    inside &= (height >= low - GROUND_TOLERANCE_M) & (height <= high + GROUND_TOLERANCE_M)
    return int(np.count_nonzero(~inside))


@cache
def _to_geographic() -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
