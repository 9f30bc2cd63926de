"""A GLB or glTF file to issues: container, accessors, primitives, EXT_mesh_features and EXT_structural_metadata."""

import struct
from dataclasses import dataclass
from pathlib import Path

from citygen.validation import mesh_features, structural_metadata
from citygen.validation.accessors import check_accessors
from citygen.validation.glb import BIN_CHUNK, MAGIC, Gltf, read_gltf
from citygen.validation.issues import Issue, IssueLog
from citygen.validation.mesh_features import check_mesh_features
from citygen.validation.primitives import Primitive, check_primitives
from citygen.validation.property_tables import ALIGNMENT
from citygen.validation.resources import Folder, Resources
from citygen.validation.structural_metadata import check_primitive_metadata, check_structural_metadata

CHECKED = (mesh_features.NAME, structural_metadata.NAME)
"""Extensions that this room checks; the Khronos validator knows neither."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A glTF that could be read, and its primitives of the right shape."""

    gltf: Gltf
    primitives: list[Primitive]


def check_glb(source: str | Path | bytes) -> list[Issue]:
    """
    Check one GLB or glTF file.

    Parameters
    ----------
    source : path or bytes
        The file; of bytes, URIs beside the file cannot be read.

    Returns
    -------
    list of Issue
        Empty for a valid file. What the Khronos validator checks beyond the data (scenes, materials, animation) is
        left to it.

    Raises
    ------
    OSError
        When the file cannot be read at all.

    Examples
    --------
    >>> [issue.code for issue in check_glb(b"glTF")]
    ['GLB_UNEXPECTED_END_OF_HEADER']
    """
    issues = IssueLog()
    if isinstance(source, bytes):
        check_asset(source, Nowhere(), issues)
    else:
        path = Path(source)
        check_asset(path.read_bytes(), Folder(path.parent), issues)
    return issues.found


class Nowhere:
    """Resources of bytes that came without a folder."""

    def read(self, name: str) -> None:  # noqa: ARG002  the protocol's signature
        """Return None: there is no such file."""
        return


def check_asset(data: bytes, resources: Resources, issues: IssueLog) -> Asset | None:
    """
    Check the bytes of a GLB or glTF file.

    Parameters
    ----------
    data : bytes
        The file.
    resources : Resources
        Where its relative URIs lie.
    issues : IssueLog
        Takes the issues.

    Returns
    -------
    Asset or None
        For further checks; None when the file is too broken to be read.
    """
    gltf = read_gltf(data, resources, issues)
    if gltf is None:
        return None
    check_accessors(gltf, issues)
    primitives = check_primitives(gltf, issues)
    metadata = check_structural_metadata(gltf, issues)
    for primitive in primitives:
        check_mesh_features(gltf, primitive, metadata.table_counts, issues)
        check_primitive_metadata(gltf, primitive, metadata, issues)
    _check_declared(gltf, issues)
    if metadata.table_counts and data.startswith(MAGIC):
        _check_chunk_alignment(data, issues)
    return Asset(gltf, primitives)


def _check_declared(gltf: Gltf, issues: IssueLog) -> None:
    """Check that the extensions are declared as used, and not as required."""
    used, required = gltf.listed("extensionsUsed"), gltf.listed("extensionsRequired")
    for name in CHECKED:
        if name in issues.extensions and name not in used:
            issues.error("EXTENSION_FOUND_BUT_NOT_USED", "/extensionsUsed", f"{name} occurs but is not declared")
        if name in used and name not in issues.extensions:
            issues.warning("EXTENSION_USED_BUT_NOT_FOUND", "/extensionsUsed", f"{name} is declared but does not occur")
        if name in required:
            issues.warning("EXTENSION_REQUIRED_NEEDLESSLY", "/extensionsRequired", f"{name} is optional by its nature")
    for name in required:
        if name not in used:
            message = f"{name!a} is declared as required but not as used"
            issues.error("EXTENSION_REQUIRED_BUT_NOT_USED", "/extensionsRequired", message)


def _check_chunk_alignment(data: bytes, issues: IssueLog) -> None:
    """Check that the BIN chunk's data start at a multiple of 8 in the file, so that 64 bit columns can be mapped."""
    size, _ = struct.unpack_from("<II", data, 12)
    start = 20 + size + 8
    if len(data) >= start and struct.unpack_from("<I", data, start - 4)[0] == BIN_CHUNK and start % ALIGNMENT:
        issues.warning("BINARY_INVALID_ALIGNMENT", "", f"the BIN chunk's data start at byte {start}, no multiple of 8")
