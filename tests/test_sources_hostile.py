"""Broken and hostile files through the sources: a clear one-line error or all the rows; never a crash, never a connection."""

import json
import os
import random
import shutil
import sqlite3
import struct
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely

from citygen.errors import InputError, MissingCRSError
from citygen.sources.aoi import read_aoi
from citygen.sources.base import SourceOptions, open_file, open_source, remote_of

CRS = "EPSG:25832"


def squares(n: int = 200) -> gpd.GeoDataFrame:
    x = 500_000 + 20.0 * np.arange(n)
    data = {"id": [f"b{k}" for k in range(n)], "height": np.arange(n) / 2, "name": ["a name"] * n}
    return gpd.GeoDataFrame(data, geometry=shapely.box(x, 5.7e6, x + 10, 5.7e6 + 10), crs=CRS)


def write(driver: str, folder: Path, gdf: gpd.GeoDataFrame | None = None) -> Path:
    gdf = squares() if gdf is None else gdf
    suffix = {"GPKG": "gpkg", "FlatGeobuf": "fgb", "ESRI Shapefile": "shp", "GeoJSON": "geojson", "Parquet": "parquet"}
    path = folder / f"a.{suffix[driver]}"
    if driver == "Parquet":
        gdf.to_parquet(path, row_group_size=32)
    else:
        pyogrio.write_dataframe(gdf.to_crs(4326) if driver == "GeoJSON" else gdf, path, driver=driver)
    return path


def read(path: Path | str, **options: str) -> pa.Table:
    tables = list(open_source(path, SourceOptions(**options)).batches(None, batch_rows=64))
    for table in tables:
        table.validate(full=True)
    return pa.concat_tables(tables) if tables else pa.table({"id": []})


