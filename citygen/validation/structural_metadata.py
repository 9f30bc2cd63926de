"""
EXT_structural_metadata of a glTF to issues: its schema, its tables, textures and attributes, and who refers to them.

Khronos registry, EXT_structural_metadata.
"""

from dataclasses import dataclass, field

from citygen.validation.glb import Gltf
from citygen.validation.images import check_tex_coord
from citygen.validation.issues import IssueLog, Json, join
from citygen.validation.metadata_schema import Schema, check_schema
from citygen.validation.primitives import Primitive
from citygen.validation.property_attributes import check_primitive_attribute, check_property_attributes
from citygen.validation.property_tables import check_property_tables
from citygen.validation.property_textures import check_property_textures
from citygen.validation.resources import parse_json, read_uri
from citygen.validation.shape import INDEX, Array, Record, Text, check_shape

NAME = "EXT_structural_metadata"
EXTENSION = Record(
    {
        "schema": Record(),
        "schemaUri": Text(),
        "propertyTables": Array(Record(), 1),
        "propertyTextures": Array(Record(), 1),
        "propertyAttributes": Array(Record(), 1),
    }
)
REFERENCES = Record({"propertyTextures": Array(INDEX, 1), "propertyAttributes": Array(INDEX, 1)})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the extension at the root holds; lists are empty where it is absent or broken."""

    schema: Schema | None = None
    table_counts: list[int | None] = field(default_factory=list)
    textures: list[Json] = field(default_factory=list)
    attributes: list[Json] = field(default_factory=list)


def check_structural_metadata(gltf: Gltf, issues: IssueLog) -> Metadata:
    """
    Check the extension object at the root of an asset.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    issues : IssueLog
        Takes the issues.

    Returns
    -------
    Metadata
        For the checks of the primitives.
    """
    extension = gltf.json.get("extensions", {}).get(NAME)
    at = join("/extensions", NAME)
    if extension is None or not check_shape(extension, EXTENSION, at, issues):
        return Metadata()
    schema = read_schema(extension, gltf, at, issues)
    tables, textures, attributes = (
        extension.get(name, []) for name in ("propertyTables", "propertyTextures", "propertyAttributes")
    )
    counts = check_property_tables(gltf, tables, schema, join(at, "propertyTables"), issues)
    check_property_textures(gltf, textures, schema, join(at, "propertyTextures"), issues)
    check_property_attributes(attributes, schema, join(at, "propertyAttributes"), issues)
    return Metadata(schema, counts, textures, attributes)


def read_schema(extension: Json, gltf: Gltf, at: str, issues: IssueLog) -> Schema | None:
    """
    Return the schema of the extension, embedded or from its file.

    Parameters
    ----------
    extension : checked EXTENSION
        The object at the root.
    gltf : Gltf
        The asset.
    at : str
        Pointer of the object.
    issues : IssueLog
        Takes the issues.
    """
    if {"schema", "schemaUri"} <= extension.keys():
        issues.error("ONE_OF_ERROR", at, "'schema' and 'schemaUri' exclude each other")
        return None
    if "schema" in extension:
        return check_schema(extension["schema"], join(at, "schema"), issues)
    if "schemaUri" not in extension:
        issues.error("ANY_OF_ERROR", at, "needs 'schema' or 'schemaUri'")
        return None
    here = join(at, "schemaUri")
    data = read_uri(extension["schemaUri"], gltf.resources, here, issues)
    if data is None:
        return None
    try:
        return check_schema(parse_json(data), here, issues)
    except ValueError as error:
        issues.error("JSON_PARSE_ERROR", here, f"the schema cannot be read: {error}")
        return None


def check_primitive_metadata(gltf: Gltf, primitive: Primitive, metadata: Metadata, issues: IssueLog) -> None:
    """
    Check the extension object of one primitive: what it refers to exists and fits its attributes.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    primitive : Primitive
        With or without the extension.
    metadata : Metadata
        Of the root.
    issues : IssueLog
        Takes the issues.
    """
    extension = primitive.body.get("extensions", {}).get(NAME)
    if extension is None:
        return
    at = join(primitive.pointer, "extensions", NAME)
    if NAME not in gltf.json.get("extensions", {}):
        issues.error("INVALID_GLTF_STRUCTURE", at, f"the asset has no {NAME} at its root")
        return
    if not check_shape(extension, REFERENCES, at, issues):
        return
    for name, held in (("propertyTextures", metadata.textures), ("propertyAttributes", metadata.attributes)):
        for k, index in enumerate(extension.get(name, [])):
            here = join(at, name, k)
            if index >= len(held):
                issues.error("VALUE_NOT_IN_RANGE", here, f"there is no element {index} in {name}")
                continue
            body = held[int(index)]
            if name == "propertyTextures":
                _check_tex_coords(primitive, body, here, issues)
            elif metadata.schema is not None:
                check_primitive_attribute(gltf, primitive, body, metadata.schema, (here, issues))


def _check_tex_coords(primitive: Primitive, texture: Json, pointer: str, issues: IssueLog) -> None:
    for name, info in texture.get("properties", {}).items():
        if isinstance(info, dict) and isinstance(info.get("texCoord", 0), int):
            check_tex_coord(primitive.body["attributes"], info, join(pointer, name), issues)
