"""
Raster files of heights to one description of the ground, small and picklable, that any worker can sample from.

Heights stay in the DEM's own vertical datum; only their unit is made metres.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from citygen.errors import ConfigError, InputError, MissingCRSError
from citygen.ground.rasterfile import check_whole, driver_of, local_file, opened
from citygen.ground.units import height_unit
from citygen.log import get_logger

if TYPE_CHECKING:
    from pyproj import CRS

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DemRaster:
    """
    One raster file of heights, as it was when it was opened.

    Attributes
    ----------
    path, driver : str
        Absolute path; GDAL's short name.
    crs : str
        Horizontal CRS, WKT 2, x (east) first.
    vertical_crs : str or None
        Name of the vertical part of its compound CRS, if it has one.
    transform : tuple of 6 float
        (a, b, c, d, e, f): x = a * column + b * row + c, y = d * column + e * row + f, cell corners at the integers.
    width, height : int
        Columns and rows.
    bounds : tuple of 4 float
        min x, min y, max x, max y of its (maybe rotated) rectangle, in ``crs``.
    resolution : tuple of 2 float
        Length of a step of one column and of one row, in units of ``crs``.
    nodata : float or None
        Raw value of a void cell.
    masked : bool
        Whether the file has a mask of its own.
    unit : str
        The unit of its heights as the file says it.
    scale, offset : float
        Metres = raw value * scale + offset.
    """

    path: str
    driver: str
    crs: str
    vertical_crs: str | None
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int
    bounds: tuple[float, float, float, float]
    resolution: tuple[float, float]
    nodata: float | None
    masked: bool
    unit: str
    scale: float
    offset: float


@dataclass(frozen=True, slots=True)
class Dem:
    """
    The ground: rasters in order of precedence (an earlier one wins where it has data, later ones fill).

    Attributes
    ----------
    rasters : tuple of DemRaster
        At least one.
    notes : tuple of str
        What a user should know of them (unit converted, bands left out), one sentence each, for the report.
    """

    rasters: tuple[DemRaster, ...]
    notes: tuple[str, ...] = ()


def open_dem(paths: Sequence[str | Path], *, crs: str | None = None, unit: str | None = None) -> Dem:
    """
    Look at raster files and describe them; no heights are kept.

    Parameters
    ----------
    paths : sequence of str or Path
        Local GeoTIFF, ESRI ASCII grid or SRTM ``.hgt`` files, the most trusted first.
    crs : str, optional
        CRS of the rasters (anything that pyproj takes); it replaces what a file says, with a warning.
    unit : str, optional
        Unit of the heights ('m', 'ft', 'us-ft', 'cm', ...); it replaces what a file says.

    Returns
    -------
    Dem
        Frozen and picklable.

    Raises
    ------
    ConfigError
        No path, or a CRS or unit that is unknown.
    MissingCRSError
        A file does not say its CRS and none is given.
    InputError
        A file is missing, cut short, not a raster, a VRT, a link, or has no usable geotransform.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    if not paths:
        raise ConfigError("no DEM given")
    asked = None if crs is None else _parse_crs(crs)
    rasters: list[DemRaster] = []
    notes: list[str] = []
    for path in paths:
        raster, said = _describe(local_file(path), asked, unit)
        rasters.append(raster)
        notes.extend(said)
    return Dem(tuple(rasters), tuple(notes))


def _parse_crs(text: str) -> "CRS":
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise ConfigError(f"--dem-crs {text!r} is not a CRS: {error}") from error


def _describe(path: Path, asked: "CRS | None", unit: str | None) -> tuple[DemRaster, list[str]]:
    notes: list[str] = []
    driver = driver_of(path)
    with opened(path, driver) as dataset:
        if dataset.count == 0 or dataset.width == 0 or dataset.height == 0:
            raise InputError(f"DEM {path}: it holds no cells")
        check_whole(dataset, path)
        if "complex" in dataset.dtypes[0]:
            raise InputError(f"DEM {path}: its cells are complex numbers, not heights")
        if dataset.count > 1:
            notes.append(f"{path.name}: {dataset.count} bands, the first is taken as the heights")
            log.warning("DEM %s", notes[-1])
        crs = _crs(dataset, path, asked)
        horizontal, vertical, axis = _parts(crs, path)
        word, metres = height_unit(dataset, axis, unit, path)
        if metres != 1.0:
            notes.append(f"{path.name}: heights in {word}, converted to metres")
            log.info("DEM %s", notes[-1])
        transform = _transform(dataset, path)
        scale, offset = dataset.scales[0] or 1.0, dataset.offsets[0] or 0.0
        flags = {flag.name for flag in dataset.mask_flag_enums[0]}
        raster = DemRaster(
            path=str(path),
            driver=driver,
            crs=horizontal.to_wkt(),
            vertical_crs=vertical,
            transform=transform,
            width=dataset.width,
            height=dataset.height,
            bounds=_bounds(transform, dataset.width, dataset.height),
            resolution=(math.hypot(transform[0], transform[3]), math.hypot(transform[1], transform[4])),
            nodata=dataset.nodata,
            masked="per_dataset" in flags,
            unit=word,
            scale=scale * metres,
            offset=offset * metres,
        )
    return raster, notes


def _crs(dataset: Any, path: Path, asked: "CRS | None") -> "CRS":
    """Return the CRS of a raster: the user's, its own, or that of the .prj beside an ASCII grid."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    own = None
    text = dataset.crs.to_wkt() if dataset.crs else ""
    prj = path.with_suffix(".prj")
    if not text and dataset.driver == "AAIGrid" and prj.is_file():
        with prj.open(encoding="utf-8", errors="replace") as file:
            text = file.read(65536)
    if text:
        try:
            own = CRS.from_wkt(text)
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


def _parts(crs: "CRS", path: Path) -> tuple["CRS", str | None, str | None]:
    """Split a CRS into its horizontal part, the name of its vertical part, and the unit of its vertical axis."""
    vertical, axis = None, None
    if crs.is_compound:
        horizontal = crs.sub_crs_list[0]
        vertical = crs.sub_crs_list[1].name
        axis = crs.sub_crs_list[1].axis_info[0].unit_name
    elif len(crs.axis_info) == 3 and not crs.is_geocentric:
        axis = crs.axis_info[2].unit_name
        horizontal = crs.to_2d()
    else:
        horizontal = crs
    if not (horizontal.is_geographic or horizontal.is_projected):
        raise InputError(f"DEM {path}: its CRS ({crs.name}) is neither geographic nor projected; give --dem-crs EPSG:n")
    return horizontal, vertical, axis


def _transform(dataset: Any, path: Path) -> tuple[float, float, float, float, float, float]:
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


def _bounds(t: tuple[float, ...], width: int, height: int) -> tuple[float, float, float, float]:
    corners = [(0, 0), (width, 0), (0, height), (width, height)]
    xs = [t[0] * col + t[1] * row + t[2] for col, row in corners]
    ys = [t[3] * col + t[4] * row + t[5] for col, row in corners]
    return min(xs), min(ys), max(xs), max(ys)
