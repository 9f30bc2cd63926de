"""
Sources as a user names them to one document: what each holds, what was understood, what a build would do. Nothing is written.

Each source is read once, in batches, through the same steps as a plan: placed in the working CRS, read in its dialect, the odd
ones repaired. Memory is a batch, 8 bytes an id and bounded tallies. A source that fails is named with its error, and the others
are reported all the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from citygen.attributes.dialect import DIALECTS, recognise_dialect
from citygen.attributes.keys import check_column_map
from citygen.attributes.options import AttributeOptions
from citygen.config import BuildConfig
from citygen.errors import CitygenError, ConfigError, InputError
from citygen.ground.collect import collect, holds_rasters
from citygen.ground.rasterfile import VrtError, driver_of
from citygen.ground.rasterfile import local_file as local_raster
from citygen.ground.remote import fetch_dems, remote_dem
from citygen.ground.vertical import Vertical
from citygen.log import get_logger, redacted
from citygen.pipeline.extents import REACH_M, extent, in_crs, lonlat_box, widened
from citygen.pipeline.inputs import Inputs, PlannedSource, tile_grid, working_crs
from citygen.pipeline.remote import access_of
from citygen.pipeline.survey.forecast import combined
from citygen.pipeline.survey.raster import describe_raster
from citygen.pipeline.survey.vector import survey_source
from citygen.pipeline.survey.where import LONLAT
from citygen.remote.access import Access, silent
from citygen.sources.aoi import Aoi, read_aoi
from citygen.sources.base import Bounds, Source, SourceInfo, SourceOptions, boxes_of, open_source, remote_of
from citygen.sources.swapped import SwappedSource
from citygen.version import __version__

log = get_logger(__name__)
Progress = Callable[[str, int, int], None]
_RASTERS = (".tif", ".tiff", ".hgt", ".asc", ".vrt", ".img")


@dataclass(frozen=True, slots=True)
class Sampled:
    """A source of which only the first rows are read; see ``citygen.sources.base.Source``."""

    source: Source
    rows: int

    @property
    def info(self) -> SourceInfo:
        """That of the whole source."""
        return self.source.info

    def batches(self, bbox: Bounds | None, *, batch_rows: int = 65_536) -> Iterator[pa.Table]:
        """Yield the batches up to the number of rows."""
        left = self.rows
        for batch in self.source.batches(bbox, batch_rows=min(batch_rows, self.rows)):
            yield batch.slice(0, left)
            left -= len(batch)
            if left <= 0:
                return


def inspect_sources(
    config: BuildConfig,
    *,
    frames: tuple[Source, ...] = (),
    aoi_geometry: Any = None,
    sample: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """
    Look at footprints and rasters.

    Parameters
    ----------
    config : BuildConfig
        Sources stand in ``buildings``, vector files, remote ones and rasters alike, and rasters in ``dem``; and the options that
        a build has for them.
    frames : tuple of Source
        Sources in memory.
    aoi_geometry : shapely geometry, optional
        An area in lon/lat that stands above ``config.aoi``.
    sample : int, optional
        Rows of each source that are read; all without it.
    progress : callable, optional
        ``progress(label, rows read, rows or 0)``.

    Returns
    -------
    dict
        As ``docs/inspect.schema.json`` says: ``sources``, ``rasters``, ``errors``, ``build``.

    Raises
    ------
    ConfigError
        For options that are wrong. Sources that cannot be used are in ``errors``.
    """
    if not config.buildings and not config.dem and not frames:
        raise ConfigError("no sources: give footprints, or rasters of heights")
    check_column_map(config.map)
    if config.dialect is not None:
        DIALECTS[config.dialect]
    wanted = config.aoi if aoi_geometry is None else aoi_geometry
    area = None if wanted is None else read_aoi(wanted)
    errors: list[dict[str, str]] = []
    access = access_of(config, progress or silent)
    planned = [_planned(frame, config, ()) for frame in frames]
    rasters = _opened(config, (area, access), sample, planned, errors)
    found = _surveyed(config, planned, area, errors, progress)
    return {
        "citygen": __version__,
        "sources": [about for about, _ in found],
        "rasters": rasters,
        "errors": errors,
        "build": combined(config, found, rasters),
    }


def _opened(
    config: BuildConfig,
    where: tuple[Aoi | None, Access],
    sample: int | None,
    planned: list[PlannedSource],
    errors: list[dict[str, str]],
) -> list[dict[str, Any]]:
    """Open the footprints, which are added to the planned sources, then describe the rasters; failures go to the errors."""
    heights = [spec for spec in (*config.buildings, *config.dem) if spec in config.dem or _is_raster(spec)]
    for spec in config.buildings:
        try:
            if spec not in heights:
                planned.append(_open(spec, config, where, sample, [p.label for p in planned]))
        except CitygenError as error:
            errors.append(_error(spec, error))
    rasters: list[dict[str, Any]] = []
    for spec in heights:
        try:
            paths = fetch_dems((spec,), _boxes(where[0], planned) if remote_dem(spec) else (), where[1])[0]
            rasters += [describe_raster(each.path, crs=config.dem_crs) for each in collect(paths)]
        except CitygenError as error:
            errors.append(_error(spec, error))
    return rasters


def _surveyed(
    config: BuildConfig,
    planned: list[PlannedSource],
    area: Aoi | None,
    errors: list[dict[str, str]],
    progress: Progress | None,
) -> list[tuple[dict[str, Any], Any]]:
    """Survey the sources that could be opened, all in one working CRS; the ones that fail go to the errors."""
    kept = _placed(config, planned, area, errors)
    if not kept:
        return []
    crs = working_crs(config, area, tuple(kept))
    geometry = None if area is None else in_crs(area.geometry, area.crs, crs)
    inputs = Inputs(
        sources=tuple(kept),
        crs=crs,
        aoi=geometry,
        dem=None,
        vertical=Vertical(),
        grid=tile_grid(config.grid, crs),
        formats=(),
        digests={},
        identity={},
    )
    options = AttributeOptions(config.map, config.storey_height, config.default_height)
    found = []
    for number, each in enumerate(kept):
        try:
            found.append(survey_source(inputs, number, options, config, progress))
        except CitygenError as error:
            errors.append(_error(each.source.info.path or each.label, error))
    return found


def _placed(
    config: BuildConfig, planned: list[PlannedSource], area: Aoi | None, errors: list[dict[str, str]]
) -> list[PlannedSource]:
    """Return the sources whose place can be told; a broken file may only show when it is looked for."""
    kept = []
    for each in planned:
        try:
            working_crs(config, area, (each,))
            kept.append(each)
        except InputError as error:
            errors.append(_error(each.source.info.path or each.label, error))
    return kept


def _error(spec: str, error: CitygenError) -> dict[str, str]:
    return {"path": redacted(spec), "error": str(error)}


def _is_raster(spec: str) -> bool:
    """Say whether a spec names heights: a file by its content, and by its name where it is broken or a URL."""
    if remote_of(spec) is not None:
        return remote_dem(spec) is not None and Path(spec.partition("?")[0]).suffix.lower() in _RASTERS
    if remote_dem(spec) is not None:
        return True
    if Path(spec).is_dir():
        return holds_rasters(Path(spec))
    try:
        driver_of(local_raster(spec))
    except VrtError:
        return True
    except InputError:
        return Path(spec).suffix.lower() in _RASTERS and Path(spec).is_file()
    return True


def _boxes(area: Aoi | None, planned: list[PlannedSource]) -> tuple[Bounds, ...]:
    """Return where heights are wanted: the area, else the extent of the footprints, degrees; () where nobody knows."""
    if area is not None:
        return boxes_of(lonlat_box(area.geometry, area.crs))
    box = extent([each.source for each in planned], LONLAT)
    return () if box is None else boxes_of(box)


def _open(
    spec: str, config: BuildConfig, where: tuple[Aoi | None, Access], sample: int | None, labels: list[str]
) -> PlannedSource:
    """Open a source with all of its columns."""
    area, access = where
    options = SourceOptions(layer=config.layer, crs=config.source_crs, id_column=config.id_column, access=access)
    box = None if area is None else widened(lonlat_box(area.geometry, area.crs), REACH_M)
    source = open_source(spec, options, area=box)
    source = SwappedSource(source) if config.swap_axes else source
    return _planned(source if sample is None else Sampled(source, sample), config, labels)


def _planned(source: Source, config: BuildConfig, labels: list[str] | tuple[str, ...]) -> PlannedSource:
    """Name a source's dialect, and give it a label of its own."""
    columns = source.info.columns
    dialect = config.dialect or recognise_dialect(columns)
    name, number = source.info.name, 1
    while (label := name if number == 1 else f"{name}#{number}") in labels:
        number += 1
    return PlannedSource(source, label, dialect, tuple(columns))
