"""Party walls: shared area exact and the same from both sides, whatever the tiles; dropped walls leave the outside as it was."""

import math
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from build_solids import raise_town
from builds import accounted, build, rows, same_rows
from citygen.formats.glb import decode
from citygen.pipeline.partywalls import shared_walls
from citygen.validation.output import check_output
from oracle import solid_of

X, Y = 500_000.0, 5_150_000.0


def box(x: float, y: float, w: float, h: float) -> shapely.Polygon:
    return shapely.box(X + x, Y + y, X + x + w, Y + y + h)


def town(folder: Path, shapes: list[shapely.Geometry], **columns: Any) -> Path:
    """Write a source of shapes, ids a, b, c, ..."""
    ids = [chr(ord("a") + k) for k in range(len(shapes))]
    path = folder / "town.parquet"
    gpd.GeoDataFrame({"id": ids, **columns}, geometry=shapes, crs="EPSG:32631").to_parquet(path)
    return path


def shared(out: Path) -> dict[str, float]:
    return {name: row["shared_wall_area_m2"] for name, row in rows(out).items()}


def surface(out: Path) -> float:
    """Area of all triangles that were written, m2."""
    total = 0.0
    for path in sorted((out / "tiles").rglob("*.glb")):
        scene = decode(path.read_bytes())
        a, b, c = (scene.positions[scene.triangles[:, k]] for k in range(3))
        total += float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()) / 2
    return total


ROW = [box(0, 0, 10, 8), box(10, 0, 10, 8), box(20, 0, 10, 8), box(30, 0, 10, 8)]
ROW_TAGS = {
    "height": [10.0, 6.0, 8.0, 8.0],
    "roof:shape": ["flat", "flat", "gabled", "gabled"],
    "roof:height": [None, None, 3.0, 3.0],
}
GABLE_BELOW_6 = 8 * 5 + (8 + 8 - 2 * 4 / 3) / 2  # a gable of 8 m, eave 5, top 8, up to 6 m
ROW_SHARED = {"a": 48.0, "b": 48 + GABLE_BELOW_6, "c": GABLE_BELOW_6 + 52, "d": 52.0}


@pytest.mark.parametrize("grid", ["metric:10", "metric:13", "metric:500", "WebMercatorQuad:21"])
def test_a_terrace_shares_the_same_walls_in_any_tiles(tmp_path: Path, grid: str) -> None:
    source = town(tmp_path, ROW, **ROW_TAGS)
    build(tmp_path / "out", buildings=[str(source)], ground_z=5, grid=grid, id_column="id")
    assert len({row["tile"] for row in accounted(tmp_path / "out").values()}) > 1 or grid == "metric:500"
    assert shared(tmp_path / "out") == pytest.approx(ROW_SHARED, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "shapes", "heights", "expected"),
    [
        ("apart", [box(0, 0, 10, 8), box(10.2, 0, 10, 8)], [9, 9], [0, 0]),
        ("a gap of 9 cm", [box(0, 0, 10, 8), box(10.09, 0, 10, 8)], [9, 9], [72, 72]),
        ("an overlap of 9 cm", [box(0, 0, 10, 8), box(9.91, 0, 10, 8)], [9, 9], [72, 72]),
        ("corner to corner", [box(0, 0, 10, 8), box(10, 8, 10, 8)], [9, 9], [0, 0]),
        ("half beside", [box(0, 0, 10, 8), box(10, 4, 10, 8)], [9, 6], [24, 24]),
        ("a T", [box(0, 0, 10, 8), box(10, 3, 10, 2)], [9, 9], [18, 18]),
        ("in a courtyard", [box(0, 0, 30, 30) - box(10, 10, 10, 10), box(10, 10, 10, 10)], [9, 6], [240, 240]),
        (
            "three on one wall, who share walls of 5 m among them",
            [box(0, 0, 10, 9), box(10, 0, 5, 3), box(10, 3, 5, 3), box(10, 6, 5, 3)],
            [9, 3, 4, 5],
            [9 + 12 + 15, 9 + 15, 12 + 15 + 20, 15 + 20],
        ),
    ],
)
def test_shared_area_of_boxes(
    tmp_path: Path, name: str, shapes: list[Any], heights: list[float], expected: list[float]
) -> None:
    source = town(tmp_path, shapes, height=[float(h) for h in heights], **{"roof:shape": ["flat"] * len(shapes)})
    for grid in ("metric:500", "metric:10"):
        out = tmp_path / grid.replace(":", "_")
        build(out, buildings=[str(source)], ground_z=5, grid=grid, id_column="id")
        assert list(shared(out).values()) == pytest.approx(expected, abs=1e-6), (name, grid)


