"""
A metadata schema (of a tileset or of EXT_structural_metadata) to issues and to resolved classes, properties and enums.

3D Metadata Specification, "Schemas"; both files use the same JSON for it.
"""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import AnyArray
from citygen.validation.issues import IssueLog, Json, join, quote
from citygen.validation.metadata_values import check_structure
from citygen.validation.property_type import (
    COMPONENT_TYPES,
    ENUM_TYPES,
    NUMERIC_TYPES,
    TYPES,
    Enum,
    Property,
    resolve_property,
)
from citygen.validation.semantics import check_semantics
from citygen.validation.shape import IDENTIFIER, Anything, Array, Dictionary, Flag, Number, Record, Text, check_shape

PROPERTY = Record(
    {
        "name": Text(min_length=1),
        "description": Text(min_length=1),
        "type": Text(options=TYPES),
        "componentType": Text(options=COMPONENT_TYPES),
        "enumType": Text(),
        "array": Flag(),
        "count": Number(2, integer=True),
        "normalized": Flag(),
        "required": Flag(),
        "semantic": Text(min_length=1),
        "offset": Anything(),
        "scale": Anything(),
        "min": Anything(),
        "max": Anything(),
        "noData": Anything(),
        "default": Anything(),
    },
    required=("type",),
)
CLASS = Record(
    {
        "name": Text(min_length=1),
        "description": Text(min_length=1),
        "properties": Dictionary(PROPERTY, IDENTIFIER, 1),
    }
)
ENUM_VALUE = Record(
    {"name": Text(min_length=1), "description": Text(min_length=1), "value": Number(integer=True)},
    required=("name", "value"),
)
ENUM = Record(
    {
        "name": Text(min_length=1),
        "description": Text(min_length=1),
        "valueType": Text(options=ENUM_TYPES),
        "values": Array(ENUM_VALUE, 1),
    },
    required=("values",),
)
SCHEMA = Record(
    {
        "id": Text(IDENTIFIER),
        "name": Text(min_length=1),
        "description": Text(min_length=1),
        "version": Text(min_length=1),
        "classes": Dictionary(CLASS, IDENTIFIER, 1),
        "enums": Dictionary(ENUM, IDENTIFIER, 1),
    },
    required=("id",),
)


@dataclass(frozen=True, slots=True)
class Schema:
    """A checked schema: properties by class id and property id."""

    classes: dict[str, dict[str, Property]]
    enums: dict[str, Enum]


def check_schema(schema: Json, pointer: str, issues: IssueLog) -> Schema | None:
    """
    Check a schema and resolve it.

    Parameters
    ----------
    schema : JSON value
        The ``schema`` object.
    pointer : str
        Where it stands.
    issues : IssueLog
        Takes the issues.

    Returns
    -------
    Schema or None
        None when it is too broken for entities to be checked against it.
    """
    if not check_shape(schema, SCHEMA, pointer, issues):
        return None
    enums = {
        name: _check_enum(body, join(pointer, "enums", name), issues) for name, body in schema.get("enums", {}).items()
    }
    before = len(issues.found)
    classes: dict[str, dict[str, Property]] = {}
    for class_id, body in schema.get("classes", {}).items():
        at = join(pointer, "classes", class_id, "properties")
        properties = body.get("properties", {})
        for name, entry in properties.items():
            _check_property(entry, enums, join(at, name), issues)
        if any(issue.severity == "error" for issue in issues.found[before:]):
            continue
        check_semantics(properties, at, issues)
        classes[class_id] = {name: resolve_property(name, entry, enums) for name, entry in properties.items()}
        for name, entry in classes[class_id].items():
            _check_property_values(entry, join(at, name), issues)
    broken = any(issue.severity == "error" for issue in issues.found[before:])
    return None if broken else Schema(classes, enums)


def _check_enum(body: dict[str, Json], pointer: str, issues: IssueLog) -> Enum:
    dtype = np.dtype(body.get("valueType", "UINT16").lower())
    info = np.iinfo(dtype)
    values: dict[str, int] = {}
    for k, entry in enumerate(body["values"]):
        at = join(pointer, "values", k)
        name, value = entry["name"], int(entry["value"])
        if name in values:
            issues.error("ENUM_VALUE_DUPLICATE_NAME", at, f"the name {quote(name)} occurs twice")
        if value in values.values():
            issues.error("ENUM_VALUE_DUPLICATE_VALUE", at, f"the value {value} occurs twice")
        if not info.min <= value <= info.max:
            issues.error("VALUE_NOT_IN_RANGE", at, f"{value} does not fit the value type {dtype.name.upper()}")
            value = 0
        values[name] = value
    stored: AnyArray = np.array(sorted(set(values.values())), dtype=dtype)
    return Enum(dtype, values, stored)


