"""Duplicates within a source, buildings of several sources in one place, overlaps: one stands, every row says why."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from builds import accounted, assert_same, build, rows, same_rows
from citygen.buildings.duplicates import OVERLAP_M2, find_overlaps
from citygen.validation.output import check_output

X, Y = 500_000.0, 5_150_000.0
GRIDS = ("metric:10", "metric:33", "metric:1000")


def box(x: float, y: float, w: float, h: float) -> shapely.Polygon:
    return shapely.box(X + x, Y + y, X + x + w, Y + y + h)


def source(path: Path, features: dict[str, tuple[shapely.Geometry, dict[str, Any]]]) -> Path:
    """Write a source; each feature is an id with its outline and its tags."""
    keys = sorted({key for _, tags in features.values() for key in tags})
    table = {"id": list(features), **{key: [tags.get(key) for _, tags in features.values()] for key in keys}}
    gpd.GeoDataFrame(table, geometry=[g for g, _ in features.values()], crs="EPSG:32631").to_parquet(path)
    return path


def in_all_tiles(folder: Path, *sources: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """Build in tiles of several sizes; the rows must be the same."""
    first: dict[str, dict[str, Any]] = {}
    for grid in GRIDS:
        out = folder / grid.replace(":", "_")
        build(out, buildings=[str(s) for s in sources], ground_z=5, grid=grid, id_column="id", **options)
        found = accounted(out)
        first = first or found
        same_rows(first, found, first, aside=("tile",))
        assert [i.code for i in check_output(out).issues] == []
    return first


def built(found: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, row in found.items() if row["tile"] is not None}


def said(row: dict[str, Any], code: str) -> str:
    return str(row["details"][row["reasons"].index(code)])


@pytest.mark.parametrize("copies", [0, 60])
def test_pairs_are_those_of_the_obvious_way(copies: int) -> None:
    corner = np.random.default_rng(1).uniform(0, 60, (60, 2))
    shapes = [shapely.box(x, y, x + 8, y + 8) for x, y in corner] + [shapely.box(5, 5, 40, 30)] * copies
    found = find_overlaps(np.array(shapes, dtype=object), np.arange(len(shapes)))
    told = {(int(a), int(b)): shared for a, b, shared in zip(found.one, found.other, found.shared_m2, strict=True)}
    every = {(a, b): shapes[a].intersection(shapes[b]).area for b in range(len(shapes)) for a in range(b)}
    real = {pair: shared for pair, shared in every.items() if shared > OVERLAP_M2}
    assert set(real) <= set(told)
    assert told == pytest.approx({pair: every[pair] for pair in told})


def test_the_same_outline_twice(tmp_path: Path) -> None:
    """The one with more attributes is built, then the earlier one; the other names it, also across a tile's border."""
    found = in_all_tiles(
        tmp_path,
        source(
            tmp_path / "a.parquet",
            {
                "first": (box(0, 0, 10, 10), {"height": 9.0}),
                "second": (box(0, 0, 10, 10), {"height": 9.0}),
                "poor": (box(20.2, 0, 10, 10), {}),
                "rich": (box(20, 0, 10, 10), {"height": 12.0, "roof:shape": "hipped"}),
                "inside": (box(41, 1, 5, 5), {"height": 4.0}),
                "around": (box(40, 0, 10, 10), {"height": 9.0}),
            },
        ),
    )
    assert built(found) == {"first", "rich", "inside", "around"}
    assert said(found["second"], "duplicate_footprint") == "first"
    assert said(found["poor"], "duplicate_footprint") == "rich"
    assert said(found["inside"], "overlaps_building") == "around, 25.00 m2"
    assert said(found["around"], "overlaps_building") == "inside, 25.00 m2"
    assert {row["outcome"] for row in found.values()} == {"ok"}


