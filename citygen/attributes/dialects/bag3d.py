"""
3DBAG and BAG (the Netherlands' buildings) -> canonical keys.

docs.3dbag.nl, attributes: roof and ground are altitudes (NAP), so that ``b3_h_dak_max`` less ``b3_h_maaiveld`` is the
height; older releases leave out ``b3_``. The roof type says whether a roof is level (``horizontal``, ``multiple horizontal``)
or not (``slanted``), which names no one shape: the row says so.
"""

from citygen.attributes.dialect import DIALECTS, Column, Dialect

_ROOFS = {
    "horizontal": "flat",
    "multiple horizontal": "flat",
    "slanted": "slanted",
    "no points": "",
    "could not detect": "",
}
_USES = {
    "woonfunctie": "residential",
    "bijeenkomstfunctie": "civic",
    "celfunctie": "civic",
    "gezondheidszorgfunctie": "hospital",
    "industriefunctie": "industrial",
    "kantoorfunctie": "office",
    "logiesfunctie": "hotel",
    "onderwijsfunctie": "school",
    "sportfunctie": "civic",
    "winkelfunctie": "retail",
    "overige gebruiksfunctie": "",
}

DIALECTS.register(
    "bag3d",
    Dialect(
        name="bag3d",
        text="3DBAG and BAG: b3_h_dak_max less b3_h_maaiveld, b3_dak_type, b3_bouwlagen, gebruiksdoel; older names too.",
        columns={
            "height": (
                Column("b3_h_dak_max", minus="b3_h_maaiveld"),
                Column("h_dak_max", minus="h_maaiveld"),
                Column("b3_h_max", minus="b3_h_maaiveld"),
                Column("model_ridge_z", minus="model_ground_z"),
            ),
            "eave_height": (Column("model_eave_z", minus="model_ground_z"),),
            "levels": (Column("b3_bouwlagen"),),
            "roof_shape": (Column("b3_dak_type"), Column("dak_type")),
            "class": (Column("gebruiksdoel"),),
            "part": (Column("part"),),
            "part_of": (Column("parent"),),
            "location": (Column("ondergronds_type"),),
        },
        words={
            "roof_shape": _ROOFS,
            "class": _USES,
            "location": {"above ground": "", "underground": "underground", "*": ""},
        },
        signature=frozenset(
            {
                "b3_h_dak_max",
                "b3_h_max",
                "b3_dak_type",
                "b3_bouwlagen",
                "h_dak_max",
                "dak_type",
                "ondergronds_type",
                "gebruiksdoel",
            }
        ),
        marks=frozenset({"b3_h_maaiveld", "h_maaiveld", "oorspronkelijkbouwjaar"}),
    ),
)
