"""
An XML file of any size, read element by element: bytes to small trees, one for each element of a wanted name.

The parser is expat, from the standard library. A document type declaration is refused where it starts, so that there are
no entities to expand, inside or outside the file; nothing is fetched. Names lose their namespace: ``{uri}name`` is handed
on as ``name``, and the file's root keeps its own for the caller to judge.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.parsers import expat

from citygen.errors import InputError

Element = ET.Element

_CHUNK = 1 << 20
_DEEPEST = 200
"""Elements within each other, at most."""
_LARGEST = 4_000_000
"""Elements within one wanted element, at most: a palace in LoD 4 has some hundred thousand."""


class XmlStream:
    """
    The wanted elements of an XML file, one after the other.

    Parameters
    ----------
    path : pathlib.Path
        Any encoding that expat or Python knows.
    wanted : frozenset of str
        Names of the elements that become trees; those within one are part of its tree.
    outside : callable
        Called with name and attributes of every element outside wanted ones.
    """

    def __init__(self, path: Path, wanted: frozenset[str], outside: Callable[[str, dict[str, str]], None]) -> None:
        self.path = path
        self.wanted = wanted
        self.outside = outside
        self._names: dict[str, str] = {}
        self._depth = 0
        self._since = 0
        self._builder: ET.TreeBuilder | None = None
        self._from = 0
        self._done: list[Element] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def elements(self) -> Iterator[Element]:
        """
        Yield each wanted element when it is whole.

        Raises
        ------
        InputError
            When the file is no XML, cut off, has a document type declaration, or is nested or filled beyond reason.
        """
        with self.path.open("rb") as file:
            while True:
                try:
                    data = file.read(_CHUNK)
                except OSError as error:
                    raise InputError(f"{self.path}: cannot be read: {error.strerror or error}") from error
                try:
                    self._parser.Parse(data, not data)
                except expat.ExpatError as error:
                    raise self._error(f"{expat.ErrorString(error.code)}; export the file again") from error
                except (LookupError, ValueError) as error:  # an encoding that Python does not know, or not as 8 bits
                    raise self._error(f"{error}; export the file as UTF-8") from error
                yield from self._done
                self._done.clear()
                if not data:
                    return

    def _error(self, what: str) -> InputError:
        """Return the error for the present place."""
        at = f"line {self._parser.CurrentLineNumber}, column {self._parser.CurrentColumnNumber + 1}"
        return InputError(f"{self.path}: not usable XML at {at}: {what}")

    def _doctype(self, *_: object) -> None:
        raise self._error("a document type declaration (DTD, entities) is not read; take it out of the file")

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        name = self._names.get(full)
        if name is None:
            name = self._names[full] = full.rpartition(" ")[2]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"elements are nested more than {_DEEPEST} deep")
        if self._builder is None:
            if name not in self.wanted:
                self.outside(name if self._depth > 1 else full, attributes)
                return
            self._builder, self._from, self._since = ET.TreeBuilder(), self._depth, 0
            self._parser.CharacterDataHandler = self._builder.data
        self._since += 1
        if self._since > _LARGEST:
            raise self._error(f"a single {self._names[full]} of more than {_LARGEST} elements")
        self._builder.start(name, {key.rpartition(" ")[2]: value for key, value in attributes.items()})

    def _end(self, full: str) -> None:
        if self._builder is not None:
            self._builder.end(self._names[full])
            if self._depth == self._from:
                self._done.append(self._builder.close())
                self._builder = None
                self._parser.CharacterDataHandler = None
        self._depth -= 1
