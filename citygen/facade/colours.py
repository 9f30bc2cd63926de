"""
Building class, roof and colour tags to a wall colour and a roof colour for every building.

Where the source gives none, a muted colour of the class's palette is taken by the id's own digest, so a building keeps its
colour whatever is built beside it. Tagged colours are names of paints more often than measurements ("red" is a tile, not
255, 0, 0): their chroma is limited to what plaster and tiles have; hue and lightness stay.
"""

import zlib

import numpy as np

from citygen.arraytypes import Bool, Int64, Objects, UInt8

_WALLS: dict[str, tuple[int, ...]] = {
    "": (0xE4DACB, 0xDDD2C0, 0xE9E1D4, 0xD8CDBD, 0xE2D5C3, 0xD9C9B4, 0xE8DCC8, 0xCFC4B4, 0xE5DDD5, 0xDCC9AE),
    "industrial": (0xC9CBCB, 0xBFC4C6, 0xD2D0CA, 0xC4BFB6),
    "civic": (0xD8D0C0, 0xCFC6B4, 0xC9BFA9, 0xDDD7CB),
}
_ROOFS: dict[str, tuple[int, ...]] = {
    "pitched": (0xA4583F, 0x9C5240, 0xAD6347, 0x8F4C3B, 0xB06B4E, 0x94584A, 0x7F4A3E, 0x6F6660, 0x675F5B),
    "flat": (0xA9A59E, 0xB3AEA6, 0x9D9A95, 0xBBB6AC, 0xADA79B),
    "industrial": (0x8E9699, 0x9BA0A0, 0x858A8E, 0xA3A29C),
    "civic": (0x5F6B6A, 0x6E5A50, 0x58625F, 0x7A5446),
}
MAX_CHROMA = 130.0
"""Largest difference between a painted colour's channels, of 255."""
_LUMA = np.array([0.2126, 0.7152, 0.0722])
_INDUSTRIAL = {
    "industrial",
    "warehouse",
    "hangar",
    "retail",
    "garage",
    "garages",
    "farm_auxiliary",
    "barn",
    "storage_tank",
}
_CIVIC = {"church", "chapel", "cathedral", "school", "civic", "public", "hospital", "university", "townhall", "tower"}


def colours(ids: Objects, class_name: Objects, flat_roof: Bool, given: tuple[Int64, Int64]) -> tuple[UInt8, UInt8]:
    """
    Choose colours.

    Parameters
    ----------
    ids : (n,) object of str
        Feature ids.
    class_name : (n,) object of str
        Building class words, '' when unknown.
    flat_roof : (n,) bool
        Whether the roof is level.
    given : ((n,) int64, (n,) int64)
        Tagged wall and roof colours, 0xRRGGBB, -1 where there is none.

    Returns
    -------
    walls, roofs : (n, 3) uint8
        sRGB.
    """
    seed = np.array([zlib.crc32(str(i).encode("utf-8", "replace")) for i in ids.tolist()], dtype=np.int64)
    words, inverse = np.unique(class_name.astype(str), return_inverse=True)
    groups = np.array(
        ["industrial" if w in _INDUSTRIAL else "civic" if w in _CIVIC else "" for w in words.tolist()], dtype=object
    )
    group = groups[inverse.reshape(-1)] if len(words) else np.empty(0, dtype=object)
    roof_group = np.where(group != "", group, np.where(flat_roof, "flat", "pitched"))
    roof_group = np.where((group == "civic") & flat_roof, "flat", roof_group)
    walls = _pick(_WALLS, group, seed)
    roofs = _pick(_ROOFS, roof_group, seed // 97)
    return _paint(given[0], walls), _paint(given[1], roofs)


def _paint(given: Int64, palette: Int64) -> UInt8:
    """Return given colours, their chroma limited, and palette colours where none is given."""
    tagged = _bytes(np.maximum(given, 0)).astype(float)
    chroma = tagged.max(axis=1) - tagged.min(axis=1)
    grey = tagged @ _LUMA
    share = np.minimum(1.0, MAX_CHROMA / np.maximum(chroma, 1.0))
    muted = np.clip(np.rint(grey[:, None] + (tagged - grey[:, None]) * share[:, None]), 0, 255)
    return np.where((given >= 0)[:, None], muted, _bytes(palette)).astype(np.uint8)


def _pick(palettes: dict[str, tuple[int, ...]], group: Objects, seed: Int64) -> Int64:
    """Take one colour of each row's palette."""
    out = np.zeros(len(group), dtype=np.int64)
    for name, palette in palettes.items():
        mine = group == name
        out[mine] = np.array(palette)[seed[mine] % len(palette)]
    return out


def _bytes(rgb: Int64) -> UInt8:
    """Split 0xRRGGBB into three columns."""
    return np.stack([(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255], axis=1).astype(np.uint8)
