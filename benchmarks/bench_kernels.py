"""
The kernels by themselves: microseconds to cut a roof out of an outline and to triangulate a face, warm, one thread.

The figures behind docs/decisions/0002. Run: ``python benchmarks/bench_kernels.py [--count 20000] [--write]``.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely
from marked import machine, replace_block, table

from citygen.geom.profile import pack, sweep
from citygen.geom.triangulate import triangulate
from citygen.model.rings import from_polygons
from citygen.roofs.base import ROOFS

DECISION = Path(__file__).resolve().parent.parent / "docs" / "decisions" / "0002-numba-in-core.md"
_L = np.array([[0, 0], [14, 0], [14, 7], [9, 7], [9, 16], [0, 16]], dtype=float)


def best_us(call: Callable[[], object], count: int) -> float:
    """Return the microseconds a thing of the best of five calls that each do ``count`` things; one before does not count."""
    call()
    times = []
    for _ in range(5):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e6 * min(times) / count


def roofs_us(shape: str, count: int) -> float:
    """Cut ``count`` L-shaped outlines, each turned a little more, with a shape's section."""
    turn = np.linspace(0.1, np.pi, count)
    axes = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    rings = from_polygons(np.array([shapely.Polygon(_L)] * count))
    sections = pack([ROOFS[shape].section(1)])
    zeros = np.zeros(count)
    return best_us(lambda: sweep(rings, axes, zeros.astype(np.int64), sections, zeros + 3.0, zeros), count)


def faces_us(corners: int, count: int) -> float:
    """Triangulate ``count`` star-shaped faces of that many corners."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = np.where(np.arange(corners) % 2, 6.0, 10.0)
    face = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.zeros(corners)], axis=1)
    vertices = np.tile(face, (count, 1))
    every = np.arange(count + 1)
    return best_us(lambda: triangulate(vertices, np.arange(len(vertices)), every * corners, every), count)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--write", action="store_true", help="put the table into docs/decisions/0002")
    given = parser.parse_args()
    rows = [[f"cut a {shape} roof out of an L", f"{roofs_us(shape, given.count):.1f}"] for shape in ("gabled", "round")]
    rows += [[f"triangulate a star of {n} corners", f"{faces_us(n, given.count):.1f}"] for n in (6, 18)]
    text = f"{table(['kernel', 'us each'], rows)}\n\nBest of five, one thread; {machine()} (`benchmarks/bench_kernels.py`)."
    print(text)
    if given.write:
        replace_block(DECISION, "kernels", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
