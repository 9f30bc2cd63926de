"""Fixed sets of well-spread directions: the same for every picture, so that the same scene gives the same bytes."""

import numpy as np

from citygen.arraytypes import Float64

PATTERN = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
"""(4, 4) ordered-dither ranks: pixels next to each other take sets of directions far from each other."""


def _spread(count: int) -> Float64:
    """Return (count, 2) float64 points in the unit square: the additive recurrence of the plastic number (R2)."""
    plastic = 1.32471795724474602596
    index = np.arange(1, count + 1)[:, None]
    points: Float64 = (0.5 + index * np.array([1.0 / plastic, 1.0 / plastic**2])) % 1.0
    return points


def hemispheres(rays: int) -> Float64:
    """
    Return (16, rays, 3) float64 unit directions about +z, cosine-weighted; all 16 sets together are well spread too.

    Examples
    --------
    >>> round(float(hemispheres(64)[..., 2].mean()), 2)
    0.67
    """
    points = _spread(16 * rays)
    radius, turn = np.sqrt(points[:, 0]), 2.0 * np.pi * points[:, 1]
    directions = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.sqrt(1.0 - points[:, 0])], axis=1)
    return directions.reshape(rays, 16, 3).transpose(1, 0, 2).copy()


def disc(rays: int) -> Float64:
    """Return (rays, 2) float64 points spread over the unit disc (a sunflower)."""
    index = np.arange(rays) + 0.5
    radius, turn = np.sqrt(index / rays), index * np.pi * (3.0 - np.sqrt(5.0))
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)


def subpixels() -> Float64:
    """Return (8, 2) float64 offsets in pixels: with the centre a turned 3 x 3 grid, good for near-level lines."""
    step = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if (x, y) != (0, 0)]) / 3.0
    turn = np.arctan(1.0 / 3.0)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    offsets: Float64 = step @ rotation.T * 1.02
    return offsets


def around(normal: Float64, local: Float64) -> Float64:
    """Turn (n, r, 3) directions about +z into (n, r, 3) directions about (n, 3) unit normals."""
    sign = np.where(normal[:, 2] < 0.0, -1.0, 1.0)
    a = -1.0 / (sign + normal[:, 2])
    b = normal[:, 0] * normal[:, 1] * a
    first = np.stack([1.0 + sign * normal[:, 0] ** 2 * a, sign * b, -sign * normal[:, 0]], axis=1)
    second = np.stack([b, sign + normal[:, 1] ** 2 * a, -normal[:, 1]], axis=1)
    return local[..., :1] * first[:, None] + local[..., 1:2] * second[:, None] + local[..., 2:] * normal[:, None]
