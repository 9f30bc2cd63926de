"""Titles, facts and tables to lines that fit the terminal: coloured on one, plain text elsewhere. No other place lays out."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence

import click

WIDEST, NARROWEST = 100, 72
_STYLES = {
    "title": {"bold": True, "fg": "cyan"},
    "label": {"dim": True},
    "head": {"dim": True},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red"},
}
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "�")


class Page:
    """
    Lines in the making.

    Parameters
    ----------
    label : int
        Columns that the labels of facts take.
    width : int, optional
        Columns in all; the terminal's, between 72 and 100.
    """

    def __init__(self, label: int = 13, width: int | None = None) -> None:
        columns = width or shutil.get_terminal_size((WIDEST, 24)).columns
        self.width = min(WIDEST, max(NARROWEST, columns))
        self.label = label
        self.lines: list[list[tuple[str, str]]] = []

    def title(self, text: str) -> None:
        """Add a title, with an empty line before it."""
        if self.lines:
            self.lines.append([])
        self.lines += [[(line, "title")] for line in self._wrapped(text, 0)]

    def fact(self, label: str, text: str, style: str = "") -> None:
        """Add a fact: its label, and what it is, wrapped beside it; nothing for an empty text."""
        for k, line in enumerate(self._wrapped(text, self.label + 2)):
            shown = label if k == 0 else ""
            self.lines.append([(f"  {shown:{self.label}}", "label"), (line, style)])

    def facts(self, label: str, texts: Iterable[str], style: str = "") -> None:
        """Add several facts under one label."""
        for k, text in enumerate(texts):
            self.fact(label if k == 0 else "", text, style)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], *, right: str = "") -> None:
        """
        Add a table, indented.

        Parameters
        ----------
        head : sequence of str
            Names of the columns.
        rows : iterable of sequences of str
            Cells; the last column is cut where the line is too long.
        right : str
            One letter a column, ``r`` for those that are aligned to the right.
        """
        body = [[clean(cell) for cell in row] for row in rows]
        if not body:
            return
        widths = [max(len(row[k]) for row in (head, *body)) for k in range(len(head))]
        self._shrink(widths)
        for style, row in (("head", list(head)), *(("", row) for row in body)):
            cells = []
            for k, cell in enumerate(row):
                text = cell if len(cell) <= widths[k] else cell[: widths[k] - 1] + "…"
                cells.append(f"{text:>{widths[k]}}" if right[k : k + 1] == "r" else f"{text:{widths[k]}}")
            self.lines.append([("  " + "  ".join(cells).rstrip(), style)])

    def _shrink(self, widths: list[int]) -> None:
        """Narrow the widest columns until a row fits."""
        room = self.width - 2 - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > 8:
            widths[widths.index(max(widths))] -= 1

    def gap(self) -> None:
        """Add an empty line."""
        self.lines.append([])

    def _wrapped(self, text: str, indent: int) -> list[str]:
        return textwrap.wrap(clean(text), self.width - indent, break_on_hyphens=False, break_long_words=False)

    def show(self) -> None:
        """Print the page: with colours on a terminal, as plain text otherwise."""
        for line in self.lines:
            click.echo("".join(click.style(text, **_STYLES[style]) if style else text for text, style in line).rstrip())  # type: ignore[arg-type]

    def text(self) -> str:
        """Return the page as plain text."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines)


def clean(text: str) -> str:
    """Return a text without control characters: values of a file are shown, never obeyed by the terminal."""
    return str(text).translate(_CONTROL)


def number(value: float | None) -> str:
    """
    Write a number short.

    Examples
    --------
    >>> number(1234567), number(0.12345), number(12.0), number(None)
    ('1,234,567', '0.123', '12', '-')
    """
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.3g}" if abs(value) < 100 else f"{value:,.1f}"


def percent(share: float) -> str:
    """
    Write a share.

    Examples
    --------
    >>> percent(1.0), percent(0.004), percent(0.25), percent(0)
    ('100 %', '0.4 %', '25 %', '0 %')
    """
    if 0 < share < 0.01 or 0.99 < share < 1:
        return f"{share * 100:.1f} %"
    return f"{share:.0%}".replace("%", " %")


def listed(counts: dict[str, int], most: int = 8) -> str:
    """
    Write counts in a line.

    Examples
    --------
    >>> listed({"gabled": 12, "flat": 3})
    'gabled 12, flat 3'
    """
    items = [f"{name} {n:,}" for name, n in list(counts.items())[:most]]
    return ", ".join(items) + (f", ... {len(counts) - most} more" if len(counts) > most else "")
