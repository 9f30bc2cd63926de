"""
OpenStreetMap tags -> canonical keys.

Tag pages: Simple_3D_Buildings, Key:height, Key:building:levels, Key:building:min_level, Key:min_height,
Key:roof:shape, Key:roof:direction, Key:roof:orientation, Key:building:colour, Key:building:material, Key:addr:country.
``building:height`` and the ``building:roof:*`` spellings are older synonyms. ``roof:direction`` looks down the slope, as ours does.
``osm:outline`` is no tag: it is where the source of OpenStreetMap files says what a ``type=building`` relation says.
"""

from collections.abc import Mapping

from citygen.attributes.dialect import DIALECTS, Column, Dialect

_TAGS: Mapping[str, tuple[str, ...]] = {
    "height": ("height", "building:height"),
    "min_height": ("min_height", "building:min_height"),
    "levels": ("building:levels", "levels"),
    "min_level": ("building:min_level", "min_level"),
    "levels_underground": ("building:levels:underground",),
    "roof_shape": ("roof:shape", "building:roof:shape"),
    "roof_height": ("roof:height", "building:roof:height"),
    "roof_levels": ("roof:levels", "building:roof:levels"),
    "roof_angle": ("roof:angle", "building:roof:angle"),
    "roof_direction": ("roof:direction", "roof:slope:direction"),
    "roof_orientation": ("roof:orientation", "building:roof:orientation"),
    "dormers": ("roof:dormers",),
    "chimneys": ("roof:chimneys",),
    "roof_ridge": ("roof:ridge",),
    "roof_edge": ("roof:edge",),
    "roof_apex": ("roof:apex",),
    "class": ("building", "building:part"),
    "wall_colour": ("building:colour", "building:color"),
    "roof_colour": ("roof:colour", "roof:color", "building:roof:colour"),
    "wall_material": ("building:material", "building:facade:material"),
    "roof_material": ("roof:material", "building:roof:material"),
    "country": ("addr:country",),
    "part": ("building:part",),
    "part_of": ("osm:outline",),
    "location": ("location",),
}

DIALECTS.register(
    "osm",
    Dialect(
        name="osm",
        text="OpenStreetMap tags: height, building:levels, roof:shape, building:part, ...",
        columns={key: tuple(Column(tag) for tag in tags) for key, tags in _TAGS.items()},
        words={
            "class": {"yes": "", "no": ""},
            "part": {"no": "no", "*": "yes"},
        },
        signature=frozenset({"building"} | {tag for tags in _TAGS.values() for tag in tags if ":" in tag}),
        outline_column="building",
    ),
)
