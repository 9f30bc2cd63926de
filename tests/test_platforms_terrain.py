"""Terrain with platforms, read back: level at the walls, graded around them, without gaps, cracks or floating walls."""

import math
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
import standing
from standing import examine

import terrain_checks as checks
from builds import SAMPLE, assert_same, sample
from test_ground_platforms import twin

SLOPE_DEG = 35.0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("town") / "out"
    sample(out, terrain=True, platforms=True, platform_slope=SLOPE_DEG, datum="mean")
    return out


def platforms_of(out: Path, output: checks.Output) -> tuple[list[shapely.Geometry], list[float]]:
    table = gpd.read_parquet(out / "buildings.parquet")
    stands = table[table["tile"].notna() & (table["base_z"] <= table["ground_min"])]
    assert len(stands) == len(output.outlines)
    return stands.geometry.tolist(), stands["ground_z"].tolist()


def places(output: checks.Output, count: int) -> np.ndarray:
    """Random places on the leaves' triangles, (n, 3)."""
    rng = np.random.default_rng(1)
    found = []
    for tile in output.leaves():
        area = np.abs(checks.plan_areas(tile))
        chosen = rng.choice(len(area), count, p=area / area.sum())
        found.append((tile.xyz[tile.triangles[chosen]] * rng.dirichlet([1, 1, 1], count)[:, :, None]).sum(axis=1))
    return np.concatenate(found)


def test_ground_is_that_of_the_rules_everywhere(town: Path) -> None:
    dem = SAMPLE / "dem.tif"
    output = checks.standing(checks.read_output(town), [dem])
    shapes, datum = platforms_of(town, output)
    at = places(output, 400)
    natural = checks.surface([dem], output.outlines.crs, at[:, :2])
    known = np.isfinite(natural)
    want = twin(shapes, datum, math.tan(math.radians(SLOPE_DEG)), at[known, :2], natural[known])
    off = np.abs(at[known, 2] - want)
    changed = np.abs(want - natural[known]) > 0.05
    assert changed.sum() > 50
    print(f"{changed.sum()} of {len(off)} places graded; off by {off.max():.3f} m at most")  # noqa: T201
    assert off.max() <= 0.5


def test_walls_stand_in_level_ground_and_tiles_meet(town: Path) -> None:
    dem = SAMPLE / "dem.tif"
    output = checks.standing(checks.read_output(town), [dem])
    shapes, datum = platforms_of(town, output)
    bounds = checks.metric_bounds(output, 500.0)
    for gap, overlap, noise in checks.gaps(output, bounds, checks.with_heights(dem, output.outlines.crs)).values():
        assert gap <= noise
        assert overlap <= noise
    wrong, total = checks.cracks(output, bounds)
    assert (wrong, total > 100) == (0, True)
    away, above = checks.wall_vertices(output, bounds, [dem])
    assert away < checks.MATCH_M
    assert above < 0  # every foot is below the ground at it
    ground = np.concatenate([tile.xyz for tile in output.leaves()])
    tree = shapely.STRtree(np.array(shapes))
    vertex, owner = tree.query(shapely.points(ground[:, :2]), predicate="dwithin", distance=2e-3)
    low, high = np.full(len(ground), np.inf), np.full(len(ground), -np.inf)
    np.minimum.at(low, vertex, np.array(datum)[owner])
    np.maximum.at(high, vertex, np.array(datum)[owner])
    on = np.isfinite(low)
    assert (low == high).sum() > 5000
    assert np.all(ground[on, 2] >= low[on] - 2e-3)  # between two that nearly touch: on the ramp, or the higher
    assert np.all(ground[on, 2] <= high[on] + 2e-3)


def test_no_wall_floats_over_the_natural_ground(town: Path) -> None:
    """Foundations reach below both grounds."""
    counts = examine(town, SAMPLE / "dem.tif")
    assert (counts.floating, counts.wrong) == ([], [])


def test_same_bytes_with_two_workers(town: Path, tmp_path: Path) -> None:
    other = tmp_path / "out"
    sample(other, terrain=True, platforms=True, platform_slope=SLOPE_DEG, datum="mean", workers=2)
    assert_same(town, other)


@pytest.mark.parametrize("grid", ["metric:300", "WebMercatorQuad:16"])
def test_other_grids_have_the_same_ground(town: Path, tmp_path: Path, grid: str) -> None:
    dem = SAMPLE / "dem.tif"
    out = tmp_path / "out"
    sample(out, terrain=True, platforms=True, platform_slope=SLOPE_DEG, datum="mean", grid=grid)
    output = checks.standing(checks.read_output(out), [dem])
    shapes, datum = platforms_of(out, output)
    at = places(output, 100)
    natural = checks.surface([dem], output.outlines.crs, at[:, :2])
    known = np.isfinite(natural)
    want = twin(shapes, datum, math.tan(math.radians(SLOPE_DEG)), at[known, :2], natural[known])
    assert np.abs(at[known, 2] - want).max() <= 0.5


def test_on_coarse_cells_the_ground_is_fine_enough(testdata: Path, tmp_path: Path) -> None:
    """Andorra on SRTM: cells of 90 m are divided until embankments show."""
    town: Any = next(each for each in standing.TOWNS if each.name == "Andorra")
    options = {"terrain": True, "platforms": True, "datum": "mean", "aoi": "1.515,42.500,1.535,42.512"}
    out = tmp_path / "out"
    standing.build(town, testdata / "realdata", out, **options)
    dem = testdata / "realdata" / town.dem
    counts = examine(out, dem)
    assert counts.built == 10
    assert counts.floating == []
    output = checks.read_output(out)
    shapes = output.outlines.geometry.tolist()
    datum = output.outlines["ground_z"].tolist()
    at = places(output, 300)
    with rasterio.open(dem) as raster:
        assert pyproj.CRS(raster.crs).is_geographic
    natural = standing.Ground(dem, output.outlines.crs).at(at[:, :2])
    want = twin(shapes, datum, math.tan(math.radians(30.0)), at[:, :2], natural)
    off = np.abs(at[:, 2] - want)
    print(f"off by {np.quantile(off, 0.99):.3f} m (99 %), {off.max():.3f} m at most")  # noqa: T201
    assert off.max() <= 0.5
