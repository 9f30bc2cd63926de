"""The bundled town is what the generator makes, and looks like a town; the large sample streams and is whole."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from pyproj import Transformer

from citygen.errors import ConfigError, InputError, OutputError
from citygen.sample import SamplePaths, bundled_sample, write_large, write_sample
from citygen.sample import write as write_module
from citygen.sample.blocks import blocks
from citygen.sample.footprint import Footprint, weld
from citygen.sample.frame import to_local, to_lonlat
from citygen.sample.frontage import inset
from citygen.sample.geotiff import geotiff_bytes
from citygen.sample.large import PER_SQUARE_KM
from citygen.sample.shapes import h_shape, l_shape, rectangle, round_shape, t_shape, u_shape, yard
from citygen.sample.terrain import Country, hill_height
from citygen.sample.town import SEED

SOURCE = Path(__file__).parents[1] / "data" / "sample"
HEIGHT = re.compile(r"^(\d+(\.\d)?( m)?|\d+'(\d+\")?|\d+,\d)$")


@pytest.fixture(scope="module")
def features() -> list[dict]:
    return json.loads((SOURCE / "buildings.geojson").read_text(encoding="utf-8"))["features"]


@pytest.fixture(scope="module")
def outlines(features: list[dict]) -> dict[str, shapely.Polygon]:
    """Every good feature by id, in degrees."""
    good = [f for f in features if "note" not in f["properties"]]
    return {f["properties"]["id"]: shapely.geometry.shape(f["geometry"]) for f in good}


def metres(geometries: list) -> np.ndarray:
    return shapely.transform(np.array(geometries, dtype=object), to_local)


def test_regenerating_gives_the_bundled_bytes(tmp_path: Path) -> None:
    write_sample(tmp_path)
    made = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    kept = {p.name: p.read_bytes() for p in SOURCE.iterdir()}
    assert sorted(made) == ["README.md", "aoi.geojson", "buildings.geojson", "citygen.toml", "dem.tif"]
    assert made == kept
    assert sum(map(len, kept.values())) < 2_000_000


def test_counts_and_shares(features: list[dict]) -> None:
    tags = [f["properties"] for f in features]
    assert 550 <= len(tags) <= 900
    assert len({t["id"] for t in tags}) == len(tags)
    assert all(re.fullmatch(r"(way|relation)/\d+", t["id"]) for t in tags)
    assert all(isinstance(value, str) for t in tags for value in t.values())
    assert sum("height" in t or "building:levels" in t for t in tags) / len(tags) == pytest.approx(0.55, abs=0.04)
    assert sum("roof:shape" in t for t in tags) / len(tags) == pytest.approx(0.45, abs=0.04)
    shapes = {t.get("roof:shape") for t in tags}
    assert shapes >= {
        *("flat", "skillion", "gabled", "round", "gambrel", "saltbox", "sawtooth", "butterfly"),
        *("hipped", "pyramidal", "dome", "onion", "mansard", "many"),
    }
    keys = {key for t in tags for key in t}
    assert keys >= {
        *("min_height", "building:min_level", "roof:height", "roof:angle", "roof:direction", "roof:orientation"),
        *("roof:levels", "building:colour", "roof:colour", "name", "building:part"),
    }


def test_heights_are_written_in_every_style(features: list[dict]) -> None:
    words = [f["properties"][key] for f in features for key in ("height", "roof:height") if key in f["properties"]]
    assert all(HEIGHT.match(word) for word in words)
    for style in (r"^\d+$", r"^\d+\.\d$", r" m$", r"^\d+'$", r"'\d+\"$", r","):
        assert any(re.search(style, word) for word in words), style


def test_good_outlines_are_valid_and_wound_as_rfc_7946_says(features: list[dict], outlines: dict) -> None:
    assert all(shapely.is_valid(list(outlines.values())))
    assert min(shapely.area(metres(list(outlines.values())))) > 3.0
    for feature in features:
        geometry = feature["geometry"]
        if geometry is None or "note" in feature["properties"]:
            continue
        parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        for shell, *holes in parts:
            assert shapely.is_ccw(shapely.linearrings(shell))
            assert not any(shapely.is_ccw(shapely.linearrings(hole)) for hole in holes)


def test_shapes_of_a_town(features: list[dict], outlines: dict) -> None:
    assert sum(isinstance(o, shapely.Polygon) and len(o.interiors) > 0 for o in outlines.values()) >= 2
    assert sum(isinstance(o, shapely.MultiPolygon) for o in outlines.values()) == 1
    corners = [len(o.exterior.coords) - 1 for o in outlines.values() if isinstance(o, shapely.Polygon)]
    assert {4, 6, 8, 12} <= set(corners)
    assert max(corners) >= 24
    words = [f["properties"].get("building") for f in features]
    for word in ("house", "apartments", "garage", "church", "industrial", "school", "retail", "yes"):
        assert word in words, word


def test_outlines_do_not_overlap(features: list[dict], outlines: dict) -> None:
    parts = {f["properties"]["id"] for f in features if "building:part" in f["properties"]}
    whole = metres([o for fid, o in outlines.items() if fid not in parts])
    one, other = shapely.STRtree(whole).query(whole, predicate="intersects")
    pairs = one < other
    assert pairs.sum() > 250  # party walls
    assert shapely.area(shapely.intersection(whole[one[pairs]], whole[other[pairs]])).max() < 0.01


def test_party_walls_share_their_corners(outlines: dict) -> None:
    """No corner of a building lies on a neighbour's wall without being a corner of it, to the last digit."""
    polygons = np.array([o for o in outlines.values() if isinstance(o, shapely.Polygon)], dtype=object)
    local = metres(list(polygons))
    one, other = shapely.STRtree(local).query(local, predicate="dwithin", distance=0.02)
    checked = 0
    for a, b in zip(one[one != other], other[one != other], strict=True):
        mine = set(shapely.get_coordinates(polygons[a]).view("c16").ravel().tolist())
        corners = shapely.get_coordinates(polygons[b])
        near = shapely.distance(local[a].boundary, shapely.points(to_local(corners))) < 0.012
        shared = [corner in mine for corner in corners[near].copy().view("c16").ravel().tolist()]
        assert all(shared)
        checked += len(shared)
    assert checked > 1_500


