"""Heights and slopes to muted, natural colours of the ground, and to hillshade; the same everywhere, so tiles match."""

import numpy as np

from citygen.arraytypes import Float64, UInt8

MEADOW, UPLAND, ROCK = (np.array(c, float) for c in ((176, 184, 148), (196, 188, 158), (160, 152, 141)))
UPLAND_M = 1500.0
STEEP = 0.8
"""Rise over run from which ground is bare rock: 39 degrees."""

HYPSOMETRIC = (
    (-400.0, (104, 130, 112)),
    (0.0, (150, 176, 138)),
    (100.0, (172, 188, 144)),
    (300.0, (200, 200, 156)),
    (700.0, (212, 196, 152)),
    (1200.0, (198, 172, 134)),
    (2000.0, (176, 150, 126)),
    (3000.0, (190, 182, 176)),
    (4500.0, (240, 240, 242)),
)
"""Height in metres and sRGB: lowland green to upland brown, rock and snow."""

_LIGHTS = ((315.0, 45.0, 0.6), (270.0, 55.0, 0.2), (0.0, 55.0, 0.2))
"""Bearing, elevation, weight: from the north-west as on maps, with light from both sides so that no slope is black."""


def ground_colours(z: Float64, slope: Float64) -> UInt8:
    """
    Return (n, 3) uint8 sRGB: meadow that turns to upland with height and to rock with slope.

    Parameters
    ----------
    z : (n,) float64
        m.
    slope : (n, 2) float64
        Rise over run along x and y.

    Examples
    --------
    >>> ground_colours(np.zeros(1), np.zeros((1, 2))).tolist()
    [[176, 184, 148]]
    """
    raised = np.clip(z / UPLAND_M, 0, 1)[:, None]
    bare = np.clip(np.hypot(slope[:, 0], slope[:, 1]) / STEEP, 0, 1)[:, None] ** 1.5
    colour = (MEADOW * (1 - raised) + UPLAND * raised) * (1 - bare) + ROCK * bare
    return np.rint(colour).astype(np.uint8)


def hypsometric(z: Float64) -> Float64:
    """Return (..., 3) float64, 0 to 255: the tint of each height; NaN takes that of the sea."""
    level, colour = np.array([h for h, _ in HYPSOMETRIC]), np.array([c for _, c in HYPSOMETRIC], float)
    known = np.nan_to_num(z, nan=0.0)
    return np.stack([np.interp(known, level, colour[:, k]) for k in range(3)], axis=-1)


def hillshade(dx: Float64, dy: Float64) -> Float64:
    """
    Return the light on slopes, 0 to 1; flat ground has 0.75.

    Parameters
    ----------
    dx, dy : (...) float64
        Rise over run to the east and to the north; NaN is flat.

    Examples
    --------
    >>> float(np.round(hillshade(np.zeros(1), np.zeros(1))[0], 2))
    0.75
    """
    dx, dy = np.nan_to_num(dx), np.nan_to_num(dy)
    length = np.sqrt(dx * dx + dy * dy + 1)
    light, flat = np.zeros(dx.shape), 0.0
    for bearing, elevation, weight in _LIGHTS:
        b, e = np.radians(bearing), np.radians(elevation)
        sx, sy, sz = np.sin(b) * np.cos(e), np.cos(b) * np.cos(e), np.sin(e)
        light += weight * np.maximum((-dx * sx - dy * sy + sz) / length, 0)
        flat += weight * sz
    out: Float64 = np.clip(0.75 * light / flat, 0, 1)
    return out
