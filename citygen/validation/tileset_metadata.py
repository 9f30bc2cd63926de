"""
The metadata of a tileset to issues: schema, entities, groups, statistics and the legacy ``properties``.

3D Tiles 1.1, "Metadata" and "Property summaries".
"""

from citygen.validation.issues import IssueLog, Json, join, quote
from citygen.validation.metadata_schema import Schema, check_schema
from citygen.validation.metadata_values import check_entity
from citygen.validation.resources import Resources, local_name, parse_json
from citygen.validation.shape import (
    INDEX,
    Anything,
    Array,
    Dictionary,
    Number,
    Record,
    Text,
    check_shape,
)

CLASS_STATISTICS = Record(
    {
        "count": INDEX,
        "properties": Dictionary(
            Record(
                {
                    "min": Anything(),
                    "max": Anything(),
                    "mean": Anything(),
                    "median": Anything(),
                    "standardDeviation": Anything(),
                    "variance": Anything(),
                    "sum": Anything(),
                    "occurrences": Dictionary(Anything(), low=1),
                }
            ),
            low=1,
        ),
    }
)
STATISTICS = Record({"classes": Dictionary(CLASS_STATISTICS, low=1)})
PROPERTIES = Dictionary(Record({"minimum": Number(), "maximum": Number()}, required=("minimum", "maximum")))
GROUPS = Array(Record(), 1)
METADATA_KEYS = ("metadata", "groups", "statistics")


def check_tileset_metadata(tileset: dict[str, Json], resources: Resources, issues: IssueLog) -> Schema | None:
    """
    Check everything about metadata that stands at the top of a tileset.

    Parameters
    ----------
    tileset : JSON object
        The tileset.
    resources : Resources
        Where its schema lies.
    issues : IssueLog
        Takes the issues.

    Returns
    -------
    Schema or None
        For the tiles and contents; None without a usable schema.
    """
    schema = _read_schema(tileset, resources, issues)
    given = bool({"schema", "schemaUri"} & tileset.keys())
    if "metadata" in tileset:
        check_tile_entity(tileset["metadata"], schema, "/metadata", issues, given=given)
    if "groups" in tileset and check_shape(tileset["groups"], GROUPS, "/groups", issues):
        for k, group in enumerate(tileset["groups"]):
            check_tile_entity(group, schema, join("/groups", k), issues, given=given)
    if "statistics" in tileset and check_shape(tileset["statistics"], STATISTICS, "/statistics", issues):
        _check_statistics(tileset["statistics"].get("classes", {}), schema, issues, given=given)
    if "properties" in tileset and check_shape(tileset["properties"], PROPERTIES, "/properties", issues):
        for name, summary in tileset["properties"].items():
            if summary["minimum"] > summary["maximum"]:
                at = join("/properties", name)
                issues.error("PROPERTIES_MINIMUM_LARGER_THAN_MAXIMUM", at, "'minimum' exceeds 'maximum'")
    return schema


def check_tile_entity(entity: Json, schema: Schema | None, pointer: str, issues: IssueLog, *, given: bool) -> None:
    """
    Check the metadata of a tileset, tile, content or group.

    Parameters
    ----------
    entity : JSON value
        The metadata entity.
    schema : Schema or None
        As ``check_tileset_metadata`` returned it.
    pointer : str
        Of the entity.
    issues : IssueLog
        Takes the issues.
    given : bool
        Whether the tileset has a schema; a broken one has its own issues, and entities are then left alone.
    """
    if schema is not None or not given:
        check_entity(entity, None if schema is None else schema.classes, pointer, issues)


def _read_schema(tileset: dict[str, Json], resources: Resources, issues: IssueLog) -> Schema | None:
    if {"schema", "schemaUri"} <= tileset.keys():
        issues.error("ONE_OF_ERROR", "", "'schema' and 'schemaUri' exclude each other")
        return None
    if "schema" in tileset:
        return check_schema(tileset["schema"], "/schema", issues)
    uri = tileset.get("schemaUri")
    if uri is None or not check_shape(uri, Text(min_length=1), "/schemaUri", issues):
        return None
    name = local_name(uri, issues.file)
    if name is None:
        issues.warning("URI_NOT_LOCAL", "/schemaUri", "the schema lies outside of the folder; it was not read")
        return None
    data = resources.read(name)
    if data is None:
        issues.error("IO_ERROR", "/schemaUri", f"the file {quote(name)} cannot be read")
        return None
    try:
        return check_schema(parse_json(data), "/schemaUri", issues)
    except ValueError as error:
        issues.error("JSON_PARSE_ERROR", "/schemaUri", f"the schema cannot be read: {error}")
        return None


def _check_statistics(classes: dict[str, Json], schema: Schema | None, issues: IssueLog, *, given: bool) -> None:
    if schema is None:
        if not given:
            issues.error("REQUIRED_VALUE_NOT_FOUND", "/statistics", "statistics need a 'schema' or 'schemaUri'")
        return
    for class_id, statistics in classes.items():
        at = join("/statistics/classes", class_id)
        if class_id not in schema.classes:
            issues.error("IDENTIFIER_NOT_FOUND", at, f"the schema has no class {quote(class_id)}")
            continue
        for name in statistics.get("properties", {}):
            if name not in schema.classes[class_id]:
                issues.error("IDENTIFIER_NOT_FOUND", join(at, "properties", name), f"no property {quote(name)}")
