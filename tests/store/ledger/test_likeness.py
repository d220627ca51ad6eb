"""A name that is like a known one is refused where it would be new, unless it is meant."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.channels import ChannelSettings
from server.domain.exchange import ExchangeRefused
from server.domain.likeness import FOLD_VERSION
from server.domain.locations import Location
from server.domain.safety_stock import SafetyRule
from server.domain.stock import StockChanged
from server.store.connection.commands import command
from server.store.errors import SimilarNameError
from server.store.keys import likeness_field
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.maintenance.name_index import index_names, is_indexed
from server.store.repositories.calendars import set_time_zone
from server.store.repositories.configuration import note_configuration
from server.store.repositories.location_renames import LocationRenames
from server.store.repositories.locations import LocationStore
from server.store.repositories.safety_stock import SafetyStore
from server.store.repositories.skus import SkuStore
from tests.conftest import RETENTION
from tests.store.test_lua_library import monitored
from tests.support import operations as ops
from tests.support.stores import StoreProcess

LIMITS: Final = RETENTION.packed()


async def describe(client: Redis, ledger: Ledger, *names: str, meant: bool = False) -> dict[str, str]:
    locations = LocationStore(client, ledger.keyspace, LIMITS)
    return dict(await locations.put([Location(name) for name in names], "tester", allow_similar=meant))


def like(kind: str, sku: str, location: str, units: int, similar: str) -> Refused:
    return Refused("similar_name", "", [LineRefusal(1, sku, location, units, 0, kind, similar)])


async def known(client: Redis, ledger: Ledger) -> dict[str, str]:
    """Everything in the index, but the fields that say what it is."""
    kept = await command(client, "HGETALL", ledger.keyspace.likeness)
    return {field.decode(): names.decode() for field, names in kept.items() if not field.startswith(b"\0")}


@pytest.mark.parametrize("other", ["Main", "MAIN", "MAİN", "maın", "ｍａｉｎ"])
async def test_given_units_at_main_when_some_arrive_at_a_look_alike_then_they_are_refused(
    ledger: Ledger, client: Redis, other: str
) -> None:
    await ops.moved(ledger, ops.receive("S", 10, "main"))
    before = await known(client, ledger)

    assert await ledger.run(ops.receive("S", 10, other)) == like("location", "S", other, 10, "main")

    assert await ledger.run(ops.receive("T", 10, other)) == like("location", "T", other, 10, "main")
    assert await ops.available(ledger, "S") == 10
    assert await known(client, ledger) == before


@pytest.mark.parametrize(("one", "other"), [("TS-1", "TS–1"), ("kırmızı", "KIRMIZI"), ("EŞ 1", "Eș  1"), ("a", "A")])
async def test_given_a_known_sku_when_a_look_alike_is_received_counted_or_ordered_then_it_is_refused(
    ledger: Ledger, one: str, other: str
) -> None:
    await ops.moved(ledger, ops.receive(one, 1))

    for operation in (
        ops.receive(other, 1),
        ops.count(other, 1),
        ops.receive(other, 1, "elsewhere"),
        ops.backorder(other, 1),
        ops.expect("s", other, 1),
    ):
        assert await ledger.run(operation) == like("sku", other, operation.location, 1, one)

    assert not (await ledger.availability([other])).skus[0]


async def test_given_a_look_alike_that_is_meant_when_made_then_both_are_known_and_a_third_is_refused(
    ledger: Ledger, client: Redis
) -> None:
    await ops.moved(ledger, ops.receive("a", 1))

    await ops.moved(ledger, ops.meant(ops.receive("A", 1)))

    await ops.moved(ledger, ops.receive("A", 1, "there"))
    await ops.moved(ledger, ops.receive("a", 1, "there"))
    assert await known(client, ledger) == {"sku\0a": "a\0A", "location\0main": "main", "location\0there": "there"}
    assert await ledger.run(ops.receive("ａ", 1)) == like("sku", "ａ", "main", 1, "a")


async def test_given_two_hundred_racers_when_they_make_two_look_alikes_then_one_wins(
    make_ledger: Callable[..., Ledger], open_batcher: Callable[..., Batcher], store: StoreProcess
) -> None:
    ledgers = [make_ledger(open_batcher(store)) for _ in range(3)]
    names = ["İzmir-1", "izmır‐1"]

    answers = await asyncio.gather(
        *(ledgers[n % 3].run(ops.receive(names[n // 3 % 2], 1, key=f"k{n}")) for n in range(200))
    )

    won = {answer.level.sku for answer in answers if isinstance(answer, StockChanged)}
    assert len(won) == 1
    assert {answer.outcome for answer in answers if isinstance(answer, Refused)} == {"similar_name"}
    [winner] = won
    found = await ops.available(ledgers[0], winner)
    assert found == sum(isinstance(answer, StockChanged) for answer in answers) > 0
    assert not (await ledgers[0].availability([name for name in names if name != winner])).skus[0]


async def test_given_a_look_alike_in_the_same_batch_when_both_are_new_then_only_the_first_is_made(
    ledger: Ledger,
) -> None:
    answers = await asyncio.gather(*(ledger.run(ops.receive("S", 1, name)) for name in ("Depo", "DEPO", "depo")))

    assert [type(answer) for answer in answers] == [StockChanged, Refused, Refused]


async def test_given_a_return_with_two_new_look_alikes_when_it_is_refused_then_neither_is_known(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=5)
    await ops.changed(ledger, ops.order("o", ("A", 3)))
    await ops.changed(ledger, ops.fulfil("o"))
    before = await known(client, ledger)

    back = ops.take_back("o", (1, 1, "restock", "Back"), (1, 1, "restock", "BACK"))
    refused = await ledger.run(back)

    assert isinstance(refused, Refused)
    assert (refused.outcome, refused.lines[0].similar) == ("similar_name", "Back")
    assert await known(client, ledger) == before
    await ops.changed(ledger, ops.meant(back))


async def test_given_an_exchange_that_is_undone_when_it_named_a_new_location_then_that_is_not_known(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1)
    await ops.changed(ledger, ops.order("o", ("A", 1)))
    await ops.changed(ledger, ops.fulfil("o"))
    before = await known(client, ledger)
    exchange = ops.exchange(ops.take_back("o", (1, 1, "damaged", "Back")), ops.reserve("new", ("A", 1)))

    undone, made = await asyncio.gather(ledger.run(exchange), ledger.run(ops.receive("A", 1, "BACK")))

    assert isinstance(undone, ExchangeRefused)
    assert (undone.half, undone.refused.outcome) == ("promise", "out_of_stock")
    assert isinstance(made, StockChanged)
    assert await known(client, ledger) == before | {"location\0back": "BACK"}
    refused = ops.exchange(ops.take_back("o", (1, 1, "restock", "Back")), ops.reserve("new", ("A", 1)))
    assert await ops.half_refused(ledger, refused) == ("return", "similar_name")


async def test_given_a_transfer_to_a_look_alike_when_shipped_then_it_is_refused_and_nothing_leaves(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=5)
    await ops.transferred(ledger, ops.ship("t", "main", "Depo", ("A", 1)))

    refused = await ledger.run(ops.ship("t2", "main", "DEPO", ("A", 1)))

    assert refused == like("location", "A", "DEPO", 1, "Depo")
    assert await ops.available(ledger, "A") == 4
    await ops.transferred(ledger, ops.arrive("t", everything=True))
    assert await ledger.run(ops.receive("A", 1, "depo")) == like("location", "A", "depo", 1, "Depo")


async def test_given_an_expected_receipt_when_changed_or_received_then_only_a_new_place_is_looked_up(
    ledger: Ledger,
) -> None:
    await ops.moved(ledger, ops.receive("A", 1, "Depo"))
    await ledger.run(ops.expect("s", "A", 5, location="Depo"))

    assert await ledger.run(ops.expect("s", "A", 6, location="depo")) == like("location", "A", "depo", 6, "Depo")

    assert await ledger.run(ops.receive_expected("s", "A", 2, "DEPO")) == like("location", "A", "DEPO", 2, "Depo")
    assert isinstance(await ledger.run(ops.receive_expected("s", "A", 2)), StockChanged)


async def test_given_a_look_alike_when_a_location_is_registered_then_it_is_left_out_and_the_others_are_registered(
    ledger: Ledger, client: Redis
) -> None:
    await ops.moved(ledger, ops.receive("A", 1, "Kadıköy"))

    assert await describe(client, ledger, "KADIKÖY", "İzmir", "izmir") == {"KADIKÖY": "Kadıköy", "izmir": "İzmir"}

    directory = await LocationStore(client, ledger.keyspace, LIMITS).directory()
    assert set(directory.locations) == {"İzmir"}
    assert await describe(client, ledger, "izmir", "Kadıköy", meant=True) == {}
    assert await describe(client, ledger, "İzmir", "izmir", "Kadıköy") == {}


async def test_given_a_known_sku_when_a_look_alike_is_marked_as_untracked_then_that_is_refused(
    ledger: Ledger, client: Redis
) -> None:
    skus = SkuStore(client, ledger.keyspace, LIMITS)
    assert await skus.track("Gift Wrap", "tester", tracked=False)

    with pytest.raises(SimilarNameError) as caught:
        await skus.track("gift  wrap", "tester", tracked=False)

    assert caught.value.similar == "Gift Wrap"
    assert not await skus.is_untracked("gift  wrap")
    assert await skus.track("gift  wrap", "tester", tracked=False, allow_similar=True)
    assert await skus.track("gift wrap", "tester", tracked=True)  # it makes nothing known


async def test_given_registered_locations_when_units_arrive_at_another_then_they_are_refused_unless_that_is_meant(
    ledger: Ledger, client: Redis
) -> None:
    await ops.moved(ledger, ops.receive("A", 1, "old"))
    await ops.moved(ledger, ops.receive("A", 1, "older"))
    await describe(client, ledger, "izmir")

    refused = await ledger.run(ops.count("A", 2, "izmr"))

    line = LineRefusal(1, "A", "izmr", 2, 0, "location", "")
    assert refused == Refused("unregistered_location", "", [line])
    for name in ("izmir", "old", "main"):
        await ops.moved(ledger, ops.receive("B", 1, name))
    await ops.moved(ledger, ops.meant(ops.count("A", 2, "izmr")))
    await ops.moved(ledger, ops.count("B", 2, "izmr"))


async def test_given_a_fold_of_twenty_names_when_one_more_comes_then_it_is_not_refused(ledger: Ledger) -> None:
    spellings = ["".join(letters) for letters in itertools.product("aA", "bB", "cC", "dD", "eE")]
    for name in spellings[:20]:
        await ops.moved(ledger, ops.meant(ops.receive(name, 1)))

    for name in spellings[20:]:
        await ops.moved(ledger, ops.receive(name, 1))


async def test_given_a_store_of_an_earlier_release_when_indexed_then_look_alikes_are_refused_and_not_before(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=5)
    await ops.moved(ledger, ops.receive("A", 1, "Depo"))
    await ops.transferred(ledger, ops.ship("t", "main", "Way", ("A", 1)))
    await ledger.run(ops.expect("s", "Coming", 5, location="Port"))
    await describe(client, ledger, "Shop", "Way")
    whole = await known(client, ledger)
    await command(client, "DEL", ledger.keyspace.likeness)  # as an earlier release would have left it

    await ops.moved(ledger, ops.receive("A", 1, "DEPO"))
    await ops.moved(ledger, ops.receive("A", 1, "unheard of"))
    assert not await is_indexed(client, ledger.keyspace)
    assert await index_names(client, ledger.keyspace, LIMITS)

    assert await is_indexed(client, ledger.keyspace)
    found = await known(client, ledger)
    assert sorted(found.pop("location\0depo").split("\0")) == ["DEPO", "Depo"]
    assert found == {field: names for field, names in whole.items() if field != "location\0depo"} | {
        "location\0unheard of": "unheard of"
    }
    refused = await ledger.run(ops.receive("a", 1))
    assert refused == like("sku", "a", "main", 1, "A")
    assert (await ops.refused(ledger, ops.receive("A", 1, "sho"))).outcome == "unregistered_location"


async def test_given_a_partition_with_settings_when_its_first_name_is_stored_then_all_names_are_known_at_once(
    ledger: Ledger, client: Redis
) -> None:
    configured = {("channel", "shop"): ChannelSettings(name="shop", kind="webhook")}
    await note_configuration(client, ledger.keyspace, configured)  # as a server does when it starts
    await set_time_zone(client, ledger.keyspace, "Europe/Istanbul")
    await SafetyStore(client, ledger.keyspace).set_rules({("", ""): SafetyRule(units=1)}, "tester")
    assert await client.xlen(ledger.keyspace.journal) == 3

    await ops.moved(ledger, ops.receive("A", 5, "Depo"))

    assert await is_indexed(client, ledger.keyspace)
    assert await ledger.run(ops.receive("A", 1, "DEPO")) == like("location", "A", "DEPO", 1, "Depo")
    renamed = await LocationRenames(client, ledger.keyspace, LIMITS).rename("Depo", "Store", "tester")
    assert (renamed.outcome, renamed.is_done) == ("renamed", True)


@pytest.mark.parametrize("first", ["registered", "expected"])
async def test_given_names_without_stock_of_an_earlier_release_when_one_is_stored_then_not_all_are_known(
    ledger: Ledger, client: Redis, first: str
) -> None:
    if first == "registered":
        await describe(client, ledger, "Shop")
    else:
        await ledger.run(ops.expect("s", "Coming", 5, location="Port"))
    await command(client, "DEL", ledger.keyspace.likeness)  # as an earlier release would have left it

    await ops.moved(ledger, ops.receive("A", 1, "Depo"))

    assert not await is_indexed(client, ledger.keyspace)


@pytest.mark.parametrize(
    ("entries", "entry"),
    [(1, b"\xc1"), (1, b"y"), (1, b"\x91\x07"), (101, b"\x90")],
    ids=["damaged", "number", "numbers", "long"],
)
async def test_given_a_journal_that_does_not_tell_when_a_first_name_is_stored_then_not_all_are_known(
    ledger: Ledger, client: Redis, entries: int, entry: bytes
) -> None:
    for _ in range(entries):
        await client.xadd(ledger.keyspace.journal, {"e": entry})

    await ops.moved(ledger, ops.receive("A", 1, "Depo"))

    assert not await is_indexed(client, ledger.keyspace)
    assert await index_names(client, ledger.keyspace, LIMITS)
    assert await is_indexed(client, ledger.keyspace)


async def test_given_folds_of_an_older_table_when_indexed_then_the_index_is_built_anew(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=5)
    key = ledger.keyspace.likeness
    await command(client, "HSET", key, "\0version", FOLD_VERSION - 1, "sku\0old fold", "A")
    await command(client, "HDEL", key, "sku\0a")

    await ops.moved(ledger, ops.receive("a", 1))  # nothing is refused by folds of another table
    assert await index_names(client, ledger.keyspace, LIMITS)

    assert sorted((await known(client, ledger))[likeness_field("sku", "a")].split("\0")) == ["A", "a"]
    assert "sku\0old fold" not in await known(client, ledger)


async def test_given_folds_of_a_later_table_when_an_older_release_works_then_it_leaves_them(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=5)
    await command(client, "HSET", ledger.keyspace.likeness, "\0version", FOLD_VERSION + 1)
    before = await known(client, ledger)

    await ops.moved(ledger, ops.receive("a", 1))
    await index_names(client, ledger.keyspace, LIMITS)

    assert await known(client, ledger) == before
    assert await is_indexed(client, ledger.keyspace)


async def test_given_a_pass_that_is_killed_anywhere_when_it_is_repeated_then_the_index_is_whole(
    ledger: Ledger, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.store.maintenance.name_index.SLICE", 2)
    for number in range(7):
        await ops.moved(ledger, ops.receive(f"SKU {number}", 1, f"Depo {number}"))
    whole = await known(client, ledger)
    await command(client, "DEL", ledger.keyspace.likeness)

    for scripts in range(1, 30):
        passing = asyncio.create_task(index_names(client, ledger.keyspace, LIMITS))
        for _ in range(scripts * 3):
            await asyncio.sleep(0.001)
            if passing.done():
                break
        passing.cancel()
        if await is_indexed(client, ledger.keyspace):
            break
        await ops.moved(ledger, ops.receive(f"sku {scripts % 7}", 1))  # nothing is refused before a pass was whole
    else:
        await index_names(client, ledger.keyspace, LIMITS)

    found = await known(client, ledger)
    assert [field for field, name in whole.items() if name not in found[field].split("\0")] == []


async def test_given_known_places_when_units_are_reserved_shipped_and_received_there_then_no_name_is_looked_up(
    ledger: Ledger, store: StoreProcess
) -> None:
    await ops.stocked(ledger, A=9)
    known_ones = (
        ops.reserve("r", ("A", 2)),
        ops.commit("r"),
        ops.fulfil("r"),
        ops.order("o", ("A", 1)),
        ops.cancel("o"),
        ops.receive("A", 1),
        ops.count("A", 5),
        ops.take_back("r", (1, 1)),
    )
    async with monitored(store) as calls:
        for operation in known_ones:
            await ops.ask(ledger, operation)
        await ops.moved(ledger, ops.receive("New", 1, "there"))

    *before, last = calls
    assert len(before) == len(known_ones)
    index = ledger.keyspace.likeness.encode()
    assert [call.function for call in before for words in call.commands if index in words] == []
    named = [words[0].decode().upper() for words in last.commands if index in words]
    assert named == ["HMGET", "HGET", "HGET", "HSET"]
    assert {call.function for call in before if index in call.keys} == {"mutate_creating"}


async def test_given_a_damaged_list_of_places_when_indexed_then_the_other_names_are_noted(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1, B=1)
    await command(client, "HSET", ledger.keyspace.skus, "B", b"\xc1")
    await command(client, "DEL", ledger.keyspace.likeness)

    assert await index_names(client, ledger.keyspace, LIMITS)

    assert await known(client, ledger) == {"sku\0a": "A", "sku\0b": "B", "location\0main": "main"}
