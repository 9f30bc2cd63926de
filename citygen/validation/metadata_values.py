"""
Metadata values to issues: JSON values against the type of their property, and arrays of values against their bounds.

3D Metadata Specification, "Property Values Structure", "Minimum and Maximum Values", "JSON Format".
"""

import numpy as np

from citygen.arraytypes import AnyArray, Bool
from citygen.validation.issues import IssueLog, Json, join, quote
from citygen.validation.property_type import Property
from citygen.validation.shape import Anything, Array, Dictionary, Flag, Number, Record, Shape, Text, check_shape

ENTITY = Record({"class": Text(), "properties": Dictionary(Anything())}, required=("class",))
FLOAT32_MAX = float(np.finfo(np.float32).max)
MATCH_TOLERANCE = 1e-6
"""Share by which a declared extreme may miss the real one: decimals of a float32 in JSON."""


def check_structure(value: Json, entry: Property, pointer: str, issues: IssueLog, *, transformed: bool = False) -> bool:
    """
    Check a JSON value against the type of its property.

    Parameters
    ----------
    value : JSON value
        A value, or an offset, scale, bound, noData or default.
    entry : Property
        The resolved class property.
    pointer : str
        Where the value stands.
    issues : IssueLog
        Takes the issues.
    transformed : bool
        True where the components are floating-point whatever the component type is.

    Returns
    -------
    bool
        True when nothing was wrong.
    """
    element = _component_shape(entry, transformed=transformed)
    if entry.type not in {"SCALAR", "STRING", "BOOLEAN", "ENUM"}:
        element = Array(element, entry.components, entry.components)
    shape: Shape = element
    if entry.array:
        shape = Array(element, entry.count or 0, entry.count)
    if not check_shape(value, shape, pointer, issues):
        return False
    if entry.enum is None:
        return True
    unknown = [name for name in (value if entry.array else [value]) if name not in entry.enum.values]
    if unknown:
        message = f"{quote(unknown[0])} is no value of the enum of {entry.name!a}"
        issues.error("CLASS_PROPERTY_ENUM_VALUE_NAME_NOT_FOUND", pointer, message)
    return not unknown


def _component_shape(entry: Property, *, transformed: bool) -> Shape:
    if entry.type in {"STRING", "ENUM"}:
        return Text()
    if entry.type == "BOOLEAN" or entry.dtype is None:
        return Flag()
    if entry.dtype.kind == "f":
        return Number(-FLOAT32_MAX, FLOAT32_MAX) if entry.dtype.itemsize == 4 else Number()
    if transformed:
        return Number()
    info = np.iinfo(entry.dtype)
    return Number(int(info.min), int(info.max), integer=True)


def check_entity(entity: Json, classes: dict[str, dict[str, Property]] | None, pointer: str, issues: IssueLog) -> None:
    """
    Check a metadata entity in the JSON format (of a tileset, tile, content or group).

    Parameters
    ----------
    entity : JSON value
        With ``class`` and ``properties``.
    classes : dict or None
        Properties by class; None when the schema is missing.
    pointer : str
        Of the entity.
    issues : IssueLog
        Takes the issues.
    """
    if not check_shape(entity, ENTITY, pointer, issues):
        return
    if classes is None:
        issues.error("REQUIRED_VALUE_NOT_FOUND", pointer, "metadata needs a 'schema' or 'schemaUri' in the tileset")
        return
    properties = classes.get(entity["class"])
    if properties is None:
        issues.error("IDENTIFIER_NOT_FOUND", pointer, f"the schema has no class {quote(entity['class'])}")
        return
    values = entity.get("properties", {})
    for name, value in values.items():
        at = join(pointer, "properties", name)
        if name not in properties:
            issues.error("IDENTIFIER_NOT_FOUND", at, f"the class has no property {quote(name)}")
        elif value is not None and check_structure(value, properties[name], at, issues):
            _check_entity_range(value, properties[name], at, issues)
    for name, entry in properties.items():
        if entry.required and values.get(name) is None:
            at = join(pointer, "properties", name)
            issues.error("METADATA_VALUE_REQUIRED_BUT_MISSING", at, f"the property {name!a} is required")


