"""Every registered roof shape on every outline: closed, planar, tiling its plan, between eave and top, the same each time."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from build_solids import Town, raise_town
from citygen.geom.rings import polygon_areas
from citygen.model.rings import to_polygons
from citygen.pipeline.shaping import PERTURBED, SIMPLIFIED
from citygen.roofs.base import ROOFS
from citygen.roofs.words import shape_of
from citygen.solids.certify import certify, volumes
from oracle import solid_of, to_trimesh, topology_faults, volume
from shapes import REAL, plans, real_footprints, skeleton_plans, turned
from strategies import holed_polygons

SHAPES = ROOFS.names()
PLANS = plans()
PLACE = (431234.5, 5412345.25)
"""Outlines are tried far from the CRS's origin, as real ones lie."""


def placed(polygons, turn: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """Turn, scale and move outlines; (n,) object."""
    moved = [affinity.translate(affinity.scale(turned(p, turn), scale, scale, origin=(0, 0)), *PLACE) for p in polygons]
    return np.array(moved, dtype=object)


def assert_sound(town: Town, names: list[str], every: int = 1) -> None:
    """Every polygon has its solid; every ``every``-th passes the slow oracle; all pass the product's own checks."""
    assert len(town.shaped.meshes) == len(town.footprints.rings)
    areas = polygon_areas(
        town.footprints.rings.coords, town.footprints.rings.ring_offsets, town.footprints.rings.polygon_offsets
    )
    verdict = certify(town.shaped.meshes, areas)
    assert all(good.all() for good in verdict.values()), {k: np.flatnonzero(~v) for k, v in verdict.items()}
    wrong = town.faults(np.arange(0, len(areas), every))
    assert not wrong, {names[row]: faults for row, faults in wrong.items()}


NEED_SIMPLER = {
    "half-dome": 4,
    "saltbox": 4,
    "hipped-and-gabled": 2,
    "side_half-hipped": 1,
    "half-hipped": 1,
    "side_hipped": 1,
    "dome": 1,
}
"""How many of the 256 outlines that broke other codes may take a simpler shape: walls that start late, backs that stand still."""
REQUIRED = {
    "flat", "skillion", "gabled", "hipped", "half-hipped", "side_hipped", "side_half-hipped", "hipped-and-gabled",
    "pyramidal", "cone", "gambrel", "mansard", "bellcast_gable", "round", "dome", "half-dome", "onion", "saltbox",
    "double_saltbox", "quadruple_saltbox", "sawtooth", "butterfly", "crosspitched", "gabled_height_moved", "mapped",
}  # fmt: skip


def test_the_registry_holds_the_shapes_of_the_code_lists():
    assert set(SHAPES) >= REQUIRED


def test_every_word_of_the_code_lists_is_known():
    """OSM, its misspellings and what else is seen there; Overture; CityGML; AdV; IFC."""
    words = [
        "gabled_height_moved",
        "saltbox",
        "half-hipped",
        "side_half-hipped",
        "hipped-and-gabled",
        "bellcast_gable",
        "crosspitched",
        "sawtooth",
        "gabeled",
        "hyped",
        "conical",
        "lean_to",
        "shed",
        "pitched",
        "monopitch",
        "dutch_gabled",
        "spherical",
        "half_hipped",
        "equal_hipped",
        "cross_gabled",
        "half-dome",
        "double_saltbox",
        "quadruple_saltbox",
        "quadruple:saltbox",
        "round_gabled",
        "SKILLION;hipped",
        "Gambrel",
        "barrel",
        "pavilion",
        "hipped_gable",
        "rainbow",
        "dome",
        "freeform",
        "1000",
        "1010",
        "1020",
        "1030",
        "1040",
        "1050",
        "1060",
        "1070",
        "1080",
        "1090",
        "1100",
        "1110",
        "1120",
        "2100",
        "2200",
        "3100",
        "3200",
        "3300",
        "3400",
        "3500",
        "3600",
        "3700",
        "3800",
        "3900",
    ]
    unknown = [word for word in words if shape_of(word)[0] is None]
    assert unknown == ["freeform"]
    for names in REQUIRED:
        assert shape_of(names.upper().replace("-", " ").replace("_", "-"))[0] == names


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("turn", "scale", "direction"), [(0, 1, np.nan), (17.3, 1, 197.3), (90, 3, 45), (45, 0.2, 315)]
)
def test_drawn_plans(shape, turn, scale, direction):
    town = raise_town(placed(PLANS.values(), turn, scale), roof_shape=shape, roof_direction_deg=direction)
    assert_sound(town, list(PLANS), every=1 if turn == 17.3 else 9)
    simplified = {list(PLANS)[row] for row in town.rows_with(SIMPLIFIED)}
    assert simplified <= ({"sliver", "bay window"} if shape == "half-dome" else set()), (
        "drawn plans need no simpler roof"
    )
    assert not town.shaped.flattened.any()
    assert len(town.shaped.meshes) >= len(PLANS) - 2 * (scale < 1)  # at a fifth of their size two slivers are specks
    rises = town.plan.rise_m[np.unique(town.footprints.row)]
    assert (rises == 0).all() if ROOFS[shape].is_flat else (rises > 0).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("orientation", ["along", "across"])
