"""
Heights above whatever a DEM's zero is to heights above the ellipsoid, place by place.

What is known decides, the surest first: a geoid grid that the user gives, a vertical CRS that PROJ can convert (its grid must be
installed), a constant, nothing. Every vertex of every mesh goes through ``to_ellipsoid`` with its own longitude and latitude: the
number depends on the place alone, so tiles, levels of detail, walls and terrain agree to the bit, and there is no error on top of
the grid's own interpolation. PROJ's conversion is the reference, and it is PROJ that converts.
"""

import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from citygen.arraytypes import Float64
from citygen.errors import ConfigError, CoverageError, InputError
from citygen.geom.geodesy import compound_code
from citygen.ground.dem import Dem
from citygen.ground.rasterfile import grid_extent
from citygen.log import get_logger

if TYPE_CHECKING:
    from pyproj import CRS

log = get_logger(__name__)

LEVEL = "level ground"
"""Datum of a run without a DEM."""

_DEGREES = "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step {} +step +proj=unitconvert +xy_in=rad +xy_out=deg"
_ELLIPSOIDAL = "heights are ellipsoidal already"
_UNKNOWN = (
    "nobody says what the DEM's zero is; heights are taken as ellipsoidal (WGS 84): "
    + "give --vertical-crs, --geoid or --geoid-offset"
)


