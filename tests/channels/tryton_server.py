"""A real Tryton for tests, on a Postgres of its own; the fixture is in ``tests/channels/tryton/fixtures.py``.

``make test-real`` installs it into a virtual environment of its own, ``.venv/tryton``: 53 MB. Each run makes its
database anew, which takes a minute.
"""

import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import msgspec

from bench.peers import database as statements
from bench.peers.base import MissingError
from bench.peers.cluster import Cluster
from tests.channels import npm
from tests.channels.tryton.erp import Erp, Ids
from tests.support.stores import free_port, wait_until

TRYTON_TIMEOUT_S: Final = 900
SKUS: Final = tuple(f"ERP-{number:03}" for number in range(1, 41))
"""What the ERP has: each goods of its own."""
UNITS: Final = 100
"""In the warehouse, of each."""
LOGIN: Final = "admin"
HERE: Final = Path(__file__).parent / "tryton"
HOME: Final = Path(sys.prefix) / "tryton"
WORK_S: Final = 300.0
READY_S: Final = 60.0
END_S: Final = 20.0
_DATABASE: Final = "erp"


class TrytonServer:
    """A Tryton on a free port of 127.0.0.1; its database goes with the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.password = secrets.token_hex(16)
        self._uri = cluster.url("").rstrip("/")
        self._dsn = cluster.dsn("postgres")
        self._folder = cluster.scratch
        self._log, self._config = self._folder / "tryton.log", self._folder / "trytond.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self.erp = Erp(self.url, _DATABASE, LOGIN, self.password)

    def __enter__(self) -> Self:
        self._config.write_text(f"[database]\nuri = {self._uri}/\n\n[web]\nlisten = 127.0.0.1:{self._port}\n", "utf-8")
        secret = self._folder / "admin-password"
        secret.write_text(self.password, "utf-8")
        statements.execute(self._dsn, f"CREATE DATABASE {_DATABASE}")
        environment = {"TRYTONPASSFILE": str(secret)}
        self._finish(
            "trytond-admin", "-c", self._config, "-d", _DATABASE, "--all", "--email", "erp@example.com", **environment
        )
        self._finish("trytond-admin", "-c", self._config, "-d", _DATABASE, "-u", "stock", "--activate-dependencies")
        goods = (f"{sku}:{UNITS}" for sku in SKUS)
        uri = f"{self._uri}/{_DATABASE}"
        environment = {"TRYTOND_CONFIG": str(self._config), "TRYTOND_DATABASE_URI": uri}
        made = self._finish("python", HERE / "set_up.py", uri, self._config, *goods, **environment)
        self.erp.ids = msgspec.json.decode(made.strip().splitlines()[-1], type=Ids)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start it, and wait until it answers; at the same port as before."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [HOME / "bin" / "trytond", "-c", self._config, "-d", _DATABASE],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours; it is stopped when the tests have cleaned up
            )
        try:
            wait_until(self._is_over_or_ready, "Tryton is ready", READY_S)
            assert self._process.poll() is None, f"Tryton ended instead:\n{self._log.read_text('utf-8')[-3000:]}"
            self.erp.sign_in()
        except BaseException:
            self.end()
            raise

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(END_S)

    def end(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _is_over_or_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            return True
        body = json.dumps({"id": 1, "method": "common.server.version", "params": []}).encode()
        request = urllib.request.Request(f"{self.url}/rpc/", body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=1.0) as response:  # noqa: S310  # our own http://
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _finish(self, command: str, *words: str | Path, **environment: str) -> str:
        done = subprocess.run(
            [HOME / "bin" / command, *words],
            cwd=self._folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WORK_S,
            check=False,
        )
        assert done.returncode == 0, f"{command} failed: {(done.stderr + done.stdout)[-2000:]}"
        return done.stdout


@contextmanager
def running() -> Iterator[TrytonServer]:
    """Run an ERP that has :data:`SKUS`; skips, or fails in CI, where Tryton or Postgres cannot be had."""
    if not (HOME / "bin" / "trytond").exists():
        npm.unavailable("Tryton", "it is not installed; make test-real installs it")
    try:
        cluster = Cluster()
    except MissingError as error:
        npm.unavailable("Tryton", str(error))
    with cluster, TrytonServer(cluster) as server:
        yield server
