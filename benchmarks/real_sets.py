"""
Every real data set built, and accounted for: ids in, rows out, outcomes and reasons, where the heights came from, seconds.

``ids in`` is counted by another reader than citygen's own: GDAL for tables, osmium for OpenStreetMap (ways and
multipolygons tagged as buildings or parts), JSON and XML parsers for city models (objects that carry a surface themselves).
The folder is that of the environment variable CITYGEN_TESTDATA (not in this repository).
Run: ``python benchmarks/real_sets.py [--only TEXT] [--json] [--write docs/real-data.md]``.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marked import machine, replace_block, table


@dataclass(frozen=True, slots=True)
class Set:
    """A data set: files below ``realdata``, and what a user would type for it."""

    name: str
    buildings: tuple[str, ...]
    dem: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    layer: str | None = None


_LEVEL = {"ground_z": 0.0}
_ROCHELLE, _GOTEBORG, _DELFT = "01_larochelle_bdtopo_dem", "06_goteborg_dem_dsm", "07_delft_bgt_ahn3"
_HAAG, _LOD2, _OLEMPS = "08_denhaag_lod2_west", "10_lod2_3dbag_denhoorn_zurich", "11_olemps_bdtopo"
_FORMATS, _NASTY = "13_formats_overture_fgb_heights", "14_nasty"
SETS = (
    Set("01 La Rochelle", (f"{_ROCHELLE}/buildings_bdtopo.gpkg",), (f"{_ROCHELLE}/dem_rgealti_1m.tif",)),
    Set(
        "01 La Rochelle, raw shapefile",
        (f"{_ROCHELLE}/raw_shapefile_no_prj/batiments_urock.shp",),
        options={**_LEVEL, "source_crs": "EPSG:3857"},
    ),
    Set("02 Monaco", ("02_monaco_osm_srtm/monaco-latest.osm.pbf",), ("02_monaco_osm_srtm/N43E007.hgt",)),
    Set("03 Andorra", ("03_andorra_osm_srtm/andorra.osm.pbf",), ("03_andorra_osm_srtm/N42E001.hgt",)),
    Set("04 Helsinki", ("04_helsinki_osm_parts/Helsinki.osm.pbf",), options=_LEVEL),
    Set("05 Siegessäule", ("05_berlin_siegessaeule_osm_parts/berlin-siegessaeule.osm",), options=_LEVEL),
    Set("06 Göteborg", (f"{_GOTEBORG}/buildings.shp",), (f"{_GOTEBORG}/DEM_KRbig.tif",), _LEVEL),
    Set("07 Delft, BGT", (f"{_DELFT}/bgt_pand_west_east.gpkg",), options=_LEVEL),
    Set("07 Delft, 3DBAG", (f"{_DELFT}/lod22_3dbag_west.city.jsonl",), options=_LEVEL),
    Set("08 Den Haag", (f"{_HAAG}/footprints_west.gpkg",), (f"{_HAAG}/dem_tin_1m_west.tif",)),
    Set("08 Den Haag, CityJSON", (f"{_HAAG}/denhaag_west_lod2.city.json",), (f"{_HAAG}/dem_tin_1m_west.tif",)),
    Set("09 NRW", ("09_nrw_lod2_citygml/footprints_5657.gpkg",), options=_LEVEL),
    Set("09 NRW, CityGML", ("09_nrw_lod2_citygml/LoD2_32_280_5657_1_NW.gml",), options=_LEVEL),
    Set("10 Den Hoorn", (f"{_LOD2}/footprints_3dbag_tile901.gpkg",), options=_LEVEL),
    Set("10 Den Hoorn, CityJSONSeq", (f"{_LOD2}/3dbag_tile901_denhoorn.city.jsonl",), options=_LEVEL),
    Set("10 Zürich, CityJSON", (f"{_LOD2}/zurich_subset_lod2.city.json",), options=_LEVEL),
    Set(
        "11 Olemps v2",
        tuple(f"{_OLEMPS}/v2/BATI_{name}.shp" for name in ("INDIFFERENCIE", "INDUSTRIEL", "REMARQUABLE")),
        options=_LEVEL,
    ),
    Set("11 Olemps v3", (f"{_OLEMPS}/v3/BATIMENT.shp",), options=_LEVEL),
    Set("12 IGN", ("12_lidar_ign_autzen/870000_6618000.subset.postIA.shp",), options=_LEVEL),
    Set("13 Overture", (f"{_FORMATS}/overture_buildings.parquet",), options=_LEVEL),
    Set("13 New Zealand", (f"{_FORMATS}/nz-building-outlines-small.fgb",), options={**_LEVEL, "crs": "EPSG:2193"}),
    Set("13 Suzhou", (f"{_FORMATS}/suzhou_bd_demo_2.geojson",), options=_LEVEL),
    Set("14 Redon", (f"{_NASTY}/redon.osm",), options=_LEVEL),
    Set("14 San Diego", (f"{_NASTY}/san_diegeo_complex_polygon.osm",), options=_LEVEL),
    Set("15 Amsterdam", ("15_amsterdam_bag_ahn/bag_buildings.gpkg",), options=_LEVEL),
)
"""16 holds clouds and meshes only: there is no footprint to build from."""


def ids_in(path: Path) -> int:
    """Count the footprints of a file without citygen."""
    if path.name.endswith((".osm", ".pbf")):
        return sum(1 for _ in _osm_areas(path))
    if path.name.endswith(".city.json"):
        return _with_surface(json.loads(path.read_text(encoding="utf-8"))["CityObjects"])
    if path.name.endswith(".city.jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return sum(_with_surface(line.get("CityObjects", {})) for line in lines)
    if path.suffix == ".gml":
        return _gml_objects(path)
    import pyogrio

    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    return int(pyogrio.read_info(path)["features"])


def _osm_areas(path: Path) -> Iterator[str]:
    """
    Yield the ways and multipolygon relations of a file that are tagged as buildings or parts.

    A way that is the outer ring of such a relation, tagged in the same way, is that relation's building, not one more.
    """
    import osmium

    ways: set[tuple[int, str]] = set()
    rings: set[tuple[int, str]] = set()
    for thing in osmium.FileProcessor(path):
        kind = next((key for key in ("building", "building:part") if thing.tags.get(key, "no") != "no"), None)
        if kind is None:
            continue
        if thing.is_way():
            ways.add((thing.id, kind))
        elif thing.is_relation() and thing.tags.get("type") == "multipolygon":
            yield f"relation/{thing.id}"
            rings.update(
                (member.ref, kind) for member in thing.members if member.type == "w" and member.role != "inner"
            )
    yield from (f"way/{number}" for number, _ in sorted(ways - rings))


def _with_surface(objects: dict[str, Any]) -> int:
    """Count the buildings and parts that have a geometry of their own."""
    kinds = {"Building", "BuildingPart"}
    return sum(1 for o in objects.values() if o.get("type") in kinds and o.get("geometry"))


def _gml_objects(path: Path) -> int:
    """Count the buildings and parts of a CityGML file that bound a solid or have surfaces themselves."""
    from xml.etree import ElementTree as ET

    def local(tag: str) -> str:
        return tag.rpartition("}")[2]

    count = 0
    for element in ET.parse(path).iter():
        if local(element.tag) in {"Building", "BuildingPart"}:
            count += any(local(child.tag) in {"boundedBy", "lod2Solid", "lod1Solid"} for child in element)
    return count


def measure(one: Set, realdata: Path) -> dict[str, Any]:
    """
    Build a set in a scratch folder.

    Returns
    -------
    dict
        name, ids_in, rows, outcomes, reasons (those that changed an outcome), notes, heights, seconds.
    """
    import pyarrow.parquet as pq

    from citygen.config import make_config
    from citygen.engine.run import run
    from citygen.outcome import known_reasons

    grave = {reason.code for reason in known_reasons() if reason.outcome != "ok"}
    with tempfile.TemporaryDirectory(prefix="citygen-sets-") as scratch:
        folder = Path(scratch) / "in"
        for name in {Path(path).parent for path in (*one.buildings, *one.dem)}:
            shutil.copytree(realdata / name, folder / name, ignore=shutil.ignore_patterns("*.laz"), dirs_exist_ok=True)
        given = {
            "buildings": [str(folder / path) for path in one.buildings],
            "dem": [str(folder / path) for path in one.dem],
            "out": str(Path(scratch) / "out"),
            **one.options,
        }
        report = run(make_config(given)).report
        ids = pq.read_table(Path(scratch) / "out" / "buildings.parquet", columns=["id"])["id"]
        counted = sum(ids_in(folder / path) for path in one.buildings)
    reasons = Counter({code: told["count"] for code, told in report["reasons"].items() if code in grave})
    return {
        "name": one.name,
        "ids_in": counted,
        "rows": len(ids),
        "distinct": len(ids.unique()),
        "outcomes": report["outcomes"],
        "reasons": dict(reasons.most_common()),
        "heights": dict(Counter(report["heights_from"]).most_common()),
        "seconds": report["seconds"]["total"],
    }


def row_of(result: dict[str, Any]) -> list[str]:
    """Return the table's cells; the last is the only one that differs between two runs."""
    outcomes = result["outcomes"]
    total = sum(result["heights"].values()) or 1
    heights = ", ".join(f"{name} {100 * n / total:.0f} %" for name, n in result["heights"].items())
    reasons = ", ".join(f"{n} `{code}`" for code, n in result["reasons"].items())
    counts = [f"{outcomes.get(name, 0):,}" for name in ("ok", "degraded", "rejected")]
    return [
        result["name"],
        f"{result['ids_in']:,}",
        f"{result['rows']:,}",
        *counts,
        reasons or "-",
        heights or "-",
        f"{result['seconds']:.1f}",
    ]


HEAD = ["set", "ids in", "rows out", "ok", "degraded", "rejected", "why", "heights from", "s"]


def main() -> None:
    """Print the table, or put it into a page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--only", default="", help="sets whose name holds this text")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="put the table into this file, between its real-sets marks")
    args = parser.parse_args()
    root = os.environ.get("CITYGEN_TESTDATA", "")
    if not root:
        sys.exit("CITYGEN_TESTDATA is unset: it names the folder that holds realdata/")
    results = [measure(one, Path(root) / "realdata") for one in SETS if args.only in one.name]
    if args.json:
        print(json.dumps(results))
        return
    text = f"{machine()}\n\n{table(HEAD, [row_of(result) for result in results])}\n"
    if args.write:
        replace_block(args.write, "real-sets", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