def test_walls_that_turn_away_share_nothing_beyond_reach(tmp_path: Path) -> None:
    """A wall at 2 degrees to the other leaves its reach (10 cm) after 2.86 m."""
    turned = shapely.affinity.rotate(box(10, 0, 10, 8), -2, origin=(X + 10, Y))
    source = town(tmp_path, [box(0, 0, 10, 8), turned], height=[9.0, 9.0], **{"roof:shape": ["flat"] * 2})
    build(tmp_path / "out", buildings=[str(source)], ground_z=5, id_column="id")
    a, b = shared(tmp_path / "out").values()
    assert a == pytest.approx(9 * 0.1 / math.tan(math.radians(2)), rel=1e-2)
    assert b == pytest.approx(a, rel=1e-2)


def test_bases_at_different_heights(tmp_path: Path) -> None:
    """On a slope each building stands on its own ground: what counts is the interval that both walls have."""
    import rasterio

    dem = np.repeat(np.where(np.arange(60) < 30, 10.0, 14.0)[None, :], 60, axis=0).astype("f4")
    with rasterio.open(
        tmp_path / "dem.tif",
        "w",
        driver="GTiff",
        width=60,
        height=60,
        count=1,
        dtype="float32",
        crs="EPSG:32631",
        transform=rasterio.Affine(1, 0, X - 20, 0, -1, Y + 40),
    ) as file:
        file.write(dem, 1)
    source = town(tmp_path, [box(-2, 0, 11, 8), box(9, 0, 12, 8)], height=[9.0, 9.0], **{"roof:shape": ["flat"] * 2})
    build(tmp_path / "out", buildings=[str(source)], dem=[str(tmp_path / "dem.tif")], id_column="id")
    found = rows(tmp_path / "out")
    low = max(row["base_z"] for row in found.values())
    high = min(row["ridge_z"] for row in found.values())
    assert list(shared(tmp_path / "out").values()) == pytest.approx([8 * (high - low)] * 2, abs=1e-6)


def test_parts_of_one_building_have_no_party_walls(tmp_path: Path) -> None:
    shapes = [box(0, 0, 20, 8), box(0, 0, 10, 8), box(10, 0, 10, 8), box(20, 0, 10, 8)]
    tags = {"building": ["yes", None, None, "yes"], "building:part": [None, "yes", "yes", None]}
    source = town(tmp_path, shapes, height=[9.0, 9.0, 6.0, 9.0], **tags, **{"roof:shape": ["flat"] * 4})
    for mode in ("keep", "drop"):
        build(tmp_path / mode, buildings=[str(source)], ground_z=5, id_column="id", party_walls=mode)
        found = shared(tmp_path / mode)
        assert (found["b"], found["c"], found["d"]) == pytest.approx((0, 48, 48), abs=1e-6)
    inner = 2 * 48  # between the parts, hidden too
    assert surface(tmp_path / "keep") - surface(tmp_path / "drop") == pytest.approx(48 * 2 + inner, rel=1e-3)


@pytest.mark.parametrize("grid", ["metric:500", "metric:13"])
def test_dropped_walls_are_those_that_are_shared(tmp_path: Path, grid: str) -> None:
    source = town(tmp_path, ROW, **ROW_TAGS)
    for mode in ("keep", "drop"):
        build(tmp_path / mode, buildings=[str(source)], ground_z=5, grid=grid, id_column="id", party_walls=mode)
    same_rows(rows(tmp_path / "keep"), rows(tmp_path / "drop"), "abcd")
    removed = surface(tmp_path / "keep") - surface(tmp_path / "drop")
    assert removed == pytest.approx(sum(ROW_SHARED.values()), rel=1e-3)
    assert [i.code for i in check_output(tmp_path / "drop").issues] == []
    assert [i.code for i in check_output(tmp_path / "keep").issues] == []


def opened(shapes: list[shapely.Geometry], **columns: Any) -> tuple[Any, Any, Any]:
    """Return solids, the same without hidden walls, and the shared area of each row."""
    made = raise_town(np.array(shapes, dtype=object), **columns)
    meshes = made.shaped.meshes
    n = len(shapes)
    walls = shared_walls(meshes, np.ones(n, dtype=bool), np.arange(n))
    return meshes, walls.opened(meshes), walls.shared_m2


