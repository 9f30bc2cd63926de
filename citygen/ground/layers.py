"""
Rasters of a DEM to layers: runs of rasters on one lattice of cells, and places to cells and back.

Neighbouring map sheets share a lattice, so a surface runs over their seams. Cells are counted from the first raster of
a layer, and cell centres lie at the integers (pixel coordinates).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pyproj import CRS, Transformer

from citygen.arraytypes import Float64
from citygen.ground.dem import PLAIN, Dem, DemRaster, Reading

ON_LATTICE_PX = 1e-3
"""Cells. Rasters whose cells coincide this well are one grid: far below what a geotransform's digits keep."""


@dataclass(frozen=True, slots=True)
class Layer:
    """
    Rasters on one lattice.

    Attributes
    ----------
    rasters : tuple of DemRaster
        In order of precedence.
    origins : tuple of (int, int)
        Column and row of each one's first cell, in the cells of the first.
    reading : Reading
        How the surface is made from the cells.
    later : tuple of Layer
        Those after it in the order of precedence.
    """

    rasters: tuple[DemRaster, ...]
    origins: tuple[tuple[int, int], ...]
    reading: Reading = PLAIN
    later: "tuple[Layer, ...]" = ()

    @property
    def crs(self) -> str:
        """Horizontal CRS, WKT."""
        return self.rasters[0].crs

    def step_m(self) -> Float64:
        """Return metres from one column, and one row, to the next, (2,) float64; of degrees at the middle of the first raster."""
        first = self.rasters[0]
        across, down = first.resolution
        if _is_degrees(first.crs):
            middle = np.radians(min(abs(0.5 * (first.bounds[1] + first.bounds[3])), 89.0))
            return np.array([across * 111_320.0 * float(np.cos(middle)), down * 111_320.0])
        unit = CRS.from_wkt(first.crs).axis_info[0].unit_conversion_factor
        return np.array([across * unit, down * unit])

    def affine(self) -> tuple[Float64, float]:
        """Return what ``geom.resample.to_cells`` takes: (7,) float64, and a full turn in degrees, 0 for metres."""
        first = self.rasters[0]
        a, b, c, d, e, f = first.transform
        det = a * e - b * d
        middle = 0.5 * (first.bounds[0] + first.bounds[2])
        return np.array([e / det, b / det, c, d / det, a / det, f, middle]), 360.0 if _is_degrees(first.crs) else 0.0

    def extent(self) -> tuple[int, int, int, int]:
        """Return first column, first row, end column, end row (exclusive) over all rasters."""
        cols = [col for col, _ in self.origins]
        rows = [row for _, row in self.origins]
        ends = [(col + r.width, row + r.height) for (col, row), r in zip(self.origins, self.rasters, strict=True)]
        return min(cols), min(rows), max(col for col, _ in ends), max(row for _, row in ends)


@lru_cache(maxsize=32)
def layers_of(dem: Dem) -> tuple[Layer, ...]:
    """
    Group the rasters of a DEM, in order, into layers.

    Parameters
    ----------
    dem : Dem
        As ``open_dem`` gives it.

    Returns
    -------
    tuple of Layer
        A raster joins the layer before it when their cells coincide.
    """
    layers: list[tuple[list[DemRaster], list[tuple[int, int]]]] = []
    for raster in dem.rasters:
        origin = _origin(raster, layers[-1][0][0]) if layers else None
        if origin is None:
            layers.append(([raster], [(0, 0)]))
        else:
            layers[-1][0].append(raster)
            layers[-1][1].append(origin)
    made: tuple[Layer, ...] = ()
    for rasters, origins in reversed(layers):
        made = (Layer(tuple(rasters), tuple(origins), dem.reading, made), *made)
    return made