def refused(path: Path | str, **options: str) -> str:
    """Return the message of the error that a file has to give: one line that names the file."""
    with pytest.raises(InputError) as caught:
        read(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert Path(path).stem in text or str(path) in text
    return text


def rows_or_message(path: Path) -> tuple[pa.Table | None, str]:
    """Read a file that may be broken."""
    try:
        return read(path), ""
    except InputError as error:
        return None, str(error)


def test_the_listener_counts(listener: tuple[str, list[int]]) -> None:
    host, seen = listener
    with pytest.raises(pyogrio.errors.DataSourceError):
        pyogrio.read_info(f"/vsicurl/http://{host}/a.geojson")
    assert seen, "GDAL itself would have connected: the counts of zero below mean something"


SPECS = [
    "/vsicurl/http://{host}/a.gpkg",
    "/vsicurl_streaming/http://{host}/a.geojson",
    "/vsizip//vsicurl/http://{host}/a.zip",
    "http://{host}/a.geojson",
    "HTTP://{host}/a.geojson",
    "zip+http://{host}/a.zip",
    "WFS:http://{host}/wfs",
    "OAPIF:http://{host}/",
    "GeoJSON:http://{host}/a.geojson",
    "PG:host=127.0.0.1 port={port}",
    "<OGRVRTDataSource><OGRVRTLayer "
    'name="a"><SrcDataSource>/vsicurl/http://{host}/a</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>',
    '{{"type": "FeatureCollection", "crs": {{"type": "link", '
    '"properties": {{"href": "http://{host}/"}}}}, "features": []}}',
]


@pytest.mark.parametrize("spec", SPECS)
def test_names_that_mean_something_to_gdal(listener: tuple[str, list[int]], spec: str) -> None:
    host, seen = listener
    text = spec.format(host=host, port=host.split(":")[1])
    with pytest.raises(InputError):
        open_file(text)
    if remote_of(text) is None:  # a plain URL is one that was asked for, as --buildings alone
        with pytest.raises(InputError):
            read(text)
    with pytest.raises(InputError):
        read_aoi(text)
    assert not seen


def test_contents_that_point_to_the_network(listener: tuple[str, list[int]], tmp_path: Path) -> None:
    host, seen = listener
    url = f"http://{host}/a"
    vrt = (
        "<OGRVRTDataSource><OGRVRTLayer "
        f'name="a"><SrcDataSource>/vsicurl/{url}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    )
    kml = f"<kml><NetworkLink><Link><href>{url}</href></Link></NetworkLink></kml>"
    gml = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><gml:FeatureCollection>&x;</gml:FeatureCollection>'
    topojson = f'{{"type": "Topology", "objects": {{}}, "crs": "{url}"}}'
    gdalg = f'{{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read /vsicurl/{url} ! write x"}}'
    service = f'{{"type": "FeatureCollection", "links": [{{"rel": "next", "href": "{url}"}}], "conformsTo": ["{url}"]}}'
    esri = f'{{"geometryType": "esriGeometryPolygon", "spatialReference": {{"wkt": "{url}"}}, "features": [], "x": "{url}"}}'
    stac = f'{{"type": "FeatureCollection", "stac_version": "1", "features": 3, "next": "{url}"}}'
    texts = [
        vrt,
        "  \n" + vrt,
        "﻿" + vrt,
        kml,
        gml,
        topojson,
        gdalg,
        service,
        esri,
        stac,
        url,
        f"[{url}]",
        "PK\x03\x04" + url,
    ]
    for k, text in enumerate(texts):
        for suffix in (".geojson", ".gpkg", ".shp", ".fgb", ".parquet", ".vrt", ".json", ".gdalg.json", ".csv"):
            path = tmp_path / f"x{k}{suffix}"
            path.write_text(text, encoding="utf-8")
            refused(path)
    feature = '{"type": "Feature", "properties": {}, "geometry": null}'
    for crs in (
        f'{{"type": "link", "properties": {{"href": "{url}", "type": "proj4"}}}}',
        f'{{"type": "name", "properties": {{"name": "{url}"}}}}',
        f'{{"type": "url", "properties": {{"url": "{url}"}}}}',
        f'"{url}"',
        f'{{"type": "name", "properties": {{"name": "+proj=longlat +nadgrids=/vsicurl/{url}"}}}}',
    ):
        path = tmp_path / "crs.geojson"
        path.write_text(f'{{"type": "FeatureCollection", "crs": {crs}, "features": [{feature}]}}')
        refused(path)
        assert read(path, crs="EPSG:4326").num_rows == 1
    assert not seen


def test_flatgeobuf_that_is_also_a_virtual_dataset(listener: tuple[str, list[int]], tmp_path: Path) -> None:
    host, seen = listener
    vrt = (
        "<OGRVRTDataSource><OGRVRTLayer "
        f"name='a'><SrcDataSource>/vsicurl/http://{host}/</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    for body in (vrt, "    " + vrt, "\x01\x01\x01\x01\x01" + vrt, "\x01\x18\x00\x00\x00" + vrt):
        (tmp_path / "a.fgb").write_bytes(b"fgb\x03fgb" + body.encode())
        refused(tmp_path / "a.fgb")
    assert not seen


def test_parts_beside_a_shapefile_are_not_followed(listener: tuple[str, list[int]], tmp_path: Path) -> None:
    host, seen = listener
    path = write("ESRI Shapefile", tmp_path)
    (tmp_path / "a.shp.aux.xml").write_text(f"<PAMDataset><SRS>http://{host}/</SRS></PAMDataset>")
    (tmp_path / "a.vrt").write_text("<OGRVRTDataSource/>")
    (tmp_path / "a.qix").write_bytes(b"SQT\x01junk" * 99)
    (tmp_path / "a.sbn").write_bytes(b"junk" * 99)
    (tmp_path / "a.idm").write_bytes(b"junk" * 99)
    assert read(path).num_rows == 200
    for prj in (
        f"http://{host}/a.wkt",
        f'GEOGCS["x",EXTENSION["PROJ4","+nadgrids=/vsicurl/http://{host}/a"]]',
        "+init=/etc/passwd",
    ):
        (tmp_path / "a.prj").write_text(prj)
        refused(path)
        assert read(path, crs=CRS).num_rows == 200
    assert not seen


def evil(path: Path, *statements: str) -> Path:
    """Rewrite a GeoPackage with statements that GDAL's own SQLite would not refuse to store."""
    base = sqlite3.connect(path)
    base.execute("PRAGMA writable_schema = ON")
    for statement in statements:
        base.execute(statement)
    base.commit()
    base.close()
    return path


def layer(select: str) -> list[str]:
    """Register a view as the only features layer."""
    return [
        "DELETE FROM gpkg_geometry_columns",
        "DELETE FROM gpkg_contents",
        f"CREATE VIEW v AS {select}",
        "INSERT INTO gpkg_contents (table_name, data_type, srs_id) VALUES ('v', 'features', 25832)",
        "INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'POLYGON', 25832, 0, 0)",
    ]


@pytest.mark.parametrize(
    "select",
    [
        "SELECT fid, geom, ogr_geocode('x', 'geometry', 'QUERY_TEMPLATE=http://{host}/%s') AS g FROM a",
        "SELECT fid, geom, gdal_get_pixel_value('/vsicurl/http://{host}/a.tif', 1, 'pixel', 0, 0) AS g FROM a",
        "SELECT fid, geom, load_extension('/tmp/x') AS g FROM a",
        "SELECT fid, geom, readfile('/etc/passwd') AS g FROM a",
        "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n) SELECT k AS fid, geom FROM n, a",
        "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n) SELECT a.fid, geom FROM n, a",
        "SELECT * FROM pragma_database_list",
    ],
)
def test_geopackage_views_that_do_more_than_read(listener: tuple[str, list[int]], tmp_path: Path, select: str) -> None:
    host, seen = listener
    path = evil(write("GPKG", tmp_path), *layer(select.format(host=host)))
    text = refused(path)
    assert "k + 1 FROM n) SELECT a.fid" not in select or "does more than read" in text
    assert not seen


def test_geopackage_view_that_only_reads(tmp_path: Path) -> None:
    path = evil(write("GPKG", tmp_path), *layer("SELECT fid, geom, upper(id) AS id, height FROM a WHERE height < 5"))
    table = read(path)
    assert table["id"].to_pylist() == [f"B{k}" for k in range(10)]
    assert table["row"].to_pylist() == list(range(1, 11))


def test_geopackage_names_are_quoted(tmp_path: Path) -> None:
    name = 'a"; DROP TABLE "x'
    gdf = squares(3).rename(columns={"name": 'na"me; --'})
    path = tmp_path / "a.gpkg"
    pyogrio.write_dataframe(gdf, path, layer=name)
    table = read(path)
    assert table['na"me; --'].to_pylist() == ["a name"] * 3
    assert open_source(path).batches((0, 0, 1e9, 1e9)) is not None


def test_geopackage_with_unsaved_changes_beside_it(tmp_path: Path) -> None:
    path = write("GPKG", tmp_path)
    base = sqlite3.connect(path)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("CREATE TABLE later (a)")
    base.commit()
    copy = tmp_path / "copy.gpkg"
    shutil.copy(path, copy)
    shutil.copy(tmp_path / "a.gpkg-wal", tmp_path / "copy.gpkg-wal")
    base.close()
    assert "copy.gpkg-wal" in refused(copy)
    (tmp_path / "copy.gpkg-wal").unlink()
    assert read(copy).num_rows == 200  # a file in WAL mode without a journal is read, and gets none
    assert not list(tmp_path.glob("copy.gpkg-*"))


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "ESRI Shapefile", "GeoJSON", "Parquet"])
def test_a_cut_file_is_refused_wherever_it_is_cut(driver: str, tmp_path: Path) -> None:
    path = write(driver, tmp_path)
    data = path.read_bytes()
    points = sorted({1, 8, 12, 13, 20, 99, 100, 101, *np.linspace(30, len(data) - 9, 40).astype(int).tolist()})
    for point in points:
        path.write_bytes(data[:point])
        refused(path)
    path.write_bytes(data)
    assert read(path).num_rows == 200


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "ESRI Shapefile", "GeoJSON", "Parquet"])
def test_flipped_bytes_give_rows_or_an_error(driver: str, tmp_path: Path) -> None:
    path = write(driver, tmp_path)
    data = path.read_bytes()
    dice = random.Random(driver)
    outcomes = {"rows": 0, "refused": 0}
    for _ in range(80):
        broken = bytearray(data)
        for _ in range(dice.choice([1, 3, 20])):
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        path.write_bytes(broken)
        table, message = rows_or_message(path)
        outcomes["refused" if table is None else "rows"] += 1
        if table is not None:
            assert len(set(table["row"].to_pylist())) == table.num_rows
            shapely.from_wkb(table["geometry"].to_numpy(), on_invalid="ignore")
        assert "\n" not in message
    assert outcomes["rows"] + outcomes["refused"] == 80


