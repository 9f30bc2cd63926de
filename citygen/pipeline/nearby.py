"""Buildings with a height to estimates for others: of the nearest of the same type, and of all of the same type and size."""

import numpy as np

from citygen.arraytypes import Bool, Float64, Int64
from citygen.attributes.estimates import Estimate
from citygen.geom.knearest import k_nearest

NEIGHBOURS = 8
"""As many as a block has on one side of a street; 5 and 12 did not do better on the three towns of docs/heights.md."""
REACH_M = 500.0
"""Beyond some five streets another quarter begins."""
FEWEST_NEIGHBOURS = 3
"""A median of two is a guess between two."""
FEWEST_OF_CLASS = 20
"""Below it the spread of a type's heights says more of chance than of the type."""
LEAST_SIGMA_M = 1.0
"""A guess is not surer than the heights that it rests on (``rules.tagged``)."""
_MAD = 1.4826
"""Median absolute deviation to standard deviation, of a normal distribution."""
_BANDS_M2 = np.array([20.0, 50.0, 100.0, 200.0, 400.0, 1000.0])
"""Floor areas that part sheds, garages, small and large houses, blocks, halls."""


def of_neighbours(
    place: tuple[Float64, Int64], values: Float64, sources: Int64, rows: Int64
) -> tuple[Estimate, Int64, Float64]:
    """
    Take the median of the nearest buildings of the same type.

    Parameters
    ----------
    place : ((n, 2) float64, (n,) int64)
        Middle and type of each building.
    values : (n,) float64
        Heights; those of the sources are finite.
    sources : (s,) int64
        Buildings that may be asked.
    rows : (m,) int64
        Buildings to estimate; a source is not asked of itself.

    Returns
    -------
    Estimate
        Of the m rows; NaN where fewer than ``FEWEST_NEIGHBOURS`` are within ``REACH_M``.
    index : (m, NEIGHBOURS) int64
        The buildings that were asked, -1 where there are fewer.
    distance : (m, NEIGHBOURS) float64
        Metres, inf where there are fewer.
    """
    xy, group = place
    own = np.full(len(xy), -1, dtype=np.int64)
    own[sources] = np.arange(len(sources))
    asked = (xy[sources], group[sources]), (xy[rows], group[rows])
    index, distance = k_nearest(*asked, own[rows], k=NEIGHBOURS, reach=REACH_M)
    index = np.where(index >= 0, sources[index] if len(sources) else index, -1)
    found = index >= 0
    heights = np.where(found, values[index], np.inf)
    count = np.count_nonzero(found, axis=1)
    median = _row_medians(heights, count)
    off = np.abs(heights - median[:, None])
    sigma = np.maximum(_MAD * _row_medians(np.where(found, off, np.inf), count), LEAST_SIGMA_M)
    few = count < FEWEST_NEIGHBOURS
    reach = np.where(found, distance, 0.0).max(axis=1, initial=0.0)
    told = (np.where(few, np.nan, column) for column in (median, sigma, count.astype(np.float64), reach))
    return Estimate(*told), index, distance


def _row_medians(values: Float64, count: Int64) -> Float64:
    """Return the median of the first ``count`` of each row's sorted values; NaN for none."""
    ordered = np.sort(values, axis=1)
    at = np.arange(len(values))
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[1] - 1)
    medians: Float64 = np.where(count > 0, (ordered[at, low] + ordered[at, high]) / 2, np.nan)
    return medians


def of_class(group: Int64, area_m2: Float64, values: Float64, sources: Int64, rows: Int64) -> Estimate:
    """
    Take the median of the buildings of the same type and floor area; of the type alone where those are too few.

    Parameters
    ----------
    group : (n,) int64
        Type of each building.
    area_m2 : (n,) float64
        Floor areas.
    values : (n,) float64
        Heights; those of the sources are finite.
    sources : (s,) int64
        Buildings that may be asked.
    rows : (m,) int64
        Buildings to estimate.

    Returns
    -------
    Estimate
        Of the m rows; NaN where fewer than ``FEWEST_OF_CLASS`` are of the type.
    """
    band = np.searchsorted(_BANDS_M2, area_m2, side="right")
    by_type = _of_keys(group, values, sources, rows)
    finer = _of_keys(group * (len(_BANDS_M2) + 1) + band, values, sources, rows)
    use = np.isfinite(finer[0])
    median, sigma, count = (np.where(use, fine, coarse) for fine, coarse in zip(finer, by_type, strict=True))
    return Estimate(median, sigma, count, np.full(len(rows), np.nan))


def _of_keys(key: Int64, values: Float64, sources: Int64, rows: Int64) -> tuple[Float64, Float64, Float64]:
    """Return median, sigma and count of the sources with each row's key; NaN where there are too few."""
    known, median, count = _medians(key[sources], values[sources])
    if len(known) == 0:
        nothing = np.full(len(rows), np.nan)
        return nothing, nothing, nothing
    off = np.abs(values[sources] - median[np.searchsorted(known, key[sources])])
    sigma = np.maximum(_MAD * _medians(key[sources], off)[1], LEAST_SIGMA_M)
    at = np.minimum(np.searchsorted(known, key[rows]), len(known) - 1)
    usable: Bool = (known[at] == key[rows]) & (count[at] >= FEWEST_OF_CLASS)
    told = (np.where(usable, column[at], np.nan) for column in (median, sigma, count.astype(np.float64)))
    median, sigma, number = told
    return median, sigma, number


def _medians(key: Int64, values: Float64) -> tuple[Int64, Float64, Int64]:
    """Return the distinct keys, rising, with the median and the number of the values of each."""
    order = np.lexsort((values, key))
    known, start, count = np.unique(key[order], return_index=True, return_counts=True)
    ordered = values[order]
    low, high = start + (count - 1) // 2, start + count // 2
    return known, (ordered[low] + ordered[high]) / 2 if len(known) else np.zeros(0), count
