"""Estimated heights of a run's rows to a file of its plan, and from it to the rows of one tile, joined by uid."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Float64, Int64
from citygen.attributes.estimates import Estimate, Estimates
from citygen.pipeline.folder import writing

HEIGHTS = "heights.arrow"
"""File of the plan: rows without a height, in the order of uid; a column for each rule's metres, sigma, count and reach."""
_PARTS = ("metres", "sigma_m", "count", "reach_m")


def write_estimates(folder: Path, uid: Int64, estimates: Estimates) -> None:
    """
    Write estimates, where there are any.

    Parameters
    ----------
    folder : pathlib.Path
        The plan's.
    uid : (m,) int64
        Rows, rising.
    estimates : Estimates
        Of these rows.
    """
    if len(uid) == 0 or not estimates.by_rule:
        return
    columns = {"uid": pa.array(uid)}
    for rule, each in estimates.by_rule.items():
        columns |= {f"{rule}.{part}": pa.array(getattr(each, part).astype(np.float32)) for part in _PARTS}
    table = pa.table(columns).replace_schema_metadata({"of_top": str(int(estimates.of_top))})
    path = folder / HEIGHTS
    with writing(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
        file.write_table(table.combine_chunks())


def estimates_of(folder: Path, uid: Int64) -> Estimates:
    """
    Return the estimates of some rows.

    Parameters
    ----------
    folder : pathlib.Path
        The plan's.
    uid : (n,) int64
        Rows, in any order.

    Returns
    -------
    Estimates
        NaN for rows that have none; without any rule where the plan has no file of them.
    """
    path = folder / HEIGHTS
    if not path.exists():
        return Estimates()
    with pa.memory_map(str(path)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
        known = batch["uid"].to_numpy()
        at = np.minimum(np.searchsorted(known, uid), len(known) - 1)
        here = known[at] == uid

        def column(name: str) -> Float64:
            wide = batch[name].to_numpy()[at].astype(np.float64)
            picked: Float64 = np.where(here, np.round(wide, 3), np.nan)
            return picked

        rules = dict.fromkeys(name.partition(".")[0] for name in batch.schema.names if "." in name)
        by_rule = {rule: Estimate(*(column(f"{rule}.{part}") for part in _PARTS)) for rule in rules}
        return Estimates(batch.schema.metadata[b"of_top"] == b"1", by_rule)
