"""Sections that several shapes take with numbers of their own: a gable whose slopes break once a side."""

import numpy as np

from citygen.roofs.base import Inset, Section


def broken_gable(at: float, height: float) -> Section:
    """
    Return the four strips across a gable whose slopes break.

    Parameters
    ----------
    at : float
        Where, as a share of the way from wall to ridge.
    height : float
        How high, as a share of the roof's height.

    Returns
    -------
    Section

    Examples
    --------
    >>> broken_gable(0.4, 0.66)[0].tolist()
    [0.0, 0.2, 0.5, 0.8, 1.0]
    """
    breaks = np.array([0.0, at / 2, 0.5, 1.0 - at / 2, 1.0])
    return breaks, np.array([0.0, height, 1.0, height]), np.array([height, 1.0, height, 0.0])


def broken_wings(at: float, height: float) -> Inset:
    """
    Return the same from the walls inwards, along wings; the gable ends stay upright.

    Parameters
    ----------
    at, height : float
        As in `broken_gable`.

    Returns
    -------
    Inset

    Examples
    --------
    >>> broken_wings(0.4, 0.66).breaks
    (0.0, 0.4, 1.0)
    """
    return Inset((0.0, at, 1.0), (0.0, height, 1.0), ends=(0.0, 0.0))
