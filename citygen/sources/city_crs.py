"""
The reference system of a city model, as its file words it, to the CRS of its x and y and to the order of its axes.

City models name compound systems (horizontal and height) in many ways: an EPSG code of both, OGC URNs and URLs of two,
and the German cadastre's ``urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH*GCG2016`` (GeoInfoDok 6.0, table of CRS). URNs and
``opengis.net/def`` URLs stand for the authority's order of axes (OGC 07-092r3), other spellings for east, north.
Files get that wrong: where the order that is said puts a file outside its CRS's area of use and the other order puts it
inside, the other is taken, with a warning.
"""

import re
from pathlib import Path
from typing import Any

from citygen.log import get_logger
from citygen.sources.base import Bounds
from citygen.sources.crs import authority_code, file_crs

log = get_logger(__name__)

_ADV = re.compile(r"^urn:adv:crs:([^*]+)", re.IGNORECASE)
_ADV_UTM = re.compile(r"^ETRS89_UTM(\d\d)", re.IGNORECASE)
_ADV_GK = re.compile(r"^DE_(DHDN|PD-83|RD-83|42-83)_3GK(\d)", re.IGNORECASE)
_GAUSS_KRUEGER = {
    "DHDN": {"2": 31466, "3": 31467, "4": 31468, "5": 31469},
    "PD-83": {"3": 3396, "4": 3397},
    "RD-83": {"4": 3398, "5": 3399},
    "42-83": {"3": 2397, "4": 2398, "5": 2399},
}
_WITH_ZONE = {"31": 5649, "32": 4647, "33": 5650}
"""EPSG codes of UTM with the zone written before the easting (32 280 848 m), by zone."""
_URN_OF_TWO = re.compile(r"^urn:(?:x-)?ogc:def:crs,crs:([A-Za-z]{2,8}):[^:,]*:([A-Za-z0-9_.]+)", re.IGNORECASE)
_URL_OF_TWO = re.compile(r"^https?://www\.opengis\.net/def/crs-compound\?1=([^&]+)", re.IGNORECASE)
_PLUS = re.compile(r"^(EPSG:\d+)\+(?:EPSG:)?\d+$", re.IGNORECASE)
_AUTHORITY_ORDER = re.compile(r"^(urn:|https?://www\.opengis\.net/def/)", re.IGNORECASE)


def horizontal_code(text: str) -> str:
    """
    Return the code of the horizontal part of a reference system, as far as the text shows it; else the text.

    Examples
    --------
    >>> horizontal_code("urn:adv:crs:ETRS89_UTM32*DE_DHHN2016_NH*GCG2016")
    'EPSG:25832'
    >>> horizontal_code("urn:ogc:def:crs,crs:EPSG:6.12:31256,crs:EPSG:6.12:5778")
    'EPSG:31256'
    >>> horizontal_code("https://www.opengis.net/def/crs/EPSG/0/7415")
    'EPSG:7415'
    """
    words = text.strip()
    adv = _ADV.match(words)
    if adv:
        return _adv_code(adv[1]) or words
    two = _URN_OF_TWO.match(words)
    if two:
        return f"{two[1].upper()}:{two[2]}"
    url, plus = _URL_OF_TWO.match(words), _PLUS.match(words)
    words = url[1] if url else plus[1] if plus else words
    return authority_code(words) or words


def settle_crs(
    said: str | None, bounds: Bounds | None, *, where: Path, given: str | None, traditional: bool = False
) -> tuple[str, bool]:
    """
    Settle the CRS of a model's x and y, and whether its file writes them as y, x.

    Parameters
    ----------
    said : str or None
        The reference system that the file names.
    bounds : Bounds or None
        Extent of the model, in the order of the file; None without any footprint.
    where : pathlib.Path
        The file, for messages.
    given : str or None
        What the user says; it stands above the file.
    traditional : bool
        The format writes east, north whatever the spelling (CityJSON).

    Returns
    -------
    crs : str
        Authority code or WKT of a horizontal CRS.
    swapped : bool
        Whether the first coordinate is the northing or the latitude.

    Raises
    ------
    MissingCRSError
        When neither says anything.
    InputError
        When what is said is not known.
    """
    code = horizontal_code(said) if said else None
    prefixed = _with_zone(said, bounds) if said and not given else None
    crs = _horizontal(file_crs(prefixed or code, where=where, given=given))
    authority = not given and not traditional and bool(said and _AUTHORITY_ORDER.match(said.strip()))
    if said and _ADV.match(said.strip()):
        authority = crs.is_geographic  # the cadastre writes east before north, but latitude before longitude
    swapped = authority and crs.axis_info[0].direction.lower() in ("north", "south")
    if bounds is not None and not _fits(crs, bounds, swapped) and _fits(crs, bounds, not swapped):
        log.warning(
            "%s: its coordinates are read as %s, because the order that %s stands for lies outside %s",
            where,
            "x, y" if swapped else "y, x",
            (given or said or "")[:80],
            crs.name,
        )
        swapped = not swapped
    authority_name = crs.to_authority(min_confidence=100)
    return (":".join(authority_name) if authority_name else crs.to_wkt()), swapped


def _adv_code(words: str) -> str | None:
    """Return the EPSG code of a name of the German cadastre's list."""
    utm, krueger = _ADV_UTM.match(words), _ADV_GK.match(words)
    if utm:
        return f"EPSG:258{utm[1]}"
    if krueger:
        code = _GAUSS_KRUEGER[krueger[1].upper()].get(krueger[2])
        return f"EPSG:{code}" if code else None
    return "EPSG:4258" if words.lower().startswith("etrs89_lat-lon") else None


def _with_zone(said: str, bounds: Bounds | None) -> str | None:
    """Return the code of UTM with the zone before the easting, where the coordinates have it."""
    adv = _ADV.match(said.strip())
    utm = _ADV_UTM.match(adv[1]) if adv else None
    if utm is None or bounds is None or bounds[0] // 1e6 != int(utm[1]):
        return None
    code = _WITH_ZONE.get(utm[1])
    return f"EPSG:{code}" if code else None


def _horizontal(text: str) -> Any:
    """Return the 2D horizontal part of a checked CRS."""
    import pyproj

    crs = pyproj.CRS.from_user_input(text)
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    return crs.to_2d()


def _fits(crs: Any, bounds: Bounds, swapped: bool) -> bool:
    """Say whether the middle of an extent lies in the area of use of a CRS; True where that is not known."""
    import pyproj

    area = crs.area_of_use
    if area is None:
        return True
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    if swapped:
        x, y = y, x
    degrees = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    lon, lat = degrees.transform(x, y)
    margin = 0.5
    wraps = area.west > area.east
    in_lon = (lon >= area.west - margin, lon <= area.east + margin)
    return area.south - margin <= lat <= area.north + margin and (any(in_lon) if wraps else all(in_lon))
