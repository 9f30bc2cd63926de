"""Documentation that runs: commands, notebook, generated pages, links; what it says of the code is what the code says."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "data" / "sample" / "README.md"])
README = (ROOT / "README.md").read_text(encoding="utf-8")
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
NOT_OURS = {"--no-cache-dir"}


def environment() -> dict[str, str]:
    """Return the variables of a shell in which this Python's ``citygen`` comes first, and no option is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CITYGEN_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"}


def shell(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment(), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def blocks(text: str, language: str) -> list[tuple[bool, str]]:
    """Return (marked to be run, code) of each block of a language."""
    pattern = re.compile(rf"(<!-- run -->\n)?^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [(bool(found[1]), found[2]) for found in pattern.finditer(text)]


def help_text(*words: str) -> str:
    from click.testing import CliRunner

    from citygen.cli import app

    return CliRunner().invoke(app, [*words, "--help"], prog_name="citygen", terminal_width=100).output


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/make.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_commands_run(tmp_path: Path) -> None:
    marked = [code for run, code in blocks(README, "bash") if run]
    assert len(marked) == 1, "the commands to start with are one block"
    printed = shell(marked[0], tmp_path)
    assert "footprints:" in printed
    city = tmp_path / "city"
    for name in ("tileset.json", "buildings.parquet", "report.json", "preview.png"):
        assert (city / name).is_file(), name
    report = json.loads((city / "report.json").read_text(encoding="utf-8"))
    words = {3: "three"}
    assert f"{words[report['outcomes']['rejected']]} footprints that cannot be built" in " ".join(README.split())


def test_the_readme_python_runs(tmp_path: Path) -> None:
    from citygen.sample import bundled_sample

    town = bundled_sample()
    shutil.copy(town.dem, tmp_path / "dem.tif")
    ((_, code),) = blocks(README, "python")
    script = f"footprints = {str(town.buildings)!r}\n{code}\nassert city.mesh('way/1002978').is_volume\n"
    (tmp_path / "start.py").write_text(script, encoding="utf-8")
    shell("python start.py", tmp_path)
    assert (tmp_path / "city" / "tileset.json").is_file()


def test_every_option_in_the_readme_exists() -> None:
    known = set(
        re.findall(
            r"--[a-z][a-z-]+", "".join(map(help_text, ("build", "explain", "inspect", "roofs", "sample", "validate")))
        )
    )
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - NOT_OURS
    assert used, "the README shows options"
    assert used <= known, f"not options of citygen: {sorted(used - known)}"


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z][a-z-]*)(?=  |`)", README))
    assert {"demo", "test", "test-all", "check", "bench"} <= used
    assert used <= targets, f"not targets: {sorted(used - targets)}"


def test_the_readme_lists_every_column_once() -> None:
    from citygen.catalogue.records import SCHEMA

    table = README.split("| column | meaning |")[1].split("\n\n")[0]
    listed = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(listed) == sorted(SCHEMA.names)


def test_the_readme_lists_what_height_from_can_be() -> None:
    from citygen.attributes.read import FROM_OUTLINE
    from citygen.attributes.rule import rules_in_order

    (line,) = [line for line in README.splitlines() if line.startswith("| `height_m`, `height_from`")]
    assert re.findall(r"`(\w+)`", line.split("|")[2]) == [*(rule.name for rule in rules_in_order()), FROM_OUTLINE]


def test_the_floors_in_the_architecture_are_those_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = project["tool"]["importlinter"]["contracts"]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- floors:start -->\n```text\n(.*?)\n```\n<!-- floors:end -->", text, re.DOTALL)
    assert shown is not None
    assert shown[1].splitlines() == contract["layers"]
    rooms = {name for floor in contract["layers"] for name in re.split(r" [|:] ", floor)}
    on_disk = {
        path.stem for path in (ROOT / "citygen").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms == on_disk - {"__init__", "__main__"}


@pytest.mark.parametrize(
    "room", ["roofs/shapes", "roofs/families", "attributes/dialects", "attributes/rules", "tiling"]
)
def test_the_architecture_names_the_folders_that_registries_read(room: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"`citygen/{room}/`" in text
    assert (ROOT / "citygen" / room / "__init__.py").is_file()


def test_the_gable_in_the_architecture_is_the_gable() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    code = (ROOT / "citygen" / "roofs" / "shapes" / "gabled.py").read_text(encoding="utf-8")
    ((_, shown),) = blocks(text, "python")

    def bare(source: str) -> str:
        return re.sub(r"#.*|\s+|,(?=\s*\))", "", source)

    assert bare(shown).replace(",)", ")") in bare(re.sub(r",(?=\s*\))", "", code)).replace(",)", ")")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, f"{page.name}: {target}"


def test_pictures_are_small_enough_to_load() -> None:
    pictures = list((ROOT / "docs" / "images").glob("*.png"))
    assert {path.name for path in pictures} >= {"sample.png", "roofs.png", "roof-features.png"}
    assert all(10_000 < path.stat().st_size < 700_000 for path in pictures)


def test_every_roof_shape_has_its_picture_and_no_picture_is_left_over() -> None:
    from PIL import Image

    from citygen.roofs.base import ROOFS

    folder = ROOT / "docs" / "images" / "roofs"
    drawn = {path.stem for path in folder.glob("*")}
    assert drawn == set(ROOFS.names()), "run: make docs-figures, or remove what is no shape any more"
    for path in folder.iterdir():
        with Image.open(path) as picture:
            assert picture.size == (1400, 260), path.name
        assert path.stat().st_size < 60_000, path.name


def test_the_catalogue_shows_every_word_and_number_of_every_shape() -> None:
    from citygen.roofs.describe import describe_all

    page = (ROOT / "docs" / "roofs.md").read_text(encoding="utf-8")
    for shape in describe_all():
        (section,) = re.findall(rf"^## {shape['name']}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
        assert f"images/roofs/{shape['name']}.png" in section
        for told in (shape["text"], *(f"`{word}`" for word in shape["other_words"])):
            assert told in section
        for number in shape["parameters"]:
            assert f"`{number['name']}`: {number['default']:g}" in section


@pytest.mark.slow
def test_a_picture_of_a_shape_is_drawn_from_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    from PIL import Image

    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import draw_roofs

    seen = []
    for shape in ("flat", "gabled"):
        draw_roofs.strip(shape, tmp_path / f"{shape}.png")
        with Image.open(tmp_path / f"{shape}.png") as picture:
            seen.append(np.asarray(picture.convert("RGB")).astype(int))
    for image in seen:
        tiles = (image[..., 0] - image[..., 2] > 60).any(axis=0)
        assert 0.6 < tiles.mean() < 0.95, "seven roofs, with room between them"
    assert np.abs(seen[0] - seen[1]).mean() > 2, "a gable is not flat"


def test_the_notebook_runs(tmp_path: Path) -> None:
    import nbclient
    import nbformat

    notebook = nbformat.read(ROOT / "docs" / "quickstart.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells), "keep it without outputs"
    nbclient.NotebookClient(notebook, timeout=90, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = {kind for cell in cells for output in cell.outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
    (volume,) = [cell for cell in cells if "is_volume" in cell.source]
    closed, of_mesh, of_row = re.findall(r"True|False|[\d.]+(?=\)|,|$)", volume.outputs[0]["data"]["text/plain"])
    assert closed == "True"
    assert float(of_mesh) == pytest.approx(float(of_row), rel=1e-3)


def test_the_licence_is_the_apache_licence() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2


def test_the_changelog_knows_this_version() -> None:
    from citygen.version import __version__

    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
