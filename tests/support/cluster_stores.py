"""Several real store processes that belong together: a primary with replicas and sentinels, and a cluster of shards."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from server.store.embedded.binary import find_binary
from tests.support.stores import StoreProcess, free_port, redis7_binary, wait_until

SERVICE = "mymaster"
READY_S = 60.0
NODE_TIMEOUT_MS = 1_500
"""How long a node must be silent to count as gone; everything in a failover is a multiple of it."""
SLOTS = 16_384
_FAST_SYNC = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1"}


def binary(kind: str) -> Path:
    """Return the server of a kind, ``valkey`` or ``redis7``."""
    return find_binary().path if kind == "valkey" else redis7_binary()


def client(port: int) -> Any:
    """Open a blocking client that sends everything once."""
    return redis.Redis(port=port, retry=Retry(NoBackoff(), 0), socket_timeout=5.0)


def ask(port: int, *words: str | int | bytes) -> Any:
    """Send one command to the server that listens there."""
    with contextlib.closing(client(port)) as store:
        return store.execute_command(*words)


class Watched:
    """A primary, two replicas and three sentinels. ``link_ports`` replace the primary's port for its replicas."""

    def __init__(self, kind: str, *, link_port: int = 0, replicas: int = 2) -> None:
        self.kind = kind
        self.binary = binary(kind)
        self.stores: list[StoreProcess] = []
        self.sentinel_ports: list[int] = []
        self._sentinels: list[subprocess.Popen[bytes]] = []
        self._directory = Path(tempfile.mkdtemp(prefix="hf-sentinel-"))
        self._replicas = replicas
        self._link_port = link_port

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    @property
    def primary_port(self) -> int:
        """The port of the primary as the first sentinel knows it."""
        return int(ask(self.sentinel_ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    @property
    def primary(self) -> StoreProcess:
        return self.store_at(self.primary_port)

    def store_at(self, port: int) -> StoreProcess:
        return next(store for store in self.stores if store.port == port)

    def start(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self) -> None:
        settings = {**_FAST_SYNC, "min-replicas-to-write": "1", "min-replicas-max-lag": "5"}
        first = StoreProcess(self.binary, tcp=True, settings=settings).start()
        self.stores.append(first)
        for _ in range(self._replicas):
            replica = StoreProcess(self.binary, tcp=True, replicaof=first, settings=settings)
            self.stores.append(replica.start())
        wait_until(lambda: self.online_replicas(first) == self._replicas, "the replicas are online", READY_S)
        self.sentinel_ports = [free_port() for _ in range(3)]
        for port in self.sentinel_ports:
            self._sentinels.append(self._start_sentinel(port, first.port))
        wait_until(self._sentinels_know_all, "the sentinels know each other and the replicas", READY_S)

    def online_replicas(self, store: StoreProcess) -> int:
        """Count a store's replicas that are in step."""
        replication = ask(store.port, "INFO", "replication")
        return sum(
            facts.get("state") == "online"
            for name, facts in replication.items()
            if name.startswith("slave") and isinstance(facts, dict)
        )

    def _start_sentinel(self, port: int, primary_port: int) -> "subprocess.Popen[bytes]":
        config = self._directory / f"sentinel-{port}.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self._directory}\n"
            f"logfile {self._directory}/sentinel-{port}.log\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary_port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {NODE_TIMEOUT_MS}\n"
            f"sentinel failover-timeout {SERVICE} 6000\nsentinel parallel-syncs {SERVICE} 2\n"
        )
        return subprocess.Popen(
            [self.binary, config, "--sentinel"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _sentinels_know_all(self) -> bool:
        try:
            for port in self.sentinel_ports:
                with contextlib.closing(client(port)) as sentinel:
                    facts = sentinel.sentinel_master(SERVICE)
                    if facts["num-slaves"] < self._replicas or facts["num-other-sentinels"] < 2:
                        return False
                    if not facts["is_master"] or facts["is_sdown"]:
                        return False
        except redis.RedisError:
            return False
        return True

    def logs(self) -> str:
        """All that the sentinels said."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._directory.glob("*.log")))

    def close(self) -> None:
        for sentinel in self._sentinels:
            sentinel.send_signal(signal.SIGKILL)
            sentinel.wait(READY_S)
        for store in self.stores:
            store.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Shards:
    """A cluster of primaries, each with so many replicas."""

    def __init__(self, kind: str, *, shards: int = 3, replicas: int = 0) -> None:
        self.kind = kind
        self.binary = binary(kind)
        self.stores: list[StoreProcess] = []
        self._shards = shards
        self._replicas = replicas

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{store.port}" for store in self.stores[: self._shards])

    def start(self) -> Self:
        try:
            self.stores = [self._node() for _ in range(self._shards * (1 + self._replicas))]
            self._meet(self.stores)
            bounds = [SLOTS * number // self._shards for number in range(self._shards + 1)]
            for store, first, after in zip(self.stores, bounds, bounds[1:], strict=False):
                ask(store.port, "CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            wait_until(lambda: self._agree(self.stores), "the cluster is whole", READY_S)
            for number, replica in enumerate(self.stores[self._shards :]):
                ask(replica.port, "CLUSTER", "REPLICATE", self.id_of(self.stores[number % self._shards]))
            for replica in self.stores[self._shards :]:
                wait_until(lambda at=replica: self._in_step(at), "the replica is in step", READY_S)  # type: ignore[misc]
        except BaseException:
            self.close()
            raise
        return self

    def join(self) -> StoreProcess:
        """Add a node that has no slots yet."""
        store = self._node()
        self.stores.append(store)
        self._meet([self.stores[0], store])
        wait_until(lambda: len(self._nodes(store)) == len(self.stores), "the new node knows all", READY_S)
        wait_until(
            lambda: all(self.id_of(store) in self._nodes(each) for each in self.stores if each.running),
            "all know the new node",
            READY_S,
        )
        wait_until(lambda: self._agree([store]), "the new node sees the cluster whole", READY_S)
        return store

    def id_of(self, store: StoreProcess) -> str:
        return str(ask(store.port, "CLUSTER", "MYID").decode())

    def owner(self, partition: str) -> StoreProcess:
        """Return the node that has a partition's slot, as that node says itself."""
        slot = slot_of(partition)
        for store in self.stores:
            if store.running and any(
                int(first) <= slot <= int(last)
                for first, last in ((each[0], each[-1]) for each in self._nodes(store)[self.id_of(store)])
            ):
                return store
        raise AssertionError(f"no node has slot {slot}")

    def move(self, partition: str, target: StoreProcess) -> None:
        """Move a partition's slot as ``redis-cli --cluster reshard`` does: key by key, then notify every node."""
        slot, source = slot_of(partition), self.owner(partition)
        source_id, target_id = self.id_of(source), self.id_of(target)
        ask(target.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        ask(source.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while keys := ask(source.port, "CLUSTER", "GETKEYSINSLOT", slot, 1):
            ask(source.port, "MIGRATE", "127.0.0.1", target.port, keys[0], 0, 10_000)
        for store in (target, source, *(each for each in self.stores if each not in (source, target))):
            if store.running:
                with contextlib.suppress(redis.ResponseError):  # a replica learns it from its primary
                    ask(store.port, "CLUSTER", "SETSLOT", slot, "NODE", target_id)

    def _node(self) -> StoreProcess:
        settings = {
            **_FAST_SYNC,
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(NODE_TIMEOUT_MS),
            **({"min-replicas-to-write": "1"} if self._replicas else {}),
        }
        while True:
            store = StoreProcess(self.binary, tcp=True, settings=settings)
            if store.port < 55_000:  # its bus listens 10,000 higher
                return store.start()
            store.close()

    def _meet(self, stores: Sequence[StoreProcess]) -> None:
        for other in stores[1:]:
            ask(stores[0].port, "CLUSTER", "MEET", "127.0.0.1", other.port)
        for number, store in enumerate(stores, 1 + len(self.stores) if len(stores) == 2 else 1):
            with contextlib.suppress(redis.ResponseError):  # it has one already
                ask(store.port, "CLUSTER", "SET-CONFIG-EPOCH", number)

    def _agree(self, stores: Sequence[StoreProcess]) -> bool:
        return all(
            ask(store.port, "CLUSTER INFO")["cluster_state"] == "ok" and len(self._nodes(store)) == len(self.stores)
            for store in stores
        )

    def _in_step(self, replica: StoreProcess) -> bool:
        facts = ask(replica.port, "INFO", "replication")
        return bool(facts["role"] == "slave" and facts.get("master_link_status") == "up")

    def _nodes(self, store: StoreProcess) -> dict[str, list[list[str]]]:
        nodes = ask(store.port, "CLUSTER NODES")
        return {facts["node_id"]: facts["slots"] for facts in nodes.values()}

    def close(self) -> None:
        for store in self.stores:
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def slot_of(partition: str) -> int:
    """Return the slot of a partition's keys."""
    return key_slot(f"hf:{{{partition}}}:stock".encode())


@contextlib.contextmanager
def frozen(store: StoreProcess) -> Iterator[None]:
    """Stop a store from running, as a host that hangs does, and let it go on afterwards."""
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)
