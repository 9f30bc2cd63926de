"""Remote data, against a local server with the ways of the public buckets: what is asked for, kept, tried again, refused."""

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from click.testing import CliRunner

from bucket import AREA, CENTRE, RELEASES, Bucket, parts_of, serving, town, write_catalogue, write_release, write_tiles
from citygen.cli import app, main
from citygen.config import make_config
from citygen.engine.run import run
from citygen.errors import ConfigError, CoverageError, InputError
from citygen.ground.dem import open_dem
from citygen.ground.points import heights_at
from citygen.ground.remote import fetch_dems
from citygen.ground.remotes.copernicus import tile_name, tiles_of
from citygen.remote import http
from citygen.remote.access import Access
from citygen.remote.bucket import list_bucket
from citygen.remote.http import NotThereError, RemoteError, download, get, get_spans
from citygen.sources.base import REMOTES, SourceOptions, open_source
from citygen.sources.overture import releases


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Talk to the local server itself, whatever the environment names."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bucket with two releases of a town and two tiles of heights; read it only."""
    folder = tmp_path_factory.mktemp("bucket")
    write_release(folder, RELEASES[0], count=8)
    write_release(folder, RELEASES[1])
    write_tiles(folder, (50, 7), (50, 6))
    return folder


@pytest.fixture
def bucket(root: Path) -> Iterator[Bucket]:
    with serving(root) as served:
        yield served


@pytest.fixture
def access(bucket: Bucket, tmp_path: Path) -> Access:
    return Access(
        cache=tmp_path / "cache", overture_url=bucket.url, overture_stac="", copernicus_url=bucket.url, wait_s=0.01
    )


def rows(source: Any, box: Any = None) -> pa.Table:
    return pa.concat_tables(source.batches(box))


