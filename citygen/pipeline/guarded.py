"""A tile job at the border of a run: a failure inside one tile rejects that tile's rows, with the reason, and no other."""

import traceback
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from citygen.catalogue.records import Facts, nothing_built, to_table
from citygen.errors import BuildError, CitygenError
from citygen.log import get_logger
from citygen.outcome import Finding, reason, verdicts
from citygen.pipeline.options import TileOptions
from citygen.pipeline.rows import TileTask, identity, load_rows, owners_of
from citygen.pipeline.tile import TileResult, build_tile

log = get_logger(__name__)
FAILED = reason("tile_failed", "rejected", "The job of the footprint's tile failed; the log has the traceback.")
CRASHED = reason("tile_crashed", "rejected", "The process that built the footprint's tile died twice.")


@dataclass(frozen=True, slots=True)
class Job:
    """A tile and the run's options: what travels to a worker."""

    task: TileTask
    options: TileOptions


def run_job(job: Job) -> TileResult:
    """
    Build a tile; on an unforeseen error, return its rows as rejected.

    Parameters
    ----------
    job : Job
        The tile.

    Returns
    -------
    TileResult

    Raises
    ------
    BuildError
        When a file is gone or cannot be read: that is no fault of the tile, and the run can go on later.
    CitygenError
        What a stage raised on purpose.
    """
    try:
        return build_tile(job.task, job.options)
    except CitygenError:
        raise
    except OSError as error:
        raise BuildError(
            f"tile {job.task.col}_{job.task.row}: {error}; run again to go on when that is mended"
        ) from error
    except Exception as error:  # noqa: BLE001  the border of a tile: one tile must not stop a run (STYLE, rule 16)
        log.error("tile %d_%d failed:\n%s", job.task.col, job.task.row, traceback.format_exc())  # noqa: TRY400
        return rejected_tile(job, FAILED, f"{type(error).__name__}: {error}"[:200])


def rejected_tile(job: Job, code: str, detail: str) -> TileResult:
    """
    Return a tile's rows as rejected, nothing built.

    Parameters
    ----------
    job : Job
        The tile.
    code : str
        ``FAILED`` or ``CRASHED``.
    detail : str
        What is known of it.

    Returns
    -------
    TileResult
    """
    rows = load_rows(job.task)
    n = len(rows)
    ids, findings = identity(rows)
    verdict = verdicts(n, [*findings, Finding(np.arange(n), code, [detail] * n)])
    owners = owners_of(rows["@uid"].to_numpy(), rows["@part_of"].to_numpy(), ids)
    geometry = shapely.from_wkb(rows["@geometry"].to_numpy(zero_copy_only=False))
    facts = Facts(ids, rows["@source"].to_pylist(), owners, verdict, geometry, None)
    records: pa.Table = to_table(facts, nothing_built(n))
    return TileResult(job.task.col, job.task.row, records, None, 0, {}, {})
