"""
The ground of a tile to a GLB file, and back: one mesh of two primitives, the surface and the skirt around it.

Smooth normals, texture coordinates, linear vertex colours or a picture laid over all. The skirt's primitive says so in its
``extras``: it hides what shows between two levels of detail, and is no part of the surface. Axes as in ``glb``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from citygen.arraytypes import AnyArray, Float64, Int64, UInt8
from citygen.formats.gltf import (
    ARRAY,
    ELEMENTS,
    FLOAT,
    LINEAR,
    UBYTE,
    UINT,
    USHORT,
    Buffer,
    container,
    opened,
    unit,
    y_up,
)
from citygen.model.scene import GroundScene
from citygen.version import __version__

FOLDER = "terrain"
_PNG, _JPEG = b"\x89PNG", b"\xff\xd8\xff"
_LINEAR_MIPMAP_LINEAR, _LINEAR_FILTER, _CLAMP = 9987, 9729, 33071


def terrain_path(level: int, col: int, row: int) -> str:
    """Return a terrain tile's path below the output folder; each level is one less as tiles double in size."""
    return f"{FOLDER}/{level}/{col}_{row}.glb"


def encode_terrain(scene: GroundScene) -> bytes:
    """
    Turn the ground of a tile into one GLB file.

    Parameters
    ----------
    scene : GroundScene
        At least one triangle.

    Returns
    -------
    bytes
        The same for the same scene.
    """
    buffer = Buffer()
    material: dict[str, Any] = {
        "name": "ground",
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
    }
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"citygen {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "terrain"}],
    }
    accessors: list[dict[str, Any]] = []
    plain = scene.picture is None
    parts = [(_arrays(scene, np.arange(len(scene.positions))), scene.triangles, "surface")]
    if len(scene.rim):
        parts.append((*_skirt(scene), "skirt"))
    primitives = [_primitive(*part, buffer, accessors, plain=plain) for part in parts]
    document["meshes"] = [{"name": "terrain", "primitives": primitives}]
    if scene.picture is not None:
        mime = "image/png" if scene.picture.startswith(_PNG) else "image/jpeg"
        document["images"] = [{"bufferView": buffer.add(scene.picture), "mimeType": mime}]
        sampler = {
            "magFilter": _LINEAR_FILTER,
            "minFilter": _LINEAR_MIPMAP_LINEAR,
            "wrapS": _CLAMP,
            "wrapT": _CLAMP,
        }
        document["samplers"] = [sampler]
        document["textures"] = [{"source": 0, "sampler": 0}]
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
    document["materials"] = [material]
    document["accessors"] = accessors
    document["bufferViews"] = buffer.views
    document["buffers"] = [{"byteLength": buffer.size}]
    return container(document, b"".join(buffer.chunks))


Arrays = tuple[Float64, Float64, Float64, UInt8]


def _arrays(scene: GroundScene, index: Int64) -> Arrays:
    return scene.positions[index], scene.normals[index], scene.uv[index], scene.colours[index]


def _skirt(scene: GroundScene) -> tuple[Arrays, Int64]:
    """Return the vertices and triangles of a curtain that hangs from the rim, shaded like the ground that it hangs from."""
    top, rim = np.unique(scene.rim, return_inverse=True)
    rim = rim.reshape(-1, 2)
    positions, normals, uv, colours = _arrays(scene, np.concatenate([top, top]))
    positions = positions.copy()
    positions[len(top) :, 2] -= scene.skirt_m
    a, b = rim.T
    low_a, low_b = a + len(top), b + len(top)
    triangles = np.stack([low_a, low_b, b, low_a, b, a], axis=1).reshape(-1, 3)
    return (positions, normals, uv, colours), triangles


