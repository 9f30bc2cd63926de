"""
Our straight skeletons against CGAL's exact ones: the same roof to a millimetre, on thousands of random and real outlines.

Where the two disagree, what a straight skeleton is decides (``skeleton_faces.faults``): CGAL's rounded output fails on a few
outlines, ours may on none.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from outlines import FAMILIES, outline
from shapely.geometry import Polygon

from cgal import exact_skeleton, need_oracle
from citygen.buildings.repair import repair
from citygen.geom.faces import straight_skeletons
from citygen.model.rings import from_polygons, to_polygons
from shapes import plans, real_footprints, skeleton_plans, turned
from skeleton_faces import HEIGHT_M, Skeleton, apart, edges_of, faults

SIZES = (4, 8, 12, 20)
QUICK, MANY = 12, 150
ONCE_WRONG = [
    ("nearly", 4, 162), ("nearly", 4, 495), ("nearly", 8, 33), ("nearly", 8, 191), ("nearly", 8, 303), ("nearly", 8, 377),
    ("nearly", 8, 397), ("nearly", 8, 585), ("nearly", 12, 338), ("nearly", 20, 19), ("nearly", 20, 35), ("nearly", 20, 135),
    ("nearly", 20, 384), ("nearly", 20, 413), ("nearly", 20, 519), ("nearly", 20, 539), ("nearly", 50, 63), ("nearly", 50, 79),
    ("nearly", 50, 356), ("nearly", 50, 362), ("nearly", 50, 401), ("nearly", 50, 538), ("nearly", 50, 578), ("nearly", 50, 584),
]  # fmt: skip
"""Family, vertices and number of outlines whose skeleton once was none, or had faces that were not simple."""


@pytest.fixture(autouse=True, scope="module")
def _oracle() -> None:
    need_oracle()


def ours(polygon: Polygon) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Return nodes (m, 3) in metres and the node numbers around each face; None where the kernel gives nothing."""
    rings = from_polygons(np.array([polygon]))
    found = straight_skeletons(rings.coords, rings.ring_offsets, rings.polygon_offsets)
    return (found.nodes, [found.corners[a:b] for a, b in pairwise(found.face_offsets)]) if found.ok[0] else None


def compare(polygons: Iterable[tuple[str, Polygon]]) -> tuple[int, dict[str, str], dict[str, str]]:
    """Return how many skeletons there were, and what is wrong with ours and with the oracle's, by name."""
    count, wrong, theirs = 0, {}, {}
    for name, raw in polygons:
        found, _ = repair(np.array([raw], dtype=object))
        for k, polygon in enumerate(to_polygons(found.rings)):
            count += 1
            mine, exact = ours(polygon), exact_skeleton(polygon)
            bad = faults(polygon, Skeleton(*mine)) if mine else {"no skeleton"}
            if bad:
                wrong[f"{name}/{k}"] = f"{sorted(bad)} {shapely.to_wkt(polygon, rounding_precision=17)}"
            odd = {exact} if isinstance(exact, str) else faults(polygon, exact, rounded=True)
            if odd:
                theirs[f"{name}/{k}"] = str(sorted(odd))
            if not bad and not odd and (gap := apart(polygon, Skeleton(*mine), exact)) > HEIGHT_M:
                wrong[f"{name}/{k}"] = f"{gap:.6f} m from the oracle's {shapely.to_wkt(polygon, rounding_precision=17)}"
    return count, wrong, theirs


def assert_same(polygons: Iterable[tuple[str, Polygon]], *, least: int, odd_share: float = 0.01) -> None:
    """Ours are all right and equal to the oracle's, which itself fails on few."""
    count, wrong, theirs = compare(polygons)
    assert count >= least
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert len(theirs) <= odd_share * count, theirs


def random_outlines(family: str, sizes: Iterable[int], numbers: range) -> Iterable[tuple[str, Polygon]]:
    return ((f"{family}-{n}-{k}", outline(family, n, k)) for n in sizes for k in numbers)


@pytest.mark.parametrize("family", FAMILIES)
def test_random_outlines(family: str) -> None:
    assert_same(random_outlines(family, SIZES, range(QUICK)), least=QUICK * len(SIZES))


@pytest.mark.parametrize("turn", [0.0, 23.0])
def test_drawn_outlines(turn: float) -> None:
    drawn = [(name, turned(plan, turn)) for name, plan in plans().items() if len(edges_of(plan)) <= 200]
    assert_same(drawn, least=35)


def test_outlines_that_broke_other_kernels(testdata: Path) -> None:
    assert_same(skeleton_plans(testdata, most_vertices=200).items(), least=200, odd_share=0.03)


@pytest.mark.parametrize(("family", "n", "k"), ONCE_WRONG)
def test_outlines_that_once_went_wrong(family: str, n: int, k: int) -> None:
    assert_same(random_outlines(family, [n], range(k, k + 1)), least=1)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_many_random_outlines(family: str) -> None:
    assert_same(random_outlines(family, SIZES, range(QUICK, MANY)), least=(MANY - QUICK) * len(SIZES))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_large_random_outlines(family: str) -> None:
    assert_same(random_outlines(family, [50], range(80)), least=80)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01", "08", "11"])
def test_real_footprints(name: str, testdata: Path, tmp_path: Path) -> None:
    real = real_footprints(testdata, tmp_path, name, most=700)
    small = [(str(k), plan) for k, plan in enumerate(real) if shapely.get_num_coordinates(plan) <= 150]
    assert_same(small, least=300)
