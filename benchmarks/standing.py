"""
Real towns built, and looked up again in the files that came out: which walls hang above the ground, which roofs lie in it.

Nothing of the program measures here: triangles are read out of the GLBs byte by byte and placed by pyproj, heights are read
by rasterio and interpolated in NumPy. The feet of walls are looked at every half metre.
The folder is that of the environment variable CITYGEN_TESTDATA (not in this repository).
Run: ``python benchmarks/standing.py [--only TEXT] [--write docs/standing.md]``.
"""

import argparse
import json
import os
import shutil
import struct
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import rasterio
from marked import replace_block, table

STEP_M = 0.5
"""m. Between two looks along the foot of a wall."""
NOISE_M = 5e-3
"""m. Single precision, two projections, and the bend of the Earth along a wall."""


@dataclass(frozen=True, slots=True)
class Town:
    """A data set: files below ``realdata``, and what a user would type for it."""

    name: str
    buildings: str
    dem: str
    says: str
    options: dict[str, Any] = field(default_factory=dict)
    hovering: int = 0  # parts whose data keep them off the ground


_HAAG = {"map": {"height": "ridge_rel", "eave_height": "eaves_rel", "roof_shape": "roofType"}, "crs": "EPSG:28992"}
TOWNS = (
    Town(
        "La Rochelle", "01_larochelle_bdtopo_dem/buildings_bdtopo.gpkg", "01_larochelle_bdtopo_dem/dem_rgealti_1m.tif",
        "RGE ALTI 1 m", {"crs": "EPSG:2154"},
    ),
    Town(
        "Monaco", "02_monaco_osm_srtm/monaco-latest.osm.pbf", "02_monaco_osm_srtm/N43E007.hgt", "SRTM 90 m", hovering=3,
    ),
    Town("Andorra", "03_andorra_osm_srtm/andorra.osm.pbf", "03_andorra_osm_srtm/N42E001.hgt", "SRTM 90 m"),
    Town(
        "Den Haag", "08_denhaag_lod2_west/footprints_west.gpkg", "08_denhaag_lod2_west/dem_tin_1m_west.tif",
        "city model's TIN, 1 m", _HAAG,
    ),
    Town(
        "Göteborg", "06_goteborg_dem_dsm/buildings.shp", "06_goteborg_dem_dsm/DEM_KRbig.tif", "LiDAR 1 m",
        {"crs": "EPSG:3007"},
    ),
)  # fmt: skip
MODES = ("lowest", "mean", "highest", "entrance")


@dataclass
class Building:
    """One building of a GLB: its triangles in the working CRS, heights above the ellipsoid less the run's offset."""

    corners: np.ndarray  # (k, 3, 3)

    @property
    def base(self) -> float:
        """The lowest height."""
        return float(self.corners[:, :, 2].min())

    @property
    def top(self) -> float:
        """The highest height."""
        return float(self.corners[:, :, 2].max())

    def eave(self) -> float:
        """Return the lowest corner that is not at the foot."""
        z = self.corners[:, :, 2]
        return float(z[z > self.base + NOISE_M].min())

    def feet(self) -> np.ndarray:
        """Return places along the feet of walls, (n, 3): edges at the base of triangles that rise from it."""
        low = self.corners[:, :, 2] <= self.base + NOISE_M
        found = []
        for corners, at in zip(self.corners, low, strict=True):
            if at.sum() == 2:
                a, b = corners[at]
                n = max(int(np.ceil(np.hypot(*(b - a)[:2]) / STEP_M)), 1)
                found.append(a + (b - a) * np.linspace(0, 1, n + 1)[:, None])
        return np.concatenate(found)


