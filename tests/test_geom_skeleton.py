"""The straight skeleton: one face an edge, faces tile the outline, every node as high as it is far from its edges' lines."""

import csv
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from citygen.buildings.repair import repair
from citygen.geom.inset import faces_over, inset_faces
from citygen.geom.revolve import middle
from citygen.geom.skeleton import edge_lines, skeleton
from citygen.model.rings import Rings, from_polygons, take

HIPPED = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
MANSARD = (np.array([0.0, 0.3, 1.0]), np.array([0.0, 0.7, 1.0]))
BIG = shapely.box(0, 0, 20, 20)
OUTLINES = {
    "square": shapely.box(0, 0, 6, 6),
    "rectangle": shapely.box(0, 0, 10, 6),
    "L": BIG.difference(shapely.box(8, 8, 21, 21)),
    "T of equal arms": shapely.box(0, 0, 20, 4).union(shapely.box(8, 3, 12, 10)),
    "plus": shapely.box(5, 0, 10, 15).union(shapely.box(0, 5, 15, 10)),
    "U": BIG.difference(shapely.box(5, 5, 15, 21)),
    "H": BIG.difference(shapely.box(5, -1, 15, 8)).difference(shapely.box(5, 12, 15, 21)),
    "courtyard": BIG.difference(shapely.box(6, 6, 14, 14)),
    "courtyard off the middle": BIG.difference(shapely.box(2, 2, 4, 4)),
    "circle": shapely.Point(0, 0).buffer(10),
    "star": shapely.Polygon(
        [
            (np.cos(a) * (4 + 6 * (k % 2)), np.sin(a) * (4 + 6 * (k % 2)))
            for k, a in enumerate(np.linspace(0, 2 * np.pi, 13)[:12])
        ]
    ),
    # two reflex corners meet head on in the middle
    "bow": shapely.Polygon(
        [(5, 0), (25, 0), (20, 10), (30, 5), (30, 30), (0, 30), (10, 20), (0, 20), (0, 5), (10, 10)]
    ),
}


def rings_of(polygon: shapely.Polygon) -> Rings:
    rings = from_polygons(np.array([polygon]))
    return Rings(rings.coords - rings.coords.min(axis=0), rings.ring_offsets, rings.polygon_offsets)


def assert_roof(rings: Rings, section=HIPPED) -> None:
    """Faces turn counter-clockwise and tile the outline; on each, height is the distance to one edge's line, scaled."""
    nodes, _, corners, offsets, top, ok = faces_over(rings.coords, rings.ring_offsets, section, 0.0)
    assert ok
    loops = [nodes[corners[a:b]] for a, b in pairwise(offsets)]
    faces = [shapely.Polygon(loop[:, :2]) for loop in loops]
    assert all(shapely.LinearRing(loop[:, :2]).is_ccw for loop in loops)
    whole = shapely.area(outline(rings))
    assert sum(f.area for f in faces) == pytest.approx(whole, rel=1e-9)
    if section is HIPPED:
        assert len(faces) == len(rings.coords), "one face an edge"
        _, direction, offset = edge_lines(rings.coords, rings.ring_offsets)
        inset = -direction[:, None, 1] * nodes[None, :, 0] + direction[:, None, 0] * nodes[None, :, 1] - offset[:, None]
        for a, b in pairwise(offsets):
            face = corners[a:b]
            off = np.abs(inset[:, face] - nodes[face, 2] * top).max(axis=1)
            assert off.min() < 1e-4, "some edge's plane holds the whole face"
    assert nodes[:, 2].min() == 0.0
    assert nodes[:, 2].max() == pytest.approx(1.0)


def outline(rings: Rings) -> shapely.Polygon:
    loops = [rings.coords[a:b] for a, b in pairwise(rings.ring_offsets)]
    return shapely.Polygon(loops[0], loops[1:])


@pytest.mark.parametrize("turn", [0.0, 17.0, 45.0, 90.0, 123.4])
@pytest.mark.parametrize("section", [HIPPED, MANSARD], ids=["hipped", "mansard"])
@pytest.mark.parametrize("name", OUTLINES)
def test_regular_outlines(name, section, turn):
    assert_roof(rings_of(affinity.rotate(OUTLINES[name], turn)), section)


def test_the_ridge_of_a_rectangle_lies_where_it_must():
    rings = rings_of(shapely.box(0, 0, 10, 6))
    nodes, arcs, ok = skeleton(rings.coords, rings.ring_offsets, np.ones(4), 1e-6)
    assert ok
    assert sorted(nodes[4:].round(9).tolist()) == [[3.0, 3.0, 3.0], [7.0, 3.0, 3.0]]
    assert len(arcs) == 5


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.floats(0.2, 1.0), st.floats(3.0, 12.0)), min_size=3, max_size=40))
def test_random_stars(spokes):
    angle = np.cumsum([a for a, _ in spokes])
    angle = angle / angle[-1] * 2 * np.pi * (1 - 0.4 / len(spokes))
    radius = np.array([r for _, r in spokes])
    found, _ = repair(np.array([shapely.Polygon(np.c_[radius * np.cos(angle), radius * np.sin(angle)])], dtype=object))
    for k in range(len(found.rings)):
        assert_roof(take(found.rings, np.array([k])))


def test_outlines_that_broke_other_kernels(testdata):
    """Every outline of up to 400 vertices has its skeleton; the larger ones end too, at worst without one."""
    folder = testdata / "hardcases/skeleton"
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].endswith(".wkt")]
    polygons = []
    for row in rows:
        shape = shapely.from_wkt((folder / row["file"]).read_text(encoding="utf-8"))
        west, south, east, north = shape.bounds
        scale = 40.0 / max(east - west, north - south)
        moved = affinity.translate(shape, -west, -south)
        polygons.append(affinity.scale(moved, scale, scale, origin=(0, 0)))
    found, _ = repair(np.array(polygons, dtype=object))
    rings, none = found.rings, np.zeros(len(found.rings))
    outlines = (rings.coords, rings.ring_offsets, rings.polygon_offsets)
    one = np.zeros(len(rings), dtype=np.int64)
    *_, ok, _ = inset_faces(outlines, one, (*HIPPED, np.array([0, 2])), np.zeros(len(rings), dtype=bool), none)
    size = np.diff(rings.vertex_offsets)
    failed = [rows[k]["id"] for k in found.row[~ok & (size <= 400)]]
    assert len(rows) >= 220
    assert not failed


def test_the_middle_of_an_outline_and_what_it_sees():
    x, y, reach = middle(shapely.get_coordinates(shapely.box(2, 1, 6, 3).exterior)[:-1])
    assert (x, y, reach) == pytest.approx((4.0, 2.0, 1.0))
    assert middle(rings_of(OUTLINES["U"]).coords)[2] < 0, "the middle of a U lies outside"
