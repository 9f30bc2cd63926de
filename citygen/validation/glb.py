"""
A GLB or glTF file to its JSON and buffers, or to issues that say why it cannot be read.

glTF 2.0, "GLB File Format Specification", "Buffers and Buffer Views"; issue codes are those of the Khronos validator.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from citygen.arraytypes import AnyArray, UInt8
from citygen.validation.issues import IssueLog, Json, join
from citygen.validation.resources import Resources, parse_json, read_uri
from citygen.validation.shape import INDEX, Anything, Array, Number, Record, Text, check_shape

MAGIC = b"glTF"
JSON_CHUNK, BIN_CHUNK = 0x4E4F534A, 0x004E4942
MAX_PADDING = 7
"""Bytes that a BIN chunk may exceed its buffer: padding to 8, which EXT_structural_metadata asks for."""

BUFFER = Record({"byteLength": Number(1, integer=True), "uri": Text()}, required=("byteLength",))
VIEW = Record(
    {
        "buffer": INDEX,
        "byteOffset": INDEX,
        "byteLength": Number(1, integer=True),
        "byteStride": Number(4, 252, integer=True),
        "target": Number(34962, 34963, integer=True),
    },
    required=("buffer", "byteLength"),
)
NODE = Record(
    {
        "mesh": INDEX,
        "children": Array(INDEX, 1, unique=True),
        "matrix": Array(Number(), 16, 16),
        "translation": Array(Number(), 3, 3),
        "rotation": Array(Number(-1, 1), 4, 4),
        "scale": Array(Number(), 3, 3),
    }
)
GLTF = Record(
    {
        "asset": Record(
            {"version": Text(r"^[0-9]+\.[0-9]+$"), "minVersion": Text(r"^[0-9]+\.[0-9]+$")}, required=("version",)
        ),
        "extensionsUsed": Array(Text(), 1, unique=True),
        "extensionsRequired": Array(Text(), 1, unique=True),
        "buffers": Array(BUFFER, 1),
        "bufferViews": Array(VIEW, 1),
        "accessors": Array(Anything(), 1),
        "meshes": Array(Anything(), 1),
        "nodes": Array(NODE, 1),
        "scenes": Array(Record({"nodes": Array(INDEX, 1, unique=True)}), 1),
        "scene": INDEX,
        "textures": Array(Record({"source": INDEX, "sampler": INDEX}), 1),
        "images": Array(Record({"uri": Text(), "bufferView": INDEX, "mimeType": Text()}), 1),
        "samplers": Array(Record({"magFilter": INDEX, "minFilter": INDEX}), 1),
    },
    required=("asset",),
)


@dataclass(slots=True)
class Gltf:
    """
    A glTF asset whose JSON, buffers and buffer views hold together.

    Attributes
    ----------
    json : dict
        The asset.
    buffers : list of bytes-like or None
        None where a buffer could not be read.
    resources : Resources
        Where its relative URIs lie.
    arrays : dict
        Accessors decoded so far, by index; None for a broken one.
    """

    json: dict[str, Json]
    buffers: list[memoryview | None]
    resources: Resources
    arrays: dict[int, AnyArray | None] = field(default_factory=dict)

    def listed(self, name: str) -> list[Json]:
        """Return one of the top-level arrays, empty when it is absent."""
        found: list[Json] = self.json.get(name, [])
        return found

    def view_bytes(self, index: int) -> UInt8 | None:
        """Return the bytes of a buffer view; None when there is no such view or its buffer was not read."""
        views = self.listed("bufferViews")
        if not 0 <= index < len(views):
            return None
        buffer = self.buffers[int(views[index]["buffer"])]
        if buffer is None:
            return None
        start = int(views[index].get("byteOffset", 0))
        return np.frombuffer(buffer, np.uint8, int(views[index]["byteLength"]), start)


def read_gltf(data: bytes, resources: Resources, issues: IssueLog) -> Gltf | None:
    """
    Read a GLB or glTF file as far as its buffers.

    Parameters
    ----------
    data : bytes
        The file.
    resources : Resources
        Where relative URIs lie.
    issues : IssueLog
        Takes the issues; ``issues.file`` is the name that relative URIs start from.

    Returns
    -------
    Gltf or None
        None when nothing more can be checked.
    """
    binary: memoryview | None = None
    text: bytes | None = data
    is_glb = not data[:64].lstrip().startswith((b"{", b"\xef\xbb\xbf"))
    if is_glb:
        text, binary = _read_container(data, issues)
    if text is None:
        return None
    try:
        asset = parse_json(text)
    except ValueError as error:
        issues.error("INVALID_JSON", "", f"the JSON cannot be read: {error}")
        return None
    if not check_shape(asset, GLTF, "", issues):
        return None
    if not asset["asset"]["version"].startswith("2."):
        issues.error("UNKNOWN_ASSET_MAJOR_VERSION", "/asset/version", f"version {asset['asset']['version']} is not 2.x")
        return None
    if asset["asset"]["version"] != "2.0":
        issues.warning(
            "UNKNOWN_ASSET_MINOR_VERSION", "/asset/version", f"version {asset['asset']['version']} is not 2.0"
        )
    source = _Source(resources, is_glb, binary)
    buffers = [_read_buffer(buffer, k, source, issues) for k, buffer in enumerate(asset.get("buffers", []))]
    if is_glb and binary is not None and not (asset.get("buffers") and "uri" not in asset["buffers"][0]):
        issues.warning("GLB_UNUSED_BIN_CHUNK", "", "no buffer uses the BIN chunk")
    gltf = Gltf(asset, buffers, resources)
    return gltf if _check_views(gltf, issues) else None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the buffers of one file may lie."""

    resources: Resources
    in_glb: bool
    binary: memoryview | None


