"""
A large DEM to terrain tiles with all their levels, beside pydelatin alone on the same windows: time, triangles, peak memory.

The DEM is made of octaves of noise, strip by strip. pydelatin reads the windows and makes triangles, nothing else: no shared
borders, no holes, no voids, no normals, no files. Run: ``python benchmarks/bench_terrain.py [--size N] [--error M] [--json]``.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from marked import machine, table

CRS = "EPSG:32632"
ORIGIN = (500_000.0, 5_000_000.0)
STRIP = 512
RELIEF_M = 260.0
"""Height of the coarsest octave; hills of 4 km, slopes of an upland."""


def write_dem(path: Path, size: int) -> None:
    """Write a DEM of ``size`` by ``size`` cells of 1 m, in strips."""
    import rasterio
    from affine import Affine

    place = Affine(1.0, 0, ORIGIN[0], 0, -1.0, ORIGIN[1] + size)
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": "float32", "crs": CRS}
    options = {
        "transform": place,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
        "predictor": 3,
    }
    with rasterio.open(path, "w", **profile, **options) as dataset:
        for row in range(0, size, STRIP):
            rows = min(STRIP, size - row)
            window = rasterio.windows.Window(0, row, size, rows)
            dataset.write(_noise(row, rows, size).astype(np.float32), 1, window=window)


def _noise(first: int, rows: int, columns: int) -> np.ndarray:
    """Return heights of some rows: smooth value noise, octaves of half the length and 0.45 of the height."""
    out = np.zeros((rows, columns))
    length, height, octave = 4096, RELIEF_M, 0
    while length >= 4:
        r, c = (np.arange(first, first + rows) + 0.37) / length, (np.arange(columns) + 0.61) / length
        i, j = np.floor(r).astype(int), np.floor(c).astype(int)
        fr, fc = r - i, c - j
        fr, fc = fr * fr * (3 - 2 * fr), fc * fc * (3 - 2 * fc)
        lattice = np.random.default_rng([7, octave]).random((64, 64))
        if length < 256:  # more nodes than the lattice has: it repeats, shifted from octave to octave
            i, j = i + 17 * octave, j + 29 * octave
        i0, i1, j0, j1 = i % 64, (i + 1) % 64, j % 64, (j + 1) % 64
        west = lattice[np.ix_(i0, j0)] * (1 - fr[:, None]) + lattice[np.ix_(i1, j0)] * fr[:, None]
        east = lattice[np.ix_(i0, j1)] * (1 - fr[:, None]) + lattice[np.ix_(i1, j1)] * fr[:, None]
        out += height * (west * (1 - fc) + east * fc)
        length, height, octave = length // 2, height * 0.45, octave + 1
    return out


def ours(folder: Path, size: int, error: float, tile: int) -> dict[str, Any]:
    """Make the tiles in this process."""
    from citygen.ground.dem import open_dem
    from citygen.pipeline.terrain import TerrainJob, TerrainOptions, TerrainTask, levels_of, run_terrain_job
    from citygen.tiling.metric import MetricGrid

    dem = open_dem([folder / "dem.tif"])
    grid = MetricGrid(float(tile), CRS)
    options = TerrainOptions(CRS, grid, dem, error, float(tile), 0.0, None)
    cols, rows = grid.keys(
        np.array([ORIGIN[0], ORIGIN[0] + size - 1e-6]), np.array([ORIGIN[1], ORIGIN[1] + size - 1e-6])
    )
    leaves = [(c, r) for r in range(int(rows[0]), int(rows[1]) + 1) for c in range(int(cols[0]), int(cols[1]) + 1)]
    run_terrain_job(TerrainJob(TerrainTask(0, *leaves[0], (), (), str(folder / "warm")), options))
    began = time.perf_counter()
    triangles, written, count, finest = 0, 0, 0, 0.0
    for level, tiles in enumerate(levels_of(leaves)):
        for key, under in tiles.items():
            result = run_terrain_job(
                TerrainJob(TerrainTask(level, *key, (), tuple(under), str(folder / "out")), options)
            )
            if result.problem:
                raise RuntimeError(result.problem)
            triangles += result.triangles if level == 0 else 0
            written += sum(result.files.values())
            count += 1
        if level == 0:
            finest = time.perf_counter() - began
    return _with_peak(
        {
            "seconds": time.perf_counter() - began,
            "leaves_s": finest,
            "tiles": count,
            "triangles": triangles,
            "bytes": written,
        }
    )


def peer(folder: Path, size: int, error: float, tile: int) -> dict[str, Any]:
    """Let pydelatin alone make triangles of the same windows."""
    import pydelatin
    import rasterio

    began, triangles = time.perf_counter(), 0
    with rasterio.open(folder / "dem.tif") as dataset:
        for row in range(0, size, tile):
            for col in range(0, size, tile):
                n, m = min(tile + 1, size - row), min(tile + 1, size - col)
                cells = dataset.read(1, window=rasterio.windows.Window(col, row, m, n))
                triangles += len(pydelatin.Delatin(cells, max_error=error).triangles)
    return _with_peak({"seconds": time.perf_counter() - began, "triangles": triangles})


def _with_peak(figures: dict[str, Any]) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    return {**figures, "peak_mib": peak}


def main() -> None:
    """Make the DEM, measure each in a process of its own, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--size", type=int, default=10_000, help="cells of 1 m a side")
    parser.add_argument("--error", type=float, default=0.5)
    parser.add_argument("--tile", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps((ours if args.child == "ours" else peer)(args.folder, args.size, args.error, args.tile)))
        return
    with tempfile.TemporaryDirectory(prefix="citygen-terrain-") as scratch:
        write_dem(Path(scratch) / "dem.tif", args.size)
        given = ["--size", str(args.size), "--error", str(args.error), "--tile", str(args.tile), "--folder", scratch]
        found = {}
        for name in ("ours", "peer"):
            command = [sys.executable, __file__, "--child", name, *given]
            found[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    if args.json:
        print(json.dumps({"size": args.size, "error_m": args.error, **found}))
        return
    head = ["DEM", "error, m", "", "s", "million cells/s", "triangles (finest)", "peak, MiB"]
    cells = args.size**2 / 1e6
    rows = [
        [
            f"{args.size:,}²",
            f"{args.error:g}",
            name,
            f"{f['seconds']:.1f}",
            f"{cells / f['seconds']:.2f}",
            f"{f['triangles']:,}",
            f"{f['peak_mib']:.0f}",
        ]
        for name, f in (("citygen: tiles of all levels", found["ours"]), ("pydelatin: triangles alone", found["peer"]))
    ]
    print(machine())
    print(table(head, rows))


if __name__ == "__main__":
    main()
