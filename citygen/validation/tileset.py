"""
A ``tileset.json`` to issues: the rules of 3D Tiles 1.0 and 1.1 on a tileset, its tiles and what they refer to.

3D Tiles 1.1, "Tileset JSON".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from citygen.arraytypes import Float64
from citygen.validation.bounding import IDENTITY, check_transform, check_volume, holds
from citygen.validation.content import Visit, check_content
from citygen.validation.implicit import check_implicit_root
from citygen.validation.issues import Issue, IssueLog, Json, join
from citygen.validation.metadata_schema import Schema
from citygen.validation.resources import Folder, parse_json
from citygen.validation.shape import INDEX, OBJECT, Anything, Array, Number, Record, Text, check_extensions, check_shape
from citygen.validation.tileset_metadata import check_tile_entity, check_tileset_metadata

VERSIONS = ("1.0", "1.1")
SUPPORTED = ("3DTILES_content_gltf", "MAXAR_content_3tz")
"""Tileset extensions whose rules are checked here."""

ASSET = Record({"version": Text(), "tilesetVersion": Text()}, required=("version",))
EXTENSION_NAMES = Array(Text(), 1, unique=True)
ERROR = Number(0)
CONTENT = Record({"uri": Text(min_length=1), "boundingVolume": Anything(), "group": INDEX}, required=("uri",))


@dataclass(frozen=True, slots=True)
class Parent:
    """What a tile needs to know of the tile above: None and infinity at the root."""

    volume: Json = None
    error: float = float("inf")


def check_tileset(path: str | Path) -> list[Issue]:
    """
    Check a tileset and everything that it refers to below its folder.

    Parameters
    ----------
    path : path
        Of the tileset JSON.

    Returns
    -------
    list of Issue
        Empty for a valid tileset. Content outside of the folder is not fetched, and is a warning.

    Raises
    ------
    OSError
        When the file cannot be read at all.
    """
    path = Path(path)
    return walk_tileset(path, Visit(Folder(path.parent))).found


def walk_tileset(path: Path, visit: Visit) -> IssueLog:
    """
    Check a tileset, with a visitor that sees each tile's content.

    Parameters
    ----------
    path : path
        Of the tileset JSON.
    visit : Visit
        Its resources are the folder of ``path``; its hook is called with every glTF content.

    Returns
    -------
    IssueLog
        Paths of issues are pointers into the tileset, or file names relative to its folder and pointers.
    """
    issues = IssueLog()
    check_tileset_bytes(path.read_bytes(), visit.enter(path.name, check_tileset_bytes), issues)
    return issues


def check_tileset_bytes(data: bytes, visit: Visit, issues: IssueLog) -> None:
    """
    Check the bytes of a tileset JSON.

    Parameters
    ----------
    data : bytes
        The file.
    visit : Visit
        Where the file lies, and what has been seen on the way to it.
    issues : IssueLog
        Takes the issues.
    """
    try:
        tileset = parse_json(data)
    except ValueError as error:
        issues.error("JSON_PARSE_ERROR", "", f"the JSON cannot be read: {error}")
        return
    if not isinstance(tileset, dict):
        issues.error("TYPE_MISMATCH", "", "a tileset is an object")
        return
    check_extensions(tileset, "", issues)
    for name in ("asset", "geometricError", "root"):
        if name not in tileset:
            issues.error("PROPERTY_MISSING", "", f"{name!r} is required")
    version = _check_asset(tileset.get("asset"), issues)
    top = tileset.get("geometricError")
    if top is not None and not check_shape(top, ERROR, "/geometricError", issues):
        top = None
    schema = check_tileset_metadata(tileset, visit.resources, issues)
    if "root" in tileset:
        walk = _Walk(tileset, schema, visit, issues, version)
        walk.check(Parent(error=float("inf") if top is None else float(top)))
    _check_extension_names(tileset, issues)


def _check_asset(asset: Json, issues: IssueLog) -> str | None:
    if asset is None or not check_shape(asset, ASSET, "/asset", issues):
        return None
    version: str = asset["version"]
    if version not in VERSIONS:
        issues.warning("ASSET_VERSION_UNKNOWN", "/asset/version", f"{version!a} is none of {', '.join(VERSIONS)}")
    return version


def _check_extension_names(tileset: dict[str, Json], issues: IssueLog) -> None:
    """Check that extensions which occur are declared, and the reverse."""
    names: dict[str, list[str]] = {}
    for key in ("extensionsUsed", "extensionsRequired"):
        good = key not in tileset or check_shape(tileset[key], EXTENSION_NAMES, "/" + key, issues)
        listed = tileset.get(key, [])
        names[key] = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
        if not good and not names[key]:
            return
    used, required = names["extensionsUsed"], names["extensionsRequired"]
    for name in sorted(issues.extensions | set(used)):
        if name not in SUPPORTED:
            issues.warning("EXTENSION_NOT_SUPPORTED", "", f"the rules of the extension {name!a} are not checked")
    for name in sorted(issues.extensions - set(used)):
        issues.error("EXTENSION_FOUND_BUT_NOT_USED", "", f"{name!a} occurs but is not in 'extensionsUsed'")
    for name in sorted(set(used) - issues.extensions):
        issues.warning("EXTENSION_USED_BUT_NOT_FOUND", "", f"{name!a} is in 'extensionsUsed' but does not occur")
    for name in sorted(set(required) - set(used)):
        issues.error("EXTENSION_REQUIRED_BUT_NOT_USED", "", f"{name!a} is in 'extensionsRequired' only")
    for name in sorted((issues.extensions & {"MAXAR_content_3tz", "3DTILES_content_gltf"}) - set(required)):
        if name in used:
            issues.error("EXTENSION_REQUIRED_BUT_NOT_DECLARED", "", f"{name!a} must be in 'extensionsRequired'")


class _Walk:
    """The walk over the tiles of one tileset, without recursion."""

    def __init__(
        self, tileset: dict[str, Json], schema: Schema | None, visit: Visit, issues: IssueLog, version: str | None
    ) -> None:
        self.root = tileset["root"]
        self.has_schema = bool({"schema", "schemaUri"} & tileset.keys())
        self.groups = tileset.get("groups", [])
        self.schema, self.visit, self.issues, self.version = schema, visit, issues, version

    def check(self, above: Parent) -> None:
        """Check all tiles, the root's children after the root."""
        if not check_shape(self.root, OBJECT, "/root", self.issues):
            return
        if "refine" not in self.root:
            self.issues.error("TILE_REFINE_MISSING_IN_ROOT", "/root", "the root tile needs 'refine'")
        stack = [(self.root, "/root", above, IDENTITY)]
        while stack:
            tile, pointer, parent, placed = stack.pop()
            below, frame = self._check_tile(tile, pointer, parent, placed)
            children = list(self._children(tile, pointer))
            stack.extend((child, at, below, frame) for child, at in reversed(children))

    def _children(self, tile: Json, pointer: str) -> Iterator[tuple[Json, str]]:
        children, at = tile.get("children"), join(pointer, "children")
        if children is None or not check_shape(children, Array(Anything()), at, self.issues):
            return
        if not children:
            self.issues.warning("ARRAY_LENGTH_UNEXPECTED", at, "'children' is empty; leave it out")
        for k, child in enumerate(children):
            if check_shape(child, OBJECT, join(at, k), self.issues, element=True):
                yield child, join(at, k)

    def _check_tile(self, tile: Json, pointer: str, parent: Parent, placed: Float64) -> tuple[Parent, Float64]:
        """Check one tile and return what its children need: this tile, and its frame in the tileset's."""
        issues = self.issues
        error = self._check_error(tile, pointer, parent)
        if "refine" in tile and check_shape(tile["refine"], Text(), join(pointer, "refine"), issues):
            self._check_refine(tile["refine"], join(pointer, "refine"))
        transform = None
        if "transform" in tile:
            transform = check_transform(tile["transform"], join(pointer, "transform"), issues)
        local = IDENTITY if transform is None else transform
        volume = self._check_tile_volume(tile, pointer, parent, local)
        if "viewerRequestVolume" in tile:
            check_volume(tile["viewerRequestVolume"], join(pointer, "viewerRequestVolume"), issues)
        if "metadata" in tile:
            at = join(pointer, "metadata")
            check_tile_entity(tile["metadata"], self.schema, at, issues, given=self.has_schema)
        frame = placed @ local
        contents = self._contents(tile, pointer)
        for content, at in contents:
            self._check_content(tile, content, (volume, parent.volume), frame, at)
        if "implicitTiling" in tile:
            bodies = [content for content, _ in contents]
            check_implicit_root(tile, bodies, self.visit.resources, pointer, issues)
        return Parent(volume, error), frame

    def _check_error(self, tile: Json, pointer: str, parent: Parent) -> float:
        if "geometricError" not in tile:
            self.issues.error("PROPERTY_MISSING", pointer, "'geometricError' is required")
            return parent.error
        at = join(pointer, "geometricError")
        if not check_shape(tile["geometricError"], ERROR, at, self.issues):
            return parent.error
        error = float(tile["geometricError"])
        if error > parent.error:
            message = f"{error} exceeds {parent.error} of the tile above"
            self.issues.warning("TILE_GEOMETRIC_ERRORS_INCONSISTENT", at, message)
        return error

    def _check_refine(self, refine: str, pointer: str) -> None:
        if refine in {"ADD", "REPLACE"}:
            return
        if refine.upper() in {"ADD", "REPLACE"}:
            self.issues.warning("TILE_REFINE_WRONG_CASE", pointer, f"{refine!a} must be written in capitals")
        else:
            self.issues.error("VALUE_NOT_IN_LIST", pointer, f"{refine!a} must be ADD or REPLACE")

    def _check_tile_volume(self, tile: Json, pointer: str, parent: Parent, local: Float64) -> Json:
        if "boundingVolume" not in tile:
            self.issues.error("PROPERTY_MISSING", pointer, "'boundingVolume' is required")
            return None
        at = join(pointer, "boundingVolume")
        volume = tile["boundingVolume"]
        if not check_volume(volume, at, self.issues):
            return None
        if parent.volume is not None and holds(parent.volume, volume, local) is False:
            self.issues.error("BOUNDING_VOLUMES_INCONSISTENT", at, "the volume stands out of that of the tile above")
        return volume

    def _contents(self, tile: Json, pointer: str) -> list[tuple[Json, str]]:
        """Return the contents of the right shape, with where they stand."""
        found: list[tuple[Json, str]] = []
        if {"content", "contents"} <= tile.keys():
            self.issues.error("ONE_OF_ERROR", pointer, "'content' and 'contents' exclude each other")
        if "content" in tile:
            found.append((tile["content"], join(pointer, "content")))
        at = join(pointer, "contents")
        if "contents" in tile and check_shape(tile["contents"], Array(Anything(), 1), at, self.issues):
            found.extend((content, join(at, k)) for k, content in enumerate(tile["contents"]))
        return [
            (self._modern(content), here)
            for content, here in found
            if check_shape(self._modern(content), CONTENT, here, self.issues)
        ]

    def _modern(self, content: Json) -> Json:
        """Return a content with the ``url`` of early 1.0 tilesets under its later name."""
        if self.version == "1.0" and isinstance(content, dict) and "url" in content and "uri" not in content:
            return content | {"uri": content["url"]}
        return content

    def _check_content(
        self, tile: Json, content: Json, volumes: tuple[Json, Json], frame: Float64, pointer: str
    ) -> None:
        """Check one content; ``volumes`` are those of its tile and of the tile above."""
        volume, above = volumes
        issues = self.issues
        own = content.get("boundingVolume")
        if own is not None:
            at = join(pointer, "boundingVolume")
            if check_volume(own, at, issues) and volume is not None and holds(volume, own, IDENTITY) is False:
                issues.error("BOUNDING_VOLUMES_INCONSISTENT", at, "the content's volume stands out of the tile's")
        if "group" in content:
            n_groups = len(self.groups) if isinstance(self.groups, list) else 0
            if content["group"] >= n_groups:
                issues.error("IDENTIFIER_NOT_FOUND", join(pointer, "group"), f"there are {n_groups} groups")
        if "metadata" in content:
            at = join(pointer, "metadata")
            check_tile_entity(content["metadata"], self.schema, at, issues, given=self.has_schema)
        if "implicitTiling" not in tile:
            around = [own or volume] + ([above] if above and "region" in above else [])
            kind = check_content(content["uri"], self.visit, (around, frame), join(pointer, "uri"), issues)
            if kind == "gltf" and self.version == "1.0":
                issues.extensions.add("3DTILES_content_gltf")
