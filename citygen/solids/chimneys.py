"""
Numbers of chimneys to chimneys on sloped roof faces.

A chimney is an upright prism near the head of a slope. It ends above the ridge, or a metre above the roof where the ridge is
far above it, as building rules ask for draught (DIN V 18160-1: 0.4 m above the ridge or 1 m above the roof's surface).
"""

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.model.meshes import Meshes
from citygen.outcome import reason
from citygen.params import Param
from citygen.solids.chance import uniform
from citygen.solids.insert import PRISM, Things
from citygen.solids.slopes import Room, find_places, find_slopes, stand

FEWER = reason("chimneys_fewer", "degraded", "The roof has no room for as many chimneys as the data ask for.")
FITTED = reason("chimneys_fitted", "ok", "The roof has no room for as many chimneys as the option gave it.")

PITCH = Param("pitch_deg", 35.0, 4.0, 65.0, "Slopes that take chimneys.")
WIDTH = Param("width_m", 0.75, 0.5, 2.0, "Along the slope.")
DEPTH = Param("depth_m", 0.6, 0.4, 1.0, "Across the slope, in plan.")
GAP = Param("gap_m", 1.2, 0.5, 5.0, "Between two chimneys of a row.")
MARGIN = Param("margin_m", 0.3, 0.2, 2.0, "To the edges of the slope, in plan.")
ABOVE_RIDGE = Param("above_ridge_m", 0.7, 0.4, 2.0, "Top over the building's ridge.")
ABOVE_ROOF = Param("above_roof_m", 1.0, 0.6, 2.2, "Top over the roof where the chimney leaves it: least and most.")

_RIDGE_M = 1.0
"""A slope whose head is this near to the solid's top reaches the ridge."""

_HEATED = {
    "", "house", "detached", "semidetached_house", "terrace", "bungalow", "farm", "villa", "cabin", "residential", "hotel",
}  # fmt: skip
_BLOCKS = {"apartments", "dormitory", "school"}


def auto_chimneys(class_name: Objects, area_m2: Float64, seed: Int64) -> Int64:
    """
    Choose how many chimneys buildings with a pitched roof have where nothing says it.

    Parameters
    ----------
    class_name : (n,) object of str
        Building types.
    area_m2 : (n,) float64
        Floor areas.
    seed : (n,) int64
        Of the feature ids.

    Returns
    -------
    (n,) int64
        Three quarters of the houses of 40 to 600 m2 have one, some of the larger ones two; blocks one for every 150 m2, up to
        six; what is neither has none.
    """
    words = class_name.tolist()
    heated = np.array([word in _HEATED for word in words], dtype=bool) & (area_m2 >= 40) & (area_m2 <= 600)
    block = np.array([word in _BLOCKS for word in words], dtype=bool) & (area_m2 >= 60)
    luck = uniform(seed, 4)
    house = np.where(luck < 0.75, 1, 0) + np.where((luck < 0.2) & (area_m2 > 110), 1, 0)
    many = np.clip(np.rint(np.where(block, area_m2, 0.0) / 150), 1, 6)
    return np.where(heated, house, np.where(block, many, 0)).astype(np.int64)


def place_chimneys(meshes: Meshes, wanted: Int64, seed: Int64, allowed: Bool) -> Things:
    """
    Place chimneys.

    Parameters
    ----------
    meshes : Meshes
        Certified solids; holes of their faces (dormers) are kept clear of.
    wanted : (n,) int64
        How many each table row gets, on all its solids together.
    seed : (n,) int64
        Of the rows' feature ids.
    allowed : (f,) bool
        Faces that may take one.

    Returns
    -------
    Things
        Fewer than wanted where there is no room.
    """
    slopes = find_slopes(meshes, allowed, (PITCH.low, PITCH.high))
    row = meshes.solid_row[slopes.solid]
    top = _tops(meshes)[slopes.solid]
    size = 0.85 + 0.4 * uniform(seed, 5)[row]
    width, depth = WIDTH.default * size, DEPTH.default * np.minimum(size, 1.1)
    turn = np.arange(len(slopes)) - np.searchsorted(slopes.solid, slopes.solid)  # within its solid
    lean = 0.85 + 0.3 * uniform(seed[row] + 7919 * turn, 6)  # so that of two like slopes chance takes one
    ridged = slopes.height(slopes.high) >= top - _RIDGE_M
    each = np.ceil(wanted / np.maximum(np.bincount(row[ridged], minlength=len(wanted)), 1))[row]
    luck = uniform(seed, 7)  # off the middle of a row: those of two slopes of one ridge then stand apart
    room = Room(
        width=width,
        depth=depth,
        side=np.full(len(slopes), MARGIN.default),
        end=np.full(len(slopes), MARGIN.default),
        gap=GAP.default,
        weight=np.where(ridged, 1.0, 0.05) * lean,
        shares=(1.0, 0.85, 0.7, 0.5, 0.3, 0.15, 0.0),
        inset=0.5 * width,
        enough=width + (width + GAP.default) * each,
    )
    index, along, across = find_places(meshes, slopes, room, (wanted, 0.1 + 0.5 * luck + 0.3 * (luck >= 0.5)))
    at = slopes.take(index)
    half, far = 0.5 * width[index], across + depth[index]
    head = at.height(far)
    lid = head + np.clip(top[index] + ABOVE_RIDGE.default - head, ABOVE_ROOF.default, ABOVE_ROOF.high)
    ring = ((along - half, across), (along + half, across), (along + half, far), (along - half, far))
    places = (*((u, v, at.height(v)) for u, v in ring), *((u, v, lid) for u, v in ring))
    return Things(PRISM, at.face, stand(at, places))


def _tops(meshes: Meshes) -> Float64:
    """Return the highest z of each solid."""
    return np.maximum.reduceat(meshes.vertices[:, 2], meshes.solid_vertices[:-1])
