"""
Options of a build, checked in one place: command line over environment (``CITYGEN_*``) over file over default.

Every option of ``citygen build`` is a field here; names in ``citygen.toml`` are the same with underscores.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from citygen.errors import ConfigError, InputError
from citygen.log import redacted


def _listed(value: object) -> object:
    """Accept one value, a comma list or a list."""
    if isinstance(value, str):
        return [part for part in value.split(",") if part]
    return [value] if isinstance(value, os.PathLike) else value


def _mapped(value: object) -> object:
    """Accept ``{"height": "HAUTEUR"}`` or ``["height=HAUTEUR", ...]``."""
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list | tuple):
        pairs = [str(item).partition("=") for item in value]
        broken = [name for name, sign, column in pairs if not (name and sign and column)]
        if broken:
            raise ValueError(f"{broken[0]!r} is not of the form height=COLUMN")
        return {name.strip(): column.strip() for name, _, column in pairs}
    return value


def _counted(value: object) -> object:
    """Accept a whole number, also as a text, or 'auto'."""
    if value is None or value == "auto":
        return value
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text) > MOST_FEATURES:
        raise ValueError(f"give a whole number from 0 to {MOST_FEATURES}, or auto")
    return int(text)


def _country(value: object) -> object:
    """Accept an ISO 3166-1 alpha-2 code in any case."""
    if value is None:
        return None
    text = str(value).strip().lower()
    if not (len(text) == 2 and text.isascii() and text.isalpha()):
        raise ValueError("give the two letters of a country, as DE")
    return text


MOST_FEATURES = 200
"""Dormers, and chimneys, that one building may be given."""
Count = Annotated[int | Literal["auto"] | None, BeforeValidator(_counted)]
_MANNER = frozenset(
    {"out", "workers", "resume", "overwrite", "allow_rejected", "preview"}
    | {"cache", "overture_url", "overture_stac", "copernicus_url", "s3_url"}
)
_INPUTS = frozenset({"buildings", "dem", "aoi", "geoid", "drape"})
_NAME = re.compile(r"[a-z][a-z0-9-]+(:[\w.-]+)?")  # a data set by name, perhaps with its release
Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class BuildConfig(BaseModel):
    """Options of one build; frozen, every field validated, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aoi: str | None = Field(None, description="Area of interest: a vector file, or 'W,S,E,N' in degrees. Default: all.")
    buildings: Words = Field((), description="Footprint sources, the first wins a name.")
    dem: Words = Field((), description="DEM rasters, the first with data wins.")
    cache: str | None = Field(None, description="Folder of fetched data. Default: the user's cache folder.")
    overture_url: str | None = Field(None, description="Mirror of Overture's bucket.")
    overture_stac: str | None = Field(None, description="Overture's catalogue, or a mirror of it.")
    copernicus_url: str | None = Field(None, description="Mirror of the bucket of Copernicus GLO-30.")
    s3_url: str | None = Field(None, description="Endpoint of s3:// sources. Default: Amazon's.")
    out: str = Field("out", description="Output folder.")
    crs: str | None = Field(None, description="Working CRS, metres. Default: the UTM zone of the area.")
    source_crs: str | None = Field(None, description="CRS of footprint files that do not say theirs.")
    swap_axes: bool = Field(False, description="Footprint files hold latitude (or north) first: x and y are exchanged.")
    dem_crs: str | None = Field(None, description="CRS of DEM files that do not say theirs.")
    layer: str | None = Field(None, description="Layer to read where a file holds several.")
    id_column: str | None = Field(None, description="Column that holds the footprints' ids.")
    map: Annotated[dict[str, str], BeforeValidator(_mapped)] = Field(
        default_factory=dict, description="Own column names: height=HAUTEUR."
    )
    dialect: str | None = Field(None, description="How the source words its attributes. Default: recognised.")
    grid: str = Field(
        "metric:500", description="metric:SIZE, a TileMatrixSet and zoom (WebMercatorQuad:16), FILE.json:ZOOM."
    )
    format: Words = Field(("glb", "3dtiles"), description="Output formats.")
    ground_z: float | None = Field(None, ge=-1000, le=10000, description="Ground height where no DEM has one, metres.")
    dem_unit: str | None = Field(
        None, description="Unit of the DEM's heights: m, ft, us-ft, cm. Default: what it says."
    )
    dem_sampling: Literal["bilinear", "cubic"] = Field("bilinear", description="How heights run between DEM cells.")
    dem_fill: float = Field(0.0, ge=0, le=5000, description="Voids this near to values are filled from them, metres.")
    dem_feather: float = Field(
        0.0, ge=0, le=5000, description="Width over which a DEM goes over into the next, metres."
    )
    dem_resolution: float = Field(
        0.0, ge=0, le=1000, description="DEMs with smaller cells are read from an overview, metres. Default: never."
    )
    vertical_crs: str | None = Field(None, description="What the DEM's zero is. Default: what it says.")
    geoid: str | None = Field(None, description="PROJ grid (.tif, .gtx) that makes DEM heights ellipsoidal.")
    geoid_offset: float | None = Field(
        None, ge=-150, le=150, description="Added to DEM heights to make them ellipsoidal, metres."
    )
    storey_height: float | None = Field(
        None, ge=1, le=20, description="Metres a storey of a dwelling. Default: by country, else 3."
    )
    default_height: float | None = Field(
        None, gt=0, le=1000, description="Eave height where the data give none, metres. Default: it is estimated."
    )
    country: Annotated[str | None, BeforeValidator(_country)] = Field(
        None, description="Where the footprints are (DE, FR, ...), for the height of a storey."
    )
    height_model: Literal["auto", "off"] = Field(
        "auto", description="Whether a model may learn heights from the data's own."
    )
    dormers: Count = Field(None, description="Dormers on pitched roofs where the data give no number: N or auto.")
    chimneys: Count = Field(None, description="Chimneys on pitched roofs where the data give no number: N or auto.")
    roof_segments: int | None = Field(
        None, ge=2, le=64, description="Planes a quarter turn of a curved roof is made of. Default: each shape's own."
    )
    overhang: float = Field(0.0, ge=0, le=3, description="How far roofs reach beyond the walls, metres.")
    roof_thickness: float = Field(
        0.2, ge=0.02, le=2, description="From a roof's surface to the underside of its overhang, metres."
    )
    party_walls: Literal["keep", "drop"] = Field(
        "keep", description="Walls that two solids hide from each other: written, or left out (solids are open there)."
    )
    datum: Literal["lowest", "mean", "highest", "entrance"] = Field(
        "lowest", description="Ground under a building that its heights count from."
    )
    foundation: float = Field(
        0.25, ge=0, le=50, description="How far below the lowest ground of a DEM walls start, metres."
    )
    platforms: bool = Field(False, description="Level the ground under buildings at their datum, graded around them.")
    platform_slope: float = Field(
        30.0, ge=5, le=80, description="Slope of the embankments around platforms, degrees from the level."
    )
    terrain: bool = Field(False, description="Make the ground too: terrain tiles with holes where buildings stand.")
    terrain_error: float = Field(
        0.5, ge=0.01, le=100, description="How far the terrain may stray from the DEM, vertically, metres."
    )
    drape: str | None = Field(
        None, description="What lies over the terrain: hypsometric, hillshade, or an orthophoto (GeoTIFF)."
    )
    preview: bool = Field(False, description="Write preview.png.")
    workers: int = Field(1, ge=1, le=1024, description="Processes.")
    resume: bool = Field(True, description="Go on with an interrupted run of the same inputs.")
    overwrite: bool = Field(False, description="Replace an earlier run in the output folder.")
    allow_rejected: bool = Field(False, description="Exit 0 even when footprints were rejected.")

    def result_options(self) -> dict[str, Any]:
        """Return the options that change the result, in a stable order: what a tile's stamp is made of."""
        return self._without(_MANNER | _INPUTS)

    def reported(self) -> dict[str, Any]:
        """
        Return the options for a report: inputs as they were named, and what changes the result; not how it was run.

        Passwords and tokens in the names of inputs are left out.
        """
        found = self._without(_MANNER)
        for name in ("buildings", "dem"):
            found[name] = [redacted(spec) for spec in found[name]]
        return found

    def _without(self, names: frozenset[str]) -> dict[str, Any]:
        return {name: value for name, value in sorted(self.model_dump(mode="json").items()) if name not in names}


