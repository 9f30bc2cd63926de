"""
The speed of roofs on one core: straight skeletons beside CGAL's (pysfcgal), every registered shape, and the first roof.

Outlines are those of ``outlines.py``. The peer's time is that of its call alone, its result not read; ours is that of whole
arrays of outlines, as a tile hands them on. Without pysfcgal (``pip install pysfcgal``) its columns are left out.
Run: ``python benchmarks/bench_roofs.py [--count 20] [--readme README.md]``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from marked import machine, replace_block, table

FAMILIES = ("right-angled", "digitised", "star")
SIZES = (4, 8, 20, 50)
PEER_CALLS = ("extrude_straight_skeleton", "extrude_polygon_straight_skeleton", "straight_skeleton_partition")
FIRST = ("gabled", "hipped")
MANY = 4_000


def best_s(call: Callable[[], object], repeat: int = 3) -> float:
    """Return the processor's seconds of the best of some calls; one before does not count, nor what else the machine does."""
    call()
    times = []
    for _ in range(repeat):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return min(times)


def roofs_of(rings: Any, name: str) -> Callable[[], Any]:
    """Return a call that draws a registered shape on every polygon of some rings, ridges along them, at its own slope."""
    import numpy as np

    from citygen.geom.rings import main_axes
    from citygen.roofs.base import ROOFS
    from citygen.roofs.draw import RoofTask, draw, measure

    shape = ROOFS[name]
    along = main_axes(rings.coords, rings.ring_offsets, rings.polygon_offsets)[:, :2]
    axes = np.stack([-along[:, 1], along[:, 0]], axis=1)
    each = np.zeros(len(rings), dtype=np.int64)
    run, variant, *_ = measure(rings, (shape,), each, axes)
    rise, still = np.tan(np.radians(shape.pitch.default)) * run, np.zeros(len(rings))
    task = RoofTask(rings, (shape,), each, variant, axes, rise, still, still, rings)
    return lambda: draw(task)


def skeletons_of(rings: Any) -> Callable[[], Any]:
    """Return a call that takes the straight skeleton of every polygon of some rings."""
    from citygen.geom.faces import straight_skeletons

    return lambda: straight_skeletons(rings.coords, rings.ring_offsets, rings.polygon_offsets)


def rings_of(family: str, n: int, count: int, many: int) -> Any:
    """Return ``many`` outlines of a family, ``count`` of them distinct."""
    import numpy as np
    from outlines import outline

    from citygen.model.rings import from_polygons

    made = [outline(family, n, k) for k in range(count)]
    return from_polygons(np.array([made[k % count] for k in range(many)], dtype=object))


def peer_calls() -> list[str]:
    """Return the peer's calls that this installation has; none without pysfcgal."""
    try:
        from pysfcgal.geometry import Geometry, Polygon
    except ImportError:
        return []
    polygon = Geometry.from_wkt("POLYGON((0 0,2 0,2 1,0 1,0 0))")
    assert isinstance(polygon, Polygon)
    return [name for name in PEER_CALLS if hasattr(polygon, name)]


def peer_ms(name: str, family: str, n: int, count: int) -> float:
    """Return the peer's milliseconds an outline."""
    import shapely
    from outlines import outline
    from pysfcgal.geometry import Geometry

    made = [Geometry.from_wkb(shapely.to_wkb(outline(family, n, k))) for k in range(count)]
    heights = {"extrude_straight_skeleton": (1000.0,), "extrude_polygon_straight_skeleton": (3.0, 1000.0)}
    given = heights.get(name, ())
    return 1e3 * best_s(lambda: [getattr(polygon, name)(*given) for polygon in made], repeat=1) / count


