"""The ledger as a plain Python model: what it must answer, without a store, a script or a batch.

Times come in from outside: the model gets the time at which the store decided, and never looks at a clock.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from server.domain import limits
from server.domain.allocations import Allocation, AllocationKind
from server.domain.answers import AllocationUsageUnknown, BatchNoted, LineRefusal, OrderNoted, Refused
from server.domain.binding import Binding, Bound
from server.domain.booked_orders import BookedOrder
from server.domain.exchange import Exchange, Exchanged, ExchangeRefused
from server.domain.expected_receipt import ExpectedReceipt, ExpectedReceiptChanged
from server.domain.key_limits import Quota
from server.domain.likeness import FOLD_VERSION, fold
from server.domain.limits import DEFAULT_LOCATION
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.operations.batches import NoteBatch
from server.domain.operations.expected_receipts import Expect, Forgo, ReceiveExpected
from server.domain.operations.orders import Noted, NoteOrder, Numbered
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Edit,
    Extend,
    Fulfil,
    LineQuantity,
    MapLines,
    Order,
    Release,
    ReleaseBecause,
    Relocate,
    Reserve,
    Return,
)
from server.domain.operations.reservations import Line as WantedLine
from server.domain.operations.stock import (
    Adjust,
    Bucket,
    Count,
    Disposition,
    Move,
    Receive,
    SetBackorder,
    Shelf,
    TakeBack,
)
from server.domain.operations.transfers import Arrive, CancelTransfer, Ship
from server.domain.reservation import UNMAPPED, UNTRACKED, Changed, ChannelLine, OpenLines, Reservation, ReservationLine
from server.domain.sourcing import Candidate, Plan, Sourced, Wanted
from server.domain.stock import Availability, Backorder, StockChanged, StockLevel
from server.domain.transfer import Transfer, TransferChanged, TransferLine
from server.store.repositories.backorders import Member
from tests.support import noted_orders
from tests.support.brute_force import brute_force, brute_force_parts
from tests.support.edited import Edited, Raise
from tests.support.operations import AnAnswer, AnOperation, no_such_line, reservation_of
from tests.support.placed import NOWHERE, Made, Placed
from tests.support.sourcing_oracle import Parts
from tests.support.written import written_out

T = TypeVar("T", bound=Reserve | Order)
Place = tuple[str, str]
"""(SKU, location)."""
WITHOUT_END = 10**15
"""How many units there are of what has no stock."""
Answer = AnAnswer


@dataclass
class Own:
    """What is allocated to a channel at a location; what it uses of it follows from its reservations."""

    kind: AllocationKind
    units: int


@dataclass
class Stock:
    """The buckets of one place, what channels have for themselves, and what on_hand was before each of its changes."""

    on_hand: int = 0
    held: int = 0
    committed: int = 0
    damaged: int = 0
    quality_control: int = 0
    safety: int = 0
    seq: int = 0
    allocated: dict[str, Own] = field(default_factory=dict)
    backorder: Backorder | None = None
    history: list[tuple[int, int]] = field(default_factory=list)
    forgotten_seq: int = 0
    counted: "Counted | None" = None

    @property
    def available(self) -> int:
        return self.on_hand - self.damaged - self.quality_control - self.safety - self.held - self.committed

    @property
    def lacks(self) -> int:
        reserved, shelf = self.held + self.committed, self.on_hand - self.damaged - self.quality_control
        return 0 if shelf >= reserved else reserved if shelf <= 0 else reserved - shelf

    @property
    def waiting(self) -> int:
        return self.backorder.waiting if self.backorder else 0

    def wait(self, units: int) -> None:
        """Let so many more units be waited for; nothing is left of a limit of zero for which no order waits."""
        assert self.backorder
        now = msgspec.structs.replace(self.backorder, waiting=self.backorder.waiting + units)
        self.backorder = now if now.limit or now.waiting else None

    def on_hand_at(self, seq: int) -> int:
        return next((before for changed_seq, before in self.history if changed_seq > seq), self.on_hand)

    def forget_before(self, kept: int) -> None:
        if len(self.history) > kept:
            self.forgotten_seq = self.history[-kept - 1][0]
            self.history = self.history[-kept:]


@dataclass
class Counted:
    """As of when the last count holds; what counts have corrected since."""

    at_ms: int
    seq: int
    corrections: list[tuple[int, int]]

    def is_after(self, at_ms: int, seq: int) -> bool:
        return (0 <= at_ms < self.at_ms) or seq < self.seq

    def since(self, seq: int) -> list[tuple[int, int]]:
        return [each for each in self.corrections if each[0] > seq]


@dataclass
class ModelLine:
    place: Place
    quantity: int
    requested: int
    held: int
    committed: int
    first_available: int
    first_seq: int
    fulfilled: int = 0
    released: int = 0
    expired: int = 0
    returned: int = 0
    waiting: int = 0
    owed: int = 0
    first_waiting: int = 0
    mode: str = ""
    promise_on: str = ""
    text: str = ""
    edited: int = 0

    @property
    def is_unmapped(self) -> bool:
        return self.mode == UNMAPPED

    def shown(self) -> ReservationLine:
        return ReservationLine(
            *self.place,
            quantity=self.quantity,
            requested=self.requested,
            held=self.held,
            committed=self.committed,
            fulfilled=self.fulfilled,
            released=self.released,
            expired=self.expired,
            returned=self.returned,
            first_available=self.first_available,
            first_seq=self.first_seq,
            waiting=self.waiting,
            owed=self.owed,
            first_waiting=self.first_waiting,
            mode=self.mode,
            promise_on=self.promise_on,
            text=self.text,
            edited=self.edited,
        )


Mapped = tuple[int, ModelLine, str, str]
"""An unmapped line: its number, itself, the SKU that it is for, and the location to take it from, or none."""


@dataclass
class ModelReservation:
    asked: Reserve | Order
    created_ms: int
    deadline_ms: int
    seq: int
    lines: list[ModelLine]
    ended_as: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    open: OpenLines | None = None
    channel_lines: list[ChannelLine] = field(default_factory=list)

    def total(self, counter: str) -> int:
        return sum(getattr(line, counter) for line in self.lines)

    @property
    def state(self) -> str:
        states = {
            "held": "held", "committed": "committed", "waiting": "backordered", "owed": "backordered",
            "fulfilled": "fulfilled",
        }  # fmt: skip
        for counter, state in states.items():
            if self.total(counter):
                return state
        return self.ended_as

    @property
    def counted(self) -> int:
        """How many units it counts as for a quota."""
        return sum(line.held + line.waiting for line in self.lines if line.place[1])

    @property
    def is_hold(self) -> bool:
        return self.total("held") + self.total("waiting") > 0

    @property
    def is_tombstone(self) -> bool:
        return not self.lines

    def shown(self) -> Reservation:
        return Reservation(
            state=self.state,
            created_ms=self.created_ms,
            deadline_ms=self.deadline_ms,
            ttl_ms=self.asked.ttl_ms if isinstance(self.asked, Reserve) else 0,
            seq=self.seq,
            channel=self.asked.channel,
            actor=self.asked.actor,
            fingerprint=self.asked.fingerprint,
            order_ref=self.asked.order_ref,
            customer_ref=self.asked.customer_ref,
            flags=self.asked.flags,
            lines=[line.shown() for line in self.lines],
            notes=list(self.notes),
            open=self.open,
            channel_lines=list(self.channel_lines),
            quota=self.asked.quota.key if isinstance(self.asked, Reserve) and self.asked.quota else "",
        )


@dataclass
class SentLine:
    sku: str
    quantity: int
    received: int = 0
    lost: int = 0
    cancelled: int = 0

    @property
    def in_transit(self) -> int:
        return self.quantity - self.received - self.lost - self.cancelled


@dataclass
class Sent:
    """A transfer: on its way for as long as any of its lines is."""

    asked: Ship
    shipped_ms: int
    lines: list[SentLine]
    closed_ms: int = 0
    lost_reason: str = ""
    cancel_reason: str = ""
    is_cancelled: bool = False

    @property
    def state(self) -> str:
        if self.is_cancelled:
            return "cancelled"
        return "in_transit" if any(line.in_transit for line in self.lines) else "closed"

    def shown(self) -> Transfer:
        asked = self.asked
        return Transfer(
            self.state, self.shipped_ms, self.closed_ms, asked.actor, asked.fingerprint, asked.source,
            asked.destination,
            [TransferLine(each.sku, each.quantity, each.received, each.lost, each.cancelled) for each in self.lines],
            asked.reason, self.lost_reason, self.cancel_reason,
        )  # fmt: skip


class Model:
    """All of one partition. ``life_max_ms`` and the others are the limits that the scripts run with."""

    def __init__(
        self, life_max_ms: int, log_max: int, units_max: int = limits.UNITS_MAX, short_max: int = limits.SHORT_MAX
    ) -> None:
        self.life_max_ms = life_max_ms
        self.log_max = log_max
        self.units_max = units_max
        self.short_max = short_max
        self.seq = 0
        self.stock: dict[Place, Stock] = {}
        self.closed: set[str] = set()
        self.known: dict[tuple[str, str], list[str]] = {}
        self.registered = False
        self.limited: dict[str, set[str]] = {}
        self.reservations: dict[str, ModelReservation] = {}
        self.transfers: dict[str, Sent] = {}
        self.supplies: dict[str, ExpectedReceipt] = {}
        self.safeguarded: dict[Place, int] = {}
        self.untracked: set[str] = set()
        self.first_answers: dict[str, Changed] = {}
        self.orders: dict[str, BookedOrder] = {}
        self.remembered: dict[str, tuple[str, Answer]] = {}
        self.now_ms = 0
        self.seq_of: dict[int, int] = {}
        """The seq at times that counts name."""
        self.next_notes: list[tuple[str, str]] = []
        self.next_open: OpenLines | None = None
        self.touched: list[Place] = []
        self.filling = False
        self.handlers: dict[type, Callable[..., Answer]] = {
            Reserve: self._reserve,
            Order: self._reserve,
            Sourced: self._source,
            Bound: self._bind,
            Exchange: self._exchange,
            Relocate: self._relocate,
            MapLines: self._map_lines,
            Edit: self._edit,
            Extend: self._extend,
            Commit: self._commit,
            Release: self._release,
            ReleaseBecause: self._release,
            Cancel: self._cancel,
            Fulfil: self._fulfil,
            Receive: self._receive,
            Adjust: self._adjust,
            Count: self._count,
            Return: self._return,
            Move: self._move_between,
            TakeBack: self._take_back,
            Ship: self._ship,
            Arrive: self._arrive,
            CancelTransfer: self._cancel_transfer,
            Expect: self._expect,
            Forgo: self._forgo,
            ReceiveExpected: self._receive_expected,
            Allocate: self._allocate,
            AllocateMove: self._allocate_move,
            SetBackorder: self._set_backorder,
            NoteBatch: _note_batch,
            NoteOrder: _note_order,
        }

    @property
    def in_transit(self) -> int:
        return sum(line.in_transit for sent in self.transfers.values() for line in sent.lines)

    @property
    def shortage(self) -> int:
        return sum(max(0, -stock.available) for stock in self.stock.values())

    @property
    def lacking(self) -> int:
        return sum(stock.lacks for stock in self.stock.values())

    def next_deadline_ms(self) -> int | None:
        return min(
            (reservation.deadline_ms for reservation in self.reservations.values() if reservation.deadline_ms),
            default=None,
        )

    def apply(self, operations: Sequence[AnOperation], now_ms: int) -> list[Answer]:
        """Answer what one script call is asked, in order; all of it happens at ``now_ms``."""
        self.now_ms = now_ms
        answers = [self._answer(operation) for operation in operations]
        for stock in self.stock.values():
            stock.forget_before(self.log_max)
        return answers

    def expire(self, now_ms: int) -> list[int]:
        """End all holds that are due; for each, how late that was in milliseconds."""
        self.now_ms = now_ms
        due = [(reservation.deadline_ms, each.encode(), reservation) for each, reservation in self.reservations.items()]
        return [
            self._expire(reservation)
            for at_ms, _, reservation in sorted(due, key=lambda one: one[:2])
            if 0 < at_ms <= now_ms and reservation.deadline_ms  # what one released may have ended another
        ]

    def safeguard(self, places: Iterable[Place], units: int, percent: int) -> tuple[int, list[Place]]:
        """Apply one rule of safety stock to places, ``units`` -1: none; how many changed, and where more is wanted."""
        changed, capped = 0, []
        for place in places:
            stock, was = self.stock.get(place), self.safeguarded.pop(place, 0)
            if stock is None or stock.safety not in {0, was}:
                continue
            wanted = 0 if units < 0 else max(units, math.ceil(stock.on_hand * percent / 100))
            kept = max(0, min(wanted, stock.available + stock.safety))
            if kept != stock.safety:
                changed += 1
                self._move(place, safety=kept - stock.safety)
                self._fill()
            if kept < wanted:
                capped.append(place)
            if kept:
                self.safeguarded[place] = kept
        return changed, capped

    def _answer(self, operation: AnOperation) -> Answer:
        match operation:
            case Noted():
                return noted_orders.noted(self, operation)  # type: ignore[no-any-return]  # it knows the model
            case Numbered():
                return noted_orders.numbered(self, operation)  # type: ignore[no-any-return]
        return self.answer(operation)

    def answer(self, operation: Any) -> Answer:
        """Answer one operation by itself, whatever stands in front of it."""
        keyed = keyed_part(operation)
        key = getattr(keyed, "key", "")
        if key in self.remembered:
            fingerprint, first = self.remembered[key]
            assert not isinstance(first, Refused | AllocationUsageUnknown | ExchangeRefused)
            if fingerprint == getattr(keyed, "fingerprint", ""):
                return msgspec.structs.replace(first, replayed=True)
            if not getattr(keyed, "replaces", False):
                return Refused("id_reused", "", [])
        answer = self.handlers[type(operation)](operation)
        if not key or isinstance(answer, Refused | AllocationUsageUnknown | ExchangeRefused):
            return answer
        if not answer.replayed:
            self.remembered[key] = (getattr(keyed, "fingerprint", ""), answer)
        return answer

    def _reserve(self, op: Reserve | Order) -> Answer:  # noqa: PLR0911  # one for each outcome
        first = self.first_answers.get(op.reservation_id)
        if first:
            if first.reservation.fingerprint.removeprefix("!") != op.fingerprint:
                return Refused("id_reused", self.reservations[op.reservation_id].state, [])
            return msgspec.structs.replace(first, replayed=True)
        if self._is_forestalled(op):
            return self._met(op, self.reservations[op.reservation_id])
        closed = self._closed_lines(op)
        if closed:
            return _closed(op, closed)
        op, is_known = self._without_unstocked(op)
        if _is_sold_already(op):
            op = self._free_of_location(op)
        if all(line.location for line in op.lines):
            return self._reserve_named(op, is_known=is_known)
        made = Placed(self, op).made()
        if isinstance(made, Refused):
            return made
        lines = zip(made.numbers, made.op.lines, made.granted, strict=True)
        beyond = _is_sold_already(op) and self.too_short(
            (number, msgspec.structs.replace(line, quantity=units)) for number, line, units in lines
        )
        if beyond:
            return Refused("out_of_range", "", beyond)
        return self._reserved(made.op, made.granted, made.missing)

    def _is_forestalled(self, op: Reserve | Order) -> bool:
        known = self.reservations.get(op.reservation_id)
        return known is not None and known.is_tombstone

    def _met(self, op: Reserve | Order, stone: ModelReservation) -> Answer:
        """Record what comes after its cancel: it takes nothing, so it counts for no quota."""
        asked = msgspec.structs.replace(op, fingerprint=f"!{op.fingerprint}")
        if isinstance(asked, Reserve):
            asked = msgspec.structs.replace(asked, quota=None)
        lines = []
        for wanted in op.lines:
            place = (wanted.sku, wanted.location)
            seen = (self.seen(place, op.channel), self.stock[place].seq) if place in self.stock else (0, 0)
            lines.append(ModelLine(place, 0, wanted.quantity, 0, 0, *seen))
        reservation = ModelReservation(asked, self.now_ms, 0, 0, lines, ended_as="cancelled", notes=stone.notes)
        self.reservations[op.reservation_id] = reservation
        answer = Changed(replayed=False, reservation=reservation.shown())
        self.first_answers[op.reservation_id] = answer
        return answer

    def _forestall(self, op: Cancel | Release) -> Answer:
        """Remember a cancel or release that came before its reservation."""
        if op.reservation_id not in self.reservations:
            reason = op.reason if isinstance(op, Cancel) else ""
            asked = Order("", op.actor, op.reservation_id, "", [])
            notes = [("cancel_reason", reason)] if reason else []
            stone = ModelReservation(asked, self.now_ms, 0, 0, [], ended_as="cancelled", notes=notes)
            self.reservations[op.reservation_id] = stone
        return Changed(replayed=False, reservation=self.reservations[op.reservation_id].shown())

    def _may_forestall(self, op: Cancel | Release) -> bool:
        known = self.reservations.get(op.reservation_id)
        return op.remember and (known is None or known.is_tombstone)

    def _reserve_named(self, op: Reserve | Order, *, is_known: bool) -> Answer:
        unknown = [
            LineRefusal(number, line.sku, line.location, line.quantity, 0)
            for number, line in enumerate(op.lines, 1)
            if line.location != NOWHERE and (line.sku, line.location) not in self.stock
        ]
        if unknown:
            return Refused("unknown_sku", "", unknown)
        granted, short = self._grant(op.lines, op.channel)
        if short or not is_known:
            self.expire(self.now_ms)
            granted, short = self._grant(op.lines, op.channel)
        if short and op.backorder:
            missing = [line.quantity - units for line, units in zip(op.lines, granted, strict=True)]
            if self._may_wait(op.lines, missing, op.channel):
                return self._reserved(op, granted, missing)
        if short and isinstance(op, Order) and op.accept_shortage:
            beyond = self.too_short(enumerate(op.lines, 1))
            if beyond:
                return Refused("out_of_range", "", beyond)
            granted = [line.quantity for line in op.lines]
        elif short and not (op.partial and any(granted)):
            return Refused("out_of_stock", "", short)
        return self._reserved(op, granted)

    def too_short(self, lines: Iterable[tuple[int, WantedLine]]) -> list[LineRefusal]:
        """Return the lines after which a place would be short of more units than may be, or a counter too great."""
        taken: Counter[Place] = Counter()
        found = []
        for number, line in lines:
            place = line.sku, line.location
            if not is_stocked(place):
                continue
            stock = self.stock[place]
            shelf = stock.on_hand - stock.damaged - stock.quality_control
            room = min(
                shelf - stock.held - stock.committed + self.short_max,
                self.units_max - stock.committed,
                self.units_max + stock.available,
            )
            room = max(0, room - taken[place])
            if line.quantity > room:
                found.append(LineRefusal(number, *place, line.quantity, room, "shortage"))
            taken[place] += line.quantity
        return found

    def _out_of_range(self, state: str, *changes: tuple[int, Place, int, dict[str, int]]) -> Refused | None:
        """Refuse changes (line, place, units, deltas) after which a counter would be out of its range."""
        found = []
        after = {place: deepcopy(self.stock.get(place, Stock())) for _, place, _, _ in changes}
        for number, place, units, deltas in changes:
            was, now = self.stock.get(place, Stock()), after[place]
            for bucket, delta in deltas.items():
                setattr(now, bucket, getattr(now, bucket) + delta)
            for name in (*Bucket, "available"):
                before, grown = getattr(was, name), getattr(now, name)
                if abs(grown) > self.units_max and (grown > before if grown > 0 else grown < before):
                    room = max(0, self.units_max - abs(before))
                    found.append(LineRefusal(number, *place, units, room, str(name)))
                    break
        return Refused("out_of_range", state, found) if found else None

    def _alike(self, state: str, op: Any, *changes: tuple[int, Place, int]) -> Refused | None:
        """Refuse changes (line, place, units) at new places whose names are like known ones; else those are known."""
        known = deepcopy(self.known)
        for number, place, units in changes:
            if place in self.stock:
                continue
            for kind, name, named in zip(("sku", "location"), place, op.names, strict=True):
                alike = known.setdefault((kind, fold(name)), []) if name in named else [name]
                if name in alike:
                    continue
                may_be_new = kind == "sku" or not self.registered or name == "main"
                if not op.allow_similar and (alike or not may_be_new):
                    outcome = "similar_name" if alike else "unregistered_location"
                    return Refused(outcome, state, [LineRefusal(number, *place, units, 0, kind, "".join(alike[:1]))])
                alike.append(name)
        self.known = known
        return None

    def describe(self, location: str) -> dict[str, str]:
        """Register a location; returned is what it is like, where it is new and may not be."""
        alike = self.known.setdefault(("location", fold(location)), [])
        if alike and location not in alike:
            return {location: alike[0]}
        if not alike:
            alike.append(location)
        self.registered = True
        return {}

    @property
    def likeness(self) -> dict[str, str]:
        """The whole index of names."""
        kept = {f"{kind}\0{folded}": "\0".join(names) for (kind, folded), names in self.known.items() if names}
        if self.registered:
            kept["\0described"] = "1"
        return kept | {"\0version": str(FOLD_VERSION), "\0complete": "1"}

    def track(self, sku: str, *, tracked: bool) -> bool:
        """Make a SKU tracked or untracked; what has stock stays tracked."""
        if self.names_of(sku):
            return tracked
        if not tracked and sku not in self.untracked and sku not in self.known.setdefault(("sku", fold(sku)), []):
            self.known["sku", fold(sku)].append(sku)
        (self.untracked.discard if tracked else self.untracked.add)(sku)
        return True

    def _mode_of(self, op: Reserve | Order, sku: str) -> str:
        """Say what kind of line a SKU makes that has no stock; empty: it has some, or is refused."""
        if self.names_of(sku):
            return ""
        if sku in self.untracked:
            return UNTRACKED
        return UNMAPPED if isinstance(op, Order) and op.accept_shortage else ""

    def _without_unstocked(self, op: T, unknown: Collection[str] = ()) -> tuple[T, bool]:
        """Set lines apart that count in no bucket; False: there are some. ``unknown``: only of these SKUs."""
        lines = [
            msgspec.structs.replace(line, location=NOWHERE)
            if (line.sku in unknown and not line.location if unknown else not self._is_there(line))
            and self._mode_of(op, line.sku)
            else line
            for line in op.lines
        ]
        return msgspec.structs.replace(op, lines=lines), lines == op.lines

    def _free_of_location(self, op: T) -> T:
        """Take the location from lines that name one where their SKU is not."""
        lines = [
            msgspec.structs.replace(line, location="")
            if line.location != NOWHERE and not self._is_there(line) and self.names_of(line.sku)
            else line
            for line in op.lines
        ]
        return msgspec.structs.replace(op, lines=lines)

    def _is_there(self, line: WantedLine) -> bool:
        return (line.sku, line.location or DEFAULT_LOCATION) in self.stock

    def _source(self, op: Sourced) -> Answer:  # noqa: C901, PLR0911  # one for each way that it goes
        request = op.promise
        if request.reservation_id in self.first_answers or self._is_forestalled(request):
            return self._reserve(request)
        closed = self._closed_lines(request)
        if closed:
            return _closed(request, closed)
        planned = [number for number, line in enumerate(request.lines, 1) if not line.location]
        if not planned:
            return self._reserve(request)
        op = Sourced(request, msgspec.structs.replace(op.plan, candidates=self._open(op.plan.candidates)))
        if not op.plan.candidates:
            return self._reserve(request) if _is_sold_already(request) else _closed(request, planned)
        chosen = self._choose(op)
        if chosen is None:
            self.expire(self.now_ms)
            chosen = self._choose(op)
        if chosen is None:
            refusal, chosen = self._unsourced(op)
            lesser, is_known = self._without_unstocked(request, {line.sku for line in refusal.lines})
            if refusal.outcome == "unknown_sku" and not is_known:
                return self._source(Sourced(lesser, op.plan))
            if not _is_sold_already(request):
                return refusal
            if refusal.outcome == "unknown_sku":  # at all candidates, but not everywhere
                return self._reserve(request)
        lines, further = _dealt(request.lines, chosen)
        if op.plan.open_group is not None:
            numbers = [*planned, *range(len(lines) + 1, len(lines) + len(further) + 1)]
            self.next_open = OpenLines(op.plan.open_group, numbers)
        answer = self._reserve(msgspec.structs.replace(request, lines=lines + further))
        self.next_open = None
        return answer

    def _closed_lines(self, request: Reserve | Order) -> list[int]:
        """Return which lines name a closed location, unless what they want is sold already."""
        lines = [] if _is_sold_already(request) else enumerate(request.lines, 1)
        return [number for number, line in lines if line.location in self.closed]

    def _open(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        return [each for each in candidates if each.name not in self.closed]

    def _choose(self, op: Sourced) -> dict[str, Parts] | None:
        return _chosen(_wanted(op.promise), op.plan, self._unclaimed(op.promise))

    def _unclaimed(self, request: Reserve | Order) -> dict[Place, int]:
        """What is available beyond what lines that name their location take."""
        left = {place: self.reservable(place, request.channel) for place in self.stock}
        for line in request.lines:
            if (line.sku, line.location) in left:
                left[line.sku, line.location] -= line.quantity
        return left

    def _unsourced(self, op: Sourced) -> tuple[Refused, dict[str, Parts]]:
        """Return why there is no choice, and where each SKU goes if it must go somewhere."""
        left, names = self._unclaimed(op.promise), self._in_order(op)
        places = [(line.sku, line.location) for line in op.promise.lines]
        lines: list[tuple[bool, LineRefusal]] = []
        known: dict[str, Parts] = {}
        for want in _wanted(op.promise):
            number = places.index((want.sku, "")) + 1
            there = [name for name in names if (want.sku, name) in left]
            known |= {want.sku: _all_there(want, there, left)} if there else {}
            most = (sum if op.plan.split_lines else max)([0, *(max(0, left[want.sku, name]) for name in there)])
            lines.append((bool(there), LineRefusal(number, want.sku, "", want.units, most)))
        unknown = [line for is_known, line in lines if not is_known]
        short = [line for _, line in lines if line.available < line.requested]
        if unknown:
            return Refused("unknown_sku", "", unknown), known
        if short:
            return Refused("out_of_stock", "", short), known
        return Refused("too_many_splits", "", [line for _, line in lines]), known

    def _in_order(self, op: Sourced) -> list[str]:
        left, wanted = self._unclaimed(op.promise), _wanted(op.promise)

        def key(candidate: Candidate) -> tuple[int, int]:
            return candidate.rank, -sum(max(0, left.get((want.sku, candidate.name), 0)) for want in wanted)

        return [each.name for each in sorted(op.plan.candidates, key=key)]

    def _grant(self, lines: Sequence[WantedLine], channel: str = "") -> tuple[list[int], list[LineRefusal]]:
        claimed: Counter[Place] = Counter()
        granted, short = [], []
        for number, line in enumerate(lines, 1):
            place = (line.sku, line.location)
            left = self.reservable(place, channel) - claimed[place]
            units = min(line.quantity, max(0, left))
            if units < line.quantity:
                short.append(LineRefusal(number, *place, line.quantity, units))
            claimed[place] += units
            granted.append(units)
        return granted, short

    def reservable(self, place: Place, channel: str = "") -> int:
        """Return what a channel may have: units that a backorder waits for are kept for it."""
        return self.left(place, channel, self.stock[place].waiting) if is_stocked(place) else WITHOUT_END

    def rename(self, sku: str) -> bool:
        """Give a SKU another name, which the model has no word for; False: nobody knows it."""
        names = self.names_of(sku)
        for name in names:
            self.seq += 2
            self.stock[sku, name].seq = self.seq
        return bool(names) or sku in self.untracked

    def rename_location(self, location: str, skus: list[str]) -> None:
        """Give a location another name, which the model has no word for. ``skus``: in the order in which they moved."""
        assert sorted(skus) == sorted(sku for sku, name in self.stock if name == location)
        for sku in skus:
            self.seq += 2
            self.stock[sku, location].seq = self.seq

    def names_of(self, sku: str) -> list[str]:
        """Return where a SKU is known."""
        return [name for each, name in self.stock if each == sku]

    def rule(self, place: Place) -> Backorder | None:
        """Return how many units may be waited for at a place."""
        return self.stock[place].backorder

    def cap_rest(self, place: Place, channel: str) -> int | None:
        """Return what is left of a channel's cap; None: it has none."""
        mine = self.stock[place].allocated.get(channel) if is_stocked(place) else None
        return max(0, mine.units - self.used(place, channel)) if mine and mine.kind == "cap" else None

    def end_due_holds(self) -> None:
        """End all holds that are due."""
        self.expire(self.now_ms)

    def _may_wait(self, lines: Sequence[WantedLine], missing: list[int], channel: str) -> bool:
        wanted: Counter[Place] = Counter()
        asked: Counter[Place] = Counter()
        for line, units in zip(lines, missing, strict=True):
            if line.location == NOWHERE:
                continue
            wanted[line.sku, line.location] += line.quantity
            asked[line.sku, line.location] += units
        for place, units in wanted.items():
            mine = self.stock[place].allocated.get(channel)
            if mine and mine.kind == "cap" and units > max(0, mine.units - self.used(place, channel)):
                return False
        places = {place: self.stock[place] for place in +asked}
        return all(
            stock.backorder is not None and stock.waiting + asked[place] <= stock.backorder.limit
            for place, stock in places.items()
        )

    def _reserved(self, op: Reserve | Order, granted: list[int], missing: Sequence[int] = ()) -> Answer:
        if isinstance(op, Reserve) and op.quota:
            there = zip(op.lines, granted, missing or [0] * len(granted), strict=True)
            units = sum(units + waits for line, units, waits in there if line.location != NOWHERE)
            over = self.over_quota(op.quota, op.customer_ref, units, "")
            if over:
                return over
        deadline_ms = self.now_ms + op.ttl_ms if isinstance(op, Reserve) else 0
        reservation = ModelReservation(op, self.now_ms, deadline_ms, 0, [], notes=self.next_notes, open=self.next_open)
        if op.channel_lines:
            reservation.channel_lines = list(op.channel_lines)
        if op.channel_lines or (isinstance(op, Reserve) and op.quota):
            reservation.open = reservation.open or OpenLines("", [], bound=True)
        self.next_notes = []
        self.reservations[op.reservation_id] = reservation
        for wanted, units, waits in zip(op.lines, granted, missing or [0] * len(granted), strict=True):
            place = (wanted.sku, wanted.location)
            if wanted.location == NOWHERE:
                reservation.lines.append(self._unstocked_line(op, wanted))
                continue
            held, committed = (units, 0) if isinstance(op, Reserve) else (0, units)
            if units + waits:
                self._move(place, held=held, committed=committed)
                reservation.seq = self.seq
            stock = self.stock[place]
            line = ModelLine(place, units + waits, wanted.quantity, held, committed, 0, stock.seq)
            reservation.lines.append(line)
            line.first_available = self.left(place, op.channel)
            if waits and stock.backorder:
                line.waiting, line.owed = (waits, 0) if isinstance(op, Reserve) else (0, waits)
                line.first_waiting, line.mode, line.promise_on = waits, stock.backorder.mode, stock.backorder.promise_on
                stock.wait(waits)
        # What is left stands in the lines themselves.
        answer = self._changed(reservation, [])
        if op.fingerprint:
            self.first_answers[op.reservation_id] = answer
        return answer

    def counted(self) -> dict[str, int]:
        """The counters of quotas: what is held, or waited for, of each key and of each of its customers."""
        found: Counter[str] = Counter()
        for each in self.reservations.values():
            if isinstance(each.asked, Reserve) and each.asked.quota and each.counted:
                name = f"quota\0{each.asked.quota.key}"
                found[name] += each.counted
                if each.asked.customer_ref:
                    found[f"{name}\0{each.asked.customer_ref}"] += each.counted
        return dict(found)

    def over_quota(self, quota: Quota, customer: str, units: int, state: str) -> Refused | None:
        """Refuse so many units more, where a key or its customer would hold too many."""
        if self._lacking_room(quota, customer, units):
            self.expire(self.now_ms)
        short = self._lacking_room(quota, customer, units)
        return Refused("quota_exceeded", state, [short]) if short else None

    def _lacking_room(self, quota: Quota, customer: str, units: int) -> LineRefusal | None:
        counted, name = self.counted(), f"quota\0{quota.key}"
        limits = [("key", name, quota.units_max)]
        limits += [("customer", f"{name}\0{customer}", quota.customer_units_max)] if customer else []
        for what, each, most in limits:
            left = most - counted.get(each, 0)
            if most and units > max(0, left):
                return LineRefusal(0, "", "", units, left, what, "", 0, most)
        return None

    def _unstocked_line(self, op: Reserve | Order, wanted: WantedLine) -> ModelLine:
        line = ModelLine((wanted.sku, ""), wanted.quantity, wanted.quantity, 0, 0, 0, 1)
        line.mode = self._mode_of(op, wanted.sku)
        if line.is_unmapped:
            line.owed = line.first_waiting = wanted.quantity
        elif isinstance(op, Reserve):
            line.held = wanted.quantity
        else:
            line.committed = wanted.quantity
        return line

    @property
    def unmapped(self) -> int:
        """How many lines wait for a SKU."""
        lines = [line for each in self.reservations.values() for line in each.lines]
        return sum(line.is_unmapped and line.owed > 0 for line in lines)

    def _map_lines(self, op: MapLines) -> Answer:
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        todo = self._unmapped_lines(reservation, op)
        if isinstance(todo, Refused):
            return todo
        unknown = [
            LineRefusal(number, sku, location, line.owed, 0)
            for number, line, sku, location in todo
            if (not self.names_of(sku) and sku not in self.untracked)
            or (self.names_of(sku) and location and (sku, location) not in self.stock)
        ]
        if unknown:
            return Refused("unknown_sku", reservation.state, unknown)
        found = self._mapped_to(reservation, todo)
        if isinstance(found, Refused):
            return found
        touched = []
        for (_, line, sku, _), parts in zip(todo, found, strict=True):
            line.text, line.place, line.mode = line.place[0], (sku, parts[0][0]), "" if parts[0][0] else UNTRACKED
            line.owed = 0
            line.committed += parts[0][1]
            self._move(line.place, committed=parts[0][1])
            touched.append(line.place)
            for name, units in parts[1:]:
                self._put_in(reservation, (sku, name), 0, units)
                line.released += units
                touched.append((sku, name))
        if todo:
            self._settle(reservation, "", touched)
        return self._changed(reservation, touched)

    def _unmapped_lines(self, reservation: ModelReservation, op: MapLines) -> list[Mapped] | Refused:
        todo: list[Mapped] = []
        mapped, excess = [], []
        for want in op.lines:
            line = reservation.lines[want.line - 1] if want.line <= len(reservation.lines) else None
            if line is None:
                excess.append(no_such_line(want.line, len(reservation.lines), 1, want.sku, want.location))
            elif not line.is_unmapped:
                if not line.text or line.place[0] != want.sku:
                    mapped.append(LineRefusal(want.line, *line.place, line.quantity, 0))
            elif not line.owed:
                excess.append(LineRefusal(want.line, *line.place, line.quantity, 0))
            else:
                todo.append((want.line, line, want.sku, want.location))
        if mapped:
            return Refused("line_mapped", reservation.state, mapped)
        return Refused("exceeds_remaining", reservation.state, excess) if excess else todo

    def _mapped_to(self, reservation: ModelReservation, todo: list[Mapped]) -> list[Parts] | Refused:
        """Return where an accepted order of the lines would be taken from; of each its parts."""
        stocked = [(number, line, sku, location) for number, line, sku, location in todo if self.names_of(sku)]
        lines = [WantedLine(sku, location, line.owed) for _, line, sku, location in stocked]
        order = Order("", "", "", reservation.asked.channel, lines, accept_shortage=True)
        made = Placed(self, order).made()
        assert isinstance(made, Made)
        pieces = [
            (stocked[place - 1][0], msgspec.structs.replace(piece, quantity=units))
            for place, piece, units in zip(made.numbers, made.op.lines, made.granted, strict=True)
        ]
        beyond = self.too_short(pieces)
        if beyond:
            return Refused("out_of_range", reservation.state, beyond)
        return [
            [(piece.location, piece.quantity) for of, piece in pieces if of == number] or [("", line.owed)]
            for number, line, _, _ in todo
        ]

    def placed_as_new(self, op: Order) -> Made | Refused:
        """Return where the lines of an order would be taken from, if it was made of them."""
        closed = self._closed_lines(op)
        if closed:
            return _closed(op, closed)
        op, _ = self._without_unstocked(op)
        are_named = all(line.location for line in op.lines)
        made = self._placed_where_named(op) if are_named else Placed(self, op).made()
        if isinstance(made, Refused):
            return made
        lines = zip(made.numbers, made.op.lines, made.granted, strict=True)
        beyond = op.accept_shortage and self.too_short(
            (number, msgspec.structs.replace(line, quantity=units)) for number, line, units in lines
        )
        return Refused("out_of_range", "", beyond) if beyond else made

    def _placed_where_named(self, op: Order) -> Made | Refused:
        unknown = [
            LineRefusal(number, line.sku, line.location, line.quantity, 0)
            for number, line in enumerate(op.lines, 1)
            if line.location != NOWHERE and not self._is_there(line)
        ]
        if unknown:
            return Refused("unknown_sku", "", unknown)
        self.expire(self.now_ms)
        granted, short = self._grant(op.lines, op.channel)
        if short and not op.accept_shortage:
            return Refused("out_of_stock", "", short)
        if short:
            granted = [line.quantity for line in op.lines]
        return Made(op, granted, [0] * len(granted), list(range(1, len(granted) + 1)))

    def _edit(self, op: Edit) -> Answer:  # noqa: PLR0911  # one for each outcome
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        state, was_hold = reservation.state, reservation.deadline_ms > 0
        if state in ("released", "expired", "cancelled"):
            return _nothing_held(reservation)
        if op.ttl_ms and not was_hold:
            return Refused("already_committed", state, [])
        if op.accept_shortage and was_hold:
            return Refused("not_committed", state, [])
        edited = Edited(self, reservation, op)
        refusal = edited.refusal()
        if refusal:
            return refusal
        if not (edited.raises or edited.cuts or op.ttl_ms):
            return self._changed(reservation, [])
        over = self._edit_over_quota(reservation, edited, op) if was_hold else None
        if over:
            return over
        if op.ttl_ms:
            latest_ms = reservation.created_ms + self.life_max_ms
            reservation.deadline_ms = max(reservation.deadline_ms, min(self.now_ms + op.ttl_ms, latest_ms))
        touched = [self._lose(reservation.lines[number - 1], edited.cuts[number]) for number in sorted(edited.cuts)]
        touched += [self._gain(reservation, each, was_hold=was_hold) for each in edited.raises]
        self._settle(reservation, "", touched)
        return self._changed(reservation, touched)

    def _edit_over_quota(self, reservation: ModelReservation, edited: Edited, op: Edit) -> Refused | None:
        if not isinstance(op.quota, Quota):
            return None
        growth = sum(each.units for each in edited.raises if each.place[1] and not each.is_owed)
        for number, units in edited.cuts.items():
            if reservation.lines[number - 1].place[1]:
                growth -= units["held"] + units["waiting"]
        if growth <= 0:
            return None
        asked = reservation.asked
        if not isinstance(asked, Reserve) or asked.quota is None or asked.quota.key != op.quota.key:
            return Refused("quota_exceeded", reservation.state, [LineRefusal(0, "", "", growth, 0, "key")])
        return self.over_quota(op.quota, asked.customer_ref, growth, reservation.state)

    def _lose(self, line: ModelLine, units: Counter[str]) -> Place:
        self._move(line.place, held=-units["held"], committed=-units["committed"])
        for counter, count in units.items():
            setattr(line, counter, getattr(line, counter) - count)
        unmade = units["waiting"] + units["owed"]
        if unmade and line.place[1]:
            self.stock[line.place].wait(-unmade)
        _requested(line, -units.total())
        return line.place

    def _gain(self, reservation: ModelReservation, more: Raise, *, was_hold: bool) -> Place:
        if more.line is None:
            mode = "" if more.place[1] else UNMAPPED if more.is_owed else UNTRACKED
            reservation.lines.append(ModelLine(more.place, 0, 0, 0, 0, 0, 0, mode=mode))
        line = reservation.lines[-1 if more.line is None else more.line - 1]
        counter = "owed" if more.is_owed else "held" if was_hold else "committed"
        if not more.is_owed:
            self._move(line.place, **{counter: more.units})
        setattr(line, counter, getattr(line, counter) + more.units)
        _requested(line, more.units)
        return line.place

    def _extend(self, op: Extend) -> Answer:
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        if not reservation.is_hold:
            return _nothing_held(reservation)
        latest_ms = reservation.created_ms + self.life_max_ms
        reservation.deadline_ms = max(reservation.deadline_ms, min(self.now_ms + op.ttl_ms, latest_ms))
        return self._changed(reservation, [])

    def _release(self, op: Release) -> Answer:
        if self._may_forestall(op):
            return self._forestall(op)
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        if not reservation.is_hold:
            return _nothing_held(reservation)
        written = written_out(reservation, op.lines, _left("held", "waiting"))
        if isinstance(written, Refused):
            return written
        parts = _parts(reservation, written.lines, "held", waiting="waiting")
        if isinstance(parts, Refused):
            return parts
        written.count(reservation, "cancelled")
        return self._release_units(reservation, parts, "held", "released", ending="released")

    def _cancel(self, op: Cancel) -> Answer:
        return self._ordered(op, "released", "cancelled", [("cancel_reason", op.reason)])

    def _fulfil(self, op: Fulfil) -> Answer:
        notes = [("tracking", op.tracking), ("carrier", op.carrier), ("invoice_ref", op.invoice_ref)]
        return self._ordered(op, "fulfilled", "fulfilled", notes)

    def _return(self, op: Return, exchanged_for: str = "") -> Changed | Refused:
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        if not reservation.total("fulfilled"):
            return Refused("not_fulfilled", reservation.state, [])
        written = written_out(reservation, op.lines, lambda line: line.fulfilled - line.returned)
        if isinstance(written, Refused):
            return _or_unmapped(reservation, written)
        op = msgspec.structs.replace(op, lines=written.lines)
        parts = _parts(
            reservation, [LineQuantity(each.line, each.quantity) for each in op.lines], "fulfilled", "returned"
        )
        if isinstance(parts, Refused):
            return _or_unmapped(reservation, parts)
        arrivals = [
            (
                int(part.line),
                (place[0], part.location or place[1]),
                part.quantity,
                _taken_in(part.quantity, part.disposition),
            )
            for part in op.lines
            for place in [reservation.lines[int(part.line) - 1].place]
            if is_stocked(place)
        ]
        places = [(number, place, units) for number, place, units, _ in arrivals]
        beyond = self._out_of_range(reservation.state, *arrivals) or self._alike(reservation.state, op, *places)
        if beyond:
            return beyond
        written.count(reservation, "returned")
        touched = []
        for part in op.lines:
            line = reservation.lines[int(part.line) - 1]
            if line.place[1]:
                touched.append((line.place[0], part.location or line.place[1]))
                self._take_in(touched[-1], part.quantity, part.disposition)
            line.returned += part.quantity
        reservation.notes += [("return_reason", op.reason)] if op.reason else []
        reservation.notes += [("exchanged_for", exchanged_for)] if exchanged_for else []
        self._settle(reservation, "fulfilled", touched)
        return self._changed(reservation, touched)

    def _take_in(self, place: Place, units: int, disposition: Disposition) -> None:
        self.stock.setdefault(place, Stock())
        self._move(place, **_taken_in(units, disposition))

    def _ordered(self, op: Cancel | Fulfil, into: str, ending: str, notes: list[tuple[str, str]]) -> Answer:
        if isinstance(op, Cancel) and self._may_forestall(op):
            return self._forestall(op)
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        waiting = "owed" if isinstance(op, Cancel) else ""
        if not reservation.total("committed") + (reservation.total("owed") if waiting else 0):
            return _nothing_committed(reservation)
        written = written_out(reservation, op.lines, _left("committed", waiting))
        lines = [] if isinstance(written, Refused) else written.lines
        parts = written if isinstance(written, Refused) else _parts(reservation, lines, "committed", waiting=waiting)
        if isinstance(parts, Refused) or isinstance(written, Refused):
            assert isinstance(parts, Refused)
            return parts if waiting else _or_unmapped(reservation, parts)
        if waiting:
            written.count(reservation, "cancelled")
        reservation.notes += [note for note in notes if note[1]]
        if isinstance(op, Fulfil) and op.tracking:
            contents = [f"{number}:{units}" for number, units in sorted(parts.items()) if units]
            reservation.notes.append(("parcel", " ".join(contents)))
        if waiting:
            return self._release_units(reservation, parts, "committed", into, ending=ending)
        return self._shift(reservation, parts, "committed", into, ending=ending)

    def _commit(self, op: Commit) -> Answer:  # noqa: PLR0911  # one for each outcome
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        late = not reservation.is_hold
        if late and (not reservation.total("expired") or reservation.state == "cancelled"):
            return _nothing_held(reservation)  # a cancelled order does not come back
        counters = ("expired", "") if late else ("held", "waiting")
        written = written_out(reservation, op.lines, _left(*counters))
        if isinstance(written, Refused):
            return written
        parts = _parts(reservation, written.lines, counters[0], waiting=counters[1])
        if isinstance(parts, Refused):
            return parts
        if late:
            short = self._short_again(reservation, parts)
            if short:
                return Refused("expired", reservation.state, short)
        if op.order_ref:
            reservation.notes.append(("order_ref", op.order_ref))
        if late:
            return self._shift(reservation, parts, "expired", "committed", ending="expired")
        return self._commit_held(reservation, parts, keep=op.keep_remainder)

    def _short_again(self, reservation: ModelReservation, parts: dict[int, int]) -> list[LineRefusal]:
        numbers = [number for number in sorted(parts) if parts[number]]
        wanted = [WantedLine(*reservation.lines[number - 1].place, parts[number]) for number in numbers]
        channel = reservation.asked.channel
        closed = [
            LineRefusal(i, line.sku, line.location, line.quantity, 0)
            for i, line in enumerate(wanted, 1)
            if line.location in self.closed
        ]
        if closed or self._grant(wanted, channel)[1]:
            self.expire(self.now_ms)
        shorts = closed or self._grant(wanted, channel)[1]
        return [msgspec.structs.replace(short, line=numbers[short.line - 1]) for short in shorts]

    def _commit_held(self, reservation: ModelReservation, parts: dict[int, int], *, keep: bool) -> Answer:
        touched = []
        for number, line in enumerate(reservation.lines, 1):
            units = min(parts.get(number, 0), line.held)
            owed = parts.get(number, 0) - units
            released = 0 if keep else line.held - units
            unmade = 0 if keep else line.waiting - owed
            if not units + released + owed + unmade:
                continue
            touched.append(line.place)
            self._move(line.place, held=-(units + released), committed=units)
            line.held -= units + released
            line.committed += units
            line.released += released + unmade
            line.waiting -= owed + unmade
            line.owed += owed
            if unmade:
                self.stock[line.place].wait(-unmade)
        self._settle(reservation, "", touched)
        return self._changed(reservation, touched)

    def _shift(
        self, reservation: ModelReservation, parts: dict[int, int], out_of: str, into: str, *, ending: str
    ) -> Changed:
        """Move units from one counter of the lines to another, and the buckets with them."""
        touched = []
        for number, units in sorted(parts.items()):
            if not units:
                continue
            line = reservation.lines[number - 1]
            touched.append(line.place)
            deltas = {name: sign * units for name, sign in ((out_of, -1), (into, 1)) if name in ("held", "committed")}
            self._move(line.place, **deltas, on_hand=-units if into == "fulfilled" else 0)
            own = self.stock[line.place].allocated.get(reservation.asked.channel) if line.place[1] else None
            if own and into == "fulfilled":
                own.units = max(0, own.units - units)
            setattr(line, out_of, getattr(line, out_of) - units)
            setattr(line, into, getattr(line, into) + units)
        self._settle(reservation, ending, touched)
        return self._changed(reservation, touched)

    def _release_units(
        self, reservation: ModelReservation, parts: dict[int, int], out_of: str, into: str, *, ending: str
    ) -> Changed:
        """Release units that are held or committed, those first that are not there yet."""
        waiting = "waiting" if out_of == "held" else "owed"
        touched = []
        for number, units in sorted(parts.items()):
            if not units:
                continue
            line = reservation.lines[number - 1]
            unmade = min(units, getattr(line, waiting))
            touched.append(line.place)
            self._move(line.place, **{out_of: unmade - units})
            setattr(line, out_of, getattr(line, out_of) + unmade - units)
            setattr(line, waiting, getattr(line, waiting) - unmade)
            setattr(line, into, getattr(line, into) + units)
            if unmade and line.place[1]:
                self.stock[line.place].wait(-unmade)
        self._settle(reservation, ending, touched)
        return self._changed(reservation, touched)

    def _fill(self) -> None:
        """Fill the backorders with what came free; that can free more."""
        if self.filling:
            return
        self.filling = True
        while self.touched:
            self._fill_place(self.touched.pop(0))
        self.filling = False

    def _fill_place(self, place: Place) -> None:
        stock = self.stock[place]
        while self.left(place) > 0 and stock.waiting:
            reservation, line = self._first_in_line(place)
            if 0 < reservation.deadline_ms <= self.now_ms:
                self._expire(reservation)
                continue
            units = min(self.left(place, reservation.asked.channel, is_capped=False), line.waiting + line.owed)
            committed = min(units, line.owed)
            held = units - committed
            self._move(place, held=held, committed=committed)
            line.held, line.committed = line.held + held, line.committed + committed
            line.waiting, line.owed = line.waiting - held, line.owed - committed
            stock.wait(-units)
            self._settle(reservation, reservation.ended_as, [place])

    def _first_in_line(self, place: Place) -> tuple[ModelReservation, ModelLine]:
        waiting = [
            ("vip" not in reservation.asked.flags, line.first_seq, reservation, line)
            for reservation in self.reservations.values()
            for line in reservation.lines
            if line.place == place and line.waiting + line.owed
        ]
        return min(waiting, key=lambda one: one[:2])[2:]

    @property
    def queue(self) -> list[bytes]:
        """The members of the store's queue."""
        return sorted(
            Member(*line.place, "vip" in reservation.asked.flags, line.first_seq, number, each).packed()
            for each, reservation in self.reservations.items()
            for number, line in enumerate(reservation.lines, 1)
            if line.waiting + line.owed and line.place[1]
        )

    def _set_backorder(self, op: SetBackorder) -> Answer:
        place = (op.sku, op.location)
        if place not in self.stock and not op.limit:
            return Refused("unknown_sku", "", [LineRefusal(1, *place, 0, 0)])
        alike = self._alike("", op, (1, place, op.limit))
        if alike:
            return alike
        stock = self.stock.setdefault(place, Stock())
        before = stock.backorder or Backorder("", 0, "", 0)
        now = msgspec.structs.replace(before, mode=op.mode.value, limit=op.limit, promise_on=op.promise_on)
        if now != before:
            stock.backorder = now
            stock.wait(0)
            self._move(place)
        return self._stock_changed(op)

    def _relocate(self, op: Relocate) -> Answer:
        reservation = self.found(op.reservation_id)
        if not reservation:
            return Refused("unknown_reservation", "", [])
        if not reservation.total("held") + reservation.total("committed"):
            return Refused("expired" if reservation.state == "expired" else "not_held", reservation.state, [])
        moves = self._moves(reservation, op)
        if isinstance(moves, Refused):
            return moves
        wanted = [WantedLine(reservation.lines[number - 1].place[0], to, units) for number, units, to in moves]
        if self._grant(wanted, reservation.asked.channel)[1]:
            self.expire(self.now_ms)
        short = self._grant(wanted, reservation.asked.channel)[1]
        if short:
            lines = [msgspec.structs.replace(each, line=moves[each.line - 1][0]) for each in short]
            return Refused("out_of_stock", reservation.state, lines)
        touched = [
            place for number, units, to in moves for place in self._move_line(reservation, number, units, to)[:2]
        ]
        if moves:
            self._settle(reservation, "", touched)
        return self._changed(reservation, touched)

    def _moves(self, reservation: ModelReservation, op: Relocate) -> list[tuple[int, int, str]] | Refused:
        moves: list[tuple[int, int, str]] = []
        refusals: dict[str, list[LineRefusal]] = {"exceeds_remaining": [], "location_closed": [], "unknown_sku": []}
        for want in op.lines:
            if want.line > len(reservation.lines):
                refusals["exceeds_remaining"].append(
                    no_such_line(want.line, len(reservation.lines), want.quantity, "", want.to)
                )
                continue
            line = reservation.lines[want.line - 1]
            left = line.held + line.committed - sum(units for number, units, _ in moves if number == want.line)
            units = want.quantity or left
            if not 0 < units <= left:
                refusal = LineRefusal(want.line, *line.place, max(units, 1), left)
                refusals["exceeds_remaining"].append(refusal)
            elif line.place[1] != want.to:
                is_closed = want.to in self.closed
                outcome = "location_closed" if is_closed else "unknown_sku"
                if is_closed or (line.place[0], want.to) not in self.stock:
                    refusals[outcome].append(LineRefusal(want.line, line.place[0], want.to, units, 0))
                moves.append((want.line, units, want.to))
        told_first = next((outcome for outcome, lines in refusals.items() if lines), "")
        refused = Refused(told_first, reservation.state, refusals.get(told_first, []))
        return _or_unmapped(reservation, refused) if told_first else moves

    def _move_line(
        self, reservation: ModelReservation, number: int, units: int, to: str, *, committed_only: bool = False
    ) -> tuple[Place, Place, int]:
        """Move units of a line; returns where from, where to, and the number of the line there."""
        line = reservation.lines[number - 1]
        there = (line.place[0], to)
        held = 0 if committed_only else min(units, line.held)
        self._move(line.place, held=-held, committed=held - units)
        line.held, line.committed = line.held - held, line.committed - units + held
        line.released += units
        return line.place, there, self._put_in(reservation, there, held, units - held)

    def _put_in(self, reservation: ModelReservation, there: Place, held: int, committed: int) -> int:
        """Add units to the line at a place to which units were moved; returns its number."""
        units = held + committed
        self._move(there, held=held, committed=committed)
        moved = next((each for each in reservation.lines if each.place == there and not each.first_seq), None)
        if moved is None:
            moved = ModelLine(there, 0, 0, 0, 0, 0, 0)
            reservation.lines.append(moved)
        moved.quantity, moved.requested = moved.quantity + units, moved.requested + units
        moved.held, moved.committed = moved.held + held, moved.committed + committed
        return next(place for place, each in enumerate(reservation.lines, 1) if each is moved)

    def _bind(self, op: Bound) -> Answer:  # noqa: C901  # one for each way that it goes
        inner = op.operation
        reservation = self.found(inner.reservation_id)
        if reservation:
            written = written_out(reservation, inner.lines, _left(*_counters_bound(reservation, inner)))
            if isinstance(written, Refused):
                return self.handlers[type(inner)](inner)
            inner = msgspec.structs.replace(inner, lines=written.lines)
        units = _units_bound(reservation, inner) if reservation else None
        if reservation is None or units is None:
            return self.handlers[type(inner)](inner)
        open_lines = _open_lines(reservation, inner, units)
        refusal = _refused_there(reservation, open_lines, op, self.closed)
        if refusal:
            return refusal
        moves = self._binding_moves(reservation, open_lines, op) if open_lines else []
        if isinstance(moves, Refused):
            return moves
        if isinstance(inner, Commit):
            answer = self._commit(inner)
            if isinstance(answer, Refused):
                return answer
            touched = [place for move in moves for place in self._move_line(reservation, *move)[:2]]
            if reservation.open:
                reservation.open = msgspec.structs.replace(reservation.open, bound=True)
        else:
            moved = [self._move_line(reservation, *move, committed_only=True) for move in moves]
            self._fill()  # the move is a change of its own, before what is shipped
            touched = [place for each in moved for place in each[:2]]
            for (number, count, _), (_, _, line) in zip(moves, moved, strict=True):
                units[number] -= count
                units[line] = units.get(line, 0) + count
            parts = [LineQuantity(number, count) for number, count in units.items() if count]
            answer = self._fulfil(msgspec.structs.replace(inner, lines=parts) if moves else inner)
        assert isinstance(answer, Changed)
        if moves:
            reservation.seq = self.seq
        places = [(each.sku, each.location) for each in answer.availability]
        return self._changed(reservation, [*places, *touched])

    def _binding_moves(
        self, reservation: ModelReservation, open_lines: dict[int, tuple[int, int]], op: Bound
    ) -> list[tuple[int, int, str]] | Refused:
        """Plan open lines anew (number: units that are there for it now, units that it needs)."""
        found = self._bind_to(reservation, open_lines, op)
        if found is None:
            self.expire(self.now_ms)
            found = self._bind_to(reservation, open_lines, op)
        if found is None:
            return self._bind_refusal(reservation, open_lines, op) if op.binding.location else []
        moves: list[tuple[int, int, str]] = []
        left = {(sku, name): units for sku, parts in found.items() for name, units in parts}
        missing = {}
        for number, (_, units) in open_lines.items():
            place = reservation.lines[number - 1].place
            stays = min(units, left.get(place, 0))
            left[place] = left.get(place, 0) - stays
            missing[number] = units - stays
        for number, wanted in missing.items():
            sku, still = reservation.lines[number - 1].place[0], wanted
            for name, _ in found[sku]:
                taken = min(still, left[sku, name])
                if taken:
                    moves.append((number, taken, name))
                    left[sku, name] -= taken
                    still -= taken
        return moves

    def _bind_to(
        self, reservation: ModelReservation, open_lines: dict[int, tuple[int, int]], op: Bound
    ) -> dict[str, Parts] | None:
        wanted, left = self._open_wants(reservation, open_lines)
        return _chosen(wanted, msgspec.structs.replace(op.binding, candidates=self._open(op.binding.candidates)), left)

    def _open_wants(
        self, reservation: ModelReservation, open_lines: dict[int, tuple[int, int]]
    ) -> tuple[list[Wanted], dict[Place, int]]:
        wanted: Counter[str] = Counter()
        left = {place: self.reservable(place, reservation.asked.channel) for place in self.stock}
        for number, (now, units) in open_lines.items():
            place = reservation.lines[number - 1].place
            wanted[place[0]] += units
            left[place] += now
        return [Wanted(*each) for each in wanted.items()], left

    def _bind_refusal(
        self, reservation: ModelReservation, open_lines: dict[int, tuple[int, int]], op: Bound
    ) -> Refused:
        (wanted, left), location = self._open_wants(reservation, open_lines), op.binding.location
        firsts = {reservation.lines[number - 1].place[0]: number for number in reversed(list(open_lines))}
        unknown = [
            LineRefusal(firsts[want.sku], want.sku, location, want.units, 0)
            for want in wanted
            if (want.sku, location) not in left
        ]
        if unknown:
            return Refused("unknown_sku", reservation.state, unknown)
        there = [(want, max(0, left[want.sku, location])) for want in wanted]
        short = [
            LineRefusal(firsts[want.sku], want.sku, location, want.units, units)
            for want, units in there
            if units < want.units
        ]
        return Refused("out_of_stock", reservation.state, short)

    def _exchange(self, op: Exchange) -> Answer:
        request = reservation_of(op)
        old = self.found(op.returned.reservation_id)
        if not old:
            return ExchangeRefused("return", Refused("unknown_reservation", "", []))
        self.expire(self.now_ms)
        known = self.reservations.get(request.reservation_id)
        if known:
            return ExchangeRefused("promise", Refused("id_reused", known.state, []))
        before = deepcopy({name: value for name, value in vars(self).items() if name != "handlers"})
        self.filling = True  # what comes free is given when it is sure that both happen
        returned = self._return(op.returned, exchanged_for=request.reservation_id)
        if isinstance(returned, Refused):
            self.filling = False
            return ExchangeRefused("return", returned)
        self.next_notes = [("exchange_of", op.returned.reservation_id)]
        made = self.handlers[type(op.promise)](op.promise)
        if isinstance(made, Refused):
            vars(self).update(before)
            return ExchangeRefused("promise", made)
        assert isinstance(made, Changed)
        self.filling = False
        self._fill()
        left = self._left(((each.sku, each.location) for each in returned.availability), old.asked.channel)
        returned = msgspec.structs.replace(returned, reservation=old.shown(), availability=left)
        return Exchanged(replayed=False, returned=returned, promised=made)

    def found(self, reservation_id: str) -> ModelReservation | None:
        """Return a reservation; its hold ends if it is due."""
        reservation = self.reservations.get(reservation_id)
        if reservation and 0 < reservation.deadline_ms <= self.now_ms:
            self._expire(reservation)
        return reservation

    def _expire(self, reservation: ModelReservation) -> int:
        late_ms = self.now_ms - reservation.deadline_ms
        parts = {number: line.held + line.waiting for number, line in enumerate(reservation.lines, 1)}
        self._release_units(reservation, parts, "held", "expired", ending="expired")
        return late_ms

    def _settle(self, reservation: ModelReservation, ending: str, touched: Iterable[Place]) -> None:
        reservation.ended_as = ending
        if any(location for _, location in touched):
            reservation.seq = self.seq
        if not reservation.is_hold:
            reservation.deadline_ms = 0

    def _receive(self, op: Receive) -> Answer:
        place = (op.sku, op.location)
        beyond = self._out_of_range("", (1, place, op.quantity, {"on_hand": op.quantity}))
        beyond = beyond or self._alike("", op, (1, place, op.quantity))
        if beyond:
            return beyond
        self.stock.setdefault((op.sku, op.location), Stock())
        self._move((op.sku, op.location), on_hand=op.quantity)
        return self._stock_changed(op)

    def _adjust(self, op: Adjust) -> Answer:
        stock = self.stock.get((op.sku, op.location))
        if not stock:
            return Refused("unknown_sku", "", [LineRefusal(1, op.sku, op.location, abs(op.delta), 0)])
        units = getattr(stock, op.bucket)
        if op.delta < 0 and units + op.delta < 0:
            return Refused("exceeds_remaining", "", [LineRefusal(1, op.sku, op.location, -op.delta, units)])
        beyond = self._out_of_range("", (1, (op.sku, op.location), abs(op.delta), {op.bucket: op.delta}))
        if beyond:
            return beyond
        self._move((op.sku, op.location), **{op.bucket: op.delta})
        return self._stock_changed(op)

    def _move_between(self, op: Move) -> Answer:
        stock = self.stock.get((op.sku, op.location))
        if not stock:
            return Refused("unknown_sku", "", [LineRefusal(1, op.sku, op.location, op.quantity, 0)])
        unharmed = max(0, stock.on_hand - stock.damaged - stock.quality_control)
        there = unharmed if op.from_shelf is Shelf.AVAILABLE else getattr(stock, op.from_shelf)
        if op.quantity > there:
            return Refused("exceeds_bucket", "", [LineRefusal(1, op.sku, op.location, op.quantity, there)])
        signs = ((op.from_shelf, -1), (op.to_shelf, 1))
        deltas = {str(s): n * op.quantity for s, n in signs if s is not Shelf.AVAILABLE}
        beyond = self._out_of_range("", (1, (op.sku, op.location), op.quantity, deltas))
        if beyond:
            return beyond
        self._move((op.sku, op.location), **deltas)
        return self._stock_changed(op)

    def _take_back(self, op: TakeBack) -> Answer:
        place, stock = (op.sku, op.location), self.stock.get((op.sku, op.location))
        if not stock:
            return Refused("unknown_sku", "", [LineRefusal(1, *place, 0, 0)])
        names = ("on_hand", "damaged", "quality_control", "safety")
        deltas = {name: getattr(op, name) for name in names}
        if op.on_hand and stock.counted:
            after = [seq for seq, _ in stock.counted.since(op.seq)]
            if stock.counted.seq > op.seq or after:
                return Refused("counted_since", "", [])
        for name, delta in deltas.items():
            there = getattr(stock, name)
            if delta < 0 and there + delta < 0:
                return Refused("exceeds_remaining", "", [LineRefusal(1, *place, -delta, there)])
        units = op.on_hand - op.damaged - op.quality_control - op.safety
        beyond = self._out_of_range("", (1, place, abs(units), deltas))
        if beyond:
            return beyond
        if units < 0 and stock.available + units < 0 and not op.may_be_short:
            return Refused("out_of_stock", "", [LineRefusal(1, *place, -units, max(0, stock.available))])
        self._move(place, **deltas)
        return self._stock_changed(op)

    def _count(self, op: Count) -> Answer:
        place, on_hand = (op.sku, op.location), op.on_hand
        stock = self.stock.get(place)
        moment = self._moment(op) if on_hand >= 0 else None
        if isinstance(moment, Refused):
            return moment
        if moment and stock:
            found = _as_of_now(stock, on_hand, *moment)
            if isinstance(found, Refused):
                return found
            on_hand = found
        is_new = stock is None
        was = stock or Stock()
        deltas = {
            "on_hand": on_hand - was.on_hand if on_hand >= 0 else 0,
            "safety": op.safety - was.safety if op.safety >= 0 else 0,
        }
        units = max(on_hand, op.safety)
        beyond = self._out_of_range("", (1, place, units, deltas)) or self._alike("", op, (1, place, units))
        if beyond:
            return beyond
        self.stock.setdefault(place, Stock())
        if is_new or any(deltas.values()):
            self._move(place, **deltas)
        if moment:
            self._note_count(self.stock[place], *moment, deltas["on_hand"])
        return self._stock_changed(op)

    def _moment(self, op: Count) -> tuple[int, int | None] | Refused:
        """As of when a count holds: its time, and the seq then; None: as of now."""
        if op.counted_ms > self.now_ms + 60_000:
            return Refused("ahead_of_clock", "", [])
        if 0 <= op.counted_ms < self.now_ms:
            return op.counted_ms, self.seq_of[op.counted_ms]
        if op.baseline_seq < 0:
            return self.now_ms, None
        return (-1, op.baseline_seq) if op.baseline_seq <= self.seq else Refused("invalid", "", [])

    def _note_count(self, stock: Stock, at_ms: int, seq: int | None, delta: int) -> None:
        as_of = self.seq if seq is None else seq
        corrections = stock.counted.since(as_of) if stock.counted else []
        if delta and stock.seq > as_of:
            corrections.append((stock.seq, delta))
        stock.counted = Counted(at_ms, as_of, corrections)

    def used(self, place: Place, channel: str) -> int:
        """What a channel has reserved at a location."""
        mine = [reservation for reservation in self.reservations.values() if reservation.asked.channel == channel]
        return sum(
            line.held + line.committed for reservation in mine for line in reservation.lines if line.place == place
        )

    def seen(self, place: Place, channel: str = "") -> int:
        """Return what a channel is shown: what it may reserve, and nothing at a closed location."""
        return 0 if place[1] in self.closed else self.left(place, channel)

    def left(self, place: Place, channel: str = "", waiting: int = 0, *, is_capped: bool = True) -> int:
        """What a channel may reserve: what is allocated to others is theirs for as long as there is enough.

        ``waiting`` units of the rest are kept for those who wait.
        """
        stock = self.stock[place]
        if stock.available <= 0 or not stock.allocated:
            return stock.available - waiting
        rest = {each: max(0, own.units - self.used(place, each)) for each, own in stock.allocated.items()}
        mine = stock.allocated.get(channel)
        others = sum(rest[each] for each, own in stock.allocated.items() if own.kind == "own" and each != channel)
        left = max(0, stock.available - others - waiting)
        if mine and mine.kind == "own":
            left = max(left, min(stock.available, rest[channel]))
        return min(left, rest[channel]) if mine and mine.kind == "cap" and is_capped else left

    def _allocate(self, op: Allocate) -> Answer:
        place, wanted = (op.sku, op.location), Own(op.kind, op.units)
        stock = self.stock.get(place)
        if not stock:
            return Refused("unknown_sku", "", [LineRefusal(1, *place, op.units, 0)])
        known = stock.allocated.get(op.channel)
        if wanted == Own("own", 0):
            if known:
                del stock.allocated[op.channel]
                self._move(place)
            return self._stock_changed(op)
        if known == wanted:
            return self._stock_changed(op)
        if not self._is_counted(op, op.channel):
            return AllocationUsageUnknown()
        if self._more(place, op) > max(0, self.reservable(place)):
            self.expire(self.now_ms)
        free, had = max(0, self.reservable(place)), self._set_aside(place, op.channel)
        if self._more(place, op) > free:
            most = self.used(place, op.channel) + had + free
            return Refused("exceeds_available", "", [LineRefusal(1, *place, op.units, most)])
        stock.allocated[op.channel] = wanted
        self._move(place)
        return self._stock_changed(op)

    def _more(self, place: Place, op: Allocate) -> int:
        """By how many units more would be set aside."""
        wanted = max(0, op.units - self.used(place, op.channel)) if op.kind == "own" else 0
        return wanted - self._set_aside(place, op.channel)

    def _set_aside(self, place: Place, channel: str) -> int:
        own = self.stock[place].allocated.get(channel)
        return max(0, own.units - self.used(place, channel)) if own and own.kind == "own" else 0

    def _is_counted(self, op: Allocate | AllocateMove, channel: str) -> bool:
        stock = self.stock[op.sku, op.location]
        return bool(op.seen_id) or channel in stock.allocated or not stock.held + stock.committed

    def _allocate_move(self, op: AllocateMove) -> Answer:  # noqa: PLR0911  # one for each outcome
        place = (op.sku, op.location)
        stock = self.stock.get(place)
        if not stock:
            return Refused("unknown_sku", "", [LineRefusal(1, *place, op.units, 0)])
        giving, taking = stock.allocated.get(op.channel), stock.allocated.get(op.taker)
        if not giving:
            return Refused("unknown_allocation", "", [])
        if taking and taking.kind != giving.kind:
            return Refused("allocation_differs", "", [])
        if giving.units - self.used(place, op.channel) < op.units:
            self.expire(self.now_ms)
        rest = max(0, giving.units - self.used(place, op.channel))
        if rest < op.units:
            return Refused("exceeds_remaining", "", [LineRefusal(1, *place, op.units, rest)])
        if not self._is_counted(op, op.taker):
            return AllocationUsageUnknown()
        had = max(taking.units if taking else 0, self.used(place, op.taker))
        if had + op.units > self.units_max:
            return Refused("out_of_range", "", [LineRefusal(1, *place, op.units, 0, "allocation")])
        giving.units -= op.units
        if giving == Own("own", 0):
            del stock.allocated[op.channel]
        stock.allocated[op.taker] = Own(giving.kind, had + op.units)
        self._move(place)
        return self._stock_changed(op)

    def _expect(self, op: Expect) -> Answer:
        known = self.supplies.get(op.supply_id)
        if known and known.sku != op.sku and known.quantity:
            return Refused("id_reused", "", [])
        is_same = known is not None and known.sku == op.sku
        is_new = not known or not is_same or known.location != op.location
        alike = self._alike("", op, (1, (op.sku, op.location), op.quantity)) if is_new else None
        if alike:
            return alike
        received = known.received if known and is_same else 0
        supply = ExpectedReceipt(op.sku, op.location, op.quantity, received, op.expected_on, op.reference, op.sscc)
        self.supplies[op.supply_id] = supply
        return ExpectedReceiptChanged(replayed=False, supply=supply)

    def _forgo(self, op: Forgo) -> Answer:
        supply = self.supplies.get(op.supply_id)
        if not supply or not supply.quantity:
            return Refused("unknown_supply", "", [])
        if supply.received:
            self.supplies[op.supply_id] = msgspec.structs.replace(supply, quantity=0)
        else:
            del self.supplies[op.supply_id]
        return ExpectedReceiptChanged(replayed=False, supply=supply)

    def _receive_expected(self, op: ReceiveExpected) -> Answer:
        supply = self.supplies.get(op.supply_id)
        if not supply or not supply.quantity or supply.sku != op.sku:
            return Refused("unknown_supply", "", [])
        place = (op.sku, op.location or supply.location)
        beyond = self._out_of_range("", (1, place, op.quantity, {"on_hand": op.quantity}))
        beyond = beyond or self._alike("", op, (1, place, op.quantity))
        if beyond:
            return beyond
        self._take_in(place, op.quantity, Disposition.RESTOCK)
        self.supplies[op.supply_id] = msgspec.structs.replace(supply, received=supply.received + op.quantity)
        self._fill()
        return StockChanged(replayed=False, level=self.shown(place))

    def supplies_of(self, sku: str) -> set[str]:
        return {each for each, supply in self.supplies.items() if supply.sku == sku and supply.expected}

    def supplies_in(self, sscc: str) -> set[str]:
        return {each for each, supply in self.supplies.items() if supply.sscc == sscc and supply.expected}

    def _ship(self, op: Ship) -> Answer:
        known = self.transfers.get(op.transfer_id)
        if known:
            if known.asked.fingerprint != op.fingerprint:
                return Refused("id_reused", "", [])
            return TransferChanged(replayed=True, transfer=known.shown())
        wanted = [WantedLine(item.sku, op.source, item.quantity) for item in op.lines]
        unknown = [
            LineRefusal(number, line.sku, op.source, line.quantity, 0)
            for number, line in enumerate(wanted, 1)
            if (line.sku, op.source) not in self.stock
        ]
        if unknown:
            return Refused("unknown_sku", "", unknown)
        if self._grant(wanted)[1]:
            self.expire(self.now_ms)
        short = self._grant(wanted)[1]
        if short:
            return Refused("exceeds_available", "", short)
        alike = self._alike("", op, (1, (op.lines[0].sku, op.destination), op.lines[0].quantity))
        if alike:
            return alike
        for line in wanted:
            self._move((line.sku, op.source), on_hand=-line.quantity)
        sent = Sent(op, self.now_ms, [SentLine(item.sku, item.quantity) for item in op.lines])
        self.transfers[op.transfer_id] = sent
        return self._transfer_changed(sent, [(line.sku, op.source) for line in wanted])

    def _arrive(self, op: Arrive) -> Answer:
        sent = self.transfers.get(op.transfer_id)
        if not sent:
            return Refused("unknown_transfer", "", [])
        if sent.state != "in_transit":
            return Refused("transfer_closed", sent.state, [])
        parts = [(part.line, part.quantity, part.disposition) for part in op.lines]
        if op.everything:
            parts = [
                (n, line.in_transit, Disposition.RESTOCK) for n, line in enumerate(sent.lines, 1) if line.in_transit
            ]
        excess = self._too_much(sent, parts)
        if excess:
            return Refused("exceeds_remaining", "in_transit", excess)
        places = [(sent.lines[number - 1].sku, sent.asked.destination) for number, _, _ in parts]
        arrivals = [
            (number, place, units, _taken_in(units, disposition))
            for place, (number, units, disposition) in zip(places, parts, strict=True)
        ]
        beyond = self._out_of_range("in_transit", *arrivals)
        if beyond:
            return beyond
        for place, (number, units, disposition) in zip(places, parts, strict=True):
            self._take_in(place, units, disposition)
            sent.lines[number - 1].received += units
        if op.close and sent.state == "in_transit":
            sent.lost_reason = op.reason
            for line in sent.lines:
                line.lost += line.in_transit
        sent.closed_ms = self.now_ms if sent.state == "closed" else 0
        return self._transfer_changed(sent, places)

    def _cancel_transfer(self, op: CancelTransfer) -> Answer:
        sent = self.transfers.get(op.transfer_id)
        if not sent:
            return Refused("unknown_transfer", "", [])
        if sent.state == "cancelled":
            return TransferChanged(replayed=True, transfer=sent.shown())
        if sent.state == "closed":
            return Refused("transfer_closed", "closed", [])
        arrived = [
            LineRefusal(number, line.sku, sent.asked.destination, line.quantity, line.received)
            for number, line in enumerate(sent.lines, 1)
            if line.received
        ]
        if arrived:
            return Refused("transfer_arrived", "in_transit", arrived)
        places = [(line.sku, sent.asked.source) for line in sent.lines]
        back = [
            (number, place, line.quantity, {"on_hand": line.quantity})
            for number, (place, line) in enumerate(zip(places, sent.lines, strict=True), 1)
        ]
        beyond = self._out_of_range("in_transit", *back)
        if beyond:
            return beyond
        for place, line in zip(places, sent.lines, strict=True):
            self._move(place, on_hand=line.quantity)
            line.cancelled = line.quantity
        sent.is_cancelled, sent.closed_ms, sent.cancel_reason = True, self.now_ms, op.reason
        return self._transfer_changed(sent, places)

    def _too_much(self, sent: Sent, parts: Sequence[tuple[int, int, Disposition]]) -> list[LineRefusal]:
        sums: Counter[int] = Counter()
        for number, units, _ in parts:
            sums[number] += units
        excess = []
        for number, units in sorted(sums.items()):
            line = sent.lines[number - 1] if number <= len(sent.lines) else None
            if not line:
                excess.append(no_such_line(number, len(sent.lines), units))
            elif units > line.in_transit:
                excess.append(LineRefusal(number, line.sku, sent.asked.destination, units, line.in_transit))
        return excess

    def _transfer_changed(self, sent: Sent, touched: Iterable[Place]) -> TransferChanged:
        self._fill()
        return TransferChanged(replayed=False, transfer=sent.shown(), availability=self._left(touched))

    def _move(self, place: Place, on_hand: int = 0, **deltas: int) -> None:
        if not place[1]:
            return  # it counts nowhere
        stock = self.stock[place]
        if stock.waiting and place not in self.touched:
            self.touched.append(place)
        self.seq += 1
        if on_hand:
            stock.history.append((self.seq, stock.on_hand))
            stock.on_hand += on_hand
        for bucket, delta in deltas.items():
            setattr(stock, bucket, getattr(stock, bucket) + delta)
        stock.seq = self.seq

    def _changed(self, reservation: ModelReservation, touched: Iterable[Place]) -> Changed:
        self._fill()
        return Changed(
            replayed=False, reservation=reservation.shown(), availability=self._left(touched, reservation.asked.channel)
        )

    def _left(self, touched: Iterable[Place], channel: str = "") -> list[Availability]:
        return [
            Availability(*place, self.seen(place, channel), self.stock[place].seq)
            for place in dict.fromkeys(touched)
            if place[1]
        ]

    def _stock_changed(
        self, op: Receive | Adjust | Count | Move | TakeBack | SetBackorder | Allocate | AllocateMove
    ) -> StockChanged:
        self._fill()
        return StockChanged(replayed=False, level=self.shown((op.sku, op.location)))

    def shown(self, place: Place) -> StockLevel:
        stock = self.stock[place]
        buckets = {bucket: getattr(stock, bucket) for bucket in Bucket}
        allocations = self.allocations(place) or False
        return StockLevel(*place, **buckets, seq=stock.seq, allocations=allocations, backorder=stock.backorder)

    def allocations(self, place: Place) -> list[Allocation]:
        allocated = self.stock[place].allocated
        return [Allocation(each, own.kind, own.units, self.used(place, each)) for each, own in allocated.items()]


