"""A PostgreSQL server for the tests alone: in a scratch folder, on a socket there and a free loopback port, stopped at the end."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

PASSWORD = "p%40ss-w0rd!secret"


class MissingError(Exception):
    """The machine has no PostgreSQL, or no PostGIS."""


@dataclass(frozen=True)
class Server:
    """A running server; ``run`` talks to it as its owner."""

    folder: Path
    port: int

    def local(self, database: str = "city", **more: str) -> str:
        """Connection string over the socket, without a password."""
        return self._text(
            "postgresql://citygen@/", database, {"host": str(self.folder), "port": str(self.port), **more}
        )

    def remote(self, database: str = "city", password: str = PASSWORD, **more: str) -> str:
        """Connection string over TCP, with a password."""
        return self._text(f"postgresql://citygen:{quote(password, safe='')}@127.0.0.1:{self.port}/", database, more)

    @staticmethod
    def _text(start: str, database: str, given: dict[str, str]) -> str:
        return f"{start}{database}?" + "&".join(f"{k}={quote(v, safe='')}" for k, v in given.items())

    def run(self, *commands: str, database: str = "city") -> list[dict[str, Any]]:
        """Run commands; return the rows of the last."""
        from adbc_driver_postgresql import dbapi

        rows: list[dict[str, Any]] = []
        with dbapi.connect(self.local(database), autocommit=True) as connection:
            for command in commands:
                with connection.cursor() as cursor:
                    cursor.execute(command)
                    rows = cursor.fetch_arrow_table().to_pylist() if cursor.description else []
        return rows


@contextmanager
def server() -> Iterator[Server]:
    """Start one; raise ``MissingError`` where there is nothing to start."""
    programs = _programs()
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="citygen-pg-"))
    try:
        password = folder / "password"
        password.write_text(PASSWORD)
        for path in (folder, password):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        data, port = folder / "data", _free_port()
        _call(owner, programs / "initdb", "-D", data, "-U", "citygen", "-E", "UTF8", "--locale=C", "--no-sync",
              "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password}")  # fmt: skip
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=50"
        _call(owner, programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", folder / "log", "-o", options, "start")
        try:
            one = Server(folder, port)
            one.run("CREATE DATABASE city", "CREATE DATABASE plain", database="postgres")
            try:
                one.run("CREATE EXTENSION postgis", "CREATE EXTENSION hstore")
            except Exception as error:
                raise MissingError(f"PostgreSQL has no PostGIS: {error}") from error
            yield one
        finally:
            _call(owner, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the newest PostgreSQL."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]) if p.parts[-3].isdigit() else 0
    )
    named = shutil.which("initdb")
    if named:
        found.append(Path(named))
    for initdb in reversed(found):
        if (initdb.parent / "pg_ctl").exists():
            return initdb.parent
    raise MissingError("there is no initdb: install PostgreSQL and PostGIS (Debian: postgresql-15-postgis-3)")


def _owner() -> pwd.struct_passwd:
    """Return who runs the server: this user, or another one where this is root, as which PostgreSQL does not run."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise MissingError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _call(owner: pwd.struct_passwd, *words: object) -> None:
    other = {"user": owner.pw_uid, "group": owner.pw_gid} if os.geteuid() != owner.pw_uid else {}
    done = subprocess.run(
        [str(word) for word in words], cwd="/", check=False, timeout=120, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **other,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stderr.decode(errors='replace')[-500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
