"""
Every registered roof shape on every real footprint: which came out closed, and how many needed a simpler shape.

Footprints are those of ``CITYGEN_TESTDATA``: all vector files of ``realdata`` and the outlines of ``hardcases/skeleton``. OSM
files are read by GDAL's multipolygon layer, buildings only. Each polygon takes each shape once, directions varied; the path is
the product's (repair, plan, draw, certify, perturb, simplify).
Run: ``python benchmarks/roof_coverage.py [--every 1] [--docs docs/roof-coverage.md]``.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from marked import machine, table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

VECTORS = (".gpkg", ".shp", ".fgb", ".geojson", ".osm", ".pbf", ".parquet")
NO_FOOTPRINTS = ("COMMUNE", "batiments_urock")
"""A municipality's outline; and a copy of another file, without its CRS."""
BATCH = 2000


def real_polygons(root: Path) -> dict[str, np.ndarray]:
    """Return the polygons of every vector file of the real data in metres, by folder."""
    found: dict[str, list[np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted((root / "realdata").rglob("*")):
            if path.suffix not in VECTORS or path.stem in NO_FOOTPRINTS:
                continue
            for part in path.parent.glob(f"{path.stem}.*"):
                shutil.copy(part, scratch)  # readers may write beside what they read
            polygons = _read(Path(scratch) / path.name)
            if len(polygons):
                found.setdefault(path.relative_to(root / "realdata").parts[0], []).append(polygons)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _read(path: Path) -> np.ndarray:
    import geopandas as gpd
    import pyogrio

    pyogrio.set_gdal_config_options({"OSM_USE_CUSTOM_INDEXING": "NO"})  # negative ids of editors
    if path.suffix == ".parquet":
        frame = gpd.read_parquet(path)
    elif path.suffix in {".osm", ".pbf"}:
        frame = gpd.read_file(path, layer="multipolygons", on_invalid="ignore")
        frame = frame[frame["building"].notna()]
    else:
        frame = gpd.read_file(path, on_invalid="ignore")
    frame = frame[frame.geom_type.isin(["Polygon", "MultiPolygon"])]
    if len(frame) and frame.crs is not None and frame.crs.is_geographic:
        frame = frame.to_crs(frame.estimate_utm_crs())
    return shapely.force_2d(frame.geometry.to_numpy())


def hard_polygons(root: Path) -> np.ndarray:
    """Return the outlines that broke other kernels, scaled to 40 m."""
    out = []
    for path in sorted((root / "hardcases/skeleton").glob("*.geojson")):
        for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
            shape = shapely.force_2d(shapely.geometry.shape(feature["geometry"]))
            west, south, east, north = shape.bounds
            moved = shapely.affinity.translate(shape, -west, -south)
            factor = 40.0 / max(east - west, north - south)
            out.append(shapely.affinity.scale(moved, factor, factor, origin=(0, 0)))
    return np.array(out, dtype=object)


def roofs_on(polygons: np.ndarray, shape: str) -> dict[str, int]:
    """Roof footprints with a shape; return counts of polygons, solids, perturbed and simplified rows."""
    from build_solids import raise_town
    from citygen.pipeline.shaping import NOT_CLOSED, PERTURBED, SIMPLIFIED

    counts = dict.fromkeys(("polygons", "solids", "perturbed", "simplified", "not closed"), 0)
    for start in range(0, len(polygons), BATCH):
        part = polygons[start : start + BATCH]
        directions = (start + np.arange(len(part))) * 41.0 % 360
        directions[::2] = np.nan
        town = raise_town(part, roof_shape=shape, roof_direction_deg=directions)
        counts["polygons"] += len(town.footprints.rings)
        counts["solids"] += len(town.shaped.meshes)
        for name, code in (("perturbed", PERTURBED), ("simplified", SIMPLIFIED), ("not closed", NOT_CLOSED)):
            counts[name] += len(town.rows_with(code))
    return counts


def slowest(polygons: np.ndarray) -> tuple[float, int]:
    """Return the longest time that a hipped roof on one outline takes, seconds, and the vertices of that outline."""
    from build_solids import raise_town

    raise_town(polygons[:1], roof_shape="hipped")
    times = []
    for k in range(len(polygons)):
        began = time.process_time()
        raise_town(polygons[k : k + 1], roof_shape="hipped")
        times.append((time.process_time() - began, int(shapely.get_num_coordinates(polygons[k]))))
    return max(times)


def rows(sets: dict[str, np.ndarray]) -> list[list[str]]:
    """Return a row for each shape: closed solids of polygons, and the shares that were perturbed and simplified."""
    from citygen.roofs.base import ROOFS

    out = []
    for shape in ROOFS.names():
        cells = [f"`{shape}`"]
        for polygons in sets.values():
            got = roofs_on(polygons, shape)
            share = 100.0 / max(got["polygons"], 1)
            cells += [
                f"{got['solids']:,} of {got['polygons']:,}",
                f"{got['perturbed'] * share:.3f} %",
                f"{got['simplified'] * share:.3f} % ({got['simplified']})",
            ]
        out.append(cells)
        print(" | ".join(cells), flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--every", type=int, default=1, help="take every n-th real footprint")
    parser.add_argument("--docs", type=Path, help="write the table to this page")
    given = parser.parse_args()
    data = os.environ.get("CITYGEN_TESTDATA")
    if not data:
        sys.exit("CITYGEN_TESTDATA is unset: it names the folder that holds realdata/ and hardcases/")
    began = time.perf_counter()
    real = real_polygons(Path(data))
    print({name: len(polygons) for name, polygons in real.items()}, flush=True)
    sets: dict[str, Any] = {
        "real footprints": np.concatenate(list(real.values()))[:: given.every],
        "outlines that broke other kernels": hard_polygons(Path(data)),
    }
    head = ["shape"] + [f"{name}: {what}" for name in sets for what in ("closed", "perturbed", "simpler")]
    body = table(head, rows(sets))
    text = "\n".join(
        [
            "# Roofs on real footprints\n\n<!-- Written by benchmarks/roof_coverage.py -->\n",
            f"Every shape on {len(sets['real footprints']):,} real footprints",
            f"({', '.join(f'{name}: {len(polygons):,}' for name, polygons in real.items())})",
            f"and on the {len(sets['outlines that broke other kernels'])} outlines of `hardcases/skeleton`.",
            "Closed: solids that passed every check, of polygons that repair left. Perturbed: break lines moved by less than",
            "2.5 mm. Simpler: another shape stands in, and the row says so.\n",
            f"{body}\n",
            "The slowest of the hard outlines, hipped, from footprint to certified solid: {:.2f} s ({:,} vertices).\n".format(
                *slowest(sets["outlines that broke other kernels"])
            ),
            f"On {machine()}; {time.perf_counter() - began:.0f} s.\n",
        ]
    )
    if given.docs:
        given.docs.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
