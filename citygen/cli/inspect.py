"""``citygen inspect SRC...``: what sources hold, what was understood of them, and what a build would do, in tables or JSON."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

_FILE = "citygen.toml"
_INPUTS = frozenset({"CITYGEN_BUILDINGS", "CITYGEN_DEM", "CITYGEN_AOI"})


@click.command("inspect")
@click.argument("sources", metavar="SRC...", nargs=-1)
@click.option("--aoi", metavar="FILE|W,S,E,N", help="Area of interest. Default: everything.")
@click.option("--source-crs", metavar="CRS", help="CRS of footprint files that do not say theirs.")
@click.option("--swap-axes", is_flag=True, default=None, help="Footprint files hold latitude (or north) first.")
@click.option("--dem-crs", metavar="CRS", help="CRS of DEM files that do not say theirs.")
@click.option("--layer", metavar="NAME", help="Layer of a file that holds several.")
@click.option("--id-column", metavar="NAME", help="Column of the footprints' ids.")
@click.option("--map", "map", multiple=True, metavar="KEY=COLUMN", help="A source's own column name (repeatable).")
@click.option("--dialect", metavar="NAME", help="How the source words its attributes. Default: recognised.")
@click.option("--crs", metavar="CRS", help="Working CRS of the build. Default: the UTM zone of the area.")
@click.option("--grid", metavar="GRID", help="Grid of the build. Default: metric:500.")
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Read only the first N rows of each source.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("-v", "--verbose", count=True, help="More messages (twice: debugging).")
def command(sources: tuple[str, ...], sample: int | None, as_json: bool, verbose: int, **given: Any) -> int:
    """
    Say what footprints and DEMs hold, and what a build would do with them.

    SRC is a vector file, a raster of heights, or a remote source, as for --buildings and --dem. Without any, those of
    citygen.toml here. Nothing is written.

    Exit codes: 0 done, 2 when a source cannot be used (the others are shown all the same).
    """
    import json

    from citygen.config import make_config
    from citygen.pipeline.survey.inspect import inspect_sources

    if verbose:
        logging.getLogger().setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    values = {name: (list(v) or None if isinstance(v, tuple) else v) for name, v in given.items()}
    file = Path(_FILE) if not sources and Path(_FILE).is_file() else None
    config = make_config(
        {**values, "buildings": list(sources) or None}, file=file, environment=os.environ if file else None
    )
    found = inspect_sources(config, sample=sample, progress=_progress if sys.stderr.isatty() else None)
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        from citygen.cli.inspect_page import page_of

        page_of(found).show()
    for item in found["errors"]:
        click.echo(f"error: {item['error']}", err=True)
    return 2 if found["errors"] else 0


def _progress(label: str, done: int, total: int) -> None:
    """Show the rows read so far on one line of a terminal."""
    of = f" of {total:,}" if total else ""
    click.echo(f"\r\x1b[Kreading {label}: {done:,}{of} rows", err=True, nl=False)
