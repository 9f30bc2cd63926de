"""
The sample town at many sizes, each built in a fresh process: buildings a second, peak memory, bytes and triangles a building.

This parent imports nothing heavy: a child's peak memory starts at its parent's. Data is made once a size with
``citygen sample --buildings N`` and kept in a cache folder. Kernels are compiled before the first timed run; ``--cold``
times that too. The growth exponent is the slope of log(seconds) over log(buildings) between neighbouring sizes, of the
seconds that follow the start (1 is linear). Run: ``python benchmarks/bench_build.py [--sizes 1000,10000,100000]``.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from marked import machine, replace_block, table

SIZES = (1_000, 10_000, 100_000)
MILLION = 1_000_000
BAR = 4_000
"""Buildings a second in one process at 100,000."""


def child(folder: Path, workers: int, options: dict[str, Any]) -> None:
    """Build the sample of a folder in this process; print what it cost as one line of JSON."""
    import resource
    import time

    began = time.perf_counter()
    from citygen.config import make_config
    from citygen.engine.run import run

    imported = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="citygen-bench-") as scratch:
        out = Path(scratch) / "out"
        values = {"out": str(out), "workers": workers, **options}
        report = run(make_config(values, file=folder / "citygen.toml")).report
        ended = time.perf_counter()
        disk = sum(path.stat().st_size for path in out.rglob("*") if path.is_file() and ".citygen" not in path.parts)
    unit = 1 if sys.platform == "darwin" else 1024
    who = [resource.RUSAGE_SELF, *([resource.RUSAGE_CHILDREN] if workers > 1 else [])]
    peak = [resource.getrusage(one).ru_maxrss * unit for one in who]
    counts = {key: report[key] for key in ("footprints", "outcomes", "tiles", "triangles", "tile_bytes", "seconds")}
    print(json.dumps({"import": imported - began, "run": ended - imported, "peak": peak, "disk": disk, **counts}))


def sample(size: int, cache: Path) -> Path:
    """Make the sample of a size, once."""
    folder = cache / f"sample-{size}"
    if not (folder / "citygen.toml").is_file():
        subprocess.run(
            [sys.executable, "-m", "citygen", "sample", str(folder), "--buildings", str(size), "--overwrite"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder


def build(
    folder: Path, workers: int, options: dict[str, Any], environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Run ``child`` in a fresh process."""
    command = [
        sys.executable,
        __file__,
        "--child",
        str(folder),
        "--workers",
        str(workers),
        "--options",
        json.dumps(options),
    ]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def figures(size: int, result: dict[str, Any]) -> dict[str, Any]:
    """Turn a child's costs into the figures of the table."""
    built = result["outcomes"]["ok"] + result["outcomes"]["degraded"]
    return {
        "buildings": size,
        **result,
        "buildings_per_s": size / result["run"],
        "peak_mb": sum(result["peak"]) / 1e6,
        "bytes_per_building": result["tile_bytes"] / built,
        "triangles_per_building": result["triangles"] / built,
        "disk_mb": result["disk"] / 1e6,
    }


def exponents(rows: list[dict[str, Any]]) -> list[float]:
    """Return the growth between neighbouring sizes of the seconds after the start."""
    spent = [row["run"] - row["seconds"].get("open", 0.0) for row in rows]
    pairs = zip(rows, rows[1:], spent, spent[1:], strict=False)
    return [math.log(t2 / t1) / math.log(b["buildings"] / a["buildings"]) for a, b, t1, t2 in pairs]


def markdown(rows: list[dict[str, Any]], workers: int) -> str:
    """Return two tables: what each size costs, and its time by stage."""
    growth = ["", *[f"{e:.2f}" for e in exponents(rows)]]
    head = [
        "buildings",
        "seconds",
        "buildings/s",
        "peak memory",
        "GLB bytes a building",
        "triangles a building",
        "rejected",
        "growth",
    ]
    body = [
        [
            f"{row['buildings']:,}",
            f"{row['run']:.1f}",
            f"{row['buildings_per_s']:,.0f}",
            f"{row['peak_mb']:,.0f} MB",
            f"{row['bytes_per_building']:,.0f}",
            f"{row['triangles_per_building']:.1f}",
            f"{row['outcomes']['rejected']:,}",
            exponent,
        ]
        for row, exponent in zip(rows, growth, strict=True)
    ]
    stages = sorted({name for row in rows for name in row["seconds"]} - {"total", "preview"})
    stages.sort(key=lambda name: -rows[-1]["seconds"].get(name, 0.0))
    times = [[name.removeprefix("tile."), *[f"{row['seconds'].get(name, 0.0):.2f}" for row in rows]] for name in stages]
    rest = [row["run"] - sum(row["seconds"].get(name, 0.0) for name in stages) for row in rows]
    times.append(["the rest: catalogue, tileset, report", *[f"{seconds:.2f}" for seconds in rest]])
    by_stage = table(["seconds by stage", *[f"{row['buildings']:,}" for row in rows]], times)
    run = "one process" if workers == 1 else f"{workers} processes (stages are summed over them)"
    start = max(row["import"] for row in rows)
    note = f"Seconds are those of the build; Python's start and imports come before them ({start:.1f} s)."
    return f"{table(head, body)}\n\n{by_stage}\n\nOn {machine()}; {run}. {note}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--sizes", default=",".join(str(size) for size in SIZES), help="comma separated")
    parser.add_argument("--million", action="store_true", help="1,000,000 buildings too")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cold", action="store_true", help="also time a first build, with nothing compiled")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citygen-bench")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--readme", type=Path, help="put the tables into this file, between its speed marks")
    parser.add_argument("--check", action="store_true", help=f"exit 1 below {BAR} buildings/s at 100,000")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--options", default="{}", help="more options of a build, as JSON")
    given = parser.parse_args()
    options = json.loads(given.options)
    if given.child:
        child(given.child, given.workers, options)
        return 0
    sizes = sorted({*map(int, given.sizes.split(",")), *([MILLION] if given.million else [])})
    rows = []
    warm_up = sample(min(sizes[0], 1_000), given.cache)
    cold = None
    if given.cold:
        with tempfile.TemporaryDirectory(prefix="citygen-numba-") as empty:
            cold = build(warm_up, 1, options, {"NUMBA_CACHE_DIR": empty})["run"]
    build(warm_up, given.workers, options)
    for size in sizes:
        rows.append(figures(size, build(sample(size, given.cache), given.workers, options)))
        print(f"{size}: {rows[-1]['run']:.1f} s", file=sys.stderr)
    text = markdown(rows, given.workers)
    if cold is not None:
        text += f" A first build, with every kernel to compile: {cold:.0f} s."
    if given.json:
        print(json.dumps({"machine": machine(), "cold": cold, "growth": exponents(rows), "sizes": rows}, indent=1))
    else:
        print(text)
    if given.readme:
        replace_block(given.readme, "speed", text)
    slow = [row for row in rows if row["buildings"] == 100_000 and row["buildings_per_s"] < BAR]
    return 1 if given.check and slow else 0


if __name__ == "__main__":
    sys.exit(main())
