"""``citygen validate``: a folder, a tileset or a tile to a list of issues and an exit code."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from citygen.validation import Report
    from citygen.validation.issues import Issue


@click.command("validate")
@click.argument("out", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(ctx: click.Context, out: Path, *, as_json: bool) -> None:
    """
    Check OUT against the specifications and citygen's promises.

    OUT is a folder that `citygen build` wrote, a tileset.json, or a .glb or .gltf file.

    Exit code 0: no error; 1: errors.
    """
    from citygen.validation import check_glb, check_output, check_tileset

    report: Report | None = None
    if out.is_dir():
        report = check_output(out)
        issues = list(report.issues)
    elif out.suffix.lower() in {".glb", ".gltf"}:
        issues = check_glb(out)
    else:
        issues = check_tileset(out)
    click.echo(_json(out, report, issues) if as_json else _table(out, report, issues))
    ctx.exit(1 if any(issue.severity == "error" for issue in issues) else 0)


def _counts(report: "Report | None", issues: "list[Issue]") -> dict[str, int]:
    errors = sum(issue.severity == "error" for issue in issues)
    counts = {"errors": errors, "warnings": len(issues) - errors}
    if report is not None:
        counts |= {
            "tiles": report.tiles,
            "features": report.features,
            "triangles": report.triangles,
            "buildings": report.buildings,
        }
    return counts


def _json(out: Path, report: "Report | None", issues: "list[Issue]") -> str:
    import dataclasses
    import json

    body = {
        "path": str(out),
        **_counts(report, issues),
        "outcomes": {} if report is None else report.outcomes,
        "issues": [dataclasses.asdict(issue) for issue in issues],
    }
    return json.dumps(body, indent=2)


def _table(out: Path, report: "Report | None", issues: "list[Issue]") -> str:
    rows = [(issue.severity, issue.code, issue.path or "/", issue.message) for issue in issues]
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(3)]
    lines = [
        f"{severity:{widths[0]}}  {code:{widths[1]}}  {path:{widths[2]}}  {message}"
        for severity, code, path, message in rows
    ]
    lines.append(f"{out}: " + ", ".join(f"{count} {what}" for what, count in _counts(report, issues).items()))
    return "\n".join(lines)
