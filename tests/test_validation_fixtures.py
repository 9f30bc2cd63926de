"""The fixtures of 3d-tiles-validator and glTF-Validator: what they expect is what we find."""

import csv
from pathlib import Path

from citygen.validation import check_glb, check_tileset
from khronos import validate

EXT_EXPECTED = {
    "ExtensionInMeshPrimitiveWithoutTopLevelObject": "INVALID_GLTF_STRUCTURE",
    "FeatureIdAttributeAccessorNormalized": "INVALID_GLTF_STRUCTURE",
    "FeatureIdAttributeAttributeInvalidType": "TYPE_MISMATCH",
    "FeatureIdAttributeFeatureCountInvalidValue": "VALUE_NOT_IN_RANGE",
    "FeatureIdAttributeLabelInvalidType": "TYPE_MISMATCH",
    "FeatureIdAttributeLabelInvalidValue": "STRING_PATTERN_MISMATCH",
    "FeatureIdAttributeNullFeatureIdInvalidValue": "VALUE_NOT_IN_RANGE",
    "FeatureIdTextureFeatureCountMismatch": "FEATURE_COUNT_MISMATCH",
    "FeatureIdTextureTextureChannelsTooManyChannels": "TEXTURE_CHANNELS_OUT_OF_RANGE",
    "FeatureIdTextureTextureChannelsTooManyElements": "TEXTURE_CHANNELS_OUT_OF_RANGE",
    "FeatureIdTextureTextureImageDataInvalid": "IO_ERROR",
    "FeatureIdTextureTextureIndexInvalidType": "TYPE_MISMATCH",
    "FeatureIdTextureTextureInvalidType": "TYPE_MISMATCH",
    "FeatureIdTextureTextureTexCoordInvalidType": "TYPE_MISMATCH",
    "PropertyAttributesClassPropertyInvalidComponentType": "INVALID_METADATA_PROPERTY_TYPE",
    "PropertyAttributesClassPropertyInvalidEnumValueType": "INVALID_METADATA_PROPERTY_TYPE",
    "PropertyAttributesClassPropertyMaxNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "PropertyAttributesClassPropertyMinNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "PropertyAttributesClassPropertyString": "INVALID_METADATA_PROPERTY_TYPE",
    "PropertyAttributesMeshPrimitivePropertyAttributesInvalidElementValue": "VALUE_NOT_IN_RANGE",
    "PropertyAttributesMeshPrimitivePropertyAttributesInvalidType": "TYPE_MISMATCH",
    "PropertyAttributesPropertyAttributePropertyInvalidAttribute": "IDENTIFIER_NOT_FOUND",
    "PropertyAttributesPropertyAttributePropertyMaxNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "PropertyAttributesPropertyAttributePropertyMinNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "PropertyTextureClassPropertyMaxNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "PropertyTextureClassPropertyWithOffsetScaleMinNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "PropertyTextureEnumsInvalidEnumValue": "VALUE_NOT_IN_LIST",
    "PropertyTextureInvalidPropertyTypeB": "INVALID_METADATA_PROPERTY_TYPE",
    "PropertyTextureMeshPrimitivePropertyTextureTexCoordInvalidValue": "IDENTIFIER_NOT_FOUND",
    "PropertyTextureMeshPrimitivePropertyTexturesInvalidElementType": "ARRAY_ELEMENT_TYPE_MISMATCH",
    "PropertyTextureMeshPrimitivePropertyTexturesInvalidElementValue": "VALUE_NOT_IN_RANGE",
    "PropertyTextureMeshPrimitivePropertyTexturesInvalidLength": "ARRAY_LENGTH_MISMATCH",
    "PropertyTexturePropertyIndexInvalidType": "TYPE_MISMATCH",
    "PropertyTexturePropertyTexturePropertyMaxMismatch": "METADATA_VALUE_MISMATCH",
    "PropertyTexturePropertyTexturePropertyMaxNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "PropertyTexturePropertyTexturePropertyMinNotInRange": "METADATA_VALUE_NOT_IN_RANGE",
    "StructuralMetadataMissingSchema": "ANY_OF_ERROR",
    "StructuralMetadataSchemaAndSchemaUri": "ONE_OF_ERROR",
}
"""Issue types that the specs of 3d-tiles-validator expect for the glTF fixtures."""

UNLISTED_VALID = {"PropertyTexturePropertyTexCoordDefault"}
"""Valid though the name does not say so: glTF gives ``texCoord`` the default 0."""

MISSING_FILES = {"tilesetWithCycleA.json", "tilesetWithMultipleExternal.json", "tilesetWithMultipleExternalA.json"}
"""Fixtures that refer to a file of the other half of the collection: here the missing file is the issue."""

NOT_EXACT = {"implicitTilingSubtreesUriTemplateVariableMissing.json"}
"""Has an issue type besides that of the index: its subtree file is missing, which the original tells too."""

OTHER_TYPE = {"customSemanticsSchema.json"}
"""A schema, listed among the tilesets; its issue types belong to another fixture."""

NOT_OURS = {"CONTENT_VALIDATION_INFO"}
"""Issue types of a severity that an ``Issue`` does not have."""