def test_ridge_lies_as_the_orientation_says(shape, orientation):
    rectangle = placed([PLANS["rectangle"]], 30.0)
    town = raise_town(rectangle, roof_shape=shape, roof_orientation=orientation)
    assert_sound(town, ["rectangle"])
    along = np.array([np.cos(np.radians(30)), np.sin(np.radians(30))])
    lengthwise = abs(float(town.plan.axes[0] @ along))
    assert lengthwise == pytest.approx(1.0 if orientation == "across" else 0.0, abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_that_broke_other_codes(shape, testdata):
    corpus = skeleton_plans(testdata)
    names, polygons = list(corpus), list(corpus.values())
    directions = np.arange(len(names)) * 37.0 % 360
    directions[::2] = np.nan
    town = raise_town(placed(polygons), roof_shape=shape, roof_direction_deg=directions)
    assert len(set(town.footprints.row.tolist())) == len(names), "every one of them can be built"
    assert_sound(town, names, every=19)
    assert len(town.rows_with(SIMPLIFIED)) <= NEED_SIMPLER.get(shape, 0)
    assert not town.shaped.flattened.any(), "what is simpler is hipped or gabled, not flat"


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_that_broke_other_codes_turned_and_scaled(shape, testdata):
    corpus = {**PLANS, **skeleton_plans(testdata)}
    for turn, scale, direction, orientation in (
        (0, 1, 0.0, ""),
        (30, 0.1, np.nan, "across"),
        (45, 5, 217.0, ""),
        (90, 1, np.nan, ""),
        (137.3, 1, 137.3, ""),
    ):
        town = raise_town(
            placed(corpus.values(), turn, scale),
            roof_shape=shape,
            roof_direction_deg=direction,
            roof_orientation=orientation,
        )
        assert_sound(town, list(corpus))
        assert len(town.rows_with(SIMPLIFIED)) <= NEED_SIMPLER.get(shape, 0)


@pytest.mark.parametrize("name", REAL)
def test_real_footprints(name, testdata, tmp_path, record_property):
    geometry = real_footprints(testdata, tmp_path, name)
    shares: dict[str, dict[str, float]] = {}
    ran = set()
    for k, shape in enumerate(SHAPES):
        directions = np.arange(len(geometry)) * 41.0 % 360
        directions[k % 3 :: 3] = np.nan
        town = raise_town(geometry, roof_shape=shape, roof_direction_deg=directions)
        assert_sound(town, [str(i) for i in range(len(geometry))], every=61)
        solids = len(town.shaped.meshes)
        shares[shape] = {code: len(town.rows_with(code)) / solids for code in (PERTURBED, SIMPLIFIED)}
        ran |= {town.plan.shapes[s].name for s in town.plan.shape[~town.shaped.flattened].tolist()}
    record_property("shares", shares)
    assert ran == set(SHAPES) - {"mapped"}, "a shape that never ran is a failure; mapped roofs need lines"
    assert all(share[SIMPLIFIED] <= 1e-3 for share in shares.values()), shares
    assert all(share[PERTURBED] <= 1e-2 for share in shares.values()), shares


@pytest.mark.parametrize("shape", SHAPES)
def test_trimesh_says_it_is_a_volume(shape):
    chosen = ["rectangle", "U", "three holes", "holes in line", "star 5", "circle 32", "comb 6", "spiral", "wedge"]
    town = raise_town(placed([PLANS[name] for name in chosen], 11.0), roof_shape=shape, roof_direction_deg=100.0)
    assert len(town.shaped.meshes) == len(chosen)
    ours = volumes(town.shaped.meshes)
    for s, name in enumerate(chosen):
        mesh = to_trimesh(town.shaped.meshes, s)
        assert mesh.is_volume, name
        exact = volume(solid_of(town.shaped.meshes, s))
        assert mesh.volume == pytest.approx(exact, rel=1e-9), name
        assert ours[s] == pytest.approx(exact, rel=1e-9), name


@pytest.mark.parametrize("shape", SHAPES)
def test_same_bytes_twice_and_inputs_untouched(shape):
    geometry = placed(PLANS.values(), 5.0)
    before = shapely.to_wkb(geometry).tolist()
    first = raise_town(geometry, roof_shape=shape)
    kept = first.plan.axes.copy(), first.footprints.rings.coords.copy()
    second = raise_town(geometry, roof_shape=shape)
    assert shapely.to_wkb(geometry).tolist() == before
    assert np.array_equal(kept[0], first.plan.axes)
    assert np.array_equal(kept[1], first.footprints.rings.coords)
    for column in first.shaped.meshes.__slots__:
        a, b = getattr(first.shaped.meshes, column), getattr(second.shaped.meshes, column)
        assert a.dtype == b.dtype, column
        assert a.tobytes() == b.tobytes(), column


@pytest.mark.parametrize("shape", SHAPES)
def test_a_neighbour_changes_nothing(shape):
    names = list(PLANS)
    geometry = placed(PLANS.values(), 23.0)
    every = raise_town(geometry, roof_shape=shape).shaped.meshes
    order = np.random.default_rng(3).permutation(len(names))
    shuffled = raise_town(geometry[order], roof_shape=shape).shaped.meshes
    for s, row in enumerate(shuffled.solid_row.tolist()):
        a, b = solid_of(shuffled, s), solid_of(every, int(np.flatnonzero(every.solid_row == order[row])[0]))
        assert a.vertices.tobytes() == b.vertices.tobytes(), names[order[row]]
        assert (a.faces, a.kinds) == (b.faces, b.kinds), names[order[row]]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_move_by_whole_metres_changes_no_byte(shape):
    grid = [shapely.set_precision(plan, 1 / 1024) for plan in PLANS.values() if plan.bounds[2] - plan.bounds[0] > 2]
    near = raise_town(np.array(grid, dtype=object), roof_shape=shape).shaped.meshes
    moved = np.array([affinity.translate(plan, 431234, 5412345) for plan in grid], dtype=object)
    far = raise_town(moved, roof_shape=shape).shaped.meshes
    assert near.vertices.tobytes() == far.vertices.tobytes()
    assert near.corners.tobytes() == far.corners.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_turning_outline_and_direction_together_keeps_the_volume(shape):
    upright = raise_town(placed(PLANS.values()), roof_shape=shape, roof_direction_deg=165.0)
    want = volumes(upright.shaped.meshes)
    for turn in (29.0, 90.0, 201.5):
        town = raise_town(placed(PLANS.values(), turn), roof_shape=shape, roof_direction_deg=165.0 - turn)
        wall = np.array([p.length for p in to_polygons(town.footprints.rings)])
        slack = (
            2e-4 * wall * (1 + town.plan.rise_m[town.footprints.row])
        )  # vertices within 0.1 mm of a break line lie on it
        if shape == "sawtooth":
            slack *= 40  # the lines of its risers may move by up to 4 mm
        assert np.all(np.abs(volumes(town.shaped.meshes) - want) <= slack), turn


@pytest.mark.parametrize("shape", SHAPES)
def test_heights_asked_for_are_heights_built(shape):
    n = 3
    geometry = placed([PLANS["L"]] * n, 8.0)
    town = raise_town(
        geometry,
        roof_shape=shape,
        height_m=np.array([12.0, 12.0, np.nan]),
        eave_height_m=np.array([np.nan, np.nan, 7.0]),
        min_height_m=np.array([0.0, 3.0, 0.0]),
        roof_height_m=np.array([2.5, 2.5, 2.5]),
        ground=(50.0, 48.5),
    )
    assert_sound(town, ["total", "raised", "eave"])
    rise = 0.0 if ROOFS[shape].is_flat else 2.5
    assert [town.heights(k)[0] for k in range(n)] == [48.5, 53.0, 48.5]
    assert [town.heights(k)[2] for k in range(n)] == pytest.approx([62.0, 62.0, 57.0 + rise])
    assert town.plan.rise_m.tolist() == pytest.approx([rise] * n)


@pytest.mark.parametrize("shape", [s for s in SHAPES if ROOFS[s].slopes_one_way and ROOFS[s].family == "profile"])
@pytest.mark.parametrize("direction", [0.0, 75.0, 180.0, 300.0])
def test_one_way_roofs_fall_where_the_direction_says(shape, direction):
    town = raise_town(placed([PLANS["rectangle"]], 75.0), roof_shape=shape, roof_direction_deg=direction)
    solid = solid_of(town.shaped.meshes, 0)
    down = np.array([np.sin(np.radians(direction)), np.cos(np.radians(direction))])
    slopes = [(rings, solid.vertices[rings[0]]) for rings, k in zip(solid.faces, solid.kinds, strict=True) if k == 2]
    drop = 0.0
    for _, points in slopes:
        flat = points - points.mean(axis=0)
        (gx, gy), *_ = np.linalg.lstsq(flat[:, :2], flat[:, 2], rcond=None)
        drop += -(gx * down[0] + gy * down[1]) * shapely.Polygon(points[:, :2]).area
        assert abs(gx * down[1] - gy * down[0]) < 1e-6, "no slope square to the direction"
    assert drop > 0, "on the whole it falls along its direction"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hole_corner_on_a_break_line_leaves_simple_rings(shape):
    """A ring that passes through one vertex twice touches itself (ISO 19107; val3dity 104)."""
    diamond = shapely.Polygon([(5, 1), (6, 2.5), (5, 4), (4, 2.5)])  # its upper corner lies on the ridge of a gable
    town = raise_town(np.array([shapely.box(0, 0, 10, 8).difference(diamond)], dtype=object), roof_shape=shape)
    assert topology_faults(solid_of(town.shaped.meshes, 0)) == set()


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(holed_polygons(), min_size=1, max_size=6), st.sampled_from(SHAPES), st.integers(0, 359))
def test_any_polygon_takes_any_roof(polygons, shape, direction):
    town = raise_town(placed(polygons, 3.0), roof_shape=shape, roof_direction_deg=float(direction))
    assert_sound(town, [p.wkt for p in polygons])
    assert not town.shaped.flattened.any()


