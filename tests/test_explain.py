"""``citygen explain``: for every row of a build, what it says must be what was built, from what the source holds."""

import json
import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from PIL import Image

import citygen
from builds import SAMPLE, build
from citygen.cli import app
from citygen.cli.explain import page_of
from citygen.errors import InputError
from citygen.pipeline.explain.steps import step_of


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a source of a dozen odd rows, and its build."""
    folder = tmp_path_factory.mktemp("explain")
    box = [shapely.box(500000 + 20 * k, 5150000, 500012 + 20 * k, 5150008) for k in range(8)]
    bow = shapely.Polygon([(500200, 5150000), (500210, 5150010), (500210, 5150000), (500200, 5150010)])
    rows = [
        ("a", "40'", None, "gabled", "house", None, box[0]),
        ("b", "tall", "2", "witch hat", "house", None, box[1]),
        ("c", "0", None, None, "shed", None, box[2]),
        ("twin", "5", None, None, "house", None, box[3]),
        ("twin", "6", None, None, "house", None, box[4]),
        ("twin", "7", None, None, "house", None, None),
        ("bow", "8", None, None, "house", None, bow),
        ("none", "9", None, None, "house", None, None),
        ("outline", "20", None, None, "church", None, box[6]),
        ("part1", "9", None, "hipped", None, "yes", shapely.box(500120, 5150000, 500126, 5150008)),
        ("part2", "12", None, None, None, "yes", shapely.box(500126, 5150000, 500132, 5150008)),
        ("tagless", None, None, None, None, None, box[7]),
    ]
    names = ["id", "height", "building:levels", "roof:shape", "building", "building:part", "geometry"]
    frame = gpd.GeoDataFrame(dict(zip(names, zip(*rows, strict=True), strict=True)), crs="EPSG:32631")
    frame.to_file(folder / "town.gpkg", layer="town")
    build(folder / "out", buildings=[str(folder / "town.gpkg")], id_column="id", ground_z=100, allow_rejected=True)
    return folder


def said(found: dict[str, Any], step: str) -> str:
    return " ".join(sentence for item in found["steps"] if item["step"] == step for sentence in item["said"])


def test_every_row_is_explained_with_its_own_raw_values(town: Path) -> None:
    city = citygen.open_city(town / "out")
    assert len(city.buildings) == 12
    raw = gpd.read_file(town / "town.gpkg")
    taken = []
    for name, row in city.buildings.iterrows():
        found = city.explain(name)
        json.dumps(found)
        assert found["outcome"] == row["outcome"]
        assert [reason["code"] for reason in found["reasons"]] == list(row["reasons"])
        told = [code for step in found["steps"] for code in step["reasons"]]
        assert sorted(told) == sorted(row["reasons"]), "a reason was not told, or twice"
        for reason in found["reasons"]:
            assert reason["meaning"] in said(found, step_of(reason["code"]))
        assert found["raw"]["read"], found["raw"]["why"]
        taken.append(found["raw"]["tags"]["height"] if name != "tagless" else "")
        assert found["raw"]["tags"]["id"] == found["source_id"]
        text = page_of(found).text()
        assert all(len(line) <= 100 for line in text.splitlines())
    assert sorted(taken) == sorted(raw["height"].fillna("").tolist()), "each row was read back once"


def test_which_column_and_rule_decided(town: Path) -> None:
    city = citygen.open_city(town / "out")
    first = city.explain("a")
    assert {"key": "height", "column": "height", "raw": "40'", "value": pytest.approx(12.192), "why": ""} in first[
        "attributes"
    ]
    assert "Rule 'height' decided" in said(first, "height")
    assert "12.19 m above the ground" in said(first, "height")
    assert "Asked for 'gabled': built gabled" in said(first, "roof")
    second = city.explain("b")
    assert "Rule 'height' did not decide: height = 'tall' could not be read." in said(second, "height")
    assert "Rule 'levels' decided" in said(second, "height")
    assert "Asked for 'witch hat': built flat" in said(second, "roof")
    third = city.explain("c")
    assert "zero" in said(third, "height")
    assert "Rule 'default' decided" in said(third, "height")
    bow = city.explain("bow")
    assert "invalid: Self-intersection" in said(bow, "outline")
    assert "footprint_repaired" in said(bow, "outline")
    gone = city.explain("none")
    assert gone["outcome"] == "rejected"
    assert "geometry_empty" in said(gone, "outline")
    assert said(gone, "solid") == "Nothing was built of it."


def test_parts_and_their_outline(town: Path) -> None:
    city = citygen.open_city(town / "out")
    outline = city.explain("outline")
    assert outline["parts"] == ["part1", "part2"]
    assert "part1, part2" in said(outline, "parts")
    assert "part of the outline outline" in said(city.explain("part1"), "parts")


def test_a_part_with_the_height_of_its_outline(tmp_path: Path) -> None:
    boxes = [shapely.box(500000 + x, 5150000, 500000 + x + w, 5150008) for x, w in ((0, 20), (0, 10), (10, 10))]
    columns = {"id": ["o", "p", "q"], "height": ["9", None, "5"], "building": ["yes", None, None]}
    parts = {"building:part": [None, "yes", "yes"]}
    gpd.GeoDataFrame({**columns, **parts}, geometry=boxes, crs="EPSG:32631").to_file(tmp_path / "a.gpkg")
    build(tmp_path / "out", buildings=[str(tmp_path / "a.gpkg")], id_column="id", ground_z=0)
    city = citygen.open_city(tmp_path / "out")
    assert city.buildings.loc["p", "height_from"] == "outline"
    told = said(city.explain("p"), "height")
    assert told.startswith("The row gives no height; that of its outline was taken. The top is 9.00 m above the ground")
    assert "It has 2 parts" in said(city.explain("o"), "parts")


def test_heights_come_with_their_uncertainty(town: Path) -> None:
    city = citygen.open_city(town / "out")
    sigma = city.buildings.loc["a", "height_sigma_m"]
    assert f"give or take {sigma:.1f} m (one standard deviation)" in said(city.explain("a"), "height")


@pytest.mark.parametrize(
    ("code", "step"),
    [
        ("covered_by_other_source", "source"),
        ("ring_closed", "outline"),
        ("remainder_beside_parts", "parts"),
        ("attributes_from", "attributes"),
        ("material_unknown", "attributes"),
        ("country_unknown", "attributes"),
        ("solid_not_closed", "solid"),
        ("tile_failed", "solid"),
    ],
)
def test_reasons_stand_where_they_arise(code: str, step: str) -> None:
    assert step_of(code) == step


def test_renamed_ids_lead_to_their_own_row(town: Path) -> None:
    city = citygen.open_city(town / "out")
    heights = {}
    for name in ("twin", "twin#2", "twin#3"):
        found = city.explain(name)
        assert found["source_id"] == "twin"
        heights[name] = found["raw"]["tags"]["height"]
    assert heights == {"twin": "5", "twin#2": "6", "twin#3": "7"}
    assert city.buildings.loc["twin#2", "height_m"] == 6


def test_an_unknown_id_names_those_like_it(town: Path) -> None:
    with pytest.raises(InputError, match=r"no footprint has the id 'Twin'; did you mean twin, twin#2, twin#3"):
        citygen.open_city(town / "out").explain("Twin")
    with pytest.raises(InputError, match="lists the ids"):
        citygen.open_city(town / "out").explain("qqqqqqqqq")


def test_a_source_that_changed_or_went_is_not_shown(town: Path, tmp_path: Path) -> None:
    source = tmp_path / "town.gpkg"
    shutil.copy(town / "town.gpkg", source)
    build(tmp_path / "out", buildings=[str(source)], id_column="id", ground_z=0, allow_rejected=True)
    city = citygen.open_city(tmp_path / "out")
    assert city.explain("a")["raw"]["read"]
    frame = gpd.read_file(source)
    frame.loc[0, "height"] = "99"
    frame.to_file(source)
    changed = city.explain("a")
    assert not changed["raw"]["read"]
    assert changed["raw"]["tags"] == {}
    assert "has changed since the build" in changed["raw"]["why"]
    assert "Rule 'height' decided" in said(changed, "height")
    assert said(city.explain("b"), "height").startswith(
        "Rule 'height' did not decide: the source gave no usable height."
    )
    source.unlink()
    assert "not there any more" in city.explain("a")["raw"]["why"]
    frame = frame.set_index("id")
    memory = citygen.build(frame.drop(index="twin"), ground_z=0)
    found = memory.explain("a")
    assert "in memory" in found["raw"]["why"]
    assert found["outcome"] == "ok"


def test_the_portrait_shows_the_building_in_colour_in_the_middle(sample_out: Path, tmp_path: Path) -> None:
    city = citygen.open_city(sample_out)
    rows = city.buildings
    chosen = [
        rows[rows["tile"].notna()].index[5],
        rows[rows["reasons"].map(lambda r: "replaced_by_parts" in list(r))].index[0],
    ]
    for name in chosen:
        path = tmp_path / "one.png"
        done = CliRunner(catch_exceptions=False).invoke(
            app, ["explain", str(sample_out), name, "--picture", str(path)], standalone_mode=False
        )
        assert done.return_value == 0
        assert str(path) in done.stdout
        picture = np.asarray(Image.open(path)).astype(int)
        assert picture.shape == (640, 960, 3)
        colourful = picture.max(axis=2) - picture.min(axis=2) > 45
        assert 0.01 < colourful.mean() < 0.5
        y, x = np.nonzero(colourful)
        assert abs(x.mean() / 960 - 0.5) < 0.12
        assert abs(y.mean() / 640 - 0.5) < 0.2
        path.unlink()


def test_the_command(town: Path, tmp_path: Path) -> None:
    out = str(town / "out")
    before = sorted(p.name for p in (town / "out").iterdir())
    run = CliRunner(catch_exceptions=False)
    done = run.invoke(app, ["explain", out, "a", "--json"], standalone_mode=False)
    found = json.loads(done.stdout)
    assert found["picture"] is None
    assert found["row"]["height_from"] == "height"
    gone = run.invoke(app, ["explain", out, "none", "--picture", str(tmp_path / "none.png")], standalone_mode=False)
    assert "no picture" in gone.stderr
    assert not (tmp_path / "none.png").exists()
    assert sorted(p.name for p in (town / "out").iterdir()) == before
    with pytest.raises(InputError, match="no finished build"):
        run.invoke(app, ["explain", str(SAMPLE), "a"], standalone_mode=False)


@pytest.mark.slow
def test_the_whole_sample_is_explained(sample_out: Path) -> None:
    """Rows all over a town with everything in it: read back, told in full, from the column that held the height."""
    city = citygen.open_city(sample_out)
    for name, row in city.buildings.iloc[::23].iterrows():
        found = city.explain(name)
        assert found["raw"]["read"]
        assert sorted(code for step in found["steps"] for code in step["reasons"]) == sorted(row["reasons"])
        if row["height_from"] == "height":
            read = next(item for item in found["attributes"] if item["key"] == "height")
            assert read["value"] == pytest.approx(row["height_m"], abs=1e-6)
