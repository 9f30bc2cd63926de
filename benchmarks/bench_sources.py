"""
OpenStreetMap PBF to rows: MB/s and peak memory of citygen, of GDAL (pyogrio) and of a bare pass of osmium over the same file.

Run: ``python benchmarks/bench_sources.py [--houses 250000] [--runs 3] [--file EXTRACT.osm.pbf] [--json]``. Without a file it
writes one as dense in buildings as the planet (some 140 bytes of file a building, half of all nodes on buildings, three of
five ways are buildings, objects edited at many times). Each reader runs alone in a fresh process; the best of a few runs counts.

What the profile taught: a call of Python for each building costs 5 to 15 microseconds (osmium's callbacks with tags: 4 MB/s,
its areas: 10 MB/s), more than all the rest. So blobs are decoded in bulk by kernels that know only protobuf; of the strings
of a block only those that buildings use are copied; blobs of plain nodes are recognised by their first bytes and not unpacked
when nobody asks for places yet; ids of nodes are matched by walking two sorted lists. After that, unpacking (zlib) and
the varints of nodes are half of the time. Pieces are worked on by several threads: zlib, NumPy and the kernels allow it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from marked import machine, table

TARGET = 20.0
"""MB/s that reading must reach."""

_CLASSES = ("yes", "yes", "yes", "house", "residential", "detached", "apartments", "garage", "shed", "industrial")
_OTHER = (
    {"highway": "residential", "surface": "asphalt", "maxspeed": "30"},
    {"highway": "footway"},
    {"barrier": "fence"},
    {"landuse": "grass"},
    {"waterway": "stream"},
    {"highway": "track", "tracktype": "grade2"},
)


def synthesise(path: Path, houses: int) -> None:
    """Write an extract with a number of buildings, the same for the same number."""
    import osmium
    from osmium.osm import mutable

    random = np.random.default_rng(7)
    times = [datetime.fromtimestamp(int(t), UTC) for t in random.integers(1.2e9, 1.7e9, 4000)]
    ways, node, way = [], 1_000_000, 500_000
    with osmium.SimpleWriter(str(path), overwrite=True) as writer:
        for street in range(houses // 15):
            node += int(random.integers(1, 4000))
            x, y = 10 + 0.003 * (street % 400), 50 + 0.002 * (street // 400)
            for ring, places, tags in _street(random, street):
                refs = []
                stamp, edit = times[int(random.integers(4000))], int(random.integers(10**6, 10**8))
                for dx, dy in places:
                    if random.random() < 0.3:  # moved by somebody later
                        stamp, edit = times[int(random.integers(4000))], int(random.integers(10**6, 10**8))
                    point = (x + float(dx), y + float(dy))
                    extra = {"highway": "crossing"} if not ring and random.random() < 0.03 else {}
                    writer.add_node(
                        mutable.Node(id=node, version=1, changeset=edit, timestamp=stamp, location=point, tags=extra)
                    )
                    refs.append(node)
                    node += 1 + int(random.random() < 0.1)
                way += int(random.integers(1, 30))
                ways.append((way, [*refs, refs[0]] if ring else refs, tags, edit, stamp))
        for number, refs, tags, edit, stamp in ways:
            writer.add_way(mutable.Way(id=number, version=2, changeset=edit, timestamp=stamp, nodes=refs, tags=tags))
        for k in range(0, len(ways) - 1, 400):
            pair = [("w", ways[k][0], "outer"), ("w", ways[k + 1][0], "inner")]
            kind = {"type": "multipolygon", "building": "yes"} if k % 800 else {"type": "route", "ref": str(k)}
            writer.add_relation(mutable.Relation(id=k + 1, version=1, members=pair, tags=kind))


def _street(random: Any, street: int) -> Iterator[tuple[bool, Any, dict[str, str]]]:
    """Yield the ways of a street: whether it is a ring, its places in degrees, its tags."""
    for house in range(15):
        corners = int(random.choice([4, 4, 4, 6, 6, 8, 12]))
        turn = np.linspace(0, 2 * np.pi, corners, endpoint=False) + random.random()
        wall = np.stack([np.cos(turn) * 8e-5, np.sin(turn) * 5e-5], axis=1) + random.normal(0, 4e-6, (corners, 2))
        tags = {"building": _CLASSES[int(random.integers(len(_CLASSES)))]}
        luck = random.random()
        if luck < 0.3:
            tags |= {"addr:street": f"Street {street % 5000}", "addr:housenumber": str(2 * house + 1)}
            tags |= {"addr:city": f"Town {street // 900}", "addr:postcode": str(10_000 + street // 300)}
        if luck < 0.12:
            tags["building:levels"] = str(int(random.integers(1, 7)))
        if luck < 0.05:
            tags |= {"roof:shape": ("gabled", "hipped", "flat")[house % 3], "height": f"{20 * random.random():.1f}"}
        if 0.5 < luck < 0.7:
            tags["source"] = "survey"
        yield True, wall + np.array([house % 8 * 2e-4, house // 8 * 6e-4]), tags
    for k in range(10):
        steps = np.cumsum(random.normal(0, 1e-4, (int(random.integers(2, 21)), 2)), axis=0)
        tags = dict(_OTHER[(street + k) % len(_OTHER)])
        yield False, steps, tags | ({"name": f"Street {street % 5000}"} if "surface" in tags else {})


def citygen(path: Path) -> int:
    """Read everything there is to know of every building."""
    from citygen.sources.base import open_source

    return sum(len(batch) for batch in open_source(path).batches(None))


def citygen_needed(path: Path) -> int:
    """Read what a build reads: the columns of the dialect."""
    from citygen.attributes.dialect import columns_needed
    from citygen.sources.base import SourceOptions, open_source

    first = open_source(path)
    needed = tuple(columns_needed(first.info.columns, "osm", {}))
    return sum(len(batch) for batch in open_source(path, SourceOptions(columns=needed)).batches(None))


def gdal(path: Path) -> int:
    """Read the layer of areas with GDAL, in Arrow batches."""
    import pyogrio

    count = 0
    with pyogrio.open_arrow(path, layer="multipolygons", use_pyarrow=True, where="building IS NOT NULL") as (_, reader):
        for batch in reader:
            count += len(batch)
    return count


def osmium_pass(path: Path) -> int:
    """Unpack and decode every object in osmium, and look at none: what reading costs at least."""
    import osmium

    osmium.apply(osmium.io.Reader(str(path)), osmium.filter.KeyFilter("no such key"))
    return 0


def osmium_areas(path: Path) -> int:
    """Draw every building in osmium, with its WKB and tags handed to Python."""
    import osmium

    keys, wkb, count = osmium.filter.KeyFilter("building", "building:part"), osmium.geom.WKBFactory(), 0
    areas = osmium.FileProcessor(str(path)).with_areas(keys).with_filter(osmium.filter.EntityFilter(osmium.osm.AREA))
    for area in areas.with_filter(keys):
        wkb.create_multipolygon(area)
        dict(area.tags)
        count += 1
    return count


READERS: dict[str, Callable[[Path], int]] = {
    "citygen, all tags": citygen,
    "citygen, as a build reads": citygen_needed,
    "osmium, one bare pass": osmium_pass,
    "osmium, areas to Python": osmium_areas,
    "GDAL through pyogrio": gdal,
}


def measure(name: str, path: Path, runs: int) -> dict[str, float]:
    """Run a reader in fresh processes: the best seconds, its rows, and the peak memory in MiB (imports included)."""
    best: dict[str, float] = {}
    for _ in range(runs):
        command = [sys.executable, __file__, "--file", str(path), "--only", name]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if not best or found["seconds"] < best["seconds"]:
            best = found
    return best


def run_one(name: str, path: Path) -> dict[str, float]:
    """Run a reader here, once for its imports on a file of one building, once on the file."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "one.osm.pbf"
        synthesise(small, 15)
        READERS[name](small)
    start, work = time.perf_counter(), time.process_time()
    rows = READERS[name](path)
    seconds, work = time.perf_counter() - start, time.process_time() - work
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "cpu_seconds": work,
        "rows": rows,
        "peak_mib": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10),
    }


