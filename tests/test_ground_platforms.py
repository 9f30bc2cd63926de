"""Platforms in the ground: against a slow twin, in laws, and their earthworks against closed forms."""

import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from scipy.integrate import quad

from citygen.ground.dem import open_dem
from citygen.ground.platforms import REACH_M, Platforms, earthworks, platform_heights
from citygen.model.rings import Rings, from_polygons
from test_ground_under import UTM, X0, Y0, write_dem


def platforms(shapes: list[shapely.Polygon], datum: list[float], slope: float) -> Platforms:
    return Platforms(from_polygons(np.array(shapes, dtype=object)), np.array(datum, dtype=float), slope)


def effective(distance: float) -> float:
    if distance >= REACH_M:
        return math.inf
    beyond = max(distance - REACH_M / 2, 0.0)
    return distance + beyond**2 / (REACH_M - distance)


def twin(shapes: list[shapely.Polygon], datum: list[float], slope: float, xy: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The rules of the module word by word: distances by Shapely, the raised slope by halving."""
    out = z.copy()
    for k, (point, natural) in enumerate(zip(shapely.points(xy), z, strict=True)):
        away = [effective(float(shapely.distance(shape, point))) for shape in shapes]
        near = [(d, e) for d, e in zip(datum, away, strict=True) if math.isfinite(e)]
        if not near or math.isnan(natural):
            continue
        on = [d for d, e in near if e <= 1e-4]
        if on:
            out[k] = max(on)
            continue

        def bounds(s: float, near: list = near) -> tuple[float, float]:
            return max(d - s * e for d, e in near), min(d + s * e for d, e in near)

        low, high = bounds(slope)
        if low > high:
            least, most = slope, 1e9
            for _ in range(200):
                middle = math.sqrt(least * most)
                low, high = bounds(middle)
                least, most = (middle, most) if low > high else (least, middle)
            low, high = bounds(most)
        out[k] = min(max(natural, low), high)
    return out


def town(seed: int, count: int) -> tuple[list[shapely.Polygon], list[float]]:
    """Turned boxes that do not overlap, one with a courtyard."""
    rng = np.random.default_rng(seed)
    shapes: list[shapely.Polygon] = []
    while len(shapes) < count:
        x, y, w, h, turn = rng.uniform((-40, -40, 3, 3, 0), (40, 40, 18, 18, 90))
        shape = shapely.affinity.rotate(shapely.box(x, y, x + w, y + h), turn)
        if not shapes:
            shape = shapely.box(x, y, x + 30, y + 30).difference(shapely.box(x + 9, y + 9, x + 20, y + 20))
        if all(shape.distance(other) > 0.3 for other in shapes):
            shapes.append(shape)
    return shapes, rng.uniform(90, 110, count).tolist()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 7), slope=st.sampled_from([0.1, 0.6, 3.0]))
def test_kernel_agrees_with_its_slow_twin(seed: int, count: int, slope: float) -> None:
    shapes, datum = town(seed, count)
    rng = np.random.default_rng(seed)
    xy, z = rng.uniform(-80, 80, (120, 2)), rng.uniform(80, 120, 120)
    z[:3] = np.nan
    given = platforms(shapes, datum, slope)
    got = platform_heights(given, xy, z)
    np.testing.assert_allclose(got, twin(shapes, datum, slope, xy, z), rtol=0, atol=1e-6)
    order = rng.permutation(count)
    turned = platforms([shapes[k] for k in order], [datum[k] for k in order], slope)
    np.testing.assert_allclose(platform_heights(turned, xy, z), got, rtol=0, atol=1e-9)
    # a place alone, and with platforms beyond the reach, is the same number
    far = platforms([*shapes, shapely.box(400, 400, 420, 420)], [*datum, 0.0], slope)
    assert np.array_equal(platform_heights(far, xy, z), got, equal_nan=True)
    assert np.array_equal(platform_heights(given, xy[7:8], z[7:8]), got[7:8])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_inside_is_the_datum_far_is_untouched_and_between_no_steeper_than_asked(seed: int) -> None:
    shapes, datum = town(seed, 3)
    slope, fall = 0.5, 0.2
    datum = [100 + fall * shape.centroid.x for shape in shapes]
    given = platforms(shapes, datum, slope)
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-90, 90, (400, 2))
    natural = 100 + fall * xy[:, 0]
    got = platform_heights(given, xy, natural)
    away = shapely.distance(np.array(shapes)[:, None], shapely.points(xy)[None])
    for k, level in enumerate(datum):
        assert np.all(got[away[k] == 0] == level)
    assert np.array_equal(got[away.min(axis=0) >= REACH_M], natural[away.min(axis=0) >= REACH_M])
    step = rng.normal(0, 0.02, xy.shape)
    near = away.min(axis=0) < REACH_M / 2 - 1
    moved = platform_heights(given, xy + step, 100 + fall * (xy + step)[:, 0])
    gaps = [
        abs(datum[a] - datum[b]) <= slope * shapes[a].distance(shapes[b]) for a in range(3) for b in range(3) if a != b
    ]
    if all(gaps):  # the datums can be reached at this slope
        assert np.all(np.abs(moved - got)[near] <= slope * np.linalg.norm(step, axis=1)[near] + 1e-9)


def test_between_neighbours_that_the_slope_cannot_join_lies_a_ramp_and_on_a_party_wall_the_higher() -> None:
    gap = platforms([shapely.box(0, 0, 10, 10), shapely.box(14, 0, 24, 10)], [5.0, 9.0], 0.5)
    xy = np.array([[x, 5.0] for x in (10.0, 11.0, 12.0, 13.0, 14.0)])
    for natural in (-50.0, 7.0, 50.0):
        got = platform_heights(gap, xy, np.full(5, natural))
        np.testing.assert_allclose(got, [5, 6, 7, 8, 9], rtol=0, atol=1e-9)
    touching = platforms([shapely.box(0, 0, 10, 10), shapely.box(10, 0, 24, 10)], [5.0, 9.0], 0.5)
    xy = np.array([[9.0, 5.0], [10.0, 5.0], [10.0, 10.0], [11.0, 5.0]])
    assert platform_heights(touching, xy, np.full(4, 7.0)).tolist() == [5.0, 9.0, 9.0, 9.0]


def test_nothing_in_nothing_out() -> None:
    none = Platforms(Rings(np.empty((0, 2)), np.zeros(1, np.int64), np.zeros(1, np.int64)), np.empty(0), 0.5)
    assert platform_heights(none, np.array([[1.0, 2.0]]), np.array([3.0])).tolist() == [3.0]
    house = platforms([shapely.box(0, 0, 10, 10)], [5.0], 0.5)
    assert platform_heights(house, np.empty((0, 2)), np.empty(0)).tolist() == []
    unknown = platforms([shapely.box(0, 0, 10, 10)], [np.nan], 0.5)
    z = np.array([3.0])
    assert platform_heights(unknown, np.array([[1.0, 2.0]]), z).tolist() == [3.0]
    xy = np.array([[5.0, 5.0], [np.nan, 0.0]])
    assert np.array_equal(platform_heights(house, xy, np.array([np.nan, 1.0])), [np.nan, 1.0], equal_nan=True)


FALL, STEEP, HALF = 0.1, 0.5, 10.0


def slope_dem(folder: Path, cell: float) -> Path:
    """A plane that rises to the east by 1 in 10; 0 at X0 + 60."""
    n = int(120 / cell)
    x = (np.arange(n) + 0.5) * cell
    return write_dem(folder / "a.tif", np.tile(FALL * (x - 60), (n, 1)), from_origin(X0, Y0, cell, cell))


def closed_form(depth: float, length: float) -> float:
    """
    What is dug off a plane whose height above the platform grows from 0 to ``depth`` over ``length``.

    Over the square's part of that length (as wide as the square), beyond its upper side, along its two flanks, and at its two
    upper corners, where the cutting is a cone.
    """
    wide = 2 * HALF
    inside = wide * length * depth / 2
    beyond = wide * depth**2 / (2 * (STEEP - FALL))
    flanks = 2 * depth**2 * length / (6 * STEEP)
    corners = 2 * quad(lambda turn: depth**3 / (6 * (STEEP - FALL * math.cos(turn)) ** 2), 0, math.pi / 2)[0]
    return inside + beyond + flanks + corners


@pytest.mark.parametrize(("cell", "within"), [(1.0, 0.004), (0.25, 0.001)])
def test_earthworks_of_a_square_on_a_plane_are_those_of_the_closed_form(
    tmp_path: Path, cell: float, within: float
) -> None:
    dem = open_dem([slope_dem(tmp_path, cell)])
    square = shapely.box(X0 + 60 - HALF, Y0 - 60 - HALF, X0 + 60 + HALF, Y0 - 60 + HALF)
    one = np.zeros(1, np.int64)
    cut, fill = earthworks(dem, platforms([square], [0.0], STEEP), one, UTM)  # the mean
    want = closed_form(FALL * HALF, HALF)
    assert (cut[0], fill[0]) == pytest.approx((want, want), rel=within)
    cut, fill = earthworks(dem, platforms([square], [-FALL * HALF], STEEP), one, UTM)  # the lowest
    assert (cut[0], fill[0]) == (
        pytest.approx(closed_form(2 * FALL * HALF, 2 * HALF), rel=within),
        pytest.approx(0, abs=1e-6),
    )
    cut, fill = earthworks(dem, platforms([square], [FALL * HALF], STEEP), one, UTM)  # the highest
    assert (fill[0], cut[0]) == (
        pytest.approx(closed_form(2 * FALL * HALF, 2 * HALF), rel=within),
        pytest.approx(0, abs=1e-6),
    )


def test_earthworks_are_each_buildings_own(tmp_path: Path) -> None:
    """Two halves of a square are one building and count once; a neighbour, and who is asked beside, change nothing."""
    dem = open_dem([slope_dem(tmp_path, 1.0)])
    x, y = X0 + 60, Y0 - 60
    square = shapely.box(x - 10, y - 10, x + 10, y + 10)
    halves = [shapely.box(x - 10, y - 10, x + 2, y + 10), shapely.box(x - 3, y - 10, x + 10, y + 10)]
    other = shapely.box(x + 12, y - 10, x + 20, y)
    alone = earthworks(dem, platforms([square], [0.3], STEEP), np.array([0]), UTM)
    both = earthworks(dem, platforms([*halves, other], [0.3, 0.3, 2.0], STEEP), np.array([0, 0, 1]), UTM)
    np.testing.assert_allclose([both[0][0], both[1][0]], [alone[0][0], alone[1][0]], rtol=1e-12)
    lone = earthworks(dem, platforms([other], [2.0], STEEP), np.array([0]), UTM)
    assert (both[0][1], both[1][1]) == (lone[0][0], lone[1][0])
    beyond = earthworks(dem, platforms([shapely.box(x + 900, y, x + 910, y + 9)], [2.0], STEEP), np.array([0]), UTM)
    assert np.isnan(beyond).all()
