"""
Path of a raster to an open GDAL dataset, safely: the driver comes from a short list, by content.

GeoTIFF (COG, BigTIFF), ESRI ASCII grid, SRTM ``.hgt`` and ``.hgt`` in a zip archive. GDAL opens no VRT under any name (it can open
other files and links; ``ground.vrt`` reads one itself), nor what is not a plain local file. It looks at no neighbour of the file
and writes none.
"""

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from citygen.errors import InputError

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_GRID = re.compile(rb"\s*(ncols|nrows|xllcorner|xllcenter|yllcorner|yllcenter|cellsize|dx|dy)\s", re.IGNORECASE)
_HGT = re.compile(r"[ns]\d\d[ew]\d\d\d.*\.hgt$", re.IGNORECASE)
_HGT_BYTES = tuple(2 * columns * rows for columns, rows in ((1201, 1201), (3601, 3601), (1801, 3601), (7201, 7201)))
ENVIRONMENT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no .aux.xml, .ovr, .msk beside it is looked at
    "GDAL_PAM_ENABLED": "NO",  # and none is written
    "GDAL_CACHEMAX": 64,  # MB; the windows that are read are never read twice
    "GTIFF_REPORT_COMPD_CS": "YES",  # the vertical part of a CRS, also of GeoTIFF 1.0
}
KNOWN = "GeoTIFF, ESRI ASCII grid (.asc), SRTM .hgt and .hgt.zip"
FORMATS = (
    ("GeoTIFF, BigTIFF, COG", "by content", "internal overviews and masks; a `.tfw` where it has no geotransform"),
    ("ESRI ASCII grid", "by content", "CRS from the `.prj` beside it"),
    ("SRTM `.hgt`", "by name and size", "1 and 3 seconds; EGM96 by its publisher, which the file does not say"),
    (
        "SRTM `.hgt` in a zip archive",
        "by content",
        "one tile an archive, at most 52 MB; its name is never used as a path",
    ),
    ("VRT", "by content", "as data: whole local files beside or below it, put side by side; all else is refused"),
    ("a folder", "", "its rasters, in the order of their names"),
)
"""What ``--dem`` takes on this machine, for the documentation: what, how it is recognised, what to know."""

ZIPPED = "SRTMHGT.zip"
"""What ``driver_of`` says of a zip archive that holds an SRTM file; GDAL has no such driver."""
_TIFF_BLOCKS = 4096  # blocks of a TIFF whose place in the file is checked


class VrtError(InputError):
    """A file is a GDAL VRT, which GDAL does not open here."""


def local_file(path: str | Path) -> Path:
    """
    Return the absolute path of a plain local file.

    Raises
    ------
    InputError
        For a URL, a GDAL virtual path, a folder, or nothing there.
    """
    text = str(path)
    if "://" in text or text.replace("\\", "/").lower().startswith("/vsi"):
        raise InputError(f"DEM {text}: links and GDAL virtual paths are not opened; give a local file")
    found = Path(path).absolute()
    if not found.exists():
        raise InputError(f"DEM {text}: no such file")
    if not found.is_file():
        raise InputError(f"DEM {text}: not a file; give the rasters themselves")
    return found


def driver_of(path: Path) -> str:
    """
    Return the GDAL driver that a file's content asks for.

    Raises
    ------
    InputError
        When it is none of the list.
    """
    try:
        with path.open("rb") as file:
            head = file.read(2048)
    except OSError as error:
        raise InputError(f"DEM {path}: cannot be read: {error.strerror}") from error
    if head.startswith(_TIFF):
        return "GTiff"
    if b"<VRTDataset" in head or b"<GDALTileIndexDataset" in head:
        raise VrtError(f"DEM {path}: a GDAL VRT only points at other files; give those rasters themselves")
    if _GRID.match(head):
        return "AAIGrid"
    if head.startswith(b"PK\x03\x04"):
        _member(path)
        return ZIPPED
    if _HGT.match(path.name):
        if path.stat().st_size in _HGT_BYTES:
            return "SRTMHGT"
        raise InputError(f"DEM {path}: {path.stat().st_size} bytes is not the size of an SRTM .hgt file; is it whole?")
    raise InputError(f"DEM {path}: not a raster that can be read here ({KNOWN})")


