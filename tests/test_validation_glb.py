"""Every rule on a GLB: a valid tile gives no issue, and each way to break it gives its own."""

import struct
import time

import numpy as np
import pytest

from citygen.validation import check_glb
from khronos import validate
from tiny_tile import FEATURES, STRUCTURAL, TinyTile, tiny_tile


def codes(data: bytes, severity: str | None = None) -> set[str]:
    return {issue.code for issue in check_glb(data) if severity in (None, issue.severity)}


def test_valid_tile_has_no_issue(tmp_path):
    data = tiny_tile().glb()
    assert check_glb(data) == []
    path = tmp_path / "tile.glb"
    path.write_bytes(data)
    (verdict,) = validate([path])
    assert verdict.errors == []
    assert verdict.warnings == []


def _schema(tile: TinyTile, name: str, **change) -> None:
    tile.properties[name] |= change
    for key in [key for key, value in change.items() if value is ...]:
        del tile.properties[name][key]


def _floats(tile: TinyTile, values) -> None:
    tile.views[11] = np.array(values, dtype="<f4").tobytes()


def _offsets(tile: TinyTile, values) -> None:
    tile.views[6] = np.array(values, dtype="<u4").tobytes()


def _drop(body: dict, key: str) -> None:
    del body[key]


def _at(position: int, data: bytes):
    def change(out: bytearray) -> None:
        out[position : position + len(data)] = data

    return change


