"""A Postgres of the bench's own in a temporary directory: as Debian ships it, every commit on the disk."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.harness.processes import ServerFailedError
from bench.peers.base import MissingError

_INSTALL: Final = "apt-get install postgresql"
_DEBIAN: Final = Path("/usr/lib/postgresql")
_WORK_S: Final = 60.0
_USER: Final = "holdfast_bench"
_CONNECTIONS_MAX: Final = 100


class Cluster:
    """One Postgres server, with its defaults (``fsync`` and ``synchronous_commit`` on) but for where it listens.

    Root may not run Postgres, so root runs it as the user ``postgres``, whom the package brings.
    """

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._user = _unprivileged()

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-pg-"))
        self._password = secrets.token_hex(16)
        self._port = free_port()
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "immediate", "-w")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def version(self) -> str:
        """Its name and version, as people call it."""
        said = subprocess.run([self._binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
        return f"Postgres {said.stdout.split()[2]}"

    def dsn(self, database: str) -> str:
        """Name a database over the Unix socket."""
        return f"postgresql://{_USER}:{self._password}@/{database}?host={self._folder}&port={self._port}"

    def url(self, database: str) -> str:
        """Name a database over TCP, for clients that want a host."""
        return f"postgresql://{_USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    @property
    def scratch(self) -> Path:
        """A folder for logs, which goes when the cluster goes."""
        return self._folder

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _start(self) -> None:
        secret, log = self._folder / "password", self._folder / "log"
        secret.write_text(self._password)
        secret.chmod(0o600)
        if self._user is not None:
            for path in (self._folder, secret):
                shutil.chown(path, self._user)
        common = ("-D", str(self._data))
        self._run(
            "initdb", *common, "-U", _USER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"
        )
        where = f"-k {self._folder} -p {self._port} -c listen_addresses=127.0.0.1 -c max_connections={_CONNECTIONS_MAX}"
        self._run("pg_ctl", "start", *common, "-w", "-l", str(log), "-o", where)

    def _run(self, command: str, *words: str) -> None:
        # What the server inherits must not hold a pipe of ours open, so output goes into a file.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [self._binaries / command, *words],
                user=self._user,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=_WORK_S,
                check=False,
            )
            if done.returncode:
                said.seek(0)
                raise ServerFailedError(f"{command} failed: {said.read().decode('utf-8', 'replace')}")


def _binaries() -> Path:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    binaries = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not binaries:
        raise MissingError(f"Postgres is missing: {_INSTALL}")
    return binaries[-1].parent


def _unprivileged() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise MissingError(f"root may not run Postgres, and there is no user postgres: {_INSTALL}") from None


def free_port() -> int:
    """Find a port at which no process listens now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
