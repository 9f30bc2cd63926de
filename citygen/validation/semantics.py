"""
The built-in semantics of metadata properties and the types that each may have.

3D Metadata Semantic Reference (3D Tiles 1.1). A semantic that is not listed is an application's own: a warning.
"""

from dataclasses import dataclass

from citygen.validation.issues import IssueLog, Json, join

FLOATS = ("FLOAT32", "FLOAT64")
UNSIGNED = ("UINT8", "UINT16", "UINT32", "UINT64")


@dataclass(frozen=True, slots=True)
class Semantic:
    """The type that a semantic asks of its property; an empty ``components`` asks nothing."""

    type: str
    components: tuple[str, ...] = ()
    array: bool = False
    count: int | None = None


def _tile_or_content(prefix: str) -> dict[str, Semantic]:
    return {
        f"{prefix}_BOUNDING_BOX": Semantic("SCALAR", FLOATS, array=True, count=12),
        f"{prefix}_BOUNDING_REGION": Semantic("SCALAR", ("FLOAT64",), array=True, count=6),
        f"{prefix}_BOUNDING_SPHERE": Semantic("SCALAR", FLOATS, array=True, count=4),
        f"{prefix}_BOUNDING_S2_CELL": Semantic("SCALAR", ("UINT64",)),
        f"{prefix}_MINIMUM_HEIGHT": Semantic("SCALAR", FLOATS),
        f"{prefix}_MAXIMUM_HEIGHT": Semantic("SCALAR", FLOATS),
        f"{prefix}_HORIZON_OCCLUSION_POINT": Semantic("VEC3", FLOATS),
    }


SEMANTICS: dict[str, Semantic] = {
    "ID": Semantic("STRING"),
    "NAME": Semantic("STRING"),
    "DESCRIPTION": Semantic("STRING"),
    "ATTRIBUTION_IDS": Semantic("SCALAR", UNSIGNED, array=True),
    "ATTRIBUTION_STRINGS": Semantic("STRING", array=True),
    "TILESET_FEATURE_ID_LABELS": Semantic("STRING", array=True),
    "TILESET_CRS_GEOCENTRIC": Semantic("STRING"),
    "TILESET_CRS_COORDINATE_EPOCH": Semantic("STRING"),
    **_tile_or_content("TILE"),
    "TILE_GEOMETRIC_ERROR": Semantic("SCALAR", FLOATS),
    "TILE_REFINE": Semantic("SCALAR", ("UINT8",)),
    "TILE_TRANSFORM": Semantic("MAT4", FLOATS),
    **_tile_or_content("CONTENT"),
    "CONTENT_URI": Semantic("STRING"),
    "CONTENT_GROUP_ID": Semantic("SCALAR", UNSIGNED),
}


def check_semantics(properties: dict[str, Json], pointer: str, issues: IssueLog) -> None:
    """
    Check the semantics of the properties of one class, each once and on a property of its type.

    Parameters
    ----------
    properties : dict
        Class properties of a checked shape.
    pointer : str
        Of the dictionary.
    issues : IssueLog
        Takes the issues.
    """
    owners: dict[str, str] = {}
    for name, body in properties.items():
        semantic = body.get("semantic")
        if semantic is None:
            continue
        if semantic in owners:
            message = f"the semantic {semantic!a} is on {owners[semantic]!a} too"
            issues.error("CLASS_PROPERTIES_DUPLICATE_SEMANTIC", join(pointer, name), message)
        owners[semantic] = name
        expected = SEMANTICS.get(semantic)
        at = join(pointer, name, "semantic")
        if expected is None:
            issues.warning("METADATA_SEMANTIC_UNKNOWN", at, f"the semantic {semantic!a} is not a built-in one")
        elif fault := _fault(body, expected):
            issues.error("METADATA_SEMANTIC_INVALID", at, f"a property of semantic {semantic} must have {fault}")


def _fault(body: dict[str, Json], expected: Semantic) -> str | None:
    if body["type"] != expected.type:
        return f"type {expected.type}"
    if expected.components and body.get("componentType") not in expected.components:
        return f"componentType {' or '.join(expected.components)}"
    if bool(body.get("array", False)) != expected.array:
        return f"array {str(expected.array).lower()}"
    if body.get("count") != expected.count:
        return f"count {expected.count}" if expected.count else "no count"
    return "no normalized" if body.get("normalized") else None
