"""Tile jobs one after the other in this process."""

from collections.abc import Generator, Iterable

from citygen.pipeline.guarded import Job, run_job
from citygen.pipeline.tile import TileResult


def run(jobs: Iterable[Job]) -> Generator[TileResult, None, None]:
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
