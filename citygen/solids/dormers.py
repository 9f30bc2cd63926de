"""
Numbers of dormers to dormers on sloped roof faces.

A dormer has a front wall, upright, a little above the eave; two cheeks; and a roof that runs back level, or nearly so, until
it meets the slope: two planes with a ridge ('gabled'), or one plane ('shed'). A building's dormers are of one kind and
size, evenly spaced along the slopes that start at its eaves, more on the longer ones.
"""

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64, Objects
from citygen.model.meshes import ROOF, Meshes
from citygen.outcome import reason
from citygen.params import Param
from citygen.solids.chance import uniform
from citygen.solids.insert import GABLE, SHED, Things
from citygen.solids.slopes import Room, Slopes, find_places, find_slopes, stand

FEWER = reason("dormers_fewer", "degraded", "The roof has no room for as many dormers as the data ask for.")
FITTED = reason("dormers_fitted", "ok", "The roof has no room for as many dormers as the option gave it.")

PITCH = Param("pitch_deg", 45.0, 25.0, 78.0, "Slopes that take dormers.")
WIDTH = Param("width_m", 1.8, 1.1, 2.3, "Across the front.")
FRONT = Param("front_m", 1.45, 0.95, 1.9, "Height of the front wall's sides above the roof.")
GAP = Param("gap_m", 0.9, 0.5, 3.0, "Between two dormers.")
MARGIN = Param("margin_m", 0.45, 0.3, 2.0, "To the edges of the slope, measured on it.")
ROOF_PITCH = Param(
    "roof_pitch_deg", 38.0, 30.0, 45.0, "Of a gabled dormer's own roof: as the slope's, within the bounds."
)
SHED_PITCH = Param(
    "shed_pitch_deg", 8.0, 4.0, 20.0, "Of a shed dormer's own roof: a fifth of the slope's, within the bounds."
)

_EAVE_M = 0.3
"""A slope whose foot is this near to the roof's lowest place starts at an eave."""

_DWELLINGS = {
    "", "house", "detached", "semidetached_house", "terrace", "farm", "villa", "residential", "apartments", "hotel", "school",
}  # fmt: skip


def auto_dormers(class_name: Objects, area_m2: Float64, seed: Int64) -> Int64:
    """
    Choose how many dormers buildings with a pitched roof have where nothing says it: none on most, and as chance will.

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
        Two fifths of the dwellings of 60 m2 and more have one for every 4.5 m or so of an eave, on one or on both sides.
    """
    dwelling = np.array([word in _DWELLINGS for word in class_name.tolist()], dtype=bool)
    some = dwelling & (area_m2 >= 60) & (area_m2 <= 2000) & (uniform(seed, 0) < 0.4)
    eave = 1.2 * np.sqrt(np.where(some, area_m2, 0.0))
    a_side = np.clip(np.rint(eave / 4.5), 1, 8)
    sides = np.where(uniform(seed, 1) < 0.7, 2, 1)
    return np.where(some, a_side * sides, 0).astype(np.int64)


def place_dormers(meshes: Meshes, wanted: Int64, seed: Int64, allowed: Bool) -> list[Things]:
    """
    Place dormers.

    Parameters
    ----------
    meshes : Meshes
        Certified solids.
    wanted : (n,) int64
        How many each table row gets, on all its solids together.
    seed : (n,) int64
        Of the rows' feature ids.
    allowed : (f,) bool
        Faces that may take one.

    Returns
    -------
    list of Things
        At most one entry a kind; fewer than wanted where there is no room.
    """
    slopes = find_slopes(meshes, allowed, (PITCH.low, PITCH.high))
    row = meshes.solid_row[slopes.solid]
    shed = uniform(seed, 2)[row] < np.where(slopes.rise < np.tan(np.radians(33.0)), 0.8, 0.35)
    size = 0.92 + 0.16 * uniform(seed, 3)[row]
    end = MARGIN.default / np.hypot(1.0, slopes.rise)  # measured on the slope
    width, front, depth = _shrunk(slopes, shed, size, slopes.high - slopes.low - 2 * end)
    room = Room(
        width=width,
        depth=depth,
        side=np.full(len(slopes), MARGIN.default),
        end=end,
        gap=GAP.default,
        weight=np.where(_at_eave(meshes, slopes), 1.0, 0.02),
        shares=(0.25, 0.5, 0.75, 0.0),
        inset=np.zeros(len(slopes)),
        enough=np.full(len(slopes), np.inf),
    )
    fits = front >= FRONT.low
    index, along, across = find_places(meshes, slopes.take(fits), room.take(fits), (wanted, np.full(len(wanted), 0.5)))
    at = np.flatnonzero(fits)[index]
    out = []
    for kind, build in ((~shed[at], _gabled), (shed[at], _shed)):
        if kind.any():
            mine = at[kind]
            out.append(build(slopes.take(mine), (width[mine], front[mine]), (along[kind], across[kind])))
    return out


