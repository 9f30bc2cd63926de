"""The judge of skeletons: it passes the right one of a rectangle and an L, and names what is wrong with every broken one."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from skeleton_faces import Skeleton, apart, faults

BOX = shapely.box(0, 0, 10, 6)
RIGHT = Skeleton(
    np.array([[0, 0, 0], [10, 0, 0], [10, 6, 0], [0, 6, 0], [3, 3, 3], [7, 3, 3]], dtype=float),
    [np.array(loop) for loop in ([0, 1, 5, 4], [1, 2, 5], [2, 3, 4, 5], [3, 0, 4])],
)
L = shapely.Polygon([(0, 0), (20, 0), (20, 8), (8, 8), (8, 20), (0, 20)])
RIGHT_L = Skeleton(
    np.array(
        [[0, 0, 0], [20, 0, 0], [20, 8, 0], [8, 8, 0], [8, 20, 0], [0, 20, 0], [4, 4, 4], [16, 4, 4], [4, 16, 4]],
        dtype=float,
    ),
    [np.array(loop) for loop in ([0, 1, 7, 6], [1, 2, 7], [2, 3, 6, 7], [3, 4, 8, 6], [4, 5, 8], [5, 0, 6, 8])],
)


def moved(skeleton: Skeleton, node: int, by: tuple[float, float, float]) -> Skeleton:
    nodes = skeleton.nodes.copy()
    nodes[node] += by
    return replace(skeleton, nodes=nodes)


def with_loop(skeleton: Skeleton, face: int, loop: list[int]) -> Skeleton:
    return replace(skeleton, loops=[np.array(loop) if k == face else old for k, old in enumerate(skeleton.loops)])


def test_right_skeletons_have_no_faults() -> None:
    assert faults(BOX, RIGHT) == set()
    assert faults(L, RIGHT_L) == set()
    assert apart(L, RIGHT_L, RIGHT_L) == 0.0


def test_a_courtyard_is_tiled_with_its_hole() -> None:
    outline = shapely.box(0, 0, 12, 12) - shapely.box(4, 4, 8, 8)
    corners = [(0, 0), (12, 0), (12, 12), (0, 12), (4, 4), (4, 8), (8, 8), (8, 4), (2, 2), (10, 2), (10, 10), (2, 10)]
    nodes = np.column_stack([np.array(corners, dtype=float), [0] * 8 + [2] * 4])
    outer = [[0, 1, 9, 8], [1, 2, 10, 9], [2, 3, 11, 10], [3, 0, 8, 11]]
    inner = [[4, 5, 11, 8], [5, 6, 10, 11], [6, 7, 9, 10], [7, 4, 8, 9]]
    skeleton = Skeleton(nodes, [np.array(loop) for loop in outer + inner])
    assert faults(outline, skeleton) == set()
    assert "faces do not add up to the outline" in faults(shapely.box(0, 0, 12, 12), skeleton)
    elsewhere = shapely.box(0, 0, 12, 12) - shapely.box(4, 4, 8, 8 - 1e-3) - shapely.box(1, 1, 1.04, 1.1)
    assert elsewhere.area == pytest.approx(outline.area, rel=1e-9)
    assert "faces do not tile the outline" in faults(elsewhere, skeleton)


BROKEN = {
    "too high by 2 mm": (moved(RIGHT, 4, (0, 0, 0.002)), "a node is not as high as it is far from its edge"),
    "off the bisector": (moved(RIGHT, 4, (0, 0.01, 0.01)), "a node is not as high as it is far from its edge"),
    "a face is missing": (replace(RIGHT, loops=RIGHT.loops[:3]), "faces do not add up to the outline"),
    "a face is there twice": (
        replace(RIGHT, loops=[*RIGHT.loops, RIGHT.loops[1]]),
        "faces do not add up to the outline",
    ),
    "a face is turned over": (with_loop(RIGHT, 1, [5, 2, 1]), "a face is turned over"),
    "a face crosses itself": (with_loop(RIGHT, 0, [0, 1, 4, 5]), "a face is not simple"),
    "a node twice": (with_loop(RIGHT, 1, [1, 2, 5, 4, 5]), "a face meets itself"),
    "edges share a face": (
        replace(RIGHT, loops=[np.array([0, 1, 2, 5, 4]), *RIGHT.loops[2:]]),
        "edges that share a face",
    ),
    "below the outline": (moved(RIGHT, 4, (0, 0, -3.5)), "a node lies below the outline"),
    "a gap that an overlap makes up for": (
        Skeleton(np.vstack([RIGHT.nodes, [[3, 3.5, 3]]]), [*RIGHT.loops[:3], np.array([3, 0, 6])]),
        "faces overlap or leave gaps",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_skeletons_are_named(case: str) -> None:
    skeleton, fault = BROKEN[case]
    assert fault in faults(BOX, skeleton)


def test_a_face_that_runs_back_over_its_own_edge_is_named() -> None:
    # the right planes in the wrong places: face 0 takes a triangle of face 2's ridge and gives it back further on
    nodes = np.vstack([RIGHT.nodes, [[5, 3, 3], [4, 3, 3]]])
    skeleton = Skeleton(
        nodes, [np.array([0, 1, 5, 7, 6, 4]), RIGHT.loops[1], np.array([2, 3, 4, 6, 7, 5]), RIGHT.loops[3]]
    )
    assert "a face does not follow its edge" in faults(BOX, skeleton)


def test_how_far_apart_two_skeletons_are() -> None:
    wider = shapely.box(0, 0, 10, 6.01)
    nodes = RIGHT.nodes + np.array(
        [[0, 0, 0], [0, 0, 0], [0, 0.01, 0], [0, 0.01, 0], [0.005] * 3, [-0.005, 0.005, 0.005]]
    )
    other = Skeleton(nodes, RIGHT.loops)
    assert faults(wider, other) == set()
    assert apart(BOX, RIGHT, moved(RIGHT, 4, (0, 0, 0.002))) == pytest.approx(0.002)
    swapped = Skeleton(RIGHT.nodes, [RIGHT.loops[k] for k in (2, 3, 0, 1)])
    assert apart(BOX, RIGHT, swapped) < 1e-12


def test_an_exact_skeleton_may_join_edges_on_one_line() -> None:
    outline = shapely.Polygon([(0, 0), (5, 0), (10, 0), (10, 6), (0, 6)])
    nodes = np.vstack([RIGHT.nodes, [[5, 0, 0]]])
    joined = Skeleton(nodes, [np.array([0, 6, 1, 5, 4]), *RIGHT.loops[1:]])
    assert faults(outline, joined, rounded=True) == set()
    assert faults(outline, joined) == {"edges that share a face"}
