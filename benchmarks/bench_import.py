"""
What a start costs: importing citygen, asking the command line for help, a worker, in multiples of ``import numpy``.

Each is timed in fresh processes; the median of several counts. The start of Python itself is measured and taken off.
Run: ``python benchmarks/bench_import.py [--repeat 7] [--json] [--check]``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from marked import machine, table

_COUNT = "; import sys; print(len(sys.modules), 'numpy' in sys.modules)"


@dataclass(frozen=True, slots=True)
class Start:
    """One kind of start: its name, the code to run, and its budgets (DESIGN, section 7; None: none)."""

    name: str
    code: str
    multiple: float | None = None
    seconds: float | None = None


STARTS = (
    Start("python", "pass"),
    Start("import numpy", "import numpy"),
    Start("import citygen", "import citygen", 1.2, 0.2),
    Start(
        "citygen --help",
        "import sys; sys.argv = ['citygen', '--help']\n"
        "try:\n    from citygen.cli import main; main()\nexcept SystemExit: pass\nsys.stdout.flush()",
        0.5,
        0.4,
    ),
    Start("a worker (citygen.pipeline.guarded)", "import citygen.pipeline.guarded", 4.0),
    Start("a build (citygen.engine.run)", "import citygen.engine.run", 12.0),
    Start("geopandas, for comparison", "import geopandas"),
)


def measure(start: Start, repeat: int) -> dict[str, object]:
    """Time one kind of start; seconds from launching the interpreter to its end, and what it loaded."""
    separator = "\n" if "\n" in start.code else ""
    code = start.code + (separator + _COUNT.removeprefix("; ") if separator else _COUNT)
    times, last = [], ""
    for _ in range(repeat + 1):  # the first fills the disk cache and is not counted
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - began)
        last = done.stdout.strip().splitlines()[-1]
    modules, has_numpy = last.split()
    return {"seconds": statistics.median(times[1:]), "modules": int(modules), "numpy": has_numpy == "True"}


def run(repeat: int) -> dict[str, dict[str, object]]:
    """Time every kind of start; ``multiple`` is its time over that of ``import numpy``, both less Python's own."""
    found = {start.name: measure(start, repeat) for start in STARTS}
    bare = float(str(found["python"]["seconds"]))
    unit = float(str(found["import numpy"]["seconds"])) - bare
    for result in found.values():
        result["multiple"] = (float(str(result["seconds"])) - bare) / unit
    return found


def over_budget(found: dict[str, dict[str, object]]) -> list[str]:
    """Say which starts cost more than they may."""
    lines = []
    for start in STARTS:
        multiple, seconds = (float(str(found[start.name][key])) for key in ("multiple", "seconds"))
        if start.multiple is not None and multiple > start.multiple:
            lines.append(f"{start.name}: {multiple:.2f} times import numpy, may be {start.multiple}")
        if start.seconds is not None and seconds > start.seconds:
            lines.append(f"{start.name}: {seconds:.2f} s, may be {start.seconds}")
    return lines


def markdown(found: dict[str, dict[str, object]]) -> str:
    """Return the table."""
    head = ["start", "ms, with Python's own", "times `import numpy`", "budget", "modules"]
    rows = []
    for start in STARTS:
        result = found[start.name]
        budget = "" if start.multiple is None else f"{start.multiple:g}"
        ms, multiple = float(str(result["seconds"])) * 1000, float(str(result["multiple"]))
        rows.append([start.name, f"{ms:.0f}", f"{multiple:.2f}", budget, str(result["modules"])])
    return table(head, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit 1 when a start is over its budget")
    given = parser.parse_args()
    found = run(given.repeat)
    if given.json:
        print(json.dumps({"machine": machine(), "starts": found}, indent=1))
    else:
        print(f"{markdown(found)}\n\n{machine()}; median of {given.repeat}.")
    problems = over_budget(found)
    for line in problems:
        print(f"over budget: {line}", file=sys.stderr)
    return 1 if given.check and problems else 0


if __name__ == "__main__":
    sys.exit(main())
