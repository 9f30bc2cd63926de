"""Does ``certify`` see what is wrong? Solids broken on purpose, val3dity's faulty ones, and the slow oracle beside it."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from build_solids import raise_town
from citygen.geom.rings import polygon_areas
from citygen.model.meshes import FLOOR, ROOF, WALL, Meshes, concatenate, take
from citygen.model.rings import offsets
from citygen.roofs.base import ROOFS
from citygen.solids.certify import certify, surface_areas, volumes
from oracle import Solid, area_vector, solid_of, surface_faults, topology_faults, volume

AREA = 112.0
MIDDLE = 1
"""The solid that is broken; the ones before and after it must stay good."""


@pytest.fixture(scope="module")
def three() -> Meshes:
    """Three gabled houses of 14 by 8 m, the middle one with a courtyard."""
    court = shapely.box(0, 0, 16, 8).difference(shapely.box(6, 2, 10, 6))
    assert court.area == AREA
    plain = shapely.box(0, 0, 14, 8)
    return raise_town(np.array([plain, court, plain], dtype=object), roof_shape="gabled").shaped.meshes


def verdict(meshes: Meshes, areas: float | np.ndarray = AREA) -> dict[str, list[bool]]:
    return {k: v.tolist() for k, v in certify(meshes, np.broadcast_to(areas, (len(meshes),))).items()}


def from_solid(solid: Solid) -> Meshes:
    """Make a one-solid ``Meshes``."""
    rings = [ring for face in solid.faces for ring in face]
    n = len(solid.vertices)
    return Meshes(
        vertices=np.asarray(solid.vertices, float).reshape(-1, 3),
        corners=np.array([c for ring in rings for c in ring], dtype=np.int64),
        ring_offsets=offsets(np.array([len(r) for r in rings], dtype=np.int64)),
        face_offsets=offsets(np.array([len(f) for f in solid.faces], dtype=np.int64)),
        face_class=np.array(solid.kinds, dtype=np.uint8),
        solid_faces=np.array([0, len(solid.faces)], dtype=np.int64),
        solid_vertices=np.array([0, n], dtype=np.int64),
        solid_row=np.zeros(1, np.int64),
        origins=np.zeros((1, 2)),
    )


def spoil(meshes: Meshes, change) -> dict[str, list[bool]]:
    """Rebuild the middle solid after ``change(vertices, faces, kinds)`` has changed it; return the verdict on all three."""
    good = solid_of(meshes, MIDDLE)
    vertices, faces, kinds = good.vertices.copy(), [[list(r) for r in f] for f in good.faces], list(good.kinds)
    change(vertices, faces, kinds)
    parts = [take(meshes, np.array([0])), from_solid(Solid(vertices, faces, kinds)), take(meshes, np.array([2]))]
    return verdict(concatenate(parts))


def _first(kinds: list[int], kind: int) -> int:
    return kinds.index(kind)


def _flip(kind):
    def change(vertices, faces, kinds):
        at = _first(kinds, kind)
        faces[at] = [ring[::-1] for ring in faces[at]]

    return change


def _drop(kind):
    def change(vertices, faces, kinds):
        at = _first(kinds, kind)
        del faces[at], kinds[at]

    return change


def _twice(kind):
    def change(vertices, faces, kinds):
        at = _first(kinds, kind)
        faces.append(faces[at])
        kinds.append(kind)

    return change


def _lift_roof_corner(by):
    def change(vertices, faces, kinds):
        vertices[faces[_first(kinds, ROOF)][0][0], 2] += by

    return change


def _push_wall_vertex(by):
    def change(vertices, faces, kinds):
        vertices[faces[_first(kinds, FLOOR)][0][0], :2] += by

    return change


def _swap_floor_and_roof(vertices, faces, kinds):
    kinds[:] = [{FLOOR: ROOF, ROOF: FLOOR, WALL: WALL}[k] for k in kinds]


def _inside_out(vertices, faces, kinds):
    faces[:] = [[ring[::-1] for ring in face] for face in faces]


def _upside_down(vertices, faces, kinds):
    vertices[:, 2] *= -1
    _inside_out(vertices, faces, kinds)


def _no_hole(vertices, faces, kinds):
    at = next(k for k, face in enumerate(faces) if len(face) > 1)
    del faces[at][1:]


def _needle(vertices, faces, kinds):
    """Split an edge's two faces by a face without area, closed on both sides."""
    a, b = faces[_first(kinds, WALL)][0][:2]
    faces.append([[a, b]])
    kinds.append(WALL)


