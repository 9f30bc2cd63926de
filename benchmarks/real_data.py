"""
Two real towns, built and held against what their surveys say of ground, eaves and roof tops: a Markdown table.

La Rochelle is BD TOPO on the RGE ALTI 1 m DEM; Den Haag is a municipal LoD2 model: its outlines, its own roof types and
heights, and a DEM of its terrain. The folder is that of the environment variable CITYGEN_TESTDATA (not in this repository).
Run: ``python benchmarks/real_data.py [--readme README.md] [--json]``.
"""

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from marked import machine, replace_block, table


@dataclass(frozen=True, slots=True)
class Town:
    """A real data set: its files, the words of its columns, and which of them are the truth."""

    name: str
    folder: str
    buildings: str
    dem: str
    column_map: dict[str, str]
    truth: dict[str, str]
    """Catalogue column to the source's column."""
    lowest: float = -math.inf
    """Truth below this height cannot be: the source has filled gaps with a small number. It is not compared."""


TOWNS = (
    Town(
        "La Rochelle",
        "01_larochelle_bdtopo_dem",
        "buildings_bdtopo.gpkg",
        "dem_rgealti_1m.tif",
        {"eave_height": "hauteur"},
        {
            "ground_z": "altitude_minimale_sol",
            "eave_z": "altitude_minimale_toit",
            "ridge_z": "altitude_maximale_toit",
        },
        lowest=10.0,  # the lowest ground is at 16.7 m; 3 and 6 stand for 'not known'
    ),
    Town(
        "Den Haag",
        "08_denhaag_lod2_west",
        "footprints_west.gpkg",
        "dem_tin_1m_west.tif",
        {"height": "ridge_rel", "eave_height": "eaves_rel", "roof_shape": "roofType"},
        {"ground_z": "ground_z_model", "eave_z": "eaves_abs", "ridge_z": "ridge_abs"},
    ),
)


def measure(town: Town, realdata: Path) -> dict[str, Any]:
    """
    Build a town twice (the second time is timed, with warm kernels) and compare.

    Parameters
    ----------
    town : Town
        What to build.
    realdata : pathlib.Path
        The folder of the data sets; nothing is written there.

    Returns
    -------
    dict
        name, outcomes, roofs, seconds, and for each catalogue column of ``town.truth`` its differences in metres
        (ours less the source's): ``n``, ``median``, ``median_abs``, ``p95_abs``; ``eave_z_as_asked`` counts only
        the roofs that were built in the shape that was asked for.
    """
    from citygen.config import make_config
    from citygen.engine.run import run

    with tempfile.TemporaryDirectory(prefix="citygen-real-") as scratch:
        folder = Path(scratch) / "in"
        folder.mkdir()
        for name in (town.buildings, town.dem):  # some readers write beside a GeoPackage
            shutil.copy(realdata / town.folder / name, folder)
        values = {
            "buildings": [str(folder / town.buildings)],
            "dem": [str(folder / town.dem)],
            "map": town.column_map,
        }
        for turn in ("cold", "warm"):
            out = Path(scratch) / turn
            report = run(make_config({**values, "out": str(out)})).report
        joined = _joined(town, folder / town.buildings, out / "buildings.parquet")
    result = {"name": town.name, "seconds": report["seconds"]["total"]}
    result |= {key: report[key] for key in ("footprints", "outcomes", "reasons", "roofs", "tiles", "triangles")}
    truth = list(town.truth.values())
    joined[truth] = joined[truth].where(joined[truth] >= town.lowest)
    for ours, theirs in town.truth.items():
        result[ours] = _differences(joined[ours], joined[theirs])
    as_asked = joined[joined["roof_from"] != "default"]
    result["eave_z_as_asked"] = _differences(as_asked["eave_z"], as_asked[town.truth["eave_z"]])
    return result


def _joined(town: Town, source: Path, catalogue: Path) -> Any:
    """Put the source's columns beside the catalogue's rows; ids are the source's own (``id``, ``id#2``, ...) or row numbers."""
    import geopandas as gpd

    built = gpd.read_parquet(catalogue).set_index("id")
    given = gpd.read_file(source, fid_as_index=True)
    again = given.groupby("id").cumcount()
    own = given["id"].astype(str) + [f"#{k + 1}" if k else "" for k in again]
    for ids in (own, given.index.astype(str)):
        if built.index.is_unique and set(ids) == set(built.index):
            return built.join(given.set_axis(ids, axis=0)[list(town.truth.values())])
    raise ValueError(f"{town.name}: not every footprint has exactly one row")


def _differences(ours: Any, theirs: Any) -> dict[str, float]:
    """Describe ours less theirs where both are known."""
    gap = (ours - theirs).to_numpy(dtype=float)
    gap = gap[np.isfinite(gap)]
    if len(gap) == 0:
        return {"n": 0, "median": float("nan"), "median_abs": float("nan"), "p95_abs": float("nan")}
    size = np.abs(gap)
    return {
        "n": len(gap),
        "median": float(np.median(gap)),
        "median_abs": float(np.median(size)),
        "p95_abs": float(np.quantile(size, 0.95)),
    }


def markdown(results: list[dict[str, Any]]) -> str:
    """Return the table, a column a town."""
    head = ["", *[f"{r['name']}" for r in results]]

    def line(title: str, text: Any) -> list[str]:
        return [title, *[text(r) for r in results]]

    def outcomes(r: dict[str, Any]) -> str:
        return ", ".join(f"{n} {name}" for name, n in r["outcomes"].items())

    def gap(name: str) -> Any:
        def text(r: dict[str, Any]) -> str:
            d = r[name]
            if not d["n"]:
                return "no roof type in the source"
            return f"{d['median_abs']:.3f} m (95 %: {d['p95_abs']:.2f}; bias {d['median']:+.3f}; n {d['n']})"

        return text

    rows = [
        line("footprints", lambda r: str(r["footprints"])),
        line("outcomes", outcomes),
        line("roofs built", lambda r: ", ".join(f"{n} {name}" for name, n in r["roofs"].items())),
        line("ground, median abs. difference", gap("ground_z")),
        line("roof top, median abs. difference", gap("ridge_z")),
        line("eave, median abs. difference", gap("eave_z")),
        line("eave, roofs built as asked", gap("eave_z_as_asked")),
        line("time", lambda r: f"{r['seconds']:.1f} s"),
    ]
    return table(head, rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--readme", type=Path, help="put the table into this file, between its real-data marks")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = Path(os.environ.get("CITYGEN_TESTDATA", "")) / "realdata"
    if not os.environ.get("CITYGEN_TESTDATA") or not folder.is_dir():
        print("CITYGEN_TESTDATA must name the folder that holds realdata/", file=sys.stderr)
        return 2
    results = [measure(town, folder) for town in TOWNS]
    if given.json:
        print(json.dumps({"machine": machine(), "towns": results}, indent=1, ensure_ascii=False))
    else:
        print(markdown(results))
    if given.readme:
        replace_block(given.readme, "real-data", f"{markdown(results)}\n\nOn {machine()}, one process.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
