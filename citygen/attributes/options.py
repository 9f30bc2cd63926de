"""What a user may set about attributes: own column names, storey height, the height where nothing is known."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from citygen.attributes.keys import KEYS, MIN_BODY_M, check_column_map
from citygen.errors import ConfigError


@dataclass(frozen=True, slots=True)
class AttributeOptions:
    """
    Options of ``read_attributes``.

    Attributes
    ----------
    column_map : mapping of str to str
        Canonical key to a source's column. It is asked before the dialect's own columns; rows where it is null (other
        sources of the same table) fall back on those.
    storey_height_m : float or None
        Of a dwelling, in [1, 20]; other building types scale with it. None means by country.
    default_height_m : float or None
        Eave height where the source gives none; None means that it is estimated (``rules``).
    country : str
        ISO 3166-1 alpha-2 code, lower case, of rows that name none; '' where it is not known.

    Raises
    ------
    ConfigError
        For an unknown key or a number out of bounds.
    """

    column_map: Mapping[str, str] = field(default_factory=dict)
    storey_height_m: float | None = None
    default_height_m: float | None = None
    country: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "column_map", check_column_map(self.column_map))
        if self.storey_height_m is not None and not 1 <= self.storey_height_m <= 20:
            raise ConfigError(f"storey height {self.storey_height_m} m: give one from 1 to 20 m")
        default, high = self.default_height_m, KEYS["height"].high
        if default is not None and not (math.isfinite(default) and MIN_BODY_M <= default <= high):
            raise ConfigError(f"default height {default} m: give one from {MIN_BODY_M} to {high:g} m")
