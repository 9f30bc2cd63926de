"""
Scenes to GLB files: glTF 2.0 with ``EXT_mesh_features`` and ``EXT_structural_metadata``.

One mesh, one primitive, indexed, flat normals, linear vertex colours, a feature id a vertex, one property table with a
row a building. Axes: glTF's y is up, so east, north, up become x, -z, y. Every buffer view starts on 8 bytes.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from citygen.arraytypes import AnyArray
from citygen.formats.base import FORMATS, TileFormat
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
from citygen.model.scene import Scene
from citygen.version import __version__

CLASS = "building"
_DESCRIPTIONS = {
    "id": "The source's own id of the footprint.",
    "height_m": "Ground datum to roof top, metres.",
    "height_from": "Which rule gave the height.",
    "height_sigma_m": "Stated uncertainty of that height, one standard deviation, metres.",
    "roof_shape": "The roof shape that was built.",
    "outcome": "ok, or degraded: built with a fallback or repair.",
    "ground_min": "Lowest ground under the outline, metres in the vertical datum of the DEM.",
    "ground_max": "Highest ground under the outline, likewise.",
}


def encode(scene: Scene) -> bytes:
    """
    Turn a scene into one GLB file.

    Parameters
    ----------
    scene : Scene
        At least one triangle.

    Returns
    -------
    bytes
        The same for the same scene.
    """
    buffer = Buffer()
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"citygen {__version__}"},
        "extensionsUsed": ["EXT_mesh_features", "EXT_structural_metadata"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "buildings"}],
        "materials": [
            {"name": "surface", "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9}},
        ],
    }
    if scene.is_open:
        document["asset"]["extras"] = {"citygen": {"party_walls": "drop"}}
    document["accessors"], primitive = _primitive(scene, buffer)
    document["meshes"] = [{"name": "buildings", "primitives": [primitive]}]
    document["extensions"] = {"EXT_structural_metadata": _metadata(scene.table, buffer)}
    document["bufferViews"] = buffer.views
    document["buffers"] = [{"byteLength": buffer.size}]
    return container(document, b"".join(buffer.chunks))


def _primitive(scene: Scene, buffer: Buffer) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Write geometry; return accessors and the primitive that uses them."""
    n = len(scene.positions)
    small = n <= 65535
    indices = scene.triangles.reshape(-1).astype("<u2" if small else "<u4")
    positions = y_up(scene.positions)
    colours = np.full((n, 4), 255, np.uint8)
    colours[:, :3] = LINEAR[scene.colours]
    accessors = [
        {
            "bufferView": buffer.add(positions, target=ARRAY),
            "componentType": FLOAT,
            "count": n,
            "type": "VEC3",
            "min": positions.min(axis=0).tolist(),
            "max": positions.max(axis=0).tolist(),
        },
        {
            "bufferView": buffer.add(unit(y_up(scene.normals)), target=ARRAY),
            "componentType": FLOAT,
            "count": n,
            "type": "VEC3",
        },
        {
            "bufferView": buffer.add(colours, target=ARRAY),
            "componentType": UBYTE,
            "normalized": True,
            "count": n,
            "type": "VEC4",
        },
        {
            "bufferView": buffer.add(scene.features.astype("<f4"), target=ARRAY),
            "componentType": FLOAT,
            "count": n,
            "type": "SCALAR",
        },
        {
            "bufferView": buffer.add(indices, target=ELEMENTS),
            "componentType": USHORT if small else UINT,
            "count": len(indices),
            "type": "SCALAR",
        },
    ]
    features = {"featureCount": len(scene.table["id"]), "attribute": 0, "propertyTable": 0, "label": CLASS}
    primitive = {
        "attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2, "_FEATURE_ID_0": 3},
        "indices": 4,
        "material": 0,
        "mode": 4,
        "extensions": {"EXT_mesh_features": {"featureIds": [features]}},
    }
    return accessors, primitive


def _metadata(table: Mapping[str, AnyArray], buffer: Buffer) -> dict[str, Any]:
    """Write the property table; return the extension's root object (EXT_structural_metadata, "Property Tables")."""
    schema: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for name, column in table.items():
        if column.dtype.kind == "f":
            schema[name] = {"type": "SCALAR", "componentType": "FLOAT32", "required": True}
            values[name] = {"values": buffer.add(column.astype("<f4"))}
        else:
            schema[name] = {"type": "STRING", "required": True}
            texts = [str(text).encode("utf-8", "replace") for text in column.tolist()]
            starts = np.zeros(len(texts) + 1, "<u4")
            np.cumsum([len(text) for text in texts], out=starts[1:])
            data = b"".join(texts) or b"\0"  # a buffer view holds at least one byte
            values[name] = {"values": buffer.add(data), "stringOffsets": buffer.add(starts)}
        schema[name]["description"] = _DESCRIPTIONS.get(name, name)
    count = len(next(iter(table.values())))
    return {
        "schema": {"id": "citygen", "classes": {CLASS: {"name": "Building", "properties": schema}}},
        "propertyTables": [{"name": "buildings", "class": CLASS, "count": count, "properties": values}],
    }


def decode(data: bytes) -> Scene:
    """
    Read a GLB that :func:`encode` wrote.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    Scene
        Positions and normals with float32 precision; the frame's origin is not in the file: lon and lat are NaN.

    Raises
    ------
    ValueError
        When it is not such a file.
    """
    document, start = opened(data)

    def view(index: int, dtype: str) -> AnyArray:
        entry = document["bufferViews"][index]
        return np.frombuffer(data, dtype, entry["byteLength"] // np.dtype(dtype).itemsize, start + entry["byteOffset"])

    accessors = document["accessors"]
    x, y, z = view(accessors[0]["bufferView"], "<f4").astype(float).reshape(-1, 3).T
    nx, ny, nz = view(accessors[1]["bufferView"], "<f4").astype(float).reshape(-1, 3).T
    wide = accessors[4]["componentType"] == UINT
    colours = np.searchsorted(LINEAR, view(accessors[2]["bufferView"], "u1").reshape(-1, 4)[:, :3])
    extension = document["extensions"]["EXT_structural_metadata"]
    classes = extension["schema"]["classes"][CLASS]["properties"]
    table: dict[str, AnyArray] = {}
    for name, entry in extension["propertyTables"][0]["properties"].items():
        if classes[name]["type"] == "STRING":
            starts = view(entry["stringOffsets"], "<u4").tolist()
            raw = view(entry["values"], "u1").tobytes()
            texts = [raw[a:b].decode() for a, b in pairwise(starts)]
            table[name] = np.array(texts, dtype=object)
        else:
            table[name] = view(entry["values"], "<f4").astype(float)
    return Scene(
        positions=np.stack([x, -z, y], axis=1),
        normals=np.stack([nx, -nz, ny], axis=1),
        colours=colours.astype(np.uint8),
        features=view(accessors[3]["bufferView"], "<f4").astype(np.int64),
        triangles=view(accessors[4]["bufferView"], "<u4" if wide else "<u2").astype(np.int64).reshape(-1, 3),
        table=table,
        lon=float("nan"),
        lat=float("nan"),
    )


FORMATS.register("glb", TileFormat("glb", ".glb", "tiles", encode))
