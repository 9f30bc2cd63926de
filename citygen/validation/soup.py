"""A glTF to the triangles that carry feature ids, and to its vertices, where the nodes of its scene put them."""

from dataclasses import dataclass

import numpy as np

from citygen.arraytypes import Float32, Float64, Int64
from citygen.validation.asset import Asset
from citygen.validation.glb import Gltf
from citygen.validation.issues import IssueLog, Json
from citygen.validation.mesh_features import NAME, vertex_ids
from citygen.validation.primitives import TRIANGLES, Primitive, triangles


@dataclass(frozen=True, slots=True)
class Soup:
    """
    The triangles that carry feature ids.

    Attributes
    ----------
    corners : (t, 3, 3) float32
        Positions of the corners, metres, in the frame of the tile.
    features : (t,) int64
        Feature id of each triangle.
    """

    corners: Float32
    features: Int64


def gather_soup(asset: Asset, issues: IssueLog) -> Soup | None:
    """
    Collect the triangles of all primitives with feature ids by attribute or vertex number.

    Parameters
    ----------
    asset : Asset
        A tile.
    issues : IssueLog
        Takes SOLID_NOT_CHECKED and FEATURE_ID_MIXED_TRIANGLE.

    Returns
    -------
    Soup or None
        None without such primitives; triangles of no feature are left out.
    """
    placed = _mesh_matrices(asset.gltf)
    alone = len({matrix.tobytes() for matrices in placed.values() for matrix in matrices}) == 1
    corners, features = [], []
    for primitive in asset.primitives:
        ids, faces = _first_ids(asset.gltf, primitive), triangles(asset.gltf, primitive)
        positions = primitive.attribute(asset.gltf, "POSITION")
        if ids is None or positions is None or positions.shape[1] != 3 or positions.dtype.kind != "f":
            continue
        if faces is None:
            if primitive.body.get("mode", TRIANGLES) == TRIANGLES:
                issues.error("SOLID_NOT_CHECKED", primitive.pointer, "the triangles cannot be read")
            continue
        of_triangle = ids[faces]
        if np.any(of_triangle != of_triangle[:, :1]):
            issues.error("FEATURE_ID_MIXED_TRIANGLE", primitive.pointer, "a triangle's corners have unlike feature ids")
        known = of_triangle[:, 0] >= 0
        for matrix in placed.get(primitive.mesh, []):
            moved = _move(positions, matrix, alone=alone)[faces[known]]
            corners.append(moved if np.linalg.det(matrix[:3, :3]) > 0 else moved[:, ::-1])
            features.append(of_triangle[known, 0])
    if not features:
        return None
    return Soup(np.concatenate(corners), np.concatenate(features))


def _move(positions: Float32, matrix: Float64, *, alone: bool) -> Float32:
    """Return positions in the frame of the asset; as they are stored where all meshes share one matrix."""
    if alone:
        return np.ascontiguousarray(positions, dtype=np.float32)
    return np.ascontiguousarray(positions @ matrix[:3, :3].T + matrix[:3, 3], dtype=np.float32)


def _first_ids(gltf: Gltf, primitive: Primitive) -> Int64 | None:
    """Return the vertex ids of the first feature id set of a primitive."""
    sets = primitive.body.get("extensions", {}).get(NAME, {}).get("featureIds", [])
    if not sets or not isinstance(sets[0], dict):
        return None
    return vertex_ids(gltf, primitive, sets[0])


def _mesh_matrices(gltf: Gltf) -> dict[int, list[Float64]]:
    """Return where the nodes of the scene put each mesh: (4, 4) matrices by mesh number."""
    nodes = gltf.listed("nodes")
    placed: dict[int, list[Float64]] = {}
    inner = {int(child) for node in nodes for child in node.get("children", [])}
    stack = [(k, np.eye(4)) for k in range(len(nodes)) if k not in inner]
    seen: set[int] = set()
    while stack:
        k, outer = stack.pop()
        if k >= len(nodes) or k in seen:
            continue
        seen.add(k)
        matrix = outer @ node_matrix(nodes[k])
        if "mesh" in nodes[k]:
            placed.setdefault(int(nodes[k]["mesh"]), []).append(matrix)
        stack.extend((int(child), matrix) for child in nodes[k].get("children", []))
    return placed


def node_matrix(node: Json) -> Float64:
    """
    Return the local transform of a node.

    Parameters
    ----------
    node : JSON object
        Checked; with ``matrix``, or with ``translation``, ``rotation`` and ``scale``.

    Returns
    -------
    (4, 4) float64
        Acts on column vectors.
    """
    if "matrix" in node:
        matrix: Float64 = np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
        return matrix
    x, y, z, w = node.get("rotation", [0, 0, 0, 1])
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * np.array(node.get("scale", [1, 1, 1]), dtype=np.float64)
    matrix[:3, 3] = node.get("translation", [0, 0, 0])
    return matrix


def placed_positions(asset: Asset) -> Float64:
    """
    Return all vertices of an asset where the nodes of its scene put them.

    Returns
    -------
    (n, 3) float64
        Metres, glTF axes (y up); empty without geometry.
    """
    placed = _mesh_matrices(asset.gltf)
    found = [np.empty((0, 3))]
    for primitive in asset.primitives:
        positions = primitive.attribute(asset.gltf, "POSITION")
        if positions is None or positions.shape[1] != 3:
            continue
        found.extend(positions @ matrix[:3, :3].T + matrix[:3, 3] for matrix in placed.get(primitive.mesh, []))
    return np.concatenate(found)
