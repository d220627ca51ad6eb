"""Orders that channels tell of: from the difference between a snapshot and what was done to the ledger's operations.

Each step is one operation and the order's record, in one script. It takes effect only if the record and the order's
reservations are as they were when the step was decided. So what a kill leaves is a record that says what was done.
"""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from server.domain import limits
from server.domain.answers import Refused
from server.domain.booked_orders import POSTED, BookedOrder, order_field
from server.domain.channel_orders import (
    Booked,
    BookedState,
    ChannelOrder,
    InboxReason,
    IntakeRules,
    LinePieces,
    LineProgress,
)
from server.domain.operations.orders import Noted, NoteOrder, Step
from server.domain.order_adoption import adopted
from server.domain.order_balance import Balance
from server.domain.order_meanings import as_booked
from server.domain.order_progress import seen_of
from server.domain.order_steps import Meant, OrderSteps, Planned, Situation
from server.domain.order_told import Told, blank, fault_of, told_of
from server.domain.reservation import Changed, Reservation, as_of
from server.service.caller import Caller
from server.service.checks import InvalidError, check_reference
from server.service.order_lines import meanings, named_now
from server.store.connection.timeouts import in_time
from server.store.repositories.booked_orders import booked_before, packed, read_order

STEPS_MAX: Final = 200
"""Steps that one call carries out; an order of 1,000 lines needs some 20."""
MOVED_MAX: Final = 30
"""How often others may change an order between the look at it and a step, until it is left for later."""


async def book(
    caller: Caller, channel: str, order: ChannelOrder, *, fetched: bool, rules: IntakeRules, whole: bool = False
) -> Booked:
    """Book what a snapshot says and has not been booked; again and again the same has no second effect.

    ``fetched``: it was read from the channel, not heard. Only one process may book the orders of a channel at a time.
    ``whole``: look at the order's reservations although nothing of the snapshot is new: others may have moved them.

    Raises
    ------
    OverloadedError
        The store is overloaded. What was done before stands in the record: call again.
    StoreUnavailableError
        It did not answer. Call again.
    OutcomeUnknownError
        The last step may have happened. Call again: it is known then.

    """
    fault = _fault_of(order)
    if fault:
        return Booked(state="recorded", inbox="impossible", detail=fault)
    return await _Booking(caller, channel, order, rules, fetched=fetched, whole=whole).run()


