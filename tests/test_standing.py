"""Buildings on slopes: datums, foundations, entrances, what is dug in; and real towns looked up again by other code."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
import standing
from rasterio.transform import from_origin
from standing import TOWNS, examine, read_buildings

from builds import accounted, build, rows, sample
from test_ground_under import UTM, X0, Y0, write_dem

FALL = 0.2
MARGIN = 0.25


def ground(x: float) -> float:
    return 100 + FALL * (x - X0)


@pytest.fixture(scope="module")
def hill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plane that rises to the east by 1 in 5."""
    x = np.arange(200) + 0.5
    return write_dem(
        tmp_path_factory.mktemp("hill") / "hill.tif", np.tile(100 + FALL * x, (100, 1)), from_origin(X0, Y0, 1, 1)
    )


def lot(x: float, y: float, w: float, h: float, **tags: Any) -> dict[str, Any]:
    """A box: x to the east, y to the south of the DEM's corner."""
    shape = shapely.box(X0 + x, Y0 - y - h, X0 + x + w, Y0 - y)
    return {"type": "Feature", "properties": tags, "geometry": shapely.geometry.mapping(shape)}


def raise_town(folder: Path, hill: Path, features: list[dict[str, Any]], **options: Any) -> dict[str, dict[str, Any]]:
    path = folder / "town.geojson"
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25833"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    common = {"buildings": [str(path)], "dem": [str(hill)], "crs": UTM, "id_column": "id", "height_model": "off"}
    build(folder / "out", **{**common, **options})
    return accounted(folder / "out")


STACK = [
    lot(20, 20, 40, 20, id="all", building="yes", height=20),
    lot(20, 20, 20, 20, **{"id": "low", "building:part": "yes", "height": 12}),
    lot(40, 20, 20, 20, **{"id": "high", "building:part": "yes", "height": 20}),
    lot(42, 22, 10, 10, **{"id": "spire", "building:part": "yes", "min_height": 20, "height": 28}),
]
DATUMS = {"lowest": ground(X0 + 20), "mean": ground(X0 + 40), "highest": ground(X0 + 60), "entrance": ground(X0 + 40)}


@pytest.mark.parametrize("datum", DATUMS)
def test_parts_on_a_slope_share_one_datum_and_one_foot(hill: Path, tmp_path: Path, datum: str) -> None:
    found = raise_town(tmp_path, hill, STACK, datum=datum)
    parts = [found[name] for name in ("low", "high", "spire")]
    assert found["all"]["tile"] is None
    for row, height in zip(parts, (12, 20, 28), strict=True):
        assert row["ground_z"] == pytest.approx(DATUMS[datum], abs=1e-9)
        assert row["height_m"] == pytest.approx(height, abs=1e-9)
        assert row["ridge_z"] == pytest.approx(DATUMS[datum] + height, abs=1e-9)
        assert row["ground_slope_deg"] == pytest.approx(math.degrees(math.atan(FALL)), abs=1e-6)
        assert row["cut_m3"] is None
        assert ("entrance_unknown" in row["reasons"]) == (datum == "entrance")
    low, high, spire = parts
    assert (low["base_z"], high["base_z"]) == pytest.approx((ground(X0 + 20) - MARGIN,) * 2, abs=1e-9)
    assert spire["base_z"] == pytest.approx(DATUMS[datum] + 20, abs=1e-9)
    assert (low["ground_min"], low["ground_max"]) == pytest.approx((ground(X0 + 20), ground(X0 + 40)), abs=1e-9)
    assert (high["ground_min"], high["ground_max"]) == pytest.approx((ground(X0 + 40), ground(X0 + 60)), abs=1e-9)
    solids = read_buildings(tmp_path / "out")
    assert solids["high"].base == pytest.approx(high["base_z"], abs=1e-3)


def test_parts_that_cover_each_other_count_once_in_the_mean(hill: Path, tmp_path: Path) -> None:
    """Ten more parts over the upper half must not draw the mean uphill."""
    more = [
        lot(40, 20, 20, 20, **{"id": f"s{k}", "building:part": "yes", "min_height": 20 + k, "height": 21 + k})
        for k in range(10)
    ]
    found = raise_town(tmp_path, hill, [*STACK[:3], *more], datum="mean")
    levels = [row["ground_z"] for row in found.values() if row["tile"]]
    assert levels == pytest.approx([DATUMS["mean"]] * 12, abs=1e-9)


