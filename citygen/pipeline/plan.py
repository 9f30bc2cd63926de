"""
Sources to tiles on disk: every row is read once, placed in the working CRS, and dealt to the tile of its own middle.

What is dealt lies in ``OUT/.citygen/plan`` as Arrow IPC files, one a source batch, one record batch a tile in it: a tile
job maps its own batches and nothing else (docs/decisions/0001). Rows that cannot be placed are kept apart with their
reason. Memory is one batch, plus the ids of all rows, plus the building parts and roof lines (they wait for their outlines).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Bool
from citygen.attributes.parts import part_rows
from citygen.pipeline.ahead import ahead
from citygen.pipeline.dealing import Dealer, deal_lines, deal_parts
from citygen.pipeline.inputs import Inputs
from citygen.pipeline.placing import Placed, placed_batches


@dataclass(slots=True)
class Plan:
    """
    Where everything lies.

    Attributes
    ----------
    tiles : dict of (col, row) to list of (file, batch)
        The Arrow record batches of each tile, in the order of their rows.
    counts : dict of (col, row) to int
        Rows of each tile.
    unplaced : list of pyarrow.Table
        Rows without a place: uid, id, source, reason, detail.
    heights : dict
        For the report: how many rows have a height, and what became of the model of heights.
    read, outside : int
        Rows that the sources hold, and those of them that lie outside the area of interest.
    """

    tiles: dict[tuple[int, int], list[tuple[str, int]]] = field(default_factory=dict)
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    unplaced: list[pa.Table] = field(default_factory=list)
    read: int = 0
    outside: int = 0
    heights: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the plan, without the unplaced rows (they have a file of their own), as JSON."""
        tiles = [[col, row, self.counts[col, row], self.tiles[col, row]] for col, row in sorted(self.tiles)]
        about = {"tiles": tiles, "read": self.read, "outside": self.outside, "heights": self.heights}
        return json.dumps(about)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read what ``to_json`` wrote."""
        data = json.loads(text)
        plan = cls(read=data["read"], outside=data["outside"], heights=data["heights"])
        for col, row, count, slices in data["tiles"]:
            plan.tiles[col, row] = [(name, batch) for name, batch in slices]
            plan.counts[col, row] = count
        return plan


def make_plan(inputs: Inputs, folder: Path, column_map: Mapping[str, str]) -> Plan:
    """
    Deal all sources to tiles.

    Parameters
    ----------
    inputs : Inputs
        Opened.
    folder : pathlib.Path
        Empty; receives the Arrow files.
    column_map : mapping of str to str
        The user's own column names.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        When a source turns out to be damaged on the way.
    OutputError
        When a file cannot be written.
    """
    parts: list[tuple[pa.Table, Placed]] = []
    lines: list[tuple[pa.Table, Placed]] = []
    dealer, read = Dealer(folder), 0
    for number, planned in enumerate(inputs.sources):
        delivered = 0
        for table, placed in ahead(placed_batches(inputs, planned, number, column_map)):
            delivered += len(table)
            dealer.set_aside(table, placed)
            is_part = part_rows(table, planned.dialect, column_map)
            kept = table.drop_columns(["@problem", "@geometry"]).append_column("@is_part", pa.array(is_part))
            if is_part.any():
                chosen = np.flatnonzero(is_part & placed.here)
                parts.append((kept.take(pa.array(chosen)), placed.take(chosen)))
            is_line = _lines(kept) & ~is_part
            if is_line.any():
                chosen = np.flatnonzero(is_line & placed.here)
                lines.append((kept.take(pa.array(chosen)), placed.take(chosen)))
            dealer.write(kept, placed, np.flatnonzero(placed.inside & ~is_part & ~is_line))
        read += max(planned.source.info.feature_count or 0, delivered)
    if parts:
        deal_parts(dealer, parts)
    if lines:
        deal_lines(dealer, lines)
    dealer.write_renamed()
    outside = read - sum(dealer.counts.values()) - sum(map(len, dealer.unplaced))
    return Plan(dealer.tiles, dealer.counts, dealer.unplaced, read, outside)


def _lines(table: pa.Table) -> Bool:
    """Say which rows are roof lines by themselves."""
    if "@line_alone" not in table.column_names:
        return np.zeros(len(table), dtype=bool)
    alone: Bool = table["@line_alone"].to_numpy(zero_copy_only=False)
    return alone
