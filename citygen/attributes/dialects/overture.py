"""
Overture Maps buildings (theme buildings, types building and building_part) -> canonical keys.

Columns and their meanings: docs.overturemaps.org, schema reference, buildings. A row with a ``building_id`` is a part of that
building. ``roof_direction`` is read as OpenStreetMap's ``roof:direction``, down the slope, whatever the schema's sentence
says: docs/decisions/0005. Heights are metres, ``height`` reaches from the ground to the highest point.
"""

from citygen.attributes.dialect import DIALECTS, Column, Dialect

_COLUMNS = {
    "height": ("height",),
    "min_height": ("min_height",),
    "levels": ("num_floors",),
    "min_level": ("min_floor",),
    "levels_underground": ("num_floors_underground",),
    "roof_shape": ("roof_shape",),
    "roof_height": ("roof_height",),
    "roof_direction": ("roof_direction",),
    "roof_orientation": ("roof_orientation",),
    "class": ("class", "subtype"),
    "wall_colour": ("facade_color",),
    "roof_colour": ("roof_color",),
    "wall_material": ("facade_material",),
    "roof_material": ("roof_material",),
    "part": ("building_id",),
    "part_of": ("building_id",),
    "location": ("is_underground",),
}

DIALECTS.register(
    "overture",
    Dialect(
        name="overture",
        text="Overture Maps buildings: height, num_floors, roof_shape, facade_color, building_id, ...",
        columns={key: tuple(Column(name) for name in names) for key, names in _COLUMNS.items()},
        words={
            "part": {"*": "yes"},
            "location": {"true": "underground", "underground": "underground", "*": ""},
            "class": {  # subtypes that OpenStreetMap calls otherwise
                "agricultural": "farm_auxiliary",
                "education": "school",
                "medical": "hospital",
                "outbuilding": "shed",
            },
        },
        signature=frozenset({"num_floors", "min_floor", "facade_color", "is_underground"}),
    ),
)
