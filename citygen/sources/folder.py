"""
A folder of GeoParquet files to one source: a data set that is cut into files, in Overture's or Hive's layout or in none.

Where partitions say ``type=building``, only buildings and their parts are read. The files' columns are joined: what a
file lacks is null in its rows. Rows are numbered through all files, in the order of their names.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from citygen.errors import InputError
from citygen.sources.base import BATCH_ROWS, Bounds, Source, SourceInfo, SourceOptions
from citygen.sources.batch import BATCH_SCHEMA, plain
from citygen.sources.geoparquet import GeoParquet, open_geoparquet

P = TypeVar("P", bound=PurePath)
_TYPES = ("type=building", "type=building_part")
"""Overture's partitions that are read."""


@dataclass(frozen=True, slots=True)
class Folder:
    """
    Several files as one source; see ``citygen.sources.base.Source``.

    Attributes
    ----------
    parts : tuple of GeoParquet
        One a file, all in the same CRS.
    schema : pyarrow.Schema
        Of every batch.
    """

    info: SourceInfo
    parts: tuple[GeoParquet, ...]
    schema: pa.Schema

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        first = 0
        for part in self.parts:
            if bbox is None or part.info.bounds is None or _meet(part.info.bounds, bbox):
                for batch in part.batches(bbox, batch_rows=batch_rows):
                    row = pc.add(batch["row"], first)
                    ids = pc.cast(row, pa.string()) if part.shape.id_column is None else batch["id"]
                    numbered = batch.set_column(0, "id", ids).set_column(3, "row", row)
                    yield fitted(numbered, self.schema, str(part.path))
            first += part.info.feature_count or 0


def parquet_files(root: Path) -> list[Path]:
    """
    List the Parquet files below a folder, sorted; names that begin with a dot or an underscore are passed over.

    Parameters
    ----------
    root : pathlib.Path
        A folder; links to other folders in it are not followed.

    Returns
    -------
    list of pathlib.Path
        Those of buildings and their parts where partitions say so, else all.
    """
    found: list[Path] = []
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += [Path(where, n) for n in names if n.lower().endswith(".parquet") and not n.startswith((".", "_"))]
    return of_buildings(sorted(path.absolute() for path in found if path.is_file()))


def of_buildings(paths: Sequence[P]) -> list[P]:
    """
    Choose the files of buildings and their parts.

    Examples
    --------
    >>> names = ("r/type=building/a.parquet", "r/type=place/b.parquet")
    >>> [str(path) for path in of_buildings([PurePath(name) for name in names])]
    ['r/type=building/a.parquet']
    """
    chosen = [path for path in paths if any(part in _TYPES for part in path.parts)]
    return chosen or list(paths)


def open_folder(root: Path, options: SourceOptions) -> Source:
    """
    Open a folder of GeoParquet files.

    Raises
    ------
    InputError
        When there is none in it, one cannot be used, or they differ in their CRS or in the types of their columns.
    """
    files = parquet_files(root)
    if not files:
        raise InputError(f"{root}: this is a folder without GeoParquet files; give a file in it")
    parts = tuple(open_geoparquet(path, options) for path in files)
    for part in parts:
        if part.info.crs != parts[0].info.crs:
            raise InputError(
                f"{part.path}: its CRS is not that of {parts[0].path.name}; give one CRS with --source-crs"
            )
    try:
        schema = pa.unify_schemas([_schema(part) for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"{root}: its files have columns that do not fit together: {str(error)[:200]}") from error
    info = SourceInfo(
        name=_label(root),
        path=str(root),
        crs=parts[0].info.crs,
        columns=tuple(name for name in schema.names[4:]),
        feature_count=sum(part.info.feature_count or 0 for part in parts),
        bounds=_around([part.info.bounds for part in parts]),
        format="geoparquet",
        files=tuple(map(str, files)),
    )
    return Folder(info, parts, schema)


def _schema(part: GeoParquet) -> pa.Schema:
    """Return the schema of a file's batches."""
    raw = pq.read_schema(part.path)
    fields = [pa.field(new, plain(pa.array([], raw.field(name).type)).type) for name, new in part.shape.names.items()]
    return pa.schema([*BATCH_SCHEMA, *fields])


def _label(root: Path) -> str:
    """Return a folder's name, without what partitions add to it."""
    return root.absolute().name.rpartition("=")[2] or "parquet"


def fitted(table: pa.Table, schema: pa.Schema, where: str = "") -> pa.Table:
    """
    Bring a table to a schema: columns that it lacks are null, the others are cast and ordered.

    Whole numbers beside decimal ones become decimal, to the nearest that there is. InputError, with where the table comes
    from, for a value that its column cannot hold.

    Examples
    --------
    >>> fitted(pa.table({"b": [1]}), pa.schema({"a": pa.string(), "b": pa.float64()})).to_pylist()
    [{'a': None, 'b': 1.0}]
    """
    columns = []
    for want in schema:
        if want.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, want.type))
            continue
        try:
            columns.append(table[want.name].cast(want.type, safe=not pa.types.is_floating(want.type)))
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{where}: column {want.name!r} does not fit that of its neighbours: {str(error)[:100]}"
            ) from error
    return pa.table(columns, schema=schema)


def _meet(a: Bounds, b: Bounds) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _around(boxes: Sequence[Bounds | None]) -> Bounds | None:
    """Return the box around all; None where one is not known."""
    known = [box for box in boxes if box is not None]
    if len(known) != len(boxes):
        return None
    west, south, east, north = zip(*known, strict=True)
    return (min(west), min(south), max(east), max(north))
