"""What an output format is: a tile's scene in, whole files out. Formats register here, one file each."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from citygen.model.scene import Scene, TileEntry
from citygen.registry import Registry


@dataclass(frozen=True, slots=True)
class TileFormat:
    """
    A format: a file a tile, files over all tiles, or both.

    Attributes
    ----------
    name : str
        What the user types.
    suffix : str
        Of a tile's file, with its dot.
    folder : str
        Of the tiles, below the output folder.
    encode : callable or None
        ``encode(scene)`` gives a tile's bytes.
    needs : tuple of str
        Formats that must be written too.
    finish : callable or None
        ``finish(tile entries, tile size in metres)`` gives paths below the output folder and their bytes.
    """

    name: str
    suffix: str = ""
    folder: str = ""
    encode: Callable[[Scene], bytes] | None = None
    needs: tuple[str, ...] = ()
    finish: Callable[[Sequence[TileEntry], float], dict[str, bytes]] | None = None

    def path(self, level: int, col: int, row: int) -> str:
        """Return a tile's path below the output folder: from the grid alone, never from data."""
        return f"{self.folder}/{level}/{col}_{row}{self.suffix}"


FORMATS: Registry[TileFormat] = Registry("format", room="citygen.formats", group="citygen.formats")


def write_whole(path: Path, data: bytes) -> None:
    """
    Write a file that is whole or absent: beside, then renamed over.

    Parameters
    ----------
    path : pathlib.Path
        Its folder is made when missing.
    data : bytes
        The content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