@dataclass(frozen=True, slots=True)
class Vertical:
    """
    How heights become ellipsoidal; small and picklable.

    Attributes
    ----------
    datum : str
        What heights are above, as far as it is known; for the report.
    operation : str
        PROJ pipeline of (degrees, degrees, metres); '' for none.
    offset_m : float
        Added after it.
    how : str
        What was done and assumed, one sentence.
    is_known : bool
        Whether anybody said how; otherwise heights were taken as ellipsoidal.
    missing : tuple of str
        PROJ grids that would be needed and are not installed.
    span_m : (float, float)
        Least and greatest difference that is added, over the area.
    """

    datum: str = LEVEL
    operation: str = ""
    offset_m: float = 0.0
    how: str = "heights are taken as ellipsoidal (WGS 84)"
    is_known: bool = False
    missing: tuple[str, ...] = ()
    span_m: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a user says of heights.

    Attributes
    ----------
    crs : str or None
        What the DEM's zero is: a vertical, compound or three-dimensional CRS.
    geoid : str or None
        Path of a PROJ grid of undulations (.tif, .gtx).
    offset_m : float or None
        Metres to add.
    """

    crs: str | None = None
    geoid: str | None = None
    offset_m: float | None = None


def open_vertical(asked: Asked, dem: Dem | None, places: Float64, *, fetched: str = "") -> Vertical:
    """
    Settle how heights become ellipsoidal.

    Parameters
    ----------
    asked : Asked
        What the user says; it stands above what the DEM says.
    dem : Dem or None
        For the vertical part of its CRS; None: level ground.
    places : (n, 2) float64
        Longitude and latitude, degrees, all over the area and around it; may be empty.
    fetched : str
        Datum that a fetched DEM is known to refer to ('EGM2008'), '' for none.

    Returns
    -------
    Vertical

    Raises
    ------
    ConfigError
        For a CRS without heights, and for one that was asked for but cannot be converted for want of a grid.
    InputError
        For a grid that is missing, or none.
    CoverageError
        When the grid does not cover the area.
    """
    crs, datum = _zero(asked, dem, fetched)
    found = Vertical(datum=datum) if dem is None or crs is not None else Vertical(datum=datum, how=_UNKNOWN)
    if asked.geoid is not None:
        found = _by_grid(found, Path(asked.geoid), places)
    elif crs is not None:
        found = _by_proj(found, crs, places)
        if found.missing and asked.crs is not None and asked.offset_m is None:
            raise ConfigError(f"--vertical-crs {asked.crs} ({datum}): {found.how}; {_remedy(found)}")
        if found.missing and asked.offset_m is None:
            log.warning("%s: %s; %s", datum, found.how, _remedy(found))
    offset = asked.offset_m
    if offset is not None:
        constant = f"{offset:+g} m (--geoid-offset)"
        how = f"{found.how}, {constant}" if found.operation else f"heights {constant} are taken as ellipsoidal (WGS 84)"
        found = replace(found, offset_m=offset, is_known=True, how=how)
    low, high = _span(found, places)
    return replace(found, span_m=(low, high))


def to_ellipsoid(vertical: Vertical, lonlat: Float64, height: Float64) -> Float64:
    """
    Return heights above the ellipsoid (WGS 84).

    Parameters
    ----------
    vertical : Vertical
        As ``open_vertical`` gives it.
    lonlat : (n, 2) float64
        Degrees.
    height : (n,) float64
        Metres, above the run's zero. NaN stays NaN.

    Returns
    -------
    (n,) float64
        Metres.

    Raises
    ------
    CoverageError
        At a place that the grid does not cover.

    Examples
    --------
    >>> to_ellipsoid(Vertical(offset_m=45.0), np.array([[4.0, 52.0]]), np.array([2.5])).tolist()
    [47.5]
    """
    return height + undulation(vertical, lonlat)


def undulation(vertical: Vertical, lonlat: Float64) -> Float64:
    """Return what ``to_ellipsoid`` adds at each place; (n,) float64, m. The same parameters and errors."""
    added = np.full(len(lonlat), vertical.offset_m)
    if not vertical.operation or len(lonlat) == 0:
        return added
    added += _apply(vertical.operation, lonlat)
    if not np.all(np.isfinite(added)):
        lon, lat = lonlat[np.flatnonzero(~np.isfinite(added))[0]].tolist()
        raise CoverageError(f"{vertical.how}: there is no value at lon/lat {lon:.5f}, {lat:.5f}")
    return added


def vertical_crs(text: str) -> "CRS":
    """
    Return the part of a CRS that measures heights.

    Parameters
    ----------
    text : str
        A vertical, compound or three-dimensional CRS: code, URN, WKT.

    Returns
    -------
    pyproj.CRS
        A vertical CRS, or a three-dimensional geographic one: heights above its ellipsoid.

    Raises
    ------
    ConfigError
        When it is not known, has no heights, or measures depths.

    Examples
    --------
    >>> vertical_crs("EPSG:7415").name, vertical_crs("urn:ogc:def:crs,crs:EPSG::28992,crs:EPSG::5709").name
    ('NAP height', 'NAP height')
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_user_input(compound_code(text) or text)
    except CRSError as error:
        raise ConfigError(f"--vertical-crs {text!r} is not a CRS that PROJ knows (EPSG:n, URN, WKT)") from error
    part = crs.sub_crs_list[1] if crs.is_compound else crs
    if part.is_vertical:
        if part.axis_info[0].direction.lower() == "down":
            raise ConfigError(f"--vertical-crs {text} ({part.name}): it measures depths; give a CRS of heights")
        return part
    if len(part.axis_info) == 3 and not part.is_geocentric:
        return part.geodetic_crs or part
    raise ConfigError(f"--vertical-crs {text} ({crs.name}): it has no heights; give a vertical or compound CRS")


def _zero(asked: Asked, dem: Dem | None, fetched: str) -> tuple["CRS | None", str]:
    """Return the CRS of the heights, None where nobody says it, and what to call their zero."""
    from pyproj import CRS

    if asked.crs is not None:
        crs = vertical_crs(asked.crs)
        return crs, _name(crs)
    if dem is None:
        return None, LEVEL
    said = list(dict.fromkeys(raster.vertical_wkt for raster in dem.rasters))
    if len(said) > 1:
        names = ", ".join("not said" if wkt is None else CRS.from_wkt(wkt).name for wkt in said)
        log.warning("the DEM's rasters have different zeros (%s): no height is converted between them", names)
    if said[0] is not None:
        crs = vertical_crs(said[0])
        return crs, _name(crs)
    if fetched and len(said) == 1:
        return CRS.from_user_input(f"{fetched} height"), fetched
    return None, "that of the DEM, which does not say it"


