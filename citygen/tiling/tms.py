"""OGC Two Dimensional Tile Matrix Sets (17-083r4): ``WebMercatorQuad:16``, any set that morecantile knows, or a JSON file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.errors import ConfigError, InputError
from citygen.tiling.base import GRIDS, Grid


@dataclass(frozen=True, slots=True)
class MatrixGrid:
    """
    One tile matrix of a set.

    Attributes
    ----------
    name : str
        ``SET:ZOOM``.
    crs : str
        The set's CRS (WKT); keys and bounds are in its x, y order.
    level : int
        The zoom.
    origin : tuple of float
        x, y of the top left corner.
    size : tuple of float
        Width and height of a tile in CRS units.
    shape : tuple of int
        Columns and rows of the matrix.
    """

    name: str
    crs: str
    level: int
    origin: tuple[float, float]
    size: tuple[float, float]
    shape: tuple[int, int]

    def keys(self, x: Float64, y: Float64) -> tuple[Int64, Int64]:
        """Return column and row of each place; rows grow to the south. Places beyond the matrix take its edge tiles."""
        col = np.floor((x - self.origin[0]) / self.size[0]).astype(np.int64)
        row = np.floor((self.origin[1] - y) / self.size[1]).astype(np.int64)
        return np.clip(col, 0, self.shape[0] - 1), np.clip(row, 0, self.shape[1] - 1)

    def bounds(self, col: int, row: int) -> tuple[float, float, float, float]:
        """Return a tile's extent in the set's CRS."""
        left, top = self.origin[0] + col * self.size[0], self.origin[1] - row * self.size[1]
        return left, top - self.size[1], left + self.size[0], top


def _open(name: str, spec: str) -> Any:
    import morecantile

    if name.lower().endswith(".json"):
        try:
            return morecantile.TileMatrixSet.model_validate_json(Path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            line = str(error).splitlines()[0]
            raise InputError(f"--grid {spec}: {name} is not a TileMatrixSet file: {line}") from error
    known = morecantile.tms.list()
    if name not in known:
        raise ConfigError(f"unknown grid {spec!r}; known: metric:SIZE, FILE.json:ZOOM, {', '.join(sorted(known))}")
    return morecantile.tms.get(name)


def make(spec: str, crs: str) -> Grid | None:  # noqa: ARG001  the set brings its own CRS
    """
    Make a grid of ``SET:ZOOM`` or ``FILE.json:ZOOM``.

    Raises
    ------
    ConfigError
        When the set is unknown or has no such zoom, or its matrices have columns of uneven width.
    InputError
        When the file is not a TileMatrixSet.
    """
    name, _, zoom = spec.rpartition(":")
    if not name or not zoom.isdigit():
        return None
    tms = _open(name, spec)
    levels = sorted(int(m.id) for m in tms.tileMatrices if str(m.id).isdigit())
    if int(zoom) not in levels:
        raise ConfigError(f"--grid {spec}: {name} has zooms {levels[0]} to {levels[-1]}")
    matrix = tms.matrix(int(zoom))
    if matrix.variableMatrixWidths:
        raise ConfigError(f"--grid {spec}: sets with variable matrix widths have no square tiles; choose another")
    if matrix.cornerOfOrigin != "topLeft":
        raise ConfigError(f"--grid {spec}: sets counted from the bottom left are not supported; choose another")
    first = tms.xy_bounds(0, 0, int(zoom))
    return MatrixGrid(
        name=spec,
        crs=tms.crs.to_wkt(),
        level=int(zoom),
        origin=(float(first.left), float(first.top)),
        size=(float(first.right - first.left), float(first.top - first.bottom)),
        shape=(int(matrix.matrixWidth), int(matrix.matrixHeight)),
    )


GRIDS.register("tilematrixset", make)
