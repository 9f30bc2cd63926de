"""``citygen sample DIR``: a folder to a sample to build in it, the small town or a country of any size."""

from pathlib import Path

import click


@click.command("sample")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--buildings",
    metavar="N",
    type=click.IntRange(min=1),
    help="Write N buildings as GeoParquet with their own DEM, about 2,000 a square kilometre, instead of the town.",
)
@click.option(
    "--overwrite", is_flag=True, help="Write into a folder that holds something; replaces the sample's files."
)
def command(folder: Path, buildings: int | None, overwrite: bool) -> None:
    """
    Write a sample into DIR: footprints, a DEM, an area of interest, citygen.toml.

    The town is the one that comes with citygen, always the same. Build it with: cd DIR && citygen build
    """
    from citygen.sample import write_large, write_sample
    from citygen.sample.write import prepare_folder

    prepare_folder(folder, overwrite=overwrite)
    paths = write_large(folder / "buildings.parquet", buildings) if buildings else write_sample(folder)
    for path in (paths.buildings, paths.dem, paths.aoi, paths.config):
        click.echo(str(path))
