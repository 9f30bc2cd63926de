"""
Written terrain tiles to figures: gaps and overlaps against outlines, cracks between tiles, errors against the rasters.

Nothing of the program is used but files that it wrote: tileset, GLBs and the table are read here by hand, heights are read
with rasterio and interpolated here.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import rasterio
import shapely

ON_BORDER_M = 1.5e-4
MATCH_M = 1e-3
"""m. What float32 leaves of a shared vertex, after the transforms of two tiles."""
NOISE_M = 1e-4
"""m. An area counts beyond what its outline, shifted by this, could sweep."""
SLIT_M = 2e-3
_DTYPE = {5126: "<f4", 5123: "<u2", 5125: "<u4", 5121: "u1"}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass
class Tile:
    """One content: surface in the working CRS (x, y, ellipsoidal height), and its skirt."""

    uri: str
    level: int
    xyz: np.ndarray
    triangles: np.ndarray
    skirt: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    ecef: np.ndarray


@dataclass
class Output:
    """An output folder: its terrain and buildings by tile, outlines as built, report."""

    tiles: list[Tile]
    buildings: list[Tile]
    outlines: gpd.GeoDataFrame
    report: dict

    def leaves(self) -> list[Tile]:
        finest = max(t.level for t in self.tiles)
        return [t for t in self.tiles if t.level == finest]


def read_output(out: Path) -> Output:
    """Read a folder."""
    document = json.loads((out / "tileset.json").read_text())
    table = gpd.read_parquet(out / "buildings.parquet")
    crs = table.crs
    back = pyproj.Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
    forth = pyproj.Transformer.from_crs(crs, "EPSG:4979", always_xy=True)
    ground, houses = [], []

    def walk(node: dict, above: np.ndarray) -> None:
        own = above @ np.array(node["transform"]).reshape(4, 4).T if "transform" in node else above
        if "content" in node:
            uri = node["content"]["uri"]
            tile = _tile(out / uri, uri, own, back, forth)
            (ground if uri.startswith("terrain/") else houses).append(tile)
        for child in node.get("children", []):
            walk(child, own)

    walk(document["root"], np.eye(4))
    built = table[table["tile"].notna()]
    return Output(ground, houses, built, json.loads((out / "report.json").read_text()))


def standing(output: Output, rasters: list[Path]) -> Output:
    """Leave out outlines that hover: their walls start above the lowest ground at their corners."""
    shapes = output.outlines.geometry.values
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    z = surface(rasters, output.outlines.crs, xy)
    low = np.full(len(shapes), np.inf)
    np.minimum.at(low, owner, np.where(np.isnan(z), np.inf, z))
    stands = output.outlines["base_z"].to_numpy() <= low + 0.02
    return Output(output.tiles, output.buildings, output.outlines[stands], output.report)


def _tile(path: Path, uri: str, matrix: np.ndarray, back: pyproj.Transformer, forth: pyproj.Transformer) -> Tile:
    data = path.read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    document, start = json.loads(data[20 : 20 + size]), 28 + size

    def array(number: int) -> np.ndarray:
        accessor = document["accessors"][number]
        view = document["bufferViews"][accessor["bufferView"]]
        width = _WIDTH[accessor["type"]]
        flat = np.frombuffer(
            data, _DTYPE[accessor["componentType"]], accessor["count"] * width, start + view["byteOffset"]
        )
        return flat.reshape(-1, width)

    def placed(primitive: dict) -> tuple[np.ndarray, np.ndarray]:
        x, y, z = array(primitive["attributes"]["POSITION"]).astype(float).T
        ecef = np.stack([x, -z, y, np.ones_like(x)], axis=1) @ matrix.T
        lon, lat, height = back.transform(*ecef[:, :3].T)
        px, py = forth.transform(lon, lat, direction="INVERSE")[:2]
        return np.stack([px, py, height], axis=1), ecef[:, :3]

    parts = document["meshes"][0]["primitives"]
    surface = next(p for p in parts if not p.get("extras", {}).get("skirt"))
    skirt = [p for p in parts if p.get("extras", {}).get("skirt")]
    xyz, ecef = placed(surface)
    hem = placed(skirt[0])[0] if skirt else np.empty((0, 3))
    nx, ny, nz = array(surface["attributes"]["NORMAL"]).astype(float).T
    uv = array(surface["attributes"]["TEXCOORD_0"]).astype(float) if "TEXCOORD_0" in surface["attributes"] else None
    triangles = array(surface["indices"]).astype(np.int64).reshape(-1, 3)
    return Tile(uri, int(uri.split("/")[1]), xyz, triangles, hem, np.stack([nx, -nz, ny], axis=1), uv, ecef)


def solids(output: Output) -> shapely.Geometry:
    """The outlines as one; courtyards narrower than 2 mm are rounding between walls and count as built over."""
    joined = shapely.union_all(shapely.make_valid(output.outlines.geometry.values))
    parts = []
    for part in shapely.get_parts(joined):
        holes = [ring for ring in part.interiors if 2 * shapely.Polygon(ring).area > SLIT_M * ring.length]
        parts.append(shapely.Polygon(part.exterior, holes))
    return shapely.MultiPolygon(parts)


def plan_areas(tile: Tile) -> np.ndarray:
    """Signed plan area of each triangle."""
    a, b, c = (tile.xyz[tile.triangles[:, k], :2] for k in range(3))
    return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def covered(tile: Tile) -> shapely.Geometry:
    """The ground's plan: the union of its triangles; those that single precision has turned over have no area to speak of."""
    upright = plan_areas(tile) > 0
    return shapely.union_all(shapely.polygons(tile.xyz[tile.triangles[upright]][:, :, :2]))


