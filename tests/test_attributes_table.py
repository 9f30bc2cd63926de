"""Tables in, attributes out: laws for any table, Arrow types, dialects, column maps, height rules, contradictions."""

import dataclasses
import itertools
import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.attributes.classes import CLASSES
from citygen.attributes.dialect import DIALECTS, Column, Dialect, columns_needed, recognise_dialect, source_columns
from citygen.attributes.entrances import given_entrances
from citygen.attributes.estimates import Estimate, Estimates
from citygen.attributes.keys import KEYS, check_column_map
from citygen.attributes.options import AttributeOptions
from citygen.attributes.parsed import parse_table
from citygen.attributes.read import read_attributes
from citygen.attributes.rooflines import LINE_KEYS, drawn_lines
from citygen.attributes.rule import HEIGHT_RULES, Evidence, rules_in_order
from citygen.attributes.storeys import COUNTRIES, is_country
from citygen.errors import ConfigError
from citygen.model.attributes import NO_COLOUR, Attributes
from citygen.outcome import Finding, verdicts

WORDS = {
    "height": ["12", "12 m", "40'", "0", "-5", "~12", "0.02", "1000", "", "2.5"],
    "eave_height": ["3", "0", "9", "15 ft", "junk"],
    "min_height": ["3", "-1", "12", "2.495", "x"],
    "building:levels": ["0", "0.001", "3", "3.5", "200", "201", "III"],
    "building:min_level": ["1", "4", "-1"],
    "roof:levels": ["1", "2"],
    "roof:shape": ["gabled", " Hipped ", "9.0"],
    "roof:orientation": ["along", "Across", "up"],
    "roof:direction": ["N", "NNW", "370", "-45", "-1e-20", "left"],
    "building": ["yes", "House", "garage", "church", "no"],
    "building:part": ["yes", "no", "column"],
    "building:colour": ["red", "#0f0", "rot"],
    "location": ["underground", "roof"],
}


def table_of(rows: list[dict[str, str | None]], dialect: str = "osm") -> pa.Table:
    names = sorted({name for row in rows for name in row})
    columns = {name: pa.array([row.get(name) for row in rows], type=pa.string()) for name in names}
    return pa.table({"dialect": pa.array([dialect] * len(rows), type=pa.string()), **columns})


def read(
    table: pa.Table, column_map: Mapping[str, str] | None = None, area: float = 96.0
) -> tuple[Attributes, list[Finding]]:
    return read_attributes(table, np.full(table.num_rows, area), AttributeOptions(column_map=column_map or {}))


def row(tags: dict[str, str | None], dialect: str = "osm") -> tuple[dict[str, object], dict[str, str]]:
    """Read one row: its attributes by name, and its findings' details by code."""
    attributes, findings = read(table_of([tags], dialect))
    _, codes, details = verdicts(1, findings)
    return as_rows(attributes)[0], dict(zip(codes[0], details[0], strict=True))


def as_rows(attributes: Attributes) -> list[dict[str, object]]:
    names = [f.name for f in dataclasses.fields(Attributes)]
    columns = [getattr(attributes, name).tolist() for name in names]
    assert {len(column) for column in columns} == {len(attributes)}
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def plain_rows(attributes: Attributes, findings: list[Finding]) -> list[str]:
    """Everything that was said of each row, comparable also where NaN."""
    _, codes, details = verdicts(len(attributes), findings)
    return [repr(x) for x in zip(as_rows(attributes), codes, details, strict=True)]


ROWS = st.lists(
    st.fixed_dictionaries({}, optional={name: st.sampled_from(words) for name, words in WORDS.items()}), max_size=8
)


# ---- laws


