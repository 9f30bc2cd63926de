"""
``overture[:release]`` to a source: the buildings of an area, and their parts, from Overture's public bucket.

The latest release is found by listing the bucket, once a day. Which files an area needs is read from Overture's catalogue,
one request; without it (a mirror, or it does not answer) from the footers of all files. What the area needs of them is
written to the cache as one GeoParquet file; the same release and area are not asked for again.
"""

import dataclasses
import re
import time
from collections.abc import Sequence
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from citygen.errors import ConfigError, InputError
from citygen.log import get_logger
from citygen.remote.access import Access, OpenData, safe_name
from citygen.remote.bucket import RemoteObject, list_bucket
from citygen.remote.cache import key_of, read_note, write_note
from citygen.remote.http import RemoteError, get
from citygen.sources.base import REMOTES, Bounds, Remote, Source, SourceOptions, boxes_of, open_file
from citygen.sources.extract import extract
from citygen.sources.folder import of_buildings
from citygen.sources.url import named

log = get_logger(__name__)

_DAY_S = 86_400.0
_RELEASE = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?\.\d+")
_TYPES = ("building", "building_part")
_LICENCE = "ODbL-1.0 (Overture Maps buildings theme)"
_ATTRIBUTION = "© OpenStreetMap contributors, Overture Maps Foundation"


def open_overture(spec: str, options: SourceOptions, area: Bounds | None) -> Source:
    """
    Open Overture's buildings of an area.

    Parameters
    ----------
    spec : str
        ``overture`` for the latest release, or ``overture:2026-01-21.0``.
    options : SourceOptions
        Where to fetch from and where to keep it.
    area : Bounds or None
        Needed: the data cover the Earth.

    Returns
    -------
    Source
        Of one local GeoParquet file.

    Raises
    ------
    ConfigError
        Without an area, or for a release that is not there.
    RemoteError
        When the bucket cannot be reached.
    """
    if area is None:
        raise ConfigError(f"--buildings {spec}: the data cover the Earth; say which area is wanted with --aoi")
    access = options.access
    base = access.overture_url.rstrip("/")
    release = spec.partition(":")[2] or _latest(base, access)
    if not _RELEASE.fullmatch(release):
        raise ConfigError(f"--buildings {spec}: {release!r} is no release; {_known(base, access)}")
    stem = access.folder / "overture" / safe_name(release) / key_of(base, area)
    path, note = stem.with_suffix(".parquet"), stem.with_suffix(".json")
    kept = (read_note(note) or {}).get("datasets")
    if not isinstance(kept, dict) or not path.is_file():
        objects = _objects(base, release, boxes_of(area), access)
        kept = extract(objects, boxes_of(area), path, access)
        write_note(note, {"datasets": kept, "release": release, "url": base, "area": area})
    log.info("Overture %s: %s", release, path)
    origin = OpenData(
        name="Overture Maps buildings",
        release=release,
        url=f"{base}/release/{release}/theme=buildings/",
        licence=_LICENCE,
        attribution=_ATTRIBUTION,
        datasets=tuple(sorted(kept.items(), key=lambda item: (-item[1], item[0]))),
    )
    source = open_file(path, dataclasses.replace(options, crs=None, layer=None, id_column=options.id_column or "id"))
    return named(source, "overture", origin)


def releases(base: str, access: Access) -> list[str]:
    """List the releases of a bucket, the oldest first."""
    _, folders = list_bucket(base, "release/", access, deep=False)
    return sorted(name for name in (PurePosixPath(f).name for f in folders) if _RELEASE.fullmatch(name))


def _latest(base: str, access: Access) -> str:
    """Return the newest release; asked for once a day, and taken from the cache when the bucket does not answer."""
    note = access.folder / "overture" / f"latest-{key_of(base)}.json"
    kept = read_note(note) or {}
    if "release" in kept and 0 <= time.time() - kept.get("asked", 0.0) < _DAY_S:
        return str(kept["release"])
    try:
        found = releases(base, access)
    except RemoteError as error:
        if "release" not in kept:
            raise
        log.warning("%s; the latest release that the cache knows is taken: %s", error, kept["release"])
        return str(kept["release"])
    if not found:
        raise InputError(f"{base}: there are no releases below release/; check the URL of the mirror (--overture-url)")
    write_note(note, {"release": found[-1], "asked": time.time()})
    return found[-1]


def _known(base: str, access: Access) -> str:
    """Say which releases there are."""
    found = releases(base, access)
    return f"there are: {', '.join(found)}" if found else f"there are none at {base}"


def _objects(base: str, release: str, boxes: Sequence[Bounds], access: Access) -> list[RemoteObject]:
    """Return the files of a release that may hold rows of an area."""
    if access.overture_stac:
        try:
            listed = _catalogued(base, release, boxes, access)
        except (RemoteError, LookupError, TypeError, AttributeError, pa.ArrowException, OSError) as error:
            log.info("%s; every file of Overture %s is looked at instead", error, release)  # slower, the same rows
        else:
            if listed:
                return listed
    found, _ = list_bucket(base, f"release/{release}/theme=buildings/", access, deep=True)
    keys = set(of_buildings([PurePosixPath(o.key) for o in found if o.key.endswith(".parquet")]))
    objects = [o for o in found if PurePosixPath(o.key) in keys]
    if not objects:
        raise ConfigError(
            f"--buildings overture:{release}: there is no such release with buildings; {_known(base, access)}"
        )
    return objects


def _catalogued(base: str, release: str, boxes: Sequence[Bounds], access: Access) -> list[RemoteObject]:
    """Ask the catalogue which files meet an area; empty when the catalogue does not know the release."""
    reply = get(f"{access.overture_stac.rstrip('/')}/{release}/collections.parquet", access)
    table = pq.read_table(pa.BufferReader(reply.data), columns=["collection", "bbox", "assets"])
    objects = {}
    for row in table.to_pylist():  # one row a file of the release: a few hundred
        box = row["bbox"]
        meets = any(
            box["xmin"] <= b[2] and box["xmax"] >= b[0] and box["ymin"] <= b[3] and box["ymax"] >= b[1] for b in boxes
        )
        if row["collection"] in _TYPES and meets:
            links = [asset["href"] for asset in row["assets"].values() if asset and asset["href"]]
            href = next((link for link in links if "/release/" in link), None)
            if href is None:
                raise KeyError("a file without a link")
            key = "release/" + href.partition("/release/")[2]
            objects[key] = RemoteObject(f"{base}/{key}", key, 0, "")
    return [objects[key] for key in sorted(objects)]


REMOTES.register(
    "overture",
    Remote(
        "overture or overture:RELEASE: buildings anywhere on Earth, from Overture Maps (needs --aoi)", open_overture
    ),
)