MUTATIONS = {
    # container
    "magic": (lambda t: t.spoil.append(_at(0, b"GLTF")), "GLB_INVALID_MAGIC"),
    "container version": (lambda t: t.spoil.append(_at(4, b"\1")), "GLB_INVALID_VERSION"),
    "length": (lambda t: t.spoil.append(_at(8, struct.pack("<I", 99))), "GLB_LENGTH_MISMATCH"),
    "cut off": (
        lambda t: t.spoil.append(lambda out: out.__delitem__(slice(-8, None))),
        "GLB_UNEXPECTED_END_OF_CHUNK_DATA",
    ),
    "json": (lambda t: t.spoil.append(_at(20, b"[")), "INVALID_JSON"),
    "asset": (lambda t: _drop(t.json, "asset"), "PROPERTY_MISSING"),
    "asset version": (lambda t: t.json["asset"].update(version="1.0"), "UNKNOWN_ASSET_MAJOR_VERSION"),
    "chunk alignment": (
        lambda t: t.json.update(extras={"odd": "xxxx"}) or t.spoil.append(_shift),
        "BINARY_INVALID_ALIGNMENT",
    ),
    # the data
    "buffer too long": (lambda t: t.json["buffers"][0].update(byteLength=10**6), "BUFFER_BYTE_LENGTH_MISMATCH"),
    "view too long": (lambda t: t.json["bufferViews"][12].update(byteLength=10**5), "BUFFER_VIEW_TOO_LONG"),
    "view of no buffer": (lambda t: t.json["bufferViews"][0].update(buffer=4), "UNRESOLVED_REFERENCE"),
    "accessor too long": (lambda t: t.json["accessors"][4].update(count=999), "ACCESSOR_TOO_LONG"),
    "accessor view": (lambda t: t.json["accessors"][0].update(bufferView=77), "UNRESOLVED_REFERENCE"),
    "accessor type": (lambda t: t.json["accessors"][0].update(type="VEC5"), "VALUE_NOT_IN_LIST"),
    "accessor component": (lambda t: t.json["accessors"][0].update(componentType=5124), "VALUE_NOT_IN_LIST"),
    "accessor offset": (
        lambda t: t.json["accessors"][4].update(byteOffset=2, count=3),
        "ACCESSOR_TOTAL_OFFSET_ALIGNMENT",
    ),
    "accessor max": (lambda t: t.json["accessors"][0]["max"].__setitem__(0, 1e6), "ACCESSOR_MAX_MISMATCH"),
    "position bounds": (
        lambda t: _drop(t.json["accessors"][0], "min"),
        "MESH_PRIMITIVE_POSITION_ACCESSOR_WITHOUT_BOUNDS",
    ),
    "position nan": (lambda t: _set(t, 0, 5, np.nan), "ACCESSOR_INVALID_FLOAT"),
    "normal length": (lambda t: _set(t, 1, 5, 0.3), "ACCESSOR_VECTOR3_NON_UNIT"),
    "normalized floats": (lambda t: t.json["accessors"][1].update(normalized=True), "ACCESSOR_NORMALIZED_INVALID"),
    # primitives
    "index out of range": (lambda t: _set(t, 4, 0, 9999), "ACCESSOR_INDEX_OOB"),
    "signed indices": (
        lambda t: t.json["accessors"][4].update(componentType=5126),
        "MESH_PRIMITIVE_INDICES_ACCESSOR_INVALID_FORMAT",
    ),
    "unequal counts": (lambda t: t.json["accessors"][2].update(count=5), "MESH_PRIMITIVE_UNEQUAL_ACCESSOR_COUNT"),
    "no such accessor": (lambda t: t.primitive["attributes"].update(NORMAL=99), "UNRESOLVED_REFERENCE"),
    # EXT_mesh_features
    "not declared": (lambda t: t.json.update(extensionsUsed=[STRUCTURAL]), "EXTENSION_FOUND_BUT_NOT_USED"),
    "declared for nothing": (lambda t: _drop(t.primitive, "extensions"), "EXTENSION_USED_BUT_NOT_FOUND"),
    "no feature count": (lambda t: _drop(t.feature_id, "featureCount"), "PROPERTY_MISSING"),
    "zero feature count": (lambda t: t.feature_id.update(featureCount=0), "VALUE_NOT_IN_RANGE"),
    "few features": (lambda t: t.feature_id.update(featureCount=2), "FEATURE_COUNT_MISMATCH"),
    "null feature": (lambda t: t.feature_id.update(nullFeatureId=-1), "VALUE_NOT_IN_RANGE"),
    "label": (lambda t: t.feature_id.update(label="a b"), "STRING_PATTERN_MISMATCH"),
    "label with a newline": (lambda t: t.feature_id.update(label="ab\n"), "STRING_PATTERN_MISMATCH"),
    "no such attribute": (lambda t: t.feature_id.update(attribute=1), "IDENTIFIER_NOT_FOUND"),
    "no such table": (lambda t: t.feature_id.update(propertyTable=1), "VALUE_NOT_IN_RANGE"),
    "id beyond the table": (lambda t: _set(t, 3, 0, 3) or t.feature_id.update(featureCount=4), "VALUE_NOT_IN_RANGE"),
    "broken id": (lambda t: _set(t, 3, 0, 0.5) or t.feature_id.update(featureCount=4), "VALUE_NOT_IN_RANGE"),
    "negative id": (lambda t: _set(t, 3, 0, -1) or t.feature_id.update(featureCount=4), "VALUE_NOT_IN_RANGE"),
    "implicit ids": (
        lambda t: _drop(t.feature_id, "attribute") or _drop(t.feature_id, "propertyTable"),
        "FEATURE_COUNT_MISMATCH",
    ),
    "id vector": (lambda t: t.primitive["attributes"].update(_FEATURE_ID_0=0), "INVALID_GLTF_STRUCTURE"),
    "no feature ids": (lambda t: t.primitive["extensions"][FEATURES].update(featureIds=[]), "ARRAY_LENGTH_MISMATCH"),
    # the schema
    "no schema": (lambda t: _drop(t.metadata, "schema"), "ANY_OF_ERROR"),
    "two schemas": (lambda t: t.metadata.update(schemaUri="x.json"), "ONE_OF_ERROR"),
    "schema elsewhere": (lambda t: t.metadata.update(schemaUri=str(_drop(t.metadata, "schema"))), "IO_ERROR"),
    "schema id": (lambda t: t.metadata["schema"].update(id="1st"), "STRING_PATTERN_MISMATCH"),
    "property name": (lambda t: t.properties.update({"a-b": {"type": "STRING"}}), "STRING_PATTERN_MISMATCH"),
    "type": (lambda t: _schema(t, "height_m", type="NUMBER"), "VALUE_NOT_IN_LIST"),
    "no component type": (lambda t: _schema(t, "height_m", componentType=...), "CLASS_PROPERTY_COMPONENT_TYPE_MISSING"),
    "component type": (
        lambda t: _schema(t, "id", componentType="INT8"),
        "CLASS_PROPERTY_COMPONENT_TYPE_FOR_NON_NUMERIC_TYPE",
    ),
    "no enum type": (lambda t: _schema(t, "height_from", enumType=...), "CLASS_PROPERTY_ENUM_TYPE_WITHOUT_ENUMTYPE"),
    "unknown enum type": (lambda t: _schema(t, "height_from", enumType="x"), "CLASS_PROPERTY_ENUMTYPE_NOT_FOUND"),
    "enum type": (lambda t: _schema(t, "id", enumType="source"), "CLASS_PROPERTY_ENUMTYPE_WITH_NON_ENUM_TYPE"),
    "count without array": (lambda t: _schema(t, "height_m", count=2), "CLASS_PROPERTY_COUNT_FOR_NON_ARRAY"),
    "count of one": (lambda t: _schema(t, "height_m", array=True, count=1), "VALUE_NOT_IN_RANGE"),
    "normalized": (
        lambda t: _schema(t, "height_m", normalized=True),
        "CLASS_PROPERTY_NORMALIZED_FOR_NON_NORMALIZABLE_TYPE",
    ),
    "offset of text": (lambda t: _schema(t, "id", offset=1), "METADATA_OFFSET_SCALE_FOR_NON_FLOATING_POINT_TYPE"),
    "min of text": (lambda t: _schema(t, "id", min=1), "METADATA_MIN_MAX_FOR_NON_NUMERIC_TYPE"),
    "min of any array": (
        lambda t: _schema(t, "height_m", array=True, min=1),
        "METADATA_PROPERTY_INVALID_FOR_VARIABLE_LENGTH_ARRAY",
    ),
    "required default": (lambda t: _schema(t, "id", default="x"), "CLASS_PROPERTY_INCONSISTENT"),
    "min above max": (lambda t: _schema(t, "height_m", min=5, max=1), "CLASS_PROPERTY_INCONSISTENT"),
    "no data type": (lambda t: _schema(t, "height_m", noData="none"), "TYPE_MISMATCH"),
    "no data name": (lambda t: _schema(t, "height_from", noData="none"), "CLASS_PROPERTY_ENUM_VALUE_NAME_NOT_FOUND"),
    "semantic twice": (lambda t: _schema(t, "outcome", semantic="ID"), "CLASS_PROPERTIES_DUPLICATE_SEMANTIC"),
    "semantic type": (lambda t: _schema(t, "height_m", semantic="NAME"), "METADATA_SEMANTIC_INVALID"),
    "enum name twice": (lambda t: _enum(t)[1].update(name=_enum(t)[0]["name"]), "ENUM_VALUE_DUPLICATE_NAME"),
    "enum value twice": (lambda t: _enum(t)[1].update(value=0), "ENUM_VALUE_DUPLICATE_VALUE"),
    "enum value too large": (lambda t: _enum(t)[1].update(value=256), "VALUE_NOT_IN_RANGE"),
    # the property tables
    "no such class": (lambda t: t.table.update({"class": "tree"}), "IDENTIFIER_NOT_FOUND"),
    "no such property": (lambda t: t.table["properties"].update(x={"values": 11}), "IDENTIFIER_NOT_FOUND"),
    "required column": (lambda t: _drop(t.table["properties"], "id"), "METADATA_VALUE_REQUIRED_BUT_MISSING"),
    "no rows": (lambda t: t.table.update(count=0), "VALUE_NOT_IN_RANGE"),
    "rows": (lambda t: t.table.update(count=2), "METADATA_INVALID_LENGTH"),
    "no such view": (lambda t: t.table["properties"]["height_m"].update(values=99), "VALUE_NOT_IN_RANGE"),
    "no string offsets": (lambda t: _drop(t.table["properties"]["id"], "stringOffsets"), "PROPERTY_MISSING"),
    "needless offsets": (lambda t: t.table["properties"]["height_m"].update(stringOffsets=6), "PROPERTY_UNEXPECTED"),
    "column length": (lambda t: _floats(t, [1, 2]), "METADATA_INVALID_LENGTH"),
    "offsets length": (lambda t: _offsets(t, [0, 12]), "METADATA_INVALID_LENGTH"),
    "offsets decrease": (lambda t: _offsets(t, [0, 24, 12, 33]), "METADATA_INVALID_OFFSETS"),
    "offsets stop early": (lambda t: _offsets(t, [0, 11, 22, 30]), "METADATA_INVALID_LENGTH"),
    "first offset": (lambda t: _offsets(t, [1, 11, 22, 33]), "METADATA_INVALID_OFFSETS"),
    "string cut in a letter": (lambda t: _offsets(t, [0, 2, 22, 33]), "METADATA_INVALID_UTF8"),
    "not utf-8": (lambda t: t.views.__setitem__(5, b"\xff" * 33), "METADATA_INVALID_UTF8"),
    "unaligned column": (lambda t: t.shift.update({11: 2}), "METADATA_INVALID_ALIGNMENT"),
    "column at 4": (lambda t: t.shift.update({11: 4}), "METADATA_INVALID_ALIGNMENT"),
    "nan": (lambda t: _floats(t, [1, np.nan, 2]), "METADATA_INVALID_FLOAT"),
    "above max": (lambda t: _schema(t, "height_m", max=11.5), "METADATA_VALUE_NOT_IN_RANGE"),
    "above the table's max": (
        lambda t: t.table["properties"]["height_m"].update(max=11.5),
        "METADATA_VALUE_NOT_IN_RANGE",
    ),
    "max not reached": (lambda t: t.table["properties"]["height_m"].update(max=13), "METADATA_VALUE_MISMATCH"),
    "scaled beyond max": (lambda t: _schema(t, "height_m", max=12, scale=2), "METADATA_VALUE_NOT_IN_RANGE"),
    "enum value": (lambda t: t.views.__setitem__(12, bytes([0, 1, 9])), "VALUE_NOT_IN_LIST"),
}


