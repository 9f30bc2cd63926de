"""Heights that no source gives: estimated in the plan, the same for any tiles and workers, and not at all where all are given."""

import json
from pathlib import Path

import geopandas as gpd
import imputation
import numpy as np
import pyarrow as pa
import pytest
import shapely

from builds import assert_same, build, rows
from citygen.attributes.options import AttributeOptions
from citygen.pipeline import evidence, learning, nearby
from citygen.pipeline.estimates import HEIGHTS, estimates_of
from citygen.pipeline.town import Town


def houses(n: int = 400, *, hidden: float = 0.3, storeys: bool = False, seed: int = 7) -> gpd.GeoDataFrame:
    """Return a town whose heights hang on floor area and quarter, some of them hidden."""
    random = np.random.default_rng(seed)
    k = np.arange(n)
    x, y = 500_000.0 + 30 * (k % 20), 5_150_000.0 + 30 * (k // 20)
    wide = random.uniform(6, 20, n)
    heights = np.round(2 + 0.03 * wide * 10 + np.where(k % 20 < 10, 3.0, 0.0) + random.normal(0, 0.2, n), 1)
    given = np.where(random.random(n) < hidden, np.nan, heights)
    data = {"id": [f"house-{i}" for i in k], "height": given, "truth": heights, "building": ["house"] * n}
    if storeys:
        data["building:levels"] = np.where(k % 2 == 0, np.round(heights / 4), np.nan)
    return gpd.GeoDataFrame(data, geometry=shapely.box(x, y, x + wide, y + 10), crs="EPSG:32631")


def written(tmp_path: Path, frame: gpd.GeoDataFrame) -> str:
    path = tmp_path / "town.parquet"
    frame.to_parquet(path)
    return str(path)


def test_tiles_and_workers_change_no_height(tmp_path: Path) -> None:
    source = written(tmp_path, houses(storeys=True))
    common = {"buildings": [source], "ground_z": 0, "id_column": "id", "format": "glb"}
    build(tmp_path / "one", workers=1, **common)
    build(tmp_path / "two", workers=2, **common)
    assert_same(tmp_path / "one", tmp_path / "two")
    build(tmp_path / "small", grid="metric:100", **common)
    big, small = rows(tmp_path / "one"), rows(tmp_path / "small")
    assert big.keys() == small.keys()
    for name, row in big.items():
        for column in ("height_m", "height_from", "height_sigma_m", "reasons", "details"):
            assert row[column] == small[name][column], (name, column)
    froms = [row["height_from"] for row in big.values()]
    assert froms.count("model") > 50, "the test tests nothing"
    said = json.loads((tmp_path / "one" / "report.json").read_text())["heights"]
    assert said == json.loads((tmp_path / "small" / "report.json").read_text())["heights"]
    assert said["model"]["used"]
    assert said["model"]["without_storeys"]["mae"] < said["model"]["without_storeys"]["against"]["neighbours"]


def test_the_model_beats_the_neighbours_on_heights_that_it_never_saw(tmp_path: Path) -> None:
    frame = houses()
    hidden = frame["height"].isna().to_numpy()
    errors = {}
    for model in ("auto", "off"):
        outcome = build(
            tmp_path / model,
            buildings=[written(tmp_path, frame.drop(columns="truth"))],
            ground_z=0,
            id_column="id",
            height_model=model,
        )
        found = rows(tmp_path / model)
        ours = np.array([found[name]["height_m"] for name in frame["id"]])
        errors[model] = np.median(np.abs(ours - frame["truth"])[hidden])
        counted = outcome.report["heights_from"]
        assert counted == {
            "height": int((~hidden).sum()),
            "model" if model == "auto" else "neighbours": int(hidden.sum()),
        }
    assert errors["auto"] < 0.4 < errors["off"]


def test_nothing_is_gathered_or_written_where_every_row_has_a_height(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "gather_town", lambda *_a, **_k: pytest.fail("the rows were gathered"))
    outcome = build(tmp_path / "out", buildings=[written(tmp_path, houses(hidden=0.0))], ground_z=0, id_column="id")
    assert not (tmp_path / "out" / ".citygen" / "plan" / HEIGHTS).exists()
    assert outcome.report["heights"] == {
        "given": 400,
        "not_given": 0,
        "model": {"used": False, "why": "every footprint has a height"},
    }


def test_without_the_library_the_report_says_so_and_neighbours_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "has", lambda _module: False)
    outcome = build(tmp_path / "out", buildings=[written(tmp_path, houses())], ground_z=0, id_column="id")
    assert outcome.report["heights"]["model"] == {"used": False, "why": evidence.NOT_INSTALLED}
    assert "model" not in outcome.report["heights_from"]
    assert outcome.report["heights_from"]["neighbours"] > 100


