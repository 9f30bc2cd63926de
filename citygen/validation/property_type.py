"""A class property of a metadata schema to its storage: element type, components, array length, NumPy type."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import AnyArray
from citygen.validation.issues import Json

COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
NUMERIC_TYPES = tuple(COMPONENTS)
TYPES = (*NUMERIC_TYPES, "STRING", "BOOLEAN", "ENUM")
ENUM_TYPES = ("INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64")
COMPONENT_TYPES = (*ENUM_TYPES, "FLOAT32", "FLOAT64")
OFFSET_TYPES = ("UINT8", "UINT16", "UINT32", "UINT64")


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum: its storage, its values by name, and all values sorted."""

    dtype: np.dtype
    values: dict[str, int]
    stored: AnyArray


@dataclass(frozen=True, slots=True)
class Property:
    """
    A class property, resolved.

    Attributes
    ----------
    name, type : str
        Property id; one of ``TYPES``.
    dtype : numpy.dtype or None
        Little-endian storage of a component or enum value; None for STRING and BOOLEAN.
    components : int
        Numbers in one element: 3 for VEC3, 16 for MAT4, 1 for all else.
    array : bool
        Whether a value is an array of elements.
    count : int or None
        Elements in a fixed-length array.
    normalized, required : bool
        As declared.
    enum : Enum or None
        For type ENUM.
    body : dict
        The JSON object, for offset, scale, min, max, noData and default.
    """

    name: str
    type: str
    dtype: np.dtype | None
    components: int
    array: bool
    count: int | None
    normalized: bool
    required: bool
    enum: Enum | None
    body: dict[str, Json]

    @property
    def numeric(self) -> bool:
        """Whether values are numbers (enum values are names)."""
        return self.type in COMPONENTS

    @property
    def floating(self) -> bool:
        """Whether a client sees floating-point numbers."""
        return self.numeric and self.dtype is not None and (self.normalized or self.dtype.kind == "f")

    @property
    def variable(self) -> bool:
        """Whether a value is an array of any length."""
        return self.array and self.count is None


def resolve_property(name: str, body: dict[str, Json], enums: dict[str, Enum]) -> Property:
    """
    Resolve a checked class property.

    Parameters
    ----------
    name : str
        Its id.
    body : dict
        Checked JSON.
    enums : dict
        Of the same schema.

    Examples
    --------
    >>> resolve_property("height", {"type": "SCALAR", "componentType": "FLOAT32"}, {}).dtype.itemsize
    4
    """
    enum = enums[body["enumType"]] if body["type"] == "ENUM" else None
    dtype = None if enum is None else enum.dtype
    if body["type"] in COMPONENTS:
        dtype = np.dtype(body["componentType"].lower())
    count = body.get("count")
    return Property(
        name=name,
        type=body["type"],
        dtype=None if dtype is None else dtype.newbyteorder("<"),
        components=COMPONENTS.get(body["type"], 1),
        array=body.get("array", False),
        count=None if count is None else int(count),
        normalized=body.get("normalized", False),
        required=body.get("required", False),
        enum=enum,
        body=body,
    )