def read_config(path: Path) -> dict[str, Any]:
    """
    Read ``[build]`` of a TOML file; paths in it are relative to its folder.

    Parameters
    ----------
    path : pathlib.Path
        Usually ``citygen.toml``.

    Returns
    -------
    dict
        Raw values, not yet validated.

    Raises
    ------
    InputError
        When the file is missing, not TOML, or has other tables than ``[build]``.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the config file: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise InputError(f"{path}: not valid TOML: values are nested too deeply") from error
    strange = sorted(set(document) - {"build"})
    if strange:
        raise InputError(f"{path}: unknown table [{strange[0]}]; options of a build stand under [build]")
    values = document.get("build", {})
    if not isinstance(values, dict):
        raise InputError(f"{path}: build is no table; options of a build stand under [build]")
    for name in ("buildings", "dem"):
        if name in values:
            listed = values[name] if isinstance(values[name], list) else [values[name]]
            values[name] = [_beside(path, item) for item in listed]
    for name in ("aoi", "out", "geoid", "drape"):
        if isinstance(values.get(name), str):
            values[name] = _beside(path, values[name])
    return values


def _beside(config: Path, value: object) -> object:
    """Resolve a relative path against the config file's folder; leave texts that name no file (a box, a URL, 'overture')."""
    if not isinstance(value, str) or "://" in value or _is_box(value):
        return value
    if _NAME.fullmatch(value) and not (config.parent / value).exists():
        return value
    return str(config.parent / value) if not Path(value).is_absolute() else value