def _primitive(
    arrays: Arrays, triangles: Int64, name: str, buffer: Buffer, accessors: list[dict[str, Any]], *, plain: bool
) -> dict[str, Any]:
    """Write one primitive's arrays; add their accessors."""
    positions, normals, uv, colours = arrays
    n = len(positions)
    placed = y_up(positions)
    first = len(accessors)
    accessors.append(
        {
            **_accessor(buffer, placed, FLOAT, "VEC3"),
            "min": placed.min(axis=0).tolist(),
            "max": placed.max(axis=0).tolist(),
        }
    )
    accessors.append(_accessor(buffer, unit(y_up(normals)), FLOAT, "VEC3"))
    accessors.append(_accessor(buffer, uv.astype("<f4"), FLOAT, "VEC2"))
    attributes = {"POSITION": first, "NORMAL": first + 1, "TEXCOORD_0": first + 2}
    if plain:
        rgba = np.full((n, 4), 255, np.uint8)
        rgba[:, :3] = LINEAR[colours]
        attributes["COLOR_0"] = len(accessors)
        accessors.append(_accessor(buffer, rgba, UBYTE, "VEC4") | {"normalized": True})
    small = n <= 65535
    indices = triangles.reshape(-1).astype("<u2" if small else "<u4")
    accessors.append(
        {
            "bufferView": buffer.add(indices, target=ELEMENTS),
            "componentType": USHORT if small else UINT,
            "count": len(indices),
            "type": "SCALAR",
        }
    )
    out: dict[str, Any] = {"attributes": attributes, "indices": len(accessors) - 1, "material": 0, "mode": 4}
    return out if name == "surface" else out | {"extras": {name: True}}


def _accessor(buffer: Buffer, array: AnyArray, component: int, kind: str) -> dict[str, Any]:
    view = buffer.add(array, target=ARRAY)
    return {"bufferView": view, "componentType": component, "count": len(array), "type": kind}


@dataclass(frozen=True, slots=True)
class GroundSurface:
    """
    What a terrain tile shows, read back; the skirt left out.

    Attributes
    ----------
    positions, normals : (v, 3) float64
        East, north, up of the tile's frame, with float32 precision.
    uv : (v, 2) float64
    colours : (v, 3) uint8 or None
        sRGB; None where a picture lies over the tile.
    triangles : (t, 3) int64
    picture : bytes or None
    """

    positions: Float64
    normals: Float64
    uv: Float64
    colours: UInt8 | None
    triangles: Int64
    picture: bytes | None


def decode_terrain(data: bytes) -> GroundSurface:
    """
    Read a GLB that :func:`encode_terrain` wrote.

    Raises
    ------
    ValueError
        When it is not such a file.
    """
    document, start = opened(data)

    def view(index: int) -> bytes:
        entry = document["bufferViews"][index]
        return data[start + entry["byteOffset"] : start + entry["byteOffset"] + entry["byteLength"]]

    def array(index: int) -> AnyArray:
        accessor = document["accessors"][index]
        dtype = {FLOAT: "<f4", UBYTE: "u1", USHORT: "<u2", UINT: "<u4"}[accessor["componentType"]]
        return np.frombuffer(view(accessor["bufferView"]), dtype).reshape(accessor["count"], -1)

    primitive = document["meshes"][0]["primitives"][0]
    attributes = primitive["attributes"]
    x, y, z = array(attributes["POSITION"]).astype(float).T
    nx, ny, nz = array(attributes["NORMAL"]).astype(float).T
    colours = None
    if "COLOR_0" in attributes:
        colours = np.searchsorted(LINEAR, array(attributes["COLOR_0"])[:, :3]).astype(np.uint8)
    images = document.get("images", [])
    return GroundSurface(
        np.stack([x, -z, y], axis=1),
        np.stack([nx, -nz, ny], axis=1),
        array(attributes["TEXCOORD_0"]).astype(float),
        colours,
        array(primitive["indices"]).astype(np.int64).reshape(-1, 3),
        view(images[0]["bufferView"]) if images else None,
    )
