"""``citygen explain OUT ID``: one footprint of a finished build, its raw tags, each decision with its rule, and a picture."""

from pathlib import Path
from typing import Any

import click


@click.command("explain")
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("feature_id", metavar="ID")
@click.option(
    "--picture", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Draw it to a PNG file."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(out: Path, feature_id: str, picture: Path | None, *, as_json: bool) -> int:
    """
    Say why the footprint ID of the finished build OUT is as it is.

    Works for every row of buildings.parquet, rejected ones and renamed ones (id#2) too. The raw tags are shown while the
    source is the same file as when it was built. Nothing is written but the picture that is asked for.
    """
    import json

    from citygen.api import open_city

    city = open_city(out)
    found = city.explain(feature_id)
    drawn = None
    if picture is not None:
        image = city.portrait(feature_id)
        if image is not None:
            _write(image, picture)
            drawn = str(picture)
        elif not as_json:
            click.echo(f"no picture: nothing was built of {feature_id!r}", err=True)
    if as_json:
        click.echo(json.dumps({**found, "picture": drawn}, indent=1, ensure_ascii=False, default=str))
        return 0
    page = page_of(found)
    if drawn is not None:
        page.title("Picture")
        page.fact("", drawn)
    page.show()
    return 0


def _write(image: Any, path: Path) -> None:
    """Write a picture, whole or not at all."""
    import numpy as np

    from citygen.errors import OutputError
    from citygen.preview.scene import write_png

    try:
        write_png(np.asarray(image), path)
    except OSError as error:
        raise OutputError(f"{path}: the picture cannot be written: {error.strerror or error}") from error


def page_of(found: dict[str, Any]) -> Any:
    """
    Lay out what ``City.explain`` gives.

    Parameters
    ----------
    found : dict
        See ``citygen.pipeline.explain.explain.explain_row``.

    Returns
    -------
    citygen.cli.layout.Page
    """
    from citygen.cli.layout import Page

    page = Page(label=11)
    page.title(
        f"{found['id']}: {found['outcome']}"
        + ("" if found["id"] == found["source_id"] else f" (in the source: {found['source_id']})")
    )
    for step in found["steps"]:
        for k, sentence in enumerate(step["said"]):
            warned = any(sentence.startswith(f"{code}:") for code in step["reasons"])
            page.fact(step["step"] if k == 0 else "", sentence, "warn" if warned else "")
    raw = found["raw"]
    page.title("Raw values")
    if not raw["read"]:
        page.fact("", raw["why"], "warn")
    page.table(("column", "value"), ((name, str(value)) for name, value in raw["tags"].items()))
    return page