def _as_of_now(stock: Stock, counted: int, at_ms: int, seq: int | None) -> int | Refused:
    """Return counted units as of now: what moved since is added, what was corrected is not."""
    if seq is None:
        return counted
    last = stock.counted
    if last and last.is_after(at_ms, seq):
        return Refused("counted_since", "", [])
    if seq < stock.forgotten_seq:
        return Refused("baseline_expired", "", [])
    moved = stock.on_hand - stock.on_hand_at(seq) - sum(delta for _, delta in (last.since(seq) if last else []))
    return max(0, counted + moved)


def _note_batch(_: NoteBatch) -> BatchNoted:
    """Do nothing but be remembered under a key."""
    return BatchNoted(replayed=False)


def _note_order(_: NoteOrder) -> OrderNoted:
    return OrderNoted(replayed=False)


def _requested(line: ModelLine, units: int) -> None:
    """Count what an edit adds or takes."""
    line.quantity += units
    line.requested += units
    if line.first_seq:
        line.edited += units


def is_stocked(place: Place) -> bool:
    """Whether units there count in buckets."""
    return place[1] not in ("", NOWHERE)


def _parts(
    reservation: ModelReservation, wanted: Sequence[LineQuantity], counter: str, spent: str = "", waiting: str = ""
) -> dict[int, int] | Refused:
    """Which units of which lines are meant; all that ``counter`` and ``waiting`` hold where no line is named."""
    if not wanted:
        return {
            number: getattr(line, counter) + (getattr(line, waiting) if waiting else 0)
            for number, line in enumerate(reservation.lines, 1)
        }
    parts: Counter[int] = Counter()
    for part in wanted:
        parts[int(part.line)] += part.quantity
    excess = []
    for number, units in sorted(parts.items()):
        if not 1 <= number <= len(reservation.lines):
            excess.append(no_such_line(number, len(reservation.lines), units))
            continue
        line = reservation.lines[number - 1]
        left = getattr(line, counter) - (getattr(line, spent) if spent else 0)
        left += getattr(line, waiting) if waiting else 0
        if units > left:
            excess.append(LineRefusal(number, *line.place, units, left))
    return Refused("exceeds_remaining", reservation.state, excess) if excess else dict(parts)


