"""Copies of an outline stacked towards an apex."""

from itertools import pairwise

import numpy as np
import pytest
import shapely

from citygen.geom.revolve import middle, stack

CONE = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))


def ring(polygon: shapely.Polygon) -> np.ndarray:
    return np.ascontiguousarray(shapely.get_coordinates(shapely.orient_polygons(polygon).exterior)[:-1])


def test_the_middle_of_an_outline_and_what_it_sees():
    box = ring(shapely.box(2, 1, 6, 3))
    assert middle(box) == pytest.approx((4.0, 2.0))
    *_, reach, ok = stack(box, CONE, -1)
    assert (reach, ok) == (pytest.approx(1.0), True)
    u = shapely.box(0, 0, 20, 20).difference(shapely.box(5, 5, 15, 21))
    *_, reach, ok = stack(ring(u), CONE, -1)
    assert reach < 0, "the middle of a U lies outside"
    assert not ok


def test_faces_tile_the_outline_and_the_back_wall_rises_to_the_apex():
    steps = (np.array([0.0, 0.3, 1.0]), np.array([0.0, 0.7, 1.0]))
    box = ring(shapely.box(0, 0, 8, 4))
    back = int(np.flatnonzero((box[:, 1] == 4) & (np.roll(box[:, 1], -1) == 4))[0])
    nodes, corners, faces, wall, reach, ok = stack(box, steps, back)
    assert ok
    assert reach == pytest.approx(4.0)
    area = sum(shapely.Polygon(nodes[corners[a:b], :2]).area for a, b in pairwise(faces))
    assert area == pytest.approx(32.0)
    assert len(faces) - 1 == 6, "three walls, two steps each"
    assert np.allclose(nodes[wall, 1], 4.0)
    assert nodes[wall, 2].tolist() == [0.0, 0.7, 1.0, 0.7, 0.0]
    assert (nodes[wall[0], :2] == box[back]).all()
