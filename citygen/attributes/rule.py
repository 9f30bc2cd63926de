"""
The contract of a height rule, and the registry that makes one a file.

Rules run in the order of their numbers. Each is given all parsed values and which rows are still open, and returns
heights for the rows that it can decide; what it says of other rows is ignored. The last must decide every row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from citygen.arraytypes import Bool, Float64, Objects
from citygen.attributes.estimates import Estimates, take
from citygen.attributes.options import AttributeOptions
from citygen.attributes.parsed import Parsed
from citygen.registry import Registry

NO_ESTIMATES = Estimates()
"""No row has an estimate."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What a rule may look at; arrays of length n.

    Attributes
    ----------
    parsed : Parsed
        Values as given.
    area_m2 : (n,) float64
        Floor area of the outline.
    storey_m : (n,) float64
        Storey height of the row's building type.
    underside_m : (n,) float64
        Ground to underside as given or from the open storeys below; 0 where neither.
    options : AttributeOptions
        The user's.
    estimates : Estimates
        What the plan of the run found for rows without a height; nothing by default.
    """

    parsed: Parsed
    area_m2: Float64
    storey_m: Float64
    underside_m: Float64
    options: AttributeOptions
    estimates: Estimates = NO_ESTIMATES


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What a rule says; arrays of length n.

    A row is decided where either height is finite; both may be.

    Attributes
    ----------
    height_m, eave_height_m : (n,) float64
        Ground to top, ground to eave; NaN where the rule does not say. Positive.
    sigma_m : (n,) float64
        One standard deviation of that height, metres; positive wherever the row is decided.
    details : (n,) object of str, or None
        One text a row for the rule's note.
    """

    height_m: Float64
    eave_height_m: Float64
    sigma_m: Float64
    details: Objects | None = None


@dataclass(frozen=True, slots=True)
class HeightRule:
    """
    One way to come to a height.

    Attributes
    ----------
    name : str
        Becomes ``height_from`` of the rows that it decides.
    order : int
        Rules run in rising order; no two share one.
    text : str
        One sentence.
    sigma : str
        One sentence: the stated uncertainty, one standard deviation, and where it comes from.
    decide : callable
        ``(evidence, still_open) -> Decision``; pure.
    note : str
        Reason code of a finding for the rows that it decides; '' for none.
    """

    name: str
    order: int
    text: str
    sigma: str
    decide: Callable[[Evidence, Bool], Decision]
    note: str = ""


HEIGHT_RULES: Registry[HeightRule] = Registry(
    "height rule", room="citygen.attributes.rules", group="citygen.height_rules"
)


def rules_in_order() -> list[HeightRule]:
    """
    Return the height rules in the order they run.

    Raises
    ------
    ValueError
        When two share an order number.

    Examples
    --------
    >>> [rule.name for rule in rules_in_order()]
    ['height', 'eave_height', 'model', 'levels', 'neighbours', 'class_area', 'default']
    """
    rules = sorted(HEIGHT_RULES, key=lambda rule: rule.order)
    for one, other in pairwise(rules):
        if one.order == other.order:
            raise ValueError(f"height rules {one.name!r} and {other.name!r} share the order number {one.order}")
    return rules


def unknown_heights(n: int) -> Float64:
    """Return (n,) float64 of NaN."""
    return np.full(n, np.nan)


def estimated(evidence: Evidence, still_open: Bool, name: str, text: Callable[[int, float], str]) -> Decision:
    """Decide open rows by the estimate that the plan of the run left for a rule; at least a storey above the underside."""
    low = evidence.underside_m, evidence.storey_m
    taken = take(evidence.estimates, name, still_open, low, text)
    return Decision(taken.height_m, taken.eave_height_m, taken.sigma_m, taken.details)
