"""``citygen roofs``: the roof shapes that can be built, in a table, one by one, or for machines."""

from typing import Any

import click


@click.command("roofs")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(name: str | None, *, as_json: bool) -> None:
    """
    List the roof shapes that can be built, or show one: NAME, or another word for it.

    roof_angle_deg is the slope where the source gives neither a height nor an angle, and the bounds of an angle that it gives;
    --roof-segments gives segments; the other numbers are those that the shape is built with.
    """
    import json

    from citygen.roofs.describe import describe_all, describe_word

    found = describe_all() if name is None else describe_word(name)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        click.echo(one(found) if isinstance(found, dict) else table(found))


def table(shapes: list[dict[str, Any]]) -> str:
    """
    Put shapes in lines that fit the terminal: the name, what it is, its numbers, its other words.

    Parameters
    ----------
    shapes : list of dict
        See `citygen.roofs.describe.describe`.

    Returns
    -------
    str
        Lines without a final newline.
    """
    import shutil
    import textwrap

    from citygen.roofs.describe import amount

    left = max(len(shape["name"]) for shape in shapes) + 2
    width = max(shutil.get_terminal_size((110, 24)).columns, left + 40)
    lines: list[str] = []
    for shape in shapes:
        numbers = "; ".join(f"{number['name']} {amount(number)}" for number in shape["parameters"])
        words = ", ".join(shape["other_words"]) or "none"
        said = (shape["text"], f"{shape['family']}; {numbers}", f"also: {words}")
        body = [line for part in said for line in textwrap.wrap(part, width - left, break_on_hyphens=False)]
        lines += [f"{shape['name'] if k == 0 else '':{left}}{line}" for k, line in enumerate(body)]
    return "\n".join(lines)


def one(shape: dict[str, Any]) -> str:
    """
    Put one shape in lines that say everything.

    Parameters
    ----------
    shape : dict
        See `citygen.roofs.describe.describe`.

    Returns
    -------
    str
        Lines without a final newline.
    """
    from citygen.roofs.describe import amount

    said = {"name", "text", "parameters"}
    pairs = [(key.replace("_", " "), _worded(value)) for key, value in shape.items() if key not in said]
    pairs += [(number["name"], f"{amount(number)}: {number['text']}") for number in shape["parameters"]]
    width = max(len(key) for key, _ in pairs)
    return "\n".join([f"{shape['name']}: {shape['text']}", *(f"  {key:{width}}  {value}" for key, value in pairs)])


def _worded(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none" if isinstance(value, list) else str(value)
