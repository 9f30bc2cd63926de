"""Roofs that reach beyond their walls: closed, planar, floor and roof true to their plans, and within the walls the same roof."""

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

import citygen
from build_solids import Town, raise_town
from builds import accounted, assert_same, build, plots, rows, same_rows, triangles
from citygen.geom.grow import MITRE_LIMIT, grow
from citygen.geom.rings import polygon_areas
from citygen.model.meshes import FLOOR, ROOF, SOFFIT, WALL, Meshes, take
from citygen.model.rings import Rings, from_polygons, to_polygons
from citygen.outcome import Finding
from citygen.pipeline.overhangs import LEFT_OUT, NOT_FOR_SHAPE, REDUCED, UNEVEN, Overhang, overhanging_solids
from citygen.pipeline.shaping import SIMPLIFIED, shape_solids
from citygen.roofs.base import FAMILIES, MAPPED, ROOFS
from citygen.solids.certify import certify, volumes
from citygen.validation import check_output
from oracle import Solid, area_vector, corners, flat, solid_of, surface_faults, to_trimesh, topology_faults
from shapes import REAL, plans, real_footprints
from strategies import holed_polygons
from test_roofs_contract import placed

PLANS = plans()
SHAPES = [shape.name for shape in ROOFS if shape.overhangs and FAMILIES[shape.family].grows]
SEVERAL_SLOPES = {"bellcast_gable", "double_saltbox", "gambrel", "mansard", "quadruple_saltbox"}


@dataclass
class Hung:
    """A town, its solids with overhangs and the polygons they stand on."""

    town: Town
    index: np.ndarray
    meshes: Meshes
    findings: list[Finding]
    reach: float
    thickness: float

    def rows_with(self, code: str) -> list[int]:
        return sorted({int(r) for f in self.findings if f.code == code for r in f.rows})

    def details(self, code: str) -> list[str]:
        return [d for f in self.findings if f.code == code for d in f.details or ()]

    def shape_of(self, row: int) -> str:
        return self.town.plan.shapes[self.town.plan.shape[row]].name

    def whole(self) -> "Hung":
        """Return those that overhang by all that was asked."""
        kept = np.flatnonzero(~np.isin(self.town.footprints.row[self.index], self.rows_with(REDUCED)))
        return replace(self, index=self.index[kept], meshes=take(self.meshes, kept))


def hang(geometry, reach: float, thickness: float = 0.2, **columns) -> Hung:
    """Plan roofs and make those that overhang."""
    town = raise_town(geometry, **columns)
    n = len(town.plan.eave_z)
    asked = Overhang(np.full(n, reach), thickness)
    (index, meshes), findings = overhanging_solids(town.footprints, town.plan, np.arange(n), asked)
    return Hung(town, index, meshes, findings, reach, thickness)


def grown_outlines(rings: Rings, reach) -> tuple[np.ndarray, np.ndarray]:
    """Return outlines grown by GEOS, which knows another way, and by our own."""
    ours, ok = grow(rings, np.broadcast_to(np.asarray(reach, float), (len(rings),)))
    assert ok.all()
    theirs = shapely.buffer(to_polygons(rings), reach, join_style="mitre", mitre_limit=MITRE_LIMIT)
    return theirs, to_polygons(ours)


def apex_reaches(outline: shapely.Polygon) -> tuple[float, float]:
    """Return the least and largest distance from the middle to the line of an edge; below 0: no apex over this outline."""
    xy, middle = shapely.get_coordinates(outline.exterior.normalize().reverse()), outline.centroid.coords[0]
    along, to = np.diff(xy, axis=0), np.subtract(middle, xy[:-1])
    away = (along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]) / np.linalg.norm(along, axis=1)
    away *= 1.0 if shapely.is_ccw(shapely.linearrings(xy)) else -1.0
    takes = outline.area >= 0.88 * outline.convex_hull.area or away.min() >= 0.35 * np.sqrt(outline.area / np.pi)
    return (away.min(), away.max()) if takes and not outline.interiors and away.min() > 0.05 else (-1.0, -1.0)


