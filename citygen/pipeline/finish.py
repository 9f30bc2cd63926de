"""Finished tiles to the files over all of them: catalogue, tileset, report."""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.attributes.dialect import DIALECTS
from citygen.attributes.rule import HEIGHT_RULES
from citygen.catalogue.records import rejected_rows, write_catalogue
from citygen.config import BuildConfig
from citygen.errors import BuildError
from citygen.formats.base import FORMATS, write_whole
from citygen.log import get_logger
from citygen.model.scene import TileEntry
from citygen.outcome import OUTCOMES, known_reasons
from citygen.pipeline.folder import writing
from citygen.pipeline.heights import vertical_report
from citygen.pipeline.inputs import Inputs
from citygen.pipeline.placement import GOOD_M
from citygen.pipeline.plan import Plan
from citygen.pipeline.remote import reported
from citygen.pipeline.state import State
from citygen.pipeline.surface import surface_report
from citygen.roofs.base import FAMILIES, ROOFS
from citygen.tiling.base import Grid
from citygen.version import __version__

log = get_logger(__name__)


@dataclass(slots=True)
class Tally:
    """
    Counts over all catalogue rows.

    Attributes
    ----------
    outcomes, reasons, heights, roofs : Counter
        Rows by outcome, reason, height provenance and built roof shape.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    heights: Counter[str] = field(default_factory=Counter)
    roofs: Counter[str] = field(default_factory=Counter)
    volume_m3: float = 0.0

    def add(self, table: pa.Table) -> None:
        """Count a table's rows."""
        for counter, name in ((self.outcomes, "outcome"), (self.heights, "height_from"), (self.roofs, "roof_shape")):
            for item in pc.value_counts(table[name].drop_null()).to_pylist():
                counter[item["values"]] += item["counts"]
        for item in pc.value_counts(pc.list_flatten(table["reasons"])).to_pylist():
            self.reasons[item["values"]] += item["counts"]
        self.volume_m3 += pc.sum(table["volume_m3"].drop_null()).as_py() or 0.0

    @property
    def rows(self) -> int:
        """Rows counted."""
        return sum(self.outcomes.values())


