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
        root, top = _tree(ordered, tile_size_m)
        root["refine"] = "ADD"
    document = {
        "asset": {"version": "1.1", "extras": {"generator": f"citygen {__version__}"}},
        "geometricError": top,
        "root": root,
    }
    return json.dumps(document, separators=(",", ":")).encode()


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


def _leaf(tile: TileEntry) -> dict[str, Any]:
    """Return a content tile: box in its own frame, transform to ECEF (column by column)."""
    low, high = np.array(tile.low), np.array(tile.high)
    centre, half = (low + high) / 2, (high - low) / 2
    box = [*centre, half[0], 0.0, 0.0, 0.0, half[1], 0.0, 0.0, 0.0, half[2]]
    matrix: Float64 = LocalFrame(tile.lon, tile.lat).matrix()
    return {
        "transform": matrix.T.reshape(-1).tolist(),
        "boundingVolume": {"box": [float(v) for v in box]},
        "geometricError": 0.0,
        "content": {"uri": tile.uri},
    }


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
