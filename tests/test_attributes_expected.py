"""Every raw value of the hard cases is read as its table of expectations says, from Arrow tables and through GDAL."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from citygen.attributes.options import AttributeOptions
from citygen.attributes.read import read_attributes
from citygen.model.attributes import NO_COLOUR, Attributes
from citygen.outcome import verdicts

CONTRADICTIONS = {
    # case: (top, underside, codes); top is the known one of height and eave
    "c-min>height": (5.0, 0.0, ["height_contradiction"]),
    "c-min=height": (5.0, 0.0, ["height_contradiction"]),
    "c-roof>height": (5.0, 0.0, []),  # for the roof to judge
    "c-roof=height": (5.0, 0.0, []),  # for the roof to judge
    "c-neg-min": (5.0, 0.0, ["attribute_unread"]),
    "c-min_level>levels": (6.0, 0.0, ["height_contradiction"]),
    "c-height0-levels5": (15.0, 0.0, ["height_contradiction"]),
    "c-height3-levels30": (3.0, 0.0, ["height_contradiction"]),
    "c-angle-vs-height": (9.0, 0.0, []),  # for the roof to judge
    "c-flat-with-roofheight": (9.0, 0.0, []),  # for the roof to judge
    "c-roof-levels-only": (6.0, 0.0, ["height_default"]),
    "c-underground": (4.0, 0.0, ["underground"]),
    "c-everything-missing": (6.0, 0.0, ["height_default"]),
}
ZERO = {"a016"}
NOT_GIVEN = {"a022", "a023"}
CUT_BY_GDAL = {"a034"}  # '12' and a NUL: GDAL's strings end at the NUL


@pytest.fixture(scope="module")
def folder(testdata: Path) -> Path:
    return testdata / "hardcases" / "synthetic" / "attributes"


@pytest.fixture(scope="module")
def cases(folder: Path) -> list[dict[str, str]]:
    with (folder / "attributes_expected.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def raw_of(case: dict[str, str]) -> object:
    """Return a raw value; the table cuts the longest one in its middle."""
    text = case["raw"]
    return json.loads(text + '"' if text.startswith('"') and (len(text) == 1 or not text.endswith('"')) else text)


def as_tags(case: dict[str, str]) -> dict[str, object]:
    raw = raw_of(case)
    return raw if case["key"] == "*" else {case["key"]: raw}


def run(table: pa.Table) -> tuple[Attributes, list[list[str]], list[list[str]]]:
    attributes, findings = read_attributes(table, np.full(table.num_rows, 96.0), AttributeOptions())
    _, codes, details = verdicts(table.num_rows, findings)
    return attributes, codes.tolist(), details.tolist()


def read_alone(case: dict[str, str]) -> tuple[Attributes, list[str], list[str]]:
    tags = {key: pa.array([value]) for key, value in as_tags(case).items()}
    attributes, codes, details = run(pa.table({"dialect": ["osm"], **tags}))
    return attributes, codes[0], details[0]


VALUE: dict[str, Callable[[Attributes, int], object]] = {
    "height": lambda a, k: a.height_m[k],
    "building:levels": lambda a, k: a.levels[k],
    "roof:shape": lambda a, k: a.roof_shape[k],
    "roof:angle": lambda a, k: a.roof_angle_deg[k],
    "roof:direction": lambda a, k: a.roof_direction_deg[k],
    "building:colour": lambda a, k: f"#{a.wall_colour[k]:06x}" if a.wall_colour[k] != NO_COLOUR else math.nan,
}


def complaint(case: dict[str, str], attributes: Attributes, k: int, codes: list[str], details: list[str]) -> str | None:
    """Say what is wrong with a row, None when it is as expected."""
    key, expected = case["key"], case["expected"]
    if key == "*":
        return contradiction_complaint(case["id"], attributes, k, codes)
    value = VALUE[key](attributes, k)
    if key == "roof:shape":  # unknown shapes are for the roofs to judge: the word must arrive
        return None if value == str(raw_of(case)).lower() else f"word {value!r}"
    if case["rule"] == "parsed":
        good = value == expected if isinstance(value, str) else value == pytest.approx(float(expected), abs=1e-9)
        return None if good and "attribute_unread" not in codes else f"{value!r} {codes}"
    if not (isinstance(value, float) and math.isnan(value)):
        return f"value {value!r} of an unreadable one"
    wanted = [] if case["id"] in NOT_GIVEN else ["height_zero"] if case["id"] in ZERO else ["attribute_unread"]
    if codes != [*wanted, "height_default"]:
        return f"codes {codes}"
    raw = raw_of(case)
    if wanted == ["attribute_unread"] and isinstance(raw, str) and repr(raw[:40])[:-1] not in details[0]:
        return f"the raw value is not in {details[0]!r}"
    return None if attributes.height_from[k] == "default" else f"height from {attributes.height_from[k]}"


def contradiction_complaint(name: str, attributes: Attributes, k: int, codes: list[str]) -> str | None:
    top = attributes.height_m[k] if not math.isnan(attributes.height_m[k]) else attributes.eave_height_m[k]
    found = (top, attributes.min_height_m[k], codes)
    return None if found == CONTRADICTIONS[name] else f"{found} for {CONTRADICTIONS[name]}"


def test_every_case_alone_with_its_own_arrow_type(cases: list[dict[str, str]]) -> None:
    complaints = {}
    for case in cases:
        attributes, codes, details = read_alone(case)
        wrong = complaint(case, attributes, 0, codes, details)
        if wrong:
            complaints[case["id"]] = wrong
    assert complaints == {}
    assert len(cases) == 84


def test_every_case_in_one_table_of_strings(cases: list[dict[str, str]]) -> None:
    tags = [as_tags(case) for case in cases]
    keys = sorted({key for one in tags for key in one})

    def text(value: object) -> str | None:
        return value if value is None or isinstance(value, str) else json.dumps(value)

    table = pa.table({"dialect": ["osm"] * len(tags), **{k: [text(one.get(k)) for one in tags] for k in keys}})
    attributes, codes, details = run(table)
    complaints = {
        case["id"]: wrong
        for k, case in enumerate(cases)
        if (wrong := complaint(case, attributes, k, codes[k], details[k]))
    }
    assert complaints == {}


def test_every_case_through_gdal(folder: Path, cases: list[dict[str, str]], tmp_path: Path) -> None:
    import pyogrio

    path = tmp_path / "attributes.geojson"
    shutil.copyfile(folder / "attributes.geojson", path)
    _, table = pyogrio.read_arrow(path)
    row_of = {name: k for k, name in enumerate(table["id"].to_pylist())}
    attributes, codes, details = run(table.append_column("dialect", [["osm"] * table.num_rows]))
    complaints = {
        case["id"]: wrong
        for case in cases
        if case["id"] not in CUT_BY_GDAL
        for k in [row_of[case["id"]]]
        if (wrong := complaint(case, attributes, k, codes[k], details[k]))
    }
    assert complaints == {}
    assert len(row_of) == 84


def test_a_body_of_positive_height_remains_in_every_case(cases: list[dict[str, str]]) -> None:
    for case in cases:
        attributes, _, _ = read_alone(case)
        top = np.fmax(attributes.height_m, attributes.eave_height_m)
        assert (top - attributes.min_height_m > 0).all(), case
