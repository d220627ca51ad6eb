"""Chooses what goes into a channel's next push, and what has to wait for reasons of its own."""

from collections.abc import Iterator, Sequence
from typing import Final

from adapters.contract.adapter import Capabilities
from adapters.contract.limits import PerItem
from server.channels.connection.clock import Clock
from server.channels.outbound.catalogue import NEVER, Catalogue
from server.channels.outbound.dead_letters import DeadLetters
from server.channels.outbound.in_flight import CanSend, InFlight, Value
from server.channels.outbound.pending import Pending, PendingSku, Queue
from server.domain.channels import Listing
from server.store.journal.journal import EntryId

COMPANIONS_TRIED: Final = 8
"""Listings that may accompany a push: with one item they make thirty different bodies."""


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
        self._refused_go_alone = capabilities.result == "whole"
        self._limits_items = any(isinstance(limit, PerItem) for limit in capabilities.limits)
        self._clock = clock

    def due(self, items_max: int, now_s: float, can_send: CanSend) -> list[InFlight]:
        """Put in flight what goes into the next push, the most urgent first."""
        catalogue, chosen = self._catalogue, list[tuple[str, Listing, Value]]()
        obsolete: list[str] = []
        delayed: list[tuple[str, float]] = []
        for sku, pending in self._pending.sendable(now_s):
            listing = catalogue.listing(sku)
            value = catalogue.value(listing) if listing is not None else None
            if listing is None or value is None or (not pending.forced and catalogue.is_shown(listing, value)):
                obsolete.append(sku)
            elif (wait_s := self._item_wait_s(pending, listing, value, now_s, can_send)) > 0:
                delayed.append((sku, now_s + wait_s))
            elif self._refused_go_alone and sku in self._dead_letters:
                if not chosen:
                    chosen.append((sku, listing, value))
                    break
            else:
                chosen.append((sku, listing, value))
                if len(chosen) == items_max:
                    break
        for sku in obsolete:
            self._pending.drop(sku)
        for sku, due_s in delayed:
            self._pending.delay(sku, due_s)
        send, in_flight = self._pending.send, catalogue.in_flight
        return [in_flight(sku, listing, value, send(sku), can_send) for sku, listing, value in chosen]

    def refreshed(self, batch: Sequence[InFlight], can_send: CanSend) -> list[InFlight]:
        """Return items in flight that were not applied with their newest values, without those no longer listed."""
        fresh = []
        for sent in batch:
            listing = self._catalogue.listing(sent.sku)
            if listing is None:
                self._pending.finish(sent.sku)
            else:
                value = self._catalogue.value(listing)
                fresh.append(self._catalogue.in_flight(sent.sku, listing, value, sent.pending, can_send))
        return fresh

    def companions(self, entry_id: EntryId) -> Iterator[InFlight]:
        """Go through a few items that may accompany a push: the channel has confirmed them, and nothing is new."""
        for sku in self._catalogue.shown_skus(self._is_idle, COMPANIONS_TRIED):
            listing = self._catalogue.listing(sku)
            if listing is not None:
                value = self._catalogue.value(listing)
                yield self._catalogue.in_flight(sku, listing, value, PendingSku(entry_id, 0), NEVER)

    def _item_wait_s(
        self, pending: PendingSku, listing: Listing, value: Value, now_s: float, can_send: CanSend
    ) -> float:
        """Return how long an item must wait for reasons of its own."""
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

    def _is_idle(self, sku: str) -> bool:
        return sku not in self._pending and sku not in self._dead_letters
