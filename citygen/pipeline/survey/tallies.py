"""Batches of values to their spread and their most frequent words, in bounded memory, the same for the same rows."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import AnyArray, Float64

KEPT = 1 << 17
"""Values of a column that its median is taken of: every one up to here, then every second, every fourth ... in file order."""
WORDS = 5_000
"""Distinct words of a column that are counted; beyond, new ones are only counted together."""
SHOWN = 80
"""Characters of a word that are kept."""


class Spread:
    """
    Least, middle and greatest of many numbers.

    Attributes
    ----------
    count : int
        Numbers that were given.
    """

    def __init__(self) -> None:
        self.count = 0
        self.low, self.high = np.inf, -np.inf
        self._kept: list[Float64] = []
        self._held = 0
        self._step = 1
        self._next = 0

    def add(self, values: Float64) -> None:
        """Take (n,) numbers; NaN and infinite ones are passed over."""
        good = values[np.isfinite(values)]
        if not len(good):
            return
        self.low, self.high = min(self.low, float(good.min())), max(self.high, float(good.max()))
        first = (self._next - self.count) if self._next >= self.count else 0
        taken = good[first :: self._step]
        self._next = self.count + first + len(taken) * self._step
        self.count += len(good)
        self._kept.append(taken)
        self._held += len(taken)
        while self._held > KEPT:
            self._kept = [np.concatenate(self._kept)[::2]]
            self._held = len(self._kept[0])
            self._step *= 2
            self._next = -(-self.count // self._step) * self._step

    @property
    def median(self) -> float:
        """The middle one; of an even sample where there are many."""
        return float(np.median(np.concatenate(self._kept)))

    def values(self) -> Float64:
        """Return the numbers kept."""
        return np.concatenate(self._kept) if self._kept else np.empty(0)

    def summary(self, digits: int = 3) -> dict[str, float] | None:
        """Return min, median and max, rounded; None where nothing was given."""
        if not self.count:
            return None
        return {name: round(v, digits) for name, v in (("min", self.low), ("median", self.median), ("max", self.high))}


class Words:
    """
    How often each word of a column occurs.

    Attributes
    ----------
    counts : Counter of str
        Of the first ``WORDS`` distinct words.
    others : int
        Occurrences of words beyond those.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.others = 0

    def add(self, values: AnyArray | pa.ChunkedArray | pa.Array) -> None:
        """Take words; '' and null are passed over."""
        column = values if isinstance(values, pa.ChunkedArray | pa.Array) else pa.array(values.tolist(), pa.string())
        counted = pc.value_counts(column.drop_null())
        for item in counted.to_pylist():
            word = str(item["values"]).strip()[:SHOWN]
            if not word:
                continue
            if word in self.counts or len(self.counts) < WORDS:
                self.counts[word] += item["counts"]
            else:
                self.others += item["counts"]

    @property
    def total(self) -> int:
        """All occurrences."""
        return sum(self.counts.values()) + self.others

    def top(self, n: int) -> dict[str, int]:
        """Return the ``n`` most frequent words, equals in the order of the alphabet."""
        return dict(sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))[:n])


def share(part: int, whole: int) -> float:
    """Return a share, rounded to four digits; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0


def examples(words: Any, n: int = 3) -> list[str]:
    """Return the first few texts, cut."""
    return [str(word)[:SHOWN] for word in list(words)[:n]]
