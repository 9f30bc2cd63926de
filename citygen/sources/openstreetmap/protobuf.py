"""
Bytes of a protobuf message to spans, numbers and strings (Numba kernels); every read is held against the message's end.

Encoding: https://protobuf.dev/programming-guides/encoding. Nothing is known here of what a message means. A message that is
cut or broken gives None, never a wrong number from beyond its end.
"""

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Int64, UInt8

ID, KEYS, VALS, EIGHT, NINE, TEN = 0, 1, 3, 5, 7, 9
"""Columns of ``elements``: the id, then start and end of the fields 2, 3, 8, 9 and 10."""


@njit(cache=True, nogil=True)
def _varint(buf, at, end):
    """Return a varint as int64 (it wraps) and where it ends, -1 when it is cut or too long."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < np.uint64(70):
        byte = buf[at]
        at += 1
        value |= np.uint64(byte & np.uint8(0x7F)) << shift
        if byte < np.uint8(0x80):
            return np.int64(value), at
        shift += np.uint64(7)
    return np.int64(0), np.int64(-1)


@njit(cache=True, nogil=True)
def _field(buf, at, end):
    """Return number, wire type, start and end of the field at a place, and where the next one starts (-1: broken)."""
    tag, at = _varint(buf, at, end)
    number, wire = tag >> 3, tag & 7
    if at < 0 or number <= 0:
        return 0, 0, 0, 0, -1
    if wire == 0:
        value, after = _varint(buf, at, end)
        return number, wire, value, after, after
    if wire == 2:
        length, start = _varint(buf, at, end)
        if start < 0 or length < 0 or length > end - start:
            return 0, 0, 0, 0, -1
        return number, wire, start, start + length, start + length
    size = 8 if wire == 1 else 4
    if wire not in (1, 5) or size > end - at:
        return 0, 0, 0, 0, -1
    return number, wire, at, at + size, at + size


@njit(cache=True, nogil=True)
def _fields(buf, start, end):
    out = np.zeros((16, 4), dtype=np.int64)
    n, at = 0, start
    while at < end:
        number, wire, a, b, at = _field(buf, at, end)
        if at < 0:
            return out[:0], False
        if n == len(out):
            more = np.zeros((2 * n, 4), dtype=np.int64)
            more[:n] = out
            out = more
        out[n, 0], out[n, 1], out[n, 2], out[n, 3] = number, wire, a, b
        n += 1
    return out[:n], True


def fields(buf: UInt8, start: int, end: int) -> Int64 | None:
    """
    List the fields of a message.

    Parameters
    ----------
    buf : (b,) uint8
        Holds the message.
    start, end : int
        Where it lies; within ``buf``.

    Returns
    -------
    (n, 4) int64 or None
        Number, wire type, then the value (wire type 0) or start and end of the content; None when it is broken.

    Examples
    --------
    >>> fields(np.frombuffer(bytes([8, 150, 1, 18, 1, 65]), np.uint8), 0, 6).tolist()
    [[1, 0, 150, 3], [2, 2, 5, 6]]
    """
    found, good = _fields(buf, start, end)
    return found if good else None


@njit(cache=True, nogil=True)
def _elements(buf, spans, out):
    for k in range(len(spans)):
        at, end = spans[k, 0], spans[k, 1]
        while at < end:
            number, wire, a, b, at = _field(buf, at, end)
            if at < 0:
                return False
            if number == 1 and wire == 0:
                out[k, 0] = a
            elif wire in (0, 2):
                column = 2 * number - 3 if number in (2, 3) else 2 * number - 11 if number in (8, 9, 10) else 0
                if column > VALS or (column and wire == 2):
                    out[k, column] = a
                    out[k, column + 1] = b if wire == 2 else -1
    return True


def elements(buf: UInt8, spans: Int64) -> Int64 | None:
    """
    Find in messages of one kind the id (field 1) and where the fields 2, 3, 8, 9 and 10 lie.

    Parameters
    ----------
    buf : (b,) uint8
        Holds the messages.
    spans : (n, 2) int64
        Where they lie; within ``buf``.

    Returns
    -------
    (n, 11) int64 or None
        See the names of the columns; 0, 0 for a field that is not there, value and -1 for one that is a number.
    """
    out = np.zeros((len(spans), 11), dtype=np.int64)
    return out if _elements(buf, spans, out) else None


@njit(cache=True, nogil=True)
def _tagged(buf, found, is_key, is_no, out):
    for k in range(len(found)):
        at, end, other, last = found[k, 1], found[k, 2], found[k, 3], found[k, 4]
        while at < end:
            key, at = _varint(buf, at, end)
            val, other = _varint(buf, other, last)
            if at < 0 or other < 0 or not (0 <= key < len(is_key) and 0 <= val < len(is_key)):
                return False
            out[k] |= is_key[key] and not is_no[val]
    return True


def tagged(buf: UInt8, found: Int64, is_key: Bool, is_no: Bool) -> Bool | None:
    """
    Say which elements carry a key with a value that counts.

    Parameters
    ----------
    buf : (b,) uint8
        Holds the elements.
    found : (n, 11) int64
        Of ``elements``.
    is_key, is_no : (s,) bool
        For each string of the table: is it such a key, is it a value that does not count?

    Returns
    -------
    (n,) bool or None
        None when a key has no value or a number lies beyond the table.
    """
    out = np.zeros(len(found), dtype=np.bool_)
    return out if _tagged(buf, found, is_key, is_no, out) else None


@njit(cache=True, nogil=True)
def _count(buf, starts, ends, offsets):
    for k in range(len(starts)):
        n = 0
        for at in range(starts[k], ends[k]):
            n += buf[at] < np.uint8(0x80)
        offsets[k + 1] = offsets[k] + n


@njit(cache=True, nogil=True)
def _unpack(buf, starts, ends, offsets, signed, delta, out):
    for k in range(len(starts)):
        at, last = starts[k], np.int64(0)
        for j in range(offsets[k], offsets[k + 1]):
            value, at = _varint(buf, at, ends[k])
            if at < 0:
                return False
            if signed:
                value = np.int64(np.uint64(value) >> np.uint64(1)) ^ -(value & 1)
            last = last + value if delta else value
            out[j] = last
        if at != ends[k] and ends[k] > starts[k]:
            return False
    return True


def unpack(buf: UInt8, starts: Int64, ends: Int64, kind: str = "plain") -> tuple[Int64, Int64] | None:
    """
    Read packed numbers.

    Parameters
    ----------
    buf : (b,) uint8
        Holds them.
    starts, ends : (n,) int64
        Where each list lies; an empty span is an empty list.
    kind : {"plain", "signed", "delta"}
        As they are; zigzag; zigzag and each the difference to the one before.

    Returns
    -------
    values : (k,) int64
    offsets : (n + 1,) int64
        List i is ``values[offsets[i]:offsets[i + 1]]``. None in place of both when one is broken.

    Examples
    --------
    >>> unpack(np.array([2, 4, 1], np.uint8), np.array([0]), np.array([3]), "delta")[0].tolist()
    [1, 3, 2]
    """
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    if len(starts) and (starts.min() < 0 or ends.max() > len(buf)):
        return None  # a number stands where a list should
    _count(buf, starts, ends, offsets)
    out = np.zeros(offsets[-1], dtype=np.int64)
    good = _unpack(buf, starts, ends, offsets, kind != "plain", kind == "delta", out)
    return (out, offsets) if good else None


@njit(cache=True, nogil=True)
def _gather(buf, starts, offsets, out):
    for k in range(len(starts)):
        start, first = starts[k], offsets[k]
        for j in range(offsets[k + 1] - first):
            out[first + j] = buf[start + j]


def gather(buf: UInt8, starts: Int64, ends: Int64) -> tuple[UInt8, Int64]:
    """
    Copy spans of bytes one after the other.

    Parameters
    ----------
    buf : (b,) uint8
        Holds them.
    starts, ends : (n,) int64
        Within ``buf``.

    Returns
    -------
    data : (k,) uint8
    offsets : (n + 1,) int64
        Span i is ``data[offsets[i]:offsets[i + 1]]``.
    """
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    out = np.zeros(offsets[-1], dtype=np.uint8)
    _gather(buf, starts, offsets, out)
    return out, offsets