def read_buildings(out: Path) -> dict[str, Building]:
    """Read every building of an output folder out of its GLBs."""
    tileset = json.loads((out / "tileset.json").read_text(encoding="utf-8"))
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    crs = gpd.read_parquet(out / "buildings.parquet", columns=["geometry"]).crs
    down = pyproj.Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
    there = pyproj.Transformer.from_crs("EPSG:4979", pyproj.CRS(crs), always_xy=True)
    offset = float(report["options"]["geoid_offset"] or 0.0)
    found: dict[str, Building] = {}

    def walk(node: dict, above: np.ndarray) -> None:
        own = above @ np.array(node["transform"]).reshape(4, 4).T if "transform" in node else above
        uri = node.get("content", {}).get("uri", "")
        if uri.startswith("tiles/"):
            ids, corners, owner = _glb((out / uri).read_bytes())
            world = corners.reshape(-1, 3) @ own[:3, :3].T + own[:3, 3]
            lon, lat, height = down.transform(*world.T)
            x, y = there.transform(lon, lat)[:2]
            placed = np.column_stack([x, y, height - offset]).reshape(-1, 3, 3)
            for k, name in enumerate(ids):
                found[name] = Building(placed[owner == k])
        for child in node.get("children", ()):
            walk(child, own)

    walk(tileset["root"], np.eye(4))
    return found


def _glb(data: bytes) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return ids, corners of triangles (k, 3, 3) with z up, and the number of each triangle's building."""
    size = struct.unpack_from("<I", data, 12)[0]
    document, start = json.loads(data[20 : 20 + size]), 28 + size

    def view(number: int) -> bytes:
        entry = document["bufferViews"][number]
        return data[start + entry["byteOffset"] : start + entry["byteOffset"] + entry["byteLength"]]

    def numbers(accessor: int) -> np.ndarray:
        entry = document["accessors"][accessor]
        return np.frombuffer(view(entry["bufferView"]), {5126: "<f4", 5125: "<u4", 5123: "<u2"}[entry["componentType"]])

    (mesh,) = document["meshes"]
    (primitive,) = mesh["primitives"]
    x, y, z = numbers(primitive["attributes"]["POSITION"]).reshape(-1, 3).T.astype(float)
    index = numbers(primitive["indices"]).astype(int).reshape(-1, 3)
    owner = numbers(primitive["attributes"]["_FEATURE_ID_0"]).astype(int)[index[:, 0]]
    column = document["extensions"]["EXT_structural_metadata"]["propertyTables"][0]["properties"]["id"]
    ends = np.frombuffer(view(column["stringOffsets"]), "<u4").tolist()
    text = view(column["values"])
    return [text[a:b].decode() for a, b in pairwise(ends)], np.stack([x, -z, y], axis=1)[index], owner


class Ground:
    """A raster of heights, bilinear between cell centres; NaN where one of the four is void."""

    def __init__(self, path: Path, crs: Any) -> None:
        with rasterio.open(path) as raster:
            self.cells = raster.read(1).astype(float)
            if raster.nodata is not None:
                self.cells[np.isclose(self.cells, raster.nodata, rtol=1e-6)] = np.nan
            self.inverse = ~raster.transform
            self.there = pyproj.Transformer.from_crs(pyproj.CRS(crs), raster.crs, always_xy=True)
        self.cells[(self.cells < -500) | (self.cells > 9000)] = np.nan

    def at(self, xy: np.ndarray) -> np.ndarray:
        """Return the heights at places of the CRS that was given."""
        col, row = self.inverse @ self.there.transform(xy[:, 0], xy[:, 1])
        col, row = col - 0.5, row - 0.5
        c, r = np.floor(col).astype(int), np.floor(row).astype(int)
        inside = (c >= 0) & (r >= 0) & (c < self.cells.shape[1] - 1) & (r < self.cells.shape[0] - 1)
        c, r, u, v = c[inside], r[inside], (col - c)[inside], (row - r)[inside]
        out = np.full(len(xy), np.nan)
        out[inside] = (
            self.cells[r, c] * (1 - u) * (1 - v) + self.cells[r, c + 1] * u * (1 - v)
            + self.cells[r + 1, c] * (1 - u) * v + self.cells[r + 1, c + 1] * u * v
        )  # fmt: skip
        return out


