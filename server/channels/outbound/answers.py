"""What a channel's answers change: a value is confirmed, refused, put off, or nobody knows.

An answer is about a key and the SKU that had it when it was sent. Where another SKU owns the key by now, it says what
the key shows, and neither clears nor makes a dead letter.
"""

from collections.abc import Callable

import structlog

from server.channels.connection.clock import Clock
from server.channels.outbound.catalogue import Catalogue
from server.channels.outbound.comparison import Mark
from server.channels.outbound.confirmations import Confirmations
from server.channels.outbound.in_flight import InFlight, Value
from server.channels.outbound.pending import Pending, Queue
from server.channels.outbound.resend_later import ResendLater
from server.channels.outbound.retry_policy import RESEND_AFTER_S
from server.domain.channels import Shown
from server.domain.components import sku_in
from server.telemetry import tracing
from server.telemetry.channel_metrics import ChannelMetrics

log = structlog.get_logger("holdfast.channel")


class Answers:
    """Applies answers to the state of one channel, whose components it shares.

    ``mark`` makes a key pending; ``queue`` returns where a value of a key waits.
    """

    def __init__(
        self,
        channel: str,
        catalogue: Catalogue,
        pending: Pending,
        resend_later: ResendLater,
        *,
        confirmations: Confirmations,
        mark: Mark,
        queue: Callable[[str, Value], Queue],
        clock: Clock,
        metrics: ChannelMetrics,
    ) -> None:
        self._channel = channel
        self._catalogue = catalogue
        self._dead_letters = catalogue.dead_letters
        self._pending = pending
        self._resend_later = resend_later
        self._confirmations = confirmations
        self._mark = mark
        self._queue = queue
        self._clock = clock
        self._metrics = metrics

    def confirmed(self, sent: InFlight, now_ms: int) -> None:
        """Record that the channel shows what was sent; what has changed since becomes pending."""
        sku, key, pending = sent.sku, sent.key, sent.pending
        result = sent.result
        before = self._catalogue.shown(key)
        kept = before.kept if before is not None else None  # no confirmation ends what comparisons have found
        shown = Shown(key, result.quantity, result.price, result.list_price, sent.seq, now_ms, pending.sold, kept, sku)
        self._catalogue.set_shown(key, shown)
        self._confirmations.last_ms = now_ms
        if sku in self._dead_letters:
            self._dead_letters.shown_under(sku, key)
        if sent.with_price:
            self._dead_letters.remove_price(sku, key)
        if pending.changed_ms:
            self._metrics.propagated(self._confirmations.add_lag(pending.changed_ms, now_ms))
        if tracing.confirmed is not None:
            tracing.confirmed(self._channel, sku, sent.seq, now_ms)
        self._pending.finish(key)
        if pending.maybe_applied:
            self._resend_later.add(key, pending.entry_id, self._clock.now_s() + RESEND_AFTER_S)
        # A price that had to stay behind, or what changed meanwhile: whatever is not as it should be goes next.
        if not self._catalogue.is_current(sent):
            self._mark(key, pending.entry_id, 0)
            self._hasten(sent)

    def refused(self, sent: InFlight, code: str, reason: str, now_ms: int) -> None:
        """Record that the channel does not take a value: it becomes a dead letter.

        If it carried a price, that may be the reason: only the price becomes one, and the quantity goes alone, at once.
        """
        if sent.with_price:
            self._refuse_price(sent, code, reason, now_ms)
            self.send_alone(sent)
            return
        self._pending.finish(sent.key)
        if self._catalogue.is_of_owner(sent):
            self._dead_letters.add_refused(sent, code, reason, now_ms)
            return
        # An answer about a SKU that has left the key counts for nobody.
        if self._catalogue.owners.owner(sent.key) is None and sent.key not in self._pending:
            log.warning(
                "channel_keeps_old_key",
                channel=self._channel,
                sku=sku_in(sent.sku),
                key=sent.key,
                code=code,
                reason=reason,
            )
            self._catalogue.set_shown(sent.key, None)
            self._catalogue.forget_left(sent.key)
        else:
            self._mark(sent.key, sent.pending.entry_id, 0, forced=True)
        self._hasten(sent)

    def price_refused(self, sent: InFlight, code: str, reason: str, now_ms: int) -> None:
        """Record that the channel shows the quantity, and does not take the price that came with it."""
        self._refuse_price(sent, code, reason, now_ms)
        self.confirmed(sent.without_price(), now_ms)

    def send_alone(self, sent: InFlight) -> None:
        """Send a quantity again at once, without the price that came with it."""
        pending = sent.pending
        pending.alone, pending.refusals, pending.not_before_s = True, 0, 0.0
        self.not_sent(sent, unknown=False)

    def retry(self, sent: InFlight, after_s: float) -> None:
        """Let a value wait that was not applied; its newest is sent after ``after_s`` seconds."""
        self._requeue(sent, after_s)

    def unknown(self, sent: InFlight, after_s: float) -> None:
        """Let a value wait that may or may not have been applied; it is sent whatever the channel shows."""
        sent.pending.maybe_applied = True
        self._requeue(sent, after_s, forced=True)

    def conflict(self, sent: InFlight, remote: int | None, after_s: float) -> None:
        """Record that the channel shows ``remote`` (None: unknown) instead of what was believed; let the value wait."""
        before, shown = self._catalogue.shown(sent.key), None
        if remote is not None:
            prices = (before.price, before.list_price) if before else ("", "")
            shown = Shown(sent.key, remote, *prices, 0, self._clock.store_ms(), sent.pending.sold, sku=sent.sku)
            sent.pending.forced = False  # now it is known what the channel shows
        self._catalogue.set_shown(sent.key, shown)
        log.warning(
            "channel_differs",
            channel=self._channel,
            sku=sku_in(sent.sku),
            key=sent.key,
            shows=remote,
            wanted=sent.value.quantity,
        )
        self._requeue(sent, after_s)

    def not_sent(self, sent: InFlight, *, unknown: bool) -> None:
        """Let a value wait after a push that failed as a whole; ``unknown``: it may have taken effect."""
        sent.pending.maybe_applied |= unknown
        queue = self._queue(sent.key, sent.value)
        # Its cadence has come already: a failure does not make it wait for the next one.
        self._pending.requeue(sent.key, Queue.READY if queue is Queue.CADENCE else queue, forced=unknown)

    # -- the details

    def _refuse_price(self, sent: InFlight, code: str, reason: str, now_ms: int) -> None:
        listing = self._catalogue.owners.stored(sent.sku)
        sold_at = (sent.key, sent.value.price, sent.value.list_price)
        if listing is not None and (listing.key, listing.price, listing.list_price) == sold_at:
            self._dead_letters.add_price(sent, listing, code, reason, now_ms)  # else another is on its way already

    def _hasten(self, sent: InFlight) -> None:
        """Look at the other key of a SKU that has left this one: it waits until its units are not shown twice."""
        listing = self._catalogue.owners.of(sent.sku)
        if listing is not None and listing.key != sent.key:
            self._mark(listing.key, sent.pending.entry_id, 0)

    def _requeue(self, sent: InFlight, after_s: float, *, forced: bool = False) -> None:
        due_s = self._clock.now_s() + after_s
        queue = Queue.DELAYED if after_s > 0 else Queue.READY
        self._pending.requeue(sent.key, queue, due_s=due_s, forced=forced).not_before_s = due_s
