"""Options to opened inputs: area of interest, sources, DEM, working CRS, grid; every complaint about them is made here."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from citygen.attributes.dialect import DIALECTS, columns_needed, recognise_dialect
from citygen.attributes.keys import check_column_map
from citygen.config import BuildConfig
from citygen.errors import ConfigError, CoverageError, InputError
from citygen.formats.base import FORMATS
from citygen.ground.cover import require_cover
from citygen.ground.dem import Dem
from citygen.ground.drape import check_drape
from citygen.ground.surface import SurfaceCheck
from citygen.ground.vertical import Vertical
from citygen.log import get_logger
from citygen.pipeline.extents import REACH_M, centre, check_overlap, extent, in_crs, lonlat_box, widened
from citygen.pipeline.heights import open_ground, places_of, settle_heights
from citygen.pipeline.identity import file_digest, identity_of, input_files
from citygen.pipeline.placement import Placement, placement
from citygen.pipeline.plausible import require_metres, swapped_hint
from citygen.pipeline.remote import access_of, described
from citygen.remote.access import Access, OpenData, Progress, silent
from citygen.sources.aoi import read_aoi
from citygen.sources.base import Bounds, Source, SourceOptions, open_source
from citygen.sources.swapped import SwappedSource
from citygen.tiling.base import GRIDS, Grid

log = get_logger(__name__)
OWN_COLUMNS = frozenset(
    {"dialect", "@uid", "@id", "@was", "@source", "@part_of", "@is_part", "@geometry", "@problem", "@closed"}
    | {"@roof_lines", "@roof_lines_problem", "@line_alone", "@line_of", "@entrance", "@entrance_problem"}
    | {"@group", "@guest"}
)
"""Columns that a plan adds to the raw ones."""


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """
    A source that is ready to be read.

    Attributes
    ----------
    source : Source
        Opened.
    label : str
        Unique among the sources; the ``source`` column of the result.
    dialect : str
        How it words its attributes.
    columns : tuple of str
        Raw attribute columns that the dialect and the user's map read.
    """

    source: Source
    label: str
    dialect: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """
    What a plan is made from.

    Attributes
    ----------
    sources : tuple of PlannedSource
        In the user's order.
    crs : str
        Working CRS, metres (WKT).
    aoi : shapely geometry or None
        Area of interest in the working CRS; None takes everything.
    dem : Dem or None
        None builds on level ground at ``ground_z``.
    vertical : Vertical
        How heights become ellipsoidal.
    grid : Grid
        Of the tiles.
    formats : tuple of str
        Names, needed ones included, sorted.
    digests : dict of str to str
        Path to SHA-256 of every input file.
    identity : dict
        What of the inputs the result depends on: contents in their order, not paths. Part of a run's stamp.
    open_data : tuple of OpenData
        What must be said of fetched data.
    drape : str or None
        What lies over the terrain, checked.
    surface : SurfaceCheck or None
        Whether the DEM looks like a surface model; None before there is a plan.
    placement : Placement or None
        How far places land from where PROJ has them.
    """

    sources: tuple[PlannedSource, ...]
    crs: str
    aoi: Any
    dem: Dem | None
    vertical: Vertical
    grid: Grid
    formats: tuple[str, ...]
    digests: dict[str, str]
    identity: dict[str, Any]
    open_data: tuple[OpenData, ...] = ()
    drape: str | None = None
    surface: SurfaceCheck | None = None
    placement: Placement | None = None


def open_inputs(
    config: BuildConfig,
    *,
    frames: tuple[Source, ...] = (),
    aoi_geometry: Any = None,
    progress: Progress = silent,
) -> Inputs:
    """
    Open and check everything that a build reads; remote data are fetched into the cache.

    Parameters
    ----------
    config : BuildConfig
        Options.
    frames : tuple of Source
        Sources in memory, before those named in the options.
    aoi_geometry : shapely geometry, optional
        An area in lon/lat that stands above ``config.aoi``.
    progress : callable
        ``progress("fetch", done, total)`` while remote data are fetched.

    Returns
    -------
    Inputs

    Raises
    ------
    ConfigError
        For options that are wrong or contradict each other.
    InputError
        For files that cannot be used; ``MissingCRSError`` and ``CoverageError`` among them.
    """
    if not config.buildings and not frames:
        raise ConfigError(
            "no footprints: give --buildings FILE (or run where a citygen.toml names them), or --aoi AREA alone for open data"
        )
    if not config.dem and config.ground_z is None:
        raise ConfigError(
            "no ground: give --dem FILE, --dem copernicus-glo30 (fetched), or --ground-z METRES for level ground"
        )
    formats = _formats(config.format)
    if config.preview and "glb" not in formats:
        raise ConfigError("--preview draws GLB tiles: add glb to --format")
    check_column_map(config.map)
    if config.dialect is not None:
        DIALECTS[config.dialect]
    wanted = config.aoi if aoi_geometry is None else aoi_geometry
    area = None if wanted is None else read_aoi(wanted)
    box = None if area is None else lonlat_box(area.geometry, area.crs)
    access = access_of(config, progress)
    sources = _sources(config, frames, box, access)
    crs = working_crs(config, area, sources)
    geometry = None if area is None else in_crs(area.geometry, area.crs, crs)
    if geometry is not None:
        check_overlap(geometry, crs, [s.source for s in sources], config.aoi)
    if box is None:
        box = extent([s.source for s in sources], "OGC:CRS84")
    dem, rasters, origins = open_ground(config, box, access)
    if dem is not None:
        bounds = geometry.bounds if geometry is not None else extent([s.source for s in sources], crs)
        if bounds is not None:
            _require_cover(dem, bounds, crs)
    vertical = settle_heights(config, dem, box, origins)
    grid = tile_grid(config.grid, crs)
    drape = _drape(config, dem)
    digests = {path: file_digest(Path(path)) for path in input_files(config, sources, rasters)}
    identity = identity_of(config, sources, (dem, rasters), digests)
    identity |= {"vertical": (vertical.operation if config.geoid is None else "", vertical.offset_m)}
    identity |= {"crs": crs, "aoi": None if geometry is None else shapely.to_wkb(geometry, hex=True)}
    open_data = described([s.source for s in sources], origins)
    where = placement([s.source.info.crs for s in sources], crs, grid, vertical, places_of(box))
    return Inputs(
        sources, crs, geometry, dem, vertical, grid, formats, digests, identity, open_data, drape, placement=where
    )


def _drape(config: BuildConfig, dem: Dem | None) -> str | None:
    """Check the options of the terrain against each other; return what lies over it."""
    if config.terrain and dem is None:
        raise ConfigError("--terrain needs a DEM: give --dem FILE")
    if config.drape is None:
        return None
    if not config.terrain:
        raise ConfigError("--drape lies over the terrain: give --terrain too")
    return check_drape(config.drape)


def _require_cover(dem: Dem, bounds: Bounds, crs: str) -> None:
    """Refuse a DEM that does not meet the footprints; name exchanged axes where they are the reason."""
    try:
        require_cover(dem, bounds, crs)
    except CoverageError as error:
        area = lonlat_box(shapely.box(*bounds), crs)
        cure = swapped_hint(area, [lonlat_box(shapely.box(*raster.bounds), raster.crs) for raster in dem.rasters])
        if not cure:
            raise
        raise CoverageError(f"{error}; {cure}") from error


def _formats(names: tuple[str, ...]) -> tuple[str, ...]:
    """Add what formats need; refuse unknown ones."""
    wanted = set(names)
    for name in names:
        wanted.update(FORMATS[name].needs)
    return tuple(sorted(wanted))


def tile_grid(spec: str, crs: str) -> Grid:
    """Return the grid of tiles that a user names, in the working CRS where the grid has none of its own."""
    for make in GRIDS:
        grid = make(spec, crs)
        if grid is not None:
            return grid
    raise ConfigError(f"--grid {spec!r}: give metric:SIZE (metric:500) or SET:ZOOM (WebMercatorQuad:16)")


def _sources(
    config: BuildConfig, frames: tuple[Source, ...], box: Bounds | None, access: Access
) -> tuple[PlannedSource, ...]:
    """Open the sources twice: to see their columns, then to read only those that are needed."""
    planned: list[PlannedSource] = []
    present: set[str] = set()
    options = SourceOptions(layer=config.layer, crs=config.source_crs, id_column=config.id_column, access=access)
    wide = None if box is None else widened(box, REACH_M)
    used: dict[str, int] = {}
    specs: tuple[Source | str, ...] = (*frames, *config.buildings)
    for spec in specs:
        source = open_source(spec, options, area=wide) if isinstance(spec, str) else spec
        columns = source.info.columns
        present.update(columns)
        dialect = config.dialect or recognise_dialect(columns)
        needed = tuple(columns_needed(columns, dialect, config.map))
        if isinstance(spec, str):
            source = open_source(spec, dataclasses.replace(options, columns=needed), area=wide)
            source = SwappedSource(source) if config.swap_axes else source
        require_metres(source)
        name = source.info.name
        used[name] = used.get(name, 0) + 1
        label = name if used[name] == 1 else f"{name}#{used[name]}"
        planned.append(PlannedSource(source, label, dialect, needed))
    own = sorted(column for column in config.map.values() if column in OWN_COLUMNS)
    if own:
        raise ConfigError(
            f"--map: a column named {own[0]!r} cannot be mapped, citygen uses that name itself; rename it"
        )
    for key, column in config.map.items():
        if column not in present:
            have = ", ".join(sorted(present))[:400] or "(none)"
            raise ConfigError(f"--map {key}={column}: no source has that column; there are: {have}")
    return tuple(planned)


def working_crs(config: BuildConfig, area: Any, sources: tuple[PlannedSource, ...]) -> str:
    """Return the CRS to work in: the user's (projected, metres), or the UTM (polar: UPS) zone of the area's middle."""
    import pyproj

    if config.crs is not None:
        try:
            crs = pyproj.CRS.from_user_input(config.crs)
        except pyproj.exceptions.CRSError as error:
            raise ConfigError(f"--crs {config.crs}: not a CRS that PROJ knows (EPSG:n, WKT, PROJJSON)") from error
        if not _is_metric(config.crs):
            raise ConfigError(f"--crs {config.crs} ({crs.name}): give a projected CRS in metres")
        return str(crs.to_2d().to_wkt())
    if area is None:
        middle = centre([s.source for s in sources])
    else:
        west, south, east, north = lonlat_box(area.geometry, area.crs)
        middle = (west + (east - west) % 360 / 2 if east < west else (west + east) / 2, (south + north) / 2)
    if middle is None:
        return _crs_of_nowhere(sources)
    if not np.all(np.isfinite(middle)):
        raise InputError(
            "the extent of the footprints cannot be told in degrees: check their CRS, or give --aoi and --crs"
        )
    lon, lat = (middle[0] + 180) % 360 - 180, middle[1]
    if lat >= 84 or lat <= -80:
        return str(pyproj.CRS.from_epsg(5041 if lat > 0 else 5042).to_wkt())
    zone = min(60, int((lon + 180) // 6) + 1)
    return str(pyproj.CRS.from_epsg((32600 if lat >= 0 else 32700) + zone).to_wkt())


def _crs_of_nowhere(sources: tuple[PlannedSource, ...]) -> str:
    """Return a CRS for sources of which no row has a place: there is nothing to put wrong, only rows to account for."""
    if not any(each.source.info.feature_count for each in sources):
        names = ", ".join(each.source.info.path or each.label for each in sources)
        raise InputError(f"{names}: holds no footprints (no rows); nothing to build")
    return next((each.source.info.crs for each in sources if _is_metric(each.source.info.crs)), "EPSG:32631")


def _is_metric(text: str) -> bool:
    import pyproj

    crs = pyproj.CRS.from_user_input(text)
    return crs.is_projected and all(axis.unit_name == "metre" for axis in crs.axis_info[:2])
