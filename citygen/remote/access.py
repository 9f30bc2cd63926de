"""How remote data are reached and kept: mirrors, cache, retries, progress; and what must be said of data that were fetched."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

OVERTURE_URL = "https://overturemaps-us-west-2.s3.us-west-2.amazonaws.com"
"""Root of Overture's public bucket (docs.overturemaps.org, Getting data)."""

OVERTURE_STAC = "https://stac.overturemaps.org"
"""Root of Overture's catalogue: which file of a release holds what box, in one request."""

COPERNICUS_URL = "https://copernicus-dem-30m.s3.eu-central-1.amazonaws.com"
"""Root of the public bucket of Copernicus GLO-30 (registry.opendata.aws/copernicus-dem)."""


Progress: TypeAlias = Callable[[str, int, int], None]
"""``progress(stage, done, total)``; total is 0 while it is not known."""


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class Access:
    """
    How remote data are reached.

    Attributes
    ----------
    cache : pathlib.Path or None
        Folder of what was fetched; None takes ``default_cache()``.
    overture_url, copernicus_url : str
        Roots of the buckets, or of mirrors of the same layout.
    overture_stac : str
        Root of the catalogue that belongs to ``overture_url``; '' for none: then every file's footer is read.
    s3_url : str
        Endpoint of ``s3://`` sources, with the bucket as first part of the path; '' for Amazon's.
    tries : int
        Requests before a URL counts as unreachable.
    wait_s, timeout_s : float
        Seconds before the second try (each further one waits twice as long), and until a silent server is given up.
    progress : callable
        ``progress(stage, done, total)``.
    finest_m : float
        m. Heights in smaller cells need not be fetched where there is an overview; 0: all are wanted.
    """

    cache: Path | None = None
    overture_url: str = OVERTURE_URL
    overture_stac: str = OVERTURE_STAC
    copernicus_url: str = COPERNICUS_URL
    s3_url: str = ""
    tries: int = 4
    wait_s: float = 0.4
    timeout_s: float = 30.0
    progress: Progress = field(default=silent, compare=False)
    finest_m: float = 0.0

    @property
    def folder(self) -> Path:
        """The cache's folder."""
        return self.cache or default_cache()


@dataclass(frozen=True, slots=True)
class OpenData:
    """
    What must be said of data that were fetched: in the report, and once in the log.

    Attributes
    ----------
    name, release, url : str
        What, of when ('' where it has no releases), from where.
    licence, attribution : str
        In the publisher's terms; the attribution goes onto what is made of the data.
    datum : str
        Vertical datum of heights above sea level; '' where there are none.
    notes : tuple of str
        What a user must know of them, one sentence each.
    datasets : tuple of (str, int)
        Features by the data set that they come from, where the data say so.
    """

    name: str
    release: str
    url: str
    licence: str
    attribution: str
    datum: str = ""
    notes: tuple[str, ...] = ()
    datasets: tuple[tuple[str, int], ...] = ()


def default_cache() -> Path:
    """Return the user's cache folder: ``$XDG_CACHE_HOME/citygen``, else ``~/.cache/citygen`` (Windows: LOCALAPPDATA)."""
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if os.name == "nt" else None)
    return (Path(base) if base else Path.home() / ".cache") / "citygen"


def safe_name(text: str, limit: int = 80) -> str:
    """
    Return a text as a file name: what is not a letter, digit, dot, minus or underscore becomes an underscore.

    Examples
    --------
    >>> safe_name("../a b?.parquet")
    '_.._a_b_.parquet'
    """
    word = re.sub(r"[^A-Za-z0-9._-]", "_", text)[-limit:]
    return word if word[:1].isalnum() else f"_{word}"
