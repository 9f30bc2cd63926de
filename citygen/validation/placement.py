"""The vertices of a tile to issues: do they lie in the bounding volume that the tileset gives for them."""

import numpy as np

from citygen.arraytypes import AnyArray, Float64
from citygen.validation.asset import Asset
from citygen.validation.bounding import holds_points
from citygen.validation.issues import IssueLog, Json
from citygen.validation.soup import placed_positions

Y_UP_TO_Z_UP: Float64 = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
"""3D Tiles 1.1, "glTF transforms": glTF has y up, tiles have z up."""
GROUND_TOLERANCE_M = 0.01
"""Metres that a vertex may lie outside of a region: the promise on positions."""
METRES_PER_RADIAN = 6_371_000.0


def check_placement(asset: Asset, volume: Json, frame: Float64, issues: IssueLog) -> None:
    """
    Check that all vertices lie in the bounding volume of their tile.

    Parameters
    ----------
    asset : Asset
        The content.
    volume : ``boundingVolume`` object or None
        Checked; None and kinds that are not known are left alone.
    frame : (4, 4) float64
        From the frame of the tile to that of the tileset (ECEF for regions).
    issues : IssueLog
        Takes CONTENT_OUTSIDE_BOUNDING_VOLUME with the number of vertices and the largest distance.
    """
    points = placed_positions(asset)
    if volume is None or len(points) == 0:
        return
    local = points @ Y_UP_TO_Z_UP[:3, :3].T
    if volume.keys() & {"box", "sphere"}:
        outside = int(np.count_nonzero(~holds_points(volume, local)))
    elif "region" in volume:
        outside = _outside_region(volume["region"], local @ frame[:3, :3].T + frame[:3, 3])
    else:
        return
    if outside:
        message = f"{outside} of {len(points)} vertices lie outside of the tile's bounding volume"
        issues.error("CONTENT_OUTSIDE_BOUNDING_VOLUME", "/meshes", message)


def _outside_region(region: list[float], ecef: Float64) -> int:
    """Count the points outside of a region; the ellipsoid is WGS 84."""
    from pyproj import Transformer

    to_geographic = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
    lon, lat, height = to_geographic.transform(ecef[:, 0], ecef[:, 1], ecef[:, 2], radians=False)
    west, south, east, north, low, high = region
    slack = GROUND_TOLERANCE_M / METRES_PER_RADIAN
    turn = 2 * np.pi
    width = east - west + (turn if east < west else 0.0)
    along: AnyArray = (np.radians(lon) - west + slack) % turn
    inside = along <= width + 2 * slack
    inside &= (np.radians(lat) >= south - slack) & (np.radians(lat) <= north + slack)
    inside &= (height >= low - GROUND_TOLERANCE_M) & (height <= high + GROUND_TOLERANCE_M)
    return int(np.count_nonzero(~inside))