def eaves(outline: shapely.Polygon, shape: str, reach: float) -> shapely.Polygon:
    """Return where a roof must end: an even way beyond the walls, or enlarged about its apex."""
    least = apex_reaches(outline)[0] if ROOFS[shape].apex else -1.0
    if least > 0:
        return affinity.scale(outline, *(2 * [1 + reach / least]), origin=outline.centroid)
    return grown_outlines(from_polygons(np.array([outline])), reach)[1][0]


def faces(solid: Solid, kind: int) -> list[list[list[int]]]:
    return [rings for rings, k in zip(solid.faces, solid.kinds, strict=True) if k == kind]


def heights_at(solid: Solid, kind: int, spots: np.ndarray) -> np.ndarray:
    """Return the height of a kind's surface at places; NaN where there is none."""
    out = np.full(len(spots), np.nan)
    for rings in faces(solid, kind):
        inside = shapely.contains_xy(flat(solid, rings), spots[:, 0], spots[:, 1])
        vector, middle = area_vector(solid, rings), corners(solid, rings[0]).mean(axis=0)
        out[inside] = middle[2] - (spots[inside] - middle[:2]) @ vector[:2] / vector[2]
    return out


def tiling_faults(solid: Solid, kind: int, outline: shapely.Polygon) -> set[str]:
    """Say where the faces of a kind, in plan, do not tile an outline."""
    parts = [flat(solid, rings) for rings in faces(solid, kind)]
    found = set()
    if abs(sum(p.area for p in parts) - outline.area) > 1e-9 * outline.area + 1e-8:
        found.add(f"area of kind {kind} differs")
    if shapely.union_all(shapely.buffer(parts, 0)).symmetric_difference(outline).area > 1e-3 * outline.length + 1e-9:
        found.add(f"kind {kind} does not cover its outline")
    return found


def hung_faults(hung: Hung, s: int, spots: int = 60) -> set[str]:
    """Return everything that is wrong with a solid that overhangs by the whole width."""
    p = int(hung.index[s])
    solid, row = solid_of(hung.meshes, s), int(hung.town.footprints.row[p])
    inner = to_polygons(hung.town.footprints.rings)[p]
    outer = eaves(inner, hung.shape_of(row), hung.reach)
    found = topology_faults(solid) | surface_faults(solid)
    found |= tiling_faults(solid, FLOOR, inner) | tiling_faults(solid, ROOF, outer)
    found |= tiling_faults(solid, SOFFIT, outer.difference(inner))
    if any(area_vector(solid, rings)[2] >= 0 for rings in faces(solid, SOFFIT)):
        found.add("soffit looks up")
    base = hung.town.plan.base_z[row]
    for rings in faces(solid, WALL):
        points = corners(solid, rings[0])
        stands = points[:, 2].min() <= base + 1e-9
        line = inner.boundary if stands else outer.boundary
        off = shapely.distance(line, shapely.points(points[:, :2])).max()
        step_within = not stands and shapely.covers(inner.buffer(0.005), shapely.points(points[:, :2])).all()
        if off > 1e-6 and not step_within:
            found.add("wall off its outline")
    plain = hung.town.shaped.meshes
    bare = solid_of(plain, p)
    rng = np.random.default_rng(7)
    west, south, east, north = outer.bounds
    at = rng.uniform((west, south), (east, north), (spots * 8, 2))
    inside = shapely.contains_xy(inner.buffer(-0.01), at[:, 0], at[:, 1])
    beyond = shapely.contains_xy(outer.difference(inner).buffer(-0.01), at[:, 0], at[:, 1])
    with_it, without = heights_at(solid, ROOF, at[inside][:spots]), heights_at(bare, ROOF, at[inside][:spots])
    both = np.isfinite(with_it) & np.isfinite(without)
    if np.abs(with_it - without)[both].max(initial=0) > 1e-3:
        found.add("the roof over the footprint differs")
    above, under = heights_at(solid, ROOF, at[beyond][:spots]), heights_at(solid, SOFFIT, at[beyond][:spots])
    gap = (above - under)[np.isfinite(above) & np.isfinite(under)]
    if np.abs(gap - hung.thickness).max(initial=0) > 1e-3:
        found.add("thickness differs")
    more = volumes(take(hung.meshes, np.array([s])))[0] - volumes(take(plain, np.array([p])))[0]
    slab = hung.thickness * (outer.area - inner.area)
    if abs(more - slab) > 1e-3 * outer.length:
        found.add("volume of the overhang differs")
    return found


