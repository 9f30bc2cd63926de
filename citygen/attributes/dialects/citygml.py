"""
City models (CityGML, CityJSON) and tables made of them -> canonical keys.

OGC 12-019, section 10.3.4: ``roofType``, ``function``, ``measuredHeight`` (lowest ground to highest roof point),
``storeysAboveGround``. Where no height is given, the model's own geometry has one: the columns ``model_*`` that the city
model sources add, altitudes, so that ridge less ground is the height. The roof types of both lists that are in use are
read (``codelists``), as they contradict each other nowhere.
"""

from citygen.attributes.codelists import FUNCTION_ADV, FUNCTION_OGC, ROOF_ADV, ROOF_OGC
from citygen.attributes.dialect import DIALECTS, Column, Dialect

DIALECTS.register(
    "citygml",
    Dialect(
        name="citygml",
        text="City models: CityGML's and CityJSON's attributes, codes of the OGC and AdV lists, heights of the model itself.",
        columns={
            "height": (
                Column("measuredHeight"),
                Column("RelativeRidgeHeight"),
                Column("ridge_rel"),
                Column("model_ridge_z", minus="model_ground_z"),
            ),
            "eave_height": (
                Column("RelativeEavesHeight"),
                Column("eaves_rel"),
                Column("model_eave_z", minus="model_ground_z"),
            ),
            "levels": (Column("storeysAboveGround"),),
            "levels_underground": (Column("storeysBelowGround"),),
            "roof_shape": (Column("roofType"),),
            "class": (Column("function"), Column("usage")),
            "part": (Column("part"),),
            "part_of": (Column("parent"),),
        },
        words={"roof_shape": {**ROOF_OGC, **ROOF_ADV}, "class": {**FUNCTION_OGC, **FUNCTION_ADV}},
        signature=frozenset(
            {
                "roofType",
                "measuredHeight",
                "storeysAboveGround",
                "storeysBelowGround",
                "RelativeRidgeHeight",
                "RelativeEavesHeight",
                "model_ridge_z",
            }
        ),
        marks=frozenset({"storeyHeightsAboveGround", "storeyHeightsBelowGround", "model_ground_z"}),
    ),
)