def test_a_duplicate_gives_what_the_other_lacks(tmp_path: Path) -> None:
    found = in_all_tiles(
        tmp_path,
        source(
            tmp_path / "a.parquet",
            {
                "roofed": (box(0, 0, 10, 12), {"roof:shape": "hipped", "roof:colour": "red", "building": "house"}),
                "high": (box(0, 0, 10, 12), {"height": 14.0}),
            },
        ),
    )
    assert built(found) == {"roofed"}
    assert found["roofed"]["height_m"] == pytest.approx(14)
    assert found["roofed"]["roof_shape"] == "hipped"
    assert said(found["roofed"], "attributes_from") == "high: height"


def test_two_halves_of_one_extent_are_two_buildings(tmp_path: Path) -> None:
    lower, upper = (
        shapely.Polygon([(X, Y), (X + 10, Y + (10 if up else 0)), (X + (0 if up else 10), Y + 10)]) for up in (0, 1)
    )
    found = in_all_tiles(tmp_path, source(tmp_path / "a.parquet", {"l": (lower, {}), "u": (upper, {})}))
    assert built(found) == {"l", "u"}


def test_earlier_sources_stand(tmp_path: Path) -> None:
    one = source(
        tmp_path / "one.parquet",
        {"block": (box(0, 0, 40, 10), {}), "shed": (box(62, 2, 4, 4), {}), "bare": (box(100, 0, 12, 10), {})},
    )
    two = source(
        tmp_path / "two.parquet",
        {
            **{f"house{k}": (box(10 * k, 0.3, 10, 10), {"height": 8.0}) for k in range(4)},
            "hall": (box(60, 0, 30, 20), {"height": 11.0}),
            "beside": (box(39, 0, 10, 10), {"height": 7.0}),
            "alike": (box(100.3, 0, 12, 10), {"height": 13.5, "roof:shape": "hipped"}),
        },
    )
    found = in_all_tiles(tmp_path, one, two)
    assert built(found) == {"block", "shed", "bare", "hall", "beside"}
    assert said(found["house2"], "covered_by_other_source") == "block, 0.97 of it"
    assert "overlaps_building" in found["hall"]["reasons"], "a shed within stands, and does not stand for the hall"
    assert said(found["beside"], "overlaps_building") == "block, 10.00 m2"
    assert found["bare"]["height_m"] == pytest.approx(13.5)
    assert found["bare"]["roof_shape"] == "hipped"
    assert said(found["bare"], "attributes_from") == "alike: height, roof"
    assert "attributes_from" not in found["block"]["reasons"], "a house in a block is not the block"
    turned = tmp_path / "turned"
    turned.mkdir()
    assert built(in_all_tiles(turned, two, one)) == {"house0", "house1", "house2", "house3", "hall", "beside", "alike"}


def test_what_does_not_stand_covers_nothing(tmp_path: Path) -> None:
    """The middle one falls to the first; the third lies on the middle one's other half."""
    sources = [
        source(tmp_path / f"{name}.parquet", {name: (shape, {"height": 9.0})})
        for name, shape in (("a", box(0, 0, 12, 10)), ("b", box(0, 0, 20, 10)), ("c", box(12.5, 0, 7, 10)))
    ]
    found = in_all_tiles(tmp_path, *sources)
    assert built(found) == {"a", "c"}
    assert said(found["b"], "covered_by_other_source") == "a, 0.60 of it"


def test_parts_go_with_their_outline(tmp_path: Path) -> None:
    one = source(tmp_path / "one.parquet", {"plan": (box(0, 0, 20, 10), {"height": 9.0})})
    two = source(
        tmp_path / "two.parquet",
        {
            "outline": (box(0.2, 0, 20, 10), {"building": "yes"}),
            "low": (box(0.2, 0, 10, 10), {"building:part": "yes", "height": 4.0}),
            "high": (box(10.2, 0, 10, 10), {"building:part": "yes", "height": 14.0}),
        },
    )
    found = in_all_tiles(tmp_path, one, two)
    assert built(found) == {"plan"}
    assert all("covered_by_other_source" in found[name]["reasons"] for name in ("outline", "low", "high"))
    turned = tmp_path / "turned"
    turned.mkdir()
    assert built(in_all_tiles(turned, two, one)) == {"low", "high"}


