"""Work on many things, a few at once, with the results in order: zlib, NumPy and the kernels let other threads run."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_THREADS = 4


def in_turn(work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
    """
    Yield the result for each thing, in order; at most a few wait to be taken, so memory is bounded.

    Examples
    --------
    >>> list(in_turn(len, ["a", "bc", ""]))
    [1, 2, 0]
    """
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for thing in things:
                waiting.append(pool.submit(work, thing))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
