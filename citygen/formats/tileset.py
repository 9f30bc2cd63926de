"""
Written tiles to a 3D Tiles 1.1 tileset (OGC 22-025r4): a quadtree over the grid's columns and rows, content at the leaves.

Leaves carry a transform (east-north-up at the tile's centre to ECEF) and a tight box in that frame; inner tiles carry a
region (EPSG:4979) around their children. Geometric errors halve from level to level: an inner tile's is an eighth of its
extent, so a leaf's buildings appear before their tile fills a third of a screen's height.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.formats.base import FORMATS, TileFormat
from citygen.geom.geodesy import LocalFrame
from citygen.model.scene import TileEntry
from citygen.version import __version__

_ERROR_SHARE = 1 / 8
Region = tuple[float, float, float, float, float, float]


def encode(tiles: Sequence[TileEntry], tile_size_m: float) -> bytes:
    """
    Write a tileset over tiles.

    Parameters
    ----------
    tiles : sequence of TileEntry
        In any order; the result does not depend on it.
    tile_size_m : float
        Extent of a tile on the ground.

    Returns
    -------
    bytes
        ``tileset.json``.
    """
    ordered = sorted(tiles, key=lambda t: (t.row, t.col))
    if not ordered:
        root: dict[str, Any] = {
            "boundingVolume": {"region": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]},
            "geometricError": 0.0,
            "refine": "ADD",
        }
        top = 0.0
    else:
        root, top = _root(ordered, tile_size_m)
    document = {
        "asset": {"version": "1.1", "extras": {"generator": f"citygen {__version__}"}},
        "geometricError": top,
        "root": root,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _root(tiles: Sequence[TileEntry], size_m: float) -> tuple[dict[str, Any], float]:
    """Return the root tile and the tileset's geometric error: buildings, and beside them the terrain where there is some."""
    branches: list[tuple[dict[str, Any], float]] = []
    buildings, ground = (_of_kind(tiles, kind) for kind in ("buildings", "terrain"))
    if buildings:
        root, top = _tree(buildings, size_m)
        branches.append((root | {"refine": "ADD"}, top))
    if ground:
        branches.append(ground_tree(ground, size_m))
    if len(branches) == 1:
        return branches[0]
    top = max(error for _, error in branches)
    root = {
        "boundingVolume": {"region": _radians(_around([t.region for t in tiles]))},
        "geometricError": top,
        "refine": "ADD",
        "children": [branch for branch, _ in branches],
    }
    return root, top


def _of_kind(tiles: Sequence[TileEntry], kind: str) -> list[TileEntry]:
    return [t for t in tiles if t.kind == kind]


def _tree(tiles: Sequence[TileEntry], size_m: float) -> tuple[dict[str, Any], float]:
    """Return the root tile and the tileset's geometric error: four neighbours to a parent until one is left."""
    first_col, first_row = min(t.col for t in tiles), min(t.row for t in tiles)
    nodes = {(t.col - first_col, t.row - first_row): (_leaf(t), t.region) for t in tiles}
    extent = size_m
    while True:
        groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for key in sorted(nodes, key=lambda k: (k[1], k[0])):
            groups.setdefault((key[0] >> 1, key[1] >> 1), []).append(key)
        extent *= 2
        merged: dict[tuple[int, int], tuple[dict[str, Any], Region]] = {}
        for parent, children in groups.items():
            region = _around([nodes[k][1] for k in children])
            node = {
                "boundingVolume": {"region": _radians(region)},
                "geometricError": round(extent * _ERROR_SHARE, 3),
                "children": [nodes[k][0] for k in children],
            }
            merged[parent] = (node, region)
        nodes = merged
        if len(nodes) == 1:
            return next(iter(nodes.values()))[0], round(2 * extent * _ERROR_SHARE, 3)


def _leaf(tile: TileEntry, above: Float64 | None = None) -> dict[str, Any]:
    """Return a content tile: box in its own frame, transform to ECEF or the frame above (column by column)."""
    low, high = np.array(tile.low), np.array(tile.high)
    centre, half = (low + high) / 2, (high - low) / 2
    box = [*centre, half[0], 0.0, 0.0, 0.0, half[1], 0.0, 0.0, 0.0, half[2]]
    matrix: Float64 = LocalFrame(tile.lon, tile.lat).matrix()
    matrix = matrix if above is None else np.linalg.inv(above) @ matrix
    return {
        "transform": matrix.T.reshape(-1).tolist(),
        "boundingVolume": {"box": [float(v) for v in box]},
        "geometricError": 0.0,
        "content": {"uri": tile.uri},
    }


def ground_tree(tiles: Sequence[TileEntry], size_m: float) -> tuple[dict[str, Any], float]:
    """
    Return the terrain's branch: each tile is replaced by the finer ones in it.

    A tile's geometric error is that of the buildings' tree at its size, so the ground with holes comes when the buildings
    that stand in them do; how far the ground itself strays is far less.
    """
    top = max(t.level for t in tiles)
    extent = size_m * 2 ** (top + 1)
    here = {(t.level, t.col, t.row): t for t in tiles}
    keys = {(t.level + k, t.col >> k, t.row >> k) for t in tiles for k in range(top - t.level + 1)}
    below: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    for level, col, row in sorted(keys, key=lambda k: (k[0], k[2], k[1])):
        if level < top:
            below.setdefault((level + 1, col >> 1, row >> 1), []).append((level, col, row))

    def region(key: tuple[int, int, int]) -> Region:
        parts = [region(child) for child in below.get(key, [])]
        return _around(parts + ([here[key].region] if key in here else []))

    def node(key: tuple[int, int, int], above: Float64 | None) -> dict[str, Any]:
        tile, children = here.get(key), below.get(key, [])
        if not children and tile is not None:
            return _leaf(tile, above)
        own = above
        out: dict[str, Any] = {"boundingVolume": {"region": _radians(region(key))}}
        out["geometricError"] = round(size_m * 2 ** key[0] * _ERROR_SHARE, 3)
        if tile is not None:
            leaf = _leaf(tile, above)
            out |= {"transform": leaf["transform"], "content": leaf["content"]}
            own = LocalFrame(tile.lon, tile.lat).matrix()
        if children:
            out["children"] = [node(child, own) for child in children]
        return out

    roots = [node(key, None) for key in sorted(keys, key=lambda k: (k[2], k[1])) if key[0] == top]
    error = round(extent * _ERROR_SHARE, 3)
    if len(roots) == 1:
        return roots[0] | {"refine": "REPLACE"}, error
    volume = {"region": _radians(_around([t.region for t in tiles]))}
    return {"boundingVolume": volume, "geometricError": error, "refine": "REPLACE", "children": roots}, error


def _around(regions: Sequence[Region]) -> Region:
    """Return the region around regions (degrees, metres); across the antimeridian it stays narrow (west > east)."""
    array = np.array(regions)
    width = (array[:, 2] - array[:, 0]) % 360.0
    west = array[0, 0] + (array[:, 0] - array[0, 0] + 180.0) % 360.0 - 180.0
    w, e = float(west.min()), float((west + width).max())
    w, e = ((v + 180.0) % 360.0 - 180.0 if not -180.0 <= v <= 180.0 else v for v in (w, e))
    return w, float(array[:, 1].min()), e, float(array[:, 3].max()), float(array[:, 4].min()), float(array[:, 5].max())


def _radians(region: Region) -> list[float]:
    return [*np.radians(region[:4]).tolist(), region[4], region[5]]


FORMATS.register(
    "3dtiles", TileFormat("3dtiles", needs=("glb",), finish=lambda tiles, size: {"tileset.json": encode(tiles, size)})
)
