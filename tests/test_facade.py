"""Colours: given ones are kept, others hang on the id alone, classes have their palettes."""

import numpy as np
import pytest

from citygen.attributes.materials import ROOF_MATERIALS, WALL_MATERIALS
from citygen.facade import colours as palettes
from citygen.facade.colours import colours
from citygen.model.attributes import NO_COLOUR


def paint(ids, classes=None, flat=None, wall=None, roof=None, materials=None):
    n = len(ids)
    none = np.full(n, NO_COLOUR)
    return colours(
        np.array(ids, dtype=object),
        np.array(classes or [""] * n, dtype=object),
        np.zeros(n, dtype=bool) if flat is None else np.array(flat),
        (none if wall is None else np.array(wall), none if roof is None else np.array(roof)),
        None if materials is None else tuple(np.array(words, dtype=object) for words in materials),
    )


def test_given_colours_are_kept_to_the_bit():
    walls, roofs = paint(["a", "b"], wall=[0x123456, NO_COLOUR], roof=[NO_COLOUR, 0x000000])
    assert walls[0].tolist() == [0x12, 0x34, 0x56]
    assert roofs[1].tolist() == [0, 0, 0]
    assert walls.dtype == roofs.dtype == np.uint8


def test_a_building_keeps_its_colour_whatever_stands_beside_it():
    ids = [f"way/{k}" for k in range(300)]
    classes = ["house", "warehouse", "church", ""] * 75
    flat = [k % 3 == 0 for k in range(300)]
    every = np.concatenate(paint(ids, classes, flat), axis=1)
    for k in range(0, 300, 7):
        alone = np.concatenate(paint([ids[k]], [classes[k]], [flat[k]]), axis=1)
        assert alone[0].tolist() == every[k].tolist()
    back = np.concatenate(paint(ids[::-1], classes[::-1], flat[::-1]), axis=1)
    assert np.array_equal(back[::-1], every)


def test_colours_vary_and_stay_muted():
    walls, roofs = paint([f"way/1234{k}" for k in range(500)])
    for each in (walls, roofs):
        assert len(np.unique(each, axis=0)) >= 5
        assert np.ptp(each.astype(int), axis=1).max() < 130
        assert each.min() > 40


def test_every_known_material_has_colours_of_its_own():
    assert set(palettes.WALL_MATERIALS) == set(WALL_MATERIALS.values())
    assert set(palettes.ROOF_MATERIALS) == set(ROOF_MATERIALS.values())
    ids = [f"way/{k}" for k in range(100)]
    for name, palette in palettes.WALL_MATERIALS.items():
        walls, roofs = paint(ids, materials=([name] * 100, [""] * 100))
        assert {int(r) << 16 | int(g) << 8 | int(b) for r, g, b in walls.tolist()} == set(palette)
        assert np.array_equal(roofs, paint(ids)[1])
    for name, palette in palettes.ROOF_MATERIALS.items():
        roofs = paint(ids, materials=([""] * 100, [name] * 100))[1]
        assert {int(r) << 16 | int(g) << 8 | int(b) for r, g, b in roofs.tolist()} == set(palette)


def test_a_colour_stands_above_a_material_and_a_strange_material_changes_nothing():
    walls, _ = paint(["a", "b"], wall=[0x123456, NO_COLOUR], materials=(["brick", "papier mache"], ["", ""]))
    assert walls[0].tolist() == [0x12, 0x34, 0x56]
    assert walls[1].tolist() == paint(["a", "b"])[0][1].tolist()


def test_flat_and_pitched_and_industrial_roofs_differ():
    ids = [str(k) for k in range(200)]
    kinds = {
        "pitched": paint(ids)[1],
        "flat": paint(ids, flat=[True] * 200)[1],
        "industrial": paint(ids, classes=["warehouse"] * 200)[1],
        "civic": paint(ids, classes=["church"] * 200)[1],
    }
    sets = {name: {tuple(c) for c in found.tolist()} for name, found in kinds.items()}
    assert all(not sets[a] & sets[b] for a in sets for b in sets if a < b)


@pytest.mark.parametrize("strange", ["", "\ud800", "🏠", "\0", "x" * 10000, "<script>"])
def test_strange_ids_have_colours_too(strange):
    walls, roofs = paint([strange], [strange])
    assert walls.shape == roofs.shape == (1, 3)


def test_no_buildings():
    walls, roofs = paint([])
    assert walls.shape == roofs.shape == (0, 3)
