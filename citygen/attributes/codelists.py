"""
The code lists of city models, as tables to our words: roof types and building functions.

Roof types: OGC 12-019, annex C (the SIG3D list of CityGML 2.0: four digits from 1000 to 1130) and AdV GeoInfoDok 6.0,
``AX_Dachform`` (1000, 2100 to 9999). They share one code, 1000, and mean the same by it, so that a table of both reads
either. Functions do collide as bare numbers (1130 is a bank in one list, flats over a workshop in the other): the AdV's
are told by their object type before the number (``31001_1010``), as CityGML files of the cadastre write them.

A code that names no one shape (mixed, other, several) is handed on as a word that says so, with the code; the roof's row
then has the reason ``roof_vague``.
"""

from collections.abc import Mapping

ROOF_OGC: Mapping[str, str] = {
    "1000": "flat",
    "1010": "skillion",
    "1020": "gabled_height_moved",  # dual pent
    "1030": "gabled",
    "1040": "hipped",
    "1050": "half-hipped",
    "1060": "mansard",
    "1070": "pyramidal",  # pavilion
    "1080": "cone",
    "1090": "dome",
    "1100": "sawtooth",  # shed
    "1110": "round",  # arch
    "1120": "pyramidal",  # broach
    "1130": "combination (1130)",
}
"""CityGML 2.0's standard list to names of roof shapes."""

ROOF_ADV: Mapping[str, str] = {
    "1000": "flat",
    "2100": "skillion",  # Pultdach
    "2200": "gabled_height_moved",  # versetztes Pultdach
    "3100": "gabled",  # Satteldach
    "3200": "hipped",  # Walmdach
    "3300": "half-hipped",  # Krueppelwalmdach
    "3400": "mansard",  # Mansardendach
    "3500": "pyramidal",  # Zeltdach
    "3600": "cone",  # Kegeldach
    "3700": "dome",  # Kuppeldach
    "3800": "sawtooth",  # Sheddach
    "3900": "round",  # Bogendach
    "4000": "pyramidal",  # Turmdach
    "5000": "mixed (5000)",  # Mischform
    "9999": "other (9999)",  # Sonstiges
}
"""The German cadastre's list to names of roof shapes."""

_FUNCTIONS_OGC = {
    "residential": "1000 1010 1030 1040 1050 1060 1080",
    "dormitory": "1020",
    "farm": "1070",
    "house": "1090",
    "cabin": "1100 1110",
    "office": "1120 1130 1140",
    "commercial": "1150 1160 1170",
    "kiosk": "1180",
}

_FUNCTIONS_ADV = {
    "residential": "1000 1100 1110 1120 1121 1122 1123 1130 1131 1210 1220 3100",
    "house": "1010 1223",
    "dormitory": "1020 1021 1022 1023 1024 1025",
    "farm": "1221 1222",
    "cabin": "1311 1312 2073 2732",
    "shed": "1313 2723",
    "commercial": "2000 2010 2050 2060 2090 2091 2092 2310 2320",
    "office": "2020 2030 2040 2160 3024",
    "retail": "2051 2052 2053 2054 2056",
    "kiosk": "2055",
    "hotel": "2070 2071 2072",
    "industrial": "2100 2110 2111 2112 2120",
    "warehouse": "2140 2141 2142 2143 2150",
    "service": "2500 2510 2520 2521 2522 2523 2540",
    "parking": "2461 2462",
    "garage": "2463 2464",
    "farm_auxiliary": "2700 2720",
    "barn": "2721 2726 2728",
    "stable": "2724 2727",
    "greenhouse": "2740 2741 2742",
    "civic": "3000 3030 3031 3032 3033 3034 3036 3037 3060 3061 3062 3070 3071 3072 3080",
    "government": "3010 3011 3012 3013 3014 3015 3016 3017 3019",
    "school": "3020 3021 3022",
    "university": "3023",
    "church": "3041",
    "chapel": "3043",
    "synagogue": "3042",
    "mosque": "3046",
    "temple": "3047",
    "religious": "3040 3044 3045 3048",
    "hospital": "3050 3051 3052",
    "kindergarten": "3065",
}


def _by_code(words: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    """Turn a table of words with their codes round."""
    return {prefix + code: word for word, codes in words.items() for code in codes.split()}


FUNCTION_OGC: Mapping[str, str] = _by_code(_FUNCTIONS_OGC)
"""The first, plainest codes of CityGML 2.0's standard list of functions to building types."""

FUNCTION_ADV_BARE: Mapping[str, str] = _by_code(_FUNCTIONS_ADV)
"""The German cadastre's functions of buildings (``AX_Gebaeude``, 31001) to building types, as bare numbers."""

FUNCTION_ADV: Mapping[str, str] = {
    **_by_code(_FUNCTIONS_ADV, "31001_"),
    "51009_1610": "roof",
    "51009_1611": "carport",
    "51001_1001": "tower",  # water tower
    "51001_1002": "tower",  # church tower
    "51001_1003": "tower",
}
"""The same with their object type before the number, and the structures (51001, 51009) that city models hold."""
