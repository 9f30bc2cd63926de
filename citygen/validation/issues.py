"""What a check found: one frozen ``Issue`` a fault, gathered by an ``IssueLog`` that knows which file it reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]

Json = Any
"""A value out of a JSON file that nothing has vouched for yet."""


@dataclass(frozen=True, slots=True)
class Issue:
    """
    One fault in one place of a file.

    Attributes
    ----------
    code : str
        The issue type of 3d-tiles-validator or of the Khronos glTF-Validator where one of them has a name for it.
    path : str
        A JSON pointer into the checked file, or ``file#pointer`` into a file that it refers to.
    message : str
        What is wrong; quotes untrusted text from the file, shortened and escaped.
    severity : {'error', 'warning'}
        'error' breaks a rule of a specification, 'warning' is allowed but surely not meant, or could not be checked.

    Examples
    --------
    >>> Issue("PROPERTY_MISSING", "/root", "'geometricError' is required", "error").severity
    'error'
    """

    code: str
    path: str
    message: str
    severity: Severity


class IssueLog:
    """
    The issues of one file, and the extensions met in it.

    Parameters
    ----------
    file : str
        Prefix of every path; '' for the file that the caller named.
    """

    def __init__(self, file: str = "") -> None:
        self.file = file
        self.found: list[Issue] = []
        self.extensions: set[str] = set()

    def error(self, code: str, pointer: str, message: str) -> None:
        """Add an error at a JSON pointer of this file."""
        self._add(code, pointer, message, "error")

    def warning(self, code: str, pointer: str, message: str) -> None:
        """Add a warning at a JSON pointer of this file."""
        self._add(code, pointer, message, "warning")

    def extend(self, issues: Iterable[Issue]) -> None:
        """Take over the issues of a file that this one refers to."""
        self.found.extend(issues)

    @property
    def worst(self) -> Severity | None:
        """The gravest severity so far, or None without issues."""
        severities = {issue.severity for issue in self.found}
        if "error" in severities:
            return "error"
        return "warning" if severities else None

    def _add(self, code: str, pointer: str, message: str, severity: Severity) -> None:
        path = f"{self.file}#{pointer}" if self.file else pointer
        self.found.append(Issue(code, path, message, severity))


def join(pointer: str, *keys: str | int) -> str:
    """
    Append keys to a JSON pointer (RFC 6901).

    Examples
    --------
    >>> join("/root", "a/b", 3)
    '/root/a~1b/3'
    """
    return pointer + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def quote(value: Json) -> str:
    """
    Show an untrusted value in a message: escaped, at most 60 characters.

    Examples
    --------
    >>> quote("x" * 100)[-4:]
    'x...'
    """
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