@given(ROWS, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_any_table_gives_a_positive_body_in_every_row_and_is_left_alone(rows, random) -> None:
    table = table_of(rows)
    areas = np.array([random.choice([1.0, 30.0, 500.0, math.nan]) for _ in rows])
    before, areas_before = pa.table(table.to_pydict(), schema=table.schema), areas.copy()
    attributes, findings = read_attributes(table, areas, AttributeOptions())
    assert table.equals(before)
    assert np.array_equal(areas, areas_before, equal_nan=True)
    top = np.where(np.isnan(attributes.height_m), attributes.eave_height_m, attributes.height_m)
    assert (top - attributes.min_height_m > 0).all()  # False where NaN
    assert (attributes.min_height_m >= 0).all()
    both = ~np.isnan(attributes.height_m) & ~np.isnan(attributes.eave_height_m)
    assert (attributes.eave_height_m[both] <= attributes.height_m[both]).all()
    assert (attributes.height_from[both] == "height").all()
    assert set(attributes.height_from.tolist()) <= set(HEIGHT_RULES.names())
    assert (attributes.height_sigma_m > 0).all()  # False where NaN
    direction = attributes.roof_direction_deg
    assert ((direction >= 0) & (direction < 360) | np.isnan(direction)).all()
    assert all(len(set(f.rows.tolist())) == len(f.rows) == len(f.details or f.rows) for f in findings)
    guessed = {r for f in findings if f.code == "height_default" for r in f.rows.tolist()}
    assert guessed == set(np.flatnonzero(attributes.height_from == "default").tolist())


@given(ROWS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_row_order_and_company_change_nothing(rows, random) -> None:
    said = plain_rows(*read(table_of(rows)))
    order = list(range(len(rows)))
    random.shuffle(order)
    assert plain_rows(*read(table_of([rows[k] for k in order]))) == [said[k] for k in order]
    assert [text for r in rows for text in plain_rows(*read(table_of([r])))] == said


def test_empty_table_and_table_without_known_columns() -> None:
    attributes, findings = read(table_of([]))
    assert (len(attributes), findings) == (0, [])
    attributes, findings = read(pa.table({"id": ["a", "b"]}))
    assert attributes.eave_height_m.tolist() == [6.0, 6.0]
    assert [f.code for f in findings] == ["height_default"]
    with pytest.raises(ValueError, match="1 areas for 2 rows"):
        read_attributes(pa.table({"id": ["a", "b"]}), np.zeros(1), AttributeOptions())


def test_dtypes_are_those_of_the_model() -> None:
    attributes, _ = read(table_of([{"height": "5"}]))
    wanted = {"height_from": "O", "roof_shape": "O", "roof_orientation": "O", "class_name": "O", "part_hint": "O"}
    wanted |= {"wall_material": "O", "roof_material": "O", "country": "O"}
    wanted |= {"roof_direction_is_named": "bool", "is_part": "bool", "wall_colour": "int64", "roof_colour": "int64"}
    for field in dataclasses.fields(Attributes):
        assert getattr(attributes, field.name).dtype == np.dtype(wanted.get(field.name, "float64")), field.name


# ---- Arrow types


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["12", None, "0", "bad"]),
        pa.array(["12", None, "0", "bad"], type=pa.large_string()),
        pa.array(["12", None, "0", "bad"]).dictionary_encode(),
        pa.chunked_array([pa.array(["12", None]).dictionary_encode(), pa.array(["0", "bad"]).dictionary_encode()]),
        pa.chunked_array([["12"], [], [None, "0"], ["bad"]], type=pa.string()),
        pa.array(["  12" + 90 * " ", " ", "0 ", "bad"]),
        pa.array([12.0, None, 0.0, math.inf]),
        pa.array([12.0, math.nan, 0.0, -3.0], type=pa.float32()),
        pa.array([12, None, 0, -3], type=pa.int16()),
        pa.array([12, None, 0, 2**62], type=pa.int64()),
        pa.array([12, None, 0, -3], type=pa.int32()).cast(pa.decimal128(12, 2)),
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(["12", None, "0", '{"v": 12}'])),
    ],
    ids=lambda column: str(column.type),
)
def test_a_height_column_of_any_type(column: pa.Array) -> None:
    attributes, findings = read(pa.table({"dialect": ["osm"] * 4, "height": column}))
    assert attributes.height_m.tolist() == pytest.approx([12, math.nan, math.nan, math.nan], nan_ok=True)
    said = {finding.code: finding.rows.tolist() for finding in findings}
    assert said == {"attribute_unread": [3], "height_zero": [2], "height_default": [1, 2, 3]}


@pytest.mark.parametrize(
    "column",
    [pa.array([True, False]), pa.array([[12.0], [3.0]]), pa.array([{"v": 1}, {"v": 2}]), pa.array([1, 2], pa.date32())],
    ids=lambda column: str(column.type),
)
def test_what_is_no_number_is_unread_with_its_value(column: pa.Array) -> None:
    attributes, findings = read(pa.table({"dialect": ["osm"] * 2, "height": column}))
    assert np.isnan(attributes.height_m).all()
    assert [f.code for f in findings] == ["attribute_unread", "height_default"]
    assert all(text.startswith("height=") and len(text) > 10 for text in findings[0].details)