def metric_bounds(output: Output, size: float) -> dict[str, tuple[float, float, float, float]]:
    """The boxes of the leaves of a metric grid."""
    found = {}
    for tile in output.leaves():
        col, row = map(float, Path(tile.uri).stem.split("_"))
        found[tile.uri] = col * size, row * size, (col + 1) * size, (row + 1) * size
    return found


def with_heights(raster: Path, crs: pyproj.CRS) -> shapely.Geometry:
    """Where a raster has heights, in another CRS: its cells between four centres with a value."""
    with rasterio.open(raster) as dataset:
        cells = dataset.read(1).astype(float)
        good = (cells != dataset.nodata) & (np.abs(cells) < 9000)
        good = good[:-1, :-1] & good[:-1, 1:] & good[1:, :-1] & good[1:, 1:]
        rows, cols = cells.shape
        x, y = dataset.transform @ tuple(np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5))
        x, y = pyproj.Transformer.from_crs(dataset.crs, crs, always_xy=True).transform(x, y)
    nodes = np.stack([x, y], axis=-1)
    runs = []
    for r in range(rows - 1):
        ends = np.flatnonzero(np.diff(np.r_[False, good[r], False])).reshape(-1, 2)
        runs += [np.concatenate([nodes[r, a : b + 1], nodes[r + 1, a : b + 1][::-1]]) for a, b in ends]
    return shapely.coverage_union_all([shapely.Polygon(run) for run in runs])


def gaps(
    output: Output, bounds: dict[str, tuple[float, float, float, float]], known: shapely.Geometry
) -> dict[str, tuple[float, float, float]]:
    """
    Area of each leaf that is neither ground nor building, and that is both; metres squared, and the share noise may have.

    ``bounds`` are the leaves' boxes in the working CRS, ``known`` is where the DEM has heights.
    """
    solid = solids(output)
    found = {}
    for tile in output.leaves():
        box = shapely.box(*bounds[tile.uri])
        ground = covered(tile)
        here = shapely.intersection(solid, box)
        full = shapely.union(here, shapely.difference(box, known))
        gap = shapely.difference(box, shapely.union(full, ground))
        overlap = shapely.intersection(ground, full)
        found[tile.uri] = gap.area, overlap.area, NOISE_M * (full.length + box.length + ground.length)
    return found


def cracks(output: Output, bounds: dict[str, tuple[float, float, float, float]]) -> tuple[int, int]:
    """Number of border edges without their twin in the neighbour, and of border edges that have a neighbour at all."""
    wrong = total = 0
    leaves = output.leaves()
    for k, one in enumerate(leaves):
        for other in leaves[k + 1 :]:
            a, b = bounds[one.uri], bounds[other.uri]
            for axis in (0, 1):
                for low, high in ((a, b), (b, a)):
                    if low[axis + 2] != high[axis] or low[1 - axis] != high[1 - axis]:
                        continue
                    first, second = (_border(t, axis, high[axis]) for t in (one, other))
                    total += max(len(first), len(second))
                    wrong += _unmatched(first, second)
    return wrong, total


def _border(tile: Tile, axis: int, value: float) -> np.ndarray:
    """(n, 2, 3): the edges on a line, their ends in order along it, in ECEF."""
    edges = np.concatenate([tile.triangles[:, [0, 1]], tile.triangles[:, [1, 2]], tile.triangles[:, [2, 0]]])
    on = (np.abs(tile.xyz[edges][:, :, axis] - value) < ON_BORDER_M).all(axis=1)
    chosen = edges[on]
    along = tile.xyz[chosen][:, :, 1 - axis]
    chosen = np.where((along[:, 0] <= along[:, 1])[:, None], chosen, chosen[:, ::-1])
    order = np.argsort(np.sort(along, axis=1)[:, 0])
    return tile.ecef[chosen[order]]


