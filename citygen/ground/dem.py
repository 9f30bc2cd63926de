"""
Raster files of heights to one description of the ground, small and picklable, that any worker can sample from.

Heights stay in the DEM's own vertical datum; only their unit is made metres.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from citygen.errors import ConfigError, InputError
from citygen.ground.collect import Found, collect
from citygen.ground.georeference import bounds_of, crs_of, parts_of, transform_of
from citygen.ground.rasterfile import check_whole, opened
from citygen.ground.units import height_unit
from citygen.log import get_logger

if TYPE_CHECKING:
    from pyproj import CRS

log = get_logger(__name__)

Sampling = Literal["bilinear", "cubic"]

MAX_NOTES = 20
"""Notes on single rasters that a report holds."""


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
    vertical_wkt : str or None
        Vertical (or three-dimensional) CRS that the file says, WKT 2.
    overview : int
        Which of its overviews is read; -1: the raster itself.
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
    vertical_wkt: str | None = None
    overview: int = -1


@dataclass(frozen=True, slots=True)
class Reading:
    """
    How the surface is made from the cells.

    Attributes
    ----------
    sampling : {'bilinear', 'cubic'}
        Between cell centres.
    fill_m : float
        m. Voids this near to values are filled from them; 0: none are.
    feather_m : float
        m. Over what width an earlier raster goes over into a later one below its edge; 0: it ends there.
    finest_m : float
        m. Rasters with smaller cells are read from an overview, where they have one; 0: never.
    """

    sampling: Sampling = "bilinear"
    fill_m: float = 0.0
    feather_m: float = 0.0
    finest_m: float = 0.0


PLAIN = Reading()
"""Bilinear, nothing filled or feathered, full resolution."""


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
    reading : Reading
        How the surface is made from them.
    """

    rasters: tuple[DemRaster, ...]
    notes: tuple[str, ...] = ()
    reading: Reading = PLAIN


def open_dem(
    paths: Sequence[str | Path],
    *,
    crs: str | None = None,
    unit: str | None = None,
    axis: str | None = None,
    reading: Reading | None = None,
) -> Dem:
    """
    Look at raster files and describe them; no heights are kept.

    Parameters
    ----------
    paths : sequence of str or Path
        Local GeoTIFF, ESRI ASCII grid, SRTM ``.hgt`` and ``.hgt.zip`` files, folders of them, and VRTs that put local files
        together; the most trusted first.
    crs : str, optional
        CRS of the rasters (anything that pyproj takes); it replaces what a file says, with a warning.
    unit : str, optional
        Unit of the heights ('m', 'ft', 'us-ft', 'cm', ...); it replaces what a file says.
    axis : str, optional
        Unit of the vertical CRS that a user gives; it stands where a file says no unit at all.
    reading : Reading, optional
        How the surface is made from the cells. Default: bilinear, nothing filled or feathered, full resolution.

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
        A file is missing, cut short, not a raster, a VRT that does more than put files together, a link, or has no usable
        geotransform.
    """
    if isinstance(paths, str | Path):
        paths = [paths]
    if not paths:
        raise ConfigError("no DEM given")
    asked = None if crs is None else _parse_crs(crs)
    reading = reading or PLAIN
    rasters: list[DemRaster] = []
    notes: list[str] = []
    for found in collect(paths):
        raster, said = _describe(found, asked, (unit, axis), reading.finest_m)
        rasters.append(raster)
        notes.extend(said)
    return Dem(tuple(rasters), _shortened(notes), reading)


def _shortened(notes: list[str]) -> tuple[str, ...]:
    """Keep the first of many notes: a folder of a thousand tiles in feet says so a few times."""
    if len(notes) <= MAX_NOTES:
        return tuple(notes)
    return (*notes[:MAX_NOTES], f"... and {len(notes) - MAX_NOTES} more of this kind")


def _parse_crs(text: str) -> "CRS":
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise ConfigError(f"--dem-crs {text!r} is not a CRS: {error}") from error


