"""Certified solids of a tile to a scene: triangles in the tile's own east-north-up frame, through the real projection."""

from typing import Any

import numpy as np

from citygen.arraytypes import Float64, Int64, UInt8
from citygen.geom.geodesy import LocalFrame, to_ecef, to_lonlat
from citygen.geom.shading import corner_normals
from citygen.geom.triangulate import face_vectors, triangulate
from citygen.ground.vertical import to_ellipsoid
from citygen.model.meshes import ROOF, Meshes
from citygen.model.scene import Scene
from citygen.pipeline.options import TileOptions
from citygen.pipeline.placement import frame_of
from citygen.roofs.base import ROOFS

Region = tuple[float, float, float, float, float, float]


def make_scene(
    meshes: Meshes,
    paint: tuple[UInt8, UInt8],
    table: dict[str, Any],
    built: Int64,
    key: tuple[int, int],
    options: TileOptions,
) -> tuple[Scene, Region]:
    """
    Place a tile's solids on Earth.

    Parameters
    ----------
    meshes : Meshes
        Certified.
    paint : ((n, 3) uint8, (n, 3) uint8)
        Wall and roof colour of each table row.
    table : dict
        Columns of the built rows; ``roof_shape`` says which roofs are curved.
    built : (b,) int64
        Those rows, ascending.
    key : (int, int)
        The tile's column and row.
    options : TileOptions
        For the CRS, the grid and the vertical datum.

    Returns
    -------
    Scene
        Around the tile's centre.
    region : tuple of float
        West, south, east, north in degrees, lowest and highest ellipsoidal height.
    """
    frame = tile_frame(key, options)
    local, region = _to_frame(meshes, frame, options)
    triangles, _, _ = triangulate(meshes.vertices, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    vectors = face_vectors(local, meshes.corners, meshes.ring_offsets, meshes.face_offsets)
    normals = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    face_solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_faces))
    face_row = meshes.solid_row[face_solid]
    colours = np.where((meshes.face_class == ROOF)[:, None], paint[1][face_row], paint[0][face_row]).astype(np.uint8)
    corner_face = np.repeat(np.arange(len(face_row)), np.diff(meshes.ring_offsets[meshes.face_offsets]))
    feature = np.searchsorted(built, face_row)
    curved = np.isin(table["roof_shape"], [shape.name for shape in ROOFS if shape.is_curved])
    smooth = curved[feature] & (meshes.face_class == ROOF)
    scene = Scene(
        positions=local[meshes.corners],
        normals=corner_normals(meshes.corners, corner_face, normals, smooth, len(meshes.vertices)),
        colours=colours[corner_face],
        features=feature[corner_face],
        triangles=triangles,
        table=table,
        lon=frame.lon,
        lat=frame.lat,
    )
    return scene, region


def tile_frame(key: tuple[int, int], options: TileOptions) -> LocalFrame:
    """Return the frame at a tile's centre."""
    return frame_of(key, options.grid)


def _to_frame(meshes: Meshes, frame: LocalFrame, options: TileOptions) -> tuple[Float64, Region]:
    """Return every mesh vertex in the tile's frame, and the region around them; plan coordinates are projected once."""
    solid = np.repeat(np.arange(len(meshes)), np.diff(meshes.solid_vertices))
    world = meshes.vertices[:, :2] + meshes.origins[solid]
    # Floor, eave and step vertices stand over one another: project each place once.
    places, inverse = np.unique(world[:, 0] + 1j * world[:, 1], return_inverse=True)
    xy = np.stack([places.real, places.imag], axis=1)
    lonlat = to_lonlat(options.crs, xy)[inverse.reshape(-1)]
    height = to_ellipsoid(options.vertical, lonlat, meshes.vertices[:, 2])
    local = frame.from_ecef(to_ecef(lonlat, height))
    west, south = lonlat.min(axis=0).tolist()
    east, north = lonlat.max(axis=0).tolist()
    if east - west > 180:  # a tile across the antimeridian
        wrapped = np.where(lonlat[:, 0] < 0, lonlat[:, 0] + 360, lonlat[:, 0])
        west, east = float(wrapped.min()), float(wrapped.max()) - 360
    return local, (west, south, east, north, float(height.min()), float(height.max()))