def test_columns_of_numbers_can_be_words() -> None:
    table = pa.table({"dialect": ["plain"] * 3, "roof_shape": [1030.0, 1000.0, None], "part": [True, False, None]})
    attributes, _ = read(table)
    assert attributes.roof_shape.tolist() == ["1030", "1000", ""]
    assert attributes.is_part.tolist() == [True, False, False]


def test_several_unreadable_values_of_a_row_are_one_finding() -> None:
    _, said = row({"height": "10 yd", "roof:angle": "95", "roof:orientation": "up"})
    assert said["attribute_unread"] == "height='10 yd'; roof:angle='95'; roof:orientation='up'"


# ---- meanings


def test_osm_words() -> None:
    found, said = row(
        {"height": "12", "roof:shape": " Gabled", "roof:height": "3", "roof:angle": "40°", "roof:direction": "nnw"}
        | {"roof:orientation": "ACROSS", "building": "House", "building:levels": "3", "roof:levels": "1"}
        | {"building:colour": "#fff", "roof:colour": "tan", "min_height": "1.5"}
        | {"roof:dormers": "4", "roof:chimneys": "0", "building:levels:underground": "1", "addr:country": "DE"}
        | {"building:material": "bricks", "roof:material": "tiles"}
    )
    assert said == {}
    assert found == {
        "height_m": 12.0, "eave_height_m": pytest.approx(math.nan, nan_ok=True), "min_height_m": 1.5,
        "height_from": "height", "height_sigma_m": 1.0,
        "levels": 3.0, "roof_levels": 1.0, "roof_shape": "gabled", "roof_height_m": 3.0,
        "roof_angle_deg": 40.0, "roof_overhang_m": pytest.approx(math.nan, nan_ok=True),
        "roof_direction_deg": 337.5, "roof_direction_is_named": True,
        "roof_orientation": "across", "dormers": 4.0, "chimneys": 0.0, "class_name": "house", "is_part": False, "part_hint": "",
        "wall_colour": 0xFFFFFF, "roof_colour": 0xD2B48C, "wall_material": "brick", "roof_material": "roof_tiles",
        "levels_underground": 1.0, "country": "de",
    }  # fmt: skip


def test_a_direction_in_degrees_is_not_named() -> None:
    attributes, _ = read(table_of([{"roof:direction": w} for w in ("370", "-45", "-1e-20", "360", "S")]))
    assert attributes.roof_direction_deg.tolist() == [10.0, 315.0, 0.0, 0.0, 180.0]
    assert attributes.roof_direction_is_named.tolist() == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("tags", "wall", "roof", "said"),
    [
        ({"building:material": " Bricks", "roof:material": "Tiles"}, "brick", "roof_tiles", set()),
        ({"building:material": "half-timbered"}, "timber_framing", "", set()),
        ({"building:material": "papier mache"}, "papier mache", "", {"wall_material='papier mache'"}),
        ({"building:material": "x", "roof:material": "<b>"}, "x", "<b>", {"wall_material='x'; roof_material='<b>'"}),
    ],
)
def test_materials_are_canonical_or_noted(tags, wall, roof, said) -> None:
    found, findings = row({"height": "5", **tags})
    assert (found["wall_material"], found["roof_material"]) == (wall, roof)
    assert set(findings.values()) == said
    assert set(findings) == ({"material_unknown"} if said else set())


def test_older_synonyms_stand_in_where_the_tag_is_missing_or_unreadable() -> None:
    rows = [
        {"height": "5", "building:height": "9"},
        {"height": None, "building:height": "9"},
        {"height": "?", "building:height": "9"},
    ]
    attributes, findings = read(table_of(rows))
    assert attributes.height_m.tolist() == [5.0, 9.0, 9.0]
    assert [(f.code, f.rows.tolist(), f.details) for f in findings] == [("attribute_unread", [2], ["height='?'"])]


