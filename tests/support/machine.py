"""The state machine that drives a real ledger and the model side by side.

Hypothesis draws *intents*, small and free of ids and times; the machine turns them into operations on what is there.
Several go to the batcher in one turn of the event loop, so that they share a call. Time is real: the model gets
the time at which the store decided. The journal has it for every call that changed something; a call that changed
nothing ended no hold, so for it no time has passed.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import combinations, count
from typing import Any, Final, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from redis.asyncio import Redis

from server.domain.allocations import AllocationKind
from server.domain.answers import AllocationUsageUnknown, Refused
from server.domain.binding import Bound
from server.domain.booked_orders import BookedLine, BookedOrder, BookedPieces, order_field
from server.domain.exchange import Exchange, ExchangeRefused
from server.domain.expected_receipt import ExpectedReceipt
from server.domain.key_limits import Quota
from server.domain.likeness import fold
from server.domain.locations import Location
from server.domain.operations.allocations import Allocate, AllocateMove
from server.domain.operations.base import Operation
from server.domain.operations.expected_receipts import Expect, Forgo, ReceiveExpected
from server.domain.operations.orders import Noted, NoteOrder, Numbered
from server.domain.operations.reservations import Commit, Edit, Fulfil, MapLines, Order, Relocate, Reserve, Return
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
from server.domain.order_progress import seen_of
from server.domain.reservation import ChannelLine, ChannelPart, Reservation
from server.domain.sourcing import Candidate, Plan, Sourced
from server.domain.stock import LocationAvailability, StockLevel
from server.domain.transfer import Transfer
from server.store.audit.audit import audit
from server.store.audit.checks import LIVE_STATES
from server.store.connection.commands import run_function
from server.store.keys import Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger, Retention
from server.store.lua_library import Function
from server.store.repositories.location_renames import LocationRenames, Renaming
from server.store.repositories.locations import LocationStore
from server.store.repositories.renames import AliasStore
from server.store.repositories.safety_stock import SafetyApplied, SafetyStore, SafetyTarget
from server.store.repositories.skus import SkuStore
from tests.conftest import DAY_S, now_ms, wait_past
from tests.support import operations as ops
from tests.support.model import Answer, Model, ModelReservation, Place, keyed_part
from tests.support.noted_orders import bare, decode_record
from tests.support.operations import AnOperation, reservation_of
from tests.support.replay import Change, Entry, Replayed, read_journal
from tests.support.spellings import Spellings, plain
from tests.support.written import SKU

T = TypeVar("T", bound=Operation)
R = TypeVar("R", Reserve, Order)

LOG_MAX: Final = 2
"""How many changes of on_hand the scripts keep here; 200 would never be reached."""
SHORT_MS: Final = 25
UNITS_MAX: Final = 24
SHORT_MAX: Final = 6
"""How far counters may go, and by how much an order may leave a place short: outside of here 10^15 and 10^9."""
LIFE_MAX_S: Final = 7_200
QUOTA: Final = b"quota\0"
"""How a field of the hash meta begins that counts what a key with a quota holds."""
LACKS: Final = b"lacks\0"
"""How a field of the hash meta begins that says what a place lacks."""
_PLACES: Final[tuple[Place, ...]] = (
    ("A", "main"), ("A", "mağaza"), ("A", "depo"), ("B 1/2", "main"), ("B 1/2", "depo"), ("Ç", "main"),
)  # fmt: skip
_LOCATIONS: Final = ("main", "mağaza", "depo")
_LIMITS: Final = tuple(map(frozenset[str], ((), ("main",), ("depo",), ("mağaza",), ("depo", "mağaza"))))
"""The locations that a channel may be limited to; none: it may be taken from anywhere."""
_TTLS_MS: Final = (SHORT_MS, SHORT_MS, ops.HOUR_MS, 3 * ops.HOUR_MS)
_BUCKETS: Final = (Bucket.ON_HAND, Bucket.DAMAGED, Bucket.QUALITY_CONTROL, Bucket.SAFETY)
_PROMISES: Final = ("reserve", "reserve", "order", "source", "source", "late", "late")
_TAKE: Final = (
    Reserve,
    Order,
    Sourced,
    Bound,
    Relocate,
    MapLines,
    Edit,
    Adjust,
    Move,
    TakeBack,
    Allocate,
    AllocateMove,
)
_CREATE: Final = (Receive, Count, SetBackorder, Return, Exchange)
_TAKE_NAMES: Final = frozenset(
    ("reserve", "order", "adjust", "move", "relocate", "map_lines", "edit", "allocate", "allocate_move")
)
_CREATE_NAMES: Final = frozenset(("receive", "count", "backorder", "return"))
"""Of changes: an exchange makes a reservation in the same call, and a return."""
_SPELLED: Final = {
    "A": "a", "B 1/2": "b  1/2", "Ç": "ç", "Ş": "Ș", "main": "MAİN", "depo": "DEPO", "mağaza": "Mağaza", "iade": "İADE",
}  # fmt: skip
"""Names that are like those of places."""
_RETENTION: Final = Retention(LIFE_MAX_S, idempotency_s=DAY_S, ended_s=DAY_S, fulfilled_s=DAY_S)
_SETTLEMENTS: Final = (
    *("commit", "commit", "release", "cancel", "fulfil", "fulfil", "extend", "return", "return"),
    *("edit", "edit", "edit", "relocate", "relocate", "bind", "bind", "bind", "exchange", "exchange"),
)
_ALLOCATIONS: Final = ("allocate", "allocate", "allocate_move")
_CHANNELS: Final = ("shop", "pazar", "kiosk")
_MOVEMENTS: Final = ("receive", "receive", "adjust", "count", "count", "move", "move", "take_back", "backorder")
_UNKNOWN: Final = ("unknown", "unknown", "map", "map", "cancel", "fulfil", "edit")
_NOBODY_KNOWS: Final = ("?", "¿ 2", "Paket")
"""SKUs of which there is nothing at first. The last one comes to have stock now and then, or needs none."""
_WAITS: Final = ("await", "await", "await", "come")
_AWAITED: Final[Place] = ("Ş", "main")
"""Where nothing lies at first, and units are waited for."""
_WORKS_ON: Final = {"cancel": "committed", "fulfil": "committed", "return": "fulfilled", "exchange": "fulfilled"}
_DISPOSITIONS: Final = tuple(Disposition)
_SHELVES: Final = tuple(Shelf)
_SUPPLIES: Final = ("expect", "expect", "receive_expected", "receive_expected", "receive_expected", "forgo")
_LANES: Final = {
    **dict.fromkeys(_TAKE, "take"),
    **dict.fromkeys(_CREATE, "create"),
    **dict.fromkeys((Ship, Arrive, CancelTransfer), "transfer"),
    **dict.fromkeys((Expect, Forgo, ReceiveExpected), "supply"),
}
_ANYWHERE: Final = frozenset(("expire", "backorder_fill", "commit", "fulfil", "shortage"))
"""Changes that either kind of call can make.

