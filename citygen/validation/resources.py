"""A URI in a tileset or glTF to the bytes that it names, from a folder or an archive, never from anywhere else."""

import base64
import binascii
import json
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from citygen.validation.issues import IssueLog, Json

MAX_MEMBER_BYTES = 1 << 30
"""Bytes that one member of an archive may unpack to: a bound against archives made to fill the memory."""


class Resources(Protocol):
    """Something that holds files under relative names."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file below the root, or None when it does not lie there."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files below a folder; links that lead out of it are not followed."""

    root: Path

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file below the folder, or None."""
        try:
            path = (self.root / name).resolve()
            if not path.is_relative_to(self.root.resolve()) or not path.is_file():
                return None
            return path.read_bytes()
        except (OSError, ValueError):
            return None


class Archive:
    """
    The members of a 3TZ archive (a ZIP).

    Parameters
    ----------
    data : bytes
        The archive.

    Raises
    ------
    ValueError
        When it is no ZIP.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, OSError) as error:
            raise ValueError(f"no ZIP archive: {error}") from error

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a member, or None when it is missing, broken or too large."""
        try:
            if self._zip.getinfo(name).file_size > MAX_MEMBER_BYTES:
                return None
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, zlib.error):
            return None


def parse_json(data: bytes) -> Json:
    """
    Parse strict JSON: UTF-8 without a byte order mark, no NaN or Infinity.

    Raises
    ------
    ValueError
        With the reason, when it is not that.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise ValueError("the file starts with a byte order mark")
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def local_name(uri: str, base: str) -> str | None:
    """
    Resolve a relative URI against the file that holds it.

    Parameters
    ----------
    uri : str
        As it stands in the file, percent-encoded.
    base : str
        Name of the file that holds it, relative to the root of the resources.

    Returns
    -------
    str or None
        Name relative to the root; None when the URI is absolute, remote or leads out of the root.

    Examples
    --------
    >>> local_name("../b.glb", "tiles/a.json"), local_name("../../b.glb", "tiles/a.json")
    ('b.glb', None)
    """
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.scheme or parts.netloc or path.startswith("/") or "\\" in path or "\0" in path:
        return None
    steps: list[str] = []
    for step in (PurePosixPath(base).parent / path).parts:
        if step != "..":
            steps.append(step)
        elif steps:
            steps.pop()
        else:
            return None
    return "/".join(steps)


def read_uri(uri: str, resources: Resources, pointer: str, issues: IssueLog) -> bytes | None:
    """
    Return the bytes behind a ``data:`` or relative URI of a glTF; an issue when there are none.

    Parameters
    ----------
    uri : str
        The URI.
    resources : Resources
        Where relative names lie; ``issues.file`` is the name of the file that holds the URI.
    pointer : str
        Where the URI stands.
    issues : IssueLog
        Takes IO_ERROR, or URI_NOT_LOCAL for what is not fetched.
    """
    if uri.startswith("data:"):
        return _read_data_uri(uri, pointer, issues)
    name = local_name(uri, issues.file)
    if name is None:
        issues.warning("URI_NOT_LOCAL", pointer, "the URI is absolute or leads out of the folder; it was not read")
        return None
    data = resources.read(name)
    if data is None:
        issues.error("IO_ERROR", pointer, f"the file {name!a} cannot be read")
    return data


def _read_data_uri(uri: str, pointer: str, issues: IssueLog) -> bytes | None:
    head, _, body = uri.partition(",")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        issues.error("IO_ERROR", pointer, f"the data URI cannot be decoded: {error}")
        return None


def _refuse_constant(text: str) -> Json:
    raise ValueError(f"{text} is not JSON")
