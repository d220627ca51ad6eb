"""Shortages: where more is reserved than there is, and who goes without."""

import asyncio
import json
import random

import msgspec
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.domain.operations.stock import Bucket
from server.domain.shortages import Waiting, who_lacks
from server.store.audit.audit import audit
from server.store.connection.commands import command
from server.store.ledger.ledger import Ledger
from server.store.maintenance.housekeeping import Housekeeper
from server.store.maintenance.lacking import recount_lacking
from server.store.repositories.shortages import ShortagePage, find_shortages
from tests.conftest import RETENTION, now_ms, wait_past
from tests.support.http import Api, Server
from tests.support.operations import (
    adjust,
    cancel,
    changed,
    count,
    fulfil,
    level,
    moved,
    order,
    receive,
    reserve,
    sealed,
    stocked,
)
from tests.support.processes import holdfast
from tests.support.replay import read_journal

pytest_plugins = ("tests.support.http_fixtures",)


async def found(ledger: Ledger, client: Redis, after: str = "", limit: int = 100) -> ShortagePage:
    return await find_shortages(client, ledger.keyspace, RETENTION.packed(), after, limit)


def lacking(page: ShortagePage) -> dict[str, dict[str, int]]:
    return {each.sku: {line.reservation_id: line.lacks for line in each.lines} for each in page.shortages}


async def reserved(ledger: Ledger, client: Redis, *ids: str, units: int = 3, flags: tuple[str, ...] = ()) -> None:
    """Order so many units of A under each id, each at a later millisecond."""
    for each in ids:
        await wait_past(client, await now_ms(client) + 1)
        await changed(ledger, sealed(msgspec.structs.replace(order(each, ("A", units)), flags=list(flags))))


async def test_given_enough_of_everything_when_asked_then_nothing_is_short(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10)
    await reserved(ledger, client, "o1")
    assert await found(ledger, client) == ShortagePage([], "")


async def test_given_a_count_below_what_is_reserved_when_asked_then_the_newest_order_is_short(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10, B=5)
    await reserved(ledger, client, "old", "middle", "new")
    await moved(ledger, count("A", 5))
    page = await found(ledger, client)
    [shortage] = page.shortages
    assert (shortage.sku, shortage.location, shortage.short, shortage.complete) == ("A", "main", 4, True)
    assert [(line.reservation_id, line.quantity, line.lacks) for line in shortage.lines] == [
        ("new", 3, 3),
        ("middle", 3, 1),
    ]


