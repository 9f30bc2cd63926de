"""A tile as any writer takes it: shaded triangles, whose they are, what is known of each; and its entry in a tileset."""

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
    is_open : bool
        Whether walls that two solids hide from each other were left out: the solids are open there.
    """

    positions: Float64
    normals: Float64
    colours: UInt8
    features: Int64
    triangles: Int64
    table: Mapping[str, AnyArray]
    lon: float
    lat: float
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class GroundScene:
    """
    The ground of one tile in a local east-north-up frame.

    Attributes
    ----------
    positions : (v, 3) float64
        Metres east, north, up of the frame's origin.
    normals : (v, 3) float64
        Unit, upwards, smooth.
    uv : (v, 2) float64
        0 to 1 over the tile, v from north to south.
    colours : (v, 3) uint8
        sRGB; what is shown where there is no picture.
    triangles : (t, 3) int64
        Counter-clockwise seen from above.
    rim : (k, 2) int64
        Edges on the tile's border, the ground to their left: where the skirt hangs.
    skirt_m : float
        How far it hangs down.
    picture : bytes or None
        PNG or JPEG that is laid over the tile.
    lon, lat : float
        Degrees: the frame's origin, at height 0 above the ellipsoid.
    """

    positions: Float64
    normals: Float64
    uv: Float64
    colours: UInt8
    triangles: Int64
    rim: Int64
    skirt_m: float
    picture: bytes | None
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class TileEntry:
    """
    One written tile.

    Attributes
    ----------
    uri : str
        Path below the output folder.
    col, row : int
        Its place in the grid.
    lon, lat : float
        Degrees: origin of its local frame.
    low, high : tuple of float
        Extent of its content in that frame: east, north, up, metres.
    region : tuple of float
        West, south, east, north in degrees, lowest and highest ellipsoidal height in metres.
    kind : {'buildings', 'terrain'}
        What it holds.
    level : int
        0 for a tile of the grid, n for 2**n by 2**n of them (terrain only).
    """

    uri: str
    col: int
    row: int
    lon: float
    lat: float
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    region: tuple[float, float, float, float, float, float]
    kind: str = "buildings"
    level: int = 0
