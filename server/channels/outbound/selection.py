"""Chooses what goes into a channel's next push, and what has to wait for reasons of its own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from adapters.contract.adapter import Capabilities
from adapters.contract.limits import PerItem
from server.channels.connection.clock import Clock
from server.channels.outbound.catalogue import NEVER, Catalogue
from server.channels.outbound.dead_letters import DeadLetters
from server.channels.outbound.in_flight import CanSend, InFlight, Value
from server.channels.outbound.pending import Pending, PendingKey, Queue
from server.domain.channels import Listing
from server.store.journal.journal import EntryId

COMPANIONS_TRIED: Final = 8
"""Listings that may accompany a push: with one item they make thirty different bodies."""

OLD_KEY_S: Final = 1.0
"""How long units that are shown under an old key keep the new one waiting, until both are looked at again."""

_Chosen = tuple[Listing, Value]


class Selection:
    """Chooses from the pending SKUs of one channel, whose components it shares with the channel's state."""

    def __init__(
        self,
        catalogue: Catalogue,
        pending: Pending,
        dead_letters: DeadLetters,
        *,
        capabilities: Capabilities,
        clock: Clock,
    ) -> None:
        self._catalogue = catalogue
        self._pending = pending
        self._dead_letters = dead_letters
        self._is_whole = capabilities.result == "whole"
        self._limits_items = any(isinstance(limit, PerItem) for limit in capabilities.limits)
        self._clock = clock
        self._price_groups = 0

    def due(self, items_max: int, now_s: float, can_send: CanSend) -> list[InFlight]:
        """Put in flight what goes into the next push, the most urgent first.

        Where one bad item refuses all, a push has quantities or prices, never both: prices go while no quantity waits.
        """
        send, in_flight = self._pending.send, self._catalogue.in_flight
        chosen = self._choose(self._pending.sendable(now_s), items_max, now_s, can_send)
        if chosen:
            quantities = []
            for listing, value in chosen:
                pending = send(listing.key)
                priced = NEVER if self._is_whole or pending.price_group else can_send
                quantities.append(in_flight(listing, value, pending, priced))
            return quantities
        chosen = self._choose(self._pending.prices(), items_max, now_s, can_send, prices=True)
        return [in_flight(listing, value, send(listing.key), can_send) for listing, value in chosen]

    def _choose(
        self,
        waiting: Iterable[tuple[str, PendingKey]],
        items_max: int,
        now_s: float,
        can_send: CanSend,
        *,
        prices: bool = False,
    ) -> list[_Chosen]:
        """Choose from those that wait; ``prices``: from those whose price goes in a push of its own."""
        chosen, group = list[_Chosen](), 0
        aside: list[Callable[[], None]] = []
        for pending, listing, value in self._sendable(waiting, now_s, can_send, prices=prices, aside=aside):
            if prices and chosen and pending.price_group != group:
                continue
            if self._is_whole and listing.sku in self._dead_letters:
                if chosen:
                    continue
                items_max = 1
            chosen.append((listing, value))
            group = pending.price_group
            if len(chosen) >= items_max:
                break
        for put in aside:
            put()
        return chosen

    def _sendable(
        self,
        waiting: Iterable[tuple[str, PendingKey]],
        now_s: float,
        can_send: CanSend,
        *,
        prices: bool,
        aside: list[Callable[[], None]],
    ) -> Iterator[tuple[PendingKey, Listing, Value]]:
        """Go through those that may be sent now; ``aside`` gets what is to be done with the others afterwards."""
        catalogue, queues = self._catalogue, self._pending
        for key, pending in waiting:
            listing = catalogue.listing(key)
            value = catalogue.value(listing) if listing is not None else None
            if listing is None or value is None or (not pending.forced and catalogue.is_shown(listing, value)):
                aside.append(partial(queues.drop, key))
            elif (wait_s := self._item_wait_s(pending, listing, value, now_s, can_send)) > 0:
                aside.append(partial(queues.delay, key, now_s + wait_s))
            elif self._is_apart(pending, listing, value) is not prices:
                aside.append(partial(queues.move, key, Queue.READY if prices else Queue.PRICES))
            else:
                yield pending, listing, value

    def divided(self, batch: Sequence[InFlight]) -> list[Sequence[InFlight]]:
        """Divide a push that one unnamed item spoiled for all into those that are to be sent in its place.

        Quantities that went with prices go again at once without them. What has only a new price waits for a push of
        prices, and a push of prices for two with a half of it each, behind all quantities.
        """
        middle = len(batch) // 2
        if not any(sent.with_price for sent in batch):
            return [batch[:middle], batch[middle:]]
        quantities = [sent for sent in batch if not sent.is_price_only]
        prices = [sent for sent in batch if sent.is_price_only]
        for part in [prices] if quantities else [prices[:middle], prices[middle:]]:
            self._price_groups += 1
            for sent in part:
                self._pending.requeue(sent.key, Queue.PRICES).price_group = self._price_groups
        for sent in quantities:
            sent.pending.price_group = 0
        return [quantities] if quantities else []

    def refreshed(self, batch: Sequence[InFlight]) -> list[InFlight]:
        """Return items in flight that were not applied with their newest quantities, without those no longer listed."""
        fresh = []
        for sent in batch:
            listing = self._catalogue.listing(sent.key)
            if listing is None:
                self._pending.finish(sent.key)
            else:
                value = self._catalogue.value(listing)
                fresh.append(self._catalogue.in_flight(listing, value, sent.pending, NEVER))
        return fresh

    def companions(self, entry_id: EntryId) -> Iterator[InFlight]:
        """Go through a few items that may accompany a push: the channel has confirmed them, and nothing is new."""
        for key in self._catalogue.shown_keys(self._is_idle, COMPANIONS_TRIED):
            listing = self._catalogue.owners.owner(key)
            if listing is not None and listing.sku not in self._dead_letters:
                value = self._catalogue.value(listing)
                yield self._catalogue.in_flight(listing, value, PendingKey(entry_id, 0), NEVER)

    def _item_wait_s(
        self, pending: PendingKey, listing: Listing, value: Value, now_s: float, can_send: CanSend
    ) -> float:
        """Return how long an item must wait for reasons of its own."""
        if self._is_shown_elsewhere(listing, value):
            return OLD_KEY_S
        if listing.sku in self._dead_letters:
            wait_s = self._dead_letters.wait_s(listing.sku, self._clock.store_ms())
            if wait_s > 0:
                return wait_s
        elif not self._limits_items and not pending.not_before_s:
            return 0.0
        wait_s = can_send(listing.key, False)
        if pending.queue is not Queue.URGENT:
            wait_s = max(wait_s, pending.not_before_s - now_s)
        if wait_s <= 0 and not pending.forced and self._catalogue.is_quantity_shown(listing, value.quantity):
            return can_send(listing.key, True)  # only its price is new
        return wait_s

    def _is_apart(self, pending: PendingKey, listing: Listing, value: Value) -> bool:
        """Return whether only the price is new, and goes in a push of its own."""
        return (self._is_whole or pending.price_group > 0) and (
            not pending.forced and self._catalogue.is_quantity_shown(listing, value.quantity)
        )

    def _is_shown_elsewhere(self, listing: Listing, value: Value) -> bool:
        """Return whether units may still be shown under a key that their SKU has left, and its new one shows none."""
        left = self._catalogue.left_by(listing.sku)
        if not left or not value.quantity:
            return False
        shown, owner = self._catalogue.shown(listing.key), self._catalogue.owners.owner
        if shown is not None and shown.may_show_units:
            return False
        return any(key in self._pending and owner(key) is None for key in left)

    def _is_idle(self, key: str) -> bool:
        return key not in self._pending