def _name(crs: "CRS") -> str:
    return str(crs.name) if crs.is_vertical else f"the ellipsoid ({crs.name})"


def _by_grid(found: Vertical, path: Path, places: Float64) -> Vertical:
    """Take the undulation from the user's grid, once it covers every place."""
    extent = grid_extent(path)
    text = str(path.absolute())
    if "," in text or '"' in text:
        raise InputError(
            f"--geoid {path}: PROJ takes no path with a comma or quotation mark; give the file another name"
        )
    operation = _DEGREES.format(f'+proj=vgridshift +grids="{text}" +multiplier=1')
    if len(places) and not np.all(np.isfinite(_apply(operation, places, f"--geoid {path}"))):
        low, high = places.min(axis=0), places.max(axis=0)
        raise CoverageError(
            f"--geoid {path}: the grid ({_box(extent)}) does not cover the area ({_box((*low, *high))}), or has no value there"
        )
    how = f"heights plus the undulation of {path.name} are ellipsoidal (WGS 84)"
    return replace(found, operation=operation, how=how, is_known=True)


def _by_proj(found: Vertical, crs: "CRS", places: Float64) -> Vertical:
    """Convert from a vertical CRS by PROJ, where every grid that it takes is installed."""
    from pyproj import CRS
    from pyproj.aoi import AreaOfInterest
    from pyproj.crs import CompoundCRS
    from pyproj.transformer import TransformerGroup

    if not crs.is_vertical:
        return replace(found, how=_ELLIPSOIDAL, is_known=True)
    area = None if len(places) == 0 else AreaOfInterest(*places.min(axis=0).tolist(), *places.max(axis=0).tolist())
    compound = CompoundCRS(f"WGS 84 + {crs.name}", [CRS("EPSG:4326"), crs])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that a grid is missing is said below
        group = TransformerGroup(compound, "EPSG:4979", always_xy=True, area_of_interest=cast("Any", area))
    real = [each for each in group.transformers if "ballpark vertical" not in each.description.lower()]
    if real:
        # A foot as unit of the vertical CRS does not matter: what is converted is its zero.
        how = f"heights are made ellipsoidal (WGS 84) by PROJ: {real[0].description}"
        return replace(found, operation=real[0].definition, how=how, is_known=True)
    wanted = [grid.short_name for each in group.unavailable_operations[:1] for grid in each.grids if not grid.available]
    why = (
        f"PROJ's grid {', '.join(wanted)} is not installed" if wanted else "PROJ knows no way from it to the ellipsoid"
    )
    return replace(
        found, missing=tuple(wanted) or ("none known",), how=f"{why}; heights are taken as ellipsoidal (WGS 84)"
    )


def _remedy(found: Vertical) -> str:
    files = [name for name in found.missing if "." in name]
    install = f"`projsync --file {files[0]}`, or --geoid {files[0]} (https://cdn.proj.org)" if files else "--geoid GRID"
    return f"give {install}, or --geoid-offset METRES"


def _span(vertical: Vertical, places: Float64) -> tuple[float, float]:
    """Return the least and greatest number that is added over some places."""
    added = undulation(vertical, places) if len(places) else np.array([vertical.offset_m])
    return float(added.min()), float(added.max())


def _apply(operation: str, lonlat: Float64, label: str = "the vertical datum") -> Float64:
    """Return what an operation makes of height 0; inf where it has no answer."""
    _, _, height = _transformer(operation, label).transform(lonlat[:, 0], lonlat[:, 1], np.zeros(len(lonlat)))
    out: Float64 = np.asarray(height, dtype=np.float64)
    return out


@lru_cache(maxsize=8)
def _transformer(operation: str, label: str) -> Any:
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    try:
        return Transformer.from_pipeline(operation)
    except ProjError as error:
        raise InputError(f"{label}: PROJ cannot use it: is it a grid of undulations (.tif, .gtx)?") from error


def _box(bounds: tuple[float, ...]) -> str:
    return "lon/lat " + ", ".join(f"{value:.4f}" for value in bounds)
