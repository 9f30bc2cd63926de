"""A source whose coordinates come latitude (or north) first, read as what they mean: x and y exchanged on the way in."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from citygen.geom.parse import parse_wkb
from citygen.sources.base import BATCH_ROWS, Bounds, Source, SourceInfo


@dataclass(frozen=True, slots=True)
class SwappedSource:
    """
    Another source with x and y exchanged; see ``citygen.sources.base.Source``.

    Attributes
    ----------
    inner : Source
        As the file has it.
    """

    inner: Source

    @property
    def info(self) -> SourceInfo:
        """What is known of the source, its extent exchanged."""
        info = self.inner.info
        return info if info.bounds is None else dataclasses.replace(info, bounds=_exchanged(info.bounds))

    def batches(self, bbox: Bounds | None, *, batch_rows: int = BATCH_ROWS) -> Iterator[pa.Table]:
        """Yield the batches; WKB that cannot be read stays as it is."""
        for batch in self.inner.batches(None if bbox is None else _exchanged(bbox), batch_rows=batch_rows):
            raw = batch["geometry"].to_numpy(zero_copy_only=False)
            shapes = parse_wkb(raw, close=True)
            turned = shapely.transform(shapes, lambda xyz: xyz[:, [1, 0, 2]], include_z=True)
            wkb = np.where(shapely.is_missing(shapes), raw, shapely.to_wkb(turned, output_dimension=2))
            at = batch.column_names.index("geometry")
            yield batch.set_column(at, "geometry", pa.array(wkb.tolist(), pa.binary()))


def _exchanged(bounds: Bounds) -> Bounds:
    west, south, east, north = bounds
    return (south, west, north, east)