def assert_sound(hung: Hung, names: list[str], every: int = 1) -> None:
    """All pass the product's own checks, every ``every``-th the slow ones."""
    wrong = {names[int(hung.index[s])]: hung_faults(hung, s) for s in range(0, len(hung.index), every)}
    assert not {k: v for k, v in wrong.items() if v}


def test_all_but_steep_and_stepped_shapes_overhang():
    none = {"dome", "half-dome", "onion", "round", "sawtooth", "gabled_height_moved", "crosspitched", "mapped"}
    assert set(SHAPES) == set(ROOFS.names()) - none


def unfit(hung: Hung, names: list[str]) -> dict[str, str]:
    """Return the outlines that take no overhang for reasons of the shape, and those reasons."""
    rows = hung.rows_with(NOT_FOR_SHAPE)
    return dict(zip([names[r] for r in rows], hung.details(NOT_FOR_SHAPE), strict=True))


def assert_rightly_unfit(shape: str, unfit: dict[str, str]) -> None:
    """Few shapes end at the walls, and for a reason that can be seen from outside."""
    why = set(unfit.values())
    if ROOFS[shape].apex:
        uneven = {n for n, p in PLANS.items() if apex_reaches(p)[1] > UNEVEN * abs(apex_reaches(p)[0]) + 1e-6}
        assert set(unfit) == uneven
        assert why == {"walls too far from the apex"}
    elif shape == "mansard":
        assert why <= {"too steep at the edge"}
    elif shape == "saltbox":  # an upright wall beside a corner that recedes goes on as a step
        assert why <= {"upright steps at the edge"}
        assert not {"square", "rectangle", "long", "trapezium", "skewed", "octagon"} & set(unfit)
    else:
        assert not unfit


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("reach", "thickness", "turn"), [(0.2, 0.1, 0.0), (0.6, 0.3, 17.3), (0.2, 0.25, 45.0)])
def test_drawn_plans(shape, reach, thickness, turn):
    direction = np.nan if turn != 45 else 100.0
    hung = hang(placed(PLANS.values(), turn), reach, thickness, roof_shape=shape, roof_direction_deg=direction)
    names = list(PLANS)
    simpler = {r for f in hung.town.findings if f.code == SIMPLIFIED for r in f.rows}
    if shape != "saltbox":  # its steps beyond the walls may also be more than the skeleton can do
        assert set(hung.rows_with(LEFT_OUT)) <= simpler
    none = unfit(hung, names)
    assert_rightly_unfit(shape, none)
    assert len(hung.index) == len(PLANS) - len(none) - len(hung.rows_with(LEFT_OUT)), "every other takes an overhang"
    less = {names[row] for row in hung.rows_with(REDUCED)}
    assert less == ({"comb 6", "comb 40"} - set(none) if reach == 0.6 else set())
    assert_sound(hung.whole(), names)
    for s in range(0, len(hung.index), 5):
        assert to_trimesh(hung.meshes, s).is_volume


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.lists(holed_polygons(), min_size=1, max_size=5),
    st.sampled_from(SHAPES),
    st.integers(0, 359),
    st.sampled_from([0.05, 0.3, 0.8]),
)
def test_any_polygon_with_room_takes_an_overhang(polygons, shape, direction, reach):
    hung = hang(placed(polygons, 3.0), reach, roof_shape=shape, roof_direction_deg=float(direction))
    room = grow(hung.town.footprints.rings, np.full(len(polygons), reach))[1]
    row = hung.town.footprints.row
    assert_sound(hung.whole(), [p.wkt for p in polygons])
    simpler = [r for f in hung.town.findings if f.code == SIMPLIFIED for r in f.rows]
    never = np.isin(row, [*hung.rows_with(NOT_FOR_SHAPE), *simpler])
    low = np.array([d.startswith("too near") for d in hung.details(LEFT_OUT)] or [False])
    if not low.any() and not any(d.endswith(" m") for d in hung.details(REDUCED)):
        assert set(np.flatnonzero(room & ~never)) <= set(hung.index.tolist())