def _unmatched(first: np.ndarray, second: np.ndarray) -> int:
    if len(first) == 0 or len(second) == 0:
        return max(len(first), len(second))
    pairs = np.abs(first[:, None] - second[None]).max(axis=(2, 3)) < MATCH_M
    return int((~pairs.any(axis=1)).sum() + (~pairs.any(axis=0)).sum())


def wall_vertices(
    output: Output, bounds: dict[str, tuple[float, float, float, float]], rasters: list[Path]
) -> tuple[float, float]:
    """
    Return the largest distance in plan from a corner of the built outlines to a vertex of the ground, and of a foot above it.

    Corners inside other outlines, outside of all leaves, and where the rasters are void, are left out. Feet are the lowest
    vertices of the written solids.
    """
    solid = solids(output)
    rings = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(solid)))
    boxes = np.array([bounds[t.uri] for t in output.leaves()])
    inside = ((rings[:, None] > boxes[:, :2] + 0.01) & (rings[:, None] < boxes[:, 2:] - 0.01)).all(axis=2).any(axis=1)
    inside &= np.isfinite(surface(rasters, output.outlines.crs, rings))
    ground = np.concatenate([t.xyz for t in output.leaves()])
    tree = shapely.STRtree(shapely.points(ground[:, :2]))
    _, away = tree.query_nearest(shapely.points(rings[inside]), return_distance=True)
    feet = np.concatenate([t.xyz[np.unique(t.triangles)] for t in output.buildings])
    corners = np.unique(shapely.get_coordinates(output.outlines.geometry.values), axis=0)
    standing_at = shapely.STRtree(shapely.points(corners))
    foot, corner = standing_at.query(shapely.points(feet[:, :2]), predicate="dwithin", distance=MATCH_M)
    low = np.full(len(corners), np.inf)
    np.minimum.at(low, corner, feet[foot, 2])
    built = np.flatnonzero(np.isfinite(low))
    near, at = tree.query(shapely.points(corners[built]), predicate="dwithin", distance=MATCH_M)
    near = built[near]
    above = low[near] - ground[at, 2]
    return float(away.max(initial=0.0)), float(above.max(initial=-np.inf))


def errors(output: Output, rasters: list[Path], count: int = 20_000, seed: int = 0) -> np.ndarray:
    """Vertical distances at random places of the leaves from the rasters' bilinear surface; those without heights left out."""
    rng = np.random.default_rng(seed)
    leaves = output.leaves()
    areas = [np.abs(plan_areas(t)) for t in leaves]
    total = sum(a.sum() for a in areas)
    found = []
    for tile, area in zip(leaves, areas, strict=True):
        n = int(np.ceil(count * area.sum() / total))
        chosen = rng.choice(len(area), n, p=area / area.sum())
        weight = rng.dirichlet([1, 1, 1], n)
        point = (tile.xyz[tile.triangles[chosen]] * weight[:, :, None]).sum(axis=1)
        found.append(np.abs(point[:, 2] - surface(rasters, output.outlines.crs, point[:, :2])))
    return np.concatenate(found)


def surface(rasters: list[Path], crs: pyproj.CRS, xy: np.ndarray) -> np.ndarray:
    """Bilinear heights; the first raster whose four cells around a place all have one."""
    out = np.full(len(xy), np.nan)
    for path in rasters:
        with rasterio.open(path) as dataset:
            x, y = pyproj.Transformer.from_crs(crs, dataset.crs, always_xy=True).transform(*xy.T)
            cells = dataset.read(1).astype(float)
            cells[(cells == dataset.nodata) | (np.abs(cells) > 9000)] = np.nan
            col, row = ~dataset.transform @ (np.asarray(x), np.asarray(y))
        col, row = col - 0.5, row - 0.5
        j, i = np.floor(col).astype(int), np.floor(row).astype(int)
        ok = (j >= 0) & (i >= 0) & (j < cells.shape[1] - 1) & (i < cells.shape[0] - 1) & np.isnan(out)
        j, i, fx, fy = j[ok], i[ok], (col - j)[ok], (row - i)[ok]
        top = cells[i, j] * (1 - fx) + cells[i, j + 1] * fx
        bottom = cells[i + 1, j] * (1 - fx) + cells[i + 1, j + 1] * fx
        out[ok] = top * (1 - fy) + bottom * fy
    return out