def test_parts_lie_in_an_outline_and_stack(features: list[dict], outlines: dict) -> None:
    tags = {f["properties"]["id"]: f["properties"] for f in features}
    parts = [fid for fid in outlines if "building:part" in tags[fid]]
    whole = metres([o for fid, o in outlines.items() if fid not in parts])
    assert len(parts) >= 15
    assert sum("min_height" in tags[fid] for fid in parts) >= 8
    for fid, part in zip(parts, metres([outlines[fid] for fid in parts]), strict=True):
        assert shapely.area(shapely.difference(part, whole)).min() < 0.01
        assert float(tags[fid].get("min_height", "0")) < float(tags[fid]["height"].removesuffix(" m"))


def test_broken_features_say_what_is_wrong(features: list[dict]) -> None:
    broken = {f["properties"]["id"]: f for f in features if "note" in f["properties"]}
    assert sorted(broken) == [f"way/90000{k}" for k in range(1, 9)]
    rings = {fid: f["geometry"]["coordinates"] if f["geometry"] else None for fid, f in broken.items()}
    polygon = {fid: shapely.Polygon(c[0], c[1:]) for fid, c in rings.items() if c}
    for k in (1, 2, 5, 6, 7):
        assert not polygon[f"way/90000{k}"].is_valid, broken[f"way/90000{k}"]["properties"]["note"]
    assert rings["way/900003"][0][0] == rings["way/900003"][0][1]
    assert polygon["way/900006"].area < 1e-14
    assert len({tuple(p) for p in rings["way/900007"][0]}) == 2
    assert rings["way/900008"] is None


def test_dem_covers_the_area_with_a_margin() -> None:
    aoi = shapely.from_geojson((SOURCE / "aoi.geojson").read_text(encoding="utf-8"))
    with rasterio.open(SOURCE / "dem.tif") as dem:
        assert dem.crs.to_epsg() == 3035
        assert (dem.res, dem.nodata, dem.dtypes) == ((5.0, 5.0), -9999.0, ("float32",))
        tags = dem.tags(ns="IMAGE_STRUCTURE")
        assert (tags["COMPRESSION"], tags["PREDICTOR"]) == ("DEFLATE", "3")
        heights, bounds = dem.read(1), dem.bounds
        transform = dem.transform
    there = Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True)
    area = shapely.transform(aoi, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1])))
    assert shapely.box(*bounds).contains(area.buffer(100))
    assert heights.min() > 190
    assert 60 <= heights.max() - np.median(heights[:, :40]) <= 100
    # An independent route: the cell under the hill top holds the hill top's height.
    column, row = ~transform @ there.transform(*to_lonlat(np.zeros((1, 2)))[0])
    assert heights[int(row), int(column)] == pytest.approx(float(hill_height(np.zeros(1), np.zeros(1))[0]), abs=0.5)


