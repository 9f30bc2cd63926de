"""A declared shape and a JSON value to issues: the types, ranges, lengths and patterns that a JSON schema would say."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from citygen.validation.issues import IssueLog, Json, join, quote

IDENTIFIER = r"^[a-zA-Z_][a-zA-Z0-9_]*$"
"""What the 3D Metadata Specification calls an identifier."""


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number, perhaps whole, within inclusive bounds; ``above`` is an exclusive lower bound."""

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    above: float = -math.inf


@dataclass(frozen=True, slots=True)
class Text:
    """A string, perhaps of a pattern or one of some options."""

    pattern: str | None = None
    options: tuple[str, ...] = ()
    min_length: int = 0


@dataclass(frozen=True, slots=True)
class Flag:
    """``true`` or ``false``."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value; a rule elsewhere looks at it."""


@dataclass(frozen=True, slots=True)
class Array:
    """A list of values of one shape."""

    items: "Shape"
    low: int = 0
    high: int | None = None
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """An object with known properties; ``extensions`` and ``extras`` are allowed in each."""

    fields: Mapping[str, "Shape"] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dictionary:
    """An object whose keys are ids and whose values have one shape."""

    values: "Shape"
    keys: str | None = None
    low: int = 0


Shape = Number | Text | Flag | Anything | Array | Record | Dictionary

INDEX = Number(0, integer=True)
"""An index into an array of the same file."""
OBJECT = Record()


def check_shape(value: Json, shape: Shape, pointer: str, issues: IssueLog, *, element: bool = False) -> bool:
    """
    Check a value against a shape, all the way down.

    Parameters
    ----------
    value : JSON value
        As ``json.loads`` gives it.
    shape : Shape
        What it should be.
    pointer : str
        Where it stands.
    issues : IssueLog
        Takes the issues, and the names of the extensions met.
    element : bool
        True for an element of an array, whose wrong type has an issue type of its own.

    Returns
    -------
    bool
        True when nothing was wrong, so that later rules can rely on the types.

    Examples
    --------
    >>> issues = IssueLog()
    >>> check_shape({"version": 1}, Record({"version": Text()}), "/asset", issues), issues.found[0].code
    (False, 'TYPE_MISMATCH')
    """
    expected = _type_name(shape)
    if not _has_type(value, shape):
        code = "ARRAY_ELEMENT_TYPE_MISMATCH" if element else "TYPE_MISMATCH"
        issues.error(code, pointer, f"expected {expected}, found {quote(value)}")
        return False
    match shape:
        case Number():
            return _check_number(value, shape, pointer, issues)
        case Text():
            return _check_text(value, shape, pointer, issues)
        case Array():
            return _check_array(value, shape, pointer, issues)
        case Record():
            return _check_record(value, shape, pointer, issues)
        case Dictionary():
            return _check_dictionary(value, shape, pointer, issues)
    return True


def is_number(value: Json) -> bool:
    """Say whether a JSON value is a finite number (``true`` is not)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value: Json) -> bool:
    """Say whether a JSON value is a whole number; ``3.0`` is one."""
    return is_number(value) and (isinstance(value, int) or value.is_integer())


def _has_type(value: Json, shape: Shape) -> bool:
    match shape:
        case Number(integer=True):
            return is_integer(value)
        case Number():
            return is_number(value)
        case Text():
            return isinstance(value, str)
        case Flag():
            return isinstance(value, bool)
        case Array():
            return isinstance(value, list)
        case Record() | Dictionary():
            return isinstance(value, dict)
    return True


def _type_name(shape: Shape) -> str:
    match shape:
        case Number(integer=True):
            return "an integer"
        case Number():
            return "a number"
        case Text():
            return "a string"
        case Flag():
            return "a boolean"
        case Array():
            return "an array"
        case Record() | Dictionary():
            return "an object"
    return "any value"


def _check_number(value: Json, shape: Number, pointer: str, issues: IssueLog) -> bool:
    if shape.low <= value <= shape.high and value > shape.above:
        return True
    low = f"more than {shape.above:g}" if shape.above > shape.low else f"at least {shape.low:g}"
    issues.error("VALUE_NOT_IN_RANGE", pointer, f"{quote(value)} must be {low} and at most {shape.high:g}")
    return False


def _check_text(value: Json, shape: Text, pointer: str, issues: IssueLog) -> bool:
    if shape.options and value not in shape.options:
        issues.error("VALUE_NOT_IN_LIST", pointer, f"{quote(value)} must be one of {', '.join(shape.options)}")
    elif len(value) < shape.min_length:
        issues.error("STRING_LENGTH_MISMATCH", pointer, f"must have at least {shape.min_length} characters")
    elif shape.pattern and not re.search(shape.pattern.replace("$", r"\Z"), value):
        issues.error("STRING_PATTERN_MISMATCH", pointer, f"{quote(value)} must match {shape.pattern}")
    else:
        return True
    return False


def _check_array(value: list[Json], shape: Array, pointer: str, issues: IssueLog) -> bool:
    good = True
    if len(value) < shape.low or (shape.high is not None and len(value) > shape.high):
        span = f"{shape.low}" if shape.high == shape.low else f"{shape.low} to {shape.high or 'any number of'}"
        issues.error("ARRAY_LENGTH_MISMATCH", pointer, f"has {len(value)} elements, must have {span}")
        good = False
    for k, item in enumerate(value):
        good &= check_shape(item, shape.items, join(pointer, k), issues, element=True)
    if good and shape.unique and len(set(value)) != len(value):
        issues.error("ARRAY_ELEMENT_NOT_UNIQUE", pointer, f"elements must be unique: {quote(value)}")
        good = False
    return good


def _check_record(value: dict[str, Json], shape: Record, pointer: str, issues: IssueLog) -> bool:
    good = check_extensions(value, pointer, issues)
    for name in shape.required:
        if name not in value:
            issues.error("PROPERTY_MISSING", pointer, f"{name!r} is required")
            good = False
    for name, inner in shape.fields.items():
        if name in value:
            good &= check_shape(value[name], inner, join(pointer, name), issues)
    return good


def _check_dictionary(value: dict[str, Json], shape: Dictionary, pointer: str, issues: IssueLog) -> bool:
    good = True
    if len(value) < shape.low:
        issues.error("NUMBER_OF_PROPERTIES_MISMATCH", pointer, f"has {len(value)} properties, must have {shape.low}")
        good = False
    for name, item in value.items():
        if shape.keys:
            good &= _check_text(name, Text(shape.keys), join(pointer, name), issues)
        good &= check_shape(item, shape.values, join(pointer, name), issues)
    return good


def check_extensions(value: dict[str, Json], pointer: str, issues: IssueLog) -> bool:
    """
    Check the ``extensions`` and ``extras`` of an object and note the names of the extensions.

    Returns
    -------
    bool
        False when ``extensions`` is malformed; an ``extras`` that is no object only warns.
    """
    if "extras" in value and not isinstance(value["extras"], dict):
        issues.warning("TYPE_UNEXPECTED", join(pointer, "extras"), "'extras' should be an object")
    if "extensions" not in value:
        return True
    extensions = value["extensions"]
    good = check_shape(extensions, Dictionary(OBJECT_VALUE), join(pointer, "extensions"), issues)
    if isinstance(extensions, dict):
        issues.extensions.update(name for name, body in extensions.items() if isinstance(body, dict))
    return good


OBJECT_VALUE = Dictionary(Anything())
"""The body of an extension: an object of which nothing is said here."""
