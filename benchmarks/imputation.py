"""
Half of the heights of real towns hidden, and what citygen puts in their place, beside two simple guesses.

Hidden are the buildings whose id's SHA-256 is even; what else of the source tells the height goes too. The towns are those of
``CITYGEN_TESTDATA``. Errors are medians of the absolute difference from the hidden height, metres: of citygen's height, of the
median of the class among the heights that are shown, and of storeys x 3 m where storeys are given.
Run: ``python benchmarks/imputation.py [--write docs/heights.md] [--only 11]``.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from marked import replace_block, table

BLOCK = "imputation"


@dataclass(frozen=True)
class Case:
    """A town: its files below the data's folder, its column of heights, of classes and of storeys, and options of the build."""

    name: str
    files: tuple[str, ...]
    height: str
    classes: tuple[str, ...] = ()
    storeys: str = ""
    options: dict[str, Any] = field(default_factory=dict)


_OLEMPS = "11_olemps_bdtopo"
CASES = (
    Case(
        "01 La Rochelle",
        ("01_larochelle_bdtopo_dem/buildings_bdtopo.gpkg",),
        "hauteur",
        ("usage_1",),
        "nombre_d_etages",
    ),
    Case(
        "11 Olemps, version 2",
        tuple(f"{_OLEMPS}/v2/BATI_{name}.shp" for name in ("INDIFFERENCIE", "INDUSTRIEL", "REMARQUABLE")),
        "hauteur",
        ("nature",),
    ),
    Case("11 Olemps, version 3", (f"{_OLEMPS}/v3/BATIMENT.shp",), "HAUTEUR", ("USAGE1", "LEGER"), "NB_ETAGES"),
    Case(
        "13 Overture",
        ("13_formats_overture_fgb_heights/overture_buildings.parquet",),
        "height",
        ("class",),
        "num_floors",
    ),
    Case(
        "13 Suzhou",
        ("13_formats_overture_fgb_heights/suzhou_bd_demo_2.geojson",),
        "height",
        (),
        "Floor",
        {"map": {"levels": "Floor"}},
    ),
    Case("13 Suzhou, storeys unread", ("13_formats_overture_fgb_heights/suzhou_bd_demo_2.geojson",), "height"),
)


def read(case: Case, root: Path) -> gpd.GeoDataFrame:
    """Read a town from a copy: readers may write beside what they read."""
    frames = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in case.files:
            path = root / name
            for part in path.parent.glob(f"{path.stem}.*"):
                shutil.copy(part, scratch)
            copy = Path(scratch) / path.name
            frames.append(gpd.read_parquet(copy) if path.suffix == ".parquet" else gpd.read_file(copy))
    frame = pd.concat(frames, ignore_index=True)
    keep = frame.columns.intersection(
        [c for c in frame.columns if frame[c].map(lambda v: not isinstance(v, dict | list)).all()]
    )
    frame = gpd.GeoDataFrame(frame[keep], geometry="geometry", crs=frames[0].crs)
    frame["id"] = [f"b{k}" for k in range(len(frame))]
    return frame.drop(columns=[name for name in ("ID", "Id") if name in frame])


def hidden_rows(ids: pd.Series) -> np.ndarray:
    """Say which rows are hidden: half of them, by their id alone."""
    return np.array([hashlib.sha256(str(name).encode()).digest()[0] % 2 == 0 for name in ids])


def measure(case: Case, frame: gpd.GeoDataFrame) -> dict[str, Any]:
    """Hide heights, build with and without the model, and compare."""
    found = _measured(case, frame, "auto")
    return found | {"without_model": _measured(case, frame, "off")["citygen"]}


