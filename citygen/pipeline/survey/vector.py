"""One source of footprints to what it holds and what a build would do with it: a single pass over its batches."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from citygen.attributes.dialect import DIALECTS, columns_needed
from citygen.attributes.options import AttributeOptions
from citygen.config import BuildConfig
from citygen.geom.parse import parse_wkb
from citygen.pipeline.inputs import Inputs, PlannedSource
from citygen.pipeline.placing import Placed, placed_batches
from citygen.pipeline.survey.columns import Column, column_oddities
from citygen.pipeline.survey.forecast import Forecast
from citygen.pipeline.survey.identities import Identities
from citygen.pipeline.survey.keys import Coverage
from citygen.pipeline.survey.shapes import Shapes
from citygen.pipeline.survey.suggest import suggest
from citygen.pipeline.survey.tallies import examples, share
from citygen.pipeline.survey.where import describe_crs, lonlat_extent, place_oddities
from citygen.sources.base import REMOTES, SOURCES

Progress = Callable[[str, int, int], None]


def survey_source(
    inputs: Inputs, number: int, options: AttributeOptions, config: BuildConfig, progress: Progress | None
) -> tuple[dict[str, Any], Forecast]:
    """
    Read a source once and say what it holds.

    Parameters
    ----------
    inputs : Inputs
        Working CRS, grid, area and sources.
    number : int
        Which source; its ``columns`` are all it has.
    options : AttributeOptions
        The user's.
    config : BuildConfig
        For the id column, the CRS and the dialect that were asked for.
    progress : callable or None
        Told of rows read.

    Returns
    -------
    dict
        As JSON can hold it.
    Forecast
        What a build would do with its rows.

    Raises
    ------
    InputError
        When it turns out to be damaged on the way.
    """
    planned = inputs.sources[number]
    info = planned.source.info
    seen = _Seen(planned, options, config.id_column, Forecast(inputs.crs, inputs.grid.name))
    read = 0
    for table, placed in placed_batches(inputs, planned, number, config.map):
        read += len(table)
        keep = np.flatnonzero(placed.inside | (placed.reasons[:, 0] != ""))
        if len(keep) == len(table):
            seen.add(table, placed)
        elif len(keep):
            seen.add(table.take(pa.array(keep)), placed.take(keep))
        if progress is not None:
            progress(planned.label, read, info.feature_count or 0)
    columns = list(seen.columns.values())
    about = {
        **_head(planned, config, read),
        "extent": _extent(seen.shapes, info.crs),
        "geometry": seen.shapes.summary(),
        "ids": seen.ids.summary(lambda: planned.source.batches(None)),
        **_attributes(planned, seen.coverage, columns, config),
        "oddities": [],
        "build": seen.foreseen().summary(),
    }
    place, text = place_oddities(seen.shapes.extent, info.crs), column_oddities(columns, info.format)
    about["oddities"] = [*place, *_oddities(about, seen.shapes), *text]
    return about, seen.forecast


class _Seen:
    """What was seen of the rows of a source so far."""

    def __init__(
        self, planned: PlannedSource, options: AttributeOptions, id_column: str | None, forecast: Forecast
    ) -> None:
        self.planned = planned
        self.shapes, self.ids = Shapes(), Identities(id_column)
        self.coverage, self.forecast = Coverage(planned.dialect, options), forecast
        self.columns = {name: Column(name) for name in planned.columns}

    def add(self, table: pa.Table, placed: Placed) -> None:
        """Count a batch of rows that are in the area or have no place."""
        geometry = parse_wkb(table["@geometry"].to_numpy(zero_copy_only=False), close=True)
        problem = table["@problem"].is_valid().to_numpy(zero_copy_only=False)
        problem |= shapely.is_missing(geometry) & table["@geometry"].is_valid().to_numpy(zero_copy_only=False)
        world = placed.geometry
        area = np.nan_to_num(shapely.area(world))
        suspect = self.shapes.add(geometry, problem, area, table["@id"].to_pylist())
        self.coverage.add(table, area, self.forecast.add(placed, world, suspect, _is_line(table)))
        self.ids.add(_raw(table, self.planned))
        for name, column in self.columns.items():
            if name in table.column_names:
                column.add(table[name])

    def foreseen(self) -> Forecast:
        """Return the forecast, with what the attributes say."""
        self.forecast.heights, self.forecast.parts = self.coverage.heights, self.coverage.parts
        self.forecast.roofs, self.forecast.strange_roofs = self.coverage.asked_roofs()
        return self.forecast


def _is_line(table: pa.Table) -> Any:
    """Say which rows are roof lines by themselves."""
    if "@line_alone" not in table.column_names:
        return np.zeros(len(table), dtype=bool)
    return table["@line_alone"].to_numpy(zero_copy_only=False)


def _raw(table: pa.Table, planned: PlannedSource) -> pa.Table:
    """Return ids, row numbers and raw columns as a source gives them."""
    stride = (1 << 40) - 1
    rows = pa.array(table["@uid"].to_numpy() & stride)
    present = [name for name in planned.columns if name in table.column_names]
    return pa.table({"id": table["@id"], "row": rows, **{name: table[name] for name in present}})


def _head(planned: PlannedSource, config: BuildConfig, read: int) -> dict[str, Any]:
    """Say what is known before the rows are looked at, and how many there are."""
    info = planned.source.info
    limit = getattr(planned.source, "rows", None)
    text = SOURCES[info.format].text if info.format in SOURCES.names() else info.format
    if info.format not in SOURCES.names() and info.path.partition(":")[0] in REMOTES.names():
        text = info.format
    return {
        "path": info.path,
        "label": planned.label,
        "kind": "vector",
        "format": info.format,
        "format_text": text,
        "layer": config.layer,
        "rows": info.feature_count,
        "rows_read": read,
        "sample": {"rows": read, "of": info.feature_count} if limit is not None and read >= limit else None,
        "crs": {
            "text": info.crs if len(info.crs) < 40 else None,
            **describe_crs(info.crs, given=config.source_crs is not None),
        },
    }


def _extent(shapes: Shapes, crs: str) -> dict[str, Any]:
    bounds = shapes.extent
    return {"crs": None if bounds is None else [round(v, 6) for v in bounds], "degrees": lonlat_extent(bounds, crs)}


def _attributes(
    planned: PlannedSource, coverage: Coverage, columns: list[Column], config: BuildConfig
) -> dict[str, Any]:
    """Say which dialect was recognised, how well the keys are covered, and what is left over."""
    dialect = DIALECTS[planned.dialect]
    used = columns_needed(planned.columns, planned.dialect, config.map)
    known, strange = coverage.asked_roofs()
    classes = coverage.keys["class"].words.top(12) if "class" in coverage.keys else {}
    unused = [column for column in columns if column.name not in used]
    return {
        "dialect": {
            "name": dialect.name,
            "text": dialect.text,
            "chosen": "given" if config.dialect else "recognised" if dialect.signature else "none recognised",
            "by": sorted((dialect.signature | dialect.marks).intersection(planned.columns)),
            "columns_read": len(used),
            "columns": len(planned.columns),
            "share": share(len(used), len(planned.columns)),
        },
        "attributes": [tally.summary(coverage.rows) for tally in coverage.keys.values()],
        "roof_shapes": {"known": known, "unknown": strange},
        "classes": classes,
        "unmapped": [column.summary() for column in unused],
        "suggestions": suggest(columns, used, coverage.shares()),
    }


def _oddities(about: dict[str, Any], shapes: Shapes) -> list[dict[str, Any]]:
    """Say what is odd about rows and geometries, in words."""
    out: list[dict[str, Any]] = []

    def odd(code: str, text: str, count: int, names: list[str] | None = None) -> None:
        if count:
            out.append({"code": code, "text": text, "count": count, "examples": examples(names or [])})

    geometry = about["geometry"]
    odd("duplicate_ids", "rows whose id an earlier row has", about["ids"]["duplicates"], about["ids"]["examples"])
    odd("geometry_unreadable", "geometries that cannot be read", geometry["unreadable"])
    odd("geometry_missing", "rows without a geometry", geometry["missing"] + geometry["empty"])
    odd("coordinates_not_finite", "rows with coordinates that are NaN or infinite", geometry["not_finite"])
    for why, found in geometry["invalid"].items():
        odd("geometry_invalid", f"invalid ({why})", found["count"], found["examples"])
    flat = {name: n for name, n in geometry["types"].items() if "Polygon" not in name}
    odd("geometry_not_areal", f"not polygons ({', '.join(flat)})", sum(flat.values()))
    odd("tiny", "smaller than 1 m²", shapes.tiny, shapes.odd.get("tiny"))
    odd("huge", "larger than 250,000 m²", shapes.huge, shapes.odd.get("huge"))
    for item in about["attributes"]:
        if item["zero"]:
            odd("zero_height", f"{item['key']} of zero, which stands for 'not known'", item["zero"])
        if item["unreadable"]:
            odd(
                "attribute_unread", f"values of {item['key']} that cannot be used", item["unreadable"], item["examples"]
            )
    odd(
        "roof_unknown",
        "roof words that are no shape's",
        sum(about["roof_shapes"]["unknown"].values()),
        list(about["roof_shapes"]["unknown"]),
    )
    if about["rows_read"] == 0:
        out.append({"code": "no_rows", "text": "holds no rows", "count": 0, "examples": []})
    return out
