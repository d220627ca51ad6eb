"""Every key that a call touches is declared in its KEYS, and all of them share one slot."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.crc import key_slot

from server.domain.changes import Change
from server.domain.channels import Listing
from server.domain.daily_figures import DAY_MS, Figures
from server.domain.operations.stock import Bucket
from server.store.connection.commands import command, run_function, run_on_keys
from server.store.keys import ChannelKeys, Keyspace
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.repositories.channels import ChannelStore
from server.store.repositories.daily_figures import Counted, FigureStore, Finding
from server.store.repositories.expected_receipts import read_outlook
from server.store.repositories.publisher import ARGUMENTS_MAX, PublisherStore, Writes
from server.store.repositories.renames import AliasStore
from server.store.repositories.shortages import find_shortages
from tests.conftest import StoreClient, now_ms, wait_past
from tests.support.operations import (
    HOUR_MS,
    SHORT_MS,
    adjust,
    arrive,
    ask,
    backorder,
    cancel,
    changed,
    commit,
    count,
    expect,
    extend,
    forgo,
    fulfil,
    move,
    order,
    receive,
    receive_expected,
    release,
    reserve,
    ship,
    sourced,
    stocked,
    take_back,
)
from tests.support.stores import StoreProcess

_WORD: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_FROM_SCRIPT: Final = b" lua] "
_END: Final = b"monitored"
FUNCTIONS: Final = (
    *(
        "mutate",
        "mutate_when_full",
        "mutate_creating",
        "preview",
        "mutate_transfers",
        "mutate_expected_receipts",
        "read_outlook",
        "read",
        "explain_sourcing",
        "expire_holds",
        "delete_listing",
        "delete_sku",
        "rename_sku",
        "list_reservations",
        "list_shortages",
        "list_transfers",
        "purge_ended",
        "fill_backorders",
    ),
    *("publisher_lease", "publisher_write", "put_listings", "add_daily_figures"),
)
CHANNEL: Final = "trendyol"
TODAY: Final = 40_000
"""A day to come, so that its figures do not end under the test."""


@dataclass
class Call:
    """One FCALL as MONITOR shows it: its function, its KEYS, and the commands that it ran."""

    function: str
    keys: Sequence[bytes]
    commands: list[list[bytes]] = field(default_factory=list)


@asynccontextmanager
async def monitored(store: StoreProcess) -> AsyncIterator[list[Call]]:
    """Record every call that the store runs meanwhile; the list is complete afterwards."""
    reader, writer = await asyncio.open_unix_connection(store.socket, limit=1 << 24)
    calls: list[Call] = []
    try:
        writer.write(b"MONITOR\r\n")
        assert await reader.readline() == b"+OK\r\n"
        yield calls
        async with StoreClient(store) as client:
            await client.echo(_END.decode())
        while _END not in (line := await reader.readline()):
            _record(calls, line)
    finally:
        writer.close()


def _record(calls: list[Call], line: bytes) -> None:
    words = _WORD.findall(line)
    if words and words[0].upper() == b"FCALL":
        number = int(words[2])
        calls.append(Call(words[1].decode().rpartition("_")[0], words[3 : 3 + number]))
    elif words and _FROM_SCRIPT in line:
        calls[-1].commands.append(words)


async def keys_of(client: Redis, commands: Sequence[list[bytes]]) -> set[bytes]:
    """Return which words of the commands are keys, as the store itself knows them."""
    names = sorted({words[0].decode().upper() for words in commands})
    shapes: Any = await command(client, "COMMAND INFO", *names)
    keys = set()
    for words in commands:
        _, first, last, step = _shape(shapes, names, words[0].decode().upper())
        if first:
            keys.update(words[first : (last if last >= 0 else len(words) + last) + 1 : step])
    return keys


def _shape(shapes: Any, names: list[str], name: str) -> tuple[int, int, int, int]:
    """(arity, first key, last key, step), however the client has parsed COMMAND INFO."""
    if isinstance(shapes, dict):
        shape = shapes[name.lower()]
        return shape["arity"], shape["first_key_pos"], shape["last_key_pos"], shape["step_count"]
    shape = shapes[names.index(name)]
    return shape[1], shape[3], shape[4], shape[5]


async def use_everything(ledger: Ledger, client: Redis, limits: bytes, forgetting: bytes) -> None:
    """Run every operation and every function, each way that touches other keys."""
    await stocked(ledger, A=20, B=20)
    lapsing = await changed(ledger, reserve("late", ("A", 1), ttl_ms=SHORT_MS))
    await changed(ledger, reserve("swept", ("A", 1), ttl_ms=SHORT_MS))
    for operation in (
        reserve("r", ("A", 3), ("B", 2)),
        reserve("r", ("A", 3), ("B", 2)),
        reserve("p", ("A", 999), ("B", 1), partial=True),
        order("o", ("B", 999), accept_shortage=True),
        order("none", ("nowhere", 1)),
        extend("r", 2 * HOUR_MS, key="k1"),
        extend("r", 2 * HOUR_MS, key="k1"),
        commit("r", (1, 1), keep=True, key="k2", order_ref="ref"),
        release("r", (2, 1), key="k3"),
        commit("r", key="k4"),
        fulfil("r", (1, 1), key="k5", tracking="T"),
        take_back("r", (1, 1, "damaged", "shop"), key="k10"),
        cancel("r", key="k6"),
        release("nobody"),
        receive("C", 5, "shop", key="k7"),
        adjust("A", Bucket.DAMAGED, 1, key="k8"),
        count("A", 7, baseline_seq=1, safety=1, key="k9"),
        move("A", "available", "damaged", 1, key="k11"),
        release("p"),
        ship("t", "shop", "main", ("C", 2), key="k12"),
        ship("lapsing", "main", "shop", ("B", 999)),
        arrive("t", (1, 1), key="k13"),
        arrive("t", close=True, reason="lost"),
        expect("s", "A", 5, key="k14"),
        expect("later", "A", 5),
        expect("none", "A", 5),
        receive_expected("s", "A", 5, key="k15"),
        expect("s", "A", 6),
        expect("s", "A", 5),
        forgo("none", key="k16"),
        backorder("W", 9, key="k17"),
        order("w", ("W", 3), backorder=True),
        reserve("v", ("W", 2), flags=["vip"], backorder=True),
        receive("W", 1),
        cancel("w", (1, 1)),
        release("v"),
        cancel("early", remember=True),
        release("earlier", remember=True),
        order("early", ("A", 1)),
        count("A", 9, counted_ms=1, key="k18"),
        count("B", 9, counted_ms=await now_ms(client) - 1, key="k18", replaces=True),
    ):
        await ask(ledger, operation)
    await wait_past(client, lapsing.reservation.deadline_ms + SHORT_MS)
    await changed(ledger, commit("late"))
    await ledger.availability(["A", "C", "nowhere"])
    await ledger.stock("A")
    await ledger.preview().run(count("A", 9, "nowhere yet"))
    await ledger.reservation("r")
    await ledger.reservation("p")
    await ledger.explain(sourced(reserve("e", ("A", 1, "")), ["main", "nowhere"]))
    functions, keyspace = library().function, ledger.keyspace
    await run_function(client, functions("expire_holds"), keyspace, limits)
    await run_function(client, functions("fill_backorders"), keyspace, limits, "", 10, 0)
    for ended in (False, True):
        page = msgspec.msgpack.encode([ended, "0", 100, [], {}, False, ""])
        await run_function(client, functions("list_reservations"), keyspace, limits, page)
    await read_outlook(client, keyspace, limits, "A")
    await find_shortages(client, keyspace, limits, "", 10)
    looked_through = msgspec.msgpack.encode(["0", 100, ["A"]])
    await run_on_keys(client, functions("list_transfers"), keyspace.moving, limits, looked_through)
    await run_on_keys(client, functions("purge_ended"), keyspace.forgetting, forgetting, 1000)
    await publish(client, keyspace)
    await tally(client, keyspace)
    renames = AliasStore(client, keyspace, limits)
    await ask(ledger, count("old", 0))
    assert await renames.rename_sku("old", "new", "ada", (CHANNEL,)) == "renamed"
    assert (await renames.delete_sku("old", "ada", (CHANNEL,))).outcome == "deleted"
    for key in (keyspace.categories, keyspace.replenishment, keyspace.safety_applied):
        for name in ("A", "A\0", "A\0main"):
            await client.hset(key, name, "1")
    assert await renames.rename_sku("A", "Z", "ada", (CHANNEL,)) == "renamed"
    await ledger.run(count("A", 0))
    await ChannelStore(client, keyspace).delete_listing(CHANNEL, "Z", "ada")


async def publish(client: Redis, keyspace: Keyspace) -> None:
    """Take the lease, write to each key of a publisher every way there is, and give the lease back."""
    publisher = PublisherStore(client, keyspace)
    lease = await publisher.acquire("somebody", HOUR_MS)
    await publisher.acquire("another", HOUR_MS)
    writes = Writes()
    for key in (*keyspace.publishing[1:], *ChannelKeys(keyspace, CHANNEL).all):
        for number in range(ARGUMENTS_MAX):
            writes.set(key, str(number), None if number % 3 else "value")
    await publisher.record(lease.token, writes)
    dropping = Writes()
    dropping.dropped += (*keyspace.publishing[1:], *ChannelKeys(keyspace, CHANNEL).all)
    await publisher.record(lease.token, dropping)
    await publisher.release("somebody")
    await ChannelStore(client, keyspace).put_listings(CHANNEL, [Listing("A", "a")], "ada")


async def tally(client: Redis, keyspace: Keyspace) -> None:
    """Count something, report it, and try it a second time, which is one time too often."""
    figures = FigureStore(client, keyspace)
    change = Change("stock.out", TODAY * DAY_MS, "system", "", "", "", [], [("sku", "A")])
    counted = Counted("1-0", 0)
    for after in ("", "1-0", ""):
        days = {TODAY: {"A": {("web", "main"): Figures(ordered=1)}}}
        findings = [Finding("A", is_out=is_out, is_sure=False, event=change) for is_out in (True, False, True)]
        await figures.add(after, counted, days, [change], retention_s=1, findings=findings)


async def test_given_every_operation_when_the_store_is_watched_then_each_call_touches_only_its_declared_keys(
    make_ledger: Callable[..., Ledger], client: Redis, store: StoreProcess, limits_with: Callable[..., bytes]
) -> None:
    ledger = make_ledger(idempotency_s=0, ended_s=0)
    async with monitored(store) as calls:
        await use_everything(ledger, client, limits_with(), limits_with(idempotency_s=0, ended_s=0))
    assert {call.function for call in calls} == set(FUNCTIONS)
    touched = set()
    for call in calls:
        keys = await keys_of(client, call.commands)
        assert keys <= set(call.keys), f"{call.function} touches what it does not declare"
        touched |= keys
    assert touched == {key.encode() for key in keys_of_partition(ledger.keyspace)}, "the test must reach every key"


def keys_of_partition(keyspace: Keyspace) -> set[str]:
    """Name every key of a partition that has one channel."""
    counting = {keyspace.figures, keyspace.events, keyspace.sold_out, keyspace.day_figures(TODAY)}
    return {
        *keyspace.reserving,
        *keyspace.transferring,
        *keyspace.supplying,
        *keyspace.renaming(()),
        *keyspace.publishing,
        *counting,
        *ChannelKeys(keyspace, CHANNEL).all,
    }


def test_given_a_partition_when_its_keys_are_named_then_all_lie_in_one_slot() -> None:
    for partition in ("default", "a.b-c_d", "merchant-42"):
        assert len({key_slot(key.encode()) for key in keys_of_partition(Keyspace(partition))}) == 1


def test_given_two_partitions_when_their_keys_are_named_then_they_share_none() -> None:
    assert not keys_of_partition(Keyspace("one")) & keys_of_partition(Keyspace("two"))


def test_given_two_channels_when_their_keys_are_named_then_they_share_none() -> None:
    keyspace = Keyspace("one")
    assert not set(ChannelKeys(keyspace, "a").all) & set(ChannelKeys(keyspace, "b").all)
