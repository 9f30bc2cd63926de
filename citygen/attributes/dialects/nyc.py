"""
New York City's building footprints -> canonical keys.

Heights are in feet above the ground of the building, 0 for not known. The roof's height is that of the top. Column names come
as published today, as in earlier releases, and as a shapefile cuts them. Metadata: CityOfNewYork/nyc-geo-metadata,
Building Footprints.
"""

from citygen.attributes.dialect import DIALECTS, Column, Dialect

_HEIGHT = ("HEIGHT_ROOF", "height_roof", "HEIGHTROOF", "heightroof", "HEIGHT_ROO", "height_roo")
_CODE = ("FEATURE_CODE", "feature_code", "FEAT_CODE", "feat_code", "FEATURE_CO", "feature_co")
_GROUND = ("GROUND_ELEVATION", "ground_elevation", "GROUNDELEV", "groundelev", "GROUND_ELE", "ground_ele")
_YEAR = ("CONSTRUCTION_YEAR", "construction_year", "CNSTRCT_YR", "cnstrct_yr", "CONSTRUCTI")

DIALECTS.register(
    "nyc",
    Dialect(
        name="nyc",
        text="New York City building footprints: height_roof in feet, feature_code.",
        columns={
            "height": tuple(Column(name, bare_unit="ft") for name in _HEIGHT),
            "class": tuple(Column(name) for name in _CODE),
        },
        words={
            "class": {
                "1000": "parking",
                "1001": "canopy",
                "1002": "storage_tank",
                "1003": "",  # a small triangle in the place of a building
                "1004": "shed",
                "1005": "container",
                "1006": "",  # a building that cantilevers
                "2100": "",  # any building
                "2110": "bridge",
                "5100": "construction",
                "5110": "garage",
                "building": "",
                "building under construction": "construction",
                "cantilevered building": "",
                "garage": "garage",
                "gas station canopy": "canopy",
                "placeholder": "",
                "skybridge": "bridge",
            }
        },
        signature=frozenset((*_HEIGHT, *_CODE)),
        marks=frozenset((*_GROUND, *_YEAR, "BIN", "bin", "DOITT_ID", "doitt_id", "MPLUTO_BBL", "mpluto_bbl")),
        fewest=3,
    ),
)