def test_parts_and_outlines() -> None:
    rows = [
        ({"building:part": "yes"}, True, ""),
        ({"building:part": "column"}, True, "column"),
        ({"building:part": "no"}, False, ""),
        ({"building": "yes"}, False, ""),
        ({"building": "church", "building:part": "yes"}, False, "church"),
        ({"building": "no", "building:part": "yes"}, True, ""),
    ]
    attributes, _ = read(table_of([tags for tags, _, _ in rows]))
    assert list(zip(attributes.is_part.tolist(), attributes.class_name.tolist(), strict=True)) == [r[1:] for r in rows]
    both = pa.table({"dialect": ["osm"], "building": ["yes"], "building:part": ["no"], "TEIL": ["yes"]})
    assert read(both, {"part": "TEIL"})[0].is_part.tolist() == [True]  # the user's own mark counts
    mapped, _ = read(pa.table({"TEIL": ["1", "0"], "VON": ["w1", None]}), {"part": "TEIL", "part_of": "VON"})
    assert (mapped.is_part.tolist(), mapped.part_hint.tolist()) == ([True, False], ["w1", ""])


# ---- height rules


@pytest.mark.parametrize(
    ("tags", "height", "eave", "underside", "rule"),
    [
        ({"height": "10", "building:levels": "5"}, 10, None, 0, "height"),
        ({"height": "10", "eave_height": "7"}, 10, 7, 0, "height"),
        ({"eave_height": "7", "building:levels": "3"}, None, 7, 0, "eave_height"),
        ({"building:levels": "5", "roof:levels": "2"}, None, 15, 0, "levels"),
        ({"building:levels": "2", "building": "office"}, None, 7, 0, "levels"),
        ({"building:levels": "0", "roof:levels": "2"}, 6, None, 0, "levels"),
        ({"building:levels": "0"}, None, 6, 0, "default"),
        ({"building:levels": "8", "building:min_level": "3"}, None, 24, 9, "levels"),
        ({"building:levels": "8", "building:min_level": "3", "min_height": "10"}, None, 24, 10, "levels"),
        ({"building": "garage"}, None, 2.7, 0, "default"),
        ({"min_height": "20"}, None, 23, 20, "default"),
        ({"building:min_level": "4"}, None, 15, 12, "default"),
        ({"height": "0"}, None, 6, 0, "default"),
        ({"height": "1.3", "building:levels": "1"}, 1.3, None, 0, "height"),
        ({"height": "0", "eave_height": "4"}, None, 4, 0, "eave_height"),
    ],
)
def test_height_rules(tags, height, eave, underside, rule) -> None:
    found, said = row(tags)
    assert (found["height_m"], found["eave_height_m"]) == pytest.approx(
        (height or math.nan, eave or math.nan), nan_ok=True
    )
    assert (found["min_height_m"], found["height_from"]) == (underside, rule)
    assert ("height_default" in said) == (rule == "default")
    assert not {"attribute_unread", "height_contradiction"} & set(said)


@pytest.mark.parametrize(
    ("tags", "height", "eave", "underside", "detail"),
    [
        ({"height": "5", "min_height": "8"}, 5, None, 0, "underside=8 not below height=5"),
        ({"height": "5", "min_height": "4.995"}, 5, None, 0, "underside=4.995 not below height=5"),
        ({"eave_height": "5", "min_height": "5"}, None, 5, 0, "underside=5 not below height=5"),
        ({"building:levels": "2", "building:min_level": "5"}, None, 6, 0, "underside=15 not below height=6"),
        ({"height": "0", "building:levels": "5"}, None, 15, 0, "height=0 with levels=5"),
        ({"height": "3", "building:levels": "30"}, 3, None, 0, "height=3 with levels=30"),
        ({"height": "5", "eave_height": "7"}, 5, None, 0, "eave_height=7 above height=5"),
        ({"height": "9", "eave_height": "4", "min_height": "6"}, 9, None, 6, "eave_height=4 below underside=6"),
        (
            {"height": "20", "building:levels": "4", "building:min_level": "4"},
            20,
            None,
            0,
            "min_level=4 not below levels=4",
        ),
        (
            {"height": "9", "roof:height": "6", "building:levels": "3"},
            9,
            None,
            0,
            "height=9 less roof_height=6 with levels=3",
        ),
        ({"height": "30", "building:levels": "2", "building": "house"}, 30, None, 0, "height=30 with levels=2"),
        ({"eave_height": "24", "building:levels": "2", "roof:levels": "1"}, None, 24, 0, "height=24 with levels=3"),
    ],
)
def test_contradictions_are_settled_and_shown(tags, height, eave, underside, detail) -> None:
    found, said = row(tags)
    assert (found["height_m"], found["eave_height_m"]) == pytest.approx(
        (height or math.nan, eave or math.nan), nan_ok=True
    )
    assert found["min_height_m"] == underside
    assert said == {"height_contradiction": detail}


