"""An output folder before, during and after a run: whose it is, who works in it, and what of it may be removed."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from citygen.errors import OutputError
from citygen.formats.base import FORMATS
from citygen.formats.terrain import FOLDER as TERRAIN

STATE = ".citygen"
"""Folder of the state, below the output folder."""

_OWN_FILES = ("tileset.json", "buildings.parquet", "report.json", "preview.png")
_TILE = re.compile(r"-?\d+_-?\d+")


@contextlib.contextmanager
def writing(what: Path) -> Iterator[None]:
    """
    Turn what goes wrong with a file that is written into an error that names it.

    Parameters
    ----------
    what : pathlib.Path
        File or folder for the message.

    Raises
    ------
    OutputError
        For every ``OSError``: disk full, no permission, folder gone.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise OutputError(
            f"{what}: cannot be written: {why}; nothing is lost, run again when that is mended"
        ) from error


def check_folder(out: Path, *, same: bool, resume: bool, overwrite: bool) -> bool:
    """
    See whether a run may use an output folder.

    Parameters
    ----------
    out : pathlib.Path
        Output folder; it need not exist.
    same : bool
        Whether the state in it is that of the same inputs and options.
    resume, overwrite : bool
        What the user allows.

    Returns
    -------
    bool
        Whether an earlier run in it is to be replaced.

    Raises
    ------
    OutputError
        When it is a file or holds something that is not ours, or another run and ``overwrite`` is off.
    """
    with _readable(out):
        present = sorted(p.name for p in out.iterdir()) if out.exists() else []
    if not present or (present == [STATE] and not is_run(out)):  # new, or killed before it wrote anything
        return False
    if not is_run(out):
        raise OutputError(f"{out}: holds {present[0]!r} and no run of citygen; give an empty folder with --out")
    if same and resume:
        return False
    if not overwrite:
        kept = (out / STATE).exists()
        why = "and --no-resume was given" if same else "of other inputs or options" if kept else f"without its {STATE}"
        raise OutputError(f"{out}: holds a run {why}; give --overwrite to replace it, or another --out")
    return True


@contextlib.contextmanager
def _readable(out: Path) -> Iterator[None]:
    try:
        yield
    except NotADirectoryError as error:
        raise OutputError(f"{out}: is a file, or lies below one; give another folder with --out") from error
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be used: {error.strerror or error}; give another folder with --out"
        ) from error


def is_run(out: Path) -> bool:
    """Say whether a folder holds a run of citygen, finished or not."""
    return _has_key(out / STATE / "run.json") or _has_key(out / "report.json")


def _has_key(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and "citygen" in document


def remove_outputs(out: Path) -> None:
    """
    Remove what a run writes beside its state: files of our names, and folders that are empty then; nothing else.

    Parameters
    ----------
    out : pathlib.Path
        An output folder. Links to folders are not followed.
    """
    for name in _OWN_FILES:
        _remove(out / name)
    tiled = [(kind.folder, kind.suffix) for kind in FORMATS if kind.encode is not None]
    for folder, suffix in [*tiled, (TERRAIN, ".glb")]:
        if (out / folder).is_symlink():
            continue
        for level in sorted((out / folder).glob("*")):
            if level.is_dir() and not level.is_symlink() and level.name.removeprefix("-").isdigit():
                for path in level.iterdir():
                    if _is_tile(path.name, suffix):
                        _remove(path)
                _remove_empty(level)
        _remove_empty(out / folder)


def _is_tile(name: str, suffix: str) -> bool:
    """Say whether a name is that of a tile, or of one that was being written."""
    if name.startswith(".") and name.endswith(".part"):
        name = name[1 : -len(".part")].rstrip("0123456789").removesuffix(".")
    return name.endswith(suffix) and _TILE.fullmatch(name.removesuffix(suffix)) is not None


def _remove(path: Path) -> None:
    with writing(path):
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def remove_state(out: Path, *, fresh: bool) -> None:
    """
    Remove the state of a run that came to nothing, and the output folder when this run made it.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.
    fresh : bool
        Whether it did not exist before.
    """
    shutil.rmtree(out / STATE, ignore_errors=True)
    if not (out / "report.json").exists():
        with contextlib.suppress(OutputError):
            remove_outputs(out)
    if fresh:
        _remove_empty(out)


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """
    Hold an output folder, which is made when missing, against other runs; a process that dies gives it back.

    Parameters
    ----------
    out : pathlib.Path
        Output folder.

    Raises
    ------
    OutputError
        When another run works in it, when it cannot be written, or when something of a run's in it is a link: what is
        written there would land elsewhere. The folder itself may be one.
    """
    _refuse_links(out)
    path = out / STATE / "lock"
    with writing(out):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    with file:
        if not _take(file):
            raise OutputError(
                f"{out}: another run of citygen is working in this folder; wait for it, or give another --out"
            )
        yield


def _refuse_links(out: Path) -> None:
    """Refuse a folder in which something of ours is a link; names of others are looked at by ``check_folder``."""
    ours = {STATE, TERRAIN, *_OWN_FILES, *(kind.folder for kind in FORMATS if kind.encode is not None)}
    with _readable(out):
        todo = [out] if out.is_dir() else []
        while todo:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    top = Path(entry.path).parent == out
                    if (
                        top
                        and entry.name not in ours
                        and not (entry.name.startswith(".") and entry.name.endswith(".part"))
                    ):
                        continue
                    if entry.is_symlink():
                        raise OutputError(
                            f"{entry.path}: is a link, so that a run would write elsewhere; remove it, or give another --out"
                        )
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))


def _take(file: IO[bytes]) -> bool:
    """Lock a file for this process; False when another one has it."""
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
