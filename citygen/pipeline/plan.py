"""
Sources to tiles on disk: every row is read once, placed in the working CRS, and dealt to the tile of its own middle.

What is dealt lies in ``OUT/.citygen/plan`` as Arrow IPC files, one a source batch, one record batch a tile in it: a tile
job maps its own batches and nothing else (docs/decisions/0001). Rows that cannot be placed are kept apart with their
reason. Memory is one batch, plus ids and extents of all rows, plus the building parts and roof lines (they wait for their
outlines).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from citygen.arraytypes import Bool
from citygen.attributes.parts import part_marks
from citygen.pipeline.ahead import ahead
from citygen.pipeline.covering import write_covered
from citygen.pipeline.dealing import Dealer
from citygen.pipeline.inputs import Inputs
from citygen.pipeline.owners import Held, deal_lines, deal_parts, hold
from citygen.pipeline.placing import Placed, placed_batches
from citygen.pipeline.slots import Guests, guests


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
    guests : dict of (col, row) to list of (file, batch, rows)
        Rows of other tiles, and from beyond the area, that lie beside each tile's own.
    unplaced : list of pyarrow.Table
        Rows without a place: uid, id, source, reason, detail.
    heights : dict
        For the report: how many rows have a height, and what became of the model of heights.
    read, outside : int
        Rows that the sources hold, and those of them that lie outside the area of interest.
    """

    tiles: dict[tuple[int, int], list[tuple[str, int]]] = field(default_factory=dict)
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    guests: Guests = field(default_factory=dict)
    unplaced: list[pa.Table] = field(default_factory=list)
    read: int = 0
    outside: int = 0
    heights: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the plan, without the unplaced rows (they have a file of their own), as JSON."""
        tiles = [[*key, self.counts[key], self.tiles[key], self.guests.get(key, [])] for key in sorted(self.tiles)]
        about = {"tiles": tiles, "read": self.read, "outside": self.outside, "heights": self.heights}
        return json.dumps(about)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read what ``to_json`` wrote."""
        data = json.loads(text)
        plan = cls(read=data["read"], outside=data["outside"], heights=data["heights"])
        for col, row, count, slices, beside in data["tiles"]:
            plan.tiles[col, row] = [(name, batch) for name, batch in slices]
            plan.counts[col, row] = count
            if beside:
                plan.guests[col, row] = [(name, batch, index) for name, batch, index in beside]
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
    held: list[Held] = []
    lines: list[tuple[pa.Table, Placed]] = []
    dealer, read = Dealer(folder), 0
    for number, planned in enumerate(inputs.sources):
        delivered = 0
        for table, placed in ahead(placed_batches(inputs, planned, number, column_map)):
            delivered += len(table)
            dealer.set_aside(table, placed)
            marks = part_marks(table, planned.dialect, column_map)
            kept = table.drop_columns(["@problem", "@geometry"])
            kept = kept.append_column("@is_part", pa.array(marks.is_part))
            waits = marks.held
            waiting = hold(kept, placed, marks) if waits.any() else None
            if waiting is not None:
                held.append(waiting)
            is_line = _lines(kept) & ~waits
            if is_line.any():
                chosen = np.flatnonzero(is_line & placed.here)
                lines.append((kept.take(pa.array(chosen)), placed.take(chosen)))
            waits |= is_line
            dealer.write(kept, placed, np.flatnonzero(placed.inside & ~waits))
            dealer.write(kept, placed, np.flatnonzero(placed.near & ~placed.inside & ~waits), own=False)
        read += max(planned.source.info.feature_count or 0, delivered)
    if held:
        deal_parts(dealer, held)
    if lines:
        deal_lines(dealer, lines)
    doubles = write_covered(dealer, dealer.write_renamed())
    outside = read - sum(dealer.counts.values()) - sum(map(len, dealer.unplaced))
    return Plan(dealer.tiles, dealer.counts, guests(dealer.filed, doubles), dealer.unplaced, read, outside)


def _lines(table: pa.Table) -> Bool:
    """Say which rows are roof lines by themselves."""
    if "@line_alone" not in table.column_names:
        return np.zeros(len(table), dtype=bool)
    alone: Bool = table["@line_alone"].to_numpy(zero_copy_only=False)
    return alone
