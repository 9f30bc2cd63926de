"""Dormers and chimneys on every roof shape and many outlines: still one closed solid a polygon, in number, place and size."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

import citygen
from build_solids import Town, attributes, raise_town
from citygen.config import make_config
from citygen.errors import ConfigError
from citygen.geom.apportion import apportion
from citygen.geom.rings import polygon_areas
from citygen.geom.spans import clear_spans
from citygen.model.meshes import ROOF, WALL, Meshes
from citygen.model.rings import from_polygons, to_polygons
from citygen.outcome import Finding
from citygen.pipeline import features as stage
from citygen.pipeline.features import FAILED, Features, add_features
from citygen.pipeline.options import TileOptions
from citygen.roofs.base import ROOFS
from citygen.solids import chimneys, dormers
from citygen.solids.certify import certify, volumes
from citygen.solids.chance import seeds, uniform
from citygen.solids.insert import GABLE, PRISM, SHED
from citygen.validation.output import check_output
from oracle import flat, plan_faults, solid_of, surface_faults, to_trimesh, topology_faults
from shapes import plans
from strategies import holed_polygons

PLACE = (431234.5, 5412345.25)
PLANS = plans()
NAMES = (
    "square", "rectangle", "hut", "triangle", "trapezium", "skewed", "L", "T", "U", "H", "plus", "courtyard",
    "courtyard off grid", "three holes", "holes in line", "circle 32", "star 5", "octagon", "bay window", "midpoints",
)  # fmt: skip
SLOPED = [shape for shape in ROOFS.names() if not ROOFS[shape].is_flat]
PITCHED = ["gabled", "hipped", "mansard", "gambrel", "saltbox", "pyramidal", "skillion"]


def placed(polygons, turn: float = 0.0) -> np.ndarray:
    return np.array(
        [affinity.translate(affinity.rotate(p, turn, origin=(0, 0)), *PLACE) for p in polygons], dtype=object
    )


def options(dormers=None, chimneys=None) -> TileOptions:
    return TileOptions("EPSG:32631", None, None, 0.0, 0.0, None, ("glb",), dormers, chimneys)


def grow(
    town: Town, *, ids=None, option: TileOptions | None = None, class_name="", **counts
) -> tuple[Town, Features, dict[str, dict[int, str]]]:
    """Add features to a town; returns it, how many it got, and the details of each reason by row."""
    n = len(town.plan.shape)
    ids = np.array([f"way/{k}" for k in range(n)] if ids is None else ids, dtype=object)
    about = (ids, attributes(n, class_name=class_name, **counts), town.footprints.area_m2)
    shaped, features, found = add_features(town.shaped, town.plan, about, option or options())
    said: dict[str, dict[int, str]] = {}
    for finding in found:
        assert isinstance(finding, Finding)
        rows, details = finding.rows.tolist(), finding.details or [""] * len(finding.rows)
        said.setdefault(finding.code, {}).update(zip(rows, details, strict=True))
    return Town(town.footprints, town.plan, shaped, found), features, said


def town_of(names, shape: str, turn: float = 0.0, **columns) -> Town:
    given = {"height_m": 13.0, "roof_height_m": 5.0, **columns}
    if shape == "flat":
        given["roof_height_m"] = np.nan
    return raise_town(placed([PLANS[name] for name in names], turn), roof_shape=shape, **given)


def areas_of(town: Town) -> np.ndarray:
    rings = town.footprints.rings
    return polygon_areas(rings.coords, rings.ring_offsets, rings.polygon_offsets)[town.polygon_of_solid]


def counted(meshes: Meshes, plain: Meshes, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Count dormers and chimneys a row by faces alone: a chimney has a small level lid, a dormer a wall of three corners twice."""
    chimney, dormer = np.zeros(n, dtype=int), np.zeros(n, dtype=int)
    for s, row in enumerate(meshes.solid_row.tolist()):
        solid, before = solid_of(meshes, s), solid_of(plain, s)
        new = list(zip(solid.faces, solid.kinds, strict=True))[len(before.faces) :]
        for rings, kind in new:
            points = solid.vertices[rings[0]]
            chimney[row] += kind == ROOF and np.ptp(points[:, 2]) < 1e-9
            dormer[row] += kind == WALL and len(points) == 3
    assert (dormer % 2 == 0).all()
    return dormer // 2, chimney


