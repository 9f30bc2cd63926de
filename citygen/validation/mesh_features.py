"""
EXT_mesh_features of a primitive to issues: its feature ids by attribute, texture or vertex number, and their counts.

Khronos registry, EXT_mesh_features.
"""

import numpy as np

from citygen.arraytypes import AnyArray, Int64
from citygen.validation.glb import Gltf
from citygen.validation.images import TEXTURE_INFO, check_filters, check_tex_coord, read_texels
from citygen.validation.issues import IssueLog, Json, join
from citygen.validation.primitives import Primitive
from citygen.validation.shape import IDENTIFIER, INDEX, Array, Number, Record, Text, check_shape

NAME = "EXT_mesh_features"
NEAREST = 9728

FEATURE_ID = Record(
    {
        "featureCount": Number(1, integer=True),
        "nullFeatureId": INDEX,
        "label": Text(IDENTIFIER),
        "attribute": INDEX,
        "texture": TEXTURE_INFO,
        "propertyTable": INDEX,
    },
    required=("featureCount",),
)
EXTENSION = Record({"featureIds": Array(Record(), 1)}, required=("featureIds",))


def check_mesh_features(gltf: Gltf, primitive: Primitive, table_counts: list[int | None], issues: IssueLog) -> None:
    """
    Check the feature id sets of one primitive.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    primitive : Primitive
        With or without the extension.
    table_counts : list of int or None
        Rows of each property table; None where the table is broken.
    issues : IssueLog
        Takes the issues.
    """
    extension = primitive.body.get("extensions", {}).get(NAME)
    if extension is None:
        return
    at = join(primitive.pointer, "extensions", NAME)
    if not check_shape(extension, EXTENSION, at, issues):
        return
    labels: set[str] = set()
    for k, feature_id in enumerate(extension["featureIds"]):
        here = join(at, "featureIds", k)
        if not check_shape(feature_id, FEATURE_ID, here, issues):
            continue
        label = feature_id.get("label")
        if label in labels:
            issues.warning("FEATURE_ID_LABEL_NOT_UNIQUE", here, f"the label {label!a} occurs twice")
        labels.add(label or "")
        _check_feature_id(gltf, primitive, feature_id, here, issues)
        _check_table(gltf, primitive, feature_id, table_counts, (here, issues))


def vertex_ids(gltf: Gltf, primitive: Primitive, feature_id: Json) -> Int64 | None:
    """
    Return the feature id of each vertex.

    Parameters
    ----------
    gltf : Gltf
        The asset.
    primitive : Primitive
        Whose vertices.
    feature_id : JSON object
        One element of ``featureIds``.

    Returns
    -------
    (n,) int64 or None
        -1 for no feature; None for a texture or for broken data.
    """
    if "texture" in feature_id or primitive.n_vertices is None:
        return None
    if "attribute" not in feature_id:
        ids: Int64 = np.arange(primitive.n_vertices, dtype=np.int64)
    else:
        array = primitive.attribute(gltf, f"_FEATURE_ID_{int(feature_id['attribute'])}")
        if array is None or array.shape[1] != 1 or _fault(array) is not None:
            return None
        ids = array[:, 0].astype(np.int64)
    null = feature_id.get("nullFeatureId")
    return ids if null is None else np.where(ids == int(null), -1, ids)


def _check_feature_id(gltf: Gltf, primitive: Primitive, feature_id: Json, at: str, issues: IssueLog) -> None:
    if {"attribute", "texture"} <= feature_id.keys():
        issues.warning("ONE_OF_ERROR", at, "both 'attribute' and 'texture' give the ids")
    if "attribute" in feature_id:
        _check_attribute(gltf, primitive, feature_id, at, issues)
    if "texture" in feature_id:
        _check_texture(gltf, primitive, feature_id, join(at, "texture"), issues)
    implicit = not {"attribute", "texture"} & feature_id.keys()
    if implicit and primitive.n_vertices not in {None, feature_id["featureCount"]}:
        message = f"implicit ids: 'featureCount' must be the vertex count {primitive.n_vertices}"
        issues.error("FEATURE_COUNT_MISMATCH", at, message)


def _check_attribute(gltf: Gltf, primitive: Primitive, feature_id: Json, at: str, issues: IssueLog) -> None:
    name = f"_FEATURE_ID_{int(feature_id['attribute'])}"
    index = primitive.body["attributes"].get(name)
    if index is None:
        issues.error("IDENTIFIER_NOT_FOUND", join(at, "attribute"), f"the primitive has no attribute {name}")
        return
    accessors = gltf.listed("accessors")
    accessor = accessors[int(index)] if index < len(accessors) else {}
    here = join("/accessors", int(index))
    if accessor.get("type", "SCALAR") != "SCALAR":
        issues.error("INVALID_GLTF_STRUCTURE", here, f"{name} must be of type SCALAR, is {accessor['type']!a}")
        return
    if accessor.get("normalized", False):
        issues.error("INVALID_GLTF_STRUCTURE", here, f"{name} must not be normalized")
    array = primitive.attribute(gltf, name)
    if array is None:
        return
    fault = _fault(array)
    if fault is not None:
        issues.error("VALUE_NOT_IN_RANGE", here, f"{name}: {fault}")
        return
    _check_count(array, feature_id, at, issues)


def _fault(array: AnyArray) -> str | None:
    """Say what makes numbers unfit as feature ids."""
    if np.any(array < 0):
        return "feature ids must not be negative"
    if array.dtype.kind == "f":
        if not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
            return "feature ids must be whole numbers"
        if np.any(array > (1 << 24)):
            return "float32 holds whole numbers up to 2^24 only"
    return None


def _check_texture(gltf: Gltf, primitive: Primitive, feature_id: Json, at: str, issues: IssueLog) -> None:
    info = feature_id["texture"]
    check_tex_coord(primitive.body["attributes"], info, join(at, "texCoord"), issues)
    check_filters(gltf, info, (NEAREST,), at, issues)
    texels = read_texels(gltf, info, at, issues)
    if texels is not None:
        _check_count(_texel_ids(texels), feature_id, at, issues)


def _texel_ids(texels: AnyArray) -> Int64:
    """Compose ids of the channels, little end first."""
    weights = 256 ** np.arange(texels.shape[1], dtype=np.int64)
    ids: Int64 = texels.astype(np.int64) @ weights
    return ids


def _check_count(ids: AnyArray, feature_id: Json, at: str, issues: IssueLog) -> None:
    distinct = np.unique(ids)
    null = feature_id.get("nullFeatureId")
    n_features = len(distinct) - int(null is not None and null in distinct)
    if n_features > feature_id["featureCount"]:
        message = f"'featureCount' is {feature_id['featureCount']}, there are {n_features} ids"
        issues.error("FEATURE_COUNT_MISMATCH", at, message)


def _check_table(
    gltf: Gltf, primitive: Primitive, feature_id: Json, counts: list[int | None], to: tuple[str, IssueLog]
) -> None:
    """Check that the ids are rows of the property table that they point into."""
    at, issues = to
    table = feature_id.get("propertyTable")
    if table is None:
        return
    if table >= len(counts):
        issues.error("VALUE_NOT_IN_RANGE", join(at, "propertyTable"), f"there is no property table {table}")
        return
    rows = counts[int(table)]
    ids = vertex_ids(gltf, primitive, feature_id)
    if rows is None or ids is None:
        return
    top = int(ids.max())
    if top >= rows:
        message = f"feature id {top} is no row of property table {table}, which has {rows}"
        issues.error("VALUE_NOT_IN_RANGE", at, message)
