"""
Rows dealt to tiles as Arrow IPC or as Parquet: the time to write all tiles and to read each back, and the bytes on disk.

The figures behind docs/decisions/0001. Run: ``python benchmarks/bench_staging.py [--rows 100000] [--tiles 200]``.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from marked import machine, table


def rows_of(count: int) -> pa.Table:
    """Return rows like those of a plan: an id, a few words, a footprint of eleven corners."""
    turn = np.linspace(0, 2 * np.pi, 11, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * 8
    places = np.random.default_rng(1).uniform(0, 1e5, (count, 1, 2))
    words = pa.array(["gabled", "flat", "", "hipped"]).take(pa.array(np.arange(count) % 4))
    columns = {"@uid": np.arange(count), "@id": [f"way/{k}" for k in range(count)]}
    columns |= dict.fromkeys(("building", "height", "roof:shape", "building:levels"), words)
    return pa.table({**columns, "@geometry": shapely.to_wkb(shapely.polygons(places + ring))})


def ipc_one_file(slices: list[pa.Table], folder: Path) -> list[Callable[[], pa.Table]]:
    """Write one Arrow file with a record batch a tile (what the plan does)."""
    path = folder / "batch.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, slices[0].schema) as writer:
        for part in slices:
            writer.write_batch(part.combine_chunks().to_batches()[0])

    def reader(number: int) -> pa.Table:
        with pa.memory_map(str(path)) as source:
            return pa.Table.from_batches([pa.ipc.open_file(source).get_batch(number)])

    return [lambda number=number: reader(number) for number in range(len(slices))]


def parquet_each(slices: list[pa.Table], folder: Path) -> list[Callable[[], pa.Table]]:
    """Write one Parquet file a tile."""
    paths = [folder / f"{number}.parquet" for number in range(len(slices))]
    for path, part in zip(paths, slices, strict=True):
        pq.write_table(part, path, compression="zstd")
    return [lambda path=path: pq.read_table(path) for path in paths]


def parquet_groups(slices: list[pa.Table], folder: Path) -> list[Callable[[], pa.Table]]:
    """Write one Parquet file with a row group a tile."""
    path = folder / "batch.parquet"
    with pq.ParquetWriter(path, slices[0].schema, compression="zstd") as writer:
        for part in slices:
            writer.write_table(part)
    return [lambda number=number: pq.ParquetFile(path).read_row_group(number) for number in range(len(slices))]


WAYS = {
    "Arrow IPC, one file, a record batch a tile": ipc_one_file,
    "Parquet, a file a tile": parquet_each,
    "Parquet, one file, a row group a tile": parquet_groups,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--tiles", type=int, default=200)
    given = parser.parse_args()
    everything = rows_of(given.rows)
    size = -(-given.rows // given.tiles)
    slices = [everything.slice(at, size) for at in range(0, given.rows, size)]
    lines = []
    for name, write in WAYS.items():
        with tempfile.TemporaryDirectory() as scratch:
            began = time.perf_counter()
            readers = write(slices, Path(scratch))
            written = time.perf_counter()
            count = sum(len(read()) for read in readers)
            ended = time.perf_counter()
            disk = sum(path.stat().st_size for path in Path(scratch).iterdir())
        if count != given.rows:
            raise ValueError(f"{name}: {count} rows came back, not {given.rows}")
        per_tile = [1e3 * seconds / len(slices) for seconds in (written - began, ended - written)]
        lines.append([name, f"{per_tile[0]:.2f}", f"{per_tile[1]:.2f}", f"{disk / 1e6:.1f}"])
    print(table(["way", "write, ms a tile", "read, ms a tile", "MB"], lines))
    print(f"\n{given.rows:,} rows in {len(slices)} tiles; {machine()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