@pytest.mark.parametrize("name", REAL)
def test_real_footprints(name, testdata, tmp_path):
    geometry = real_footprints(testdata, tmp_path, name, most=300)
    for shape in ("gabled", "flat", "half-hipped", "hipped", "pyramidal"):
        hung = hang(geometry, 0.5, roof_shape=shape)
        assert len(hung.rows_with(LEFT_OUT)) <= 0.03 * len(geometry), hung.details(LEFT_OUT)
        assert "no closed solid" not in hung.details(LEFT_OUT)
        assert_sound(hung.whole(), [str(i) for i in range(len(hung.town.footprints.row))], every=17)


def test_what_takes_no_overhang_says_why():
    rows = {
        "dome": {"roof_shape": "dome"},
        "steep": {"roof_shape": "gabled", "roof_angle_deg": 74.0, "height_m": 30.0},
        "low": {"roof_shape": "gabled", "height_m": 3.0, "roof_height_m": 2.95},
        "yard": {"roof_shape": "flat"},
        "narrow": {"roof_shape": "flat"},
        "fine": {"roof_shape": "gabled"},
    }
    box = shapely.box
    outlines = {"yard": box(0, 0, 9, 9) - box(4, 4, 4.2, 5), "narrow": box(0, 0, 9, 9) - box(4, 4, 4.8, 9)}
    columns = {
        "roof_shape": [r["roof_shape"] for r in rows.values()],
        **{
            key: [r.get(key, default) for r in rows.values()]
            for key, default in (("height_m", 9.0), ("roof_angle_deg", np.nan), ("roof_height_m", np.nan))
        },
    }
    geometry = placed([outlines.get(name, box(0, 0, 12, 8)) for name in rows])
    hung = hang(
        geometry,
        0.6,
        ground=(12.3, 12.3),
        **{k: np.array(v, dtype=object if k == "roof_shape" else float) for k, v in columns.items()},
    )
    names = list(rows)
    assert unfit(hung, names) == {"dome": "shape", "steep": "too steep at the edge"}
    assert [names[r] for r in hung.rows_with(LEFT_OUT)] == ["low", "yard"]
    assert [d.split()[0] for d in hung.details(LEFT_OUT)] == ["too", "its"]
    assert [names[r] for r in hung.rows_with(REDUCED)] == ["narrow"]
    assert hung.details(REDUCED) == ["0.3 of 0.6 m"]
    assert sorted(names[p] for p in hung.index) == ["fine", "narrow"]
    town = hung.town
    shaped, _ = shape_solids(town.footprints, town.plan, np.ones(6, dtype=bool), (hung.index, hung.meshes))
    assert shaped.meshes.solid_row.tolist() == [0, 1, 2, 3, 4, 5], "the rest are built as ever, in their order"
    bare = town.shaped.meshes
    same = [np.array_equal(solid_of(shaped.meshes, s).vertices, solid_of(bare, s).vertices) for s in range(6)]
    assert same == [True, True, True, True, False, False]


def test_neighbours_and_order_change_nothing():
    names = ["L", "courtyard", "circle 32", "sliver", "U"]
    geometry = placed([PLANS[n] for n in names], 17.3)
    shape = np.array(["gabled", "flat", "pyramidal", "skillion", "half-hipped"], dtype=object)
    together = hang(geometry, 0.4, roof_shape=shape)
    again = hang(geometry, 0.4, roof_shape=shape)
    for field in ("vertices", "corners", "ring_offsets", "face_offsets", "face_class"):
        assert getattr(together.meshes, field).tobytes() == getattr(again.meshes, field).tobytes()
    for s, p in enumerate(together.index.tolist()):
        alone = hang(geometry[p : p + 1], 0.4, roof_shape=shape[p])
        one, other = solid_of(together.meshes, s), solid_of(alone.meshes, 0)
        assert one.vertices.tobytes() == other.vertices.tobytes()
        assert (one.faces, one.kinds) == (other.faces, other.kinds)