def _is_box(text: str) -> bool:
    try:
        return len([float(part) for part in text.split(",")]) == 4
    except ValueError:
        return False


def make_config(
    given: Mapping[str, Any], *, file: Path | None = None, environment: Mapping[str, str] | None = None
) -> BuildConfig:
    """
    Merge options of all sources and check them.

    Parameters
    ----------
    given : mapping
        From the caller (command line or notebook); None values are not given.
    file : pathlib.Path, optional
        A config file.
    environment : mapping, optional
        ``CITYGEN_NAME`` variables; default: none are read.

    Returns
    -------
    BuildConfig

    Raises
    ------
    ConfigError
        Naming every wrong option at once.
    InputError
        When the file cannot be used.
    """
    merged: dict[str, Any] = read_config(file) if file is not None else {}
    for name in BuildConfig.model_fields:
        value = (environment or {}).get(f"CITYGEN_{name.upper()}")
        if value:  # a variable that is set to nothing is not given
            merged[name] = value
    merged.update({name: value for name, value in given.items() if value is not None})
    try:
        return BuildConfig.model_validate(merged)
    except ValidationError as error:
        raise ConfigError("; ".join(map(_complaint, error.errors()))) from error


def _complaint(item: Any) -> str:
    """Put what is wrong with one option in words."""
    name = ".".join(str(part) for part in item["loc"][:1])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, BuildConfig.model_fields, n=1)
        return f"{name}: there is no such option" + (f"; did you mean {near[0]}?" if near else "")
    given = item["input"]
    text = ", ".join(map(str, given)) if isinstance(given, list | tuple) else str(given)
    return f"{name}: {item['msg'].removeprefix('Value error, ')} (got {text[:80]!r})"
