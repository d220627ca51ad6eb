"""The last span of a request's trace: from a change in the journal to each channel's own confirmation."""

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

import structlog

from server.store.connection.connect import StoreClient
from server.store.errors import StoreError
from server.store.keys import Keyspace
from server.store.repositories.traces import recall
from server.telemetry import tracing
from server.telemetry.tracing import Tracing

log = structlog.get_logger("holdfast.tracing")

WAITING_MAX: Final = 10_000
"""Past that, confirmations are not traced: updating the channels comes first."""
TRACED_MAX: Final = 10_000


class _Confirmation(NamedTuple):
    channel: str
    sku: str
    seq: int
    at_ms: int


class Follower:
    """Makes the last span of each trace. ``partitions`` has the partition of each channel by its name."""

    def __init__(self, client: StoreClient, making: Tracing, partitions: Mapping[str, str]) -> None:
        self._client = client
        self._tracing = making
        self._keyspaces = {channel: Keyspace(partition) for channel, partition in partitions.items()}
        self._waiting: asyncio.Queue[_Confirmation] = asyncio.Queue(WAITING_MAX)
        self._traced: dict[tuple[str, str], int] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        tracing.confirmed = self._confirmed
        try:
            while True:
                await self._follow(await self._waiting.get())
        finally:
            tracing.confirmed = None

    def _confirmed(self, channel: str, sku: str, seq: int, at_ms: int) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(_Confirmation(channel, sku, seq, at_ms))

    async def _follow(self, each: _Confirmation) -> None:
        """Report every traced change that the confirmed value rests on, once."""
        newest_traced = self._traced.get((each.channel, each.sku), 0)
        try:
            traced = await recall(self._client, self._keyspaces[each.channel], each.sku)
        except StoreError as error:
            log.debug("trace_not_followed", reason=str(error))
            return
        for change in traced:
            if newest_traced < change.seq <= each.seq:
                self._tracing.published(
                    each.channel,
                    each.sku,
                    change.seq,
                    parent=change.traceparent,
                    from_ms=change.at_ms,
                    to_ms=each.at_ms,
                )
                self._remember(each, change.seq)

    def _remember(self, each: _Confirmation, seq: int) -> None:
        self._traced.pop((each.channel, each.sku), None)
        self._traced[each.channel, each.sku] = seq
        if len(self._traced) > TRACED_MAX:
            self._traced.pop(next(iter(self._traced)))
