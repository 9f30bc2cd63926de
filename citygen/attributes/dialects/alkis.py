"""
The German cadastre (AdV: ALKIS, LoD1-DE, LoD2-DE) -> canonical keys.

Its city models are CityGML with generic attributes of its own, by which they are told from others; its vector data has
columns of its own for the same codes (GeoInfoDok 6.0, ``AX_Gebaeude``: ``gebaeudefunktion``, ``dachform``,
``anzahlDerOberirdischenGeschosse``, ``objekthoehe``), there without the object type before the number.
"""

from citygen.attributes.codelists import FUNCTION_ADV, FUNCTION_ADV_BARE, ROOF_ADV
from citygen.attributes.dialect import DIALECTS, Column, Dialect

_TABLE_COLUMNS = frozenset(
    {
        "gebaeudefunktion",
        "dachform",
        "anzahlDerOberirdischenGeschosse",
        "anzahlderoberirdischengeschosse",
        "objekthoehe",
        "gfk",
        "gebaeudefkt",
        "aog",
    }
)
_MODEL_MARKS = frozenset(
    {
        "DatenquelleDachhoehe",
        "DatenquelleBodenhoehe",
        "DatenquelleLage",
        "Gemeindeschluessel",
        "Geometrietyp2DReferenz",
        "Grundrissaktualitaet",
    }
)

DIALECTS.register(
    "alkis",
    Dialect(
        name="alkis",
        text="The German cadastre's city models and building tables: AdV codes of roofs and functions.",
        columns={
            "height": (
                Column("measuredHeight"),
                Column("objekthoehe"),
                Column("HoeheDach", minus="HoeheGrund"),
                Column("model_ridge_z", minus="model_ground_z"),
            ),
            "eave_height": (
                Column("NiedrigsteTraufeDesGebaeudes", minus="HoeheGrund"),
                Column("model_eave_z", minus="model_ground_z"),
            ),
            "levels": (
                Column("storeysAboveGround"),
                Column("anzahlDerOberirdischenGeschosse"),
                Column("anzahlderoberirdischengeschosse"),
                Column("aog"),
            ),
            "levels_underground": (Column("storeysBelowGround"), Column("anzahlDerUnterirdischenGeschosse")),
            "roof_shape": (Column("roofType"), Column("dachform")),
            "class": (Column("function"), Column("gebaeudefunktion"), Column("gfk"), Column("gebaeudefkt")),
            "part": (Column("part"),),
            "part_of": (Column("parent"),),
        },
        words={"roof_shape": ROOF_ADV, "class": {**FUNCTION_ADV_BARE, **FUNCTION_ADV}},
        signature=_TABLE_COLUMNS | {"HoeheDach", "NiedrigsteTraufeDesGebaeudes"},
        marks=_MODEL_MARKS | {"HoeheGrund"},
    ),
)
