"""Code lists to our words: every code of both roof lists, functions, and the dialects that read them."""

import numpy as np
import pyarrow as pa
import pytest

from citygen.attributes.classes import CLASSES
from citygen.attributes.codelists import FUNCTION_ADV, FUNCTION_ADV_BARE, FUNCTION_OGC, ROOF_ADV, ROOF_OGC
from citygen.attributes.dialect import recognise_dialect
from citygen.attributes.options import AttributeOptions
from citygen.attributes.read import read_attributes
from citygen.roofs.base import ROOFS
from citygen.roofs.words import SHAPE_DEFAULT, UNKNOWN, VAGUE, resolve_words, shape_of

OGC_CODES = [str(code) for code in range(1000, 1140, 10)]
ADV_CODES = [
    "1000",
    "2100",
    "2200",
    "3100",
    "3200",
    "3300",
    "3400",
    "3500",
    "3600",
    "3700",
    "3800",
    "3900",
    "4000",
    "5000",
    "9999",
]
NO_ONE_SHAPE = {"1130": "combination (1130)", "5000": "mixed (5000)", "9999": "other (9999)"}


def test_the_lists_are_whole_and_name_shapes() -> None:
    assert list(ROOF_OGC) == OGC_CODES
    assert list(ROOF_ADV) == ADV_CODES
    for code, word in {**ROOF_OGC, **ROOF_ADV}.items():
        if code in NO_ONE_SHAPE:
            assert word == NO_ONE_SHAPE[code]
        else:
            assert word in ROOFS.names()
            assert shape_of(code)[0] in (word, None)  # without a dialect, a code is never another shape


def test_the_lists_agree_where_they_meet() -> None:
    assert {code: ROOF_OGC[code] for code in set(ROOF_OGC) & set(ROOF_ADV)} == {"1000": "flat"}
    assert not set(FUNCTION_OGC) & set(FUNCTION_ADV)
    assert {FUNCTION_ADV[f"31001_{code}"] for code in FUNCTION_ADV_BARE} == set(FUNCTION_ADV_BARE.values())


@pytest.mark.parametrize("dialect", ["citygml", "alkis"])
@pytest.mark.parametrize("code", [1030, 1030.0, "1030", " 3100 ", "3100.0"])
def test_codes_are_read_whatever_type_their_column_has(dialect: str, code: object) -> None:
    if dialect == "alkis" and "1030" in str(code):
        pytest.skip("not a code of that list")
    table = pa.table({"dialect": [dialect], "roofType": [code]})
    attributes, _ = read_attributes(table, np.array([80.0]), AttributeOptions())
    shapes, shape, _, _ = resolve_words(attributes.roof_shape)
    assert shapes[shape[0]].name == "gabled"


def test_a_roof_of_no_one_shape_says_so_with_its_code() -> None:
    codes = ["5000", "9999", "1130", "7777", "", "3100"]
    table = pa.table({"dialect": ["citygml"] * 6, "roofType": codes})
    attributes, _ = read_attributes(table, np.full(6, 80.0), AttributeOptions())
    shapes, shape, roof_from, findings = resolve_words(attributes.roof_shape)
    said = {f.code: (f.rows.tolist(), f.details) for f in findings}
    assert said[VAGUE] == ([0, 1, 2], ["mixed (5000)", "other (9999)", "combination (1130)"])
    assert said[UNKNOWN] == ([3], ["7777 (nearest: none near)"])
    assert said[SHAPE_DEFAULT][0] == [4]
    assert [shapes[k].name for k in shape] == ["flat"] * 5 + ["gabled"]
    assert roof_from.tolist() == ["default"] * 5 + ["tag"]


@pytest.mark.parametrize("word", ["many", "Slanted", "mixed", "Mixed (5000)", "combination"])
def test_words_for_no_one_shape(word: str) -> None:
    findings = resolve_words(np.array([word], dtype=object))[3]
    assert {f.code for f in findings if len(f.rows)} == {VAGUE}


def test_no_word_for_no_one_shape_is_a_shape() -> None:
    from citygen.roofs.words import VAGUE_WORDS

    assert [word for word in VAGUE_WORDS if shape_of(word)[0]] == []


def test_functions_become_building_types() -> None:
    table = pa.table({"dialect": ["citygml"] * 4, "function": ["31001_2463", "1120", "51009_1611", "31001_3041"]})
    attributes, _ = read_attributes(table, np.full(4, 80.0), AttributeOptions())
    assert attributes.class_name.tolist() == ["garage", "office", "carport", "church"]
    table = pa.table({"dialect": ["alkis"] * 2, "gebaeudefunktion": [2463, 1130]})
    attributes, _ = read_attributes(table, np.full(2, 80.0), AttributeOptions())
    assert attributes.class_name.tolist() == ["garage", "residential"]
    known = set(CLASSES)
    assert {"residential", "house", "garage", "office", "church", "school"} <= known & set(FUNCTION_ADV.values())


def test_altitudes_make_heights() -> None:
    table = pa.table(
        {
            "dialect": ["bag3d"] * 4,
            "b3_h_dak_max": [9.3, 7.5, None, 4.0],
            "b3_h_maaiveld": [-1.2, None, 0.5, 0.0],
            "b3_dak_type": ["slanted", "multiple horizontal", "horizontal", "no points"],
        }
    )
    attributes, findings = read_attributes(table, np.full(4, 80.0), AttributeOptions(default_height_m=5.0))
    assert attributes.height_m.tolist()[0] == 10.5
    assert np.isnan(attributes.height_m[1:3]).all()
    assert attributes.height_m[3] == 4.0
    assert attributes.roof_shape.tolist() == ["slanted", "flat", "flat", ""]
    unread = {f.code: (f.rows.tolist(), f.details) for f in findings}["attribute_unread"]
    assert unread == ([1], ["b3_h_dak_max='7.5'"])


def test_the_dialects_are_told_apart() -> None:
    assert recognise_dialect(["id", "roofType", "ridge_rel"]) == "citygml"
    cadastre = [
        "roofType",
        "measuredHeight",
        "function",
        "DatenquelleDachhoehe",
        "DatenquelleLage",
        "Gemeindeschluessel",
    ]
    assert recognise_dialect(cadastre) == "alkis"
    assert recognise_dialect(["gebaeudefunktion", "name"]) == "alkis"
    assert recognise_dialect(["identificatie", "dak_type", "h_dak_max", "model_ground_z", "model_ridge_z"]) == "bag3d"
    assert recognise_dialect(["object_type", "parent", "model_ground_z", "model_ridge_z"]) == "citygml"
