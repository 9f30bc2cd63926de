"""Where things lie: 180 degrees, the poles, zone borders, degrees called metres, exchanged axes, feet, no CRS at all."""

import itertools
import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box
from shapely.geometry import MultiPolygon, Polygon

import citygen
from builds import accounted, build, rows, same_rows, triangles
from citygen.errors import CoverageError, InputError, MissingCRSError
from citygen.formats.glb import decode
from citygen.geom.antimeridian import cut_at_180, smallest_arc
from citygen.geom.geodesy import from_ecef
from citygen.pipeline.extents import lonlat_box, windows_of
from citygen.sources.aoi import read_aoi
from citygen.sources.base import SourceOptions, open_source
from citygen.sources.memory import from_geodataframe
from citygen.sources.swapped import SwappedSource

GEOD = pyproj.Geod(ellps="WGS84")


@pytest.fixture
def crs_cases(testdata: Path) -> Path:
    return testdata / "hardcases" / "synthetic" / "crs"


def lonlat(out: Path) -> dict[str, shapely.Geometry]:
    """Footprints of the catalogue in degrees."""
    frame = gpd.read_parquet(out / "buildings.parquet").set_index("id").to_crs(4979)
    return dict(frame.geometry[frame["tile"].notna()])


def corners_on_earth(out: Path) -> dict[str, np.ndarray]:
    """Corners of each building's triangles, (n, 3) earth-centred, from the tiles alone."""
    found: dict[str, np.ndarray] = {}
    root = json.loads((out / "tileset.json").read_text())["root"]
    for path in sorted((out / "tiles").rglob("*.glb")):
        scene = decode(path.read_bytes())
        matrix = _matrix(root, path.relative_to(out).as_posix())
        world = (matrix @ np.c_[scene.positions, np.ones(len(scene.positions))].T).T[:, :3]
        for k, name in enumerate(scene.table["id"].tolist()):
            found[name] = world[scene.features == k]
    return found


def _matrix(node: dict, uri: str) -> np.ndarray | None:
    """Return the matrix of the tile with that content: east-north-up around its centre to earth-centred."""
    if node.get("content", {}).get("uri") == uri:
        return np.array(node["transform"]).reshape(4, 4).T
    found = [_matrix(child, uri) for child in node.get("children", ())]
    return next((matrix for matrix in found if matrix is not None), None)


# degrees and their arcs


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(-180, 179), st.integers(0, 120)), min_size=1, max_size=6))
def test_the_smallest_arc_leaves_out_the_longest_gap(spans):
    pairs = np.array([(w, (w + wide + 180) % 360 - 180 if w + wide > 180 else w + wide) for w, wide in spans], float)
    west, east = smallest_arc(pairs)
    covered = np.zeros(720, dtype=bool)  # half degrees, slow and obvious
    for w, wide in spans:
        covered[np.arange(2 * (w + 180), 2 * (w + 180 + wide) + 1) % 720] = True
    longest = run = 0
    for empty in np.r_[~covered, ~covered]:
        run = run + 1 if empty else 0
        longest = max(longest, min(run, 720))
    assert -180 <= west < 180
    assert west <= east <= west + 360
    if longest > 1:
        assert round(2 * (east - west)) == 720 - longest - 1
    inside = [(w - west) % 360 + wide <= east - west + 1e-9 for w, wide in spans]
    assert all(inside) or east - west >= 359


def test_what_is_cut_at_180():
    ring = [(179, -17), (-179, -17), (-179, -16), (179, -16)]
    pieces = cut_at_180(np.array([Polygon(ring), box(3, 4, 5, 6), box(-180, -90, 180, 90), box(-179, -80, 179, 80)]))
    around = {(-180, -80, -179, 80), (179, -80, 180, 80)}
    assert {p.bounds for p in pieces} == around | {
        (3, 4, 5, 6), (-180, -90, 180, 90), (-180, -17, -179, -16), (179, -17, 180, -16),
    }  # fmt: skip
    hole = [(179.5, -16.8), (179.5, -16.2), (-179.5, -16.2), (-179.5, -16.8)]
    holed = cut_at_180(np.array([Polygon(ring, [hole])]))
    assert shapely.area(holed).sum() == pytest.approx(2 - 0.6)
    around = Polygon([(0, 70), (90, 72), (180, 70), (-90, 72)])
    cap = shapely.union_all(cut_at_180(np.array([around])))
    assert cap.covers(shapely.Point(45, 89.9))
    assert cap.covers(shapely.Point(-135, 89.9))
    assert not cap.intersects(box(-180, -90, 180, 69.9))
    south = shapely.union_all(cut_at_180(np.array([Polygon([(0, -70), (90, -72), (180, -70), (-90, -72)])])))
    assert south.covers(shapely.Point(0, -90))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.floats(-180, 180), st.floats(-80, 70), st.floats(0.001, 40), st.floats(0.001, 10))
