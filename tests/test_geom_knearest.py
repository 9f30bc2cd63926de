"""Nearest points of one's own group, against a search through all of them; order, ties and heaps."""

import numpy as np
import pytest

from citygen.geom.knearest import MOST_LOOKED_AT, k_nearest


def slowly(xy, group, queries, query_group, own, k, reach):
    out = np.full((len(queries), k), -1)
    for q in range(len(queries)):
        d2 = ((xy - queries[q]) ** 2).sum(axis=1)
        usable = [i for i in range(len(xy)) if group[i] == query_group[q] and i != own[q] and d2[i] <= reach**2]
        best = sorted(usable, key=lambda i: (d2[i], i))[:k]
        out[q, : len(best)] = best
    return out


@pytest.mark.parametrize("spread", [30.0, 900.0, 20_000.0])
@pytest.mark.parametrize("k", [1, 8])
def test_as_a_search_through_all(spread, k):
    random = np.random.default_rng(3)
    xy = np.round(random.random((300, 2)) * spread + (5e5, 5e6), 0)  # whole metres: many equal distances
    group = random.integers(0, 3, 300)
    queries = np.concatenate([xy[::2], random.random((40, 2)) * 2 * spread + (5e5, 5e6) - spread / 2])
    query_group = np.concatenate([group[::2], random.integers(0, 4, 40)])
    own = np.concatenate([np.arange(300)[::2], np.full(40, -1)])
    found, distance = k_nearest((xy, group), (queries, query_group), own, k=k, reach=500.0)
    assert np.array_equal(found, slowly(xy, group, queries, query_group, own, k, 500.0))
    there = found >= 0
    far = np.linalg.norm(queries[:, None] - xy[found], axis=2)
    assert np.allclose(distance[there], far[there], atol=1e-6)
    assert np.isinf(distance[~there]).all()


def test_a_heap_of_points_is_searched_in_bounded_time():
    xy = np.zeros((200_000, 2))
    group = np.zeros(len(xy), dtype=np.int64)
    found, _ = k_nearest((xy, group), (xy[:2000], group[:2000]), np.arange(2000), k=3, reach=10.0)
    assert found[0].tolist() == [1, 2, 3]
    assert found.max() < MOST_LOOKED_AT


def test_nothing_to_find_and_nothing_to_ask():
    none, group = np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
    one = np.zeros((1, 2)), np.zeros(1, dtype=np.int64)
    assert k_nearest((none, group), one, np.array([-1]), k=2, reach=1.0)[0].tolist() == [[-1, -1]]
    assert k_nearest(one, (none, group), group, k=2, reach=1.0)[0].shape == (0, 2)


def test_many_queries_are_answered_like_few() -> None:
    rng = np.random.default_rng(5)
    xy, group = rng.uniform(0, 3000, (9000, 2)), rng.integers(0, 3, 9000)
    own = np.arange(9000)
    many = k_nearest((xy, group), (xy, group), own, k=4, reach=200.0)
    pieces = [slice(a, a + 1000) for a in range(0, 9000, 1000)]
    few = [k_nearest((xy, group), (xy[p], group[p]), own[p], k=4, reach=200.0) for p in pieces]
    assert np.array_equal(many[0], np.concatenate([index for index, _ in few]))
    assert np.array_equal(many[1], np.concatenate([distance for _, distance in few]))
