"""What a source is told of orders, and how many sold units its numbers do not know of yet.

The journal is followed: what each reservation takes is summed up line by line, and what the source's document of it has
is kept beside. The difference, over all orders of a place, is what the source's numbers are too high by. So no unit is
counted twice, however late the source learns of it.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import structlog
from msgspec.structs import replace

from adapters.contract.errors import ChannelError
from adapters.contract.source import SoldLine, SoldOrder, Told
from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.channels.sources.desk import SourceDesk, units_taken
from server.channels.sources.tracked import listed, source_of, too_high, tracked
from server.domain.changes import Change
from server.domain.sources import OpenOrders, TrackedOrder
from server.domain.sudden_changes import Place
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import DamagedEntryError
from server.store.repositories.sources import Position, SourceWrites

log = structlog.get_logger("holdfast.source")

RETRY_MS: Final = 2_000
"""After the first failure to tell an order; twice as long after each further one."""
RETRY_MS_MAX: Final = 600_000
_DOUBLINGS_MAX: Final = 9
_ORDER_REF: Final = "order_ref"
MORE_CAME_BACK: Final = "units of it came back where it took none; receive them there by hand"


class JournalRewoundError(Exception):
    """The store came back without its newest entries: what was summed up has to be summed up anew."""


class SoldOrders:
    """The orders of one source. Only one task may call it; what it changes is written with the next save."""

    def __init__(
        self,
        source: str,
        client: ChannelClient,
        adapter_locations: Collection[str],
        *,
        feed: JournalFeed,
        writes: SourceWrites,
        desk: SourceDesk,
        clock: Clock,
    ) -> None:
        self._source = source
        self._client = client
        self._locations = frozenset(adapter_locations)
        self._feed = feed
        self._writes = writes
        self._desk = desk
        self._clock = clock
        self._rewinds = feed.rewinds
        self._orders: dict[str, TrackedOrder] = {}
        self._due: list[tuple[int, str]] = []
        self._untried: set[str] = set()
        self._failed: set[str] = set()
        self._refusals: set[str] = set()
        self._untold: Counter[Place] = Counter()
        self.position = ""
        self.seq = 0
        """The newest seq of the journal up to :attr:`position`."""
        self.told_units: Counter[Place] = Counter()
        """Units that the source was told of since the start, by place: they were in no number that it said before."""

    # -- the beginning

    def load(self, orders: Mapping[str, TrackedOrder], position: Position) -> None:
        """Go on from where an earlier holder of the lease was; what it may have been telling is told once more."""
        self.position, self.seq = position.entry_id, position.seq
        for key, order in orders.items():
            # Whoever was to tell it may have done so and not have written that down.
            unsure = replace(order, due_ms=1, tries=max(1, order.tries)) if order.is_due else order
            self._put(key, unsure, is_stored=True)

    async def begin(self, position: Position, open_orders: OpenOrders) -> None:
        """Take all open orders over as they are, from a place in the journal on: at the first start, or where it broke.

        ``open_orders``: whether those that the source was never told of are told, or are known there.
        """
        self.position, self.seq = position.entry_id, position.seq
        found: set[str] = set()
        async for key, reservation in self._desk.open_orders():
            found.add(key)
            self._take_over(key, tracked(self._in_reach(units_taken(reservation)), reservation), open_orders)
        for key in self._orders.keys() - found:
            known = await self._desk.order(key)
            if known is not None:
                self._take_over(key, tracked(self._in_reach(units_taken(known)), known), open_orders)
        self._note_position()

    def _take_over(self, key: str, found: TrackedOrder, open_orders: OpenOrders) -> None:
        before = self._orders.get(key)
        seq = max(self.seq, found.seq)
        if before is None:
            told = found.sold if open_orders == "known" else []
            order = replace(found, told=told, seq=seq)
        else:
            order = replace(before, sold=found.sold, seq=seq)
        if order.untold or before is not None:
            self._put(key, self._to_tell(order))
        elif order.sold:
            self._put(key, order)

    def _in_reach(self, taken: Mapping[Place, int]) -> dict[Place, int]:
        return {place: units for place, units in taken.items() if place[1] in self._locations}

    # -- following the journal

    async def follow(self) -> None:
        """Sum up what the journal has behind :attr:`position`.

        Raises
        ------
        JournalRewoundError
            The store came back without its newest entries.
        StoreUnavailableError
            The store did not answer.

        """
        if self._feed.rewinds != self._rewinds:
            raise JournalRewoundError("the store came back without its newest entries")
        before = self.position
        try:
            async for entry_id, changes in self._feed.read(self.position):
                for change in changes:
                    self._note(change)
                self.position = entry_id
        except DamagedEntryError as error:
            log.error("source_entry_damaged", source=self._source, entry=error.entry_id)  # noqa: TRY400
            self.position = error.entry_id
        if self.position != before:
            self._note_position()

    def _note_position(self) -> None:
        self._writes.state(cursor=self.position, seq=self.seq)

    def _note(self, change: Change) -> None:
        stocked = [line for line in change.lines if line.location]
        self.seq = max([self.seq, *(line.seq for line in stocked)])
        key = change.reservation_id
        if not key:
            return
        before = self._orders.get(key)
        seen = before.seq if before is not None else 0
        lines = [line for line in stocked if line.location in self._locations and line.seq > seen]
        moved: Counter[Place] = Counter()
        for line in lines:
            # Shipping takes from both; ordering, cancelling and coming back from one of the two.
            moved[line.sku, line.location] += line.d_committed - line.d_on_hand
        if not any(moved.values()):
            return
        now_ms = self._clock.store_ms()
        order = before or TrackedOrder(change.channel, "", [], [], 0, now_ms)
        number = dict(change.notes).get(_ORDER_REF, "") or order.number
        sold = Counter({(sku, location): units for sku, location, units in order.sold})
        sold.update(moved)
        self._put(
            key,
            self._to_tell(
                replace(order, number=number, sold=listed(sold), seq=max(line.seq for line in lines), changed_ms=now_ms)
            ),
        )

    def _to_tell(self, order: TrackedOrder) -> TrackedOrder:
        """Have an order told now, unless nothing of it is to be told."""
        if not order.untold and not order.is_due and not order.reason:
            return order
        now_ms = self._clock.store_ms()
        return replace(order, due_ms=now_ms, since_ms=order.since_ms or now_ms, tries=order.tries, reason="")

    # -- telling

    def wait_ms(self) -> int | None:
        """Return in how many milliseconds an order is to be told; None: none is."""
        self._drop_outdated()
        return max(0, self._due[0][0] - self._clock.store_ms()) if self._due else None

    async def tell_next(self) -> None:
        """Tell the source of the order that is due next, and write down what it knows."""
        self._drop_outdated()
        _, key = heapq.heappop(self._due)
        order = self._orders[key]
        try:
            said = [SoldLine(*line) for line in order.sold if line[2] > 0]
            if any(units < 0 for _, _, units in order.sold):
                self._refused(key, order, MORE_CAME_BACK)
            else:
                answer = await self._client.talk(
                    lambda source: source_of(source).tell(
                        SoldOrder(key, order.channel, order.number, said), self._clock.wall_s()
                    )
                )
                if isinstance(answer, Told):
                    self._told(key, order)
                else:
                    self._refused(key, order, answer.reason)
        except ChannelError as error:
            pause_ms = min(RETRY_MS_MAX, RETRY_MS * 2 ** min(order.tries, _DOUBLINGS_MAX))
            pause_ms = max(pause_ms, int(1000 * min(error.after_s or 0.0, RETRY_MS_MAX / 1000)))
            self._put(key, replace(order, due_ms=self._clock.store_ms() + pause_ms, tries=order.tries + 1))
        await self._writes.save()

    def _told(self, key: str, order: TrackedOrder) -> None:
        self.told_units.update(order.untold)
        self._put(key, replace(order, told=order.sold, due_ms=0, since_ms=0, tries=0, reason=""))

    def _refused(self, key: str, order: TrackedOrder, reason: str) -> None:
        log.warning("source_refuses_order", source=self._source, order=key, reason=reason)
        self._put(key, replace(order, due_ms=0, tries=0, reason=reason))

    def tell_again(self) -> None:
        """Have all orders told now that the source has not taken, for whatever reason."""
        for key in self._refusals | self._failed:
            self._put(key, self._to_tell(self._orders[key]))

    # -- what follows from it

    def untold_at(self, place: Place) -> int:
        """Return by how many units the source's numbers are too high at a place."""
        return self._untold[place]

    def unsure_places(self) -> set[Place]:
        """Return the places of which nobody knows whether the source was told: an answer is missing."""
        orders = [self._orders[key] for key in self._failed]
        return {(sku, location) for order in orders for sku, location, _ in (*order.sold, *order.told)}

    def refused_orders(self) -> dict[str, TrackedOrder]:
        """Return the orders that the source does not take."""
        return {key: self._orders[key] for key in sorted(self._refusals)}

    def counts(self, now_ms: int) -> tuple[int, float, int]:
        """Return how many orders are to be told, for how long the oldest has been, and how many were refused."""
        waiting = [self._orders[key].since_ms for key in self._untried | self._failed]
        oldest_s = max(0.0, (now_ms - min(waiting)) / 1000) if waiting else 0.0
        return len(waiting), oldest_s, len(self._refusals)

    def purge(self) -> None:
        """Forget orders of which nothing is expected any more."""
        now_ms = self._clock.store_ms()
        for key in [key for key, order in self._orders.items() if not order.is_due and order.is_old(now_ms)]:
            self._untold.subtract(too_high(self._orders.pop(key)))
            self._refusals.discard(key)
            self._writes.order(key, None)

    # -- keeping

    def _put(self, key: str, order: TrackedOrder, *, is_stored: bool = False) -> None:
        before = self._orders.get(key)
        if before is not None:
            self._untold.subtract(too_high(before))
        self._orders[key] = order
        self._untold.update(too_high(order))
        for keys, belongs in (
            (self._untried, order.is_due and not order.tries),
            (self._failed, order.is_due and order.tries > 0),
            (self._refusals, order.reason != ""),
        ):
            (keys.add if belongs else keys.discard)(key)
        if order.is_due:
            heapq.heappush(self._due, (order.due_ms, key))
        if not is_stored:
            self._writes.order(key, order)

    def _drop_outdated(self) -> None:
        while self._due:
            due_ms, key = self._due[0]
            order = self._orders.get(key)
            if order is not None and order.due_ms == due_ms:
                return
            heapq.heappop(self._due)
