"""The command line, called in this process with a limit of time, or as a process of its own."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from citygen.cli import main


class TooLongError(Exception):
    """A call ran past its limit."""


def invoke(*argv: str, seconds: float = 60.0) -> tuple[int, str]:
    """Call ``citygen`` in this process; return the exit code and stderr. A traceback is raised, not swallowed."""

    def stop(*_: object) -> None:
        raise TooLongError(f"more than {seconds} s: citygen {' '.join(argv)}")

    err = io.StringIO()
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    began = time.monotonic()
    try:
        with (
            mock.patch.object(sys, "argv", ["citygen", *argv]),
            contextlib.redirect_stderr(err),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            main()
    except SystemExit as end:
        assert time.monotonic() - began < seconds  # also where the alarm fell on deaf ears
        return int(end.code or 0), err.getvalue()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    raise AssertionError("main returns by sys.exit alone")


def spawn(
    *argv: str, folder: Path, seconds: float = 120.0, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call ``citygen`` as a process in a folder."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("CITYGEN_")}
    return subprocess.run(
        [sys.executable, "-m", "citygen", *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**settings, **(environment or {})},
    )


def refusal(code: int, err: str) -> str:
    """Check that a call was refused in one line; return it."""
    assert code == 2, err
    assert "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: "), err
    assert len(last) > 20
    return last