def test_high_storeys_are_no_contradiction_where_the_type_has_them() -> None:
    assert row({"height": "22", "building:levels": "2", "building": "church"})[1] == {}
    assert row({"height": "44", "building:levels": "1", "building": "house"})[1] == {}  # a tower says one storey
    assert list(row({"height": "22.6", "building:levels": "3", "building": "house"})[1]) == ["height_contradiction"]


def test_the_country_makes_the_storey_unless_the_user_does() -> None:
    rows = [{"building:levels": "4", "addr:country": word} for word in ("DE", "IN", "", "Germany", "AQ")]
    attributes, findings = read(table_of(rows))
    assert attributes.eave_height_m.tolist() == pytest.approx([10.8, 12.2, 12.0, 12.0, 12.0])
    assert [(f.code, f.rows.tolist(), f.details) for f in findings] == [("country_unknown", [3], ["germany"])]
    table = table_of([*rows, {"building:levels": "4", "building": "office"}])
    german = read_attributes(table, np.zeros(6), AttributeOptions(country="de"))[0]
    assert german.eave_height_m.tolist() == pytest.approx([10.8, 12.2, 10.8, 10.8, 12.0, 12.6])
    own = read_attributes(table, np.zeros(6), AttributeOptions(storey_height_m=2.5, country="de"))[0]
    assert own.eave_height_m.tolist() == pytest.approx([10.0] * 5 + [2.5 * 4 * 7 / 6])
    assert all(2.4 <= metres <= 3.3 and source for metres, source in COUNTRIES.values())
    assert all(is_country(code) for code in COUNTRIES)


def test_estimates_decide_in_their_order_and_say_how_sure_they_are() -> None:
    nan = math.nan
    said = {
        "model": ([nan, 6.1, nan, nan, nan, 5.0], 1.5),
        "neighbours": ([7.0, 7.0, 7.0, nan, nan, nan], 2.0),
        "class_area": ([8.0, 8.0, 8.0, 8.0, nan, nan], 3.0),
    }
    by_rule = {
        name: Estimate(np.array(metres), np.full(6, sigma), np.full(6, 8.0), np.full(6, 120.0))
        for name, (metres, sigma) in said.items()
    }
    rows = [{}, {"building:levels": "3"}, {"building:levels": "3"}, {"min_height": "7"}, {}, {"height": "9"}]
    for of_top in (True, False):
        attributes, findings = read_attributes(
            table_of(rows), np.full(6, 96.0), AttributeOptions(), Estimates(of_top, by_rule)
        )
        assert attributes.height_from.tolist() == ["neighbours", "model", "levels", "class_area", "default", "height"]
        guessed = attributes.height_m if of_top else attributes.eave_height_m
        assert guessed[[0, 1, 3]].tolist() == [7.0, 6.1, 10.0]  # the last: a storey above its underside
        assert attributes.height_sigma_m.tolist() == pytest.approx([2.0, 1.5, math.hypot(1.4, 0.9), 3.0, 2.4, 1.0])
        texts = {f.code: f.details for f in findings}
        assert texts["height_neighbours"] == ["7 m, the median of 8 within 120 m"]
        assert texts["height_class"] == ["10 m, the median of 8 of its type and size"]
        assert texts["height_model"] == ["6.1 m, learned from 8 buildings"]


def test_storeys_below_the_ground_alone_are_underground() -> None:
    assert list(row({"building:levels": "0", "building:levels:underground": "2"})[1]) == [
        "height_default",
        "underground",
    ]
    assert row({"building:levels": "2", "building:levels:underground": "2"})[1] == {}
    assert row({"building:levels": "0", "building:levels:underground": "1", "height": "3"})[1] == {}


def test_eave_and_roof_height_together_stand_for_the_top() -> None:
    found, said = row({"eave_height": "6", "roof:height": "3", "roof:shape": "gabled"})
    assert (found["eave_height_m"], found["roof_height_m"], found["height_from"]) == (6.0, 3.0, "eave_height")
    assert math.isnan(found["height_m"])  # the roof adds its own to the eave
    assert said == {}


