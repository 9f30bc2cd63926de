"""
IGN's BD TOPO, versions 2 and 3 -> canonical keys.

``hauteur`` is measured from the ground to the gutter: it is the eave (0: not known). ``nombre_d_etages`` counts the ground
floor. The materials are the two-digit codes of the French land register, the main material first, 0 for not known.
Column names come as in GeoPackages, in upper case, cut to the ten characters of a shapefile, and as versions 2 and 3 abbreviate
them. Content description: BD TOPO 3.0, class BATIMENT.
"""

from collections.abc import Mapping

from citygen.attributes.dialect import DIALECTS, Column, Dialect


def _spelt(*names: str) -> tuple[Column, ...]:
    """Return the columns of some names, each also in upper case."""
    return tuple(Column(spelling) for name in names for spelling in (name, name.upper()))


_WALLS = {"1": "stone", "2": "stone", "3": "concrete", "4": "brick", "5": "cement_block", "6": "wood", "9": ""}
_ROOFS = {"1": "roof_tiles", "2": "slate", "3": "zinc", "4": "concrete", "9": ""}


def _pairs(names: Mapping[str, str]) -> dict[str, str]:
    """Return two-digit codes to materials: the first digit that says something, or the second where the first is 0."""
    codes = {"0": "", **names}
    pairs = {f"{a}{b}": codes[a] if a != "0" else codes[b] for a in codes for b in codes}
    return {"": "", **codes, **pairs}


def _misread(words: Mapping[str, str]) -> dict[str, str]:
    """Return words as they come out where UTF-8 was read as Latin-1: shapefiles without a code page."""
    return {word.encode().decode("latin-1").lower(): ours for word, ours in words.items()}


_CLASSES = {
    "indifférencié": "",
    "indifférenciée": "",
    "résidentiel": "residential",
    "annexe": "shed",
    "commercial et services": "commercial",
    "industriel": "industrial",
    "industriel, agricole ou commercial": "industrial",
    "bâtiment industriel": "industrial",
    "bâtiment commercial": "commercial",
    "bâtiment agricole": "barn",
    "agricole": "barn",
    "silo": "silo",
    "serre": "greenhouse",
    "religieux": "church",
    "eglise": "church",
    "église": "church",
    "chapelle": "chapel",
    "sportif": "sports_hall",
    "bâtiment sportif": "sports_hall",
    "bâtiment religieux divers": "religious",
    "tribune": "grandstand",
    "mairie": "civic",
    "préfecture": "government",
    "sous-préfecture": "government",
    "gare": "train_station",
    "château": "civic",
    "tour, donjon": "tower",
    "tour, donjon, moulin": "tower",
    "moulin à vent": "tower",
    "fort, blockhaus, casemate": "service",
    "oui": "shed",  # leger: a light construction
    "non": "",
}

DIALECTS.register(
    "bdtopo",
    Dialect(
        name="bdtopo",
        text="IGN BD TOPO, versions 2 and 3: hauteur (to the gutter), nombre_d_etages, nature, usage, materials.",
        columns={
            "eave_height": _spelt("hauteur"),
            "levels": _spelt("nombre_d_etages", "nb_etages", "nombre_d_e"),
            "class": _spelt("nature", "construction_legere", "leger", "constructi", "usage_1", "usage1"),
            "wall_material": _spelt("materiaux_des_murs", "mat_murs", "materiaux_"),
            "roof_material": _spelt("materiaux_de_la_toiture", "mat_toits", "materiaux1"),
        },
        words={
            "class": _misread(_CLASSES) | _CLASSES | {"0": "", "1": "shed", "false": "", "true": "shed"},
            "wall_material": _pairs(_WALLS),
            "roof_material": _pairs(_ROOFS),
        },
        signature=frozenset(
            column.name
            for column in _spelt("hauteur", "nombre_d_etages", "nb_etages", "nombre_d_e", "usage_1", "usage1")
            + _spelt("materiaux_des_murs", "materiaux_de_la_toiture", "mat_murs", "mat_toits")
        ),
        marks=frozenset(
            column.name
            for column in _spelt(
                "prec_plani", "prec_alti", "origin_bat", "altitude_minimale_sol", "altitude_maximale_toit"
            )
            + _spelt("z_min_sol", "z_max_toit", "acqu_alti", "altitude_m")
        ),
        fewest=2,
    ),
)
