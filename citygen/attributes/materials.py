"""
Material words -> canonical materials of walls and roofs.

The canonical names are values of OSM's Key:building:material and Key:roof:material, which Overture's facade_material and
roof_material share. What is not here has no colour of its own; the row says which word that was.
"""

from citygen.arraytypes import Objects

_WALLS = """
    adobe: mud mudbrick mud_brick; bamboo; brick: bricks brickwork clinker; cement_block: cement_blocks concrete_block
    concrete_blocks cinder_block breeze_block block blocks; clay: loam rammed_earth cob earth; concrete: reinforced_concrete
    beton precast_concrete concrete_panels; copper; eternit: asbestos asbestos_cement fibre_cement fiber_cement; glass: mirror
    mirrored_glass glazed; granite; limestone; marble; metal: metal_plates metal_sheet sheet_metal steel iron tin aluminium
    aluminum corrugated_iron corrugated_metal corrugated_steel corten; plaster: plastered stucco render rendered pebbledash
    roughcast masonry; plastic: vinyl pvc acrylic; sandstone; slate; solar_panels; stone: stones rock rubble
    dry_stone natural_stone fieldstone; tiles: tile ceramic ceramics terracotta; timber_framing: half_timbered timber_frame
    half-timbered; wood: wooden timber log logs weatherboard planks; thatch: reed straw
"""
_ROOFS = """
    asphalt: asphalt_shingle asphalt_shingles shingle shingles bitumen bituminous; bamboo; concrete: cement
    reinforced_concrete beton; copper; eternit: asbestos asbestos_cement fibre_cement fiber_cement; glass: acrylic_glass
    polycarbonate; grass: green_roof green sod turf plants vegetation sedum; gravel: pebbles; lead; metal: metal_sheet
    metal_sheets sheet_metal steel iron tin aluminium aluminum corrugated corrugated_iron corrugated_metal corrugated_steel;
    plastic: pvc acrylic membrane; roof_tiles: tiles tile roof_tile clay clay_tiles brick bricks terracotta ceramic; slate;
    solar_panels; stone: stones stone_slabs; tar_paper: tar roofing_felt felt bitumen_paper; tents: tent fabric textile canvas;
    thatch: thatched reed straw palm_leaves; wood: wooden timber wood_shingles shakes; zinc
"""


def _read(text: str) -> dict[str, str]:
    """Read 'name: other words; name; ...' into every word -> its name."""
    table: dict[str, str] = {}
    for entry in text.split(";"):
        name, _, others = entry.partition(":")
        for word in (name.strip(), *others.split()):
            table[word.replace("-", "_")] = name.strip()
    return table


WALL_MATERIALS = _read(_WALLS)
"""Word to canonical material of a wall."""
ROOF_MATERIALS = _read(_ROOFS)
"""Word to canonical material of a roof."""


def canonical_materials(words: Objects, table: dict[str, str]) -> Objects:
    """
    Bring material words to canonical names.

    Parameters
    ----------
    words : (n,) object of str
        Lower case, '' where none.
    table : dict of str to str
        ``WALL_MATERIALS`` or ``ROOF_MATERIALS``.

    Returns
    -------
    (n,) object of str
        '' where none is given; the word itself where it is not known.

    Examples
    --------
    >>> import numpy as np
    >>> words = np.array(["bricks", "half-timbered", "", "papier mache"], dtype=object)
    >>> canonical_materials(words, WALL_MATERIALS).tolist()
    ['brick', 'timber_framing', '', 'papier mache']
    """
    out = words.copy()
    for word in dict.fromkeys(words.tolist()):
        name = table.get(word.replace("-", "_").replace(" ", "_"))
        if name is not None and name != word:
            out[words == word] = name
    return out
