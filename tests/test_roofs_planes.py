"""Roofs of planes along drawn lines: crossing gables, and mapped ridges, edges and apexes; twins among the other families."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

import citygen
from build_solids import Town, attributes, raise_town
from citygen.buildings.repair import repair
from citygen.geom.breaklines import mapped_roof, reach
from citygen.geom.crossing import box_of, heights
from citygen.geom.rings import main_axes
from citygen.model.rings import from_polygons
from citygen.model.rooflines import RoofLines
from citygen.pipeline.shaping import SIMPLIFIED, shape_solids
from citygen.roofs.plan import LINES_MISSING, plan_roofs
from citygen.solids.certify import volumes
from oracle import solid_of
from strategies import holed_polygons

PLACE = np.array([431234.5, 5412345.25])
HOUSE = shapely.box(0, 0, 14, 8)
L = shapely.Polygon([(0, 0), (16, 0), (16, 8), (8, 8), (8, 16), (0, 16)])
T = shapely.Polygon([(0, 10), (0, 2), (6, 2), (6, -6), (14, -6), (14, 2), (20, 2), (20, 10)])


def drawn(ridges=(), edges=(), apexes=(), *, turn: float = 0.0, to=(0.0, 0.0)) -> RoofLines:
    """Turn lists of coordinates into lines, turned around (0, 0) and moved."""
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    frame = np.array([[cos, sin], [-sin, cos]])

    def local(xy) -> np.ndarray:
        return np.asarray(xy, dtype=float).reshape(-1, 2) @ frame + to

    return RoofLines(tuple(map(local, ridges)), tuple(map(local, edges)), local(apexes))


def raise_mapped(polygon, *, turn: float = 0.0, ridges=(), edges=(), apexes=(), **columns) -> Town:
    """Build one building with lines by the pipeline's stages, turned and far from the origin."""
    outline = affinity.translate(affinity.rotate(polygon, turn, origin=(0, 0)), *PLACE)
    footprints, findings = repair(np.array([outline], dtype=object))
    lines = np.array([None], dtype=object)
    lines[0] = drawn(ridges, edges, apexes, turn=turn, to=PLACE - footprints.origins[0])
    level = (np.zeros(1), np.zeros(1))
    table = attributes(1, **{"roof_height_m": 3.0, **columns})
    plan, found = plan_roofs(table, footprints.rings, footprints.row, level, np.zeros(1), lines=lines)
    shaped, more = shape_solids(footprints, plan, np.ones(1, dtype=bool))
    return Town(footprints, plan, shaped, [*findings, *found, *more])


def sound(town: Town) -> float:
    """Check the one solid by the slow oracle (closed, planar, tiles its plan, reaches eave and top); return its volume."""
    assert len(town.shaped.meshes) == 1
    assert not town.rows_with(SIMPLIFIED)
    assert town.plan.shapes[town.plan.shape[0]].name == "mapped"
    assert town.faults() == {}
    return float(volumes(town.shaped.meshes)[0])


def twin(polygon, shape: str, turn: float, **columns) -> float:
    """Return the volume that another family gives; the same ground and heights."""
    outline = affinity.translate(affinity.rotate(polygon, turn, origin=(0, 0)), *PLACE)
    town = raise_town(np.array([outline]), ground=(0.0, 0.0), roof_shape=shape, **{"roof_height_m": 3.0, **columns})
    return float(volumes(town.shaped.meshes)[0])


def roof_faces(town: Town) -> int:
    return sum(kind == 2 for kind in solid_of(town.shaped.meshes, 0).kinds)


def top_at(town: Town, x: float, y: float, turn: float = 0.0) -> float:
    """Return the roof's height over the eave at a place of the drawing."""
    at = drawn(apexes=[(x, y)], turn=turn, to=PLACE - town.footprints.origins[0]).apexes[0]
    solid = solid_of(town.shaped.meshes, 0)
    for rings, kind in zip(solid.faces, solid.kinds, strict=True):
        points = solid.vertices[rings[0]]
        if (
            kind == 2
            and shapely.Polygon(points[:, :2], [solid.vertices[r][:, :2] for r in rings[1:]]).distance(
                shapely.Point(at)
            )
            < 1e-6
        ):
            rows = np.column_stack([points[:, :2] - at, np.ones(len(points))])
            return float(np.linalg.lstsq(rows, points[:, 2], rcond=None)[0][2] - town.heights(0)[1])
    raise AssertionError("no roof there")


