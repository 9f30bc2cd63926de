"""A small valid tile, written by hand, that tests break in one place at a time."""

import copy
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

CORNERS = np.array([(x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=np.float32)
QUADS = np.array([(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)])
"""Faces of a unit cube, z up, counter-clockwise from outside."""
SOURCES = ("tag:height", "levels", "default")
SIZE = 10.0
STEP = 25.0
STRUCTURAL = "EXT_structural_metadata"
FEATURES = "EXT_mesh_features"


@dataclass
class TinyTile:
    """The JSON and the buffer views of a tile; ``glb`` puts them together."""

    json: dict
    views: list[bytes]
    spoil: list[Callable[[bytearray], None]] = field(default_factory=list)
    shift: dict[int, int] = field(default_factory=dict)
    """Bytes that a view starts behind a multiple of 8."""

    @property
    def metadata(self) -> dict:
        return self.json["extensions"][STRUCTURAL]

    @property
    def table(self) -> dict:
        return self.metadata["propertyTables"][0]

    @property
    def properties(self) -> dict:
        """Class properties of the schema."""
        return self.metadata["schema"]["classes"]["building"]["properties"]

    @property
    def primitive(self) -> dict:
        return self.json["meshes"][0]["primitives"][0]

    @property
    def feature_id(self) -> dict:
        return self.primitive["extensions"][FEATURES]["featureIds"][0]

    def array(self, accessor: int) -> np.ndarray:
        """Return a copy of an accessor's data."""
        entry = self.json["accessors"][accessor]
        dtype = {5121: "u1", 5125: "<u4", 5126: "<f4"}[entry["componentType"]]
        return np.frombuffer(self.views[entry["bufferView"]], dtype).copy().reshape(entry["count"], -1)

    def put(self, accessor: int, array: np.ndarray) -> None:
        """Replace an accessor's data, its count and its extremes."""
        entry = self.json["accessors"][accessor]
        self.views[entry["bufferView"]] = array.tobytes()
        entry["count"] = len(array)
        if "min" in entry:
            entry["min"], entry["max"] = array.min(axis=0).tolist(), array.max(axis=0).tolist()

    def glb(self) -> bytes:
        """Lay the views out at multiples of 8 and return the GLB."""
        binary = b""
        body = copy.deepcopy(self.json)
        for k, (view, data) in enumerate(zip(body["bufferViews"], self.views, strict=True)):
            binary += b"\0" * (-len(binary) % 8 + self.shift.get(k, 0))
            view.setdefault("byteOffset", len(binary))
            view.setdefault("byteLength", len(data))
            binary += data
        binary += b"\0" * (-len(binary) % 8)
        body["buffers"][0].setdefault("byteLength", len(binary))
        text = json.dumps(body).encode()
        text += b" " * ((4 - len(text)) % 8)
        out = bytearray(struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(binary)))
        out += struct.pack("<II", len(text), 0x4E4F534A) + text
        out += struct.pack("<II", len(binary), 0x004E4942) + binary
        for change in self.spoil:
            change(out)
        return bytes(out)


def tiny_tile(n: int = 3, first: int = 0) -> TinyTile:
    """Return a tile of ``n`` cubes in a row along x, each of its own feature, with a property table."""
    k = np.arange(n)
    corners = CORNERS[QUADS] * SIZE
    position = (corners[None] + np.array([STEP, 0, 0]) * k[:, None, None, None]).reshape(-1, 3).astype("<f4")
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    normal = np.cross(b - a, c - a)
    normal = np.tile(np.repeat(normal / np.linalg.norm(normal, axis=1)[:, None], 4, axis=0), (n, 1)).astype("<f4")
    colour = np.full((len(position), 4), 200, dtype="u1")
    feature = np.repeat(k, 24).astype("<f4")
    base = np.array([0, 1, 2, 0, 2, 3]) + 4 * np.arange(6 * n)[:, None]
    ids = [f"bâtiment-{first + i}".encode() for i in k]
    shapes, outcomes = [b"flat"] * n, [b"ok"] * n
    views = [position.tobytes(), normal.tobytes(), colour.tobytes(), feature.tobytes(), base.astype("<u4").tobytes()]
    for column in (ids, shapes, outcomes):
        ends = np.cumsum([0, *map(len, column)]).astype("<u4")
        views += [b"".join(column), ends.tobytes()]
    views += [np.linspace(3, 12, n).astype("<f4").tobytes(), (k % 3).astype("u1").tobytes()]
    accessors = [
        _accessor(0, 5126, len(position), "VEC3") | {"min": position.min(0).tolist(), "max": position.max(0).tolist()},
        _accessor(1, 5126, len(position), "VEC3"),
        _accessor(2, 5121, len(position), "VEC4") | {"normalized": True},
        _accessor(3, 5126, len(position), "SCALAR"),
        _accessor(4, 5125, base.size, "SCALAR"),
    ]
    tile = {
        "asset": {"version": "2.0"},
        "extensionsUsed": [FEATURES, STRUCTURAL],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "matrix": [1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1]}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0}}],
        "meshes": [
            {
                "primitives": [
                    {
                        "attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2, "_FEATURE_ID_0": 3},
                        "indices": 4,
                        "material": 0,
                        "extensions": {
                            FEATURES: {"featureIds": [{"featureCount": n, "attribute": 0, "propertyTable": 0}]}
                        },
                    }
                ]
            }
        ],
        "accessors": accessors,
        "bufferViews": [{"buffer": 0} | ({"target": 34963 if v == 4 else 34962} if v < 5 else {}) for v in range(13)],
        "buffers": [{}],
        "extensions": {STRUCTURAL: _metadata(n)},
    }
    return TinyTile(tile, views)


