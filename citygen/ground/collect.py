"""What ``--dem`` names on this machine (rasters, folders of tiles, VRTs) to the list of rasters to open, the most trusted first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from citygen.errors import InputError
from citygen.ground.rasterfile import KNOWN, VrtError, driver_of, local_file
from citygen.ground.vrt import read_vrt

_TILES = (".tif", ".tiff", ".asc", ".hgt", ".hgt.zip", ".zip", ".agr", ".grd")


@dataclass(frozen=True, slots=True)
class Found:
    """
    One raster file to open.

    Attributes
    ----------
    path : Path
        Absolute.
    driver : str
        As ``driver_of`` gives it.
    nodata : float or None
        What a VRT says is void in it, for a raster that does not say it.
    crs : str
        What a VRT says of its CRS, likewise; '' for nothing.
    placed : tuple or None
        Where a VRT puts it: width, height, min x, min y, max x, max y (0 cells: not said).
    """

    path: Path
    driver: str
    nodata: float | None = None
    crs: str = ""
    placed: tuple[int, int, tuple[float, float, float, float] | None] | None = None


def collect(paths: Sequence[str | Path]) -> list[Found]:
    """
    List the rasters that paths name.

    Parameters
    ----------
    paths : sequence of str or Path
        Files; folders, whose rasters are taken in the order of their names, not those of folders in them; VRTs.

    Returns
    -------
    list of Found
        In order of precedence; a file that is named twice counts once.

    Raises
    ------
    InputError
        When something is missing, no raster, a folder without rasters, or a VRT that does more than put files together.
    """
    found: list[Found] = []
    for path in paths:
        folder = Path(path)
        files = _tiles(folder) if "://" not in str(path) and folder.is_dir() else [local_file(path)]
        for file in files:
            found += _rasters(file)
    return list({each.path: each for each in reversed(found)}.values())[::-1]


def holds_rasters(folder: Path) -> bool:
    """Say whether a folder holds files whose names end like those of rasters."""
    return bool(_named(folder))


def _named(folder: Path) -> list[Path]:
    """Return the rasters of a folder, by their names' endings, sorted."""
    return sorted(
        each.absolute()
        for each in folder.iterdir()
        if each.name.lower().endswith(_TILES) and not each.name.startswith(".") and each.is_file()
    )


def _tiles(folder: Path) -> list[Path]:
    """Return the rasters of a folder, at least one."""
    files = _named(folder)
    if not files:
        raise InputError(f"DEM {folder}: the folder holds no rasters ({KNOWN})")
    return files


def _rasters(path: Path) -> list[Found]:
    """Return a raster, or those of a VRT."""
    try:
        return [Found(path, driver_of(path))]
    except VrtError:
        sources = read_vrt(path)
    found = []
    for each in sources:
        try:
            driver = driver_of(each.path)
        except VrtError as error:
            raise InputError(f"DEM {path}: this VRT cannot be taken: it nests another one, {each.path.name}") from error
        found.append(Found(each.path, driver, each.nodata, each.crs, (each.width, each.height, each.bounds)))
    return found
