"""
What a file or a user says about coordinates, to a checked CRS string, or to an error that names the option to give.

Coordinates travel as x, y (east or longitude first) whatever axis order the authority defines; transformations are made
with ``always_xy``.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from citygen.errors import InputError, MissingCRSError
from citygen.geom.geodesy import compound_code
from citygen.log import get_logger

log = get_logger(__name__)

Box: TypeAlias = tuple[float, float, float, float]

OGC_CRS84 = "OGC:CRS84"
"""Longitude, latitude in degrees on WGS 84: what RFC 7946 and GeoParquet mean when they say nothing."""

_CODE = re.compile(r"^([A-Za-z]{2,8}):([A-Za-z0-9_.]{1,16})$")
_URN = re.compile(r"^urn:(?:x-)?ogc:def:crs:([A-Za-z]{2,8}):[0-9A-Za-z_.]*:([A-Za-z0-9_.]{1,16})$", re.IGNORECASE)
_URL = re.compile(
    r"^https?://www\.opengis\.net/(?:def/crs/([A-Za-z]{2,8})/[0-9A-Za-z_.]+/|gml/srs/(epsg)\.xml#)([A-Za-z0-9_.]{1,16})$",
    re.IGNORECASE,
)


def is_geographic(crs: str) -> bool:
    """Say whether a CRS that was checked has longitude and latitude."""
    import pyproj

    return bool(pyproj.CRS.from_user_input(crs).is_geographic)


def boxes_in(boxes: Sequence[Box], crs: str) -> list[Box] | None:
    """
    Return the boxes in a CRS around boxes in degrees; None where they cannot be told there.

    Examples
    --------
    >>> boxes_in([(9.0, 50.0, 9.1, 50.1)], "EPSG:25832")[0][0]
    500000.0
    """
    if crs == OGC_CRS84:
        return list(boxes)
    import pyproj

    change = pyproj.Transformer.from_crs(OGC_CRS84, crs, always_xy=True)
    found = [change.transform_bounds(*box, densify_pts=21) for box in boxes]
    sides = np.array(found).reshape(-1, 4)
    if not np.isfinite(sides).all() or (sides[:, 0] >= sides[:, 2]).any():
        return None
    return found


def authority_code(text: str) -> str | None:
    """
    Return ``AUTHORITY:code`` for the ways to write one (code, URN, opengis.net URL, which is never opened), else None.

    Examples
    --------
    >>> authority_code("urn:ogc:def:crs:EPSG::25833"), authority_code("urn:ogc:def:crs:OGC:1.3:CRS84")
    ('EPSG:25833', 'OGC:CRS84')
    """
    words = text.strip()
    for pattern in (_CODE, _URN, _URL):
        found = pattern.match(words)
        if found:
            parts = [part for part in found.groups() if part]
            return f"{parts[0].upper()}:{parts[-1]}"
    return compound_code(words)


def user_crs(text: str) -> str:
    """
    Check a CRS that a user gave (code, WKT, PROJ string).

    Raises
    ------
    InputError
        When PROJ does not know it, or it is not tied to the Earth.
    """
    return _checked(authority_code(text) or text, f"--source-crs {text}")


def file_crs(text: Any, *, where: str | Path, given: str | None) -> str:
    """
    Settle the CRS of a file.

    Parameters
    ----------
    text : str, dict or None
        What the file says: a code, WKT, or PROJJSON; None or '' where it says nothing.
    where : str or pathlib.Path
        The file, for messages.
    given : str or None
        What the user says; it stands above the file.

    Returns
    -------
    str
        Authority code or WKT.

    Raises
    ------
    MissingCRSError
        When neither says anything, or the file says something that is not tied to the Earth.
    InputError
        When what is said is not known.
    """
    if given:
        crs = user_crs(given)
        if text and text != crs:
            log.info("%s: --source-crs %s is used; the file itself says %.80s", where, given, text)
        return crs
    if not text:
        raise missing_crs(where)
    if isinstance(text, dict):
        return _from_projjson(text, str(where))
    return _checked(authority_code(text) or text, str(where))


def missing_crs(
    where: str | Path,
    why: str = "does not say its coordinate reference system",
    *,
    bounds: Box | None = None,
) -> MissingCRSError:
    """Return the error for a source whose place is unknown; it names the option that gives it, and a guess at degrees."""
    text = f"{where}: {why}; give it with --source-crs EPSG:n (the code that its publisher states)"
    if bounds is not None and abs(bounds[0]) <= 180 >= abs(bounds[2]) and abs(bounds[1]) <= 90 >= abs(bounds[3]):
        text += "; the coordinates look like degrees: EPSG:4326 would take them as longitude and latitude"
    return MissingCRSError(text)


def _checked(text: str, where: str) -> str:
    """Return the text when PROJ knows it and it is tied to the Earth."""
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        crs = pyproj.CRS.from_user_input(text)
    except (CRSError, ValueError) as error:
        raise InputError(
            f"{where}: unknown coordinate reference system {text[:80]!r}; give it with --source-crs EPSG:n"
        ) from error
    if not (crs.is_geographic or crs.is_projected):
        raise missing_crs(
            where, f"its coordinate reference system ({crs.name!r}) is not tied to a place on the Earth in x and y"
        )
    return text


def _from_projjson(thing: dict[str, Any], where: str) -> str:
    """Return the code of a PROJJSON where it is the authority's own definition, else WKT."""
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        crs = pyproj.CRS.from_json_dict(thing)
        identity = thing.get("id") or {}
        if isinstance(identity, dict) and "authority" in identity and "code" in identity:
            code = f"{identity['authority']}:{identity['code']}"
            if pyproj.CRS.from_user_input(code) == crs:
                return _checked(code, where)
        return _checked(crs.to_wkt(), where)
    except (CRSError, ValueError, TypeError) as error:
        raise InputError(
            f"{where}: the PROJJSON of its CRS cannot be read; give it with --source-crs EPSG:n"
        ) from error