def assert_sound(town: Town, grown: Town, features: Features) -> None:
    """Closed, planar, oriented, tiling the plan, higher only by a chimney; what is counted is there; the plain faces stay."""
    meshes, plain, n = grown.shaped.meshes, town.shaped.meshes, len(town.plan.shape)
    assert meshes.solid_row.tolist() == plain.solid_row.tolist()
    verdict = certify(meshes, areas_of(town))
    assert all(good.all() for good in verdict.values()), {k: np.flatnonzero(~v) for k, v in verdict.items()}
    dormer, chimney = counted(meshes, plain, n)
    assert dormer.tolist() == features.dormers.tolist()
    assert chimney.tolist() == features.chimneys.tolist()
    outlines = to_polygons(town.footprints.rings)
    for s, polygon in enumerate(town.polygon_of_solid.tolist()):
        row = int(meshes.solid_row[s])
        solid, before = solid_of(meshes, s), solid_of(plain, s)
        if not (dormer[row] or chimney[row]):
            assert solid.vertices.tobytes() == before.vertices.tobytes()
            assert solid.faces == before.faces
            continue
        wrong = topology_faults(solid) | surface_faults(solid) | plan_faults(solid, outlines[polygon])
        assert not wrong, (row, wrong)
        assert solid.vertices[: len(before.vertices)].tobytes() == before.vertices.tobytes()
        assert [rings[0] for rings in solid.faces[: len(before.faces)]] == [rings[0] for rings in before.faces]
        base, eave, top = town.heights(row)
        assert solid.vertices[:, 2].min() == base
        new = solid.vertices[len(before.vertices) :, 2]
        if len(new):
            assert new.min() > eave
            assert new.max() <= top + (chimneys.ABOVE_ROOF.high if chimney[row] else 0.0)
        assert_clear(solid, before)
    grew = (dormer + chimney)[meshes.solid_row] > 0
    gain = volumes(meshes) - volumes(plain)
    per_row = np.bincount(meshes.solid_row, gain, minlength=n)
    assert (per_row[np.unique(meshes.solid_row[grew])] > 0.1).all()
    assert (gain[~grew] == 0).all()


def assert_clear(solid, before) -> None:
    """Every hole that a feature makes keeps away from the face's edges, the holes before it, and the other features."""
    for rings, old in zip(solid.faces, before.faces, strict=False):
        if len(rings) == len(old):
            continue
        face = flat(solid, old)
        normal = np.linalg.norm([*np.cross(*(np.diff(solid.vertices[rings[-1]][:3], axis=0)))])
        assert normal > 0
        holes = [shapely.Polygon(solid.vertices[ring][:, :2]) for ring in rings[len(old) :]]
        for k, hole in enumerate(holes):
            assert face.contains(hole)
            assert face.boundary.distance(hole) > 0.05, (
                "at 78 degrees a margin of 0.45 m on the slope is 0.09 m in plan"
            )
            assert all(hole.distance(other) > 0.05 for other in holes[:k])


@pytest.mark.parametrize("shape", ROOFS.names())
@pytest.mark.parametrize(("count", "turn"), [((2, 1), 0.0), ((6, 3), 17.3), ((40, 0), 90.0), ((0, 12), 201.0)])
def test_every_shape_on_many_outlines(shape, count, turn):
    town = town_of(NAMES, shape, turn)
    grown, features, said = grow(town, dormers=float(count[0]), chimneys=float(count[1]))
    assert_sound(town, grown, features)
    assert FAILED not in said
    for code, have, want in (
        (dormers.FEWER, features.dormers, count[0]),
        (chimneys.FEWER, features.chimneys, count[1]),
    ):
        assert (have <= want).all()
        assert said.get(code, {}) == {k: f"{h} of {want}" for k, h in enumerate(have.tolist()) if h < want}
    if shape == "flat":
        assert not features.dormers.any()
        assert not features.chimneys.any()


