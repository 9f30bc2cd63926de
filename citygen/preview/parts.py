"""What a picture shows, as arrays: coloured building triangles and the ground's triangles."""

from dataclasses import dataclass, field

import numpy as np

from citygen.arraytypes import AnyArray, Float64, Int64, UInt8


def _no_vertices() -> Float64:
    return np.zeros((0, 3))


def _no_triangles() -> Int64:
    return np.zeros((0, 3), np.int64)


@dataclass(frozen=True, slots=True)
class PictureScene:
    """
    A city to be drawn.

    The arrays are kept as they are, never modified. Every part may be empty. Triangles without area are not drawn.

    Attributes
    ----------
    vertices : (n, 3) float64
        Building vertices, metres, east-north-up (any local or projected frame with z up).
    triangles : (m, 3) int64
        Building triangles, counter-clockwise seen from outside.
    colours : (m, 3) uint8
        Colour of each building triangle, sRGB; `citygen.preview.palette` gives good ones.
    ground_vertices, ground_triangles : (p, 3) float64, (q, 3) int64
        The ground, in the same frame, either orientation; without it the picture has a plane at the lowest vertex.

    Raises
    ------
    ValueError
        When a shape is wrong, a coordinate is NaN or infinite, or an index points at no vertex.
    """

    vertices: Float64
    triangles: Int64
    colours: UInt8
    ground_vertices: Float64 = field(default_factory=_no_vertices)
    ground_triangles: Int64 = field(default_factory=_no_triangles)

    def __post_init__(self) -> None:
        _check_mesh("vertices", self.vertices, self.triangles)
        _check_mesh("ground_vertices", self.ground_vertices, self.ground_triangles)
        if self.colours.shape != self.triangles.shape or self.colours.dtype != np.uint8:
            raise ValueError(
                f"colours must be uint8 of shape {self.triangles.shape}, one sRGB colour a triangle, "
                f"but are {self.colours.dtype} of shape {self.colours.shape}"
            )


def _check_mesh(name: str, vertices: AnyArray, triangles: AnyArray) -> None:
    """Refuse arrays that are no indexed triangle mesh with finite coordinates."""
    for what, array in ((name, vertices), (name.replace("vertices", "triangles"), triangles)):
        if array.ndim != 2 or array.shape[1] != 3:
            raise ValueError(f"{what} must have shape (n, 3), not {array.shape}")
    bad = np.flatnonzero(~np.isfinite(vertices).all(axis=1))
    if len(bad):
        raise ValueError(f"{name} holds NaN or infinite coordinates in {len(bad)} rows, the first is row {bad[0]}")
    if not np.issubdtype(triangles.dtype, np.integer):
        raise ValueError(f"the triangles of {name} must be integers, not {triangles.dtype}")
    if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(vertices)):
        raise ValueError(f"a triangle points outside the {len(vertices)} rows of {name}")
