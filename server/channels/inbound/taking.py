"""Takes snapshots of orders in: booked, written down, and what comes of it for the next look."""

import asyncio
import random
from collections import OrderedDict
from hashlib import blake2b
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec
import structlog
from msgspec.structs import replace

from adapters.contract.orders import Intake, Order, Unreadable
from server.channels.connection.clock import Clock
from server.channels.inbound.desk import Desk
from server.channels.inbound.let_go import LetGo
from server.channels.inbound.order_records import OrderRecords
from server.channels.inbound.rules import Rules
from server.channels.inbound.schedule import RETRY_S, RETRY_S_MAX, URGENT, Schedule
from server.channels.inbound.snapshots import is_over, neutral
from server.domain.channel_orders import Booked, IntakeRules
from server.domain.channels import ChannelSettings
from server.domain.intake import ToRead
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreError
from server.telemetry.channel_metrics import IntakeMetrics

log = structlog.get_logger("holdfast.intake")

_REMEMBERED: Final = 10_000
"""Orders of which is known when they were last taken in: more than pass while a page is on its way."""
UNREADABLE: Final = "unreadable"
"""Why an order stands in the inbox that the adapter does not understand."""
UNKNOWN_THERE: Final = "unknown_there"
"""Why one does that the channel does not know."""
_NOT_YET_READ: Final = frozenset({"", UNREADABLE, UNKNOWN_THERE})
_SPREAD: Final = 0.1
_UNOPENED_S: Final = 86_400.0
"""How often an open order is read of a kind that tells of every change by itself."""
KNOWN_S: Final = 60.0
"""So long a snapshot that left nothing to do need not be looked at again where walks tell it again: they overlap."""
_DIGEST_BYTES: Final = 16
_pack = msgspec.msgpack.Encoder().encode
FAILED: Final = "failed"
"""Why an order stands in the inbox that was not booked for a fault of our own."""
_AGAIN: Final = (StoreError, OverloadedError, OutcomeUnknownError)
"""Nothing is wrong with the order: it is taken in again."""


class _Taken(NamedTuple):
    """When a snapshot was taken in, and which it was; ``digest`` empty: something is left to do about it."""

    at_s: float
    digest: bytes


