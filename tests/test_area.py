"""The area of interest: the coarse mask says the same as the exact test, and reading ahead keeps order and errors."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from citygen.pipeline.ahead import ahead
from citygen.pipeline.area import Area
from citygen.pipeline.marked import Nearby

STAR = shapely.Polygon([(0, 0), (50, 20), (100, 0), (80, 50), (100, 100), (50, 80), (0, 100), (20, 50)])
RING = shapely.Polygon(shapely.box(0, 0, 100, 100).exterior, [shapely.box(40, 40, 60, 60).exterior])


@settings(deadline=None)
@given(st.sampled_from([STAR, RING]), st.integers(0, 2**32 - 1), st.floats(0.01, 30))
def test_mask_and_exact_test_agree(area: shapely.Polygon, seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    at = rng.uniform(-10, 110, (300, 2))
    boxes = shapely.box(*at.T, *(at + rng.uniform(0.1, 1, (300, 2)) * size).T)
    told = Area(area).touched(pa.array(shapely.to_wkb(boxes), pa.binary()), shapely.bounds(boxes))
    assert told.tolist() == shapely.intersects(area, boxes).tolist()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 3000), st.integers(1, 40))
def test_nearby_never_misses_and_leaves_most_out(seed: int, size: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    here, there = (rng.uniform(-5000, 5000, (n, 2)) for n in (count, 500))
    marked = np.concatenate([here, here + rng.uniform(0, 1, (count, 2)) * size], axis=1)
    asked = np.concatenate([there, there + rng.uniform(0, 20, (500, 2))], axis=1)
    told = Nearby(marked).maybe(asked)
    truth = shapely.intersects(shapely.box(*asked.T)[:, None], shapely.box(*marked.T)[None, :]).any(axis=1)
    assert told[truth].all()
    margin = np.array([-1, -1, 1, 1]) * (10_000 + size) / 1000
    wide = shapely.intersects(shapely.box(*(asked + margin).T)[:, None], shapely.box(*marked.T)[None, :]).any(axis=1)
    assert not told[~wide].any()


def test_ahead_raises_where_the_item_would_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("three")

    stream = ahead(items())
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(KeyError, match="three"):
        next(stream)


def test_ahead_closes_what_it_reads() -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    stream = ahead(items())
    assert next(stream) == 0
    stream.close()
    assert closed == [True]
