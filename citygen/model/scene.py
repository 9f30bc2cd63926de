"""A tile's picture of the world, ready for any writer: shaded triangles, whose they are, and what is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from citygen.arraytypes import AnyArray, Float64, Int64, UInt8


@dataclass(frozen=True, slots=True)
class Scene:
    """
    One tile of buildings in a local east-north-up frame.

    Attributes
    ----------
    positions : (v, 3) float64
        Metres east, north, up of the frame's origin. Corners of one face only: shading is flat.
    normals : (v, 3) float64
        Unit, outwards.
    colours : (v, 3) uint8
        sRGB.
    features : (v,) int64
        Row of ``table`` that each vertex belongs to.
    triangles : (t, 3) int64
        Vertex numbers, counter-clockwise seen from outside.
    table : mapping of str to (b,) array
        Columns of what is known of each building: float64 or str objects.
    lon, lat : float
        Degrees: the frame's origin, at height 0 above the ellipsoid.
    """

    positions: Float64
    normals: Float64
    colours: UInt8
    features: Int64
    triangles: Int64
    table: Mapping[str, AnyArray]
    lon: float
    lat: float