def test_a_box_anywhere_keeps_its_area_when_cut(west, south, wide, high):
    xs = np.array([west, west + wide, west + wide, west])
    ring = Polygon(np.stack([(xs + 180) % 360 - 180, [south, south, south + high, south + high]], axis=1))
    if wide < 180 and abs(((xs + 180) % 360 - 180)[0] - ((xs + 180) % 360 - 180)[1]) == 180:
        return
    assert shapely.area(cut_at_180(np.array([ring]))).sum() == pytest.approx(wide * high, rel=1e-6)


# areas over 180 degrees and around the poles

FIJI = {
    "box": "179.99,-16.81,-179.99,-16.79",
    "ring": Polygon([(179.99, -16.81), (-179.99, -16.81), (-179.99, -16.79), (179.99, -16.79)]),
    "halves": MultiPolygon([box(179.99, -16.81, 180, -16.79), box(-180, -16.81, -179.99, -16.79)]),
    "beyond": box(179.99, -16.81, 180.01, -16.79),
}


@pytest.mark.parametrize("form", FIJI)
def test_buildings_on_both_sides_of_180(crs_cases: Path, tmp_path: Path, form: str) -> None:
    source = str(crs_cases / "antimeridian-fiji.geojson")
    aoi = FIJI[form]
    if form != "box":
        gpd.GeoSeries([aoi], crs=4326).to_file(tmp_path / "aoi.gpkg")
        aoi = str(tmp_path / "aoi.gpkg")
    outcome = build(tmp_path / "out", buildings=[source], ground_z=0, aoi=aoi)
    assert "zone 60S" in outcome.report["crs"] or "zone 1S" in outcome.report["crs"]
    found = accounted(tmp_path / "out")
    assert len(found) == 10
    raw = gpd.read_file(source).set_index("id").geometry
    for name, row in found.items():
        area = abs(GEOD.geometry_area_perimeter(raw[name])[0])
        assert row["outcome"] == "ok"
        assert row["footprint_area_m2"] == pytest.approx(area, rel=2e-3)
    for name, corners in corners_on_earth(tmp_path / "out").items():
        place, _ = from_ecef(corners)
        west, south, east, north = raw[name].bounds
        offset = (place[:, 0] - west + 1) % 360 - 1  # 180 and -180 are one meridian
        assert offset.min() == pytest.approx(0, abs=1e-7)
        assert offset.max() == pytest.approx(east - west, abs=1e-7)
        assert place[:, 1].min() == pytest.approx(south, abs=1e-7)
        assert place[:, 1].max() == pytest.approx(north, abs=1e-7)


def test_without_an_area_180_is_no_edge_either(crs_cases: Path, tmp_path: Path) -> None:
    source = str(crs_cases / "antimeridian-fiji.geojson")
    gpd.read_file(source).to_file(tmp_path / "fiji.gpkg")  # which states an extent of 360 degrees
    for k, name in enumerate((source, str(tmp_path / "fiji.gpkg"))):
        out = tmp_path / f"out{k}"
        outcome = build(out, buildings=[name], ground_z=0, id_column="id")
        assert len(accounted(out)) == 10
        assert "zone 60S" in outcome.report["crs"] or "zone 1S" in outcome.report["crs"]
        regions = []

        def collect(node: dict, found: list = regions) -> None:
            found.append(node["boundingVolume"])
            for child in node.get("children", []):
                collect(child, found)

        collect(json.loads((out / "tileset.json").read_text())["root"])
        for volume in regions:
            if "region" in volume:
                west, south, east, _ = np.degrees(volume["region"][:4])
                width = GEOD.inv(west, south, east, south)[2]
            else:
                width = 2 * max(np.linalg.norm(np.array(volume["box"][3:]).reshape(3, 3), axis=1))
            assert 10 < width < 1000
    same_rows(rows(tmp_path / "out0"), rows(tmp_path / "out1"), rows(tmp_path / "out0"), aside=("source", "geometry"))


