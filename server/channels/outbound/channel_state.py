"""The state of one channel: what it lists and has confirmed, what is pending and in flight, and its dead letters.

No waiting and no requests here: :mod:`server.channels.outbound.sender` sends what is :meth:`ChannelState.due`, and
:mod:`server.channels.outbound.push_results` reports what came of it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from adapters.contract.adapter import Capabilities
from server.channels.connection.clock import Clock
from server.channels.outbound.answers import Answers
from server.channels.outbound.catalogue import Catalogue
from server.channels.outbound.comparison import Comparison
from server.channels.outbound.confirmations import Confirmations
from server.channels.outbound.in_flight import CanSend, InFlight, Value, resumed
from server.channels.outbound.pending import Pending, PendingKey, Queue
from server.channels.outbound.relisting import Relisting
from server.channels.outbound.resend_later import ResendLater
from server.channels.outbound.selection import Selection
from server.channels.write_behind import ChannelWriteBehind
from server.domain.channels import ChannelRules, ChannelStatus, DeadLetter, Listing, OpenTicket, Shown
from server.domain.publishable import sold_pieces
from server.store.journal.journal import EntryId
from server.telemetry.channel_metrics import ChannelMetrics
from server.turns import in_turns

log = structlog.get_logger("holdfast.channel")


@dataclass
class SavedState:
    """What an earlier publisher stored of a channel; ``shown`` as it stands in the store."""

    shown: dict[str, Shown] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)


class ChannelState:
    """One channel's state; its name is that of its ``write_behind``.

    ``on_work`` is called whenever something has become pending.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        capabilities: Capabilities,
        write_behind: ChannelWriteBehind,
        clock: Clock,
        metrics: ChannelMetrics,
    ) -> None:
        self.name = write_behind.channel
        self.on_work: Callable[[], None] = lambda: None
        self._catalogue = catalogue
        self._pending = Pending()
        self._resend_later = ResendLater()
        self._dead_letters = catalogue.dead_letters
        self._confirmations = Confirmations()
        self._comparison = Comparison(
            catalogue, self._pending, channel=self.name, mark=self.key_changed, clock=clock, metrics=metrics
        )
        self._selection = Selection(
            catalogue, self._pending, self._dead_letters, capabilities=capabilities, clock=clock
        )
        self._relisting = Relisting(catalogue, self._pending, self._dead_letters, clock)
        self._clock = clock
        self._metrics = metrics
        self.answers = Answers(
            self.name,
            catalogue,
            self._pending,
            self._resend_later,
            confirmations=self._confirmations,
            mark=self.key_changed,
            queue=self._queue,
            clock=clock,
            metrics=metrics,
        )
        self._changes_its_number = capabilities.own_sale != "none"

    # -- beginning, and what others may know

    async def load(self, saved: SavedState) -> None:
        """Take over what an earlier publisher stored."""
        self._catalogue.load_shown(saved.shown)
        self._dead_letters.load(saved.dead_letters)
        await self._relisting.load(saved.listings)

    async def settle_loaded(self) -> None:
        """Put right what changed while nobody published; the stock must be known by now."""
        await self._relisting.settle_loaded()

    def forget_shown(self) -> list[Shown]:
        """Treat all that the channel shows as unknown, but for keys that nobody owns: return what is known of those."""
        return self._catalogue.forget_shown()

    def resume_status(self, status: ChannelStatus) -> None:
        """Take over from an earlier publisher's status when the channel last confirmed something."""
        self._confirmations.last_ms = status.last_confirmed_ms

    def status(self, publisher: str, now_ms: int) -> ChannelStatus:
        """Return the part of the channel's status that is known here."""
        oldest_ms = self._pending.oldest_changed_ms()
        lag_p50_s, lag_p99_s = self._confirmations.lags_s()
        return ChannelStatus(
            publisher=publisher,
            written_ms=now_ms,
            listings=len(self._catalogue),
            dirty=len(self._pending),
            in_flight=len(self._pending.in_flight()),
            oldest_unsent_s=max(0.0, (now_ms - oldest_ms) / 1000) if oldest_ms is not None else 0.0,
            last_confirmed_ms=self._confirmations.last_ms,
            dead_letters=len(self._dead_letters),
            refused_prices=self._dead_letters.price_count(),
            lag_p50_s=lag_p50_s,
            lag_p99_s=lag_p99_s,
            lists_all=self._catalogue.lists_all,
            quantity_max=self._catalogue.quantity_max,
            paused=self.is_paused,
        )

    def __len__(self) -> int:
        """Count the SKUs that have a listing of their own."""
        return len(self._catalogue)

    @property
    def lists_all(self) -> bool:
        """Whether a SKU without a listing is listed under its own name."""
        return self._catalogue.lists_all

    def keys(self) -> list[str]:
        """Return every key that the channel lists, or did until lately."""
        return self._catalogue.keys()

    def listing(self, key: str) -> Listing | None:
        """Return the listing that owns a key; None: nobody does, and nobody has left it."""
        return self._catalogue.listing(key)

    def in_flight(self) -> Collection[str]:
        """Return the keys that are in flight."""
        return self._pending.in_flight()

    def unsure(self) -> list[str]:
        """Return the keys of which a request may still take effect: in flight, or without an answer not long ago."""
        return sorted({*self._pending.unsure(), *self._resend_later.keys()})

    def is_pending(self, key: str) -> bool:
        """Return whether a key waits to be sent or is in flight."""
        return key in self._pending

    def pending_count(self) -> int:
        """Count the keys that wait to be sent or are in flight."""
        return len(self._pending)

    def dead_letter_skus(self) -> Collection[str]:
        """Return the SKUs that the channel does not take."""
        return self._dead_letters.skus()

    def oldest(self) -> EntryId | None:
        """Return the oldest journal id that is not confirmed for good; None: everything is."""
        ids = (self._pending.oldest(), self._resend_later.oldest())
        return min((each for each in ids if each is not None), default=None)

    @property
    def cadence_s(self) -> float:
        """How many seconds apart the channel is published to; 0: at once."""
        return self._catalogue.rules.cadence_s

    @property
    def reconcile_every_s(self) -> float:
        """How many seconds apart the channel is compared; 0: only when asked."""
        return self._catalogue.rules.reconcile_every_s

    @property
    def is_paused(self) -> bool:
        """Whether nothing is published to the channel now, because its rules say so."""
        return self._catalogue.rules.paused

    # -- what must be published

    def owners_of(self, listings: Mapping[str, Listing | None]) -> set[str]:
        """Return the SKUs that own keys which these listings want, and are not among them."""
        return self._relisting.owners_of(listings)

    def relist(self, listings: Mapping[str, Listing | None], left: Mapping[str, str], *, before: bool) -> list[str]:
        """Replace listings all at once, and return the keys to look at; see :meth:`Relisting.relist`."""
        return self._relisting.relist(listings, left, before=before)

    def changed(
        self, sku: str, entry_id: EntryId, changed_ms: int, *, forced: bool = False, maybe_applied: bool = False
    ) -> None:
        """Make the keys of a SKU pending where its stock or the rules have changed what the channel should show.

        ``changed_ms`` 0: it was no change of stock. ``maybe_applied``: another publisher may have sent a value that
        has not yet taken effect.
        """
        owners = self._catalogue.owners
        listing = owners.of(sku)
        if listing is None:
            self._relisting.find_implicit_rival(sku)
        else:
            self._look_at(listing, entry_id, changed_ms, forced=forced, maybe_applied=maybe_applied)
        for each in owners.holding(sku):
            self._look_at(each, entry_id, changed_ms, forced=forced, maybe_applied=maybe_applied)

    def key_changed(
        self, key: str, entry_id: EntryId, changed_ms: int, *, forced: bool = False, maybe_applied: bool = False
    ) -> None:
        """Make a key pending where it should show something else; as :meth:`changed`."""
        listing = self._catalogue.listing(key)
        if listing is not None:
            self._look_at(listing, entry_id, changed_ms, forced=forced, maybe_applied=maybe_applied)

    def _look_at(
        self, listing: Listing, entry_id: EntryId, changed_ms: int, *, forced: bool, maybe_applied: bool
    ) -> None:
        key, value = listing.key, self._catalogue.value(listing)
        if not forced and key not in self._pending and self._catalogue.is_shown(listing, value):
            return
        # The time of a change lies ahead where the store's clock was fast: what waits must not look as if it did not.
        now_ms = self._clock.store_ms()
        changed_ms = min(changed_ms, now_ms)
        pending = self._pending.add(key, entry_id, changed_ms, self._queue(key, value), forced=forced)
        pending.maybe_applied |= maybe_applied
        pending.since_ms = pending.since_ms or changed_ms or now_ms
        self.on_work()

    def sold_there(self, sku: str, units: int) -> None:
        """Note a sale of the channel's own; fewer units than none: it took some back. :meth:`changed` follows.

        It has changed its own number, so ours is sent again even where it is the same as before. Of several keys
        nobody knows under which it was sold.
        """
        if not self._changes_its_number:
            return
        for listing in self._catalogue.owners.all_of(sku):
            sold = sold_pieces(listing, sku, units)
            self._catalogue.add_own_sale(listing.key, sold)
            self._pending.sold(listing.key, sold)

    def shows_unknown(self, key: str) -> None:
        """Note that nobody knows what the channel shows under a key. :meth:`key_changed` follows."""
        if self._changes_its_number:
            self._catalogue.add_own_sale(key, 0)
            self._pending.sold(key, 0)

    def names_at(self, key: str) -> list[str]:
        """Return what the listing that owns a key is known by: its SKU, or the name of a pack or bundle; else none."""
        listing = self._catalogue.listing(key)
        return [] if listing is None else [listing.sku]

    def skus_under(self, key: str) -> list[str]:
        """Return the SKUs of which the listing that owns a key has pieces."""
        listing = self._catalogue.owners.owner(key)
        if listing is None:
            return []
        return [each.sku for each in listing.components] or [listing.sku]

    def falls_to_zero(self, sku: str) -> bool:
        """Return whether the channel lists a SKU, shows units of it or may, and should show none."""
        return any(
            self._catalogue.shows_stock(each.key) and self._catalogue.value(each).quantity == 0
            for each in self._catalogue.owners.all_of(sku)
        )

    async def changed_all(self, entry_id: EntryId, *, forced: bool = False, maybe_applied: bool = False) -> None:
        """Compare every key, yielding to other tasks; ``forced``: all of them become pending."""
        async for key in in_turns(self.keys()):
            self.key_changed(key, entry_id, 0, forced=forced, maybe_applied=maybe_applied)

    async def use_rules(self, rules: ChannelRules, entry_id: EntryId, *, forced: bool = False) -> None:
        """Work by other rules from now on."""
        self._catalogue.rules = rules
        self._pending.release_cadence()
        await self.changed_all(entry_id, forced=forced, maybe_applied=forced)

    def retry_dead_letters(self, skus: Iterable[str], entry_id: EntryId) -> list[str]:
        """Make those SKUs that are dead letters pending, with their packs and bundles, and return what they are."""
        asked = dict.fromkeys(each for sku in skus for each in self._catalogue.owners.known_with(sku))
        retried = [each for each in asked if each in self._dead_letters or self._dead_letters.has_price(each)]
        for sku in retried:
            if sku in self._dead_letters:
                self._dead_letters.remove(sku)
            self._dead_letters.remove_price(sku)
            listing = self._catalogue.owners.of(sku)
            if listing is not None:
                self._comparison.begin_anew(listing.key)
            self.changed(sku, entry_id, 0, forced=True)
        return retried

    def resend_due(self, now_s: float) -> None:
        """Make pending what an older request may have overwritten, once that request must be over."""
        while (overdue := self._resend_later.take(now_s)) is not None:
            self.key_changed(*overdue, 0, forced=True)

    # -- what a comparison finds

    def confirmed_values(self, listings: Iterable[Listing]) -> dict[str, Shown | None]:
        """Return, by key, what the channel has confirmed of those listings that are not pending."""
        return self._comparison.confirmed_values(listings)

    def is_unchanged(self, listing: Listing, before: Shown | None) -> bool:
        """Return whether a listing is not pending and still has the confirmed value of before."""
        return self._comparison.is_unchanged(listing, before)

    def compare(self, listing: Listing, shows: int | None, entry_id: EntryId, *, log_it: bool) -> bool:
        """Compare what a channel shows with what it should, and correct it; returns whether it differed."""
        return self._comparison.compare(listing, shows, entry_id, log_it=log_it)

    # -- what is sent

    @property
    def awaits_cadence(self) -> bool:
        """Whether something waits for the channel's cadence."""
        return self._pending.awaits_cadence

    def release_cadence(self) -> None:
        """Let everything go that waits for the channel's cadence."""
        self._pending.release_cadence()

    def next_due_s(self) -> float:
        """Return when something falls due that waits now; infinity: nothing does."""
        return min(self._pending.next_due_s(), self._resend_later.next_due_s())

    def due(self, items_max: int, now_s: float, can_send: CanSend) -> list[InFlight]:
        """Put in flight what goes into the next push, the most urgent first."""
        return self._selection.due(items_max, now_s, can_send)

    def divided(self, batch: Sequence[InFlight]) -> Iterator[list[InFlight]]:
        """Go through the pushes that are to be sent at once for one that an unnamed item spoiled, newest values."""
        for part in self._selection.divided(batch):
            fresh = self._selection.refreshed(part)
            if fresh:
                yield fresh

    def refreshed(self, batch: Sequence[InFlight]) -> list[InFlight]:
        """Return items in flight that were not sent yet with their newest quantities."""
        return self._selection.refreshed(batch)

    def companions(self, entry_id: EntryId) -> Iterator[InFlight]:
        """Go through a few items that may accompany a push: the channel has confirmed them, and nothing is new."""
        return self._selection.companions(entry_id)

    def accompany(self, companion: InFlight) -> None:
        """Put a companion in flight."""
        self._pending.put_in_flight(companion.key, companion.pending)

    # -- what came of it

    def retry(self, sent: InFlight, after_s: float) -> None:
        """Let a value wait that was not applied; its newest is sent after ``after_s`` seconds."""
        self.answers.retry(sent, after_s)

    def interrupted(self) -> None:
        """Make everything pending that is in flight, after a fault that left its result unknown."""
        for key in list(self._pending.in_flight()):
            self._pending.requeue(key, Queue.READY, forced=True).maybe_applied = True

    def resume_ticket(self, ticket: OpenTicket, entry_id: EntryId) -> list[InFlight]:
        """Put in flight what an earlier publisher's ticket carries, and return it."""
        batch = []
        for item in ticket.items:
            if item.key in self._pending.in_flight():
                continue
            pending = PendingKey(entry_id, item.changed_ms)
            self._pending.put_in_flight(item.key, pending)
            batch.append(resumed(item, pending, self._catalogue.rules))
        return batch

    # -- the details

    def _queue(self, key: str, value: Value) -> Queue:
        """Return how soon a value is to go: a fall to zero at once and first.

        What the channel may have sold out by itself waits for no cadence, or nobody could buy what is left.
        """
        if value.quantity == 0 and self._catalogue.shows_stock(key):
            return Queue.URGENT
        if self._catalogue.is_sold_out_there(key):
            return Queue.READY
        return Queue.CADENCE if self._catalogue.rules.cadence_s else Queue.READY
