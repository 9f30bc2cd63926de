"""
Property attributes to issues: vertex attributes that hold metadata, of the right type and within bounds.

EXT_structural_metadata "Property Attributes".
"""

import numpy as np

from citygen.arraytypes import AnyArray
from citygen.validation.glb import Gltf
from citygen.validation.issues import IssueLog, Json, join, quote
from citygen.validation.metadata_schema import Schema
from citygen.validation.metadata_values import check_bounds
from citygen.validation.primitives import Primitive
from citygen.validation.property_tables import check_enum_values, check_overrides, row_shape
from citygen.validation.property_type import Property
from citygen.validation.shape import Anything, Dictionary, Record, Text, check_shape

PROPERTY = Record(
    {
        "attribute": Text(min_length=1),
        "offset": Anything(),
        "scale": Anything(),
        "min": Anything(),
        "max": Anything(),
    },
    required=("attribute",),
)
ATTRIBUTE = Record(
    {"name": Text(min_length=1), "class": Text(), "properties": Dictionary(PROPERTY, low=1)}, required=("class",)
)
ACCESSOR_COMPONENTS = ("i1", "u1", "i2", "u2", "f4")
"""NumPy types that a vertex attribute can store."""


def check_property_attributes(attributes: list[Json], schema: Schema | None, pointer: str, issues: IssueLog) -> None:
    """
    Check all property attributes of an asset, as far as they do not depend on a primitive.

    Parameters
    ----------
    attributes : list
        Of objects.
    schema : Schema or None
        None when it is missing or broken; only shapes are then checked.
    pointer : str
        Of the list.
    issues : IssueLog
        Takes the issues.
    """
    for k, attribute in enumerate(attributes):
        at = join(pointer, k)
        if not check_shape(attribute, ATTRIBUTE, at, issues) or schema is None:
            continue
        properties = schema.classes.get(attribute["class"])
        if properties is None:
            issues.error(
                "IDENTIFIER_NOT_FOUND", join(at, "class"), f"the schema has no class {quote(attribute['class'])}"
            )
            continue
        given = attribute.get("properties", {})
        for name, entry in properties.items():
            if entry.required and name not in given:
                issues.error("METADATA_VALUE_REQUIRED_BUT_MISSING", at, f"the property {name!a} is required")
        for name, body in given.items():
            here = join(at, "properties", name)
            if name not in properties:
                issues.error("IDENTIFIER_NOT_FOUND", here, f"the class has no property {quote(name)}")
            elif not _fits(properties[name]):
                message = "vertex attributes hold no strings, booleans, arrays or wide components"
                issues.error("INVALID_METADATA_PROPERTY_TYPE", here, message)
            else:
                check_overrides(body, properties[name], here, issues)


def check_primitive_attribute(
    gltf: Gltf, primitive: Primitive, body: Json, schema: Schema, to: tuple[str, IssueLog]
) -> None:
    """
    Check a primitive against one property attribute that it refers to.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    primitive : Primitive
        That refers to it.
    body : JSON object
        The property attribute, checked or not.
    schema : Schema
        Of the asset.
    to : (str, IssueLog)
        Pointer of the reference, and where issues go.
    """
    at, issues = to
    if not check_shape(body, ATTRIBUTE, at, IssueLog()):
        return
    properties = schema.classes.get(body["class"], {})
    for name, given in body.get("properties", {}).items():
        entry, here = properties.get(name), join(at, name)
        if entry is None or not _fits(entry) or not check_overrides(given, entry, here, IssueLog()):
            continue
        if given["attribute"] not in primitive.body["attributes"]:
            issues.error("IDENTIFIER_NOT_FOUND", here, f"the primitive has no attribute {quote(given['attribute'])}")
            continue
        array = primitive.attribute(gltf, given["attribute"])
        if array is not None:
            _check_values(array, given, entry, here, issues)


def _fits(entry: Property) -> bool:
    return entry.dtype is not None and not entry.array and entry.dtype.str[1:] in ACCESSOR_COMPONENTS


def _check_values(array: AnyArray, given: Json, entry: Property, at: str, issues: IssueLog) -> None:
    if array.shape[1] != entry.components or array.dtype != entry.dtype:
        message = f"the attribute stores {array.shape[1]} x {array.dtype.name}, the property {entry.type}"
        issues.error("INVALID_GLTF_STRUCTURE", at, message)
    elif entry.enum is not None:
        check_enum_values(array, entry, at, issues)
    elif array.dtype.kind != "f" or np.all(np.isfinite(array)):
        check_bounds(array.reshape(row_shape(entry, len(array))), given, entry, at, issues)