def test_one_building_across_180_in_every_way_of_writing_it(tmp_path: Path) -> None:
    shapes = {
        "ring": Polygon([(179.9999, -16.8), (-179.9999, -16.8), (-179.9999, -16.7999), (179.9999, -16.7999)]),
        "halves": MultiPolygon([box(179.9999, -16.8, 180, -16.7999), box(-180, -16.8, -179.9999, -16.7999)]),
        "beyond": box(179.9999, -16.8, 180.0001, -16.7999),
    }
    area = GEOD.geometry_area_perimeter(shapes["beyond"])[0]
    for name, shape in shapes.items():
        gpd.GeoDataFrame({"id": [name]}, geometry=[shape], crs=4326).to_file(tmp_path / f"{name}.gpkg")
        for k, aoi in enumerate(
            (None, "179.99,-16.81,-179.99,-16.79")
        ):  # an area of two windows, and the row is in both
            out = tmp_path / f"{name}-{k}"
            build(out, buildings=[str(tmp_path / f"{name}.gpkg")], ground_z=0, id_column="id", aoi=aoi)
            assert list(accounted(out)) == [name]
        row = rows(out)[name]
        assert row["outcome"] != "rejected", row["reasons"]
        assert row["footprint_area_m2"] == pytest.approx(area, rel=2e-3)
        assert shapely.from_wkb(row["geometry"]).geom_type == "Polygon", (name, row["reasons"])


def test_longitudes_from_0_to_360(tmp_path: Path) -> None:
    """A source that counts to 360 and an area that counts from -180 meet."""
    west = 183.0 + 0.001 * np.arange(30)
    frame = gpd.GeoDataFrame(
        {"id": [f"b{k}" for k in range(30)]}, geometry=box(west, -16.8, west + 1e-4, -16.7999), crs=4326
    )
    frame.to_file(tmp_path / "a.gpkg")
    build(
        tmp_path / "out",
        buildings=[str(tmp_path / "a.gpkg")],
        ground_z=0,
        id_column="id",
        aoi="-177.001,-17,-176.9855,-16",
    )
    assert set(accounted(tmp_path / "out")) == {f"b{k}" for k in range(15)}


def test_windows_read_each_row_once_and_none_too_few() -> None:
    west = np.linspace(-180, 179.9, 3600)
    frame = gpd.GeoDataFrame(geometry=box(west, -16.8, west + 0.05, -16.7), crs=4326)
    source = from_geodataframe(frame)
    aoi = read_aoi("179.5,-17,-179.5,-16")
    assert lonlat_box(aoi.geometry, aoi.crs) == (179.5, -17.0, -179.5, -16.0)
    windows = windows_of((650_000.0, 8_100_000.0, 960_000.0, 8_260_000.0), ("EPSG:32760", "OGC:CRS84"), source)
    assert windows is not None
    assert len(windows) == 2
    assert all(-180 <= w < e <= 180 for w, _, e, _ in windows)
    assert sum(e - w for w, _, e, _ in windows) < 10


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("form", ["box", "sector", "ring"])
def test_areas_at_the_poles(tmp_path: Path, sign: int, form: str) -> None:
    lon = np.array([-170.0, -60.0, 0.0, 45.0, 179.99])
    low, high = sorted((sign * 84.5, sign * 90.0))
    houses = box(lon, sign * 85.2, lon + 0.003, sign * 85.2 + 1e-4)
    gpd.GeoDataFrame({"id": [f"n{k}" for k in range(5)]}, geometry=houses, crs=4326).to_file(tmp_path / "a.gpkg")
    aoi: object = f"-180,{low},180,{high}"
    want = set(range(5))
    if form == "sector":
        aoi, want = f"-70,{low},50,{high}", {1, 2, 3}
    if form == "ring":
        ring = Polygon([(0, sign * 84.5), (90, sign * 84.5), (180, sign * 84.5), (-90, sign * 84.5)])
        gpd.GeoSeries([ring], crs=4326).to_file(tmp_path / "aoi.gpkg")
        aoi = str(tmp_path / "aoi.gpkg")
    outcome = build(tmp_path / "out", buildings=[str(tmp_path / "a.gpkg")], ground_z=0, id_column="id", aoi=aoi)
    assert ("UPS North" if sign > 0 else "UPS South") in outcome.report["crs"]
    found = accounted(tmp_path / "out")
    assert set(found) == {f"n{k}" for k in want}
    for k in want:
        area = abs(GEOD.geometry_area_perimeter(houses[k])[0])
        assert found[f"n{k}"]["footprint_area_m2"] == pytest.approx(area, rel=0.02)  # UPS: scale 0.994 at the pole
        assert shapely.hausdorff_distance(lonlat(tmp_path / "out")[f"n{k}"], houses[k]) < 1e-6


