"""Places on Earth against PROJ: to ECEF within a micrometre, local frames and back, true north on the grid."""

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.geom.geodesy import LocalFrame, from_ecef, north_on_grid, to_ecef, to_lonlat

CRSS = {
    "EPSG:32631": (2.35, 48.85),
    "EPSG:28992": (4.9, 52.37),
    "EPSG:2154": (-1.15, 46.16),
    "EPSG:2056": (8.54, 47.37),
    "EPSG:32733": (18.42, -33.92),
    "EPSG:2193": (174.78, -41.29),
    "EPSG:32760": (179.9995, -16.8),
    "EPSG:25832": (9.0, 51.0),
}
FEET = {"EPSG:2263": (-73.98, 40.75)}
"""A CRS in feet: sources may use it, the working CRS may not."""


def around(crs: str, lonlat: tuple[float, float], n: int = 40) -> np.ndarray:
    """Return places within a kilometre or so of one, in a CRS."""
    x, y = pyproj.Transformer.from_crs("EPSG:4979", crs, always_xy=True).transform(*lonlat)
    return np.array([x, y]) + np.random.default_rng(5).uniform(-1000, 1000, (n, 2))


def proj_ecef(crs: str, xy: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Go to EPSG:4978 by PROJ: to WGS 84 degrees, then to ECEF, heights taken as ellipsoidal."""
    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4979", always_xy=True).transform(*xy.T)
    to = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    return np.stack(to.transform(lon, lat, height), axis=1)


@pytest.mark.parametrize(("crs", "place"), [*CRSS.items(), *FEET.items(), ("OGC:CRS84", None)])
def test_ecef_is_proj_s(crs, place):
    everywhere = np.random.default_rng(2).uniform([-180, -89.9], [180, 89.9], (200, 2))
    xy = everywhere if place is None else around(crs, place)
    height = np.linspace(-100, 4000, len(xy))
    ours = to_ecef(to_lonlat(crs, xy), height)
    assert np.abs(ours - proj_ecef(crs, xy, height)).max() < 1e-6


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(-500, 9000))
def test_ecef_and_back(lon, lat, height):
    xyz = to_ecef(np.array([[lon, lat]]), np.array([height]))
    lonlat, up = from_ecef(xyz)
    again = to_ecef(lonlat, up)
    assert np.abs(again - xyz).max() < 1e-6
    assert up[0] == pytest.approx(height, abs=1e-6)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(-89.9, 89.9),
    st.tuples(st.floats(-5e4, 5e4), st.floats(-5e4, 5e4), st.floats(-500, 9000)),
)
def test_local_frame_and_back(lon, lat, local):
    frame = LocalFrame(lon, lat)
    axes = frame.axes()
    assert np.abs(axes @ axes.T - np.eye(3)).max() < 1e-12
    assert np.linalg.det(axes) == pytest.approx(1.0)
    points = np.array([local, (0.0, 0.0, 0.0)])
    world = frame.to_ecef(points)
    assert np.abs(frame.from_ecef(world) - points).max() < 1e-6
    assert np.abs(world[1] - frame.origin()).max() == 0
    homogeneous = frame.matrix() @ np.r_[points[0], 1.0]
    assert np.abs(homogeneous[:3] - world[0]).max() < 1e-6


@pytest.mark.parametrize("place", [*CRSS.values(), (0.0, 0.0), (-70.6, -33.4)])
def test_axes_point_east_north_and_up(place):
    """A step along each axis changes the right coordinate, as PROJ's topocentric frame has it."""
    frame = LocalFrame(*place)
    lonlat, height = from_ecef(frame.to_ecef(np.array([[10.0, 0, 0], [0, 10.0, 0], [0, 0, 10.0]])))
    dlon = (lonlat[:, 0] - place[0] + 180) % 360 - 180
    assert dlon[0] > 1e-6
    assert np.abs(dlon[1:]).max() < 1e-9
    assert lonlat[1, 1] - place[1] > 1e-6
    assert abs(lonlat[2, 1] - place[1]) < 1e-9
    assert height == pytest.approx([0, 0, 10], abs=1e-4)
    topocentric = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=cart +ellps=WGS84 "
        f"+step +proj=topocentric +ellps=WGS84 +lon_0={place[0]} +lat_0={place[1]} +h_0=0"
    )
    lon, lat = place[0] + 0.003, place[1] - 0.002
    theirs = topocentric.transform(lon, lat, 55.0)
    ours = frame.from_ecef(to_ecef(np.array([[lon, lat]]), np.array([55.0])))[0]
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(("crs", "place"), CRSS.items())
def test_north_on_grid_is_the_meridian_convergence(crs, place):
    xy = around(crs, place)
    lon, lat = pyproj.Transformer.from_crs(crs, pyproj.CRS(crs).geodetic_crs, always_xy=True).transform(*xy.T)
    want = pyproj.Proj(pyproj.CRS(crs)).get_factors(lon, lat).meridian_convergence
    found = north_on_grid(crs, xy)
    convergence = (np.asarray(want) + 180) % 360 - 180
    # PROJ's sign: bearing of grid north from true north
    assert np.abs(found + convergence).max() < 2e-3
    assert np.abs(found).max() < 5
    assert np.abs(found).max() > 1e-3


def test_north_on_grid_has_the_right_sign():
    """East of a zone's central meridian, true north leans to the west of grid north in the northern hemisphere."""
    east = around("EPSG:32631", (5.5, 48.0), 3)
    west = around("EPSG:32631", (0.5, 48.0), 3)
    south = around("EPSG:32733", (17.5, -33.0), 3)
    assert (north_on_grid("EPSG:32631", east) < -1).all()
    assert (north_on_grid("EPSG:32631", west) > 1).all()
    assert (north_on_grid("EPSG:32733", south) > 1).all()


def test_places_beyond_a_projection_are_said_so():
    lonlat = to_lonlat("EPSG:32631", np.array([[1e12, 1e12], [448000.0, 5411000.0]]))
    assert not np.isfinite(lonlat[0]).any()
    assert np.isfinite(lonlat[1]).all()
    assert north_on_grid("EPSG:32631", np.array([[1e12, 1e12]])).tolist() == [0.0]


def test_no_places():
    none = np.empty((0, 2))
    assert to_lonlat("EPSG:32631", none).shape == (0, 2)
    assert to_ecef(none, np.empty(0)).shape == (0, 3)
    assert LocalFrame(1.0, 2.0).from_ecef(np.empty((0, 3))).shape == (0, 3)
    assert north_on_grid("EPSG:32631", none).shape == (0,)