TURNS = pytest.mark.parametrize("turn", [0.0, 31.0, 90.0, 213.7])


@TURNS
@pytest.mark.parametrize("y", [4.0, 4.001])
def test_a_ridge_from_wall_to_wall_is_a_gable(turn, y):
    town = raise_mapped(HOUSE, turn=turn, ridges=[[(0, y), (14, y)]])
    assert sound(town) == pytest.approx(twin(HOUSE, "gabled", turn), rel=1e-3)
    assert roof_faces(town) == 2


@TURNS
@pytest.mark.parametrize("end", [-0.35, 0.35, -3.0])
def test_a_ridge_that_misses_the_walls_is_a_gable_all_the_same(turn, end):
    town = raise_mapped(HOUSE, turn=turn, ridges=[[(end, 4), (14 - end, 4)]])
    assert sound(town) == pytest.approx(twin(HOUSE, "gabled", turn), rel=1e-6)
    assert roof_faces(town) == 2


@TURNS
@pytest.mark.parametrize("hips", [True, False])
def test_a_ridge_with_or_without_its_hips_is_a_hipped_roof(turn, hips):
    edges = [[(4, 4), (0, 0)], [(4, 4), (0, 8)], [(10, 4), (14, 0)], [(10, 4), (14, 8)]] if hips else []
    town = raise_mapped(HOUSE, turn=turn, ridges=[[(4, 4), (10, 4)]], edges=edges)
    assert sound(town) == pytest.approx(twin(HOUSE, "hipped", turn), rel=1e-6)
    assert roof_faces(town) == 4


@TURNS
def test_an_apex_by_itself_is_a_pyramid(turn):
    square = shapely.box(0, 0, 9, 9)
    town = raise_mapped(square, turn=turn, apexes=[(4.5, 4.5)])
    assert sound(town) == pytest.approx(81 * 6 + 81 * 3 / 3, rel=1e-9)
    assert roof_faces(town) == 4
    drawn_hips = [[(4.5, 4.5), corner] for corner in [(0, 0), (9, 0), (9, 9), (0, 9)]]
    assert sound(raise_mapped(square, turn=turn, apexes=[(4.5, 4.5)], edges=drawn_hips)) == pytest.approx(567, rel=1e-9)


@TURNS
def test_l_with_two_ridges_a_hip_and_a_valley(turn):
    """The equal wings of an L with gable ends: on the whole, half of the rise."""
    town = raise_mapped(
        L, turn=turn, ridges=[[(4, 16), (4, 4)], [(4, 4), (16, 4)]], edges=[[(4, 4), (8, 8)], [(0, 0), (4, 4)]]
    )
    volume = sound(town)
    assert roof_faces(town) == 4
    assert volume == pytest.approx(L.area * 6 + L.area * 1.5, rel=1e-9)
    assert top_at(town, 10, 2, turn) == pytest.approx(1.5)
    assert top_at(town, 6, 12, turn) == pytest.approx(1.5)
    assert top_at(town, 6, 6, turn) == pytest.approx(1.5)


@TURNS
@pytest.mark.parametrize("short", [0.0, 0.3, -0.3, 1.5])
def test_t_whose_branch_ridge_meets_the_main_one(turn, short):
    """A branch that ends a little before or behind the main ridge is joined to it."""
    town = raise_mapped(
        T,
        turn=turn,
        ridges=[[(0, 6), (20, 6)], [(10, -6), (10, 6 - short)]],
        edges=[[(10, 6), (6, 2)], [(10, 6), (14, 2)]],
    )
    sound(town)
    assert roof_faces(town) == 5
    for x, y, want in [(10, 0, 3.0), (8, 0, 1.5), (10, 6, 3.0), (3, 4, 1.5), (10, 8, 1.5)]:
        assert top_at(town, x, y, turn) == pytest.approx(want), (x, y)


@pytest.mark.parametrize("shape", [L, T])
def test_ridges_alone_on_a_concave_outline(shape):
    ridges = {id(L): [[(4, 16), (4, 4), (16, 4)]], id(T): [[(0, 6), (20, 6)], [(10, -6), (10, 6)]]}[id(shape)]
    town = raise_mapped(shape, turn=12.0, ridges=ridges)
    sound(town)
    for x, y in ridges[0]:
        assert top_at(town, x, y, 12.0) == pytest.approx(3.0)
    for x, y in list(shape.exterior.coords)[:3]:
        assert top_at(town, x, y, 12.0) == pytest.approx(0.0, abs=1e-9)


