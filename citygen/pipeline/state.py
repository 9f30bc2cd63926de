"""
What a run remembers in ``OUT/.citygen``: the plan, and a record for each finished tile, so that a killed run goes on.

A record is one Parquet file, written beside and renamed, that carries the stamp of everything its tile depends on. A tile
is done when its record has the run's stamp and the files that it names are there. Deleting the folder loses only time.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from citygen.errors import OutputError
from citygen.formats.base import write_whole
from citygen.model.scene import TileEntry
from citygen.pipeline.plan import Plan
from citygen.version import __version__

FOLDER = ".citygen"


class State:
    """
    The state of one run.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    stamp : str
        Digest of everything that the result depends on.
    """

    def __init__(self, out: Path, stamp: str) -> None:
        self.out = out
        self.stamp = stamp
        self.folder = out / FOLDER

    @property
    def plan_folder(self) -> Path:
        """Where the plan's Arrow files lie."""
        return self.folder / "plan"

    def load_plan(self) -> Plan | None:
        """Return the plan of an interrupted run with this stamp, or None."""
        try:
            head = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if head.get("stamp") != self.stamp or not head.get("planned"):
            return None
        plan = Plan.from_json((self.folder / "plan.json").read_text(encoding="utf-8"))
        unplaced = self.folder / "unplaced.parquet"
        plan.unplaced = [pq.read_table(unplaced)] if unplaced.exists() else []
        return plan

    def start(self) -> None:
        """Make an empty state folder for this stamp."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)
        self.plan_folder.mkdir(parents=True)
        self._head(planned=False)

    def save_plan(self, plan: Plan) -> None:
        """Store a finished plan."""
        if plan.unplaced:
            pq.write_table(pa.concat_tables(plan.unplaced), self.folder / "unplaced.parquet")
        write_whole(self.folder / "plan.json", plan.to_json().encode())
        self._head(planned=True)

    def _head(self, *, planned: bool) -> None:
        head = {"stamp": self.stamp, "planned": planned, "citygen": __version__}
        write_whole(self.folder / "run.json", json.dumps(head).encode())

    def _record(self, col: int, row: int) -> Path:
        return self.folder / "tiles" / f"{col}_{row}.parquet"

    def save(self, key: tuple[int, int], records: pa.Table, entry: TileEntry | None, numbers: dict[str, Any]) -> None:
        """Store a finished tile's rows, tileset entry, counts and seconds."""
        path = self._record(*key)
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"stamp": self.stamp, "entry": None if entry is None else asdict(entry), **numbers}
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        pq.write_table(records.replace_schema_metadata({"citygen": json.dumps(about)}), beside, compression="zstd")
        beside.replace(path)

    def done(self, col: int, row: int) -> bool:
        """Say whether a tile is finished: its record has this stamp, and its file is there."""
        about = self._about(self._record(col, row))
        if about is None or about["stamp"] != self.stamp:
            return False
        return about["entry"] is None or not about["entry"]["uri"] or (self.out / about["entry"]["uri"]).is_file()

    @staticmethod
    def _about(path: Path) -> dict[str, Any] | None:
        try:
            metadata = pq.read_schema(path).metadata
        except (OSError, pa.ArrowInvalid):
            return None
        loaded: dict[str, Any] = json.loads(metadata[b"citygen"])
        return loaded

    def records(self) -> Iterator[tuple[pa.Table, TileEntry | None, dict[str, int]]]:
        """Yield rows, entry and counts of every finished tile, in the order of their keys."""
        folder = self.folder / "tiles"
        keys = sorted(_key(path) for path in folder.glob("*.parquet")) if folder.exists() else []
        for row, col in keys:
            path = self._record(col, row)
            about = self._about(path) or {}
            entry = TileEntry(**_tuples(about["entry"])) if about.get("entry") else None
            numbers = {"triangles": about["triangles"], "bytes": about["bytes"]}
            yield pq.read_table(path).replace_schema_metadata(None), entry, numbers


def _key(path: Path) -> tuple[int, int]:
    col, _, row = path.stem.partition("_")
    return int(row), int(col)


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def stamp_of(options: dict[str, Any], digests: dict[str, str], extra: dict[str, Any]) -> str:
    """
    Return the digest of everything that a result depends on.

    Parameters
    ----------
    options : dict
        Options that change the result.
    digests : dict
        SHA-256 of each input file.
    extra : dict
        Area, CRS, data in memory.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    text = json.dumps([__version__, options, sorted(digests.values()), extra], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def prepare_out(out: Path, stamp: str, *, resume: bool, overwrite: bool) -> State:
    """
    Open the output folder: new, to be resumed, or to be replaced.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    stamp : str
        Of this run.
    resume, overwrite : bool
        What the user allows.

    Returns
    -------
    State

    Raises
    ------
    OutputError
        When the folder holds something that is not ours, or another run and ``overwrite`` is off.
    """
    state = State(out, stamp)
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; give another folder with --out")
    present = sorted(p.name for p in out.iterdir()) if out.exists() else []
    if present:
        ours = (out / FOLDER / "run.json").is_file() or (out / "report.json").is_file()
        if not ours:
            raise OutputError(f"{out}: holds {present[0]!r} and no run of citygen; give an empty folder with --out")
        same = _same_run(out, stamp)
        if not (same and resume) and not overwrite:
            why = "of other inputs or options" if not same else "and --no-resume was given"
            raise OutputError(f"{out}: holds a run {why}; give --overwrite to replace it, or another --out")
        if not (same and resume):
            _remove_run(out)
    return state


def _same_run(out: Path, stamp: str) -> bool:
    try:
        head = json.loads((out / FOLDER / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(head.get("stamp") == stamp)


_OWN = ("tiles", "terrain", "cityjson", FOLDER)
_OWN_FILES = ("tileset.json", "buildings.parquet", "report.json", "preview.png")


def _remove_run(out: Path) -> None:
    """Remove what a run writes, by name, and nothing else."""
    for name in _OWN:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in _OWN_FILES:
        (out / name).unlink(missing_ok=True)
