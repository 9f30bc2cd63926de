"""Tile jobs one after the other in this process."""

from collections.abc import Iterable, Iterator

from citygen.pipeline.guarded import Job, run_job
from citygen.pipeline.tile import TileResult


def run(jobs: Iterable[Job]) -> Iterator[TileResult]:
    """
    Run jobs in order.

    Parameters
    ----------
    jobs : iterable of Job
        Any number.

    Yields
    ------
    TileResult
        As each is done.
    """
    for job in jobs:
        yield run_job(job)