def test_the_entrance_is_where_the_data_say(hill: Path, tmp_path: Path) -> None:
    def door(x: float, y: float) -> str:
        return f"POINT ({X0 + x} {Y0 - y})"

    features = [
        lot(20, 20, 20, 10, id="given", building="yes", height=9, entrance=door(38, 20)),
        lot(50, 20, 20, 10, id="outside", building="yes", height=9, entrance=door(60, 15)),
        lot(80, 20, 20, 10, id="far", building="yes", height=9, entrance=door(80, 80)),
        lot(20, 50, 20, 10, id="word", building="yes", height=9, entrance="main"),
        lot(50, 50, 20, 10, id="none", building="yes", height=9),
        lot(80, 50, 20, 10, id="whole", building="yes", height=9),
        lot(80, 50, 12, 10, **{"id": "left", "building:part": "yes", "height": 9}),
        lot(92, 50, 8, 10, **{"id": "right", "building:part": "yes", "height": 7, "entrance": door(99, 50)}),
    ]
    found = raise_town(tmp_path, hill, features, datum="entrance", map={"entrance": "entrance"})
    expected = {"given": 38, "outside": 60, "far": 90, "word": 30, "none": 60, "left": 99, "right": 99}
    assert {k: round(found[k]["ground_z"], 6) for k in expected} == {
        k: round(ground(X0 + x), 6) for k, x in expected.items()
    }
    told = {k: dict(zip(r["reasons"], r["details"], strict=True)).get("entrance_unknown") for k, r in found.items()}
    assert (told["given"], told["outside"], told["left"], told["right"]) == (None,) * 4
    assert told["far"] == "entrance: 50 m from the outline"
    assert told["word"] == "entrance='main'"
    assert told["none"] == "no entrance is given"
    assert {row["outcome"] for k, row in found.items() if told.get(k)} == {"ok"}


def test_a_roof_below_the_ground_is_said_and_a_guess_is_raised(hill: Path, tmp_path: Path) -> None:
    features = [
        lot(20, 20, 40, 10, id="stated", building="yes", height=5),  # the ground rises by 8 m under it
        lot(20, 40, 40, 10, id="guessed", building="yes"),
        lot(20, 60, 10, 10, id="small", building="yes"),  # 2 m
        lot(80, 60, 40, 10, id="storeys", building="yes", **{"building:levels": 2}),
        lot(80, 20, 40, 10, id="pitched", building="yes", **{"roof:shape": "gabled", "roof:height": 3}),
    ]
    found = raise_town(tmp_path, hill, features, default_height=6, dialect="osm")
    assert (found["stated"]["height_m"], found["stated"]["outcome"]) == (pytest.approx(5), "ok")
    assert "buried" in found["stated"]["reasons"]
    assert (
        found["stated"]["details"][found["stated"]["reasons"].index("buried")] == "eave 3.00 m below the highest ground"
    )
    assert "buried" in found["storeys"]["reasons"]
    assert found["storeys"]["height_m"] == pytest.approx(6)
    assert "raised_above_ground" in found["guessed"]["reasons"]
    assert (found["guessed"]["eave_z"], found["guessed"]["outcome"]) == (pytest.approx(ground(X0 + 60) + 2), "degraded")
    assert found["pitched"]["eave_z"] == pytest.approx(ground(X0 + 120) + 2)
    assert found["pitched"]["ridge_z"] == pytest.approx(ground(X0 + 120) + 5)
    assert not {"buried", "raised_above_ground"} & set(found["small"]["reasons"])
    level = raise_town(tmp_path / "out", hill, features, default_height=6, dialect="osm", platforms=True)
    assert not any({"buried", "raised_above_ground"} & set(row["reasons"]) for row in level.values())


def test_platforms_are_columns_once_a_building(hill: Path, tmp_path: Path) -> None:
    alone = [lot(120, 20, 20, 20, id="house", building="yes", height=9)]
    found = raise_town(tmp_path, hill, STACK + alone, datum="mean", platforms=True, platform_slope=45)
    assert [found[name]["cut_m3"] is None for name in ("all", "low", "high", "spire", "house")] == [
        True, False, True, True, False,
    ]  # fmt: skip
    inside = 20 * 20 * FALL * 20 / 2
    assert found["low"]["cut_m3"] > inside
    assert found["low"]["cut_m3"] == pytest.approx(found["low"]["fill_m3"], rel=0.01)
    depth, steep = FALL * 10, 1.0
    beyond = 20 * depth**2 / (2 * (steep - FALL)) + 2 * depth**2 * 10 / (6 * steep)
    corners = 2 * sum(
        depth**3 / (6 * (steep - FALL * math.cos((k + 0.5) * math.pi / 2000)) ** 2) * math.pi / 2000
        for k in range(1000)
    )
    assert found["house"]["cut_m3"] == pytest.approx(20 * 10 * depth / 2 + beyond + corners, rel=0.02)
    assert found["house"]["base_z"] == pytest.approx(ground(X0 + 120) - MARGIN)


