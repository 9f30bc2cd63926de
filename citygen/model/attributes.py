"""Canonical attributes of a tile's buildings: heights, roof words, colours and the height's provenance, as columns."""

from dataclasses import dataclass

from citygen.arraytypes import Bool, Float64, Int64, Objects

NO_COLOUR = -1
"""Stands in a colour column where none is given."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """
    What the sources say of each building, in one vocabulary and in metres and degrees; every array has length n.

    At least one of ``height_m`` and ``eave_height_m`` is finite in every row; both are only where the source gives
    both, and then ``eave_height_m <= height_m``. The known top lies above ``min_height_m`` in every row.

    Attributes
    ----------
    height_m : (n,) float64
        From the ground datum to the roof's top; NaN where not known directly.
    eave_height_m : (n,) float64
        From the ground datum to the eave; NaN where not known.
    min_height_m : (n,) float64
        From the ground datum to the underside; 0 where nothing says otherwise, never NaN, never negative.
    height_from : (n,) object of str
        The rule that gave the height: 'height', 'eave_height', 'levels', ...
    height_sigma_m : (n,) float64
        Its stated uncertainty, one standard deviation; positive, never NaN.
    levels : (n,) float64
        Storeys without the roof's; NaN where not given.
    levels_underground : (n,) float64
        Storeys below the ground, which are not built; NaN where not given.
    roof_levels : (n,) float64
        Storeys within the roof; NaN where not given.
    roof_shape : (n,) object of str
        The source's word, stripped, lower case, translated by the dialect; '' where none. Not judged here.
    roof_height_m, roof_angle_deg : (n,) float64
        Eave to top, and slope against the horizontal; NaN where not given.
    roof_overhang_m : (n,) float64
        How far the roof reaches beyond the walls; NaN where not given.
    roof_direction_deg : (n,) float64
        Down-slope bearing in [0, 360), clockwise from north; NaN where not given.
    roof_direction_is_named : (n,) bool
        The direction was a compass word such as 'NNW', so it is imprecise.
    roof_orientation : (n,) object of str
        '', 'along' or 'across': how the ridge lies to the longer side.
    dormers, chimneys : (n,) float64
        How many stand on the roof, whole numbers; NaN where not given.
    class_name : (n,) object of str
        Building type, lower case; '' where none.
    is_part : (n,) bool
        A part of another building's outline.
    part_hint : (n,) object of str
        The id of that outline when the source says it, else ''.
    wall_colour, roof_colour : (n,) int64
        0xRRGGBB in sRGB, or ``NO_COLOUR``.
    wall_material, roof_material : (n,) object of str
        A canonical material, the source's word where it is not known, '' where none.
    country : (n,) object of str
        ISO 3166-1 alpha-2, lower case; '' where not given.
    """

    height_m: Float64
    eave_height_m: Float64
    min_height_m: Float64
    height_from: Objects
    height_sigma_m: Float64
    levels: Float64
    levels_underground: Float64
    roof_levels: Float64
    roof_shape: Objects
    roof_height_m: Float64
    roof_angle_deg: Float64
    roof_overhang_m: Float64
    roof_direction_deg: Float64
    roof_direction_is_named: Bool
    roof_orientation: Objects
    dormers: Float64
    chimneys: Float64
    class_name: Objects
    is_part: Bool
    part_hint: Objects
    wall_colour: Int64
    roof_colour: Int64
    wall_material: Objects
    roof_material: Objects
    country: Objects

    def __len__(self) -> int:
        return len(self.height_from)