@pytest.mark.parametrize(
    "break_it",
    ["soffit turned", "soffit left out", "soffit taken for roof", "soffit taken for floor", "soffit lifted"],
)
def test_certify_sees_a_broken_soffit(break_it):
    hung = hang(placed([PLANS["rectangle"]]), 0.5, roof_shape="gabled")
    inner = np.array([PLANS["rectangle"].area])
    grown, _ = grow(hung.town.footprints.rings, np.array([0.5]))
    outer = polygon_areas(grown.coords, grown.ring_offsets, grown.polygon_offsets)
    meshes = hung.meshes
    assert all(v.all() for v in certify(meshes, inner, outer).values())
    assert not certify(meshes, inner)["plan"][0], "without the roof's own area the overhang is a fault"
    at = int(np.flatnonzero(meshes.face_class == SOFFIT)[0])
    a, b = meshes.ring_offsets[meshes.face_offsets[at : at + 2]]
    corner, kind, vertices = meshes.corners.copy(), meshes.face_class.copy(), meshes.vertices.copy()
    if break_it == "soffit turned":
        corner[a:b] = corner[a:b][::-1]
    elif break_it == "soffit left out":
        keep = np.ones(len(corner), dtype=bool)
        keep[a:b] = False
        meshes = replace(
            meshes,
            ring_offsets=np.delete(meshes.ring_offsets, at + 1)
            - (b - a) * (np.arange(len(meshes.ring_offsets) - 1) > at),
            face_offsets=meshes.face_offsets[:-1],
            solid_faces=meshes.solid_faces - np.array([0, 1]),
        )
        corner, kind = corner[keep], np.delete(kind, at)
    elif break_it == "soffit lifted":
        vertices[corner[a], 2] += 0.01
    else:
        kind[at] = ROOF if break_it == "soffit taken for roof" else FLOOR
    verdict = certify(replace(meshes, corners=corner, face_class=kind, vertices=vertices), inner, outer)
    assert not all(v.all() for v in verdict.values())


def test_growing_moves_every_edge_outwards():
    names = [n for n in PLANS if n not in {"comb 40", "comb 6"}]
    rings = from_polygons(np.array([PLANS[n] for n in names], dtype=object))
    theirs, ours = grown_outlines(rings, 0.3)
    for name, one, other in zip(names, theirs, ours, strict=True):
        # GEOS drops shallow bends before it grows: it may be off by a hundredth of the distance
        assert one.symmetric_difference(other).area <= 0.004 * other.length, name
        assert len(one.interiors) == len(other.interiors), name


@pytest.mark.parametrize(
    ("outline", "by", "ok"),
    [
        (shapely.box(0, 0, 10, 10) - shapely.box(4, 0, 5, 6), 0.49, True),
        (shapely.box(0, 0, 10, 10) - shapely.box(4, 0, 5, 6), 0.51, False),
        (shapely.box(0, 0, 10, 10) - shapely.box(4, 4, 5, 6), 0.49, True),
        (shapely.box(0, 0, 10, 10) - shapely.box(4, 4, 5, 6), 0.51, False),
        (shapely.box(0, 0, 10, 10) - shapely.box(4, 1, 5, 3) - shapely.box(4, 4, 5, 6), 0.3, True),
        (shapely.box(0, 0, 10, 1) | shapely.box(0, 0, 1, 9) | shapely.box(4, 0, 5, 9) | shapely.box(1, 8, 3.5, 9), 0.2, True),
        (shapely.box(0, 0, 10, 1) | shapely.box(0, 0, 1, 9) | shapely.box(4, 0, 5, 9) | shapely.box(1, 8, 3.5, 9), 0.3, False),
    ],
)  # fmt: skip
def test_growing_refuses_what_would_vanish_or_meet(outline, by, ok):
    rings = from_polygons(np.array([shapely.normalize(outline)], dtype=object))
    assert grow(rings, np.array([by]))[1].tolist() == [ok]


