"""
Places on the map to places on Earth: working CRS to geodetic, geodetic to ECEF (EPSG:4978), ECEF to a local frame.

The projection is pyproj's own, vertex by vertex; the closed form to ECEF and the east-north-up axes are those of EPSG
Guidance Note 7-2, sections 4.1.1 and 4.1.2, on the WGS 84 ellipsoid.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from citygen.arraytypes import Float64

_A, _F = 6378137.0, 1 / 298.257223563
_E2 = _F * (2 - _F)


_PART = r"https?://www\.opengis\.net/def/crs/([A-Za-z]{2,8})/[0-9A-Za-z_.]+/([0-9]{1,6})"
_COMPOUNDS = (
    re.compile(rf"^https?://www\.opengis\.net/def/crs-compound\?1={_PART}&2={_PART}$", re.IGNORECASE),
    re.compile(
        r"^urn:(?:x-)?ogc:def:crs,crs:([A-Za-z]{2,8}):[0-9A-Za-z_.]*:([0-9]{1,6}),crs:([A-Za-z]{2,8}):[0-9A-Za-z_.]*:([0-9]{1,6})$",
        re.IGNORECASE,
    ),
)


def compound_code(text: str) -> str | None:
    """
    Return the code of a compound CRS that is written as a URN or opengis.net URL (which PROJ does not read), else None.

    Examples
    --------
    >>> url = "http://www.opengis.net/def/crs"
    >>> compound_code(f"{url}-compound?1={url}/EPSG/0/28992&2={url}/EPSG/0/5709"), compound_code("EPSG:7415")
    ('EPSG:28992+5709', None)
    """
    for pattern in _COMPOUNDS:
        found = pattern.match(text.strip())
        if found and found[1].upper() == found[3].upper():
            return f"{found[1].upper()}:{found[2]}+{found[4]}"
    return None


@lru_cache(maxsize=32)
def transformer(source: str, target: str) -> Any:
    """
    Return a cached pyproj transformer, x before y whatever the CRSs say.

    Parameters
    ----------
    source, target : str
        Anything that pyproj takes: ``EPSG:n``, WKT, PROJJSON.

    Returns
    -------
    pyproj.Transformer
    """
    import pyproj

    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def to_lonlat(crs: str, xy: Float64) -> Float64:
    """
    Transform plan coordinates to longitude and latitude on WGS 84.

    Parameters
    ----------
    crs : str
        CRS of ``xy``.
    xy : (n, 2) float64
        x, y.

    Returns
    -------
    (n, 2) float64
        Degrees; infinite where the projection has no answer.
    """
    lon, lat = transformer(crs, "EPSG:4979").transform(xy[:, 0], xy[:, 1])
    return np.stack([np.asarray(lon, float), np.asarray(lat, float)], axis=1)


def to_ecef(lonlat: Float64, height: Float64) -> Float64:
    """
    Turn geodetic coordinates into earth-centred ones.

    Parameters
    ----------
    lonlat : (n, 2) float64
        Degrees.
    height : (n,) float64
        Metres above the ellipsoid.

    Returns
    -------
    (n, 3) float64
        Metres, EPSG:4978.

    Examples
    --------
    >>> to_ecef(np.array([[0.0, 0.0]]), np.array([10.0])).tolist()
    [[6378147.0, 0.0, 0.0]]
    """
    lam, phi = np.radians(lonlat[:, 0]), np.radians(lonlat[:, 1])
    n = _A / np.sqrt(1 - _E2 * np.sin(phi) ** 2)
    flat = (n + height) * np.cos(phi)
    return np.stack([flat * np.cos(lam), flat * np.sin(lam), (n * (1 - _E2) + height) * np.sin(phi)], axis=1)


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """
    An east-north-up frame on the ellipsoid.

    Attributes
    ----------
    lon, lat : float
        Degrees of the origin, which lies at height 0 above the ellipsoid.
    """

    lon: float
    lat: float

    def axes(self) -> Float64:
        """Return (3, 3) float64: the unit vectors east, north and up in ECEF, one a row."""
        lam, phi = np.radians(self.lon), np.radians(self.lat)
        sl, cl, sp, cp = np.sin(lam), np.cos(lam), np.sin(phi), np.cos(phi)
        return np.array([[-sl, cl, 0.0], [-sp * cl, -sp * sl, cp], [cp * cl, cp * sl, sp]])

    def origin(self) -> Float64:
        """Return (3,) float64: the origin in ECEF, metres."""
        place: Float64 = to_ecef(np.array([[self.lon, self.lat]]), np.zeros(1))[0]
        return place

    def matrix(self) -> Float64:
        """Return (4, 4) float64: local to ECEF, for column vectors."""
        out = np.eye(4)
        out[:3, :3] = self.axes().T
        out[:3, 3] = self.origin()
        return out

    def from_ecef(self, xyz: Float64) -> Float64:
        """Return (n, 3) float64: east, north, up of ECEF points, metres."""
        local: Float64 = (xyz - self.origin()) @ self.axes().T
        return local

    def to_ecef(self, local: Float64) -> Float64:
        """Return (n, 3) float64: ECEF of local points, metres."""
        world: Float64 = local @ self.axes() + self.origin()
        return world


def from_ecef(xyz: Float64) -> tuple[Float64, Float64]:
    """Return longitude/latitude (n, 2) in degrees and ellipsoidal height (n,) in metres of ECEF points, by pyproj."""
    lon, lat, height = transformer("EPSG:4978", "EPSG:4979").transform(xyz[:, 0], xyz[:, 1], xyz[:, 2])
    return np.stack([lon, lat], axis=1), np.asarray(height)


def north_on_grid(crs: str, xy: Float64) -> Float64:
    """
    Return the bearing of true north on the grid of a CRS.

    Parameters
    ----------
    crs : str
        Projected CRS, metres.
    xy : (n, 2) float64
        Places.

    Returns
    -------
    (n,) float64
        Degrees clockwise from grid north; 0 where the projection has no answer.
    """
    step = 1e-5
    lonlat = to_lonlat(crs, xy)
    forward = transformer("EPSG:4979", crs)
    x0, y0 = forward.transform(lonlat[:, 0], lonlat[:, 1])[:2]
    x, y = forward.transform(lonlat[:, 0], lonlat[:, 1] + step)[:2]
    known = np.isfinite(x) & np.isfinite(y)
    with np.errstate(invalid="ignore"):
        out: Float64 = np.degrees(np.arctan2(np.subtract(x, x0), np.subtract(y, y0)))
    finite: Float64 = np.where(known & np.isfinite(out), out, 0.0)
    return finite