def skeletons(count: int) -> list[dict[str, Any]]:
    """Time straight skeletons, as checked faces, ours and the peer's, an outline."""
    rows = []
    calls = peer_calls()
    for family in FAMILIES:
        for n in SIZES:
            some = max(5, count * 8 // n) if n > 8 else count
            many = max(200, MANY * 4 // n)
            row: dict[str, Any] = {"family": family, "vertices": n}
            row["ours_us"] = 1e6 * best_s(skeletons_of(rings_of(family, n, some, many)), repeat=5) / many
            row["peer_ms"] = {name: peer_ms(name, family, n, some) for name in calls}
            rows.append(row)
            print(json.dumps(row), file=sys.stderr)
    return rows


def shapes() -> list[dict[str, Any]]:
    """Time every registered shape: roofs a second on rectangles and on outlines of twenty vertices."""
    from citygen.roofs.base import ROOFS

    plain, many = rings_of("right-angled", 4, 500, 5 * MANY), rings_of("right-angled", 20, 200, MANY)
    found = []
    for shape in ROOFS:
        calls = [roofs_of(rings, shape.name) for rings in (plain, many)]
        failed = sum(int((~surfaces.ok).sum()) for call in calls for _, surfaces in call())
        rates = [len(rings) / best_s(call) for rings, call in zip((plain, many), calls, strict=True)]
        row = {
            "shape": shape.name,
            "family": shape.family,
            "rectangles": rates[0],
            "twenty": rates[1],
            "failed": failed,
        }
        found.append(row)
    return found


def first_s(name: str, cache: Path) -> float:
    """Return the seconds from launching Python to the end of its first roof, with kernels from a cache folder."""
    began = time.perf_counter()
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    subprocess.run([sys.executable, __file__, "--first", name], check=True, env=environment)
    return time.perf_counter() - began


def starts() -> list[dict[str, Any]]:
    """Time the first roof of a process with nothing compiled, and with everything compiled."""
    found = []
    for name in FIRST:
        with tempfile.TemporaryDirectory(prefix="citygen-numba-") as folder:
            cold = first_s(name, Path(folder))
            warm = min(first_s(name, Path(folder)) for _ in range(3))
        found.append({"shape": name, "cold": cold, "warm": warm})
    return found


def markdown(result: dict[str, Any]) -> str:
    """Return the tables."""
    calls = list(result["skeletons"][0]["peer_ms"])
    head = [
        "straight skeletons",
        "vertices",
        "citygen, ms",
        *(f"`{name}`, ms" for name in calls),
        *["faster by"] * bool(calls),
    ]
    rows = []
    for row in result["skeletons"]:
        ours = row["ours_us"] / 1e3
        peers = list(row["peer_ms"].values())
        times = f"{min(peers) / ours:,.0f} to {max(peers) / ours:,.0f} times" if peers else ""
        rows.append(
            [row["family"], str(row["vertices"]), f"{ours:.4f}", *(f"{ms:.2f}" for ms in peers), *[times] * bool(peers)]
        )
    by_shape = [
        [f"`{row['shape']}`", row["family"], f"{row['rectangles']:,.0f}", f"{row['twenty']:,.0f}"]
        for row in result["shapes"]
    ]
    failed = [f"{row['failed']} {row['shape']}" for row in result["shapes"] if row["failed"]]
    begin = [[f"`{row['shape']}`", f"{row['cold']:.1f} s", f"{row['warm']:.2f} s"] for row in result["starts"]]
    peer = (
        "pysfcgal (CGAL), its calls alone, beside it in the same run" if calls else "pysfcgal is not installed: no peer"
    )
    return "\n\n".join(
        [
            table(head, rows),
            table(["roofs/s", "family", "rectangles", "right-angled outlines of 20 vertices"], by_shape),
            table(["from Python's start to the first roof", "with kernels to compile", "with compiled kernels"], begin),
            f"On one of {machine()}; {peer}. Each time is a mean over outlines that differ, "
            f"processor time but for the starts. Roofs that did not come out: {', '.join(failed) or 'none'}.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--count", type=int, default=20, help="outlines a family and size that the peer is timed on")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--readme", type=Path, help="put the tables into this file, between its roof-speed marks")
    parser.add_argument("--first", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first:
        roofs_of(rings_of("right-angled", 4, 1, 1), given.first)()
        return 0
    if not peer_calls():
        print("pysfcgal is not installed: the peer's columns are left out", file=sys.stderr)
    result = {"skeletons": skeletons(given.count), "shapes": shapes(), "starts": starts()}
    print(json.dumps({"machine": machine(), **result}, indent=1) if given.json else markdown(result))
    if given.readme:
        replace_block(given.readme, "roof-speed", markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
