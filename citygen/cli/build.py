"""``citygen build``: options to a config, one run, a summary on stdout, an exit code."""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Self

import click

_FILE = "citygen.toml"
_STAGES = {
    "fetch": "fetching open data",
    "plan": "reading footprints",
    "heights": "estimating heights",
    "tiles": "building",
    "terrain": "making the terrain",
    "preview": "drawing the preview",
    "finish": "writing the catalogue",
}


@click.command()
@click.option("--aoi", metavar="FILE|W,S,E,N", help="Area of interest. Default: everything in the footprints.")
@click.option(
    "--buildings",
    multiple=True,
    metavar="SRC",
    help="Footprints (repeatable; where they overlap, the first wins): OpenStreetMap (.osm.pbf, .osm), GeoPackage, "
    "FlatGeobuf, GeoJSON, Shapefile, GeoParquet (also a folder or URL of it), CityJSON, CityGML, overture[:RELEASE], or "
    "postgresql://USER@HOST/DB?table=NAME.",
)
@click.option(
    "--dem",
    multiple=True,
    metavar="SRC",
    help="DEM raster, or copernicus-glo30 (repeatable; the first with data wins).",
)
@click.option("-o", "--out", metavar="DIR", help="Output folder. Default: out.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False),
    help=f"Options in TOML. Default: {_FILE} here, if there is one.",
)
@click.option("--crs", metavar="CRS", help="Working CRS, metres. Default: the UTM zone of the area.")
@click.option("--source-crs", metavar="CRS", help="CRS of footprint files that do not say theirs.")
@click.option(
    "--swap-axes/--no-swap-axes", default=None, help="Footprint files hold latitude (or north) first. Default: no."
)
@click.option("--dem-crs", metavar="CRS", help="CRS of DEM files that do not say theirs.")
@click.option("--cache", metavar="DIR", help="Folder of fetched data. Default: the user's cache folder.")
@click.option("--overture-url", metavar="URL", help="Mirror of Overture's bucket.")
@click.option("--overture-stac", metavar="URL", help="Overture's catalogue, or a mirror of it.")
@click.option("--copernicus-url", metavar="URL", help="Mirror of the bucket of Copernicus GLO-30.")
@click.option("--s3-url", metavar="URL", help="Endpoint of s3:// sources. Default: Amazon's.")
@click.option("--layer", metavar="NAME", help="Layer of a file that holds several.")
@click.option("--id-column", metavar="NAME", help="Column of the footprints' ids.")
@click.option(
    "--map",
    "map",
    multiple=True,
    metavar="KEY=COLUMN",
    help="A source's own column name, e.g. height=HAUTEUR (repeatable).",
)
@click.option("--dialect", metavar="NAME", help="How the source words its attributes. Default: recognised.")
@click.option(
    "--grid", metavar="GRID", help="metric:SIZE, WebMercatorQuad:16 or any TileMatrixSet:ZOOM. Default: metric:500."
)
@click.option("--format", "format", metavar="NAMES", help="Output formats, comma separated. Default: glb,3dtiles.")
@click.option("--ground-z", type=float, metavar="M", help="Ground height where no DEM has one.")
@click.option("--vertical-crs", metavar="CRS", help="What the DEM's zero is, e.g. EPSG:5709. Default: what it says.")
@click.option(
    "--geoid", metavar="GRID", help="PROJ grid of undulations (.tif, .gtx) that makes DEM heights ellipsoidal."
)
@click.option("--geoid-offset", type=float, metavar="M", help="Added to DEM heights to make them ellipsoidal.")
@click.option("--dem-unit", metavar="UNIT", help="Unit of DEM heights: m, ft, us-ft, cm. Default: what the DEM says.")
@click.option("--dem-sampling", metavar="NAME", help="Between DEM cells: bilinear or cubic. Default: bilinear.")
@click.option(
    "--dem-fill", type=float, metavar="M", help="Fill voids of the DEM this near to values. Default: 0, none."
)
@click.option(
    "--dem-feather", type=float, metavar="M", help="Width over which a DEM goes over into the next. Default: 0, a step."
)
@click.option(
    "--dem-resolution", type=float, metavar="M", help="Read DEMs with smaller cells from overviews. Default: never."
)
@click.option("--storey-height", type=float, metavar="M", help="Metres a storey. Default: by country, else 3.")
@click.option(
    "--default-height", type=float, metavar="M", help="Eave height where the data give none. Default: it is estimated."
)
@click.option("--country", metavar="XX", help="Country of the footprints (DE, FR, ...), for the height of a storey.")
@click.option(
    "--height-model", metavar="auto|off", help="Whether a model may learn heights from the data's own. Default: auto."
)
@click.option("--dormers", metavar="N|auto", help="Dormers on pitched roofs whose data give no number. Default: none.")
@click.option(
    "--chimneys", metavar="N|auto", help="Chimneys on pitched roofs whose data give no number. Default: none."
)
@click.option(
    "--roof-segments", type=int, metavar="N", help="Planes a quarter turn of a curved roof is made of. Default: 6 or 8."
)
@click.option("--overhang", type=float, metavar="M", help="How far roofs reach beyond the walls. Default: 0.")
@click.option(
    "--roof-thickness", type=float, metavar="M", help="From a roof's surface to its overhang's underside. Default: 0.2."
)
@click.option(
    "--party-walls",
    metavar="keep|drop",
    help="Walls hidden between two solids: keep, or drop (solids are open there). Default: keep.",
)
@click.option(
    "--datum",
    metavar="lowest|mean|highest|entrance",
    help="Ground under a building that its heights count from. Default: lowest.",
)
@click.option(
    "--foundation", type=float, metavar="M", help="How far below the lowest ground walls start. Default: 0.25."
)
@click.option(
    "--platforms/--no-platforms", default=None, help="Level the ground under buildings at their datum. Default: no."
)
@click.option(
    "--platform-slope", type=float, metavar="DEG", help="Slope of the embankments around platforms. Default: 30."
)
@click.option("--terrain/--no-terrain", default=None, help="Make terrain tiles, with holes where buildings stand.")
@click.option("--terrain-error", type=float, metavar="M", help="How far terrain may stray from the DEM. Default: 0.5.")
@click.option(
    "--drape", metavar="NAME|FILE", help="Over the terrain: hypsometric, hillshade, or an orthophoto (GeoTIFF)."
)
@click.option("--preview/--no-preview", default=None, help="Write preview.png, an oblique view.")
@click.option("--workers", type=int, metavar="N", help="Processes. Default: 1.")
@click.option(
    "--resume/--no-resume", default=None, help="Go on with an interrupted run of the same inputs. Default: yes."
)
@click.option("--overwrite", is_flag=True, default=None, help="Replace an earlier run in the output folder.")
@click.option("--allow-rejected", is_flag=True, default=None, help="Exit 0 even when footprints were rejected.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("-v", "--verbose", count=True, help="More messages (twice: debugging).")
def command(config_file: str | None, as_json: bool, quiet: bool, verbose: int, **given: Any) -> int:
    """
    Build a city from footprints and a DEM.

    With no --buildings and --dem they come from citygen.toml here, else from the bundled sample when the AOI lies in it, else
    from open data (overture and copernicus-glo30), which are fetched.

    Exit codes: 0 done, 1 the run failed, 2 wrong usage or unreadable input, 3 done with rejected footprints, 130 interrupted.
    """
    from citygen.config import make_config
    from citygen.engine.run import run

    if verbose:
        logging.getLogger().setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    values = {name: (list(v) or None if isinstance(v, tuple) else v) for name, v in given.items()}
    file = Path(config_file) if config_file else Path(_FILE) if Path(_FILE).is_file() else None
    config = make_config(values, file=file, environment=os.environ)
    config = _with_defaults(config)
    with _Progress() as progress:
        outcome = run(config, progress=_silent if quiet else progress)
    if as_json:
        click.echo(json.dumps(outcome.report, indent=1, ensure_ascii=False))
    else:
        click.echo(summary(outcome.report, str(outcome.out), preview=config.preview))
    return 3 if outcome.report["outcomes"]["rejected"] and not config.allow_rejected else 0


def _with_defaults(config: Any) -> Any:
    """Take the bundled sample or open data when there is an area, and nothing names footprints or the ground."""
    if config.buildings or config.dem or config.aoi is None:
        return config
    from citygen.pipeline.extents import in_crs
    from citygen.sample.write import bundled_sample
    from citygen.sources.aoi import read_aoi

    sample = bundled_sample()
    area, town = read_aoi(config.aoi), read_aoi(str(sample.aoi))
    if in_crs(town.geometry, town.crs, "OGC:CRS84").buffer(1e-6).covers(in_crs(area.geometry, area.crs, "OGC:CRS84")):
        return config.model_copy(update={"buildings": (str(sample.buildings),), "dem": (str(sample.dem),)})
    ground = () if config.ground_z is not None else ("copernicus-glo30",)
    return config.model_copy(update={"buildings": ("overture",), "dem": ground})


def _silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


class _Progress:
    """A bar on a terminal, a line every few seconds in a log; always on stderr."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.task: Any = None
        self.said = 0.0
        self.stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()  # also when the run fails: the cursor comes back, and the error stands below the bar

    def __call__(self, stage: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self._show(stage, done, total)
            return
        now = time.monotonic()
        if stage != self.stage or now - self.said >= 10 or (total and done == total):
            self.stage, self.said = stage, now
            counted = f" {done}/{total}" if total else ""
            click.echo(f"{_STAGES[stage]}{counted}", err=True)

    def _show(self, stage: str, done: int, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if self.bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("", total=None)
        self.bar.update(self.task, description=_STAGES[stage], completed=done, total=total or None)


def summary(report: dict[str, Any], out: str, *, preview: bool) -> str:
    """
    Put a report in a few lines for people.

    Parameters
    ----------
    report : dict
        What ``report.json`` holds.
    out : str
        Output folder.
    preview : bool
        Whether a picture was written.

    Returns
    -------
    str
        Lines without a final newline.
    """
    counts = report["outcomes"]
    lines = [
        f"{report['footprints']} footprints: {counts['ok']} ok, {counts['degraded']} degraded, {counts['rejected']} rejected"
    ]
    lines += [f"  {entry['count']:>7}  {code}: {entry['meaning']}" for code, entry in report["reasons"].items()]
    if counts["degraded"] or counts["rejected"]:
        lines.append(f"which: the columns id and reasons of buildings.parquet; why: citygen explain {out} ID")
    heights = ", ".join(f"{n} {name}" for name, n in report["heights_from"].items())
    lines.append(f"heights from: {heights or 'none'}")
    lines += height_model(report["heights"])
    lines.append(f"roofs: {', '.join(f'{n} {name}' for name, n in report['roofs'].items()) or 'none'}")
    size = report["tile_bytes"] / 1e6
    lines.append(
        f"{report['tiles']} tile{'' if report['tiles'] == 1 else 's'}, {report['triangles']} triangles, {size:.1f} MB "
        f"in {report['seconds'].get('total', 0):.1f} s"
    )
    lines.append(f"vertical: {report['vertical']['assumed']}")
    lines += [f"data: {each['name']}, {each['attribution']}" for each in report["open_data"] if "attribution" in each]
    names = ["tileset.json", "buildings.parquet", "report.json", *(["preview.png"] if preview else [])]
    lines.append(f"wrote {out}/: {', '.join(names)}")
    return "\n".join(lines)


def height_model(heights: dict[str, Any]) -> list[str]:
    """
    Say what became of the model of heights, in a line a case; nothing where every footprint has a height.

    Parameters
    ----------
    heights : dict
        Of a report.

    Returns
    -------
    list of str
    """
    if not heights["not_given"]:
        return []
    model = heights["model"]
    cases = {"with_storeys": "footprints with storeys", "without_storeys": "footprints without storeys"}
    told = [
        f"height model for {text}: {'used for ' + str(model[case]['rows']) if model[case]['used'] else 'not used'}; "
        f"{model[case]['why']}"
        for case, text in cases.items()
        if case in model
    ]
    return told or [f"height model: not used; {model['why']}"]
