"""
Code to documentation: the help of every command, the tables of what is registered, the floors, and the pictures.

``python docs/make.py`` writes them, ``--check`` says which are out of date (exit 1), ``--figures`` draws the pictures too.
A file or block that this script writes says so; what stands outside the marks is written by hand.
"""

import argparse
import importlib
import pkgutil
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "benchmarks"))  # for its Markdown tables and marked blocks; nothing else is shared

from marked import replaced_block, table  # noqa: E402

_NOTE = "<!-- Written by docs/make.py; change the code, then run: make docs -->\n"


def cli() -> str:
    """Return the help of every command, as a terminal of 100 columns shows it."""
    from click.testing import CliRunner

    from citygen.cli import COMMANDS, app

    parts = [f"# The command line\n\n{_NOTE}"]
    for words in ((), *((name,) for name in COMMANDS)):
        shown = CliRunner().invoke(app, [*words, "--help"], prog_name="citygen", terminal_width=100)
        title = " ".join(("citygen", *words))
        parts.append(f"## {title}\n\n```text\n{shown.output.rstrip()}\n```\n")
    return "\n".join(parts)


def reasons() -> str:
    """Return the table of all reason codes."""
    from citygen.outcome import OUTCOMES, known_reasons

    load_everything()
    rows = [
        [f"`{r.code}`", r.outcome, r.sentence]
        for outcome in reversed(OUTCOMES)
        for r in known_reasons()
        if r.outcome == outcome
    ]
    text = (
        "Every footprint has one row in `buildings.parquet`, with an `outcome` and the codes that led to it in `reasons`\n"
        "(and, in the same order, `details`: the raw value, a number with its unit). `rejected`: nothing was built.\n"
        "`degraded`: built, with a fallback or a repair. `ok` here marks a note that does not change the outcome.\n"
        "The codes are stable: filter on them.\n"
    )
    return f"# Reason codes\n\n{_NOTE}\n{text}\n{table(['code', 'outcome', 'meaning'], rows)}\n"


def roofs() -> str:
    """Return the table of roof shapes."""
    from citygen.roofs.base import ROOFS

    rows = [
        [
            f"`{shape.name}`",
            shape.text,
            ", ".join(f"`{word}`" for word in ROOFS.aliases(shape.name)),
            shape.family,
            f"{shape.pitch.default:g} ({shape.pitch.low:g} to {shape.pitch.high:g})",
        ]
        for shape in ROOFS
    ]
    text = (
        f"![The roof shapes](images/roofs.png)\n\nFrom left to right: {', '.join(ROOFS.names())}; on a rectangle, on an L\n"
        "and around a courtyard.\n\n"
        "A shape's name and its other words are read in `roof:shape` (or the column given by `--map roof_shape=...`).\n"
        "The numbers are the codes of the OGC and of the German surveys. Slope: where neither height nor angle is given, in\n"
        "degrees, and the bounds of what is taken. A word that is not here gives a flat roof, and the row says `roof_unknown`.\n"
    )
    head = ["shape", "what it is", "other words", "family", "slope"]
    return f"# Roof shapes\n\n{_NOTE}\n{text}\n{table(head, rows)}\n"


def inputs() -> str:
    """Return the tables of formats that are read, attribute keys, dialects and height rules."""
    from citygen.attributes.dialect import DIALECTS
    from citygen.attributes.keys import KEYS
    from citygen.attributes.rule import rules_in_order
    from citygen.sources.base import SOURCES

    sources = [[f"`{name}`", SOURCES[name].text] for name in SOURCES.names()]
    keys = [
        [f"`{key.name}`", key.text, key.kind, _bounds(key), ", ".join(f"`{word}`" for word in key.aliases)]
        for key in KEYS.values()
    ]
    dialects = []
    for dialect in DIALECTS:
        columns = [f"{key}: {', '.join(f'`{c.name}`' for c in found)}" for key, found in dialect.columns.items()]
        dialects.append([f"`{dialect.name}`", dialect.text, "; ".join(columns)])
    rules = [[str(k), f"`{rule.name}`", rule.text] for k, rule in enumerate(rules_in_order(), 1)]
    parts = [
        f"# Inputs\n\n{_NOTE}",
        "## Footprints\n\nThe content of a file decides its format, not its name.\n",
        f"{table(['format', 'what it is'], sources)}\n",
        "## Attributes\n\n`--map KEY=COLUMN` names a source's own column for a key. A value outside the bounds counts as not\n"
        "given, and the row says so.\n",
        f"{table(['key', 'meaning', 'kind', 'bounds', 'other spellings'], keys)}\n",
        "## Roof lines\n\nRidges, edges (hips, valleys) and apexes that are drawn stand above the roof's shape. A building's row\n"
        "may hold them as WKT in the source's CRS (`LINESTRING`, `MULTILINESTRING`, `POINT`, `MULTIPOINT`); or they are lines and\n"
        "points of their own, marked `yes`, and belong to the part or else the outline around their middle. Such a line has its\n"
        "own row in `buildings.parquet`, with `roof_line_used`. Ridges and apexes are as high as the roof, the outline is at its\n"
        "eave, edges run from one to the other; ends within 0.4 m of a wall or line are moved onto it. A ridge that ends before\n"
        "a wall gets hips; an edge that ends amid a wall makes a half hip.\n",
        "## Dialects\n\nA dialect says which columns hold which key. It is recognised by the columns, or named with `--dialect`.\n",
        f"{table(['dialect', 'what it is', 'columns, the first readable one wins'], dialects)}\n",
        "## Heights\n\nThe rules run in this order; `height_from` names the one that decided.\n",
        f"{table(['', 'rule', 'what it takes'], rules)}\n",
    ]
    return "\n".join(parts)