def _check_property(body: dict[str, Json], enums: dict[str, Enum], pointer: str, issues: IssueLog) -> None:
    """Check what the parts of a class property say about each other, its values apart."""
    kind, component = body["type"], body.get("componentType")
    numeric = kind in NUMERIC_TYPES
    if numeric and component is None:
        issues.error("CLASS_PROPERTY_COMPONENT_TYPE_MISSING", pointer, f"type {kind} needs a 'componentType'")
    if not numeric and component is not None:
        code = "CLASS_PROPERTY_COMPONENT_TYPE_FOR_NON_NUMERIC_TYPE"
        issues.error(code, pointer, f"type {kind} must not have a 'componentType'")
    _check_enum_type(kind, body.get("enumType"), enums, pointer, issues)
    if "count" in body and not body.get("array", False):
        issues.error("CLASS_PROPERTY_COUNT_FOR_NON_ARRAY", pointer, "'count' is only for arrays")
    normalized = body.get("normalized", False)
    whole = numeric and component is not None and not component.startswith("FLOAT")
    if normalized and not whole:
        code = "CLASS_PROPERTY_NORMALIZED_FOR_NON_NORMALIZABLE_TYPE"
        issues.error(code, pointer, f"{component or kind} cannot be normalized")
    if body.get("required", False) and body.keys() & {"noData", "default"}:
        issues.error("CLASS_PROPERTY_INCONSISTENT", pointer, "a required property has neither 'noData' nor 'default'")
    if kind == "BOOLEAN" and "noData" in body:
        issues.error("CLASS_PROPERTY_INCONSISTENT", pointer, "a BOOLEAN property has no 'noData'")
    check_applicable(
        body, numeric=numeric, floating=numeric and (normalized or not whole), pointer=pointer, issues=issues
    )
    if body.get("array", False) and "count" not in body:
        for name in sorted(body.keys() & {"offset", "scale", "min", "max"}):
            code = "METADATA_PROPERTY_INVALID_FOR_VARIABLE_LENGTH_ARRAY"
            issues.error(code, join(pointer, name), f"a variable-length array has no {name!r}")


def check_applicable(body: dict[str, Json], *, numeric: bool, floating: bool, pointer: str, issues: IssueLog) -> None:
    """
    Check that ``offset``, ``scale``, ``min`` and ``max`` stand only on types that have them.

    Parameters
    ----------
    body : dict
        A class property or a property of a table, texture or attribute.
    numeric, floating : bool
        Whether the class property is numeric, and whether its values are floating-point or normalized.
    pointer : str
        Of ``body``.
    issues : IssueLog
        Takes the issues.
    """
    for name in sorted(body.keys() & {"offset", "scale"}):
        if not floating:
            code = "METADATA_OFFSET_SCALE_FOR_NON_FLOATING_POINT_TYPE"
            issues.error(code, join(pointer, name), f"{name!r} is only for floating-point or normalized values")
    for name in sorted(body.keys() & {"min", "max"}):
        if not numeric:
            issues.error("METADATA_MIN_MAX_FOR_NON_NUMERIC_TYPE", join(pointer, name), f"{name!r} is only for numbers")


def _check_enum_type(kind: str, enum_type: str | None, enums: dict[str, Enum], pointer: str, issues: IssueLog) -> None:
    if kind == "ENUM" and enum_type is None:
        issues.error("CLASS_PROPERTY_ENUM_TYPE_WITHOUT_ENUMTYPE", pointer, "type ENUM needs an 'enumType'")
    elif kind != "ENUM" and enum_type is not None:
        issues.error("CLASS_PROPERTY_ENUMTYPE_WITH_NON_ENUM_TYPE", pointer, f"type {kind} must not have an 'enumType'")
    elif enum_type is not None and enum_type not in enums:
        issues.error("CLASS_PROPERTY_ENUMTYPE_NOT_FOUND", pointer, f"the schema has no enum {quote(enum_type)}")


def _check_property_values(entry: Property, pointer: str, issues: IssueLog) -> None:
    """Check the structure of the values that a class property holds: offset, scale, min, max, noData, default."""
    good = True
    for name in ("offset", "scale", "min", "max", "noData", "default"):
        if name in entry.body:
            transformed = name in {"offset", "scale"} or (name in {"min", "max", "default"} and entry.normalized)
            at = join(pointer, name)
            good &= check_structure(entry.body[name], entry, at, issues, transformed=transformed)
    if good and {"min", "max"} <= entry.body.keys():
        low, high = np.asarray(entry.body["min"]), np.asarray(entry.body["max"])
        if np.any(low > high):
            issues.error("CLASS_PROPERTY_INCONSISTENT", pointer, "'min' exceeds 'max'")
