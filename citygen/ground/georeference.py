"""An open raster to where it lies: its CRS in parts, its geotransform, its bounds."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citygen.errors import InputError, MissingCRSError
from citygen.log import get_logger

if TYPE_CHECKING:
    from pyproj import CRS

log = get_logger(__name__)


def crs_of(dataset: Any, path: Path, asked: "CRS | None", said: str) -> "CRS":
    """Return the CRS of a raster: the user's, its own, that of the .prj beside an ASCII grid, or what a VRT said of it."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    own = None
    text = dataset.crs.to_wkt() if dataset.crs else ""
    prj = path.with_suffix(".prj")
    if not text and dataset.driver == "AAIGrid" and prj.is_file():
        with prj.open(encoding="utf-8", errors="replace") as file:
            text = file.read(65536)
    text = text or said
    if text:
        try:
            own = CRS.from_epsg(text[5:]) if re.fullmatch(r"(?i)epsg:[0-9]{1,6}", text) else CRS.from_wkt(text)
        except CRSError:
            log.warning("DEM %s: its CRS cannot be understood: %s", path, " ".join(text[:80].split()))
    if own is not None and own.is_engineering:
        own = None
    if asked is not None:
        if own is not None and not own.equals(asked, ignore_axis_order=True):
            log.warning("DEM %s says %s; --dem-crs %s is used", path, own.name, asked.name)
        return asked
    if own is None:
        raise MissingCRSError(f"DEM {path}: it does not say its CRS; give it with --dem-crs EPSG:n")
    return own


def parts_of(crs: "CRS", path: Path) -> tuple["CRS", "CRS | None", str | None]:
    """Split a CRS into its horizontal part, its vertical (or three-dimensional) part, and the unit of its vertical axis."""
    vertical, axis = None, None
    if crs.is_compound:
        horizontal = crs.sub_crs_list[0]
        vertical = crs.sub_crs_list[1]
        axis = vertical.axis_info[0].unit_name
    elif len(crs.axis_info) == 3 and not crs.is_geocentric:
        vertical, axis = crs, crs.axis_info[2].unit_name
        horizontal = crs.to_2d()
    else:
        horizontal = crs
    if not (horizontal.is_geographic or horizontal.is_projected):
        raise InputError(f"DEM {path}: its CRS ({crs.name}) is neither geographic nor projected; give --dem-crs EPSG:n")
    return horizontal, vertical, axis


def transform_of(dataset: Any, path: Path) -> tuple[float, float, float, float, float, float]:
    """Return the geotransform of a raster, from the world file beside a TIFF that has none."""
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    if dataset.transform.is_identity and dataset.driver == "GTiff":
        worlds = [path.with_suffix(suffix) for suffix in (".tfw", ".TFW", ".tifw", ".wld")]
        world = next((w for w in worlds if w.is_file()), None)
        if world is None:
            raise InputError(f"DEM {path}: it does not say where it lies (no geotransform, no .tfw beside it)")
        try:
            a, d, b, e, c, f = (float(word) for word in world.read_text(encoding="ascii").split()[:6])
        except ValueError as error:
            raise InputError(f"DEM {path}: its world file {world.name} does not hold six numbers") from error
        c, f = c - 0.5 * (a + b), f - 0.5 * (d + e)  # a world file speaks of the first cell's centre
    numbers = (a, b, c, d, e, f)
    if not all(math.isfinite(v) for v in numbers) or a * e - b * d == 0.0:
        raise InputError(f"DEM {path}: its geotransform {numbers} has no inverse")
    return numbers


def bounds_of(t: tuple[float, ...], width: int, height: int) -> tuple[float, float, float, float]:
    """Return min x, min y, max x, max y of the (maybe rotated) rectangle of cells."""
    corners = [(0, 0), (width, 0), (0, height), (width, height)]
    xs = [t[0] * col + t[1] * row + t[2] for col, row in corners]
    ys = [t[3] * col + t[4] * row + t[5] for col, row in corners]
    return min(xs), min(ys), max(xs), max(ys)