def _left(counter: str, waiting: str = "") -> Callable[[ModelLine], int]:
    """Return what tells how many units of a line can be taken."""
    return lambda line: getattr(line, counter) + (getattr(line, waiting) if waiting else 0)


def _or_unmapped(reservation: ModelReservation, refused: Refused) -> Refused:
    """Name only the lines that wait for a SKU, if some of those that were refused for what is left do."""
    unmapped = []
    for refusal in refused.lines:
        if refusal.line == 0:
            unmapped += _unmapped_of_key(reservation, refusal.sku)
        elif refusal.line <= len(reservation.lines) and reservation.lines[refusal.line - 1].is_unmapped:
            unmapped.append(refusal)
    is_meant = refused.outcome == "exceeds_remaining" and unmapped
    return Refused("line_unmapped", refused.state, unmapped) if is_meant else refused


def _unmapped_of_key(reservation: ModelReservation, key: str) -> list[LineRefusal]:
    parts = [part.line for written in reservation.channel_lines if written.key == key for part in written.parts]
    lines = [(number, reservation.lines[number - 1]) for number in parts]
    return [
        LineRefusal(number, line.place[0], "", line.owed, 0) for number, line in lines if line.is_unmapped and line.owed
    ]


def _nothing_committed(reservation: ModelReservation) -> Refused:
    unmapped = [
        LineRefusal(number, *line.place, line.owed, 0)
        for number, line in enumerate(reservation.lines, 1)
        if line.is_unmapped and line.owed
    ]
    return Refused("line_unmapped" if unmapped else "not_committed", reservation.state, unmapped)


