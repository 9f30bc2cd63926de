"""Options to remote data: how they are reached, the DEM that they are fetched for, and what a report says of them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from citygen.config import BuildConfig
from citygen.ground.dem import Dem, open_dem
from citygen.ground.remote import fetch_dems
from citygen.log import get_logger
from citygen.remote.access import OVERTURE_URL, Access, OpenData, Progress
from citygen.sources.base import Bounds, Source, boxes_of

log = get_logger(__name__)


def access_of(config: BuildConfig, progress: Progress) -> Access:
    """
    Return how remote data are reached.

    Parameters
    ----------
    config : BuildConfig
        For cache and mirrors. A mirror of Overture's bucket has no catalogue unless one is named too.
    progress : callable
        ``progress(stage, done, total)``.

    Returns
    -------
    Access
    """
    plain = Access()
    mirrored = config.overture_url not in (None, OVERTURE_URL)
    return replace(
        plain,
        cache=Path(config.cache).expanduser().absolute() if config.cache else None,
        overture_url=config.overture_url or plain.overture_url,
        overture_stac=config.overture_stac or ("" if mirrored else plain.overture_stac),
        copernicus_url=config.copernicus_url or plain.copernicus_url,
        s3_url=config.s3_url or "",
        progress=progress,
    )


def open_ground(
    config: BuildConfig, box: Bounds | None, access: Access
) -> tuple[Dem | None, list[str], list[OpenData]]:
    """
    Open the DEM, fetched for an area where it is remote.

    Parameters
    ----------
    config : BuildConfig
        For its rasters and their CRS.
    box : Bounds or None
        Where heights are wanted, degrees; see ``Remote`` for the antimeridian.
    access : Access
        How to reach them.

    Returns
    -------
    dem : Dem or None
        None builds on level ground. Its notes hold what must be known of fetched ones.
    paths : list of str
        Its files.
    origins : list of OpenData
        What must be said of fetched ones.
    """
    if not config.dem:
        return None, [], []
    paths, origins = fetch_dems(config.dem, () if box is None else boxes_of(box), access)
    dem = open_dem(paths, crs=config.dem_crs)
    return replace(dem, notes=(*dem.notes, *(note for o in origins for note in o.notes))), paths, origins


def described(sources: Sequence[Source], origins: Sequence[OpenData]) -> tuple[OpenData, ...]:
    """Gather what must be said of all fetched data, in their order, and log whose they are."""
    found = [s.info.origin for s in sources if s.info.origin is not None] + list(origins)
    for each in found:
        if each.attribution:
            log.info("%s %s: %s; %s", each.name, each.release, each.licence, each.attribution)
    return tuple(found)


def reported(data: Sequence[OpenData]) -> list[dict[str, Any]]:
    """Return what ``report.json`` says of fetched data: what is empty is left out."""
    listed = []
    for each in data:
        known = {name: value for name, value in asdict(each).items() if value}
        if each.datasets:
            known["datasets"] = dict(each.datasets)
        if each.notes:
            known["notes"] = list(each.notes)
        listed.append(known)
    return listed
