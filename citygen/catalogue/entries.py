"""An output folder back to its tiles: ``tileset.json`` read for each tile's file, place and frame."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from citygen.errors import InputError
from citygen.geom.geodesy import from_ecef
from citygen.model.scene import TileEntry


def read_entries(out: Path) -> dict[str, TileEntry]:
    """
    Read the content tiles of a tileset that citygen wrote.

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
    try:
        document = json.loads((out / "tileset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{out}: no readable tileset.json; build with --format 3dtiles") from error
    return {Path(entry.uri).stem: entry for entry in map(_entry, _contents(document["root"]))}


def _contents(tile: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "content" in tile:
        yield tile
    for child in tile.get("children", ()):
        yield from _contents(child)


def _entry(tile: dict[str, Any]) -> TileEntry:
    uri = tile["content"]["uri"]
    col, _, row = Path(uri).stem.partition("_")
    matrix = np.array(tile["transform"]).reshape(4, 4).T
    lonlat, _ = from_ecef(matrix[None, :3, 3])
    box = np.array(tile["boundingVolume"]["box"])
    half = box[[3, 7, 11]]
    low, high = ((b[0], b[1], b[2]) for b in ((box[:3] - half).tolist(), (box[:3] + half).tolist()))
    nan = float("nan")
    lon, lat = lonlat[0].tolist()
    return TileEntry(uri, int(col), int(row), lon, lat, low, high, (nan, nan, nan, nan, nan, nan))