def _measured(case: Case, frame: gpd.GeoDataFrame, height_model: str) -> dict[str, Any]:
    import citygen

    truth = pd.to_numeric(frame[case.height], errors="coerce").to_numpy(float, copy=True)
    truth[~(truth > 0)] = np.nan
    hide = hidden_rows(frame["id"]) & np.isfinite(truth)
    shown = frame.copy()
    shown[case.height] = np.where(hide, np.nan, truth)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "town.parquet"
        shown.to_parquet(path)
        options = {"ground_z": 0, "out": str(Path(scratch) / "out"), "id_column": "id", "height_model": height_model}
        city = citygen.build(str(path), **options, **case.options)
        report = json.loads((Path(scratch) / "out" / "report.json").read_text(encoding="utf-8"))
        built = city.buildings
        if "id" in built.columns:
            built = built.set_index("id")
        built = built.loc[frame["id"]]
    ours = built["height_m"].to_numpy(float)
    words = pd.Series("", index=frame.index)
    for name in case.classes:
        words = words + "|" + frame[name].fillna("").astype(str)
    open_truth = np.where(hide, np.nan, truth)
    medians = pd.Series(open_truth).groupby(words.to_numpy()).transform("median").to_numpy()
    medians = np.where(np.isfinite(medians), medians, np.nanmedian(open_truth))
    storeys = (
        3.0 * pd.to_numeric(frame[case.storeys], errors="coerce").to_numpy(float)
        if case.storeys
        else np.full(len(frame), np.nan)
    )
    use = hide & np.isfinite(ours)
    counted = use & (storeys > 0)

    def error(values: np.ndarray, rows: np.ndarray) -> float:
        return float(np.median(np.abs(values - truth)[rows])) if rows.any() else float("nan")

    sure = np.abs(ours - truth)[use] <= built["height_sigma_m"].to_numpy(float)[use]
    return {
        "hidden": int(hide.sum()),
        "citygen": error(ours, use),
        "class": error(medians, use),
        "with_storeys": int(counted.sum()),
        "citygen_storeys": error(ours, counted),
        "class_storeys": error(medians, counted),
        "storeys": error(storeys, counted),
        "from": pd.Series(built["height_from"].to_numpy()[use]).value_counts().sort_index().to_dict(),
        "within_sigma": float(sure.mean()),
        "model": report["heights"]["model"],
    }


def report(found: dict[str, dict[str, Any]]) -> str:
    """Write the table, and below it what became of the model in each town, won or lost."""

    def metres(value: float) -> str:
        return f"{value:.2f}" if np.isfinite(value) else "-"

    rows = [
        [
            name,
            str(f["hidden"]),
            f"**{metres(f['citygen'])}**",
            metres(f["without_model"]),
            metres(f["class"]),
            str(f["with_storeys"]),
            f"**{metres(f['citygen_storeys'])}**",
            metres(f["class_storeys"]),
            metres(f["storeys"]),
            ", ".join(f"{n} `{rule}`" for rule, n in f["from"].items()),
            f"{100 * f['within_sigma']:.0f} %",
        ]
        for name, f in found.items()
    ]
    head = ["town", "hidden", "citygen", "model off", "median of the class"]
    head += ["with storeys", "citygen", "median of the class", "storeys x 3 m"]
    lines = [table([*head, "taken from", "within sigma"], rows), ""]
    for name, f in found.items():
        model = f["model"]
        cases = {case: model[case] for case in ("with_storeys", "without_storeys") if case in model}
        if not cases:
            lines.append(f"- {name}: no model; {model['why']}.")
        for case, said in cases.items():
            verdict = f"used for {said['rows']}" if said["used"] else "**not used**"
            lines.append(f"- {name}, {case.replace('_', ' ')}: the model was {verdict}; {said['why']}.")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--write", metavar="FILE", help=f"put the table into FILE between the marks {BLOCK!r}")
    parser.add_argument("--only", metavar="TEXT", default="", help="towns whose name holds this")
    given = parser.parse_args()
    data = os.environ.get("CITYGEN_TESTDATA")
    if not data:
        print("set CITYGEN_TESTDATA to the folder that holds realdata/", file=sys.stderr)
        return 2
    found = {case.name: measure(case, read(case, Path(data) / "realdata")) for case in CASES if given.only in case.name}
    text = report(found)
    print(text)
    if given.write:
        replace_block(Path(given.write), BLOCK, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
