"""
An implicit root tile to issues: its ``implicitTiling`` object, its template URIs and what such a tile must not have.

3D Tiles 1.1, "Implicit Tiling". The root subtree must exist; the bits inside subtrees are not read.
"""

import re

from citygen.validation.issues import IssueLog, Json, join
from citygen.validation.resources import Resources, local_name
from citygen.validation.shape import Number, Record, Text, check_shape

TILING = Record(
    {
        "subdivisionScheme": Text(options=("QUADTREE", "OCTREE")),
        "subtreeLevels": Number(1, integer=True),
        "availableLevels": Number(1, integer=True),
        "subtrees": Record({"uri": Text(min_length=1)}, required=("uri",)),
    },
    required=("subdivisionScheme", "subtreeLevels", "availableLevels", "subtrees"),
)
VARIABLES = {"QUADTREE": ("level", "x", "y"), "OCTREE": ("level", "x", "y", "z")}


def check_implicit_root(tile: Json, contents: list[Json], resources: Resources, pointer: str, issues: IssueLog) -> None:
    """
    Check a tile that has ``implicitTiling``.

    Parameters
    ----------
    tile : JSON object
        The tile.
    contents : list
        Its contents of the right shape.
    resources : Resources
        Where the subtrees lie.
    pointer : str
        Of the tile.
    issues : IssueLog
        Takes the issues.
    """
    tiling, at = tile["implicitTiling"], join(pointer, "implicitTiling")
    if not check_shape(tiling, TILING, at, issues):
        return
    before = len(issues.found)
    for name in ("children", "metadata"):
        if name in tile:
            issues.error("TILE_IMPLICIT_ROOT_INVALID", join(pointer, name), f"an implicit root tile has no {name!r}")
    if any("boundingVolume" in content for content in contents):
        message = "the content of an implicit root tile has no 'boundingVolume'"
        issues.error("TILE_IMPLICIT_ROOT_INVALID", pointer, message)
    volume = tile.get("boundingVolume")
    if isinstance(volume, dict) and "sphere" in volume and not volume.keys() & {"box", "region"}:
        issues.error("TILE_IMPLICIT_ROOT_INVALID", pointer, "a sphere cannot be divided")
    variables = VARIABLES[tiling["subdivisionScheme"]]
    for content in contents:
        if content["uri"].endswith(".json"):
            message = "the content of an implicit root tile is no external tileset"
            issues.error("TILE_IMPLICIT_ROOT_INVALID", pointer, message)
        _check_template(content["uri"], variables, join(pointer, "content", "uri"), issues)
    here = join(at, "subtrees", "uri")
    _check_template(tiling["subtrees"]["uri"], variables, here, issues)
    if not any(issue.severity == "error" for issue in issues.found[before:]):
        _check_subtree(tiling["subtrees"]["uri"], resources, here, issues)


def _check_template(uri: str, variables: tuple[str, ...], pointer: str, issues: IssueLog) -> None:
    found = re.findall(r"\{([^{}]*)\}", uri)
    for name in found:
        if name not in variables:
            message = f"the variable {name!a} is none of {', '.join(variables)}"
            issues.error("TEMPLATE_URI_INVALID_VARIABLE_NAME", pointer, message)
    missing = [name for name in variables if name not in found]
    if missing:
        message = f"the variable {', '.join(missing)} does not occur"
        issues.warning("TEMPLATE_URI_MISSING_VARIABLE_NAME", pointer, message)


def _check_subtree(uri: str, resources: Resources, pointer: str, issues: IssueLog) -> None:
    name = local_name(re.sub(r"\{[a-z]+\}", "0", uri), issues.file)
    data = None if name is None else resources.read(name)
    if data is None:
        issues.error("TILE_IMPLICIT_ROOT_INVALID", pointer, "the root subtree cannot be read")
    elif not data.startswith((b"subt", b"{")):
        issues.error("TILE_IMPLICIT_ROOT_INVALID", pointer, "the root subtree is neither a binary nor a JSON subtree")
    else:
        issues.warning("SUBTREE_NOT_CHECKED", pointer, "the availability inside subtrees was not checked")