def _wanted(request: Reserve | Order) -> list[Wanted]:
    """Sum up by SKU what the lines want that name no location."""
    units: Counter[str] = Counter()
    for line in request.lines:
        if not line.location:
            units[line.sku] += line.quantity
    return [Wanted(*each) for each in units.items()]


def _is_sold_already(request: Reserve | Order) -> bool:
    return isinstance(request, Order) and request.accept_shortage


def _all_there(want: Wanted, names: list[str], left: dict[Place, int]) -> Parts:
    """Take all that is there of a SKU, from one place if one has everything; what is missing comes from the first."""
    whole = next((name for name in names if left[want.sku, name] >= want.units), None)
    if whole:
        return [(whole, want.units)]
    parts, missing = Counter[str](), want.units
    for name in sorted(names, key=lambda name: -min(want.units, max(0, left[want.sku, name]))):
        units = min(missing, max(0, left[want.sku, name]))
        parts[name] += units
        missing -= units
    parts[DEFAULT_LOCATION if DEFAULT_LOCATION in names else names[0]] += missing
    return [(name, units) for name, units in parts.items() if units]


def _closed(request: Reserve | Order, numbers: list[int]) -> Refused:
    lines = [(number, request.lines[number - 1]) for number in numbers]
    refusals = [LineRefusal(number, line.sku, line.location, line.quantity, 0) for number, line in lines]
    return Refused("location_closed", "", refusals)