class _Booking:
    """The booking of one snapshot."""

    def __init__(
        self, caller: Caller, channel: str, order: ChannelOrder, rules: IntakeRules, *, fetched: bool, whole: bool
    ) -> None:
        self._caller = caller
        self._channel = channel
        self._order = order
        self._rules = rules
        self._fetched = fetched
        self._whole = whole
        self._field = order_field(channel, order.key)
        self._digest = order.fingerprint
        self._meant: dict[str, Meant] | None = None
        self._stuck = set[str]()
        self._steps = list[str]()
        self._short = list[LinePieces]()
        self._refused = ""
        self._moved = 0

    async def run(self) -> Booked:
        while True:
            record, told, now_ms = await self._look()
            left_alone = await self._left_alone(record, told)
            if left_alone is not None:
                return left_alone
            found, lines = await self._reservations(record)
            at = await self._situation(record, told, found, now_ms)
            claimed, unclaimed = adopted(record, told, at.meant, at.found)
            steps = OrderSteps(claimed, at, unclaimed=unclaimed)
            planned = steps.next_step()
            after = steps.record(self._digest, last=planned is None)
            if planned is None and _is_same(after, record):
                return self._booked(record, steps, told)
            operation: Step = NoteOrder("", self._caller.actor) if planned is None else planned.operation
            seen = [(name, seen_of(found[name])) for name in found] if planned is not None else []
            noted = Noted(self._field, record.version, packed(after), seen, lines if seen else 0, operation)
            answer = await self._caller.ledger.run(noted)
            if isinstance(answer, Refused):
                if not self._take_refusal(answer, planned):
                    return self._booked(record, steps, told, "busy")
                continue
            if planned is None:
                return self._booked(after, steps, told)
            self._took_effect(planned, answer)
            if not after.undone and planned.name in {"order", "ship", "cancel", "release", "commit"}:
                return self._booked(after, steps, told)
            if len(self._steps) >= STEPS_MAX:
                return self._booked(after, steps, told, "busy")

    async def _look(self) -> tuple[BookedOrder, Told, int]:
        partition = self._caller.partition
        found = await in_time(read_order(partition.client, partition.keyspace, self._channel, self._order.key))
        record = found.record or blank(found.now_ms)
        look_ms = int(1000 * self._rules.second_look_s)
        told = told_of(record, self._order, fetched=self._fetched, now_ms=found.now_ms, second_look_ms=look_ms)
        return record, told, found.now_ms

    async def _left_alone(self, record: BookedOrder, told: Told) -> Booked | None:
        """Return what is told of an order that nothing is done for; None: it is looked at."""
        # An older snapshot that had a line to tell of is stale once that is booked.
        if (told.stale and not self._steps) or (self._is_unchanged(record, told) and not self._whole):
            return _idle(record, told)
        former = await self._former_channel() if record.version == 0 else ""
        if not former:
            return None
        return Booked(state="recorded", inbox="former_channel", detail=f"it is booked as an order of {former}")

    async def _former_channel(self) -> str:
        """Return the former name of the channel, under which this very order is booked; empty: it is not.

        Another shop can have its number, but not one and the same line in it, and not before it was placed.
        """
        partition, keys = self._caller.partition, {line.key for line in self._order.lines}
        found = await in_time(
            booked_before(partition.client, partition.keyspace, self._order.key, partition.channels.keys())
        )
        return next(
            (
                name
                for name, record in found.items()
                if keys & {line.key for line in record.lines} and self._order.placed_ms <= record.first_ms
            ),
            "",
        )

    def _is_unchanged(self, record: BookedOrder, told: Told) -> bool:
        is_acted_on = record.fingerprint == self._digest and not record.undone and record.state != POSTED
        return is_acted_on and told.is_paid and told.changed_ms <= record.changed_ms

    async def _reservations(self, record: BookedOrder) -> tuple[dict[str, Reservation], int]:
        """Read the order's reservations, their SKUs as they are called now; and how many lines they have."""
        found = dict[str, Reservation]()
        for name in record.reservations:
            answer = await self._caller.ledger.reservation(name)
            if answer.reservation is not None:
                found[name] = answer.reservation
        return found, sum(len(each.lines) for each in found.values())

    async def _situation(
        self, record: BookedOrder, told: Told, found: Mapping[str, Reservation], now_ms: int
    ) -> Situation:
        if self._meant is None:
            self._meant = await meanings(self._caller, self._channel, self._order.lines)
        found, meant = await named_now(self._caller, found, self._meant)
        self._meant = as_booked(record, found, meant)
        now = {name: as_of(each, now_ms) for name, each in found.items()}
        return Situation(
            self._channel, self._order.key, self._caller.actor, now_ms, self._hold_ms(now_ms), told, now, self._meant,
            self._stuck,
        )  # fmt: skip

    def _hold_ms(self, now_ms: int) -> int:
        """Return how long an unpaid order is held: until it must be paid, and somewhat longer."""
        until_ms = self._order.pay_by_ms - now_ms + 60_000 if self._order.pay_by_ms else 1000 * self._rules.unpaid_s
        return int(min(max(until_ms, 60_000), 1000 * limits.LIFE_S_MAX))

    def _take_refusal(self, answer: Refused, planned: Planned | None) -> bool:
        """Note why a step was refused; return False where others keep changing the order."""
        if answer.outcome == "order_moved" or planned is None:
            self._moved += 1
            return self._moved < MOVED_MAX
        about = planned.about.split("\n")
        if planned.name == "reserve" and answer.lines:
            # Only what cannot be had is left out; a line of several components is as a whole.
            keys = self._lines_of(planned, {line.line for line in answer.lines})
            about = [each for each in about if each.removeprefix("book ") in keys]
        elif planned.name not in {"commit", "extend"}:
            self._refused = f"{planned.name}: {answer.outcome}"
        self._stuck.update(about)
        return True

    def _lines_of(self, planned: Planned, numbers: set[int]) -> set[str]:
        keys, first = set[str](), 1
        for key in planned.lines:
            following = first + len((self._meant or {})[key].components)
            if numbers & set(range(first, following)):
                keys.add(key)
            first = following
        return keys

    def _took_effect(self, planned: Planned, answer: object) -> None:
        self._steps.append(planned.name)
        if planned.name == "order" and isinstance(answer, Changed):
            self._short += _short_of(planned, answer.reservation, self._meant or {})

    # -- what is told about it

    def _booked(self, record: BookedOrder, steps: OrderSteps, told: Told, inbox: InboxReason = "") -> Booked:
        balances = steps.balances
        reason, detail = self._reason(steps, told)
        back = [(each.line.key, each.told.returned - each.returned) for each in balances if not each.line.stockless]
        return Booked(
            state=_state_of(told, balances),
            steps=tuple(self._steps),
            reservations=tuple(record.reservations),
            lines=tuple(_progress_of(each) for each in balances),
            unmapped=tuple(each.line.key for each in balances if any(part.unmapped for part in each.progress)),
            returned=tuple(LinePieces(key, pieces) for key, pieces in back if pieces > 0),
            short=tuple(self._short),
            inbox=inbox or reason,
            detail=detail,
            unchanged=not self._steps,
            second_look_at_ms=told.second_look_at_ms,
        )

    def _reason(self, steps: OrderSteps, told: Told) -> tuple[InboxReason, str]:
        """Return why something is not booked, and more on it."""
        balances = steps.balances
        if self._refused:
            return "refused", self._refused
        reasons: list[tuple[InboxReason, bool]] = [
            ("many_reservations", steps.is_full),
            ("cancelled_after_shipping", any(each.to_cancel > 0 for each in balances)),
            ("cannot_take_back", any(each.to_take_back > 0 for each in balances)),
            ("unmapped", any(part.unmapped for each in balances for part in each.progress)),
            ("shipped_without_stock", told.is_paid and any(each.to_ship > 0 for each in balances)),
            ("not_held", any(each.line.due > 0 for each in balances)),
            ("adopted_differs", steps.unclaimed > 0),
        ]
        return next((reason for reason, applies in reasons if applies), ""), ""


