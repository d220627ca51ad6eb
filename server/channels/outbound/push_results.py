"""What came of each value that was sent: confirmed, refused, to be tried again, or unknown."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog

from adapters.contract.stock import Applied, Conflict, Outcome, Outcomes, Rejected, Retry, Unknown
from server.channels.connection.clock import Clock
from server.channels.outbound.channel_state import ChannelState
from server.channels.outbound.in_flight import Flight, Value
from server.channels.outbound.pending import PendingSku, Queue
from server.channels.write_behind import ChannelRecords
from server.domain.channels import DeadLetter, Listing, OpenTicket, Shown
from server.store.journal.journal import EntryId
from server.telemetry import tracing
from server.telemetry.channel_metrics import ChannelMetrics

log = structlog.get_logger("holdfast.channel")

REFUSALS_MAX: Final = 8
"""So often an item is tried that the channel says to try again; then it is a dead letter."""
RETRY_S: Final = (1.0, 300.0)
"""Between the tries of one item: the first and the longest."""
SECOND_THOUGHT_S: Final = 60.0
"""A request without an answer may still take effect at the channel after a newer one that was sent since; so the value
is sent once more when it must be over."""


class PushResults:
    """Brings a book up to date with what a channel answered."""

    def __init__(self, book: ChannelState, records: ChannelRecords, clock: Clock, metrics: ChannelMetrics) -> None:
        self.channel = book.name
        self._book = book
        self._records = records
        self._clock = clock
        self._metrics = metrics

    def settle(self, flights: Iterable[Flight], outcomes: Outcomes) -> None:
        """Learn what came of each flight; one that is not named has an unknown fate."""
        counted: dict[type[Outcome], int] = {}
        now_ms = self._clock.store_ms()
        for flight in flights:
            outcome = outcomes.get(flight.key, _NOT_NAMED)
            counted[type(outcome)] = counted.get(type(outcome), 0) + 1
            flight.mark.tries += 1
            match outcome:
                case Applied():
                    self._applied(flight, now_ms)
                case Rejected():
                    self._refused(flight, outcome.code, outcome.reason)
                case Retry():
                    self._retry(flight, outcome)
                case Conflict():
                    self._conflict(flight, outcome)
                case Unknown():
                    flight.mark.doubtful = True
                    self._book.again(flight, self._backoff_s(flight.mark), forced=True)
        for kind, items in counted.items():
            self._metrics.pushed(_RESULTS[kind], items)
        self._metrics.hand_over()

    def not_sent(self, flights: Iterable[Flight], *, unknown: bool) -> None:
        """Let flights wait again after a call that failed as a whole; ``unknown``: it may have taken effect."""
        for flight in flights:
            flight.mark.doubtful |= unknown
            queue = self._book.queue(flight.sku, flight.value)
            # Its turn has come already: a failure does not make it wait for the next one.
            self._book.marks.put_back(flight.sku, Queue.READY if queue is Queue.CADENCE else queue, forced=unknown)
            self._metrics.pushed("unknown" if unknown else "failed")

    def accepted(self, ticket_id: str, flights: Sequence[Flight], life_s: float) -> OpenTicket:
        """Note that the channel took a push for later."""
        now_ms = self._clock.store_ms()
        items = [flight.ticket_item() for flight in flights]
        ticket = OpenTicket(ticket_id, now_ms, now_ms + int(1000 * life_s), items)
        self._book.tickets[ticket_id] = ticket
        self._records.ticket(ticket_id, ticket)
        for _ in flights:
            self._metrics.pushed("accepted")
        return ticket

    def resume(self, ticket: OpenTicket, entry_id: EntryId) -> list[Flight]:
        """Take over a ticket of an earlier publisher: its SKUs are on their way."""
        flights = []
        for item in ticket.items:
            if item.sku in self._book.marks.flying:
                continue
            mark = PendingSku(entry_id, item.changed_ms)
            self._book.marks.fly_again(item.sku, mark)
            value = Value(item.quantity, item.price, item.list_price)
            listing = Listing(item.sku, item.key)
            flights.append(Flight(item.sku, item.key, value, item.seq, mark, True, None, listing, self._book.rules))
        self._book.tickets[ticket.id] = ticket
        return flights

    def close_ticket(self, ticket_id: str) -> None:
        """Forget a ticket: all that it carried is settled."""
        del self._book.tickets[ticket_id]
        self._records.ticket(ticket_id, None)

    def _applied(self, flight: Flight, now_ms: int) -> None:
        sku, mark = flight.sku, flight.mark
        quantity, price, list_price = flight.result
        self._book.note_shown(sku, Shown(flight.key, quantity, price, list_price, flight.seq, now_ms))
        self._book.last_confirmed_ms = now_ms
        if sku in self._book.dead_letters:
            self._book.bury(sku, None)
        if mark.changed_ms:
            lag_s = max(0.0, (now_ms - mark.changed_ms) / 1000)
            self._book.lags_s.append(lag_s)
            self._metrics.propagated(lag_s)
        if tracing.confirmed is not None:
            tracing.confirmed(self.channel, sku, flight.seq, now_ms)
        self._book.marks.land(sku)
        if mark.doubtful:
            self._book.doubts.add(sku, mark.entry_id, self._clock.now_s() + SECOND_THOUGHT_S)
        # A price that had to stay behind, or rules that changed on the way: whatever is not as it should be goes next.
        if not self._book.is_as_flown(flight):
            self._book.changed(sku, mark.entry_id, 0)

    def _refused(self, flight: Flight, code: str, reason: str) -> None:
        book, sku = self._book, flight.sku
        if sku in book.listings and book.listings[sku].key != flight.key:
            # Its old key, which was to be emptied before the new one is used.
            book.marks.land(sku)
            book.note_shown(sku, None)
            book.changed(sku, flight.mark.entry_id, 0, forced=True)
            return
        now_ms, before = self._clock.store_ms(), book.dead_letters.get(sku)
        letter = DeadLetter(
            flight.sku,
            flight.key,
            flight.value.quantity,
            code,
            reason,
            attempts=flight.mark.tries + (before.attempts if before else 0),
            first_ms=before.first_ms if before else now_ms,
            last_ms=now_ms,
            seq=flight.seq,
        )
        self._book.bury(flight.sku, letter)
        log.warning(
            "channel_dead_letter", channel=self.channel, sku=flight.sku, key=flight.key, code=code, reason=reason
        )
        self._book.marks.land(flight.sku)

    def _retry(self, flight: Flight, outcome: Retry) -> None:
        flight.mark.attempt += 1
        if outcome.after_s == 0:  # nothing against this one: another spoiled the push
            self._book.again(flight, 0.0)
            return
        flight.mark.refusals += 1
        if flight.mark.refusals >= REFUSALS_MAX:
            self._refused(flight, outcome.code, f"{outcome.reason} (tried {flight.mark.refusals} times)")
        else:
            self._book.again(flight, self._backoff_s(flight.mark) if outcome.after_s is None else outcome.after_s)

    def _conflict(self, flight: Flight, outcome: Conflict) -> None:
        flight.mark.attempt += 1
        before = self._book.shown.get(flight.sku)
        shown = None
        if outcome.remote is not None:
            prices = (before.price, before.list_price) if before else ("", "")
            shown = Shown(flight.key, outcome.remote, *prices, 0, self._clock.store_ms())
            flight.mark.forced = False  # now it is known what the channel shows
        self._book.note_shown(flight.sku, shown)
        told = {"sku": flight.sku, "shows": outcome.remote, "wanted": flight.value.quantity}
        log.warning("channel_differs", channel=self.channel, **told)
        self._book.again(flight, 0.0 if flight.mark.tries < REFUSALS_MAX else self._backoff_s(flight.mark))

    def _backoff_s(self, mark: PendingSku) -> float:
        first_s, longest_s = RETRY_S
        return random.uniform(first_s / 2, min(longest_s, first_s * 2 ** min(mark.tries, 20)))  # noqa: S311  # spread


_NOT_NAMED: Final = Unknown("the answer does not name it")
_RESULTS: Final[Mapping[type[Outcome], str]] = {
    Applied: "applied",
    Rejected: "rejected",
    Retry: "retried",
    Conflict: "conflict",
    Unknown: "unknown",
}
