"""
Tile formats of 3D Tiles 1.0 (b3dm, i3dm, pnts, cmpt) to issues: headers, lengths and alignment, and the GLB inside.

3D Tiles 1.1, "Tile format specifications". citygen does not write them; tilesets that refer to them are still checked.
"""

import struct

from citygen.validation.asset import check_asset
from citygen.validation.issues import IssueLog
from citygen.validation.resources import Resources, parse_json

HEADER_BYTES = {b"b3dm": 28, b"i3dm": 32, b"pnts": 28, b"cmpt": 16}
UNREAD = (b"geom", b"vctr")
"""Formats of no specification that viewers know: only recognised."""
ALIGNMENT = 8
MAX_DEPTH = 8
"""Composites within composites that are followed."""


def check_legacy(data: bytes, resources: Resources, issues: IssueLog, depth: int = 0) -> None:
    """
    Check a tile of one of the 1.0 formats.

    Parameters
    ----------
    data : bytes
        Starts with the magic of the format.
    resources : Resources
        Where relative URIs lie.
    issues : IssueLog
        Takes the issues.
    depth : int
        Composites around this tile.
    """
    kind = data[:4]
    if kind in UNREAD:
        issues.warning("CONTENT_NOT_CHECKED", "", f"content of type {kind.decode()} is not checked")
        return
    size = HEADER_BYTES[kind]
    if len(data) < size:
        issues.error(
            "BINARY_INVALID_LENGTH", "", f"a {kind.decode()} header has {size} bytes, the tile has {len(data)}"
        )
        return
    version, length = struct.unpack_from("<II", data, 4)
    if version != 1:
        issues.error("BINARY_INVALID_VALUE", "", f"version {version} is not 1")
        return
    if length != len(data):
        issues.error("BINARY_INVALID_LENGTH", "", f"the header says {length} bytes, the tile has {len(data)}")
        return
    if length % ALIGNMENT:
        issues.error("BINARY_INVALID_ALIGNMENT", "", f"the tile has {length} bytes, no multiple of {ALIGNMENT}")
    if kind == b"cmpt":
        _check_composite(data, resources, issues, depth)
    else:
        _check_tables(data, kind, resources, issues)


def _check_tables(data: bytes, kind: bytes, resources: Resources, issues: IssueLog) -> None:
    size = HEADER_BYTES[kind]
    lengths = struct.unpack_from("<IIII", data, 12)
    at = size
    parts: list[bytes] = []
    for name, length in zip(
        ("feature table JSON", "feature table", "batch table JSON", "batch table"), lengths, strict=True
    ):
        if length and at % ALIGNMENT and "JSON" not in name:
            issues.error("BINARY_INVALID_ALIGNMENT", "", f"the binary {name} starts at byte {at}")
        parts.append(data[at : at + length])
        at += length
        if at > len(data):
            issues.error("BINARY_INVALID_LENGTH", "", f"the {name} reaches beyond the tile")
            return
    for text in parts[::2]:
        _check_json(text, issues)
    if kind == b"pnts":
        return
    if at % ALIGNMENT:
        issues.error("BINARY_INVALID_ALIGNMENT", "", f"the glTF starts at byte {at}, no multiple of {ALIGNMENT}")
    if kind == b"i3dm" and struct.unpack_from("<I", data, 28)[0] == 0:
        return
    payload = data[at:]
    if len(payload) >= 12 and payload.startswith(b"glTF"):
        payload = payload[: max(12, struct.unpack_from("<I", payload, 8)[0])]
    check_asset(payload, resources, issues)


def _check_json(text: bytes, issues: IssueLog) -> None:
    if not text:
        return
    try:
        parse_json(text)
    except ValueError as error:
        issues.error("JSON_PARSE_ERROR", "", f"a table cannot be read: {error}")


def _check_composite(data: bytes, resources: Resources, issues: IssueLog, depth: int) -> None:
    (count,) = struct.unpack_from("<I", data, 12)
    at = HEADER_BYTES[b"cmpt"]
    for _ in range(count):
        if at + 12 > len(data):
            issues.error("BINARY_INVALID_LENGTH", "", "the composite ends before its last tile")
            return
        (length,) = struct.unpack_from("<I", data, at + 8)
        inner = data[at : at + length]
        if inner[:4] not in HEADER_BYTES or length < 12 or depth >= MAX_DEPTH:
            issues.error("BINARY_INVALID_VALUE", "", f"the tile at byte {at} of the composite cannot be read")
            return
        check_legacy(inner, resources, issues, depth + 1)
        at += length