def test_several_contradictions_of_a_row_are_one_finding() -> None:
    _, said = row({"height": "3", "building:levels": "30", "eave_height": "4", "min_height": "3"})
    wanted = "eave_height=4 above height=3; underside=3 not below height=3; height=4 with levels=30"
    assert said == {"height_contradiction": wanted}


@pytest.mark.parametrize("tags", [{"height": "0", "eave_height": "4"}, {"height": "9", "eave_height": "0 m"}])
def test_a_zero_beside_another_height_is_noted(tags) -> None:
    found, said = row(tags | {"building:levels": "2"})
    assert (said, found["height_from"]) == ({"height_zero": ""}, "height" if tags["height"] == "9" else "eave_height")


def test_underground_is_said() -> None:
    assert list(row({"location": "Underground", "height": "4"})[1]) == ["underground"]


def test_defaults_by_area_and_the_users_own() -> None:
    table = pa.table({"id": list("abcde")})
    areas = np.array([10.0, 30.0, 100.0, 5000.0, math.nan])
    attributes, findings = read_attributes(table, areas, AttributeOptions())
    assert attributes.eave_height_m.tolist() == [2.7, 3.0, 6.0, 8.0, 8.0]
    assert findings[0].details[2] == "eave 6 m by floor area: a house of two storeys"
    attributes, findings = read_attributes(table, areas, AttributeOptions(default_height_m=4.5))
    assert attributes.eave_height_m.tolist() == [4.5] * 5
    assert [f.code for f in findings] == ["height_default"]


def test_storey_height_scales_with_the_type() -> None:
    table = pa.table({"levels": [2, 2], "class": ["house", "office"], "dialect": ["plain"] * 2})
    attributes, _ = read_attributes(table, np.zeros(2), AttributeOptions(storey_height_m=2.7))
    assert attributes.eave_height_m.tolist() == pytest.approx([5.4, 6.3])


def test_class_table_is_plausible() -> None:
    assert all(2 <= c.eave_m <= 25 and 0.8 <= c.storey_factor <= 2.5 and c.text for c in CLASSES.values())
    assert {"house": 6.0, "garage": 2.7, "apartments": 15.0, "industrial": 7.0}.items() <= {
        name: c.eave_m for name, c in CLASSES.items()
    }.items()


# ---- registries


def evidence_of_all_kinds() -> Evidence:
    options = AttributeOptions()
    rows = [
        {"height": "10", "eave_height": "7"},
        {"eave_height": "7"},
        {"building:levels": "2"},
        {"min_height": "3"},
        {},
    ]
    parsed = parse_table(table_of(rows), options)
    n = len(parsed)
    every = np.full(n, 7.0)
    guess = Estimate(every, every / 4, every, every * 10)
    estimates = Estimates(of_top=True, by_rule=dict.fromkeys(("model", "neighbours", "class_area"), guess))
    return Evidence(parsed, np.full(n, 50.0), np.full(n, 3.0), np.array([0, 0, 0, 3.0, 0]), options, estimates)


@pytest.mark.parametrize("name", HEIGHT_RULES.names())
def test_each_rule_keeps_its_contract(name: str) -> None:
    rule, evidence = HEIGHT_RULES[name], evidence_of_all_kinds()
    assert (rule.name, bool(rule.text), bool(rule.sigma)) == (name, True, True)
    n = len(evidence.parsed)
    still_open = np.ones(n, dtype=bool)
    before = repr((evidence, still_open))
    decision = rule.decide(evidence, still_open)
    assert repr((evidence, still_open)) == before
    assert decision.height_m.shape == decision.eave_height_m.shape == (n,)
    decided = ~(np.isnan(decision.height_m) & np.isnan(decision.eave_height_m))
    assert decided.any(), "a rule that never decides is not tested"
    assert (np.fmax(decision.height_m, decision.eave_height_m)[decided] > 0).all()
    assert decision.sigma_m.shape == (n,)
    assert (decision.sigma_m[decided] > 0).all(), "a rule that states no uncertainty"
    assert decision.details is None or decision.details.shape == (n,)