def test_every_sloped_shape_takes_features_somewhere():
    """A shape on which nothing ever stood would pass every other test."""
    for shape in SLOPED:
        roof = {"roof_height_m": 6.5, "height_m": 20.0} if ROOFS[shape].family == "skeleton" else {}
        _, features, _ = grow(town_of(["rectangle", "courtyard", "L"], shape, **roof), dormers=4.0, chimneys=2.0)
        assert ROOFS[shape].takes_dormers == bool(features.dormers.any() or features.chimneys.any()), shape
        if shape in PITCHED:
            assert features.dormers.any(), shape
            assert features.chimneys.any(), shape


@pytest.mark.parametrize("shape", ["gabled", "hipped", "mansard", "gambrel", "saltbox"])
@pytest.mark.parametrize(("d", "c"), [(1, 1), (2, 2), (5, 0), (8, 4)])
def test_numbers_are_met_on_large_roofs(shape, d, c):
    outline = placed([shapely.box(0, 0, 34, 13), shapely.box(0, 0, 34, 34) - shapely.box(13, 13, 34, 34)], 12.0)
    town = raise_town(outline, roof_shape=shape, height_m=22.0, roof_height_m=np.array([5.5, 12.0]))
    grown, features, said = grow(town, dormers=float(d), chimneys=float(c))
    assert_sound(town, grown, features)
    assert features.dormers.tolist() == [d, d]
    assert features.chimneys.tolist() == [c, c]
    assert said == {}


@pytest.mark.parametrize("shape", PITCHED)
def test_trimesh_says_it_is_a_volume(shape):
    town = town_of(["rectangle", "L", "courtyard"], shape, 11.0)
    grown, features, _ = grow(town, dormers=4.0, chimneys=2.0)
    assert features.chimneys.all()
    ours = volumes(grown.shaped.meshes)
    for s in range(len(ours)):
        mesh = to_trimesh(grown.shaped.meshes, s)
        assert mesh.is_volume
        assert mesh.volume == pytest.approx(ours[s], rel=1e-9)


def test_dormers_stand_evenly_and_in_proportion():
    town = raise_town(placed([shapely.box(0, 0, 24, 12)]), roof_shape="gabled", height_m=12.0, roof_height_m=5.0)
    seen = set()
    for name in range(12):
        grown, features, _ = grow(town, ids=[f"n{name}"], dormers=6.0)
        assert features.dormers.tolist() == [6]
        solid, before = solid_of(grown.shaped.meshes, 0), solid_of(town.shaped.meshes, 0)
        holed = [rings for rings in solid.faces[: len(before.faces)] if len(rings) > 1]
        assert [len(rings) - 1 for rings in holed] == [3, 3], "as many on one side as on the other"
        for rings in holed:
            holes = [solid.vertices[ring] for ring in rings[1:]]
            seen.add(len(holes[0]))
            along = np.sort([hole[:, 0].mean() for hole in holes]) - solid.vertices[:, 0].min()
            assert np.diff(along) == pytest.approx([along[1] - along[0]] * 2)
            assert along[1] == pytest.approx(12.0), "the middle one in the middle"
            assert all(np.ptp(hole[:, 0]) == pytest.approx(np.ptp(holes[0][:, 0])) for hole in holes)
            assert dormers.WIDTH.low <= np.ptp(holes[0][:, 0]) <= dormers.WIDTH.high
        eave, ridge = town.plan.eave_z[0], town.plan.top_z[0]
        new = solid.vertices[len(before.vertices) :, 2]
        assert eave + 0.2 < new.min() < eave + 0.5 * (ridge - eave)
        assert new.max() < ridge - 0.2
    assert seen == {4, 5}, "some are gabled, some are sheds"


