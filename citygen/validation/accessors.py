"""
Accessors of a glTF to NumPy arrays and issues: bounds, alignment, declared extremes, finite numbers.

glTF 2.0, "Accessors"; issue codes are those of the Khronos validator.
"""

import numpy as np

from citygen.arraytypes import AnyArray, Bool, UInt8
from citygen.validation.glb import Gltf
from citygen.validation.issues import IssueLog, Json, join, quote
from citygen.validation.shape import INDEX, Array, Flag, Number, Record, Text, check_shape

COMPONENT_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
COMPONENT_COUNTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
COMPONENT_CODES = Number(5120, 5126, integer=True)
EXTREME_TOLERANCE = 1e-6
"""Share by which min and max may miss the data: decimals of a float32 in JSON."""

ACCESSOR = Record(
    {
        "bufferView": INDEX,
        "byteOffset": INDEX,
        "componentType": COMPONENT_CODES,
        "normalized": Flag(),
        "count": Number(1, integer=True),
        "type": Text(options=tuple(COMPONENT_COUNTS)),
        "min": Array(Number(), 1, 16),
        "max": Array(Number(), 1, 16),
        "sparse": Record(
            {
                "count": Number(1, integer=True),
                "indices": Record(
                    {"bufferView": INDEX, "byteOffset": INDEX, "componentType": COMPONENT_CODES},
                    required=("bufferView", "componentType"),
                ),
                "values": Record({"bufferView": INDEX, "byteOffset": INDEX}, required=("bufferView",)),
            },
            required=("count", "indices", "values"),
        ),
    },
    required=("componentType", "count", "type"),
)


def check_accessors(gltf: Gltf, issues: IssueLog) -> None:
    """
    Check and decode every accessor of an asset.

    Parameters
    ----------
    gltf : Gltf
        Its ``arrays`` take (count, components) arrays of the stored type, or None for an accessor
        that is broken or has no data.
    issues : IssueLog
        Takes the issues.
    """
    for k, accessor in enumerate(gltf.listed("accessors")):
        at = join("/accessors", k)
        gltf.arrays[k] = None
        if not check_shape(accessor, ACCESSOR, at, issues):
            continue
        if accessor["componentType"] not in COMPONENT_DTYPES:
            issues.error("VALUE_NOT_IN_LIST", join(at, "componentType"), f"{accessor['componentType']} is no type")
            continue
        if accessor.get("normalized", False) and accessor["componentType"] in {5125, 5126}:
            issues.error("ACCESSOR_NORMALIZED_INVALID", at, "only 8 and 16 bit integers can be normalized")
        array = _decode(gltf, accessor, at, issues)
        gltf.arrays[k] = array
        if array is not None:
            _check_values(array, accessor, at, issues)


def _decode(gltf: Gltf, accessor: Json, at: str, issues: IssueLog) -> AnyArray | None:
    dtype = np.dtype(COMPONENT_DTYPES[accessor["componentType"]])
    count, width = int(accessor["count"]), COMPONENT_COUNTS[accessor["type"]]
    if width in {4, 9} and accessor["type"].startswith("MAT") and dtype.itemsize < 4:
        issues.warning("ACCESSOR_NOT_CHECKED", at, "matrices of small integers, with padded columns, are not decoded")
        return None
    if "bufferView" in accessor:
        place = (int(accessor["bufferView"]), int(accessor.get("byteOffset", 0)))
        array = _strided(gltf, place, (dtype, count, width), at, issues)
    elif "sparse" not in accessor:
        return None
    elif count > MAX_IMPLICIT_ELEMENTS:
        issues.error("ACCESSOR_TOO_LONG", at, f"{count} elements without data")
        return None
    else:
        array = np.zeros((count, width), dtype)
    if array is None or "sparse" not in accessor:
        return array
    return _overlay(gltf, array, accessor["sparse"], join(at, "sparse"), issues)


MAX_IMPLICIT_ELEMENTS = 1 << 24
"""Elements that an accessor may have without a buffer view: a bound against files made to fill the memory."""


def _strided(
    gltf: Gltf, place: tuple[int, int], layout: tuple[np.dtype, int, int], at: str, issues: IssueLog
) -> AnyArray | None:
    """Return (count, width) elements out of a buffer view, without a copy."""
    (index, offset), (dtype, count, width) = place, layout
    views = gltf.listed("bufferViews")
    if index >= len(views):
        issues.error("UNRESOLVED_REFERENCE", at, f"there is no buffer view {index}")
        return None
    size = dtype.itemsize * width
    stride = int(views[index].get("byteStride", size))
    if stride < size:
        issues.error("ACCESSOR_SMALL_BYTESTRIDE", at, f"an element has {size} bytes, the stride is {stride}")
        return None
    if offset + stride * (count - 1) + size > views[index]["byteLength"]:
        issues.error("ACCESSOR_TOO_LONG", at, "the accessor reaches beyond its buffer view")
        return None
    if offset % dtype.itemsize or (offset + views[index].get("byteOffset", 0)) % dtype.itemsize:
        issues.error("ACCESSOR_TOTAL_OFFSET_ALIGNMENT", at, f"the offset is no multiple of {dtype.itemsize}")
        return None
    data: UInt8 | None = gltf.view_bytes(index)
    if data is None:
        return None
    elements: AnyArray = np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize))
    return elements


def _overlay(gltf: Gltf, array: AnyArray, sparse: Json, at: str, issues: IssueLog) -> AnyArray | None:
    count = int(sparse["count"])
    where, values = sparse["indices"], sparse["values"]
    kind = COMPONENT_DTYPES.get(where["componentType"], "")
    if kind not in {"<u1", "<u2", "<u4"}:
        issues.error("VALUE_NOT_IN_LIST", join(at, "indices"), "sparse indices must be unsigned integers")
        return None
    place = (int(where["bufferView"]), int(where.get("byteOffset", 0)))
    rows = _strided(gltf, place, (np.dtype(kind), count, 1), at, issues)
    place = (int(values["bufferView"]), int(values.get("byteOffset", 0)))
    news = _strided(gltf, place, (array.dtype, count, array.shape[1]), at, issues)
    if rows is None or news is None:
        return None
    if np.any(rows >= len(array)) or np.any(np.diff(rows[:, 0].astype(np.int64)) <= 0):
        issues.error("ACCESSOR_SPARSE_INDICES_INVALID", at, "sparse indices must increase and stay below the count")
        return None
    laid = array.copy()
    laid[rows[:, 0]] = news
    return laid


def _check_values(array: AnyArray, accessor: Json, at: str, issues: IssueLog) -> None:
    if array.dtype.kind == "f":
        bad: Bool = ~np.isfinite(array)
        if np.any(bad):
            issues.error("ACCESSOR_INVALID_FLOAT", at, f"{int(bad.sum())} values are NaN or infinite")
            return
    for name, extreme in (("min", array.min), ("max", array.max)):
        if name not in accessor:
            continue
        declared = accessor[name]
        if len(declared) != array.shape[1]:
            issues.error("ARRAY_LENGTH_MISMATCH", join(at, name), f"must have {array.shape[1]} elements")
            continue
        found = extreme(axis=0).astype(np.float64)
        if not np.allclose(found, declared, rtol=EXTREME_TOLERANCE, atol=EXTREME_TOLERANCE * 1e-3):
            message = f"{name!r} is {quote(declared)}, the data reach {found.tolist()}"
            issues.error(f"ACCESSOR_{name.upper()}_MISMATCH", at, message)