@TURNS
@pytest.mark.parametrize("off", [0.0, 0.2, -0.2])
@pytest.mark.parametrize("lower", ["edge", "ridge", "none"])
def test_half_hips_whose_feet_lie_amid_the_wall(turn, off, lower):
    """OSM2World #193: the lower line of a half hip a little off the wall left a missing face."""
    feet = [(14 + off, 2), (14 + off, 6)]
    lines = {"edge": ([], [feet]), "ridge": ([feet], []), "none": ([], [])}[lower]
    town = raise_mapped(
        HOUSE,
        turn=turn,
        ridges=[[(0, 4), (12, 4)], *lines[0]],
        edges=[[(12, 4), feet[0]], [(12, 4), feet[1]], *lines[1]],
    )
    sound(town)
    assert roof_faces(town) == 3
    for x, y, want in [(13.9999, 2, 1.5), (13, 4, 2.25), (5, 2, 1.5), (13.9999, 1, 0.75)]:
        assert top_at(town, x, y, turn) == pytest.approx(want, abs=1e-3), (x, y)


def test_a_ridge_along_a_wall_is_a_lean_to():
    town = raise_mapped(HOUSE, ridges=[[(0.1, 8.2), (13.8, 7.9)]], roof_height_m=np.nan, roof_angle_deg=20.0)
    assert sound(town) == pytest.approx(
        twin(HOUSE, "skillion", 0.0, roof_height_m=np.nan, roof_angle_deg=20.0), rel=1e-9
    )
    assert roof_faces(town) == 1
    assert town.plan.rise_m[0] == pytest.approx(8 * np.tan(np.radians(20)))


@pytest.mark.parametrize(
    ("ridge", "want"), [([(0, 4), (14, 4)], 4.0), ([(0, 3), (14, 3)], 3.0), ([(0, 8), (14, 8)], 8.0)]
)
def test_reach_is_the_way_from_the_wall_to_the_ridge(ridge, want):
    rings = from_polygons(np.array([HOUSE]))
    assert reach(rings.coords, rings.ring_offsets, drawn([ridge])) == pytest.approx(want)


def test_an_angle_gives_the_slope_of_the_planes():
    town = raise_mapped(HOUSE, ridges=[[(0, 4), (14, 4)]], roof_height_m=np.nan, roof_angle_deg=40.0)
    sound(town)
    assert town.plan.rise_m[0] == pytest.approx(4 * np.tan(np.radians(40)))


@pytest.mark.parametrize("rise", [0.5, 3.0, 40.0])
@pytest.mark.parametrize("tilt", [1e-4, 5e-4, 2e-3, 8e-3])
def test_faces_are_planar_at_any_rise(tilt, rise):
    """A ridge that is nearly parallel to its walls: one plane where the millimetre allows, triangles where it does not."""
    ridge = [[(0, 4), (14, 4 + tilt)]]
    town = raise_mapped(HOUSE, turn=5.0, ridges=ridge, height_m=60.0, roof_height_m=rise)
    sound(town)
    assert roof_faces(town) == (2 if tilt <= 5e-4 else 4)


def test_an_apex_that_sees_no_corner_is_joined_to_the_lines_around_it():
    loop = [(4, 2), (10, 2), (10, 6), (4, 6), (4, 2)]
    town = raise_mapped(HOUSE, ridges=[loop], apexes=[(7, 4)])
    sound(town)
    assert top_at(town, 7, 4) == pytest.approx(3.0)


def test_scribbles_are_bounded():
    scribble = np.random.default_rng(1).uniform((0, 0), (14, 8), (300, 2))
    rings = from_polygons(np.array([HOUSE]))
    assert mapped_roof(rings.coords, rings.ring_offsets, drawn([scribble]), 0.0) is None
    assert mapped_roof(rings.coords, rings.ring_offsets, drawn([scribble] * 100), 0.0) is None


