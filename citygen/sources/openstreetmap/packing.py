"""
The content of a PBF blob as it is packed to its bytes, or to a first piece of them; all that a damaged one raises.

Format: https://wiki.openstreetmap.org/wiki/PBF_Format (fileformat.proto). Nothing is unpacked beyond what the format allows.
"""

import lzma
import zlib
from typing import TypeVar

import numpy as np
import pyarrow as pa

from citygen.sources.openstreetmap.elements import APEX_KEY
from citygen.sources.openstreetmap.protobuf import fields

T = TypeVar("T")

MOST_BLOB = 32 << 20
"""Bytes of a blob's unpacked content that the format allows."""

_PEEK = 16 << 10


class BrokenError(Exception):
    """A message that is not what the format says."""


UNREADABLE = (BrokenError, zlib.error, lzma.LZMAError, pa.ArrowException)
"""What a damaged blob raises."""


def sound(value: T | None) -> T:
    """Return a value, or say that the message which should have given it is broken."""
    if value is None:
        raise BrokenError("a message that is cut or broken")
    return value


class Unpacked:
    """The content of a blob: a first piece of it for who only wants to look, or all."""

    def __init__(self, data: bytes) -> None:
        buf = np.frombuffer(data, dtype=np.uint8)
        self.codec, self.size, start, end = 0, -1, 0, 0
        for number, wire, a, b in sound(fields(buf, 0, len(buf))).tolist():
            if wire == 2:
                self.codec, start, end = number, a, b
            elif number == 2:
                self.size = a
        self.data = memoryview(data)[start:end]
        if self.codec not in (1, 3, 4, 6, 7):
            raise BrokenError("content that is packed in no known way")
        if self.codec == 1:
            self.size = len(self.data)
        if not 0 <= self.size <= MOST_BLOB:
            raise BrokenError(f"a blob of {self.size} bytes when unpacked, and {MOST_BLOB} are allowed")
        self.stream = zlib.decompressobj()
        self.head = b""

    def peek(self) -> bytes:
        """Return the first bytes."""
        if self.codec != 3:
            return self.all()
        if not self.head:
            self.head = self.stream.decompress(self.data, _PEEK)
        return self.head

    def all(self) -> bytes:
        """Return everything."""
        if self.codec == 1:
            return bytes(self.data)
        if self.codec == 3:
            rest = self.stream.unconsumed_tail if self.head else self.data
            whole = self.head + self.stream.decompress(rest, max(1, self.size - len(self.head) + 1))
        elif self.codec == 4:
            whole = lzma.LZMADecompressor().decompress(self.data, self.size + 1)
        else:
            codec = pa.Codec("lz4_raw" if self.codec == 6 else "zstd")
            whole = codec.decompress(self.data, self.size, asbytes=True)
        if len(whole) != self.size:
            raise BrokenError("its content is not as long as it says")
        return whole


def only_nodes(blob: Unpacked) -> bool:
    """Say from a blob's first bytes whether it holds dense nodes and nothing else, and no string that names an apex."""
    head, at, ends = blob.peek(), 0, []
    for tag in (0x0A, 0x12, 0x12):  # the strings; a group; its dense nodes
        if at >= len(head) or head[at] != tag:
            return False
        length, shift, at = 0, 0, at + 1
        while at < len(head) and head[at] >= 0x80 and shift < 28:
            length |= (head[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
        if at >= len(head):
            return False
        length |= head[at] << shift
        at += 1
        ends.append(at + length)
        if tag == 0x0A and length + at <= len(head):
            if APEX_KEY.encode() in head[at : at + length]:
                return False
            at += length
    return ends[1] == ends[2] == blob.size