def test_foundations_are_as_deep_as_asked_and_level_ground_needs_none(hill: Path, tmp_path: Path) -> None:
    features = [lot(20, 20, 20, 10, id="a", building="yes", height=9)]
    deep = raise_town(tmp_path, hill, features, foundation=3)["a"]
    assert (deep["base_z"], deep["height_m"]) == pytest.approx((ground(X0 + 20) - 3, 9))
    path = tmp_path / "town.geojson"
    build(tmp_path / "level", buildings=[str(path)], crs=UTM, id_column="id", ground_z=7.0)
    level = rows(tmp_path / "level")["a"]
    assert (level["base_z"], level["ground_min"], level["ground_max"], level["ground_slope_deg"]) == (
        7.0,
        7.0,
        7.0,
        0.0,
    )


@pytest.mark.parametrize("datum", ["mean", "highest"])
def test_tiles_and_workers_do_not_matter(hill: Path, tmp_path: Path, datum: str) -> None:
    alone = [lot(7 + 25 * k, 70, 18, 9, id=f"h{k}", building="yes", height=9) for k in range(7)]
    options = {"datum": datum, "platforms": True}
    one = raise_town(tmp_path, hill, STACK + alone, **options, grid="metric:500")
    (tmp_path / "other").mkdir()
    many = raise_town(tmp_path / "other", hill, STACK + alone, **options, grid="metric:40")
    for name, row in one.items():
        assert {k: v for k, v in many[name].items() if k != "tile"} == {k: v for k, v in row.items() if k != "tile"}
    assert len({row["tile"] for row in many.values() if row["tile"]}) > 3


@pytest.fixture(scope="module")
def built(testdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what was seen of a town and a mode; each is built once."""
    seen: dict[tuple[str, str], standing.Counts] = {}

    def look(town: standing.Town, datum: str) -> standing.Counts:
        if (town.name, datum) not in seen:
            out = tmp_path_factory.mktemp("town") / "out"
            standing.build(town, testdata / "realdata", out, datum=datum)
            seen[town.name, datum] = examine(out, testdata / "realdata" / town.dem)
        return seen[town.name, datum]

    return look


CASES = [(town, "lowest") for town in TOWNS] + [
    (town, mode) for town in TOWNS if town.name in ("Monaco", "Den Haag") for mode in standing.MODES[1:]
]


@pytest.mark.parametrize(("town", "datum"), CASES, ids=lambda value: getattr(value, "name", value))
def test_no_building_of_a_real_town_floats_or_is_buried_in_silence(built: Any, town: standing.Town, datum: str) -> None:
    counts = built(town, datum)
    print("  ".join(standing.row_of(town, datum, counts)))  # noqa: T201
    assert counts.floating == []
    assert counts.buried == []
    assert counts.wrong == []
    assert len(counts.hovering) <= town.hovering
    assert (
        counts.built
        >= {"La Rochelle": 346, "Monaco": 1219, "Andorra": 292, "Den Haag": 632, "Göteborg": 137}[town.name]
    )
    assert len(counts.beside) == (96 if town.name == "Göteborg" else 0)
    assert len(counts.depth) + len(counts.hovering) + len(counts.beside) == counts.built
    assert min(counts.depth) == pytest.approx(MARGIN, abs=0.02)


def test_the_look_sees_what_floats_and_what_is_buried(sample_out: Path, tmp_path: Path) -> None:
    """Over ground that was moved after the build, every building hangs, or lies in it."""
    dem = Path(__file__).parent.parent / "data" / "sample" / "dem.tif"
    right = examine(sample_out, dem)
    assert (right.floating, right.buried, right.wrong) == ([], [], [])
    with rasterio.open(dem) as raster:
        cells, profile = raster.read(1), raster.profile
    for moved, name in ((-60.0, "floating"), (60.0, "buried")):
        path = tmp_path / f"{name}.tif"
        with rasterio.open(path, "w", **profile) as raster:
            raster.write(cells + np.float32(moved), 1)
        wrong = examine(sample_out, path)
        assert len(getattr(wrong, name)) + len(wrong.hovering) + len(wrong.said) + len(wrong.beside) >= wrong.built
        assert len(getattr(wrong, name)) > 0.9 * wrong.built


def test_the_table_of_the_page_is_that_of_today(built: Any) -> None:
    text = (Path(__file__).parent.parent / "docs" / "standing.md").read_text(encoding="utf-8")
    for town, datum in CASES:
        assert "| " + " | ".join(standing.row_of(town, datum, built(town, datum))) + " |" in text


def test_the_sample_in_every_mode(tmp_path: Path) -> None:
    dem = Path(__file__).parent.parent / "data" / "sample" / "dem.tif"
    tops = []
    for datum in ("lowest", "mean", "highest"):
        sample(tmp_path / datum, datum=datum)
        counts = examine(tmp_path / datum, dem)
        assert (counts.floating, counts.buried, counts.wrong) == ([], [], [])
        found = rows(tmp_path / datum)
        tops.append(np.array([found[name]["ground_z"] for name in sorted(found) if found[name]["tile"]]))
    assert np.all(tops[0] <= tops[1])
    assert np.all(tops[1] <= tops[2])
    assert np.max(tops[2] - tops[0]) > 0.5
