"""Footprint rings with roof surfaces to closed solids: a floor, a wall an edge up to the roof's edge, the roof on top."""

from citygen.arraytypes import Float64, Int64
from citygen.geom.prism import assemble
from citygen.model.meshes import Meshes
from citygen.model.rings import Rings
from citygen.model.surfaces import RoofSurfaces


def extrude(
    rings: Rings, roof: RoofSurfaces, base_z: Float64, eave_z: Float64, rows_origins: tuple[Int64, Float64]
) -> Meshes:
    """
    Close solids between a floor and a roof.

    Parameters
    ----------
    rings : Rings
        Footprint polygons in local plan coordinates.
    roof : RoofSurfaces
        Their roofs; a polygon whose roof is not ``ok`` becomes a solid without faces.
    base_z, eave_z : (p,) float64
        Floor and eave, metres in the DEM's vertical datum; the eave at least ``MIN_WALL_M`` above the floor.
    rows_origins : ((p,) int64, (p, 2) float64)
        The table row and the local origin of each polygon.

    Returns
    -------
    Meshes
        One solid a polygon, in order.
    """
    arrays = (
        roof.points,
        roof.corners,
        roof.ring_offsets,
        roof.face_offsets,
        roof.polygon_faces,
        roof.riser,
        roof.chain,
        roof.chain_offsets,
        roof.ok,
    )
    parts = assemble(rings.coords, rings.ring_offsets, rings.polygon_offsets, arrays, base_z, eave_z)
    vertices, corners, ring_offsets, face_offsets, face_class, solid_faces, solid_vertices = parts
    return Meshes(
        vertices,
        corners,
        ring_offsets,
        face_offsets,
        face_class,
        solid_faces,
        solid_vertices,
        solid_row=rows_origins[0],
        origins=rows_origins[1],
    )
