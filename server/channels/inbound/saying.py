"""Sends the commands of one channel's outbox, and looks for those whose answer was lost."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

import structlog

from adapters.contract.adapter import Adapter
from adapters.contract.errors import ChannelError, ClosedError, CredentialsError, NotSentError, ThrottledError
from adapters.contract.http import COMMANDS, Exchange
from adapters.contract.orders import Acknowledge, CommandOutcome, Confirmation, Done, Order, Undecided
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.connection.faults import fault_of
from server.channels.inbound.lost_answers import decided
from server.channels.inbound.order_records import OrderRecords
from server.channels.inbound.outbox import RETRY_MS, Outbox, command_of
from server.channels.inbound.pace import WAIT_S_MAX, Pace
from server.channels.inbound.reading import Reading
from server.channels.inbound.words import failure, words_of
from server.domain.intake import OutboxEntry
from server.store.repositories.intake import IntakeWrites

log = structlog.get_logger("holdfast.intake")

UNKNOWN_MS: Final = 60_000
_WAIT_S_MIN: Final = 0.05
_CERTAIN: Final = (NotSentError, ThrottledError, CredentialsError, ClosedError)
"""Failures of a request after which the channel has done nothing for certain."""


class Saying:
    """Says what is in the outbox, one command after the other."""

    def __init__(
        self,
        channel: str,
        client: ChannelClient,
        outbox: Outbox,
        *,
        reading: Reading,
        records: OrderRecords,
        writes: IntakeWrites,
        pace: Pace,
        clock: Clock,
        erased: Callable[[Sequence[str]], Awaitable[Collection[str]]],
    ) -> None:
        self.wake = asyncio.Event()
        self._channel = channel
        self._client = client
        self._outbox = outbox
        self._reading = reading
        self._records = records
        self._writes = writes
        self._pace = pace
        self._clock = clock
        self._erased = erased

    async def next(self) -> float:
        """Send the command that is due next, or look for it if its answer was lost; return how long to wait then.

        Raises
        ------
        StoreError, OverloadedError, OutcomeUnknownError
            Nothing was sent, or what was sent is not written: it is looked for.

        """
        if (wait_s := self._pace.wait_s(COMMANDS)) > 0:
            return wait_s
        now_ms = self._clock.store_ms()
        entry = self._outbox.due(now_ms)
        if entry is None:
            due_ms = self._outbox.next_due_ms()
            return WAIT_S_MAX if due_ms is None else max(_WAIT_S_MIN, (due_ms - now_ms) / 1000)
        try:
            order = await self._reading.read(entry.order)
        except ChannelError as error:
            self._outbox.put_off(entry, failure(error), self._clock.store_ms(), _pause_ms(error))
        else:
            await self._about(entry, order)
        await self._writes.save()
        return 0.0

    async def _about(self, entry: OutboxEntry, order: Order | None) -> None:
        if order is None:
            self._outbox.put_off(entry, "the channel does not know the order", self._clock.store_ms(), UNKNOWN_MS)
        elif entry.state != "waiting":  # also one that was about to leave when the store was away
            self._outbox.looked(entry, self._found(entry, order), self._clock.store_ms())
        elif self._outbox.is_waiting(entry.id):  # not taken back meanwhile
            await self._send(entry, order)

    async def _send(self, entry: OutboxEntry, order: Order) -> None:
        command, requests = command_of(entry), [0]
        if not entry.erased and await self._erased([entry.order]):
            self._outbox.erase(entry.order)  # it was said after its order was erased
        sent = self._outbox.sending(entry, order, self._clock.store_ms())
        await (
            self._writes.save()
        )  # before it leaves: after a kill from now on it is looked for, and not just sent again

        def begin(adapter: Adapter) -> Exchange[CommandOutcome]:
            return _counted(adapter.command(command, order, self._clock.wall_s()), requests)

        try:
            outcome = await self._client.talk(begin)
        except ChannelError as error:
            now_ms = self._clock.store_ms()
            if requests[0] <= 1 and isinstance(error, _CERTAIN):
                self._outbox.not_sent(sent, failure(error), now_ms, _pause_ms(error))
            else:
                self._outbox.lost(sent, failure(error), now_ms)
            return
        settled = self._outbox.answered(sent, outcome, self._clock.store_ms())
        if isinstance(outcome, Done) and outcome.document:
            await self._records.paper(self._channel, entry, outcome.document, outcome.media_type)
        await self._records.said(self._channel, settled, words_of(outcome))
        if not isinstance(command, Acknowledge):  # that changes nothing of the order's lines
            self._reading.hint(entry.order)

    def _found(self, entry: OutboxEntry, order: Order) -> Confirmation:
        """Ask the adapter whether an order shows that a command was carried out."""
        command = command_of(entry)
        try:
            return decided(self._client.adapter.confirm(command, order), command, entry.before, order)
        except Exception as error:  # noqa: BLE001  # of an adapter's own
            # Its words, and those of a traceback, may hold personal data.
            log.error("command_not_confirmed", channel=self._channel, command=entry.name, **fault_of(error))  # noqa: TRY400
            return Undecided(reason=f"the adapter cannot tell ({type(error).__name__})")


def _counted(exchange: Exchange[CommandOutcome], requests: list[int]) -> Exchange[CommandOutcome]:
    """Count the requests of an exchange."""
    try:
        request = next(exchange)
        while True:
            requests[0] += 1
            try:
                answer = yield request
            except ChannelError as error:
                request = exchange.throw(error)
            else:
                request = exchange.send(answer)
    except StopIteration as stop:
        outcome: CommandOutcome = stop.value
        return outcome


def _pause_ms(error: ChannelError) -> int:
    return max(RETRY_MS, int(1000 * (error.after_s or 0.0)))