def test_a_default_height_that_was_asked_for_stands_in_the_place_of_all_estimates(tmp_path: Path) -> None:
    outcome = build(
        tmp_path / "out", buildings=[written(tmp_path, houses())], ground_z=0, id_column="id", default_height=5
    )
    assert set(outcome.report["heights_from"]) == {"height", "default"}
    assert outcome.report["heights"]["model"]["why"] == "a default height was asked for"


def test_few_measured_heights_teach_nothing(tmp_path: Path) -> None:
    outcome = build(tmp_path / "out", buildings=[written(tmp_path, houses(90, hidden=0.2))], ground_z=0, id_column="id")
    assert "fewer than the 100" in outcome.report["heights"]["model"]["why"]


def test_parts_are_neither_asked_nor_estimated(tmp_path: Path) -> None:
    frame = houses(60, hidden=0.0)
    frame["building:part"] = np.where(np.arange(60) < 30, "yes", None)
    frame["building"] = np.where(np.arange(60) < 30, None, "house")
    frame.loc[:29, "height"] = 50.0
    frame.loc[[29, 59], "height"] = np.nan
    build(tmp_path / "out", buildings=[written(tmp_path, frame)], ground_z=0, id_column="id")
    found = rows(tmp_path / "out")
    assert (found["house-59"]["height_from"], found["house-59"]["height_m"] < 20) == ("neighbours", True)
    assert found["house-29"]["height_from"] == "default"


def test_storeys_of_neighbours_stand_in_where_no_height_is_near(tmp_path: Path) -> None:
    frame = houses(40, hidden=1.0)
    frame["building:levels"] = np.where(np.arange(40) < 39, 4.0, np.nan)
    build(tmp_path / "out", buildings=[written(tmp_path, frame)], ground_z=0, id_column="id")
    row = rows(tmp_path / "out")["house-39"]
    assert (row["height_from"], row["height_m"]) == ("neighbours", 12.0)


def town_of(n: int = 300, seed: int = 1) -> Town:
    random = np.random.default_rng(seed)
    area = np.exp(random.normal(5, 0.7, n))
    heights = 2 + np.log(area) + random.normal(0, 0.1, n)
    return Town(
        uid=np.arange(n), xy=random.random((n, 2)) * 600, group=np.zeros(n, dtype=np.int64), classes=("house",),
        area_m2=area, shape=np.column_stack([np.full(n, 0.7), np.full(n, 1.5), np.full(n, 5.0)]), measured_m=heights,
        storeys_m=np.full(n, 3.0), levels=np.ones(n), open=np.zeros(n, dtype=bool), of_top=True,
    )  # fmt: skip


def test_the_trees_are_the_same_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    import threadpoolctl

    town, some = town_of(), np.arange(0, 300, 2)
    with threadpoolctl.threadpool_limits(limits=1):
        alone = learning._Model(town, some, with_storeys=False)(np.arange(300))

    class Free:
        def __init__(self, **_limits: int) -> None: ...
        def __enter__(self) -> None: ...
        def __exit__(self, *_error: object) -> None: ...

    monkeypatch.setattr(threadpoolctl, "threadpool_limits", Free)  # as many threads as the machine has
    assert np.array_equal(learning._Model(town, some, with_storeys=False)(np.arange(300)), alone)


