"""
Tile jobs in spawned processes, under a supervisor: a worker that dies costs a retry, and at worst its own tile.

The standard pool gives up every job when one worker dies. Here the jobs that were handed out then are run again, one at a
time; one that kills its process again is rejected with a reason, and the others go on. Workers hold one end of a pipe and end
when the other end does: no worker outlives the run, however the run ends.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol, TypeVar

from citygen.errors import BuildError
from citygen.log import get_logger
from citygen.pipeline.guarded import CRASHED, Job, rejected_tile, run_job
from citygen.pipeline.tile import TileResult

log = get_logger(__name__)
R = TypeVar("R")


class AnyJob(Protocol):
    """What travels to a worker: its task has a column and a row."""

    @property
    def task(self) -> Any:
        """Which tile."""


J = TypeVar("J", bound=AnyJob)
_AHEAD = 3
"""Jobs handed out a worker: enough that none waits, few enough that little is run again after a crash."""


def _rejected(job: Job) -> TileResult:
    return rejected_tile(job, CRASHED, "process died")


def run(jobs: Iterable[Job], workers: int, *, work: Callable[[Job], TileResult] = run_job) -> Generator[TileResult]:
    """Run the jobs of buildings' tiles in processes, as ``run_any`` does; a tile that kills its process twice is rejected."""
    return run_any(jobs, workers, (work, _rejected))


def run_any(
    jobs: Iterable[J], workers: int, how: tuple[Callable[[J], R], Callable[[J], R]]
) -> Generator[R, None, None]:
    """
    Run jobs in processes.

    Parameters
    ----------
    jobs : iterable of Job
        Taken as workers come free.
    workers : int
        Processes.
    how : (callable, callable)
        What a worker does with a job, picklable by name; and the result of a job that kills its process twice.

    Yields
    ------
    result
        In the order in which they end; every job gives one.

    Raises
    ------
    CitygenError
        What a job raised on purpose; the others are given up.
    BuildError
        When no worker can be started.
    """
    waiting = iter(jobs)
    more = first = True
    while more:
        suspects: list[J] = []
        with _pool(workers) as pool:
            if first:
                _probe(pool)
            first = False
            more = yield from _until_broken(pool, waiting, workers * _AHEAD, (how[0], suspects))
        yield from _one_by_one(suspects, how)


def _until_broken(
    pool: ProcessPoolExecutor, waiting: Iterator[J], ahead: int, how: tuple[Callable[[J], R], list[J]]
) -> Generator[R, None, bool]:
    """Yield results until all jobs are done (returns False), or a worker dies (returns True; the jobs it held are suspects)."""
    work, suspects = how
    running: dict[Future[R], J] = {}
    while True:
        while len(running) < ahead and not suspects:
            job = next(waiting, None)
            if job is None:
                break
            try:
                running[pool.submit(work, job)] = job
            except BrokenProcessPool:  # a worker died between two jobs
                suspects.append(job)
        if not running:
            return bool(suspects)
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda f: (running[f].task.row, running[f].task.col)):
            job = running.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                suspects.append(job)
            else:
                yield future.result()


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool whose workers end with this block, at once when it is left by an exception."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(theirs,))
    try:
        with theirs, ours:
            yield pool
            pool.shutdown(wait=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _probe(pool: ProcessPoolExecutor) -> None:
    """Tell workers that cannot start from workers that a job kills."""
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise BuildError(
            "worker processes cannot be started (what they said stands above); "
            "in a script, call citygen.build under if __name__ == '__main__':, "
            "or use one worker"
        ) from error


def _begin(lifeline: Connection) -> None:
    """Set up a worker: an interrupt is the supervisor's business, and the worker ends when the supervisor does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()


def _watch(lifeline: Connection) -> None:
    wait_for([lifeline])
    os._exit(1)


def _one_by_one(jobs: list[J], how: tuple[Callable[[J], R], Callable[[J], R]]) -> Iterator[R]:
    """Run jobs one at a time in a process of their own; a job in whose hands that process dies is given up."""
    work, lost = how
    left = iter(jobs)
    job = next(left, None)
    while job is not None:
        with _pool(1) as single:
            alive = True
            while alive and job is not None:
                try:
                    yield single.submit(work, job).result()
                except BrokenProcessPool:
                    alive = False
                    name = f"tile {job.task.col}_{job.task.row}"
                    log.error("%s: its process died twice; it is given up", name)  # noqa: TRY400
                    yield lost(job)
                job = next(left, None)
