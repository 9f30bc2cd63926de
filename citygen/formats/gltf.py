"""The pieces of a GLB file that every kind of tile shares: a growing binary chunk, axes, colours, the container (glTF 2.0)."""

import json
import struct
from typing import Any

import numpy as np

from citygen.arraytypes import AnyArray, Float64

FLOAT, USHORT, UINT, UBYTE = 5126, 5123, 5125, 5121
ARRAY, ELEMENTS = 34962, 34963
LINEAR = np.array(
    [round(255 * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)) for c in np.arange(256) / 255], np.uint8
)
"""sRGB byte to linear byte: COLOR_0 is linear (glTF 2.0, 3.9.2)."""


class Buffer:
    """The binary chunk as it grows, with its buffer views."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.views: list[dict[str, int]] = []

    def add(self, data: AnyArray | bytes, *, target: int | None = None) -> int:
        """Append data, padded to 8 bytes; return the number of its buffer view."""
        raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
        view = {"buffer": 0, "byteOffset": self.size, "byteLength": len(raw)}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        padded = raw + b"\0" * (-len(raw) % 8)
        self.chunks.append(padded)
        self.size += len(padded)
        return len(self.views) - 1


def y_up(vectors: Float64) -> AnyArray:
    """Return east, north, up as glTF's x, y, z; float32."""
    return np.stack([vectors[:, 0], vectors[:, 2], -vectors[:, 1]], axis=1).astype("<f4")


def unit(vectors: AnyArray) -> AnyArray:
    """Scale float32 vectors to unit length in float32."""
    out: AnyArray = (vectors / np.linalg.norm(vectors.astype(float), axis=1)[:, None]).astype("<f4")
    return out


def container(document: dict[str, Any], binary: bytes) -> bytes:
    """Wrap JSON and binary in GLB chunks (glTF 2.0, 4.4)."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * ((4 - len(text)) % 8)  # so that the binary chunk's data starts on 8 bytes of the file
    head = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary))
    return b"".join(
        [head, struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(binary), b"BIN\0"), binary]
    )


def opened(data: bytes) -> tuple[dict[str, Any], int]:
    """
    Open a container that :func:`container` wrote.

    Returns
    -------
    document : dict
        The JSON.
    start : int
        Where the binary's content starts in ``data``.

    Raises
    ------
    ValueError
        When it is no GLB.
    """
    if data[:4] != b"glTF" or len(data) < 28:
        raise ValueError("not a GLB file")
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), 20 + size + 8
