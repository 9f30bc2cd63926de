"""
``copernicus-glo30`` to GeoTIFF tiles: Copernicus DEM GLO-30 Public, one degree a tile, from its public bucket.

Of each tile the blocks that the area needs are fetched, a few megabytes of some forty.
Tiles that the bucket's list does not name are open sea, or land that is not public (Armenia and Azerbaijan among them): the
ground there is 0, and the report says so. A tile stays in the cache until it is deleted.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from citygen.errors import CoverageError, InputError
from citygen.ground.cog import fetch_blocks
from citygen.ground.remote import REMOTE_DEMS, Box, Fetched, RemoteDem
from citygen.log import get_logger
from citygen.remote.access import COPERNICUS_URL, Access, OpenData
from citygen.remote.cache import beside, key_of, read_note, write_note
from citygen.remote.http import NoRangesError, NotThereError, download, get, head

log = get_logger(__name__)

_PAD_DEG = 0.004  # a tile's cells are centred on whole degrees, and up to 10 seconds wide near the poles
_LIST = "tileList.txt"
_NOTES = (
    "Copernicus GLO-30 is a surface model: under buildings and trees its heights lie above the ground.",
    "Its heights refer to EGM2008.",
)
_ATTRIBUTION = (
    "produced using Copernicus WorldDEM-30 © DLR e.V. 2010-2014 and © Airbus Defence and Space GmbH 2014-2018 provided under "
    "COPERNICUS by the European Union and ESA; all rights reserved"
)


def fetch_copernicus(spec: str, boxes: Sequence[Box], access: Access) -> Fetched:
    """
    Fetch the tiles of an area.

    Returns
    -------
    Fetched
        Tiles, or what the area needs of them, from south to north, then level sheets at 0 for those that are not there.

    Raises
    ------
    InputError
        When the bucket has neither a tile nor the list that would explain it.
    RemoteError
        When it cannot be reached.
    """
    if ":" in spec:
        raise InputError(f"--dem {spec}: Copernicus GLO-30 has no releases to choose from; write copernicus-glo30")
    base = access.copernicus_url.rstrip("/")
    folder = access.folder / "copernicus-glo30"
    if base != COPERNICUS_URL:
        folder /= key_of(base)
    tiles: list[Path] = []
    sheets: list[Path] = []
    missing: list[str] = []
    for south, west in tiles_of(boxes):
        name = tile_name(south, west)
        sheet = folder / f"{name}.sea.tif"
        found = None if sheet.is_file() else _fetch(base, name, boxes, access, folder)
        if found is not None:
            tiles += found
        else:
            if not sheet.is_file():
                write_level(sheet, south, west)
            sheets.append(sheet)
            missing.append(name.removeprefix("Copernicus_DSM_COG_10_").removesuffix("_DEM"))
    notes = list(_NOTES)
    if missing:
        notes.append(
            f"It has no tile {', '.join(missing)} (open sea, or land that is not public): the ground there is 0."
        )
    log.warning("%s", " ".join(notes))
    licence = "Copernicus DEM licence (free of charge, with attribution)"
    origin = OpenData("Copernicus DEM GLO-30", "", base, licence, _ATTRIBUTION, datum="EGM2008", notes=tuple(notes))
    return Fetched((*tiles, *sheets), origin)


def tiles_of(boxes: Sequence[Box]) -> list[tuple[int, int]]:
    """
    List the tiles of an area, each by its south and west degree.

    Examples
    --------
    >>> tiles_of([(10.999, 48.2, 11.2, 48.3)])
    [(48, 10), (48, 11)]
    >>> tiles_of([(179.5, -17.5, 180.0, -17.2), (-180.0, -17.5, -179.5, -17.2)])
    [(-18, -180), (-18, 179)]
    """
    found = set()
    for west, south, east, north in boxes:
        rows = range(max(-90, math.floor(south - _PAD_DEG)), min(90, math.floor(north + _PAD_DEG) + 1))
        columns = range(math.floor(west - _PAD_DEG), math.floor(east + _PAD_DEG) + 1)
        found |= {(row, (column + 180) % 360 - 180) for row in rows for column in columns}
    return sorted(found)


def tile_name(south: int, west: int) -> str:
    """
    Return the name of a tile, which is that of its folder too.

    Examples
    --------
    >>> tile_name(48, 11), tile_name(-18, -180)
    ('Copernicus_DSM_COG_10_N48_00_E011_00_DEM', 'Copernicus_DSM_COG_10_S18_00_W180_00_DEM')
    """
    y, x = "NS"[south < 0], "EW"[west < 0]
    return f"Copernicus_DSM_COG_10_{y}{abs(south):02d}_00_{x}{abs(west):03d}_00_DEM"


def _fetch(base: str, name: str, boxes: Sequence[Box], access: Access, folder: Path) -> tuple[Path, ...] | None:
    """Fetch what an area needs of a tile, once; None where the bucket's list does not name it."""
    whole, note = folder / f"{name}.tif", folder / f"{name}.{key_of(list(boxes), access.finest_m)}.json"
    if whole.is_file():
        return (whole,)
    kept = tuple(folder / each for each in (read_note(note) or {}).get("files", ()))
    if kept and all(each.is_file() for each in kept):
        return kept
    url = f"{base}/{name}/{name}.tif"
    try:
        reply = head(url, access)
        found = fetch_blocks(url, (reply.size or 0, reply.etag), boxes, access, folder)
    except NotThereError as error:
        if _is_named(base, name, access):
            raise InputError(
                f"{base}: neither the tile {name} nor a {_LIST} that lacks it; check the URL of the mirror (--copernicus-url)"
            ) from error
        return None
    except NoRangesError:
        found = None
    except CoverageError:  # the area ends a hand's breadth before it
        return ()
    if found is None:
        download(url, whole, access)
        return (whole,)
    write_note(note, {"files": [each.name for each in found], "url": url})
    return found


def _is_named(base: str, name: str, access: Access) -> bool:
    """Say whether a tile that is not there should be: the bucket's list names it, or there is no list."""
    try:
        names = get(f"{base}/{_LIST}", access).data.decode("utf-8", "replace").split()
    except NotThereError:
        return True
    return name in names or not names


def write_level(path: Path, south: int, west: int) -> None:
    """Write a sheet of zeros over a degree and a little more, in the form of a tile."""
    import rasterio
    from rasterio.transform import from_bounds

    box = (west - _PAD_DEG, south - _PAD_DEG, west + 1 + _PAD_DEG, south + 1 + _PAD_DEG)
    with beside(path) as part:
        form = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
        with rasterio.open(part, "w", transform=from_bounds(*box, 4, 4), **form) as sheet:
            sheet.write(np.zeros((1, 4, 4), dtype=np.float32))


REMOTE_DEMS.register(
    "copernicus-glo30",
    RemoteDem("copernicus-glo30: heights anywhere on Earth, 30 m, a surface model (EGM2008)", True, fetch_copernicus),
)
