"""A real Medusa for tests, on a Postgres of its own; the fixture is in ``tests/channels/medusa/fixtures.py``.

The first run installs it into ``.cache`` of the checkout: 1,064 packages, 680 MB, two minutes. Each run makes its
database anew and takes a minute to begin, so these tests have a lane of their own: ``make test-real``.
"""

import os
import secrets
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from bench.peers.base import MissingError
from bench.peers.cluster import Cluster
from tests.channels import npm
from tests.channels.medusa.shop import Shop
from tests.support.stores import free_port, wait_until

MEDUSA_TIMEOUT_S: Final = 1_200
SKUS: Final = tuple(f"M-{number:03}" for number in range(1, 101))
"""What the shop sells, each a variant of its own with nothing in stock."""
EMAIL: Final = "admin@example.com"
HERE: Final = Path(__file__).parent / "medusa"
INSTALL_S: Final = 900.0
MIGRATE_S: Final = 300.0
READY_S: Final = 120.0
END_S: Final = 20.0
_DATABASE: Final = "postgres"
"""The one that a new cluster has; nothing else is in it."""


class MedusaServer:
    """A Medusa on a free port of 127.0.0.1; its database goes with the cluster."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self._folder = folder
        self._log = cluster.scratch / "medusa.log"
        self.url = f"http://127.0.0.1:{free_port()}"
        self._environment = os.environ | {
            "DATABASE_URL": cluster.url(_DATABASE),
            "MEDUSA_DISABLE_TELEMETRY": "true",
            "MEDUSA_SECRET": secrets.token_hex(16),
            "NODE_ENV": "production",
        }
        self._password = secrets.token_hex(16)
        self.shop = Shop(self.url, EMAIL, self._password)

    def __enter__(self) -> Self:
        self._finish("db:migrate")
        self._finish("user", "-e", EMAIL, "-p", self._password)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "start", "-H", "127.0.0.1", "-p", self.url.rpartition(":")[2]],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours; it is stopped when the tests have cleaned up
            )
        try:
            wait_until(lambda: self._process.poll() is not None or self._is_ready(), "Medusa is ready", READY_S)
            assert self._process.poll() is None, f"Medusa ended instead:\n{self._log.read_text('utf-8')[-3000:]}"
            self.shop.sign_in()
            self.shop.set_up(SKUS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _command(self) -> list[str]:
        return ["node", str(self._folder / "node_modules" / "@medusajs" / "cli" / "cli.js")]

    def _finish(self, *words: str) -> None:
        done = subprocess.run(
            [*self._command, *words],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MIGRATE_S,
            check=False,
        )
        assert done.returncode == 0, f"medusa {words[0]} failed: {(done.stderr + done.stdout)[-2000:]}"

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1.0) as response:  # noqa: S310  # our own http://
                return bool(response.status == 200)
        except OSError:
            return False


def cache() -> Path:
    """Return the checkout's own folder for what is large and can be installed again."""
    folder = Path(__file__).parents[2] / ".cache"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def running() -> Iterator[MedusaServer]:
    """Run a shop that sells :data:`SKUS`; skips, or fails in CI, where Medusa or Postgres cannot be had."""
    shop = npm.Shop("Medusa", HERE, cache(), INSTALL_S, node="20.19", files=("medusa-config.js",))
    folder = npm.installed(shop)
    try:
        cluster = Cluster()
    except MissingError as error:
        npm.unavailable("Medusa", str(error))
    with cluster, MedusaServer(folder, cluster) as server:
        yield server