@contextmanager
def opened(path: str | Path, driver: str, overview: int = -1) -> Iterator[Any]:
    """
    Open a raster with one driver for the time of a ``with`` block.

    Parameters
    ----------
    path : str or Path
        Absolute, as ``local_file`` gives it.
    driver : str
        As ``driver_of`` gives it.
    overview : int
        Which of its overviews; -1: the raster itself.

    Yields
    ------
    rasterio.io.DatasetReader
        Open for reading.

    Raises
    ------
    InputError
        When GDAL cannot open it, or a read in the block fails.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError
    from rasterio.io import MemoryFile

    level = {} if overview < 0 else {"OVERVIEW_LEVEL": overview}
    with rasterio.Env(**ENVIRONMENT), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # said by ``open_dem`` in its own words
        try:
            if driver == ZIPPED:
                name, content = _unzipped(Path(path), Path(path).stat().st_mtime_ns)
                with MemoryFile(content, filename=name) as file, file.open(driver="SRTMHGT", sharing=False) as dataset:
                    yield dataset
            else:
                with rasterio.open(Path(path), driver=driver, sharing=False, **level) as dataset:
                    yield dataset
        except RasterioError as error:
            raise InputError(f"DEM {path}: damaged or cut short: {_one_line(error)}") from error
        except OSError as error:
            raise InputError(f"DEM {path}: cannot be read: {error.strerror or error}") from error


def _member(path: Path) -> zipfile.ZipInfo:
    """Return the one SRTM file of a zip archive; its name is looked at for the square that it covers, and never used as a path."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [each for each in archive.infolist() if _HGT.match(each.filename.rpartition("/")[2])]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"DEM {path}: a damaged zip archive: {error}") from error
    if len(found) != 1:
        raise InputError(f"DEM {path}: the zip archive holds {len(found)} SRTM .hgt files, not one; unpack it")
    if found[0].file_size not in _HGT_BYTES:
        raise InputError(f"DEM {path}: {found[0].file_size} bytes is not the size of an SRTM .hgt file")
    return found[0]


@lru_cache(maxsize=2)
def _unzipped(path: Path, _: int) -> tuple[str, bytes]:
    """Return the name and content of an archive's SRTM file, at most 52 MB; kept for the next window."""
    member = _member(path)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            content = file.read(member.file_size + 1)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error, EOFError) as error:
        raise InputError(f"DEM {path}: a damaged or locked zip archive: {error}") from error
    if len(content) != member.file_size:
        raise InputError(f"DEM {path}: the zip archive holds another number of bytes than it says")
    return member.filename.rpartition("/")[2][:7].upper() + ".hgt", content


def grid_extent(path: Path) -> tuple[float, float, float, float]:
    """
    Return the extent of a geoid grid, degrees: west, south, east, north.

    Parameters
    ----------
    path : Path
        A GeoTIFF or ``.gtx`` file.

    Raises
    ------
    InputError
        When it is missing, not such a grid, or not in degrees.
    """
    if not path.is_file():
        raise InputError(f"--geoid {path}: no such file")
    driver = "GTX" if path.suffix.lower() == ".gtx" else "GTiff"
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.Env(**ENVIRONMENT), rasterio.open(path.absolute(), driver=driver, sharing=False) as grid:
            bounds = tuple(grid.bounds)
            degrees = grid.crs is None or grid.crs.is_geographic
    except RasterioError as error:
        raise InputError(f"--geoid {path}: not a PROJ grid (.tif, .gtx): {_one_line(error)}") from error
    if not degrees:
        raise InputError(f"--geoid {path}: its places are not in degrees; PROJ's grids (.tif, .gtx) are")
    return bounds


def check_whole(dataset: Any, path: Path) -> None:
    """
    See that the last bytes a raster speaks of are there.

    Parameters
    ----------
    dataset : rasterio.io.DatasetReader
        Open.
    path : Path
        Its file.

    Raises
    ------
    InputError
        When the file is shorter than its own index says, or its last row cannot be read.
    """
    import rasterio
    from rasterio.windows import Window

    if dataset.driver != "GTiff":
        try:
            dataset.read(1, window=Window(0, dataset.height - 1, 1, 1))
        except rasterio.errors.RasterioError as error:
            raise InputError(f"DEM {path}: damaged or cut short: {_one_line(error)}") from error
        return
    size = path.stat().st_size
    rows, columns = dataset.block_shapes[0]
    down, across = -(-dataset.height // rows), -(-dataset.width // columns)
    step = max(1, -(-down * across // _TIFF_BLOCKS))
    for k in {*range(0, down * across, step), down * across - 1}:
        name = f"{k % across}_{k // across}"
        offset = dataset.get_tag_item(f"BLOCK_OFFSET_{name}", "TIFF", bidx=1)
        length = dataset.get_tag_item(f"BLOCK_SIZE_{name}", "TIFF", bidx=1)
        if offset and length and int(offset) + int(length) > size:
            raise InputError(f"DEM {path}: cut short: its cells run to byte {int(offset) + int(length)} of {size}")


def _one_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split())
