"""Reads the store's slow log, and tells how long our functions ran inside the store.

The slow log has the calls that took at least ``slowlog-log-slower-than``: the embedded store notes them from
a millisecond on. It costs the hot path nothing. Shorter calls are not known one by one, and need not be.
"""

import asyncio
from collections import deque
from typing import Final

import structlog
from redis.asyncio import Redis

from server.store.connection.clients import Nodes
from server.store.connection.commands import command
from server.store.connection.connect_errors import address
from server.store.connection.slow_calls import KEPT_MAX, LIMIT_US, SlowCall, slow_calls
from server.store.errors import StoreError
from server.telemetry import metrics

log = structlog.get_logger("holdfast.store")

INTERVAL_S: Final = 5.0
KEPT_S: Final = 60.0
"""The longest call is that of the last minute."""


class SlowLog:
    """Follows the slow logs of a store, or of each node of a cluster.

    One process does it: several would each count what there is.
    """

    def __init__(self, client: Redis, nodes: Nodes | None = None, *, interval_s: float = INTERVAL_S) -> None:
        self._client = client
        self._nodes = nodes
        self._interval_s = interval_s
        self._newest: dict[str, int] = {}
        """The id of the newest entry that was read, by the address of the server."""
        self._recent: deque[tuple[float, SlowCall]] = deque()
        self._told: set[str] = set()
        self._problem = ""

    async def run(self) -> None:
        """Read again and again until cancelled."""
        while True:
            try:
                await self.look()
                self._problem = ""
            except StoreError as error:
                if not self._problem:
                    log.warning("slow_log_not_read", reason=str(error))
                self._problem = str(error)
            await asyncio.sleep(self._interval_s)

    async def look(self) -> None:
        """Read what is new, once.

        Raises
        ------
        StoreUnavailableError
            A server did not answer, or does not let us read its slow log.

        """
        now_s = asyncio.get_running_loop().time()
        for node in [self._client] if self._nodes is None else await self._nodes():
            for call in await self._new_calls(node):
                metrics.SCRIPT_SECONDS.labels(call.name).observe(call.microseconds / 1e6)
                self._recent.append((now_s, call))
                if call.microseconds > LIMIT_US:
                    log.warning("slow_call", function=call.name, milliseconds=call.microseconds / 1000)
        while self._recent and self._recent[0][0] < now_s - KEPT_S:
            self._recent.popleft()
        self._set_longest()

    async def _new_calls(self, node: Redis) -> list[SlowCall]:
        where = address(node.connection_pool)
        found = slow_calls(await command(node, "SLOWLOG", "GET", KEPT_MAX))
        newest, known = max((call.id for call in found), default=-1), self._newest.get(where)
        self._newest[where] = newest
        if known is None:  # what was there before is not of this minute, and another process may have told it
            await self._look_at_threshold(node, where)
            return []
        if newest < known:  # it was restarted, and counts from 0
            known = -1
        return [call for call in found if call.id > known and call.is_ours]

    async def _look_at_threshold(self, node: Redis, where: str) -> None:
        """Warn where the log would not show a call that is too long."""
        try:
            found = dict(await command(node, "CONFIG GET", "slowlog-log-slower-than"))
        except StoreError:
            return  # it hides its settings
        for threshold in found.values():
            if not 0 <= int(threshold) <= LIMIT_US:
                log.warning(
                    "slow_log_blind",
                    store=where,
                    slower_than_us=int(threshold),
                    advice="set slowlog-log-slower-than to 1000, or holdfast_script_seconds has only what is slower",
                )

    def _set_longest(self) -> None:
        longest: dict[str, int] = dict.fromkeys(self._told, 0)
        for _, call in self._recent:
            longest[call.name] = max(longest.get(call.name, 0), call.microseconds)
        self._told.update(longest)
        for name, microseconds in longest.items():
            metrics.SCRIPT_LONGEST_SECONDS.labels(name).set(microseconds / 1e6)