def test_a_needle_is_cut_off_square():
    grown, ok = grow(from_polygons(np.array([PLANS["needle"]], dtype=object)), np.array([0.5]))
    assert ok.all()
    assert grown.coords[:, 0].min() == pytest.approx(-0.5 * MITRE_LIMIT, abs=1e-3)


def town_frame() -> gpd.GeoDataFrame:
    """Return houses on plots of 40 m, of every shape, and one whose own overhang differs."""
    frame = plots(2 * len(ROOFS), height=9.0).drop(columns="roof:shape")
    frame["roof_shape"] = list(ROOFS.names()) * 2
    frame["roof_overhang"] = [None] * (len(frame) - 1) + [0.25]
    frame.loc[frame.index[-1], "roof_shape"] = "gabled"
    return frame


def test_a_build_with_overhangs_is_valid_and_says_what_it_did(tmp_path):
    frame = town_frame()
    bare = citygen.build(frame.drop(columns="roof_overhang"), ground_z=0.0, out=tmp_path / "bare").buildings
    city = citygen.build(frame, ground_z=0.0, out=tmp_path / "hung", overhang=0.5, roof_thickness=0.3)
    report = check_output(tmp_path / "hung")
    assert [i for i in report.issues if i.severity in {"error", "warning"}] == []
    found = accounted(tmp_path / "hung")
    assert {row["roof_shape"] for row in found.values()} == set(ROOFS.names()) - {MAPPED}
    for name, row in found.items():
        plain = bare.loc[name]
        assert (row["eave_z"], row["ridge_z"], row["base_z"]) == (plain.eave_z, plain.ridge_z, plain.base_z)
        shape, own = row["roof_shape"], name == frame.id.iloc[-1]
        reach = (
            0.25 if own else 0.5 if shape in SHAPES and shape != "mansard" else 0.0
        )  # as usual, a mansard is too steep
        wider = (1 + reach / 4) ** 2 if ROOFS[shape].apex else (12 + 2 * reach) * (8 + 2 * reach) / (12 * 8)
        if shape not in SEVERAL_SLOPES:
            assert row["roof_area_m2"] / plain.roof_area_m2 == pytest.approx(wider, rel=1e-5), shape
        assert row["outcome"] == ("degraded" if row["roof_asked"] == MAPPED else "ok"), "a mapped roof needs lines"
        assert ("overhang_not_for_shape" in row["reasons"]) == (reach == 0)
        assert city.mesh(name).is_volume


def test_a_building_s_own_overhang_needs_no_option(tmp_path):
    frame = town_frame()
    citygen.build(frame, ground_z=0.0, out=tmp_path / "own")
    citygen.build(frame.drop(columns="roof_overhang"), ground_z=0.0, out=tmp_path / "none")
    own, none = triangles(tmp_path / "own"), triangles(tmp_path / "none")
    assert [name for name in own if own[name] != none[name]] == [frame.id.iloc[-1]]


def test_the_same_bytes_with_any_workers_and_grid(tmp_path):
    frame = town_frame()
    options = {"ground_z": 0.0, "overhang": 0.5}
    citygen.build(frame, out=tmp_path / "one", **options)
    citygen.build(frame, out=tmp_path / "two", workers=2, **options)
    assert_same(tmp_path / "one", tmp_path / "two")
    frame.iloc[::-1].to_file(tmp_path / "backwards.gpkg")
    build(
        tmp_path / "three", buildings=[str(tmp_path / "backwards.gpkg")], grid="metric:100", id_column="id", **options
    )
    one, three = rows(tmp_path / "one"), rows(tmp_path / "three")
    same_rows(one, three, one, aside=("tile", "source"))
