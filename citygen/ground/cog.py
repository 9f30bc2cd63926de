"""
A remote GeoTIFF and an area to a local one of the blocks that the area needs, fetched in ranges.

GDAL does not touch the network: it reads a file object whose pages are fetched by ``citygen.remote``, so tries, proxies, timeouts
and the promise to ask for one URL alone are those of every other remote source. Blocks of a window are asked for together.
The extract is an ordinary file of the cache, in the cells of the original: workers, resumed runs and clusters need no connection.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from citygen.arraytypes import Float64
from citygen.errors import CoverageError, InputError
from citygen.ground.layers import project
from citygen.ground.rasterfile import ENVIRONMENT
from citygen.log import redacted
from citygen.remote.access import Access, safe_name
from citygen.remote.cache import beside, key_of
from citygen.remote.paged import PAGE, PagedFile

Box = tuple[float, float, float, float]
Window = tuple[int, int, int, int]
"""First column, first row, end column, end row (exclusive)."""

PAD_CELLS = 32
"""Cells around an area: footprints reach over its edge, and interpolation looks at neighbours."""

_PAD_DEG = 0.002  # 200 m, for what lies around footprints
_AT_ONCE = 64 << 20  # bytes of blocks that are in memory at once
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def fetch_blocks(
    url: str, what: tuple[int, str], boxes: Sequence[Box], access: Access, folder: Path
) -> tuple[Path, ...] | None:
    """
    Fetch what an area needs of a remote GeoTIFF.

    Parameters
    ----------
    url : str
        ``http(s)://``.
    what : (int, str)
        Its size in bytes and version tag, as ``head`` says.
    boxes : sequence of Box
        The area, degrees: west, south, east, north.
    access : Access
        How to fetch; ``finest_m`` says which overview is enough.
    folder : Path
        Of the extracts.

    Returns
    -------
    tuple of Path or None
        One file a box that meets the raster; None when it is no GeoTIFF that says where it lies: fetch it whole.

    Raises
    ------
    CoverageError
        When the area lies outside.
    InputError
        When it is damaged.
    RemoteError
        When the server does not answer, or knows no ranges.
    """
    import rasterio
    from rasterio.errors import RasterioError

    size, etag = what
    file = PagedFile(url, size, access)
    if not file.read(4).startswith(_TIFF):
        return None
    file.seek(0)
    made: list[Path] = []
    try:
        with rasterio.Env(**ENVIRONMENT), _opened(file) as dataset:
            if dataset.crs is None or dataset.transform.is_identity or not dataset.count:
                return None
            level = _level(dataset, access.finest_m)
            with _opened(file, level) as cells:
                for box in boxes:
                    window = _window(cells, box)
                    if window is None:
                        continue
                    name = f"{key_of(url, size, etag, window, level)}-{safe_name(Path(url.partition('?')[0]).name)}"
                    path = folder / (name if name.lower().endswith((".tif", ".tiff")) else f"{name}.tif")
                    if not path.is_file():
                        _extract(cells, (dataset, level), window, path, file)
                    made.append(path)
            if not made:
                raise _outside(url, dataset, boxes)
    except RasterioError as error:
        cause = " ".join(str(error.__cause__ or error).split())
        raise InputError(f"DEM {redacted(url)}: damaged, or no raster that can be read in parts: {cause}") from error
    return tuple(dict.fromkeys(made))


def _opened(file: PagedFile, level: int = -1) -> Any:
    """Open a remote file, or an overview of it, through views of its pages; nothing else is found through them."""
    import rasterio

    name = f"{key_of(file.url)}.tif"

    def view(path: str, mode: str = "rb", **_: Any) -> PagedFile:
        if not path.endswith(name) or "w" in mode or "a" in mode:
            raise FileNotFoundError(path)
        return file.another()

    option = {} if level < 0 else {"OVERVIEW_LEVEL": level}
    return rasterio.open(name, driver="GTiff", sharing=False, opener=view, **option)


def _level(dataset: Any, finest_m: float) -> int:
    """Return the coarsest overview whose cells are not larger than asked for; -1: the raster itself."""
    if finest_m <= 0.0:
        return -1
    unit = 111_320.0 if dataset.crs.is_geographic else dataset.crs.linear_units_factor[1]
    cell = max(dataset.res) * unit
    fits = [k for k, factor in enumerate(dataset.overviews(1)) if cell * factor <= finest_m * (1.0 + 1e-6)]
    return fits[-1] if fits else -1


def _window(cells: Any, box: Box) -> Window | None:
    """Return the cells that a box needs, whole blocks of them; None where it lies outside."""
    west, south, east, north = box[0] - _PAD_DEG, box[1] - _PAD_DEG, box[2] + _PAD_DEG, box[3] + _PAD_DEG
    grid = np.stack(np.meshgrid(np.linspace(west, east, 17), np.linspace(south, north, 17)), axis=-1).reshape(-1, 2)
    places: Float64 = project(grid, "OGC:CRS84", cells.crs.to_wkt())
    places = places[np.all(np.isfinite(places), axis=1)]
    if len(places) == 0:
        return None
    a, b, c, d, e, f = tuple(~cells.transform)[:6]
    columns, rows = a * places[:, 0] + b * places[:, 1] + c, d * places[:, 0] + e * places[:, 1] + f
    high, wide = cells.block_shapes[0]
    found = []
    for values, block, end in ((columns, wide, cells.width), (rows, high, cells.height)):
        first = math.floor(values.min()) - PAD_CELLS
        last = math.ceil(values.max()) + PAD_CELLS
        if last <= 0 or first >= end:
            return None
        found.append((max(first, 0) // block * block, min(-(-min(last, end) // block) * block, end)))
    (c0, c1), (r0, r1) = found
    return c0, r0, c1, r1


def _extract(cells: Any, source: tuple[Any, int], window: Window, path: Path, file: PagedFile) -> None:
    """Copy the cells of a window into a file of their own, a row of blocks at a time."""
    import rasterio
    from rasterio.windows import Window as Cells

    dataset, level = source
    c0, r0, c1, r1 = window
    masked = "per_dataset" in {flag.name for flag in dataset.mask_flag_enums[0]}
    form = {
        "driver": "GTiff",
        "width": c1 - c0,
        "height": r1 - r0,
        "count": 1,
        "dtype": dataset.dtypes[0],
        "crs": dataset.crs,
        "transform": cells.transform @ rasterio.Affine.translation(c0, r0),
        "nodata": dataset.nodata,
        "compress": "deflate",
        "zlevel": 1,
        "BIGTIFF": "IF_SAFER",
    }
    form |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    header = -(-_header_end(dataset, level) // PAGE)
    with beside(path) as part, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(part, "w", **form) as out:
        for row, end in _strips(cells, window):
            file.want(_spans(cells, (dataset, level), (c0, row, c1, end)))
            part_of = Cells(c0, row, c1 - c0, end - row)
            target = Cells(0, row - r0, c1 - c0, end - row)
            out.write(cells.read(1, window=part_of), 1, window=target)
            if masked:
                out.write_mask(cells.read_masks(1, window=part_of), window=target)
            file.forget(header)
        out.scales, out.offsets = dataset.scales[:1], dataset.offsets[:1]
        if dataset.units[0]:
            out.units = dataset.units[:1]
        out.update_tags(**{key: value for key, value in dataset.tags().items() if key != "AREA_OR_POINT"})
        out.update_tags(
            1, **{key: value for key, value in dataset.tags(1).items() if not key.startswith("STATISTICS_")}
        )


def _strips(cells: Any, window: Window) -> Iterator[tuple[int, int]]:
    """Cut a window into runs of whole rows of blocks, of a bounded size in memory."""
    rows = cells.block_shapes[0][0]
    wide = (window[2] - window[0]) * rows * np.dtype(cells.dtypes[0]).itemsize
    step = rows * max(1, _AT_ONCE // max(wide, 1))
    for row in range(window[1], window[3], step):
        yield row, min(row + step, window[3])


def _spans(cells: Any, source: tuple[Any, int], window: Window) -> list[tuple[int, int]]:
    """Return where in the file the blocks of a window lie."""
    rows, columns = cells.block_shapes[0]
    return [
        span
        for down in range(window[1] // rows, -(-window[3] // rows))
        for across in range(window[0] // columns, -(-window[2] // columns))
        if (span := _block(*source, across, down)) is not None
    ]


def _block(dataset: Any, level: int, across: int, down: int) -> tuple[int, int] | None:
    """Return where one block lies; None for one that is not there (it is void)."""
    about = {"bidx": 1} if level < 0 else {"bidx": 1, "ovr": level}
    offset = dataset.get_tag_item(f"BLOCK_OFFSET_{across}_{down}", "TIFF", **about)
    length = dataset.get_tag_item(f"BLOCK_SIZE_{across}_{down}", "TIFF", **about)
    return (int(offset), int(offset) + int(length)) if offset and length and int(length) else None


def _header_end(dataset: Any, level: int) -> int:
    """Return roughly where the index of a COG ends: at its first block, at most a few megabytes in."""
    first = _block(dataset, level, 0, 0)
    return min(first[0] if first else PAGE, 8 << 20)


def _outside(url: str, dataset: Any, boxes: Sequence[Box]) -> CoverageError:
    area = "; ".join(", ".join(f"{value:.4f}" for value in box) for box in boxes)
    bounds = ", ".join(f"{value:.6g}" if dataset.crs.is_geographic else f"{value:.1f}" for value in dataset.bounds)
    label = ":".join(dataset.crs.to_authority() or (dataset.crs.to_string()[:60],))
    return CoverageError(
        f"the DEM does not cover the area: area lon/lat {area}; DEM {redacted(url)}: {bounds} ({label}). Check the area"
    )