def test_chimneys_end_above_the_roof_near_the_ridge():
    town = raise_town(placed([shapely.box(0, 0, 16, 10)] * 30), roof_shape="gabled", height_m=11.0, roof_height_m=4.0)
    grown, features, _ = grow(town, chimneys=2.0)
    assert (features.chimneys == 2).all()
    sides = set()
    for s in range(30):
        solid, before = solid_of(grown.shaped.meshes, s), solid_of(town.shaped.meshes, s)
        stacks = solid.vertices[len(before.vertices) :].reshape(-1, 8, 3)
        ridge = town.plan.top_z[s]
        assert ((stacks[:, 4:, 2] >= ridge + 0.7) & (stacks[:, 4:, 2] < ridge + 1.0)).all()
        assert (np.ptp(stacks[:, 4:, 2], axis=1) < 1e-9).all()
        assert (stacks[:, :4, 2].max(axis=1) > ridge - 0.5).all()
        middle = np.abs(stacks[:, :4, 1].mean(axis=1) - np.mean(before.vertices[:, 1]))
        assert (middle < 1.0).all()
        assert abs(stacks[0, 0, 0] - stacks[1, 0, 0]) > 1.5, "not one behind the other"
        sides.add(tuple(np.sign(stacks[:, 0, 1] - np.mean(before.vertices[:, 1])).tolist()))
    assert len(sides) >= 1


def test_a_long_dormer_row_keeps_its_gaps():
    town = raise_town(placed([shapely.box(0, 0, 60, 11)]), roof_shape="gabled", height_m=12.0, roof_height_m=5.0)
    grown, features, said = grow(town, dormers=200.0)
    assert 30 <= features.dormers[0] < 60
    assert said == {dormers.FEWER: {0: f"{features.dormers[0]} of 200"}}
    assert_sound(town, grown, features)
    for rings in solid_of(grown.shaped.meshes, 0).faces:
        if len(rings) > 2:
            holes = [flat(solid_of(grown.shaped.meshes, 0), [ring]) for ring in rings[1:]]
            tree = shapely.STRtree(holes)
            for k, hole in enumerate(holes):
                near = [j for j in tree.query(hole, predicate="dwithin", distance=dormers.GAP.default - 1e-6) if j != k]
                assert not near


def test_the_data_count_before_the_option_and_flat_roofs_take_none_of_it():
    names, shapes = ["rectangle"] * 5, ["gabled", "gabled", "flat", "flat", "gabled"]
    town = raise_town(
        placed([PLANS[name] for name in names]), roof_shape=np.array(shapes, dtype=object), height_m=12.0,
        roof_height_m=np.array([4, 4, np.nan, np.nan, 4.0]),
    )  # fmt: skip
    said = np.array([np.nan, 0.0, np.nan, 2.0, 1.0])
    _, features, found = grow(town, option=options(2, 1), dormers=said, chimneys=said)
    assert features.dormers.tolist() == [2, 0, 0, 0, 1]
    assert features.chimneys.tolist() == [1, 0, 0, 0, 1]
    assert found == {dormers.FEWER: {3: "0 of 2"}, chimneys.FEWER: {3: "0 of 2"}}


def test_nothing_happens_where_nothing_is_asked():
    town = town_of(["rectangle"], "gabled")
    for option in (options(), options(0, 0)):
        shaped, features, found = add_features(
            town.shaped, town.plan, (np.array(["a"], dtype=object), attributes(1), np.array([90.0])), option
        )
        assert shaped is town.shaped
        assert found == []
        assert features.dormers.tolist() == features.chimneys.tolist() == [0]


def test_chance_is_the_ids_and_suits_the_class():
    n = 400
    town = raise_town(placed([shapely.box(0, 0, 16, 11)] * n), roof_shape="gabled", height_m=12.0, roof_height_m=5.0)
    auto = options("auto", "auto")
    _, first, said = grow(town, option=auto, class_name="house")
    assert 0.3 < (first.dormers > 0).mean() < 0.5
    assert 0.65 < (first.chimneys > 0).mean() < 0.85
    assert set(said) <= {dormers.FITTED, chimneys.FITTED}
    _, again, _ = grow(town, option=auto, class_name="house")
    assert again.dormers.tolist() == first.dormers.tolist()
    _, other, _ = grow(town, ids=[f"x{k}" for k in range(n)], option=auto, class_name="house")
    assert other.dormers.tolist() != first.dormers.tolist()
    _, shed, _ = grow(town, option=auto, class_name="industrial")
    assert not shed.dormers.any()
    assert not shed.chimneys.any()


