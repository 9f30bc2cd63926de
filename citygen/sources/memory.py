"""A GeoDataFrame to batches: what a notebook holds in memory, as a source like any file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.errors import InputError
from citygen.sources.base import BATCH_ROWS, Bounds, SourceInfo, SourceOptions
from citygen.sources.batch import ID_SAMPLE, Rows, Shape, id_candidates, make_batch, plain, shape_of, text_array
from citygen.sources.crs import file_crs
from citygen.sources.geojson import value_kind, values_array

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd


@dataclass(frozen=True, slots=True)
class MemorySource:
    """A table in memory; see ``citygen.sources.base.Source``."""

    info: SourceInfo
    shape: Shape
    geometry: pa.Array
    attributes: dict[str, pa.Array]
    index: pa.Array | None

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; see ``citygen.sources.base.Source``."""
        for first in range(0, len(self.geometry), batch_rows):
            geometry = self.geometry.slice(first, batch_rows)
            rows = Rows(
                row=np.arange(first, first + len(geometry), dtype=np.int64),
                geometry=geometry,
                attributes={name: column.slice(first, batch_rows) for name, column in self.attributes.items()},
                feature_id=None if self.index is None else self.index.slice(first, batch_rows),
            )
            table = make_batch(rows, self.shape, bbox)
            if table is not None:
                yield table


def from_geodataframe(
    gdf: "gpd.GeoDataFrame", *, name: str = "footprints", options: SourceOptions | None = None
) -> MemorySource:
    """
    Make a source of a GeoDataFrame.

    Parameters
    ----------
    gdf : geopandas.GeoDataFrame
        Not changed. Its index gives the ids where no column does and it is more than a row number; missing and empty
        geometries stay.
    name : str
        Label of the source.
    options : SourceOptions or None
        CRS (where the frame has none), id column, columns.

    Returns
    -------
    MemorySource
        A copy of the frame in Arrow.

    Raises
    ------
    InputError
        When the frame has no geometry column or lacks the id column.
    MissingCRSError
        When neither the frame nor the options give a CRS.

    Examples
    --------
    >>> import geopandas, shapely
    >>> gdf = geopandas.GeoDataFrame({"h": [3.5]}, geometry=[shapely.box(0, 0, 1, 1)], index=["a"], crs="EPSG:25832")
    >>> next(from_geodataframe(gdf).batches(None)).select(["id", "h"]).to_pylist()
    [{'id': 'a', 'h': 3.5}]
    """
    import shapely

    options = options or SourceOptions()
    where = f"the table {name!r}"
    try:
        geometry = gdf.geometry
    except AttributeError as error:
        raise InputError(f"{where} has no active geometry column; set one with set_geometry") from error
    crs = geometry.crs
    code = None if crs is None else _crs_text(crs)
    attributes = {str(label): _series(column) for label, column in gdf.drop(columns=[geometry.name]).items()}
    columns = list(attributes)
    sample = {word: attributes[word].slice(0, ID_SAMPLE) for word in id_candidates(columns)}
    shape = shape_of(columns, sample, where=where, id_column=options.id_column, wanted=options.columns)
    values = np.asarray(geometry.array, dtype=object)
    bounds = shapely.total_bounds(values) if len(values) else np.full(4, np.nan)
    west, south, east, north = bounds.tolist()
    info = SourceInfo(
        name=name,
        path="",
        crs=file_crs(code, where=where, given=options.crs),
        columns=tuple(shape.names.values()),
        feature_count=len(gdf),
        bounds=(west, south, east, north) if np.isfinite(bounds).all() else None,
        format="memory",
    )
    wkb = pa.array(shapely.to_wkb(values, output_dimension=3, flavor="iso", byte_order=1), pa.binary())
    return MemorySource(info, shape, wkb, attributes, _index(gdf.index))


def _crs_text(crs: object) -> str:
    """Return a pyproj CRS as a code where it is exactly that, else as WKT."""
    import pyproj

    known = pyproj.CRS.from_user_input(crs)
    code = known.to_authority(min_confidence=100)
    if code is not None and pyproj.CRS.from_authority(*code) == known:
        return ":".join(code)
    return str(known.to_wkt())


def _series(column: "pd.Series") -> pa.Array:
    """Turn a column into a plain Arrow array; one of mixed values becomes text, as in GeoJSON."""
    try:
        array = pa.Array.from_pandas(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        missing = column.isna().to_numpy()
        values = [None if gone else value for gone, value in zip(missing, column.tolist(), strict=True)]
        kind = 0
        for value in values:
            kind |= value_kind(value)
        return values_array(values, kind)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return plain(array)


def _index(index: "pd.Index") -> pa.Array | None:
    """Return the index as ids; None for the row numbers that every frame has."""
    if index.nlevels > 1:
        return text_array(["/".join(map(str, key)) for key in index])
    if index.dtype.kind in "iu" and np.array_equal(index.to_numpy(), np.arange(len(index))):
        return None
    missing = index.isna()
    texts = text_array([None if gone else str(value) for gone, value in zip(missing, index, strict=True)])
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
