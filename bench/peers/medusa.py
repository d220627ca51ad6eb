"""Medusa 2 on Postgres as a peer: migrated, with a user of its own, its stock in place, asked over its admin API."""

import contextlib
import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from bench.harness.load import Target
from bench.harness.processes import ServerFailedError
from bench.harness.stock import SPREAD_SKUS
from bench.peers import database
from bench.peers.base import UNITS, Ask, Recorded
from bench.peers.cluster import Cluster, free_port
from bench.peers.medusa_install import VERSION, installed
from bench.peers.web import call

PATH: Final = "/admin/reservations"
_DATABASE: Final = "medusa"
_MIGRATE_S: Final = 600.0
_READY_S: Final = 300.0
_STOP_S: Final = 20.0
_SETTLE_S: Final = 30.0
_LOOK_S: Final = 0.25
_PATIENCE_S: Final = 60
# What its own API writes for an item and its level; ten thousand calls of it would take ten minutes.
_FILL: Final = """
INSERT INTO inventory_item (id, sku)
SELECT 'iitem_' || sku, sku FROM (SELECT 'BENCH-' || lpad(n::text, 7, '0') AS sku FROM generate_series(0, {last}) n) s;
INSERT INTO inventory_level (
  id, inventory_item_id, location_id, stocked_quantity, raw_stocked_quantity, raw_reserved_quantity,
  raw_incoming_quantity
)
SELECT 'ilev_' || sku, id, '{location}', {units}, '{{"value": "{units}", "precision": 20}}',
  '{{"value": "0", "precision": 20}}', '{{"value": "0", "precision": 20}}'
FROM inventory_item;
ANALYZE inventory_item, inventory_level;
"""
_RESERVED: Final = "SELECT coalesce(sum(quantity), 0)::bigint FROM reservation_item WHERE deleted_at IS NULL"
_GONE: Final = "SELECT coalesce(sum(reserved_quantity), 0)::bigint FROM inventory_level"
_AVAILABLE: Final = """
SELECT (stocked_quantity - reserved_quantity)::bigint FROM inventory_level WHERE inventory_item_id = $1
"""


class Medusa:
    """One Node process, in production mode, with its event bus, cache and locks in memory, as it comes."""

    expires = False
    title = f"Medusa {VERSION}"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._folder = installed()
        self._log = cluster.scratch / "medusa.log"

    def __enter__(self) -> Self:
        database.execute(self._cluster.dsn("postgres"), f"CREATE DATABASE {_DATABASE}")
        self._dsn = self._cluster.dsn(_DATABASE)
        self._port = free_port()
        self._environment = os.environ | {
            "DATABASE_URL": self._cluster.url(_DATABASE),
            "NODE_ENV": "production",
            "PORT": str(self._port),
            "BENCH_SECRET": secrets.token_hex(16),
            "MEDUSA_DISABLE_TELEMETRY": "true",
        }
        email, password = "bench@holdfast.test", secrets.token_hex(16)
        self._finish("db:migrate")
        self._finish("user", "-e", email, "-p", password)
        with self._log.open("ab") as log:
            # A group of its own, so that whatever it starts ends with it.
            self._process = subprocess.Popen(
                [*self._command, "start"],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.url = f"http://127.0.0.1:{self._port}"
        try:
            self._wait_until_ready()
            self._stock(email, password)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def target(self) -> Target:
        """How it is put under load. It gives up on a request that has waited for five seconds for an item's lock."""
        script = Path(__file__).with_name("medusa.lua")
        return Target(PATH, script, (self._location, self._token), _PATIENCE_S, may_fail=True)

    def ask(self, number: int, ttl_s: int) -> Ask:  # noqa: ARG002  # its reservations have no deadline
        """Make a request for one unit."""
        body = {"inventory_item_id": _item(number), "location_id": self._location, "quantity": 1}
        return Ask(PATH, body, {"Authorization": f"Bearer {self._token}"})

    def put(self, number: int, units: int) -> None:
        """Set a level through its API."""
        path = f"/admin/inventory-items/{_item(number)}/location-levels/{self._location}"
        call(self.url + path, {"stocked_quantity": units}, self._token)

    def available(self, number: int) -> int:
        """Read the level."""
        found: int = database.value(self._dsn, _AVAILABLE, _item(number))
        return found

    def recorded(self) -> Recorded:
        """Add up its reservations, and what its levels say is reserved."""
        return Recorded(database.value(self._dsn, _RESERVED), database.value(self._dsn, _GONE))

    def settle(self) -> None:
        """Wait until it has finished the requests whose caller hung up, which it does not notice."""
        until, before = time.monotonic() + _SETTLE_S, -1
        while (now := self.recorded().reserved) != before and time.monotonic() < until:
            before = now
            time.sleep(_LOOK_S)

    @property
    def _command(self) -> list[str]:
        return ["node", str(self._folder / "node_modules" / ".bin" / "medusa")]

    def _finish(self, *words: str) -> None:
        done = subprocess.run(
            [*self._command, *words],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_MIGRATE_S,
            check=False,
        )
        if done.returncode:
            raise ServerFailedError(f"medusa {words[0]} failed: {(done.stderr + done.stdout)[-1000:]}")

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + _READY_S
        while True:
            with contextlib.suppress(OSError):
                call(f"{self.url}/health")
                return
            if self._process.poll() is not None or time.monotonic() > until:
                raise ServerFailedError(f"Medusa does not serve:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(_LOOK_S)

    def _stock(self, email: str, password: str) -> None:
        who: Any = msgspec.json.decode(call(f"{self.url}/auth/user/emailpass", {"email": email, "password": password}))
        self._token = str(who["token"])
        made: Any = msgspec.json.decode(call(f"{self.url}/admin/stock-locations", {"name": "main"}, self._token))
        self._location = str(made["stock_location"]["id"])
        # Two more than the load asks for: one to run out of, one for expiring holds elsewhere.
        script = _FILL.format(last=SPREAD_SKUS + 1, location=self._location, units=UNITS)
        database.execute(self._dsn, script)

    def _stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _item(number: int) -> str:
    return f"iitem_BENCH-{number:07d}"
