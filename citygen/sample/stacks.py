"""
Landmarks to outlines with ``building:part`` stacks: the church, towers of three parts, a water tower, a chapel.

The outline comes first; each part lies within it. Tags follow the OSM page "Simple 3D Buildings".
"""

import numpy as np

from citygen.arraytypes import Float64
from citygen.sample.footprint import Footprint
from citygen.sample.shapes import put, rectangle, round_shape


def _part(ring: Float64, **tags: str) -> Footprint:
    """Make a part; keywords are tags with ``__`` for a colon."""
    return Footprint("set", ring, tags={"building:part": "yes", **{k.replace("__", ":"): v for k, v in tags.items()}})


def _box(x: tuple[float, float], y: tuple[float, float]) -> Float64:
    return np.asarray(rectangle(x[1] - x[0], y[1] - y[0])[0] + np.array([x[0], y[0]]))


def _moved(things: list[Footprint], at: tuple[float, float], angle_deg: float) -> list[Footprint]:
    moved = []
    for thing in things:
        ring = put(thing.ring[None], np.array(at), angle_deg)[0]
        moved.append(Footprint(thing.kind, ring, tags=thing.tags))
    return moved


def church(at: tuple[float, float], angle_deg: float) -> list[Footprint]:
    """
    Build the town's church: tower with a spire in the west, nave, transept, choir, apse.

    Parameters
    ----------
    at : pair of float
        Middle of the tower's west wall; metres, local frame.
    angle_deg : float
        Direction of the nave, counter-clockwise from east.

    Returns
    -------
    list of Footprint
        The outline, then six parts.
    """
    bow = np.radians(np.array([-60.0, -20.0, 20.0, 60.0]))
    apse = np.column_stack([43.0 + 6.5 * np.cos(bow), 5.5 * np.sin(bow) / np.sin(bow[-1])])
    apse[[0, -1]] = [[43.0, -5.5], [43.0, 5.5]]
    south = [(0, -4), (8, -4), (8, -8), (25, -8), (25, -13), (33, -13), (33, -5.5)]
    outline = np.concatenate([np.array(south, dtype=np.float64), apse, (np.array(south) * [1, -1])[::-1]])
    tower = _box((0, 8), (-4, 4))
    name = "Église Saint-Amable"
    tags = {"building": "church", "name": name, "height": "52", "building:colour": "#c9b48f"}
    parts = [
        _part(tower, height="31", roof__shape="flat", building__colour="#c9b48f"),
        _part(tower, min_height="31", height="52", roof__shape="pyramidal", roof__height="17", roof__colour="#4f5358"),
        _part(
            _box((8, 25), (-8, 8)), height="17.5", roof__shape="gabled", roof__height="6.5", roof__orientation="along"
        ),
        _part(_box((25, 33), (-13, 13)), height="17.5", roof__shape="gabled", roof__height="6.5"),
        _part(_box((33, 43), (-5.5, 5.5)), height="15", roof__shape="gabled", roof__height="5"),
        _part(apse, height="12", roof__shape="half-dome", roof__height="3"),
    ]
    return _moved([Footprint("set", outline, tags=tags), *parts], at, angle_deg)


def chapel(at: tuple[float, float], angle_deg: float) -> list[Footprint]:
    """Build a chapel: a nave and an eight-sided tower under an onion; its outline and three parts."""
    tower = round_shape(6.0, 8)[0] - np.array([3.0, 3.0])
    tower = tower[np.argsort(np.arctan2(tower[:, 1], tower[:, 0]))]
    edge = float(tower[:, 0].max())  # the tower's east wall stands on the nave's west wall
    nave = _box((edge, edge + 14.0), (-4.5, 4.5))
    ring = np.concatenate([_chain(tower), nave])
    parts = [
        _part(nave, height="9 m", roof__shape="gabled", roof__height="4 m", roof__colour="maroon"),
        _part(tower, height="12", roof__shape="flat"),
        _part(tower, min_height="12", height="19.5", roof__shape="onion", roof__height="6", roof__colour="#3f6f5f"),
    ]
    tags = {"building": "chapel", "name": "Chapelle du Val", "height": "64'"}
    return _moved([Footprint("set", ring, tags=tags), *parts], at, angle_deg)


def _chain(tower: Float64) -> Float64:
    """Return the tower's corners counter-clockwise from its upper to its lower east one."""
    start = int(np.argmax(tower[:, 0] + 1e-3 * tower[:, 1]))
    return np.roll(tower, -start, axis=0)


def tower(at: tuple[float, float], angle_deg: float, *, levels: int, is_round: bool, name: str) -> list[Footprint]:
    """
    Build a residential tower: podium, shaft and crown.

    Parameters
    ----------
    at : pair of float
        Its middle; metres, local frame.
    angle_deg : float
        Counter-clockwise from east.
    levels : int
        Storeys of the shaft.
    is_round : bool
        Whether shaft and crown are round.
    name : str
        What people call it.

    Returns
    -------
    list of Footprint
        The outline, then three parts with ``min_height``.
    """
    podium = _box((-17, 17), (-12, 12))
    middle = round_shape(18.0, 24)[0] - 9.0 if is_round else _box((-10, 10), (-8, 8))
    crown = round_shape(12.0, 24)[0] - 6.0 if is_round else _box((-6, 6), (-5, 5))
    top = 6 + 3 * levels
    shaft = _part(middle, height=str(top), min_height="6", building__levels=str(levels + 2), building__min_level="2")
    parts = [
        _part(podium, height="6", building__levels="2", roof__shape="flat"),
        shaft,
        _part(
            crown,
            height=f"{top + 5}.5",
            min_height=str(top),
            roof__shape="dome" if is_round else "pyramidal",
            roof__height="3.5",
        ),
    ]
    tags = {"building": "apartments", "name": name, "height": f"{top + 5}.5", "building:levels": str(levels + 2)}
    return _moved([Footprint("set", podium, tags=tags), *parts], at, angle_deg)


def water_tower(at: tuple[float, float]) -> list[Footprint]:
    """Build a round water tower: a tank on a narrower shaft; its outline and two parts."""
    tank, shaft = round_shape(13.0, 32)[0] - 6.5, round_shape(7.0, 32)[0] - 3.5
    parts = [
        _part(shaft, height="18"),
        _part(tank, min_height="18", height="27", roof__shape="dome", roof__height="3"),
    ]
    tags = {"building": "water_tower", "name": "Château d'eau", "height": "27"}
    return _moved([Footprint("set", tank, tags=tags), *parts], at, 0.0)