def test_footprints_lie_in_the_area(outlines: dict) -> None:
    aoi = shapely.from_geojson((SOURCE / "aoi.geojson").read_text(encoding="utf-8"))
    assert shapely.contains(aoi.geoms[0], list(outlines.values())).all()


def test_own_tiff_reads_back_the_same(tmp_path: Path) -> None:
    heights = np.random.default_rng([3]).normal(100, 50, (300, 257)).astype(np.float32).astype(np.float64)
    heights[5, 7] = np.nan
    (tmp_path / "own.tif").write_bytes(geotiff_bytes(heights, left=1000, top=2000, cell_m=5, epsg=3035))
    with rasterio.open(tmp_path / "own.tif") as dem:
        np.testing.assert_array_equal(dem.read(1), np.where(np.isnan(heights), -9999, heights))
        assert tuple(dem.bounds) == (1000, 500, 2285, 2000)


def test_bundled_sample_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundled_sample().folder == SOURCE
    wheel = tmp_path / "citygen"
    write_sample(wheel / "data" / "sample")
    monkeypatch.setattr(write_module, "files", lambda _name: wheel / "sample")
    assert bundled_sample().dem == wheel / "data" / "sample" / "dem.tif"
    (wheel / "data" / "sample" / "dem.tif").unlink()
    with pytest.raises(InputError, match="citygen sample DIR"):
        bundled_sample()


@pytest.mark.parametrize(
    ("rings", "area"),
    [
        (rectangle(4.0, 3.0), 12.0),
        (l_shape(10.0, 8.0, 4.0, 3.0), 50.0),
        (t_shape(10.0, 8.0, 4.0, 3.0), 50.0),
        (u_shape(10.0, 8.0, 3.0, 2.0), 56.0),
        (h_shape(10.0, 8.0, 3.0, 2.0), 56.0),
        (yard(10.0, 8.0, 2.0), 24.0),
        (round_shape(2.0, 64), 64 / 2 * np.sin(2 * np.pi / 64)),
    ],
)
def test_templates(rings: np.ndarray, area: float) -> None:
    polygon = shapely.Polygon(rings[0])
    assert polygon.is_valid
    assert polygon.area == pytest.approx(area)


def test_blocks_do_not_meet_and_stay_whole() -> None:
    polygons = np.array([shapely.Polygon(block.ring) for block in blocks(SEED)], dtype=object)
    assert shapely.is_valid(polygons).all()
    one, other = shapely.STRtree(polygons).query(polygons, predicate="dwithin", distance=1.5)
    assert (one == other).all()


def test_inset_moves_each_edge_by_its_own_distance() -> None:
    ring = np.array([[0, 0], [10, 0], [10, 5], [10, 10], [0, 10.0]])
    moved = inset(ring, np.array([1.0, 2, 2, 3, 4]))
    np.testing.assert_allclose(moved, [[4, 1], [8, 1], [8, 5], [8, 7], [4, 7]])


def test_weld_gives_one_corner_to_two_that_nearly_agree() -> None:
    left = Footprint("villa", rectangle(4.0, 8.0)[0])
    right = Footprint("villa", rectangle(5.0, 8.0)[0] + np.array([4 + 1e-9, 2.0]))
    a, b = weld([left, right])
    assert a.ring.tolist() == [[0, 0], [4, 0], [4 + 1e-9, 2.0], [4, 8], [0, 8]] or [4, 2] in a.ring.tolist()
    assert set(map(tuple, a.ring.tolist())) & set(map(tuple, b.ring.tolist()))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> SamplePaths:
    return write_large(tmp_path_factory.mktemp("large") / "buildings.parquet", 5_000, batch=2_000)


