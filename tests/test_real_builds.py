"""Real towns through the whole build: every footprint accounted for, on the ground, at the heights that the sources state."""

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

import citygen
from builds import accounted, build
from citygen.formats.glb import decode
from citygen.validation import check_output
from khronos import validate


def _shared(tmp_path_factory: pytest.TempPathFactory, name: str, **options: Any) -> Path:
    out = tmp_path_factory.mktemp(name) / "out"
    build(out, **options)
    return out


@pytest.fixture(scope="module")
def rochelle(testdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = testdata / "realdata" / "01_larochelle_bdtopo_dem"
    extent = gpd.GeoSeries([shapely.box(379210, 6573866, 379785, 6574510)], crs=2154).to_crs(4326)
    aoi = tmp_path_factory.mktemp("aoi") / "aoi.geojson"
    extent.to_file(aoi)
    return _shared(
        tmp_path_factory, "rochelle", aoi=str(aoi), crs="EPSG:2154", map={"height": "hauteur", "levels": "nombre_d_etages"},
        buildings=[str(folder / "buildings_bdtopo.gpkg")], dem=[str(folder / "dem_rgealti_1m.tif")],
    )  # fmt: skip


@pytest.fixture(scope="module")
def haag(testdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = testdata / "realdata" / "08_denhaag_lod2_west"
    return _shared(
        tmp_path_factory, "haag", crs="EPSG:28992",
        map={"height": "ridge_rel", "eave_height": "eaves_rel", "roof_shape": "roofType"},
        buildings=[str(folder / "footprints_west.gpkg")], dem=[str(folder / "dem_tin_1m_west.tif")],
    )  # fmt: skip


def _paired(out: Path, source: Path) -> gpd.GeoDataFrame:
    """Built rows beside the source's own columns, in the order of the source."""
    raw = gpd.read_file(source)
    built = gpd.read_parquet(out / "buildings.parquet").set_index("id")
    ids = [str(i) for i in raw["id" if "id" in raw else "ID"]] if {"id", "ID"} & set(raw) else None
    if ids is None or set(ids) != set(built.index):
        ids = sorted(built.index, key=int)
    assert len(ids) == len(raw)
    joined = built.loc[ids].reset_index()
    for name in raw.columns.drop("geometry"):
        joined[f"raw_{name}"] = raw[name].to_numpy()
    here = shapely.centroid(joined.geometry.to_crs(raw.crs).to_numpy())
    there = shapely.centroid(raw.geometry.to_numpy())
    have = joined["tile"].notna().to_numpy()
    assert np.nanmax(shapely.distance(here, there)[have]) < 5.0
    return joined


def _stands(frame: gpd.GeoDataFrame, dem: Path) -> None:
    """Walls start at or below the ground, looked up independently: cell by cell, at the outline and inside."""
    with rasterio.open(dem) as raster:
        heights = raster.read(1).astype(float)
        heights[heights == raster.nodata] = np.nan
        inverse, crs = ~raster.transform, raster.crs
    low, high = np.nanmin(heights), np.nanmax(heights)
    gaps = []
    for row in frame[frame["tile"].notna()].to_crs(crs).itertuples():
        points = shapely.get_coordinates(shapely.segmentize(row.geometry, 1.0))
        inside = shapely.get_coordinates(shapely.point_on_surface(row.geometry))
        points = np.concatenate([points, inside])
        col, line = inverse @ (points[:, 0], points[:, 1])
        c, r = col - 0.5, line - 0.5
        c0, r0 = np.floor(c).astype(int), np.floor(r).astype(int)
        ok = (c0 >= 0) & (r0 >= 0) & (c0 < heights.shape[1] - 1) & (r0 < heights.shape[0] - 1)
        c, r, c0, r0 = c[ok], r[ok], c0[ok], r0[ok]
        u, v = c - c0, r - r0
        ground = (
            heights[r0, c0] * (1 - u) * (1 - v) + heights[r0, c0 + 1] * u * (1 - v)
            + heights[r0 + 1, c0] * (1 - u) * v + heights[r0 + 1, c0 + 1] * u * v
        )  # fmt: skip
        ground = ground[np.isfinite(ground)]
        if len(ground):
            gaps.append(row.base_z - ground.min())
        assert low - 1.0 <= row.base_z <= high + 0.01, row.id
    assert len(gaps) > 0.95 * frame["tile"].notna().sum()
    assert max(gaps) <= 0.01, f"a wall floats {max(gaps):.3f} m above the ground"


def _all_closed(out: Path) -> None:
    city = citygen.open_city(out)
    built = city.buildings[city.buildings["tile"].notna()].sort_values("tile")
    bad = [i for i in built.index if not city.mesh(i).is_volume]
    assert bad == []


def _valid(out: Path) -> None:
    tiles = sorted((out / "tiles").rglob("*.glb"))
    assert tiles
    for verdict in validate(tiles):
        assert (verdict.errors, verdict.warnings) == ([], []), verdict.path
    assert [issue for issue in check_output(out).issues if issue.severity == "error"] == []


def _median(difference: Any) -> tuple[float, int]:
    values = np.abs(np.asarray(difference, float))
    values = values[np.isfinite(values)]
    return float(np.median(values)), len(values)


def test_la_rochelle(rochelle: Path, testdata: Path, record_property: Any) -> None:
    folder = testdata / "realdata" / "01_larochelle_bdtopo_dem"
    assert len(accounted(rochelle)) == 361
    frame = _paired(rochelle, folder / "buildings_bdtopo.gpkg")
    doubles = frame["reasons"].apply(lambda codes: "duplicate_footprint" in codes)
    assert doubles.sum() == 15  # the survey repeats three outlines five times
    assert (frame["tile"].notna() ^ doubles).all()
    _stands(frame, folder / "dem_rgealti_1m.tif")
    ridge, n_ridge = _median(frame["ridge_z"] - frame["raw_altitude_maximale_toit"])
    eave, n_eave = _median(frame["eave_z"] - frame["raw_altitude_minimale_toit"])
    record_property("median |ridge_z - altitude_maximale_toit|", (ridge, n_ridge))
    record_property("median |eave_z - altitude_minimale_toit|", (eave, n_eave))
    print(f"La Rochelle: ridge {ridge:.3f} m of {n_ridge}, eave {eave:.3f} m of {n_eave}")  # noqa: T201
    assert n_ridge >= 275
    assert n_eave >= 315
    assert ridge < 2.0
    assert eave < 0.6


def test_den_haag(haag: Path, testdata: Path, record_property: Any) -> None:
    folder = testdata / "realdata" / "08_denhaag_lod2_west"
    found = accounted(haag)
    assert len(found) == 632
    frame = _paired(haag, folder / "footprints_west.gpkg")
    _stands(frame, folder / "dem_tin_1m_west.tif")
    ridge, n = _median(frame["ridge_z"] - frame["raw_ridge_abs"])
    eave, _ = _median(frame["eave_z"] - frame["raw_eaves_abs"])
    record_property("median |ridge_z - ridge_abs|", (ridge, n))
    print(f"Den Haag: ridge {ridge:.3f} m of {n}, eave {eave:.3f} m; built {frame['tile'].notna().sum()}")  # noqa: T201
    assert n > 600
    assert ridge < 0.1


@pytest.mark.parametrize("name", ["rochelle", "haag", "sample_out"])
def test_every_solid_is_a_volume(name: str, request: pytest.FixtureRequest) -> None:
    _all_closed(request.getfixturevalue(name))


@pytest.mark.parametrize("name", ["rochelle", "haag", "sample_out"])
def test_tiles_are_valid_for_khronos_and_for_us(name: str, request: pytest.FixtureRequest) -> None:
    _valid(request.getfixturevalue(name))


def test_a_known_corner_lands_within_a_centimetre(haag: Path) -> None:
    """Corners of a tile, through ECEF with pyproj alone, are corners of the catalogue's footprints."""
    import pyproj

    report = json.loads((haag / "report.json").read_text())
    city = citygen.open_city(haag)
    to_ecef = pyproj.Transformer.from_crs(report["crs"], "EPSG:4979", always_xy=True)
    geocentric = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    checked = 0
    for name, entry in list(city.entries.items())[:3]:
        scene = decode((haag / entry.uri).read_bytes())
        tile = json.loads((haag / "tileset.json").read_text())
        matrix = _transform(tile["root"], entry.uri)
        world = (matrix @ np.c_[scene.positions, np.ones(len(scene.positions))].T).T[:, :3]
        rows = city.buildings[city.buildings["tile"] == name]
        for row in rows.head(20).itertuples():
            feature = scene.table["id"].tolist().index(row.id)
            corners = world[scene.features == feature]
            x, y = shapely.get_coordinates(row.geometry)[0]
            lon, lat = to_ecef.transform(x, y)
            foot = np.array(geocentric.transform(lon, lat, row.base_z))
            assert np.linalg.norm(corners - foot, axis=1).min() < 0.01
            checked += 1
    assert checked > 30


def _transform(tile: dict, uri: str) -> np.ndarray:
    if tile.get("content", {}).get("uri") == uri:
        return np.array(tile["transform"]).reshape(4, 4).T
    for child in tile.get("children", ()):
        found = _transform(child, uri)
        if found is not None:
            return found
    return None


@pytest.mark.parametrize(
    ("name", "options", "at_least"),
    [
        ("13_formats_overture_fgb_heights/overture_buildings.parquet", {}, 100),
        ("13_formats_overture_fgb_heights/suzhou_bd_demo_2.geojson", {}, 100),
        ("13_formats_overture_fgb_heights/nz-building-outlines-small.fgb", {"aoi": "175.5,-40.5,175.7,-40.2"}, 10),
        ("06_goteborg_dem_dsm/buildings.shp", {}, 137),
        ("10_lod2_3dbag_denhoorn_zurich/footprints_3dbag_tile901.gpkg", {}, 40),
    ],
)
def test_formats_build(testdata: Path, tmp_path: Path, name: str, options: dict[str, Any], at_least: int) -> None:
    out = tmp_path / "out"
    build(out, buildings=[str(testdata / "realdata" / name)], ground_z=10, **options)
    found = accounted(out)
    assert len(found) >= at_least
    assert sum(row["tile"] is not None for row in found.values()) > 0.95 * len(found)


@pytest.mark.slow
def test_eleven_thousand_footprints_of_three_files(testdata: Path, tmp_path: Path) -> None:
    folder = testdata / "realdata" / "11_olemps_bdtopo" / "v2"
    sources = [str(folder / f"BATI_{name}.shp") for name in ("INDIFFERENCIE", "INDUSTRIEL", "REMARQUABLE")]
    build(tmp_path / "out", buildings=sources, ground_z=600, map={"height": "hauteur"}, workers=2)
    found = accounted(tmp_path / "out")
    assert len(found) == 11_202
    _valid(tmp_path / "out")
