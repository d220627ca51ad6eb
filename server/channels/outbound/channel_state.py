"""The book of one channel: what it lists, what it has confirmed, what it must be told, and what it refused.

No waiting and no requests here: :mod:`server.channels.outbound.sender` sends what the book says,
and the book learns what came
of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import structlog

from adapters.contract.adapter import Capabilities
from adapters.contract.limits import PerItem
from adapters.contract.stock import Item
from server.channels.connection.clock import Clock
from server.channels.outbound.in_flight import CanSend, Flight, Value
from server.channels.outbound.pending import Pending, PendingSku, Queue
from server.channels.outbound.resend_later import ResendLater
from server.channels.outbound.stock_levels import StockLevels
from server.channels.write_behind import ChannelRecords
from server.domain.channels import ChannelRules, DeadLetter, Listing, OpenTicket, Shown, publishable
from server.store.journal.journal import EntryId
from server.telemetry.channel_metrics import ChannelMetrics

log = structlog.get_logger("holdfast.channel")

DEAD_LETTER_REST_S: Final = 60.0
"""A dead letter whose stock goes on changing is tried again so often at most."""
COMPANIONS_TRIED: Final = 8
_AT_A_TIME: Final = 500
LAGS_KEPT: Final = 1_000


class ChannelState:
    """One channel's listings, marks and records.

    Parameters
    ----------
    name
        The channel's.
    rules
        How its number comes from what is available; may be replaced at any time by :meth:`use_rules`.
    lists_all
        Whether a SKU without a listing is listed under its own name.
    capabilities
        What the channel can do.

    """

    def __init__(
        self,
        name: str,
        rules: ChannelRules,
        *,
        lists_all: bool,
        capabilities: Capabilities,
        levels: StockLevels,
        records: ChannelRecords,
        clock: Clock,
        metrics: ChannelMetrics,
    ) -> None:
        self.name = name
        self.rules = rules
        self.lists_all = lists_all
        self.marks = Pending()
        self.listings: dict[str, Listing] = {}
        self.keys: dict[str, str] = {}
        """Which SKU has a key."""
        self.shown: dict[str, Shown] = {}
        self.dead_letters: dict[str, DeadLetter] = {}
        self.tickets: dict[str, OpenTicket] = {}
        self.doubts = ResendLater()
        self.lags_s: deque[float] = deque(maxlen=LAGS_KEPT)
        self.last_confirmed_ms: int | None = None
        self.on_work: Callable[[], None] = lambda: None
        self._capabilities = capabilities
        self._limits_items = any(isinstance(limit, PerItem) for limit in capabilities.limits)
        self._levels = levels
        self._records = records
        self._clock = clock
        self._metrics = metrics

    # -- what it should show

    def take_in(self, listing: Listing) -> None:
        """Take a listing in. A key that another SKU has already cannot show the stock of both."""
        owner = self.keys.get(listing.key)
        if owner is not None and owner != listing.sku:
            now_ms, reason = self._clock.store_ms(), f"{owner} is listed under the same key"
            self.bury(listing.sku, DeadLetter(listing.sku, listing.key, 0, "key_taken", reason, 0, now_ms, now_ms))
            return
        before = self.listings.get(listing.sku)
        if before is not None:
            self.keys.pop(before.key, None)
        self.keys[listing.key] = listing.sku
        self.listings[listing.sku] = listing

    def listing(self, sku: str) -> Listing | None:
        """Give a SKU's listing; None: the channel does not know the SKU.

        A listing that got another key gives up the old one first: what would stay there could be sold.
        """
        listing = self.listings.get(sku)
        if listing is None and self.lists_all:
            listing = Listing(sku, sku)
        if listing is not None:
            shown = self.shown.get(sku)
            if shown is not None and shown.key != listing.key and shown.quantity and shown.key not in self.keys:
                return Listing(sku, shown.key, listed=False)
        return listing

    def note_shown(self, sku: str, shown: Shown | None) -> None:
        """Note what the channel shows of a SKU; None: nobody knows."""
        if shown is None:
            self.shown.pop(sku, None)
        else:
            self.shown[sku] = shown
        self._records.shown(sku, shown)

    def skus(self) -> list[str]:
        """Every SKU that the channel lists."""
        return list(self._levels) if self.lists_all else list(self.listings)

    def value(self, listing: Listing) -> Value:
        """Tell what the channel should show of a listing now."""
        units = publishable(self.rules, self._levels.available(listing.sku, self.name), listed=listing.listed)
        if self._capabilities.quantity_max is not None:
            units = min(units, self._capabilities.quantity_max)
        if not self._capabilities.takes_price:
            return Value(units, "", "")
        return Value(units, listing.price, listing.list_price)

    def is_shown(self, listing: Listing, value: Value) -> bool:
        """Whether the channel has confirmed this very value."""
        shown = self.shown.get(listing.sku)
        return (
            shown is not None
            and shown.quantity == value.quantity
            and shown.key == listing.key
            and (not value.price or (shown.price, shown.list_price) == (value.price, value.list_price))
        )

    def is_as_flown(self, flight: Flight) -> bool:
        """Whether nothing has changed since a flight was made, and it left nothing behind."""
        return (
            self._levels.seq(flight.sku) == flight.seq
            and self.listings.get(flight.sku, flight.listing) is flight.listing
            and flight.rules is self.rules
            and (flight.with_price or not flight.value.price)
        )

    # -- what must be told

    def changed(
        self, sku: str, entry_id: EntryId, changed_ms: int, *, forced: bool = False, doubtful: bool = False
    ) -> None:
        """Note that a SKU, its listing or the rules have changed; ``changed_ms`` 0: it was no change of stock.

        ``doubtful``: somebody else may have sent a value that has not yet taken effect.
        """
        listing = self.listing(sku)
        if listing is None:
            return
        value = self.value(listing)
        if not forced and sku not in self.marks and self.is_shown(listing, value):
            return
        mark = self.marks.mark(sku, entry_id, changed_ms, self.queue(sku, value), forced=forced)
        mark.doubtful |= doubtful
        mark.since_ms = mark.since_ms or changed_ms or self._clock.store_ms()
        self.on_work()

    async def changed_all(self, entry_id: EntryId, *, forced: bool = False, doubtful: bool = False) -> None:
        """Look at every listing anew, letting others have their turn; ``forced``: the channel is told all of them."""
        for number, sku in enumerate(self.skus()):
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            self.changed(sku, entry_id, 0, forced=forced, doubtful=doubtful)

    def try_again(self, skus: Iterable[str], entry_id: EntryId) -> None:
        """Take dead letters out of their rest."""
        for sku in skus:
            self.bury(sku, None)
            self.changed(sku, entry_id, 0, forced=True)

    def think_again(self, now_s: float) -> None:
        """Send once more what was in doubt and must be over by now."""
        while (doubt := self.doubts.take(now_s)) is not None:
            self.changed(*doubt, 0, forced=True)

    def next_due_s(self) -> float:
        """Tell when something is to be sent that rests now; infinity: nothing."""
        return min(self.marks.next_due_s(), self.doubts.next_due_s())

    def oldest(self) -> EntryId | None:
        """Tell the oldest journal id that is not confirmed beyond doubt; None: everything is."""
        return min((each for each in (self.marks.oldest(), self.doubts.oldest()) if each is not None), default=None)

    async def use_rules(self, rules: ChannelRules, entry_id: EntryId, *, forced: bool = False) -> None:
        """Work by other rules from now on."""
        self.rules = rules
        self.marks.begin_turn()
        await self.changed_all(entry_id, forced=forced, doubtful=forced)

    def compare(self, listing: Listing, shows: int | None, entry_id: EntryId, *, log_it: bool) -> bool:
        """Hold what a channel says it shows (None: it does not know the key) against what it should; mend it."""
        value = self.value(listing)
        if (shows or 0) == value.quantity:
            return False
        self._metrics.reconcile_differences.inc()
        if log_it:
            log.warning("channel_differs", channel=self.name, sku=listing.sku, shows=shows, wanted=value.quantity)
        self.note_shown(listing.sku, None)
        self.changed(listing.sku, entry_id, 0, forced=True)
        return True

    # -- what is sent

    def choose(self, items_max: int, now_s: float, can_send: CanSend) -> list[Flight]:
        """Take what goes into the next push, the most urgent first."""
        chosen: list[tuple[str, Listing, Value]] = []
        done: list[str] = []
        resting: list[tuple[str, float]] = []
        for sku in self.marks.sendable(now_s):
            listing = self.listing(sku)
            value = self.value(listing) if listing is not None else None
            if listing is None or value is None or self._is_told(sku, listing, value):
                done.append(sku)
            elif (wait_s := self._rest_s(sku, listing, value, now_s, can_send)) > 0:
                resting.append((sku, now_s + wait_s))
            elif self._spoils(sku):
                if not chosen:
                    chosen.append((sku, listing, value))
                    break
            else:
                chosen.append((sku, listing, value))
                if len(chosen) == items_max:
                    break
        for sku in done:
            self.marks.drop(sku)
        for sku, due_s in resting:
            self.marks.take_off(sku)
            self.marks.put_back(sku, Queue.RESTING, due_s=due_s)
        return [self._take_off(*each, can_send) for each in chosen]

    def refreshed(self, flights: Sequence[Flight], can_send: CanSend) -> list[Flight]:
        """Give flights that were not sent after all the newest values."""
        fresh = []
        for flight in flights:
            listing = self.listing(flight.sku)
            if listing is None:
                self.marks.land(flight.sku)
            else:
                fresh.append(self._flight(flight.sku, listing, self.value(listing), flight.mark, can_send))
        return fresh

    def items(self, flights: Iterable[Flight]) -> list[Item]:
        """Write flights as the adapter takes them."""
        return [flight.item() for flight in flights]

    def companions(self, entry_id: EntryId) -> Iterator[Flight]:
        """Go through a few listings that may accompany a push: the channel has confirmed them, and nothing is new."""
        idle = (sku for sku in self.shown if sku not in self.marks and sku not in self.dead_letters)
        for sku in islice(idle, COMPANIONS_TRIED):
            listing = self.listing(sku)
            if listing is not None:
                yield self._flight(sku, listing, self.value(listing), PendingSku(entry_id, 0), _NEVER)

    def accompany(self, companion: Flight) -> None:
        """Send a companion on its way."""
        self.marks.fly_again(companion.sku, companion.mark)

    def rest(self, flights: Iterable[Flight], after_s: float) -> None:
        """Let flights that were not sent wait for some time."""
        for flight in flights:
            self.again(flight, after_s)

    def again(self, flight: Flight, after_s: float, *, forced: bool = False) -> None:
        """Let a flight wait again for some time."""
        due_s = self._clock.now_s() + after_s
        queue = Queue.RESTING if after_s > 0 else Queue.READY
        self.marks.put_back(flight.sku, queue, due_s=due_s, forced=forced).not_before_s = due_s

    def bury(self, sku: str, letter: DeadLetter | None) -> None:
        """Keep a dead letter, or take it away."""
        if letter is None:
            del self.dead_letters[sku]
        else:
            self.dead_letters[sku] = letter
        self._records.dead_letter(sku, letter)

    # -- the details

    def queue(self, sku: str, value: Value) -> Queue:
        """Tell how soon a value is to go: a fall to zero at once and first."""
        shown = self.shown.get(sku)
        if value.quantity == 0 and (shown is None or shown.quantity > 0):
            return Queue.URGENT
        return Queue.CADENCE if self.rules.cadence_s else Queue.READY

    def _is_told(self, sku: str, listing: Listing, value: Value) -> bool:
        return not self.marks.waiting[sku].forced and self.is_shown(listing, value)

    def _rest_s(self, sku: str, listing: Listing, value: Value, now_s: float, can_send: CanSend) -> float:
        mark = self.marks.waiting[sku]
        if not self._limits_items and not mark.not_before_s and sku not in self.dead_letters:
            return 0.0
        letter = self.dead_letters.get(sku)
        if letter is not None:
            rested_s = (self._clock.store_ms() - letter.last_ms) / 1000
            if rested_s < DEAD_LETTER_REST_S:
                return DEAD_LETTER_REST_S - rested_s
        wait_s = can_send(listing.key, False)
        if mark.queue is not Queue.URGENT:
            wait_s = max(wait_s, mark.not_before_s - now_s)
        shown = self.shown.get(sku)
        if wait_s <= 0 and not mark.forced and shown and (shown.quantity, shown.key) == (value.quantity, listing.key):
            return can_send(listing.key, True)  # only its price is new
        return wait_s

    def _spoils(self, sku: str) -> bool:
        """Whether an item goes alone, because it was refused before and would take the others with it."""
        return self._capabilities.result == "whole" and sku in self.dead_letters

    def _take_off(self, sku: str, listing: Listing, value: Value, can_send: CanSend) -> Flight:
        return self._flight(sku, listing, value, self.marks.take_off(sku), can_send)

    def _flight(self, sku: str, listing: Listing, value: Value, mark: PendingSku, can_send: CanSend) -> Flight:
        shown = self.shown.get(sku)
        priced = False
        if value.price:
            told = shown is not None and (shown.price, shown.list_price) == (value.price, value.list_price)
            priced = (mark.forced or not told) and can_send(listing.key, True) <= 0
        return Flight(sku, listing.key, value, self._levels.seq(sku), mark, priced, shown, listing, self.rules)


_NEVER: Final[CanSend] = lambda _key, _priced: float("inf")  # noqa: E731
