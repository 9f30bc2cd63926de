"""
Property textures to issues: types that fit into channels, texels within bounds and enums.

EXT_structural_metadata "Property Textures".
"""

import numpy as np

from citygen.arraytypes import AnyArray
from citygen.validation.glb import Gltf
from citygen.validation.images import TEXTURE_INFO, check_filters, read_texels
from citygen.validation.issues import IssueLog, Json, join, quote
from citygen.validation.metadata_schema import Schema
from citygen.validation.metadata_values import check_bounds
from citygen.validation.property_tables import check_enum_values, check_overrides, row_shape
from citygen.validation.property_type import Property
from citygen.validation.shape import Dictionary, Record, Text, check_shape

NEAREST, LINEAR = 9728, 9729
TEXTURE = Record(
    {"name": Text(min_length=1), "class": Text(), "properties": Dictionary(TEXTURE_INFO, low=1)}, required=("class",)
)


def check_property_textures(
    gltf: Gltf, textures: list[Json], schema: Schema | None, pointer: str, issues: IssueLog
) -> None:
    """
    Check all property textures of an asset.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    textures : list
        Of objects.
    schema : Schema or None
        None when it is missing or broken; only shapes are then checked.
    pointer : str
        Of the list.
    issues : IssueLog
        Takes the issues.
    """
    for k, texture in enumerate(textures):
        at = join(pointer, k)
        if not check_shape(texture, TEXTURE, at, issues) or schema is None:
            continue
        properties = schema.classes.get(texture["class"])
        if properties is None:
            issues.error(
                "IDENTIFIER_NOT_FOUND", join(at, "class"), f"the schema has no class {quote(texture['class'])}"
            )
            continue
        given = texture.get("properties", {})
        for name, entry in properties.items():
            if entry.required and name not in given:
                issues.error("METADATA_VALUE_REQUIRED_BUT_MISSING", at, f"the property {name!a} is required")
        for name, info in given.items():
            here = join(at, "properties", name)
            if name not in properties:
                issues.error("IDENTIFIER_NOT_FOUND", here, f"the class has no property {quote(name)}")
            elif check_overrides(info, properties[name], here, issues):
                _check_property(gltf, info, properties[name], here, issues)


def _check_property(gltf: Gltf, info: Json, entry: Property, at: str, issues: IssueLog) -> None:
    if entry.variable or entry.type == "STRING" or (entry.dtype is not None and entry.dtype.itemsize == 8):
        message = "strings, variable-length arrays and 64 bit values do not fit into a texture"
        issues.error("INVALID_METADATA_PROPERTY_TYPE", at, message)
        return
    check_filters(gltf, info, (NEAREST, LINEAR), at, issues)
    texels = read_texels(gltf, info, at, issues)
    if texels is None or entry.dtype is None:
        return
    needed = entry.dtype.itemsize * entry.components * (entry.count or 1)
    if texels.shape[1] != needed:
        message = f"a value has {needed} bytes, {texels.shape[1]} channels hold it"
        issues.error("TEXTURE_CHANNELS_SIZE_MISMATCH", join(at, "channels"), message)
        return
    values: AnyArray = np.ascontiguousarray(texels).view(entry.dtype)
    if entry.enum is not None:
        check_enum_values(values, entry, at, issues)
    elif entry.dtype.kind != "f" or np.all(np.isfinite(values)):
        check_bounds(values.reshape(row_shape(entry, len(values))), info, entry, at, issues)