def test_a_flat_top_within_edges():
    """A mansard by its upper break alone; and a ridge loop around a flat middle."""
    loop = [(2, 2), (12, 2), (12, 6), (2, 6), (2, 2)]
    hips = [[(0, 0), (2, 2)], [(14, 0), (12, 2)], [(14, 8), (12, 6)], [(0, 8), (2, 6)]]
    for town in (raise_mapped(HOUSE, ridges=[loop], edges=hips), raise_mapped(HOUSE, ridges=[loop])):
        sound(town)
        assert top_at(town, 7, 4) == pytest.approx(3.0)
        assert top_at(town, 7, 1) == pytest.approx(1.5)
    alone = raise_mapped(HOUSE, edges=[loop])
    sound(alone)
    assert top_at(alone, 7, 4) == pytest.approx(3.0)


def test_around_a_courtyard():
    plan = shapely.box(0, 0, 30, 24).difference(shapely.box(8, 8, 22, 16))
    loop = [(4, 4), (26, 4), (26, 20), (4, 20), (4, 4)]
    town = raise_mapped(plan, turn=20.0, ridges=[loop])
    sound(town)
    hips = [
        [(0, 0), (4, 4), (8, 8)],
        [(30, 0), (26, 4), (22, 8)],
        [(30, 24), (26, 20), (22, 16)],
        [(0, 24), (4, 20), (8, 16)],
    ]
    town = raise_mapped(plan, turn=20.0, ridges=[loop], edges=hips)
    sound(town)
    assert roof_faces(town) == 8
    one = raise_mapped(plan, ridges=[[(4, 0), (4, 24)]])  # one wing only: the rest stays at the eave
    sound(one)
    assert top_at(one, 26, 12) == pytest.approx(0.0, abs=1e-9)


ODD = {
    "zig-zag": ([[(1, 1), (13, 2), (1, 3), (13, 4), (1, 5), (13, 6), (1, 7)]], []),
    "crossing itself": ([[(2, 2), (12, 6), (12, 2), (2, 6)]], []),
    "twice, and backwards": ([[(0, 4), (14, 4)], [(0, 4), (14, 4)], [(14, 4), (0, 4)]], []),
    "in pieces": ([[(0, 4), (5, 4.1)], [(5.2, 4), (9, 4)], [(8, 4), (14, 4)]], []),
    "no length": ([[(0, 4), (14, 4)], [(3, 3), (3.1, 3.1)]], []),
    "corner to corner": ([[(0, 0), (14, 8)]], []),
    "one end free": ([[(0, 4), (7, 4)]], []),
    "out of one wall": ([[(7, -20), (7, 5)]], []),
    "edge into nothing": ([[(0, 4), (14, 4)]], [[(2, 7), (3, 6)]]),
    "edge from wall to wall": ([[(0, 4), (14, 4)]], [[(3, 0), (3, 8)]]),
    "edge in the open": ([[(0, 4), (14, 4)]], [[(3, 1), (5, 2)]]),
    "hips short of the corners": ([[(4, 4), (10, 4)]], [[(4, 4), (1, 1)], [(4, 4), (1, 7)]]),
    "near a corner": ([[(0.2, 0.2), (13.8, 7.9)]], [[(0.3, 7.9), (6, 4)]]),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("turn", [0.0, 31.0])
def test_odd_lines_give_a_sound_roof_that_reaches_the_ridge(name, turn):
    ridges, edges = ODD[name]
    town = raise_mapped(HOUSE, turn=turn, ridges=ridges, edges=edges)
    sound(town)
    again = raise_mapped(HOUSE, turn=turn, ridges=[r[::-1] for r in ridges[::-1]], edges=edges[::-1])
    assert sound(again) == pytest.approx(sound(town), rel=1e-9), "the order of drawing does not matter"


@pytest.mark.parametrize(
    "lines",
    [
        drawn(),
        drawn(edges=[[(0, 0), (14, 8)]]),
        drawn(ridges=[[(20, 20), (30, 20)]]),
        drawn(apexes=[(20, 20)]),
        drawn(ridges=[[(0, 0), (14, 8)], [(0, 8), (14, 0)]]),
        drawn(ridges=[[(0, 0), (14, 0), (14, 8), (0, 8), (0, 0)]]),
    ],
)
def test_lines_without_a_top_or_without_an_eave_give_no_roof(lines):
    rings = from_polygons(np.array([HOUSE]))
    assert mapped_roof(rings.coords, rings.ring_offsets, lines, 0.0) is None


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    holed_polygons(),
    st.lists(
        st.lists(st.tuples(st.integers(-5, 105), st.integers(-5, 105)), min_size=2, max_size=4), min_size=1, max_size=4
    ),
    st.lists(st.lists(st.tuples(st.integers(-5, 105), st.integers(-5, 105)), min_size=2, max_size=3), max_size=4),
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=2),
)
def test_any_lines_on_any_polygon(polygon, ridges, edges, apexes):
    """Lines anywhere over the extent: a sound roof that has a top and an eave, or none at all."""
    west, south, east, north = polygon.bounds

    def scaled(line):
        return [(west + (east - west) * x / 100, south + (north - south) * y / 100) for x, y in line]

    ridges, edges, apexes = [scaled(r) for r in ridges], [scaled(e) for e in edges], scaled(apexes)
    rings = from_polygons(np.array([polygon]))
    if mapped_roof(rings.coords, rings.ring_offsets, drawn(ridges, edges, apexes), 0.0) is None:
        return
    town = raise_mapped(polygon, ridges=ridges, edges=edges, apexes=apexes)
    if len(town.footprints.rings) == 1 and not town.rows_with(SIMPLIFIED):
        assert town.faults() == {}