def _describe(
    found: Found, asked: "CRS | None", units: tuple[str | None, str | None], finest_m: float
) -> tuple[DemRaster, list[str]]:
    """Open a raster, look at it, and check what it and the VRT that names it say."""
    path = found.path
    with opened(path, found.driver) as dataset:
        if dataset.count == 0 or dataset.width == 0 or dataset.height == 0:
            raise InputError(f"DEM {path}: it holds no cells")
        check_whole(dataset, path)
        if "complex" in dataset.dtypes[0]:
            raise InputError(f"DEM {path}: its cells are complex numbers, not heights")
        raster, notes = _facts(dataset, found, asked, units)
        _check_placed(raster, found)
        level = _overview(dataset, raster, finest_m)
    if level < 0:
        return raster, notes
    with opened(path, found.driver, level) as dataset:
        transform = transform_of(dataset, path)
        raster = replace(raster, overview=level, transform=transform, width=dataset.width, height=dataset.height)
    resolution = (math.hypot(transform[0], transform[3]), math.hypot(transform[1], transform[4]))
    return replace(raster, resolution=resolution), [*notes, f"{path.name}: read from its overview {level + 1}"]


def _facts(
    dataset: Any, found: Found, asked: "CRS | None", units: tuple[str | None, str | None]
) -> tuple[DemRaster, list[str]]:
    """Describe an open raster."""
    path, notes = found.path, []
    if dataset.count > 1:
        notes.append(f"{path.name}: {dataset.count} bands, the first is taken as the heights")
        log.warning("DEM %s", notes[-1])
    horizontal, vertical, axis = parts_of(crs_of(dataset, path, asked, found.crs), path)
    word, metres = height_unit(dataset, axis or units[1], units[0], path)
    if metres != 1.0:
        notes.append(f"{path.name}: heights in {word}, converted to metres")
        log.info("DEM %s", notes[-1])
    transform = transform_of(dataset, path)
    scale, offset = dataset.scales[0] or 1.0, dataset.offsets[0] or 0.0
    flags = {flag.name for flag in dataset.mask_flag_enums[0]}
    raster = DemRaster(
        path=str(path),
        driver=found.driver,
        crs=horizontal.to_wkt(),
        vertical_crs=None if vertical is None else vertical.name,
        transform=transform,
        width=dataset.width,
        height=dataset.height,
        bounds=bounds_of(transform, dataset.width, dataset.height),
        resolution=(math.hypot(transform[0], transform[3]), math.hypot(transform[1], transform[4])),
        nodata=found.nodata if dataset.nodata is None else dataset.nodata,
        masked="per_dataset" in flags,
        unit=word,
        scale=scale * metres,
        offset=offset * metres,
        vertical_wkt=None if vertical is None else vertical.to_wkt(),
    )
    return raster, notes


def _check_placed(raster: DemRaster, found: Found) -> None:
    """See that a VRT puts a raster where the raster itself says that it lies."""
    if found.placed is None:
        return
    width, height, bounds = found.placed
    if (width and width != raster.width) or (height and height != raster.height):
        raise InputError(
            f"DEM {raster.path}: the VRT that names it takes it for {width} x {height} cells; it has others"
        )
    reach = 0.5 * max(raster.resolution)
    if bounds is not None and max(abs(a - b) for a, b in zip(bounds, raster.bounds, strict=True)) > reach:
        raise InputError(f"DEM {raster.path}: the VRT that names it moves it; give the raster itself")


def _overview(dataset: Any, raster: DemRaster, finest_m: float) -> int:
    """Return the coarsest overview whose cells are not larger than asked for; -1: the raster itself."""
    from pyproj import CRS

    if finest_m <= 0.0 or dataset.driver != "GTiff":
        return -1
    crs = CRS.from_wkt(raster.crs)
    unit = 111_320.0 if crs.is_geographic else crs.axis_info[0].unit_conversion_factor
    cell = max(raster.resolution) * unit
    fits = [k for k, factor in enumerate(dataset.overviews(1)) if cell * factor <= finest_m * (1.0 + 1e-6)]
    return fits[-1] if fits else -1
