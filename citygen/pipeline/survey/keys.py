"""Rows to how well they cover the canonical attributes, and what a build would make of that: heights by rule, roofs by shape."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Bool, Float64
from citygen.attributes.options import AttributeOptions
from citygen.attributes.read import read_attributes
from citygen.attributes.trace import read_keys
from citygen.pipeline.survey.tallies import SHOWN, Spread, Words, share
from citygen.roofs.words import shape_of

TOP = 12
"""Words of a key that are listed."""
GUESS, NOT_GIVEN = "default", "not given"
"""The height rule that guesses, and what its rows are counted as: what a build makes of them it finds from all others."""


class KeyTally:
    """
    What the rows of a source say of one key.

    Attributes
    ----------
    name, kind : str
        The key, and how its values are read.
    columns : tuple of str
        Asked, in their order.
    given, zero, unreadable : int
        Rows with a usable value, with only a zero that stands for 'not known', with a value that could not be used.
    """

    def __init__(self, name: str, kind: str, columns: tuple[str, ...]) -> None:
        self.name, self.kind, self.columns = name, kind, columns
        self.given = self.zero = self.unreadable = 0
        self.raw: list[str] = []
        self.spread, self.words = Spread(), Words()

    def unread(self, texts: Iterable[str]) -> None:
        """Count raw values that could not be used; keep the first few different ones."""
        for text in texts:
            self.unreadable += 1
            if len(self.raw) < 5 and text[:SHOWN] not in self.raw:
                self.raw.append(text[:SHOWN])

    def summary(self, rows: int) -> dict[str, Any]:
        """Return the counts as JSON can hold them."""
        number = self.kind not in {"word", "text", "flag", "colour"}
        return {
            "key": self.name,
            "columns": list(self.columns),
            "given": self.given,
            "share": share(self.given, rows),
            "zero": self.zero,
            "unreadable": self.unreadable,
            "examples": self.raw,
            "range": self.spread.summary() if number else None,
            "words": self.words.top(TOP) if self.kind in {"word", "flag"} else None,
        }


class Coverage:
    """
    Counts over the rows of a source.

    Parameters
    ----------
    dialect : str
        Of the source.
    options : AttributeOptions
        The user's.

    Attributes
    ----------
    keys : dict of str to KeyTally
        Keys that the source has a column for.
    rows, parts : int
        Rows counted, and those of them that are building parts.
    heights, findings : Counter of str
        Rows by the rule that gives their height, ``NOT_GIVEN`` where none does, and by reason code.
    """

    def __init__(self, dialect: str, options: AttributeOptions) -> None:
        self.dialect, self.options = dialect, options
        self.keys: dict[str, KeyTally] = {}
        self.rows = self.parts = 0
        self.heights: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self.roofs = Words()

    def add(self, table: pa.Table, area_m2: Float64, build: Bool) -> None:
        """
        Count a batch.

        Parameters
        ----------
        table : pyarrow.Table
            n rows, raw columns and the own column ``dialect``.
        area_m2 : (n,) float64
            Floor areas.
        build : (n,) bool
            Rows of which something would be built.
        """
        self.rows += table.num_rows
        for name, found in read_keys(table, self.dialect, self.options.column_map).items():
            tally = self.keys.setdefault(
                name, KeyTally(name, found.key.kind, tuple(" less ".join(names) for names in found.columns))
            )
            tally.given += int(found.given.sum())
            tally.zero += int(found.zero.sum())
            tally.unread(found.unread[found.unread != ""].tolist())
            if found.numbers is not None:
                tally.spread.add(found.numbers)
            elif found.words is not None:
                tally.words.add(found.words)
        if not build.any():
            return
        kept = table.filter(pa.array(build))
        attributes, findings = read_attributes(kept, area_m2[build], self.options)
        self.parts += int(attributes.is_part.sum())
        given = dict(zip(*_counted(attributes.height_from), strict=True))
        self.heights.update({NOT_GIVEN if name == GUESS else name: n for name, n in given.items()})
        self.roofs.add(attributes.roof_shape)
        for finding in findings:
            self.findings[finding.code] += len(finding.rows)

    def asked_roofs(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return rows by known roof shape, and by word that is no shape's."""
        known: Counter[str] = Counter()
        strange: Counter[str] = Counter()
        for word, count in self.roofs.counts.items():
            name = shape_of(word)[0]
            (strange if name is None else known)[name or word] += count
        return _sorted(known), dict(list(_sorted(strange).items())[:TOP])

    def shares(self) -> dict[str, float]:
        """Return the share of rows that give each key."""
        return {name: share(tally.given, self.rows) for name, tally in self.keys.items()}


def _counted(words: Any) -> tuple[list[str], list[int]]:
    names, counts = np.unique(words.astype(str), return_counts=True)
    return names.tolist(), counts.tolist()


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
