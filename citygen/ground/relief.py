"""A DEM and an area to a triangle mesh of the ground on a regular grid, for pictures."""

import numpy as np

from citygen.arraytypes import Float64, Int64
from citygen.errors import ConfigError
from citygen.ground.dem import Dem
from citygen.ground.points import heights_at

MAX_NODES = 20_000_000
"""Nodes of one mesh: 1.3 GB with its triangles."""


def relief_mesh(
    dem: Dem, bounds: tuple[float, float, float, float], crs: str, *, step_m: float
) -> tuple[Float64, Int64]:
    """
    Lay a regular grid over an area and lift it onto the ground.

    Nodes lie at whole multiples of the step, so meshes of neighbouring areas share theirs.

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it.
    bounds : tuple of 4 float
        min x, min y, max x, max y in ``crs``; the grid reaches to the next multiples outside.
    crs : str
        Working CRS, metres.
    step_m : float
        m between nodes.

    Returns
    -------
    vertices : (n, 3) float64
        x, y in ``crs``, z in metres in the DEM's datum; only nodes with a value, south to north, west to east.
    triangles : (m, 3) int64
        Counter-clockwise seen from above. A void node leaves a hole.

    Raises
    ------
    ConfigError
        When the step is not positive or gives more than 20 million nodes.
    InputError
        When a file is damaged or gone.
    """
    if not (np.isfinite(step_m) and step_m > 0.0 and np.all(np.isfinite(bounds))):
        raise ConfigError(f"a relief needs a positive step and finite bounds, not {step_m} over {bounds}")
    columns = np.floor(bounds[0] / step_m), np.ceil(bounds[2] / step_m)
    rows = np.floor(bounds[1] / step_m), np.ceil(bounds[3] / step_m)
    n, m = columns[1] - columns[0] + 1, rows[1] - rows[0] + 1
    if n * m > MAX_NODES:
        raise ConfigError(f"a relief with {step_m} m steps over {bounds} has {n * m:.0f} nodes; take a longer step")
    xs = np.arange(columns[0], columns[1] + 1) * step_m
    ys = np.arange(rows[0], rows[1] + 1) * step_m
    grid = np.empty((len(ys), len(xs), 2))
    grid[:, :, 0], grid[:, :, 1] = xs[None, :], ys[:, None]
    xy = grid.reshape(-1, 2)
    z = heights_at(dem, xy, crs)
    valid = ~np.isnan(z)
    number = np.cumsum(valid, dtype=np.int64) - 1
    triangles = _triangles(len(ys), len(xs))
    triangles = triangles[valid[triangles].all(axis=1)]
    return np.column_stack([xy, z])[valid], number[triangles]


def _triangles(n_rows: int, n_columns: int) -> Int64:
    """Return two triangles for each cell of a grid of nodes, cell by cell; (m, 3) int64."""
    node = np.arange(n_rows * n_columns, dtype=np.int64).reshape(n_rows, n_columns)
    sw, se, nw, ne = node[:-1, :-1], node[:-1, 1:], node[1:, :-1], node[1:, 1:]
    return np.stack([sw, se, ne, sw, ne, nw], axis=-1).reshape(-1, 3)
