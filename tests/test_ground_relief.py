"""The relief mesh and heights at points: on the surface, seams shared, holes at voids."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from citygen.errors import ConfigError
from citygen.geom.raster import heights
from citygen.ground.dem import open_dem
from citygen.ground.points import heights_at
from citygen.ground.relief import relief_mesh

UTM = "EPSG:25833"
X0, Y0 = 400_000.0, 5_800_000.0


@pytest.fixture
def dem(tmp_path):
    return open_dem([write(tmp_path / "a.tif", plane())])


def plane() -> np.ndarray:
    rows, columns = np.mgrid[0:100, 0:120] + 0.5
    return 50.0 + 0.3 * columns - 0.1 * rows


def write(path: Path, z: np.ndarray) -> Path:
    profile = {"driver": "GTiff", "width": z.shape[1], "height": z.shape[0], "count": 1, "dtype": z.dtype.name}
    with rasterio.open(path, "w", **profile, crs=UTM, transform=from_origin(X0, Y0, 1.0, 1.0)) as file:
        file.write(z, 1)
    return path


def test_relief_is_the_plane_over_the_whole_bounds(dem):
    bounds = (X0 + 11.0, Y0 - 52.0, X0 + 48.0, Y0 - 13.0)
    vertices, triangles = relief_mesh(dem, bounds, UTM, step_m=2.5)
    assert vertices.dtype == np.float64
    assert triangles.dtype == np.int64
    assert vertices[:, 2] == pytest.approx(50.0 + 0.3 * (vertices[:, 0] - X0) - 0.1 * (Y0 - vertices[:, 1]), abs=1e-9)
    assert vertices.min(axis=0)[:2].tolist() == [X0 + 10.0, Y0 - 52.5]
    assert vertices.max(axis=0)[:2].tolist() == [X0 + 50.0, Y0 - 12.5]
    assert np.all(vertices[:, :2] % 2.5 == 0)
    a, b, c = (vertices[triangles[:, k], :2] for k in range(3))
    u, v = b - a, c - a
    area = 0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    assert area == pytest.approx(2.5 * 2.5 / 2)
    assert area.sum() == pytest.approx(40.0 * 40.0)
    assert np.array_equal(np.unique(triangles), np.arange(len(vertices)))


def test_void_nodes_leave_a_hole_and_neighbours_share_their_nodes(tmp_path):
    z = plane()
    z[30:40, 30:40] = np.nan
    dem = open_dem([write(tmp_path / "a.tif", z)])
    west = relief_mesh(dem, (X0 + 20, Y0 - 60, X0 + 40, Y0 - 20), UTM, step_m=4.0)
    east = relief_mesh(dem, (X0 + 40, Y0 - 60, X0 + 60, Y0 - 20), UTM, step_m=4.0)
    assert not np.isnan(west[0]).any()
    assert west[1].max() == len(west[0]) - 1
    assert 0 < len(west[1]) < 2 * 5 * 10
    seams = [mesh[0][mesh[0][:, 0] == X0 + 40] for mesh in (west, east)]
    assert seams[0].tobytes() == seams[1].tobytes()


def test_outside_is_an_empty_mesh_and_nonsense_is_refused(dem):
    vertices, triangles = relief_mesh(dem, (X0 + 900, Y0 - 60, X0 + 940, Y0 - 20), UTM, step_m=4.0)
    assert vertices.shape == (0, 3)
    assert triangles.shape == (0, 3)
    for step in (0.0, -1.0, np.nan, 1e-9):
        with pytest.raises(ConfigError):
            relief_mesh(dem, (X0, Y0 - 60, X0 + 40, Y0), UTM, step_m=step)


def test_heights_do_not_depend_on_the_company(tmp_path):
    rng = np.random.default_rng(0)
    dem = open_dem([write(tmp_path / "a.tif", rng.normal(100, 9, (1500, 1600)))])
    xy = np.column_stack([X0 + rng.uniform(-5, 1605, 300), Y0 - rng.uniform(-5, 1505, 300)])
    whole = heights_at(dem, xy, UTM)
    alone = np.concatenate([heights_at(dem, xy[k : k + 1], UTM) for k in range(len(xy))])
    assert whole.tobytes() == alone.tobytes()
    outside = (xy[:, 0] < X0 - 0.5) | (xy[:, 0] > X0 + 1600.5) | (xy[:, 1] > Y0 + 0.5) | (xy[:, 1] < Y0 - 1500.5)
    assert np.array_equal(np.isnan(whole), outside)


def test_point_kernel_agrees_with_its_slow_twin():
    rng = np.random.default_rng(2)
    cells = rng.normal(0, 5, (20, 25))
    cells[rng.random(cells.shape) < 0.3] = np.nan
    at = np.vstack([rng.uniform((100, 200), (124, 219), (300, 2)), [[np.nan, 210.0], [90.0, 210.0], [110.0, np.inf]]])
    got = heights(cells, np.array([200, 100]), at)
    for (column, row), z in zip(at, got, strict=True):
        if not (np.isfinite(column) and np.isfinite(row) and 100 <= column < 124 and 200 <= row < 219):
            assert np.isnan(z)
            continue
        rows, columns = np.mgrid[200:220, 100:125]
        weights = np.clip(1 - abs(columns - column), 0, 1) * np.clip(1 - abs(rows - row), 0, 1)
        weights[np.isnan(cells)] = 0.0
        want = np.nansum(weights * cells) / weights.sum() if weights.sum() > 1e-6 else np.nan
        assert z == pytest.approx(want, abs=1e-12, nan_ok=True)
