"""A tile's task to its rows: mapped from the plan, columns of one type, ids unique."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import Int64, Objects
from citygen.outcome import Finding, reason
from citygen.pipeline.dealing import RENAMED

CLOSED = reason("ring_closed", "degraded", "A ring of the outline was not closed; it was closed.")
DUPLICATE = reason("duplicate_id", "degraded", "An earlier footprint has the same id; this one got a new one.")
OTHER_SOURCE = reason(
    "id_of_other_source", "ok", "A footprint of an earlier source has the same id; this one got a new one."
)


@dataclass(frozen=True, slots=True)
class TileTask:
    """
    One tile to build.

    Attributes
    ----------
    col, row : int
        Its place in the grid.
    slices : tuple of (str, int)
        Arrow files and record batches that hold its rows.
    plan_folder, out : str
        Where those files lie, and the output folder.
    guests : tuple of (str, int, list of int)
        Files, record batches, and rows of them that lie beside the tile's own.
    """

    col: int
    row: int
    slices: tuple[tuple[str, int], ...]
    plan_folder: str
    out: str
    guests: tuple[tuple[str, int, list[int]], ...] = ()


def load_rows(task: TileTask, *, guests: bool = False) -> pa.Table:
    """
    Map a tile's rows from the plan, in the order in which they were read.

    Parameters
    ----------
    task : TileTask
        Which batches.
    guests : bool
        Whether the rows beside the tile's own come too.

    Returns
    -------
    pyarrow.Table
        Own columns start with ``@``; ``@was`` is the source's id of a row that got a new one, ``@guest`` says which rows
        are not the tile's own. Columns that differ in type between sources become text.
    """
    tables = [_batch(task, name, batch, None) for name, batch in task.slices]
    if guests:
        tables += [_batch(task, name, batch, index) for name, batch, index in task.guests]
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for field in table.schema:
            types.setdefault(field.name, set()).add(field.type)
    mixed = {name for name, found in types.items() if len(found - {pa.null()}) > 1}
    if mixed:
        tables = [_as_text(table, mixed) for table in tables]
    return _with_new_ids(pa.concat_tables(tables, promote_options="default").sort_by("@uid"), task)


def _batch(task: TileTask, name: str, batch: int, index: list[int] | None) -> pa.Table:
    """Map one record batch, or take some of its rows as guests."""
    with pa.memory_map(str(Path(task.plan_folder) / name)) as source:
        table = pa.Table.from_batches([pa.ipc.open_file(source).get_batch(batch)])
    if index is not None:
        table = table.take(pa.array(index, pa.int64()))
    return table.append_column("@guest", pa.array(np.full(len(table), index is not None)))


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    """Turn columns into text that reads as the same values: NaN is nothing, single precision keeps its value."""
    for name in sorted(names & set(table.column_names)):
        at, column = table.column_names.index(name), table[name]
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column.cast(pa.float64()))
        if pa.types.is_binary(column.type):
            column = pa.array([None if v is None else v.decode("utf-8", "replace") for v in column.to_pylist()])
        table = table.set_column(at, name, column.cast(pa.string()))
    return table


def _with_new_ids(rows: pa.Table, task: TileTask) -> pa.Table:
    """Replace the ids that earlier rows have, and keep the old ones beside."""
    path = Path(task.plan_folder) / RENAMED
    if not path.exists():
        rows = rows.append_column("@was", pa.nulls(len(rows), pa.string()))
        return rows.append_column("@elsewhere", pa.array(np.zeros(len(rows), dtype=bool)))
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
        uid, known = rows["@uid"].to_numpy(), table["uid"].to_numpy()
        at = np.minimum(np.searchsorted(known, uid), len(known) - 1)
        again = pa.array(known[at] == uid)
        new = pc.if_else(again, table["id"].take(pa.array(at)), rows["@id"])
        was = pc.if_else(again, rows["@id"], pa.scalar(None, pa.string()))
        elsewhere = pc.and_(again, table["elsewhere"].take(pa.array(at)))
    rows = rows.set_column(rows.column_names.index("@id"), "@id", new)
    return rows.append_column("@was", was).append_column("@elsewhere", elsewhere)


def identity(rows: pa.Table) -> tuple[Objects, list[Finding]]:
    """
    Return who each row is, and which had to be renamed.

    Parameters
    ----------
    rows : pyarrow.Table
        Of ``load_rows``.

    Returns
    -------
    ids : (n,) object of str
        Unique in the run.
    findings : list of Finding
        ``duplicate_id`` or ``id_of_other_source``, with the source's id; ``ring_closed``.
    """
    ids: Objects = np.array(rows["@id"].to_pylist(), dtype=object)
    again, elsewhere = rows["@was"].is_valid().to_numpy(), rows["@elsewhere"].to_numpy()
    findings = []
    for code, which in ((DUPLICATE, again & ~elsewhere), (OTHER_SOURCE, again & elsewhere)):
        index = np.flatnonzero(which)
        findings.append(Finding(index, code, rows["@was"].take(pa.array(index)).to_pylist()))
    if "@closed" in rows.column_names:
        closed = pc.fill_null(rows["@closed"], fill_value=False).to_numpy()
        findings.append(Finding(np.flatnonzero(closed), CLOSED))
    return ids, findings


def owners_of(uid: Int64, part_of: Int64, ids: Objects) -> Objects:
    """
    Name the outlines of parts.

    Parameters
    ----------
    uid, part_of : (n,) int64
        Rows of a tile; -1 for no outline.
    ids : (n,) object of str
        Their ids.

    Returns
    -------
    (n,) object
        The id of each part's outline, None for the rest.
    """
    where = {u: k for k, u in enumerate(uid.tolist())}
    return np.array([None if p < 0 else ids[where[p]] for p in part_of.tolist()], dtype=object)
