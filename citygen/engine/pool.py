"""
Tile jobs in spawned processes, under a supervisor: a worker that dies costs a retry, and at worst its own tile.

The standard pool gives up every job when one worker dies. Here the jobs that were running then are run again, each alone;
one that kills its process again is rejected with a reason, and the others go on.
"""

import itertools
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from citygen.log import get_logger
from citygen.pipeline.guarded import CRASHED, Job, rejected_tile, run_job
from citygen.pipeline.tile import TileResult

log = get_logger(__name__)
_AHEAD = 3
"""Jobs handed out a worker: enough that none waits, few enough that little is run again after a crash."""


def run(jobs: Iterable[Job], workers: int) -> Iterator[TileResult]:
    """
    Run jobs in processes.

    Parameters
    ----------
    jobs : iterable of Job
        Taken as workers come free.
    workers : int
        Processes.

    Yields
    ------
    TileResult
        In the order in which they end; every job gives one.
    """
    waiting = iter(jobs)
    suspects: list[Job] = []
    pool = _pool(workers)
    running: dict[Future[TileResult], Job] = {}
    try:
        while True:
            running.update(
                {pool.submit(run_job, job): job for job in itertools.islice(waiting, workers * _AHEAD - len(running))}
            )
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(job)
                else:
                    yield future.result()
            if suspects:
                suspects += _drain(running)
                pool.shutdown(wait=False, cancel_futures=True)
                for job in suspects:
                    yield _alone(job)
                suspects, pool = [], _pool(workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _drain(running: dict[Future[TileResult], Job]) -> list[Job]:
    """Give up what a broken pool still held; those jobs are run again."""
    jobs = list(running.values())
    running.clear()
    return jobs


def _alone(job: Job) -> TileResult:
    """Run one job in a process of its own; reject its tile when that process dies too."""
    with _pool(1) as single:
        try:
            return single.submit(run_job, job).result()
        except BrokenProcessPool:
            log.error("tile %d_%d: its process died twice; its footprints are rejected", job.task.col, job.task.row)
            return rejected_tile(job, CRASHED, "process died")
