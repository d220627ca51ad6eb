"""Watches the store from the outside: does it answer, does it keep what it acknowledges, how much room has it left.

Every serving process looks for itself, whatever its role: one that cannot reach the store must not be told well by
another that can. It looks every few seconds through the patient client, far from the hot path.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from server.store.connection.clients import Durability, Nodes
from server.store.connection.commands import command, together
from server.store.connection.connect import address
from server.store.connection.required_settings import examine
from server.store.errors import StoreError, StoreUnavailableError
from server.store.keys import Keyspace
from server.telemetry import metrics

log = structlog.get_logger("holdfast.store")

INTERVAL_S: Final = 5.0
ANSWER_S: Final = 3.0
"""A store that takes longer to answer is as good as away; the client itself would wait patiently."""
_SECTIONS: Final = ("server", "memory", "persistence", "replication", "cluster")
"""Of INFO: all of it would be some three times as long to read."""


class StoreWatch:
    """Keeps the gauges of the store up to date, and logs what is wrong with it once, when it changes.

    Parameters
    ----------
    client
        The patient client.
    durability
        What the store has to keep.
    hides_settings
        It was not checked at the start (``HOLDFAST_STORE_CHECK=false``): one that refuses CONFIG is then no fault.
    is_here
        It runs on this machine, so that its disk can be looked at.
    nodes
        Of a cluster: gives a client of each node. The worst of them counts: what is on it is what its partitions have.
    with_channels
        Partitions that somebody has to publish.

    """

    def __init__(
        self,
        client: Redis,
        durability: Durability,
        *,
        hides_settings: bool = False,
        is_here: bool = False,
        nodes: Nodes | None = None,
        with_channels: Sequence[str] = (),
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._client = client
        self._durability: Durability = durability
        self._hides_settings = hides_settings
        self._is_here = is_here
        self._nodes = nodes
        self._with_channels = [Keyspace(partition) for partition in with_channels]
        self._interval_s = interval_s
        self._problems: list[str] = []
        self._failing = False

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                self._failed(str(error))
            except Exception:
                log.exception("store_not_watched")
            await asyncio.sleep(self._interval_s)

    async def look(self) -> None:
        """Look once.

        Raises
        ------
        StoreUnavailableError
            The store does not answer, or is still loading; the gauges say that it is down.

        """
        try:
            async with asyncio.timeout(ANSWER_S):
                infos, problems = await self._examine()
                missing = await self._missing_publishers()
                folder = await self._folder()
        except TimeoutError:
            metrics.STORE_UP.set(0)
            raise StoreUnavailableError(f"The store has not answered for {ANSWER_S:g} s.") from None
        except BaseException:
            metrics.STORE_UP.set(0)
            raise
        metrics.STORE_UP.set(1)
        self._recovered()
        self._tell_durable(problems)
        _tell_memory(max(infos, key=_fullness))
        _tell_disk(folder)
        metrics.PUBLISHER_MISSING_PARTITIONS.set(missing)

    async def _examine(self) -> tuple[list[Mapping[str, Any]], list[str]]:
        """Give what INFO says on each node, and what keeps any of them from keeping its promises."""
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
        """Count the partitions whose lease has run out, by the store's clock; a store that is new has none yet."""
        missing = 0
        for keys in self._with_channels:  # one by one: in a cluster they are on several nodes, each with its clock
            until_ms, (seconds, _) = await together(self._client, [("HGET", keys.publisher, "until_ms"), ("TIME",)])
            missing += int(until_ms or 0) <= int(seconds) * 1000
        return missing

    async def _folder(self) -> str:
        """Ask the store where it writes; empty: not here, or it does not say."""
        if not self._is_here:
            return ""
        try:
            answer: Mapping[Any, Any] = await command(self._client, "CONFIG GET", "dir")
        except StoreError:
            return ""  # whether it answers at all was seen before
        return next((os.fsdecode(value) for value in answer.values()), "")

    def _tell_durable(self, problems: list[str]) -> None:
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


def _tell_memory(info: Mapping[str, Any]) -> None:
    used, limit = _memory(info)
    metrics.STORE_MEMORY_USED_BYTES.set(used)
    metrics.STORE_MEMORY_LIMIT_BYTES.set(limit)


def _memory(info: Mapping[str, Any]) -> tuple[int, int]:
    limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0))
    return int(info.get("used_memory", 0)), limit


def _fullness(info: Mapping[str, Any]) -> float:
    used, limit = _memory(info)
    return used / limit if limit else 0.0


def _tell_disk(folder: str) -> None:
    try:
        disk = os.statvfs(folder) if folder else None
    except OSError:
        disk = None  # a socket that reaches us from another container: its folder is not ours to see
    metrics.STORE_DISK_FREE_BYTES.set(disk.f_bavail * disk.f_frsize if disk else 0)
    metrics.STORE_DISK_SIZE_BYTES.set(disk.f_blocks * disk.f_frsize if disk else 0)