def test_one_broken_feature_of_a_flatgeobuf_costs_one_row(tmp_path: Path) -> None:
    path = write("FlatGeobuf", tmp_path)
    whole = read(path)
    source = open_source(path)
    data = bytearray(path.read_bytes())
    start = source.layout.features_start
    for _ in range(57):
        start += 4 + struct.unpack_from("<I", data, start)[0]
    data[start + 4 : start + 8] = b"\xff\xff\xff\x7f"  # the root of its table lies beyond the file
    path.write_bytes(data)
    table = read(path)
    assert table.num_rows == 200
    assert [row["row"] for row in table.to_pylist() if row["problem"]] == [57]
    keep = pa.array([k != 57 for k in range(200)])
    assert table.filter(keep).equals(whole.filter(keep))


@pytest.mark.parametrize("box", [(np.nan,) * 4, (np.inf, np.inf, -np.inf, -np.inf), (0.0, np.nan, 1.0, 1.0)])
def test_a_flatgeobuf_row_that_its_index_cannot_place_is_found(tmp_path: Path, box: tuple[float, ...]) -> None:
    path = write("FlatGeobuf", tmp_path)
    source = open_source(path)
    row = read(path).slice(57, 1)
    bounds = shapely.bounds(shapely.from_wkb(row["geometry"][0].as_py()))
    data = bytearray(path.read_bytes())
    struct.pack_into("<4d", data, source.layout.features_start - (200 - 57) * 40, *box)
    path.write_bytes(data)
    west, south, east, north = (float(v) for v in bounds)
    found = pa.concat_tables(open_source(path).batches((west + 1, south + 1, east - 1, north - 1)))
    assert found.equals(row)