async def test_given_a_vip_order_when_units_are_short_then_it_is_the_last_to_go_without(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await reserved(ledger, client, "old", "older")
    await reserved(ledger, client, "vip", flags=("vip",))
    await moved(ledger, count("A", 4))
    assert lacking(await found(ledger, client)) == {"A": {"older": 3, "old": 2}}
    await moved(ledger, count("A", 2))
    assert lacking(await found(ledger, client)) == {"A": {"older": 3, "old": 3, "vip": 1}}


async def test_given_shipped_units_when_others_are_short_then_they_lack_nothing(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10)
    await reserved(ledger, client, "shipped", "waiting")
    await changed(ledger, fulfil("shipped"))
    await moved(ledger, count("A", 1))
    assert lacking(await found(ledger, client)) == {"A": {"waiting": 2}}


async def gauge(client: Redis, ledger: Ledger) -> int:
    housekeeper = Housekeeper(client, lambda: [ledger.keyspace.partition], RETENTION, journal_retention_s=3600)
    await housekeeper.measure()
    return int(REGISTRY.get_sample_value("holdfast_shortage_units") or 0)


async def written(client: Redis, ledger: Ledger) -> tuple[int, dict[str, int]]:
    """Read what the store says is lacking: the sum, and each place."""
    meta = await command(client, "HGETALL", ledger.keyspace.meta)
    places = {name.decode().split("\0", 1)[1]: int(units) for name, units in meta.items() if name.startswith(b"lacks")}
    assert sum(places.values()) == int(meta.get(b"lacking", 0))
    return int(meta.get(b"lacking", 0)), places


async def test_given_safety_stock_when_more_is_ordered_than_is_on_the_shelf_then_only_the_rest_is_lacking(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=2)
    await moved(ledger, adjust("A", Bucket.SAFETY, 1))
    await changed(ledger, order("o1", ("A", 3), accept_shortage=True))
    page = await found(ledger, client)
    assert [(each.short, [line.lacks for line in each.lines]) for each in page.shortages] == [(1, [1])]
    assert await gauge(client, ledger) == 1
    assert (await level(ledger, "A")).available == -2  # safety stock included, as ever
    assert int(await client.hget(ledger.keyspace.meta, "shortage") or 0) == 2  # what other releases read


async def test_given_an_empty_place_with_safety_stock_when_nobody_has_ordered_then_nothing_is_short(
    ledger: Ledger, client: Redis
) -> None:
    await moved(ledger, count("A", 0, safety=2))
    await stocked(ledger, B=2)
    await moved(ledger, adjust("B", Bucket.DAMAGED, 2))
    await moved(ledger, adjust("B", Bucket.SAFETY, 5))
    assert await found(ledger, client) == ShortagePage([], "")
    assert (await gauge(client, ledger), await written(client, ledger)) == (0, (0, {}))


async def test_given_safety_stock_that_covers_the_orders_when_asked_then_none_lacks_units(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=3)
    await reserved(ledger, client, "o1")
    await moved(ledger, adjust("A", Bucket.SAFETY, 2))
    assert ((await level(ledger, "A")).available, await written(client, ledger)) == (-2, (0, {}))
    await moved(ledger, adjust("A", Bucket.QUALITY_CONTROL, 1))
    assert await written(client, ledger) == (1, {"A\0main": 1})
    await changed(ledger, fulfil("o1"))
    assert await written(client, ledger) == (0, {})


async def test_given_more_shipped_than_was_there_when_asked_then_only_what_is_still_reserved_is_lacking(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1)
    await changed(ledger, order("gone", ("A", 1)))
    await changed(ledger, order("o1", ("A", 4), accept_shortage=True))
    await changed(ledger, order("o2", ("A", 2), accept_shortage=True))
    await changed(ledger, fulfil("o1"))
    assert (await level(ledger, "A")).on_hand == -3
    assert lacking(await found(ledger, client)) == {"A": {"o2": 2, "gone": 1}}
    assert await written(client, ledger) == (3, {"A\0main": 3})


async def test_given_a_store_of_an_older_release_when_maintenance_begins_then_it_learns_what_is_lacking(
    ledger: Ledger, client: Redis
) -> None:
    # Given: shortages that were written without what they lack, and one field that is stale.
    await stocked(ledger, A=1, B=1, C=1)
    await changed(ledger, order("o1", ("A", 4), ("B", 2), accept_shortage=True))
    meta = ledger.keyspace.meta
    await client.hdel(meta, "lacking", "lacks\0A\0main", "lacks\0B\0main")
    await client.hset(meta, mapping={"lacking": 7, "lacks\0C\0main": 7})

    # When
    first = await recount_lacking(client, ledger.keyspace, RETENTION.packed())

    # Then
    assert (first, await written(client, ledger)) == (11, (4, {"A\0main": 3, "B\0main": 1}))
    assert await recount_lacking(client, ledger.keyspace, RETENTION.packed()) == 0
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_store_of_an_older_release_when_a_place_changes_first_then_it_is_right_before_it_is_counted(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1, B=1)
    await changed(ledger, order("o1", ("A", 4), ("B", 2), accept_shortage=True))
    await client.hdel(ledger.keyspace.meta, "lacking", "lacks\0A\0main", "lacks\0B\0main")
    await moved(ledger, count("A", 2))
    assert await written(client, ledger) == (2, {"A\0main": 2})
    await moved(ledger, count("B", 9))
    assert await written(client, ledger) == (2, {"A\0main": 2})


async def test_given_another_release_that_changes_stock_meanwhile_when_counted_again_then_it_is_mended_and_said(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1, B=1)
    await recount_lacking(client, ledger.keyspace, RETENTION.packed())
    await changed(ledger, order("o1", ("A", 4), accept_shortage=True))
    await client.hset(ledger.keyspace.meta, mapping={"lacks\0A\0main": 5, "lacking": 5})
    with capture_logs() as logs:
        await recount_lacking(client, ledger.keyspace, RETENTION.packed())
    assert await written(client, ledger) == (3, {"A\0main": 3})
    assert [(each["event"], each["units"]) for each in logs] == [("lacking_mended", 2)]


async def test_given_many_places_that_lack_units_when_counted_then_each_is_met_in_bounded_slices(
    ledger: Ledger, client: Redis
) -> None:
    places = [f"S{number}" for number in range(1500)]
    await asyncio.gather(*(moved(ledger, count(sku, 0)) for sku in places))
    for first in range(0, 1500, 100):
        lines = [(sku, 2) for sku in places[first : first + 100]]
        await changed(ledger, order(f"o{first}", *lines, accept_shortage=True))
    names = [f"lacks\0{sku}\0main" for sku in places]
    await client.hdel(ledger.keyspace.meta, "lacking", *names)
    assert await recount_lacking(client, ledger.keyspace, RETENTION.packed()) == 3000
    assert (await written(client, ledger))[0] == 3000
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_reserve_that_makes_no_shortage_when_run_then_nothing_is_written_about_one(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r1", ("A", 5)))
    assert set(await client.hkeys(ledger.keyspace.meta)) == {b"seq"}
    entries = await command(client, "XRANGE", ledger.keyspace.journal, "-", "+")
    assert len(entries) == 2
    assert not any(b"shortage" in fields[b"e"] for _, fields in entries)


async def test_given_any_kind_of_call_when_a_place_comes_to_lack_more_or_fewer_then_its_entry_says_so(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1)
    for operation in (
        order("o", ("A", 3), accept_shortage=True),
        receive("A", 1),
        cancel("o", (1, 1)),
    ):
        await ledger.run(operation)

    journal = await read_journal(client, ledger.keyspace.journal)

    assert [[change.operation for change in entry] for _, entry in journal[-3:]] == [
        ["order", "shortage"],
        ["receive", "shortage"],
        ["cancel", "shortage"],
    ]


async def test_given_many_places_when_paged_through_then_each_shortage_is_met(ledger: Ledger, client: Redis) -> None:
    for number in range(900):
        await moved(ledger, count(f"S{number}", 1))
        if number % 9 == 0:
            await changed(ledger, reserve(f"r{number}", (f"S{number}", 1)))
            await moved(ledger, count(f"S{number}", 0))
    met: dict[str, dict[str, int]] = {}
    after, pages = "", 0
    while pages == 0 or after:
        page = await found(ledger, client, after, 20)
        met |= lacking(page)
        after, pages = page.next, pages + 1
    assert met == {f"S{number}": {f"r{number}": 1} for number in range(0, 900, 9)}
    assert pages > 1


@pytest.mark.parametrize("seed", range(20))
def test_given_any_reservations_when_shared_out_then_no_more_lack_than_need_be(seed: int) -> None:
    draw = random.Random(seed)
    waiting = [
        Waiting(
            f"r{n}", 1, "web", "committed", "", ["vip"] * (draw.random() < 0.3), draw.randrange(9), draw.randint(1, 5)
        )
        for n in range(draw.randint(1, 12))
    ]
    short = draw.randint(0, 40)
    lines = who_lacks(short, waiting)
    assert sum(each.lacks for each in lines) == min(short, sum(each.quantity for each in waiting))
    assert all(0 < each.lacks <= each.quantity for each in lines)
    untouched = {each.reservation_id for each in waiting} - {each.reservation_id for each in lines}
    spared = [each for each in waiting if each.reservation_id in untouched]
    assert not any("vip" in each.flags for each in lines) or all("vip" in each.flags for each in spared)


async def test_given_a_shortage_when_asked_over_http_then_orders_are_named_and_show_mentions_it(
    api: Api, server: Server
) -> None:
    await api.count("A", 5)
    body = {"channel": "n11", "order_ref": "N-1", "lines": [{"sku": "A", "quantity": 7}], "on_shortage": "accept"}
    (await api.post("/v1/orders", {**body, "reservation_id": "o-1"})).ok(201)
    printed = (await api.get("/v1/shortages")).ok()
    [shortage] = printed["shortages"]
    assert (shortage["sku"], shortage["short"], shortage["lines_complete"], printed["next"]) == ("A", 2, True, "")
    [line] = shortage["lines"]
    assert (line["reservation_id"], line["order_ref"], line["channel"], line["lacks"]) == ("o-1", "N-1", "n11", 2)
    assert line["other_locations"] == []
    words = ("show", "A", "--partition", api.partition, "--data-dir", server.data_dir)
    shown = holdfast(*words, cwd=server.data_dir).stdout
    assert "Short of 2 at main: o-1 lacks 2" in shown
    [printed] = json.loads(holdfast(*words, "--json", cwd=server.data_dir).stdout)["shortages"]
    assert printed["lines"] == [{"reservation_id": "o-1", "line": 1, "lacks": 2, "other_locations": []}]


async def test_given_a_shortage_when_another_location_has_the_units_then_it_is_named_and_the_order_can_be_moved_there(
    api: Api, server: Server
) -> None:
    await api.count("A", 5)
    body = {"channel": "n11", "lines": [{"sku": "A", "quantity": 7, "location": "main"}], "on_shortage": "accept"}
    (await api.post("/v1/orders", {**body, "reservation_id": "o-1"})).ok(201)
    (await api.put("/v1/stock/A/izmir", {"on_hand": 3})).ok()

    [shortage] = (await api.get("/v1/shortages")).ok()["shortages"]
    words = ("show", "A", "--partition", api.partition, "--data-dir", server.data_dir)
    shown = holdfast(*words, cwd=server.data_dir).stdout

    [line] = shortage["lines"]
    assert line["other_locations"] == [{"location": "izmir", "available": 3}]
    move = {"lines": [{"line": 1, "to": "izmir", "quantity": 2}]}
    body_shown = json.dumps(move, separators=(",", ":"))
    assert f"izmir has 3. To take it from there: POST /v1/reservations/o-1/move {body_shown}" in shown
    (await api.post("/v1/reservations/o-1/move", move)).ok()
    assert (await api.get("/v1/shortages")).ok()["shortages"] == []


async def test_given_a_page_that_was_never_issued_when_asked_for_then_it_is_invalid(api: Api) -> None:
    (await api.get("/v1/shortages?after=x")).problem(400, "invalid")