def test_the_walls_of_a_fallback_reach_the_top(monkeypatch):
    """What no perturbation mends becomes a flat roof at the top, and the row says so."""
    import citygen.pipeline.shaping as shaping

    real = shaping.certify

    def refuse_slopes(meshes, area):
        verdict = real(meshes, area)
        sloped = np.array(
            [len(np.unique(np.round(solid_of(meshes, s).vertices[:, 2], 6))) > 2 for s in range(len(meshes))]
        )
        return {**verdict, "closed": verdict["closed"] & ~sloped}

    monkeypatch.setattr(shaping, "certify", refuse_slopes)
    town = raise_town(placed([PLANS["rectangle"], PLANS["L"]]), roof_shape=np.array(["gabled", "flat"], dtype=object))
    assert town.rows_with(SIMPLIFIED) == [0]
    assert town.shaped.flattened.tolist() == [True, False]
    assert town.shaped.meshes.vertices[:, 2].max() == town.plan.top_z[0]
    assert_sound(town, ["rectangle", "L"])


def test_a_row_of_which_one_polygon_fails_is_left_out_whole(monkeypatch):
    import citygen.pipeline.shaping as shaping

    real = shaping.certify

    def refuse_small(meshes, area):
        return {**real(meshes, area), "closed": area > 50}

    monkeypatch.setattr(shaping, "certify", refuse_small)
    pair = shapely.MultiPolygon([shapely.box(0, 0, 20, 10), shapely.box(30, 0, 33, 3)])
    town = raise_town(np.array([pair, shapely.box(0, 0, 9, 9)], dtype=object), roof_shape="gabled")
    assert town.rows_with(shaping.NOT_CLOSED) == [0]
    assert town.shaped.meshes.solid_row.tolist() == [1]


