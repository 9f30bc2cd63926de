"""Every source format against the contract of citygen.sources.base.Source: same rows, ids, types, boxes, errors."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from city_models import city_gml, city_json, city_json_seq, city_objects, gml_buildings
from citygen.errors import InputError, MissingCRSError
from citygen.sources import json_stream
from citygen.sources.aoi import read_aoi
from citygen.sources.base import SOURCES, Source, SourceOptions, open_source
from citygen.sources.batch import meets, plain
from citygen.sources.crs import authority_code
from citygen.sources.geojson_geometry import geometry_wkb
from citygen.sources.memory import from_geodataframe

CRS = "EPSG:25832"
N = 300


def frame() -> gpd.GeoDataFrame:
    """300 squares on a grid; row 7 has no geometry, row 11 an empty one."""
    x, y = 500_000 + 20.0 * (np.arange(N) % 20), 5_700_000 + 20.0 * (np.arange(N) // 20)
    squares = shapely.box(x, y, x + 10, y + 10)
    squares[7] = None
    squares[11] = shapely.Polygon()
    return gpd.GeoDataFrame(
        {
            "id": [f"b{k:03d}" for k in range(N)],
            "height": [None if k % 5 == 0 else k / 4 for k in range(N)],
            "levels": np.arange(N, dtype=np.int64),
            "name": [None if k % 7 == 0 else f"Straße {k}" for k in range(N)],
        },
        geometry=squares,
        crs=CRS,
    )


def write_ogr(gdf: gpd.GeoDataFrame, path: Path, driver: str, **options: str) -> Path:
    pyogrio.write_dataframe(gdf, path, driver=driver, **options)
    return path


def write_seq(gdf: gpd.GeoDataFrame, path: Path) -> Path:
    features = json.loads(gdf.to_json(drop_id=True))["features"]
    path.write_text("\n".join("\x1e" + json.dumps(f) for f in features), encoding="utf-8")
    return path


def write_geojson(gdf: gpd.GeoDataFrame, path: Path) -> Path:
    thing = json.loads(gdf.to_json(drop_id=True))
    thing["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25832"}}
    path.write_text(json.dumps(thing), encoding="utf-8")
    return path


def write_parquet(gdf: gpd.GeoDataFrame, path: Path, **options: object) -> Path:
    gdf.to_parquet(path, row_group_size=64, **options)
    return path


def write_city_json(gdf: gpd.GeoDataFrame, path: Path) -> Path:
    model = city_json(city_objects(gdf), crs=CRS)
    path.write_text(json.dumps(model), encoding="utf-8")
    return path


def write_city_seq(gdf: gpd.GeoDataFrame, path: Path) -> Path:
    path.write_text(city_json_seq(city_objects(gdf), crs=CRS), encoding="utf-8")
    return path


def write_city_gml(gdf: gpd.GeoDataFrame, path: Path) -> Path:
    path.write_text(
        city_gml(gml_buildings(gdf), crs="urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::7837"), encoding="utf-8"
    )
    return path


WRITERS: dict[str, tuple[str, Callable[[gpd.GeoDataFrame, Path], Path]]] = {
    "gpkg": ("gpkg", lambda g, d: write_ogr(g, d / "a.gpkg", "GPKG")),
    "gpkg-no-index": ("gpkg", lambda g, d: write_ogr(g, d / "a.gpkg", "GPKG", SPATIAL_INDEX="NO")),
    "fgb-no-index": ("fgb", lambda g, d: write_ogr(g, d / "a.fgb", "FlatGeobuf", SPATIAL_INDEX="NO")),
    "fgb": ("fgb", lambda g, d: write_ogr(g[g.geometry.notna() & ~g.geometry.is_empty], d / "a.fgb", "FlatGeobuf")),
    "shapefile": ("shapefile", lambda g, d: write_ogr(g, d / "a.shp", "ESRI Shapefile", ENCODING="UTF-8")),
    "geojson": ("geojson", lambda g, d: write_geojson(g, d / "a.geojson")),
    "geojsonseq": ("geojson", lambda g, d: write_seq(g, d / "a.geojsonl")),
    "parquet": ("geoparquet", lambda g, d: write_parquet(g, d / "a.parquet")),
    "parquet-bbox": (
        "geoparquet",
        lambda g, d: write_parquet(g, d / "a.parquet", write_covering_bbox=True, schema_version="1.1.0"),
    ),
    "parquet-native": (
        "geoparquet",
        lambda g, d: write_parquet(
            g[g.geometry.notna()], d / "a.parquet", geometry_encoding="geoarrow", schema_version="1.1.0"
        ),
    ),
    "cityjson": ("cityjson", lambda g, d: write_city_json(g, d / "a.city.json")),
    "cityjsonseq": ("cityjsonseq", lambda g, d: write_city_seq(g, d / "a.city.jsonl")),
    "citygml": ("citygml", lambda g, d: write_city_gml(g, d / "a.gml")),
    "memory": ("memory", lambda g, d: d),
}


@pytest.fixture(params=sorted(WRITERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(kind: str, tmp_path: Path) -> Source:
    path = WRITERS[kind][1](frame(), tmp_path)
    if kind == "memory":
        return from_geodataframe(frame())
    options = SourceOptions(crs=CRS) if kind == "geojsonseq" else SourceOptions()
    return open_source(path, options)


def read(source: Source, bbox: tuple[float, float, float, float] | None = None, batch_rows: int = 65_536) -> pa.Table:
    tables = list(source.batches(bbox, batch_rows=batch_rows))
    assert all(0 < t.num_rows <= batch_rows for t in tables)
    assert len({t.schema for t in tables}) <= 1
    return pa.concat_tables(tables).combine_chunks()


OWN_TESTS = {"osm": "test_sources_osm.py"}
"""Formats that cannot hold the frame above (their places are degrees, their values text) and have a file of their own."""


def test_every_format_has_a_writer_here() -> None:
    assert set(SOURCES.names()) == {name for name, _ in WRITERS.values()} - {"memory"} | set(OWN_TESTS)
    assert all((Path(__file__).parent / name).is_file() for name in OWN_TESTS.values())


def test_rows_are_those_of_the_file(kind: str, source: Source) -> None:
    table = read(source)
    truth = frame().set_index("id")
    got = table.to_pandas().set_index("id")
    assert table.schema.names[:4] == ["id", "geometry", "problem", "row"]
    assert [str(table.schema.field(n).type) for n in ("id", "geometry", "problem", "row")] == [
        "string",
        "binary",
        "string",
        "int64",
    ]
    absent = {"fgb": {"b007", "b011"}, "parquet-native": {"b007"}}.get(kind, set())
    assert set(got.index) == set(truth.index) - absent
    assert got.index.is_unique
    truth = truth.loc[got.index]
    shapes = shapely.from_wkb(got["geometry"].to_numpy())
    blank = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    truth_blank = truth.geometry.isna() | truth.geometry.is_empty
    assert (blank == truth_blank).all()
    assert shapely.equals(shapes[~blank], truth.geometry.to_numpy()[~blank]).all()
    assert got["problem"].isna().all()
    np.testing.assert_array_equal(got["height"].to_numpy(dtype=float), truth["height"].to_numpy(dtype=float))
    assert (got["levels"] == truth["levels"]).all()
    assert [v or None for v in table["name"].to_pylist()] == [v if isinstance(v, str) else None for v in truth["name"]]
    assert (np.diff(table["row"].to_numpy()) > 0).all()
    assert source.info.feature_count in (None, table.num_rows)
    assert source.info.columns == tuple(table.schema.names[4:])
    assert authority_code(source.info.crs) == CRS
    if source.info.bounds is not None and kind != "gpkg-no-index":
        np.testing.assert_allclose(source.info.bounds, frame().total_bounds)


@pytest.mark.parametrize("batch_rows", [1, 64, 299])
def test_batches_do_not_change_the_rows(source: Source, batch_rows: int) -> None:
    assert read(source, batch_rows=batch_rows).equals(read(source))


@pytest.mark.parametrize(
    "bbox",
    [
        (500_005.0, 5_700_005.0, 500_095.0, 5_700_045.0),
        (500_010.0, 5_700_010.0, 500_010.0, 5_700_010.0),  # a corner only
        (0.0, 0.0, 1.0, 1.0),
        (500_012.0, 5_700_000.0, 500_018.0, 5_800_000.0),  # between two columns
        (0.0, 0.0, 1e9, 1e9),
    ],
)
def test_box_keeps_what_meets_it_and_what_cannot_be_located(
    source: Source, bbox: tuple[float, float, float, float]
) -> None:
    whole = read(source)
    expected = whole.filter(pa.array(meets(whole["geometry"].combine_chunks(), bbox)))
    tables = list(source.batches(bbox, batch_rows=50))
    assert (pa.concat_tables(tables) if tables else whole.slice(0, 0)).equals(expected)


def test_input_folder_is_left_alone(kind: str, tmp_path: Path) -> None:
    path = WRITERS[kind][1](frame(), tmp_path)
    if kind == "memory":
        gdf, before = frame(), frame()
        read(from_geodataframe(gdf), (0, 0, 1e9, 1e9))
        assert gdf.equals(before)
        return
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    tmp_path.chmod(0o555)
    try:
        read(open_source(path, SourceOptions(crs=CRS)))
    finally:
        tmp_path.chmod(0o755)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_format_is_told_by_content_not_by_name(kind: str, tmp_path: Path) -> None:
    if kind in ("memory", "shapefile"):
        pytest.skip("no single file")
    path = WRITERS[kind][1](frame(), tmp_path)
    for suffix in (".tif", ".shp", ".vrt", ".gpkg", ".zip", ""):
        renamed = path.rename(tmp_path / f"x y'{suffix}")
        path = renamed
        assert read(open_source(renamed, SourceOptions(crs=CRS))).num_rows >= N - 2


def test_user_crs_columns_and_id_column(kind: str, tmp_path: Path) -> None:
    path = WRITERS[kind][1](frame(), tmp_path)
    options = SourceOptions(crs="EPSG:3857", id_column="levels", columns=("height", "no such"))
    source = from_geodataframe(frame(), options=options) if kind == "memory" else open_source(path, options)
    table = read(source)
    assert source.info.crs == "EPSG:3857"
    assert table.schema.names == ["id", "geometry", "problem", "row", "height"]
    assert set(table["id"].to_pylist()) <= {str(k) for k in range(N)}
    with pytest.raises(InputError, match="no column 'nope'"):
        _ = (
            from_geodataframe(frame(), options=SourceOptions(id_column="nope"))
            if kind == "memory"
            else open_source(path, SourceOptions(crs=CRS, id_column="nope"))
        )


def test_ids_fall_back_row_by_row(tmp_path: Path) -> None:
    features = [
        {"type": "Feature", "id": fid, "properties": {"OSM_ID": osm}, "geometry": None}
        for fid, osm in [("way/1", 5), (2, None), (None, None), ({}, None), ("", None), (True, None)]
    ]
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert read(open_source(path))["id"].to_pylist() == ["way/1", "2", "2", "3", "4", "5"]
    assert read(open_source(path, SourceOptions(id_column="OSM_ID")))["id"].to_pylist() == [
        "5",
        "2",
        "2",
        "3",
        "4",
        "5",
    ]


def test_a_constant_id_column_is_passed_over(tmp_path: Path) -> None:
    gdf = frame().assign(id=0)
    table = read(open_source(write_ogr(gdf, tmp_path / "a.shp", "ESRI Shapefile")))
    assert table["id"].to_pylist()[:3] == ["0", "1", "2"]
    assert set(table["id_"].to_pylist()) == {0}


def test_index_of_a_frame_is_its_id() -> None:
    gdf = frame().drop(columns="id").set_index(np.array([f"x{k}" for k in range(N)]))
    assert read(from_geodataframe(gdf))["id"].to_pylist()[:2] == ["x0", "x1"]
    assert read(from_geodataframe(gdf.reset_index(drop=True)))["id"].to_pylist()[:2] == ["0", "1"]
    mixed = gdf.assign(tag=["a", 1, 2.5, None, {"k": 1}] * (N // 5))
    assert read(from_geodataframe(mixed))["tag"].to_pylist()[:5] == ["a", "1", "2.5", None, '{"k": 1}']
    with pytest.raises(MissingCRSError, match="--source-crs"):
        from_geodataframe(gdf.set_crs(None, allow_override=True))


def test_geojson_columns_have_one_type_each(tmp_path: Path) -> None:
    rows = [
        {"a": 1, "b": 1, "c": "x", "d": [1, {"e": None}], "f": True},
        {"a": 2.5, "b": "3 m", "c": "\ud800", "row": 10**30},
    ]
    thing = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": p, "geometry": None} for p in rows],
    }
    (tmp_path / "a.geojson").write_text(json.dumps(thing))
    table = read(open_source(tmp_path / "a.geojson"), batch_rows=1)
    assert table.drop_columns(["id", "geometry", "problem", "row"]).to_pylist() == [
        {"a": 1.0, "b": "1", "c": "x", "d": '[1, {"e": null}]', "f": True, "row_": None},
        {"a": 2.5, "b": "3 m", "c": "?", "d": None, "f": None, "row_": str(10**30)},
    ]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(json_values, max_size=6), st.sampled_from([1, 2, 3, 7, 64]), st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_stream_reads_what_json_reads(
    tmp_path_factory: pytest.TempPathFactory, values: list[object], chunk: int, indent: int | None, ascii_only: bool
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    text = json.dumps({"x": 12.5e1, "features": values, "z": -7}, indent=indent, ensure_ascii=ascii_only)
    path.write_text(text.encode("utf-8", "replace").decode(), encoding="utf-8")
    expected = json.loads(path.read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        with json_stream.JsonStream(path) as stream:
            got = {}
            for key in stream.members():
                got[key] = list(stream.elements()) if key == "features" else stream.value()
            assert stream.peek() == ""
    assert got == expected


@given(st.binary(max_size=60), st.sampled_from([1, 5, 64]))
@settings(max_examples=200, deadline=None)
def test_stream_reports_any_other_bytes(tmp_path_factory: pytest.TempPathFactory, junk: bytes, chunk: int) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_bytes(b'{"features": [' + junk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK", chunk)
        message = walk(path)
    try:
        json.loads(path.read_bytes().decode("utf-8", "replace"))
    except ValueError:
        assert message is not None
        assert "at line " in message
    else:
        assert message is None


def walk(path: Path) -> str | None:
    """Read a text to its end; return the message of its error."""
    try:
        with json_stream.JsonStream(path) as stream:
            for _ in stream.members():
                list(stream.elements())
            return "at line (more text)" if stream.peek() else None
    except InputError as error:
        return str(error)


@given(
    st.lists(
        st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=3, max_size=8), min_size=1, max_size=3
    ),
    st.booleans(),
)
def test_polygon_wkb_is_what_shapely_reads(rings: list[list[tuple[float, float]]], three: bool) -> None:
    closed = [[(*p, 1.5) if three else p for p in [*ring, ring[0]]] for ring in rings]
    thing = json.loads(json.dumps({"type": "Polygon", "coordinates": closed}))
    wkb, problem = geometry_wkb(thing)
    assert problem is None
    polygon = shapely.from_wkb(wkb)
    assert polygon == shapely.Polygon(closed[0], closed[1:])
    assert polygon.has_z is three
    multi, _ = geometry_wkb({"type": "MultiPolygon", "coordinates": [thing["coordinates"], thing["coordinates"]]})
    assert shapely.from_wkb(multi) == shapely.MultiPolygon([polygon, polygon])


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        ({"type": "Polygon", "coordinates": [[["1", "2"], [3, 4]]]}, "not a number"),
        ({"type": "Polygon", "coordinates": [[[float("nan"), 2], [3, 4], [5, 6]]]}, "NaN"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3], [5, 6]]]}, "fewer than two"),
        ({"type": "Polygon", "coordinates": [[1, 2], [3, 4]]}, "nested"),
        ({"type": "Polygon", "coordinates": [[[True, 2], [3, 4]]]}, "not a number"),
        ({"type": "Polygon", "coordinates": [None]}, "nested"),
        ({"type": "Polygon", "coordinates": {"a": 1}}, "no coordinates"),
        ({"type": "Polygon"}, "no coordinates"),
        ({"type": "Polygon", "coordinates": [[[10**400, 2], [3, 4]]]}, "too large"),
        ({"type": "Cube", "coordinates": []}, "unknown geometry type"),
        ({"type": ["Polygon"], "coordinates": []}, "unknown geometry type"),
        ([], "not an object"),
        ({"type": "GeometryCollection"}, "no geometries"),
    ],
)
def test_unusable_geometry_has_a_reason(thing: object, text: str) -> None:
    wkb, problem = geometry_wkb(thing)
    assert wkb is None
    assert problem is not None
    assert text in problem


def test_faults_of_shape_are_handed_on() -> None:
    for ring in ([[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1]], [[0, 0]], []):
        wkb, problem = geometry_wkb({"type": "Polygon", "coordinates": [ring]})
        assert problem is None
        assert struct.unpack_from("<I", wkb, 9)[0] == len(ring)


def test_a_bad_z_costs_only_the_z() -> None:
    wkb, problem = geometry_wkb(
        {"type": "Polygon", "coordinates": [[[0, 0, None], [1, 0, None], [1, 1, 2], [0, 0, 0]]]}
    )
    assert problem is None
    assert shapely.from_wkb(wkb).equals(shapely.Polygon([(0, 0), (1, 0), (1, 1)]))


def test_collections_do_not_recurse_without_end() -> None:
    thing: object = {"type": "Point", "coordinates": [0, 0]}
    for _ in range(500):
        thing = {"type": "GeometryCollection", "geometries": [thing]}
    assert "deep" in str(geometry_wkb(thing)[1])


def test_plain_columns() -> None:
    from datetime import date, datetime
    from decimal import Decimal

    cases = [
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([date(2020, 1, 2)]), ["2020-01-02"]),
        (pa.array([datetime(2020, 1, 2, 3)], pa.timestamp("s")), ["2020-01-02 03:00:00"]),
        (pa.array([Decimal("1.5")]), [1.5]),
        (pa.array([[1, None], None]), ["[1, null]", None]),
        (pa.array([b"ab"], pa.binary(2)), [b"ab"]),
        (pa.array([None, None]), [None, None]),
        (pa.array([b"Stra\xdfe", b"x"]).view(pa.string()), ["Stra�e", "x"]),
    ]
    for column, expected in cases:
        assert plain(column).to_pylist() == expected


class TestGeoParquet:
    def edit(self, path: Path, change: Callable[[dict], None]) -> Path:
        table = pq.read_table(path)
        geo = json.loads(table.schema.metadata[b"geo"])
        change(geo)
        pq.write_table(table.replace_schema_metadata({b"geo": json.dumps(geo).encode()}), path)
        return path

    def test_crs(self, tmp_path: Path) -> None:
        path = write_parquet(frame(), tmp_path / "a.parquet")
        self.edit(path, lambda geo: geo["columns"]["geometry"].pop("crs"))
        assert open_source(path).info.crs == "OGC:CRS84"
        self.edit(path, lambda geo: geo["columns"]["geometry"].update(crs=None))
        with pytest.raises(MissingCRSError, match="--source-crs"):
            open_source(path)
        assert open_source(path, SourceOptions(crs=CRS)).info.crs == CRS
        self.edit(path, lambda geo: geo["columns"]["geometry"].update(crs={"type": "nonsense"}))
        with pytest.raises(InputError, match="PROJJSON"):
            open_source(path)

    @pytest.mark.parametrize(
        "change",
        [
            lambda geo: geo.pop("primary_column"),
            lambda geo: geo.update(primary_column="nope"),
            lambda geo: geo.update(primary_column=["geometry"]),
            lambda geo: geo.update(columns=[]),
            lambda geo: geo["columns"].update(geometry="WKB"),
            lambda geo: geo["columns"]["geometry"].update(encoding="WKT"),
            lambda geo: geo.update(primary_column="name") or geo["columns"].update(name=geo["columns"]["geometry"]),
        ],
    )
    def test_wrong_metadata_is_an_input_error(self, tmp_path: Path, change: Callable[[dict], None]) -> None:
        path = self.edit(write_parquet(frame(), tmp_path / "a.parquet"), change)
        with pytest.raises(InputError, match=r"a\.parquet|WKB"):
            read(open_source(path))

    def test_without_geo_metadata(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
        with pytest.raises(InputError, match="not GeoParquet"):
            open_source(tmp_path / "a.parquet")

    def test_row_groups_outside_are_not_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_parquet(frame(), tmp_path / "a.parquet", write_covering_bbox=True, schema_version="1.1.0")
        seen: list[int] = []
        real = pq.ParquetFile.iter_batches

        def spy(self: pq.ParquetFile, *args: object, **kwargs: object) -> object:
            seen.extend(kwargs.get("row_groups") or ())
            return real(self, *args, **kwargs)

        source = open_source(path)
        monkeypatch.setattr(pq.ParquetFile, "iter_batches", spy)
        rows = read(source, (500_000, 5_700_200, 500_400, 5_700_205))["row"].to_pylist()
        # groups of 64 rows, 20 rows a line: y 200 is line 10, rows 200 to 219; group 0 has the null and empty geometries
        assert seen == [0, 3]
        assert rows == [7, 11, *range(200, 220)]


def test_shapefile_parts(tmp_path: Path) -> None:
    path = write_ogr(frame(), tmp_path / "a.shp", "ESRI Shapefile", ENCODING="UTF-8")
    whole = read(open_source(path))
    (tmp_path / "a.shx").unlink()
    assert read(open_source(path)).equals(whole)
    assert not (tmp_path / "a.shx").exists()
    (tmp_path / "a.cpg").unlink()
    data = bytearray((tmp_path / "a.dbf").read_bytes())
    data[29] = 0
    (tmp_path / "a.dbf").write_bytes(data)
    assert read(open_source(path)).equals(whole)  # UTF-8 found from the bytes
    latin = bytes(data).replace("ß".encode(), b"\xdf ")
    (tmp_path / "a.dbf").write_bytes(latin)
    assert "Straß e 1" in read(open_source(path))["name"].to_pylist()
    (tmp_path / "a.cpg").write_text("UTF-8")  # a lie
    assert "Straß e 1" in read(open_source(path))["name"].to_pylist()
    (tmp_path / "a.dbf").write_bytes(latin[: len(latin) // 2])
    with pytest.raises(InputError, match=r"a\.dbf: the \.dbf is cut off"):
        open_source(path)
    (tmp_path / "a.dbf").unlink()
    bare = read(open_source(path))
    assert bare.schema.names == ["id", "geometry", "problem", "row"]
    assert bare["geometry"].equals(whole["geometry"])
    (tmp_path / "a.prj").unlink()
    with pytest.raises(MissingCRSError, match=r"no a\.prj.*--source-crs"):
        open_source(path)


def test_gpkg_values_that_do_not_fit_their_column(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import sqlite3

    path = write_ogr(frame(), tmp_path / "a.gpkg", "GPKG")
    base = sqlite3.connect(path)
    base.create_function("ST_IsEmpty", 1, lambda _: 0)
    for name in ("MinX", "MaxX", "MinY", "MaxY"):
        base.create_function(f"ST_{name}", 1, lambda _: 0.0)
    base.execute("UPDATE a SET height = '12 m', levels = 'two', name = 5, geom = x'00' WHERE fid = 3")
    base.execute("UPDATE a SET name = CAST(x'537472e4' AS TEXT) WHERE fid = 4")
    base.commit()
    base.close()
    rows = {row["row"]: row for row in read(open_source(path)).to_pylist()}
    assert (rows[3]["height"], rows[3]["levels"], rows[3]["name"]) == (None, None, "5")
    assert rows[3]["problem"] == "the value is no GeoPackage geometry"
    assert rows[4]["name"] == "Str�"
    assert rows[5]["height"] == 1.0
    assert "'height' is declared as a number, but 1 of 300" in caplog.text


def test_gpkg_layers(tmp_path: Path, testdata: Path) -> None:
    path = testdata / "hardcases/synthetic/files/two-layers.gpkg"
    with pytest.raises(InputError, match=r"--layer: buildings \(polygon\), roads \(polygon\)"):
        open_source(path)
    assert read(open_source(path, SourceOptions(layer="buildings"))).num_rows == 15
    with pytest.raises(InputError, match="no layer 'x'"):
        open_source(path, SourceOptions(layer="x"))
    lines = frame().assign(geometry=frame().geometry.boundary)
    mixed = write_ogr(frame(), tmp_path / "a.gpkg", "GPKG", layer="houses")
    pyogrio.write_dataframe(lines, mixed, layer="walls")
    assert shapely.from_wkb(read(open_source(mixed))["geometry"][0].as_py()).geom_type == "Polygon"


AOI = shapely.box(10, 50, 11, 51)


@pytest.mark.parametrize(
    "spec",
    [
        "10,50,11,51",
        " 10.0, 5e1,11 ,51.",
        AOI,
        shapely.geometry.mapping(AOI),
        {"type": "Feature", "geometry": shapely.geometry.mapping(AOI)},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": shapely.geometry.mapping(AOI)}] * 2},
        shapely.to_geojson(AOI),
        shapely.GeometryCollection([AOI, shapely.Point(0, 0)]),
        shapely.Polygon([(10, 50), (11, 50), (11, 51), (10, 51), (10, 50), (10, 50)]),
    ],
)
def test_aoi_in_any_form(spec: object) -> None:
    aoi = read_aoi(spec)
    assert aoi.crs == "OGC:CRS84"
    assert aoi.geometry.is_valid
    assert aoi.geometry.equals(AOI)


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "GeoJSON", "ESRI Shapefile"])
def test_aoi_from_a_file_is_the_union_of_its_polygons(tmp_path: Path, driver: str) -> None:
    crs = "EPSG:4326" if driver == "GeoJSON" else CRS
    boxes = [shapely.box(k, 50, k + 1.5, 51) for k in range(3)]
    path = write_ogr(
        gpd.GeoDataFrame(geometry=boxes, crs=crs),
        tmp_path / {"ESRI Shapefile": "a.shp", "FlatGeobuf": "a.fgb"}.get(driver, "a.gpkg"),
        driver,
    )
    aoi = read_aoi(path)
    assert aoi.geometry.equals(shapely.box(0, 50, 3.5, 51))
    assert aoi.crs == ("OGC:CRS84" if driver == "GeoJSON" else CRS)


def test_aoi_is_made_valid_and_crosses_the_antimeridian() -> None:
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    assert read_aoi(bow).geometry.area == pytest.approx(2)
    assert read_aoi("179,-18,-179,-16").geometry.bounds == (-180, -18, 180, -16)
    assert read_aoi("179,-18,-179,-16").geometry.area == pytest.approx(4)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("1,2,3,2", "empty"),
        (shapely.Point(0, 0), "no polygon"),
        (shapely.Polygon(), "no polygon"),
        ({"type": "FeatureCollection", "features": []}, "no polygon"),
        ({"type": "Polygon", "coordinates": [[["a", 1]]]}, "not a number"),
        ({"type": "FeatureCollection"}, "without features"),
        ("{nonsense", "JSON"),
        ("391440,5820076,391573,5820148", "axis order"),
        ("no-such-file.geojson", "no such file"),
        ("1,2,3", "four numbers, west,south,east,north"),
        ("1 2 3 4", "with commas"),
    ],
)
def test_aoi_errors(spec: object, text: str) -> None:
    with pytest.raises(InputError, match=text):
        read_aoi(spec)


REAL = [
    ("01_larochelle_bdtopo_dem/buildings_bdtopo.gpkg", 361, "EPSG:2154", "hauteur"),
    ("06_goteborg_dem_dsm/buildings.shp", 137, "EPSG:3007", "BLANKNING"),
    ("08_denhaag_lod2_west/footprints_west.gpkg", 632, "EPSG:28992", "ridge_abs"),
    ("11_olemps_bdtopo/v2/BATI_INDIFFERENCIE.shp", 10_481, "EPSG:2154", "hauteur"),
    ("11_olemps_bdtopo/v3/BATIMENT.shp", 2_273, "EPSG:2154", "HAUTEUR"),
    ("13_formats_overture_fgb_heights/overture_buildings.parquet", 100, "OGC:CRS84", "height"),
    ("13_formats_overture_fgb_heights/nz-building-outlines-small.fgb", 2_000, "EPSG:2193", "use"),
    ("13_formats_overture_fgb_heights/suzhou_bd_demo_2.geojson", 3_076, "OGC:CRS84", "height"),
]


@pytest.mark.parametrize(("name", "count", "crs", "column"), REAL)
def test_real_data_is_read_as_gdal_reads_it(
    testdata: Path, tmp_path: Path, name: str, count: int, crs: str, column: str
) -> None:
    original = testdata / "realdata" / name
    for part in original.parent.glob(original.stem + ".*"):
        shutil.copy(part, tmp_path)
    path = tmp_path / original.name
    source = open_source(path)
    table = read(source)
    assert table.num_rows == count
    assert source.info.crs == crs
    assert len(set(table["id"].to_pylist())) == count
    peer = (
        gpd.read_parquet(path)
        if path.suffix == ".parquet"
        else pyogrio.read_dataframe(path, encoding="ISO-8859-1" if "06" in name else None)
    )
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    assert (shapely.to_wkb(shapes) == shapely.to_wkb(peer.geometry.to_numpy())).all()
    ours, theirs = table[column].to_pandas(), peer[column].reset_index(drop=True)
    assert (ours.isna() == theirs.isna()).all()
    assert (ours.dropna() == theirs.dropna()).all()
    west, south, east, north = shapely.total_bounds(shapes)
    box = (west, south, (west + east) / 2, (south + north) / 2)
    part = read(source, box, batch_rows=500)
    assert part.equals(table.filter(pa.array(meets(table["geometry"].combine_chunks(), box))))
    assert 0 < part.num_rows < count


def test_real_text(testdata: Path) -> None:
    goteborg = open_source(testdata / "realdata/06_goteborg_dem_dsm/buildings.shp")
    assert any("Ö" in name or "Å" in name or "Ä" in name for name in goteborg.info.columns)
    raw = testdata / "realdata/01_larochelle_bdtopo_dem/raw_shapefile_no_prj/batiments_urock.shp"
    with pytest.raises(MissingCRSError, match="--source-crs"):
        open_source(raw)
    assert read(open_source(raw, SourceOptions(crs="EPSG:3857")))["usage_1"][0].as_py() == "Résidentiel"
