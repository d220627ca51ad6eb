"""A line that lacks units names the other locations that have them, before a buyer is told."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.channels import ChannelSettings
from server.domain.intake import OrderIntake
from server.domain.locations import Location
from server.domain.shortages import OTHERS_MAX
from server.schemas.shortages import ShortageQuery
from server.service import shortages as module
from server.service.caller import Caller
from server.service.shortages import lacking_of, shortages, shortages_of
from server.store.repositories.renames import AliasStore
from tests.conftest import RETENTION
from tests.support import operations as ops

Places = list[tuple[str, int]] | None


async def short(
    caller: Caller, reservation_id: str = "o", units: int = 3, channel: str = "web", sku: str = "A"
) -> None:
    """Accept an order at main that has no units there."""
    order = ops.order(reservation_id, (sku, units, "main"), channel=channel, accept_shortage=True)
    await ops.changed(caller.ledger, replace(order, order_ref="77"))


async def elsewhere(caller: Caller) -> dict[str, Places]:
    """Return what is named for each order that is short."""
    found = await shortages(caller, ShortageQuery())
    return {
        line.reservation_id: found.elsewhere.of(each.sku, line.channel, each.location)
        for each in found.page.shortages
        for line in each.lines
    }


async def at(caller: Caller, *places: tuple[str, int], sku: str = "A") -> None:
    """Have units of a SKU at some locations, and none at main."""
    await ops.moved(caller.ledger, ops.count(sku, 0))
    for place, units in places:
        await ops.moved(caller.ledger, ops.receive(sku, units, place))


async def test_what_is_named_can_be_taken_and_then_nothing_is_short(caller: Caller) -> None:
    await at(caller, ("izmir", 2), ("depo", 5))
    await short(caller)

    assert await elsewhere(caller) == {"o": [("depo", 5), ("izmir", 2)]}

    await ops.changed(caller.ledger, ops.relocate("o", (1, 3, "depo")))
    assert await elsewhere(caller) == {}


async def test_nothing_is_named_that_cannot_be_taken(caller: Caller) -> None:
    store = caller.partition.locations.store
    await at(caller, ("closed", 5), ("kept", 5), ("elsewhere", 5), ("empty", 1), ("izmir", 1))
    await store.put([Location("closed", open=False)], "tester")
    await store.limit_channels({"web": ["kept", "empty", "closed", "main", "izmir"]})
    await ops.moved(caller.ledger, ops.allocate("A", "other", 5, location="kept"))
    await ops.changed(caller.ledger, ops.order("o-1", ("A", 1, "empty"), channel="web"))
    await short(caller)
    await short(caller, "o-2", channel="other")

    found = await elsewhere(caller)

    assert found["o"] == [("izmir", 1)]
    assert found["o-2"] == [("elsewhere", 5), ("kept", 5), ("izmir", 1)]
    for place in ("kept", "closed", "empty"):
        assert isinstance(await caller.ledger.run(ops.relocate("o", (1, 1, place))), Refused)
    await ops.changed(caller.ledger, ops.relocate("o", (1, 1, "izmir")))


async def test_few_locations_are_named_the_fullest_first(caller: Caller) -> None:
    await at(caller, *((f"store-{number:02}", 1 + number % 7) for number in range(20)))
    await short(caller)

    [places] = (await elsewhere(caller)).values()

    assert places is not None
    assert [units for _, units in places] == [7, 7, 6, 6, 6]
    assert len(places) == OTHERS_MAX


@pytest.mark.parametrize(("name", "most"), [("PLACES_MAX", 3), ("QUESTIONS_MAX", 1)])
async def test_what_there_was_no_time_to_look_at_is_not_said_to_be_nowhere(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    await at(caller, ("izmir", 2), ("depo", 2))
    await at(caller, ("izmir", 2), ("depo", 2), sku="B")
    await short(caller, "o-a")
    await short(caller, "o-b", sku="B")
    monkeypatch.setattr(module, name, most)

    found = list((await elsewhere(caller)).values())

    assert sorted(found, key=str) == [None, [("depo", 2), ("izmir", 2)]]


async def calls(client: Redis) -> int:
    """Return how often a function was called."""
    stats = await client.info("commandstats")
    return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("fcall", "fcall_ro"))


async def test_many_channels_are_asked_together(caller: Caller, client: Redis) -> None:
    await at(caller, ("izmir", 9))
    for number in range(30):
        await short(caller, f"o-{number}", channel=f"shop-{number}")
    assert len(await elsewhere(caller)) == 30
    before = await calls(client)

    found = await elsewhere(caller)

    assert found == {f"o-{number}": [("izmir", 9)] for number in range(30)}
    assert await calls(client) - before < 20


async def test_a_renamed_sku_is_found_under_its_new_name(caller: Caller, client: Redis) -> None:
    await at(caller, ("izmir", 4))
    await short(caller)
    keyspace = caller.partition.keyspace
    assert await AliasStore(client, keyspace, RETENTION.packed()).rename_sku("A", "NEW", "tester", ()) == "renamed"

    record = (await caller.ledger.reservation("o")).reservation
    assert record is not None
    found = await shortages_of(caller, {"o": record})

    [shortage] = found.short
    assert (shortage.sku, [line.lacks for line in shortage.lines]) == ("NEW", [3])
    assert found.elsewhere.of("NEW", "web", "main") == [("izmir", 4)]


async def lacks_of(caller: Caller, *names: str) -> Sequence[tuple[str, int]]:
    records = {name: (await caller.ledger.reservation(name)).reservation for name in names}
    found = await shortages_of(caller, {name: each for name, each in records.items() if each is not None})
    return [(line.reservation_id, line.lacks) for each in found.short for line in each.lines]


async def test_of_one_order_is_said_what_it_lacks_itself_as_the_channel_wants_it(caller: Caller) -> None:
    await at(caller, ("main", 2))
    for name in ("old", "new"):
        await short(caller, name, units=2)
        await asyncio.sleep(0.002)  # so that the store's clock tells which is older
    settings = ChannelSettings(name="web", kind="webhook", orders=OrderIntake(short="newest"))
    turned = Caller(caller.principal, replace(caller.partition, channels={"web": settings}))

    assert await lacks_of(caller, "old") == []
    assert await lacks_of(caller, "new") == [("new", 2)]
    assert await lacks_of(turned, "old") == [("old", 2)]
    assert await lacks_of(turned, "new") == []


async def test_what_an_order_lacks_is_found_with_the_locations_that_have_it(caller: Caller) -> None:
    await at(caller, ("izmir", 1))
    await short(caller)
    await short(caller, "p", channel="other")

    assert await lacking_of(caller, "web", "77") == (3, ("izmir",))
    assert await lacking_of(caller, "web", "78") == (0, ())
