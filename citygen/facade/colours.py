"""
Building class, roof and colour tags to a wall colour and a roof colour for every building.

Where the source gives none, a muted colour of the material's palette, or else of the class's, is taken by the id's own
digest, so a building keeps its colour whatever is built beside it. Tagged colours are names of paints more often than
measurements ("red" is a tile, not 255, 0, 0): their chroma is limited to what plaster and tiles have; hue and lightness stay.
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
WALL_MATERIALS: dict[str, tuple[int, ...]] = {
    "adobe": (0xB99A76, 0xC2A582, 0xAE8F6C),
    "bamboo": (0xC4AC78, 0xB79D68),
    "brick": (0x9B5B48, 0xA46550, 0x8C5041, 0x95604F, 0xAD705A, 0x84503F),
    "cement_block": (0xAEABA4, 0xA39F98, 0xB8B4AC),
    "clay": (0xB58E6C, 0xC09A78, 0xA9825F),
    "concrete": (0xB5B2AB, 0xA8A59E, 0xC0BDB5, 0x9F9C96),
    "copper": (0x7B9C8B, 0x86A596, 0x8A6A52),
    "eternit": (0xA7A9A7, 0xB2B3AF, 0x9B9E9C),
    "glass": (0x7F97A3, 0x8CA2AC, 0x728B98, 0x97AAB2),
    "granite": (0xA09C99, 0x938F8D, 0xABA6A2),
    "limestone": (0xD6CBB2, 0xCFC2A6, 0xDDD3BD),
    "marble": (0xE3DFD8, 0xDAD5CD),
    "metal": (0xA3A9AC, 0x959C9F, 0xB1B5B6, 0x8A9194),
    "plaster": (0xE4DACB, 0xDDD2C0, 0xE9E1D4, 0xD8CDBD, 0xE2D5C3, 0xE8DCC8, 0xE5DDD5),
    "plastic": (0xD4D6D5, 0xC8CBCA, 0xDEDDD8),
    "sandstone": (0xC6AE86, 0xBBA27A, 0xCFB993, 0xB89A78),
    "slate": (0x5E6468, 0x6A7074, 0x53585C),
    "solar_panels": (0x2F3A4C, 0x37435A),
    "stone": (0xB3A999, 0xA89E8E, 0xBDB4A5, 0x9D9486),
    "thatch": (0xA08A62, 0x93805A),
    "tiles": (0xCDC3B5, 0xBFB5A8, 0xB98A70),
    "timber_framing": (0xD9CDB8, 0xE0D6C4, 0xCFC1A8),
    "wood": (0x9A7A57, 0x8B6C4C, 0xA98863, 0x7C6148, 0xA3907A),
}
"""Colours of walls by canonical material: unpainted, as it weathers out of doors."""
ROOF_MATERIALS: dict[str, tuple[int, ...]] = {
    "asphalt": (0x6B6865, 0x77736F, 0x5F5C5A, 0x7A6A60),
    "bamboo": (0xB29A6A, 0xA58D5E),
    "concrete": (0xA9A59E, 0xB3AEA6, 0x9D9A95),
    "copper": (0x7FA593, 0x8BAF9E, 0x75998A),
    "eternit": (0x9C9E9B, 0xA7A9A5, 0x8F918E),
    "glass": (0x8FA6B0, 0x9DB1B9, 0x8299A4),
    "grass": (0x7F8E5B, 0x8A9866, 0x748451),
    "gravel": (0xB0AAA0, 0xA59F95, 0xBAB4AA),
    "lead": (0x85898C, 0x7A7E82),
    "metal": (0x8E9699, 0x9BA0A0, 0x858A8E, 0xA3A29C),
    "plastic": (0xC4C6C4, 0xB7BAB8),
    "roof_tiles": (0xA4583F, 0x9C5240, 0xAD6347, 0x8F4C3B, 0xB06B4E, 0x94584A),
    "slate": (0x565C61, 0x62686D, 0x4C5257, 0x5C5B62),
    "solar_panels": (0x2F3A4C, 0x37435A),
    "stone": (0xA0978A, 0x948B7F, 0xACA397),
    "tar_paper": (0x55534F, 0x605D59, 0x4B4946),
    "tents": (0xE3DFD6, 0xD9D3C7),
    "thatch": (0x94805A, 0x877450, 0xA08B64),
    "wood": (0x8B7459, 0x7D674E, 0x978066),
    "zinc": (0x9AA2A6, 0xA6ADB0, 0x8E969B),
}
"""Colours of roofs by canonical material; copper is green, as it is after some decades."""
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


def colours(
    ids: Objects,
    class_name: Objects,
    flat_roof: Bool,
    given: tuple[Int64, Int64],
    materials: tuple[Objects, Objects] | None = None,
) -> tuple[UInt8, UInt8]:
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
    materials : ((n,) object of str, (n,) object of str), optional
        Canonical materials of walls and roofs; '' and words without a palette take the class's.

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
    if materials is not None:
        walls = _pick(WALL_MATERIALS, materials[0], seed, walls)
        roofs = _pick(ROOF_MATERIALS, materials[1], seed // 97, roofs)
    return _paint(given[0], walls), _paint(given[1], roofs)


def _paint(given: Int64, palette: Int64) -> UInt8:
    """Return given colours, their chroma limited, and palette colours where none is given."""
    tagged = _bytes(np.maximum(given, 0)).astype(float)
    chroma = tagged.max(axis=1) - tagged.min(axis=1)
    grey = tagged @ _LUMA
    share = np.minimum(1.0, MAX_CHROMA / np.maximum(chroma, 1.0))
    muted = np.clip(np.rint(grey[:, None] + (tagged - grey[:, None]) * share[:, None]), 0, 255)
    return np.where((given >= 0)[:, None], muted, _bytes(palette)).astype(np.uint8)


def _pick(palettes: dict[str, tuple[int, ...]], group: Objects, seed: Int64, other: Int64 | None = None) -> Int64:
    """Take one colour of each row's palette; rows without a palette keep the other colour."""
    out = np.zeros(len(group), dtype=np.int64) if other is None else other.copy()
    for name in dict.fromkeys(group.tolist()):
        if name not in palettes:
            continue
        mine, palette = group == name, palettes[name]
        out[mine] = np.array(palette)[seed[mine] % len(palette)]
    return out


def _bytes(rgb: Int64) -> UInt8:
    """Split 0xRRGGBB into three columns."""
    return np.stack([(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255], axis=1).astype(np.uint8)
