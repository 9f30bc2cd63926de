"""
What a run remembers in ``OUT/.citygen``: the plan, and a record for each finished tile, so that a killed run goes on.

A record is one Parquet file, written beside and renamed, that carries the stamp of everything its tile depends on. A tile
is done when its record has the run's stamp and the files that it names are there, whole. Deleting the folder loses only time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from citygen.catalogue.records import SCHEMA
from citygen.errors import BuildError
from citygen.formats.base import write_whole
from citygen.model.scene import TileEntry
from citygen.pipeline.folder import STATE, check_folder, writing
from citygen.pipeline.plan import Plan
from citygen.version import __version__


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
        self.folder = out / STATE

    @property
    def plan_folder(self) -> Path:
        """Where the plan's Arrow files lie."""
        return self.folder / "plan"

    def same_run(self) -> bool:
        """Say whether the folder holds the state of a run with this stamp."""
        return self._read_head().get("stamp") == self.stamp

    def _read_head(self) -> dict[str, Any]:
        try:
            head = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return head if isinstance(head, dict) else {}

    def load_plan(self) -> Plan | None:
        """Return the plan of an interrupted run with this stamp, or None."""
        if not self.same_run() or not self._read_head().get("planned"):
            return None
        try:
            plan = Plan.from_json((self.folder / "plan.json").read_text(encoding="utf-8"))
            unplaced = self.folder / "unplaced.parquet"
            plan.unplaced = [pq.read_table(unplaced)] if unplaced.exists() else []
        except (OSError, ValueError, KeyError) as error:
            raise BuildError(f"{self.folder}: the plan of the interrupted run is damaged; give --overwrite") from error
        return plan

    def start(self) -> None:
        """Make an empty state for this stamp; the lock stays."""
        with writing(self.folder):
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != "lock":
                    path.unlink()
            self.plan_folder.mkdir(parents=True)
            self._head(planned=False)

    def save_plan(self, plan: Plan) -> None:
        """Store a finished plan."""
        with writing(self.folder):
            if plan.unplaced:
                pq.write_table(pa.concat_tables(plan.unplaced), self.folder / "unplaced.parquet")
            write_whole(self.folder / "plan.json", plan.to_json().encode())
            self._head(planned=True)

    def _head(self, *, planned: bool) -> None:
        head = {"stamp": self.stamp, "planned": planned, "citygen": __version__}
        write_whole(self.folder / "run.json", json.dumps(head).encode())

    def record_path(self, col: int, row: int) -> Path:
        """Return where the record of a finished tile lies."""
        return self.folder / "tiles" / f"{col}_{row}.parquet"

    def save(self, key: tuple[int, int], records: pa.Table, entry: TileEntry | None, about: dict[str, Any]) -> None:
        """
        Store a finished tile.

        Parameters
        ----------
        key : (int, int)
            Column and row.
        records : pyarrow.Table
            Its catalogue rows.
        entry : TileEntry or None
            For the tileset.
        about : dict
            ``triangles`` and ``files``: path below the output folder to size in bytes.
        """
        path = self.record_path(*key)
        head = {"stamp": self.stamp, "entry": None if entry is None else asdict(entry), **about}
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                pq.write_table(
                    records.replace_schema_metadata({"citygen": json.dumps(head)}),
                    beside,
                    compression="lz4",
                    use_dictionary=False,
                )
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)

    def extents(self, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], tuple[float, float, float, float]]:
        """
        Return the extents of what was built, tile by tile; tiles without buildings have none.

        Parameters
        ----------
        keys : iterable of (int, int)
            Finished tiles.

        Returns
        -------
        dict of (col, row) to (min x, min y, max x, max y)
            Working CRS.
        """
        found = {}
        for key in keys:
            about = self._about(self.record_path(*key))
            if about is not None and about.get("extent"):
                west, south, east, north = about["extent"]
                found[key] = (west, south, east, north)
        return found

    def done(self, col: int, row: int) -> bool:
        """Say whether a tile is finished: its record has this stamp, and its files are there with their sizes."""
        about = self._about(self.record_path(col, row))
        return about is not None and all(_size(self.out / name) == size for name, size in about["files"].items())

    def _about(self, path: Path) -> dict[str, Any] | None:
        """Return what a record says of itself; None where there is none of this run."""
        try:
            loaded: dict[str, Any] = json.loads(pq.read_schema(path).metadata[b"citygen"])
        except (OSError, pa.ArrowInvalid, ValueError, KeyError, TypeError):
            return None
        return loaded if loaded.get("stamp") == self.stamp else None

    def _terrain_path(self, level: int, col: int, row: int) -> Path:
        return self.folder / "terrain" / f"{level}_{col}_{row}.json"

    def save_terrain(self, result: Any) -> None:
        """Store a finished terrain tile (``pipeline.terrain.TerrainResult``)."""
        path = self._terrain_path(result.level, result.col, result.row)
        with writing(path):
            write_whole(path, json.dumps({"stamp": self.stamp, **asdict(result)}).encode())

    def terrain_of(self, level: int, col: int, row: int) -> dict[str, Any] | None:
        """Return what is known of a finished terrain tile of this run, its entry as a ``TileEntry``; None for others."""
        try:
            about = json.loads(self._terrain_path(level, col, row).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(about, dict) or about.get("stamp") != self.stamp:
            return None
        if about["entry"]:
            about["entry"] = TileEntry(**_tuples(about["entry"]))
        return about

    def terrain_done(self, level: int, col: int, row: int) -> bool:
        """Say whether a terrain tile is finished and its files are there with their sizes."""
        about = self.terrain_of(level, col, row)
        return about is not None and all(_size(self.out / name) == size for name, size in about["files"].items())

    def records(self, keys: Iterable[tuple[int, int]]) -> Iterator[tuple[pa.Table, TileEntry | None, dict[str, int]]]:
        """
        Yield rows, entry and counts (triangles, bytes) of tiles, in the order of row and column.

        Parameters
        ----------
        keys : iterable of (int, int)
            The plan's tiles; records of others are left alone.

        Raises
        ------
        BuildError
            When a tile has no record.
        """
        for col, row in sorted(keys, key=lambda key: (key[1], key[0])):
            path = self.record_path(col, row)
            about = self._about(path)
            if about is None:
                raise BuildError(f"{path}: the record of tile {col}_{row} is gone; run again to build it")
            entry = TileEntry(**_tuples(about["entry"])) if about["entry"] else None
            numbers = {"triangles": about["triangles"], "bytes": sum(about["files"].values())}
            # through the reader of one file: a folder's partitioning must not be guessed from its path
            yield pq.ParquetFile(path).read().cast(SCHEMA).replace_schema_metadata(None), entry, numbers


def _size(path: Path) -> int:
    """Return a file's size, -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _tuples(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}


def stamp_of(what: dict[str, Any]) -> str:
    """
    Return the digest of everything that a result depends on.

    Parameters
    ----------
    what : dict
        Options, sources in their order with the digests of their files, DEM, area, CRS: anything JSON can hold.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    text = json.dumps([__version__, what], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def prepare_out(out: Path, stamp: str, *, resume: bool, overwrite: bool) -> tuple[State, bool]:
    """
    Look at the output folder: new, to be resumed, or to be replaced. Nothing is changed.

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
    state : State
    replace : bool
        Whether an earlier run in it is to be removed once the plan stands.

    Raises
    ------
    OutputError
        When the folder holds something that is not ours, or another run and ``overwrite`` is off.
    """
    state = State(out, stamp)
    return state, check_folder(out, same=state.same_run(), resume=resume, overwrite=overwrite)
