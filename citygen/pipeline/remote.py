"""Options to remote data: how they are reached, and what a report says of them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from citygen.config import BuildConfig
from citygen.log import get_logger
from citygen.remote.access import OVERTURE_URL, Access, OpenData, Progress
from citygen.sources.base import Source

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
        finest_m=config.dem_resolution,
    )


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
