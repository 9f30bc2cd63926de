"""Roof surfaces over footprints, as the families make them and the solids take them: ragged faces and wall-top chains."""

from dataclasses import dataclass

from citygen.arraytypes import Bool, Float64, Int64, UInt8


@dataclass(frozen=True, slots=True)
class RoofSurfaces:
    """
    The roofs of many footprint polygons.

    Attributes
    ----------
    points : (m, 3) float64
        Local plan coordinates of each polygon, and z in metres above the polygon's eave.
    corners : (c,) int64
        Point numbers of all face rings, counter-clockwise seen from outside.
    ring_offsets : (r + 1,) int64
        Corners of each face ring; a face's first ring is its outline.
    face_offsets : (f + 1,) int64
        Rings of each face.
    polygon_faces : (p + 1,) int64
        Faces of each polygon.
    riser : (f,) uint8
        1 for a vertical face within the roof.
    chain : (k,) int64
        Point numbers of the top edge of every wall, from over an edge's first footprint vertex to over its second.
    chain_offsets : (n + 1,) int64
        Chains in the order of the footprint's vertices: the edge that starts at vertex ``i``.
    ok : (p,) bool
        False where the family could not make this polygon (it then has no faces).
    """

    points: Float64
    corners: Int64
    ring_offsets: Int64
    face_offsets: Int64
    polygon_faces: Int64
    riser: UInt8
    chain: Int64
    chain_offsets: Int64
    ok: Bool
