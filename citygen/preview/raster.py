"""A stage in, a picture out, in NumPy alone: a z-buffer with a shadow map, for machines without a ray tracer."""

from collections.abc import Iterator

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.preview.shading import Stage, backdrop, locate, open_ambient, shade
from citygen.preview.surfaces import Surfaces

FRAGMENTS = 1 << 20  # candidate pixels tested at once: some 100 MB
SHADE_PIXELS = 1 << 16
SUPERSAMPLING = 2
SHADOW_TEXELS = 2  # a side, times the larger side of the picture
BIAS_M = 0.35


def rasterise(stage: Stage) -> Float64:
    """
    Draw a stage.

    Parameters
    ----------
    stage : Stage
        Surfaces, view and style; the rays of the style are not used.

    Returns
    -------
    (h, w, 3) float64
        Linear colours, 0 to 1.
    """
    width, height = stage.view.size
    fine = SUPERSAMPLING if stage.style.antialias else 1
    corners, depth = stage.view.project(stage.surfaces.vertices)
    index = stage.surfaces.triangles
    # depth is not linear on the screen, its inverse is; a triangle that reaches behind the camera is left out
    seen = np.flatnonzero((depth[index] > 0.1).all(axis=1))
    nearness = 1.0 / np.where(depth > 0.1, depth, np.inf)
    triangle = _z_buffer(corners * fine, nearness, index, seen, (width * fine, height * fine))
    shadow = _ShadowMap(stage) if stage.style.shadows else None
    image = np.zeros((width * height * fine * fine, 3))
    for start in range(0, len(image), SHADE_PIXELS):
        pixel = np.arange(start, min(start + SHADE_PIXELS, len(image)))
        x, y = (pixel % (width * fine) + 0.5) / fine, (pixel // (width * fine) + 0.5) / fine
        image[pixel] = backdrop(stage, y)
        hit = triangle[pixel] >= 0
        hits = locate(stage, triangle[pixel[hit]], stage.view.rays(x[hit], y[hit]))
        lit = (hits.facing @ stage.sun > 0.0).astype(np.float64)
        if shadow is not None:
            lit *= shadow.open(hits.point, hits.triangle)
        image[pixel[hit]] = shade(stage, hits, lit, open_ambient(hits.normal), y[hit])
    averaged: Float64 = image.reshape(height, fine, width, fine, 3).mean(axis=(1, 3))
    return averaged


class _ShadowMap:
    """The scene as the sun sees it: which triangle is lit, around the framed town."""

    def __init__(self, stage: Stage) -> None:
        surfaces, sun = stage.surfaces, stage.sun
        side = np.cross([0.0, 0.0, 1.0] if abs(sun[2]) < 0.999 else [0.0, 1.0, 0.0], sun)
        side /= np.linalg.norm(side)
        self._axes = np.stack([side, np.cross(sun, side), sun], axis=1)
        town = surfaces.town if len(surfaces.town) else np.zeros((1, 3))
        self._low = (town @ self._axes)[:, :2].min(axis=0)
        span = float(np.maximum((town @ self._axes)[:, :2].max(axis=0) - self._low, 1.0).max())
        self._low -= 0.1 * span
        self._side = max(SHADOW_TEXELS * max(stage.view.size), 256)
        self._texel = 1.2 * span / self._side
        self._surfaces: Surfaces = surfaces
        placed = surfaces.vertices @ self._axes
        self._height = placed[:, 2]
        index = surfaces.triangles
        every = np.arange(len(index))
        self._map = _z_buffer(
            (placed[:, :2] - self._low) / self._texel, self._height, index, every, (self._side, self._side)
        )

    def open(self, points: Float64, triangle: Int64) -> Bool:
        """Return (n,) bool: the triangle that the sun sees there is the point's own, in its plane or no nearer."""
        placed = points @ self._axes
        column = np.floor((placed[:, :2] - self._low) / self._texel).astype(np.int64)
        inside = ((column >= 0) & (column < self._side)).all(axis=1)
        column = np.clip(column, 0, self._side - 1)
        first = self._map[column[:, 1] * self._side + column[:, 0]]
        safe = np.maximum(first, 0)
        # where the line from the point to the sun meets the plane of the triangle that the sun sees
        normal = self._surfaces.normals[safe]
        slant = normal @ self._axes[:, 2]
        gap = np.einsum("ij,ij->i", self._surfaces.vertices[self._surfaces.triangles[safe, 0]] - points, normal)
        ahead = gap / np.where(np.abs(slant) > 1e-6, slant, np.inf)
        surface = self._surfaces.surface
        free: Bool = ~inside | (first < 0) | (surface[safe] == surface[triangle]) | (ahead < BIAS_M + 2.0 * self._texel)
        return free


def _z_buffer(corners: Float64, nearness: Float64, index: Int64, drawn: Int64, size: tuple[int, int]) -> Int64:
    """
    Find the nearest triangle at each pixel centre.

    Parameters
    ----------
    corners : (n, 2) float64
        Vertices in pixels.
    nearness : (n,) float64
        Linear on the screen, larger is nearer.
    index : (m, 3) int64
        Triangles.
    drawn : (k,) int64
        Which of them take part.
    size : (width, height)
        Pixels.

    Returns
    -------
    (width * height,) int64
        Index of the triangle, -1 where there is none; of equally near ones the highest index.
    """
    width, height = size
    best = np.zeros(width * height, np.uint64)
    for triangle, column, row in _fragments(corners, index, drawn, size):
        a, b, c = (corners[index[triangle, k]] for k in range(3))
        x, y = column + 0.5 - a[:, 0], row + 0.5 - a[:, 1]
        u, v = b - a, c - a
        area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        safe = np.where(area != 0.0, area, np.inf)
        second = (x * v[:, 1] - y * v[:, 0]) / safe
        third = (u[:, 0] * y - u[:, 1] * x) / safe
        inside = np.flatnonzero((second >= 0.0) & (third >= 0.0) & (second + third <= 1.0) & (area != 0.0))
        near = [nearness[index[triangle[inside], k]] for k in range(3)]
        value = near[0] + second[inside] * (near[1] - near[0]) + third[inside] * (near[2] - near[0])
        np.maximum.at(best, row[inside] * width + column[inside], _packed(value, triangle[inside], nearness))
    return (best & np.uint64(0xFFFFFFFF)).astype(np.int64) - 1


def _packed(value: Float64, triangle: Int64, nearness: Float64) -> np.ndarray:
    """Pack nearness (32 bits, 0 to 1 of its range) over the triangle's index + 1 (32 bits)."""
    low, high = float(nearness.min()), float(nearness.max())
    level = np.clip((value - low) / max(high - low, 1e-300), 0.0, 1.0) * float(0xFFFFFFFF)
    return (level.astype(np.uint64) << np.uint64(32)) | (triangle + 1).astype(np.uint64)


def _fragments(
    corners: Float64, index: Int64, drawn: Int64, size: tuple[int, int]
) -> Iterator[tuple[Int64, Int64, Int64]]:
    """Yield triangle, column and row of every pixel in the triangles' boxes, about `FRAGMENTS` at a time."""
    boxed = corners[index[drawn]]
    last = np.array(size) - 1
    low = np.clip(np.ceil(boxed.min(axis=1) - 0.5), 0, last + 1).astype(np.int64)
    high = np.clip(np.floor(boxed.max(axis=1) - 0.5), -1, last).astype(np.int64)
    extent = np.maximum(high - low + 1, 0)
    # a box is cut into rows: no piece is larger than the picture is wide
    rows = np.where(extent[:, 0] > 0, extent[:, 1], 0)
    piece = np.repeat(np.arange(len(drawn)), rows)
    row = low[piece, 1] + np.arange(len(piece)) - np.repeat(np.cumsum(rows) - rows, rows)
    length = extent[piece, 0]
    until = np.cumsum(length)
    start = 0
    while start < len(piece):
        done = until[start - 1] if start else 0
        stop = max(int(np.searchsorted(until, done + FRAGMENTS, side="right")), start + 1)
        count = length[start:stop]
        which = np.repeat(np.arange(start, stop), count)
        column = low[piece[which], 0] + np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        yield drawn[piece[which]], column, row[which]
        start = stop
