"""Applies what a channel answered to each value that was sent: confirmed, refused, retried, or unknown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from adapters.contract.stock import Applied, Conflict, Outcome, Outcomes, PriceRejected, Rejected, Retry, Unknown
from server.channels.connection.clock import Clock
from server.channels.outbound.channel_state import ChannelState
from server.channels.outbound.in_flight import InFlight
from server.channels.outbound.open_tickets import OpenTickets
from server.channels.outbound.retry_policy import backoff_s, conflict_wait_s, is_given_up
from server.domain.channels import OpenTicket
from server.store.journal.journal import EntryId
from server.telemetry.channel_metrics import ChannelMetrics


class PushResults:
    """Updates a channel's state by its answers, and decides by the retry policy what is tried again and when."""

    def __init__(self, state: ChannelState, tickets: OpenTickets, clock: Clock, metrics: ChannelMetrics) -> None:
        self.channel = state.name
        self._state = state
        self._answers = state.answers
        self._tickets = tickets
        self._clock = clock
        self._metrics = metrics

    def apply(self, batch: Iterable[InFlight], outcomes: Outcomes) -> None:
        """Apply the outcome of each item; of one that is not named the result is unknown.

        It is sent again, and becomes a dead letter where answers do not name it time after time.
        """
        counted: dict[type[Outcome], int] = {}
        now_ms = self._clock.store_ms()
        for sent in batch:
            outcome = outcomes.get(sent.key, _NOT_NAMED)
            counted[type(outcome)] = counted.get(type(outcome), 0) + 1
            match outcome:
                case Applied():
                    self._answers.confirmed(sent, now_ms)
                case Rejected():
                    sent.pending.count_try(answered=True, refused=True)
                    self._answers.refused(sent, outcome.code, outcome.reason, now_ms)
                case PriceRejected():
                    sent.pending.count_try(answered=True)
                    self._answers.price_refused(sent, outcome.code, outcome.reason, now_ms)
                case Retry():
                    self._retry(sent, outcome, now_ms)
                case Conflict():
                    sent.pending.count_try(answered=True)
                    self._answers.conflict(sent, outcome.remote, conflict_wait_s(sent.pending.tries))
                case Unknown() if outcome is _NOT_NAMED:
                    self._not_named(sent, now_ms)
                case Unknown():
                    sent.pending.count_try(answered=False)
                    self._answers.unknown(sent, backoff_s(sent.pending.tries))
        for kind, items in counted.items():
            self._metrics.pushed(_RESULTS[kind], items)
        self._metrics.hand_over()

    def not_sent(self, batch: Iterable[InFlight], *, unknown: bool) -> None:
        """Let a batch wait again after a call that failed as a whole; ``unknown``: it may have taken effect."""
        for sent in batch:
            self._answers.not_sent(sent, unknown=unknown)
            self._metrics.pushed("unknown" if unknown else "failed")

    def accepted(self, ticket_id: str, batch: Sequence[InFlight], life_s: float) -> OpenTicket:
        """Record that the channel accepted a batch for later, and answers for it during ``life_s`` seconds."""
        self._metrics.pushed("accepted", len(batch))
        return self._tickets.open(ticket_id, batch, self._clock.store_ms(), life_s)

    def resume(self, ticket: OpenTicket, entry_id: EntryId) -> list[InFlight]:
        """Put in flight what an earlier publisher's ticket carries, and return it."""
        return self._state.resume_ticket(ticket, entry_id)

    def close_ticket(self, ticket_id: str) -> None:
        """Remove a ticket: all that it carried has its result."""
        self._tickets.close(ticket_id)

    def _not_named(self, sent: InFlight, now_ms: int) -> None:
        pending = sent.pending
        pending.count_try(answered=False, refused=True)
        if is_given_up(pending.refusals):
            reason = f"the channel's answer does not name it (sent {pending.refusals} times)"
            self._answers.refused(sent, "not_named", reason, now_ms)
        else:
            self._answers.unknown(sent, backoff_s(pending.tries))

    def _retry(self, sent: InFlight, outcome: Retry, now_ms: int) -> None:
        if outcome.after_s == 0:  # nothing against this one: another spoiled the push
            sent.pending.count_try(answered=True)
            self._answers.retry(sent, 0.0)
            return
        pending = sent.pending
        pending.count_try(answered=True, refused=True)
        if sent.with_price and not sent.is_price_only:  # the price may be what is put off
            self._answers.send_alone(sent)
        elif is_given_up(pending.refusals):
            reason = f"{outcome.reason} (tried {pending.refusals} times)"
            self._answers.refused(sent, outcome.code, reason, now_ms)
        else:
            self._answers.retry(sent, backoff_s(pending.tries) if outcome.after_s is None else outcome.after_s)


_NOT_NAMED: Final = Unknown("the answer does not name it")
_RESULTS: Final[Mapping[type[Outcome], str]] = {
    Applied: "applied",
    Rejected: "rejected",
    PriceRejected: "rejected",
    Retry: "retried",
    Conflict: "conflict",
    Unknown: "unknown",
}
