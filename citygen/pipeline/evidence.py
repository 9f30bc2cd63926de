"""
The rows of a finished plan to estimates for those without a height: nearest neighbours, types, a learned model.

This is done once for the whole run, after dealing, so that a tile job stays a function of its own rows and gives the same
bytes whatever the tiles are. Where every row has a height, the height columns are looked at and nothing else happens.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from citygen.arraytypes import Int64
from citygen.attributes.estimates import Estimate, Estimates
from citygen.attributes.options import AttributeOptions
from citygen.extras import has
from citygen.pipeline.estimates import write_estimates
from citygen.pipeline.learning import FEWEST_TO_LEARN, cases, learn
from citygen.pipeline.nearby import of_class, of_neighbours
from citygen.pipeline.town import Town, count_open, gather_town

NOT_INSTALLED = (
    "scikit-learn is not installed: pip install 'citygen[learn]' lets a model learn from the measured heights"
)


def learner() -> str:
    """Return the version of the library that learns, '' where it is not installed: part of what a result depends on."""
    if not (has("sklearn") and has("threadpoolctl")):
        return ""
    from importlib.metadata import version

    return version("scikit-learn")


def estimate_heights(folder: Path, own: Collection[str], options: AttributeOptions, *, model: bool) -> dict[str, Any]:
    """
    Estimate the heights of a plan's rows that have none, and leave them in the plan.

    Parameters
    ----------
    folder : pathlib.Path
        The plan's, with the dealt rows.
    own : collection of str
        Names of its files whose rows are in the result; rows of others (beyond the area) are neighbours too.
    options : AttributeOptions
        Column map, storey height, country; nothing is estimated where they give a default height.
    model : bool
        Whether a model may be learned.

    Returns
    -------
    dict
        For the report: rows with and without a height, and what became of the model and why.
    """
    without, measured = count_open(folder, own, options)
    about: dict[str, Any] = {"given": measured, "not_given": without}
    why = _reason_against(without, measured, options, model=model)
    if without == 0 or options.default_height_m is not None:
        return about | {"model": {"used": False, "why": why}}
    town = gather_town(folder, options, shapes=not why)
    rows = np.flatnonzero(town.open)
    by_rule = {"neighbours": _neighbours(town, rows)}
    known = np.flatnonzero(np.isfinite(town.measured_m))
    by_rule["class_area"] = _rounded(of_class(town.group, town.area_m2, town.measured_m, known, rows))
    about["of"] = "roof tops" if town.of_top else "eaves"
    if why:
        about["model"] = {"used": False, "why": why}
    else:
        by_rule["model"], about["model"] = _learned(town, rows)
    write_estimates(folder, town.uid[rows], Estimates(town.of_top, by_rule))
    return about


def _reason_against(without: int, measured: int, options: AttributeOptions, *, model: bool) -> str:
    """Say why no model is learned; '' where one is."""
    if without == 0:
        return "every footprint has a height" if measured else "there are no footprints"
    if options.default_height_m is not None:
        return "a default height was asked for"
    if not model:
        return "it was switched off"
    if measured < FEWEST_TO_LEARN:
        return f"{measured} footprints with a height are fewer than the {FEWEST_TO_LEARN} that it needs"
    return "" if learner() else NOT_INSTALLED


def _neighbours(town: Town, rows: Int64) -> Estimate:
    """Estimate rows without storeys from measured neighbours, and where those are too few from counted storeys too."""
    asking = rows[~(town.levels[rows] > 0)]
    place = town.xy, town.group
    measured = np.flatnonzero(np.isfinite(town.measured_m))
    first = of_neighbours(place, town.measured_m, measured, asking)[0]
    heights = np.where(np.isfinite(town.measured_m), town.measured_m, town.storeys_m)
    second = of_neighbours(place, heights, np.flatnonzero(np.isfinite(heights)), asking)[0]
    at = np.searchsorted(rows, asking)
    columns = []
    for name in ("metres", "sigma_m", "count", "reach_m"):
        column = np.full(len(rows), np.nan)
        column[at] = np.where(np.isfinite(first.metres), getattr(first, name), getattr(second, name))
        columns.append(column)
    return _rounded(Estimate(*columns))


def _learned(town: Town, rows: Int64) -> tuple[Estimate, dict[str, Any]]:
    """Let a model estimate the cases in which it wins."""
    columns = {name: np.full(len(rows), np.nan) for name in ("metres", "sigma_m", "count", "reach_m")}
    about: dict[str, Any] = {"used": False, "library": f"scikit-learn {learner()}"}
    for case, chosen in cases(town).items():
        asked = np.flatnonzero(chosen)
        if len(asked) == 0:
            continue
        estimate, verdict = learn(town, asked, with_storeys=case == "with_storeys")
        at = np.searchsorted(rows, asked)
        for name, column in columns.items():
            column[at] = getattr(estimate, name)
        about[case] = verdict.as_report(int(np.count_nonzero(np.isfinite(estimate.metres))))
        about["used"] = about["used"] or verdict.used
    return Estimate(**columns), about


def _rounded(estimate: Estimate) -> Estimate:
    """Return an estimate to a decimetre: more would be pretended."""
    return Estimate(np.round(estimate.metres, 1), estimate.sigma_m, estimate.count, estimate.reach_m)
