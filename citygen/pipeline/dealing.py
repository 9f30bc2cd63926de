"""Placed rows to Arrow files by tile: rows without a place are set aside, ids made unique, the place of each row noted."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from citygen.arraytypes import AnyArray, Int64
from citygen.pipeline.folder import writing
from citygen.pipeline.placing import SOURCE_STRIDE, Placed
from citygen.pipeline.slots import OUTLINES, Filed, Kind, boxes_in_cm

RENAMED = "renamed.arrow"
"""File of the plan: uid and new id of each row whose id an earlier row has, in the order of uid."""


class Dealer:
    """
    Writes Arrow files, one a batch of rows, one record batch a tile.

    Parameters
    ----------
    folder : pathlib.Path
        Empty.

    Attributes
    ----------
    tiles : dict of (col, row) to list of (file, batch)
        Where each tile's rows lie.
    counts : dict of (col, row) to int
        How many they are.
    unplaced : list of pyarrow.Table
        Rows set aside: @uid, @id, @source, reason, detail.
    filed : list of Filed
        Which rows each file holds, and where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tiles: dict[tuple[int, int], list[tuple[str, int]]] = {}
        self.counts: dict[tuple[int, int], int] = {}
        self.unplaced: list[pa.Table] = []
        self.filed: list[Filed] = []
        self.ids: list[pa.Table] = []

    def set_aside(self, table: pa.Table, placed: Placed) -> None:
        """Keep the rows that have no place, with why."""
        rows = np.flatnonzero(placed.reasons[:, 0] != "")
        if len(rows) == 0:
            return
        named = table.select(["@uid", "@id", "@source"]).take(pa.array(rows))
        for at, name in enumerate(("reason", "detail")):
            named = named.append_column(name, pa.array(placed.reasons[rows, at].tolist(), pa.string()))
        self.unplaced.append(named)
        self.ids.append(named.select(["@uid", "@id"]))

    def write(
        self,
        table: pa.Table,
        placed: Placed,
        rows: Int64,
        belongs: tuple[AnyArray, AnyArray] | None = None,
        *,
        kind: Kind = OUTLINES,
        own: bool = True,
    ) -> None:
        """
        Write chosen rows, sorted by tile, rows of a tile in their order.

        Parameters
        ----------
        table : pyarrow.Table
            n rows.
        placed : Placed
            Of the same rows.
        rows : (k,) int64
            To write.
        belongs : ((n,) int64, (n,) int64), optional
            uid of each row's outline (-1 for none), and of the first row of those that stand on one datum with it.
        kind : str
            What the rows are.
        own : bool
            False for rows beyond the area: their neighbours within may ask for them, they have no row in the result.
        """
        if len(rows) == 0:
            return
        rows = rows[np.lexsort((rows, placed.col[rows], placed.row[rows]))]
        index = pa.array(rows)
        owner = pa.array(np.full(len(rows), -1) if belongs is None else belongs[0][rows], pa.int64())
        out = table.take(index).append_column("@geometry", placed.wkb.take(index)).append_column("@part_of", owner)
        if belongs is not None:
            out = out.append_column("@group", pa.array(belongs[1][rows], pa.int64()))
        path = self.folder / f"{len(self.filed):06d}.arrow"
        keys = np.stack([placed.col[rows], placed.row[rows]], axis=1)
        starts = np.flatnonzero(np.r_[True, np.any(keys[1:] != keys[:-1], axis=1)])
        sizes = np.diff(np.r_[starts, len(rows)])
        uid = out["@uid"].to_numpy()
        group = None if belongs is None else belongs[1][rows]
        filed = Filed(path.name, kind, own, keys[starts], sizes, boxes_in_cm(placed.box[rows]), uid, group)
        self.filed.append(filed)
        whole = out.combine_chunks().to_batches()[0]
        with writing(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, out.schema) as file:
            for a, size in zip(starts.tolist(), sizes.tolist(), strict=True):
                file.write_batch(whole.slice(a, size))
        if not own:
            return
        self.ids.append(out.select(["@uid", "@id"]))
        for batch, (key, size) in enumerate(zip(map(tuple, keys[starts].tolist()), sizes.tolist(), strict=True)):
            self.tiles.setdefault(key, []).append((path.name, batch))
            self.counts[key] = self.counts.get(key, 0) + size

    def write_renamed(self) -> dict[int, str]:
        """Give new ids to rows whose id an earlier row has: rows aside at once, the others when their tile is read."""
        new, elsewhere = _duplicates(self.ids)
        if not new:
            return new
        for k, aside in enumerate(self.unplaced):
            known = zip(aside["@uid"].to_pylist(), aside["@id"].to_pylist(), strict=True)
            named = [new.get(uid, name) for uid, name in known]
            self.unplaced[k] = aside.set_column(1, "@id", pa.array(named, pa.string()))
        uid = sorted(new)
        columns = {"uid": pa.array(uid, pa.int64()), "id": pa.array([new[u] for u in uid], pa.string())}
        table = pa.table({**columns, "elsewhere": pa.array([u in elsewhere for u in uid], pa.bool_())})
        path = self.folder / RENAMED
        with writing(path), pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as file:
            file.write_table(table)
        return new


def _duplicates(ids: list[pa.Table]) -> tuple[dict[int, str], set[int]]:
    """
    Return new ids of rows whose id an earlier row has, and those of them that only rows of other sources have.

    New ids are ``id#2``, ``id#3``, in the order of reading, none of them taken.
    """
    if not ids:
        return {}, set()
    table = pa.concat_tables(ids)
    counts = pc.value_counts(table["@id"])
    many = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(many) == 0:
        return {}, set()
    again = table.filter(pc.is_in(table["@id"], value_set=many))
    hashed = pc.match_substring(table["@id"], "#")
    taken = set(table["@id"].filter(hashed).to_pylist())
    seen: dict[str, int] = {}
    renamed: dict[int, str] = {}
    within: set[tuple[int, str]] = set()
    elsewhere: set[int] = set()
    for uid, name in sorted(zip(again["@uid"].to_pylist(), again["@id"].to_pylist(), strict=True)):
        number = seen.get(name, 0) + 1
        while number > 1 and f"{name}#{number}" in taken:
            number += 1
        seen[name] = number
        if number > 1:
            renamed[uid] = f"{name}#{number}"
            taken.add(renamed[uid])
            if (uid // SOURCE_STRIDE, name) not in within:
                elsewhere.add(uid)
        within.add((uid // SOURCE_STRIDE, name))
    return renamed, elsewhere
