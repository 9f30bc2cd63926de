"""What a tile refers to, to issues: glTF, external tilesets, 1.0 formats and 3TZ archives, told apart by content."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from citygen.arraytypes import Float64
from citygen.validation.asset import Asset, check_asset
from citygen.validation.issues import IssueLog, Json, quote
from citygen.validation.legacy import HEADER_BYTES, UNREAD, check_legacy
from citygen.validation.resources import Archive, Resources, local_name, parse_json

Kind = Literal["gltf", "tileset", "legacy", "3tz", "other"]
Placement = tuple[list[Json], Float64]
"""The bounding volumes that must hold a content, and the (4, 4) matrix from the tile's frame to the tileset's."""
CheckTileset = Callable[[bytes, "Visit", IssueLog], None]
SeeAsset = Callable[[str, Asset, Placement, IssueLog], None]


def _see_nothing(name: str, asset: Asset, placement: Placement, issues: IssueLog) -> None:
    """Do nothing more with a content."""


@dataclass(frozen=True, slots=True)
class Visit:
    """
    A walk through files: where they lie, the tilesets on the way down, and what to do with each glTF.

    Attributes
    ----------
    resources : Resources
        Of the outermost tileset, or of the archive that is being read.
    see : callable
        Called once with every glTF content: its name, the asset, its placement, its issues.
    trail : tuple of str
        Tilesets on the way down, to find cycles.
    done : dict
        Kind and extensions of the contents that have been checked, by name, so that each is checked once.
    check_tileset : callable or None
        How external tilesets are checked.
    """

    resources: Resources
    see: SeeAsset = _see_nothing
    trail: tuple[str, ...] = ()
    done: dict[str, tuple[Kind, frozenset[str]]] = field(default_factory=dict)
    check_tileset: CheckTileset | None = None

    def enter(self, name: str, check: CheckTileset) -> "Visit":
        """Return the visit one tileset further down."""
        return replace(self, trail=(*self.trail, name), check_tileset=check)


def check_content(uri: str, visit: Visit, placement: Placement, pointer: str, issues: IssueLog) -> Kind | None:
    """
    Check the content behind a URI.

    Parameters
    ----------
    uri : str
        As it stands in the tileset.
    visit : Visit
        The walk.
    placement : (bounding volumes, matrix)
        Where the content must lie: boxes and spheres in the tile's frame, regions on the globe.
    pointer : str
        Of the URI.
    issues : IssueLog
        Of the tileset; takes one issue about the content, and the issues of the content itself after it.

    Returns
    -------
    str or None
        What it is; None when it was not read.
    """
    name = local_name(uri, issues.file)
    if name is None:
        message = f"{quote(uri)} is absolute or leads out of the folder; it was not read"
        issues.warning("URI_NOT_LOCAL", pointer, message)
        return None
    if name in visit.trail:
        issues.error("EXTERNAL_TILESET_VALIDATION_ERROR", pointer, f"the tileset {quote(name)} refers to itself")
        return "tileset"
    if name in visit.done:
        seen = visit.done[name]
        issues.extensions |= seen[1]
        return seen[0]
    data = visit.resources.read(name)
    if data is None:
        issues.error("IO_ERROR", pointer, f"the file {quote(name)} cannot be read")
        return None
    inner = IssueLog(name)
    kind = _check_bytes(data, name, visit, placement, inner)
    extensions = set(inner.extensions) if kind == "tileset" else set()
    if kind == "3tz":
        extensions = {"MAXAR_content_3tz"}
    visit.done[name] = (kind, frozenset(extensions))
    issues.extensions |= extensions
    _summarise(kind, inner, pointer, issues)
    return kind


def _summarise(kind: Kind, inner: IssueLog, pointer: str, issues: IssueLog) -> None:
    worst = inner.worst
    if worst is None:
        return
    what = "EXTERNAL_TILESET" if kind == "tileset" else "CONTENT"
    count = sum(issue.severity == worst for issue in inner.found)
    report = issues.error if worst == "error" else issues.warning
    report(f"{what}_VALIDATION_{worst.upper()}", pointer, f"{quote(inner.file)} has {count} {worst}s")
    issues.extend(inner.found)


def _check_bytes(data: bytes, name: str, visit: Visit, placement: Placement, issues: IssueLog) -> Kind:
    magic = data[:4]
    if magic in HEADER_BYTES or magic in UNREAD:
        check_legacy(data, visit.resources, issues)
        return "legacy"
    if name.endswith(".3tz"):
        _check_archive(data, name, visit, issues)
        return "3tz"
    body = _json_object(data)
    if body is not None and "root" in body:
        if visit.check_tileset is not None:
            visit.check_tileset(data, visit.enter(name, visit.check_tileset), issues)
        return "tileset"
    if magic == b"glTF" or name.endswith((".glb", ".gltf")) or (body is not None and "asset" in body):
        asset = check_asset(data, visit.resources, issues)
        if asset is not None:
            visit.see(name, asset, placement, issues)
        return "gltf"
    if name.endswith(".json"):
        issues.error("JSON_PARSE_ERROR", "", "neither a tileset nor a glTF")
        return "tileset"
    issues.warning("CONTENT_NOT_CHECKED", "", "the type of the content is not known")
    return "other"


def _check_archive(data: bytes, name: str, visit: Visit, issues: IssueLog) -> None:
    try:
        archive = Archive(data)
    except ValueError as error:
        issues.error("IO_ERROR", "", f"the archive cannot be read: {error}")
        return
    tileset = archive.read("tileset.json")
    if tileset is None:
        issues.error("IO_ERROR", "", "the archive has no tileset.json")
    elif visit.check_tileset is not None:
        inside = IssueLog()
        visit.check_tileset(tileset, Visit(archive, visit.see).enter("tileset.json", visit.check_tileset), inside)
        for issue in inside.found:
            report = issues.error if issue.severity == "error" else issues.warning
            report(issue.code, f"/{name.rsplit('/', 1)[-1]}!{issue.path}", issue.message)


def _json_object(data: bytes) -> dict[str, Json] | None:
    if not data[:64].lstrip().startswith(b"{"):
        return None
    try:
        body = parse_json(data)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
