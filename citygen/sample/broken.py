"""Eight outlines that no building can have, each with a note of what is wrong, and one odd outline that is fine."""

from dataclasses import dataclass, field

import numpy as np

from citygen.arraytypes import Float64

Shells = tuple[tuple[Float64, ...], ...]


@dataclass(frozen=True, slots=True)
class Oddity:
    """
    One feature that the layout of the town would never make.

    Attributes
    ----------
    fid : str
        Its id.
    shells : tuple of tuple of (m, 2) float64
        Polygons, each a shell and its holes, open rings in metres, local frame; empty for a null geometry.
    tags : dict of str to str
        Its attributes.
    """

    fid: str
    shells: Shells
    tags: dict[str, str] = field(default_factory=dict)


_BROKEN: tuple[tuple[str, tuple[tuple[tuple[float, float], ...], ...]], ...] = (
    ("bow-tie: two sides cross", (((0, 0), (12, 9), (12, 0), (0, 9)),)),
    ("spike: a side runs out and back on itself", (((0, 0), (12, 0), (12, 4), (19, 4), (12, 4), (12, 9), (0, 9)),)),
    ("duplicate points", (((0, 0), (0, 0), (11, 0), (11, 8), (11, 8), (11, 8), (0, 8)),)),
    (
        "collinear points: many vertices on straight sides",
        (((0, 0), (3, 0), (6, 0), (9, 0), (9, 4), (9, 8), (4, 8), (0, 8)),),
    ),
    (
        "hole touches the shell along a side",
        (((0, 0), (14, 0), (14, 12), (0, 12)), ((0, 3), (0, 9), (6, 9), (6, 3))),
    ),
    ("zero area: a line there and back", (((0, 0), (10, 0), (5, 0)),)),
    ("two points: a ring of two places", (((0, 0), (9, 0), (9, 0)),)),
    ("null geometry", ()),
)
_SITE = (-545.0, 140.0)


def oddities() -> list[Oddity]:
    """
    Make the broken features, then the multipolygon of two shells that is not broken.

    Returns
    -------
    list of Oddity
        ``way/900001`` to ``way/900008`` with a ``note``, then ``relation/910001``.
    """
    out = []
    for k, (note, rings) in enumerate(_BROKEN):
        at = np.array([_SITE[0] + 24.0 * (k % 2), _SITE[1] + 22.0 * (k // 2)])
        shell = tuple(np.array(ring, dtype=np.float64) + at for ring in rings)
        tags = {"building": "yes", "height": "8", "note": note}
        out.append(Oddity(f"way/{900_001 + k}", (shell,) if shell else (), tags))
    pair = tuple((np.array([[0, 0], [9, 0], [9, 7], [0, 7.0]]) + np.array([-470.0 + 14.0 * k, 230.0]),) for k in (0, 1))
    out.append(
        Oddity("relation/910001", pair, {"building": "farm_auxiliary", "building:levels": "1", "roof:shape": "gabled"})
    )
    return out