def _fault_of(order: ChannelOrder) -> str:
    try:
        check_reference("number", order.key)
    except InvalidError as error:
        return f"its {error}"
    return fault_of(order)


def _idle(record: BookedOrder, told: Told) -> Booked:
    state: BookedState = "booked" if record.lines else "recorded"
    return Booked(state=state, reservations=tuple(record.reservations), unchanged=True, stale=told.stale)


def _is_same(after: BookedOrder, before: BookedOrder) -> bool:
    return replace(after, version=before.version, touched_ms=before.touched_ms) == before


def _short_of(planned: Planned, made: Reservation, meant: Mapping[str, Meant]) -> list[LinePieces]:
    """Return which pieces of a new order are short: reserved, and not there."""
    short, first = [], 0
    for key in planned.lines:
        components = meant[key].components
        of_line = zip(made.lines[first : first + len(components)], components, strict=False)
        pieces = max(-(-min(line.quantity, max(0, -line.first_available)) // each.quantity) for line, each in of_line)
        first += len(components)
        if pieces:
            short.append(LinePieces(key, pieces))
    return short


def _progress_of(each: Balance) -> LineProgress:
    line = each.line
    if line.stockless:
        return LineProgress(line.key, line.ordered, 0, line.cancelled, line.shipped, line.returned)
    booked = sum(part.open + part.waiting for part in each.progress)
    unmapped = any(part.unmapped for part in each.progress)
    return LineProgress(line.key, line.ordered, booked, each.cancelled, each.shipped, each.returned, unmapped)


def _state_of(told: Told, balances: list[Balance]) -> BookedState:
    with_stock = [each for each in balances if not each.line.stockless]
    if not with_stock:
        return "recorded"
    shipped = sum(each.shipped for each in with_stock)
    left = sum(each.live for each in with_stock) - shipped
    if not shipped and not left:
        return "cancelled"
    if not left:
        return "shipped"
    if shipped:
        return "shipping"
    return "booked" if told.is_paid else "held"
