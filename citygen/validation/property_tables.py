"""
Property tables to issues: every column against its class property, byte by byte.

EXT_structural_metadata "Property Tables"; 3D Metadata Specification "Binary Table Format".
"""

from itertools import pairwise

import numpy as np

from citygen.arraytypes import AnyArray, Int64, UInt8
from citygen.validation.glb import Gltf
from citygen.validation.issues import IssueLog, Json, join, quote
from citygen.validation.metadata_schema import Schema, check_applicable
from citygen.validation.metadata_values import check_bounds, check_structure
from citygen.validation.property_type import OFFSET_TYPES, Property
from citygen.validation.shape import INDEX, Anything, Dictionary, Number, Record, Text, check_shape

ALIGNMENT = 8
"""Bytes that the extension asks of the whole asset, so that 64 bit columns can be read in place."""

COLUMN = Record(
    {
        "values": INDEX,
        "arrayOffsets": INDEX,
        "stringOffsets": INDEX,
        "arrayOffsetType": Text(options=OFFSET_TYPES),
        "stringOffsetType": Text(options=OFFSET_TYPES),
        "offset": Anything(),
        "scale": Anything(),
        "min": Anything(),
        "max": Anything(),
    },
    required=("values",),
)
TABLE = Record(
    {
        "name": Text(min_length=1),
        "class": Text(),
        "count": Number(1, integer=True),
        "properties": Dictionary(COLUMN, low=1),
    },
    required=("class", "count"),
)


def check_property_tables(
    gltf: Gltf, tables: list[Json], schema: Schema | None, pointer: str, issues: IssueLog
) -> list[int | None]:
    """
    Check all property tables of an asset.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    tables : list
        Of objects.
    schema : Schema or None
        None when it is missing or broken; columns are then left alone.
    pointer : str
        Of the list.
    issues : IssueLog
        Takes the issues.

    Returns
    -------
    list of int or None
        Rows of each table, None for a broken one.
    """
    counts: list[int | None] = []
    for k, table in enumerate(tables):
        at = join(pointer, k)
        if not check_shape(table, TABLE, at, issues):
            counts.append(None)
            continue
        counts.append(int(table["count"]))
        if schema is not None:
            _check_table(gltf, table, schema, at, issues)
    return counts


def read_strings(gltf: Gltf, table: Json, name: str) -> list[str] | None:
    """
    Return a STRING column of a checked table.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    table : JSON object
        One element of ``propertyTables``.
    name : str
        Property id.

    Returns
    -------
    list of str or None
        One a row; None when there is no such column or its bytes are broken.
    """
    column = table.get("properties", {}).get(name)
    if column is None or "stringOffsets" not in column:
        return None
    values = gltf.view_bytes(int(column["values"]))
    ends = _read_offsets(gltf, column, "stringOffset")
    if values is None or ends is None or len(ends) != table["count"] + 1 or not _in_order(ends, len(values)):
        return None
    data = values.tobytes()
    try:
        return [data[start:end].decode("utf-8") for start, end in pairwise(ends.tolist())]
    except UnicodeDecodeError:
        return None


def _check_table(gltf: Gltf, table: Json, schema: Schema, at: str, issues: IssueLog) -> None:
    properties = schema.classes.get(table["class"])
    if properties is None:
        issues.error("IDENTIFIER_NOT_FOUND", join(at, "class"), f"the schema has no class {quote(table['class'])}")
        return
    columns = table.get("properties", {})
    for name, entry in properties.items():
        if entry.required and name not in columns:
            issues.error("METADATA_VALUE_REQUIRED_BUT_MISSING", at, f"the property {name!a} is required")
    for name, column in columns.items():
        here = join(at, "properties", name)
        if name not in properties:
            issues.error("IDENTIFIER_NOT_FOUND", here, f"the class has no property {quote(name)}")
        elif check_overrides(column, properties[name], here, issues):
            _check_column(gltf, int(table["count"]), column, properties[name], (here, issues))