Every call that writes adds a ``shortage`` for each place that lacks more or fewer units than before it: an order that
is sold already, units that are received, and a cancel do. So it says nothing of the kind of call; what stands beside
it does, see tests/store/repositories/test_shortages.py.
"""
_NOTING: Final = {"mutate_noting": ("take", "create"), "mutate_noting_when_full": ("settle",)}
"""Calls with the records of orders, and those that write the same without them."""
_APART: Final = frozenset(("transfer", "supply"))
_TRANSFERS: Final = ("ship", "ship", "arrive", "arrive", "cancel_transfer")
_TIMES_KEPT: Final = 12
"""A count is of one of so many of the latest times between two steps."""
_NUMBERED: Final = ("numbered", "numbered", "numbered", "booked", "booked", "step", "step")
"""What names the number of an order, and what intake books of one."""
_NUMBERS: Final = ("1001", "1002", "1003")
_CONFIGURED: Final = _CHANNELS[:2]
"""The channels that orders are known of."""
_STEPS: Final = ("cancel", "fulfil", "release", "extend", "commit", "order", "return")
_QUOTAS: Final = (None, None, None, Quota("partner", 7, 0), Quota("reseller", 12, 4))
"""Those of the keys that reserve; of one more, a reservation may count for one key and be edited by another."""
_CUSTOMERS: Final = ("", "", "ayşe", "mihai")
_EARLY: Final = ("forestall", "forestall", "after", "after")
"""Cancels and releases that come before their reservations, and those reservations."""
_RECENT: Final = 6
"""Operations choose among so many of the newest reservations; older ones have nothing left to settle."""


@dataclass(frozen=True)
class Intent:
    """What to do, with small numbers for what it is done to.

    ``again``: 0 sends an earlier operation once more, 1 sends its key with another body; else it is a new one.
    """

    kind: str
    which: int
    parts: list[tuple[int, int]]
    option: int
    again: int


def some(*kinds: str) -> st.SearchStrategy[list[Intent]]:
    """Draw a batch of operations of these kinds."""
    intent = st.builds(
        Intent,
        kind=st.sampled_from(kinds),
        which=st.integers(0, 7),
        parts=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), min_size=1, max_size=3),
        option=st.integers(0, 7),
        again=st.integers(0, 9),
    )
    return st.lists(intent, min_size=1, max_size=5)


@dataclass(frozen=True)
class Wait:
    """Let time pass until the next hold has expired."""


@dataclass(frozen=True)
class Sweep:
    """Run the sweeper once."""


@dataclass(frozen=True)
class Safeguard:
    """Apply a rule of safety stock to every place, units below zero: none."""

    units: int
    percent: int


@dataclass(frozen=True)
class Describe:
    """Open or close a location."""

    name: str
    is_open: bool


@dataclass(frozen=True)
class Limit:
    """Limit the orders of a channel to some locations, or (none) lift the limit."""

    channel: str
    names: frozenset[str]


@dataclass(frozen=True)
class Track:
    """Make a SKU tracked or untracked."""

    sku: str
    tracked: bool


@dataclass(frozen=True)
class Rename:
    """Give a SKU its next name."""

    sku: str


@dataclass(frozen=True)
class RenameLocation:
    """Give a location its next name."""

    name: str


@dataclass(frozen=True)
class Look:
    """Read a SKU and a reservation."""

    place: Place
    which: int


Action = list[Intent] | Wait | Sweep | Safeguard | Describe | Limit | Track | Rename | RenameLocation | Look
actions: Final[st.SearchStrategy[Action]] = st.one_of(
    some(*_PROMISES),
    some(*_SETTLEMENTS),
    some(*_SETTLEMENTS),
    some(*_MOVEMENTS),
    some(*_PROMISES, *_SETTLEMENTS, *_MOVEMENTS, *_ALLOCATIONS),
    some(*_ALLOCATIONS, *_PROMISES),
    some(*_WAITS),
    some(*_WAITS, *_SETTLEMENTS),
    some(*_UNKNOWN),
    some(*_EARLY),
    some(*_EARLY, *_PROMISES, *_SETTLEMENTS),
    some(*_UNKNOWN, *_PROMISES, *_SETTLEMENTS),
    some(*_NUMBERED),
    some(*_NUMBERED, "commit", "fulfil", "reserve"),
    st.builds(Track, st.sampled_from((*_NOBODY_KNOWS[1:], "A")), st.booleans()),
    st.builds(Rename, st.sampled_from(("A", "B 1/2", "Ş", _NOBODY_KNOWS[-1]))),
    st.builds(RenameLocation, st.sampled_from(_LOCATIONS[1:])),
    some(*_TRANSFERS),  # by themselves, and so the next: at most two kinds of calls to a batch
    some(*_SUPPLIES),
    st.builds(Wait),
    st.builds(Sweep),
    st.builds(Safeguard, st.integers(-1, 4), st.sampled_from((0, 0, 10, 25, 100))),
    st.builds(Describe, st.sampled_from((*_LOCATIONS, *_LOCATIONS, "DEPO")), st.sampled_from((True, True, False))),
    st.builds(Limit, st.sampled_from(_CHANNELS), st.sampled_from(_LIMITS)),
    st.builds(Look, st.sampled_from(_PLACES), st.integers(0, 7)),
)


@dataclass
class World:
    """What a whole run shares: the event loop, the store, the scripts as they are to be tested, and the tally."""

    runner: asyncio.Runner
    client: Redis
    batcher: Batcher
    expire: Function
    partitions: Iterator[int] = field(default_factory=count)
    steps: int = 0
    operations: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    mismatches: list[AssertionError] = field(default_factory=list)


class LedgerMachine(RuleBasedStateMachine):
    """All operations against the model; after each step the answers and every counter must be equal."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.client = world.client
        self.ledger = Ledger(world.batcher, Keyspace(f"model-{next(world.partitions)}"), _RETENTION)
        self.keys = self.ledger.keyspace
        self.locations = LocationStore(self.client, self.keys, _RETENTION.packed())
        self.model = Model(1000 * LIFE_MAX_S, LOG_MAX, UNITS_MAX, SHORT_MAX)
        self.journal: list[Entry] = []
        self.journal_id = "-"
        self.ended_ms = 0
        self.times_between: deque[int] = deque(maxlen=_TIMES_KEPT)
        self.sent: list[AnOperation] = []
        self.numbers = count()
        self.spellings = Spellings()
        self.places = Spellings("location", "to", "source", "destination")
        self.sweeping = False
        self.agreed = False

    @initialize(sweeping=st.booleans())
    def stock_up(self, sweeping: bool) -> None:
        self.sweeping = sweeping
        units = zip(_PLACES[:-1], (9, 12, 6, 10, 5), strict=True)
        first = [ops.receive(sku, quantity, location) for (sku, location), quantity in units]
        waits = [ops.backorder(sku, 9, location, on="2030-01-01") for sku, location in (*_PLACES[:3], _AWAITED)]
        self._step(self._perform([*first, *waits]))

    # One rule only: Hypothesis leaves out some rules of an example altogether, and without reservations there is
    # nothing to settle.
    @rule(action=actions)
    def act(self, action: Action) -> None:
        match action:
            case Wait():
                self._step(self._wait())
            case Sweep():
                self._step(self._sweep())
            case Safeguard(units, percent):
                self._step(self._safeguard(units, percent))
            case Describe(name, is_open):
                self._step(self._describe(name, is_open=is_open))
            case Limit(channel, names):
                self._step(self._limit(channel, names))
            case Track(sku, tracked):
                self._step(self._track(sku, tracked=tracked))
            case Rename(sku):
                self._step(self._rename(sku))
            case RenameLocation(name):
                self._step(self._rename_location(name))
            case Look(place, which):
                self._step(self._read(place, which))
            case intents:
                self._step(self._perform([self._operation(intent) for intent in intents]))

    def teardown(self) -> None:
        self.world.runner.run(self._end())

    def _step(self, what: Coroutine[Any, Any, None]) -> None:
        self.agreed = False
        try:
            self.world.runner.run(what)
            if self.sweeping:
                self.world.runner.run(self._sweep())
            self.world.runner.run(self._agree())
        except AssertionError as mismatch:
            self.world.mismatches.append(mismatch)
            raise
        self.agreed = True
        self.world.steps += 1

    async def _perform(self, operations: list[AnOperation]) -> None:
        self.sent.extend(operations)
        self.world.operations += len(operations)
        started_ms = await now_ms(self.client)
        if started_ms > self.ended_ms > 0:
            self.times_between.append(self.ended_ms)
        sent = [self.places.spelled(self.spellings.spelled(operation)) for operation in operations]
        answers = plain(await asyncio.gather(*(ops.ask(self.ledger, operation) for operation in sent)))
        self.ended_ms = await now_ms(self.client)
        entries = await self._new_entries()
        predictions = [
            self._predict(operations, times_ms) for times_ms in _decision_times(operations, entries, started_ms)
        ]
        model, expected = next((each for each in predictions if each[1] == answers), predictions[-1])
        assert answers == expected, f"the answers to {operations}"
        model.seq_of = self.model.seq_of
        self.model = model
        self.world.outcomes.update(map(_outcome, answers))

    def _predict(self, operations: list[AnOperation], times_ms: list[int]) -> tuple[Model, list[Answer]]:
        model = deepcopy(self.model)
        answers: dict[int, Answer] = {}
        for places, at_ms in zip(_calls(operations), times_ms, strict=True):
            answers.update(zip(places, model.apply([operations[place] for place in places], at_ms), strict=True))
        return model, [answers[place] for place in range(len(operations))]

    async def _sweep(self) -> None:
        before_ms = await now_ms(self.client)
        reply = await run_function(self.client, self.world.expire, self.keys, _RETENTION.packed())
        entries = await self._new_entries()
        assert len(entries) <= 1
        expected = self.model.expire(entries[0][0].at_ms if entries else before_ms)
        answer = msgspec.msgpack.decode(reply)
        assert answer == [False, expected], f"the sweeper: {answer}, expected {[False, expected]}"

    async def _safeguard(self, units: int, percent: int) -> None:
        wanted = [SafetyTarget(self.spellings.newest(sku), name, units, percent) for sku, name in _PLACES]
        found = await SafetyStore(self.client, self.keys).apply(wanted, _RETENTION.packed())
        entries = await self._new_entries()
        if entries:
            self.model.now_ms = entries[0][0].at_ms
        changed, capped = self.model.safeguard(_PLACES, units, percent)
        assert found == SafetyApplied(changed, [wanted[_PLACES.index(place)] for place in capped])

    async def _limit(self, channel: str, names: frozenset[str]) -> None:
        self.model.limited = {**self.model.limited, channel: set(names)}
        if not names:
            del self.model.limited[channel]
        await self.locations.limit_channels({each: list(among) for each, among in self.model.limited.items()})

    async def _track(self, sku: str, *, tracked: bool) -> None:
        done = await SkuStore(self.client, self.keys, _RETENTION.packed()).track(
            self.spellings.any_of(sku), "tester", tracked=tracked
        )
        assert done == self.model.track(sku, tracked=tracked)
        await self._new_entries()

    async def _rename(self, sku: str) -> None:
        store, new = AliasStore(self.client, self.keys, _RETENTION.packed()), self.spellings.next_of(sku)
        outcome = await store.rename_sku(self.spellings.newest(sku), new, "tester", ())
        is_known = self.model.rename(sku)
        assert outcome == ("renamed" if is_known else "unknown_sku")
        if is_known:
            self.spellings.renamed(sku)
        await self._new_entries()

    async def _rename_location(self, location: str) -> None:
        store = LocationRenames(self.client, self.keys, _RETENTION.packed(), known_s=0)
        done = await store.rename(self.places.newest(location), self.places.next_of(location), "tester")
        moved = [
            line.sku
            for entry in await self._new_entries()
            for change in entry
            if change.operation == "renamed"
            for line in change.lines[::2]
        ]
        assert done == Renaming("renamed", is_done=True, moved=len(moved))
        self.model.rename_location(location, moved)
        self.places.renamed(location)

    async def _wait(self) -> None:
        deadline_ms = self.model.next_deadline_ms()
        if deadline_ms and deadline_ms < await now_ms(self.client) + ops.HOUR_MS // 2:
            await wait_past(self.client, deadline_ms)

    async def _describe(self, location: str, *, is_open: bool) -> None:
        """Close or open a location, whose SKUs are read before and after."""
        (known,) = await self.client.hmget(self.keys.meta, "places")
        before = int(known or 0)
        similar = await self.locations.put([Location(location, open=is_open)], "tester")
        assert similar == self.model.describe(location)
        if similar:
            return
        [[change]] = await self._new_entries()
        assert (change.operation, change.lines) == ("locations", [])
        is_new = is_open is (location in self.model.closed)
        (self.model.closed.discard if is_open else self.model.closed.add)(location)
        version = int((await self.client.hmget(self.keys.meta, "places"))[0] or 0)
        assert (version > before) is is_new
        for place in dict.fromkeys(place for place in self.model.stock if place[1] == location):
            await self._read(place, version % 8)

    async def _read(self, place: Place, which: int) -> None:
        sku, location = place
        reservation_id = self._recent(which)
        channel = _CHANNELS[which % 3]
        name, where = self.spellings.any_of(sku), self.places.any_of(location)
        everywhere, here, mine, stock, found = plain(
            await asyncio.gather(
                self.ledger.availability([name]),
                self.ledger.availability([name], where),
                self.ledger.availability([name], where, channel),
                self.ledger.stock(name),
                self.ledger.reservation(reservation_id),
            )
        )
        levels = [self.model.shown(each) for each in self.model.stock if each[0] == sku]
        expected = [
            LocationAvailability(each.location, self.model.seen((sku, each.location)), each.seq) for each in levels
        ]
        assert [each.available for each in mine.skus[0]] == (
            [self.model.seen(place, channel)] if place in self.model.stock else []
        )
        assert stock.levels == levels
        assert stock.closed == self.model.closed & {each.location for each in levels}
        assert stock.available == sum(each.available for each in expected)
        assert everywhere.skus == [expected]
        assert here.skus == [[each for each in expected if each.location == location]]
        reservation = self.model.reservations.get(reservation_id)
        assert found.reservation == (reservation.shown() if reservation else None)

    async def _new_entries(self) -> list[Entry]:
        read = await read_journal(self.client, self.keys.journal, self.journal_id)
        if read:
            self.journal_id = read[-1][0]
        entries = [plain(entry) for _, entry in read]
        self.journal.extend(entries)
        self._never_oversold(entries)
        return entries

    def _never_oversold(self, entries: Sequence[Entry]) -> None:
        reservations = [_bare(each) for each in self.sent]
        accepting = {each.reservation_id for each in reservations if isinstance(each, Order) and each.accept_shortage}
        edited = {each.reservation_id for each in self.sent if isinstance(each, Edit) and each.accept_shortage}
        for entry in entries:
            for change in entry:
                if change.operation == "order" and change.reservation_id in accepting:
                    continue
                if change.operation in ("map_lines", "renamed"):
                    continue  # it is sold already, or only called otherwise
                if change.operation == "edit":
                    assert change.reservation_id in edited or not _takes_too_much(change)
                    continue
                if change.operation == "transfer_ship":
                    assert all(line.available >= 0 for line in change.lines)
                for line in change.lines:
                    assert line.held + line.committed + line.on_hand <= 0 or line.available >= 0 or line.on_hand > 0

    async def _agree(self) -> None:
        """Compare every key of the partition with the model."""
        keys = self.keys
        pipe = self.client.pipeline(transaction=False)
        hashes = (
            keys.stock,
            keys.reservations,
            keys.ended,
            keys.meta,
            keys.all[5],
            keys.transfers,
            keys.transfers_closed,
            keys.supply,
            keys.supply_skus,
            keys.safety_applied,
            keys.skus,
            keys.likeness,
            keys.orders,
        )
        for key in hashes:
            pipe.hgetall(key)
        pipe.zrange(keys.deadlines, 0, -1, withscores=True)
        pipe.zrange(keys.all[6], 0, -1)
        pipe.zrange(keys.backorders, 0, -1)
        pipe.zrange(keys.tombstones, 0, -1)
        found = await pipe.execute()
        (
            stock, live, ended, meta, remembered, open_transfers, closed, supply, by_sku, applied,
            skus, likeness, orders, deadlines, forget, queue, tombstones,
        ) = found  # fmt: skip
        reservations = self.model.reservations
        in_life = {each for each, reservation in reservations.items() if reservation.state in LIVE_STATES}
        assert {_place(name): _stock(packed) for name, packed in stock.items()} == {
            place: _stock_of(self.model.shown(place)) for place in self.model.stock
        }
        known: dict[str, list[str]] = {sku: [] for sku in self.model.untracked}
        known |= {sku: self.model.names_of(sku) for sku, _ in self.model.stock}
        assert {plain(sku).decode(): plain(msgspec.msgpack.decode(packed)) for sku, packed in skus.items()} == known
        known_names = {field.decode(): names.decode() for field, names in likeness.items()}
        further = {field: name for field, name in known_names.items() if plain(field) != field}
        assert {field: names for field, names in known_names.items() if field not in further} == self.model.likeness
        assert further == {
            **{f"sku\0{fold(name)}": name for name in self.spellings.further()},
            **{f"location\0{fold(name)}": name for name in self.places.further()},
        }
        assert {field.decode(): _untouched(decode_record(packed)) for field, packed in orders.items()} == {
            field: _untouched(record) for field, record in self.model.orders.items()
        }
        assert sorted(plain(queue)) == self.model.queue
        assert {each.decode() for each in tombstones} == {
            each for each, reservation in reservations.items() if reservation.is_tombstone
        }
        assert {each.decode() for each in live} == in_life
        assert {each.decode(): plain(_reservation(packed)) for each, packed in (live | ended).items()} == {
            each: reservation.shown() for each, reservation in reservations.items()
        }
        assert {each.decode(): int(at_ms) for each, at_ms in deadlines} == {
            each: reservation.deadline_ms for each, reservation in reservations.items() if reservation.deadline_ms
        }
        assert {each.decode() for each in remembered} == set(self.model.remembered)
        assert {each.decode() for each in forget} == {
            *(f"r{each}" for each in reservations.keys() - in_life),
            *(f"k{key}" for key in self.model.remembered),
            *(f"s{each}" for each, one in self.model.supplies.items() if not one.expected),
            *(f"t{each}" for each, sent in self.model.transfers.items() if sent.state != "in_transit"),
        }
        assert {_place(name): int(units) for name, units in applied.items()} == self.model.safeguarded
        for at in self.model.stock.values():
            assert max(abs(getattr(at, counter)) for counter in (*Bucket, "available")) <= UNITS_MAX
        assert int(meta[b"seq"]) == self.model.seq
        assert int(meta.get(b"shortage", 0)) == self.model.shortage
        assert {_lacking_place(name): int(units) for name, units in meta.items() if name.startswith(LACKS)} == {
            place: stock.lacks for place, stock in self.model.stock.items() if stock.lacks
        }
        assert int(meta.get(b"lacking", 0)) == self.model.lacking
        assert int(meta.get(b"in_transit", 0)) == self.model.in_transit
        assert int(meta.get(b"unmapped", 0)) == self.model.unmapped
        assert {name.decode(): int(units) for name, units in meta.items() if name.startswith(QUOTA)} == (
            self.model.counted()
        )
        assert {each.decode(): plain(_supply(packed)) for each, packed in supply.items()} == self.model.supplies
        assert {plain(each).decode(): set(msgspec.msgpack.decode(packed)) for each, packed in by_sku.items()} == {
            **{each.sku: self.model.supplies_of(each.sku) for each in self.model.supplies.values() if each.expected},
            **{
                f"\0{each.sscc}": self.model.supplies_in(each.sscc)
                for each in self.model.supplies.values()
                if each.expected and each.sscc
            },
        }
        for is_open, found in ((True, open_transfers), (False, closed)):
            assert {each.decode(): plain(_transfer(packed)) for each, packed in found.items()} == {
                each: sent.shown()
                for each, sent in self.model.transfers.items()
                if (sent.state == "in_transit") is is_open
            }
        for reservation in reservations.values():
            for line in reservation.lines:
                parts = line.held + line.committed + line.fulfilled + line.released + line.expired
                assert line.quantity == parts + line.waiting + line.owed
                counters = (line.held, line.committed, line.fulfilled, line.released, line.expired)
                assert min(*counters, line.waiting, line.owed) >= 0
                assert 0 <= line.returned <= line.fulfilled

    async def _end(self) -> None:
        """Rebuild every counter from the journal alone; then leave the store as it was."""
        entries = await read_journal(self.client, self.keys.journal)
        report = await audit(self.client, self.keys)
        others = (self.keys.safety_applied, self.keys.locations, self.keys.tombstones, self.keys.orders)
        await self.client.delete(*self.keys.transferring, *self.keys.supplying, *others)
        if not self.agreed:
            return  # a step has failed, and its own failure says more
        assert (report.drift, report.conclusive) == ([], True), repr((report.drift, report.conclusive))
        replayed = Replayed(plain(entry) for _, entry in entries)
        assert {place: allocations for place, allocations in replayed.allocations.items() if allocations} == {
            place: [msgspec.structs.astuple(each) for each in self.model.allocations(place)]
            for place, stock in self.model.stock.items()
            if stock.allocated
        }
        for place in self.model.stock:
            shown = self.model.shown(place)
            assert (dict(replayed.stock[place]), replayed.seqs[place]) == (
                {bucket: getattr(shown, bucket) for bucket in Bucket},
                shown.seq,
            )
        assert {place: dict(units) for place, units in replayed.reserved.items() if any(units.values())} == {
            (each, number): {"held": line.held, "committed": line.committed, "waiting": line.waiting, "owed": line.owed}
            for each, reservation in self.model.reservations.items()
            for number, line in enumerate(reservation.lines, 1)
            if line.held + line.committed + line.waiting + line.owed and line.place[1]
        }
        assert replayed.seq == self.model.seq

    def _recent(self, which: int) -> str:
        recent = list(self.model.reservations)[-_RECENT:]
        return recent[which % len(recent)] if recent and which < 7 else "nobody"

    def _fitting(self, intent: Intent) -> str:
        """Choose a reservation that has what the operation works on; now and then any."""
        on_order = intent.kind in ("relocate", "bind") and intent.option % 2
        counter = "committed" if on_order else _WORKS_ON.get(intent.kind, "held")
        if intent.which == 4:
            counter = {"held": "waiting", "committed": "owed"}.get(counter, counter)
        fitting = [each for each, reservation in self.model.reservations.items() if reservation.total(counter)]
        if intent.which > 4 or not fitting:
            return self._recent(intent.which)
        return fitting[-1 - intent.which % len(fitting)]

    def _operation(self, intent: Intent) -> AnOperation:
        """Make an operation; now and then of names that are like known ones, and few of those are meant."""
        operation = self._spelled(intent)
        if intent.again == 9 and intent.which == 7 and hasattr(operation, "allow_similar"):
            operation = ops.meant(operation)
        return operation

    def _spelled(self, intent: Intent) -> AnOperation:
        operation = self._sent_or_new(intent)
        if not isinstance(operation, Receive | Count | SetBackorder | Expect):
            return operation
        if intent.again < 8 or intent.which % 4 < 3:
            return operation
        sku, location = operation.sku, operation.location
        if intent.option % 3:
            sku = _SPELLED.get(sku, sku)
        if intent.option % 3 != 1:
            location = _SPELLED.get(location, location)
        return ops.sealed(msgspec.structs.replace(operation, sku=sku, location=location))

    def _sent_or_new(self, intent: Intent) -> AnOperation:
        if not self.sent or intent.again > 1:
            return self._new(intent)
        apart = "transfer" if intent.kind in _TRANSFERS else "supply" if intent.kind in _SUPPLIES else ""
        alike = [each for each in self.sent if (_lane(each) if _lane(each) in _APART else "") == apart]
        if not alike:
            return self._new(intent)
        earlier = alike[-1 - intent.which % len(alike)]
        if intent.again == 0:
            return earlier
        other = self._new(intent)
        if isinstance(other, Reserve | Order | Sourced):
            return _renamed(other, earlier)
        return _with_key(other, getattr(keyed_part(earlier), "key", ""))

    def _new(self, intent: Intent) -> AnOperation:  # noqa: PLR0911  # one for each kind
        key = f"k{next(self.numbers)}" if intent.option % 2 else ""
        build = {
            "reserve": self._reserve_or_order,
            "order": self._reserve_or_order,
            "source": self._sourced,
            "late": self._late,
            "booked": self._booked,
            "step": self._booked,
        }
        if intent.kind in build:
            return build[intent.kind](intent)
        if intent.kind in _EARLY:
            return self._early(intent, key)
        if intent.kind == "numbered":
            return self._numbered(intent, key)
        if intent.kind in ("unknown", "map"):
            return self._unknown(intent, key) if intent.kind == "unknown" else self._mapping(intent, key)
        if intent.kind in _WAITS:
            return self._wait_or_come(intent, key)
        if intent.kind in _ALLOCATIONS:
            return self._allocation(intent, key)
        if intent.kind in _MOVEMENTS:
            return self._movement(intent, key)
        if intent.kind in _TRANSFERS:
            return self._transfer(intent, key)
        if intent.kind in _SUPPLIES:
            return self._supply(intent, key)
        return self._settlement(intent, key)

    def _reserve_or_order(self, intent: Intent) -> Reserve | Order:
        reservation_id = f"r{next(self.numbers)}"
        option, channel = intent.option, _CHANNELS[intent.which % 3]
        places = [(_drawn(number), quantity) for number, quantity in intent.parts]
        lines = [
            (sku, quantity, "" if intent.again > 5 and (quantity + intent.which) % 4 else location)
            for (sku, location), quantity in places
        ]
        waits: dict[str, Any] = {"backorder": intent.which < 4 and option <= 4, "flags": ["vip"] * (intent.which == 3)}
        if intent.kind == "reserve":
            ttl_ms = _TTLS_MS[option % len(_TTLS_MS)]
            return _as_written(ops.reserve(
                reservation_id, *lines, ttl_ms=ttl_ms, partial=option > 4, order_ref="o" * (option == 0),
                channel=channel, quota=_QUOTAS[(intent.which + intent.again) % len(_QUOTAS)],
                customer_ref=_CUSTOMERS[intent.again % len(_CUSTOMERS)], **waits,
            ), intent)  # fmt: skip
        return _as_written(
            ops.order(
                reservation_id, *lines, accept_shortage=option == 0, partial=option > 4, channel=channel, **waits
            ),
            intent,
        )

    def _unknown(self, intent: Intent, key: str) -> AnOperation:
        """Reserve or order what nobody knows beside what somebody does; rarely, units of it come."""
        if intent.option == 7 and intent.which == 7:
            return ops.receive(_NOBODY_KNOWS[-1], 3, key=key)
        request = self._reserve_or_order(replace(intent, kind="reserve" if intent.option in (1, 5) else "order"))
        lines = [
            msgspec.structs.replace(line, sku=_NOBODY_KNOWS[drawn % 3]) if (drawn + intent.which) % 2 else line
            for line, (drawn, _) in zip(request.lines, intent.parts, strict=True)
        ]
        request = msgspec.structs.replace(request, lines=lines)
        if isinstance(request, Order):
            request = msgspec.structs.replace(request, accept_shortage=intent.option % 4 != 1)
        return ops.sealed(request)

    def _early(self, intent: Intent, key: str) -> AnOperation:
        """Cancel or release what comes later, or make it then; now and then in another order."""
        forestalled = [each for each, one in self.model.reservations.items() if one.is_tombstone]
        reservation_id = f"e{intent.which + 8 * (len(self.sent) // 40)}"
        if intent.kind == "forestall":
            if intent.option % 3:
                return ops.cancel(reservation_id, reason="x" * (intent.option == 1), remember=True, key=key)
            return ops.release(reservation_id, reason="x" * (intent.which == 1), remember=True, key=key)
        if forestalled and intent.which < 6:
            reservation_id = forestalled[-1 - intent.which % len(forestalled)]
        kind = ("reserve", "order", "source", "late")[intent.option % 4]
        made = self._new(replace(intent, kind=kind))
        assert isinstance(made, Reserve | Order | Sourced)
        if isinstance(made, Sourced):
            named = msgspec.structs.replace(made.promise, reservation_id=reservation_id)
            return Sourced(ops.sealed(named), made.plan)
        return ops.sealed(msgspec.structs.replace(made, reservation_id=reservation_id))

    def _numbered(self, intent: Intent, key: str) -> Numbered:
        """Reserve, order or commit by the number of an order, of which there are few."""
        number = _NUMBERS[intent.parts[0][1] % 3]
        if intent.again % 3 == 0:
            kind = "bind" if intent.option == 1 else "commit"
            inner = self._settlement(replace(intent, kind=kind), key)
            if not isinstance(bare(inner), Commit):  # what is open is committed, and would be shipped
                inner = self._settlement(replace(intent, kind="commit"), key)
            return Numbered("", number, _CONFIGURED, _with_number(inner, number))
        kind = ("reserve", "order", "source")[intent.again % 3 + (intent.option == 5) - 1]
        made = _with_number(self._new(replace(intent, kind=kind)), number)
        return Numbered(bare(made).channel, number, (), made)  # type: ignore[union-attr]  # it is no commit

    def _booked(self, intent: Intent) -> Noted:
        """Write the record of an order, or book a step of it; now and then by what is not so any more."""
        channel, option = _CHANNELS[intent.which % 2], intent.option
        field = order_field(channel, _NUMBERS[intent.parts[0][1] % 3])
        before = self.model.orders.get(field)
        version, names = (before.version, list(before.reservations)) if before else (0, [])
        fitting = self._fitting(replace(intent, kind="fulfil"))
        if fitting in self.model.reservations and fitting not in names and option < 6:
            names.append(fitting)
        there = {name: self.model.reservations[name] for name in names if name in self.model.reservations}
        seen = [(name, "" if option == 7 else seen_of(one.shown())) for name, one in there.items()]
        lines = [
            BookedLine("l1", parts=[BookedPieces(names.index(name), one.lines[0].quantity, [1], [1])])
            for name, one in there.items()
            if one.lines and not one.lines[0].mode
        ]
        record = BookedOrder(version + 1, ("open", "unpaid", "closed")[option % 3], names, 1, lines=lines)
        operation: Any = NoteOrder("", "intake")
        if intent.kind == "step":
            operation = self._step_of(intent, names, channel)
        count_of_lines = sum(len(one.lines) for one in there.values())
        packed = msgspec.msgpack.encode(record)
        return Noted(field, version + (intent.again == 9), packed, seen, count_of_lines, operation)

    def _step_of(self, intent: Intent, names: Sequence[str], channel: str) -> AnOperation:
        kind = _STEPS[(intent.option + intent.again) % len(_STEPS)]
        if kind == "order":
            made = self._reserve_or_order(replace(intent, kind="order", option=0))
            return ops.sealed(msgspec.structs.replace(made, channel=channel))
        operation = self._settlement(replace(intent, kind=kind), "")
        if not names:
            return operation
        name = names[intent.which % len(names)]
        return ops.sealed(msgspec.structs.replace(operation, reservation_id=name))  # type: ignore[type-var]

    def _mapping(self, intent: Intent, key: str) -> MapLines:
        """Map lines to what is known, to what is not, and to what was mapped already."""
        reservations = self.model.reservations.items()
        waiting = [each for each, one in reservations if any(line.is_unmapped or line.text for line in one.lines)]
        reservation_id = waiting[-1 - intent.which % len(waiting)] if waiting else self._recent(intent.which)
        reservation = self.model.reservations.get(reservation_id)
        of_record = reservation.lines if reservation else []
        lines, unmapped = len(of_record) or 1, [n for n, line in enumerate(of_record, 1) if line.is_unmapped]
        chosen = {drawn % (lines + (intent.option == 7)) + 1: units for drawn, units in intent.parts}
        if unmapped and intent.option < 5:
            chosen = {unmapped[drawn % len(unmapped)]: units for drawn, units in intent.parts}
        skus = ("A", "B 1/2", "Ç", _NOBODY_KNOWS[-1], "A")
        location = _LOCATIONS[intent.which % 3] if intent.option in (0, 3) else ""
        return ops.map_lines(
            reservation_id, *((number, skus[(units + intent.which) % 5], location) for number, units in chosen.items()),
            key=key,
        )  # fmt: skip

    def _wait_or_come(self, intent: Intent, key: str) -> AnOperation:
        """Reserve units that are not there, to some before others; or let a few of them come."""
        sku, location = _AWAITED
        units, option = intent.parts[0][1], intent.option
        if intent.kind == "come":
            return ops.receive(sku, units, location, key=key)
        reservation_id, channel = f"r{next(self.numbers)}", _CHANNELS[intent.which // 3 % 3]
        more: dict[str, Any] = {"flags": ["vip"] * (intent.which % 3 == 0), "backorder": True, "channel": channel}
        lines = [(sku, quantity, location) for _, quantity in intent.parts[:2]]
        if option < 4:
            return ops.order(reservation_id, *lines, **more)
        return ops.reserve(reservation_id, *lines, ttl_ms=_TTLS_MS[option % 4], **more)

    def _sourced(self, intent: Intent) -> Sourced:
        """Plan all lines but, now and then, the first; the candidates in any order, some of them equals."""
        if intent.option == 3:  # which no location alone can have while stock is as it was at first
            apart = ops.reserve(f"r{next(self.numbers)}", ("A", 7, ""), ("B 1/2", 1, ""), ttl_ms=SHORT_MS)
            return Sourced(apart, Plan(intent.which % 2, [Candidate("mağaza", 0), Candidate("depo", 1)]))
        option, first = intent.option, intent.parts[0][0]
        kind = "reserve" if option % 3 else "order"
        request = self._reserve_or_order(replace(intent, kind=kind, option=1 if option > 4 else option))
        lines = [
            line if number == 1 and first > 7 else msgspec.structs.replace(line, location="")
            for number, line in enumerate(request.lines, 1)
        ]
        names = [_LOCATIONS[(intent.which + step) % 3] for step in range(0 if intent.again == 9 else 1 + first % 3)]
        candidates = [Candidate(name, place if option % 2 else 0) for place, name in enumerate(names)]
        splits_max = max(0, intent.which - 5) if option % 4 else 2
        open_group = None if intent.again < 6 else ("", "stores")[option % 2]
        plan = Plan(splits_max, candidates, split_lines=option % 4 == 0, open_group=open_group)
        return Sourced(ops.sealed(msgspec.structs.replace(request, lines=lines, backorder=False)), plan)

    def _late(self, intent: Intent) -> Sourced:
        """Reserve a few units wherever they are, to be bound later."""
        option, first = intent.option, intent.parts[0][0]
        lines = [(_drawn(number)[0], 1 + units % 3, "") for number, units in intent.parts]
        reservation_id = f"r{next(self.numbers)}"
        request: Reserve | Order = (
            ops.order(reservation_id, *lines) if option % 2 else ops.reserve(reservation_id, *lines)
        )
        names = [_LOCATIONS[(first + step) % 3] for step in range(3)]
        return ops.sourced(request, names, 2, split_lines=option > 3, open_group=("", "stores")[option % 2])

    def _bound(self, intent: Intent, key: str) -> Bound:
        """Commit or ship what is open, if something is, and have it taken from elsewhere."""
        option, first = intent.option, intent.parts[0][0]
        waiting = {each: _open_units(one) for each, one in self.model.reservations.items()}
        fitting = [each for each, units in waiting.items() if units]
        reservation_id = fitting[-1 - intent.which % len(fitting)] if fitting else self._recent(intent.which)
        units = waiting.get(reservation_id, {})
        parts = [(line, 1 + first % most) for line, most in units.items() if (line + first) % 3] if option > 3 else []
        reservation = self.model.reservations.get(reservation_id)
        named = _names(reservation, intent) or parts
        plain: Commit | Fulfil = ops.fulfil(reservation_id, *named, key=key)
        if reservation and reservation.total("committed") == 0:
            plain = ops.commit(reservation_id, *named, keep=intent.which > 3, key=key)
        location = _LOCATIONS[first % 3] if first > 6 else ""
        names = [_LOCATIONS[(first + step) % 3] for step in range(1 + intent.which % 3)]
        candidates = [Candidate(name, place if option % 4 else 0) for place, name in enumerate(names)]
        return ops.bound(plain, *candidates, splits_max=intent.which % 3, split_lines=first % 2 == 0, location=location)

    def _exchanged(self, intent: Intent, key: str) -> Exchange:
        """Send a part back, now and then one that cannot be, and want something else, planned or not."""
        left = [
            (each, number)
            for each, one in self.model.reservations.items()
            for number, line in enumerate(one.lines, 1)
            if line.fulfilled > line.returned
        ]
        returned = self._settlement(replace(intent, kind="return"), key)
        if left and intent.option < 7:
            reservation_id, number = left[-1 - intent.which % len(left)]
            [(_, units, disposition, location)] = _returned([(number, 1)], intent.option)
            keys = _names(self.model.reservations[reservation_id], intent) if intent.again % 2 else []
            named = [(name, pieces, disposition, location) for name, pieces in keys]
            returned = ops.take_back(reservation_id, *(named or [(number, units, disposition, location)]), key=key)
        assert isinstance(returned, Return)
        if left and intent.again == 4:
            return self._undone(intent, returned)
        new = replace(intent, parts=intent.parts[:2], option=intent.option % 6)
        kind = ("reserve", "order", "source", "late")[(intent.which + intent.option) % 4]
        request = self._new(replace(new, kind=kind))
        assert isinstance(request, Reserve | Order | Sourced)
        return ops.exchange(returned, request)

    def _undone(self, intent: Intent, returned: Return) -> Exchange:
        """Send a part back to where nothing ever was, and want more than there is: no name of it may stay known."""
        known = {location for _, location in self.model.stock}
        new = next(name for number in count() if (name := f"iade {number}") not in known)
        part = msgspec.structs.replace(returned.lines[0], location=new)
        back = ops.sealed(msgspec.structs.replace(returned, lines=[part]))
        sku, location = _drawn(intent.parts[0][0])
        return ops.exchange(back, ops.order(f"r{next(self.numbers)}", (sku, UNITS_MAX + 1, location)))

    def _settlement(self, intent: Intent, key: str) -> AnOperation:  # noqa: C901, PLR0911  # one for each kind
        reservation_id, option = self._fitting(intent), intent.option
        reservation = self.model.reservations.get(reservation_id)
        # One line too many now and then, so that there are parts of lines that do not exist.
        lines = max(1, len(reservation.lines) if reservation else 1) + (option == 7)
        parts = [] if option < 4 else [(line % lines + 1, quantity) for line, quantity in intent.parts]
        named = _names(reservation, intent) or parts
        note = "" if option % 3 else f"n{option}"
        match intent.kind:
            case "bind":
                return self._bound(intent, key)
            case "exchange":
                return self._exchanged(intent, key)
            case "edit":
                return self._edit(intent, reservation_id, lines, key)
            case "relocate":
                return self._relocation(intent, reservation_id, lines, key)
            case "extend":
                return ops.extend(reservation_id, _TTLS_MS[option % len(_TTLS_MS)], key=key)
            case "commit":
                return ops.commit(reservation_id, *named, keep=intent.which > 3, order_ref=note, key=key)
            case "release":
                return ops.release(reservation_id, *named, reason=note, key=key)
            case "cancel":
                return ops.cancel(reservation_id, *named, reason=note, key=key)
            case "return" if _names(reservation, intent):
                back = _returned([(1, units) for _, units in intent.parts], option)
                pieces_back = zip(_names(reservation, intent), back, strict=False)
                return ops.take_back(
                    reservation_id, *((name, pieces, *one[2:]) for (name, pieces), one in pieces_back), key=key
                )
            case "return":
                return ops.take_back(reservation_id, *_returned(parts or [(1, 1)], option), reason=note, key=key)
            case _:
                return ops.fulfil(reservation_id, *named, tracking=note, invoice_ref=note, reason=note, key=key)

    def _edit(self, intent: Intent, reservation_id: str, lines: int, key: str) -> Edit:
        """Set how many units some lines have: by their numbers, by their SKU, or by their SKU at a location."""
        reservation = self.model.reservations.get(reservation_id)
        elements: list[tuple[int | str, int] | tuple[int | str, int, str]] = []
        for drawn, units in intent.parts:
            quantity, way = (units - 1) * (1 + intent.option % 2), (drawn + intent.which + intent.again) % 5
            known = reservation.lines if reservation else []  # none: its cancel came before it
            of_line = known[drawn % len(known)].place[0] if known else "A"
            sku = of_line if drawn % 3 else _drawn(drawn)[0] if drawn else _NOBODY_KNOWS[units % 3]
            if way < 2:
                elements.append((drawn % lines + 1, quantity))
            elif way == 2 and known:  # more than there is: lines of one SKU are seldom raised by chance
                elements.append((sku, units + sum(each.quantity for each in known if each.place[0] == sku)))
            else:
                elements.append((sku, quantity) if way < 4 else (sku, quantity, _LOCATIONS[units % 3]))
        accepts = intent.option in (0, 3) and not (reservation and reservation.is_hold and intent.which)
        ttl_ms = _TTLS_MS[intent.which % 4] if intent.option == 6 else 0
        return ops.edit(
            reservation_id, *elements, ttl_ms=ttl_ms, accept_shortage=accepts, key=key,
            quota=_QUOTAS[intent.which % len(_QUOTAS)],
        )  # fmt: skip

    def _relocation(self, intent: Intent, reservation_id: str, lines: int, key: str) -> Relocate:
        """Move some lines anywhere, also where they lie already; all that is reserved, or so many units."""
        moves = [
            (number % lines + 1, 0 if intent.option < 4 else units, _LOCATIONS[(number + units) % 3])
            for number, units in intent.parts
        ]
        return ops.relocate(reservation_id, *moves, key=key)

    def _transfer(self, intent: Intent, key: str) -> AnOperation:
        option = intent.option
        reason = "" if option % 3 else f"n{option}"
        if intent.kind == "ship":
            (_, source), _ = _drawn(intent.parts[0][0]), None
            items = [(_drawn(number)[0], quantity) for number, quantity in intent.parts]
            targets = ("main", "mağaza", "depo", "DEPO", "iade")
            target = targets[intent.which % (5 if option == 5 else 3)]
            return ops.ship(f"t{next(self.numbers)}", source, target, *items, reason=reason, key=key)
        sent = [each for each, one in self.model.transfers.items() if one.state == "in_transit" or intent.which > 4]
        transfer_id = sent[-1 - intent.which % len(sent)] if sent else "nobody"
        lines = len(self.model.transfers[transfer_id].lines) if sent else 1
        parts = [
            (line % (lines + (option == 7)) + 1, (units + 1) // 2, _DISPOSITIONS[(option + line) % 3].value)
            for line, units in intent.parts
        ]
        if intent.kind == "cancel_transfer":
            return ops.cancel_transfer(transfer_id, reason=reason, key=key)
        if option < 2:
            return ops.arrive(transfer_id, everything=True, key=key)
        return ops.arrive(transfer_id, *parts, close=option > 5, reason=reason, key=key)

    def _supply(self, intent: Intent, key: str) -> AnOperation:
        (place, units), option = intent.parts[0], intent.option
        sku, location = _drawn(place)
        known = [each for each, one in self.model.supplies.items() if one.expected or option > 4]
        supply_id = known[-1 - intent.which % len(known)] if known else "nobody"
        if intent.kind == "expect":
            target, parcel = supply_id if option < 3 else f"s{next(self.numbers)}", ("", "1", "2")[intent.which % 3]
            return ops.expect(target, sku, units, "2030-01-01", location, sscc=parcel)
        if intent.kind == "forgo":
            return ops.forgo(supply_id, key=key)
        fitting = self.model.supplies[supply_id].sku if known and intent.which else sku
        return ops.receive_expected(supply_id, fitting, units, "" if option % 3 else location, key=key)

    def _allocation(self, intent: Intent, key: str) -> Allocate | AllocateMove:
        """Allocate units to a channel, mostly after counting what it has reserved."""
        (place, units), option, which = intent.parts[0], intent.option, intent.which
        sku, location = _AWAITED if which % 4 == 3 else _drawn(place if place > 8 else place % 2)
        channel, taker = _CHANNELS[which % 3], _CHANNELS[(which + 1 + option % 2) % 3]
        several = [(at, stock) for at, stock in self.model.stock.items() if len(stock.allocated) > 1]
        if intent.kind == "allocate_move" and several and which < 6:
            (sku, location), stock = several[which % len(several)]
            channel, taker = list(stock.allocated)[:2]
        counted_channel = taker if intent.kind == "allocate_move" else channel
        counted = ("", 0) if option == 7 else (self.journal_id, self.model.used((sku, location), counted_channel))
        if intent.kind == "allocate_move":
            return ops.allocate_move(sku, channel, taker, (units + 1) // 2, location, key=key, counted=counted)
        kind: AllocationKind = "cap" if option in (2, 5) or (channel == "kiosk" and option % 2) else "own"
        return ops.allocate(sku, channel, 2 * (units - 1), kind, location, key=key, counted=counted)

    def _movement(self, intent: Intent, key: str) -> AnOperation:
        (place, units), option = intent.parts[0], intent.option
        sku, location = _drawn(place)
        if intent.kind == "receive":
            return ops.receive(sku, 2 * units, location, key=key)
        if intent.kind == "adjust":
            delta = units if option < 4 else -units
            return ops.adjust(sku, _BUCKETS[option % len(_BUCKETS)], delta, location, reason="why", key=key)
        if intent.kind == "take_back":
            seq = max(0, self.model.seq + 2 - 5 * intent.which)
            figures: dict[str, Any] = {str(_BUCKETS[option % len(_BUCKETS)]): units if option > 5 else -units}
            figures |= {"on_hand": -units} if option % 2 else {}
            return ops.undo(sku, seq, location, **figures, may_be_short=intent.which % 3 == 0, key=key)
        if intent.kind == "backorder":
            mode, on = ("preorder", "") if intent.which % 2 else ("backorder", "2030-01-01")
            return ops.backorder(sku, (0, 4, 9)[units % 3], location, mode=mode, on=on, key=key)
        if intent.kind == "move":
            source, target = _SHELVES[option % 3], _SHELVES[(option + 1 + intent.which % 2) % 3]
            return ops.move(sku, source, target, units, location, reason="why", key=key)
        baseline_seq = max(0, self.model.seq + 2 - 5 * intent.which) if option > 2 else -1
        on_hand, safety = (units - 1) * 2 if option != 1 else -1, units - 2 if len(intent.parts) > 1 else -1
        counted_ms = self._counted_ms(intent) if on_hand >= 0 else -1
        if counted_ms >= 0:
            baseline_seq = -1
        replaces = intent.which % 4 == 3 and bool(key)
        return ops.count(
            sku, on_hand, location, baseline_seq=baseline_seq, safety=safety, counted_ms=counted_ms,
            replaces=replaces, key=f"place {place % 2}" if replaces else key,
        )  # fmt: skip

    def _counted_ms(self, intent: Intent) -> int:
        """Choose a time between two steps, now and then one that has not come; -1: none.

        Within a step nobody knows when a call decided that changed nothing: a count can be one, and be noted.
        """
        if intent.option != 0 and intent.which < 5:
            return -1
        if intent.option == 7:
            return 2**52
        times = self.times_between
        if not times:
            return -1
        counted_ms = times[-1 - (2 * intent.which + intent.parts[0][1]) % len(times)]
        known = [
            line.seq
            for entry in self.journal
            for change in entry
            for line in change.lines
            if entry[0].at_ms <= counted_ms
        ]
        self.model.seq_of[counted_ms] = known[-1] if known else 0
        return counted_ms


def _open_units(reservation: ModelReservation) -> dict[int, int]:
    """Return for each open line what it has committed; where the whole has nothing committed, what it holds."""
    if reservation.open is None or reservation.open.bound:
        return {}
    counter = "committed" if reservation.total("committed") else "held"
    units = {number: getattr(reservation.lines[number - 1], counter) for number in reservation.open.lines}
    return {number: each for number, each in units.items() if each}


def _bare(operation: AnOperation) -> AnOperation:
    """Return the reserve or order that an operation contains, or the operation that it is."""
    if isinstance(operation, Noted | Numbered):
        return _bare(operation.operation)  # type: ignore[arg-type]  # it is one of them
    if isinstance(operation, Sourced):
        return operation.promise
    return reservation_of(operation) if isinstance(operation, Exchange) else operation


def _with_number(operation: Any, number: str) -> Any:
    """Return a reserve, order or commit that names the number of an order."""
    own = ops.sealed(msgspec.structs.replace(bare(operation), order_ref=number))
    if isinstance(operation, Bound):
        return msgspec.structs.replace(operation, operation=own)
    return msgspec.structs.replace(operation, promise=own) if isinstance(operation, Sourced) else own


def _untouched(record: BookedOrder) -> BookedOrder:
    return msgspec.structs.replace(record, touched_ms=0)


def _with_key(operation: AnOperation, key: str) -> AnOperation:
    match operation:
        case Bound(inner):
            return msgspec.structs.replace(operation, operation=_keyed(inner, key))
        case Exchange(returned):
            return msgspec.structs.replace(operation, returned=_keyed(returned, key))
        case Sourced() | Noted() | Numbered():
            return operation
    return _keyed(operation, key)


def _keyed(operation: T, key: str) -> T:
    return ops.sealed(msgspec.structs.replace(operation, key=key))


def _renamed(request: Reserve | Order | Sourced, earlier: AnOperation) -> Reserve | Order | Sourced:
    """Return a reservation with the id of an earlier operation."""
    if isinstance(request, Sourced):
        return Sourced(_with_id(request.promise, earlier), request.plan)
    return _with_id(request, earlier)


def _with_id(request: Reserve | Order, earlier: AnOperation) -> Reserve | Order:
    about = _bare(earlier)
    earlier_id = getattr(about, "reservation_id", "") or request.reservation_id
    return ops.sealed(msgspec.structs.replace(request, reservation_id=earlier_id))


def _as_written(request: R, intent: Intent) -> R:
    """Have the first lines be those of a bundle and of a pack now and then, as a channel wrote them."""
    if request.partial is True or (intent.which + intent.option) % 2:
        return request
    pieces, lines, written = 1 + intent.which % 2, list(request.lines), []
    for first, last in ((0, 2), (2, 3)):
        parts = []
        for place, line in enumerate(lines[first:last], first):
            units = 1 + line.quantity % 3
            parts.append(ChannelPart(place + 1, units))
            lines[place] = msgspec.structs.replace(line, quantity=units * pieces)
        if parts:
            key = "K" if intent.which % 2 else f"K{first}"
            written.append(ChannelLine(key, pieces, parts, len(lines)))
    return ops.sealed(msgspec.structs.replace(request, lines=lines, channel_lines=written))


def _keys(reservation: ModelReservation | None, intent: Intent) -> list[tuple[int | str, int]]:
    """Parts by the channel's keys, mostly of some that were ordered; empty: by lines."""
    if intent.option < 2 or reservation is None or not reservation.channel_lines:
        return []
    keys = list(dict.fromkeys(each.key for each in reservation.channel_lines))
    if intent.which == 7:
        keys.append("nosuch")
    parts: list[tuple[int | str, int]] = [(key, 1 + intent.which % 2) for key in keys[: 1 + intent.again % 2]]
    return [*parts, (1, 1)] if intent.which == 5 else parts


def _names(reservation: ModelReservation | None, intent: Intent) -> list[tuple[int | str, int]]:
    """Parts by the channel's keys, by SKUs, or by both; empty: by lines."""
    parts = _keys(reservation, intent)
    if reservation is None or (intent.again + intent.option) % 3 or not reservation.lines:
        return parts
    skus = dict.fromkeys(line.place[0] for line in reservation.lines)
    return [*parts, *((SKU + sku, 1 + intent.which % 3) for sku in list(skus)[: 1 + intent.again % 2])]


def _returned(parts: Sequence[tuple[int, int]], option: int) -> Iterator[tuple[int, int, str, str]]:
    """Send back parts of lines, to where they came from, to another location, or to one that never had the SKU."""
    for place, (line, quantity) in enumerate(parts):
        location = ("", "mağaza", "main", "iade", "", "mağaza", "MAIN", "iade")[(option + place) % 8]
        yield line, (quantity + 1) // 2, _DISPOSITIONS[(option + place) % 3], location


def _calls(operations: Sequence[AnOperation]) -> list[list[int]]:
    """Return which operations share a call: one for each lane, in the order in which the lanes first occur."""
    lanes: dict[str, list[int]] = {}
    for place, operation in enumerate(operations):
        lanes.setdefault(_lane(operation), []).append(place)
    return list(lanes.values())


def _lane(operation: AnOperation) -> str:
    if isinstance(operation, Noted | Numbered):
        return operation.function
    return _LANES.get(type(operation), "settle")


def _decision_times(operations: Sequence[AnOperation], entries: Sequence[Entry], started_ms: int) -> list[list[int]]:
    """Return when each call of a batch may have decided; several possibilities where the journal leaves it open."""
    calls = _calls(operations)
    assert len(entries) <= len(calls), "a call writes one journal entry at most"
    if len(entries) == len(calls):
        return [[entry[0].at_ms for entry in entries]]
    if not entries:
        return [[started_ms] * len(calls)]
    # Some of the calls wrote an entry. The others changed nothing, so nothing that they met had expired by then.
    possible = []
    for writing in combinations(range(len(calls)), len(entries)):
        written = dict(zip(writing, entries, strict=True))
        lanes = {place: _lane(operations[calls[place][0]]) for place in writing}
        if all(_may_write(lanes[place], entry) for place, entry in written.items()):
            times, at_ms = [], started_ms
            for place in range(len(calls)):
                at_ms = written[place][0].at_ms if place in written else at_ms
                times.append(at_ms)
            possible.append(times)
    assert possible, f"no call can have written {entries}"
    return possible


def _may_write(lane: str, entry: Entry) -> bool:
    """Whether a call of a lane can have written an entry."""
    names = {change.operation for change in entry} - _ANYWHERE
    if not names or lane in _APART:
        return True
    wrote = "create" if names & _CREATE_NAMES else "take" if names & _TAKE_NAMES else "settle"
    return wrote in _NOTING.get(lane, (lane,))


def _takes_too_much(change: Change) -> bool:
    """Say whether an edit leaves a place short by what it takes there, all of its lines together."""
    taken: Counter[Place] = Counter()
    for line in change.lines:
        taken[line.sku, line.location] += line.held + line.committed
    last = {(line.sku, line.location): line.available for line in change.lines}
    return any(units > 0 and last[place] < 0 for place, units in taken.items())


def _outcome(answer: Answer) -> str:
    if isinstance(answer, AllocationUsageUnknown):
        return "allocation_usage_unknown"
    if isinstance(answer, ExchangeRefused):
        return answer.refused.outcome
    if isinstance(answer, Refused):
        return answer.outcome
    return "replayed" if answer.replayed else "changed"


def _drawn(number: int) -> Place:
    """Turn a drawn number into a place; the last one, unknown at first, comes up rarely."""
    return _PLACES[number % 5] if number < 9 else _PLACES[-1]


def _place(name: bytes) -> Place:
    sku, _, location = plain(name).decode().partition("\0")
    return sku, location


def _lacking_place(name: bytes) -> Place:
    return _place(name.removeprefix(LACKS))


def _stock(packed: bytes) -> list[object]:
    """Read a record: seven values, and more where channels have something or something may be waited for."""
    values: list[object] = msgspec.msgpack.decode(packed)
    assert len(values) == 7 or (len(values) == 8 and values[7]) or len(values) == 9
    return values


def _stock_of(shown: StockLevel) -> list[object]:
    counters = [getattr(shown, name) for name in (*Bucket, "seq")]
    allocations = [list(msgspec.structs.astuple(each)) for each in shown.allocated] or False
    if shown.backorder:
        return [*counters, allocations, [*msgspec.structs.astuple(shown.backorder)]]
    return [*counters, allocations] if allocations else counters


_reservation = msgspec.msgpack.Decoder(Reservation).decode
_transfer = msgspec.msgpack.Decoder(Transfer).decode
_supply = msgspec.msgpack.Decoder(ExpectedReceipt).decode