def _read_container(data: bytes, issues: IssueLog) -> tuple[bytes | None, memoryview | None]:
    """Split a GLB into its JSON text and its BIN chunk."""
    if len(data) < 12:
        issues.error("GLB_UNEXPECTED_END_OF_HEADER", "", f"a GLB header has 12 bytes, the file has {len(data)}")
        return None, None
    magic, version, length = struct.unpack_from("<4sII", data)
    if magic != MAGIC:
        issues.error("GLB_INVALID_MAGIC", "", f"the file starts with {magic!a}, neither GLB nor JSON")
        return None, None
    if version != 2:
        issues.error("GLB_INVALID_VERSION", "", f"GLB version {version} is not 2")
        return None, None
    if length <= 12:
        issues.error("GLB_LENGTH_TOO_SMALL", "", f"the header says {length} bytes: no chunk fits")
    if length != len(data):
        issues.error("GLB_LENGTH_MISMATCH", "", f"the header says {length} bytes, the file has {len(data)}")
    if length <= 12:
        return None, None
    return _read_chunks(data, issues)


def _read_chunks(data: bytes, issues: IssueLog) -> tuple[bytes | None, memoryview | None]:
    chunks: dict[int, memoryview] = {}
    at, number = 12, 0
    while at < len(data):
        if at + 8 > len(data):
            issues.error("GLB_UNEXPECTED_END_OF_CHUNK_HEADER", "", f"the chunk header at byte {at} is cut off")
            return None, None
        size, kind = struct.unpack_from("<II", data, at)
        at += 8
        if at + size > len(data):
            issues.error("GLB_UNEXPECTED_END_OF_CHUNK_DATA", "", f"the chunk at byte {at} needs {size} bytes")
            return None, None
        if size % 4:
            issues.error("GLB_CHUNK_LENGTH_UNALIGNED", "", f"the chunk at byte {at} has {size} bytes, no multiple of 4")
        _check_chunk(kind, (number, size, at), chunks, issues)
        chunks.setdefault(kind, memoryview(data)[at : at + size])
        at, number = at + size, number + 1
    text = chunks.get(JSON_CHUNK)
    return (None if text is None else bytes(text)), chunks.get(BIN_CHUNK)


def _check_chunk(kind: int, place: tuple[int, int, int], seen: dict[int, memoryview], issues: IssueLog) -> None:
    number, size, at = place
    if number == 0 and kind != JSON_CHUNK:
        issues.error("GLB_UNEXPECTED_FIRST_CHUNK", "", f"the first chunk is of type 0x{kind:08x}, not JSON")
    if kind in seen and kind in {JSON_CHUNK, BIN_CHUNK}:
        issues.error("GLB_DUPLICATE_CHUNK", "", f"there is a second chunk of type 0x{kind:08x}")
    elif kind == BIN_CHUNK and number > 1:
        issues.error("GLB_UNEXPECTED_BIN_CHUNK", "", "the BIN chunk must be the second one")
    elif kind not in {JSON_CHUNK, BIN_CHUNK}:
        issues.warning("GLB_UNKNOWN_CHUNK_TYPE", "", f"chunk type 0x{kind:08x} at byte {at} is unknown")
    if kind == JSON_CHUNK and size == 0:
        issues.error("GLB_EMPTY_CHUNK", "", "the JSON chunk is empty")


def _read_buffer(buffer: Json, index: int, source: _Source, issues: IssueLog) -> memoryview | None:
    """Return the bytes of one buffer, or None with an issue."""
    at, length = join("/buffers", index), int(buffer["byteLength"])
    inside = index == 0 and source.in_glb and "uri" not in buffer
    data: memoryview | None = None
    if "uri" in buffer:
        read = read_uri(buffer["uri"], source.resources, join(at, "uri"), issues)
        data = None if read is None else memoryview(read)
    elif inside:
        data = source.binary
        if data is None:
            issues.error("BUFFER_MISSING_GLB_DATA", at, "the buffer has neither a 'uri' nor a BIN chunk")
    else:
        issues.warning("BUFFER_NOT_READ", at, "the buffer has no 'uri'; its data lie elsewhere and were not checked")
    if data is None:
        return None
    if len(data) < length or (inside and len(data) > length + MAX_PADDING):
        issues.error("BUFFER_BYTE_LENGTH_MISMATCH", at, f"'byteLength' is {length}, there are {len(data)} bytes")
        return None if len(data) < length else data[:length]
    return data[:length]


def _check_views(gltf: Gltf, issues: IssueLog) -> bool:
    good = True
    for k, view in enumerate(gltf.listed("bufferViews")):
        at = join("/bufferViews", k)
        buffers = gltf.listed("buffers")
        if view["buffer"] >= len(buffers):
            issues.error("UNRESOLVED_REFERENCE", join(at, "buffer"), f"there is no buffer {view['buffer']}")
            good = False
        elif view.get("byteOffset", 0) + view["byteLength"] > buffers[int(view["buffer"])]["byteLength"]:
            issues.error("BUFFER_VIEW_TOO_LONG", at, "the view reaches beyond its buffer")
            good = False
        if view.get("byteStride", 4) % 4:
            issues.error("BUFFER_VIEW_INVALID_BYTE_STRIDE", at, f"{view['byteStride']} is no multiple of 4")
    return good
