"""Estimated heights of a tile's rows, as the plan of a run left them, to the decision of a rule that takes one kind of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from citygen.arraytypes import Bool, Float64, Objects


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What one way of estimating says; (n,) float64 each, NaN where it says nothing.

    Attributes
    ----------
    metres : (n,) float64
        The height, from the ground.
    sigma_m : (n,) float64
        Its uncertainty, one standard deviation.
    count : (n,) float64
        On how many buildings it rests.
    reach_m : (n,) float64
        How far the farthest of them stands; NaN where that does not matter.
    """

    metres: Float64
    sigma_m: Float64
    count: Float64
    reach_m: Float64


@dataclass(frozen=True, slots=True)
class Estimates:
    """
    Estimates of a tile's rows.

    Attributes
    ----------
    of_top : bool
        They are heights of roof tops; else of eaves.
    by_rule : mapping of str to Estimate
        Name of a height rule to what it takes; a rule without one decides nothing.
    """

    of_top: bool = True
    by_rule: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Taken:
    """An estimate brought above the underside: height and eave (one of them NaN), sigma, and a text a row."""

    height_m: Float64
    eave_height_m: Float64
    sigma_m: Float64
    details: Objects


def take(
    estimates: Estimates, rule: str, rows: Bool, low_m: tuple[Float64, Float64], text: Callable[[int, float], str]
) -> Taken:
    """
    Take a rule's estimate for some rows.

    Parameters
    ----------
    estimates : Estimates
        Of n rows.
    rule : str
        The rule's name.
    rows : (n,) bool
        Rows that are still open.
    low_m : ((n,), (n,)) float64
        Ground to underside, and the storey that must at least fit above it where it is not 0.
    text : callable
        ``(count, reach_m) -> str``: on what it rests.

    Returns
    -------
    Taken
        NaN and '' where it says nothing.
    """
    n = len(rows)
    metres, sigma = np.full(n, np.nan), np.full(n, np.nan)
    details: Objects = np.full(n, "", dtype=object)
    found = estimates.by_rule.get(rule)
    if found is not None:
        index = np.flatnonzero(rows & np.isfinite(found.metres))
        underside, storey = low_m
        least = np.where(underside[index] > 0, underside[index] + storey[index], 0.0)
        metres[index] = np.maximum(found.metres[index], least)
        sigma[index] = found.sigma_m[index]
        numbers = zip(index.tolist(), found.count[index].tolist(), found.reach_m[index].tolist(), strict=True)
        for k, count, reach in numbers:
            details[k] = f"{metres[k]:.3g} m, {text(int(count), reach)}"
    nothing = np.full(n, np.nan)
    return Taken(*((metres, nothing) if estimates.of_top else (nothing, metres)), sigma, details)