def _shift(out: bytearray) -> None:
    """Lengthen the JSON chunk by 4 spaces, so that the BIN chunk starts at no multiple of 8."""
    (size,) = struct.unpack_from("<I", out, 12)
    out[20 + size : 20 + size] = b"    "
    struct.pack_into("<I", out, 12, size + 4)
    struct.pack_into("<I", out, 8, len(out))


def _set(tile: TinyTile, accessor: int, row: int, value: float) -> None:
    array = tile.array(accessor)
    array[row] = value
    if np.isnan(value):
        tile.views[tile.json["accessors"][accessor]["bufferView"]] = array.tobytes()
    else:
        tile.put(accessor, array)


def _enum(tile: TinyTile) -> list[dict]:
    return tile.metadata["schema"]["enums"]["source"]["values"]


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_gives_its_issue(name):
    change, expected = MUTATIONS[name]
    tile = tiny_tile()
    change(tile)
    assert expected in codes(tile.glb())


def test_a_column_of_empty_strings_has_one_byte():
    tile = tiny_tile()
    tile.views[7:9] = [b"\0", bytes(16)]
    assert check_glb(tile.glb()) == []
    tile.views[7] = b"\0\0"
    assert codes(tile.glb()) == {"METADATA_INVALID_LENGTH"}


