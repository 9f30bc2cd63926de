"""The raster kernels against slow twins that follow their definitions, one sample at a time."""

import math
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.geom.nearest import nearest
from citygen.geom.raster import HIGH, LOW, NODE_SUM, NODES, PATCHED, SAMPLES, VOID, drape
from citygen.model.rings import from_polygons


def twin(cells: np.ndarray, ring_list: list[np.ndarray]) -> dict[str, float]:
    """Statistics of ``drape`` for one polygon, from its definition, one sample at a time."""

    def at(column: float, row: float, j: int, i: int) -> float:
        total = weight = 0.0
        for y in (i, i + 1):
            for x in (j, j + 1):
                w = (1 - abs(column - x)) * (1 - abs(row - y))
                inside = 0 <= y < cells.shape[0] and 0 <= x < cells.shape[1]
                if inside and not np.isnan(cells[y, x]):
                    total, weight = total + w * cells[y, x], weight + w
        return total / weight if weight > 1e-6 else math.nan

    values, void, patched, samples = [], 0, 0, 0
    for ring in ring_list:
        for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            cuts = {0.0, 1.0}
            for k in (0, 1):
                low, high = sorted((a[k], b[k]))
                cuts |= {(line - a[k]) / (b[k] - a[k]) for line in range(math.ceil(low), math.floor(high) + 1)}
            for t0, t1 in pairwise(sorted(t for t in cuts if 0 <= t <= 1)):
                middle = a + 0.5 * (t0 + t1) * (b - a)
                j, i = math.floor(middle[0]), math.floor(middle[1])
                patch = cells[max(i, 0) : i + 2, max(j, 0) : j + 2]
                outside = j < 0 or i < 0 or j > cells.shape[1] - 2 or i > cells.shape[0] - 2
                whole = not outside and not np.isnan(patch).any()
                ts = np.linspace(t0, t1, 101 if whole else 3)
                z = [math.nan if outside else at(*(a + t * (b - a)), j, i) for t in ts]
                values += z
                samples += 3
                void += 0 if whole else int(np.isnan(z).sum())
                patched += 0 if whole or outside else 3
    polygon = shapely.Polygon(ring_list[0], ring_list[1:])
    rows, columns = np.mgrid[0 : cells.shape[0], 0 : cells.shape[1]]
    nodes = cells[shapely.contains_xy(polygon, columns, rows)]
    valid = nodes[~np.isnan(nodes)]
    values += valid.tolist()
    return {
        "low": min((z for z in values if not math.isnan(z)), default=math.inf),
        "high": max((z for z in values if not math.isnan(z)), default=-math.inf),
        "node_sum": valid.sum(),
        "nodes": len(valid),
        "samples": samples + len(nodes),
        "void": void + len(nodes) - len(valid),
        "patched": patched,
    }


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), voids=st.sampled_from([0.0, 0.15, 0.7]), vertices=st.integers(3, 9))
def test_kernel_agrees_with_its_slow_twin(seed, voids, vertices):
    rng = np.random.default_rng(seed)
    cells = rng.uniform(0, 10, (14, 17))
    cells[rng.random(cells.shape) < voids] = np.nan
    angle = np.sort(rng.uniform(0, 2 * np.pi, vertices))
    radius = rng.uniform(1.5, 6.5, vertices)
    outline = rng.uniform(3, 13, 2) + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    polygon = shapely.Polygon(outline)
    if not polygon.is_valid or polygon.area < 1e-3:
        return
    hole = shapely.buffer(shapely.point_on_surface(polygon), 0.4, quad_segs=1)
    if polygon.contains_properly(hole):
        polygon = polygon.difference(hole)
    rings = from_polygons(np.array([polygon]))
    window = np.array([0, 0, -(1 << 60), 1 << 60])
    edges = [rings.coords[a:b] for a, b in pairwise(rings.ring_offsets)]
    sides = np.ones((len(rings.coords), 3))
    got = drape(cells, window, rings.coords, rings.ring_offsets, rings.polygon_offsets, np.array([0]), sides)[0]
    want = twin(cells, edges)
    assert got[LOW] == pytest.approx(want["low"], abs=1e-3)
    assert got[HIGH] == pytest.approx(want["high"], abs=1e-3)
    assert got[LOW] <= want["low"] + 1e-9
    assert got[HIGH] >= want["high"] - 1e-9
    assert got[[NODES, SAMPLES, VOID, PATCHED]].tolist() == [want[k] for k in ("nodes", "samples", "void", "patched")]
    assert got[NODE_SUM] == pytest.approx(want["node_sum"])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([0.002, 0.05, 0.9]))
def test_nearest_agrees_with_looking_at_every_cell(seed, share):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 70, 2)
    cells = rng.normal(0, 5, (rows, columns))
    cells[rng.random(cells.shape) > share] = np.nan
    corner = rng.integers(-1000, 1000, 2)
    at = np.round(corner[::-1] + rng.uniform(-10, 80, (20, 2)) * 2) / 2  # halves, so that distances tie
    matrix = rng.normal(0, 2, (2, 2)) if rng.random() < 0.5 else np.diag([1.0, -1.0])
    least, most = np.sort(np.linalg.svd(matrix, compute_uv=False))
    metrics = np.tile([*matrix.ravel(), least, most], (len(at), 1))
    distance, height = nearest(cells, corner, at, metrics, 60.0)
    y, x = np.mgrid[0:rows, 0:columns]
    for k, (column, row) in enumerate(at):
        dc, dr = x + corner[1] - column, y + corner[0] - row
        d = (matrix[0, 0] * dc + matrix[0, 1] * dr) ** 2 + (matrix[1, 0] * dc + matrix[1, 1] * dr) ** 2
        d[np.isnan(cells)] = np.inf
        first = np.argmin(d)  # the first row, then the first column, among equals
        if d.flat[first] > 60.0**2:
            assert np.isinf(distance[k])
            assert np.isnan(height[k])
        else:
            assert distance[k] == pytest.approx(math.sqrt(d.flat[first]))
            assert height[k] == cells.flat[first]