def size_of(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*.parquet") if RELEASES[1] in path.as_posix())


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part")) if folder.exists() else []


def expected_ids(root: Path, area: tuple[float, float, float, float]) -> set[str]:
    found = set()
    for kind in ("building", "building_part"):
        for path in (root / "release" / RELEASES[1] / "theme=buildings" / f"type={kind}").iterdir():
            table = pq.read_table(path, partitioning=None)
            hit = shapely.intersects(shapely.from_wkb(table["geometry"].to_numpy()), shapely.box(*area))
            found |= set(table["id"].filter(pa.array(hit)).to_pylist())
    return found


# --- HTTP ----------------------------------------------------------------------------------------------------------------


def test_bytes_come_whole_in_ranges_and_from_the_end(bucket: Bucket, access: Access) -> None:
    url = f"{bucket.url}/tileList.txt"
    data = (bucket.root / "tileList.txt").read_bytes()
    assert get(url, access).data == data
    assert get(url, access, (3, 10)).data == data[3:10]
    tail = get(url, access, (-5, 0))
    assert (tail.data, tail.size) == (data[-5:], len(data))
    assert get(url, access, (-10_000, 0)).data == data
    pieces = get_spans(url, [(0, 4), (2, 9), (20, 22)], access)
    assert pieces == [(0, data[:22])]  # near ranges are one request


def test_busy_server_is_asked_again_and_no_more_than_it_should(bucket: Bucket, access: Access) -> None:
    bucket.fail_first = 3
    assert get(f"{bucket.url}/tileList.txt", access).data
    assert len(bucket.requests) == 4
    bucket.fail_first = 99
    with pytest.raises(RemoteError, match=r"503.*4 tries.*mirror"):
        get(f"{bucket.url}/tileList.txt", access)
    assert len(bucket.requests) == 8
    bucket.fail_first = 0
    bucket.reset()
    with pytest.raises(NotThereError, match="404"):
        get(f"{bucket.url}/nothing", access)
    assert len(bucket.requests) == 1  # a plain no is not asked again


def test_cut_answers_leave_nothing_behind(bucket: Bucket, access: Access, tmp_path: Path) -> None:
    bucket.cut = "tileList"
    with pytest.raises(RemoteError, match=r"tileList.*(of \d+ bytes|read)"):
        get(f"{bucket.url}/tileList.txt", access)
    with pytest.raises(RemoteError):
        download(f"{bucket.url}/tileList.txt", tmp_path / "x" / "list.txt", access)
    assert len(bucket.requests) == 8
    assert list((tmp_path / "x").iterdir()) == []
    bucket.cut = ""
    download(f"{bucket.url}/tileList.txt", tmp_path / "x" / "list.txt", access)
    assert (tmp_path / "x" / "list.txt").read_bytes() == (bucket.root / "tileList.txt").read_bytes()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/a", "data:,a"])
def test_other_schemes_are_not_opened(url: str, access: Access) -> None:
    with pytest.raises(RemoteError):
        get(url, access)


def test_server_without_ranges_is_refused(bucket: Bucket, access: Access) -> None:
    bucket.ranges = False
    with pytest.raises(RemoteError, match="ranges"):
        get(f"{bucket.url}/tileList.txt", access, (0, 3))


def test_listings_come_in_pages(bucket: Bucket, access: Access) -> None:
    whole = list_bucket(bucket.url, "release/", access, deep=True)[0]
    bucket.page = 2
    assert list_bucket(bucket.url, "release/", access, deep=True)[0] == whole
    keys = {path.relative_to(bucket.root).as_posix() for path in (bucket.root / "release").rglob("*.parquet")}
    assert {item.key for item in whole} == keys
    assert all(item.size == (bucket.root / item.key).stat().st_size for item in whole)
    assert releases(bucket.url, access) == list(RELEASES)


@pytest.mark.parametrize(
    "body", [b"<html>welcome", b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>', b"<Other/>", b""]
)
def test_answers_that_are_no_listing_are_refused(body: bytes, access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    from citygen.remote import bucket as room
    from citygen.remote.http import Reply

    monkeypatch.setattr(room, "get", lambda *_: Reply(body, len(body), ""))
    with pytest.raises(RemoteError, match="listing"):
        list_bucket("http://example.org", "a", access, deep=True)


# --- Overture ------------------------------------------------------------------------------------------------------------


def test_overture_reads_only_what_an_area_needs(bucket: Bucket, access: Access) -> None:
    source = open_source("overture", SourceOptions(access=access), area=AREA)
    assert source.info.name == "overture"
    assert source.info.origin is not None
    assert source.info.origin.release == RELEASES[1]
    found = rows(source, AREA)
    assert set(found["id"].to_pylist()) == expected_ids(bucket.root, AREA)
    assert found.num_rows == len(set(found["id"].to_pylist())) > 20
    assert len(found["building_id"].drop_null()) == 4
    assert bucket.served < 0.4 * size_of(bucket.root)
    asked = [path for _, path in bucket.requests]
    groups = pq.ParquetFile(
        next((bucket.root / "release" / RELEASES[1]).rglob("type=building/part-00000*"))
    ).num_row_groups
    near = [path for path in asked if "type=building/part-00000" in path]
    assert 2 <= len(near) < groups / 2  # its footer, and a few of its row groups
    assert len([path for path in asked if "part-00001" in path]) == 1  # far away: its footer alone
    assert not [path for path in asked if "theme=places" in path]
    assert not leftovers(access.folder)


def test_overture_does_not_ask_twice(bucket: Bucket, access: Access) -> None:
    first = rows(open_source("overture", SourceOptions(access=access), area=AREA))
    bucket.reset()
    again = rows(open_source("overture", SourceOptions(access=access, columns=("height",)), area=AREA))
    assert bucket.requests == []
    assert again["id"].equals(first["id"])
    open_source("overture", SourceOptions(access=access), area=(7.49, 50.29, 7.4995, 50.2995))
    assert not [path for _, path in bucket.requests if "delimiter" in path]  # the release is known for a day


def test_extract_is_the_same_bytes_each_time(bucket: Bucket, access: Access, tmp_path: Path) -> None:
    from dataclasses import replace

    def extract(name: str) -> bytes:
        other = replace(access, cache=tmp_path / name)
        open_source("overture", SourceOptions(access=other), area=AREA)
        return next((tmp_path / name).rglob("*.parquet")).read_bytes()

    assert extract("a") == extract("b")


def test_releases_are_named_and_unknown_ones_listed(bucket: Bucket, access: Access) -> None:
    old = open_source(f"overture:{RELEASES[0]}", SourceOptions(access=access), area=AREA)
    assert old.info.origin is not None
    assert old.info.origin.release == RELEASES[0]
    assert 0 < rows(old).num_rows < 100
    for word in ("2031-01-01.0", "newest", "../../etc"):
        with pytest.raises(ConfigError, match=rf"{RELEASES[0]}, {RELEASES[1]}"):
            open_source(f"overture:{word}", SourceOptions(access=access), area=AREA)
    with pytest.raises(ConfigError, match="--aoi"):
        open_source("overture", SourceOptions(access=access))


def test_catalogue_saves_the_footers(tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    write_release(folder, RELEASES[1], count=20)
    with serving(folder) as bucket:
        write_catalogue(folder, bucket.url)
        plain = Access(cache=tmp_path / "a", overture_url=bucket.url, overture_stac="", wait_s=0.01)
        known = Access(cache=tmp_path / "b", overture_url=bucket.url, overture_stac=f"{bucket.url}/stac", wait_s=0.01)
        spec = f"overture:{RELEASES[1]}"
        without = rows(open_source(spec, SourceOptions(access=plain), area=AREA))
        bucket.reset()
        found = rows(open_source(spec, SourceOptions(access=known), area=AREA))
        assert found.equals(without)
        asked = [path for _, path in bucket.requests]
        assert asked[0].endswith("collections.parquet")
        assert not [path for path in asked if "part-00001" in path or "list-type" in path]
        lost = Access(cache=tmp_path / "c", overture_url=bucket.url, overture_stac=f"{bucket.url}/no", wait_s=0.01)
        assert rows(open_source(spec, SourceOptions(access=lost), area=AREA)).equals(without)


@pytest.mark.parametrize(
    "assets", [{"a": {"href": "https://x/y.parquet"}}, {"a": "s3://x/release/y"}, {"a": {"href": None}}]
)
def test_odd_catalogue_is_done_without(assets: dict[str, Any], tmp_path: Path) -> None:
    write_release(tmp_path, count=8)
    row = {
        "collection": "building",
        "bbox": {"xmin": -180.0, "ymin": -90.0, "xmax": 180.0, "ymax": 90.0},
        "assets": assets,
    }
    (tmp_path / "stac" / RELEASES[-1]).mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "stac" / RELEASES[-1] / "collections.parquet")
    with serving(tmp_path) as bucket:
        access = Access(
            cache=tmp_path / "cache", overture_url=bucket.url, overture_stac=f"{bucket.url}/stac", wait_s=0.01
        )
        assert rows(open_source("overture", SourceOptions(access=access), area=AREA)).num_rows > 0


def test_area_across_the_antimeridian_is_two_boxes(tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    where = folder / "release" / RELEASES[1] / "theme=buildings" / "type=building"
    where.mkdir(parents=True)
    for name, x in (("west", -179.99), ("east", 179.99), ("middle", 0.0)):
        pq.write_table(town(4, (x, -17.0), name), where / f"{name}.parquet")
    with serving(folder) as bucket:
        access = Access(cache=tmp_path / "cache", overture_url=bucket.url, overture_stac="", wait_s=0.01)
        found = rows(open_source("overture", SourceOptions(access=access), area=(179.9, -17.1, -179.9, -16.9)))
        assert {name[:4] for name in found["id"].to_pylist()} == {"west", "east"}
        assert found.num_rows == 32


def test_broken_file_in_a_bucket_is_one_error(tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    write_release(folder, RELEASES[1], count=8)
    path = folder / "release" / RELEASES[1] / "theme=buildings" / "type=building" / "part-00000.zstd.parquet"
    whole = path.read_bytes()
    with serving(folder) as bucket:
        access = Access(cache=tmp_path / "cache", overture_url=bucket.url, overture_stac="", wait_s=0.01)
        for broken in (whole[:-100], b"", whole[:100] + b"\x00" * (len(whole) - 20_000) + whole[-19_900:]):
            path.write_bytes(broken)
            with pytest.raises(InputError, match="part-00000"):
                open_source("overture", SourceOptions(access=access), area=AREA)
            assert not list((tmp_path / "cache").rglob(f"{RELEASES[1]}/*"))


# --- URLs ----------------------------------------------------------------------------------------------------------------


def test_url_of_a_parquet_file_is_read_in_ranges(bucket: Bucket, access: Access) -> None:
    path = next((bucket.root / "release" / RELEASES[1]).rglob("type=building/part-00000*"))
    url = f"{bucket.url}/{path.relative_to(bucket.root).as_posix()}"
    options = SourceOptions(access=access)
    found = rows(open_source(url, options, area=AREA), AREA)
    local = rows(open_source(path), AREA)
    assert sorted(found["id"].to_pylist()) == sorted(local["id"].to_pylist())
    assert bucket.served < 0.5 * path.stat().st_size
    bucket.reset()
    again = open_source(url, options, area=AREA)
    assert [method for method, _ in bucket.requests] == ["HEAD"]  # whether it has changed
    assert again.info.name == "part-00000.zstd"
    assert rows(open_source(url, options)).num_rows == pq.read_metadata(path).num_rows  # no area: all of it


SOME = gpd.GeoDataFrame(
    {"id": ["in", "nowhere", "far"]},
    geometry=[shapely.box(7.5, 50.3, 7.5005, 50.3005), None, shapely.box(9, 50, 9.1, 50.1)],
    crs=4326,
)


@pytest.mark.parametrize("epsg", [4326, 25832, 3857])
@pytest.mark.parametrize("boxes", [True, False])
def test_area_in_degrees_cuts_files_of_any_crs(epsg: int, boxes: bool, tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    SOME.to_crs(epsg).to_parquet(tmp_path / "bucket" / "a.parquet", write_covering_bbox=boxes)
    with serving(tmp_path / "bucket") as bucket:
        options = SourceOptions(access=Access(cache=tmp_path / "cache", wait_s=0.01))
        found = rows(open_source(f"{bucket.url}/a.parquet", options, area=AREA))["id"].to_pylist()
    assert found == (["in", "nowhere"] if boxes else ["in", "nowhere", "far"])


def test_files_of_a_prefix_are_whole_without_an_area_and_of_one_crs(tmp_path: Path) -> None:
    folder = tmp_path / "maps" / "town"
    folder.mkdir(parents=True)
    SOME.to_crs(25832).to_parquet(folder / "a.parquet", write_covering_bbox=True)
    SOME.to_crs(25832).to_parquet(folder / "b.parquet", write_covering_bbox=True)
    with serving(tmp_path) as endpoint:
        options = SourceOptions(access=Access(cache=tmp_path / "cache", s3_url=endpoint.url, wait_s=0.01))
        assert rows(open_source("s3://maps/town/", options)).num_rows == 6
        SOME.to_parquet(folder / "b.parquet", write_covering_bbox=True)
        with pytest.raises(InputError, match=r"b\.parquet: its CRS is not that of .*a\.parquet"):
            open_source("s3://maps/town/", options)


def test_secrets_of_a_url_are_in_no_report_message_or_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bucket").mkdir()
    SOME.to_parquet(tmp_path / "bucket" / "a.parquet")
    (tmp_path / "bucket" / "b.parquet").write_bytes(b"no Parquet at all")
    access = Access(cache=tmp_path / "cache", wait_s=0.01, tries=1)
    options = SourceOptions(access=access)
    with serving(tmp_path / "bucket") as bucket, caplog.at_level(logging.DEBUG):
        source = open_source(f"{bucket.url}/a.parquet?token=s3cret", options, area=AREA)
        assert "token=***" in repr(source.info)
        assert "s3cret" not in repr(source.info)
        for name in ("b", "none"):
            with pytest.raises(InputError) as refused:
                open_source(f"{bucket.url}/{name}.parquet?sig=s3cret", options, area=AREA)
            assert "s3cret" not in str(refused.value)
    open_source(f"{bucket.url}/a.parquet?token=s3cret", options, area=AREA)  # the server is gone
    assert "copy in the cache" in caplog.text
    assert "s3cret" not in caplog.text
    assert not [path for path in (tmp_path / "cache").rglob("*.json") if "s3cret" in path.read_text()]


@pytest.mark.parametrize("ranges", [True, False])
def test_secrets_of_a_dem_are_in_no_report_message_or_note(
    ranges: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bucket").mkdir()
    write_tiles(tmp_path / "bucket", (50, 7))
    tile = next((tmp_path / "bucket").rglob("*.tif"))
    access = Access(cache=tmp_path / "cache", wait_s=0.01, tries=1)
    with serving(tmp_path / "bucket") as bucket, caplog.at_level(logging.DEBUG):
        bucket.ranges = ranges
        url = f"{bucket.url}/{tile.relative_to(tmp_path / 'bucket').as_posix()}?token=s3cret"
        paths, origins = fetch_dems([url], (AREA,), access)
        assert len(paths) > 0
        assert "token=***" in repr(origins)
        assert "s3cret" not in repr(origins)
        if ranges:
            with pytest.raises(CoverageError) as refused:
                fetch_dems([url], ((70.0, 10.0, 70.1, 10.1),), access)
            assert "s3cret" not in str(refused.value)
    assert "s3cret" not in caplog.text
    assert not [path for path in (tmp_path / "cache").rglob("*.json") if "s3cret" in path.read_text()]


def test_the_date_stands_for_a_tag_that_a_server_lacks(tmp_path: Path, access: Access) -> None:
    (tmp_path / "a.txt").write_text("one")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.txt"
        tags = []
        for seconds in (1_000_000_000, 1_000_000_060):
            os.utime(tmp_path / "a.txt", (seconds, seconds))
            tags.append(http.head(url, access).etag)
        server.shutdown()
    assert tags == ["Sun, 09 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 2001 01:47:40 GMT"]


@pytest.mark.parametrize(("tag", "asked"), [({"Last-Modified": "Mon, 01 Jan 2026 00:00:00 GMT"}, 1), ({}, 2)])
def test_a_server_without_tags_is_asked_by_date_or_each_time(
    tag: dict[str, str], asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head_of = http.head
    fetched: list[str] = []

    def without_tag(url: str, access: Access) -> http.Reply:
        return http.Reply(b"", head_of(url, access).size, tag.get("Last-Modified", ""))

    def counted(url: str, path: Path, access: Access) -> None:
        fetched.append(url)
        http.download(url, path, access)

    monkeypatch.setattr("citygen.sources.url.head", without_tag)
    monkeypatch.setattr("citygen.sources.url.download", counted)
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "a.geojson").write_text(SOME.to_json())
    with serving(tmp_path / "bucket") as bucket:
        options = SourceOptions(access=Access(cache=tmp_path / "cache", wait_s=0.01))
        for _ in range(2):
            open_source(f"{bucket.url}/a.geojson", options)
    assert len(fetched) == asked


def test_bucket_prefix_is_a_folder(bucket: Bucket, root: Path, tmp_path: Path) -> None:
    with serving(root.parent) as endpoint:
        access = Access(cache=tmp_path / "cache", s3_url=endpoint.url, wait_s=0.01)
        spec = f"s3://{root.name}/release/{RELEASES[1]}/"
        found = rows(open_source(spec, SourceOptions(access=access), area=AREA), AREA)
        assert set(found["id"].to_pylist()) == expected_ids(root, AREA)
        assert open_source(spec, SourceOptions(access=access), area=AREA).info.name == RELEASES[1].rpartition(".")[0]
        with pytest.raises(InputError, match="no such object"):
            open_source(f"s3://{root.name}/nothing/", SourceOptions(access=access), area=AREA)


def test_url_of_another_format_is_fetched_whole(tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    folder.mkdir()
    shape = {
        "type": "Feature",
        "id": "a",
        "properties": {"height": 5},
        "geometry": shapely.geometry.mapping(shapely.box(7, 50, 8, 51)),
    }
    (folder / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [shape]}))
    with serving(folder) as bucket:
        options = SourceOptions(access=Access(cache=tmp_path / "cache", wait_s=0.01))
        url = f"{bucket.url}/a.geojson"
        assert rows(open_source(url, options))["id"].to_pylist() == ["a"]
        with pytest.raises(NotThereError):
            open_source(f"{bucket.url}/b.geojson", options)
    assert rows(open_source(url, options))["id"].to_pylist() == ["a"]  # the server is gone, the cache is not


# --- Copernicus ----------------------------------------------------------------------------------------------------------


def test_tiles_are_fetched_once_and_the_sea_is_level(bucket: Bucket, access: Access) -> None:
    boxes = [(7.5, 50.2, 7.6, 50.3), (8.01, 50.2, 8.02, 50.3)]
    paths, (origin,) = fetch_dems(["copernicus-glo30"], boxes, access)
    assert Path(paths[0]).name.endswith(f"{tile_name(50, 7)}.tif")
    assert [Path(path).name for path in paths[1:]] == [f"{tile_name(50, 8)}.sea.tif"]
    whole = open_dem([bucket.root / tile_name(50, 7) / f"{tile_name(50, 7)}.tif"])
    places = np.random.default_rng(0).uniform([7.5, 50.2], [7.6, 50.3], (200, 2))
    found = heights_at(open_dem(paths[:1]), places, "EPSG:4326")
    assert np.array_equal(found, heights_at(whole, places, "EPSG:4326"))
    assert origin.datum == "EGM2008"
    assert "surface model" in origin.notes[0]
    assert "N50_00_E008" in origin.notes[-1]
    bucket.reset()
    assert fetch_dems(["copernicus-glo30"], boxes, access)[0] == paths
    assert bucket.requests == []


def test_tiles_beside_the_seam_are_fetched_too() -> None:
    assert tiles_of([(7.0001, 50.5, 7.2, 50.6)]) == [(50, 6), (50, 7)]
    assert tiles_of([(0.5, -0.5, 0.6, -0.4)]) == [(-1, 0)]
    assert tile_name(-1, 0) == "Copernicus_DSM_COG_10_S01_00_E000_00_DEM"


def test_wrong_mirror_is_no_sea(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty") as bucket:
        access = Access(cache=tmp_path / "cache", copernicus_url=bucket.url, wait_s=0.01)
        with pytest.raises(InputError, match="--copernicus-url"):
            fetch_dems(["copernicus-glo30"], [(7.5, 50.2, 7.6, 50.3)], access)
        (tmp_path / "empty" / "tileList.txt").write_text(f"{tile_name(50, 7)}\n")
        with pytest.raises(InputError, match="--copernicus-url"):
            fetch_dems(["copernicus-glo30"], [(7.5, 50.2, 7.6, 50.3)], access)
    assert not list((tmp_path / "cache").rglob("*.tif"))


def test_cut_tile_leaves_no_file(bucket: Bucket, access: Access) -> None:
    bucket.cut = tile_name(50, 7)
    with pytest.raises(RemoteError):
        fetch_dems(["copernicus-glo30"], [(7.5, 50.2, 7.6, 50.3)], access)
    assert not [path for path in access.folder.rglob("*") if path.is_file()]


def test_remote_dem_without_an_area_asks_for_one(access: Access) -> None:
    with pytest.raises(ConfigError, match="--aoi"):
        fetch_dems(["copernicus-glo30"], [], access)


# --- whole builds --------------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> Path:
    """An empty folder with an area in it, and the server as mirror of everything."""
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("OVERTURE_URL", bucket.url),
        ("COPERNICUS_URL", bucket.url),
        ("CACHE", str(tmp_path / "cache")),
    ):
        monkeypatch.setenv(f"CITYGEN_{name}", value)
    Path("area.geojson").write_text(shapely.to_geojson(shapely.box(*AREA)))
    return tmp_path


def build(*words: str) -> Any:
    return CliRunner().invoke(app, ["build", "--aoi", "area.geojson", *words])


@pytest.fixture
def refused(here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a caller: arguments of a build that is refused -> the one line that it says."""

    def call(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["citygen", "build", "-q", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capfd.readouterr()
        assert (stop.value.code, out) == (2, ""), err
        assert len(err.strip().splitlines()) == 1, err
        assert err.startswith("error: ")
        return err

    return call


def test_area_alone_builds(here: Path, bucket: Bucket) -> None:
    done = build("-o", "out")
    assert done.exit_code == 0, done.output
    report = json.loads(Path("out/report.json").read_text())
    assert report["footprints"] == report["outcomes"]["ok"] + report["outcomes"]["degraded"] > 20
    assert report["outcomes"]["rejected"] == 0
    assert report["vertical"]["datum"] == "EGM2008"
    names = [each["name"] for each in report["open_data"]]
    assert names == ["Overture Maps buildings", "Copernicus DEM GLO-30"]
    assert (
        report["open_data"][0]["datasets"]["OpenStreetMap"]
        > report["open_data"][0]["datasets"]["Microsoft ML Buildings"]
    )
    assert "ODbL" in report["open_data"][0]["licence"]
    table = pq.read_table("out/buildings.parquet")
    assert len(set(table["id"].to_pylist())) == table.num_rows
    ground = np.array(table["ground_z"].drop_null().to_pylist())
    assert ((ground > 134) & (ground < 137)).all()  # half way up the tile's slope
    parts = table.filter(pa.compute.is_valid(table["part_of"]))
    assert parts.num_rows == 4
    assert all(
        child.startswith(f"p-{owner}")
        for child, owner in zip(parts["id"].to_pylist(), parts["part_of"].to_pylist(), strict=True)
    )
    bucket.reset()
    assert build("-o", "out").exit_code == 0  # resumes: the same inputs
    assert build("-o", "again").exit_code == 0
    assert bucket.requests == []
    assert Path("again/buildings.parquet").read_bytes() == Path("out/buildings.parquet").read_bytes()


def test_identity_is_the_content_not_the_place(here: Path, root: Path) -> None:
    assert build("-o", "out").exit_code == 0
    stamp = json.loads(Path("out/.citygen/run.json").read_text())["stamp"]
    with serving(root) as mirror:
        done = build("-o", "out", "--overture-url", mirror.url, "--copernicus-url", mirror.url, "--cache", "other")
        assert done.exit_code == 0, done.output
    assert json.loads(Path("out/.citygen/run.json").read_text())["stamp"] == stamp
    other = build("-o", "out", "--buildings", f"overture:{RELEASES[0]}", "--dem", "copernicus-glo30")
    assert "--overwrite" in str(other.exception)  # another release is another run


def test_offline_is_one_line_that_says_what_to_do(refused: Callable[..., str]) -> None:
    url = closed_port()
    area = ("--aoi", "area.geojson", "-o", "out", "--cache", "empty")
    for words in ((), ("--buildings", "overture:2026-01-21.0", "--ground-z", "0")):
        said = refused(*area, "--overture-url", url, *words)
        assert url in said
        assert "mirror" in said
        assert "--buildings FILE --dem FILE" in said
    said = refused(*area, "--copernicus-url", url)
    assert "Copernicus_DSM_COG_10_N50_00_E007_00_DEM.tif" in said
    assert not Path("out").exists()


def test_offline_with_a_cache_builds(
    here: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build("-o", "out").exit_code == 0
    note = next((tmp_path / "cache" / "overture").glob("latest-*.json"))
    note.write_text(json.dumps({**json.loads(note.read_text()), "asked": 0}))  # long ago: it would ask again
    bucket.fail_first = 10**6
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert build("-o", "again").exit_code == 0


def test_named_data_need_an_area(refused: Callable[..., str]) -> None:
    assert "--aoi" in refused("--buildings", "overture", "--ground-z", "0", "-o", "out")


def test_heights_for_own_footprints_need_no_area(here: Path, bucket: Bucket) -> None:
    pq.write_table(town(5), "mine.parquet")
    done = CliRunner().invoke(app, ["build", "--buildings", "mine.parquet", "--dem", "copernicus-glo30", "-o", "out"])
    assert done.exit_code == 0, done.output
    assert len(bucket.requests) == 3  # its size, its header, its blocks


def test_area_without_buildings_is_one_error(refused: Callable[..., str]) -> None:
    said = refused("--aoi", "7.9,50.9,7.91,50.91", "-o", "out")
    assert "no footprint" in said
    assert "overture" in said


def test_config_file_may_name_open_data(here: Path) -> None:
    Path("citygen.toml").write_text(
        '[build]\nbuildings = ["overture"]\ndem = ["copernicus-glo30"]\naoi = "area.geojson"\n'
    )
    config = make_config({}, file=Path("citygen.toml").absolute())
    assert (config.buildings, config.dem) == (("overture",), ("copernicus-glo30",))
    Path("overture").mkdir()  # a folder of that name stands beside the file
    assert make_config({}, file=Path("citygen.toml").absolute()).buildings == (str(here / "overture"),)


def test_every_kind_of_remote_source_ran(bucket: Bucket, access: Access) -> None:
    """A new kind of remote source needs a test here or elsewhere: this list is what is tested."""
    tested = {"https", "s3", "overture", "postgresql"}
    assert set(REMOTES.names()) <= tested


def test_local_files_open_no_connection(here: Path, monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    pq.write_table(town(5), "mine.parquet")
    Path("folder/type=building").mkdir(parents=True)
    pq.write_table(town(5, prefix="c"), "folder/type=building/a.parquet")
    write_tiles(here, (50, 7))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    config = make_config(
        {
            "buildings": ["mine.parquet", "folder"],
            "dem": [f"{tile_name(50, 7)}/{tile_name(50, 7)}.tif"],
            "aoi": "area.geojson",
            "out": "out",
        }
    )
    outcome = run(config)
    assert outcome.tally.rows > 20
    assert bucket.requests == []
    for spec in ("gopher://example.org/a", "/vsicurl/http://example.org/a.gpkg", "ftp://example.org/a.gpkg"):
        with pytest.raises(InputError):
            open_source(spec)


def test_middle_of_the_town_is_in_the_area() -> None:
    assert shapely.box(*AREA).contains(shapely.Point(CENTRE))
    assert parts_of(town(4), [1]).num_rows == 2
