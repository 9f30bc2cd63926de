"""An iterator to the same items, the next one being made while the last one is used."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def ahead(items: Generator[T, None, None]) -> Iterator[T]:
    """
    Make one item ahead, in a thread of its own: decoding, projecting and writing leave Python's lock alone.

    Parameters
    ----------
    items : generator
        It runs, and is closed, in that one thread.

    Yields
    ------
    T
        The items in their order; what ``items`` raises is raised where the item would have come.

    Examples
    --------
    >>> list(ahead(k * k for k in range(3)))
    [0, 1, 4]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        try:
            pending = thread.submit(next, items, _END)
            while (item := pending.result()) is not _END:
                pending = thread.submit(next, items, _END)
                yield item  # type: ignore[misc]
        finally:
            thread.submit(items.close).result()