def _empty_pair(vertices, faces, kinds):
    ring = faces[_first(kinds, WALL)][0][:3]
    faces += [[ring], [ring[::-1]]]
    kinds += [WALL, WALL]


def _wider(vertices, faces, kinds):
    vertices[:, 0] = vertices[:, 0].mean() + 1.001 * (vertices[:, 0] - vertices[:, 0].mean())


MUTATIONS = {
    "floor turned": (_flip(FLOOR), {"closed", "oriented", "plan"}),
    "roof face turned": (_flip(ROOF), {"closed", "oriented", "plan"}),
    "wall turned": (_flip(WALL), {"closed"}),
    "floor missing": (_drop(FLOOR), {"closed", "plan"}),
    "wall missing": (_drop(WALL), {"closed"}),
    "roof face missing": (_drop(ROOF), {"closed", "plan"}),
    "wall twice": (_twice(WALL), {"closed"}),
    "roof face twice": (_twice(ROOF), {"closed", "plan"}),
    "roof corner 5 mm up": (_lift_roof_corner(0.005), {"planar"}),
    "roof corner 5 mm down": (_lift_roof_corner(-0.005), {"planar"}),
    "floor corner 5 mm aside": (_push_wall_vertex(0.005), {"plan", "oriented"}),
    "floor called roof": (_swap_floor_and_roof, {"oriented", "plan"}),
    "inside out": (_inside_out, {"oriented", "plan"}),
    "upside down": (_upside_down, {"oriented", "plan"}),
    "hole closed on one side": (_no_hole, {"closed", "plan"}),
    "face of two corners": (_needle, {"faces"}),
    "pair of faces back to back": (_empty_pair, {"closed"}),
    "a thousandth wider": (_wider, {"plan"}),
}


def test_the_good_ones_pass(three):
    assert all(all(good) for good in verdict(three).values())
    assert all(not topology_faults(solid_of(three, s)) for s in range(3))


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_solid_is_caught_and_its_neighbours_are_not(three, name):
    change, least = MUTATIONS[name]
    found = spoil(three, change)
    failed = {check for check, good in found.items() if not good[MIDDLE]}
    assert least <= failed, f"failed only {failed}"
    assert all(good[0] and good[2] for good in found.values())


def test_a_small_move_is_within_tolerance(three):
    found = spoil(three, _lift_roof_corner(0.0005))
    assert found["planar"] == [True, True, True]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([2, 3, 4]))
def test_no_random_rewiring_passes(three, seed, times):
    """Whatever corners are exchanged, the result fails wherever the slow oracle says that it is no manifold."""
    rng = np.random.default_rng(seed)
    good = solid_of(three, MIDDLE)
    faces, kinds = [[list(r) for r in f] for f in good.faces], list(good.kinds)
    for _ in range(times):
        face = faces[int(rng.integers(len(faces)))]
        ring = face[int(rng.integers(len(face)))]
        ring[int(rng.integers(len(ring)))] = int(rng.integers(len(good.vertices)))
    broken = Solid(good.vertices, faces, kinds)
    if "edge" in topology_faults(broken):
        assert not certify(from_solid(broken), np.array([AREA]))["closed"][0]


def test_an_empty_solid_fails_every_check_and_no_solids_give_no_verdict(three):
    empty = from_solid(Solid(np.zeros((0, 3)), [], []))
    found = verdict(concatenate([take(three, np.array([0])), empty, take(three, np.array([2]))]))
    assert all(good == [True, False, True] for good in found.values())
    none = take(three, np.zeros(0, np.int64))
    assert all(len(good) == 0 for good in verdict(none).values())


def test_volumes_and_areas_are_the_exact_ones(three):
    assert volumes(three).tolist() == pytest.approx([volume(solid_of(three, s)) for s in range(3)], rel=1e-12)
    areas = surface_areas(three)
    assert areas[FLOOR].tolist() == pytest.approx([112.0] * 3)
    for s in range(3):
        solid = solid_of(three, s)
        for kind in (FLOOR, WALL, ROOF):
            faces = [f for f, k in zip(solid.faces, solid.kinds, strict=True) if k == kind]
            slow = sum(np.linalg.norm(area_vector(solid, face)) for face in faces)
            assert areas[kind][s] == pytest.approx(slow, rel=1e-12)