def _origin(raster: DemRaster, first: DemRaster) -> tuple[int, int] | None:
    """Return the cell of ``first`` at which the cells of ``raster`` begin, None off its lattice."""
    a, b, c, d, e, f = first.transform
    ra, rb, rc, rd, re, rf = raster.transform
    steps = max(abs(ra - a) + abs(rd - d), abs(rb - b) + abs(re - e)) * max(raster.width, raster.height)
    if raster.crs != first.crs or steps > ON_LATTICE_PX * min(first.resolution):
        return None
    det = a * e - b * d
    col, row = (e * (rc - c) - b * (rf - f)) / det, (a * (rf - f) - d * (rc - c)) / det
    if max(abs(col - round(col)), abs(row - round(row))) > ON_LATTICE_PX:
        return None
    return round(col), round(row)


@lru_cache(maxsize=64)
def transformer(source: str, target: str) -> Transformer | None:
    """
    Return what takes (x, y) from one CRS to another, None where they are the same.

    Parameters
    ----------
    source, target : str
        Anything pyproj takes; the horizontal part counts.

    Returns
    -------
    pyproj.Transformer or None
        x (east, longitude) first on both sides.
    """
    ends = [CRS.from_user_input(text) for text in (source, target)]
    ends = [crs.sub_crs_list[0] if crs.is_compound else crs.to_2d() for crs in ends]
    if ends[0].equals(ends[1], ignore_axis_order=True):
        return None
    return Transformer.from_crs(ends[0], ends[1], always_xy=True)


@lru_cache(maxsize=64)
def _is_degrees(crs: str) -> bool:
    return bool(CRS.from_user_input(crs).is_geographic)


def project(xy: Float64, source: str, target: str) -> Float64:
    """
    Take points from one CRS to another.

    Parameters
    ----------
    xy : (n, 2) float64
        x (east) first.
    source, target : str
        CRSs.

    Returns
    -------
    (n, 2) float64
        inf where the projection has no answer.
    """
    through = transformer(source, target)
    if through is None or len(xy) == 0:
        return xy
    return np.column_stack(through.transform(xy[:, 0], xy[:, 1]))


def to_pixels(layer: Layer, xy: Float64, crs: str) -> Float64:
    """
    Turn points into pixel coordinates.

    Parameters
    ----------
    layer : Layer
        Whose cells are counted.
    xy : (n, 2) float64
        In ``crs``, x (east) first.
    crs : str
        CRS of the points.

    Returns
    -------
    (n, 2) float64
        Column and row, cell centres at the integers; not finite where the projection has no answer. Longitudes are
        taken on the layer's side of the date line.
    """
    first = layer.rasters[0]
    a, b, c, d, e, f = first.transform
    there = project(xy, crs, layer.crs)
    x, y = there[:, 0], there[:, 1]
    det = a * e - b * d
    out = np.empty((len(xy), 2))
    with np.errstate(invalid="ignore"):  # inf where the projection has no answer
        if _is_degrees(layer.crs):
            middle = 0.5 * (first.bounds[0] + first.bounds[2])
            x = x - 360.0 * np.round((x - middle) / 360.0)
        dx, dy = x - c, y - f
        out[:, 0] = dx * (e / det) - dy * (b / det) - 0.5
        out[:, 1] = dy * (a / det) - dx * (d / det) - 0.5
    return out


def from_pixels(layer: Layer, positions: Float64, crs: str) -> Float64:
    """
    Turn pixel coordinates into points of a CRS: the way back from ``to_pixels``.

    Parameters
    ----------
    layer : Layer
        Whose cells are counted.
    positions : (n, 2) float64
        Column and row, cell centres at the integers.
    crs : str
        CRS of the result.

    Returns
    -------
    (n, 2) float64
        x (east) first.
    """
    a, b, c, d, e, f = layer.rasters[0].transform
    col, row = positions[:, 0] + 0.5, positions[:, 1] + 0.5
    xy = np.column_stack([a * col + b * row + c, d * col + e * row + f])
    return project(xy, layer.crs, crs)
