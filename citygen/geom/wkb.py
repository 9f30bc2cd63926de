"""
WKB polygons to coordinates and back without an object a row (Numba kernels over Arrow's buffers).

Only what most files hold is *plain*: little-endian polygons and multipolygons, of two to four dimensions, without SRID,
with closed rings of four positions or more and finite coordinates. Every other row is left to a real parser.
Format: OGC 06-103r4, section 8.2 (types 3 and 6; 1000 and 2000 are added for z and m) and the flags of EWKB.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from citygen.arraytypes import Bool, Float64, Int64, UInt8

_POLYGON, _MULTI = 3, 6


class Plain(NamedTuple):
    """
    The plain rows of a column of WKB.

    Attributes
    ----------
    rows : (n,) bool
        Which rows are plain.
    coords : (m, 2) float64
        x, y of all their positions, row by row, rings closed.
    offsets : (n + 1,) int64
        Where each row's positions start; a row that is not plain has none.
    """

    rows: Bool
    coords: Float64
    offsets: Int64


@njit(cache=True, nogil=True)
def _u32(data, at):
    return data[at] | (np.int64(data[at + 1]) << 8) | (np.int64(data[at + 2]) << 16) | (np.int64(data[at + 3]) << 24)


@njit(cache=True, nogil=True)
def _kind(data, at, stop):
    """Return type and dimensions of the geometry that starts here; type 0 for what is not plain."""
    if at + 9 > stop or data[at] != 1:
        return 0, 2
    word = _u32(data, at + 1)
    if word & 0x20000000:
        return 0, 2
    base = word & 0x0FFFFFFF
    extra = base // 1000
    dims = 2 + (word >> 31 & 1) + (word >> 30 & 1)
    if extra == 1 or extra == 2:
        dims += 1
    elif extra == 3:
        dims += 2
    elif extra > 3:
        return 0, 2
    return (base % 1000 if dims <= 4 else 0), dims


@njit(cache=True, nogil=True)
def _polygon(data, at, stop, dims):
    """Walk the rings of a polygon whose ring count stands here; return its end (-1: not plain), positions and rings."""
    if at + 4 > stop:
        return -1, 0, 0
    rings = _u32(data, at)
    at += 4
    step = 8 * dims
    total = 0
    if rings == 0:
        return -1, 0, 0
    for _ in range(rings):
        if at + 4 > stop:
            return -1, 0, 0
        count = _u32(data, at)
        at += 4
        if count < 4 or at + count * step > stop:
            return -1, 0, 0
        last = at + (count - 1) * step
        for k in range(16):
            if data[at + k] != data[last + k]:
                return -1, 0, 0
        total += count
        at += count * step
    return at, total, rings


@njit(cache=True, nogil=True)
def _row(data, at, stop):
    """Return the positions of a row and its size as 2-D WKB in bytes; 0, 0 for one that is not plain."""
    kind, dims = _kind(data, at, stop)
    if kind == _POLYGON:
        end, total, rings = _polygon(data, at + 5, stop, dims)
        return (total, 9 + 4 * rings + 16 * total) if end == stop else (0, 0)
    if kind != _MULTI:
        return 0, 0
    parts = _u32(data, at + 5)
    at += 9
    positions, size = 0, 9
    for _ in range(parts):
        kind, dims = _kind(data, at, stop)
        if kind != _POLYGON:
            return 0, 0
        at, total, rings = _polygon(data, at + 5, stop, dims)
        if at < 0:
            return 0, 0
        positions += total
        size += 9 + 4 * rings + 16 * total
    return (positions, size) if at == stop else (0, 0)


@njit(cache=True, nogil=True)
def _sizes(data, starts, stops, counts, sizes):
    for row in range(len(counts)):
        counts[row], sizes[row] = _row(data, starts[row], stops[row])


@njit(cache=True, nogil=True)
def _read_rings(data, at, dims, coords, k, pair, pair_bytes):
    """Copy the positions of one polygon; return where it ends, how many were copied so far, and whether all are finite."""
    rings = _u32(data, at)
    at += 4
    finite = True
    for _ in range(rings):
        count = _u32(data, at)
        at += 4
        for _ in range(count):
            for b in range(16):
                pair_bytes[b] = data[at + b]
            coords[k, 0], coords[k, 1] = pair[0], pair[1]
            finite = finite and np.isfinite(pair[0]) and np.isfinite(pair[1])
            k += 1
            at += 8 * dims
    return at, k, finite


@njit(cache=True, nogil=True)
def _read(data, starts, offsets, coords, finite):
    pair = np.empty(2)
    pair_bytes = pair.view(np.uint8)
    for row in range(len(starts)):
        k = offsets[row]
        if offsets[row + 1] == k:
            continue
        at = starts[row]
        kind, dims = _kind(data, at, at + 9)
        parts = 1
        if kind == _MULTI:
            parts = _u32(data, at + 5)
            at += 9
        for _ in range(parts):
            kind, dims = _kind(data, at, at + 9)
            at, k, good = _read_rings(data, at + 5, dims, coords, k, pair, pair_bytes)
            finite[row] = finite[row] and good


@njit(cache=True, nogil=True)
def _put_u32(out, at, value):
    for b in range(4):
        out[at + b] = value >> (8 * b) & 0xFF


@njit(cache=True, nogil=True)
def _put_head(out, at, kind, count):
    out[at] = 1
    _put_u32(out, at + 1, kind)
    _put_u32(out, at + 5, count)


@njit(cache=True, nogil=True)
def _write(data, starts, offsets, coords, places, out):
    pair = np.empty(2)
    pair_bytes = pair.view(np.uint8)
    for row in range(len(starts)):
        k = offsets[row]
        if offsets[row + 1] == k:
            continue
        at, to = starts[row], places[row]
        kind, dims = _kind(data, at, at + 9)
        parts = 1
        if kind == _MULTI:
            parts = _u32(data, at + 5)
            _put_head(out, to, _MULTI, parts)
            at, to = at + 9, to + 9
        for _ in range(parts):
            kind, dims = _kind(data, at, at + 9)
            rings = _u32(data, at + 5)
            _put_head(out, to, _POLYGON, rings)
            at, to = at + 9, to + 9
            for _ in range(rings):
                count = _u32(data, at)
                _put_u32(out, to, count)
                at, to = at + 4 + count * 8 * dims, to + 4
                for _ in range(count):
                    pair[0], pair[1] = coords[k, 0], coords[k, 1]
                    for b in range(16):
                        out[to + b] = pair_bytes[b]
                    k, to = k + 1, to + 16


def read_plain(data: UInt8, starts: Int64, stops: Int64) -> Plain:
    """
    Read the plain rows of a column of WKB.

    Parameters
    ----------
    data : (b,) uint8
        All bytes.
    starts, stops : (n,) int64
        Where each row's bytes lie; equal where the row has none.

    Returns
    -------
    Plain
        z and m are left out.

    Examples
    --------
    >>> import shapely
    >>> data = np.frombuffer(shapely.box(0, 0, 2, 1).wkb, np.uint8)
    >>> read_plain(data, np.array([0]), np.array([len(data)])).coords.tolist()
    [[2.0, 0.0], [2.0, 1.0], [0.0, 1.0], [0.0, 0.0], [2.0, 0.0]]
    """
    n = len(starts)
    counts, sizes = np.zeros(n, np.int64), np.zeros(n, np.int64)
    _sizes(data, starts, stops, counts, sizes)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    coords, finite = np.zeros((offsets[-1], 2)), np.ones(n, dtype=np.bool_)
    _read(data, starts, offsets, coords, finite)
    rows = (counts > 0) & finite
    if not finite.all():
        coords = coords[np.repeat(rows, counts)]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.where(rows, counts, 0))])
    return Plain(rows, coords, offsets)


def write_plain(data: UInt8, starts: Int64, stops: Int64, plain: Plain) -> tuple[UInt8, Int64]:
    """
    Write plain rows again as 2-D WKB, with other coordinates.

    Parameters
    ----------
    data, starts, stops
        What they were read from.
    plain : Plain
        Rows, offsets as read (rows may be dropped from ``rows`` if their positions are too); new coordinates.

    Returns
    -------
    out : (b,) uint8
        The bytes, row after row.
    places : (n + 1,) int64
        Where each row's start; a row that is not plain has none.
    """
    n = len(starts)
    counts, sizes = np.zeros(n, np.int64), np.zeros(n, np.int64)
    _sizes(data, starts, stops, counts, sizes)
    places = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.where(plain.rows, sizes, 0))])
    out = np.zeros(places[-1], np.uint8)
    _write(data, starts, plain.offsets, plain.coords, places, out)
    return out, places


def bounds(plain: Plain) -> Float64:
    """
    Return the extents of plain rows.

    Returns
    -------
    (n, 4) float64
        xmin, ymin, xmax, ymax; NaN for rows that are not plain.
    """
    box = np.full((len(plain.rows), 4), np.nan)
    rows = np.flatnonzero(plain.rows)
    if len(rows):
        starts = plain.offsets[:-1][rows]
        box[rows, :2] = np.minimum.reduceat(plain.coords, starts)
        box[rows, 2:] = np.maximum.reduceat(plain.coords, starts)
    return box
