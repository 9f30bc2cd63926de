"""Points in, a view that frames them out: an oblique long lens, fitted to the town, not to its outliers."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import AnyArray, Float64
from citygen.preview.rowkeys import row_keys

MARGIN = 0.03  # of half the picture, left free around the fitted points
CELL_M = 10.0  # points closer than this count once, so that a detailed building does not outweigh the town
TRIED_AZIMUTHS_DEG = (-30.0, 30.0, -15.0, 15.0, -45.0, 45.0)


@dataclass(frozen=True, slots=True)
class Camera:
    """
    Where the picture is taken from.

    Attributes
    ----------
    azimuth_deg : float or None
        Compass direction in which the camera looks, clockwise from north; None takes the northern one in which the
        town fills the picture best.
    elevation_deg : float
        How far the camera looks down, above 0 and up to 90.
    fov_deg : float
        Angle of view across the picture's width; small is a long lens.
    zoom : float
        1 fits all, 2 shows the middle twice as large.
    target : (x, y, z) or None
        Point in the middle of the picture, in the frame of the vertices; None fits the buildings.
    distance_m : float or None
        From the camera to `target`; both or neither are given.

    Raises
    ------
    ValueError
        When an angle is out of its range or one of `target` and `distance_m` is missing.
    """

    azimuth_deg: float | None = None
    elevation_deg: float = 38.0
    fov_deg: float = 20.0
    zoom: float = 1.0
    target: tuple[float, float, float] | None = None
    distance_m: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.elevation_deg <= 90.0:
            raise ValueError(f"elevation_deg must be above 0 and at most 90, not {self.elevation_deg}")
        if not 0.1 <= self.fov_deg <= 120.0:
            raise ValueError(f"fov_deg must lie between 0.1 and 120, not {self.fov_deg}")
        if not self.zoom > 0.0:
            raise ValueError(f"zoom must be positive, not {self.zoom}")
        if (self.target is None) != (self.distance_m is None):
            raise ValueError("target and distance_m go together: give both or neither")


@dataclass(frozen=True, slots=True)
class View:
    """
    A resolved camera: pixel coordinates to rays and points to pixels.

    Attributes
    ----------
    origin, right, up, forward : (3,) float64
        Position and unit axes, in the frame of the points that were fitted.
    tangent : float
        Half the picture's width at distance 1.
    size : (width, height)
        In pixels.
    azimuth_deg : float
        Compass direction of `forward`.
    near_m, far_m : float
        Depths along `forward` between which the fitted points lie.
    """

    origin: Float64
    right: Float64
    up: Float64
    forward: Float64
    tangent: float
    size: tuple[int, int]
    azimuth_deg: float
    near_m: float
    far_m: float

    @property
    def pixel_m(self) -> float:
        """Width of a pixel in the middle of the fitted points, metres."""
        return 2.0 * self.tangent / self.size[0] * 0.5 * (self.near_m + self.far_m)

    def rays(self, x: AnyArray, y: AnyArray) -> Float64:
        """Return (n, 3) float64 unit directions through pixels (n,): centres are at .5, y points down."""
        step = 2.0 * self.tangent / self.size[0]
        across = (np.asarray(x, np.float64) - 0.5 * self.size[0]) * step
        upward = (0.5 * self.size[1] - np.asarray(y, np.float64)) * step
        d = self.forward + across[:, None] * self.right + upward[:, None] * self.up
        return d / np.sqrt(1.0 + across**2 + upward**2)[:, None]

    def project(self, points: Float64) -> tuple[Float64, Float64]:
        """Return pixel coordinates (n, 2) float64 and depths (n,) along `forward`; no pixel at depth <= 0."""
        q = points - self.origin
        depth = q @ self.forward
        safe = np.where(depth > 0.0, depth, np.nan)
        step = 2.0 * self.tangent / self.size[0]
        x = (q @ self.right) / safe / step + 0.5 * self.size[0]
        y = 0.5 * self.size[1] - (q @ self.up) / safe / step
        return np.stack([x, y], axis=1), depth


def frame(points: Float64, camera: Camera, size: tuple[int, int]) -> View:
    """
    Resolve a camera: choose its azimuth and place where the camera leaves them open.

    Parameters
    ----------
    points : (n, 3) float64
        What has to be in the picture, metres, z up; see `townlike`. None at all frames a 100 m square at the origin.
    camera : Camera
        The wish.
    size : (width, height)
        Of the picture, pixels.

    Returns
    -------
    View
        The same for the same points, whatever their order.
    """
    if not len(points):
        points = np.array([[-50.0, -50.0, 0.0], [50.0, -50.0, 0.0], [50.0, 50.0, 0.0], [-50.0, 50.0, 0.0]])
    if camera.azimuth_deg is not None:
        return _fit(points, camera, camera.azimuth_deg, size)
    views = [_fit(points, camera, azimuth, size) for azimuth in TRIED_AZIMUTHS_DEG]
    nearest = min(view.near_m + view.far_m for view in views)
    return next(view for view in views if view.near_m + view.far_m <= 1.02 * nearest)


def townlike(points: Float64) -> Float64:
    """
    Drop the points far from the rest, so that one wrong or endless building does not shrink the town to a dot.

    Points are thinned to one a cell of 10 m; kept is what lies inside the 2nd to 98th percentile of east and north,
    widened by 20 %, and not higher or lower than half the town's width beyond those of the heights.

    Parameters
    ----------
    points : (n, 3) float64
        Building vertices, metres.

    Returns
    -------
    (k, 3) float64
        The points kept, at their own coordinates; empty for empty.

    Examples
    --------
    >>> import numpy as np
    >>> town = np.stack(np.meshgrid(np.arange(30) * 20.0, np.arange(30) * 20.0, [0.0]), -1).reshape(-1, 3)
    >>> len(townlike(np.vstack([town, [[40_000.0, 0.0, 0.0]]])))
    900
    """
    if not len(points):
        return points
    cells = np.floor(points / CELL_M).astype(np.int64)
    _, first = np.unique(row_keys(cells), return_index=True)
    low, high = np.percentile((cells[first] + 0.5) * CELL_M, (2.0, 98.0), axis=0)
    span = high - low
    slack = np.array([0.2 * span[0], 0.2 * span[1], 0.5 * max(span[0], span[1])]) + 2.0 * CELL_M
    kept: Float64 = points[((points >= low - slack) & (points <= high + slack)).all(axis=1)]
    return kept


def _fit(points: Float64, camera: Camera, azimuth_deg: float, size: tuple[int, int]) -> View:
    """Place the camera for one azimuth: the four sides of the view touch or clear every point (closed form)."""
    a, e = np.radians(azimuth_deg), np.radians(camera.elevation_deg)
    right = np.array([np.cos(a), -np.sin(a), 0.0])
    forward = np.array([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), -np.sin(e)])
    up = np.cross(right, forward)
    tangent = float(np.tan(np.radians(camera.fov_deg) / 2.0))
    x, y, z = points @ right, points @ up, points @ forward
    if camera.target is not None and camera.distance_m is not None:
        origin = np.asarray(camera.target, np.float64) - camera.distance_m * forward
    else:
        tx, ty = tangent * (1.0 - MARGIN), tangent * (1.0 - MARGIN) * size[1] / size[0]
        x0, x1, y0, y1 = (x - tx * z).max(), (x + tx * z).min(), (y - ty * z).max(), (y + ty * z).min()
        back = min((x1 - x0) / (2.0 * tx), (y1 - y0) / (2.0 * ty), z.min() - 1.0)
        origin = 0.5 * (x0 + x1) * right + 0.5 * (y0 + y1) * up + back * forward
    depth = z - origin @ forward
    near, far = max(float(depth.min()), 0.0), max(float(depth.max()), 1e-3)
    return View(origin, right, up, forward, tangent / camera.zoom, size, float(azimuth_deg), near, far)
