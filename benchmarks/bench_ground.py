"""
Heights of the ground at points: samples a second, beside rasterio's own sampling, SciPy and plain NumPy on the same points.

Points lie at random within map tiles of 500 m, as footprints do; the raster is a tiled GeoTIFF that is read in windows. One thread,
best of five, warm. Run: ``python benchmarks/bench_ground.py [--points 2000000] [--write]``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from marked import machine, replace_block, table
from rasterio.transform import from_origin
from scipy.ndimage import map_coordinates

from citygen.geom.raster import heights
from citygen.geom.resample import heights_cubic
from citygen.ground.dem import Reading, open_dem
from citygen.ground.points import heights_at

PAGE = Path(__file__).resolve().parent.parent / "docs" / "ground.md"
UTM, X0, Y0, TILE = "EPSG:32632", 500_000.0, 5_300_000.0, 500
SIDE = 4000
"""Cells along each side of the raster, 1 m each."""


def write(path: Path) -> np.ndarray:
    """Write 16 million cells of hills."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    z = (500 + 40 * np.sin(x / 310) + 30 * np.cos(y / 270) + np.sin(x / 7) * np.cos(y / 5)).astype(np.float32)
    form = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": 1, "dtype": "float32", "crs": UTM}
    with rasterio.open(path, "w", transform=from_origin(X0, Y0, 1, 1), tiled=True, **form) as file:
        file.write(z, 1)
    return z


def best(call: Callable[[], object], rounds: int = 5) -> float:
    """Return the seconds of the best of some calls; one before does not count."""
    call()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def by_numpy(cells: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Interpolate with NumPy alone, as one writes it."""
    low = np.floor(positions).astype(np.int64)
    f = positions - low
    j, i = low[:, 0], low[:, 1]
    top = cells[i, j] * (1 - f[:, 0]) + cells[i, j + 1] * f[:, 0]
    bottom = cells[i + 1, j] * (1 - f[:, 0]) + cells[i + 1, j + 1] * f[:, 0]
    return top * (1 - f[:, 1]) + bottom * f[:, 1]


def tiled_points(count: int) -> list[np.ndarray]:
    """Return points at random, tile by tile."""
    rng = np.random.default_rng(0)
    tiles = [(c, r) for r in range(1, SIDE // TILE - 1) for c in range(1, SIDE // TILE - 1)]
    each = count // len(tiles)
    return [np.array([X0 + c * TILE, Y0 - (r + 1) * TILE]) + rng.uniform(0, TILE, (each, 2)) for c, r in tiles]


def measure(count: int) -> list[list[str]]:
    """Return a row for each way to sample."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dem.tif"
        z = write(path).astype(np.float64)
        groups = tiled_points(count)
        total = sum(map(len, groups))
        positions = [np.column_stack([xy[:, 0] - X0 - 0.5, Y0 - xy[:, 1] - 0.5]) for xy in groups]
        corner = np.zeros(2, dtype=np.int64)
        dem, cubic = open_dem([path]), open_dem([path], reading=Reading(sampling="cubic"))

        def by_rasterio() -> None:
            with rasterio.open(path) as file:
                list(file.sample(groups[0][:20_000]))  # nearest cell: it does not interpolate

        def per_second(call: Callable[[], object], points: int = total, rounds: int = 5) -> str:
            return f"{points / best(call, rounds) / 1e6:.2f}"

        ours = np.concatenate([heights(z, corner, p) for p in positions])
        for name, theirs in (
            ("SciPy", [map_coordinates(z, p[:, ::-1].T, order=1) for p in positions]),
            ("NumPy", [by_numpy(z, p) for p in positions]),
            ("heights_at", [heights_at(dem, xy, UTM) for xy in groups]),
        ):
            if np.abs(np.concatenate(theirs) - ours).max() > 1e-6:
                raise SystemExit(f"{name} disagrees")
        return [
            ["citygen, cells in memory", "bilinear", per_second(lambda: [heights(z, corner, p) for p in positions])],
            ["citygen, cells in memory", "cubic", per_second(lambda: [heights_cubic(z, corner, p) for p in positions])],
            ["citygen, from file and CRS", "bilinear", per_second(lambda: [heights_at(dem, xy, UTM) for xy in groups])],
            ["citygen, from file and CRS", "cubic", per_second(lambda: [heights_at(cubic, xy, UTM) for xy in groups])],
            ["NumPy, cells in memory", "bilinear", per_second(lambda: [by_numpy(z, p) for p in positions])],
            [
                "SciPy map_coordinates, cells in memory",
                "bilinear",
                per_second(lambda: [map_coordinates(z, p[:, ::-1].T, order=1) for p in positions], rounds=2),
            ],
            ["rasterio sample, from file", "nearest", per_second(by_rasterio, 20_000, 2)],
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--points", type=int, default=4_000_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/ground.md")
    given = parser.parse_args()
    rows = measure(given.points)
    text = f"{table(['way', 'surface', 'million samples a second'], rows)}\n\n"
    text += f"Best of five, one thread; {machine()} (`benchmarks/bench_ground.py`)."
    print(text)
    if given.write:
        replace_block(PAGE, "samples", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