def test_mapped_without_lines_is_a_gable_and_says_so():
    place = np.array([affinity.translate(HOUSE, *PLACE)])
    town = raise_town(place, ground=(0.0, 0.0), roof_shape="mapped", roof_angle_deg=30.0)
    assert town.rows_with(LINES_MISSING) == [0]
    gable = raise_town(place, ground=(0.0, 0.0), roof_shape="gabled", roof_angle_deg=30.0)
    assert volumes(town.shaped.meshes) == pytest.approx(volumes(gable.shaped.meshes), rel=1e-12)


def crossed(polygon, axis) -> tuple[float, float]:
    """Return volume under the crossing gables by sampling, and the range of heights: the slow twin."""
    rings = from_polygons(np.array([polygon]))
    box = box_of(rings.coords, axis)
    west, south, east, north = polygon.bounds
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(west, east, 701), np.linspace(south, north, 701)))
    inside = shapely.contains_xy(polygon, x, y)
    z = heights(np.column_stack([x, y])[inside], box)
    return float(((z - z.min()) / (z.max() - z.min())).mean() * polygon.area), float(np.ptp(z))


WINGED = {
    "L": L,
    "T": T,
    "courtyard": shapely.box(0, 0, 30, 24).difference(shapely.box(8, 8, 22, 16)),
    "plus": shapely.box(0, 6, 16, 10).union(shapely.box(6, 0, 10, 16)),
}
CROSSED = {
    "rectangle": HOUSE,
    "courtyard that hardly counts": shapely.box(0, 0, 30, 24).difference(shapely.box(13, 10, 18, 14)),
    "diamond": shapely.Polygon([(0, 5), (8, 0), (16, 5), (8, 10)]),
    "triangle": shapely.Polygon([(0, 0), (11, 1), (4, 9)]),
}


@pytest.mark.parametrize("name", CROSSED)
@pytest.mark.parametrize("direction", [180.0, 217.0])
def test_crossing_gables_have_the_volume_under_their_surface(name, direction):
    polygon = CROSSED[name]
    town = raise_town(
        np.array([polygon]),
        ground=(0.0, 0.0),
        roof_shape="crosspitched",
        roof_height_m=3.0,
        roof_direction_deg=direction,
    )
    assert town.faults() == {}
    want, _ = crossed(polygon, town.plan.axes[0])
    assert volumes(town.shaped.meshes)[0] == pytest.approx(polygon.area * 6 + 3 * want, rel=2e-3)


@pytest.mark.parametrize("name", WINGED)
def test_over_wings_crossing_gables_are_the_gables_of_the_wings(name):
    geometry = np.array([WINGED[name]])
    crossing = raise_town(geometry, roof_shape="crosspitched", roof_angle_deg=40.0)
    gabled = raise_town(geometry, roof_shape="gabled", roof_angle_deg=40.0)
    assert crossing.faults() == {}
    assert crossing.shaped.meshes.vertices.tobytes() == gabled.shaped.meshes.vertices.tobytes()