def _accessor(view: int, component: int, count: int, kind: str) -> dict:
    return {"bufferView": view, "componentType": component, "count": count, "type": kind}


def _metadata(n: int) -> dict:
    text = {"type": "STRING", "required": True}
    return {
        "schema": {
            "id": "citygen",
            "enums": {
                "source": {
                    "valueType": "UINT8",
                    "values": [{"name": name, "value": k} for k, name in enumerate(SOURCES)],
                }
            },
            "classes": {
                "building": {
                    "properties": {
                        "id": text | {"semantic": "ID"},
                        "roof_shape": dict(text),
                        "outcome": dict(text),
                        "height_m": {"type": "SCALAR", "componentType": "FLOAT32"},
                        "height_from": {"type": "ENUM", "enumType": "source"},
                    }
                }
            },
        },
        "propertyTables": [
            {
                "class": "building",
                "count": n,
                "properties": {
                    "id": {"values": 5, "stringOffsets": 6},
                    "roof_shape": {"values": 7, "stringOffsets": 8},
                    "outcome": {"values": 9, "stringOffsets": 10},
                    "height_m": {"values": 11},
                    "height_from": {"values": 12},
                },
            }
        ],
    }


def tiny_tileset(n: int = 3) -> dict:
    """Return a tileset around two tiles of ``n`` cubes, z up."""
    width = (n - 1) * STEP + SIZE
    box = [width / 2, SIZE / 2, SIZE / 2, width / 2, 0, 0, 0, SIZE / 2, 0, 0, 0, SIZE / 2]
    wide = [width / 2, SIZE / 2, SIZE / 2, width / 2, 0, 0, 0, SIZE / 2 + 100, 0, 0, 0, SIZE / 2]

    def child(k: int) -> dict:
        return {
            "boundingVolume": {"box": box},
            "geometricError": 0,
            "transform": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 100 * k, 0, 1],
            "content": {"uri": f"tiles/0/{k}_0.glb"},
        }

    return {
        "asset": {"version": "1.1"},
        "geometricError": 100,
        "root": {
            "boundingVolume": {"box": wide},
            "geometricError": 50,
            "refine": "ADD",
            "children": [child(0), child(1)],
        },
    }


def tiny_rows(n: int = 3) -> dict[str, list]:
    """Return the columns of ``buildings.parquet`` that belong to the two tiles, and one rejected row."""
    return {
        "id": [f"bâtiment-{i}" for i in range(2 * n)] + ["broken"],
        "outcome": ["ok"] * (2 * n) + ["rejected"],
        "tile": ["0_0"] * n + ["1_0"] * n + [None],
    }


def write_output(folder: Path, rows: dict[str, list] | None = None, tileset: dict | None = None) -> Path:
    """Write a small output folder and return it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tiles = folder / "tiles" / "0"
    tiles.mkdir(parents=True)
    for k in range(2):
        (tiles / f"{k}_0.glb").write_bytes(tiny_tile(first=3 * k).glb())
    (folder / "tileset.json").write_text(json.dumps(tileset or tiny_tileset()), encoding="utf-8")
    pq.write_table(pa.table(rows or tiny_rows()), folder / "buildings.parquet")
    return folder
