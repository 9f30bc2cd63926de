"""
A town's measured heights to a model of them, kept only where it beats the simple rules on that town.

Gradient boosted trees (scikit-learn's histogram ones: BSD, no further numeric library than SciPy, the same bits for any
number of threads) on the logarithm of the height, so that a tower counts no more than a house. What it is worth is found by
cross-validation in blocks of ground, as large as leaves the buildings of a block as far from measured ones as those are that
are to be estimated: gaps amid measured houses ask for small blocks, a quarter without any for large ones. There are two
cases, each with a model of its own: rows with storeys, where it must beat storeys x storey height, and rows without.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.attributes.classes import default_eaves
from citygen.attributes.estimates import Estimate
from citygen.extras import need
from citygen.geom.knearest import k_nearest
from citygen.pipeline.nearby import LEAST_SIGMA_M, of_class, of_neighbours
from citygen.pipeline.town import Town

FEWEST_TO_LEARN = 100
"""Measured buildings; fewer make 20 in a fold, whose median error is itself a guess."""
MARGIN = 0.95
"""A model is used when its median error is at most this share of that of the rule that would decide without it: storeys x storey
height where storeys are given, else the neighbours. Half a decimetre in a metre is worth having; less is chance."""
MOST_TO_LEARN = 20_000
"""Measured buildings that are learned from; more change the error by less than a hundredth and cost minutes."""
FOLDS = 5
SMALLEST_BLOCK_M, LARGEST_BLOCK_M = 10.0, 500.0
"""One house, so that every building is left out by itself; what the neighbours' reach is. Between them a block is six times as
wide as the rows to estimate are farther from a measured building than measured ones are from each other: the points of a square
lie a sixth of its width from its edge."""
_CHUNK = 100_000
_TREES: dict[str, Any] = {
    "loss": "squared_error",
    "learning_rate": 0.08,
    "max_iter": 100,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What cross-validation found of one case.

    Attributes
    ----------
    used : bool
        Whether the model decides rows of this case.
    n : int
        Measured buildings of the case.
    mae_m : float
        Median absolute error of the model, metres; NaN where it was not tried.
    against_m : dict of str to float
        The same of each simple rule, on the same buildings.
    spread : float
        Spread of the error of the height's logarithm: sigma as a share of the height.
    why : str
        In words.
    """

    used: bool
    n: int
    mae_m: float
    against_m: dict[str, float]
    spread: float
    why: str

    def as_report(self, rows: int) -> dict[str, Any]:
        """Return it for a report, with the rows that it decided."""
        rounded = {name: round(value, 3) for name, value in self.against_m.items()}
        mae = round(self.mae_m, 3) if np.isfinite(self.mae_m) else None
        return {"used": self.used, "mae": mae, "against": rounded, "n": self.n, "rows": rows, "why": self.why}


def learn(town: Town, rows: Int64, *, with_storeys: bool) -> tuple[Estimate, Verdict]:
    """
    Judge a model of one case and, where it wins, estimate heights with it.

    Parameters
    ----------
    town : Town
        With shapes.
    rows : (m,) int64
        Rows of the case to estimate.
    with_storeys : bool
        Which case: rows whose storeys are given, or those without.

    Returns
    -------
    Estimate
        Of the m rows; NaN everywhere where the model is not used, and for buildings with more storeys than any measured one.
    Verdict
    """
    known = np.isfinite(town.measured_m)
    if with_storeys:
        known &= town.levels > 0
    sources = np.flatnonzero(known)
    nothing = np.full(len(rows), np.nan)
    none = Estimate(nothing, nothing, nothing, nothing)
    if len(sources) < FEWEST_TO_LEARN:
        return none, _untried(
            sources, f"{len(sources)} measured buildings of this kind are fewer than {FEWEST_TO_LEARN}"
        )
    verdict = _judge(town, sources, _block(town, sources, rows), with_storeys=with_storeys)
    if not verdict.used or len(rows) == 0:
        return none, verdict
    model = _Model(town, sources, with_storeys=with_storeys)
    metres = np.round(np.concatenate([model(rows[k : k + _CHUNK]) for k in range(0, len(rows), _CHUNK)]), 1)
    if with_storeys:
        metres = np.where(town.levels[rows] <= town.levels[sources].max(), metres, np.nan)
    sigma = np.maximum(verdict.spread * metres, LEAST_SIGMA_M)
    count = np.where(np.isnan(metres), np.nan, float(min(len(sources), MOST_TO_LEARN)))
    return Estimate(metres, sigma, count, nothing), verdict


def _block(town: Town, sources: Int64, rows: Int64) -> float:
    """Return how wide blocks must be to stand for some rows, metres."""
    anyone = np.zeros(len(town), dtype=np.int64)
    apart = []
    for asked in (_some(town, rows), _some(town, sources)):
        own = np.full(len(town), -1, dtype=np.int64)
        own[sources] = np.arange(len(sources))
        places = (town.xy[sources], anyone[sources]), (town.xy[asked], anyone[asked])
        far = k_nearest(*places, own[asked], k=1, reach=LARGEST_BLOCK_M)[1]
        apart.append(float(np.median(np.minimum(far, LARGEST_BLOCK_M))) if len(far) else 0.0)
    return float(np.clip(round(6 * (apart[0] - apart[1])), SMALLEST_BLOCK_M, LARGEST_BLOCK_M))


def _untried(sources: Int64, why: str) -> Verdict:
    """Return the verdict on a model that was not tried."""
    return Verdict(used=False, n=len(sources), mae_m=np.nan, against_m={}, spread=np.nan, why=why)