def test_crossing_gables_on_a_rectangle_are_eight_planes_with_four_gables():
    town = raise_town(np.array([HOUSE]), ground=(0.0, 0.0), roof_shape="cross-gabled", roof_angle_deg=45.0)
    assert roof_faces(town) == 8
    assert town.plan.rise_m[0] == pytest.approx(4.0), "45 degrees over half the width"
    top = solid_of(town.shaped.meshes, 0).vertices
    for x, y in [(7, 0), (7, 8), (0, 4), (14, 4), (7, 4)]:
        assert top[np.hypot(top[:, 0] - x, top[:, 1] - y) < 1e-9][:, 2].max() == pytest.approx(9.0), (x, y)


def test_crossing_gables_lie_along_the_direction():
    turned = raise_town(np.array([shapely.box(0, 0, 10, 10)]), roof_shape="crosspitched", roof_direction_deg=45.0)
    axes = main_axes(turned.footprints.rings.coords, np.array([0, 4]), np.array([0, 1]))[0, :2]
    assert abs(float(turned.plan.axes[0] @ axes)) == pytest.approx(np.sqrt(0.5))
    assert turned.faults() == {}


def lonlat(polygon: shapely.Polygon) -> shapely.Geometry:
    return gpd.GeoSeries([polygon], crs="EPSG:32631").to_crs("EPSG:4326")[0]


def world(xy) -> np.ndarray:
    return np.asarray(xy, dtype=float) + np.array([500_000.0, 5_150_000.0])


def wkt(*lines) -> str:
    return lonlat(shapely.MultiLineString([world(line) for line in lines])).wkt


def house(name: str, polygon=HOUSE, **tags) -> dict:
    return {
        "id": name,
        "building": "yes",
        "height": "9",
        "roof:height": "3",
        "geometry": lonlat(affinity.translate(polygon, 500_000, 5_150_000)),
        **tags,
    }


def built(*rows: dict, **options):
    frame = gpd.GeoDataFrame(list(rows), geometry="geometry", crs="EPSG:4326")
    city = citygen.build(frame, ground_z=0.0, crs="EPSG:32631", **options)
    table = city.buildings.set_index("id")
    assert sorted(table.index) == sorted(row["id"] for row in rows), "every id has its row"
    return city, table


def test_lines_in_a_column_come_from_lon_lat_to_the_roof():
    rows = [
        house("gable", **{"roof:ridge": wkt([(0, 4), (14, 4)])}),
        house(
            "hip", affinity.translate(HOUSE, 100, 0), **{"roof:ridge": wkt([(104, 4), (110, 4)]), "roof:shape": "flat"}
        ),
        house(
            "apex",
            affinity.translate(shapely.box(0, 0, 9, 9), 200, 0),
            **{"roof:apex": lonlat(shapely.Point(world((204.5, 4.5)))).wkt},
        ),
        house("plain", affinity.translate(HOUSE, 300, 0), **{"roof:shape": "gabled"}),
    ]
    _, table = built(*rows)
    assert table.outcome.tolist() == ["ok"] * 4
    assert table.roof_shape[["gable", "hip", "apex", "plain"]].tolist() == ["mapped", "mapped", "mapped", "gabled"]
    assert table.roof_asked["hip"] == "flat"
    assert table.volume_m3["gable"] == pytest.approx(112 * 7.5, rel=1e-5)
    assert table.volume_m3["hip"] == pytest.approx(112 * 6 + 3 * 8 * (6 / 2 + 8 / 3), rel=1e-5)
    assert table.volume_m3["apex"] == pytest.approx(81 * 7, rel=1e-5)
    assert table.volume_m3["plain"] == pytest.approx(112 * 7.5, rel=1e-5)
    assert table.ridge_z.tolist() == pytest.approx([9.0] * 4)