def test_a_zone_border_is_no_seam(crs_cases: Path, tmp_path: Path) -> None:
    """Gaps between neighbours, measured on the tiles, are those of the ellipsoid to a millimetre."""
    source = crs_cases / "utm-zone-border-12E.geojson"
    build(tmp_path / "out", buildings=[str(source)], ground_z=0)
    assert len(accounted(tmp_path / "out")) == 20
    raw = gpd.read_file(source).set_index("id").geometry
    corners = corners_on_earth(tmp_path / "out")
    order = sorted(raw.index, key=lambda name: raw[name].bounds[0])
    ground = {}
    for name in order:
        place, height = from_ecef(corners[name])
        low = place[height < height.min() + 0.5]
        ground[name] = (low[:, 0].min(), low[:, 0].max(), low[:, 1].min())
    for a, b in itertools.pairwise(order):
        got = GEOD.inv(ground[a][1], ground[a][2], ground[b][0], ground[b][2])[2]
        want = GEOD.inv(raw[a].bounds[2], raw[a].bounds[1], raw[b].bounds[0], raw[b].bounds[1])[2]
        assert got == pytest.approx(want, abs=1e-3), (a, b)


# what the coordinates cannot be


def test_degrees_that_are_called_metres(crs_cases: Path, tmp_path: Path) -> None:
    source = str(crs_cases / "degrees-labelled-3857.gpkg")
    for aoi in (None, "13.39,52.51,13.42,52.53", "-0.001,-0.001,0.001,0.001"):
        with pytest.raises(InputError, match=r"look like degrees.*--source-crs EPSG:4326") as caught:
            build(tmp_path / "out", buildings=[source], ground_z=0, aoi=aoi)
        assert "degrees-labelled-3857.gpkg" in str(caught.value)
        assert not (tmp_path / "out").exists()
    build(tmp_path / "out", buildings=[source], ground_z=0, source_crs="EPSG:4326")
    assert all(row["footprint_area_m2"] > 90 for row in accounted(tmp_path / "out").values())
    frame = gpd.GeoDataFrame(geometry=box(np.arange(9.0), 0, np.arange(9) + 1e-4, 1e-4), crs=3857)
    with pytest.raises(InputError, match="look like degrees"):
        citygen.build(frame, ground_z=0, out=tmp_path / "memory")


