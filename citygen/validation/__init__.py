"""
Files that citygen wrote, or anyone's, to issues: 3D Tiles, glTF with feature metadata, and citygen's own output folder.

The rules follow the specifications part by part: ``tileset``, ``bounding``, ``implicit``, ``metadata_schema``,
``metadata_values`` (3D Tiles 1.1), ``glb``, ``accessors``, ``primitives`` (glTF 2.0), ``mesh_features``,
``property_tables``, ``property_textures``, ``property_attributes`` (the EXT extensions), ``solids`` and ``output``
(promises 1 and 2 of citygen).
"""

from citygen.validation.asset import check_glb
from citygen.validation.issues import Issue
from citygen.validation.output import Report, check_output
from citygen.validation.tileset import check_tileset

__all__ = ["Issue", "Report", "check_glb", "check_output", "check_tileset"]