GARBAGE = [
    "LINESTRING (",
    "LINESTRING (nan nan, 1 1)",
    "LINESTRING (1e999 1, 1 1)",
    "POINT (1 1)",
    "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    "GEOMETRYCOLLECTION (" * 2000,
    "LINESTRING (" + ", ".join(f"{k} 1" for k in range(600)) + ")",
    "LINESTRING (" + "0" * 60_000 + " 1, 2 2)",
    "<script>",
    "yes",
    "LINESTRING (500 95, 600 99)",
]


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_bad_text_is_a_reason_on_its_row_alone(text):
    _, table = built(
        house("bad", **{"roof:ridge": text, "roof:shape": "gabled"}),
        house("good", affinity.translate(HOUSE, 50, 0), **{"roof:shape": "gabled"}),
    )
    assert table.outcome.tolist() == ["degraded", "ok"]
    assert list(table.reasons["bad"]) == ["roof_lines_unread"]
    assert max(map(len, table.details["bad"])) < 200
    assert table.roof_shape.tolist() == ["gabled", "gabled"]


@pytest.mark.parametrize(
    ("ridge", "code", "outcome", "shape"),
    [
        ([(40, 4), (60, 4)], "roof_lines_outside", "degraded", "gabled"),
        ([(-9, 4), (30, 4)], "roof_lines_clipped", "ok", "mapped"),
        ([(0, 0), (14, 0), (14, 8), (0, 8), (0, 0)], "roof_lines_unusable", "degraded", "gabled"),
    ],
)
def test_lines_that_do_not_fit_are_told(ridge, code, outcome, shape):
    _, table = built(house("a", **{"roof:ridge": wkt(ridge), "roof:shape": "gabled"}))
    assert list(table.reasons["a"]) == [code]
    assert (table.outcome["a"], table.roof_shape["a"]) == (outcome, shape)


def line(name: str, geometry, **tags) -> dict:
    return {"id": name, "geometry": lonlat(geometry), **tags}


@pytest.mark.parametrize("grid", ["metric:500", "metric:16"])
def test_ways_and_nodes_of_the_source_reach_the_building_that_they_lie_on(grid, tmp_path):
    edges = [[(4, 4), (0, 0)], [(4, 4), (0, 8)], [(10, 4), (14, 0)], [(10, 4), (14, 8)]]
    rows = [
        line("ridge", shapely.LineString(world([(4, 4), (10, 4)])), **{"roof:ridge": "yes"}),
        house("house"),
        *(line(f"edge {k}", shapely.LineString(world(e)), **{"roof:edge": "yes"}) for k, e in enumerate(edges)),
        house("tower", shapely.box(20, 0, 29, 9)),
        line("top", shapely.Point(*world((24.5, 4.5))), **{"roof:apex": "yes"}),
        line("stray", shapely.LineString(world([(300, 4), (310, 4)])), **{"roof:ridge": "yes"}),
        line("no", shapely.LineString(world([(4, 4), (10, 4)])), **{"roof:ridge": "no"}),
    ]
    _, table = built(*rows, grid=grid)
    for name in ("ridge", "edge 0", "edge 1", "edge 2", "edge 3", "top"):
        assert (table.outcome[name], list(table.reasons[name])) == ("ok", ["roof_line_used"]), name
        assert np.isnan(table.volume_m3[name]) or table.volume_m3[name] == 0
    for name in ("stray", "no"):
        assert (table.outcome[name], table.reasons[name][0]) == ("rejected", "geometry_not_areal"), name
    assert table.roof_shape[["house", "tower"]].tolist() == ["mapped", "mapped"]
    assert table.volume_m3["house"] == pytest.approx(112 * 6 + 3 * 8 * (6 / 2 + 8 / 3), rel=1e-5)
    assert table.volume_m3["tower"] == pytest.approx(81 * 7, rel=1e-5)


def test_a_line_on_a_part_roofs_the_part_and_one_that_does_not_fit_says_so():
    rows = [
        house("outline", shapely.box(0, 0, 40, 20)),
        {**house("part", shapely.box(0, 0, 40, 20)), "building": None, "building:part": "yes"},
        line("ridge", shapely.LineString(world([(0, 10), (40, 10)])), **{"roof:ridge": "yes"}),
        house("other", shapely.box(100, 0, 110, 10), **{"roof:shape": "gabled"}),
        line("fold", shapely.LineString(world([(100, 0), (110, 10)])), **{"roof:edge": "yes"}),
    ]
    _, table = built(*rows)
    assert list(table.reasons["ridge"]) == ["roof_line_used"]
    assert table.roof_shape["part"] == "mapped"
    assert table.outcome["fold"] == "degraded"
    assert list(table.reasons["fold"]) == ["roof_line_unused"]
    assert list(table.reasons["other"]) == ["roof_lines_unusable"]
    assert table.roof_shape["other"] == "gabled"