def repeated_edges(meshes: Any) -> list[tuple[int, int, int]]:
    """Edges that the faces of one solid run along twice in the same direction: (solid, from, to)."""
    seen: dict[tuple[int, int, int], int] = {}
    for k in range(len(meshes)):
        for face in solid_of(meshes, k).faces:
            for ring in face:
                for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
                    seen[k, a, b] = seen.get((k, a, b), 0) + 1
    return [edge for edge, times in seen.items() if times > 1]


def outer_edges(meshes: Any) -> list[tuple[Any, ...]]:
    """Edges of all solids that have a face on one side only, as rounded places."""
    seen: dict[Any, int] = {}
    for k in range(len(meshes)):
        solid = solid_of(meshes, k)
        for face in solid.faces:
            for ring in face:
                for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
                    key = (k, *(tuple(np.round(solid.vertices[v], 6)) for v in (a, b)))
                    seen[key] = seen.get(key, 0) + 1
    return [key for key in seen if (key[0], key[2], key[1]) not in seen]


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    st.floats(0, 360),
    st.lists(
        st.tuples(st.integers(4, 7), st.integers(5, 12), st.sampled_from(["flat", "gabled", "hipped", "skillion"])),
        min_size=2,
        max_size=5,
    ),
    st.integers(0, 3),
)
def test_turned_terraces(angle: float, houses: list[tuple[int, int, str]], step: int) -> None:
    """The same terrace, turned, shares the same area; what is cut is what is shared; both sides agree."""
    x, shapes = 0.0, []
    for k, (width, _, _) in enumerate(houses):
        shapes.append(shapely.box(x, step * (k % 2), x + width, step * (k % 2) + 9))
        x += width
    heights = np.array([float(h) for _, h, _ in houses])
    roofs = np.array([r for _, _, r in houses], dtype=object)
    tags = {"height_m": heights, "roof_shape": roofs, "roof_height_m": np.full(len(houses), 2.0)}
    straight = opened(shapes, **tags, roof_direction_deg=np.full(len(houses), 180.0))[2]
    turned = [shapely.affinity.rotate(s, angle, origin=(3.0, -7.0)) for s in shapes]
    whole, cut, area = opened(turned, **tags, roof_direction_deg=np.full(len(houses), 180.0 - angle) % 360)
    assert area == pytest.approx(straight, abs=2e-2)
    gone = wall_areas(whole) - wall_areas(cut)
    assert gone == pytest.approx(area, abs=2e-2)
    assert repeated_edges(cut) == []


def wall_areas(meshes: Any) -> np.ndarray:
    from citygen.model.meshes import WALL
    from citygen.solids.certify import surface_areas

    return np.bincount(meshes.solid_row, weights=surface_areas(meshes)[WALL])


def test_open_edges_lie_on_the_party_wall_alone() -> None:
    """Cut a wall short of its neighbour: every edge that is open lies in the plane x = 10, and on it once a side."""
    shapes = [shapely.box(0, 0, 10, 8), shapely.box(10, 2, 20, 6)]
    _, cut, area = opened(shapes, height_m=np.array([9.0, 6.0]), roof_shape=np.array(["flat", "flat"], dtype=object))
    assert area == pytest.approx([26, 26])  # from the lowest ground, half a metre below the datum
    edges = outer_edges(cut)
    assert edges
    origin = cut.origins
    for k, a, b in edges:
        assert a[0] + origin[k, 0] == pytest.approx(10, abs=1e-6)
        assert b[0] + origin[k, 0] == pytest.approx(10, abs=1e-6)
    # the hole in the larger wall: its lower edge lies on the floor's, which got its two points
    first = [e for e in edges if e[0] == 0]
    assert len(first) == 4


@pytest.mark.parametrize(
    ("footprints", "dem"),
    [
        ("01_larochelle_bdtopo_dem/buildings_bdtopo.gpkg", "01_larochelle_bdtopo_dem/dem_rgealti_1m.tif"),
        ("08_denhaag_lod2_west/denhaag_west_lod2.city.json", "08_denhaag_lod2_west/dem_tin_1m_west.tif"),
    ],
)
def test_surveyed_walls_leave_sound_tiles(testdata: Path, tmp_path: Path, footprints: str, dem: str) -> None:
    """Surveyed neighbours miss each other by anything from a rounding to centimetres: no wall runs along an edge twice."""
    real = testdata / "realdata"
    build(tmp_path / "out", buildings=[str(real / footprints)], dem=[str(real / dem)], party_walls="drop")
    assert [i.code for i in check_output(tmp_path / "out").issues] == []
    assert sum(row["shared_wall_area_m2"] > 0 for row in rows(tmp_path / "out").values() if row["tile"]) > 100