ONLY_OURS = {"TILE_REFINE_MISSING_IN_ROOT", "URI_NOT_LOCAL"}
"""True of the fixtures too (3D Tiles 1.1 asks for 'refine' in every root), but not what they are about."""


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "index.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tilesets_give_the_issue_types_of_the_index(testdata):
    folder = testdata / "hardcases" / "tiles3d"
    wrong, inexact, with_types = [], set(), 0
    for row in rows(folder):
        name, expected = Path(row["file"]).name, row["expected_issue_types"]
        if not row["file"].startswith("tilesets/"):
            continue
        found = check_tileset(folder / row["file"])
        errors = {issue.code for issue in found if issue.severity == "error"}
        if name in MISSING_FILES:
            good = "IO_ERROR" in errors
        elif expected in {"(no issues)", "?"}:
            good = not errors
        elif name in OTHER_TYPE or not expected:
            good = bool(found)
        else:
            types = set(expected.split("|")) - NOT_OURS
            codes = {issue.code for issue in found}
            here = {issue.code for issue in found if "#" not in issue.path}
            good = types <= codes
            with_types += 1
            if types not in (codes, here, codes - ONLY_OURS, here - ONLY_OURS):
                inexact.add(name)
        if not good:
            wrong.append((name, expected, found))
    assert wrong == []
    assert inexact == NOT_EXACT
    assert with_types == 81


def test_each_of_six_faults_of_a_region_is_told(testdata):
    path = testdata / "hardcases/tiles3d/tilesets/boundingVolumeRegionArrayElementsOutOfRange.json"
    assert [issue.code for issue in check_tileset(path)].count("BOUNDING_VOLUME_INVALID") == 6


def test_gltf_extensions_give_the_issue_type_of_their_spec(testdata):
    folder = testdata / "hardcases" / "tiles3d"
    seen = set()
    wrong = []
    for row in rows(folder):
        if not row["file"].startswith("gltfExtensions/"):
            continue
        name = Path(row["file"]).stem
        codes = {issue.code for issue in check_glb(folder / row["file"])}
        seen.add(name)
        if name.startswith("Valid") or name in UNLISTED_VALID:
            good = not codes
        elif name in EXT_EXPECTED:
            good = codes == {EXT_EXPECTED[name]}
        else:
            good = bool(codes)
        if not good:
            wrong.append((name, codes))
    assert wrong == []
    assert set(EXT_EXPECTED) <= seen


def test_extensions_are_declared_where_they_occur(testdata):
    folder = testdata / "hardcases/tiles3d/tilesets/externalTilesetExtensions"
    valid = {
        "declaredInBothContainedInExternal",
        "declaredInTilesetContainedInTileset",
        "declaredInBothContainedInTileset",
    }
    for case in sorted(folder.iterdir()):
        if case.is_dir():
            errors = {issue.code for issue in check_tileset(case / "tileset.json") if issue.severity == "error"}
            assert ("EXTENSION_FOUND_BUT_NOT_USED" in errors) == (case.name not in valid), case.name


def test_khronos_validator_judges_its_own_fixtures(testdata):
    """The pinned validator is the one whose verdicts the index holds, and we refuse no file that it passes."""
    folder = testdata / "hardcases" / "gltf"
    index = rows(folder)
    (key,) = (name for name in index[0] if name.startswith("codes"))
    for row, verdict in zip(index, validate([folder / row["file"] for row in index]), strict=True):
        fatal = verdict.codes() == {"FATAL"}
        expected = {entry.split(":")[0] for entry in row[key].split("|") if entry}
        assert fatal or expected == verdict.codes() - {"IO_ERROR"}, row["file"]
        assert len([e for e in verdict.errors if e[0] != "IO_ERROR"]) == int(row["num_errors"]), row["file"]
        if not verdict.errors:
            ours = [issue for issue in check_glb(folder / row["file"]) if issue.severity == "error"]
            assert ours == [], row["file"]


def test_our_reader_refuses_what_it_cannot_read(testdata):
    """Containers, buffers and accessors are ours to refuse; scenes, materials and the like are the Khronos tool's."""
    folder = testdata / "hardcases" / "gltf"
    theirs = {
        "buffer/invalid_uri_data.gltf",
        "buffer/invalid_uri_data_mime.gltf",
        "buffer_view/invalid_stride_too_big.gltf",
    }
    unseen = []
    for row in rows(folder):
        ours = row["file"].startswith(("accessor", "buffer", "glb/"))
        if ours and int(row["num_errors"]) and row["file"] not in theirs and not check_glb(folder / row["file"]):
            unseen.append(row["file"])
    assert unseen == []


def test_our_codes_for_containers_are_those_of_the_khronos_validator(testdata):
    folder = testdata / "hardcases" / "gltf"
    for row in rows(folder):
        if row["file"].startswith("glb/") and int(row["num_errors"]) and "empty_json_object" not in row["file"]:
            (key,) = (name for name in row if name.startswith("codes"))
            expected = {entry.split(":")[0] for entry in row[key].split("|") if entry.endswith(":0")}
            assert expected <= {issue.code for issue in check_glb(folder / row["file"])}, row["file"]


def test_legacy_tiles_are_told_apart(testdata):
    from citygen.validation.asset import Nowhere
    from citygen.validation.issues import IssueLog
    from citygen.validation.legacy import check_legacy

    folder = testdata / "hardcases/tiles3d/tilesets/tiles"
    for name, expected in (
        ("b3dm/invalid.b3dm", "BINARY_INVALID_VALUE"),
        ("b3dm/invalidAlignment.b3dm", "BINARY_INVALID_ALIGNMENT"),
        ("b3dm/validWithInvalidGlb.b3dm", "GLB_LENGTH_MISMATCH"),
        ("i3dm/invalid.i3dm", "BINARY_INVALID_ALIGNMENT"),
        ("pnts/invalid.pnts", "BINARY_INVALID_ALIGNMENT"),
        ("geom/content.geom", "CONTENT_NOT_CHECKED"),
        ("b3dm/valid.b3dm", None),
        ("cmpt/validWithGlbInfo.cmpt", None),
    ):
        issues = IssueLog()
        check_legacy((folder / name).read_bytes(), Nowhere(), issues)
        codes = {issue.code for issue in issues.found}
        assert (expected in codes) if expected else (codes == set()), (name, codes)
