"""A city's triangles in, an oblique shaded picture out, without a screen; and the picture in a PNG file."""

import os
from io import BytesIO
from pathlib import Path

from citygen import extras
from citygen.arraytypes import UInt8
from citygen.log import get_logger
from citygen.preview.camera import Camera, frame
from citygen.preview.parts import PictureScene
from citygen.preview.raster import rasterise
from citygen.preview.raycast import cast
from citygen.preview.shading import set_stage
from citygen.preview.style import DEFAULT_STYLE, Style, to_srgb
from citygen.preview.surfaces import gather

__all__ = ["Camera", "PictureScene", "Style", "render", "write_png"]

log = get_logger(__name__)


def render(
    scene: PictureScene,
    *,
    camera: Camera | None = None,
    size: tuple[int, int] = (1600, 1000),
    style: Style = DEFAULT_STYLE,
) -> UInt8:
    """
    Draw a city.

    Rays are cast with embreex; where it has no wheel (Linux on ARM) a z-buffer in NumPy draws the same view, with
    shadows but without the soft light between buildings.

    Parameters
    ----------
    scene : PictureScene
        What is shown; any part may be empty.
    camera : Camera, optional
        Whatever it leaves open is chosen so that the buildings fill the picture.
    size : (width, height)
        Pixels.
    style : Style
        Light and look.

    Returns
    -------
    (height, width, 3) uint8
        sRGB. The same scene gives the same bytes.

    Raises
    ------
    ValueError
        When `size` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> corners = np.array([[0.0, 0, 3], [10, 0, 3], [10, 10, 3]])
    >>> roof = PictureScene(corners, np.array([[0, 1, 2]]), np.array([[160, 90, 70]], np.uint8))
    >>> render(roof, size=(80, 50)).shape
    (50, 80, 3)
    """
    if size[0] < 1 or size[1] < 1:
        raise ValueError(f"size must be positive, not {size}")
    surfaces = gather(scene)
    wish = camera or Camera()
    if wish.target is not None:
        x, y, z = (float(value) for value in surfaces.to_local(wish.target))
        wish = Camera(wish.azimuth_deg, wish.elevation_deg, wish.fov_deg, wish.zoom, (x, y, z), wish.distance_m)
    stage = set_stage(surfaces, frame(surfaces.town, wish, size), style)
    traced = extras.has("embreex")
    log.debug("picture of %d triangles, %s", len(surfaces.triangles), "rays" if traced else "z-buffer: no embreex")
    return to_srgb(cast(stage) if traced else rasterise(stage))


def write_png(image: UInt8, path: Path | str) -> None:
    """
    Write a picture to a PNG file, whole or not at all.

    Parameters
    ----------
    image : (h, w, 3) uint8
        sRGB.
    path : path-like
        The file, replaced if it exists; its folder must exist.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    from PIL import Image

    packed = BytesIO()
    Image.fromarray(image).save(packed, format="PNG", compress_level=6)
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(packed.getvalue())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