def check_overrides(body: Json, entry: Property, pointer: str, issues: IssueLog) -> bool:
    """
    Check the offset, scale, min and max of a property of a table, texture or attribute.

    Returns
    -------
    bool
        True when they can be used.
    """
    before = len(issues.found)
    check_applicable(body, numeric=entry.numeric, floating=entry.floating, pointer=pointer, issues=issues)
    for name in ("offset", "scale", "min", "max"):
        if name in body and entry.variable:
            code = "METADATA_PROPERTY_INVALID_FOR_VARIABLE_LENGTH_ARRAY"
            issues.error(code, join(pointer, name), f"a variable-length array has no {name!r}")
        elif name in body and entry.numeric:
            check_structure(body[name], entry, join(pointer, name), issues, transformed=entry.floating)
    return len(issues.found) == before


def _check_column(gltf: Gltf, count: int, column: Json, entry: Property, to: tuple[str, IssueLog]) -> None:
    at, issues = to
    good = True
    for name, needed in (("arrayOffsets", entry.variable), ("stringOffsets", entry.type == "STRING")):
        if needed and name not in column:
            issues.error("PROPERTY_MISSING", at, f"{name!r} is required for a property of this type")
            good = False
        if not needed and name in column:
            issues.warning(
                "PROPERTY_UNEXPECTED", join(at, name), f"{name!r} has no meaning for a property of this type"
            )
    views = gltf.listed("bufferViews")
    for name in ("values", "arrayOffsets", "stringOffsets"):
        if name in column and column[name] >= len(views):
            issues.error("VALUE_NOT_IN_RANGE", join(at, name), f"there is no buffer view {column[name]}")
            good = False
    if not good:
        return
    elements = count * (entry.count or 1)
    if entry.variable:
        found = _check_offsets(gltf, column, "arrayOffset", count, (at, issues))
        if found is None:
            return
        elements = found
    if entry.type == "STRING":
        _check_strings(gltf, column, elements, (at, issues))
    elif entry.type == "BOOLEAN":
        _check_bits(gltf, column, elements, (at, issues))
    else:
        _check_numbers(gltf, column, (count, elements), entry, (at, issues))


def _check_offsets(gltf: Gltf, column: Json, kind: str, count: int, to: tuple[str, IssueLog]) -> int | None:
    """Check ``count + 1`` offsets and return the last one, the length of what they cut up."""
    at, issues = to
    here = join(at, kind + "s")
    width = np.dtype(column.get(kind + "Type", "UINT32").lower()).itemsize
    _check_alignment(gltf, int(column[kind + "s"]), width, (here, issues))
    length = gltf.listed("bufferViews")[int(column[kind + "s"])]["byteLength"]
    if length != (count + 1) * width:
        message = f"{count + 1} offsets of {width} bytes need {(count + 1) * width} bytes, the view has {length}"
        issues.error("METADATA_INVALID_LENGTH", here, message)
        return None
    offsets = _read_offsets(gltf, column, kind)
    if offsets is None:
        return None
    if np.any(offsets < 0) or np.any(np.diff(offsets) < 0):
        issues.error("METADATA_INVALID_OFFSETS", here, "offsets must not decrease")
        return None
    if offsets[0] != 0:
        issues.warning("METADATA_INVALID_OFFSETS", here, f"the first offset is {offsets[0]}: bytes before it are lost")
    return int(offsets[-1])


def _check_strings(gltf: Gltf, column: Json, elements: int, to: tuple[str, IssueLog]) -> None:
    at, issues = to
    last = _check_offsets(gltf, column, "stringOffset", elements, to)
    values, ends = gltf.view_bytes(int(column["values"])), _read_offsets(gltf, column, "stringOffset")
    if last is None or values is None or ends is None:
        return
    if last != len(values) and (last, len(values)) != (0, 1):  # a buffer view is never empty
        message = f"the last offset is {last}, 'values' has {len(values)} bytes"
        issues.error("METADATA_INVALID_LENGTH", join(at, "stringOffsets"), message)
        return
    inner = ends[(ends > 0) & (ends < last)]
    cut = bool(np.any((values[inner] & 0xC0) == 0x80))
    if cut or not _is_utf8(values):
        issues.error("METADATA_INVALID_UTF8", join(at, "values"), "the strings are not UTF-8")


