"""
What became of a building: outcomes, reason codes, and how findings of many stages become one verdict a row.

A stage never raises for one bad building. It returns its result and a list of ``Finding``; ``verdicts`` merges the
findings of all stages into one outcome and one list of reasons per row (DESIGN, promise 1).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from citygen.arraytypes import Int64, Objects

Outcome = Literal["ok", "degraded", "rejected"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "degraded", "rejected")
"""In order of severity: the index is the code that arrays carry."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason code: what it does to the outcome, and one sentence for people."""

    code: str
    outcome: Outcome
    sentence: str


_REASONS: dict[str, Reason] = {}


def reason(code: str, outcome: Outcome, sentence: str) -> str:
    """
    Declare a reason code (once, beside the code that gives it) and return it.

    Parameters
    ----------
    code : str
        snake_case, stable: users filter on it.
    outcome : {'ok', 'degraded', 'rejected'}
        'ok' marks a note that does not change the verdict.
    sentence : str
        What it means, for reports and documentation.

    Returns
    -------
    str
        The code.

    Raises
    ------
    ValueError
        When the code is taken with another meaning.
    """
    entry = Reason(code, outcome, sentence)
    if _REASONS.get(code, entry) != entry:
        raise ValueError(f"reason code {code!r} is already declared as {_REASONS[code]}")
    _REASONS[code] = entry
    return code


def known_reasons() -> tuple[Reason, ...]:
    """Return every declared reason, sorted by code."""
    return tuple(_REASONS[code] for code in sorted(_REASONS))


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One reason for some rows of the table that a stage was given.

    Attributes
    ----------
    rows : (k,) int64
        Row numbers in the stage's table; a row may occur in many findings.
    code : str
        A declared reason code.
    details : sequence of str or None
        One short text a row (the raw value, a number with its unit), or None. Untrusted text.
    """

    rows: Int64
    code: str
    details: Sequence[str] | None = None


def verdicts(n_rows: int, findings: Iterable[Finding]) -> tuple[Objects, Objects, Objects]:
    """
    Merge findings into one verdict a row.

    Parameters
    ----------
    n_rows : int
        Rows of the table.
    findings : iterable of Finding
        From all stages, in their order.

    Returns
    -------
    outcome : (n_rows,) object of str
        The worst outcome among a row's reasons; 'ok' without any.
    reasons : (n_rows,) object of list of str
        Codes in the order found, each once a row.
    details : (n_rows,) object of list of str
        Parallel to ``reasons``; '' where a finding gave none.

    Raises
    ------
    KeyError
        When a code was never declared.

    Examples
    --------
    >>> _ = reason("example_note", "ok", "Only for this example.")
    >>> verdicts(2, [Finding(np.array([1]), "example_note", ["x"])])[1].tolist()
    [[], ['example_note']]
    """
    level = np.zeros(n_rows, dtype=np.int64)
    codes: list[list[str]] = [[] for _ in range(n_rows)]
    texts: list[list[str]] = [[] for _ in range(n_rows)]
    for finding in findings:
        severity = OUTCOMES.index(_REASONS[finding.code].outcome)
        for k, row in enumerate(np.asarray(finding.rows).tolist()):
            level[row] = max(level[row], severity)
            if finding.code not in codes[row]:
                codes[row].append(finding.code)
                texts[row].append("" if finding.details is None else finding.details[k])
    outcome = np.array([OUTCOMES[k] for k in level], dtype=object)
    return outcome, _column(codes), _column(texts)


def _column(lists: list[list[str]]) -> Objects:
    """Make a 1-D object array of lists (NumPy would make a 2-D one of equal lengths)."""
    column: Objects = np.empty(len(lists), dtype=object)
    column[:] = lists
    return column
