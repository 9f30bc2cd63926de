"""Longitudes go round: the smallest arc around spans of them, and polygons cut where they cross 180 degrees."""

import numpy as np
import shapely
from shapely.geometry import Polygon

from citygen.arraytypes import Float64, Objects

_WHOLE_TURN = 360.0 - 1e-6


def smallest_arc(spans: Float64) -> tuple[float, float]:
    """
    Return the shortest arc of longitudes that holds all spans.

    Parameters
    ----------
    spans : (n, 2) float64
        West and east of each in degrees, n > 0; an east below its west goes over 180.

    Returns
    -------
    west, east : float
        -180 <= west < 180 and west <= east <= west + 360: an east beyond 180 says that the arc goes over 180.

    Examples
    --------
    >>> smallest_arc(np.array([[179.0, 180.0], [-180.0, -179.0]])), smallest_arc(np.array([[2.0, 3.0], [4.0, 9.0]]))
    ((179.0, 181.0), (2.0, 9.0))
    """
    west = (spans[:, 0] + 180.0) % 360.0 - 180.0
    width = spans[:, 1] - spans[:, 0]
    width = np.where(width < 0, width + 360.0, width)
    if (width >= _WHOLE_TURN).any():
        return -180.0, 180.0
    order = np.argsort(west, kind="stable")
    west, reach = west[order], np.maximum.accumulate((west + width)[order])
    over = reach[-1] - 360.0  # what goes over 180 covers the start of the circle again
    gap = west - np.r_[over, np.maximum(reach[:-1], over)]
    first = int(np.argmax(gap))
    if gap[first] <= 0:
        return -180.0, 180.0
    return float(west[first]), float(reach[-1] if first == 0 else max(reach[first - 1] + 360.0, reach[-1]))


def cut_at_180(polygons: Objects) -> Objects:
    """
    Read polygons in longitude and latitude the short way round and cut them at 180 degrees.

    An edge that is longer than half a turn is meant the other way (a ring from 179 to -179 is two degrees wide, not 358);
    one of a whole turn is meant as it is (a box around the world). A ring that goes once around the Earth so encloses the
    pole that is nearer to its middle.

    Parameters
    ----------
    polygons : (n,) object of shapely.Polygon
        Degrees; 2-D, finite.

    Returns
    -------
    (m,) object of shapely.Polygon
        Those that cross nothing as they are, in their order; then the pieces of the others, within -180 to 180.

    Examples
    --------
    >>> fiji = shapely.Polygon([(179, -17), (-179, -17), (-179, -16), (179, -16)])
    >>> [piece.bounds for piece in cut_at_180(np.array([fiji]))]
    [(179.0, -17.0, 180.0, -16.0), (-180.0, -17.0, -179.0, -16.0)]
    """
    coords, index = shapely.get_coordinates(polygons, return_index=True)
    step = np.abs(np.diff(coords[:, 0]))
    long = (step > 180.0) & (step < _WHOLE_TURN) & (index[1:] == index[:-1])
    hit = np.zeros(len(polygons), dtype=bool)
    hit[index[1:][long]] = True
    if not hit.any():
        return polygons
    pieces: list[shapely.Polygon] = []
    for each in polygons[hit].tolist():
        shell = _unrolled(np.asarray(each.exterior.coords)[:, :2])
        holes = [_unrolled(np.asarray(hole.coords)[:, :2]) for hole in each.interiors]
        middle = shell[:, 0].mean()
        holes = [hole + np.array([360.0 * np.round((middle - hole[:, 0].mean()) / 360.0), 0.0]) for hole in holes]
        whole = shapely.make_valid(Polygon(shell, holes), method="structure", keep_collapsed=False)
        for turn in range(-2, 3):
            part = shapely.intersection(whole, shapely.box(-180.0 + 360.0 * turn, -90.0, 180.0 + 360.0 * turn, 90.0))
            moved = shapely.set_coordinates(part, shapely.get_coordinates(part) - np.array([360.0 * turn, 0.0]))
            pieces += [p for p in shapely.get_parts(moved).tolist() if p.geom_type == "Polygon" and p.area > 0]
    pieces.sort(key=lambda p: (-p.bounds[0], p.bounds[1]))
    out: Objects = np.empty(int((~hit).sum()) + len(pieces), dtype=object)
    out[:] = [*polygons[~hit].tolist(), *pieces]
    return out


def _unrolled(xy: Float64) -> Float64:
    """Return a closed ring with every edge the short way round; one around a pole is closed over it."""
    step = np.diff(xy[:, 0])
    step -= np.where((np.abs(step) > 180.0) & (np.abs(step) < _WHOLE_TURN), 360.0 * np.sign(step), 0.0)
    x = xy[0, 0] + np.r_[0.0, np.cumsum(step)]
    out = np.stack([x, xy[:, 1]], axis=1)
    if abs(x[-1] - x[0]) > 180.0:
        pole = 90.0 if xy[:, 1].mean() >= 0 else -90.0
        out = np.concatenate([out, [[x[-1], pole], [x[0], pole], out[0]]])
    return out
