"""
A town's number to its buildings: the same kind of town as the bundled one, at any count.

Country is a lattice of squares, a town in each. A town is a lattice of blocks at an angle of its own, bent by a smooth
warp; closed blocks around its middle, terraces around them, then villas, slabs, halls and silos. Party walls share
corners exactly: both sides warp the same point. Everything is drawn for all blocks of a town at once.
"""

from dataclasses import dataclass

import numpy as np
import shapely

from citygen.arraytypes import Float64, Int64, Objects
from citygen.sample.kinds import CODES
from citygen.sample.lots import BUILD, STACK, Lot
from citygen.sample.shapes import put
from citygen.sample.tags import DRAWN, attributes

SQUARE_M = 900.0
"""Side of a town's square."""
_STREET_M = 9.0


@dataclass(frozen=True, slots=True)
class Town:
    """
    Many buildings.

    Attributes
    ----------
    polygons : (n,) object of shapely.Polygon
        Metres, local frame.
    kinds : (n,) int64
        Codes of ``kinds.KINDS``.
    part : (n,) int64
        -1, or an index into ``lots.STACK``.
    tags : (n, len(tags.DRAWN)) int64
        Codes into the vocabularies of ``tags.vocabularies``; -1 where missing.
    """

    polygons: Objects
    kinds: Int64
    part: Int64
    tags: Int64


def town(seed: int, column: int, row: int) -> Town:
    """
    Build the town of one square.

    Parameters
    ----------
    seed : int
        Changes all towns.
    column, row : int
        The square, counted from the lattice's origin; its lower left corner is (column, row) times ``SQUARE_M``.

    Returns
    -------
    Town
        About 2,000 buildings; always the same ones, whichever other squares are built.

    Examples
    --------
    >>> len(town(1, 0, 0).polygons) > 1000
    True
    """
    rng = np.random.default_rng([seed, column, row])
    size = np.array([rng.uniform(86.0, 108.0), rng.uniform(48.0, 57.0)])
    angle_deg = float(rng.uniform(0.0, 90.0))
    waves = rng.uniform(size=(3, 2))
    centre = (np.array([column, row]) + 0.5) * SQUARE_M
    at, use = _blocks(size, angle_deg, rng)
    lots = [lot for name, build in BUILD.items() for lot in build(at[use == name] - size / 2, size, rng)]
    parts = [_placed(lot, waves, angle_deg, centre) for lot in lots if len(lot.rings)]
    polygons, kinds, bearing_deg, part = (np.concatenate(values) for values in zip(*parts, strict=True))
    drawn = attributes(kinds, bearing_deg, rng)
    return Town(polygons, kinds, part, np.column_stack([drawn[name].codes for name in DRAWN]))


def _blocks(size: Float64, angle_deg: float, rng: np.random.Generator) -> tuple[Float64, Objects]:
    """Return block centres, (n, 2) float64 in the town's frame, that lie within its square, and what each holds."""
    pitch = size + _STREET_M
    reach = int(np.ceil(SQUARE_M * 0.75 / pitch.min()))
    steps = np.arange(-reach, reach + 1)
    i, j = np.meshgrid(steps, steps)
    at = np.column_stack([i.ravel() * pitch[0] + 0.5 * pitch[0] * (j.ravel() % 2), j.ravel() * pitch[1]])
    turned = np.abs(put(at[:, None, :], np.zeros(2), angle_deg)[:, 0])
    at = at[turned.max(axis=1) < SQUARE_M / 2 - 56.0]
    far = np.sqrt(((at - rng.uniform(-120.0, 120.0, 2)) ** 2).sum(axis=1)) / (SQUARE_M / 2)
    zone = far + rng.normal(0.0, 0.1, len(at))
    use = np.full(len(at), "villas", dtype=object)
    use[zone < 0.84] = "rows"
    use[zone < rng.uniform(0.42, 0.6)] = "closed"
    special = rng.uniform(size=len(at))
    for low, high, name in ((0.0, 0.05, "yards"), (0.05, 0.09, "slabs"), (0.09, 0.12, "towers"), (0.12, 0.15, "park")):
        use[(special >= low) & (special < high)] = name
    side = put(at[:, None, :], np.zeros(2), angle_deg - rng.uniform(0, 360))[:, 0, 0]
    use[(side > 310.0) & (zone > 0.5)] = "halls"
    return at, use


def _placed(lot: Lot, waves: Float64, angle_deg: float, centre: Float64) -> tuple[Objects, Int64, Float64, Int64]:
    """Warp, turn and move a lot; return its polygons, kinds, bearings and parts."""
    n = len(lot.rings)
    anchors = lot.rings.mean(axis=1) if lot.rigid else None
    outer = put(_warped(lot.rings, anchors, waves), centre, angle_deg)
    rings = [outer]
    if lot.holes is not None:
        rings.append(put(_warped(lot.holes, anchors, waves), centre, angle_deg))
    side = outer[:, 1] - outer[:, 0]
    part = STACK.index(lot.part) if lot.part else -1
    return (
        _polygons(rings),
        np.full(n, CODES[lot.kind]),
        np.degrees(np.arctan2(side[:, 0], side[:, 1])) % 360,
        np.full(n, part),
    )


def _polygons(rings: list[Float64]) -> Objects:
    """Make polygons of outlines and, if any, one hole each; rings are (n, m, 2)."""
    n = len(rings[0])
    closed = np.concatenate([np.concatenate([ring, ring[:, :1]], axis=1) for ring in rings], axis=1)
    each = np.tile([ring.shape[1] + 1 for ring in rings], n)
    offsets = np.concatenate([[0], np.cumsum(each)])
    polygons: Objects = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, closed.reshape(-1, 2), (offsets, np.arange(n + 1) * len(rings))
    )
    return polygons


def _warped(rings: Float64, anchors: Float64 | None, waves: Float64) -> Float64:
    """Bend the town: each corner, or each building as a whole about its anchor."""
    if anchors is None:
        return rings + _bend(rings, waves)[0]
    shift, turn = _bend(anchors, waves)
    offset = rings - anchors[:, None, :]
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    x, y = offset[..., 0], offset[..., 1]
    return (anchors + shift)[:, None, :] + np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)


def _bend(points: Float64, waves: Float64) -> tuple[Float64, Float64]:
    """Return the shift of points (..., 2) by three shear waves, and by how many radians it turns things there."""
    shift, turn = np.zeros_like(points), np.zeros(points.shape[:-1])
    for k, (phase, heading) in enumerate(waves):
        length, angle = (520.0, 760.0, 990.0)[k] / (2 * np.pi), 2 * np.pi * heading
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        where = points @ along / length + 2 * np.pi * phase
        shift = shift + 0.1 * length * np.sin(where)[..., None] * across
        turn = turn + 0.5 * 0.1 * np.cos(where)
    return shift, turn


def take(source: Town, rows: slice) -> Town:
    """Return some buildings of a town."""
    return Town(source.polygons[rows], source.kinds[rows], source.part[rows], source.tags[rows])


def join(towns: list[Town]) -> Town:
    """Return the buildings of many towns as one."""
    columns = zip(*((t.polygons, t.kinds, t.part, t.tags) for t in towns), strict=True)
    return Town(*(np.concatenate(column) for column in columns))