@pytest.mark.slow
def test_many_random_sources_in_any_tiles_and_processes(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    paths = []
    for name in "pqr":
        shapes = {
            f"{name}{k}": (box(*rng.uniform(0, 120, 2), *rng.uniform(4, 25, 2)), {"height": float(rng.integers(4, 20))})
            for k in range(60)
        }
        shapes[f"{name}-again"] = (shapes[f"{name}7"][0], {})
        paths.append(source(tmp_path / f"{name}.parquet", shapes))
    found = in_all_tiles(tmp_path, *paths)
    standing = [name for name in found if name in built(found)]
    shapes = {name: shapely.from_wkb(found[name]["geometry"]) for name in found}
    for name, row in found.items():
        if "covered_by_other_source" in row["reasons"]:
            before = shapely.union_all([shapes[s] for s in standing if s[0] < name[0]])
            assert shapes[name].intersection(before).area > 0.5 * shapes[name].area
        else:
            before = shapely.union_all([shapes[s] for s in standing if s[0] < name[0]])
            assert name not in standing or shapes[name].intersection(before).area <= 0.5 * shapes[name].area + 1e-6
    options = {"buildings": [str(p) for p in paths], "ground_z": 5, "grid": "metric:33", "id_column": "id"}
    build(tmp_path / "two", workers=2, **options)
    assert_same(tmp_path / "metric_33", tmp_path / "two")


def test_an_area_cuts_no_neighbour(tmp_path: Path) -> None:
    """Neighbours beyond the area have no row, but they share walls and stand for later sources all the same."""
    one = source(tmp_path / "one.parquet", {f"t{k}": (box(10 * k, 0, 10, 8), {"height": 8.0}) for k in range(6)})
    two = source(tmp_path / "two.parquet", {"u": (box(21, 0, 8, 8), {"height": 5.0})})
    options = {"buildings": [str(one), str(two)], "ground_z": 5, "id_column": "id", "crs": "EPSG:32631"}
    gpd.GeoSeries([box(-5, -5, 21, 30)], crs="EPSG:32631").to_file(tmp_path / "area.gpkg")
    build(tmp_path / "all", **options)
    outcome = build(tmp_path / "cut", aoi=tmp_path / "area.gpkg", **options)
    whole, cut = rows(tmp_path / "all"), rows(tmp_path / "cut")
    assert set(cut) == {"t0", "t1"}
    same_rows(cut, whole, cut)
    assert outcome.report["rows_outside_aoi"] == 5


def test_what_is_known_of_a_neighbour_in_another_tile(tmp_path: Path) -> None:
    """A neighbour that falls to its duplicate, and one whose height comes from a double: neither reaches the house itself."""
    tags = {"roof:shape": "flat"}
    one = source(
        tmp_path / "one.parquet",
        {
            "house": (box(0, 0, 10, 8), {"height": 20.0, **tags}),
            "bare": (box(10, 0, 10, 8), tags),
            "other": (box(40, 0, 10, 8), {"height": 20.0, **tags}),
            "poor": (box(50, 0, 10, 8), {"height": 9.0}),
            "rich": (box(50.3, 0, 10, 8), {"height": 9.0, **tags}),
        },
    )
    two = source(tmp_path / "two.parquet", {"double": (box(10.8, 0, 9.2, 8), {"height": 13.5})})
    found = in_all_tiles(tmp_path, one, two)
    assert built(found) == {"house", "bare", "other", "rich"}
    assert found["house"]["shared_wall_area_m2"] == pytest.approx(13.5 * 8)
    assert found["other"]["shared_wall_area_m2"] == 0