def _nothing_held(reservation: ModelReservation) -> Refused:
    state = reservation.state
    if reservation.total("expired") and state != "cancelled":
        return Refused("expired", state, [])
    outcome = {"released": "already_released"}
    outcome |= dict.fromkeys(("committed", "fulfilled", "backordered"), "already_committed")
    return Refused(outcome.get(state, "not_held"), state, [])


def _taken_in(units: int, disposition: Disposition) -> dict[str, int]:
    """Return the deltas of units that arrive."""
    held_back = {disposition.value: units} if disposition is not Disposition.RESTOCK else {}
    return {"on_hand": units, **held_back}


def keyed_part(operation: AnOperation) -> AnOperation:
    """Return the part of an operation that carries its key."""
    if isinstance(operation, Noted | Numbered):
        return keyed_part(operation.operation)  # type: ignore[arg-type]  # it is one of them
    if isinstance(operation, Bound):
        return operation.operation
    return operation.returned if isinstance(operation, Exchange) else operation


def _chosen(wanted: list[Wanted], rules: Plan | Binding, left: dict[Place, int]) -> dict[str, Parts] | None:
    """Choose where to take how much of each SKU."""
    found: list[Parts] | None
    if rules.split_lines:
        found = brute_force_parts(wanted, rules.candidates, left, rules.splits_max)
    else:
        names = brute_force(wanted, rules.candidates, left, rules.splits_max)
        found = None if names is None else [[(name, want.units)] for want, name in zip(wanted, names, strict=True)]
    return None if found is None else {want.sku: parts for want, parts in zip(wanted, found, strict=True)}


