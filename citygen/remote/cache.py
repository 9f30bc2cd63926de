"""What was fetched to files below the cache folder, each whole or absent: written beside and renamed."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from citygen.errors import OutputError


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """
    Give a temporary path beside a file; renamed onto it when the block ends well, removed when it does not.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise OutputError(
            f"{path.parent}: the cache cannot be written: {error.strerror}; give another folder with --cache DIR"
        ) from error
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def key_of(*what: Any) -> str:
    """
    Return a short digest of anything that JSON can hold.

    Examples
    --------
    >>> key_of("a", 1) == key_of("a", 1), len(key_of("a"))
    (True, 16)
    """
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def read_note(path: Path) -> dict[str, Any] | None:
    """Return a small JSON object of the cache; None where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_note(path: Path, what: dict[str, Any]) -> None:
    """Keep a small JSON object."""
    with beside(path) as part:
        part.write_text(json.dumps(what, sort_keys=True), encoding="utf-8")
