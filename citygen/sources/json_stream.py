"""
A JSON text of any size, read value by value: bytes to Python objects, with the line and column of what is wrong.

The buffer holds one value of the stream (a feature) and a chunk, never the file. RFC 8259; ``NaN`` and ``Infinity``,
which are no JSON but are met, come as floats for the caller to judge.
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from citygen.errors import InputError
from citygen.log import get_logger

log = get_logger(__name__)

_CHUNK = 1 << 20
_LARGEST = 1 << 28
"""Characters of one value (a feature), at most: 256 million."""
_NEAR_END = 32
"""An error this close to the end of the buffer may be due to the cut alone (literals, escapes, exponents)."""
_TAIL = 2
"""Characters behind a number that cannot yet tell that it has ended: ``12`` may go on as ``12e+5``."""
_SPACE = re.compile(r"[ \t\r\n\x1e]*")
_DECODER = json.JSONDecoder()


class JsonStream:
    """
    The values of a JSON text, one after the other.

    Parameters
    ----------
    path : pathlib.Path
        UTF-8 (with or without BOM), or UTF-16 with BOM. Bytes that are not are replaced by U+FFFD, with a warning in
        the log.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.json"
    ...     _ = path.write_text('{"a": [1, 2], "b": 3}')
    ...     with JsonStream(path) as stream:
    ...         [(key, stream.value()) for key in stream.members()]
    [('a', [1, 2]), ('b', 3)]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        head = self._file.read(4)
        self._file.seek(0)
        encoding = (
            "utf-16"
            if head[:2] in (b"\xff\xfe", b"\xfe\xff")
            else "utf-8-sig"
            if head[:3] == b"\xef\xbb\xbf"
            else "utf-8"
        )
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._encoding = encoding
        self._offset = 0
        self.bad_byte: int | None = None
        self._text = ""
        self._at = 0
        self._whole = False
        self._line = 1
        self._column = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def peek(self) -> str:
        """Return the next character that is not white space, without taking it; '' at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # matches the empty string
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> str:
        """
        Take the next character, which has to be one of some.

        Raises
        ------
        InputError
            When it is another; the message says where.
        """
        char = self.peek()
        if not char or char not in wanted:
            raise self.error(
                f"{' or '.join(map(repr, wanted))} expected, {repr(char) if char else 'the end of the file'} found"
            )
        self._at += 1
        return char

    def value(self) -> Any:
        """
        Read the next value whole.

        Raises
        ------
        InputError
            When it is no JSON, cut off, nested too deeply or too large.
        """
        self.peek()
        while True:
            fault, at = "a value expected", self._at
            try:
                thing, end = _DECODER.raw_decode(self._text, self._at)
                if self._whole or self._text[end - 1] in '}]"' or len(self._text) - end > _TAIL:
                    self._at = end
                    return thing
                cut = True  # a number or literal may go on beyond the buffer
            except json.JSONDecodeError as error:
                fault, at = error.msg, error.pos
                cut = at >= len(self._text) - _NEAR_END or fault.startswith("Unterminated string")
            except RecursionError:
                raise self.error("values are nested too deeply") from None
            except ValueError as error:  # an integer of thousands of digits
                raise self.error(str(error).split(";")[0]) from None
            if self._whole or not cut:
                ended = cut and (fault.startswith("Unterminated") or not self._text[at:].strip())
                raise self.error("the file ends within a value: it is cut off" if ended else fault, at)
            if len(self._text) - self._at > _LARGEST:
                raise self.error(f"a single value of more than {_LARGEST >> 20} million characters")
            self._more()

    def members(self) -> Iterator[str]:
        """Walk an object: yield each key; the caller takes its value before it goes on."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        while True:
            if self.peek() != '"':
                raise self.error("a member name in double quotes expected")
            key = self.value()
            self.take(":")
            yield key
            if self.take(",}") == "}":
                return

    def elements(self) -> Iterator[Any]:
        """Walk an array: yield each element, read whole."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        while True:
            yield self.value()
            if self.take(",]") == "]":
                return

    def error(self, what: str, at: int | None = None) -> InputError:
        """Return the error for a place in the text (the present one by default)."""
        at = self._at if at is None else at
        lines = self._text.count("\n", 0, at)
        column = at - self._text.rfind("\n", 0, at) if lines else self._column + at + 1
        return InputError(
            f"{self.path}: not usable JSON at line {self._line + lines}, column {column}: {what}; export the file again"
        )

    def _more(self) -> bool:
        """Forget what was taken and read on; False at the end of the file."""
        if self._whole:
            return False
        lines = self._text.count("\n", 0, self._at)
        self._line += lines
        self._column = self._at - self._text.rfind("\n", 0, self._at) - 1 if lines else self._column + self._at
        rest = self._text[self._at :]
        try:
            data = self._file.read(max(_CHUNK, len(rest)))
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        self._text, self._at = rest + self._decoded(data), 0
        self._whole = not data
        return True

    def _decoded(self, data: bytes) -> str:
        """Decode bytes; from the first bad byte on, bad ones are replaced."""
        pending = self._decoder.getstate()[0]
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            self.bad_byte = self._offset - len(pending) + error.start
            self._decoder = codecs.getincrementaldecoder(self._encoding.removesuffix("-sig"))("replace")
            text = self._decoder.decode(pending + data, final=not data).removeprefix("\ufeff")
        self._offset += len(data)
        return text