def test_no_data_is_outside_of_the_bounds():
    tile = tiny_tile()
    _schema(tile, "height_m", noData=-1, min=0)
    _floats(tile, [3, -1, 12])
    assert check_glb(tile.glb()) == []


def test_fixed_and_variable_arrays_and_booleans():
    tile = tiny_tile()
    tile.properties.update(
        {
            "pair": {"type": "VEC2", "componentType": "INT16", "array": True, "count": 2, "max": [[9, 9], [9, 9]]},
            "list": {"type": "SCALAR", "componentType": "UINT16", "array": True},
            "names": {"type": "STRING", "array": True},
            "seen": {"type": "BOOLEAN"},
        }
    )
    first = len(tile.views)
    columns = {
        "pair": {"values": first},
        "list": {"values": first + 1, "arrayOffsets": first + 2},
        "names": {"values": first + 3, "arrayOffsets": first + 4, "stringOffsets": first + 5},
        "seen": {"values": first + 6},
    }
    tile.table["properties"] |= columns
    tile.views += [
        np.arange(12, dtype="<i2").clip(0, 9).tobytes(),
        np.arange(4, dtype="<u2").tobytes(),
        np.array([0, 1, 1, 4], "<u4").tobytes(),
        b"abc",
        np.array([0, 2, 2, 3], "<u4").tobytes(),
        np.array([0, 1, 2, 3], "<u4").tobytes(),
        bytes([0b101]),
    ]
    tile.json["bufferViews"] += [{"buffer": 0} for _ in range(7)]
    assert check_glb(tile.glb()) == []
    for view, data, expected in (
        (first, np.full(12, 10, dtype="<i2").tobytes(), "METADATA_VALUE_NOT_IN_RANGE"),
        (first + 2, np.array([0, 1, 1, 3], "<u4").tobytes(), "METADATA_INVALID_LENGTH"),
        (first + 4, np.array([0, 2, 1, 3], "<u4").tobytes(), "METADATA_INVALID_OFFSETS"),
        (first + 6, bytes([0b1101]), "METADATA_INVALID_PADDING"),
    ):
        kept = tile.views[view]
        tile.views[view] = data
        assert codes(tile.glb()) == {expected}
        tile.views[view] = kept


def test_garbage_is_refused_without_a_crash():
    rng = np.random.default_rng(1)
    data = bytearray(tiny_tile().glb())
    assert codes(b"") == {"GLB_UNEXPECTED_END_OF_HEADER"}
    for _ in range(300):
        broken = bytearray(data)
        for at in rng.integers(0, len(data), 4).tolist():
            broken[at] = int(rng.integers(0, 256))
        check_glb(bytes(broken))
        check_glb(bytes(broken[: int(rng.integers(0, len(data)))]))


def test_files_that_would_fill_the_memory_are_refused():
    deep = b'{"asset":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    assert codes(deep) == {"INVALID_JSON"}
    huge = {"count": 1, "indices": {"bufferView": 0, "componentType": 5125}, "values": {"bufferView": 0}}
    tile = tiny_tile()
    tile.json["accessors"].append({"componentType": 5126, "count": 1 << 40, "type": "MAT4", "sparse": huge})
    assert "ACCESSOR_TOO_LONG" in codes(tile.glb())


def test_a_tile_of_500_buildings_takes_a_blink():
    data = tiny_tile(500).glb()
    check_glb(data)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert check_glb(data) == []
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05