def test_rules_run_in_the_written_order_and_the_last_decides_all() -> None:
    rules = rules_in_order()
    assert [rule.name for rule in rules] == [
        "height",
        "eave_height",
        "model",
        "levels",
        "neighbours",
        "class_area",
        "default",
    ]
    assert all(one.order < other.order for one, other in itertools.pairwise(rules))
    evidence = evidence_of_all_kinds()
    assert not np.isnan(rules[-1].decide(evidence, np.ones(len(evidence.parsed), dtype=bool)).eave_height_m).any()


@pytest.mark.parametrize("name", DIALECTS.names())
def test_each_dialect_keeps_its_contract(name: str) -> None:
    dialect = DIALECTS[name]
    assert (dialect.name, bool(dialect.text)) == (name, True)
    asked = {c.name for key in KEYS for c in source_columns(dialect, key, {})}
    assert not dialect.marks & dialect.signature
    assert dialect.signature <= asked
    assert recognise_dialect(sorted(dialect.signature | dialect.marks) or ["height"]) == name
    samples = {"roof_orientation": "along", "roof_shape": "flat", "class": "house", "part": "yes", "part_of": "w1"}
    samples |= {"wall_material": "brick", "roof_material": "slate", "country": "de"}
    samples |= {"wall_colour": "red", "roof_colour": "red", "location": "underground", "roof_direction": "90"}
    for key, columns in dialect.columns.items():
        for column in columns:  # every column that the dialect names arrives
            if key in LINE_KEYS:
                text = "POINT (1 2)" if key == "roof_apex" else "LINESTRING (1 2, 3 4)"
                lines = drawn_lines(pa.table({column.name: [text, None]}), name, {}, np.array([None, None]))
                assert lines is not None
                assert [each is None for each in lines.geometry] == [False, True], column
                continue
            if key == "entrance":
                found = given_entrances(pa.table({column.name: ["POINT (1 2)", None]}), name, {})
                assert found is not None
                assert [each is None for each in found[0]] == [False, True], column
                continue
            beside = {column.minus: ["-1", "-1"]} if column.minus else {}
            table = pa.table({"dialect": [name] * 2, column.name: [samples.get(key, "2"), None], **beside})
            given, empty = plain_rows(*read(table))
            assert given != empty, (key, column)


def test_a_dialect_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown keys"):
        Dialect("x", "x", {"hight": (Column("h"),)})


def test_units_turns_and_words_are_data(monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = Dialect(
        "x",
        "Test.",
        {
            "height": (Column("H", bare_unit="ft"),),
            "eave_height": (Column("E", bare_unit="ft", minus="G"),),
            "roof_direction": (Column("RIDGE", turn_deg=90),),
            "roof_shape": (Column("F"),),
        },
        words={"roof_shape": {"3100": "gabled", "9999": "", "*": "other"}},
    )
    DIALECTS.load()
    monkeypatch.setitem(DIALECTS._things, "x", dialect)
    table = pa.table(
        {"dialect": ["x"] * 3, "H": ["100", "10 m", None], "RIDGE": [0.0, 300.0, None], "F": [3100, 9999, 1]}
    )
    table = table.append_column("E", [[30.0, 31.5, 9.0]]).append_column("G", [["10", "8.5 m", None]])
    attributes, findings = read(table)
    assert attributes.eave_height_m.tolist() == pytest.approx([20 * 0.3048, 31.5 * 0.3048 - 8.5, 6.0])
    assert [f.details for f in findings if f.code == "attribute_unread"] == [["E='9'"]]
    assert attributes.height_m.tolist() == pytest.approx([30.48, 10.0, math.nan], nan_ok=True)
    assert attributes.roof_direction_deg.tolist() == pytest.approx([90.0, 30.0, math.nan], nan_ok=True)
    assert attributes.roof_shape.tolist() == ["gabled", "", "other"]
    numbers, _ = read(pa.table({"dialect": ["x"], "H": [100]}))
    assert numbers.height_m.tolist() == pytest.approx([30.48])


# ---- several dialects, column maps


def test_rows_of_several_dialects_are_read_each_in_its_own() -> None:
    table = pa.table(
        {
            "dialect": ["osm", "plain", "osm", None],
            "building": ["house", "house", None, None],
            "class": [None, "garage", "church", None],
            "building:levels": ["2", "7", None, None],
            "levels": [None, "1", None, None],
            "building:part": [None, None, "yes", None],
            "part": ["yes", "yes", "yes", None],
        }
    )
    attributes, _ = read(table)
    assert attributes.class_name.tolist() == ["house", "garage", "", ""]
    assert attributes.levels.tolist() == pytest.approx([2, 1, math.nan, math.nan], nan_ok=True)
    assert attributes.is_part.tolist() == [False, True, True, False]
    alone = [text for k in range(4) for text in plain_rows(*read(table.slice(k, 1)))]
    assert plain_rows(*read(table)) == alone


def test_unknown_dialect_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"unknown dialect 'klingon'; known: .*osm, .*plain"):
        read(pa.table({"dialect": ["klingon"], "height": ["5"]}))


