"""Plain tables -> canonical keys: the columns carry the canonical names, or a user's column map says which do."""

from citygen.attributes.dialect import DIALECTS, PLAIN, Column, Dialect
from citygen.attributes.keys import KEYS

DIALECTS.register(
    PLAIN,
    Dialect(
        name=PLAIN,
        text="Columns named like the canonical keys: height, levels, roof_shape, ...",
        columns={
            **{name: (Column(name),) for name in KEYS},
            "class": (Column("class"), Column("building")),
            "wall_colour": (Column("wall_colour"), Column("wall_color")),
            "roof_colour": (Column("roof_colour"), Column("roof_color")),
        },
        words={"class": {"yes": "", "no": ""}},
    ),
)
