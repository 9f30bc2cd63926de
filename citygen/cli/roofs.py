"""``citygen roofs``: the roof shapes that can be built, in a table, one by one, or for machines."""

from typing import Any

import click


@click.command("roofs")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(name: str | None, *, as_json: bool) -> None:
    """
    List the roof shapes that can be built, or show one: NAME, or another word for it.

    Numbers are used where the source gives none; what it gives is kept within the bounds.
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
    Put shapes in lines of aligned columns.

    Parameters
    ----------
    shapes : list of dict
        See `citygen.roofs.describe.describe`.

    Returns
    -------
    str
        Lines without a final newline.
    """
    from citygen.roofs.describe import amount

    rows = [("shape", "family", "numbers", "other words", "what it is")]
    for shape in shapes:
        numbers = "; ".join(f"{number['name']} {amount(number)}" for number in shape["parameters"])
        rows.append((shape["name"], shape["family"], numbers, ", ".join(shape["other_words"]), shape["text"]))
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    return "\n".join("  ".join([*(f"{row[k]:{widths[k]}}" for k in range(4)), row[4]]) for row in rows)


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