class Taking:
    """Takes in the orders of one channel; of each only one snapshot at a time is booked."""

    def __init__(
        self,
        settings: ChannelSettings,
        intake: Intake,
        *,
        desk: Desk,
        records: OrderRecords,
        rules: Rules,
        schedule: Schedule,
        let_go: LetGo,
        clock: Clock,
        metrics: IntakeMetrics,
    ) -> None:
        self.since_ms = 0
        self._channel = settings.name
        self._every_s = settings.orders.open_orders_every_s if intake.reads_open else _UNOPENED_S
        self._rules_of_booking = IntakeRules(unpaid_s=intake.unpaid_s, second_look_s=intake.second_look_s)
        self._desk = desk
        self._records = records
        self._rules = rules
        self._schedule = schedule
        self._let_go = let_go
        self._clock = clock
        self._metrics = metrics
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._taken: OrderedDict[str, _Taken] = OrderedDict()

    async def take(self, order: Order, *, asked_s: float | None, whole: bool = False, is_read: bool = False) -> None:
        """Book an order. ``asked_s``: when the channel was asked for it; None: it told of it by itself.

        ``whole``: see how far it is here, too, although nothing of it may be new. ``is_read``: it was read by itself,
        as was asked for.

        Raises
        ------
        StoreError, OverloadedError, OutcomeUnknownError
            It may not be booked; take it again.

        """
        async with self._turns.setdefault(order.key, asyncio.Lock()):
            seen = self._schedule.get(order.key)
            if await self._is_of_before(order, seen):
                await self._leave_to_before(order, seen)
                return
            digest = blake2b(_pack(order), digest_size=_DIGEST_BYTES).digest()
            if asked_s is not None and not is_read and self._is_known(order.key, seen, digest):
                self._metrics.taken("unchanged")
                return
            # What was asked for before a newer snapshot came says less than that one.
            fetched = asked_s is not None and self._taken_s(order.key) <= asked_s
            booked, inbox = await self._book(order, fetched=fetched, whole=whole)
            if booked is None or not booked.stale:
                await self._let_go.look(order)
            self._remember(order.key, b"")
            is_written = await self._records.order(self._channel, order, booked, inbox)
            wanted = await self._wanted(order, seen, booked, inbox, is_fetched=fetched)
            if seen is not None and not is_read:
                wanted = _not_later(wanted, seen, is_new=booked is None or not booked.unchanged)
            if wanted is None and not is_written:
                wanted = self._after(ToRead(0, "open", self._clock.store_ms()), RETRY_S)
            self._schedule.settle(order.key, seen, wanted)
            if fetched and is_written and _is_settled(order, booked, inbox, wanted):
                self._remember(order.key, digest)

    async def leave(self, each: Unreadable) -> None:
        """Leave an order that the adapter does not understand in the inbox: a person has to look."""
        self._metrics.taken(UNREADABLE)
        log.error("order_not_understood", channel=self._channel, order=each.key, reason=each.reason)
        if each.key and each.key not in self._schedule:
            now_ms = self._clock.store_ms()
            wanted = self._after(ToRead(now_ms, "inbox", now_ms, inbox=UNREADABLE), RETRY_S_MAX)
            self._schedule.put(each.key, wanted)
            await self.enter(each.key, UNREADABLE)

    async def enter(self, order: str, inbox: str) -> None:
        """Enter an order into the inbox of which nothing but its number is known."""
        unknown = Order(key=order, changed_ms=0, lines=(), complete=False)
        await self._records.order(self._channel, unknown, None, inbox)

    async def _is_of_before(self, order: Order, seen: ToRead | None) -> bool:
        """Whether an order is older than intake: it was sold from stock that was counted later."""
        if (order.placed_ms or order.changed_ms) >= self.since_ms:
            return False
        if seen is None:
            return True
        # A hint names any order, before anybody knows of when it is. One that was taken in goes on.
        is_known = seen.inbox not in _NOT_YET_READ
        return not is_known and not await self._desk.is_booked(self._channel, order.key)

    async def _leave_to_before(self, order: Order, seen: ToRead | None) -> None:
        self._metrics.taken("older")
        await self._let_go.look(order)  # it is none of our orders, and still one of the shop's
        if seen is not None and seen.inbox:
            await self._records.order(self._channel, order, Booked(state="recorded"), "")
        self._schedule.settle(order.key, seen, None)

    async def _book(self, order: Order, *, fetched: bool, whole: bool) -> tuple[Booked | None, str]:
        """Book an order; return what came of it, and why it, or a part of it, stands in the inbox."""
        try:
            booked = await self._desk.book(
                self._channel, neutral(order), fetched=fetched, whole=whole, rules=self._rules_of_booking
            )
        except _AGAIN:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the others go on
            # One impossible order must not keep back the others. Its words may hold anything, so they are not logged.
            log.error("order_not_booked", channel=self._channel, order=order.key, error=type(error).__name__)  # noqa: TRY400
            self._metrics.taken(FAILED)
            return None, FAILED
        result = "stale" if booked.stale else "unchanged" if booked.unchanged else booked.inbox or "booked"
        self._metrics.taken(result)
        return booked, booked.inbox

    async def _wanted(
        self, order: Order, seen: ToRead | None, booked: Booked | None, inbox: str, *, is_fetched: bool
    ) -> ToRead | None:
        """Return when the order is to be read next; None: never again by itself."""
        now_ms = self._clock.store_ms()
        before = seen or ToRead(now_ms, "open", now_ms)
        if booked is not None and booked.short:
            short = {**dict(before.short), **{each.line: each.pieces for each in booked.short}}
            before = replace(before, short=list(short.items()), short_ms=before.short_ms or now_ms)
        if (booked is None or inbox) and before.ignored:
            return replace(self._after(before, _UNOPENED_S), reason="open", inbox="")
        if booked is None or inbox not in ("", "unmapped"):
            pause_s = min(RETRY_S_MAX, 12 * RETRY_S * 2 ** min(before.tries, 10))
            return replace(self._after(before, pause_s), reason="inbox", inbox=inbox, tries=before.tries + 1)
        if not is_fetched or not order.complete:
            # What was heard is read whole once, for what a part does not tell and for the buyer.
            return replace(before, due_ms=now_ms, reason="hint", inbox=inbox, tries=0)
        if is_over(order, booked):
            return None
        wanted = replace(self._after(before, self._every_s), reason="open", inbox=inbox, tries=0)
        if booked.second_look_at_ms:
            wanted = replace(wanted, due_ms=min(wanted.due_ms, booked.second_look_at_ms), reason="second_look")
        return await self._rules.apply(order, booked, wanted, now_ms)

    def _after(self, wanted: ToRead, pause_s: float) -> ToRead:
        pause_ms = 1000 * pause_s * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311  # spreads load, protects nothing
        return replace(wanted, due_ms=self._clock.store_ms() + int(pause_ms))

    def _taken_s(self, order: str) -> float:
        return self._taken[order].at_s if order in self._taken else 0.0

    def _is_known(self, order: str, seen: ToRead | None, digest: bytes) -> bool:
        """Whether a walk tells again what left nothing to do."""
        if seen is not None and (seen.reason != "open" or seen.inbox):
            return False
        taken = self._taken.get(order)
        return taken is not None and taken.digest == digest and self._clock.now_s() - taken.at_s < KNOWN_S

    def _remember(self, order: str, digest: bytes) -> None:
        self._taken.pop(order, None)
        self._taken[order] = _Taken(self._clock.now_s(), digest)
        if len(self._taken) > _REMEMBERED:
            self._taken.popitem(last=False)


def _is_settled(order: Order, booked: Booked | None, inbox: str, wanted: ToRead | None) -> bool:
    """Whether the same snapshot would have nothing done. A hold of an unpaid order is extended at each sight of it."""
    if booked is None or booked.stale or inbox or order.state == "unpaid":
        return False
    return wanted is None or wanted.reason == "open"


def _not_later(wanted: ToRead | None, seen: ToRead, *, is_new: bool) -> ToRead | None:
    """Keep that an order is to be read whole: somebody said so, or nothing of what came instead was new."""
    if seen.reason in URGENT:
        return replace(wanted or seen, due_ms=seen.due_ms, reason=seen.reason)
    if wanted is None or is_new:
        return wanted
    return replace(wanted, due_ms=min(wanted.due_ms, seen.due_ms))
