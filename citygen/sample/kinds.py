"""
Kinds of building: which words, storeys and roofs each may carry.

Words and values are those of OpenStreetMap's ``building=*``, ``roof:shape=*`` and Simple 3D Buildings pages.
"""

from dataclasses import dataclass

Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of building.

    Attributes
    ----------
    name : str
        How the layouts call it.
    words : pairs of str and float
        ``building=*`` values with their weights.
    levels : pair of int
        Fewest and most storeys.
    storey_m : float
        Height of one storey.
    roofs : pairs of str and float
        ``roof:shape=*`` values with their weights.
    share_height, share_levels, share_roof : float
        How many buildings of the kind carry a height, levels, a roof shape.
    """

    name: str
    words: Weights
    levels: tuple[int, int]
    storey_m: float
    roofs: Weights
    share_height: float = 0.29
    share_levels: float = 0.46
    share_roof: float = 0.51


_PITCHED = (("gabled", 12), ("hipped", 4), ("half-hipped", 1), ("gambrel", 1), ("mansard", 1), ("skillion", 1))
_TOWN = (("house", 4), ("apartments", 4), ("yes", 6), ("retail", 2), ("residential", 2), ("commercial", 0.5))

KINDS: tuple[Kind, ...] = (
    Kind("old_town", _TOWN, (2, 4), 3.1, (*_PITCHED, ("flat", 1), ("round", 0.3), ("many", 0.3))),
    Kind("terrace", (("house", 5), ("terrace", 4), ("yes", 3)), (2, 3), 2.9, (*_PITCHED, ("saltbox", 1))),
    Kind(
        "villa",
        (("house", 4), ("detached", 3), ("yes", 4), ("semidetached_house", 0.5)),
        (1, 2),
        2.9,
        (*_PITCHED, ("saltbox", 2), ("pyramidal", 2), ("flat", 1.5), ("butterfly", 1), ("witch_hat", 0.2)),
    ),
    Kind(
        "garage",
        (("garage", 5), ("garages", 1), ("yes", 1)),
        (1, 1),
        2.7,
        (("flat", 3), ("skillion", 2)),
        0.12,
        0.14,
        0.25,
    ),
    Kind("shed", (("shed", 4), ("hut", 1), ("yes", 2)), (1, 1), 2.3, (("skillion", 3), ("gabled", 2)), 0.1, 0.05, 0.25),
    Kind(
        "apartments", (("apartments", 6), ("residential", 1)), (4, 7), 2.9, (("flat", 4), ("gabled", 1)), 0.5, 0.8, 0.7
    ),
    Kind(
        "civic", (("public", 2), ("civic", 1), ("yes", 1)), (2, 3), 3.8, (("hipped", 3), ("mansard", 1)), 0.6, 0.7, 0.7
    ),
    Kind("school", (("school", 5), ("yes", 1)), (1, 3), 3.6, (("flat", 2), ("gabled", 1), ("round", 1)), 0.5, 0.7, 0.7),
    Kind(
        "hall",
        (("industrial", 5), ("warehouse", 3), ("yes", 2)),
        (1, 2),
        5.0,
        (("sawtooth", 4), ("flat", 4), ("round", 1), ("gabled", 1), ("butterfly", 0.5)),
        0.55,
        0.2,
        0.8,
    ),
    Kind("shop", (("retail", 5), ("supermarket", 1)), (1, 1), 5.5, (("flat", 3), ("gabled", 1)), 0.4, 0.5, 0.6),
    Kind(
        "farm",
        (("farm", 3), ("farm_auxiliary", 2), ("yes", 1)),
        (1, 2),
        3.2,
        (("gabled", 4), ("half-hipped", 1)),
        0.3,
        0.3,
    ),
    Kind(
        "barn",
        (("barn", 4), ("farm_auxiliary", 2)),
        (1, 1),
        6.0,
        (("gambrel", 2), ("gabled", 2), ("saltbox", 1)),
        0.4,
        0.1,
    ),
    Kind(
        "silo", (("silo", 3), ("storage_tank", 1)), (1, 1), 11.0, (("dome", 2), ("flat", 2), ("cone", 1)), 0.7, 0.0, 0.6
    ),
    Kind("set", (("yes", 1),), (1, 1), 3.0, (("flat", 1),), 0.0, 0.0, 0.0),
)
"""The order is the code that arrays carry; 'set' is for buildings whose tags the layout gives in full."""

CODES: dict[str, int] = {kind.name: code for code, kind in enumerate(KINDS)}
FLAT = ("flat", "sawtooth", "butterfly", "skillion")
