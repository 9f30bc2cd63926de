"""What became of each footprint to the rows of ``buildings.parquet`` (GeoParquet 1.1, one row an input id)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from citygen.arraytypes import AnyArray, Bool, Float64, Objects

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("part_of", pa.string()),
        ("tile", pa.string()),
        ("outcome", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("details", pa.list_(pa.string())),
        ("ground_z", pa.float64()),
        ("base_z", pa.float64()),
        ("eave_z", pa.float64()),
        ("ridge_z", pa.float64()),
        ("height_m", pa.float64()),
        ("height_from", pa.string()),
        ("roof_asked", pa.string()),
        ("roof_shape", pa.string()),
        ("roof_from", pa.string()),
        ("dormers", pa.int32()),
        ("chimneys", pa.int32()),
        ("roof_area_m2", pa.float64()),
        ("wall_area_m2", pa.float64()),
        ("footprint_area_m2", pa.float64()),
        ("volume_m3", pa.float64()),
        ("height_sigma_m", pa.float64()),
        ("shared_wall_area_m2", pa.float64()),
        ("area_change", pa.float64()),
        ("ground_min", pa.float64()),
        ("ground_max", pa.float64()),
        ("ground_slope_deg", pa.float64()),
        ("cut_m3", pa.float64()),
        ("fill_m3", pa.float64()),
        ("geometry", pa.binary()),
    ]
)
"""Columns of the catalogue; later versions add some, none is renamed."""


@dataclass(frozen=True, slots=True)
class Built:
    """
    What was built of each row; NaN and '' where nothing was.

    Attributes
    ----------
    present : (n,) bool
        Whether the row has a solid.
    numbers : dict of str to (n,) float64
        The numeric columns of the catalogue.
    words : dict of str to (n,) object
        height_from, roof_asked, roof_shape, roof_from.
    """

    present: Bool
    numbers: dict[str, Float64]
    words: dict[str, Objects]


@dataclass(frozen=True, slots=True)
class Facts:
    """
    Who each row is and what is said of it.

    Attributes
    ----------
    ids, sources, part_of : (n,) object or list of str
        Identity; part_of is None for most.
    verdict : tuple of (n,) object
        Outcomes, reason lists, detail lists.
    geometry : (n,) object
        Shapely geometry in the working CRS, or None.
    tile : str or None
        The tile of the rows that have a solid.
    """

    ids: Objects | list[str]
    sources: Objects | list[str]
    part_of: Objects | list[str | None]
    verdict: tuple[Objects, Objects, Objects]
    geometry: Objects
    tile: str | None


def to_table(facts: Facts, built: Built) -> pa.Table:
    """
    Make catalogue rows.

    Parameters
    ----------
    facts : Facts
        Of n rows.
    built : Built
        Of the same rows.

    Returns
    -------
    pyarrow.Table
        With ``SCHEMA``.
    """
    outcome, reasons, details = facts.verdict
    columns: dict[str, AnyArray | list[Any]] = {
        "id": list(facts.ids),
        "source": list(facts.sources),
        "part_of": list(facts.part_of),
        "tile": [facts.tile if here else None for here in built.present.tolist()],
        "outcome": list(outcome),
        "reasons": list(reasons),
        "details": list(details),
        "geometry": list(shapely.to_wkb(facts.geometry)),
    }
    for name, numbers in built.numbers.items():
        columns[name] = np.where(built.present, numbers, np.nan)
    for name, words in built.words.items():
        columns[name] = [
            w if here and w else None for w, here in zip(words.tolist(), built.present.tolist(), strict=True)
        ]
    arrays = []
    for field in SCHEMA:
        values = columns[field.name]
        arrays.append(pa.array(values, field.type, from_pandas=True))
    return pa.table(arrays, schema=SCHEMA)


def rejected_rows(unplaced: pa.Table) -> pa.Table:
    """
    Make catalogue rows of footprints that have no place.

    Parameters
    ----------
    unplaced : pyarrow.Table
        Columns ``@uid``, ``@id``, ``@source``, ``reason``, ``detail``.

    Returns
    -------
    pyarrow.Table
        With ``SCHEMA``, in the order of ``@uid``.
    """
    ordered = unplaced.sort_by("@uid")
    n = len(ordered)
    nothing = np.full(n, None, dtype=object)
    lists = [_column([[v] for v in ordered[name].to_pylist()]) for name in ("reason", "detail")]
    facts = Facts(
        ordered["@id"].to_pylist(),
        ordered["@source"].to_pylist(),
        [None] * n,
        (np.full(n, "rejected", dtype=object), lists[0], lists[1]),
        nothing,
        None,
    )
    return to_table(facts, nothing_built(n))


def nothing_built(n: int) -> Built:
    """Return what is built of ``n`` rows of which nothing is."""
    empty = {f.name: np.full(n, np.nan) for f in SCHEMA if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)}
    return Built(np.zeros(n, dtype=bool), empty, dict.fromkeys(_WORDS, np.full(n, "", dtype=object)))


_WORDS = ("height_from", "roof_asked", "roof_shape", "roof_from")


def _column(lists: list[list[str]]) -> Objects:
    out: Objects = np.empty(len(lists), dtype=object)
    out[:] = lists
    return out


def write_catalogue(path: Path, tables: Iterator[pa.Table], crs: str, bounds: tuple[float, ...] | None) -> None:
    """
    Write the catalogue as one GeoParquet file, streaming.

    Parameters
    ----------
    path : pathlib.Path
        Written beside and renamed.
    tables : iterator of pyarrow.Table
        With ``SCHEMA``, in their final order.
    crs : str
        Working CRS.
    bounds : tuple of float or None
        Extent of all geometries, when known.
    """
    import pyproj

    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": [],  # not known in advance: a rejected row keeps the outline of its source, a line or a point too
        "crs": json.loads(pyproj.CRS.from_user_input(crs).to_json()),
    }
    if bounds is not None:
        column["bbox"] = list(bounds)
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    schema = SCHEMA.with_metadata({"geo": json.dumps(geo)})
    beside = path.with_name(f".{path.name}.part")
    try:
        with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table.replace_schema_metadata(schema.metadata))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