NUMBERS = st.sampled_from([np.nan, np.inf, -np.inf, -3.0, 0.0, 1e-9, 0.4, 2.5, 30.0, 89.9, 400.0, 1e6, 1e300])


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.sampled_from(SHAPES), NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["", "along", "across"]))
def test_no_number_makes_an_unsound_mesh(shape, height, angle, direction, levels, orientation):
    """What a source may say of a roof, sense or not: every vertex is finite, every solid closed, every height in its bounds."""
    town = raise_town(
        placed([PLANS[name] for name in ("rectangle", "L", "courtyard", "circle 32")], 11.0),
        roof_shape=shape,
        roof_height_m=height,
        roof_angle_deg=angle,
        roof_direction_deg=direction,
        roof_levels=levels,
        roof_orientation=orientation,
    )
    assert np.isfinite(town.shaped.meshes.vertices).all()
    assert_sound(town, ["rectangle", "L", "courtyard", "circle 32"])
    assert town.shaped.meshes.vertices[:, 2].max() <= 12.3 + 9.0 + 1e-9, "no roof is higher than the building"


@pytest.mark.parametrize("shape", SHAPES)
def test_it_matters_not_where_a_ring_starts(shape):
    """Squares and equal arms are ties that a rule of geometry settles."""
    names = ["square", "L", "plus", "comb 6", "T", "octagon", "courtyard"]
    arm = shapely.Polygon([(0, 0), (12, 0), (12, 5), (5, 5), (5, 12), (0, 12)])
    outlines = [*(PLANS[name] for name in names), arm]
    volume_of = []
    for start in range(4):
        rolled = []
        for plan in outlines:
            xy = np.roll(np.asarray(plan.exterior.coords)[:-1], start, axis=0)
            rolled.append(shapely.Polygon(xy, [np.asarray(h.coords) for h in plan.interiors]))
        volume_of.append(volumes(raise_town(placed(rolled), roof_shape=shape).shaped.meshes))
    for other in volume_of[1:]:
        assert other == pytest.approx(volume_of[0], rel=1e-6)


ONE_SLOPE = ("gabled", "hipped", "half-hipped", "side_hipped", "side_half-hipped", "hipped-and-gabled", "saltbox",
             "double_saltbox", "quadruple_saltbox", "skillion", "butterfly", "gabled_height_moved")  # fmt: skip


@pytest.mark.parametrize("shape", ONE_SLOPE)
@pytest.mark.parametrize("name", ["rectangle", "L"])
def test_the_angle_asked_for_is_the_angle_built(shape, name):
    town = raise_town(placed([PLANS[name]], 8.0), roof_shape=shape, roof_angle_deg=25.0, height_m=30.0)
    solid = solid_of(town.shaped.meshes, 0)
    steepest = 0.0
    for rings, kind in zip(solid.faces, solid.kinds, strict=True):
        if kind == 2:
            points = solid.vertices[rings[0]] - solid.vertices[rings[0]].mean(axis=0)
            (gx, gy), *_ = np.linalg.lstsq(points[:, :2], points[:, 2], rcond=None)
            steepest = max(steepest, float(np.degrees(np.arctan(np.hypot(gx, gy)))))
    assert steepest == pytest.approx(25.0, abs=0.2)
