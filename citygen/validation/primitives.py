"""
Mesh primitives of a glTF to issues: attributes of one count, positions with bounds, indices in range, unit normals.

glTF 2.0, "Meshes"; issue codes are those of the Khronos validator.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import AnyArray, Int64
from citygen.validation.accessors import COMPONENT_DTYPES
from citygen.validation.glb import Gltf
from citygen.validation.issues import IssueLog, Json, join
from citygen.validation.shape import INDEX, Array, Dictionary, Number, Record, check_shape

UNIT_TOLERANCE = 5e-4
"""How far the length of a normal may be from 1: 8 bit normals are coarser, but are not float."""
TRIANGLES = 4

PRIMITIVE = Record(
    {
        "attributes": Dictionary(INDEX, low=1),
        "indices": INDEX,
        "material": INDEX,
        "mode": Number(0, 6, integer=True),
    },
    required=("attributes",),
)
MESH = Record({"primitives": Array(Record(), 1)}, required=("primitives",))


@dataclass(frozen=True, slots=True)
class Primitive:
    """A primitive whose shape is right: its JSON, where it stands, its mesh, its vertex count (None when unknown)."""

    body: dict[str, Json]
    pointer: str
    mesh: int
    n_vertices: int | None

    def attribute(self, gltf: Gltf, name: str) -> AnyArray | None:
        """Return the (n, components) array of an attribute, None when it is absent or broken."""
        index = self.body["attributes"].get(name)
        return None if index is None else gltf.arrays.get(int(index))


def check_primitives(gltf: Gltf, issues: IssueLog) -> list[Primitive]:
    """
    Check all primitives of all meshes.

    Parameters
    ----------
    gltf : Gltf
        With its accessors decoded.
    issues : IssueLog
        Takes the issues.

    Returns
    -------
    list of Primitive
        Those whose JSON has the right shape.
    """
    found = []
    for pointer, mesh, body in _bodies(gltf, issues):
        if not check_shape(body, PRIMITIVE, pointer, issues):
            continue
        counts = _check_attributes(gltf, body, pointer, issues)
        primitive = Primitive(body, pointer, mesh, counts)
        _check_indices(gltf, primitive, issues)
        _check_geometry(gltf, primitive, issues)
        found.append(primitive)
    return found


def triangles(gltf: Gltf, primitive: Primitive) -> Int64 | None:
    """
    Return the triangles of a primitive.

    Returns
    -------
    (t, 3) int64 or None
        Vertex numbers; None for other modes and broken indices.
    """
    if primitive.body.get("mode", TRIANGLES) != TRIANGLES or primitive.n_vertices is None:
        return None
    index = primitive.body.get("indices")
    if index is None:
        corners: Int64 = np.arange(primitive.n_vertices, dtype=np.int64)
    else:
        array = gltf.arrays.get(int(index))
        if array is None or array.dtype.kind != "u" or np.any(array >= primitive.n_vertices):
            return None
        corners = array[:, 0].astype(np.int64)
    return corners.reshape(-1, 3) if len(corners) % 3 == 0 else None


def _bodies(gltf: Gltf, issues: IssueLog) -> Iterator[tuple[str, int, Json]]:
    for m, mesh in enumerate(gltf.listed("meshes")):
        if check_shape(mesh, MESH, join("/meshes", m), issues):
            for p, body in enumerate(mesh["primitives"]):
                yield join("/meshes", m, "primitives", p), m, body


def _check_attributes(gltf: Gltf, body: Json, pointer: str, issues: IssueLog) -> int | None:
    """Check the accessors of the attributes and return the vertex count."""
    accessors = gltf.listed("accessors")
    counts = set()
    for name, index in body["attributes"].items():
        at = join(pointer, "attributes", name)
        if index >= len(accessors):
            issues.error("UNRESOLVED_REFERENCE", at, f"there is no accessor {index}")
            continue
        accessor = accessors[int(index)]
        if not isinstance(accessor, dict) or "count" not in accessor:
            continue
        counts.add(accessor["count"])
        if name == "POSITION" and not {"min", "max"} <= accessor.keys():
            issues.error("MESH_PRIMITIVE_POSITION_ACCESSOR_WITHOUT_BOUNDS", at, "POSITION needs 'min' and 'max'")
        _check_vertex_alignment(gltf, accessor, at, issues)
    if len(counts) > 1:
        issues.error("MESH_PRIMITIVE_UNEQUAL_ACCESSOR_COUNT", pointer, f"attributes have {sorted(counts)} elements")
        return None
    return int(counts.pop()) if counts else None


def _check_vertex_alignment(gltf: Gltf, accessor: Json, at: str, issues: IssueLog) -> None:
    """Vertex data starts and steps in multiples of 4 bytes."""
    views, index = gltf.listed("bufferViews"), accessor.get("bufferView")
    if not isinstance(index, int) or not 0 <= index < len(views):
        return
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}.get(accessor.get("type", ""), 4)
    size = np.dtype(COMPONENT_DTYPES.get(accessor.get("componentType"), "<f4")).itemsize * width
    stride = views[index].get("byteStride", size)
    if stride % 4 or accessor.get("byteOffset", 0) % 4:
        issues.error("MESH_PRIMITIVE_ACCESSOR_UNALIGNED", at, "vertex data must be aligned to 4 bytes")


def _check_indices(gltf: Gltf, primitive: Primitive, issues: IssueLog) -> None:
    index, at = primitive.body.get("indices"), join(primitive.pointer, "indices")
    count = primitive.n_vertices
    if index is not None:
        if index >= len(gltf.listed("accessors")):
            issues.error("UNRESOLVED_REFERENCE", at, f"there is no accessor {index}")
            return
        array = gltf.arrays.get(int(index))
        if array is None:
            return
        if array.dtype.kind != "u" or array.shape[1] != 1:
            issues.error("MESH_PRIMITIVE_INDICES_ACCESSOR_INVALID_FORMAT", at, "indices must be unsigned scalars")
            return
        top = int(array.max())
        if top == np.iinfo(array.dtype).max:
            issues.error("ACCESSOR_INDEX_PRIMITIVE_RESTART", at, f"{top} is the primitive restart value")
        elif count is not None and top >= count:
            issues.error("ACCESSOR_INDEX_OOB", at, f"index {top} with {count} vertices")
        count = len(array)
    mode = primitive.body.get("mode", TRIANGLES)
    if mode == TRIANGLES and count is not None and count % 3:
        issues.warning("MESH_PRIMITIVE_INCOMPATIBLE_MODE", primitive.pointer, f"{count} corners make no triangles")


def _check_geometry(gltf: Gltf, primitive: Primitive, issues: IssueLog) -> None:
    for name in ("POSITION", "NORMAL"):
        array = primitive.attribute(gltf, name)
        at = join(primitive.pointer, "attributes", name)
        if array is None:
            continue
        if array.shape[1] != 3 or array.dtype.kind != "f":
            issues.error("MESH_PRIMITIVE_ATTRIBUTES_ACCESSOR_INVALID_FORMAT", at, "must be VEC3 of float")
        elif name == "NORMAL":
            squared = np.einsum("ij,ij->i", array, array)
            off = int(np.count_nonzero(np.abs(squared - 1.0) > 2 * UNIT_TOLERANCE))
            if off:
                issues.error("ACCESSOR_VECTOR3_NON_UNIT", at, f"{off} normals do not have length 1")