def test_chance_that_finds_no_room_is_a_note():
    town = raise_town(placed([shapely.box(0, 0, 30, 3)] * 60), roof_shape="gabled", height_m=8.0, roof_height_m=1.2)
    _, features, said = grow(town, option=options("auto", None), class_name="house")
    assert not features.dormers.any()
    assert set(said) == {dormers.FITTED}
    assert citygen.outcome._REASONS[dormers.FITTED].outcome == "ok"
    assert citygen.outcome._REASONS[dormers.FEWER].outcome == "degraded"


def test_several_polygons_share_one_number():
    pair = shapely.MultiPolygon([shapely.box(0, 0, 20, 10), shapely.box(30, 0, 42, 9)])
    town = raise_town(placed([shapely.box(0, 0, 15, 9), pair]), roof_shape="gabled", height_m=11.0, roof_height_m=4.5)
    grown, features, said = grow(town, dormers=6.0, chimneys=3.0)
    assert features.dormers.tolist() == [6, 6]
    assert features.chimneys.tolist() == [3, 3]
    assert said == {}
    assert_sound(town, grown, features)


def test_what_fails_its_certificate_stays_plain_and_says_so(monkeypatch):
    town = town_of(["rectangle", "rectangle", "L"], "gabled")
    real = stage.certify
    monkeypatch.setattr(stage, "certify", lambda m, a, r: {**real(m, a, r), "closed": m.solid_row != 1})
    grown, features, said = grow(town, dormers=2.0, chimneys=1.0)
    assert said == {FAILED: {1: ""}}
    assert features.dormers.tolist() == [2, 0, 2]
    assert features.chimneys.tolist() == [1, 0, 1]
    assert_sound(town, grown, features)


@pytest.mark.parametrize("shape", PITCHED)
def test_same_bytes_twice_and_inputs_untouched(shape):
    town = town_of(NAMES, shape, 5.0)
    before = {name: getattr(town.shaped.meshes, name).copy() for name in Meshes.__slots__}
    first, _, _ = grow(town, dormers=5.0, chimneys=2.0)
    second, _, _ = grow(town, dormers=5.0, chimneys=2.0)
    for name, column in before.items():
        assert np.array_equal(column, getattr(town.shaped.meshes, name)), name
        a, b = getattr(first.shaped.meshes, name), getattr(second.shaped.meshes, name)
        assert a.dtype == b.dtype == column.dtype, name
        assert a.tobytes() == b.tobytes(), name


@pytest.mark.parametrize("shape", PITCHED)
def test_a_neighbour_changes_nothing(shape):
    ids = np.array([f"way/{k}" for k in range(len(NAMES))], dtype=object)
    counts = np.arange(len(NAMES)) % 7.0
    every, _, _ = grow(town_of(NAMES, shape, 23.0), ids=ids, dormers=counts, chimneys=counts)
    order = np.random.default_rng(3).permutation(len(NAMES))[:13]
    some = town_of([NAMES[k] for k in order], shape, 23.0)
    shuffled, _, _ = grow(some, ids=ids[order], dormers=counts[order], chimneys=counts[order])
    for s, row in enumerate(shuffled.shaped.meshes.solid_row.tolist()):
        twin = int(np.flatnonzero(every.shaped.meshes.solid_row == order[row])[0])
        a, b = solid_of(shuffled.shaped.meshes, s), solid_of(every.shaped.meshes, twin)
        assert a.vertices.tobytes() == b.vertices.tobytes(), NAMES[order[row]]
        assert (a.faces, a.kinds) == (b.faces, b.kinds), NAMES[order[row]]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.lists(holed_polygons(), min_size=1, max_size=4),
    st.sampled_from(ROOFS.names()),
    st.tuples(st.integers(0, 20), st.integers(0, 9)),
    st.integers(5, 90),
)
def test_any_polygon_any_number(polygons, shape, count, rise):
    town = raise_town(placed(polygons, 3.0), roof_shape=shape, height_m=14.0, roof_height_m=rise / 10)
    grown, features, said = grow(town, dormers=float(count[0]), chimneys=float(count[1]))
    assert_sound(town, grown, features)
    assert FAILED not in said
    assert (features.dormers <= count[0]).all()
    assert (features.chimneys <= count[1]).all()


