"""Shortages: where more is reserved than there is, and who goes without."""

import json
import random

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.operations.stock import Bucket
from server.domain.shortages import Waiting, who_lacks
from server.store.ledger.ledger import Ledger
from server.store.repositories.shortages import ShortagePage, find_shortages
from tests.conftest import RETENTION, now_ms, wait_past
from tests.support.http import Api, Server
from tests.support.operations import adjust, changed, count, fulfil, moved, order, reserve, sealed, stocked
from tests.support.processes import holdfast

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


async def test_given_damage_beyond_what_there_is_when_asked_then_no_order_lacks_it(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=2)
    await moved(ledger, adjust("A", Bucket.SAFETY, 5))
    assert lacking(await found(ledger, client)) == {"A": {}}


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
    words = ("show", "A", "--partition", api.partition, "--data-dir", server.data_dir)
    shown = holdfast(*words, cwd=server.data_dir).stdout
    assert "Short of 2 at main: o-1 lacks 2" in shown
    [printed] = json.loads(holdfast(*words, "--json", cwd=server.data_dir).stdout)["shortages"]
    assert printed["lines"] == [{"reservation_id": "o-1", "line": 1, "lacks": 2}]


async def test_given_a_page_that_was_never_issued_when_asked_for_then_it_is_invalid(api: Api) -> None:
    (await api.get("/v1/shortages?after=x")).problem(400, "invalid")
