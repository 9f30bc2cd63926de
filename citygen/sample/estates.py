"""Places that are designed as one: the housing estate, the school, the industrial estate, farms, the town hall."""

import numpy as np

from citygen.arraytypes import Float64
from citygen.sample.footprint import Footprint
from citygen.sample.shapes import h_shape, l_shape, put, rectangle, round_shape, u_shape, yard
from citygen.sample.stacks import tower


def _one(kind: str, ring: Float64, at: tuple[float, float], angle_deg: float, **tags: str) -> Footprint:
    return Footprint(
        kind, put(ring, np.array(at), angle_deg)[0], tags={k.replace("__", ":"): v for k, v in tags.items()}
    )


def _around(origin: Float64, angle_deg: float, x: float, y: float) -> tuple[float, float]:
    """Return where (x, y) of a site's own frame lies in the local frame."""
    here = put(np.array([[[x, y]]]), origin, angle_deg)[0, 0]
    return float(here[0]), float(here[1])


def with_yard(at: tuple[float, float], angle_deg: float, size: tuple[float, float, float], **tags: str) -> Footprint:
    """Build four wings of depth ``size[2]`` around a yard; ``size[0]`` by ``size[1]`` metres."""
    width, depth, wing = size
    ring, hole = (
        put(rectangle(width, depth), np.array(at), angle_deg)[0],
        put(yard(width, depth, wing), np.array(at), angle_deg)[0],
    )
    return Footprint("civic", ring, (hole,), {k.replace("__", ":"): v for k, v in tags.items()})


def housing_estate(middle: Float64, angle_deg: float) -> list[Footprint]:
    """Build what stands between the slabs of an estate: a tower in the ``middle`` and a row of garages."""
    out = tower((float(middle[0]), float(middle[1])), angle_deg, levels=14, is_round=False, name="Tour Horizon")
    for k in range(8):
        out.append(_one("garage", rectangle(3.0, 5.5), _around(middle, angle_deg, 26 + 3.0 * k, -3), angle_deg))
    return out


def school(origin: Float64, angle_deg: float) -> list[Footprint]:
    """Build a school: an H, a U, and a gymnasium under a round roof; the site is 75 by 60 m from ``origin``."""
    h = _one("school", h_shape(44, 34, 11, 10), _around(origin, angle_deg, 0, 0), angle_deg, name="Collège Jean-Zay")
    u = _one("school", u_shape(38, 18, 9, 9), _around(origin, angle_deg, 0, 42), angle_deg)
    gym = _one(
        "school",
        rectangle(22, 36),
        _around(origin, angle_deg, 52, 0),
        angle_deg,
        name="Gymnase",
        height="10,5",
        roof__shape="round",
        roof__height="3",
    )
    return [h, u, gym]


def industrial_estate(origin: Float64, angle_deg: float, rng: np.random.Generator) -> list[Footprint]:
    """Build halls, offices, silos and a shop along a service road; the site is 220 by 140 m from ``origin``."""
    halls: tuple[tuple[float, float, float, float, dict[str, str]], ...] = (
        (0, 0, 64, 42, {"roof:shape": "sawtooth", "height": "9.5", "roof:height": "3"}),
        (72, 0, 52, 46, {"roof:shape": "flat", "height": "11 m"}),
        (136, 4, 60, 36, {}),
        (0, 66, 40, 58, {"roof:shape": "sawtooth", "height": "31'6\"", "roof:height": "2.5", "building": "industrial"}),
        (52, 66, 44, 30, {}),
        (108, 68, 70, 52, {"building": "warehouse", "roof:shape": "flat", "height": "12,5"}),
        (52, 106, 30, 20, {"roof:shape": "butterfly", "height": "7", "roof:height": "1.5"}),
        (190, 70, 24, 40, {"roof:shape": "round", "roof:height": "4"}),
    )
    out = []
    for x, y, w, d, tags in halls:
        ring = put(rectangle(w, d), np.array(_around(origin, angle_deg, x, y)), angle_deg)[0]
        out.append(Footprint("hall", ring, tags=dict(tags)))
    ring = put(l_shape(26, 20, 10, 9), np.array(_around(origin, angle_deg, 200, 6)), angle_deg)[0]
    out.append(Footprint("shop", ring))
    places = [_around(origin, angle_deg, 84 + 8.0 * k, 109) for k in range(4)]
    out += [_one("silo", round_shape(7.0, 24), at, angle_deg) for at in places]
    for k in range(3):
        size = rng.uniform(4.0, 8.0)
        out.append(_one("shed", rectangle(size, 5.0), _around(origin, angle_deg, 186 + 9.0 * k, 118), angle_deg))
    return out


def farm(at: tuple[float, float], angle_deg: float, rng: np.random.Generator) -> list[Footprint]:
    """Build a farmstead: a U or L house around its court, a barn, sheds and a silo."""
    origin = np.array(at)
    u = rng.uniform() < 0.5
    house = u_shape(30, 24, 8.5, 9) if u else l_shape(26, 22, 9, 9.5)
    wide, deep = rng.uniform(16, 22), rng.uniform(28, 38)
    return [
        _one("farm", house, _around(origin, angle_deg, 0, 0), angle_deg),
        _one("barn", rectangle(wide, deep), _around(origin, angle_deg, 38, -4), angle_deg),
        _one("barn", rectangle(rng.uniform(24, 32), 11), _around(origin, angle_deg, -2, 34), angle_deg + 4),
        _one("shed", rectangle(5, 4), _around(origin, angle_deg, 28, -12), angle_deg - 9),
        _one("silo", round_shape(6.0, 20), _around(origin, angle_deg, 60, 2), 0.0),
    ]