@settings(max_examples=150, derandomize=True, deadline=None)
@given(holed_polygons(), st.integers(0, 359), st.integers(-150, 150), st.integers(1, 60), st.integers(0, 20))
def test_spans_are_where_a_rectangle_fits(polygon, turn, low, high, margin):
    rings = from_polygons(np.array([polygon], dtype=object))
    up = np.array([np.sin(np.radians(turn)), np.cos(np.radians(turn))])
    low, high, margin = low / 10, low / 10 + high / 10, margin / 20
    job, span = clear_spans(
        rings.coords, rings.ring_offsets, rings.polygon_offsets, np.array([0]), up[None],
        np.array([[low, high, margin]]), np.array([1e-6]),
    )  # fmt: skip
    frame = affinity.affine_transform(polygon, [up[1], -up[0], up[0], up[1], 0, 0])
    strip = shapely.box(-1e3, low, 1e3, high)
    rings = [shapely.get_coordinates(ring) for ring in (frame.exterior, *frame.interiors)]
    edges = shapely.linestrings(np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in rings]))
    shadows = shapely.bounds(shapely.intersection(edges[shapely.intersects(edges, strip)], strip))
    free = strip - shapely.union_all(
        [shapely.box(a - margin, low - 1, b + margin, high + 1) for a, _, b, _ in shadows.tolist()]
    )
    want = sorted(p.bounds[::2] for p in shapely.get_parts(free) if frame.contains(p.centroid))
    assert (job == 0).all()
    assert np.allclose(span, np.array([w for w in want if w[1] - w[0] >= 1e-6]).reshape(-1, 2), atol=1e-9)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)), min_size=0, max_size=6), st.integers(0, 30))
def test_shares_are_those_of_the_sorted_claims(members, number):
    weight, capacity = (np.array([m[k] for m in members], dtype=t) for k, t in ((0, float), (1, np.int64)))
    claims = sorted((-w / (k + 1), m) for m, (w, c) in enumerate(zip(weight, capacity, strict=True)) for k in range(c))
    want = np.bincount([m for _, m in claims[:number]], minlength=len(members)) if members else np.zeros(0, int)
    got = apportion(np.array([0, len(members)]), weight, capacity, np.array([number]))
    assert got.tolist() == want.tolist()


@pytest.mark.parametrize("template", [PRISM, SHED, GABLE], ids=["prism", "shed", "gable"])
def test_templates_close_their_ring(template):
    directed = [(a, b) for ring in template.faces for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]
    hole = [(k, (k + 1) % template.n_ring) for k in range(template.n_ring)]
    assert len(set(directed)) == len(directed)
    assert {(b, a) for a, b in directed} ^ set(directed) == set(hole) | {(b, a) for a, b in hole}
    assert set(hole) <= set(directed)
    assert len(template.faces) == len(template.classes)


def test_chance_is_even_and_its_streams_differ():
    seed = seeds(np.array([f"way/{k}" for k in range(4000)], dtype=object))
    columns = np.stack([uniform(seed, stream) for stream in range(8)])
    assert ((columns >= 0) & (columns < 1)).all()
    assert np.abs(columns.mean(axis=1) - 0.5).max() < 0.02
    assert np.abs(np.corrcoef(columns) - np.eye(8)).max() < 0.06
    counts = np.array([np.histogram(c, bins=10, range=(0, 1))[0] for c in columns])
    assert counts.min() > 320


