"""The profile cut against a Shapely twin: the same strips, the same heights, the same volume."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import Polygon

from citygen.geom.profile import pack, sweep
from citygen.model.rings import from_polygons
from citygen.roofs.base import ROOFS
from citygen.roofs.draw import default_variants
from shapes import plans
from strategies import holed_polygons

PLANS = plans()
SHAPES = [name for name in ROOFS.names() if ROOFS[name].family == "profile"]
RISE = 3.0


def variant_of(shape, span):
    """Return the variant that a shape takes over a span."""
    return int(shape.variant(np.array([span]))[0] if shape.variant else default_variants((shape,))[0])


def swept(polygon: Polygon, degrees: float, section, *, rise: float = RISE, shift: float = 0.0):
    """Sweep one section over one polygon across a direction; returns surfaces and the cross direction."""
    axis = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    rings = from_polygons(np.array([polygon], dtype=object))
    out = sweep(rings, axis[None], np.zeros(1, np.int64), pack([section]), np.array([rise]), np.array([shift]))
    return out, axis


def roof_faces(surfaces) -> list[np.ndarray]:
    """Return the rings of each sloped face, (n, 3) float64 each."""
    faces = []
    for f in range(*surfaces.polygon_faces[:2].tolist()):
        if surfaces.riser[f]:
            continue
        rings = range(*surfaces.face_offsets[f : f + 2].tolist())
        faces.append([surfaces.points[surfaces.corners[slice(*surfaces.ring_offsets[r : r + 2])]] for r in rings])
    return faces


def twin_strips(polygon: Polygon, degrees: float, section) -> list[shapely.Geometry]:
    """Cut a polygon with rectangles: one part a strip."""
    breaks = np.asarray(section[0])
    upright = affinity.rotate(polygon, -degrees, origin=(0, 0))
    west, south, east, north = upright.bounds
    lines = west + breaks * (east - west)
    lines[0], lines[-1] = west - 1, east + 1
    return [upright.intersection(shapely.box(a, south - 1, b, north + 1)) for a, b in pairwise(lines)]


def twin_volume(polygon: Polygon, degrees: float, section, rise: float) -> float:
    """Integrate the section over the polygon: strip by strip, area times the height at the centroid."""
    breaks, left, right = (np.asarray(part) for part in section)
    upright = affinity.rotate(polygon, -degrees, origin=(0, 0))
    west, _, east, _ = upright.bounds
    lines = west + breaks * (east - west)
    total = 0.0
    for k, strip in enumerate(twin_strips(polygon, degrees, section)):
        if strip.area > 0:
            share = (strip.centroid.x - lines[k]) / (lines[k + 1] - lines[k])
            total += strip.area * rise * (left[k] + share * (right[k] - left[k]))
    return total


def plan_of(rings: list[np.ndarray]) -> Polygon:
    return Polygon(rings[0][:, :2], [ring[:, :2] for ring in rings[1:]])


def volume_of(faces) -> float:
    total = 0.0
    for rings in faces:
        shape, points = plan_of(rings), np.concatenate(rings)
        middle = points.mean(axis=0)
        design = np.c_[points[:, :2] - middle[:2], np.ones(len(points))]
        gx, gy, z = np.linalg.lstsq(design, points[:, 2], rcond=None)[0]
        x, y = shape.centroid.coords[0]
        total += shape.area * (z + gx * (x - middle[0]) + gy * (y - middle[1]))
    return total


def check(polygon: Polygon, degrees: float, name: str) -> None:
    """Compare a sweep with its twin: areas by strip, volume, tiling, planes."""
    shape = ROOFS[name]
    span = np.ptp(shapely.get_coordinates(polygon) @ [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    section = shape.section(variant_of(shape, span))
    surfaces, axis = swept(polygon, degrees, section)
    assert surfaces.ok.tolist() == [True]
    faces = roof_faces(surfaces)
    west = (shapely.get_coordinates(polygon) @ axis).min()
    breaks = west + np.asarray(section[0]) * span
    areas = np.zeros(len(breaks) - 1)
    for rings in faces:
        part = plan_of(rings)
        across = part.centroid.coords[0] @ axis
        areas[np.searchsorted(breaks[1:-1], across)] += part.area
    want = np.array([strip.area for strip in twin_strips(polygon, degrees, section)])
    jumps = np.abs(np.asarray(section[1])[1:] - np.asarray(section[2])[:-1]) > 0
    slack = polygon.length * (4e-3 if jumps.any() else 2e-4) + 1e-9
    assert np.abs(areas - want).max() <= slack
    assert areas.sum() == pytest.approx(polygon.area, rel=1e-9)
    assert abs(volume_of(faces) - twin_volume(polygon, degrees, section, RISE)) <= RISE * slack * (1 + np.sum(jumps))
    for rings in faces:
        points = np.concatenate(rings)
        centred = points - points.mean(axis=0)
        assert np.abs(centred @ np.linalg.svd(centred)[2][2]).max() <= 1e-3
        assert points[:, 2].min() >= -1e-9
        assert points[:, 2].max() <= RISE + 1e-9


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [0.0, 90.0, 33.0])
def test_drawn_plans_agree_with_the_twin(shape, degrees):
    for name, plan in PLANS.items():
        if name not in {"sliver", "needle", "millimetre step", "circle 500"}:
            check(plan, degrees, shape)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(holed_polygons(), st.integers(0, 359), st.sampled_from(SHAPES))
def test_any_polygon_agrees_with_the_twin(polygon, degrees, shape):
    check(polygon, float(degrees), shape)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(holed_polygons(), st.integers(0, 359), st.lists(st.floats(0.02, 1.0), min_size=2, max_size=7), st.data())
def test_any_continuous_section_agrees_with_the_twin(polygon, degrees, widths, data):
    breaks = np.concatenate([[0.0], np.cumsum(widths) / sum(widths)])
    heights = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(breaks), max_size=len(breaks))))
    section = (breaks, heights[:-1], heights[1:])
    surfaces, _ = swept(polygon, float(degrees), section)
    assert surfaces.ok[0]
    faces = roof_faces(surfaces)
    assert sum(plan_of(f).area for f in faces) == pytest.approx(polygon.area, rel=1e-9)
    slack = 2e-4 * polygon.length * RISE * len(breaks)
    assert abs(volume_of(faces) - twin_volume(polygon, float(degrees), section, RISE)) <= slack


@pytest.mark.parametrize("shape", SHAPES)
def test_chains_run_over_the_edges_of_the_outline(shape):
    """Every wall's top runs from over its first footprint vertex to over its second, in plan on the edge."""
    polygon = PLANS["three holes"]
    rings = from_polygons(np.array([polygon], dtype=object))
    surfaces, _ = swept(polygon, 20.0, ROOFS[shape].section(variant_of(ROOFS[shape], 25.0)))
    after = np.arange(1, len(rings.coords) + 1)
    after[rings.ring_offsets[1:] - 1] = rings.ring_offsets[:-1]
    for i in range(len(rings.coords)):
        top = surfaces.points[surfaces.chain[slice(*surfaces.chain_offsets[i : i + 2])]]
        assert np.array_equal(top[0, :2], rings.coords[i])
        assert np.array_equal(top[-1, :2], rings.coords[after[i]])
        edge = shapely.LineString([rings.coords[i], rings.coords[after[i]]])
        assert shapely.distance(edge, shapely.points(top[:, :2])).max() <= 1e-4
        along = [edge.project(shapely.Point(p)) for p in top[:, :2]]
        assert along == sorted(along)