@dataclass
class Counts:
    """What was seen of a town."""

    built: int = 0
    feet: int = 0
    beside: list[str] = field(default_factory=list)  # no height of the DEM at any foot
    hovering: list[str] = field(default_factory=list)  # held off the ground by its data
    floating: list[str] = field(default_factory=list)
    buried: list[str] = field(default_factory=list)  # and nothing says why
    said: list[str] = field(default_factory=list)
    raised: int = 0
    wrong: list[str] = field(default_factory=list)  # the roof's height above the datum is not what the table says
    depth: list[float] = field(default_factory=list)  # from the lowest ground at a wall to its foot
    slope: list[float] = field(default_factory=list)


def examine(out: Path, dem: Path) -> Counts:
    """Look at every building of an output folder."""
    rows = gpd.read_parquet(out / "buildings.parquet")
    rows = rows[rows["tile"].notna()].set_index("id")
    ground, solids = Ground(dem, rows.crs), read_buildings(out)
    assert set(solids) == set(rows.index)
    counts = Counts(built=len(rows))
    for name, row in rows.iterrows():
        solid = solids[name]
        feet = solid.feet()
        z = ground.at(feet[:, :2])
        known = np.isfinite(z)
        counts.feet += int(known.sum())
        counts.raised += "raised_above_ground" in row["reasons"]
        counts.slope.append(row["ground_slope_deg"])
        if abs(solid.top - row["ground_z"] - row["height_m"]) > NOISE_M or abs(solid.base - row["base_z"]) > NOISE_M:
            counts.wrong.append(name)
        if not known.any():
            counts.beside.append(name)
            continue
        if row["base_z"] > row["ground_z"] + NOISE_M and row["base_z"] > row["ground_min"]:
            counts.hovering.append(name)
        elif np.any(feet[known, 2] > z[known] + NOISE_M):
            counts.floating.append(name)
        else:
            counts.depth.append(float((z[known] - feet[known, 2]).min()))
        if solid.eave() < z[known].max() - NOISE_M:
            (counts.said if "buried" in row["reasons"] else counts.buried).append(name)
    return counts


def build(town: Town, root: Path, out: Path, **options: Any) -> None:
    """Build a town from copies of its files: GDAL leaves files beside some that it reads."""
    from citygen.config import make_config
    from citygen.engine.run import run

    inputs = out.parent / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    source = root / town.buildings
    for path in [*source.parent.glob(f"{source.stem}.*"), root / town.dem]:
        shutil.copy(path, inputs)
    given = {"buildings": [str(inputs / source.name)], "dem": [str(inputs / Path(town.dem).name)], "out": str(out)}
    run(make_config({**given, **town.options, **options}))


HEAD = [
    "town", "ground", "datum", "built", "looks", "floating", "buried, unsaid", "buried, said", "raised", "off the ground",
    "beside the DEM", "least depth of a foot (m)", "slope, median and most (°)",
]  # fmt: skip


def row_of(town: Town, datum: str, counts: Counts) -> list[str]:
    """Return a row of the table."""
    slope = np.array(counts.slope, dtype=float)
    numbers = (
        counts.built, counts.feet, len(counts.floating), len(counts.buried), len(counts.said), counts.raised,
        len(counts.hovering), len(counts.beside),
    )  # fmt: skip
    return [
        town.name, town.says, datum, *(f"{n:,}" for n in numbers), f"{min(counts.depth):.2f}",
        f"{np.nanmedian(slope):.1f}, {np.nanmax(slope):.1f}",
    ]  # fmt: skip


def measure(root: Path, only: str) -> list[list[str]]:
    """Build the towns, those on SRTM in every mode, and look at them."""
    rows = []
    for town in TOWNS:
        if only.casefold() not in town.name.casefold():
            continue
        for datum in MODES:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "out"
                build(town, root, out, datum=datum)
                rows.append(row_of(town, datum, examine(out, root / town.dem)))
                print("  ".join(rows[-1]), file=sys.stderr)
    return rows


def main() -> int:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="towns whose name holds this")
    parser.add_argument("--write", type=Path, help="Markdown file to put the table in")
    options = parser.parse_args()
    root = Path(os.environ["CITYGEN_TESTDATA"]) / "realdata"
    text = table(HEAD, measure(root, options.only))
    if options.write:
        replace_block(options.write, "standing", text)
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