def test_a_small_place_near_the_origin_of_its_crs_is_no_degrees(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame({"id": ["a"]}, geometry=[box(10, 10, 22, 18)], crs=25833)
    frame.to_file(tmp_path / "a.gpkg")
    build(tmp_path / "out", buildings=[str(tmp_path / "a.gpkg")], ground_z=0, crs="EPSG:25833")
    assert rows(tmp_path / "out")["a" if "a" in rows(tmp_path / "out") else "1"]["footprint_area_m2"] == pytest.approx(
        96
    )


def test_metres_that_are_called_degrees(crs_cases: Path, tmp_path: Path) -> None:
    source = str(crs_cases / "metres-labelled-4326.gpkg")
    for aoi in (None, "13.39,52.51,13.42,52.53"):
        with pytest.raises(InputError, match=r"metres-labelled-4326.gpkg.*metres as degrees.*--source-crs"):
            build(tmp_path / "out", buildings=[source], ground_z=0, aoi=aoi)
        assert not (tmp_path / "out").exists()
    build(tmp_path / "out", buildings=[source], ground_z=0, source_crs="EPSG:25833")
    assert len(accounted(tmp_path / "out")) == 15


def test_latitude_first(crs_cases: Path, testdata: Path, tmp_path: Path) -> None:
    source, aoi = str(crs_cases / "axis-swapped.geojson"), "13.39,52.51,13.42,52.53"
    dem = str(testdata / "hardcases/synthetic/dem/ok.tif")
    for options in ({"aoi": aoi, "ground_z": 0}, {"dem": [dem]}, {"aoi": aoi, "dem": [dem]}):
        with pytest.raises(CoverageError, match="give --swap-axes"):
            build(tmp_path / "out", buildings=[source], **options)
        assert not (tmp_path / "out").exists()
    for k, options in enumerate(({"aoi": aoi, "ground_z": 0}, {"dem": [dem]})):
        out = tmp_path / f"out{k}"
        build(out, buildings=[source], swap_axes=True, **options)
        assert len(accounted(out)) == 15
        raw = gpd.read_file(source).set_index("id").geometry
        for name, shape in lonlat(out).items():
            turned = shapely.transform(raw[name], lambda xy: xy[:, ::-1])
            assert shapely.hausdorff_distance(shape, turned) < 1e-7


def test_latitude_first_where_it_cannot_be(tmp_path: Path) -> None:
    """Tokyo with latitude first lies beyond the pole."""
    y, x = 139.7 + 0.001 * np.arange(5), np.full(5, 35.6)
    frame = gpd.GeoDataFrame({"id": list("abcde")}, geometry=box(x, y, x + 1e-4, y + 1e-4), crs=4326)
    frame.to_file(tmp_path / "a.gpkg")
    for aoi in (None, "139,35,140,36"):
        with pytest.raises(InputError, match="--swap-axes"):
            build(tmp_path / "out", buildings=[str(tmp_path / "a.gpkg")], ground_z=0, aoi=aoi)
    build(tmp_path / "out", buildings=[str(tmp_path / "a.gpkg")], ground_z=0, swap_axes=True, id_column="id")
    assert all(row["outcome"] == "ok" for row in accounted(tmp_path / "out").values())


def test_a_swapped_source_is_its_source_twice_swapped() -> None:
    frame = gpd.GeoDataFrame(
        {"h": [1.0, 2.0, 3.0]}, geometry=[box(1, 2, 3, 5), None, shapely.force_3d(box(7, 8, 9, 10), 4.0)], crs=4326
    )
    source = from_geodataframe(frame)
    once, twice = SwappedSource(source), SwappedSource(SwappedSource(source))
    assert once.info.bounds == (2, 1, 10, 9)
    assert twice.info == source.info
    shapes = shapely.from_wkb(next(once.batches(None))["geometry"].to_numpy(zero_copy_only=False))
    assert [g and g.bounds for g in shapes] == [(2, 1, 5, 3), None, (8, 7, 10, 9)]
    assert next(once.batches((8, 7, 10, 9)))["h"].to_pylist() == [2.0, 3.0]
    assert (
        next(twice.batches(None)).drop_columns("geometry").equals(next(source.batches(None)).drop_columns("geometry"))
    )


def test_feet_of_a_crs_are_metres_on_the_ground_and_heights_stay(crs_cases: Path, tmp_path: Path) -> None:
    source = crs_cases / "us-survey-feet.gpkg"
    build(tmp_path / "out", buildings=[str(source)], ground_z=0, id_column="id")
    raw = gpd.read_file(source).set_index("id")
    found = accounted(tmp_path / "out")
    assert len(found) == 15
    for name, shape in lonlat(tmp_path / "out").items():
        xy = shapely.get_coordinates(shape)
        sides = sorted(GEOD.inv(*xy[k], *xy[k + 1])[2] for k in range(4))
        assert sides == pytest.approx([8, 8, 12, 12], abs=0.01)
        assert found[name]["height_m"] == pytest.approx(raw["height"][name])


def test_a_town_keeps_its_measure_when_some_rows_are_astray(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without an area the working zone is where most rows lie, not in the middle of an extent that an odd row stretches."""
    x = 13.4 + 0.0004 * np.arange(200)
    shapes = [*box(x, 52.5, x + 0.0002, 52.5001), box(0, 0, 1e-4, 1e-4), box(-120, 40, -119.9999, 40.0001)]
    frame = gpd.GeoDataFrame({"id": [f"b{k}" for k in range(202)]}, geometry=shapes, crs=4326)
    frame.to_file(tmp_path / "a.gpkg")
    outcome = build(tmp_path / "out", buildings=[str(tmp_path / "a.gpkg")], ground_z=0, id_column="id")
    assert "zone 33N" in outcome.report["crs"]
    assert "give --aoi" in caplog.text
    found = accounted(tmp_path / "out")
    assert len(found) == 202
    for k in range(200):
        area = abs(GEOD.geometry_area_perimeter(shapes[k])[0])
        assert found[f"b{k}"]["footprint_area_m2"] == pytest.approx(area, rel=1e-3)


def test_the_raw_shapefile_of_la_rochelle(testdata: Path, tmp_path: Path) -> None:
    """No .prj: an error that says what to give; with it, 361 buildings where the mended file has them, text as it was meant."""
    folder = testdata / "realdata" / "01_larochelle_bdtopo_dem"
    shutil.copytree(folder / "raw_shapefile_no_prj", tmp_path / "raw")
    source = str(tmp_path / "raw" / "batiments_urock.shp")
    with pytest.raises(MissingCRSError, match=r"--source-crs EPSG:n") as caught:
        build(tmp_path / "out", buildings=[source], ground_z=20)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    options = {"ground_z": 20, "crs": "EPSG:2154", "map": {"height": "hauteur"}}
    build(tmp_path / "raw_out", buildings=[source], source_crs="EPSG:3857", **options)
    build(tmp_path / "good_out", buildings=[str(folder / "buildings_bdtopo.gpkg")], **options)
    raw, good = accounted(tmp_path / "raw_out"), accounted(tmp_path / "good_out")
    assert len(raw) == len(good) == 361
    place = {name: shapely.from_wkb(row["geometry"]).centroid for name, row in good.items()}
    tree = shapely.STRtree(list(place.values()))
    gaps = [
        tree.query_nearest(shapely.from_wkb(row["geometry"]).centroid, return_distance=True)[1][0]
        for row in raw.values()
    ]
    assert max(gaps) < 0.05
    table = next(open_source(source, SourceOptions(crs="EPSG:3857")).batches(None))
    text = " ".join(str(v) for name in table.column_names[4:] for v in table[name].to_pylist() if isinstance(v, str))
    assert "Ã" not in text
    assert any(letter in text for letter in "éèê")
    assert max(map(len, table.column_names[4:])) <= 10


def test_no_crs_and_coordinates_in_degrees_hints_at_them(crs_cases: Path, tmp_path: Path) -> None:
    shutil.copytree(crs_cases / "shp-no-prj-degrees", tmp_path / "a")
    with pytest.raises(MissingCRSError, match=r"look like degrees.*EPSG:4326"):
        build(tmp_path / "out", buildings=[str(tmp_path / "a" / "x.shp")], ground_z=0)
    shutil.copytree(crs_cases / "shp-no-prj", tmp_path / "b")
    with pytest.raises(MissingCRSError) as caught:
        build(tmp_path / "out", buildings=[str(tmp_path / "b" / "x.shp")], ground_z=0)
    assert "degrees" not in str(caught.value)
    assert len(triangles(_built(tmp_path, str(tmp_path / "b" / "x.shp"), "EPSG:25833"))) == 15


def _built(tmp_path: Path, source: str, crs: str) -> Path:
    build(tmp_path / "built", buildings=[source], ground_z=0, source_crs=crs)
    return tmp_path / "built"
