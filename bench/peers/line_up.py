"""The peers as running servers: Holdfast itself, Postgres, and Redis as in most examples."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from bench.harness import stock
from bench.harness.driver import drive
from bench.harness.load import RESERVE, Target
from bench.harness.processes import ServerProcess
from bench.harness.stores import connect
from bench.http import contestants
from bench.peers import database
from bench.peers.base import EXPIRY_SKU, RACE_SKU, UNITS, Ask, Peer, Recorded, holdfast_like
from bench.peers.cluster import Cluster
from bench.peers.postgres_forms import SCHEMA
from bench.peers.redis_server import hold_key, stock_key
from bench.peers.web import call
from server.domain.limits import DEFAULT_LOCATION
from server.domain.operations.stock import Count
from server.store.embedded.files import DataDirectory

_UNDER_LOAD: Final = range(stock.SPREAD_SKUS)
_FILL: Final = """
INSERT INTO stock (sku, location, available)
SELECT 'BENCH-' || lpad(n::text, 7, '0'), 'main', {units} FROM generate_series(0, {last}) n
"""
_VACUUM: Final = "VACUUM (ANALYZE) stock"
_PUT: Final = "UPDATE stock SET available = {units}, seq = seq + 1 WHERE sku = '{sku}'"
_RESERVED: Final = "SELECT coalesce(sum(quantity), 0)::bigint FROM reservation WHERE state = 'held'"
_GONE: Final = "SELECT sum({units} - available)::bigint FROM stock"
_AVAILABLE: Final = "SELECT available FROM stock WHERE sku = $1"


class _Plain:
    """What the peers of this module have in common: Holdfast's own bodies, and nothing left over when load ends."""

    expires = True

    @property
    def target(self) -> Target:
        """The load that Holdfast's own table is taken with."""
        return RESERVE

    def ask(self, number: int, ttl_s: int) -> Ask:
        """Make a request for one unit, as for Holdfast."""
        return holdfast_like(number, ttl_s)

    def settle(self) -> None:
        """Wait for nothing: the last requests of a load take less than starting the next."""


class Holdfast(_Plain):
    """``holdfast serve``: one worker, the embedded store, every answer after its fsync."""

    def __init__(self, url: str, socket: Path) -> None:
        self.url = url
        self._socket = socket

    def put(self, number: int, units: int) -> None:
        """Count a SKU."""
        counted = Count("", "local", "", stock.sku(number), DEFAULT_LOCATION, units)
        drive(self._socket, stock.commands([counted], 1), 1, stock.took_effect)

    def available(self, number: int) -> int:
        """Ask as a shop would."""
        found = msgspec.json.decode(call(f"{self.url}/v1/availability/{quote(stock.sku(number))}"))
        available: int = found["available"]
        return available

    def recorded(self) -> Recorded:
        """Count its records, each of one unit, and add up what its stock says is held."""
        with connect(self._socket) as client:
            return Recorded(int(client.hlen(stock.keyspace().reservations)), stock.held_units(client))


class Postgres(_Plain):
    """The Postgres peer: a database of its own in the cluster."""

    def __init__(self, url: str, dsn: str) -> None:
        self.url = url
        self._dsn = dsn

    def put(self, number: int, units: int) -> None:
        """Write what is available."""
        database.execute(self._dsn, _PUT.format(units=units, sku=stock.sku(number)))

    def available(self, number: int) -> int:
        """Read what is available."""
        found: int = database.value(self._dsn, _AVAILABLE, stock.sku(number))
        return found

    def recorded(self) -> Recorded:
        """Add up both tables."""
        reserved = database.value(self._dsn, _RESERVED)
        return Recorded(reserved, database.value(self._dsn, _GONE.format(units=UNITS)))


class NaiveRedis(_Plain):
    """The naive Redis peer."""

    def __init__(self, url: str, socket: Path) -> None:
        self.url = url
        self._socket = socket

    def fill(self) -> None:
        """Write the counters."""
        with connect(self._socket) as client:
            client.mset({stock_key(stock.sku(n)): UNITS for n in (*_UNDER_LOAD, RACE_SKU, EXPIRY_SKU)})

    def put(self, number: int, units: int) -> None:
        """Write a counter."""
        with connect(self._socket) as client:
            client.set(stock_key(stock.sku(number)), units)

    def available(self, number: int) -> int:
        """Read a counter."""
        with connect(self._socket) as client:
            return int(client.get(stock_key(stock.sku(number))) or 0)

    def recorded(self) -> Recorded:
        """Count the holds' keys, each of one unit, and add up what the counters lost."""
        with connect(self._socket) as client:
            counters = client.mget([stock_key(stock.sku(n)) for n in (*_UNDER_LOAD, RACE_SKU, EXPIRY_SKU)])
            holds = sum(1 for _ in client.scan_iter(match=hold_key("*"), count=10_000))
        return Recorded(holds, sum(UNITS - int(counter) for counter in counters))


@contextlib.contextmanager
def holdfast(folder: Path) -> Iterator[Peer]:
    """Start Holdfast with its stock in place."""
    data_dir = folder / "holdfast"
    with contestants.holdfast(data_dir, "durable", folder / "holdfast.log") as process:
        peer = Holdfast(process.url, DataDirectory(data_dir).socket)
        stock.fill_skus(DataDirectory(data_dir).socket, EXPIRY_SKU + 1)
        yield peer


@contextlib.contextmanager
def postgres(folder: Path, cluster: Cluster, how: str) -> Iterator[Peer]:
    """Start the Postgres peer on a new database, with its stock in place; ``how``: its form."""
    name = f"peer_{how}"
    main = cluster.dsn("postgres")
    database.execute(main, f"DROP DATABASE IF EXISTS {name}")
    database.execute(main, f"CREATE DATABASE {name}")
    dsn = cluster.dsn(name)
    database.execute(dsn, SCHEMA + _FILL.format(units=UNITS, last=EXPIRY_SKU))
    database.execute(dsn, _VACUUM)
    log = folder / f"{name}.log"
    with ServerProcess("bench.peers.postgres_server", dsn, how, log=log) as process:
        yield Postgres(process.url, dsn)


@contextlib.contextmanager
def naive_redis(folder: Path) -> Iterator[Peer]:
    """Start the naive Redis peer with its stock in place."""
    data_dir = folder / "redis"
    with ServerProcess("bench.peers.redis_server", str(data_dir), log=folder / "redis.log") as process:
        peer = NaiveRedis(process.url, DataDirectory(data_dir).socket)
        peer.fill()
        yield peer
