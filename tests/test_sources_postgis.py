"""Tables of a real PostGIS server of the tests' own: what is read, what is refused, what is never written or said."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pytest
import shapely
from click.testing import CliRunner

import citygen
from builds import build, content
from citygen.cli import app
from citygen.errors import InputError, MissingCRSError, MissingExtraError, OutputError
from citygen.log import redacted
from citygen.sources.base import SourceOptions, open_source
from citygen.sources.postgis import PostgisSource
from citygen.sources.postgis_table import envelope, parse_spec, quoted, rows_sql
from postgres import PASSWORD, MissingError, Server, server


@pytest.fixture(scope="module")
def pg() -> Iterator[Server]:
    """Return a server with PostGIS; where the machine has none, skip (in CI: fail)."""
    try:
        with server() as one:
            one.run(
                'CREATE TABLE town (gid integer PRIMARY KEY, height text, levels numeric, "roof:shape" text, tags hstore,'
                " names text[], extra jsonb, built date, listed boolean, geom geometry(Polygon, 32631))",
                "CREATE INDEX ON town USING gist (geom)",
                "INSERT INTO town SELECT k, CASE WHEN k % 3 = 0 THEN '12 m' END, 2.5, CASE WHEN k % 2 = 0 THEN 'gabled' END,"
                " 'a=>1', ARRAY['x','y'], '{\"k\": [1]}', '1912-05-01', true,"
                " ST_MakeEnvelope(500000 + 20 * (k % 100), 5150000 + 20 * (k / 100), 500012 + 20 * (k % 100),"
                " 5150008 + 20 * (k / 100), 32631) FROM generate_series(0, 1999) k",
                "INSERT INTO town (gid, height) VALUES (5000, 'no place')",
                "INSERT INTO town (gid, geom) VALUES (5001, ST_GeomFromText('POLYGON EMPTY', 32631))",
                "ANALYZE town",
            )
            yield one
    except MissingError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def read(spec: str, bbox: Any = None, **options: Any) -> tuple[PostgisSource, pa.Table]:
    source = open_source(spec, SourceOptions(**options))
    assert isinstance(source, PostgisSource)
    return source, pa.concat_tables(source.batches(bbox))


def test_a_table_is_read_as_the_contract_says(pg: Server) -> None:
    source, table = read(pg.local(table="town"))
    info = source.info
    assert (info.name, info.crs, info.feature_count, info.format) == ("town", "EPSG:32631", 2002, "postgis")
    assert info.bounds == (500000.0, 5150000.0, 501992.0, 5150388.0)
    assert info.columns == ("gid", "height", "levels", "roof:shape", "tags", "names", "extra", "built", "listed")
    assert table.num_rows == 2002
    assert table["id"].to_pylist() == [*map(str, range(2000)), "5000", "5001"]
    first = table.slice(3, 1).to_pylist()[0]
    assert first["height"] == "12 m"
    assert first["levels"] == 2.5
    assert first["tags"] == '{"a": "1"}'
    assert first["names"] == '["x","y"]'
    assert first["extra"] == '{"k": [1]}'
    assert first["built"] == "1912-05-01"
    assert first["listed"] is True
    assert shapely.from_wkb(first["geometry"]).equals(shapely.box(500060, 5150000, 500072, 5150008))
    assert table["geometry"][2000].as_py() is None
    assert table["row"].to_pylist()[:3] == [0, 1, 2]
    few = list(source.batches(None, batch_rows=300))
    assert max(map(len, few)) <= 300
    assert pa.concat_tables(few).equals(table)
    chosen = read(pg.local(table="town"), columns=("height", "absent"))[1]
    assert chosen.column_names == ["id", "geometry", "problem", "row", "height"]


def test_a_box_is_asked_of_the_index(pg: Server) -> None:
    box = (500000.0, 5150000.0, 500100.0, 5150030.0)
    source, near = read(pg.local(table="town"), box)
    whole = read(pg.local(table="town"))[1]
    shapes = shapely.from_wkb(whole["geometry"].to_numpy(zero_copy_only=False))
    touching = shapely.intersects(shapes, shapely.box(*box)) | shapely.is_missing(shapes) | shapely.is_empty(shapes)
    assert near["id"].to_pylist() == whole["id"].filter(pa.array(touching)).to_pylist()
    assert near["id"].to_pylist()[-2:] == ["5000", "5001"], "rows without a place are never lost"
    sql = rows_sql(source.table, ["height"], envelope(box, 32631))
    with source.database.connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "town_geom_idx" in plan, plan


def test_only_the_area_is_read(pg: Server) -> None:
    source = open_source(pg.local(table="town"), area=(3.0, 46.505, 3.0005, 46.5052))
    assert source.info.feature_count is not None
    assert 0 < source.info.feature_count <= 2002
    far = open_source(pg.local(table="town"), area=(10.0, 50.0, 10.1, 50.1))
    assert far.info.feature_count == 2
    assert [len(batch) for batch in far.batches(None)] == [2]


def test_a_build_is_that_of_the_same_rows_in_a_file(pg: Server, tmp_path: Path) -> None:
    _, table = read(pg.local(table="town"))
    columns = {name: table[name].to_pylist() for name in ("gid", "height", "levels", "roof:shape")}
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    frame = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32631")
    frame.to_file(tmp_path / "town.fgb", SPATIAL_INDEX="NO")
    options = {"ground_z": 10, "allow_rejected": True, "grid": "metric:250"}
    spec = pg.local(table="public.town")
    build(tmp_path / "a", buildings=[spec], **options)
    build(tmp_path / "b", buildings=[str(tmp_path / "town.fgb")], id_column="gid", **options)
    one, other = (content(tmp_path / name) for name in "ab")
    assert sorted(one) == sorted(other)
    assert len(one) > 8
    assert [name for name in one if one[name] != other[name]] == ["report.json"]
    again = build(tmp_path / "a", buildings=[spec], **options)
    assert again.report["outcomes"]["rejected"] == 2
    assert again.report["inputs"] == {}


def test_a_changed_table_is_another_run(pg: Server, tmp_path: Path) -> None:
    pg.run(
        "CREATE TABLE moving AS SELECT gid, height, geom FROM town WHERE gid < 20",
        "ALTER TABLE moving ADD PRIMARY KEY (gid)",
    )
    spec = pg.local(table="moving")
    build(tmp_path / "out", buildings=[spec], ground_z=0)
    build(tmp_path / "out", buildings=[spec], ground_z=0)
    pg.run("UPDATE moving SET height = '30' WHERE gid = 4")
    with pytest.raises(OutputError, match="of other inputs"):
        build(tmp_path / "out", buildings=[spec], ground_z=0)


def test_every_pass_sees_the_same_rows_and_can_write_nothing(pg: Server) -> None:
    pg.run("CREATE TABLE busy AS SELECT gid, geom FROM town WHERE gid < 50", "ALTER TABLE busy ADD PRIMARY KEY (gid)")
    source, before = read(pg.local(table="busy"))
    pg.run("DELETE FROM busy WHERE gid < 25", "INSERT INTO busy VALUES (900, ST_MakeEnvelope(0, 0, 9, 9, 32631))")
    assert pa.concat_tables(source.batches(None)).equals(before)
    assert read(pg.local(table="busy"))[1].num_rows == 26
    with pytest.raises(InputError, match="read-only transaction"):
        source.database.ask("CREATE TABLE stolen (a int)")


@pytest.mark.parametrize(
    "name",
    [
        'a"; DROP TABLE town; --',
        "a'; DROP TABLE town; --",
        "Mixed Case",
        "dot.ted",
        'qu"ote',
        "ünï",
        "select",
        "%s$1{}",
    ],
)
def test_names_are_names_and_nothing_else(pg: Server, name: str) -> None:
    table, column, shape = quoted(name), quoted(f"c {name}"), quoted(f"g {name}")
    pg.run(
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} ({column} integer PRIMARY KEY, {shape} geometry(Point, 4326))",
        f"INSERT INTO {table} VALUES (7, ST_SetSRID(ST_MakePoint(1, 2), 4326))",
    )
    found = read(pg.local(table=f"public.{table}", geometry=f"g {name}"), (0, 0, 3, 3))[1]
    assert found["id"].to_pylist() == ["7"]
    assert found[f"c {name}"].to_pylist() == [7]
    assert pg.run("SELECT count(*) AS n FROM town") == [{"n": 2002}]
    pg.run(f"DROP TABLE {table}")


def test_keys_decide_ids_and_order(pg: Server) -> None:
    pg.run(
        "CREATE TABLE pair (b text, a integer, geom geometry(Point, 4326), PRIMARY KEY (b, a))",
        "INSERT INTO pair SELECT 'k' || (k % 2), k, ST_SetSRID(ST_MakePoint(k, 0), 4326) FROM generate_series(5, 1, -1) k",
        "CREATE TABLE loose (osm_id bigint, geom geometry(Point, 4326))",
        "INSERT INTO loose SELECT 100 - k, ST_SetSRID(ST_MakePoint(k, 0), 4326) FROM generate_series(1, 5) k",
        "CREATE VIEW seen AS SELECT geom, osm_id / 2 AS half FROM loose",
        "CREATE TABLE code (code text PRIMARY KEY, geom geometry(Point, 4326))",
        "INSERT INTO code VALUES ('z', ST_SetSRID(ST_MakePoint(1, 1), 4326)), ('a', ST_SetSRID(ST_MakePoint(2, 2), 4326))",
    )
    assert read(pg.local(table="pair"))[1]["id"].to_pylist() == ["k0/2", "k0/4", "k1/1", "k1/3", "k1/5"]
    assert read(pg.local(table="loose"))[1]["id"].to_pylist() == ["99", "98", "97", "96", "95"]
    assert read(pg.local(table="pair"), id_column="a")[1]["id"].to_pylist() == ["2", "4", "1", "3", "5"]
    assert read(pg.local(table="code"))[1]["id"].to_pylist() == ["a", "z"]
    view = read(pg.local(table="seen"))[1]
    assert view["id"].to_pylist() == ["0", "1", "2", "3", "4"]
    part = read(pg.local(table="seen"), (1.5, -1, 3.5, 1))[1]
    assert part["id"].to_pylist() == [view["id"][k].as_py() for k in (2, 3)] or part.num_rows == 2
    assert set(part["id"].to_pylist()) < set(view["id"].to_pylist()), "a row keeps its number in any box"
    with pytest.raises(InputError, match="no column 'nope'"):
        read(pg.local(table="pair"), id_column="nope")


def test_geography_and_curves(pg: Server) -> None:
    pg.run(
        "CREATE TABLE globe (gid serial PRIMARY KEY, geog geography(Polygon, 4326))",
        "INSERT INTO globe (geog) VALUES ('POLYGON((3 46, 3.001 46, 3.001 46.001, 3 46.001, 3 46))')",
        "CREATE TABLE round (gid serial PRIMARY KEY, geom geometry(CurvePolygon, 32631))",
        "INSERT INTO round (geom) VALUES (ST_GeomFromText('CURVEPOLYGON(CIRCULARSTRING(0 0, 10 0, 0 0))', 32631))",
    )
    source, globe = read(pg.local(table="globe"), (2, 45, 4, 47))
    assert source.info.crs == "EPSG:4326"
    assert globe.num_rows == 1
    disc = shapely.from_wkb(read(pg.local(table="round"))[1]["geometry"][0].as_py())
    assert disc.geom_type == "Polygon"
    assert disc.area == pytest.approx(np.pi * 25, rel=0.01)


def test_what_cannot_be_read_is_said_in_one_line(pg: Server, tmp_path: Path) -> None:
    pg.run(
        "CREATE SCHEMA own",
        "CREATE TABLE own.twice (gid serial PRIMARY KEY, a geometry(Point, 4326), b geometry(Polygon, 2154))",
        "CREATE TABLE shapeless (gid serial PRIMARY KEY)",
        "CREATE TABLE nowhere (gid serial PRIMARY KEY, geom geometry)",
        "INSERT INTO nowhere (geom) VALUES (ST_MakePoint(1, 2))",
        "CREATE TABLE mixed (gid serial PRIMARY KEY, geom geometry)",
        "INSERT INTO mixed (geom) VALUES (ST_SetSRID(ST_MakePoint(1, 2), 4326)), (ST_SetSRID(ST_MakePoint(1, 2), 2154))",
    )
    wrong = {
        pg.local(table="twon"): ["no table 'twon'", "public.town", "own.twice"],
        pg.local(table="own.town"): ["no table 'own.town'"],
        pg.local(): ["say which table", "public.town"],
        pg.local(table="shapeless"): ["no geometry column", "public.town"],
        pg.local(table="own.twice"): ["several geometry columns (a, b)", "&geometry=a"],
        pg.local(table="own.twice", geometry="c"): ["no geometry column 'c'", "a, b"],
        pg.local(table="mixed"): ["several SRIDs (2154, 4326)"],
        pg.local(table="a.b.c"): ["no name of a table"],
        pg.local(table="town", database="plain"): ["no PostGIS"],
        pg.local(table="town", database="absent"): ["cannot be opened", "absent"],
        pg.remote(table="town", password="wrong"): ["cannot be opened", "password authentication failed"],
        "postgresql://citygen@127.0.0.1:1/city?table=town": ["cannot be opened", "127.0.0.1"],
        "postgresql:town": ["postgresql://user@host/database?table"],
    }
    for spec, words in wrong.items():
        with pytest.raises(InputError) as caught:
            open_source(spec)
        text = str(caught.value)
        assert "\n" not in text
        for word in words:
            assert word in text, text
    with pytest.raises(MissingCRSError, match="--source-crs"):
        open_source(pg.local(table="nowhere"))
    assert open_source(pg.local(table="nowhere"), SourceOptions(crs="EPSG:2154")).info.crs == "EPSG:2154"
    assert open_source(pg.local(table="own.twice", geometry="b")).info.crs == "EPSG:2154"
    assert open_source(pg.local(), SourceOptions(layer="town")).info.feature_count == 2002


def test_the_password_is_nowhere(pg: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = pg.remote(table="town")
    out = tmp_path / "out"
    with caplog.at_level(logging.DEBUG):
        report = build(out, buildings=[spec], ground_z=0, aoi="2.9999,46.4,3.001,46.6").report
        found = citygen.inspect(spec)
        explained = citygen.open_city(out).explain("3")
        with pytest.raises(InputError) as caught:
            open_source(pg.remote(table="none"))
    assert report["sources"][0]["path"] == f"postgresql://citygen@127.0.0.1:{pg.port}/city?table=town"
    assert "may have changed" in explained["raw"]["why"]
    assert found["sources"][0]["rows_read"] == 2002
    texts = [caplog.text, str(caught.value), str(found), str(explained), str(report), str(caught.value.__cause__)]
    texts += [path.read_bytes().decode("latin-1") for path in out.rglob("*") if path.is_file()]
    assert len(texts) > 8
    for secret in (PASSWORD, "w0rd!secret", "p%2540ss"):
        assert not any(secret in text for text in texts)
    done = CliRunner(catch_exceptions=False).invoke(app, ["inspect", spec], standalone_mode=False)
    assert done.return_value == 0
    assert "w0rd" not in done.output


def test_secrets_are_cut_out_of_what_is_shown() -> None:
    cases = {
        "postgresql://u:p@h/d?table=t": "postgresql://u@h/d?table=t",
        "postgresql://u@h/d?password=p&table=t": "postgresql://u@h/d?password=***&table=t",
        "postgres://:p@h/d": "postgres://h/d",
        "https://h/a.parquet?X-Amz-Signature=abc&b=1": "https://h/a.parquet?X-Amz-Signature=***&b=1",
        "https://h/a?sig=x": "https://h/a?sig=***",
        "C:/a@b/c.gpkg": "C:/a@b/c.gpkg",
        "town.gpkg": "town.gpkg",
    }
    assert {spec: redacted(spec) for spec in cases} == cases
    spec = parse_spec("postgresql:///?service=mine&table=%22A%20b%22.c&options=-c%20x%3D1")
    assert spec.table == '"A b".c'
    assert "service=mine" in spec.uri
    assert "options=-c%20x%3D1" in spec.uri
    assert "table" not in spec.uri


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    with pytest.raises(MissingExtraError, match=r"citygen\[postgis\]"):
        open_source("postgresql://u@127.0.0.1:1/d?table=t")


@pytest.mark.parametrize("host", ["[::1", "localhost:1"])
@pytest.mark.parametrize("secret", ["s3cret", "s3cret%zz", "s3cret with a blank", "s3cret/and/more"])
def test_a_password_is_in_no_message_of_libpq(host: str, secret: str) -> None:
    pytest.importorskip("adbc_driver_postgresql")
    for spec in (
        f"postgresql://anna:{secret}@{host}/city?table=x",
        f"postgresql://{host}/city?table=x&password={secret}",
    ):
        with pytest.raises(InputError) as refused:
            open_source(spec)
        assert "s3cret" not in str(refused.value)