def test_dialects_are_recognised() -> None:
    assert recognise_dialect(["id", "height", "roof:shape"]) == "osm"
    assert recognise_dialect(["osm_id", "building"]) == "osm"
    assert recognise_dialect(["ID", "HAUTEUR"]) == "plain"
    assert recognise_dialect([]) == "plain"


def test_a_column_map_wins_and_null_rows_fall_back() -> None:
    table = pa.table({"dialect": ["osm"] * 3, "HAUTEUR": [7.5, None, 0.0], "height": ["1", "2", "3"]})
    attributes, findings = read(table, {"height": "HAUTEUR"})
    assert attributes.height_m.tolist() == [7.5, 2.0, 3.0]
    assert findings == []
    attributes, _ = read(pa.table({"HAUTEUR": [7.5]}), {"building:height": "HAUTEUR"})
    assert attributes.height_m.tolist() == [7.5]


@pytest.mark.parametrize(
    ("column_map", "message"),
    [
        ({"hight": "H"}, "unknown attribute 'hight'; known: height, eave_height, min_height, levels"),
        ({"roof:shape": "A", "roof_shape": "B"}, "mapped twice"),
        ({"height": ""}, "give the name"),
    ],
)
def test_a_wrong_column_map_is_a_config_error(column_map: dict[str, str], message: str) -> None:
    for check in (check_column_map, lambda m: AttributeOptions(column_map=m), lambda m: columns_needed([], "osm", m)):
        with pytest.raises(ConfigError, match=message):
            check(column_map)


def test_a_mapped_column_must_exist_in_some_source() -> None:
    assert check_column_map({"height": "HAUTEUR"}, ["HAUTEUR", "x"]) == {"height": "HAUTEUR"}
    with pytest.raises(ConfigError, match="no source has a column 'hauteur'; did you mean HAUTEUR"):
        check_column_map({"height": "hauteur"}, ["HAUTEUR", "x"])


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, 21.0])
def test_a_wrong_storey_height_is_a_config_error(value: float) -> None:
    with pytest.raises(ConfigError, match="storey height"):
        AttributeOptions(storey_height_m=value)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, 1001.0])
def test_a_wrong_default_height_is_a_config_error(value: float) -> None:
    with pytest.raises(ConfigError, match="default height"):
        AttributeOptions(default_height_m=value)


def test_only_the_columns_that_matter_are_staged() -> None:
    available = ["osm_id", "name", *(f"addr:{k}" for k in range(300)), "roof:shape", "HAUTEUR", "building", "height"]
    assert columns_needed(available, "osm", {"height": "HAUTEUR"}) == ["roof:shape", "HAUTEUR", "building", "height"]
    assert columns_needed(["class", "part", "height", "Height"], "osm", {}) == ["height"]
    assert columns_needed(["class", "part", "height", "building"], "plain", {}) == [
        "class",
        "part",
        "height",
        "building",
    ]
    with pytest.raises(ConfigError, match="unknown dialect"):
        columns_needed(available, "klingon", {})


@given(ROWS)
@settings(max_examples=30, deadline=None)
def test_the_staged_columns_say_all_that_the_table_says(rows) -> None:
    table = table_of(rows).append_column("class", [["church"] * len(rows)]).append_column("part", [["1"] * len(rows)])
    staged = table.select(["dialect", *columns_needed(table.column_names, "osm", {})])
    assert plain_rows(*read(staged)) == plain_rows(*read(table))


def test_no_colour_stands_where_none_is_given() -> None:
    attributes, _ = read(table_of([{}, {"building:colour": "black"}]))
    assert attributes.wall_colour.tolist() == [NO_COLOUR, 0]
