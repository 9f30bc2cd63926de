"""How a picture looks: its light, tones and lines, as one frozen value; all colours here are linear light."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import AnyArray, Float32, Float64, UInt8

LEVELS = 1 << 16
Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Style:
    """
    The look of a picture.

    Attributes
    ----------
    sun_azimuth_deg : float or None
        Compass direction in which the sun stands; None puts it to the left behind the camera.
    sun_elevation_deg : float
        The sun's height above the horizon.
    sun_softness_deg : float
        Angular radius of the sun's disc: 0 draws hard shadows.
    sun, sky, bounce, dim : (red, green, blue)
        Radiance, linear light, of the sun (times cosine), of the open sky, of the lit ground seen from a wall, and of
        whatever closes the view nearby.
    shadows : bool
        Draw shadows of the sun.
    ambient_rays : int
        Rays a pixel that ask how open the view from it is; 0 takes every point as open.
    ambient_reach_m : float
        What is farther than this closes no view.
    exposure : float
        Brightness before the tone curve.
    edge_strength : float
        Darkening of building edges, 0 to 1.
    haze : float
        Share of the backdrop mixed into the farthest buildings, 0 to 1.
    contours : float
        Darkening of the contour lines on the ground, 0 to 1.
    backdrop_top, backdrop_bottom : (red, green, blue)
        What is behind everything, 0 to 1, at the upper and the lower edge of the picture.
    antialias : bool
        Smooth the edges with eight more rays in each pixel that has one.
    show_backfaces : bool
        Paint building triangles seen from behind in plain magenta, to find inverted faces.
    """

    sun_azimuth_deg: float | None = None
    sun_elevation_deg: float = 37.0
    sun_softness_deg: float = 0.5
    sun: Rgb = (2.75, 2.45, 2.02)
    sky: Rgb = (0.56, 0.68, 0.90)
    bounce: Rgb = (0.42, 0.38, 0.33)
    dim: Rgb = (0.085, 0.078, 0.075)
    shadows: bool = True
    ambient_rays: int = 6
    ambient_reach_m: float = 45.0
    exposure: float = 0.86
    edge_strength: float = 0.30
    haze: float = 0.16
    contours: float = 0.22
    backdrop_top: Rgb = (0.84, 0.85, 0.84)
    backdrop_bottom: Rgb = (0.91, 0.88, 0.83)
    antialias: bool = True
    show_backfaces: bool = False

    def sun_direction(self, camera_azimuth_deg: float) -> Float64:
        """Return the (3,) float64 unit vector towards the sun, for a camera that looks in that compass direction."""
        azimuth = camera_azimuth_deg - 122.0 if self.sun_azimuth_deg is None else self.sun_azimuth_deg
        a, e = np.radians(azimuth), np.radians(self.sun_elevation_deg)
        return np.array([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)])


DEFAULT_STYLE = Style()


def to_linear(srgb: UInt8) -> Float32:
    """
    Turn sRGB bytes into linear light (IEC 61966-2-1).

    Examples
    --------
    >>> import numpy as np
    >>> to_linear(np.array([0, 255], np.uint8)).tolist()
    [0.0, 1.0]
    """
    table = np.arange(256) / 255.0
    table = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)
    linear: Float32 = table.astype(np.float32)[srgb]
    return linear


def to_srgb(linear: AnyArray) -> UInt8:
    """
    Turn linear light, clipped to 0..1, into sRGB bytes.

    Examples
    --------
    >>> import numpy as np
    >>> to_srgb(np.array([-1.0, 0.2158605, 2.0])).tolist()
    [0, 128, 255]
    """
    # by table, in steps finer than a byte's darkest one
    level = np.arange(LEVELS + 1) / LEVELS
    srgb = np.where(level <= 0.0031308, level * 12.92, 1.055 * level ** (1 / 2.4) - 0.055)
    encoded: UInt8 = np.round(srgb * 255.0).astype(np.uint8)[
        np.round(np.clip(linear, 0.0, 1.0) * LEVELS).astype(np.int32)
    ]
    return encoded