def test_certify_changes_nothing(three):
    before = {name: getattr(three, name).tobytes() for name in three.__slots__}
    certify(three, np.full(3, AREA))
    assert {name: getattr(three, name).tobytes() for name in three.__slots__} == before


def test_take_and_concatenate_undo_each_other(three):
    parts = [take(three, np.array([s])) for s in range(3)]
    again = concatenate(parts)
    assert all(getattr(again, name).tobytes() == getattr(three, name).tobytes() for name in three.__slots__)
    back = take(take(three, np.array([2, 0, 1])), np.array([1, 2, 0]))
    assert all(getattr(back, name).tobytes() == getattr(three, name).tobytes() for name in three.__slots__)


# val3dity's own test files: (closed, planar, faces) that our checks must give; they know no floor or roof


def read_poly(path: Path) -> Solid:
    """Read val3dity's POLY: vertices; faces as a number of rings and a number of holes, a ring a line."""
    words = iter(path.read_text().split())
    n = int(next(words))
    for _ in range(3):
        next(words)
    ids, vertices = {}, []
    for k in range(n):
        ids[int(next(words))] = k
        vertices.append([float(next(words)) for _ in range(3)])
    n_faces = int(next(words))
    next(words)
    faces = []
    for _ in range(n_faces):
        rings, holes = int(next(words)), int(next(words))
        faces.append([[ids[int(next(words))] for _ in range(int(next(words)))] for _ in range(rings)])
        for _ in range(4 * holes):  # a number and a point inside each hole
            next(words)
    return Solid(np.array(vertices), faces, [WALL] * len(faces))


CAUGHT = {"101", "104", "203", "204", "302", "303", "305", "307"}
"""val3dity's codes that ``certify`` (closed, planar, faces) has to see: rings, planarity and edges of one shell."""


def val3dity_rows(testdata: Path) -> list[tuple[str, str]]:
    with (testdata / "hardcases/solids/index.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        (Path(row["file"]).name, row["expected_val3dity_codes"])
        for row in rows
        if row["file"].endswith(".poly")
        and row["expected_val3dity_codes"].startswith("[")
        and "ishell" not in row["primitive"]
    ]


def test_val3dity_solids_get_their_verdict(testdata):
    """Of the solids of one shell: valid ones pass; those with faults of topology or planarity fail."""
    seen: dict[str, tuple[str, set[str]]] = {}
    for name, codes in val3dity_rows(testdata):
        solid = read_poly(testdata / "hardcases/solids/val3dity" / name)
        found = certify(from_solid(solid), np.array([1.0]))
        seen[name] = (codes, {check for check in ("closed", "planar", "faces") if not found[check][0]})
    assert len(seen) >= 20
    passed_wrongly = {n: c for n, (c, failed) in seen.items() if set(re.findall(r"[0-9]+", c)) & CAUGHT and not failed}
    failed_wrongly = {n: failed for n, (c, failed) in seen.items() if c == "[]" and failed}
    assert failed_wrongly in ({}, {"204_valid_1.poly": {"planar"}}), "val3dity allows 10 mm off the plane, we 1 mm"
    assert not passed_wrongly


@pytest.mark.parametrize("shape", ROOFS.names())
def test_certify_agrees_with_the_slow_oracle_on_shaken_solids(shape):
    """Vertices moved at random, each solid's more than the last one's: both say 'planar' of the same solids."""
    rng = np.random.default_rng(7)
    town = raise_town(np.array([shapely.box(0, 0, 10 + k, 7) for k in range(40)], dtype=object), roof_shape=shape)
    meshes = town.shaped.meshes
    size = np.repeat(np.geomspace(1e-5, 2e-3, len(meshes)), np.diff(meshes.solid_vertices))
    moved = replace(meshes, vertices=meshes.vertices + size[:, None] * rng.uniform(-1, 1, meshes.vertices.shape))
    ours = certify(
        moved,
        polygon_areas(
            town.footprints.rings.coords, town.footprints.rings.ring_offsets, town.footprints.rings.polygon_offsets
        ),
    )
    slow = np.array(["face not planar" not in surface_faults(solid_of(moved, s)) for s in range(len(moved))])
    assert np.array_equal(ours["planar"], slow)
    assert ours["closed"].all()
    assert slow.any()
    assert not slow.all()
