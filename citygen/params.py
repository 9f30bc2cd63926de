"""A parameter, declared once: documentation, command line, validation, tests and fitting read it from here."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Bool, Float64

UNITS = ("deg", "m", "m2", "m3")
"""What a parameter's name may end in to say its unit."""


@dataclass(frozen=True, slots=True)
class Param:
    """
    One number that shapes something.

    Attributes
    ----------
    name : str
        snake_case, with its unit as a suffix where it has one (``_m``, ``_deg``).
    default : float
        Used where nothing is given.
    low, high : float
        Inclusive bounds.
    text : str
        One sentence.
    """

    name: str
    default: float
    low: float
    high: float
    text: str

    @property
    def unit(self) -> str:
        """
        The unit that the name ends in; empty for a bare number.

        Examples
        --------
        >>> Param("pitch_deg", 35, 5, 75, "Slope.").unit
        'deg'
        """
        ending = self.name.rpartition("_")[2]
        return ending if ending in UNITS else ""

    def clamp(self, values: Float64) -> tuple[Float64, Bool]:
        """
        Fill NaN with the default and bring the rest within the bounds.

        Parameters
        ----------
        values : (n,) float64
            NaN where nothing is given.

        Returns
        -------
        clamped : (n,) float64
            Never NaN.
        changed : (n,) bool
            Where a given value lay outside the bounds.

        Examples
        --------
        >>> Param("pitch_deg", 35, 5, 75, "Slope.").clamp(np.array([np.nan, 90.0]))[0].tolist()
        [35.0, 75.0]
        """
        filled = np.where(np.isnan(values), self.default, values)
        clamped = np.clip(filled, self.low, self.high)
        return clamped, (clamped != filled)