def test_a_model_that_does_not_win_is_not_used() -> None:
    town = town_of()
    noise = np.random.default_rng(2).normal(8, 1, len(town))
    flat = Town(**{**{name: getattr(town, name) for name in Town.__dataclass_fields__}, "measured_m": noise})
    estimate, verdict = learning.learn(flat, np.arange(5), with_storeys=False)
    assert not verdict.used
    assert np.isnan(estimate.metres).all()
    assert verdict.mae_m > learning.MARGIN * verdict.against_m["neighbours"]
    exact = Town(**{**{name: getattr(town, name) for name in Town.__dataclass_fields__}, "storeys_m": town.measured_m})
    assert not learning.learn(exact, np.arange(5), with_storeys=True)[1].used  # storeys that are never wrong
    assert learning.learn(town, np.arange(5), with_storeys=True)[1].used


def test_more_storeys_than_any_measured_building_are_left_to_the_storeys() -> None:
    town = town_of()
    town.levels[:3] = [1, 2, 30]
    town.measured_m[2] = np.nan
    estimate, verdict = learning.learn(town, np.arange(3), with_storeys=True)
    assert verdict.used
    assert np.isfinite(estimate.metres).tolist() == [True, True, False]


def test_medians_of_neighbours_and_types_by_hand() -> None:
    xy = np.column_stack([np.arange(30) * 10.0, np.zeros(30)])
    group = np.array([0] * 25 + [1] * 5)
    heights = np.arange(30.0)
    found, index, _ = nearby.of_neighbours((xy, group), heights, np.arange(30), np.array([0, 12, 27, 29]))
    assert found.metres.tolist() == [4.5, 12.0, 27.0, 26.5]  # 1..8; 8..11 and 13..16; four of its own
    assert found.count.tolist() == [8, 8, 4, 4]
    assert index[2].tolist() == [26, 28, 25, 29, -1, -1, -1, -1]
    assert found.sigma_m[0] == pytest.approx(1.4826 * 2.0)
    lonely = nearby.of_neighbours((xy, group), heights, np.array([0, 1, 25, 26]), np.array([0, 27]))[0]
    assert np.isnan(lonely.metres).all()
    by_class = nearby.of_class(group, np.full(30, 100.0), heights, np.arange(30), np.array([0, 29]))
    assert by_class.metres[0] == 12.0
    assert np.isnan(by_class.metres[1])  # five are too few


def test_estimates_are_joined_by_uid(tmp_path: Path) -> None:
    source = written(tmp_path, houses())
    build(tmp_path / "out", buildings=[source], ground_z=0, id_column="id", height_model="off")
    plan = tmp_path / "out" / ".citygen" / "plan"
    with pa.memory_map(str(plan / HEIGHTS)) as file:
        table = pa.ipc.open_file(file).read_all()
        known, metres = table["uid"].to_numpy().copy(), table["neighbours.metres"].to_numpy().copy()
    assert (np.diff(known) > 0).all()
    asked = np.array([known[5], -7, known[2], known.max() + 1])
    found = estimates_of(plan, asked).by_rule["neighbours"].metres
    assert found == pytest.approx([metres[5], np.nan, metres[2], np.nan], abs=1e-3, nan_ok=True)
    assert estimates_of(tmp_path, asked).by_rule == {}
    assert evidence.count_open(plan, [path.name for path in plan.glob("0*.arrow")], AttributeOptions())[0] == len(known)


def test_the_benchmark_runs_on_a_tiny_town() -> None:
    frame = houses(60, hidden=0.0, storeys=True)
    frame["height"] = frame["truth"]
    case = imputation.Case("tiny", (), "height", ("building",), "building:levels")
    found = imputation.measure(case, frame.drop(columns="truth"))
    assert 15 < found["hidden"] < 45
    assert sum(found["from"].values()) == found["hidden"]
    assert "height" not in found["from"], "a hidden height was seen"
    assert found["citygen"] > 0
    assert 0 < found["with_storeys"] < found["hidden"]
    text = imputation.report({"tiny": found})
    assert text.splitlines()[2].startswith(f"| tiny | {found['hidden']} | **{found['citygen']:.2f}** |")
    assert "fewer than the 100" in text
