"""A Markdown file and fresh figures to the file with the figures in it, between two marks that name them."""

import re
from pathlib import Path


def replace_block(path: Path, name: str, body: str) -> bool:
    """
    Put text between ``<!-- name:start -->`` and ``<!-- name:end -->``.

    Parameters
    ----------
    path : pathlib.Path
        A Markdown file that holds both marks once.
    name : str
        Of the block.
    body : str
        What stands there afterwards.

    Returns
    -------
    bool
        Whether the file changed.

    Raises
    ------
    ValueError
        When the marks are missing or not unique.
    """
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {re.escape(name)}:start -->\n).*?(<!-- {re.escape(name)}:end -->)", re.DOTALL)
    fresh, count = pattern.subn(lambda found: f"{found[1]}{body.strip()}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"{path}: {count} blocks are marked {name!r}, not one")
    if fresh == text:
        return False
    path.write_text(fresh, encoding="utf-8")
    return True


def block(path: Path, name: str) -> str:
    """Return what stands between the marks."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {re.escape(name)}:start -->\n(.*?)<!-- {re.escape(name)}:end -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{path}: no block is marked {name!r}")
    return found[1].strip()


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
