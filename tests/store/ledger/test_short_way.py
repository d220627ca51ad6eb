"""A reserve or order that is alone in its call takes a short way; it must leave and answer what the ordinary way does.

The same operations run at random on two partitions. One library has the short way, the other has not, and both have a
clock that the test moves. After each step every key of the two partitions must be equal, byte by byte.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.allocations import AllocationKind
from server.domain.key_limits import Quota
from server.domain.locations import Location
from server.domain.operations.reservations import Order, Reserve
from server.domain.operations.stock import Bucket
from server.domain.reservation import ChannelLine, ChannelPart
from server.store.connection.commands import run_function
from server.store.errors import OutcomeUnknownError, StoreError
from server.store.keys import Keyspace
from server.store.ledger import ledger as ledger_module
from server.store.ledger.ledger import Ledger
from server.store.lua_library import Library, assemble, with_places
from server.store.repositories import location_renames as location_renames_module
from server.store.repositories import locations as locations_module
from server.store.repositories import renames as renames_module
from server.store.repositories.location_renames import LocationRenames
from server.store.repositories.locations import LocationStore
from server.store.repositories.renames import AliasStore, finish_renames
from tests.conftest import ON_ONE_STORE, RETENTION, StoreClient, make_batcher
from tests.support import operations as ops
from tests.support.http import ROOT
from tests.support.operations import AnOperation
from tests.support.stores import StoreProcess

EPISODES: Final = 24
EPISODES_TO_FIND: Final = 120
STEPS: Final = 40
"""Of one episode, which begins with two empty partitions: what closes, sets aside and renames would pile up."""
SHORT_SHARE: Final = 0.05
TOGETHER_SHARE: Final = 0.01
"""Of all steps, at least so many take the short way, alone or as several: else the comparison says little.