def _check_entity_range(value: Json, entry: Property, pointer: str, issues: IssueLog) -> None:
    if not entry.numeric or entry.variable or value == entry.body.get("noData", object()):
        return
    check_bounds(np.asarray(value, dtype=entry.dtype)[None], {}, entry, pointer, issues)


def check_bounds(values: AnyArray, override: dict[str, Json], entry: Property, pointer: str, issues: IssueLog) -> None:
    """
    Check stored numbers against the bounds of their class and of the instance that holds them.

    Parameters
    ----------
    values : (n, ...) array
        Stored values; the trailing shape is that of one JSON value.
    override : dict
        A property of a table, texture or attribute, whose ``offset`` and ``scale`` win over the class's, and whose
        ``min`` and ``max`` are the extremes that really occur.
    entry : Property
        Numeric, not a variable-length array.
    pointer : str
        Of the instance.
    issues : IssueLog
        Takes METADATA_VALUE_NOT_IN_RANGE and METADATA_VALUE_MISMATCH.
    """
    bounded = {"min", "max"} & (entry.body.keys() | override.keys())
    if not bounded:
        return
    present = _present(values, entry)
    seen = transform(values, override, entry)
    for where, body in (("class", entry.body), ("instance", override)):
        for name in ("min", "max"):
            if name not in body:
                continue
            bound = np.asarray(body[name])
            slack = np.abs(bound) * MATCH_TOLERANCE if entry.floating else np.zeros_like(bound)
            beyond = (seen < bound - slack if name == "min" else seen > bound + slack) & present
            if np.any(beyond):
                worst = seen[beyond][0]
                message = (
                    f"{int(beyond.sum())} values lie beyond the {where}'s {name} {quote(body[name])}, one is {worst}"
                )
                issues.error("METADATA_VALUE_NOT_IN_RANGE", pointer, message)
            elif where == "instance" and np.any(present):
                _check_extreme(seen, present, name, bound, (pointer, issues))


def transform(values: AnyArray, override: dict[str, Json], entry: Property) -> AnyArray:
    """
    Return ``offset + scale * normalize(value)``.

    Parameters
    ----------
    values : (n, ...) array
        Stored values.
    override : dict
        Whose ``offset`` and ``scale`` win over the class's.
    entry : Property
        The class property.

    Returns
    -------
    (n, ...) array
        The stored values themselves where nothing transforms them, else float64.
    """
    body = entry.body | override
    seen = values
    if entry.normalized and entry.dtype is not None:
        seen = np.maximum(values.astype(np.float64) / float(np.iinfo(entry.dtype).max), -1.0)
    if "offset" not in body and "scale" not in body:
        return seen
    scaled: AnyArray = np.asarray(body.get("offset", 0.0)) + np.asarray(body.get("scale", 1.0)) * seen
    return scaled


def _present(values: AnyArray, entry: Property) -> Bool:
    """Say where values are not the class's noData value; (n, ...) bool."""
    missing: Bool = np.zeros(values.shape, dtype=bool)
    if "noData" in entry.body:
        same = values == np.asarray(entry.body["noData"]).astype(values.dtype)
        whole = same.reshape(len(values), -1).all(axis=1)
        missing |= whole.reshape((-1,) + (1,) * (values.ndim - 1))
    return ~missing


def _check_extreme(seen: AnyArray, present: Bool, name: str, bound: AnyArray, to: tuple[str, IssueLog]) -> None:
    pointer, issues = to
    rows = seen.reshape(len(seen), -1)[present.reshape(len(seen), -1).all(axis=1)].astype(np.float64)
    found = rows.min(axis=0) if name == "min" else rows.max(axis=0)
    if not np.allclose(found, bound.reshape(-1).astype(np.float64), rtol=MATCH_TOLERANCE, atol=1e-9):
        message = f"{name!r} is {bound.tolist()}, the values reach {found.tolist()}"
        issues.error("METADATA_VALUE_MISMATCH", pointer, message[:200])
