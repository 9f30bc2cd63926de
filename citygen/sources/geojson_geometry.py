"""
A GeoJSON geometry object (parsed JSON) to WKB, or to a short text that says why not. RFC 7946, section 3.1; ISO WKB.

Faults of shape (unclosed rings, two-point rings, bow ties) are written as they are: the repair stage judges them.
Faults of data (text for numbers, NaN, missing members) give a problem.
"""

import math
import struct
from collections.abc import Callable
from itertools import chain
from typing import Any

_POINT, _LINE, _POLYGON = 1, 2, 3
_MANY = {"MultiPoint": (4, _POINT), "MultiLineString": (5, _LINE), "MultiPolygon": (6, _POLYGON)}
_ONE = {"Point": _POINT, "LineString": _LINE, "Polygon": _POLYGON}
_NUMBERS = frozenset((int, float))
_DEPTH = 16
"""Geometry collections within each other, at most."""


class _GeometryError(Exception):
    """What is wrong with a geometry, in a few words."""


def geometry_wkb(thing: Any, *, depth: int = 0) -> tuple[bytes | None, str | None]:
    """
    Turn a GeoJSON geometry into WKB.

    Parameters
    ----------
    thing : dict or None
        Parsed JSON; anything else is a problem.
    depth : int
        Collections around it.

    Returns
    -------
    wkb : bytes or None
        Little-endian ISO WKB, z kept when every position has one, further ordinates dropped; None for null.
    problem : str or None
        Why there is none.

    Examples
    --------
    >>> geometry_wkb({"type": "Point", "coordinates": [1, "2"]})
    (None, 'a coordinate is not a number')
    >>> geometry_wkb(None)
    (None, None)
    """
    if thing is None:
        return None, None
    fault = ""
    for most in (None, 2):  # an unusable z (null, NaN) does not cost the footprint its x and y
        try:
            return _geometry(thing, depth, most), None
        except _GeometryError as error:
            fault = fault or str(error)
        except (OverflowError, struct.error):
            fault = fault or "a coordinate is too large a number"
    return None, fault


def _geometry(thing: Any, depth: int, most: int | None) -> bytes:
    """Write one geometry."""
    if not isinstance(thing, dict):
        raise _GeometryError("the geometry is not an object")
    kind = thing.get("type")
    if kind == "GeometryCollection":
        return _collection(thing.get("geometries"), depth, most)
    if not isinstance(kind, str) or (kind not in _ONE and kind not in _MANY):
        raise _GeometryError(f"unknown geometry type {str(kind)[:40]!r}")
    coordinates = thing.get("coordinates")
    if not isinstance(coordinates, list):
        raise _GeometryError("the geometry has no coordinates")
    if kind in _ONE:
        return _WRITERS[_ONE[kind]](coordinates, most)
    code, part = _MANY[kind]
    write = _WRITERS[part]
    parts = [write(_list(one), most) for one in coordinates]
    three = bool(parts) and all(one[1:5] == struct.pack("<I", part + 1000) for one in parts)
    if not three:  # a multi-geometry has one dimension, that of its poorest part
        parts = [write(one, 2) for one in coordinates]
    return struct.pack("<BII", 1, code + (1000 if three else 0), len(parts)) + b"".join(parts)


def _collection(parts: Any, depth: int, most: int | None) -> bytes:
    """Write a geometry collection."""
    if not isinstance(parts, list):
        raise _GeometryError("the geometry collection has no geometries")
    if depth >= _DEPTH:
        raise _GeometryError(f"geometry collections nested more than {_DEPTH} deep")
    return struct.pack("<BII", 1, 7, len(parts)) + b"".join(_geometry(part, depth + 1, most) for part in parts)


def _point(position: list[Any], most: int | None) -> bytes:
    """Write a point; an empty one is NaN, as WKB has it."""
    if not position:
        return struct.pack("<BIdd", 1, _POINT, math.nan, math.nan)
    dims, flat = _positions([position], most)
    return struct.pack("<BI", 1, _POINT + (1000 if dims == 3 else 0)) + flat


def _line(positions: list[Any], most: int | None) -> bytes:
    """Write a line."""
    dims, flat = _positions(positions, most)
    return struct.pack("<BII", 1, _LINE + (1000 if dims == 3 else 0), len(positions)) + flat


def _polygon(rings: list[Any], most: int | None) -> bytes:
    """Write a polygon; all its rings get the dimension of the poorest one."""
    flat = [_positions(_list(ring), most) for ring in rings]
    three = bool(flat) and all(dims == 3 for (dims, _), ring in zip(flat, rings, strict=True) if ring)
    if not three and any(dims == 3 for dims, _ in flat):
        flat = [_positions(ring, 2) for ring in rings]
    out = [struct.pack("<BII", 1, _POLYGON + (1000 if three and any(rings) else 0), len(rings))]
    for ring, (_, numbers) in zip(rings, flat, strict=True):
        out += (struct.pack("<I", len(ring)), numbers)
    return b"".join(out)


_WRITERS: dict[int, Callable[[list[Any], int | None], bytes]] = {_POINT: _point, _LINE: _line, _POLYGON: _polygon}


def _list(thing: Any) -> list[Any]:
    """Return a list or say that one was expected."""
    if not isinstance(thing, list):
        raise _GeometryError("the coordinates are not nested as the type asks")
    return thing


def _positions(positions: list[Any], most: int | None) -> tuple[int, bytes]:
    """Return the dimension (3 when every position has a z, unless ``most`` is 2) and the packed numbers."""
    if set(map(type, positions)) - {list}:
        raise _GeometryError("the coordinates are not nested as the type asks")
    lengths = set(map(len, positions))
    least = min(lengths, default=2)
    if least < 2:
        raise _GeometryError("a position has fewer than two numbers")
    dims = 2 if most == 2 else min(least, 3)
    if lengths - {dims}:
        positions = [position[:dims] for position in positions]
    flat = list(chain.from_iterable(positions))
    kinds = set(map(type, flat))
    if kinds - _NUMBERS:
        nested = "the coordinates are not nested as the type asks"
        raise _GeometryError(nested if list in kinds else "a coordinate is not a number")
    if not all(map(math.isfinite, flat)):
        raise _GeometryError("a coordinate is NaN or infinite")
    return dims, struct.pack(f"<{len(flat)}d", *flat)