def _dealt(lines: list[WantedLine], chosen: dict[str, Parts]) -> tuple[list[WantedLine], list[WantedLine]]:
    """Put the locations into the lines; what of one comes from elsewhere goes behind all of them."""
    left = {sku: [name for name, units in parts for _ in range(units)] for sku, parts in chosen.items()}
    first, further = [], []
    for line in lines:
        if line.location:
            first.append(line)
            continue
        units = Counter(left[line.sku][: line.quantity])
        left[line.sku] = left[line.sku][line.quantity :]
        parts = [WantedLine(line.sku, name, count) for name, count in units.items()]
        first.append(parts[0])
        further += parts[1:]
    return first, further


def _counters_bound(reservation: ModelReservation, op: Commit | Fulfil) -> tuple[str, str]:
    """Return which units a commit or fulfil is about."""
    if isinstance(op, Fulfil):
        return "committed", ""
    return ("held", "waiting") if reservation.is_hold else ("expired", "")


def _units_bound(reservation: ModelReservation, op: Commit | Fulfil) -> dict[int, int] | None:
    """Return how many units of each line a commit leaves reserved, or a fulfil ships; None: it will be refused."""
    if isinstance(op, Fulfil):
        parts = _parts(reservation, op.lines, "committed") if reservation.total("committed") else None
        return dict(parts) if isinstance(parts, dict) else None
    counter = "held" if reservation.total("held") else "expired"
    parts = _parts(reservation, op.lines, counter) if reservation.total(counter) else None
    if not isinstance(parts, dict) or (counter == "expired" and reservation.state == "cancelled"):
        return None
    return {
        number: line.committed + (max(line.held, parts.get(number, 0)) if op.keep_remainder else parts.get(number, 0))
        for number, line in enumerate(reservation.lines, 1)
    }


def _open_lines(
    reservation: ModelReservation, op: Commit | Fulfil, units: dict[int, int]
) -> dict[int, tuple[int, int]]:
    """Return for each open line the units that are there for it now, and those that it needs."""
    if reservation.open is None or reservation.open.bound:
        return {}
    lines = {number: reservation.lines[number - 1] for number in reservation.open.lines if units.get(number)}
    return {
        number: (line.held + line.committed if isinstance(op, Commit) else units[number], units[number])
        for number, line in lines.items()
    }


def _refused_there(
    reservation: ModelReservation, open_lines: dict[int, tuple[int, int]], op: Bound, closed: set[str]
) -> Refused | None:
    location = op.binding.location
    if open_lines and location in closed:
        lines = [
            LineRefusal(number, reservation.lines[number - 1].place[0], location, units, 0)
            for number, (_, units) in open_lines.items()
        ]
        return Refused("location_closed", reservation.state, lines)
    lines = [
        LineRefusal(number, *line.place, line.held + line.committed, 0)
        for number, line in enumerate(reservation.lines, 1)
        if line.held + line.committed and line.place[1] not in ("", location)
    ]
    return Refused("not_open", reservation.state, lines) if location and not open_lines and lines else None
