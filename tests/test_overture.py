"""Overture's buildings: the dialect, a release as a local folder, and a file that Overture made."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from bucket import AREA, RELEASES, overture_table, parts_of, town, write_release
from citygen.attributes.dialect import recognise_dialect
from citygen.attributes.options import AttributeOptions
from citygen.attributes.parsed import parse_table
from citygen.config import make_config
from citygen.engine.run import run
from citygen.errors import InputError
from citygen.roofs.words import shape_of
from citygen.sources.base import SourceOptions, open_source

SHAPES = frozenset(
    {"dome", "flat", "gabled", "gambrel", "half_hipped", "hipped", "mansard"}
    | {"onion", "pyramidal", "round", "saltbox", "sawtooth", "skillion", "spherical"}
)


def rows(path: Path, box: tuple[float, float, float, float] | None = None, **options: object) -> pa.Table:
    return pa.concat_tables(open_source(path, SourceOptions(**options)).batches(box, batch_rows=100))  # type: ignore[arg-type]


# --- the dialect ---------------------------------------------------------------------------------------------------------


def test_words_and_numbers_are_read() -> None:
    table = pa.table(
        {
            "height": [12.5, None, None],
            "min_height": [3.0, None, None],
            "num_floors": pa.array([None, 4, None], pa.int32()),
            "min_floor": pa.array([None, 1, None], pa.int32()),
            "roof_shape": ["half_hipped", "spherical", None],
            "roof_height": [2.0, None, None],
            "roof_direction": [90.0, None, None],
            "roof_orientation": ["across", "along", None],
            "roof_color": ["#ff0000", "tomato", None],
            "facade_color": ["#00ff00", None, None],
            "class": ["house", None, None],
            "subtype": ["residential", "medical", "agricultural"],
            "is_underground": [False, True, None],
            "building_id": [None, None, "b-1"],
            "has_parts": [True, False, None],
        }
    )
    assert recognise_dialect(table.column_names) == "overture"
    found = parse_table(table, AttributeOptions({}, 3.0, None))
    assert found.height_m[0] == 12.5
    assert found.min_height_m[0] == 3.0
    assert found.levels[1] == 4
    assert found.min_level[1] == 1
    assert [shape_of(word)[0] for word in found.roof_shape[:2]] == ["half-hipped", "dome"]
    assert found.roof_height_m[0] == 2.0
    assert found.roof_direction_deg[0] == 90.0  # down the slope, as OpenStreetMap has it: docs/decisions/0005
    assert found.roof_orientation[:2].tolist() == ["across", "along"]
    assert found.roof_colour.tolist() == [0xFF0000, 0xFF6347, found.roof_colour[2]]
    assert found.wall_colour[0] == 0x00FF00
    assert found.class_name.tolist() == ["house", "hospital", "farm_auxiliary"]
    assert found.location.tolist() == ["", "underground", ""]
    assert found.is_part.tolist() == [False, False, True]
    assert found.part_hint.tolist() == ["", "", "b-1"]
    assert found.unread.tolist() == ["", "", ""]


def test_every_roof_shape_of_the_schema_is_known() -> None:
    assert [word for word in SHAPES if shape_of(word)[0] is None] == []
    assert len({shape_of(word)[0] for word in SHAPES}) == 13  # spherical is a dome


@pytest.mark.parametrize("bearing", [0.0, 90.0, 180.0, 270.0])
def test_skillion_falls_towards_its_direction(bearing: float, tmp_path: Path) -> None:
    columns = {
        "id": pa.array(["a"]),
        "height": pa.array([10.0]),
        "roof_height": pa.array([3.0]),
        "roof_shape": pa.array(["skillion"]),
        "roof_direction": pa.array([bearing]),
        "num_floors": pa.array([2], pa.int32()),
    }
    box = shapely.box(7.5, 50.3, 7.5002, 50.30013)
    pq.write_table(overture_table(np.array([box]), columns), tmp_path / "a.parquet")
    config = make_config({"buildings": [str(tmp_path / "a.parquet")], "ground_z": 0.0, "out": str(tmp_path / "out")})
    run(config)
    from citygen.api import open_city

    mesh = open_city(tmp_path / "out").mesh("a")
    xy, z = mesh.vertices[:, :2] - mesh.vertices[:, :2].mean(axis=0), mesh.vertices[:, 2]
    down = np.array([np.sin(np.radians(bearing)), np.cos(np.radians(bearing))])
    top = z > 5
    assert xy[z == z.max()].mean(axis=0) @ down < -3  # the ridge stands at the back
    assert xy[top & (z < z[top].max() - 2)].mean(axis=0) @ down > 3


# --- a release as a folder -----------------------------------------------------------------------------------------------


def test_release_folder_is_one_source(tmp_path: Path) -> None:
    near = write_release(tmp_path, RELEASES[1], count=12)
    release = tmp_path / "release" / RELEASES[1]
    found = rows(release)
    assert found.num_rows == 2 * 144 + 4
    ids = found["id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert set(near["id"].to_pylist()) < set(ids)
    assert found["row"].to_pylist() == list(range(found.num_rows))
    parts = found.filter(pa.compute.is_valid(found["building_id"]))
    assert parts.num_rows == 4
    assert parts["height"].to_pylist() == [12.0, 12.0, 20.0, 20.0]
    for part in (release / "theme=buildings", tmp_path / "release" / RELEASES[1]):
        assert rows(part).equals(found)
    only = release / "theme=buildings" / "type=building"
    assert rows(only).num_rows == 288
    assert open_source(only).info.name == "building"
    info = open_source(release).info
    assert info.feature_count == found.num_rows
    assert len(info.files) == 3
    assert info.bounds is not None
    assert info.bounds[0] < -69


def test_box_is_pushed_down_to_files_and_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_release(tmp_path, RELEASES[1], count=60)
    release = tmp_path / "release" / RELEASES[1]
    whole = rows(release)
    shapes = shapely.from_wkb(whole["geometry"].to_numpy())
    wanted = whole.filter(pa.array(shapely.intersects(shapes, shapely.box(*AREA))))
    read: list[tuple[str, int]] = []
    before = pq.ParquetFile.iter_batches

    def counted(self: pq.ParquetFile, *args: object, row_groups: list[int], **kwargs: object) -> object:
        read.extend((str(self.metadata.num_rows), group) for group in row_groups)
        return before(self, *args, row_groups=row_groups, **kwargs)

    source = open_source(release)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    assert pa.concat_tables(source.batches(AREA)).sort_by("id").equals(wanted.sort_by("id"))
    assert len(read) < 0.3 * (2 * 9 + 1)


def test_folder_of_plain_files_works_too(tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    (folder / "deep").mkdir(parents=True)
    (folder / "_temporary").mkdir()
    for name, prefix in (
        ("a.parquet", "a"),
        ("deep/b.parquet", "b"),
        ("_temporary/c.parquet", "c"),
        (".d.parquet", "d"),
    ):
        pq.write_table(town(3, prefix=prefix), folder / name)
    assert {name[0] for name in rows(folder)["id"].to_pylist()} == {"a", "b"}
    source = open_source(folder, SourceOptions(columns=("height",)))
    assert source.info.columns == ("height",)
    assert next(iter(source.batches(None))).column_names == ["id", "geometry", "problem", "row", "height"]


def test_files_without_ids_are_numbered_through(tmp_path: Path) -> None:
    for name in "ab":
        pq.write_table(town(2).drop_columns(["id"]), tmp_path / f"{name}.parquet")
    assert rows(tmp_path)["id"].to_pylist() == [str(k) for k in range(8)]


def test_numbers_beside_whole_numbers_are_numbers(tmp_path: Path) -> None:
    place = [shapely.box(7, 50, 7.1, 50.1)]
    for name, value in (("a", 2**60 + 1), ("b", 1.5)):
        gpd.GeoDataFrame({"n": [value]}, geometry=place, crs=4326).to_parquet(tmp_path / f"{name}.parquet")
    found = pa.concat_tables(open_source(tmp_path).batches(None))
    assert found["n"].to_pylist() == [float(2**60), 1.5]


def test_a_value_that_its_neighbours_cannot_hold_is_one_error(tmp_path: Path) -> None:
    place = [shapely.box(7, 50, 7.1, 50.1)]
    for name, value in (("a", np.array([2**63 + 1], np.uint64)), ("b", np.array([1], np.int64))):
        gpd.GeoDataFrame({"n": value}, geometry=place, crs=4326).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r"a\.parquet: column 'n' does not fit"):
        list(open_source(tmp_path).batches(None))


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    pq.write_table(town(2), tmp_path / "a.parquet")
    strange = town(2)
    at = strange.column_names.index("height")
    pq.write_table(strange.set_column(at, "height", pa.array(["tall"] * 4)), tmp_path / "b.parquet")
    with pytest.raises(InputError, match="fit together"):
        open_source(tmp_path)
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"b\.parquet"):
        open_source(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="folder"):
        open_source(tmp_path / "empty")


def test_folder_builds_and_its_files_are_in_the_stamp(tmp_path: Path) -> None:
    write_release(tmp_path, RELEASES[1], count=12)
    release = tmp_path / "release" / RELEASES[1]
    options = {
        "buildings": [str(release)],
        "aoi": ",".join(map(str, AREA)),
        "ground_z": 5.0,
        "out": str(tmp_path / "out"),
    }
    outcome = run(make_config(options))
    assert outcome.report["sources"][0]["dialect"] == "overture"
    assert outcome.report["outcomes"]["rejected"] == 0
    assert len(outcome.report["inputs"]) == 3
    before = json.loads((tmp_path / "out/.citygen/run.json").read_text())["stamp"]
    path = next((release / "theme=buildings" / "type=building_part").iterdir())
    pq.write_table(parts_of(town(12), [3, 4]), path)
    run(make_config({**options, "overwrite": True}))
    assert json.loads((tmp_path / "out/.citygen/run.json").read_text())["stamp"] != before


# --- what Overture made --------------------------------------------------------------------------------------------------


def test_file_that_overture_made_builds(testdata: Path, tmp_path: Path) -> None:
    path = testdata / "realdata/13_formats_overture_fgb_heights/overture_buildings.parquet"
    source = open_source(path)
    assert recognise_dialect(source.info.columns) == "overture"
    outcome = run(make_config({"buildings": [str(path)], "ground_z": 100.0, "out": str(tmp_path / "out")}))
    report = outcome.report
    assert report["sources"][0]["dialect"] == "overture"
    assert report["footprints"] == 100
    assert report["heights_from"] == {"default": 2, "height": 39, "neighbours": 59}
    assert report["outcomes"]["rejected"] == 0
    raw = pq.read_table(path, columns=["id", "height"])
    wanted = {name: height for name, height in zip(*raw.to_pydict().values(), strict=True) if height is not None}
    built = pq.read_table(tmp_path / "out/buildings.parquet")
    found = dict(zip(built["id"].to_pylist(), built["height_m"].to_pylist(), strict=True))
    assert set(found) == set(raw["id"].to_pylist())
    assert all(abs(found[name] - height) < 1e-6 for name, height in wanted.items())


def test_file_that_overture_made_comes_from_a_bucket(testdata: Path, tmp_path: Path) -> None:
    from bucket import serving
    from citygen.remote.access import Access

    path = testdata / "realdata/13_formats_overture_fgb_heights/overture_buildings.parquet"
    table = pq.read_table(path)
    where = tmp_path / "bucket" / "release" / RELEASES[1] / "theme=buildings" / "type=building"
    where.mkdir(parents=True)
    pq.write_table(table, where / "part-00000.parquet", row_group_size=25)
    boxes = shapely.bounds(shapely.from_wkb(table["geometry"].to_numpy()))
    area = (*boxes[10, :2], *boxes[10, 2:])
    hit = (boxes[:, 0] <= area[2]) & (boxes[:, 2] >= area[0]) & (boxes[:, 1] <= area[3]) & (boxes[:, 3] >= area[1])
    with serving(tmp_path / "bucket") as bucket:
        access = Access(cache=tmp_path / "cache", overture_url=bucket.url, overture_stac="", wait_s=0.01)
        source = open_source("overture", SourceOptions(access=access), area=area)
        found = pa.concat_tables(source.batches(area))
    assert set(found["id"].to_pylist()) == set(table["id"].filter(pa.array(hit)).to_pylist())
    assert source.info.origin is not None
    assert dict(source.info.origin.datasets).keys() <= {
        "OpenStreetMap",
        "Microsoft ML Buildings",
        "Esri Community Maps",
    }
    assert sum(n for _, n in source.info.origin.datasets) >= found.num_rows
