"""Reads orders of one channel whole: those that are due by its schedule, and those that something is said about."""

import asyncio
from typing import Final

import structlog
from msgspec.structs import replace

from adapters.contract.errors import ChannelError, UnreadableOrderError
from adapters.contract.http import ORDERS
from adapters.contract.orders import Order
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.inbound.in_order import all_of
from server.channels.inbound.pace import WAIT_S_MAX, Pace
from server.channels.inbound.schedule import Schedule
from server.channels.inbound.taking import UNKNOWN_THERE, UNREADABLE, Taking
from server.channels.inbound.words import failure
from server.domain.intake import ToRead
from server.store.repositories.intake import IntakeWrites

log = structlog.get_logger("holdfast.intake")

AT_ONCE: Final = 4
"""Orders of one channel that are read at a time: one that answers slowly still tells many a second."""
UNKNOWN_MAX: Final = 8
"""Looks at an order that the channel does not know, before that is shown: a webhook can come before the order."""


class Reading:
    """Reads orders, and has them taken in."""

    def __init__(
        self,
        channel: str,
        client: ChannelClient,
        *,
        schedule: Schedule,
        taking: Taking,
        writes: IntakeWrites,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self.wake = asyncio.Event()
        self._channel = channel
        self._client = client
        self._schedule = schedule
        self._taking = taking
        self._writes = writes
        self._pace = pace
        self._clock = clock

    def hint(self, order: str) -> None:
        """Have an order read now; whoever saves next makes that durable."""
        self._schedule.hint(order, self._clock.store_ms())
        self.wake.set()

    def look_at(self, order: str) -> None:
        """Have an open order read now that somebody has moved here, and see how far it is here."""
        wanted = self._schedule.get(order)
        if wanted is not None:
            self._schedule.put(order, replace(wanted, due_ms=self._clock.store_ms(), reason="open"))
            self.wake.set()

    async def next(self) -> float:
        """Read the orders that are due next; return how long to wait then.

        Raises
        ------
        StoreError, OverloadedError, OutcomeUnknownError
            One may not be booked; it is read again.

        """
        if (wait_s := self._pace.wait_s(ORDERS)) > 0:
            return wait_s
        now_ms = self._clock.store_ms()
        due = self._due(now_ms)
        if not due:
            due_ms = self._schedule.next_due_ms()
            return WAIT_S_MAX if due_ms is None else (due_ms - now_ms) / 1000
        await all_of(self._read_due(key, seen) for key, seen in due.items())
        await self._writes.save()
        return 0.0

    def _due(self, now_ms: int) -> dict[str, ToRead]:
        """Take the orders that are due; while the channel is probed, one shows whether it answers again."""
        due: dict[str, ToRead] = {}
        most = 1 if self._client.circuit_breaker.probing else AT_ONCE
        while len(due) < most:
            key = self._schedule.take_due(now_ms)
            seen = self._schedule.get(key) if key is not None else None
            if key is None or seen is None:
                break
            due[key] = seen
        return due

    async def _read_due(self, key: str, seen: ToRead) -> None:
        is_settled = is_unreadable = False
        try:
            # Where the channel has told of a change, what is new of it says enough.
            if await self.read(key, whole=seen.reason != "hint") is None:
                await self._put_off_unknown(key)
            is_settled = True
        except ChannelError as error:
            log.info("order_not_read", channel=self._channel, order=key, reason=failure(error))
            is_unreadable = isinstance(error, UnreadableOrderError)
        finally:
            if not is_settled:
                self._schedule.failed(key, seen, self._clock.store_ms())
        if is_unreadable:
            await self._enter(key, UNREADABLE)

    async def read(self, key: str, *, whole: bool = False) -> Order | None:
        """Read an order from the channel and take it in; None: the channel does not know it. As :meth:`next` raises.

        ``whole``: see how far it is here, too.
        """
        asked_s = self._clock.now_s()
        order = await self._client.talk(lambda adapter: adapter.fetch_order(key, self._clock.wall_s()))
        if order is not None:
            await self._taking.take(order, asked_s=asked_s, whole=whole, is_read=True)
        return order

    async def _put_off_unknown(self, key: str) -> None:
        """Put off an order that the channel does not know: it may come late, or be nobody's."""
        seen = self._schedule.get(key)
        if seen is None:
            return
        self._schedule.failed(key, seen, self._clock.store_ms())
        failed = self._schedule.get(key)
        if failed is not None and failed.tries >= UNKNOWN_MAX:
            await self._enter(key, UNKNOWN_THERE)

    async def _enter(self, key: str, inbox: str) -> None:
        """Show an order in the inbox that cannot be read, unless a person has left it alone."""
        wanted = self._schedule.get(key)
        if wanted is not None and not wanted.ignored:
            self._schedule.put(key, replace(wanted, inbox=inbox, reason="inbox"))
            await self._taking.enter(key, inbox)
