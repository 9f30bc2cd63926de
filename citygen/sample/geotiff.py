"""
A height grid to the bytes of a GeoTIFF, the same on every machine.

Written by hand because GDAL's bytes change with its version and with its deflate library: one strip, float32 with the
floating point predictor (TIFF Technical Note 3), in deflate *stored* blocks (RFC 1950, RFC 1951), so no compressor
decides about the bytes. Packing (git, wheels) still gains from the predictor. Keys: OGC GeoTIFF 1.1.
"""

import struct
import zlib

import numpy as np

from citygen.arraytypes import Float64

NODATA = -9999
_ASCII, _SHORT, _LONG, _DOUBLE = 2, 3, 4, 12
_SIZES = {_ASCII: "s", _SHORT: "H", _LONG: "I", _DOUBLE: "d"}


def geotiff_bytes(heights: Float64, *, left: float, top: float, cell_m: float, epsg: int) -> bytes:
    """
    Encode a north-up height grid.

    Parameters
    ----------
    heights : (rows, columns) float64
        Metres; NaN becomes nodata (-9999). The first row is the northernmost.
    left, top : float
        Upper left corner of the upper left cell, metres, in ``epsg``.
    cell_m : float
        Cell size.
    epsg : int
        A projected CRS in metres.

    Returns
    -------
    bytes
        A complete little-endian TIFF file.

    Examples
    --------
    >>> geotiff_bytes(np.zeros((2, 3)), left=0, top=10, cell_m=5, epsg=3035)[:3]
    b'II*'
    """
    values = np.where(np.isnan(heights), NODATA, heights).astype("<f4")
    rows, columns = values.shape
    strip = _stored(_predicted(values))
    geokeys = (1, 1, 1, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, epsg)  # projected, cell is area, the CRS
    tags: list[tuple[int, int, tuple[float, ...] | bytes]] = [
        (256, _LONG, (columns,)),
        (257, _LONG, (rows,)),
        (258, _SHORT, (32,)),
        (259, _SHORT, (8,)),  # deflate
        (262, _SHORT, (1,)),
        (273, _LONG, (0,)),  # where the strip starts: set below
        (277, _SHORT, (1,)),
        (278, _LONG, (rows,)),
        (279, _LONG, (len(strip),)),
        (284, _SHORT, (1,)),
        (317, _SHORT, (3,)),  # floating point predictor
        (339, _SHORT, (3,)),  # IEEE floats
        (33550, _DOUBLE, (cell_m, cell_m, 0.0)),
        (33922, _DOUBLE, (0.0, 0.0, 0.0, left, top, 0.0)),
        (34735, _SHORT, geokeys),
        (42113, _ASCII, f"{NODATA}\0".encode()),
    ]
    directory_size = 2 + 12 * len(tags) + 4
    length = len(_directory(tags, 8 + directory_size))
    tags[5] = (273, _LONG, (8 + length,))
    return struct.pack("<2sHI", b"II", 42, 8) + _directory(tags, 8 + directory_size) + strip


def _directory(tags: list[tuple[int, int, tuple[float, ...] | bytes]], tail_at: int) -> bytes:
    """Encode the image file directory followed by the values that do not fit into its entries."""
    entries, tail = struct.pack("<H", len(tags)), b""
    for tag, kind, values in tags:
        data = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{_SIZES[kind]}", *values)
        head = struct.pack("<HHI", tag, kind, len(values))
        if len(data) <= 4:
            entries += head + data.ljust(4, b"\0")
        else:
            entries += head + struct.pack("<I", tail_at + len(tail))
            tail += data.ljust(len(data) + len(data) % 2, b"\0")
    return entries + struct.pack("<I", 0) + tail


def _predicted(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    """Split each row into byte planes, most significant first, and take differences along the row."""
    rows, columns = values.shape
    planes = values.view(np.uint8).reshape(rows, columns, 4)[:, :, ::-1].transpose(0, 2, 1).reshape(rows, columns * 4)
    out = planes.copy()
    out[:, 1:] -= planes[:, :-1]
    return out.tobytes()


def _stored(data: bytes) -> bytes:
    """Wrap bytes into a zlib stream of stored blocks."""
    blocks = [b"\x78\x01"]
    for start in range(0, len(data), 0xFFFF):
        block = data[start : start + 0xFFFF]
        last = start + len(block) == len(data)
        blocks.append(struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF) + block)
    return b"".join(blocks) + struct.pack(">I", zlib.adler32(data))