def floors() -> str:
    """Return the floors as import-linter checks them, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return "```text\n" + "\n".join(layers) + "\n```"


def _bounds(key: object) -> str:
    """Say what a number may be; words have their choices."""
    kind, choices, low, high = (getattr(key, name) for name in ("kind", "choices", "low", "high"))
    if kind in {"length", "count", "angle", "bearing"}:
        unit = {"length": " m", "count": "", "angle": "°", "bearing": "°"}[kind]
        return f"{low:g} to {high:g}{unit}"
    return ", ".join(choices)


def load_everything() -> None:
    """Import every module, so that all that registers itself has done so."""
    import citygen

    for module in pkgutil.walk_packages(citygen.__path__, "citygen."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli,
    "reasons.md": reasons,
    "roofs.md": roofs,
    "inputs.md": inputs,
}
"""Whole files below docs/."""

BLOCKS: dict[tuple[str, str], Callable[[], str]] = {("architecture.md", "floors"): floors}
"""Parts of files that are written by hand, between marks."""


def texts() -> dict[Path, str]:
    """Return every file as it ought to be."""
    wanted = {DOCS / name: make() for name, make in PAGES.items()}
    for (name, block), make in BLOCKS.items():
        path = DOCS / name
        before = wanted.get(path) or path.read_text(encoding="utf-8")
        wanted[path] = replaced_block(before, block, make(), path.name)
    return wanted


def draw_sample(path: Path) -> None:
    """Draw the bundled sample."""
    import citygen
    from citygen.sample import bundled_sample

    town = bundled_sample()
    citygen.build(town.buildings, dem=town.dem, aoi=town.aoi).plot(size=(1280, 800)).save(path, optimize=True)


def draw_roofs(path: Path) -> None:
    """Draw each roof shape on a rectangle, on an L and around a courtyard, seen towards its gable."""
    import geopandas as gpd
    import shapely
    from shapely.affinity import translate

    import citygen
    from citygen.pipeline.picture import city_scene
    from citygen.preview.camera import Camera
    from citygen.preview.scene import render, write_png
    from citygen.roofs.base import ROOFS

    box = shapely.box
    outlines = [box(0, 0, 10, 15), box(0, 0, 14, 16) - box(8, 7, 14, 16), box(0, 0, 15, 18) - box(4, 6, 10, 12)]
    rows = [
        {
            "id": f"{shape}-{k}",
            "height": 8.0,
            "roof_shape": shape,
            "roof_height": None if shape == "flat" else 3.5,
            "roof_direction": 90.0,
            "roof_colour": "#b5654a",
            "wall_colour": "#e6ddcc",
            "geometry": translate(outline, 500_000 + 21 * column, 5_150_000 - 26 * k),
        }
        for column, shape in enumerate(ROOFS.names())
        for k, outline in enumerate(outlines)
    ]
    frame = gpd.GeoDataFrame(rows, crs="EPSG:32631")
    with tempfile.TemporaryDirectory() as scratch:
        city = citygen.build(frame, ground_z=0.0, out=Path(scratch) / "roofs", crs="EPSG:32631")
        scene = city_scene(city.out, list(city.entries.values()), city.report["crs"], None)
        write_png(render(scene, camera=Camera(azimuth_deg=-12, elevation_deg=32, zoom=0.94), size=(1400, 640)), path)


FIGURES: dict[str, Callable[[Path], None]] = {"sample.png": draw_sample, "roofs.png": draw_roofs}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is out of date")
    parser.add_argument("--figures", action="store_true", help="draw the pictures too")
    given = parser.parse_args()
    stale = []
    for path, text in texts().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not given.check:
                path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'out of date (run: make docs)' if given.check else 'wrote'}: {path.relative_to(ROOT)}")
    if given.figures:
        (DOCS / "images").mkdir(exist_ok=True)
        for name, draw in FIGURES.items():
            draw(DOCS / "images" / name)
            print(f"drew: docs/images/{name}")
    return 1 if given.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
