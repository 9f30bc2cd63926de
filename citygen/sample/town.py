"""
The plan of the bundled town: which block holds what, and what stands outside the blocks.

An old core of closed blocks around church and market on the hill top, terraces and an estate below, villas in gardens
on the slopes away from the river, industry on the flat by the water, farms along the roads out.
"""

import numpy as np
import shapely

from citygen.arraytypes import Float64
from citygen.sample.blocks import Block, blocks, street_point
from citygen.sample.estates import farm, housing_estate, industrial_estate, school, with_yard
from citygen.sample.footprint import Footprint, weld
from citygen.sample.frontage import Style, houses, inset
from citygen.sample.gardens import ribbon, villas, yard_sheds
from citygen.sample.stacks import chapel, church, tower, water_tower
from citygen.sample.terrain import river_y

SEED = 1186
CORE = Style("old_town", 0.0, (7.0, 10.5), (8.0, 10.5), wings=0.35, gaps=0.03)
OLD = Style("old_town", 0.0, (9.0, 13.5), (9.0, 11.5), wings=0.4, gaps=0.07)
SLABS = Style("apartments", 7.0, (33.0, 38.0), (12.0, 12.0), run=1, corners=False)
ROWS = Style("terrace", 3.0, (6.2, 7.4), (8.5, 10.0), run=7, corners=False)
MIXED = Style("terrace", 2.0, (8.0, 11.0), (8.5, 11.0), wings=0.35, gaps=0.22)
AOI_M: tuple[tuple[float, float], ...] = (
    (-575, -170), (-430, -300), (-120, -345), (170, -340), (430, -330), (720, -310), (770, -200), (790, -10),
    (660, 190), (520, 340), (370, 460), (110, 480), (-160, 520), (-350, 490), (-500, 380), (-575, 250), (-625, 0),
)  # fmt: skip
"""The area of interest, counter-clockwise; metres, local frame."""


def town() -> list[Footprint]:
    """
    Build the town.

    Returns
    -------
    list of Footprint
        Outlines and parts (a landmark's parts follow its outline); none broken, outlines do not overlap.
    """
    out: list[Footprint] = [*church((-33.0, 22.0), -4.0), *_market()]
    for block in blocks(SEED):
        rng = np.random.default_rng([SEED, block.band, block.number, 5])
        out += _filled(block, rng)
    return weld(_clear(out + _outside()))


def _market() -> list[Footprint]:
    """Build what stands on the market square: the market hall and a well house."""
    hall = {"building": "roof", "name": "Halle", "height": "8", "roof:shape": "hipped", "roof:height": "4.5"}
    ring = np.array([[-4.0, -26.0], [14.0, -24.0], [12.8, -13.0], [-5.2, -15.0]])
    well = np.array([-24.0, -16.0]) + 2.2 * np.column_stack(
        [np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)]
    )
    return [
        Footprint("set", ring, tags=hall),
        Footprint("set", well, tags={"building": "yes", "roof:shape": "pyramidal", "height": "4"}),
    ]


def _filled(block: Block, rng: np.random.Generator) -> list[Footprint]:
    """Build a block."""
    centre = block.centre
    if centre[1] - float(river_y(centre[0])) < 62.0:
        return []
    place = SPECIAL.get((block.band, block.number), "")
    if place == "open":
        return []
    if place:
        return _special(place, block, rng)
    style = (CORE, OLD, ROWS if block.number % 3 else MIXED)[block.band] if block.band < 3 else None
    if style:
        sheds = yard_sheds(block.ring, style.depth_m[1] + 4.0, rng) if block.band < 2 else []
        return houses(block.ring, block.corner, style, rng) + sheds
    return villas(block.ring, block.corner, rng, plot_m=(17.0, 23.0) if block.band == 3 else (21.0, 30.0))


SPECIAL: dict[tuple[int, int], str] = {
    (0, 3): "town hall",
    (2, 0): "estate",
    (2, 5): "school",
    **{(4, number): "open" for number in (0, 4, 5, 6, 11, 12)},
}
"""Blocks that are not what their band makes them; by band and number."""


def _special(place: str, block: Block, rng: np.random.Generator) -> list[Footprint]:
    """Build a block that is designed as one."""
    origin, angle = _site(block)
    if place == "rows":
        return houses(block.ring, block.corner, ROWS, rng)
    if place == "villas":
        return villas(block.ring, block.corner, rng)
    if place == "town hall":
        edge, hole = inset(block.ring, 2.0), inset(block.ring, 13.0)[::-1]
        tags = {"building": "townhall", "name": "Hôtel de Ville", "height": "14.5", "roof:shape": "mansard"}
        return [Footprint("civic", edge, (hole,), tags)]
    if place == "school":
        return school(origin, angle)
    if place == "estate":
        middle = street_point(block.band + 0.5, np.array([0.55]))[0]
        return housing_estate(middle, angle) + houses(block.ring, block.corner, SLABS, rng)
    raise ValueError(f"no such place: {place!r}")


def _site(block: Block) -> tuple[Float64, float]:
    """Return the lower left corner and the direction of a site in a block: along its outer street."""
    outer = np.flatnonzero(block.corner)
    start, end = block.ring[outer[1]], block.ring[outer[2]]
    along = (end - start) / np.sqrt(((end - start) ** 2).sum())
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    origin = start + 14.0 * along + 6.0 * np.array([-along[1], along[0]])
    return origin, angle


def _outside() -> list[Footprint]:
    """Build what stands outside the blocks."""
    rng = np.random.default_rng([SEED, 99])
    out = industrial_estate(np.array([455.0, -260.0]), 9.0, rng)
    for at, angle in (
        ((-540.0, -130.0), 24.0),
        ((330.0, 380.0), -31.0),
        ((560.0, 112.0), 52.0),
        ((-330.0, 385.0), 8.0),
    ):
        out += farm(at, angle, rng)
    out += ribbon(np.array([[425.0, 48.0], [500.0, 42.0], [575.0, 5.0], [650.0, -40.0], [742.0, -62.0]]), rng)
    out += ribbon(np.array([[-96.0, 405.0], [-150.0, 440.0], [-235.0, 452.0]]), rng)
    out += tower((372.0, 96.0), -20.0, levels=11, is_round=True, name="Résidence du Parc A")
    out += tower((352.0, 172.0), 25.0, levels=9, is_round=False, name="Résidence du Parc B")
    out += water_tower((-455.0, 330.0)) + chapel((-300.0, -262.0), 33.0)
    out.append(with_yard((-492.0, 8.0), 17.0, (38.0, 32.0, 8.0), building="monastery", name="Abbaye du Val"))
    return out


def _clear(footprints: list[Footprint]) -> list[Footprint]:
    """Leave out what would stand in another building, and houses that a sharp corner turned inside out.

    Parts follow their outline and share its fate.
    """
    footprints = [f for f in footprints if f.polygon().is_valid]
    polygons = np.array([f.polygon() for f in footprints], dtype=object)
    pairs = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    outline = np.maximum.accumulate([0 if f.is_part else k for k, f in enumerate(footprints)])
    gone: set[int] = set()
    for late, early in sorted(zip(*pairs.tolist(), strict=True)):
        parts = footprints[late].is_part or footprints[early].is_part
        if late > early and not parts and early not in gone and late not in gone:
            shared = shapely.area(shapely.intersection(polygons[late], polygons[early]))
            if shared > 1e-3:
                gone.add(late)
    return [footprint for k, footprint in enumerate(footprints) if outline[k] not in gone]
