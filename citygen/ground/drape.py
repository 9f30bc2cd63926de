"""
A terrain tile to the picture that is laid over it: an orthophoto cut out of a GeoTIFF, or tints and hillshade of the DEM.

Sides are powers of two, so that clients can make mipmaps. North is up, and the picture's edges are the tile's.
"""

from io import BytesIO
from pathlib import Path

import numpy as np

from citygen.arraytypes import Float64, UInt8
from citygen.errors import InputError
from citygen.ground.rasterfile import driver_of, local_file, opened
from citygen.ground.terrain_plan import Block, PlanFrame
from citygen.ground.terrain_surface import Surface
from citygen.ground.tint import hillshade, hypsometric

MADE = ("hypsometric", "hillshade")
SMALLEST_PX, LARGEST_PX, MADE_PX = 64, 1024, 256
_PAPER = (186, 188, 164)
"""Where an orthophoto has nothing."""


def check_drape(name: str) -> str:
    """
    See that a drape can be used.

    Parameters
    ----------
    name : str
        'hypsometric', 'hillshade', or a raster of 8-bit grey or RGB(A).

    Returns
    -------
    str
        The name, or the absolute path.

    Raises
    ------
    InputError
        When the file is missing or of another kind.
    """
    if name in MADE:
        return name
    path = local_file(name)
    with opened(path, driver_of(path)) as dataset:
        if dataset.count not in {1, 3, 4} or set(dataset.dtypes) != {"uint8"}:
            kinds = ", ".join(sorted(set(dataset.dtypes)))
            raise InputError(f"drape {path}: {dataset.count} bands of {kinds}; give 8-bit grey, RGB or RGBA")
        if not dataset.crs:
            raise InputError(f"drape {path}: it does not say its CRS; write it into the file first")
    return str(path)


def picture(name: str, surface: Surface, tile: Block) -> bytes | None:
    """
    Return a tile's picture.

    Parameters
    ----------
    name : str
        As ``check_drape`` gives it.
    surface : Surface
        The DEM's, for tints and hillshade.
    tile : Block

    Returns
    -------
    bytes or None
        PNG (made of the DEM) or JPEG; None where an orthophoto has nothing for the tile.
    """
    if name in MADE:
        return _png(_made(name, surface, tile))
    return _ortho(name, surface.frame, tile)


def _made(name: str, surface: Surface, tile: Block) -> UInt8:
    """Colour the DEM, a margin of one pixel around the tile read too: slopes run on over its border."""
    n = MADE_PX
    low, high = tile.box[:2], tile.box[2:]
    step = (high - low) / n
    x = low[0] + (np.arange(-1, n + 1) + 0.5) * step[0]
    y = high[1] - (np.arange(-1, n + 1) + 0.5) * step[1]
    z = surface.heights(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)).reshape(n + 2, n + 2)
    dx = (z[1:-1, 2:] - z[1:-1, :-2]) / (2 * step[0])
    dy = (z[:-2, 1:-1] - z[2:, 1:-1]) / (2 * step[1])
    light = hillshade(dx, dy)[..., None]
    if name == "hillshade":
        return _bytes(np.repeat(60 + 195 * light, 3, axis=-1))
    tint = hypsometric(z[1:-1, 1:-1])
    return _bytes(tint * (0.55 + 0.6 * light))


def _bytes(colour: Float64) -> UInt8:
    return np.asarray(np.rint(colour.clip(0, 255)), dtype=np.uint8)


def _png(pixels: UInt8) -> bytes:
    from PIL import Image

    out = BytesIO()
    Image.fromarray(pixels).save(out, format="PNG", compress_level=6)
    return out.getvalue()


def _ortho(name: str, frame: PlanFrame, tile: Block) -> bytes | None:
    """Warp an orthophoto onto a tile."""
    from affine import Affine
    from PIL import Image
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT
    from rasterio.warp import transform_bounds

    path = Path(name)
    low, high = frame.to_crs(tile.box[None, :2])[0], frame.to_crs(tile.box[None, 2:])[0]
    with opened(path, driver_of(path)) as dataset:
        there = transform_bounds(frame.crs, dataset.crs, *low, *high, densify_pts=9)
        own = dataset.bounds
        if there[0] >= own.right or there[2] <= own.left or there[1] >= own.top or there[3] <= own.bottom:
            return None
        pixels = max((there[2] - there[0]) / abs(dataset.res[0]), (there[3] - there[1]) / abs(dataset.res[1]))
        n = SMALLEST_PX
        while n < min(pixels, LARGEST_PX):
            n *= 2
        place = Affine((high[0] - low[0]) / n, 0, low[0], 0, (low[1] - high[1]) / n, high[1])
        options = {"crs": frame.crs, "transform": place, "width": n, "height": n, "add_alpha": dataset.count != 4}
        with WarpedVRT(dataset, resampling=Resampling.bilinear, **options) as warped:
            bands = warped.read()
    alpha = bands[-1][..., None] / 255.0
    if not alpha.any():
        return None
    colour = np.moveaxis(bands[:-1], 0, -1)
    rgb = np.repeat(colour, 3, axis=-1) if colour.shape[-1] == 1 else colour
    mixed = np.rint(rgb * alpha + np.array(_PAPER) * (1 - alpha)).astype(np.uint8)
    out = BytesIO()
    Image.fromarray(mixed).save(out, format="JPEG", quality=88)
    return out.getvalue()