def _at_eave(meshes: Meshes, slopes: Slopes) -> Bool:
    """Say which slopes start at the lowest place of their solid's roof."""
    lowest = np.full(len(meshes), np.inf)
    roof_face = np.repeat(meshes.face_class == ROOF, np.diff(meshes.ring_offsets[meshes.face_offsets]))
    corner = np.flatnonzero(roof_face)
    vertex = meshes.corners[corner]
    solid = np.searchsorted(meshes.solid_vertices, vertex, side="right") - 1
    np.minimum.at(lowest, solid, meshes.vertices[vertex, 2])
    out: Bool = slopes.height(slopes.low) <= lowest[slopes.solid] + _EAVE_M
    return out


def _shrunk(slopes: Slopes, shed: Bool, size: Float64, free: Float64) -> tuple[Float64, Float64, Float64]:
    """Return width, front and depth of dormers that are made smaller until they fit into the slope; the front gives way last."""
    width, front = WIDTH.default * size, FRONT.default * size
    climb = np.where(shed, slopes.rise - _shed_rise(slopes), slopes.rise)
    wish = (front + np.where(shed, 0.0, _gable(slopes, width))) / climb
    width = np.maximum(width * np.clip(free / wish, 0.0, 1.0), WIDTH.low)
    gable = np.where(shed, 0.0, _gable(slopes, width))
    front = np.minimum(front, free * climb - gable)
    return width, front, (front + gable) / climb


def _gable(slopes: Slopes, width: Float64) -> Float64:
    """Return the height of a gabled dormer's gable."""
    own = np.clip(slopes.rise, np.tan(np.radians(ROOF_PITCH.low)), np.tan(np.radians(ROOF_PITCH.high)))
    out: Float64 = 0.5 * width * own
    return out


def _shed_rise(slopes: Slopes) -> Float64:
    """Return the tangent of a shed dormer's own pitch."""
    pitch = np.clip(0.2 * np.degrees(np.arctan(slopes.rise)), SHED_PITCH.low, SHED_PITCH.high)
    out: Float64 = np.tan(np.radians(pitch))
    return out


def _gabled(slopes: Slopes, size: tuple[Float64, Float64], place: tuple[Float64, Float64]) -> Things:
    """Build gabled dormers, one a slope."""
    (width, front), (along, across) = size, place
    half, sill = 0.5 * width, slopes.height(across)
    eave, top = sill + front, sill + front + _gable(slopes, width)
    cheek, back = across + front / slopes.rise, across + (top - sill) / slopes.rise
    places = (
        (along - half, across, sill),
        (along + half, across, sill),
        (along + half, cheek, eave),
        (along, back, top),
        (along - half, cheek, eave),
        (along - half, across, eave),
        (along + half, across, eave),
        (along, across, top),
    )
    return Things(GABLE, slopes.face, stand(slopes, places))


def _shed(slopes: Slopes, size: tuple[Float64, Float64], place: tuple[Float64, Float64]) -> Things:
    """Build shed dormers, one a slope."""
    (width, front), (along, across) = size, place
    half, sill = 0.5 * width, slopes.height(across)
    back = across + front / (slopes.rise - _shed_rise(slopes))
    places = (
        (along - half, across, sill),
        (along + half, across, sill),
        (along + half, back, slopes.height(back)),
        (along - half, back, slopes.height(back)),
        (along - half, across, sill + front),
        (along + half, across, sill + front),
    )
    return Things(SHED, slopes.face, stand(slopes, places))
