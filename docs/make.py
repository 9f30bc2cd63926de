"""
Code to documentation: the help of every command, the tables of what is registered, the floors, and the pictures.

``python docs/make.py`` writes them, ``--check`` says which are out of date (exit 1), ``--figures`` draws the pictures
too, or those that are named.
A file or block that this script writes says so; what stands outside the marks is written by hand.
"""

import argparse
import importlib
import pkgutil
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / "benchmarks"))  # for its Markdown tables and marked blocks; nothing else is shared

import draw_options  # noqa: E402
import draw_roofs  # noqa: E402
import draw_terrain  # noqa: E402
from marked import replaced_block, table  # noqa: E402

_NOTE = "<!-- Written by docs/make.py; change the code, then run: make docs -->\n"


_REMOTE = """\
Nothing is fetched unless a URL or one of these names is given, or an area alone: `citygen build --aoi area.geojson`, with no
`citygen.toml` and outside the bundled sample, is `--buildings overture --dem copernicus-glo30`.
"""

_CACHE = """\
- **What is fetched.** Of Overture the row groups that meet the area (found by its catalogue, the files' footers and
  the bounding box column), of the one-degree tiles of Copernicus GLO-30 and of
  any GeoTIFF behind a URL the blocks that meet it. A tile that is not public or lies in the sea is
  level ground at 0, and the report says so. Areas across the antimeridian are asked for in two boxes.
- **Cache.** `--cache DIR`, else `$XDG_CACHE_HOME/citygen` or `~/.cache/citygen`. Files in it are whole or absent, and
  safe to delete. A release and area, and a tile, are asked for once; what the latest release is, once a day; a URL is
  checked (size, ETag) each time, and what the cache holds is used when the server does not answer.
- **Mirrors.** `--overture-url`, `--overture-stac`, `--copernicus-url` and `--s3-url`, or `CITYGEN_OVERTURE_URL` and
  so on: any HTTP server with the buckets' layout that serves ranges and lists keys (ListObjectsV2). Proxies are those
  of the environment.
- **Same input, same bytes.** A run's stamp holds the digests of what was fetched, not where from: `overture:RELEASE`
  names a release for good, `overture` is the latest.
- **Licences.** `report.json` names under `open_data` what was used, its licence and attribution, and for Overture the
  features by data set; they go onto what you publish. Copernicus GLO-30 is a surface model: under buildings and trees
  it lies above the ground. Its heights refer to EGM2008 (`--geoid-offset`).
"""


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
    """Return the catalogue of roof shapes: a table, then each with its picture, words and numbers."""
    from citygen.roofs.describe import amount, describe_all

    shapes = describe_all()
    *first, last = draw_roofs.outlines()
    rows = [[f"[{s['name']}](#{s['name']})", s["text"], s["family"]] for s in shapes]
    text = (
        "![The roof shapes](images/roofs.png)\n\n"
        "A shape's name and its other words are read in `roof:shape` (or the column given by `--map roof_shape=...`).\n"
        "The numbers among them are the codes of the OGC and of the German surveys. A word that is not here gives a flat\n"
        "roof, and the row says `roof_unknown`. `citygen roofs` prints this list.\n\n"
        f"The pictures show each shape on {', '.join(first)} and {last},\n"
        "with the slope that it takes where neither a height nor an angle is given.\n"
    )
    parts = [f"# Roof shapes\n\n{_NOTE}\n{text}\n{table(['shape', 'what it is', 'family'], rows)}\n"]
    for shape in shapes:
        name = shape["name"]
        words = ", ".join(f"`{word}`" for word in shape["other_words"]) or "none"
        lines = [
            f"## {name}\n",
            f"![{name} roofs](images/roofs/{name}.png)\n",
            f"{shape['text']} Other words: {words}.\n",
            *(f"- `{number['name']}`: {amount(number)}. {number['text']}" for number in shape["parameters"]),
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join([*parts, draw_options.features(), draw_options.overhangs()])


def inputs() -> str:
    """Return the tables of formats that are read, attribute keys, dialects and height rules."""
    from citygen.attributes.dialect import DIALECTS
    from citygen.attributes.keys import KEYS
    from citygen.attributes.rule import rules_in_order
    from citygen.attributes.storeys import COUNTRIES
    from citygen.ground.remote import REMOTE_DEMS
    from citygen.sources.base import REMOTES, SOURCES

    sources = [[f"`{name}`", SOURCES[name].text] for name in SOURCES.names()]
    remotes = [[f"`{name}`", REMOTES[name].text] for name in REMOTES.names()]
    dems = [[f"`{name}`", REMOTE_DEMS[name].text] for name in REMOTE_DEMS.names()]
    keys = [
        [f"`{key.name}`", key.text, key.kind, _bounds(key), ", ".join(f"`{word}`" for word in key.aliases)]
        for key in KEYS.values()
    ]
    dialects = []
    for dialect in DIALECTS:
        columns = [f"{key}: {', '.join(f'`{c.name}`' for c in found)}" for key, found in dialect.columns.items()]
        dialects.append([f"`{dialect.name}`", dialect.text, "; ".join(columns)])
    rules = [[str(k), f"`{rule.name}`", rule.text, rule.sigma] for k, rule in enumerate(rules_in_order(), 1)]
    storeys = [[f"`{code.upper()}`", f"{metres:g} m", source] for code, (metres, source) in sorted(COUNTRIES.items())]
    parts = [
        f"# Inputs\n\n{_NOTE}",
        "## Footprints\n\nThe content of a file decides its format, not its name.\n",
        f"{table(['format', 'what it is'], sources)}\n",
        "A folder of GeoParquet files is one source: files of a partitioned data set, or simply files that belong together. Below\n"
        "partitions `type=...`, as a release of Overture has them, buildings and their parts are read.\n",
        f"## Remote data\n\n{_REMOTE}",
        f"{table(['--buildings', 'what it is'], remotes)}\n",
        f"{table(['--dem', 'what it is'], dems)}\n",
        _CACHE,
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
        "## Heights\n\nThe rules run in this order; `height_from` names the one that decided, `height_sigma_m` is how sure it is\n"
        "(one standard deviation). More in [heights](heights.md).\n",
        f"{table(['', 'rule', 'what it takes', 'uncertainty'], rules)}\n",
        "## Storeys\n\nA storey of a dwelling is 3 m, or what its country's building law makes it (`addr:country`,\n"
        "`--map country=...`, `--country XX`); other building types scale with it, and `--storey-height` stands above both.\n",
        f"{table(['country', 'storey', 'from'], storeys)}\n",
    ]
    return "\n".join(parts)


def floors() -> str:
    """Return the floors as import-linter checks them, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return "```text\n" + "\n".join(layers) + "\n```"


def dem_formats() -> str:
    """Return what a DEM may be on this machine."""
    from citygen.ground.rasterfile import FORMATS

    return table(["what", "recognised", "to know"], [list(row) for row in FORMATS])


def ground_findings() -> str:
    """Return the reason codes about the ground."""
    from citygen.outcome import known_reasons

    load_everything()
    found = [r for r in known_reasons() if r.code.startswith("ground_")]
    return table(["code", "outcome", "meaning"], [[f"`{r.code}`", r.outcome, r.sentence] for r in found])


def control_points() -> str:
    """Return where the self-test looks."""
    from citygen.pipeline.placement import CONTROL

    return table(["place", "CRS of the footprints"], [[name, f"`{crs}`"] for name, crs, _, _ in CONTROL])


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

BLOCKS: dict[tuple[str, str], Callable[[], str]] = {
    ("architecture.md", "floors"): floors,
    ("ground.md", "formats"): dem_formats,
    ("ground.md", "findings"): ground_findings,
    ("ground.md", "control"): control_points,
}
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


def draw_explain(path: Path) -> None:
    """Draw one house of the bundled sample, as ``citygen explain --picture`` does."""
    import citygen
    from citygen.sample import bundled_sample

    town = bundled_sample()
    city = citygen.build(town.buildings, dem=town.dem, aoi=town.aoi)
    picture = city.portrait("way/1002866")
    if picture is not None:
        picture.save(path, optimize=True)


def figures() -> dict[str, Callable[[Path], None]]:
    """Return what draws each picture below docs/images/: a strip a registered roof shape, and those of ``FIGURES``."""
    from citygen.roofs.base import ROOFS

    return FIGURES | {f"roofs/{name}.png": partial(draw_roofs.strip, name) for name in ROOFS.names()}


FIGURES: dict[str, Callable[[Path], None]] = {
    "sample.png": draw_sample,
    "explain.png": draw_explain,
    "roofs.png": draw_roofs.sheet,
    "roof-features.png": draw_options.draw_features,
    "roof-overhangs.png": draw_options.draw_overhangs,
    "terrain.png": draw_terrain.draw_terrain,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is out of date")
    parser.add_argument(
        "--figures", nargs="*", metavar="NAME", help="draw the pictures too: all, or those named (roofs/gabled.png)"
    )
    given = parser.parse_args()
    stale = []
    for path, text in texts().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not given.check:
                path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'out of date (run: make docs)' if given.check else 'wrote'}: {path.relative_to(ROOT)}")
    if given.figures is not None:
        known = figures()
        for name in given.figures or known:
            known[name](DOCS / "images" / name)
            print(f"drew: docs/images/{name}")
    return 1 if given.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