@pytest.mark.parametrize("shape", SHAPES)
def test_polygons_are_swept_apart(shape):
    """The faces of a polygon do not depend on those before it."""
    section = ROOFS[shape].section(3 if shape == "sawtooth" else 1)
    polygons = np.array(list(PLANS.values()), dtype=object)
    axes = np.tile([np.cos(0.3), np.sin(0.3)], (len(polygons), 1))
    zero = np.zeros(len(polygons))
    every = sweep(from_polygons(polygons), axes, zero.astype(np.int64), pack([section]), zero + RISE, zero)
    for p in range(len(polygons)):
        alone, _ = swept(polygons[p], np.degrees(0.3), section)
        a, b = every.polygon_faces[p : p + 2]
        corners = every.corners[every.ring_offsets[every.face_offsets[a]] : every.ring_offsets[every.face_offsets[b]]]
        assert every.points[corners].tobytes() == alone.points[alone.corners].tobytes(), list(PLANS)[p]


def test_a_ridge_through_vertices_keeps_its_faces_whole():
    """A break line through corners and along an edge: no face without area, no vertex beside the line."""
    plan = PLANS["ridge through corners"]
    surfaces, _ = swept(plan, 90.0, ROOFS["gabled"].section(1))
    faces = roof_faces(surfaces)
    assert len(faces) == 2
    assert sorted(plan_of(f).area for f in faces) == [54.0, 64.0]


def test_a_riser_stands_where_the_section_jumps():
    surfaces, _ = swept(shapely.box(0, 0, 12, 5), 0.0, ROOFS["sawtooth"].section(2))
    assert surfaces.riser.sum() == 1
    f = int(np.flatnonzero(surfaces.riser)[0])
    ring = surfaces.points[surfaces.corners[slice(*surfaces.ring_offsets[surfaces.face_offsets[f : f + 2]])]]
    assert ring[:, 0] == pytest.approx([6.0] * 4, abs=4e-3)
    assert np.ptp(ring[:, 2]) == RISE
    assert np.ptp(ring[:, 1]) == 5.0


def test_inputs_are_left_alone():
    polygon = PLANS["U"]
    rings = from_polygons(np.array([polygon], dtype=object))
    section = pack([ROOFS["round"].section(1)])
    axes, zero = np.array([[0.6, 0.8]]), np.zeros(1)
    before = [a.tobytes() for a in (rings.coords, section.breaks, section.left, section.right, axes)]
    sweep(rings, axes, zero.astype(np.int64), section, zero + 2, zero)
    assert before == [a.tobytes() for a in (rings.coords, section.breaks, section.left, section.right, axes)]