def _is_utf8(values: UInt8) -> bool:
    try:
        values.tobytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _check_bits(gltf: Gltf, column: Json, elements: int, to: tuple[str, IssueLog]) -> None:
    at, issues = to
    values = gltf.view_bytes(int(column["values"]))
    expected = max(1, -(-elements // 8))
    if values is None:
        return
    if len(values) != expected:
        message = f"{elements} bits need {expected} bytes, the view has {len(values)}"
        issues.error("METADATA_INVALID_LENGTH", join(at, "values"), message)
    elif elements % 8 and int(values[-1]) >> (elements % 8):
        issues.error("METADATA_INVALID_PADDING", join(at, "values"), "unused bits of the last byte must be 0")


def _check_numbers(gltf: Gltf, column: Json, size: tuple[int, int], entry: Property, to: tuple[str, IssueLog]) -> None:
    at, issues = to
    count, elements = size
    here = join(at, "values")
    if entry.dtype is None:
        return
    _check_alignment(gltf, int(column["values"]), entry.dtype.itemsize, (here, issues))
    data = gltf.view_bytes(int(column["values"]))
    expected = elements * entry.components * entry.dtype.itemsize
    if data is None:
        return
    if len(data) != expected and not (expected == 0 and entry.variable):
        message = f"{elements} elements need {expected} bytes, the view has {len(data)}"
        issues.error("METADATA_INVALID_LENGTH", here, message)
        return
    values: AnyArray = np.frombuffer(data, entry.dtype, elements * entry.components)
    if entry.enum is not None:
        check_enum_values(values, entry, here, issues)
    elif entry.dtype.kind == "f" and not np.all(np.isfinite(values)):
        issues.error("METADATA_INVALID_FLOAT", here, "values must not be NaN or infinite")
    elif not entry.variable:
        check_bounds(values.reshape(row_shape(entry, count)), column, entry, at, issues)


def check_enum_values(values: AnyArray, entry: Property, pointer: str, issues: IssueLog) -> None:
    """Check that stored enum values are values of the enum."""
    if entry.enum is None:
        return
    alien = np.setdiff1d(values, entry.enum.stored)
    if len(alien):
        issues.error("VALUE_NOT_IN_LIST", pointer, f"{int(alien[0])} is no value of the enum of {entry.name!a}")


def row_shape(entry: Property, count: int) -> tuple[int, ...]:
    """
    Return the shape of ``count`` values of a property, its trailing part that of one JSON value.

    Examples
    --------
    >>> from citygen.validation.property_type import resolve_property
    >>> row_shape(resolve_property("p", {"type": "VEC3", "componentType": "FLOAT32"}, {}), 5)
    (5, 3)
    """
    shape: tuple[int, ...] = (count,)
    if entry.count is not None:
        shape = (*shape, entry.count)
    return shape if entry.type in {"SCALAR", "ENUM"} else (*shape, entry.components)


def _check_alignment(gltf: Gltf, view: int, size: int, to: tuple[str, IssueLog]) -> None:
    at, issues = to
    offset = gltf.listed("bufferViews")[view].get("byteOffset", 0)
    if offset % size:
        issues.error(
            "METADATA_INVALID_ALIGNMENT", at, f"byteOffset {offset} is no multiple of the {size} bytes of a value"
        )
    elif offset % ALIGNMENT:
        issues.warning("METADATA_INVALID_ALIGNMENT", at, f"byteOffset {offset} is no multiple of {ALIGNMENT}")


def _read_offsets(gltf: Gltf, column: Json, kind: str) -> Int64 | None:
    data = gltf.view_bytes(int(column[kind + "s"]))
    dtype = np.dtype(column.get(kind + "Type", "UINT32").lower()).newbyteorder("<")
    if data is None or len(data) % dtype.itemsize:
        return None
    offsets: Int64 = np.frombuffer(data, dtype).astype(np.int64)
    return offsets


def _in_order(offsets: Int64, length: int) -> bool:
    return bool(offsets[0] >= 0 and offsets[-1] <= length and np.all(np.diff(offsets) >= 0))