def test_large_is_whole(large: SamplePaths) -> None:
    file = pq.ParquetFile(large.buildings)
    assert file.metadata.num_rows == 5_000
    assert [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] == [2_000, 2_000, 1_000]
    table = file.read()
    polygons = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    assert shapely.is_valid(polygons).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(polygons)).all()
    assert len(set(table["id"].to_pylist())) == 5_000
    assert len(set(shapely.to_wkb(shapely.normalize(polygons)))) > 4_900  # tower parts may repeat their podium
    boxes = table["bbox"].combine_chunks()
    found = np.column_stack([boxes.field(name) for name in ("xmin", "ymin", "xmax", "ymax")])
    np.testing.assert_array_equal(found, shapely.bounds(polygons))
    geo = json.loads(file.metadata.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"]["geometry"]
    assert (column["encoding"], column["crs"]["id"]) == ("WKB", {"authority": "OGC", "code": "CRS84"})
    assert column["bbox"] == shapely.total_bounds(polygons).tolist()
    assert column["covering"]["bbox"]["xmax"] == ["bbox", "xmax"]


def test_large_barely_overlaps_and_varies(large: SamplePaths) -> None:
    table = pq.read_table(large.buildings)
    polygons = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False))
    local = metres(list(polygons[np.array(table["building:part"].is_null())]))
    one, other = shapely.STRtree(local).query(local, predicate="intersects")
    pairs = one < other
    shared = shapely.area(shapely.intersection(local[one[pairs]], local[other[pairs]]))
    assert shared.sum() < 1e-4 * shapely.area(local).sum()
    sizes = np.round(np.column_stack([shapely.area(local), shapely.length(local)]), 1)
    assert len(np.unique(sizes, axis=0)) > 0.5 * len(local)
    assert (shapely.get_num_interior_rings(local) > 0).sum() > 10
    low, high = shapely.total_bounds(local)[:2], shapely.total_bounds(local)[2:]
    assert 0.5 * PER_SQUARE_KM < 5_000 / np.prod((high - low) / 1_000) < 1.5 * PER_SQUARE_KM


def test_large_gives_the_same_bytes_and_buildings_do_not_depend_on_the_batch(
    large: SamplePaths, tmp_path: Path
) -> None:
    again = write_large(tmp_path / "again" / "buildings.parquet", 5_000, batch=2_000)
    for name in ("buildings", "dem", "aoi", "config"):
        assert getattr(again, name).read_bytes() == getattr(large, name).read_bytes(), name
    other = write_large(tmp_path / "other.parquet", 4_321, batch=700, dem_path=tmp_path / "ground" / "dem.tif")
    assert pq.read_table(other.buildings).equals(pq.read_table(large.buildings).slice(0, 4_321))
    assert 'dem = ["ground/dem.tif"]' in other.config.read_text(encoding="utf-8")


def test_large_holds_no_more_than_a_batch_and_a_town() -> None:
    from citygen.sample.large import _groups

    groups = list(itertools.islice(_groups(10**9, 3_000), 3))
    assert [(first, len(group.kinds)) for first, group in groups] == [(0, 3_000), (3_000, 3_000), (6_000, 3_000)]


def test_large_dem_covers_it(large: SamplePaths) -> None:
    there = Transformer.from_crs("OGC:CRS84", "EPSG:3035", always_xy=True)
    aoi = shapely.from_geojson(large.aoi.read_text(encoding="utf-8"))
    area = shapely.transform(aoi, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1])))
    with rasterio.open(large.dem) as dem:
        assert (dem.crs.to_epsg(), dem.res, dem.profile["tiled"]) == (3035, (10.0, 10.0), True)
        assert shapely.box(*dem.bounds).contains(area.buffer(100))
        heights = dem.read(1)
    assert heights.min() > 90
    assert np.ptp(heights) > 20


def test_country_does_not_depend_on_the_window() -> None:
    country = Country(1, 900.0, 5, 4)
    x, y = np.random.default_rng([4]).uniform(-500, 5_000, (2, 400))
    whole = country.height(x, y)
    np.testing.assert_array_equal(whole[::7], country.height(x[::7], y[::7]))
    assert np.abs(country.height(x + 1.0, y) - whole).max() < 0.6  # smooth: no cliff between squares


@pytest.mark.parametrize(("n", "batch"), [(0, 10), (10, 0)])
def test_large_refuses_nothing(tmp_path: Path, n: int, batch: int) -> None:
    with pytest.raises(ConfigError, match="positive"):
        write_large(tmp_path / "b.parquet", n, batch=batch)


def test_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        write_sample(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot write"):
        write_large(tmp_path / "file" / "b.parquet", 10)


def test_command(tmp_path: Path) -> None:
    from citygen.cli.sample import command

    run = CliRunner().invoke(command, [str(tmp_path / "town")], catch_exceptions=False)
    assert run.output.split() == [
        str(tmp_path / "town" / name) for name in ("buildings.geojson", "dem.tif", "aoi.geojson", "citygen.toml")
    ]
    refused = CliRunner().invoke(command, [str(tmp_path / "town")])
    assert isinstance(refused.exception, OutputError)
    assert refused.exception.exit_code == 2
    again = CliRunner().invoke(command, [str(tmp_path / "town"), "--overwrite", "--buildings", "50"])
    assert again.exit_code == 0
    assert pq.read_metadata(tmp_path / "town" / "buildings.parquet").num_rows == 50
    assert CliRunner().invoke(command, [str(tmp_path / "x"), "--buildings", "0"]).exit_code == 2
