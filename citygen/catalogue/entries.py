"""An output folder back to its tiles: ``tileset.json`` read for each tile's file, place and frame."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.errors import InputError
from citygen.geom.geodesy import from_ecef
from citygen.model.scene import TileEntry


def read_entries(out: Path) -> dict[str, TileEntry]:
    """
    Read the buildings' tiles of a tileset that citygen wrote.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.

    Returns
    -------
    dict of str to TileEntry
        By ``<column>_<row>``, as in the catalogue's ``tile`` column; regions are NaN.

    Raises
    ------
    InputError
        When there is no tileset.
    """
    return {Path(entry.uri).stem: entry for entry in _entries(out) if entry.kind == "buildings"}


def read_terrain(out: Path) -> list[TileEntry]:
    """
    Read the finest terrain tiles of a tileset that citygen wrote.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.

    Returns
    -------
    list of TileEntry
        In the order of their files; regions are NaN. Empty without terrain.

    Raises
    ------
    InputError
        When there is no tileset.
    """
    found = [entry for entry in _entries(out) if entry.kind == "terrain"]
    finest = max((int(Path(entry.uri).parent.name) for entry in found), default=0)
    leaves = [entry for entry in found if int(Path(entry.uri).parent.name) == finest]
    return sorted(leaves, key=lambda entry: (entry.row, entry.col))


def _entries(out: Path) -> list[TileEntry]:
    try:
        document = json.loads((out / "tileset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{out}: no readable tileset.json; build with --format 3dtiles") from error
    return [_entry(tile, matrix) for tile, matrix in _contents(document["root"], np.eye(4))]


def _contents(tile: dict[str, Any], above: Float64) -> Iterator[tuple[dict[str, Any], Float64]]:
    """Yield tiles with content, and their frames in ECEF: a tile's transform stands in the frame of the one above."""
    own = above @ np.array(tile["transform"]).reshape(4, 4).T if "transform" in tile else above
    if "content" in tile:
        yield tile, own
    for child in tile.get("children", ()):
        yield from _contents(child, own)


def _entry(tile: dict[str, Any], matrix: Float64) -> TileEntry:
    uri = tile["content"]["uri"]
    col, _, row = Path(uri).stem.partition("_")
    lonlat, _ = from_ecef(matrix[None, :3, 3])
    nan = float("nan")
    low = high = (nan, nan, nan)
    if "box" in tile["boundingVolume"]:
        box = np.array(tile["boundingVolume"]["box"])
        half = box[[3, 7, 11]]
        low, high = ((b[0], b[1], b[2]) for b in ((box[:3] - half).tolist(), (box[:3] + half).tolist()))
    kind = "terrain" if uri.startswith("terrain/") else "buildings"
    lon, lat = lonlat[0].tolist()
    return TileEntry(uri, int(col), int(row), lon, lat, low, high, (nan, nan, nan, nan, nan, nan), kind)
