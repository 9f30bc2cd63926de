"""Ids of a source to the column that they come from, why that one, and which are repeated."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from citygen.sources.batch import ID_SAMPLE, RESERVED, id_candidates, raw_name


class Identities:
    """
    Ids of a source, kept as 8 bytes each.

    Parameters
    ----------
    asked : str or None
        The id column that the user named.
    """

    def __init__(self, asked: str | None) -> None:
        self.asked = asked
        self.column: str | None = None
        self.why = ""
        self._hashes: list[np.ndarray] = []

    def add(self, batch: pa.Table) -> None:
        """Take a batch of a source."""
        if not self._hashes:
            self.column, self.why = _chosen(batch, self.asked)
        self._hashes.append(_hashes(batch["id"]))

    def summary(self, again: Callable[[], Iterator[pa.Table]]) -> dict[str, Any]:
        """
        Return what was found as JSON can hold it.

        Parameters
        ----------
        again : callable
            Reads the source once more; only called to name ids that are repeated.
        """
        every = np.sort(np.concatenate(self._hashes)) if self._hashes else np.empty(0, np.uint64)
        same = every[1:] == every[:-1]
        repeated = np.unique(every[1:][same])
        names: list[str] = []
        for batch in again() if len(repeated) else ():
            hit = np.isin(_hashes(batch["id"]), repeated)
            names = list(dict.fromkeys([*names, *batch["id"].filter(pa.array(hit)).to_pylist()]))
            if len(names) >= min(3, len(repeated)):
                break
        return {
            "column": self.column,
            "why": self.why,
            "duplicates": int(same.sum()),
            "examples": names[:3],
        }


def _hashes(ids: pa.ChunkedArray) -> np.ndarray:
    """Return a 64-bit number for each id, the same in every run."""
    return np.asarray(pd.util.hash_array(np.asarray(ids.to_pylist(), dtype=object), categorize=False), dtype=np.uint64)


def _chosen(batch: pa.Table, asked: str | None) -> tuple[str | None, str]:
    """Tell from a first batch which column the ids are, and why."""
    columns = [name for name in batch.column_names if name not in RESERVED]
    raw = {raw_name(name): name for name in columns}
    passed = []
    for name in [asked] if asked else dict.fromkeys([*id_candidates(raw), *raw]):
        column = batch[raw.get(name, name)] if name in raw else None
        if column is None or not _plain(column.type):
            continue
        text = pc.cast(column, pa.string())
        if pc.all(pc.equal(text, batch["id"]), skip_nulls=True).as_py() and text.null_count < len(text):
            return (
                name,
                "named with --id-column"
                if asked
                else "a column that holds ids, given and not repeated in the first rows",
            )
        if name in id_candidates(raw):
            passed.append(name)
    because = f" ({', '.join(passed)}: repeated or missing values in the first {ID_SAMPLE} rows)" if passed else ""
    rows = pc.cast(batch["row"], pa.string())
    if pc.all(pc.equal(rows, batch["id"])).as_py():
        return None, f"row numbers, as no column holds ids{because}"
    return None, f"the features' own ids in the file{because}"


def _plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))
