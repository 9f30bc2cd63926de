"""A Markdown file and fresh figures to the file with the figures in it, between two marks that name them."""

import re
from pathlib import Path


def replaced_block(text: str, name: str, body: str, where: str) -> str:
    """
    Put text between ``<!-- name:start -->`` and ``<!-- name:end -->``.

    Parameters
    ----------
    text : str
        Markdown that holds both marks once.
    name : str
        Of the block.
    body : str
        What stands there afterwards.
    where : str
        Named in the error.

    Returns
    -------
    str
        The Markdown with the block in it.

    Raises
    ------
    ValueError
        When the marks are missing or not unique.
    """
    pattern = re.compile(rf"(<!-- {re.escape(name)}:start -->\n).*?(<!-- {re.escape(name)}:end -->)", re.DOTALL)
    fresh, count = pattern.subn(lambda found: f"{found[1]}{body.strip()}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"{where}: {count} blocks are marked {name!r}, not one")
    return fresh


def replace_block(path: Path, name: str, body: str) -> None:
    """Do the same in a file."""
    text = path.read_text(encoding="utf-8")
    path.write_text(replaced_block(text, name, body, path.name), encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    """Describe this machine in a few words: cores, processor, system, Python."""
    import os
    import platform

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
        name = found[1].strip() if found else name
    return f"{os.cpu_count()} cores of {name}, {platform.system()}, Python {platform.python_version()}"