def test_broken_wkb_is_handed_on_row_by_row(tmp_path: Path) -> None:
    good = shapely.to_wkb(shapely.box(0, 0, 1, 1))
    unclosed = struct.pack("<BIII8d", 1, 3, 1, 4, 0, 0, 1, 0, 1, 1, 0, 1)
    nan = shapely.to_wkb(shapely.Polygon([(0, 0), (1, 0), (np.nan, 1), (0, 0)]))
    blobs = [good, unclosed, b"", b"\x01junk", None, nan, good[:20], struct.pack("<BII", 1, 3, 2**31), good]
    table = pa.table({"geometry": pa.array(blobs, pa.binary()), "id": [str(k) for k in range(len(blobs))]})
    geo = {
        "version": "1.0.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}},
    }
    path = tmp_path / "a.parquet"
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    assert read(path)["geometry"].to_pylist() == blobs
    rows = pa.concat_tables(open_source(path).batches((10, 10, 11, 11)))["row"].to_pylist()
    assert set(rows) >= {2, 3, 4, 6, 7}, "what cannot be located stays"
    assert not {0, 1, 8} & set(rows), "what lies elsewhere goes, also the unclosed ring"


def test_things_that_are_no_files(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.gpkg")
    write("GPKG", tmp_path)
    assert "a.gpkg" in refused(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    assert "empty" in refused(tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(tmp_path / "pipe")
    (tmp_path / "text.tif").write_text("hello, this is no raster and no vector")
    assert "no known vector format" in refused(tmp_path / "text.tif")
    (tmp_path / "raster.gpkg").write_bytes(b"II*\x00" + bytes(99))
    assert "--dem" in refused(tmp_path / "raster.gpkg")
    sqlite3.connect(tmp_path / "db.gpkg").execute("CREATE TABLE a (b)").connection.commit()
    assert "no GeoPackage" in refused(tmp_path / "db.gpkg")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type":"FeatureCollection","features":[' + "[" * 100_000,
        '{"type":"FeatureCollection","features":' + "[" * 900 + "]" * 900,
    ],
)
def test_deep_nesting(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep.geojson").write_text(text)
    refused(tmp_path / "deep.geojson")


def test_json_that_is_hard_to_swallow(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    for text in (
        '{"type": "FeatureCollection", "features": [' + "9" * 5000 + "]}",
        '{"type": "FeatureCollection", "features": []} {"type": "Feature"}',
        '{"type": "FeatureCollection", "features": []}]',
        '{"type": "FeatureCollection", "features": [,]}',
        '{"type": "FeatureCollection", "features": [{}',
        "{\"type\": 'FeatureCollection'}",
        '{"features": []}',
        "[]",
        "{}",
        '{"type": "FeatureCollection", "features": [{"type": '
        '"Feature", "geometry": null, "properties": {"a": "\\x"}}]}',
    ):
        path.write_text(text)
        refused(path)
    many = [{"type": "Feature", "geometry": None, "properties": {f"k{k}": 1}} for k in range(5000)]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": many}))
    assert "property names" in refused(path)
    path.write_text(json.dumps({"features": [7, None, "x", {}], "type": "FeatureCollection"}))
    assert [bool(p) for p in read(path)["problem"].to_pylist()] == [True] * 4
    path.write_bytes(
        json.dumps({"type": "Feature", "geometry": None, "properties": {"ä": 1}}, ensure_ascii=False).encode("utf-16")
    )
    assert read(path)["ä"].to_pylist() == [1]


def test_latin1_json_is_read_with_a_warning(testdata: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = testdata / "hardcases/synthetic/files/latin1.geojson"
    table = read(path)
    assert table.num_rows == 15
    assert "�" in "".join(filter(None, table["name"].to_pylist()))
    offset = path.read_bytes().decode("utf-8", "surrogateescape").encode("utf-8", "surrogatepass").find(b"\xed")
    assert f"from byte {offset} on" in caplog.text


GOOD = {
    "files/ok.gpkg": 15,
    "files/gpkg-named.shp": 15,
    "files/bom-crlf.geojson": 15,
    "files/duplicate-keys.geojson": 15,
    "files/mixed-geometry.geojson": 16,
    "files/ok.parquet": 15,
    "files/empty-collection.geojson": 0,
    "crs/geojson-crs-member.geojson": 15,
    "crs/us-survey-feet.gpkg": 15,
    "crs/utm-zone-border-12E.geojson": 20,
    "crs/antimeridian-fiji.geojson": 10,
    "crs/svalbard-85N.geojson": 1,
    "crs/axis-swapped.geojson": 15,
    "crs/degrees-labelled-3857.gpkg": 15,
    "crs/metres-labelled-4326.gpkg": 15,
    "crs/shp-no-shx/x.shp": 15,
    "crs/shp-no-dbf/x.shp": 15,
    "geometry/torture.geojson": 67,
    "geometry/controls-only.geojson": 10,
    "geometry/nan-literal.geojson": 3,
    "geometry/infinity-literal.geojson": 3,
    "geometry/nan-inf.gpkg": 3,
}
BAD = {
    "files/truncated-2.gpkg": "cut off",
    "files/truncated-50.gpkg": "cut off",
    "files/truncated-95.gpkg": "cut off",
    "files/bitflips.gpkg": "damaged",
    "files/zero-bytes.geojson": "empty",
    "files/cut-mid-feature.geojson": "line 1, column .* cut off",
    "files/deep-nesting.geojson": "nested too deeply",
    "files/two-layers.gpkg": "--layer",
    "files/geoparquet-bad-geo-metadata.parquet": "primary_column",
    "files/truncated.parquet": "cut off",
}
NO_CRS = [
    "crs/shp-no-prj/x.shp",
    "crs/shp-no-prj-degrees/x.shp",
    "crs/undefined-srs.gpkg",
    "crs/geojson-crs-link.geojson",
]


def test_every_synthetic_file_is_judged(testdata: Path) -> None:
    root = testdata / "hardcases/synthetic"
    found = {
        p.relative_to(root).as_posix()
        for f in ("files", "crs", "geometry")
        for p in (root / f).rglob("*")
        if p.is_file()
    }
    assert {p for p in found if Path(p).suffix not in (".dbf", ".shx", ".prj", ".cpg")} - {"files/latin1.geojson"} == (
        set(GOOD) | set(BAD) | set(NO_CRS)
    )


@pytest.mark.parametrize(("name", "count"), sorted(GOOD.items()))
def test_synthetic_good(testdata: Path, name: str, count: int) -> None:
    table = read(testdata / "hardcases/synthetic" / name)
    assert table.num_rows == count
    if count:
        assert len(set(table["row"].to_pylist())) == count
        assert table["id"].null_count == 0


@pytest.mark.parametrize(("name", "text"), sorted(BAD.items()))
def test_synthetic_bad(testdata: Path, name: str, text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        read(testdata / "hardcases/synthetic" / name)
    assert Path(name).name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NO_CRS)
def test_synthetic_without_crs(testdata: Path, name: str) -> None:
    path = testdata / "hardcases/synthetic" / name
    with pytest.raises(MissingCRSError, match="--source-crs EPSG:n"):
        read(path)
    assert open_source(path, SourceOptions(crs="EPSG:25833")).info.crs == "EPSG:25833"


def test_torture_problems_are_only_those_of_data(testdata: Path) -> None:
    table = read(testdata / "hardcases/synthetic/geometry/torture.geojson")
    truth = json.loads((testdata / "hardcases/synthetic/geometry/torture.geojson").read_text())["features"]
    assert table["id"].to_pylist() == [f["id"] for f in truth]
    assert [row["id"] for row in table.to_pylist() if row["problem"]] == ["coords-strings"]
    controls = {f["id"]: f["geometry"] for f in truth if f["id"].startswith("control")}
    for row in table.to_pylist():
        if row["id"] in controls:
            assert shapely.from_wkb(row["geometry"]) == shapely.geometry.shape(controls[row["id"]])


def test_foreign_json(testdata: Path) -> None:
    folder = testdata / "hardcases/files-foreign"
    seen = 0
    for path in [*sorted((folder / "geojson-bad").iterdir()), *sorted((folder / "geos-fuzz-seeds").iterdir())]:
        seen += 1
        table, message = rows_or_message(path)
        assert table.num_rows >= 1 if table is not None else path.name in message
        assert "\n" not in message
    assert seen >= 30
