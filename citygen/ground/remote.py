"""
What ``--dem`` names to raster files of this machine: a file is itself, a remote DEM is fetched for the area.

A remote DEM is one file of ``ground/remotes``: it registers a ``RemoteDem`` in ``REMOTE_DEMS`` under what its specs start with.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from citygen.errors import ConfigError
from citygen.registry import Registry
from citygen.remote.access import Access, OpenData

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Raster files of a remote DEM, the most trusted first, and what must be said of them."""

    paths: tuple[Path, ...]
    origin: OpenData


@dataclass(frozen=True, slots=True)
class RemoteDem:
    """
    A kind of DEM that is not a file of this machine.

    Attributes
    ----------
    text : str
        What a person may write, for messages and the documentation.
    needs_area : bool
        Whether it can be fetched for an area alone.
    fetch : callable
        The whole spec as given, boxes of the area (west, south, east, north in degrees; two where it crosses the
        antimeridian, none where it is not known), access -> files.
    """

    text: str
    needs_area: bool
    fetch: Callable[[str, Sequence[Box], Access], Fetched]


REMOTE_DEMS: Registry[RemoteDem] = Registry("remote DEM", room="citygen.ground.remotes", group="citygen.dems")
"""Every kind of remote DEM, by what stands before the first colon of its specs."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)(?::|$)", re.IGNORECASE)


def remote_dem(spec: str) -> RemoteDem | None:
    """
    Return the kind of remote DEM that a spec names; None for a file.

    Examples
    --------
    >>> remote_dem("copernicus-glo30") is None, remote_dem("dem.tif") is None
    (False, True)
    """
    found = _SCHEME.match(spec)
    name = None if found is None else REMOTE_DEMS.resolve(found.group(1).lower())
    return None if name is None else REMOTE_DEMS[name]


def fetch_dems(specs: Sequence[str], boxes: Sequence[Box], access: Access) -> tuple[list[str], list[OpenData]]:
    """
    Turn specs into files.

    Parameters
    ----------
    specs : sequence of str
        Files and remote DEMs, the most trusted first.
    boxes : sequence of Box
        Where heights are wanted, degrees; empty where nobody knows.
    access : Access
        How remote ones are reached.

    Returns
    -------
    paths : list of str
        Files, those of each remote DEM in its place.
    origins : list of OpenData
        What must be said of the remote ones.

    Raises
    ------
    ConfigError
        When a remote DEM needs an area and there is none.
    RemoteError
        When it cannot be reached.
    """
    paths: list[str] = []
    origins: list[OpenData] = []
    for spec in specs:
        kind = remote_dem(spec)
        if kind is None:
            paths.append(spec)
            continue
        if kind.needs_area and not boxes:
            raise ConfigError(f"--dem {spec}: the data cover the Earth; say which area is wanted with --aoi")
        fetched = kind.fetch(spec, boxes, access)
        paths += map(str, fetched.paths)
        origins.append(fetched.origin)
    return paths, origins