def markdown(results: dict[str, dict[str, float]], size: int) -> str:
    """Return the results as a table."""
    bare = results["osmium, one bare pass"]["seconds"]
    rows = [
        [
            name,
            f"{each['seconds']:.2f}",
            f"{size / 1e6 / each['seconds']:.1f}",
            f"{each['cpu_seconds']:.2f}",
            f"{each['seconds'] / bare:.2f}",
            f"{each['rows']:,.0f}",
            f"{each['peak_mib']:.0f}",
        ]
        for name, each in results.items()
    ]
    return table(["reader", "s", "MB/s", "s of CPU", "times the bare pass", "rows", "peak MiB"], rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--houses", type=int, default=250_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--only", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(run_one(options.only, options.file)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = options.file or Path(folder) / "made.osm.pbf"
        if options.file is None:
            synthesise(path, options.houses)
        size = path.stat().st_size
        results = {name: measure(name, path, options.runs) for name in READERS}
    speed = size / 1e6 / results["citygen, all tags"]["seconds"]
    if options.json:
        print(json.dumps({"bytes": size, "mb_per_s": speed, "readers": results}, indent=2))
    else:
        rows = results["citygen, all tags"]["rows"]
        print(
            f"{machine()}\n\n{size / 1e6:.1f} MB, {size / max(rows, 1):.0f} bytes a building; best of {options.runs}\n"
        )
        print(markdown(results, size))
        print(f"\n{speed:.1f} MB/s, and {TARGET:.0f} are asked for")
    return 0 if speed >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
