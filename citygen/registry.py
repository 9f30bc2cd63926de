"""
Names to things: the registries that make a shape, a source, a dialect, a rule, a grid or a format one file each.

A room's ``__init__`` lists nothing: ``load`` imports every module of the room, each registers itself at import, and
packages from outside come in by entry point (group ``citygen.<kind>``).
"""

import difflib
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Generic, TypeVar

from citygen.errors import ConfigError
from citygen.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)


class Registry(Generic[T]):
    """
    A set of named things of one kind, filled by the modules of one room.

    Parameters
    ----------
    kind : str
        What the things are, in the words of an error message.
    room : str
        Dotted package whose modules register the things at import.
    group : str
        Entry point group for packages from outside.
    """

    def __init__(self, kind: str, *, room: str, group: str) -> None:
        self.kind = kind
        self.room = room
        self.group = group
        self._things: dict[str, T] = {}
        self._aliases: dict[str, str] = {}
        self._loaded = False

    def register(self, name: str, thing: T, *, aliases: Iterable[str] = ()) -> T:
        """
        Add a thing; a taken name or alias is refused.

        Raises
        ------
        ValueError
            When the name or an alias is taken.
        """
        for word in (name, *aliases):
            if word in self._things or word in self._aliases:
                raise ValueError(f"{self.kind} {word!r} is registered twice")
        self._things[name] = thing
        for alias in aliases:
            self._aliases[alias] = name
        return thing

    def load(self) -> None:
        """Import every module of the room and the entry points, once; a broken outside package warns."""
        if self._loaded:
            return
        self._loaded = True
        package = import_module(self.room)
        for module in sorted(m.name for m in iter_modules(package.__path__)):
            import_module(f"{self.room}.{module}")
        for point in sorted(entry_points(group=self.group), key=lambda p: p.name):
            try:
                point.load()
            except Exception as error:  # noqa: BLE001  a foreign package must not stop a build
                log.warning("entry point %s of %s failed: %s", point.name, self.group, error)

    def names(self) -> tuple[str, ...]:
        """Return the registered names, sorted."""
        self.load()
        return tuple(sorted(self._things))

    def aliases(self, name: str) -> tuple[str, ...]:
        """Return the other words for a registered name, sorted."""
        self.load()
        return tuple(sorted(alias for alias, known in self._aliases.items() if known == name))

    def resolve(self, word: str) -> str | None:
        """Return the registered name for a name or alias, or None."""
        self.load()
        return word if word in self._things else self._aliases.get(word)

    def nearest(self, word: str) -> list[str]:
        """Return up to three known names that look like a word."""
        self.load()
        found = difflib.get_close_matches(word, [*self._things, *self._aliases], n=3, cutoff=0.6)
        return list(dict.fromkeys(self._aliases.get(name, name) for name in found))

    def __getitem__(self, word: str) -> T:
        """
        Return the thing of a name or alias.

        Raises
        ------
        ConfigError
            When there is none; the message lists the valid names.
        """
        name = self.resolve(word)
        if name is None:
            raise ConfigError(f"unknown {self.kind} {word!r}; known: {', '.join(self.names())}")
        return self._things[name]

    def __iter__(self) -> Iterator[T]:
        return iter([self._things[name] for name in self.names()])

    def __len__(self) -> int:
        return len(self.names())
