"""
The large sample dealt to tiles: buildings a second and peak memory, beside a bare read of the same file.

The bound is the same columns decoded by Arrow and thrown away. Run: ``python benchmarks/bench_plan.py [--buildings N] [--json]``.
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

from marked import machine, table


def measure(folder: Path) -> dict[str, Any]:
    """Plan the sample of a folder in this process; figures of the plan and of its bound."""
    import pyarrow.parquet as pq

    from citygen.config import make_config
    from citygen.pipeline.inputs import open_inputs
    from citygen.pipeline.plan import make_plan

    config = make_config({}, file=folder / "citygen.toml")
    inputs = open_inputs(config)
    columns = ["id", "geometry", *inputs.sources[0].columns]
    best: dict[str, Any] = {}
    for turn in ("warm the kernels", "timed", "timed again"):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            began = time.perf_counter()
            plan = make_plan(inputs, Path(scratch), config.map)
            seconds = time.perf_counter() - began
        if turn != "warm the kernels" and seconds < best.get("seconds", 1e9):
            best = {"buildings": sum(plan.counts.values()), "tiles": len(plan.tiles), "seconds": seconds}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    began = time.perf_counter()
    with pq.ParquetFile(folder / "buildings.parquet") as file:
        known = [name for name in columns if name in file.schema_arrow.names]
        for _ in file.iter_batches(65_536, columns=known):
            pass
    bare = time.perf_counter() - began
    return {**best, "per_second": best["buildings"] / best["seconds"], "peak_mib": peak, "bound_s": bare}


def main() -> None:
    """Make the sample, plan it in a process of its own, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--buildings", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(args.child)))
        return
    from citygen.sample import write_large

    with tempfile.TemporaryDirectory(prefix="citygen-plan-") as scratch:
        write_large(Path(scratch) / "buildings.parquet", args.buildings)
        command = [sys.executable, __file__, "--child", scratch]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if args.json:
        print(json.dumps(result))
        return
    head = ["buildings", "tiles", "plan, s", "buildings/s", "peak, MiB", "bare read, s", "plan / bare read"]
    row = [
        f"{result['buildings']:,}",
        f"{result['tiles']:,}",
        f"{result['seconds']:.1f}",
        f"{result['per_second']:,.0f}",
        f"{result['peak_mib']:.0f}",
        f"{result['bound_s']:.2f}",
        f"{result['seconds'] / result['bound_s']:.1f}",
    ]
    print(machine())
    print(table(head, [row]))


if __name__ == "__main__":
    main()