It is 0.12 and 0.034 on average, and of 36 seeds 0.067 and 0.015 at least.
"""
START_MS: Final = 1_900_000_000_000
CLOCK: Final = "test-clock"
TAKEN: Final = "test-taken"
TOGETHER: Final = "test-together"
_MOVED_CLOCK: Final = (
    (
        "  local time = call('TIME')\n  return time[1] * 1000 + floor(time[2] / 1000)\n",
        f"  return tonumber(call('GET', '{CLOCK}'))\n",
    ),
    ("call('XADD', JOURNAL, '*', ", "call('XADD', JOURNAL, NOW_MS .. '-*', "),
    ("call('XADD', keys[8], '*', 'e', ONE", "call('XADD', keys[8], now_ms .. '-*', 'e', ONE"),
    ("call('XADD', keys[8], '*', 'e', array_of", "call('XADD', keys[8], clock_ms() .. '-*', 'e', array_of"),
)
_WITHOUT: Final = ("end, {}, true, short_way)", "end, {}, true)")
_COUNTED: Final = (
    (
        "  return {FIRST_CHANGED .. record, args[3]}\n",
        f"  call('INCR', '{TAKEN}')\n  return {{FIRST_CHANGED .. record, args[3]}}\n",
    ),
    ("  answers[count + 1] = args[3]\n", f"  call('INCR', '{TOGETHER}')\n  answers[count + 1] = args[3]\n"),
)
_SKUS: Final = ("A", "A", "A", "B 1/2", "Ç" * 20, "?")
_LOCATIONS: Final = ("", "", "", "main", "main", "depo", "mağaza")
_CHANNELS: Final = ("shop", "pazar", "kiosk")
_COUNTING: Final = (Quota("partner", 400, 60), Quota("partner", 0, 60), Quota("reseller", 100, 0), Quota("small", 9, 0))
_QUOTAS: Final = (*[None] * 5, *_COUNTING)
_TTLS_MS: Final = (ops.SHORT_MS, ops.HOUR_MS, 24 * ops.HOUR_MS)

Act = Callable[["Side"], Awaitable[object]]


@dataclass
class Side:
    """One of the two partitions, and who works on it."""

    client: Redis
    keys: Keyspace
    ledger: Ledger
    expire: Callable[[], Awaitable[object]]
    limited: dict[str, list[str]] = field(default_factory=dict)

    @property
    def locations(self) -> LocationStore:
        return LocationStore(self.client, self.keys, RETENTION.packed())

    @property
    def renames(self) -> AliasStore:
        return AliasStore(self.client, self.keys, RETENTION.packed())

    @property
    def location_renames(self) -> LocationRenames:
        return LocationRenames(self.client, self.keys, RETENTION.packed(), known_s=0)

    async def empty(self) -> None:
        """Delete every key."""
        await self.client.delete(*self._hashes, *self._sets, self.keys.journal)

    async def left(self) -> list[object]:
        """Read every key of the partition."""
        pipe = self.client.pipeline(transaction=False)
        for key in self._hashes:
            pipe.hgetall(key)
        for key in self._sets:
            pipe.zrange(key, 0, -1, withscores=True)
        pipe.xrange(self.keys.journal)
        return list(await pipe.execute())

    @property
    def _hashes(self) -> list[str]:
        keys = self.keys
        return [*(key for key in keys.all if key not in {*self._sets, keys.journal}), keys.likeness, keys.locations]

    @property
    def _sets(self) -> list[str]:
        keys = self.keys
        return [keys.deadlines, keys.all[6], keys.tombstones, keys.backorders]


class Play:
    """Draws operations and runs each on both sides."""

    def __init__(self, seed: int, client: Redis, sides: Sequence[Side]) -> None:
        self.random = random.Random(seed)
        self.client = client
        self.sides = sides
        self.now_ms = START_MS
        self._forget()

    async def episode(self) -> None:
        """Fill both partitions, take all steps, and empty them."""
        await self._begin()
        for _ in range(STEPS):
            await self._step()
        for side in self.sides:
            await side.empty()

    def _forget(self) -> None:
        self.ids = ["r0"]
        self.sent: list[Reserve | Order] = []
        self.names = {name: name for name in ("A", "B 1/2", "depo", "main")}
        """What each was called at first, and is called now."""

    async def _begin(self) -> None:
        self._forget()
        await self.client.set(CLOCK, self.now_ms)
        for sku, units, location in (
            ("A", 60, "main"),
            ("A", 20, "depo"),
            ("A", 9, "mağaza"),
            ("B 1/2", 3_000, "main"),
        ):
            await self._both(_run(ops.receive(sku, units, location)))
        await self._both(_run(ops.receive(_SKUS[4], 10_000)))
        if self.random.random() < 0.3:  # later the units that are reserved would have to be counted
            kind: AllocationKind = self.random.choice(("own", "cap"))
            sku, channel = self.random.choice(_SKUS[2:4]), self.random.choice(_CHANNELS)
            await self._both(_run(ops.allocate(sku, channel, 4, kind)))
        if self.random.random() < 0.15:
            self.names["A"] = "A now"
            await self._both(lambda side: side.renames.rename_some("A", "A now", "tester", (), 1, allow_similar=True))

    async def _step(self) -> None:
        self.now_ms += self.random.choice((0, 1, 1, 5, ops.SHORT_MS))
        await self.client.set(CLOCK, self.now_ms)
        draws = (self._new, self._some, self._settle, self._move, self._describe)
        await self._both(self.random.choices(draws, (52, 16, 16, 13, 3))[0]())
        first, second = [await side.left() for side in self.sides]
        assert first == second

    async def _both(self, act: Act) -> None:
        first, second = [await act(side) for side in self.sides]
        assert first == second

    def _some(self) -> Act:
        """Several in one call; most calls have only such as ask for nothing special."""
        usual, counting = self.random.random() < 0.7, self.random.random() < 0.3
        count = self.random.choice((2, 2, 3, 20))
        return _run(*(self._request(usual=usual, counting=counting) for _ in range(count)))

    def _new(self) -> Act:
        return _run(self._request())

    def _request(self, *, usual: bool = False, counting: bool = False) -> Reserve | Order:
        """Draw one; ``usual``: it seldom asks for anything special. ``counting``: of these, those with a quota."""
        draw = self.random
        if self.sent and draw.random() < (0.01 if usual else 0.1):
            return draw.choice(self.sent[-8:])
        if draw.random() < (0.98 if usual else 0.85):
            self.ids.append(f"{draw.choice(('r', 'a longer one than thirty-one bytes '))}{len(self.ids)}")
            reservation_id = self.ids[-1]
        else:
            reservation_id = draw.choice(self.ids[-8:])
        skus, locations = (_SKUS[2:5], _LOCATIONS[:5]) if usual else (_SKUS, _LOCATIONS)
        lines = [
            (self._name(draw.choice(skus)), draw.choice((1, 1, 1, 1, 2, 3, 130)), self._name(draw.choice(locations)))
            for _ in range(1 if usual else draw.choice((1, 1, 1, 1, 1, 2)))
        ]
        common: dict[str, Any] = {
            "channel": draw.choice(_CHANNELS),
            "partial": draw.random() < 0.1,
            "backorder": draw.random() < 0.1,
            "flags": draw.choice(((), (), (), ("vip",), ("gift", "vip"))),
        }
        request: Reserve | Order
        if draw.random() < 0.6:
            refs: dict[str, Any] = {
                "order_ref": draw.choice(("", "", "o-1")),
                "customer_ref": draw.choice(("", "", "Ayşe", "Ayşe", "Mihai", "M" * 256)),
                "quota": draw.choice(_COUNTING if counting else _QUOTAS) if counting or not usual else None,
            }
            request = ops.reserve(reservation_id, *lines, ttl_ms=draw.choice(_TTLS_MS), **refs, **common)
        else:
            request = ops.order(reservation_id, *lines, accept_shortage=draw.random() < 0.2, **common)
        if draw.random() < (0.01 if usual else 0.06):
            written = ChannelLine("K", lines[0][1], [ChannelPart(1, 1)], len(lines))
            request = ops.sealed(msgspec.structs.replace(request, channel_lines=[written]))
        if reservation_id == self.ids[-1] and draw.random() < 0.1:
            return msgspec.structs.replace(request, fingerprint="")  # the server's own id
        self.sent.append(request)
        return request

    def _settle(self) -> Act:
        draw = self.random
        each, key = draw.choice(self.ids[-8:]), draw.choice(("", f"k{len(self.ids)}"))
        return _run(
            draw.choice(
                (
                    ops.commit(each, key=key),
                    ops.commit(each, (1, 1), keep=True, key=key),
                    ops.release(each, key=key),
                    ops.release(each, (1, 1), key=key),
                    ops.cancel(each, key=key),
                    ops.fulfil(each, key=key),
                    ops.extend(each, 2 * ops.HOUR_MS, key=key),
                    ops.edit(each, (1, 4), key=key),
                    ops.relocate(each, (1, 0, "depo"), key=key),
                    # What comes next was cancelled before.
                    ops.cancel(f"r{len(self.ids)}", remember=True, key=key),
                    ops.release(f"r{len(self.ids)}", remember=True, key=key),
                )
            )
        )

    def _move(self) -> Act:
        draw = self.random
        sku, location = self._name(draw.choice(_SKUS[:4])), self._name(draw.choice(_LOCATIONS[3:]))
        if draw.random() < 0.25:
            return _expire
        return _run(
            draw.choice(
                (
                    ops.receive(sku, draw.randint(1, 40), location),
                    ops.receive(sku, draw.randint(1, 40), location),
                    ops.receive(sku, draw.randint(1, 40), location),
                    ops.count(sku, draw.randint(0, 50), location),
                    ops.count(sku, safety=draw.randint(0, 3), location=location),
                    ops.adjust(sku, Bucket.DAMAGED, draw.choice((1, 1, -1)), location),
                    ops.move(sku, "available", "quality_control", 1, location),
                    ops.allocate(sku, draw.choice(_CHANNELS), draw.choice((0, 0, 0, 3)), location=location),
                    ops.allocate(sku, draw.choice(_CHANNELS), draw.choice((0, 0, 3)), "cap", location),
                    ops.backorder(sku, draw.choice((0, 0, 9)), location),
                    # Sold already, so units are short, and those at other places are promised.
                    ops.order(f"s{self.now_ms}", (sku, 130, self._name("depo")), accept_shortage=True),
                )
            )
        )

    def _describe(self) -> Act:
        draw = self.random
        what = draw.choice(("place", "place", "place", "limit", "limit", "sku", "location", "end"))
        if what == "place":
            location = Location(self._name(draw.choice(("main", "depo", "mağaza"))), open=draw.random() < 0.7)
            return lambda side: side.locations.put([location], "tester")
        if what == "limit":
            return _limit(draw.choice(_CHANNELS), draw.choice(([], [], [], ["main"], ["depo"])))
        if what == "end":
            return lambda side: finish_renames(side.client, side.keys, RETENTION.packed())
        # A rename that goes on: other operations meet what has moved and what has not.
        is_whole = draw.random() < 0.5
        first = draw.choice(("A", "B 1/2")) if what == "sku" else draw.choice(("depo", "main"))
        old, new = self.names[first], f"{first[0]} {len(self.ids)}"
        self.names[first] = new
        if what == "sku":
            places = 500 if is_whole else 1
            return lambda side: side.renames.rename_some(old, new, "tester", (), places, allow_similar=True)
        if is_whole:
            return lambda side: side.location_renames.rename(old, new, "tester", allow_similar=True)
        return lambda side: side.location_renames.begin(old, new, "tester", allow_similar=True)

    def _name(self, first: str) -> str:
        """Call it what it was called at first, or is now."""
        return self.random.choice((first, self.names.get(first, first)))


async def _play(play: Play, episodes: int) -> None:
    for _ in range(episodes):
        await play.episode()


def _run(*operations: AnOperation) -> Act:
    async def run(side: Side) -> object:
        return await asyncio.gather(*(ops.ask(side.ledger, each) for each in operations))

    return run


async def _expire(side: Side) -> object:
    return await side.expire()


def _limit(channel: str, names: list[str]) -> Act:
    async def limit(side: Side) -> object:
        side.limited[channel] = names
        await side.locations.limit_channels(side.limited)
        return None

    return limit


def _library(edits: Iterable[tuple[str, str]]) -> Library:
    text = assemble()
    for old, new in (*_MOVED_CLOCK, *edits):
        assert text.count(old) == 1, f"the library does not have once: {old!r}"
        text = text.replace(old, new)
    return Library(with_places(text))


@asynccontextmanager
async def playing(
    store: StoreProcess, monkeypatch: pytest.MonkeyPatch, seed: int, *edits: tuple[str, str]
) -> AsyncIterator[Play]:
    """Open both sides; the edits are of the library that has the short way."""
    batcher = make_batcher(store)
    batcher.start()
    try:
        async with StoreClient(store) as client:
            sides = []
            for name, own in (("short", (*_COUNTED, *edits)), ("plain", (_WITHOUT,))):
                library, keys = _library(own), Keyspace(name)
                monkeypatch.setattr(ledger_module, "library", lambda library=library: library)
                function = library.function("expire_holds")

                async def expire(function: Any = function, keys: Keyspace = keys) -> object:
                    return await run_function(client, function, keys, RETENTION.packed())

                sides.append(Side(client, keys, Ledger(batcher, keys, RETENTION), expire))
            for module in (locations_module, renames_module, location_renames_module):
                monkeypatch.setattr(module, "library", lambda: library)
            try:
                yield Play(seed, client, sides)
            finally:
                await client.flushdb()
    finally:
        await batcher.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
async def test_given_any_operations_when_run_then_both_ways_leave_and_answer_the_same(
    store: StoreProcess, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    async with playing(store, monkeypatch, seed) as play:
        await _play(play, EPISODES)
        taken, together = [int(count or 0) for count in await play.client.mget(TAKEN, TOGETHER)]
    assert taken > SHORT_SHARE * EPISODES * STEPS
    assert together > TOGETHER_SHARE * EPISODES * STEPS


PLANTED: Final = {
    "the id of an ended reservation is new": ("and call('HEXISTS', keys[4], id) == 1", "and false"),
    "so are those of ended ones": ("and not has_any(hash_get_many(keys[4], ids))", ""),
    "a reservation is written over": ("call('HSETNX', keys[3], id, record)", "call('HSET', keys[3], id, record)"),
    "reservations are": ("not has_any(hash_get_many(keys[3], ids)) and", ""),
    "so is one of the same call": ("if seen[id] then return false end", ""),
    "units are taken that are not there": ("if rest >= 0 or left < 0 or", "if rest >= 0 or"),
    "units of several are taken that are not there": ("    if left < 0 or units", "    if units"),
    "what is set aside is taken": ("if rest >= 0 or left < 0 or", "if left < 0 or"),
    "what is set aside is taken by several": ("if entry[1] >= 0 then return nil end", ""),
    "what a channel wrote is left out": ("line_count ~= 1 or channel_lines then", "line_count ~= 1 then"),
    "units may be short elsewhere": ("if channel and shortage and shortage ~= '0' then", "if false then"),
    "several are not asked about places": ("if not (found[PLACES] or found[SHORTAGE] or", "if not ("),
    "units are taken from a closed location": (
        "if closed and (closed[location] or closed[now",
        "if nil and (closed[now",
    ),
    "a channel is not limited": ("return not (channel and now.limited and", "return not (false and"),
    "what is moving stays": ("if renames and not aliases.is_settled(meta, renames) then", "if false then"),
    "references are left out": ("string_of[#order_ref] .. order_ref .. string_of", "'\\160' .. string_of"),
    "flags are left out": ("pack(order_ref, customer_ref, flags or NONE)", "pack(order_ref, customer_ref, NONE)"),
    "safety stock is forgotten": ("or quality_control ~= 0 or safety ~= 0 then", "or quality_control ~= 0 then"),
    "a line leaves what all of them leave": (
        "entry_of[i], lefts[i] = left, entry, left",
        "entry_of[i], lefts[i] = left, entry, 0",
    ),
    "one takes more than the quota of its key": ("if now > quota.units_max or now_of_each", "if now_of_each"),
    "one takes more than the quota of its customer": (
        " or now_of_each > quota.customer_units_max then",
        " then",
    ),
    "several take more than the quota of their key": ("if total > quota.units_max then return nil end", ""),
    "several take more than the quota of their customer": (
        "if units > quota.customer_units_max then return nil end",
        "",
    ),
    "one without a customer takes more than the quota of its key": (
        "return found, now <= quota.units_max and whole(now) or nil",
        "return found, whole(now)",
    ),
    "one without a customer counts for nothing": (
        "  elseif counted then call('HSET'",
        "  elseif false then call('HSET'",
    ),
    "several count for nothing": ("if counted then call('HSET', keys[9]", "if false then call('HSET', keys[9]"),
    "several count by two quotas of one key": ("if met[counter] then return nil end", ""),
    "several of different quotas end alike": ("if fields[at + Reserve.quota] ~= text then", "if not text then"),
    "a long reference has no head": ("or #order_ref > HEADED_MAX or #customer_ref > HEADED_MAX then", "then"),
    "an order has a deadline": ("if not is_order then call('ZADD'", "if true then call('ZADD'"),
}


@ON_ONE_STORE
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", PLANTED)
async def test_given_a_planted_fault_when_run_then_it_is_found(
    store: StoreProcess, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    async with playing(store, monkeypatch, 1, PLANTED[fault]) as play:
        with pytest.raises((AssertionError, StoreError, OutcomeUnknownError)):
            await _play(play, EPISODES_TO_FIND)


async def test_what_closes_is_heard_of_by_the_next_reserve(ledger: Ledger, client: Redis) -> None:
    await ledger.run(ops.receive("A", 10, "depo"))
    await ops.changed(ledger, ops.order("r1", ("A", 1, "depo")))
    locations = LocationStore(client, ledger.keyspace, RETENTION.packed())

    await locations.put([Location("depo", open=False)], "tester")
    closed = await ops.refused(ledger, ops.order("r2", ("A", 1, "depo")))
    await locations.put([Location("depo", open=True)], "tester")

    assert closed.outcome == "location_closed"
    await ops.changed(ledger, ops.order("r3", ("A", 1, "depo")))


def test_the_short_way_reads_the_fields_in_the_order_in_which_they_travel() -> None:
    text = (ROOT / "lua" / "lib" / "short_way.lua").read_text("utf-8")
    found = re.search(r"local behind, ([\w\s,]+) = unpack_some\(args\[2\], VALUES, 0\)", text)

    assert found is not None
    names = re.split(r",\s+", found[1])
    short = {"reservation_id": "id", "partial": "_"}
    assert names == ["tag", *(short.get(name, name) for name in Reserve.wire[:-1]), "sku", "location", "quantity"]
    assert [name for name in Order.wire if name not in Reserve.wire] == ["accept_shortage"]
    assert Order.wire.index("accept_shortage") == Reserve.wire.index("ttl_ms")