def test_a_build_from_columns_and_options(tmp_path):
    box = shapely.box
    frame = gpd.GeoDataFrame(
        {
            "id": ["both", "none", "left to the option", "no room", "half"],
            "height": 11.0,
            "roof:shape": ["gabled", "hipped", "mansard", "flat", "gabled"],
            "roof:height": [4.5, 4.5, 4.5, None, 4.5],
            "GAUBEN": [4, 0, None, 1, None],
            "roof:chimneys": ["2", "0", None, None, "1"],
        },
        geometry=[box(500000 + 40 * k, 5150000, 500000 + 40 * k + 18, 5150010) for k in range(5)],
        crs="EPSG:32631",
    )
    given = {"map": {"dormers": "GAUBEN"}, "ground_z": 100.0, "crs": "EPSG:32631"}
    plain = citygen.build(frame.drop(columns=["GAUBEN", "roof:chimneys"]), **{**given, "map": {}}).buildings
    assert plain[["dormers", "chimneys"]].to_numpy().tolist() == [[0, 0]] * 5
    city = citygen.build(frame, dormers="2", chimneys=1, **given)
    made = city.buildings
    assert made["dormers"].tolist() == [4, 0, 2, 0, 2]
    assert made["chimneys"].tolist() == [2, 0, 1, 0, 1]
    assert made["reasons"].map(list).tolist() == [[], [], [], ["dormers_fewer"], []]
    assert made["outcome"].tolist() == ["ok", "ok", "ok", "degraded", "ok"]
    assert made["ridge_z"].tolist() == [111.0] * 5, "a chimney is no ridge"
    more = made["volume_m3"] > plain["volume_m3"] + 1
    assert more.tolist() == [True, False, True, False, True]
    for name in made.index:
        mesh = city.mesh(name)
        assert mesh.is_volume
        assert mesh.volume == pytest.approx(made.loc[name, "volume_m3"], rel=1e-4)
        has = made.loc[name, "chimneys"] > 0
        assert mesh.bounds[1, 2] == pytest.approx(111.7 if has else 111.0, abs=0.2 if has else 1e-3)
    out = city.save(tmp_path / "city")
    assert not check_output(out).issues


@pytest.mark.parametrize("word", ["-1", "2.5", "many", "201", True])
def test_a_count_that_is_none_is_refused(word):
    with pytest.raises(ConfigError, match="whole number from 0 to 200, or auto"):
        make_config({"dormers": word})


def test_counts_are_read_from_texts_files_and_numbers():
    assert make_config({"dormers": "3"}).dormers == 3
    assert make_config({"chimneys": "auto"}).chimneys == "auto"
    assert make_config({}, environment={"CITYGEN_CHIMNEYS": "2"}).chimneys == 2
    assert make_config({}).dormers is None
    assert replace(options(), dormers=2).dormers == 2


@pytest.mark.parametrize("name", ["star 5", "triangle", "octagon"])
def test_faces_that_narrow_give_only_what_is_clear_over_the_whole_depth(name):
    town = raise_town(placed([PLANS[name]]), roof_shape="hipped", height_m=14.0, roof_height_m=5.0)
    grown, features, _ = grow(town, dormers=10.0)
    assert_sound(town, grown, features)


def test_under_an_overhang_a_roof_takes_the_same_dormers_and_chimneys(tmp_path):
    box = shapely.box(500000, 5150000, 500014, 5150009)
    frame = gpd.GeoDataFrame({"id": ["a"], "height": [9.0], "roof:shape": ["gabled"]}, geometry=[box], crs="EPSG:32631")
    given = {"ground_z": 100.0, "crs": "EPSG:32631", "dormers": "2", "chimneys": 1}
    bare = citygen.build(frame, **given).buildings.loc["a"]
    wide = citygen.build(frame, overhang=0.5, **given).buildings.loc["a"]
    assert (wide["dormers"], wide["chimneys"]) == (bare["dormers"], bare["chimneys"]) == (2, 1)
    assert list(wide["reasons"]) == list(bare["reasons"])
    assert wide["roof_area_m2"] > bare["roof_area_m2"]
