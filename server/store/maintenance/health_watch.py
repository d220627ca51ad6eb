"""Watches the store from the outside: does it answer, are its writes durable, how much space is left.

Every serving process checks for itself, whatever its role: another one that reaches the store must not hide that this
one cannot. It checks every few seconds through the patient client, far from the hot path.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from server.domain.channels import LEASE_S_MAX
from server.store.connection.clients import Durability, Nodes
from server.store.connection.commands import command, together
from server.store.connection.connect import address
from server.store.connection.required_settings import examine
from server.store.errors import StoreError, StoreUnavailableError
from server.store.keys import Keyspace
from server.store.repositories.restored import is_halted
from server.telemetry import metrics

log = structlog.get_logger("holdfast.store")

INTERVAL_S: Final = 5.0
ANSWER_S: Final = 3.0
"""A store that takes longer counts as unreachable; the client itself would wait longer."""
_SECTIONS: Final = ("server", "memory", "persistence", "replication", "cluster")
"""The sections of INFO that are read: all of INFO would be about three times as long."""


class StoreWatch:
    """Updates the gauges of the store, and logs a problem once, when it changes.

    Parameters
    ----------
    client
        The patient client.
    durability
        What the store must guarantee.
    hides_settings
        The store was not checked at the start (``HOLDFAST_STORE_CHECK=false``): refusing CONFIG is then no problem.
    is_here
        It runs on this machine, so that its disk can be measured.
    nodes
        For a cluster: returns a client of each node. The worst node counts, as its partitions depend on it.
    with_channels
        Returns the partitions that need a publisher.

    """

    def __init__(
        self,
        client: Redis,
        durability: Durability,
        *,
        hides_settings: bool = False,
        is_here: bool = False,
        nodes: Nodes | None = None,
        with_channels: Callable[[], Iterable[str]] = tuple,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._client = client
        self._durability: Durability = durability
        self._hides_settings = hides_settings
        self._is_here = is_here
        self._nodes = nodes
        self._with_channels = with_channels
        self._interval_s = interval_s
        self._problems: list[str] = []
        self._failing = False

    async def run(self) -> None:
        """Check again and again until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                self._failed(str(error))
            except Exception:
                log.exception("store_not_watched")
            await asyncio.sleep(self._interval_s)

    async def look(self) -> None:
        """Check once.

        Raises
        ------
        StoreUnavailableError
            The store does not answer, or is still loading; the gauges say that it is down.

        """
        try:
            async with asyncio.timeout(ANSWER_S):
                infos, problems = await self._examine()
                halted = await is_halted(self._client)
                missing = 0 if halted else await self._missing_publishers()
                folder = await self._folder()
        except TimeoutError:
            metrics.STORE_UP.set(0)
            raise StoreUnavailableError(
                f"The store has not answered for {ANSWER_S:g} s. Check that it is up and not overloaded."
            ) from None
        except BaseException:
            metrics.STORE_UP.set(0)
            raise
        metrics.STORE_UP.set(1)
        self._recovered()
        self._report_durable(problems)
        _report_memory(max(infos, key=_fullness))
        _report_disk(folder)
        metrics.PUBLISHER_MISSING_PARTITIONS.set(missing)
        metrics.RESTORE_HALTED.set(halted)

    async def _examine(self) -> tuple[list[Mapping[str, Any]], list[str]]:
        """Return the INFO of each node, and every problem with the durability of any of them."""
        if self._nodes is None:
            info, problems = await self._examine_one(self._client)
            return [info], problems
        nodes = await self._nodes()
        found = await asyncio.gather(*map(self._examine_one, nodes))
        return [info for info, _ in found], [
            f"{address(node.connection_pool)}: {problem}"
            for node, (_, problems) in zip(nodes, found, strict=True)
            for problem in problems
        ]

    async def _examine_one(self, node: Redis) -> tuple[Mapping[str, Any], list[str]]:
        return await examine(
            node,
            self._durability,
            sections=_SECTIONS,
            hidden_is_fine=self._hides_settings,
            clustered=self._nodes is not None,
        )

    async def _missing_publishers(self) -> int:
        """Count the partitions whose lease has run out, by the store's clock; a new store has no lease yet.

        A lease that claims more than the longest there is was taken by a clock that was fast, and nobody keeps it.
        """
        missing = 0
        # One by one: in a cluster they are on several nodes, each with its clock.
        for keys in map(Keyspace, sorted(self._with_channels())):
            until_ms, (seconds, _) = await together(self._client, [("HGET", keys.publisher, "until_ms"), ("TIME",)])
            missing += not 0 < int(until_ms or 0) - int(seconds) * 1000 <= 1000 * (LEASE_S_MAX + 1)
        return missing

    async def _folder(self) -> str:
        """Ask the store for its directory; empty: not on this machine, or not shown."""
        if not self._is_here:
            return ""
        try:
            answer: Mapping[Any, Any] = await command(self._client, "CONFIG GET", "dir")
        except StoreError:
            return ""  # that it answers at all was checked before
        return next((os.fsdecode(value) for value in answer.values()), "")

    def _report_durable(self, problems: list[str]) -> None:
        metrics.STORE_DURABLE.set(not problems)
        if problems and problems != self._problems:
            log.error("store_not_durable", problems=problems)
        elif self._problems and not problems:
            log.warning("store_durable_again")
        self._problems = problems

    def _failed(self, reason: str) -> None:
        if not self._failing:
            log.warning("store_away", reason=reason)
        self._failing = True

    def _recovered(self) -> None:
        if self._failing:
            log.warning("store_back")
        self._failing = False


def _report_memory(info: Mapping[str, Any]) -> None:
    used, limit = _memory(info)
    metrics.STORE_MEMORY_USED_BYTES.set(used)
    metrics.STORE_MEMORY_LIMIT_BYTES.set(limit)


def _memory(info: Mapping[str, Any]) -> tuple[int, int]:
    limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0))
    return int(info.get("used_memory", 0)), limit


def _fullness(info: Mapping[str, Any]) -> float:
    used, limit = _memory(info)
    return used / limit if limit else 0.0


def _report_disk(folder: str) -> None:
    try:
        disk = os.statvfs(folder) if folder else None
    except OSError:
        disk = None  # a socket of another container, whose directory is not visible here
    metrics.STORE_DISK_FREE_BYTES.set(disk.f_bavail * disk.f_frsize if disk else 0)
    metrics.STORE_DISK_SIZE_BYTES.set(disk.f_blocks * disk.f_frsize if disk else 0)