def finish(
    config: BuildConfig,
    inputs: Inputs,
    state: State,
    tiles: tuple[Plan, list[tuple[int, int, int]]],
    seconds: dict[str, float],
) -> tuple[Tally, dict[str, Any]]:
    """
    Write ``buildings.parquet``, the formats' own files over all tiles, and ``report.json``.

    Parameters
    ----------
    config : BuildConfig
        Options.
    inputs : Inputs
        Opened inputs.
    state : State
        Holds a record for each finished tile.
    tiles : (Plan, list of (int, int, int))
        The plan, all of its tiles finished, and the rows without a place; level, column and row of the terrain's tiles.
    seconds : dict of str to float
        By stage; the only part of the report that differs between two runs.

    Returns
    -------
    Tally
        Of all rows.
    report : dict
        What ``report.json`` holds.
    """
    out = Path(config.out)
    plan, ground = tiles
    tally = Tally()
    entries: list[TileEntry] = []
    totals = Counter[str]()

    def tables() -> Iterable[pa.Table]:
        for records, entry, numbers in state.records(plan.tiles):
            tally.add(records)
            totals.update(numbers)
            if entry is not None:
                entries.append(entry)
            yield records
        if plan.unplaced:
            lost = rejected_rows(pa.concat_tables(plan.unplaced))
            tally.add(lost)
            yield lost

    with writing(out / "buildings.parquet"):
        write_catalogue(out / "buildings.parquet", iter(tables()), inputs.crs, None)
    size = tile_size_m(inputs.grid)
    built = len(entries)
    terrain = _terrain(state, ground, entries)
    for name in inputs.formats:
        kind = FORMATS[name]
        if kind.finish is not None:
            for path, data in sorted(kind.finish(entries, size).items()):
                with writing(out / path):
                    write_whole(out / path, data)
    counts = {"read": plan.read, "outside": plan.outside, "tiles": built, **totals}
    report = _report(config, inputs, tally, counts, plan.heights)
    if ground:
        report["terrain"] = {"error_m": config.terrain_error, "drape": config.drape, **terrain}
    report["seconds"] = {name: round(value, 3) for name, value in sorted(seconds.items())}
    with writing(out / "report.json"):
        write_whole(out / "report.json", (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    return tally, report


def _terrain(state: State, keys: list[tuple[int, int, int]], entries: list[TileEntry]) -> dict[str, Any]:
    """Sum up the terrain's tiles for the report; add their entries."""
    found = [(key, state.terrain_of(*key)) for key in keys]
    lost = [key for key, about in found if about is None]
    if lost:
        raise BuildError(f"{state.folder}: the record of terrain tile {lost[0]} is gone; run again to make it")
    made = [about for _, about in found if about is not None]
    entries.extend(about["entry"] for about in made if about["entry"] is not None)
    leaves = [about for about in made if about["level"] == 0]
    return {
        "tiles": sum(about["entry"] is not None for about in made),
        "levels": 1 + max((about["level"] for about in made if about["entry"] is not None), default=-1),
        "triangles": sum(about["triangles"] for about in made),
        "bytes": sum(sum(about["files"].values()) for about in made),
        "tiles_without_dem": sum(about["entry"] is None and not about["problem"] for about in leaves),
        "tiles_with_voids": sum(about["entry"] is not None and about["void"] > 0 for about in leaves),
        "coarsened": sum(about["stride"] > 1 for about in leaves),
        "failed": {f"{a['level']}/{a['col']}_{a['row']}": a["problem"] for a in made if a["problem"]},
    }


def tile_size_m(grid: Grid) -> float:
    """Return roughly how long a tile's edge is on the ground, metres."""
    import pyproj

    col, row = grid.keys(np.zeros(1), np.zeros(1))
    west, south, east, north = grid.bounds(int(col[0]), int(row[0]))
    crs = pyproj.CRS.from_user_input(grid.crs)
    factor = 111_320.0 if crs.is_geographic else crs.axis_info[0].unit_conversion_factor
    return float(max(east - west, north - south) * factor)


def _report(
    config: BuildConfig, inputs: Inputs, tally: Tally, counts: Mapping[str, int], heights: dict[str, Any]
) -> dict[str, Any]:
    """Put together the report: what was asked, what came of it, from what, by what."""
    sentences = _sentences()
    return {
        "citygen": __version__,
        "footprints": tally.rows,
        "outcomes": {name: tally.outcomes.get(name, 0) for name in OUTCOMES},
        "reasons": {code: {"count": n, "meaning": sentences[code]} for code, n in sorted(tally.reasons.items())},
        "heights_from": dict(sorted(tally.heights.items())),
        "heights": heights,
        "roofs": dict(sorted(tally.roofs.items())),
        "volume_m3": round(tally.volume_m3, 3),
        "rows_read": counts["read"],
        "rows_outside_aoi": counts["outside"],
        "tiles": counts["tiles"],
        "triangles": counts.get("triangles", 0),
        "tile_bytes": counts.get("bytes", 0),
        "crs": inputs.crs,
        "vertical": vertical_report(inputs.vertical),
        "placement": placement_report(inputs),
        "grid": inputs.grid.name,
        "sources": [
            {"label": s.label, "path": s.source.info.path, "dialect": s.dialect, "crs": s.source.info.crs}
            for s in inputs.sources
        ],
        "dem": [] if inputs.dem is None else [raster.path for raster in inputs.dem.rasters],
        "dem_notes": [] if inputs.dem is None else list(inputs.dem.notes),
        "dem_check": surface_report(inputs.surface),
        "open_data": reported(inputs.open_data),
        "inputs": inputs.digests,
        "options": config.reported(),
        "validation": {
            "solids": "every solid was certified closed, oriented, planar and true to its outline before it was written"
            + (", and then opened where another hides its wall" if config.party_walls == "drop" else ""),
            "checked": tally.outcomes.get("ok", 0) + tally.outcomes.get("degraded", 0),
        },
        "versions": _versions(),
    }


def placement_report(inputs: Inputs) -> dict[str, Any] | None:
    """Return what ``report.json`` says of the self-test: places over the area, and how far they land from where PROJ has them."""
    found = inputs.placement
    if found is None or not found.places:
        return None
    return {"places": found.places, "largest_error_m": round(found.error_m, 4), "good": found.error_m <= GOOD_M}


def _sentences() -> dict[str, str]:
    """Return what every reason code means; the tiles may all have been built by other processes, or by an earlier run."""
    for registry in (HEIGHT_RULES, DIALECTS, ROOFS, FAMILIES):
        registry.load()
    return {r.code: r.sentence for r in known_reasons()}


def _versions() -> dict[str, str]:
    """Name the libraries that a result depends on."""
    from importlib.metadata import version

    names = ("numpy", "numba", "shapely", "pyproj", "rasterio", "pyogrio", "pyarrow")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