def _judge(town: Town, sources: Int64, block: float, *, with_storeys: bool) -> Verdict:
    """Cross-validate the model beside the simple rules, on at most ``MOST_TO_LEARN`` of the sources."""
    col, row = np.floor(town.xy[sources] / block).astype(np.int64).T
    fold = ((col * 73_856_093) ^ (row * 19_349_663)) % FOLDS
    tried = np.isin(sources, _some(town, sources))
    said: dict[str, Float64] = {}
    for k in range(FOLDS):
        test, train = np.flatnonzero((fold == k) & tried), np.flatnonzero(fold != k)
        if len(test) == 0 or len(train) < FEWEST_TO_LEARN // 2:
            continue
        guesses = simple_guesses(town, sources[train], sources[test])
        if with_storeys:
            guesses["levels"] = town.storeys_m[sources[test]]
        guesses["model"] = _Model(town, sources[train], with_storeys=with_storeys)(sources[test])
        for name, values in guesses.items():
            said.setdefault(name, np.full(len(sources), np.nan))[test] = values
    truth = town.measured_m[sources]
    if not said:
        return _untried(sources, "the measured buildings stand too close together to be left out by blocks")
    errors = {name: float(np.nanmedian(np.abs(values - truth))) for name, values in said.items()}
    mae = errors.pop("model")
    spread = 1.4826 * float(np.nanmedian(np.abs(np.log(said["model"]) - np.log(truth))))
    instead = "levels" if with_storeys else "neighbours"  # the rule that decides where the model does not
    used = mae <= MARGIN * errors[instead] and mae < errors[instead]
    others = ", ".join(f"{value:.2f} m of {name}" for name, value in errors.items())
    why = f"median error {mae:.2f} m against {others}, in cross-validation by blocks of {block:g} m"
    return Verdict(used, len(sources), mae, errors, spread, why)


def simple_guesses(town: Town, sources: Int64, rows: Int64) -> dict[str, Float64]:
    """
    Return what the rules below the model would say of rows.

    Parameters
    ----------
    town : Town
        Of n rows.
    sources : (s,) int64
        Buildings that may be asked.
    rows : (m,) int64
        Buildings to estimate.

    Returns
    -------
    dict of str to (m,) float64
        'neighbours': neighbours, else type and size, else the table; 'class_area': the same without neighbours.
    """
    words = np.array(town.classes, dtype=object)[town.group[rows]] if town.classes else np.zeros(0, dtype=object)
    table = default_eaves(words, town.area_m2[rows])[0]
    by_class = of_class(town.group, town.area_m2, town.measured_m, sources, rows).metres
    by_class = np.where(np.isfinite(by_class), by_class, table)
    near = of_neighbours((town.xy, town.group), town.measured_m, sources, rows)[0].metres
    return {"neighbours": np.where(np.isfinite(near), near, by_class), "class_area": by_class}


class _Model:
    """Boosted trees over some sources, all of them neighbours, some of them learned from; called with rows, it returns metres."""

    def __init__(self, town: Town, sources: Int64, *, with_storeys: bool) -> None:
        self.town, self.sources, self.with_storeys = town, sources, with_storeys
        learned = _some(town, sources)
        table = self._features(learned)
        self.columns = np.flatnonzero([_varies(table[:, k]) for k in range(table.shape[1])])
        ensemble = need("sklearn.ensemble", "learn")
        self.trees = ensemble.HistGradientBoostingRegressor(**_TREES)
        with need("threadpoolctl", "learn").threadpool_limits(limits=1):
            self.trees.fit(table[:, self.columns], np.log(town.measured_m[learned]))

    def __call__(self, rows: Int64) -> Float64:
        with need("threadpoolctl", "learn").threadpool_limits(limits=1):
            metres: Float64 = np.exp(self.trees.predict(self._features(rows)[:, self.columns]))
        return metres

    def _features(self, rows: Int64) -> Float64:
        """Return the table that is learned from: floor area, shape, the neighbours' heights, the type's, storeys."""
        town = self.town
        columns = [np.log(np.maximum(town.area_m2[rows], 0.1)), *town.shape[rows].T]
        for group in (town.group, np.zeros_like(town.group)):
            near, index, distance = of_neighbours((town.xy, group), town.measured_m, self.sources, rows)
            first = np.where(index[:, 0] >= 0, town.measured_m[index[:, 0]], np.nan)
            columns += [np.log(near.metres), near.sigma_m / near.metres, np.log(first)]
            columns += [np.where(np.isfinite(far), np.log1p(far), np.nan) for far in (distance[:, 0], distance[:, -1])]
        columns.append(np.log(of_class(town.group, town.area_m2, town.measured_m, self.sources, rows).metres))
        columns.append(town.levels[rows] if self.with_storeys else np.full(len(rows), np.nan))
        table: Float64 = np.column_stack(columns)
        return table


def _varies(column: Float64) -> bool:
    """Say whether a column holds two different numbers: others cannot be learned from."""
    finite = column[np.isfinite(column)]
    return len(finite) > 0 and bool(finite.min() < finite.max())


def _some(town: Town, rows: Int64) -> Int64:
    """Return at most ``MOST_TO_LEARN`` of some rows, chosen by their uid."""
    if len(rows) <= MOST_TO_LEARN:
        return rows
    mixed = (town.uid[rows].astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return np.sort(rows[np.argsort(mixed, kind="stable")[:MOST_TO_LEARN]])


def cases(town: Town) -> dict[str, Bool]:
    """Return the open rows of each case: 'with_storeys' and 'without_storeys'."""
    storeys = town.levels > 0
    return {"with_storeys": town.open & storeys, "without_storeys": town.open & ~storeys}
